"""Gradients of gradients."""

import math

import pytest

import gleed
from gleed import autograd


def derivatives(f, at, order):
    x = gleed.tensor(at, dtype=gleed.float64, requires_grad=True)
    y, found = f(x), []
    for _ in range(order):
        (y,) = autograd.grad(y, x, create_graph=True)
        found.append(y.item())
    return found


@pytest.mark.parametrize(
    ("f", "at", "expected"),
    [
        (lambda x: x * x * x, 2.0, [12.0, 12.0, 6.0, 0.0][:3]),
        (lambda x: x.exp(), 0.5, [math.exp(0.5)] * 4),
        (lambda x: x.sin(), 0.3, [math.cos(0.3), -math.sin(0.3), -math.cos(0.3), math.sin(0.3)]),
        (lambda x: x.log(), 2.0, [1 / 2, -1 / 4, 1 / 4, -3 / 8]),
        (lambda x: (x * x).exp(), 0.5, [math.exp(0.25), 3 * math.exp(0.25), 7 * math.exp(0.25)]),
    ],
)
def test_many_derivatives_of_one_variable(f, at, expected):
    assert derivatives(f, at, len(expected)) == pytest.approx(expected, rel=1e-12)


def test_mixed_derivatives():
    x = gleed.tensor([1.0, 2.0], dtype=gleed.float64, requires_grad=True)
    y = gleed.tensor([3.0, 5.0], dtype=gleed.float64, requires_grad=True)
    (gx,) = autograd.grad((x * x * y).sum(), x, create_graph=True)
    assert gx.tolist() == [6.0, 20.0]
    gxx, gxy = autograd.grad(gx.sum(), [x, y], create_graph=True)
    assert gxx.tolist() == [6.0, 10.0]
    assert gxy.tolist() == [2.0, 4.0]
    (gxxy,) = autograd.grad(gxx.sum(), y)
    assert gxxy.tolist() == [2.0, 2.0]


def test_saved_leaves_are_the_leaves_themselves():
    x = gleed.tensor([1.0, 2.0], dtype=gleed.float64, requires_grad=True)
    y = x * x
    (g,) = autograd.grad(y.sum(), x, create_graph=True)
    g.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_results_that_the_node_saved_are_differentiated_through_it():
    x = gleed.tensor(0.7, dtype=gleed.float64, requires_grad=True)
    y = x.sigmoid()  # saves its own output
    s = 1 / (1 + math.exp(-0.7))
    (g,) = autograd.grad(y, x, create_graph=True)
    (gg,) = autograd.grad(g, x, create_graph=True)
    (ggg,) = autograd.grad(gg, x)
    assert g.item() == pytest.approx(s * (1 - s), rel=1e-12)
    assert gg.item() == pytest.approx(s * (1 - s) * (1 - 2 * s), rel=1e-12)
    assert ggg.item() == pytest.approx(s * (1 - s) * (1 - 6 * s + 6 * s * s), rel=1e-12)


def test_backward_with_create_graph_adds_differentiable_grads():
    x = gleed.tensor([1.0, 3.0], dtype=gleed.float64, requires_grad=True)
    (x * x * x).sum().backward(create_graph=True)
    assert x.grad.requires_grad
    (second,) = autograd.grad(x.grad.sum(), x)
    assert second.tolist() == [6.0, 18.0]
    x.grad = None


def test_the_cotangent_is_differentiated_too():
    x = gleed.tensor([1.0, 2.0], dtype=gleed.float64, requires_grad=True)
    v = gleed.tensor([3.0, 4.0], dtype=gleed.float64, requires_grad=True)
    (g,) = autograd.grad(x * x, x, v, create_graph=True)
    gx, gv = autograd.grad(g, [x, v], gleed.tensor([1.0, 10.0], dtype=gleed.float64))
    assert gx.tolist() == [6.0, 80.0]
    assert gv.tolist() == [2.0, 40.0]


def test_gradient_penalty():
    gleed.manual_seed(3)
    w = gleed.randn(4, 3, dtype=gleed.float64).requires_grad_()
    x = gleed.randn(5, 4, dtype=gleed.float64).requires_grad_()

    def penalty(w, x):
        (g,) = autograd.grad((x @ w).tanh().sum(), x, create_graph=True)
        return (g * g).sum(1).sqrt()

    assert autograd.gradcheck(penalty, (w, x))
