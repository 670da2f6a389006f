"""First and second derivatives of every op against finite differences, for random cotangents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import gleed
from gleed import _C
from gleed.autograd import gradcheck, gradgradcheck
from gleed.ops.record import OPS

from .generate import Call, Fixed, Sample, flat, results, sampled, samples_of
from .tables import CONSTANT, NO_HALVES, ONE_LAYOUT, REFUSED, WITHOUT_GRADIENT, WRITES

NON_CONTIGUOUS = ("transposed", "sliced", "reversed")


def differentiable() -> list[Sample]:
    """Samples of functions of real numbers, at places where these have derivatives."""
    return [
        s
        for s in sampled()
        if s.free
        and s.op.name not in WITHOUT_GRADIENT
        and s.name not in CONSTANT
        and "padding_idx" not in s.arguments()
        and not any(isinstance(r, Fixed) and r.dtype is None for r in s.recipes)
    ]


def layouts(sample: Sample) -> tuple[str, ...]:
    if sample.op.name in ONE_LAYOUT:
        return ("contiguous",)
    return "contiguous", NON_CONTIGUOUS[sample.number % 3]


def cases(samples: list[Sample]) -> list[Any]:
    return [
        pytest.param(s, layout, id=f"{s.name}-{layout}") for s in samples for layout in layouts(s)
    ]


def of_tensors(function: Callable[..., Any], call: Call, writes: bool = False) -> Any:
    """The call as a function of its floating-point tensors, and these."""
    tensors = [t for t in call.tensors if t.requires_grad]
    places = {id(t): i for i, t in enumerate(tensors)}

    def run(*given: Any) -> Any:
        def now(x: Any) -> Any:
            if isinstance(x, _C.Tensor):
                return given[places[id(x)]] if id(x) in places else x
            return type(x)(map(now, x)) if isinstance(x, list | tuple) else x

        args = [now(x) for x in call.args]
        if writes:
            args[0] = args[0].clone()
        kwargs = {k: now(v) for k, v in call.kwargs.items()}
        found = [y for y in results(function(*args, **kwargs)) if y.requires_grad]
        return tuple(found) if len(found) > 1 else found[0]

    return run, tuple(tensors)


@pytest.mark.parametrize(("sample", "layout"), cases(differentiable()))
def test_first_order(sample: Sample, layout: str) -> None:
    call = sample.call("float64", layout, grad=True)
    function, tensors = of_tensors(sample.op.public, call, sample.op.name in WRITES)
    assert gradcheck(function, tensors)


@pytest.mark.parametrize(("sample", "layout"), cases(differentiable()))
def test_second_order(sample: Sample, layout: str) -> None:
    call = sample.call("float64", layout, grad=True)
    function, tensors = of_tensors(sample.op.public, call, sample.op.name in WRITES)
    assert gradgradcheck(function, tensors, atol=1e-4)


def in_place() -> list[Sample]:
    return [
        samples_of(s.op.name)[s.number]
        for s in differentiable()
        if s.op.name + "_" in OPS and fits_in_place(s)
    ]


def fits_in_place(sample: Sample) -> bool:
    """Whether the result has the shape of the first argument, which is a tensor."""
    call = sample.call("float64")
    first = call.args[0]
    if not isinstance(first, _C.Tensor):
        return False
    result = call.run(sample.op.public)
    return result.shape == first.shape and result.dtype == first.dtype


@pytest.mark.parametrize("sample", in_place(), ids=lambda s: s.name)
def test_in_place(sample: Sample) -> None:
    call = sample.call("float64", grad=True)
    function, tensors = of_tensors(OPS[sample.op.name + "_"].public, call, writes=True)
    assert gradcheck(function, tensors)


@pytest.mark.parametrize("name", sorted(WITHOUT_GRADIENT))
def test_no_gradient(name: str) -> None:
    """Results of ops without a gradient do not ask for one."""
    for sample in samples_of(name):
        if not sample.free:
            continue
        dtype = "int64" if "f" in REFUSED.get(name, "") else "float64"
        call = sample.call(dtype, grad=True)
        assert not any(y.requires_grad for y in results(call.run(sample.op.public)))


@pytest.mark.parametrize(
    "sample", [s for s in differentiable() if s.op.name not in NO_HALVES], ids=lambda s: s.name
)
def test_gradient_of_halves(sample: Sample) -> None:
    """Gradients of float16 tensors are float16, of the tensor's shape, and finite."""
    call = sample.call("float16", grad=True)
    function, tensors = of_tensors(sample.op.public, call, sample.op.name in WRITES)
    total = sum((y.float().sum() for y in flat(function(*tensors))), gleed.zeros(()))
    for x, g in zip(tensors, gleed.autograd.grad(total, tensors, allow_unused=True), strict=True):
        if g is not None:
            assert (g.dtype, g.shape) == (x.dtype, x.shape)
