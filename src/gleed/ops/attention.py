"""Attention: what is looked up, weighted by how well a query fits each key."""

from __future__ import annotations

from typing import Any

from gleed import primitives as p
from gleed.compiler.kernel import is_float
from gleed.errors import ArgumentError, DTypeError, RangeError, ShapeError
from gleed.ops.activation import softmax
from gleed.ops.axes import units
from gleed.ops.dropout import dropout
from gleed.ops.promotion import broadcast_shapes, convert, dtype_text, expand_to, shape_text
from gleed.ops.record import Number, Tensor, op
from gleed.primitives.library import transposed

NAME = "scaled_dot_product_attention"


@op(namespace=("nn.functional",))
def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: Number | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(query @ key.T * scale + attn_mask) @ value (Vaswani et al., "Attention is all you
    need", 2017).

    Shapes: query `(…, L, E)`, key `(…, S, E)`, value `(…, S, Ev)`, result `(…, L, Ev)`; leading
    dims broadcast. With `enable_gqa` dim -3 of key and value divides that of query, whose
    neighbouring heads share a key and a value (Ainslie et al., 2023). `attn_mask` broadcasts to
    `(…, L, S)`: True where a query may attend, or numbers that are added. `is_causal`: query i
    attends to keys 0 … i. `dropout_p`: weights dropped, whether in training or not. `scale`:
    1/√E if None. A query that attends to nothing gets zeros.

    Without dropout memory grows with L + S, not with L · S, forward and backward (Dao et al.,
    "FlashAttention", 2022; Rabe and Staats, 2021). float16 and bfloat16 are computed in float32
    block by block, and rounded once.

    >>> q, k, v = gleed.tensor([[1.0]]), gleed.zeros(2, 1), gleed.tensor([[1.0], [3.0]])
    >>> gleed.nn.functional.scaled_dot_product_attention(q, k, v)
    tensor([[2.]])
    """
    _check_dtypes(query, key, value, attn_mask)
    _check_options(attn_mask, dropout_p, is_causal)
    _check_shapes(query, key, value)
    wide = "f64" if query.dtype == "f64" else "f32"
    factor = p.rsqrt(convert(query.trace.size(query.shape[-1]), wide))
    if scale is not None:
        factor = p.copy(convert(scale, wide))
    q, k, v = query, key, value
    if enable_gqa:
        _check_heads(q, k, v)
    shared = enable_gqa and not dropout_p and k.shape[-3] == v.shape[-3]
    if enable_gqa and not shared:
        k, v = _for_every_head(k, q), _for_every_head(v, q)
    own = -3 if shared else -2
    lead = broadcast_shapes(NAME, q.shape[:own], k.shape[:own], v.shape[:own])
    q, k, v = (expand_to(x, (*lead, *x.shape[own:])) for x in (q, k, v))
    weights = (*q.shape[:-1], k.shape[-2])
    masks = [] if attn_mask is None else [_fitted(attn_mask, weights)]
    if dropout_p:
        q, k, v = (convert(x, wide) for x in (q, k, v))
        added = [_additive(mask, wide) for mask in masks]
        shares = _weights(q, k, factor, *added, causal=is_causal, dropout_p=dropout_p)
        return convert(p.matmul(shares, v), query.dtype)
    masks = [x if x.dtype in ("bool", q.dtype) else convert(x, wide) for x in masks]
    y, *_ = p.attention(q, k, v, factor, *masks, causal=is_causal)
    return y


def _weights(
    q: Tensor, k: Tensor, factor: Tensor, *masks: Tensor, causal: bool, dropout_p: float
) -> Tensor:
    """How much of each value goes into each result, some dropped."""
    scores = p.matmul(q, transposed(k))
    scores = scores * expand_to(factor, scores.shape)
    for mask in masks:
        scores = scores + mask
    if causal:
        row, column = (scores.trace.iota(scores.shape, scores.ndim + i) for i in (-2, -1))
        scores = p.where(p.le(column, row), scores, p.fill(scores, float("-inf")))
    top = p.reduce_max(scores, axes=(scores.ndim - 1,))
    top = p.reshape(top, shape=units(scores, (scores.ndim - 1,)))
    nothing = expand_to(p.eq(top, p.fill(top, float("-inf"))), scores.shape)
    zeros = p.fill(scores, 0)
    weights = p.where(nothing, zeros, softmax(p.where(nothing, zeros, scores), -1))
    return dropout(weights, dropout_p)


def _additive(mask: Tensor, dtype: str) -> Tensor:
    """A mask as numbers that are added to scores."""
    if mask.dtype != "bool":
        return convert(mask, dtype)
    full = mask.trace.full
    return p.where(mask, full(mask.shape, 0, dtype), full(mask.shape, float("-inf"), dtype))


def _fitted(mask: Tensor, shape: Any) -> Tensor:
    """A mask repeated to the shape of the scores, which it must not enlarge."""
    fits = mask.ndim <= len(shape) and all(
        n == 1 or n == m for n, m in zip(mask.shape[::-1], shape[::-1], strict=False)
    )
    if not fits:
        raise ShapeError(
            f"{NAME}: attn_mask must broadcast to (…, L, S), here {shape_text(shape)}; got "
            f"{shape_text(mask.shape)}; reshape it, or insert axes of size 1 with unsqueeze"
        )
    return expand_to(mask, shape)


def _for_every_head(x: Tensor, query: Tensor) -> Tensor:
    """The heads of a key or value, each repeated for the queries that share it."""
    *lead, heads, rows, columns = x.shape
    shared = p.reshape(x, shape=(*lead, heads, 1, rows, columns))
    shared = expand_to(shared, (*lead, heads, query.shape[-3] // heads, rows, columns))
    return p.reshape(shared, shape=(*lead, query.shape[-3], rows, columns))


def _check_heads(query: Tensor, *others: Tensor) -> None:
    for x in others:
        if x.ndim < 3 or query.ndim < 3 or not query.shape[-3] % x.shape[-3] == 0:
            raise ShapeError(
                f"{NAME}: with enable_gqa dim -3 of key and value must divide that of query; got "
                f"query {shape_text(query.shape)} beside {shape_text(x.shape)}; make the numbers "
                "of heads fit"
            )


def _check_dtypes(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> None:
    if not (is_float(query.dtype) and query.dtype == key.dtype == value.dtype):
        raise DTypeError(
            f"{NAME}: query, key and value must have one floating-point dtype; got "
            f"{dtype_text(query.dtype)}, {dtype_text(key.dtype)} and {dtype_text(value.dtype)}; "
            "convert with .to(dtype)"
        )
    if mask is not None and mask.dtype not in ("bool", "f32", query.dtype):
        raise DTypeError(
            f"{NAME}: attn_mask must be bool, float32 or of the dtype of query; got "
            f"{dtype_text(mask.dtype)} beside {dtype_text(query.dtype)}; convert with .to(dtype)"
        )


def _check_options(mask: Tensor | None, dropout_p: float, is_causal: bool) -> None:
    if mask is not None and is_causal:
        raise ArgumentError(
            f"{NAME}: a call has either attn_mask or is_causal; got both; put the causal mask into "
            "attn_mask"
        )
    if not 0 <= dropout_p <= 1:
        raise RangeError(
            f"{NAME}: dropout_p must lie in 0 … 1; got {dropout_p}; it is the share that is dropped"
        )


def _check_shapes(query: Tensor, key: Tensor, value: Tensor) -> None:
    fits = min(query.ndim, key.ndim, value.ndim) >= 2
    if not (fits and query.shape[-1] == key.shape[-1] and key.shape[-2] == value.shape[-2]):
        raise ShapeError(
            f"{NAME}: shapes must be query (…, L, E), key (…, S, E), value (…, S, Ev); got "
            f"{shape_text(query.shape)}, {shape_text(key.shape)} and {shape_text(value.shape)}; "
            "transpose, or check the order"
        )


@scaled_dot_product_attention.samples
def _(make: Any) -> Any:
    q, k, v = make.tensor((2, 3, 4)), make.tensor((2, 5, 4)), make.tensor((2, 5, 3))
    yield make.call(q, k, v)
    yield make.call(q, k, v, is_causal=True)
    yield make.call(q, k, v, make.mask((3, 5)))
    yield make.call(q, k, v, make.tensor((2, 1, 5)), scale=0.7)
    heads = make.tensor((4, 7, 2)), make.tensor((2, 3, 2)), make.tensor((2, 3, 2))
    yield make.call(*heads, enable_gqa=True)
    yield make.call(make.tensor((5, 2)), make.tensor((2, 1, 3, 2)), make.tensor((3, 3, 1)))
