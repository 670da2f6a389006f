"""Primitives that the core runs by a routine of its own."""

from __future__ import annotations

from typing import Any

from gleed.compiler.graph import Value
from gleed.primitives.core import Primitive, Types, require, same_shape
from gleed.primitives.indexing import scatter
from gleed.primitives.movement import permute


# ---- matmul: [..., m, k] x [..., k, n] -> [..., m, n], leading axes equal
def _matmul_types(a: Value, b: Value) -> Types:
    fits = a.dtype == b.dtype and len(a.shape) == len(b.shape) >= 2
    fits = fits and same_shape(a.shape[:-2], b.shape[:-2]) and a.shape[-1] == b.shape[-2]
    require(fits, "matmul", "[..., m, k] x [..., k, n]", (a, b))
    return [(a.dtype, (*a.shape[:-1], b.shape[-1]))]


def transposed(x: Any) -> Any:
    """The last two axes exchanged."""
    return permute(x, axes=(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


matmul = Primitive(
    "matmul",
    "library",
    _matmul_types,
    None,
    lambda g, y, a, b: (matmul(g, transposed(b)), matmul(transposed(a), g)),
)


# ---- sort along the last axis; stable; NaN is the greatest
def _sort_types(x: Value, descending: bool) -> Types:
    return [(x.dtype, x.shape), ("i64", x.shape)]


def place_back(g: Any, x: Any, indices: Any) -> Any:
    """The gradient of picking x[..., indices] along the last axis, each place at most once."""
    zeros = x.trace.full(x.shape, 0, x.dtype)
    last = x.ndim - 1
    return scatter(zeros, g, indices, axes=(last,), mapping=tuple(range(last)), mode="add")


sort = Primitive(
    "sort",
    "library",
    _sort_types,
    None,
    lambda g, y, x, descending: place_back(g[0], x, y[1]),
)


# ---- the k greatest (or least) along the last axis, in order
def _topk_types(x: Value, k: Any, largest: bool) -> Types:
    shape = (*x.shape[:-1], k)
    return [(x.dtype, shape), ("i64", shape)]


topk = Primitive(
    "topk", "library", _topk_types, None, lambda g, y, x, k, largest: place_back(g[0], x, y[1])
)


# ---- results whose size depends on data: the last `dynamic` outputs, which no step may use. Their
# type says how many axes they have.
def _nonzero_types(x: Value, by_axis: bool) -> Types:
    return [("i64", (0, 0))]


# The positions of the elements that are not zero, as rows, or as columns if `by_axis`.
nonzero = Primitive(
    "nonzero", "library", _nonzero_types, attributes={"dynamic": 1}
)
