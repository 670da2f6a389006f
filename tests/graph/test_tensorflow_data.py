"""Data sets of which runs take the next element."""

import numpy as np
import pytest

import gleed.compat.tensorflow as tf
from gleed.errors import ArgumentError, GraphError, ShapeError


def elements(dataset, session=None):
    """All elements, as a session gives them."""
    following = dataset.make_one_shot_iterator().get_next()
    found = []
    with tf.Session() as session:
        while True:
            try:
                found.append(session.run(following))
            except tf.errors.OutOfRangeError:
                return found


def numbers(count):
    return tf.data.Dataset.range(count)


def test_rows_of_structures():
    x, y = np.arange(6, dtype="float32").reshape(3, 2), [5, 6, 7]
    data = tf.data.Dataset.from_tensor_slices({"x": x, "more": (y, y)})
    assert data.output_types == {"x": tf.float32, "more": (tf.int32, tf.int32)}
    assert data.output_shapes == {"x": (2,), "more": ((), ())}
    found = elements(data)
    assert len(found) == 3 and found[1]["more"] == (6, 6)
    np.testing.assert_array_equal(found[2]["x"], [4, 5])


def test_one_element_of_a_whole():
    (found,) = elements(tf.data.Dataset.from_tensors(([1, 2], 0.5)))
    assert found[0].tolist() == [1, 2] and found[1] == 0.5


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (lambda: numbers(3).repeat(2), [0, 1, 2, 0, 1, 2]),
        (lambda: numbers(3).repeat().take(5), [0, 1, 2, 0, 1]),
        (lambda: numbers(0).repeat(), []),
        (lambda: numbers(3).take(-1), [0, 1, 2]),
        (lambda: numbers(5).skip(3), [3, 4]),
        (lambda: numbers(5).skip(-1), []),
        (lambda: tf.data.Dataset.range(2, 10, 3).concatenate(numbers(2)), [2, 5, 8, 0, 1]),
        (lambda: numbers(4).map(lambda x: x * x).prefetch(2).cache(), [0, 1, 4, 9]),
        (lambda: numbers(6).filter(lambda x: tf.equal(x % 3, 1)), [1, 4]),
        (lambda: numbers(2).apply(lambda data: data.repeat(2)), [0, 1, 0, 1]),
        (lambda: tf.data.Dataset.zip((numbers(3), numbers(9).skip(5))), [(0, 5), (1, 6), (2, 7)]),
    ],
)
def test_how_many_and_which(data, expected):
    assert elements(data()) == expected


def test_batches():
    found = elements(numbers(5).batch(2))
    assert [x.tolist() for x in found] == [[0, 1], [2, 3], [4]]
    whole = numbers(5).batch(2, drop_remainder=True)
    assert [x.tolist() for x in elements(whole)] == [[0, 1], [2, 3]]
    assert numbers(5).batch(2).output_shapes == (None,) and whole.output_shapes == (2,)


def lists():
    def generate():
        for n in (2, 0, 3):
            yield [n] * n

    return tf.data.Dataset.from_generator(generate, tf.int32, [None])


def test_elements_of_different_sizes():
    found = elements(lists())
    assert [x.tolist() for x in found] == [[2, 2], [], [3, 3, 3]]
    (padded,) = elements(lists().padded_batch(3, [None], -1))
    assert padded.tolist() == [[2, 2, -1], [-1, -1, -1], [3, 3, 3]]
    (padded,) = elements(lists().padded_batch(3, [4]))
    assert padded.shape == (3, 4) and padded.sum() == 13
    with pytest.raises(
        ShapeError, match=r"batch: elements must have one shape; \(0,\), \(2,\) came"
    ):
        elements(lists().batch(2))
    with pytest.raises(ShapeError, match=r"padded_batch: no element may be greater .* \[2\]"):
        elements(lists().padded_batch(3, [2]))


@pytest.mark.parametrize("buffer", [1, 4, 100])
def test_shuffled_elements_are_all_there(buffer):
    found = elements(numbers(20).shuffle(buffer).repeat(2))
    assert sorted(found[:20]) == sorted(found[20:]) == list(range(20))
    assert all(x < i + buffer for i, x in enumerate(found[:20]))
    assert (found[:20] == list(range(20))) == (buffer == 1)


def test_orders_follow_from_a_seed():
    orders = [elements(numbers(20).shuffle(20, seed=3).repeat(2)) for _ in range(2)]
    assert orders[0] == orders[1] and orders[0][:20] != orders[0][20:]
    same = elements(numbers(20).shuffle(20, 3, reshuffle_each_iteration=False).repeat(2))
    assert same[:20] == same[20:]


def test_orders_follow_from_the_seed_of_the_graph():
    orders = []
    for _ in range(2):
        with tf.Graph().as_default():
            tf.set_random_seed(1)
            orders.append(elements(numbers(20).shuffle(20)))
    assert orders[0] == orders[1] != list(range(20))


def test_functions_get_the_parts_of_tuples():
    data = tf.data.Dataset.from_tensor_slices((np.eye(2, dtype="float32"), [1, 2]))
    data = data.map(lambda x, y: {"sum": tf.reduce_sum(x) + tf.cast(y, tf.float32)})
    assert data.output_shapes == {"sum": ()}
    assert elements(data) == [{"sum": 2.0}, {"sum": 3.0}]


def test_a_function_uses_no_nodes_of_other_graphs():
    outside = tf.constant(1)
    with pytest.raises(GraphError, match="all must be of one graph; 'Const:0'"):
        numbers(3).map(lambda x: x + outside)


def test_training_on_batches():
    x = np.random.default_rng(0).standard_normal((64, 3)).astype("float32")
    y = x @ np.array([[1.0], [-2.0], [3.0]], "float32")
    data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(64).repeat().batch(16)
    inputs, labels = data.make_one_shot_iterator().get_next()
    w = tf.Variable(tf.zeros([3, 1]))
    loss = tf.reduce_mean(tf.square(tf.matmul(inputs, w) - labels))
    step = tf.train.AdamOptimizer(0.1).minimize(loss)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(300):
            session.run(step)
        np.testing.assert_allclose(session.run(w).ravel(), [1, -2, 3], atol=0.02)


def test_placeholders_have_values_when_an_iterator_is_initialised():
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    data = tf.data.Dataset.from_tensor_slices(x)
    with pytest.raises(GraphError, match=r"make_one_shot_iterator: the data must be known; 'x:0'"):
        data.make_one_shot_iterator()
    iterator = data.batch(2).make_initializable_iterator()
    rows = iterator.get_next()
    with tf.Session() as session:
        with pytest.raises(GraphError, match="get_next: an iterator must be initialised before"):
            session.run(rows)
        session.run(iterator.initializer, {x: np.eye(2)})
        assert session.run(rows).tolist() == [[1, 0], [0, 1]]
        with pytest.raises(tf.errors.OutOfRangeError, match="get_next: there must be an element"):
            session.run(rows)
        session.run(tf.group(iterator.initializer), {x: np.ones((1, 2))})
        assert session.run(rows).tolist() == [[1, 1]]


def test_one_iterator_for_several_data_sets():
    small, great = numbers(2), tf.data.Dataset.range(100, 102)
    iterator = tf.data.Iterator.from_structure(small.output_types, small.output_shapes)
    following = iterator.get_next()
    starts = iterator.make_initializer(small), iterator.make_initializer(great)
    with tf.Session() as session:
        for start, first in zip(starts, (0, 100), strict=True):
            session.run(start)
            assert [session.run(following) for _ in range(2)] == [first, first + 1]
    with pytest.raises(ShapeError, match=r"make_initializer: .* int64 \[\]; int64 \[None\] came"):
        iterator.make_initializer(small.batch(2))


def test_sessions_have_places_of_their_own():
    following = numbers(3).make_one_shot_iterator().get_next()
    with tf.Session() as one, tf.Session() as other:
        assert [one.run(following), one.run(following), other.run(following)] == [0, 1, 0]


def test_mistakes():
    with pytest.raises(
        ShapeError, match=r"from_tensor_slices: all data must have as many .* .2, 3."
    ):
        tf.data.Dataset.from_tensor_slices(([1, 2], [1, 2, 3]))
    with pytest.raises(ShapeError, match="from_tensor_slices: data is sliced along its first dim"):
        tf.data.Dataset.from_tensor_slices(3.0)
    with pytest.raises(ArgumentError, match="shuffle: buffer_size must be at least 1; 0 came"):
        numbers(3).shuffle(0)
    wrong = tf.data.Dataset.from_generator(lambda: [[1, 2]], tf.int32, [3])
    with pytest.raises(ShapeError, match=r"from_generator: .* shape \[3\]; \[2\] came"):
        elements(wrong)
