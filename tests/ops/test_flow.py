"""Branches and loops without a count as operations of graphs (`gleed.flow`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import gleed
from gleed.autograd import gradcheck, gradgradcheck
from gleed.capture import plan_for
from gleed.compiler.interpret_plan import interpret_program
from gleed.flow import branch
from gleed.ops.record import Op, Overload, Parameter
from gleed.primitives import reshape
from gleed.primitives.core import IRError
from gleed.repeat import repeat


@dataclass(frozen=True)
class Body:
    """A function on stand-ins as a body."""

    function: Callable[..., Sequence[Any]]
    draws = False

    def __call__(self, *inputs: Any) -> Sequence[Any]:
        return self.function(*inputs)


def op(body: Callable[..., Any]) -> Op:
    record = Op("flowing", None)
    record.overloads.append(Overload("flowing", body, (Parameter("tensors", "tensors", (), ""),)))
    return record


def either(one: Any, other: Any, results: int) -> Op:
    """An op that runs a branch over its tensors, of which the first decides."""
    bodies = Body(one), Body(other)
    return op(lambda xs: branch(reshape(xs[0], shape=()).gt(0), xs[1:], bodies, results))


def products(x: Any, y: Any) -> list[Any]:
    return [(x @ y).tanh(), x.sum(-1)]


def sums(x: Any, y: Any) -> list[Any]:
    return [x.sum(-1).unsqueeze(1) * y.select(0, 0).exp(), x.select(1, 0)]


EITHER = either(products, sums, 2)
ARGUMENTS = [(2, 3), (3, 4)]


def interpreted(record: Op, tensors: list[Any]) -> list[np.ndarray]:
    """What the interpreter computes for an op of a list of tensors."""
    plan = plan_for(record.overloads[0], [tensors], [tuple(t.shape) for t in tensors], ())
    return interpret_program(plan.program, [t.numpy() for t in tensors])


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_branches(sign: float) -> None:
    xs = [gleed.randn(s, dtype=gleed.float64, requires_grad=True) for s in ARGUMENTS]
    decides = gleed.tensor([sign], dtype=gleed.float64)

    def function(*xs: Any) -> Any:
        return EITHER([decides, *xs])

    x, y = (t.detach().numpy() for t in xs)
    one = np.tanh(x @ y), x.sum(-1)
    other = x.sum(-1, keepdims=True) * np.exp(y[0]), x[:, 0]
    for a, b in zip(function(*xs), one if sign > 0 else other, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b, 1e-12, 1e-12)
    assert gradcheck(function, tuple(xs))
    assert gradgradcheck(function, tuple(xs))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_branches_in_numpy(sign: float) -> None:
    tensors = [gleed.tensor([sign]), *(gleed.randn(s) for s in ARGUMENTS)]
    found = interpreted(EITHER, tensors)
    for a, b in zip(found, EITHER(tensors), strict=True):
        np.testing.assert_allclose(a, b.numpy(), 1e-5, 1e-6)


@pytest.mark.parametrize("limit", [-1.0, 5.0, 1000.0])
def test_loops(limit: float) -> None:
    """Two states that change places, and a constant, until the first is great enough."""
    check, turn = Body(lambda a, b, c: [a.sum().lt(c)]), Body(lambda a, b, c: [b, a + b])
    record = op(lambda xs: repeat(xs[:2], xs[2:], check, turn))
    tensors = [gleed.tensor([0.0, 1.0]), gleed.tensor([1.0, 1.0]), gleed.tensor(limit)]
    a, b = tensors[0].numpy(), tensors[1].numpy()
    while a.sum() < limit:
        a, b = b, a + b
    replayed = interpreted(record, tensors)
    for wanted, found, again in zip((a, b), record(tensors), replayed, strict=True):
        np.testing.assert_array_equal(found.numpy(), wanted)
        np.testing.assert_array_equal(again, wanted)


def test_gradients_of_a_loop() -> None:
    check, turn = Body(lambda a, b, c: [a.sum().lt(3)]), Body(lambda a, b, c: [a + c * c, a * b])
    record = op(lambda xs: repeat(xs[:2], xs[2:], check, turn))
    gleed.manual_seed(0)
    tensors = [gleed.rand(2, dtype=gleed.float64, requires_grad=True) for _ in range(3)]
    assert gradcheck(lambda *xs: record(list(xs)), tensors)
    assert gradgradcheck(lambda *xs: record(list(xs)), tensors)


def test_bodies_that_do_not_fit() -> None:
    x = [gleed.ones(1), gleed.ones(2, 2), gleed.ones(2, 2)]
    with pytest.raises(IRError, match="branch: both give the same types"):
        either(lambda x, y: [x], lambda x, y: [x > y], 1)(x)
    check = Body(lambda x: [x.sum()])
    with pytest.raises(IRError, match="repeat: a 0-d bool"):
        op(lambda xs: repeat(xs, (), check, check))(x[:1])
    with pytest.raises(IRError, match="repeat: a state keeps its type"):
        op(lambda xs: repeat(xs, (), Body(lambda x: [x.sum().lt(3)]), check))(x[:1])
