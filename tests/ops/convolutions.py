"""Convolution in NumPy, by its definition."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

Array = np.ndarray
Many = int | Sequence[int]


def _each(value: Many, axes: int) -> tuple[int, ...]:
    values = tuple(value) if isinstance(value, list | tuple) else (value,)
    return values * axes if len(values) == 1 else values


def _around(padding: Any, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> list[Any]:
    if padding == "same":
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return [(n // 2, n - n // 2) for n in total]
    return [(n, n) for n in _each(0 if padding == "valid" else padding, len(kernel))]


def _with_bias(y: Array, bias: Array | None, axes: int, alone: bool) -> Array:
    y = y if bias is None else y + bias.reshape(-1, *(1,) * axes)
    return y[0] if alone else y


def convolution(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Many = 1,
    padding: Any = 0,
    dilation: Many = 1,
    groups: int = 1,
) -> Array:
    """Σ x[n, c, o * stride + t * dilation - padding] * weight[k, c, t]."""
    axes, alone = weight.ndim - 2, x.ndim < weight.ndim
    x = x[None] if alone else x
    stride, dilation = _each(stride, axes), _each(dilation, axes)
    kernel = weight.shape[2:]
    x = np.pad(x, [(0, 0), (0, 0), *_around(padding, kernel, dilation)])
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    spatial = tuple(range(2, 2 + axes))
    windows = np.lib.stride_tricks.sliding_window_view(x, reach, axis=spatial)
    steps = tuple(slice(None, None, n) for n in (*stride, *dilation))
    windows = windows[(slice(None), slice(None), *steps)]
    last = tuple(range(2 + axes, 2 + 2 * axes))
    parts = [
        np.tensordot(columns, rows, axes=((1, *last), (1, *spatial)))
        for columns, rows in zip(
            np.split(windows, groups, 1), np.split(weight, groups, 0), strict=True
        )
    ]
    return _with_bias(np.moveaxis(np.concatenate(parts, -1), -1, 1), bias, axes, alone)


def transposed(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Many = 1,
    padding: Many = 0,
    output_padding: Many = 0,
    groups: int = 1,
    dilation: Many = 1,
) -> Array:
    """Every element adds its multiple of the weight to a window of the result."""
    axes, alone = weight.ndim - 2, x.ndim < weight.ndim
    x = x[None] if alone else x
    stride, dilation, padding = (_each(n, axes) for n in (stride, dilation, padding))
    kernel, extra = weight.shape[2:], _each(output_padding, axes)
    sizes = [
        (n - 1) * s + d * (k - 1) + 1 + e
        for n, s, d, k, e in zip(x.shape[2:], stride, dilation, kernel, extra, strict=True)
    ]
    y = np.zeros((x.shape[0], weight.shape[1] * groups, *sizes), x.dtype)
    for tap in product(*map(range, kernel)):
        parts = [
            np.tensordot(part, rows[(slice(None), slice(None), *tap)], axes=((1,), (0,)))
            for part, rows in zip(np.split(x, groups, 1), np.split(weight, groups, 0), strict=True)
        ]
        places = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, dilation, x.shape[2:], stride, strict=True)
        )
        y[(slice(None), slice(None), *places)] += np.moveaxis(np.concatenate(parts, -1), -1, 1)
    inside = tuple(slice(p, n - p) for p, n in zip(padding, sizes, strict=True))
    return _with_bias(y[(slice(None), slice(None), *inside)], bias, axes, alone)
