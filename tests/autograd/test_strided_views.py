"""Gradients of `as_strided`: of tensors at an offset, with strides of any kind, that overlap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gleed

VIEWS: dict[str, Callable[[Any], Any]] = {
    "whole": lambda x: x + 0,
    "offset": lambda x: x[2:],
    "corner": lambda x: x[1:, 2:],
    "transposed": lambda x: x.t()[1:],
    "stepped": lambda x: x[::2, 1::2],
    "backwards": lambda x: x[::-1, 1:],
    "repeated": lambda x: x[1].expand(3, 5),
}
GEOMETRIES = [((2, 3), (5, 1), 7), ((2, 3), (1, 5), 3), ((3, 2, 2), (2, 1, 2), 6), ((4,), (0,), 9)]


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(("size", "stride", "offset"), GEOMETRIES)
def test_gradient(view: str, size: Any, stride: Any, offset: int) -> None:
    base = gleed.rand(6, 5, dtype=gleed.float64)
    weight = np.random.default_rng(0).random(size)
    places = sum(np.indices(size)[a] * s for a, s in enumerate(stride)) + offset
    held = np.arange(30).reshape(6, 5)
    held = VIEWS[view](gleed.from_numpy(held)).numpy().ravel()
    if view == "whole":
        held = np.arange(30)
    # Only memory that the view holds is differentiable; the elements there share evenly, so the
    # sum over all that see one place of `base` is the whole.
    wanted = np.zeros(30)
    np.add.at(wanted, places.ravel(), weight.ravel())
    wanted[np.setdiff1d(np.arange(30), held)] = 0
    leaf = base.clone().requires_grad_()
    result = VIEWS[view](leaf).as_strided(size, stride, offset)
    result.backward(gleed.from_numpy(weight))
    assert np.allclose(leaf.grad.numpy().ravel(), wanted, 1e-14, 0)


def test_from_where_the_tensor_starts() -> None:
    leaf = gleed.arange(6.0, dtype=gleed.float64).requires_grad_()
    leaf[2:].as_strided((2,), (2,)).backward(gleed.tensor([1.0, 10.0], dtype=gleed.float64))
    assert leaf.grad.tolist() == [0, 0, 1, 0, 10, 0]


def test_second_derivative() -> None:
    x = gleed.rand(4, 3, dtype=gleed.float64).requires_grad_()
    assert gleed.autograd.gradgradcheck(lambda x: x[1:].as_strided((2, 2), (1, 3), 3) ** 3, x)


def test_empty() -> None:
    x = gleed.rand(3, requires_grad=True)
    x.as_strided((0, 2), (1, 1)).sum().backward()
    assert x.grad.tolist() == [0, 0, 0]


def test_copies_too() -> None:
    x = gleed.rand(5, dtype=gleed.float64)
    copy = gleed.as_strided_copy(x[1:], (2, 2), (1, 1))
    assert copy.tolist() == x[1:].as_strided((2, 2), (1, 1)).tolist()
    assert copy.data_ptr() != x[1:].data_ptr()
