"""A graph as an SVG picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from gleed.visualize.layered import Graph, arrange

_MARGIN = 28
_BOX_HEIGHT = 42
_LAYER_GAP = 34
_BOX_GAP = 26
_PADDING = 14

# The advance of a character in monospaced fonts, as a share of their size.
_ADVANCE = 0.61
_NAME_SIZE = 13
_DETAIL_SIZE = 11

Edges = list[tuple[int, int]]

_STYLE = f"""
  text {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
         text-anchor: middle }}
  .name {{ font-size: {_NAME_SIZE}px; font-weight: 600; fill: #1f2430 }}
  .detail {{ font-size: {_DETAIL_SIZE}px; fill: #697084 }}
  .edge {{ fill: none; stroke: #9aa3b5; stroke-width: 1.5; marker-end: url(#arrow) }}
  rect {{ stroke-width: 1.5 }}
  .op rect {{ fill: #f4f5f8; stroke: #c3c9d6 }}
  .body rect {{ fill: #ffffff; stroke: #c3c9d6; stroke-dasharray: 5 3 }}
  .input rect {{ fill: #e4ecf9; stroke: #6f97d1 }}
  .leaf rect {{ fill: #e3f1ec; stroke: #5fae94 }}
  .backward rect {{ fill: #f7ecf6; stroke: #c490bd }}
  .optimizer rect {{ fill: #f8f3dc; stroke: #c9b458 }}
  .result rect {{ fill: #ffe9d6; stroke: #ee8c3a }}
"""


@dataclass(frozen=True)
class Box:
    """A node of the picture: what stands in it, its kind ("input", "leaf", "op", "body",
    "backward", "optimizer" or "result"), and a title, which viewers show under the pointer."""

    name: str
    detail: str
    kind: str
    title: str = ""

    @property
    def width(self) -> float:
        """The width that the texts need."""
        name = len(self.name) * _NAME_SIZE
        return max(name, len(self.detail) * _DETAIL_SIZE) * _ADVANCE + 2 * _PADDING


def write(path: str | os.PathLike, boxes: Sequence[Box], edges: Edges) -> None:
    """Write a picture as the file `path`; `edges` are pairs of numbers of boxes."""
    picture = render(boxes, Graph(len(boxes), edges))
    with open(path, "w", encoding="utf-8") as file:
        file.write(picture)


def render(boxes: Sequence[Box], graph: Graph) -> str:
    """Return the SVG text of `graph` with a box for each node, in layers from the top down."""
    layout = arrange(graph, [box.width for box in boxes], _BOX_GAP)
    left = min(layout.x[i] - box.width / 2 for i, box in enumerate(boxes))
    right = max(layout.x[i] + box.width / 2 for i, box in enumerate(boxes))
    left = min(left, *layout.x.values())
    right = max(right, *layout.x.values())
    x = {node: place - left + _MARGIN for node, place in layout.x.items()}
    top: dict[int, float] = {
        node: _MARGIN + number * (_BOX_HEIGHT + _LAYER_GAP)
        for number, row in enumerate(layout.layers)
        for node in row
    }
    width = right - left + 2 * _MARGIN
    height = len(layout.layers) * (_BOX_HEIGHT + _LAYER_GAP) - _LAYER_GAP + 2 * _MARGIN
    parts = [_edge(path, x, top) for path in layout.paths]
    parts += [_box(box, x[i], top[i]) for i, box in enumerate(boxes)]
    return _document(width, height, parts)


def _document(width: float, height: float, parts: Sequence[str]) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}">',
            "<title>Computational graph</title>",
            f"<style>{_STYLE}</style>",
            '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path d="M0 0.6 L8 4 L0 7.4 z" fill="#9aa3b5"/>'
            "</marker></defs>",
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


def _edge(path: Sequence[int], x: dict[int, float], top: dict[int, float]) -> str:
    """Draw an edge that leaves and meets boxes, and passes the layers between, vertically."""
    first = path[0]
    curve = f"M{x[first]:.1f} {top[first] + _BOX_HEIGHT:.1f}"
    for upper, lower in pairwise(path):
        begin, end = top[upper] + _BOX_HEIGHT, top[lower]
        middle = (begin + end) / 2
        curve += (
            f" C{x[upper]:.1f} {middle:.1f} {x[lower]:.1f} {middle:.1f} {x[lower]:.1f} {end:.1f}"
        )
        if lower != path[-1]:
            curve += f" V{end + _BOX_HEIGHT:.1f}"
    return f'<path class="edge" d="{curve}"/>'


def _box(box: Box, x: float, top: float) -> str:
    radius = _BOX_HEIGHT / 2 if box.kind in ("input", "leaf") else 8
    name_baseline = top + (18 if box.detail else 26)
    title = f"<title>{escape(box.title)}</title>" if box.title else ""
    return (
        f'<g class="{box.kind}">{title}<rect x="{x - box.width / 2:.1f}" y="{top:.1f}" '
        f'width="{box.width:.1f}" height="{_BOX_HEIGHT}" rx="{radius:g}"/>'
        f'<text class="name" x="{x:.1f}" y="{name_baseline:.1f}">{escape(box.name)}</text>'
        f'<text class="detail" x="{x:.1f}" y="{top + 33:.1f}">{escape(box.detail)}</text></g>'
    )
