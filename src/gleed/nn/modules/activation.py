"""Activation functions as modules: the same formulas as in `gleed.nn.functional`."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import gleed
from gleed import Tensor
from gleed.errors import RangeError, ShapeError
from gleed.nn import functional as F
from gleed.nn import init
from gleed.nn.module import Module
from gleed.nn.modules.check import check_size
from gleed.nn.parameter import Parameter


class Activation(Module):
    """A function of each element, or along one dimension; input and output have the same shape."""

    # The attributes that the repr shows, in this order.
    shown: ClassVar[tuple[str, ...]] = ()
    inplace: bool = False

    def extra_repr(self) -> str:
        """The constants of the function, and whether the input is overwritten."""
        parts = [f"{name}={getattr(self, name)}" for name in self.shown]
        return ", ".join([*parts, "inplace=True"] if self.inplace else parts)


class ReLU(Activation):
    """max(0, x).

    >>> import gleed
    >>> gleed.nn.ReLU()(gleed.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        return F.relu(input, inplace=True) if self.inplace else F.relu(input)


class ReLU6(Activation):
    """min(max(0, x), 6)."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        return F.relu6(input, inplace=True) if self.inplace else F.relu6(input)


class LeakyReLU(Activation):
    """x where it is positive, else `negative_slope` · x."""

    shown = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        if self.inplace:
            return F.leaky_relu(input, self.negative_slope, inplace=True)
        return F.leaky_relu(input, self.negative_slope)


class PReLU(Activation):
    """x where it is positive, else a · x; a is learned, one or one per channel (dimension 1)."""

    shown = ("num_parameters",)

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.num_parameters = check_size("PReLU", "num_parameters", num_parameters, least=1)
        self.init = init
        self.weight = Parameter(gleed.empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set a to its initial value."""
        init.constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        return F.prelu(input, self.weight)


class ELU(Activation):
    """x where it is positive, else `alpha` · (eˣ − 1).

    Source: Clevert, Unterthiner, Hochreiter, "Fast and Accurate Deep Network Learning by
    Exponential Linear Units", 2015.
    """

    shown = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        return F.elu(input, self.alpha, inplace=True) if self.inplace else F.elu(input, self.alpha)


class CELU(ELU):
    """x where it is positive, else `alpha` · (exp(x / `alpha`) − 1)."""

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        if self.inplace:
            return F.celu(input, self.alpha, inplace=True)
        return F.celu(input, self.alpha)


class SELU(Activation):
    """1.0507 · ELU(x) with alpha 1.6733, which keeps mean 0 and variance 1.

    Source: Klambauer et al., "Self-Normalizing Neural Networks", 2017.
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        return F.selu(input, inplace=True) if self.inplace else F.selu(input)


class GELU(Activation):
    """x · Φ(x), Φ being the distribution function of the normal distribution.

    `approximate="tanh"` replaces Φ by a formula with tanh.

    Source: Hendrycks, Gimpel, "Gaussian Error Linear Units", 2016.
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        """Which formula."""
        return f"approximate={self.approximate!r}"


class SiLU(Activation):
    """x · sigmoid(x), also known as swish."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        return F.silu(input, inplace=True) if self.inplace else F.silu(input)


class Mish(Activation):
    """x · tanh(softplus(x)).

    Source: Misra, "Mish: A Self Regularized Non-Monotonic Activation Function", 2019.
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        return F.mish(input, inplace=True) if self.inplace else F.mish(input)


class Softplus(Activation):
    """log(1 + exp(`beta` x)) / `beta`; x itself where `beta` x exceeds `threshold`."""

    shown = ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        return F.softplus(input, self.beta, self.threshold)


class Sigmoid(Activation):
    """1 / (1 + e⁻ˣ)."""

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        return gleed.sigmoid(input)


class LogSigmoid(Activation):
    """log(1 / (1 + e⁻ˣ)), accurate where the sigmoid is close to 0."""

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        return F.logsigmoid(input)


class Tanh(Activation):
    """The hyperbolic tangent."""

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        return gleed.tanh(input)


class Tanhshrink(Activation):
    """x − tanh(x)."""

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        return F.tanhshrink(input)


class Softsign(Activation):
    """x / (1 + |x|)."""

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        return F.softsign(input)


class Hardtanh(Activation):
    """x limited to `min_val` … `max_val`."""

    shown = ("min_val", "max_val")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        if min_val >= max_val:
            raise RangeError(
                f"Hardtanh: min_val must be below max_val; got {min_val} and {max_val}; swap them"
            )
        self.min_val = min_val
        self.max_val = max_val
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        if self.inplace:
            return F.hardtanh(input, self.min_val, self.max_val, inplace=True)
        return F.hardtanh(input, self.min_val, self.max_val)


class Hardsigmoid(Activation):
    """min(max(0, x + 3), 6) / 6."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        return F.hardsigmoid(input, inplace=True) if self.inplace else F.hardsigmoid(input)

    def extra_repr(self) -> str:
        """Nothing, as PyTorch prints it."""
        return ""


class Hardswish(Hardsigmoid):
    """x · hardsigmoid(x)."""

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        return F.hardswish(input, inplace=True) if self.inplace else F.hardswish(input)


class Hardshrink(Activation):
    """x, but 0 where |x| ≤ `lambd`."""

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        return F.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """The constant."""
        return f"{self.lambd}"


class Softshrink(Hardshrink):
    """x moved by `lambd` towards 0, but 0 where |x| ≤ `lambd`."""

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        return F.softshrink(input, self.lambd)


class Threshold(Activation):
    """x where it exceeds `threshold`, else `value`."""

    shown = ("threshold", "value")

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        if self.inplace:
            return F.threshold(input, self.threshold, self.value, inplace=True)
        return F.threshold(input, self.threshold, self.value)


class RReLU(Activation):
    """x where it is positive, else a · x; in training a is drawn for every element, uniform from
    `lower` to `upper`, in evaluation it is their mean.

    Source: Xu et al., "Empirical Evaluation of Rectified Activations in Convolutional Network",
    2015.
    """

    shown = ("lower", "upper")

    def __init__(
        self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False
    ) -> None:
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        if self.inplace:
            return F.rrelu(input, self.lower, self.upper, self.training, inplace=True)
        return F.rrelu(input, self.lower, self.upper, self.training)


class GLU(Activation):
    """a · sigmoid(b), a and b being the halves of the input along `dim`, of even size.

    Source: Dauphin et al., "Language Modeling with Gated Convolutional Networks", 2016.
    """

    shown = ("dim",)

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        return F.glu(input, self.dim)


class Softmax(Activation):
    """exp(x) divided by its sum along `dim`.

    >>> import gleed
    >>> gleed.nn.Softmax(dim=0)(gleed.zeros(4))
    tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """

    shown = ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        return F.softmax(input, _dim(self, input))


class Softmax2d(Activation):
    """Softmax over the channels of every place. Shapes: `(N, C, H, W)` or `(C, H, W)`.

    >>> import gleed
    >>> gleed.nn.Softmax2d()(gleed.zeros(2, 1, 1)).flatten()
    tensor([0.5000, 0.5000])
    """

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        if input.ndim not in (3, 4):
            raise ShapeError(
                "Softmax2d: the input must be (N, C, H, W) or (C, H, W); got shape "
                f"{tuple(input.shape)}; use Softmax(dim) for others"
            )
        return F.softmax(input, -3)


class LogSoftmax(Softmax):
    """The logarithm of softmax, accurate where that is close to 0."""

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        return F.log_softmax(input, _dim(self, input))


class Softmin(Softmax):
    """Softmax of −x."""

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`."""
        return F.softmax(-input, _dim(self, input))


def _dim(module: Softmax, input: Tensor) -> int:
    if module.dim is not None:
        return module.dim
    dim = 0 if input.ndim in (0, 1, 3) else 1
    name = type(module).__name__
    warnings.warn(
        f"{name}: dim should say along which dimension the sum runs; got None, which PyTorch "
        f"takes as {dim} for an input of {input.ndim} dimensions; write {name}(dim={dim})",
        stacklevel=3,
    )
    return dim
