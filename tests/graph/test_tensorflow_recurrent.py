"""TensorFlow 1's recurrent networks, and its functions around training, against NumPy."""

import logging

import numpy as np
import pytest
from scipy.special import expit

import gleed.compat.tensorflow as tf
from gleed.errors import ArgumentError, ShapeError


@pytest.fixture
def session(graph):
    with tf.Session() as made:
        yield made


def values(session):
    """The values of all variables, each a little different from the initial one, by name."""
    random = np.random.default_rng(5)
    session.run(tf.global_variables_initializer())
    for v in tf.global_variables():
        v.load(session.run(v) + random.normal(size=v.shape.sizes()).astype("float32") * 0.1)
    return {v.op.name: session.run(v) for v in tf.global_variables()}


def basic(w, x, h):
    y = np.tanh(np.concatenate([x, h], 1) @ w["kernel"] + w["bias"])
    return y, y


def lstm(w, x, state):
    c, h = state
    i, j, f, o = np.split(np.concatenate([x, h], 1) @ w["kernel"] + w["bias"], 4, 1)
    c = c * expit(f + 1.0) + expit(i) * np.tanh(j)
    h = np.tanh(c) * expit(o)
    return h, (c, h)


def gru(w, x, h):
    gates = expit(np.concatenate([x, h], 1) @ w["gates/kernel"] + w["gates/bias"])
    r, u = np.split(gates, 2, 1)
    c = np.tanh(np.concatenate([x, r * h], 1) @ w["candidate/kernel"] + w["candidate/bias"])
    y = u * h + (1 - u) * c
    return y, y


CELLS = [
    (tf.nn.rnn_cell.BasicRNNCell, "basic_rnn_cell", basic, np.zeros),
    (tf.nn.rnn_cell.LSTMCell, "lstm_cell", lstm, lambda s: (np.zeros(s), np.zeros(s))),
    (tf.nn.rnn_cell.GRUCell, "gru_cell", gru, np.zeros),
]


@pytest.mark.parametrize("lengths", [None, [4, 1, 0]])
@pytest.mark.parametrize(("cell", "scope", "step", "zeros"), CELLS, ids=[c[1] for c in CELLS])
def test_a_cell_over_sequences(session, cell, scope, step, zeros, lengths):
    tf.set_random_seed(0)
    x = tf.placeholder(tf.float32, [None, None, 2])
    outputs, last = tf.nn.dynamic_rnn(cell(5), x, sequence_length=lengths, dtype=tf.float32)
    assert outputs.shape.as_list() == [None if lengths is None else 3, None, 5]
    loss = tf.reduce_sum(outputs * outputs)
    slopes = tf.gradients(loss, tf.trainable_variables())
    weights = values(session)
    own = {name.removeprefix(f"rnn/{scope}/"): value for name, value in weights.items()}
    data = np.random.default_rng(1).normal(size=(3, 4, 2)).astype("float32")
    state, expected = zeros((3, 5)), []
    for t in range(4):
        y, following = step(own, data[:, t], state)
        going = np.ones((3, 1)) if lengths is None else np.array(lengths)[:, None] > t
        tuples = isinstance(state, tuple)
        pairs = zip(following, state, strict=True) if tuples else [(following, state)]
        new = [np.where(going, a, b) for a, b in pairs]
        state = tuple(new) if tuples else new[0]
        expected.append(np.where(going, y, 0))
    found, end, *gradients = session.run([outputs, last, *slopes], {x: data})
    np.testing.assert_allclose(found, np.stack(expected, 1), rtol=1e-5, atol=1e-6)
    for a, b in zip(end if isinstance(end, tuple) else [end], state if tuples else [state],
                    strict=True):  # fmt: skip
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    variable, slope = tf.trainable_variables()[0], gradients[0]
    direction = np.random.default_rng(2).normal(size=slope.shape).astype("float32")
    slopes = []
    for size in (1e-2, 2e-2):
        sides = []
        for step in (size, -size):
            variable.load(weights[variable.op.name] + step * direction)
            sides.append(session.run(loss, {x: data}))
        slopes.append((sides[0] - sides[1]) / (2 * size))
    # Without the error of the second order of the steps.
    expected = (4 * slopes[0] - slopes[1]) / 3
    np.testing.assert_allclose((slope * direction).sum(), expected, rtol=1e-2)


def test_cells_one_above_the_other_learn(session):
    x = tf.placeholder(tf.float32, [None, 6, 1])
    target = tf.placeholder(tf.float32, [None, 1])
    cells = tf.nn.rnn_cell.MultiRNNCell([tf.nn.rnn_cell.BasicLSTMCell(8) for _ in range(2)])
    outputs, state = tf.nn.dynamic_rnn(cells, x, dtype=tf.float32, scope="net")
    assert [type(s).__name__ for s in state] == ["LSTMStateTuple"] * 2
    assert tf.trainable_variables()[2].op.name == (
        "net/multi_rnn_cell/cell_1/basic_lstm_cell/kernel"
    )
    loss = tf.losses.mean_squared_error(target, tf.layers.dense(outputs[:, -1], 1))
    step = tf.train.AdamOptimizer(0.02).minimize(loss)
    tf.set_random_seed(0)
    session.run(tf.global_variables_initializer())
    random = np.random.default_rng(0)
    losses = []
    for _ in range(60):
        data = random.normal(size=(32, 6, 1))
        feeds = {x: data, target: data.sum(1)}
        losses.append(session.run([loss, step], feeds)[0])
    assert np.mean(losses[-10:]) < 0.3 * np.mean(losses[:5])


def test_a_cell_step_by_step_and_static_rnn_share_their_variables(session):
    cell = tf.nn.rnn_cell.GRUCell(3)
    steps = [tf.placeholder(tf.float32, [2, 4]) for _ in range(3)]
    state = first = cell.zero_state(2, tf.float32)
    found = []
    for x in steps:
        y, state = cell(x, state)
        found.append(y)
    outputs, last = tf.nn.static_rnn(cell, steps, initial_state=first)
    assert len(tf.trainable_variables()) == 4
    session.run(tf.global_variables_initializer())
    data = np.random.default_rng(0).normal(size=(3, 2, 4))
    one, other = session.run(
        [[*found, state], [*outputs, last]], dict(zip(steps, data, strict=True))
    )
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_mistakes_with_cells():
    with pytest.raises(ShapeError, match=r"dynamic_rnn: inputs have 3 dims, \(batch, steps, feat"):
        tf.nn.dynamic_rnn(tf.nn.rnn_cell.GRUCell(3), tf.zeros([2, 3]))
    with pytest.raises(ShapeError, match="rnn_cell: the number of features must be known; 'P"):
        tf.nn.dynamic_rnn(tf.nn.rnn_cell.GRUCell(3), tf.placeholder("float", [1, 2, None]))
    with pytest.raises(ArgumentError, match=r"basic_lstm_cell: the state is a tuple \(c, h\); sta"):
        tf.nn.rnn_cell.BasicLSTMCell(3, state_is_tuple=False)
    with pytest.raises(AttributeError, match="has no attribute 'LSTMCel'; did you mean 'LSTMCell'"):
        tf.nn.rnn_cell.LSTMCel  # noqa: B018


# ---- around training
def test_losses(session):
    random = np.random.default_rng(0)
    p, z = random.uniform(0.1, 0.9, (4, 3)), (random.uniform(size=(4, 3)) > 0.5) * 1.0
    x = random.normal(size=(4, 3)) * 3
    e = np.abs(x - z)
    soft = np.log1p(np.exp(-np.abs(x))) + np.maximum(-x, 0)
    for node, expected in [
        (tf.losses.huber_loss(z, x, delta=0.5),
         np.where(e < 0.5, e * e / 2, 0.5 * e - 0.125).mean()),
        (tf.losses.hinge_loss(z, x), np.maximum(0, 1 - (2 * z - 1) * x).mean()),
        (tf.losses.log_loss(z, p),
         (-z * np.log(p + 1e-7) - (1 - z) * np.log(1 - p + 1e-7)).mean()),
        (tf.nn.weighted_cross_entropy_with_logits(z, x, 2.5),
         (1 - z) * x + (1 + 1.5 * z) * soft),
        (tf.nn.xw_plus_b(x, x.T, np.ones(4)), x @ x.T + 1),
        (tf.nn.zero_fraction(z), (z == 0).mean()),
        (tf.nn.swish(x), x * expit(x)),
        (tf.count_nonzero(z), (z != 0).sum()),
        (tf.count_nonzero(z, axis=1), (z != 0).sum(1)),
        (tf.cumprod(x, 1), x.cumprod(1)),
        (tf.sequence_mask([1, 3, 0], 3), [[1, 0, 0], [1, 1, 1], [0, 0, 0]]),
        (tf.confusion_matrix([0, 1, 1, 2], [0, 1, 2, 2], 3),
         [[1, 0, 0], [0, 1, 1], [0, 0, 1]]),
    ]:  # fmt: skip
        np.testing.assert_allclose(session.run(node), expected, rtol=1e-5)
    with pytest.raises(ArgumentError, match="sequence_mask: the size must be known; give maxlen"):
        tf.sequence_mask([1, 2])


def test_penalties_are_summed(session):
    assert session.run(tf.losses.get_regularization_loss()) == 0
    for i in range(2):
        tf.get_variable(f"w{i}", initializer=2.0 + i, regularizer=tf.nn.l2_loss)
    session.run(tf.global_variables_initializer())
    assert len(tf.losses.get_regularization_losses()) == 2
    assert session.run(tf.losses.get_regularization_loss()) == 2.0 + 4.5


def test_schedules(session):
    step = tf.placeholder(tf.int32, [])
    for node, formula in [
        (tf.train.natural_exp_decay(0.5, step, 10, 0.3), lambda s: 0.5 * np.exp(-0.3 * s / 10)),
        (tf.train.natural_exp_decay(0.5, step, 10, 0.3, staircase=True),
         lambda s: 0.5 * np.exp(-0.3 * (s // 10))),
        (tf.train.inverse_time_decay(0.5, step, 10, 0.3), lambda s: 0.5 / (1 + 0.3 * s / 10)),
        (tf.train.inverse_time_decay(0.5, step, 10, 0.3, staircase=True),
         lambda s: 0.5 / (1 + 0.3 * (s // 10))),
        (tf.train.cosine_decay(0.5, step, 20, 0.1),
         lambda s: 0.5 * (0.9 * (1 + np.cos(np.pi * min(s, 20) / 20)) / 2 + 0.1)),
    ]:  # fmt: skip
        for s in (0, 3, 15, 40):
            np.testing.assert_allclose(session.run(node, {step: s}), formula(s), rtol=1e-5)


def test_headers_of_programs(caplog):
    tf.logging.set_verbosity(tf.logging.ERROR)
    tf.disable_eager_execution()
    x = tf.zeros([2, 3])[:, tf.newaxis]
    assert x.shape == [2, 1, 3]
    tf.logging.set_verbosity(tf.logging.INFO)
    with caplog.at_level(logging.INFO, "tensorflow"):
        tf.logging.info("step %d", 3)
    assert caplog.messages == ["step 3"]
