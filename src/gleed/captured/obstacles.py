"""Why a captured program is not for a call, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gleed.captured.structure import PLAIN, Branch, Form, Leaf
from gleed.compiler.dims import Dim

_MODES = "grad mode", "inference mode", "the default dtype", "autocast"


def other_mode(before: tuple[Any, ...], now: tuple[Any, ...]) -> str | None:
    """The first mode that is another."""
    for name, a, b in zip(_MODES, before, now, strict=True):
        if a != b:
            return f"{name} was {_switch(a)}, and is {_switch(b)}"
    return None


def other_argument(before: Form, now: Form, free: set[int]) -> str | None:
    """The first difference between the forms of (args, kwargs). `free`: the positions of numbers
    that may be others."""
    assert isinstance(before, Branch) and isinstance(now, Branch)
    (args, kwargs), (new_args, new_kwargs) = before.items, now.items
    if kwargs.keys != new_kwargs.keys or len(args.items) != len(new_args.items):
        return f"it was called with {_counted(args, kwargs)}, and is with {_counted(*now.items)}"
    pairs = zip(_named(before), _named(now), strict=True)
    for i, ((name, a), (_, b)) in enumerate(pairs):
        if i not in free and (found := _difference(name, a, b)):
            return found
    return None


def other_tensor(name: str, value: Any, before: Any, tensor: Any) -> str | None:
    """In what a tensor is other than what a program was made for, as input `value` of its graph;
    `before` is its `kind_of` then."""
    now = kind_of(tensor)
    known = tuple(
        b if isinstance(size, Dim) else a
        for size, a, b in zip(value.shape, before[1], now[1], strict=False)
    )
    expected = before[0], known if len(before[1]) == len(now[1]) else before[1], *before[2:]
    symbolic = known != before[1]
    texts = (
        "dtype {}",
        "shape {}",
        "requires_grad={}",
        "{} hooks",
        "is_contiguous()={}",
        "strides {}",
    )
    for text, a, b in zip(texts, expected, now, strict=True):
        if a != b and not ("strides" in text and symbolic):
            return f"{name} had {text.format(a)}, and has {text.format(b)}"
    return None


def kind_of(tensor: Any) -> tuple[Any, ...]:
    """What of a tensor a program depends on."""
    hooks = sum(map(len, tensor._hook_tables()))
    shape, strides = tuple(tensor.shape), tuple(tensor.stride())
    return tensor.dtype, shape, tensor.requires_grad, hooks, tensor.is_contiguous(), strides


def names_of_tensors(arguments: Form) -> list[str]:
    """What the tensors among the arguments are called, by their numbers."""
    return [name for root, form in _named(arguments) for name in _leaves(root, form)]


def _named(arguments: Form) -> Iterator[tuple[str, Form]]:
    assert isinstance(arguments, Branch)
    args, kwargs = arguments.items
    yield from ((f"argument {i}", form) for i, form in enumerate(args.items))
    yield from (
        (f"argument {k!r}", form) for k, form in zip(kwargs.keys, kwargs.items, strict=True)
    )


def _leaves(name: str, form: Form) -> Iterator[str]:
    if isinstance(form, Leaf):
        yield name
    elif isinstance(form, Branch):
        for i, item in enumerate(form.items):
            yield from _leaves(_item(name, form, i), item)


def _item(name: str, form: Branch, i: int) -> str:
    return f"{name}[{form.keys[i] if form.keys and i < len(form.keys) else i!r}]"


def _difference(name: str, a: Form, b: Form) -> str | None:
    if isinstance(a, Branch) and isinstance(b, Branch) and a.kind is b.kind:
        if a.keys != b.keys or len(a.items) != len(b.items):
            return f"{name} had {_contents(a)}, and has {_contents(b)}"
        items = enumerate(zip(a.items, b.items, strict=True))
        found = (_difference(_item(name, a, i), x, y) for i, (x, y) in items)
        return next((text for text in found if text), None)
    if isinstance(a, Leaf) and isinstance(b, Leaf):
        return None
    if a == b:
        return None
    before, now = _shown(a), _shown(b)
    return f"{name} is another object" if before == now else f"{name} was {before}, and is {now}"


def _shown(form: Form) -> str:
    if isinstance(form, Leaf):
        return "a tensor"
    if isinstance(form, Branch):
        return f"a {form.kind.__name__}"
    return repr(form.value) if isinstance(form.value, PLAIN) else f"a {type(form.value).__name__}"


def _contents(form: Branch) -> str:
    if form.keys is None:
        return f"{len(form.items)} item{'s' * (len(form.items) != 1)}"
    return f"the keys {', '.join(map(repr, form.keys))}" if form.keys else "no keys"


def _counted(args: Branch, kwargs: Branch) -> str:
    named = "".join(f", {key}=…" for key in kwargs.keys or ())
    return f"{len(args.items)} argument{'s' * (len(args.items) != 1)}{named}"


def _switch(value: Any) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
