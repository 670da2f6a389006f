"""Places that are data, sampled losses, averages, Python in graphs: against NumPy."""

import logging
import sys

import numpy as np
import pytest
import scipy.special

import gleed.compat.tensorflow as tf
from gleed.errors import ArgumentError, DTypeError, GraphError, ShapeError

RANDOM = np.random.default_rng(0)


def run(nodes, feeds=None):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(nodes, feeds)


# ---- places
@pytest.mark.parametrize("depth", [0, 1, 2, 3])
@pytest.mark.parametrize("known", [True, False])
def test_gathering_by_rows_of_indices(depth, known):
    x = RANDOM.standard_normal((4, 3, 5)).astype("float32")
    at = np.stack([RANDOM.integers(0, n, (2, 6)) for n in x.shape[:depth]], -1) if depth else None
    at = np.zeros((2, 6, 0), int) if at is None else at
    if depth == 0:
        assert run(tf.gather_nd(x, tf.constant(np.zeros((0,), "int32")))).shape == x.shape
        return
    places = tf.placeholder(tf.int32, at.shape if known else [None, None, depth])
    values = tf.placeholder(tf.float32, x.shape if known else [None, 3, 5])
    y = tf.gather_nd(values, places)
    expected = x[tuple(np.moveaxis(at, -1, 0))]
    (gradient,) = tf.gradients(tf.reduce_sum(y), values)
    found, slope = run([y, gradient], {places: at, values: x})
    np.testing.assert_array_equal(found, expected)
    counts = np.zeros_like(x)
    np.add.at(counts, tuple(np.moveaxis(at, -1, 0)), 1)
    np.testing.assert_array_equal(slope, counts)
    assert y.shape.accepts(expected.shape) and len(y.shape) == expected.ndim


def test_adding_at_rows_of_indices():
    at = RANDOM.integers(0, 4, (7, 2))
    x = RANDOM.standard_normal((7, 3)).astype("float32")
    values = tf.placeholder(tf.float32, [None, 3])
    y = tf.scatter_nd(at, values, [4, 4, 3])
    weights = tf.constant(RANDOM.standard_normal((4, 4, 3)), tf.float32)
    (gradient,) = tf.gradients(tf.reduce_sum(y * weights), values)
    found, slope, w = run([y, gradient, weights], {values: x})
    expected = np.zeros((4, 4, 3), "float32")
    np.add.at(expected, (at[:, 0], at[:, 1]), x)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_array_equal(slope, w[at[:, 0], at[:, 1]])


def test_the_depth_of_indices_must_be_known():
    places = tf.placeholder(tf.int32, [None, None], name="at")
    with pytest.raises(
        ShapeError, match=r"gather_nd: the last dim of the indices .* 'at:0' .int32"
    ):
        tf.gather_nd([1, 2], places)
    with pytest.raises(ShapeError, match=r"scatter_nd: the last dim of the indices must be known"):
        tf.scatter_nd(places, [1, 2], [3])


@pytest.mark.parametrize("how", ["sum", "mean", "max", "min", "prod"])
def test_segments(how):
    x = RANDOM.standard_normal((9, 2)).astype("float32")
    segments = np.array([0, 3, 0, 1, 3, 3, 1, 0, 0])
    rows = tf.placeholder(tf.float32, [None, 2])
    found = run(getattr(tf, f"unsorted_segment_{how}")(rows, segments, 5), {rows: x})
    empty = 1 if how == "prod" else 0
    expected = np.full((5, 2), empty, "float32")
    for s in (0, 1, 3):
        expected[s] = getattr(np, how)(x[segments == s], axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_rows_of_variables():
    x = tf.Variable(np.zeros((4, 2)), dtype=tf.float32)
    at = tf.placeholder(tf.int32, [None])
    values = [[1.0, 2.0], [3.0, 4.0]]
    with tf.Session() as session:
        session.run(x.initializer)
        session.run(tf.scatter_update(x, at, values), {at: [3, 1]})
        session.run(tf.scatter_add(x, at, values), {at: [0, 0]})
        found = session.run(tf.scatter_sub(x, [2], [[1, 1]]))
    assert found.tolist() == [[4, 6], [3, 4], [-1, -1], [1, 2]]
    with pytest.raises(ArgumentError, match=r"scatter_add: a variable is needed"):
        tf.scatter_add(tf.constant([1.0]), [0], [1.0])
    with pytest.raises(ShapeError, match=r"scatter_update"):
        tf.scatter_update(x, [0], [[1.0, 2.0, 3.0]])


def test_different_elements():
    y, which = run(tf.unique([5, 1, 5, 9, 1]))
    assert y.tolist() == [1, 5, 9] and which.tolist() == [1, 0, 1, 2, 0]
    assert which.dtype == np.int32


def test_matrices():
    x = RANDOM.standard_normal((2, 4, 4)).astype("float32")
    found = run([
        tf.trace(x), tf.matrix_diag_part(x), tf.matrix_diag(x[0]), tf.diag(x[0, 0]),
        tf.diag_part(x[0]), tf.matrix_band_part(x, 1, 0), tf.matrix_band_part(x, -1, 2),
    ])  # fmt: skip
    diagonal = np.diagonal(x, axis1=1, axis2=2)
    expected = [
        diagonal.sum(1), diagonal, np.stack([np.diag(row) for row in x[0]]), np.diag(x[0, 0]),
        np.diag(x[0]), np.tril(np.triu(x, -1)), np.tril(x, 2),
    ]  # fmt: skip
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_orders_grids_and_turns():
    x = RANDOM.standard_normal((3, 5)).astype("float32")
    found = run([
        tf.sort(x), tf.sort(x, 0, "DESCENDING"), tf.argsort(x), tf.roll(x, 2, 1),
        *tf.meshgrid([1, 2, 3], [4, 5]), *tf.meshgrid([1, 2, 3], [4, 5], indexing="ij"),
    ])  # fmt: skip
    expected = [
        np.sort(x), -np.sort(-x, 0), np.argsort(x), np.roll(x, 2, 1),
        *np.meshgrid([1, 2, 3], [4, 5]), *np.meshgrid([1, 2, 3], [4, 5], indexing="ij"),
    ]  # fmt: skip
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_means_of_whole_numbers_are_cut_off():
    x = tf.constant([[1, 2, 5], [-1, -2, -5]])
    whole, rows = run([tf.reduce_mean(x), tf.reduce_mean(x, 1, keepdims=True)])
    assert whole == 0 and rows.tolist() == [[2], [-2]] and rows.dtype == np.int32


def test_the_greatest_elements_have_names():
    found = run(tf.nn.top_k([1, 3, 2], 2))
    assert found.values.tolist() == [3, 2] and found.indices.tolist() == [1, 2]


def test_initializers_may_come_without_a_call():
    x = tf.get_variable("x", [2], initializer=tf.ones_initializer)
    y = tf.layers.dense(tf.ones([1, 2]), 3, kernel_initializer=tf.ones_initializer)
    assert run([x, y])[0].tolist() == [1, 1] and run(y).tolist() == [[2, 2, 2]]


def test_divisions():
    a, b = np.array([7, -7, 7, -7]), np.array([2, 2, -2, -2])
    cut, rest = run([tf.truncatediv(a, b), tf.truncatemod(a, b)])
    assert cut.tolist() == [3, -3, -3, 3] and rest.tolist() == [1, -1, 1, -1]
    assert run(tf.div_no_nan([1.0, 2.0], [0.0, 4.0])).tolist() == [0.0, 0.5]
    assert run(tf.scalar_mul(2.0, [1.0, 2.0])).tolist() == [2.0, 4.0]


# ---- networks
def test_responses_are_normalised():
    x = RANDOM.standard_normal((2, 3, 3, 7)).astype("float32")
    found = run(tf.nn.lrn(x, 2, 1.5, 0.3, 0.75))
    for c in range(7):
        near = (x[..., max(c - 2, 0) : c + 3] ** 2).sum(-1)
        expected = x[..., c] / (1.5 + 0.3 * near) ** 0.75
        np.testing.assert_allclose(found[..., c], expected, rtol=1e-5)


def test_both_sides_of_relu():
    assert run(tf.nn.crelu([[1.0, -2.0]])).tolist() == [[1, 0, 0, 2]]


@pytest.mark.parametrize("unique", [True, False])
@pytest.mark.parametrize("law", ["uniform", "log_uniform"])
def test_drawn_classes_and_how_often_they_are_expected(unique, law):
    draw = getattr(tf.nn, law + "_candidate_sampler")
    classes, count = 20, 6
    found, own, expected = draw([[0], [19]], 1, count, unique, classes, seed=1)
    everything = draw(np.arange(classes)[:, None], 1, count, unique, classes)[1]
    counts, turns = np.zeros(classes), 2000
    with tf.Session() as session:
        table = session.run(everything).ravel()
        for _ in range(turns):
            drawn, of_drawn, of_own = session.run([found, expected, own])
            assert not unique or len(set(drawn)) == count
            np.testing.assert_array_equal(of_drawn, table[drawn])
            counts += np.bincount(drawn, minlength=classes)
    assert of_own.ravel().tolist() == [table[0], table[19]]
    np.testing.assert_allclose(table.sum(), count, rtol=1e-4)
    np.testing.assert_allclose(counts / turns, table, atol=0.06)


def test_all_classes_are_drawn_where_all_are_asked_for():
    drawn, _, expected = tf.nn.uniform_candidate_sampler([[0]], 1, 5, True, 5)
    drawn, expected = run([drawn, expected])
    assert sorted(drawn) == list(range(5)) and (expected == 1).all()
    with pytest.raises(ArgumentError, match=r"candidate_sampler: there must be as many .* 6 of 5"):
        tf.nn.uniform_candidate_sampler([[0]], 1, 6, True, 5)


def sampled(classes=30, true=2):
    """Arguments of sampled losses, and the same in NumPy's numbers."""
    random = np.random.default_rng(2)
    w, b = random.standard_normal((classes, 4)), random.standard_normal(classes)
    x = random.standard_normal((5, 4))
    labels = np.stack([random.permutation(classes)[:true] for _ in range(5)])
    drawn = random.permutation(classes)[:7]
    own, others = random.random((5, true)), random.random(7)
    floats = [a.astype("float32") for a in (w, b, x, own, others)]
    return floats, labels, drawn


def logits_of(floats, labels, drawn):
    w, b, x, own, others = floats
    true = np.einsum("nd,ntd->nt", x, w[labels]) + b[labels] - np.log(own)
    return true, x @ w[drawn].T + b[drawn] - np.log(others)


@pytest.mark.parametrize("remove", [True, False])
def test_noise_contrastive_estimation(remove):
    floats, labels, drawn = sampled()
    w, b, x, own, others = floats
    loss = tf.nn.nce_loss(w, b, labels, x, 7, 30, 2, (drawn, own, others), remove)
    true, noise = logits_of(floats, labels, drawn)
    hit = (labels[:, :, None] == drawn).any(1)
    assert hit.any()
    wrong = np.log1p(np.exp(noise)) * (~hit if remove else 1)
    expected = (np.log1p(np.exp(true)) - true / 2).sum(1) + wrong.sum(1)
    np.testing.assert_allclose(run(loss), expected, rtol=1e-4)


def test_softmax_over_drawn_classes():
    floats, labels, drawn = sampled(true=1)
    w, b, x, own, others = floats
    loss = tf.nn.sampled_softmax_loss(w, b, labels, x, 7, 30, 1, (drawn, own, others))
    true, noise = logits_of(floats, labels, drawn)
    noise = np.where(labels == drawn, -np.inf, noise)
    expected = scipy.special.logsumexp(np.concatenate([true, noise], 1), 1) - true[:, 0]
    np.testing.assert_allclose(run(loss), expected, rtol=1e-4)


def test_sampling_all_classes_is_plain_softmax():
    floats, labels, _ = sampled(true=1)
    w, b, x = floats[:3]
    loss = tf.nn.sampled_softmax_loss(w, b, labels, x, 30, 30)
    rows = x @ w.T + b
    expected = scipy.special.logsumexp(rows, 1) - rows[np.arange(5), labels[:, 0]]
    np.testing.assert_allclose(run(loss), expected, rtol=1e-4)


def test_classes_are_drawn_by_their_logits():
    logits = np.array([[0.0, 1.0, 2.0], [3.0, 0.0, -1.0]], "float32")
    drawn = run(tf.multinomial(logits, 5000, seed=1))
    assert drawn.shape == (2, 5000) and drawn.dtype == np.int64
    shares = np.stack([np.bincount(row, minlength=3) for row in drawn]) / 5000
    np.testing.assert_allclose(shares, scipy.special.softmax(logits, 1), atol=0.03)


# ---- losses
@pytest.mark.parametrize("weights", [1.0, 0.0, "rows"])
@pytest.mark.parametrize("how", ["NONE", "SUM", "MEAN", "SUM_OVER_BATCH_SIZE", None])
def test_weights_and_reductions_of_losses(weights, how):
    labels, guesses = RANDOM.standard_normal((2, 4, 3)).astype("float32")
    w = np.array([[0.0], [1], [2], [3]], "float32") if weights == "rows" else weights
    options = {} if how is None else {"reduction": getattr(tf.losses.Reduction, how)}
    found = run(tf.losses.mean_squared_error(labels, guesses, w, **options))
    losses, every = (labels - guesses) ** 2 * w, np.ones((4, 3)) * w
    count = {"MEAN": every.sum(), None: (every != 0).sum(), "SUM_OVER_BATCH_SIZE": 12}.get(how, 1)
    expected = losses if how == "NONE" else losses.sum() / max(count, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_losses_are_collected():
    x = tf.constant([1.0, 2.0])
    a = tf.losses.absolute_difference([0.0, 0.0], x)
    b = tf.losses.huber_loss([0.0, 0.0], x, 1.0, 0.5)
    tf.losses.log_loss([0.0, 1.0], [0.5, 0.5], loss_collection=None)
    tf.losses.add_loss(x[0])
    tf.get_variable("w", [2], initializer=tf.ones_initializer(), regularizer=tf.nn.l2_loss)
    assert tf.losses.get_losses()[:2] == [a, b]
    assert run(tf.losses.get_total_loss()) == 1.5 + 0.625 + 1.0 + 1.0
    assert run(tf.losses.get_total_loss(False)) == 1.5 + 0.625 + 1.0
    with pytest.raises(ArgumentError, match=r"add_n: there must be a node to add; none came"):
        tf.losses.get_total_loss(scope="nowhere")


def test_labels_are_smoothed():
    x = RANDOM.standard_normal((4, 3)).astype("float32")
    z = np.eye(3, dtype="float32")[[0, 2, 1, 0]]
    soft = run(tf.losses.softmax_cross_entropy(z, x, label_smoothing=0.3))
    expected = -((z * 0.7 + 0.1) * scipy.special.log_softmax(x, 1)).sum(1).mean()
    np.testing.assert_allclose(soft, expected, rtol=1e-5)
    sharp = run(tf.losses.sigmoid_cross_entropy(z, x, label_smoothing=0.3))
    p = scipy.special.expit(x)
    z = z * 0.7 + 0.15
    expected = -(z * np.log(p) + (1 - z) * np.log(1 - p)).mean()
    np.testing.assert_allclose(sharp, expected, rtol=1e-5)


def test_losses_of_vectors_of_length_one():
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in RANDOM.random((2, 4, 3)))
    found = run(tf.losses.cosine_distance(a, b, 1))
    np.testing.assert_allclose(found, 1 - (a * b).sum(1).mean(), rtol=1e-6)


def test_losses_of_sequences():
    x = RANDOM.standard_normal((2, 4, 3)).astype("float32")
    targets, w = RANDOM.integers(0, 3, (2, 4)), RANDOM.random((2, 4)).astype("float32")
    losses = -np.take_along_axis(scipy.special.log_softmax(x, -1), targets[..., None], -1)[..., 0]
    losses = losses * w
    loss = tf.contrib.seq2seq.sequence_loss
    whole, steps, none = run([
        loss(x, targets, w), loss(x, targets, w, average_across_timesteps=False),
        loss(x, targets, w, False, False),
    ])  # fmt: skip
    np.testing.assert_allclose(whole, losses.sum() / w.sum(), rtol=1e-5)
    np.testing.assert_allclose(steps, losses.sum(0) / w.sum(0), rtol=1e-5)
    np.testing.assert_allclose(none, losses, rtol=1e-5)


# ---- averages, steps, values of variables
def test_averages_move_after_the_step():
    x, n = tf.Variable(2.0, name="x"), tf.Variable(0, name="n", trainable=False)
    ema = tf.train.ExponentialMovingAverage(0.4, n)
    with tf.control_dependencies([x.assign_add(1.0), n.assign_add(1)]):
        move = ema.apply()
    average = ema.average(x)
    assert ema.average(n) is None and ema.average_name(x) == average.op.name
    reference = 2.0
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for step in range(1, 8):
            session.run(move)
            decay = min(0.4, (1 + step) / (10 + step))
            reference += (1 - decay) * (2 + step - reference)
            np.testing.assert_allclose(session.run(average), reference, rtol=1e-6)


def test_averages_of_nodes_begin_with_zero():
    x = tf.placeholder(tf.float32, [])
    ema = tf.train.ExponentialMovingAverage(0.5)
    move = ema.apply([x])
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(move, {x: 8.0})
        session.run(move, {x: 8.0})
        assert session.run(ema.average(x)) == 6.0
    with pytest.raises(ArgumentError, match=r"zero_debias=True came"):
        tf.train.ExponentialMovingAverage(0.5, zero_debias=True)


def test_averages_are_restored_in_place_of_variables(tmp_path):
    x, y = tf.Variable(2.0, name="x"), tf.Variable(5.0, name="y", trainable=False)
    ema = tf.train.ExponentialMovingAverage(0.5)
    with tf.control_dependencies([x.assign(4.0)]):
        move = ema.apply([x])
    names = ema.variables_to_restore()
    assert names == {"x/ExponentialMovingAverage": x, "y": y}
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(move)
        path = tf.train.Saver().save(session, str(tmp_path / "m"), write_meta_graph=False)
        tf.train.Saver(names).restore(session, path)
        assert session.run([x, y]) == [3.0, 5.0]


def test_checkpoints_are_listed(tmp_path):
    step = tf.train.get_or_create_global_step()
    saver = tf.train.Saver(max_to_keep=2)
    assert tf.train.get_checkpoint_state(str(tmp_path)) is None
    with tf.Session() as session:
        session.run(step.initializer)
        for _ in range(3):
            session.run(step.assign_add(1))
            newest = saver.save(session, str(tmp_path / "m"), global_step=step)
        assert tf.train.global_step(session, step) == 3
    state = tf.train.get_checkpoint_state(str(tmp_path))
    assert state.model_checkpoint_path == newest == tf.train.latest_checkpoint(str(tmp_path))
    assert state.all_model_checkpoint_paths == [str(tmp_path / f"m-{n}") for n in (2, 3)]
    assert tf.train.checkpoint_exists(newest)
    assert not tf.train.checkpoint_exists(str(tmp_path / "m-1"))


def test_counts_of_steps_may_be_trainable():
    count, x = tf.Variable(0), tf.Variable(1.0)
    step = tf.train.GradientDescentOptimizer(0.25).minimize(x * x, global_step=count)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(step)
        assert session.run([count, x]) == [1, 0.5]


def test_adadelta():
    x = tf.Variable([1.0, -2.0])
    step = tf.train.AdadeltaOptimizer(0.5, 0.9, 1e-3).minimize(tf.reduce_sum(x * x))
    value, squares, steps = np.array([1.0, -2.0]), np.zeros(2), np.zeros(2)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(5):
            session.run(step)
            squares = 0.9 * squares + 0.1 * (2 * value) ** 2
            change = np.sqrt(steps + 1e-3) / np.sqrt(squares + 1e-3) * 2 * value
            steps = 0.9 * steps + 0.1 * change**2
            value = value - 0.5 * change
        np.testing.assert_allclose(session.run(x), value, rtol=1e-5)


def test_what_optimizers_keep_is_under_the_scope_of_there():
    with tf.variable_scope("net"):
        w = tf.get_variable("w", [2])
    with tf.variable_scope("train"):
        tf.train.AdamOptimizer().minimize(tf.reduce_sum(w * w))
    assert [v.op.name for v in tf.global_variables("net")] == ["net/w"]
    assert len(tf.global_variables("train")) == 4


def test_a_variable_made_of_data_has_its_dtype():
    assert tf.get_variable("a", initializer=tf.constant(2)).dtype is tf.int32
    assert tf.get_variable("b", initializer=2.5).dtype is tf.float32
    x = tf.Variable(tf.random_normal([3]))
    twice = tf.Variable(2 * x.initialized_value())
    first, second = run([x, twice])
    np.testing.assert_array_equal(2 * first, second)


def test_which_variables_have_no_value():
    x, y = tf.Variable(1.0, name="x"), tf.Variable(1.0, name="y")
    missing, known = tf.report_uninitialized_variables(), tf.is_variable_initialized(x)
    with tf.Session() as session:
        assert session.run(missing).tolist() == [b"x", b"y"] and not session.run(known)
        session.run(x.initializer)
        assert session.run(missing).tolist() == [b"y"] and session.run(known)
        assert session.run(tf.report_uninitialized_variables([x])).tolist() == []
    assert y.graph.is_feedable(y)


# ---- Python in graphs
def test_functions_of_arrays():
    x = tf.placeholder(tf.float32, [None])
    y = tf.py_func(lambda x: x[x > 0], [x], tf.float32)
    low, high = tf.py_func(lambda x: (x.min(), x.max()), [x], [tf.float32, tf.float32])
    assert y.shape.ndims is None
    with tf.Session() as session:
        found = session.run([tf.reduce_sum(y), low, high], {x: [1, -2, 3]})
        assert found == [4.0, -2.0, 3.0]
        wrong = tf.py_func(lambda x: x.astype("float64"), [x], tf.float32)
        with pytest.raises(DTypeError, match=r"py_func: .* float64 came for float32; convert it"):
            session.run(wrong, {x: [1]})
        wrong = tf.py_func(lambda x: (x,), [x], [tf.float32, tf.float32])
        with pytest.raises(ArgumentError, match=r"py_func: .* 1 came for 2; correct Tout"):
            session.run(wrong, {x: [1]})


def test_values_are_printed(capfd):
    x = tf.placeholder(tf.float32, [None])
    y = tf.Print(x * 2, [x, tf.shape(x), 7], "x is ", first_n=2, summarize=2)
    (gradient,) = tf.gradients(y, x)
    with tf.Session() as session:
        for _ in range(3):
            found = session.run([y, gradient], {x: [1, 2.5, 3]})
    assert [v.tolist() for v in found] == [[2, 5, 6], [2, 2, 2]]
    assert capfd.readouterr().err == "x is [1 2.5...][3][7]\n" * 2


def test_values_are_checked_while_a_session_runs():
    x, y = tf.placeholder(tf.float32, [None], name="x"), tf.constant([1.0, 2.0])
    with tf.control_dependencies([tf.assert_less(x, 5.0, message="small ones")]):
        z = tf.identity(x)
    equal, holds = tf.assert_equal(x, y), tf.Assert(tf.reduce_all(x > 0), [x])
    finite = tf.check_numerics(1 / x, "the inverse")
    error = tf.errors.InvalidArgumentError
    with tf.Session() as session:
        session.run([z, equal, holds, finite], {x: [1, 2]})
        for fetch, text in (
            (z, r"assert: x < y must hold \(small ones\); \[5 0\] \[5\] came"),
            (equal, r"assert: x == y must hold; \[5 0\] \[1 2\] came"),
            (holds, r"assert: the condition must hold; \[5 0\] came; check what is fed"),
            (finite, r"check_numerics: elements must be finite; the inverse: inf or nan came"),
        ):
            with pytest.raises(error, match=text):
                session.run(fetch, {x: [5, 0]})


def test_text_is_fetched_as_bytes():
    hello, words = tf.constant("Hello, größe!"), tf.constant(["a", b"b"])
    with tf.Session() as session:
        assert session.run(hello) == "Hello, größe!".encode()
        assert session.run(words).tolist() == [b"a", b"b"]
    with pytest.raises(GraphError, match=r"operations compute with tensors"):
        hello + hello


def test_programs_begin_with_their_flags(monkeypatch):
    flags = tf.flags.FLAGS.__class__()
    monkeypatch.setattr(tf.flags, "FLAGS", flags)
    tf.flags.DEFINE_integer("steps", 3, "How many.")
    tf.flags.DEFINE_float("rate", 0.5, "How fast.")
    tf.flags.DEFINE_string("folder", None, "Where.")
    tf.flags.DEFINE_boolean("fake", True, "Whether.")
    tf.flags.DEFINE_bool("loud", False, "Whether.")
    tf.flags.DEFINE_list("parts", ["a"], "Which.")
    tf.flags.DEFINE_enum("kind", "x", ["x", "y"], "Which.")
    line = ["program", "--steps=7", "--rate", "2", "--nofake", "--loud", "rest", "--parts=b,c"]
    monkeypatch.setattr(sys, "argv", line)
    seen = []
    with pytest.raises(SystemExit) as end:
        tf.app.run(lambda argv: seen.append(argv))
    assert end.value.code is None and seen == [["program", "rest"]]
    values = flags.steps, flags.rate, flags.folder, flags.fake, flags.loud, flags.parts, flags.kind
    assert values == (7, 2.0, None, False, True, ["b", "c"], "x")
    flags.steps = 9
    assert flags.steps == 9
    with pytest.raises(
        AttributeError, match=r"flags: 'stepps' was not defined; did you mean 'steps'"
    ):
        _ = flags.stepps
    with pytest.raises(SystemExit):
        flags(["program", "--kind=z"])
    with pytest.raises(SystemExit):
        flags(["program", "--fake=perhaps"])


def test_files_and_messages(tmp_path, caplog):
    folder = tmp_path / "a" / "b"
    tf.gfile.MakeDirs(str(folder))
    tf.gfile.MakeDirs(str(folder))
    with tf.gfile.GFile(str(folder / "x"), "w") as file:
        file.write("text")
    assert tf.gfile.Exists(str(folder / "x")) and tf.gfile.ListDirectory(str(folder)) == ["x"]
    tf.gfile.DeleteRecursively(str(tmp_path / "a"))
    assert not tf.gfile.Exists(str(folder))
    tf.logging.set_verbosity(tf.logging.INFO)
    with caplog.at_level(logging.INFO):
        tf.logging.info("step %d", 3)
    assert "step 3" in caplog.text


def test_runs_are_traced_without_effect():
    with tf.Session() as session:
        options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
        found = session.run(tf.constant(1), options=options, run_metadata=tf.RunMetadata())
    assert found == 1


def test_the_names_of_later_versions():
    import gleed.compat.tensorflow.compat.v1 as v1

    v1.disable_v2_behavior()
    assert v1 is tf is tf.compat.v1
