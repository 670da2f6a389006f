"""The types of elements: what they hold, and which one a result has.

>>> from gleed.dtypes import bfloat16, float16, int8, int64, promote_types
>>> promote_types(int64, float16)
gleed.float16
>>> int8.itemsize, bfloat16.is_floating_point
(1, True)
"""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from typing import TypeAlias

from gleed._C import (
    Tensor,
    bfloat16,
    bool,
    cdouble,
    cfloat,
    complex64,
    complex128,
    double,
    dtype,
    float,
    float16,
    float32,
    float64,
    get_default_dtype,
    half,
    int,
    int8,
    int16,
    int32,
    int64,
    long,
    promote_types,
    set_default_dtype,
    short,
    uint8,
)
from gleed.errors import ArgumentError, DTypeError

__all__ = [
    "bfloat16",
    "bool",
    "can_cast",
    "cdouble",
    "cfloat",
    "complex64",
    "complex128",
    "double",
    "dtype",
    "finfo",
    "float",
    "float16",
    "float32",
    "float64",
    "get_default_dtype",
    "half",
    "iinfo",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "kind",
    "long",
    "promote_types",
    "result_type",
    "set_default_dtype",
    "short",
    "uint8",
]

DType: TypeAlias = dtype  # where a field `dtype` hides the class

# Each kind can hold what those before it can.
KINDS = ("bool", "integer", "float", "complex")


def dtype_text(dtype: str) -> str:
    """The public name of a kernel dtype.

    >>> dtype_text("f32")
    'float32'
    """
    kinds = {"f": "float", "i": "int", "u": "uint", "c": "complex"}
    if dtype in ("bool", "bf16"):
        return "bool" if dtype == "bool" else "bfloat16"
    return kinds[dtype[0]] + dtype[1:]


def kind(of: dtype) -> str:
    """One of `KINDS`.

    >>> kind(uint8)
    'integer'
    """
    if of.is_complex:
        return "complex"
    if of.is_floating_point:
        return "float"
    return "bool" if of is bool else "integer"


def can_cast(from_: dtype, to: dtype) -> builtins.bool:
    """Whether a result of dtype `from_` may be stored as `to`: only a lesser kind is refused.

    >>> can_cast(float64, float32), can_cast(float32, int64)
    (True, False)
    """
    return KINDS.index(kind(from_)) <= KINDS.index(kind(to))


_OF_PYTHON = {
    builtins.bool: bool,
    builtins.int: int64,
    builtins.float: float64,
    complex: complex128,
}


def dtype_of(op: str, given: object) -> dtype:
    """The dtype that the argument `dtype` of an op names: a dtype, or a number type of Python's.

    >>> dtype_of("zeros", int8), dtype_of("zeros", builtins.float)
    (gleed.int8, gleed.float64)
    """
    if isinstance(given, DType):
        return given
    for number, found in _OF_PYTHON.items():
        if given is number:
            return found
    raise ArgumentError(
        f"{op}: dtype must be a gleed.dtype; a {type(given).__name__} came; use gleed.float32, "
        "for example"
    )


def _number_dtype(number: object) -> dtype:
    if isinstance(number, builtins.bool):
        return bool
    if isinstance(number, builtins.int):
        return int64
    if isinstance(number, builtins.float):
        return get_default_dtype()
    if isinstance(number, complex):
        return get_default_dtype().to_complex()
    came = type(number).__name__
    raise ArgumentError(f"result_type: takes tensors and numbers; a {came} came; convert it first")


def result_type(*operands: object) -> dtype:
    """The dtype of an arithmetic result of `operands`, tensors and numbers.

    Tensors with dimensions outrank 0-d tensors, and these outrank numbers: the lesser only count if
    they are of a greater kind (bool < integer < float < complex).

    >>> from gleed._C import empty
    >>> result_type(empty((2,), float16), 1.5), result_type(empty((2,), int8), 1.5)
    (gleed.float16, gleed.float32)
    """
    if not operands:
        raise ArgumentError("result_type: takes at least one operand; none came; pass a tensor")
    ranks: list[dtype | None] = [None, None, None]
    for operand in operands:
        if isinstance(operand, Tensor):
            rank, new = (0 if operand.ndim else 1), operand.dtype
        else:
            rank, new = 2, _number_dtype(operand)
        old = ranks[rank]
        ranks[rank] = new if old is None else promote_types(old, new)
    result: dtype | None = None
    for lesser in ranks:
        if result is None or lesser is None:
            result = result or lesser
        elif KINDS.index(kind(lesser)) > KINDS.index(kind(result)):
            # A complex number beside real tensors takes their precision.
            narrow = kind(lesser) == "complex" and kind(result) == "float"
            result = result.to_complex() if narrow else lesser
    assert result is not None
    return result


@dataclass(frozen=True, init=False)
class finfo:
    """Limits of a floating-point dtype, the default one if none is given.

    A complex dtype has those of its parts. Raises DTypeError for others.

    >>> finfo(float16).max, finfo(float32).bits
    (65504.0, 32)
    """

    bits: builtins.int
    eps: builtins.float  # the step from 1 to the next greater number
    max: builtins.float
    min: builtins.float
    smallest_normal: builtins.float
    tiny: builtins.float
    resolution: builtins.float  # about the step, as a power of ten
    dtype: str

    def __init__(self, of: DType | None = None) -> None:
        of = (get_default_dtype() if of is None else dtype_of("finfo", of)).to_real()
        if of not in _FLOATS:
            raise DTypeError(f"finfo: takes a floating-point dtype; {of} came; use iinfo")
        significand, exponent = _FLOATS[of]
        eps, tiny = 2.0 ** (1 - significand), 2.0 ** (2 - 2 ** (exponent - 1))
        largest = (2 - eps) * 2.0 ** (2 ** (exponent - 1) - 1)
        digits = builtins.int((significand - 1) * 0.30103)
        fields = (8 * of.itemsize, eps, largest, -largest, tiny, tiny, 10.0**-digits, of.name)
        for name, value in zip(self.__dataclass_fields__, fields, strict=True):
            object.__setattr__(self, name, value)


# Bits of the significand (with the hidden one) and of the exponent: IEEE 754, and bfloat16.
_FLOATS = {float16: (11, 5), bfloat16: (8, 8), float32: (24, 8), float64: (53, 11)}


@dataclass(frozen=True, init=False)
class iinfo:
    """Limits of an integer dtype. Raises DTypeError for others.

    >>> iinfo(int8).min, iinfo(uint8).max
    (-128, 255)
    """

    bits: builtins.int
    min: builtins.int
    max: builtins.int
    dtype: str

    def __init__(self, of: DType) -> None:
        of = dtype_of("iinfo", of)
        if kind(of) != "integer":
            raise DTypeError(f"iinfo: takes an integer dtype; {of} came; use finfo for floats")
        bits = 8 * of.itemsize
        low = -(1 << bits - 1) if of.is_signed else 0
        fields = (bits, low, (1 << bits) - 1 + low, of.name)
        for name, value in zip(self.__dataclass_fields__, fields, strict=True):
            object.__setattr__(self, name, value)
