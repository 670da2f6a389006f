"""Python's clocks while a function is captured: what they say cannot be part of a program."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gleed.followed import stop_capture

_NAMES = ("time", "perf_counter", "monotonic", "process_time", "thread_time")
_CLOCKS = [getattr(time, f"{name}{suffix}") for name in _NAMES for suffix in ("", "_ns")]
_BY_ID = {id(clock): clock for clock in _CLOCKS}


def is_clock(value: Any) -> bool:
    """Whether a value is one of the functions of `time` that tell it."""
    return id(value) in _BY_ID


def _refusing(clock: Callable[[], Any]) -> Callable[[], Any]:
    def told() -> Any:
        stop_capture(
            f"the time is not known before the captured program runs; {clock.__name__}() needs it",
            "take it outside",
        )
        return clock()

    return told


@contextmanager
def refused_clocks(places: Sequence[tuple[dict[str, Any], str]]) -> Iterator[None]:
    """Give up the capture where a clock that is in one of these variables is read."""
    replaced = [(variables, name, variables[name]) for variables, name in places]
    for variables, name, clock in replaced:
        variables[name] = _refusing(clock)
    try:
        yield
    finally:
        for variables, name, clock in replaced:
            variables[name] = clock
