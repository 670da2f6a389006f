"""Convolutional layers."""

from __future__ import annotations

from typing import Any

from gleed.compat.tensorflow import nn
from gleed.compat.tensorflow.layer import Activation, Affine, known_size, one, order, pair
from gleed.compat.tensorflow.windows import conv2d_grown
from gleed.graph.node import Node


class _Convolution(Affine):
    """What convolutional layers have in common; `units` is the number of their filters."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str = "channels_last",
        dilation_rate: Any = 1,
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
        self.filters, self.padding = filters, padding
        self._window, self._strides, self._gaps = kernel_size, strides, dilation_rate
        self._format = data_format

    @property
    def _order(self) -> str:
        return order(self._format)

    def _channels(self, x: Node) -> int:
        return known_size(self.kind, x, -1 if self._order == "NHWC" else 1)

    def _finished(self, y: Node) -> Node:
        """With bias and activation."""
        if self.bias is not None:
            y = nn.bias_add(y, self.bias, self._order)
        return self._activated(y)


class Conv1D(_Convolution):
    """activation(convolution of sequences (batch, steps, features) with filters + bias)."""

    kind = "conv1d"

    def _make(self, x: Node) -> None:
        window = one(self._window)
        self._make_affine(x, [window, self._channels(x), self.filters], self.filters)

    def _computed(self, x: Node, **options: Any) -> Node:
        order = "NWC" if self._order == "NHWC" else "NCW"
        steps, gaps = one(self._strides), one(self._gaps)
        return self._finished(
            nn.conv1d(x, self.kernel, steps, self.padding, data_format=order, dilations=gaps)
        )


class Conv2D(_Convolution):
    """activation(convolution of images with filters + bias).

    >>> import gleed.compat.tensorflow as tf
    >>> layer = tf.layers.Conv2D(8, 3, padding="same")
    >>> layer(tf.placeholder(tf.float32, [None, 28, 28, 1])).shape
    Shape([None, 28, 28, 8])
    """

    kind = "conv2d"

    def _make(self, x: Node) -> None:
        window = pair(self._window)
        self._make_affine(x, [*window, self._channels(x), self.filters], self.filters)

    def _computed(self, x: Node, **options: Any) -> Node:
        steps, gaps = pair(self._strides), pair(self._gaps)
        y = nn.conv2d(x, self.kernel, steps, self.padding, data_format=self._order, dilations=gaps)
        return self._finished(y)


class Conv2DTranspose(_Convolution):
    """activation(transposed convolution of images with filters + bias): "same" makes images
    `strides` times as great."""

    kind = "conv2d_transpose"

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid",
        data_format: str = "channels_last", **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(filters, kernel_size, strides, padding, data_format, **options)

    def _make(self, x: Node) -> None:
        window = pair(self._window)
        self._make_affine(x, [*window, self.filters, self._channels(x)], self.filters)

    def _computed(self, x: Node, **options: Any) -> Node:
        y = conv2d_grown(x, self.kernel, pair(self._strides), self.padding, self._order, self.kind)
        return self._finished(y)


class SeparableConv2D(_Convolution):
    """activation(convolution of each channel with filters of its own, then of all results with
    filters of size 1, + bias)."""

    kind = "separable_conv2d"

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid",
        data_format: str = "channels_last", dilation_rate: Any = 1, depth_multiplier: int = 1,
        activation: Activation = None, use_bias: bool = True, depthwise_initializer: Any = None,
        pointwise_initializer: Any = None, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            filters, kernel_size, strides, padding, data_format, dilation_rate, activation,
            use_bias, **options,
        )  # fmt: skip
        self._multiplier = depth_multiplier
        self._starts = depthwise_initializer, pointwise_initializer

    def _make(self, x: Node) -> None:
        channels = self._channels(x)
        own = [*pair(self._window), channels, self._multiplier]
        self.depthwise_kernel = self._add(x, "depthwise_kernel", own, self._starts[0])
        every = [1, 1, channels * self._multiplier, self.filters]
        self.pointwise_kernel = self._add(x, "pointwise_kernel", every, self._starts[1])
        self._make_bias(x, self.filters)

    def _computed(self, x: Node, **options: Any) -> Node:
        y = nn.separable_conv2d(
            x, self.depthwise_kernel, self.pointwise_kernel, pair(self._strides), self.padding,
            pair(self._gaps), data_format=self._order,
        )  # fmt: skip
        return self._finished(y)
