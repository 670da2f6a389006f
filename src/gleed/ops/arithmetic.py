"""Arithmetic of two operands or more."""

from __future__ import annotations

from typing import Any

from gleed import primitives as p
from gleed.compiler.kernel import is_float, is_signed
from gleed.errors import DTypeError, RangeError
from gleed.ops.families import binary
from gleed.ops.promotion import (
    as_standins,
    category,
    common,
    convert,
    dtype_text,
    floating,
    promote,
    require_dtype,
    result_type,
    spread,
)
from gleed.ops.record import Number, Operand, Tensor, op

POSITIVE = (0.2, 3.0)
FLOAT = "convert it with .float()"


# ---- the four operations
@binary(reference="numpy.add")
def add(input: Operand, other: Operand) -> Tensor:
    """input + alpha * other, with broadcasting and type promotion.

    >>> gleed.add(gleed.tensor([1.0, 2.0]), gleed.tensor([[10.0], [20.0]]))
    tensor([[11., 12.],
            [21., 22.]])
    """
    return p.add(*common("add", input, other))


@op(name="add", method=True, inplace=True, out=True)
def add_scaled(input: Operand, other: Operand, *, alpha: Number) -> Tensor:
    return add(input, _scaled("add", input, other, alpha))


def _scaled(name: str, base: Operand, other: Operand, alpha: Number) -> Tensor:
    """other * alpha in the dtype that base + other has."""
    start, x, factor = as_standins(base, other, alpha)
    dtype = result_type(start, x)
    if category(factor.dtype) > category(dtype):
        raise DTypeError(
            f"{name}: alpha must not be of a higher category than the result; got a floating-point "
            f"alpha for {dtype_text(dtype)}; convert a tensor first"
        )
    if not x.weak:
        return mul(convert(x, dtype), factor)
    dtype = promote(x.dtype, factor.dtype)
    product = p.mul(convert(x, dtype), convert(factor, dtype))
    return Tensor(product.trace, product.value, weak=True)


def _difference_name(input: Operand, *rest: Any) -> str:
    return "RsubBackward1" if isinstance(input, Tensor) and input.weak else "sub"


@binary(reference="numpy.subtract", grad_name=_difference_name)
def sub(input: Operand, other: Operand) -> Tensor:
    """input - alpha * other, with broadcasting and type promotion. Not for bool.

    >>> gleed.sub(gleed.tensor([1, 2]), 5)
    tensor([-4, -3])
    """
    a, b = as_standins(input, other)
    if "bool" in (a.dtype, b.dtype) and result_type(a, b) == "bool":
        raise DTypeError(
            "sub: subtraction is not defined for bool tensors; got bool and bool; use ^ "
            "(logical_xor), or convert to an integer first"
        )
    return p.sub(*common("sub", a, b))


@op(name="sub", method=True, inplace=True, out=True)
def sub_scaled(input: Operand, other: Operand, *, alpha: Number) -> Tensor:
    return sub(input, _scaled("sub", input, other, alpha))


@binary(inplace=False, out=False, grad_name="RsubBackward1")
def rsub(input: Operand, other: Operand) -> Tensor:
    """other - input.

    >>> gleed.rsub(gleed.tensor([1, 2]), 5)
    tensor([4, 3])
    """
    return sub(*as_standins(other, input))


@op(name="rsub", method=True, grad_name="sub")
def rsub_scaled(input: Operand, other: Operand, *, alpha: Number) -> Tensor:
    return sub(other, _scaled("rsub", other, input, alpha))


@binary(reference="numpy.multiply")
def mul(input: Operand, other: Operand) -> Tensor:
    """input * other, with broadcasting and type promotion.

    >>> gleed.mul(gleed.tensor([1, 2]), 2.5)
    tensor([2.5000, 5.0000])
    """
    return p.mul(*common("mul", input, other))


@binary(other=POSITIVE, reference="numpy.divide")
def div(input: Operand, other: Operand, *, rounding_mode: str | None = None) -> Tensor:
    """input / other. Integers become floating point, unless `rounding_mode` is "trunc" (towards
    zero) or "floor" (towards minus infinity), which round the quotient.

    >>> gleed.div(gleed.tensor([7, -7]), 2)
    tensor([ 3.5000, -3.5000])
    >>> gleed.div(gleed.tensor([7, -7]), 2, rounding_mode="floor")
    tensor([ 3, -4])
    """
    if rounding_mode is None:
        return p.div(*common("div", input, other, to_float=True))
    if rounding_mode == "floor":
        return floor_divide(*as_standins(input, other))
    if rounding_mode != "trunc":
        raise RangeError(
            f'div: rounding_mode must be None, "trunc" or "floor"; got {rounding_mode!r}; omit it '
            "for the exact quotient"
        )
    a, b = common("div", input, other)
    return p.trunc(p.div(a, b)) if is_float(a.dtype) else p.idiv(_integers(a), _integers(b))


def _no_bool(name: str, x: Tensor) -> None:
    require_dtype(name, x, x.dtype != "bool", "bool is not divided", "convert it with .long()")


def _integers(x: Tensor) -> Tensor:
    """Bool as an integer; integers as they are."""
    return convert(x, "i64") if x.dtype == "bool" else x


@binary(other=POSITIVE, reference="numpy.floor_divide")
def floor_divide(input: Operand, other: Operand) -> Tensor:
    """The quotient rounded towards minus infinity.

    >>> gleed.floor_divide(gleed.tensor([7, -7]), 2)
    tensor([ 3, -4])
    """
    a, b = common("floor_divide", input, other)
    require_dtype(
        "floor_divide", a, a.dtype != "bool", "bool is not divided", "convert to an integer first"
    )
    if is_float(a.dtype):
        remainder = p.fmod(a, b)
        quotient = p.div(p.sub(a, remainder), b)
        wrong_side = (remainder != 0) & ((b < 0) != (remainder < 0))
        whole = p.roundeven(p.where(wrong_side, quotient - 1, quotient))
        return p.where(p.eq(b, p.fill(b, 0)), p.div(a, b), whole)
    quotient = p.idiv(a, b)
    if not is_signed(a.dtype):
        return quotient
    rest = p.irem(a, b)
    wrong_side = (rest != 0) & ((rest < 0) != (b < 0))
    return p.where(wrong_side, quotient - 1, quotient)


@binary(other=POSITIVE, reference="numpy.remainder")
def remainder(input: Operand, other: Operand) -> Tensor:
    """The remainder of `floor_divide`: it has the sign of `other`.

    >>> gleed.remainder(gleed.tensor([7, -7]), 4)
    tensor([3, 1])
    """
    a, b = common("remainder", input, other)
    require_dtype(
        "remainder", a, a.dtype != "bool", "bool is not divided", "convert to an integer first"
    )
    rest = p.fmod(a, b) if is_float(a.dtype) else p.irem(a, b)
    if not is_signed(a.dtype):
        return rest
    wrong_side = (rest != 0) & ((rest < 0) != (b < 0))
    return p.where(wrong_side, rest + b, rest)


@binary(other=POSITIVE, reference="numpy.fmod")
def fmod(input: Operand, other: Operand) -> Tensor:
    """The remainder of division rounded towards zero: it has the sign of `input`.

    >>> gleed.fmod(gleed.tensor([7, -7]), 4)
    tensor([ 3, -3])
    """
    a, b = common("fmod", input, other)
    require_dtype(
        "fmod", a, a.dtype != "bool", "bool is not divided", "convert to an integer first"
    )
    return p.fmod(a, b) if is_float(a.dtype) else p.irem(a, b)


# ---- powers
def _power_name(input: Operand, exponent: Operand, *rest: Any) -> str:
    """PyTorch numbers the forms: 0 to a number, 1 to a tensor, 2 of a number."""
    weak = [isinstance(x, Tensor) and x.weak for x in (input, exponent)]
    return f"PowBackward{2 if weak[0] else 0 if weak[1] else 1}"


@binary(domain=POSITIVE, reference="numpy.power", grad_name=_power_name)
def pow(input: Operand, exponent: Operand) -> Tensor:
    """input to the power of exponent, with broadcasting and type promotion. Integers to a negative
    power give 0 but for bases 1 and -1.

    >>> gleed.pow(gleed.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    """
    a, b = common("pow", input, exponent)
    if is_float(a.dtype):
        return p.pow(a, b)
    return _integer_power(_integers(a), _integers(b))


def _integer_power(base: Tensor, exponent: Tensor) -> Tensor:
    """By repeated squaring; six steps reach every power that does not overflow but of 0, 1, -1."""
    one = p.fill(base, 1)
    result, square, rest = one, base, exponent
    for _ in range(6):
        odd = p.ne(p.bitwise_and(rest, one), p.fill(base, 0))
        result = p.where(odd, p.mul(result, square), result)
        square, rest = p.mul(square, square), p.shift_right(rest, one)
    if not is_signed(base.dtype):
        return result
    parity = p.where(p.ne(p.bitwise_and(exponent, one), p.fill(base, 0)), base, one)
    unit = p.eq(p.abs(base), one)
    small = p.where(unit, parity, p.fill(base, 0))
    return p.where(p.lt(exponent, p.fill(base, 0)), small, result)


@binary(domain=POSITIVE, reference="numpy.float_power", inplace=False, out=False)
def float_power(input: Operand, exponent: Operand) -> Tensor:
    """`pow` in float64.

    >>> gleed.float_power(gleed.tensor([2]), 0.5)
    tensor([1.4142], dtype=gleed.float64)
    """
    a, b = (convert(x, "f64") for x in as_standins(input, exponent))
    return p.pow(*spread("float_power", a, b))


@binary(reference="numpy.ldexp")
def ldexp(input: Operand, other: Operand) -> Tensor:
    """input * 2**other.

    >>> gleed.ldexp(gleed.tensor([1.5]), gleed.tensor([3]))
    tensor([12.])
    """
    x, exponent = as_standins(input, other)
    if exponent.weak and is_float(x.dtype) and not x.weak:
        exponent = convert(exponent, x.dtype)
    return mul(x, p.exp2(floating(exponent)))


# ---- extremes and angles
@binary(reference="numpy.maximum")
def maximum(input: Operand, other: Operand) -> Tensor:
    """The greater of two elements; NaN if either is NaN.

    >>> gleed.maximum(gleed.tensor([1, 5]), gleed.tensor([3, 2]))
    tensor([3, 5])
    """
    return p.maximum(*common("maximum", input, other))


@binary(reference="numpy.minimum")
def minimum(input: Operand, other: Operand) -> Tensor:
    """The smaller of two elements; NaN if either is NaN.

    >>> gleed.minimum(gleed.tensor([1, 5]), gleed.tensor([3, 2]))
    tensor([1, 2])
    """
    return p.minimum(*common("minimum", input, other))


@binary(reference="numpy.fmax", inplace=False)
def fmax(input: Operand, other: Operand) -> Tensor:
    """The greater of two elements; a number beside NaN wins.

    >>> gleed.fmax(gleed.tensor([1.0, float("nan")]), gleed.tensor([3.0, 2.0]))
    tensor([3., 2.])
    """
    a, b = common("fmax", input, other)
    return p.where(p.ne(a, a), b, p.where(p.ne(b, b), a, p.maximum(a, b)))


@binary(reference="numpy.fmin", inplace=False)
def fmin(input: Operand, other: Operand) -> Tensor:
    """The smaller of two elements; a number beside NaN wins.

    >>> gleed.fmin(gleed.tensor([1.0, float("nan")]), gleed.tensor([3.0, 2.0]))
    tensor([1., 2.])
    """
    a, b = common("fmin", input, other)
    return p.where(p.ne(a, a), b, p.where(p.ne(b, b), a, p.minimum(a, b)))


@binary(domain=POSITIVE, reference="numpy.arctan2")
def atan2(input: Operand, other: Operand) -> Tensor:
    """The angle in radians of the point (other, input).

    >>> gleed.atan2(gleed.tensor([1.0]), gleed.tensor([1.0]))
    tensor([0.7854])
    """
    return p.atan2(*common("atan2", input, other, to_float=True))


@binary(domain=POSITIVE, reference="numpy.hypot")
def hypot(input: Operand, other: Operand) -> Tensor:
    """sqrt(input**2 + other**2) without needless overflow.

    >>> gleed.hypot(gleed.tensor([3.0]), gleed.tensor([4.0]))
    tensor([5.])
    """
    a, b = common("hypot", input, other, to_float=True)
    great, small = p.maximum(p.abs(a), p.abs(b)), p.minimum(p.abs(a), p.abs(b))
    ratio = p.where(great == 0, p.fill(great, 0), small / great)
    root = great * p.sqrt(ratio * ratio + 1)
    return p.where(p.eq(great, p.fill(great, float("inf"))), great, root)


@binary(domain=POSITIVE, reference="numpy.copysign")
def copysign(input: Operand, other: Operand) -> Tensor:
    """The magnitude of `input` with the sign of `other`.

    >>> gleed.copysign(gleed.tensor([1.0, 2.0]), gleed.tensor([-3.0, 0.0]))
    tensor([-1.,  2.])
    """
    a, b = common("copysign", input, other, to_float=True)
    negative = p.lt(p.where(p.eq(b, p.fill(b, 0)), 1 / b, b), p.fill(b, 0))
    return p.where(negative, -p.abs(a), p.abs(a))


@binary(domain=POSITIVE, reference="scipy.special.xlogy", namespace=("gleed", "special"))
def xlogy(input: Operand, other: Operand) -> Tensor:
    """input * log(other), and 0 where input is 0.

    >>> gleed.xlogy(gleed.tensor([0.0, 2.0]), gleed.tensor([0.0, 2.718281828]))
    tensor([0., 2.])
    """
    a, b = common("xlogy", input, other, to_float=True)
    product = p.where(p.eq(a, p.fill(a, 0)), p.fill(a, 0), a * p.log(b))
    return p.where(p.ne(b, b), b, product)


@binary(reference="numpy.logaddexp", inplace=False)
def logaddexp(input: Operand, other: Operand) -> Tensor:
    """log(exp(input) + exp(other)) without overflow.

    >>> gleed.logaddexp(gleed.tensor([0.0]), gleed.tensor([0.0]))
    tensor([0.6931])
    """
    a, b = common("logaddexp", input, other, to_float=True)
    great = p.maximum(a, b)
    gap = p.where(p.eq(a, b), p.fill(a, 0), -p.abs(a - b))
    return great + p.log1p(p.exp(gap))


@binary(reference=None)
def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 below zero, 1 above, `values` at zero.

    >>> gleed.heaviside(gleed.tensor([-1.0, 0.0, 2.0]), gleed.tensor(0.5))
    tensor([0.0000, 0.5000, 1.0000])
    """
    x, at_zero = spread("heaviside", input, values)
    step = convert(p.gt(x, p.fill(x, 0)), x.dtype)
    return p.where(p.eq(x, p.fill(x, 0)), at_zero, step)


# ---- fused forms
@op(method=True, inplace=True, out=True)
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """input + value * tensor1 * tensor2.

    >>> gleed.addcmul(gleed.tensor([1.0]), gleed.tensor([2.0]), gleed.tensor([3.0]), value=0.5)
    tensor([4.])
    """
    return input + mul(mul(tensor1, tensor2), value)


@op(method=True, inplace=True, out=True)
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """input + value * tensor1 / tensor2.

    >>> gleed.addcdiv(gleed.tensor([1.0]), gleed.tensor([6.0]), gleed.tensor([3.0]), value=0.5)
    tensor([2.])
    """
    return input + mul(div(tensor1, tensor2), value)


@op(method=True, inplace=True, out=True)
def lerp(input: Tensor, end: Tensor, weight: Operand) -> Tensor:
    """input + weight * (end - input): from `input` (weight 0) to `end` (weight 1).

    >>> gleed.lerp(gleed.tensor([0.0]), gleed.tensor([10.0]), 0.25)
    tensor([2.5000])
    """
    require_dtype("lerp", input, is_float(input.dtype), "a floating-point tensor is needed", FLOAT)
    start, stop, share = common("lerp", input, end, weight)
    near = start + share * (stop - start)
    far = stop - (stop - start) * (1 - share)
    return p.where(p.lt(p.abs(share), p.fill(share, 0.5)), near, far)


@op(method=True, inplace=True, out=True, grad_name="ClampBackward1")
def clamp(
    input: Tensor,
    min: Number | None = None,
    max: Number | None = None,
) -> Tensor:
    """Every element moved into [min, max]; bounds are numbers or tensors, either may be None. Where
    min > max the result is max. NaN stays.

    >>> gleed.clamp(gleed.tensor([-1.0, 0.5, 3.0]), 0, 1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    if min is None and max is None:
        raise RangeError("clamp: at least one bound is needed; got neither; pass min or max")
    bounds = [b for b in (min, max) if b is not None]
    x, *limits = common("clamp", input, *bounds)
    if min is not None:
        x = _not_below(x, limits[0])
    return _not_above(x, limits[-1]) if max is not None else x


@op(name="clamp", method=True, inplace=True, out=True)
def clamp_to_tensors(
    input: Tensor,
    min: Tensor | None = None,
    max: Tensor | None = None,
) -> Tensor:
    return clamp(input, min, max)


def _not_below(x: Tensor, low: Tensor) -> Tensor:
    """max(x, low) whose gradient at the bound goes to x."""
    return p.where(p.lt(x, low), low, p.where(p.ne(low, low), low, x))


def _not_above(x: Tensor, high: Tensor) -> Tensor:
    return p.where(p.gt(x, high), high, p.where(p.ne(high, high), high, x))


@op(method=True, inplace=True, out=True)
def clamp_min(input: Tensor, min: Operand) -> Tensor:
    """`clamp` with a lower bound alone.

    >>> gleed.clamp_min(gleed.tensor([-1.0, 0.5]), 0)
    tensor([0.0000, 0.5000])
    """
    return clamp(input, min)


@op(method=True, inplace=True, out=True)
def clamp_max(input: Tensor, max: Operand) -> Tensor:
    """`clamp` with an upper bound alone.

    >>> gleed.clamp_max(gleed.tensor([0.5, 3.0]), 1)
    tensor([0.5000, 1.0000])
    """
    return clamp(input, None, max)


@op(method=True, inplace=True, out=True)
def nan_to_num(
    input: Tensor,
    nan: float | None = None,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Tensor:
    """NaN replaced by `nan` (0), infinities by `posinf` and `neginf` (the extreme finite numbers).

    >>> gleed.nan_to_num(gleed.tensor([float("nan"), 1.0]))
    tensor([0., 1.])
    """
    if not is_float(input.dtype):
        return p.copy(input)
    most = {"f16": 65504.0, "bf16": 3.3895313892515355e38, "f32": 3.4028234663852886e38}
    great = most.get(input.dtype, 1.7976931348623157e308)
    x = input
    x = p.where(p.ne(x, x), p.fill(x, nan or 0.0), x)
    x = p.where(p.eq(x, p.fill(x, float("inf"))), p.fill(x, great if posinf is None else posinf), x)
    low = p.fill(x, -great if neginf is None else neginf)
    return p.where(p.eq(x, p.fill(x, float("-inf"))), low, x)


def _samples() -> None:
    """Samples of what `binary` does not make."""
    for record in (add, sub, rsub):

        @record.samples
        def _(make: Any) -> Any:
            yield make.call(make.tensor((3, 4)), make.tensor((4,)), alpha=2)
            yield make.call(make.tensor((5,)), make.number(), alpha=3)

    for record in (addcmul, addcdiv):

        @record.samples
        def _(make: Any) -> Any:
            yield make.call(make.tensor((5,)), make.tensor((5,)), make.tensor((5,), POSITIVE))
            last = make.tensor((3, 4), POSITIVE)
            yield make.call(make.tensor((3, 1)), make.tensor((4,)), last, value=2)

    for record in (clamp_min, clamp_max):

        @record.samples
        def _(make: Any) -> Any:
            yield make.call(make.tensor((5,)), 1)
            yield make.call(make.tensor((3, 4)), make.tensor((4,)))

    @lerp.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((5,)), make.tensor((5,)), 0.25)
        yield make.call(make.tensor((3, 4)), make.tensor((4,)), make.tensor((3, 4), (0.0, 1.0)))

    @clamp.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((3, 4)), 1, 2)
        yield make.call(make.tensor((5,)), max=1)
        yield make.call(make.tensor(()), 1)
        low, high = make.tensor((4,), (-2.0, 0.0)), make.tensor((3, 1), (0.0, 2.0))
        yield make.call(make.tensor((3, 4)), low, high)
        yield make.call(make.tensor((5,)), None, make.tensor((5,)))

    @nan_to_num.samples
    def _(make: Any) -> Any:
        special = make.values([1.5, float("nan"), float("inf"), -float("inf")])
        yield make.call(special)
        yield make.call(special, 1.0, 2.0, -2.0)
        yield make.call(make.tensor((3, 4)))


_samples()
