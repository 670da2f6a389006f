"""Programs that overwrite several inputs, which read one another: nothing is read too late. And
what is read once."""

import inspect

import numpy as np
import pytest

import gleed
from gleed import _C
from gleed.ops.record import Op, Overload, Parameter


def overwriting(body):
    """An op that overwrites all of its tensors, each with a result of `body`."""
    parameter = Parameter("tensors", "tensors", inspect.Parameter.empty, "")
    record = Op("overwrite", None)
    record.overloads.append(Overload("overwrite", body, (parameter,), writes=(0,)))
    return record.public


def mirror(x):
    return x.T if isinstance(x, np.ndarray) else x.transpose(0, 1)


def check(body, shapes, launches=None):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype("f") for shape in shapes]
    tensors = [gleed.tensor(x) for x in arrays]
    run = overwriting(body)
    for _ in range(2):
        expected = body(arrays)
        before = _C.engine_stats()["launches"]
        run(tensors)
        used = _C.engine_stats()["launches"] - before
        arrays = [np.asarray(x, "f") for x in expected]
        for tensor, x in zip(tensors, arrays, strict=True):
            np.testing.assert_allclose(tensor.numpy(), x, rtol=1e-5)
    assert launches is None or used == launches


@pytest.mark.parametrize(
    ("body", "shapes", "launches"),
    [
        # Rows read a number before it is overwritten: a kernel for each, and nothing put aside.
        (lambda x: [x[0] + x[1], x[1] + 1], [(5, 3), ()], 2),
        (lambda x: [x[0] + 1, x[1] + x[0], x[2] * x[1]], [(), (3,), (5, 3)], 3),
        (lambda x: [x[0] + x[2], x[1] + x[2], x[2] + 1], [(4,), (2, 3), ()], 3),
        # In a circle.
        (lambda x: [x[0] + x[1].sum(), x[1] * x[0]], [(), (3,)], None),
        (lambda x: [x[1], x[0]], [(3,), (3,)], None),
        (lambda x: [mirror(x[1]), mirror(x[0])], [(3, 3), (3, 3)], None),
        (lambda x: [x[1], x[2], x[0]], [(), (), ()], None),
        # At another place of one kernel's space.
        (lambda x: [x[0] + 1, mirror(x[0]) * x[1]], [(3, 3), (3, 3)], None),
        # Twice the same value, computed or there already.
        (lambda x: 2 * [x[0] + x[1]], [(3,), (3,)], None),
        (lambda x: [x[2], x[2], x[2] + 1], [(3,), (3,), (3,)], None),
        (lambda x: [x[0] @ x[1], x[0] + x[1]], [(3, 3), (3, 3)], None),
        # What one output is made of is another, which shares its kernel with a third.
        (lambda x: [mirror(x[0] @ (x[1] * 2)), x[1] * 2, x[2] + 1], 3 * [(3, 3)], None),
        (lambda x: [mirror(x[0] @ (x[1] * 2)), x[2] + 1, x[1] * 2], 3 * [(3, 3)], None),
        (lambda x: [mirror(x[0] @ (x[1] * 2)), x[1] * 2, x[2] + x[1]], 3 * [(3, 3)], None),
    ],
)
def test_inputs_that_read_one_another(body, shapes, launches):
    check(body, shapes, launches)


def launches(run):
    run()
    before = _C.engine_stats()["launches"]
    result = run()
    return result, _C.engine_stats()["launches"] - before


@pytest.mark.parametrize("classes", [30, 700])
def test_cross_entropy_reads_the_logits_once(classes):
    """One kernel finds the maximum and the sum, one takes from both to the loss."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, classes)).astype("f")
    index = rng.integers(0, classes, 6)
    logits, target = gleed.tensor(x), gleed.tensor(index)
    loss, used = launches(lambda: gleed.nn.functional.cross_entropy(logits, target))
    wide = x.astype("d")
    expected = np.log(np.exp(wide).sum(1)) - wide[np.arange(6), index]
    np.testing.assert_allclose(loss.item(), expected.mean(), rtol=1e-6)
    assert used == 2
