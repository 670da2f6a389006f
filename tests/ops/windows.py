"""Pools by their definition: one window after another, in NumPy."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

Array = np.ndarray
# The places that every window along one axis covers, and how many of them count for a mean.
Windows = list[tuple[list[int], int]]


def each(size: Any, n: int) -> tuple[int, ...]:
    size = size if isinstance(size, tuple | list) else (size,)
    return tuple(size) * n if len(size) == 1 else tuple(size)


def sliding(length: int, k: int, s: int, p: int, d: int, ceil_mode: bool, include: bool) -> Windows:
    found: Windows = []
    first = -p
    while first + (k - 1) * d < length + p or (
        ceil_mode and first < length and first - s + (k - 1) * d < length + p - 1
    ):
        places = [first + t * d for t in range(k)]
        inside = [i for i in places if 0 <= i < length]
        counted = [i for i in places if i < length + p] if include else inside
        found.append((inside, len(counted)))
        first += s
    return found


def adaptive(length: int, count: int) -> Windows:
    bounds = [(i * length // count, -((i + 1) * length // -count)) for i in range(count)]
    return [(list(range(a, b)), b - a) for a, b in bounds]


def pooled(x: Array, windows: Sequence[Windows], reduce: Callable[..., Any]) -> list[Array]:
    """reduce(elements, flat places, number counted) for every window of the last axes."""
    n = len(windows)
    shape = x.shape[-n:]
    flat = x.reshape(-1, *shape)
    counts = tuple(map(len, windows))
    results: list[list[Any]] = [
        [reduce(*one) for one in _of_image(image, windows)] for image in flat
    ]
    columns = [np.array([[cell[i] for cell in row] for row in results]) for i in range(2)]
    lead = x.shape[:-n]
    if not results:
        columns = [np.zeros((0,)), np.zeros((0,))]
    return [c.reshape(*lead, *counts) for c in columns]


def _of_image(image: Array, windows: Sequence[Windows]) -> Iterator[tuple[Array, Array, int]]:
    places = np.arange(image.size).reshape(image.shape)
    for chosen in itertools.product(*windows):
        at = np.ix_(*(inside for inside, _ in chosen))
        yield image[at].ravel(), places[at].ravel(), int(np.prod([count for _, count in chosen]))


def _greatest(elements: Array, places: Array, count: int) -> tuple[float, int]:
    best = int(np.argmax(elements))
    return elements[best], int(places[best])


def _mean(elements: Array, places: Array, count: int, divisor: int | None = None) -> Any:
    divisor = divisor or count
    if elements.dtype.kind == "i":
        return int(elements.sum() / divisor), 0
    return elements.sum() / divisor, 0


def max_pool(
    n: int, x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Any:  # fmt: skip
    parts = [each(v, n) for v in (kernel_size, stride or kernel_size, padding, dilation)]
    windows = [
        sliding(length, *sizes, ceil_mode, False)
        for length, *sizes in zip(x.shape[-n:], *parts, strict=True)
    ]
    values, places = pooled(x, windows, _greatest)
    return (values, places) if return_indices else values


def adaptive_max_pool(n: int, x: Array, output_size: Any, return_indices: bool = False) -> Any:
    windows = [adaptive(*sizes) for sizes in zip(x.shape[-n:], each(output_size, n), strict=True)]
    values, places = pooled(x, windows, _greatest)
    return (values, places) if return_indices else values


def avg_pool(
    n: int, x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None,
) -> Array:  # fmt: skip
    parts = [each(v, n) for v in (kernel_size, stride or kernel_size, padding, 1)]
    windows = [
        sliding(length, *sizes, ceil_mode, count_include_pad)
        for length, *sizes in zip(x.shape[-n:], *parts, strict=True)
    ]
    return pooled(x, windows, partial(_mean, divisor=divisor_override))[0]


def adaptive_avg_pool(n: int, x: Array, output_size: Any) -> Array:
    windows = [adaptive(*sizes) for sizes in zip(x.shape[-n:], each(output_size, n), strict=True)]
    return pooled(x, windows, _mean)[0]


def lp_pool(
    n: int, x: Array, norm: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Array:
    mean = avg_pool(n, x.astype(float) ** norm, kernel_size, stride, 0, ceil_mode)
    return (mean * np.prod(each(kernel_size, n))) ** (1 / norm)


def grid_sample(
    x: Array, grid: Array, mode: str = "bilinear", padding: str = "zeros", corners: bool = False
) -> Array:
    """One position after another."""
    sizes = x.shape[2:]
    result = np.zeros((*x.shape[:2], *grid.shape[1:-1]))
    for place in np.ndindex(*grid.shape[:-1]):
        taps = [
            _taps(float(at), size, mode, padding, corners)
            for at, size in zip(grid[place][::-1], sizes, strict=True)
        ]
        for chosen in itertools.product(*taps):
            weight = np.prod([w for _, w in chosen])
            result[(place[0], slice(None), *place[1:])] += (
                weight * x[(place[0], slice(None), *(i for i, _ in chosen))]
            )
    return result


def _taps(at: float, size: int, mode: str, padding: str, corners: bool) -> list[tuple[int, float]]:
    at = (at + 1) / 2 * (size - 1) if corners else ((at + 1) * size - 1) / 2
    if mode == "bicubic":
        base = int(np.floor(at))
        taps = [(base + t, _cubic(at - base - t)) for t in (-1, 0, 1, 2)]
        moved = [(_back(i, size, padding, corners), w) for i, w in taps]
    else:
        at = _back(at, size, padding, corners)
        base = int(np.round(at)) if mode == "nearest" else int(np.floor(at))
        moved = (
            [(base, 1.0)] if mode == "nearest" else [(base, base + 1 - at), (base + 1, at - base)]
        )
    return [(int(i), w) for i, w in moved if 0 <= i <= size - 1]


def _cubic(d: float, a: float = -0.75) -> float:
    d = abs(d)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a


def _back(at: float, size: int, padding: str, corners: bool) -> float:
    if padding == "zeros":
        return at
    if padding == "reflection":
        low, high = (0, size - 1) if corners else (-0.5, size - 0.5)
        while not low <= at <= high:
            at = 2 * low - at if at < low else 2 * high - at
    return min(max(at, 0), size - 1)


FORMULAS: dict[str, Callable[..., Any]] = {
    f"{name}{n}d": partial(function, n)
    for n in (1, 2, 3)
    for name, function in (
        ("max_pool", max_pool), ("adaptive_max_pool", adaptive_max_pool), ("avg_pool", avg_pool),
        ("adaptive_avg_pool", adaptive_avg_pool), ("lp_pool", lp_pool),
    )
} | {
    "max_pool1d_with_indices": partial(max_pool, 1, return_indices=True),
    "grid_sample": grid_sample,
}  # fmt: skip
