"""Recurrent networks under `autocast`: products in 16 bits, states that are sums as they were."""

from __future__ import annotations

from typing import Any

import pytest

import gleed
from gleed import autocast, nn
from gleed.nn.utils.rnn import pack_padded_sequence

BFLOAT16, FLOAT32 = gleed.bfloat16, gleed.float32
# The dtype of the outputs of float32 states, as in PyTorch: over sequences, packed, of a cell.
KINDS = {
    "RNN": (BFLOAT16, BFLOAT16, BFLOAT16),
    "LSTM": (BFLOAT16, FLOAT32, FLOAT32),
    "GRU": (FLOAT32, FLOAT32, FLOAT32),
}


def tensors(value: Any) -> list[Any]:
    """All of them in a structure."""
    return [value] if isinstance(value, gleed.Tensor) else [x for y in value for x in tensors(y)]


def states(kind: str, shape: tuple[int, ...], dtype: Any) -> Any:
    made = [gleed.randn(shape).to(dtype) for _ in range(1 + (kind == "LSTM"))]
    return tuple(made) if len(made) > 1 else made[0]


@pytest.mark.parametrize("dtype", [FLOAT32, BFLOAT16])
@pytest.mark.parametrize("kind", KINDS)
def test_dtypes(kind: str, dtype: Any) -> None:
    net, cell = getattr(nn, kind)(3, 4), getattr(nn, f"{kind}Cell")(3, 4)
    x = gleed.randn(5, 2, 3).to(dtype)
    packed = pack_padded_sequence(x, gleed.tensor([5, 3]))
    whole, stepwise, single = KINDS[kind]
    with autocast("cpu", dtype=BFLOAT16):
        for state in (FLOAT32, BFLOAT16):
            wide = state is FLOAT32
            found = net(x, states(kind, (1, 2, 4), state))
            assert {y.dtype for y in tensors(found)} == {whole if wide else BFLOAT16}
            output, last = net(packed, states(kind, (1, 2, 4), state))
            assert {y.dtype for y in tensors([output.data, last])} == {
                stepwise if wide else BFLOAT16
            }
            found = cell(x[0], states(kind, (2, 4), state))
            assert {y.dtype for y in tensors([found])} == {single if wide else BFLOAT16}
        # Zeros to begin with are of the dtype of the input.
        plain = whole if dtype is FLOAT32 else BFLOAT16
        assert {y.dtype for y in tensors(net(x))} == {plain}


def test_projected_states_are_products() -> None:
    net = nn.LSTM(3, 4, num_layers=2, proj_size=2)
    with autocast("cpu", dtype=BFLOAT16):
        output, (h, c) = net(gleed.randn(5, 2, 3))
    assert (output.dtype, h.dtype, c.dtype) == (BFLOAT16, BFLOAT16, FLOAT32)


def test_float64_is_left_alone() -> None:
    with autocast("cpu"):
        output, h = nn.GRU(3, 4, dtype=gleed.float64)(gleed.randn(5, 2, 3, dtype=gleed.float64))
    assert output.dtype is h.dtype is gleed.float64


def test_dtypes_that_do_not_fit() -> None:
    text = r"^gru: input, states and weights must have one floating-point dtype; got float64 and"
    with autocast("cpu"), pytest.raises(TypeError, match=text):
        nn.GRU(3, 4)(gleed.randn(5, 2, 3, dtype=gleed.float64))
    text = r"^GRU: input and weights must have one dtype; got gleed.bfloat16 and gleed.float32"
    with pytest.raises(TypeError, match=text):
        nn.GRU(3, 4)(gleed.randn(5, 2, 3).bfloat16())
    text = r"^rnn_tanh: input, states and weights must have one floating-point dtype"
    with pytest.raises(TypeError, match=text):
        nn.RNN(3, 4, dtype=BFLOAT16)(gleed.randn(5, 2, 3).bfloat16(), gleed.zeros(1, 2, 4))


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
def test_values_are_those_of_converted_weights(kind: str) -> None:
    net = getattr(nn, kind)(3, 4, num_layers=2, bidirectional=True)
    x = gleed.randn(5, 2, 3)
    with autocast("cpu", dtype=BFLOAT16):
        found = net(x)
    net.to(BFLOAT16)
    for y, expected in zip(tensors(found), tensors(net(x.bfloat16())), strict=True):
        assert y.tolist() == expected.tolist()


def test_a_gru_sums_in_float32() -> None:
    cell = nn.GRUCell(3, 4)
    x, h = gleed.randn(2, 3), gleed.randn(2, 4)
    with autocast("cpu", dtype=BFLOAT16):
        found = cell(x, h)
    low = [t.detach().bfloat16() for t in (x, h, *cell.parameters())]
    rows = nn.functional.linear(low[0], low[2], low[4])
    more = nn.functional.linear(low[1], low[3], low[5])
    (a, b, c), (d, e, f) = rows.chunk(3, 1), more.chunk(3, 1)
    candidate = (c + (a + d).sigmoid() * f).tanh()
    assert gleed.allclose(found, candidate + (b + e).sigmoid() * (h - candidate), 1e-2, 1e-2)
    assert not gleed.equal(found, found.bfloat16().float())


@pytest.mark.parametrize("kind", KINDS)
def test_training_is_the_same_captured(kind: str) -> None:
    found = []
    for compiled in (False, True):
        gleed.manual_seed(0)
        net = getattr(nn, kind)(3, 4, num_layers=2)
        x, start = gleed.randn(5, 2, 3).bfloat16(), states(kind, (2, 2, 4), FLOAT32)

        def step(net: Any, x: Any, start: Any) -> Any:
            net.zero_grad()
            with autocast("cpu", dtype=BFLOAT16):
                y = net(x, start)[0]
            (y.float() * y.float().cos()).sum().backward()
            return [y.detach(), *(p.grad for p in net.parameters())]

        made = (gleed.compile(step, fullgraph=True) if compiled else step)(net, x, start)
        found.append([(y.dtype, y.tolist()) for y in made])
    assert found[0] == found[1]
    assert {dtype for dtype, _ in found[0][1:]} == {FLOAT32}
