"""What can be seen of captured programs: `gleed.graph.show`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import gleed
from gleed import graph, nn
from gleed.errors import ArgumentError, TraceError

HERE = Path(__file__).name


def line_of(text: str) -> int:
    """The first line of this file that holds a text."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(i for i, line in enumerate(lines, 1) if text in line)


def shown(capsys: Any, *args: Any, **kwargs: Any) -> str:
    text = graph.show(*args, **kwargs)
    assert capsys.readouterr().out == text + "\n"
    return text


def training() -> Any:
    model = nn.Linear(3, 2)
    optimizer = gleed.optim.SGD(model.parameters(), lr=0.125, momentum=0.5)

    @gleed.compile
    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = (model(x) * 3.0).square().mean()
        loss.backward()  # gradients
        optimizer.step()
        return loss.detach()

    return step


def test_steps_stand_under_the_lines_that_made_them(capsys: Any) -> None:
    step = training()
    step(gleed.randn(4, 3))
    step(gleed.randn(4, 3))
    lines = shown(capsys, step).splitlines()
    forward, backward = line_of(".square().mean()"), line_of("loss.backward()  #")
    headings = [i for i, line in enumerate(lines) if line.startswith(HERE)]
    assert [lines[i] for i in headings] == [
        f"{HERE}:{forward}  loss = (model(x) * 3.0).square().mean()",
        f"{HERE}:{backward}  [backward]  loss.backward()  # gradients",
        f"{HERE}:{backward + 1}  [optimizer]  optimizer.step()",
    ]
    sections = ["\n".join(lines[i:j]) for i, j in zip(headings, [*headings[1:], None], strict=True)]
    assert re.search(r"affine\(x, %0, model.bias, relu=False\) +float32\[4, 2\]", sections[0])
    assert re.search(rf"# MeanBackward0 of {HERE}:{forward}$", sections[1], re.MULTILINE)
    assert "optimizer.param_groups[0]['lr']" in sections[2]
    assert "optimizer.state[model.bias]['momentum_buffer'] becomes %" in lines[-3]
    assert "  model.weight.grad becomes %" in "\n".join(lines)
    assert re.search(r"  model.weight becomes %\d+$", "\n".join(lines), re.MULTILINE)


def test_every_value_that_is_used_has_a_line(capsys: Any) -> None:
    step = training()
    text = shown(capsys, step, gleed.randn(4, 3))
    assert set(re.findall(r"%\d+", text)) == set(re.findall(r"^  (%\d+) =", text, re.MULTILINE))


def test_a_plain_function_is_captured_and_its_arguments_have_names(capsys: Any) -> None:
    def mixed(x: Any, pair: Any, *, named: Any) -> Any:
        return {"sum": x + pair[1], "product": named["w"] @ x}

    pair = gleed.ones(3), gleed.ones(3)
    text = shown(capsys, mixed, gleed.zeros(3), pair, named={"w": gleed.eye(3)})
    assert "add(x, pair[1])" in text
    assert "named['w']" in text


def test_varying_sizes_are_named(capsys: Any) -> None:
    double = gleed.compile(lambda x: x.flatten() * 2)
    for n in (2, 3, 4):
        double(gleed.ones(n, 5))
    text = shown(capsys, double)
    assert text.startswith("test_varying_sizes_are_named.<locals>.<lambda>: program 1 of 2\n")
    assert "float32[(5 * x.shape[0])]" in text
    only = shown(capsys, double, gleed.ones(9, 5))
    assert "program" not in only
    assert "x.shape[0]" in only


def test_gradients_of_results_are_shown(capsys: Any) -> None:
    model = gleed.compile(nn.Linear(3, 2))
    text = shown(capsys, model, gleed.randn(4, 3))
    assert "gradient of the results" in text
    assert "[backward]" in text
    assert re.search(r"  gradient of Linear.weight: %\d+", text)
    assert text.splitlines()[1].split() == ["input", "float32[4,", "3]"]


def test_what_has_no_program_is_refused() -> None:
    with pytest.raises(
        ArgumentError,
        match=r"show: the function must have been captured; .*<lambda> has no program; call it",
    ):
        graph.show(gleed.compile(lambda x: x))
    with pytest.raises(ArgumentError, match="show: it takes a function; got int; give it what"):
        graph.show(3)  # type: ignore[arg-type]
    with pytest.raises(TraceError, match="the value of a tensor is known only when"):
        graph.show(lambda x: x.item(), gleed.ones(()))
