"""Elementary functions of one tensor: exponential, logarithmic, trigonometric, rounding."""

from __future__ import annotations

from gleed import primitives as p
from gleed.compiler.kernel import is_float
from gleed.ops.families import unary
from gleed.ops.promotion import convert, floating, require_dtype
from gleed.ops.record import Tensor

POSITIVE = (0.1, 3.0)
UNIT = (-0.9, 0.9)


@unary(reference="numpy.exp", namespace=("gleed", "special"))
def exp(input: Tensor) -> Tensor:
    """e to the power of every element. Integers become floating point.

    >>> gleed.exp(gleed.tensor([0.0, 1.0]))
    tensor([1.0000, 2.7183])
    """
    return p.exp(floating(input))


@unary(reference="numpy.exp2", namespace=("gleed", "special"))
def exp2(input: Tensor) -> Tensor:
    """2 to the power of every element.

    >>> gleed.exp2(gleed.tensor([0.0, 3.0]))
    tensor([1., 8.])
    """
    return p.exp2(floating(input))


@unary(reference="numpy.expm1", namespace=("gleed", "special"))
def expm1(input: Tensor) -> Tensor:
    """exp(x) - 1, exact also near zero.

    >>> gleed.expm1(gleed.tensor([1e-8]))
    tensor([1.0000e-08])
    """
    return p.expm1(floating(input))


@unary(domain=POSITIVE, reference="numpy.log")
def log(input: Tensor) -> Tensor:
    """The natural logarithm: -inf at zero, NaN below.

    >>> gleed.log(gleed.tensor([1.0, 10.0]))
    tensor([0.0000, 2.3026])
    """
    return p.log(floating(input))


@unary(domain=POSITIVE, reference="numpy.log2")
def log2(input: Tensor) -> Tensor:
    """The logarithm to base 2.

    >>> gleed.log2(gleed.tensor([8.0]))
    tensor([3.])
    """
    return p.log2(floating(input))


@unary(domain=POSITIVE, reference="numpy.log10")
def log10(input: Tensor) -> Tensor:
    """The logarithm to base 10.

    >>> gleed.log10(gleed.tensor([1000.0]))
    tensor([3.])
    """
    return p.log10(floating(input))


@unary(domain=(-0.5, 3.0), reference="numpy.log1p", namespace=("gleed", "special"))
def log1p(input: Tensor) -> Tensor:
    """log(1 + x), exact also near zero.

    >>> gleed.log1p(gleed.tensor([1e-8]))
    tensor([1.0000e-08])
    """
    return p.log1p(floating(input))


@unary(domain=POSITIVE, reference="numpy.sqrt")
def sqrt(input: Tensor) -> Tensor:
    """The square root; NaN for negative numbers.

    >>> gleed.sqrt(gleed.tensor([4.0, 9.0]))
    tensor([2., 3.])
    """
    return p.sqrt(floating(input))


@unary(domain=POSITIVE)
def rsqrt(input: Tensor) -> Tensor:
    """The reciprocal of the square root.

    >>> gleed.rsqrt(gleed.tensor([4.0]))
    tensor([0.5000])
    """
    return p.rsqrt(floating(input))


@unary(reference="numpy.sin")
def sin(input: Tensor) -> Tensor:
    """The sine of every element, in radians.

    >>> gleed.sin(gleed.tensor([0.0, 1.5708]))
    tensor([0., 1.])
    """
    return p.sin(floating(input))


@unary(reference="numpy.cos")
def cos(input: Tensor) -> Tensor:
    """The cosine of every element, in radians.

    >>> gleed.cos(gleed.tensor([0.0, 1.0]))
    tensor([1.0000, 0.5403])
    """
    return p.cos(floating(input))


@unary(domain=(-1.2, 1.2), reference="numpy.tan")
def tan(input: Tensor) -> Tensor:
    """The tangent of every element, in radians.

    >>> gleed.tan(gleed.tensor([0.0, 1.0]))
    tensor([0.0000, 1.5574])
    """
    return p.tan(floating(input))


@unary(domain=UNIT, reference="numpy.arcsin")
def asin(input: Tensor) -> Tensor:
    """The angle in radians whose sine is given; NaN outside [-1, 1].

    >>> gleed.asin(gleed.tensor([0.0, 1.0]))
    tensor([0.0000, 1.5708])
    """
    return p.asin(floating(input))


@unary(domain=UNIT, reference="numpy.arccos")
def acos(input: Tensor) -> Tensor:
    """The angle in radians whose cosine is given; NaN outside [-1, 1].

    >>> gleed.acos(gleed.tensor([1.0, 0.0]))
    tensor([0.0000, 1.5708])
    """
    return p.acos(floating(input))


@unary(reference="numpy.arctan")
def atan(input: Tensor) -> Tensor:
    """The angle in radians whose tangent is given.

    >>> gleed.atan(gleed.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7854])
    """
    return p.atan(floating(input))


@unary(reference="numpy.sinh")
def sinh(input: Tensor) -> Tensor:
    """The hyperbolic sine.

    >>> gleed.sinh(gleed.tensor([1.0]))
    tensor([1.1752])
    """
    return p.sinh(floating(input))


@unary(reference="numpy.cosh")
def cosh(input: Tensor) -> Tensor:
    """The hyperbolic cosine.

    >>> gleed.cosh(gleed.tensor([0.0, 1.0]))
    tensor([1.0000, 1.5431])
    """
    return p.cosh(floating(input))


@unary(reference="numpy.tanh", namespace=("gleed", "nn.functional"))
def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent.

    >>> gleed.tanh(gleed.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7616])
    """
    return p.tanh(floating(input))


@unary(reference="numpy.arcsinh")
def asinh(input: Tensor) -> Tensor:
    """The inverse hyperbolic sine.

    >>> gleed.asinh(gleed.tensor([1.0]))
    tensor([0.8814])
    """
    return p.asinh(floating(input))


@unary(domain=(1.1, 4.0), reference="numpy.arccosh")
def acosh(input: Tensor) -> Tensor:
    """The inverse hyperbolic cosine; NaN below 1.

    >>> gleed.acosh(gleed.tensor([1.0, 2.0]))
    tensor([0.0000, 1.3170])
    """
    return p.acosh(floating(input))


@unary(domain=UNIT, reference="numpy.arctanh")
def atanh(input: Tensor) -> Tensor:
    """The inverse hyperbolic tangent; NaN outside [-1, 1].

    >>> gleed.atanh(gleed.tensor([0.0, 0.5]))
    tensor([0.0000, 0.5493])
    """
    return p.atanh(floating(input))


@unary(reference="scipy.special.erf", namespace=("gleed", "special"))
def erf(input: Tensor) -> Tensor:
    """The error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x.

    >>> gleed.erf(gleed.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8427])
    """
    return p.erf(floating(input))


@unary(reference="scipy.special.erfc", namespace=("gleed", "special"))
def erfc(input: Tensor) -> Tensor:
    """The complementary error function 1 - erf(x), exact also where erf is near 1.

    >>> gleed.erfc(gleed.tensor([0.0, 1.0]))
    tensor([1.0000, 0.1573])
    """
    return p.erfc(floating(input))


@unary(domain=UNIT, reference="scipy.special.erfinv", namespace=("gleed", "special"))
def erfinv(input: Tensor) -> Tensor:
    """The inverse of erf; NaN outside [-1, 1].

    >>> gleed.erfinv(gleed.tensor([0.0, 0.5]))
    tensor([0.0000, 0.4769])
    """
    return p.erfinv(floating(input))


@unary(domain=POSITIVE, reference="scipy.special.gammaln")
def lgamma(input: Tensor) -> Tensor:
    """The logarithm of the absolute value of the gamma function.

    >>> gleed.lgamma(gleed.tensor([0.5]))
    tensor([0.5724])
    """
    return p.lgamma(floating(input))


@unary(reference="scipy.special.expit", namespace=("gleed", "nn.functional", "special"))
def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-x)).

    >>> gleed.sigmoid(gleed.tensor([0.0, 2.0]))
    tensor([0.5000, 0.8808])
    """
    return p.sigmoid(floating(input))


@unary(reference="numpy.absolute")
def abs(input: Tensor) -> Tensor:
    """The absolute value.

    >>> gleed.abs(gleed.tensor([-1, 2]))
    tensor([1, 2])
    """
    return p.abs(input)


@unary(reference="numpy.negative")
def neg(input: Tensor) -> Tensor:
    """Every element with the other sign. Not for bool: use `logical_not`.

    >>> gleed.neg(gleed.tensor([1, -2]))
    tensor([-1,  2])
    """
    require_dtype("neg", input, input.dtype != "bool", "bool has no sign", "use ~ (logical_not)")
    return p.neg(input)


@unary(reference="numpy.sign")
def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1. NaN stays.

    >>> gleed.sign(gleed.tensor([-3.0, 0.0, 2.0]))
    tensor([-1.,  0.,  1.])
    """
    return input if input.dtype == "bool" else p.sign(input)


@unary(domain=POSITIVE, reference="numpy.reciprocal")
def reciprocal(input: Tensor) -> Tensor:
    """1 / x.

    >>> gleed.reciprocal(gleed.tensor([2.0, 4.0]))
    tensor([0.5000, 0.2500])
    """
    return 1 / floating(input)


@unary(reference="numpy.square")
def square(input: Tensor) -> Tensor:
    """x * x.

    >>> gleed.square(gleed.tensor([3, -2]))
    tensor([9, 4])
    """
    x = convert(input, "i64") if input.dtype == "bool" else input
    return x * x


def _rounded(input: Tensor, primitive: p.Primitive) -> Tensor:
    """Rounding leaves integers as they are."""
    return primitive(input) if is_float(input.dtype) else p.copy(input)


@unary(reference="numpy.floor")
def floor(input: Tensor) -> Tensor:
    """The greatest integer not above.

    >>> gleed.floor(gleed.tensor([1.7, -1.2]))
    tensor([ 1., -2.])
    """
    return _rounded(input, p.floor)


@unary(reference="numpy.ceil")
def ceil(input: Tensor) -> Tensor:
    """The least integer not below.

    >>> gleed.ceil(gleed.tensor([1.2, -1.7]))
    tensor([ 2., -1.])
    """
    return _rounded(input, p.ceil)


@unary(reference="numpy.trunc")
def trunc(input: Tensor) -> Tensor:
    """The integer towards zero.

    >>> gleed.trunc(gleed.tensor([1.7, -1.7]))
    tensor([ 1., -1.])
    """
    return _rounded(input, p.trunc)


@unary(reference="numpy.round", namespace=("gleed", "special"))
def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest integer, halves to the even one; or the nearest multiple of 10**-decimals.

    >>> gleed.round(gleed.tensor([0.5, 1.5, 2.6]))
    tensor([0., 2., 3.])
    """
    if decimals == 0:
        return _rounded(input, p.roundeven)
    if decimals > 0:
        scale = 10.0**decimals
        return p.roundeven(input * scale) / scale
    scale = 10.0**-decimals
    return p.roundeven(input / scale) * scale


@unary(reference=None)
def frac(input: Tensor) -> Tensor:
    """The part behind the point, with the sign of the number.

    >>> gleed.frac(gleed.tensor([1.5, -1.25]))
    tensor([ 0.5000, -0.2500])
    """
    return input - p.trunc(input)


@unary(inplace=False, out=False, reference="numpy.isnan")
def isnan(input: Tensor) -> Tensor:
    """Whether an element is not a number.

    >>> gleed.isnan(gleed.tensor([1.0, float("nan")]))
    tensor([False,  True])
    """
    return p.ne(input, input)


@unary(inplace=False, out=False, reference="numpy.isinf")
def isinf(input: Tensor) -> Tensor:
    """Whether an element is plus or minus infinity.

    >>> gleed.isinf(gleed.tensor([1.0, float("inf")]))
    tensor([False,  True])
    """
    if not is_float(input.dtype):
        return input.trace.full(input.shape, False, "bool")
    return p.eq(p.abs(input), p.fill(input, float("inf")))


@unary(inplace=False, out=False, reference="numpy.isfinite")
def isfinite(input: Tensor) -> Tensor:
    """Whether an element is neither infinite nor NaN.

    >>> gleed.isfinite(gleed.tensor([1.0, float("inf")]))
    tensor([ True, False])
    """
    if not is_float(input.dtype):
        return input.trace.full(input.shape, True, "bool")
    return p.lt(p.abs(input), p.fill(input, float("inf")))


@unary(inplace=False, reference="numpy.isposinf")
def isposinf(input: Tensor) -> Tensor:
    """Whether an element is plus infinity.

    >>> gleed.isposinf(gleed.tensor([-float("inf"), float("inf")]))
    tensor([False,  True])
    """
    return _infinite(input, float("inf"))


@unary(inplace=False, reference="numpy.isneginf")
def isneginf(input: Tensor) -> Tensor:
    """Whether an element is minus infinity.

    >>> gleed.isneginf(gleed.tensor([-float("inf"), float("inf")]))
    tensor([ True, False])
    """
    return _infinite(input, float("-inf"))


def _infinite(x: Tensor, infinity: float) -> Tensor:
    if not is_float(x.dtype):
        return x.trace.full(x.shape, False, "bool")
    return p.eq(x, p.fill(x, infinity))


@unary(inplace=False, reference="numpy.signbit")
def signbit(input: Tensor) -> Tensor:
    """Whether the sign is minus, that of -0.0 too.

    >>> gleed.signbit(gleed.tensor([-2.0, -0.0, 0.0]))
    tensor([ True,  True, False])
    """
    if not is_float(input.dtype):
        return convert(input, "i64") < 0
    zero = p.eq(input, p.fill(input, 0))
    return p.lt(p.where(zero, 1 / input, input), p.fill(input, 0))


@unary(reference="numpy.sign")
def sgn(input: Tensor) -> Tensor:
    """As `sign`.

    >>> gleed.sgn(gleed.tensor([-3.0, 0.0, 2.0]))
    tensor([-1.,  0.,  1.])
    """
    return sign(input)


# ---- real numbers as complex ones
def _same(name: str, what: str) -> None:
    """A function that changes complex numbers alone."""

    def body(input: Tensor) -> Tensor:
        return input

    body.__name__ = name
    body.__doc__ = f"""{what}, which a real tensor is itself.

    >>> gleed.{name}(gleed.tensor([1.0]))
    tensor([1.])
    """
    unary(inplace=False, out=False, method=name != "real")(body)  # x.real is an attribute


_same("real", "The real part")
_same("conj", "The complex conjugate")
_same("conj_physical", "The complex conjugate, in memory of its own if it differs")
_same("resolve_conj", "The tensor with a pending conjugation done")
_same("resolve_neg", "The tensor with a pending negation done")


@unary(inplace=False, out=False, reference="numpy.isreal")
def isreal(input: Tensor) -> Tensor:
    """Whether the imaginary part is zero: true of real tensors.

    >>> gleed.isreal(gleed.tensor([1.0]))
    tensor([True])
    """
    return input.trace.full(input.shape, True, "bool")


@unary(inplace=False, reference="numpy.angle")
def angle(input: Tensor) -> Tensor:
    """The angle in the complex plane: pi of negative numbers, 0 of others; NaN stays.

    >>> gleed.angle(gleed.tensor([-2.0, 3.0]))
    tensor([3.1416, 0.0000])
    """
    x = floating(input)
    turned = p.where(p.lt(x, p.fill(x, 0)), p.fill(x, 3.141592653589793), p.fill(x, 0))
    return p.where(p.ne(x, x), x, turned)


@unary(domain=(-200.0, 200.0), reference="numpy.deg2rad")
def deg2rad(input: Tensor) -> Tensor:
    """Degrees to radians.

    >>> gleed.deg2rad(gleed.tensor([180.0]))
    tensor([3.1416])
    """
    return floating(input) * (3.141592653589793 / 180)


@unary(reference="numpy.rad2deg")
def rad2deg(input: Tensor) -> Tensor:
    """Radians to degrees.

    >>> gleed.rad2deg(gleed.tensor([3.14159265]))
    tensor([180.])
    """
    return floating(input) * (180 / 3.141592653589793)


@unary(domain=(0.1, 0.9), reference="scipy.special.logit", namespace=("gleed", "special"))
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(x / (1 - x)), with x first clamped to [eps, 1 - eps] if eps is given.

    >>> gleed.logit(gleed.tensor([0.5, 0.9]))
    tensor([0.0000, 2.1972])
    """
    x = floating(input)
    if eps is not None:
        x = x.clamp(eps, 1 - eps)
    return p.log(x / (1 - x))


@unary(inplace=False, out=False, reference="numpy.positive")
def positive(input: Tensor) -> Tensor:
    """The tensor itself.

    >>> gleed.positive(gleed.tensor([1, 2]))
    tensor([1, 2])
    """
    return input


def to_dtype(x: Tensor, dtype: str | None) -> Tensor:
    """`x` in `dtype`, if one is given."""
    return x if dtype is None else convert(x, dtype)
