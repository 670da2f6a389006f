"""Graphs while they are built: names, scopes, order, isolation, and what is refused."""

import re

import numpy as np
import pytest

import gleed
from gleed import graph as g
from gleed.errors import ArgumentError, DTypeError, GraphError, ShapeError

HERE = re.escape(__file__)


def test_names_are_unique_and_follow_scopes(graph):
    x = g.placeholder("float32", [2], name="x")
    names = [x.name, (x + 1).name, (x + 1).name, (x + 1).name]
    with g.name_scope("layer") as scope:
        names += [(x + 1).name, (x * x).name]
        with g.name_scope("inner"):
            names.append(g.constant(1.0).name)
    with g.name_scope("layer"):
        names.append((x + 1).name)
    with g.name_scope(scope):
        names.append((x + 1).name)
    with g.name_scope(scope), g.name_scope(None):
        names.append((x + 1).name)
    assert names == [
        *("x:0", "add:0", "add_1:0", "add_2:0", "layer/add:0", "layer/mul:0"),
        *("layer/inner/Const:0", "layer_1/add:0", "layer/add_1:0", "add_3:0"),
    ]
    assert len({op.name for op in graph.get_operations()}) == len(names)


def test_a_number_that_is_taken_is_left_out():
    x = g.placeholder("float32", name="x")
    names = [g.identity(x, name=n).op.name for n in ("a_1", "a", "a", "a")]
    assert names == ["a_1", "a", "a_2", "a_3"]


def test_operations_and_nodes_are_found_by_name(graph):
    x = g.placeholder("float32", [3, 2], name="x")
    values, places = x.max(1)
    assert graph.get_tensor_by_name("max:0") is values
    assert graph.get_tensor_by_name("max:1") is places
    assert graph.get_operation_by_name("max") is values.op
    assert values.op.inputs == (x,) and values.op.outputs == (values, places)
    for name, text in [
        ("q:0", "graph: there must be an operation of the name; 'q' came; check its spelling"),
        ("mox:0", "there must be an operation of the name; 'mox' came; did you mean 'max'?"),
        ("max:2", "graph: operation 'max' has 2 results, counted from 0; 'max:2' came; use a"),
        ("max", "graph: a node's name ends with the number of the result; 'max' came; use 'max:0'"),
    ]:
        with pytest.raises(ArgumentError, match=re.escape(text)):
            graph.get_tensor_by_name(name)


def test_a_node_knows_its_line():
    x = g.placeholder("float32", [2])
    y = x + 1  # here
    assert (y.op.place.file, y.op.place.text) == (__file__, "y = x + 1  # here")
    assert repr(y) == "<Node 'add:0' shape=[2] dtype=float32>"
    assert repr(y.op) == "<Operation 'add' type=add>"


def test_shape_errors_come_when_the_graph_is_built_and_name_the_lines():
    x = g.placeholder("float32", [None, 3], name="x")
    w = g.Variable(np.ones((4, 2)), dtype="float32", name="w")
    with pytest.raises(ShapeError) as caught:
        x @ w
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("matmul: the inner sizes must agree; got [None, 3] and [4, 2];")
    assert re.fullmatch(rf"  node 'matmul' would be made at {HERE}:\d+: x @ w", lines[1])
    assert re.fullmatch(
        rf"  input 'x:0' \(float32 \[None, 3\]\) made at {HERE}:\d+: x = g.placeholder.*", lines[2]
    )
    assert re.fullmatch(
        rf"  input 'w:0' \(float32 \[4, 2\]\) made at {HERE}:\d+: w = g.Variable.*", lines[3]
    )


def test_dtype_errors_come_when_the_graph_is_built():
    with pytest.raises(DTypeError, match=r"(?s)mean: .*\n  node 'mean' would be made at .*\n  in"):
        g.placeholder("int32", [3]).mean()


def test_arguments_that_no_overload_takes_are_refused():
    with pytest.raises(TypeError, match=r"(?s)sum.*\n  node 'sum' would be made at"):
        g.placeholder("float32", [3]).sum(nonsense=3)


def test_nodes_of_other_graphs_are_refused():
    x = g.placeholder("float32", name="x")
    with g.Graph().as_default():
        y = g.placeholder("float32", name="y")
    with pytest.raises(GraphError, match="graph: all must be of one graph; 'x:0', made at"):
        y + x
    with pytest.raises(GraphError, match=rf"'y:0', made at {HERE}:\d+, is of another one; use it"):
        g.Session().run(y)
    with pytest.raises(GraphError, match="all must be of one graph"):
        g.Session().run(x, {y: 1})


def test_a_finalised_graph_takes_nothing_more(graph):
    x = g.placeholder("float32", name="x")
    graph.finalize()
    with pytest.raises(GraphError, match="add: nothing can be added to a finalised graph"):
        x + 1
    assert g.Session().run(x, {x: 2}) == 2


def test_nodes_have_no_truth_and_no_elements():
    x = g.placeholder("float32", [2], name="x")
    with pytest.raises(GraphError, match=rf"bool: a node has no value .* made at {HERE}:\d+; "):
        bool(x > 0)
    with pytest.raises(GraphError, match="iter: a node has no elements before a session runs"):
        list(x)
    with pytest.raises(AttributeError, match=r"node 'x:0' \(float32 \[2\]\): no op has a method"):
        x.rellu()
    with pytest.raises(AttributeError, match=r"no attribute 'rellu'; did you mean 'relu'?"):
        g.rellu(x)


def test_equality_is_identity():
    x = g.placeholder("float32", [2])
    assert x == x and x != g.identity(x) and len({x, x}) == 1


def test_in_place_ops_are_refused():
    x = g.placeholder("float32", [2])
    with pytest.raises(
        ArgumentError, match="add_: it overwrites an argument, which is a node, not"
    ):
        x.add_(1)
    with pytest.raises(ArgumentError, match="exp: out= overwrites a tensor, and a node is none"):
        x.exp(out=x)


def test_collections(graph):
    g.Variable(1.0, name="a")
    with g.name_scope("s"):
        b = g.Variable(1.0, name="b", trainable=False)
    assert [v.name for v in g.global_variables()] == ["a:0", "s/b:0"]
    assert [v.name for v in g.trainable_variables()] == ["a:0"]
    assert g.global_variables("s/") == [b]
    graph.add_to_collection("mine", b)
    assert graph.get_collection("mine") == [b] and graph.get_collection("none") == []


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        ("float", "float32"), (float, "float32"), (np.float32, "float32"), (int, "int64"),
        (np.dtype("int8"), "int8"), (gleed.bfloat16, "bfloat16"), ("bool", "bool"), (bool, "bool"),
    ],
)  # fmt: skip
def test_dtypes_have_many_names(given, dtype):
    assert g.placeholder(given).dtype.name == dtype


def test_what_is_no_dtype_or_shape_is_refused():
    with pytest.raises(ArgumentError, match=r"'flaot32' came; did you mean 'float32'?"):
        g.placeholder("flaot32")
    for shape in ([-1], ["2"], [1.5]):
        with pytest.raises(ArgumentError, match="shape: sizes are numbers, or None for an unknown"):
            g.placeholder("float32", shape)


def test_shapes_can_be_made_more_precise():
    x = g.placeholder("float32")
    assert x.shape.ndims is None and str(x.shape) == "of unknown rank"
    with pytest.raises(ShapeError, match="shape: the rank is unknown; the sizes were asked for"):
        len(x.shape)
    x.set_shape([None, 3])
    x.set_shape([2, None])
    assert x.get_shape().as_list() == [2, 3] and x.shape[1].value == 3
    assert x.shape.num_elements() == 6 and x.shape.is_fully_defined() and x.shape[:1] == [2]
    with pytest.raises(
        ShapeError, match=r"set_shape: a shape can be made more precise, not changed"
    ):
        x.set_shape([2, 4])


def test_resetting_the_default_graph_inside_a_block_is_refused():
    with pytest.raises(GraphError, match=r"reset_default_graph: it cannot be used inside as_defa"):
        g.reset_default_graph()


def test_the_number_of_results_must_be_known():
    x = g.placeholder("float32", [None, 4], name="x")
    assert len(x.unbind(1)) == 4 and len(x.chunk(2, 1)) == 2
    with pytest.raises(
        ArgumentError, match="graph: the number of results must not depend on sizes"
    ):
        x.unbind(0)


def test_random_ops_and_named_results():
    x = g.placeholder("float32", [None, 4], name="x")
    assert x.max(1).values.shape == [None] and x.topk(2).indices.shape == [None, 2]
    assert x.bernoulli().shape == g.dropout(x, 0.5).shape == [None, 4]
    assert g.randn(2, 3).shape == [2, 3] and x.multinomial(2).dtype is gleed.int64


def test_a_function_that_gives_no_tensor_is_refused():
    x = g.placeholder("float32", [2], name="x")
    with pytest.raises(
        ArgumentError, match=r"(?s)a int came; compute it from what.*\n  node 'count'"
    ):
        g.call(lambda x: x.numel(), x, name="count")


def test_variables_in_blocks_of_control_dependencies_do_not_depend_on_them():
    x = g.placeholder("float32", [], name="x")
    with g.control_dependencies([x]):
        w = g.Variable([1.0], name="w")
        step = g.train.AdamOptimizer(0.1).minimize(w.square().sum())
    with g.Session() as session:
        session.run(g.global_variables_initializer())
        with pytest.raises(GraphError, match="'x:0'"):
            session.run(step)
        session.run(step, {x: 1})


def test_a_graph_may_be_the_default_one_within_itself(graph):
    other = g.Graph()
    with other.as_default():
        with graph.as_default(), g.Session():
            assert g.current_graph() is graph
        assert g.current_graph() is other
    assert g.current_graph() is graph
