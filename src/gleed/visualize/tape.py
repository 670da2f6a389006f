"""The graph behind a tensor, as the tape of its gradient knows it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import gleed
from gleed._C import Tensor
from gleed.errors import GradientError
from gleed.visualize.svg import Box, Edges


def behind(tensor: Tensor, names: Any | Mapping[str, Tensor] | None) -> tuple[list[Box], Edges]:
    """The operations that `tensor` was computed by, from the tensors that require a gradient on.

    `names` as for `gleed.graph.draw`. Raises GradientError for a tensor without a graph.
    """
    if tensor.grad_fn is None:
        raise GradientError(
            "draw: a tensor with a grad_fn is needed; got one without; compute it from tensors "
            "that require a gradient, outside no_grad()"
        )
    if names is not None and not isinstance(names, Mapping):
        names = dict(names.named_parameters())
    named = {id(leaf): name for name, leaf in (names or {}).items()}
    nodes, edges = _collect(tensor.grad_fn)
    shapes = _output_shapes(tensor, nodes)
    boxes = [_box(node, shapes.get(node, ()), named) for node in nodes]
    boxes.append(Box("result", _shape_text(tensor.shape), "result"))
    edges.append((0, len(nodes)))
    return boxes, edges


def _collect(root: Any) -> tuple[list[Any], list[tuple[int, int]]]:
    """Return all nodes that `root` depends on, it first, and the edges in the data's direction."""
    nodes, edges = [root], []
    numbers = {root: 0}
    for consumer, node in enumerate(nodes):
        for source in _sources(node):
            if source not in numbers:
                numbers[source] = len(nodes)
                nodes.append(source)
            edges.append((numbers[source], consumer))
    return nodes, edges


def _sources(node: Any) -> Iterator[Any]:
    return (source for source, _ in node.next_functions if source is not None)


def _output_shapes(tensor: Tensor, nodes: Sequence[Any]) -> dict[Any, list[Any]]:
    """Return the shapes of what each node's operation gave, as the gradients of those tell them.

    Nodes keep no shapes of their own. Once a backward pass has released the graph, some shapes
    are unknown.
    """
    shapes: dict[Any, list[Any]] = {}

    def note(node: Any, gradients: Sequence[Tensor | None]) -> None:
        shapes[node] = [gradient.shape for gradient in gradients if gradient is not None]

    handles = [node.register_prehook(partial(note, node)) for node in nodes if not _is_leaf(node)]
    leaves = [node.variable for node in nodes if _is_leaf(node)]
    try:
        with suppress(RuntimeError):
            gleed.autograd.grad(tensor, leaves, gleed.ones_like(tensor), retain_graph=True)
    finally:
        for handle in handles:
            handle.remove()
    return shapes


def _is_leaf(node: Any) -> bool:
    return node.name().endswith("AccumulateGrad")


def _box(node: Any, shapes: Sequence[Any], names: Mapping[int, str]) -> Box:
    if _is_leaf(node):
        leaf = node.variable
        return Box(names.get(id(leaf), "tensor"), _shape_text(leaf.shape), "leaf")
    words = re.sub(r"Backward\d*$", "", node.name())
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", words).lower()
    return Box(name, ", ".join(map(_shape_text, shapes)), "op")


def _shape_text(shape: Any) -> str:
    return " × ".join(map(str, shape)) or "scalar"
