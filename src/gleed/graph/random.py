"""Random nodes: new numbers in every run.

Numbers come from gleed's default generator. With a seed, of the operation or of the graph
(`set_random_seed`), the operation has a generator of its own in every session, so that each session
draws the same.
"""

from __future__ import annotations

import math
from typing import Any

from gleed.errors import RangeError
from gleed.graph.data import as_dtype
from gleed.graph.defaults import graph_of
from gleed.graph.graphs import Graph
from gleed.graph.node import Node
from gleed.graph.shape import Shape
from gleed.graph.sizes import shape_of
from gleed.ops.record import OPS


def sizes_argument(shape: Any) -> Any:
    """A shape as ops take it: what is not known yet stays a node."""
    if isinstance(shape, Node):
        return shape
    if isinstance(shape, list | tuple) and any(isinstance(n, Node) for n in shape):
        return tuple(shape)
    return Shape(shape).sizes()


def _draw(graph: Graph, name: str, shape: Any, dtype: Any, seed: int | None) -> Node:
    return graph.call(OPS[name], sizes_argument(shape), dtype=as_dtype(dtype), seed=seed)


def random_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = "float32",
    seed: int | None = None,
    name: str | None = None,
) -> Node:
    """Numbers from the normal distribution.

    >>> from gleed.graph import Graph
    >>> with Graph().as_default():
    ...     random_normal([2, 3]).shape
    Shape([2, 3])
    """
    graph = graph_of(shape, mean, stddev)
    with graph.name_scope(name or "random_normal") as scope:
        drawn = _draw(graph, "randn", shape, dtype, seed)
        return graph.call(OPS["add"], drawn * stddev, mean, name=scope)


def random_uniform(
    shape: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = "float32",
    seed: int | None = None,
    name: str | None = None,
) -> Node:
    """Numbers drawn uniformly from [minval, maxval); for an integer dtype `maxval` must be given.

    Raises RangeError where it is not.
    """
    graph, kind = graph_of(shape, minval, maxval), as_dtype(dtype)
    with graph.name_scope(name or "random_uniform") as scope:
        if not kind.is_floating_point:
            if maxval is None:
                raise RangeError(
                    f"random_uniform: integers need a maxval; none came for {kind.name}; give one"
                )
            sizes = sizes_argument(shape)
            return graph.call(
                OPS["randint"], minval, maxval, sizes, dtype=kind, seed=seed, name=scope
            )
        drawn = _draw(graph, "rand", shape, kind, seed)
        width = (1 if maxval is None else maxval) - minval
        return graph.call(OPS["add"], drawn * width, minval, name=scope)


def truncated_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = "float32",
    seed: int | None = None,
    name: str | None = None,
) -> Node:
    """Numbers from the normal distribution, none more than two deviations from the mean: the
    inverse of its distribution function at uniform numbers between the bounds."""
    graph = graph_of(shape, mean, stddev)
    with graph.name_scope(name or "truncated_normal") as scope:
        reach = math.erf(math.sqrt(2))  # P(|x| < 2 σ)
        drawn = _draw(graph, "rand", shape, dtype, seed)
        standard = (drawn * (2 * reach) - reach).erfinv() * math.sqrt(2)
        return graph.call(OPS["add"], standard * stddev, mean, name=scope)


def random_shuffle(value: Node, seed: int | None = None, name: str | None = None) -> Node:
    """The rows of `value` in random order."""
    graph = value.graph
    with graph.name_scope(name or "random_shuffle") as scope:
        rows = graph.call(OPS["rand"], (shape_of(value)[0],), seed=seed)
        return graph.call(OPS["index_select"], value, 0, rows.argsort(), name=scope)
