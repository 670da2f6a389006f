"""Python that needs the value of a tensor: not captured, right all the same, told what to use."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import gleed
from gleed.errors import TraceError

from .test_control_flow import bits
from .valued_programs import BODIES, FUNCTIONS, catches


def tell(what: Any) -> str:
    return what.__name__ if callable(what) else ""


def made() -> Any:
    return gleed.tensor([1.0, -2.0, 3.0])


def refused(function: Callable[..., Any], fix: str, place: Callable[..., Any]) -> None:
    """Check the error, which names a line of `place`."""
    with pytest.raises(TraceError) as error:
        gleed.compile(function, fullgraph=True)(made())
    text, code = str(error.value), place.__code__
    assert text.endswith(f"; {fix}")
    lines = {line for *_, line in code.co_lines()}
    assert any(f" at {code.co_filename}:{line}: " in text for line in lines)


@pytest.mark.parametrize(("function", "fix"), FUNCTIONS, ids=tell)
def test_functions_that_need_values(
    function: Callable[..., Any], fix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(function, fix, function)
    expected = bits(function(made()))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        compiled = gleed.compile(function)
        assert [bits(compiled(made())) for _ in range(3)] == [expected] * 3
    assert len(warned) == 1 and fix in str(warned[0].message)


def programs(body: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Control flow with a body that gives a tensor like what it is given."""
    yield lambda x: gleed.cond(x.sum() > 0, body, lambda x: x * 1, (x,))
    yield lambda x: gleed.while_loop(
        lambda n, x: n < 2, lambda n, x: (n + 1, body(x)), (gleed.tensor(0), x)
    )
    yield lambda x: gleed.scan(lambda c, y: (body(c), y * c.sum()), x, gleed.ones(3, 2))
    yield lambda x: gleed.map(body, gleed.stack([x, x + 1]))


@pytest.mark.parametrize("body", BODIES, ids=tell)
@pytest.mark.parametrize("kind", range(4))
def test_bodies_that_need_values(
    kind: int, body: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    function = list(programs(body))[kind]
    refused(function, dict(FUNCTIONS)[body], body)
    x = made()
    states = x
    if kind == 2:
        for _ in range(3):
            states = body(states)
        assert bits(function(x)[0]) == bits(states)  # eagerly turn by turn
    expected = bits(function(x))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        compiled = gleed.compile(function)
        assert [bits(compiled(x)) for _ in range(3)] == [expected] * 3
    assert len(warned) == 1


def test_vmap_of_a_function_that_catches_its_errors() -> None:
    with pytest.raises(TraceError, match=r"item"):
        gleed.func.vmap(catches)(gleed.ones(2, 3))
