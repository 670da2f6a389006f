"""What objects of Python's own and of NumPy hold, as far as a captured function may depend on it.

`parts` are other objects, by which a walk goes on; `Snapshot` is for contents that no place of
Python's holds; what cannot be followed at all is refused.
"""

from __future__ import annotations

import array
import collections
import contextvars
import functools
import gc
import io
import operator
import os
import pickle
import sys
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from gleed.captured.clocks import is_clock
from gleed.captured.errors import Unfollowed
from gleed.lazy import lazy

numpy = lazy("numpy")

# Sequences whose items are compared one by one.
SEQUENCES = (set, frozenset, collections.deque, array.array, bytearray)
# Modules of objects that use attributes of theirs which no code of the user's names.
_CONTAINERS = ("collections", "types", "argparse", "functools")
_MOST_BYTES = 1 << 16  # of an array that is looked at in every call
_CODE = ("__func__", "__self__", "__wrapped__", "func", "args", "keywords", "fget")
_BOUND = (
    types.BuiltinMethodType,
    types.MethodWrapperType,
    types.MethodType,
    functools.partial,
    functools.partialmethod,
    functools.cached_property,
    type(functools.lru_cache(len)),
    staticmethod,
    classmethod,
    property,
)
_VIEWS: tuple[type, ...] = (
    types.MappingProxyType,
    type({}.keys()),
    type({}.values()),
    type({}.items()),
)
_GETTERS = (operator.attrgetter, operator.methodcaller)


def parts(value: Any) -> Iterator[tuple[str, Any]]:
    """Objects in a callable or a view of the standard library, each with what is to be appended to
    the path of `value`. Raises `Unfollowed` for what changes as it is used."""
    if isinstance(value, _BOUND):
        for name in _CODE:
            part = getattr(value, name, None)
            if part is not None and not isinstance(part, types.ModuleType):
                yield ("" if name.startswith("__") else f".{name}"), part
    elif isinstance(value, _VIEWS):
        yield from (("", x) for x in gc.get_referents(value))
    elif isinstance(value, weakref.ref):
        yield "()", value()
    elif value is os.environ:
        yield "", value._data  # type: ignore[attr-defined]
    elif hasattr(type(value), "__next__") and not isinstance(value, io.IOBase):
        raise Unfollowed(
            "a captured function must not go on with an iterator that was there before; it reaches "
            f"a {type(value).__name__}",
            "pass what it gives as an argument",
        )


def state_of(value: Any) -> Callable[[], Any] | None:
    """How to ask a generator of random numbers of Python's or NumPy's for its state."""
    python, drawing = sys.modules.get("random"), sys.modules.get("numpy.random")
    if python is not None and isinstance(value, python.Random):
        return lambda: value.getstate()
    if drawing is not None and isinstance(value, drawing.RandomState):
        return lambda: pickle.dumps(value.get_state())
    if drawing is not None and isinstance(value, drawing.Generator):
        return lambda: pickle.dumps(value.bit_generator.state)
    return None


def is_source(value: Any) -> bool:
    """Whether what is found in a module of Python's or NumPy's may give another value each time."""
    if value is os.environ or value is os.getenv or is_clock(value):
        return True
    return state_of(getattr(value, "__self__", None)) is not None


def variables_of(cls: type) -> dict[str, Any]:
    """The dictionary of a class itself, of which `__dict__` is a view."""
    variables: dict[str, Any] = gc.get_referents(cls.__dict__)[0]
    return variables


def named_in(value: Any) -> Iterator[str]:
    """The attributes that a getter of the standard library asks for."""
    if isinstance(value, _GETTERS):
        for argument in value.__reduce__()[1]:
            if isinstance(argument, str):
                yield from argument.split(".")


def shows_all(cls: type) -> bool:
    """Whether objects of a class of the standard library are containers in all their attributes."""
    return cls.__module__ in _CONTAINERS


class Snapshot:
    """The contents of an array or a context variable, compared by value."""

    def __init__(self, value: Any) -> None:
        self.value = value

    @property
    def content(self) -> Any:
        """What is there now."""
        if isinstance(self.value, contextvars.ContextVar):
            return self.value.get(None)
        return f"{self.value.dtype.str} {self.value.shape} ".encode() + self.value.tobytes()

    @staticmethod
    def of(value: Any) -> Snapshot | None:
        """A snapshot of what needs one. Raises `Unfollowed` for large arrays."""
        if isinstance(value, contextvars.ContextVar):
            return Snapshot(value)
        if type(value).__module__ != "numpy" or not isinstance(value, numpy.ndarray):
            return None
        if value.nbytes > _MOST_BYTES:
            raise Unfollowed(
                f"a captured function must not reach NumPy arrays of more than {_MOST_BYTES:,} "
                f"bytes; it reaches one of shape {value.shape}",
                "make a tensor of it, or pass it as one",
            )
        return Snapshot(value)
