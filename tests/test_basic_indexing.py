"""Indices of ints, slices, None and Ellipsis make views, as in NumPy."""

import gc
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gleed import _C
from gleed.errors import (
    ArgumentError,
    BoundsError,
    RangeError,
)


def arange(*shape, dtype="f4"):
    return _C.from_numpy(np.arange(math.prod(shape), dtype=dtype).reshape(shape))


bounds = st.one_of(st.none(), st.integers(-9, 9))
steps = st.one_of(st.none(), st.integers(-4, 4).filter(bool), st.just(2**40), st.just(-(2**62)))
items = st.one_of(
    st.integers(-3, 2), st.builds(slice, bounds, bounds, steps), st.none(), st.just(...)
)


@given(st.lists(items, max_size=6).map(tuple))
def test_basic_indices_agree_with_numpy(index):
    array = np.arange(3 * 5 * 4, dtype="i4").reshape(3, 5, 4)[:, ::-1]
    tensor = _C.from_numpy(array)
    if index.count(...) > 1:  # beyond the first one they stand for nothing, as in PyTorch
        first = index.index(...)
        plain = index[: first + 1] + tuple(i for i in index[first + 1 :] if i is not ...)
    else:
        plain = index if ... in index else (*index, ...)  # so that NumPy makes a view, not a number
    try:
        expected = array[plain]
    except IndexError:
        with pytest.raises(BoundsError):
            tensor[index]
        return
    result = tensor[index]
    assert result.tolist() == expected.tolist() and result.shape == expected.shape
    if result.numel():
        result_at = np.asarray(result).__array_interface__["data"][0]
        assert result_at == expected.__array_interface__["data"][0]
    assert result.is_contiguous() == expected.flags.c_contiguous


@pytest.mark.parametrize(
    ("shape", "index", "error", "message"),
    [
        ((3,), 5, BoundsError, r"index 5 for axis 0 of size 3; use -3 … 2$"),
        ((3, 4), (0, -5), BoundsError, r"index -5 for axis 1 of size 4; use -4 … 3$"),
        ((0,), 0, BoundsError, "index 0 for axis 0 of size 0; the axis is empty$"),
        ((3,), 2**70, BoundsError, f"index {2**70} needs more than 64 bits"),
        ((3,), (0, 0), BoundsError, "too many indices; 2 for a tensor with 1 dimension; use at"),
        ((), 0, BoundsError, "a 0-d tensor has no axis to index; use item"),
        ((3,), (None,) * 16, BoundsError, "at most 16 dimensions; more came"),
        ((3,), (None,) * 50, BoundsError, "too many indices; 50"),
        ((3,), slice(None, None, 0), RangeError, "a slice's step must not be 0"),
    ],
    ids=str,
)
def test_indices_out_of_range(shape, index, error, message):
    with pytest.raises(error, match=r"^index: .*" + message):
        arange(*shape)[index]


def test_numbers_of_other_kinds_are_indices():
    x = arange(3, 4)
    assert x[np.int64(1)].tolist() == x[_C.tensor_from_data(1)].tolist() == [4, 5, 6, 7]
    assert x[_C.tensor_from_data(1) :, np.int8(0)].tolist() == [4, 8]
    with pytest.raises(TypeError):
        x["a":]


def test_a_slice_whose_bounds_change_the_world():
    class Hostile:
        def __index__(self):
            held.clear()
            gc.collect()
            return 1

    held = [arange(4)]
    assert held[0][Hostile() :].tolist() == [1, 2, 3]


def test_views_share_memory_and_versions():
    array = np.zeros((3, 4), "f4")
    x = _C.from_numpy(array)
    row = x[1]
    array[1, 2] = 7
    assert row.tolist() == [0, 0, 7, 0] and row._base is x and x._base is None
    assert row[1:]._base is x and row._version == x._version == 0


def test_iteration():
    x = arange(3, 2)
    assert [row.tolist() for row in x] == [[0, 1], [2, 3], [4, 5]]
    assert next(iter(x)).data_ptr() == x.data_ptr()
    assert not list(arange(0)) and iter(x).__length_hint__() == 3
    a, b = arange(2)
    assert (a.item(), b.item()) == (0, 1)


def test_elements_are_not_deleted():
    with pytest.raises(ArgumentError, match=r"^index: elements of a tensor cannot be deleted"):
        del arange(3)[0]
