"""What the native loader relies on: ELF objects without outside symbols, of few relocations."""

from __future__ import annotations

import inspect
import struct
from collections.abc import Iterator

import numpy as np
import pytest

from gleed.compiler import kernel as k
from gleed.compiler import target as targets
from gleed.compiler.emit import compile_variant
from gleed.compiler.interpret import NUMPY_DTYPES
from gleed.compiler.kernel import DTYPES, Kernel, Operand, Store, Variant
from gleed.compiler.mathlib import LOWERINGS

from .machine import Machine, make_array
from .test_emit import (
    FLOATS,
    assert_close,
    assert_same,
    check,
    make_finite,
    operations,
    reductions,
)

AVX2 = targets.target("x86_64-unknown-linux-gnu", "x86-64-v3", "+avx2,+fma,+f16c,+bmi2")
ARM = targets.target("aarch64-unknown-linux-gnu", "generic", "+neon")
AVX512 = targets.target(
    "x86_64-unknown-linux-gnu",
    "x86-64-v4",
    "+avx512f,+avx512bw,+avx512vl,+avx512dq,+avx2,+fma,+f16c",
)
X86_RELOCATIONS = {1: "R_X86_64_64", 2: "R_X86_64_PC32", 4: "R_X86_64_PLT32"}
ARM_RELOCATIONS = {
    257: "ABS64", 261: "PREL32", 275: "ADR_PREL_PG_HI21", 277: "ADD_ABS_LO12_NC",
    278: "LDST8", 282: "JUMP26", 283: "CALL26", 284: "LDST16", 285: "LDST32", 286: "LDST64",
    299: "LDST128",
}  # fmt: skip


def sections(code: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and contents of each section of an ELF64 object."""
    assert code[:6] == b"\x7fELF\x02\x01"
    (start,) = struct.unpack_from("<Q", code, 0x28)
    size, count = struct.unpack_from("<HH", code, 0x3A)
    for i in range(count):
        kind, _, _, offset, length = struct.unpack_from("<IQQQQ", code, start + i * size + 4)
        yield kind, code[offset : offset + length] if kind != 8 else b""


def undefined_symbols(code: bytes) -> int:
    """How many symbols the object expects from elsewhere (the first, null, one aside)."""
    (table,) = (body for kind, body in sections(code) if kind == 2)
    return sum(struct.unpack_from("<H", table, at + 6)[0] == 0 for at in range(24, len(table), 24))


def relocations(code: bytes) -> set[int]:
    return {
        struct.unpack_from("<I", body, at + 8)[0]
        for kind, body in sections(code)
        if kind == 4
        for at in range(0, len(body), 24)
    }


def kernel_of(nodes: dict[str, k.Node], dtype: str, inputs: int, element: bool) -> Kernel:
    operands = [Operand(dtype, "in", element) for _ in range(inputs)]
    stores = []
    for node in nodes.values():
        stores.append(Store(len(operands), node))
        operands.append(Operand(node.dtype, "out"))
    return Kernel("all", tuple(operands), (), tuple(stores))


@pytest.mark.parametrize("target", [AVX512, AVX2, ARM], ids=["avx512", "avx2", "arm"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_objects_are_self_contained(target, dtype):
    x, y, z = (k.load(i, dtype) for i in range(3))
    casts = {f"to {d}": k.cast(x, d) for d in DTYPES}
    every = kernel_of({**operations(dtype, x, y, z), **casts}, dtype, 3, False)
    reduced = kernel_of(reductions(dtype), dtype, 1, True)
    variants = [
        (every, "map", "1"), (every, "map", "s"), (reduced, "row", "1"), (reduced, "column", "1"),
    ]  # fmt: skip
    known = ARM_RELOCATIONS if target is ARM else X86_RELOCATIONS
    for kernel, orientation, stride in variants:
        variant = Variant(orientation, stride * len(kernel.operands))
        code, symbol = compile_variant(kernel, variant, target)
        assert undefined_symbols(code) == 0
        assert relocations(code) <= set(known)
        assert symbol.encode() in code


@pytest.mark.parametrize("target", [AVX512, AVX2, ARM], ids=["avx512", "avx2", "arm"])
@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_mathlib_is_self_contained(target, dtype):
    for name, lowering in LOWERINGS.items():
        count = len(inspect.signature(lowering).parameters)
        value = k.math(name, *(k.load(i, dtype) for i in range(count)))
        kernel = kernel_of({name: value}, dtype, count, False)
        code, _ = compile_variant(kernel, Variant("map", "1" * (count + 1)), target)
        assert undefined_symbols(code) == 0, name


@pytest.mark.skipif(not targets.host().triple.startswith("x86_64"), reason="runs x86 code")
@pytest.mark.parametrize("dtype", DTYPES)
def test_avx2_code_computes_the_same(dtype):
    rng = np.random.default_rng(2)
    machine = Machine(AVX2)
    x, y, z = (k.load(i, dtype) for i in range(3))
    ops = operations(dtype, x, y, z)
    kernel = kernel_of(ops, dtype, 3, False)
    for size in (1, 8, 37):
        inputs = [make_array(rng, dtype, (1, 2, size)) for _ in range(3)]
        outs = [np.zeros((1, 2, size), NUMPY_DTYPES[n.dtype]) for n in ops.values()]
        check(machine, kernel, "map", [*inputs, *outs], (), assert_same)
    kernel = kernel_of(reductions(dtype), dtype, 1, True)
    for orientation, shape, out in (
        ("row", (3, 1, 90), (3, 1, 1)),
        ("column", (1, 5, 37), (1, 1, 37)),
    ):
        values = make_array(rng, dtype, shape)
        if dtype in FLOATS:
            values = make_finite(rng, dtype, shape)
        outs = [np.zeros(out, NUMPY_DTYPES[n.dtype]) for n in reductions(dtype).values()]
        check(machine, kernel, orientation, [values, *outs], (), assert_close)


def test_old_processors_are_refused():
    with pytest.raises(RuntimeError, match="needs a processor with AVX2, FMA and F16C"):
        targets.target("x86_64-unknown-linux-gnu", "x86-64", "+sse2")
