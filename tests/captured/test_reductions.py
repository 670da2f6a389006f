"""Reductions add up as eagerly where calls share what they compute: bits of results, gradients."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import pytest

import gleed

F = gleed.nn.functional
FUNCTIONS = {
    "log_softmax": lambda x, t: F.log_softmax(x, 1),
    "softmax": lambda x, t: F.softmax(x, 1),
    "logsumexp": lambda x, t: gleed.logsumexp(x, 1, True),
    "by hand": lambda x, t: (x - x.amax(1, True)).exp().sum(1, True).log(),
    "scaled": lambda x, t: F.log_softmax(x * 2, 1).exp(),
    "labels": lambda x, t: F.cross_entropy(x, t, label_smoothing=0.1),
    "probabilities": lambda x, t: F.cross_entropy(x, F.softmax(x * 0.5, 1)),
    "var": lambda x, t: x.var(1, keepdim=True),
    "layer_norm": lambda x, t: F.layer_norm(x, (x.shape[1],)),
}


def bits(tensors: Any) -> list[bytes]:
    wide = (t.detach().float() if t.dtype == gleed.bfloat16 else t.detach() for t in tensors)
    return [t.numpy().tobytes() for t in wide]


@pytest.mark.parametrize("dtype", [gleed.float32, gleed.bfloat16])
@pytest.mark.parametrize("length", [40, 700])
@pytest.mark.parametrize("first", FUNCTIONS)
def test_pairs_of_reductions(first: str, length: int, dtype: Any) -> None:
    for second, grad in product(FUNCTIONS, (False, True)):

        def both(x: Any, t: Any, second: str = second) -> Any:
            p, q = FUNCTIONS[first](x, t), FUNCTIONS[second](x, t)
            return p, q, p + q * 1.5

        gleed.manual_seed(0)
        x = gleed.randn(5, length).to(dtype)
        t, g = gleed.randint(0, length, (5,)), gleed.randn(5, length).to(dtype)
        found = []
        for function in (both, gleed.compile(both)):
            function(x.clone().requires_grad_(grad), t)
            leaf = x.clone().requires_grad_(grad)
            results = function(leaf, t)
            if grad:
                (results[2] * g).sum().backward()
            found.append(bits([*results, *([leaf.grad] if grad else [])]))
        assert found[0] == found[1], (second, grad)


def test_what_is_computed_twice_is_computed_once() -> None:
    double = gleed.compile(lambda x: (x * 2).sum() + (x * 2).sum())
    x = gleed.randn(7)
    assert double(x).item() == double(x).item() == ((x * 2).sum() + (x * 2).sum()).item()
    assert "in 2 kernels" in double.report()


@pytest.mark.parametrize("dtype", [gleed.float32, gleed.float16])
@pytest.mark.parametrize("shape", [(2, 33, 1, 5), (33, 1), (5, 33, 1)])
def test_axes_of_one_element(shape: tuple[int, ...], dtype: Any) -> None:
    gleed.manual_seed(0)
    x = gleed.randn(shape).to(dtype)

    def reduced(x: Any) -> Any:
        each = gleed.func.vmap(lambda row: (row * 0.3).round().sum(-1, keepdim=True))
        return x.log_softmax(-2), x.softmax(0), each(x), x.std(-2)

    compiled = gleed.compile(reduced, fullgraph=True)
    for _ in range(2):
        assert bits(compiled(x)) == bits(reduced(x))


POINTS = {
    "cheap": lambda x, y: x * y,
    "twice": lambda x, y: (x - y) * (x - y),
    "dear": lambda x, y: F.gelu(x) + y.exp(),
    "rare": lambda x, y: x.sin() + y,
    "wide": lambda x, y: (x.double() * y).to(x.dtype),
    "chosen": lambda x, y: gleed.where(x > y, x, y * 0.5),
}
REDUCTIONS = {
    "sum": lambda p: p.sum(),
    "sum of rows": lambda p: p.sum(-1),
    "sum of columns": lambda p: p.sum(0),
    "sum of outer axes": lambda p: p.sum((0, 2)),
    "mean in the middle": lambda p: p.mean(1, keepdim=True),
    "turned": lambda p: p.transpose(0, -1).mean((0, 1)),
    "in float64": lambda p: p.sum(-1, dtype=gleed.float64),
    "prod": lambda p: p.prod(-1),
    "softmax": lambda p: p.softmax(-1),
    "log_softmax": lambda p: p.log_softmax(1),
    "logsumexp": lambda p: p.logsumexp((0, 2)),
    "std": lambda p: p.std(),
    "layer_norm": lambda p: F.layer_norm(p, p.shape[-1:]),
    "group_norm": lambda p: F.group_norm(p, 1),
    "argmax": lambda p: p.argmax(-1),
}


def layouts(shape: tuple[int, ...], dtype: Any) -> dict[str, Any]:
    def made(*sizes: int) -> Any:
        return gleed.randn(*sizes).to(dtype)

    a, b, c = shape
    return {
        "rows": made(*shape),
        "turned": made(c, b, a).transpose(0, 2),
        "cut": made(a, b, c + 3)[..., 1 : c + 1],
        "one column": made(a, b, 1),
        "one row": made(c),
        "repeated": made(a, 1, c).expand(shape),
    }


@pytest.mark.parametrize("dtype", [gleed.float32, gleed.bfloat16, gleed.float64])
@pytest.mark.parametrize("shape", [(3, 5, 40), (2, 70, 1), (4, 3, 700), (40, 40, 33)])
@pytest.mark.parametrize("point", POINTS)
def test_what_is_reduced_is_computed_on_the_way(
    point: str, shape: tuple[int, ...], dtype: Any
) -> None:
    """The bits are those of a reduction of what lies in memory, whatever it is computed of."""
    gleed.manual_seed(1)
    operands = list(layouts(shape, dtype).items())
    for i, (name, reduce) in enumerate(REDUCTIONS.items()):
        (first, x), (second, y) = operands[i % 3], operands[i % len(operands)]

        def both(x: Any, y: Any, reduce: Any = reduce) -> Any:
            return reduce(POINTS[point](x, y))

        compiled = gleed.compile(both)
        compiled(x, y)
        assert bits([both(x, y)]) == bits([compiled(x, y)]), (name, first, second)


def test_sums_that_are_computed_on_the_way_need_no_memory() -> None:
    x, y = gleed.randn(64, 80), gleed.randn(64, 80)
    for reduce in (lambda p: p.sum(), lambda p: p.mean(1), lambda p: p.softmax(1)):
        one = gleed.compile(lambda x, y, reduce=reduce: reduce((x - y) * 2))
        one(x, y)
        assert "in 1 kernel; memory for 1 result" in one.report()


def test_what_is_dear_is_not_computed_in_every_pass() -> None:
    x = gleed.randn(64, 80)
    softmax = gleed.compile(lambda x: F.gelu(x).softmax(1))
    softmax(x)
    assert "it is needed more than once" in softmax.report(detail=True)


TOGETHER = {
    "moments of rows": lambda x, y: (x.sum(-1), (x * x).sum(-1), x.amax(-1)),
    "moments of columns": lambda x, y: (x.mean(0), (x * x).mean(0), x.amin(0)),
    "everything": lambda x, y: (x.sum(), (x * y).sum(), x.norm(), x.isnan().any(), x.amax()),
    "counts": lambda x, y: ((x > 0).sum(), (x > 1).sum(), x.argmax(), (x - y).abs().mean()),
    "likelihood": lambda x, y: (x.logsumexp(-1), x.argmax(-1), x.softmax(-1), x.amin(-1)),
    "columns": lambda x, y: (x.argmax(0), x.sum(0), x.logsumexp(0), (x * y).prod(0)),
    "of two dtypes": lambda x, y: (x.double().sum(-1), x.sum(-1), x.argmin(-1), x.float().var(-1)),
    "turned": lambda x, y: (x.t().sum(0), (x * y).sum(1), x.t().contiguous().sum(0)),
    "after one another": lambda x, y: (x.sum(1), (x - x.mean(1, True)).abs().sum(1), x.amax(1)),
}


@pytest.mark.parametrize("dtype", [gleed.float32, gleed.bfloat16, gleed.float64])
@pytest.mark.parametrize("shape", [(70, 2100), (3, 40000), (600, 600)])
@pytest.mark.parametrize("name", TOGETHER)
def test_reductions_together_are_what_each_is_alone(
    name: str, shape: tuple[int, int], dtype: Any
) -> None:
    gleed.manual_seed(2)
    a, b = shape
    y = gleed.randn(*shape).to(dtype)
    layouts = {
        gleed.float32: y.clone(),
        gleed.bfloat16: gleed.randn(b, a).to(dtype).t(),
        gleed.float64: gleed.randn(a, b + 3).to(dtype)[:, 1:-2],
    }
    x = layouts[dtype]
    compiled = gleed.compile(TOGETHER[name], fullgraph=True)
    compiled(x, y)
    assert bits(compiled(x, y)) == bits(TOGETHER[name](x, y))


def kernels(function: Any, *arguments: Any) -> int:
    compiled = gleed.compile(function, fullgraph=True)
    compiled(*arguments)
    (count,) = re.findall(r"in (\d+) kernels?;", compiled.report())
    return int(count)


def test_what_is_reduced_together_is_read_once() -> None:
    x, t = gleed.randn(300, 200), gleed.randint(0, 200, (300,))
    for name in ("moments of rows", "moments of columns", "everything"):
        assert kernels(TOGETHER[name], x, x) == 1
    # The loss, and how many are right, are two more.
    assert kernels(lambda x, t: (F.cross_entropy(x, t), (x.argmax(1) == t).sum()), x, t) == 3
    # Rows and columns; one after the other; a range done in chunks, and one in its order.
    assert kernels(lambda x: (x.sum(0), x.sum(1)), x) == 2
    assert kernels(lambda x: (x.sum(1), (x - x.sum(1, True)).amax(1)), x) == 2
    assert kernels(lambda x: (x.sum(), x.argmax()), x) == 2
    assert kernels(lambda x: (x[0].sum(), x[0].argmax()), x) == 1


def test_a_later_reduction_waits_for_nothing_in_between() -> None:
    x, y = gleed.randn(40, 40), gleed.randn(40, 40)
    assert kernels(lambda x, y: (x.sum(1), x @ y, (x * y).sum(1), (x @ y).amax()), x, y) == 3
    # The sum is needed before the product, and the product before the other sum.
    assert kernels(lambda x: (x.sum(1), (x * (x.sum(1, True) @ x[:1])).sum(1)), x) == 3


def test_many_reductions_leave_accumulators_in_registers() -> None:
    def sums(x: Any) -> Any:
        return [(x * i).sum(1) for i in range(2, 22)]

    x = gleed.randn(40, 40)
    assert kernels(sums, x) == 3
    assert bits(gleed.compile(sums)(x)) == bits(sums(x))


@pytest.mark.parametrize("dims", [None, (0, 1), (0, 2), (1,), (2,)])
def test_triangles_are_reduced_as_eagerly(dims: Any) -> None:
    def f(x: Any) -> Any:
        y = (x * 2).tril()
        return y.sum() if dims is None else y.sum(dims)

    compiled = gleed.compile(f, fullgraph=True)
    for columns in (5, 5, 9, 3, 33):
        x = gleed.randn(3, 4, columns)
        assert gleed.equal(compiled(x), f(x))


def written(z: Any, a: Any, b: Any) -> Any:
    gleed.sum(z, 0, out=a)
    gleed.sum(z, 1, out=b)
    return a, b


def stepped(z: Any, a: Any, b: Any) -> Any:
    def step(carry: Any, row: Any) -> Any:
        return ((z * row).sum(0), (z * carry[0]).sum(1)), row * 1

    return gleed.scan(step, (a, b), z)[0]


def repeated(z: Any, a: Any, b: Any) -> Any:
    def turn(i: Any, a: Any, b: Any) -> Any:
        return i + 1, (z * a).sum(0), (z * b).sum(1)

    return gleed.while_loop(lambda i, a, b: i < 2, turn, (gleed.tensor(0), a, b))[1:]


def chosen(z: Any, a: Any, b: Any) -> Any:
    def sums(z: Any, a: Any, b: Any) -> Any:
        return (z * a).sum(0), (z * b).sum(1)

    return gleed.cond(a.numel() > a.sum(), sums, lambda z, a, b: (a + 1, b + 1), (z, a, b))


BOTH_WAYS = {
    "written": written,
    "stepped": stepped,
    "repeated": repeated,
    "chosen": chosen,
    "returned": lambda z, a, b: (z.sum(0), z.sum(1)),
    "copied": lambda z, a, b: (a.copy_(z.sum(0)), b.copy_((z * 2).sum(1))),
    "joined": lambda z, a, b: [gleed.cat([z.sum(0), z.sum(1), z.sum(0)])],
}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("function", BOTH_WAYS.values(), ids=BOTH_WAYS)
def test_rows_and_columns_of_squares(function: Any, turned: bool) -> None:
    """Numbers of rows and columns that are equal make no kernel of both."""
    gleed.manual_seed(4)
    square, *vectors = gleed.randn(33, 33), gleed.randn(33), gleed.randn(33)
    compiled, found = gleed.compile(function), []
    for run in (function, compiled, compiled):
        z = square.t() if turned else square
        found.append(bits(run(z, *(v.clone() for v in vectors))))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("shape", [(33, 33), (8, 8), (33, 20)])
@pytest.mark.parametrize("dtype", [gleed.float32, gleed.bfloat16])
def test_gradients_along_rows_and_columns(shape: tuple[int, int], dtype: Any) -> None:
    def function(x: Any, y: Any) -> Any:
        return gleed.outer(x, y), x[:, None] * y, x.outer(x)

    gleed.manual_seed(5)
    data, found = [gleed.randn(n).to(dtype) for n in shape], []
    compiled = gleed.compile(function)
    for run in (function, compiled, compiled):
        gleed.manual_seed(6)
        leaves = [v.clone().requires_grad_() for v in data]
        results = run(*leaves)
        cotangents = [gleed.randn(y.shape).to(dtype) for y in results]
        found.append(bits(gleed.autograd.grad(results, leaves, cotangents)))
    assert found[0] == found[1] == found[2]
