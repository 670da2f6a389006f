"""16-bit numbers: an op computes in float32 and rounds its results once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gleed
from gleed import _C
from gleed.nn import functional as F
from gleed.ops.record import OPS, Overload

HALVES = [gleed.float16, gleed.bfloat16]
BODIES: dict[str, Callable[[Any], Any]] = {
    "gelu": F.gelu,
    "silu": F.silu,
    "mish": F.mish,
    "softplus": F.softplus,
    "hardswish": F.hardswish,
    "tanhshrink": F.tanhshrink,
    "a number": lambda x: x * 0.1,
    "lerp": lambda x: gleed.lerp(x, x * 0 + 1, 0.3),
    "addcmul": lambda x: gleed.addcmul(x, x, x, value=0.3),
    "hypot": lambda x: gleed.hypot(x, x),
    "mean of squares": lambda x: F.mse_loss(x, x * 0),
    "softmax": lambda x: x[:3000].view(30, 100).softmax(1),
}


def rounded(x: Any, dtype: Any) -> np.ndarray:
    return gleed.from_numpy(np.asarray(x)).float().to(dtype).double().numpy()


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("name", BODIES)
def test_results_are_rounded_once(name: str, dtype: Any) -> None:
    x = gleed.from_numpy(np.random.default_rng(0).standard_normal(3001)).to(dtype)
    found = BODIES[name](x).double().numpy()
    wanted = rounded(BODIES[name](x.double()).numpy(), dtype)
    # A float32 error near a tie may round the other way.
    assert np.mean(found == wanted) > 0.98
    step = 2.0**-10 if dtype is gleed.float16 else 2.0**-7
    assert np.allclose(found, wanted, step, 1e-7)


def call(body: Any, x: Any) -> Any:
    parameters = OPS["exp"].overloads[0].parameters[:1]
    return _C.Op("half", [Overload("half", body, parameters).for_core()])(x)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_decisions_see_what_is_stored(dtype: Any) -> None:
    """The gradient of an extreme finds the element that was the extreme: both are rounded alike."""
    x = gleed.from_numpy(np.random.default_rng(1).standard_normal((40, 33))).to(dtype)
    for extreme in ("amax", "amin"):
        leaf = x.clone().requires_grad_()
        y = call(lambda x, name=extreme: getattr((x * 0.3).exp() * 1.7, name)(1), leaf)
        y.sum().backward()
        inner = leaf.grad.double().numpy()
        assert np.count_nonzero(inner.sum(1)) == 40
        assert np.allclose(inner.sum(1), 0.3 * y.detach().double().numpy(), 0.03)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_what_only_passes_on_stays_as_it_is(dtype: Any) -> None:
    y = gleed.tensor([1.5, -0.0, float("inf"), float("nan")]).to(dtype)
    chosen = gleed.where(gleed.tensor([True, True, True, False]), y, y)
    assert str(chosen.tolist()) == str(y.tolist())
    assert str(y.clone().tolist()) == str(y.tolist())
