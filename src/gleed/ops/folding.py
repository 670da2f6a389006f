"""Windows of an image as columns of a matrix, and the sum of such columns as an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gleed import primitives as p
from gleed.compiler.dims import Size, product
from gleed.errors import RangeError, ShapeError
from gleed.ops.promotion import shape_text
from gleed.ops.record import Ints, Tensor, op
from gleed.ops.windows import SlidingWindows, each, window_count


def _grid(
    name: str, lengths: Sequence[Size], kernel: Any, dilation: Any, padding: Any, stride: Any
) -> list[SlidingWindows]:
    """The windows along height and width."""
    sizes = each(name, "kernel_size", kernel, 2, 1)
    gaps = each(name, "dilation", dilation, 2, 1)
    around = each(name, "padding", padding, 2, 0)
    steps = each(name, "stride", stride, 2, 1)
    found = []
    for length, k, d, pad, s in zip(lengths, sizes, gaps, around, steps, strict=True):
        span = (k - 1) * d + 1
        count = window_count(length, span, s, pad, False)
        if count < 1:
            raise ShapeError(
                f"{name}: a window must fit into the padded image; got an image of "
                f"{shape_text(lengths)}, kernel_size {shape_text(sizes)}, dilation "
                f"{shape_text(gaps)}, padding {shape_text(around)}; take smaller windows"
            )
        found.append(SlidingWindows(length, count, k, (span - 1) // s + 1, s, pad, d))
    return found


def _unfolded(x: Tensor, grid: Sequence[SlidingWindows]) -> Tensor:
    """[N, C, H, W] as [N, C, kh, kw, oh, ow]: every window's elements, 0 in the padding."""
    rows, columns = grid

    def body(x: Tensor) -> Tensor:
        batch, channels = x.shape[:2]
        shape = (batch, channels, rows.size, columns.size, rows.count, columns.count)
        at = [_over(along.places(x.trace), shape, i) for i, along in enumerate(grid)]
        return _inside(x, at, at, (2, 3))

    def rule(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
        return _folded(g, grid)

    result: Tensor = x.trace.with_rule("unfold", rule, body, [x])
    return result


def _folded(columns: Tensor, grid: Sequence[SlidingWindows]) -> Tensor:
    """[N, C, kh, kw, oh, ow] as [N, C, H, W]: the sum of what windows have at every place. This is
    the gradient of `_unfolded`, and that is its."""
    trace = columns.trace

    def body(columns: Tensor) -> Tensor:
        lengths, overlaps = (
            tuple(getattr(along, name) for along in grid) for name in ("length", "overlap")
        )
        shape = (*columns.shape[:2], *overlaps, *lengths)
        windows = [_over(along.windows(trace), shape, i) for i, along in enumerate(grid)]
        taps = [_over(along.taps(trace), shape, i) for i, along in enumerate(grid)]
        found = _inside(columns, windows, [*taps, *windows], (2, 3, 4, 5))
        return p.reduce_sum(found, axes=(2, 3))

    def rule(g: Tensor, y: Tensor, columns: Tensor) -> Tensor:
        return _unfolded(g, grid)

    result: Tensor = trace.with_rule("fold", rule, body, [columns])
    return result


def _over(table: Tensor, shape: Sequence[Size], i: int) -> Tensor:
    """A table of dim `i` over [N, C, taps of dim 0, of dim 1, outputs of dim 0, of dim 1]."""
    return p.broadcast(p.permute(table, axes=(1, 0)), shape=tuple(shape), axes=(2 + i, 4 + i))


def _inside(
    x: Tensor, inside: Sequence[Tensor], at: Sequence[Tensor], axes: tuple[int, ...]
) -> Tensor:
    """x[at] along `axes` where none of `inside` is -1, else 0."""
    places = [place.clamp(0, None) for place in at]
    found = p.gather(x, *places, axes=axes, mapping=(0, 1), checked=False)
    hit = (inside[0] >= 0) & (inside[1] >= 0)
    return p.where(hit, found, p.fill(found, 0))


@op(name="im2col", namespace="")
def im2col(input: Tensor, kernel_size: Ints, dilation: Ints, padding: Ints, stride: Ints) -> Tensor:
    """See `gleed.nn.functional.unfold`."""
    if input.ndim not in (3, 4):
        raise ShapeError(
            f"unfold: the input must be (batch, channels, height, width) or (channels, height, "
            f"width); got {shape_text(input.shape)}; reshape or unsqueeze it"
        )
    batch = input.shape[:-3]
    x = input if batch else p.reshape(input, shape=(1, *input.shape))
    grid = _grid("unfold", x.shape[2:], kernel_size, dilation, padding, stride)
    columns = _unfolded(x, grid)
    rows = product(columns.shape[1:4])
    return p.reshape(columns, shape=(*batch, rows, product(columns.shape[4:])))


@op(name="col2im", namespace="")
def col2im(
    input: Tensor,
    output_size: Ints,
    kernel_size: Ints,
    dilation: Ints,
    padding: Ints,
    stride: Ints,
) -> Tensor:
    """See `gleed.nn.functional.fold`."""
    if input.ndim not in (2, 3):
        raise ShapeError(
            f"fold: the input must be (batch, channels * window, windows) or (channels * window, "
            f"windows); got {shape_text(input.shape)}; reshape or unsqueeze it"
        )
    size = each("fold", "output_size", output_size, 2, 1)
    grid = _grid("fold", size, kernel_size, dilation, padding, stride)
    window = product(tuple(along.size for along in grid))
    counts = tuple(along.count for along in grid)
    rows, columns = input.shape[-2:]
    if rows % window > 0:
        raise RangeError(
            f"fold: the last dim but one must be a multiple of the window's {shape_text((window,))}"
            f" elements; got {shape_text(input.shape)}; check kernel_size"
        )
    if columns != product(counts):
        raise ShapeError(
            f"fold: the last dim must be as long as there are windows, {shape_text(counts)}; got "
            f"{shape_text(input.shape)}; check output_size, padding and stride"
        )
    batch = input.shape[:-2]
    shape = (*(batch or (1,)), rows // window, *(along.size for along in grid), *counts)
    image = _folded(p.reshape(input, shape=shape), grid)
    return image if batch else p.reshape(image, shape=image.shape[1:])
