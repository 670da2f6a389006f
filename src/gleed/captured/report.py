"""What there is to say of a captured program: what runs, and why."""

from __future__ import annotations

from gleed.captured.program import Captured
from gleed.compiler.cells import INNER


def summary(captured: Captured) -> str:
    """One line."""
    program = captured.program
    launched = [s for s in program.schedule().steps if s[0] in ("kernel", "library", *INNER)]
    return (
        f"{_many(len(program.graph.inputs), 'input')}, "
        f"{_many(len(captured.calls), 'operation')} in {_many(len(launched), 'kernel')}; "
        f"memory for {_many(len(program.stored or ()), 'result')}"
    )


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
