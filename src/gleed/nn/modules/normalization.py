"""LayerNorm, RMSNorm, GroupNorm and normalisation across neighbouring channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gleed
from gleed import Tensor
from gleed.errors import RangeError
from gleed.nn import functional as F
from gleed.nn import init
from gleed.nn.module import Module
from gleed.nn.modules.check import check_size
from gleed.nn.parameter import Parameter


class LayerNorm(Module):
    """Bring each sample to mean 0 and variance 1 over its last dimensions, then scale and shift.

    Shapes: input and output `(*, *normalized_shape)`; `weight` (begins as ones) and `bias` (zeros)
    have the shape `normalized_shape`, or are None without `elementwise_affine` or `bias`.

    Source: Ba, Kiros, Hinton, "Layer Normalization", 2016.

    >>> import gleed
    >>> gleed.nn.LayerNorm(2)(gleed.tensor([[1.0, 3.0]])).detach()
    tensor([[-1.0000,  1.0000]])
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape("LayerNorm", normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        for name, wanted in (("weight", elementwise_affine), ("bias", elementwise_affine and bias)):
            values = (
                gleed.empty(self.normalized_shape, device=device, dtype=dtype) if wanted else None
            )
            self.register_parameter(name, None if values is None else Parameter(values))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Scale by 1, shift by 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise `input`."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The shape and the options."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """Divide each sample by its root mean square over the last dimensions, then scale.

    Shapes: input and output `(*, *normalized_shape)`; `weight` (begins as ones) has the shape
    `normalized_shape`, or is None without `elementwise_affine`. `eps=None` stands for the smallest
    step of the input's dtype at 1.

    Source: Zhang, Sennrich, "Root Mean Square Layer Normalization", 2019.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape("RMSNorm", normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        if elementwise_affine:
            self.weight = Parameter(gleed.empty(self.normalized_shape, device=device, dtype=dtype))
        else:
            self.register_parameter("weight", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Scale by 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise `input`."""
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """The shape and the options."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class GroupNorm(Module):
    """Bring groups of channels of each sample to mean 0 and variance 1, then scale and shift.

    Shapes: input and output `(N, C, *)` with C = `num_channels`, a multiple of `num_groups`;
    `weight` (begins as ones) and `bias` (zeros) are `(C,)`, or None without `affine`,
    and `bias` with bias=False.

    Source: Wu and He, "Group Normalization", 2018.

    >>> import gleed
    >>> gleed.nn.GroupNorm(2, 4, affine=False)(gleed.tensor([[1.0, 3.0, 10.0, 30.0]]))
    tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_groups = check_size("GroupNorm", "num_groups", num_groups, 1)
        self.num_channels = check_size("GroupNorm", "num_channels", num_channels)
        if num_channels % num_groups:
            raise RangeError(
                "GroupNorm: num_channels is a multiple of num_groups; got "
                f"{num_channels} and {num_groups}; choose a divisor of {num_channels}"
            )
        self.eps = eps
        self.affine = affine
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            values = gleed.empty(num_channels, device=device, dtype=dtype) if wanted else None
            self.register_parameter(name, None if values is None else Parameter(values))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Scale by 1, shift by 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise `input`."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The sizes and the options."""
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LocalResponseNorm(Module):
    """x / (k + alpha · m)^beta, with m the mean square of `size` neighbouring channels.

    Shapes: input and output `(N, C, *)`.

    Source: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural
    networks", 2012.

    >>> import gleed
    >>> gleed.nn.LocalResponseNorm(1, alpha=3, beta=0.5)(gleed.ones(1, 2, 1)).flatten()
    tensor([0.5000, 0.5000])
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = check_size(type(self).__name__, "size", size, 1)
        self.alpha, self.beta, self.k = alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        """Normalise `input`."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """The numbers of the formula."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CrossMapLRN2d(LocalResponseNorm):
    """LocalResponseNorm of `(N, C, H, W)`, under the name it had in Torch."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> None:
        super().__init__(size, alpha, beta, k)


def _shape(module: str, shape: int | Sequence[int]) -> tuple[int, ...]:
    sizes = shape if isinstance(shape, Sequence) else (shape,)
    return tuple(check_size(module, "normalized_shape", size) for size in sizes)
