"""In-place plans: what is overwritten, versions, and memory shared with other arguments."""

import numpy as np
import pytest

from gleed import _C

from .harness import REQUIRED, TWO, Broadcast, add_, array, op, pointwise, tensor


def test_the_tensor_itself_is_returned_and_seen_by_views(rng):
    a = rng.standard_normal((4, 5)).astype("f")
    b = rng.standard_normal((4, 5)).astype("f")
    expected = a + b
    t = tensor(a)
    version = t._version
    assert add_(t, tensor(b)) is t
    np.testing.assert_array_equal(a, expected)
    assert t._version == version + 1


def test_writing_to_strided_memory(rng):
    base = rng.standard_normal((8, 9)).astype("f")
    expected = base.copy()
    expected[::2, 1::3].T[...] += 1
    add_(tensor(base[::2, 1::3].T), tensor(np.float32(1).reshape(())))
    np.testing.assert_array_equal(base, expected)


@pytest.mark.parametrize(
    "pair",
    [
        lambda x: (x[1:], x[:-1]),
        lambda x: (x[:-1], x[1:]),
        lambda x: (x, x[::-1]),
        lambda x: (x, x.T),
        lambda x: (x.T, x),
        lambda x: (x, x),
        lambda x: (x, x[:1]),
        lambda x: (x, x[3]),
        lambda x: (x[::2], x[1::2]),
    ],
)
def test_overlapping_arguments_count_as_they_were(rng, pair):
    memory = tensor(rng.standard_normal((32, 32)).astype("f"))
    expected = array(memory)
    target, other = pair(expected)
    target += other.copy()

    def view(x):
        low = x.__array_interface__["data"][0] - expected.__array_interface__["data"][0]
        return _C.view_of(memory, x.shape, [s // 4 for s in x.strides], low // 4)

    add_(view(target), view(other))
    np.testing.assert_array_equal(array(memory), expected)


def test_expanded_memory_is_refused(rng):
    a = np.broadcast_to(rng.standard_normal((1, 4)).astype("f"), (3, 4))
    t = tensor(np.array(a[:1]))
    wide = _C.view_of(t, (3, 4), (0, 1), 0)
    with pytest.raises(RuntimeError, match="every written element needs memory of its own"):
        add_(wide, tensor(np.ones((3, 4), "f")))


def test_read_only_memory_is_refused():
    a = np.arange(4, dtype="f")
    a.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        add_(tensor(a), tensor(np.ones(4, "f")))
    np.testing.assert_array_equal(a, np.arange(4))


def test_a_view_of_the_written_value_inside_a_plan(rng):
    """x += flip(x), written as a view step: the overlap is inside one plan."""
    kernel = pointwise(lambda x, y: x + y, ("f32", "f32"))

    def compile(arguments, sizes, ints, words):
        dims = (("size", 0, 0), ("const", 1), ("sub", 0, 1))
        steps = (
            ("view", 1, 0, "slice", (0, 2, -1, 0)),
            ("kernel", kernel, (0,), 1, ((0, (0,)), (1, (0,)), (0, (0,))), ()),
        )
        return _C.Plan(((_C.float32, 1),), dims, (), ((_C.float32, (0,)),), steps, (0,), (), (0,))

    fold_ = op("fold_", (("input", "tensor", REQUIRED, ""),), compile)
    for size in (1, 2, 33, 1000):
        a = rng.standard_normal(size).astype("f")
        expected = a + a[::-1]
        fold_(tensor(a))
        np.testing.assert_array_equal(a, expected)


def test_equal_memory_in_a_plan_that_reads_it_elsewhere(rng):
    """x += flip(y) with y the very same tensor: safe only with a copy."""
    kernel = pointwise(lambda x, y: x + y, ("f32", "f32"))

    def compile(arguments, sizes, ints, words):
        dims = (("size", 0, 0), ("const", 1), ("sub", 0, 1), ("size", 1, 0))
        steps = (
            ("view", 2, 1, "slice", (0, 2, -1, 0)),
            ("kernel", kernel, (0,), 1, ((0, (0,)), (2, (0,)), (0, (0,))), ()),
        )
        return _C.Plan(
            ((_C.float32, 1),) * 2,
            dims,
            (("eq", 0, 3),),
            ((_C.float32, (0,)),),
            steps,
            (0,),
            (),
            (0,),
        )

    add_flipped_ = op("add_flipped_", TWO, compile)
    a = rng.standard_normal(100).astype("f")
    expected = a + a[::-1]
    t = tensor(a)
    add_flipped_(t, t)
    np.testing.assert_array_equal(a, expected)
    add_flipped_(t, tensor(np.zeros(100, "f")))
    np.testing.assert_array_equal(a, expected)


def test_inplace_equals_out_of_place_for_many_threads(rng, threads):
    inplace = op(
        "add_", TWO, Broadcast(pointwise(lambda x, y: x + y, ("f32", "f32")), inplace=True)
    )
    a, b = (rng.standard_normal((1000, 700)).astype("f") for _ in range(2))
    for count in (1, 2, 4):
        threads(count)
        written = a.copy()
        inplace(tensor(written), tensor(b.copy().T.copy().T))
        np.testing.assert_array_equal(written, a + b)
