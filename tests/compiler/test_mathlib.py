"""mathlib: errors, special values, and agreement of machine code with the interpreter."""

from math import inf, nan, pi

import numpy as np
import pytest

from gleed.compiler.mathlib import LOWERINGS

from . import accuracy, references
from .accuracy import CASES, DTYPES, compute, kernel_of, ulps
from .machine import Machine

TWO_ARGUMENTS = ("pow", "atan2", "fmod", "remainder", "ldexp")
PARTS = ("frexp_mantissa", "frexp_exponent")
AWKWARD = np.array(
    [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 2.5, 1e30, -1e30, inf, -inf, nan,
     1e-40, -1e-40, 1.1754944e-38, 3.4e38, 16777217.0, -90.5],
)  # fmt: skip


@pytest.fixture(params=list(DTYPES))
def dtype(request: pytest.FixtureRequest) -> str:
    return request.param


def test_every_function_is_tested() -> None:
    assert set(LOWERINGS) == {*CASES, *TWO_ARGUMENTS, *PARTS}


# ---- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_error(machine: Machine, name: str, dtype: str) -> None:
    if dtype == "f64" and not references.EXTENDED:
        pytest.skip("the references need 64 significant bits")
    x, error = accuracy.errors(machine, name, dtype)
    worst = int(np.argmax(error))
    bound = getattr(CASES[name], dtype)
    assert error[worst] <= bound, f"{error[worst]:.2f} ulp at {x[worst]!r}"


@pytest.mark.parametrize(("name", "bound"), [("pow", 1.5), ("atan2", 2.5)])
def test_error_of_two_arguments(machine: Machine, name: str, bound: float, dtype: str) -> None:
    if dtype == "f64" and not references.EXTENDED:
        pytest.skip("the references need 64 significant bits")
    reference = {"pow": np.power, "atan2": np.arctan2}[name]
    x, y = accuracy.power_samples(dtype)
    with np.errstate(all="ignore"):
        exact = reference(x.astype(np.longdouble), y.astype(np.longdouble))
    error = ulps(compute(machine, name, x, y), exact)
    worst = int(np.argmax(error))
    assert error[worst] <= bound, f"{error[worst]:.2f} ulp at {x[worst]!r}, {y[worst]!r}"


def test_a_wrong_value_is_noticed() -> None:
    exact = np.array([1.0, 0.0, inf, nan, 1e-310], np.longdouble)
    wrong = np.array([1 + 2**-50, 1e-300, 1.0, 1.0, 2e-310])
    assert (ulps(wrong, exact) > 3).all()
    assert (ulps(exact.astype(np.float64), exact) == 0).all()


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_huge_angles(machine: Machine, name: str) -> None:
    # The first is the number of f64 that lies nearest to a multiple of π/2.
    x = np.array([6381956970095103 * 2.0**797, 2.0**1000, 1e22, 1e300, 2.0**30 + 1])
    exact = {
        "sin": [1.0, -0.15920170308624243, -0.8522008497671888, -0.8178819121159085,
                0.3284483319740196],
        "cos": [-4.687165924254628e-19, 0.9872460775989135, 0.523214785395139,
                -0.5753861119575491, 0.9445219389847354],
        "tan": [-2.133485385753704e18, -0.16125837995065806, -1.6287782256068988,
                1.4214488238747245, 0.347740288941375],
    }[name]  # fmt: skip
    np.testing.assert_allclose(compute(machine, name, x), exact, rtol=6e-16)
    assert np.isnan(compute(machine, name, np.array([inf, -inf, nan], np.float32))).all()


def test_subnormal_results_are_right(machine: Machine) -> None:
    x = np.linspace(-104, -87.34, 5000, dtype=np.float32)
    exact = np.exp(x.astype(np.float64))
    for name in ("exp", "sigmoid"):
        # The unit is that of the least normal number.
        assert (ulps(compute(machine, name, x), exact) <= 1).all()
    smallest = np.array([1e-45, -1e-45, 1e-40, -1e-40], np.float32)
    for name in ("expm1", "log1p", "sin", "tan", "asin", "atan", "sinh", "tanh", "asinh", "atanh"):
        assert compute(machine, name, smallest).tobytes() == smallest.tobytes(), name


# ---- exact functions ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fmod", "remainder"])
def test_remainders_are_exact(machine: Machine, name: str, dtype: str) -> None:
    rng = np.random.default_rng(0)
    size = np.dtype(DTYPES[dtype]).itemsize
    x, y = (rng.bytes(20000 * size) for _ in range(2))
    x, y = (np.frombuffer(b, DTYPES[dtype]) for b in (x, y))
    near = rng.uniform(-1e3, 1e3, (2, 20000)).astype(DTYPES[dtype])
    grid = np.array(np.meshgrid(AWKWARD, AWKWARD)).reshape(2, -1).astype(DTYPES[dtype])
    x, y = (np.concatenate(parts) for parts in zip((x, y), near, grid, strict=True))
    with np.errstate(all="ignore"):
        expected = np.fmod(x, y) if name == "fmod" else references.remainder(x, y)
    np.testing.assert_array_equal(compute(machine, name, x, y), expected)


def test_ldexp_rounds_once(machine: Machine, dtype: str) -> None:
    rng = np.random.default_rng(0)
    info = np.finfo(DTYPES[dtype])
    x = rng.standard_normal(20000) * 2.0 ** rng.integers(info.minexp, info.maxexp - 3, 20000)
    x = np.concatenate([x, AWKWARD]).astype(DTYPES[dtype])
    n = rng.integers(2 * info.minexp - 60, 2 * info.maxexp + 60, x.size)
    with np.errstate(all="ignore"):
        expected = np.ldexp(x, n)
    actual = compute(machine, "ldexp", x, n.astype(DTYPES[dtype]))
    np.testing.assert_array_equal(actual, expected)


def test_frexp_takes_numbers_apart(machine: Machine, dtype: str) -> None:
    x = np.concatenate([AWKWARD.astype(DTYPES[dtype]), accuracy.samples(CASES["exp"], dtype)])
    mantissa, exponent = np.frexp(x)
    exponent = np.where(np.isfinite(x), exponent, 0)
    np.testing.assert_array_equal(compute(machine, "frexp_mantissa", x), mantissa)
    np.testing.assert_array_equal(compute(machine, "frexp_exponent", x), exponent)


# ---- special values ----------------------------------------------------------------------------

SPECIAL: dict[str, list[tuple[float, float]]] = {
    "exp": [(0.0, 1.0), (inf, inf), (-inf, 0.0), (-800.0, 0.0), (800.0, inf)],
    "exp_term": [(0.0, 1.0), (nan, nan)],
    "exp2": [(0.0, 1.0), (3.0, 8.0), (-1.0, 0.5), (inf, inf), (-inf, 0.0), (1e30, inf)],
    "expm1": [(0.0, 0.0), (-0.0, -0.0), (inf, inf), (-inf, -1.0), (800.0, inf), (-800.0, -1.0)],
    "log": [(1.0, 0.0), (0.0, -inf), (-0.0, -inf), (inf, inf), (-1.0, nan), (-inf, nan)],
    "log2": [(1.0, 0.0), (8.0, 3.0), (0.25, -2.0), (0.0, -inf), (inf, inf), (-1e-40, nan)],
    "log10": [(1.0, 0.0), (1000.0, 3.0), (0.0, -inf), (inf, inf), (-1.0, nan)],
    "log1p": [(0.0, 0.0), (-0.0, -0.0), (-1.0, -inf), (inf, inf), (-2.0, nan), (-inf, nan)],
    "sin": [(0.0, 0.0), (-0.0, -0.0), (inf, nan), (-inf, nan)],
    "cos": [(0.0, 1.0), (-0.0, 1.0), (1e-9, 1.0), (inf, nan), (-inf, nan)],
    "tan": [(0.0, 0.0), (-0.0, -0.0), (inf, nan), (-inf, nan)],
    "asin": [(0.0, 0.0), (-0.0, -0.0), (1.0, pi / 2), (-1.0, -pi / 2), (1.5, nan), (-inf, nan)],
    "acos": [(1.0, 0.0), (0.0, pi / 2), (-1.0, pi), (1.5, nan), (-1.5, nan), (inf, nan)],
    "atan": [(0.0, 0.0), (-0.0, -0.0), (1.0, pi / 4), (inf, pi / 2), (-inf, -pi / 2)],
    "sinh": [(0.0, 0.0), (-0.0, -0.0), (inf, inf), (-inf, -inf), (800.0, inf)],
    "cosh": [(0.0, 1.0), (-0.0, 1.0), (inf, inf), (-inf, inf), (-800.0, inf)],
    "tanh": [(0.0, 0.0), (-0.0, -0.0), (inf, 1.0), (-inf, -1.0), (30.0, 1.0), (-30.0, -1.0)],
    "asinh": [(0.0, 0.0), (-0.0, -0.0), (inf, inf), (-inf, -inf)],
    "acosh": [(1.0, 0.0), (inf, inf), (0.5, nan), (-2.0, nan), (-inf, nan)],
    "atanh": [(0.0, 0.0), (-0.0, -0.0), (1.0, inf), (-1.0, -inf), (2.0, nan), (-inf, nan)],
    "sigmoid": [(0.0, 0.5), (inf, 1.0), (-inf, 0.0), (800.0, 1.0), (-800.0, 0.0)],
    "softplus": [(inf, inf), (-inf, 0.0), (800.0, 800.0)],
    "log_sigmoid": [(inf, 0.0), (-inf, -inf), (-800.0, -800.0)],
    "rsqrt": [(4.0, 0.5), (0.0, inf), (-0.0, -inf), (inf, 0.0), (-1.0, nan)],
    "erf": [(0.0, 0.0), (-0.0, -0.0), (inf, 1.0), (-inf, -1.0), (7.0, 1.0)],
    "erfc": [(0.0, 1.0), (inf, 0.0), (-inf, 2.0), (30.0, 0.0), (-30.0, 2.0)],
    "erfinv": [(0.0, 0.0), (-0.0, -0.0), (1.0, inf), (-1.0, -inf), (1.5, nan), (-inf, nan)],
    "lgamma": [(1.0, 0.0), (2.0, 0.0), (0.0, inf), (-0.0, inf), (-3.0, inf), (inf, inf),
               (-inf, inf)],
    "digamma": [(0.0, -inf), (-0.0, inf), (-3.0, nan), (inf, inf), (-inf, nan)],
}  # fmt: skip


def test_every_function_has_special_values() -> None:
    assert set(SPECIAL) == set(CASES)


@pytest.mark.parametrize("name", SPECIAL)
def test_special_values(machine: Machine, name: str, dtype: str) -> None:
    x, expected = np.array([*SPECIAL[name], (nan, nan)]).T.astype(DTYPES[dtype])
    actual = compute(machine, name, x)
    np.testing.assert_array_equal(actual, expected)
    zero = expected == 0
    np.testing.assert_array_equal(np.signbit(actual[zero]), np.signbit(expected[zero]))


@pytest.mark.parametrize("name", CASES)
def test_any_nan_stays_nan(machine: Machine, name: str) -> None:
    bits = np.array([0x7F800001, 0x7FC00000, 0x7FFFFFFF, 0xFF800001, 0xFFC12345], np.uint32)
    assert np.isnan(compute(machine, name, bits.view(np.float32))).all()


@pytest.mark.parametrize(("name", "reference"), [("pow", np.power), ("atan2", np.arctan2)])
def test_special_pairs(machine: Machine, name: str, reference: np.ufunc, dtype: str) -> None:
    x, y = np.array(np.meshgrid(AWKWARD, AWKWARD)).reshape(2, -1).astype(DTYPES[dtype])
    with np.errstate(all="ignore"):
        expected = reference(x, y)
    actual = compute(machine, name, x, y)
    np.testing.assert_allclose(actual, expected, rtol=4 * np.finfo(DTYPES[dtype]).eps)
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(actual[number]), np.signbit(expected[number]))


# ---- the interpreter ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOWERINGS)
def test_interpreter_agrees(machine: Machine, name: str, dtype: str) -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([AWKWARD, rng.standard_normal(400) * 3]).astype(DTYPES[dtype])
    arguments = [x, rng.permutation(x)] if name in TWO_ARGUMENTS else [x]
    actual = compute(machine, name, *arguments)
    kernel = kernel_of(name, *[dtype] * len(arguments))
    expected = np.empty((1, 1, x.size), x.dtype)
    machine.interpret(kernel, "map", [*(a.reshape(1, 1, -1) for a in arguments), expected])
    expected = expected.reshape(-1)
    if dtype == "f32":
        np.testing.assert_array_equal(actual, expected)
    else:
        # The interpreter's fused multiply-add of f64 may round twice.
        assert (ulps(actual, expected, absolute_below_1=True) <= 2).all()
