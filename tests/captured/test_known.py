"""Programs that have been planned before: found again, the same, and never trusted blindly."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gleed
from gleed import known, nn
from gleed.compiler import objects, pipeline
from gleed.compiler.verify_graph import verify_program
from gleed.program_text import print_program

from .mixed_programs import MixedProgram
from .test_programs import seen


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[bytes, bytes]]:
    """What is kept in a cache of this test's own, by key."""
    monkeypatch.setenv("GLEED_CACHE_DIR", str(tmp_path / "cache"))
    objects._store.cache_clear()
    found: dict[bytes, bytes] = {}

    def keep(key: bytes, data: bytes) -> None:
        assert found.setdefault(key, data) == data, "a key has one plan"
        objects.keep(key, data)

    monkeypatch.setattr(known, "keep", keep)
    monkeypatch.setattr(known, "kept", objects.kept)
    yield found
    objects._store.cache_clear()


@pytest.fixture
def schedules(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the captured programs that were scheduled."""
    from gleed.compiler import planning

    done: list[str] = []
    plan_of = planning.plan_of

    def counted(program: Any, *rest: Any) -> Any:
        if program.placement is not None:
            done.append(program.name)
        return plan_of(program, *rest)

    monkeypatch.setattr(planning, "plan_of", counted)
    return done


def network() -> nn.Sequential:
    gleed.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 3),
    )  # fmt: skip


def trained() -> list[Any]:
    """Results, gradients, second gradients and buffers of a network in three steps."""
    model = network()
    compiled = gleed.compile(model)
    x = gleed.randn(5, 6, requires_grad=True)
    found: list[Any] = []
    for _ in range(3):
        y = compiled(x)
        (slope,) = gleed.autograd.grad(y.square().sum(), x, create_graph=True)
        slope.square().sum().backward()
        found += [y.detach(), slope.detach()]
    return seen([*found, x.grad, *(p.grad for p in model.parameters()), *model.buffers()])


def test_what_is_known_is_not_scheduled_again(store: dict, schedules: list[str]) -> None:
    first = trained()
    assert len(store) >= 2 and "captured" in schedules
    schedules.clear()
    count = len(store)
    assert trained() == first
    assert "captured" not in schedules
    assert len(store) == count


def test_mixed_programs_from_disk_have_the_bits_of_eager_ones(store: dict) -> None:
    for seed in range(12):
        program = MixedProgram(seed)
        results = []
        for function in (program, gleed.compile(program), gleed.compile(program)):
            for _ in range(2):
                arguments = program.arguments()
                gleed.manual_seed(seed)
                results.append(seen([*function(*arguments), *arguments]))
        assert all(one == results[0] for one in results), f"seed {seed}"
    assert len(store) > 8


def test_the_same_program_is_kept_under_one_key_as_the_same_plan(
    store: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "kept", lambda key: None)
    first = trained()
    keys = set(store)
    assert trained() == first  # the fixture compares what is kept
    assert set(store) == keys


def test_a_program_from_disk_can_be_looked_at(store: dict) -> None:
    def loss(x: Any) -> Any:
        return (x.exp() * 2).relu().sum() + x.var()

    x = gleed.randn(3, 4, requires_grad=True)
    told = []
    for _ in range(2):
        compiled = gleed.compile(loss)
        compiled(x).backward()
        compiled(x).backward()
        program = compiled._entries[0].captured.program
        verify_program(program)
        report = compiled.report(detail=True).splitlines()
        told.append((print_program(program), [x for x in report if " ms " not in x]))
    assert told[0] == told[1]


def test_sizes_that_vary(store: dict, schedules: list[str]) -> None:
    def f(x: Any) -> Any:
        return (x.softmax(1) @ x.mT).tanh().sum(0)

    for turn in range(2):
        schedules.clear()
        compiled = gleed.compile(f, dynamic=True)
        for rows in (3, 7, 5):
            x = gleed.randn(rows, 4, requires_grad=True)
            y = compiled(x)
            assert seen([y]) == seen([f(x)])
            found, expected = (gleed.autograd.grad(one.sum(), x) for one in (compiled(x), f(x)))
            assert seen(found) == seen(expected)
        assert "1 program" in compiled.report()
        assert ("captured" in schedules) == (turn == 0)


def test_other_sizes_flags_and_passes_are_other_programs(store: dict, schedules: list[str]) -> None:
    def f(x: Any, scale: float = 2.0) -> Any:
        return (x.exp() * scale).relu().sum(1)

    calls = [
        lambda: gleed.compile(f)(gleed.ones(3, 4)),
        lambda: gleed.compile(f)(gleed.ones(3, 5)),
        lambda: gleed.compile(f)(gleed.ones(3, 4).double()),
        lambda: gleed.compile(f)(gleed.ones(4, 3).T),
        lambda: gleed.compile(f)(gleed.ones(3, 4, requires_grad=True)),
    ]
    for call in calls:
        call()
    assert schedules.count("captured") == len(calls)
    gleed.compile(f)(gleed.ones(3, 4), 3.0)  # a number is no part of the plan
    assert schedules.count("captured") == len(calls)
    pipeline.switch_off("fusion")
    try:
        compiled = gleed.compile(f)
        compiled(gleed.ones(3, 4))
        assert "memory for 4 results" in compiled.report()
    finally:
        pipeline.switch_off("")


def test_other_sources_are_other_programs(
    store: dict, schedules: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gleed.compile(lambda x: x.exp() + 1)(gleed.ones(3))
    monkeypatch.setattr(known, "_environment", lambda: "another gleed")
    gleed.compile(lambda x: x.exp() + 1)(gleed.ones(3))
    assert schedules.count("captured") == 2


@pytest.mark.parametrize("data", [b"", b"garbage", b"i\x01\0\0\0", b"\xe9\x03\0\0\0"])
def test_what_cannot_be_read_counts_as_absent(
    store: dict, schedules: list[str], monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    first = trained()
    schedules.clear()
    monkeypatch.setattr(known, "kept", lambda key: data)
    assert trained() == first
    assert "captured" in schedules


def test_programs_with_bodies_are_planned_anew(store: dict) -> None:
    def f(x: Any) -> Any:
        return gleed.cond(x.sum() > 0, lambda x: x.exp(), lambda x: -x, (x,))

    for _ in range(2):
        assert gleed.compile(f)(gleed.ones(3)).tolist() == gleed.ones(3).exp().tolist()


# Prints how many plans were scheduled, and what came out.
PROGRAM = """
import gleed
from gleed.compiler import planning
scheduled, schedule = [], planning.Program.schedule
planning.Program.schedule = lambda program: scheduled.append(program.name) or schedule(program)
from captured.test_known import trained
results = hash(tuple(map(repr, trained())))
print(len(scheduled), results)
"""


def run_all(count: int, cache: Path, **switches: str) -> list[tuple[int, int]]:
    """What several processes at once print."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "GLEED_CACHE_DIR": str(cache), "PYTHONHASHSEED": "0", **switches},
            cwd=Path(__file__).parents[1],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    found = [process.communicate()[0].split() for process in running]
    assert not any(process.returncode for process in running)
    return [(int(scheduled), int(results)) for scheduled, results in found]


def test_a_second_process_schedules_little(tmp_path: Path) -> None:
    (first,) = run_all(1, tmp_path)
    (second,) = run_all(1, tmp_path)
    # What decides about sizes only while its gradient is derived is planned anew.
    assert first[0] > 20 and second[0] < 10
    assert first[1] == second[1]


def test_processes_at_once_and_damaged_files(tmp_path: Path) -> None:
    (expected,) = {results for _, results in run_all(2, tmp_path)}
    for path in tmp_path.rglob("*"):
        if path.suffix in (".o", ".pack"):
            data = bytearray(path.read_bytes())
            for place in range(60, len(data), 997):
                data[place] ^= 1
            path.write_bytes(data)
    for switches in ({}, {"GLEED_WITHOUT": "plans"}):
        (found,) = run_all(1, tmp_path, **switches)
        assert found[0] > 20 and found[1] == expected
