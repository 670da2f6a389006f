"""With any pass left out, captured programs give the bits that they give eagerly."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator

import pytest

import gleed
from gleed.compiler import pipeline

from .programs import Program
from .test_programs import seen


@pytest.fixture
def restored() -> Iterator[None]:
    yield
    pipeline.switch_off("")


@pytest.mark.parametrize("names", [*pipeline.PASSES, ",".join(pipeline.PASSES)])
def test_every_pass_can_be_left_out(names: str, restored: None) -> None:
    pipeline.switch_off(names)
    for seed in range(30):
        program = Program(seed, grad=seed % 2 == 1)
        compiled = gleed.compile(program)
        for call in range(2):
            plain, captured = program.arguments(call), program.arguments(call)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # some overlapping writes are not captured
                found, expected = compiled(*captured), program(*plain)
            assert seen(found) == seen(expected), f"seed {seed}, call {call}"
            assert seen(captured) == seen(plain), f"seed {seed}, call {call}: inputs"


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
    assert "GLEED_WITHOUT: it takes fusion, reuse, divided by commas; got 'fision'" in (
        run("fision").stderr
    )
