"""Logarithms: x = 2**k · m with m in [√½, √2), and a series for log(m).

The series for f64 in s = (m - 1) / (m + 1) follows Muller, "Elementary Functions" (3rd ed., 2016).
"""

from __future__ import annotations

import math

from gleed.compiler.kernel import Node, abs, bitcast, cast, eq, fma, lt, maximum, minimum, select
from gleed.compiler.mathlib.coefficients import LN2, LOG, LOG2_E, LOG10_2, LOG10_E
from gleed.compiler.mathlib.exponential import exp
from gleed.compiler.mathlib.formats import INF, NAN, format_of, polynomial, two_sum, word


def exponent_and_fraction(x: Node) -> tuple[Node, Node]:
    """k (of the dtype of `x`) and m in [√½, √2) with x = 2**k · m, for finite x > 0."""
    form = format_of(x)
    tiny = lt(x, form.least_normal)
    scaled = word(select(tiny, x * 2.0**form.precision, x))
    offset = scaled - form.bits(math.sqrt(0.5))
    k = cast(offset >> form.precision, x.dtype)
    k = select(tiny, k - form.precision, k)
    return k, bitcast(scaled - (offset & form.exponent_mask), x.dtype)


def log_of_fraction(f: Node) -> Node:
    """log(1 + f) - f, for 1 + f in [√½, √2)."""
    coefficients = LOG[f.dtype]
    if f.dtype == "f32":
        return (f * f) * fma(f, polynomial(coefficients, f), -0.5)
    s = f / (f + 2)
    square = s * s
    half = f * f * 0.5
    return fma(s, fma(square, polynomial(coefficients, square), half), -half)


def _where_defined(x: Node, result: Node) -> Node:
    """The limits of the logarithm where x is no finite positive number."""
    result = select(lt(x, INF), result, x)
    return select(eq(x, 0), -INF, select(lt(x, 0), NAN, result))


def _combine(k: Node, f: Node, rest: Node) -> Node:
    """k·log(2) + f + rest, the smallest terms first."""
    high, low = LN2[f.dtype]
    return fma(k, high, f + fma(k, low, rest))


def _in_base(x: Node, unit: tuple[float, float], factor: tuple[float, float]) -> Node:
    """log(x)·factor = k·unit + (f + rest)·factor; unit and factor are unevaluated sums."""
    k, m = exponent_and_fraction(x)
    f = m - 1
    small = fma(log_of_fraction(f), factor[0], fma(f, factor[1], k * unit[1]))
    return _where_defined(x, fma(k, unit[0], fma(f, factor[0], small)))


def log(x: Node) -> Node:
    """The natural logarithm."""
    k, m = exponent_and_fraction(x)
    f = m - 1
    return _where_defined(x, _combine(k, f, log_of_fraction(f)))


def log2(x: Node) -> Node:
    """The logarithm to base 2, exact for powers of 2."""
    return _in_base(x, (1.0, 0.0), LOG2_E[x.dtype])


def log10(x: Node) -> Node:
    """The logarithm to base 10."""
    return _in_base(x, LOG10_2[x.dtype], LOG10_E[x.dtype])


def log1p(x: Node) -> Node:
    """The logarithm of 1 + x, whose rounding error is scaled and added to the fraction."""
    form = format_of(x)
    total, lost = two_sum(x, 1)
    k, m = exponent_and_fraction(total)
    power = bitcast(form.bits(1.0) - (cast(k, form.integer) << form.precision), x.dtype)
    f = (m - 1) + select(lt(x, 2.0**form.precision), lost * power, 0)
    result = _where_defined(total, _combine(k, f, log_of_fraction(f)))
    return select(lt(abs(x), form.epsilon / 2), x, result)


def softplus(x: Node) -> Node:
    """log(1 + exp(x)), which does not overflow."""
    return maximum(x, 0) + log1p(exp(-abs(x)))


def log_sigmoid(x: Node) -> Node:
    """log(1 / (1 + exp(-x))) = -softplus(-x)."""
    return minimum(x, 0) - log1p(exp(-abs(x)))
