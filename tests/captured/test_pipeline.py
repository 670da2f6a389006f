"""Passes can be left out, all or one; then captured programs still give the bits of eager ones."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import gleed
from gleed.compiler import pipeline


@pytest.fixture
def restored() -> Iterator[None]:
    yield
    pipeline.switch_off("")


def total(without: str) -> float:
    """What programs with these passes left out give, whose captured results are checked there."""
    found = subprocess.run(
        [sys.executable, "-m", "captured.without"],
        env={**os.environ, "GLEED_WITHOUT": without},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
    )
    assert not found.returncode, found.stderr
    return float(found.stdout)


@pytest.fixture(scope="module")
def whole() -> float:
    return total("")


@pytest.mark.parametrize("names", ["all", *pipeline.PASSES])
def test_every_pass_can_be_left_out(names: str, whole: float) -> None:
    assert total(names) == pytest.approx(whole, rel=1e-5)


def test_without_fusion_every_result_has_memory(restored: None) -> None:
    def kernels() -> str:
        chain = gleed.compile(lambda x: (x.exp() * 2).relu())
        chain(gleed.ones(3))
        return chain.report()

    assert "3 operations in 1 kernel; memory for 1 result" in kernels()
    pipeline.switch_off("fusion")
    assert "3 operations in 3 kernels; memory for 3 results" in kernels()


def test_the_environment_names_what_is_left_out() -> None:
    program = "import gleed.compiler.pipeline as p; print(p.enabled('fusion'), p.enabled('reuse'))"

    def run(names: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "GLEED_WITHOUT": names},
            capture_output=True,
            text=True,
        )

    assert run("fusion").stdout == "False True\n"
    assert run("all").stdout == "False False\n"
    found = run("fision").stderr
    assert "reuse, divided by commas, or all; got 'fision'; check the spelling" in found


def test_the_pass_that_a_fault_is_in_is_found() -> None:
    tool = Path(__file__).parents[2] / "tools" / "bisect_passes.py"

    def run(code: str) -> subprocess.CompletedProcess:
        code = f"import os; without = os.environ['GLEED_WITHOUT']; {code}"
        command = [sys.executable, "-c", code]
        return subprocess.run([sys.executable, tool, *command], capture_output=True, text=True)

    found = run("assert without in ('all', 'keep')")
    assert "without nothing: fails\nwithout all: succeeds\n" in found.stdout
    assert found.stdout.endswith(f"keep: {pipeline.PASSES['keep']}\n")
    assert "the fault is elsewhere" in run("raise SystemExit(1)").stderr
    assert "does not fail" in run("pass").stderr
