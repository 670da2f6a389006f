"""Branches and "while" loops of plans: which steps run, memory, temporaries, malformed ones."""

import numpy as np
import pytest

from gleed import _C
from gleed.compiler import kernel as k

from .harness import REQUIRED, array, pointwise, tensor

ADD = pointwise(lambda x, y: x + y, ("f32", "f32"))
LESS = pointwise(lambda x, y: k.lt(x, y), ("f32", "f32"))
COPY = pointwise(lambda x: x, ("f32",))
TENSORS = tuple((name, "tensor", REQUIRED, "") for name in ("p", "x", "y"))
INPUTS = ((_C.bool, 0), (_C.float32, 1), (_C.float32, 1))
DIMS = (("size", 1, 0), ("const", 0))


def run(p, x, y, *steps):
    """Value 3, like x, after some steps; 4 and 5 are further ones of that size, 6 is a bool."""
    vector = (_C.float32, (0,))
    values = (vector, vector, vector, (_C.bool, ()))
    plan = _C.Plan(INPUTS, DIMS, (), values, (("alloc", 3, ()), *steps), (3,), (), ())
    return array(_C.Op("f", [(TENSORS, lambda *_: plan, None)])(tensor(p), tensor(x), tensor(y)))


def kernel(ir, *values):
    return ("kernel", ir, (0,), 1, tuple((v, (0,)) for v in values), ())


SUM = (("alloc", 4, ()), kernel(ADD, 1, 2, 4), kernel(ADD, 4, 4, 3))
PLAIN = (kernel(COPY, 1, 3),)


@pytest.mark.parametrize("n", [0, 1, 5, 40_000])
def test_one_branch_runs(n):
    x, y = np.random.default_rng(0).normal(size=(2, n)).astype("f")
    for chosen, wanted in ((True, 2 * (x + y)), (False, x)):
        found = run(np.array(chosen), x, y, ("branch", 0, SUM, PLAIN))
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("limit", [0, 1, 100, 3000])
def test_steps_repeat_as_long_as_they_say_so(limit):
    """3 starts as x, and grows by x as long as it is less than y."""
    check = (("kernel", LESS, (), 0, ((3, ()), (2, ()), (6, ())), ()),)
    turn = (kernel(ADD, 3, 1, 4), kernel(COPY, 4, 3))
    steps = (*PLAIN, ("alloc", 6, ()), ("alloc", 4, ()), ("while", 6, check, turn))
    x, y = np.array([7, 1], "f"), np.array([limit, 0], "f")
    turns = max(0, -(-limit // 7) - 1)
    np.testing.assert_array_equal(run(np.array(True), x, y, *steps), x * (1 + turns))


def test_branches_in_branches():
    inner = ("branch", 0, SUM, PLAIN)
    x, y = np.ones((2, 3), "f")
    found = run(np.array(True), x, y, ("branch", 0, (inner, kernel(ADD, 3, 1, 3)), ()))
    np.testing.assert_array_equal(found, x * 5)


@pytest.mark.parametrize(
    "step",
    [
        ("branch", 0, SUM),
        ("branch", 1, SUM, PLAIN),
        ("branch", 6, SUM, PLAIN),
        ("branch", 9, SUM, PLAIN),
        ("branch", 0, SUM, 3),
        ("while", 0, (("walk", 1),), ()),
        ("while", 0, SUM, (kernel(COPY, 1, 5),)),
    ],
)
def test_malformed_steps_are_refused(step):
    with pytest.raises((ValueError, TypeError)):
        run(np.array(True), np.zeros(3, "f"), np.zeros(3, "f"), step)


def test_a_predicate_has_one_element():
    plan = _C.Plan(((_C.bool, 1),), DIMS[1:], (), (), (("branch", 0, (), ()),), (0,), (), ())
    op = _C.Op("f", [(TENSORS[:1], lambda *_: plan, None)])
    assert op(tensor(np.array([True]))) is not None
    with pytest.raises(RuntimeError, match="plan: a predicate must have one element"):
        op(tensor(np.array([True, False])))
