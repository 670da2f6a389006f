"""Pictures of graphs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from gleed._C import Tensor
from gleed.graph.defaults import current_graph
from gleed.graph.graphs import GLOBAL_VARIABLES, Graph
from gleed.graph.node import (
    CONSTANT,
    GRADIENTS,
    NO_OP,
    PLACEHOLDER,
    VARIABLE,
    Body,
    Node,
    Operation,
)
from gleed.graph.show import programs
from gleed.visualize import tape
from gleed.visualize.program import captured
from gleed.visualize.svg import Box, Edges, write

_KINDS = {PLACEHOLDER: "input", VARIABLE: "leaf", GRADIENTS: "result"}


def draw(
    what: Any,
    *args: Any,
    path: str | os.PathLike,
    names: Any | Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> None:
    """Draw a graph as the SVG file `path`. Data flows downwards.

    `what` may be

    - a tensor: the graph behind it, from the tensors that require a gradient through the operations
      to it, each with its shape. `names` gives names to tensors: a module, for those of its
      parameters, or a mapping of names to tensors;
    - a function or a module, compiled or not: its captured program, as `show` chooses it by the
      arguments, with the line that made a step as the title of its box;
    - a declared `Graph`, or what a node or an operation of one depends on; None: the current
      one. What initialises variables is left out of the picture of a whole graph.

    What branches and loops hold has dashed boxes before the one of the branch or the loop.

    Raises GradientError for a tensor without a graph, and what `show` raises for functions.

    >>> import gleed
    >>> weight = gleed.ones(3, requires_grad=True)
    >>> gleed.graph.draw((weight * 2).sum(), path=os.devnull, names={"weight": weight})
    >>> gleed.graph.draw(lambda x: x.relu(), gleed.ones(3), path=os.devnull)
    >>> with gleed.graph.Graph().as_default():
    ...     x = gleed.graph.placeholder("float32", [None, 3])
    ...     gleed.graph.draw((x * 2).sum(), path=os.devnull)
    """
    if isinstance(what, Tensor):
        boxes, edges = tape.behind(what, names)
    elif what is None or isinstance(what, Graph | Node | Operation):
        boxes, edges = _declared(what)
    else:
        _, listings = programs("draw", what, args, kwargs)
        boxes, edges = captured(listings[0])
    write(path, boxes, edges)


def _declared(what: Graph | Node | Operation | None) -> tuple[list[Box], Edges]:
    """A declared graph, or what a node or an operation depends on."""
    operations = (
        _behind(what) if isinstance(what, Node | Operation) else _of(what or current_graph())
    )
    boxes: list[Box] = []
    edges: list[tuple[int, int]] = []
    numbers: dict[Operation, int] = {}

    def add(op: Operation, kind: str) -> None:
        """A box, behind those of what is in its bodies."""
        sources = [*_sources(op)]
        for body in _bodies(op):
            for inner in body.graph.get_operations():
                add(inner, _KINDS.get(inner.type, "body"))
            sources += (y.op for y in body.results)
        found = dict.fromkeys(numbers[x] for x in sources if x in numbers)
        edges.extend((number, len(boxes)) for number in found)
        numbers[op] = len(boxes)
        boxes.append(Box(op.name, _detail(op), kind))

    for op in operations:
        add(op, _KINDS.get(op.type, "op"))
    return boxes, sorted(edges)


def _bodies(op: Operation) -> Iterator[Body]:
    return (x for x in op.args if isinstance(x, Body))


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
