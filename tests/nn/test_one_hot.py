"""`one_hot`: values, and classes out of range."""

import numpy as np
import pytest

import gleed
from gleed import _C
from gleed.errors import BoundsError
from gleed.nn import functional as F


@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (0,), (2, 0, 3)])
@pytest.mark.parametrize("transposed", [False, True])
def test_values(shape, transposed):
    classes = np.random.default_rng(0).integers(0, 6, shape)
    given = gleed.tensor(classes.T).T if transposed and len(shape) == 2 else gleed.tensor(classes)
    for count in (6, 9):
        np.testing.assert_array_equal(F.one_hot(given, count).numpy(), np.eye(count)[classes])
    least = classes.max(initial=-1) + 1
    np.testing.assert_array_equal(F.one_hot(given).numpy(), np.eye(least)[classes])


@pytest.mark.parametrize("classes", [[0, 3], [-1, 2]])
def test_classes_out_of_range(classes):
    with pytest.raises(BoundsError) as caught:
        F.one_hot(gleed.tensor(classes), 3)
    worst = min(classes) if min(classes) < 0 else max(classes)
    assert str(caught.value) == (
        "one_hot: classes must lie in 0 … num_classes - 1; got class "
        f"{worst} with num_classes=3; raise num_classes"
    )


def test_a_given_number_of_classes_is_one_operation():
    given = gleed.tensor([0, 2])
    before = _C.engine_stats()
    F.one_hot(given, 3)
    after = _C.engine_stats()
    assert sum(after[name] - before[name] for name in ("hits", "plan_hits", "misses")) == 1
