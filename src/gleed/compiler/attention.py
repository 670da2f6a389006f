"""Kernels between the products of attention (native/attention.h), by name.

    shift       scores * factor + mask, or -inf where a mask of bools is False
    softmax     a block of scores becomes exponentials, and the greatest score and the sum of
                exponentials of every row take it in; `change` is what earlier results shrink by
    finish      of every row the logarithm of what softmax divides by, and what results are
                multiplied with; a row that has seen nothing has +inf and 0
    scale       rows times numbers
    rest        what their rounding to `y` has lost
    widen       x as wide as sums
    weights     scores and cotangents of weights become weights and gradients of scores
    add         x + y

Operands are in the order of the loads below, then the stores'. Those at level "row" are one number
a row; in maps a stride of 0 does the same. An output may lie where an input does. The mask, what is
widened, what is scaled and its rest may have another dtype than sums.
"""

from __future__ import annotations

from collections.abc import Callable

from gleed.compiler import kernel as k

Stores = tuple[k.Node, ...]


def attention_kernel(name: str, sums: str, other: str) -> k.Kernel:
    """The kernel `name` for sums in f32 or f64, and the dtype `other` where `_KERNELS` has "o"."""
    reads, writes, build = _KERNELS[name]
    marks = reads + writes
    dtypes = [other if mark == "o" else sums for mark in marks]
    inputs = len(reads)
    stores = build(*(k.load(i, dtype) for i, dtype in enumerate(dtypes[:inputs])))
    operands = tuple(
        k.Operand(dtype, "in" if i < inputs else "out", mark == "e")
        for i, (mark, dtype) in enumerate(zip(marks, dtypes, strict=True))
    )
    written = tuple(
        k.Store(i, k.cast(node, dtypes[i])) for i, node in enumerate(stores, start=inputs)
    )
    return k.Kernel(f"attention_{name}", operands, (), written)


def _shift(scores: k.Node, factor: k.Node, mask: k.Node) -> Stores:
    if mask.dtype == "bool":
        return (k.select(mask, scores * factor, float("-inf")),)
    return (k.fma(scores, factor, k.cast(mask, scores.dtype)),)


def _softmax(scores: k.Node, top: k.Node, total: k.Node, factor: k.Node) -> Stores:
    now = k.maximum(top, k.reduce("max", scores * factor))
    # Of a row that has seen nothing yet the greatest score is -inf, from which one cannot subtract.
    base = k.select(k.eq(now, float("-inf")), 0.0, now)
    shares = k.math("exp", k.fma(scores, factor, -base))
    change = k.math("exp", top - base)
    return shares, now, k.fma(total, change, k.reduce("sum", shares)), change


def _finish(top: k.Node, total: k.Node) -> Stores:
    nothing = k.eq(total, 0.0)
    logarithm = k.select(nothing, float("inf"), top + k.math("log", total))
    return logarithm, k.select(nothing, 0.0, 1.0 / total)


def _scale(x: k.Node, by: k.Node) -> Stores:
    return (x * by,)


def _rest(x: k.Node, by: k.Node, y: k.Node) -> Stores:
    return (k.fma(x, by, -k.cast(y, x.dtype)),)


def _widen(x: k.Node) -> Stores:
    return (x,)


def _weights(
    scores: k.Node,
    cotangents: k.Node,
    logarithm: k.Node,
    delta: k.Node,
    factor: k.Node,
    scale: k.Node,
) -> Stores:
    weights = k.math("exp", k.fma(scores, factor, -logarithm))
    return weights, weights * (cotangents - delta) * scale


def _add(x: k.Node, y: k.Node) -> Stores:
    return (x + y,)


# What is read and what is written: "e", "r" an element or one number a row where a kernel reduces,
# "m" in maps, "o" there in the other dtype.
_KERNELS: dict[str, tuple[str, str, Callable[..., Stores]]] = {
    "shift": ("mmo", "m", _shift),
    "softmax": ("errr", "errr", _softmax),
    "finish": ("mm", "mm", _finish),
    "scale": ("mm", "o", _scale),
    "rest": ("mmo", "o", _rest),
    "widen": ("o", "m", _widen),
    "weights": ("mmmmmm", "mm", _weights),
    "add": ("mm", "m", _add),
}
