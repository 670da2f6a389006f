"""Axis numbers as users give them: negative ones, single ones, none for all."""

from __future__ import annotations

from collections.abc import Sequence

from gleed.compiler.dims import Size
from gleed.errors import ArgumentError, BoundsError, RangeError
from gleed.ops.promotion import shape_text
from gleed.ops.record import Tensor

Dims = int | Sequence[int] | None


def axis_of(name: str, dim: int, ndim: int) -> int:
    """`dim` counted from the front; `ndim` 0 counts as 1."""
    if not isinstance(dim, int):
        raise ArgumentError(
            f"{name}: dim must be an integer; got {type(dim).__name__}; use "
            "0 for the first dim, -1 for the last"
        )
    bound = max(ndim, 1)
    if not -bound <= dim < bound:
        raise BoundsError(
            f"{name}: dim is out of range; got dim {dim} for a tensor of {ndim} dims; use "
            f"{-bound} … {bound - 1}"
        )
    return dim % bound


def axes_of(name: str, dim: Dims, ndim: int) -> tuple[int, ...]:
    """Several axes in order, all of them for None or an empty list."""
    if dim is None or (not isinstance(dim, int) and len(dim) == 0):
        return tuple(range(ndim))
    axes = [axis_of(name, d, ndim) for d in ((dim,) if isinstance(dim, int) else dim)]
    if len(set(axes)) < len(axes):
        raise RangeError(f"{name}: every dim may appear once; got dim={dim!r}; drop the repeats")
    return tuple(sorted(axes)) if ndim else ()


def units(x: Tensor, axes: Sequence[int]) -> tuple[Size, ...]:
    """The shape of `x` with `axes` of size 1."""
    return tuple(1 if a in axes else n for a, n in enumerate(x.shape))


def require_elements(name: str, x: Tensor, axes: Sequence[int]) -> None:
    """Raise if there is nothing to choose from along `axes`."""
    if any(x.shape[a] == 0 for a in axes):
        raise BoundsError(
            f"{name}: the reduced dims must not be empty, for there is no extreme of nothing; got "
            f"shape {shape_text(x.shape)} over dims {list(axes)}; check the size first"
        )
