"""Loops of plans: rows that move, states handed on, loops in loops, and malformed ones."""

import numpy as np
import pytest

from gleed import _C

from .harness import REQUIRED, array, pointwise, tensor

ADD = pointwise(lambda x, y: x + y, ("f32", "f32"))
COPY = pointwise(lambda x: x, ("f32",))
TENSORS = tuple((name, "tensor", REQUIRED, "") for name in ("x", "start"))
# Dims: T, n, 0, 1, T + 1, T - 1, 2, and T again.
DIMS = (("size", 0, 0), ("size", 0, 1), ("const", 0), ("const", 1), ("add", 0, 3), ("sub", 0, 3),
        ("const", 2))  # fmt: skip
ROW = (_C.float32, (1,))
FORWARD = ((4, 0, 2, 1), (5, 2, 2, 1), (6, 2, 3, 1))
BACKWARD = ((4, 0, 5, -1), (5, 2, 0, -1), (6, 2, 5, -1))
TURN = (("kernel", ADD, (1,), 1, ((4, (0,)), (5, (0,)), (6, (0,))), ()),)


def run(x, start, loop, first=2):
    """Running sums of the rows of x, (T, n) to (T + 1, n); value 2, whose row `first` is start."""
    steps = (
        ("alloc", 2, ()),
        ("view", 3, 2, "slice", (0, first, 1, 3)),
        ("kernel", COPY, (3, 1), 2, ((1, (-1, 0)), (3, (0, 1))), ()),
        loop,
    )
    values = ((_C.float32, (4, 1)), (_C.float32, (3, 1)), ROW, ROW, ROW, (_C.float32, (6, 1)), ROW)
    plan = _C.Plan(((_C.float32, 2), (_C.float32, 1)), DIMS, (), values, steps, (2,), (), ())
    return _C.Op("f", [(TENSORS, lambda *_: plan, None)])(tensor(x), tensor(start))


@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("n", [0, 1, 5, 40_000])
def test_rows_move_and_states_go_on(steps, n):
    x = np.random.default_rng(0).normal(size=(steps, n)).astype("f")
    start = np.arange(n, dtype="f")
    forward = array(run(x, start, ("loop", 0, FORWARD, TURN)))
    np.testing.assert_array_equal(forward, np.cumsum(np.vstack([start, x]), 0, dtype="f"))
    backward = array(run(x, start, ("loop", 0, BACKWARD, TURN), first=0))
    wanted = np.cumsum(np.vstack([start, x[::-1]]), 0, dtype="f")[::-1]
    np.testing.assert_array_equal(backward, wanted)


def test_temporaries_of_a_turn():
    """A turn's memory is neither that of the loop's other values nor that of another step."""
    body = (
        ("alloc", 8, ()),
        ("kernel", ADD, (1,), 1, ((4, (0,)), (4, (0,)), (8, (0,))), ()),
        ("kernel", ADD, (1,), 1, ((8, (0,)), (5, (0,)), (6, (0,))), ()),
    )
    x = np.arange(12, dtype="f").reshape(4, 3)
    found = array(run(x, np.ones(3, "f"), ("loop", 0, FORWARD, body)))
    np.testing.assert_array_equal(found, np.cumsum(np.vstack([np.ones(3), 2 * x]), 0))


def test_strided_rows():
    x = np.arange(24, dtype="f").reshape(4, 6)[::-1, ::2]
    found = array(run(x, np.zeros(3, "f"), ("loop", 0, FORWARD, TURN)))
    np.testing.assert_array_equal(found[1:], np.cumsum(x, 0))


def test_a_loop_in_a_loop():
    """Every row is added twice: value 7 has two rows, and the inner turns read the same x."""
    inner = ("loop", 6, ((8, 7, 2, 1),), (
        ("kernel", ADD, (1,), 1, ((4, (0,)), (6, (0,)), (8, (0,))), ()),
        ("kernel", COPY, (1,), 1, ((8, (0,)), (6, (0,))), ()),
    ))  # fmt: skip
    body = (
        ("alloc", 7, ()),
        ("kernel", COPY, (1,), 1, ((5, (0,)), (6, (0,))), ()),
        inner,
    )
    x = np.arange(12, dtype="f").reshape(4, 3)
    found = array(run(x, np.ones(3, "f"), ("loop", 0, FORWARD, body)))
    np.testing.assert_array_equal(found, np.cumsum(np.vstack([np.ones(3), 2 * x]), 0))


@pytest.mark.parametrize(
    "loop",
    [
        ("loop", 0, FORWARD),
        ("loop", 9, FORWARD, TURN),
        ("loop", 0, (*FORWARD, (7, 0, 2, 1)), TURN),
        ("loop", 0, (*FORWARD, (8, 8, 2, 1)), TURN),
        ("loop", 0, (*FORWARD, (8, 0, 9, 1)), TURN),
        ("loop", 0, (*FORWARD, (8, 0, 2, 2)), TURN),
        ("loop", 0, (*FORWARD, (8, 0, 2)), TURN),
        ("loop", 0, (*FORWARD, (4, 0, 2, 1)), TURN),
        ("loop", 0, FORWARD, (("walk", 1),)),
        ("loop", 0, FORWARD, 3),
    ],
)
def test_malformed_loops_are_refused(loop):
    with pytest.raises((ValueError, TypeError)):
        run(np.zeros((2, 3), "f"), np.zeros(3, "f"), loop)


def test_rows_must_exist():
    with pytest.raises(IndexError, match="loop: it must lie inside the dimension; start 1"):
        run(
            np.zeros((2, 3), "f"), np.zeros(3, "f"), ("loop", 0, ((4, 0, 3, 1), *FORWARD[1:]), TURN)
        )
