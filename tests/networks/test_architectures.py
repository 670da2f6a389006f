"""Networks made at random: machine code against the interpreter of kernels, and threads."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gleed

from . import architectures

SEEDS = range(architectures.COUNT)
# The interpreter adds in higher precision. Relative to the greatest element.
TOLERANCES = {"float32": 2e-4, "float64": 1e-9}
GROUP = 8  # networks to one process of the interpreter


def trained(seed, threads):
    """What a step of training of the seed's network gives."""
    before = gleed.get_num_threads()
    gleed.set_num_threads(threads)
    try:
        gleed.manual_seed(seed)
        return architectures.run(architectures.Builder(gleed, seed).build(), gleed)
    finally:
        gleed.set_num_threads(before)


@pytest.mark.parametrize("first", range(0, architectures.COUNT, GROUP))
def test_machine_code_gives_what_the_interpreter_gives(first, tmp_path):
    seeds = SEEDS[first : first + GROUP]
    file = tmp_path / "found.npz"
    command = [sys.executable, "-m", "networks.interpreted", str(file), *map(str, seeds)]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[1])
    interpreted = np.load(file)
    for seed in seeds:
        for name, result in trained(seed, 2).items():
            expected = interpreted[f"{seed}/{name}"]
            limit = TOLERANCES.get(result.dtype.name, 0) * max(1, np.abs(expected).max(initial=0))
            error = np.abs(result - expected).max(initial=0)
            assert error <= limit, f"{name} of seed {seed}: off by {error}"


@pytest.mark.parametrize("seed", SEEDS)
def test_threads_do_not_change_a_bit(seed):
    one, two = trained(seed, 1), trained(seed, 2)
    for name, result in one.items():
        assert result.tobytes() == two[name].tobytes(), name
