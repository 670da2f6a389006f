"""`tf.layers`: functions that make variables and what is computed with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gleed.compat.tensorflow import nn
from gleed.compat.tensorflow.absent import missing
from gleed.compat.tensorflow.convert import convert_to_tensor
from gleed.compat.tensorflow.math import cast
from gleed.errors import ShapeError
from gleed.graph.defaults import current_graph
from gleed.graph.initializers import ones_initializer, zeros_initializer
from gleed.graph.node import Node
from gleed.graph.shape import Shape
from gleed.graph.variables import Variable, get_variable, variable_scope
from gleed.ops.record import OPS

UPDATE_OPS = "update_ops"
Activation = Callable[[Node], Node] | None


@contextmanager
def _scope(x: Node, name: str | None, default: str, reuse: bool | None) -> Iterator[Any]:
    with x.graph.as_default(), variable_scope(name, default, reuse=reuse) as scope:
        yield scope


def _size(op: str, x: Node, axis: int) -> int:
    """A size that must be known, for variables are made of it."""
    size = x.shape[axis]
    if size is None:
        raise ShapeError(
            f"{op}: the size of dim {axis} must be known, for weights depend on it; "
            f"{x.describe()} came, made at {x.op.place}; give the placeholder its size"
        )
    return size


def _weights(x: Node, name: str, shape: Any, initializer: Any, trainable: bool) -> Variable:
    return get_variable(name, shape, x.dtype, initializer, trainable)


def dense(
    inputs: Any,
    units: int,
    activation: Activation = None,
    use_bias: bool = True,
    kernel_initializer: Any = None,
    bias_initializer: Any = None,
    trainable: bool = True,
    name: str | None = None,
    reuse: bool | None = None,
) -> Node:
    """activation(inputs · kernel + bias); the last dim must be known.

    >>> import gleed.compat.tensorflow as tf
    >>> tf.layers.dense(tf.placeholder(tf.float32, [None, 3]), 5, tf.nn.relu).shape
    Shape([None, 5])
    """
    x = convert_to_tensor(inputs)
    with _scope(x, name, "dense", reuse):
        shape = [_size("dense", x, -1), units]
        kernel = _weights(x, "kernel", shape, kernel_initializer, trainable)
        y = x.graph.call(OPS["matmul"], x, kernel, name="MatMul")
        if use_bias:
            bias = _bias(x, units, bias_initializer, trainable)
            y = x.graph.call(OPS["add"], y, bias, name="BiasAdd")
        return y if activation is None else activation(y)


def _bias(x: Node, units: int, initializer: Any, trainable: bool) -> Variable:
    return get_variable("bias", [units], x.dtype, initializer or zeros_initializer(), trainable)


def conv2d(
    inputs: Any,
    filters: int,
    kernel_size: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str = "channels_last",
    dilation_rate: Any = (1, 1),
    activation: Activation = None,
    use_bias: bool = True,
    kernel_initializer: Any = None,
    bias_initializer: Any = None,
    trainable: bool = True,
    name: str | None = None,
    reuse: bool | None = None,
) -> Node:
    """activation(convolution of images with `filters` filters + bias)."""
    x = convert_to_tensor(inputs)
    order = _order(data_format)
    with _scope(x, name, "conv2d", reuse):
        channels = _size("conv2d", x, -1 if order == "NHWC" else 1)
        shape = [*_pair(kernel_size), channels, filters]
        kernel = _weights(x, "kernel", shape, kernel_initializer, trainable)
        steps, gaps = _pair(strides), _pair(dilation_rate)
        y = nn.conv2d(x, kernel, steps, padding, data_format=order, dilations=gaps)
        if use_bias:
            y = nn.bias_add(y, _bias(x, filters, bias_initializer, trainable), order)
        return y if activation is None else activation(y)


def _order(data_format: str) -> str:
    return "NHWC" if data_format == "channels_last" else "NCHW"


def _pair(given: Any) -> tuple[int, int]:
    return (given, given) if isinstance(given, int) else (given[0], given[1])


def max_pooling2d(
    inputs: Any, pool_size: Any, strides: Any, padding: str = "valid",
    data_format: str = "channels_last", name: str | None = None,
) -> Node:  # fmt: skip
    """The greatest element of every window of images."""
    steps, order = _pair(strides), _order(data_format)
    return nn.max_pool(inputs, _pair(pool_size), steps, padding, order, name or "max_pooling2d")


def average_pooling2d(
    inputs: Any, pool_size: Any, strides: Any, padding: str = "valid",
    data_format: str = "channels_last", name: str | None = None,
) -> Node:  # fmt: skip
    """The mean of every window of images."""
    steps, order = _pair(strides), _order(data_format)
    return nn.avg_pool(inputs, _pair(pool_size), steps, padding, order, name or "average_pooling2d")


def flatten(inputs: Any, name: str | None = None) -> Node:
    """All dims behind the first as one, whose size must be known."""
    x = convert_to_tensor(inputs)
    sizes = [_size("flatten", x, axis) for axis in range(1, len(x.shape))]
    shape = (-1, math.prod(sizes))
    return x.graph.call(OPS["reshape"], x, shape, name=name or "flatten")


def dropout(
    inputs: Any,
    rate: Any = 0.5,
    noise_shape: Any = None,
    seed: int | None = None,
    training: Any = False,
    name: str | None = None,
) -> Node:
    """Zeros in random places, each with probability `rate`, while `training`."""
    x = convert_to_tensor(inputs)
    if training is False:
        return x
    dropped = nn.dropout(x, 1 - rate, noise_shape, seed, name)
    return dropped if training is True else x.graph.call(OPS["where"], training, dropped, x)


def batch_normalization(
    inputs: Any,
    axis: int = -1,
    momentum: float = 0.99,
    epsilon: float = 1e-3,
    center: bool = True,
    scale: bool = True,
    training: Any = False,
    trainable: bool = True,
    name: str | None = None,
    reuse: bool | None = None,
) -> Node:
    """Inputs with the mean and the variance of each channel taken out: those of the batch while
    `training`, which may be a node, else moving ones.

    The operations that move these are in the collection `tf.GraphKeys.UPDATE_OPS`; make the
    training step depend on them.
    """
    x = convert_to_tensor(inputs)
    with _scope(x, name, "batch_normalization", reuse):
        place = axis % len(x.shape)
        units = _size("batch_normalization", x, place)
        shape = Shape([units if a == place else 1 for a, _ in enumerate(x.shape)])
        gamma, beta, mean, variance = (
            get_variable(n, [units], x.dtype, start(), trained and trainable) if wanted else None
            for n, start, trained, wanted in (
                ("gamma", ones_initializer, True, scale),
                ("beta", zeros_initializer, True, center),
                ("moving_mean", zeros_initializer, False, True),
                ("moving_variance", ones_initializer, False, True),
            )
        )
        assert mean is not None and variance is not None  # they are always wanted
        used: list[Node] = [mean, variance]
        if training is not False:
            others = [a for a, _ in enumerate(x.shape) if a != place]
            batch = nn.moments(x, others)
            share: Any = 1 - momentum
            if isinstance(training, Node):
                used = [_either(training, b, m) for b, m in zip(batch, used, strict=True)]
                share = cast(training, x.dtype) * share
            else:
                used = list(batch)
            for moving, new in zip((mean, variance), batch, strict=True):
                move = moving.assign_sub((moving - new) * share)
                current_graph().add_to_collection(UPDATE_OPS, move.op)
        parts = [None if p is None else p.reshape(shape) for p in (*used, beta, gamma)]
        return nn.batch_normalization(x, parts[0], parts[1], parts[2], parts[3], epsilon)


def _either(condition: Node, a: Node, b: Node) -> Node:
    return condition.graph.call(OPS["where"], condition, a, b)


def __getattr__(name: str) -> Any:
    raise missing("tf.layers", name, globals())
