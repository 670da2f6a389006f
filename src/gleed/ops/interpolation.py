"""Resizing: every output along an axis is a weighted sum of a few neighbours.

Positions are continuous: an output lies at `ratio` times its own, and weights fall with the
distance. As in `windows`, tables say which places an output reads and with which weights; the
gradient of a place sums over the outputs near it, with the weights that these give it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gleed import primitives as p
from gleed.compiler.dims import Size, maximum
from gleed.compiler.kernel import is_float
from gleed.errors import DTypeError, ShapeError
from gleed.ops.memory_formats import laid_out_as
from gleed.ops.promotion import as_standins, convert, dtype_text, expand_to, shape_text
from gleed.ops.record import Ints, Number, Tensor, op
from gleed.ops.windows import known, read, sum_along, table, where_inside, widened

REACH = {"linear": 1, "cubic": 2}  # how far a neighbour has weight
Tables = Callable[[], tuple[Tensor, Tensor]]


# ---- how far which neighbour counts
def linear_weight(distance: Tensor) -> Tensor:
    """1 - |d|, not below zero."""
    return (1 - distance.abs()).clamp(0, None)


def cubic_weight(distance: Tensor, a: float = -0.75) -> Tensor:
    """Cubic convolution (Keys, 1981) with parameter `a`."""
    d = distance.abs()
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    zero = p.fill(d, 0)
    return p.where(d <= 1, near, p.where(d < 2, far, zero))


def smooth_cubic_weight(distance: Tensor) -> Tensor:
    """Cubic convolution as it is used to make images smaller."""
    return cubic_weight(distance, -0.5)


WEIGHTS = {"linear": linear_weight, "cubic": cubic_weight}
SMOOTH_WEIGHTS = {"linear": linear_weight, "cubic": smooth_cubic_weight}


@dataclass(frozen=True)
class Resampling:
    """How `count` outputs are made of `length` places along an axis. `ratio`: the distance of
    outputs, a 0-d stand-in of the dtype in which weights are computed."""

    length: Size
    count: Size
    ratio: Tensor
    kind: str
    align_corners: bool

    def position(self, o: Tensor) -> Tensor:
        """Where output `o` lies."""
        o, ratio = convert(o, self.ratio.dtype), expand_to(self.ratio, o.shape)
        if self.align_corners:
            return o * ratio
        position = (o + 0.5) * ratio - 0.5
        return position.clamp(0, None) if self.kind == "linear" else position

    @property
    def taps(self) -> Size:
        """How many places an output reads."""
        return 2 * REACH[self.kind]

    @property
    def outputs(self) -> Size:
        """How many outputs, at most, read a place."""
        if self.align_corners:
            per_place = 2 * REACH[self.kind] * (self.count - 1) // maximum(self.length - 1, 1)
            return self.count if self.length == 1 else per_place + 3
        return 2 * REACH[self.kind] * (self.count + 1) // self.length + 3

    def read(self, o: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Place `t` that output `o` reads, and its weight."""
        position = self.position(o)
        base = p.floor(position)
        offset = convert(t, base.dtype) - (REACH[self.kind] - 1)
        place = convert(base + offset, "i64").clamp(0, self.length - 1)
        return place, WEIGHTS[self.kind]((position - base) - offset)

    def first_output(self, i: Tensor) -> Tensor:
        """An output before the first that reads place `i`, but not long before."""
        ratio = expand_to(self.ratio, i.shape)
        ratio = p.where(ratio > 0, ratio, p.fill(ratio, 1))
        shift = 0.0 if self.align_corners else 0.5
        edge = convert(i, ratio.dtype) - REACH[self.kind]
        return convert(p.floor((edge + shift) / ratio - shift), "i64")

    def places(self) -> tuple[Tensor, Tensor]:
        """The places that outputs read, and their weights."""
        trace, shape = self.ratio.trace, (self.count, self.taps)
        return (
            table(trace, shape, lambda o, t: self.read(o, t)[0]),
            table(trace, shape, lambda o, t: self.read(o, t)[1]),
        )

    def readers(self) -> tuple[Tensor, Tensor]:
        """The outputs that may read every place, and the weights that they give it."""
        trace, shape = self.ratio.trace, (self.length, known(self.outputs))

        def output(i: Tensor, j: Tensor) -> Tensor:
            return (self.first_output(i) + j).clamp(0, self.count - 1)

        def weight(i: Tensor, j: Tensor) -> Tensor:
            o = self.first_output(i) + j
            counts = (o >= 0) & (o < self.count)
            full = (*o.shape, self.taps)
            each = [p.broadcast(x, shape=full, axes=(0, 1)) for x in (o, i, counts)]
            place, share = self.read(each[0], trace.iota(full, 2))
            share = p.where((place == each[1]) & each[2], share, p.fill(share, 0))
            return p.reduce_sum(share, axes=(2,))

        return table(trace, shape, output), table(trace, shape, weight)


@dataclass(frozen=True)
class SmoothResampling(Resampling):
    """The same, over as many places as lie between two outputs where these are further apart."""

    @property
    def scale(self) -> Tensor:
        """How much wider than a place the weights are spread."""
        return self.ratio.clamp(1, None)

    @property
    def taps(self) -> Size:
        """See `Resampling.taps`."""
        return 2 * REACH[self.kind] * (maximum(self.length // self.count, 1) + 1) + 2

    @property
    def outputs(self) -> Size:
        """See `Resampling.outputs`."""
        return 2 * REACH[self.kind] * ((self.count + 1) // self.length + 2) + 3

    def read(self, o: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """See `Resampling.read`."""
        place, weight = self._weighted(o, t)
        full = (*o.shape, self.taps)
        every = tuple(range(o.ndim))
        others = self._weighted(p.broadcast(o, shape=full, axes=every), o.trace.iota(full, o.ndim))[
            1
        ]
        return place, weight / p.reduce_sum(others, axes=(o.ndim,))

    def _weighted(self, o: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """A place, and its weight before all of an output are divided by their sum."""
        ratio, scale = (expand_to(x, o.shape) for x in (self.ratio, self.scale))
        centre = (convert(o, ratio.dtype) + 0.5) * ratio
        reach = scale * REACH[self.kind]
        first = convert(p.trunc((centre - reach + 0.5).clamp(0, None)), "i64")
        place = first + t
        end = convert(p.trunc(centre + reach + 0.5), "i64").minimum(p.fill(place, 0) + self.length)
        weight = SMOOTH_WEIGHTS[self.kind]((convert(place, ratio.dtype) - centre + 0.5) / scale)
        weight = p.where(place < end, weight, p.fill(weight, 0))
        return place.clamp(0, self.length - 1), weight

    def first_output(self, i: Tensor) -> Tensor:
        """See `Resampling.first_output`."""
        ratio, scale = (expand_to(x, i.shape) for x in (self.ratio, self.scale))
        ratio = p.where(ratio > 0, ratio, p.fill(ratio, 1))
        edge = convert(i, ratio.dtype) - scale * REACH[self.kind]
        return convert(p.floor((edge - 0.5) / ratio - 1), "i64")


def weighted_along(x: Tensor, axis: int, forward: Tables, backward: Tables) -> Tensor:
    """The weighted sum of the places that every output reads along an axis; the gradient is the
    same with the tables of the other direction."""

    def body(x: Tensor) -> Tensor:
        places, weights = forward()
        found = read(x, axis, places)
        weights = p.broadcast(convert(weights, x.dtype), shape=found.shape, axes=(axis, x.ndim))
        return p.reduce_sum(found * weights, axes=(x.ndim,))

    def rule(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
        return weighted_along(g, axis, backward, forward)

    result: Tensor = x.trace.with_rule("resample", rule, body, [x])
    return result


# ---- the nearest place
def _nearest_along(x: Tensor, axis: int, count: Size, ratio: Tensor, exact: bool) -> Tensor:
    """The place nearest to every output along an axis. The outputs of place i are those from
    i / ratio on, before those of i + 1."""
    length = x.shape[axis]
    shift = 0.5 if exact else 0.0

    def place(o: Tensor, t: Tensor) -> Tensor:
        at = (convert(o, ratio.dtype) + shift) * expand_to(ratio, o.shape)
        return convert(p.floor(at), "i64").clamp(0, length - 1)

    def output(i: Tensor, j: Tensor) -> Tensor:
        start = convert(i, ratio.dtype) / expand_to(ratio, i.shape) - shift
        first = convert(p.floor(start), "i64") - 1
        for o in (first, first + 1, first + 2):  # rounding may have led beside it
            first = first + convert((o < 0) | (place(o, j) < i), "i64")
        o = first + j
        return where_inside(o, (o < count) & (place(o, j) == i))

    many = known((count + length) // length)
    return sum_along(
        x,
        axis,
        lambda trace: table(trace, (count, 1), place),
        lambda trace: table(trace, (length, many), output),
    )


# ---- the op
@op(name="_interpolate", namespace="", grad_name=lambda x, size, mode, *rest: _title(x, mode))
def interpolate(
    input: Tensor,
    size: Ints,
    mode: str,
    align_corners: bool,
    antialias: bool,
    scale0: Number | None,
    scale1: Number | None,
    scale2: Number | None,
) -> Tensor:
    """See `gleed.nn.functional.interpolate`; the scales are those that positions are computed
    with, where not from the sizes."""
    n = len(size)
    if any(m < 1 for m in (*input.shape[2:], *size)):
        raise ShapeError(
            f"interpolate: sizes of input and result must be positive; got "
            f"{shape_text(input.shape[2:])} to {shape_text(size)}; only the batch may be empty"
        )
    nearest = mode.startswith("nearest")
    if not nearest and not is_float(input.dtype):
        raise DTypeError(
            f"interpolate: in mode {mode!r} a floating-point tensor is needed; got "
            f"{dtype_text(input.dtype)}; convert it with .float()"
        )
    x = input if nearest else widened(input)
    axes = list(zip(range(2, n + 2), size, (scale0, scale1, scale2), strict=False))
    grows = any(input.shape[axis] < count for axis, count, _ in axes)
    # Along the last dim places lie side by side, which costs most: go there where there is least.
    for axis, count, scale in reversed(axes) if grows else axes:
        ratio = _ratio(x, axis, count, scale, align_corners, "f32" if nearest else x.dtype)
        if nearest:
            x = _nearest_along(x, axis, count, ratio, mode == "nearest-exact")
            continue
        kind = "cubic" if mode == "bicubic" else "linear"
        make = SmoothResampling if antialias else Resampling
        along = make(x.shape[axis], count, ratio, kind, align_corners)
        x = weighted_along(x, axis, along.places, along.readers)
    return laid_out_as(input, convert(x, input.dtype))


def _title(x: Tensor, mode: str) -> str:
    """What PyTorch calls the gradient."""
    words = {"nearest": "Nearest", "nearest-exact": "NearestExact", "bicubic": "Bicubic"}
    return f"Upsample{words.get(mode, mode.capitalize())}{x.ndim - 2}DBackward0"


def _ratio(
    x: Tensor, axis: int, count: Size, scale: Any, align_corners: bool, dtype: str
) -> Tensor:
    """How far two outputs are apart."""
    length = x.shape[axis]
    if align_corners:
        if count == 1:
            return x.trace.const(0.0, dtype)
        length, count = length - 1, count - 1
    elif scale is not None:
        return convert(1.0 / as_standins(x, scale)[1], dtype)
    sizes = (convert(s, dtype) for s in as_standins(x, length, count)[1:])
    above, below = sizes
    return above / below
