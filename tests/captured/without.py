"""Programs with passes of the compiler left out: eagerly and captured, the same bits.

    GLEED_WITHOUT=split python -m captured.without      # in tests/

A process of its own, for what is compiled once stays.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import gleed

from .mixed_programs import MixedProgram
from .test_programs import seen

F = gleed.nn.functional


def long(x: Any) -> Any:
    """Reductions that are done in chunks, rows with a running maximum, values kept for a second
    pass over the row, rare arguments, results that equal calls compute."""
    rows = F.log_softmax(x, 1), x.softmax(1), F.layer_norm(x.tanh(), x.shape[1:])
    loss = F.cross_entropy(x, x.argmax(1))
    return *rows, loss, x.sum(), (x * 1e5).sin(), x.exp().sum(0), x.exp().sum(0), x[:, :3].var(1)


def main() -> None:
    gleed.manual_seed(0)
    x = gleed.randn(30, 2100, requires_grad=True)
    compiled = gleed.compile(long, fullgraph=True)
    for _ in range(2):
        found, expected = compiled(x), long(x)
        assert seen(found) == seen(expected)
        pairs = [gleed.autograd.grad(sum(y.sum() for y in ys), x) for ys in (found, expected)]
        assert seen(pairs[0]) == seen(pairs[1])
    for seed in range(6):
        program = MixedProgram(seed)
        run = gleed.compile(program)
        for _ in range(2):
            results = []
            for function in (program, run):
                arguments = program.arguments()
                gleed.manual_seed(seed)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    results.append(seen([*function(*arguments), *arguments]))
            assert results[0] == results[1], f"seed {seed}"
    print(float(sum(y.double().sum() for y in expected)))


if __name__ == "__main__":
    sys.exit(main())
