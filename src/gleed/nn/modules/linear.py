"""Linear, Bilinear, Identity."""

from __future__ import annotations

import math
from typing import Any

import gleed
from gleed import Tensor
from gleed.nn import functional as F
from gleed.nn import init
from gleed.nn.module import Module
from gleed.nn.modules.check import check_size
from gleed.nn.parameter import Parameter


class Identity(Module):
    """Returns its input; accepts and ignores any arguments, so it can stand for any module.

    >>> import gleed
    >>> gleed.nn.Identity(54, unused=True)(gleed.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        """`input` itself."""
        return input


class Linear(Module):
    """y = x Aᵀ + b.

    Shapes: input `(*, in_features)`, output `(*, out_features)`; `weight` is
    `(out_features, in_features)`, `bias` `(out_features,)` or None. Both begin uniform in
    ±1/√in_features.

    >>> import gleed
    >>> gleed.nn.Linear(32, 4)(gleed.zeros(10, 32)).shape
    gleed.Size([10, 4])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.in_features = check_size("Linear", "in_features", in_features)
        self.out_features = check_size("Linear", "out_features", out_features)
        self.weight = Parameter(gleed.empty(out_features, in_features, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(gleed.empty(out_features, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        """Apply the map to the last dimension of `input`."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The sizes, and whether there is a bias."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )

    def _summary(self) -> str:
        return f"{self._get_name()}({self.in_features} → {self.out_features})"


class NonDynamicallyQuantizableLinear(Linear):
    """`Linear` under the name by which `MultiheadAttention` shows it, as in PyTorch."""


class Bilinear(Module):
    """y_k = x₁ᵀ A_k x₂ + b_k.

    Shapes: inputs `(*, in1_features)` and `(*, in2_features)`, output `(*, out_features)`; `weight`
    is `(out_features, in1_features, in2_features)`, `bias` `(out_features,)` or None. Both begin
    uniform in ±1/√in1_features.
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.in1_features = check_size("Bilinear", "in1_features", in1_features, least=1)
        self.in2_features = check_size("Bilinear", "in2_features", in2_features)
        self.out_features = check_size("Bilinear", "out_features", out_features)
        sizes = (out_features, in1_features, in2_features)
        self.weight = Parameter(gleed.empty(sizes, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(gleed.empty(out_features, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """Apply the form to the last dimensions of the inputs."""
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The sizes, and whether there is a bias."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )
