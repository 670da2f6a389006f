"""Every recapture has its reason in the report."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

import gleed
from gleed import nn

X = gleed.ones(2, 3)


def first(x: Any, y: Any = None, *, z: Any = None) -> Any:
    return (x["a"] if isinstance(x, dict) else x[0] if isinstance(x, list) else x) * 2


ARGUMENTS: list[tuple[tuple[Any, ...], tuple[Any, ...], str]] = [
    ((X,), (gleed.ones(4, 3),), "argument 0 had shape (2, 3), and has shape (4, 3)"),
    ((X,), (gleed.ones(3),), "argument 0 had shape (2, 3), and has shape (3,)"),
    (
        (X,),
        (X.double(),),
        "argument 0 had dtype gleed.float32, and has dtype gleed.float64",
    ),
    (
        (X,),
        (gleed.ones(3, 2).t(),),
        "argument 0 had is_contiguous()=True, and has is_contiguous()=False",
    ),
    (
        (gleed.ones(3, 2).t(),),
        (gleed.ones(3, 4)[:, ::2].t(),),
        "argument 0 had strides (1, 2), and has strides (2, 4)",
    ),
    (
        (X,),
        (X.clone().requires_grad_(),),
        "argument 0 had requires_grad=False, and has requires_grad=True",
    ),
    ((X, 2), (X, "a"), "argument 1 was 2, and is 'a'"),
    ((X, None), (X, X), "argument 1 was None, and is a tensor"),
    ((X,), (X, 2), "it was called with 1 argument, and is with 2 arguments"),
    (([X],), ([X, 2],), "argument 0 had 1 item, and has 2 items"),
    (([X, 2],), ([X, [2]],), "argument 0[1] was 2, and is a list"),
    (({"a": X},), ({"a": X, "b": 1},), "argument 0 had the keys 'a', and has the keys 'a', 'b'"),
    (({"a": X, "b": 1},), ({"a": X, "b": 2},), "argument 0['b'] was 1, and is 2"),
    (({"a": X},), ({"a": X.double()},), "argument 0['a'] had dtype gleed.float32, and has "),
    ((X, first), (X, print), "argument 1 was a function, and is a builtin_function_or_method"),
    ((X, first), (X, lambda: None), "argument 1 is another object"),
]


def reasons(compiled: Any) -> list[str]:
    head = "captured again: "
    return [x.removeprefix(head) for x in compiled.report().splitlines() if x.startswith(head)]


@pytest.mark.parametrize(("before", "now", "text"), ARGUMENTS, ids=[text for *_, text in ARGUMENTS])
def test_other_arguments(before: tuple[Any, ...], now: tuple[Any, ...], text: str) -> None:
    compiled = gleed.compile(first, fullgraph=True)
    compiled(*before)
    compiled(*now)
    [reason] = reasons(compiled)
    assert reason.startswith(text)


def test_keyword_arguments() -> None:
    compiled = gleed.compile(first, fullgraph=True)
    compiled(X, z=1)
    compiled(X, z="a")
    compiled(X)
    assert reasons(compiled) == [
        "argument 'z' was 1, and is 'a'",
        "it was called with 1 argument, z=…, and is with 1 argument",
    ]


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        (gleed.no_grad, "grad mode was on, and is off"),
        (gleed.inference_mode, "grad mode was on, and is off"),
        (lambda: gleed.autocast("cpu"), "autocast was off, and is gleed.bfloat16"),
    ],
)
def test_other_modes(mode: Callable[[], contextlib.AbstractContextManager[Any]], text: str) -> None:
    compiled = gleed.compile(first, fullgraph=True)
    compiled(X)
    with mode():
        compiled(X)
    assert reasons(compiled) == [text]


def test_other_parameters() -> None:
    model = nn.Linear(3, 2)

    @gleed.compile(fullgraph=True)
    def accumulate(x: Any) -> None:
        model(x).sum().backward()

    for _ in range(2):
        accumulate(X)
    model.weight.register_hook(lambda g: g)
    accumulate(X)
    model.bias.requires_grad_(False)
    accumulate(X)
    model.zero_grad()
    accumulate(X)
    assert reasons(accumulate) == [
        "model.weight.grad was None, and is a tensor",
        "model.weight had 0 hooks, and has 1 hooks",
        "model.bias had requires_grad=True, and has requires_grad=False",
        "model.weight.grad was a tensor, and is None",
    ]


def test_sizes_that_are_followed_are_no_reason() -> None:
    compiled = gleed.compile(lambda x: x * 2 if x.shape[0] > 4 else x * 3, fullgraph=True)
    for n in (2, 3, 8):
        compiled(gleed.ones(n, 3))
    assert reasons(compiled) == [
        "argument 0 had shape (2, 3), and has shape (3, 3)",
        "sizes compare in another way, or tensors share memory",
    ]
