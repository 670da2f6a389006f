"""Control flow as operations: eagerly, captured with the same bits, gradients, errors."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gleed
from gleed import nn
from gleed.autograd import grad, gradcheck, gradgradcheck
from gleed.captured.structure import take_apart
from gleed.errors import ArgumentError, TraceError


@pytest.fixture(autouse=True)
def seeded() -> None:
    gleed.manual_seed(0)


def bits(value: Any) -> list[Any]:
    tensors = take_apart(value)[0]
    return [(t.dtype, tuple(t.shape), t.detach().float().numpy().tobytes()) for t in tensors]


def programs(compiled: Any) -> int:
    return int(compiled.report().partition(": ")[2].partition(" ")[0])


def cotangents(value: Any) -> list[Any]:
    """Random ones for what has a history."""
    gleed.manual_seed(1)
    tensors = [t for t in take_apart(value)[0] if t.requires_grad]
    return [tensors, [gleed.randn(t.shape).to(t.dtype) for t in tensors]]


def gradients(value: Any, inputs: list[Any]) -> list[Any]:
    return list(grad(*cotangents(value)[:1], inputs, cotangents(value)[1], allow_unused=True))


def same_captured(
    function: Callable[..., Any], calls: list[tuple[Any, ...]], parameters: tuple[Any, ...] = ()
) -> Any:
    """Check that a function captured gives the bits that it gives eagerly, in gradients too."""
    compiled = gleed.compile(function, fullgraph=True)
    for arguments in calls:
        gleed.manual_seed(7)
        expected = function(*arguments)
        gleed.manual_seed(7)
        found = compiled(*arguments)
        assert bits(found) == bits(expected)
        inputs = [t for t in (*take_apart(arguments)[0], *parameters) if t.requires_grad]
        if inputs and any(t.requires_grad for t in take_apart(expected)[0]):
            wanted, got = gradients(expected, inputs), gradients(found, inputs)
            for x, y in zip(wanted, got, strict=True):
                assert (x is None) == (y is None)
                assert x is None or bits([y]) == bits([x])
    return compiled


def signs(*shape: int, requires_grad: bool = False) -> list[tuple[Any]]:
    """Arguments for both branches of a `cond` on the sum, in turns."""
    made = [gleed.rand(shape) + 0.1, -gleed.rand(shape) - 0.1]
    return [(x.requires_grad_(requires_grad),) for x in (*made, *made)]


# ---- cond
def test_cond_takes_one_branch() -> None:
    ran = []
    x = gleed.tensor([3.0])
    with gleed.no_grad():
        found = gleed.cond(
            gleed.tensor([True]), lambda x: ran.append(1) or x + 1, lambda x: ran.append(2), [x]
        )
    assert (found.item(), ran) == (4.0, [1])
    assert gleed.cond(False, lambda: gleed.ones(2), lambda: gleed.zeros(2)).tolist() == [0.0, 0.0]


def test_cond_returns_tensors_of_its_own() -> None:
    x = gleed.randn(3, 2)
    kept, turned = gleed.cond(x.sum() < 1e9, lambda x: (x, x.t()), None.__eq__, (x,))
    kept += 1
    assert turned.is_contiguous() and not (kept == x).any()
    assert (turned == x.t()).all()


def structure(x: Any, y: Any) -> Any:
    return gleed.cond(
        x.sum() > 0,
        lambda d: OrderedDict(a=[d["x"] * d["y"], None], b=(d["x"].sum(0),)),
        lambda d: OrderedDict(a=[d["y"] - d["x"], None], b=(d["y"].exp().mean(0),)),
        ({"x": x, "y": y},),
    )


def test_nested_structures() -> None:
    y = gleed.randn(4, 3, requires_grad=True)
    compiled = same_captured(structure, [(x, y) for (x,) in signs(4, 3, requires_grad=True)])
    assert programs(compiled) == 1
    assert isinstance(compiled(gleed.ones(4, 3), y), OrderedDict)


@pytest.mark.parametrize("dtype", [gleed.float32, gleed.float64, gleed.bfloat16, gleed.float16])
def test_cond_captured(dtype: Any) -> None:
    weight = gleed.randn(3, 5).to(dtype).requires_grad_()
    hidden = weight * 2  # with a history of its own, into which a branch must not reach

    def step(x: Any) -> Any:
        return gleed.cond(
            x.sum() > 0,
            lambda x: (x @ weight).softmax(-1) * hidden.sum(),
            lambda x: (x.t().contiguous().t() @ hidden).tanh().exp() - weight.mean(0),
            (x,),
        )

    calls = [(x.detach().to(dtype).requires_grad_(),) for (x,) in signs(4, 3)]
    assert programs(same_captured(step, calls, (weight, hidden))) == 1


def test_backward_inside_of_the_function() -> None:
    def step(x: Any) -> Any:
        y = gleed.cond(
            x.sum() > 0, lambda x: x.sin() * weight, lambda x: (x + weight).sigmoid(), (x,)
        )
        (y * y).sum().backward()
        return y.detach()

    weight = nn.Parameter(gleed.randn(3))
    compiled = gleed.compile(step, fullgraph=True)
    for (x,) in signs(2, 3):
        results = []
        for function in (step, compiled):
            weight.grad = None
            results.append((bits(function(x)), bits(weight.grad)))
        assert results[0] == results[1]
    assert programs(compiled) == 1


def test_gradients_of_any_order() -> None:
    weight = gleed.randn(3, dtype=gleed.float64, requires_grad=True)

    def function(x: Any, weight: Any) -> Any:
        return gleed.cond(
            x.sum() > 0, lambda x: (x * weight).softmax(-1), lambda x: (x - weight).exp() * x, (x,)
        )

    compiled = gleed.compile(function, fullgraph=True)
    for (x,) in signs(2, 3):
        x = x.detach().double().requires_grad_()
        for f in (function, compiled):
            assert gradcheck(f, (x, weight))
            assert gradgradcheck(f, (x, weight))


def test_only_the_branch_that_runs_draws() -> None:
    def draw(x: Any) -> Any:
        y = gleed.cond(
            x.sum() > 0,
            lambda x: gleed.dropout(x, 0.5, True),
            lambda x: x + gleed.rand(2) + gleed.rand(3, 2),
            (x,),
        )
        return y, gleed.rand(2)

    same_captured(draw, signs(3, 2, requires_grad=True))


def test_gradients_of_operands_add_up_inside_of_a_branch_first() -> None:
    def function(x: Any) -> Any:
        inside = gleed.cond(x.sum() > -100, lambda y: y * y * y.exp(), lambda y: y, (x,))
        return inside, x.sigmoid(), x.sin()

    same_captured(function, [(gleed.randn(99, requires_grad=True),)])


def test_cond_in_a_training_step() -> None:
    def train(captured: bool) -> list[Any]:
        gleed.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        optimizer = gleed.optim.Adam(model.parameters(), lr=0.05)

        def step(x: Any, y: Any) -> Any:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss = gleed.cond(loss > 0.5, lambda loss: loss * 2, lambda loss: loss.sqrt(), (loss,))
            loss.backward()
            optimizer.step()
            return loss.detach()

        run = gleed.compile(step, fullgraph=True) if captured else step
        x, y = gleed.randn(16, 4), gleed.randint(0, 2, (16,))
        return [bits(run(x, y)) for _ in range(12)] + bits(list(model.parameters()))

    assert train(True) == train(False)


def test_branches_in_branches_and_loops() -> None:
    def nested(x: Any) -> Any:
        def inner(row: Any) -> Any:
            return gleed.cond(row.max() > 0.5, lambda r: r * 2, lambda r: r.cos(), (row,))

        def outer(x: Any) -> Any:
            return gleed.scan(lambda c, row: (c + inner(row), c.sum()), x[0].clone(), x)

        return gleed.cond(x.sum() > 0, outer, lambda x: (x.sum(0), x.mean(1)), (x,))

    compiled = same_captured(nested, signs(4, 3, requires_grad=True))
    assert programs(compiled) == 1


def test_sizes_become_symbols() -> None:
    def step(x: Any) -> Any:
        return gleed.cond(x.sum() > 0, lambda x: x.softmax(0), lambda x: x - x.mean(0), (x,))

    calls = [call for n in (3, 4, 5, 9) for call in signs(n, 2, requires_grad=True)]
    assert programs(same_captured(step, calls)) == 2


def test_conditions_from_python_choose_when_captured() -> None:
    compiled = gleed.compile(
        lambda x, up: gleed.cond(up, lambda x: x + 1, lambda x: x.item(), (x,)), fullgraph=True
    )
    assert compiled(gleed.tensor(1.0), True).item() == 2.0


def test_numbers_that_branches_use() -> None:
    optimizer = gleed.optim.SGD([nn.Parameter(gleed.ones(1))], lr=0.5)

    def step(x: Any, scale: float) -> Any:
        rate, rows = optimizer.param_groups[0]["lr"], x.shape[0]
        return gleed.cond(
            x.sum() > 0, lambda x: x * rate + rows, lambda x: x * scale - x.shape[0], (x,)
        )

    compiled = gleed.compile(step, fullgraph=True)
    for rate, scale, n in (
        (0.5, 1.0, 3),
        (0.25, 1.0, 3),
        (0.25, 2.0, 3),
        (0.25, 2.0, 4),
        (1.0, 0.5, 5),
    ):
        optimizer.param_groups[0]["lr"] = rate
        for (x,) in signs(n, 2)[:2]:
            assert bits(compiled(x, scale)) == bits(step(x, scale))


def test_modules_and_autocast() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.norm = nn.Linear(3, 3), nn.LayerNorm(3)

        def forward(self, x: Any) -> Any:
            with gleed.autocast("cpu"):
                return gleed.cond(
                    x.mean() > 0,
                    lambda x: self.norm(self.linear(x)).float(),
                    lambda x: self.linear(x).relu().float(),
                    (x,),
                )

    net = Net()
    compiled = gleed.compile(net, fullgraph=True)
    for (x,) in signs(4, 3):
        found, expected = compiled(x), net(x)
        assert bits(found) == bits(expected)
        weight = net.linear.weight
        assert bits(gradients(found, [weight])) == bits(gradients(expected, [weight]))


def test_writes_to_what_a_branch_has_made() -> None:
    def fill(x: Any) -> Any:
        y = x.clone()
        y[0] = 5
        y[:, 1] += 2
        return y.relu_() + gleed.arange(3) + gleed.tensor([1.0, 2.0, 3.0]) + gleed.zeros(4, 3)

    same_captured(
        lambda x: gleed.cond(x.sum() > 0, fill, lambda x: gleed.cat([x[2:], x[:2]]), (x,)),
        signs(4, 3),
    )


def test_a_function_that_depends_on_what_it_is_given() -> None:
    """Gradients of a captured function end at what it reads."""
    w = gleed.tensor([2.0], requires_grad=True)
    y = w * 3
    compiled = gleed.compile(lambda y: (y * w).sum(), fullgraph=True)
    for _ in range(2):
        assert grad(compiled(y), [w], retain_graph=True)[0].tolist() == [12.0]


# ---- scan and map
def cell(weight: Any, bias: Any) -> Callable[..., Any]:
    def step(h: Any, x: Any) -> Any:
        h = gleed.tanh(x @ weight + h @ weight.t() + bias * 0.5)
        return h, {"sum": h.sum(-1), "all": (h * 2, x.exp())}

    return step


def stepwise(combine: Any, carry: Any, xs: Any, reverse: bool = False) -> Any:
    found = []
    for x in reversed(list(xs)) if reverse else xs:
        carry, y = combine(carry, x)
        found.append(take_apart(y)[0])
    found = found[::-1] if reverse else found
    return carry, [gleed.stack(ys) for ys in zip(*found, strict=True)]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_scan_against_its_steps(steps: int, reverse: bool) -> None:
    weight, bias = gleed.randn(3, 3, requires_grad=True), gleed.randn(3, requires_grad=True)
    xs, h = gleed.randn(steps, 2, 3, requires_grad=True), gleed.randn(2, 3, requires_grad=True)
    inputs = [weight, bias, xs, h]
    carry, ys = gleed.scan(cell(weight, bias), h, xs, reverse=reverse)
    last, results = stepwise(cell(weight, bias), h, xs, reverse)
    assert list(ys) == ["sum", "all"]
    pairs = list(zip([carry, *take_apart(ys)[0]], [last, *results], strict=True))
    assert all(gleed.allclose(x, y, rtol=1e-5, atol=1e-6) for x, y in pairs)
    found, wanted = (
        gradients([x for x, _ in pairs], inputs),
        gradients([y for _, y in pairs], inputs),
    )
    for x, y in zip(found, wanted, strict=True):
        assert gleed.allclose(x, y, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dim", [0, 1, 2, -1])
def test_scan_along_an_axis(dim: int) -> None:
    x = gleed.randn(3, 4, 5)
    last, sums = gleed.scan(lambda c, x: (c + x, c + x), x.select(dim, 0) * 0, x, dim=dim)
    assert gleed.allclose(sums, x.cumsum(dim)) and gleed.allclose(last, x.sum(dim))
    _, totals = gleed.scan(lambda c, x: (c, x.sum()), gleed.zeros(1), x, dim=dim)
    assert totals.shape == (x.shape[dim],)  # too few axes to be moved to


def test_scan_with_integers() -> None:
    xs = gleed.tensor([1.0, 2.0, 4.0], requires_grad=True)
    (n, total), found = gleed.scan(
        lambda c, x: ((c[0] + 1, c[1] + x * c[0]), (c[0] * 2, x > 1.5)),
        (gleed.tensor(1), gleed.tensor(0.0)),
        xs,
    )
    assert n.item() == 4 and found[0].tolist() == [2, 4, 6]
    assert found[1].tolist() == [False, True, True]
    assert grad(total, xs)[0].tolist() == [1.0, 2.0, 3.0]


def test_scan_without_steps() -> None:
    last, ys = gleed.scan(lambda c, x: (c + x, x * 2), gleed.ones(2), gleed.zeros(0, 2))
    assert last.tolist() == [1.0, 1.0] and ys.shape == (0, 2)
    assert gleed.scan(lambda c, x: (c, x), gleed.ones(2), [])[1] == []


def test_gradients_of_scan_of_any_order() -> None:
    weight = gleed.randn(3, dtype=gleed.float64, requires_grad=True)

    def function(h: Any, xs: Any, weight: Any) -> Any:
        scale = weight * 2
        return gleed.scan(
            lambda c, x: ((c * weight).sin() + x, (c * x).softmax(-1) * scale), h, xs, reverse=True
        )

    h = gleed.randn(3, dtype=gleed.float64, requires_grad=True)
    xs = gleed.randn(4, 3, dtype=gleed.float64, requires_grad=True)
    assert gradcheck(function, (h, xs, weight))
    assert gradgradcheck(function, (h, xs, weight))


def test_gradients_where_products_meet_constants() -> None:
    a, b = (gleed.randn(3, 3, dtype=gleed.float64, requires_grad=True) for _ in range(2))
    h = gleed.randn(2, 3, dtype=gleed.float64)
    xs = gleed.randn(4, 2, 3, dtype=gleed.float64, requires_grad=True)

    def function(a: Any, b: Any, xs: Any) -> Any:
        return gleed.scan(lambda h, x: (h @ (a @ b) + x * b.sum(0), x @ b.t()), h, xs)

    assert gradcheck(function, (a, b, xs))


def test_scan_captured() -> None:
    model, decay = nn.Linear(3, 3), 0.5

    def run(xs: Any, h: Any) -> Any:
        def step(h: Any, x: Any) -> Any:
            h = model(h).tanh() * decay + x
            return h, gleed.dropout(h, 0.3, True).sum(-1)

        return gleed.scan(step, h, xs)

    calls = [
        (gleed.randn(n, 2, 3, requires_grad=True), gleed.randn(2, 3)) for n in (5, 5, 7, 9, 90)
    ]
    compiled = same_captured(run, calls, tuple(model.parameters()))
    first, second = compiled.report().split("\n")[1:3]
    assert programs(compiled) == 2  # the second is for all lengths
    assert first.split(": ")[1] == second.split(": ")[1]


def test_backward_through_scan_inside_of_the_function() -> None:
    def train(captured: bool) -> list[Any]:
        gleed.manual_seed(0)
        model = nn.Linear(3, 3)
        optimizer = gleed.optim.SGD(model.parameters(), lr=0.1)

        def step(xs: Any) -> Any:
            optimizer.zero_grad()
            h, ys = gleed.scan(lambda h, x: ((model(h) + x).tanh(), h.sum()), xs[0] * 0, xs)
            loss = (h * h).mean() + ys.mean()
            loss.backward()
            optimizer.step()
            return loss.detach()

        run = gleed.compile(step, fullgraph=True) if captured else step
        return [bits(run(gleed.randn(n, 2, 3))) for n in (4, 4, 6, 8)] + bits([*model.parameters()])

    assert train(True) == train(False)


def test_map() -> None:
    y = gleed.randn(3, requires_grad=True)
    xs = [gleed.randn(4, 3, requires_grad=True), gleed.randn(4, 3)]

    def function(xs: Any) -> Any:
        return gleed.map(lambda row, y: (row[0] * y, row[1].sum()), xs, y)

    product, sums = function(xs)
    assert (product == xs[0] * y).all() and gleed.allclose(sums, xs[1].sum(1))
    same_captured(function, [(xs,), ([x.detach()[:2].requires_grad_() for x in xs],)], (y,))


def test_other_numbers_and_lengths_compile_nothing() -> None:
    def run(scale: float, n: int) -> float:
        xs = gleed.ones(n, 3)
        return gleed.scan(lambda c, x: (c + x * scale, c), gleed.zeros(3), xs)[0][0].item()

    run(2.0, 4), run(2.0, 5)
    before = gleed._C.engine_stats()["misses"]
    assert [run(0.5, 4), run(0.25, 8)] == [2.0, 2.0]
    assert gleed._C.engine_stats()["misses"] == before


def test_a_body_that_needs_python_runs_in_python() -> None:
    seen = []

    def step(c: Any, x: Any) -> Any:
        seen.append(x.item())
        return c + x, c * x

    xs = gleed.tensor([1.0, 2.0, 3.0], requires_grad=True)
    last, ys = gleed.scan(step, gleed.tensor(1.0), xs, reverse=True)
    assert seen == [3.0, 2.0, 1.0]
    assert (last.item(), ys.tolist()) == (7.0, [6.0, 8.0, 3.0])
    assert grad(ys.sum(), xs)[0].tolist() == [6.0, 5.0, 4.0]
    with pytest.raises(ArgumentError, match="must run in Python needs a step; got none"):
        gleed.scan(step, gleed.tensor(1.0), gleed.zeros(0))


def test_custom_functions_in_a_body() -> None:
    class Double(gleed.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 10

    xs = gleed.ones(3, requires_grad=True)
    last, _ = gleed.scan(lambda c, x: (c + Double.apply(x), c), gleed.tensor(0.0), xs)
    assert last.item() == 6.0 and grad(last, xs)[0].tolist() == [10.0] * 3


# ---- while_loop
def newton(x: Any) -> Any:
    def better(n: Any, y: Any) -> Any:
        return n + 1, (y + x / y) * 0.5

    return gleed.while_loop(
        lambda n, y: ((y * y - x).abs().max() > 1e-3) & (n < 50), better, (gleed.tensor(0), x)
    )


def test_while_loop() -> None:
    x = gleed.tensor([4.0, 9.0], requires_grad=True)
    n, root = newton(x)
    assert n.item() > 2 and gleed.allclose(root, gleed.tensor([2.0, 3.0]), atol=1e-3)
    assert gleed.allclose(grad(root.sum(), x)[0], 0.5 / x.sqrt(), atol=1e-3)
    (same,) = gleed.while_loop(lambda x: False, lambda x: x + 1, (x,))
    assert same is not x and (same == x).all()


def test_while_loop_captured() -> None:
    calls = [(gleed.rand(n) * scale + 0.5,) for n in (3, 3, 4, 5) for scale in (1.0, 1e4)]
    assert programs(same_captured(newton, calls)) == 2


def test_states_that_change_places() -> None:
    def fibonacci(limit: Any) -> Any:
        return gleed.while_loop(
            lambda a, b, c: a < limit,
            lambda a, b, c: [b, a + b, gleed.stack([c[1], a])],
            (gleed.tensor(0), gleed.tensor(1), gleed.tensor([0, 0])),
        )

    compiled = same_captured(fibonacci, [(gleed.tensor(n),) for n in (0, 1, 100, 10**9)])
    a, b, c = compiled(gleed.tensor(100))
    assert (a.item(), b.item(), c.tolist()) == (144, 233, [55, 89])


def test_loops_in_loops_with_draws_and_products() -> None:
    weight = gleed.randn(3, 3) * 0.3

    def run(x: Any) -> Any:
        def inner(x: Any) -> Any:
            return gleed.while_loop(lambda x: x.norm() > 1, lambda x: (x @ weight,), (x,))[0]

        def outer(n: Any, x: Any) -> Any:
            x = gleed.cond(x.sum() > 0, inner, lambda x: x + gleed.rand(2, 3), (x,))
            return n + 1, {"x": x * 3}["x"]

        return gleed.while_loop(lambda n, x: n < 5, outer, (gleed.tensor(0), x))

    same_captured(run, [(gleed.randn(2, 3),) for _ in range(4)])


def test_a_captured_while_loop_that_decides_by_draws_has_no_gradient() -> None:
    x = gleed.ones(2, requires_grad=True)

    def noisy(x: Any) -> Any:
        return gleed.while_loop(lambda x: x.sum() * gleed.rand(()) < 9, lambda x: x * 2, (x,))

    message = (
        "compile: a captured while_loop whose cond_fn draws random numbers has no gradient, which "
        "would run its turns again; it came in .*noisy at .*; let body_fn draw, and hand on what "
        "it has drawn$"
    )
    with pytest.raises(TraceError, match=message):
        gleed.compile(noisy, fullgraph=True)(x)
    with gleed.no_grad():
        same_captured(noisy, [(x,)])
    with pytest.warns(UserWarning, match="captured while_loop whose cond_fn draws random numbers"):
        (y,) = gleed.compile(noisy)(x)
    assert grad(y.sum(), x)[0].tolist() == [y[0].item()] * 2


def test_results_agree_with_numpy() -> None:
    xs = np.random.default_rng(0).normal(size=(6, 4)).astype("f")
    _, found = gleed.scan(
        lambda c, x: (gleed.maximum(c, x),) * 2, gleed.from_numpy(xs[0]), gleed.from_numpy(xs)
    )
    np.testing.assert_array_equal(found.numpy(), np.maximum.accumulate(xs))
