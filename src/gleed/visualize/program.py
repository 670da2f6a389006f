"""Captured programs as boxes and edges."""

from __future__ import annotations

from gleed.captured.calls import Call
from gleed.captured.listing import Listing
from gleed.compiler.graph import Node, Value
from gleed.visualize.svg import Box, Edges

_KINDS = {"argument": "input", "state": "leaf"}


def captured(listing: Listing) -> tuple[list[Box], Edges]:
    """The steps of a captured program, its inputs and what leaves it.

    What branches and loops hold stands before them, dashed, with the body that it is of. A box that
    stands for a step has a title, which viewers show under the pointer: the line of the program
    that made it.
    """
    boxes: list[Box] = []
    edges: list[tuple[int, int]] = []
    numbers: dict[Value, int] = {}

    def add(box: Box, sources: tuple[Value, ...], results: tuple[Value, ...]) -> None:
        edges.extend((numbers[v], len(boxes)) for v in dict.fromkeys(sources) if v in numbers)
        numbers.update(dict.fromkeys(results, len(boxes)))
        boxes.append(box)

    for value, (name, kind) in listing.inputs.items():
        add(Box(name, listing.type(value), _KINDS[kind]), (), (value,))

    def add_bodies(node: Node) -> tuple[Value, ...]:
        """What is in a branch or a loop; returns the results of its bodies."""
        results: list[Value] = []
        outside = node.inputs[1:] if node.kind == "branch" else node.inputs
        for body in listing.inside(node):
            for inner, outer in zip(body.graph.inputs, outside, strict=True):
                if outer in numbers:
                    numbers[inner] = numbers[outer]
            for step in body.steps:
                detail = f"{body.title}: {', '.join(map(listing.type, step.outputs))}"
                sources = (*step.inputs, *add_bodies(step))
                add(Box(step.op, detail, "body"), sources, step.outputs)
            results += body.graph.outputs
        return tuple(results)

    for node in listing.steps:
        detail = ", ".join(map(listing.type, node.outputs))
        call = listing.call(node)
        sources = (*node.inputs, *add_bodies(node))
        add(Box(node.op, detail, _kind(call), _title(call)), sources, node.outputs)
    for name, result in listing.results():
        if result is not None:
            add(Box(name, listing.type(result), "result"), (result,), ())
    return boxes, edges


def _kind(call: Call | None) -> str:
    return "op" if call is None or call.phase == "forward" else call.phase


def _title(call: Call | None) -> str:
    return "" if call is None else f"{call.name} at {call.place.quoted}"
