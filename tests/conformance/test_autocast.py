"""Results under autocast have the dtypes that they have in PyTorch."""

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
