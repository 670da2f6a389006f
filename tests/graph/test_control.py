"""Control flow that data decides, in declared graphs."""

import re

import numpy as np
import pytest

from gleed import graph as g
from gleed.errors import ArgumentError, DTypeError, GradientError, GraphError, ShapeError

HERE = re.escape(__file__)


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.fixture
def session(graph):
    with g.Session() as made:
        yield made


def captured(session, fetches, feeds):
    """Whether a session runs this as a captured program."""
    report = session.program(fetches, list(feeds))._run.report()
    return "\nprogram 1: " in report and "not captured" not in report


def ran(session, fetches, feeds):
    """The values; what computes them is captured."""
    found = session.run(fetches, feeds)
    assert captured(session, fetches, feeds)
    return found


# ---- branches
def test_a_branch_runs_the_one_that_data_says_and_has_its_gradient(session, random):
    x = g.placeholder("float32", [None, 3], name="x")
    w = g.Variable(random.standard_normal((3, 2)), dtype="float32", name="w")
    session.run(w.initializer)
    y = g.cond(x.sum() > 0, lambda: (x @ w) * 3, lambda: -(x @ w))
    assert (y.name, y.dtype.name, y.shape) == ("cond:0", "float32", [None, 2])
    weights = g.placeholder("float32", [None, 2])
    slopes = g.gradients(y, [x, w], weights)
    matrix = session.run(w)
    for sign in (1, -1):
        data = sign * np.abs(random.standard_normal((4, 3))).astype("float32")
        cotangent = random.standard_normal((4, 2)).astype("float32")
        found = ran(session, [y, *slopes], {x: data, weights: cotangent})
        factor = 3 if sign > 0 else -1
        expected = [data @ matrix, cotangent @ matrix.T, data.T @ cotangent]
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, factor * b, rtol=1e-5, atol=1e-5)


def test_branches_take_operands_and_return_structures(session):
    x, n = g.placeholder("float32", []), g.placeholder("int64", [])
    y = g.cond(
        n > 2,
        lambda pair, n: {"sum": pair[0] + pair[1], "more": [n, x]},
        lambda pair, n: {"sum": pair[0], "more": [n * n, 0.0]},
        ((x, x * x), n),
    )
    assert session.run(y, {x: 3.0, n: 5}) == {"sum": 12.0, "more": [5, 3.0]}
    assert session.run(y, {x: 3.0, n: 1}) == {"sum": 3.0, "more": [1, 0.0]}


def test_a_number_decides_while_the_graph_is_built(graph, session):
    x = g.placeholder("float32", [])
    assert session.run(g.cond(True, lambda: x + 1, lambda: x @ x), {x: 1.0}) == 2.0
    assert session.run(g.cond(0, lambda: x @ x, lambda: 5.0)) == 5.0
    assert [op.type for op in graph.get_operations()] == ["Placeholder", "add", "Const"]


def test_branches_are_functions_in_the_program(session):
    x = g.placeholder("float32", [], name="x")
    with g.name_scope("layer"):
        y = g.cond(x > 0, lambda: x.exp(), lambda: x)
    assert session.program(y, [x]).source == (
        """def program(feeds, variables, generators):
    with no_grad():
        x, = feeds
        layer_gt = ops.gt(x, 0)
        def layer_cond_true_fn():
            layer_cond_true_fn_exp = ops.exp(x)
            return (layer_cond_true_fn_exp,)
        def layer_cond_false_fn():
            return (x,)
        layer_cond, = ops.cond(layer_gt, layer_cond_true_fn, layer_cond_false_fn)
        return (layer_cond,)
"""
    )


def test_only_the_branch_that_runs_draws(session):
    g.set_random_seed(5)
    p = g.placeholder("bool", [])
    y = g.cond(p, lambda: g.random_normal([3]), lambda: g.constant([0.0, 0.0, 0.0]))
    with g.Session() as other:
        one = [session.run(y, {p: k}) for k in (True, True, True)]
        two = [other.run(y, {p: k}) for k in (True, False, True)]
    assert not np.array_equal(one[0], one[1])
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(two[1], [0, 0, 0])
    np.testing.assert_array_equal(one[1], two[2])


def test_draws_of_a_body_are_others_than_those_outside(session):
    g.set_random_seed(5)
    outside = [g.random_normal([4]) for _ in range(3)]
    inside = g.cond(g.constant(True), lambda: g.random_normal([4]), lambda: g.random_normal([4]))
    found = session.run([*outside, inside])
    assert len({row.tobytes() for row in found}) == 4


def test_sizes_are_used_in_bodies(session):
    x = g.placeholder("float32", [None, 4])
    rows = g.shape_of(x)[0]
    y = g.cond(x.sum() > 0, lambda: x.reshape(rows * 2, 2), lambda: x.reshape(rows * 2, 2) * 0)
    n = g.cond(x.sum() > 0, lambda: g.shape_of(x), lambda: g.shape_of(x) * 2)
    assert session.run(y, {x: np.ones((3, 4))}).shape == (6, 2)
    np.testing.assert_array_equal(session.run(n, {x: np.ones((3, 4))}), [3, 4])
    np.testing.assert_array_equal(session.run(n, {x: -np.ones((5, 4))}), [10, 8])


# ---- loops
def test_a_loop_runs_as_long_as_data_says(session):
    x = g.placeholder("float64", [None], name="x")
    limit = g.placeholder("float64", [], name="limit")
    n, y = g.while_loop(lambda n, y: y.sum() < limit, lambda n, y: (n + 1, y * 2 + n), (0, x))
    assert (n.name, n.dtype.name, y.name, y.shape) == ("while:0", "int64", "while:1", [None])
    for start, most in (([1.0, 2.0], 100.0), ([3.0], 2.0), ([0.5, 0.5, 1.0], 1e4)):
        expected, turns = np.array(start), 0
        while expected.sum() < most:
            expected, turns = expected * 2 + turns, turns + 1
        found = ran(session, [n, y], {x: start, limit: most})
        assert found[0] == turns
        np.testing.assert_array_equal(found[1], expected)


def test_the_gradient_of_a_loop(session, random):
    x, w = g.placeholder("float64", [2]), g.placeholder("float64", [2])
    _, y = g.while_loop(
        lambda n, y: y.sum() < 50, lambda n, y: (n + 1, y * w * w + x * n), [0, x * 1.0]
    )
    slopes = g.gradients(y.square().sum(), [x, w])
    feeds = {x: np.array([1.0, 2.0]), w: np.array([1.5, 1.1])}
    found = session.run(slopes, feeds)
    for node, slope in zip((x, w), found, strict=True):
        for i in range(2):
            ends = []
            for step in (1e-6, -1e-6):
                moved = feeds[node].copy()
                moved[i] += step
                ends.append(np.square(session.run(y, feeds | {node: moved})).sum())
            np.testing.assert_allclose(slope[i], (ends[0] - ends[1]) / 2e-6, rtol=1e-6)


def test_numbers_of_a_turn_take_the_dtype_of_the_state(session):
    n, y = g.while_loop(lambda n, y: n < 3, lambda n, y: (n + 1, 2), (0, g.constant(0.5)))
    assert session.run([n, y]) == [3, 2.0]


# ---- rows
@pytest.mark.parametrize("reverse", [False, True])
def test_scan_goes_over_rows(session, random, reverse):
    x = g.placeholder("float64", [None, 3], name="x")
    w = g.Variable(random.standard_normal((3, 3)), dtype="float64")
    session.run(w.initializer)
    start = {"h": g.constant(np.ones(3)), "n": g.constant(0)}

    def step(state, row):
        h = (state["h"] @ w + row).tanh()
        return {"h": h, "n": state["n"] + 1}, (h.sum(), [row * h])

    last, (sums, (products,)) = g.scan(step, start, x, reverse=reverse)
    assert (sums.shape, products.shape, last["h"].shape) == ([None], [None, 3], [3])
    weights = g.placeholder("float64", [None, 3])
    slope = g.gradients([products, last["h"]], w, [weights, g.constant(np.ones(3))])[0]
    rows, matrix = random.standard_normal((5, 3)), session.run(w)
    cotangent = random.standard_normal((5, 3))

    def reference(matrix):
        h, found = np.ones(3), {}
        for i in reversed(range(5)) if reverse else range(5):
            h = np.tanh(h @ matrix + rows[i])
            found[i] = h
        return h, np.stack([found[i] for i in range(5)])

    fetches, feeds = [last, sums, products, slope], {x: rows, weights: cotangent}
    end, found, scaled, gradient = ran(session, fetches, feeds)
    h, states = reference(matrix)
    assert end["n"] == 5
    np.testing.assert_allclose(end["h"], h, rtol=1e-12)
    np.testing.assert_allclose(found, states.sum(1), rtol=1e-12)
    np.testing.assert_allclose(scaled, rows * states, rtol=1e-12)
    direction = random.standard_normal((3, 3))
    sides = []
    for step_size in (1e-6, -1e-6):
        h, states = reference(matrix + step_size * direction)
        sides.append((rows * states * cotangent).sum() + h.sum())
    np.testing.assert_allclose(
        (gradient * direction).sum(), (sides[0] - sides[1]) / 2e-6, rtol=1e-6
    )


def test_map_goes_over_rows_of_structures(session, random):
    x, y = g.placeholder("float32", [None, 2]), g.placeholder("int64", [None])
    found = g.map_fn(lambda pair: {"a": pair[0] * pair[1], "b": pair[1] > 1}, (x, y))
    assert (found["a"].shape, found["b"].shape, found["b"].dtype.name) == (
        [None, 2],
        [None],
        "bool",
    )
    rows, numbers = random.standard_normal((4, 2)).astype("float32"), np.array([0, 1, 2, 3])
    values = ran(session, found, {x: rows, y: numbers})
    np.testing.assert_array_equal(values["a"], rows * numbers[:, None].astype("float32"))
    np.testing.assert_array_equal(values["b"], numbers > 1)


def test_a_body_asks_for_gradients_of_its_own(session):
    x = g.placeholder("float64", [None])
    w = g.placeholder("float64", [])
    slopes = g.map_fn(lambda row: g.gradients(row**3 * w, row)[0], x)
    curvatures = g.gradients(slopes, [x, w])
    found = ran(session, [slopes, curvatures], {x: [1.0, 2.0, -1.0], w: 2.0})
    np.testing.assert_allclose(found[0], [6, 24, 6])
    np.testing.assert_allclose(found[1][0], [12, 24, -12])
    np.testing.assert_allclose(found[1][1], 3 + 12 + 3)


def test_bodies_hold_bodies(session):
    x, w = g.placeholder("float64", [None, 2]), g.placeholder("float64", [])

    def row_of(row):
        def turn(n, y):
            return n + 1, g.cond(y.sum() > 0, lambda: y * w, lambda: y - w)

        return g.while_loop(lambda n, y: n < 3, turn, (0, row))[1]

    y = g.map_fn(row_of, x)
    data = np.array([[1.0, 2.0], [-5.0, 1.0], [0.5, 0.25]])
    expected = data.copy()
    for _ in range(3):
        positive = expected.sum(1, keepdims=True) > 0
        expected = np.where(positive, expected * 3, expected - 3)
    np.testing.assert_array_equal(ran(session, y, {x: data, w: 3.0}), expected)


# ---- what is around a body
def test_variables_made_in_a_body_are_of_the_graph(graph, session):
    x = g.placeholder("float32", [None, 2])
    with g.name_scope("net"):
        y = g.map_fn(lambda row: row * g.Variable([2.0, 3.0], name="v"), x)
        with g.variable_scope("shared"):
            z = g.cond(
                x.sum() > 0,
                lambda: g.get_variable("w", [2], initializer=g.ones_initializer()) + x,
                lambda: x,
            )
    assert [v.name for v in g.trainable_variables()] == ["net/v:0", "shared/w:0"]
    session.run(g.global_variables_initializer())
    np.testing.assert_array_equal(session.run(y, {x: [[1, 1], [2, 2]]}), [[2, 3], [4, 6]])
    np.testing.assert_array_equal(session.run(z, {x: [[1, 1]]}), [[2, 2]])
    assert g.current_graph() is graph


def test_control_dependencies_around_a_body_are_those_of_the_operation(session):
    count = g.Variable(0, name="count")
    session.run(count.initializer)
    more = count.assign_add(1)

    def branch():
        with g.control_dependencies([more]):
            return g.identity(count)

    y = g.cond(g.constant(True), branch, lambda: g.identity(count))
    assert session.run(y) == 1
    assert y.op.control_inputs == (more.op,)


def test_a_variable_is_read_before_it_is_written(session):
    w = g.Variable([1.0, 2.0], name="w")
    session.run(w.initializer)
    y = g.cond(w.sum() > 0, lambda: w, lambda: w[0:2])
    step = w.assign_add(y)
    found = session.run([y, step, w])
    np.testing.assert_array_equal(found[0], [1, 2])
    np.testing.assert_array_equal(found[1], [2, 4])


def test_a_step_of_training_through_a_branch(session, random):
    x = g.placeholder("float32", [None, 2])
    w = g.Variable([0.0, 0.0])
    loss = g.cond(x.sum() > 0, lambda: (x @ w - 1).square().mean(), lambda: w.square().sum())
    step = g.train.GradientDescentOptimizer(0.1).minimize(loss)
    session.run(g.global_variables_initializer())
    for _ in range(200):
        ran(session, step, {x: np.abs(random.standard_normal((8, 2)))})
    before = session.run(w)
    assert np.abs(before).sum() > 0.3
    session.run(step, {x: -np.ones((1, 2))})
    np.testing.assert_allclose(session.run(w), before * 0.8, rtol=1e-6)


# ---- mistakes
def test_errors_in_a_body_come_when_it_is_declared_and_name_the_line():
    x = g.placeholder("float32", [None, 3], name="x")
    with pytest.raises(ShapeError) as caught:
        g.cond(x.sum() > 0, lambda: x @ g.constant(np.ones((4, 2)), "float32"), lambda: x)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("matmul: the inner sizes must agree; got [None, 3] and [4, 2];")
    assert re.match(rf"  node 'cond/true_fn/matmul' would be made at {HERE}:\d+: g.cond", lines[1])


def test_an_error_while_a_body_runs_names_its_node(session):
    x = g.placeholder("float32", None, name="x")
    y = g.cond(x.sum() > 0, lambda: x.reshape(2, 2), lambda: x.reshape(2, 2) * 2)
    with pytest.raises(ShapeError, match=r"node 'cond/true_fn/reshape' made at .*lambda: x.resh"):
        session.run(y, {x: [1, 2, 3]})


@pytest.mark.parametrize(
    ("false_fn", "kind", "text"),
    [
        (lambda x: x.int(), DTypeError, "cond: false_fn must return the dtypes of true_fn; got "
         "int32 for float32; convert it with .to()"),
        (lambda x: x.sum(1), ShapeError, "cond: false_fn must return the shapes of true_fn; got "
         "[None] for [None, 3]; reshape or pad it"),
        (lambda x: (x, x), ArgumentError, "cond: false_fn must return the structure of true_fn; "
         "got (*, *) for *; return the same tuples, lists and keys"),
        (lambda x: {"a": [x]}, ArgumentError, "got {'a': [*]} for *; return the same"),
        (lambda x: None, ArgumentError, "cond/false_fn: a function must return nodes, numbers or "
         "data, or tuples, lists and dictionaries of these; got None; return what is to be"),
        (lambda x: g.group(x), ArgumentError, "got operation 'cond/false_fn/group_deps'; return"),
    ],
)  # fmt: skip
def test_branches_must_fit(false_fn, kind, text):
    x = g.placeholder("float32", [None, 3], name="x")
    with pytest.raises(kind, match=re.escape(text)) as caught:
        g.cond(x.sum() > 0, lambda x: x, false_fn, (x,))
    if "got None" not in text and "operation" not in text:
        assert f"node 'cond' would be made at {__file__}:" in str(caught.value)


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda x: g.cond(x, lambda: x, lambda: x), ArgumentError,
         "cond: pred must be a bool node with one element; got 'x:0' (float32 [None, 3]), made at"),
        (lambda x: g.cond(x.sum() > 0, x, lambda: x), ArgumentError,
         "cond: true_fn must be a function; got Node; pass it without calling it"),
        (lambda x: g.while_loop(lambda y: y > 0, lambda y: y, (x,)), ArgumentError,
         "while_loop: cond_fn must return a bool node with one element; got 'while/cond_fn/gt:0'"),
        (lambda x: g.while_loop(lambda y: (y.sum() > 0,) * 2, lambda y: y, (x,)), ArgumentError,
         "while_loop: cond_fn must return one node; got (*, *); reduce it with all() or any()"),
        (lambda x: g.while_loop(lambda y: y.sum() > 0, lambda y: (y, y), (x,)), ArgumentError,
         "while_loop: body_fn must return the structure of carried_inputs; got (*, *) for (*);"),
        (lambda x: g.while_loop(lambda y: y.sum() > 0, lambda y: y[0], (x,)), ShapeError,
         "while_loop: body_fn must return the shapes of carried_inputs; got [3] for [None, 3];"),
        (lambda x: g.while_loop(lambda y: y.sum() > 0, lambda y: y > 0, [x]), DTypeError,
         "while_loop: body_fn must return the dtypes of carried_inputs; got bool for float32;"),
        (lambda x: g.while_loop(lambda: True, lambda: (), ()), ArgumentError,
         "while_loop: carried_inputs must be a tuple or list of at least one; got tuple; write"),
        (lambda x: g.scan(lambda c, y: c, x[0], x), ArgumentError,
         "scan: combine_fn must return a carry and a result; got *; return two values"),
        (lambda x: g.scan(lambda c, y: (c[0], y), x[0], x), ShapeError,
         "scan: combine_fn must return the shapes of init; got [] for [3]; reshape or pad it"),
        (lambda x: g.scan(lambda c, y: (c, y), (), x), ArgumentError,
         "scan: init must have a node; none came; use map_fn for rows alone"),
        (lambda x: g.map_fn(lambda y: y, x.sum()), ShapeError,
         "map_fn: xs must have an axis of rows; got shapes []; unsqueeze() it"),
        (lambda x: g.map_fn(lambda y: y, (g.zeros((4, 3)), g.zeros((3, 3)))), ShapeError,
         "map_fn: all of xs must have as many rows; got shapes [4, 3], [3, 3]; cut them to one"),
        (lambda x: g.map_fn(lambda y: y, ()), ArgumentError,
         "map_fn: xs must have a node; none came; pass what to go over"),
        (lambda x: g.map_fn(lambda y: [], x), ArgumentError,
         "map_fn: f must return a node; got none; add one"),
        (lambda x: g.map_fn(lambda y: g.placeholder("float32"), x), GraphError,
         "Placeholder: placeholders are declared outside of bodies; one came in 'map/f'; make it"),
        (lambda x: g.map_fn(lambda y: g.Variable(1.0).assign(2.0), x), GraphError,
         "Assign: a body must not write to variables; 'map/f' does; return the new value, and"),
        (lambda x: (lambda z: g.map_fn(lambda y: g.gradients((z[0] * y).sum(), x)[0], x))(x * 2),
         GradientError, "gradients: in a body they are with respect to what the body computes "
         "from; 'x:0' (float32 [None, 3]) came, made at"),
    ],
)  # fmt: skip
def test_mistakes_are_found_while_the_graph_is_built(make, kind, text):
    x = g.placeholder("float32", [None, 3], name="x")
    with pytest.raises(kind, match=re.escape(text)):
        make(x)


def test_nodes_of_a_body_stay_in_it(session):
    x = g.placeholder("float32", [])
    kept = []

    def branch():
        kept.append(x * 2)
        return kept[0] + 1

    y = g.cond(x > 0, branch, lambda: x)
    inside = "graph: a node of a body is used inside of that body; 'cond/true_fn/mul:0', made at "
    for use in (
        lambda: session.run(kept[0], {x: 1.0}),
        lambda: y + kept[0],
        lambda: g.cond(x > 0, lambda: x + kept[0], lambda: x),
    ):
        with pytest.raises(GraphError, match=re.escape(inside) + r".*, came; let the function re"):
            use()
    with pytest.raises(GraphError, match="one of 'cond/true_fn' came after it had ended; let the"):
        kept[0] * 2
