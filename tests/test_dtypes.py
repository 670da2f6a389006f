"""Dtypes: names, limits, promotion, exact conversions to and from half precision."""

import copy
import math

import numpy as np
import pytest

from gleed import _C, dtypes
from gleed.errors import (
    ArgumentError,
    DTypeError,
)

NUMPY = {
    dtypes.float32: "f4",
    dtypes.float64: "f8",
    dtypes.float16: "f2",
    dtypes.int8: "i1",
    dtypes.int16: "i2",
    dtypes.int32: "i4",
    dtypes.int64: "i8",
    dtypes.uint8: "u1",
    dtypes.bool: "?",
    dtypes.complex64: "c8",
    dtypes.complex128: "c16",
}
ALL = [*NUMPY, dtypes.bfloat16]


def test_dtype_names_and_facts():
    assert repr(dtypes.float32) == "gleed.float32"
    assert [d.itemsize for d in ALL] == [4, 8, 2, 1, 2, 4, 8, 1, 1, 8, 16, 2]
    assert {d for d in ALL if d.is_floating_point} == {
        dtypes.float16,
        dtypes.bfloat16,
        dtypes.float32,
        dtypes.float64,
    }
    assert {d for d in ALL if not d.is_signed} == {dtypes.uint8, dtypes.bool}
    assert {d for d in ALL if d.is_complex} == {dtypes.complex64, dtypes.complex128}
    assert (dtypes.half, dtypes.double, dtypes.long) == (
        dtypes.float16,
        dtypes.float64,
        dtypes.int64,
    )
    assert dtypes.complex128.to_real() is dtypes.float64
    assert dtypes.float32.to_complex() is dtypes.complex64


@pytest.mark.parametrize("dtype", [dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64])
def test_finfo(dtype):
    info = dtypes.finfo(dtype)
    if dtype is dtypes.bfloat16:
        assert (info.eps, info.max, info.tiny) == (2**-7, 255 * 2.0**120, 2.0**-126)
        return
    expected = np.finfo(NUMPY[dtype])
    for name in ("bits", "eps", "max", "min", "smallest_normal", "tiny", "resolution"):
        assert getattr(info, name) == pytest.approx(float(getattr(expected, name)), rel=1e-3)


def test_iinfo_and_what_has_no_limits():
    for dtype in (dtypes.int8, dtypes.int16, dtypes.int32, dtypes.int64, dtypes.uint8):
        expected = np.iinfo(NUMPY[dtype])
        info = dtypes.iinfo(dtype)
        assert (info.bits, info.min, info.max) == (expected.bits, expected.min, expected.max)
    with pytest.raises(DTypeError, match=r"^finfo: takes a floating-point dtype; gleed\.int8 came"):
        dtypes.finfo(dtypes.int8)
    with pytest.raises(DTypeError, match=r"^iinfo: takes an integer dtype; gleed\.bool came"):
        dtypes.iinfo(dtypes.bool)


def test_promotion_is_a_semilattice_and_agrees_with_pytorch_where_numpy_does_not():
    for a in ALL:
        assert dtypes.promote_types(a, a) is a
        for b in ALL:
            joined = dtypes.promote_types(a, b)
            assert joined is dtypes.promote_types(b, a)
            assert dtypes.promote_types(joined, a) is joined
            assert dtypes.can_cast(a, joined)
    assert dtypes.promote_types(dtypes.uint8, dtypes.int8) is dtypes.int16
    assert dtypes.promote_types(dtypes.float16, dtypes.bfloat16) is dtypes.float32
    assert dtypes.promote_types(dtypes.int64, dtypes.float16) is dtypes.float16
    assert dtypes.promote_types(dtypes.complex64, dtypes.float64) is dtypes.complex128


def test_result_type_ranks_operands():
    line, point = _C.empty((2,), dtypes.float16), _C.empty((), dtypes.float64)
    assert dtypes.result_type(line, point) is dtypes.float16
    assert dtypes.result_type(_C.empty((2,), dtypes.int8), point) is dtypes.float64
    assert dtypes.result_type(_C.empty((2,), dtypes.int8), 3) is dtypes.int8
    assert dtypes.result_type(_C.empty((), dtypes.float64), 1j) is dtypes.complex128
    assert dtypes.result_type(True, 2) is dtypes.int64
    with pytest.raises(ArgumentError, match=r"^result_type: takes at least one operand"):
        dtypes.result_type()
    with pytest.raises(ArgumentError, match=r"^result_type: takes tensors and numbers; a str came"):
        dtypes.result_type(line, "a")


def test_default_dtype():
    assert dtypes.get_default_dtype() is dtypes.float32
    dtypes.set_default_dtype(dtypes.float64)
    try:
        assert _C.tensor_from_data([1.5]).dtype is dtypes.float64
        assert _C.tensor_from_data(1j).dtype is dtypes.complex128
    finally:
        dtypes.set_default_dtype(dtypes.float32)
    with pytest.raises(DTypeError, match=r"^set_default_dtype: takes a floating-point dtype"):
        dtypes.set_default_dtype(dtypes.int64)


def test_every_half_is_read_and_rounded_as_ieee_says():
    bits = np.arange(2**16, dtype=np.uint16)
    halves = bits.view(np.float16)
    read = _C.from_numpy(halves).tolist()
    np.testing.assert_array_equal(read, halves.astype(np.float64))
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 2**32, 20000, dtype=np.uint32).view(np.float32)
    near = halves[np.isfinite(halves)].astype(np.float32)
    ties = (near[:-1] + near[1:]) / 2  # halfway between neighbours, where rounding is to even
    edges = np.array([65504, 65519.996, 65520, 2**-25, 2**-24, 2**-25 * 1.001, np.inf], np.float32)
    for values in (numbers, ties, edges, -edges):
        with np.errstate(over="ignore", invalid="ignore"):
            expected = values.astype(np.float16)
        made = _C.to_numpy(_C.tensor_from_data(values, dtypes.float16))
        np.testing.assert_array_equal(made, expected)


def test_bfloat16_rounds_to_nearest_even():
    def rounded(value):
        return _C.tensor_from_data(value, dtypes.bfloat16).item()

    assert rounded(1 + 2**-8) == 1 and rounded(1 + 3 * 2**-8) == 1 + 2**-6
    assert rounded(1 + 2**-8 + 2**-20) == 1 + 2**-7
    assert rounded(3.4e38) == math.inf and rounded(-0.0) == 0
    assert math.isnan(rounded(math.nan)) and math.copysign(1, rounded(-0.0)) == -1


def test_dtypes_are_singletons_when_copied():
    assert copy.deepcopy(dtypes.float32) is dtypes.float32
    assert len({dtypes.float32: 1, dtypes.float: 2}) == 1
    with pytest.raises(TypeError):
        type(dtypes.float32)()


@pytest.mark.parametrize("source", NUMPY, ids=str)
@pytest.mark.parametrize("target", ALL, ids=str)
@pytest.mark.parametrize("step", [1, -2])
def test_arrays_are_converted(source, target, step):
    array = np.array([0, 1, 2, 3.75, 100, 127]).astype(NUMPY[source])[::step]
    made = _C.tensor_from_data(array, target)
    if target is dtypes.bfloat16:
        expected = array.astype("c16").real  # these numbers have few enough bits
    else:
        real = array.real if array.dtype.kind == "c" and not target.is_complex else array
        expected = real.astype(NUMPY[target])
    assert made.dtype is target and made.tolist() == expected.tolist()


def test_bytes_that_are_no_booleans():
    odd = _C.frombuffer(b"\x00\x02\xff", dtypes.bool)
    assert odd.tolist() == [False, True, True]
    assert _C.tensor_from_data(odd, dtypes.int8).tolist() == [0, 1, 1]
