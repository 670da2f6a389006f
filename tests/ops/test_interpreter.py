"""Every plan of the samples, run by the interpreter in NumPy, gives what the machine code gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gleed import _C
from gleed.capture import plan_for
from gleed.compiler.interpret_plan import Unplayable, interpret_program
from gleed.compiler.verify import verify
from gleed.compiler.work import work
from gleed.errors import DTypeError

from .generate import Sample, array, flat, named_arguments, results, sampled
from .tables import NO_HALVES, category, refuses

DTYPES = ("float32", "bfloat16", "int32", "uint8", "bool")


def cases() -> list[Any]:
    """Every sample in float32, and in one more dtype in turn."""
    found = []
    for n, sample in enumerate(sampled()):
        dtypes = {"float32", DTYPES[1 + n % 4]} if sample.free else {"float32"}
        for dtype in sorted(dtypes):
            halves = dtype == "bfloat16" and sample.op.name in NO_HALVES
            if not refuses(sample, dtype) and not halves:
                found.append(pytest.param(sample, dtype, id=f"{sample.name}-{dtype}"))
    return found


def raw(tensor: Any) -> np.ndarray:
    """The memory of a tensor as kernels see it; bfloat16 as bits."""
    values = array(tensor)
    if tensor.dtype is _C.bfloat16:
        return (np.array(values).view(np.uint32) >> 16).astype(np.uint16)
    return np.array(values)


def numbers_of(overload: Any, bound: list[Any]) -> tuple[list[Any], list[int]]:
    """The run-time numbers and the integers of a call, in order."""
    scalars: list[Any] = []
    ints: list[int] = []
    for parameter, value in zip(overload.parameters, bound, strict=True):
        kind = parameter.kind.removesuffix("?")
        if value is None or isinstance(value, _C.Tensor):
            continue
        if kind in ("scalar", "operand"):
            scalars.append(value)
        elif kind in ("int", "ints"):
            ints += [value] if isinstance(value, int) else list(value)
    return scalars, ints


@pytest.mark.parametrize(("sample", "dtype"), cases())
def test_interpreter(sample: Sample, dtype: str) -> None:
    call, overload = sample.call(dtype), sample.overload
    given = named_arguments(overload, call.args, call.kwargs)
    bound = [given.get(p.name, p.default) for p in overload.parameters]
    tensors = [t for t in flat(bound) if isinstance(t, _C.Tensor)]
    scalars, ints = numbers_of(overload, bound)
    try:
        plan = plan_for(overload, list(bound), [tuple(t.shape) for t in tensors], ints)
    except DTypeError:
        assert category(dtype) != "f"
        return
    for work_done in work(plan.program):
        if work_done.kernel:
            verify(work_done.kernel)
    try:
        found = interpret_program(plan.program, [raw(t) for t in tensors], ints, scalars)
    except Unplayable:
        return
    wanted = results(sample.call(dtype).run(sample.op.public))
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        assert a.shape == tuple(b.shape)
        b = raw(b)
        # The interpreter adds in higher precision, and rounds once.
        exact = a.dtype.kind != "f" and b.dtype != np.uint16
        tolerance = 0 if exact else 2e-2 if b.dtype == np.uint16 else 1e-5
        if b.dtype == np.uint16:
            a, b = ((x.astype(np.uint32) << 16).view(np.float32) for x in (a, b))
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
