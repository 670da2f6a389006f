"""Recurrent cells: one step of an Elman network, an LSTM or a GRU.

A step is two matrix products and one kernel for all gates, whose pre-activations lie side by side
in the last axis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gleed import primitives as p
from gleed.compiler.dims import Size
from gleed.compiler.graph import Shape
from gleed.compiler.kernel import is_float
from gleed.errors import ArgumentError, DTypeError, ShapeError
from gleed.ops.promotion import convert, dtype_text, shape_text
from gleed.ops.record import Op, Tensor, Tensors, op
from gleed.primitives.library import transposed
from gleed.trace import Trace


@dataclass(frozen=True)
class Cell:
    """What tells recurrent networks apart.

    `step(from_input, from_state, *states)` has the pre-activations that come from the input and
    from the hidden state, and the `states` themselves, the hidden one first; it returns the next
    states, then what else its gradient makes use of. `sums`: the next states are sums with the
    states before, which may be float32 where products have 16 bits.
    """

    gates: int
    states: int
    step: Callable[..., tuple[Tensor, ...]]
    sums: bool = False


def _cut(x: Tensor, size: Size) -> list[Tensor]:
    """The gates of a matrix, each `size` columns wide."""

    def cut(x: Tensor) -> tuple[Tensor, ...]:
        starts = (size * i for i in range(x.shape[1] // size))
        return tuple(p.slice(x, axis=1, start=s, step=1, length=size) for s in starts)

    def join(g: tuple[Tensor, ...], y: Any, x: Tensor) -> Tensor:
        return p.reshape(p.concat(*g, axis=1), shape=x.shape)

    return list(Trace.current().with_rule("gates", join, cut, [x]))


def _elman(activation: Callable[[Tensor], Tensor]) -> Callable[..., tuple[Tensor, ...]]:
    return lambda a, b, state: (activation(a + b),)


def _lstm(a: Tensor, b: Tensor, state: Tensor, cell: Tensor) -> tuple[Tensor, ...]:
    """Hochreiter & Schmidhuber, "Long short-term memory", 1997, with the forget gate of Gers et
    al., "Learning to forget", 2000."""
    size = cell.shape[1]
    sums = [x + y for x, y in zip(_cut(a, size), _cut(b, size), strict=True)]
    keep, forget, out = (p.sigmoid(sums[k]) for k in (0, 1, 3))
    candidate = p.tanh(sums[2])
    cell = forget * cell + keep * candidate
    return out * p.tanh(cell), cell, keep, forget, candidate, out


def _gru(a: Tensor, b: Tensor, state: Tensor) -> tuple[Tensor, ...]:
    """Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014, with the reset
    gate behind the matrix product."""
    size = state.shape[1]
    (x, y, z), (u, v, w) = _cut(a, size), _cut(b, size)
    reset, update = p.sigmoid(x + u), p.sigmoid(y + v)
    candidate = p.tanh(z + reset * w)
    return candidate + update * (state - candidate), reset, update, candidate, w


CELLS = {
    "rnn_tanh": Cell(1, 1, _elman(p.tanh)),
    "rnn_relu": Cell(1, 1, _elman(lambda x: x.relu())),
    "lstm": Cell(4, 2, _lstm, sums=True),
    "gru": Cell(3, 1, _gru, sums=True),
}


# ---- checks
def require_shape(name: str, what: str, x: Tensor, shape: Shape, why: str) -> None:
    """Raise unless `x` has a shape; `why` says where its sizes come from."""
    if x.ndim != len(shape) or not all(a == b for a, b in zip(x.shape, shape, strict=True)):
        raise ShapeError(
            f"{name}: {what} must be {shape_text(shape)}, {why}; got {shape_text(x.shape)}; check "
            "the sizes it was made with"
        )


def require_one_float(
    name: str, cell: Cell, input: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor]
) -> None:
    """Raise unless all tensors have one floating-point dtype; states that are sums may be wider."""
    wider = cell.sums and input.dtype in ("bf16", "f16")
    held = [s for s in states if not (wider and s.dtype == "f32")]
    dtypes = dict.fromkeys(x.dtype for x in (input, *held, *weights))
    if len(dtypes) > 1 or not is_float(next(iter(dtypes))):
        raise DTypeError(
            f"{name}: input, states and weights must have one floating-point dtype; got "
            f"{' and '.join(map(dtype_text, dtypes))}; convert with .to(dtype)"
        )


def linear_map(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x @ weight.T + bias, of matrices, in the dtype of the weight."""
    x, columns = convert(x, weight.dtype), transposed(weight)
    return p.matmul(x, columns) if bias is None else p.affine(x, columns, bias, relu=False)


# ---- one step
def _step(
    name: str,
    input: Tensor,
    states: Tensors,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
) -> tuple[Tensor, ...]:
    """The states after one step."""
    cell, name = CELLS[name], f"{name}_cell"
    if len(states) != cell.states:
        raise ArgumentError(
            f"{name}: hx must be the hidden and the cell state; got {len(states)} tensors; pass "
            "(h, c)"
        )
    biases = [b for b in (b_ih, b_hh) if b is not None]
    require_one_float(name, cell, input, states, [w_ih, w_hh, *biases])
    if input.ndim != 2 or w_hh.ndim != 2:
        raise ShapeError(
            f"{name}: input and w_hh must be matrices (2 dims); got {shape_text(input.shape)} and "
            f"{shape_text(w_hh.shape)}; add a batch of 1 with unsqueeze(0)"
        )
    (batch, features), hidden = input.shape, w_hh.shape[1]
    for state in states:
        require_shape(name, "a state", state, (batch, hidden), "(batch, hidden_size)")
    size = hidden * cell.gates
    require_shape(name, "w_ih", w_ih, (size, features), f"({cell.gates} * hidden_size, input_size)")
    require_shape(name, "w_hh", w_hh, (size, hidden), f"({cell.gates} * hidden_size, hidden_size)")
    for bias in biases:
        require_shape(name, "a bias", bias, (size,), f"({cell.gates} * hidden_size,)")
    from_input, from_state = linear_map(input, w_ih, b_ih), linear_map(states[0], w_hh, b_hh)
    return cell.step(from_input, from_state, *states)[: cell.states]


@op(result=tuple)
def lstm_cell(
    input: Tensor,
    hx: Tensors,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """One step of an LSTM: the hidden and the cell state that follow `hx`, a pair of them.

    Shapes: input (B, I), states (B, H), w_ih (4H, I), w_hh (4H, H), biases (4H,); the gates are
    input, forget, candidate and output. Beside an input and weights of 16 bits states may be
    float32, and so are the next ones then. Raises ShapeError and DTypeError for others.

    >>> one = gleed.ones(1, 1)
    >>> gleed.lstm_cell(one, (one, one), gleed.zeros(4, 1), gleed.zeros(4, 1))
    (tensor([[0.2311]]), tensor([[0.5000]]))
    """
    return _step("lstm", input, hx, w_ih, w_hh, b_ih, b_hh)


@op()
def gru_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """One step of a GRU: the hidden state that follows `hx`.

    Shapes: input (B, I), hx (B, H), w_ih (3H, I), w_hh (3H, H), biases (3H,); the gates are reset,
    update and candidate. Dtypes as for `lstm_cell`. Raises ShapeError and DTypeError for others.

    >>> one = gleed.ones(1, 1)
    >>> gleed.gru_cell(one, one, gleed.zeros(3, 1), gleed.zeros(3, 1))
    tensor([[0.5000]])
    """
    return _step("gru", input, [hx], w_ih, w_hh, b_ih, b_hh)[0]


@op()
def rnn_tanh_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """One step of an Elman network: tanh(input @ w_ih.T + b_ih + hx @ w_hh.T + b_hh).

    Shapes: input (B, I), hx (B, H), w_ih (H, I), w_hh (H, H), biases (H,). Raises ShapeError and
    DTypeError for others. Source: Elman, "Finding structure in time", 1990.

    >>> one = gleed.ones(1, 1)
    >>> gleed.rnn_tanh_cell(one, one, one, one)
    tensor([[0.9640]])
    """
    return _step("rnn_tanh", input, [hx], w_ih, w_hh, b_ih, b_hh)[0]


@op()
def rnn_relu_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """As `rnn_tanh_cell`, with relu.

    >>> one = gleed.ones(1, 1)
    >>> gleed.rnn_relu_cell(one, one, one, -3 * one)
    tensor([[0.]])
    """
    return _step("rnn_relu", input, [hx], w_ih, w_hh, b_ih, b_hh)[0]


def _cell_samples(record: Op, name: str) -> None:
    cell = CELLS[name]

    @record.samples
    def _(make: Any) -> Any:
        for batch, features, hidden, biased in ((2, 3, 2, True), (1, 2, 3, False), (0, 2, 1, True)):
            rows = hidden * cell.gates
            states = [make.tensor((batch, hidden), (-1.0, 1.0)) for _ in range(cell.states)]
            weights = [make.tensor((rows, n), (-1.0, 1.0)) for n in (features, hidden)]
            biases = [make.tensor((rows,), (-1.0, 1.0)) for _ in range(2 * biased)]
            hx = states if cell.states > 1 else states[0]
            yield make.call(make.tensor((batch, features), (-1.0, 1.0)), hx, *weights, *biases)


for _name, _record in (
    ("lstm", lstm_cell),
    ("gru", gru_cell),
    ("rnn_tanh", rnn_tanh_cell),
    ("rnn_relu", rnn_relu_cell),
):
    _cell_samples(_record, _name)
