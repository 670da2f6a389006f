"""Memory in captured functions: writes through views and their gradients, results that share it."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import gleed
from gleed.errors import GradientError, TraceError

from .test_programs import seen, strides


def equal(a: Any, b: Any) -> bool:
    return seen([a]) == seen([b])


def test_writes_to_arguments_and_views() -> None:
    @gleed.compile(fullgraph=True)
    def write(x: Any, y: Any) -> Any:
        x[1:].mul_(3)
        y.add_(x.sum())
        return x[0]

    for _ in range(3):
        x, y = gleed.ones(3, 2), gleed.zeros(())
        row = write(x, y)
        assert row.tolist() == [1, 1] and row.data_ptr() == x.data_ptr()
        assert x.tolist() == [[1, 1], [3, 3], [3, 3]] and y.item() == 14.0


def test_results_that_are_arguments_or_views_of_them() -> None:
    compiled = gleed.compile(lambda x: (x, x.t(), x + 0), fullgraph=True)
    for _ in range(3):
        x = gleed.randn(2, 3)
        same, view, fresh = compiled(x)
        assert same is x
        assert view.data_ptr() == x.data_ptr() and view._base is x
        assert fresh.data_ptr() != x.data_ptr()


def test_a_view_of_all_of_an_argument_is_a_tensor_of_its_own() -> None:
    def whole(x: Any) -> Any:
        return x * 3, x.mean(0), x.view(4, 3), x.detach(), x.expand(4, 3)

    compiled = gleed.compile(whole, fullgraph=True)
    gradients = []
    for function in (whole, compiled, compiled):
        gleed.manual_seed(0)
        x = gleed.randn(4, 3, requires_grad=True)
        *results, detached, expanded = function(x)
        for view in (results[2], expanded):
            assert view is not x and view._base is x and view.grad_fn is not None
        assert not detached.requires_grad and detached.data_ptr() == x.data_ptr()
        sum((y * gleed.randn(y.shape)).sum() for y in results).backward()
        gradients.append(x.grad)
    assert equal(gradients[0], gradients[1]) and equal(gradients[0], gradients[2])


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.reshape(2, 3),
        lambda x: x.reshape_as(x),
        lambda x: x.expand(2, 3),
        lambda x: x.expand_as(x),
        lambda x: x.unflatten(0, (2,)),
        lambda x: gleed.broadcast_to(x, (2, 3)),
    ],
)
def test_views_of_the_same_shape_are_no_arguments(call: Any, captured: bool) -> None:
    run = gleed.compile(call, fullgraph=True) if captured else call
    for _ in range(2):
        x = gleed.randn(2, 3)
        y = run(x)
        assert y is not x and y._base is x and y.data_ptr() == x.data_ptr()
        y.add_(1)
        assert gleed.equal(x, y)
        w = gleed.randn(2, 3, requires_grad=True)
        y = run(w)
        assert not y.is_leaf and w.is_leaf
        (y * y).sum().backward()
        assert gleed.equal(w.grad, 2 * w.detach()) and y.detach().requires_grad is False
    with pytest.raises(RuntimeError, match="a view of a leaf that requires grad"):
        call(w).add_(1)


@pytest.mark.parametrize("captured", [False, True])
def test_what_needs_no_change_is_the_argument(captured: bool) -> None:
    for call in (
        lambda x: gleed.atleast_2d(x),
        lambda x: x.sum_to_size(2, 3),
        lambda x: x.flatten(1),
        lambda x: x.to(gleed.float32),
        lambda x: x.float(),
    ):
        run = gleed.compile(call, fullgraph=True) if captured else call
        for x in (gleed.randn(2, 3), gleed.randn(2, 3, requires_grad=True)):
            assert run(x) is x


# ---- gradients of what is written through views
def part(x: Any, z: Any) -> Any:
    y = x * 2
    y[1:].mul_(3)
    return y


def given(x: Any, z: Any) -> Any:
    y = x * 2
    y[1:] = z
    return y.sin()


def after(x: Any, z: Any) -> Any:
    y = x * 2
    column = y[:, 0]
    column.mul_(3)  # the view gets its history when it is used
    return column * 2, column


def turned(x: Any, z: Any) -> Any:
    y = x * x
    y.t()[0].zero_()
    y.view(-1)[2:5].mul_(z.sum())
    return y * y


def several(x: Any, z: Any) -> Any:
    y = x.clone()
    first, rest = y[:, 0], y[1:]
    first.mul_(3)
    rest.add_(first.sum())
    rest.diagonal().copy_(z.diagonal())
    return first * 2, y * 3, rest.sin()


def constant(x: Any, z: Any) -> Any:
    y = x * 2
    y[..., -1].clamp_(0, 1)
    y[0] = 1
    return y, y.new_empty(4, 3).copy_(y[:1])


@pytest.mark.parametrize("function", [part, given, after, turned, several, constant])
def test_gradients_of_writes_through_views(function: Any) -> None:
    compiled = gleed.compile(function, fullgraph=True)
    for rows in (4, 4, 5, 6, 7):
        found = []
        for call in (function, compiled):
            gleed.manual_seed(rows)
            x = gleed.randn(rows, 3, requires_grad=True)
            z = gleed.randn(rows - 1, 3, requires_grad=True)
            results = call(x, z)
            results = results if isinstance(results, tuple) else (results,)
            sum((y * gleed.randn(y.shape)).sum() for y in results).backward()
            found.append(seen([*results, x.grad, *([] if z.grad is None else [z.grad])]))
        assert found[0] == found[1]


def test_writes_through_views_in_a_step_of_training() -> None:
    def trained(compile: Any) -> list[Any]:
        gleed.manual_seed(0)
        layer = gleed.nn.Linear(3, 3)
        optimizer = gleed.optim.SGD(layer.parameters(), lr=0.1)

        def step(x: Any) -> Any:
            optimizer.zero_grad()
            y = layer(x)
            y[1:, 0] *= x[1:, 1]
            loss = y.square().mean()
            loss.backward()
            optimizer.step()
            return loss.detach()

        run = compile(step)
        return seen([*(run(gleed.randn(n, 3)) for n in (4, 4, 4, 5, 6)), *layer.parameters()])

    compile = gleed.compile(fullgraph=True)
    assert trained(compile) == trained(lambda step: step)


def test_a_gradient_that_cannot_be_is_the_same_error() -> None:
    def square(x: Any) -> Any:
        y = x.clone()
        y[1:].mul_(y[1:].detach())
        return y

    x = gleed.randn(3, 2, requires_grad=True)
    with pytest.raises(GradientError, match="a value that the gradient needs was overwritten") as e:
        square(x).sum().backward()
    compiled = gleed.compile(square)
    for _ in range(3):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            y = compiled(x)
        with pytest.raises(GradientError) as same:
            y.sum().backward()
        assert str(same.value) == str(e.value)
    with pytest.raises(TraceError, match="the gradient of what it returns must exist; backward: a"):
        gleed.compile(square, fullgraph=True)(x)


# ---- layouts
def test_strides_that_python_sees() -> None:
    compiled = gleed.compile(lambda x: x + x.stride()[0] * 10 + x.stride()[-1], fullgraph=True)
    for made in (
        gleed.zeros(4, 0),
        gleed.zeros(1, 4).t(),
        gleed.zeros(3, 4),
        gleed.zeros(2, 3).t(),
    ):
        for _ in range(2):
            found = compiled(made)
            assert seen([found]) == seen([made + made.stride()[0] * 10 + made.stride()[-1]])


def test_draws_go_to_memory_in_the_order_of_strides() -> None:
    def drawn(x: Any) -> Any:
        return gleed.nn.functional.dropout(x.float(), 0.4), gleed.rand_like(x.t() * 2.0)

    compiled = gleed.compile(drawn, fullgraph=True)
    for _ in range(3):
        found = []
        for function in (drawn, compiled):
            gleed.manual_seed(1)
            found.append(seen(function(gleed.arange(24).reshape(4, 6).t())))
        assert found[0] == found[1]


def test_gradients_are_laid_out_alike_while_recorded() -> None:
    layouts = []

    def curved(x: Any) -> Any:
        x = x.detach().requires_grad_()
        y = ((x.frac() * 0.7).abs().log() * x.sin()).sum()
        (slope,) = gleed.autograd.grad(y, x, create_graph=True)
        (result,) = gleed.autograd.grad(slope.square().sum(), x)
        layouts.append(gleed._C.place_of(result)[4])
        return result

    x = gleed.randn(1, 70, 2, 4).movedim(-1, 0)
    compiled = gleed.compile(curved, fullgraph=True)
    results = [curved(x), compiled(x), compiled(x)]
    assert layouts[0] == layouts[1]
    assert strides(results[0]) == strides(results[1]) == strides(results[2])
