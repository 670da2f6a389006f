"""The graph that functions of `gleed.graph` add to."""

from __future__ import annotations

from typing import Any

from gleed.errors import GraphError
from gleed.graph.graphs import Graph
from gleed.graph.node import nodes_in
from gleed.graph.stacks import STACKS

_GLOBAL = [Graph()]


def current_graph() -> Graph:
    """The graph of the innermost `as_default` block, else one that is always there."""
    return STACKS.graphs[-1] if STACKS.graphs else _GLOBAL[0]


def reset_default_graph() -> None:
    """Begin a new default graph. Raises GraphError inside an `as_default` block."""
    if STACKS.graphs:
        raise GraphError(
            "reset_default_graph: it cannot be used inside as_default(); a block is open; leave it"
        )
    _GLOBAL[0] = Graph()


def graph_of(*values: Any) -> Graph:
    """The graph of the nodes among values, else the default one."""
    node = next(nodes_in(values), None)
    return current_graph() if node is None else node.graph


def set_random_seed(seed: int | None) -> None:
    """Make every session draw the same random numbers, in this graph. Operations made from here on
    draw numbers that depend on `seed` and on how many operations were made before."""
    current_graph().root.seed = seed
