"""Questions about objects, and constants, as PyTorch's namespace has them."""

from __future__ import annotations

from math import e, inf, nan, pi
from typing import Any

from gleed._C import Tensor

__all__ = [
    "e",
    "inf",
    "is_complex",
    "is_floating_point",
    "is_tensor",
    "nan",
    "newaxis",
    "numel",
    "pi",
]

newaxis = None


def is_tensor(obj: Any) -> bool:
    """Whether an object is a tensor.

    >>> is_tensor(3)
    False
    """
    return isinstance(obj, Tensor)


def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype is floating point.

    >>> is_floating_point(Tensor([1]))
    True
    """
    return input.is_floating_point()


def is_complex(input: Tensor) -> bool:
    """Whether the dtype is complex.

    >>> is_complex(Tensor([1]))
    False
    """
    return input.is_complex()


def numel(input: Tensor) -> int:
    """The number of elements.

    >>> numel(Tensor([1, 2]))
    2
    """
    return input.numel()
