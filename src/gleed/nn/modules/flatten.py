"""Flatten and Unflatten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gleed import Tensor
from gleed.errors import ArgumentError
from gleed.nn.module import Module


class Flatten(Module):
    """Make one dimension of those from `start_dim` to `end_dim`.

    >>> import gleed
    >>> gleed.nn.Flatten()(gleed.zeros(5, 2, 3)).shape
    gleed.Size([5, 6])
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        """A view of `input` where its strides allow one, else a copy."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """The two dimensions."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Divide the dimension `dim` into those of the sizes `unflattened_size`; one may be −1.

    >>> import gleed
    >>> gleed.nn.Unflatten(1, (2, 3))(gleed.zeros(5, 6)).shape
    gleed.Size([5, 2, 3])
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        if not isinstance(dim, int):
            raise ArgumentError(
                f"Unflatten: dim is an integer; got {dim!r} of type {type(dim).__name__}; "
                "named dimensions are not supported, pass the number of the dimension"
            )
        self.dim = dim
        self.unflattened_size = _sizes(unflattened_size)

    def forward(self, input: Tensor) -> Tensor:
        """A view of `input`."""
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        """The dimension and the sizes."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


def _sizes(sizes: Any) -> Any:
    if isinstance(sizes, list | tuple) and all(isinstance(size, int) for size in sizes):
        return sizes
    raise ArgumentError(
        f"Unflatten: unflattened_size is a tuple of integers; got {sizes!r} of type "
        f"{type(sizes).__name__}; write (2, 3) for two dimensions of sizes 2 and 3"
    )
