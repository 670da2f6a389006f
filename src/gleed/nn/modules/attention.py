"""MultiheadAttention."""

from __future__ import annotations

from typing import Any

import gleed
from gleed import Tensor
from gleed.errors import ArgumentError
from gleed.nn import functional as F
from gleed.nn import init
from gleed.nn.module import Module
from gleed.nn.modules.check import check_probability, check_size
from gleed.nn.modules.linear import NonDynamicallyQuantizableLinear
from gleed.nn.parameter import Parameter


class MultiheadAttention(Module):
    """Attention in `num_heads` parts of the features, each with projections of its own.

    Shapes: query `(L, N, embed_dim)`, key `(S, N, kdim)`, value `(S, N, vdim)`, result
    `(L, N, embed_dim)`; with `batch_first` N comes first; N may be missing. The weights, if asked
    for, are `(N, L, S)`, or `(N, num_heads, L, S)` without `average_attn_weights`.

    Parameters: `in_proj_weight` `(3 * embed_dim, embed_dim)`, or `q_proj_weight`, `k_proj_weight`
    and `v_proj_weight` where `kdim` or `vdim` differ from `embed_dim`; `in_proj_bias`; `out_proj`;
    `bias_k` and `bias_v`, one more key and value. `add_zero_attn` adds a key and a value of zeros.
    `need_weights=False` is faster, and takes memory that grows with L + S alone.

    Source: Vaswani et al., "Attention is all you need", 2017.

    >>> import gleed
    >>> attention = gleed.nn.MultiheadAttention(8, 2)
    >>> x = gleed.zeros(5, 1, 8)
    >>> y, weights = attention(x, x, x)
    >>> y.shape, weights.shape
    (gleed.Size([5, 1, 8]), gleed.Size([1, 5, 5]))
    """

    in_proj_weight: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        options = {"device": device, "dtype": dtype}
        self.embed_dim = check_size("MultiheadAttention", "embed_dim", embed_dim, least=1)
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == self.vdim == embed_dim
        self.num_heads = check_size("MultiheadAttention", "num_heads", num_heads, least=1)
        self.dropout = check_probability("MultiheadAttention", "dropout", dropout)
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise ArgumentError(
                "MultiheadAttention: embed_dim must be divisible by num_heads; got "
                f"{embed_dim} and {num_heads}; change one of them"
            )
        self._register_projections(options)
        if bias:
            self.in_proj_bias = Parameter(gleed.empty(3 * embed_dim, **options))
        else:
            self.register_parameter("in_proj_bias", None)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias, **options)
        self.bias_k = self.bias_v = None
        if add_bias_kv:
            self.bias_k = Parameter(gleed.empty((1, 1, embed_dim), **options))
            self.bias_v = Parameter(gleed.empty((1, 1, embed_dim), **options))
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _register_projections(self, options: dict[str, Any]) -> None:
        separate = not self._qkv_same_embed_dim
        sizes = {
            "q_proj_weight": (self.embed_dim, self.embed_dim) if separate else None,
            "k_proj_weight": (self.embed_dim, self.kdim) if separate else None,
            "v_proj_weight": (self.embed_dim, self.vdim) if separate else None,
            "in_proj_weight": None if separate else (3 * self.embed_dim, self.embed_dim),
        }
        for name, size in sizes.items():
            weight = None if size is None else Parameter(gleed.empty(size, **options))
            self.register_parameter(name, weight)

    def _reset_parameters(self) -> None:
        """Draw new initial values of all but the output's projection."""
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            weight = getattr(self, name)
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """What the queries find, and the weights or None. Masks are True where attention is not
        allowed, or numbers that are added; `is_causal` says that `attn_mask` is the causal mask.
        """
        swap = self.batch_first and query.ndim == 3
        if swap:
            # What is one tensor stays one: then one product projects all three.
            turned = {id(x): x.transpose(0, 1) for x in (query, key, value)}
            query, key, value = (turned[id(x)] for x in (query, key, value))
        y, weights = F.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return y.transpose(0, 1) if swap else y, weights
