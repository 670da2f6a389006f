"""Linear algebra on matrices: norms, products, powers, as `gleed.linalg` has them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from gleed import primitives as p
from gleed.errors import RangeError, ShapeError
from gleed.ops import reduction
from gleed.ops.axes import Dims, axis_of
from gleed.ops.einsum import cross
from gleed.ops.linear import matmul
from gleed.ops.promotion import convert, shape_text
from gleed.ops.record import Operand, Tensor, op

INFINITY = float("inf")


# ---- norms
@op(name="linalg_vector_norm", namespace="", out=True)
def vector_norm(
    x: Tensor, ord: float = 2, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """The norm of order `ord` over `dim` (all elements if None): 2, 1, inf, -inf, 0 (how many are
    nonzero) or any number.

    >>> gleed.linalg.vector_norm(gleed.tensor([3.0, 4.0]))
    tensor(5.)
    """
    return reduction.vector_norm(x, ord, dim, keepdim, dtype)


@op(name="linalg_matrix_norm", namespace="", out=True)
def matrix_norm(
    A: Tensor,
    ord: Any = "fro",
    dim: Sequence[int] = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: Any = None,
) -> Tensor:
    """The norm of the matrices in two dims: "fro" (Euclidean), inf and -inf (the extreme sum of a
    row's absolute values), 1 and -1 (of a column's).

    >>> gleed.linalg.matrix_norm(gleed.tensor([[1.0, -2.0], [3.0, 4.0]]), 1)
    tensor(6.)
    """
    if len(dim) != 2:
        raise RangeError(f"matrix_norm: dim must name two dims; got {tuple(dim)}; use (-2, -1)")
    if ord == "fro":
        return reduction.vector_norm(A, 2, dim, keepdim, dtype)
    if ord not in (1, -1, INFINITY, -INFINITY):
        raise RangeError(
            f'matrix_norm: ord must be "fro", 1, -1, inf or -inf; got {ord!r}; norms of singular '
            "values are not available"
        )
    rows, columns = (axis_of("matrix_norm", d, A.ndim) for d in dim)
    summed, extreme = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = reduction.vector_norm(A, 1, summed, True, dtype)
    y = sums.amax(extreme, True) if ord > 0 else sums.amin(extreme, True)
    if keepdim:
        return y
    kept = tuple(n for a, n in enumerate(y.shape) if a not in (rows, columns))
    return p.reshape(y, shape=kept)


@op(name="linalg_norm", namespace="", out=True)
def norm(
    A: Tensor, ord: Any = None, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """`vector_norm` over one dim, `matrix_norm` over two; of all elements if neither ord nor dim
    is given.

    >>> gleed.linalg.norm(gleed.tensor([[3.0, 0.0], [0.0, 4.0]]))
    tensor(5.)
    """
    if ord is None:
        return reduction.vector_norm(A, 2, dim, keepdim, dtype)
    dims = tuple(range(A.ndim)) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    if len(dims) == 2:
        return matrix_norm(A, ord, dims, keepdim, dtype=dtype)
    if len(dims) != 1:
        raise ShapeError(
            f"norm: with ord, dim must name one dim or two; got dim={dim!r} for shape "
            f"{shape_text(A.shape)}; give dim"
        )
    return reduction.vector_norm(A, ord, dims, keepdim, dtype)


# ---- products
@op(name="linalg_vecdot", namespace="", out=True)
def vecdot(x: Operand, y: Operand, *, dim: int = -1) -> Tensor:
    """The inner products along `dim`, with broadcasting.

    >>> gleed.linalg.vecdot(gleed.tensor([[1.0, 2.0], [3.0, 4.0]]), gleed.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    product = x * y
    return convert(product.sum(dim), product.dtype)


@op(name="linalg_cross", namespace="", out=True)
def cross_product(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The cross products of the vectors of three elements along `dim`.

    >>> gleed.linalg.cross(gleed.tensor([1.0, 0.0, 0.0]), gleed.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    return cross(input, other, dim)


@op(method=True, namespace=("gleed", "linalg"))
def matrix_power(input: Tensor, n: int) -> Tensor:
    """The product of `n` times the same square matrix; n = 0 gives the identity.

    >>> gleed.linalg.matrix_power(gleed.tensor([[1.0, 1.0], [0.0, 1.0]]), 3)
    tensor([[1., 3.],
            [0., 1.]])
    """
    if input.ndim < 2 or not input.shape[-1] == input.shape[-2]:
        raise ShapeError(
            f"matrix_power: the matrices must be square; got {shape_text(input.shape)}; slice them"
        )
    if n < 0:
        raise RangeError(f"matrix_power: n must be 0 or more; got {n}; inverses are not available")
    if n == 0:
        row, column = (input.trace.iota(input.shape, input.ndim - k) for k in (2, 1))
        return p.copy(convert(row == column, input.dtype))
    factors, square = [], input
    while n:
        if n % 2:
            factors.append(square)
        n //= 2
        square = matmul(square, square) if n else square
    return functools.reduce(matmul, factors) if len(factors) > 1 else p.copy(factors[0])


# ---- views
@op(name="linalg_diagonal", namespace="")
def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of matrices, as a view.

    >>> gleed.linalg.diagonal(gleed.tensor([[[1, 2], [3, 4]]]))
    tensor([[1, 4]])
    """
    return A.diagonal(offset, dim1, dim2)


def _samples() -> None:
    calls = {
        vector_norm: [((5,),), ((3, 4), 3, 1, True), ((3, 4), 1)],
        matrix_norm: [((3, 4),), ((2, 3, 4), 1), ((3, 4), -INFINITY, (1, 0), True)],
        norm: [((5,), 1), ((3, 4),), ((2, 3, 4), INFINITY, (0, 2))],
        matrix_power: [((3, 3), 5), ((2, 3, 3), 0), ((3, 3), 1)],
        diagonal: [((2, 3, 4),)],
    }
    for record, made in calls.items():

        @record.samples
        def _(make: Any, made: Any = made) -> Any:
            for shape, *rest in made:
                yield make.call(make.tensor(shape), *rest)

    @vecdot.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((3, 4)), make.tensor((4,)))
        yield make.call(make.tensor((3, 4)), make.tensor((3, 1)), dim=0)

    @cross_product.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((2, 3)), make.tensor((2, 3)))


_samples()
