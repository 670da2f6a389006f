"""What Python does around a run: values that it gives before, and what it makes of values after.

A `Source` is the function of an operation whose results are given to every run that needs them, as
if they were fed; a `Sink` that of one whose inputs are fetched and then handed over. What runs
between the two stays one program. What a sink makes is no tensor, so that only other sinks take it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gleed.errors import GraphError
from gleed.graph.graphs import Graph
from gleed.graph.node import Operation, Outcome, Type


@dataclass(frozen=True, eq=False)
class Source:
    """`draw(session)` gives a value for each result of the operation."""

    draw: Callable[[Any], Sequence[Any]]


@dataclass(frozen=True, eq=False)
class Sink:
    """`take(session, *args)` is called with the operation's arguments when a run is over."""

    take: Callable[..., Any]


def source(graph: Graph, type: str, draw: Callable[[Any], Any], types: Sequence[Type]) -> Operation:
    """An operation whose results Python gives."""
    return _checked(graph, type).add(type, Source(draw), types=types)


def sink(
    graph: Graph, type: str, take: Callable[..., Any], *args: Any, name: str | None = None
) -> Outcome:
    """The node of what Python makes of values, such as a record for a file."""
    made = _checked(graph, type).add(type, Sink(take), args, name=name)
    made.outputs = (Outcome(made),)
    return made.outputs[0]


def _checked(graph: Graph, type: str) -> Graph:
    if graph.outer is not None:
        raise GraphError(
            f"{type}: what Python does happens once in a run; it came in the body of a branch or a "
            "loop; do it outside, with what the body returns"
        )
    return graph
