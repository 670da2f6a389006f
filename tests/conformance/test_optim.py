"""Optimizers and schedules against PyTorch's: parameters after many steps, states, rates."""

import inspect
import itertools

import numpy as np
import pytest
import torch

import gleed
from gleed import nn, optim

SHAPES = ((3,), (2, 5), (), (17, 3))

CASES = [
    *(
        ("SGD", {"lr": 0.1, "momentum": m, "dampening": d, "nesterov": n, "weight_decay": w})
        for (m, d, n), w in itertools.product(
            [(0, 0, False), (0.9, 0, False), (0.9, 0.5, False), (0.9, 0, True)], [0, 0.1]
        )
    ),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "maximize": True}),
    *(
        (kind, {"lr": 0.05, "amsgrad": a, "weight_decay": w, "maximize": m})
        for kind, a, w, m in itertools.product(
            ["Adam", "AdamW"], [False, True], [0, 0.1], [False, True]
        )
    ),
    ("Adam", {"betas": (0.5, 0.7), "eps": 1e-3}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("Adagrad", {}),
    (
        "Adagrad",
        {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5},
    ),
    *(
        ("RMSprop", {"momentum": m, "centered": c, "weight_decay": w})
        for m, c, w in itertools.product([0, 0.9], [False, True], [0, 0.1])
    ),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.1, "betas": (0.5, 0.7), "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.1, "weight_decay": 0.1, "momentum_decay": 0.1}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.1, "betas": (0.5, 0.9), "weight_decay": 0.1}),
    ("RAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("ASGD", {}),
    ("ASGD", {"lr": 0.1, "lambd": 0.1, "t0": 5, "weight_decay": 0.1, "maximize": True}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (0.01, 0.2), "maximize": True}),
    ("Adam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
]


def arrays(seed, dtype=np.float32):
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.normal(size=shape), dtype) for shape in SHAPES]


def make(library, kind, options, dtype=np.float32):
    nn_ = torch.nn if library is torch else nn
    params = [nn_.Parameter(library.tensor(values)) for values in arrays(0, dtype)]
    return getattr(library.optim, kind)(params, **options)


def run(library, optimizer, seeds, dtype=np.float32):
    """A step per seed; the parameter numbered as the seed modulo 5 has no gradient in it."""
    (group,) = optimizer.param_groups
    for seed in seeds:
        for i, (parameter, gradient) in enumerate(
            zip(group["params"], arrays(seed, dtype), strict=True)
        ):
            parameter.grad = None if i == seed % 5 else library.tensor(gradient)
        optimizer.step()
    return [parameter.detach().numpy() for parameter in group["params"]]


def close(ours, theirs, tolerance=2e-6):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("kind", "options"), CASES, ids=str)
def test_steps(kind, options):
    seeds = range(1, 21)
    ours, theirs = make(gleed, kind, options), make(torch, kind, options)
    close(run(gleed, ours, seeds), run(torch, theirs, seeds))
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize(("kind", "options"), CASES, ids=str)
def test_steps_in_double_precision(kind, options):
    seeds = range(1, 21)
    ours, theirs = (make(library, kind, options, np.float64) for library in (gleed, torch))
    close(run(gleed, ours, seeds, np.float64), run(torch, theirs, seeds, np.float64), 1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {"line_search_fn": "strong_wolfe"},
        {"line_search_fn": "strong_wolfe", "history_size": 2, "max_iter": 4, "lr": 0.3},
        {"lr": 0.02, "max_iter": 7},
        {"lr": 0.02, "history_size": 3, "max_eval": 3},
    ],
    ids=str,
)
def test_lbfgs(options):
    """The same way down a curved valley, step by step."""
    paths = []
    for library in (gleed, torch):
        x = library.tensor([-1.2, 1.0, 0.5], dtype=library.float64, requires_grad=True)
        y = library.tensor(0.3, dtype=library.float64, requires_grad=True)
        optimizer = library.optim.LBFGS([x, y], **options)

        def closure(x=x, y=y, optimizer=optimizer):
            optimizer.zero_grad()
            valley = 100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2
            loss = valley.sum() + (y - x[2]) ** 4
            loss.backward()
            return loss

        path = [float(optimizer.step(closure).detach()) for _ in range(8)]
        counts = [optimizer.state[x][name] for name in ("func_evals", "n_iter")]
        paths.append((path, counts, x.tolist(), y.item()))
    (path, counts, x, y), (path2, counts2, x2, y2) = paths
    assert counts == counts2
    np.testing.assert_allclose(path, path2, rtol=1e-6, atol=1e-12)  # of 50 at first
    np.testing.assert_allclose([*x, y], [*x2, y2], rtol=1e-6)


def translated(state, library):
    """A state dict with every tensor in the other library."""
    if isinstance(state, dict):
        return {key: translated(value, library) for key, value in state.items()}
    if isinstance(state, list):
        return [translated(value, library) for value in state]
    return library.tensor(state.numpy()) if hasattr(state, "numpy") else state


@pytest.mark.parametrize(("kind", "options"), CASES, ids=str)
def test_state_goes_both_ways(kind, options):
    ours, theirs = make(gleed, kind, options), make(torch, kind, options)
    run(gleed, ours, range(1, 6))
    run(torch, theirs, range(1, 6))
    a, b = ours.state_dict(), theirs.state_dict()
    assert a["param_groups"] == b["param_groups"]
    assert {k: list(v) for k, v in a["state"].items()} == {
        k: list(v) for k, v in b["state"].items()
    }
    for key, kept in b["state"].items():
        for name, value in kept.items():
            assert str(a["state"][key][name].dtype).split(".")[1] == str(value.dtype).split(".")[1]
            close([a["state"][key][name].numpy()], [value.numpy()])
    resumed, others = make(gleed, kind, options), make(torch, kind, options)
    resumed.load_state_dict(translated(b, gleed))
    others.load_state_dict(translated(a, torch))
    close(run(gleed, resumed, range(6, 9)), run(torch, others, range(6, 9)))


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in CASES}))
def test_signatures(kind):
    ours = inspect.signature(getattr(optim, kind)).parameters
    theirs = inspect.signature(getattr(torch.optim, kind)).parameters
    assert [(n, p.default, p.kind) for n, p in ours.items()] == [
        (n, p.default, p.kind) for n, p in theirs.items()
    ]


SCHEDULES = {
    "LambdaLR": lambda s, o: s.LambdaLR(o, lambda epoch: 0.95**epoch),
    "MultiplicativeLR": lambda s, o: s.MultiplicativeLR(o, lambda epoch: 0.9 + 0.01 * epoch),
    "StepLR": lambda s, o: s.StepLR(o, 4, 0.3),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [3, 3, 9], 0.3),
    "ConstantLR": lambda s, o: s.ConstantLR(o),
    "LinearLR": lambda s, o: s.LinearLR(o, 0.1, 0.7, 9),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.83),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, 11, 1.7),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 7, 0.001),
    "CosineAnnealingWarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, 2, 0.001),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, [0.5, 0.7], total_steps=40),
    "OneCycleLR linear": lambda s, o: s.OneCycleLR(
        o, 0.5, epochs=4, steps_per_epoch=10, anneal_strategy="linear", three_phase=True
    ),
    "SequentialLR": lambda s, o: s.SequentialLR(
        o,
        [s.LinearLR(o, 0.1, total_iters=5), s.CosineAnnealingLR(o, 8), s.ExponentialLR(o, 0.9)],
        [5, 20],
    ),
    "ChainedScheduler": lambda s, o: s.ChainedScheduler(
        [s.ConstantLR(o, 0.2, 5), s.ExponentialLR(o, 0.9), s.StepLR(o, 3, 0.5)]
    ),
}


def scheduled(library, make_schedule, steps, kind="SGD", jumps=()):
    """The learning rates and momenta of two groups, step by step, and the scheduler."""
    nn_ = torch.nn if library is torch else nn
    groups = [{"params": [nn_.Parameter(library.ones(1))], "lr": lr} for lr in (0.1, 0.4)]
    options = {"momentum": 0.9} if kind == "SGD" else {}
    optimizer = getattr(library.optim, kind)(groups, **options)
    scheduler = make_schedule(library.optim.lr_scheduler, optimizer)
    seen = []
    for i in range(steps):
        seen.append([[g["lr"], g.get("momentum"), g.get("betas")] for g in optimizer.param_groups])
        optimizer.step()
        scheduler.step(*([jumps[i]] if i < len(jumps) else []))
        assert scheduler.get_last_lr() == [g["lr"] for g in optimizer.param_groups]
    return seen, scheduler


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name, kind):
    ours, _ = scheduled(gleed, SCHEDULES[name], 38, kind)
    theirs, _ = scheduled(torch, SCHEDULES[name], 38, kind)
    assert ours == theirs


@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.parametrize(
    "name",
    [
        *("StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR"),
        *("CosineAnnealingLR", "CosineAnnealingWarmRestarts", "LambdaLR"),
    ],
)
def test_schedules_with_jumps(name):
    jumps = (3, 8, 8, 1, 0, 20)
    ours, _ = scheduled(gleed, SCHEDULES[name], 12, jumps=jumps)
    theirs, _ = scheduled(torch, SCHEDULES[name], 12, jumps=jumps)
    assert ours == theirs


@pytest.mark.filterwarnings("ignore:.*function objects")
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_go_on_from_the_other_state(name):
    _, ours = scheduled(gleed, SCHEDULES[name], 10)
    _, theirs = scheduled(torch, SCHEDULES[name], 17)
    ours.optimizer.load_state_dict(theirs.optimizer.state_dict())
    ours.load_state_dict(theirs.state_dict())
    for _ in range(10):
        for scheduler in (ours, theirs):
            scheduler.optimizer.step()
            scheduler.step()
        assert ours.get_last_lr() == theirs.get_last_lr()


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_plateau(mode, threshold_mode):
    rng = np.random.default_rng(1)
    measures = (5 + rng.normal(size=60)).tolist()
    rates = []
    for library in (gleed, torch):
        nn_ = torch.nn if library is torch else nn
        optimizer = library.optim.SGD([nn_.Parameter(library.ones(1))], lr=1.0)
        scheduler = library.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, mode, 0.5, 3, 0.01, threshold_mode, 2, 0.01
        )
        seen = []
        for measure in measures:
            scheduler.step(measure)
            seen.append((optimizer.param_groups[0]["lr"], scheduler.num_bad_epochs))
        rates.append(seen)
    assert rates[0] == rates[1]


def test_training_follows_the_same_curve():
    """The same seed, the same program, the same losses."""
    losses = []
    for library in (gleed, torch):
        nn_ = torch.nn if library is torch else nn
        library.manual_seed(1)
        x, y = library.randn(64, 10), library.randint(0, 3, (64,))
        net = nn_.Sequential(nn_.Linear(10, 32), nn_.ReLU(), nn_.Dropout(0.1), nn_.Linear(32, 3))
        optimizer = library.optim.AdamW(net.parameters(), lr=1e-2)
        scheduler = library.optim.lr_scheduler.CosineAnnealingLR(optimizer, 30)
        seen = []
        for _ in range(30):
            optimizer.zero_grad()
            loss = nn_.functional.cross_entropy(net(x), y)
            loss.backward()
            nn_.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            seen.append(loss.item())
        losses.append(seen)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
    assert losses[0][-1] < losses[0][0]
