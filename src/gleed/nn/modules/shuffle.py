"""Channels exchanged for pixels, and for one another."""

from __future__ import annotations

from gleed import Tensor
from gleed.nn import functional as F
from gleed.nn.module import Module


class PixelShuffle(Module):
    """(*, C r², H, W) as (*, C, H r, W r), with r = `upscale_factor`.

    Source: Shi et al., "Real-time single image and video super-resolution", 2016.

    >>> import gleed
    >>> gleed.nn.PixelShuffle(2)(gleed.zeros(2, 12, 3, 5)).shape
    gleed.Size([2, 3, 6, 10])
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """More pixels, fewer channels."""
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        """The factor."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """(*, C, H r, W r) as (*, C r², H, W), with r = `downscale_factor`: undoes `PixelShuffle`.

    >>> import gleed
    >>> gleed.nn.PixelUnshuffle(2)(gleed.zeros(2, 3, 6, 10)).shape
    gleed.Size([2, 12, 3, 5])
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """Fewer pixels, more channels."""
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        """The factor."""
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """The channels read across `groups` equal groups.

    Source: Zhang et al., "ShuffleNet", 2018.

    >>> import gleed
    >>> gleed.nn.ChannelShuffle(2)(gleed.arange(4.0).reshape(1, 4, 1)).flatten()
    tensor([0., 2., 1., 3.])
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        """The channels in their new order."""
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        """The number of groups."""
        return f"groups={self.groups}"
