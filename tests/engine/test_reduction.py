"""Bindings of reductions: orientations, staging of axes that do not collapse, chunks."""

import itertools

import numpy as np
import pytest

from gleed import _C
from gleed.compiler import kernel as k

from .harness import REQUIRED, Reduce, array, core, op, reduction, split_sum, tensor

PARAMETERS = (("input", "tensor", REQUIRED, ""), ("dim", "static", REQUIRED, ""))


def reducer(name, dtype="f32", result=None):
    return op(name, PARAMETERS, Reduce(reduction(name, dtype), result))


total = reducer("sum")
largest = reducer("max")
where_largest = reducer("argmax", result=_C.int64)
total_in_chunks = op("sum", PARAMETERS, Reduce(split_sum()))


@pytest.mark.parametrize("shape", [(6,), (5, 7), (33, 4), (4, 100), (3, 4, 5), (2, 3, 4, 5)])
def test_every_choice_of_axes(rng, shape):
    a = rng.integers(-9, 9, shape).astype("f")
    for count in range(1, len(shape) + 1):
        for axes in itertools.combinations(range(len(shape)), count):
            np.testing.assert_array_equal(array(total(tensor(a), axes)), a.sum(axes))
            np.testing.assert_array_equal(array(largest(tensor(a), axes)), a.max(axes))


def test_transposed_and_reversed(rng):
    a = rng.integers(-9, 9, (40, 6, 30)).astype("f")
    for view in (a.T, a.transpose(1, 0, 2), a[::-1, :, ::2], a[:, ::-3]):
        for axes in ((0,), (1,), (2,), (0, 2), (1, 2), (0, 1, 2)):
            np.testing.assert_array_equal(array(total(tensor(view), axes)), view.sum(axes))


def test_the_first_of_equal_extremes_is_found_in_any_layout(rng):
    a = rng.integers(0, 3, (12, 10, 14)).astype("f")
    for view in (a, a.T, a[::-1, ::2], a.transpose(1, 2, 0)):
        for axis in range(3):
            found = array(where_largest(tensor(view), (axis,)))
            np.testing.assert_array_equal(found, view.argmax(axis))
        flat = array(where_largest(tensor(view), (0, 1, 2)))
        assert flat == view.argmax()


def test_more_than_two_reduced_axes_that_do_not_collapse(rng):
    big = rng.integers(-9, 9, (4, 6, 4, 6, 5)).astype("f")
    a = big[::2, ::3, ::2, ::3, ::2]
    np.testing.assert_array_equal(array(total(tensor(a), (0, 1, 2, 3, 4))), a.sum())
    np.testing.assert_array_equal(array(total(tensor(a), (0, 1, 3, 4))), a.sum((0, 1, 3, 4)))
    np.testing.assert_array_equal(array(where_largest(tensor(a), (0, 1, 2, 3, 4))), a.argmax())


@pytest.mark.parametrize("shape", [(0,), (0, 4), (4, 0)])
def test_nothing_to_reduce_gives_the_identity(shape):
    a = np.zeros(shape, "f")
    for axis in range(len(shape)):
        np.testing.assert_array_equal(array(total(tensor(a), (axis,))), a.sum(axis))


def test_axes_of_size_one(rng):
    a = rng.standard_normal((1, 5, 1)).astype("f")
    np.testing.assert_array_equal(array(total(tensor(a), (0,))), a.sum(0))
    np.testing.assert_array_equal(array(total(tensor(a), (0, 2))), a.sum((0, 2)))
    assert array(total(tensor(a[:, :1]), (0, 1, 2))) == a[0, 0, 0]


@pytest.mark.parametrize(
    "shape, axes",
    [
        ((1 << 20,), (0,)),
        ((100_003,), (0,)),
        ((2, 300_000), (1,)),
        ((300_000, 3), (0,)),
        ((70_000, 8), (0, 1)),
        ((700, 1001), (0,)),
        ((4, 300, 1024), (1,)),
    ],
)
def test_long_reductions_run_in_chunks_and_change_no_bit(rng, threads, shape, axes):
    a = rng.standard_normal(shape).astype("f")
    results = []
    for count in (1, 2, 5):
        threads(count)
        results.append(array(total_in_chunks(tensor(a.copy()), axes)))
    for result in results:
        np.testing.assert_array_equal(result, results[0])
    np.testing.assert_allclose(results[0], a.astype("d").sum(axes), rtol=1e-5, atol=1e-2)


def test_chunks_use_more_launches(rng):
    a = tensor(np.ones(1 << 18, "f"))
    before = _C.engine_stats()["launches"]
    assert array(total_in_chunks(a, (0,))) == 1 << 18
    assert _C.engine_stats()["launches"] >= before + 2


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (64, 33), (1, 7), (7, 1)])
def test_softmax_over_either_axis(rng, shape):
    x = k.load(0, "f32")
    e = k.math("exp", x - k.reduce("max", x))
    ir = k.Kernel(
        "softmax",
        (k.Operand("f32", "in", True), k.Operand("f32", "out", True)),
        (),
        (k.Store(1, e / k.reduce("sum", e)),),
    )
    kernel = core(ir)

    def compile(arguments, sizes, ints, words):
        axis = arguments[1]
        order = (1 - axis, axis)
        return _C.Plan(
            ((_C.float32, 2),),
            (("size", 0, 0), ("size", 0, 1)),
            (),
            ((_C.float32, (0, 1)),),
            (("alloc", 1, ()), ("kernel", kernel, order, 1, ((0, order), (1, order)), ())),
            (1,),
            (),
            (),
        )

    softmax = op("softmax", PARAMETERS, compile)
    a = rng.standard_normal(shape).astype("f")
    for axis in (0, 1):
        expected = np.exp(a - a.max(axis, keepdims=True))
        expected /= expected.sum(axis, keepdims=True)
        np.testing.assert_allclose(array(softmax(tensor(a), axis)), expected, rtol=1e-5)
        np.testing.assert_allclose(array(softmax(tensor(a.T), 1 - axis)), expected.T, rtol=1e-5)
