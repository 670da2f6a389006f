"""L-BFGS: exact on quadratics, down curved valleys, and what it refuses."""

import math

import numpy as np
import pytest

import gleed
from gleed import nn, optim
from gleed.optim.lbfgs import Point, lowest_between, search


def minimise(function, starts, steps, **options):
    params = [nn.Parameter(gleed.tensor(s, dtype=gleed.float64)) for s in starts]
    optimizer = optim.LBFGS(params, **options)
    calls = []

    def closure():
        optimizer.zero_grad()
        loss = function(*params)
        loss.backward()
        calls.append(loss.item())
        return loss

    for _ in range(steps):
        first = optimizer.step(closure)
        assert first.item() in calls
    return params, calls, optimizer


def test_a_quadratic_is_solved():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(6, 6))
    a = a @ a.T + np.eye(6)
    b = rng.normal(size=6)
    matrix, vector = gleed.from_numpy(a), gleed.from_numpy(b)
    (x,), calls, _ = minimise(
        lambda x: 0.5 * x @ (matrix @ x) - vector @ x,
        [np.zeros(6)],
        3,
        line_search_fn="strong_wolfe",
        tolerance_change=1e-18,
    )
    np.testing.assert_allclose(x.detach().numpy(), np.linalg.solve(a, b), rtol=1e-6)
    assert len(calls) < 40


@pytest.mark.parametrize("history_size", [1, 3, 100])
def test_a_valley_with_parameters_of_several_shapes(history_size):
    def valley(x, y):
        return (100 * (y - x**2) ** 2 + (1 - x) ** 2).sum()

    (x, y), calls, _ = minimise(
        valley,
        [-np.ones((2, 2)), np.ones((2, 2))],
        10,
        line_search_fn="strong_wolfe",
        history_size=history_size,
    )
    assert x.detach().numpy() == pytest.approx(1, abs=1e-4)
    assert y.detach().numpy() == pytest.approx(1, abs=1e-4)
    assert calls[-1] < 1e-8 < calls[0]


def test_steps_without_a_line_search():
    (x,), _, optimizer = minimise(lambda x: ((x - 3) ** 2).sum(), [[0.0, 9.0]], 3, lr=0.5)
    assert x.detach().numpy() == pytest.approx(3, abs=1e-3)
    state = optimizer.state[x]
    assert state["func_evals"] <= 3 * 25 and len(state["old_dirs"]) == len(state["ro"])


def test_state_goes_on():
    def function(x):
        return (x**4).sum() + (x[0] - x[1]) ** 2

    (x,), _, optimizer = minimise(function, [[2.0, -1.0]], 1, max_iter=3, lr=0.1)
    y = nn.Parameter(x.detach().clone())
    resumed = optim.LBFGS([y], max_iter=3, lr=0.1)
    resumed.load_state_dict(optimizer.state_dict())
    for parameter, each in ((x, optimizer), (y, resumed)):

        def closure(parameter=parameter, each=each):
            each.zero_grad()
            loss = function(parameter)
            loss.backward()
            return loss

        each.step(closure)
    assert x.tolist() == y.tolist()


@pytest.mark.parametrize("first", [0.01, 0.5, 3.0, 100.0])
def test_the_line_search_ends_where_the_conditions_hold(first):
    def at(step):
        x = 2.0 - step
        return Point(step, x**4 / 4 + math.cos(x), None, -(x**3 - math.sin(x)))

    start = at(0.0)
    point = search(at, start, first, 1e-9)
    assert point.loss <= start.loss + 1e-4 * point.step * start.slope
    assert abs(point.slope) <= 0.9 * abs(start.slope)


def test_the_cubic_through_two_points():
    def cubic(x):
        return Point(x, x**3 - 3 * x, None, 3 * x**2 - 3)

    for a, b in ((-0.5, 3.0), (3.0, -0.5), (0.2, 1.7)):
        assert lowest_between(cubic(a), cubic(b), -5, 5) == pytest.approx(1)
    assert lowest_between(cubic(-0.5), cubic(3.0), -5, 0.5) == 0.5


def test_refusals():
    parameter = nn.Parameter(gleed.ones(1))
    with pytest.raises(ValueError, match='LBFGS: line_search_fn is None or "strong_wolfe"; got'):
        optim.LBFGS([parameter], line_search_fn="armijo")
    groups = [{"params": [parameter]}, {"params": [nn.Parameter(gleed.ones(1))]}]
    with pytest.raises(ValueError, match=r"LBFGS: all parameters share one group.* got 2 groups"):
        optim.LBFGS(groups)
    with pytest.raises(ValueError, match=r"LBFGS: step needs a closure .* got None; pass one"):
        optim.LBFGS([parameter]).step()
