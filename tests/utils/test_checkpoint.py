"""Checkpointing: the same results and gradients with less memory."""

from __future__ import annotations

import collections
import contextlib
from typing import Any

import pytest

import gleed
from gleed import nn
from gleed.errors import ArgumentError, GradientError, RangeError
from gleed.utils.checkpoint import checkpoint, checkpoint_sequential


def gradients(model: Any, x: Any, run: Any) -> tuple[Any, list[Any]]:
    """The result and the gradients of its weighted sum."""
    gleed.manual_seed(3)
    leaves = [x, *model.parameters()]
    y = run(model, x)
    weights = gleed.arange(float(y.numel())).view(y.shape)
    return y.tolist(), [g.tolist() for g in gleed.autograd.grad((y * weights).sum(), leaves)]


@pytest.mark.parametrize("use_reentrant", [True, False, None])
def test_as_without(use_reentrant: bool | None) -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 3))
    x = gleed.rand(5, 4, requires_grad=True)
    wanted = gradients(model, x, lambda model, x: model(x))
    found = gradients(model, x, lambda m, x: checkpoint(m, x, use_reentrant=use_reentrant))
    assert found == wanted
    parts = gradients(model, x, lambda m, x: checkpoint_sequential(m, 2, x))
    assert parts == wanted


def test_backward_accumulates() -> None:
    layer, x = nn.Linear(2, 2), gleed.rand(3, 2)
    for _ in range(2):
        checkpoint(layer, x, use_reentrant=False).sum().backward()
    assert layer.bias.grad.tolist() == [6, 6]


def test_random_numbers_go_on() -> None:
    gleed.manual_seed(0)
    plain = nn.functional.dropout(gleed.ones(9)), gleed.rand(3)
    gleed.manual_seed(0)
    x = gleed.ones(9, requires_grad=True)
    y = checkpoint(nn.functional.dropout, x)
    after = gleed.rand(3)
    assert y.tolist() == plain[0].tolist() and after.tolist() == plain[1].tolist()
    state = gleed.get_rng_state()
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()
    assert gleed.get_rng_state().tolist() == state.tolist()


def test_without_preserved_random_numbers() -> None:
    gleed.manual_seed(0)
    x = gleed.ones(64, requires_grad=True)
    y = checkpoint(nn.functional.dropout, x, preserve_rng_state=False)
    y.sum().backward()
    assert x.grad.tolist() != y.tolist()


def test_structures() -> None:
    Pair = collections.namedtuple("Pair", "a b")

    def function(pair: Any, *, scale: Any, names: dict[str, Any]) -> Any:
        product = pair.a * scale * names["w"]
        return Pair(product, [pair.b, "text"]), {"n": gleed.tensor([1, 2])}

    a, b, s, w = (gleed.tensor([float(n), 1.0], requires_grad=True) for n in (2, 3, 5, 7))
    (first, rest), named = checkpoint(function, Pair(a, b), scale=s, names={"w": w})
    assert first.tolist() == [70, 1] and rest[1] == "text" and named["n"].tolist() == [1, 2]
    assert not named["n"].requires_grad
    (first.sum() + 10 * rest[0].sum()).backward()
    assert [t.grad.tolist() for t in (a, b, s, w)] == [[35, 1], [10, 10], [14, 1], [10, 1]]


def test_tensors_that_the_function_has_got_elsewhere() -> None:
    w = gleed.tensor([2.0], requires_grad=True)
    inner = w * w  # no leaf
    x = gleed.tensor([3.0], requires_grad=True)
    y = checkpoint(lambda x: x * inner, x)
    (y + inner).sum().backward()
    assert (x.grad.item(), w.grad.item()) == (4.0, 16.0)


def test_second_derivative() -> None:
    x = gleed.rand(3, dtype=gleed.float64, requires_grad=True)
    w = gleed.rand(3, dtype=gleed.float64, requires_grad=True)
    run = lambda x, w: checkpoint(lambda x: (x * w).exp() * x, x)  # noqa: E731
    assert gleed.autograd.gradcheck(run, (x, w))
    assert gleed.autograd.gradgradcheck(run, (x, w))


def test_nested() -> None:
    x = gleed.rand(4, requires_grad=True)
    inner = lambda x: checkpoint(gleed.tanh, x * 2)  # noqa: E731
    checkpoint(lambda x: inner(x).exp(), x).sum().backward()
    found, x.grad = x.grad, None
    (x * 2).tanh().exp().sum().backward()
    assert found.tolist() == x.grad.tolist()


def test_autocast_is_restored() -> None:
    seen = []
    w = gleed.rand(4, 4, requires_grad=True)

    def function(x: Any) -> Any:
        y = x @ w
        seen.append(y.dtype)
        return y

    with gleed.autocast("cpu", dtype=gleed.float16):
        y = checkpoint(function, gleed.rand(2, 4))
    y.sum().backward()
    assert seen == [gleed.float16] * 2


def test_contexts() -> None:
    seen = []

    @contextlib.contextmanager
    def noted(word: str) -> Any:
        seen.append(word)
        yield

    x = gleed.rand(2, requires_grad=True)
    y = checkpoint(gleed.exp, x, context_fn=lambda: (noted("first"), noted("second")))
    assert seen == ["first"]
    y.sum().backward()
    assert seen == ["first", "second"]


def test_nothing_is_recorded_where_no_gradient_can_come() -> None:
    calls = []
    with gleed.no_grad():
        checkpoint(calls.append, 1)
    assert not checkpoint(gleed.exp, gleed.rand(2)).requires_grad
    assert calls == [1]


def test_memory() -> None:
    def deep(x: Any) -> Any:
        for _ in range(8):
            x = (x * 1.01).tanh()
        return x

    def kept(run: Any) -> int:
        x = gleed.rand(1 << 16, requires_grad=True)
        before = gleed.memory_stats()["allocated"]
        y = run(x)
        taken = gleed.memory_stats()["allocated"] - before
        y.sum().backward()
        return taken

    plain, less = kept(deep), kept(lambda x: checkpoint(deep, x))
    assert plain >= 8 * (1 << 18)
    assert less < 2 * (1 << 18)


def test_peak_memory() -> None:
    gleed.reset_peak_memory_stats()
    low = gleed.memory_stats()["peak"]
    x = gleed.empty(1 << 20)
    del x
    assert gleed.memory_stats()["peak"] - low >= 1 << 22
    gleed.reset_peak_memory_stats()
    assert gleed.memory_stats()["peak"] - low < 1 << 22


def test_a_function_that_changes() -> None:
    sizes = iter([3, 2])
    x = gleed.rand(4, requires_grad=True)
    y = checkpoint(lambda x: x[: next(sizes)], x)
    with pytest.raises(GradientError) as raised:
        y.sum().backward()
    assert str(raised.value) == (
        "checkpoint: a function must give the same kinds of tensors every time; it gave float32 "
        "[3] at first and float32 [2] when repeated; make it depend on its arguments alone"
    )


def test_messages() -> None:
    with pytest.raises(ArgumentError) as raised:
        checkpoint(gleed.exp, gleed.ones(1), determinism_check="all")
    assert str(raised.value) == (
        "checkpoint: determinism_check must be one of default, none; got 'all'; use 'default'"
    )
    with pytest.raises(RangeError) as raised:
        checkpoint_sequential([gleed.exp], 2, gleed.ones(1))
    assert str(raised.value) == (
        "checkpoint_sequential: segments must lie in 1 … 1, the number of functions; got 2; use "
        "fewer"
    )
