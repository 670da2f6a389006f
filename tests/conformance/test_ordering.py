"""Order, selection, searches and contractions give PyTorch's results."""

import numpy as np
import pytest
import torch

import gleed

DTYPES = [
    *("float32", "float64", "float16", "bfloat16"),
    *("int64", "int32", "int16", "int8", "uint8", "bool"),
]
NAN, INF = float("nan"), float("inf")


def pair(shape, dtype, special=False, seed=0):
    """The same tensor of PyTorch's and of gleed's."""
    generator = np.random.default_rng((seed, len(shape)))
    high, shift = (2, 0) if dtype == "bool" else (30, 0 if dtype == "uint8" else 15)
    x = torch.tensor(generator.integers(0, high, shape) - shift).to(getattr(torch, dtype))
    if x.is_floating_point():
        x = torch.tensor(generator.standard_normal(shape) * 3).to(x.dtype)
        if special and x.numel() > 8:
            for value in (NAN, -NAN, 0.0, -0.0, INF, -INF):
                at = torch.tensor(generator.integers(0, x.numel(), x.numel() // 20 + 1))
                x.view(-1)[at] = value
    return x, ours(x)


def ours(x):
    if x.dtype is torch.bfloat16:
        return gleed.tensor(x.float().numpy()).to(gleed.bfloat16)
    return gleed.tensor(x.numpy())


def same(found, wanted, *, exact=True, tolerance=1e-5):
    """Equal results: tensors, tuples of them, or Python values."""
    if isinstance(wanted, tuple | list):
        assert len(found) == len(wanted)
        for a, b in zip(found, wanted, strict=True):
            same(a, b, exact=exact, tolerance=tolerance)
        return
    if not isinstance(wanted, torch.Tensor):
        assert found == wanted
        return
    assert found.dtype.name == str(wanted.dtype).removeprefix("torch.")
    half = wanted.dtype is torch.bfloat16
    a, b = ((x.float() if half else x).numpy() for x in (found, wanted))
    assert a.shape == b.shape
    if exact or a.dtype.kind != "f":
        assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    else:
        tolerance = 1e-2 if wanted.dtype.itemsize == 2 else tolerance
        assert np.allclose(a, b, tolerance, tolerance, equal_nan=True)


# ---- order
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (50,), (3, 40), (4, 5, 6), (0, 3), (30_000,)])
def test_order(shape, dtype):
    for dim in range(-len(shape), max(len(shape), 1)):
        x, y = pair(shape, dtype, special=True, seed=dim + 5)
        for down in (False, True):
            same(y.sort(dim, down), tuple(x.sort(dim=dim, descending=down, stable=True)))
            if dtype != "bool" and shape:
                k = min(3, shape[dim])
                same(y.topk(k, dim, down)[0], x.topk(k, dim, largest=down)[0])
        if 0 in shape:
            continue
        same(y.cummax(dim), tuple(x.cummax(dim)))
        same(y.cummin(dim), tuple(x.cummin(dim)))
        if dtype != "bool":
            same(y.median(dim)[0], x.median(dim)[0])
            same(y.nanmedian(dim)[0], x.nanmedian(dim)[0])
            same(y.median(), x.median())
        plain, mine = pair(shape, dtype)
        same(mine.mode(dim)[0], plain.mode(dim)[0])  # PyTorch's indices are any of equals'


@pytest.mark.parametrize("how", ["linear", "lower", "higher", "nearest", "midpoint"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_quantiles(dtype, how):
    x, y = pair((6, 9), dtype, special=True)
    levels = torch.tensor([0.0, 0.2, 0.5, 1.0], dtype=x.dtype)
    for q, level in ((0.3, 0.3), (levels, ours(levels))):
        for dim in (None, 0, 1):
            for name in ("quantile", "nanquantile"):
                wanted = getattr(x, name)(q, dim, keepdim=True, interpolation=how)
                found = getattr(y, name)(level, dim, keepdim=True, interpolation=how)
                same(found, wanted, exact=False)


@pytest.mark.parametrize("dtype", DTYPES[:4])
def test_logcumsumexp(dtype):
    for shape in ((5,), (3, 400), (2, 3, 4), ()):
        x, y = pair(shape, dtype, special=True)
        same(y.logcumsumexp(-1), x.logcumsumexp(-1), exact=False)


# ---- selection and search
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (7,), (3, 40), (4, 5, 6), (0, 3)])
def test_selection(shape, dtype):
    x, y = pair(shape, dtype)
    x, y = (x.round() + 0, y.round() + 0) if x.is_floating_point() else (x, y)
    options = {"return_inverse": True, "return_counts": True}
    same(y.unique(**options), x.unique(**options))
    same(y.unique_consecutive(**options), x.unique_consecutive(**options))
    same(y.nonzero(), x.nonzero())
    same(y.nonzero(as_tuple=True), x.nonzero(as_tuple=True))
    mask, ours_too = pair(shape, "bool", seed=3)
    same(y.masked_select(ours_too), x.masked_select(mask))
    if x.numel():
        wanted = x.masked_scatter(mask, x.flatten())
        same(y.masked_scatter(ours_too, y.flatten()), wanted)
    for dim in range(len(shape) if x.numel() else 0):
        x2, y2 = torch.cat([x, x.flip(dim)], dim), gleed.cat([y, y.flip(dim)], dim)
        same(y2.unique(dim=dim, **options), x2.unique(dim=dim, **options))
        wanted = x2.unique_consecutive(dim=dim, **options)
        same(y2.unique_consecutive(dim=dim, **options), wanted)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "uint8"])
def test_search(dtype):
    for a, b in (((10,), (7,)), ((10,), (3, 4)), ((2, 3, 10), (2, 3, 4)), ((0,), (3,)), ((9,), ())):
        (x, y), (v, w) = pair(a, dtype), pair(b, dtype, seed=1)
        rows, mine = x.sort()[0], y.sort()[0]
        for right in (False, True):
            wanted = torch.searchsorted(rows, v, right=right)
            same(gleed.searchsorted(mine, w, right=right), wanted)
            if len(a) == 1:
                wanted = torch.bucketize(v, rows, right=right)
                same(gleed.bucketize(w, mine, right=right), wanted)
        same(gleed.isin(w, y), torch.isin(v, x))


def test_counts():
    x, y = pair((50,), "uint8")
    weights, mine = pair((50,), "float32", seed=1)
    same(y.bincount(minlength=40), x.bincount(minlength=40))
    same(y.bincount(mine), x.bincount(weights), exact=False)
    for args in ((), (10,), (5, -1, 1), (3, 2, 2)):
        same(mine.histc(*args), weights.histc(*args))


@pytest.mark.parametrize("dtype", DTYPES[:9])
@pytest.mark.parametrize("equal_nan", [False, True])
def test_closeness(dtype, equal_nan):
    (x, y), (v, w) = pair((40,), dtype, special=True), pair((40,), dtype, special=True, seed=1)
    for options in ({}, {"rtol": 0.5, "atol": 0.5}):
        same(gleed.isclose(y, w, equal_nan=equal_nan, **options),
             torch.isclose(x, v, equal_nan=equal_nan, **options))  # fmt: skip
        same(gleed.allclose(y, y, equal_nan=equal_nan), torch.allclose(x, x, equal_nan=equal_nan))


# ---- writing
@pytest.mark.filterwarnings("ignore:index_reduce")
@pytest.mark.parametrize("dtype", [d for d in DTYPES if d != "bool"])
@pytest.mark.parametrize("reduce", ["sum", "prod", "mean", "amax", "amin"])
@pytest.mark.parametrize("include", [False, True])
def test_reductions_at_indices(include, reduce, dtype):
    (x, y), (s, t) = pair((3, 5), dtype), pair((4, 6), dtype, seed=1)
    if reduce == "prod":
        s, t = (s * 0.1, t * 0.1) if s.is_floating_point() else (s // 10, t // 10)
    generator = np.random.default_rng(0)
    for dim in (0, 1):
        index = torch.tensor(generator.integers(0, x.shape[dim], (3, 6) if dim else (4, 5)))
        wanted = x.scatter_reduce(dim, index, s, reduce, include_self=include)
        found = y.scatter_reduce(dim, ours(index), t, reduce, include_self=include)
        same(found, wanted, exact=False)
        if reduce != "sum":
            line = index[0, :3]
            part = (slice(3), slice(3)) if dim else (slice(3), slice(5))
            wanted = x.index_reduce(dim, line, s[part], reduce, include_self=include)
            found = y.index_reduce(dim, ours(line), t[part], reduce, include_self=include)
            same(found, wanted, exact=False)


# ---- contractions
@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]),
        ("ii->i", [(3, 3)]),
        ("ij,kj->ik", [(2, 1), (3, 4)]),
        ("...ij,...jk->...ik", [(2, 1, 2, 3), (4, 3, 2)]),
        ("...a,...a->...", [(2, 3), (3,)]),
        ("i,->i", [(3,), ()]),
        ("abc,cd,be->ade", [(2, 3, 4), (4, 5), (3, 6)]),
        ("bn,anm,bm->ba", [(2, 5), (3, 5, 4), (2, 4)]),
    ],
)
def test_einsum(equation, shapes):
    for dtype in ("float64", "int64"):
        pairs = [pair(s, dtype, seed=i) for i, s in enumerate(shapes)]
        wanted = torch.einsum(equation, *(x for x, _ in pairs))
        same(gleed.einsum(equation, *(y for _, y in pairs)), wanted, exact=False, tolerance=1e-12)


def test_einsum_with_lists_of_axes():
    (x, y), (v, w) = pair((2, 3), "float64"), pair((3, 4), "float64", seed=1)
    for axes in ([[0, 1], [1, 2], [0, 2]], [[0, 1], [1, 2]], [[..., 1], [1, 2], [..., 2]]):
        left, right, *result = axes
        wanted = torch.einsum(x, left, v, right, *result)
        same(gleed.einsum(y, left, w, right, *result), wanted, exact=False, tolerance=1e-12)


# ---- arrangement
@pytest.mark.parametrize(
    "call",
    [
        lambda lib, x: lib.meshgrid(x[0], x[:, 0], indexing="xy"),
        lambda lib, x: lib.cartesian_prod(x[0], x[:, 0]),
        lambda lib, x: lib.block_diag(x, x[0], x[0, 0]),
        lambda lib, x: lib.tensor_split(x, 3, dim=1),
        lambda lib, x: lib.tensor_split(x, (1, -1), dim=1),
        lambda lib, x: lib.tensor_split(x, lib.tensor([1, 3])),
        lambda lib, x: lib.atleast_3d(x, x[0], x[0, 0]),
        lambda lib, x: lib.column_stack([x, x[:, 0]]),
        lambda lib, x: lib.dstack([x, x]),
        lambda lib, x: lib.rot90(x, 3),
        lambda lib, x: lib.diff(x, 2, append=x),
        lambda lib, x: lib.repeat_interleave(x, lib.tensor([2, 0, 1]), 0),
        lambda lib, x: lib.repeat_interleave(lib.tensor([2, 0, 1])),
        lambda lib, x: lib.tril_indices(3, 4, offset=-1),
        lambda lib, x: x.slice_scatter(x[:, :2], 1, 0, None, 2),
        lambda lib, x: x.index_put((lib.tensor([0, 0]),), x[0], accumulate=True),
        lambda lib, x: x.put_(lib.tensor([1, 3]), x[0, :2].clone()),
        lambda lib, x: lib.cdist(x, x + 1),
        lambda lib, x: lib.renorm(x, 2, 0, 1.0),
        lambda lib, x: lib.kron(x, x[0]),
        lambda lib, x: lib.cross(x[:, :3], x[:, 1:4], dim=1),
    ],
)
def test_arrangement(call):
    x, y = pair((3, 4), "float64")
    same(call(gleed, y.clone()), call(torch, x.clone()), exact=False, tolerance=1e-12)
