"""Data as nodes, by TensorFlow's rules: Python's whole numbers are int32, others float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gleed import _C
from gleed.graph.data import as_dtype
from gleed.graph.defaults import current_graph, graph_of
from gleed.graph.node import Node, mapped, nodes_in
from gleed.graph.outside import sink
from gleed.graph.sizes import SizeNode, packed, sizes_of
from gleed.lazy import lazy
from gleed.ops.record import OPS

numpy = lazy("numpy")


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str = "Const") -> Node:
    """A node that is always `value`.

    >>> import gleed.compat.tensorflow as tf
    >>> tf.constant([1, 2]).dtype, tf.constant(0.5).dtype
    (gleed.int32, gleed.float32)
    """
    if _is_text(value):
        return _text(value, name)
    own = isinstance(value, _C.Tensor | numpy.ndarray | numpy.generic)
    if dtype is None and not own:
        # Python's numbers and nested lists have no dtype of their own.
        wide = _C.tensor_from_data(value, None)
        dtype = _C.int32 if wide.dtype is _C.int64 and not _has_arrays(value) else wide.dtype
    return current_graph().constant(value, dtype, shape, name)


def _is_text(value: Any) -> bool:
    while isinstance(value, list | tuple) and value:
        value = value[0]
    return isinstance(value, str | bytes)


def _text(value: Any, name: str) -> Node:
    """Text, which is fetched as bytes, and no tensor."""

    def encoded(leaf: Any) -> Any:
        return leaf.encode() if isinstance(leaf, str) else leaf

    kept = encoded(value) if isinstance(value, str | bytes) else numpy.array(
        mapped(value, encoded), object
    )  # fmt: skip
    return sink(current_graph(), "Const", lambda session: kept, name=name)


def _has_arrays(value: Any) -> bool:
    while isinstance(value, list | tuple) and value:
        value = value[0]
    return isinstance(value, numpy.ndarray | numpy.generic | _C.Tensor)


def convert_to_tensor(
    value: Any, dtype: Any = None, name: str = "Const", preferred_dtype: Any = None
) -> Node:
    """`value` as a node; lists may contain nodes, which are stacked."""
    if isinstance(value, Node):
        return value
    if next(nodes_in(value), None) is not None:
        return stack(list(value), name="packed")
    return constant(value, as_dtype(dtype) if dtype is not None else None, name=name)


def operands(*values: Any) -> list[Any]:
    """Arguments of one operation: numbers stay numbers beside a node, and other data take its
    dtype if it is floating point."""
    node = next((x for x in values if isinstance(x, Node)), None)
    if node is None:
        return [convert_to_tensor(x) for x in values]
    floating = node.dtype.is_floating_point
    return [
        x if isinstance(x, Node | int | float) else convert_to_tensor(
            x, node.dtype if floating and next(nodes_in(x), None) is None else None
        )
        for x in values
    ]  # fmt: skip


def operand(value: Any, other: Node) -> Node:
    """`value` as a node, of the dtype of another where it has none of its own."""
    own = isinstance(value, Node | _C.Tensor | numpy.ndarray | numpy.generic)
    return convert_to_tensor(value, None if own else other.dtype)


def apply(function: Any, name: str | None, default: str, *args: Any, **kwargs: Any) -> Any:
    """The node of a function of nodes, called `name`, or else what TensorFlow calls it."""
    return graph_of(args).call(function, *args, name=name or default, **kwargs)


def sizes(shape: Any) -> Any:
    """A shape as ops take it: a tuple of numbers and sizes, or one node of sizes."""
    if isinstance(shape, SizeNode):
        return shape
    if isinstance(shape, Node) and shape.op.type == "Const":
        return tuple(shape.op.args[0].tolist())
    if isinstance(shape, int):
        return (shape,)
    parts = tuple(shape)
    return tuple(n if isinstance(n, Node) else -1 if n is None else int(n) for n in parts)


def stack(values: Any, axis: int = 0, name: str = "stack") -> Node:
    """Nodes of one shape as one node with a new dim; sizes stay sizes."""
    values = list(values)
    if any(isinstance(x, SizeNode) for x in values) and all(_is_size(x) for x in values):
        known = tuple(x.values[0] if isinstance(x, SizeNode) else int(x) for x in values)
        return sizes_of(packed, known, False, *values)
    return apply(OPS["stack"], name, "stack", [convert_to_tensor(x) for x in values], axis)


def _is_size(x: Any) -> bool:
    return x.scalar if isinstance(x, SizeNode) else isinstance(x, int)


def function_of(name: str, document: str, body: Callable[..., Any]) -> Callable[..., Any]:
    """A public function made from a table."""
    body.__name__ = body.__qualname__ = name
    body.__doc__ = document
    return body
