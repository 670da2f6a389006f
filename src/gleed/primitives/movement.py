"""Primitives that move data without computing: views, copies of them, insertion, concatenation."""

from __future__ import annotations

from typing import Any

from gleed.compiler.dims import Size, maximum, product
from gleed.compiler.graph import Shape, Value
from gleed.primitives.core import (
    Batch,
    Primitive,
    Types,
    along,
    of_wholes,
    require,
    same_shape,
    shifted,
)

Axes = tuple[int, ...]


# ---- permute
def _permute_types(x: Value, axes: Axes) -> Types:
    require(sorted(axes) == list(range(len(x.shape))), "permute", f"axes {axes}", (x,))
    return [(x.dtype, tuple(x.shape[a] for a in axes))]


def inverse(axes: Axes) -> Axes:
    """The axes that undo a permutation."""
    return tuple(axes.index(a) for a in range(len(axes)))


permute: Primitive = Primitive(
    "permute",
    "permute",
    _permute_types,
    None,
    lambda g, y, x, axes: permute(g, axes=inverse(axes)),
    lambda primitive, batch, x, axes: primitive(x, axes=(0, *shifted(axes))),
    attributes={"arguments": lambda axes: axes},
)


# ---- reshape (a copy where strides demand one) and view (an error there)
def _reshape_types(x: Value, shape: Shape) -> Types:
    require(product(x.shape) == product(shape), "reshape", f"cannot become {shape}", (x,))
    return [(x.dtype, shape)]


def _reshape_rule(g: Any, y: Any, x: Any, shape: Shape) -> Any:
    return reshape(g, shape=x.shape)


def _reshape_batch(primitive: Primitive, batch: Batch, x: Any, shape: Shape) -> Any:
    """Never a view of what was one: a batch may lie in memory as no single example does."""
    return reshape(x, shape=(batch.size, *shape))


reshape: Primitive = Primitive(
    "reshape", "reshape", _reshape_types, None, _reshape_rule, _reshape_batch
)
view = Primitive("view", "movement", _reshape_types, None, _reshape_rule, _reshape_batch)
# The same values in row-major order: the operand itself where it is so already.
compact = Primitive(
    "compact", "reshape", lambda x: [(x.dtype, x.shape)], None, lambda g, y, x: g, of_wholes
)


# ---- views of a part: the gradient is inserted into zeros
def _insert_rule(movement: str) -> Any:
    def rule(g: Any, y: Any, x: Any, **attrs: Any) -> Any:
        zeros = x.trace.full(x.shape, 0, x.dtype)
        return insert(zeros, g, movement=movement, attrs=tuple(attrs.items()))

    return rule


def _slice_types(x: Value, axis: int, start: Size, step: int, length: Size) -> Types:
    require(0 <= axis < len(x.shape), "slice", f"axis {axis} must be in range", (x,))
    return [(x.dtype, (*x.shape[:axis], length, *x.shape[axis + 1 :]))]


slice = Primitive("slice", "movement", _slice_types, None, _insert_rule("slice"), along("axis"))


def flip(x: Any, axis: int) -> Any:
    """The view that runs backwards along an axis."""
    size = x.shape[axis]
    return slice(x, axis=axis, start=maximum(size - 1, 0), step=-1, length=size)


def _diagonal_types(x: Value, axis1: int, axis2: int, offset: Size, length: Size) -> Types:
    rest = tuple(n for a, n in enumerate(x.shape) if a not in (axis1, axis2))
    return [(x.dtype, (*rest, length))]


diagonal = Primitive(
    "diagonal",
    "movement",
    _diagonal_types,
    None,
    _insert_rule("diagonal"),
    along("axis1", "axis2"),
)


# ---- insert: `base` with the region that a movement names replaced by `x`
def _insert_types(base: Value, x: Value, movement: str, attrs: tuple[Any, ...]) -> Types:
    require(base.dtype == x.dtype, "insert", "one dtype", (base, x))
    return [(base.dtype, base.shape)]


def _insert_vjp(g: Any, y: Any, base: Any, x: Any, movement: str, attrs: tuple[Any, ...]) -> Any:
    zeros = g.trace.full(x.shape, 0, g.dtype)
    part = {"slice": slice, "diagonal": diagonal}[movement](g, **dict(attrs))
    return insert(g, zeros, movement=movement, attrs=attrs), part


def _insert_batch(
    primitive: Primitive, batch: Batch, *inputs: Any, movement: str, attrs: tuple[Any, ...]
) -> Any:
    moved = tuple((name, x + 1 if name.startswith("axis") else x) for name, x in attrs)
    return primitive(*batch.whole(inputs), movement=movement, attrs=moved)


insert = Primitive("insert", "insert", _insert_types, None, _insert_vjp, _insert_batch)


# ---- concatenation
def _concat_types(*values: Value, axis: int) -> Types:
    first = values[0]
    for value in values[1:]:
        rest = [a for a in range(len(first.shape)) if a != axis]
        fits = value.dtype == first.dtype and len(value.shape) == len(first.shape)
        fits = fits and same_shape(
            tuple(first.shape[a] for a in rest), tuple(value.shape[a] for a in rest)
        )
        require(fits, "concat", f"shapes must agree but for axis {axis}", values)
    total = first.shape[axis]
    for value in values[1:]:
        total = total + value.shape[axis]
    return [(first.dtype, (*first.shape[:axis], total, *first.shape[axis + 1 :]))]


def _concat_rule(g: Any, y: Any, *inputs: Any, axis: int) -> tuple[Any, ...]:
    parts, start = [], 0
    for x in inputs:
        parts.append(slice(g, axis=axis, start=start, step=1, length=x.shape[axis]))
        start = start + x.shape[axis]
    return tuple(parts)


concat = Primitive("concat", "concat", _concat_types, None, _concat_rule, along("axis"))
