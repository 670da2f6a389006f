"""Contractions of named axes against NumPy, and layouts made of several tensors."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import gleed
from gleed.errors import DTypeError, RangeError, ShapeError

EQUATIONS: list[tuple[Any, ...]] = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ba", (2, 3)),
    ("ii", (3, 3)),
    ("ii->i", (3, 3)),
    ("iii->i", (3, 3, 3)),
    ("iij->j", (3, 3, 2)),
    ("ij->", (2, 3)),
    ("i,j->ij", (2,), (3,)),
    ("i,i->", (4,), (4,)),
    (",", (), ()),
    ("bij,bjk->bik", (2, 2, 3), (2, 3, 4)),
    ("bi,bi->b", (2, 3), (2, 3)),
    ("ijk,lkj->il", (2, 3, 4), (5, 4, 3)),
    ("...ij,...jk->...ik", (2, 1, 2, 3), (4, 3, 2)),
    ("...ij,jk", (2, 3, 4), (4, 5)),
    ("i...->...", (2, 3, 4)),
    ("...i->i...", (2, 3)),
    ("bhid,bhjd->bhij", (2, 3, 4, 5), (2, 3, 6, 5)),
    ("abc,cd,be->ade", (2, 3, 4), (4, 5), (3, 6)),
    ("ij,jk,kl,lm->im", (2, 30), (30, 3), (3, 20), (20, 2)),
    ("bn,anm,bm->ba", (2, 5), (3, 5, 4), (2, 4)),
    ("ij,k->", (2, 3), (4,)),
    ("ij,jk->ik", (2, 0), (0, 4)),
    ("aB, Bc -> ac", (2, 3), (3, 2)),
]


def operands(shapes: Any, dtype: str) -> tuple[list[Any], list[np.ndarray]]:
    generator = np.random.default_rng(3)
    arrays = [generator.integers(-4, 5, shape).astype(dtype) for shape in shapes]
    return [gleed.tensor(a) for a in arrays], arrays


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("case", EQUATIONS, ids=lambda case: case[0])
def test_einsum(case: Any, dtype: str) -> None:
    """Whole numbers, so that sums are exact in every order."""
    equation, *shapes = case
    tensors, arrays = operands(shapes, dtype)
    found, wanted = gleed.einsum(equation, *tensors), np.einsum(equation, *arrays)
    assert found.dtype.name == dtype and found.shape == wanted.shape
    assert np.array_equal(found.numpy(), wanted)
    turned = [t.permute(tuple(reversed(range(t.ndim)))).contiguous() for t in tensors]
    turned = [t.permute(tuple(reversed(range(t.ndim)))) for t in turned]
    assert np.array_equal(gleed.einsum(equation, turned).numpy(), wanted)


def test_einsum_stretches_sizes_of_1() -> None:
    (a, b), (x, y) = operands([(2, 1), (4, 3)], "float64")
    wanted = np.einsum("ij,kj->ik", np.broadcast_to(x, (2, 3)), y)
    assert np.array_equal(gleed.einsum("ij,kj->ik", a, b).numpy(), wanted)


def test_einsum_with_lists_of_axes() -> None:
    (a, b), (x, y) = operands([(2, 3), (3, 4)], "float64")
    for result in ([0, 2], [2], []):
        wanted = np.einsum(x, [0, 1], y, [1, 2], result)
        assert np.array_equal(gleed.einsum(a, [0, 1], b, [1, 2], result).numpy(), wanted)
    assert np.array_equal(gleed.einsum(a, [1, 0]).numpy(), x.T)
    assert np.array_equal(gleed.einsum(a, [..., 5], [...]).numpy(), x.sum(1))


@pytest.mark.parametrize(
    ("a", "b", "dims"),
    [
        ((2, 3, 4), (3, 4, 5), 2),
        ((2, 3), (4,), 0),
        ((2, 3, 4), (4, 3), ((1, 2), (1, 0))),
        ((2, 3), (2, 3), ([0, 1], [0, 1])),
        ((2, 3), (3, 4), 1),
    ],
)
def test_tensordot(a: Any, b: Any, dims: Any) -> None:
    tensors, arrays = operands([a, b], "float64")
    wanted = np.tensordot(*arrays, dims)
    assert np.array_equal(gleed.tensordot(*tensors, dims).numpy(), wanted)


@pytest.mark.parametrize(("a", "b"), [((2, 1), (3, 4)), ((2, 3), (1, 4)), ((2, 1), (1, 4))])
def test_tensordot_repeats_axes_of_size_1(a: Any, b: Any) -> None:
    tensors, (x, y) = operands([a, b], "float64")
    inner = max(x.shape[1], y.shape[0])
    wanted = np.broadcast_to(x, (2, inner)) @ np.broadcast_to(y, (inner, 4))
    assert np.allclose(gleed.tensordot(*tensors, ([1], [0])).numpy(), wanted)
    leaves = [t.detach().clone().requires_grad_() for t in tensors]
    assert gleed.autograd.gradcheck(lambda a, b: gleed.tensordot(a, b, ([1], [0])), leaves)


def test_second_derivatives_of_contractions() -> None:
    generator = np.random.default_rng(0)
    a, b, c = (
        gleed.tensor(generator.standard_normal(s)).requires_grad_()
        for s in ((2, 3), (3, 4), (4, 2))
    )

    def function(*xs: Any) -> Any:
        return gleed.einsum("ij,jk,kl->il", *xs) + gleed.einsum("ij,jk,ki->i", *xs)

    assert gleed.autograd.gradcheck(function, (a, b, c))
    assert gleed.autograd.gradgradcheck(function, (a, b, c))


# ---- layouts of several tensors
def test_parts_come_as_tuples_even_alone() -> None:
    x = gleed.arange(3)
    for parts in (x.tensor_split(1), x.hsplit(1), gleed.meshgrid(x), x.split(3), x.chunk(1)):
        assert isinstance(parts, tuple) and len(parts) == 1
        assert parts[0].tolist() == [0, 1, 2]


def test_tensor_split_at_indices_of_any_kind() -> None:
    x = gleed.arange(7)
    for at in ((2, 5), [2, 5], gleed.tensor([2, 5])):
        assert [p.tolist() for p in x.tensor_split(at)] == [[0, 1], [2, 3, 4], [5, 6]]
    assert [p.tolist() for p in gleed.tensor_split(x, sections=2)] == [[0, 1, 2, 3], [4, 5, 6]]
    assert [p.tolist() for p in x.tensor_split((5, 2))] == [[0, 1, 2, 3, 4], [], [2, 3, 4, 5, 6]]


def test_grids_are_views() -> None:
    x = gleed.arange(3.0)
    first, second = gleed.meshgrid(x, gleed.zeros(2), indexing="xy")
    assert first.tolist() == [[0, 1, 2], [0, 1, 2]] and second.shape == (2, 3)
    assert first.data_ptr() == x.data_ptr()


def test_triangle_indices() -> None:
    for rows, columns, offset in ((3, 4, 0), (4, 3, -1), (3, 3, 5), (0, 2, 0)):
        lower = np.array(np.tril_indices(rows, offset, columns))
        upper = np.array(np.triu_indices(rows, offset, columns))
        assert np.array_equal(gleed.tril_indices(rows, columns, offset).numpy(), lower)
        assert np.array_equal(gleed.triu_indices(rows, columns, offset).numpy(), upper)
    assert gleed.tril_indices(2, 2, dtype=gleed.int32).dtype is gleed.int32


def test_shapes_that_broadcast() -> None:
    assert gleed.broadcast_shapes((2, 1), 3, ()) == (2, 3)
    assert isinstance(gleed.broadcast_shapes((2,)), gleed.Size)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: gleed.einsum("ij,jk", gleed.ones(2, 3)),
            RangeError,
            "einsum: the equation must have a term per operand (2 for 1); got 'ij,jk'; separate "
            "terms by commas",
        ),
        (
            lambda: gleed.einsum("ij", gleed.ones(2)),
            RangeError,
            "einsum: term 'ij' must name the 1 dims of its operand; got 'ij'; add letters, or "
            "'...' for dims without names",
        ),
        (
            lambda: gleed.einsum("ij->k", gleed.ones(2, 3)),
            RangeError,
            "einsum: every letter of the result must occur in a term, and once in the result; got "
            "'ij->k'; check what follows '->'",
        ),
        (
            lambda: gleed.einsum("i1", gleed.ones(2, 3)),
            RangeError,
            "einsum: terms are letters and '...', not 'i1'; got 'i1'; use a-z and A-Z",
        ),
        (
            lambda: gleed.einsum("ii", gleed.ones(2, 3)),
            RangeError,
            "einsum: a repeated letter takes a diagonal, of dims of one size; 'i' has 2 and 3; got "
            "'ii'; rename one",
        ),
        (
            lambda: gleed.einsum("ij,jk", gleed.ones(2, 3), gleed.ones(4, 2)),
            ShapeError,
            "einsum: a letter stands for one size, or 1; got 3 and 4 for 'j' in 'ij,jk'; transpose "
            "an operand, or rename",
        ),
        (
            lambda: gleed.einsum("i,i", gleed.ones(2), gleed.ones(2, dtype=gleed.float64)),
            DTypeError,
            "einsum: all operands must have one dtype; got float32 and float64; convert one with "
            ".to(dtype)",
        ),
        (
            lambda: gleed.tensordot(gleed.ones(2, 3), gleed.ones(2, 3), 1),
            ShapeError,
            "tensordot: the axes summed over must agree in number and size, or be of size 1; got "
            "[2, 3] over [1] and [2, 3] over [0]; check dims",
        ),
        (
            lambda: gleed.cross(gleed.ones(2), gleed.ones(2)),
            ShapeError,
            "cross: the dim must have size 3; got [2] and dim=None; name a dim of size 3",
        ),
        (
            lambda: gleed.arange(5).hsplit(2),
            RangeError,
            "hsplit: the parts must be of equal size; got 2 parts for size 5 of dim 0; use "
            "tensor_split",
        ),
        (
            lambda: gleed.meshgrid(gleed.ones(2), indexing="yx"),
            RangeError,
            "meshgrid: indexing must be 'ij' or 'xy'; got 'yx'; use 'ij'",
        ),
        (
            lambda: gleed.cdist(gleed.ones(2, 3), gleed.ones(2, 4)),
            ShapeError,
            "cdist: rows must be vectors of one size, in tensors of 2 dims or more; got [2, 3] and "
            "[2, 4]; transpose or unsqueeze",
        ),
        (
            lambda: gleed.pdist(gleed.ones(1, 2, 3)),
            ShapeError,
            "pdist: the input must be a floating-point matrix whose rows are the points; got "
            "float32 [1, 2, 3]; use cdist for batches",
        ),
        (
            lambda: gleed.pdist(gleed.ones(2, 3), -1),
            RangeError,
            "pdist: p must not be negative; got -1; use 2 for Euclid's norm",
        ),
        (
            lambda: gleed.ones(2, 3).sum_to_size(2),
            ShapeError,
            "sum_to_size: the size must be one that broadcasts to the input's shape; got [2] for "
            "[2, 3]; give 1 for dims to sum over",
        ),
        (
            lambda: gleed.rot90(gleed.ones(2, 2), 1, (0, 0)),
            RangeError,
            "rot90: dims must be two different dims; got (0, 0); use (0, 1)",
        ),
        (
            lambda: gleed.diff(gleed.tensor(1.0)),
            ShapeError,
            "diff: at least 1 dim and n >= 0 are needed; got 0 dims and n=1; unsqueeze it",
        ),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()
