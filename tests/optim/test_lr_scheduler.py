"""Schedules against their formulas, saving and resuming, composing, errors."""

import math

import pytest

import gleed
from gleed import nn, optim
from gleed.optim import lr_scheduler as schedules


def optimizer_with(*rates, kind=optim.SGD, **options):
    groups = [{"params": [nn.Parameter(gleed.ones(1))], "lr": lr} for lr in rates or (1.0,)]
    return kind(groups, **options)


def rates_of(make, steps, *rates):
    """The learning rates of the first group, before each step."""
    optimizer = optimizer_with(*rates)
    scheduler = make(optimizer)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        assert scheduler.get_last_lr() == [group["lr"] for group in optimizer.param_groups]
        optimizer.step()
        scheduler.step()
    return seen


CASES = {
    "lambda": (
        lambda o: schedules.LambdaLR(o, lambda epoch: 1 / (epoch + 1)),
        lambda t: 1 / (t + 1),
    ),
    "multiplicative": (
        lambda o: schedules.MultiplicativeLR(o, lambda epoch: 0.5),
        lambda t: 0.5**t,
    ),
    "step": (lambda o: schedules.StepLR(o, 3, 0.5), lambda t: 0.5 ** (t // 3)),
    "multistep": (
        lambda o: schedules.MultiStepLR(o, [2, 5, 5], 0.5),
        lambda t: 1.0 if t < 2 else 0.5 if t < 5 else 0.125,
    ),
    "constant": (
        lambda o: schedules.ConstantLR(o, 0.25, 4),
        lambda t: 0.25 if t < 4 else 1.0,
    ),
    "linear": (
        lambda o: schedules.LinearLR(o, 0.25, 0.75, 4),
        lambda t: 0.25 + 0.5 * min(t, 4) / 4,
    ),
    "exponential": (lambda o: schedules.ExponentialLR(o, 0.9), lambda t: 0.9**t),
    "polynomial": (
        lambda o: schedules.PolynomialLR(o, 6, 2.0),
        lambda t: (1 - min(t, 6) / 6) ** 2,
    ),
    "cosine": (
        lambda o: schedules.CosineAnnealingLR(o, 5, 0.1),
        lambda t: 0.1 + 0.9 * (1 + math.cos(math.pi * t / 5)) / 2,
    ),
    "restarts": (
        lambda o: schedules.CosineAnnealingWarmRestarts(o, 4),
        lambda t: (1 + math.cos(math.pi * (t % 4) / 4)) / 2,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_values(name):
    make, formula = CASES[name]
    assert rates_of(make, 12) == pytest.approx([formula(t) for t in range(12)], abs=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_every_group_follows(name):
    make, formula = CASES[name]
    optimizer = optimizer_with(1.0, 4.0)
    scheduler = make(optimizer)
    for _ in range(3):
        optimizer.step()
        scheduler.step()
    low = 0.1 if name == "cosine" else 0.0
    expected = [low + (base - low) * (formula(3) - low) / (1 - low) for base in (1.0, 4.0)]
    assert scheduler.get_last_lr() == pytest.approx(expected)


@pytest.mark.parametrize("name", CASES)
def test_resuming(name):
    make, _ = CASES[name]
    whole = rates_of(make, 9)
    optimizer = optimizer_with()
    scheduler = make(optimizer)
    for _ in range(4):
        optimizer.step()
        scheduler.step()
    resumed = optimizer_with()
    following = make(resumed)
    resumed.load_state_dict(optimizer.state_dict())
    following.load_state_dict(scheduler.state_dict())
    seen = []
    for _ in range(5):
        seen.append(resumed.param_groups[0]["lr"])
        resumed.step()
        following.step()
    assert seen == whole[4:]


@pytest.mark.parametrize("name", ["step", "multistep", "linear", "exponential", "cosine"])
def test_jumping(name):
    make, formula = CASES[name]
    optimizer = optimizer_with()
    scheduler = make(optimizer)
    optimizer.step()
    scheduler.step(7)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(formula(7))
    assert scheduler.last_epoch == 7


def test_resuming_by_last_epoch():
    optimizer = optimizer_with()
    with pytest.raises(KeyError, match=r"every group needs .initial_lr.; group 0 has none"):
        schedules.StepLR(optimizer, 2, last_epoch=3)
    optimizer.param_groups[0]["initial_lr"] = 1.0
    scheduler = schedules.CosineAnnealingLR(optimizer, 8, last_epoch=3)
    assert scheduler.get_last_lr() == pytest.approx([0.5])


def test_restarts_grow_and_take_fractions():
    make = lambda o: schedules.CosineAnnealingWarmRestarts(o, 2, T_mult=2)  # noqa: E731
    seen = rates_of(make, 15)
    periods = [(0, 2)] * 2 + [(2, 4)] * 4 + [(6, 8)] * 8 + [(14, 16)]
    expected = [
        (1 + math.cos(math.pi * (t - start) / length)) / 2
        for t, (start, length) in enumerate(periods)
    ]
    assert seen == pytest.approx(expected)
    optimizer = optimizer_with()
    scheduler = make(optimizer)
    optimizer.step()
    scheduler.step(3.5)
    assert scheduler.get_last_lr() == pytest.approx([(1 + math.cos(math.pi * 1.5 / 4)) / 2])
    scheduler.step(1.25)
    assert scheduler.get_last_lr() == pytest.approx([(1 + math.cos(math.pi * 1.25 / 2)) / 2])


def test_one_cycle():
    optimizer = optimizer_with(momentum=0.9)
    scheduler = schedules.OneCycleLR(optimizer, max_lr=1.0, epochs=2, steps_per_epoch=5)
    rates, momenta = [], []
    for _ in range(10):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        if len(rates) < 10:
            scheduler.step()
    assert rates[0] == pytest.approx(1 / 25) and momenta[0] == pytest.approx(0.95)
    assert max(rates) == rates[2] == pytest.approx(1.0) and momenta[2] == pytest.approx(0.85)
    assert rates[9] == pytest.approx(1 / 25 / 1e4) and momenta[9] == pytest.approx(0.95)
    assert rates[1] == pytest.approx((1 + 1 / 25) / 2)
    scheduler.step()
    with pytest.raises(ValueError) as caught:
        scheduler.step()
    assert str(caught.value) == (
        "OneCycleLR: the cycle has 10 steps; got step 12; "
        "pass the number of batches of the whole training as total_steps"
    )


def test_one_cycle_in_three_phases_with_adam():
    optimizer = optimizer_with(kind=optim.Adam)
    scheduler = schedules.OneCycleLR(
        optimizer, 1.0, total_steps=10, anneal_strategy="linear", three_phase=True, pct_start=0.4
    )
    rates = []
    for _ in range(9):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates[3] == pytest.approx(1.0) and rates[6] == pytest.approx(1 / 25)
    assert optimizer.param_groups[0]["betas"] == pytest.approx((0.95, 0.999))


def test_plateau():
    optimizer = optimizer_with(1.0, 0.1)
    scheduler = schedules.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=1, cooldown=1, min_lr=[0.3, 0.04]
    )
    seen = []
    for loss in [5.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 1.0]:
        optimizer.step()
        scheduler.step(gleed.tensor(loss))
        seen.append(scheduler.get_last_lr()[0])
    assert seen == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3]
    assert optimizer.param_groups[1]["lr"] == 0.04
    assert scheduler.best == 1.0


@pytest.mark.parametrize(
    ("options", "better", "worse"),
    [
        ({"mode": "max", "threshold": 0.1}, 11.2, 10.9),
        ({"mode": "max", "threshold": 0.1, "threshold_mode": "abs"}, 10.2, 10.05),
        ({"mode": "min", "threshold": 0.1}, 8.9, 9.1),
        ({"mode": "min", "threshold": 0.1, "threshold_mode": "abs"}, 9.8, 9.95),
    ],
)
def test_plateau_thresholds(options, better, worse):
    for value, bad in ((better, 0), (worse, 1)):
        scheduler = schedules.ReduceLROnPlateau(optimizer_with(), **options)
        scheduler.step(10.0)
        scheduler.step(value)
        assert scheduler.num_bad_epochs == bad


def test_plateau_state():
    scheduler = schedules.ReduceLROnPlateau(optimizer_with())
    scheduler.step(3.0)
    other = schedules.ReduceLROnPlateau(optimizer_with())
    other.load_state_dict(scheduler.state_dict())
    assert other.best == 3.0 and other.last_epoch == 1


def test_one_schedule_after_the_other():
    def make(optimizer):
        warm = schedules.LinearLR(optimizer, 0.1, total_iters=4)
        decay = schedules.ExponentialLR(optimizer, 0.5)
        return schedules.SequentialLR(optimizer, [warm, decay], [4])

    seen = rates_of(make, 8)
    assert seen == pytest.approx([0.1, 0.325, 0.55, 0.775, 1.0, 0.5, 0.25, 0.125])


def test_composed_schedules_are_saved_with_their_parts():
    def make(optimizer):
        parts = [schedules.ConstantLR(optimizer, 0.5, 2), schedules.StepLR(optimizer, 1, 0.5)]
        return schedules.SequentialLR(optimizer, parts, [3])

    whole = rates_of(make, 8)
    optimizer = optimizer_with()
    scheduler = make(optimizer)
    for _ in range(4):
        optimizer.step()
        scheduler.step()
    resumed = optimizer_with()
    other = make(resumed)
    resumed.load_state_dict(optimizer.state_dict())
    other.load_state_dict(scheduler.state_dict())
    resumed.step()
    other.step()
    assert resumed.param_groups[0]["lr"] == whole[5]


def test_schedules_at_once():
    def make(optimizer):
        parts = [schedules.ConstantLR(optimizer, 0.1, 2), schedules.ExponentialLR(optimizer, 0.9)]
        return schedules.ChainedScheduler(parts)

    expected = [0.1, 0.09, 0.81, 0.729, 0.6561]
    assert rates_of(make, 5) == pytest.approx(expected)


def test_function_that_is_an_object_is_saved():
    class Warm:
        def __init__(self, steps):
            self.steps = steps

        def __call__(self, epoch):
            return min(1.0, (epoch + 1) / self.steps)

    optimizer = optimizer_with(1.0, 1.0)
    scheduler = schedules.LambdaLR(optimizer, [Warm(4), lambda epoch: 1.0])
    state = scheduler.state_dict()
    assert state["lr_lambdas"] == [{"steps": 4}, None]
    other = schedules.LambdaLR(optimizer_with(1.0, 1.0), [Warm(9), lambda epoch: 1.0])
    other.load_state_dict(state)
    assert other.lr_lambdas[0].steps == 4 and callable(other.lr_lambdas[1])
    assert state["lr_lambdas"] == [{"steps": 4}, None]


def test_learning_rate_that_is_a_tensor_keeps_its_identity():
    rate = gleed.tensor(1.0)
    optimizer = optimizer_with(rate)
    scheduler = schedules.StepLR(optimizer, 1, 0.5)
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] is rate and float(rate) == 0.5
    assert float(scheduler.base_lrs[0]) == 1.0


def test_first_value_must_be_used():
    optimizer = optimizer_with()
    scheduler = schedules.StepLR(optimizer, 2)
    with pytest.warns(UserWarning, match=r"optimizer\.step\(\) must be called before"):
        scheduler.step()
    scheduler.step()


@pytest.mark.parametrize(
    ("act", "error", "text"),
    [
        (
            lambda o: schedules.StepLR(3, 1),
            TypeError,
            "StepLR: the first argument is the optimizer; got int; "
            "make it first, as in optim.SGD(model.parameters(), lr=0.1)",
        ),
        (
            lambda o: schedules.StepLR(o, 0),
            ValueError,
            "StepLR: step_size is a number of steps, from 1; got 0; "
            "to keep the learning rate, use no scheduler",
        ),
        (
            lambda o: schedules.LambdaLR(o, 0.5),
            TypeError,
            "LambdaLR: lr_lambda is a function of the epoch; got 0.5; "
            "write lambda epoch: 0.95**epoch",
        ),
        (
            lambda o: schedules.LambdaLR(o, [abs, abs]),
            ValueError,
            "LambdaLR: lr_lambda is one value, or one for each group; got 2 for 1 groups; "
            "pass a single value for all",
        ),
        (
            lambda o: schedules.ConstantLR(o, 2.0),
            ValueError,
            "ConstantLR: factor is a factor from 0 to 1; got 2.0; "
            "set the optimizer's lr to the largest value of the schedule",
        ),
        (
            lambda o: schedules.LinearLR(o, 0.0),
            ValueError,
            "LinearLR: start_factor is above 0, up to 1; got 0.0; use a small number such as 1e-3",
        ),
        (
            lambda o: schedules.CosineAnnealingWarmRestarts(o, 0),
            ValueError,
            "CosineAnnealingWarmRestarts: T_0 is an integer from 1; got 0; "
            "T_0 counts steps, T_mult=1 keeps all periods alike",
        ),
        (
            lambda o: o.step() or schedules.CosineAnnealingWarmRestarts(o, 3).step(-1),
            ValueError,
            "CosineAnnealingWarmRestarts: an epoch is a number from 0; got -1; "
            "step() without an argument moves on by one",
        ),
        (
            lambda o: schedules.OneCycleLR(o, 1.0, epochs=3),
            ValueError,
            "OneCycleLR: the length of the cycle must be known; got epochs=3 and "
            "steps_per_epoch=None; pass total_steps, or both of these",
        ),
        (
            lambda o: schedules.OneCycleLR(o, 1.0, total_steps=-3),
            ValueError,
            "OneCycleLR: the cycle takes a positive integer number of steps; got -3; "
            "pass epochs * len(loader) as total_steps",
        ),
        (
            lambda o: schedules.OneCycleLR(o, 1.0, 10, pct_start=2),
            ValueError,
            "OneCycleLR: pct_start is a share of the steps, from 0 to 1; got 2; 0.3 is usual",
        ),
        (
            lambda o: schedules.OneCycleLR(o, 1.0, 10, anneal_strategy="sin"),
            ValueError,
            'OneCycleLR: anneal_strategy is "cos" or "linear"; got \'sin\'; "cos" is usual',
        ),
        (
            lambda o: schedules.OneCycleLR(optim.Optimizer(o.param_groups, {}), 1.0, 10),
            ValueError,
            "OneCycleLR: cycle_momentum needs an optimizer with momentum or betas; "
            "Optimizer has neither; pass cycle_momentum=False",
        ),
        (
            lambda o: schedules.ReduceLROnPlateau(o, factor=1.5),
            ValueError,
            "ReduceLROnPlateau: factor is below 1; got 1.5; 0.1 is usual",
        ),
        (
            lambda o: schedules.ReduceLROnPlateau(o, mode="down"),
            ValueError,
            "ReduceLROnPlateau: mode is 'min' or 'max'; got 'down'; 'min' suits a loss",
        ),
        (
            lambda o: schedules.SequentialLR(o, [], []),
            ValueError,
            "SequentialLR: needs at least one scheduler; got none; pass a list of schedulers",
        ),
        (
            lambda o: schedules.SequentialLR(o, [schedules.StepLR(o, 1)], [3]),
            ValueError,
            "SequentialLR: between two schedulers there is one milestone; "
            "got 1 milestones for 1 schedulers; pass 0",
        ),
        (
            lambda o: schedules.ChainedScheduler([o]),
            TypeError,
            "ChainedScheduler: takes schedulers; number 0 is SGD; make each with the optimizer "
            "first",
        ),
        (
            lambda o: schedules.ChainedScheduler([schedules.ReduceLROnPlateau(o)]),
            ValueError,
            "ChainedScheduler: ReduceLROnPlateau needs a measure at every step and cannot be "
            "composed; number 0 is one; call its step(loss) yourself",
        ),
        (
            lambda o: schedules.ChainedScheduler([schedules.StepLR(o, 1)], optimizer_with()),
            ValueError,
            "ChainedScheduler: all schedulers must be of the same optimizer; number 0, StepLR, has "
            "another; make it with this optimizer",
        ),
        (
            lambda o: schedules.LRScheduler(o),
            NotImplementedError,
            "LRScheduler: a scheduler must define get_lr; it has none; "
            "define get_lr(self), which returns a list with a learning rate for each group",
        ),
    ],
)
def test_errors(act, error, text):
    with pytest.raises(error) as caught:
        act(optimizer_with())
    assert str(caught.value) == text
