"""What a product alone reads is computed in its step: with the bits of eager code, in fewer
launches, and without memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import gleed
import gleed.nn.functional as F
from gleed import nn
from gleed.compiler import pipeline

from .test_epilogues import DTYPES, agree, bits, drawn, interpreted, launches, restored  # noqa: F401

# Rows, depth, columns: of one row, of one column, odd, with several blocks of the depth and of the
# columns, with few rows and many columns, empty.
SIZES = [
    (1, 300, 200),
    (300, 700, 1),
    (33, 70, 49),
    (261, 1301, 130),
    (1030, 40, 3),
    (700, 514, 1100),
    (5, 512, 2049),
    (0, 4, 5),
    (4, 0, 500),
    (4, 5, 0),
]

CHAINS: dict[str, Callable[..., Any]] = {
    "activation": lambda x, other, rows, columns: F.gelu(x),
    "sum": lambda x, other, rows, columns: x + other,
    "rows": lambda x, other, rows, columns: (x * rows).relu(),
    "columns": lambda x, other, rows, columns: x * columns + 1,
    "dropout": lambda x, other, rows, columns: F.dropout(x, 0.3, True),
    "across": lambda x, other, rows, columns: (x.t() * 2).t(),
    "positions": lambda x, other, rows, columns: x * gleed.arange(x.shape[1], dtype=x.dtype),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CHAINS)
def test_what_a_product_reads(name: str, dtype: Any) -> None:
    chain = CHAINS[name]
    for rows, depth, columns in SIZES if dtype == gleed.float32 else SIZES[1:4]:
        x, other = drawn(rows, depth, dtype=dtype), drawn(rows, depth, dtype=dtype)
        scales = drawn(rows, 1, dtype=dtype), drawn(depth, dtype=dtype)
        w, weight = drawn(depth, columns, dtype=dtype), drawn(columns, depth, dtype=dtype)
        back = drawn(rows, columns, dtype=dtype)
        agree(lambda x, w, *rest: chain(x, *rest) @ w, x, w, other, *scales)
        agree(lambda x, w, *rest: F.linear(chain(x, *rest), w).relu(), x, weight, other, *scales)
        agree(lambda x, w, *rest: w @ chain(x, *rest).t(), x, weight, other, *scales)
        agree(lambda x, w, *rest: w.t() @ chain(x, *rest), x, back, other, *scales)


@pytest.mark.parametrize("wide", [gleed.float32, gleed.float64])
@pytest.mark.parametrize("narrow", [gleed.bfloat16, gleed.float16])
def test_conversions(wide: Any, narrow: Any) -> None:
    for rows, depth, columns in SIZES:
        x, w = drawn(rows, depth, dtype=wide), drawn(columns, depth, dtype=wide)
        agree(lambda x, w: F.linear(x.to(narrow), w.to(narrow)), x, w)
        agree(lambda x, w: (x.to(narrow) @ w.to(narrow).t()).to(wide) + 1, x, w)


@pytest.mark.parametrize("dtype", DTYPES)
def test_batches_and_broadcasting(dtype: Any) -> None:
    a, b = drawn(3, 4, 90, 66, dtype=dtype), drawn(3, 4, 66, 17, dtype=dtype)
    across = [drawn(*n, dtype=dtype) for n in ((3, 1, 90, 66), (4, 1, 66), (1, 1), (3, 4, 90, 1))]
    for other in across:
        agree(lambda a, b, other: (a + other).relu() @ b, a, b, other)
    agree(lambda a, b: b.tanh().mT @ a.tanh().mT, a, b)
    agree(lambda a, b: a.tanh().view(12, 90, 66) @ b[0, 0], a, b)
    agree(lambda a, b: a[0].tanh() @ b, a, b)
    agree(lambda a, b: a.tanh().transpose(1, 2) @ b[0, 0], a, b)
    agree(lambda a, b: a.tanh()[1:, :, ::2] @ b[1:], a, b)
    agree(lambda a, b: (a[0, 0].tanh() @ b[0, 0].tanh()).t() @ a[1, 1].tanh(), a, b)


def test_integers_and_long_sums() -> None:
    agree(lambda a, b: (a * 3) @ b, gleed.randint(-9, 9, (70, 30)), gleed.randint(-9, 9, (30, 9)))
    agree(lambda a, b: a.tanh() @ b, drawn(3, 40000), drawn(40000, 5))
    agree(lambda a, b: a.tanh() @ b, drawn(60, 9000), drawn(9000, 33))


def test_gradients() -> None:
    def training(x: Any, w: Any) -> Any:
        x, w = x.detach().requires_grad_(), w.detach().requires_grad_()
        y = F.dropout(F.gelu(x), 0.2, True).bfloat16() @ w.bfloat16()
        return (y, *gleed.autograd.grad(y, (x, w), gleed.cos(y)))

    agree(training, drawn(300, 130), drawn(130, 70))
    w = drawn(130, 70).requires_grad_()
    compiled = gleed.compile(lambda x: (x * 2).relu() @ w)
    for rows in (300, 7, 300):
        x = drawn(rows, 130)
        found = gleed.autograd.grad(compiled(x).cos().sum(), w)[0]
        expected = gleed.autograd.grad(((x * 2).relu() @ w).cos().sum(), w)[0]
        assert bits(found) == bits(expected)


def report(function: Callable[..., Any], *args: Any) -> tuple[str, int, int]:
    compiled = gleed.compile(function)
    compiled(*args), compiled(*args)
    memory = compiled._entries[0].captured.plan.memory
    return compiled.report(detail=True), launches(compiled, *args), memory


def test_the_operand_has_no_memory() -> None:
    def function(x: Any, w: Any) -> Any:
        return (x.relu() @ w).tanh()

    x, w = drawn(2048, 256), drawn(256, 32)
    text, steps, memory = report(function, x, w)
    assert steps == 1
    assert memory == 2048 * 32 * 4
    assert "3 operations in 1 kernel; memory for 1 result" in text
    assert "\n       first kernel maximum → %0: maximum (524.3 kflop, 2 MiB → 0 B)\n" in text
    assert "\n    1. routine matmul → %1: matmul (33.55 Mflop, 32 KiB → 0 B)\n" in text
    assert "\n       then kernel" in text
    pipeline.switch_off("prologues")
    text, steps, memory = report(function, x, w)
    assert steps == 2
    assert memory == 2048 * 256 * 4 + 2048 * 32 * 4
    assert "3 operations in 2 kernels; memory for 2 results" in text


@pytest.mark.parametrize(
    ("function", "spared"),
    [
        (lambda x, w: F.linear(x, w.bfloat16()), 1024 * 512 * 2),
        (lambda x, w: F.linear(x[:1], w.bfloat16()), 1024 * 512 * 2),
        (lambda x, w: x.float().exp() @ w[:64].t(), 512 * 512 * 4),
        (lambda x, w: x.float().exp() @ w[0], 512 * 512 * 4),
        # The product reads it across its rows, or somebody else reads it.
        (lambda x, w: w[:, :64].t() @ (w * 2), 0),
        (lambda x, w: (y := w[:512] * 2) @ w.t() + y.sum(), 0),
        (lambda x, w: (y := w[:512] * 2) @ y, 0),
        (lambda x, w: (y := w[:512] * 2, y @ w.t()), 0),
    ],
)
def test_what_is_spared(function: Callable[..., Any], spared: int) -> None:
    x, w = drawn(512, 512, dtype=gleed.bfloat16), drawn(1024, 512)
    agree(function, x, w)
    _, steps, memory = report(function, x, w)
    pipeline.switch_off("prologues")
    _, steps_before, memory_before = report(function, x, w)
    assert (steps < steps_before) == (spared > 0)
    assert memory <= memory_before - spared


def test_what_is_read_is_not_overwritten_too_early() -> None:
    def step(x: Any, w: Any) -> Any:
        y = x.relu()
        x.add_(1)
        z = y @ w
        x += (x * 2) @ w
        return z, x * 1

    first, second = ([gleed.randn(200, 64), gleed.randn(64, 64)] for _ in range(2))
    for a, b in zip(first, second, strict=True):
        b.copy_(a)
    compiled = gleed.compile(step)
    for _ in range(3):
        assert list(map(bits, compiled(*second))) == list(map(bits, step(*first)))
        assert [bits(x) for x in second] == [bits(x) for x in first]


def test_in_loops_and_branches() -> None:
    def body(state: Any, x: Any) -> tuple[Any, Any]:
        state = (state * 0.5 + x).relu() @ weight.tanh()
        return state, state * 2

    weight, start, xs = gleed.randn(40, 40) * 0.2, gleed.randn(150, 40), gleed.randn(6, 150, 40)
    agree(lambda start, xs: gleed.scan(body, start, xs)[1], start, xs)
    agree(
        lambda x, w: gleed.cond(x.sum() > 0, lambda: x.relu() @ w, lambda: x.exp() @ w.tanh().t()),
        start,
        weight,
    )


def test_a_network_under_autocast() -> None:
    gleed.manual_seed(0)
    model = nn.Sequential(
        nn.BatchNorm1d(300), nn.ReLU(), nn.Linear(300, 150), nn.GELU(), nn.Linear(150, 10)
    ).eval()

    def predict(x: Any) -> Any:
        with gleed.autocast("cpu", dtype=gleed.bfloat16), gleed.no_grad():
            return model(x)

    agree(predict, drawn(600, 300))
    assert "first kernel" in report(predict, drawn(600, 300))[0]


def test_interpreted_programs_take_the_same_steps() -> None:
    schedule = interpreted(lambda x, w: (x * 2).relu() @ w)
    assert len(schedule.prologues.made) == 1
