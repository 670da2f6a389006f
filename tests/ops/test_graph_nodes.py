"""Every op on nodes of a graph: dtypes and shapes are found while building, also where sizes or
ranks are unknown, and values are those of eager calls, bit for bit."""

from __future__ import annotations

from typing import Any

import pytest

from gleed import _C, graph
from gleed.errors import ArgumentError, DTypeError, ShapeError
from gleed.graph.infer import SIZED_BY_DATA
from gleed.graph.node import mapped

from .generate import Sample, array, flat, is_random, sampled
from .tables import WRITES

# Of so many arguments the ranks are not guessed.
NEEDS_RANKS = {
    f"{kind}{form}" for kind in ("rnn_tanh", "rnn_relu", "lstm", "gru") for form in ("", "_cell")
}


def cases() -> list[Any]:
    """The first sample of every op that can be an operation."""
    chosen = [s for s in sampled() if s.op.name not in WRITES and s.number == 0]
    return [pytest.param(s, id=s.name) for s in chosen if not is_random(s.op)]


def eager(sample: Sample) -> tuple[Any, list[Any]]:
    """A call in float32, or where that is refused in int64, and its results."""
    try:
        call = sample.call("float32")
        return call, list(flat(call.run(sample.op.public)))
    except DTypeError:
        call = sample.call("int64")
        return call, list(flat(call.run(sample.op.public)))


def built(sample: Sample, call: Any, shape_of: Any) -> tuple[list[Any], dict[Any, Any]]:
    """The nodes of a call, and what to feed."""
    feeds: dict[Any, Any] = {}
    made: dict[int, Any] = {}

    def node(leaf: Any) -> Any:
        if not isinstance(leaf, _C.Tensor):
            return leaf
        if id(leaf) not in made:
            made[id(leaf)] = graph.placeholder(leaf.dtype, shape_of(leaf))
            feeds[made[id(leaf)]] = leaf
        return made[id(leaf)]

    args, kwargs = mapped((call.args, call.kwargs), node)
    result = graph.call(sample.op, *args, **kwargs)
    return list(flat(result)), feeds


SHAPES = {
    "known": lambda x: tuple(x.shape),
    "unknown": lambda x: [None] * x.ndim,
    "rank": lambda x: None,
}


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("sample", cases())
def test_types_and_values(sample: Sample, kind: str) -> None:
    call, wanted = eager(sample)
    if not all(isinstance(x, _C.Tensor) for x in wanted):
        return
    if kind == "rank" and sample.op.name in NEEDS_RANKS:
        with graph.Graph().as_default(), pytest.raises(ShapeError):
            built(sample, call, SHAPES[kind])
        return
    with graph.Graph().as_default(), graph.Session() as session:
        try:
            nodes, feeds = built(sample, call, SHAPES[kind])
        except ArgumentError as error:
            assert "the number of results must not depend on sizes" in str(error)
            return
        assert len(nodes) == len(wanted)
        for node, tensor in zip(nodes, wanted, strict=True):
            assert node.shape.accepts(tensor.shape), (node.shape, tensor.shape)
            assert node.dtype is tensor.dtype
            assert node.shape.known or kind != "known" or sample.op.name in SIZED_BY_DATA
        for value, tensor in zip(session.run(nodes, feeds), wanted, strict=True):
            expected = array(tensor)
            assert value.shape == expected.shape
            assert value.tobytes() == expected.astype(value.dtype).tobytes()
