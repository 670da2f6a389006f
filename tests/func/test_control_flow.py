"""Branches and loops over a batch: each example goes its own way."""

from __future__ import annotations

from typing import Any

import gleed
from gleed.func import grad, vmap


def close(found: Any, expected: Any) -> bool:
    return found.shape == expected.shape and bool(gleed.allclose(found, expected, atol=1e-5))


def each(function: Any, x: Any) -> Any:
    return gleed.stack([function(row) for row in x])


def test_branches_by_example() -> None:
    gleed.manual_seed(0)
    w = gleed.randn(3, requires_grad=True)

    def f(x: Any) -> Any:
        up, down = lambda x: (x * w).exp().sum(), lambda x: -(x.abs() + 1).log().sum()
        return gleed.cond(x.sum() > 0, up, down, (x,))

    for n in (6, 6, 4):
        x = gleed.randn(n, 3)
        found, expected = vmap(f)(x), each(f, x)
        assert close(found, expected)
        by_w = [gleed.autograd.grad(y.sum(), w)[0] for y in (found, expected)]
        assert close(*by_w)
        assert close(vmap(grad(f))(x), each(grad(f), x))


def test_the_way_not_taken_does_not_matter() -> None:
    f = lambda x: gleed.cond(x > 0, lambda x: x.sqrt(), lambda x: x * 2, (x,))  # noqa: E731
    x = gleed.tensor([4.0, -1.0])
    assert vmap(grad(f))(x).tolist() == [0.25, 2.0]


def test_a_branch_for_all() -> None:
    x = gleed.randn(4, 3)
    for flag in (True, False):
        upwards = gleed.tensor(flag)
        f = vmap(lambda x, up: gleed.cond(up, lambda x: x.exp(), lambda x: -x, (x,)), (0, None))
        for _ in range(2):
            assert close(f(x, upwards), x.exp() if flag else -x)


def test_results_that_only_the_predicate_tells_apart() -> None:
    a, b = gleed.randn(2), gleed.randn(2)
    f = vmap(lambda p: gleed.cond(p, lambda: a * 2, lambda: b))
    assert close(f(gleed.tensor([True, False])), gleed.stack([a * 2, b]))


def test_loops_of_different_lengths() -> None:
    def halved(x: Any) -> Any:
        start = gleed.tensor(0), x.abs()
        return gleed.while_loop(lambda n, y: y.max() > 0.1, lambda n, y: (n + 1, y / 2), start)

    for _ in range(2):
        x = gleed.randn(6, 3)
        turns, y = vmap(halved)(x)
        assert turns.tolist() == [int(halved(row)[0]) for row in x]
        assert close(y, each(lambda row: halved(row)[1], x))


def test_scan() -> None:
    w = gleed.randn((), requires_grad=True)

    def f(x: Any) -> Any:
        _, ys = gleed.scan(lambda c, v: (c * w + v, c.sin()), gleed.zeros(()), x)
        return ys

    for _ in range(2):
        x = gleed.randn(4, 5)
        found, expected = vmap(f)(x), each(f, x)
        assert close(found, expected)
        assert close(*(gleed.autograd.grad(y.sum(), w)[0] for y in (found, expected)))


def test_draws_in_a_loop() -> None:
    def walk(x: Any) -> Any:
        _, ys = gleed.scan(lambda c, v: (c + gleed.rand(()), c + v), gleed.zeros(()), x)
        return ys

    y = vmap(walk, randomness="different")(gleed.zeros(4, 5))
    assert not gleed.equal(y[0], y[1])
    y = vmap(walk, randomness="same")(gleed.zeros(4, 5))
    assert gleed.equal(y[0], y[1])
