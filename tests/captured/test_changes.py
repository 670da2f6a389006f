"""Whatever changes between calls, what is captured computes what the function does uncaptured."""

from __future__ import annotations

import collections
import copy
import gc
import os
import pickle
import random
import time
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.captured.changes import Case, Make, check_captured_again, collector

import gleed
from gleed import nn
from gleed.captured.function import CompiledFunction
from gleed.errors import TraceError

F = nn.functional
CASES: list[Make] = []
case = collector(CASES)


# ---- functions
@case
def the_code_of_a_function() -> Case:
    def helper(x: Any) -> Any:
        return x * 2

    return lambda x: helper(x), lambda: setattr(helper, "__code__", (lambda x: x * 3).__code__)


@case
def a_default() -> Case:
    def scaled(x: Any, scale: float = 2.0) -> Any:
        return x * scale

    return scaled, lambda: setattr(scaled, "__defaults__", (3.0,))


@case
def a_keyword_default() -> Case:
    def scaled(x: Any, *, scale: float = 2.0) -> Any:
        return x * scale

    return lambda x: scaled(x), lambda: scaled.__kwdefaults__.update(scale=3.0)


@case
def a_tensor_that_is_a_default() -> Case:
    scale = gleed.full((2,), 2.0)

    def scaled(x: Any, by: Any = scale) -> Any:
        return x * by

    return scaled, lambda: scale.fill_(3.0)


@case
def an_attribute_of_a_function() -> Case:
    def scaled(x: Any) -> Any:
        return x * scaled.scale  # type: ignore[attr-defined]

    scaled.scale = 2.0  # type: ignore[attr-defined]
    return scaled, lambda: setattr(scaled, "scale", 3.0)


@case
def a_function_of_gleed() -> Case:
    def restored(x: Any) -> Any:
        return module.scaled(x)

    module = type(F)("gleed.of_a_test")
    module.scaled = lambda x: x * 2  # type: ignore[attr-defined]
    return restored, lambda: setattr(module, "scaled", lambda x: x * 3)


# ---- classes
class Base:
    scale = 2.0

    def by(self, x: Any) -> Any:
        return x * self.scale


def kinds() -> tuple[type, type, Any]:
    """Fresh classes, one derived from the other, and an object of that."""
    base = type("Base", (Base,), {"scale": 2.0})
    derived: Any = type("Derived", (base,), {})
    return base, derived, derived()


@case
def an_attribute_that_a_derived_class_gets() -> Case:
    _, derived, thing = kinds()
    return lambda x: x * thing.scale, lambda: setattr(derived, "scale", 3.0)


@case
def a_method_that_a_derived_class_gets() -> Case:
    _, derived, thing = kinds()
    return lambda x: thing.by(x), lambda: setattr(derived, "by", lambda self, x: x * 3)


@case
def the_bases_of_a_class() -> Case:
    base, derived, thing = kinds()
    other = type("Other", (base,), {"by": lambda self, x: x * 3})
    return lambda x: thing.by(x), lambda: setattr(derived, "__bases__", (other,))


@case
def a_static_method() -> Case:
    class Steps:
        @staticmethod
        def step(x: Any) -> Any:
            return x * 2

    return lambda x: Steps.step(x), lambda: setattr(Steps, "step", staticmethod(lambda x: x * 3))


@case
def the_class_of_an_object() -> Case:
    _, derived, thing = kinds()
    other = type("Other", (derived,), {"by": lambda self, x: x * 3})
    return lambda x: thing.by(x), lambda: setattr(thing, "__class__", other)


@case
def what_a_descriptor_reads() -> Case:
    class Doubled:
        def __get__(self, owner: Any, kind: Any = None) -> float:
            return 2 * owner.__dict__["raw"]

    class Thing:
        scale = Doubled()

    thing: Any = Thing()
    thing.__dict__["raw"] = 1.0
    return lambda x: x * thing.scale, lambda: thing.__dict__.update(raw=2.0)


@case
def an_attribute_that_getattr_gave_before() -> Case:
    class Thing:
        def __getattr__(self, name: str) -> float:
            return 2.0

    thing: Any = Thing()
    return lambda x: x * thing.scale, lambda: setattr(thing, "scale", 3.0)


@case
def the_forward_of_a_class_of_gleed() -> Case:
    kind = type("Twice", (nn.Module,), {"forward": lambda self, x: x * 2})
    module = nn.Sequential(kind())
    return lambda x: module(x), lambda: setattr(kind, "forward", lambda self, x: x * 3)


@case
def the_backward_of_a_custom_function() -> Case:
    class Scaled(gleed.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 1

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * scale[0]

    scale = [2.0]
    w = nn.Parameter(gleed.ones(2))
    return lambda x: gleed.autograd.grad(Scaled.apply(w * x).sum(), w)[
        0
    ], lambda: scale.__setitem__(0, 3.0)


# ---- containers and the world outside
@case
def an_attribute_of_a_kind_of_list() -> Case:
    class Scales(list[float]):
        factor = 1.0

    scales = Scales([2.0])
    scales.factor = 1.0
    return lambda x: x * scales[0] * scales.factor, lambda: setattr(scales, "factor", 2.0)


@case
def the_order_of_a_dictionary() -> Case:
    steps = collections.OrderedDict(add=1.0, mul=2.0)

    def walk(x: Any) -> Any:
        for name, value in steps.items():
            x = getattr(x, name)(value)
        return x

    return walk, lambda: steps.move_to_end("add")


@pytest.mark.parametrize(
    "read", [lambda: os.environ["GLEED_OF_A_TEST"], lambda: os.getenv("GLEED_OF_A_TEST", "2")]
)
def test_the_environment_is_looked_at(read: Callable[[], str], monkeypatch: Any) -> None:
    monkeypatch.setenv("GLEED_OF_A_TEST", "2")
    scaled = gleed.compile(lambda x: x * float(read()), fullgraph=True)
    assert scaled(gleed.ones(1)).item() == scaled(gleed.ones(1)).item() == 2
    monkeypatch.setenv("GLEED_OF_A_TEST", "3")
    assert scaled(gleed.ones(1)).item() == 3


@case
def one_of_two_places_of_a_tensor() -> Case:
    a, b = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    b.weight = a.weight
    return lambda x: b(a(x)), lambda: setattr(b, "weight", nn.Parameter(gleed.ones(2, 2)))


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_what_has_changed_is_captured_again(make: Make) -> None:
    check_captured_again(make)


# ---- arguments
def test_one_tensor_as_two_arguments_is_another_program() -> None:
    x, y = gleed.arange(3.0), gleed.ones(3)
    total = gleed.compile(lambda a, b: a * 2 + b, fullgraph=True)
    assert total(x, x).tolist() == total(x, x).tolist() == [0, 3, 6]
    assert total(x, y).tolist() == [1, 3, 5]
    assert total(y, y).tolist() == [3, 3, 3]


def test_a_parameter_as_an_argument_is_another_program() -> None:
    w = nn.Parameter(gleed.arange(3.0))
    total = gleed.compile(lambda a: a * 2 + w, fullgraph=True)
    assert total(w).tolist() == total(w).tolist() == [0, 3, 6]
    assert total(gleed.ones(3)).tolist() == [2, 3, 4]


def test_written_memory_that_is_shared_is_another_program() -> None:
    def shift(x: Any, y: Any) -> Any:
        x.add_(1)
        y[0] = x.sum()
        return x * 2

    shifted = gleed.compile(shift)
    shifted(gleed.zeros(4), gleed.zeros(2))
    eager, captured = gleed.arange(4.0), gleed.arange(4.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = shifted(captured, captured[:2])
    assert result.tolist() == shift(eager, eager[:2]).tolist()
    assert captured.tolist() == eager.tolist()
    apart = gleed.arange(8.0)
    before = shifted.report()
    assert shifted(apart[:4], apart[4:]).tolist() == [2, 4, 6, 8]
    assert shifted.report() == before  # parts of one memory that do not overlap


def test_attributes_of_arguments_count() -> None:
    class Scales(list[Any]):
        factor: float

    def made(factor: float) -> Scales:
        scales = Scales([gleed.ones(2)])
        scales.factor = factor
        return scales

    product = gleed.compile(lambda scales: scales[0] * scales.factor, fullgraph=True)
    assert [product(made(k)).tolist() for k in (2.0, 2.0, 3.0, 2.0)] == [
        [2, 2],
        [2, 2],
        [3, 3],
        [2, 2],
    ]


def test_results_keep_their_attributes_and_are_not_initialised() -> None:
    class Output(collections.OrderedDict[str, Any]):
        def __init__(self, x: Any) -> None:
            super().__init__(x=x)
            self.x = x

    make = gleed.compile(lambda x: Output(x * 2), fullgraph=True)
    for k in (1.0, 2.0):
        output = make(gleed.full((1,), k))
        assert type(output) is Output
        assert output.x.item() == output["x"].item() == 2 * k


# ---- what the function leaves behind
def left_behind() -> list[tuple[Callable[[Any], Any], Callable[[], Any]]]:
    class Thing:
        pass

    thing: Any = Thing()
    other: Any = Thing()
    module: Any = nn.Module()
    variables: dict[str, Any] = {}
    code = compile(
        "def keep(x):\n    global last\n    last = x.sum()\n    return x * 2", "t", "exec"
    )
    exec(code, variables)

    def keep(x: Any) -> Any:
        thing.last = x.sum()
        return x * 2

    def keep_by_name(x: Any) -> Any:
        for name in ("a", "b"):
            setattr(other, "last" + name, x.sum())
        return x * 2

    def keep_in_a_module(x: Any) -> Any:
        module.last = x.sum()
        return x * 2

    return [
        (keep, lambda: thing.last),
        (keep_by_name, lambda: other.lastb),
        (keep_in_a_module, lambda: module.last),
        (variables["keep"], lambda: variables["last"]),
    ]


@pytest.mark.parametrize("k", range(4))
def test_what_is_left_in_attributes_is_always_new(k: int) -> None:
    function, last = left_behind()[k]
    compiled = gleed.compile(function)
    with pytest.warns(UserWarning, match="last.? changes at every call"):
        for i in range(5):
            compiled(gleed.full((2,), float(i)))
            assert last().item() == 2 * i


def test_modes_are_left_as_they_were() -> None:
    def switch(x: Any) -> Any:
        gleed.set_grad_enabled(False)
        return x * 2

    message = "must leave whether gradients are taken, the default dtype and autocast as they were"
    with gleed.enable_grad(), pytest.raises(TraceError, match=message):
        gleed.compile(switch, fullgraph=True)(gleed.ones(2))


GENERATOR, RANDOM = np.random.default_rng(0), random.Random(0)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: random.random(),
        lambda: random.choice([1.0, 2.0, 3.0, 4.0, 5.0]),
        lambda: float(np.random.rand()),
        lambda: GENERATOR.random(),
        lambda: RANDOM.random(),
    ],
)
def test_numbers_of_pythons_generators_are_always_new(draw: Callable[[], float]) -> None:
    drawn = gleed.compile(lambda x: x * draw())
    with pytest.warns(UserWarning, match="the state of .* changes at every call"):
        found = [drawn(gleed.ones(1)).item() for _ in range(8)]
    assert len(set(found[2:])) > 1


@pytest.mark.parametrize("clock", [time.time, time.perf_counter, time.monotonic_ns])
def test_the_time_is_not_part_of_a_program(clock: Callable[[], float]) -> None:
    def stamped(x: Any) -> Any:
        return x * 0 + clock(), time.time()

    with pytest.raises(TraceError, match=r"the time is not known before .*; \w+\(\) needs it"):
        gleed.compile(stamped, fullgraph=True)(gleed.ones(1))
    assert time.time.__module__ == "time"
    assert not gleed.compiler.is_compiling()


# ---- hooks
def test_hooks_of_parameters_are_called_once() -> None:
    model = nn.Linear(3, 1)
    compiled = gleed.compile(model)
    x = gleed.randn(2, 3)

    def gradient(run: Any) -> list[Any]:
        model.zero_grad()
        run(x).sum().backward()
        return model.weight.grad.tolist()  # type: ignore[union-attr]

    plain = gradient(model)
    assert gradient(compiled) == plain
    handle = model.weight.register_hook(lambda g: g * 5)
    once = gradient(model)
    assert once != plain
    assert gradient(compiled) == gradient(compiled) == once
    handle.remove()
    assert gradient(compiled) == plain


def test_hooks_inside_of_steps_are_followed() -> None:
    def steps(capture: Callable[[Any], Any]) -> list[Any]:
        gleed.manual_seed(0)
        model = nn.Linear(3, 1)
        optimizer = gleed.optim.SGD(model.parameters(), lr=0.1)

        @capture
        def step(x: Any) -> Any:
            optimizer.zero_grad()
            model(x).sum().backward()
            optimizer.step()
            return model.weight.detach().clone()

        scale = [5.0]
        found: list[Any] = []

        def go() -> None:
            found.extend(step(gleed.ones(2, 3)).tolist() for _ in range(2))

        go()
        hook = model.weight.register_hook(lambda g: g * scale[0])
        go()
        scale[0] = 7.0
        go()
        after = model.weight.register_post_accumulate_grad_hook(lambda p: p.grad.mul_(0.5))
        go()
        hook.remove()
        go()
        after.remove()
        go()
        return found

    assert steps(gleed.compile) == steps(lambda f: f)


def test_results_that_retain_their_grad_are_left_alone() -> None:
    model = nn.Linear(3, 1)
    compiled = gleed.compile(model)
    q = gleed.ones(2, 3, requires_grad=True) * 2
    q.retain_grad()
    with pytest.warns(UserWarning, match="results that retain their grad"):
        y = compiled(q)
    assert q.grad is None
    y.sum().backward()
    assert q.grad.tolist() == model.weight.expand(2, 3).tolist()  # type: ignore[union-attr]


# ---- copies
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_of_compiled_modules_have_their_own_parameters(copied: Any) -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    compiled = gleed.compile(model)
    x = gleed.randn(4, 3)
    y = compiled(x).tolist()
    other = copied(compiled)
    assert isinstance(other, nn.Sequential)
    assert other(x).tolist() == y
    with gleed.no_grad():
        other[0].weight.zero_()
    assert compiled(x).tolist() == y
    assert other(x).tolist() == other[0].bias.expand(4, 2).relu().tolist()
    assert other.report().startswith("Sequential: 1 program")
    assert isinstance(other._compiled, CompiledFunction)


def test_what_the_first_call_kept_for_a_backward_is_let_go() -> None:
    w = nn.Parameter(gleed.ones(512, 512))
    double = gleed.compile(lambda x: (x * w).relu() * 2)
    gc.collect()
    before = gleed.memory_stats()["allocated"]
    double(gleed.ones(512)).sum().backward()
    w.grad = None
    gc.collect()
    assert gleed.memory_stats()["allocated"] - before < 512 * 512


def test_parts_of_a_compiled_module_that_are_replaced_are_let_go() -> None:
    class Named(nn.Sequential):
        report = name = "of the module"  # type: ignore[assignment]

    model = Named(nn.Linear(2, 2))
    compiled = gleed.compile(model)
    compiled(gleed.ones(1, 2))
    old = weakref.ref(model[0])
    model[0] = nn.Linear(2, 3)
    compiled(gleed.ones(1, 2))
    gleed.compiler.reset()
    gc.collect()
    assert old() is None
    assert compiled._compiled.report() == "Named: 0 programs"


def test_reset_forgets_programs_and_what_was_not_captured() -> None:
    @gleed.compile
    def halve(x: Any) -> Any:
        return x / 2 if decide or x.item() > 0 else x

    decide = False
    with pytest.warns(UserWarning, match="item"):
        halve(gleed.ones(1))
    decide = True
    gleed.compiler.reset()
    assert [halve(gleed.ones(1)).item() for _ in range(2)] == [0.5, 0.5]
    assert "halve: 1 program" in halve.report()


def test_marks_of_other_frameworks_change_nothing() -> None:
    gleed.compiler.cudagraph_mark_step_begin()
    assert gleed.compiler.allow_in_graph(F.relu) is F.relu
