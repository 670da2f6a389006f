"""Bindings of map kernels: layouts of every kind give what NumPy gives."""

import itertools

import numpy as np
import pytest

from gleed import _C

from .harness import (
    ADD,
    REQUIRED,
    TWO,
    Broadcast,
    add,
    array,
    compile_kernel,
    op,
    pointwise,
    tensor,
)


def layouts(rng, shape):
    """Arrays of one shape in memory of many kinds."""
    plain = rng.standard_normal(shape).astype("f")
    yield "contiguous", plain
    if len(shape) >= 2:
        yield "transposed", rng.standard_normal(shape[::-1]).astype("f").T
        yield (
            "sliced",
            rng.standard_normal([3 * n for n in shape]).astype("f")[
                tuple(slice(1, None, 3) for _ in shape)
            ],
        )
        yield "reversed", plain[::-1, ..., ::-1]
        yield "expanded", np.broadcast_to(plain[:1], shape)
        yield (
            "permuted",
            np.moveaxis(rng.standard_normal((*shape[1:], shape[0])).astype("f"), -1, 0),
        )


@pytest.mark.parametrize(
    "shape", [(), (1,), (7,), (5, 3), (4, 1, 6), (2, 3, 5, 4), (3, 2, 2, 3, 2)]
)
def test_every_pair_of_layouts(rng, shape):
    for (_, a), (_, b) in itertools.product(layouts(rng, shape), layouts(rng, shape)):
        np.testing.assert_array_equal(array(add(tensor(a), tensor(b))), a + b)


@pytest.mark.parametrize(
    "shapes",
    [((2, 1), (1, 3)), ((5,), (4, 5)), ((1, 1, 2), (2,)), ((), (3, 3)), ((4, 1, 3), (2, 1))],
)
def test_broadcasting(rng, shapes):
    a, b = (rng.standard_normal(s).astype("f") for s in shapes)
    np.testing.assert_array_equal(array(add(tensor(a), tensor(b))), a + b)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 4)])
def test_empty(shape):
    a = np.zeros(shape, "f")
    result = add(tensor(a), tensor(a))
    assert tuple(result.shape) == shape


def test_many_axes_that_do_not_collapse(rng):
    a = rng.standard_normal((4, 6, 4, 6, 4)).astype("f")[::2, ::3, ::2, ::3, ::2]
    b = rng.standard_normal((2, 2, 2, 2, 2)).astype("f").transpose(4, 2, 0, 3, 1)
    np.testing.assert_array_equal(array(add(tensor(a), tensor(b))), a + b)


def test_the_result_follows_the_order_of_the_inputs(rng):
    a = rng.standard_normal((3, 4, 5)).astype("f").transpose(2, 0, 1)
    assert add(tensor(a), tensor(a)).stride() == (1, 20, 5)
    plain = np.ascontiguousarray(a)
    assert add(tensor(plain), tensor(plain)).stride() == (12, 4, 1)


@pytest.mark.parametrize("shape", [(700, 300), (64, 64), (65, 129), (3, 100, 70)])
def test_transposing_copies_run_in_tiles(rng, shape):
    a = rng.standard_normal(shape).astype("f")
    scale = op(
        "twice",
        (("input", "tensor", REQUIRED, ""), ("other", "tensor", REQUIRED, "")),
        Broadcast(pointwise(lambda x, y: x * 2 + y, ("f32", "f32"))),
    )
    b = np.asfortranarray(rng.standard_normal(shape).astype("f"))
    np.testing.assert_array_equal(array(scale(tensor(a), tensor(b))), a * 2 + b)


@pytest.mark.parametrize("dtype", ["f64", "i64", "i32", "u8", "i8", "i16"])
def test_dtypes(dtype):
    name = {"f": "float", "i": "int", "u": "uint"}[dtype[0]] + dtype[1:]
    name = {"uint8": "uint8"}.get(name, name)
    kernel = pointwise(lambda x, y: x * y, (dtype, dtype))
    times = op(
        "mul", (("a", "tensor", REQUIRED, ""), ("b", "tensor", REQUIRED, "")), Broadcast(kernel)
    )
    a = np.arange(33).astype(name)
    np.testing.assert_array_equal(array(times(tensor(a), tensor(a))), a * a)


def test_run_time_numbers_never_compile_anew():
    kernel = pointwise(lambda x, s: x * s, ("f32",), ("f32",))
    compiler = Broadcast(kernel)
    scale = op(
        "scale", (("input", "tensor", REQUIRED, ""), ("by", "scalar", REQUIRED, "")), compiler
    )
    a = np.arange(9, dtype="f")
    for factor in (1.5, -2.0, 0.25):
        np.testing.assert_array_equal(array(scale(tensor(a), factor)), a * np.float32(factor))
    assert len(compiler.calls) == 1


@pytest.mark.parametrize("shape", [(1 << 20,), (1000, 1100), (3, 400_000), (400_000, 3)])
def test_division_among_threads_changes_no_bit(rng, threads, shape):
    a, b = (rng.standard_normal(shape).astype("f") for _ in range(2))
    results = []
    for count in (1, 2, 3):
        threads(count)
        results.append(array(add(tensor(a), tensor(b.copy()))))
    for result in results:
        np.testing.assert_array_equal(result, a + b)


def test_launches_are_counted(rng):
    a = tensor(rng.standard_normal(5).astype("f"))
    add(a, a)
    before = _C.engine_stats()
    add(a, a)
    after = _C.engine_stats()
    assert after["launches"] == before["launches"] + 1
    assert after["hits"] == before["hits"] + 1


def test_what_no_cache_holds_is_written_past_them(rng):
    """If it is a result of its own: not what is written in place, and not what is only filled."""
    a = rng.standard_normal((3, 3_000_001)).astype("f")[:, :-1]  # rows that are not even
    row, few = rng.standard_normal(3_000_000).astype("f"), a[:, :1000]
    variants = []

    def compile(ir, orientation, strides):
        variants.append(strides)
        return compile_kernel(ir, orientation, strides)

    kernel = _C.Kernel(ADD.ir, 2, compile, None)
    plus, plus_ = (op("plus", TWO, Broadcast(kernel, inplace=flag)) for flag in (False, True))
    np.testing.assert_array_equal(array(plus(tensor(a), tensor(row))), a + row)
    assert variants == ["11n"]
    np.testing.assert_array_equal(array(plus(tensor(few), tensor(few))), few + few)
    filled = plus(tensor(np.broadcast_to(few[:1, :1], a.shape)), tensor(few[:1, :1]))
    assert float(filled[2, 5]) == few[0, 0] * 2
    expected = a + row
    plus_(tensor(a), tensor(row))
    np.testing.assert_array_equal(a, expected)
    assert variants == ["11n", "111", "001"]
