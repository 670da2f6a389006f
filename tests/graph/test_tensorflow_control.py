"""Control flow under TensorFlow 1's names."""

import numpy as np
import pytest

import gleed.compat.tensorflow as tf
from gleed.errors import ArgumentError


@pytest.fixture
def session(graph):
    with tf.Session() as made:
        yield made


def test_branches_and_cases(session):
    x = tf.placeholder(tf.float32, name="x")
    y = tf.cond(x > 0, lambda: [tf.sqrt(x), 1], lambda: [0.0, 2])
    assert [n.dtype for n in y] == [tf.float32, tf.int32]
    assert session.run(y, {x: 4.0}) == [2.0, 1]
    assert session.run(y, {x: -4.0}) == [0.0, 2]
    old = tf.cond(x > 0, fn1=lambda: x, fn2=lambda: -x)
    assert session.run(old, {x: -3.0}) == 3.0
    pairs = [(x < 1, lambda: 1), (x < 2, lambda: 2), (x < 3, lambda: 3)]
    assert [session.run(tf.case(pairs), {x: v}) for v in (0, 1, 2, 9)] == [1, 2, 3, 3]
    assert session.run(tf.case({x > 5: lambda: 7}, default=lambda: 8), {x: 0}) == 8
    with pytest.raises(ArgumentError, match="cond: pred must be a node; True came; write an if"):
        tf.cond(True, lambda: x, lambda: x)
    with pytest.raises(ArgumentError, match="case: pred_fn_pairs must have a pair; none came"):
        tf.case([])


def test_loops_give_their_variables_back_as_they_came(session):
    i = tf.while_loop(lambda i: tf.less(i, 10), lambda i: tf.add(i, 3), [tf.constant(0)])
    assert (session.run(i), i.dtype) == (12, tf.int32)
    i, s = tf.while_loop(lambda i, s: i < 5, lambda i, s: (i + 1, s * 2.0), (0, 1.0))
    assert session.run([i, s]) == [5, 32.0]
    found = tf.while_loop(
        lambda i, s: True, lambda i, s: [i + 1, s + i], [0, 0], maximum_iterations=4
    )
    assert isinstance(found, list) and session.run(found) == [4, 6]
    only = tf.while_loop(lambda i: i < 3, lambda i: [i + 1], [0], return_same_structure=True)
    assert session.run(only) == [3]
    with pytest.raises(ArgumentError, match="while_loop: loop variables keep their shapes; shape_"):
        tf.while_loop(lambda i: i < 3, lambda i: [i + 1], [0], shape_invariants=[None])


def test_a_loop_without_back_prop_has_no_gradient(session):
    x = tf.placeholder(tf.float32, [])
    turn = lambda i, y: (i + 1, y * x)  # noqa: E731
    y = [
        tf.while_loop(lambda i, y: i < 3, turn, (0, x), back_prop=back)[1] for back in (True, False)
    ]
    slopes = tf.gradients(y[0] + y[1] + x, x)
    assert session.run(slopes, {x: 2.0}) == [4 * 8 + 1]


@pytest.mark.parametrize("reverse", [False, True])
def test_scans_and_folds(session, reverse):
    rows = np.arange(1.0, 6.0, dtype="float32")
    order = rows[::-1] if reverse else rows
    step = lambda a, x: a * 0.5 + x  # noqa: E731
    states, a = [], 2.0
    for x in order:
        a = a * 0.5 + x
        states.append(a)
    found = tf.scan(step, tf.constant(rows), initializer=2.0, reverse=reverse)
    np.testing.assert_allclose(session.run(found), states[::-1] if reverse else states)
    fold = (tf.foldr if reverse else tf.foldl)(step, tf.constant(rows), initializer=2.0)
    assert session.run(fold) == states[-1]
    states = [order[0]]
    for x in order[1:]:
        states.append(states[-1] * 0.5 + x)
    found = tf.scan(step, list(rows), reverse=reverse)
    np.testing.assert_allclose(session.run(found), states[::-1] if reverse else states)
    fold = (tf.foldr if reverse else tf.foldl)(step, rows)
    assert session.run(fold) == states[-1]


def test_map_goes_over_structures(session):
    x = tf.placeholder(tf.float32, [None, 2])
    found = tf.map_fn(
        lambda p: (p[0] * 2, p[1] + 1), (x, tf.range(3)), dtype=(tf.float32, tf.int32)
    )
    doubled, more = session.run(found, {x: np.ones((3, 2))})
    np.testing.assert_array_equal(doubled, np.full((3, 2), 2))
    np.testing.assert_array_equal(more, [1, 2, 3])
