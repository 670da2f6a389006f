"""`GradScaler`: scaled losses, skipped steps, a scale that adapts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import gleed
from gleed.amp import GradScaler
from gleed.errors import ArgumentError, RangeError


def trained(**options: Any) -> tuple[Any, Any, GradScaler]:
    weight = gleed.tensor([2.0, -1.0], requires_grad=True)
    return weight, gleed.optim.SGD([weight], 0.5), GradScaler("cpu", **options)


def test_a_step_is_as_without() -> None:
    weight, optimizer, scaler = trained(init_scale=1024.0)
    scaler.scale((weight * weight).sum()).backward()
    assert weight.grad.tolist() == [4096.0, -2048.0]
    scaler.step(optimizer)
    scaler.update()
    assert weight.tolist() == [0.0, 0.0]
    assert scaler.get_scale() == 1024.0


@pytest.mark.parametrize("bad", [float("inf"), float("nan"), 1.0])
def test_one_gradient_of_many_decides(bad: float) -> None:
    weights = [gleed.zeros(n, 3, requires_grad=True) for n in range(80)]
    optimizer, scaler = gleed.optim.SGD(weights, 1.0), GradScaler("cpu", init_scale=4.0)
    for n, weight in enumerate(weights):
        weight.grad = gleed.full((n, 3), 8.0)
    weights[50].grad[7, 2] *= bad
    scaler.step(optimizer)
    scaler.update()
    stepped = bad == 1.0
    assert scaler.get_scale() == (4.0 if stepped else 2.0)
    for weight in weights:
        assert (weight == (-2.0 if stepped else 0.0)).all()
        assert weight is weights[50] or (weight.grad == 2.0).all()


@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
def test_overflow_skips_the_step_and_lowers_the_scale(bad: float) -> None:
    weight, optimizer, scaler = trained(init_scale=8.0, backoff_factor=0.25)
    scaler.scale((weight * gleed.tensor([bad, 1.0])).sum()).backward()
    assert scaler.step(optimizer) is None
    scaler.update()
    assert weight.tolist() == [2.0, -1.0]
    assert scaler.get_scale() == 2.0


def test_good_steps_raise_the_scale() -> None:
    weight, optimizer, scaler = trained(init_scale=8.0, growth_interval=2, growth_factor=4.0)
    scales = []
    for _ in range(4):
        optimizer.zero_grad()
        scaler.scale(weight.sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
    assert scales == [8.0, 32.0, 32.0, 128.0]


def test_unscaling_before_clipping() -> None:
    weight, optimizer, scaler = trained(init_scale=16.0)
    losses = scaler.scale([weight.sum(), weight.sum()])
    (losses[0] + losses[1]).backward()
    scaler.unscale_(optimizer)
    assert weight.grad.tolist() == [2.0, 2.0]
    scaler.step(optimizer)
    assert weight.tolist() == [1.0, -2.0]


def test_state() -> None:
    _, _, scaler = trained(init_scale=4.0, growth_interval=7)
    other = GradScaler("cpu")
    other.load_state_dict(scaler.state_dict())
    assert other.state_dict() == scaler.state_dict()
    assert other.get_growth_interval() == 7
    assert GradScaler("cpu", enabled=False).state_dict() == {}


def test_not_enabled() -> None:
    weight, optimizer, _ = trained()
    scaler = GradScaler("cpu", enabled=False)
    loss = weight.sum()
    assert scaler.scale(loss) is loss
    loss.backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert weight.tolist() == [1.5, -1.5]
    assert scaler.get_scale() == 1.0
    with pytest.warns(UserWarning, match=r"^GradScaler: there is no GPU that gleed can use"):
        assert not gleed.cuda.amp.GradScaler().is_enabled()


def twice(method: str) -> Callable[[], Any]:
    weight, optimizer, scaler = trained()
    scaler.scale(weight.sum()).backward()
    getattr(scaler, method)(optimizer)
    return lambda: getattr(scaler, method)(optimizer)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: GradScaler("cpu", growth_factor=0.5),
            RangeError,
            "GradScaler: growth_factor must be above 1 and backoff_factor in 0 … 1; got 0.5 and "
            "0.5; use 2.0 and 0.5",
        ),
        (
            twice("unscale_"),
            ArgumentError,
            "unscale_: gradients are unscaled once for each step; it came again for the same "
            "optimizer; call update() first",
        ),
        (
            twice("step"),
            ArgumentError,
            "step: an optimizer steps once for each update(); it came again; call update() first",
        ),
        (
            lambda: GradScaler("cpu").update(),
            ArgumentError,
            "update: it adapts the scale to steps; none came since the last one; call "
            "step(optimizer) before",
        ),
        (
            lambda: GradScaler("cpu").step(None, closure=print),
            ArgumentError,
            "step: a closure cannot be scaled; it came as an argument; compute the loss before",
        ),
        (
            lambda: GradScaler("cpu").load_state_dict({}),
            ArgumentError,
            "load_state_dict: the state of an enabled scaler is needed; an empty one came; save "
            "it from a scaler that is enabled",
        ),
    ],
)
def test_message(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == text
