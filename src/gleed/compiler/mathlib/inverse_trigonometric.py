"""asin, acos, atan and atan2: odd polynomials near 0, and identities that lead there."""

from __future__ import annotations

import math

from gleed.compiler.kernel import Node, abs, const, eq, fma, gt, lt, select, sqrt
from gleed.compiler.mathlib.coefficients import ASIN, ATAN, HALF_PI, PI, QUARTER_PI
from gleed.compiler.mathlib.formats import INF, format_of, polynomial, sign_of, with_sign, word


def _odd(x: Node, square: Node, coefficients: tuple[float, ...]) -> Node:
    """x + x³·(a polynomial in x²)."""
    return fma(x * square, polynomial(coefficients, square), x)


def _complement(total: tuple[float, ...], x: Node) -> Node:
    """total - x, the total given as an unevaluated sum."""
    return total[0] - (x - total[1])


def _half_or_whole_arc(x: Node) -> tuple[Node, Node]:
    """Whether a = |x| > ½, and asin(√((1 - a)/2)) there, asin(a) elsewhere."""
    magnitude = abs(x)
    steep = gt(magnitude, 0.5)
    square = select(steep, fma(magnitude, -0.5, 0.5), magnitude * magnitude)
    return steep, _odd(select(steep, sqrt(square), magnitude), square, ASIN[x.dtype])


def asin(x: Node) -> Node:
    """Beyond ½, π/2 - 2·asin(√((1 - a)/2)) with a = |x|."""
    steep, arc = _half_or_whole_arc(x)
    angle = select(steep, _complement(HALF_PI[x.dtype], arc + arc), arc)
    return with_sign(angle, sign_of(x))


def acos(x: Node) -> Node:
    """Beyond ½, 2·asin(√((1 - a)/2)) with a = |x|, or what it lacks to π; else π/2 - asin(x)."""
    steep, arc = _half_or_whole_arc(x)
    near_end = select(lt(x, 0), _complement(PI[x.dtype], arc + arc), arc + arc)
    signed = select(lt(x, 0), -arc, arc)
    return select(steep, near_end, _complement(HALF_PI[x.dtype], signed))


def _first_octant(low: Node, high: Node) -> Node:
    """atan(low / high) for 0 <= low <= high; beyond tan(π/8) it is π/4 + atan of another ratio."""
    dtype = low.dtype
    steep = gt(low, high * math.tan(math.pi / 8))
    numerator = select(steep, low - high, low)
    denominator = select(steep, low + high, high)
    ratio = numerator / denominator
    angle = _odd(ratio, ratio * ratio, ATAN[dtype])
    whole, rest = QUARTER_PI[dtype]
    return select(steep, whole + (angle + rest), angle)


def atan(x: Node) -> Node:
    """Beyond 1, π/2 - atan(1/|x|)."""
    magnitude = abs(x)
    one = const(1, x.dtype)
    beyond = gt(magnitude, 1)
    angle = _first_octant(select(beyond, one, magnitude), select(beyond, magnitude, one))
    angle = select(beyond, _complement(HALF_PI[x.dtype], angle), angle)
    return with_sign(angle, sign_of(x))


def atan2(y: Node, x: Node) -> Node:
    """The angle of the point (x, y), by octants; signed zeros and infinities as in C."""
    dtype = y.dtype
    rise, run = abs(y), abs(x)
    beyond = gt(rise, run)
    low, high = select(beyond, run, rise), select(beyond, rise, run)
    # Both infinite: the diagonal. Both zero: 0/1. Large ones are halved, so that sums are finite.
    diagonal = eq(rise, INF) & eq(run, INF)
    low, high = select(diagonal, 1, low), select(diagonal, 1, high)
    scale = select(gt(high, 2.0 ** (format_of(x).bias - 2)), const(0.25, dtype), 1)
    high = select(eq(high, 0), 1, high)
    angle = _first_octant(low * scale, high * scale)
    angle = select(beyond, _complement(HALF_PI[dtype], angle), angle)
    angle = select(lt(word(x), 0), _complement(PI[dtype], angle), angle)
    return with_sign(angle, sign_of(y))
