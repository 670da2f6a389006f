"""Activation functions, softmax and its kin, dropout's arithmetic."""

from __future__ import annotations

import math
from typing import Any

from gleed import primitives as p
from gleed.errors import RangeError
from gleed.ops.axes import axis_of, units
from gleed.ops.families import unary
from gleed.ops.logic import where
from gleed.ops.promotion import as_standins, convert, floating
from gleed.ops.record import Number, Tensor, op

FUNCTIONAL = "nn.functional"


@unary(namespace=("gleed", FUNCTIONAL), out=False)
def relu(input: Tensor) -> Tensor:
    """max(x, 0).

    >>> gleed.relu(gleed.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return p.maximum(input, p.fill(input, 0))


@relu.vjp
def _(g: Any, y: Any, input: Tensor) -> Tensor:
    return p.where(p.gt(y, p.fill(y, 0)), g, p.fill(g, 0))


@op(name="relu6", namespace=FUNCTIONAL)
def relu6(input: Tensor) -> Tensor:
    """min(max(x, 0), 6).

    >>> gleed.nn.functional.relu6(gleed.tensor([-1.0, 2.0, 7.0]))
    tensor([0., 2., 6.])
    """
    return input.clamp(0, 6)


@unary(method=False, inplace=False, out=False, namespace=FUNCTIONAL)
def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x * Phi(x), with Phi the normal distribution function (Hendrycks and Gimpel, 2016); with
    approximate="tanh" by their formula with tanh.

    >>> gleed.nn.functional.gelu(gleed.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.1587,  0.0000,  0.8413])
    """
    if approximate == "none":
        return input * (p.erf(input * math.sqrt(0.5)) + 1) * 0.5
    if approximate != "tanh":
        raise RangeError(
            f'gelu: approximate must be "none" or "tanh"; got {approximate!r}; omit it for the '
            "exact function"
        )
    inner = (input + input * input * input * 0.044715) * math.sqrt(2 / math.pi)
    return input * (p.tanh(inner) + 1) * 0.5


@unary(inplace=False, method=False, out=False, namespace=FUNCTIONAL)
def silu(input: Tensor) -> Tensor:
    """x * sigmoid(x).

    >>> gleed.nn.functional.silu(gleed.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7311])
    """
    return input * p.sigmoid(input)


@unary(inplace=False, method=False, out=False, namespace=FUNCTIONAL)
def mish(input: Tensor) -> Tensor:
    """x * tanh(softplus(x)).

    >>> gleed.nn.functional.mish(gleed.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8651])
    """
    return input * p.tanh(softplus(input))


@op(namespace=FUNCTIONAL)
def softplus(input: Tensor, beta: Number = 1.0, threshold: Number = 20.0) -> Tensor:
    """log(1 + exp(beta * x)) / beta; x itself where beta * x is above `threshold`.

    >>> gleed.nn.functional.softplus(gleed.tensor([0.0, 30.0]))
    tensor([ 0.6931, 30.0000])
    """
    scaled = input * beta
    tail = p.log1p(p.exp(-p.abs(scaled))) + p.maximum(scaled, p.fill(scaled, 0))
    return where(scaled > threshold, input, tail / beta)


@unary(inplace=False, method=False, out=False, namespace=FUNCTIONAL)
def softsign(input: Tensor) -> Tensor:
    """x / (1 + abs(x)).

    >>> gleed.nn.functional.softsign(gleed.tensor([1.0, -3.0]))
    tensor([ 0.5000, -0.7500])
    """
    return input / (p.abs(input) + 1)


@unary(inplace=False, method=False, out=False, namespace=FUNCTIONAL)
def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x).

    >>> gleed.nn.functional.tanhshrink(gleed.tensor([1.0]))
    tensor([0.2384])
    """
    return input - p.tanh(floating(input))


@unary(inplace=False, method=False, out=False, namespace=FUNCTIONAL)
def logsigmoid(input: Tensor) -> Tensor:
    """log(sigmoid(x)) without overflow.

    >>> gleed.nn.functional.logsigmoid(gleed.tensor([0.0]))
    tensor([-0.6931])
    """
    return p.minimum(input, p.fill(input, 0)) - p.log1p(p.exp(-p.abs(input)))


@op(inplace=True, namespace=FUNCTIONAL)
def leaky_relu(input: Tensor, negative_slope: Number = 0.01) -> Tensor:
    """x above zero, negative_slope * x below.

    >>> gleed.nn.functional.leaky_relu(gleed.tensor([-1.0, 2.0]))
    tensor([-0.0100,  2.0000])
    """
    return where(input > 0, input, input * negative_slope)


@op(inplace=True, namespace=FUNCTIONAL)
def elu(input: Tensor, alpha: Number = 1.0) -> Tensor:
    """x above zero, alpha * (exp(x) - 1) below.

    >>> gleed.nn.functional.elu(gleed.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """
    low = p.minimum(input, p.fill(input, 0))
    return where(input > 0, input, p.expm1(low) * alpha)


@op(inplace=True, namespace=("gleed", FUNCTIONAL))
def celu(input: Tensor, alpha: Number = 1.0) -> Tensor:
    """x above zero, alpha * (exp(x / alpha) - 1) below (Barron, 2017).

    >>> gleed.nn.functional.celu(gleed.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """
    low = p.minimum(input, p.fill(input, 0))
    return where(input > 0, input, p.expm1(low / alpha) * alpha)


@op(namespace=FUNCTIONAL)
def softshrink(input: Tensor, lambd: Number = 0.5) -> Tensor:
    """x moved towards zero by lambd, and 0 within lambd of it.

    >>> gleed.nn.functional.softshrink(gleed.tensor([-1.0, 0.2]))
    tensor([-0.5000,  0.0000])
    """
    zero = p.fill(input, 0)
    return where(input > lambd, input - lambd, where(input < -lambd, input + lambd, zero))


@op(method=True, namespace=("gleed", FUNCTIONAL))
def hardshrink(input: Tensor, lambd: Number = 0.5) -> Tensor:
    """x, but 0 within lambd of zero.

    >>> gleed.nn.functional.hardshrink(gleed.tensor([-1.0, 0.2]))
    tensor([-1.,  0.])
    """
    zero = p.fill(input, 0)
    return where(input > lambd, input, where(input < -lambd, input, zero))


@unary(method=False, out=False, namespace=("gleed", FUNCTIONAL))
def selu(input: Tensor) -> Tensor:
    """The self-normalising ELU of Klambauer et al., 2017.

    >>> gleed.nn.functional.selu(gleed.tensor([-1.0, 1.0]))
    tensor([-1.1113,  1.0507])
    """
    alpha, scale = 1.6732632423543772, 1.0507009873554805
    low = p.minimum(input, p.fill(input, 0))
    return where(input > 0, input, p.expm1(low) * alpha) * scale


@op(inplace=True, namespace=FUNCTIONAL)
def hardtanh(input: Tensor, min_val: Number = -1.0, max_val: Number = 1.0) -> Tensor:
    """x moved into [min_val, max_val].

    >>> gleed.nn.functional.hardtanh(gleed.tensor([-3.0, 0.5]))
    tensor([-1.0000,  0.5000])
    """
    low, high = as_standins(input, min_val, max_val)[1:]
    return input.clamp(convert(low, input.dtype), convert(high, input.dtype))


@unary(inplace=False, method=False, out=False, namespace=FUNCTIONAL)
def hardsigmoid(input: Tensor) -> Tensor:
    """min(max(x + 3, 0), 6) / 6.

    >>> gleed.nn.functional.hardsigmoid(gleed.tensor([0.0, 1.0]))
    tensor([0.5000, 0.6667])
    """
    return (input + 3).clamp(0, 6) / 6


@unary(inplace=False, method=False, out=False, namespace=FUNCTIONAL)
def hardswish(input: Tensor) -> Tensor:
    """x * hardsigmoid(x).

    >>> gleed.nn.functional.hardswish(gleed.tensor([0.0, 1.0]))
    tensor([0.0000, 0.6667])
    """
    return input * (input + 3).clamp(0, 6) / 6


@op(name="threshold", inplace=True, namespace=("gleed", FUNCTIONAL))
def threshold(input: Tensor, threshold: Number, value: Number) -> Tensor:
    """x where it is above `threshold`, else `value`.

    >>> gleed.nn.functional.threshold(gleed.tensor([0.5, 2.0]), 1.0, -1.0)
    tensor([-1.,  2.])
    """
    return where(input > threshold, input, value)


@op(method=True, namespace=("gleed", FUNCTIONAL))
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x above zero, weight * x below; one weight, or one per channel (dim 1).

    >>> gleed.nn.functional.prelu(gleed.tensor([-2.0, 2.0]), gleed.tensor([0.25]))
    tensor([-0.5000,  2.0000])
    """
    slope = weight
    if input.ndim == 0 and weight.ndim == 1:
        slope = p.reshape(weight, shape=())
    elif input.ndim > 1 and weight.ndim == 1:
        slope = p.reshape(weight, shape=(weight.shape[0], *(1,) * (input.ndim - 2)))
    return where(input > 0, input, input * slope)


@op(namespace=FUNCTIONAL)
def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a * sigmoid(b), with a and b the halves of `input` along `dim` (Dauphin et al., 2016).

    >>> gleed.nn.functional.glu(gleed.tensor([1.0, 0.0]))
    tensor([0.5000])
    """
    first, second = input.chunk(2, dim)
    return first * p.sigmoid(second)


# ---- softmax
def _row(input: Tensor, dim: int, name: str) -> tuple[Tensor, int]:
    return floating(input), axis_of(name, dim, input.ndim)


@op(method=True, namespace=("gleed", FUNCTIONAL, "special"), reference="scipy.special.softmax")
def softmax(input: Tensor, dim: int, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """exp(x) / sum(exp(x)) along `dim`, without overflow.

    >>> gleed.softmax(gleed.tensor([1.0, 1.0]), 0)
    tensor([0.5000, 0.5000])
    """
    x, axis = _row(input if dtype is None else convert(input, dtype), dim, "softmax")
    if x.ndim == 0:
        return p.fill(x, 1)
    shape = units(x, (axis,))
    top = p.reshape(p.reduce_max(x, axes=(axis,)), shape=shape)
    e = p.exp(x - top)
    return e / p.reshape(p.reduce_sum(e, axes=(axis,)), shape=shape)


@softmax.vjp
def _(g: Any, y: Any, input: Tensor, dim: int, *rest: Any) -> Tensor:
    if y.ndim == 0:
        return p.fill(y, 0)
    axis = axis_of("softmax", dim, y.ndim)
    total = p.reduce_sum(g * y, axes=(axis,))
    return (g - p.reshape(total, shape=units(y, (axis,)))) * y


@op(method=True, namespace=("gleed", FUNCTIONAL, "special"), reference="scipy.special.log_softmax")
def log_softmax(input: Tensor, dim: int, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """log(softmax(x)) along `dim`, without overflow or cancellation.

    >>> gleed.log_softmax(gleed.tensor([1.0, 1.0]), 0)
    tensor([-0.6931, -0.6931])
    """
    x, axis = _row(input if dtype is None else convert(input, dtype), dim, "log_softmax")
    if x.ndim == 0:
        return p.fill(x, 0)
    shape = units(x, (axis,))
    top = p.reshape(p.reduce_max(x, axes=(axis,)), shape=shape)
    offset = x - top
    return offset - p.log(p.reshape(p.reduce_sum(p.exp(offset), axes=(axis,)), shape=shape))


@log_softmax.vjp
def _(g: Any, y: Any, input: Tensor, dim: int, *rest: Any) -> Tensor:
    if y.ndim == 0:
        return p.fill(y, 0)
    axis = axis_of("log_softmax", dim, y.ndim)
    total = p.reshape(p.reduce_sum(g, axes=(axis,)), shape=units(y, (axis,)))
    return g - p.exp(y) * total


@op(namespace=FUNCTIONAL)
def softmin(input: Tensor, dim: int, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """softmax(-x) along `dim`.

    >>> gleed.nn.functional.softmin(gleed.tensor([1.0, 1.0]), 0)
    tensor([0.5000, 0.5000])
    """
    return softmax(-floating(input), dim, dtype=dtype)


@op(namespace=FUNCTIONAL)
def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: Number = 1e-12) -> Tensor:
    """x / max(norm(x), eps) along `dim`.

    >>> gleed.nn.functional.normalize(gleed.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    return input / input.norm(p, dim, True).clamp_min(eps)


for _record in (softmax, log_softmax, softmin):

    @_record.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((5,)), 0)
        yield make.call(make.tensor((3, 4)), -1)
        yield make.call(make.tensor((2, 3, 4)), 1)
        yield make.call(make.tensor((0, 3)), 1)


for _record in (softplus, leaky_relu, elu, celu, hardtanh, relu6, softshrink, hardshrink):

    @_record.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((5,)))
        yield make.call(make.tensor((3, 4)))


@threshold.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((5,)), 1, 2)
    yield make.call(make.tensor((3, 4)), 0, -1)


@prelu.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((5,)), make.tensor((1,)))
    yield make.call(make.tensor((2, 3, 4)), make.tensor((3,)))


@glu.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((6,)))
    yield make.call(make.tensor((2, 4, 3)), 1)


@normalize.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((3, 4)))
    yield make.call(make.tensor((2, 3, 4)), 1.0, -1)
    yield make.call(make.tensor((5,)), 3.0, 0)
