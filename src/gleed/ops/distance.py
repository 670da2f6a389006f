"""Distances between points, and what keeps them within bounds."""

from __future__ import annotations

import math
from typing import Any

from gleed import primitives as p
from gleed.compiler.dims import Size
from gleed.compiler.kernel import is_float
from gleed.errors import DTypeError, RangeError, ShapeError
from gleed.ops.axes import axis_of
from gleed.ops.indexing import index_select
from gleed.ops.linear import matmul
from gleed.ops.logic import where
from gleed.ops.promotion import common, convert, dtype_text, shape_text
from gleed.ops.record import Number, Tensor, op
from gleed.ops.reduction import vector_norm


@op(name="dist", method=True)
def dist(input: Tensor, other: Tensor, p: Any = 2) -> Tensor:
    """The vector norm of order `p` of input - other.

    >>> gleed.dist(gleed.tensor([0.0, 3.0]), gleed.tensor([4.0, 0.0]))
    tensor(5.)
    """
    x, y = common("dist", input, other)
    return vector_norm(x - y, p, None, False)


# How cdist may take Euclidean distances by a product; what it does if nothing is said is first.
COMPUTE_MODES = (
    "use_mm_for_euclid_dist_if_necessary",
    "use_mm_for_euclid_dist",
    "donot_use_mm_for_euclid_dist",
)
_FEW_ROWS = 25  # up to which a product is not necessary


@op()
def cdist(x1: Tensor, x2: Tensor, p: Any = 2.0, compute_mode: str | None = None) -> Tensor:
    """The distance, by the vector norm of order `p`, of every row of `x1` from every row of `x2`.

    Euclidean distances (`p` = 2) are faster by a product, for |a - b|² = |a|² - 2 a·b + |b|²; those
    of points that nearly coincide lose digits so. `compute_mode`:
    "use_mm_for_euclid_dist_if_necessary" (if None: the product if either has more than 25 rows),
    "use_mm_for_euclid_dist" (always) or "donot_use_mm_for_euclid_dist".

    >>> gleed.cdist(gleed.tensor([[0.0, 0.0]]), gleed.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([[5., 1.]])
    """
    if x1.ndim < 2 or x2.ndim < 2 or not x1.shape[-1] == x2.shape[-1]:
        raise ShapeError(
            f"cdist: rows must be vectors of one size, in tensors of 2 dims or more; got "
            f"{shape_text(x1.shape)} and {shape_text(x2.shape)}; transpose or unsqueeze"
        )
    if not is_float(x1.dtype) or x1.dtype != x2.dtype:
        raise DTypeError(
            f"cdist: floating-point tensors of one dtype are needed; got {dtype_text(x1.dtype)} "
            f"and {dtype_text(x2.dtype)}; convert with .float()"
        )
    mode = COMPUTE_MODES[0] if compute_mode is None else compute_mode
    if mode not in COMPUTE_MODES:
        raise RangeError(
            f"cdist: compute_mode must be one of {', '.join(COMPUTE_MODES)}; got {mode!r}; correct "
            "the name"
        )
    many = x1.shape[-2] > _FEW_ROWS or x2.shape[-2] > _FEW_ROWS
    if p == 2 and (mode == COMPUTE_MODES[1] or (mode == COMPUTE_MODES[0] and many)):
        return _by_product(x1, x2)
    gap = x1.unsqueeze(-2) - x2.unsqueeze(-3)
    return vector_norm(gap, p, -1, False)


def _by_product(x: Tensor, y: Tensor) -> Tensor:
    """Euclidean distances. Where they are 0 (or less, by rounding) so are their gradients."""
    squares = (x * x).sum(-1).unsqueeze(-1) - 2 * matmul(x, y.transpose(-1, -2))
    squares = squares + (y * y).sum(-1).unsqueeze(-2)
    none = squares <= 0
    return where(none, 0, where(none, 1, squares).sqrt())


@op(namespace=("gleed", "nn.functional"))
def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The distance, by the vector norm of order `p`, of every row of (N, M) from every later row:
    (N (N - 1) / 2), the upper triangle of `cdist(input, input)` without its diagonal.

    >>> gleed.pdist(gleed.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]))
    tensor([5.0000, 1.0000, 4.2426])
    """
    if input.ndim != 2 or not is_float(input.dtype):
        raise ShapeError(
            "pdist: the input must be a floating-point matrix whose rows are the points; got "
            f"{dtype_text(input.dtype)} {shape_text(input.shape)}; use cdist for batches"
        )
    if p < 0:
        raise RangeError(f"pdist: p must not be negative; got {p}; use 2 for Euclid's norm")
    first, second = _pairs(input, input.shape[0])
    gap = index_select(input, 0, first) - index_select(input, 0, second)
    return vector_norm(gap, p, -1, False)


def _pairs(x: Tensor, n: Size) -> tuple[Tensor, Tensor]:
    """All i < j below n, in order."""
    count = n * (n - 1) // 2
    # Counted from the end, row r of the triangle begins at r (r + 1) / 2, which is solved for r.
    # Square roots of numbers below 2^52 are near enough to theirs for the whole part to be right.
    back = x.trace.size(count - 1) - x.trace.iota((count,), 0)
    row = convert(p.trunc((p.sqrt(convert(back * 8 + 1, "f64")) - 1) * 0.5), "i64")
    last = x.trace.size(n - 1)
    return last - 1 - row, last - (back - row * (row + 1) // 2)


@op(method=True, inplace=True)
def renorm(input: Tensor, p: float, dim: int, maxnorm: Number) -> Tensor:
    """Every slice along `dim` whose norm of order `p` (infinity: its greatest magnitude) is greater
    than `maxnorm` scaled down to it.

    >>> gleed.renorm(gleed.tensor([[3.0, 4.0], [0.0, 1.0]]), 2, 0, 1.0)
    tensor([[0.6000, 0.8000],
            [0.0000, 1.0000]])
    """
    if not is_float(input.dtype):
        raise DTypeError(
            f"renorm: a floating-point tensor is needed; got {dtype_text(input.dtype)}; convert it "
            "with .float()"
        )
    axis = axis_of("renorm", dim, input.ndim)
    others = tuple(a for a in range(input.ndim) if a != axis)
    if not p > 0:
        raise RangeError(f"renorm: p must be positive; got {p}; use 2 for Euclid's norm")
    size = vector_norm(input, p, others, True) if others else input.abs()
    factor = where(size > maxnorm, maxnorm / (size + 1e-7), 1.0)
    return input * convert(factor, input.dtype)


def _samples() -> None:
    one: dict[Any, list[tuple[Any, ...]]] = {
        renorm: [((3, 4), 2, 0, 1.0), ((3, 4, 2), math.inf, 1, 0.5), ((5,), 1, 0, 0.5)],
        pdist: [((4, 3),), ((5, 2), 1.0), ((3, 2), math.inf), ((2, 0),), ((1, 3),)],
    }
    for record, made in one.items():

        @record.samples
        def _(make: Any, made: Any = made) -> Any:
            for shape, *rest in made:
                yield make.call(make.tensor(shape), *rest)

    two: dict[Any, list[tuple[Any, ...]]] = {
        dist: [((3, 4), (3, 4)), ((3, 4), (4,), 3)],
        cdist: [
            ((3, 4), (5, 4)),
            ((2, 3, 4), (2, 5, 4), 1.0),
            ((2, 3, 4), (5, 4), 2.0, "use_mm_for_euclid_dist"),
        ],
    }
    for record, made in two.items():

        @record.samples
        def _(make: Any, made: Any = made) -> Any:
            for a, b, *rest in made:
                yield make.call(make.tensor(a), make.tensor(b), *rest)


_samples()
