"""exp and its kin: x = n·log 2 + r with |r| <= log(2)/2, a polynomial for exp(r), times 2**n.

The reduction in two steps is that of Cody & Waite, "Software Manual for the Elementary Functions"
(1980); with a fused multiply-add its first step is exact.
"""

from __future__ import annotations

from gleed.compiler.kernel import (
    Node,
    abs,
    bitcast,
    fma,
    lt,
    max_number,
    min_number,
    select,
)
from gleed.compiler.mathlib.coefficients import EXP, EXP2, EXPM1, LN2, LOG2_E, TANH
from gleed.compiler.mathlib.formats import (
    format_of,
    polynomial,
    sign_of,
    with_sign,
    word,
)

# Below these arguments the functions are 0 (or -1) after rounding.
EXP_LEAST = {"f32": -104.0, "f64": -746.0}
EXP_TERM_LEAST = {"f32": -87.0, "f64": -708.0}
EXP2_LEAST = {"f32": -151.0, "f64": -1076.0}
EXPM1_LEAST = {"f32": -18.0, "f64": -38.0}
# sigmoid and tanh round to 1 from here on.
SIGMOID_BOUND = {"f32": 18.0, "f64": 38.0}
TANH_BOUND = {"f32": 9.5, "f64": 19.5}
# Up to here tanh is a polynomial, where 1 - 2 / (exp(2x) + 1) would cancel.
TANH_SMALL = 0.5493


def _split(
    x: Node, bias: int, factor: float, ln2: tuple[float, float], most: int | None = None
) -> tuple[Node, Node]:
    """r = x - n·ln2, and n + bias in the lowest bits of a word, n being the integer nearest to
    x·factor. With `most`, n goes no further: r grows instead, its series with it, to infinity."""
    form = format_of(x)
    shifter = form.shifter + bias
    shifted = word(fma(x, factor, shifter))
    if most is not None:
        shifted = min_number(form.bits(shifter + most), shifted)
    n = bitcast(shifted, x.dtype) - shifter
    return _subtract(x, n, ln2), shifted


def _subtract(x: Node, n: Node, unit: tuple[float, float]) -> Node:
    """x - n·unit, the unit given as an unevaluated sum."""
    return fma(n, -unit[1], fma(n, -unit[0], x)) if unit[1] else fma(n, -unit[0], x)


def _times_power(x: Node, exponent: Node) -> Node:
    """x · 2**n, given the word n + 2·bias: in two factors, so that only the result rounds."""
    precision = format_of(x).precision
    half = exponent >> 1
    first = bitcast(half << precision, x.dtype)
    second = bitcast((exponent - half) << precision, x.dtype)
    return x * first * second


def _power(x: Node, series: tuple[float, ...], factor: float, ln2: tuple[float, float]) -> Node:
    form = format_of(x)
    r, exponent = _split(x, 2 * form.bias, factor, ln2, form.bias + 1)
    return _times_power(polynomial((1.0, *series), r), exponent)


def exp(x: Node) -> Node:
    """e**x."""
    x = max_number(EXP_LEAST[x.dtype], x)
    return _power(x, (1.0, *EXP[x.dtype]), LOG2_E[x.dtype][0], LN2[x.dtype])


def exp_term(x: Node) -> Node:
    """e**x for x up to about 1, as a term of a sum that has a term of about 1: the error is small
    beside 1, and what is below 1e-37 (float64: 1e-307) is no smaller than that."""
    form = format_of(x)
    x = max_number(EXP_TERM_LEAST[x.dtype], x)
    r, exponent = _split(x, form.bias, LOG2_E[x.dtype][0], (LN2[x.dtype][0], 0.0))
    power = bitcast(exponent << form.precision, x.dtype)
    return polynomial((1.0, 1.0, *EXP[x.dtype]), r) * power


def exp2(x: Node) -> Node:
    """2**x."""
    return _power(max_number(EXP2_LEAST[x.dtype], x), EXP2[x.dtype], 1.0, (1.0, 0.0))


def exp2_of_sum(high: Node, low: Node) -> Node:
    """2**(high + low) for |low| far below 1."""
    form = format_of(high)
    high = max_number(EXP2_LEAST[high.dtype], high)
    r, exponent = _split(high, 2 * form.bias, 1.0, (1.0, 0.0), form.bias + 1)
    return _times_power(polynomial((1.0, *EXP2[high.dtype]), r + low), exponent)


def quarter_exp(x: Node) -> Node:
    """exp(x) / 4 for x >= 0 or NaN; a quarter, so that it is finite wherever cosh(x) is."""
    form = format_of(x)
    r, exponent = _split(x, form.bias - 2, LOG2_E[x.dtype][0], LN2[x.dtype], form.bias + 2)
    return polynomial((1.0, 1.0, *EXP[x.dtype]), r) * bitcast(exponent << form.precision, x.dtype)


def quarter_expm1(x: Node) -> Node:
    """expm1(x) / 4, without care for the sign of zero and for subnormal numbers."""
    dtype = x.dtype
    form = format_of(x)
    x = max_number(EXPM1_LEAST[dtype], x)
    r, exponent = _split(x, form.bias - 2, LOG2_E[x.dtype][0], LN2[dtype], form.bias + 2)
    power = bitcast(exponent << form.precision, dtype)
    return fma(fma(r * r, polynomial(EXPM1[dtype], r), r), power, power - 0.25)


def expm1(x: Node) -> Node:
    """exp(x) - 1."""
    return select(lt(abs(x), format_of(x).epsilon / 2), x, quarter_expm1(x) * 4)


def tanh(x: Node) -> Node:
    """An odd polynomial near 0, else 1 - 1 / d with d = (exp(2|x|) + 1) / 2."""
    form = format_of(x)
    high, low = LN2[x.dtype]
    magnitude = min_number(TANH_BOUND[x.dtype], abs(x))
    r, exponent = _split(magnitude, form.bias - 1, 2 * LOG2_E[x.dtype][0], (high / 2, low / 2))
    power = bitcast(exponent << form.precision, x.dtype)
    series = [c * 2.0**k for k, c in enumerate(EXP[x.dtype], 2)]
    part = fma(r * r, polynomial(series, r), r + r)
    large = 1 - 1 / fma(part, power, power + 0.5)
    square = magnitude * magnitude
    small = fma(magnitude * square, polynomial(TANH[x.dtype], square), magnitude)
    return with_sign(select(lt(magnitude, TANH_SMALL), small, large), sign_of(x))


def sigmoid(x: Node) -> Node:
    """1 / d with d = 1 + exp(-x), scaled to stay in range; a step of Newton's method corrects the
    quotient for what rounding d has lost."""
    form = format_of(x)
    lift = 64
    unit = 2.0**-lift
    x = min_number(-EXP_LEAST[x.dtype], max_number(-SIGMOID_BOUND[x.dtype], -x))
    r, exponent = _split(x, form.bias - lift, LOG2_E[x.dtype][0], LN2[x.dtype])
    power = bitcast(exponent << form.precision, x.dtype)
    total = power + unit
    lost = unit - (total - power)
    part = fma(fma(r * r, polynomial(EXP[x.dtype], r), r), power, lost)
    denominator = total + part
    quotient = unit / denominator
    excess = ((denominator - total) - part) * (1 / unit)
    return fma(quotient * excess, quotient, quotient)
