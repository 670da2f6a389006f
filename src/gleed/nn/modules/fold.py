"""Unfold and Fold."""

from __future__ import annotations

from collections.abc import Sequence

from gleed import Tensor
from gleed.nn import functional as F
from gleed.nn.module import Module

Sizes = int | Sequence[int]


class Unfold(Module):
    """The windows of an image as columns. See `gleed.nn.functional.unfold`.

    >>> import gleed
    >>> gleed.nn.Unfold(3)(gleed.zeros(2, 5, 4, 6)).shape
    gleed.Size([2, 45, 8])
    """

    def __init__(
        self, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        """The columns."""
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """The windows."""
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, "
            f"stride={self.stride}"
        )


class Fold(Module):
    """The sum of columns, each added where `Unfold` reads it. See `gleed.nn.functional.fold`.

    >>> import gleed
    >>> gleed.nn.Fold((4, 6), 3)(gleed.zeros(2, 45, 8)).shape
    gleed.Size([2, 5, 4, 6])
    """

    def __init__(
        self,
        output_size: Sizes,
        kernel_size: Sizes,
        dilation: Sizes = 1,
        padding: Sizes = 0,
        stride: Sizes = 1,
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        """The image."""
        windows = (self.kernel_size, self.dilation, self.padding, self.stride)
        return F.fold(input, self.output_size, *windows)

    def extra_repr(self) -> str:
        """The image and the windows."""
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, "
            f"dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
        )
