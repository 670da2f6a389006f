"""The errors of mathlib's functions, in units in the last place: samples, references and bounds.

    python -m tests.compiler.accuracy

prints the table of docs/accuracy.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy import special

from gleed.compiler.kernel import Kernel, Operand, Store, load, math

from . import references
from .machine import Machine

DTYPES = {"f32": np.float32, "f64": np.float64}
Interval = tuple[float, float]


@dataclass(frozen=True)
class Case:
    """A function of one argument: its reference for np.longdouble (for f32, one for np.float64 may
    do), the greatest error allowed, where to look closely, and whether the unit is that of 1 for
    results below 1 (near zeros of the function that are no numbers of the dtype)."""

    reference: Callable[[np.ndarray], np.ndarray]
    f32: float
    f64: float
    focus: tuple[Interval, ...]
    reference_f64: Callable[[np.ndarray], np.ndarray] | None = None
    absolute_below_1: bool = False
    domain: Interval = field(default=(-np.inf, np.inf))


EXP = ((-1.0, 1.0), (-110.0, 90.0), (-750.0, 710.0))
CIRCLE = ((-4.0, 4.0), (-1e3, 1e3), (-1.2e5, 1.4e5), (-2e9, 2e9))
LOG = ((0.5, 2.0), (0.0, 100.0), (0.999, 1.001))
UNIT = ((-1.0, 1.0), (0.49, 0.51), (-1e-3, 1e-3))

CASES: dict[str, Case] = {
    "exp": Case(np.exp, 1.0, 1.0, EXP),
    "exp_term": Case(np.exp, 1.0, 1.0, EXP, absolute_below_1=True, domain=(-1e38, 1.0)),
    "exp2": Case(np.exp2, 1.0, 1.25, EXP),
    "expm1": Case(np.expm1, 1.5, 2.0, EXP),
    "log": Case(np.log, 1.0, 1.0, LOG),
    "log2": Case(np.log2, 1.25, 1.25, LOG),
    "log10": Case(np.log10, 1.0, 1.0, LOG),
    "log1p": Case(np.log1p, 1.75, 1.75, (*UNIT, *LOG)),
    "sin": Case(np.sin, 1.5, 1.5, CIRCLE),
    "cos": Case(np.cos, 1.5, 1.5, CIRCLE),
    "tan": Case(np.tan, 3.5, 3.0, CIRCLE),
    "asin": Case(np.arcsin, 2.5, 2.5, UNIT),
    "acos": Case(np.arccos, 1.5, 1.5, UNIT),
    "atan": Case(np.arctan, 2.5, 2.5, ((-2.0, 2.0), (0.41, 0.42), (-50.0, 50.0))),
    "sinh": Case(np.sinh, 2.5, 2.5, EXP),
    "cosh": Case(np.cosh, 1.5, 1.5, EXP),
    "tanh": Case(np.tanh, 1.5, 2.0, ((-1.0, 1.0), (-10.0, 10.0), (-20.0, 20.0))),
    "asinh": Case(np.arcsinh, 2.5, 2.5, ((-2.0, 2.0), (-1e3, 1e3))),
    "acosh": Case(np.arccosh, 2.5, 2.5, ((1.0, 2.0), (1.0, 1e3))),
    "atanh": Case(np.arctanh, 2.5, 2.5, UNIT),
    "sigmoid": Case(references.sigmoid, 1.5, 2.0, ((-10.0, 10.0), (-110.0, 40.0))),
    "softplus": Case(references.softplus, 2.5, 2.5, ((-10.0, 10.0), (-110.0, 40.0))),
    "log_sigmoid": Case(lambda x: -references.softplus(-x), 2.5, 2.5, ((-40.0, 110.0),)),
    "rsqrt": Case(lambda x: 1 / np.sqrt(x), 1.75, 1.75, ((0.5, 2.0),)),
    "erf": Case(references.erf, 2.0, 2.0, ((-2.0, 2.0), (-6.0, 6.0)), special.erf),
    "erfc": Case(references.erfc, 4.5, 6.0, ((-1.0, 4.0), (4.0, 27.0)), special.erfc),
    "erfinv": Case(references.erfinv, 3.5, 5.0, UNIT, special.erfinv, domain=(-1.0, 1.0)),
    "lgamma": Case(
        references.lgamma, 2.5, 9.0, ((0.0, 3.0), (0.0, 30.0), (-30.0, 0.0)),
        special.gammaln, absolute_below_1=True, domain=(-1e4, 1e30),
    ),
    "digamma": Case(
        references.digamma, 2.5, 10.0, ((0.0, 3.0), (0.0, 30.0), (-30.0, 0.0)),
        special.psi, absolute_below_1=True, domain=(-1e4, 1e30),
    ),
}  # fmt: skip


def samples(case: Case, dtype: str, density: int = 1) -> np.ndarray:
    """Numbers of every exponent and sign, and closer ones in the intervals of interest."""
    rng = np.random.default_rng(0)
    if dtype == "f32":
        bits = np.arange(0, 1 << 32, 40009 // density, np.uint64).astype(np.uint32)
    else:
        bits = rng.integers(0, 1 << 64, 20000 * density, np.uint64)
    count = 60000 * density // len(case.focus)
    close = [rng.uniform(low, high, count).astype(DTYPES[dtype]) for low, high in case.focus]
    x = np.concatenate([bits.view(DTYPES[dtype]), *close])
    low, high = case.domain
    return x if np.isinf(low) else x[(x > low) & (x < high) & (x != 0)]


def kernel_of(name: str, *dtypes: str) -> Kernel:
    """A kernel that applies one function to its operands."""
    value = math(name, *(load(i, dtype) for i, dtype in enumerate(dtypes)))
    operands = [Operand(dtype, "in") for dtype in dtypes]
    store = Store(len(dtypes), value)
    return Kernel(name, (*operands, Operand(dtypes[0], "out")), (), (store,))


def compute(machine: Machine, name: str, *arguments: np.ndarray) -> np.ndarray:
    """The function's values from machine code."""
    (dtype,) = {d for d, numpy in DTYPES.items() if arguments[0].dtype == numpy}
    shaped = [np.ascontiguousarray(a).reshape(1, 1, -1) for a in arguments]
    out = np.empty_like(shaped[0])
    machine.run(kernel_of(name, *[dtype] * len(arguments)), "map", [*shaped, out])
    return out.reshape(arguments[0].shape)


def ulps(actual: np.ndarray, exact: np.ndarray, absolute_below_1: bool = False) -> np.ndarray:
    """Errors in units in the last place; infinite where exactly one is NaN. An infinity counts as
    the number after the greatest one."""
    info = np.finfo(actual.dtype)
    beyond = np.ldexp(np.longdouble(1), info.maxexp)
    got, want = (np.clip(v.astype(np.longdouble), -beyond, beyond) for v in (actual, exact))
    least = 1.0 if absolute_below_1 else info.tiny
    _, exponent = np.frexp(np.clip(np.abs(want), least, np.longdouble(info.max)))
    error = np.ldexp(np.abs(got - want), info.nmant + 1 - exponent)
    nan = np.isnan(actual)
    return np.where(nan | np.isnan(exact), np.where(nan == np.isnan(exact), 0, np.inf), error)


def errors(
    machine: Machine, name: str, dtype: str, density: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Samples of a function's domain, and its errors there."""
    case = CASES[name]
    x = samples(case, dtype, density)
    with np.errstate(all="ignore"):
        if dtype == "f32" and case.reference_f64:
            exact = case.reference_f64(x.astype(np.float64))
        else:
            exact = case.reference(x.astype(np.longdouble))
        return x, ulps(compute(machine, name, x), exact, case.absolute_below_1)


def power_samples(dtype: str, density: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Bases and exponents whose powers are mostly in range."""
    rng = np.random.default_rng(0)
    span = 85.0 if dtype == "f32" else 700.0
    n = 20000 * density
    near_one = 1 + rng.standard_normal(n) * 1e-3
    x = np.concatenate([rng.uniform(0, 50, n), np.exp(rng.uniform(-span, span, n)), near_one])
    y = [rng.uniform(-20, 20, n), rng.uniform(-2, 2, n), rng.uniform(-span, span, n) * 1e3]
    return x.astype(DTYPES[dtype]), np.concatenate(y).astype(DTYPES[dtype])


def main() -> None:
    """Print the table of docs/accuracy.md."""
    machine, density = Machine(), 20
    print("| function | f32 | f64 |\n| --- | --- | --- |")
    for name in sorted(CASES):
        found = [f"{errors(machine, name, dtype, density)[1].max():.2f}" for dtype in DTYPES]
        print(f"| `{name}` | {' | '.join(found)} |")
    for name, reference in (("atan2", np.arctan2), ("pow", np.power)):
        found = []
        for dtype in DTYPES:
            x, y = power_samples(dtype, density)
            exact = reference(x.astype(np.longdouble), y.astype(np.longdouble))
            found.append(f"{ulps(compute(machine, name, x, y), exact).max():.2f}")
        print(f"| `{name}` | {' | '.join(found)} |")


if __name__ == "__main__":
    with np.errstate(all="ignore"):
        main()
