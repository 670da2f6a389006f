"""Numbers among the arguments: followed where only operations take them, else fixed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

import gleed
from gleed import nn

F = nn.functional


def equal(a: Any, b: Any) -> bool:
    same = (a == b) | ((a != a) & (b != b))
    return a.shape == b.shape and a.dtype == b.dtype and bool(same.all())


def programs(compiled: Any) -> int:
    return int(compiled.report().partition(": ")[2].partition(" ")[0])


FOLLOWED: dict[str, Callable[[Any, Any], Any]] = {
    "mul": lambda x, a: x * a,
    "reflected": lambda x, a: a - x,
    "divided": lambda x, a: a / x + x**a,
    "in place": lambda x, a: x.clone().add_(x, alpha=a).mul_(a),
    "fill": lambda x, a: x.clone().fill_(a),
    "full": lambda x, a: gleed.full((2, 3), a) + x,
    "compare": lambda x, a: gleed.where(x > a, a, x),
    "clamp": lambda x, a: x.clamp(min=a, max=1.5),
    "lerp": lambda x, a: x.lerp(x.flip(0), a),
    "leaky": lambda x, a: F.leaky_relu(x - 1, a),
    "unused": lambda x, a: x + 1,
    "two": lambda x, a: x * a + 0.5,  # the first call is with 0.5 too
    "integers": lambda x, a: (x.long() * 2) * a,
    "computed": lambda x, a: x * (1 - a * 0.3) + x.flip(0) * (a * 0.7 + 0.1) / (2.5 * a - 1e-3),
    "computed twice": lambda x, a: x.double().clamp(min=-(a * 0.5)).mul_(a * 0.5 - a * 1e10),
    "of sizes": lambda x, a: x.sum(0) * (0.5 * a / len(x) - 1.0) + (len(x) / 3 + x.shape[1] * 0.1),
    "into a branch": lambda x, a: gleed.cond(x.sum() > 9, lambda x: x * (a * 0.3), gleed.neg, (x,)),
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_numbers_that_operations_take(name: str) -> None:
    function = FOLLOWED[name]
    for numbers in ((0.5, 0.7, -1.25, 1e-30, math.inf), (3, 4, -7, 0, 2**40)):
        compiled = gleed.compile(function, fullgraph=True)
        for a in numbers:
            x = gleed.rand(2, 3) + 1
            assert equal(compiled(x, a), function(x, a)), a
        assert programs(compiled) == 2, compiled.report()


def test_gradients_with_followed_numbers() -> None:
    def scaled(x: Any, a: float, b: float = 1.0) -> Any:
        return ((x * a).sin() / b).sum()

    compiled = gleed.compile(scaled, fullgraph=True)
    for a, b in ((0.5, 2.0), (0.7, 3.0), (0.9, 2.0), (0.9, 5.0), (0.5, 2.0)):
        x = gleed.randn(3, requires_grad=True)
        expected = gleed.autograd.grad(scaled(x, a, b), x)
        assert equal(gleed.autograd.grad(compiled(x, a, b=b), x)[0], expected[0])
    assert programs(compiled) == 2


def test_gradients_with_computed_numbers() -> None:
    def mixed(x: Any, a: float) -> Any:
        y = x * a + x.flip(0) * (1 - a)
        return (y.sin() * (a / len(x))).sum()

    compiled = gleed.compile(mixed, fullgraph=True)
    for a, n in ((0.5, 2), (0.7, 3), (0.9, 3), (0.2, 5)):
        x = gleed.randn(n, 4, requires_grad=True)
        w = gleed.randn(n, 4)
        found = []
        for function in (mixed, compiled):
            (g,) = gleed.autograd.grad(function(x, a), x, create_graph=True)
            found.append((g, gleed.autograd.grad((g * w).sum(), x)[0]))
        assert all(map(equal, *found))
    assert programs(compiled) == 2


def test_computed_numbers_raise_as_python_does() -> None:
    compiled = gleed.compile(lambda x, a: x / (a / (a - a)), fullgraph=True)
    for a in (0.5, 0.7):
        with pytest.raises(ZeroDivisionError):
            compiled(gleed.ones(2), a)


def test_gradients_inside_with_followed_numbers() -> None:
    def penalty(x: Any, a: float) -> Any:
        (g,) = gleed.autograd.grad((x.sin() * a).sum(), x, create_graph=True)
        (h,) = gleed.autograd.grad((x.cos() * a).sum(), x)
        return (g + h).square().sum()

    compiled = gleed.compile(penalty, fullgraph=True)
    for a in (0.5, 0.7, 0.9, 0.5):
        x = gleed.randn(3, requires_grad=True)
        assert equal(compiled(x, a), penalty(x, a))


LOOKING: dict[str, Callable[[Any, Any], Any]] = {
    "branch": lambda x, a: x * 2 if a > 0.6 else x,
    "arithmetic": lambda x, a: x * (a**2 + 1) + 1 / (a + 0.5),
    "decided": lambda x, a: x * 2 if a * 0.5 > 0.3 else x + (a * 2 - a),
    "text": lambda x, a: x + len(f"{a:.2f}{a}"),
    "float": lambda x, a: x * math.exp(a) + float(a) + int(a),
    "both": lambda x, a: x * a if a == 0.7 else x / a,
    "truth": lambda x, a: x * a if a else x,
    "sized": lambda x, a: x.repeat(int(a * 10), 1),
    "kept": lambda x, a: x * {0.5: 2.0}.get(a, a),
    "tensor": lambda x, a: x * gleed.tensor([a, 1.0, a]),
    "module": lambda x, a: F.dropout(x, a * 0.0) * F.elu(-x, a),
}


@pytest.mark.parametrize("name", LOOKING)
def test_numbers_that_python_looks_at_are_never_stale(name: str) -> None:
    function = LOOKING[name]
    compiled = gleed.compile(function, fullgraph=True)
    for a in (0.5, 0.7, 0.9, 0.7, 0.3, 0.0 if name == "truth" else 0.5, 0.9):
        x = gleed.rand(2, 3)
        assert equal(compiled(x, a), function(x, a)), a


SIZES: dict[str, Callable[[Any, int], Any]] = {
    "view": lambda x, n: x.view(n, -1),
    "narrow": lambda x, n: x.flatten()[n:] * n,
    "axis": lambda x, n: x.sum(n % 2),
    "loop": lambda x, n: sum([x] * n),
    "zeros": lambda x, n: gleed.zeros(n, 2) + n,
    "static": lambda x, n: F.one_hot(gleed.arange(2), n).sum() + F.pad(x, (n, 1)).sum(),
    "roll": lambda x, n: x.roll(n, 0) + x.diagonal(n).sum(),
}


@pytest.mark.parametrize("name", SIZES)
def test_integers_that_decide_sizes_are_never_stale(name: str) -> None:
    function = SIZES[name]
    compiled = gleed.compile(function, fullgraph=True)
    for n in (2, 4, 3, 6, 2, 12):
        x = gleed.rand(12, 12)
        assert equal(compiled(x, n), function(x, n)), n


def test_flags_and_kinds_are_told_apart() -> None:
    compiled = gleed.compile(lambda x, a: x * a, fullgraph=True)
    for a in (1.5, 2.5, 2, 3, True, False, 2.5, 3):
        y = compiled(gleed.arange(3), a)
        assert equal(y, gleed.arange(3) * a)
    assert compiled(gleed.ones(2), 2**70 * 1.0).tolist() == [2.0**70] * 2
    with pytest.raises(OverflowError):
        compiled(gleed.arange(3), 2**70)


def test_numbers_that_are_returned_or_nested() -> None:
    compiled = gleed.compile(lambda x, a, more: (x * a, a, [a, more[0]]), fullgraph=True)
    for a in (0.5, 0.7, 0.9):
        y, same, both = compiled(gleed.ones(1), a, [a + 1])
        assert y.item() == pytest.approx(a) and same == a and both == [a, a + 1]
        assert type(same) is float and type(both[0]) is float


def test_a_size_and_a_number() -> None:
    def function(x: Any, a: float, *, b: int) -> Any:
        return x.view(x.shape[0] * 2, -1) * a + b - x.shape[0]

    compiled = gleed.compile(function, fullgraph=True)
    for n, a, b in ((3, 0.5, 1), (4, 0.6, 2), (5, 0.7, 3), (6, 0.5, 1)):
        x = gleed.rand(n, 4)
        assert equal(compiled(x, a, b=b), function(x, a, b=b))
    assert programs(compiled) == 2
