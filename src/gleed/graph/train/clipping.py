"""Gradients that are not longer than they may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gleed.graph.node import Node
from gleed.ops.record import OPS


def global_norm(t_list: Sequence[Node | None], name: str = "global_norm") -> Node:
    """The length of all nodes as one vector; None is left out."""
    nodes = [t for t in t_list if t is not None]
    graph = nodes[0].graph
    with graph.name_scope(name) as scope:
        squares = graph.call(OPS["stack"], [t.square().sum() for t in nodes])
        return graph.call(OPS["sqrt"], squares.sum(), name=scope)


def clip_by_global_norm(
    t_list: Sequence[Node | None],
    clip_norm: Any,
    use_norm: Node | None = None,
    name: str = "clip_by_global_norm",
) -> tuple[list[Node | None], Node]:
    """The nodes, all scaled by one factor so that they are not longer than `clip_norm` as one
    vector; and the length that they had."""
    norm = global_norm(t_list) if use_norm is None else use_norm
    with norm.graph.name_scope(name):
        scale = _ratio(clip_norm, norm)
        return [t if t is None else t * scale for t in t_list], norm


def clip_by_norm(t: Node, clip_norm: Any, axes: Any = None, name: str = "clip_by_norm") -> Node:
    """`t`, scaled so that it is not longer than `clip_norm`, along `axes` or as a whole."""
    graph = t.graph
    with graph.name_scope(name) as scope:
        square = t.square()
        length = square.sum() if axes is None else square.sum(axes, keepdim=True)
        return graph.call(OPS["mul"], t, _ratio(clip_norm, length.sqrt()), name=scope)


def _ratio(limit: Any, length: Node) -> Any:
    """limit / length, 1 where the length is smaller."""
    return length.graph.call(OPS["where"], length > limit, limit / length, 1.0)
