"""Programs as they were written for TensorFlow 1, on little data."""

import random
from collections import deque

import numpy as np
from tests.utils.test_tensorboard import read

import gleed.compat.tensorflow as tf

RANDOM = np.random.default_rng(0)


def test_an_adversarial_network_of_layers():
    noise = tf.placeholder(tf.float32, [None, 10])
    real = tf.placeholder(tf.float32, [None, 8, 8, 1])
    training = tf.placeholder(tf.bool)

    def generator(x, reuse=False):
        with tf.variable_scope("generator", reuse=reuse):
            x = tf.layers.dense(x, 2 * 2 * 16)
            x = tf.nn.relu(tf.layers.batch_normalization(x, training=training))
            x = tf.reshape(x, [-1, 2, 2, 16])
            x = tf.layers.conv2d_transpose(x, 8, 4, strides=2, padding="same")
            x = tf.nn.relu(tf.layers.batch_normalization(x, training=training))
            return tf.nn.tanh(tf.layers.conv2d_transpose(x, 1, 4, strides=2, padding="same"))

    def discriminator(x, reuse=False):
        with tf.variable_scope("discriminator") as scope:
            if reuse:
                scope.reuse_variables()
            x = tf.nn.leaky_relu(tf.layers.conv2d(x, 8, 3, strides=2, padding="same"))
            x = tf.layers.flatten(tf.layers.dropout(x, 0.2, training=training))
            return tf.layers.dense(x, 2)

    made = generator(noise)
    assert made.shape.as_list() == [None, 8, 8, 1]
    of_real, of_made = discriminator(real), discriminator(made, reuse=True)
    count = tf.shape(real)[0]
    ones, zeros = tf.ones([count], tf.int32), tf.zeros([count], tf.int32)

    def loss(logits, labels):
        return tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=labels)
        )

    of_discriminator = loss(of_real, ones) + loss(of_made, zeros)
    of_generator = loss(of_made, ones)
    steps = []
    for scope, error in (("discriminator", of_discriminator), ("generator", of_generator)):
        variables = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, scope=scope)
        assert len(variables) == {"discriminator": 4, "generator": 10}[scope]
        with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS, scope=scope)):
            optimizer = tf.train.AdamOptimizer(0.01, beta1=0.5)
            steps.append(optimizer.minimize(error, var_list=variables))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(20):
            feeds = {
                real: np.ones((16, 8, 8, 1)) * 0.5,
                noise: RANDOM.uniform(-1, 1, (16, 10)),
                training: True,
            }
            session.run(steps, feeds)
        images = session.run(made, {noise: np.zeros((3, 10)), training: False})
    assert images.shape == (3, 8, 8, 1) and np.isfinite(images).all()


def test_words_as_vectors(tmp_path):
    words, graph = 40, tf.Graph()
    with graph.as_default(), tf.device("/cpu:0"):
        inputs, labels = tf.placeholder(tf.int32, [32]), tf.placeholder(tf.int32, [32, 1])
        table = tf.Variable(tf.random_uniform([words, 16], -1.0, 1.0, seed=1))
        embedded = tf.nn.embedding_lookup(table, inputs)
        weights = tf.Variable(tf.truncated_normal([words, 16], stddev=0.25, seed=2))
        loss = tf.reduce_mean(
            tf.nn.nce_loss(
                weights=weights, biases=tf.Variable(tf.zeros([words])), labels=labels,
                inputs=embedded, num_sampled=8, num_classes=words,
            )
        )  # fmt: skip
        tf.summary.scalar("loss", loss)
        step = tf.train.GradientDescentOptimizer(1.0).minimize(loss)
        unit = table / tf.sqrt(tf.reduce_sum(tf.square(table), 1, keep_dims=True))
        similarity = tf.matmul(unit, unit, transpose_b=True)
        merged, init = tf.summary.merge_all(), tf.global_variables_initializer()
    losses = []
    with tf.Session(graph=graph) as session:
        writer = tf.summary.FileWriter(str(tmp_path), session.graph)
        init.run()
        for number in range(200):
            word = RANDOM.integers(0, words, 32)
            pair = (word // 2 * 2 + 1 - word % 2)[:, None]  # each is near one other
            _, record, value = session.run([step, merged, loss], {inputs: word, labels: pair})
            writer.add_summary(record, number)
            losses.append(value)
        writer.close()
        assert similarity.eval().shape == (words, words)
    assert np.mean(losses[-20:]) < 0.6 * np.mean(losses[:20])
    assert len(read(tmp_path)) == 201


def test_letters_after_letters():
    text = "the quick brown fox jumps over the lazy dog. " * 8
    letters = sorted(set(text))
    ids = np.array([letters.index(c) for c in text])
    batch, steps, units = 4, 10, 32

    cells = [tf.contrib.rnn.BasicLSTMCell(units) for _ in range(2)]
    cells = [tf.contrib.rnn.DropoutWrapper(cell, output_keep_prob=0.95) for cell in cells]
    cell = tf.contrib.rnn.MultiRNNCell(cells)
    inputs, targets = (tf.placeholder(tf.int32, [batch, steps]) for _ in range(2))
    start = cell.zero_state(batch, tf.float32)
    with tf.variable_scope("model"):
        embedding = tf.get_variable("embedding", [len(letters), units])
        weights = tf.get_variable("softmax_w", [units, len(letters)])
        rows = tf.split(tf.nn.embedding_lookup(embedding, inputs), steps, 1)
        outputs, last = tf.nn.static_rnn(cell, [tf.squeeze(r, [1]) for r in rows], start)
    logits = tf.matmul(tf.reshape(tf.concat(outputs, 1), [-1, units]), weights)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=tf.reshape(targets, [-1]), logits=logits
    )
    cost = tf.reduce_sum(losses) / batch / steps
    variables = tf.trainable_variables()
    rate = tf.Variable(0.0, trainable=False)
    gradients, _ = tf.clip_by_global_norm(tf.gradients(cost, variables), 5.0)
    step = tf.train.AdamOptimizer(rate).apply_gradients(zip(gradients, variables, strict=True))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(tf.assign(rate, 0.02))
        state, costs = session.run(start), []
        for _ in range(60):
            places = RANDOM.integers(0, len(ids) - steps - 1, batch)
            feeds = {inputs: [ids[i : i + steps] for i in places]}
            feeds[targets] = [ids[i + 1 : i + steps + 1] for i in places]
            for i, (c, h) in enumerate(start):
                feeds[c], feeds[h] = state[i].c, state[i].h
            value, state, _ = session.run([cost, last, step], feeds)
            costs.append(value)
    assert np.mean(costs[-5:]) < 0.7 * costs[0]


def test_actions_by_their_values():
    def network(scope, states):
        with tf.variable_scope(scope):
            w1 = tf.get_variable("w1", [4, 20], initializer=tf.random_normal_initializer(0.0, 0.3))
            b1 = tf.get_variable("b1", [1, 20], initializer=tf.constant_initializer(0.1))
            hidden = tf.nn.relu(tf.matmul(states, w1) + b1)
            return tf.matmul(hidden, tf.get_variable("w2", [20, 2]))

    state, following = (tf.placeholder(tf.float32, [None, 4]) for _ in range(2))
    reward, action = tf.placeholder(tf.float32, [None]), tf.placeholder(tf.int32, [None])
    values, targets = network("eval_net", state), network("target_net", following)
    with tf.variable_scope("loss"):
        wanted = tf.stop_gradient(reward + 0.5 * tf.reduce_max(targets, axis=1))
        places = tf.stack([tf.range(tf.shape(action)[0], dtype=tf.int32), action], axis=1)
        chosen = tf.gather_nd(params=values, indices=places)
        loss = tf.reduce_mean(tf.squared_difference(wanted, chosen))
    with tf.variable_scope("train"):
        step = tf.train.RMSPropOptimizer(0.01).minimize(loss)
    old = tf.get_collection(tf.GraphKeys.GLOBAL_VARIABLES, scope="target_net")
    new = tf.get_collection(tf.GraphKeys.GLOBAL_VARIABLES, scope="eval_net")
    replace = [tf.assign(t, e) for t, e in zip(old, new, strict=True)]
    memory, draw = deque(maxlen=300), random.Random(0)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for number in range(150):
            s = RANDOM.standard_normal(4)
            a = draw.randrange(2)
            memory.append((s, a, float(a == (s[0] > 0)), RANDOM.standard_normal(4)))
            if number % 20 == 0:
                session.run(replace)
            if len(memory) >= 32:
                parts = map(np.array, zip(*draw.sample(memory, 32), strict=True))
                feeds = dict(zip((state, action, reward, following), parts, strict=True))
                session.run([step, loss], feeds)
        s = RANDOM.standard_normal((100, 4))
        best = session.run(values, {state: s}).argmax(1)
    assert (best == (s[:, 0] > 0)).mean() > 0.75


def test_steps_unrolled_with_variables_that_are_reused():
    x = tf.placeholder(tf.float32, [3, 4, 2])
    cell, outputs = tf.nn.rnn_cell.GRUCell(5), []
    state = cell.zero_state(3, tf.float32)
    with tf.variable_scope("rnn", values=[x]):
        for number in range(4):
            if number > 0:
                tf.get_variable_scope().reuse_variables()
            output, state = cell(x[:, number], state)
            outputs.append(tf.layers.dense(output, 1, name="out"))
    assert [v.op.name for v in tf.trainable_variables()][-2:] == ["rnn/out/kernel", "rnn/out/bias"]
    assert len(tf.trainable_variables()) == 6
    data = RANDOM.standard_normal((3, 4, 2))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert len(session.run(outputs, {x: data})) == 4
    tf.get_variable_scope().reuse_variables()
    assert tf.get_variable_scope().reuse is True


def test_a_recurrent_network_is_unrolled_while_building():
    ids = tf.placeholder(tf.int32, [None, 5])
    table = tf.get_variable("table", [11, 4])
    inner, outer = tf.get_variable("inner", [3, 3]), tf.get_variable("outer", [4, 3])
    state = tf.zeros([tf.shape(ids)[0], 3])
    steps = tf.nn.embedding_lookup(table, ids)
    for t in range(5):
        state = tf.tanh(tf.matmul(steps[:, t], outer) + tf.matmul(state, inner))
    gradient = tf.gradients(tf.reduce_sum(state), inner)[0]
    places = np.random.default_rng(0).integers(0, 11, (2, 5))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        a, b, c, got = session.run([table, inner, outer, state], {ids: places})
        wanted = np.zeros((2, 3))
        for t in range(5):
            wanted = np.tanh(a[places[:, t]] @ c + wanted @ b)
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-6)
        assert session.run(gradient, {ids: places}).shape == (3, 3)
