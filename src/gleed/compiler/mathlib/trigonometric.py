"""sin, cos and tan: |x| = n·π/2 + r with |r| <= π/4, and a series for the sine or cosine of r.

Up to REDUCTION_BOUND the reduction is that of Cody & Waite, "Software Manual for the Elementary
Functions" (1980), with π/2 in three parts and fused multiply-adds.
"""

from __future__ import annotations

import math

from gleed.compiler.kernel import Node, abs, const, eq, fma, select
from gleed.compiler.mathlib.coefficients import COS, HALF_PI, SIN
from gleed.compiler.mathlib.formats import flip_sign, format_of, polynomial, sign_of, word

REDUCTION_BOUND = {"f32": 2.0**17, "f64": 2.0**30}


def reduce_angle(x: Node) -> tuple[Node, Node]:
    """r = x - n·π/2 for x >= 0, and a word with n in its lowest bits."""
    form = format_of(x)
    shifted = fma(x, 2 / math.pi, form.shifter)
    n = shifted - form.shifter
    for part in HALF_PI[x.dtype]:
        x = fma(n, -part, x)
    return x, word(shifted)


def _sine_near_zero(r: Node, square: Node) -> Node:
    return fma(square * r, polynomial(SIN[r.dtype], square), r)


def _cosine_near_zero(square: Node) -> Node:
    return fma(square, polynomial(COS[square.dtype], square), 1)


def sine(r: Node, quadrant: Node) -> Node:
    """sin(quadrant·π/2 + r) for |r| <= π/4: one polynomial, whose coefficients are chosen."""
    form = format_of(r)
    whole = eq(quadrant & 1, 0)
    square = r * r
    pairs = zip(SIN[r.dtype], COS[r.dtype], strict=True)
    series = polynomial([select(whole, const(s, r.dtype), c) for s, c in pairs], square)
    value = fma(select(whole, square * r, square), series, select(whole, r, 1))
    return flip_sign(value, (quadrant << (form.width - 2)) & form.sign_mask)


def sin(x: Node) -> Node:
    """The sine; x in radians."""
    return flip_sign(sine(*reduce_angle(abs(x))), sign_of(x))


def cos(x: Node) -> Node:
    """The cosine; x in radians."""
    r, n = reduce_angle(abs(x))
    return sine(r, n + 1)


def tan(x: Node) -> Node:
    """The tangent; x in radians: sin(r) / cos(r), or -cos(r) / sin(r) in odd quadrants."""
    r, n = reduce_angle(abs(x))
    square = r * r
    sine_of_r, cosine_of_r = _sine_near_zero(r, square), _cosine_near_zero(square)
    whole = eq(n & 1, 0)
    ratio = select(whole, sine_of_r, cosine_of_r) / select(whole, cosine_of_r, sine_of_r)
    return flip_sign(ratio, (n << (format_of(x).width - 1)) ^ sign_of(x))
