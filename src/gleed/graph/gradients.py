"""Gradients as nodes: `gleed.autograd` over the part of the graph between two sets of nodes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gleed.errors import DTypeError, GradientError
from gleed.graph.defaults import current_graph, graph_of
from gleed.graph.graphs import Graph
from gleed.graph.node import GRADIENTS, Node, Type
from gleed.graph.routines import identity
from gleed.graph.routines import stop_gradient as detached


def gradients(
    ys: Node | Sequence[Node],
    xs: Node | Sequence[Node],
    grad_ys: Any = None,
    name: str = "gradients",
) -> list[Node | None]:
    """The gradients of the sum of `ys` with respect to each of `xs`, a node each.

    `grad_ys` holds a weight per node of `ys`, or None for ones. None stands for the gradient of a
    node that `ys` do not depend on. Gradients can be differentiated again. Raises DTypeError for
    nodes that are not floating point.

    >>> from gleed.graph import Graph, Session, placeholder
    >>> with Graph().as_default(), Session() as session:
    ...     x = placeholder("float32", [])
    ...     (slope,) = gradients(x**3, x)
    ...     (curvature,) = gradients(slope, x)
    ...     values = session.run([slope, curvature], {x: 2.0})
    >>> [float(v) for v in values]
    [12.0, 12.0]
    """
    outputs, sources = _listed(ys), _listed(xs)
    for node in (*outputs, *sources):
        if not node.dtype.is_floating_point:
            raise DTypeError(
                f"gradients: nodes must be floating point; {node.describe()} came, made at "
                f"{node.op.place}; cast it"
            )
    graph = graph_of(outputs)
    weights = [None] * len(outputs) if grad_ys is None else _listed(grad_ys)
    weights = [w if w is None or isinstance(w, Node) else graph.constant(w) for w in weights]
    if len(weights) != len(outputs):
        raise GradientError(
            f"gradients: one weight per node is expected; {len(weights)} came for {len(outputs)}; "
            "put None for ones"
        )
    behind = _behind(outputs)
    found = [x for x in sources if x in behind]
    _require_within(graph, behind, found)
    if not found:
        return [None] * len(sources)
    types = [Type(x.dtype, x.shape) for x in found]
    args = (tuple(outputs), tuple(found), tuple(weights))
    made = graph.add(GRADIENTS, None, args, name=name, types=types)
    made.many = True
    results = dict(zip(found, made.outputs, strict=True))
    return [results.get(x) for x in sources]


def _require_within(graph: Graph, behind: set[Node], sources: Sequence[Node]) -> None:
    """Raise for gradients that a body would have to know other parts of the graph for."""
    around = [x for x in behind if x.op.graph is not graph]
    for x in around:
        reached = [s for s in sources if s is not x and s in _behind([x])]
        if reached:
            raise GradientError(
                "gradients: in a body they are with respect to what the body computes from; "
                f"{reached[0].describe()} came, made at {reached[0].op.place}, which {x.name!r} "
                "is computed of outside; compute that in the body, or ask outside"
            )


def _listed(nodes: Any) -> list[Any]:
    return [*nodes] if isinstance(nodes, list | tuple) else [nodes]


def _behind(nodes: Iterable[Node]) -> set[Node]:
    """The nodes that these are differentiable functions of, and themselves."""
    found = set(nodes)
    waiting = list(found)
    while waiting:
        op = waiting.pop().op
        if op.function is detached or op.writes:
            continue
        for node in op.inputs:
            if node.dtype.is_floating_point and node not in found:
                found.add(node)
                waiting.append(node)
    return found


def stop_gradient(input: Node, name: str = "StopGradient") -> Node:
    """`input`, which counts as a constant for gradients."""
    return input.graph.call(detached, input, name=name)


def identity_of(input: Any, name: str = "Identity") -> Node:
    """`input` as a node of its own, made under the control dependencies of here."""
    node = input if isinstance(input, Node) else current_graph().constant(input)
    return node.graph.call(identity, node, name=name)
