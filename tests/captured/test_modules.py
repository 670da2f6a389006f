"""What training is made of, captured: modules, optimizers, modes, functions of one's own."""

from __future__ import annotations

import copy
import pickle
from collections import namedtuple
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest

import gleed
from gleed import nn

F = nn.functional


def equal(a: Any, b: Any) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and bool((a == b).all())


def programs(compiled: Any) -> int:
    return int(compiled.report().partition(": ")[2].partition(" ")[0])


def network() -> nn.Module:
    gleed.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3))


def batches(count: int = 5) -> Any:
    gleed.manual_seed(1)
    return [(gleed.randn(6, 4), gleed.randint(0, 3, (6,))) for _ in range(count)]


def same_training(make: Any, most: int = 1) -> None:
    """Two runs of `make(model)`, one captured, give the same losses and the same parameters."""
    plain, captured = network(), network()
    step, compiled = make(plain), make(captured)
    compiled = gleed.compile(compiled, fullgraph=True)
    for x, y in batches():
        expected = step(x, y)
        assert equal(compiled(x, y), expected)
        assert all(map(equal, captured.state_dict().values(), plain.state_dict().values()))
    assert 1 <= programs(compiled) <= most, compiled.report()


# ---- training steps
def test_a_step_of_adam_is_one_program() -> None:
    def make(model: nn.Module) -> Any:
        optimizer = gleed.optim.Adam(model.parameters(), lr=0.01)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss.detach()

        return step

    same_training(make)


def test_a_moving_average_of_parameters() -> None:
    def make(model: nn.Module) -> Any:
        optimizer = gleed.optim.SGD(model.parameters(), lr=0.1)
        average = copy.deepcopy(model).requires_grad_(False)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad(set_to_none=False)
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            with gleed.no_grad():
                for mean, now in zip(average.parameters(), model.parameters(), strict=True):
                    mean.mul_(0.9).add_(now, alpha=0.1)
            return average(x).sum()

        return step

    same_training(make, most=2)


def test_schedulers_outside() -> None:
    def make(model: nn.Module) -> Any:
        optimizer = gleed.optim.AdamW(model.parameters(), lr=0.01)
        schedule = gleed.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=20)

        def inner(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss.detach()

        return inner, schedule

    plain, captured = network(), network()
    (step, first), (function, second) = make(plain), make(captured)
    compiled = gleed.compile(function, fullgraph=True)
    for x, y in batches(8):
        assert equal(compiled(x, y), step(x, y))
        first.step(), second.step()
    assert all(map(equal, captured.parameters(), plain.parameters()))


def test_gradients_that_are_scaled() -> None:
    plain, captured = network(), network()

    def make(model: nn.Module) -> Any:
        def step(x: Any, y: Any, scale: float) -> Any:
            loss = F.cross_entropy(model(x), y)
            (loss * scale).backward()
            return loss.detach()

        return step

    step, compiled = make(plain), gleed.compile(make(captured), fullgraph=True)
    scalers = [gleed.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2) for _ in range(2)]
    optimizers = [gleed.optim.SGD(m.parameters(), lr=0.1) for m in (plain, captured)]
    for x, y in batches(6):
        for run, scaler, optimizer in zip((step, compiled), scalers, optimizers, strict=True):
            optimizer.zero_grad()
            run(x, y, scaler.get_scale())
            scaler.step(optimizer)
            scaler.update()
        assert all(map(equal, captured.parameters(), plain.parameters()))
    assert programs(compiled) <= 2


def test_a_scaler_inside_runs_as_eagerly() -> None:
    def make(model: nn.Module) -> Any:
        scaler = gleed.amp.GradScaler("cpu", init_scale=4.0)
        optimizer = gleed.optim.SGD(model.parameters(), lr=0.1)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            return loss.detach()

        return step

    plain, captured = network(), network()
    step, compiled = make(plain), gleed.compile(make(captured))
    with pytest.warns(UserWarning, match="it runs uncaptured"):
        for x, y in batches():
            assert equal(compiled(x, y), step(x, y))
    assert all(map(equal, captured.parameters(), plain.parameters()))


# ---- modes
@pytest.mark.parametrize("mode", [gleed.no_grad, gleed.inference_mode, gleed.enable_grad])
def test_modes_inside_and_outside(mode: Any) -> None:
    model = network()

    @gleed.compile(fullgraph=True)
    def inside(x: Any) -> Any:
        with mode():
            y = model(x)
        return y * 2

    outside = gleed.compile(lambda x: model(x) * 2, fullgraph=True)
    x = gleed.randn(2, 4)
    for _ in range(3):
        with mode():
            expected, found = model(x) * 2, outside(x)
        assert equal(found, expected) and found.requires_grad == expected.requires_grad
        assert found.is_inference() == expected.is_inference()
        assert inside(x).requires_grad == (mode is gleed.enable_grad)


def test_autocast_inside_and_outside() -> None:
    model = network()

    @gleed.compile(fullgraph=True)
    def inside(x: Any) -> Any:
        with gleed.autocast("cpu", dtype=gleed.bfloat16):
            return model(x)

    outside = gleed.compile(model, fullgraph=True)
    x = gleed.randn(2, 4)
    for _ in range(3):
        with gleed.autocast("cpu", dtype=gleed.bfloat16):
            expected = model(x)
            assert equal(outside(x), expected)
        assert equal(inside(x), expected)
        assert equal(outside(x), model(x))


class Doubled(gleed.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any, factor: float) -> Any:
        ctx.save_for_backward(x)
        ctx.factor = factor
        return x.exp() * factor

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        return g * x.cos() * ctx.factor, None


def test_functions_of_ones_own() -> None:
    compiled = gleed.compile(lambda x, a: Doubled.apply(x, a).sum() * x.shape[0], fullgraph=True)
    for n, a in ((2, 0.5), (3, 0.7), (4, 0.9), (5, 0.5)):
        x = gleed.randn(n, requires_grad=True)
        expected = Doubled.apply(x, a).sum() * n
        found = compiled(x, a)
        assert equal(found, expected)
        grads = [gleed.autograd.grad(y, x)[0] for y in (found, expected)]
        assert equal(*grads)


def test_functional_calls() -> None:
    model = network()
    weights = {name: p.detach() + 1 for name, p in model.named_parameters()}
    compiled = gleed.compile(
        lambda w, x: gleed.func.functional_call(model, w, (x,)), fullgraph=True
    )
    for n in (2, 3, 4):
        given = {name: w * n for name, w in weights.items()}
        x = gleed.randn(n, 4)
        assert equal(compiled(given, x), gleed.func.functional_call(model, given, (x,)))
    assert programs(compiled) == 2


# ---- arguments and results
Pair = namedtuple("Pair", ["left", "right"])


class Typed(NamedTuple):
    x: Any
    scale: float


@dataclass
class State:
    hidden: Any
    steps: list[Any] = field(default_factory=list)
    name: str = "state"


def test_named_tuples_and_dataclasses() -> None:
    @gleed.compile(fullgraph=True)
    def run(pair: Any, typed: Any, state: State) -> Any:
        left = pair.left * typed.scale + typed.x
        new = State(state.hidden + left, [*state.steps, left], state.name)
        return Pair(left, {"r": (pair.right, None)}), new, [Typed(left * 2, typed.scale)]

    for i in range(4):
        x = gleed.full((2,), float(i))
        pair, state, (typed,) = run(Pair(x, x + 1), Typed(x, 0.5), State(x, [x]))
        assert isinstance(pair, Pair) and isinstance(typed, Typed) and isinstance(state, State)
        assert equal(pair.left, x * 1.5) and equal(pair.right["r"][0], x + 1)
        assert typed.scale == 0.5 and equal(state.hidden, x * 2.5) and len(state.steps) == 2
        assert state.name == "state"
    assert programs(run) == 1


def test_views_of_inputs_that_are_written() -> None:
    def write(x: Any) -> Any:
        x.mul_(2)
        return x[0], x.t()

    compiled = gleed.compile(write)
    for _ in range(3):
        x, y = gleed.ones(2, 3), gleed.ones(2, 3)
        row, turned = compiled(x)
        write(y)
        assert equal(x, y) and equal(row, y[0]) and equal(turned, y.t())
        x.add_(1)
        assert row.tolist() == [3.0] * 3 and turned.tolist() == [[3.0] * 2] * 3


# ---- compile as a method, a decorator, a mark
def test_a_module_that_compiles_itself() -> None:
    model, plain = network(), network()
    model.compile(fullgraph=True)
    for n in (2, 3, 4, 3):
        x = gleed.randn(n, 4)
        assert equal(model(x), plain(x))
    assert programs(model.forward) == 2 and list(model.state_dict()) == list(plain.state_dict())
    twin = copy.deepcopy(model)
    with gleed.no_grad():
        twin[0].weight.add_(1.0)
    assert not equal(twin(gleed.ones(2, 4)), model(gleed.ones(2, 4)))
    assert equal(model(gleed.ones(2, 4)), plain(gleed.ones(2, 4)))
    again = pickle.loads(pickle.dumps(model))
    assert equal(again(gleed.ones(2, 4)), plain(gleed.ones(2, 4)))


def test_hooks_outside_and_inside() -> None:
    model, calls = network(), []
    model.compile()
    model.register_forward_hook(lambda module, args, result: calls.append(1) or result * 2)
    plain = network()
    for _ in range(3):
        x = gleed.randn(2, 4)
        assert equal(model(x), plain(x) * 2)
    assert len(calls) == 3


def test_is_compiling() -> None:
    assert not gleed.compiler.is_compiling()
    seen = []

    @gleed.compile
    def look(x: Any) -> Any:
        return x * 2 if gleed.compiler.is_compiling() else x * 3

    for _ in range(2):
        seen.append(look(gleed.ones(1)).item())
    assert seen == [2.0, 2.0] and not gleed.compiler.is_compiling()


def test_disabled_functions() -> None:
    lines: list[float] = []

    @gleed.compiler.disable(reason="it prints")
    def log(x: Any) -> None:
        lines.append(x.sum().item())

    assert log.__name__ == "log"

    def double(x: Any) -> Any:
        log(x)
        return x * 2

    compiled = gleed.compile(double)
    with pytest.warns(UserWarning, match=r"log is called \(it prints\).*runs uncaptured"):
        assert [compiled(gleed.full((1,), float(i))).item() for i in range(3)] == [0, 2, 4]
    assert lines == [0, 1, 2]
    with pytest.raises(gleed.errors.TraceError, match=r"marked by compiler\.disable"):
        gleed.compile(double, fullgraph=True)(gleed.ones(1))


def test_a_program_is_for_tensors_that_require_gradients_or_for_such_that_do_not() -> None:
    compiled = gleed.compile(lambda x: x * 3)
    for _ in range(3):
        compiled(gleed.ones(2))
    x = gleed.ones(2, requires_grad=True)
    compiled(x).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    assert not compiled(gleed.ones(2)).requires_grad
    with gleed.no_grad():
        assert not compiled(x).requires_grad


def test_parameters_are_frozen_between_steps() -> None:
    found = []
    for captured in (False, True):
        gleed.manual_seed(0)
        net = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
        optimizer = gleed.optim.SGD(net.parameters(), lr=0.1)

        def step(x: Any, net: Any = net, optimizer: Any = optimizer) -> None:
            optimizer.zero_grad()
            net(x).square().mean().backward()
            optimizer.step()

        run = gleed.compile(step, fullgraph=True) if captured else step
        for i in range(6):
            net[0].weight.requires_grad_(i not in (3, 4))
            run(gleed.ones(4, 3))
        found.append([p.detach().numpy().tobytes() for p in net.parameters()])
    assert found[0] == found[1]
