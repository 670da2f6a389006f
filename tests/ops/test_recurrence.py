"""Loops over steps of sequences (`gleed.loop`), and what recurrent ops say about bad input."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gleed
from gleed import _C, primitives
from gleed.autograd import gradcheck, gradgradcheck
from gleed.errors import ArgumentError, DTypeError, GleedError, ShapeError
from gleed.loop import loop
from gleed.ops.record import Op, Overload, Parameter


def looped(body: Callable[..., Any], starts: int, rows: int, count: int, reverse: bool) -> Any:
    """An op that runs a loop over its tensors and returns all states and results."""

    def run(*xs: Any) -> Any:
        states, results = loop(
            body, xs[:starts], xs[starts : starts + rows], xs[starts + rows :], reverse=reverse
        )
        return tuple(primitives.copy(y) for y in (*states, *results))

    record = Op("looped", None)
    parameters = tuple(
        Parameter(f"x{k}", "tensor", inspect.Parameter.empty, "") for k in range(count)
    )
    record.overloads.append(Overload("looped", run, parameters, result=tuple))
    return record.public


def in_numpy(
    body: Callable[..., Any], starts: int, rows: int, reverse: bool, *xs: Any
) -> list[np.ndarray]:
    states, given, constants = xs[:starts], xs[starts : starts + rows], xs[starts + rows :]
    stacks, results = [[s] for s in states], []
    for t in range(len(given[0]))[:: -1 if reverse else 1]:
        found = body(*states, *(x[t] for x in given), *constants)
        states = found[:starts]
        results.append(found[starts:])
        for stack, state in zip(stacks, states, strict=True):
            stack.append(state)
    order = slice(None, None, -1 if reverse else 1)
    every = [*stacks, *map(list, zip(*results, strict=True))]
    return [np.stack(values[order]) for values in every]


# Bodies for stand-ins and for NumPy alike, with the shapes of states, sequences and constants.
def running_sum(s: Any, x: Any) -> Any:
    total = s + x
    return [total, total]


def decay(s: Any, x: Any, w: Any) -> Any:
    return [s * w + x]


def exchange(a: Any, b: Any, x: Any, w: Any) -> Any:
    return [b * x, a + b * w, a * b]


def unchanged(s: Any, x: Any) -> Any:
    return [s, x * x]


def two_products(s: Any, x: Any, w: Any) -> Any:
    return [(s @ w) * x, (s @ w) @ w]


CASES = [
    (running_sum, [(2, 3)], [(4, 2, 3)], []),
    (decay, [(3,)], [(5, 3)], [(3,)]),
    (exchange, [(2,), (2,)], [(3, 2)], [(2,)]),
    (unchanged, [(2,)], [(3, 2)], []),
    (two_products, [(2, 3)], [(4, 2, 3)], [(3, 3)]),
    (decay, [()], [(1,)], [()]),
]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("body", "starts", "rows", "constants"), CASES, ids=[c[0].__name__ for c in CASES]
)
def test_loops(body: Any, starts: Any, rows: Any, constants: Any, reverse: bool) -> None:
    shapes = [*starts, *rows, *constants]
    xs = [gleed.randn(s, dtype=gleed.float64, requires_grad=True) for s in shapes]
    function = looped(body, len(starts), len(rows), len(shapes), reverse)
    arrays = [x.detach().numpy() for x in xs]
    wanted = in_numpy(body, len(starts), len(rows), reverse, *arrays)
    for a, b in zip(function(*xs), wanted, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b, 1e-12, 1e-12)
    turned = [x.detach().mT.contiguous().mT if x.ndim > 1 else x.detach() for x in xs]
    for a, b in zip(function(*turned), wanted, strict=True):
        np.testing.assert_allclose(a.numpy(), b, 1e-12, 1e-12)
    assert gradcheck(function, tuple(xs))
    assert gradgradcheck(function, tuple(xs), atol=1e-4)


def test_the_gradient_of_a_weight_is_one_product() -> None:
    """Of all steps together, behind the loop: its memory does not grow with the steps' number."""
    network = gleed.nn.RNN(8, 8)
    found = []
    for steps in (4, 40):
        x = gleed.randn(steps, 2, 8)
        network(x)[0].sum().backward()
        before = _C.engine_stats()["launches"]
        network(x)[0].sum().backward()
        found.append(_C.engine_stats()["launches"] - before)
    assert found[0] == found[1]


# ---- errors
def f(*shape: int) -> Any:
    return gleed.zeros(*shape)


CELL = "gleed.lstm_cell(f(2, 3), (f(2, 4), f(2, 4)), {}, {}, {}, {})"
LSTM = "gleed.lstm({}, ({}, f(1, 2, 4)), {}, True, 1, 0.0, False, False)"
WEIGHTS = "[f(16, 3), f(16, 4), f(16), f(16)]"
ERRORS: list[tuple[str, type[Exception], str]] = [
    (
        "gleed.lstm_cell(f(2, 3), (f(2, 4),), f(16, 3), f(16, 4))",
        ArgumentError,
        "lstm_cell: hx must be the hidden and the cell state; got 1 tensors; pass (h, c)",
    ),
    (
        "gleed.gru_cell(f(3), f(4), f(12, 3), f(12, 4))",
        ShapeError,
        "gru_cell: input and w_hh must be matrices (2 dims); got [3] and [12, 4]; add a batch of 1 "
        "with unsqueeze(0)",
    ),
    (
        "gleed.gru_cell(f(2, 3), f(3, 4), f(12, 3), f(12, 4))",
        ShapeError,
        "gru_cell: a state must be [2, 4], (batch, hidden_size); got [3, 4]; check the sizes it "
        "was made with",
    ),
    (
        CELL.format("f(12, 3)", "f(16, 4)", None, None),
        ShapeError,
        "lstm_cell: w_ih must be [16, 3], (4 * hidden_size, input_size); got [12, 3]; check the "
        "sizes it was made with",
    ),
    (
        CELL.format("f(16, 3)", "f(12, 4)", None, None),
        ShapeError,
        "lstm_cell: w_hh must be [16, 4], (4 * hidden_size, hidden_size); got [12, 4]; check the "
        "sizes it was made with",
    ),
    (
        CELL.format("f(16, 3)", "f(16, 4)", "f(4)", "f(16)"),
        ShapeError,
        "lstm_cell: a bias must be [16], (4 * hidden_size,); got [4]; check the sizes it was made "
        "with",
    ),
    (
        CELL.format("f(16, 3).double()", "f(16, 4)", None, None),
        DTypeError,
        "lstm_cell: input, states and weights must have one floating-point dtype; got float32 and "
        "float64; convert with .to(dtype)",
    ),
    (
        LSTM.format("f(5, 3)", "f(1, 2, 4)", WEIGHTS),
        ShapeError,
        "lstm: the input must have 3 dims (steps, batch, features) and at least one step; got "
        "[5, 3]; for one sequence use unsqueeze",
    ),
    (
        LSTM.format("f(0, 2, 3)", "f(1, 2, 4)", WEIGHTS),
        ShapeError,
        "lstm: the input must have 3 dims (steps, batch, features) and at least one step; got "
        "[0, 2, 3]; for one sequence use unsqueeze",
    ),
    (
        LSTM.format("f(5, 2, 3)", "f(2, 2, 4)", WEIGHTS),
        ShapeError,
        "lstm: a state must be [1, 2, 4], (num_layers * num_directions, batch, hidden_size); got "
        "[2, 2, 4]; check the sizes it was made with",
    ),
    (
        LSTM.format("f(5, 2, 3)", "f(1, 2, 4)", "[f(16, 3), f(16, 4)]"),
        ArgumentError,
        "lstm: params must be 4 tensors for each of 1 layers and 1 directions, or one more with "
        "projections; got 2; check num_layers, has_biases and bidirectional",
    ),
    (
        LSTM.format("f(5, 2, 3)", "f(1, 2, 4)", "[f(16, 2), f(16, 4), f(16), f(16)]"),
        ShapeError,
        "lstm: weight_ih must be [16, 3], (4 * hidden_size, input size); got [16, 2]; check the "
        "sizes it was made with",
    ),
    (
        "gleed.gru(f(5, 2, 3), f(1, 2, 4), [f(12, 3), f(12, 4)], False, 1, 0.0, False, False, "
        "mask=gleed.ones(2, 5, dtype=gleed.bool))",
        ShapeError,
        "gru: mask must be [5, 2], (steps, batch); got [2, 5]; check the sizes it was made with",
    ),
]


@pytest.mark.parametrize(("source", "error", "text"), ERRORS, ids=[text for *_, text in ERRORS])
def test_errors(source: str, error: type[Exception], text: str) -> None:
    with pytest.raises(GleedError) as raised:
        eval(source, {"gleed": gleed, "f": f})
    assert type(raised.value) is error
    assert str(raised.value) == text
