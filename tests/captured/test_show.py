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


def test_bodies_stand_under_branches_and_loops(capsys: Any) -> None:
    w = gleed.ones(2)

    def f(x: Any) -> Any:
        y = gleed.cond(x.sum() > 0, lambda x: x * w, lambda x: (x / w).exp(), (x,))
        _, z = gleed.while_loop(
            lambda n, z: z.max() > 1, lambda n, z: (n + 1, z / 2), (gleed.tensor(0), y)
        )
        one = gleed.ones(())
        return gleed.scan(lambda c, t: (gleed.cond(c > 2, lambda: c * t, lambda: t), t), one, z)[0]

    with gleed.no_grad():
        text = shown(capsys, f, gleed.tensor([3.0, 4.0]))
    lines = [re.sub(r"  +", "  ", line.rstrip()) for line in text.splitlines()]
    start = lines.index("  %2 = branch(%1, x, w)  float32[2]  # cond")
    assert lines[start + 1 : start + 8] == [
        *("  if %1", "  %2.1 = mul(x, w)  float32[2]  # mul", "  give %2.1"),
        *("  else", "  %2.2 = div(x, w)  float32[2]  # div"),
        *("  %2.3 = exp(%2.2)  float32[2]  # exp", "  give %2.3"),
    ]
    start = lines.index("  %3, %4 = repeat(0, %2)  int64[], float32[2]  # while_loop")
    here = lines[start + 2]
    assert here.startswith(f"  {HERE}:{line_of('lambda n, z: z.max() > 1')}  lambda n, z: z.max()")
    assert lines[start + 1 : start + 11] == [
        *("  while", here, "  %3.1 = reduce_max(%4, axes=(0,))  float32[]  # max"),
        *("  %3.2 = gt(%3.1, 1)  bool[]  # gt", "  give %3.2"),
        *("  do", here, "  %3.3 = add(%3, 1)  int64[]  # add"),
        *("  %3.4 = div(%4, 2)  float32[2]  # div", "  give %3.3, %3.4"),
    ]
    assert "  for every t" in lines and "  if %6.1" in lines
    assert "  %6.2.1 = mul(%6, %4[t])  float32[]  # mul" in lines
    assert [len(line) - len(line.lstrip()) for line in text.splitlines() if "give" in line] == [
        *(6, 6, 6, 6, 10, 10, 6)
    ]


def test_equal_bodies_have_lines_of_their_own(capsys: Any) -> None:
    def turn(c: Any, x: Any) -> Any:
        double = x * 2
        return gleed.cond(c.sum() > 0, lambda: c, lambda: c + double), double.sqrt()

    def f(x: Any) -> Any:
        one = gleed.map(lambda row: row.exp() * 3, x)  # the one
        other = gleed.map(lambda row: row.exp() * 3, one)  # the other
        return gleed.scan(turn, other[0], other)

    with gleed.no_grad():
        lines = [x.strip() for x in shown(capsys, f, gleed.ones(3, 2)).splitlines()]
    headings = [x for x in lines if x.startswith(HERE)]
    last, double, chosen = (
        line_of(text) for text in ("gleed.scan(turn, other", "double = x * 2", "lambda: c + double")
    )
    first = last - 2
    assert [int(x.split()[0].removeprefix(f"{HERE}:")) for x in headings] == [
        *(first, first + 1, last, double, chosen)
    ]
    assert not any("prepared" in line for line in lines)


def test_gradients_of_loops_are_shown(capsys: Any) -> None:
    x = gleed.ones(2, requires_grad=True)
    text = shown(
        capsys,
        lambda x: gleed.while_loop(lambda x: x.sum() < 9, lambda x: x * x + 1, (x,)),
        x,
    )
    assert "while, " not in text and "for every t, the last one first" in text
    assert "gradient of x: " in text


def test_bodies_of_gradients_have_the_lines_of_what_they_are_of(capsys: Any) -> None:
    w = gleed.ones(2, requires_grad=True)

    def helper(y: Any) -> Any:
        return (y * w).exp()  # in the branch

    def turn(n: Any, z: Any) -> Any:
        a = z / w  # in the turn
        a = gleed.cond(a.sum() > 5, lambda: a.sin(), lambda: a.cos())  # a branch in it
        return n + 1, a

    def step(c: Any, t: Any) -> Any:
        d = c * t  # in the step
        return d.tanh(), d

    def f(x: Any) -> Any:
        y = gleed.cond(x.sum() > 0, helper, lambda x: x.sqrt(), (x,))
        _, z = gleed.while_loop(lambda n, z: n < 3, turn, (gleed.tensor(0), y))
        return gleed.scan(step, gleed.ones(()), z)[0]

    text = shown(capsys, f, gleed.ones(2, requires_grad=True))
    lines = [
        re.sub(r"  +", "  ", x).strip() for x in text.partition("gradient of the")[2].split("\n")
    ]
    assert not any("prepared" in line for line in lines)

    def after(mark: str) -> str:
        """The first step under the last heading of the backward of a line."""
        heading = f"{HERE}:{line_of(mark)}  [backward]  "
        last = max(i for i, line in enumerate(lines) if line.startswith(heading))
        return lines[last + 1]

    assert after("# in the branch").endswith("# ExpBackward0")
    assert after("# in the turn").endswith("# DivBackward0")
    assert after("# a branch in it").endswith("# CondBackward0")
    assert after("# in the step").endswith("# MulBackward0")
    assert after("return d.tanh(), d").endswith("# TanhBackward0")
    # What is run again for the gradient has the lines of the first time.
    again = f"{HERE}:{line_of('# in the turn')}  a = z / w  # in the turn"
    assert sum(line == again for line in lines) >= 3
