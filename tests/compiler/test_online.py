"""Sums of exp(x - max) in one pass: which kernels get that form, and that it computes the same."""

from __future__ import annotations

import numpy as np
import pytest

from gleed.compiler import kernel as k
from gleed.compiler.kernel import Kernel, Node, Operand, Store, load, reduce
from gleed.compiler.online import online
from gleed.compiler.target import target
from gleed.compiler.verify import verify

from .machine import Machine, lay_out

SIZES = (1, 7, 16, 17, 31, 33, 64, 65, 130, 3001)
NUMPY = {"f32": np.float32, "f64": np.float64}
AVX2 = target("x86_64-unknown-linux-gnu", "x86-64-v3", "+avx2,+fma,+f16c,+bmi2")


@pytest.fixture(scope="module", params=["host", "avx2"])
def machine(request: pytest.FixtureRequest) -> Machine:
    """This machine, and one whose last, incomplete vectors are done lane by lane."""
    return Machine(AVX2 if request.param == "avx2" else None)


def kernel_of(*values: Node, dtype: str = "f32", rows: bool = True) -> Kernel:
    outs = tuple(Operand(dtype, "out", not rows) for _ in values)
    stores = tuple(Store(1 + i, value) for i, value in enumerate(values))
    return verify(Kernel("test", (Operand(dtype, "in", True), *outs), (), stores))


def finite_or_zero(x: Node) -> Node:
    return k.select(k.eq(k.abs(x), float("inf")), 0.0, x)


def total(x: Node, shift: Node) -> Node:
    return reduce("sum", k.math("exp", x - shift))


def log_sum(dtype: str) -> Kernel:
    """Two forms of the sum, the second that of logsumexp, and the maximum."""
    x = load(0, dtype)
    top = reduce("max", x)
    shift = finite_or_zero(top)
    values = (total(x, top), k.math("log", total(x, shift)) + shift, top)
    return kernel_of(*values, dtype=dtype)


def log_softmax(dtype: str) -> Kernel:
    offset = load(0, dtype) - reduce("max", load(0, dtype))
    sums = k.math("log", reduce("sum", k.math("exp", offset)))
    return kernel_of(offset - sums, dtype=dtype, rows=False)


def test_which_kernels_have_an_online_form() -> None:
    x, top = load(0, "f32"), reduce("max", load(0, "f32"))
    power = k.math("exp", x - top)
    half = k.cast(load(0, "bf16"), "f32")
    half_top = k.cast(reduce("max", load(0, "bf16")), "f32")
    assert online(kernel_of(total(x, top)))
    assert online(kernel_of(total(x * 2, reduce("max", x * 2))))
    assert online(kernel_of(k.cast(total(half, half_top), "bf16"), dtype="bf16"))
    # Exponentials that are needed again would be computed twice.
    assert online(kernel_of(power / reduce("sum", power), rows=False)) is None
    # No pass is saved, or another maximum is subtracted.
    assert online(kernel_of(total(x, k.const(1.0, "f32")))) is None
    assert online(kernel_of(total(x, reduce("min", x)))) is None
    assert online(kernel_of(total(x, reduce("max", x * 2)))) is None


def same(machine: Machine, kernel: Kernel, x: np.ndarray) -> list[np.ndarray]:
    """The results of the online form, which are close to the interpreter's of the plain one."""
    form = online(kernel)
    assert form is not None
    shape = x.shape if kernel.operands[1].element else (x.shape[0], 1, 1)
    found: list[list[np.ndarray]] = []
    for run, what in ((machine.run, verify(form)), (machine.interpret, kernel),
                      (machine.interpret, form)):  # fmt: skip
        outs = [np.zeros(shape, x.dtype) for _ in kernel.stores]
        run(what, "row", [x, *outs])
        found.append(outs)
    tolerance = 16 * float(np.finfo(x.dtype).eps)
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_allclose(a, b, tolerance, tolerance)
    return found[0]


@pytest.mark.parametrize("layout", ["1", "2", "s", "0"])
@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("make", [log_sum, log_softmax])
def test_random_rows(machine: Machine, make, dtype: str, layout: str) -> None:
    rng = np.random.default_rng(0)
    for size in SIZES:
        for scale in (0.1, 3.0, 1e3):
            x = (rng.standard_normal((3, 2, size)) * scale).astype(NUMPY[dtype])
            same(machine, make(dtype), lay_out(x, layout))


def awkward(dtype: type, size: int) -> np.ndarray:
    """Rows whose maximum keeps moving, and rows with numbers that are none."""
    rng = np.random.default_rng(1)
    info = np.finfo(dtype)
    rise = np.linspace(0, 300, size)
    low, high = rng.standard_normal((2, size))
    low[: size // 2 + 1] = -np.inf
    low[-1] = 0
    rows = [rise, rise[::-1], rise / 1000, rise * (info.max / 1e3), -rise * (info.max / 1e3)]
    rows += [np.full(size, info.min), np.full(size, info.max), low, np.full(size, -np.inf), high]
    special = [(np.inf,), (np.nan,), (-np.inf, np.inf), (np.nan, np.inf), (np.inf, -np.inf, np.nan)]
    for values in special:
        row = rng.standard_normal(size)
        row[rng.permutation(size)[: len(values)]] = values[:size]
        rows.append(row)
    return np.stack(rows).astype(dtype)[:, None]


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("size", [1, 20, 1500])
@pytest.mark.parametrize("make", [log_sum, log_softmax])
def test_awkward_rows(machine: Machine, make, size: int, dtype: str) -> None:
    same(machine, make(dtype), awkward(NUMPY[dtype], size))


def test_the_greatest_term_is_exactly_one(machine: Machine) -> None:
    x = np.zeros((1, 1, 700), np.float32)
    for place in (0, 350, 699):
        x[:] = -40
        x[..., place] = 3.7
        assert (
            same(machine, kernel_of(total(load(0, "f32"), reduce("max", load(0, "f32")))), x)[0]
            == 1
        )


def test_a_slow_rise_loses_no_precision(machine: Machine) -> None:
    """Every scaling rounds; they are few, however long the row."""
    x = np.linspace(0, 20, 1 << 20, dtype=np.float32)[None, None]
    found = same(machine, log_sum("f32"), x)[0]
    exact = np.exp(x.astype(np.float64) - 20).sum()
    np.testing.assert_allclose(found[0, 0, 0], exact, 1e-6)
