"""Convolutions and transposed convolutions over one to three axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import gleed
from gleed import Tensor
from gleed.errors import RangeError, ShapeError
from gleed.nn import functional as F
from gleed.nn import init
from gleed.nn.module import Module
from gleed.nn.modules.check import check_size
from gleed.nn.parameter import Parameter

Many = int | Sequence[int]
PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


def _each(module: str, name: str, value: Many, axes: int, least: int) -> tuple[int, ...]:
    """One whole number for every spatial axis."""
    values = (value,) * axes if isinstance(value, int) else tuple(value)
    if len(values) != axes:
        raise RangeError(
            f"{module}: {name} is one number or {axes}, one for each spatial axis; got {value!r}; "
            "give as many as there are axes"
        )
    return tuple(check_size(module, name, n, least) for n in values)


class _ConvNd(Module):
    """What convolutions have in common. Subclasses say how many spatial axes they have."""

    axes: ClassVar[int]
    transposed: ClassVar[bool] = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Many,
        stride: Many,
        padding: str | Many,
        dilation: Many,
        output_padding: Many,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        name, axes = self._get_name(), self.axes
        self.in_channels = check_size(name, "in_channels", in_channels)
        self.out_channels = check_size(name, "out_channels", out_channels)
        self.kernel_size = _each(name, "kernel_size", kernel_size, axes, 1)
        self.stride = _each(name, "stride", stride, axes, 1)
        self.padding: Any = (
            padding if isinstance(padding, str) else _each(name, "padding", padding, axes, 0)
        )
        self.dilation = _each(name, "dilation", dilation, axes, 1)
        self.transposed = type(self).transposed  # type: ignore[misc]
        self.output_padding = _each(name, "output_padding", output_padding, axes, 0)
        self.groups = check_size(name, "groups", groups, 1)
        self.padding_mode = padding_mode
        self._check()
        first, second = (out_channels, in_channels)[:: -1 if self.transposed else 1]
        sizes = (first, second // groups, *self.kernel_size)
        self.weight = Parameter(gleed.empty(sizes, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(gleed.empty(out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def _check(self) -> None:
        name = self._get_name()
        for what, channels in (("in", self.in_channels), ("out", self.out_channels)):
            if channels % self.groups:
                raise RangeError(
                    f"{name}: groups divide {what}_channels; got groups={self.groups} and "
                    f"{what}_channels={channels}; choose a divisor"
                )
        modes = PADDING_MODES[:1] if self.transposed else PADDING_MODES
        if self.padding_mode not in modes:
            raise RangeError(
                f"{name}: padding_mode is one of {', '.join(modes)}; got {self.padding_mode!r}; "
                "correct the name"
            )
        if isinstance(self.padding, str):
            if self.padding not in ("same", "valid"):
                raise RangeError(
                    f'{name}: padding is a number, "same" or "valid"; got {self.padding!r}; '
                    "correct the name"
                )
            if self.padding == "same" and any(n != 1 for n in self.stride):
                raise RangeError(
                    f'{name}: padding="same" keeps the size, so the stride is 1; got stride '
                    f"{self.stride}; give the padding in numbers"
                )

    def reset_parameters(self) -> None:
        """Draw new initial values: uniform in ±1/√(in_channels / groups · kernel elements)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in:
                init.uniform_(self.bias, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    def extra_repr(self) -> str:
        """Channels, kernel and whatever is not the default."""
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        text += f", stride={self.stride}"
        if self.padding != (0,) * self.axes:
            text += f", padding={self.padding}"
        if self.dilation != (1,) * self.axes:
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * self.axes:
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text

    def _summary(self) -> str:
        kernel = "×".join(map(str, self.kernel_size))
        return f"{self._get_name()}({self.in_channels} → {self.out_channels}, {kernel})"


class _Convolution(_ConvNd):
    """A convolution; its function is named by the number of axes."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Many,
        stride: Many = 1,
        padding: str | Many = 0,
        dilation: Many = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, 0, groups, bias,
            padding_mode, device, dtype,
        )  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        """Convolve `input` with the weight."""
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._around(), mode=self.padding_mode), 0
        function = getattr(F, f"conv{self.axes}d")
        return function(
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )

    def _around(self) -> list[int]:
        """The padding as `F.pad` takes it: before and after, from the last axis on."""
        around: list[int] = []
        for a in reversed(range(self.axes)):
            if isinstance(self.padding, str):
                same = self.padding == "same"
                total = self.dilation[a] * (self.kernel_size[a] - 1) if same else 0
            else:
                total = 2 * self.padding[a]
            around += [total // 2, total - total // 2]
        return around


class Conv1d(_Convolution):
    """The convolution of every input with a weight.

    Shapes: input `(batch, in_channels, length)` or without batch, `weight`
    `(out_channels, in_channels / groups, kernel_size)`, `bias` `(out_channels,)` or None. `padding`
    is a number, "same" or "valid"; what is padded follows from `padding_mode`: "zeros", "reflect",
    "replicate" or "circular". See `gleed.conv2d`.

    >>> import gleed
    >>> gleed.nn.Conv1d(16, 33, 3, stride=2)(gleed.zeros(20, 16, 50)).shape
    gleed.Size([20, 33, 24])
    """

    axes = 1


class Conv2d(_Convolution):
    """The convolution of every image with a weight.

    Shapes: input `(batch, in_channels, height, width)` or without batch, `weight`
    `(out_channels, in_channels / groups, *kernel_size)`, `bias` `(out_channels,)` or None.
    `padding` is a number, one for each axis, "same" or "valid"; what is padded follows from
    `padding_mode`: "zeros", "reflect", "replicate" or "circular". See `gleed.conv2d`.

    >>> import gleed
    >>> gleed.nn.Conv2d(3, 8, kernel_size=3, padding=1)(gleed.zeros(2, 3, 32, 32)).shape
    gleed.Size([2, 8, 32, 32])
    """

    axes = 2


class Conv3d(_Convolution):
    """The convolution of every volume with a weight.

    Shapes: input `(batch, in_channels, depth, height, width)` or without batch, the rest as for
    `Conv2d` with three axes.

    >>> import gleed
    >>> gleed.nn.Conv3d(2, 4, (3, 5, 2))(gleed.zeros(1, 2, 4, 8, 8)).shape
    gleed.Size([1, 4, 2, 4, 7])
    """

    axes = 3


class _Transposed(_ConvNd):
    """A transposed convolution; its function is named by the number of axes."""

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Many,
        stride: Many = 1,
        padding: Many = 0,
        output_padding: Many = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Many = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, output_padding,
            groups, bias, padding_mode, device, dtype,
        )  # fmt: skip

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """The transposed convolution of `input`; `output_size` stands for an output padding."""
        extra = self.output_padding if output_size is None else self._extra(input, output_size)
        function = getattr(F, f"conv_transpose{self.axes}d")
        return function(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups,
            self.dilation,
        )  # fmt: skip

    def _extra(self, input: Tensor, output_size: Sequence[int]) -> tuple[int, ...]:
        """The output padding that leads to a size."""
        sizes = tuple(output_size)[-self.axes :]
        least = []
        for a in range(self.axes):
            cut = 2 * self.padding[a]
            reach = self.dilation[a] * (self.kernel_size[a] - 1) + 1
            least.append((input.shape[a - self.axes] - 1) * self.stride[a] - cut + reach)
        most = [n + s - 1 for n, s in zip(least, self.stride, strict=True)]
        whole = len(output_size) in (self.axes, input.ndim) and len(sizes) == self.axes
        fits = whole and all(a <= n <= b for a, n, b in zip(least, sizes, most, strict=True))
        if not fits:
            raise ShapeError(
                f"{self._get_name()}: output_size must lie between {least} and {most} for an input "
                f"of {list(input.shape)}; got {list(output_size)}; choose a size between them"
            )
        return tuple(n - a for n, a in zip(sizes, least, strict=True))


class ConvTranspose1d(_Transposed):
    """The transpose of `Conv1d`: shapes `(batch, in_channels, length)`, `weight`
    `(in_channels, out_channels / groups, kernel_size)`. See `gleed.conv_transpose2d`.

    >>> import gleed
    >>> gleed.nn.ConvTranspose1d(4, 2, 3, stride=2)(gleed.zeros(1, 4, 5)).shape
    gleed.Size([1, 2, 11])
    """

    axes = 1


class ConvTranspose2d(_Transposed):
    """The transpose of `Conv2d`: shapes `(batch, in_channels, height, width)`, `weight`
    `(in_channels, out_channels / groups, *kernel_size)`. See `gleed.conv_transpose2d`.

    >>> import gleed
    >>> up = gleed.nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1)
    >>> up(gleed.zeros(1, 4, 6, 6), output_size=(12, 12)).shape
    gleed.Size([1, 2, 12, 12])
    """

    axes = 2


class ConvTranspose3d(_Transposed):
    """The transpose of `Conv3d`: shapes `(batch, in_channels, depth, height, width)`, `weight`
    `(in_channels, out_channels / groups, *kernel_size)`. See `gleed.conv_transpose2d`.

    >>> import gleed
    >>> gleed.nn.ConvTranspose3d(4, 2, 2, stride=2)(gleed.zeros(1, 4, 2, 3, 4)).shape
    gleed.Size([1, 2, 4, 6, 8])
    """

    axes = 3
