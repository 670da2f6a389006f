"""`tf.nn.dynamic_rnn` and `tf.nn.static_rnn`: a cell over the steps of sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gleed import graph
from gleed.compat.tensorflow.convert import apply, convert_to_tensor
from gleed.compat.tensorflow.math import cast
from gleed.compat.tensorflow.rnn_cell import RNNCell, batch_of, depth_of
from gleed.errors import ArgumentError, ShapeError
from gleed.graph.node import Composite, Node, mapped, nodes_in
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


def bidirectional_dynamic_rnn(
    cell_fw: RNNCell,
    cell_bw: RNNCell,
    inputs: Any,
    sequence_length: Any = None,
    initial_state_fw: Any = None,
    initial_state_bw: Any = None,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    swap_memory: bool = False,
    time_major: bool = False,
    scope: str | None = None,
) -> tuple[tuple[Node, Node], tuple[Any, Any]]:
    """`dynamic_rnn` over the steps from the first on, and over those from the last back: a pair of
    outputs, both in the order of the inputs, and a pair of last states."""
    x = convert_to_tensor(inputs)
    axis = 0 if time_major else 1

    def turned(y: Node) -> Node:
        if sequence_length is None:
            return graph.call(OPS["flip"], y, (axis,))
        return reverse_sequence(y, sequence_length, axis, 1 - axis)

    with graph.variable_scope(scope or "bidirectional_rnn"):
        forth, last = dynamic_rnn(
            cell_fw, x, sequence_length, initial_state_fw, dtype, time_major=time_major, scope="fw"
        )
        back, first = dynamic_rnn(
            cell_bw, turned(x), sequence_length, initial_state_bw, dtype, time_major=time_major,
            scope="bw",
        )  # fmt: skip
        return (forth, turned(back)), (last, first)


def reverse_sequence(
    input: Any,
    seq_lengths: Any,
    seq_axis: int | None = None,
    batch_axis: int | None = None,
    name: str | None = None,
    seq_dim: int | None = None,
    batch_dim: int | None = None,
) -> Node:
    """The first `seq_lengths` (batch) steps of each sequence in reverse order, the others as they
    are."""
    x, lengths = convert_to_tensor(input), cast(seq_lengths, "int64")
    steps = seq_dim if seq_axis is None else seq_axis
    batch = (batch_dim if batch_axis is None else batch_axis) or 0
    if steps is None:
        raise ArgumentError(
            "reverse_sequence: the dim of the steps must be said; nothing came; give seq_axis"
        )
    body = Composite("reverse_sequence", _turned)
    return apply(body, name, "ReverseSequence", x, lengths, steps, batch)


def _turned(x: Any, lengths: Any, steps: int, batch: int) -> Any:
    def along(row: Any, axis: int) -> Any:
        return row.reshape(tuple(-1 if a == axis else 1 for a in range(x.ndim)))

    place = along(lengths.new_ones((x.shape[steps],)).cumsum(0) - 1, steps)
    length = along(lengths, batch)
    place = OPS["where"](place < length, length - 1 - place, place)
    return x.gather(steps, place.expand(x.shape))


def static_bidirectional_rnn(
    cell_fw: RNNCell,
    cell_bw: RNNCell,
    inputs: Sequence[Any],
    initial_state_fw: Any = None,
    initial_state_bw: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    scope: str | None = None,
) -> tuple[list[Node], Any, Any]:
    """`bidirectional_dynamic_rnn` over a list of steps (batch, features): the outputs of both side
    by side for each step, and the two last states."""
    rows = graph.call(OPS["stack"], [convert_to_tensor(x) for x in inputs])
    outputs, (last, first) = bidirectional_dynamic_rnn(
        cell_fw, cell_bw, rows, sequence_length, initial_state_fw, initial_state_bw, dtype,
        time_major=True, scope=scope,
    )  # fmt: skip
    both = graph.call(OPS["cat"], list(outputs), 2)
    return [both[i] for i in range(len(inputs))], last, first
