"""What every test of the engine starts from."""

import numpy as np
import pytest

from gleed import _C

from .harness import pointwise


@pytest.fixture(scope="session", autouse=True)
def identity_kernels():
    """Copying kernels, which the core asks for when operands need staging."""
    names = ("f32", "f64", "i64")
    _C.set_identity_kernels({d: pointwise(lambda x: x, (d,)) for d in names})


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def threads():
    """Sets the number of threads; restored afterwards."""
    before = _C.get_num_threads()
    yield _C.set_num_threads
    _C.set_num_threads(before)
