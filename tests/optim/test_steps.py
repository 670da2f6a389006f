"""The steps of SGD, Adam and AdamW against the formulas in NumPy float64."""

import itertools

import numpy as np
import pytest

import gleed
from gleed import nn, optim

SHAPES = ((3,), (), (2, 5), (0, 4), (17, 3))


def problem(dtype):
    rng = np.random.default_rng(0)
    starts = [rng.normal(size=shape) for shape in SHAPES]
    gradients = [[rng.normal(size=shape) for shape in SHAPES] for _ in range(5)]
    params = [nn.Parameter(gleed.tensor(start, dtype=dtype)) for start in starts]
    return params, starts, gradients


def run(make, dtype):
    """Parameters after five steps, and what they should be by `reference`."""
    params, starts, gradients = problem(dtype)
    optimizer = make(params)
    for each in gradients:
        for parameter, gradient in zip(params, each, strict=True):
            parameter.grad = gleed.tensor(gradient, dtype=dtype)
        optimizer.step()
    return [p.detach().numpy() for p in params], starts, gradients


def sgd(start, gradients, lr, momentum, dampening, weight_decay, nesterov, maximize):
    p, buffer = start.copy(), None
    for g in gradients:
        g = (-g if maximize else g) + weight_decay * p
        if momentum:
            buffer = g if buffer is None else momentum * buffer + (1 - dampening) * g
            g = g + momentum * buffer if nesterov else buffer
        p = p - lr * g
    return p


def adam(start, gradients, lr, betas, eps, weight_decay, amsgrad, maximize, decoupled):
    p, m, v, highest = start.copy(), 0.0, 0.0, 0.0
    for t, g in enumerate(gradients, 1):
        g = -g if maximize else g
        if decoupled:
            p = p * (1 - lr * weight_decay)
        else:
            g = g + weight_decay * p
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        highest = np.maximum(highest, v)
        corrected = (highest if amsgrad else v) / (1 - betas[1] ** t)
        p = p - lr * (m / (1 - betas[0] ** t)) / (np.sqrt(corrected) + eps)
    return p


def compare(results, starts, gradients, formula, options, dtype):
    tolerance = 1e-12 if dtype == gleed.float64 else 2e-6
    for i, (result, start) in enumerate(zip(results, starts, strict=True)):
        expected = formula(start, [each[i] for each in gradients], **options)
        np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [gleed.float32, gleed.float64], ids=str)
@pytest.mark.parametrize(
    ("momentum", "dampening", "nesterov"),
    [(0, 0, False), (0.9, 0, False), (0.9, 0.25, False), (0.9, 0, True)],
)
@pytest.mark.parametrize(("weight_decay", "maximize"), [(0, False), (0.1, True)])
def test_sgd(dtype, momentum, dampening, nesterov, weight_decay, maximize):
    options = {
        "lr": 0.1,
        "momentum": momentum,
        "dampening": dampening,
        "weight_decay": weight_decay,
        "nesterov": nesterov,
        "maximize": maximize,
    }
    compare(*run(lambda params: optim.SGD(params, **options), dtype), sgd, options, dtype)


@pytest.mark.parametrize("dtype", [gleed.float32, gleed.float64], ids=str)
@pytest.mark.parametrize(
    ("amsgrad", "maximize", "weight_decay"),
    list(itertools.product([False, True], [False, True], [0, 0.1])),
)
@pytest.mark.parametrize("kind", [optim.Adam, optim.AdamW])
def test_adam(dtype, amsgrad, maximize, weight_decay, kind):
    options = {
        "lr": 0.1,
        "betas": (0.8, 0.95),
        "eps": 1e-6,
        "weight_decay": weight_decay,
        "amsgrad": amsgrad,
        "maximize": maximize,
    }
    results = run(lambda params: kind(params, **options), dtype)
    compare(*results, adam, {**options, "decoupled": kind is optim.AdamW}, dtype)


def test_first_momentum_is_undamped_for_each_parameter():
    """A parameter that joins late starts with its whole gradient, while others are damped."""
    early, late = (nn.Parameter(gleed.tensor([0.0])) for _ in range(2))
    optimizer = optim.SGD([early, late], lr=1.0, momentum=0.5, dampening=0.5)
    early.grad = gleed.tensor([1.0])
    optimizer.step()
    late.grad = gleed.tensor([1.0])
    optimizer.step()
    assert early.tolist() == [-2.0] and late.tolist() == [-1.0]


def test_parameters_at_different_counts_have_their_own_corrections():
    early, late = (nn.Parameter(gleed.tensor([0.0])) for _ in range(2))
    optimizer = optim.Adam([early, late], lr=0.5, eps=0.0)
    early.grad = gleed.tensor([2.0])
    optimizer.step()
    late.grad = gleed.tensor([3.0])
    optimizer.step()
    assert early.tolist() == pytest.approx([-1.0], rel=1e-5)
    assert late.tolist() == pytest.approx([-0.5], rel=1e-5)
    assert [float(optimizer.state[p]["step"]) for p in (early, late)] == [2, 1]


def test_decoupled_decay_of_adam_is_adamw():
    a, b = (nn.Parameter(gleed.tensor([1.0, -2.0])) for _ in range(2))
    first = optim.Adam([a], lr=0.1, weight_decay=0.3, decoupled_weight_decay=True)
    second = optim.AdamW([b], lr=0.1, weight_decay=0.3)
    for _ in range(3):
        a.grad, b.grad = gleed.tensor([0.5, 1.0]), gleed.tensor([0.5, 1.0])
        first.step()
        second.step()
    assert a.tolist() == b.tolist()


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam])
def test_infinite_values_stay_where_they_are(make):
    """Without weight decay an infinite parameter does not turn into NaN."""
    p = nn.Parameter(gleed.tensor([float("inf"), 1.0]))
    optimizer = make([p], lr=0.5)
    p.grad = gleed.tensor([1.0, 1.0])
    optimizer.step()
    assert p.tolist() == pytest.approx([float("inf"), 0.5])


def test_parameters_and_gradients_in_other_layouts():
    base = gleed.arange(12.0).reshape(3, 4)
    parameter = nn.Parameter(base.t())
    gradient = gleed.arange(24.0).reshape(8, 3)[::2]
    before, change = parameter.detach().clone(), gradient.clone()
    parameter.grad = gradient
    optim.SGD([parameter], lr=0.5, momentum=0.9).step()
    assert (parameter == before - change * 0.5).all()
    assert (base == parameter.t()).all()


@pytest.mark.parametrize("make", [optim.SGD, lambda p: optim.Adam(p, lr=0.05)])
def test_a_line_is_fitted(make):
    gleed.manual_seed(0)
    line = nn.Linear(1, 1)
    x = gleed.linspace(-1, 1, 32).reshape(-1, 1)
    y = 3 * x + 1
    optimizer = make(line.parameters())
    optimizer.param_groups[0]["lr"] = 0.1
    for _ in range(300):
        optimizer.zero_grad()
        nn.functional.mse_loss(line(x), y).backward()
        optimizer.step()
    assert line.weight.item() == pytest.approx(3, abs=1e-2)
    assert line.bias.item() == pytest.approx(1, abs=1e-2)


@pytest.mark.parametrize("make", [optim.Adam, optim.SGD, optim.Adadelta], ids=lambda m: m.__name__)
def test_more_parameters_of_one_shape_than_a_kernel_has_operands_for(make):
    def stepped(group):
        params = [nn.Parameter(gleed.tensor(start)) for start, _ in group]
        for parameter, (_, gradient) in zip(params, group, strict=True):
            parameter.grad = gleed.tensor(gradient)
        optimizer = make(params, lr=0.5)
        optimizer.step()
        optimizer.step()
        return [p.detach().numpy() for p in params]

    rng = np.random.default_rng(0)
    group = [(rng.normal(size=3), rng.normal(size=3)) for _ in range(70)]
    apart = [stepped([pair])[0] for pair in group]
    np.testing.assert_array_equal(stepped(group), apart)
