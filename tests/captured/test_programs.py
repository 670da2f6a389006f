"""Random programs run the same captured as eagerly: results, layouts, writes, gradients.

GLEED_PROGRAMS names others (`programs.batches`).
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import gleed

from .programs import Program, batches

BATCHES = batches(200, 25)


def strides(tensor: Any) -> list[int]:
    """The strides that mean something."""
    pairs = zip(tensor.shape, tensor.stride(), strict=True)
    return [s for n, s in pairs if n > 1 and tensor.numel()]


def bits(tensor: Any) -> bytes:
    """The elements of a tensor; of NaN there is one."""
    tensor = tensor.detach()
    if tensor.is_floating_point():
        tensor = tensor.masked_fill(tensor.isnan(), float("nan"))
    exact = tensor.float() if tensor.dtype == gleed.bfloat16 else tensor
    return exact.contiguous().numpy().tobytes()


def seen(tensors: Any) -> list[Any]:
    return [(t.dtype, t.shape, strides(t), bits(t)) for t in tensors]


def aliases(tensors: Any) -> list[int]:
    """For each tensor the first with the same memory."""
    starts = [gleed._C.place_of(t)[0] for t in tensors]
    return [starts.index(s) for s in starts]


@pytest.mark.parametrize("seeds", BATCHES)
def test_forward(seeds: range) -> None:
    for seed in seeds:
        program = Program(seed)
        compiled = gleed.compile(program)
        for call in range(3):
            plain, captured = program.arguments(call % 2), program.arguments(call % 2)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # some overlapping writes are not captured
                found = compiled(*captured)
            expected = program(*plain)
            assert seen(found) == seen(expected), f"seed {seed}, call {call}"
            assert seen(captured) == seen(plain), f"seed {seed}, call {call}: inputs"
            both = [*plain, *expected], [*captured, *found]
            assert aliases(both[1]) == aliases(both[0]), f"seed {seed}, call {call}: memory"


@pytest.mark.parametrize("seeds", BATCHES)
def test_other_sizes(seeds: range) -> None:
    for seed in seeds:
        program = Program(seed)
        compiled = gleed.compile(program)
        for call, grown in enumerate(((0, 0), (1, 2), (3, 0), (0, 0), (-1, 5))):
            plain, captured = (program.arguments(3, grown=grown) for _ in range(2))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # some overlapping writes are not captured
                found = compiled(*captured)
            expected = program(*plain)
            assert seen(found) == seen(expected), f"seed {seed}, call {call}"
            assert seen(captured) == seen(plain), f"seed {seed}, call {call}: inputs"


@pytest.mark.parametrize("seeds", BATCHES)
def test_gradients(seeds: range) -> None:
    for seed in seeds:
        program = Program(seed, grad=True)
        compiled = gleed.compile(program)
        for call in range(2):
            plain = program.arguments(call, requires_grad=True)
            captured = program.arguments(call, requires_grad=True)
            results = program(*plain)
            sum(y.sin().sum() for y in results).backward()
            sum(y.sin().sum() for y in compiled(*captured)).backward()
            for x, y in zip(plain, captured, strict=True):
                assert (x.grad is None) == (y.grad is None)
                if any(result is x for result in results):
                    # It has gradients from inside and from outside, which add up in another order.
                    assert gleed.allclose(x.grad, y.grad, rtol=1e-4), f"seed {seed}"
                elif x.grad is not None:
                    assert seen([x.grad]) == seen([y.grad]), f"seed {seed}"
