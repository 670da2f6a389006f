"""Attention and its gradient, which the core computes block by block (native/attention.h)."""

from __future__ import annotations

from typing import Any

from gleed.compiler.graph import Value
from gleed.primitives.core import Batch, Primitive, Types, require, same_shape
from gleed.primitives.library import matmul, transposed
from gleed.primitives.pointwise import exp, fill, le, where
from gleed.primitives.reduction import broadcast, reduce_sum


# ---- q [..., L, E], k [..., S, E], v [..., S, Ev], scale [], mask [..., L, S] or none
#      -> what is found [..., L, Ev], the logarithm of what softmax divided by [..., L]
def _check(name: str, q: Value, k: Value, v: Value, scale: Value, *mask: Value) -> None:
    weights = (*q.shape[:-1], k.shape[-2])
    fits = len(q.shape) == len(k.shape) == len(v.shape) >= 2 and scale.shape == ()
    fits = fits and all(x.dtype == q.dtype for x in (k, v, scale, *mask))
    fits = fits and same_shape(k.shape, (*q.shape[:-2], *k.shape[-2:]))
    fits = fits and same_shape(k.shape[:-1], v.shape[:-1]) and q.shape[-1] == k.shape[-1]
    fits = fits and all(same_shape(m.shape, weights) for m in mask)
    require(fits, name, "[..., L, E], [..., S, E], [..., S, Ev], [], [..., L, S]", (q, k, v, *mask))


def _attention_types(
    q: Value, k: Value, v: Value, scale: Value, *mask: Value, causal: bool
) -> Types:
    _check("attention", q, k, v, scale, *mask)
    return [(q.dtype, (*q.shape[:-1], v.shape[-1])), (q.dtype, q.shape[:-1])]


def _attention_rule(
    g: Any, y: Any, q: Any, k: Any, v: Any, scale: Any, *mask: Any, causal: bool
) -> tuple[Any, ...]:
    cotangent, (result, logarithm) = g[0], y
    delta = reduce_sum(cotangent * result, axes=(result.ndim - 1,)) - g[1]
    gradients = attention_gradient(
        q, k, v, scale, cotangent, logarithm, delta, *mask, causal=causal
    )
    if not mask:
        return (*gradients, None)
    weights = _weights(q, k, scale, logarithm, *mask, causal=causal)
    slopes = weights * (matmul(cotangent, transposed(v)) - _columns(delta, weights))
    return (*gradients, None, slopes)


def _batched(primitive: Primitive, batch: Batch, *inputs: Any, causal: bool) -> Any:
    """All operands may have leading axes, but for the scale."""
    require(not batch.mapped[3], primitive.name, "one scale for a batch", [inputs[3].value])
    whole = batch.whole(inputs)
    return primitive(*whole[:3], inputs[3], *whole[4:], causal=causal)


attention = Primitive(
    *("attention", "library", _attention_types, None, _attention_rule, _batched),
    attributes={"rows_like": (0,)},
)


# ---- the same, a cotangent [..., L, Ev], the logarithm, delta [..., L], the mask -> dq, dk, dv
def _gradient_types(
    q: Value,
    k: Value,
    v: Value,
    scale: Value,
    g: Value,
    logarithm: Value,
    delta: Value,
    *mask: Value,
    causal: bool,
) -> Types:
    _check("attention_gradient", q, k, v, scale, *mask)
    fits = same_shape(g.shape, (*q.shape[:-1], v.shape[-1]))
    fits = fits and all(same_shape(x.shape, q.shape[:-1]) for x in (logarithm, delta))
    require(fits, "attention_gradient", "a number for every row", (g, logarithm, delta))
    return [(x.dtype, x.shape) for x in (q, k, v)]


def _gradient_rule(
    cotangents: Any,
    y: Any,
    q: Any,
    k: Any,
    v: Any,
    scale: Any,
    g: Any,
    logarithm: Any,
    delta: Any,
    *mask: Any,
    causal: bool,
) -> tuple[Any, ...]:
    """From the formulas of native/attention.h, with whole matrices of weights: `p` are the weights,
    `s` the gradient of the scores, and each name with a d is the cotangent of that."""
    a, b, c = cotangents
    p = _weights(q, k, scale, logarithm, *mask, causal=causal)
    factor = broadcast(scale, shape=p.shape, axes=())
    error = matmul(g, transposed(v)) - _columns(delta, p)
    s = p * error * factor
    ds = (matmul(a, transposed(k)) + matmul(q, transposed(b))) * factor
    dp = ds * error + matmul(g, transposed(c))
    derror = ds * p
    dscores = p * dp
    dproduct = dscores * factor
    rows = (p.ndim - 1,)
    gradients = (
        matmul(s, b) + matmul(dproduct, k),
        matmul(transposed(s), a) + matmul(transposed(dproduct), q),
        matmul(transposed(derror), g),
        None,
        matmul(derror, v) + matmul(p, c),
        -reduce_sum(dscores, axes=rows),
        -reduce_sum(derror, axes=rows),
    )
    return (*gradients, dscores) if mask else gradients


attention_gradient: Primitive = Primitive(
    *("attention_gradient", "library", _gradient_types, None, _gradient_rule, _batched),
    attributes={"rows_like": (0, 1, 2)},
)


def _weights(q: Any, k: Any, scale: Any, logarithm: Any, *mask: Any, causal: bool) -> Any:
    """exp(q · kᵀ · scale + mask - logarithm), which is softmax."""
    scores = matmul(q, transposed(k))
    scores = scores * broadcast(scale, shape=scores.shape, axes=())
    for m in mask:
        scores = scores + m
    if causal:
        rows, columns = (q.trace.iota(scores.shape, scores.ndim + i) for i in (-2, -1))
        scores = where(le(columns, rows), scores, fill(scores, float("-inf")))
    return exp(scores - _columns(logarithm, scores))


def _columns(rows: Any, like: Any) -> Any:
    """A number a row, repeated along the row."""
    return broadcast(rows, shape=like.shape, axes=tuple(range(rows.ndim)))
