"""The number of steps made, kept by a variable of the graph."""

from __future__ import annotations

from gleed.errors import GraphError
from gleed.graph.defaults import current_graph
from gleed.graph.graphs import GLOBAL_VARIABLES, Graph
from gleed.graph.node import Node
from gleed.graph.session import Session
from gleed.graph.variables import Variable

GLOBAL_STEP = "global_step"


def create_global_step(graph: Graph | None = None) -> Variable:
    """A variable that counts steps from 0. Raises GraphError if the graph has one already."""
    graph = graph or current_graph()
    known = get_global_step(graph)
    if known is not None:
        raise GraphError(
            f"create_global_step: a graph has one global step; it was made at {known.op.place}; "
            "use get_global_step"
        )
    with graph.as_default(), graph.name_scope(None):
        names = [GLOBAL_VARIABLES, GLOBAL_STEP]
        return Variable(0, trainable=False, collections=names, name=GLOBAL_STEP)


def get_global_step(graph: Graph | None = None) -> Variable | None:
    """The variable that counts steps, or None."""
    found = (graph or current_graph()).get_collection(GLOBAL_STEP)
    return found[0] if found else None


def get_or_create_global_step(graph: Graph | None = None) -> Variable:
    """The variable that counts steps."""
    known = get_global_step(graph)
    return create_global_step(graph) if known is None else known


def global_step(sess: Session, global_step_tensor: Node) -> int:
    """The number of steps made in a session."""
    return int(sess.run(global_step_tensor))
