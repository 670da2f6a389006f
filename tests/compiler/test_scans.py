"""Scans: the same bits along rows and along columns, in vectors of any length, whatever else a
kernel computes."""

from __future__ import annotations

import numpy as np
import pytest

from gleed.compiler import kernel as k
from gleed.compiler import target as targets
from gleed.compiler.interpret import NUMPY_DTYPES
from gleed.compiler.kernel import Kernel, Operand, Store
from gleed.compiler.target import Target

from .machine import Machine

SIZES = (1, 2, 3, 4, 5, 7, 8, 13, 16, 31, 33, 100, 261, 1030)
HOST = targets.host()
# Vectors of 64 bytes with masked tails and without, of 32 and of 16 bytes.
WIDTHS = {"masks": (64, True), "64": (64, False), "32": (32, False), "16": (16, False)}


@pytest.fixture(scope="module", params=WIDTHS)
def narrower(request: pytest.FixtureRequest) -> tuple[Machine, int]:
    """This machine with vectors as another one has them; how many bytes these have."""
    size, masks = WIDTHS[request.param]
    if size > HOST.vector_bytes or (masks and not HOST.masks):
        size, masks = HOST.vector_bytes, HOST.masks
    made = Target(HOST.triple, HOST.cpu, HOST.features, size, HOST.registers, masks)
    return Machine(made), size


def scanned(op: str, dtype: str, inside: str, beside: str | None) -> Kernel:
    """A scan of `dtype` in `inside`, perhaps after an operand of a third dtype was added."""
    x = k.cast(k.load(0, dtype), inside)
    operands = [Operand(dtype, "in", True)]
    if beside:
        x = x + k.cast(k.load(1, beside), inside)
        operands.append(Operand(beside, "in", True))
    operands.append(Operand(dtype, "out", True))
    store = Store(len(operands) - 1, k.cast(k.scan(op, x), dtype))
    return Kernel("scan", tuple(operands), (), (store,))


def in_pairs(op: str, x: np.ndarray, group: int) -> np.ndarray:
    """Running values along the last axis in the order that is promised."""
    combine = np.add if op == "sum" else np.multiply
    none = x.dtype.type(op == "prod")
    result = np.empty_like(x)
    for row in np.ndindex(x.shape[:-1]):
        before = none
        for first in range(0, x.shape[-1], group):
            half = pair = none
            for i in range(first, min(first + group, x.shape[-1])):
                pair = combine(pair, x[row][i]) if i % 2 else x[row][i]
                result[row][i] = combine(before, combine(half, pair))
                half = combine(half, pair) if i % 2 else half
            before = result[row][i]
    return result


@pytest.mark.parametrize("op", ["sum", "prod"])
@pytest.mark.parametrize("dtype", ["f32", "f64", "f16", "bf16"])
def test_orders_of_rows_and_columns(narrower, op, dtype):
    machine, width = narrower
    rng = np.random.default_rng(len(op))
    numpy = np.dtype(NUMPY_DTYPES[dtype])
    inside = "f32" if dtype == "f32" else "f64"
    group = min(4, width // (4 if inside == "f32" else 8))
    for size in SIZES:
        values = (rng.random((2, 5, size)) * 0.2 + 0.9).astype(np.float32)
        bits = (values.view(np.uint32) >> 16).astype(np.uint16)
        given = bits if dtype == "bf16" else values.astype(numpy)
        if dtype == "f64":
            given = rng.random((2, 5, size)) * 0.2 + 0.9
        found = []
        for beside in (None, "u8", "f32", "f64"):
            kernel = scanned(op, dtype, inside, beside)
            more = [np.zeros((2, 5, size), NUMPY_DTYPES[beside])] if beside else []
            across = np.zeros_like(given)
            machine.run(kernel, "row", [given, *more, across])
            down = np.zeros((2, size, 5), given.dtype)
            turned = [np.ascontiguousarray(x.swapaxes(1, 2)) for x in (given, *more)]
            for row in range(2):  # the axis is the second loop of columns
                parts = [x[row][None] for x in (*turned, down)]
                machine.run(kernel, "column", parts)
            found += [across, down.swapaxes(1, 2)]
        for other in found:
            np.testing.assert_array_equal(other, found[0])
        if dtype in ("f32", "f64"):
            np.testing.assert_array_equal(found[0], in_pairs(op, given, group))


@pytest.mark.parametrize("op", k.SCAN_OPS)
@pytest.mark.parametrize("dtype", ["u8", "i16", "i32", "i64"])
def test_integers_wrap_around(narrower, op, dtype):
    machine, _ = narrower
    rng = np.random.default_rng(3)
    numpy = np.dtype(NUMPY_DTYPES[dtype])
    run = {"sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum}[op]
    kernel = scanned(op, dtype, dtype, None)
    for size in SIZES:
        given = rng.integers(0, 200, (1, 3, size)).astype(numpy)
        across, down = np.zeros_like(given), np.zeros((1, size, 3), numpy)
        machine.run(kernel, "row", [given, across])
        machine.run(kernel, "column", [np.ascontiguousarray(given.swapaxes(1, 2)), down])
        expected = run.accumulate(given, axis=2, dtype=numpy)
        np.testing.assert_array_equal(across, expected)
        np.testing.assert_array_equal(down.swapaxes(1, 2), expected)


def test_beside_sums(narrower):
    """A scan in a kernel that also reduces, whose loops pause to flush long sums."""
    machine, _ = narrower
    rng = np.random.default_rng(4)
    x = k.load(0, "f32")
    running = k.scan("sum", k.cast(x, "f64"))
    kernel = Kernel(
        "both",
        (Operand("f32", "in", True), Operand("f64", "out", True), Operand("f32", "out")),
        (),
        (Store(1, running), Store(2, k.reduce("sum", x))),
    )
    for size in (5, 63, 64, 66, 1030, 9001):
        given = rng.random((1, 2, size)).astype(np.float32)
        across, down = np.zeros((1, 2, size)), np.zeros((1, size, 2))
        for row in range(2):
            total = np.zeros((1, 1, 1), np.float32)
            machine.run(kernel, "row", [given[:, row : row + 1], across[:, row : row + 1], total])
            np.testing.assert_allclose(total.item(), given[0, row].sum(), 1e-6)
        turned = np.ascontiguousarray(given.swapaxes(1, 2))
        machine.run(kernel, "column", [turned, down, np.zeros((1, 1, 2), np.float32)])
        np.testing.assert_array_equal(across, down.swapaxes(1, 2))
        np.testing.assert_allclose(across, given.cumsum(2, dtype=np.float64), 1e-12)
