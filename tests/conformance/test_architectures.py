"""Networks made at random, with PyTorch's weights: results, gradients and a step of training."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import gleed

from .operators import copied

# The tests of gleed on its own make the same networks.
_SPEC = importlib.util.spec_from_file_location(
    "architectures", Path(__file__).parents[1] / "networks/architectures.py"
)
architectures = importlib.util.module_from_spec(_SPEC)
sys.modules["architectures"] = architectures  # where dataclasses look
_SPEC.loader.exec_module(architectures)
# Relative to the greatest element: of sums, and of what optimizers divide them by.
TOLERANCES = {"float32": 2e-4, "float64": 1e-9}


@pytest.mark.parametrize("seed", range(architectures.COUNT))
def test_network(seed):
    torch.manual_seed(seed)
    ours, theirs = (architectures.Builder(lib, seed).build() for lib in (gleed, torch))
    state = {name: copied(value) for name, value in theirs.net.state_dict().items()}
    ours.net.load_state_dict(state)
    found, wanted = architectures.run(ours, gleed), architectures.run(theirs, torch)
    assert list(found) == list(wanted)
    for name, expected in wanted.items():
        result = found[name]
        assert (result.dtype, result.shape) == (expected.dtype, expected.shape), name
        tolerance = TOLERANCES.get(str(expected.dtype), 0)
        limit = tolerance * max(1, np.abs(expected).max(initial=0))
        error = np.abs(result - expected).max(initial=0)
        assert error <= limit, f"{name}: {error} of {np.abs(expected).max()} in {theirs.net}"
