"""Results written past the caches: the same bits wherever they begin, and nothing beside them."""

from __future__ import annotations

import numpy as np
import pytest

from gleed.compiler import kernel as k
from gleed.compiler import target as targets
from gleed.compiler.emit import assembly
from gleed.compiler.interpret import NUMPY_DTYPES
from gleed.compiler.kernel import DTYPES, Kernel, Operand, Store, Variant

from .machine import Machine, make_array
from .test_emit import SIZES, assert_same
from .test_emit_object import ARM, AVX2, AVX512

ON_X86 = targets.host().triple.startswith("x86_64")


def picked(dtype: str, heavy: bool) -> Kernel:
    """x where it equals y, else y; or several such steps, which fill wider vectors."""
    value, y = k.load(0, dtype), k.load(1, dtype)
    for i in range(5 if heavy else 1):
        value = k.select(k.eq(value, y), value, y if i % 2 else k.load(0, dtype))
    operands = (Operand(dtype, "in"), Operand(dtype, "in"), Operand(dtype, "out"))
    return Kernel("picked", operands, (), (Store(2, value),))


@pytest.fixture(scope="module", params=["host", pytest.param("avx2", marks=pytest.mark.skipif(
    not ON_X86, reason="runs x86 code"))])  # fmt: skip
def any_machine(request, machine) -> Machine:
    return machine if request.param == "host" else Machine(AVX2)


@pytest.mark.parametrize("heavy", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_alignment(any_machine, dtype, heavy):
    rng, kernel = np.random.default_rng(21), picked(dtype, heavy)
    for size in SIZES:
        for shift in (0, 1, 5, 16, 63):
            inputs = [make_array(rng, dtype, (2, 3, max(size, 1)))[..., :size] for _ in range(2)]
            # Rows begin at different distances from even addresses, and with guards between them.
            outs = [np.zeros((2, 3, size + 67), NUMPY_DTYPES[dtype]) for _ in range(2)]
            views = [out[..., shift : shift + size] for out in outs]
            any_machine.run(kernel, "map", [*inputs, views[0]], streamed=2)
            any_machine.interpret(kernel, "map", [*inputs, views[1]])
            assert_same(*outs, dtype, f"{size} points from {shift}")


def test_memory_that_is_not_aligned_to_elements(any_machine):
    rng, kernel = np.random.default_rng(5), picked("f32", heavy=False)
    inputs = [make_array(rng, "f32", (1, 2, 130)) for _ in range(2)]
    outs = [np.ndarray((1, 2, 130), "f", bytearray(1 + 4 * 260), 1) for _ in range(2)]
    any_machine.run(kernel, "map", [*inputs, outs[0]], streamed=2)
    any_machine.interpret(kernel, "map", [*inputs, outs[1]])
    assert_same(*outs, "f32", "a byte off")


def test_another_result_and_a_narrow_one(machine):
    """Of two results only one is written so; vectors of bools are as many bytes as lanes."""
    rng, x = np.random.default_rng(3), k.load(0, "f32")
    operands = (Operand("f32", "in"), Operand("f32", "out"), Operand("bool", "out"))
    kernel = Kernel("two", operands, (), (Store(1, x + x), Store(2, k.gt(x, 0))))
    for streamed in (1, 2):
        value = rng.standard_normal((1, 1, 203)).astype("f")
        double, positive = np.zeros((1, 1, 203), "f"), np.zeros((1, 1, 205), "?")
        machine.run(kernel, "map", [value, double, positive[..., 1:204]], streamed=streamed)
        np.testing.assert_array_equal(double, value + value)
        np.testing.assert_array_equal(positive[..., 1:204], value > 0)
        assert not positive[..., ::204].any()


@pytest.mark.parametrize("target", [AVX512, AVX2])
def test_instructions(target):
    kernel = picked("f32", heavy=False)
    streamed = assembly(kernel, Variant("map", "11n"), target)
    assert "vmovnt" in streamed
    assert "sfence" in streamed
    plain = assembly(kernel, Variant("map", "111"), target)
    assert "vmovnt" not in plain
    assert "sfence" not in plain


def test_arm_needs_no_fence():
    assert "sfence" not in assembly(picked("f32", heavy=False), Variant("map", "11n"), ARM)
