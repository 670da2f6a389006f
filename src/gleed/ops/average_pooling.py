"""Means, and means of powers, over windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gleed import primitives as p
from gleed.compiler.dims import product
from gleed.compiler.kernel import is_float
from gleed.errors import DTypeError, RangeError
from gleed.ops.memory_formats import keeping_format
from gleed.ops.promotion import convert, dtype_text
from gleed.ops.record import Int, Ints, Number, Tensor, op
from gleed.ops.windows import (
    AdaptiveWindows,
    SlidingWindows,
    Windows,
    adaptive_windows,
    keeping_sizes,
    sliding_windows,
    sum_along,
    widened,
)

FUNCTIONAL = "nn.functional"
BOTH = ("gleed", FUNCTIONAL)


# ---- over sliding windows
@keeping_format
def _averaged(
    name: str,
    x: Tensor,
    windows: Sequence[tuple[int, SlidingWindows]],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: Any = None,
) -> Tensor:
    """The sum of every window over `divisor`, or over the number of its elements."""
    if divisor is not None and divisor == 0:
        raise RangeError(
            f"{name}: divisor_override must not be zero; got 0; leave it out for the mean"
        )
    total = _summed(name, x, windows)
    if divisor is None and not ceil_mode and all(along.padding == 0 for _, along in windows):
        divisor = product(tuple(along.size for _, along in windows))
    if divisor is not None:
        return _divided(total, p.fill(total, 1) * divisor, x.dtype)
    counts = p.fill(total, 1)
    for axis, along in windows:
        window = x.trace.iota(total.shape, axis)
        counts = counts * convert(along.reach(window, count_include_pad), total.dtype)
    return _divided(total, counts, x.dtype)


def _summed(name: str, x: Tensor, windows: Sequence[tuple[int, Windows]]) -> Tensor:
    """The sum of every window, one axis after the other."""
    if x.dtype != "i64":
        _require_float(name, x)
    total = widened(x)
    for axis, along in windows:
        total = sum_along(total, axis, along.places, along.windows)
    return total


def _require_float(name: str, x: Tensor) -> None:
    if not is_float(x.dtype):
        raise DTypeError(
            f"{name}: a floating-point tensor is needed; got {dtype_text(x.dtype)}; convert it "
            "with .float()"
        )


def _divided(total: Tensor, counts: Tensor, dtype: str) -> Tensor:
    if not is_float(dtype):
        return p.idiv(total, convert(counts, total.dtype))
    return convert(total / counts, dtype)


@op(namespace=BOTH)
def avg_pool1d(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = (0,),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of every window along the last dim of (batch, channels, length) or (channels,
    length); see `avg_pool2d`.

    >>> gleed.avg_pool1d(gleed.tensor([[1.0, 3.0, 2.0, 5.0]]), 2)
    tensor([[2.0000, 3.5000]])
    """
    windows = sliding_windows(
        "avg_pool1d", input, 1, kernel_size, stride, padding, ceil_mode=ceil_mode
    )
    return _averaged("avg_pool1d", input, windows, ceil_mode, count_include_pad)


@op(namespace=FUNCTIONAL)
def avg_pool2d(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = (0,),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Int | None = None,
) -> Tensor:
    """The mean of every window of (batch, channels, height, width) or (channels, height, width).

    Windows have `kernel_size` elements and begin every `stride` elements (None: every
    `kernel_size`). `padding`, at most half a window, is zeros, which count unless
    `count_include_pad` is False. With `ceil_mode` a last window that is not complete counts too.
    `divisor_override`: what to divide sums by. Sizes are one number, or one for each dim.

    >>> F = gleed.nn.functional
    >>> F.avg_pool2d(gleed.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 2.5000,  4.5000],
             [10.5000, 12.5000]]])
    """
    windows = sliding_windows(
        "avg_pool2d", input, 2, kernel_size, stride, padding, ceil_mode=ceil_mode
    )
    return _averaged("avg_pool2d", input, windows, ceil_mode, count_include_pad, divisor_override)


@op(namespace=FUNCTIONAL)
def avg_pool3d(
    input: Tensor,
    kernel_size: Ints,
    stride: Ints | None = None,
    padding: Ints = (0,),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Int | None = None,
) -> Tensor:
    """The mean of every window of (batch, channels, depth, height, width) or (channels, depth,
    height, width); see `avg_pool2d`.

    >>> F = gleed.nn.functional
    >>> F.avg_pool3d(gleed.arange(8.0).reshape(1, 2, 2, 2), 2)
    tensor([[[[3.5000]]]])
    """
    windows = sliding_windows(
        "avg_pool3d", input, 3, kernel_size, stride, padding, ceil_mode=ceil_mode
    )
    return _averaged("avg_pool3d", input, windows, ceil_mode, count_include_pad, divisor_override)


# ---- over as many windows as asked for
@keeping_format
def _adapted(name: str, x: Tensor, windows: Sequence[tuple[int, AdaptiveWindows]]) -> Tensor:
    """The mean of every window."""
    _require_float(name, x)
    if all(along.count == 1 for _, along in windows):
        return x.mean([axis for axis, _ in windows], keepdim=True)
    total = _summed(name, x, windows)
    counts = p.fill(total, 1)
    for axis, along in windows:
        counts = counts * convert(along.reach(x.trace.iota(total.shape, axis)), total.dtype)
    return _divided(total, counts, x.dtype)


@op(namespace=BOTH)
def adaptive_avg_pool1d(input: Tensor, output_size: Ints) -> Tensor:
    """`avg_pool1d` with as many windows as `output_size` says; see `adaptive_avg_pool2d`.

    >>> gleed.adaptive_avg_pool1d(gleed.tensor([[1.0, 3.0, 2.0, 5.0]]), 2)
    tensor([[2.0000, 3.5000]])
    """
    windows = adaptive_windows("adaptive_avg_pool1d", input, 1, output_size)
    return _adapted("adaptive_avg_pool1d", input, windows)


@op(namespace=FUNCTIONAL)
def adaptive_avg_pool2d(input: Tensor, output_size: Ints) -> Tensor:
    """The mean of every window of (batch, channels, height, width) or (channels, height, width).

    There are `output_size` windows: one number, or one for each dim, where None keeps the input's
    size. Window i of n along a dim of size L has the elements floor(i L / n) … ceil((i + 1) L / n).

    >>> F = gleed.nn.functional
    >>> F.adaptive_avg_pool2d(gleed.arange(16.0).reshape(1, 4, 4), (1, None))
    tensor([[[6., 7., 8., 9.]]])
    """
    windows = adaptive_windows("adaptive_avg_pool2d", input, 2, output_size)
    return _adapted("adaptive_avg_pool2d", input, windows)


@op(namespace=FUNCTIONAL)
def adaptive_avg_pool3d(input: Tensor, output_size: Ints) -> Tensor:
    """The mean of every window of (batch, channels, depth, height, width) or (channels, depth,
    height, width); see `adaptive_avg_pool2d`.

    >>> F = gleed.nn.functional
    >>> F.adaptive_avg_pool3d(gleed.arange(8.0).reshape(1, 2, 2, 2), (1, 1, 2))
    tensor([[[[3., 4.]]]])
    """
    windows = adaptive_windows("adaptive_avg_pool3d", input, 3, output_size)
    return _adapted("adaptive_avg_pool3d", input, windows)


for _n, _record in enumerate((adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d), 1):
    _record.otherwise(keeping_sizes(_record, _n))


# ---- means of powers
@keeping_format
def _power_averaged(
    name: str, x: Tensor, norm_type: Any, n: int, kernel_size: Any, stride: Any, ceil_mode: bool
) -> Tensor:
    """The norm of every window; one that is cut off counts as if its mean filled it."""
    _require_float(name, x)
    windows = sliding_windows(name, x, n, kernel_size, stride, (0,), ceil_mode=ceil_mode)
    mean = _averaged(name, x.pow(norm_type), windows, ceil_mode, True)
    total = mean.sign() * mean.abs().relu() * product(tuple(along.size for _, along in windows))
    return total.pow(1 / norm_type)


@op(namespace=FUNCTIONAL)
def lp_pool1d(
    input: Tensor,
    norm_type: Number,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """(Σ x^p)^(1/p) over every window along the last dim, with p = `norm_type`; see `avg_pool1d`.

    >>> F = gleed.nn.functional
    >>> F.lp_pool1d(gleed.tensor([[3.0, 4.0]]), 2, 2)
    tensor([[5.]])
    """
    return _power_averaged("lp_pool1d", input, norm_type, 1, kernel_size, stride, ceil_mode)


@op(namespace=FUNCTIONAL)
def lp_pool2d(
    input: Tensor,
    norm_type: Number,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """(Σ x^p)^(1/p) over every window of the last two dims, with p = `norm_type`; see
    `avg_pool2d`.

    >>> F = gleed.nn.functional
    >>> F.lp_pool2d(gleed.ones(1, 2, 2), 2, 2)
    tensor([[[2.]]])
    """
    return _power_averaged("lp_pool2d", input, norm_type, 2, kernel_size, stride, ceil_mode)


@op(namespace=FUNCTIONAL)
def lp_pool3d(
    input: Tensor,
    norm_type: Number,
    kernel_size: Ints,
    stride: Ints | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """(Σ x^p)^(1/p) over every window of the last three dims, with p = `norm_type`; see
    `avg_pool2d`.

    >>> F = gleed.nn.functional
    >>> F.lp_pool3d(gleed.ones(1, 2, 2, 2), 3, 2)
    tensor([[[[2.]]]])
    """
    return _power_averaged("lp_pool3d", input, norm_type, 3, kernel_size, stride, ceil_mode)


# ---- samples
@avg_pool1d.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((2, 3, 7)), 3, 2, 1)
    yield make.call(make.tensor((2, 8)), 3, 3, 1, True, False)


@avg_pool2d.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((2, 3, 6, 5)), 2)
    yield make.call(make.tensor((2, 7, 6)), (3, 4), 2, (1, 2), True, False)
    yield make.call(make.tensor((1, 2, 7, 6)), 3, 1, 1, divisor_override=2)
    yield make.call(make.tensor((0, 2, 4, 4)), 2)


@avg_pool3d.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((1, 4, 5, 3)), (3, 2, 2), 2, 1, True)


@adaptive_avg_pool1d.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((2, 3, 7)), 3)


@adaptive_avg_pool2d.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((2, 3, 6, 4)), (3, 1))
    yield make.call(make.tensor((2, 7, 5)), (3, 7))


@adaptive_avg_pool3d.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((1, 2, 4, 3, 5)), (2, 3, 1))


@lp_pool1d.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((2, 3, 7), (0.5, 2.0)), 2, 3)


@lp_pool2d.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((2, 7, 5), (0.5, 2.0)), 3, 2, (1, 2), True)


@lp_pool3d.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((1, 3, 4, 5), (0.5, 2.0)), 2, 2)
