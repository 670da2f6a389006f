"""`tf.nn.rnn_cell`: what a recurrent network does in one step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from gleed.compat.tensorflow.absent import missing
from gleed.compat.tensorflow.arrays import concat, shape, split, zeros
from gleed.compat.tensorflow.convert import convert_to_tensor
from gleed.compat.tensorflow.dropout import dropout
from gleed.compat.tensorflow.math import matmul, sigmoid, tanh  # type: ignore[attr-defined]
from gleed.compat.tensorflow.variables import get_variable
from gleed.errors import ArgumentError, ShapeError
from gleed.graph import (
    get_variable_scope,
    ones_initializer,
    variable_scope,
    zeros_initializer,
)
from gleed.graph.node import Node


class LSTMStateTuple(NamedTuple):
    """The state of an LSTM: memory and output."""

    c: Any
    h: Any


class RNNCell:
    """Calling it with inputs (batch, features) and a state gives outputs and the next state. Its
    variables are made by the first call, under the variable scope of there."""

    scope = "rnn_cell"

    def __init__(
        self,
        num_units: int,
        activation: Callable[[Node], Node] | None = None,
        reuse: bool | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        self._reuse, self.scope = reuse, name or self.scope
        self._units, self._activation = num_units, activation or tanh
        self._weights: dict[str, Node] = {}

    @property
    def output_size(self) -> int:
        """The number of outputs."""
        return self._units

    @property
    def state_size(self) -> Any:
        """The sizes of the state, in its structure."""
        return self._units

    def zero_state(self, batch_size: Any, dtype: Any = "float32") -> Any:
        """The state of zeros to begin with."""
        return zeros([batch_size, self._units], dtype)

    def build(self, depth: int) -> None:
        """Make the variables for inputs of `depth` features, if there are none yet."""
        if not self._weights:
            with variable_scope(self.scope, reuse=self._reuse):
                self._make(depth)

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> tuple[Any, Any]:
        """One step."""
        inputs = convert_to_tensor(inputs)
        self.build(depth_of(inputs))
        return self._step(inputs, state)

    def _make(self, depth: int) -> None:
        raise NotImplementedError

    def _step(self, inputs: Node, state: Any) -> tuple[Any, Any]:
        raise NotImplementedError

    def _add(self, name: str, inputs: int, outputs: int, bias: Any) -> None:
        """A matrix and a bias."""
        self._weights[name + "kernel"] = get_variable(name + "kernel", [inputs, outputs])
        self._weights[name + "bias"] = get_variable(name + "bias", [outputs], initializer=bias)

    def _affine(self, name: str, *parts: Node) -> Node:
        kernel, bias = self._weights[name + "kernel"], self._weights[name + "bias"]
        return matmul(concat(parts, 1), kernel) + bias


class BasicRNNCell(RNNCell):
    """activation([x, h] W + b)."""

    scope = "basic_rnn_cell"

    def _make(self, depth: int) -> None:
        self._add("", depth + self._units, self._units, zeros_initializer())

    def _step(self, inputs: Node, state: Any) -> tuple[Any, Any]:
        output = self._activation(self._affine("", inputs, state))
        return output, output


class BasicLSTMCell(RNNCell):
    """Long short-term memory, whose state is (c, h). `forget_bias` is added to the forget gate."""

    scope = "basic_lstm_cell"

    def __init__(
        self,
        num_units: int,
        forget_bias: float = 1.0,
        state_is_tuple: bool = True,
        activation: Callable[[Node], Node] | None = None,
        reuse: bool | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(num_units, activation, reuse, name, dtype)
        if not state_is_tuple:
            raise ArgumentError(
                f"{self.scope}: the state is a tuple (c, h); state_is_tuple=False came; leave it "
                "out"
            )
        self._forget_bias = forget_bias

    @property
    def state_size(self) -> Any:
        """The sizes of c and h."""
        return LSTMStateTuple(self._units, self._units)

    def zero_state(self, batch_size: Any, dtype: Any = "float32") -> Any:
        """Zeros for c and h."""
        return LSTMStateTuple(*(zeros([batch_size, n], dtype) for n in self.state_size))

    def _make(self, depth: int) -> None:
        self._add("", depth + self._units, 4 * self._units, zeros_initializer())

    def _step(self, inputs: Node, state: Any) -> tuple[Any, Any]:
        c, h = state
        i, j, f, o = split(self._affine("", inputs, h), 4, 1)
        c = c * sigmoid(f + self._forget_bias) + sigmoid(i) * self._activation(j)
        h = self._activation(c) * sigmoid(o)
        return h, LSTMStateTuple(c, h)


class LSTMCell(BasicLSTMCell):
    """Long short-term memory with what `BasicLSTMCell` has not: gates that see the memory
    (`use_peepholes`), a memory within ±`cell_clip`, outputs that are a product of `num_proj`
    columns (Sak et al., 2014)."""

    scope = "lstm_cell"

    def __init__(
        self,
        num_units: int,
        use_peepholes: bool = False,
        cell_clip: float | None = None,
        initializer: Any = None,
        num_proj: int | None = None,
        proj_clip: float | None = None,
        num_unit_shards: int | None = None,
        num_proj_shards: int | None = None,
        forget_bias: float = 1.0,
        state_is_tuple: bool = True,
        activation: Callable[[Node], Node] | None = None,
        reuse: bool | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(num_units, forget_bias, state_is_tuple, activation, reuse, name, dtype)
        self._peepholes, self._initializer = use_peepholes, initializer
        self._cell_clip, self._proj_clip = cell_clip, proj_clip
        self._outputs = num_proj

    @property
    def output_size(self) -> int:
        """The number of outputs."""
        return self._outputs or self._units

    @property
    def state_size(self) -> Any:
        """The sizes of c and h."""
        return LSTMStateTuple(self._units, self.output_size)

    def _make(self, depth: int) -> None:
        with variable_scope(get_variable_scope(), initializer=self._initializer):
            self._add("", depth + self.output_size, 4 * self._units, zeros_initializer())
            if self._peepholes:
                for gate in "fio":
                    name = f"w_{gate}_diag"
                    self._weights[name] = get_variable(name, [self._units])
            if self._outputs:
                shape = [self._units, self._outputs]
                self._weights["projection"] = get_variable("projection/kernel", shape)

    def _seen(self, gate: str, c: Node) -> Any:
        """What a gate sees of the memory."""
        return self._weights[f"w_{gate}_diag"] * c if self._peepholes else 0.0

    def _step(self, inputs: Node, state: Any) -> tuple[Any, Any]:
        c, h = state
        i, j, f, o = split(self._affine("", inputs, h), 4, 1)
        kept = sigmoid(f + self._forget_bias + self._seen("f", c)) * c
        c = kept + sigmoid(i + self._seen("i", c)) * self._activation(j)
        c = c if self._cell_clip is None else c.clamp(-self._cell_clip, self._cell_clip)
        h = sigmoid(o + self._seen("o", c)) * self._activation(c)
        if self._outputs:
            h = matmul(h, self._weights["projection"])
            h = h if self._proj_clip is None else h.clamp(-self._proj_clip, self._proj_clip)
        return h, LSTMStateTuple(c, h)


class GRUCell(RNNCell):
    """A gated recurrent unit, whose reset gate comes before the matrix of the candidate."""

    scope = "gru_cell"

    def _make(self, depth: int) -> None:
        inputs = depth + self._units
        self._add("gates/", inputs, 2 * self._units, ones_initializer())
        self._add("candidate/", inputs, self._units, zeros_initializer())

    def _step(self, inputs: Node, state: Any) -> tuple[Any, Any]:
        reset, update = split(sigmoid(self._affine("gates/", inputs, state)), 2, 1)
        candidate = self._activation(self._affine("candidate/", inputs, reset * state))
        output = update * state + (1 - update) * candidate
        return output, output


class MultiRNNCell(RNNCell):
    """Cells one above the other; the state is a tuple of theirs."""

    def __init__(self, cells: Sequence[RNNCell], state_is_tuple: bool = True) -> None:
        self._cells = list(cells)
        super().__init__(self._cells[-1].output_size)

    @property
    def state_size(self) -> Any:
        """The sizes of the states of all cells."""
        return tuple(cell.state_size for cell in self._cells)

    def zero_state(self, batch_size: Any, dtype: Any = "float32") -> Any:
        """Zeros for all cells."""
        return tuple(cell.zero_state(batch_size, dtype) for cell in self._cells)

    def build(self, depth: int) -> None:
        """Make the variables of all cells."""
        with variable_scope("multi_rnn_cell"):
            for i, cell in enumerate(self._cells):
                with variable_scope(f"cell_{i}"):
                    cell.build(depth)
                depth = cell.output_size

    def _step(self, inputs: Node, state: Any) -> tuple[Any, Any]:
        states = []
        for cell, own in zip(self._cells, state, strict=True):
            inputs, following = cell(inputs, own)
            states.append(following)
        return inputs, tuple(states)


class Wrapper(RNNCell):
    """A cell with something around it; the state is that of the cell."""

    def __init__(self, cell: RNNCell) -> None:
        self._cell = cell
        super().__init__(cell.output_size)

    @property
    def state_size(self) -> Any:
        """The sizes of the cell's state."""
        return self._cell.state_size

    def zero_state(self, batch_size: Any, dtype: Any = "float32") -> Any:
        """Zeros for the cell."""
        return self._cell.zero_state(batch_size, dtype)

    def build(self, depth: int) -> None:
        """Make the variables of the cell."""
        self._cell.build(depth)


class DropoutWrapper(Wrapper):
    """A cell with dropout of its inputs, its outputs, and its state but for the memory of an LSTM.
    Probabilities say what is kept, and may be nodes."""

    def __init__(
        self,
        cell: RNNCell,
        input_keep_prob: Any = 1.0,
        output_keep_prob: Any = 1.0,
        state_keep_prob: Any = 1.0,
        variational_recurrent: bool = False,
        input_size: Any = None,
        dtype: Any = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(cell)
        if variational_recurrent:
            raise ArgumentError(
                "DropoutWrapper: every step drops elements of its own; variational_recurrent=True "
                "came; leave it out"
            )
        self._kept = input_keep_prob, output_keep_prob, state_keep_prob
        self._seed = seed

    def _step(self, inputs: Node, state: Any) -> tuple[Any, Any]:
        of_inputs, of_outputs, of_state = self._kept
        output, following = self._cell(self._dropped(inputs, of_inputs), state)
        if isinstance(following, LSTMStateTuple):
            following = LSTMStateTuple(following.c, self._dropped(following.h, of_state))
        elif isinstance(following, Node):
            following = self._dropped(following, of_state)
        return self._dropped(output, of_outputs), following

    def _dropped(self, x: Node, kept: Any) -> Node:
        return x if isinstance(kept, float) and kept == 1.0 else dropout(x, kept, seed=self._seed)


class ResidualWrapper(Wrapper):
    """A cell whose inputs are added to its outputs."""

    def _step(self, inputs: Node, state: Any) -> tuple[Any, Any]:
        output, following = self._cell(inputs, state)
        return output + inputs, following


class OutputProjectionWrapper(Wrapper):
    """A cell whose outputs go through a matrix, a bias and `activation`."""

    def __init__(
        self, cell: RNNCell, output_size: int, activation: Callable[[Node], Node] | None = None
    ) -> None:
        super().__init__(cell)
        self._units, self._after = output_size, activation

    def build(self, depth: int) -> None:
        """Make the variables of the cell and the matrix behind it."""
        super().build(depth)
        if not self._weights:
            with variable_scope("output_projection_wrapper"):
                self._add("", self._cell.output_size, self._units, zeros_initializer())

    def _step(self, inputs: Node, state: Any) -> tuple[Any, Any]:
        output, following = self._cell(inputs, state)
        output = self._affine("", output)
        return output if self._after is None else self._after(output), following


def depth_of(inputs: Node) -> int:
    """The number of features, which must be known."""
    depth = inputs.shape[-1] if inputs.shape.dims else None
    if depth is None:
        raise ShapeError(
            f"rnn_cell: the number of features must be known; {inputs.describe()} came, made at "
            f"{inputs.op.place}; give the placeholder its last size"
        )
    return int(depth)


def batch_of(inputs: Node, axis: int) -> Any:
    """The size of the batch as a number, or as it will be when a session runs."""
    known = inputs.shape[axis]
    return shape(inputs)[axis] if known is None else known


def __getattr__(name: str) -> Any:
    raise missing("tf.nn.rnn_cell", name, globals())
