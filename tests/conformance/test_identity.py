"""Which calls give their argument itself, and which a view of it, as in PyTorch."""

import pytest
import torch

import gleed

CALLS = {
    "contiguous": lambda M, x: x.contiguous(),
    "to": lambda M, x: x.to(x.dtype),
    "to, copied": lambda M, x: x.to(x.dtype, copy=True),
    "to a device": lambda M, x: x.to("cpu"),
    "to another": lambda M, x: x.to(x),
    "float": lambda M, x: x.float(),
    "double": lambda M, x: x.double(),
    "type": lambda M, x: x.type(x.dtype),
    "type_as": lambda M, x: x.type_as(x),
    "cpu": lambda M, x: x.cpu(),
    "as_tensor": lambda M, x: M.as_tensor(x),
    "reshape": lambda M, x: x.reshape(x.shape),
    "reshape_as": lambda M, x: x.reshape_as(x),
    "view": lambda M, x: x.view(x.shape),
    "view_as": lambda M, x: x.view_as(x),
    "expand": lambda M, x: x.expand(x.shape),
    "expand_as": lambda M, x: x.expand_as(x),
    "broadcast_to": lambda M, x: M.broadcast_to(x, x.shape),
    "flatten": lambda M, x: x.flatten(0, 0),
    "squeeze": lambda M, x: x.squeeze(),
    "permute": lambda M, x: x.permute(0, 1),
    "movedim": lambda M, x: x.movedim(0, 0),
    "swapaxes": lambda M, x: x.swapaxes(0, 0),
    "narrow": lambda M, x: x.narrow(0, 0, 2),
    "slice": lambda M, x: x[:],
    "dots": lambda M, x: x[...],
    "detach": lambda M, x: x.detach(),
    "atleast_2d": lambda M, x: M.atleast_2d(x),
    "positive": lambda M, x: M.positive(x),
    "dropout": lambda M, x: M.nn.functional.dropout(x, 0.5, False),
    "pad": lambda M, x: M.nn.functional.pad(x, (0, 0)),
}
TENSORS = {
    "plain": lambda M: M.ones(2, 3),
    "leaf": lambda M: M.ones(2, 3, requires_grad=True),
    "transposed": lambda M: M.ones(3, 2).t(),
}


@pytest.mark.parametrize("kind", TENSORS)
@pytest.mark.parametrize("name", CALLS)
def test_what_is_returned(name, kind):
    found = []
    for M in (gleed, torch):
        x = TENSORS[kind](M)
        y = CALLS[name](M, x)
        node = type(y.grad_fn).__name__ if name.startswith(("expand", "reshape", "view")) else None
        found.append((y is x, y.data_ptr() == x.data_ptr(), y.is_leaf, y._base is x, node))
    assert found[0] == found[1]
