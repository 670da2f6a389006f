"""Order: what defines sorting, selection by rank, quantiles and running extremes."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import gleed
from gleed.errors import BoundsError, DTypeError, RangeError, ShapeError

from .generate import DTYPES, FLOATS, array

NAN, INF = float("nan"), float("inf")
# Rows for merging, for narrow digits, for wide ones, and to be divided among threads.
LENGTHS = (1, 2, 20, 64, 99, 300, 9_001, 140_000)
SHAPES = ((7,), (3, 40), (4, 5, 6), (0, 3), (3, 0), (2, 3000))


def example(shape: tuple[int, ...], dtype: str, seed: int = 0, special: bool = True) -> Any:
    """A tensor with many equal elements, among them NaN, zeros and infinities of both signs."""
    generator = np.random.default_rng((seed, *shape))
    if dtype not in FLOATS:
        low, high = (0, 2) if dtype == "bool" else (0, 200) if dtype == "uint8" else (-100, 100)
        return gleed.tensor(generator.integers(low, high, shape)).to(getattr(gleed, dtype))
    values = generator.standard_normal(shape).astype(np.float32)
    flat = values.reshape(-1)
    if special and flat.size > 8:
        for value in (NAN, -NAN, 0.0, -0.0, INF, -INF):
            flat[generator.integers(0, flat.size, flat.size // 20 + 1)] = value
    return gleed.tensor(values).to(getattr(gleed, dtype))


def ranks(x: np.ndarray, dim: int, descending: bool) -> np.ndarray:
    """Indices in stable order, NaN as the greatest."""
    if not descending:
        return np.argsort(x, axis=dim, kind="stable")
    last = np.argsort(np.flip(x, dim), axis=dim, kind="stable")
    return x.shape[dim] - 1 - np.flip(last, dim)


def same_bits(got: Any, wanted: np.ndarray) -> bool:
    """Equal, to the sign of zeros; any NaN for NaN."""
    found = array(got)
    numbers = ~np.isnan(wanted) if wanted.dtype.kind == "f" else slice(None)
    return np.array_equal(found, wanted, equal_nan=wanted.dtype.kind == "f") and np.array_equal(
        np.signbit(found[numbers].astype(np.float64)),
        np.signbit(wanted[numbers].astype(np.float64)),
    )


# ---- sorting
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_sort_is_stable_and_puts_nan_last(
    shape: tuple[int, ...], descending: bool, dtype: str
) -> None:
    for dim in range(-len(shape), len(shape)):
        x = example(shape, dtype, dim + 9)
        values, indices = x.sort(dim, descending)
        order = ranks(array(x), dim, descending)
        assert np.array_equal(indices.numpy(), order)
        assert same_bits(values, np.take_along_axis(array(x), order, dim))
        assert values.dtype is x.dtype and values.is_contiguous() and indices.is_contiguous()


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int8", "float16"])
@pytest.mark.parametrize("length", LENGTHS)
def test_sort_of_every_length(length: int, dtype: str) -> None:
    x = example((length,), dtype)
    for part in (x, x.flip(0), x[::3], x.expand(2, length)):
        values, indices = part.sort()
        order = ranks(array(part), -1, False)
        assert np.array_equal(indices.numpy(), order)
        assert same_bits(values, np.take_along_axis(array(part), order, -1))


def test_sort_does_not_depend_on_threads() -> None:
    x = example((300_000,), "float32").reshape(2, -1)
    y = example((100, 700), "float64")
    threads = gleed.get_num_threads()
    try:
        found = []
        for count in (1, 2, 5):
            gleed.set_num_threads(count)
            found.append([array(r) for t in (x, y) for r in (*t.sort(), *t.topk(9), *t.sort(0))])
    finally:
        gleed.set_num_threads(threads)
    for other in found[1:]:
        assert all(a.tobytes() == b.tobytes() for a, b in zip(found[0], other, strict=True))


def test_sort_of_keys_that_share_digits() -> None:
    for x in (
        gleed.zeros(5000),
        gleed.arange(5000).to(gleed.int64),
        gleed.arange(5000, 0, -1),
        gleed.tensor([2**62, -(2**62), 0, 2**62 + 1] * 100),
        gleed.tensor([-(2**63), 2**63 - 1, 0] * 50),
    ):
        values, indices = x.sort()
        assert np.array_equal(values.numpy(), np.sort(x.numpy()))
        assert np.array_equal(indices.numpy(), np.argsort(x.numpy(), kind="stable"))


def test_argsort_and_msort() -> None:
    x = example((6, 5), "float32", special=False)
    assert np.array_equal(x.argsort(0, True, stable=True).numpy(), ranks(x.numpy(), 0, True))
    assert np.array_equal(x.msort().numpy(), np.sort(x.numpy(), 0))
    assert np.array_equal(gleed.sort(x, stable=True, dim=0)[0].numpy(), np.sort(x.numpy(), 0))


def test_sort_of_a_number() -> None:
    values, indices = gleed.tensor(3.0).sort()
    assert values == 3 and indices == 0 and values.shape == indices.shape == ()


def test_results_are_named() -> None:
    found = gleed.tensor([2, 1]).sort()
    assert repr(found) == (
        "gleed.return_types.sort(\nvalues=tensor([1, 2]),\nindices=tensor([1, 0]))"
    )
    assert found.values is found[0] and found.indices is found[1]


# ---- the greatest
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("shape", [(1,), (65,), (3, 200), (5, 4, 6), (2, 5000)])
def test_topk(shape: tuple[int, ...], largest: bool, dtype: str) -> None:
    for dim in range(len(shape)):
        x = example(shape, dtype, dim)
        order = ranks(array(x), dim, largest)
        for k in {0, 1, min(3, shape[dim]), shape[dim] // 2, shape[dim]}:
            values, indices = x.topk(k, dim, largest)
            first = np.take(order, range(k), dim)
            assert np.array_equal(indices.numpy(), first)
            assert same_bits(values, np.take_along_axis(array(x), first, dim))


@pytest.mark.parametrize("order", ["rising", "falling"])
def test_topk_of_rows_in_order(order: str) -> None:
    """In one of the orders every element belongs to the best so far."""
    x = gleed.arange(20_000.0) if order == "rising" else gleed.arange(20_000.0, 0, -1)
    for largest in (True, False):
        assert np.array_equal(x.topk(50, 0, largest).indices, ranks(x.numpy(), 0, largest)[:50])


def test_topk_with_many_nans() -> None:
    x = gleed.full((1000,), NAN)
    x[500] = 1
    assert x.topk(3).indices.tolist() == [0, 1, 2]
    assert x.topk(1, largest=False).indices.tolist() == [500]


# ---- ranks
@pytest.mark.parametrize("dtype", DTYPES)
def test_kthvalue_and_median(dtype: str) -> None:
    x = example((4, 9), dtype, special=False)
    for dim in (0, 1):
        order = ranks(array(x), dim, False)
        for k in range(1, x.shape[dim] + 1):
            values, indices = x.kthvalue(k, dim)
            assert np.array_equal(indices.numpy(), np.take(order, k - 1, dim))
            assert np.array_equal(array(values), array(x.gather(dim, indices.unsqueeze(dim)))
                                  .squeeze(dim))  # fmt: skip
        middle = np.take(order, [(x.shape[dim] - 1) // 2], dim)
        assert np.array_equal(x.median(dim, True).indices.numpy(), middle)
        assert np.array_equal(x.nanmedian(dim, True).indices.numpy(), middle)
    assert array(x.median()) == np.sort(array(x), axis=None)[17]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int8", "bool", "bfloat16"])
def test_elements_of_every_rank(dtype: str) -> None:
    """In rows that are in order, that are few values, and with all that is special."""
    x = example((5, 700), dtype)
    rows = [x, x.sort(1)[0], x.sort(1, True)[0], x[:1].expand(3, 700), x.flip(1)[:, ::3], x[:, :33]]
    rows += [x.t().contiguous().t(), gleed.zeros_like(x), x.reshape(5, 7, 100).transpose(0, 2)]
    generator = np.random.default_rng(5)
    for t in (part.flip(0) if i % 2 else part for i, part in enumerate(rows)):
        order, size = ranks(array(t), -1, False), t.shape[-1]
        for k in {1, 2, size // 2, size, *generator.integers(1, size + 1, 12).tolist()}:
            values, indices = t.kthvalue(k)
            assert np.array_equal(indices.numpy(), order[..., k - 1])
            assert same_bits(
                values, np.take_along_axis(array(t), order[..., k - 1 : k], -1)[..., 0]
            )


def test_ranks_do_not_depend_on_threads() -> None:
    x = example((300, 501), "float32")
    threads, found = gleed.get_num_threads(), []
    try:
        for count in (1, 2, 5):
            gleed.set_num_threads(count)
            found.append([array(r) for r in (*x.median(1), *x.kthvalue(7, 0), x.nanmedian())])
    finally:
        gleed.set_num_threads(threads)
    for other in found[1:]:
        assert all(a.tobytes() == b.tobytes() for a, b in zip(found[0], other, strict=True))


def test_median_with_nan() -> None:
    x = gleed.tensor([[1.0, NAN, 3.0, 2.0], [4.0, 1.0, 2.0, 3.0], [NAN] * 4])
    values, indices = x.median(1)
    assert array(values).tolist()[1] == 2 and np.isnan(array(values)[[0, 2]]).all()
    assert indices.tolist() == [1, 2, 0]
    assert array(x.nanmedian(1).values).tolist()[:2] == [2, 2]
    assert np.isnan(x.median().item()) and x.nanmedian().item() == 2
    assert np.isnan(gleed.tensor([]).median().item())


def test_mode() -> None:
    x = gleed.tensor([[2, 1, 2, 1, 3], [5, 5, 5, 0, 0], [4, 3, 2, 1, 0]])
    values, indices = x.mode(1)
    assert values.tolist() == [1, 5, 0]
    assert indices.tolist() == [3, 2, 4]
    assert x.mode(0, True).values.tolist() == [[2, 1, 2, 1, 0]]


# ---- quantiles
@pytest.mark.parametrize("how", ["linear", "lower", "higher", "nearest", "midpoint"])
@pytest.mark.parametrize("keepdim", [False, True])
def test_quantile(how: str, keepdim: bool) -> None:
    x = example((5, 8), "float64", special=False)
    levels = gleed.tensor([0.0, 0.21, 0.5, 1.0], dtype=gleed.float64)
    for dim in (None, 0, 1):
        for q in (0.3, levels):
            wanted = np.quantile(x.numpy(), np.asarray(q), dim, method=how, keepdims=keepdim)
            for function in (gleed.quantile, gleed.nanquantile):
                found = function(x, q, dim, keepdim, interpolation=how)
                assert found.shape == wanted.shape
                assert np.allclose(found.numpy(), wanted, rtol=1e-14, atol=0)


def test_quantile_with_nan() -> None:
    x = gleed.tensor([[1.0, NAN, 3.0], [4.0, 1.0, 2.0], [NAN] * 3])
    assert array(gleed.quantile(x, 0.5, 1))[1] == 2
    assert np.isnan(array(gleed.quantile(x, 0.5, 1))[[0, 2]]).all()
    assert array(gleed.nanquantile(x, 0.5, 1))[:2].tolist() == [2, 2]
    assert np.isnan(array(gleed.nanquantile(x, 0.5, 1))[2])


# ---- prefixes
@pytest.mark.parametrize("dtype", DTYPES)
def test_running_extremes(dtype: str) -> None:
    x = example((6, 30), dtype)
    for dim in (0, 1):
        for function, better in ((gleed.cummax, np.greater_equal), (gleed.cummin, np.less_equal)):
            values, indices = function(x, dim)
            rows = np.moveaxis(array(x), dim, 0)
            best, where = rows[0], np.zeros(rows.shape[1:], np.int64)
            for i, row in enumerate(rows):
                taken = better(row, best) & ~(best != best) | (row != row)
                best, where = np.where(taken, row, best), np.where(taken, i, where)
                assert np.array_equal(np.take(indices.numpy(), i, dim), where)
                assert same_bits(values.select(dim, i), best)


@pytest.mark.parametrize("dtype", FLOATS)
def test_logcumsumexp(dtype: str) -> None:
    x = example((3, 40), dtype, special=False) * 30
    wanted = np.logaddexp.accumulate(array(x).astype(np.float64), 1)
    digits = {"float64": 1e-14, "float32": 1e-6, "float16": 1e-3, "bfloat16": 1e-2}[dtype]
    assert np.allclose(array(x.logcumsumexp(1)), wanted, rtol=digits, atol=digits)


def test_logcumsumexp_of_infinities() -> None:
    x = gleed.tensor([-INF, -1e9, 0.0, 5.0, INF, 1.0, NAN, 1.0])
    found = array(x.logcumsumexp(0))
    assert found[0] == -INF and found[4] == found[5] == INF and np.isnan(found[6:]).all()
    y = gleed.tensor([-INF, -1e9, 0.0, 5.0]).requires_grad_()
    y.logcumsumexp(0)[-1].backward()
    assert np.allclose(y.grad.numpy(), [0, 0, 1 / (1 + np.exp(5)), 1 / (1 + np.exp(-5))])


# ---- errors
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: gleed.ones(3).topk(4),
            RangeError,
            "topk: k must lie in 0 … 3, the size of dim -1; got 4; use a smaller k",
        ),
        (
            lambda: gleed.ones(3).kthvalue(0),
            RangeError,
            "kthvalue: k must lie in 1 … 3, the size of dim -1; got 0; k counts from 1",
        ),
        (
            lambda: gleed.ones(3).sort(1),
            BoundsError,
            "sort: dim is out of range; got dim 1 for a tensor of 1 dims; use -1 … 0",
        ),
        (
            lambda: gleed.ones(2, 0).median(1),
            BoundsError,
            "median: the reduced dims must not be empty, for there is no extreme of nothing; got "
            "shape [2, 0] over dims [1]; check the size first",
        ),
        (
            lambda: gleed.ones(3, dtype=gleed.int64).quantile(0.5),
            DTypeError,
            "quantile: a float32 or float64 tensor is needed; got int64; convert it with .float()",
        ),
        (
            lambda: gleed.ones(3).quantile(0.5, interpolation="cubic"),
            RangeError,
            "quantile: interpolation must be one of linear, lower, higher, nearest, midpoint; got "
            "'cubic'; use 'linear'",
        ),
        (
            lambda: gleed.ones(3).quantile(gleed.ones(2, 2)),
            ShapeError,
            "quantile: q must be a number or a vector; got shape [2, 2]; flatten it",
        ),
        (
            lambda: gleed.tensor([1]).logcumsumexp(0),
            DTypeError,
            "logcumsumexp: a floating-point tensor is needed; got int64; convert it with .float()",
        ),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()
