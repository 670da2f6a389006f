"""The gradient checks can fail: every gradient rule, made three times too large, turns one red.

A mutant is one cotangent of one rule, of a primitive or of an op. It is tried in the samples whose
backward uses the rule, with plans made anew.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

import gleed
import gleed.flow
from gleed import _C, primitives
from gleed.autograd import GradcheckError, gradcheck, gradgradcheck
from gleed.ops.record import OPS, Op, Overload, Parameter
from gleed.primitives import PRIMITIVES, Primitive
from gleed.trace import Standin

from .generate import RANDOM_MODULES, Make, Sample
from .tables import UNOBSERVABLE, WRITES, ZERO_RULES
from .test_gradients import differentiable, of_tensors

RANDOM = RANDOM_MODULES | {"gleed.primitives.random"}
Rule = Callable[..., Any]


@dataclass(frozen=True)
class Mutant:
    """Cotangent `place` of a rule."""

    owner: Primitive | Overload
    place: int

    @property
    def name(self) -> str:
        kind = "primitive" if isinstance(self.owner, Primitive) else "op"
        return f"{kind}-{self.owner.name}-{self.place}"


def rule_of(owner: Primitive | Overload) -> Rule | None:
    return owner.vjp if isinstance(owner, Primitive) else owner.rule


@contextmanager
def replaced(owner: Primitive | Overload, rule: Rule) -> Iterator[None]:
    field = "vjp" if isinstance(owner, Primitive) else "rule"
    before = getattr(owner, field)
    object.__setattr__(owner, field, rule)
    try:
        yield
    finally:
        object.__setattr__(owner, field, before)


def owners() -> list[Primitive | Overload]:
    """Everything with a gradient rule; an in-place op shares that of its op."""
    rules = [o for op in OPS.values() for o in op.overloads if o.rule and not o.writes]
    everything = [p for p in PRIMITIVES.values() if p.vjp] + rules
    return [x for x in everything if rule_of(x).__module__ not in RANDOM]


def fresh(record: Op) -> Any:
    """The op without the plans it has made."""
    return _C.Op(record.name, [overload.for_core() for overload in record.overloads])


def check(sample: Sample) -> None:
    call = sample.call("float64", grad=True)
    function, tensors = of_tensors(fresh(sample.op), call, sample.op.name in WRITES)
    gradcheck(function, tensors, fast_mode=True)


def local(name: str, body: Callable[..., Any], tensors: int) -> Sample:
    """A sample of an op made here, for a primitive that no op of the library uses."""
    record = Op(name, None)
    names = [f"x{k}" for k in range(tensors)]
    parameters = tuple(Parameter(n, "tensor", inspect.Parameter.empty, "") for n in names)
    record.overloads.append(Overload(name, body, parameters))
    make = Make(name)
    return Sample(record, 0, tuple(make.tensor((5,)) for _ in names))


LOCAL = [
    local("fma", primitives.fma, 3),
    local("rounded", lambda x: primitives.rounded(x, dtype="f64"), 1),
]


@cache
def uses() -> dict[Mutant, list[Sample]]:
    """The samples in whose backward a cotangent of a rule is computed."""
    found: dict[Mutant, list[Sample]] = {}
    current: list[Sample] = []

    def watched(owner: Primitive | Overload, rule: Rule) -> Rule:
        def watching(*args: Any, **kwargs: Any) -> Any:
            cotangents = rule(*args, **kwargs)
            for place, g in enumerate(_tuple(cotangents)):
                if isinstance(g, Standin):
                    samples = found.setdefault(Mutant(owner, place), [])
                    if current[-1] not in samples:
                        samples.append(current[-1])
            return cotangents

        return watching

    everything = owners()
    before = [rule_of(owner) for owner in everything]
    for owner, rule in zip(everything, before, strict=True):
        _set(owner, watched(owner, rule))
    try:
        for sample in (*differentiable(), *LOCAL):
            current.append(sample)
            call = sample.call("float64", grad=True)
            if not any(t.numel() == 0 for t in call.tensors):
                function, tensors = of_tensors(fresh(sample.op), call, sample.op.name in WRITES)
                gradcheck(function, tensors, fast_mode=True)
    finally:
        for owner, rule in zip(everything, before, strict=True):
            _set(owner, rule)
    return found


def _set(owner: Primitive | Overload, rule: Rule | None) -> None:
    object.__setattr__(owner, "vjp" if isinstance(owner, Primitive) else "rule", rule)


def _tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def mutated(mutant: Mutant) -> Rule:
    """The rule with one cotangent three times too large; one more than it, if it is always zero."""
    rule = rule_of(mutant.owner)

    def wrong(*args: Any, **kwargs: Any) -> Any:
        cotangents = list(_tuple(rule(*args, **kwargs)))
        if mutant.place >= len(cotangents):  # of a primitive with any number of operands
            return tuple(cotangents)
        g = cotangents[mutant.place]
        if isinstance(g, Standin):
            cotangents[mutant.place] = g + 1 if mutant.owner.name in ZERO_RULES else g * 3
        return tuple(cotangents)

    return wrong


def killed(mutant: Mutant) -> bool:
    """Whether a gradient check notices."""
    samples = sorted(uses()[mutant], key=lambda s: s.op.name != mutant.owner.name)
    for sample in samples:
        with replaced(mutant.owner, mutated(mutant)):
            try:
                check(sample)
            except GradcheckError:
                return True
    return False


def test_all_mutants() -> None:
    mutants = list(uses())
    survivors = {m.name for m in mutants if m.name not in UNOBSERVABLE and not killed(m)}
    assert survivors == set()
    assert len(mutants) >= 95
    assert set(UNOBSERVABLE) <= {m.name for m in mutants}


def test_every_rule_is_used() -> None:
    """No rule is left that no sample's backward computes."""
    used = {m.owner for m in uses()}
    unused = {o.name for o in owners() if o not in used and not _gives_nothing(o)}
    # See the tests below, tests/autograd/test_strided_views.py, tests/ops/test_flow.py and
    # tests/captured/test_control_flow.py.
    assert unused == {"as_strided", "cast", "_ctc_step", *FLOW, *SECOND}


# Rules of control flow, in captured functions.
FLOW = ("branch", "drawing_branch", "drawing_loop", "repeat", "drawing_repeat")
# Rules that only second derivatives compute, and an op whose gradient needs them.
SECOND = {"attention_gradient": "scaled_dot_product_attention", "convolution_weight": "conv1d"}


def places_noticed(owner: Primitive | Overload, check: Callable[[], Any]) -> tuple[set, set]:
    """The cotangents of a rule that a check computes, and those that it notices to be wrong."""
    rule, places = rule_of(owner), set()

    def watched(*args: Any, **kwargs: Any) -> Any:
        cotangents = rule(*args, **kwargs)
        places.update(i for i, g in enumerate(_tuple(cotangents)) if isinstance(g, Standin))
        return cotangents

    with replaced(owner, watched):
        check()
    noticed = set()
    for place in places:
        with replaced(owner, mutated(Mutant(owner, place))):
            try:
                check()
            except GradcheckError:
                noticed.add(place)
    return places, noticed


@pytest.mark.parametrize(("rule", "name"), SECOND.items())
def test_rules_of_second_derivatives(rule: str, name: str) -> None:
    sample = next(s for s in differentiable() if s.op.name == name)

    def check() -> None:
        call = sample.call("float64", grad=True)
        function, tensors = of_tensors(fresh(sample.op), call, False)
        gradgradcheck(function, tensors, fast_mode=True)

    places, noticed = places_noticed(PRIMITIVES[rule], check)
    assert places and noticed == places


def test_ctc_step() -> None:
    """The step of a loss that no sample calls by itself."""
    (overload,) = OPS["_ctc_step"].overloads
    gleed.manual_seed(0)
    skip = gleed.tensor([[False, True, False, True, False]] * 3)
    lengths = gleed.tensor([4, 2, 1])
    tensors = [gleed.randn(3, 5, dtype=gleed.float64, requires_grad=True) for _ in range(2)]

    def check() -> None:
        step = fresh(OPS["_ctc_step"])
        gradcheck(lambda a, b: step(a, b, skip, lengths, 1.0), tensors)

    places, noticed = places_noticed(overload, check)
    assert places == noticed == {0, 1}


def test_cast() -> None:
    """The gradient of a conversion is the cotangent converted back: too coarse for differences."""
    cast = PRIMITIVES["cast"]
    cotangent = gleed.tensor([0.5, -1.25, 3.0])

    def gradient() -> Any:
        x = gleed.ones(3, dtype=gleed.float64, requires_grad=True)
        y = fresh(OPS["_to"])(x, gleed.float32)
        return gleed.autograd.grad(y, x, cotangent)[0]

    assert gradient().dtype is gleed.float64
    assert gradient().tolist() == cotangent.tolist()
    with replaced(cast, mutated(Mutant(cast, 0))):
        assert gradient().tolist() == (3 * cotangent).tolist()


def _gives_nothing(owner: Primitive | Overload) -> bool:
    """Whether the rule says that there is no gradient: for functions that give no real numbers, or
    what is no tensor's."""
    return owner.name in NO_GRADIENTS


NO_GRADIENTS = {
    "idiv", "irem", "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "shift_left",
    "shift_right", "eq", "ne", "lt", "le", "gt", "ge", "bitcast", "iota", "reduce_any",
    "reduce_all", "reduce_argmax", "reduce_argmin", "copy_like",
}  # fmt: skip


def test_a_correct_rule_survives() -> None:
    """The check itself: without a mutation it is green."""
    (mutant,) = (m for m in uses() if m.name == "primitive-exp-0")
    check(uses()[mutant][0])
    with pytest.raises(GradcheckError), replaced(mutant.owner, mutated(mutant)):
        check(uses()[mutant][0])
