"""Dtypes and shapes that meet: PyTorch's rules of type promotion, and broadcasting.

Tensors with axes decide before 0-d tensors, and these before Python numbers; a lower rank has a say
only if it is of a higher category (bool < integer < floating point).
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import reduce
from typing import Any

from gleed import _C
from gleed.compiler.dims import Dim, Size
from gleed.compiler.graph import Shape
from gleed.compiler.kernel import DTYPES, integer_range, is_float
from gleed.dtypes import dtype_text
from gleed.errors import DTypeError, ShapeError
from gleed.primitives import broadcast, cast, reshape
from gleed.trace import Standin

_CATEGORY = {"bool": 0, "unsigned": 1, "signed": 1, "float": 2}


def default_float() -> str:
    """The dtype of floating-point results that have no other reason for theirs."""
    return _C.get_default_dtype().kernel_name


def category(dtype: str) -> int:
    """0: bool, 1: integer, 2: floating point."""
    return _CATEGORY[DTYPES[dtype][1]]


def promote(a: str, b: str) -> str:
    """The dtype that holds both.

    >>> promote("u8", "i8"), promote("f16", "bf16"), promote("i64", "f16")
    ('i16', 'f32', 'f16')
    """
    if a == b:
        return a
    if category(a) != category(b):
        return a if category(a) > category(b) else b
    if {a, b} == {"f16", "bf16"}:
        return "f32"
    wide, narrow = (a, b) if DTYPES[a][0] >= DTYPES[b][0] else (b, a)
    if "u8" in (a, b):
        return "i16" if "i8" in (a, b) else wide if wide != "u8" else narrow
    return wide


def result_type(*operands: Standin) -> str:
    """The dtype of a computation with these operands."""
    ranks: list[str | None] = [None, None, None]
    for x in operands:
        rank = 2 if x.weak else 0 if x.ndim else 1
        known = ranks[rank]
        ranks[rank] = x.dtype if known is None else promote(known, x.dtype)
    if ranks[2] is not None and is_float(ranks[2]):
        ranks[2] = default_float()
    result: str | None = None
    for dtype in ranks:
        if dtype is not None and (result is None or category(dtype) > category(result)):
            result = dtype
    assert result is not None
    return result


def as_standins(*operands: Any) -> list[Standin]:
    """Operands with Python numbers and sizes turned into stand-ins."""
    trace = next(x.trace for x in operands if isinstance(x, Standin))
    return [
        x if isinstance(x, Standin) else trace.size(x) if isinstance(x, Dim) else trace.number(x)
        for x in operands
    ]


def convert(x: Standin, dtype: str) -> Standin:
    """`x` in another dtype; constants are converted here and now."""
    node = x.value.node
    if node.op == "const" and x.dtype != dtype:
        value = node.attrs["key"]
        if category(dtype) == 1:
            value = int(value) if value == value and abs(value) != float("inf") else 0
            low, high = integer_range(dtype)
            value = (value - low) % (high - low + 1) + low  # wraps around, as in machine code
        return x.trace.const(value, dtype)
    if x.dtype == dtype and not x.weak:
        return x
    return Standin(x.trace, cast(x, dtype=dtype).value)


def floating(x: Standin) -> Standin:
    """`x` itself if it is floating point, else in the default dtype."""
    return x if is_float(x.dtype) and not x.weak else convert(x, _float_of(x))


def _float_of(x: Standin) -> str:
    return x.dtype if is_float(x.dtype) and not x.weak else default_float()


def common(name: str, *operands: Any, to_float: bool = False) -> list[Standin]:
    """Operands brought to one dtype and one shape. `name` is the op's, for the error."""
    xs = as_standins(*operands)
    if all(x.weak for x in xs):
        return _numbers(xs, to_float)
    dtype = result_type(*xs)
    if to_float and not is_float(dtype):
        dtype = default_float()
    return spread(name, *(convert(x, dtype) for x in xs))


def _numbers(xs: Sequence[Standin], to_float: bool) -> list[Standin]:
    """Numbers in one dtype, which stay numbers: float64 and int64 lose nothing on the way."""
    dtype = reduce(promote, (x.dtype for x in xs))
    if to_float and not is_float(dtype):
        dtype = "f64"
    return [Standin(x.trace, convert(x, dtype).value, weak=True) for x in xs]


def spread(name: str, *xs: Standin) -> list[Standin]:
    """Stand-ins broadcast to one shape."""
    shape = broadcast_shapes(name, *(x.shape for x in xs))
    return [expand_to(x, shape) for x in xs]


def broadcast_shapes(name: str, *shapes: Shape) -> Shape:
    """The shape that all of `shapes` stretch to: aligned at the end, sizes equal or 1."""
    result: Shape = ()
    for shape in shapes:
        result = _broadcast_pair(name, result, shape)
    return result


def _broadcast_pair(name: str, a: Shape, b: Shape) -> Shape:
    if not a or _identical(a, b):
        return b
    if len(a) < len(b):
        a, b = b, a
    lead = len(a) - len(b)
    return a[:lead] + tuple(_meet(name, m, n, a, b) for m, n in zip(a[lead:], b, strict=True))


def _identical(a: Shape, b: Shape) -> bool:
    """Whether shapes are equal without a decision about any size."""
    return a is b or (len(a) == len(b) and all(map(operator.is_, a, b)))


def _meet(name: str, m: Size, n: Size, a: Shape, b: Shape) -> Size:
    if m is n or m == n:
        return m
    if n == 1:
        return m
    if m == 1:
        return n
    raise ShapeError(
        f"{name}: shapes must agree, or be 1, in every axis counted from the last; got "
        f"{shape_text(a)} and {shape_text(b)}; reshape, or insert axes of size 1 with unsqueeze"
    )


def expand_to(x: Standin, shape: Shape) -> Standin:
    """`x` repeated to `shape`, which it is known to fit."""
    if any(n == 1 and not isinstance(n, int) for n in x.shape):
        x = reshape(x, shape=tuple(1 if n == 1 else n for n in x.shape))
    if _identical(x.shape, shape):
        return x
    lead = len(shape) - x.ndim
    return broadcast(x, shape=shape, axes=tuple(range(lead, len(shape))))


def shape_text(shape: Sequence[Size]) -> str:
    """A shape as the traced call has it.

    >>> shape_text((2, 3))
    '[2, 3]'
    """
    return str([n.hint if isinstance(n, Dim) else n for n in shape])


def require_dtype(name: str, x: Standin, allowed: bool, rule: str, fix: str) -> None:
    """Raise unless the dtype of `x` is allowed."""
    if not allowed:
        raise DTypeError(f"{name}: {rule}; got {dtype_text(x.dtype)}; {fix}")


__all__ = [
    "as_standins",
    "broadcast_shapes",
    "category",
    "common",
    "convert",
    "default_float",
    "dtype_text",
    "expand_to",
    "floating",
    "promote",
    "require_dtype",
    "result_type",
    "shape_text",
    "spread",
]
