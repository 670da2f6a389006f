"""Primitives that the core runs by a routine of its own."""

from __future__ import annotations

from typing import Any

from gleed.compiler.graph import Value
from gleed.primitives.core import Batch, Primitive, Types, along, require, same_shape
from gleed.primitives.indexing import scatter
from gleed.primitives.movement import flip, permute, reshape
from gleed.primitives.pointwise import bitwise_and, exp, fill, gt, log, lt, neg, where
from gleed.primitives.reduction import broadcast, reduce_sum


# ---- matmul: [..., m, k] x [..., k, n] -> [..., m, n], leading axes equal
def _matmul_types(a: Value, b: Value) -> Types:
    fits = a.dtype == b.dtype and len(a.shape) == len(b.shape) >= 2
    fits = fits and same_shape(a.shape[:-2], b.shape[:-2]) and a.shape[-1] == b.shape[-2]
    require(fits, "matmul", "[..., m, k] x [..., k, n]", (a, b))
    return [(a.dtype, (*a.shape[:-1], b.shape[-1]))]


def transposed(x: Any) -> Any:
    """The last two axes exchanged."""
    return permute(x, axes=(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def product_like(x: Any, a: Any, b: Any) -> Any:
    """a @ b as a gradient of x. If x is a transposed view, what it is a view of gets its gradient
    row-major: the product is taken transposed."""
    node = x.value.node
    if node.op == "permute" and node.attrs["axes"][-1] == x.ndim - 2:
        return transposed(matmul(transposed(b), transposed(a)))
    return matmul(a, b)


def _matmul_rule(g: Any, y: Any, a: Any, b: Any) -> tuple[Any, Any]:
    return product_like(a, g, transposed(b)), product_like(b, transposed(a), g)


def _matmul_batch(primitive: Primitive, batch: Batch, a: Any, b: Any) -> Any:
    """With one matrix for all, the rows (or columns) of all examples are those of one product."""
    if batch.mapped == (True, False) and b.ndim == 2:
        return _by_rows(batch, a, lambda rows: matmul(rows, b))
    if batch.mapped == (False, True) and a.ndim == 2 and b.shape[2] == 1:
        return transposed(_by_rows(batch, transposed(b), lambda rows: matmul(rows, transposed(a))))
    return primitive(*batch.whole((a, b)))


def _by_rows(batch: Batch, a: Any, product: Any) -> Any:
    """What becomes of the rows of [batch, m, k], put below one another."""
    rows, depth = a.shape[1:]
    y = product(reshape(a, shape=(batch.size * rows, depth)))
    return reshape(y, shape=(batch.size, rows, y.shape[1]))


matmul: Primitive = Primitive("matmul", "library", _matmul_types, None, _matmul_rule, _matmul_batch)


def sum_of_examples(x: Any) -> Any:
    """The sum along the first axis. That of matrix products is one product."""
    node = x.value.node
    if node.op == "permute" and node.attrs["axes"][0] == 0:
        axes = tuple(a - 1 for a in node.attrs["axes"][1:])
        return permute(sum_of_examples(type(x)(x.trace, node.inputs[0])), axes=axes)
    if node.op == "matmul" and x.ndim == 3:
        a, b = (type(x)(x.trace, v) for v in node.inputs)
        (count, depth, columns), rows = b.shape, a.shape[1]
        a = reshape(permute(a, axes=(1, 0, 2)), shape=(rows, count * depth))
        return matmul(a, reshape(b, shape=(count * depth, columns)))
    return reduce_sum(x, axes=(0,))


# ---- affine: [m, k] x [k, n] + bias [n], optionally with negative results replaced by zero
def _affine_types(a: Value, b: Value, bias: Value, relu: bool) -> Types:
    fits = bias.dtype == a.dtype and same_shape(bias.shape, b.shape[-1:])
    require(fits, "affine", "a bias for every column", (a, b, bias))
    return _matmul_types(a, b)


def _affine_rule(g: Any, y: Any, a: Any, b: Any, bias: Any, relu: bool) -> tuple[Any, Any, Any]:
    if relu:
        g = where(gt(y, fill(y, 0)), g, fill(g, 0))
    rows = reduce_sum(g, axes=tuple(range(g.ndim - 1)))
    return *_matmul_rule(g, y, a, b), rows


def _affine_batch(primitive: Primitive, batch: Batch, a: Any, b: Any, bias: Any, relu: bool) -> Any:
    if batch.mapped == (True, False, False) and a.ndim == 3:
        return _by_rows(batch, a, lambda rows: affine(rows, b, bias, relu=relu))
    factors, (columns,) = batch.of(0, 1), batch.of(2).whole((bias,))
    some = any(factors.mapped)
    y = _matmul_batch(matmul, factors, a, b) if some else batch.repeated(matmul(a, b))
    y = y + broadcast(columns, shape=y.shape, axes=(0, y.ndim - 1))
    return where(lt(y, fill(y, 0)), fill(y, 0), y) if relu else y


affine: Primitive = Primitive(
    "affine",
    "library",
    _affine_types,
    None,
    _affine_rule,
    _affine_batch,
    attributes={"routine": "matmul"},
)


# ---- sort along one axis; stable; NaN is the greatest
def _sort_types(x: Value, axis: int, descending: bool) -> Types:
    return [(x.dtype, x.shape), ("i64", x.shape)]


def place_back(g: Any, x: Any, indices: Any, axis: int) -> Any:
    """The gradient of picking x[indices] along an axis, each place at most once."""
    zeros = x.trace.full(x.shape, 0, x.dtype)
    others = tuple(a for a in range(x.ndim) if a != axis)
    return scatter(zeros, g, indices, axes=(axis,), mapping=others, mode="add")


sort = Primitive(
    "sort",
    "library",
    _sort_types,
    None,
    lambda g, y, x, axis, descending: place_back(g[0], x, y[1], axis),
    along("axis"),
)


# ---- the k greatest (or least) along one axis, in order; the first of equals come first
def _topk_types(x: Value, axis: int, k: Any, largest: bool) -> Types:
    shape = (*x.shape[:axis], k, *x.shape[axis + 1 :])
    return [(x.dtype, shape), ("i64", shape)]


topk = Primitive(
    "topk",
    "library",
    _topk_types,
    None,
    lambda g, y, x, axis, k, largest: place_back(g[0], x, y[1], axis),
    along("axis"),
)


# ---- where along one axis the element of a rank is, counted from 0 in the order of `sort`
def _place_of_rank_types(x: Value, rank: Value, axis: int) -> Types:
    shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    fits = rank.dtype == "i64" and same_shape(rank.shape, shape)
    require(fits, "place_of_rank", "a rank for every row", (x, rank))
    return [("i64", shape)]


place_of_rank = Primitive(
    "place_of_rank", "library", _place_of_rank_types, None, None, along("axis")
)


# ---- log(exp(x0) + … + exp(xi)) along an axis
def _logcumsumexp_rule(g: Any, y: Any, x: Any, axis: int) -> Any:
    """The sum of g * exp(x - y) from here on, apart for positive and negative g, in logarithms."""

    zero, nothing = fill(g, 0), fill(g, float("-inf"))
    some = lt(nothing, y)

    def share(part: Any) -> Any:
        active = bitwise_and(some, lt(zero, part))
        terms = log(where(active, part, fill(g, 1))) - where(some, y, zero)
        terms = flip(where(active, terms, nothing), axis)
        return exp(flip(logcumsumexp(terms, axis=axis), axis) + x)

    return share(g) - share(neg(g))


logcumsumexp = Primitive(
    "logcumsumexp",
    "library",
    lambda x, axis: [(x.dtype, x.shape)],
    None,
    _logcumsumexp_rule,
    along("axis"),
)


# ---- where values belong in sorted rows: [batch, n], [batch, m] -> [batch, m]
def _searchsorted_types(rows: Value, values: Value, right: bool) -> Types:
    fits = rows.dtype == values.dtype and len(rows.shape) == len(values.shape) == 2
    require(fits, "searchsorted", "[batch, n] and [batch, m]", (rows, values))
    return [("i64", values.shape)]


def _searchsorted_batch(
    primitive: Primitive, batch: Batch, rows: Any, values: Any, right: bool
) -> Any:
    rows, values = (
        reshape(x, shape=(batch.size * x.shape[1], x.shape[2])) for x in batch.whole((rows, values))
    )
    y = primitive(rows, values, right=right)
    return reshape(y, shape=(batch.size, y.shape[0] // batch.size, y.shape[1]))


searchsorted = Primitive("searchsorted", "library", _searchsorted_types, batch=_searchsorted_batch)


# ---- results whose size depends on data: the last `dynamic` outputs, which no step may use. Their
# type says how many axes they have.
def _nonzero_types(x: Value, by_axis: bool) -> Types:
    return [("i64", (0, 0))]


# The positions of the elements that are not zero, as rows, or as columns if `by_axis`.
nonzero = Primitive("nonzero", "library", _nonzero_types, attributes={"dynamic": 1})
