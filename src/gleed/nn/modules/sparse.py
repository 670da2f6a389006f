"""Embedding."""

from __future__ import annotations

from typing import Any

import gleed
from gleed import Tensor
from gleed.errors import RangeError, ShapeError
from gleed.nn import functional as F
from gleed.nn import init
from gleed.nn.module import Module
from gleed.nn.modules.check import check_size
from gleed.nn.parameter import Parameter


class Embedding(Module):
    """A table of vectors, looked up by index.

    Shapes: input `(*)` of integers in 0 … num_embeddings−1, output `(*, embedding_dim)`; `weight`
    is `(num_embeddings, embedding_dim)` and begins normal with mean 0 and variance 1.

    Args:
        num_embeddings: how many vectors.
        embedding_dim: the size of each.
        padding_idx: the index of a vector that begins as zeros and is not trained.
        max_norm: vectors that are looked up are scaled in place to at most this norm.
        norm_type: the order of that norm.
        scale_grad_by_freq: divide the gradient of a vector by how often it was looked up.
        sparse: accepted for PyTorch's signature; gradients are dense.

    >>> import gleed
    >>> gleed.nn.Embedding(10, 3)(gleed.tensor([[1, 2], [4, 5]])).shape
    gleed.Size([2, 2, 3])
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = check_size("Embedding", "num_embeddings", num_embeddings)
        self.embedding_dim = check_size("Embedding", "embedding_dim", embedding_dim)
        self.padding_idx = _row(padding_idx, num_embeddings)
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        if _weight is None:
            values = gleed.empty(num_embeddings, embedding_dim, device=device, dtype=dtype)
            self.weight = Parameter(values, requires_grad=not _freeze)
            self.reset_parameters()
        else:
            if tuple(_weight.shape) != (num_embeddings, embedding_dim):
                raise ShapeError(
                    "Embedding: the weight must have the shape (num_embeddings, embedding_dim); "
                    f"got {tuple(_weight.shape)} for {(num_embeddings, embedding_dim)}; "
                    "use Embedding.from_pretrained(weight), which takes the sizes from it"
                )
            self.weight = Parameter(_weight, requires_grad=not _freeze)

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with gleed.no_grad():
                self.weight[self.padding_idx].fill_(0)

    def forward(self, input: Tensor) -> Tensor:
        """The vectors at the indices `input`."""
        if self.max_norm is None:
            result = F.embedding(input, self.weight, self.padding_idx)
        else:
            limits = self.max_norm, self.norm_type
            result = F.embedding(input, self.weight, self.padding_idx, *limits)
        return self._share_gradient(result, input) if self.scale_grad_by_freq else result

    def _share_gradient(self, result: Tensor, input: Tensor) -> Tensor:
        """`result`, with the gradient of each vector divided by how often it was looked up."""
        rows = input.reshape(-1)
        counts = gleed.zeros(self.num_embeddings, dtype=result.dtype, device=result.device)
        counts.index_add_(0, rows, gleed.ones_like(rows, dtype=result.dtype))
        shares = (1 / counts[rows]).reshape(*input.shape, 1)
        values = result.detach()
        return values + (result - values) * shares

    def extra_repr(self) -> str:
        """The sizes, and the options that were given."""
        options = {
            "padding_idx": None,
            "max_norm": None,
            "norm_type": 2,
            "scale_grad_by_freq": False,
            "sparse": False,
        }
        given = [
            f"{name}={getattr(self, name)}"
            for name, default in options.items()
            if getattr(self, name) != default
        ]
        return ", ".join([f"{self.num_embeddings}, {self.embedding_dim}", *given])

    def _summary(self) -> str:
        return f"{self._get_name()}({self.num_embeddings} → {self.embedding_dim})"

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """An Embedding with the rows of `embeddings`, two-dimensional, as its vectors.

        `freeze` keeps them from being trained. Raises ShapeError for another number of dimensions.

        >>> import gleed
        >>> table = gleed.nn.Embedding.from_pretrained(gleed.tensor([[1.0, 2.0], [3.0, 4.0]]))
        >>> table(gleed.tensor([1]))
        tensor([[3., 4.]])
        """
        if embeddings.ndim != 2:
            raise ShapeError(
                "Embedding.from_pretrained: embeddings must have two dimensions, one row a vector; "
                f"got shape {tuple(embeddings.shape)}; reshape it to (number, size)"
            )
        rows, columns = embeddings.shape
        return cls(
            rows,
            columns,
            padding_idx,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            sparse,
            _weight=embeddings,
            _freeze=freeze,
        )


def _row(padding_idx: int | None, count: int) -> int | None:
    """`padding_idx` counted from the front."""
    if padding_idx is None:
        return None
    if not -count <= padding_idx < count:
        raise RangeError(
            f"Embedding: padding_idx is one of the {count} rows, {-count} to {count - 1}; "
            f"got {padding_idx}; add a row for it: num_embeddings={count + 1}"
        )
    return padding_idx % count
