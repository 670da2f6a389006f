"""Attention in several heads: projections, masks, and what `nn.MultiheadAttention` computes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from gleed._C import Tensor
from gleed.errors import ArgumentError, DTypeError, ShapeError
from gleed.ops.activation import softmax
from gleed.ops.attention import scaled_dot_product_attention
from gleed.ops.creation import zeros
from gleed.ops.dropout import dropout
from gleed.ops.joining import cat
from gleed.ops.linear import linear
from gleed.ops.padding import pad
from gleed.ops.record import function

NAME = "multi_head_attention_forward"


@function(namespace=("nn.functional",))
def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """What `nn.MultiheadAttention` computes, its parameters given.

    Shapes: query `(L, N, E)`, key and value `(S, N, …)`, or all without N; `attn_mask` `(L, S)` or
    `(N * num_heads, L, S)`; `key_padding_mask` `(N, S)` or `(S)`. Masks are True where attention is
    *not* allowed, or numbers that are added. `is_causal` says that `attn_mask` is the causal mask.
    Gives the result `(L, N, E)` and, with `need_weights`, the weights: `(N, L, S)` averaged over
    the heads, else `(N, num_heads, L, S)`. Raises ShapeError, DTypeError.

    >>> import gleed
    >>> x, w = gleed.ones(3, 1, 2), gleed.ones(6, 2)
    >>> y, weights = gleed.nn.functional.multi_head_attention_forward(
    ...     x, x, x, 2, 1, w, None, None, None, False, 0.0, gleed.eye(2), None)
    >>> y.shape, weights[0, 0]
    (gleed.Size([3, 1, 2]), tensor([0.3333, 0.3333, 0.3333]))
    """
    batched = _check_ranks(query, key, value, key_padding_mask, attn_mask)
    _check_sizes(query, key, value, embed_dim_to_check, num_heads, use_separate_proj_weight)
    if is_causal and attn_mask is None:
        raise ArgumentError(
            f"{NAME}: is_causal says what attn_mask is; got no attn_mask; pass the mask too, see "
            "nn.Transformer.generate_square_subsequent_mask"
        )
    if not batched:
        query, key, value = _each(lambda x: x.unsqueeze(1), query, key, value)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    # Rows are projected in the order in which they lie in memory: batch first or sequence first.
    batch = 0 if query.transpose(0, 1).is_contiguous() and not query.is_contiguous() else 1
    if batch == 0:
        query, key, value = _each(lambda x: x.transpose(0, 1), query, key, value)
    weights: Any = in_proj_weight
    if use_separate_proj_weight:
        weights = (q_proj_weight, k_proj_weight, v_proj_weight)
    q, k, v = _projected(query, key, value, weights, in_proj_bias)
    k, v = _with_bias(k, v, bias_k, bias_v, static_k is not None or static_v is not None, batch)
    q, k, v = (_in_heads(x, num_heads, batch) for x in (q, k, v))
    k = k if static_k is None else _given("static_k", static_k, q)
    v = v if static_v is None else _given("static_v", static_v, q)
    if add_zero_attn:
        k, v = (cat([x, zeros(*x.shape[:2], 1, x.shape[3], dtype=x.dtype)], 2) for x in (k, v))

    alone = is_causal and key_padding_mask is None and not need_weights
    mask = None if alone else _merged(attn_mask, key_padding_mask, q, k, key.shape[1 - batch])
    chance = dropout_p if training else 0.0
    shares = None
    if need_weights:
        y, shares = _weighed(q, k, v, mask, chance)
    else:
        y = scaled_dot_product_attention(q, k, v, mask, chance, alone)
    # Sequence first even so: dropout that follows draws in the order of memory, as in PyTorch.
    y = linear(y.permute(2, 0, 1, 3).flatten(2), out_proj_weight, out_proj_bias)
    if shares is not None and average_attn_weights:
        shares = shares.mean(1)
    if batched:
        return y, shares
    return y.squeeze(1), None if shares is None else shares.squeeze(0)


def _each(change: Callable[[Tensor], Tensor], *xs: Tensor) -> list[Tensor]:
    """The tensors changed; what was one tensor stays one."""
    changed = {id(x): change(x) for x in xs}
    return [changed[id(x)] for x in xs]


# ---- projections
def _projected(q: Tensor, k: Tensor, v: Tensor, weights: Any, bias: Tensor | None) -> Any:
    """Query, key and value through their maps: one product where all three are one tensor."""
    if isinstance(weights, tuple):
        if any(w is None for w in weights):
            raise ArgumentError(
                f"{NAME}: use_separate_proj_weight needs q_proj_weight, k_proj_weight and "
                "v_proj_weight; got None; pass all three"
            )
    elif weights is None:
        raise ArgumentError(f"{NAME}: in_proj_weight is needed; got None; pass it")
    elif q is k and k is v:
        return linear(q, weights, bias).chunk(3, -1)
    else:
        weights = weights.chunk(3)
    biases = (None, None, None) if bias is None else bias.chunk(3)
    return [linear(x, w, b) for x, w, b in zip((q, k, v), weights, biases, strict=True)]


def _with_bias(
    k: Tensor, v: Tensor, bias_k: Tensor | None, bias_v: Tensor | None, static: bool, batch: int
) -> tuple[Tensor, Tensor]:
    """One more key and value, which are parameters."""
    if bias_k is None and bias_v is None:
        return k, v
    if bias_k is None or bias_v is None or static:
        raise ArgumentError(
            f"{NAME}: bias_k and bias_v come together, and without static_k and static_v; got "
            "others; pass both or neither"
        )
    size = [1, 1, k.shape[2]]
    size[batch] = k.shape[batch]
    pairs = ((k, bias_k), (v, bias_v))
    first, second = (cat([x, bias.expand(*size)], 1 - batch) for x, bias in pairs)
    return first, second


def _in_heads(x: Tensor, heads: int, batch: int) -> Tensor:
    """Rows of features as (N, heads, length, features of a head): a view."""
    x = x.unflatten(-1, (heads, x.shape[-1] // heads))
    return x.permute(*((0, 2, 1, 3) if batch == 0 else (1, 2, 0, 3)))


def _given(name: str, x: Tensor, query: Tensor) -> Tensor:
    """A key or value given as (N * heads, S, features of a head)."""
    batch, heads, _, features = query.shape
    if x.ndim != 3 or x.shape[0] != batch * heads or x.shape[2] != features:
        raise ShapeError(
            f"{NAME}: {name} must be (N * num_heads, S, head_dim), here ({batch * heads}, S, "
            f"{features}); got {tuple(x.shape)}; reshape it"
        )
    return x.unflatten(0, (batch, heads))


# ---- masks
def _merged(
    mask: Tensor | None, padding: Tensor | None, q: Tensor, k: Tensor, keys: int
) -> Tensor | None:
    """Both masks as one that is added; keys beyond the first `keys` were put there afterwards,
    and anyone may attend to them."""
    batch, heads, length, _ = q.shape
    more = k.shape[2] - keys
    if mask is not None:
        mask = _added("attn_mask", mask, q)
        if mask.ndim == 3:
            _fits("attn_mask", mask, (batch * heads, length, keys))
            mask = mask.unflatten(0, (batch, heads))
        else:
            _fits("attn_mask", mask, (length, keys))
        mask = pad(mask, (0, more)) if more else mask
    if padding is None:
        return mask
    padding = _added("key_padding_mask", padding, q)
    _fits("key_padding_mask", padding, (batch, keys))
    padding = pad(padding, (0, more)) if more else padding
    padding = padding[:, None, None, :]
    return padding if mask is None else mask + padding


def _added(name: str, mask: Tensor, query: Tensor) -> Tensor:
    """A mask that is True where attention is not allowed, as numbers that are added."""
    if mask.is_floating_point():
        return mask
    if mask.dtype.name != "bool":
        raise DTypeError(
            f"{NAME}: {name} must be bool or floating point; got {mask.dtype.name}; convert with "
            ".bool()"
        )
    nothing = zeros(mask.shape, dtype=query.dtype)
    return nothing.masked_fill(mask, float("-inf"))


def _fits(name: str, mask: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(mask.shape) != shape:
        raise ShapeError(
            f"{NAME}: {name} must have the shape {shape}; got {tuple(mask.shape)}; check the "
            "lengths of query and key"
        )


def _weighed(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, chance: float
) -> tuple[Tensor, Tensor]:
    """The result, and the weights that it was made with."""
    scores = (q * math.sqrt(1.0 / q.shape[-1])) @ k.transpose(-2, -1)
    weights = softmax(scores if mask is None else scores + mask, -1)
    weights = dropout(weights, chance) if chance > 0 else weights
    return weights @ v, weights


# ---- checks
def _check_ranks(
    query: Tensor, key: Tensor, value: Tensor, padding: Tensor | None, mask: Tensor | None
) -> bool:
    """Whether there is a batch axis."""
    ranks = (query.ndim, key.ndim, value.ndim)
    if ranks not in ((3, 3, 3), (2, 2, 2)):
        raise ShapeError(
            f"{NAME}: query, key and value must all have 3 dims, or 2 without a batch; got "
            f"{ranks}; add a dim with unsqueeze"
        )
    batched = query.ndim == 3
    if padding is not None and padding.ndim != (2 if batched else 1):
        raise ShapeError(
            f"{NAME}: key_padding_mask must have {2 if batched else 1} dims, for query has "
            f"{query.ndim}; got {padding.ndim}; it is (N, S), or (S) without a batch"
        )
    if mask is not None and mask.ndim not in (2, 3):
        raise ShapeError(
            f"{NAME}: attn_mask must have 2 or 3 dims; got {mask.ndim}; it is (L, S) or "
            "(N * num_heads, L, S)"
        )
    return batched


def _check_sizes(
    query: Tensor, key: Tensor, value: Tensor, embed_dim: int, heads: int, separate: bool
) -> None:
    if query.shape[-1] != embed_dim:
        raise ShapeError(
            f"{NAME}: the last size of query must be embed_dim, here {embed_dim}; got "
            f"{tuple(query.shape)}; check the layer's sizes"
        )
    if embed_dim % heads:
        raise ShapeError(
            f"{NAME}: embed_dim must be divisible by num_heads; got {embed_dim} and {heads}; "
            "change one of them"
        )
    kept = -1 if separate else None
    if key.shape[:kept] != value.shape[:kept]:
        raise ShapeError(
            f"{NAME}: key and value must have the same shape, but for the last size if they are "
            f"projected apart; got {tuple(key.shape)} and {tuple(value.shape)}; check the order"
        )
    if key.ndim == 3 and key.shape[1] != query.shape[1]:
        raise ShapeError(
            f"{NAME}: query and key must have the same batch size, dim 1; got "
            f"{tuple(query.shape)} and {tuple(key.shape)}; batch_first puts it into dim 0"
        )
