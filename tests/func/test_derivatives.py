"""`grad`, `grad_and_value`, `vjp`, `jacrev`, `jacfwd` and `hessian`."""

from __future__ import annotations

import re
from typing import Any

import pytest

import gleed
from gleed.errors import ArgumentError, DTypeError, GradientError, RangeError, ShapeError
from gleed.func import grad, grad_and_value, hessian, jacfwd, jacrev, vjp, vmap


def close(found: Any, expected: Any, limit: float = 1e-6) -> bool:
    return found.shape == expected.shape and bool(gleed.allclose(found, expected, atol=limit))


def f64(*shape: int) -> Any:
    return gleed.randn(*shape, dtype=gleed.float64)


# ---- grad
def test_arguments_and_structures() -> None:
    x, y = f64(3), f64(3)
    f = lambda x, y: (x * y * y).sum()  # noqa: E731
    assert close(grad(f)(x, y), y * y)
    assert close(grad(f, argnums=1)(x, y), 2 * x * y)
    by_y, by_x = grad(f, argnums=(-1, 0))(x, y)
    assert close(by_y, 2 * x * y)
    assert close(by_x, y * y)
    nested = grad(lambda tree: (tree["a"][0] * tree["a"][1]).sum())
    found = nested({"a": (x, y), "b": [x]})
    assert close(found["a"][0], y)
    assert gleed.equal(found["b"][0], gleed.zeros_like(x))  # it is not used


def test_value_and_more() -> None:
    x = f64(3)
    gradient, value = grad_and_value(lambda x: (x * x).sum())(x)
    assert close(gradient, 2 * x)
    assert close(value, (x * x).sum())
    gradient, (value, aux) = grad_and_value(lambda x: ((x * x).sum(), {"x": x, "n": 3}), 0, True)(x)
    assert close(aux["x"], x)
    assert aux["n"] == 3
    gradient, aux = grad(lambda x: (x.sum(), x * 2), has_aux=True)(x)
    assert close(aux, x * 2)
    assert not any(t.requires_grad for t in (gradient, value, aux))
    assert not x.requires_grad


def test_under_no_grad() -> None:
    w = f64(3).requires_grad_()
    with gleed.no_grad():
        gradient = grad(lambda x: (x * w).sum())(f64(3))
    assert gleed.equal(gradient, w.detach())
    assert not gradient.requires_grad

    def partly(x: Any) -> Any:
        with gleed.no_grad():
            c = x * x
        return (x * c).sum()

    x = f64(3)
    assert close(grad(partly)(x), x * x)


def test_history_of_gradients() -> None:
    """A gradient can be differentiated by what its caller can see, and by that alone."""
    w, x = f64(3).requires_grad_(), f64(3)
    f = grad(lambda x: (x**3 * w).sum())
    first = f(x)
    assert close(gleed.autograd.grad(first.sum(), w)[0], 3 * x**2)
    x.requires_grad_()
    assert close(gleed.autograd.grad(f(x).sum(), x)[0], 6 * (x * w).detach())
    assert not grad(lambda x: (x**3).sum())(f64(3)).requires_grad
    assert gleed.autograd.gradcheck(grad(lambda x: (x**3 * w).sin().sum()), (x,))


def test_nested() -> None:
    x = gleed.tensor(1.5, dtype=gleed.float64)
    third = grad(grad(grad(lambda x: x**5)))
    assert close(third(x), 60 * x**2)
    confused = grad(lambda x: x * grad(lambda y: x + y)(gleed.tensor(1.0, dtype=gleed.float64)))
    assert close(confused(x), gleed.ones_like(x))
    inner = grad(lambda x: grad(lambda y: x * x * y)(x) * x)  # d/dx x³
    assert close(inner(x), 3 * x**2)


# ---- vjp
def test_vjp() -> None:
    x, y = f64(3), f64(4, 3)
    (total, _), pull_back = vjp(lambda x, y: (y @ x, {"s": x.sin()}), x, y)
    assert close(total, y @ x)
    u, v = f64(4), f64(3)
    by_x, by_y = pull_back((u, {"s": v}))
    assert close(by_x, y.T @ u + v * x.cos())
    assert close(by_y, gleed.outer(u, x))
    assert not total.requires_grad
    again, _ = pull_back((u, {"s": v}))
    assert gleed.equal(again, by_x)
    _, pull_back, aux = vjp(lambda x: (x * 2, "aux"), x, has_aux=True)
    assert aux == "aux"
    assert close(vmap(pull_back)(gleed.eye(3, dtype=gleed.float64))[0], 2 * gleed.eye(3).double())


def test_vjp_of_what_does_not_depend_on_it() -> None:
    _, pull_back = vjp(lambda x: gleed.ones(2), f64(3))
    assert gleed.equal(pull_back(gleed.ones(2))[0], f64(3) * 0)


# ---- Jacobians
def network() -> tuple[Any, Any]:
    a, b = f64(5, 4), f64(3, 5)
    return lambda x: b @ (a @ x).tanh(), lambda x: b @ gleed.diag(1 - (a @ x).tanh() ** 2) @ a


@pytest.mark.parametrize("jacobian", [jacrev, jacfwd])
@pytest.mark.parametrize("chunk_size", [None, 2])
def test_jacobian(jacobian: Any, chunk_size: int | None) -> None:
    f, expected = network()
    found = jacobian(f, chunk_size=chunk_size)
    for _ in range(3):
        x = f64(4)
        assert close(found(x), expected(x))


def test_jacobian_of_structures() -> None:
    x, y = f64(2), f64(3, 2)

    def f(x: Any, tree: Any) -> Any:
        return {"a": tree["y"] @ x, "b": (x.sum(), tree["y"].sum(0))}

    found = jacrev(f, argnums=(0, 1))(x, {"y": y})
    by_x, by_tree = found["a"]
    assert close(by_x, y)
    assert by_tree["y"].shape == (3, 3, 2)
    assert close(found["b"][0][0], gleed.ones(2).double())
    assert found["b"][1][1]["y"].shape == (2, 3, 2)
    whole, aux = jacrev(lambda x: (x * x, 7), has_aux=True)(x)
    assert close(whole, gleed.diag(2 * x))
    assert aux == 7


def test_hessian() -> None:
    f = lambda x: (x[0] * x[1] ** 2).sin() + x.prod()  # noqa: E731
    for _ in range(2):
        x = f64(3)
        expected = gleed.autograd.functional.hessian(f, x)
        assert close(hessian(f)(x), expected)
    xs = f64(4, 3)
    each = gleed.stack([gleed.autograd.functional.hessian(f, x) for x in xs])
    for _ in range(2):
        assert close(vmap(hessian(f))(xs), each)
        assert close(vmap(jacrev(f))(xs), vmap(grad(f))(xs))


def test_jacobian_with_a_history() -> None:
    w, x = f64(3).requires_grad_(), f64(3)
    for _ in range(2):
        found = jacrev(lambda x: (w * x).sin())(x)
        (by_w,) = gleed.autograd.grad(found.sum(), w)
        expected = ((w * x).cos() - w * x * (w * x).sin()).detach()
        assert close(by_w, expected)


# ---- errors
@pytest.mark.parametrize(
    ("error", "text", "call"),
    [
        (
            ArgumentError,
            "grad: argnums is an int or a tuple of ints; got 'x'; count from 0",
            lambda x: grad(gleed.sum, argnums="x")(x),
        ),
        (
            RangeError,
            "grad: argnums must be positions of arguments; got 1 for 1 arguments; count from 0",
            lambda x: grad(gleed.sum, argnums=1)(x),
        ),
        (
            ArgumentError,
            "jacrev: argnums names each argument once; got (0, 0); leave out what is double",
            lambda x: jacrev(gleed.sin, argnums=(0, 0))(x),
        ),
        (
            DTypeError,
            "grad: what is differentiated by must be floating point; got gleed.int64; "
            "convert it with .float()",
            lambda x: grad(gleed.sum)(x.long()),
        ),
        (
            ArgumentError,
            "grad: there must be a tensor to differentiate by; got none; check argnums",
            lambda x: grad(lambda a: x.sum())(1.0),
        ),
        (
            ShapeError,
            "grad: the function returns one number, of 0 dims; got shape (3,); sum() it, "
            "or use jacrev",
            lambda x: grad(gleed.sin)(x),
        ),
        (
            ArgumentError,
            "grad: the function returns a tensor; got tuple; give has_aux=True if it returns more",
            lambda x: grad(lambda x: (x.sum(), 1))(x),
        ),
        (
            ArgumentError,
            "grad: with has_aux the function returns a pair (output, aux); got Tensor; return both",
            lambda x: grad(gleed.sum, has_aux=True)(x),
        ),
        (
            GradientError,
            "vjp: a function that is differentiated does not write to its arguments; it wrote to "
            "one of shape (3,); use a clone()",
            lambda x: vjp(lambda x: x.mul_(2), x.clone().requires_grad_() * 1),
        ),
        (
            ArgumentError,
            "vjp: the function returns tensors; got int; return what depends on its arguments",
            lambda x: vjp(lambda x: 1, x),
        ),
        (
            ArgumentError,
            "vjp: the cotangent has the structure of the function's result; got 1 tensors for 2; "
            "nest it the same way",
            lambda x: vjp(lambda x: (x, x), x)[1](x),
        ),
        (
            ShapeError,
            "vjp: a cotangent has the shape of what it belongs to; got shape (2,) for a result of "
            "shape (3,); reshape it",
            lambda x: vjp(gleed.sin, x)[1](gleed.ones(2)),
        ),
        (
            ArgumentError,
            "jacrev: the function's result has an element; got none; check it",
            lambda x: jacrev(lambda x: x[:0])(x),
        ),
    ],
)
def test_errors(error: Any, text: str, call: Any) -> None:
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        call(gleed.randn(3))
