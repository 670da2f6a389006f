"""What Python does before and after a run."""

import numpy as np
import pytest

from gleed import graph as g
from gleed.errors import DTypeError, GraphError
from gleed.graph.node import Type
from gleed.graph.outside import sink, source
from gleed.graph.shape import Shape


def numbers(graph, start=0, shape=()):
    """A source of counted numbers, each session's its own."""

    def draw(session):
        count = session.state.get("count", start)
        session.state["count"] = count + 1
        return [np.full(shape, count, "float32")]

    return source(graph, "Count", draw, [Type(g.constant(0.0).dtype, Shape(shape))]).outputs[0]


def test_a_source_gives_one_value_to_each_run_that_needs_it(graph):
    x = numbers(graph)
    y, other = x * 2, g.constant(5.0)
    with g.Session() as session:
        assert session.run([x, y]) == [0.0, 0.0]
        assert session.run(other) == 5.0  # nothing is drawn
        assert session.run(y) == 2.0
        assert session.run(y, {x: 10.0}) == 20.0  # a fed one is not drawn either
        assert session.run(y) == 4.0
    with g.Session() as session:
        assert session.run(y) == 0.0


def test_what_a_source_gives_must_fit(graph):
    x = source(
        graph,
        "Count",
        lambda session: [np.ones(2, complex)],
        [Type(g.constant(0.0).dtype, Shape([2]))],
    ).outputs[0]
    with g.Session() as session, pytest.raises(DTypeError, match=r"feed: 'Count:0' .* complex128"):
        session.run(x)


def test_gradients_flow_through_what_is_made_of_a_source(graph):
    x, w = numbers(graph, 3), g.Variable(2.0)
    (slope,) = g.gradients(x * w * w, w)
    with g.Session() as session:
        session.run(w.initializer)
        assert session.run(slope) == 12.0


def test_sinks_take_values_and_other_sinks(graph):
    x = g.placeholder("float32", [None], name="x")
    taken = []
    record = sink(graph, "Record", lambda session, v, tag: (tag, v.tolist()), x * 2, "t")
    both = sink(graph, "Both", lambda session, parts: list(parts), (record, record))
    done = sink(graph, "Done", lambda session, v: taken.append(v), both)
    with g.Session() as session:
        value, doubled, none = session.run([both, x * 2, done.op], {x: [1, 2]})
    assert value == [("t", [2.0, 4.0])] * 2 and taken == [value]
    assert doubled.tolist() == [2.0, 4.0] and none is None


def test_a_sink_may_be_part_of_a_group_and_sees_the_end_of_a_run(graph):
    count = g.Variable(0.0)
    seen = []
    step = count.assign_add(1.0)
    watch = sink(graph, "Watch", lambda session, v: seen.append(float(v)), step)
    both = g.group(step, watch)
    with g.Session() as session:
        session.run(count.initializer)
        session.run(both)
        session.run(both)
    assert seen == [1.0, 2.0]


def test_operations_take_no_outcomes(graph):
    record = sink(graph, "Record", lambda session: b"")
    assert repr(record) == "<Outcome 'Record:0' of Record>"
    assert not graph.is_feedable(record) and graph.is_feedable(g.constant(1))
    with pytest.raises(
        GraphError, match=r"operations compute with tensors.*'Record:0' .of Record."
    ):
        record + 1


def test_bodies_have_no_sinks_and_no_sources(graph):
    def branch():
        return sink(graph.open, "Record", lambda session: b"")

    with pytest.raises(
        GraphError, match=r"Record: what Python does happens once in a run; it came"
    ):
        g.cond(g.constant(True), branch, branch)
