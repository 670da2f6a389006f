"""Steps of plans: views, compaction, temporaries, guards, dims, checks, and malformed plans."""

import numpy as np
import pytest

from gleed import _C
from gleed.compiler import kernel as k
from gleed.compiler.objects import compile_together

from .harness import REQUIRED, array, core, pointwise, tensor

ONE = (("input", "tensor", REQUIRED, ""),)
IDENTITY = pointwise(lambda x: x, ("f32",))
NEGATE = pointwise(lambda x: -x, ("f32",))


def plan_op(plan, parameters=ONE, explain=None):
    """An op that always gets the same plan."""
    return _C.Op("f", [(tuple(parameters), lambda *_: plan, explain)])


def view_plan(movement, arguments, dims, shape):
    """A plan that returns a view of its 2-d input. Dims 0, 1 are its sizes; `dims` follow."""
    dims = (("size", 0, 0), ("size", 0, 1), *dims)
    steps = (("view", 1, 0, movement, arguments),)
    return _C.Plan(((_C.float32, 2),), dims, (), ((_C.float32, shape),), steps, (1,), (), ())


def const(*values):
    return tuple(("const", v) for v in values)


@pytest.mark.parametrize(
    "plan, expected",
    [
        (view_plan("permute", (1, 0), (), (1, 0)), lambda a: a.T),
        (view_plan("reshape", (), (("mul", 0, 1),), (2,)), lambda a: a.reshape(-1)),
        (view_plan("expand", (), const(5), (2, 0, 1)), lambda a: np.broadcast_to(a, (5, *a.shape))),
        (view_plan("slice", (1, 2, 2, 3), const(1, 2), (0, 3)), lambda a: a[:, 1:4:2]),
        (view_plan("slice", (0, 2, -1, 3), const(2, 3), (3, 1)), lambda a: a[2::-1]),
        (view_plan("diagonal", (0, 1, 2), const(1, 4), (3,)), lambda a: a.diagonal(1)),
        (
            view_plan("window", (1, 2, 3), const(3, 2, 2), (0, 4, 2)),
            lambda a: np.lib.stride_tricks.sliding_window_view(a, 3, 1)[:, ::2],
        ),
        (
            view_plan("as_strided", ((2, 2), 2), const(1, 2), (3, 3)),
            lambda a: np.lib.stride_tricks.as_strided(a.reshape(-1)[1:], (2, 2), (4, 4)),
        ),
    ],
)
def test_movements_share_memory(plan, expected):
    a = np.arange(20, dtype="f").reshape(4, 5)
    t = tensor(a)
    result = plan_op(plan)(t)
    np.testing.assert_array_equal(array(result), expected(a))
    a[...] += 100
    np.testing.assert_array_equal(array(result), expected(a))


@pytest.mark.parametrize(
    "plan, error, message",
    [
        (
            view_plan("slice", (1, 2, 1, 3), const(1, 5), (0, 3)),
            "BoundsError",
            "inside the dimension",
        ),
        (
            view_plan("slice", (1, 2, 1, 3), const(-1, 2), (0, 3)),
            "BoundsError",
            "inside the dimension",
        ),
        (view_plan("window", (1, 2, 3), const(6, 1, 1), (0, 4, 2)), "BoundsError", "inside"),
        (view_plan("window", (1, 2, 3), const(2, 0, 1), (0, 4, 2)), "BoundsError", "inside"),
        (
            view_plan("as_strided", ((2, 2), 3), const(1, 9), (3, 3)),
            "BoundsError",
            "inside the storage",
        ),
        (view_plan("as_strided", ((2, 2), 2), const(1 << 61, 9), (3, 3)), "BoundsError", "storage"),
        (
            view_plan("as_strided", ((2, 2), 2), const(-5, 2), (3, 3)),
            "BoundsError",
            "inside the storage",
        ),
        (view_plan("expand", (), const(3), (2, 2)), "ShapeError", "only dimensions of size 1"),
        (view_plan("reshape", (), const(3), (2,)), "ShapeError", "reachable without copying"),
        (view_plan("slice", (1, 2, 1, 3), const(1, 2), (0, 2)), "RuntimeError", "the plan's sizes"),
        (view_plan("slice", (1, 2, 1, 2), const(-1), (0, 2)), "RuntimeError", "cannot be negative"),
    ],
)
def test_impossible_movements(plan, error, message):
    with pytest.raises(Exception, match=message) as raised:
        plan_op(plan)(tensor(np.zeros((4, 5), "f")))
    assert type(raised.value).__name__ == error


def test_compact_copies_what_is_not_row_major():
    dims = (("size", 0, 0), ("size", 0, 1))
    steps = (("compact", 1, 0, IDENTITY),)
    f = plan_op(_C.Plan(((_C.float32, 2),), dims, (), ((_C.float32, (0, 1)),), steps, (1,), (), ()))
    a = np.arange(20, dtype="f").reshape(4, 5)
    t = tensor(a)
    assert f(t).data_ptr() == t.data_ptr()
    result = f(tensor(a.T))
    assert result.is_contiguous()
    np.testing.assert_array_equal(array(result), a.T)


def test_reshape_copies_only_where_strides_forbid_a_view():
    dims = (("size", 0, 0), ("size", 0, 1), ("mul", 0, 1))
    steps = (("reshape", 1, 0, IDENTITY),)
    plan = _C.Plan(((_C.float32, 2),), dims, (), ((_C.float32, (2,)),), steps, (1,), (), ())
    f = plan_op(plan)
    a = np.arange(20, dtype="f").reshape(4, 5)
    t = tensor(a)
    assert f(t).data_ptr() == t.data_ptr()
    turned = tensor(a.T)
    result = f(turned)
    assert result.data_ptr() != turned.data_ptr()
    np.testing.assert_array_equal(array(result), a.T.reshape(-1))


def chain(length, residuals=()):
    """A plan of `length` negations, each with memory of its own."""
    steps = []
    for i in range(1, length + 1):
        steps += [
            ("alloc", i, (i - 1,)),
            ("kernel", NEGATE, (0,), 1, ((i - 1, (0,)), (i, (0,))), ()),
        ]
    values = ((_C.float32, (0,)),) * length
    return _C.Plan(
        ((_C.float32, 1),), (("size", 0, 0),), (), values, tuple(steps), (length,), residuals, ()
    )


def test_temporaries_share_one_block(rng):
    a = rng.standard_normal(1 << 16).astype("f")
    f = plan_op(chain(9))
    t = tensor(a)
    f(t)
    before = _C.memory_stats()["allocated"]
    _C.reset_peak_memory()
    result = f(t)
    np.testing.assert_array_equal(array(result), -a)
    # The result, and two temporaries at a time.
    assert _C.memory_stats()["peak"] - before <= 3 * a.nbytes + 4096


def test_temporaries_do_not_clobber_one_another(rng):
    """A diamond: a value used long after it was made."""
    add = pointwise(lambda x, y: x + y, ("f32", "f32"))
    whole = (0,)
    steps = (
        ("alloc", 1, ()),
        ("kernel", NEGATE, whole, 1, ((0, whole), (1, whole)), ()),
        ("alloc", 2, ()),
        ("kernel", NEGATE, whole, 1, ((1, whole), (2, whole)), ()),
        ("alloc", 3, ()),
        ("kernel", add, whole, 1, ((2, whole), (2, whole), (3, whole)), ()),
        ("alloc", 4, ()),
        ("kernel", NEGATE, whole, 1, ((3, whole), (4, whole)), ()),
        ("alloc", 5, ()),
        ("kernel", add, whole, 1, ((4, whole), (1, whole), (5, whole)), ()),
    )
    plan = _C.Plan(
        ((_C.float32, 1),), (("size", 0, 0),), (), ((_C.float32, whole),) * 5, steps, (5, 5), (), ()
    )
    a = rng.standard_normal(77).astype("f")
    first, second = plan_op(plan)(tensor(a))
    np.testing.assert_array_equal(array(first), -3 * a)
    assert first.data_ptr() == second.data_ptr()


def test_guards_choose_among_plans():
    plans = []

    def compile(arguments, sizes, ints, words):
        even = sizes[0][0] % 2 == 0
        kernel = NEGATE if even else IDENTITY
        dims = (("size", 0, 0), ("const", 2), ("mod", 0, 1), ("const", 0))
        guards = (("eq" if even else "ne", 2, 3),)
        steps = (("alloc", 1, ()), ("kernel", kernel, (0,), 1, ((0, (0,)), (1, (0,))), ()))
        plans.append(even)
        return _C.Plan(((_C.float32, 1),), dims, guards, ((_C.float32, (0,)),), steps, (1,), (), ())

    f = _C.Op("f", [(ONE, compile, None)])
    for n in (2, 4, 3, 6, 5, 7, 8):
        a = np.arange(n, dtype="f")
        np.testing.assert_array_equal(array(f(tensor(a))), -a if n % 2 == 0 else a)
    assert plans == [True, False]


def test_guards_must_hold_for_the_call_they_were_made_for():
    plan = _C.Plan(
        ((_C.float32, 1),), (("size", 0, 0), ("const", 3)), (("eq", 0, 1),), (), (), (0,), (), ()
    )
    f = plan_op(plan)
    f(tensor(np.zeros(3, "f")))
    with pytest.raises(RuntimeError, match="guards do not hold"):
        f(tensor(np.zeros(4, "f")))


def test_dims():
    expressions = [
        ("add", 0, 1),
        ("sub", 0, 1),
        ("mul", 0, 1),
        ("floordiv", 0, 1),
        ("mod", 0, 1),
        ("min", 0, 1),
        ("max", 0, 1),
    ]
    known = [
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a * b,
        lambda a, b: a // b if b else 0,
        lambda a, b: a % b if b else 0,
        min,
        max,
    ]
    for a in (-7, -1, 0, 1, 5, 9):
        for b in (-3, -1, 0, 1, 2, 7):
            dims = (("int", 0), ("int", 1), *expressions, *const(*(f(a, b) for f in known)))
            guards = tuple(("eq", 2 + i, 9 + i) for i in range(7))
            f = plan_op(
                _C.Plan(((_C.float32, 1),), dims, guards, (), (), (0,), (), ()),
                (*ONE, ("a", "int", REQUIRED, ""), ("b", "int", REQUIRED, "")),
            )
            f(tensor(np.zeros(1, "f")), a, b)


@pytest.mark.parametrize(
    "op_name, a, b",
    [
        ("add", (1 << 63) - 1, 1),
        ("sub", -(1 << 63), 1),
        ("mul", 1 << 40, 1 << 40),
        ("floordiv", -(1 << 63), -1),
    ],
)
def test_sizes_that_overflow(op_name, a, b):
    plan = _C.Plan(
        ((_C.float32, 1),), (("const", a), ("const", b), (op_name, 0, 1)), (), (), (), (0,), (), ()
    )
    with pytest.raises(OverflowError, match="must fit 64 bits"):
        plan_op(plan)(tensor(np.zeros(1, "f")))


@pytest.mark.parametrize("size", [1 << 40, 1 << 61, (1 << 62) + 5])
def test_huge_results_are_a_clear_error(size):
    steps = (("alloc", 1, ()),)
    for outputs in ((1,), (0,)):
        plan = _C.Plan(
            ((_C.float32, 1),),
            (("const", size),),
            (),
            ((_C.float32, (0, 0)),),
            steps,
            outputs,
            (),
            (),
        )
        with pytest.raises(Exception, match="memory") as raised:
            plan_op(plan)(tensor(np.zeros(1, "f")))
        assert "OutOfMemory" in type(raised.value).__name__


@pytest.fixture
def batches():
    """The numbers of kernels that were compiled together; a batch of 4 fails."""
    sizes = []

    def together(requests):
        sizes.append(len(requests))
        if len(requests) == 4:
            raise ArithmeticError("four are too many")
        return [compile(*arguments) for compile, arguments in requests]

    _C.set_batch_compiler(together)
    yield sizes
    _C.set_batch_compiler(compile_together)


def scale_all(factors):
    """A plan that multiplies its input by one factor after the other, each by a kernel."""
    steps = []
    for i, factor in enumerate(factors, 1):
        kernel = pointwise(lambda x, factor=factor: x * factor, ("f32",))
        steps += [
            ("alloc", i, (i - 1,)),
            ("kernel", kernel, (0,), 1, ((i - 1, (0,)), (i, (0,))), ()),
            ("kernel", kernel, (0,), 1, ((i - 1, (0,)), (i, (0,))), ()),
        ]
    values = ((_C.float32, (0,)),) * len(factors)
    return _C.Plan(
        *(((_C.float32, 1),), (("size", 0, 0),), (), values),
        *(tuple(steps), (len(factors),), (), ()),
    )


def test_what_a_plan_lacks_is_compiled_together(batches):
    a = np.arange(5, dtype="f")
    op = plan_op(scale_all((2, 3, 5)))
    for _ in range(2):
        np.testing.assert_array_equal(array(op(tensor(a))), 30 * a)
    assert batches == [3]


def test_what_could_not_be_compiled_together_is_asked_for_again(batches):
    a = np.arange(5, dtype="f")
    op = plan_op(scale_all((2, 3, 5, 7)))
    for _ in range(2):
        with pytest.raises(ArithmeticError, match="four are too many"):
            op(tensor(a))
    assert batches == [4, 4]
    _C.set_batch_compiler(None)
    np.testing.assert_array_equal(array(op(tensor(a))), 210 * a)


def test_failed_checks_are_explained():
    """take: an index out of range sets the status cell, and `explain` raises."""
    status, size = k.param(0, "i64"), k.param(1, "i64")
    index = k.load(1, "i64")
    inside = k.ge(index, 0) & k.lt(index, size)
    picked = k.gather(0, k.select(inside, index, 0) * status, "f32")
    operands = (
        k.Operand("f32", "in"),
        k.Operand("i64", "in"),
        k.Operand("i64", "status"),
        k.Operand("f32", "out"),
    )
    ir = k.Kernel("take", operands, ("i64", "i64"), (k.Check(2, inside), k.Store(3, picked)))
    kernel = core(ir)
    steps = (
        ("alloc", 2, ()),
        (
            "kernel",
            kernel,
            (1,),
            1,
            ((0, (-1,)), (1, (0,)), ("status",), (2, (0,))),
            (("stride", 0, 0), ("dim", 0)),
        ),
    )
    plan = _C.Plan(
        ((_C.float32, 1), (_C.int64, 1)),
        (("size", 0, 0), ("size", 1, 0)),
        (),
        ((_C.float32, (1,)),),
        steps,
        (2,),
        (),
        (),
    )

    def explain(arguments):
        raise IndexError(f"take: {array(arguments[1]).max()} is out of range")

    take = plan_op(plan, (*ONE, ("index", "tensor", REQUIRED, "")), explain)
    a = np.arange(30, dtype="f")[::3]
    index = np.array([3, 0, 9, 9])
    np.testing.assert_array_equal(array(take(tensor(a), tensor(index))), a[index])
    with pytest.raises(IndexError, match="take: 10 is out of range"):
        take(tensor(a), tensor(np.array([1, 10])))
    np.testing.assert_array_equal(array(take(tensor(a), tensor(index))), a[index])


def test_an_index_operand_counts():
    ir = k.Kernel(
        "iota", (k.Operand("i64", "index"), k.Operand("i64", "out")), (), (k.Store(1, k.index(0)),)
    )
    steps = (
        ("alloc", 1, ()),
        ("kernel", core(ir), (0, 1), 2, (("index", (2, -1), 3), (1, (0, 1))), ()),
    )
    dims = (("size", 0, 0), ("size", 0, 1), ("const", 100), ("const", 7))
    plan = _C.Plan(((_C.float32, 2),), dims, (), ((_C.int64, (0, 1)),), steps, (1,), (), ())
    result = array(plan_op(plan)(tensor(np.zeros((3, 4), "f"))))
    np.testing.assert_array_equal(result, 7 + 100 * np.arange(3)[:, None] + np.zeros((1, 4), int))


GOOD = dict(
    inputs=((_C.float32, 1),),
    dims=(("size", 0, 0),),
    guards=(),
    values=((_C.float32, (0,)),),
    steps=(("alloc", 1, ()), ("kernel", NEGATE, (0,), 1, ((0, (0,)), (1, (0,))), ())),
    outputs=(1,),
    residuals=(),
    writes=(),
)


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": ((_C.float32, 99),)},
        {"inputs": (("f31", 1),)},
        {"inputs": 3},
        {"dims": (("size", 1, 0),)},
        {"dims": (("size", 0, 1),)},
        {"dims": (("add", 0, 0),)},
        {"dims": (("what", 0),)},
        {"dims": (("const", 1 << 64),)},
        {"dims": (("size",),)},
        {"guards": (("eq", 0, 1),)},
        {"guards": (("is", 0, 0),)},
        {"values": ((_C.float32, (1,)),)},
        {"values": ((_C.float32, (0,) * 17),)},
        {"steps": (("alloc", 2, ()),)},
        {"steps": (("alloc", 0, ()),)},
        {"steps": ()},
        {"steps": (("alloc", 1, (1,)),)},
        {"steps": (("jump", 1, ()),)},
        {"steps": ((),)},
        {"steps": (("alloc", 1, ()), ("alloc", 1, ()))},
        {"steps": (("alloc", 1, ()), ("kernel", None, (0,), 1, ((0, (0,)), (1, (0,))), ()))},
        {"steps": (("alloc", 1, ()), ("kernel", NEGATE, (0,), 2, ((0, (0,)), (1, (0,))), ()))},
        {"steps": (("alloc", 1, ()), ("kernel", NEGATE, (0,), 1, ((0, (1,)), (1, (0,))), ()))},
        {"steps": (("alloc", 1, ()), ("kernel", NEGATE, (0,), 1, ((0, ()), (1, (0,))), ()))},
        {"steps": (("alloc", 1, ()), ("kernel", NEGATE, (0,), 1, (), ()))},
        {
            "steps": (
                ("alloc", 1, ()),
                ("kernel", NEGATE, (0,), 1, ((0, (0,)), (1, (0,))), (("x", 0),)),
            )
        },
        {"steps": (("view", 1, 0, "spin", ()),)},
        {"steps": (("view", 1, 0, "permute", (1,)),)},
        {"steps": (("view", 1, 0, "slice", (0, 0)),)},
        {"steps": (("compact", 1, 0, None),)},
        {"steps": (("library", "nothing", (0,), (), ()),)},
        {"outputs": (2,)},
        {"outputs": (-1,)},
        {"writes": (1,)},
        {"grad": 3},
        {"grad": object},
    ],
)
def test_malformed_plans_are_refused(change):
    _C.Plan(**GOOD)
    with pytest.raises((ValueError, TypeError)):
        _C.Plan(**(GOOD | change))


@pytest.mark.parametrize(
    "params, message",
    [
        ((("scalar", 0),), "run-time number 0 does not exist"),
    ],
)
def test_missing_run_time_numbers(params, message):
    scale = pointwise(lambda x, s: x * s, ("f32",), ("f32",))
    steps = (("alloc", 1, ()), ("kernel", scale, (0,), 1, ((0, (0,)), (1, (0,))), params))
    f = plan_op(_C.Plan(**(GOOD | {"steps": steps})))
    with pytest.raises(RuntimeError, match=message):
        f(tensor(np.zeros(3, "f")))


def test_missing_integers():
    f = plan_op(_C.Plan(**(GOOD | {"dims": (("int", 0),)})))
    with pytest.raises(RuntimeError, match="integer argument 0 does not exist"):
        f(tensor(np.zeros(3, "f")))


def test_axes_must_fit_their_operands():
    f = plan_op(_C.Plan(**(GOOD | {"dims": (("const", 4),)})))
    with pytest.raises(RuntimeError, match="an axis of size 4 runs over a dimension of size 3"):
        f(tensor(np.zeros(3, "f")))
