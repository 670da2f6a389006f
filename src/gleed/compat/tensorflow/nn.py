"""`tf.nn`: functions for networks. Images are (batch, height, width, channels)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gleed.compat.tensorflow import rnn_cell as rnn_cell
from gleed.compat.tensorflow.absent import missing
from gleed.compat.tensorflow.arrays import gather
from gleed.compat.tensorflow.convert import apply, convert_to_tensor, function_of
from gleed.compat.tensorflow.dropout import dropout as dropout
from gleed.compat.tensorflow.math import cast, reduce_mean  # type: ignore[attr-defined]
from gleed.compat.tensorflow.math import sigmoid as sigmoid  # type: ignore[attr-defined]
from gleed.compat.tensorflow.math import tanh as tanh  # type: ignore[attr-defined]
from gleed.compat.tensorflow.recurrent import bidirectional_dynamic_rnn as bidirectional_dynamic_rnn
from gleed.compat.tensorflow.recurrent import dynamic_rnn as dynamic_rnn
from gleed.compat.tensorflow.recurrent import static_bidirectional_rnn as static_bidirectional_rnn
from gleed.compat.tensorflow.recurrent import static_rnn as static_rnn
from gleed.compat.tensorflow.sampling import (
    log_uniform_candidate_sampler as log_uniform_candidate_sampler,
)
from gleed.compat.tensorflow.sampling import nce_loss as nce_loss
from gleed.compat.tensorflow.sampling import sampled_softmax_loss as sampled_softmax_loss
from gleed.compat.tensorflow.sampling import uniform_candidate_sampler as uniform_candidate_sampler
from gleed.compat.tensorflow.windows import atrous_conv2d as atrous_conv2d
from gleed.compat.tensorflow.windows import avg_pool as avg_pool
from gleed.compat.tensorflow.windows import conv1d as conv1d
from gleed.compat.tensorflow.windows import conv2d as conv2d
from gleed.compat.tensorflow.windows import conv2d_transpose as conv2d_transpose
from gleed.compat.tensorflow.windows import depthwise_conv2d as depthwise_conv2d
from gleed.compat.tensorflow.windows import max_pool as max_pool
from gleed.compat.tensorflow.windows import separable_conv2d as separable_conv2d
from gleed.errors import ArgumentError
from gleed.graph.node import Composite, Node
from gleed.ops.record import OPS

_SIMPLE = {
    "elu": "Elu", "relu": "Relu", "relu6": "Relu6", "selu": "Selu", "softsign": "Softsign",
}  # fmt: skip


def _activation(op: str, title: str) -> Any:
    def function(features: Any, name: str | None = None) -> Node:
        return apply(OPS[op], name, title, convert_to_tensor(features))

    return function


globals().update(
    {
        n: function_of(n, f"`gleed.nn.functional.{n}`.", _activation(n, t))
        for n, t in _SIMPLE.items()
    }
)


def leaky_relu(features: Any, alpha: float = 0.2, name: str | None = None) -> Node:
    """x above zero, alpha · x below."""
    return apply(OPS["leaky_relu"], name, "LeakyRelu", convert_to_tensor(features), alpha)


def softplus(features: Any, name: str | None = None) -> Node:
    """log(1 + exp(x))."""
    return apply(OPS["softplus"], name, "Softplus", convert_to_tensor(features))


def softmax(
    logits: Any, axis: int | None = None, name: str | None = None, dim: int | None = None
) -> Node:
    """exp(x) / sum of exp(x), along the last dim or `axis`."""
    return apply(OPS["softmax"], name, "Softmax", convert_to_tensor(logits), _axis(axis, dim))


def log_softmax(
    logits: Any, axis: int | None = None, name: str | None = None, dim: int | None = None
) -> Node:
    """The logarithm of softmax."""
    return apply(
        OPS["log_softmax"], name, "LogSoftmax", convert_to_tensor(logits), _axis(axis, dim)
    )


def _axis(axis: int | None, dim: int | None) -> int:
    return axis if axis is not None else dim if dim is not None else -1


# ---- losses
def _cross_entropy(labels: Any, logits: Any, dim: int) -> Any:
    return -(labels * OPS["log_softmax"](logits, dim)).sum(dim)


def _sparse_cross_entropy(labels: Any, logits: Any) -> Any:
    return -OPS["log_softmax"](logits, -1).gather(-1, labels.unsqueeze(-1)).squeeze(-1)


def _sigmoid_cross_entropy(labels: Any, logits: Any) -> Any:
    return logits.clamp_min(0) - logits * labels + (-logits.abs()).exp().log1p()


def _named(op: str, labels: Any, logits: Any) -> tuple[Node, Node]:
    """The two arguments, which must be given by name, for they are easily confused."""
    if labels is None or logits is None:
        raise ArgumentError(
            f"{op}: labels and logits are given by name; one is missing; write "
            f"{op}(labels=…, logits=…)"
        )
    logits = convert_to_tensor(logits)
    return convert_to_tensor(labels), logits


def softmax_cross_entropy_with_logits(
    _sentinel: None = None,
    labels: Any = None,
    logits: Any = None,
    dim: int = -1,
    name: str | None = None,
    axis: int | None = None,
) -> Node:
    """−Σ labels · log_softmax(logits) along the last dim; labels are probabilities."""
    op = "softmax_cross_entropy_with_logits"
    labels, logits = _named(op, labels, logits)
    if labels.dtype is not logits.dtype:
        labels = cast(labels, logits.dtype)
    along = dim if axis is None else axis
    return apply(Composite(op, _cross_entropy), name, op, labels, logits, along)


softmax_cross_entropy_with_logits_v2 = softmax_cross_entropy_with_logits


def sparse_softmax_cross_entropy_with_logits(
    _sentinel: None = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Node:
    """−log_softmax(logits) at the classes `labels`."""
    op = "sparse_softmax_cross_entropy_with_logits"
    labels, logits = _named(op, labels, logits)
    return apply(Composite(op, _sparse_cross_entropy), name, op, cast(labels, "int64"), logits)


def sigmoid_cross_entropy_with_logits(
    _sentinel: None = None, labels: Any = None, logits: Any = None, name: str | None = None
) -> Node:
    """max(x, 0) − x · z + log(1 + exp(−|x|)) for logits x and labels z."""
    op = "sigmoid_cross_entropy_with_logits"
    labels, logits = _named(op, labels, logits)
    return apply(Composite("logistic_loss", _sigmoid_cross_entropy), name, op, labels, logits)


def weighted_cross_entropy_with_logits(
    targets: Any, logits: Any, pos_weight: Any, name: str | None = None
) -> Node:
    """As `sigmoid_cross_entropy_with_logits`, where errors on ones count `pos_weight` times."""
    x, z = convert_to_tensor(logits), convert_to_tensor(targets)
    weight = 1 + (pos_weight - 1) * z
    soft = (-x.abs()).exp().log1p() + (-x).clamp_min(0)
    return apply(OPS["add"], name, "logistic_loss", (1 - z) * x, weight * soft)


def xw_plus_b(x: Any, weights: Any, biases: Any, name: str = "xw_plus_b") -> Node:
    """x @ weights + biases."""
    product = convert_to_tensor(x) @ convert_to_tensor(weights)
    return apply(OPS["add"], name, "xw_plus_b", product, convert_to_tensor(biases))


def zero_fraction(value: Any, name: str = "zero_fraction") -> Node:
    """The share of zeros."""
    zero = apply(OPS["eq"], None, "zero", convert_to_tensor(value), 0)
    return apply(OPS["mean"], name, "zero_fraction", cast(zero, "float32"))


def crelu(features: Any, name: str | None = None, axis: int = -1) -> Node:
    """relu(x) and relu(−x) side by side along `axis`."""
    x = convert_to_tensor(features)
    return apply(OPS["cat"], name, "CRelu", [x.relu(), (-x).relu()], axis)


def swish(features: Any, name: str | None = None) -> Node:
    """x · sigmoid(x)."""
    return apply(OPS["silu"], name, "swish", convert_to_tensor(features))


def l2_loss(t: Any, name: str | None = None) -> Node:
    """Half the sum of squares."""
    body = Composite("L2Loss", lambda x: (x * x).sum() * 0.5)
    return apply(body, name, "L2Loss", convert_to_tensor(t))


def in_top_k(predictions: Any, targets: Any, k: int, name: str | None = None) -> Node:
    """Whether fewer than k scores of a row are above that of its target."""
    scores, classes = convert_to_tensor(predictions), convert_to_tensor(targets)
    own = scores.gather(1, cast(classes, "int64").unsqueeze(1))
    return apply(OPS["lt"], name, "InTopK", (scores > own).sum(1), k)


class TopK(NamedTuple):
    """Elements, and where they are."""

    values: Node
    indices: Node


def top_k(input: Any, k: int = 1, sorted: bool = True, name: str = "TopKV2") -> TopK:
    """The k greatest elements of the last dim, and where they are."""
    values, places = apply(
        OPS["topk"], name, "TopKV2", convert_to_tensor(input), k, -1, True, sorted
    )
    return TopK(values, cast(places, "int32"))


# ---- regularisation and normalisation
def local_response_normalization(
    input: Any,
    depth_radius: int = 5,
    bias: float = 1.0,
    alpha: float = 1.0,
    beta: float = 0.5,
    name: str | None = None,
) -> Node:
    """x / (bias + alpha · s) ^ beta, where s is the sum of the squares of the channels at most
    `depth_radius` away (Krizhevsky et al., 2012)."""
    x = convert_to_tensor(input)
    body = Composite("LRN", _response_normalized)
    return apply(body, name, "LRN", x, int(depth_radius), bias, alpha, beta)


def _response_normalized(x: Any, radius: int, bias: float, alpha: float, beta: float) -> Any:
    squares = OPS["pad"](x * x, [radius, radius])
    channels = x.shape[-1]
    near = sum(squares.narrow(-1, i, channels) for i in range(2 * radius + 1))
    return x * (near * alpha + bias).pow(-beta)


lrn = local_response_normalization


def l2_normalize(
    x: Any, axis: Any = None, epsilon: float = 1e-12, name: str | None = None, dim: Any = None
) -> Node:
    """x / sqrt(max(sum of squares, epsilon)) along dims."""
    x = convert_to_tensor(x)
    axes = _axis(axis, dim) if axis is not None or dim is not None else None
    square = x.square()
    total = square.sum() if axes is None else square.sum(axes, keepdim=True)
    return apply(OPS["mul"], name, "l2_normalize", x, total.clamp_min(epsilon).rsqrt())


def moments(
    x: Any,
    axes: Sequence[int],
    shift: Any = None,
    name: str | None = None,
    keep_dims: bool = False,
    keepdims: bool | None = None,
) -> tuple[Node, Node]:
    """The mean and the variance (of the population) along dims."""
    x = convert_to_tensor(x)
    keep = bool(keep_dims if keepdims is None else keepdims)
    with x.graph.name_scope(name or "moments"):
        mean = reduce_mean(x, axes, keepdims=True)
        variance = reduce_mean((x - mean).square(), axes, keepdims=keep, name="variance")
        return mean if keep else reduce_mean(x, axes, name="mean"), variance


def batch_normalization(
    x: Any, mean: Any, variance: Any, offset: Any, scale: Any, variance_epsilon: float,
    name: str | None = None,
) -> Node:  # fmt: skip
    """scale · (x − mean) / sqrt(variance + variance_epsilon) + offset."""
    x = convert_to_tensor(x)
    with x.graph.name_scope(name or "batchnorm") as scope:
        mean, variance = convert_to_tensor(mean, x.dtype), convert_to_tensor(variance, x.dtype)
        factor = (variance + variance_epsilon).rsqrt()
        factor = factor if scale is None else factor * scale
        shift = -mean * factor if offset is None else offset - mean * factor
        return x.graph.call(OPS["add"], x * factor, shift, name=scope)


def bias_add(
    value: Any, bias: Any, data_format: str | None = None, name: str | None = None
) -> Node:
    """A bias per channel."""
    x, b = convert_to_tensor(value), convert_to_tensor(bias)
    if data_format == "NCHW":
        b = b.reshape(-1, *(1 for _ in x.shape[2:]))
    return apply(OPS["add"], name, "BiasAdd", x, b)


def embedding_lookup(params: Any, ids: Any, name: str | None = None, **options: Any) -> Node:
    """The rows of `params` at the integers `ids`."""
    return gather(params, ids, name=name or "embedding_lookup")


def __getattr__(name: str) -> Any:
    raise missing("tf.nn", name, globals())
