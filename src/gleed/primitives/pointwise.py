"""Pointwise primitives: scalar code at every element, all operands of one shape."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from gleed.compiler import kernel as k
from gleed.compiler.graph import Value
from gleed.primitives.core import (
    Primitive,
    Types,
    of_wholes,
    require,
    require_float,
    same_shape,
)

Rule = Callable[..., Any] | None


def _pointwise(
    name: str,
    code: Callable[..., k.Node],
    vjp: Rule = None,
    result: str | None = None,
    real: bool = False,
) -> Primitive:
    """A primitive whose operands share a dtype (floating point if `real`); the result has it too,
    or is `result`."""

    def types(*values: Value) -> Types:
        first = values[0]
        alike = all(v.dtype == first.dtype and same_shape(v.shape, first.shape) for v in values)
        require(alike, name, "operands must have one dtype and shape", values)
        if real:
            require_float(first)
        return [(result or first.dtype, first.shape)]

    on_bool = name.startswith("bitwise_") or name in ("add", "mul", "eq", "ne")
    scalar_code = code if on_bool else _in_bytes(code)
    return Primitive(name, "pointwise", types, scalar_code, vjp, of_wholes)


def _in_bytes(code: Callable[..., k.Node]) -> Callable[..., k.Node]:
    """The scalar code with bool computed as bytes, for what the kernel IR leaves to numbers."""

    def run(*args: k.Node) -> k.Node:
        if args[0].dtype != "bool":
            return code(*args)
        return k.cast(code(*(k.cast(x, "u8") for x in args)), "bool")

    return run


def _math(name: str, vjp: Rule = None) -> Primitive:
    return _pointwise(name, lambda *args: k.math(name, *args), vjp, real=True)


def _none(g: Any, y: Any, *inputs: Any) -> tuple[None, ...]:
    """The rule of functions whose results are no real numbers."""
    return (None,) * len(inputs)


def _flat(g: Any, y: Any, x: Any) -> Any:
    """The rule of piecewise constant functions."""
    return fill(x, 0)


def fill(like: Any, value: float) -> Any:
    """A constant of the dtype and shape of a stand-in."""
    return like.trace.full(like.shape, value, like.dtype)


def _sign(x: k.Node) -> k.Node:
    one = k.select(
        k.gt(x, 0), 1, k.select(k.lt(x, 0), k.const(-1 if k.is_signed(x.dtype) else 0, x.dtype), 0)
    )
    return k.select(k.ne(x, x), x, one) if k.is_float(x.dtype) else one


def _either(numbers: Callable[..., k.Node], truth: Callable[..., k.Node]) -> Callable[..., k.Node]:
    """Scalar code for numbers, and for bool, on which the kernel IR has logic alone."""
    return lambda *args: (truth if args[0].dtype == "bool" else numbers)(*args)


# ---- arithmetic
add = _pointwise("add", _either(lambda x, y: x + y, lambda x, y: x | y), lambda g, y, a, b: (g, g))
sub = _pointwise("sub", lambda x, y: x - y, lambda g, y, a, b: (g, -g))
mul = _pointwise(
    "mul", _either(lambda x, y: x * y, lambda x, y: x & y), lambda g, y, a, b: (g * b, g * a)
)
div = _pointwise("div", lambda x, y: x / y, lambda g, y, a, b: (g / b, -(g * y) / b), real=True)
fma = _pointwise("fma", k.fma, lambda g, y, a, b, c: (g * b, g * a, g))
neg = _pointwise("neg", lambda x: -x, lambda g, y, x: -g)
abs = _pointwise("abs", _either(k.abs, lambda x: x), lambda g, y, x: g * sign(x))
sign: Primitive = _pointwise("sign", _sign, _flat)
idiv = _pointwise("idiv", k.idiv, _none)
irem = _pointwise("irem", k.irem, _none)

fmod = _math("fmod", lambda g, y, a, b: (g, -g * trunc(a / b)))

# ---- rounding
floor = _pointwise("floor", k.floor, _flat, real=True)
ceil = _pointwise("ceil", k.ceil, _flat, real=True)
trunc: Primitive = _pointwise("trunc", k.trunc, _flat, real=True)
roundeven = _pointwise("roundeven", k.roundeven, _flat, real=True)

# ---- extremes: ties share the gradient, as in PyTorch


def _extreme_rule(g: Any, y: Any, a: Any, b: Any) -> tuple[Any, Any]:
    first = where(eq(a, b), g * 0.5, where(eq(a, y), g, fill(g, 0)))
    return first, g - first


maximum = _pointwise("maximum", _either(k.maximum, lambda x, y: x | y), _extreme_rule)
minimum = _pointwise("minimum", _either(k.minimum, lambda x, y: x & y), _extreme_rule)

# ---- exponentials and logarithms
exp = _math("exp", lambda g, y, x: g * y)
exp2 = _math("exp2", lambda g, y, x: g * (y * math.log(2)))
expm1 = _math("expm1", lambda g, y, x: g * (y + 1))
log = _math("log", lambda g, y, x: g / x)
log2 = _math("log2", lambda g, y, x: g / (x * math.log(2)))
log10 = _math("log10", lambda g, y, x: g / (x * math.log(10)))
log1p = _math("log1p", lambda g, y, x: g / (x + 1))
sqrt = _pointwise("sqrt", k.sqrt, lambda g, y, x: g / (y * 2), real=True)
rsqrt = _math("rsqrt", lambda g, y, x: g * (y * y * y) * -0.5)
sigmoid = _math("sigmoid", lambda g, y, x: g * (y * (1 - y)))


def _pow_rule(g: Any, y: Any, a: Any, b: Any) -> tuple[Any, Any]:
    zero = fill(b, 0)
    slope = where(eq(b, zero), zero, b * pow(a, b - 1))
    growth = where(bitwise_and(eq(a, zero), ge(b, zero)), zero, y * log(a))
    return g * slope, g * growth


pow = _math("pow", _pow_rule)

# ---- trigonometry
sin = _math("sin", lambda g, y, x: g * cos(x))
cos: Primitive = _math("cos", lambda g, y, x: -(g * sin(x)))
tan = _math("tan", lambda g, y, x: g * (y * y + 1))
asin = _math("asin", lambda g, y, x: g * rsqrt(1 - x * x))
acos = _math("acos", lambda g, y, x: -(g * rsqrt(1 - x * x)))
atan = _math("atan", lambda g, y, x: g / (x * x + 1))


def _atan2_rule(g: Any, y: Any, a: Any, b: Any) -> tuple[Any, Any]:
    norm = a * a + b * b
    return g * (b / norm), g * (-a / norm)


atan2 = _math("atan2", _atan2_rule)
sinh = _math("sinh", lambda g, y, x: g * cosh(x))
cosh: Primitive = _math("cosh", lambda g, y, x: g * sinh(x))
tanh = _math("tanh", lambda g, y, x: g * (1 - y * y))
asinh = _math("asinh", lambda g, y, x: g * rsqrt(x * x + 1))
acosh = _math("acosh", lambda g, y, x: g * rsqrt(x * x - 1))
atanh = _math("atanh", lambda g, y, x: g / (1 - x * x))

# ---- special functions
erf = _math("erf", lambda g, y, x: g * (exp(-(x * x)) * (2 / math.sqrt(math.pi))))
erfc = _math("erfc", lambda g, y, x: g * (exp(-(x * x)) * (-2 / math.sqrt(math.pi))))
erfinv = _math("erfinv", lambda g, y, x: g * (exp(y * y) * (math.sqrt(math.pi) / 2)))
lgamma = _math("lgamma", lambda g, y, x: g * digamma(x))
digamma: Primitive = _math("digamma", lambda g, y, x: g * x.polygamma(1))

# ---- bits and logic (on bool: logic)
bitwise_and = _pointwise("bitwise_and", lambda x, y: x & y, _none)
bitwise_or = _pointwise("bitwise_or", lambda x, y: x | y, _none)
bitwise_xor = _pointwise("bitwise_xor", lambda x, y: x ^ y, _none)
bitwise_not = _pointwise("bitwise_not", lambda x: ~x, _none)
shift_left = _pointwise("shift_left", lambda x, y: x << y, _none)
shift_right = _pointwise("shift_right", lambda x, y: x >> y, _none)

# ---- comparison
eq = _pointwise("eq", k.eq, _none, result="bool")
ne = _pointwise("ne", k.ne, _none, result="bool")
lt = _pointwise("lt", _either(k.lt, lambda x, y: ~x & y), _none, result="bool")
le = _pointwise("le", _either(k.le, lambda x, y: ~x | y), _none, result="bool")
gt = _pointwise("gt", _either(k.gt, lambda x, y: x & ~y), _none, result="bool")
ge = _pointwise("ge", _either(k.ge, lambda x, y: x | ~y), _none, result="bool")


# ---- selection and conversion
def _where_types(condition: Value, a: Value, b: Value) -> Types:
    alike = condition.dtype == "bool" and a.dtype == b.dtype
    alike = alike and same_shape(condition.shape, a.shape) and same_shape(a.shape, b.shape)
    require(
        alike,
        "where",
        "a bool condition and two operands of one dtype and shape",
        (condition, a, b),
    )
    return [(a.dtype, a.shape)]


def _where_rule(g: Any, y: Any, condition: Any, a: Any, b: Any) -> tuple[None, Any, Any]:
    zero = fill(g, 0)
    return None, where(condition, g, zero), where(condition, zero, g)


where = Primitive("where", "pointwise", _where_types, k.select, _where_rule, of_wholes)
cast: Primitive = Primitive(
    "cast",
    "pointwise",
    lambda x, dtype: [(dtype, x.shape)],
    lambda x, dtype: k.cast(x, dtype),
    lambda g, y, x, dtype: cast(g, dtype=x.dtype),
    of_wholes,
)
# What memory of the dtype would hold; elsewhere kernels go on with more precise numbers.
rounded = Primitive(
    "rounded",
    "pointwise",
    lambda x, dtype: [(x.dtype, x.shape)],
    lambda x, dtype: k.cast(k.cast(x, dtype), x.dtype),
    lambda g, y, x, dtype: g,
    of_wholes,
)
bitcast = Primitive(
    "bitcast",
    "pointwise",
    lambda x, dtype: [(dtype, x.shape)],
    lambda x, dtype: k.bitcast(x, dtype),
    lambda g, y, x, dtype: None,
    of_wholes,
)


def _same(name: str) -> Primitive:
    """The value itself, never merged with it."""
    types, kernel, rule = lambda x: [(x.dtype, x.shape)], lambda x: x, lambda g, y, x: g
    return Primitive(name, "pointwise", types, kernel, rule, of_wholes, pure=False)


alias = _same("alias")  # another name, with a gradient rule of its own
copy = _same("copy")  # memory of its own
# A number repeated, in the order of strides of another value, of which nothing else is seen.
copy_like = Primitive(
    "copy_like",
    "pointwise",
    lambda x, like: [(x.dtype, x.shape)],
    lambda x, like: x,
    lambda g, y, x, like: None,
    of_wholes,
    pure=False,
)
