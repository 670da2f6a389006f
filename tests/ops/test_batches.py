"""Every op over a batch: `vmap` of it gives what it gives for each example, and so do gradients.

A sample of each op is tried in one arrangement of what is mapped, and gradients of some;
GLEED_BATCHES=all tries all samples in all arrangements.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

import gleed
import gleed.flow  # which defines primitives, too
from gleed import _C
from gleed.func import grad, vmap
from gleed.primitives import PRIMITIVES

from .generate import Distinct, Sample, Uniform, results, sampled, samples_of, takes
from .tables import WRITES
from .test_captured import UNCAPTURED
from .test_gradients import differentiable

COUNT = 3
ALL = os.environ.get("GLEED_BATCHES") == "all"
SAMPLES = [sample for sample in sampled() if sample.op.name not in UNCAPTURED]
NUMBERS = {sample: i for i, sample in enumerate(SAMPLES)}
# What has no rule: the sizes of its results depend on values.
WITHOUT_RULE = ["nonzero"]


def test_every_primitive_has_a_rule() -> None:
    assert [name for name, p in PRIMITIVES.items() if p.batch is None] == WITHOUT_RULE


class Examples:
    """Calls of one sample with other values, and all of them as a batch.

    shared: which of the tensors are the same for all. axis: where the examples lie, as far as a
    tensor has so many.
    """

    def __init__(self, sample: Sample, dtype: str, shared: Any, axis: int) -> None:
        self.call = sample.call(dtype)
        recipes = {id(t): r for t, r in zip(self.call.tensors, sample.recipes, strict=False)}
        self.tensors = list({id(t): t for t in self.call.tensors}.values())
        self.shared = [shared(i) for i in range(len(self.tensors))]
        self.axis = axis
        self.rolls = [
            isinstance(recipes.get(id(t)), Uniform | Distinct)
            and getattr(recipes[id(t)], "seed", 0) is not None
            for t in self.tensors
        ]

    def one(self, i: int) -> list[Any]:
        """The tensors of an example."""
        return [
            t.flatten().roll(i).view(t.shape) if rolls and not shared else t.clone()
            for t, rolls, shared in zip(self.tensors, self.rolls, self.shared, strict=True)
        ]

    def batch(self) -> list[Any]:
        every = [self.one(i) for i in range(COUNT)]
        return [
            every[0][k] if shared else self.stacked([tensors[k] for tensors in every])
            for k, shared in enumerate(self.shared)
        ]

    def stacked(self, tensors: list[Any]) -> Any:
        return gleed.stack(tensors, self.place(tensors[0]))

    def place(self, tensor: Any) -> int:
        return max(-tensor.ndim - 1, min(self.axis, tensor.ndim))

    @property
    def in_dims(self) -> tuple[int | None, ...]:
        pairs = zip(self.tensors, self.shared, strict=True)
        return tuple(None if shared else self.place(t) for t, shared in pairs)

    def function(self, function: Any) -> Any:
        """The call as a function of its tensors."""
        places = {id(t): i for i, t in enumerate(self.tensors)}

        def run(*given: Any) -> Any:
            def now(x: Any) -> Any:
                if isinstance(x, _C.Tensor):
                    return given[places[id(x)]]
                return type(x)(map(now, x)) if isinstance(x, list | tuple) else x

            kwargs = {k: now(v) for k, v in self.call.kwargs.items()}
            found = results(function(*map(now, self.call.args), **kwargs))
            return tuple(y for y in found if isinstance(y, _C.Tensor))

        return run


ARRANGEMENTS = {
    "all": (lambda i: False, 0),
    "first": (lambda i: i > 0, -1),
    "others": (lambda i: i == 0, 1),
}


def arrangements(sample: Sample) -> Iterator[tuple[str, Any, int]]:
    several = len({id(t) for t in sample.call("float64").tensors}) > 1
    names = ["all", "first", "others"] if several else ["all", "first"]
    for name in names if ALL else [names[NUMBERS[sample] % len(names)]]:
        yield name, *ARRANGEMENTS[name]


def same(found: Any, expected: list[Any], out_dim: int = 0) -> None:
    for k, y in enumerate(found):
        one = [e[k] for e in expected]
        whole = gleed.stack(one, out_dim)
        assert (y.dtype, y.shape) == (whole.dtype, whole.shape)
        tolerance = {gleed.float16: 2e-3, gleed.bfloat16: 2e-2, gleed.float64: 1e-9}
        limit = tolerance.get(y.dtype, 1e-5)
        assert gleed.allclose(y, whole, rtol=limit, atol=limit, equal_nan=True)


@pytest.mark.parametrize(
    "sample",
    [s for s in SAMPLES if ALL or s is samples_of(s.op.name)[-1]],
    ids=lambda s: s.name,
)
def test_values(sample: Sample) -> None:
    dtype = "float32" if takes(sample, "float32") else "int64"
    for name, shared, axis in arrangements(sample):
        examples = Examples(sample, dtype, shared, axis)
        writes = sample.op.name in WRITES or sample.op.name.endswith("_")
        if all(examples.shared) or (writes and name == "others"):
            continue
        function = examples.function(sample.op.public)
        expected = [function(*examples.one(i)) for i in range(COUNT)]
        if not expected[0]:
            continue
        mapped = vmap(function, in_dims=examples.in_dims)
        for _ in range(2):
            same(mapped(*examples.batch()), expected)


@pytest.mark.parametrize("sample", differentiable()[:: 1 if ALL else 8], ids=lambda s: s.name)
def test_gradients(sample: Sample) -> None:
    """Of one example at a time inside, and of all of them outside."""
    for _, shared, axis in arrangements(sample):
        examples = Examples(sample, "float64", shared, axis)
        if all(examples.shared) or (sample.op.name in WRITES):
            continue
        function = examples.function(sample.op.public)
        floats = [k for k, t in enumerate(examples.tensors) if t.is_floating_point()]

        def loss(*given: Any, function: Any = function) -> Any:
            parts = (y for y in function(*given) if y.requires_grad)
            return sum(((y * 1.5).sin().sum() for y in parts), gleed.zeros((), dtype=gleed.float64))

        gradient = grad(loss, argnums=tuple(floats))
        ones = [examples.one(i) for i in range(COUNT)]
        expected = [gradient(*one) for one in ones]
        same(vmap(gradient, in_dims=examples.in_dims)(*examples.batch()), expected)
        batch = [t.requires_grad_() if k in floats else t for k, t in enumerate(examples.batch())]
        total = vmap(loss, in_dims=examples.in_dims)(*batch).sum()
        sources = [batch[k] for k in floats]
        found = gleed.autograd.grad(total, sources, materialize_grads=True)
        for k, g in zip(floats, found, strict=True):
            parts = [e[floats.index(k)] for e in expected]
            is_shared = examples.shared[k]
            whole = sum(parts) if is_shared else gleed.stack(parts, examples.in_dims[k])
            assert gleed.allclose(g, whole, rtol=1e-8, atol=1e-8)
