"""Control flow as programs for other libraries have it: carried numbers, names of arguments."""

from __future__ import annotations

from typing import Any

import pytest

import gleed
from gleed.errors import DTypeError

from .test_control_flow import programs, same_captured


def test_numbers_that_are_carried_become_tensors() -> None:
    x = gleed.ones(2)

    def power(x: Any, n: int) -> Any:
        def turn(i: Any, state: Any) -> Any:
            return i + 1, {"y": state["y"] * x, "on": False, "half": 0.5}

        start = {"y": x, "on": True, "half": 1.5}
        return gleed.while_loop(lambda i, state: i < n, turn, (0, start))

    compiled = same_captured(power, [(x * 2, n) for n in (3, 1, 0, 5)])
    assert programs(compiled) == 2
    i, state = compiled(x * 2, 3)
    kinds = [(t.dtype, t.tolist()) for t in (i, state["y"], state["on"], state["half"])]
    assert kinds == [
        (gleed.int64, 3),
        (gleed.float32, [16.0, 16.0]),
        (gleed.bool, False),
        (gleed.float32, 0.5),
    ]
    sums = same_captured(
        lambda x: gleed.scan(lambda c, x: (c + x, (c, 1)), 0.0, x), [(gleed.arange(3.0),)]
    )
    total, (before, ones) = sums(gleed.arange(3.0))
    assert (total.item(), before.tolist(), ones.tolist()) == (3.0, [0.0, 0.0, 1.0], [1, 1, 1])
    with pytest.raises(DTypeError, match="body_fn must return the dtypes of carried_inputs"):
        gleed.while_loop(lambda i: i < 3, lambda i: (i + 0.5,), (0,))


def test_a_number_that_is_carried_is_followed() -> None:
    def doubled(k: Any, x: Any) -> Any:
        return gleed.while_loop(lambda i, x: i < 10, lambda i, x: (i + 1, x * 2), (k, x))

    assert programs(same_captured(doubled, [(k, gleed.ones(1)) for k in (3, 4, 5, 12)])) == 2


def test_arguments_have_pytorchs_names() -> None:
    x = gleed.arange(6.0).reshape(3, 2)
    assert gleed.cond(
        pred=x.sum() > 0, true_fn=lambda x: x + 1, false_fn=lambda x: x, operands=[x]
    ).equal(x + 1)
    (n,) = gleed.while_loop(cond_fn=lambda n: n < 3, body_fn=lambda n: [n + 1], carried_inputs=[0])
    assert n.item() == 3
    last, sums = gleed.scan(
        combine_fn=lambda c, x: (c + x, c), init=gleed.zeros(3), xs=x, dim=-1, reverse=True
    )
    assert last.tolist() == [1.0, 5.0, 9.0]
    assert sums.tolist() == [[1.0, 0.0], [3.0, 0.0], [5.0, 0.0]]
    assert gleed.map(lambda x, y, k: x * y + k, x, x[0], 3).equal(x * x[0] + 3)
