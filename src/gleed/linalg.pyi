# Made by tools/generate_stubs.py; `make format` makes it anew.
from collections.abc import Sequence
from typing import Any

from gleed import Tensor
from gleed._typing import Bool, Dims, DType, Float, Int, Operand, Tensors

def cross(input: Tensor, other: Tensor, *, dim: Int = -1, out: Tensor | None = None) -> Tensor:
    """The cross products of the vectors of three elements along `dim`."""

def diagonal(A: Tensor, *, offset: Int = 0, dim1: Int = -2, dim2: Int = -1) -> Tensor:
    """The diagonals of matrices, as a view."""

def matmul(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The matrix product: of vectors a number, of a matrix and a vector a vector, else of the
    last two dims, with the leading dims broadcast.
    """

def matrix_norm(
    A: Tensor,
    ord: Any = "fro",
    dim: Sequence[Int] = ...,
    keepdim: Bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """The norm of the matrices in two dims: "fro" (Euclidean), inf and -inf (the extreme sum of
    a row's absolute values), 1 and -1 (of a column's).
    """

def matrix_power(input: Tensor, n: Int) -> Tensor:
    """The product of `n` times the same square matrix; n = 0 gives the identity."""

def multi_dot(tensors: Tensors) -> Tensor:
    """The product of matrices one after another, in the cheapest order; the first and the last
    may be vectors.
    """

def norm(
    A: Tensor,
    ord: Any = None,
    dim: Dims = None,
    keepdim: Bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """`vector_norm` over one dim, `matrix_norm` over two; of all elements if neither ord nor dim
    is given.
    """

def vecdot(x: Operand, y: Operand, *, dim: Int = -1, out: Tensor | None = None) -> Tensor:
    """The inner products along `dim`, with broadcasting."""

def vector_norm(
    x: Tensor,
    ord: Float = 2,
    dim: Dims = None,
    keepdim: Bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """The norm of order `ord` over `dim` (all elements if None): 2, 1, inf, -inf, 0 (how many
    are nonzero) or any number.
    """
