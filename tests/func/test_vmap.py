"""`vmap`: axes, structures, randomness, nesting, gradients, writes, and what it refuses."""

from __future__ import annotations

import re
from typing import Any

import pytest

import gleed
from gleed import nn
from gleed.errors import ArgumentError, GradientError, RangeError, ShapeError, TraceError
from gleed.func import grad, vmap


def each(function: Any, *tensors: Any) -> Any:
    """What a function gives for each example along the first axis."""
    return gleed.stack([function(*one) for one in zip(*tensors, strict=True)])


def close(found: Any, expected: Any) -> bool:
    return found.shape == expected.shape and bool(gleed.allclose(found, expected, atol=1e-6))


# ---- axes
@pytest.mark.parametrize("in_dim", [0, 1, 2, -1, -2, -3])
@pytest.mark.parametrize("out_dim", [0, 1, -1, -2])
def test_axes(in_dim: int, out_dim: int) -> None:
    x = gleed.randn(3, 4, 5)
    found = vmap(lambda x: x.sum(0).sin(), in_dims=in_dim, out_dims=out_dim)(x)
    assert close(found, each(lambda x: x.sum(0).sin(), x.movedim(in_dim, 0)).movedim(0, out_dim))


def test_arguments_that_are_the_same_for_all() -> None:
    x, w = gleed.randn(4, 3), gleed.randn(3, 2)
    f = vmap(lambda x, w, scale: x @ w * scale, in_dims=(0, None, None))
    assert close(f(x, w, 2.0), x @ w * 2)
    assert close(vmap(lambda x, *, w: x @ w)(x, w=w), x @ w)
    assert close(vmap(lambda w: x[0] @ w, in_dims=1)(w), x[0] @ w)


def test_structures() -> None:
    tree = {"a": (gleed.randn(4, 3), gleed.randn(3, 4)), "b": [gleed.randn(2)]}

    def f(tree: Any, y: Any) -> Any:
        first, second = tree["a"]
        return {"sum": first + second, "both": [tree["b"][0] * y, y]}

    y = gleed.randn(4)
    dims = ({"a": (0, 1), "b": [None]}, 0)
    found = vmap(f, in_dims=dims, out_dims={"sum": 1, "both": 0})(tree, y)
    first, second = tree["a"]
    assert close(found["sum"], (first + second.T).T)
    assert close(found["both"][0], y[:, None] * tree["b"][0])
    assert gleed.equal(found["both"][1], y)


def test_results_that_are_the_same_for_all() -> None:
    x, c = gleed.randn(4, 3), gleed.randn(2)
    found = vmap(lambda x: (c * 2, 7, x), out_dims=(None, None, 0))(x)
    assert gleed.equal(found[0], c * 2)
    assert found[1] == 7
    assert gleed.equal(found[2], x)
    assert vmap(lambda x: c)(x).shape == (4, 2)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_batch_sizes(count: int) -> None:
    f = vmap(lambda x: (x * x).sum())
    for n in (count, count, 3, count):
        x = gleed.randn(n, 5)
        assert close(f(x), (x * x).sum(1))


def test_no_examples() -> None:
    w = gleed.ones(3, requires_grad=True)
    for f in (
        lambda x: (x * w).sin().sum(),
        lambda x: x @ gleed.ones(3, 2),
        lambda x: gleed.ones(2),
        lambda x: x.softmax(0).cumsum(0),
        grad(lambda x: (x * w).sin().sum()),
    ):
        for n in (0, 0, 2, 0):
            x = gleed.ones(n, 3)
            assert vmap(f)(x).shape == (n, *f(gleed.ones(3)).shape)
    (g,) = gleed.autograd.grad(vmap(lambda x: (x * w).sin())(gleed.ones(0, 3)).sum(), w)
    assert gleed.equal(g, gleed.zeros(3))
    assert vmap(lambda x: x * 2, chunk_size=2)(gleed.ones(0, 3)).shape == (0, 3)


@pytest.mark.parametrize("chunk_size", [1, 2, 3, 4, 100])
def test_chunks(chunk_size: int) -> None:
    x = gleed.randn(3, 7)
    f = vmap(lambda x: (x * 2, x.sum()), in_dims=1, out_dims=(1, 0), chunk_size=chunk_size)
    for _ in range(2):
        double, total = f(x)
        assert gleed.equal(double, x * 2)
        assert close(total, x.sum(0))


# ---- programs
def test_kept_programs_see_what_changes() -> None:
    """A later call is right for other values, sizes and Python variables."""
    scale = 2.0
    w = gleed.randn(3)
    f = vmap(lambda x: (x * w).sum() * scale)
    for n in (4, 4, 5, 6):
        x = gleed.randn(n, 3)
        assert close(f(x), (x * w).sum(1) * scale)
    scale = 3.0
    assert close(f(x), (x * w).sum(1) * 3)
    w = gleed.randn(3)
    assert close(f(x), (x * w).sum(1) * 3)


def test_second_call_runs_no_python() -> None:
    calls = []

    def f(x: Any) -> Any:
        calls.append(0)
        return x.sin()

    g = vmap(lambda x: x.sin() + 1)
    x = gleed.randn(4, 3)
    g(x)
    g(x)
    before = gleed._C.engine_stats()
    g(x)
    after = gleed._C.engine_stats()
    assert (after["misses"] - before["misses"], after["launches"] - before["launches"]) == (0, 1)
    mapped = vmap(f)  # which changes Python's state, and so is run every time
    for _ in range(6):
        assert close(mapped(x), x.sin())
    assert len(calls) == 6


def test_nested() -> None:
    x, y = gleed.randn(3, 4), gleed.randn(5, 4)
    pairs = vmap(vmap(gleed.dot, in_dims=(None, 0)), in_dims=(0, None))
    for _ in range(2):
        assert close(pairs(x, y), x @ y.T)
    thrice = vmap(vmap(vmap(lambda x: x.exp().sum(), in_dims=1), in_dims=-1), in_dims=1)
    z = gleed.randn(2, 3, 4, 5)
    assert close(thrice(z), z.exp().sum(0).permute(0, 2, 1))


def test_in_compile() -> None:
    w = gleed.randn(3, 3, requires_grad=True)

    def f(x: Any) -> Any:
        return vmap(lambda row: (row @ w).tanh())(x).sum()

    compiled = gleed.compile(f, fullgraph=True)
    for n in (4, 4, 6, 8):
        x = gleed.randn(n, 3)
        (expected,) = gleed.autograd.grad((x @ w).tanh().sum(), w)
        (found,) = gleed.autograd.grad(compiled(x), w)
        assert close(found, expected)


def test_compiled_inside() -> None:
    f = gleed.compile(lambda x: x.tanh() * 2)
    x = gleed.randn(4, 3)
    assert close(vmap(f)(x), x.tanh() * 2)


def test_loops() -> None:
    """A recurrent network runs as a loop, whose turns are for all examples."""
    gleed.manual_seed(0)
    lstm = nn.LSTM(3, 4)
    x = gleed.randn(5, 6, 3)
    found = vmap(lambda x: lstm(x)[0])(x)
    assert gleed.allclose(found, each(lambda x: lstm(x)[0], x), atol=1e-5)
    total = (found * found).sum()
    expected = (each(lambda x: lstm(x)[0], x) ** 2).sum()
    parameters = list(lstm.parameters())
    for a, b in zip(
        gleed.autograd.grad(total, parameters),
        gleed.autograd.grad(expected, parameters),
        strict=True,
    ):
        assert gleed.allclose(a, b, atol=1e-4)


# ---- gradients
def test_gradient_through_what_is_closed_over() -> None:
    w = gleed.randn(3, 2, requires_grad=True)
    x = gleed.randn(4, 3, requires_grad=True)
    f = vmap(lambda x: (x @ w).sin().sum())
    for _ in range(2):
        found = gleed.autograd.grad(f(x).sum(), (x, w))
        expected = gleed.autograd.grad((x @ w).sin().sum(), (x, w))
        assert all(map(close, found, expected))


def test_second_gradient_of_a_batch() -> None:
    x = gleed.randn(4, 3, dtype=gleed.float64, requires_grad=True)
    w = gleed.randn(3, dtype=gleed.float64, requires_grad=True)
    f = vmap(lambda x, w: (x * w).sin().sum() * x.exp(), in_dims=(0, None))
    assert gleed.autograd.gradcheck(f, (x, w))
    assert gleed.autograd.gradgradcheck(f, (x, w))


def test_gradients_inside_and_outside() -> None:
    w = gleed.tensor(2.0, requires_grad=True)
    x = gleed.tensor([1.0, 2.0, 3.0], requires_grad=True)
    f = vmap(grad(lambda x: (x * w) ** 3))
    for _ in range(2):
        by_w, by_x = gleed.autograd.grad(f(x).sum(), (w, x))
        assert close(by_w, (9 * x**2 * w**2).sum())
        assert close(by_x, 6 * x * w**3)


def test_inputs_that_depend_on_one_another() -> None:
    """What an example is made of outside is no part of the program."""
    a = gleed.randn(4, requires_grad=True)
    b = a * 3
    (found,) = gleed.autograd.grad(vmap(lambda a, b: a * b)(a, b).sum(), a)
    assert close(found, 6 * a.detach())


class StraightThrough(gleed.autograd.Function):
    """Rounds; its gradient is that of the identity, twice."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x.round()

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g * 2


def test_custom_function() -> None:
    x = gleed.randn(4, 3, requires_grad=True)
    y = vmap(lambda x: StraightThrough.apply(x) * x)(x)
    (found,) = gleed.autograd.grad(y.sum(), x)
    assert close(found, 2 * x.detach() + x.detach().round())
    inside = vmap(grad(lambda x: StraightThrough.apply(x).sum()))
    assert gleed.equal(inside(x.detach()), gleed.full((4, 3), 2.0))


def test_second_gradients_of_custom_functions() -> None:
    """Inside they are those of the function; outside nobody knows them."""
    x = gleed.randn(4, 3, requires_grad=True)
    f = lambda x: StraightThrough.apply(x).sin().sum()  # noqa: E731
    expected = -4 * x.detach().round().sin()
    assert close(vmap(grad(lambda x: grad(f)(x).sum()))(x.detach()), expected)
    text = (
        "VmapOfCustomBackward: what is captured with a custom Function in it has first "
        "gradients; one with create_graph was asked for; take it inside of what is captured"
    )
    mapped = vmap(f)
    with pytest.raises(GradientError, match=f"^{re.escape(text)}$"):
        gleed.autograd.grad(mapped(x).sum(), x, create_graph=True)
    with pytest.raises(GradientError, match=r"^CompiledFunctionOfCustomBackward: what is"):
        gleed.autograd.grad(mapped(x).sum(), x, create_graph=True)


def test_no_history_where_none_is_wanted() -> None:
    w = gleed.randn(3, requires_grad=True)
    f = vmap(lambda x: x * w)
    with gleed.no_grad():
        assert not f(gleed.randn(2, 3)).requires_grad
    assert f(gleed.randn(2, 3)).requires_grad
    assert not vmap(lambda x: x * w.detach() + w.sum().detach())(gleed.randn(2, 3)).requires_grad


# ---- random numbers
def test_randomness() -> None:
    x = gleed.zeros(5, 20)

    def f(x: Any) -> Any:
        return x + gleed.rand(20), gleed.nn.functional.dropout(x + 1, 0.5), gleed.randperm(20)

    gleed.manual_seed(3)
    different = vmap(f, randomness="different")
    first, again = different(x), different(x)
    assert not gleed.equal(first[0], again[0])
    for y in first:
        assert not any(gleed.equal(y[0], row) for row in y[1:])
    assert gleed.equal(first[2].sort(1)[0], gleed.arange(20).expand(5, 20))
    same = vmap(f, randomness="same")
    noise, _, order = same(x.clone())
    assert all(gleed.equal(noise[0], row) for row in noise)
    assert all(gleed.equal(order[0], row) for row in order)


def test_draws_are_those_of_a_whole_batch() -> None:
    gleed.manual_seed(0)
    found = vmap(lambda x: gleed.rand(3) + x, randomness="different")(gleed.zeros(4, 3))
    gleed.manual_seed(0)
    assert gleed.equal(found, gleed.rand(4, 3))


def test_same_draws_in_chunks() -> None:
    f = vmap(lambda x: x + gleed.rand(3), randomness="same", chunk_size=2)
    y = f(gleed.zeros(5, 3))
    assert all(gleed.equal(y[0], row) for row in y)


@pytest.mark.parametrize(
    "draw",
    [
        lambda p: gleed.bernoulli(p),
        lambda p: gleed.multinomial(p + 0.1, 2),
        lambda p: gleed.multinomial(p + 0.1, 3, replacement=True),
        lambda p: gleed.randint(0, 9, (6,)),
        lambda p: gleed.normal(p, 1.0),
        lambda p: gleed.nn.functional.rrelu(p - 0.5, training=True),
        lambda p: gleed.randn(17) + p[0],
    ],
)
def test_other_draws(draw: Any) -> None:
    p = gleed.rand(8, 6)
    found = vmap(draw, randomness="different")(p)
    assert found.shape == (8, *draw(p[0]).shape)
    assert found.dtype == draw(p[0]).dtype
    assert not all(gleed.equal(found[0], row) for row in found)


# ---- writes
def test_writes_to_what_is_mapped() -> None:
    x = gleed.zeros(3, 4)
    y = gleed.randn(4, 3)

    def f(x: Any, y: Any) -> Any:
        x[1:] += y[0]
        return x.sum()

    for turn in (1, 2):
        total = vmap(f, in_dims=(1, 0))(x, y)
        expected = gleed.zeros(3, 4)
        expected[1:] += turn * y[:, 0]
        assert close(x, expected)
        assert close(total, expected.sum(0))


def test_writes_to_what_is_its_own() -> None:
    def f(x: Any) -> Any:
        y = gleed.zeros(3)
        y[:2] = x
        y.mul_(2)
        return y

    x = gleed.randn(4, 2)
    assert close(vmap(f)(x)[:, :2], x * 2)


# ---- errors
def raises(error: Any, text: str, function: Any, *args: Any) -> None:
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        function(*args)


X = gleed.ones(2, 3)


@pytest.mark.parametrize(
    ("error", "text", "call"),
    [
        (
            ArgumentError,
            'vmap: randomness is "error", "different" or "same"; got \'all\'; use one of these',
            lambda: vmap(gleed.sin, randomness="all"),
        ),
        (
            ArgumentError,
            "vmap: chunk_size is a whole number above 0, or None; got 0; use None to compute all "
            "examples at once",
            lambda: vmap(gleed.sin, chunk_size=0),
        ),
        (
            ArgumentError,
            "vmap: it maps over arguments; got none, or only keyword arguments, which are the same "
            "for all examples; pass what is mapped by position",
            lambda: vmap(lambda x: x)(x=X),
        ),
        (
            ArgumentError,
            "vmap: in_dims is an int, or a tuple with something for every argument; got str; use "
            "0, or a tuple",
            lambda: vmap(gleed.sin, in_dims="0")(X),
        ),
        (
            ArgumentError,
            "vmap: in_dims has the structure of the arguments; got (0, 0) for a tuple of 1; use "
            "one int (or None) for all of it",
            lambda: vmap(gleed.sin, in_dims=(0, 0))(X),
        ),
        (
            ArgumentError,
            "vmap: in_dims has the structure of the arguments; got float; use an int, or None",
            lambda: vmap(gleed.sin, in_dims=(1.0,))(X),
        ),
        (
            ArgumentError,
            "vmap: only tensors are mapped over; in_dims has 0 for float 2.0; use None there",
            lambda: vmap(lambda x, a: x * a)(X, 2.0),
        ),
        (
            RangeError,
            "vmap: in_dims must be axes of the tensors; got 2 for a tensor of shape (2, 3); use "
            "-2 … 1",
            lambda: vmap(gleed.sin, in_dims=2)(X),
        ),
        (
            RangeError,
            "vmap: in_dims must be axes of the tensors; got 0 for a tensor of shape (); use None "
            "for a 0-d tensor",
            lambda: vmap(gleed.sin)(gleed.ones(())),
        ),
        (
            ArgumentError,
            "vmap: at least one tensor is mapped over; got none; give it an axis in in_dims",
            lambda: vmap(gleed.sin, in_dims=(None,))(X),
        ),
        (
            ShapeError,
            "vmap: all that is mapped over has one size there; got 2 (axis 0 of shape (2, 3)) and "
            "3 (axis 0 of shape (3,)); check in_dims",
            lambda: vmap(gleed.mul)(X, gleed.ones(3)),
        ),
        (
            ArgumentError,
            "vmap: a function that is mapped returns tensors; <lambda> returned int; make it a "
            "tensor, or give it the out_dim None",
            lambda: vmap(lambda x: 1)(X),
        ),
        (
            ArgumentError,
            "vmap: out_dims has the structure of the result; got (0, 1) for a tensor; use one int "
            "(or None) for all of it",
            lambda: vmap(lambda x: x, out_dims=(0, 1))(X),
        ),
        (
            RangeError,
            "vmap: out_dims must be axes of the results; got 2 for one of 2 dims; use -2 … 1",
            lambda: vmap(lambda x: x, out_dims=2)(X),
        ),
    ],
)  # fmt: skip
def test_errors(error: Any, text: str, call: Any) -> None:
    raises(error, text, call)


def refused(function: Any, rule: str, fix: str, **options: Any) -> None:
    """The function cannot be mapped; the message names this file."""
    with pytest.raises(TraceError) as caught:
        vmap(function, **options)(gleed.randn(2, 3))
    text = str(caught.value)
    assert text.startswith(f"vmap: {rule}; it came in ")
    assert text.endswith(f"; {fix}")


def test_python_that_depends_on_values() -> None:
    def f(x: Any) -> Any:
        if x.sum() > 0:
            return x
        return -x

    rule = (
        "a function that is mapped runs once for all examples, and sees none; item asks for a "
        "tensor's value"
    )
    refused(f, rule, "decide by gleed.where() in place of Python, or compute the value before")
    with pytest.raises(TraceError, match=r"it came in f at .*test_vmap.py:\d+: if x.sum\(\) > 0:"):
        vmap(f)(X)


def test_sizes_that_depend_on_values() -> None:
    rule = "the sizes of results must follow from sizes; they depend on a tensor's values"
    fix = "use gleed.where() in place of masks, or compute it outside"
    refused(lambda x: x.nonzero(), rule, fix)
    refused(lambda x: x[x > 0], rule, fix)


def test_random_draws_without_a_choice() -> None:
    rule = "whether random numbers differ between examples must be said"
    fix = 'give vmap randomness="different" or randomness="same"'
    refused(lambda x: x + gleed.rand(3), rule, fix)
    assert gleed.equal(gleed.rand(1), gleed.rand(1)) is False


def test_writes_to_what_is_shared() -> None:
    total = gleed.zeros(3)
    rule = (
        "a function that is mapped writes to nothing that all examples share; it writes to a "
        "tensor of shape (3,) from outside"
    )
    fix = "return what is new, or use eval() where a module keeps running statistics"
    refused(lambda x: total.add_(x), rule, fix)
    assert gleed.equal(total, gleed.zeros(3))
    norm = nn.BatchNorm1d(3)
    with pytest.raises(TraceError, match="from outside"):
        vmap(lambda x: norm(x))(gleed.randn(2, 4, 3))
    assert gleed.equal(norm.running_mean, gleed.zeros(3))
    norm.eval()
    assert vmap(lambda x: norm(x))(gleed.randn(2, 4, 3)).shape == (2, 4, 3)


def test_backward_inside() -> None:
    w = gleed.ones(3, requires_grad=True)
    refused(
        lambda x: [(x * w).sum().backward(), x][1],
        "a function that is mapped leaves .grad alone",
        "use func.grad()",
    )
    assert w.grad is None


def test_out_dim_none_for_what_differs() -> None:
    refused(
        lambda x: x.sum(),
        "an out_dim of None is for results that are the same for all examples; one of shape () is "
        "not",
        "give it an out_dim",
        out_dims=None,
    )


def test_writes_that_need_a_gradient() -> None:
    w = gleed.ones(3, requires_grad=True)
    refused(
        lambda x: x.mul_(w).sum(),
        "a function that is mapped writes in place only where no gradient is needed",
        "use the out-of-place form",
    )


def test_as_strided_beyond_an_example() -> None:
    refused(
        lambda x: x[1:].as_strided((2,), (1,), 0),
        "what is mapped must be an operation for a batch; as_strided: an example under vmap has "
        "no memory beside its own elements",
        "leave it out of the captured function",
    )


def test_same_draws_by_what_differs() -> None:
    p = gleed.rand(8, 6)
    found = vmap(lambda p: gleed.bernoulli(p), randomness="same")(p)
    assert found.shape == (8, 6)
    rule = r"random_choices: what is drawn by must be the same for all examples, too"
    with pytest.raises(TraceError, match=rule):
        vmap(lambda p: gleed.multinomial(p, 3, replacement=True), randomness="same")(p)


def test_errors_of_one_example() -> None:
    """An index that is wrong in one example is the error that it would be there."""
    table, index = gleed.randn(4, 3), gleed.tensor([[1, 2], [3, 9]])
    f = vmap(lambda i: table[i])
    for _ in range(2):
        with pytest.raises(IndexError, match="9"):
            f(index)
    assert gleed.equal(f(index % 4), table[index % 4])
