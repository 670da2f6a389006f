"""Comparison, logic, bits, and selection by a condition."""

from __future__ import annotations

from typing import Any

from gleed import primitives as p
from gleed.compiler.kernel import is_float
from gleed.errors import DTypeError
from gleed.ops.families import binary, unary
from gleed.ops.promotion import (
    as_standins,
    common,
    convert,
    dtype_text,
    require_dtype,
    result_type,
    spread,
)
from gleed.ops.record import Operand, Tensor, op


# ---- comparison
def _compared(name: str, primitive: p.Primitive, a: Operand, b: Operand) -> Tensor:
    return primitive(*common(name, a, b))


@binary(reference="numpy.equal", inplace=False)
def eq(input: Operand, other: Operand) -> Tensor:
    """Whether elements are equal.

    >>> gleed.eq(gleed.tensor([1, 2]), 2)
    tensor([False,  True])
    """
    return _compared("eq", p.eq, input, other)


@binary(reference="numpy.not_equal", inplace=False)
def ne(input: Operand, other: Operand) -> Tensor:
    """Whether elements differ; NaN differs from everything.

    >>> gleed.ne(gleed.tensor([1, 2]), 2)
    tensor([ True, False])
    """
    return _compared("ne", p.ne, input, other)


@binary(reference="numpy.less", inplace=False)
def lt(input: Operand, other: Operand) -> Tensor:
    """Whether `input` is less.

    >>> gleed.lt(gleed.tensor([1, 2]), 2)
    tensor([ True, False])
    """
    return _compared("lt", p.lt, input, other)


@binary(reference="numpy.less_equal", inplace=False)
def le(input: Operand, other: Operand) -> Tensor:
    """Whether `input` is less or equal.

    >>> gleed.le(gleed.tensor([1, 3]), 2)
    tensor([ True, False])
    """
    return _compared("le", p.le, input, other)


@binary(reference="numpy.greater", inplace=False)
def gt(input: Operand, other: Operand) -> Tensor:
    """Whether `input` is greater.

    >>> gleed.gt(gleed.tensor([1, 3]), 2)
    tensor([False,  True])
    """
    return _compared("gt", p.gt, input, other)


@binary(reference="numpy.greater_equal", inplace=False)
def ge(input: Operand, other: Operand) -> Tensor:
    """Whether `input` is greater or equal.

    >>> gleed.ge(gleed.tensor([1, 2]), 2)
    tensor([False,  True])
    """
    return _compared("ge", p.ge, input, other)


# ---- logic and bits
def _truth(x: Tensor) -> Tensor:
    return convert(x, "bool")


@binary(reference="numpy.logical_and")
def logical_and(input: Tensor, other: Tensor) -> Tensor:
    """Whether both are nonzero.

    >>> gleed.logical_and(gleed.tensor([0, 1]), gleed.tensor([2, 2]))
    tensor([False,  True])
    """
    return p.bitwise_and(*spread("logical_and", _truth(input), _truth(other)))


@binary(reference="numpy.logical_or")
def logical_or(input: Tensor, other: Tensor) -> Tensor:
    """Whether either is nonzero.

    >>> gleed.logical_or(gleed.tensor([0, 1]), gleed.tensor([0, 2]))
    tensor([False,  True])
    """
    return p.bitwise_or(*spread("logical_or", _truth(input), _truth(other)))


@binary(reference="numpy.logical_xor")
def logical_xor(input: Tensor, other: Tensor) -> Tensor:
    """Whether exactly one is nonzero.

    >>> gleed.logical_xor(gleed.tensor([0, 1]), gleed.tensor([2, 2]))
    tensor([ True, False])
    """
    return p.bitwise_xor(*spread("logical_xor", _truth(input), _truth(other)))


@unary(reference="numpy.logical_not")
def logical_not(input: Tensor) -> Tensor:
    """Whether an element is zero.

    >>> gleed.logical_not(gleed.tensor([0, 3]))
    tensor([ True, False])
    """
    return p.bitwise_not(_truth(input))


def _bits(name: str, a: Operand, b: Operand) -> list[Tensor]:
    x, y = common(name, a, b)
    if is_float(x.dtype):
        raise DTypeError(
            f"{name}: bits are defined for bool and integers; got {dtype_text(x.dtype)}; convert "
            "with .to(gleed.int64), or compare with logical_and"
        )
    return [x, y]


def _places(name: str, a: Operand, b: Operand) -> list[Tensor]:
    x, y = _bits(name, a, b)
    require_dtype(
        name, x, x.dtype != "bool", "bool has one bit only", "convert to an integer first"
    )
    return [x, y]


@binary(reference="numpy.bitwise_and")
def bitwise_and(input: Operand, other: Operand) -> Tensor:
    """And of bits; of truth values for bool.

    >>> gleed.bitwise_and(gleed.tensor([6, 5]), 3)
    tensor([2, 1])
    """
    return p.bitwise_and(*_bits("bitwise_and", input, other))


@binary(reference="numpy.bitwise_or")
def bitwise_or(input: Operand, other: Operand) -> Tensor:
    """Or of bits; of truth values for bool.

    >>> gleed.bitwise_or(gleed.tensor([6, 5]), 3)
    tensor([7, 7])
    """
    return p.bitwise_or(*_bits("bitwise_or", input, other))


@binary(reference="numpy.bitwise_xor")
def bitwise_xor(input: Operand, other: Operand) -> Tensor:
    """Exclusive or of bits; of truth values for bool.

    >>> gleed.bitwise_xor(gleed.tensor([6, 5]), 3)
    tensor([5, 6])
    """
    return p.bitwise_xor(*_bits("bitwise_xor", input, other))


@unary(reference="numpy.bitwise_not")
def bitwise_not(input: Tensor) -> Tensor:
    """The complement of bits; `not` for bool.

    >>> gleed.bitwise_not(gleed.tensor([0, 5]))
    tensor([-1, -6])
    """
    _bits("bitwise_not", input, input)
    return p.bitwise_not(input)


@binary(reference="numpy.left_shift")
def bitwise_left_shift(input: Operand, other: Operand) -> Tensor:
    """Bits moved up by `other` places.

    >>> gleed.bitwise_left_shift(gleed.tensor([1, 3]), 2)
    tensor([ 4, 12])
    """
    return p.shift_left(*_places("bitwise_left_shift", input, other))


@binary(reference="numpy.right_shift")
def bitwise_right_shift(input: Operand, other: Operand) -> Tensor:
    """Bits moved down by `other` places; the sign stays.

    >>> gleed.bitwise_right_shift(gleed.tensor([4, -8]), 2)
    tensor([ 1, -2])
    """
    return p.shift_right(*_places("bitwise_right_shift", input, other))


# ---- selection
@op(method=False)
def where(condition: Tensor, input: Operand, other: Operand) -> Tensor:
    """`input` where `condition` holds, else `other`; all three broadcast.

    >>> gleed.where(gleed.tensor([True, False]), gleed.tensor([1.0, 2.0]), 0.0)
    tensor([1., 0.])
    """
    if condition.dtype not in ("bool", "u8"):
        raise DTypeError(
            f"where: the condition must be a bool tensor; got {dtype_text(condition.dtype)}; "
            "compare it with something, e.g. x > 0"
        )
    x, y = as_standins(condition, input, other)[1:]
    dtype = result_type(x, y)
    c, x, y = spread("where", _truth(condition), convert(x, dtype), convert(y, dtype))
    return p.where(c, x, y)


@op(method=True, inplace=True)
def masked_fill(input: Tensor, mask: Tensor, value: Operand) -> Tensor:
    """`value` where `mask` holds, else `input`; `mask` broadcasts.

    >>> gleed.masked_fill(gleed.tensor([1.0, 2.0]), gleed.tensor([True, False]), -1)
    tensor([-1.,  2.])
    """
    if mask.dtype != "bool":
        raise DTypeError(
            f"masked_fill: mask must be a bool tensor; got {dtype_text(mask.dtype)}; compare it "
            "with something, e.g. mask != 0"
        )
    (filling,) = as_standins(value) if isinstance(value, Tensor) else as_standins(input, value)[1:]
    c, x, y = spread("masked_fill", mask, input, convert(filling, input.dtype))
    return p.where(c, y, x)


@where.samples
def _(make: Any) -> Any:
    yield make.call(make.mask((3, 4)), make.tensor((3, 4)), make.tensor((4,)))
    yield make.call(make.mask((5,)), make.tensor((5,)), make.number())
    yield make.call(make.mask(()), make.number(), make.tensor((0, 2)))


@masked_fill.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((3, 4)), make.mask((4,)), 2)
    yield make.call(make.tensor((5,)), make.mask((5,)), make.tensor(()))
