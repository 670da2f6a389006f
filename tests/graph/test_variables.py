"""Variables: their values, names, scopes and sharing, and random initial values."""

import re

import numpy as np
import pytest

import gleed
from gleed import graph as g
from gleed.errors import ArgumentError, DTypeError, GraphError, RangeError, ShapeError

HERE = re.escape(__file__)


def test_values_and_dtypes():
    given = [
        1.5,
        2,
        [1.0, 2.0],
        np.ones((2, 2)),
        np.float64(1),
        gleed.ones(3),
        lambda: g.constant(7),
    ]
    variables = [g.Variable(value) for value in given]
    assert [v.dtype.name for v in variables] == [
        *("float32", "int64", "float32", "float64", "float64", "float32", "int64")
    ]
    assert g.Variable(1, dtype="float32").dtype is gleed.float32
    with g.Session() as session:
        session.run(g.global_variables_initializer())
        assert session.run(variables[:2]) == [1.5, 2]
        variables[0].load(4.0, session)
        assert session.run(variables[0]) == variables[0].eval() == 4
        with pytest.raises(
            ShapeError, match=r"feed: 'Variable_2:0' .* takes shape \[2\]; float32 of"
        ):
            variables[2].load([1.0], session)


def test_initial_values_may_depend_on_others():
    a = g.Variable(g.random_normal([3]))
    b = g.Variable(a.initial_value * 2)
    with g.Session() as session:
        session.run(g.global_variables_initializer())
        np.testing.assert_allclose(session.run(b), 2 * session.run(a))


def test_what_is_no_initial_value_is_refused():
    with pytest.raises(
        ArgumentError, match="Variable: an initial value is needed; none came; pass"
    ):
        g.Variable()
    x = g.placeholder("float32", [None, 2], name="x")
    with pytest.raises(
        ShapeError,
        match=rf"Variable: all sizes of the initial value must be known; 'x:0' "
        rf"\(float32 \[None, 2\]\) came for 'w', made at {HERE}:\d+; give it a shape",
    ):
        g.Variable(x, name="w")
    with pytest.raises(
        DTypeError, match="Variable: the initial value must have the dtype asked for"
    ):
        g.Variable(g.constant(1.0), dtype="float64")
    with pytest.raises(
        DTypeError, match="Variable: the data must fit the dtype int32; float32 came"
    ):
        g.Variable(1.5, dtype="int32")


def test_what_cannot_be_assigned_is_refused():
    v = g.Variable([1, 2], name="v")
    with pytest.raises(
        ShapeError,
        match=rf"assign: the value must have the shape of the variable; 'Const:0' \(int64 \[3\]\) "
        rf"came for 'v:0' \(int64 \[2\]\), made at {HERE}:\d+; reshape it",
    ):
        v.assign([1, 2, 3])
    with pytest.raises(DTypeError, match="assign: the value must fit the dtype of the variable; "):
        v.assign_add([1.5, 2.5])


def test_variables_by_name():
    with g.variable_scope("layer"):
        w = g.get_variable("w", [2, 3])
        with g.variable_scope("inner"):
            b = g.get_variable("b", [3], initializer=g.zeros_initializer())
    assert (w.name, b.name) == ("layer/w:0", "layer/inner/b:0")
    with g.variable_scope("layer", reuse=True) as scope:
        assert g.get_variable("w", [2, 3]) is w and g.get_variable("w") is w
        with g.variable_scope("inner"):
            assert g.get_variable("b") is b
        with pytest.raises(
            GraphError, match="with reuse=True finds variables that exist; 'layer/c'"
        ):
            g.get_variable("c", [1])
        with pytest.raises(
            ShapeError, match=r"a shared variable keeps its shape; \[3\] was asked for"
        ):
            g.get_variable("w", [3])
    assert scope.name == "layer" and g.get_variable_scope().name == ""
    with g.variable_scope("layer", reuse=g.AUTO_REUSE):
        assert g.get_variable("w", [2, 3]) is w
        assert g.get_variable("c", [1]).name == "layer/c:0"
    with (
        g.variable_scope("layer"),
        pytest.raises(
            GraphError,
            match=rf"get_variable: names must be new unless the scope says reuse=True; 'layer/w' "
            rf"was made at {HERE}:\d+; use another name",
        ),
    ):
        g.get_variable("w", [2, 3])
    with pytest.raises(
        ArgumentError, match="a new variable needs a shape; none came for 'd'; give"
    ):
        g.get_variable("d")
    with g.variable_scope(None, "layer"):
        assert g.get_variable("w", [1]).name == "layer_1/w:0"
    with pytest.raises(
        ArgumentError, match="variable_scope: a name is needed; neither a name nor a"
    ):
        g.variable_scope(None).__enter__()


def test_initializers():
    made = {
        "zeros": g.zeros_initializer(), "ones": g.ones_initializer(),
        "constant": g.constant_initializer([[1.0] * 50] * 40),
        "normal": g.random_normal_initializer(1.0, 0.1),
        "truncated": g.truncated_normal_initializer(0.0, 2.0),
        "uniform": g.random_uniform_initializer(-2.0, -1.0),
        "glorot": g.glorot_uniform_initializer(), "xavier": g.glorot_normal_initializer(),
        "he": g.variance_scaling_initializer(2.0), "default": None,
    }  # fmt: skip
    variables = [g.get_variable(n, [40, 50], initializer=make) for n, make in made.items()]
    with g.Session() as session:
        gleed.manual_seed(0)
        session.run(g.global_variables_initializer())
        value = dict(zip(made, session.run(variables), strict=True))
    assert (
        not value["zeros"].any() and (value["ones"] == 1).all() and (value["constant"] == 1).all()
    )
    assert value["normal"].mean() == pytest.approx(1, abs=0.02)
    assert np.abs(value["truncated"]).max() <= 4
    assert value["truncated"].std() == pytest.approx(2 * 0.8796, rel=0.05)
    assert -2 <= value["uniform"].min() < value["uniform"].max() < -1
    for name in ("glorot", "default"):
        assert np.abs(value[name]).max() == pytest.approx((6 / 90) ** 0.5, rel=0.02)
    assert value["xavier"].std() == pytest.approx((1 / 45) ** 0.5, rel=0.05)
    assert value["he"].std() == pytest.approx((2 / 40) ** 0.5, rel=0.05)


def test_random_nodes_draw_anew_in_every_run():
    x = g.random_normal([1000], 2.0, 3.0)
    integers = g.random_uniform([1000], 5, 8, "int32")
    between = g.random_uniform([1000], -1.0, 1.0)
    rows = g.random_shuffle(g.constant([[1, 1], [2, 2], [3, 3]]))
    with g.Session() as session:
        gleed.manual_seed(1)
        first, second = session.run(x), session.run(x)
        assert first.mean() == pytest.approx(2, abs=0.3) and first.std() == pytest.approx(
            3, abs=0.3
        )
        assert (first != second).all()
        assert set(session.run(integers)) == {5, 6, 7}
        values = session.run(between)
        assert values.min() >= -1 and values.max() < 1 and abs(values.mean()) < 0.1
        assert sorted(map(tuple, session.run(rows).tolist())) == [(1, 1), (2, 2), (3, 3)]
        gleed.manual_seed(1)
        np.testing.assert_array_equal(session.run(x), first)
    with pytest.raises(
        RangeError, match="random_uniform: integers need a maxval; none came for int3"
    ):
        g.random_uniform([2], 0, None, "int32")


def test_with_a_seed_every_session_draws_the_same():
    own = g.random_normal([4], seed=3)
    g.set_random_seed(7)
    nodes = [own, g.random_uniform([4]), g.truncated_normal([4]), g.random_uniform([4])]

    def drawn():
        with g.Session() as session:
            return np.array([session.run(nodes), session.run(nodes)])

    values = drawn()
    np.testing.assert_array_equal(values, drawn())
    assert len(np.unique(values)) == values.size
