"""Broadcasting and reductions over axes, which are each other's gradient; prefixes along one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gleed.compiler.graph import Shape, Value
from gleed.primitives.core import Batch, Primitive, Types, along, require, shifted
from gleed.primitives.indexing import scatter
from gleed.primitives.movement import flip, reshape
from gleed.primitives.pointwise import bitwise_and, bitwise_or, cast, eq, fill, ne, where

Axes = tuple[int, ...]


# ---- broadcast: axis k of the operand becomes axis axes[k] of `shape`, repeated if its size is 1
def _broadcast_types(x: Value, shape: Shape, axes: Axes) -> Types:
    fits = len(axes) == len(x.shape) and list(axes) == sorted(set(axes))
    fits = fits and all(n == shape[a] or n == 1 for n, a in zip(x.shape, axes, strict=True))
    require(fits, "broadcast", f"does not fit axes {axes} of {shape}", (x,))
    return [(x.dtype, shape)]


def _broadcast_rule(g: Any, y: Any, x: Any, shape: Shape, axes: Axes) -> Any:
    stretched = [a for n, a in zip(x.shape, axes, strict=True) if n == 1 and shape[a] != 1]
    added = [a for a in range(len(shape)) if a not in axes]
    total = reduce_sum(g, axes=tuple(sorted(stretched + added))) if stretched or added else g
    return reshape(total, shape=x.shape) if stretched else total


def _broadcast_batch(primitive: Primitive, batch: Batch, x: Any, shape: Shape, axes: Axes) -> Any:
    return primitive(x, shape=(batch.size, *shape), axes=(0, *shifted(axes)))


broadcast = Primitive(
    "broadcast", "broadcast", _broadcast_types, None, _broadcast_rule, _broadcast_batch
)


# ---- reductions: the axes disappear
def kept(ndim: int, axes: Axes) -> Axes:
    """The axes that a reduction over `axes` keeps."""
    return tuple(axis for axis in range(ndim) if axis not in axes)


def spread(reduced: Any, like: Any, axes: Axes) -> Any:
    """The inverse shape change of a reduction: repeat `reduced` along `axes` of `like`."""
    return broadcast(reduced, shape=like.shape, axes=kept(like.ndim, axes))


def _reduction(name: str, vjp: Callable[..., Any] | None, result: str | None = None) -> Primitive:
    op = name.removeprefix("reduce_")

    def types(x: Value, axes: Axes) -> Types:
        ordered = list(axes) == sorted(set(axes)) and all(0 <= a < len(x.shape) for a in axes)
        require(ordered, name, f"axes must be distinct, in order and in range; axes {axes}", (x,))
        return [(result or x.dtype, tuple(x.shape[a] for a in kept(len(x.shape), axes)))]

    def batch(primitive: Primitive, batch: Batch, x: Any, axes: Axes) -> Any:
        return primitive(x, axes=shifted(axes))

    return Primitive(name, "reduce", types, None, vjp, batch, attributes={"op": op})


def _extreme_rule(g: Any, y: Any, x: Any, axes: Axes) -> Any:
    """Ties share the gradient."""
    ties = cast(eq(x, spread(y, x, axes)), dtype=x.dtype)
    return spread(g / reduce_sum(ties, axes=axes), x, axes) * ties


def _product_rule(g: Any, y: Any, x: Any, axes: Axes) -> Any:
    """g * y / x where no factor is zero; where one is, only that factor has a gradient."""
    zero = eq(x, fill(x, 0))
    safe = where(zero, fill(x, 1), x)
    others = reduce_prod(safe, axes=axes)
    zeros = reduce_sum(cast(zero, dtype=x.dtype), axes=axes)
    alone = where(eq(zeros, fill(zeros, 1)), others, fill(others, 0))
    whole = where(eq(zeros, fill(zeros, 0)), others, fill(others, 0))
    return spread(g, x, axes) * where(zero, spread(alone, x, axes), spread(whole, x, axes) / safe)


reduce_sum = _reduction("reduce_sum", lambda g, y, x, axes: spread(g, x, axes))
reduce_prod = _reduction("reduce_prod", _product_rule)
reduce_max = _reduction("reduce_max", _extreme_rule)
reduce_min = _reduction("reduce_min", _extreme_rule)
reduce_any = _reduction("reduce_any", lambda g, y, x, axes: None)
reduce_all = _reduction("reduce_all", lambda g, y, x, axes: None)
# The linear index over the reduced axes, in row-major order; the first one among equals.
reduce_argmax = _reduction("reduce_argmax", lambda g, y, x, axes: None, "i64")
reduce_argmin = _reduction("reduce_argmin", lambda g, y, x, axes: None, "i64")


def _scan(name: str, vjp: Callable[..., Any] | None) -> Primitive:
    def types(x: Value, axis: int) -> Types:
        require(0 <= axis < len(x.shape), name, f"axis {axis} must be in range", (x,))
        return [(x.dtype, x.shape)]

    op = name.removeprefix("scan_")
    return Primitive(name, "scan", types, None, vjp, along("axis"), attributes={"op": op})


def _suffix_sum(x: Any, axis: int) -> Any:
    return flip(scan_sum(flip(x, axis), axis=axis), axis)


def _prefix_product_rule(g: Any, y: Any, x: Any, axis: int) -> Any:
    """The sum of g * y from here on, over x; the first zero takes its own product out instead, and
    what comes after it has no gradient."""
    zero = eq(x, fill(x, 0))
    zeros = scan_sum(cast(zero, dtype="i64"), axis=axis)
    first = bitwise_and(zero, eq(zeros, fill(zeros, 1)))
    without = scan_prod(where(first, fill(x, 1), x), axis=axis)
    at_first = _suffix_sum(g * without, axis)
    plain = _suffix_sum(g * y, axis) / where(zero, fill(x, 1), x)
    return where(zero, where(first, at_first, fill(x, 0)), plain)


def last_reached(y: Any, x: Any, axis: int) -> Any:
    """Where the extremes `y` of the first elements of `x` were seen last; NaN is one at once."""
    place = x.trace.iota(x.shape, axis)
    reached = bitwise_or(eq(x, y), ne(x, x))
    return scan_max(where(reached, place, fill(place, 0)), axis=axis)


def _extreme_so_far_rule(g: Any, y: Any, x: Any, axis: int) -> Any:
    zeros = x.trace.full(x.shape, 0, x.dtype)
    others = tuple(a for a in range(x.ndim) if a != axis)
    places = last_reached(y, x, axis)
    return scatter(zeros, g, places, axes=(axis,), mapping=others, mode="add")


scan_sum = _scan("scan_sum", lambda g, y, x, axis: _suffix_sum(g, axis))
scan_prod = _scan("scan_prod", _prefix_product_rule)
scan_max = _scan("scan_max", _extreme_so_far_rule)
scan_min = _scan("scan_min", _extreme_so_far_rule)
