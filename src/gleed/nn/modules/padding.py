"""Padding: more elements around the last dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from gleed import Tensor
from gleed.nn import functional as F
from gleed.nn.module import Module


class _Pad(Module):
    """`padding`: (before, after) of the last dimension, then of the one before it, and so on; one
    number for all."""

    ndim: ClassVar[int]
    mode: ClassVar[str] = "constant"
    value: float = 0.0

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        self.padding = (padding,) * (2 * self.ndim) if isinstance(padding, int) else tuple(padding)

    def forward(self, input: Tensor) -> Tensor:
        """The padded input."""
        if self.mode == "constant":
            return F.pad(input, self.padding, self.mode, self.value)
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        """The padding."""
        return f"{self.padding}"


class _ConstantPad(_Pad):
    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        """The padding, and with what."""
        return f"padding={self.padding}, value={self.value}"


class ZeroPad1d(_Pad):
    """Zeros around the last dimension. See
    `gleed.nn.functional.pad`.

    >>> import gleed
    >>> gleed.nn.ZeroPad1d(1)(gleed.zeros(2, 3, 3)).shape
    gleed.Size([2, 3, 5])
    """

    ndim = 1


class ZeroPad2d(_Pad):
    """Zeros around the last two dimensions. See
    `gleed.nn.functional.pad`.

    >>> import gleed
    >>> gleed.nn.ZeroPad2d(1)(gleed.zeros(2, 3, 3, 3)).shape
    gleed.Size([2, 3, 5, 5])
    """

    ndim = 2


class ZeroPad3d(_Pad):
    """Zeros around the last three dimensions. See
    `gleed.nn.functional.pad`.

    >>> import gleed
    >>> gleed.nn.ZeroPad3d(1)(gleed.zeros(2, 3, 3, 3, 3)).shape
    gleed.Size([2, 3, 5, 5, 5])
    """

    ndim = 3


class ConstantPad1d(_ConstantPad):
    """`value` around the last dimension. See
    `gleed.nn.functional.pad`.

    >>> import gleed
    >>> gleed.nn.ConstantPad1d(1, 3.5)(gleed.zeros(2, 3, 3)).shape
    gleed.Size([2, 3, 5])
    """

    ndim = 1


class ConstantPad2d(_ConstantPad):
    """`value` around the last two dimensions. See
    `gleed.nn.functional.pad`.

    >>> import gleed
    >>> gleed.nn.ConstantPad2d(1, 3.5)(gleed.zeros(2, 3, 3, 3)).shape
    gleed.Size([2, 3, 5, 5])
    """

    ndim = 2


class ConstantPad3d(_ConstantPad):
    """`value` around the last three dimensions. See
    `gleed.nn.functional.pad`.

    >>> import gleed
    >>> gleed.nn.ConstantPad3d(1, 3.5)(gleed.zeros(2, 3, 3, 3, 3)).shape
    gleed.Size([2, 3, 5, 5, 5])
    """

    ndim = 3


class ReflectionPad1d(_Pad):
    """The input mirrored at its edges around the last dimension. See
    `gleed.nn.functional.pad`.

    >>> import gleed
    >>> gleed.nn.ReflectionPad1d(1)(gleed.zeros(2, 3, 3)).shape
    gleed.Size([2, 3, 5])
    """

    ndim = 1
    mode = "reflect"


class ReflectionPad2d(_Pad):
    """The input mirrored at its edges around the last two dimensions. See
    `gleed.nn.functional.pad`.

    >>> import gleed
    >>> gleed.nn.ReflectionPad2d(1)(gleed.zeros(2, 3, 3, 3)).shape
    gleed.Size([2, 3, 5, 5])
    """

    ndim = 2
    mode = "reflect"


class ReflectionPad3d(_Pad):
    """The input mirrored at its edges around the last three dimensions. See
    `gleed.nn.functional.pad`.

    >>> import gleed
    >>> gleed.nn.ReflectionPad3d(1)(gleed.zeros(2, 3, 3, 3, 3)).shape
    gleed.Size([2, 3, 5, 5, 5])
    """

    ndim = 3
    mode = "reflect"


class ReplicationPad1d(_Pad):
    """The edges of the input repeated around the last dimension. See
    `gleed.nn.functional.pad`.

    >>> import gleed
    >>> gleed.nn.ReplicationPad1d(1)(gleed.zeros(2, 3, 3)).shape
    gleed.Size([2, 3, 5])
    """

    ndim = 1
    mode = "replicate"


class ReplicationPad2d(_Pad):
    """The edges of the input repeated around the last two dimensions. See
    `gleed.nn.functional.pad`.

    >>> import gleed
    >>> gleed.nn.ReplicationPad2d(1)(gleed.zeros(2, 3, 3, 3)).shape
    gleed.Size([2, 3, 5, 5])
    """

    ndim = 2
    mode = "replicate"


class ReplicationPad3d(_Pad):
    """The edges of the input repeated around the last three dimensions. See
    `gleed.nn.functional.pad`.

    >>> import gleed
    >>> gleed.nn.ReplicationPad3d(1)(gleed.zeros(2, 3, 3, 3, 3)).shape
    gleed.Size([2, 3, 5, 5, 5])
    """

    ndim = 3
    mode = "replicate"


class CircularPad1d(_Pad):
    """The input from its other end around the last dimension. See
    `gleed.nn.functional.pad`.

    >>> import gleed
    >>> gleed.nn.CircularPad1d(1)(gleed.zeros(2, 3, 3)).shape
    gleed.Size([2, 3, 5])
    """

    ndim = 1
    mode = "circular"


class CircularPad2d(_Pad):
    """The input from its other end around the last two dimensions. See
    `gleed.nn.functional.pad`.

    >>> import gleed
    >>> gleed.nn.CircularPad2d(1)(gleed.zeros(2, 3, 3, 3)).shape
    gleed.Size([2, 3, 5, 5])
    """

    ndim = 2
    mode = "circular"


class CircularPad3d(_Pad):
    """The input from its other end around the last three dimensions. See
    `gleed.nn.functional.pad`.

    >>> import gleed
    >>> gleed.nn.CircularPad3d(1)(gleed.zeros(2, 3, 3, 3, 3)).shape
    gleed.Size([2, 3, 5, 5, 5])
    """

    ndim = 3
    mode = "circular"
