"""sinh and cosh from the exponential, their inverses and that of tanh from the logarithm."""

from __future__ import annotations

import math

from gleed.compiler.kernel import Node, abs, fma, gt, lt, min_number, select, sqrt
from gleed.compiler.mathlib.exponential import quarter_exp, quarter_expm1
from gleed.compiler.mathlib.formats import NAN, format_of, sign_of, with_sign
from gleed.compiler.mathlib.logarithm import log1p

# From here on x² + 1 is x² after rounding, and x + √(x² ± 1) is 2x.
LARGE = {"f32": 2.0**30, "f64": 2.0**60}


def sinh(x: Node) -> Node:
    """(e + e / (e + 1)) / 2 with e = expm1(|x|) = 4q."""
    magnitude = abs(x)
    quarter = quarter_expm1(magnitude)
    finite = min_number(LARGE[x.dtype], quarter)
    result = fma(quarter, 2, (finite + finite) / fma(finite, 4, 1))
    tiny = lt(magnitude, format_of(x).epsilon)
    return with_sign(select(tiny, magnitude, result), sign_of(x))


def cosh(x: Node) -> Node:
    """2q + 1 / (8q) with q = exp(|x|) / 4."""
    quarter = quarter_exp(abs(x))
    return fma(quarter, 2, 0.125 / quarter)


def asinh(x: Node) -> Node:
    """log(a + √(a² + 1)) with a = |x|, as log1p of what exceeds 1."""
    magnitude = abs(x)
    large = gt(magnitude, LARGE[x.dtype])
    square = magnitude * magnitude
    excess = magnitude + square / (sqrt(square + 1) + 1)
    return with_sign(_log1p_or_log_of_double(large, excess, magnitude), sign_of(x))


def acosh(x: Node) -> Node:
    """log(x + √(x² - 1)), as log1p of what exceeds 1."""
    large = gt(x, LARGE[x.dtype])
    above = x - 1
    excess = above + sqrt(above * (above + 2))
    return select(lt(x, 1), NAN, _log1p_or_log_of_double(large, excess, x))


def atanh(x: Node) -> Node:
    """log1p(2a / (1 - a)) / 2 with a = |x|."""
    magnitude = abs(x)
    double = magnitude + magnitude
    return with_sign(log1p(double / (1 - magnitude)) * 0.5, sign_of(x))


def _log1p_or_log_of_double(large: Node, excess: Node, x: Node) -> Node:
    logarithm = log1p(select(large, x, excess))
    return select(large, logarithm + math.log(2), logarithm)
