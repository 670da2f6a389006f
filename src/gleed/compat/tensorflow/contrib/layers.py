"""`tf.contrib.layers`: initializers, regularizers, and layers with an activation by default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gleed import graph
from gleed.compat.tensorflow import layers, nn
from gleed.compat.tensorflow.absent import missing
from gleed.compat.tensorflow.layer_normalization import BatchNormalization
from gleed.compat.tensorflow.layers import flatten as flatten
from gleed.compat.tensorflow.math import add_n
from gleed.compat.tensorflow.variables import GraphKeys, get_collection
from gleed.errors import ArgumentError, RangeError
from gleed.graph.node import Node

Regularizer = Callable[[Node], Node]


def xavier_initializer(uniform: bool = True, seed: int | None = None, dtype: Any = None) -> Any:
    """Numbers with the variance 2 / (inputs + outputs) (Glorot and Bengio, 2010)."""
    make = graph.glorot_uniform_initializer if uniform else graph.glorot_normal_initializer
    return make(seed)


xavier_initializer_conv2d = xavier_initializer


def variance_scaling_initializer(
    factor: float = 2.0, mode: str = "FAN_IN", uniform: bool = False, seed: int | None = None
) -> Any:
    """Normal with variance factor / fan, within two deviations; `mode` is "FAN_IN", "FAN_OUT" or
    "FAN_AVG" (He et al., 2015)."""
    if uniform:
        raise ArgumentError(
            "variance_scaling_initializer: numbers are normal; uniform=True came; use "
            "xavier_initializer, or leave it out"
        )
    return graph.variance_scaling_initializer(factor, mode.lower(), seed)


def l2_regularizer(scale: float, scope: str | None = None) -> Regularizer:
    """scale · half the sum of squares."""
    _checked("l2_regularizer", scale)
    return lambda weights: nn.l2_loss(weights) * scale


def l1_regularizer(scale: float, scope: str | None = None) -> Regularizer:
    """scale · the sum of magnitudes."""
    _checked("l1_regularizer", scale)
    return lambda weights: weights.abs().sum() * scale


def l1_l2_regularizer(
    scale_l1: float = 1.0, scale_l2: float = 1.0, scope: str | None = None
) -> Regularizer:
    """The sum of `l1_regularizer` and `l2_regularizer`."""
    first, second = l1_regularizer(scale_l1), l2_regularizer(scale_l2)
    return lambda weights: first(weights) + second(weights)


def _checked(op: str, scale: float) -> None:
    if isinstance(scale, int) and not isinstance(scale, bool) and scale != 0:
        raise ArgumentError(f"{op}: scale is a float; got {scale!r}; write {float(scale)}")
    if scale < 0:
        raise RangeError(f"{op}: scale must not be negative; got {scale}; correct it")


def apply_regularization(regularizer: Regularizer, weights_list: Any = None) -> Node:
    """The sum of the penalties of `weights_list`, or of what is in `tf.GraphKeys.WEIGHTS`."""
    weights = get_collection(GraphKeys.WEIGHTS) if weights_list is None else weights_list
    return add_n([regularizer(w) for w in weights], "get_regularization_penalty")


def fully_connected(
    inputs: Any, num_outputs: int, activation_fn: Any = nn.relu,
    normalizer_fn: Any = None, normalizer_params: Any = None, weights_initializer: Any = None,
    weights_regularizer: Any = None, biases_initializer: Any = graph.zeros_initializer,
    biases_regularizer: Any = None, reuse: bool | None = None, trainable: bool = True,
    scope: str | None = None,
) -> Node:  # fmt: skip
    """`tf.layers.dense` with relu; `normalizer_fn` comes before the activation, without a bias."""
    use_bias = normalizer_fn is None and biases_initializer is not None
    y = layers.dense(
        inputs, num_outputs, None, use_bias, weights_initializer, _made(biases_initializer),
        weights_regularizer, biases_regularizer, trainable, scope or "fully_connected",
        reuse=reuse,
    )  # fmt: skip
    return _finished(y, normalizer_fn, normalizer_params, activation_fn)


def conv2d(
    inputs: Any, num_outputs: int, kernel_size: Any, stride: Any = 1, padding: str = "SAME",
    activation_fn: Any = nn.relu,
    normalizer_fn: Any = None, normalizer_params: Any = None, weights_initializer: Any = None,
    weights_regularizer: Any = None, biases_initializer: Any = graph.zeros_initializer,
    biases_regularizer: Any = None, reuse: bool | None = None, trainable: bool = True,
    scope: str | None = None,
) -> Node:  # fmt: skip
    """`tf.layers.conv2d` with relu and "SAME"; `normalizer_fn` comes before the activation, without
    a bias."""
    y = layers.conv2d(
        inputs, num_outputs, kernel_size, stride, padding,
        use_bias=normalizer_fn is None and biases_initializer is not None,
        kernel_initializer=weights_initializer, bias_initializer=_made(biases_initializer),
        kernel_regularizer=weights_regularizer, bias_regularizer=biases_regularizer,
        trainable=trainable, name=scope, reuse=reuse,
    )  # fmt: skip
    return _finished(y, normalizer_fn, normalizer_params, activation_fn)


def _made(initializer: Any) -> Any:
    """An initializer, of which the function that makes it may be given."""
    return initializer() if initializer is graph.zeros_initializer else initializer


def _finished(y: Node, normalizer: Any, settings: Any, activation: Any) -> Node:
    y = y if normalizer is None else normalizer(y, **(settings or {}))
    return y if activation is None else activation(y)


def batch_norm(
    inputs: Any, decay: float = 0.999, center: bool = True, scale: bool = False,
    epsilon: float = 0.001, activation_fn: Any = None, is_training: Any = True,
    updates_collections: Any = GraphKeys.UPDATE_OPS, reuse: bool | None = None,
    trainable: bool = True, scope: str | None = None,
) -> Node:  # fmt: skip
    """`tf.layers.batch_normalization`, without a factor unless `scale`. With no
    `updates_collections`, the moving statistics move whenever the result is computed."""
    layer = BatchNormalization(
        momentum=decay, center=center, scale=scale, epsilon=epsilon, trainable=trainable,
        name=scope or "BatchNorm", reuse=reuse,
    )  # fmt: skip
    y = layer(inputs, training=is_training)
    if updates_collections is None:
        with graph.control_dependencies(layer.updates):
            y = graph.identity(y)
    return y if activation_fn is None else activation_fn(y)


def max_pool2d(inputs: Any, kernel_size: Any, stride: Any = 2, padding: str = "VALID") -> Node:
    """The greatest element of every window of images."""
    return layers.max_pooling2d(inputs, kernel_size, stride, padding)


def avg_pool2d(inputs: Any, kernel_size: Any, stride: Any = 2, padding: str = "VALID") -> Node:
    """The mean of every window of images."""
    return layers.average_pooling2d(inputs, kernel_size, stride, padding)


def dropout(
    inputs: Any, keep_prob: Any = 0.5, noise_shape: Any = None, is_training: Any = True
) -> Node:
    """`tf.layers.dropout`, which takes what is kept, and drops unless told otherwise."""
    return layers.dropout(inputs, 1 - keep_prob, noise_shape, training=is_training)


def __getattr__(name: str) -> Any:
    raise missing("tf.contrib.layers", name, globals())
