"""Optimizers that count steps against the formulas in NumPy float64, and what they refuse."""

import math

import numpy as np
import pytest

import gleed
from gleed import _C, nn, optim

SHAPES = ((3,), (), (2, 5), (0, 4))
STEPS = 8


def adadelta(p, gradients, lr, rho, eps):
    v = u = 0.0
    for g in gradients:
        v = rho * v + (1 - rho) * g * g
        change = np.sqrt(u + eps) / np.sqrt(v + eps) * g
        u = rho * u + (1 - rho) * change * change
        p = p - lr * change
    return p


def adagrad(p, gradients, lr, lr_decay, initial_accumulator_value):
    v = initial_accumulator_value
    for t, g in enumerate(gradients):
        v = v + g * g
        p = p - lr / (1 + t * lr_decay) * g / (np.sqrt(v) + 1e-10)
    return p


def rmsprop(p, gradients, lr, alpha, eps, momentum, centered):
    v = mean = buffer = 0.0
    for g in gradients:
        v = alpha * v + (1 - alpha) * g * g
        mean = alpha * mean + (1 - alpha) * g
        change = g / (np.sqrt(v - mean * mean if centered else v) + eps)
        buffer = momentum * buffer + change
        p = p - lr * buffer
    return p


def adamax(p, gradients, lr, betas, eps):
    m = u = 0.0
    for t, g in enumerate(gradients, 1):
        m = betas[0] * m + (1 - betas[0]) * g
        u = np.maximum(betas[1] * u, abs(g) + eps)
        p = p - lr / (1 - betas[0] ** t) * m / u
    return p


def nadam(p, gradients, lr, betas, eps, momentum_decay):
    m, v, product = 0.0, 0.0, 1.0
    for t, g in enumerate(gradients, 1):
        mu, ahead = (betas[0] * (1 - 0.5 * 0.96 ** (s * momentum_decay)) for s in (t, t + 1))
        product *= mu
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        spread = np.sqrt(v / (1 - betas[1] ** t)) + eps
        mixed = (1 - mu) / (1 - product) * g + ahead / (1 - product * ahead) * m
        p = p - lr * mixed / spread
    return p


def radam(p, gradients, lr, betas, eps):
    m = v = 0.0
    longest = 2 / (1 - betas[1]) - 1
    for t, g in enumerate(gradients, 1):
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        length = longest - 2 * t * betas[1] ** t / (1 - betas[1] ** t)
        change = m / (1 - betas[0] ** t)
        if length > 5:
            trust = (length - 4) * (length - 2) * longest
            trust /= (longest - 4) * (longest - 2) * length
            change = change * math.sqrt(trust * (1 - betas[1] ** t)) / (np.sqrt(v) + eps)
        p = p - lr * change
    return p


def asgd(p, gradients, lr, lambd, alpha):
    eta = lr
    for t, g in enumerate(gradients, 1):
        p = p * (1 - lambd * eta) - eta * g
        eta = lr / (1 + lambd * lr * t) ** alpha
    return p


def rprop(p, gradients, lr, etas, step_sizes):
    size, before = np.full_like(p, lr), np.zeros_like(p)
    for g in gradients:
        agreement = g * before
        size = size * np.where(agreement > 0, etas[1], np.where(agreement < 0, etas[0], 1.0))
        size = np.clip(size, *step_sizes)
        before = np.where(agreement < 0, 0.0, g)
        p = p - np.sign(before) * size
    return p


CASES = [
    (optim.Adadelta, adadelta, {"lr": 0.7, "rho": 0.8, "eps": 1e-3}),
    (optim.Adagrad, adagrad, {"lr": 0.1, "lr_decay": 0.2, "initial_accumulator_value": 0.3}),
    *(
        (
            optim.RMSprop,
            rmsprop,
            {"lr": 0.1, "alpha": 0.8, "eps": 1e-6, "momentum": m, "centered": c},
        )
        for m in (0, 0.9)
        for c in (False, True)
    ),
    (optim.Adamax, adamax, {"lr": 0.1, "betas": (0.7, 0.9), "eps": 1e-4}),
    (optim.NAdam, nadam, {"lr": 0.1, "betas": (0.7, 0.9), "eps": 1e-4, "momentum_decay": 0.1}),
    (optim.RAdam, radam, {"lr": 0.1, "betas": (0.7, 0.9), "eps": 1e-4}),
    (optim.ASGD, asgd, {"lr": 0.1, "lambd": 0.3, "alpha": 0.5}),
    (optim.Rprop, rprop, {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (0.02, 0.3)}),
]


@pytest.mark.parametrize("dtype", [gleed.float32, gleed.float64], ids=str)
@pytest.mark.parametrize(("kind", "formula", "options"), CASES)
@pytest.mark.parametrize("maximize", [False, True])
def test_steps(kind, formula, options, dtype, maximize):
    rng = np.random.default_rng(0)
    starts = [rng.normal(size=shape) for shape in SHAPES]
    gradients = [[rng.normal(size=shape) for _ in range(STEPS)] for shape in SHAPES]
    params = [nn.Parameter(gleed.tensor(start, dtype=dtype)) for start in starts]
    optimizer = kind(params, maximize=maximize, **options)
    for step in range(STEPS):
        for parameter, each in zip(params, gradients, strict=True):
            parameter.grad = gleed.tensor(each[step], dtype=dtype)
        optimizer.step()
    # The momentum product of NAdam and the rate of ASGD are kept in single precision.
    single = dtype == gleed.float32 or kind in (optim.NAdam, optim.ASGD)
    tolerance = 5e-6 if single else 1e-12
    for parameter, start, each in zip(params, starts, gradients, strict=True):
        wanted = formula(start, [-g if maximize else g for g in each], **options)
        got = parameter.detach().numpy()
        np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", sorted({case[0] for case in CASES} - {optim.Rprop}, key=str))
def test_weight_decay_joins_the_gradient(kind):
    a, b = (nn.Parameter(gleed.tensor([2.0, -1.0])) for _ in range(2))
    decayed, plain = kind([a], weight_decay=0.5), kind([b])
    a.grad, b.grad = gleed.tensor([0.25, 1.0]), gleed.tensor([1.25, 0.5])
    decayed.step()
    plain.step()
    assert a.tolist() == pytest.approx(b.tolist())


KINDS = [*sorted({case[0] for case in CASES}, key=str), optim.Adam, optim.AdamW]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_parameter_has_a_count_of_its_own(kind):
    """Parameters that begin late step in the same operation as the others, as if alone."""
    params = [nn.Parameter(gleed.tensor([1.0, -2.0])) for _ in range(6)]
    together, apart = kind(params[:3], lr=0.1), [kind([p], lr=0.1) for p in params[3:]]
    rng = np.random.default_rng(0)
    for step in range(12):
        for i, gradient in enumerate(rng.normal(size=(3, 2)).astype("f")):
            for parameter in (params[i], params[3 + i]):
                parameter.grad = gleed.tensor(gradient) if step >= 2 * i else None
        before = _C.engine_stats()
        together.step()
        after = _C.engine_stats()
        for optimizer in apart:
            optimizer.step()
    assert sum(after[name] - before[name] for name in ("hits", "plan_hits", "misses")) == 1
    for a, b in zip(params[:3], params[3:], strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


class Rate(float):
    """A number with a name, say."""


@pytest.mark.parametrize("make", [Rate, gleed.tensor], ids=["subclass", "tensor"])
@pytest.mark.parametrize("kind", [*KINDS, optim.SGD], ids=lambda kind: kind.__name__)
def test_learning_rates_of_other_types(kind, make):
    starts = gleed.tensor([1.0, -2.0])
    params = [nn.Parameter(starts.clone()) for _ in range(2)]
    optimizers = [kind([params[0]], lr=0.125), kind([params[1]], lr=make(0.125))]
    for step in range(3):
        for parameter, optimizer in zip(params, optimizers, strict=True):
            parameter.grad = gleed.tensor([1.0, step])
            optimizer.step()
    assert params[0].tolist() == params[1].tolist()


def test_the_mean_of_asgd():
    a = nn.Parameter(gleed.tensor([1.0]))
    optimizer = optim.ASGD([a], lr=1.0, lambd=0.0, t0=0)
    for _ in range(3):
        a.grad = gleed.tensor([1.0])
        optimizer.step()
    # The weights of the steps, 1, 1 and 1/2, leave the mean between the last two.
    assert a.tolist() == [-2.0]
    assert optimizer.state[a]["ax"].tolist() == [-1.5]


WEIGHT = [nn.Parameter(gleed.ones(1))]
REFUSED = [
    (optim.Adadelta, {"rho": 2}, "Adadelta: rho is from 0 to 1; got 2; 0.9 is usual"),
    (
        optim.Adagrad,
        {"lr_decay": -1},
        "Adagrad: lr_decay is a number from 0 on; got -1; 0 means none",
    ),
    (optim.RMSprop, {"alpha": -1}, "RMSprop: alpha is a number from 0 on; got -1; 0.99 is usual"),
    (
        optim.Adamax,
        {"betas": (0.9, 1)},
        r"Adamax: betas are from 0 to below 1; got 1 at index 1; \(0.9, 0.999\) is usual",
    ),
    (
        optim.NAdam,
        {"momentum_decay": -1},
        "NAdam: momentum_decay is a number from 0 on; got -1; 4e-3 is usual",
    ),
    (optim.RAdam, {"eps": -1}, "RAdam: eps is a number from 0 on; got -1; 1e-8 is usual"),
    (
        optim.ASGD,
        {"lr": -1},
        "ASGD: lr, the learning rate, is a number from 0 on; got -1; to climb instead, pass "
        "maximize=True",
    ),
    (
        optim.Rprop,
        {"etas": (1.2, 0.5)},
        r"Rprop: etas are a factor between 0 and 1 and one above 1; got \(1.2, 0.5\); ",
    ),
]


@pytest.mark.parametrize(("kind", "options", "text"), REFUSED)
def test_refused_options(kind, options, text):
    with pytest.raises(ValueError, match=text):
        kind(WEIGHT, **options)
