"""Matrix multiplication against NumPy in higher precision: every dtype, layout and odd size."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gleed import _C
from gleed.compiler import target as targets
from gleed.compiler.contraction import compile_contraction
from gleed.compiler.contraction_emit import KINDS, emit_contraction
from gleed.compiler.contraction_family import DTYPES as KERNEL_DTYPES
from gleed.compiler.contraction_family import family
from gleed.compiler.emit import assemble
from gleed.compiler.kernel import KernelError

from .products import (
    COMPLEX,
    DTYPES,
    FLOATS,
    INTEGERS,
    assert_product,
    layouts,
    make,
    matmul,
    tensor_matmul,
    use_compiler,
)
from .test_emit_object import ARM, AVX2, relocations, undefined_symbols

# Each of the ways: tiles (one, many, ragged, several blocks deep), dot products, one row.
SIZES = [
    (1, 1, 1), (7, 17, 65), (65, 7, 17), (17, 65, 7), (6, 64, 64), (64, 64, 64), (67, 129, 65),
    (1, 33, 100), (100, 33, 1), (3, 170, 50), (50, 170, 3), (3, 9, 50), (2, 5, 1000),
    (1, 600, 300), (300, 600, 1), (32, 64, 128), (32, 128, 10),
]  # fmt: skip
DEEP = (70, 1100, 130)


@pytest.fixture(autouse=True)
def compiler():
    use_compiler()


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture
def threads():
    before = _C.get_num_threads()
    yield _C.set_num_threads
    _C.set_num_threads(before)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_products_of_every_layout(rng, dtype, size):
    m, depth, n = size
    for a in layouts(rng, dtype, (m, depth)):
        for b in layouts(rng, dtype, (depth, n)):
            assert_product(matmul(a, b, dtype=dtype), a, b, dtype)


@pytest.mark.parametrize("dtype", FLOATS)
def test_sums_over_several_blocks(rng, dtype):
    for a in layouts(rng, dtype, DEEP[:2]):
        b = make(rng, dtype, DEEP[1:])
        assert_product(matmul(a, b, dtype=dtype), a, b, dtype)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_results_of_several_blocks(rng, dtype):
    a, b = make(rng, dtype, (1100, 1300)), make(rng, dtype, (1300, 1100))
    assert_product(matmul(a, b, dtype=dtype), a, b, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [(0, 3, 4), (3, 0, 4), (3, 4, 0), (1, 0, 1), (0, 0, 0), (9, 0, 1)])
def test_empty_products(rng, dtype, size):
    m, depth, n = size
    a, b = make(rng, dtype, (m, depth)), make(rng, dtype, (depth, n))
    np.testing.assert_array_equal(matmul(a, b, dtype=dtype), np.zeros((m, n)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_batches(rng, dtype):
    for batch in [(1,), (5,), (70,), (2, 3), (4, 1, 3), (0, 2)]:
        a, b = make(rng, dtype, (*batch, 7, 19)), make(rng, dtype, (*batch, 19, 11))
        columns = np.ascontiguousarray(a.swapaxes(-1, -2)).swapaxes(-1, -2)
        one_a = np.broadcast_to(a[:1, ...], a.shape)
        one_b = np.broadcast_to(b[:1, ...], b.shape)
        same_b = np.broadcast_to(b.reshape(-1, 19, 11)[:1].reshape((19, 11)), b.shape) \
            if b.size else b  # fmt: skip
        for x, y in [(a, b), (columns, b), (a[::-1], b), (one_a, b), (a, one_b), (a, same_b)]:
            assert_product(matmul(x, y, dtype=dtype), x, y, dtype)


@pytest.mark.parametrize("dtype", FLOATS)
def test_batches_of_single_rows_and_columns(rng, dtype):
    a, b = make(rng, dtype, (40, 1, 33)), make(rng, dtype, (40, 33, 21))
    same = np.broadcast_to(b[0], b.shape)
    column = make(rng, dtype, (40, 33, 1))
    for x, y in [(a, b), (a, same), (b.swapaxes(1, 2), column), (a, column), (column, a)]:
        assert_product(matmul(x, y, dtype=dtype), x, y, dtype)


def test_large_batch_items_are_divided_themselves(rng):
    a, b = make(rng, "float32", (3, 300, 310)), make(rng, "float32", (3, 310, 320))
    assert_product(matmul(a, b), a, b, "float32")


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d not in COMPLEX and d != "bool"])
@pytest.mark.parametrize("relu", [False, True])
def test_bias_and_relu(rng, dtype, relu):
    for m, depth, n in [(33, 20, 70), (1, 50, 90), (3, 200, 40), (40, 200, 1), (5, 0, 6), DEEP]:
        if dtype in INTEGERS and m == DEEP[0]:
            continue
        a, b = make(rng, dtype, (m, depth)), make(rng, dtype, (depth, n))
        for bias in (make(rng, dtype, (n,)), make(rng, dtype, (3 * n,))[::-3]):
            got = matmul(a, b, bias, dtype=dtype, relu=relu)
            if dtype in INTEGERS:
                exact = a @ b + bias
                np.testing.assert_array_equal(got, np.maximum(exact, 0) if relu else exact)
            else:
                assert_product(got, a, b, dtype, bias, relu)


def test_relu_keeps_nan(rng):
    a, b = make(rng, "float32", (3, 5)), make(rng, "float32", (5, 20))
    a[1, 2] = np.nan
    got = matmul(a, b, np.zeros(20, "f"), relu=True)
    assert np.isnan(got[1]).all() and (got[[0, 2]] >= 0).all()


@pytest.mark.parametrize("dtype", FLOATS)
def test_nothing_around_an_operand_is_used(rng, dtype):
    """What lies beside an operand never reaches the result, not even times zero."""
    for m, depth, n in [(7, 17, 21), (1, 5, 37), (2, 129, 3), (13, 3, 70)]:
        operands = []
        for rows, columns in [(m, depth), (depth, n)]:
            around = np.full((rows + 8, columns + 24), np.nan, np.float64)
            around[4:-4, 12:-12] = make(rng, "bfloat16", (rows, columns))
            wide = around.astype("f" if dtype == "bfloat16" else dtype)
            operands.append([wide[4:-4, 12:-12], np.asfortranarray(wide)[4:-4, 12:-12]])
        for a in operands[0]:
            for b in operands[1]:
                assert np.isfinite(matmul(a, b, dtype=dtype)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_threads_do_not_change_a_bit(rng, dtype, threads):
    cases = [((60, 65), (65, 130)), ((1, 900), (900, 800)), ((800, 900), (900, 1))]
    cases += [((90, 20, 33), (90, 33, 12)), ((3, 500), (500, 600))]
    if dtype in FLOATS:
        cases += [((260, 1100), (1100, 300)), ((1, 100_000), (100_000, 2))]
    for shape_a, shape_b in cases:
        a, b = make(rng, dtype, shape_a), make(rng, dtype, shape_b)
        for y in (b, np.ascontiguousarray(b.swapaxes(-1, -2)).swapaxes(-1, -2)):
            results = []
            for count in (1, 2, 5):
                threads(count)
                results.append(matmul(a, y, dtype=dtype).tobytes())
            assert results[0] == results[1] == results[2]


def test_long_sums_of_few_results(rng):
    for m, n in [(1, 1), (3, 5), (5, 40)]:
        for dtype in FLOATS:
            a, b = make(rng, dtype, (m, 70_001)), make(rng, dtype, (70_001, n))
            bias = make(rng, dtype, (n,))
            assert_product(matmul(a, b, dtype=dtype), a, b, dtype)
            assert_product(matmul(a, b, bias, dtype=dtype, relu=True), a, b, dtype, bias, True)


def test_packing_takes_little_memory(rng):
    size = 1500
    a, b = (_C.from_numpy(make(rng, "float32", (size, size)).T) for _ in range(2))
    _C.reset_peak_memory()
    before = _C.memory_stats()["allocated"]
    result = tensor_matmul(a, b)
    extra = _C.memory_stats()["peak"] - before - 4 * result.numel()
    assert extra < 6 << 20


@pytest.mark.parametrize(
    ("shapes", "rule"),
    [
        (((2, 3), (4, 5)), r"\[m, k\] times \[k, n\]"),
        (((2, 2, 3), (3, 3, 5)), "batch axes are equal"),
        (((2, 3), (3, 5), (4,)), "bias has n elements"),
        (((2, 3), (3, 5), (1, 5)), "bias has n elements"),
        (((3,), (3,)), "two or more"),
    ],
)
def test_a_wrong_plan_is_refused(shapes, rule):
    with pytest.raises(ValueError, match=f"^matmul: .*{rule}.*; the plan gives other operands"):
        tensor_matmul(*(_C.from_numpy(np.zeros(s, "f")) for s in shapes))


def test_operands_of_two_dtypes_are_refused():
    with pytest.raises(ValueError, match="matmul: all operands have one dtype"):
        tensor_matmul(_C.from_numpy(np.zeros((2, 2))), _C.from_numpy(np.zeros((2, 2), "f")))


def test_unknown_kernels_are_refused():
    for kind, dtype in [("tile", "i32"), ("cube", "f32")]:
        with pytest.raises(KernelError, match="contraction: no micro-kernel"):
            compile_contraction(kind, dtype, 6, 4)


# ---- other processors ----


@pytest.mark.parametrize("target", [AVX2, ARM], ids=["avx2", "arm"])
@pytest.mark.parametrize("dtype", KERNEL_DTYPES)
def test_kernels_of_other_processors_stand_alone(target, dtype):
    shape = family(dtype, target)
    width = shape.vectors * shape.lanes
    cases = {
        "family": (0, 0), "tile": (shape.rows, shape.vectors), "ragged": (1, 1), "dot": (4, 2),
        "copy": (0, width), "transpose": (0, width),
        "winograd_input": (), "winograd_weight": (), "winograd_output": (),
        "plane": (3, 3, 2, 2, 1, 1, 2), "plane_weight": (3, 2, 1, 3, 2, 1, 1),
        "pixel": (3, 3, 2, 2, 1, 1, 4, 1), "pixel_weight": (3, 2, 1, 3, 2, 1, 3, 0),
    }  # fmt: skip
    assert set(cases) == set(KINDS)
    for kind, numbers in cases.items():
        if kind.startswith("winograd") and dtype not in ("f32", "f64"):
            continue
        code = assemble(emit_contraction(kind, dtype, numbers, target, "kernel"), target)
        assert undefined_symbols(code) == 0 and len(relocations(code)) <= 8


@pytest.mark.skipif(not targets.host().triple.startswith("x86_64"), reason="runs AVX2 code")
@pytest.mark.parametrize("vector_bytes", [32, 16])
def test_narrower_vectors_give_right_results(vector_bytes):
    """In a process of its own: the core keeps the kernels it has."""
    here = Path(__file__).parent
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import narrow; narrow.main(int(sys.argv[2]))"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(here), str(vector_bytes)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=True,
    )
