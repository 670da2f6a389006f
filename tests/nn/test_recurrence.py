"""Recurrent modules and cells, and sequences of different lengths."""

import copy
import warnings

import numpy as np
import pytest

import gleed
from gleed import nn
from gleed.autograd import gradcheck, gradgradcheck
from gleed.errors import ArgumentError, DTypeError, GleedError, RangeError, ShapeError
from gleed.nn.utils import rnn

NETWORKS = {
    "RNN": lambda *args, **kwargs: nn.RNN(*args, **kwargs),
    "RNN relu": lambda *args, **kwargs: nn.RNN(*args, nonlinearity="relu", **kwargs),
    "LSTM": nn.LSTM,
    "LSTM projected": lambda *args, **kwargs: nn.LSTM(*args, proj_size=2, **kwargs),
    "GRU": nn.GRU,
}
CELLS = {
    "RNN": nn.RNNCell,
    "RNN relu": lambda *args, **kwargs: nn.RNNCell(*args, nonlinearity="relu", **kwargs),
    "LSTM": nn.LSTMCell,
    "GRU": nn.GRUCell,
}


def close(a, b, tolerance=1e-6):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), tolerance, tolerance)


def all_of(hx):
    return list(hx) if isinstance(hx, tuple) else [hx]


def given_states(network, batch):
    """Random first states."""
    count = network.num_layers * (1 + network.bidirectional)
    sizes = [network.proj_size or network.hidden_size, network.hidden_size]
    states = [gleed.randn(count, batch, n) for n in sizes[: 1 + isinstance(network, nn.LSTM)]]
    return tuple(states) if len(states) > 1 else states[0]


# ---- a network is its cell, step by step
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", CELLS)
def test_a_layer_runs_its_cell(kind, bias):
    network, cell = NETWORKS[kind](3, 4, bias=bias), CELLS[kind](3, 4, bias=bias)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in network.state_dict().items()})
    x, hx = gleed.randn(5, 2, 3), given_states(network, 2)
    output, last = network(x, hx)
    now = tuple(s[0] for s in hx) if isinstance(hx, tuple) else hx[0]
    for step in range(5):
        now = cell(x[step], now)
        close(output[step], all_of(now)[0])
    for a, b in zip(all_of(last), all_of(now), strict=True):
        close(a[0], b)


@pytest.mark.parametrize(("batch", "hidden"), [(1, 40), (7, 97), (13, 530)])
def test_weights_are_packed_once_for_all_steps(batch, hidden):
    """Blocks of columns and of depth are beyond one from a hidden size of 512 on."""
    network, cell = nn.LSTM(5, hidden), nn.LSTMCell(5, hidden)
    for steps in (4, 2):  # a second run begins with what the first left behind
        cell.load_state_dict({k.removesuffix("_l0"): v for k, v in network.state_dict().items()})
        x = gleed.randn(steps, batch, 5)
        output, _ = network(x)
        now = None
        for step in range(steps):
            now = cell(x[step], now)
            close(output[step], now[0])
        gleed.nn.init.normal_(network.weight_hh_l0, std=0.1)


@pytest.mark.parametrize("kind", NETWORKS)
def test_layers_and_directions(kind):
    network = NETWORKS[kind](3, 4, num_layers=2, bidirectional=True)
    x = gleed.randn(5, 2, 3)
    output, last = network(x)
    size = network.proj_size or 4
    state, inputs, finals = network.state_dict(), x, []
    for layer in range(2):
        outputs = []
        for suffix in ("", "_reverse"):
            single = NETWORKS[kind](inputs.shape[2], 4)
            ending = f"_l{layer}{suffix}"
            weights = {k.removesuffix(ending) + "_l0": v for k, v in state.items()
                       if k.endswith(ending)}  # fmt: skip
            single.load_state_dict(weights)
            y, final = single(inputs.flip(0) if suffix else inputs)
            outputs.append(y.flip(0) if suffix else y)
            finals.append(all_of(final))
        inputs = gleed.cat(outputs, 2)
    assert output.shape == (5, 2, 2 * size)
    close(output, inputs)
    for a, b in zip(all_of(last), zip(*finals, strict=True), strict=True):
        close(a, gleed.cat(b))


@pytest.mark.parametrize("kind", NETWORKS)
def test_layouts_of_the_input(kind):
    network = NETWORKS[kind](3, 4, num_layers=2)
    turned = copy.deepcopy(network)
    turned.batch_first = True
    x, hx = gleed.randn(5, 2, 3), given_states(network, 2)
    output, last = network(x, hx)
    first, same = turned(x.transpose(0, 1), hx)
    assert first.shape == (2, 5, network.proj_size or 4)
    close(output, first.transpose(0, 1))
    one = tuple(s[:, 1] for s in hx) if isinstance(hx, tuple) else hx[:, 1]
    for module in (network, turned):
        alone, end = module(x[:, 1], one)
        close(alone, output[:, 1])
        for a, b, c in zip(all_of(last), all_of(same), all_of(end), strict=True):
            close(a, b)
            close(a[:, 1], c)


def test_results_have_memory_of_their_own():
    """Overwriting them changes neither each other nor the gradient."""
    network, x = nn.LSTM(3, 4), gleed.randn(5, 2, 3)
    output, (h, c) = network(x)
    output.sum().backward()
    wanted = network.weight_hh_l0.grad.clone()
    network.zero_grad()
    output, (h, c) = network(x)
    total, before = output.sum(), h.detach().clone()
    with gleed.no_grad():
        output.zero_()
        close(h, before)
        h.zero_()
        c.zero_()
    total.backward()
    close(network.weight_hh_l0.grad, wanted)


# ---- gradients
@pytest.mark.parametrize("kind", NETWORKS)
def test_gradients_to_second_order(kind):
    network = NETWORKS[kind](2, 3, dtype=gleed.float64)
    x = gleed.randn(3, 2, 2, dtype=gleed.float64, requires_grad=True)

    def function(x, *weights):
        return gleed.nn.functional.softmax(network(x)[0], -1)

    assert gradcheck(function, (x, *network.parameters()))
    assert gradgradcheck(function, (x, *network.parameters()), atol=1e-4)


def test_a_long_sequence_reuses_the_plan():
    """The number of steps is no part of what is compiled."""
    network = nn.GRU(3, 4)
    for steps in (5, 6):
        network(gleed.randn(steps, 2, 3))[0].sum().backward()
    before = gleed._C.engine_stats()["misses"]
    for steps in (7, 100, 23):
        network(gleed.randn(steps, 2, 3))[0].sum().backward()
    assert gleed._C.engine_stats()["misses"] == before


def test_threads_do_not_change_results():
    network, x = nn.LSTM(64, 96, num_layers=2, bidirectional=True), gleed.randn(9, 16, 64)
    found = []
    for threads in (1, 2):
        before = gleed.get_num_threads()
        gleed.set_num_threads(threads)
        network.zero_grad()
        output, (h, c) = network(x)
        (output.sin().sum() + c.sum()).backward()
        gleed.set_num_threads(before)
        found.append([output, h, c, *(p.grad for p in network.parameters())])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())


# ---- dropout, initial values, text
def test_dropout_between_layers():
    network, x = nn.GRU(3, 50, num_layers=2, dropout=0.5), gleed.randn(4, 2, 3)
    gleed.manual_seed(1)
    first = network(x)[0]
    assert not gleed.equal(first, network(x)[0])
    gleed.manual_seed(1)
    close(first, network(x)[0])
    network.eval()
    close(network(x)[0], network(x)[0])


def test_dropout_needs_layers_to_act_between():
    with pytest.warns(UserWarning, match="LSTM: dropout acts between layers, and there is one"):
        nn.LSTM(3, 4, dropout=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nn.LSTM(3, 4, 2, dropout=0.5)


def test_initial_values():
    network = nn.LSTM(100, 64)
    for p in network.parameters():
        assert p.abs().max() <= 1 / 8
        assert abs(p.std().item() - 1 / 8 / 3**0.5) < 0.01
    assert nn.LSTMCell(3, 0).weight_hh.shape == (0, 0)


def test_names():
    network = nn.LSTM(3, 4, 1, bidirectional=True, proj_size=2)
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    names = [f"{kind}_l0{way}" for way in ("", "_reverse") for kind in kinds]
    assert list(network.state_dict()) == names
    assert [[p.shape for p in way] for way in network.all_weights] == [
        [(16, 3), (16, 2), (16,), (16,), (2, 4)]
    ] * 2
    network.flatten_parameters()
    assert list(nn.GRUCell(3, 4, bias=False).state_dict()) == ["weight_ih", "weight_hh"]


TEXTS = [
    (nn.RNN(3, 4), "RNN(3, 4)"),
    (nn.RNN(3, 4, 2, "relu", False, True), "RNN(3, 4, num_layers=2, bias=False, batch_first=True)"),
    (
        nn.LSTM(3, 4, 2, dropout=0.5, bidirectional=True, proj_size=2),
        "LSTM(3, 4, proj_size=2, num_layers=2, dropout=0.5, bidirectional=True)",
    ),
    (nn.GRU(3, 4), "GRU(3, 4)"),
    (nn.RNNCell(3, 4, nonlinearity="relu"), "RNNCell(3, 4, nonlinearity=relu)"),
    (nn.LSTMCell(3, 4, bias=False), "LSTMCell(3, 4, bias=False)"),
    (nn.GRUCell(3, 4), "GRUCell(3, 4)"),
]


@pytest.mark.parametrize("module, text", TEXTS, ids=[text for _, text in TEXTS])
def test_repr(module, text):
    assert repr(module) == text


@pytest.mark.parametrize("kind", CELLS)
def test_cells_without_batch_or_states(kind):
    cell = CELLS[kind](3, 4)
    x = gleed.randn(2, 3)
    zeros = gleed.zeros(2, 4)
    for a, b in zip(
        all_of(cell(x)), all_of(cell(x, (zeros, zeros) if kind == "LSTM" else zeros)), strict=True
    ):
        close(a, b)
    for a, b in zip(all_of(cell(x)), all_of(cell(x[1])), strict=True):
        close(a[1], b)


# ---- sequences of different lengths
LENGTHS = [2, 5, 3, 5]


def sequences(*shape, lengths=LENGTHS):
    return [gleed.randn(n, *shape) for n in lengths]


@pytest.mark.parametrize("states", [False, True])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("kind", NETWORKS)
def test_packed_sequences_run_as_if_alone(kind, both, states):
    network = NETWORKS[kind](3, 4, num_layers=2, bidirectional=both)
    xs = sequences(3)
    hx = given_states(network, 4) if states else None
    output, last = network(rnn.pack_sequence(xs, enforce_sorted=False), hx)
    for b, (x, y) in enumerate(zip(xs, rnn.unpack_sequence(output), strict=True)):
        own = None
        if hx is not None:
            own = tuple(s[:, b] for s in hx) if isinstance(hx, tuple) else hx[:, b]
        alone, end = network(x, own)
        close(y, alone)
        for a, c in zip(all_of(last), all_of(end), strict=True):
            close(a[:, b], c)


def test_gradients_of_packed_sequences():
    network = nn.GRU(2, 3, bidirectional=True, dtype=gleed.float64)
    xs = [gleed.randn(n, 2, dtype=gleed.float64, requires_grad=True) for n in (1, 3, 2)]

    def function(*xs):
        output, last = network(rnn.pack_sequence(xs, enforce_sorted=False))
        return output.data, last

    assert gradcheck(function, tuple(xs))
    assert gradgradcheck(function, tuple(xs), atol=1e-4)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("shape", [(), (2,), (2, 3)])
def test_padding_and_packing_return_the_sequences(shape, batch_first):
    xs = sequences(*shape)
    padded = rnn.pad_sequence(xs, batch_first, -1.0)
    assert padded.shape == ((4, 5, *shape) if batch_first else (5, 4, *shape))
    for x, y in zip(xs, rnn.unpad_sequence(padded, LENGTHS, batch_first), strict=True):
        close(x, y, 0)
    rows = padded if batch_first else padded.transpose(0, 1)
    assert all((row[n:] == -1).all() for row, n in zip(rows, LENGTHS, strict=True))
    packed = rnn.pack_padded_sequence(padded, LENGTHS, batch_first, enforce_sorted=False)
    assert packed.batch_sizes.tolist() == [4, 4, 3, 2, 2]
    assert packed.sorted_indices.tolist() == [1, 3, 2, 0]
    again, lengths = rnn.pad_packed_sequence(packed, batch_first, -1.0)
    close(again, padded, 0)
    assert lengths.tolist() == LENGTHS
    longer, _ = rnn.pad_packed_sequence(packed, batch_first, 7.0, total_length=8)
    assert longer.shape[batch_first] == 8
    for x, y in zip(xs, rnn.unpack_sequence(packed), strict=True):
        close(x, y, 0)


def test_padding_on_the_left():
    padded = rnn.pad_sequence([gleed.tensor([1, 2]), gleed.tensor([3])], True, 9, "left")
    assert padded.tolist() == [[1, 2], [9, 3]]


def test_packed_sequence_is_a_named_tuple():
    packed = rnn.pack_sequence([gleed.ones(2), gleed.ones(1)])
    data, sizes, order, back = packed
    assert data is packed.data and order is back is None
    assert packed.to(gleed.float32) is packed
    assert packed.double().data.dtype is gleed.float64
    assert packed.long().batch_sizes is sizes
    assert not packed.is_cuda
    assert rnn.PackedSequence((data, sizes)).batch_sizes is sizes
    made = rnn.PackedSequence(data, sizes, gleed.tensor([1, 2, 0]))
    assert made.unsorted_indices.tolist() == [2, 0, 1]
    assert rnn.invert_permutation(None) is None
    assert repr(packed) == (
        "PackedSequence(data=tensor([1., 1., 1.]), batch_sizes=tensor([2, 1]), "
        "sorted_indices=None, unsorted_indices=None)"
    )


# ---- errors
ERRORS = [
    (
        lambda: nn.LSTM(0, 4),
        RangeError,
        "LSTM: input_size is at least 1; got 0; check the arithmetic that led to this size",
    ),
    (
        lambda: nn.GRU(3, 4, 2, 1.0),
        ArgumentError,
        "GRU: bias is True or False; got 1.0 of type float; name the arguments to see which is "
        "which",
    ),
    (
        lambda: nn.LSTM(3, 4, proj_size=4),
        RangeError,
        "LSTM: proj_size must be smaller than hidden_size; got 4 and 4; make it smaller",
    ),
    (
        lambda: nn.GRU(3, 4, proj_size=2),
        RangeError,
        "GRU: proj_size is for LSTM alone; got 2; leave it out, or use LSTM",
    ),
    (
        lambda: nn.RNN(3, 4, nonlinearity="gelu"),
        RangeError,
        "RNN: nonlinearity must be 'tanh' or 'relu'; got 'gelu'; use one of them",
    ),
    (
        lambda: nn.RNNBase("QRNN", 3, 4),
        RangeError,
        "RNNBase: mode must be one of RNN_TANH, RNN_RELU, LSTM, GRU; got 'QRNN'; use RNN, LSTM or "
        "GRU",
    ),
    (
        lambda: nn.LSTM(3, 4)([1.0]),
        ArgumentError,
        "LSTM: the input must be a Tensor or a PackedSequence; got list; convert it with "
        "gleed.tensor",
    ),
    (
        lambda: nn.LSTM(3, 4)(gleed.zeros(3)),
        ShapeError,
        "LSTM: the input must have 3 dims, or 2 without a batch; got shape [3]; reshape it to "
        "(steps, batch, 3)",
    ),
    (
        lambda: nn.GRU(3, 4, batch_first=True)(gleed.zeros(5, 2, 4)),
        ShapeError,
        "GRU: the last size of the input must be input_size=3; got shape [5, 2, 4]; reshape it to "
        "(batch, steps, 3)",
    ),
    (
        lambda: nn.GRU(3, 4)(gleed.zeros(5, 2, 3, dtype=gleed.float64)),
        DTypeError,
        "GRU: input and weights must have one dtype; got gleed.float64 and gleed.float32; convert "
        "the input with .to(gleed.float32)",
    ),
    (
        lambda: nn.GRU(3, 4)(gleed.zeros(5, 2, 3), gleed.zeros(1, 5, 4)),
        ShapeError,
        "GRU: hx must be [1, 2, 4], (layers * directions, batch, size); got [1, 5, 4]; check "
        "batch_first and the layers",
    ),
    (
        lambda: nn.LSTM(3, 4)(gleed.zeros(5, 3), (gleed.zeros(1, 4), gleed.zeros(4))),
        ShapeError,
        "LSTM: hx must be [1, 4] and [1, 4], (layers * directions, size); got [1, 4] and [4]; "
        "check batch_first and the layers",
    ),
    (
        lambda: nn.GRUCell(3, 4)(gleed.zeros(2, 3), gleed.zeros(4)),
        ShapeError,
        "GRUCell: input and states must have 2 dims, (batch, features), or all 1 dim without a "
        "batch; got shapes [[2, 3], [4]]; add a batch of 1 with unsqueeze(0)",
    ),
    (
        lambda: rnn.PackedSequence(gleed.zeros(2)),
        ArgumentError,
        "PackedSequence: takes data and batch_sizes, or a pair of them; got Tensor alone; use "
        "pack_padded_sequence or pack_sequence",
    ),
    (
        lambda: rnn.pack_padded_sequence(gleed.zeros(2), [2]),
        ShapeError,
        "pack_padded_sequence: the input must be (T, B, *), or (B, T, *) with batch_first; got "
        "shape [2]; add a batch with unsqueeze",
    ),
    (
        lambda: rnn.pack_padded_sequence(gleed.zeros(5, 2), [2]),
        ShapeError,
        "pack_padded_sequence: there must be one length for each sequence, and at least one "
        "sequence; got lengths of shape [1] for a batch of 2; check batch_first",
    ),
    (
        lambda: rnn.pack_padded_sequence(gleed.zeros(5, 2), [6, 0]),
        RangeError,
        "pack_padded_sequence: lengths must lie in 1 … 5, the steps of the input; got [6, 0]; drop "
        "empty sequences, or check batch_first",
    ),
    (
        lambda: rnn.pack_padded_sequence(gleed.zeros(5, 2), [1, 2]),
        RangeError,
        "pack_padded_sequence: lengths must be in descending order; got [1, 2]; pass "
        "enforce_sorted=False to have the batch sorted",
    ),
    (
        lambda: rnn.pad_packed_sequence(rnn.pack_sequence([gleed.zeros(3)]), total_length=2),
        RangeError,
        "pad_packed_sequence: total_length must be at least 3, the length of the longest sequence; "
        "got 2; leave it out, or raise it",
    ),
    (
        lambda: rnn.pad_sequence([gleed.zeros(3, 2), gleed.zeros(3, 1)]),
        ShapeError,
        "pad_sequence: takes one sequence or more, of shapes that are equal but for the first "
        "size; got [[3, 2], [3, 1]]; check the features",
    ),
    (
        lambda: rnn.pad_sequence([gleed.zeros(3)], padding_side="top"),
        RangeError,
        "pad_sequence: padding_side must be 'left' or 'right'; got 'top'; use 'right'",
    ),
]


@pytest.mark.parametrize("act, error, text", ERRORS, ids=[text[:40] for *_, text in ERRORS])
def test_errors(act, error, text):
    with pytest.raises(GleedError) as caught:
        act()
    assert type(caught.value) is error
    assert str(caught.value) == text


@pytest.mark.parametrize("kind", ["RNN", "RNN relu", "LSTM", "GRU"])
def test_functions_of_packed_sequences(kind):
    network = NETWORKS[kind](2, 3, num_layers=2, bidirectional=True)
    given = rnn.pack_sequence([gleed.randn(n, 2) for n in (4, 2, 1)])
    count = 2 if kind == "LSTM" else 1
    states = [gleed.zeros(4, 3, 3) for _ in range(count)]
    name = {"RNN": "rnn_tanh", "RNN relu": "rnn_relu"}.get(kind, kind.lower())
    hx, weights = states if count > 1 else states[0], network.parameters()
    options = [*weights], True, 2, 0.0, False, True
    output, *finals = getattr(gleed, name)(given.data, given.batch_sizes, hx, *options)
    wanted, last = network(given)
    assert (output == wanted.data).all()
    for a, b in zip(finals, last if count > 1 else [last], strict=True):
        assert (a == b).all()


def test_a_wrong_call_of_a_function_names_what_it_takes():
    with pytest.raises(ArgumentError, match=r"^gru: .*it takes gru"):
        gleed.gru(gleed.ones(2, 2), gleed.tensor([1, 1]), "weights")
