"""Random programs over all dtypes, and random steps of training: the same bits captured, and read
back from text; the same numbers where NumPy runs their kernels.

GLEED_PROGRAMS names other seeds than the usual ones (`programs.batches`).
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gleed
from gleed.errors import GradientError

from . import interpreted
from .mixed_programs import MixedProgram
from .programs import batches
from .test_programs import aliases, seen
from .trainings import Training

Run = Callable[..., Any]


def told(x: Any, inputs: list[Any]) -> Any:
    """What Python sees of a tensor beside its elements."""
    return x.requires_grad, x.is_leaf, [x is y for y in inputs]


def ran(program: MixedProgram, run: Run, call: int) -> Any:
    """What a call gives, leaves in its arguments, and gives as gradients; or its error."""
    inputs = program.arguments(call)
    gleed.manual_seed(call)
    try:
        results = run(*inputs)
    except Exception as error:
        return type(error), str(error)
    found = [seen(results), seen(inputs), aliases([*inputs, *results])]
    found.append([told(x, inputs) for x in results])
    heads = [y for y in results if y.requires_grad]
    if heads:
        try:
            sum(y.double().sin().sum() for y in heads).backward()
        except GradientError as error:  # what it needs is overwritten
            found.append(str(error))
        found.append([x.grad is not None and seen([x.grad]) for x in inputs])
    return found


def compare(seeds: range) -> None:
    for seed in seeds:
        program = MixedProgram(seed, grad=seed % 2 == 1)
        compiled = gleed.compile(program)
        for call in (0, 1, 0):
            expected = ran(program, program, call)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what cannot be captured runs all the same
                assert ran(program, compiled, call) == expected, f"seed {seed}, call {call}"


@pytest.mark.parametrize("seeds", batches(60, 20))
def test_programs(seeds: range) -> None:
    compare(seeds)


@pytest.mark.parametrize("seeds", batches(20, 20))
def test_programs_read_back(seeds: range, read_back: list[Any]) -> None:
    compare(seeds)
    assert read_back


def trained(seed: int, compiled: bool) -> list[Any]:
    """What steps of training give and leave."""
    training = Training(seed)
    run = gleed.compile(training.step, fullgraph=True) if compiled else training.step
    found = []
    for call in range(4):
        gleed.manual_seed(call)
        found += seen(run(*training.arguments(call)))
        if training.scheduler:
            training.scheduler.step()
    return [*found, *seen(training.state())]


@pytest.mark.parametrize("seeds", batches(8, 4))
def test_training(seeds: range) -> None:
    for seed in seeds:
        assert trained(seed, True) == trained(seed, False), f"seed {seed}"


@pytest.mark.parametrize("seeds", batches(2, 2))
def test_training_read_back(seeds: range, read_back: list[Any]) -> None:
    for seed in seeds:
        assert trained(seed, True) == trained(seed, False), f"seed {seed}"
    assert any(program.name == "captured" for program in read_back)


@pytest.mark.parametrize("seeds", batches(20, 20))
def test_programs_are_interpreted_as_they_run(seeds: range, tmp_path: Path) -> None:
    file = tmp_path / "found.npz"
    command = [sys.executable, "-m", "captured.interpreted", str(file), *map(str, seeds)]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[1])
    expected = np.load(file)
    for seed in seeds:
        for name, array in interpreted.results(seed).items():
            interpreted.require_near(array, expected[name], name)
