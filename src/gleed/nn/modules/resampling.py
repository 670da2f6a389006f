"""Images made larger or smaller."""

from __future__ import annotations

from collections.abc import Sequence

from gleed import Tensor
from gleed.nn import functional as F
from gleed.nn.module import Module

Sizes = int | Sequence[int]
Factors = float | Sequence[float]


class Upsample(Module):
    """`gleed.nn.functional.interpolate` as a module: (batch, channels, *) with dims * of `size`, or
    `scale_factor` times as large.

    >>> import gleed
    >>> gleed.nn.Upsample(scale_factor=2, mode="bilinear")(gleed.zeros(2, 3, 4, 5)).shape
    gleed.Size([2, 3, 8, 10])
    """

    def __init__(
        self,
        size: Sizes | None = None,
        scale_factor: Factors | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.size = size
        if isinstance(scale_factor, Sequence):
            self.scale_factor: Factors | None = tuple(map(float, scale_factor))
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        """The resized input."""
        return F.interpolate(
            input,
            self.size,
            self.scale_factor,
            self.mode,
            self.align_corners,
            self.recompute_scale_factor,
        )

    def extra_repr(self) -> str:
        """The factor or the size, and the mode."""
        if self.scale_factor is not None:
            return f"scale_factor={self.scale_factor!r}, mode={self.mode!r}"
        return f"size={self.size!r}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """`Upsample` to the nearest place.

    >>> import gleed
    >>> gleed.nn.UpsamplingNearest2d(scale_factor=2)(gleed.zeros(2, 3, 4, 5)).shape
    gleed.Size([2, 3, 8, 10])
    """

    def __init__(self, size: Sizes | None = None, scale_factor: Factors | None = None) -> None:
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """`Upsample` in mode "bilinear", the centres of corners upon each other.

    >>> import gleed
    >>> gleed.nn.UpsamplingBilinear2d((3, 3))(gleed.zeros(2, 3, 4, 5)).shape
    gleed.Size([2, 3, 3, 3])
    """

    def __init__(self, size: Sizes | None = None, scale_factor: Factors | None = None) -> None:
        super().__init__(size, scale_factor, "bilinear", True)
