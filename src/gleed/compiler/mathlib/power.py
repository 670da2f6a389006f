"""pow: 2**(y·log2|x|), the logarithm carried to more bits than the result has.

For f32 everything is computed in f64. For f64 the logarithm is an unevaluated sum of two numbers
(Dekker, "A floating-point technique for extending the available precision", 1971). Powers that
people write most, such as squares, are products, quotients and roots, beside branches to the rest.
"""

from __future__ import annotations

from gleed.compiler.kernel import (
    Node,
    abs,
    cast,
    const,
    eq,
    fma,
    gt,
    lt,
    ne,
    rarely,
    select,
    sqrt,
    trunc,
)
from gleed.compiler.mathlib.coefficients import ATANH_TAIL, THIRD, TWICE_LOG2_E
from gleed.compiler.mathlib.exponential import exp2, exp2_of_sum
from gleed.compiler.mathlib.formats import (
    INF,
    NAN,
    fast_two_sum,
    polynomial,
    two_product,
    two_sum,
    word,
)
from gleed.compiler.mathlib.logarithm import exponent_and_fraction, log2


def pow(x: Node, y: Node) -> Node:
    """x ** y, with the special cases of C's pow."""
    product = eq(y, 1) | eq(y, 2)
    simple = eq(y, 3) | eq(y, -1) | eq(abs(y), 0.5)
    others = rarely(~(product | simple), _any_power(x, y), select(eq(y, 1), x, x * x))
    return rarely(simple, _simple_power(x, y), others)


def _simple_power(x: Node, y: Node) -> Node:
    """x ** y for the powers 3, -1, 0.5 and -0.5; the root of zero is positive."""
    root = select(eq(x, -INF), INF, sqrt(x) + 0.0)
    inverse = 1 / select(eq(y, -1), x, root)
    return select(eq(y, 3), x * x * x, select(eq(y, 0.5), root, inverse))


def _any_power(x: Node, y: Node) -> Node:
    base = abs(x)
    magnitude = _pow_f32(base, y) if x.dtype == "f32" else _pow_f64(base, y)
    unity = eq(x, 1) | eq(y, 0) | (eq(base, 1) & eq(abs(y), INF))
    magnitude = select(unity, 1, magnitude)
    whole = eq(trunc(y), y)
    half = y * 0.5
    odd = whole & ne(trunc(half), half)
    result = select(odd & lt(word(x), 0), -magnitude, magnitude)
    return select(lt(x, 0) & gt(x, -INF) & ne(trunc(y), y), NAN, result)


def _pow_f32(base: Node, y: Node) -> Node:
    return cast(exp2(log2(cast(base, "f64")) * cast(y, "f64")), "f32")


def _pow_f64(base: Node, y: Node) -> Node:
    high, low = _log2_parts(base)
    limit = select(eq(base, 0), -INF, base)
    bounded = gt(base, 0) & lt(base, INF)
    product, error = two_product(select(bounded, high, limit), y)
    error = select(bounded & lt(abs(product), 2048), fma(low, y, error), 0)
    return exp2_of_sum(product, error)


def _log2_parts(x: Node) -> tuple[Node, Node]:
    """log2(x) as an unevaluated sum, for finite x > 0: k + 2·log2(e)·(s + s³·(⅓ + s²·tail))."""
    k, m = exponent_and_fraction(x)
    s, s_low = _atanh_argument(m)
    square, square_low = two_product(s, s)
    square_low = fma(s + s, s_low, square_low)
    tail = polynomial(ATANH_TAIL[x.dtype], square)
    third, third_low = (const(part, x.dtype) for part in THIRD[x.dtype])
    product, product_low = two_product(square, third)
    product_low = product_low + fma(square_low, third, square * third_low)
    series, series_low = fast_two_sum(product, fma(square * square, tail, product_low))
    cubic, cubic_low = two_product(s, series)
    cubic_low = cubic_low + fma(s, series_low, s_low * series)
    half_log, half_log_low = fast_two_sum(s, cubic)
    half_log_low = half_log_low + (cubic_low + s_low)
    factor, factor_low = (const(part, x.dtype) for part in TWICE_LOG2_E[x.dtype])
    fraction, fraction_low = two_product(half_log, factor)
    fraction_low = fraction_low + fma(half_log_low, factor, half_log * factor_low)
    total, total_low = two_sum(k, fraction)
    return fast_two_sum(total, total_low + fraction_low)


def _atanh_argument(m: Node) -> tuple[Node, Node]:
    """s = (m - 1) / (m + 1) as an unevaluated sum; log(m) = 2·atanh(s)."""
    numerator = m - 1
    denominator, lost = two_sum(m, 1)
    inverse = 1 / denominator
    s = numerator * inverse
    rest = fma(-s, lost, fma(-s, denominator, numerator))
    return s, rest * inverse
