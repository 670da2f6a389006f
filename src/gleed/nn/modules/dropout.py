"""Dropout."""

from __future__ import annotations

from gleed import Tensor
from gleed.nn import functional as F
from gleed.nn.module import Module
from gleed.nn.modules.check import check_probability


class Dropout(Module):
    """In training, set each element to zero with probability `p` and scale the others by 1/(1−p).

    In evaluation it returns its input. Any shape.

    Source: Hinton et al., "Improving neural networks by preventing co-adaptation of feature
    detectors", 2012.

    >>> import gleed
    >>> gleed.nn.Dropout(0.5).eval()(gleed.ones(3))
    tensor([1., 1., 1.])
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        self.p = check_probability(type(self).__name__, "p", p)
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Drop elements of `input`, in training."""
        if self.inplace:
            return F.dropout(input, self.p, self.training, inplace=True)
        return F.dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        """The probability, and whether the input is overwritten."""
        return f"p={self.p}, inplace={self.inplace}"
