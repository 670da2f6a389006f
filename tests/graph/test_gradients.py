"""Gradients as nodes, against eager gleed and against finite formulas."""

import re

import numpy as np
import pytest

import gleed
from gleed import graph as g
from gleed.errors import DTypeError, GradientError

HERE = re.escape(__file__)


def test_gradients_are_those_of_eager_gleed():
    rng = np.random.default_rng(0)
    data = [rng.standard_normal(shape).astype("float32") for shape in ((5, 3), (3, 4), (4,))]

    def loss_of(x, w, b):
        return ((x @ w + b).tanh().square() * 0.5).sum()

    nodes = [g.placeholder("float32", [None, *a.shape[1:]]) for a in data]
    found = g.gradients(loss_of(*nodes), nodes)
    assert [node.shape for node in found] == [node.shape for node in nodes]
    tensors = [gleed.tensor(a, requires_grad=True) for a in data]
    loss_of(*tensors).backward()
    with g.Session() as session:
        values = session.run(found, dict(zip(nodes, data, strict=True)))
    for value, tensor in zip(values, tensors, strict=True):
        np.testing.assert_array_equal(value, tensor.grad.numpy())


def test_gradients_with_respect_to_what_is_between():
    x = g.placeholder("float32", [2])
    y = x * 2
    copy = g.identity(y)
    z = (copy * copy * y).sum()
    wanted = g.gradients(z, [y, copy, x])
    with g.Session() as session:
        a, b, c = session.run(wanted, {x: [1.0, 2.0]})
    np.testing.assert_allclose(a, 3 * np.array([2.0, 4.0]) ** 2)
    np.testing.assert_allclose(b, 2 * np.array([2.0, 4.0]) ** 2)
    np.testing.assert_allclose(c, 6 * np.array([2.0, 4.0]) ** 2)


def test_what_does_not_depend_has_no_gradient():
    x, other = (g.placeholder("float32", [2], name=n) for n in ("x", "other"))
    assert g.gradients((x * x).sum(), [other]) == [None]
    found = g.gradients((x * g.stop_gradient(x)).sum(), [other, x])
    assert found[0] is None
    through_integers = x.long().float()
    assert g.gradients(through_integers, x) == [None]
    with g.Session() as session:
        assert session.run(found[1], {x: [3.0, 4.0]}).tolist() == [3, 4]


def test_weights_and_several_outputs():
    x = g.placeholder("float32", [2])
    (plain,) = g.gradients([x * 2, x.square()], x)
    (weighted,) = g.gradients([x * 2, x.square()], x, [[1.0, 10.0], None])
    with g.Session() as session:
        a, b = session.run([plain, weighted], {x: [1.0, 2.0]})
    assert a.tolist() == [4, 6] and b.tolist() == [4, 24]
    with pytest.raises(
        GradientError, match="gradients: one weight per node is expected; 1 came for"
    ):
        g.gradients([x, x], x, [None])


@pytest.mark.parametrize("order", [2, 3])
def test_higher_orders(order):
    x = g.placeholder("float64", [3])
    y = x**4
    for _ in range(order):
        (y,) = g.gradients(y, x)
    data = np.array([0.5, -1.0, 2.0])
    with g.Session() as session:
        got = session.run(y, {x: data})
    np.testing.assert_allclose(got, 12 * data**2 if order == 2 else 24 * data)


def test_several_gradients_share_one_forward_pass():
    w = g.Variable([1.0, 2.0])
    hidden = w.exp()
    first, second = g.gradients(hidden.sum(), w)[0], g.gradients(hidden.square().sum(), w)[0]
    steps = [w.assign_sub(first), w.assign_sub(second)]
    with g.Session() as session:
        session.run(w.initializer)
        program = session.program(steps)
        assert program.source.count("ops.exp") == 1
        session.run(steps)
        e = np.exp([1.0, 2.0])
        np.testing.assert_allclose(session.run(w), [1, 2] - e - 2 * e * e, rtol=1e-5)


def test_integers_have_no_gradients():
    x = g.placeholder("int32", [2], name="x")
    with pytest.raises(
        DTypeError,
        match=rf"gradients: nodes must be floating point; 'x:0' .int32 .* came, made at {HERE}",
    ):
        g.gradients(x, x)
