"""Primitives that read and write at computed places."""

from __future__ import annotations

from typing import Any

from gleed.compiler.dims import maximum, minimum, product
from gleed.compiler.graph import Shape, Value
from gleed.primitives.core import (
    Batch,
    IRError,
    Primitive,
    Types,
    along,
    of_wholes,
    require,
    same_shape,
    shifted,
)
from gleed.primitives.movement import permute, reshape
from gleed.primitives.pointwise import cast, eq, fill, where

Axes = tuple[int, ...]

# The position along one axis of `shape`, as i64.
iota = Primitive(
    "iota",
    "iota",
    lambda shape, axis: [("i64", shape)],
    None,
    lambda g, y, **_: (),
    of_wholes,  # without operands it is the same for all examples
)


# ---- gather: result[p] = x[indices at p along `axes`, p[mapping] along the other axes]
# Indices out of range are an error, looked for unless the body vouches for them (`checked`); with
# `wrap`, negative ones count from the end.
def _gather_types(
    x: Value,
    *indices: Value,
    axes: Axes,
    mapping: Axes,
    wrap: bool = False,
    checked: bool = True,
) -> Types:
    shape = indices[0].shape
    fits = len(axes) == len(indices) and len(axes) + len(mapping) == len(x.shape)
    fits = fits and all(v.dtype == "i64" and same_shape(v.shape, shape) for v in indices)
    require(fits, "gather", f"axes {axes} and mapping {mapping} must cover x", (x, *indices))
    return [(x.dtype, shape)]


def _gather_rule(g: Any, y: Any, x: Any, *indices: Any, **places: Any) -> Any:
    zeros = x.trace.full(x.shape, 0, x.dtype)
    into = scatter(zeros, g, *indices, mode="add", **places)
    return (into, *(None for _ in indices))


def _gather_batch(
    primitive: Primitive,
    batch: Batch,
    x: Any,
    *indices: Any,
    axes: Axes,
    mapping: Axes,
    **checks: Any,
) -> Any:
    if batch.mapped[0]:
        axes, mapping = shifted(axes), (0, *shifted(mapping))
    else:
        mapping = shifted(mapping)  # of one table
    places = batch.of(*range(1, 1 + len(indices))).whole(indices)
    return primitive(x, *places, axes=axes, mapping=mapping, **checks)


gather = Primitive("gather", "gather", _gather_types, None, _gather_rule, _gather_batch)


# ---- scatter: `base` with updates[p] set at, or added to, the place that gather would read at p;
# in the order of p, so the last of several writes to one place stays
def _scatter_types(
    base: Value,
    updates: Value,
    *indices: Value,
    axes: Axes,
    mapping: Axes,
    mode: str,
    wrap: bool = False,
    checked: bool = True,
) -> Types:
    fits = base.dtype == updates.dtype and mode in ("set", "add", "mul", "max", "min")
    fits = fits and all(v.dtype == "i64" and same_shape(v.shape, updates.shape) for v in indices)
    require(fits, "scatter", f"axes {axes}, mode {mode}", (base, updates, *indices))
    return [(base.dtype, base.shape)]


def _scatter_rule(
    g: Any, y: Any, base: Any, updates: Any, *indices: Any, mode: str, **places: Any
) -> Any:
    none = (None for _ in indices)
    if mode == "add":
        return (g, gather(g, *indices, **places), *none)
    if mode == "set":
        kept = scatter(g, g.trace.full(updates.shape, 0, g.dtype), *indices, **places, mode="set")
        return (kept, gather(g, *indices, **places), *none)
    rule = _product_rule if mode == "mul" else _extreme_rule
    return (*rule(g, y, base, updates, indices, places), *none)


def _extreme_rule(g: Any, y: Any, base: Any, updates: Any, indices: Any, places: Any) -> Any:
    """All that reach the extreme share the gradient."""
    base_hits = cast(eq(base, y), dtype=g.dtype)
    hits = cast(eq(updates, gather(y, *indices, **places)), dtype=g.dtype)
    share = g / scatter(base_hits, hits, *indices, **places, mode="add")
    return share * base_hits, gather(share, *indices, **places) * hits


def _product_rule(g: Any, y: Any, base: Any, updates: Any, indices: Any, places: Any) -> Any:
    """The product of all other factors: over the factor itself, unless that is zero."""

    def total(start: Any, parts: Any, mode: str) -> Any:
        return scatter(start, parts, *indices, **places, mode=mode)

    zero = eq(updates, fill(updates, 0))
    safe = where(zero, fill(updates, 1), updates)
    others = gather(g * total(base, safe, "mul"), *indices, **places)
    zeros = total(fill(base, 0), cast(zero, dtype=g.dtype), "add")
    zeros = gather(zeros, *indices, **places)
    alone = where(eq(zeros, fill(zeros, 1)), others, fill(others, 0))
    whole = where(eq(zeros, fill(zeros, 0)), others / safe, fill(others, 0))
    return g * total(fill(base, 1), updates, "mul"), where(zero, alone, whole)


def _scatter_batch(
    primitive: Primitive, batch: Batch, *inputs: Any, axes: Axes, mapping: Axes, **attrs: Any
) -> Any:
    places = {"axes": shifted(axes), "mapping": (0, *shifted(mapping))}
    return primitive(*batch.whole(inputs), **places, **attrs)


scatter = Primitive("scatter", "scatter", _scatter_types, None, _scatter_rule, _scatter_batch)


# ---- as_strided: any view of the memory behind x, whose strides and offset `own` has; places may
# repeat. The offset counts from the start of the storage, None is where x starts.
def _places(trace: Any, shape: Shape, strides: Shape, offset: Any) -> tuple[Any, Any, Any]:
    """Where in memory each element lies; the least and the greatest of these places."""
    place, low, high = trace.full(shape, 0, "i64") + offset, offset, offset
    for axis, (size, stride) in enumerate(zip(shape, strides, strict=True)):
        place = place + trace.iota(shape, axis) * stride
        reach = (size - 1) * stride
        low, high = low + minimum(reach, 0), high + maximum(reach, 0)
    return place, low, high


def _as_strided_rule(
    g: Any, y: Any, x: Any, shape: Shape, strides: Shape, offset: Any, own: Shape
) -> Any:
    """What lies on memory of x, shared evenly by the elements of x that lie there."""
    trace, (*own_strides, start) = x.trace, own
    if product(shape) == 0 or x.numel() == 0:
        return trace.full(x.shape, 0, x.dtype)
    seen, low, high = _places(trace, shape, strides, start if offset is None else offset)
    held, own_low, own_high = _places(trace, x.shape, tuple(own_strides), start)
    low, high = minimum(low, own_low), maximum(high, own_high)
    memory = trace.full((high - low + 1,), 0, x.dtype)

    def gathered(values: Any, places: Any) -> Any:
        total = scatter(memory, values, places - low, axes=(0,), mapping=(), mode="add")
        return gather(total, held - low, axes=(0,), mapping=())

    return gathered(g, seen) / gathered(trace.full(x.shape, 1, x.dtype), held)


def _as_strided_batch(
    primitive: Primitive, batch: Batch, x: Any, shape: Shape, strides: Shape, offset: Any, own: Any
) -> Any:
    """A copy of what lies in the memory of each example, which is x alone."""
    *own_strides, start = own
    sizes, trace = x.shape[1:], x.trace
    order = sorted(range(len(sizes)), key=lambda a: (-own_strides[a], sizes[a] == 1))
    dense = all(
        sizes[a] == 1 or own_strides[a] == product(tuple(sizes[b] for b in order[i + 1 :]))
        for i, a in enumerate(order)
    )
    first = start if offset is None else offset
    place, low, high = _places(trace, shape, strides, first - start)
    if not dense or low < 0 or high >= product(sizes):
        raise IRError("as_strided: an example under vmap has no memory beside its own elements")
    memory = reshape(permute(x, axes=(0, *shifted(order))), shape=(batch.size, product(sizes)))
    return gather(memory, batch.repeated(place), axes=(1,), mapping=(0,), checked=False)


as_strided = Primitive(
    "as_strided",
    "movement",
    lambda x, shape, strides, offset, own: [(x.dtype, shape)],
    None,
    _as_strided_rule,
    _as_strided_batch,
)


# ---- window: all stretches of `size` along an axis, `step` apart; a new last axis runs within one
def _window_types(x: Value, axis: int, size: Any, step: Any, count: Any) -> Types:
    return [(x.dtype, (*x.shape[:axis], count, *x.shape[axis + 1 :], size))]


def _window_rule(g: Any, y: Any, x: Any, axis: int, size: Any, step: Any, count: Any) -> Any:
    trace, last = x.trace, g.ndim - 1
    place = trace.iota(g.shape, axis) * step + trace.iota(g.shape, last)
    mapping = tuple(a for a in range(x.ndim) if a != axis)
    zeros = trace.full(x.shape, 0, x.dtype)
    return scatter(zeros, g, place, axes=(axis,), mapping=mapping, mode="add")


window = Primitive("window", "movement", _window_types, None, _window_rule, along("axis"))
