"""What control flow is given, and what its functions return: structures of tensors."""

from __future__ import annotations

from typing import Any

from gleed.captured.memory import place_of
from gleed.captured.structure import Branch, Fixed, Form, Leaf, build, take_apart
from gleed.errors import ArgumentError, DTypeError, ShapeError
from gleed.followed import is_followed
from gleed.ops.record import OPS

Parts = tuple[list[Any], Form]  # tensors and what holds them together


def with_tensors(value: Any) -> Any:
    """A structure with 0-d tensors in place of its numbers."""
    tensors, form = take_apart(value)
    made = _without_numbers(form, tensors)
    return value if made is form else build(made, tensors)


def _without_numbers(form: Form, tensors: list[Any]) -> Form:
    """A form with places in `tensors`, which get what is there, in place of its numbers."""
    if isinstance(form, Branch):
        items = tuple(_without_numbers(item, tensors) for item in form.items)
        same = all(new is old for new, old in zip(items, form.items, strict=True))
        return form if same else form._replace(items=items)
    if not isinstance(form, Fixed):
        return form
    if not (isinstance(form.value, bool | int | float) or is_followed(form.value)):
        return form
    tensors.append(OPS["full"].public((), form.value))
    return Leaf(len(tensors) - 1)


def require_functions(name: str, **functions: Any) -> None:
    """Raise ArgumentError unless all that is to be called is a function."""
    for parameter, function in functions.items():
        if not callable(function):
            raise ArgumentError(
                f"{name}: {parameter} must be a function; got {type(function).__name__}; "
                "pass it without calling it"
            )


def require_tensors(name: str, what: str, value: Any) -> None:
    """Raise ArgumentError unless a value is a structure of tensors."""
    require_structure(name, what, take_apart(value)[1])


def require_structure(name: str, what: str, form: Form) -> None:
    """Raise ArgumentError unless a form is that of a structure of tensors."""
    other = _other(form)
    if other is not None:
        raise ArgumentError(
            f"{name}: {what} must be tensors, or tuples, lists and dictionaries of tensors; got "
            f"{type(other).__name__}; make a tensor of it, or let the function name it"
        )


def _other(form: Form) -> Any:
    """Something in a structure that is neither a tensor nor None; None: there is nothing."""
    if isinstance(form, Branch):
        return next((x for item in form.items if (x := _other(item)) is not None), None)
    return form.value if isinstance(form, Fixed) else None


def require_decision(rule: str, value: Any) -> None:
    """Raise ArgumentError unless a tensor can decide."""
    _, dtype, _, sizes, _ = place_of(value)
    if dtype != "bool" or any(n != 1 for n in sizes):
        raise ArgumentError(
            f"{rule} a bool tensor with one element; got {_shown(value)}; compare it, or reduce it "
            "with all() or any()"
        )


def _shown(tensor: Any) -> str:
    return f"one of {tensor.dtype} and shape {place_of(tensor)[3]}"


def require_like(name: str, function: str, now: Parts, what: str, before: Parts) -> None:
    """Raise unless what a function returned is of the types of something else."""
    (found, form), (known, expected) = now, before
    if form != expected:
        raise ArgumentError(
            f"{name}: {function} must return the structure of {what}; got {as_text(form)} for "
            f"{as_text(expected)}; return the same tuples, lists and keys"
        )
    for x, y in zip(found, known, strict=True):
        if x.dtype is not y.dtype:
            raise DTypeError(
                f"{name}: {function} must return the dtypes of {what}; got {x.dtype} for "
                f"{y.dtype}; convert it with .to()"
            )
        if place_of(x)[3] != place_of(y)[3]:
            raise ShapeError(
                f"{name}: {function} must return the shapes of {what}; got {place_of(x)[3]} for "
                f"{place_of(y)[3]}; reshape or pad it"
            )


def as_text(form: Form) -> str:
    """A structure as a user would write it, tensors as `*`."""
    if not isinstance(form, Branch):
        return repr(form.value) if isinstance(form, Fixed) else "*"
    items = [as_text(item) for item in form.items]
    if form.keys is not None:
        pairs = zip(form.keys, items, strict=True)
        return "{" + ", ".join(f"{key!r}: {item}" for key, item in pairs) + "}"
    return f"[{', '.join(items)}]" if form.kind is list else f"({', '.join(items)})"
