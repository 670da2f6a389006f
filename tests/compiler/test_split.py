"""A kernel in two: chunks of the range, and their totals. Together they compute what it does."""

from __future__ import annotations

import numpy as np
import pytest

from gleed.compiler import kernel as k
from gleed.compiler.kernel import Kernel, Operand, Store, load, reduce
from gleed.compiler.split import accumulator_dtypes, split
from gleed.compiler.verify import verify

from .machine import Machine
from .test_online import NUMPY, awkward, finite_or_zero, kernel_of, log_softmax, log_sum, total

LENGTH = 37  # of a chunk


def shifted_by_rows(dtype: str) -> Kernel:
    """Beside x there is a number for every row, which moves what is subtracted."""
    x, row = load(0, dtype), load(1, dtype)
    shift = finite_or_zero(reduce("max", x)) + row
    operands = (Operand(dtype, "in", True), Operand(dtype, "in"), Operand(dtype, "out"))
    return verify(Kernel("test", operands, (), (Store(2, k.math("log", total(x, shift)) + shift),)))


def in_chunks(machine: Machine, kernel: Kernel, x: np.ndarray, *rows: np.ndarray) -> list:
    """The results of both halves, run one after the other."""
    halves = split(kernel)
    assert halves is not None
    partial, finish = map(verify, halves)
    chunks = -(-x.shape[2] // LENGTH)
    found = [np.zeros((x.shape[0], 1, chunks), NUMPY[d]) for d in accumulator_dtypes(kernel)]
    for i in range(chunks):
        outs = [np.zeros((x.shape[0], 1, 1), a.dtype) for a in found]
        machine.run(partial, "row", [x[:, :, i * LENGTH :][:, :, :LENGTH], *rows, *outs])
        for a, out in zip(found, outs, strict=True):
            a[:, :, i] = out[:, :, 0]
    results = [np.zeros((x.shape[0], 1, 1), x.dtype) for _ in kernel.stores]
    machine.run(finish, "row", [*found, *rows, *results])
    return results


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("size", [1, 37, 100, 1500])
@pytest.mark.parametrize("make", [log_sum, shifted_by_rows])
def test_chunks_of_sums_of_exponentials(machine: Machine, make, size: int, dtype: str) -> None:
    x, kernel = awkward(NUMPY[dtype], size), make(dtype)
    row = np.linspace(-2, 2, len(x)).astype(x.dtype)[:, None, None]
    rows = [row] if make is shifted_by_rows else []
    wanted = [np.zeros((len(x), 1, 1), x.dtype) for _ in kernel.stores]
    machine.interpret(kernel, "row", [x, *rows, *wanted])
    tolerance = 32 * float(np.finfo(x.dtype).eps)
    for a, b in zip(in_chunks(machine, kernel, x, *rows), wanted, strict=True):
        np.testing.assert_allclose(a, b, tolerance, tolerance)


def test_which_kernels_are_split() -> None:
    x = load(0, "f32")
    top = reduce("max", x)
    assert split(kernel_of(reduce("sum", x), top))
    # Results along the range, and sums that wait for others.
    assert split(log_softmax("f32")) is None
    assert split(kernel_of(reduce("sum", k.abs(x - top)))) is None
    assert split(kernel_of(total(x, reduce("min", x)))) is None
    assert split(kernel_of(total(x, top + reduce("sum", x)))) is None
    assert split(kernel_of(k.cast(reduce("argmax", x), "f32"))) is None
