"""Kernels between the products of attention (native/attention.h), by name.

    shift       scores * factor + mask
    softmax     a block of scores becomes exponentials, and the greatest score and the sum of
                exponentials of every row take it in; `change` is what earlier results shrink by
    finish      of every row the logarithm of what softmax divides by, and what results are
                multiplied with; a row that has seen nothing has +inf and 0
    scale       rows times numbers
    weights     scores and cotangents of weights become weights and gradients of scores
    add         x + y

Operands are in the order of the loads below, then the stores'. Those at level "row" are one number
a row; in maps a stride of 0 does the same. An output may lie where an input does.
"""

from __future__ import annotations

from collections.abc import Callable

from gleed.compiler import kernel as k

Stores = tuple[k.Node, ...]


def attention_kernel(name: str, dtype: str) -> k.Kernel:
    """The kernel `name` for f32 or f64."""
    inputs, build, rows = _KERNELS[name]
    stores = build(*(k.load(i, dtype) for i in range(inputs)))
    element = [bool(rows) and mark == "e" for mark in rows or "m" * (inputs + len(stores))]
    operands = tuple(
        k.Operand(dtype, "in" if i < inputs else "out", whole) for i, whole in enumerate(element)
    )
    written = tuple(k.Store(inputs + i, node) for i, node in enumerate(stores))
    return k.Kernel(f"attention_{name}", operands, (), written)


def _shift(scores: k.Node, factor: k.Node, mask: k.Node) -> Stores:
    return (k.fma(scores, factor, mask),)


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


# Inputs, stores, and the levels of all operands ("e": element, "r": row) of those that reduce.
_KERNELS: dict[str, tuple[int, Callable[..., Stores], str]] = {
    "shift": (3, _shift, ""),
    "softmax": (4, _softmax, "errrerrr"),
    "finish": (2, _finish, ""),
    "scale": (2, _scale, ""),
    "weights": (6, _weights, ""),
    "add": (2, _add, ""),
}
