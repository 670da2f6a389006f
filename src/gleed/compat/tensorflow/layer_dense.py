"""Layers of features: `Dense`, `Flatten`, `Dropout`."""

from __future__ import annotations

import math
from typing import Any

from gleed.compat.tensorflow import nn
from gleed.compat.tensorflow.layer import Activation, Affine, Layer, known_size
from gleed.graph.node import Node
from gleed.ops.record import OPS


class Dense(Affine):
    """activation(inputs · kernel + bias); the last dim must be known.

    >>> import gleed.compat.tensorflow as tf
    >>> layer = tf.layers.Dense(5, tf.nn.relu)
    >>> layer(tf.placeholder(tf.float32, [None, 3])).shape, layer.kernel.shape
    (Shape([None, 5]), Shape([3, 5]))
    """

    kind = "dense"

    def __init__(
        self,
        units: int,
        activation: Activation = None,
        use_bias: bool = True,
        kernel_initializer: Any = None,
        bias_initializer: Any = None,
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        trainable: bool = True,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer,
            bias_regularizer, trainable=trainable, name=name, **options,
        )  # fmt: skip
        self.units = units

    def _make(self, x: Node) -> None:
        self._make_affine(x, [known_size("dense", x, -1), self.units], self.units)

    def _computed(self, x: Node, **options: Any) -> Node:
        y = x.graph.call(OPS["matmul"], x, self.kernel, name="MatMul")
        if self.bias is not None:
            y = x.graph.call(OPS["add"], y, self.bias, name="BiasAdd")
        return self._activated(y)


class Flatten(Layer):
    """All dims behind the first as one, whose size must be known."""

    kind = "flatten"

    def __init__(
        self, data_format: str = "channels_last", name: str | None = None, **options: Any
    ) -> None:
        super().__init__(name, **options)
        self._first = data_format == "channels_first"

    def _computed(self, x: Node, **options: Any) -> Node:
        if self._first and x.ndim is not None and x.ndim > 2:
            x = x.movedim(1, -1)
        sizes = [known_size("flatten", x, axis) for axis in range(1, len(x.shape))]
        return x.graph.call(OPS["reshape"], x, (-1, math.prod(sizes)), name="Reshape")


class Dropout(Layer):
    """Zeros in random places, each with probability `rate`, while `training`."""

    kind = "dropout"

    def __init__(
        self,
        rate: Any = 0.5,
        noise_shape: Any = None,
        seed: int | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name, **options)
        self._settings = rate, noise_shape, seed

    def _computed(self, x: Node, training: Any = False, **options: Any) -> Node:
        if training is False:
            return x
        rate, noise_shape, seed = self._settings
        dropped = nn.dropout(x, 1 - rate, noise_shape, seed)
        if training is True:
            return dropped
        chosen: Node = x.graph.call(OPS["where"], training, dropped, x)
        chosen.set_shape(x.shape)  # also if the rank of `training` is unknown
        return chosen
