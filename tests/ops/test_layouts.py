"""Dtypes and strides of results, by PyTorch's rules: the tables hold what PyTorch 2.13 gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gleed

from .generate import LAYOUTS, array, results, sampled
from .tables import ONE_LAYOUT

SHORT = {
    "b": "bool", "u8": "uint8", "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64",
    "f16": "float16", "bf16": "bfloat16", "f32": "float32", "f64": "float64",
}  # fmt: skip
ORDER = tuple(SHORT)
# Two tensors with axes: rows are the left dtypes, columns the right ones in `ORDER`.
PAIRS = {
    "b": "b u8 i8 i16 i32 i64 f16 bf16 f32 f64",
    "u8": "u8 u8 i16 i16 i32 i64 f16 bf16 f32 f64",
    "i8": "i8 i16 i8 i16 i32 i64 f16 bf16 f32 f64",
    "i16": "i16 i16 i16 i16 i32 i64 f16 bf16 f32 f64",
    "i32": "i32 i32 i32 i32 i32 i64 f16 bf16 f32 f64",
    "i64": "i64 i64 i64 i64 i64 i64 f16 bf16 f32 f64",
    "f16": "f16 f16 f16 f16 f16 f16 f16 f32 f32 f64",
    "bf16": "bf16 bf16 bf16 bf16 bf16 bf16 f32 bf16 f32 f64",
    "f32": "f32 f32 f32 f32 f32 f32 f32 f32 f32 f64",
    "f64": "f64 f64 f64 f64 f64 f64 f64 f64 f64 f64",
}
# The right one without axes.
ZERO_D = {
    "b": "b u8 i8 i16 i32 i64 f16 bf16 f32 f64",
    "u8": "u8 u8 u8 u8 u8 u8 f16 bf16 f32 f64",
    "i8": "i8 i8 i8 i8 i8 i8 f16 bf16 f32 f64",
    "i16": "i16 i16 i16 i16 i16 i16 f16 bf16 f32 f64",
    "i32": "i32 i32 i32 i32 i32 i32 f16 bf16 f32 f64",
    "i64": "i64 i64 i64 i64 i64 i64 f16 bf16 f32 f64",
    "f16": "f16 f16 f16 f16 f16 f16 f16 f16 f16 f16",
    "bf16": "bf16 bf16 bf16 bf16 bf16 bf16 bf16 bf16 bf16 bf16",
    "f32": "f32 f32 f32 f32 f32 f32 f32 f32 f32 f32",
    "f64": "f64 f64 f64 f64 f64 f64 f64 f64 f64 f64",
}
# Beside True, 2 and 2.5.
NUMBERS = {
    "b": "b i64 f32",
    "u8": "u8 u8 f32",
    "i8": "i8 i8 f32",
    "i16": "i16 i16 f32",
    "i32": "i32 i32 f32",
    "i64": "i64 i64 f32",
    "f16": "f16 f16 f16",
    "bf16": "bf16 bf16 bf16",
    "f32": "f32 f32 f32",
    "f64": "f64 f64 f64",
}
# Dtypes of results for operands in `ORDER`; "-" where PyTorch refuses.
RESULTS = {
    "div": "f32 f32 f32 f32 f32 f32 f16 bf16 f32 f64",
    "sum": "i64 i64 i64 i64 i64 i64 f16 bf16 f32 f64",
    "exp": "f32 f32 f32 f32 f32 f32 f16 bf16 f32 f64",
    "cumsum": "i64 i64 i64 i64 i64 i64 f16 bf16 f32 f64",
    "eq": "b b b b b b b b b b",
    "argmax": "- i64 i64 i64 i64 i64 i64 i64 i64 i64",
    "prod": "i64 i64 i64 i64 i64 i64 f16 bf16 f32 f64",
    "sqrt": "f32 f32 f32 f32 f32 f32 f16 bf16 f32 f64",
    "abs": "- u8 i8 i16 i32 i64 f16 bf16 f32 f64",
    "all": "b u8 b b b b b b b b",
    "any": "b u8 b b b b b b b b",
    "pow2": "i64 u8 i8 i16 i32 i64 f16 bf16 f32 f64",
    "floor": "- u8 i8 i16 i32 i64 f16 bf16 f32 f64",
    "square": "i64 u8 i8 i16 i32 i64 f16 bf16 f32 f64",
    "sign": "b u8 i8 i16 i32 i64 f16 bf16 f32 f64",
    "count_nonzero": "i64 i64 i64 i64 i64 i64 i64 i64 i64 i64",
    "atan2": "f32 f32 f32 f32 f32 f32 f16 bf16 f32 f64",
    "relu": "- u8 i8 i16 i32 i64 f16 bf16 f32 f64",
    "nansum": "i64 i64 i64 i64 i64 i64 f16 bf16 f32 f64",
}
CALLS = {
    "div": lambda x: x / x, "cumsum": lambda x: x.cumsum(0), "eq": lambda x: x == x,
    "pow2": lambda x: x**2, "atan2": lambda x: gleed.atan2(x, x),
}  # fmt: skip


def ones(dtype: str, *shape: int) -> Any:
    return gleed.ones(shape, dtype=getattr(gleed, SHORT[dtype]))


@pytest.mark.parametrize("left", ORDER)
def test_two_tensors(left: str) -> None:
    for right, wanted in zip(ORDER, PAIRS[left].split(), strict=True):
        for function in (gleed.mul, gleed.maximum, gleed.add):
            assert function(ones(left, 2), ones(right, 2)).dtype.name == SHORT[wanted]
        assert gleed.cat([ones(left, 2), ones(right, 2)]).dtype.name == SHORT[wanted]
        assert gleed.where(ones("b", 2), ones(left, 2), ones(right, 2)).dtype.name == SHORT[wanted]


@pytest.mark.parametrize("left", ORDER)
def test_a_tensor_without_axes(left: str) -> None:
    for right, wanted in zip(ORDER, ZERO_D[left].split(), strict=True):
        assert (ones(left, 2) * ones(right)).dtype.name == SHORT[wanted]
        assert (ones(right) * ones(left, 2)).dtype.name == SHORT[wanted]


@pytest.mark.parametrize("dtype", ORDER)
def test_numbers(dtype: str) -> None:
    for number, wanted in zip((True, 2, 2.5), NUMBERS[dtype].split(), strict=True):
        for x in (ones(dtype, 2), ones(dtype)):
            assert (x * number).dtype.name == SHORT[wanted]
            assert (number * x).dtype.name == SHORT[wanted]


@pytest.mark.parametrize("name", RESULTS)
def test_results(name: str) -> None:
    call = CALLS.get(name, lambda x: getattr(x, name)())
    for dtype, wanted in zip(ORDER, RESULTS[name].split(), strict=True):
        if wanted != "-":
            assert call(ones(dtype, 2)).dtype.name == SHORT[wanted]


# ---- strides
def laid(kind: str) -> Any:
    """A tensor that broadcasts to (2, 3, 4), with its memory laid out in some way."""
    numbers = gleed.arange(96.0)
    return {
        "plain": lambda: numbers[:24].reshape(2, 3, 4),
        "permuted": lambda: numbers[:24].reshape(4, 2, 3).permute(1, 2, 0),
        "sliced": lambda: numbers.reshape(2, 6, 8)[:, ::2, ::2],
        "expanded": lambda: numbers[:12].reshape(3, 4).expand(2, 3, 4),
        "channels": lambda: numbers[:24].reshape(3, 4, 2).permute(2, 0, 1),
        "column": lambda: numbers[:3].reshape(3, 1),
    }[kind]()


# Results are dense, in the order of the operands' strides.
UNARY = {
    "plain": (12, 4, 1),
    "permuted": (3, 1, 6),
    "sliced": (12, 4, 1),
    "expanded": (12, 4, 1),
    "channels": (1, 8, 2),
}
BINARY = {
    ("plain", "plain"): (12, 4, 1),
    ("plain", "permuted"): (12, 4, 1),
    ("plain", "sliced"): (12, 4, 1),
    ("plain", "expanded"): (12, 4, 1),
    ("plain", "channels"): (12, 4, 1),
    ("plain", "column"): (12, 4, 1),
    ("permuted", "plain"): (3, 1, 6),
    ("permuted", "permuted"): (3, 1, 6),
    ("permuted", "sliced"): (3, 1, 6),
    ("permuted", "expanded"): (3, 1, 6),
    ("permuted", "channels"): (3, 1, 6),
    ("permuted", "column"): (3, 1, 6),
    ("sliced", "plain"): (12, 4, 1),
    ("sliced", "permuted"): (12, 4, 1),
    ("sliced", "sliced"): (12, 4, 1),
    ("sliced", "expanded"): (12, 4, 1),
    ("sliced", "channels"): (12, 4, 1),
    ("sliced", "column"): (12, 4, 1),
    ("expanded", "plain"): (12, 4, 1),
    ("expanded", "permuted"): (12, 4, 1),
    ("expanded", "sliced"): (12, 4, 1),
    ("expanded", "expanded"): (12, 4, 1),
    ("expanded", "channels"): (1, 8, 2),
    ("expanded", "column"): (12, 4, 1),
    ("channels", "plain"): (1, 8, 2),
    ("channels", "permuted"): (1, 8, 2),
    ("channels", "sliced"): (1, 8, 2),
    ("channels", "expanded"): (1, 8, 2),
    ("channels", "channels"): (1, 8, 2),
    ("channels", "column"): (1, 8, 2),
    ("column", "plain"): (12, 4, 1),
    ("column", "permuted"): (3, 1, 6),
    ("column", "sliced"): (12, 4, 1),
    ("column", "expanded"): (12, 4, 1),
    ("column", "channels"): (1, 8, 2),
}


@pytest.mark.parametrize("kind", UNARY)
def test_strides_of_one(kind: str) -> None:
    assert laid(kind).exp().stride() == UNARY[kind]


@pytest.mark.parametrize(("left", "right"), BINARY)
def test_strides_of_two(left: str, right: str) -> None:
    assert (laid(left) + laid(right)).stride() == BINARY[left, right]


# ---- every op in every layout
@pytest.mark.parametrize(
    "sample", [s for s in sampled() if s.free and s.op.name not in ONE_LAYOUT], ids=lambda s: s.name
)
def test_layouts_agree(sample: Any) -> None:
    """A call gives the same values whatever the strides of its tensors."""
    layouts = [x for x in LAYOUTS if x != "expanded"]
    dtype = "int32" if sample.op.name.startswith("bitwise") else "float64"
    found = [results(sample.call(dtype, x).run(sample.op.public)) for x in layouts]
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_allclose(array(a), array(b), rtol=1e-12, atol=1e-12)
