"""Elementary functions as kernel IR: what `math` nodes become before code is emitted.

Each takes and gives nodes of dtype f32 or f64. No branches and no tables, so that the same nodes
serve any number of lanes. docs/accuracy.md states the errors, in units in the last place.
"""

from __future__ import annotations

from collections.abc import Callable

from gleed.compiler.kernel import Node
from gleed.compiler.mathlib import (
    error_function,
    exponential,
    floating,
    gamma,
    hyperbolic,
    inverse_trigonometric,
    logarithm,
    power,
    remainder,
    trigonometric,
)

_NAMES = {
    exponential: ("exp", "exp_term", "exp2", "expm1", "tanh", "sigmoid"),
    logarithm: ("log", "log2", "log10", "log1p", "softplus", "log_sigmoid"),
    power: ("pow",),
    trigonometric: ("sin", "cos", "tan"),
    inverse_trigonometric: ("asin", "acos", "atan", "atan2"),
    hyperbolic: ("sinh", "cosh", "asinh", "acosh", "atanh"),
    error_function: ("erf", "erfc", "erfinv"),
    gamma: ("lgamma", "digamma"),
    remainder: ("fmod", "remainder"),
    floating: ("rsqrt", "ldexp", "frexp_mantissa", "frexp_exponent"),
}

# A function's name -> its expansion.
LOWERINGS: dict[str, Callable[..., Node]] = {
    name: getattr(module, name) for module, names in _NAMES.items() for name in names
}
