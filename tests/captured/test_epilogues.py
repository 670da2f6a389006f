"""What follows products point by point is part of their steps: with the bits of eager code, in
fewer launches, and with less memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import gleed
import gleed.nn.functional as F
from gleed import _C, nn
from gleed.compiler import pipeline
from gleed.compiler.interpret_plan import interpret_program
from gleed.compiler.schedule import Schedule

DTYPES = [gleed.float32, gleed.float64, gleed.bfloat16, gleed.float16]
# Few and many, odd, of one row, of one column, with long sums, and empty.
SIZES = [
    (1, 1, 1),
    (33, 70, 49),
    (70, 1300, 130),
    (300, 64, 1),
    (1, 300, 2049),
    (1030, 40, 3),
    (260, 33, 1200),
    (0, 4, 5),
    (4, 0, 500),
    (4, 5, 0),
]


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = gleed.get_num_threads()
    yield
    gleed.set_num_threads(before)
    pipeline.switch_off("")


def bits(tensor: Any) -> Any:
    wide = tensor.detach().contiguous()
    if wide.dtype in (gleed.bfloat16, gleed.float16):
        wide = wide.float()
    return tensor.dtype, tensor.shape, wide.numpy().tobytes()


def tensors(results: Any) -> tuple[Any, ...]:
    return results if isinstance(results, tuple) else (results,)


def launches(function: Callable[..., Any], *args: Any) -> int:
    before = _C.engine_stats()["launches"]
    function(*args)
    return int(_C.engine_stats()["launches"] - before)


def agree(function: Callable[..., Any], *args: Any, steps: int | None = None) -> None:
    """Captured as eagerly, at the first call and later, with one thread and with two."""
    compiled = gleed.compile(function)
    gleed.set_num_threads(1)
    gleed.manual_seed(3)
    expected = [bits(y) for y in tensors(function(*args))]
    for threads in (1, 2, 1):
        gleed.set_num_threads(threads)
        gleed.manual_seed(3)
        assert [bits(y) for y in tensors(compiled(*args))] == expected
    assert steps is None or launches(compiled, *args) == steps


def drawn(*shape: int, dtype: Any = gleed.float32) -> Any:
    return gleed.randn(*shape).to(dtype)


def interpreted(function: Callable[..., Any]) -> Schedule:
    """The schedule of a function of two matrices, whose only number is 2; checked by NumPy."""
    compiled = gleed.compile(function)
    x, w = gleed.randn(40, 30), gleed.randn(30, 30)
    expected = compiled(x, w)
    captured = compiled._entries[0].captured
    numbers = [2.0] * len(captured.numbers)
    (found,) = interpret_program(captured.program, [x.numpy(), w.numpy()], (), numbers)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)
    return captured.program.schedule()


CHAINS: dict[str, Callable[..., Any]] = {
    "gelu": lambda y, other, rows: F.gelu(y),
    "residual": lambda y, other, rows: other + y * 2,
    "rows": lambda y, other, rows: (y * rows).relu(),
    "dropout": lambda y, other, rows: F.dropout(y, 0.3, True),
    "wider": lambda y, other, rows: y.double().tanh(),
    "narrower": lambda y, other, rows: y.sigmoid().bfloat16(),
    "compared": lambda y, other, rows: y > other,
    "transposed": lambda y, other, rows: y.t().exp(),
    "kept": lambda y, other, rows: (y, F.gelu(y)),
    "reduced too": lambda y, other, rows: (y.tanh(), y.sum(), y.tanh() * y),
    "by parts": lambda y, other, rows: y[:, ::2].tanh() + y[:, 1::2].sum(),
    "itself across": lambda y, other, rows: y @ y.t() + (y @ y.t()).t(),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CHAINS)
def test_what_follows_a_linear_layer(name: str, dtype: Any) -> None:
    for rows, depth, columns in SIZES if dtype == gleed.float32 else SIZES[1:3]:
        x, w, b = (drawn(*n, dtype=dtype) for n in ((rows, depth), (columns, depth), (columns,)))
        other, scale = drawn(rows, columns, dtype=dtype), drawn(rows, 1, dtype=dtype)
        fused, chain = rows % 2, CHAINS[name]

        def layer(
            x: Any, w: Any, b: Any, *rest: Any, fused: Any = fused, chain: Any = chain
        ) -> Any:
            return chain(F.linear(x, w, b) if fused else F.linear(x, w) + b, *rest)

        agree(layer, x, w, b, other, scale)


@pytest.mark.parametrize("dtype", DTYPES)
def test_batches_and_broadcasting(dtype: Any) -> None:
    a, b = drawn(3, 4, 33, 20, dtype=dtype), drawn(3, 4, 20, 17, dtype=dtype)
    across = [drawn(*n, dtype=dtype) for n in ((3, 1, 33, 17), (4, 1, 17), (1, 1), (3, 4, 33, 1))]
    for other in across:
        agree(lambda a, b, other: ((a @ b) * 0.5 + other).relu(), a, b, other, steps=1)
    agree(lambda a, b: (a @ b).transpose(1, 2).tanh(), a, b)
    agree(lambda a, b: (a @ b[:, :1]).flatten().tanh(), a, b)
    agree(lambda a, b: (a.view(3, 132, 20) @ b[0, 0]).view(3, -1).tanh(), a, b)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("dtype", DTYPES[:3])
@pytest.mark.parametrize(
    ("images", "channels", "size", "outputs", "taps", "stride", "groups"),
    [
        (1, 3, (9, 11), 50, 3, 1, 1),
        (2, 64, (28, 30), 64, 3, 1, 1),
        (5, 32, (7, 7), 48, 3, 2, 1),
        (3, 40, (14, 14), 70, 1, 1, 1),
        (2, 16, (13, 13), 16, 5, 1, 16),
        (2, 16, (20, 20), 32, 3, 2, 2),
        (2, 40, (2, 300), 24, 3, 1, 1),
        (0, 3, (5, 5), 4, 3, 1, 1),
    ],
)
def test_what_follows_a_convolution(
    images: int,
    channels: int,
    size: tuple[int, int],
    outputs: int,
    taps: int,
    stride: int,
    groups: int,
    dtype: Any,
    last: bool,
) -> None:
    x = drawn(images, channels, *size, dtype=dtype)
    w = drawn(outputs, channels // groups, taps, taps, dtype=dtype) * 0.1
    if last:
        x = x.to(memory_format=gleed.channels_last)
    norm = nn.BatchNorm2d(outputs).to(dtype).eval()
    window = {"stride": stride, "padding": taps // 2, "groups": groups}
    other = gleed.randn_like(F.conv2d(x, w, **window))
    steps = None if last or stride > 1 else 1
    agree(lambda x, w: F.relu(norm(F.conv2d(x, w, **window))), x, w, steps=steps)
    agree(lambda x, w: F.relu(F.conv2d(x, w, **window) + other), x, w, steps=steps)
    back = w.view(channels, outputs // groups, taps, taps)
    agree(lambda x, w: F.gelu(F.conv_transpose2d(x, w, **window)), x, back)


def test_other_numbers_of_axes() -> None:
    agree(lambda x, w: F.gelu(F.conv1d(x, w)), drawn(2, 6, 500), drawn(8, 6, 3), steps=1)
    x, w = drawn(2, 6, 9, 10, 11), drawn(8, 6, 3, 3, 3)
    agree(lambda x, w: F.gelu(F.conv3d(x, w, padding=1)), x, w, steps=1)
    w = drawn(6, 1, 3, 3, 3)
    agree(lambda x, w: F.gelu(F.conv3d(x, w, padding=1, groups=6)), x, w, steps=1)


def test_integers_wrap_around_and_go_on() -> None:
    a, b = gleed.randint(-9, 9, (70, 30)), gleed.randint(-9, 9, (30, 90))
    agree(lambda a, b: ((a @ b) * 3).clamp(min=-4), a, b, steps=1)


def trained(depth: int, dropout: float) -> Any:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(depth, 4, batch_first=True)
            self.norm = nn.LayerNorm(depth)
            self.wide, self.narrow = nn.Linear(depth, 4 * depth), nn.Linear(4 * depth, depth)

        def forward(self, x: Any) -> Any:
            h = self.norm(x)
            x = x + self.attention(h, h, h, need_weights=False)[0]
            h = F.gelu(self.wide(self.norm(x)))
            return x + F.dropout(self.narrow(h), dropout, self.training)

    return Block()


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_training_a_transformer_block(dropout: float) -> None:
    """With what the backward reads, and the gradients that it computes by products."""
    found = []
    for compiled, threads in ((False, 1), (True, 1), (True, 2)):
        gleed.set_num_threads(threads)
        gleed.manual_seed(0)
        block = trained(36, dropout)
        optimizer = gleed.optim.Adam(block.parameters(), lr=0.01)
        x = gleed.randn(3, 17, 36)

        def step(x: Any, block: Any = block, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = (block(x) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        run = gleed.compile(step) if compiled else step
        losses = [bits(run(x)) for _ in range(4)]
        found.append((losses, [bits(p) for p in block.parameters()]))
    assert found[0] == found[1] == found[2]


def test_the_product_is_computed_where_the_result_will_be() -> None:
    x, w = gleed.randn(256, 64), gleed.randn(512, 64)

    def report() -> tuple[str, int]:
        compiled = gleed.compile(lambda x, w: F.gelu(F.linear(x, w)) + 1)
        compiled(x, w), compiled(x, w)
        return compiled.report(detail=True), launches(compiled, x, w)

    text, steps = report()
    assert steps == 1
    assert "3 operations in 1 kernel; memory for 1 result" in text
    assert "memory: 640 KiB at most; 640 KiB if no memory were used again, 1.625 MiB" in text
    assert "1. routine matmul → %1: matmul (16.78 Mflop, 192 KiB → 0 B)\n" in text
    assert "\n       then kernel" in text
    pipeline.switch_off("epilogues")
    text, steps = report()
    assert steps == 2
    assert "3 operations in 2 kernels; memory for 2 results" in text
    assert "memory: 1.125 MiB at most" in text


def test_what_the_backward_reads_keeps_its_memory() -> None:
    x, w = gleed.randn(64, 32), gleed.randn(48, 32, requires_grad=True)
    compiled = gleed.compile(lambda x, w: F.gelu(F.linear(x, w)))
    for _ in range(2):
        compiled(x, w).sum().backward()
    assert "memory for 2 results" in compiled.report()
    assert "then kernel" in compiled.report(detail=True)


def test_what_a_product_reads_is_not_overwritten_too_early() -> None:
    """In place, by what follows: of other rows the product still reads it."""

    def step(x: Any, w: Any) -> Any:
        x += (x @ w).tanh()
        w.mul_(0.5).add_(w @ w)
        return x @ w

    first, second = ([gleed.randn(200, 64), gleed.randn(64, 64)] for _ in range(2))
    for a, b in zip(first, second, strict=True):
        b.copy_(a)
    compiled = gleed.compile(step)
    for _ in range(3):
        assert bits(compiled(*second)) == bits(step(*first))
        assert [bits(x) for x in second] == [bits(x) for x in first]


def test_in_loops_and_branches() -> None:
    def body(state: Any, x: Any) -> tuple[Any, Any]:
        state = (state @ weight + x).tanh()
        return state, state * 2

    weight, start, xs = gleed.randn(40, 40) * 0.2, gleed.randn(50, 40), gleed.randn(6, 50, 40)
    agree(lambda start, xs: gleed.scan(body, start, xs)[1], start, xs)
    agree(
        lambda x, w: gleed.cond(
            x.sum() > 0, lambda: (x @ w).relu() + 1, lambda: (x @ w).sigmoid() * x
        ),
        start,
        weight,
    )


def test_interpreted_programs_take_the_same_steps() -> None:
    schedule = interpreted(lambda x, w: (F.linear(x, w) * 2).relu() + x)
    assert len(schedule.epilogues.cached) == 1
