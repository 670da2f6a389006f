"""Graphs as TensorFlow's GraphDef messages, which TensorBoard draws.

Source of the messages: TensorFlow's graph.proto, node_def.proto, attr_value.proto, types.proto.
"""

from __future__ import annotations

from gleed.graph.graphs import Graph
from gleed.graph.node import Operation, Outcome
from gleed.graph.shape import Shape
from gleed.utils.tensorboard.protobuf import data, integer

# Members of the enumeration DataType.
_DTYPES = {
    "float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int16": 5, "int8": 6, "int64": 9,
    "bool": 10, "bfloat16": 14, "uint16": 17, "float16": 19, "uint32": 22, "uint64": 23,
}  # fmt: skip
_TITLES = {"Variable": "VariableV2"}  # TensorBoard knows variables by this name
_PRODUCER = 134  # the version of the messages: TensorFlow 1.15's


def graph_def(graph: Graph) -> bytes:
    """All operations of a graph, with inputs, dtypes and shapes; bodies are not in it."""
    nodes = b"".join(data(1, _node(op)) for op in graph.get_operations())
    return nodes + data(4, integer(1, _PRODUCER))


def _node(op: Operation) -> bytes:
    inputs = [x.op.name if x.index == 0 else x.name for x in op.inputs]
    inputs += [f"^{before.name}" for before in op.control_inputs]
    shapes = b"".join(data(7, _shape(x.shape)) for x in op.outputs)
    attributes = _attribute("_output_shapes", data(1, shapes)) if op.outputs else b""
    if op.outputs and not isinstance(op.outputs[0], Outcome):
        attributes += _attribute("dtype", integer(6, _DTYPES[op.outputs[0].dtype.name]))
    fields = data(1, op.name) + data(2, _TITLES.get(op.type, op.type))
    return fields + b"".join(data(3, name) for name in inputs) + attributes


def _attribute(name: str, value: bytes) -> bytes:
    return data(5, data(1, name) + data(2, value))


def _shape(shape: Shape) -> bytes:
    if shape.dims is None:
        return integer(3, True)
    sizes = (-1 if n is None else int(n) for n in shape.dims)
    return b"".join(data(2, integer(1, n)) for n in sizes)
