"""Pooling layers, which have no variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gleed.compat.tensorflow import nn
from gleed.compat.tensorflow.layer import Layer, one, order, pair
from gleed.graph.node import Node


class _Pooling(Layer):
    _pool: Callable[..., Node]

    def __init__(
        self, pool_size: Any, strides: Any, padding: str = "valid",
        data_format: str = "channels_last", name: str | None = None, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, **options)
        self._window, self._strides, self._padding = pool_size, strides, padding
        self._order = order(data_format)

    def _computed(self, x: Node, **options: Any) -> Node:
        window, steps = pair(self._window), pair(self._strides)
        return self._pool(x, window, steps, self._padding, self._order)


class _Pooling1D(_Pooling):
    def _computed(self, x: Node, **options: Any) -> Node:
        axis = 1 if self._order == "NHWC" else 2
        window, steps = (1, one(self._window)), (1, one(self._strides))
        y = self._pool(x.unsqueeze(axis), window, steps, self._padding, self._order)
        return y.squeeze(axis)


class MaxPooling2D(_Pooling):
    """The greatest element of every window of images."""

    kind, _pool = "max_pooling2d", staticmethod(nn.max_pool)


class AveragePooling2D(_Pooling):
    """The mean of every window of images."""

    kind, _pool = "average_pooling2d", staticmethod(nn.avg_pool)


class MaxPooling1D(_Pooling1D):
    """The greatest element of every window of sequences (batch, steps, features)."""

    kind, _pool = "max_pooling1d", staticmethod(nn.max_pool)


class AveragePooling1D(_Pooling1D):
    """The mean of every window of sequences (batch, steps, features)."""

    kind, _pool = "average_pooling1d", staticmethod(nn.avg_pool)
