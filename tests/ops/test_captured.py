"""Every op captured: the same bits as eagerly, in every dtype and memory layout."""

from __future__ import annotations

import re
from typing import Any

import pytest

import gleed
from gleed.errors import TraceError

from .generate import LAYOUTS, Sample, array, results, sampled, takes

# The sizes of their results depend on values.
UNCAPTURED = ("argwhere", "nonzero")
SAMPLES = [sample for sample in sampled() if sample.op.name not in UNCAPTURED]


def seen(value: Any) -> list[Any]:
    """All that can be seen of results."""
    return [
        (y.dtype, y.shape, meaningful(y), array(y).tobytes()) if isinstance(y, gleed.Tensor) else y
        for y in results(value)
    ]


def meaningful(tensor: Any) -> list[int]:
    """The strides along axes of more than one element."""
    return [s for n, s in zip(tensor.shape, tensor.stride(), strict=True) if n > 1]


def check(sample: Sample, dtype: str, layout: str, dynamic: bool = False) -> None:
    function = sample.op.public
    compiled = gleed.compile(
        lambda *args, **kwargs: function(*args, **kwargs), fullgraph=True, dynamic=dynamic
    )
    eager = sample.call(dtype, layout)
    try:
        expected = seen(eager.run(function)), seen(eager.tensors)
    except (RuntimeError, ValueError) as error:  # a layout that the op refuses
        with pytest.raises(type(error), match=re.escape(str(error))):
            compiled(*sample.call(dtype, layout).args)
        return
    for _ in range(2):
        call = sample.call(dtype, layout)
        assert (seen(call.run(compiled)), seen(call.tensors)) == expected
    assert "again" not in compiled.report()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.name)
def test_forward(sample: Sample) -> None:
    check(sample, "float32" if takes(sample, "float32") else "int64", "contiguous")


@pytest.mark.parametrize("sample", SAMPLES[::5], ids=lambda s: s.name)
@pytest.mark.parametrize("layout", [x for x in LAYOUTS if x != "contiguous"])
def test_layouts(sample: Sample, layout: str) -> None:
    check(sample, "float32" if takes(sample, "float32") else "int64", layout)


@pytest.mark.parametrize("sample", SAMPLES[::4], ids=lambda s: s.name)
def test_sizes_as_symbols(sample: Sample) -> None:
    dtype = "float32" if takes(sample, "float32") else "int64"
    check(sample, dtype, "contiguous", dynamic=True)


@pytest.mark.parametrize("name", UNCAPTURED)
def test_sizes_that_depend_on_values(name: str) -> None:
    compiled = gleed.compile(lambda x: getattr(x, name)(), fullgraph=True)
    with pytest.raises(TraceError, match="compile: the sizes of results must follow from sizes"):
        compiled(gleed.ones(2))
