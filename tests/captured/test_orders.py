"""Captured programs whose results lie in another order of axes than rows: as fast as rows, with the
layouts and the bits of eager mode."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import gleed


def transposed(x: gleed.Tensor) -> gleed.Tensor:
    return x.transpose(1, 2)


def last(x: gleed.Tensor) -> gleed.Tensor:
    return x.contiguous(memory_format=gleed.channels_last)


CHAINS = {
    "one": lambda x: x.relu(),
    "chain": lambda x: (x.relu() * 2 + 1).sigmoid(),
    "with itself": lambda x: x.relu() * x.exp(),
    "rows beside": lambda x: x.relu() + gleed.ones(x.shape),
}


@pytest.mark.parametrize("dtype", [gleed.float32, gleed.bfloat16, gleed.float64])
@pytest.mark.parametrize("order", [transposed, last])
@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_chains_are_one_kernel(chain: Callable, order: Callable, dtype: gleed.dtype) -> None:
    gleed.manual_seed(0)
    x = order(gleed.randn(2, 3, 5, 7)).to(dtype)
    compiled = gleed.compile(chain, fullgraph=True)
    expected = chain(x)
    for _ in range(2):
        found = compiled(x)
        assert found.stride() == expected.stride() and gleed.equal(found, expected)
    if chain is not CHAINS["rows beside"]:
        assert "in 1 kernel; memory for 1 result" in compiled.report()


@pytest.mark.parametrize("order", [transposed, last])
def test_what_else_uses_them_finds_them_in_memory(order: Callable) -> None:
    gleed.manual_seed(1)

    def reduced(x: gleed.Tensor) -> list[gleed.Tensor]:
        y = (x * 3).exp()
        return [y.sum((0, 2)), y.mean(1), y.softmax(-1), y.sum()]

    def viewed(x: gleed.Tensor) -> list[gleed.Tensor]:
        y = x.tanh() + 1
        return [y[1:], y.permute(3, 2, 1, 0) * 2, y, y.flatten().cumsum(0), y @ y.mT]

    def written(x: gleed.Tensor) -> list[gleed.Tensor]:
        y = x.neg()
        y.mul_(2)
        z = y.exp()
        y[0] = 1
        return [y, z]

    for function in (reduced, viewed, written):
        x = order(gleed.randn(3, 2, 4, 6))
        compiled = gleed.compile(function, fullgraph=True)
        expected = function(x)
        for _ in range(2):
            for a, b in zip(compiled(x), expected, strict=True):
                assert a.stride() == b.stride() and gleed.equal(a, b), function.__name__


@pytest.mark.parametrize("order", [transposed, last])
def test_their_gradients(order: Callable) -> None:
    gleed.manual_seed(2)
    data, weight = gleed.randn(2, 3, 5, 4), gleed.randn(2, 3, 5, 4)

    def loss(x: gleed.Tensor) -> gleed.Tensor:
        return ((order(x).relu() * 2).sigmoid() * order(weight)).sum()

    found = []
    for run in (loss, gleed.compile(loss, fullgraph=True)):
        x = data.clone().requires_grad_()
        run(x).backward()
        x.grad = None
        run(x).backward()
        found.append(x.grad)
    assert gleed.equal(*found)


PARTS = {
    "slice": lambda x: x.exp()[:, :1],
    "slice, then more": lambda x: x.exp()[:1] * 2,
    "narrow": lambda x: x.exp().narrow(0, x.shape[0] - 1, 1).sin(),
    "select": lambda x: x.exp().select(0, 0).unsqueeze(0),
    "permute": lambda x: x.exp()[:1].permute(2, 1, 0) + 1,
    "argument": lambda x: x[:1].exp(),
    "reduction": lambda x: x.sum(0, keepdim=True).exp(),
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_axes_of_one_element_have_their_strides(part: Callable) -> None:
    for shape in ((3, 4, 5), (2, 2, 3)):
        for order in ((0, 1, 2), (2, 0, 1), (1, 0, 2), (2, 1, 0)):
            for step in (1, 2):
                x = gleed.rand(*shape[:2], step * shape[2])[..., ::step].permute(order)
                compiled = gleed.compile(part, fullgraph=True)
                for _ in range(2):
                    assert compiled(x).stride() == part(x).stride()


SCANS = {
    "sum": lambda x, d: (x * 1.1).cumsum(d),
    "product": lambda x, d: (x * 0.9).cumprod(d),
    "converted": lambda x, d: x.double().cumsum(d).to(x.dtype) * 0.5,
    "twice": lambda x, d: (x.cumprod(d) * x.double()).cumsum(d),
    "joined": lambda x, d: gleed.cat([x.cumsum(d), (x.int() + x.float()).cumsum(d)], d),
    "log": lambda x, d: x.logcumsumexp(d),
    "greatest": lambda x, d: x.exp().cummax(d)[0],
}


@pytest.mark.parametrize("dtype", [gleed.float32, gleed.bfloat16, gleed.float16, gleed.float64])
@pytest.mark.parametrize("scan", SCANS.values(), ids=SCANS)
def test_scans_have_one_order(scan: Callable, dtype: gleed.dtype) -> None:
    """The same bits along rows and along columns, eagerly and captured; of gradients, too."""
    compiled = gleed.compile(scan, fullgraph=True)
    for shape in ((2, 3, 21), (3, 40, 66), (1, 1, 1030)):
        gleed.manual_seed(3)
        data = gleed.rand(shape, dtype=gleed.float64).add(0.3).to(dtype)
        weight, found = gleed.rand(shape), []
        for order in ((0, 1, 2), (2, 1, 0), (0, 2, 1)):
            back = sorted(range(3), key=order.__getitem__)
            for run, turned in ((scan, False), (compiled, False), (scan, True), (compiled, True)):
                x = data.permute(order).contiguous().detach().requires_grad_()
                y = x if turned else x.permute(back)
                y = run(y, order.index(2) if turned else 2)
                y = y.permute(back) if turned else y
                (y.narrow(2, 0, shape[2]) * weight).sum().backward()
                assert x.grad is not None
                found.append((y.detach(), x.grad.permute(back)))
        for y, gradient in found:
            assert gleed.equal(y, found[0][0]) and gleed.equal(gradient, found[0][1])
