"""`rarely`: the choice is that of `select`, wherever its condition holds and whatever it shares."""

import numpy as np
import pytest

from gleed.compiler import kernel as k
from gleed.compiler.kernel import Kernel, Node, Operand, Store, load
from gleed.compiler.rare import rare_nodes

from .machine import Machine

X, LIMIT = load(0, "f32"), load(1, "f32")
DEAR = (X * X + 1) * (X + 3)


def kernel_of(*values: Node, element: bool = False) -> Kernel:
    operands = (Operand("f32", "in", element), Operand("f32", "in"))
    outputs = tuple(Operand("f32", "out", element) for _ in values)
    stores = tuple(Store(2 + i, value) for i, value in enumerate(values))
    return Kernel("test", operands + outputs, (), stores)


SHARED = k.rarely(X > LIMIT, DEAR, X)
NESTED = k.rarely(X > LIMIT, k.rarely(X > LIMIT + 1, DEAR * X, DEAR), X + 1)
INVARIANT = k.rarely(X > LIMIT, X * (LIMIT * LIMIT + 1), X)


def test_only_what_the_rare_side_needs_alone_is_deferred() -> None:
    assert set(rare_nodes(kernel_of(SHARED))[SHARED]) == {X * X, X * X + 1, X + 3, DEAR}
    assert set(rare_nodes(kernel_of(SHARED, X + 3))[SHARED]) == {X * X, X * X + 1, DEAR}
    assert rare_nodes(kernel_of(DEAR)) == {}


@pytest.mark.parametrize("value", [SHARED, NESTED, INVARIANT, k.rarely(LIMIT > 0, LIMIT * 2, X)])
@pytest.mark.parametrize("limit", [-9.0, 0.0, 1.5, 9.0])
@pytest.mark.parametrize("orientation", ["map", "row"])
def test_rarely_is_select(machine: Machine, value: Node, limit: float, orientation: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 5, 67)).astype(np.float32)
    bound = np.full((3, 1, 1), limit, np.float32)
    element = orientation == "row"
    values = [value, value + (k.reduce("max", X) if element else 0), DEAR]
    kernel = kernel_of(*values, element=element)
    expected, actual = ([np.zeros_like(x) for _ in values] for _ in range(2))
    machine.interpret(kernel, orientation, [x, bound, *expected])
    machine.run(kernel, orientation, [x, bound, *actual])
    for e, a in zip(expected, actual, strict=True):
        np.testing.assert_array_equal(a, e)
