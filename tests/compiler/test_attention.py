"""The kernels between the products of attention: machine code against the interpreter."""

import numpy as np
import pytest

from gleed.compiler.attention import attention_kernel
from gleed.compiler.interpret import NUMPY_DTYPES
from gleed.compiler.verify import verify

from .test_emit import assert_close, check

NAMES = ("shift", "softmax", "finish", "scale", "rest", "widen", "weights", "add")
NARROW = ("shift", "scale", "rest", "widen")
CASES = [(name, dtype, dtype) for name in NAMES for dtype in ("f32", "f64")]
CASES += [(name, "f32", half) for name in NARROW for half in ("f16", "bf16")]
CASES += [("shift", "f32", "bool"), ("shift", "f64", "bool")]


@pytest.mark.parametrize("columns", [0, 1, 17, 70])
@pytest.mark.parametrize(("name", "sums", "other"), CASES)
def test_kernels(machine, name, sums, other, columns):
    kernel = verify(attention_kernel(name, sums, other))
    orientation = "row" if kernel.reduces else "map"
    rng = np.random.default_rng(0)

    def array(operand):
        shape = (5, 1, columns) if operand.element or orientation == "map" else (5, 1, 1)
        # Positive, as sums of exponentials are.
        numbers = np.abs(rng.standard_normal(shape))
        if operand.dtype == "bf16":
            return (numbers.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
        return (numbers > 0.7 if operand.dtype == "bool" else numbers).astype(
            NUMPY_DTYPES[operand.dtype]
        )

    check(machine, kernel, orientation, [*map(array, kernel.operands)], (), assert_close)


def test_rows_that_see_nothing(machine):
    kernel = attention_kernel("finish", "f32", "f32")
    nothing = np.array([-np.inf, 1.0], np.float32).reshape(1, 1, 2)
    total = np.array([0.0, 2.0], np.float32).reshape(1, 1, 2)
    logarithm, factor = np.ones((2, 1, 1, 2), np.float32)
    machine.run(kernel, "map", [nothing, total, logarithm, factor], ())
    assert logarithm.ravel().tolist() == pytest.approx([np.inf, 1 + np.log(2)])
    assert factor.ravel().tolist() == [0, 0.5]
