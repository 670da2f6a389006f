"""Results in memory formats: what lies channels last is a view of something row-major."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from gleed import primitives as p
from gleed.compiler.dims import product
from gleed.compiler.graph import Shape
from gleed.memory_formats import (
    channels_last,
    channels_last_3d,
    check_format,
    contiguous_format,
    format_strides,
    inner_axes,
    preserve_format,
    suggested_format,
)
from gleed.ops.record import Tensor


def copied(name: str, x: Tensor, format: Any) -> Tensor:
    """A copy in a memory format; None preserves the order of strides."""
    format = preserve_format if format is None else format
    check_format(name, format, x.ndim)
    if format is preserve_format:
        return p.copy(x)
    if format is contiguous_format:
        return p.compact(p.copy(x))
    return from_last(p.compact(p.copy(p.permute(x, axes=inner_axes(x.ndim)))))


def made(
    name: str, make: Callable[[Shape, Tensor | None], Tensor], input: Tensor, format: Any
) -> Tensor:
    """What `make` fills a shape with, in a memory format; None preserves that of `input`. `make` is
    called with the shape, and with the tensor whose order of strides the result shall have."""
    format = preserve_format if format is None else format
    check_format(name, format, input.ndim)
    if format is preserve_format:
        return make(input.shape, input)
    if format is contiguous_format:
        return make(input.shape, None)
    return from_last(make(tuple(input.shape[a] for a in inner_axes(input.ndim)), None))


def laid_out_as(x: Tensor, y: Tensor) -> Tensor:
    """What is computed from images, with channels last where these have."""
    format = suggested_format(x.shape, x.stride())
    return y if format is contiguous_format else copied("", y, format)


def keeping_format(function: Callable[..., Any]) -> Callable[..., Any]:
    """For functions of a name and images, among others: the results are laid out as these are."""

    @functools.wraps(function)
    def kept(name: str, x: Tensor, *args: Any, **kwargs: Any) -> Any:
        y = function(name, x, *args, **kwargs)
        many = isinstance(y, tuple)
        return tuple(laid_out_as(x, z) for z in y) if many else laid_out_as(x, y)

    return kept


def from_last(x: Tensor) -> Tensor:
    """Row-major memory, whose last axis are channels, as (batch, channels, …)."""
    y = p.permute(x, axes=(0, x.ndim - 1, *range(1, x.ndim - 1)))
    if product(y.shape) == 0:
        strides = format_strides(y.shape, channels_last if y.ndim == 4 else channels_last_3d)
        return p.as_strided(y, shape=y.shape, strides=strides, offset=None, own=(*strides, 0))
    return y
