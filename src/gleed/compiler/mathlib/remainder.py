"""fmod and remainder, exactly, as a long division with one digit of a whole significand a step."""

from __future__ import annotations

from gleed.compiler.kernel import (
    Node,
    abs,
    bitcast,
    eq,
    fma,
    lt,
    max_number,
    min_number,
    ne,
    roundeven,
    select,
)
from gleed.compiler.mathlib.floating import integer_exponent, scale
from gleed.compiler.mathlib.formats import INF, NAN, format_of, sign_of, with_sign


def fmod(x: Node, y: Node) -> Node:
    """x - n·y with n = x / y rounded towards zero; the sign of x. NaN for infinite x and y = 0."""
    form = format_of(x)
    dividend, divisor = abs(x), abs(y)
    high, low = integer_exponent(dividend), integer_exponent(divisor)
    unit = scale(divisor, -low)
    inverse = 1 / unit
    rest = scale(dividend, -high)
    digits = high - low
    step = form.precision - 2
    most = 2 * form.bias + form.precision
    for done in range(0, most + 1, step):
        if done:
            shift = min_number(step, max_number(0, digits))
            rest = rest * bitcast((shift + form.bias) << form.precision, x.dtype)
            digits = digits - step
        rest = fma(-roundeven(rest * inverse), unit, rest)
    rest = select(lt(rest, 0), rest + unit, rest)
    result = select(lt(dividend, divisor), dividend, scale(rest, low))
    undefined = eq(y, 0) | ~lt(dividend, INF) | ne(y, y)
    return select(undefined, NAN, with_sign(result, sign_of(x)))


def remainder(x: Node, y: Node) -> Node:
    """x - n·y with n = x / y rounded down; the sign of y, as Python's %."""
    rest = fmod(x, y)
    return select(ne(rest, 0) & ne(lt(rest, 0), lt(y, 0)), rest + y, rest)
