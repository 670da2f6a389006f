"""Initial values of variables: functions of a shape and a dtype."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

from gleed.graph.defaults import current_graph
from gleed.graph.node import Node
from gleed.graph.random import random_normal, random_uniform, truncated_normal


class Initializer(Protocol):
    """What `get_variable` takes as `initializer`."""

    def __call__(self, shape: Sequence[int], dtype: Any = "float32") -> Node:
        """The node of the initial value."""
        ...


def constant_initializer(value: Any = 0) -> Initializer:
    """The same value everywhere, or data of the shape."""

    def make(shape: Sequence[int], dtype: Any = "float32") -> Node:
        return current_graph().constant(value, dtype, shape)

    return make


def zeros_initializer() -> Initializer:
    """Zeros."""
    return constant_initializer(0)


def ones_initializer() -> Initializer:
    """Ones."""
    return constant_initializer(1)


def _random(draw: Any, first: Any, second: Any, seed: int | None) -> Initializer:
    def make(shape: Sequence[int], dtype: Any = "float32") -> Node:
        return draw(shape, first, second, dtype, seed)

    return make


def random_normal_initializer(
    mean: float = 0.0, stddev: float = 1.0, seed: int | None = None
) -> Initializer:
    """Numbers from the normal distribution."""
    return _random(random_normal, mean, stddev, seed)


def truncated_normal_initializer(
    mean: float = 0.0, stddev: float = 1.0, seed: int | None = None
) -> Initializer:
    """Numbers from the normal distribution within two deviations."""
    return _random(truncated_normal, mean, stddev, seed)


def random_uniform_initializer(
    minval: float = 0.0, maxval: float = 1.0, seed: int | None = None
) -> Initializer:
    """Numbers drawn uniformly from [minval, maxval)."""
    return _random(random_uniform, minval, maxval, seed)


def _fans(shape: Sequence[int]) -> tuple[int, int]:
    """How many values enter and leave a unit: the last two sizes, times a window before them."""
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return size, size
    window = math.prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window


def glorot_uniform_initializer(seed: int | None = None) -> Initializer:
    """Uniform within sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""

    def make(shape: Sequence[int], dtype: Any = "float32") -> Node:
        limit = math.sqrt(6 / max(1, sum(_fans(shape))))
        return random_uniform(shape, -limit, limit, dtype, seed)

    return make


def glorot_normal_initializer(seed: int | None = None) -> Initializer:
    """Normal with deviation sqrt(2 / (fan_in + fan_out)), cut at two deviations of the uncut
    distribution, which is wider so that the deviation comes out (Glorot and Bengio, 2010)."""
    return variance_scaling_initializer(1.0, "fan_avg", seed=seed)


# The deviation of the normal distribution cut at ±2.
_CUT_DEVIATION = 0.87962566103423978


def variance_scaling_initializer(
    scale: float = 1.0, mode: str = "fan_in", seed: int | None = None
) -> Initializer:
    """Normal with variance scale / fan, within two deviations; `mode` is "fan_in", "fan_out" or
    "fan_avg" (He et al., 2015, with scale 2)."""

    def make(shape: Sequence[int], dtype: Any = "float32") -> Node:
        fan_in, fan_out = _fans(shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
        deviation = math.sqrt(scale / max(1.0, fan)) / _CUT_DEVIATION
        return truncated_normal(shape, 0.0, deviation, dtype, seed)

    return make


__all__ = [
    "constant_initializer",
    "glorot_normal_initializer",
    "glorot_uniform_initializer",
    "ones_initializer",
    "random_normal_initializer",
    "random_uniform_initializer",
    "truncated_normal_initializer",
    "variance_scaling_initializer",
    "zeros_initializer",
]
