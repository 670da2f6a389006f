"""Nodes whose values come from outside."""

from __future__ import annotations

from typing import Any

from gleed.graph.data import as_dtype
from gleed.graph.defaults import current_graph
from gleed.graph.node import PLACEHOLDER, Node, Type
from gleed.graph.routines import identity
from gleed.graph.shape import Shape


def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Node:
    """A node that is fed in every run.

    `dtype` is gleed's, NumPy's or a name; `shape` has None for sizes that vary, and is None if even
    the rank does.

    >>> from gleed.graph import Graph
    >>> with Graph().as_default():
    ...     x = placeholder("float32", [None, 784], name="images")
    ...     x @ x.transpose(0, 1)
    <Node 'matmul:0' shape=[None, None] dtype=float32>
    """
    kind = Type(as_dtype(dtype), Shape(shape))
    return current_graph().add(PLACEHOLDER, name=name, types=[kind]).outputs[0]


def placeholder_with_default(input: Any, shape: Any = None, name: str | None = None) -> Node:
    """A node that is `input` unless it is fed. Raises ShapeError if `input` has not the shape."""
    graph = current_graph()
    value = input if isinstance(input, Node) else graph.constant(input)
    value.shape.refined(Shape(shape))
    kind = Type(value.dtype, Shape(shape), value)
    made = graph.add(
        "PlaceholderWithDefault", identity, (value,), name=name or PLACEHOLDER, types=[kind]
    )
    return made.outputs[0]
