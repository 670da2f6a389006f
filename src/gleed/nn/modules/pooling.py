"""Pooling: one number for every window of the last dimensions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from gleed import Tensor
from gleed.errors import ArgumentError
from gleed.nn import functional as F
from gleed.nn.module import Module

Sizes = int | Sequence[int]


def _every(size: Any, n: int) -> Any:
    """One number for each of `n` dimensions."""
    return (size,) * n if isinstance(size, int) else tuple(size)


class _Pool(Module):
    """A pool; `function` is what it applies."""

    function: ClassVar[Callable[..., Any]]


# ---- maxima
class _MaxPool(_Pool):
    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        """The maxima, and their places with `return_indices`."""
        return self.function(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )

    def extra_repr(self) -> str:
        """The windows."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The maximum of every window of (batch, channels, length) or without the batch.
    See `gleed.nn.functional.max_pool1d`.

    >>> import gleed
    >>> gleed.nn.MaxPool1d(3, stride=2)(gleed.zeros(2, 3, 7)).shape
    gleed.Size([2, 3, 3])
    """

    function = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPool):
    """The maximum of every window of (batch, channels, height, width) or without the batch.
    See `gleed.nn.functional.max_pool2d`.

    >>> import gleed
    >>> gleed.nn.MaxPool2d(3, stride=2)(gleed.zeros(2, 3, 7, 7)).shape
    gleed.Size([2, 3, 3, 3])
    """

    function = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPool):
    """The maximum of every window of (batch, channels, depth, height, width) or without the batch.
    See `gleed.nn.functional.max_pool3d`.

    >>> import gleed
    >>> gleed.nn.MaxPool3d(3, stride=2)(gleed.zeros(2, 3, 7, 7, 7)).shape
    gleed.Size([2, 3, 3, 3, 3])
    """

    function = staticmethod(F.max_pool3d)


class _MaxUnpool(_Pool):
    ndim: ClassVar[int]

    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> None:
        super().__init__()
        self.kernel_size = _every(kernel_size, self.ndim)
        self.stride = _every(kernel_size if stride is None else stride, self.ndim)
        self.padding = _every(padding, self.ndim)

    def forward(
        self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None
    ) -> Tensor:
        """Zeros, but for `input` at `indices`."""
        return self.function(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )

    def extra_repr(self) -> str:
        """The windows."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """What `MaxPool1d(…, return_indices=True)` had, as far as it is known: zeros, but for the
    maxima at their places. See `gleed.nn.functional.max_unpool1d`.

    >>> import gleed
    >>> pool = gleed.nn.MaxPool1d(2, return_indices=True)
    >>> gleed.nn.MaxUnpool1d(2)(*pool(gleed.zeros(2, 3, 4))).shape
    gleed.Size([2, 3, 4])
    """

    ndim = 1
    function = staticmethod(F.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """What `MaxPool2d(…, return_indices=True)` had, as far as it is known: zeros, but for the
    maxima at their places. See `gleed.nn.functional.max_unpool2d`.

    >>> import gleed
    >>> pool = gleed.nn.MaxPool2d(2, return_indices=True)
    >>> gleed.nn.MaxUnpool2d(2)(*pool(gleed.zeros(2, 3, 4, 4))).shape
    gleed.Size([2, 3, 4, 4])
    """

    ndim = 2
    function = staticmethod(F.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """What `MaxPool3d(…, return_indices=True)` had, as far as it is known: zeros, but for the
    maxima at their places. See `gleed.nn.functional.max_unpool3d`.

    >>> import gleed
    >>> pool = gleed.nn.MaxPool3d(2, return_indices=True)
    >>> gleed.nn.MaxUnpool3d(2)(*pool(gleed.zeros(2, 3, 4, 4, 4))).shape
    gleed.Size([2, 3, 4, 4, 4])
    """

    ndim = 3
    function = staticmethod(F.max_unpool3d)


class _FractionalMaxPool(_Pool):
    _random_samples: Tensor | None

    def __init__(
        self,
        kernel_size: Sizes,
        output_size: Sizes | None = None,
        output_ratio: float | Sequence[float] | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        if (output_size is None) == (output_ratio is None):
            raise ArgumentError(
                f"{type(self).__name__}: output_size or output_ratio must be given; got "
                f"{'none of them' if output_size is None else 'both'}; give one"
            )
        self.kernel_size = kernel_size
        self.output_size = output_size
        self.output_ratio = output_ratio
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)

    def forward(self, input: Tensor) -> Any:
        """The maxima, and their places with `return_indices`."""
        return self.function(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            self._random_samples,
        )


class FractionalMaxPool2d(_FractionalMaxPool):
    """The maximum of windows at pseudo-random places. See
    `gleed.nn.functional.fractional_max_pool2d`.

    >>> import gleed
    >>> gleed.nn.FractionalMaxPool2d(2, output_ratio=0.5)(gleed.zeros(2, 3, 6, 6)).shape
    gleed.Size([2, 3, 3, 3])
    """

    function = staticmethod(F.fractional_max_pool2d)


class FractionalMaxPool3d(_FractionalMaxPool):
    """The maximum of windows at pseudo-random places. See
    `gleed.nn.functional.fractional_max_pool3d`.

    >>> import gleed
    >>> gleed.nn.FractionalMaxPool3d(2, output_ratio=0.5)(gleed.zeros(2, 3, 6, 6, 6)).shape
    gleed.Size([2, 3, 3, 3, 3])
    """

    function = staticmethod(F.fractional_max_pool3d)


# ---- means
class _AvgPool(_Pool):
    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        return self.function(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        """The windows."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_Pool):
    """The mean of every window of (batch, channels, length) or without the batch.
    See `gleed.nn.functional.avg_pool1d`.

    >>> import gleed
    >>> gleed.nn.AvgPool1d(3, stride=2)(gleed.zeros(2, 3, 7)).shape
    gleed.Size([2, 3, 3])
    """

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = _every(kernel_size, 1)
        self.stride = _every(kernel_size if stride is None else stride, 1)
        self.padding = _every(padding, 1)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        """The means."""
        windows = (self.kernel_size, self.stride, self.padding)
        return F.avg_pool1d(input, *windows, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        """The windows."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPool):
    """The mean of every window of (batch, channels, height, width) or without the batch.
    See `gleed.nn.functional.avg_pool2d`.

    >>> import gleed
    >>> gleed.nn.AvgPool2d(3, stride=2)(gleed.zeros(2, 3, 7, 7)).shape
    gleed.Size([2, 3, 3, 3])
    """

    function = staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPool):
    """The mean of every window of (batch, channels, depth, height, width) or without the batch.
    See `gleed.nn.functional.avg_pool3d`.

    >>> import gleed
    >>> gleed.nn.AvgPool3d(3, stride=2)(gleed.zeros(2, 3, 7, 7, 7)).shape
    gleed.Size([2, 3, 3, 3, 3])
    """

    function = staticmethod(F.avg_pool3d)


class _LPPool(_Pool):
    def __init__(
        self,
        norm_type: float,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        """The norms."""
        norm = float(self.norm_type)
        return self.function(input, norm, self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        """The norm and the windows."""
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """(Σ x^p)^(1/p) over every window, with p = `norm_type`. See `gleed.nn.functional.lp_pool1d`.

    >>> import gleed
    >>> gleed.nn.LPPool1d(2, 3, stride=2)(gleed.zeros(2, 3, 7)).shape
    gleed.Size([2, 3, 3])
    """

    function = staticmethod(F.lp_pool1d)


class LPPool2d(_LPPool):
    """(Σ x^p)^(1/p) over every window, with p = `norm_type`. See `gleed.nn.functional.lp_pool2d`.

    >>> import gleed
    >>> gleed.nn.LPPool2d(2, 3, stride=2)(gleed.zeros(2, 3, 7, 7)).shape
    gleed.Size([2, 3, 3, 3])
    """

    function = staticmethod(F.lp_pool2d)


class LPPool3d(_LPPool):
    """(Σ x^p)^(1/p) over every window, with p = `norm_type`. See `gleed.nn.functional.lp_pool3d`.

    >>> import gleed
    >>> gleed.nn.LPPool3d(2, 3, stride=2)(gleed.zeros(2, 3, 7, 7, 7)).shape
    gleed.Size([2, 3, 3, 3, 3])
    """

    function = staticmethod(F.lp_pool3d)
