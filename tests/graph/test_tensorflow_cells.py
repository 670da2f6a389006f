"""Cells with something around them, and recurrence in both directions."""

import numpy as np
import pytest
from scipy.special import expit as sigmoid

import gleed.compat.tensorflow as tf
from gleed.errors import ArgumentError

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((3, 5, 4)).astype("float32")
LENGTHS = [5, 2, 0]


def run(nodes, feeds=None):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(nodes, feeds)


def test_steps_are_turned_as_far_as_sequences_go():
    found, other = run([
        tf.reverse_sequence(X, LENGTHS, seq_axis=1),
        tf.reverse_sequence(X.transpose(1, 0, 2), LENGTHS, seq_dim=0, batch_dim=1),
    ])  # fmt: skip
    for row, x, n in zip(found, X, LENGTHS, strict=True):
        np.testing.assert_array_equal(row, np.concatenate([x[:n][::-1], x[n:]]))
    np.testing.assert_array_equal(other.transpose(1, 0, 2), found)
    with pytest.raises(ArgumentError, match=r"reverse_sequence: .* nothing came; give seq_axis"):
        tf.reverse_sequence(X, LENGTHS)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("time_major", [True, False])
def test_both_directions(lengths, time_major):
    forth, back = tf.nn.rnn_cell.GRUCell(3), tf.nn.rnn_cell.BasicLSTMCell(2)
    x = tf.constant(X.transpose(1, 0, 2) if time_major else X)
    outputs, states = tf.nn.bidirectional_dynamic_rnn(
        forth, back, x, lengths, dtype=tf.float32, time_major=time_major
    )
    names = [v.op.name for v in tf.trainable_variables()]
    assert names[0] == "bidirectional_rnn/fw/gru_cell/gates/kernel"
    assert names[-1] == "bidirectional_rnn/bw/basic_lstm_cell/bias"
    n = [5, 5, 5] if lengths is None else lengths
    turned = tf.reverse_sequence(X, n, 1)
    with tf.variable_scope("again"):
        one = tf.nn.dynamic_rnn(forth, X, lengths, dtype=tf.float32)
        other = tf.nn.dynamic_rnn(back, turned, lengths, dtype=tf.float32)
    expected = run([one[0], tf.reverse_sequence(other[0], n, 1), one[1], other[1]])
    assert len(tf.trainable_variables()) == len(names)  # the cells keep theirs
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        found = session.run([*outputs, *states])
        expected = session.run([one[0], tf.reverse_sequence(other[0], n, 1), one[1], other[1]])
    for a, b in zip(found[:2], expected[:2], strict=True):
        np.testing.assert_allclose(a.transpose(1, 0, 2) if time_major else a, b, rtol=1e-5)
    np.testing.assert_allclose(found[2], expected[2], rtol=1e-5)
    np.testing.assert_allclose(found[3].h, expected[3].h, rtol=1e-5)


def test_both_directions_over_lists_of_steps():
    forth, back = tf.contrib.rnn.BasicRNNCell(3), tf.contrib.rnn.BasicRNNCell(2)
    steps = tf.unstack(X, 5, 1)
    outputs, last, first = tf.contrib.rnn.static_bidirectional_rnn(
        forth, back, steps, dtype=tf.float32
    )
    found, a, b = run([outputs, last, first])
    assert len(found) == 5 and found[0].shape == (3, 5)
    np.testing.assert_array_equal(found[-1][:, :3], a)
    np.testing.assert_array_equal(found[0][:, 3:], b)


def test_gates_that_see_the_memory():
    cell = tf.nn.rnn_cell.LSTMCell(
        6, use_peepholes=True, cell_clip=0.3, num_proj=2, proj_clip=0.2,
        initializer=tf.random_normal_initializer(0.0, 1.0),
    )  # fmt: skip
    outputs, state = tf.nn.dynamic_rnn(cell, X, dtype=tf.float32)
    weights = {v.op.name.split("lstm_cell/")[1]: v for v in tf.trainable_variables()}
    assert cell.output_size == 2 and cell.state_size == (6, 2)
    y, last, w = run([outputs, state, weights])
    c, h = np.zeros((3, 6)), np.zeros((3, 2))
    for t in range(5):
        i, j, f, o = np.split(np.concatenate([X[:, t], h], 1) @ w["kernel"] + w["bias"], 4, 1)
        kept = sigmoid(f + 1 + w["w_f_diag"] * c) * c
        c = np.clip(kept + sigmoid(i + w["w_i_diag"] * c) * np.tanh(j), -0.3, 0.3)
        h = sigmoid(o + w["w_o_diag"] * c) * np.tanh(c)
        h = np.clip(h @ w["projection/kernel"], -0.2, 0.2)
        np.testing.assert_allclose(y[:, t], h, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(last.c, c, rtol=1e-4, atol=1e-5)


def test_dropout_around_a_cell():
    kept = tf.placeholder_with_default(1.0, [])
    cell = tf.nn.rnn_cell.BasicLSTMCell(50)
    wrapped = tf.nn.rnn_cell.DropoutWrapper(cell, output_keep_prob=kept, state_keep_prob=kept)
    outputs, state = tf.nn.dynamic_rnn(wrapped, X, dtype=tf.float32)
    plain, _ = tf.nn.dynamic_rnn(cell, X, dtype=tf.float32)
    (gradient,) = tf.gradients(outputs, tf.trainable_variables()[0])
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        np.testing.assert_array_equal(*session.run([outputs, plain]))
        y, last, slope = session.run([outputs, state, gradient], {kept: 0.5})
    assert 0.4 < (y == 0).mean() < 0.6 and 0.3 < (last.h == 0).mean() < 0.7
    assert (last.c != 0).all() and np.isfinite(slope).all()
    steps = (y[0] == 0).astype(int)
    assert (steps[0] != steps[1]).any()  # each step drops elements of its own
    with pytest.raises(ArgumentError, match=r"DropoutWrapper: .* variational_recurrent=True came"):
        tf.nn.rnn_cell.DropoutWrapper(cell, variational_recurrent=True)


def test_what_is_put_around_a_cell():
    cell = tf.nn.rnn_cell.BasicRNNCell(4, name="own")
    residual = tf.nn.rnn_cell.ResidualWrapper(cell)
    projected = tf.contrib.rnn.OutputProjectionWrapper(cell, 2, tf.nn.relu)
    assert (residual.state_size, projected.state_size, projected.output_size) == (4, 4, 2)
    plain, _ = tf.nn.dynamic_rnn(cell, X, dtype=tf.float32)
    more, _ = tf.nn.dynamic_rnn(residual, X, dtype=tf.float32)
    two, last = tf.nn.dynamic_rnn(projected, X, dtype=tf.float32)
    a, b, c, d = run([plain, more, two, last])
    np.testing.assert_allclose(b, a + X, rtol=1e-6)
    assert c.shape == (3, 5, 2) and (c >= 0).all() and d.shape == (3, 4)
    names = [v.op.name for v in tf.trainable_variables()]
    assert names[::2] == ["rnn/own/kernel", "rnn/output_projection_wrapper/kernel"]


def test_cells_refuse_what_they_do_not_know():
    with pytest.raises(TypeError, match="activaton"):
        tf.nn.rnn_cell.GRUCell(3, activaton=tf.nn.relu)
