"""Recurrent cells and networks in NumPy, step by step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.special import expit

Array = np.ndarray


def _lstm(a: Array, b: Array, h: Array, c: Array) -> tuple[Array, ...]:
    i, f, g, o = np.split(a + b, 4, 1)
    c = expit(f) * c + expit(i) * np.tanh(g)
    return expit(o) * np.tanh(c), c


def _gru(a: Array, b: Array, h: Array) -> tuple[Array, ...]:
    (r, z, n), (s, y, m) = np.split(a, 3, 1), np.split(b, 3, 1)
    z = expit(z + y)
    return ((1 - z) * np.tanh(n + expit(r + s) * m) + z * h,)


STEPS: dict[str, Callable[..., Any]] = {
    "lstm": _lstm,
    "gru": _gru,
    "rnn_tanh": lambda a, b, h: (np.tanh(a + b),),
    "rnn_relu": lambda a, b, h: (np.maximum(a + b, 0),),
}


def cell(
    name: str, x: Array, hx: Any, w_ih: Array, w_hh: Array, b_ih: Any = 0, b_hh: Any = 0
) -> Any:
    states = hx if isinstance(hx, list | tuple) else [hx]
    found = STEPS[name](x @ w_ih.T + b_ih, states[0] @ w_hh.T + b_hh, *states)
    return found if len(found) > 1 else found[0]


def network(
    name: str, x: Array, hx: Any, params: Any, biased: bool, layers: int, dropout: float,
    train: bool, both: bool, batch_first: bool = False, mask: Any = None,
) -> tuple[Array, ...]:  # fmt: skip
    """Every sequence of a batch by itself, and of it the steps that `mask` names alone."""
    hx = hx if isinstance(hx, list | tuple) else [hx]
    x = x.swapaxes(0, 1) if batch_first else x
    per, finals = len(params) // (layers * (1 + both)), []
    for layer in range(layers):
        outputs = []
        for reverse in (False, True)[: 1 + both]:
            k = layer * (1 + both) + reverse
            weights = params[k * per : (k + 1) * per]
            output, last = _layer(name, x, [s[k] for s in hx], weights, biased, reverse, mask)
            outputs.append(output)
            finals.append(last)
        x = np.concatenate(outputs, 2)
    y = x.swapaxes(0, 1) if batch_first else x
    return y, *(np.stack(states) for states in zip(*finals, strict=True))


def _layer(
    name: str, x: Array, states: Any, weights: Any, biased: bool, reverse: bool, mask: Any
) -> tuple[Array, list[Array]]:
    plain, rest = weights[: 2 + 2 * biased], weights[2 + 2 * biased :]
    order = range(len(x))[::-1] if reverse else range(len(x))
    outputs = np.zeros((*x.shape[:2], states[0].shape[1]))
    for t in order:
        found = cell(name, x[t], states if len(states) > 1 else states[0], *plain)
        found = list(found) if isinstance(found, tuple) else [found]
        if rest:
            found[0] = found[0] @ rest[0].T
        for b in range(x.shape[1]):
            if mask is not None and not mask[t, b]:
                for new, old in zip(found, states, strict=True):
                    new[b] = old[b]
        states = found
        outputs[t] = states[0]
    return outputs, states


FORMULAS: dict[str, Callable[..., Any]] = {
    **{f"{name}_cell": partial(cell, name) for name in STEPS},
    **{name: partial(network, name) for name in STEPS},
}
