"""Programs as text: printed, read back and run, they are what they were; and so in the interpreter.

GLEED_PROGRAMS names other random programs (`programs.batches`).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import gleed
from gleed import capture, nn
from gleed.compiler.interpret_plan import Unplayable, interpret_program
from gleed.compiler.planning import Program
from gleed.primitives.core import IRError
from gleed.program_text import parse_program, print_program

from .programs import Program as RandomProgram
from .programs import batches
from .test_programs import BATCHES, seen


@pytest.mark.parametrize("seeds", BATCHES)
def test_programs_read_back_run_the_same(seeds: range, read_back: list[Program]) -> None:
    for seed in seeds:
        program = RandomProgram(seed, grad=seed % 2 == 1)
        compiled = gleed.compile(program)
        for call in range(2):
            plain, captured = (
                program.arguments(call, requires_grad=seed % 2 == 1) for _ in range(2)
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # some overlapping writes are not captured
                found, expected = compiled(*captured), program(*plain)
            assert seen(found) == seen(expected), f"seed {seed}, call {call}"
            assert seen(captured) == seen(plain), f"seed {seed}, call {call}: inputs"
            if seed % 2:
                sum(y.sin().sum() for y in found).backward()
    assert len(read_back) >= len(seeds)


def test_steps_of_training_read_back_run_the_same(read_back: list[Program]) -> None:
    def trained(compiled: bool) -> list[Any]:
        gleed.manual_seed(0)
        model = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Dropout(0.3), nn.Linear(8, 3))
        optimizer = gleed.optim.Adam(model.parameters(), lr=0.03)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss.detach()

        run = gleed.compile(step) if compiled else step
        x, y = gleed.randn(9, 6), gleed.randint(0, 3, (9,))
        losses = [run(x[:n], y[:n]) for n in (5, 5, 5, 7, 9, 4)]
        return seen([*losses, *model.parameters()])

    assert trained(True) == trained(False)
    assert any(program.name == "captured" for program in read_back)


def test_loops_and_their_gradients_read_back_run_the_same(read_back: list[Program]) -> None:
    gleed.manual_seed(0)
    lstm, x = nn.LSTM(3, 4, bidirectional=True), gleed.randn(5, 2, 3, requires_grad=True)
    expected, _ = lstm(x)
    (gradient,) = gleed.autograd.grad(expected.square().sum(), x)
    compiled = gleed.compile(lambda x: lstm(x)[0])
    for _ in range(2):
        found = compiled(x)
        assert seen([found]) == seen([expected])
        assert seen(gleed.autograd.grad(found.square().sum(), x)) == seen([gradient])
    assert any("body=@" in print_program(program) for program in read_back)


def test_branches_and_loops_of_unknown_length_read_back_run_the_same(
    read_back: list[Program],
) -> None:
    def flow(x: Any) -> tuple[Any, ...]:
        y = gleed.cond(
            x.sum() > 0, lambda x: (x * 2).relu() @ x, lambda x: x - gleed.rand(3, 3), (x,)
        )
        z, count = gleed.while_loop(
            lambda z, count: (z.abs().sum() > 1) & (count < 9),
            lambda z, count: (z * 0.5 - y.sum() * 0.01, count + 1),
            (x.exp(), gleed.tensor(0)),
        )
        return y, z, count

    compiled = gleed.compile(flow, fullgraph=True)
    for sign in (1, -1, 1):
        gleed.manual_seed(3)
        x = gleed.rand(3, 3) * sign
        results = []
        for function in (compiled, flow):
            gleed.manual_seed(4)
            results.append(seen(function(x)))
        assert results[0] == results[1]
    texts = [print_program(program) for program in read_back]
    assert any("bodies=(@, @)" in text for text in texts)
    assert any("condition=@, body=@" in text for text in texts)


def test_numbers_that_text_could_lose_stay_what_they_are(read_back: list[Program]) -> None:
    def odd(x: Any) -> Any:
        bounds = gleed.full((2,), float("-inf")), gleed.full((2,), float("nan"))
        tiny = gleed.full((2,), 5e-324, dtype=gleed.float64)
        return x.where(x > 0, bounds[0]), bounds[1] + x, tiny * 3, x.sum() * (0.1 + 0.2)

    x = gleed.tensor([-1.0, 1.0])
    compiled = gleed.compile(odd)
    for _ in range(2):
        assert seen(compiled(x)) == seen(odd(x))


@pytest.mark.parametrize(
    ("line", "broken"),
    [
        ("program f", "f"),
        ("  %1: f32[2] = exp(%0)", "  %1: f32[2] = expo(%0)"),
        ("  %1: f32[2] = exp(%0)", "  %1: f32[2 = exp(%0)"),
        ("  %1: f32[2] = exp(%0)", "  %1: f32[2] = exp(%7)"),
        ("  return %1", ""),
        ("let size(0, 0) = 2", "let size(0, 0) = 2\n  known eq(size(0, 0), 3)"),
    ],
)
def test_what_is_no_program_is_refused(line: str, broken: str) -> None:
    text = (
        "program f\n  let size(0, 0) = 2\n  graph(%0: f32[size(0, 0)])\n"
        "    %1: f32[2] = exp(%0)\n    return %1"
    )
    assert print_program(parse_program(text)) == text
    with pytest.raises(IRError, match="parse_program: "):
        parse_program(text.replace(line, broken))


# ---- interpreted
def array_of(tensor: Any) -> Any:
    """An array with the elements and the layout of a tensor, in one-dimensional memory."""
    sizes, strides = tuple(tensor.shape), tensor.stride()
    extent = 1 + sum((n - 1) * s for n, s in zip(sizes, strides, strict=True))
    memory = np.zeros(max(extent, 1), np.float32)
    array = np.ndarray(sizes, np.float32, memory, 0, tuple(4 * s for s in strides))
    array[...] = tensor.detach().numpy()
    return array


def arrays_of(compiled: Any, arguments: Any) -> tuple[Any, list[Any], list[Any]]:
    """The program that has run last, with its inputs as arrays and its run-time numbers."""
    entry = compiled._entries[0]
    program = entry.captured.program
    arrays = [
        array_of(arguments[s.what] if s.kind == "argument" else s.what) for s in entry.sources
    ]
    dtypes = {n.attrs["key"]: n.outputs[0].dtype for n in program.graph.nodes if n.op == "param"}
    numbers = [
        capture.number_of(bits, dtypes.get(k, "i64"))
        for k, bits in enumerate(entry.captured.numbers)
    ]
    return program, arrays, numbers


@pytest.mark.parametrize("seeds", batches(200, 100))
def test_programs_are_interpreted_as_they_run(seeds: range) -> None:
    played = 0
    for seed in seeds:
        random = RandomProgram(seed)
        compiled = gleed.compile(random)
        expected_inputs, inputs = random.arguments(), random.arguments()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = compiled(*expected_inputs)
        if not compiled._entries:
            continue
        program, arrays, numbers = arrays_of(compiled, inputs)
        try:
            found = interpret_program(program, arrays, (), numbers)
        except Unplayable:
            continue
        played += 1
        results = [
            found[k] if kind == "output" else arrays[k]
            for kind, k in compiled._entries[0].captured.results
        ]
        written = {s.what: a for s, a in zip(compiled._entries[0].sources, arrays, strict=True)}
        pairs = [*zip(results, expected, strict=True)]
        pairs += [(a, expected_inputs[i]) for i, a in written.items() if isinstance(i, int)]
        for a, b in ((a, b.numpy()) for a, b in pairs):
            # The interpreter adds in higher precision, and so overflows later.
            finite = np.isfinite(a) & np.isfinite(b)
            np.testing.assert_allclose(
                a[finite], b[finite], rtol=1e-4, atol=1e-5, err_msg=f"seed {seed}"
            )
    assert played > len(seeds) * 0.9 - 1
