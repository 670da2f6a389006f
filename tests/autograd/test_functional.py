"""Jacobians, Hessians and products with them."""

import re

import numpy as np
import pytest

import gleed
from gleed.autograd import functional
from gleed.errors import ArgumentError, ShapeError


def close(a, b):
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)


@pytest.fixture
def x():
    return gleed.tensor([1.0, 2.0, -0.5], dtype=gleed.float64)


@pytest.fixture
def y():
    return gleed.tensor([[0.5], [2.0]], dtype=gleed.float64)


def test_jacobians_of_several(x, y):
    found = functional.jacobian(lambda x, y: (x * y, y.exp()), (x, y))
    assert [[tuple(j.shape) for j in row] for row in found] == [
        [(2, 3, 3), (2, 3, 2, 1)],
        [(2, 1, 3), (2, 1, 2, 1)],
    ]
    assert found[0][0][1].tolist() == [[2.0, 0, 0], [0, 2.0, 0], [0, 0, 2.0]]
    assert not found[1][0].any()


def test_products_agree_with_jacobians(x):
    def f(x):
        return gleed.stack([x.sum() * x[0], (x * x).prod()])

    jacobian = functional.jacobian(f, x)
    u = gleed.tensor([0.3, -2.0], dtype=gleed.float64)
    v = gleed.tensor([1.0, -3.0, 0.7], dtype=gleed.float64)
    out, product = functional.vjp(f, x, u)
    close(out, f(x))
    close(product, u @ jacobian)
    close(functional.jvp(f, x, v)[1], jacobian @ v)


def test_products_agree_with_hessians(x):
    def f(x):
        return (x * x).sum() * x.exp().sum()

    hessian = functional.hessian(f, x)
    close(hessian, hessian.t())
    v = gleed.tensor([1.0, -3.0, 0.7], dtype=gleed.float64)
    close(functional.vhp(f, x, v)[1], v @ hessian)
    close(functional.hvp(f, x, v)[1], hessian @ v)


def test_create_graph(x):
    x.requires_grad_()
    jacobian = functional.jacobian(lambda x: x * x, x, create_graph=True)
    jacobian.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]


def test_constant_functions(x):
    constant = gleed.ones(2, dtype=gleed.float64)
    assert functional.jacobian(lambda x: constant, x).tolist() == [[0.0] * 3] * 2
    assert functional.jvp(lambda x: constant, x, x)[1].tolist() == [0.0, 0.0]


def test_bad_vectors(x):
    message = "vjp: `v` has the shapes of the outputs; they are [(3,)], `v` is [(2,)]"
    with pytest.raises(ShapeError, match=re.escape(message)):
        functional.vjp(lambda x: x * 2, x, gleed.zeros(2))
    with pytest.raises(ArgumentError, match="`v` can be left out for a scalar output only"):
        functional.vjp(lambda x: x * 2, x)
    with pytest.raises(ArgumentError, match="`v` can be left out for a scalar input only"):
        functional.jvp(lambda x: x * 2, x)
    with pytest.raises(ShapeError, match=r"hessian: the function returns one number; it returned"):
        functional.hessian(lambda x: x * 2, x)
