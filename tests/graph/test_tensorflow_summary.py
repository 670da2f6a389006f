"""Summaries, read back by a reader of the tests' own."""

import numpy as np
import pytest
from tests import events
from tests.utils.test_tensorboard import decoded, read

import gleed.compat.tensorflow as tf
from gleed.errors import ArgumentError, GraphError, ShapeError


def written(folder, record, feeds=None, steps=1):
    """The values in the file for a record that is run."""
    with tf.Session() as session, tf.summary.FileWriter(str(folder)) as writer:
        for step in range(steps):
            writer.add_summary(session.run(record, feeds), step)
    return [events.values(event) for event in read(folder)]


def test_a_training_is_recorded(tmp_path):
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    with tf.name_scope("layer"):
        w = tf.Variable(tf.ones([3, 2]), name="w")
        y = tf.matmul(x, w)
        tf.summary.histogram("weights", w)
        loss = tf.reduce_sum(y)
        tf.summary.scalar("the loss", loss)
    step = tf.train.GradientDescentOptimizer(0.5).minimize(loss)
    merged = tf.summary.merge_all()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        writer = tf.summary.FileWriter(str(tmp_path), session.graph)
        for number in range(3):
            record, _ = session.run([merged, step], {x: np.ones((4, 3))})
            writer.add_summary(record, number)
        writer.close()
    graph, *steps = read(tmp_path)
    assert graph[4] and [e[2] for e in steps] == [[0], [1], [2]]
    found = [events.values(e) for e in steps]
    assert set(found[0]) == {"layer/weights", "layer/the_loss"}
    # Each step takes 0.5 · 4 from all six weights, of which the loss has 4 each.
    assert [v["layer/the_loss"][2] for v in found] == [[24.0], [-24.0], [-72.0]]
    histogram = events.fields(found[1]["layer/weights"][5][0])
    assert [histogram[i][0] for i in range(1, 5)] == [-1.0, -1.0, 6.0, -6.0]


def test_the_graph_is_written_with_inputs_dtypes_and_shapes(tmp_path):
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    with tf.name_scope("layer"):
        w = tf.Variable(tf.ones([3, 2]), name="w")
        parts = tf.split(tf.matmul(x, w, name="y"), 2, 1, name="parts")
    with tf.control_dependencies([w.initializer]):
        tf.identity(parts[1], name="last")
    with tf.summary.FileWriter(str(tmp_path), tf.get_default_graph()):
        pass
    (event,) = read(tmp_path)
    nodes = {}
    for node in events.fields(event[4][0])[1]:
        parts = events.fields(node)
        nodes[parts[1][0].decode()] = parts
    assert set(nodes) == {op.name for op in tf.get_default_graph().get_operations()}
    assert nodes["layer/y"][2] == [b"matmul"] and nodes["layer/w"][2] == [b"VariableV2"]
    assert nodes["layer/y"][3] == [b"x", b"layer/w"]
    assert nodes["last"][3] == [b"layer/parts:1", b"^layer/w/Assign"]
    attributes = {}
    for attribute in nodes["x"][5]:
        key, value = (events.fields(attribute)[i][0] for i in (1, 2))
        attributes[key] = events.fields(value)
    assert attributes[b"dtype"][6] == [1]
    (shape,) = events.fields(attributes[b"_output_shapes"][1][0])[7]
    sizes = [events.fields(dim)[1][0] for dim in events.fields(shape)[2]]
    assert sizes == [(1 << 64) - 1, 3]  # -1 for None


def test_images_are_scaled(tmp_path):
    bright = np.linspace(0, 4, 12).reshape(1, 2, 2, 3)
    images = np.concatenate([bright, -bright, np.zeros((1, 2, 2, 3))])
    x = tf.placeholder(tf.float32, [None, 2, 2, 3])
    (found,) = written(tmp_path, tf.summary.image("in", x, 10), {x: images})
    assert list(found) == ["in/image/0", "in/image/1", "in/image/2"]
    pixels = [decoded(events.fields(v[4][0])[4][0]).astype(int) for v in found.values()]
    assert abs(pixels[0] - bright[0] / 4 * 255).max() < 1
    assert abs(pixels[1] - (128 - bright[0] / 4 * 127)).max() < 1
    assert not pixels[2].any()


def test_images_of_bytes_are_taken_as_they_are(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 1)).astype("uint8")
    (found,) = written(tmp_path, tf.summary.image("in", tf.constant(images), 1))
    assert list(found) == ["in/image"]
    shown = decoded(events.fields(found["in/image"][4][0])[4][0])
    np.testing.assert_array_equal(shown, images[0])


def test_texts(tmp_path):
    records = [
        tf.summary.text("one", "a **b**"),
        tf.summary.text("several", tf.constant(["x", "y"])),
    ]
    (found,) = written(tmp_path, tf.summary.merge(records))
    assert events.fields(found["one"][8][0])[8] == [b"a **b**"]
    assert events.fields(found["several"][8][0])[8] == [b"x", b"y"]


def test_families_and_names_that_are_taken(tmp_path):
    x = tf.constant(1.0)
    tf.summary.scalar("loss", x)
    tf.summary.scalar("loss", x)
    tf.summary.scalar("part", x, family="fam")
    (found,) = written(tmp_path, tf.summary.merge_all())
    assert list(found) == ["loss", "loss_1", "fam/fam/part"]


def test_collections():
    assert tf.summary.merge_all() is None
    apart = tf.summary.scalar("a", 1.0, collections=["mine"])
    assert tf.get_collection("mine") == [apart] and tf.summary.merge_all() is None
    assert tf.summary.merge_all("mine") is not None


def test_a_record_is_evaluated_like_a_node():
    with tf.Session():
        assert isinstance(tf.summary.scalar("a", 1.0).eval(), bytes)


def test_a_closed_writer_is_reopened(tmp_path):
    writer = tf.summary.FileWriter(str(tmp_path))
    assert writer.get_logdir() == str(tmp_path)
    writer.add_run_metadata(tf.RunMetadata(), "step 1", 1)
    writer.close()
    with pytest.raises(ArgumentError, match=r"the file must be open"):
        writer.add_summary(b"", 1)
    writer.reopen()
    writer.close()
    first, second = sorted(tmp_path.iterdir())
    (event,) = events.events(first)
    assert events.fields(event[8][0])[1] == [b"step 1"] and not events.events(second)


def test_mistakes(tmp_path):
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    with pytest.raises(ShapeError, match=r"summary.image: images are .* 'x:0' .float32 .None, 3."):
        tf.summary.image("a", x)
    with pytest.raises(
        ShapeError, match=r"summary.scalar: a node with one element is needed; 'Const"
    ):
        tf.summary.scalar("a", [1.0, 2.0])
    with pytest.raises(
        ArgumentError, match=r"summary.text: a text or a list of texts is needed; a N"
    ):
        tf.summary.text("a", x)
    with pytest.raises(ArgumentError, match=r"summary.merge: a list of records is needed"):
        tf.summary.merge([x])
    with tf.summary.FileWriter(str(tmp_path)) as writer:
        record = tf.summary.scalar("a", 1.0)
        with pytest.raises(
            ArgumentError, match=r"add_summary: what session.run gives for a record"
        ):
            writer.add_summary(record)
    with pytest.raises(GraphError, match=r"operations compute with tensors"):
        tf.add(record, 1)
