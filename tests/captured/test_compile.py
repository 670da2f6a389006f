"""`gleed.compile`: training steps, guards, what is not captured, modules."""

from __future__ import annotations

import copy
import warnings
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import pytest

import gleed
from gleed import nn
from gleed.errors import ArgumentError, TraceError

F = nn.functional


def equal(a: Any, b: Any) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and bool((a == b).all())


def programs(compiled: Any) -> int:
    return int(compiled.report().partition(": ")[2].partition(" ")[0])


# ---- training steps
def classifier() -> nn.Module:
    return nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3)
    )


OPTIMIZERS = {
    "SGD": lambda p: gleed.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "Adam": lambda p: gleed.optim.Adam(p, lr=0.01, amsgrad=True),
    "AdamW": lambda p: gleed.optim.AdamW(p, lr=0.01),
    "RMSprop": lambda p: gleed.optim.RMSprop(p, lr=0.01),
    "Adagrad": lambda p: gleed.optim.Adagrad(p, lr=0.01),
    "NAdam": lambda p: gleed.optim.NAdam(p, lr=0.01),
    "RAdam": lambda p: gleed.optim.RAdam(p, lr=0.01),
}


class Training:
    """A model with an optimizer and its data, the same for the same seed."""

    def __init__(self, optimizer: str = "SGD") -> None:
        gleed.manual_seed(0)
        self.model = classifier()
        self.optimizer = OPTIMIZERS[optimizer](self.model.parameters())
        self.x, self.y = gleed.randn(5, 6), gleed.randint(0, 3, (5,))

    def step(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss.detach()

    @property
    def state(self) -> list[Any]:
        grads = [p.grad for p in self.model.parameters()]
        return [*self.model.state_dict().values(), *grads]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_step(optimizer: str) -> None:
    plain, captured = Training(optimizer), Training(optimizer)
    step = gleed.compile(captured.step, fullgraph=True)
    for i in range(5):
        gleed.manual_seed(i)
        expected = plain.step(plain.x, plain.y)
        gleed.manual_seed(i)
        assert equal(step(captured.x, captured.y), expected)
        assert all(map(equal, captured.state, plain.state))
    assert programs(step) == 1  # the first call only makes the optimizer's state


@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "RAdam"])
def test_a_schedule_compiles_nothing_again(optimizer: str) -> None:
    plain, captured = Training(optimizer), Training(optimizer)
    schedules = [
        gleed.optim.lr_scheduler.ExponentialLR(t.optimizer, 0.9) for t in (plain, captured)
    ]
    step = gleed.compile(captured.step, fullgraph=True)
    for i in range(8):
        gleed.manual_seed(i)
        expected = plain.step(plain.x, plain.y)
        gleed.manual_seed(i)
        assert equal(step(captured.x, captured.y), expected)
        assert all(map(equal, captured.state, plain.state))
        for schedule in schedules:
            schedule.step()
    assert programs(step) == 1


def test_a_learning_rate_that_the_function_looks_at() -> None:
    optimizer = gleed.optim.SGD([nn.Parameter(gleed.ones(1))], lr=0.5)

    @gleed.compile(fullgraph=True)
    def scaled(x: Any) -> Any:
        return x * 2 if optimizer.param_groups[0]["lr"] > 0.1 else x

    for rate in (0.5, 0.5, 0.05, 0.05, 0.5):
        optimizer.param_groups[0]["lr"] = rate
        assert scaled(gleed.ones(1)).item() == (2.0 if rate > 0.1 else 1.0)


def test_gradients_that_add_up() -> None:
    weight = nn.Parameter(gleed.tensor([1.0, 2.0]))

    @gleed.compile(fullgraph=True)
    def add(x: Any) -> None:
        (weight * x).sum().backward()

    for i in range(1, 5):
        add(gleed.tensor([1.0, 3.0]))
        assert weight.grad.tolist() == [i, 3.0 * i]
    assert programs(add) == 2  # one for no gradient, one for one to add to
    weight.grad = None
    add(gleed.tensor([1.0, 3.0]))
    assert weight.grad.tolist() == [1.0, 3.0]


def test_gradients_go_on_outside() -> None:
    gleed.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 2))
    compiled = gleed.compile(model, fullgraph=True)
    for _ in range(3):
        found = []
        for run in (model, compiled):
            x = gleed.ones(3, 4, requires_grad=True)
            model.zero_grad()
            run(x).square().sum().backward()
            found.append([x.grad, *(p.grad for p in model.parameters())])
        assert all(map(equal, *found))


def test_arguments_that_depend_on_one_another() -> None:
    """How they do is not the program's: their history is gone through once."""
    compiled = gleed.compile(lambda a, b: (a * b).sum())
    for _ in range(3):
        a = gleed.randn(3, requires_grad=True)
        b = a * 3
        (found,) = gleed.autograd.grad(compiled(a, b), a)
        assert gleed.equal(found, 6 * a.detach())


def test_second_derivatives_through_what_is_kept() -> None:
    """Gradients of values that the backward is given."""
    x = gleed.randn(4, 3, dtype=gleed.float64, requires_grad=True)
    w = gleed.randn(3, dtype=gleed.float64, requires_grad=True)
    compiled = gleed.compile(lambda x, w: (x * w).sin().sum(1, keepdim=True) * x.exp())
    for _ in range(2):
        assert gleed.autograd.gradgradcheck(compiled, (x, w))


def test_second_derivatives() -> None:
    compiled = gleed.compile(lambda x: ((x.sin() * x).sum(), (x @ x).exp()), fullgraph=True)
    x = gleed.randn(3, 3, dtype=gleed.float64, requires_grad=True)
    compiled(x)
    assert gleed.autograd.gradcheck(compiled, x)
    assert gleed.autograd.gradgradcheck(compiled, x)


def test_results_without_a_gradient() -> None:
    @gleed.compile(fullgraph=True)
    def both(x: Any) -> tuple[Any, Any]:
        return x * 2, (x * 3).detach()

    for _ in range(3):
        doubled, fixed = both(gleed.ones(2, requires_grad=True))
        assert doubled.requires_grad and not fixed.requires_grad


# ---- what must hold
SCALE = 2.0
SETTINGS = {"shift": 1.0}


@dataclass
class Batch:
    x: Any
    name: str


def test_other_sizes_dtypes_and_layouts() -> None:
    compiled = gleed.compile(lambda x: x.t() * 2 + 1, fullgraph=True)
    for x in (gleed.ones(2, 3), gleed.ones(3, 2), gleed.ones(3, 2).t(), gleed.ones(2, 3).double()):
        for _ in range(2):
            y = compiled(x)
            assert equal(y, x.t() * 2 + 1) and y.stride() == (x.t() * 2 + 1).stride()
    assert programs(compiled) == 4


def test_a_sweep_of_batch_sizes_is_captured_twice() -> None:
    plain, captured = Training("Adam"), Training("Adam")
    for training in (plain, captured):
        del training.model[3], training.model[1]  # what asks Python for sizes, and what draws
    step = gleed.compile(captured.step, fullgraph=True)
    plain.step(plain.x, plain.y), captured.step(captured.x, captured.y)
    for n in (1, 2, 3, 7, 8, 64, 1024, 5):
        x, y = gleed.randn(n, 6), gleed.randint(0, 3, (n,))
        assert equal(step(x, y), plain.step(x, y))
        assert all(map(equal, captured.state, plain.state))
    assert programs(step) == 2


def test_sizes_that_python_sees() -> None:
    def halves(x: Any) -> Any:
        return x.reshape(x.shape[0] // 2, -1).mean(0) + len(x)

    compiled = gleed.compile(halves, fullgraph=True)
    for n in (4, 6, 8, 6):
        x = gleed.randn(n, 3)
        assert equal(compiled(x), halves(x))


def test_gradients_for_other_sizes() -> None:
    def norm(x: Any) -> Any:
        return F.layer_norm(x.tanh(), x.shape[1:]).mean(0)

    compiled = gleed.compile(lambda x: (x.tanh() - x.mean(0)).square().mean(), fullgraph=True)
    for n in (2, 3, 5, 9):
        for function in (compiled, gleed.compile(norm)):
            plain, captured = (gleed.ones(n, 3).cumsum(0).requires_grad_() for _ in range(2))
            eager = norm if function is not compiled else compiled.__wrapped__
            eager(plain).sum().backward()
            function(captured).sum().backward()
            assert equal(plain.grad, captured.grad)


def test_python_variables_are_watched() -> None:
    local = 3.0

    @gleed.compile(fullgraph=True)
    def scaled(x: Any, factor: float = 1.0) -> Any:
        return x * SCALE * local * factor + SETTINGS["shift"]

    global_scale = globals()["SCALE"]
    try:
        for change in range(4):
            if change == 1:
                globals()["SCALE"] = 5.0
            elif change == 2:
                local = 7.0
            elif change == 3:
                SETTINGS["shift"] = 2.0
            for _ in range(2):
                expected = SCALE * local * 0.5 + SETTINGS["shift"]
                assert scaled(gleed.ones(1), 0.5).item() == expected
        reasons = scaled.report()
        assert "SCALE has changed" in reasons
        assert "local has changed" in reasons
        assert "SETTINGS['shift'] has changed" in reasons
    finally:
        globals()["SCALE"] = global_scale
        SETTINGS["shift"] = 1.0


def test_replaced_methods_are_watched() -> None:
    class Net(nn.Module):
        def scale(self, x: Any) -> Any:
            return x * 2

        def forward(self, x: Any) -> Any:
            return self.scale(x)

    net = Net()
    compiled = gleed.compile(net, fullgraph=True)
    x = gleed.ones(())
    assert [compiled(x).item() for _ in range(2)] == [2.0, 2.0]
    Net.scale = lambda self, x: x * 3  # type: ignore[method-assign]
    assert [compiled(x).item() for _ in range(2)] == [3.0, 3.0]
    globals()["len"] = lambda items: 7
    try:
        sized = gleed.compile(lambda x: x * len([1, 2]), fullgraph=True)
        assert [sized(x).item() for _ in range(2)] == [7.0, 7.0]
        del globals()["len"]
        assert [sized(x).item() for _ in range(2)] == [2.0, 2.0]
    finally:
        globals().pop("len", None)


def test_attributes_and_modes_are_watched() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    compiled = gleed.compile(model, fullgraph=True)
    x = gleed.ones(4, 2)
    compiled(x), compiled(x)
    model.eval()
    assert equal(compiled(x), model(x)) and equal(compiled(x), model(x))
    assert "training has changed" in compiled.report()
    with gleed.no_grad():
        assert not compiled(x).requires_grad
        assert not compiled(x).requires_grad
    assert compiled(x).requires_grad


def test_replaced_parameters_are_used() -> None:
    model = nn.Linear(2, 2)
    compiled = gleed.compile(model, fullgraph=True)
    x = gleed.ones(1, 2)
    compiled(x)
    model.weight = nn.Parameter(gleed.zeros(2, 2))
    assert equal(compiled(x), model(x))
    model.load_state_dict({"weight": gleed.ones(2, 2), "bias": gleed.zeros(2)})
    assert compiled(x).tolist() == [[2.0, 2.0]]
    assert programs(compiled) == 1


def test_arguments_of_all_kinds() -> None:
    @gleed.compile(fullgraph=True)
    def gather(batch: Any, *more: Any, table: Any, flag: bool) -> Any:
        total = batch.x + sum(more) + table["a"][0]
        return OrderedDict(total=total if flag else -total, kept=batch, plain=(1, "one", None))

    for flag in (True, False, True):
        batch = Batch(gleed.ones(2), "first")
        found = gather(batch, gleed.ones(2), table={"a": [gleed.ones(2)]}, flag=flag)
        assert found["total"].tolist() == [3.0, 3.0] if flag else [-3.0, -3.0]
        assert isinstance(found, OrderedDict) and found["plain"] == (1, "one", None)
        assert found["kept"].x is batch.x
    assert programs(gather) == 2


# ---- random numbers
def test_draws_follow_the_generator() -> None:
    compiled = gleed.compile(lambda: (gleed.rand(3), gleed.randn(2)), fullgraph=True)
    gleed.manual_seed(3)
    expected = [(gleed.rand(3), gleed.randn(2)) for _ in range(3)]
    gleed.manual_seed(3)
    for pair in expected:
        assert all(map(equal, compiled(), pair))


def test_seeds_in_the_function_are_not_captured() -> None:
    def draw() -> Any:
        gleed.manual_seed(3)
        return gleed.rand(2)

    expected, compiled = draw(), gleed.compile(draw)
    with pytest.warns(UserWarning, match=r"manual_seed\(\) would not be repeated.*call .* outside"):
        assert all(equal(compiled(), expected) for _ in range(3))


# ---- what is not captured
def branching(x: Any) -> Any:
    if x.sum() > 0:
        return x * 2
    return x - 1


def test_a_branch_on_a_value_is_an_error_that_names_the_line() -> None:
    compiled = gleed.compile(branching, fullgraph=True)
    with pytest.raises(TraceError) as caught:
        compiled(gleed.ones(2))
    text = str(caught.value)
    assert text.startswith(
        "compile: the value of a tensor is known only when the captured program runs; item needs "
        "it; it came in branching at "
    )
    assert "test_compile.py:" in text and "if x.sum() > 0:" in text
    assert text.endswith("decide by gleed.cond, gleed.while_loop or gleed.where in place of Python")


def test_a_branch_on_a_value_runs_uncaptured_with_one_warning() -> None:
    compiled = gleed.compile(branching)
    with pytest.warns(UserWarning, match="it runs uncaptured") as caught:
        assert compiled(gleed.ones(2)).tolist() == [2.0, 2.0]
        assert compiled(-gleed.ones(2)).tolist() == [-2.0, -2.0]
    assert len(caught) == 1
    assert "not captured: the value of a tensor is known only" in compiled.report()


def test_a_variable_that_changes_at_every_call() -> None:
    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 0

        def forward(self, x: Any) -> Any:
            self.calls += 1
            return x * self.calls

    counter = Counter()
    compiled = gleed.compile(counter)
    with pytest.warns(UserWarning, match=r"calls changes at every call"):
        assert [compiled(gleed.ones(())).item() for _ in range(5)] == [1, 2, 3, 4, 5]
    assert counter.calls == 5


def test_tensors_from_numpy_are_not_constants() -> None:
    array = gleed.ones(2).numpy()
    compiled = gleed.compile(lambda x: x + gleed.tensor(array))
    with pytest.warns(UserWarning, match="runs uncaptured"):
        assert compiled(gleed.ones(2)).tolist() == [2.0, 2.0]
    array[:] = 5
    assert compiled(gleed.ones(2)).tolist() == [6.0, 6.0]


def test_constants_made_in_the_function() -> None:
    compiled = gleed.compile(lambda x: x * gleed.tensor([1.0, 2.0]) + gleed.ones(2), fullgraph=True)
    for _ in range(3):
        assert compiled(gleed.ones(2)).tolist() == [2.0, 3.0]


def test_a_result_whose_size_depends_on_data() -> None:
    compiled = gleed.compile(lambda x: x[x > 0].sum())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for values in ([1.0, -1.0], [1.0, 2.0], [-1.0, -1.0]):
            x = gleed.tensor(values)
            assert compiled(x).item() == sum(v for v in values if v > 0)


def test_a_result_that_is_an_object_is_not_captured() -> None:
    class Answer:
        def __init__(self, x: Any) -> None:
            self.x = x

    compiled = gleed.compile(lambda x: Answer(x * 2))
    with pytest.warns(UserWarning, match="got Answer; it came in .*; return what is in it"):
        assert [compiled(gleed.full((), float(i))).x.item() for i in range(3)] == [0, 2, 4]


def test_an_index_out_of_range_is_named_as_eagerly() -> None:
    table = gleed.ones(3, 2)
    compiled = gleed.compile(lambda i: F.embedding(i, table) * 2, fullgraph=True)
    compiled(gleed.tensor([0, 2])), compiled(gleed.tensor([1, 1]))
    with pytest.raises(IndexError) as expected:
        F.embedding(gleed.tensor([0, 7]), table)
    with pytest.raises(IndexError) as caught:
        compiled(gleed.tensor([0, 7]))
    assert str(caught.value) == str(expected.value)


def test_an_error_of_the_function_comes_through() -> None:
    compiled = gleed.compile(lambda x, y: x @ y, fullgraph=True)
    eager = gleed.ones(2, 3)
    with pytest.raises(gleed.errors.ShapeError) as expected:
        eager @ eager
    for _ in range(2):
        with pytest.raises(gleed.errors.ShapeError) as caught:
            compiled(eager, eager)
        assert str(caught.value) == str(expected.value)


# ---- the interface
def test_the_module_keeps_its_state() -> None:
    model = classifier()
    compiled = gleed.compile(model)
    assert isinstance(compiled, nn.Sequential) and compiled._orig_mod is model
    assert list(compiled.state_dict()) == list(model.state_dict())
    compiled.eval()
    assert not model.training and not model[1].training
    twin = copy.deepcopy(model)
    compiled.load_state_dict(twin.state_dict())
    assert all(map(equal, model.parameters(), twin.parameters()))


def test_as_a_decorator_and_as_a_method() -> None:
    class Scaler:
        factor = 2.0

        @gleed.compile(fullgraph=True)
        def scale(self, x: Any) -> Any:
            return x * self.factor

    scaler = Scaler()
    assert scaler.scale(gleed.ones(2)).tolist() == [2.0, 2.0]
    scaler.factor = 3.0
    assert scaler.scale(gleed.ones(2)).tolist() == [3.0, 3.0]


def test_compiled_functions_call_one_another() -> None:
    inner = gleed.compile(lambda x: x * 2, fullgraph=True)
    outer = gleed.compile(lambda x: inner(x) + 1, fullgraph=True)
    for _ in range(3):
        assert outer(gleed.ones(2)).tolist() == [3.0, 3.0]
    assert programs(inner) == 0


def test_options() -> None:
    def function(x: Any) -> Any:
        return x

    assert gleed.compile(function, disable=True) is function
    assert gleed.compile(function, dynamic=True, mode="max-autotune", backend="inductor")
    with pytest.raises(ArgumentError, match=r'compile: mode is one of "default", .*got .fast'):
        gleed.compile(mode="fast")
    with pytest.raises(ArgumentError, match="compile: it takes a function or a module; got int"):
        gleed.compile(3)  # type: ignore[arg-type]


def test_one_kernel_for_a_chain() -> None:
    compiled = gleed.compile(lambda x: ((x * 2 + 1).sin() - x).relu() * 0.5)
    compiled(gleed.ones(4))
    assert "6 operations in 1 kernel" in compiled.report()


@pytest.mark.parametrize("classes", [40, 700])
def test_reductions_of_different_calls_are_different_kernels(classes: int) -> None:
    """Some find maximum and sum in one pass, others do not, and they add in other orders."""
    gleed.manual_seed(0)
    x, target = gleed.randn(5, classes), gleed.randint(0, classes, (5,))

    def plain(x: Any, target: Any) -> tuple[Any, ...]:
        found = F.softmax(x, 1), F.log_softmax(x, 1), gleed.logsumexp(x, 1)
        by_hand = (x - x.amax(1, True)).exp().sum(1, True).log()
        return *found, by_hand, F.cross_entropy(x, target, label_smoothing=0.1)

    compiled = gleed.compile(plain)
    for _ in range(2):
        found = compiled(x, target)
    assert all(map(equal, found, plain(x, target)))


def test_bfloat16_rounds_between_operations() -> None:
    def chain(x: Any) -> Any:
        return (x * 1.01 + 0.3) * x - 0.7

    compiled = gleed.compile(chain, fullgraph=True)
    x = gleed.randn(64, dtype=gleed.bfloat16)
    compiled(x)
    assert equal(compiled(x), chain(x))


# ---- what must not be left out, or shared
def test_draws_that_nobody_uses_are_made() -> None:
    def noisy(x: Any) -> Any:
        gleed.rand(3)
        return x + gleed.rand(3)

    def three(function: Any) -> list[Any]:
        gleed.manual_seed(0)
        return [function(gleed.zeros(3)).tolist() for _ in range(3)]

    assert three(gleed.compile(noisy)) == three(noisy)


def test_a_literal_is_no_learning_rate() -> None:
    rate = 0.1
    weight = nn.Parameter(gleed.ones(1))
    optimizer = gleed.optim.SGD([weight], lr=rate)

    @gleed.compile
    def step(x: Any, factor: float) -> Any:
        optimizer.zero_grad()
        loss = (weight * x * factor).sum()
        loss.backward()
        optimizer.step()
        return loss.detach()

    for _ in range(2):
        step(gleed.ones(1), rate)  # the same object as the learning rate
    optimizer.param_groups[0]["lr"] = 100.0
    before = weight.detach().clone()
    assert step(gleed.ones(1), rate) == (before * rate).sum()


def test_what_requires_grad_may_change() -> None:
    scaled = gleed.compile(lambda x, y: x * y)
    x, y = gleed.randn(3), gleed.randn(3)
    assert not scaled(x, y).requires_grad
    x.requires_grad_()
    for _ in range(2):
        scaled(x, y).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == (y + y).tolist()
    assert not scaled(x.detach(), y).requires_grad
    assert "argument 0 had requires_grad=False, and has requires_grad=True" in scaled.report()


def test_a_frozen_parameter_gets_no_gradient() -> None:
    model = gleed.nn.Linear(2, 1)
    x = gleed.randn(4, 2)

    @gleed.compile
    def step() -> None:
        model(x).sum().backward()

    for _ in range(3):
        step()
    model.weight.requires_grad_(False)
    model.zero_grad()
    step()
    assert model.weight.grad is None
    assert model.bias.grad is not None
