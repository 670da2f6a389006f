"""Memory formats: in which order the dims of images and volumes lie in memory.

A tensor (batch, channels, height, width) in `channels_last` has all channels of a pixel side by
side; its shape and what it holds are the same. Sizes and strides may be symbols of a trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gleed.errors import ArgumentError, ShapeError

__all__ = [
    "channels_last",
    "channels_last_3d",
    "contiguous_format",
    "memory_format",
    "preserve_format",
]


class memory_format:
    """An order of dims in memory, as PyTorch's functions take it: `contiguous_format` (row-major),
    `channels_last` (of 4 dims), `channels_last_3d` (of 5), `preserve_format` (that of an operand).

    >>> import gleed
    >>> gleed.zeros(2, 3, 4, 5).to(memory_format=gleed.channels_last).stride()
    (60, 1, 15, 3)
    """

    __slots__ = ("_name", "rank")

    def __init__(self, name: str, rank: int | None = None) -> None:
        self._name, self.rank = name, rank

    def __repr__(self) -> str:
        return f"gleed.{self._name}"

    def __reduce__(self) -> str:
        return self._name


contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last", 4)
channels_last_3d = memory_format("channels_last_3d", 5)


def check_format(name: str, format: Any, ndim: int | None, preserves: bool = True) -> None:
    """Raise unless the function `name` can give a tensor of `ndim` dims (None: any) that format."""
    if not isinstance(format, memory_format):
        raise ArgumentError(
            f"{name}: memory_format must be a memory format; got {type(format).__name__}; use "
            "gleed.channels_last, say"
        )
    if format is preserve_format and not preserves:
        raise ArgumentError(
            f"{name}: there must be a format to preserve; got gleed.preserve_format; use "
            "gleed.contiguous_format"
        )
    if None not in (format.rank, ndim) and format.rank != ndim:
        raise ShapeError(
            f"{name}: {format!r} is for tensors of {format.rank} dims; got {ndim} dims; use "
            "another memory format, or unsqueeze"
        )


def inner_axes(ndim: int) -> tuple[int, ...]:
    """The axes of a tensor with channels last, from the outermost in memory to the innermost."""
    return (0, *range(2, ndim), 1)


def format_strides(sizes: Sequence[int], format: memory_format) -> tuple[int, ...]:
    """The strides that fresh memory in a format has."""
    ndim, step = len(sizes), 1
    strides = [0] * ndim
    order = range(ndim) if format.rank is None else inner_axes(ndim)
    for axis in reversed(order):
        strides[axis] = step
        step *= max(sizes[axis], 1) if format.rank is None else sizes[axis]
    return tuple(strides)


def lies_in(sizes: Sequence[Any], strides: Sequence[Any], format: memory_format) -> bool:
    """Whether elements lie densely in a format, `channels_last` or `channels_last_3d`."""
    if len(sizes) != format.rank:
        return False
    step: Any = 1
    for axis in reversed(inner_axes(len(sizes))):
        if sizes[axis] != 1:
            if strides[axis] < step or strides[axis] > step:
                return False
            step = step * sizes[axis]
    return True


def suggested_format(sizes: Sequence[Any], strides: Sequence[Any]) -> memory_format:
    """The format in which a result is expected where an operand has these strides: channels last
    if they grow in that order, row-major in any other case and where both are possible."""
    ndim, least = len(sizes), 0
    if ndim not in (4, 5) or strides[1] < 1:
        return contiguous_format
    for axis in reversed(inner_axes(ndim)):
        if sizes[axis] == 0 or strides[axis] < least:
            return contiguous_format
        if axis == 0 and not strides[1] < least:
            return contiguous_format
        least = strides[axis] if sizes[axis] == 1 else strides[axis] * sizes[axis]
    return channels_last if ndim == 4 else channels_last_3d
