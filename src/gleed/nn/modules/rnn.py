"""Recurrent networks over sequences (RNN, LSTM, GRU), and their cells for single steps."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import gleed
from gleed import Tensor
from gleed.errors import ArgumentError, DTypeError, RangeError, ShapeError
from gleed.nn import init
from gleed.nn.module import Module
from gleed.nn.modules.check import check_probability, check_size
from gleed.nn.parameter import Parameter
from gleed.nn.utils.rnn import PackedSequence, pack, presence, unpack

# By mode: the operation, how many states it hands on, how many gates it has.
_MODES: dict[str, tuple[Any, int, int]] = {
    "RNN_TANH": (gleed.rnn_tanh, 1, 1),
    "RNN_RELU": (gleed.rnn_relu, 1, 1),
    "LSTM": (gleed.lstm, 2, 4),
    "GRU": (gleed.gru, 1, 3),
}


def _draw(module: Module, hidden_size: int) -> None:
    """New initial values for all parameters, uniform in ±1/√hidden_size."""
    bound = 1 / math.sqrt(hidden_size) if hidden_size > 0 else 0
    for weight in module.parameters():
        init.uniform_(weight, -bound, bound)


def _activation(module: str, name: str) -> str:
    if name not in ("tanh", "relu"):
        raise RangeError(
            f"{module}: nonlinearity must be 'tanh' or 'relu'; got {name!r}; use one of them"
        )
    return name


class RNNBase(Module):
    """What RNN, LSTM and GRU share: layers and directions, each with weights of its own.

    The parameters of layer k are `weight_ih_lk` (gates · hidden, inputs), `weight_hh_lk` (gates ·
    hidden, outputs), with `bias` also `bias_ih_lk` and `bias_hh_lk`, with `proj_size` also
    `weight_hr_lk`; those of the reverse direction end in `_reverse`. All begin uniform in
    ±1/√hidden_size.

    Args:
        mode: "RNN_TANH", "RNN_RELU", "LSTM" or "GRU".
        input_size, hidden_size: the features of inputs and of states.
        num_layers: layers, each on the outputs of the one below.
        bias: whether there are biases.
        batch_first: inputs and outputs are (B, T, features), not (T, B, features).
        dropout: the share of outputs dropped between layers, in training.
        bidirectional: a second network reads backwards; outputs are side by side.
        proj_size: if not 0, the size to which an LSTM's outputs are projected.
    """

    mode: str
    weight_ih_l0: Parameter

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if mode not in _MODES:
            raise RangeError(
                f"RNNBase: mode must be one of {', '.join(_MODES)}; got {mode!r}; use RNN, LSTM "
                "or GRU"
            )
        self.mode = mode
        self.input_size = check_size(name, "input_size", input_size, least=1)
        self.hidden_size = check_size(name, "hidden_size", hidden_size, least=1)
        self.num_layers = check_size(name, "num_layers", num_layers, least=1)
        self.bias = _flag(name, "bias", bias)
        self.batch_first = _flag(name, "batch_first", batch_first)
        self.dropout = float(check_probability(name, "dropout", dropout))
        self.bidirectional = bidirectional
        self.proj_size = check_size(name, "proj_size", proj_size)
        if proj_size and mode != "LSTM":
            raise RangeError(
                f"{name}: proj_size is for LSTM alone; got {proj_size}; leave it out, or use LSTM"
            )
        if proj_size >= hidden_size:
            raise RangeError(
                f"{name}: proj_size must be smaller than hidden_size; got {proj_size} and "
                f"{hidden_size}; make it smaller"
            )
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                f"{name}: dropout acts between layers, and there is one; got dropout={dropout}; "
                "raise num_layers",
                stacklevel=3,
            )
        self._weight_names: list[list[str]] = []
        for layer in range(num_layers):
            for suffix in ("", "_reverse")[: self._directions]:
                self._add_weights(layer, suffix, device, dtype)
        self.reset_parameters()

    def _add_weights(self, layer: int, suffix: str, device: Any, dtype: Any) -> None:
        rows = _MODES[self.mode][2] * self.hidden_size
        features = self._output_size * self._directions if layer else self.input_size
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (rows, features),
            "weight_hh": (rows, self._output_size),
        }
        if self.bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        if self.proj_size:
            shapes["weight_hr"] = (self.proj_size, self.hidden_size)
        names = [f"{name}_l{layer}{suffix}" for name in shapes]
        for name, shape in zip(names, shapes.values(), strict=True):
            setattr(self, name, Parameter(gleed.empty(shape, device=device, dtype=dtype)))
        self._weight_names.append(names)

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def _output_size(self) -> int:
        return self.proj_size or self.hidden_size

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters, a list for every direction of every layer."""
        return [[getattr(self, name) for name in names] for names in self._weight_names]

    def flatten_parameters(self) -> None:
        """Does nothing: parameters need not lie side by side here."""

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        _draw(self, self.hidden_size)

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        """The outputs of the last layer at every step, and the last states of all layers.

        input: (T, B, input_size), or (B, T, input_size) if `batch_first`; (T, input_size) without a
        batch; or a `PackedSequence`. hx: the first states, (num_layers · directions, B,
        hidden_size) or without B, for an LSTM a pair of them; zeros if None.
        """
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        name = type(self).__name__
        if not isinstance(input, Tensor):
            raise ArgumentError(
                f"{name}: the input must be a Tensor or a PackedSequence; got "
                f"{type(input).__name__}; convert it with gleed.tensor"
            )
        if input.ndim not in (2, 3):
            raise ShapeError(
                f"{name}: the input must have 3 dims, or 2 without a batch; got shape "
                f"{list(input.shape)}; reshape it to {self._layout}"
            )
        batched = input.ndim == 3
        batch_dim = 0 if self.batch_first else 1
        x = input if batched else input.unsqueeze(batch_dim)
        states = self._states(hx, x, x.shape[batch_dim], batched)
        output, *finals = self._run(x, states, self.batch_first)
        if not batched:
            output, finals = output.squeeze(batch_dim), [s.squeeze(1) for s in finals]
        return output, self._handed_on(finals)

    def _forward_packed(self, input: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
        present = presence(input.batch_sizes)
        x = unpack(input.data, present)
        states = self._states(hx, x, x.shape[1], True)
        if hx is not None and input.sorted_indices is not None:
            states = [s.index_select(1, input.sorted_indices) for s in states]
        output, *finals = self._run(x, states, False, mask=present)
        if input.unsorted_indices is not None:
            finals = [s.index_select(1, input.unsorted_indices) for s in finals]
        packed = PackedSequence(pack(output, present), *input[1:])
        return packed, self._handed_on(finals)

    def _run(self, x: Tensor, states: list[Tensor], batch_first: bool, **options: Any) -> Any:
        weights = [getattr(self, name) for names in self._weight_names for name in names]
        return _MODES[self.mode][0](
            x,
            states if self.mode == "LSTM" else states[0],
            weights,
            self.bias,
            self.num_layers,
            self.dropout,
            self.training,
            self.bidirectional,
            batch_first,
            **options,
        )

    def _handed_on(self, states: Sequence[Tensor]) -> Any:
        """Last states as users get them."""
        return tuple(states) if self.mode == "LSTM" else states[0]

    @property
    def _layout(self) -> str:
        first = "batch, steps" if self.batch_first else "steps, batch"
        return f"({first}, {self.input_size})"

    def _states(self, hx: Any, x: Tensor, batch: int, batched: bool) -> list[Tensor]:
        """The first states, with a batch, checked; zeros where none are given."""
        name = type(self).__name__
        if x.ndim != 3 or x.shape[2] != self.input_size:
            raise ShapeError(
                f"{name}: the last size of the input must be input_size={self.input_size}; got "
                f"shape {list(x.shape)}; reshape it to {self._layout}"
            )
        weight = self.weight_ih_l0
        if x.dtype is not weight.dtype and not gleed.is_autocast_enabled("cpu"):
            raise DTypeError(
                f"{name}: input and weights must have one dtype; got {x.dtype} and "
                f"{weight.dtype}; convert the input with .to({weight.dtype})"
            )
        count = self.num_layers * self._directions
        sizes = [self._output_size, self.hidden_size][: _MODES[self.mode][1]]
        shapes = [(count, batch, n) if batched else (count, n) for n in sizes]
        if hx is None:
            return [gleed.zeros(count, batch, n, dtype=x.dtype) for n in sizes]
        states = list(hx) if len(sizes) > 1 and not isinstance(hx, Tensor) else [hx]
        got = [tuple(s.shape) for s in states]
        if got != shapes:
            raise ShapeError(
                f"{name}: hx must be {' and '.join(map(str, map(list, shapes)))}, (layers * "
                f"directions, {'batch, ' if batched else ''}size); got "
                f"{' and '.join(map(str, map(list, got)))}; check batch_first and the layers"
            )
        return states if batched else [s.unsqueeze(1) for s in states]

    def extra_repr(self) -> str:
        """The sizes, and what is not the default."""
        options = {
            "proj_size": (self.proj_size, 0),
            "num_layers": (self.num_layers, 1),
            "bias": (self.bias, True),
            "batch_first": (self.batch_first, False),
            "dropout": (self.dropout, 0),
            "bidirectional": (self.bidirectional, False),
        }
        changed = [f", {name}={now}" for name, (now, usual) in options.items() if now != usual]
        return f"{self.input_size}, {self.hidden_size}{''.join(changed)}"

    def _summary(self) -> str:
        return f"{self._get_name()}({self.input_size} → {self.hidden_size})"


def _flag(module: str, name: str, value: bool) -> bool:
    if not isinstance(value, bool):
        raise ArgumentError(
            f"{module}: {name} is True or False; got {value!r} of type {type(value).__name__}; "
            "name the arguments to see which is which"
        )
    return value


class RNN(RNNBase):
    """An Elman network: h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or with relu.

    Arguments as for `RNNBase` after `mode`, and `nonlinearity`, "tanh" or "relu", after
    `num_layers`. Source: Elman, "Finding structure in time", 1990.

    >>> import gleed
    >>> output, h = gleed.nn.RNN(3, 4)(gleed.zeros(5, 2, 3))
    >>> output.shape, h.shape
    (gleed.Size([5, 2, 4]), gleed.Size([1, 2, 4]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        *args: Any,
        **kwargs: Any,
    ) -> None:
        mode = f"RNN_{_activation('RNN', nonlinearity).upper()}"
        super().__init__(mode, input_size, hidden_size, num_layers, *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """A network of long short-term memory cells; see `LSTMCell` for a step.

    Arguments as for `RNNBase` after `mode`. The states are a pair, hidden and cell state. Source:
    Hochreiter & Schmidhuber, "Long short-term memory", 1997.

    >>> import gleed
    >>> output, (h, c) = gleed.nn.LSTM(3, 4, bidirectional=True)(gleed.zeros(5, 2, 3))
    >>> output.shape, h.shape
    (gleed.Size([5, 2, 8]), gleed.Size([2, 2, 4]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)


class GRU(RNNBase):
    """A network of gated recurrent units; see `GRUCell` for a step.

    Arguments as for `RNNBase` after `mode`. Source: Cho et al., "Learning phrase representations
    using RNN encoder-decoder", 2014.

    >>> import gleed
    >>> output, h = gleed.nn.GRU(3, 4, num_layers=2)(gleed.zeros(5, 2, 3))
    >>> output.shape, h.shape
    (gleed.Size([5, 2, 4]), gleed.Size([2, 2, 4]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("GRU", *args, **kwargs)


class RNNCellBase(Module):
    """What the cells share: `weight_ih` (gates · hidden, inputs), `weight_hh` (gates · hidden,
    hidden), `bias_ih` and `bias_hh` or None, all uniform in ±1/√hidden_size at first."""

    nonlinearity: str
    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None
    _states: ClassVar[int] = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.input_size = check_size(type(self).__name__, "input_size", input_size)
        self.hidden_size = check_size(type(self).__name__, "hidden_size", hidden_size)
        self.bias = bias
        rows = num_chunks * hidden_size
        shapes = {"weight_ih": (rows, input_size), "weight_hh": (rows, hidden_size)}
        for name, shape in shapes.items():
            setattr(self, name, Parameter(gleed.empty(shape, device=device, dtype=dtype)))
        for name in ("bias_ih", "bias_hh"):
            made = Parameter(gleed.empty(rows, device=device, dtype=dtype)) if bias else None
            self.register_parameter(name, made)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        _draw(self, self.hidden_size)

    def _step(self, function: Any, input: Tensor, hx: Any) -> Any:
        """One step of `function`, with a batch of 1 if there is none; from zeros without `hx`."""
        states = [] if hx is None else list(hx) if self._states > 1 else [hx]
        if input.ndim not in (1, 2) or any(s.ndim != input.ndim for s in states):
            raise ShapeError(
                f"{type(self).__name__}: input and states must have 2 dims, (batch, features), or "
                f"all 1 dim without a batch; got shapes {[list(x.shape) for x in (input, *states)]}"
                "; add a batch of 1 with unsqueeze(0)"
            )
        if hx is None:
            zeros = gleed.zeros(*input.shape[:-1], self.hidden_size, dtype=input.dtype)
            states = [zeros] * self._states
        x = input
        if input.ndim == 1:
            x, states = input.unsqueeze(0), [s.unsqueeze(0) for s in states]
        given = states if self._states > 1 else states[0]
        weights = self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh
        found = function(x, given, *weights)
        if input.ndim == 2:
            return found
        return tuple(s.squeeze(0) for s in found) if self._states > 1 else found.squeeze(0)

    def extra_repr(self) -> str:
        """The sizes, and what is not the default."""
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text

    def _summary(self) -> str:
        return f"{self._get_name()}({self.input_size} → {self.hidden_size})"


class RNNCell(RNNCellBase):
    """One step of an Elman network: h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or with relu.

    Shapes: input (B, input_size), hx and result (B, hidden_size), all with or without B.

    >>> import gleed
    >>> gleed.nn.RNNCell(3, 4, nonlinearity="relu")(gleed.zeros(2, 3)).shape
    gleed.Size([2, 4])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = _activation("RNNCell", nonlinearity)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The hidden state that follows `hx`, zeros if None."""
        function = gleed.rnn_tanh_cell if self.nonlinearity == "tanh" else gleed.rnn_relu_cell
        return self._step(function, input, hx)


class LSTMCell(RNNCellBase):
    """One step of an LSTM. With gates i, f, o = σ(…) and candidate g = tanh(…), each of W_ih x +
    b_ih + W_hh h + b_hh, c' = f c + i g and h' = o tanh(c').

    Shapes: input (B, input_size), states and results (B, hidden_size), all with or without B.

    >>> import gleed
    >>> h, c = gleed.nn.LSTMCell(3, 4)(gleed.zeros(2, 3))
    >>> h.shape
    gleed.Size([2, 4])
    """

    _states = 2

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """The hidden and the cell state that follow `hx`, zeros if None."""
        return self._step(gleed.lstm_cell, input, hx)


class GRUCell(RNNCellBase):
    """One step of a GRU. With gates r, z = σ(W_ih x + b_ih + W_hh h + b_hh) and n = tanh(W_in x +
    b_in + r (W_hn h + b_hn)), h' = (1 − z) n + z h.

    Shapes: input (B, input_size), hx and result (B, hidden_size), all with or without B.

    >>> import gleed
    >>> gleed.nn.GRUCell(3, 4)(gleed.zeros(2, 3)).shape
    gleed.Size([2, 4])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The hidden state that follows `hx`, zeros if None."""
        return self._step(gleed.gru_cell, input, hx)
