"""Resizing, which decides sizes in Python first."""

from __future__ import annotations

from collections.abc import Sequence

from gleed import _C, ops
from gleed._C import Tensor
from gleed.errors import ArgumentError, RangeError, ShapeError

Sizes = int | Sequence[int]
# The number of dims that a mode is for; 0: one, two or three.
MODES = {
    "nearest": 0,
    "nearest-exact": 0,
    "area": 0,
    "linear": 1,
    "bilinear": 2,
    "bicubic": 2,
    "trilinear": 3,
}


def interpolate(
    input: Tensor,
    size: Sizes | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """(batch, channels, *) with the one, two or three dims * of another size.

    `size`, or `scale_factor` times the input's size, rounded down: one number, or one for each dim.
    `mode`: "nearest", "nearest-exact" (the place nearest to an output's centre), "linear",
    "bilinear", "trilinear" (as many dims as the name says), "bicubic" (Keys, 1981), "area" (means).
    With `align_corners` the centres of the corners lie upon each other, else the corners. Positions
    follow from `scale_factor`, or with `recompute_scale_factor` from the sizes. `antialias`
    ("bilinear", "bicubic"): spread the weights over all that an output stands for.

    Modes other than the nearest ones need floating point; "bilinear" and "bicubic" take uint8 too,
    and round rows, then columns, to bytes. Raises ValueError for modes and sizes
    that do not fit the input.

    >>> import gleed
    >>> interpolate(gleed.tensor([[[0.0, 4.0]]]), scale_factor=2, mode="linear")
    tensor([[[0., 1., 3., 4.]]])
    """
    n = input.ndim - 2
    _check_mode(mode, n, align_corners, antialias)
    if (size is None) == (scale_factor is None):
        raise ArgumentError(
            f"interpolate: size or scale_factor must be given; got "
            f"{'none of them' if size is None else 'both'}; give one"
        )
    scales: tuple[float | None, ...] = (None,) * 3
    if scale_factor is not None:
        factors = _each("scale_factor", scale_factor, n)
        counts = tuple(int(length * f) for length, f in zip(input.shape[2:], factors, strict=True))
        if not recompute_scale_factor:
            scales = (*map(float, factors), *scales)[:3]
    else:
        counts = tuple(int(length) for length in _each("size", size, n))
    if mode == "area":
        return ops.OPS[f"adaptive_avg_pool{n}d"].public(input, counts)
    corners = bool(align_corners)
    if input.dtype is _C.uint8 and n == 2 and not mode.startswith("nearest"):
        return _of_bytes(input, counts, mode, corners, antialias, scales)
    return ops.OPS["_interpolate"].public(input, counts, mode, corners, antialias, *scales)


def _of_bytes(
    input: Tensor,
    counts: tuple[int, ...],
    mode: str,
    corners: bool,
    antialias: bool,
    scales: tuple[float | None, ...],
) -> Tensor:
    """As PyTorch has it from Pillow: along rows, then along columns, rounded to bytes each time."""
    steps = (
        ((input.shape[2], counts[1]), (None, scales[1], None)),
        (counts, (scales[0], None, None)),
    )
    x = input
    for size, factors in steps:
        y = ops.OPS["_interpolate"].public(x.float(), size, mode, corners, antialias, *factors)
        x = (y + 0.5).floor().clamp(0, 255).to(_C.uint8)
    return x


def _check_mode(mode: str, n: int, align_corners: bool | None, antialias: bool) -> None:
    if mode not in MODES or n not in (1, 2, 3) or MODES[mode] not in (0, n):
        fitting = [m for m, dims in MODES.items() if dims in (0, n)]
        raise RangeError(
            f"interpolate: the mode must fit the input, a batch, channels and up to three dims; "
            f"got mode {mode!r} for {n + 2} dims; use one of {', '.join(fitting)}"
        )
    if align_corners is not None and mode in ("nearest", "nearest-exact", "area"):
        raise RangeError(
            f"interpolate: align_corners is for linear and cubic modes; got it with mode {mode!r}; "
            "leave it out"
        )
    if antialias and mode not in ("bilinear", "bicubic"):
        raise RangeError(
            f'interpolate: antialias is for "bilinear" and "bicubic"; got it with mode {mode!r}; '
            "leave it out"
        )


def _each(what: str, given: float | Sequence[float] | None, n: int) -> tuple[float, ...]:
    """One number for each of `n` dims."""
    numbers = (given,) * n if isinstance(given, int | float) else tuple(given or ())
    if len(numbers) != n:
        raise RangeError(
            f"interpolate: {what} takes one number, or one for each of the {n} dims; got {given}; "
            f"give {n}"
        )
    return numbers


def upsample(
    input: Tensor,
    size: Sizes | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """`interpolate` under its former name.

    >>> import gleed
    >>> upsample(gleed.tensor([[[0.0, 4.0]]]), 4)
    tensor([[[0., 0., 4., 4.]]])
    """
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(
    input: Tensor,
    size: Sizes | None = None,
    scale_factor: float | Sequence[float] | None = None,
) -> Tensor:
    """`interpolate` to the nearest place.

    >>> import gleed
    >>> upsample_nearest(gleed.tensor([[[0.0, 4.0]]]), scale_factor=2)
    tensor([[[0., 0., 4., 4.]]])
    """
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(
    input: Tensor,
    size: Sizes | None = None,
    scale_factor: float | Sequence[float] | None = None,
) -> Tensor:
    """`interpolate` in mode "bilinear" with `align_corners`.

    >>> import gleed
    >>> upsample_bilinear(gleed.tensor([[[[0.0, 4.0]]]]), (1, 3))
    tensor([[[[0., 2., 4.]]]])
    """
    return interpolate(input, size, scale_factor, "bilinear", True)


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The positions at which `grid_sample` reads an image to move it by the matrices `theta`.

    `theta` (N, 2, 3) and `size` (N, C, H, W) give (N, H, W, 2); (N, 3, 4) and (N, C, D, H, W) give
    (N, D, H, W, 3). (Jaderberg et al., 2015.)

    >>> import gleed
    >>> affine_grid(gleed.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]), (1, 1, 1, 2))
    tensor([[[[-0.5000,  0.0000],
              [ 0.5000,  0.0000]]]])
    """
    n = len(size) - 2
    if n not in (2, 3) or theta.shape != (size[0], n, n + 1) or not theta.is_floating_point():
        raise ShapeError(
            f"affine_grid: theta must be a floating-point (N, 2, 3) for a size (N, C, H, W), or "
            f"(N, 3, 4) for (N, C, D, H, W); got {theta.dtype} {list(theta.shape)} and "
            f"{list(size)}; reshape theta"
        )
    return ops.OPS["_affine_grid"].public(theta, tuple(size), bool(align_corners))
