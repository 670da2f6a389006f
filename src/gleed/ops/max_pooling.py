"""Maxima over windows, with their places, and writing values back to such places."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from gleed import primitives as p
from gleed.compiler.dims import Size, product
from gleed.errors import DTypeError, RangeError, ShapeError
from gleed.ops.indexing import require_bounds
from gleed.ops.memory_formats import keeping_format
from gleed.ops.promotion import as_standins, convert, dtype_text, expand_to, shape_text
from gleed.ops.record import Ints, Tensor, op
from gleed.ops.windows import (
    FEW,
    Windows,
    adaptive_windows,
    keeping_sizes,
    known,
    read,
    sliding_windows,
    spatial,
    table,
)

FUNCTIONAL = "nn.functional"
BOTH = ("gleed", FUNCTIONAL)


# ---- the maximum
@keeping_format
def _pooled(
    name: str, x: Tensor, windows: Sequence[tuple[int, Windows]], return_indices: bool
) -> Any:
    """The maxima, and their places if wanted. If there may be a gradient, the places are found in
    any case: they tell where it goes."""
    if x.dtype == "bool":
        raise DTypeError(
            f"{name}: numbers are needed; got {dtype_text(x.dtype)}; convert with .float()"
        )
    if not return_indices and x.trace.tape is None:
        for axis, along in windows:
            taps = read(x, axis, along.nearest_places(x.trace))
            x = p.reduce_max(taps, axes=(x.ndim,))
        return x
    first = windows[0][0]
    flat = _flat(x, first)
    places = _places(x, flat, windows)
    values = at_places(flat, places)
    return (values, places) if return_indices else values


def _flat(x: Tensor, first: int) -> Tensor:
    """The axes from `first` on as one."""
    lead = x.shape[:first]
    return p.reshape(x, shape=(*lead, product(x.shape[first:])))


def at_places(flat: Tensor, places: Tensor) -> Tensor:
    """The elements at places counted along the last axis of `flat`."""
    lead = flat.ndim - 1
    return p.gather(flat, places, axes=(lead,), mapping=tuple(range(lead)), checked=False)


def _places(x: Tensor, flat: Tensor, windows: Sequence[tuple[int, Windows]]) -> Tensor:
    """Where the maximum of every window is, counted along the last axis of `flat`; of equal
    elements the first one wins. All axes of a window are walked as one."""
    taps = known(product(tuple(along.size for _, along in windows)))
    counts = tuple(along.count for _, along in windows)
    shape = (*x.shape[: -len(windows)], *counts, taps)
    tables = [(axis, _offsets(x, axis, along, windows, taps)) for axis, along in windows]
    candidates = [p.broadcast(part, shape=shape, axes=(axis, x.ndim)) for axis, part in tables]
    offsets = functools.reduce(p.add, candidates)
    tap = p.reduce_argmax(at_places(flat, offsets), axes=(x.ndim,))
    if isinstance(taps, int) and taps <= FEW:
        # Choosing among a few is cheaper than to look in the tables again, and leaves one sum for
        # the gradient to keep.
        here = p.broadcast(tap, shape=shape, axes=tuple(range(x.ndim))) == x.trace.iota(
            shape, x.ndim
        )
        return p.reduce_sum(p.where(here, offsets, p.fill(offsets, 0)), axes=(x.ndim,))
    chosen = [
        p.gather(part, x.trace.iota(tap.shape, axis), tap, axes=(0, 1), mapping=(), checked=False)
        for axis, part in tables
    ]
    return functools.reduce(p.add, chosen)


def _offsets(x: Tensor, axis: int, along: Windows, windows: Any, taps: Size) -> Tensor:
    """A table of how far the place on one axis leads in the flat tensor, for every tap."""
    inner = product(x.shape[axis + 1 :])
    behind = product(tuple(other.size for a, other in windows if a > axis))

    def offset(o: Tensor, tap: Tensor) -> Tensor:
        return along.nearest(o, (tap // behind) % along.size) * inner

    return table(x.trace, (along.count, taps), offset)


# ---- over sliding windows
@op(namespace=BOTH)
def max_pool1d(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = (0,),
    dilation: Ints = (1,),
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of every window along the last dim of (batch, channels, length) or (channels,
    length); see `max_pool2d`.

    >>> gleed.max_pool1d(gleed.tensor([[1.0, 3.0, 2.0, 5.0]]), 2)
    tensor([[3., 5.]])
    """
    windows = sliding_windows(
        "max_pool1d", input, 1, kernel_size, stride, padding, dilation, ceil_mode
    )
    return _pooled("max_pool1d", input, windows, return_indices)


@op(namespace=BOTH)
def max_pool2d(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = (0,),
    dilation: Ints = (1,),
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of every window of (batch, channels, height, width) or (channels, height, width).

    Windows have `kernel_size` elements, `dilation` apart, and begin every `stride` elements (None:
    every `kernel_size`). `padding`, at most half a window, never wins. With `ceil_mode` a last
    window that is not complete counts too. With `return_indices` also the places of the maxima,
    counted row by row over the last two dims; of equal elements it is the first. Sizes are one
    number, or one for each dim. The gradient of a maximum goes to its place.

    >>> F = gleed.nn.functional
    >>> F.max_pool2d(gleed.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 5.,  7.],
             [13., 15.]]])
    """
    windows = sliding_windows(
        "max_pool2d", input, 2, kernel_size, stride, padding, dilation, ceil_mode
    )
    return _pooled("max_pool2d", input, windows, return_indices)


@op(namespace=BOTH)
def max_pool3d(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = (0,),
    dilation: Ints = (1,),
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of every window of (batch, channels, depth, height, width) or (channels, depth,
    height, width); see `max_pool2d`.

    >>> gleed.max_pool3d(gleed.arange(8.0).reshape(1, 2, 2, 2), 2)
    tensor([[[[7.]]]])
    """
    windows = sliding_windows(
        "max_pool3d", input, 3, kernel_size, stride, padding, dilation, ceil_mode
    )
    return _pooled("max_pool3d", input, windows, return_indices)


@op()
def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = (0,),
    dilation: Ints = (1,),
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """`max_pool1d` with `return_indices`.

    >>> gleed.max_pool1d_with_indices(gleed.tensor([[1.0, 3.0, 2.0, 5.0]]), 2)[1]
    tensor([[1, 3]])
    """
    windows = sliding_windows(
        "max_pool1d_with_indices", input, 1, kernel_size, stride, padding, dilation, ceil_mode
    )
    return _pooled("max_pool1d_with_indices", input, windows, True)


# ---- over as many windows as asked for
@op(namespace=FUNCTIONAL)
def adaptive_max_pool1d(input: Tensor, output_size: Ints, return_indices: bool = False) -> Any:
    """`max_pool1d` with as many windows as `output_size` says; see `adaptive_avg_pool2d`.

    >>> F = gleed.nn.functional
    >>> F.adaptive_max_pool1d(gleed.tensor([[1.0, 3.0, 2.0, 5.0]]), 2)
    tensor([[3., 5.]])
    """
    windows = adaptive_windows("adaptive_max_pool1d", input, 1, output_size)
    return _pooled("adaptive_max_pool1d", input, windows, return_indices)


@op(namespace=FUNCTIONAL)
def adaptive_max_pool2d(input: Tensor, output_size: Ints, return_indices: bool = False) -> Any:
    """`max_pool2d` with as many windows as `output_size` says; see `adaptive_avg_pool2d`.

    >>> F = gleed.nn.functional
    >>> F.adaptive_max_pool2d(gleed.arange(16.0).reshape(1, 4, 4), (1, None))
    tensor([[[12., 13., 14., 15.]]])
    """
    windows = adaptive_windows("adaptive_max_pool2d", input, 2, output_size)
    return _pooled("adaptive_max_pool2d", input, windows, return_indices)


@op(namespace=FUNCTIONAL)
def adaptive_max_pool3d(input: Tensor, output_size: Ints, return_indices: bool = False) -> Any:
    """`max_pool3d` with as many windows as `output_size` says; see `adaptive_avg_pool2d`.

    >>> F = gleed.nn.functional
    >>> F.adaptive_max_pool3d(gleed.arange(8.0).reshape(1, 2, 2, 2), (1, 1, 2))
    tensor([[[[6., 7.]]]])
    """
    windows = adaptive_windows("adaptive_max_pool3d", input, 3, output_size)
    return _pooled("adaptive_max_pool3d", input, windows, return_indices)


for _n, _record in enumerate((adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d), 1):
    _record.otherwise(keeping_sizes(_record, _n))


# ---- over windows at random places
@op(name="_fractional_max_pool", namespace="", grad_name="FractionalMaxPoolBackward0")
def fractional_max_pool(
    input: Tensor, samples: Tensor, kernel_size: Ints, output_size: Ints
) -> tuple[Tensor, Tensor]:
    """The maxima of windows that begin where `samples` say, and their places."""
    n = len(kernel_size)
    name = f"fractional_max_pool{n}d"
    first = spatial(name, input, n)[0]
    lead = input.shape[:first] if first == 2 else (1, *input.shape[:first])
    x = p.reshape(input, shape=(*lead, *input.shape[first:]))
    for axis, k, count in zip(range(first, input.ndim), kernel_size, output_size, strict=True):
        if k < 1 or count < 1 or count + k - 1 > input.shape[axis]:
            raise RangeError(
                f"{name}: {shape_text((count,))} windows of {shape_text((k,))} must fit into dim "
                f"{axis}, each one place further on; got {shape_text(input.shape)}; take fewer or "
                "smaller ones"
            )
    flat = _flat(x, 2)
    places = _random_places(x, flat, samples, kernel_size, output_size)
    values = at_places(flat, places)
    shape = (*input.shape[:first], *values.shape[2:])
    return p.reshape(values, shape=shape), p.reshape(places, shape=shape)


def _random_places(
    x: Tensor, flat: Tensor, samples: Tensor, kernel_size: Any, output_size: Any
) -> Tensor:
    """Where the maximum of every window is, counted along the last axis of `flat`."""
    trace, n = x.trace, len(kernel_size)
    taps = known(product(tuple(kernel_size)))
    shape = (*x.shape[:2], *output_size)
    tap = trace.iota((taps,), 0)
    starts, offset = trace.full(shape, 0, "i64"), p.fill(tap, 0)
    for i, (k, count) in enumerate(zip(kernel_size, output_size, strict=True)):
        inner, behind = product(x.shape[3 + i :]), product(tuple(kernel_size[i + 1 :]))
        sample = p.slice(samples, axis=2, start=n - 1 - i if n == 2 else i, step=1, length=1)
        start = p.compact(_random_starts(sample, x.shape[2 + i], k, count)) * inner
        starts = starts + p.broadcast(start, shape=shape, axes=(0, 1, 2 + i))
        offset = offset + (tap // behind % k) * inner
    offset = p.compact(offset)
    full = (*shape, taps)
    whole = p.broadcast(starts, shape=full, axes=tuple(range(len(shape))))
    elements = at_places(flat, whole + p.broadcast(offset, shape=full, axes=(len(shape),)))
    best = p.reduce_argmax(elements, axes=(len(shape),))
    return starts + p.gather(offset, best, axes=(0,), mapping=(), checked=False)


def _random_starts(sample: Tensor, length: Size, size: Size, count: Size) -> Tensor:
    """[batch, channels, 1] as [batch, channels, count]: where windows begin; the last one ends with
    the axis. Steps are the two whole numbers around their mean, in an order that `sample` decides
    (Graham, "Fractional max-pooling", 2014)."""
    shape = (*sample.shape[:2], count)
    u = expand_to(sample, shape)
    i = sample.trace.iota(shape, 2)
    step = as_standins(u, length - size)[1] / as_standins(u, count - 1 if count > 1 else 1)[1]
    step = convert(step, u.dtype)
    ahead = convert(p.trunc((convert(i, u.dtype) + u) * step), "i64")
    start = ahead - convert(p.trunc(u * step), "i64")
    return p.where(i == count - 1, p.fill(i, 0) + (length - size), start).clamp(0, length - size)


# ---- the way back
def _unpooled(name: str, x: Tensor, indices: Tensor, n: int, size: Sequence[Any]) -> Tensor:
    """Zeros with the elements of `x` at `indices`."""
    axes = spatial(name, x, n)
    if indices.dtype != "i64":
        raise DTypeError(
            f"{name}: the indices must be int64; got {dtype_text(indices.dtype)}; take those that "
            "max_pool returns"
        )
    if indices.ndim != x.ndim or any(a != b for a, b in zip(indices.shape, x.shape, strict=True)):
        raise ShapeError(
            f"{name}: input and indices must have one shape; got {shape_text(x.shape)} and "
            f"{shape_text(indices.shape)}; take the indices that max_pool returned with the input"
        )
    lead = x.shape[: axes[0]]
    shape = (*lead, *size)
    flat = x.trace.full((*lead, product(tuple(size))), 0, x.dtype)
    rest = tuple(range(len(lead)))
    flat = p.scatter(flat, x, indices, axes=(len(lead),), mapping=rest, mode="set")
    return p.reshape(flat, shape=shape)


@op(name="_max_unpool1d", namespace="", grad_name="MaxUnpool1DBackward0")
def max_unpool1d(input: Tensor, indices: Tensor, output_size: Ints) -> Tensor:
    """Zeros of `output_size` with the elements of `input` at `indices`."""
    return _unpooled("max_unpool1d", input, indices, 1, output_size)


@op(name="_max_unpool2d", namespace="", grad_name="MaxUnpool2DBackward0")
def max_unpool2d(input: Tensor, indices: Tensor, output_size: Ints) -> Tensor:
    """Zeros of `output_size` with the elements of `input` at `indices`."""
    return _unpooled("max_unpool2d", input, indices, 2, output_size)


@op(name="_max_unpool3d", namespace="", grad_name="MaxUnpool3DBackward0")
def max_unpool3d(input: Tensor, indices: Tensor, output_size: Ints) -> Tensor:
    """Zeros of `output_size` with the elements of `input` at `indices`."""
    return _unpooled("max_unpool3d", input, indices, 3, output_size)


def _explain_unpool(n: int) -> Any:
    def explain(input: Any, indices: Any, output_size: Any) -> None:
        require_bounds(f"max_unpool{n}d", indices, math.prod(output_size), input.ndim - n)

    return explain


max_unpool1d.explain(_explain_unpool(1))
max_unpool2d.explain(_explain_unpool(2))
max_unpool3d.explain(_explain_unpool(3))


# ---- samples
@max_pool1d.samples
def _(make: Any) -> Any:
    yield make.call(make.distinct((2, 3, 7)), 2)
    yield make.call(make.distinct((3, 8)), 3, 2, 1, 2, True)


@max_pool2d.samples
def _(make: Any) -> Any:
    yield make.call(make.distinct((2, 3, 7, 5)), 3, 2, 1)
    yield make.call(make.distinct((2, 6, 7)), (4, 3), (1, 2), (2, 0), (1, 2), True, True)
    yield make.call(make.distinct((0, 2, 4, 4)), 2)


@max_pool3d.samples
def _(make: Any) -> Any:
    yield make.call(make.distinct((2, 1, 4, 5, 3)), 2, return_indices=True)
    yield make.call(make.distinct((1, 4, 3, 5)), (3, 2, 2), 1, 1, ceil_mode=True)


@max_pool1d_with_indices.samples
def _(make: Any) -> Any:
    yield make.call(make.distinct((2, 3, 7)), 3, 2, 1)


@adaptive_max_pool1d.samples
def _(make: Any) -> Any:
    yield make.call(make.distinct((2, 3, 7)), 3)


@adaptive_max_pool2d.samples
def _(make: Any) -> Any:
    yield make.call(make.distinct((2, 3, 7, 5)), (3, 2), True)
    yield make.call(make.distinct((2, 6, 4)), 2)


@adaptive_max_pool3d.samples
def _(make: Any) -> Any:
    yield make.call(make.distinct((1, 2, 4, 3, 5)), (2, 3, 1))
