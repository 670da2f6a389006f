"""LayerNorm and RMSNorm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gleed
from gleed import Tensor
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


def _shape(module: str, shape: int | Sequence[int]) -> tuple[int, ...]:
    sizes = shape if isinstance(shape, Sequence) else (shape,)
    return tuple(check_size(module, "normalized_shape", size) for size in sizes)
