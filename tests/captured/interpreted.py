"""Random programs whose kernels run in NumPy: the core calls the interpreter in their place.

    python -m captured.interpreted FILE SEED …    # in tests/

A process of its own, for kernels are compiled once in a process.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from typing import Any

import numpy as np

import gleed
from gleed.errors import GradientError
from networks import interpreted as machine

from .mixed_programs import MixedProgram

# Sums are taken in higher precision there; relative to the greatest element. (What is of float64
# may have been computed of float32.)
TOLERANCES = {"float64": 1e-3, "float32": 1e-3, "float16": 3e-2}


def results(seed: int) -> dict[str, Any]:
    """What a captured program gives, with the gradients of its inputs, as arrays by name."""
    program = MixedProgram(seed, grad=seed % 2 == 1)
    compiled = gleed.compile(program)
    found: list[Any] = []
    for _ in range(2):
        inputs = program.arguments()
        gleed.manual_seed(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = [*compiled(*inputs), *inputs]
        heads = [y for y in found if y.requires_grad and not y.is_leaf]
        if heads:
            with contextlib.suppress(GradientError):  # what it needs may be overwritten
                sum(y.double().sin().sum() for y in heads).backward()
        found += [x.grad for x in inputs if x.grad is not None]
    return {f"{seed}/{i}": array(x.detach()) for i, x in enumerate(found)}


def array(x: Any) -> Any:
    return (x.float() if x.dtype == gleed.bfloat16 else x).contiguous().numpy()


def require_near(found: Any, expected: Any, name: str) -> None:
    """Raise AssertionError unless arrays are equal, or near if they are of floating point."""
    limit = TOLERANCES.get(found.dtype.name, 0)
    same = (found == expected) | (np.isnan(found) & np.isnan(expected)) if limit else None
    if same is None:
        assert np.array_equal(found, expected), name
        return
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=1)
    with np.errstate(all="ignore"):
        near = np.abs(found.astype(float) - expected) <= limit * scale
    assert (same | near).all(), f"{name}: {found[~(same | near)]}, {expected[~(same | near)]}"


def main() -> None:
    machine.install()
    found: dict[str, Any] = {}
    for seed in map(int, sys.argv[2:]):
        found |= results(seed)
    machine.finish(sys.argv[1], found)


if __name__ == "__main__":
    main()
