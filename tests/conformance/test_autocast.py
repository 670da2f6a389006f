"""Results under autocast have the dtypes that they have in PyTorch."""

import numpy as np
import pytest
import torch

import gleed

CALLS = {
    "matmul": lambda M, x: x @ x,
    "mv": lambda M, x: x.mv(x[0]),
    "addmm": lambda M, x: M.addmm(x, x, x),
    "addmv": lambda M, x: M.addmv(x[0], x, x[0]),
    "bmm": lambda M, x: x[None].bmm(x[None]),
    "inner": lambda M, x: M.inner(x, x),
    "outer": lambda M, x: M.outer(x[0], x[0]),
    "linear": lambda M, x: M.nn.functional.linear(x, x, x[0]),
    "einsum": lambda M, x: M.einsum("ij,jk->ik", x, x),
    "einsum without sum": lambda M, x: M.einsum("ij,ij->ij", x, x),
    "einsum of one": lambda M, x: M.einsum("ij->i", x),
    "tensordot": lambda M, x: M.tensordot(x, x, 1),
    "multi_dot": lambda M, x: M.linalg.multi_dot([x, x, x]),
    "matrix_power": lambda M, x: M.linalg.matrix_power(x, 3),
    "vecdot": lambda M, x: M.linalg.vecdot(x, x),
    "kron": lambda M, x: M.kron(x, x),
    "conv1d": lambda M, x: M.nn.functional.conv1d(x[None], x[None]),
    "conv2d": lambda M, x: M.nn.functional.conv2d(x[None, None], x[None, None]),
    "prelu": lambda M, x: M.nn.functional.prelu(x, x[0, :1]),
    "attention": lambda M, x: M.nn.functional.scaled_dot_product_attention(
        x[None], x[None], x[None]
    ),
    "add": lambda M, x: x + x,
    "exp": lambda M, x: x.exp(),
    "softmax": lambda M, x: x.softmax(0),
    "layer_norm": lambda M, x: M.nn.functional.layer_norm(x, (4,)),
    "gelu": lambda M, x: M.nn.functional.gelu(x),
    "sum": lambda M, x: x.sum(),
    "prod": lambda M, x: x.prod(),
    "norm": lambda M, x: x.norm(),
    "trace": lambda M, x: x.trace(),
    "cdist": lambda M, x: M.cdist(x, x),
    "mse_loss": lambda M, x: M.nn.functional.mse_loss(x, x),
    "cross_entropy": lambda M, x: M.nn.functional.cross_entropy(x, M.arange(4)),
    "kl_div": lambda M, x: M.nn.functional.kl_div(x, x, reduction="sum"),
    "pad": lambda M, x: M.nn.functional.pad(x, (1, 1)),
    "reflect": lambda M, x: M.nn.functional.pad(x, (1, 1), mode="reflect"),
    "cat": lambda M, x: M.cat([x, M.ones(4, 4)]),
    "stack": lambda M, x: M.stack([x, M.ones(4, 4)]),
    "index_copy": lambda M, x: M.ones(4, 4).index_copy(0, M.tensor([1]), x[:1]),
    "float64": lambda M, x: x.double() @ x.double(),
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", CALLS)
def test_dtype(name, dtype):
    found = []
    for M in (gleed, torch):
        x = M.rand(4, 4).to(getattr(M, dtype))
        with M.autocast("cpu", dtype=M.bfloat16):
            found.append(str(CALLS[name](M, x).dtype).rpartition(".")[2])
    assert found[0] == found[1]


def parts(value):
    """All tensors of results, those of packed sequences too."""
    if isinstance(value, (tuple, list)):
        data = [value.data] if hasattr(value, "batch_sizes") else value
        return [x for item in data for x in parts(item)]
    return [value]


def recurrent(M, x, states, kind, packed, options):
    """What a network or a cell gives, and its gradients, for `states` beside the input."""
    M.manual_seed(0)
    net = getattr(M.nn, kind)(3, 4, **options)
    x = M.tensor(x.float().numpy()).to(getattr(M, str(x.dtype).rpartition(".")[2]))
    if packed:
        x = M.nn.utils.rnn.pack_padded_sequence(x, M.tensor([5, 3]))
    given = [M.tensor(s.float().numpy()).to(getattr(M, str(s.dtype)[6:])) for s in states]
    hx = tuple(given) if len(given) > 1 else given[0]
    with M.autocast("cpu", dtype=M.bfloat16):
        found = parts(net(x, hx) if given else net(x))
    sum((y.float() * y.float().cos()).sum() for y in found).backward()
    return found, [p.grad for p in net.parameters()]


NETWORKS = [
    *((kind, packed, {}) for kind in ("RNN", "LSTM", "GRU") for packed in (False, True)),
    *((f"{kind}Cell", False, {}) for kind in ("RNN", "LSTM", "GRU")),
    ("LSTM", False, {"proj_size": 2}),
    ("LSTM", True, {"num_layers": 2, "proj_size": 2}),
    ("GRU", False, {"num_layers": 2, "bidirectional": True, "batch_first": True}),
    ("LSTM", False, {"num_layers": 2, "bidirectional": True, "bias": False}),
]


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("state", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind, packed, options", NETWORKS)
def test_recurrent_networks(kind, packed, options, dtype, state):
    torch.manual_seed(1)
    x = torch.randn(5, 2, 3).to(dtype)
    count = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
    lead, batch = (count,), 5 if options.get("batch_first") else 2
    if kind.endswith("Cell"):
        x, lead = x[0], ()
    sizes = [options.get("proj_size") or 4, 4][: 2 if kind.startswith("LSTM") else 1]
    states = [torch.randn(*lead, batch, n).to(state) for n in sizes]
    ours, theirs = (recurrent(M, x, states, kind, packed, options) for M in (gleed, torch))
    for found, wanted in zip(ours, theirs, strict=True):
        for y, z in zip(found, wanted, strict=True):
            assert str(y.dtype)[6:] == str(z.dtype)[6:]
            np.testing.assert_allclose(
                y.detach().float().numpy(), z.detach().float().numpy(), 5e-2, 5e-2
            )
