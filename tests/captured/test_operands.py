"""Kernels of captured programs have a limited number of operands, whatever is computed at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import gleed
from gleed import nn


def network() -> Callable[[Any], Any]:
    """Sums of 8 numbers are written out; their second gradients read each number at 8 places."""
    return nn.Sequential(
        *(nn.Linear(6, 8), nn.LayerNorm(8), nn.Tanh(), nn.BatchNorm1d(8), nn.Linear(8, 8)),
        *(nn.LayerNorm(8), nn.GELU(), nn.LayerNorm(8), nn.Linear(8, 3)),
    )


def used_often() -> Callable[[Any], Any]:
    """What is used a hundred times has a gradient of as many parts."""
    weights = [gleed.randn(6) for _ in range(100)]
    return lambda x: sum(((x * w).sin() + (x - w).tanh() for w in weights), gleed.zeros(6))


@pytest.mark.parametrize("make", (network, used_often))
def test_gradients_of_many_operands(make: Callable[[], Callable[[Any], Any]]) -> None:
    gleed.manual_seed(0)
    function = make()
    compiled = gleed.compile(function, fullgraph=True)
    x, w = gleed.randn(5, 6, requires_grad=True), gleed.randn(5, 6)
    for _ in range(2):
        found = []
        for each in (function, compiled):
            y = each(x)
            (slope,) = gleed.autograd.grad(y.square().sum(), x, create_graph=True)
            (second,) = gleed.autograd.grad((slope * w).sum(), x)
            found.append((y, slope, second))
        (y, slope, second), (y2, slope2, second2) = found
        assert (y == y2).all() and (slope == slope2).all()
        assert gleed.allclose(second, second2, rtol=1e-4, atol=1e-4 * second.abs().max().item())
