"""Functions on the parts of a floating-point number: ldexp, frexp, and the reciprocal root."""

from __future__ import annotations

from gleed.compiler.kernel import (
    Node,
    abs,
    bitcast,
    cast,
    const,
    gt,
    lt,
    max_number,
    min_number,
    select,
    sqrt,
)
from gleed.compiler.mathlib.formats import INF, format_of, word


def rsqrt(x: Node) -> Node:
    """1 / √x."""
    return 1 / sqrt(x)


def integer_exponent(x: Node) -> Node:
    """The integer n with 2**n <= x < 2**(n + 1), for finite x > 0, subnormal or not."""
    form = format_of(x)
    tiny = lt(x, form.least_normal)
    stored = word(select(tiny, x * 2.0**form.precision, x)) >> form.precision
    return stored - select(tiny, const(form.bias + form.precision, form.integer), form.bias)


def power_of_two(n: Node, dtype: str) -> Node:
    """2**n for a word n in the range of normal numbers."""
    form = format_of(const(0, dtype))
    return bitcast((n + form.bias) << form.precision, dtype)


def scale(x: Node, n: Node) -> Node:
    """x · 2**n for a word n within three times the range of exponents, rounded once."""
    form = format_of(x)
    least, most = 1 - form.bias, form.bias
    down = least + form.precision + 1
    for _ in range(2):
        # A step down leaves a normal number, unless the result is 0 after rounding in any case.
        up = select(gt(n, most), const(most, n.dtype), 0)
        step = select(lt(n, least), down, up)
        x, n = x * power_of_two(step, x.dtype), n - step
    return x * power_of_two(min_number(most, max_number(least, n)), x.dtype)


def ldexp(x: Node, n: Node) -> Node:
    """x · 2**n for an integer n of the dtype of `x`."""
    form = format_of(x)
    limit = 3.0 * form.bias
    return scale(x, cast(min_number(limit, max_number(-limit, n)), form.integer))


def frexp_exponent(x: Node) -> Node:
    """The integer n, of the dtype of `x`, with ½ <= |x| / 2**n < 1; 0 for 0, infinity and NaN."""
    finite = gt(abs(x), 0) & lt(abs(x), INF)
    return select(finite, cast(integer_exponent(abs(x)) + 1, x.dtype), 0)


def frexp_mantissa(x: Node) -> Node:
    """x / 2**n with n = frexp_exponent(x)."""
    finite = gt(abs(x), 0) & lt(abs(x), INF)
    return select(finite, scale(x, -(integer_exponent(abs(x)) + 1)), x)
