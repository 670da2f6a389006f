"""Dropout: of elements, of whole channels, and for networks of SELU."""

from __future__ import annotations

from gleed import Tensor
from gleed.nn import functional as F
from gleed.nn.module import Module
from gleed.nn.modules.check import check_probability


class DropoutBase(Module):
    """What all kinds share: the probability `p`, and whether the input is overwritten."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        self.p = check_probability(type(self).__name__, "p", p)
        self.inplace = inplace

    def extra_repr(self) -> str:
        """The probability, and whether the input is overwritten."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(DropoutBase):
    """In training, set each element to zero with probability `p` and scale the others by 1/(1−p).

    In evaluation it returns its input. Any shape.

    Source: Hinton et al., "Improving neural networks by preventing co-adaptation of feature
    detectors", 2012.

    >>> import gleed
    >>> gleed.nn.Dropout(0.5).eval()(gleed.ones(3))
    tensor([1., 1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Drop elements of `input`, in training."""
        if self.inplace:
            return F.dropout(input, self.p, self.training, inplace=True)
        return F.dropout(input, self.p, self.training)


class Dropout1d(DropoutBase):
    """In training, set whole channels to zero with probability `p`, scale the others by 1/(1−p).

    Shapes: input and output `(N, C, L)` or `(C, L)`.

    Source: Tompson et al., "Efficient object localization using convolutional networks", 2015.

    >>> import gleed
    >>> gleed.nn.Dropout1d(0.5).eval()(gleed.ones(1, 3))
    tensor([[1., 1., 1.]])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Drop parts of `input`, in training."""
        if self.inplace:
            return F.dropout1d(input, self.p, self.training, inplace=True)
        return F.dropout1d(input, self.p, self.training)


class Dropout2d(DropoutBase):
    """As Dropout1d, for `(N, C, H, W)`; three dims are taken as `(N, C, L)`, as in PyTorch."""

    def forward(self, input: Tensor) -> Tensor:
        """Drop parts of `input`, in training."""
        if self.inplace:
            return F.dropout2d(input, self.p, self.training, inplace=True)
        return F.dropout2d(input, self.p, self.training)


class Dropout3d(DropoutBase):
    """As Dropout1d, for `(N, C, D, H, W)` or `(C, D, H, W)`."""

    def forward(self, input: Tensor) -> Tensor:
        """Drop parts of `input`, in training."""
        if self.inplace:
            return F.dropout3d(input, self.p, self.training, inplace=True)
        return F.dropout3d(input, self.p, self.training)


class AlphaDropout(DropoutBase):
    """Dropout for networks of SELU, which keeps mean 0 and variance 1. Any shape.

    Source: Klambauer et al., "Self-normalizing neural networks", 2017.

    >>> import gleed
    >>> gleed.nn.AlphaDropout(0.5).eval()(gleed.ones(3))
    tensor([1., 1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Drop parts of `input`, in training."""
        if self.inplace:
            return F.alpha_dropout(input, self.p, self.training, inplace=True)
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(DropoutBase):
    """AlphaDropout of whole channels of `(N, C, *)`."""

    def forward(self, input: Tensor) -> Tensor:
        """Drop parts of `input`, in training."""
        if self.inplace:
            return F.feature_alpha_dropout(input, self.p, self.training, inplace=True)
        return F.feature_alpha_dropout(input, self.p, self.training)
