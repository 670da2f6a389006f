"""Layers as objects, and the scopes of their variables."""

import numpy as np
import pytest
from scipy import signal

import gleed.compat.tensorflow as tf
from gleed.errors import ArgumentError, RangeError, ShapeError

RANDOM = np.random.default_rng(0)


def run(nodes, feeds=None):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(nodes, feeds)


def test_a_layer_shares_its_variables_between_calls():
    layer = tf.layers.Dense(4, tf.nn.relu, name="d")
    first, second = (layer(tf.constant(RANDOM.random((n, 3)), tf.float32)) for n in (2, 5))
    assert [v.name for v in tf.global_variables()] == ["d/kernel:0", "d/bias:0"]
    assert layer.weights == layer.trainable_weights == [layer.kernel, layer.bias]
    assert layer.count_params() == 16 and layer.name == "d"
    assert first.shape == (2, 4) and second.shape == (5, 4)
    w, y = run([layer.kernel, first])
    assert (y >= 0).all() and w.shape == (3, 4)


def test_a_layer_is_built_before_it_is_called():
    layer = tf.layers.Dense(4)
    layer.build((None, 3))
    assert layer.kernel.shape == (3, 4)
    layer(tf.zeros([2, 3]))
    assert len(tf.global_variables()) == 2


def test_layers_without_names_lead_to_the_same_variables_in_a_scope_that_is_entered_again():
    def network(x, reuse):
        with tf.variable_scope("net", reuse=reuse):
            for units in (4, 5, 6):
                x = tf.layers.dense(x, units)
            with tf.variable_scope("inner"):
                return tf.layers.dense(x, 1)

    first = network(tf.ones([2, 3]), False)
    names = [v.op.name for v in tf.global_variables()]
    assert names[::2] == [f"net/{s}/kernel" for s in ("dense", "dense_1", "dense_2", "inner/dense")]
    second = network(tf.ones([2, 3]), True)
    assert len(tf.global_variables()) == len(names)
    np.testing.assert_array_equal(*run([first, second]))


def test_layers_outside_of_scopes_are_new_each_time():
    for _ in range(3):
        tf.layers.dense(tf.ones([2, 3]), 1)
    names = [v.op.name for v in tf.trainable_variables()][::2]
    assert names == ["dense/kernel", "dense_1/kernel", "dense_2/kernel"]


def test_a_scope_that_is_gone_into_by_itself_counts_on():
    with tf.variable_scope("net") as scope:
        tf.layers.dense(tf.ones([2, 3]), 1)
        with tf.variable_scope(scope):
            tf.layers.dense(tf.ones([2, 3]), 1)
    names = [v.op.name for v in tf.trainable_variables()][::2]
    assert names == ["net/dense/kernel", "net/dense_1/kernel"]


def test_regularizers_add_penalties_once():
    layer = tf.layers.Dense(2, kernel_regularizer=tf.contrib.layers.l2_regularizer(0.5))
    layer(tf.ones([1, 3]))
    layer(tf.ones([1, 3]))
    (penalty,) = tf.losses.get_regularization_losses()
    found, w = run([penalty, layer.kernel])
    np.testing.assert_allclose(found, 0.25 * (w**2).sum(), rtol=1e-6)


def transposed(x, w, stride, same):
    """Every element adds its multiple of a filter; what "same" cuts off is split evenly."""
    n, height, width, _ = x.shape
    kh, kw, out, _ = w.shape
    sizes = (m * stride + max(k - stride, 0) for m, k in ((height, kh), (width, kw)))
    whole = np.zeros((n, *sizes, out))
    for i in range(height):
        for j in range(width):
            part = np.einsum("nc,hwoc->nhwo", x[:, i, j], w)
            whole[:, i * stride : i * stride + kh, j * stride : j * stride + kw] += part
    if not same:
        return whole
    top, left = max(kh - stride, 0) // 2, max(kw - stride, 0) // 2
    return whole[:, top : top + height * stride, left : left + width * stride]


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("window", [3, 4])
def test_transposed_convolution(stride, padding, window):
    x = RANDOM.standard_normal((2, 4, 5, 3)).astype("float32")
    images = tf.placeholder(tf.float32, [None, None, 5, 3])
    layer = tf.layers.Conv2DTranspose(6, window, stride, padding, use_bias=False)
    y = layer(images)
    found, w = run([y, layer.kernel], {images: x})
    expected = transposed(x, w, stride, padding == "same")
    assert y.shape.as_list()[0] is None and y.shape[3] == 6
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_transposed_convolution_is_the_gradient_of_convolution():
    images = tf.constant(RANDOM.standard_normal((2, 7, 8, 3)), tf.float32)
    filters = tf.constant(RANDOM.standard_normal((3, 5, 3, 4)), tf.float32)
    y = tf.nn.conv2d(images, filters, [1, 2, 3, 1], "SAME")
    weights = tf.constant(RANDOM.standard_normal(y.shape.as_list()), tf.float32)
    (gradient,) = tf.gradients(y, images, weights)
    shape = tf.shape(images)
    other = tf.nn.conv2d_transpose(weights, filters, shape, [1, 2, 3, 1], "SAME")
    np.testing.assert_allclose(*run([gradient, other]), rtol=1e-4, atol=1e-5)
    with pytest.raises(ShapeError, match=r"conv2d_transpose: conv2d must make the input's size"):
        tf.nn.conv2d_transpose(weights, filters, [2, 9, 8, 3], [1, 2, 3, 1], "SAME")


@pytest.mark.parametrize("last", [True, False])
def test_convolution_of_sequences(last):
    x = RANDOM.standard_normal((2, 9, 3)).astype("float32")
    given = x if last else x.transpose(0, 2, 1)
    order = "channels_last" if last else "channels_first"
    layer = tf.layers.Conv1D(4, 3, 2, "same", order, use_bias=False)
    found, w = run([layer(given), layer.kernel])
    found = found if last else found.transpose(0, 2, 1)
    for n in range(2):
        for k in range(4):
            parts = [signal.correlate(x[n, :, c], w[:, c, k], "same") for c in range(3)]
            np.testing.assert_allclose(found[n, :, k], sum(parts)[::2], rtol=1e-4, atol=1e-5)


def test_separable_convolution():
    x = RANDOM.standard_normal((2, 6, 7, 3)).astype("float32")
    layer = tf.layers.SeparableConv2D(5, 3, padding="same", depth_multiplier=2, use_bias=False)
    y, own, every = run([layer(x), layer.depthwise_kernel, layer.pointwise_kernel])
    middle = np.zeros((2, 6, 7, 6))
    for n in range(2):
        for c in range(3):
            for m in range(2):
                part = signal.correlate2d(x[n, :, :, c], own[:, :, c, m], "same")
                middle[n, :, :, 2 * c + m] = part
    np.testing.assert_allclose(y, middle @ every[0, 0], rtol=1e-4, atol=1e-5)


def test_pooling_of_sequences():
    x = RANDOM.standard_normal((2, 6, 3)).astype("float32")
    pairs = x.reshape(2, 3, 2, 3)
    most, mean = run([tf.layers.max_pooling1d(x, 2, 2), tf.layers.average_pooling1d(x, 2, 2)])
    np.testing.assert_array_equal(most, pairs.max(2))
    np.testing.assert_allclose(mean, pairs.mean(2), rtol=1e-6)


def test_flattening():
    x = RANDOM.standard_normal((2, 3, 4, 5)).astype("float32")
    last, first = run([tf.layers.flatten(x), tf.layers.Flatten("channels_first")(x)])
    np.testing.assert_array_equal(last, x.reshape(2, -1))
    np.testing.assert_array_equal(first, x.transpose(0, 2, 3, 1).reshape(2, -1))


def test_dropout_is_told_at_the_call():
    layer, x = tf.layers.Dropout(0.5), tf.ones([100, 10])
    training = tf.placeholder(tf.bool)
    always, never, maybe = layer(x, training=True), layer(x), layer(x, training=training)
    assert maybe.shape == (100, 10)
    values = run([always, never, maybe], {training: True})
    assert set(np.unique(values[0])) == set(np.unique(values[2])) == {0.0, 2.0}
    assert (values[1] == 1).all() and (run(maybe, {training: False}) == 1).all()


def test_normalization_keeps_its_updates():
    layer = tf.layers.BatchNormalization(momentum=0.5)
    x = RANDOM.standard_normal((50, 3)).astype("float32") * 3 + 1
    trained, used = layer(x, training=True), layer(x)
    assert tf.get_collection(tf.GraphKeys.UPDATE_OPS) == layer.updates
    assert [v.op.name.split("/")[1] for v in layer.variables] == [
        "gamma", "beta", "moving_mean", "moving_variance"
    ]  # fmt: skip
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        y = session.run(trained)
        np.testing.assert_allclose(y.mean(0), 0, atol=1e-5)
        for _ in range(30):
            session.run(layer.updates)
        np.testing.assert_allclose(session.run(used), y, rtol=1e-3, atol=1e-3)


def test_layers_of_contrib():
    x = tf.constant(RANDOM.random((2, 8, 8, 3)), tf.float32)
    y = tf.contrib.layers.conv2d(x, 4, 3, normalizer_fn=tf.contrib.layers.batch_norm)
    y = tf.contrib.layers.avg_pool2d(tf.contrib.layers.max_pool2d(y, 2), 2)
    y = tf.contrib.layers.dropout(tf.contrib.layers.flatten(y), 0.9, is_training=False)
    y = tf.contrib.layers.fully_connected(y, 5, scope="out")
    names = [v.op.name for v in tf.trainable_variables()]
    assert names == ["conv2d/kernel", "BatchNorm/beta", "out/kernel", "out/bias"]
    assert (run(y) >= 0).all()


def test_initializers_and_regularizers_of_contrib():
    for uniform in (True, False):
        make = tf.contrib.layers.xavier_initializer(uniform, seed=1)
        values = run(make([300, 200]))
        np.testing.assert_allclose(values.var(), 2 / 500, rtol=0.05)
        assert uniform == bool(abs(values).max() <= (6 / 500) ** 0.5)
    values = run(tf.contrib.layers.variance_scaling_initializer(seed=1)([300, 200]))
    np.testing.assert_allclose(values.var(), 2 / 300, rtol=0.05)
    with pytest.raises(ArgumentError, match=r"variance_scaling_initializer: .* uniform=True came"):
        tf.contrib.layers.variance_scaling_initializer(uniform=True)
    w = tf.constant([3.0, -4.0])
    penalties = [
        tf.contrib.layers.l1_regularizer(0.5)(w),
        tf.contrib.layers.l2_regularizer(0.5)(w),
        tf.contrib.layers.l1_l2_regularizer(0.5, 0.5)(w),
        tf.contrib.layers.apply_regularization(tf.contrib.layers.l1_regularizer(1.0), [w, w]),
    ]
    assert run(penalties) == [3.5, 6.25, 9.75, 14.0]
    with pytest.raises(ArgumentError, match=r"l2_regularizer: scale is a float; got 1; write 1.0"):
        tf.contrib.layers.l2_regularizer(1)
    with pytest.raises(RangeError, match=r"l1_regularizer: scale must not be negative; got -0.5"):
        tf.contrib.layers.l1_regularizer(-0.5)


def test_statistics_that_move_with_the_result():
    x = tf.constant(RANDOM.random((20, 3)), tf.float32)
    y = tf.contrib.layers.batch_norm(x, 0.5, updates_collections=None)
    mean = tf.global_variables()[1]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(y)
        np.testing.assert_allclose(session.run(mean), session.run(x).mean(0) / 2, rtol=1e-5)


def test_a_layer_refuses_what_it_does_not_know():
    with pytest.raises(TypeError, match=r"activaton"):
        tf.layers.dense(tf.ones([1, 2]), 3, activaton=tf.nn.relu)
    with pytest.raises(ShapeError, match=r"conv2d: the size of dim -1 must be known"):
        tf.layers.conv2d(tf.placeholder(tf.float32, [None, 4, 4, None]), 3, 3)
