"""Sizes as nodes: what `shape_of(x)` gives, to make other shapes of.

Their values are Python's numbers while a session runs, so that they can be arguments of `reshape`
or `zeros`; an op that needs a tensor gets one.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from gleed import _C
from gleed.graph.node import Node, Operation, Type
from gleed.graph.shape import Shape

Values = tuple[int | None, ...]


class SizeNode(Node):
    """A size, or several; `values` has what is known of them."""

    __slots__ = ("scalar", "values")

    def __init__(self, op: Operation, values: Values, scalar: bool) -> None:
        shape = Shape(() if scalar else (len(values),))
        super().__init__(op, 0, Type(_C.int32, shape))
        self.values, self.scalar = values, scalar

    def form(self, sizes: Sequence[Any]) -> Any:
        """Sizes as this node has them: one number, or a tuple."""
        return sizes[0] if self.scalar else tuple(sizes)

    def __getitem__(self, index: Any) -> Any:
        if self.scalar or not isinstance(index, int | slice):
            return super().__getitem__(index)
        found = self.values[index]
        values = found if isinstance(found, tuple) else (found,)
        return sizes_of(operator.getitem, values, not isinstance(index, slice), self, index)

    def __add__(self, other: Any) -> Any:
        return self._combined("add", operator.add, self, other)

    def __sub__(self, other: Any) -> Any:
        return self._combined("sub", operator.sub, self, other)

    def __mul__(self, other: Any) -> Any:
        return self._combined("mul", operator.mul, self, other)

    def __floordiv__(self, other: Any) -> Any:
        return self._combined("floordiv", operator.floordiv, self, other)

    def __radd__(self, other: Any) -> Any:
        return self._combined("radd", operator.add, other, self)

    def __rsub__(self, other: Any) -> Any:
        return self._combined("rsub", operator.sub, other, self)

    def __rmul__(self, other: Any) -> Any:
        return self._combined("rmul", operator.mul, other, self)

    def _combined(self, name: str, function: Callable[..., Any], a: Any, b: Any) -> Any:
        """One size from two; with anything else, a tensor."""
        if not (_is_one(a) and _is_one(b)):
            return getattr(Node, f"__{name}__")(self, b if a is self else a)
        x, y = (n.values[0] if isinstance(n, SizeNode) else n for n in (a, b))
        known = None if x is None or y is None else function(x, y)
        return sizes_of(function, (known,), True, a, b)


def _is_one(size: Any) -> bool:
    if isinstance(size, SizeNode):
        return size.scalar
    return isinstance(size, int) and not isinstance(size, bool)


def sizes_of(function: Callable[..., Any], values: Values, scalar: bool, *args: Any) -> SizeNode:
    """The sizes that `function(*args)` will be, of which `values` are known."""
    graph = next(x for x in args if isinstance(x, Node)).graph
    op = graph.add(function.__name__, function, args)
    op.outputs = (SizeNode(op, values, scalar),)
    return op.outputs[0]


def shape_of(x: Node) -> SizeNode:
    """The sizes of `x` when a session runs, of which some may not be known yet.

    They are arguments of `reshape`, `zeros` and others, can be computed with, and are an int32
    tensor elsewhere. Raises ShapeError if the rank is unknown.

    >>> from gleed.graph import Graph, placeholder
    >>> with Graph().as_default():
    ...     x = placeholder("float32", [None, 4, 2])
    ...     x.reshape(shape_of(x)[0], 8).shape
    Shape([None, 8])
    """
    return sizes_of(shape, tuple(x.shape), False, x)


def shape(x: Any) -> tuple[int, ...]:
    """The sizes of a tensor."""
    return tuple(x.shape)


def as_tensor(sizes: Any) -> Any:
    """Sizes as a tensor."""
    return _C.tensor_from_data(sizes, _C.int32)


def packed(*sizes: int) -> tuple[int, ...]:
    """Several sizes as one value."""
    return sizes
