"""Programs that go through their text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gleed import capture
from gleed.compiler.planning import Program, build_plan, plan_of
from gleed.compiler.verify_graph import verify_program
from gleed.program_text import parse_program, print_program


@pytest.fixture
def read_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Program]]:
    """Every plan is made of a program that was printed and read back; these programs."""
    found: list[Program] = []

    def through_text(program: Program, grad: Any, told: Any) -> Any:
        text = print_program(build_plan(program).program)
        program = parse_program(text)
        assert print_program(verify_program(program)) == text
        found.append(program)
        return plan_of(program, program.schedule(), grad)

    monkeypatch.setattr(capture, "build_plan", through_text)
    yield found
