"""Gradients of captured `while_loop`s, and gradients of zeros: the same bits as eagerly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import gleed
from gleed import nn
from gleed.autograd import grad, gradcheck, gradgradcheck


@pytest.fixture(autouse=True)
def seeded() -> None:
    gleed.manual_seed(0)


def bits(tensors: Any) -> list[Any]:
    return [None if t is None else t.detach().double().numpy().tobytes() for t in tensors]


def turns(count: Any, turn: Callable[..., Any], *states: Any) -> Any:
    """`turn` run `count` times."""
    return gleed.while_loop(
        lambda n, *_: n < count, lambda n, *now: (n + 1, *turn(*now)), (gleed.tensor(0), *states)
    )[1:]


def require_same(
    function: Callable[..., Any], inputs: list[Any], *others: Any, exact: bool = True
) -> Any:
    """Check that results and gradients have the bits that they have eagerly; gradients that add up
    in another order need not (exact)."""
    compiled = gleed.compile(function, fullgraph=True)
    expected, found = function(*others), compiled(*others)
    assert bits(found) == bits(expected)
    real = [i for i, y in enumerate(expected) if y.requires_grad]
    assert real == [i for i, y in enumerate(found) if y.requires_grad]
    cotangents = [gleed.randn(expected[i].shape).to(expected[i].dtype) for i in real]
    wanted, got = (
        grad([ys[i] for i in real], inputs, cotangents, allow_unused=True)
        for ys in (expected, found)
    )
    if exact:
        assert bits(got) == bits(wanted)
    for a, b in zip(got, wanted, strict=True):
        assert gleed.allclose(a, b, rtol=1e-5, atol=1e-6)
    return compiled


@pytest.mark.parametrize("dtype", [gleed.float32, gleed.float64, gleed.bfloat16, gleed.float16])
@pytest.mark.parametrize("count", [0, 1, 2, 31, 32, 33, 200])
def test_gradients_of_loops(count: int, dtype: Any) -> None:
    weight = (gleed.randn(3, 3) * 0.4).to(dtype).requires_grad_()
    bias = gleed.randn(3).to(dtype).requires_grad_()
    x = gleed.randn(2, 3).to(dtype).requires_grad_()

    def run(count: Any) -> Any:
        return turns(count, lambda y: [(y @ weight + bias).tanh() * 1.25], x)

    require_same(run, [x, weight, bias], gleed.tensor(count))


@pytest.mark.parametrize("count", [1023, 1024, 1025, 2100])
def test_gradients_of_long_loops(count: int) -> None:
    factor = gleed.tensor([0.999, 1.001], requires_grad=True)
    x = gleed.randn(2).requires_grad_()

    def run(count: Any) -> Any:
        return turns(count, lambda y: [(y * factor).sin() * 1.1], x)

    require_same(run, [x, factor], gleed.tensor(count))


def test_states_that_begin_without_a_gradient_and_whole_numbers() -> None:
    x = gleed.randn(4, 3, requires_grad=True)

    def run(count: Any) -> Any:
        start = {"i": gleed.tensor([0, 1]), "sum": gleed.zeros(3)}

        def turn(state: Any, last: Any) -> Any:
            row = x[state["i"]].sum(0)
            return {"i": (state["i"] + 1) % 4, "sum": state["sum"] * 0.5 + row}, last + row.mean()

        states, last = turns(count, turn, start, gleed.tensor(1.0))
        return states["sum"], states["i"], last

    compiled = require_same(run, [x], gleed.tensor(7))
    assert compiled(gleed.tensor(0))[1].tolist() == [0, 1]


def test_loops_with_branches_and_loops_in_them() -> None:
    weight = gleed.randn(3, requires_grad=True)
    x = gleed.randn(2, 3, requires_grad=True)

    def run(count: Any) -> Any:
        def turn(y: Any) -> Any:
            (y,) = turns(gleed.tensor(3), lambda z: [(z + weight).sin()], y)
            return [gleed.cond(y.sum() > 0, lambda y: y * weight, lambda y: y - x, (y,))]

        return turns(count, turn, x)

    require_same(run, [x, weight], gleed.tensor(6), exact=False)


def test_a_loop_in_a_scan() -> None:
    weight = gleed.randn(3, requires_grad=True)
    xs = gleed.randn(4, 3, requires_grad=True)

    def run(count: Any) -> Any:
        def step(carry: Any, x: Any) -> Any:
            (y,) = turns(count, lambda y: [(y * weight).cos()], carry + x)
            return y, y.sum()

        return gleed.scan(step, gleed.zeros(3), xs)

    require_same(run, [xs, weight], gleed.tensor(5))


@pytest.mark.parametrize("count", [0, 1, 3, 7])
def test_what_is_handed_over_adds_up_in_one_order(count: int) -> None:
    weight = (gleed.randn(8, 8) * 0.3).requires_grad_()
    x = gleed.randn(4, 8)

    def twice(y: Any, w: Any) -> Any:
        return (y @ w).tanh() @ w

    require_same(
        lambda n: [turns(n, lambda y, w: [twice(y, w), w], x, weight)[0] @ weight @ weight],
        [weight],
        gleed.tensor(count),
    )
    require_same(
        lambda n: [gleed.cond(n > 1, twice, lambda y, w: y @ w, (x, weight)) @ weight @ weight],
        [weight],
        gleed.tensor(count),
    )
    require_same(
        lambda: [gleed.map(lambda y: twice(y, weight), x) @ weight @ weight],
        [weight],
    )


# ---- draws
def drawing_turns(weight: Any, generator: Any) -> dict[str, Callable[..., Any]]:
    """Turns that draw random numbers, by what is remarkable in them."""

    def branch(y: Any) -> Any:
        return gleed.cond(
            y.sum() > 0, lambda y: dropout(y @ weight), lambda y: y @ weight * gleed.rand(3), (y,)
        )

    def step(carry: Any, row: Any) -> Any:
        return carry + gleed.randn(3) * row, carry * gleed.rand(3)

    def noise(y: Any) -> Any:
        own = gleed.randn(2, 3, generator=generator)
        gleed.randint(9, (5,), generator=gleed.random.default_generator)  # which nobody uses
        return own + gleed.rand(2, 3) * gleed.randn(2, 3, generator=gleed.random.default_generator)

    return {
        "dropout": lambda y: [dropout((y @ weight).tanh())],
        "layout": lambda y: [dropout((y @ weight).t()).t()],
        "generators": lambda y: [(y @ weight + noise(y)).tanh()],
        "branch": lambda y: [branch(y)],
        "loop": lambda y: turns(gleed.tensor(3), lambda z: [dropout(z * 1.5)], y @ weight),
        "scan": lambda y: [gleed.scan(step, gleed.zeros(3), y @ weight)[0] + y],
        "reverse": lambda y: [gleed.scan(step, gleed.zeros(3), y @ weight, reverse=True)[1]],
        "map": lambda y: [gleed.map(lambda row: dropout(row @ weight), y)],
        "places": lambda y: [(y @ weight)[:, gleed.randperm(3)]],
        "choices": lambda y: [y @ weight + gleed.multinomial(gleed.ones(2, 3), 3, True) / 9],
        "events": lambda y: [y @ weight * gleed.bernoulli(gleed.full((2, 3), 0.4))],
        "slopes": lambda y: [gleed.nn.functional.rrelu(y @ weight, training=True)],
    }


def dropout(x: Any) -> Any:
    return gleed.nn.functional.dropout(x, 0.3)


@pytest.mark.parametrize("name", list(drawing_turns(None, None)))
def test_turns_that_draw(name: str) -> None:
    generator = gleed.Generator()
    weight = (gleed.randn(3, 3) * 0.7).requires_grad_()
    x = gleed.randn(2, 3, requires_grad=True)
    turn, cotangent = drawing_turns(weight, generator)[name], gleed.randn(2, 3)

    def run(count: Any) -> Any:
        return gleed.rand(2), turns(count, turn, x)[0], gleed.rand(2)

    def found(run: Callable[..., Any], count: int) -> list[Any]:
        gleed.manual_seed(5)
        generator.manual_seed(7)
        before, y, after = run(gleed.tensor(count))
        state = gleed.get_rng_state(), generator.get_state()
        gradients = grad(y, [x, weight], cotangent)
        assert (gleed.get_rng_state() == state[0]).all()
        assert (generator.get_state() == state[1]).all()
        return bits([before, y, after, *state, *gradients])

    compiled = gleed.compile(run, fullgraph=True)
    for count in (3, 0, 1, 33, 3):
        assert found(compiled, count) == found(run, count)
    assert ": 1 program\n" in compiled.report()


@pytest.mark.parametrize("dtype", [gleed.bfloat16, gleed.float16])
@pytest.mark.parametrize("layout", [gleed.contiguous_format, gleed.channels_last])
def test_turns_that_draw_round_as_eagerly(dtype: Any, layout: Any) -> None:
    weight = gleed.randn(1, 4, 1, 1).to(dtype).requires_grad_()
    x = gleed.randn(2, 4, 3, 5).to(dtype).to(memory_format=layout).requires_grad_()

    def turn(y: Any) -> Any:
        y = dropout(gleed.nn.functional.dropout2d(y * weight, 0.2))
        return [gleed.cond(y.sum() > 0, lambda y: dropout(y).sin(), lambda y: y * weight, (y,))]

    def run(count: Any) -> Any:
        return turns(count, turn, x)[0]

    compiled = gleed.compile(run, fullgraph=True)
    for count in (1, 2, 3, 35):
        results = []
        for function in (run, compiled):
            gleed.manual_seed(3)
            y = function(gleed.tensor(count))
            results.append(bits([y, *grad(y.float().square().sum(), [x, weight])]))
        assert results[0] == results[1]


def test_steps_of_training_with_turns_that_draw() -> None:
    found = []
    for captured in (False, True):
        gleed.manual_seed(0)
        net = nn.Sequential(nn.Linear(5, 5), nn.Tanh(), nn.Dropout(0.3), nn.AlphaDropout(0.2))
        optimizer = gleed.optim.AdamW(net.parameters(), lr=0.01)

        def step(x: Any, n: Any, net: Any = net, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            (y,) = turns(n, lambda y: [net(y) + 0.1 * gleed.randn_like(y)], dropout(x))
            loss = dropout(y).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        run = gleed.compile(step, fullgraph=True) if captured else step
        sizes = ((4, 3), (4, 3), (4, 0), (7, 40))
        losses = [run(gleed.randn(rows, 5), gleed.tensor(n)) for rows, n in sizes]
        found.append(bits([*losses, *net.parameters(), gleed.rand(3)]))
    assert found[0] == found[1]


def test_long_loops_that_draw() -> None:
    factor, x = gleed.tensor([0.999, 1.001], requires_grad=True), gleed.ones(2, requires_grad=True)

    def run(count: Any) -> Any:
        gleed.manual_seed(1)
        return turns(count, lambda y: [(y * factor).sin() + gleed.rand(2)], x)

    @gleed.compile(fullgraph=True)
    def captured(count: Any) -> Any:
        return turns(count, lambda y: [(y * factor).sin() + gleed.rand(2)], x)

    for count in (1025, 2100):
        (expected,) = run(gleed.tensor(count))
        gleed.manual_seed(1)
        (y,) = captured(gleed.tensor(count))
        pairs = [[z, *grad(z.sum(), [x, factor])] for z in (y, expected)]
        assert bits(pairs[0]) == bits(pairs[1])


def test_second_gradients_of_turns_that_draw() -> None:
    weight = (gleed.randn(2, 2, dtype=gleed.float64) * 0.5).requires_grad_()
    x = gleed.randn(2, dtype=gleed.float64, requires_grad=True)

    compiled = gleed.compile(
        lambda x, w: turns(gleed.tensor(2), lambda y: [(dropout(y) @ w).tanh()], x)[0],
        fullgraph=True,
    )

    def run(x: Any, w: Any) -> Any:
        gleed.manual_seed(3)
        return compiled(x, w)

    assert gradcheck(run, (x, weight))
    assert gradgradcheck(run, (x, weight))


def test_turns_that_draw_have_no_gradient_for_a_batch() -> None:
    def total(x: Any) -> Any:
        return turns(gleed.tensor(2), lambda y: [dropout(y)], x)[0].sum()

    mapped = gleed.func.vmap(gleed.func.grad(total), randomness="different")
    message = "random_state: a while_loop that draws has no gradient for a batch"
    with pytest.raises(gleed.errors.TraceError, match=message):
        gleed.compile(mapped, fullgraph=True)(gleed.ones(3, 2))


def test_second_gradients() -> None:
    count = gleed.tensor(3)
    weight = (gleed.randn(2, 2, dtype=gleed.float64) * 0.5).requires_grad_()
    x = gleed.randn(2, dtype=gleed.float64, requires_grad=True)
    compiled = gleed.compile(lambda x, w: turns(count, lambda y: [(y @ w).tanh()], x)[0])
    assert gradcheck(compiled, (x, weight))
    assert gradgradcheck(compiled, (x, weight))


# ---- gradients of gradients
def squares(y: Any) -> Any:
    return gleed.while_loop(lambda y: y.sum() > 0.6, lambda y: (y * y,), (y,))[0]


def counted(y: Any) -> Any:
    return turns(gleed.tensor(2), lambda y: [y * y], y)[0]


def beside_numbers(y: Any) -> Any:
    start = gleed.tensor(0), y, gleed.tensor([5, 6])
    turn = lambda i, y, n: (i + 1, y * y, n.flip(0) - i)  # noqa: E731
    return gleed.while_loop(lambda i, y, n: i < 2, turn, start)[1]


# x to the fourth, in loops with a single float state.
FOURTH = {
    "until": squares,
    "counted": counted,
    "numbers": beside_numbers,
    "cond": lambda x: gleed.cond(x.sum() > 0, squares, lambda x: x * 1.0, (x,)),
    "map": lambda x: gleed.map(counted, x[:, None])[:, 0],
    "scan": lambda x: gleed.scan(
        lambda c, r: (turns(gleed.tensor(1), lambda y: [y * y], c)[0], ()), x, gleed.zeros(2, 1)
    )[0],
    "branch": lambda x: turns(
        gleed.tensor(2), lambda y: [gleed.cond(y.sum() > 0, lambda y: y * y, lambda y: y, (y,))], x
    )[0],
    "loop": lambda x: turns(
        gleed.tensor(2), lambda y: turns(gleed.tensor(1), lambda z: [z * z], y), x
    )[0],
}


@pytest.mark.parametrize("name", list(FOURTH))
def test_gradients_of_gradients_with_one_state(name: str) -> None:
    x = gleed.tensor([0.5, 0.6, 0.7], dtype=gleed.float64, requires_grad=True)
    for run in (FOURTH[name], gleed.compile(FOURTH[name], fullgraph=True)):
        first = grad(run(x).sum(), x, create_graph=True)[0]
        second = grad(first.sum(), x)[0]
        assert gleed.allclose(first, 4 * x**3, rtol=1e-12)
        assert gleed.allclose(second, 12 * x**2, rtol=1e-12)


@pytest.mark.parametrize("count", [0, 1, 40, 1100])
def test_second_gradients_of_long_loops_with_one_state(count: int) -> None:
    x = gleed.tensor([0.5, 2.0], dtype=gleed.float64, requires_grad=True)
    v = gleed.tensor([0.7, -1.5], dtype=gleed.float64, requires_grad=True)
    run = gleed.compile(lambda n: turns(n, lambda y: [y / (1 + y * 0.01)], x)[0], fullgraph=True)
    # After n turns this is x / (1 + n x / 100).
    below = 1 + count * x / 100
    (first,) = grad(run(gleed.tensor(count)), x, v, create_graph=True)
    second, of_v = grad(first.sum(), [x, v])
    assert gleed.allclose(first, v / below**2, rtol=1e-11)
    assert gleed.allclose(second, -2 * v * count / 100 / below**3, rtol=1e-11)
    assert gleed.allclose(of_v, 1 / below**2, rtol=1e-11)


def test_each_example_of_a_batch_has_turns_of_its_own() -> None:
    weight = gleed.randn(3, 3, dtype=gleed.float64) * 0.4
    xs, counts = gleed.randn(5, 3, dtype=gleed.float64), gleed.tensor([0, 1, 3, 2, 40])

    def total(x: Any, w: Any, count: Any) -> Any:
        return turns(count, lambda y: [(y @ w).tanh()], x)[0].sum()

    slopes = gleed.func.grad(total, argnums=(0, 1))
    one = gleed.compile(gleed.func.vmap(slopes, in_dims=(0, None, 0)), fullgraph=True)
    mapped = gleed.func.vmap(total, in_dims=(0, None, 0))
    other = gleed.compile(
        lambda x, w, n: gleed.func.grad(lambda x, w: mapped(x, w, n).sum(), argnums=(0, 1))(x, w),
        fullgraph=True,
    )
    expected = [slopes(x, weight, n) for x, n in zip(xs, counts, strict=True)]
    of_x, of_w = one(xs, weight, counts)
    assert gleed.allclose(of_x, gleed.stack([a for a, _ in expected]), rtol=1e-12)
    assert gleed.allclose(of_w, gleed.stack([b for _, b in expected]), rtol=1e-12, atol=1e-14)
    together = other(xs, weight, counts)
    assert gleed.allclose(together[0], of_x, rtol=1e-12)
    assert gleed.allclose(together[1], of_w.sum(0), rtol=1e-12, atol=1e-14)


# ---- zeros
def test_what_the_other_branch_uses_has_gradients_of_zeros() -> None:
    a, b = gleed.randn(3, requires_grad=True), gleed.randn(3, requires_grad=True)
    x = gleed.randn(3, requires_grad=True)

    def run(sign: Any) -> Any:
        y = x.abs() * sign
        return gleed.cond(sign > 0, lambda: (y * a, a.exp().detach()), lambda: (y, b * 2))

    for sign in (gleed.tensor(1.0), gleed.tensor(-1.0)):
        require_same(run, [x, a, b], sign)
        found = grad(run(sign)[0].sum(), [a, b])
        assert bits([found[sign > 0]]) == bits([gleed.zeros(3)])


def test_a_result_without_history_has_one_by_the_other_branch() -> None:
    a = gleed.randn(3, requires_grad=True)
    y = gleed.cond(gleed.tensor(True), lambda: gleed.ones(2), lambda: a[:2] * 2)
    assert y.requires_grad and bits(grad(y.sum(), a)) == bits([gleed.zeros(3)])
    with gleed.no_grad():
        y = gleed.cond(gleed.tensor(True), lambda: gleed.ones(2), lambda: a[:2] * 2)
    assert not y.requires_grad


def test_looking_at_the_other_branch_changes_nothing() -> None:
    a, kept = gleed.randn(3, requires_grad=True), gleed.zeros(2)
    state = gleed.get_rng_state()

    def other() -> Any:
        kept.add_(1)
        return a[:2] + gleed.rand(2)

    y = gleed.cond(gleed.tensor(True), lambda: gleed.ones(2), other)
    assert kept.tolist() == [0.0, 0.0] and (gleed.get_rng_state() == state).all()
    assert bits(grad(y.sum(), a)) == bits([gleed.zeros(3)])
    for fails in (lambda: a[5], lambda: a * a.sum().item(), lambda: a.backward()):
        y = gleed.cond(gleed.tensor(True), lambda: gleed.ones(2), fails)
        assert not y.requires_grad


def test_a_loop_without_turns_has_gradients_of_zeros() -> None:
    a, x = gleed.randn(3, requires_grad=True), gleed.randn(3, requires_grad=True)
    run = lambda count: turns(count, lambda y: [y * a], x)  # noqa: E731
    require_same(run, [a, x], gleed.tensor(0))
    assert bits(grad(run(gleed.tensor(0))[0].sum(), [a, x])) == bits(
        [gleed.zeros(3), gleed.ones(3)]
    )


def test_a_start_that_no_turn_uses_has_gradients_of_zeros() -> None:
    a, x = gleed.randn(3, requires_grad=True), gleed.randn(3, requires_grad=True)
    for count in (0, 1, 3):
        require_same(
            lambda count: turns(count, lambda y, z: [a * 2, z + 1], x, x * 1.0),
            [a, x],
            gleed.tensor(count),
        )


def test_starts_that_later_turns_drop_have_gradients_of_zeros() -> None:
    x, y = gleed.randn(3, requires_grad=True), gleed.randn(3, requires_grad=True)
    for count in range(4):
        require_same(
            lambda count: turns(count, lambda a, b: [b, a.detach() * 2], x, y),
            [x, y],
            gleed.tensor(count),
        )


def test_results_that_nothing_follows_from_count_as_well() -> None:
    x, y = gleed.randn(3, requires_grad=True), gleed.randn(3, requires_grad=True)
    both = lambda a, b: (a * 2, b.exp())  # noqa: E731
    for run in (
        lambda n: turns(n, both, x, y)[:1],
        lambda n: gleed.cond(n > 1, both, both, (x, y))[:1],
    ):
        for count in (0, 2):
            require_same(run, [x, y], gleed.tensor(count))
            found = grad(run(gleed.tensor(count))[0].sum(), [x, y])
            assert bits(found[1:]) == bits([gleed.zeros(3)])


@pytest.mark.parametrize(
    "make",
    [
        lambda p: gleed.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
        lambda p: gleed.optim.AdamW(p, lr=0.01),
    ],
)
def test_steps_of_training_are_the_same(make: Any) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = nn.Linear(3, 2), nn.Linear(3, 2)

        def forward(self, x: Any) -> Any:
            return gleed.cond(x.sum() > 0, self.one, self.other, (x,))

    data = [gleed.randn(4, 3) * (1 if i % 3 else -1) + (0.5 if i % 3 else -0.5) for i in range(8)]
    found = []
    for captured in (False, True):
        gleed.manual_seed(3)
        net = Net()
        optimizer = make(net.parameters())

        def step(x: Any, net: Any = net, optimizer: Any = optimizer) -> None:
            optimizer.zero_grad()
            net(x).square().mean().backward()
            optimizer.step()

        run = gleed.compile(step, fullgraph=True) if captured else step
        for x in data:
            run(x)
        found.append(bits(net.parameters()))
    assert found[0] == found[1]
