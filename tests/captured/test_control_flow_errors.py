"""What control flow says about what it cannot do: errors, bodies that are not captured."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

import gleed
from gleed.errors import ArgumentError, DTypeError, ShapeError, TraceError

from .test_control_flow import bits

# ---- what bodies must not do
COUNT = gleed.zeros(2)


def writes(x: Any) -> Any:
    COUNT.add_(1)
    return x + 1


def reads(x: Any) -> Any:
    return x * x.sum().item()


def learns(x: Any) -> Any:
    (x * x).sum().backward()
    return x + 1


BAD_BODIES = {
    writes: "a branch or body must not write to tensors that were there before",
    reads: "the value of a tensor is known only when the captured program runs; item needs it",
    learns: "a branch or body must not use the .grad of tensors, nor call backward()",
}


@pytest.mark.parametrize("body", BAD_BODIES)
def test_bodies_that_cannot_be_captured(body: Any) -> None:
    def step(x: Any) -> Any:
        return gleed.cond(x.sum() > 0, body, lambda x: x - 1, (x,))

    def made() -> Any:
        return gleed.ones(2, requires_grad=body is learns)

    x = made()
    with pytest.raises(TraceError) as error:
        gleed.compile(step, fullgraph=True)(x)
    text = str(error.value)
    assert text.startswith(f"compile: {BAD_BODIES[body]}; it came in ")
    assert f"{__file__}:{body.__code__.co_firstlineno + 1}: " in text
    assert x.grad is None
    before = COUNT.tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = gleed.compile(step)
        assert [bits(compiled(made())) for _ in range(3)] == [bits(step(made()))] * 3
    assert COUNT.tolist() == [n + 4 * (body is writes) for n in before]


# ---- errors
ONE, TWO = gleed.ones(2), gleed.ones(3)


def captured_cond(one: Any, other: Any) -> Callable[[], Any]:
    compiled = gleed.compile(lambda x: gleed.cond(x.sum() > 0, one, other, (x,)), fullgraph=True)
    return lambda: compiled(ONE)


ERRORS: list[tuple[Callable[[], Any], type, str]] = [
    (
        lambda: gleed.cond(ONE > 0, len, len, (ONE,)),
        ArgumentError,
        "cond: pred must be a number or a bool tensor with one element; got one of gleed.bool and "
        "shape (2,); compare it, or reduce it with all() or any()",
    ),
    (
        lambda: gleed.cond(True, 1, len, (ONE,)),
        ArgumentError,
        "cond: true_fn must be a function; got int; pass it without calling it",
    ),
    (
        lambda: gleed.cond(True, len, len, ONE),
        ArgumentError,
        "cond: operands must be a tuple or list; got Tensor; write (x,) for one",
    ),
    (
        lambda: gleed.cond(True, len, len, (ONE, "a")),
        ArgumentError,
        "cond: operands must be tensors, or tuples, lists and dictionaries of tensors; got str; "
        "make a tensor of it, or let the function name it",
    ),
    (
        lambda: gleed.cond(True, lambda x: 3, len, (ONE,)),
        ArgumentError,
        "cond: what a function returns must be tensors, or tuples, lists and dictionaries of "
        "tensors; got int; make a tensor of it, or let the function name it",
    ),
    (
        captured_cond(lambda x: (x, x), lambda x: {"a": x}),
        ArgumentError,
        "cond: false_fn must return the structure of true_fn; got {'a': *} for (*, *); return the "
        "same tuples, lists and keys",
    ),
    (
        captured_cond(lambda x: x, lambda x: x > 0),
        DTypeError,
        "cond: false_fn must return the dtypes of true_fn; got gleed.bool for gleed.float32; "
        "convert it with .to()",
    ),
    (
        captured_cond(lambda x: x, lambda x: x[:1]),
        ShapeError,
        "cond: false_fn must return the shapes of true_fn; got (1,) for (2,); reshape or pad it",
    ),
    (
        lambda: gleed.while_loop(len, len, ONE),
        ArgumentError,
        "while_loop: carried_inputs must be a tuple or list of at least one; got Tensor; "
        "write (x,) for one",
    ),
    (
        lambda: gleed.while_loop(lambda x: x, len, (ONE,)),
        ArgumentError,
        "while_loop: cond_fn must return a bool or a bool tensor with one element; got one of "
        "gleed.float32 and shape (2,); compare it, or reduce it with all() or any()",
    ),
    (
        lambda: gleed.while_loop(lambda x: True, lambda x: [x[:1]], (ONE,)),
        ShapeError,
        "while_loop: body_fn must return the shapes of carried_inputs; got (1,) for (2,); "
        "reshape or pad it",
    ),
    (
        lambda: gleed.while_loop(lambda x: True, lambda x: 3, (ONE,)),
        ArgumentError,
        "while_loop: body_fn must return a tuple or list like carried_inputs; got int; write (x,) "
        "for one",
    ),
    (
        lambda: gleed.scan(lambda c, x: c, ONE, TWO),
        ArgumentError,
        "scan: combine_fn must return a carry and a result; got *; return two values",
    ),
    (
        lambda: gleed.scan(lambda c, x: (c > 0, x), ONE, TWO),
        DTypeError,
        "scan: combine_fn must return the dtypes of init; got gleed.bool for gleed.float32; "
        "convert it with .to()",
    ),
    (
        lambda: gleed.scan(len, (), TWO),
        ArgumentError,
        "scan: init must have a tensor; got none; use map for steps alone",
    ),
    (
        lambda: gleed.scan(len, ONE, TWO, dim=1),
        ShapeError,
        "scan: xs must have the axis of the steps; got axis 1 of shapes (3,); unsqueeze() what has "
        "too few",
    ),
    (
        lambda: gleed.map(len, [ONE, TWO]),
        ShapeError,
        "map: all of xs must have as many steps; got shapes (2,), (3,) along axis 0; cut them to "
        "one length",
    ),
    (
        lambda: gleed.map(len, []),
        ArgumentError,
        "map: xs must have a tensor; got none; pass what to go over",
    ),
]


@pytest.mark.parametrize(("call", "error", "text"), ERRORS)
def test_errors(call: Callable[[], Any], error: type, text: str) -> None:
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == text


def test_a_condition_that_python_decides_is_not_captured() -> None:
    compiled = gleed.compile(
        lambda x: gleed.while_loop(lambda x: True, lambda x: (x + 1,), (x,)), fullgraph=True
    )
    with pytest.raises(
        TraceError, match="the cond_fn of a while_loop must return a tensor; it ret"
    ):
        compiled(ONE)
