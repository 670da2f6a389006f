"""Positions, masks, distinct values, searches: what depends on data."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import gleed
from gleed.errors import (
    ArgumentError,
    BoundsError,
    DTypeError,
    GleedError,
    RangeError,
    ShapeError,
    TraceError,
)
from gleed.ops.record import OPS
from gleed.trace import Trace

from .generate import DTYPES, array


def whole(shape: tuple[int, ...], dtype: str, high: int = 5) -> Any:
    """A tensor of few different whole numbers, zero among them."""
    values = np.random.default_rng((7, *shape)).integers(0, high, shape)
    return gleed.tensor(values).to(getattr(gleed, dtype))


# ---- positions
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 4), (0, 3), (3, 0), (40, 5001)])
def test_nonzero(shape: tuple[int, ...], dtype: str) -> None:
    x = whole(shape, dtype, 2)
    for t in (x, x.permute(tuple(reversed(range(x.ndim)))), x[..., ::2] if shape else x):
        exact = array(t)
        assert np.array_equal(t.nonzero().numpy(), np.argwhere(exact))
        assert np.array_equal(gleed.argwhere(t).numpy(), np.argwhere(exact))
        columns = t.nonzero(as_tuple=True)
        wanted = np.atleast_1d(exact).nonzero()
        assert isinstance(columns, tuple) and len(columns) == len(wanted)
        for column, axis in zip(columns, wanted, strict=True):
            assert column.is_contiguous() and np.array_equal(column.numpy(), axis)
    assert [c.tolist() for c in gleed.where(x)] == [c.tolist() for c in x.nonzero(as_tuple=True)]


def test_nonzero_of_special_numbers() -> None:
    assert gleed.tensor([0.0, -0.0, float("nan"), 1e-45]).nonzero().tolist() == [[2], [3]]


def test_nonzero_refuses_traces() -> None:
    trace = Trace()
    with trace.active(), pytest.raises(TraceError, match=r"^unique: runs in Python, for the size"):
        OPS["unique"](trace.argument("f32", (3,)))


# ---- masks
def test_masked_select_broadcasts_and_has_gradients() -> None:
    x = gleed.arange(6.0).reshape(2, 3).requires_grad_()
    mask = gleed.tensor([True, False, True])
    found = x.masked_select(mask)
    assert found.tolist() == [0, 2, 3, 5]
    found.backward(gleed.tensor([1.0, 2.0, 3.0, 4.0]))
    assert x.grad.tolist() == [[1, 0, 2], [3, 0, 4]]
    assert gleed.ones(1).masked_select(gleed.tensor([[True], [True]])).tolist() == [1, 1]
    assert x[x > 2].tolist() == [3, 4, 5]


def test_masked_scatter() -> None:
    x, mask = gleed.zeros(2, 3), gleed.tensor([True, False, True])
    source = gleed.arange(1.0, 6.0)
    assert x.masked_scatter(mask, source).tolist() == [[1, 0, 2], [3, 0, 4]]
    assert x.masked_scatter_(mask, source) is x
    assert x.tolist() == [[1, 0, 2], [3, 0, 4]]


# ---- distinct values
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (1,), (50,), (3, 40), (0, 3), (20_000,)])
def test_unique(shape: tuple[int, ...], dtype: str) -> None:
    x = whole(shape, dtype, 7)
    values, inverse, counts = x.unique(return_inverse=True, return_counts=True)
    wanted, at, number = np.unique(array(x), return_inverse=True, return_counts=True)
    assert values.dtype is x.dtype
    assert np.array_equal(array(values), wanted)
    assert inverse.shape == x.shape and np.array_equal(inverse.numpy(), at.reshape(shape))
    assert np.array_equal(counts.numpy(), number)
    assert np.array_equal(array(x.unique()), wanted)
    only, other = gleed.unique(x, return_counts=True)
    assert np.array_equal(other.numpy(), number) and np.array_equal(array(only), wanted)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_unique_slices(dim: int) -> None:
    x = whole((12, 2, 3), "int64", 2)
    x = gleed.cat([x, x], dim)
    values, inverse, counts = x.unique(dim=dim, return_inverse=True, return_counts=True)
    wanted, at, number = np.unique(x.numpy(), axis=dim, return_inverse=True, return_counts=True)
    assert np.array_equal(values.numpy(), wanted)
    assert np.array_equal(inverse.numpy(), at.ravel()) and np.array_equal(counts.numpy(), number)


def test_unique_consecutive() -> None:
    x = gleed.tensor([[1, 1, 2], [2, 3, 3]])
    values, inverse, counts = x.unique_consecutive(return_inverse=True, return_counts=True)
    assert (values.tolist(), counts.tolist()) == ([1, 2, 3], [2, 2, 2])
    assert inverse.tolist() == [[0, 0, 1], [1, 2, 2]]
    y = gleed.tensor([[1, 1], [1, 1], [2, 1], [1, 1]])
    rows, at = gleed.unique_consecutive(y, return_inverse=True, dim=0)
    assert rows.tolist() == [[1, 1], [2, 1], [1, 1]] and at.tolist() == [0, 0, 1, 2]


# ---- searches
def test_searchsorted_places_nan_last() -> None:
    rows = gleed.tensor([-1.0, 0.0, 2.0, float("nan"), float("nan")])
    values = gleed.tensor([float("nan"), -0.0, 3.0, float("-inf")])
    assert gleed.searchsorted(rows, values).tolist() == [3, 1, 3, 0]
    assert gleed.searchsorted(rows, values, right=True).tolist() == [5, 2, 3, 0]
    assert gleed.searchsorted(rows, 1.0) == 2
    assert gleed.bucketize(1, gleed.tensor([1, 3]), right=True) == 1
    assert gleed.searchsorted(rows, values, out_int32=True).dtype is gleed.int32


def test_searchsorted_by_a_sorter() -> None:
    x, values = whole((3, 50), "float32", 30), whole((3, 7), "float32", 30)
    found = gleed.searchsorted(x, values, sorter=x.argsort(), side="right")
    assert found.tolist() == gleed.searchsorted(x.sort().values, values, right=True).tolist()


def test_isin() -> None:
    x = gleed.tensor([[1, 2], [3, 2]])
    assert gleed.isin(x, gleed.tensor([2, 9])).tolist() == [[False, True], [False, True]]
    assert gleed.isin(x, 3, invert=True).tolist() == [[True, True], [False, True]]
    assert gleed.isin(3, x) and not gleed.isin(x, gleed.tensor([], dtype=gleed.int64)).any()
    assert not gleed.isin(gleed.tensor(float("nan")), gleed.tensor([float("nan")]))


def test_bincount() -> None:
    x = whole((1000,), "int32", 30)
    weights = gleed.tensor(np.random.default_rng(0).standard_normal(1000))
    assert np.array_equal(x.bincount(minlength=40).numpy(), np.bincount(x.numpy(), minlength=40))
    wanted = np.bincount(x.numpy(), weights.numpy())
    assert np.allclose(x.bincount(weights).numpy(), wanted, rtol=1e-14, atol=0)
    assert x[:0].bincount().tolist() == [] and x[:0].bincount().dtype is gleed.int64


def test_agreement() -> None:
    x = gleed.tensor([1.0, float("nan"), float("inf")])
    assert not gleed.allclose(x, x) and gleed.allclose(x, x, equal_nan=True)
    assert gleed.equal(x[::2], x[::2].clone()) and not gleed.equal(x, x)
    assert not gleed.equal(gleed.ones(2), gleed.ones(2, 1))
    assert gleed.is_nonzero(gleed.tensor([[-2]])) and not gleed.tensor(0.0).is_nonzero()


# ---- writing
@pytest.mark.parametrize("accumulate", [True, False])
def test_gradient_of_writing_nowhere(accumulate: bool) -> None:
    x = gleed.rand(4, 3, dtype=gleed.float64, requires_grad=True)
    row = gleed.rand(3, dtype=gleed.float64, requires_grad=True)
    for nowhere in (gleed.zeros(4, dtype=gleed.bool), gleed.zeros(0, dtype=gleed.int64)):
        x.index_put((nowhere,), row, accumulate).sum().backward()
        assert row.grad.tolist() == [0, 0, 0]
    assert x.grad.tolist() == [[2.0] * 3] * 4


def test_no_difference_is_the_tensor_without_its_ends() -> None:
    x = gleed.rand(4)
    assert gleed.diff(x, 0, prepend=x[:2], append=x[2:]).tolist() == x.tolist()


def test_index_put() -> None:
    x, rows, columns = gleed.zeros(3, 4), gleed.tensor([0, 2, 0]), gleed.tensor([1, -1, 1])
    assert x.index_put((rows, columns), gleed.tensor(2.0), accumulate=True).tolist() == [
        [0, 4, 0, 0], [0, 0, 0, 0], [0, 0, 0, 2]
    ]  # fmt: skip
    assert not x.any()
    assert x.index_put_((x == 0,), gleed.tensor(1.0)) is x and x.all()


def test_repeat_interleave_by_counts() -> None:
    x = gleed.tensor([[1, 2], [3, 4], [5, 6]])
    counts = gleed.tensor([2, 0, 1])
    assert x.repeat_interleave(counts, 0).tolist() == [[1, 2], [1, 2], [5, 6]]
    assert x.repeat_interleave(counts, 0, output_size=3).shape == (3, 2)
    assert gleed.repeat_interleave(counts).tolist() == [0, 0, 2]
    assert x.repeat_interleave(gleed.tensor([2])).tolist() == np.repeat(x.numpy(), 2).tolist()


# ---- errors
VECTOR = gleed.arange(3)
CALLS: list[tuple[Any, type[Exception], str]] = [
    (
        lambda: VECTOR.nonzero(foo=1),
        ArgumentError,
        "nonzero: there is no argument 'foo'; it takes nonzero(input: Tensor, *, out: Tensor or "
        "None = None)",
    ),
    (
        lambda: VECTOR.masked_select(VECTOR),
        DTypeError,
        "masked_select: mask must be a bool tensor; got int64; compare it with something, e.g. "
        "mask != 0",
    ),
    (
        lambda: VECTOR.masked_scatter(VECTOR >= 1, gleed.tensor([1])),
        ShapeError,
        "masked_scatter: source must have an element for every True of the mask; got 1 for 2; use "
        "a longer source",
    ),
    (
        lambda: gleed.searchsorted(VECTOR, VECTOR, side="middle"),
        RangeError,
        "searchsorted: side must be 'left' or 'right', and agree with right; got 'middle' and "
        "right=False; give one of them",
    ),
    (
        lambda: gleed.searchsorted(gleed.ones(2, 3), gleed.ones(3, 3)),
        ShapeError,
        "searchsorted: the sorted tensor must be a vector, or have the leading dims of the values; "
        "got [2, 3] and [3, 3]; reshape one of them",
    ),
    (
        lambda: gleed.bucketize(VECTOR, gleed.ones(2, 2)),
        ShapeError,
        "bucketize: boundaries must be a vector; got shape [2, 2]; use searchsorted for several "
        "rows",
    ),
    (
        lambda: gleed.bincount(VECTOR - 1),
        RangeError,
        "bincount: elements must be 0 or more; got -1; subtract the least element first",
    ),
    (
        lambda: gleed.bincount(gleed.ones(2)),
        DTypeError,
        "bincount: a vector of integers is needed; got gleed.float32 of shape [2]; flatten it, or "
        "convert with .long()",
    ),
    (
        lambda: gleed.histc(gleed.ones(2), 0),
        RangeError,
        "histc: bins must be 1 or more; got 0; use 100, say",
    ),
    (
        lambda: gleed.is_nonzero(VECTOR),
        ShapeError,
        "is_nonzero: a tensor of one element is needed; got [3]; use any() or all()",
    ),
    (
        lambda: VECTOR.take(gleed.tensor([0, 3])),
        BoundsError,
        "take: index is out of range; got index 3 for dim 0 of size 3; use -3 … 2",
    ),
    (
        lambda: VECTOR.put(gleed.tensor([0, 1]), gleed.tensor([5])),
        ShapeError,
        "put: source must have the dtype of input and one element per index; got int64 [1] for "
        "int64 and index [2]; convert or reshape it",
    ),
    (
        lambda: VECTOR.scatter_reduce(0, gleed.tensor([0]), gleed.tensor([5]), "max"),
        RangeError,
        "scatter_reduce: reduce must be one of sum, mean, prod, amax, amin; got 'max'; use 'amax', "
        "say",
    ),
    (
        lambda: VECTOR.scatter_reduce(0, gleed.tensor([3]), gleed.tensor([5]), "sum"),
        BoundsError,
        "scatter_reduce: index is out of range; got index 3 for dim 0 of size 3; use 0 … 2",
    ),
    (
        lambda: VECTOR.select_scatter(gleed.tensor([1, 2]), 0, 1),
        ShapeError,
        "select_scatter: src must have the shape of the part that it replaces; got [2] for []; "
        "reshape src",
    ),
    (
        lambda: VECTOR.slice_scatter(VECTOR, step=0),
        RangeError,
        "slice_scatter: step must be positive; got 0; use 1 or more",
    ),
    (
        lambda: VECTOR.index_put_((1,), VECTOR),
        ArgumentError,
        "index_put_: indices must be a tuple of tensors; got int in it; assign to x[...] for "
        "slices and numbers",
    ),
    (
        lambda: VECTOR.repeat_interleave(gleed.tensor([1, 2]), 0),
        ShapeError,
        "repeat_interleave: one count per place along the dim is needed; got 2 for size 3; check "
        "repeats",
    ),
    (
        lambda: VECTOR.repeat_interleave(gleed.tensor([1, -1, 1]), 0),
        RangeError,
        "repeat_interleave: repeats must be 0 or more; got -1; clamp them",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), CALLS)
def test_errors(call: Any, error: type[GleedError], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()
