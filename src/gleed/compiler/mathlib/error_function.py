"""The error function and its relatives."""

from __future__ import annotations

from itertools import zip_longest

from gleed.compiler.kernel import Node, abs, const, eq, fma, gt, lt, min_number, select, sqrt
from gleed.compiler.mathlib.coefficients import ERF, ERFC_ROOT, ERFCX, ERFINV
from gleed.compiler.mathlib.exponential import exp
from gleed.compiler.mathlib.formats import INF, polynomial, sign_of, two_product, with_sign
from gleed.compiler.mathlib.logarithm import log

# End of the series in x², centre of the series for the root, where erf rounds to 1, and the binary
# logarithm of the degree of the root.
ERF_RANGES = {"f32": (1.25, 2.625, 3.95, 2), "f64": (1.3, 3.5, 5.95, 3)}
# (centre of the ratio, where erfc rounds to 0)
ERFC_RANGES = {"f32": (2.0, 10.1), "f64": (4.0, 27.3)}


def erf(x: Node) -> Node:
    """An odd polynomial near 0, else 1 - vⁿ, where v, the n-th root of erfc(|x|), is a polynomial:
    short, because the root decays slowly; n is small, because the power multiplies errors.

    The two polynomials are one whose coefficients are chosen, which takes fewer multiplications.
    """
    dtype = x.dtype
    end, centre, bound, doublings = ERF_RANGES[dtype]
    magnitude = min_number(bound, abs(x))
    small = lt(magnitude, end)
    variable = select(small, magnitude * magnitude, magnitude - centre)
    value = polynomial(
        [
            select(small, const(near, dtype), far)
            for near, far in zip_longest(ERF[dtype], ERFC_ROOT[dtype], fillvalue=0.0)
        ],
        variable,
    )
    power = value
    for _ in range(doublings - 1):
        power = power * power
    large = fma(power, -power, 1)
    return with_sign(select(small, fma(magnitude, value, magnitude), large), sign_of(x))


def erfc(x: Node) -> Node:
    """exp(-a²)·g / (1 + 2a) with a = |x|; g is a polynomial in (a - k) / (a + k), as in
    Schonfelder, "Chebyshev expansions for the error and related functions" (1978)."""
    dtype = x.dtype
    centre, bound = ERFC_RANGES[dtype]
    magnitude = min_number(bound, abs(x))
    ratio = (magnitude - centre) / (magnitude + centre)
    tail = polynomial(ERFCX[dtype], ratio) / fma(magnitude, 2, 1)
    square, error = two_product(magnitude, magnitude)
    value = exp(-square) * tail
    value = fma(-error, value, value)
    return select(lt(x, 0), 2 - value, value)


def erfinv(x: Node) -> Node:
    """x·(a polynomial in w or √w) with w = -log(1 - x²), after Giles, "Approximating the erfinv
    function" (2010)."""
    dtype = x.dtype
    w = -log((1 - x) * (1 + x))
    root = sqrt(w)
    pieces = ERFINV[dtype]
    variable, coefficients = w - pieces[0][1], [const(c, dtype) for c in pieces[0][2]]
    for start, centre, series in pieces[1:]:
        beyond = gt(w, start)
        variable = select(beyond, root - centre, variable)
        padded = zip_longest(coefficients, series, fillvalue=0.0)
        coefficients = [select(beyond, const(far, dtype), near) for near, far in padded]
    return select(eq(abs(x), 1), x * INF, x * polynomial(coefficients, variable))
