"""The kernels between the products of attention: machine code against the interpreter."""

import numpy as np
import pytest

from gleed.compiler.attention import attention_kernel
from gleed.compiler.interpret import NUMPY_DTYPES
from gleed.compiler.verify import verify

from .test_emit import assert_close, check

NAMES = ("shift", "softmax", "finish", "scale", "weights", "add")


@pytest.mark.parametrize("columns", [0, 1, 17, 70])
@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("name", NAMES)
def test_kernels(machine, name, dtype, columns):
    kernel = verify(attention_kernel(name, dtype))
    orientation = "row" if kernel.reduces else "map"
    rng = np.random.default_rng(0)

    def array(operand):
        shape = (5, 1, columns) if operand.element or orientation == "map" else (5, 1, 1)
        # Positive, as sums of exponentials are.
        return np.abs(rng.standard_normal(shape)).astype(NUMPY_DTYPES[dtype])

    check(machine, kernel, orientation, [*map(array, kernel.operands)], (), assert_close)


def test_rows_that_see_nothing(machine):
    kernel = attention_kernel("finish", "f32")
    nothing = np.array([-np.inf, 1.0], np.float32).reshape(1, 1, 2)
    total = np.array([0.0, 2.0], np.float32).reshape(1, 1, 2)
    logarithm, factor = np.ones((2, 1, 1, 2), np.float32)
    machine.run(kernel, "map", [nothing, total, logarithm, factor], ())
    assert logarithm.ravel().tolist() == pytest.approx([np.inf, 1 + np.log(2)])
    assert factor.ravel().tolist() == [0, 0.5]
