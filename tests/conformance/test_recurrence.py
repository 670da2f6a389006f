"""Recurrent networks against PyTorch's: with copied weights, on packed sequences, by seed."""

import numpy as np
import pytest
import torch
from torch.nn.utils import rnn as reference

import gleed
from gleed.nn.utils import rnn

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

# Name and options of networks of 3 features and 4 hidden ones.
NETWORKS = [
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu", "bidirectional": True, "num_layers": 2}),
    ("LSTM", {"batch_first": True}),
    ("LSTM", {"bidirectional": True, "num_layers": 3, "bias": False}),
    ("LSTM", {"bidirectional": True, "num_layers": 2, "proj_size": 2}),
    ("GRU", {"num_layers": 2}),
    ("GRU", {"bidirectional": True, "batch_first": True}),
]
LENGTHS = [2, 5, 1]


def both(name, options):
    """The network of both, made from one seed."""
    made = []
    for library in (gleed, torch):
        library.manual_seed(3)
        made.append(getattr(library.nn, name)(3, 4, **options))
    return made


def opened(value):
    if isinstance(value, (tuple, list)):
        return [x for item in value for x in opened(item)]
    return [] if value is None else [value]


def agree(ours, theirs, tolerance=1e-5):
    ours, theirs = opened(ours), opened(theirs)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), tolerance, tolerance)


def gradients_agree(ours, theirs, results, wanted):
    for found in (results, wanted):
        sum((y * y.cos()).sum() for y in opened(found) if y.is_floating_point()).backward()
    agree([p.grad for p in ours.parameters()], [p.grad for p in theirs.parameters()], 1e-4)


@pytest.mark.parametrize("states", [False, True])
@pytest.mark.parametrize("name, options", NETWORKS)
def test_results_and_gradients(name, options, states):
    ours, theirs = both(name, options)
    x = torch.randn(5, 2, 3)
    hx = []
    if states:
        batch = x.shape[0 if options.get("batch_first") else 1]
        count = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
        sizes = [options.get("proj_size") or 4, 4][: 2 if name == "LSTM" else 1]
        given = [torch.randn(count, batch, n) for n in sizes]
        hx = [tuple(given) if len(given) > 1 else given[0]]
    copied = [
        tuple(gleed.tensor(s.numpy()) for s in h)
        if isinstance(h, tuple)
        else gleed.tensor(h.numpy())
        for h in hx
    ]
    results, wanted = ours(gleed.tensor(x.numpy()), *copied), theirs(x, *hx)
    agree(results, wanted)
    assert [y.stride() for y in opened(results)] == [y.stride() for y in opened(wanted)]
    gradients_agree(ours, theirs, results, wanted)
    if not states:
        agree(ours(gleed.tensor(x[:, 0].numpy())), theirs(x[:, 0]))


@pytest.mark.parametrize("name, options", NETWORKS)
def test_packed_sequences(name, options):
    ours, theirs = both(name, options)
    xs = [torch.randn(n, 3) for n in LENGTHS]
    packed = reference.pack_sequence(xs, enforce_sorted=False)
    given = rnn.pack_sequence([gleed.tensor(x.numpy()) for x in xs], enforce_sorted=False)
    agree(given, packed, 0)
    results, wanted = ours(given), theirs(packed)
    agree(results, wanted)
    gradients_agree(ours, theirs, results[0].data, wanted[0].data)


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn_tanh", "rnn_relu"])
def test_functions_of_packed_sequences(name):
    kind = {"lstm": "LSTM", "gru": "GRU"}.get(name, "RNN")
    _, network = both(kind, {"num_layers": 2, "bidirectional": True})
    packed = reference.pack_sequence([torch.randn(n, 3) for n in sorted(LENGTHS)[::-1]])
    states = [torch.randn(4, 3, 4) for _ in range(2 if name == "lstm" else 1)]
    found = []
    for library, to in ((torch, lambda x: x), (gleed, lambda x: gleed.tensor(x.detach().numpy()))):
        hx = [to(s) for s in states]
        arguments = to(packed.data), to(packed.batch_sizes), hx if len(hx) > 1 else hx[0]
        weights = [to(p) for p in network.parameters()]
        options = True, 2, 0.0, False, True
        found.append(getattr(library, name)(*arguments, weights, *options))
    agree(found[1], found[0])


@pytest.mark.parametrize("name", ["RNNCell", "LSTMCell", "GRUCell"])
def test_cells(name):
    ours, theirs = both(name, {})
    for shape in ((2, 3), (3,)):
        x = torch.randn(shape)
        results, wanted = ours(gleed.tensor(x.numpy())), theirs(x)
        agree(results, wanted)
    gradients_agree(ours, theirs, results, wanted)


def test_dropout_by_seed():
    ours, theirs = both("LSTM", {"num_layers": 3, "dropout": 0.3})
    x = torch.randn(5, 2, 3)
    for library in (gleed, torch):
        library.manual_seed(9)
    agree(ours(gleed.tensor(x.numpy())), theirs(x))


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "int64"])
@pytest.mark.parametrize("shape", [(), (2,), (2, 3)])
def test_padding(shape, dtype, batch_first):
    xs = [(9 * torch.randn(n, *shape)).to(getattr(torch, dtype)) for n in LENGTHS]
    copied = [gleed.tensor(x.numpy()) for x in xs]
    for side in ("left", "right"):
        wanted = reference.pad_sequence(xs, batch_first, 7, side)
        agree(rnn.pad_sequence(copied, batch_first, 7, side), wanted, 0)
    ours, theirs = (
        library.pack_padded_sequence(
            library.pad_sequence(given, batch_first), LENGTHS, batch_first, enforce_sorted=False
        )
        for library, given in ((rnn, copied), (reference, xs))
    )
    agree(ours, theirs, 0)
    for length in (None, 8):
        a = rnn.pad_packed_sequence(ours, batch_first, -1, length)
        agree(a, reference.pad_packed_sequence(theirs, batch_first, -1, length), 0)
    agree(rnn.unpack_sequence(ours), reference.unpack_sequence(theirs), 0)
