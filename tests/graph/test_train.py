"""Optimizers against TensorFlow's formulas in NumPy, schedules, clipping, checkpoints, pictures."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from gleed import graph as g
from gleed.errors import ArgumentError, GradientError, GraphError, ShapeError
from gleed.graph import train
from gleed.serialization import FileFormatError

STEPS = 4
START = np.array([1.0, -2.0, 0.5])


def gradient(w):
    return 3 * w**2 + np.cos(w)


def descent(w, state, t):
    return w - 0.1 * gradient(w)


def momentum(w, state, t, nesterov=False):
    grad = gradient(w)
    a = state["a"] = 0.9 * state.get("a", 0) + grad
    return w - 0.1 * (grad + 0.9 * a if nesterov else a)


def adagrad(w, state, t):
    a = state["a"] = state.get("a", 0.1) + gradient(w) ** 2
    return w - 0.1 * gradient(w) / np.sqrt(a)


def rmsprop(w, state, t, centered=False):
    grad = gradient(w)
    m = state["m"] = 0.9 * state.get("m", 1) + 0.1 * grad**2
    mean = state["mean"] = 0.9 * state.get("mean", 0) + 0.1 * grad if centered else 0
    a = state["a"] = 0.5 * state.get("a", 0) + 0.1 * grad / np.sqrt(m - mean**2 + 1e-10)
    return w - a


def adam(w, state, t):
    grad = gradient(w)
    m = state["m"] = 0.9 * state.get("m", 0) + 0.1 * grad
    v = state["v"] = 0.99 * state.get("v", 0) + 0.01 * grad**2
    rate = 0.1 * np.sqrt(1 - 0.99**t) / (1 - 0.9**t)
    return w - rate * m / (np.sqrt(v) + 0.5)


@pytest.mark.parametrize("as_node", [False, True], ids=["number", "node"])
@pytest.mark.parametrize(
    ("make", "formula"),
    [
        (train.GradientDescentOptimizer, descent),
        (lambda lr: train.MomentumOptimizer(lr, 0.9), momentum),
        (lambda lr: train.MomentumOptimizer(lr, 0.9, use_nesterov=True),
         lambda *a: momentum(*a, nesterov=True)),
        (train.AdagradOptimizer, adagrad),
        (lambda lr: train.RMSPropOptimizer(lr, momentum=0.5), rmsprop),
        (lambda lr: train.RMSPropOptimizer(lr, momentum=0.5, centered=True),
         lambda *a: rmsprop(*a, centered=True)),
        (lambda lr: train.AdamOptimizer(lr, beta2=0.99, epsilon=0.5), adam),
    ],
)  # fmt: skip
def test_optimizers_follow_their_formulas(make, formula, as_node):
    w = g.Variable(START)
    rate = g.placeholder("float64", []) if as_node else 0.1
    step = g.Variable(0, trainable=False)
    optimizer = make(rate)
    update = optimizer.minimize((w**3 + w.sin()).sum(), global_step=step)
    feeds = {rate: 0.1} if as_node else {}
    wanted, state = START, {}
    with g.Session() as session:
        session.run(g.global_variables_initializer())
        for t in range(1, STEPS + 1):
            session.run(update, feeds)
            wanted = formula(wanted, state, t)
            np.testing.assert_allclose(session.run(w), wanted, rtol=1e-5)
        assert session.run(step) == STEPS
    assert w.op.name in update.name or update.type == "NoOp"
    kept = optimizer.variables()
    assert not set(kept) & set(g.trainable_variables()) and set(kept) <= set(g.global_variables())
    for name in optimizer.get_slot_names():
        assert optimizer.get_slot(w, name) in kept


def test_gradients_can_be_changed_before_they_are_applied():
    w = g.Variable([3.0, 4.0])
    other = g.Variable(1.0)
    optimizer = train.GradientDescentOptimizer(1.0)
    pairs = optimizer.compute_gradients((w * w).sum() / 2)
    assert [v for _, v in pairs] == [w, other] and pairs[1][0] is None
    clipped, norm = train.clip_by_global_norm([gradient for gradient, _ in pairs], 1.0)
    update = optimizer.apply_gradients(zip(clipped, [w, other], strict=True))
    with g.Session() as session:
        session.run(g.global_variables_initializer())
        assert session.run([update, norm]) == [None, 5]
        np.testing.assert_allclose(session.run(w), [2.4, 3.2], rtol=1e-6)


def test_var_list_and_trainable_choose_variables():
    a, b, c = g.Variable(1.0), g.Variable(1.0), g.Variable(1.0, trainable=False)
    loss = a * b * c
    optimizer = train.GradientDescentOptimizer(0.5)
    with g.Session() as session:
        both, one = optimizer.minimize(loss), optimizer.minimize(loss, var_list=[c])
        session.run(g.global_variables_initializer())
        session.run(both)
        assert session.run([a, b, c]) == [0.5, 0.5, 1]
        session.run(one)
        assert session.run([a, b, c]) == [0.5, 0.5, 0.875]


def test_a_loss_without_variables_is_refused():
    g.Variable(1.0, name="w")
    x = g.placeholder("float32", [], name="x")
    with pytest.raises(
        GradientError,
        match=r"minimize: the loss must depend on a variable; 'x:0' \(float32 \[\]\), made at .*, "
        r"depends on none of: w:0; compute it from them",
    ):
        train.GradientDescentOptimizer(0.1).minimize(x)
    with pytest.raises(
        ArgumentError, match="apply_gradients: at least one gradient is needed; none"
    ):
        train.GradientDescentOptimizer(0.1).apply_gradients([])


def test_clipping():
    x = g.placeholder("float64", [None, 2])
    nodes = [
        train.clip_by_norm(x, 1.0),
        train.clip_by_norm(x, 1.0, axes=1),
        train.global_norm([x, x]),
    ]
    data = np.array([[3.0, 4.0], [0.3, 0.4]])
    with g.Session() as session:
        whole, rows, length = session.run(nodes, {x: data})
        np.testing.assert_allclose(whole, data / np.sqrt((data**2).sum()))
        np.testing.assert_allclose(rows, [[0.6, 0.8], [0.3, 0.4]])
        assert length == pytest.approx(np.sqrt(2 * (data**2).sum()))
        assert not session.run(nodes[0], {x: data * 0}).any()


def test_schedules():
    step = g.placeholder("int64", [])
    nodes = [
        train.exponential_decay(0.5, step, 10, 0.9),
        train.exponential_decay(0.5, step, 10, 0.9, staircase=True),
        train.polynomial_decay(1.0, step, 10, 0.1, power=2.0),
        train.piecewise_constant(step, [5, 15], [1.0, 0.5, 0.25]),
    ]
    with g.Session() as session:
        for t in (0, 5, 6, 14, 15, 16, 40):
            way = (1 - min(t, 10) / 10) ** 2 * 0.9 + 0.1
            piece = 1.0 if t <= 5 else 0.5 if t <= 15 else 0.25
            wanted = [0.5 * 0.9 ** (t / 10), 0.5 * 0.9 ** (t // 10), way, piece]
            np.testing.assert_allclose(session.run(nodes, {step: t}), wanted, rtol=1e-5)
    with pytest.raises(
        ArgumentError, match="piecewise_constant: there is one value more than bound"
    ):
        train.piecewise_constant(step, [1], [1.0])


def test_the_global_step():
    assert train.get_global_step() is None
    step = train.get_or_create_global_step()
    assert train.get_or_create_global_step() is train.get_global_step() is step
    with pytest.raises(GraphError, match="create_global_step: a graph has one global step; it was"):
        train.create_global_step()


def test_checkpoints_round_trip(tmp_path):
    w = g.Variable(np.random.default_rng(0).standard_normal((3, 2)), name="net/w")
    step = g.Variable(3, name="step")
    saver = train.Saver(max_to_keep=2)
    path = tmp_path / "model.ckpt"
    with g.Session() as session:
        session.run(g.global_variables_initializer())
        wanted = session.run(w)
        assert saver.save(session, path) == str(path)
        names = [saver.save(session, path, number) for number in (1, step)]
        assert names == [f"{path}-1", f"{path}-3"] == saver.last_checkpoints
    assert not path.exists()
    assert train.latest_checkpoint(tmp_path) == f"{path}-3"
    assert train.latest_checkpoint(tmp_path / "none") is None
    assert (tmp_path / "model.ckpt-3").read_bytes()[8:9] == b"{"  # safetensors' header
    with g.Session() as session:
        saver.restore(session, train.latest_checkpoint(tmp_path))
        np.testing.assert_array_equal(session.run(w), wanted)
        train.Saver({"net/w": w}).restore(session, f"{path}-1")


def test_checkpoints_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "a.ckpt"
    with pytest.raises(
        ArgumentError, match="Saver: there must be variables to save; none came; make"
    ):
        train.Saver()
    w = g.Variable([1.0, 2.0], name="w")
    with g.Session() as session:
        with pytest.raises(GraphError, match=r"'w:0'.* is not; run global_variables_initializer"):
            train.Saver().save(session, path)
        session.run(w.initializer)
        train.Saver().save(session, path)
    with g.Graph().as_default(), g.Session() as session:
        other = g.Variable([1.0], name="other")
        with pytest.raises(
            ArgumentError, match="restore: every variable must be in the checkpoint; "
        ):
            train.Saver().restore(session, path)
        with pytest.raises(
            ShapeError, match=r"has shape \[2\] for 'other:0' \(float32 \[1\]\), made at"
        ):
            train.Saver({"w": other}).restore(session, path)
        path.write_bytes(b"\x80nonsense")
        with pytest.raises(FileFormatError, match="pickle"):
            train.Saver().restore(session, path)


def test_pictures_name_what_is_in_the_graph(tmp_path):
    x = g.placeholder("float32", [None, 3], name="x")
    w = g.Variable(g.random_normal([3, 2]), name="w")
    loss = (x @ w).sum()
    step = train.GradientDescentOptimizer(0.1).minimize(loss)
    g.global_variables_initializer()

    def boxes(what):
        g.draw(what, path=tmp_path / "graph.svg")
        groups = (
            ElementTree.parse(tmp_path / "graph.svg")
            .getroot()
            .iter("{http://www.w3.org/2000/svg}g")
        )
        return {tuple(text.text for text in group)[1:]: group.get("class") for group in groups}

    small = boxes(loss)
    assert small == {
        ("x", "float32 [None, 3]"): "input", ("w", "float32 [3, 2]"): "leaf",
        ("matmul", "float32 [None, 2]"): "op", ("sum", "float32 []"): "op",
    }  # fmt: skip
    names = {name for name, *_ in boxes(None)}
    assert {"x", "w", "gradients", step.name} <= names
    assert not [n for n in names if re.search("Assign$|init|random", n)]
    assert boxes(step).keys() >= small.keys()
