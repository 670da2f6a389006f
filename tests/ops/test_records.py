"""What a record requires of its body, and what it promises about it."""

from __future__ import annotations

from typing import Any

import pytest

import gleed
from gleed import _C
from gleed.ops.random import unit
from gleed.ops.record import OPS, Overload, op


def test_annotations_must_be_text() -> None:
    def body(input, factor=2):  # type: ignore[no-untyped-def]
        return input * factor

    body.__annotations__ = {"input": gleed.Tensor}
    known = set(OPS)
    with pytest.raises(TypeError) as raised:
        op()(body)
    assert str(raised.value) == (
        "op body: the annotations of a body must be text; 'input' has <class 'gleed.Tensor'>; "
        f"begin {__name__} with 'from __future__ import annotations'"
    )
    assert set(OPS) == known


def call(body: Any, *args: Any) -> Any:
    """The result of a body as an op of one tensor."""
    from_tensor = OPS["exp"].overloads[0].parameters[:1]
    overload = Overload("drawn", body, from_tensor)
    return _C.Op("drawn", [overload.for_core()])(*args)


def test_random_numbers_are_drawn_in_the_order_of_the_program() -> None:
    def body(input: Any) -> Any:
        first, second, third = (unit(input.shape, "f32") for _ in range(3))
        return third + input, second - first

    gleed.manual_seed(0)
    a, b, c = (gleed.rand(7) for _ in range(3))
    for _ in range(2):
        gleed.manual_seed(0)
        found = call(body, gleed.ones(7))
        assert found[0].tolist() == (c + 1).tolist()
        assert found[1].tolist() == (b - a).tolist()
    x = gleed.ones(7, requires_grad=True)
    gleed.manual_seed(0)
    found = call(lambda x: body(x)[1] * x, x)
    found.sum().backward()
    assert x.grad.tolist() == (b - a).tolist()
