"""Formulas in NumPy of losses, distances, padding and shuffling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

Array = np.ndarray


def reduced(loss: Array, reduction: str) -> Array:
    return {"none": lambda x: x, "mean": np.mean, "sum": np.sum}[reduction](loss)


def _vector_norm(x: Array, ord: float = 2, dim: Any = None, keepdim: bool = False) -> Array:
    return (np.abs(x) ** ord).sum(dim, keepdims=keepdim) ** (1 / ord)


def _distance(x: Array, y: Array, p: float = 2.0, eps: float = 1e-6, keep: bool = False) -> Array:
    return (np.abs(x - y + eps) ** p).sum(-1, keepdims=keep) ** (1 / p)


def _triplet(a: Array, pos: Array, neg: Array, margin: float = 1.0, p: float = 2,
             eps: float = 1e-6, swap: bool = False) -> Array:  # fmt: skip
    far = _distance(a, neg, p, eps)
    if swap:
        far = np.minimum(far, _distance(pos, neg, p, eps))
    return np.maximum(_distance(a, pos, p, eps) - far + margin, 0).mean()


def _hinge_embedding(x: Array, y: Array, margin: float = 1.0, reduction: str = "mean") -> Array:
    near = np.where(y == 1, x, 0)
    return reduced(near + np.where(y == -1, np.maximum(margin - x, 0), 0), reduction)


def _cosine_embedding(x: Array, y: Array, target: Array, margin: float = 0) -> Array:
    # Both norms squared carry a small number against division by zero, as in PyTorch.
    tiny = 1e-12
    cosine = (x * y).sum(1) / np.sqrt(((x**2).sum(1) + tiny) * ((y**2).sum(1) + tiny))
    near = np.where(target == 1, 1 - cosine, 0)
    return (near + np.where(target == -1, np.maximum(cosine - margin, 0), 0)).mean()


def _multi_margin(x: Array, y: Array, p: int = 1, margin: float = 1.0, weight: Any = None,
                  reduction: str = "mean") -> Array:  # fmt: skip
    own = np.take_along_axis(x, y[:, None], 1)
    each = np.maximum(margin - own + x, 0) ** p
    np.put_along_axis(each, y[:, None], 0, 1)
    each = each if weight is None else each * weight[y][:, None]
    return reduced(each.sum(1) / x.shape[1], reduction)


def _multilabel_margin(x: Array, y: Array, reduction: str = "mean") -> Array:
    rows = []
    for scores, listed in zip(np.atleast_2d(x), np.atleast_2d(y), strict=True):
        own = listed[: np.argmax(listed < 0)] if (listed < 0).any() else listed
        others = np.setdiff1d(np.arange(len(scores)), own)
        margins = np.maximum(1 - scores[own][:, None] + scores[others], 0)
        rows.append(margins.sum() / len(scores))
    return reduced(np.reshape(rows, x.shape[:-1]), reduction)


def _group_norm(x: Array, groups: int, weight: Any = 1, bias: Any = 0, eps: float = 1e-5) -> Array:
    rows = x.reshape(len(x), groups, -1)
    variance = rows.var(-1, keepdims=True)
    y = ((rows - rows.mean(-1, keepdims=True)) / np.sqrt(variance + eps)).reshape(x.shape)
    shape = (-1, *(1 for _ in x.shape[2:]))
    return y * np.reshape(weight, shape) + np.reshape(bias, shape)


def _local_response(x: Array, size: int, alpha: float = 1e-4, beta: float = 0.75,
                    k: float = 1.0) -> Array:  # fmt: skip
    edges = [(0, 0), (size // 2, (size - 1) // 2), *((0, 0) for _ in x.shape[2:])]
    squares = np.pad(x**2, edges)
    near = sum(squares[:, i : i + x.shape[1]] for i in range(size))
    mean = near / size if x.dtype.kind == "f" else near // size
    return x / (k + alpha * mean) ** beta


def _multilabel_soft(x: Array, y: Array) -> Array:
    return (y * np.logaddexp(0, -x) + (1 - y) * np.logaddexp(0, x)).mean(1).mean()


def _poisson(x: Array, y: Array, log_input: bool = True, full: bool = False) -> Array:
    loss = np.exp(x) - y * x if log_input else x - y * np.log(x + 1e-8)
    if full:
        with np.errstate(all="ignore"):
            stirling = y * np.log(y) - y + 0.5 * np.log(2 * np.pi * y)
        loss = loss + np.where(y > 1, stirling, 0)
    return loss.mean()


def _gaussian(x: Array, y: Array, var: Array) -> Array:
    var = np.maximum(var, 1e-6)
    return (0.5 * (np.log(var) + (x - y) ** 2 / var)).mean()


def _pad(x: Array, pad: Any, mode: str = "constant", value: float | None = None) -> Array:
    widths = [(0, 0)] * (x.ndim - len(pad) // 2)
    widths += [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    cut = tuple(
        slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape, widths, strict=True)
    )
    grown = [(max(a, 0), max(b, 0)) for a, b in widths]
    if mode == "constant":
        return np.pad(x[cut], grown, constant_values=value or 0)
    return np.pad(x[cut], grown, {"replicate": "edge", "circular": "wrap"}.get(mode, mode))


def _pixel_shuffle(x: Array, r: int) -> Array:
    *lead, c, h, w = x.shape
    n = len(lead)
    y = x.reshape(*lead, c // r**2, r, r, h, w)
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return y.transpose(order).reshape(*lead, c // r**2, h * r, w * r)


def _pixel_unshuffle(x: Array, r: int) -> Array:
    *lead, c, h, w = x.shape
    n = len(lead)
    y = x.reshape(*lead, c, h // r, r, w // r, r)
    order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return y.transpose(order).reshape(*lead, c * r**2, h // r, w // r)


def _channel_shuffle(x: Array, groups: int) -> Array:
    n, c, *rest = x.shape
    return x.reshape(n, groups, c // groups, *rest).swapaxes(1, 2).reshape(x.shape)


def _pieces(axis: Callable[[Array], int]) -> Callable[..., Any]:
    return lambda x, parts: np.array_split(x, parts, axis(x))


def _attention(q: Array, k: Array, v: Array, attn_mask: Any = None, dropout_p: float = 0.0,
               is_causal: bool = False, scale: float | None = None,
               enable_gqa: bool = False) -> Array:  # fmt: skip
    if enable_gqa:
        k, v = (np.repeat(x, q.shape[-3] // x.shape[-3], -3) for x in (k, v))
    scores = q @ np.swapaxes(k, -1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    if attn_mask is not None:
        whole = attn_mask.dtype.kind in "iub"
        scores = scores + (np.where(attn_mask, 0, -np.inf) if whole else attn_mask)
    if is_causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    top = scores.max(-1, keepdims=True, initial=-np.inf)
    share = np.exp(scores - np.where(np.isinf(top), 0, top))
    total = share.sum(-1, keepdims=True)
    return np.where(total == 0, 0, share / np.where(total == 0, 1, total)) @ v


FORMULAS: dict[str, Callable[..., Any]] = {
    "pairwise_distance": _distance, "triplet_margin_loss": _triplet,
    "margin_ranking_loss": lambda x, y, t, margin=0: np.maximum(-t * (x - y) + margin, 0).mean(),
    "hinge_embedding_loss": _hinge_embedding, "cosine_embedding_loss": _cosine_embedding,
    "soft_margin_loss": lambda x, y, reduction="mean": reduced(
        np.logaddexp(0, -y * x), reduction
    ),
    "multilabel_margin_loss": _multilabel_margin, "group_norm": _group_norm,
    "local_response_norm": _local_response,
    "multi_margin_loss": _multi_margin, "multilabel_soft_margin_loss": _multilabel_soft,
    "poisson_nll_loss": _poisson, "gaussian_nll_loss": _gaussian,
    "pad": _pad, "constant_pad_nd": lambda x, pad, value=0: _pad(x, pad, "constant", value),
    "pixel_shuffle": _pixel_shuffle, "pixel_unshuffle": _pixel_unshuffle,
    "channel_shuffle": _channel_shuffle,
    "mvlgamma": special.multigammaln, "multigammaln": special.multigammaln,
    "linalg_vector_norm": _vector_norm,
    "linalg_matrix_norm": lambda x, ord="fro", dim=(-2, -1), keepdim=False: np.linalg.norm(
        x, ord, dim, keepdims=keepdim
    ),
    "linalg_norm": lambda x, ord=None, dim=None, keepdim=False: (
        np.linalg.norm(x.ravel()) if ord is dim is None else np.linalg.norm(x, ord, dim)
    ),
    "linalg_vecdot": lambda x, y, dim=-1: (x * y).sum(dim), "linalg_cross": np.cross,
    "linalg_diagonal": lambda x: np.diagonal(x, 0, -2, -1), "alias_copy": np.copy,
    "matrix_power": np.linalg.matrix_power,
    "tensor_split": lambda x, parts, dim=0: np.array_split(x, parts, dim),
    "hsplit": _pieces(lambda x: min(x.ndim - 1, 1)), "vsplit": _pieces(lambda x: 0),
    "dsplit": _pieces(lambda x: 2),
    "ldexp": lambda x, y: x * 2.0**y,
    "rsub": lambda x, y, alpha=1: y - alpha * x,
    "scaled_dot_product_attention": _attention,
}  # fmt: skip
