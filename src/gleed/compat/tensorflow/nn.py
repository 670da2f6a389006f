"""`tf.nn`: functions for networks. Images are (batch, height, width, channels)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gleed.compat.tensorflow import rnn_cell as rnn_cell
from gleed.compat.tensorflow.absent import missing
from gleed.compat.tensorflow.arrays import gather
from gleed.compat.tensorflow.convert import apply, convert_to_tensor, function_of
from gleed.compat.tensorflow.math import cast, reduce_mean  # type: ignore[attr-defined]
from gleed.compat.tensorflow.math import sigmoid as sigmoid  # type: ignore[attr-defined]
from gleed.compat.tensorflow.math import tanh as tanh  # type: ignore[attr-defined]
from gleed.compat.tensorflow.recurrent import dynamic_rnn as dynamic_rnn
from gleed.compat.tensorflow.recurrent import static_rnn as static_rnn
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


def top_k(input: Any, k: int = 1, sorted: bool = True, name: str = "TopKV2") -> tuple[Node, Node]:
    """The k greatest elements of the last dim, and where they are."""
    values, places = apply(
        OPS["topk"], name, "TopKV2", convert_to_tensor(input), k, -1, True, sorted
    )
    return values, cast(places, "int32")


# ---- regularisation and normalisation
def _dropped(x: Any, noise: Any, keep: Any) -> Any:
    return x / keep * OPS["_to"](noise < keep, x.dtype)


def _dropout_mask(x: Any, generator: Any = None) -> Any:
    return OPS["rand_like"](x, generator=generator)


def dropout(
    x: Any,
    keep_prob: Any = None,
    noise_shape: Any = None,
    seed: int | None = None,
    name: str | None = None,
    rate: Any = None,
) -> Node:
    """Zeros in random places, each with probability 1 − keep_prob, everything else divided by
    keep_prob, which may be a node. `noise_shape` has 1 for dims that share a decision."""
    x = convert_to_tensor(x)
    if keep_prob is None and rate is None:
        raise ArgumentError("dropout: how much is kept must be said; nothing came; give keep_prob")
    keep = 1 - rate if keep_prob is None else keep_prob
    if not isinstance(keep, Node) and not 0 < keep <= 1:
        raise ArgumentError(f"dropout: keep_prob must lie above 0, up to 1; got {keep}; correct it")
    with x.graph.name_scope(name or "dropout") as scope:
        like = x
        if noise_shape is not None:
            for axis, size in enumerate(noise_shape):
                like = like.narrow(axis, 0, 1) if size == 1 else like
        mask = Composite("random_uniform", _dropout_mask, draws=True)
        noise = x.graph.call(mask, like, seed=seed)
        y = x.graph.call(Composite("dropout", _dropped), x, noise, keep, name=scope)
        y.set_shape(x.shape)  # also if the rank of `keep` is unknown
        return y


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


# ---- windows
def _padding(size: Any, window: int, stride: int, padding: str) -> tuple[Any, Any]:
    """How much is added before and behind so that there are size / stride windows, rounded up."""
    if padding == "VALID":
        return 0, 0
    last = (size + stride - 1) // stride - 1 if stride > 1 else size - 1
    total = last * stride + window - size
    total = total if not total < 0 else 0
    return total // 2, total - total // 2


def _padded(x: Any, windows: Any, strides: Any, padding: str, value: float) -> Any:
    """An image (N, C, H, W) with what "SAME" adds around it."""
    rows = _padding(x.shape[2], windows[0], strides[0], padding)
    columns = _padding(x.shape[3], windows[1], strides[1], padding)
    counts = [*columns, *rows]
    return OPS["pad"](x, counts, "constant", value) if any(n != 0 for n in counts) else x


def _convolved(x: Any, filters: Any, strides: Any, padding: str, dilations: Any, last: bool) -> Any:
    image = x.permute((0, 3, 1, 2)) if last else x
    windows = [(n - 1) * d + 1 for n, d in zip(filters.shape[:2], dilations, strict=True)]
    image = _padded(image, windows, strides, padding, 0.0)
    weight = filters.permute((3, 2, 0, 1))
    y = OPS["conv2d"](image, weight, None, tuple(strides), 0, tuple(dilations))
    return y.permute((0, 2, 3, 1)) if last else y


def _checked_padding(op: str, padding: str) -> str:
    if str(padding).upper() not in ("SAME", "VALID"):
        raise ArgumentError(f'{op}: padding must be "SAME" or "VALID"; got {padding!r}; correct it')
    return padding.upper()


def _pair(op: str, given: Any, last: bool) -> tuple[int, int]:
    """The height and the width among numbers for all four dims."""
    numbers = [given] * 4 if isinstance(given, int) else list(given)
    if len(numbers) == 2:
        return int(numbers[0]), int(numbers[1])
    first = 1 if last else 2
    others = [n for i, n in enumerate(numbers) if i not in (first, first + 1)]
    if len(numbers) != 4 or (not isinstance(given, int) and any(n != 1 for n in others)):
        raise ArgumentError(
            f"{op}: windows and strides move over height and width only; got {given!r}; use "
            "[1, height, width, 1]"
        )
    return int(numbers[first]), int(numbers[first + 1])


def conv2d(
    input: Any,
    filter: Any = None,
    strides: Any = 1,
    padding: str = "VALID",
    use_cudnn_on_gpu: bool = True,
    data_format: str = "NHWC",
    dilations: Any = 1,
    name: str | None = None,
    filters: Any = None,
) -> Node:
    """The convolution of images with filters (height, width, in, out).

    >>> import gleed.compat.tensorflow as tf
    >>> images = tf.placeholder(tf.float32, [None, 28, 28, 1])
    >>> tf.nn.conv2d(images, tf.zeros([5, 5, 1, 8]), [1, 2, 2, 1], "SAME").shape
    Shape([None, 14, 14, 8])
    """
    last = data_format == "NHWC"
    steps, gaps = _pair("conv2d", strides, last), _pair("conv2d", dilations, last)
    kernel = convert_to_tensor(filters if filter is None else filter)
    return apply(
        Composite("Conv2D", _convolved), name, "Conv2D",
        convert_to_tensor(input), kernel, steps, _checked_padding("conv2d", padding), gaps, last,
    )  # fmt: skip


def _max_pooled(x: Any, window: Any, strides: Any, padding: str, last: bool) -> Any:
    image = x.permute((0, 3, 1, 2)) if last else x
    image = _padded(image, window, strides, padding, float("-inf"))
    y = OPS["max_pool2d"](image, window, strides)
    return y.permute((0, 2, 3, 1)) if last else y


def _mean_pooled(x: Any, window: Any, strides: Any, padding: str, last: bool) -> Any:
    image = x.permute((0, 3, 1, 2)) if last else x
    inside = _padded(OPS["ones_like"](image), window, strides, padding, 0.0)
    sums = OPS["avg_pool2d"](_padded(image, window, strides, padding, 0.0), window, strides)
    y = sums / OPS["avg_pool2d"](inside, window, strides)  # what was added does not count
    return y.permute((0, 2, 3, 1)) if last else y


def _pool(
    title: str, body: Any, value: Any, ksize: Any, strides: Any, padding: str,
    data_format: str, name: str | None,
) -> Node:  # fmt: skip
    last = data_format == "NHWC"
    window, steps = _pair(title, ksize, last), _pair(title, strides, last)
    x, border = convert_to_tensor(value), _checked_padding(title, padding)
    return apply(Composite(title, body), name, title, x, window, steps, border, last)


def max_pool(
    value: Any, ksize: Any, strides: Any, padding: str, data_format: str = "NHWC",
    name: str | None = None,
) -> Node:  # fmt: skip
    """The greatest element of every window."""
    return _pool("MaxPool", _max_pooled, value, ksize, strides, padding, data_format, name)


def avg_pool(
    value: Any, ksize: Any, strides: Any, padding: str, data_format: str = "NHWC",
    name: str | None = None,
) -> Node:  # fmt: skip
    """The mean of every window, without what "SAME" adds."""
    return _pool("AvgPool", _mean_pooled, value, ksize, strides, padding, data_format, name)


def __getattr__(name: str) -> Any:
    raise missing("tf.nn", name, globals())
