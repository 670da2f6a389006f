"""Results are the same bits run to run, and for every number of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import gleed
from gleed import _C

from .generate import Sample, array, results, sampled, samples_of

F = gleed.nn.functional


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Sets the number of threads; restored afterwards."""
    before = _C.get_num_threads()
    yield _C.set_num_threads
    _C.set_num_threads(before)


def bits(value: Any) -> list[bytes]:
    return [array(y).tobytes() for y in results(value)]


ONE_EACH = [s for s in sampled() if s is samples_of(s.op.name)[-1]]


@pytest.mark.parametrize("sample", ONE_EACH, ids=lambda s: s.name)
def test_run_to_run(sample: Sample, threads: Any) -> None:
    dtype = "float32" if sample.op.name.partition("_")[0] != "bitwise" else "int64"
    first = bits(sample.call(dtype).run(sample.op.public))
    for count in (1, 2):
        threads(count)
        assert bits(sample.call(dtype).run(sample.op.public)) == first


def large(*shape: int, dtype: str = "float32") -> Any:
    numbers = np.random.default_rng(len(shape)).standard_normal(shape)
    return gleed.from_numpy(numbers).to(getattr(gleed, dtype))


# Sizes at which work is shared between threads.
LARGE = {
    "exp": lambda d: large(1 << 19, dtype=d).exp(),
    "add-broadcast": lambda d: large(700, 1, dtype=d) + large(1, 900, dtype=d),
    "transposed": lambda d: large(700, 900, dtype=d).t().contiguous(),
    "sum": lambda d: large(1 << 20, dtype=d).sum(),
    "sum-rows": lambda d: large(37, 20_011, dtype=d).sum(1),
    "sum-columns": lambda d: large(20_011, 37, dtype=d).sum(0),
    "prod": lambda d: (large(1 << 18, dtype=d) / 1000 + 1).prod(),
    "var": lambda d: large(3, 100_003, dtype=d).var(1),
    "max": lambda d: large(1 << 20, dtype=d).max(),
    "argmax": lambda d: large(1 << 20, dtype=d).argmax(),
    "norm": lambda d: large(1 << 20, dtype=d).norm(),
    "cumsum": lambda d: large(4, 50_000, dtype=d).cumsum(1),
    "softmax": lambda d: large(500, 1000, dtype=d).softmax(-1),
    "softmax-columns": lambda d: large(1000, 500, dtype=d).softmax(0),
    "log_softmax-long": lambda d: large(2, 200_000, dtype=d).log_softmax(-1),
    "logsumexp": lambda d: large(1 << 19, dtype=d).logsumexp(0),
    "logsumexp-rows": lambda d: large(3, 90_001, dtype=d).logsumexp(1),
    "logsumexp-columns": lambda d: large(2000, 700, dtype=d).logsumexp(0),
    "cross_entropy-row": lambda d: F.cross_entropy(
        large(1, 200_003, dtype=d), gleed.tensor([70_000])
    ),
    "cross_entropy": lambda d: F.cross_entropy(large(37, 20_011, dtype=d), gleed.arange(37) * 500),
    "layer_norm": lambda d: F.layer_norm(large(400, 768, dtype=d), (768,)),
    "matmul": lambda d: large(257, 301, dtype=d) @ large(301, 213, dtype=d),
    "matmul-deep": lambda d: large(3, 40_000, dtype=d) @ large(40_000, 5, dtype=d),
    "matmul-vector": lambda d: large(900, 1100, dtype=d) @ large(1100, dtype=d),
    "dot": lambda d: large(1 << 20, dtype=d) @ large(1 << 20, dtype=d),
    "bmm": lambda d: large(33, 40, 50, dtype=d) @ large(33, 50, 60, dtype=d),
    "conv2d": lambda d: F.conv2d(large(5, 19, 40, 41, dtype=d), large(33, 19, 3, 3, dtype=d)),
    "conv2d-channelwise": lambda d: F.conv2d(
        large(9, 50, 33, 40, dtype=d), large(50, 1, 3, 3, dtype=d), groups=50
    ),
    "conv2d-pixels": lambda d: F.conv2d(
        large(9, 33, 40, 50, dtype=d).permute(0, 3, 1, 2), large(50, 1, 3, 3, dtype=d), groups=50
    ),
    "conv2d-last": lambda d: F.conv2d(
        large(5, 33, 40, 19, dtype=d).permute(0, 3, 1, 2), large(33, 19, 3, 3, dtype=d), stride=2
    ),
    "conv_transpose2d": lambda d: F.conv_transpose2d(
        large(5, 33, 20, 21, dtype=d), large(33, 19, 3, 3, dtype=d), stride=2
    ),
    "cat": lambda d: gleed.cat([large(300_000, dtype=d), large(300_001, dtype=d)]),
    "index_select": lambda d: large(50_000, 16, dtype=d)[gleed.arange(50_000).flip(0)],
    "scatter_add": lambda d: gleed.zeros(100, dtype=getattr(gleed, d)).scatter_add(
        0, gleed.arange(300_000) % 100, large(300_000, dtype=d)
    ),
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("name", LARGE)
def test_large(name: str, dtype: str, threads: Any) -> None:
    found = []
    for count in (1, 2, 2, 3):
        threads(count)
        found.append(bits(LARGE[name](dtype)))
    assert all(bits_ == found[0] for bits_ in found)


@pytest.mark.parametrize(
    "name", [*("sum", "softmax", "matmul", "layer_norm", "scatter_add", "var", "conv2d")]
)
def test_gradients(name: str, threads: Any) -> None:
    """Backward as well."""
    x = large(300, 2_003).requires_grad_()
    weight = large(2_003, 70).requires_grad_()
    kernel = large(30, 5, 3, 1).requires_grad_()
    index = gleed.arange(300) % 7
    functions = {
        "sum": lambda: (x * x).sum(),
        "softmax": lambda: (x.softmax(1) * x.detach()).sum(),
        "matmul": lambda: ((x @ weight) ** 2).sum(),
        "layer_norm": lambda: (F.layer_norm(x, (2_003,)) * x.detach()).sum(),
        "scatter_add": lambda: (gleed.zeros(7, 2_003).index_add(0, index, x) ** 2).sum(),
        "var": lambda: x.var(1).sum(),
        "conv2d": lambda: (F.conv2d(x[:100].view(20, 5, 2_003, 1), kernel) ** 2).sum(),
    }
    found = []
    for count in (1, 2, 2):
        threads(count)
        wanted = {"matmul": [x, weight], "conv2d": [x, kernel]}.get(name, [x])
        found.append(bits(gleed.autograd.grad(functions[name](), wanted)))
    assert all(bits_ == found[0] for bits_ in found)
