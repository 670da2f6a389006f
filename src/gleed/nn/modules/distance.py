"""Distances between vectors as modules."""

from __future__ import annotations

from gleed import Tensor
from gleed.nn import functional as F
from gleed.nn.module import Module


class PairwiseDistance(Module):
    """The norm of order `p` of x1 − x2 + `eps` along the last dimension.

    Shapes: inputs `(N, D)` or `(D)`, output `(N)` or `()`, with `keepdim` `(N, 1)` or `(1)`.

    >>> import gleed
    >>> gleed.nn.PairwiseDistance()(gleed.tensor([[3.0, 4.0]]), gleed.zeros(1, 2))
    tensor([5.0000])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """The distances between the vectors of `x1` and `x2`."""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class CosineSimilarity(Module):
    """The cosine of the angle between x1 and x2 along `dim`; lengths count as `eps` at least.

    Shapes: inputs that broadcast, output without `dim`.

    >>> import gleed
    >>> gleed.nn.CosineSimilarity()(gleed.tensor([[1.0, 0.0]]), gleed.tensor([[1.0, 1.0]]))
    tensor([0.7071])
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """The cosines between the vectors of `x1` and `x2`."""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)
