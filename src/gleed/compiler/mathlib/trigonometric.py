"""sin, cos and tan: series for the sine and cosine of an angle reduced to a quadrant."""

from __future__ import annotations

from gleed.compiler.kernel import Node, abs, const, eq, fma, select
from gleed.compiler.mathlib.angle import by_quadrant
from gleed.compiler.mathlib.coefficients import COS, SIN
from gleed.compiler.mathlib.formats import flip_sign, format_of, polynomial, sign_of


def sin(x: Node) -> Node:
    """The sine; x in radians."""
    return flip_sign(by_quadrant(abs(x), sine), sign_of(x))


def cos(x: Node) -> Node:
    """The cosine; x in radians."""
    return by_quadrant(abs(x), lambda r, n: sine(r, n + 1))


def tan(x: Node) -> Node:
    """The tangent; x in radians."""
    return flip_sign(by_quadrant(abs(x), _tangent), sign_of(x))


def sine(r: Node, quadrant: Node) -> Node:
    """sin(quadrant·π/2 + r) for |r| <= π/4: one polynomial, whose coefficients are chosen."""
    form = format_of(r)
    whole = eq(quadrant & 1, 0)
    square = r * r
    pairs = zip(SIN[r.dtype], COS[r.dtype], strict=True)
    series = polynomial([select(whole, const(s, r.dtype), c) for s, c in pairs], square)
    value = fma(select(whole, square * r, square), series, select(whole, r, 1))
    return flip_sign(value, (quadrant << (form.width - 2)) & form.sign_mask)


def _tangent(r: Node, quadrant: Node) -> Node:
    """sin(r) / cos(r), or -cos(r) / sin(r) in odd quadrants."""
    square = r * r
    sine_of_r = fma(square * r, polynomial(SIN[r.dtype], square), r)
    cosine_of_r = fma(square, polynomial(COS[r.dtype], square), 1)
    whole = eq(quadrant & 1, 0)
    ratio = select(whole, sine_of_r, cosine_of_r) / select(whole, cosine_of_r, sine_of_r)
    return flip_sign(ratio, quadrant << (format_of(r).width - 1))
