"""Errors are the same in both modes: at the first call, at later ones, and inside programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.ops.test_messages import BAD, NAMES

import gleed
from gleed import nn

F = nn.functional


def failure(function: Callable[..., Any], *args: Any) -> tuple[type[BaseException], str]:
    with pytest.raises(Exception) as raised:
        function(*args)
    return raised.type, str(raised.value)


@pytest.mark.parametrize(("source", "error", "text"), BAD, ids=[source for source, _, _ in BAD])
def test_bad_input(source: str, error: type[Exception], text: str) -> None:
    @gleed.compile(fullgraph=True)
    def run(x: Any, bad: bool) -> Any:
        return eval(source, NAMES) if bad else x + 1

    x = gleed.ones(2)
    for _ in range(2):
        assert failure(run, x, True) == (error, text)
        assert run(x, False).tolist() == [2.0, 2.0]


# ---- what is found out while a program runs
def long(*values: int) -> Any:
    return gleed.tensor(values)


X = gleed.arange(6.0).reshape(2, 3)
IN_PROGRAMS: dict[str, tuple[Callable[[Any], Any], Any, Any]] = {
    "embedding": (lambda i: F.embedding(i, X), long(0, 1), long(0, 2)),
    "index": (lambda i: X[:, i], long(0, -1), long(3, 0)),
    "two indices": (lambda i: X[i, i], long(0, 1), long(0, -3)),
    "gather": (lambda i: X.gather(1, i[None]), long(2, 0), long(0, 3)),
    "take": (lambda i: X.take(i), long(0, 5), long(6, 0)),
    "take_along_dim": (lambda i: X.take_along_dim(i[None], 1), long(2, 0), long(9, 0)),
    "index_select": (lambda i: X.index_select(0, i), long(0, 1), long(-1, 0)),
    "index_add": (lambda i: X.index_add(0, i, X), long(0, 1), long(0, 2)),
    "scatter": (lambda i: X.scatter(1, i[None], 5.0), long(0, 2), long(0, 7)),
    "scatter_add": (lambda i: X.scatter_add(1, i[None], X), long(0, 2), long(-4, 0)),
    "index_put": (lambda i: X.index_put((i,), X[0]), long(0, 1), long(5, 0)),
    "cross_entropy": (lambda i: F.cross_entropy(X, i), long(0, 2), long(0, 3)),
    "nll_loss": (lambda i: F.nll_loss(X, i), long(0, 2), long(-5, 1)),
    "embedding_bag": (lambda i: F.embedding_bag(i[None], X), long(0, 1), long(2, 1)),
    "bernoulli": (lambda p: p.bernoulli(), gleed.tensor([0.5]), gleed.tensor([1.5])),
    "multinomial": (lambda p: p.multinomial(1), gleed.tensor([0.5]), gleed.tensor([-1.0])),
    "normal": (lambda s: gleed.normal(s, s), gleed.tensor([0.5]), gleed.tensor([-1.0])),
}


@pytest.mark.parametrize("name", IN_PROGRAMS)
def test_errors_inside_programs_leave_everything_as_eagerly(name: str) -> None:
    function, good, bad = IN_PROGRAMS[name]
    optimizer = gleed.optim.SGD([nn.Parameter(gleed.ones(2))], lr=0.5)
    weight = optimizer.param_groups[0]["params"][0]

    def step(state: Any, given: Any) -> Any:
        state.add_(1)
        noise = gleed.rand(2)
        optimizer.zero_grad()
        (weight * noise).sum().backward()
        found = function(given)
        optimizer.step()
        state.mul_(2)
        return found, noise + state

    compiled = gleed.compile(step, fullgraph=True)
    ends = []
    for run in (step, compiled):
        gleed.manual_seed(0)
        state, seen = gleed.ones(2), []
        with gleed.no_grad():
            weight.fill_(1.0)
        weight.grad = gleed.zeros(2)
        for given in (good, good, bad, good, bad, bad, good):
            if given is bad:
                seen.append(failure(run, state, given))
            else:
                seen.append([y.tolist() for y in run(state, given)])
            seen.append((state.tolist(), weight.tolist(), weight.grad.tolist()))
        ends.append((seen, gleed.get_rng_state().tolist()))
    assert ends[0] == ends[1]


def test_numbers_out_of_range_inside_programs() -> None:
    compiled = gleed.compile(lambda x, p: F.dropout(x, p), fullgraph=True)
    x = gleed.ones(4)
    for p in (0.5, 0.25, 1.0):
        compiled(x, p)
    assert failure(compiled, x, 1.5) == failure(F.dropout, x, 1.5)
    assert failure(compiled, x, -0.5) == failure(F.dropout, x, -0.5)


def test_errors_of_modules_name_their_path() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    compiled = gleed.compile(net)
    compiled(gleed.ones(2, 3)), compiled(gleed.ones(3, 3))
    assert failure(compiled, gleed.ones(2, 5)) == failure(net, gleed.ones(2, 5))
    with pytest.raises(gleed.errors.DTypeError):
        compiled(gleed.ones(2, 3).long())
    assert compiled(gleed.ones(2, 3)).shape == (2, 2)
