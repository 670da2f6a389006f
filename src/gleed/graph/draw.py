"""Pictures of graphs."""

from __future__ import annotations

import os
from collections.abc import Iterator

from gleed.graph.defaults import current_graph
from gleed.graph.graphs import GLOBAL_VARIABLES, Graph
from gleed.graph.node import CONSTANT, GRADIENTS, NO_OP, PLACEHOLDER, VARIABLE, Node, Operation
from gleed.visualize import layered
from gleed.visualize.svg import Box, render

_KINDS = {PLACEHOLDER: "input", VARIABLE: "leaf", GRADIENTS: "result"}


def draw(what: Graph | Node | Operation | None, path: str | os.PathLike) -> None:
    """Draw a graph, or what a node or an operation depends on, as the SVG file `path`.

    Data flows downwards, from placeholders and variables through operations, each with dtype and
    shape. What initialises variables is left out of the picture of a whole graph.

    >>> from gleed.graph import Graph, placeholder
    >>> with Graph().as_default() as graph:
    ...     x = placeholder("float32", [None, 3])
    ...     draw((x * 2).sum(), os.devnull)
    """
    operations = (
        _behind(what) if isinstance(what, Node | Operation) else _of(what or current_graph())
    )
    numbers = {op: i for i, op in enumerate(operations)}
    edges = {
        (numbers[source], numbers[op])
        for op in operations
        for source in _sources(op)
        if source in numbers
    }
    boxes = [Box(op.name, _detail(op), _KINDS.get(op.type, "op")) for op in operations]
    picture = render(boxes, layered.Graph(len(boxes), sorted(edges)))
    with open(path, "w", encoding="utf-8") as file:
        file.write(picture)


def _behind(target: Node | Operation) -> list[Operation]:
    """The operations that a node or an operation depends on."""
    last = target.op if isinstance(target, Node) else target
    found = {last}
    waiting = [last]
    while waiting:
        op = waiting.pop()
        for other in _sources(op):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return sorted(found, key=lambda op: op.number)


def _of(graph: Graph) -> list[Operation]:
    """The operations of a graph, without those that initialise."""
    operations = graph.get_operations()
    initial = {v.initializer for v in graph.get_collection(GLOBAL_VARIABLES)}
    users: dict[Operation, set[Operation]] = {op: set() for op in operations}
    for op in operations:
        for source in _sources(op):
            users[source].add(op)
    for op in reversed(operations):
        groups = op.type == NO_OP and initial.issuperset(op.control_inputs)
        if groups or (users[op] and initial.issuperset(users[op])):
            initial.add(op)
    return [op for op in operations if op not in initial]


def _sources(op: Operation) -> Iterator[Operation]:
    """The operations that come before."""
    yield from (node.op for node in op.inputs)
    yield from op.control_inputs


def _detail(op: Operation) -> str:
    if op.type == CONSTANT and op.args[0].numel() == 1:
        return f"{op.args[0].item():g}"
    return ", ".join(f"{y.dtype.name} {y.shape}" for y in op.outputs[:3])
