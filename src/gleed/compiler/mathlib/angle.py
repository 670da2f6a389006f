"""Reduction of angles: x = n·π/2 + r with |r| <= π/4."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

from gleed.compiler.kernel import (
    Node,
    cast,
    const,
    eq,
    fma,
    gt,
    lshr,
    lt,
    rarely,
    select,
)
from gleed.compiler.mathlib.coefficients import HALF_PI, TWO_OVER_PI_WORDS
from gleed.compiler.mathlib.formats import F64, fast_two_sum, format_of, word

# Up to here three parts of π/2 suffice.
MODERATE = {"f32": 2.0**17, "f64": 2.0**30}
_LOW_HALF = (1 << 32) - 1
_ROUNDED_OFF = 11  # bits of a 64-bit word that f64 does not hold


def by_quadrant(x: Node, function: Callable[[Node, Node], Node]) -> Node:
    """function(r, n) for x >= 0, given the word n in its lowest two bits."""
    usual, huge = function(*_reduce_moderate(x)), function(*_reduce_huge(x))
    return rarely(gt(x, MODERATE[x.dtype]), huge, usual)


def _reduce_moderate(x: Node) -> tuple[Node, Node]:
    """Cody & Waite, "Software Manual for the Elementary Functions" (1980), with fused
    multiply-adds: the first is exact."""
    form = format_of(x)
    shifted = fma(x, 2 / math.pi, form.shifter)
    n = shifted - form.shifter
    for part in HALF_PI[x.dtype]:
        x = fma(n, -part, x)
    return x, word(shifted)


def _reduce_huge(x: Node) -> tuple[Node, Node]:
    """Payne & Hanek, "Radian reduction for trigonometric functions" (1983): of the product of x
    and 2/π only the bits below 4 matter, so only some bits of 2/π do."""
    wide = cast(x, "f64")
    bits = word(wide)
    significand = (bits & ~F64.exponent_mask) | (1 << F64.precision)
    exponent = (bits >> F64.precision) - (F64.bias + F64.precision)
    # significand·(bits of 2/π after the first `exponent - 2`) = x·(2/π)/4, but for whole numbers.
    first, second, third = _window(exponent + 62)
    high, low = _times_fraction(significand, first, second, third)
    quadrant = lshr(high, 62) + (lshr(high, 61) & 1)
    high, low = high << 2 | lshr(low, 62), low << 2
    sign = high >> 63
    r = _quarter_turns(high ^ sign, low ^ sign)
    r = select(lt(sign, 0), -r, r) + (wide - wide)
    return cast(r, x.dtype), cast(quadrant, format_of(x).integer)


def _window(position: Node) -> list[Node]:
    """Three 64-bit words from a bit position of 2/π, to which 64 zero bits are prefixed."""
    words: list[Node] = [const(w, "i64") for w in (0, *TWO_OVER_PI_WORDS)]
    zero = const(0, "i64")
    index, shift = position >> 6, position & 63
    for step in (16, 8, 4, 2, 1):
        further = eq(index & step, step)
        kept = step + 3
        words += [zero] * (kept + step - len(words))
        words = [select(further, words[k + step], words[k]) for k in range(kept)]
    return [here << shift | lshr(after, 64 - shift) for here, after in pairwise(words)]


def _times_fraction(m: Node, first: Node, second: Node, third: Node) -> tuple[Node, Node]:
    """m·(first·2⁻⁶⁴ + second·2⁻¹²⁸ + third·2⁻¹⁹²) modulo 1, as two words."""
    upper = _high_product(m, third)
    low = m * second + upper
    carry = cast(lt(low ^ F64.sign_mask, upper ^ F64.sign_mask), "i64")
    return m * first + _high_product(m, second) + carry, low


def _high_product(x: Node, y: Node) -> Node:
    """The upper 64 bits of the product of two unsigned words."""
    x_high, x_low = lshr(x, 32), x & _LOW_HALF
    y_high, y_low = lshr(y, 32), y & _LOW_HALF
    first, second = x_low * y_high, x_high * y_low
    middle = lshr(x_low * y_low, 32) + (first & _LOW_HALF) + (second & _LOW_HALF)
    return x_high * y_high + lshr(first, 32) + lshr(second, 32) + lshr(middle, 32)


def _quarter_turns(high: Node, low: Node) -> Node:
    """(high·2⁻⁶⁴ + low·2⁻¹²⁸)·π/2 for an unsigned fraction below ½, rounded once."""
    exact = cast(high & -(1 << _ROUNDED_OFF), "f64") * 2.0**-64
    rest = cast(high & ((1 << _ROUNDED_OFF) - 1), "f64") * 2.0**-64
    tail = cast(lshr(low, _ROUNDED_OFF), "f64") * 2.0 ** (_ROUNDED_OFF - 128)
    turns, error = fast_two_sum(exact, rest + tail)
    whole, part, _ = HALF_PI["f64"]
    return fma(turns, whole, fma(turns, part, error * whole))
