"""Derive the coefficients of the elementary functions, in gleed/compiler/mathlib/coefficients.py.

    pip install mpmath
    python tools/fit_polynomials.py [NAME …]

Each polynomial minimises the greatest weighted error on an interval, by Remez's exchange algorithm
on a fine grid (Muller, "Elementary Functions", 3rd ed., 2016, chapter 3). Its coefficients are then
rounded one after the other, the lowest first, and those that remain are fitted again, so that they
make up for the rounding. With names, only those fits are made and printed; else all, and the file
is written.
"""

from __future__ import annotations

import struct
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from mpmath import mp, mpf

TARGET = Path(__file__).parents[1] / "src/gleed/compiler/mathlib/coefficients.py"
DTYPES = ("f32", "f64")
Function = Callable[[mpf], mpf]
mp.prec = 200


def rounded(value: mpf, dtype: str) -> mpf:
    """The nearest number of a dtype."""
    value = float(value)
    return mpf(struct.unpack("<f", struct.pack("<f", value))[0] if dtype == "f32" else value)


def parts(value: mpf, dtype: str, count: int) -> tuple[float, ...]:
    """`value` as an unevaluated sum of numbers of a dtype."""
    found = []
    for _ in range(count):
        found.append(rounded(value, dtype))
        value -= found[-1]
    return tuple(float(part) for part in found)


# ---- minimax polynomials -----------------------------------------------------------------------


@dataclass(frozen=True)
class Fit:
    """A polynomial of `terms[dtype]` coefficients in `variable(x)`, on `interval[dtype]`, for which
    (function - polynomial)·weight is least."""

    function: Function
    terms: dict[str, int]
    interval: dict[str, tuple[float, float]]
    weight: Function
    variable: Function = field(default=lambda x: x)


def exchange(values: Sequence[mpf], basis: Sequence[Sequence[mpf]]) -> tuple[list[mpf], mpf]:
    """Remez's algorithm on a grid: the best coefficients and the greatest error."""
    points, terms = len(values), len(basis[0])
    spread = [(1 - mp.cos(mp.pi * i / terms)) / 2 for i in range(terms + 1)]
    chosen = [int(mp.nint((points - 1) * s)) for s in spread]
    for i in range(1, len(chosen)):
        chosen[i] = max(chosen[i], chosen[i - 1] + 1)
    coefficients, worst = [], mpf(0)
    for _ in range(40):
        rows = [[*basis[p], mpf((-1) ** i)] for i, p in enumerate(chosen)]
        solution = list(mp.lu_solve(mp.matrix(rows), mp.matrix([values[p] for p in chosen])))
        coefficients, level = solution[:-1], abs(solution[-1])
        errors = [v - mp.fdot(coefficients, b) for v, b in zip(values, basis, strict=True)]
        worst = max(abs(e) for e in errors)
        extrema = alternating_extrema(errors, terms + 1)
        if worst <= level * (1 + mpf(10) ** -4) or len(extrema) <= terms:
            break
        chosen = extrema
    return coefficients, worst


def alternating_extrema(errors: Sequence[mpf], count: int) -> list[int]:
    """Indices of the greatest extrema of alternating sign, `count` at most."""
    found: list[int] = []
    for i, error in enumerate(errors):
        if found and (error > 0) == (errors[found[-1]] > 0):
            if abs(error) > abs(errors[found[-1]]):
                found[-1] = i
        elif error != 0:
            found.append(i)
    while len(found) > count:
        if len(found) == count + 1:
            found.pop(0 if abs(errors[found[0]]) < abs(errors[found[-1]]) else -1)
        else:
            heights = [max(abs(errors[a]), abs(errors[b])) for a, b in pairwise(found)]
            weakest = heights.index(min(heights))
            del found[weakest : weakest + 2]
    return found


def solve(fit: Fit, dtype: str) -> tuple[tuple[float, ...], float]:
    """The rounded coefficients of a fit, and the binary logarithm of its greatest error."""
    low, high = (mpf(bound) for bound in fit.interval[dtype])
    terms = fit.terms[dtype]
    points = 24 * (terms + 2)
    angles = [mp.pi * (i + mpf(1) / 2) / points for i in range(points)]
    xs = [(low + high) / 2 - (high - low) / 2 * mp.cos(a) for a in angles]
    weights, variables = [mpf(fit.weight(x)) for x in xs], [fit.variable(x) for x in xs]
    values = [fit.function(x) * w for x, w in zip(xs, weights, strict=True)]
    basis = [[v**k * w for k in range(terms)] for v, w in zip(variables, weights, strict=True)]

    def error(coefficients: Sequence[mpf]) -> mpf:
        pairs = zip(values, basis, strict=True)
        return max(abs(v - mp.fdot(coefficients, b)) for v, b in pairs)

    best, _ = exchange(values, basis)
    at_once = [rounded(c, dtype) for c in best]
    in_turn: list[mpf] = []
    while len(in_turn) < terms:
        done = len(in_turn)
        rest = [v - mp.fdot(in_turn, b[:done]) for v, b in zip(values, basis, strict=True)]
        again, _ = exchange(rest, [b[done:] for b in basis])
        in_turn.append(rounded(again[0], dtype))
    # Where a basis has a zero inside the interval the exchange need not converge.
    found = min(at_once, in_turn, key=error)
    return tuple(float(c) for c in found), float(mp.log(error(found), 2))


# ---- what is fitted ----------------------------------------------------------------------------


def square(x: mpf) -> mpf:
    return x * x


def both(low: float | mpf, high: float | mpf) -> dict[str, tuple]:
    """The same interval for both dtypes."""
    return dict.fromkeys(DTYPES, (low, high))


def odd(function: Function, f32: int, f64: int, end: float | mpf) -> Fit:
    """(function(x) - x) / x³ in x², for the least relative error of the function on [0, end]."""
    return Fit(
        lambda x: (function(x) - x) / x**3,
        {"f32": f32, "f64": f64},
        both("1e-6", end),
        lambda x: x**3 / function(x),
        square,
    )


def second_order(x: mpf) -> mpf:
    """(exp(x) - 1 - x) / x²."""
    return (mp.expm1(x) - x) / x**2 if x else mpf(1) / 2


def scaled_erfc(a: mpf) -> mpf:
    """(1 + 2a)·exp(a²)·erfc(a)."""
    with mp.workprec(400):
        return (1 + 2 * a) * mp.exp(a * a) * mp.erfc(a)


def scaled_erfinv(w: mpf) -> mpf:
    """erfinv(x) / x with x = √(1 - exp(-w)), by Newton's method on erfc."""
    with mp.workprec(400):
        x = mp.sqrt(-mp.expm1(-w))
        y, complement = mp.sqrt(w) / 2 if w > 1 else x, 1 - x
        for _ in range(60):
            step = (mp.erfc(y) - complement) * mp.sqrt(mp.pi) / 2 * mp.exp(y * y)
            y += step
            if abs(step) < mpf(2) ** -150 * y:
                break
        return y / x


def stirling_rest(t: mpf) -> mpf:
    """(log Γ(x) - (x - ½)(log x - 1) - (log(2π) - 1)/2)·x with x = 1/t."""
    x = 1 / t
    leading = (x - mpf(1) / 2) * (mp.log(x) - 1) + (mp.log(2 * mp.pi) - 1) / 2
    return (mp.loggamma(x) - leading) * x


HALF_LN2 = mp.log(2) / 2 * mpf("1.0005")
DIGAMMA_ZERO = mp.findroot(mp.digamma, mpf("1.4616321449683623"))
ROOT_HALF, ROOT_TWO = mp.sqrt(mpf(1) / 2) - 1, mp.sqrt(2) - 1
ERF_ENDS = {"f32": "1.25", "f64": "1.3"}
ERF_BOUNDS = {"f32": "3.95", "f64": "5.95"}
ERFINV_STARTS = {"f32": (0, 5, 17), "f64": (0, 6.25, 16, 37.5)}
ERFINV_TERMS = {"f32": (10, 10), "f64": (23, 21, 19)}


def erfc_root(degree: int, centre: str, dtype: str, terms: int) -> Fit:
    """erfc(x) to the power 1/degree in x - centre, for the least error of erfc."""
    power = mpf(1) / degree
    return Fit(
        lambda x: mp.erfc(x) ** power,
        {dtype: terms},
        {dtype: (ERF_ENDS[dtype], ERF_BOUNDS[dtype])},
        lambda x: degree * mp.erfc(x) ** (1 - power),
        lambda x: x - mpf(centre),
    )


def erfcx_of_ratio(centre: int, bound: str, dtype: str, terms: int) -> Fit:
    """(1 + 2a)·exp(a²)·erfc(a) in (a - centre) / (a + centre)."""

    def value(t: mpf) -> mpf:
        return scaled_erfc(centre * (1 + t) / (1 - t))

    end = (mpf(bound) - centre) / (mpf(bound) + centre)
    return Fit(value, {dtype: terms}, {dtype: (-1, end)}, lambda t: 1 / value(t))


Rows = dict[str, Fit | dict[str, Fit]]
FITS: Rows = {
    # exp(r) = 1 + r + r²·p(r)
    "EXP": Fit(
        second_order, {"f32": 5, "f64": 10}, both(-HALF_LN2, HALF_LN2), lambda x: x * x / mp.exp(x)
    ),
    # expm1(r) = r + r²·p(r), with a small relative error near 0
    "EXPM1": Fit(
        second_order,
        {"f32": 6, "f64": 11},
        both(-HALF_LN2, HALF_LN2),
        lambda x: x * x / mp.expm1(x) if x else mpf(0),
    ),
    # 2**r = 1 + r·p(r)
    "EXP2": Fit(
        lambda x: (2**x - 1) / x,
        {"f32": 6, "f64": 11},
        both("-0.5005", "0.5005"),
        lambda x: x / mpf(2) ** x,
    ),
    "TANH": odd(mp.tanh, 4, 11, "0.55"),
    # f32: log(1 + f) = f - f²/2 + f³·p(f); f64: log(1 + f) = 2s + s³·p(s²) with s = f / (2 + f)
    "LOG": {
        "f32": Fit(
            lambda f: (mp.log1p(f) - f + f * f / 2) / f**3,
            {"f32": 8},
            both(ROOT_HALF, ROOT_TWO),
            lambda f: f**3 / mp.log1p(f),
        ),
        "f64": Fit(
            lambda s: (2 * mp.atanh(s) - 2 * s) / s**3,
            {"f64": 7},
            both("1e-6", "0.17158"),
            lambda s: s**3 / (2 * mp.atanh(s)),
            square,
        ),
    },
    # atanh(s) = s + s³·(⅓ + s²·p(s²))
    "ATANH_TAIL": {
        "f64": Fit(
            lambda s: ((mp.atanh(s) - s) / s**3 - mpf(1) / 3) / s**2,
            {"f64": 8},
            both("1e-4", "0.17158"),
            lambda s: s**4,
            square,
        )
    },
    "SIN": odd(mp.sin, 4, 7, mp.pi / 4 + mpf("0.002")),
    # cos(r) = 1 + r²·p(r²)
    "COS": Fit(
        lambda x: (mp.cos(x) - 1) / x**2,
        {"f32": 4, "f64": 7},
        both("1e-6", mp.pi / 4 + mpf("0.002")),
        lambda x: x**2 / mp.cos(x),
        square,
    ),
    "ASIN": odd(mp.asin, 5, 12, "0.5001"),
    "ATAN": odd(mp.atan, 4, 11, "0.4143"),
    # erf(x) = x + x·p(x²)
    "ERF": Fit(
        lambda x: mp.erf(x) / x - 1,
        {"f32": 8, "f64": 15},
        {dtype: ("1e-6", end) for dtype, end in ERF_ENDS.items()},
        lambda x: x / mp.erf(x),
        square,
    ),
    "ERFC_ROOT": {"f32": erfc_root(4, "2.625", "f32", 8), "f64": erfc_root(8, "3.5", "f64", 17)},
    "ERFCX": {
        "f32": erfcx_of_ratio(2, "10.1", "f32", 10),
        "f64": erfcx_of_ratio(4, "27.3", "f64", 22),
    },
    # lgamma(2 + v) = v·(1 + v)·p(v)
    "LGAMMA": Fit(
        lambda v: mp.loggamma(2 + v) / (v * (1 + v)),
        {"f32": 9, "f64": 19},
        both("-0.5001", "0.5001"),
        lambda v: v * (1 + v) / mp.loggamma(2 + v),
    ),
    # lgamma(x) = (x - ½)(log x - 1) + (log(2π) - 1)/2 + p(1/x²)/x
    "STIRLING": Fit(
        stirling_rest,
        {"f32": 3, "f64": 7},
        {"f32": ("1e-4", 1 / mpf("4.5")), "f64": ("1e-4", 1 / mpf("8.5"))},
        lambda t: t,
        square,
    ),
    # digamma(1.5 + v) = (1.5 + v - zero)·p(v)
    "DIGAMMA": Fit(
        lambda v: mp.digamma(1.5 + v) / (1.5 + v - DIGAMMA_ZERO),
        {"f32": 10, "f64": 22},
        both("-0.5001", "0.5001"),
        lambda v: (1.5 + v - DIGAMMA_ZERO) / mp.digamma(1.5 + v),
    ),
    # digamma(x) = log x - 1/(2x) + p(1/x²)/x²
    "DIGAMMA_TAIL": Fit(
        lambda t: (mp.digamma(1 / t) + mp.log(t) + t / 2) / t**2,
        {"f32": 3, "f64": 8},
        {"f32": ("1e-3", mpf(1) / 5), "f64": ("1e-3", mpf(1) / 8)},
        lambda t: t**2,
        square,
    ),
}


def constants() -> dict[str, dict[str, tuple[float, ...]]]:
    """Numbers that one floating-point number does not hold well enough."""
    values = {
        "LN2": (mp.log(2), 2),
        "LOG10_2": (mp.log(2) / mp.log(10), 2),
        "LOG2_E": (1 / mp.log(2), 2),
        "TWICE_LOG2_E": (2 / mp.log(2), 2),
        "LOG10_E": (1 / mp.log(10), 2),
        "THIRD": (mpf(1) / 3, 2),
        "PI": (+mp.pi, 2),
        "HALF_PI": (mp.pi / 2, 3),
        "QUARTER_PI": (mp.pi / 4, 2),
        "DIGAMMA_ZERO": (DIGAMMA_ZERO, 2),
    }
    return {
        name: {dtype: parts(value, dtype, count) for dtype in DTYPES}
        for name, (value, count) in values.items()
    }


def two_over_pi() -> tuple[int, ...]:
    """The first 1,280 bits of 2/π after the point, as signed 64-bit words."""
    with mp.workprec(1400):
        digits = int(mp.floor(2 / mp.pi * mpf(2) ** 1280))
    words = [digits >> shift & (1 << 64) - 1 for shift in range(1216, -1, -64)]
    return tuple(w - (1 << 64) if w >> 63 else w for w in words)


def erfinv_pieces(dtype: str) -> tuple[tuple[float, float, tuple[float, ...]], ...]:
    """(start, centre, coefficients): the first piece in w - centre, the others in √w - centre."""
    pieces = []
    starts = ERFINV_STARTS[dtype]
    for start, end, terms in zip(starts, starts[1:], ERFINV_TERMS[dtype], strict=False):
        if start == 0:
            centre = end / 2
            fit = Fit(
                scaled_erfinv,
                {dtype: terms},
                {dtype: ("1e-12", end)},
                lambda w: 1 / scaled_erfinv(w),
                lambda w, c=centre: w - c,
            )
        else:
            centre = round(float(mp.sqrt(start) + mp.sqrt(end)) * 4) / 8
            fit = Fit(
                lambda s: scaled_erfinv(s * s),
                {dtype: terms},
                {dtype: (mp.sqrt(start), mp.sqrt(end))},
                lambda s: 1 / scaled_erfinv(s * s),
                lambda s, c=centre: s - c,
            )
        coefficients, error = solve(fit, dtype)
        report("ERFINV", dtype, error)
        pieces.append((float(start), float(centre), coefficients))
    return tuple(pieces)


def report(name: str, dtype: str, error: float) -> None:
    print(f"{name} {dtype}: error 2^{error:.2f}", flush=True)


def solved(name: str) -> dict[str, tuple[float, ...]]:
    """The coefficients of one row of FITS, by dtype."""
    row, found = FITS[name], {}
    for dtype in DTYPES:
        fit = row.get(dtype) if isinstance(row, dict) else row
        if fit is not None:
            found[dtype], error = solve(fit, dtype)
            report(name, dtype, error)
    return found


HEADER = '''"""Coefficients and constants of the elementary functions.

Generated by tools/fit_polynomials.py; do not edit.
"""

# fmt: off
'''


def written(name: str, value: object) -> str:
    """A Python assignment."""
    return f"{name} = {layout(value, 0)}\n"


def layout(value: object, depth: int) -> str:
    """A literal with as many numbers on a line as there is room for."""
    margin, inner = "    " * depth, "    " * (depth + 1)
    if isinstance(value, dict):
        items = [f'"{key}": {layout(item, depth + 1)}' for key, item in value.items()]
        return "{\n" + "".join(f"{inner}{item},\n" for item in items) + margin + "}"
    if not isinstance(value, tuple):
        return repr(value)
    items = [layout(item, depth + 1) for item in value]
    if len(items) > 1 and len(margin) + len(", ".join(items)) <= 80:
        return f"({', '.join(items)})"
    if any("\n" in item for item in items):
        return "(\n" + "".join(f"{inner}{item},\n" for item in items) + margin + ")"
    text = textwrap.fill(", ".join(items) + ",", 100, initial_indent=inner, subsequent_indent=inner)
    return f"(\n{text}\n{margin})"


def main(names: Sequence[str]) -> None:
    if names:
        for name in names:
            print(written(name, solved(name)))
        return
    text = [HEADER]
    text += [written(name, value) for name, value in constants().items()]
    text.append(written("TWO_OVER_PI_WORDS", two_over_pi()))
    text += [written(name, solved(name)) for name in FITS]
    text.append(written("ERFINV", {dtype: erfinv_pieces(dtype) for dtype in DTYPES}))
    TARGET.write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
