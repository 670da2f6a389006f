"""`report(detail=True)`: work, memory, time and reasons, compared with what is known."""

from __future__ import annotations

import re
from typing import Any

import pytest

import gleed
from gleed import nn
from gleed.compiler.work import Work, work


def report(compiled: Any) -> str:
    text: str = compiled.report(detail=True)
    return text


def steps(compiled: Any) -> list[Work]:
    """The kernels and routines of the program that has run last."""
    return work(compiled._entries[0].captured.program)


def test_the_short_report_comes_first() -> None:
    double = gleed.compile(lambda x: x * 2)
    double(gleed.ones(2)), double(gleed.ones(3)), double(gleed.ones(4))
    assert report(double).startswith(double.report() + "\n\nprogram 1\n  work: ")
    assert report(double).count("  kernels and routines:") == 2
    assert "\n" not in gleed.compile(lambda x: x).report(detail=True)


def test_a_chain_reads_and_writes_its_ends_alone() -> None:
    chain = gleed.compile(lambda x: (x.exp() * x + 1).relu())
    for _ in range(2):
        chain(gleed.ones(30, 10))
    (kernel,) = steps(chain)
    assert (kernel.read, kernel.written) == (1200, 1200)
    assert kernel.flops == 4 * 300
    assert [name for name in kernel.operations if name != "cast"] == [
        "exp",
        "mul",
        "add",
        "maximum",
    ]
    assert "work: 1.2 kflop; 1.172 KiB read, 1.172 KiB written" in report(chain)
    assert "it is a result" in report(chain)


def test_an_optimizer_reads_what_it_keeps_once() -> None:
    parameters = [gleed.nn.Parameter(gleed.randn(64, 64)) for _ in range(8)]
    optimizer = gleed.optim.Adam(parameters)
    for parameter in parameters:
        parameter.grad = gleed.randn(64, 64)
    step = gleed.compile(optimizer.step)
    for _ in range(3):
        step()
    # Too many parameters for one kernel: each with its gradient and two means in one of several.
    kernels = [kernel for kernel in steps(step) if kernel.written > 1000]
    assert len(kernels) > 1
    whole = 8 * 64 * 64 * 4
    assert 4 * whole <= sum(kernel.read for kernel in kernels) < 4.1 * whole
    assert sum(kernel.written for kernel in kernels) == 3 * whole


def test_products_count_as_they_do_on_paper() -> None:
    def products(a: Any, b: Any, x: Any, w: Any) -> Any:
        return a @ b, nn.functional.conv2d(x, w, padding=1, groups=2)

    compiled = gleed.compile(products)
    a, b, x, w = (gleed.randn(*s) for s in ((3, 5, 7), (3, 7, 2), (4, 6, 9, 8), (10, 3, 3, 3)))
    compiled(a, b, x, w)
    flops = {s.name: s.flops for s in steps(compiled)}
    assert flops == {"matmul": 2 * 3 * 5 * 7 * 2, "convolution": 2 * 4 * 10 * 9 * 8 * 3 * 9}


def test_gradients_of_a_convolution_are_as_much_work_each() -> None:
    weight = nn.Parameter(gleed.randn(10, 3, 3, 3))

    @gleed.compile
    def step(x: Any) -> Any:
        (gradient,) = gleed.autograd.grad(nn.functional.conv2d(x, weight).square().sum(), weight)
        return gradient

    step(gleed.randn(4, 3, 9, 8))
    flops = [s.flops for s in steps(step) if s.name.startswith("convolution")]
    assert flops == [2 * 4 * 10 * 7 * 6 * 27] * 2


@pytest.mark.parametrize("causal", [False, True])
def test_attention_counts_scores_and_sums(causal: bool) -> None:
    attend = gleed.compile(
        lambda q, k, v: nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
    )
    attend(gleed.randn(2, 3, 16, 8), gleed.randn(2, 3, 32, 8), gleed.randn(2, 3, 32, 4))
    found = [s.flops for s in steps(attend) if s.name == "attention"]
    assert found == [2 * 6 * 16 * 32 * 12 // (2 if causal else 1)]


def test_a_reduction_counts_all_that_it_adds() -> None:
    total = gleed.compile(lambda x: (x * x).sum(1))
    total(gleed.ones(50, 20))
    (square, add) = steps(total) if len(steps(total)) == 2 else (None, steps(total)[0])
    assert sum(s.flops for s in steps(total)) == 2 * 50 * 20
    assert add.written == 200
    assert square is None or square.flops == 1000
    assert "reduce_sum makes it" in report(total)


def test_loops_count_every_turn() -> None:
    lstm = nn.LSTM(3, 4)
    compiled = gleed.compile(lambda x: lstm(x)[0])
    compiled(gleed.randn(7, 2, 3))
    inside = [s for s in steps(compiled) if s.runs == 7]
    assert sum(s.flops for s in inside if s.name == "matmul") == 7 * 2 * 2 * 16 * 4


def test_memory_that_is_used_again() -> None:
    def chain(x: Any, w: Any) -> Any:
        for _ in range(6):
            x = (x @ w).cumsum(1)
        return x.sum()

    compiled = gleed.compile(chain)
    x, w = gleed.randn(64, 64), gleed.randn(64, 64)
    assert "memory: known when the program has run" in report_after(compiled, x, w)
    compiled(x, w)
    plan = compiled._entries[0].captured.plan
    assert plan.memory < plan.separate / 3
    assert plan.separate >= 11 * 64 * 64 * 4
    assert re.search(r"memory: .* at most; .* if no memory were used again", report(compiled))


def report_after(compiled: Any, *args: Any) -> str:
    compiled(*args)
    return report(compiled)


def test_memory_is_used_again_only_if_allowed() -> None:
    def chain(x: Any, w: Any) -> Any:
        for _ in range(6):
            x = (x @ w).tanh()
        return x.sum()

    x, w = gleed.randn(64, 64), gleed.randn(64, 64)
    results = []
    before = gleed._C.set_memory_reuse(False)
    try:
        for reuse in (False, True):
            gleed._C.set_memory_reuse(reuse)
            compiled = gleed.compile(chain)
            results.append([compiled(x, w).item() for _ in range(2)])
            plan = compiled._entries[0].captured.plan
            assert (plan.memory == plan.separate) is not reuse
    finally:
        gleed._C.set_memory_reuse(before)
    assert results[0] == results[1]


def test_the_time_to_compile_is_told() -> None:
    fresh = gleed.compile(lambda x: (x * 1.2345).atan().cosh())
    for _ in range(2):
        fresh(gleed.ones(3))
    found = re.search(
        r"time: ([\d.]+) ms to run and record it, ([\d.]+) ms of passes, ([\d.]+) ms of machine "
        r"code \((\d+) compiled, (\d+) from the cache\)",
        report(fresh),
    )
    assert found is not None
    assert all(float(found[i]) > 0 for i in (1, 2))
    assert (float(found[3]) > 0) is (int(found[4]) > 0)
    assert int(found[4]) + int(found[5]) >= 1
