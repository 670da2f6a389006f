"""Running graphs: fetches, feeds, the order of reads and writes, and errors."""

import collections
import re

import numpy as np
import pytest

import gleed
from gleed import graph as g
from gleed.errors import ArgumentError, DTypeError, GraphError, ShapeError
from gleed.graph.node import mapped
from gleed.ops.record import OPS

HERE = re.escape(__file__)
Pair = collections.namedtuple("Pair", "first second")


@pytest.fixture
def session():
    with g.Session() as made:
        yield made


def initialised(session):
    session.run(g.global_variables_initializer())


def test_results_have_the_structure_of_the_fetches(session):
    x = g.placeholder("float32", [2], name="x")
    y = x * 2
    got = session.run({"a": [y, (x, y.op)], "b": Pair("x:0", y)}, {x: [1, 2]})
    assert got["a"][0].tolist() == [2, 4] and got["a"][1][0].tolist() == [1, 2]
    assert got["a"][1][1] is None
    assert type(got["b"]) is Pair and got["b"].first.tolist() == [1, 2]
    assert session.run([], {}) == []
    with pytest.raises(ArgumentError, match="run: fetches are nodes, operations, names, or lists"):
        session.run(3)


def test_values_are_numpy_s(session):
    number = session.run(g.constant(1.5))
    assert type(number) is np.float32 and f"{number:.2f}" == "1.50"
    array = session.run(g.constant([[1, 2]]))
    assert array.dtype == np.int64 and array.shape == (1, 2)
    assert session.run(g.constant([1.0], "bfloat16")).dtype == np.float32
    assert session.run(g.constant(3, "int8", [2, 2])).tolist() == [[3, 3], [3, 3]]


def test_what_was_fetched_is_not_changed_by_later_runs(session):
    v = g.Variable([1.0, 2.0])
    constant = g.constant([5.0, 6.0])
    x = g.placeholder("float32", [2])
    change = v.assign_add([1.0, 1.0])
    initialised(session)
    fed = np.ones(2, np.float32)
    views = [v, v.reshape(2, 1), constant, constant.reshape(2, 1), x, x.reshape(1, 2), v[1:]]
    before = session.run(views, {x: fed})
    copies = [y.copy() for y in before]
    session.run(change)
    for y in before:
        y += 10
    for y, copy in zip(session.run(views, {x: fed})[2:6], copies[2:6], strict=True):
        np.testing.assert_array_equal(y, copy)
    assert fed.tolist() == [1, 1] and session.run(v).tolist() == [2, 3]


def test_reads_come_before_writes_in_one_run(session):
    v = g.Variable(1.0)
    write = v.assign_add(10.0)
    late, view = v * 2, v.reshape(1)
    initialised(session)
    assert session.run([write, late, v, view]) == [11, 2, 1, np.ones(1)]
    assert session.run(v) == 11


def test_control_dependencies_order_reads_and_writes(session):
    v = g.Variable(1.0)
    write = v.assign(5.0)
    with g.control_dependencies([write]):
        after = v.read_value()
        doubled = v * 2
        with g.control_dependencies(None):
            free = v * 3
    initialised(session)
    assert session.run([after, doubled, free]) == [5, 10, 3]
    assert free.op.control_inputs == () and after.op.control_inputs == (write.op,)


def test_groups_run_all_they_name(session):
    a, b = g.Variable(0.0), g.Variable(0.0)
    both = g.group(a.assign_add(1.0), b.assign_sub(1.0), name="both")
    initialised(session)
    assert session.run(both) is None and both.name == "both"
    both.run()
    assert session.run([a, b]) == [2, -2]
    assert session.run(g.no_op()) is None


def test_any_node_can_be_fed(session):
    x = g.placeholder("float32", name="x")
    y = x * 2
    z = y + 1
    v = g.Variable(3.0)
    assert session.run(z, {y: 10}) == 11
    assert session.run([z, v * 2], {"x:0": 1, v: 7}) == [3, 14]
    default = g.placeholder_with_default([1.0, 2.0], [None])
    assert session.run(default.sum()) == 3 and session.run(default.sum(), {default: [5]}) == 5


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (
            np.ones((2, 4)), ShapeError,
            r"feed: 'x:0' \(float32 \[None, 3\]\), made at HERE:\d+, takes shape \[None, 3\]; "
            r"float64 of shape \[2, 4\] came; reshape it, or give the placeholder None",
        ),
        (
            [1.0, 2.0], ShapeError,
            r"takes shape \[None, 3\]; float32 of shape \[2\] came; reshape it",
        ),
        ("text", ArgumentError, r"takes numbers, nested lists, arrays or tensors; a str came that"),
        ([[1], [2, 3]], ArgumentError, r"nested lists, arrays or tensors; a list came"),
    ],
)  # fmt: skip
def test_errors_of_feeding_name_the_placeholder(session, value, error, text):
    x = g.placeholder("float32", [None, 3], name="x")
    with pytest.raises(error, match=text.replace("HERE", HERE)):
        session.run(x + 1, {x: value})


def test_floats_are_not_fed_for_integers(session):
    x = g.placeholder("int32", [None], name="labels")
    with pytest.raises(
        DTypeError,
        match=r"feed: 'labels:0' \(int32 \[None\]\), .*, takes int32; float64 of shape \[2\] "
        r"came; convert it with numpy.asarray\(…, 'int32'\)",
    ):
        session.run(x, {x: np.ones(2)})
    assert session.run(x, {x: np.array([1, 2], "int64")}).dtype == np.int32
    assert session.run(x, {x: []}).shape == (0,)
    assert session.run(x, {x: gleed.tensor([True])}).tolist() == [1]


def test_feeding_nodes_and_operations_is_refused(session):
    x = g.placeholder("float32", name="x")
    with pytest.raises(
        ArgumentError, match=r"takes data; the node 'add:0' \(float32 of unknown ran"
    ):
        session.run(x, {x: x + 1})
    with pytest.raises(
        ArgumentError, match="feed: only nodes have values; operation 'x' came; use"
    ):
        session.run(x, {"x": 1})


def test_placeholders_that_are_missing_are_named(session):
    x = g.placeholder("float32", [None, 3], name="x")
    with pytest.raises(
        GraphError,
        match=rf"run: every placeholder that is needed must be fed; 'x:0' \(float32 \[None, 3\]\), "
        rf"made at {HERE}:\d+, has no value; add it to the feed_dict",
    ):
        session.run((x + 1).sum())


def test_variables_that_are_not_initialised_are_named(session):
    w = g.Variable([1.0], name="w")
    with pytest.raises(
        GraphError,
        match=rf"run: a variable must be initialised before it is used; 'w:0' \(float32 \[1\]\), "
        rf"made at {HERE}:\d+, is not; run global_variables_initializer\(\) in this session first",
    ):
        session.run(w * 2)
    with pytest.raises(GraphError, match="'w:0'"):
        session.run(w)
    with pytest.raises(GraphError, match="'w:0'"):
        session.run(w.assign_add([1.0]))
    assert session.run(w.assign([2.0])).tolist() == [2.0]
    assert session.run(w).tolist() == [2.0]


def test_errors_while_running_name_the_node_and_its_line(session):
    x = g.placeholder("float32", [None, None], name="x")
    y = x @ x
    with pytest.raises(ShapeError) as caught:
        session.run(y.sum(), {x: np.ones((2, 3))})
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("matmul: ")
    assert re.fullmatch(rf"  node 'matmul' made at {HERE}:\d+: y = x @ x", lines[1])
    assert re.match(r"  input 'x:0' \(float32 \[None, None\]\) made at ", lines[2])


def test_a_failed_initialiser_leaves_the_variable_uninitialised(session):
    x = g.placeholder("float32", [None])
    v = g.Variable(x[:2].reshape(2))
    with pytest.raises(ShapeError):
        session.run(v.initializer, {x: [1.0]})
    with pytest.raises(GraphError, match="must be initialised"):
        session.run(v)
    session.run(v.initializer, {x: [1.0, 2.0, 3.0]})
    assert session.run(v).tolist() == [1, 2]


def test_sessions_keep_values_apart():
    v = g.Variable(0.0)
    add = v.assign_add(1.0)
    first, second = g.Session(), g.Session()
    first.run(v.initializer)
    second.run(v.initializer)
    first.run(add)
    assert (first.run(v), second.run(v)) == (1, 0)
    first.close()
    with pytest.raises(GraphError, match="run: the session must be open; it was closed"):
        first.run(v)


def test_default_sessions():
    x = g.constant(2.0)
    with pytest.raises(
        GraphError, match="eval: a session is needed; none was given and there is no"
    ):
        x.eval()
    session = g.Session()
    with session.as_default():
        assert x.eval() == 2 and g.get_default_session() is session
    assert x.eval(session=session) == 2 and g.get_default_session() is None
    interactive = g.InteractiveSession()
    assert x.eval({x: 5.0}) == 5
    interactive.close()
    assert g.get_default_session() is None


def test_graphs_are_apart(graph):
    other = g.Graph()
    with other.as_default():
        y = g.Variable(1.0, name="x")
    x = g.Variable(2.0, name="x")
    assert x.name == y.name and x.graph is graph and y.graph is other
    with g.Session(graph=other) as session:
        assert g.current_graph() is other
        session.run(g.global_variables_initializer())
        assert session.run(y) == 1
    assert g.current_graph() is graph and len(graph.get_operations()) == 3


def test_programs_are_made_once_and_can_be_read(session):
    x = g.placeholder("float32", [None], name="x")
    w = g.Variable(2.0, name="w")
    loss = (x * w).sum()
    step = w.assign_sub(g.gradients(loss, w)[0])
    program = session.program([loss, step], [x])
    assert program is session.program([loss, step], ["x:0"])
    assert program is not session.program(loss, [x])
    assert program.source.splitlines() == [
        "def program(feeds, variables, generators):",
        "    with no_grad():",
        "        x, = feeds",
        "        w, = variables",
        "        w_watched = watched(w)",
        "        with enable_grad():",
        "            mul = ops.mul(x, w_watched)",
        "            sum = ops.sum(mul)",
        "        gradients, = differentiate((sum,), (w_watched,), (None,), False, False)",
        "        AssignSub = ops.AssignSub(w, gradients)",
        "        AssignSub_value = AssignSub.clone()",
        "        return (sum, AssignSub_value)",
    ]


def test_sizes_are_arguments_and_tensors(session):
    x = g.placeholder("float32", [None, 4], name="x")
    rows, columns = g.shape_of(x)[0], g.shape_of(x)[1]
    made = [x.reshape(rows * 2, 2), g.zeros((rows, 3)), g.ones(g.shape_of(x)), x.sum() * rows]
    made += [rows + 1, rows // 2, g.shape_of(x), columns, 10 - rows, x.reshape(g.shape_of(x)[1:])]
    shapes = [[None, 2], [None, 3], [None, 4], [], [], [], [2], [], [], [4]]
    assert [node.shape.as_list() for node in made] == shapes
    got = session.run(made[:-1], {x: np.ones((2, 4))})
    assert [np.shape(y) for y in got] == [(4, 2), (2, 3), (2, 4), (), (), (), (2,), (), ()]
    assert got[3:] == [16, 3, 1, pytest.approx([2, 4]), 4, 8]
    assert session.run(made[-1], {x: np.ones((1, 4))}).tolist() == [1] * 4


@pytest.mark.parametrize(
    "index",
    [0, -1, slice(1, None), (slice(None), 2), (..., None), (slice(None, None, 2), slice(0, 3, 2)),
     [2, 0], (slice(None), [1, 3])],
)  # fmt: skip
def test_subscripts(session, index):
    data = np.arange(12, dtype="float32").reshape(3, 4)
    x = g.placeholder("float32", [None, 4])
    node = x[index]
    wanted = data[index]
    assert node.shape.accepts(wanted.shape)
    np.testing.assert_array_equal(session.run(node, {x: data}), wanted)


def test_subscripts_with_nodes(session):
    x = g.placeholder("float32", [None, 4])
    places = g.placeholder("int64", [None])
    got = session.run([x[places], x[x > 5]], {x: np.arange(12).reshape(3, 4), places: [2, 2]})
    assert got[0][:, 0].tolist() == [8, 8] and got[1].tolist() == [6, 7, 8, 9, 10, 11]


def test_operators_take_arrays_and_numbers(session):
    x = g.placeholder("float32", [2])
    array = np.array([2.0, 3.0])
    nodes = [array * x, x * [2, 3], 1 - x, x**2, 2**x, -x, abs(-x), x / 2, x // 2, x % 2, x > 1]
    nodes += [1 / x, x @ array, 7 // x, (x > 1) & (x < 2), ~(x > 1)]
    given = np.array([1.0, 2.0], "float32")
    wanted = [array * given, array * given, 1 - given, given**2, 2**given, -given, given, given / 2]
    wanted += [given // 2, given % 2, given > 1, 1 / given, given @ array, 7 // given]
    wanted += [(given > 1) & (given < 2), ~(given > 1)]
    for node, value, expected in zip(nodes, session.run(nodes, {x: given}), wanted, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-6)
        assert node.dtype in (gleed.float32, gleed.bool)


def test_other_functions_are_operations_too(session):
    x = g.placeholder("int64", [None])
    classes = g.call(gleed.nn.functional.one_hot, x, 3)
    places = x.nonzero()
    assert classes.shape.as_list() == [None, 3] and places.shape.as_list() == [None, 1]
    got = session.run([classes, places], {x: [0, 2]})
    assert got[0].tolist() == [[1, 0, 0], [0, 0, 1]] and got[1].tolist() == [[1]]


def test_composites_are_one_operation(session):
    x = g.placeholder("float32", [None, 3])
    body = g.Composite("double_softmax", lambda x: OPS["softmax"](x, -1) * 2)
    node = g.call(body, x)
    assert node.op.type == "double_softmax" and node.shape.as_list() == [None, 3]
    assert session.run(node, {x: np.zeros((1, 3))})[0].tolist() == pytest.approx([2 / 3] * 3)


def test_sizes_that_depend_on_data_are_unknown(session):
    x = g.placeholder("float32", [None, 3], name="x")
    known = g.placeholder("int64", [4])
    nodes = [x.nonzero(), x.masked_select(x > 1), x.unique(), known.bincount(), known.unique()]
    assert [node.shape.as_list() for node in nodes] == [[None, 2], [None], [None], [None], [None]]
    got = session.run(nodes, {x: [[0, 1, 2]], known: [3, 1, 1, 0]})
    assert [y.shape for y in got] == [(2, 2), (1,), (3,), (4,), (3,)]
    window = x.as_strided((2, 2), (1, 1))
    assert session.run(window, {x: [[0, 1, 2]]}).tolist() == [[0, 1], [1, 2]]
    with pytest.raises(
        ArgumentError, match="graph: an operation gives tensors; a bool came; compute"
    ):
        g.equal(x, x)


def test_programs_with_constants_and_functions_of_users_are_captured():
    scale = [2.0]

    def scaled(x):
        return x * scale[0]

    x = g.placeholder("float32", [None])
    y = g.call(scaled, x + g.constant([1.0, 2.0]))
    with g.Session() as session:
        np.testing.assert_array_equal(session.run(y, {x: [1, 1]}), [4, 6])
        assert "\nprogram 1: " in session.program(y, [x])._run.report()
        scale[0] = 3.0  # what a program was captured with is not taken for granted
        np.testing.assert_array_equal(session.run(y, {x: [1, 1]}), [6, 9])


@pytest.mark.parametrize(
    "form",
    [
        lambda x, y: x,
        lambda x, y: [x, y],
        lambda x, y: (x, y),
        lambda x, y: [x, [y]],
        lambda x, y: [(y, x), (x,)],
        lambda x, y: ([], [[y]]),
        lambda x, y: {"a": [x, {"b": y}]},
        lambda x, y: ["x:0", y.op, (y.name,)],
    ],
)
def test_the_same_is_asked_for_again(form):
    x = g.placeholder("float32", [], name="x")
    y = x + 1
    values = {x: 1.0, y: 2.0, "x:0": 1.0, y.op: None, y.name: 2.0}
    fetches = form(x, y)
    with g.Session() as session:
        for key in (x, "x:0", x):
            expected = mapped(fetches, values.__getitem__)
            assert session.run(fetches, {key: 1.0}) == expected
            assert session.run(fetches, {key: 1.0, y: 2.0}) == expected
