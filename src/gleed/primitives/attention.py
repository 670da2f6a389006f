"""Attention and its gradient, which the core computes block by block (native/attention.h)."""

from __future__ import annotations

from typing import Any

from gleed.compiler.graph import Value
from gleed.primitives.core import Batch, Primitive, Types, require, same_shape
from gleed.primitives.library import matmul, transposed
from gleed.primitives.movement import reshape
from gleed.primitives.pointwise import cast, exp, fill, le, where
from gleed.primitives.reduction import broadcast, reduce_sum


# ---- q [..., H, L, E], k [..., K, S, E], v [..., K, S, Ev], scale [], mask [..., H, L, S] or none
#      -> what is found [..., H, L, Ev], the logarithm of what softmax divided by [..., H, L], and
#      of 16-bit floats what the first lost when it was rounded
#      where K, which divides H, and H are there or not; 16-bit floats beside a scale of float32
def _check(name: str, q: Value, k: Value, v: Value, scale: Value, *mask: Value) -> None:
    weights = (*q.shape[:-1], k.shape[-2])
    sums = "f64" if q.dtype == "f64" else "f32"
    fits = len(q.shape) == len(k.shape) == len(v.shape) >= 2 and scale.shape == ()
    fits = fits and q.dtype == k.dtype == v.dtype and scale.dtype == sums
    fits = fits and all(m.dtype in ("bool", sums, q.dtype) for m in mask)
    fits = fits and same_shape(k.shape[:-3], q.shape[:-3]) and _shares_heads(q, k)
    fits = fits and same_shape(k.shape[:-1], v.shape[:-1]) and q.shape[-1] == k.shape[-1]
    fits = fits and all(same_shape(m.shape, weights) for m in mask)
    require(fits, name, "[..., L, E], [..., S, E], [..., S, Ev], [], [..., L, S]", (q, k, v, *mask))


def _shares_heads(q: Value, k: Value) -> bool:
    """Whether every key serves as many heads."""
    if len(q.shape) < 3 or q.shape[-3] == k.shape[-3]:
        return True
    return k.shape[-3] != 0 and q.shape[-3] % k.shape[-3] == 0


def _attention_types(
    q: Value, k: Value, v: Value, scale: Value, *mask: Value, causal: bool
) -> Types:
    _check("attention", q, k, v, scale, *mask)
    found, rows = (q.dtype, (*q.shape[:-1], v.shape[-1])), (scale.dtype, q.shape[:-1])
    return [found, rows] if q.dtype == scale.dtype else [found, rows, found]


def _attention_rule(
    g: Any, y: Any, q: Any, k: Any, v: Any, scale: Any, *mask: Any, causal: bool
) -> tuple[Any, ...]:
    cotangent, (result, logarithm, *rest) = g[0], y
    exact = sum((_as(x, scale) for x in rest), _as(result, scale))
    delta = reduce_sum(_as(cotangent, scale) * exact, axes=(result.ndim - 1,)) - g[1]
    gradients = attention_gradient(
        q, k, v, scale, cotangent, logarithm, delta, *mask, causal=causal
    )
    if not mask or mask[0].dtype == "bool":
        return (*gradients, None, *(None for _ in mask))
    q, k, v, cotangent = _whole(scale, q, k, v, cotangent)
    weights = _weights(q, k, scale, logarithm, *mask, causal=causal)
    slopes = weights * (matmul(cotangent, transposed(v)) - _columns(delta, weights))
    return (*gradients, None, _as(slopes, mask[0]))


def _batched(primitive: Primitive, batch: Batch, *inputs: Any, causal: bool) -> Any:
    """All operands may have leading axes, but for the scale."""
    require(not batch.mapped[3], primitive.name, "one scale for a batch", [inputs[3].value])
    whole = batch.whole(inputs)
    return primitive(*whole[:3], inputs[3], *whole[4:], causal=causal)


attention = Primitive(
    *("attention", "library", _attention_types, None, _attention_rule, _batched),
    attributes={"rows_like": (0,), "needed": 2},
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
    rows = (logarithm, delta)
    fits = same_shape(g.shape, (*q.shape[:-1], v.shape[-1])) and g.dtype == q.dtype
    fits = fits and all(same_shape(x.shape, q.shape[:-1]) for x in rows)
    fits = fits and all(x.dtype == scale.dtype for x in rows)
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
    own = (q, k, v, None, g, None, None)
    q, k, v, g = _whole(scale, q, k, v, g)
    a, b, c = (_as(x, scale) for x in cotangents)
    b, c = _for_every_head(b, q), _for_every_head(c, q)
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
    found = [
        x if like is None else _gathered(x, like) for x, like in zip(gradients, own, strict=True)
    ]
    if not mask or mask[0].dtype == "bool":
        return (*found, *(None for _ in mask))
    return (*found, _as(dscores, mask[0]))


attention_gradient: Primitive = Primitive(
    *("attention_gradient", "library", _gradient_types, None, _gradient_rule, _batched),
    attributes={"rows_like": (0, 1, 2)},
)


def _weights(q: Any, k: Any, scale: Any, logarithm: Any, *mask: Any, causal: bool) -> Any:
    """exp(q · kᵀ · scale + mask - logarithm), which is softmax."""
    scores = matmul(q, transposed(k))
    scores = scores * broadcast(scale, shape=scores.shape, axes=())
    for m in mask:
        if m.dtype == "bool":
            scores = where(m, scores, fill(scores, float("-inf")))
        else:
            scores = scores + _as(m, scores)
    if causal:
        rows, columns = (q.trace.iota(scores.shape, scores.ndim + i) for i in (-2, -1))
        scores = where(le(columns, rows), scores, fill(scores, float("-inf")))
    return exp(scores - _columns(logarithm, scores))


def _whole(scale: Any, q: Any, k: Any, v: Any, g: Any) -> tuple[Any, ...]:
    """The operands as factors of whole matrices: as wide as sums, keys for every head."""
    q, k, v, g = (_as(x, scale) for x in (q, k, v, g))
    return q, _for_every_head(k, q), _for_every_head(v, q), g


def _as(x: Any, like: Any) -> Any:
    return x if x.dtype == like.dtype else cast(x, dtype=like.dtype)


def _for_every_head(x: Any, q: Any) -> Any:
    """Keys or values, each repeated for the heads that share it."""
    if x.ndim < 3 or x.shape[-3] == q.shape[-3]:
        return x
    *lead, heads, rows, columns = x.shape
    axes = tuple(i for i in range(x.ndim + 1) if i != x.ndim - 2)
    shape = (*lead, heads, q.shape[-3] // heads, rows, columns)
    return reshape(
        broadcast(x, shape=shape, axes=axes), shape=(*lead, *q.shape[-3:-2], rows, columns)
    )


def _gathered(x: Any, like: Any) -> Any:
    """The gradient of an operand from one for every head."""
    if x.ndim >= 3 and x.shape[-3] != like.shape[-3]:
        *lead, heads, rows, columns = like.shape
        shape = (*lead, heads, x.shape[-3] // heads, rows, columns)
        x = reduce_sum(reshape(x, shape=shape), axes=(x.ndim - 2,))
    return _as(x, like)


def _columns(rows: Any, like: Any) -> Any:
    """A number a row, repeated along the row."""
    return broadcast(rows, shape=like.shape, axes=tuple(range(rows.ndim)))
