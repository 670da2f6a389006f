"""Adaptive pooling: windows that follow from how many there shall be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from gleed import Tensor
from gleed.nn import functional as F
from gleed.nn.module import Module

Sizes = int | None | Sequence[int | None]


class _AdaptivePool(Module):
    """A pool; `function` is what it applies."""

    function: ClassVar[Callable[..., Any]]

    def __init__(self, output_size: Sizes) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Any:
        """The pooled input."""
        return self.function(input, self.output_size)

    def extra_repr(self) -> str:
        """How many windows."""
        return f"output_size={self.output_size}"


class _AdaptiveMaxPool(_AdaptivePool):
    def __init__(self, output_size: Sizes, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        """The maxima, and their places with `return_indices`."""
        return self.function(input, self.output_size, self.return_indices)


class AdaptiveAvgPool1d(_AdaptivePool):
    """The mean of each of `output_size` windows. See
    `gleed.nn.functional.adaptive_avg_pool1d`.

    >>> import gleed
    >>> gleed.nn.AdaptiveAvgPool1d(2)(gleed.zeros(2, 3, 5)).shape
    gleed.Size([2, 3, 2])
    """

    function = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptivePool):
    """The mean of each of `output_size` windows. See
    `gleed.nn.functional.adaptive_avg_pool2d`.

    >>> import gleed
    >>> gleed.nn.AdaptiveAvgPool2d(2)(gleed.zeros(2, 3, 5, 5)).shape
    gleed.Size([2, 3, 2, 2])
    """

    function = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptivePool):
    """The mean of each of `output_size` windows. See
    `gleed.nn.functional.adaptive_avg_pool3d`.

    >>> import gleed
    >>> gleed.nn.AdaptiveAvgPool3d(2)(gleed.zeros(2, 3, 5, 5, 5)).shape
    gleed.Size([2, 3, 2, 2, 2])
    """

    function = staticmethod(F.adaptive_avg_pool3d)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The maximum of each of `output_size` windows. See
    `gleed.nn.functional.adaptive_max_pool1d`.

    >>> import gleed
    >>> gleed.nn.AdaptiveMaxPool1d(2)(gleed.zeros(2, 3, 5)).shape
    gleed.Size([2, 3, 2])
    """

    function = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The maximum of each of `output_size` windows. See
    `gleed.nn.functional.adaptive_max_pool2d`.

    >>> import gleed
    >>> gleed.nn.AdaptiveMaxPool2d(2)(gleed.zeros(2, 3, 5, 5)).shape
    gleed.Size([2, 3, 2, 2])
    """

    function = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The maximum of each of `output_size` windows. See
    `gleed.nn.functional.adaptive_max_pool3d`.

    >>> import gleed
    >>> gleed.nn.AdaptiveMaxPool3d(2)(gleed.zeros(2, 3, 5, 5, 5)).shape
    gleed.Size([2, 3, 2, 2, 2])
    """

    function = staticmethod(F.adaptive_max_pool3d)
