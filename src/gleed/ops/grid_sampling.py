"""Images read at computed positions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import reduce
from typing import Any

from gleed import primitives as p
from gleed.compiler.dims import Size
from gleed.compiler.kernel import is_float
from gleed.errors import DTypeError, RangeError, ShapeError
from gleed.ops.interpolation import cubic_weight, linear_weight
from gleed.ops.promotion import as_standins, convert, dtype_text, shape_text
from gleed.ops.record import Ints, Tensor, op
from gleed.ops.windows import widened

FUNCTIONAL = "nn.functional"
# Per mode the neighbours of the place below a position, and their weights by distance.
NEIGHBOURS = {
    "bilinear": ((0, 1), linear_weight),
    "nearest": ((0,), None),
    "bicubic": ((-1, 0, 1, 2), cubic_weight),
}
PADDINGS = ("zeros", "border", "reflection")


# ---- reading
@op(namespace=FUNCTIONAL, grad_name=lambda input, *rest: f"GridSampler{input.ndim - 2}DBackward0")
def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """(N, C, H, W) read at the positions (x, y) of `grid` (N, H', W', 2), or (N, C, D, H, W) at the
    (x, y, z) of (N, D', H', W', 3): (N, C, H', W') or (N, C, D', H', W').

    -1 and 1 are the edges of the image, or with `align_corners` the centres of its outermost
    elements. `mode`: "bilinear", "nearest", "bicubic" (two dims only); `padding_mode`, for what
    lies outside: "zeros", "border" (the edge), "reflection". (Jaderberg et al., 2015.)

    >>> F = gleed.nn.functional
    >>> x = gleed.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> F.grid_sample(x, gleed.tensor([[[[0.0, 0.0], [-0.5, -0.5]]]]), align_corners=False)
    tensor([[[[2.5000, 1.0000]]]])
    """
    _check(input, grid, mode, padding_mode)
    x, positions = widened(input), widened(grid)
    n = x.ndim - 2
    axes = tuple(range(2, n + 2))
    per_axis = []
    for i, axis in enumerate(axes):  # the grid has x first, the image its rows
        coordinate = p.slice(positions, axis=n + 1, start=n - 1 - i, step=1, length=1)
        coordinate = p.reshape(coordinate, shape=grid.shape[:-1])
        at = _position(coordinate, x.shape[axis], bool(align_corners))
        per_axis.append(_taps(at, x.shape[axis], mode, padding_mode, bool(align_corners)))
    shape = (*x.shape[:2], *grid.shape[1:-1])
    spread = (0, *range(2, n + 2))
    terms = []
    for taps in itertools.product(*per_axis):
        places = [p.broadcast(place, shape=shape, axes=spread) for place, _ in taps]
        inside = [place >= 0 for place in places]
        found = p.gather(
            x,
            *(place.clamp(0, None) for place in places),
            axes=axes,
            mapping=(0, 1),
            checked=False,
        )
        found = p.where(reduce(p.bitwise_and, inside), found, p.fill(found, 0))
        for _, weight in taps:
            if weight is not None:
                found = found * p.broadcast(weight, shape=shape, axes=spread)
        terms.append(found)
    return convert(reduce(p.add, terms), input.dtype)


def _check(x: Tensor, grid: Tensor, mode: str, padding_mode: str) -> None:
    n = x.ndim - 2
    if mode not in NEIGHBOURS or (mode == "bicubic" and n != 2):
        raise RangeError(
            f'grid_sample: mode must be "bilinear", "nearest", or for two dims "bicubic"; got '
            f"{mode!r} for {n} dims; choose another"
        )
    if padding_mode not in PADDINGS:
        raise RangeError(
            f'grid_sample: padding_mode must be "zeros", "border" or "reflection"; got '
            f"{padding_mode!r}; correct the name"
        )
    fits = n in (2, 3) and grid.ndim == x.ndim
    fits = fits and grid.shape[0] == x.shape[0] and grid.shape[-1] == n
    if not fits:
        raise ShapeError(
            f"grid_sample: the input must be (N, C, H, W) and the grid (N, H', W', 2), or with one "
            f"more dim (N, C, D, H, W) and (N, D', H', W', 3); got {shape_text(x.shape)} and "
            f"{shape_text(grid.shape)}; reshape them"
        )
    if any(m < 1 for m in x.shape[2:]):
        raise ShapeError(
            f"grid_sample: the image must not be empty; got {shape_text(x.shape)}; check the size "
            "first"
        )
    if not is_float(x.dtype) or grid.dtype != x.dtype:
        raise DTypeError(
            f"grid_sample: input and grid must have one floating-point dtype; got "
            f"{dtype_text(x.dtype)} and {dtype_text(grid.dtype)}; convert them with .float()"
        )


def _position(coordinate: Tensor, size: Size, align_corners: bool) -> Tensor:
    """-1 … 1 as places of the image."""
    if align_corners:
        return (coordinate + 1) * 0.5 * (size - 1)
    return ((coordinate + 1) * size - 1) * 0.5


def _taps(
    at: Tensor, size: Size, mode: str, padding_mode: str, align_corners: bool
) -> list[tuple[Tensor, Tensor | None]]:
    """The places on one axis that are read for every position, -1 outside, and their weights, laid
    down in memory: all channels share them."""
    neighbours, weigh = NEIGHBOURS[mode]
    if mode != "bicubic":
        at = _brought_back(at, size, padding_mode, align_corners)
    base = p.roundeven(at) if weigh is None else p.floor(at)
    found: list[tuple[Tensor, Tensor | None]] = []
    for offset in neighbours:
        place = base + offset
        weight = None if weigh is None else p.compact(weigh(at - place))
        if mode == "bicubic":
            place = _brought_back(place, size, padding_mode, align_corners)
        inside = (place >= 0) & (place <= size - 1)
        index = convert(place, "i64").clamp(0, size - 1)
        found.append((p.compact(p.where(inside, index, p.fill(index, -1))), weight))
    return found


def _brought_back(at: Tensor, size: Size, padding_mode: str, align_corners: bool) -> Tensor:
    """Positions outside of the image moved inside, as the padding has it."""
    if padding_mode == "zeros":
        return at
    if padding_mode == "reflection":
        low, span = (0.0, size - 1) if align_corners else (-0.5, size)
        at = p.fill(at, 0) if span == 0 else _reflected(at - low, span) + low
    return at.clamp(0, size - 1)


def _reflected(distance: Tensor, span: Size) -> Tensor:
    """Distances from one mirror, as they are between two mirrors `span` apart."""
    distance = distance.abs()
    width = p.fill(distance, 1) * as_standins(distance, span)[1]
    turns = p.floor(distance / width)
    within = distance - turns * width
    odd = p.floor(turns * 0.5) * 2 < turns
    return p.where(odd, width - within, within)


# ---- positions
@op(name="_affine_grid", namespace="", grad_name="AffineGridGeneratorBackward0")
def affine_grid(theta: Tensor, size: Ints, align_corners: bool) -> Tensor:
    """See `gleed.nn.functional.affine_grid`."""
    n = len(size) - 2
    lead = (size[0], *size[2:])
    axes = []
    for i in range(n):  # x first
        count, axis = size[len(size) - 1 - i], n - i
        place = convert(theta.trace.iota(lead, axis), theta.dtype)
        if align_corners:
            axes.append(place * 2 / (count - 1) - 1 if count > 1 else p.fill(place, 0))
        else:
            axes.append((place * 2 + 1) / count - 1)
    columns = []
    for row in range(n):
        parts = [_entry(theta, row, column, lead) for column in range(n + 1)]
        products = [part * at for part, at in zip(parts, axes, strict=False)]
        columns.append(reduce(p.add, products) + parts[n])
    last = (*lead, 1)
    return p.concat(*(p.reshape(c, shape=last) for c in columns), axis=n + 1)


def _entry(theta: Tensor, row: int, column: int, shape: Sequence[Size]) -> Tensor:
    """One entry of every matrix, over `shape`."""
    part: Any = p.slice(theta, axis=1, start=row, step=1, length=1)
    part = p.slice(part, axis=2, start=column, step=1, length=1)
    part = p.reshape(part, shape=(theta.shape[0],))
    return p.broadcast(part, shape=tuple(shape), axes=(0,))


@grid_sample.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((2, 3, 4, 5)), make.tensor((2, 3, 2, 2), (-0.9, 0.9)))
    yield make.call(
        make.tensor((1, 2, 4, 3)), make.tensor((1, 3, 2, 2), (-1.3, 1.3)), "bicubic", "reflection"
    )
    yield make.call(
        make.tensor((1, 2, 3, 4, 2)), make.tensor((1, 2, 1, 3, 3), (-1.3, 1.3)), "nearest",
        "border", True,
    )  # fmt: skip
