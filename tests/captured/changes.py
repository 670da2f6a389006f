"""Cases for tests: a function, and what changes what it computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gleed

Case = tuple[Callable[..., Any], Callable[[], Any]]
Make = Callable[[], Case]


def collector(cases: list[Make]) -> Callable[[Make], Make]:
    """A decorator that adds to cases."""

    def case(make: Make) -> Make:
        cases.append(make)
        return make

    return case


def check_captured_again(make: Make) -> None:
    """Assert that a compiled function computes what the plain one does, before and after."""
    function, change = make()
    compiled = gleed.compile(function, fullgraph=True)
    x = gleed.ones(2)
    before = compiled(x).tolist()
    assert compiled(x).tolist() == before == function(x).tolist()
    change()
    assert compiled(x).tolist() == function(x).tolist() != before
