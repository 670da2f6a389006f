"""Normalisation: over trailing dims, over channels of a batch, over groups of channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gleed import primitives as p
from gleed.compiler.dims import product
from gleed.compiler.kernel import is_float
from gleed.errors import ShapeError
from gleed.ops.memory_formats import laid_out_as
from gleed.ops.padding import constant_pad_nd
from gleed.ops.promotion import convert, shape_text
from gleed.ops.record import Ints, Number, Operand, Tensor, op
from gleed.primitives.reduction import spread


def _trailing(name: str, x: Tensor, shape: Sequence[Any]) -> tuple[int, ...]:
    """The axes that `shape` describes."""
    first = x.ndim - len(shape)
    if (
        first < 0
        or len(shape) == 0
        or not all(m == n for m, n in zip(x.shape[first:], shape, strict=True))
    ):
        raise ShapeError(
            f"{name}: the last dims must be normalized_shape; got {shape_text(x.shape)} with "
            f"normalized_shape={shape_text(shape)}; make them agree"
        )
    return tuple(range(first, x.ndim))


def _check_weight(name: str, what: str, weight: Tensor | None, shape: Sequence[Any]) -> None:
    if weight is not None and not (
        weight.ndim == len(shape) and all(m == n for m, n in zip(weight.shape, shape, strict=True))
    ):
        raise ShapeError(
            f"{name}: {what} must have the shape normalized_shape; got {shape_text(weight.shape)} "
            f"for {shape_text(shape)}; make them agree"
        )


def _accumulating(x: Tensor) -> Tensor:
    return convert(x, "f32") if x.dtype in ("f16", "bf16") else x


def _mean(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    return p.reduce_sum(x, axes=axes) / product(tuple(x.shape[axis] for axis in axes))


def _as_is(x: Tensor) -> Tensor:
    return x


class _Standard:
    """`x` brought to mean 0 and variance 1 over `axes`. `settle` may make a kernel end where the
    statistics are known."""

    def __init__(self, x: Tensor, axes: tuple[int, ...], eps: Any, settle: Any = _as_is) -> None:
        self.x, self.axes, self.settle = x, axes, settle
        self.mean = settle(_mean(x, axes))
        centred = x - self.spread(self.mean)
        self.var = settle(_mean(centred * centred, axes))
        self.rate = p.rsqrt(self.var + eps)
        self.y = centred * self.spread(self.rate)

    def spread(self, statistic: Tensor) -> Tensor:
        return spread(statistic, self.x, self.axes)

    def sums(self, g: Tensor) -> tuple[Tensor, Tensor]:
        """The sums of g and of g * y."""
        first, second = (p.reduce_sum(v, axes=self.axes) for v in (g, g * self.y))
        return self.settle(first), self.settle(second)

    def gradient(self, g: Tensor, sums: tuple[Tensor, Tensor], rate: Tensor) -> Tensor:
        """(g - mean(g) - y * mean(g * y)) * rate."""
        count = product(tuple(self.x.shape[axis] for axis in self.axes))
        off, along = (self.spread(total / count) for total in sums)
        return (g - (self.y * along + off)) * self.spread(rate)


def _standardised(x: Tensor, axes: tuple[int, ...], eps: Any) -> Tensor:
    """(x - mean) / sqrt(var + eps) over `axes`; the gradient takes all its sums in one pass."""

    def rule(g: Tensor, _: Tensor, x: Tensor) -> Tensor:
        known = _Standard(x, axes, eps)
        return known.gradient(g, known.sums(g), known.rate)

    return x.trace.with_rule("standardise", rule, lambda x: _Standard(x, axes, eps).y, [x])


def _affine(y: Tensor, weight: Tensor | None, bias: Tensor | None, axes: Any) -> Tensor:
    """y * weight + bias, both of which lie along `axes`."""
    for operand, combine in ((weight, p.mul), (bias, p.add)):
        if operand is not None:
            y = combine(y, p.broadcast(convert(operand, y.dtype), shape=y.shape, axes=axes))
    return y


@op(namespace=("gleed", "nn.functional"), grad_name="native_layer_norm")
def layer_norm(
    input: Tensor,
    normalized_shape: Ints,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: Number = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias over the last dims, which are
    `normalized_shape`; var is the biased variance (Ba, Kiros and Hinton, 2016). float16 and
    bfloat16 are computed in float32.

    >>> gleed.nn.functional.layer_norm(gleed.tensor([[1.0, 3.0]]), (2,))
    tensor([[-1.0000,  1.0000]])
    """
    p.require_float(input.value)
    axes = _trailing("layer_norm", input, normalized_shape)
    _check_weight("layer_norm", "weight", weight, normalized_shape)
    _check_weight("layer_norm", "bias", bias, normalized_shape)
    y = _standardised(_accumulating(input), axes, eps)
    return convert(_affine(y, weight, bias, axes), input.dtype)


@op(namespace=("gleed", "nn.functional"))
def rms_norm(
    input: Tensor,
    normalized_shape: Ints,
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """x / sqrt(mean(x**2) + eps) * weight over the last dims (Zhang and Sennrich, 2019); eps None
    is the dtype's machine epsilon.

    >>> gleed.nn.functional.rms_norm(gleed.tensor([[3.0, 3.0]]), (2,))
    tensor([[1., 1.]])
    """
    p.require_float(input.value)
    axes = _trailing("rms_norm", input, normalized_shape)
    _check_weight("rms_norm", "weight", weight, normalized_shape)
    x = _accumulating(input)
    epsilon = {"f64": 2.220446049250313e-16}.get(x.dtype, 1.1920928955078125e-07)
    rate = p.rsqrt(_mean(x * x, axes) + (epsilon if eps is None else eps))
    y = x * spread(rate, x, axes)
    return convert(_affine(y, weight, None, axes), input.dtype)


# ---- over channels: [batch, channels, …], the channels being axis 1, or the last of a transposed
# view. `weight`, `bias` and the running statistics hold one number per channel.
def _check_channels(name: str, x: Tensor, channels: Any, **vectors: Tensor | None) -> None:
    for what, vector in vectors.items():
        if vector is not None and not (vector.ndim == 1 and vector.shape[0] == channels):
            raise ShapeError(
                f"{name}: {what} must hold one number per channel; got {shape_text(vector.shape)} "
                f"for input {shape_text(x.shape)}; make them agree"
            )


def _standardised_channels(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, axis: int, eps: Any, settle: Any
) -> Tensor:
    """Channels at mean 0 and variance 1, scaled and shifted. The gradients of weight and bias are
    the sums that the gradient of `x` needs."""
    axes = tuple(a for a in range(x.ndim) if a != axis)

    def rule(g: Tensor, _: Tensor, x: Tensor, weight: Any, bias: Any) -> Any:
        known = _Standard(x, axes, eps, settle)
        sums = known.sums(g)
        rate = known.rate if weight is None else known.rate * weight
        return known.gradient(g, sums, rate), sums[1], sums[0]

    def body(x: Tensor, weight: Any, bias: Any) -> Tensor:
        return _affine(_Standard(x, axes, eps, settle).y, weight, bias, (axis,))

    return x.trace.with_rule("standardise_channels", rule, body, [x, weight, bias])


def _standardised_groups(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, groups: Any, eps: Any
) -> Tensor:
    """Groups of channels (axis 1) of every sample at mean 0 and variance 1, scaled and shifted. The
    gradient takes sums per channel first: all others are sums of these."""
    batch, channels, *rest = x.shape
    each = channels // groups
    weight, bias = (None if v is None else v.reshape((groups, each)) for v in (weight, bias))
    axes = tuple(range(2, 3 + len(rest)))

    def rule(g: Tensor, _: Tensor, x: Tensor, weight: Any, bias: Any) -> Any:
        known = _Standard(x, axes, eps)
        per_channel = [p.compact(p.reduce_sum(v, axes=axes[1:])) for v in (g, g * known.y)]
        if weight is not None:
            g = g * p.broadcast(weight, shape=g.shape, axes=(1, 2))
        scaled = (v if weight is None else v * weight for v in per_channel)
        first, second = (p.compact(p.reduce_sum(v, axes=(2,))) for v in scaled)
        to_bias, to_weight = (p.reduce_sum(v, axes=(0,)) for v in per_channel)
        return known.gradient(g, (first, second), known.rate), to_weight, to_bias

    def body(x: Tensor, weight: Any, bias: Any) -> Tensor:
        return _affine(_Standard(x, axes, eps).y, weight, bias, (1, 2))

    grouped = p.reshape(x, shape=(batch, groups, each, *rest))
    y = x.trace.with_rule("standardise_groups", rule, body, [grouped, weight, bias])
    return p.reshape(y, shape=x.shape)


@op(namespace="", grad_name="native_batch_norm")
def normalize_channels(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: Number,
    name: str,
    axis: int,
    by_sample: bool,
    with_statistics: bool,
) -> Any:
    """Bring every channel to mean 0 and variance 1, over the batch or `by_sample`, then scale and
    shift. `with_statistics` gives the mean and the unbiased variance too, per channel."""
    p.require_float(input.value)
    channels = input.shape[axis]
    _check_channels(name, input, channels, weight=weight, bias=bias)
    axes = tuple(a for a in range(input.ndim) if a != axis and not (by_sample and a == 0))
    count = product(tuple(input.shape[a] for a in axes))
    if count == 1:
        raise ShapeError(
            f"{name}: statistics need more than one value per channel; got shape "
            f"{shape_text(input.shape)}; use a larger batch, or eval()"
        )
    x = _accumulating(input)
    # Where the channels are last, passes over memory in order are better than one over a channel.
    settle = p.compact if axis == input.ndim - 1 > 1 else _as_is
    weight, bias = (None if v is None else convert(v, x.dtype) for v in (weight, bias))
    if by_sample:
        y = _standardised_groups(x, weight, bias, channels, eps)
    else:
        y = _standardised_channels(x, weight, bias, axis, eps, settle)
    y = convert(y, input.dtype)
    if not with_statistics:
        return y
    found = _Standard(x, axes, eps, settle)
    mean, var = found.mean, found.var * (count / input.trace.size(count - 1))
    return (y, mean.mean(0), var.mean(0)) if by_sample else (y, mean, var)


@op(namespace="", writes=("running_mean", "running_var"))
def track_statistics(
    running_mean: Tensor,
    running_var: Tensor,
    mean: Tensor,
    var: Tensor,
    momentum: Operand,
    name: str,
) -> Any:
    """Move running statistics by the share `momentum` towards others."""
    for what, running in (("running_mean", running_mean), ("running_var", running_var)):
        _check_channels(name, mean, mean.shape[0], **{what: running})
    return (
        running_mean * (1 - momentum) + convert(mean, running_mean.dtype) * momentum,
        running_var * (1 - momentum) + convert(var, running_var.dtype) * momentum,
    )


@op(namespace="", grad_name="native_batch_norm")
def normalize_by(
    input: Tensor,
    mean: Tensor,
    var: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: Number,
    name: str,
    axis: int,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias with given statistics per channel."""
    p.require_float(input.value)
    vectors = {"running_mean": mean, "running_var": var, "weight": weight, "bias": bias}
    _check_channels(name, input, input.shape[axis], **vectors)
    x = _accumulating(input)
    statistics = convert(mean, x.dtype), p.rsqrt(convert(var, x.dtype) + eps)
    centre, rate = (p.broadcast(v, shape=x.shape, axes=(axis,)) for v in statistics)
    return convert(_affine((x - centre) * rate, weight, bias, (axis,)), input.dtype)


@op(namespace=("gleed", "nn.functional"), grad_name="native_group_norm")
def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: Number = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias with the statistics of every sample's groups of
    channels, of [batch, channels, …] (Wu and He, 2018). `weight` and `bias` hold one number per
    channel. float16 and bfloat16 are computed in float32.

    >>> gleed.nn.functional.group_norm(gleed.tensor([[1.0, 3.0, 10.0, 30.0]]), 2)
    tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
    """
    p.require_float(input.value)
    if input.ndim < 2 or num_groups < 1 or input.shape[1] % num_groups != 0:
        raise ShapeError(
            "group_norm: the channels, dim 1, must divide into num_groups; got shape "
            f"{shape_text(input.shape)} with num_groups={num_groups}; choose a divisor"
        )
    _check_channels("group_norm", input, input.shape[1], weight=weight, bias=bias)
    x = _accumulating(input)
    weight, bias = (None if v is None else convert(v, x.dtype) for v in (weight, bias))
    y = convert(_standardised_groups(x, weight, bias, num_groups, eps), input.dtype)
    return laid_out_as(input, y)


@op(namespace="nn.functional")
def local_response_norm(
    input: Tensor, size: int, alpha: Number = 1e-4, beta: Number = 0.75, k: Number = 1.0
) -> Tensor:
    """x / (k + alpha * m)**beta, where m is the mean of the squares of `size` neighbouring
    channels, zeros beyond the first and last, of [batch, channels, …] (Krizhevsky et al., 2012).

    >>> gleed.nn.functional.local_response_norm(gleed.ones(1, 3, 1), 1, alpha=3, beta=0.5)
    tensor([[[0.5000],
             [0.5000],
             [0.5000]]])
    """
    if input.ndim < 3:
        raise ShapeError(
            "local_response_norm: the input must be (batch, channels, …) of 3 dims or more; got "
            f"shape {shape_text(input.shape)}; use unsqueeze"
        )
    if input.numel() == 0:
        return input
    squares = input * input
    edges = (0, 0) * (input.ndim - 2)
    padded = constant_pad_nd(squares, (*edges, size // 2, (size - 1) // 2), 0.0)
    total = padded.unfold(1, size, 1).sum(-1)
    mean = total / size if is_float(input.dtype) else total // size
    return input / (mean * alpha + k) ** beta


@layer_norm.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((4, 8)), (8,))
    yield make.call(make.tensor((4, 8)), (8,), make.tensor((8,)), make.tensor((8,)))
    yield make.call(make.tensor((2, 3, 5)), (3, 5), make.tensor((3, 5)))


@rms_norm.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((4, 8)), (8,))
    yield make.call(make.tensor((2, 3, 5)), (5,), make.tensor((5,)), 1e-3)


@group_norm.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((2, 6, 5)), 3)
    yield make.call(make.tensor((3, 4, 2, 3)), 2, make.tensor((4,)), make.tensor((4,)), 1e-3)
    yield make.call(make.tensor((2, 4)), 1, make.tensor((4,)))


@local_response_norm.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((2, 5, 3)), 3)
    yield make.call(make.tensor((1, 4, 2, 2)), 2, 0.5, 0.7, 2.0)
