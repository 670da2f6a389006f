"""Recurrent networks: cells run over whole sequences, in layers and directions.

The products with the inputs of all steps are one matrix product; then a loop has one product with
the hidden state and one kernel for all gates in each step (`gleed.loop`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gleed import primitives as p
from gleed.compiler.dims import Size
from gleed.errors import ArgumentError, ShapeError
from gleed.loop import loop
from gleed.ops.dropout import dropout as dropout_op
from gleed.ops.logic import where
from gleed.ops.promotion import convert, shape_text
from gleed.ops.record import Op, Tensor, Tensors, op
from gleed.ops.recurrent_cells import CELLS, linear_map, require_one_float, require_shape
from gleed.primitives.library import transposed


@dataclass(frozen=True)
class _Step:
    """One step of a layer, as the body of a loop: the states; the input's product, and who is
    present if `masked`; the weights."""

    name: str
    masked: bool
    biased: bool  # the state's product has a bias of its own
    projected: bool

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """The next states, then what the cell's gradient makes use of."""
        cell = CELLS[self.name]
        states, (from_input, *rest) = inputs[: cell.states], inputs[cell.states :]
        present = rest.pop(0) if self.masked else None
        hidden = convert(states[0], rest[0].dtype)
        product = p.matmul(hidden, rest[0])
        if self.biased:
            product = p.affine(hidden, rest[0], rest[1], relu=False)
        found = list(cell.step(from_input, product, *states))
        if self.projected:
            found[0] = p.matmul(convert(found[0], rest[-1].dtype), rest[-1])
        if present is not None:
            for i, state in enumerate(states):
                found[i] = where(present, found[i], state)
        return found


@dataclass(frozen=True)
class _Layer:
    """The weights of one direction of one layer, as PyTorch orders them."""

    name: str
    w_ih: Tensor
    w_hh: Tensor
    b_ih: Tensor | None
    b_hh: Tensor | None
    w_hr: Tensor | None

    @classmethod
    def split(cls, name: str, params: Tensors, biased: bool) -> _Layer:
        """Of the parameters of one direction."""
        w_ih, w_hh, *rest = params
        b_ih, b_hh = (rest.pop(0), rest.pop(0)) if biased else (None, None)
        return cls(name, w_ih, w_hh, b_ih, b_hh, rest[0] if rest else None)

    def check(self, op: str, features: Size, hidden: Size, output: Size) -> None:
        """Raise unless the weights fit inputs with `features`, and states of the other sizes."""
        gates = CELLS[self.name].gates
        size, text = gates * hidden, f"{gates} * hidden_size" if gates > 1 else "hidden_size"
        require_shape(op, "weight_ih", self.w_ih, (size, features), f"({text}, input size)")
        require_shape(op, "weight_hh", self.w_hh, (size, output), f"({text}, output size)")
        for bias in (self.b_ih, self.b_hh):
            if bias is not None:
                require_shape(op, "a bias", bias, (size,), f"({text},)")
        if self.w_hr is not None:
            require_shape(op, "weight_hr", self.w_hr, (output, hidden), "(proj_size, hidden_size)")

    def run(
        self, x: Tensor, states: Tensors, present: Tensor | None, reverse: bool
    ) -> tuple[Tensor, list[Tensor]]:
        """The outputs `(T, B, H)` for inputs `(T, B, I)`, and the last states."""
        count, batch, features = x.shape
        # A GRU resets a part of the state's product, its bias included; elsewhere biases just add.
        apart = self.name == "gru" and self.b_hh is not None
        bias = self.b_ih
        if bias is not None and self.b_hh is not None and not apart:
            bias = bias + self.b_hh
        rows = linear_map(p.reshape(x, shape=(count * batch, features)), self.w_ih, bias)
        sequences = [p.reshape(rows, shape=(count, batch, rows.shape[1]))]
        weights = [transposed(self.w_hh)]
        if present is not None:
            sequences.append(present)
        if apart and self.b_hh is not None:
            weights.append(self.b_hh)
        if self.w_hr is not None:
            weights.append(transposed(self.w_hr))
        step = _Step(self.name, present is not None, apart, self.w_hr is not None)
        # Of the dtype that a step gives it.
        carried = states[-1] if self.w_hr is None else self.w_hr
        states = [convert(states[0], carried.dtype), *states[1:]]
        stacks, _ = loop(step, states, sequences, weights, reverse=reverse)
        output = p.slice(stacks[0], axis=0, start=0 if reverse else 1, step=1, length=count)
        return output, [_row(s, 0 if reverse else count) for s in stacks]


def _row(x: Tensor, index: Size) -> Tensor:
    """x[index]."""
    return p.reshape(p.slice(x, axis=0, start=index, step=1, length=1), shape=x.shape[1:])


def _directions(
    name: str, hx: Tensors, params: Tensors, biased: bool, layers: int, directions: int
) -> Iterator[tuple[_Layer, list[Tensor]]]:
    """The weights of every direction of every layer, and its first states."""
    count = layers * directions
    least = 2 + 2 * biased
    per = len(params) // max(count, 1)
    if per * count != len(params) or per not in (least, least + (name == "lstm")):
        raise ArgumentError(
            f"{name}: params must be {least} tensors for each of {layers} layers and {directions} "
            f"directions{', or one more with projections' if name == 'lstm' else ''}; got "
            f"{len(params)}; check num_layers, has_biases and bidirectional"
        )
    for i in range(count):
        states = [_row(state, i) for state in hx]
        yield _Layer.split(name, params[i * per : (i + 1) * per], biased), states


def _check_input(name: str, input: Tensor, hx: Tensors, present: Tensor | None, count: int) -> None:
    """Raise unless input, states and mask fit together."""
    if len(hx) != CELLS[name].states:
        raise ArgumentError(
            f"{name}: hx must be the hidden and the cell state; got {len(hx)} tensors; pass (h, c)"
        )
    if input.ndim != 3 or input.shape[0] == 0:
        raise ShapeError(
            f"{name}: the input must have 3 dims (steps, batch, features) and at least one step; "
            f"got {shape_text(input.shape)}; for one sequence use unsqueeze"
        )
    for state in hx:
        size = state.shape[-1] if state.ndim else 1
        why = "(num_layers * num_directions, batch, hidden_size)"
        require_shape(name, "a state", state, (count, input.shape[1], size), why)
    if present is not None:
        require_shape(name, "mask", present, input.shape[:2], "(steps, batch)")


def _network(
    name: str,
    input: Tensor,
    hx: Tensors,
    params: Tensors,
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
    mask: Tensor | None,
) -> tuple[Tensor, ...]:
    """The outputs of the last layer, and the last states of all."""
    require_one_float(name, CELLS[name], input, hx, params)
    x = p.permute(input, axes=(1, 0, 2)) if batch_first and input.ndim == 3 else input
    ways = 2 if bidirectional else 1
    _check_input(name, x, hx, mask, num_layers * ways)
    present = None if mask is None else p.reshape(mask, shape=(*mask.shape, 1))
    finals: list[list[Tensor]] = []
    outputs: list[Tensor] = []
    for layer, states in _directions(name, hx, params, has_biases, num_layers, ways):
        layer.check(name, x.shape[2], hx[-1].shape[2], hx[0].shape[2])
        output, last = layer.run(x, states, present, reverse=len(outputs) == 1)
        outputs.append(output)
        finals.append(last)
        if len(outputs) == ways:
            x = p.concat(*outputs, axis=2) if bidirectional else output
            outputs = []
            if train and dropout and len(finals) < num_layers * ways:
                x = dropout_op(x, dropout)
    # The loop's memory is kept for the gradient; results have their own.
    output = p.permute(p.copy(x), axes=(1, 0, 2)) if batch_first else p.copy(x)
    return output, *(_stacked(states) for states in zip(*finals, strict=True))


def _stacked(states: Sequence[Tensor]) -> Tensor:
    return p.concat(*(p.reshape(s, shape=(1, *s.shape)) for s in states), axis=0)


@op(result=tuple)
def lstm(
    input: Tensor,
    hx: Tensors,
    params: Tensors,
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool = False,
    *,
    mask: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """An LSTM over whole sequences: the outputs of all steps, the last hidden and cell states.

    input: (T, B, I), or (B, T, I) if `batch_first`. hx: the first hidden and cell states, (L·D, B,
    H) for L layers and D directions. params: for every layer and direction the weights (4H, I) and
    (4H, H), the biases (4H,) if `has_biases`, and (P, H) for outputs projected to size P, which the
    hidden states have then. mask: bool (T, B); a step where it is False changes nothing. In
    training outputs between layers go through dropout. Beside an input and weights of 16 bits `hx`
    may be float32, and so is what follows from it. Raises ShapeError and DTypeError for others.

    Also `lstm(data, batch_sizes, hx, …)` without `batch_first`, for what a PackedSequence holds.

    >>> one = gleed.ones(1, 1, 1)
    >>> weights = [gleed.zeros(4, 1), gleed.zeros(4, 1)]
    >>> gleed.lstm(one, (one, one), weights, False, 1, 0.0, False, False)[0]
    tensor([[[0.2311]]])
    """
    options = has_biases, num_layers, dropout, train, bidirectional, batch_first, mask
    return _network("lstm", input, hx, params, *options)


def _single_state(name: str, text: str) -> Op:
    """The record of a network that hands on one state."""

    def body(
        input: Tensor,
        hx: Tensor,
        params: Tensors,
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool = False,
        *,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        options = has_biases, num_layers, dropout, train, bidirectional, batch_first, mask
        return _network(name, input, [hx], params, *options)

    body.__name__ = name
    body.__doc__ = text
    return op(result=tuple)(body)


gru = _single_state(
    "gru",
    """A GRU over whole sequences: the outputs of all steps, and the last states.

    Arguments as for `lstm`, with a single state `hx` and three gates where an LSTM has four.

    >>> one = gleed.ones(1, 1, 1)
    >>> weights = [gleed.zeros(3, 1), gleed.zeros(3, 1)]
    >>> gleed.gru(one, one, weights, False, 1, 0.0, False, False)
    (tensor([[[0.5000]]]), tensor([[[0.5000]]]))
    """,
)
rnn_tanh = _single_state(
    "rnn_tanh",
    """An Elman network over whole sequences: the outputs of all steps, and the last states.

    Arguments as for `lstm`, with a single state `hx` and weights of H rows.

    >>> one = gleed.ones(1, 1, 1)
    >>> weights = [gleed.ones(1, 1), gleed.zeros(1, 1)]
    >>> gleed.rnn_tanh(one, one, weights, False, 1, 0.0, False, False)
    (tensor([[[0.7616]]]), tensor([[[0.7616]]]))
    """,
)
rnn_relu = _single_state(
    "rnn_relu",
    """As `rnn_tanh`, with relu.

    >>> one = gleed.ones(1, 1, 1)
    >>> weights = [gleed.ones(1, 1), gleed.ones(1, 1)]
    >>> gleed.rnn_relu(one, one, weights, False, 1, 0.0, False, False)
    (tensor([[[2.]]]), tensor([[[2.]]]))
    """,
)


def _samples(record: Op) -> None:
    cell, name = CELLS[record.name], record.name

    @record.samples
    def _(make: Any) -> Any:
        # steps, batch, features, hidden, layers, bidirectional, has_biases, projected, masked
        for t, b, i, h, layers, both, biased, projected, masked in (
            (3, 2, 2, 3, 1, False, True, 0, False),
            (2, 1, 3, 2, 2, True, True, 0, True),
            (1, 3, 1, 2, 1, False, False, 0, False),
            *(((2, 2, 2, 3, 2, False, True, 2, True),) if name == "lstm" else ()),
        ):
            ways, out = 1 + both, projected or h
            sizes = [out, h][: cell.states]
            hx = [make.tensor((layers * ways, b, n), (-1.0, 1.0)) for n in sizes]
            params = []
            for layer in range(layers):
                shapes = [(cell.gates * h, out * ways if layer else i), (cell.gates * h, out)]
                shapes += [(cell.gates * h,)] * 2 * biased + [(out, h)] * bool(projected)
                params += [make.tensor(s, (-1.0, 1.0)) for _ in range(ways) for s in shapes]
            given = make.tensor((t, b, i), (-1.0, 1.0)), hx if cell.states > 1 else hx[0], params
            options = {"mask": make.mask((t, b))} if masked else {}
            yield make.call(*given, biased, layers, 0.0, True, both, **options)


for _record in (lstm, gru, rnn_tanh, rnn_relu):
    _samples(_record)
