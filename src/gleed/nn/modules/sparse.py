"""Embedding and EmbeddingBag."""

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
        self.padding_idx = _row("Embedding", padding_idx, num_embeddings)
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
        if self.max_norm is None and not self.scale_grad_by_freq:
            return F.embedding(input, self.weight, self.padding_idx)
        options = self.max_norm, self.norm_type, self.scale_grad_by_freq
        return F.embedding(input, self.weight, self.padding_idx, *options)

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
        rows, columns = _sizes("Embedding", embeddings)
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


class EmbeddingBag(Module):
    """The sum, mean or maximum of bags of vectors from a table, looked up by index.

    Shapes: input `(B, N)` of integers in 0 … num_embeddings−1, or bags one after another with
    `offsets` `(B)`, where each begins (`(B + 1)` with `include_last_offset`, the last one being
    the end); output `(B, embedding_dim)`, zero for empty bags. `weight` is
    `(num_embeddings, embedding_dim)` and begins normal with mean 0 and variance 1.

    Args:
        mode: "sum", "mean" or "max".
        padding_idx: the index of a vector that does not count; it begins as zeros.
        max_norm, norm_type, scale_grad_by_freq, sparse: as for Embedding.

    >>> import gleed
    >>> bag = gleed.nn.EmbeddingBag(10, 3, mode="sum")
    >>> bag(gleed.tensor([1, 2, 4, 5]), gleed.tensor([0, 3])).shape
    gleed.Size([2, 3])
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = check_size("EmbeddingBag", "num_embeddings", num_embeddings)
        self.embedding_dim = check_size("EmbeddingBag", "embedding_dim", embedding_dim)
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.padding_idx = _row("EmbeddingBag", padding_idx, num_embeddings)
        self.mode = mode
        self.sparse = sparse
        self.include_last_offset = include_last_offset
        if _weight is None:
            values = gleed.empty(num_embeddings, embedding_dim, device=device, dtype=dtype)
            self.weight = Parameter(values)
            self.reset_parameters()
        else:
            self.weight = Parameter(_weight)

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with gleed.no_grad():
                self.weight[self.padding_idx].fill_(0)

    def forward(
        self,
        input: Tensor,
        offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:
        """What becomes of the vectors of each bag; `per_sample_weights` scale those of a sum."""
        return F.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        """The sizes, the mode, and the options that were given."""
        options = {
            "max_norm": None,
            "norm_type": 2,
            "scale_grad_by_freq": False,
            "mode": "",
            "padding_idx": None,
        }
        given = [
            f"{name}={getattr(self, name)!r}"
            for name, default in options.items()
            if getattr(self, name) != default
        ]
        return ", ".join([f"{self.num_embeddings}, {self.embedding_dim}", *given])

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:
        """An EmbeddingBag with the rows of `embeddings`, two-dimensional, as its vectors.

        `freeze` keeps them from being trained. Raises ShapeError for another number of dimensions.

        >>> import gleed
        >>> table = gleed.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> gleed.nn.EmbeddingBag.from_pretrained(table)(gleed.tensor([[0, 1]]))
        tensor([[2., 3.]])
        """
        rows, columns = _sizes("EmbeddingBag", embeddings)
        bag = cls(
            rows,
            columns,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            mode,
            sparse,
            embeddings,
            include_last_offset,
            padding_idx,
        )
        bag.weight.requires_grad_(not freeze)
        return bag


def _sizes(module: str, embeddings: Tensor) -> tuple[int, int]:
    """The number of vectors and their size."""
    if embeddings.ndim != 2:
        raise ShapeError(
            f"{module}.from_pretrained: embeddings must have two dimensions, one row a vector; "
            f"got shape {tuple(embeddings.shape)}; reshape it to (number, size)"
        )
    rows, columns = embeddings.shape
    return rows, columns


def _row(module: str, padding_idx: int | None, count: int) -> int | None:
    """`padding_idx` counted from the front."""
    if padding_idx is None:
        return None
    if not -count <= padding_idx < count:
        raise RangeError(
            f"{module}: padding_idx is one of the {count} rows, {-count} to {count - 1}; "
            f"got {padding_idx}; add a row for it: num_embeddings={count + 1}"
        )
    return padding_idx % count
