"""`tf.nn.dynamic_rnn` and `tf.nn.static_rnn`: a cell over the steps of sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gleed import graph
from gleed.compat.tensorflow.convert import convert_to_tensor
from gleed.compat.tensorflow.math import cast
from gleed.compat.tensorflow.rnn_cell import RNNCell, batch_of, depth_of
from gleed.errors import ShapeError
from gleed.graph.node import Node, mapped, nodes_in
from gleed.ops.record import OPS


def dynamic_rnn(
    cell: RNNCell,
    inputs: Any,
    sequence_length: Any = None,
    initial_state: Any = None,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    time_major: bool = False,
    scope: str | None = None,
) -> tuple[Node, Any]:
    """The outputs of `cell` for all steps of `inputs` (batch, steps, features), or (steps, batch,
    features) if `time_major`, and its last state. It is one loop, whatever the number of steps.

    Where a sequence is shorter, as `sequence_length` (batch) says, its outputs are zeros then and
    its state stays. Without `initial_state` it begins with zeros.

    >>> import gleed.compat.tensorflow as tf
    >>> words = tf.placeholder(tf.float32, [None, None, 8])
    >>> outputs, state = tf.nn.dynamic_rnn(tf.nn.rnn_cell.LSTMCell(16), words, dtype=tf.float32)
    >>> outputs.shape, state.h.shape
    (Shape([None, None, 16]), Shape([None, 16]))
    """
    x = convert_to_tensor(inputs)
    if x.ndim != 3:
        raise ShapeError(
            f"dynamic_rnn: inputs have 3 dims, (batch, steps, features); {x.describe()} came, made "
            f"at {x.op.place}; reshape them"
        )
    rows = x if time_major else x.transpose(0, 1)
    with graph.variable_scope(scope or "rnn"):
        cell.build(depth_of(x))
        start = initial_state
        if start is None:
            start = cell.zero_state(batch_of(rows, 1), dtype or x.dtype)
        if sequence_length is None:
            last, ys = graph.scan(lambda s, row: cell(row, s)[::-1], start, rows)
        else:
            last, ys = _masked(cell, rows, start, sequence_length)
    return ys if time_major else ys.transpose(0, 1), last


def _masked(cell: RNNCell, rows: Node, start: Any, lengths: Any) -> tuple[Any, Node]:
    """A scan in which sequences end."""
    lengths = cast(convert_to_tensor(lengths), "int64").unsqueeze(1)

    def step(carry: Any, row: Node) -> tuple[Any, Any]:
        number, state = carry
        output, following = cell(row, state)
        going = number < lengths
        olds = nodes_in(state)
        state = mapped(following, lambda new: _where(going, new, next(olds)))
        return (number + 1, state), _where(going, output, 0.0)

    (_, last), ys = graph.scan(step, (0, start), rows)
    return last, ys


def _where(condition: Node, x: Node, y: Any) -> Node:
    return graph.call(OPS["where"], condition, x, y)


def static_rnn(
    cell: RNNCell,
    inputs: Sequence[Any],
    initial_state: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    scope: str | None = None,
) -> tuple[list[Node], Any]:
    """The outputs of `cell` for a list of steps (batch, features), and its last state."""
    rows = graph.call(OPS["stack"], [convert_to_tensor(x) for x in inputs])
    outputs, state = dynamic_rnn(
        cell, rows, sequence_length, initial_state, dtype, time_major=True, scope=scope
    )
    return [outputs[i] for i in range(len(inputs))], state
