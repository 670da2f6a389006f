"""The logarithm of the gamma function, and its derivative.

Small arguments are moved to a unit interval by the recurrence, large ones use Stirling's series,
negative ones the reflection formula (NIST, "Digital Library of Mathematical Functions", chapter 5).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from gleed.compiler.kernel import (
    Node,
    abs,
    cast,
    const,
    eq,
    fma,
    ge,
    gt,
    lt,
    rarely,
    roundeven,
    select,
)
from gleed.compiler.mathlib.coefficients import (
    DIGAMMA,
    DIGAMMA_TAIL,
    DIGAMMA_ZERO,
    LGAMMA,
    STIRLING,
)
from gleed.compiler.mathlib.formats import INF, NAN, format_of, polynomial
from gleed.compiler.mathlib.logarithm import log
from gleed.compiler.mathlib.trigonometric import sine

# Stirling's series is used from here on: a half-integer for lgamma, an integer for digamma.
LGAMMA_LARGE = {"f32": 4.5, "f64": 8.5}
DIGAMMA_LARGE = {"f32": 5, "f64": 8}


def lgamma(x: Node) -> Node:
    """log |Γ(x)|."""
    return _reflected_below_0(x, _lgamma_of_positive, _lgamma_of_negative)


def digamma(x: Node) -> Node:
    """Γ'(x) / Γ(x)."""
    return _reflected_below_0(x, _digamma_of_positive, _digamma_of_negative)


def _reflected_below_0(
    x: Node, positive: Callable[[Node], Node], negative: Callable[[Node], Node]
) -> Node:
    """Negative arguments are the rare ones; as terms cancel there, f32 takes them in f64."""
    below = cast(negative(cast(x, "f64")), x.dtype)
    return rarely(lt(x, 0), below, positive(x))


def _lgamma_of_negative(x: Node) -> Node:
    """By Γ(x)·Γ(1 - x) = π / sin(πx)."""
    distance, angle, quadrant = _half_turns(x)
    logarithm = log(sine(angle, quadrant) * (1 / math.pi))
    pole = eq(x, -INF) | eq(distance, 0)
    return select(pole, INF, -(logarithm + _lgamma_of_positive(1 - x)))


def _digamma_of_negative(x: Node) -> Node:
    """By digamma(x) = digamma(1 - x) - π·cot(πx)."""
    distance, angle, quadrant = _half_turns(x)
    cotangent = sine(angle, 1 - quadrant) / sine(angle, quadrant)
    cotangent = select(lt(distance, 0), -cotangent, cotangent)
    value = fma(cotangent, -math.pi, _digamma_of_positive(1 - x))
    return select(eq(distance, 0), NAN, value)


def _lgamma_of_positive(x: Node) -> Node:
    """By v = x - 2 - k in [-½, ½): lgamma(2 + v) = v·(1 + v)·(a polynomial), and log Γ(x) is that
    and the logarithm of a product; or by Stirling's series. Both share one logarithm."""
    dtype = x.dtype
    large = ge(x, LGAMMA_LARGE[dtype])
    up_once, up_twice = lt(x, 1.5), lt(x, 0.5)
    v = select(up_twice, x, select(up_once, x - 1, x - 2))
    product = select(up_once, x, 1) * select(up_twice, x + 1, 1)
    for k in range(1, int(LGAMMA_LARGE[dtype] - 1.5)):
        down = ge(x, k + 1.5)
        factor = x - k
        product = select(down, product * factor, product)
        v = select(down, factor - 2, v)
    logarithm = log(select(large, x, product))
    near = fma(v, (v + 1) * polynomial(LGAMMA[dtype], v), select(up_once, -logarithm, logarithm))
    inverse = 1 / x
    tail = inverse * polynomial(STIRLING[dtype], inverse * inverse)
    constant = (math.log(2 * math.pi) - 1) / 2
    far = fma(x - 0.5, logarithm - 1, tail + constant)
    return select(large, far, near)


def _half_turns(x: Node) -> tuple[Node, Node, Node]:
    """x - n for the nearest integer n, and |x - n|·π as a quadrant and an angle in it: exact
    arithmetic, so that the sine of an integer number of half turns is 0."""
    distance = x - roundeven(x)
    far = gt(abs(distance), 0.25)
    angle = select(far, 0.5 - abs(distance), abs(distance)) * math.pi
    return distance, angle, cast(far, format_of(x).integer)


def _digamma_of_positive(x: Node) -> Node:
    """By the recurrence to v in [1, 2], where digamma(v) = (v - root)·(a polynomial), and a sum of
    fractions; or by the asymptotic series."""
    dtype = x.dtype
    below = lt(x, 1)
    v = select(below, x + 1, x)
    numerator, denominator = select(below, const(-1, dtype), 0), select(below, x, 1)
    for k in range(1, DIGAMMA_LARGE[dtype] - 1):
        down = gt(x, k + 1)
        term = x - k
        numerator = select(down, fma(numerator, term, denominator), numerator)
        denominator = select(down, denominator * term, denominator)
        v = select(down, term, v)
    root, rest = DIGAMMA_ZERO[dtype]
    # v - root, from x itself where v = x + 1 was rounded.
    above_root = select(below, x + (1 - root), v - root) - rest
    near = fma(above_root, polynomial(DIGAMMA[dtype], v - 1.5), numerator / denominator)
    inverse = 1 / x
    square = inverse * inverse
    tail = fma(square, polynomial(DIGAMMA_TAIL[dtype], square), inverse * -0.5)
    return select(gt(x, DIGAMMA_LARGE[dtype]), log(x) + tail, near)
