"""Reductions add up as eagerly where calls share what they compute: bits of results, gradients."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

import gleed

F = gleed.nn.functional
FUNCTIONS = {
    "log_softmax": lambda x, t: F.log_softmax(x, 1),
    "softmax": lambda x, t: F.softmax(x, 1),
    "logsumexp": lambda x, t: gleed.logsumexp(x, 1, True),
    "by hand": lambda x, t: (x - x.amax(1, True)).exp().sum(1, True).log(),
    "scaled": lambda x, t: F.log_softmax(x * 2, 1).exp(),
    "labels": lambda x, t: F.cross_entropy(x, t, label_smoothing=0.1),
    "probabilities": lambda x, t: F.cross_entropy(x, F.softmax(x * 0.5, 1)),
    "var": lambda x, t: x.var(1, keepdim=True),
    "layer_norm": lambda x, t: F.layer_norm(x, (x.shape[1],)),
}


def bits(tensors: Any) -> list[bytes]:
    return [t.detach().float().numpy().tobytes() for t in tensors]


@pytest.mark.parametrize("dtype", [gleed.float32, gleed.bfloat16])
@pytest.mark.parametrize("length", [40, 700])
@pytest.mark.parametrize("first", FUNCTIONS)
def test_pairs_of_reductions(first: str, length: int, dtype: Any) -> None:
    for second, grad in product(FUNCTIONS, (False, True)):

        def both(x: Any, t: Any, second: str = second) -> Any:
            p, q = FUNCTIONS[first](x, t), FUNCTIONS[second](x, t)
            return p, q, p + q * 1.5

        gleed.manual_seed(0)
        x = gleed.randn(5, length).to(dtype)
        t, g = gleed.randint(0, length, (5,)), gleed.randn(5, length).to(dtype)
        found = []
        for function in (both, gleed.compile(both)):
            function(x.clone().requires_grad_(grad), t)
            leaf = x.clone().requires_grad_(grad)
            results = function(leaf, t)
            if grad:
                (results[2] * g).sum().backward()
            found.append(bits([*results, *([leaf.grad] if grad else [])]))
        assert found[0] == found[1], (second, grad)


def test_what_is_computed_twice_is_computed_once() -> None:
    double = gleed.compile(lambda x: (x * 2).sum() + (x * 2).sum())
    x = gleed.randn(7)
    assert double(x).item() == double(x).item() == ((x * 2).sum() + (x * 2).sum()).item()
    assert "in 3 kernels" in double.report()


@pytest.mark.parametrize("dtype", [gleed.float32, gleed.float16])
@pytest.mark.parametrize("shape", [(2, 33, 1, 5), (33, 1), (5, 33, 1)])
def test_axes_of_one_element(shape: tuple[int, ...], dtype: Any) -> None:
    gleed.manual_seed(0)
    x = gleed.randn(shape).to(dtype)

    def reduced(x: Any) -> Any:
        each = gleed.func.vmap(lambda row: (row * 0.3).round().sum(-1, keepdim=True))
        return x.log_softmax(-2), x.softmax(0), each(x), x.std(-2)

    compiled = gleed.compile(reduced, fullgraph=True)
    for _ in range(2):
        assert bits(compiled(x)) == bits(reduced(x))
