"""Samples become batches."""

from collections import OrderedDict, UserDict, UserList, namedtuple

import numpy as np
import pytest

import gleed
from gleed.utils.data import default_collate, default_convert

Point = namedtuple("Point", "x y")


def plain(value):
    """`value` with its tensors as lists beside their dtypes."""
    if isinstance(value, gleed.Tensor):
        return value.dtype, value.tolist()
    if isinstance(value, (dict, UserDict)):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, UserList)):
        return [plain(item) for item in value]
    return value


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        ([1, 2], (gleed.int64, [1, 2])),
        ([True, False], (gleed.bool, [True, False])),
        ([0.5, 2.0], (gleed.float64, [0.5, 2.0])),
        (["a", "b"], ["a", "b"]),
        ([b"a"], [b"a"]),
        ([(1, "a"), (2, "b")], [(gleed.int64, [1, 2]), ["a", "b"]]),
        ([[1, 0.5], [2, 1.0]], [(gleed.int64, [1, 2]), (gleed.float64, [0.5, 1.0])]),
        ([{"n": 1}, {"n": 2}], {"n": (gleed.int64, [1, 2])}),
        ([np.float32(1), np.float32(2)], (gleed.float32, [1.0, 2.0])),
        ([np.array([1, 2], np.int16)], (gleed.int16, [[1, 2]])),
        ([np.str_("a")], ["a"]),
        ([()], []),
    ],
)
def test_samples_are_stacked(batch, expected):
    assert plain(default_collate(batch)) == expected


@pytest.mark.parametrize("dtype", [gleed.float32, gleed.bfloat16, gleed.uint8, gleed.bool])
@pytest.mark.parametrize("shape", [(), (3,), (2, 0), (2, 3)])
def test_tensors_are_stacked_along_a_new_first_dim(dtype, shape):
    samples = [gleed.ones(shape, dtype=dtype), gleed.zeros(shape, dtype=dtype)]
    batch = default_collate(samples)
    assert batch.dtype == dtype
    assert batch.tolist() == [sample.tolist() for sample in samples]


def test_types_of_containers_are_kept():
    point = default_collate([Point(1, 2), Point(3, 4)])
    assert type(point) is Point
    assert plain(point) == [(gleed.int64, [1, 3]), (gleed.int64, [2, 4])]
    for make in (OrderedDict, UserDict):
        batch = default_collate([make(a=1), make(a=2)])
        assert type(batch) is make
        assert plain(batch["a"]) == (gleed.int64, [1, 2])
    assert type(default_collate([UserList([1]), UserList([2])])) is UserList


def test_a_copy_is_filled_and_not_the_sample():
    sample = {"a": 1}
    default_collate([sample, {"a": 2}])
    assert sample == {"a": 1}


def test_ranges_become_lists():
    assert plain(default_collate([range(2), range(2)])) == [
        (gleed.int64, [0, 0]),
        (gleed.int64, [1, 1]),
    ]


@pytest.mark.parametrize(
    ("error", "batch", "text"),
    [
        (ValueError, [], "default_collate: a batch has one sample at least; got none"),
        (TypeError, [object()], "and tuples of those; got object; convert it in the data set"),
        (TypeError, [None], "got NoneType"),
        (TypeError, [np.array(["a"])], "got a NumPy array of dtype <U1"),
        (RuntimeError, [[1], [1, 2]], r"equally many parts; got \[1, 2\]; pad them"),
    ],
)
def test_what_does_not_stack_is_refused(error, batch, text):
    with pytest.raises(error, match=text):
        default_collate(batch)


def test_tensors_of_different_shapes_are_named():
    with pytest.raises(
        RuntimeError, match=r"got \(2,\) for the first and \(3,\) for sample 2; pad"
    ):
        default_collate([gleed.zeros(2), gleed.zeros(2), gleed.zeros(3)])


def test_single_samples_are_converted():
    sample = {"array": np.arange(2), "pair": (1, np.float64(0.5)), "name": "a", "p": Point(1, 2)}
    converted = default_convert(sample)
    assert plain(converted["array"]) == (gleed.int64, [0, 1])
    assert plain(converted["pair"]) == [1, (gleed.float64, 0.5)]
    assert converted["name"] == "a"
    assert converted["p"] == Point(1, 2)
    assert isinstance(sample["array"], np.ndarray)


def test_what_is_no_number_is_not_converted():
    words = np.array(["a", "b"])
    assert default_convert(words) is words
    assert default_convert([None, object]) == [None, object]
