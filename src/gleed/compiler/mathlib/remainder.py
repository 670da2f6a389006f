"""fmod and remainder, exactly, as a long division with almost a whole significand a step."""

from __future__ import annotations

from gleed.compiler.kernel import (
    Node,
    abs,
    eq,
    fma,
    gt,
    lt,
    max_number,
    min_number,
    ne,
    rarely,
    roundeven,
    select,
)
from gleed.compiler.mathlib.floating import integer_exponent, power_of_two, scale
from gleed.compiler.mathlib.formats import INF, NAN, format_of, sign_of, with_sign


def fmod(x: Node, y: Node) -> Node:
    """x - n·y with n = x / y rounded towards zero; the sign of x. NaN for infinite x and y = 0."""
    dividend, divisor = abs(x), abs(y)
    high, low = integer_exponent(dividend), integer_exponent(divisor)
    unit = scale(divisor, -low)
    rest = _remainder(scale(dividend, -high), unit, high - low)
    rest = select(lt(rest, 0), rest + unit, rest)
    result = select(lt(dividend, divisor), dividend, scale(rest, low))
    undefined = eq(y, 0) | ~lt(dividend, INF) | ne(y, y)
    return select(undefined, NAN, with_sign(result, sign_of(x)))


def _remainder(rest: Node, unit: Node, digits: Node) -> Node:
    """rest·2**digits modulo unit, between -unit and unit, for rest and unit in [1, 2). Two binary
    digits a step are spared, so that the rounding of the quotient does not lead out of bounds."""
    form = format_of(rest)
    step = form.precision - 2
    inverse = 1 / unit

    def reduce(rest: Node) -> Node:
        return fma(-roundeven(rest * inverse), unit, rest)

    def shift_and_reduce(rest: Node, digits: Node) -> Node:
        shift = min_number(step, max_number(0, digits))
        return reduce(rest * power_of_two(shift, rest.dtype))

    usual = longer = shift_and_reduce(reduce(rest), digits)
    for done in range(step, 2 * form.bias + form.precision, step):
        longer = shift_and_reduce(longer, digits - done)
    return rarely(gt(digits, step), longer, usual)


def remainder(x: Node, y: Node) -> Node:
    """x - n·y with n = x / y rounded down; the sign of y, as Python's %."""
    rest = fmod(x, y)
    return select(ne(rest, 0) & ne(lt(rest, 0), lt(y, 0)), rest + y, rest)
