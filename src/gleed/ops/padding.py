"""Padding, and exchanging channels for pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gleed import primitives as p
from gleed.compiler.dims import Dim, Size
from gleed.errors import RangeError, ShapeError
from gleed.memory_formats import contiguous_format, inner_axes, suggested_format
from gleed.ops.memory_formats import from_last, laid_out_as
from gleed.ops.promotion import convert, shape_text
from gleed.ops.record import Int, Ints, Number, Tensor, op

FUNCTIONAL = "nn.functional"


# ---- padding
@op(namespace=FUNCTIONAL)
def pad(input: Tensor, pad: Ints, mode: str = "constant", value: Number | None = None) -> Tensor:
    """The tensor with `pad` = (before, after) more elements in the last dim, then in the one
    before it, and so on; negative numbers cut off. `mode`: "constant" (filled with `value`, or 0),
    "reflect" (mirrored without repeating the edge), "replicate" (the edge repeated), "circular".

    >>> F = gleed.nn.functional
    >>> F.pad(gleed.tensor([1, 2, 3]), (1, 2))
    tensor([0, 1, 2, 3, 0, 0])
    >>> F.pad(gleed.tensor([[1, 2, 3]]), (2, 2), mode="reflect")
    tensor([[3, 2, 1, 2, 3, 2, 1]])
    """
    pairs = _pairs("pad", input, pad)
    if mode == "constant":
        return _filled(input, pairs, 0 if value is None else value)
    if mode not in PLACES:
        raise RangeError(
            f'pad: mode must be "constant", "reflect", "replicate" or "circular"; got {mode!r}; '
            "correct the name"
        )
    if mode == "circular":  # what is cut off is not part of the circle
        input, pairs = _cut(input, pairs)
    return laid_out_as(input, _read(input, pairs, mode))


@op()
def constant_pad_nd(input: Tensor, pad: Ints, value: Number = 0) -> Tensor:
    """As `nn.functional.pad` in mode "constant".

    >>> gleed.constant_pad_nd(gleed.tensor([1, 2]), (1, 0), 7)
    tensor([7, 1, 2])
    """
    pairs = _pairs("constant_pad_nd", input, pad)
    return _filled(input, pairs, value)


def _pairs(name: str, x: Tensor, pad: Sequence[Size]) -> list[tuple[int, Size, Size]]:
    """Axis, elements before and elements after, for every axis that changes."""
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise RangeError(
            f"{name}: pad takes two numbers per dim, from the last dim on; got {shape_text(pad)} "
            f"for {x.ndim} dims; give (before, after) for each"
        )
    pairs = [(x.ndim - 1 - i, pad[2 * i], pad[2 * i + 1]) for i in range(len(pad) // 2)]
    for axis, before, after in pairs:
        if x.shape[axis] + before + after < 0:
            raise ShapeError(
                f"{name}: no more can be cut off than there is; got {shape_text((before, after))} "
                f"for dim {axis} of shape {shape_text(x.shape)}; cut less"
            )
    return [(axis, b, a) for axis, b, a in pairs if not (b == 0 and a == 0)]


def _filled(x: Tensor, pairs: Any, value: Any) -> Tensor:
    """With a number around, laid out as the tensor is."""
    fill = convert(value, x.dtype) if isinstance(value, Tensor) else x.trace.const(value, x.dtype)
    if suggested_format(x.shape, x.stride()) is contiguous_format:
        return _framed(x, pairs, fill)
    axes = inner_axes(x.ndim)
    inner = [(axes.index(axis), *around) for axis, *around in pairs]
    return from_last(_framed(p.permute(x, axes=axes), inner, fill))


def _framed(x: Tensor, pairs: Any, fill: Tensor) -> Tensor:
    x, pairs = _cut(x, pairs)
    frames = [(axis, *around) for axis, *around in sorted(pairs, reverse=True) if around != [0, 0]]
    for axis, *around in frames:  # the last axis first: so every part is written where it belongs
        before, after = (
            [x.trace.spread(fill, (*x.shape[:axis], n, *x.shape[axis + 1 :]))] if n != 0 else []
            for n in around
        )
        x = p.concat(*before, x, *after, axis=axis)
    return x if frames else p.copy(x)


def _cut(x: Tensor, pairs: Any) -> tuple[Tensor, Any]:
    """The part of the tensor that negative numbers leave, and the numbers that remain."""
    remaining = []
    for axis, before, after in pairs:
        first, last = (-n if n < 0 else 0 for n in (before, after))
        kept = x.shape[axis] - first - last
        x = p.slice(x, axis=axis, start=first, step=1, length=kept)
        remaining.append((axis, before + first, after + last))
    return x, remaining


def _read(x: Tensor, pairs: Any, mode: str) -> Tensor:
    """The tensor read at the places that a mode names."""
    shape = list(x.shape)
    for axis, before, after in pairs:
        _check_reach(x, axis, before, after, mode)
        shape[axis] = shape[axis] + before + after
    axes = tuple(sorted(axis for axis, _, _ in pairs))
    starts = {axis: before for axis, before, _ in pairs}
    full = tuple(shape)
    places = [PLACES[mode](x.trace.iota(full, axis) - starts[axis], x.shape[axis]) for axis in axes]
    if not places:
        return p.copy(x)
    rest = tuple(a for a in range(x.ndim) if a not in axes)
    return p.gather(x, *places, axes=axes, mapping=rest)


def _mirrored(place: Tensor, size: Size) -> Tensor:
    return (size - 1) - p.abs((size - 1) - p.abs(place))


PLACES: dict[str, Callable[[Tensor, Size], Tensor]] = {
    "reflect": _mirrored,
    "replicate": lambda place, size: place.clamp(0, size - 1),
    "circular": lambda place, size: place % size,
}


def _check_reach(x: Tensor, axis: int, before: Size, after: Size, mode: str) -> None:
    size = x.shape[axis]
    most = {"reflect": size - 1, "circular": size}.get(mode)
    fits = size > 0 and (most is None or (before <= most and after <= most))
    if not fits:
        hint = size.hint if isinstance(size, Dim) else size
        limit = "less than the size" if mode == "reflect" else "no more than the size"
        raise ShapeError(
            f"pad: in mode {mode!r} the padding must be {limit} of a dim that is not empty; got "
            f"{shape_text((before, after))} for size {hint}; pad less, or with a constant"
        )


# ---- channels and pixels
def _image(name: str, x: Tensor) -> tuple[Any, ...]:
    """The leading sizes, and channels, height and width."""
    if x.ndim < 3:
        raise ShapeError(
            f"{name}: the input must be (*, channels, height, width); got {shape_text(x.shape)}; "
            "unsqueeze it"
        )
    return (tuple(x.shape[:-3]), *x.shape[-3:])


def _require_multiple(name: str, what: str, size: Size, factor: Size) -> None:
    if factor <= 0 or size % factor > 0:
        hints = [n.hint if isinstance(n, Dim) else n for n in (size, factor)]
        raise ShapeError(
            f"{name}: {what} must be a multiple of {hints[1]}; got {hints[0]}; choose another "
            "factor"
        )


@op(method=True, namespace=("gleed", FUNCTIONAL))
def pixel_shuffle(input: Tensor, upscale_factor: Int) -> Tensor:
    """(*, C r², H, W) as (*, C, H r, W r), with r = `upscale_factor` (Shi et al., 2016).

    >>> gleed.pixel_shuffle(gleed.arange(4.0).reshape(4, 1, 1), 2)
    tensor([[[0., 1.],
             [2., 3.]]])
    """
    lead, channels, height, width = _image("pixel_shuffle", input)
    r = upscale_factor
    _require_multiple("pixel_shuffle", "the number of channels", channels, r * r)
    n, c = len(lead), channels // (r * r)
    x = p.reshape(input, shape=(*lead, c, r, r, height, width))
    x = p.permute(x, axes=(*range(n), n, n + 3, n + 1, n + 4, n + 2))
    return p.reshape(x, shape=(*lead, c, height * r, width * r))


@op(method=True, namespace=("gleed", FUNCTIONAL))
def pixel_unshuffle(input: Tensor, downscale_factor: Int) -> Tensor:
    """(*, C, H r, W r) as (*, C r², H, W), with r = `downscale_factor`: undoes `pixel_shuffle`.

    >>> gleed.pixel_unshuffle(gleed.arange(4.0).reshape(1, 2, 2), 2).flatten()
    tensor([0., 1., 2., 3.])
    """
    lead, channels, height, width = _image("pixel_unshuffle", input)
    r = downscale_factor
    _require_multiple("pixel_unshuffle", "the height", height, r)
    _require_multiple("pixel_unshuffle", "the width", width, r)
    n = len(lead)
    x = p.reshape(input, shape=(*lead, channels, height // r, r, width // r, r))
    x = p.permute(x, axes=(*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return p.reshape(x, shape=(*lead, channels * (r * r), height // r, width // r))


@op(namespace=("gleed", FUNCTIONAL))
def channel_shuffle(input: Tensor, groups: Int) -> Tensor:
    """Dim 1 read across `groups` equal groups: the first channel of each, then the second, and so
    on (Zhang et al., 2018).

    >>> gleed.channel_shuffle(gleed.arange(4.0).reshape(1, 4, 1), 2).flatten()
    tensor([0., 2., 1., 3.])
    """
    if input.ndim < 3:
        raise ShapeError(
            "channel_shuffle: the input must be (batch, channels, *); got "
            f"{shape_text(input.shape)}; unsqueeze it"
        )
    batch, channels, *rest = input.shape
    _require_multiple("channel_shuffle", "the number of channels", channels, groups)
    x = p.reshape(input, shape=(batch, groups, channels // groups, *rest))
    x = p.permute(x, axes=(0, 2, 1, *range(3, x.ndim)))
    return p.reshape(x, shape=input.shape)


@pad.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((5,)), (1, 2))
    yield make.call(make.tensor((3, 4)), (2, 0, 0, 3), "constant", 1.5)
    yield make.call(make.tensor((3, 4)), (-1, 2, 1, -2))
    yield make.call(make.tensor((2, 3, 5)), (2, 3, 1, 0), "reflect")
    yield make.call(make.tensor((2, 3, 5)), (2, 7), "replicate")
    yield make.call(make.tensor((2, 3, 5)), (5, 1, 0, 2), "circular")


@constant_pad_nd.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((2, 3)), (1, 1, 2, 0), 2)


@pixel_shuffle.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((8, 2, 3)), 2)
    yield make.call(make.tensor((2, 9, 1, 2)), 3)


@pixel_unshuffle.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((2, 4, 6)), 2)
    yield make.call(make.tensor((2, 1, 3, 6)), 3)


@channel_shuffle.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((2, 6, 3)), 3)
    yield make.call(make.tensor((1, 4, 2, 2)), 2)
