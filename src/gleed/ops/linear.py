"""Products of vectors and matrices."""

from __future__ import annotations

from typing import Any

from gleed import primitives as p
from gleed.compiler.dims import product
from gleed.errors import DTypeError, ShapeError
from gleed.ops.logic import where
from gleed.ops.promotion import (
    broadcast_shapes,
    convert,
    dtype_text,
    expand_to,
    require_dtype,
    shape_text,
)
from gleed.ops.record import Number, Tensor, op


def _one_dtype(name: str, *xs: Tensor) -> None:
    if any(x.dtype != xs[0].dtype for x in xs):
        raise DTypeError(
            f"{name}: all operands must have one dtype; got "
            f"{' and '.join(dtype_text(x.dtype) for x in xs)}; convert one with .to(dtype)"
        )
    require_dtype(name, xs[0], xs[0].dtype != "bool", "bool has no matrix product", "convert it")


def _dims(name: str, x: Tensor, ndim: int, what: str) -> None:
    if x.ndim != ndim:
        kind = {1: "a vector (1 dim)", 2: "a matrix (2 dims)", 3: "a batch of matrices (3 dims)"}
        raise ShapeError(
            f"{name}: {what} must be {kind[ndim]}; got shape {shape_text(x.shape)}; use matmul for "
            "broadcasting products"
        )


def _inner(name: str, a: Tensor, b: Tensor, m: Any, n: Any) -> None:
    if not m == n:
        raise ShapeError(
            f"{name}: the inner sizes must agree; got {shape_text(a.shape)} and "
            f"{shape_text(b.shape)}; transpose one of them, or check the order"
        )


def _product_name(input: Tensor, other: Tensor, *rest: Any) -> str:
    names = {(1, 1): "dot", (2, 1): "mv", (2, 2): "mm"}
    return names.get((input.ndim, other.ndim), "UnsafeViewBackward0")


@op(method=True, out=True, reference="numpy.matmul", grad_name=_product_name)
def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The matrix product: of vectors a number, of a matrix and a vector a vector, else of the last
    two dims, with the leading dims broadcast.

    >>> gleed.matmul(gleed.tensor([[1.0, 2.0]]), gleed.tensor([[3.0], [4.0]]))
    tensor([[11.]])
    """
    a, b = input, other
    _one_dtype("matmul", a, b)
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError(
            f"matmul: both operands need at least 1 dim; got {shape_text(a.shape)} and "
            f"{shape_text(b.shape)}; use * for numbers"
        )
    _inner("matmul", a, b, a.shape[-1], b.shape[-2 if b.ndim > 1 else 0])
    if a.ndim == 1 and b.ndim == 1:
        return p.reduce_sum(a * b, axes=(0,))
    left = p.reshape(a, shape=(1, a.shape[0])) if a.ndim == 1 else a
    right = p.reshape(b, shape=(b.shape[0], 1)) if b.ndim == 1 else b
    result = _batched(left, right)
    lead = result.shape[:-2]
    if a.ndim == 1:
        return p.reshape(result, shape=(*lead, result.shape[-1]))
    if b.ndim == 1:
        return p.reshape(result, shape=(*lead, result.shape[-2]))
    return result


def _batched(a: Tensor, b: Tensor) -> Tensor:
    """[..., m, k] x [..., k, n] with leading dims broadcast; a single right matrix takes all rows
    of a batch at once."""
    if b.ndim == 2 and a.ndim > 2:
        rows = p.reshape(a, shape=(product(a.shape[:-1]), a.shape[-1]))
        return p.reshape(p.matmul(rows, b), shape=(*a.shape[:-1], b.shape[-1]))
    lead = broadcast_shapes("matmul", a.shape[:-2], b.shape[:-2])
    left = expand_to(a, (*lead, *a.shape[-2:]))
    right = expand_to(b, (*lead, *b.shape[-2:]))
    return p.matmul(left, right)


@op(method=True, out=True)
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices.

    >>> gleed.mm(gleed.tensor([[1.0, 2.0]]), gleed.tensor([[3.0], [4.0]]))
    tensor([[11.]])
    """
    _one_dtype("mm", input, mat2)
    _dims("mm", input, 2, "input")
    _dims("mm", mat2, 2, "mat2")
    _inner("mm", input, mat2, input.shape[1], mat2.shape[0])
    return p.matmul(input, mat2)


@op(method=True, out=True)
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two batches of matrices.

    >>> gleed.bmm(gleed.ones(2, 1, 3), gleed.ones(2, 3, 1)).shape
    gleed.Size([2, 1, 1])
    """
    _one_dtype("bmm", input, mat2)
    _dims("bmm", input, 3, "input")
    _dims("bmm", mat2, 3, "mat2")
    _inner("bmm", input, mat2, input.shape[2], mat2.shape[1])
    if not input.shape[0] == mat2.shape[0]:
        raise ShapeError(
            f"bmm: batch sizes must agree; got {shape_text(input.shape)} and "
            f"{shape_text(mat2.shape)}; use matmul to broadcast"
        )
    return p.matmul(input, mat2)


@op(method=True, out=True)
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix and a vector.

    >>> gleed.mv(gleed.tensor([[1.0, 2.0]]), gleed.tensor([3.0, 4.0]))
    tensor([11.])
    """
    _dims("mv", input, 2, "input")
    _dims("mv", vec, 1, "vec")
    return matmul(input, vec)


@op(method=True, out=True)
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The inner product of two vectors of equal size.

    >>> gleed.dot(gleed.tensor([1.0, 2.0]), gleed.tensor([3.0, 4.0]))
    tensor(11.)
    """
    _dims("dot", input, 1, "input")
    _dims("dot", tensor, 1, "tensor")
    return matmul(input, tensor)


@op(method=True)
def inner(input: Tensor, other: Tensor) -> Tensor:
    """The inner products along the last dims.

    >>> gleed.inner(gleed.tensor([1.0, 2.0]), gleed.tensor([3.0, 4.0]))
    tensor(11.)
    """
    if input.ndim == 0 or other.ndim == 0:
        return input * other
    _inner("inner", input, other, input.shape[-1], other.shape[-1])
    left = p.reshape(input, shape=(product(input.shape[:-1]), input.shape[-1]))
    right = p.reshape(other, shape=(product(other.shape[:-1]), other.shape[-1]))
    result = p.matmul(left, p.permute(right, axes=(1, 0)))
    return p.reshape(result, shape=(*input.shape[:-1], *other.shape[:-1]))


@op(method=True, out=True, reference="numpy.outer")
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """All products of the elements of two vectors.

    >>> gleed.outer(gleed.tensor([1, 2]), gleed.tensor([3, 4]))
    tensor([[3, 4],
            [6, 8]])
    """
    _dims("outer", input, 1, "input")
    _dims("outer", vec2, 1, "vec2")
    return p.reshape(input, shape=(input.shape[0], 1)) * vec2


def _affine(product_: Tensor, input: Tensor, beta: Number, alpha: Number) -> Tensor:
    """beta * input + alpha * product, the factors in the product's dtype; a beta of 0 takes `input`
    out altogether, NaN and all."""
    kept = where(beta == 0, 0, input * convert(beta, product_.dtype))
    return kept + product_ * convert(alpha, product_.dtype)


@op(method=True, inplace=True, out=True)
def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1
) -> Tensor:
    """beta * input + alpha * (mat1 @ mat2); `input` broadcasts.

    >>> gleed.addmm(gleed.ones(1), gleed.ones(1, 2), gleed.ones(2, 1))
    tensor([[3.]])
    """
    return _affine(mm(mat1, mat2), input, beta, alpha)


@op(method=True, inplace=True, out=True)
def addmv(
    input: Tensor, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1
) -> Tensor:
    """beta * input + alpha * (mat @ vec).

    >>> gleed.addmv(gleed.ones(1), gleed.ones(1, 2), gleed.ones(2))
    tensor([3.])
    """
    return _affine(mv(mat, vec), input, beta, alpha)


@op(method=True, inplace=True, out=True)
def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1
) -> Tensor:
    """beta * input + alpha * bmm(batch1, batch2).

    >>> gleed.baddbmm(gleed.ones(1), gleed.ones(1, 1, 2), gleed.ones(1, 2, 1))
    tensor([[[3.]]])
    """
    return _affine(bmm(batch1, batch2), input, beta, alpha)


def _linear_name(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> str:
    if input.ndim != 2:
        return "ViewBackward0" if bias is not None else "UnsafeViewBackward0"
    return "mm" if bias is None else "addmm"


@op(namespace=("nn.functional",), grad_name=_linear_name)
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input @ weight.T + bias along the last dim; `weight` is (out_features, in_features).

    >>> gleed.nn.functional.linear(gleed.ones(1, 2), gleed.ones(3, 2))
    tensor([[2., 2., 2.]])
    """
    _one_dtype("linear", input, weight)
    if weight.ndim != 2 or input.ndim == 0 or not input.shape[-1] == weight.shape[1]:
        raise ShapeError(
            f"linear: the last size of the input must be in_features of the weight; got input "
            f"{shape_text(input.shape)} and weight {shape_text(weight.shape)} (out_features, "
            "in_features); check the layer's sizes"
        )
    rows = input
    if input.ndim != 2:
        rows = p.reshape(input, shape=(product(input.shape[:-1]), input.shape[-1]))
    columns = p.permute(weight, axes=(1, 0))
    if bias is None:
        y = p.matmul(rows, columns)
    elif bias.dtype == input.dtype and bias.ndim == 1 and bias.shape[0] == weight.shape[0]:
        y = p.affine(rows, columns, bias, relu=False)
    else:
        y = p.matmul(rows, columns) + bias
    return y if input.ndim == 2 else p.reshape(y, shape=(*input.shape[:-1], weight.shape[0]))


def _product_samples() -> None:
    calls: dict[Any, list[tuple[tuple[int, ...], ...]]] = {
        matmul: [
            ((3,), (3,)),
            ((2, 3), (3,)),
            ((3,), (3, 2)),
            ((2, 3), (3, 4)),
            ((5, 2, 3), (3, 4)),
            ((5, 1, 2, 3), (2, 3, 4)),
            ((2, 0), (0, 3)),
        ],
        mm: [((2, 3), (3, 4)), ((1, 7), (7, 1))],
        bmm: [((2, 3, 4), (2, 4, 5))],
        mv: [((3, 4), (4,))],
        dot: [((5,), (5,))],
        inner: [((5,), (5,)), ((2, 3), (4, 3))],
        outer: [((2,), (3,))],
        addmm: [((2, 4), (2, 3), (3, 4)), ((4,), (2, 3), (3, 4))],
        addmv: [((2,), (2, 3), (3,))],
        baddbmm: [((2, 2, 4), (2, 2, 3), (2, 3, 4))],
        linear: [
            ((2, 3), (4, 3)),
            ((2, 3), (4, 3), (4,)),
            ((5, 2, 3), (4, 3), (4,)),
            ((3,), (2, 3)),
        ],
    }
    for record, shapes in calls.items():

        @record.samples
        def _(make: Any, shapes: Any = shapes) -> Any:
            for case in shapes:
                yield make.call(*(make.tensor(shape) for shape in case))


_product_samples()
