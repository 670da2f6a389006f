"""Nested arguments and results taken apart into tensors and what holds them together.

>>> import gleed
>>> from gleed.captured.structure import build, take_apart
>>> tensors, form = take_apart({"x": gleed.ones(2), "more": [gleed.zeros(3), 4]})
>>> [tuple(t.shape) for t in tensors]
[(2,), (3,)]
>>> build(form, ["a", "b"])
{'x': 'a', 'more': ['b', 4]}
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

from gleed._C import Tensor, dtype
from gleed.followed import fixed, is_followed

# What is compared by value, and may be a result.
_NUMBERS = (bool, int, float, complex, str, bytes, type(None), type(...), slice)
PLAIN = (*_NUMBERS, type, dtype)


class Leaf(NamedTuple):
    """The place of tensor number `k`."""

    k: int


class Branch(NamedTuple):
    """A container: its type, the keys of its items or None, and the forms of these."""

    kind: type
    keys: tuple[Hashable, ...] | None
    items: tuple[Any, ...]


class Fixed:
    """Anything else: a number by value, an object by identity."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Fixed):
            return NotImplemented
        a, b = self.value, other.value
        return a is b or (type(a) is type(b) and isinstance(a, _NUMBERS) and repr(a) == repr(b))

    def __hash__(self) -> int:
        value = self.value
        return hash(repr(value)) if isinstance(value, _NUMBERS) else id(value)


Form = Leaf | Branch | Fixed


class Attributes(dict[str, Any]):
    """What an object of a class derived from list, tuple or dict has beside its items."""


def contents(value: Any) -> tuple[tuple[Hashable, ...] | None, tuple[Any, ...]] | None:
    """The keys of a container, or None, and its items, the last of them its `Attributes` if it has
    any; None if it is no container."""
    attributes = getattr(value, "__dict__", None)
    if isinstance(value, dict):
        keys, items = tuple(value), tuple(value.values())
    elif isinstance(value, tuple | list):
        keys, items = None, tuple(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (f.name for f in dataclasses.fields(value))
        names = tuple(dict.fromkeys((*fields, *(attributes or ()))))
        return names, tuple(getattr(value, name) for name in names)
    else:
        return None
    return keys, (*items, Attributes(attributes)) if attributes else items


def take_apart(value: Any) -> tuple[list[Any], Form]:
    """The tensors in a value, in order, and its form."""
    found: list[Any] = []

    def form(value: Any) -> Form:
        if isinstance(value, Tensor):
            found.append(value)
            return Leaf(len(found) - 1)
        held = contents(value)
        if held is None:
            return Fixed(value)
        keys, items = held
        return Branch(type(value), keys, tuple(map(form, items)))

    return found, form(value)


def attributes_of(form: Branch) -> Branch | None:
    """The form of the attributes that a container has."""
    last = form.items[-1] if form.items else None
    return last if isinstance(last, Branch) and last.kind is Attributes else None


def has_attributes(form: Form) -> bool:
    """Whether any container in a form has attributes."""
    if not isinstance(form, Branch):
        return False
    return attributes_of(form) is not None or any(map(has_attributes, form.items))


def given(form: Form) -> list[Form]:
    """The forms of the arguments, in that of (args, kwargs)."""
    assert isinstance(form, Branch)
    return [item for half in form.items for item in half.items]


def other_numbers(a: Form, b: Form) -> set[int] | None:
    """Where two forms of arguments differ, by position, if only in the values of numbers."""
    assert isinstance(a, Branch) and isinstance(b, Branch)
    kinds = [[(half.kind, half.keys, len(half.items)) for half in form.items] for form in (a, b)]
    if kinds[0] != kinds[1]:
        return None
    pairs = enumerate(zip(given(a), given(b), strict=True))
    differing = {i: pair for i, pair in pairs if pair[0] != pair[1]}
    alike = all(
        isinstance(x, Fixed) and isinstance(y, Fixed) and _are_numbers(x.value, y.value)
        for x, y in differing.values()
    )
    return {*differing} if alike else None


def without_numbers(form: Form) -> Form:
    """A form of arguments with the types of numbers in place of these."""
    assert isinstance(form, Branch)

    def kind(item: Form) -> Form:
        if isinstance(item, Fixed) and _are_numbers(item.value, item.value):
            return Fixed(type(item.value))
        return item

    halves = [half._replace(items=tuple(map(kind, half.items))) for half in form.items]
    return form._replace(items=tuple(halves))


def _are_numbers(x: Any, y: Any) -> bool:
    return type(x) is type(y) and type(x) in (int, float)


def build(form: Form, tensors: Sequence[Any]) -> Any:
    """The value of a form, with these tensors in it."""
    if isinstance(form, Leaf):
        return tensors[form.k]
    if isinstance(form, Fixed):
        return fixed(form.value)
    attributes = attributes_of(form)
    items = [build(item, tensors) for item in form.items]
    more = items.pop() if attributes else {}
    kind: Callable[..., Any] = form.kind
    if form.keys is None and not attributes:
        named = hasattr(kind, "_fields")
        return kind(*items) if named else kind(items)
    if form.keys is None:
        return _with(more, kind(items) if issubclass(form.kind, tuple) else _refilled(kind, items))
    pairs = dict(zip(form.keys, items, strict=True))
    if issubclass(form.kind, dict):
        return pairs if kind is dict else _with(more, _redone(form.kind, pairs))
    made = object.__new__(form.kind)
    for name, item in pairs.items():
        object.__setattr__(made, str(name), item)
    return made


def plain(value: Any) -> Any:
    """A value with plain numbers in place of those that a capture follows."""
    tensors, form = take_apart(value)
    return build(form, tensors) if _follows(form) else value


def _follows(form: Form) -> bool:
    if isinstance(form, Branch):
        return any(map(_follows, form.items))
    return isinstance(form, Fixed) and is_followed(form.value)


def _refilled(kind: Any, items: list[Any]) -> Any:
    """A list of a type of its own. Its `__init__`, which takes what it likes, is not called."""
    made = kind.__new__(kind)
    list.extend(made, items)
    return made


def _redone(kind: Any, pairs: dict[Any, Any]) -> Any:
    """A dictionary of a type of its own, as `OrderedDict`, likewise."""
    made = kind.__new__(kind)
    set_item = OrderedDict.__setitem__ if issubclass(kind, OrderedDict) else dict.__setitem__
    for key, value in pairs.items():
        set_item(made, key, value)
    return made


def _with(attributes: dict[str, Any], made: Any) -> Any:
    if attributes:
        made.__dict__.update(attributes)
    return made
