"""Captured programs as boxes and edges."""

from __future__ import annotations

from gleed.captured.calls import Call
from gleed.captured.listing import Listing
from gleed.compiler.graph import Value
from gleed.visualize.svg import Box, Edges

_KINDS = {"argument": "input", "state": "leaf"}


def captured(listing: Listing) -> tuple[list[Box], Edges]:
    """The steps of a captured program, its inputs and what leaves it.

    A box that stands for a step has a title, which viewers show under the pointer: the line of the
    program that made it.
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
    for node in listing.steps:
        detail = ", ".join(map(listing.type, node.outputs))
        call = listing.call(node)
        add(Box(node.op, detail, _kind(call), _title(call)), node.inputs, node.outputs)
    for name, result in listing.results():
        if result is not None:
            add(Box(name, listing.type(result), "result"), (result,), ())
    return boxes, edges


def _kind(call: Call | None) -> str:
    return "op" if call is None or call.phase == "forward" else call.phase


def _title(call: Call | None) -> str:
    return "" if call is None else f"{call.name} at {call.place.quoted}"
