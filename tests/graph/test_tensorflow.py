"""TensorFlow 1's names: programs as they were written for it, and values against NumPy."""

import re
import subprocess
import sys
import traceback

import numpy as np
import pytest
import scipy.special
from scipy import signal

import gleed
import gleed.compat.tensorflow as tf
from gleed.compat.tensorflow.absent import ABSENT
from gleed.errors import ArgumentError, ShapeError

# The program of many a lecture, as it is; only its first line is gleed's.
LINEAR_REGRESSION = """
import gleed.compat.tensorflow as tf
import numpy
import matplotlib.pyplot as plt
rng = numpy.random

learning_rate = 0.01
training_epochs = 100
display_step = 50

train_X = numpy.asarray([3.3, 4.4, 5.5, 6.71, 6.93, 4.168, 9.779, 6.182, 7.59, 2.167,
                         7.042, 10.791, 5.313, 7.997, 5.654, 9.27, 3.1])
train_Y = numpy.asarray([1.7, 2.76, 2.09, 3.19, 1.694, 1.573, 3.366, 2.596, 2.53, 1.221,
                         2.827, 3.465, 1.65, 2.904, 2.42, 2.94, 1.3])

n_samples = train_X.shape[0]

# tf Graph Input
X = tf.placeholder("float")
Y = tf.placeholder("float")

# Set model weights
W = tf.Variable(rng.randn(), name="weight")
b = tf.Variable(rng.randn(), name="bias")

# Construct a linear model
pred = tf.add(tf.multiply(X, W), b)

# Mean squared error
cost = tf.reduce_sum(tf.pow(pred-Y, 2)) / (2*n_samples)
# Gradient decent
# Note, minimize() knows to modify W and b!
# Because Variable objects are trainable=True by default
optimizer = tf.train.GradientDescentOptimizer(learning_rate).minimize(cost)

init = tf.global_variables_initializer()

# Start training
with tf.Session() as sess:

    # Run the initializer
    sess.run(init)

    # Fit all training data
    for epoch in range(training_epochs):
        for (x, y) in zip(train_X, train_Y):
            sess.run(optimizer, feed_dict={X: x, Y: y})

        # Display logs per epoch step
        if (epoch+1) % display_step == 0:
            c = sess.run(cost, feed_dict={X: train_X, Y: train_Y})
            print(f"Epoch: {epoch+1:04d}, cost={c:.9f}, "
                  f"W={sess.run(W)}, b={sess.run(b)}")

    print("Optimization Finished!")
    training_cost = sess.run(cost, feed_dict={X: train_X, Y: train_Y})
    print(f"Training cost={training_cost}, W={sess.run(W)}, "
          f"b={sess.run(b)}\\n")

    # Graphic display
    plt.plot(train_X, train_Y, 'ro', label='Original data')
    plt.plot(train_X, sess.run(W) * train_X + sess.run(b), label='Fitted line')
    plt.legend()
    plt.show()
"""


def numpy_fit(program):
    """What the program's formulas give in float64."""
    data = {}
    exec(program[program.index("train_X") : program.index("# tf Graph")], {"numpy": np}, data)
    random = np.random.RandomState(0)
    w, b = random.randn(), random.randn()
    x, y, n = data["train_X"], data["train_Y"], data["n_samples"]
    for _ in range(100):
        for xi, yi in zip(x, y, strict=True):
            error = (w * xi + b - yi) / n
            w, b = w - 0.01 * error * xi, b - 0.01 * error
    return w, b, ((w * x + b - y) ** 2).sum() / (2 * n)


def test_the_linear_regression_of_the_lectures_runs_as_it_is(tmp_path):
    pytest.importorskip(
        "matplotlib", reason="the lectures' program draws with matplotlib, an optional extra"
    )
    seeded = LINEAR_REGRESSION.replace("rng = numpy.random", "rng = numpy.random; rng.seed(0)")
    (tmp_path / "program.py").write_text(seeded)
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True,
        env={"MPLBACKEND": "Agg", "PATH": "", "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Epoch: 0050, cost=0.") and lines[2] == "Optimization Finished!"
    found = re.fullmatch(r"Training cost=(\S+), W=(\S+), b=(\S+)", lines[3])
    w, b, cost = numpy_fit(LINEAR_REGRESSION)
    np.testing.assert_allclose([float(x) for x in found.groups()], [cost, w, b], rtol=1e-4)


@pytest.mark.parametrize(
    ("of", "name", "text"),
    [
        (tf, "reduct_sum", "module 'tf' has no attribute 'reduct_sum'; did you mean 'reduce_sum'?"),
        (
            tf,
            "placholder",
            "module 'tf' has no attribute 'placholder'; did you mean 'placeholder'?",
        ),
        (tf, "xyzzy", "module 'tf' has no attribute 'xyzzy'; check its spelling"),
        (tf, "whileloop", "module 'tf' has no attribute 'whileloop'; did you mean 'while_loop'?"),
        (tf, "TensorArray", "tf.TensorArray is TensorFlow's, gleed has it not; use tf.scan or tf."),
        (tf.nn, "rellu", "module 'tf.nn' has no attribute 'rellu'; did you mean 'relu'?"),
        (
            tf.nn,
            "ctc_loss",
            "tf.nn.ctc_loss is TensorFlow's, gleed has it not; use gleed.nn.functional.ctc_loss",
        ),
        (
            tf.train,
            "AdamOptimiser",
            "module 'tf.train' has no attribute 'AdamOptimiser'; did you m",
        ),
        (
            tf.train,
            "FtrlOptimizer",
            "tf.train.FtrlOptimizer is TensorFlow's, gleed has it not; use",
        ),
        (tf.layers, "dens", "module 'tf.layers' has no attribute 'dens'; did you mean 'dense'?"),
        (tf.losses, "mean_square_error", "did you mean 'mean_squared_error'?"),
        (
            tf.summary,
            "scaler",
            "module 'tf.summary' has no attribute 'scaler'; did you mean 'scalar'?",
        ),
        (tf.data, "Datset", "module 'tf.data' has no attribute 'Datset'; did you mean 'Dataset'?"),
        (tf.metrics, "acuracy", "did you mean 'accuracy'?"),
        (tf.contrib.layers, "xavier_initialiser", "did you mean 'xavier_initializer'?"),
        (tf.contrib.rnn, "BasicLSTMCel", "did you mean 'BasicLSTMCell'?"),
        (tf.contrib.seq2seq, "sequence_los", "did you mean 'sequence_loss'?"),
        (tf.contrib, "slim", "tf.contrib.slim is TensorFlow's, gleed has it not; use tf.layers"),
        (tf.app, "rum", "did you mean 'run'?"),
        (tf.flags, "DEFINE_interger", "did you mean 'DEFINE_integer'?"),
        (tf.gfile, "Exist", "did you mean 'Exists'?"),
        (tf, "debuging", "check its spelling"),  # a module of gleed's own is not offered
        (
            tf.train,
            "batch",
            "tf.train.batch is TensorFlow's, gleed has it not; use tf.data.Dataset",
        ),
        (tf.errors, "OutOfRange", "did you mean 'OutOfRangeError'?"),
    ],
)
def test_names_that_are_not_there_are_answered(of, name, text):
    with pytest.raises(AttributeError, match=re.escape(text)) as caught:
        getattr(of, name)
    shown = "".join(traceback.format_exception_only(caught.value))
    assert "Did you mean" not in shown  # Python adds nothing


def run(node, feeds=None):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(node, feeds)


def test_numbers_have_tensorflow_s_dtypes():
    assert tf.constant(1).dtype is tf.int32 and tf.constant([1.5, 2]).dtype is tf.float32
    assert tf.constant(np.ones(2)).dtype is tf.float64 and tf.constant(True).dtype is tf.bool
    assert tf.Variable(1).dtype is tf.int32 and tf.Variable(np.float64(1)).dtype is tf.float64
    assert tf.Variable(0.5).dtype is tf.float32
    x = tf.placeholder(tf.float32, [2])
    assert (x * np.ones(2)).dtype is tf.float32 and tf.add(x, [1, 2]).dtype is tf.float32
    assert tf.reduce_sum(tf.constant([1, 2])).dtype is tf.int32
    assert tf.argmax(x).dtype is tf.int64 and tf.argmax(x, output_type=tf.int32).dtype is tf.int32


def test_operations_have_tensorflow_s_names():
    x = tf.placeholder(tf.float32, [2, 2])
    nodes = [x, tf.add(x, x), tf.matmul(x, x), tf.reduce_mean(x), tf.pow(x, 2, name="power"), x * x]
    nodes += [
        tf.nn.relu(x),
        tf.add(x, 1),
        tf.nn.conv2d(tf.ones([1, 4, 4, 1]), tf.ones([2, 2, 1, 1])),
    ]
    assert [node.name for node in nodes] == [
        *("Placeholder:0", "Add:0", "MatMul:0", "Mean:0", "power:0", "mul:0"),
        *("Relu:0", "Add_1:0", "Conv2D:0"),
    ]


DATA = np.array([[0.5, -1.25, 2.0], [3.0, 0.25, -0.75]], "float32")
POSITIVE = np.abs(DATA)

ELEMENTWISE = [
    ("abs", np.abs), ("ceil", np.ceil), ("cos", np.cos), ("erf", scipy.special.erf),
    ("exp", np.exp), ("floor", np.floor), ("negative", np.negative),
    ("sigmoid", scipy.special.expit),
    ("sign", np.sign), ("sin", np.sin), ("square", np.square), ("tanh", np.tanh),
    ("log_sigmoid", scipy.special.log_expit), ("reciprocal", np.reciprocal), ("expm1", np.expm1),
    ("is_nan", np.isnan), ("round", np.round), ("tan", np.tan), ("cosh", np.cosh),
]  # fmt: skip
PAIRS = [
    ("add", np.add), ("subtract", np.subtract), ("multiply", np.multiply), ("divide", np.divide),
    ("maximum", np.maximum), ("minimum", np.minimum), ("equal", np.equal), ("less", np.less),
    ("greater_equal", np.greater_equal), ("floordiv", np.floor_divide), ("mod", np.mod),
    ("not_equal", np.not_equal), ("atan2", np.arctan2),
    ("squared_difference", lambda a, b: (a - b) ** 2),
]  # fmt: skip
REDUCED = [
    ("reduce_sum", np.sum), ("reduce_mean", np.mean), ("reduce_max", np.max),
    ("reduce_min", np.min),
    ("reduce_prod", np.prod), ("reduce_logsumexp", scipy.special.logsumexp),
]  # fmt: skip


@pytest.mark.parametrize(("name", "formula"), ELEMENTWISE, ids=[n for n, _ in ELEMENTWISE])
def test_functions_of_one_argument(name, formula):
    np.testing.assert_allclose(run(getattr(tf, name)(DATA)), formula(DATA), rtol=2e-6)


@pytest.mark.parametrize("name", ["log", "sqrt", "rsqrt", "log1p", "lgamma", "digamma"])
def test_functions_of_positive_numbers(name):
    formulas = {"rsqrt": lambda x: 1 / np.sqrt(x), "lgamma": scipy.special.gammaln}
    formula = formulas.get(name) or getattr(np, name, None) or getattr(scipy.special, name)
    np.testing.assert_allclose(run(getattr(tf, name)(POSITIVE)), formula(POSITIVE), rtol=2e-5)


@pytest.mark.parametrize(("name", "formula"), PAIRS, ids=[n for n, _ in PAIRS])
def test_functions_of_two_arguments(name, formula):
    function = getattr(tf, name)
    other = DATA[:, :1] * 0.5 + 1
    np.testing.assert_allclose(run(function(DATA, other)), formula(DATA, other), rtol=1e-6)
    np.testing.assert_allclose(run(function(tf.constant(DATA), 2)), formula(DATA, 2), rtol=1e-6)
    np.testing.assert_allclose(run(function(2.0, tf.constant(DATA))), formula(2, DATA), rtol=1e-6)


@pytest.mark.parametrize(("name", "formula"), REDUCED, ids=[n for n, _ in REDUCED])
def test_reductions(name, formula):
    function, x = getattr(tf, name), tf.placeholder(tf.float32, [None, 3])
    nodes = [
        function(x), function(x, 0), function(x, axis=[0, 1]), function(x, axis=-1, keepdims=True),
        function(x, reduction_indices=[1]), function(x, keep_dims=True), function(x, []),
    ]  # fmt: skip
    wanted = [
        formula(DATA), formula(DATA, 0), formula(DATA), formula(DATA, axis=-1, keepdims=True),
        formula(DATA, 1), formula(DATA, axis=(0, 1), keepdims=True), DATA,
    ]  # fmt: skip
    shapes = [[], [3], [], [None, 1], [None], [1, 1], [None, 3]]
    assert [node.get_shape().as_list() for node in nodes] == shapes
    for got, expected in zip(run(nodes, {x: DATA}), wanted, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_logic():
    a, b = tf.constant([True, False, True]), tf.constant([True, True, False])
    nodes = [tf.logical_and(a, b), tf.logical_or(a, b), tf.logical_xor(a, b), tf.logical_not(a)]
    nodes += [tf.reduce_all(a), tf.reduce_any(a, 0)]
    got = [value.tolist() for value in run(nodes)]
    assert got[:2] == [[True, False, False], [True, True, True]]
    assert got[2:] == [[False, True, True], [False, True, False], False, True]


def test_arrangement():
    x = tf.constant(DATA)
    table = [
        (tf.reshape(x, [3, -1]), DATA.reshape(3, 2)), (tf.transpose(x), DATA.T),
        (tf.transpose(x[None], [1, 2, 0]), DATA[None].transpose(1, 2, 0)),
        (tf.expand_dims(x, 1), DATA[:, None]), (tf.squeeze(x[None]), DATA),
        (tf.squeeze(x[None, ..., None], [0]), DATA[..., None]),
        (tf.concat([x, DATA], 1), np.concatenate([DATA, DATA], 1)), (tf.stack([x, x], 1),
         np.stack([DATA, DATA], 1)), (tf.tile(x, [2, 1]), np.tile(DATA, (2, 1))),
        (tf.pad(x, [[1, 0], [0, 2]]), np.pad(DATA, [[1, 0], [0, 2]])),
        (tf.pad(x, [[0, 0], [1, 1]], "REFLECT"), np.pad(DATA, [[0, 0], [1, 1]], "reflect")),
        (tf.reverse(x, [1]), DATA[:, ::-1]), (tf.slice(x, [0, 1], [-1, 2]), DATA[:, 1:3]),
        (tf.gather(x, [1, 0, 1]), DATA[[1, 0, 1]]), (tf.gather(x, [2, 0], axis=1), DATA[:, [2, 0]]),
        (tf.where(x > 0, x, tf.zeros_like(x)), np.where(DATA > 0, DATA, 0)),
        (tf.where([True, False], x, -x), DATA * [[1], [-1]]),
        (tf.where(x > 1), np.argwhere(DATA > 1)), (tf.boolean_mask(x, x > 0), DATA[DATA > 0]),
        (tf.cumsum(x, 1), DATA.cumsum(1)), (tf.cumsum(x, 1, exclusive=True), DATA.cumsum(1) - DATA),
        (tf.broadcast_to(x[0], [4, 3]), np.broadcast_to(DATA[0], (4, 3))),
        (tf.matmul(x, DATA, transpose_b=True), DATA @ DATA.T),
        (tf.matmul(x, x, transpose_a=True), DATA.T @ DATA),
        (tf.tensordot(x, DATA.T, 1), DATA @ DATA.T), (tf.einsum("ij,kj->ik", x, x), DATA @ DATA.T),
        (tf.norm(x), np.linalg.norm(DATA)), (tf.norm(x, axis=1), np.linalg.norm(DATA, axis=1)),
        (tf.clip_by_value(x, -1, 1), DATA.clip(-1, 1)), (tf.add_n([x, x, x]), 3 * DATA),
        (tf.clip_by_value(x, tf.constant(-1.0), 1), DATA.clip(-1, 1)),
        (tf.cast(x, tf.int32), DATA.astype("int32")), (tf.to_float(tf.constant([1])), np.ones(1)),
        (tf.argmax(x, 1), DATA.argmax(1)), (tf.argmin(x), DATA.argmin(0)),
        (tf.div(tf.constant([7]), 2), np.array([3])), (tf.div(x, 2.0), DATA / 2),
    ]  # fmt: skip
    for (node, expected), value in zip(table, run([node for node, _ in table]), strict=True):
        assert node.shape.accepts(np.shape(expected)), node
        np.testing.assert_allclose(value, expected, rtol=1e-6, err_msg=node.name)


def test_new_tensors():
    table = [
        (tf.zeros([2, 3]), np.zeros((2, 3))), (tf.ones(3, tf.int32), np.ones(3)),
        (tf.fill([2], 7), [7, 7]), (tf.eye(2), np.eye(2)), (tf.range(4), range(4)),
        (tf.range(1, 2, 0.25), np.arange(1, 2, 0.25)), (tf.linspace(0.0, 1.0, 3), [0, 0.5, 1]),
        (tf.ones_like(tf.constant([[1, 2]])), [[1, 1]]),
        (tf.one_hot([0, 2, 5], 3), [[1, 0, 0], [0, 0, 1], [0, 0, 0]]),
        (tf.one_hot([1], 2, on_value=5, off_value=-1), [[-1, 5]]),
        (tf.one_hot([0, 1], 3, axis=0), [[1, 0], [0, 1], [0, 0]]),
    ]  # fmt: skip
    for (_, expected), value in zip(table, run([node for node, _ in table]), strict=True):
        np.testing.assert_array_equal(value, expected)
    assert tf.fill([2], 7).dtype is tf.int32 and tf.one_hot([0], 2).dtype is tf.float32
    assert tf.fill([2], tf.constant(1.5)).dtype is tf.float32


def test_sizes_that_are_not_known():
    x = tf.placeholder(tf.float32, [None, 4])
    rows = tf.shape(x)[0]
    nodes = [
        tf.reshape(x, tf.stack([rows * 2, 2])), tf.zeros([rows, 3]), tf.random_normal(tf.shape(x)),
        tf.range(rows), tf.size(x), tf.cast(rows, tf.float32) / 2, tf.rank(x), tf.fill([rows], 1.0),
        tf.tile(x, [rows, 1]),
    ]  # fmt: skip
    got = run(nodes, {x: np.ones((2, 4))})
    shapes = [(4, 2), (2, 3), (2, 4), (2,), (), (), (), (2,), (4, 4)]
    assert [np.shape(y) for y in got] == shapes and got[4:7] == [8, 1, 2]
    assert [list(node.shape) for node in nodes[:4]] == [[None, 2], [None, 3], [None, 4], [None]]


def test_parts():
    x = tf.constant(DATA)
    assert [p.shape.as_list() for p in tf.split(x, 3, 1)] == [[2, 1]] * 3
    assert [p.shape.as_list() for p in tf.split(x, [1, 2], 1)] == [[2, 1], [2, 2]]
    np.testing.assert_array_equal(run(tf.unstack(x)), DATA)
    with pytest.raises(
        ShapeError, match="split: the number of parts must divide the size; 2 came for"
    ):
        tf.split(x, 2, 1)
    with pytest.raises(
        ShapeError, match="squeeze: dims that are dropped must be of size 1; dim 0 of"
    ):
        tf.squeeze(x, [0])


# ---- tf.nn
LOGITS = np.array([[2.0, -1.0, 0.5], [0.1, 3.0, -2.0]], "float32")


def test_activations():
    x = tf.constant(DATA)
    table = [
        (tf.nn.relu(x), DATA.clip(0)), (tf.nn.relu6(x * 4), (DATA * 4).clip(0, 6)),
        (tf.nn.elu(x), np.where(DATA > 0, DATA, np.expm1(DATA))), (tf.nn.tanh(x), np.tanh(DATA)),
        (tf.nn.sigmoid(x), scipy.special.expit(DATA)), (tf.nn.softplus(x), np.logaddexp(DATA, 0)),
        (tf.nn.softsign(x), DATA / (1 + np.abs(DATA))),
        (tf.nn.leaky_relu(x), np.where(DATA > 0, DATA, 0.2 * DATA)),
        (tf.nn.softmax(x), scipy.special.softmax(DATA, -1)),
        (tf.nn.softmax(x, axis=0), scipy.special.softmax(DATA, 0)),
        (tf.nn.log_softmax(x), scipy.special.log_softmax(DATA, -1)),
        (tf.nn.l2_loss(x), (DATA**2).sum() / 2),
        (tf.nn.l2_normalize(x, 1), DATA / np.linalg.norm(DATA, axis=1, keepdims=True)),
        (tf.nn.bias_add(x, [1.0, 2.0, 3.0]), DATA + np.arange(1, 4)),
        (tf.nn.embedding_lookup(x, [[1, 0]]), DATA[[[1, 0]]]),
        (tf.nn.in_top_k(LOGITS, [2, 1], 1), [False, True]),
        (tf.nn.moments(x, [0])[0], DATA.mean(0)), (tf.nn.moments(x, [0])[1], DATA.var(0)),
        (tf.nn.batch_normalization(x, 0.5, 4.0, 1.0, 2.0, 0.0), (DATA - 0.5) + 1),
        (tf.nn.top_k(x, 2)[0], -np.sort(-DATA, 1)[:, :2]),
        (tf.nn.top_k(x, 2)[1], np.argsort(-DATA, 1)[:, :2]),
    ]  # fmt: skip
    for (node, expected), value in zip(table, run([node for node, _ in table]), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6, err_msg=node.name)


def test_cross_entropies():
    log_p = scipy.special.log_softmax(LOGITS, -1)
    soft = tf.nn.softmax_cross_entropy_with_logits
    labels = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]], "float32")
    x = tf.placeholder(tf.float32, [None, 3])
    table = [
        (soft(labels=labels, logits=x), -(labels * log_p).sum(1)),
        (tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[2, 0], logits=x),
         -log_p[[0, 1], [2, 0]]),
        (tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=x),
         np.logaddexp(0, LOGITS) - LOGITS * labels),
        (tf.losses.mean_squared_error(labels, x), ((LOGITS - labels) ** 2).mean()),
        (tf.losses.softmax_cross_entropy(labels, x), -(labels * log_p).sum(1).mean()),
        (tf.losses.absolute_difference(labels, x), np.abs(LOGITS - labels).mean()),
    ]  # fmt: skip
    nodes = [node for node, _ in table]
    for (_, expected), value in zip(table, run(nodes, {x: LOGITS}), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-5)
    with pytest.raises(ArgumentError, match="labels and logits are given by name; one is missing"):
        soft(labels, x)
    assert tf.nn.softmax_cross_entropy_with_logits_v2 is soft


def same_padding(size, window, stride):
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("known", [True, False])
def test_convolution_and_pooling(padding, stride, known):
    rng = np.random.default_rng(0)
    images = rng.standard_normal((2, 7, 6, 3)).astype("float32")
    filters = rng.standard_normal((3, 2, 3, 4)).astype("float32")
    x = tf.placeholder(tf.float32, images.shape if known else [None, None, None, 3])
    steps = [1, stride, stride, 1]
    nodes = [
        tf.nn.conv2d(x, filters, steps, padding), tf.nn.max_pool(x, [1, 3, 2, 1], steps, padding),
        tf.nn.avg_pool(x, [1, 3, 2, 1], steps, padding),
    ]  # fmt: skip
    pads = [(0, 0), (0, 0)]
    if padding == "SAME":
        pads = [same_padding(7, 3, stride), same_padding(6, 2, stride)]
    full = [(0, 0), *pads, (0, 0)]
    wide = np.pad(images, full)
    convolved = sum(
        np.stack([signal.correlate2d(wide[..., i][n], filters[:, :, i, o], "valid")
                  for n in range(2) for o in range(4)])
        for i in range(3)
    ).reshape(2, 4, wide.shape[1] - 2, wide.shape[2] - 1).transpose(0, 2, 3, 1)  # fmt: skip
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(images, full, constant_values=np.nan), (3, 2), (1, 2)
    )
    wanted = [convolved, np.nanmax(windows, (-2, -1)), np.nanmean(windows, (-2, -1))]
    for node, value, expected in zip(nodes, run(nodes, {x: images}), wanted, strict=True):
        expected = expected[:, ::stride, ::stride]
        assert node.shape.accepts(expected.shape) and node.shape.known == known
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


def test_windows_are_checked():
    x = tf.zeros([1, 4, 4, 1])
    with pytest.raises(
        ArgumentError, match='conv2d: padding must be "SAME" or "VALID"; got \'FULL\''
    ):
        tf.nn.conv2d(x, tf.zeros([2, 2, 1, 1]), 1, "FULL")
    with pytest.raises(
        ArgumentError, match="MaxPool: windows and strides move over height and width"
    ):
        tf.nn.max_pool(x, [1, 2, 2, 2], 2, "SAME")
    with pytest.raises(ShapeError, match=r"(?s)conv2d.*\n  node 'Conv2D' would be made at"):
        tf.nn.conv2d(x, tf.zeros([2, 2, 3, 1]), 1, "SAME")


def test_dropout():
    keep = tf.placeholder_with_default(1.0, [])
    x = tf.placeholder(tf.float32, [None, 100])
    y = tf.nn.dropout(x, keep, seed=1)
    rows = tf.nn.dropout(x, rate=0.5, noise_shape=[None, 1])
    data = np.full((50, 100), 2.0, "float32")
    np.testing.assert_array_equal(run(y, {x: data}), data)
    values = run(y, {x: data, keep: 0.25})
    assert set(np.unique(values)) == {0.0, 8.0} and values.mean() == pytest.approx(2, abs=0.2)
    np.testing.assert_array_equal(run(y, {x: data, keep: 0.25}), values)
    values = run(rows, {x: data})
    assert set(np.unique(values)) == {0.0, 4.0} and (values == values[:, :1]).all()
    with pytest.raises(ArgumentError, match="dropout: keep_prob must lie above 0, up to 1; got 0"):
        tf.nn.dropout(x, 0)
    with pytest.raises(ArgumentError, match="dropout: how much is kept must be said; nothing came"):
        tf.nn.dropout(x)


# ---- tf.layers and programs
def test_layers_make_variables_under_their_names():
    x = tf.placeholder(tf.float32, [None, 8, 8, 1])
    h = tf.layers.conv2d(x, 4, 3, padding="same", activation=tf.nn.relu)
    h = tf.layers.average_pooling2d(tf.layers.max_pooling2d(h, 2, 2), 2, 2)
    h = tf.layers.flatten(h)
    assert h.shape.as_list() == [None, 16]
    with tf.variable_scope("head"):
        y = tf.layers.dense(h, 3, name="out")
        assert tf.layers.dense(h, 3, name="out", reuse=True).shape == y.shape
    z = tf.layers.dense(tf.layers.dense(y, 2), 2, use_bias=False)
    assert {v.name: v.shape.as_list() for v in tf.trainable_variables()} == {
        "conv2d/kernel:0": [3, 3, 1, 4], "conv2d/bias:0": [4], "head/out/kernel:0": [16, 3],
        "head/out/bias:0": [3], "dense/kernel:0": [3, 2], "dense/bias:0": [2],
        "dense_1/kernel:0": [2, 2],
    }  # fmt: skip
    assert z.op.name == "dense_1/MatMul"
    with pytest.raises(
        ShapeError, match=r"dense: the size of dim -1 must be known, for weights depe"
    ):
        tf.layers.dense(tf.placeholder(tf.float32, [3, None]), 2)


def test_batch_normalization_moves_its_statistics():
    training = tf.placeholder(tf.bool, [])
    x = tf.placeholder(tf.float32, [None, 2])
    y = tf.layers.batch_normalization(x, momentum=0.5, training=training)
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    mean, variance = (v for v in tf.global_variables() if "moving" in v.name)
    data = np.array([[1.0, 2.0], [3.0, 10.0]], "float32")
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        still = session.run([y, updates], {x: data, training: False})[0]
        np.testing.assert_allclose(still, data / np.sqrt(1.001), rtol=1e-5)
        assert session.run(mean).tolist() == [0, 0]
        batch = session.run([y, updates], {x: data, training: True})[0]
        np.testing.assert_allclose(batch, [[-1, -1], [1, 1]], rtol=1e-3)
        np.testing.assert_allclose(session.run(mean), [1, 3])
        np.testing.assert_allclose(session.run(variance), [1, 8.5])


def test_a_classifier_learns_digits():
    datasets = pytest.importorskip(
        "sklearn.datasets", reason="scikit-learn, an optional extra, ships the digits"
    )
    digits = datasets.load_digits()
    images, labels = (digits.data / 16).astype("float32"), digits.target
    tf.set_random_seed(0)
    x = tf.placeholder(tf.float32, [None, 64])
    y = tf.placeholder(tf.int64, [None])
    keep_prob = tf.placeholder(tf.float32)
    hidden = tf.nn.dropout(tf.layers.dense(x, 64, activation=tf.nn.relu), keep_prob)
    logits = tf.layers.dense(hidden, 10)
    losses = tf.nn.softmax_cross_entropy_with_logits_v2(labels=tf.one_hot(y, 10), logits=logits)
    step = tf.train.AdamOptimizer(0.005).minimize(tf.reduce_mean(losses))
    right = tf.equal(tf.argmax(logits, 1), y)
    accuracy = tf.reduce_mean(tf.cast(right, tf.float32))
    order = np.random.RandomState(0).permutation(len(images))
    train, test = order[:1400], order[1400:]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(15):
            for i in range(0, 1400, 50):
                batch = train[i : i + 50]
                session.run(step, {x: images[batch], y: labels[batch], keep_prob: 0.9})
        assert session.run(accuracy, {x: images[test], y: labels[test], keep_prob: 1.0}) > 0.95


def test_what_programs_begin_and_end_with():
    tf.compat.v1.disable_v2_behavior()
    config = tf.ConfigProto(allow_soft_placement=True)
    config.gpu_options.allow_growth = True
    v = tf.get_variable("v", dtype=tf.float32, initializer=tf.constant(2.0))
    with tf.device("/gpu:0"), tf.name_scope("scope"), tf.name_scope(None, "default"):
        node = tf.assign(v, v * 2)
    session = tf.InteractiveSession(config=config)
    session.run(tf.initialize_all_variables())
    session.run(tf.local_variables_initializer())
    assert node.eval() == 4 and session.run(tf.assign_add(v, 1.0)) == 5
    assert session.run(tf.assign_sub(v, 1.0)) == 4
    session.close()
    assert isinstance(node, tf.Tensor) and node.dtype is gleed.float32
    with pytest.raises(ArgumentError, match="assign: a variable is needed; got "):
        tf.assign(node, 1.0)


def test_names_that_are_said_to_be_absent_are():
    for name in ABSENT:
        module, _, last = name.rpartition(".")
        with pytest.raises(AttributeError, match="is TensorFlow's, gleed has it not"):
            getattr(getattr(tf, module) if module else tf, last)


def test_reductions_that_need_the_rank_say_so():
    x = tf.placeholder(tf.float32, name="x")
    with pytest.raises(
        ArgumentError, match=r"the rank must be known to reduce all dims this way; 'x:"
    ):
        tf.reduce_sum(x, keepdims=True)
    with pytest.raises(
        ShapeError, match="shape: the rank is unknown; the sizes were asked for; give"
    ):
        tf.transpose(x)
