"""The argument binder: every kind, keywords, defaults, and what is refused."""

import numpy as np
import pytest

from gleed import _C
from gleed.tensor_methods import write_out

from .harness import REQUIRED, Broadcast, op, pointwise, tensor


class Recorder:
    """Compiles plans that return the first tensor, and records what came."""

    def __init__(self):
        self.calls = []

    def __call__(self, arguments, sizes, ints, words):
        self.calls.append((arguments, sizes, ints, words))
        flat = [t for a in arguments for t in (a if isinstance(a, list | tuple) else (a,))]
        tensors = [t for t in flat if isinstance(t, _C.Tensor)]
        inputs = tuple((t.dtype, t.ndim) for t in tensors)
        return _C.Plan(inputs, (), (), (), (), (0,), (), (), None)


def recorder(*parameters):
    record = Recorder()
    return op("f", (("input", "tensor", REQUIRED, ""), *parameters), record), record


@pytest.fixture
def x():
    return tensor(np.arange(6, dtype="f").reshape(2, 3))


def test_order_keywords_and_defaults(x):
    f, record = recorder(("a", "scalar", 1, ""), ("b", "static", None, ""), ("c", "int", 7, "k"))
    assert f(x) is x
    assert f(x, 2.5, "mean", c=3) is x
    assert f(x, b="mean", a=True) is x
    assert f(input=x, c=4) is x
    assert f(self=x, c=np.int64(5)) is x
    # The third call differs from the second in its static argument only as numbers do: by kind.
    assert [call[0][1:] for call in record.calls] == [
        [1, None, 7],
        [2.5, "mean", 3],
        [True, "mean", 7],
    ]
    assert all(call[1] == ((2, 3),) for call in record.calls)


def test_run_time_values_share_a_plan_and_static_ones_do_not(x):
    f, record = recorder(("a", "scalar", REQUIRED, ""), ("b", "static", None, ""))
    for a in (1.0, 2.0, 3.5):
        f(x, a)
    assert len(record.calls) == 1
    f(x, 1)  # a number of another kind
    f(x, True)
    assert len(record.calls) == 3
    for b in (
        "mean",
        "sum",
        1,
        True,
        1.0,
        (1, 2),
        (1, (2,)),
        (1, 2, ()),
        None,
        ("1", 2),
        _C.float32,
        b"mean",
        1 << 62,
        -1,
        frozenset({1}),
        "",
        "a" * 8,
        "a" * 9,
    ):
        f(x, 1.0, b)
    assert len(record.calls) == 3 + 18 - 1  # None was there
    f(x, 1.0, [1, 2])  # a list is as good as a tuple
    assert len(record.calls) == 20


def test_integers(x):
    f, record = recorder(("sizes", "ints", REQUIRED, "*"))
    f(x, 4, 16)
    f(x, (4, 16))
    f(x, [5, np.int32(17)])
    f(x, sizes=(6, 18))
    f(x, -1, tensor(np.array(3)))
    assert len(record.calls) == 1
    assert record.calls[0][2] == (4, 16)
    assert tuple(record.calls[0][0][1]) == (4, 16)
    f(x, 4)
    assert record.calls[1][2] == (4,)
    f(x, ())
    assert len(record.calls) == 3
    assert record.calls[2][2] == ()


def test_optional_and_lists(x):
    f, record = recorder(
        ("weight", "tensor?", None, ""),
        ("other", "operand", 1, ""),
        ("size", "ints?", None, ""),
        ("n", "int?", None, ""),
        ("s", "scalar?", None, ""),
    )
    f(x)
    f(x, x)
    f(x, None, x)
    f(x, other=np.float32(2))
    f(x, size=3)
    f(x, n=3)
    f(x, s=3)
    assert len(record.calls) == 7
    g = op("cat", (("tensors", "tensors", REQUIRED, ""), ("dim", "static", 0, "")), Recorder())
    assert g([x, x]) is x
    assert g((x,), dim=1) is x
    assert g(tensors=[x] * 100, axis=1) is x


def test_aliases(x):
    f, record = recorder(
        ("other", "tensor", REQUIRED, ""),
        ("dim", "static", None, ""),
        ("keepdim", "static", False, ""),
    )
    f(x1=x, x2=x, axis=1, keepdims=True)
    assert record.calls[0][0][2:] == [1, True]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda f, x: f(), "argument 'input' is missing"),
        (lambda f, x: f(3), "argument 'input' must be a Tensor; got int"),
        (lambda f, x: f(x, "two"), "argument 'other' must be a Tensor or a number; got str"),
        (lambda f, x: f(x, 1, 2), "it takes 2 positional arguments; got 3"),
        (lambda f, x: f(x, 1, beta=2), "there is no argument 'beta'"),
        (lambda f, x: f(x, input=x), "argument 'input' is given twice"),
        (lambda f, x: f(x, 1, alpha=None), "argument 'alpha' must be a number; got NoneType"),
        (lambda f, x: f(x, 1, alpha=2j), "argument 'alpha' must be a number; got complex"),
        (
            lambda f, x: f(x, np.ones(3)),
            "argument 'other' must be a Tensor or a number; got numpy.ndarray",
        ),
        (lambda f, x: f(x, [1]), "argument 'other' must be a Tensor or a number; got list"),
    ],
)
def test_refusals_name_the_argument_and_what_is_accepted(x, call, message):
    f = op(
        "f",
        (
            ("input", "tensor", REQUIRED, ""),
            ("other", "operand", REQUIRED, ""),
            ("alpha", "scalar", 1, "k"),
        ),
        Recorder(),
    )
    with pytest.raises(TypeError) as error:
        call(f, x)
    assert str(error.value) == (
        f"f: {message}; it takes f(input: Tensor, other: Tensor or number, *, alpha: number = 1)"
    )


def test_integers_out_of_64_bits(x):
    f, _ = recorder(("a", "scalar", 1, ""), ("n", "int", 1, ""), ("s", "static", 1, ""))
    for arguments in ({"a": 1 << 63}, {"n": 1 << 63}, {"n": -(1 << 80)}, {"s": 1 << 64}):
        with pytest.raises(OverflowError, match="64 bits"):
            f(x, **arguments)
    f(x, (1 << 63) - 1, -(1 << 63), -(1 << 63))


def test_overloads_are_tried_in_order(x):
    first, second = Recorder(), Recorder()
    f = _C.Op(
        "f",
        [
            ((("input", "tensor", REQUIRED, ""), ("dim", "static", REQUIRED, "")), first, None),
            ((("input", "tensor", REQUIRED, ""), ("other", "tensor", REQUIRED, "")), second, None),
        ],
    )
    f(x, 1)
    f(x, x)
    assert (len(first.calls), len(second.calls)) == (1, 1)
    with pytest.raises(TypeError, match=r"it takes f\(.*\) or f\("):
        f(1)


def test_methods_need_no_bound_object(x):
    class Holder(_C.Tensor):
        pass

    f, _ = recorder()
    Holder.f = f
    assert Holder.f is f
    holder = x.as_subclass(Holder) if hasattr(x, "as_subclass") else None
    bound = f.__get__(x)
    assert bound() is x
    assert holder is None or holder.f() is holder


def test_attributes():
    f, _ = recorder()
    f.__doc__ = "Something."
    assert (f.__name__, f.__doc__, repr(f)) == ("f", "Something.", "<op f>")
    assert callable(f)


def test_failures_of_the_callback_reach_the_caller(x):
    def fail(*_):
        raise ZeroDivisionError("here")

    with pytest.raises(ZeroDivisionError, match="here"):
        op("f", (("input", "tensor", REQUIRED, ""),), fail)(x)
    with pytest.raises(TypeError, match="must return a Plan"):
        op("f", (("input", "tensor", REQUIRED, ""),), lambda *_: 3)(x)
    wrong = _C.Plan(((_C.float64, 2),), (), (), (), (), (0,), (), ())
    with pytest.raises(RuntimeError, match="dtypes and ranks"):
        op("f", (("input", "tensor", REQUIRED, ""),), lambda *_: wrong)(x)


@pytest.mark.parametrize(
    "parameters",
    [
        (("input", "strange", REQUIRED, ""),),
        (("input", "tensor"),),
        ("input",),
        (("a", "scalar", "text", ""),),
        tuple((f"a{i}", "int", 0, "") for i in range(33)),
    ],
)
def test_bad_declarations(parameters):
    with pytest.raises((TypeError, ValueError)):
        op("f", parameters, Recorder())


def test_conversion(x):
    f, record = recorder(("a", "scalar", 1, ""), ("n", "ints?", None, "*"))
    g, _ = recorder(("a", "scalar", 1, ""))
    seen = []

    def converter(operation, *args, **kwargs):
        seen.append((operation, args, kwargs))
        return operation(*args, **kwargs)  # which does not come here again

    assert _C.set_converter(converter, {f}) == (None, None)
    try:
        assert f(x, a=2) is x
        assert g(x) is x
        with pytest.raises(TypeError, match="set_converter: it takes a callable and a set"):
            _C.set_converter(converter, [f])
        with pytest.raises(TypeError, match="set_converter: it takes a callable and a set"):
            _C.set_converter(3, {f})
    finally:
        assert _C.set_converter(None, None) == (converter, {f})
    assert f(x) is x
    assert seen == [(f, (x,), {"a": 2})]
    assert len(record.calls) == 1  # both came to the op itself, which compiled once


def test_out_keeps_its_memory():
    compiler = Broadcast(pointwise(lambda x, y: x + y, ("f32", "f32")))
    f = op(
        "add",
        (
            ("input", "tensor", REQUIRED, ""),
            ("other", "tensor", REQUIRED, ""),
            ("out", "tensor?", None, "ko"),
        ),
        compiler,
    )
    a = np.arange(6, dtype="f").reshape(2, 3)
    target = np.zeros((2, 3), "f")
    out = tensor(target)
    assert f(tensor(a), tensor(a), out=out) is out
    np.testing.assert_array_equal(target, 2 * a)
    helped = []
    _C.set_out_helper(lambda out, result: helped.append((out, result)))
    try:
        other = tensor(np.zeros((3, 2), "f").T)
        assert f(tensor(a), tensor(a), out=other) is other
    finally:
        _C.set_out_helper(write_out)
    assert helped[0][0] is other
    with pytest.raises(TypeError, match="out= must be a Tensor; got int"):
        f(tensor(a), tensor(a), out=3)


def test_binding_survives_hostile_equality(x):
    class Odd:
        def __init__(self, n):
            self.n = n

        def __hash__(self):
            return 1

        def __eq__(self, other):
            return isinstance(other, Odd) and self.n == other.n

    f, record = recorder(("key", "static", REQUIRED, ""))
    f(x, Odd(1)), f(x, Odd(2)), f(x, Odd(1))
    assert len(record.calls) == 2
    with pytest.raises(TypeError, match="unhashable"):
        f(x, {})
    nested = []
    nested.append(nested)
    with pytest.raises(RecursionError):
        f(x, nested)
