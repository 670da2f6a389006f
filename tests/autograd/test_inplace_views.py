"""In-place writes and views: gradients against the same thing written without them."""

import random
import re

import numpy as np
import pytest

import gleed
from gleed import autograd
from gleed.errors import GradientError


def close(a, b):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-12)


def numbers(*shape, seed=0):
    source = random.Random(f"{shape} {seed}")
    count = 1
    for size in shape:
        count *= size
    flat = [source.uniform(0.5, 2.0) for _ in range(count)]
    return gleed.tensor(flat, dtype=gleed.float64).reshape(shape)


VIEWS = {
    "row": lambda t: t[1],
    "column": lambda t: t[:, 2],
    "steps": lambda t: t[::2, 1::2],
    "transposed": lambda t: t.t(),
    "flat": lambda t: t.view(12),
    "all": lambda t: t,
    "view of a view": lambda t: t.t()[1:3].unsqueeze(0),
    "element": lambda t: t[2, 3],
    "diagonal": lambda t: t.diagonal(),
    "narrow": lambda t: t.narrow(0, 1, 2),
}
WRITES = {
    "mul_": (lambda v, c: v.mul_(c), lambda v, c: v * c),
    "add_": (lambda v, c: v.add_(c, alpha=3), lambda v, c: v + 3 * c),
    "div_": (lambda v, c: v.div_(c), lambda v, c: v / c),
    "exp_": (lambda v, c: v.exp_(), lambda v, c: v.exp()),
    "copy_": (lambda v, c: v.copy_(c), lambda v, c: c * 1),
    "zero_": (lambda v, c: v.zero_(), lambda v, c: v * 0),
    "fill_": (lambda v, c: v.fill_(4.5), lambda v, c: v * 0 + 4.5),
}


def replaced(base, view, value):
    """`base` with the part that `view` takes replaced by `value`, by masks alone."""
    places = gleed.arange(12).reshape(3, 4)
    order = view(places).reshape(-1).tolist()
    rows = [base.reshape(12)[i] for i in range(12)]
    for k, place in enumerate(order):
        rows[place] = value.reshape(-1)[k]
    return gleed.stack(rows).reshape(3, 4)


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("view", VIEWS)
def test_a_write_through_a_view(view, write):
    take, (in_place, plain) = VIEWS[view], WRITES[write]
    x = numbers(3, 4, seed=1).requires_grad_()
    c = numbers(*take(x).shape, seed=2).requires_grad_()
    cotangent = numbers(3, 4, seed=3)

    base = x * 2
    part = take(base)
    in_place(part, c)
    found = autograd.grad(base * base, [x, c], cotangent, allow_unused=True)

    doubled = x * 2
    whole = replaced(doubled, take, plain(take(doubled), c))
    expected = autograd.grad(whole * whole, [x, c], cotangent, allow_unused=True)
    close(base, whole)
    for got, wanted in zip(found, expected, strict=True):
        wanted = gleed.zeros_like(got) if wanted is None and got is not None else wanted
        if got is None:
            assert wanted is None or not wanted.any()
        else:
            close(got, wanted)


@pytest.mark.parametrize("view", VIEWS)
def test_writes_are_differentiable_twice(view):
    take = VIEWS[view]
    x = numbers(3, 4, seed=1).requires_grad_()
    c = numbers(*take(x).shape, seed=2).requires_grad_()

    def f(x, c):
        base = x * x
        take(base).mul_(c)
        return base * base

    assert autograd.gradcheck(f, (x, c))
    assert autograd.gradgradcheck(f, (x, c))


def test_other_views_follow_a_write_to_the_base():
    x = numbers(3, 4).requires_grad_()
    base = x * 1
    row = base[1]
    assert row.grad_fn.name() != "AsStridedBackward0"
    base.mul_(3)
    assert row.grad_fn.name() == "AsStridedBackward0"
    row.sum().backward()
    assert x.grad.tolist() == [[0.0] * 4, [3.0] * 4, [0.0] * 4]


def test_views_follow_a_write_through_another_view():
    x = numbers(3, 4).requires_grad_()
    base = x * 1
    row, column = base[1], base[:, 0]
    row.mul_(5)
    column.sum().backward()
    assert x.grad.tolist() == [[1.0, 0, 0, 0], [5.0, 0, 0, 0], [1.0, 0, 0, 0]]


def test_a_constant_base_takes_part_once_a_view_is_written():
    w = gleed.tensor([2.0, 3.0], dtype=gleed.float64, requires_grad=True)
    base = gleed.zeros(3, 2, dtype=gleed.float64)
    row = base[0]
    assert not row.requires_grad
    base[1].copy_(w)
    base[2].add_(w * w)
    assert base.requires_grad
    assert row.requires_grad
    assert base.grad_fn.name() == "CopySlices"
    (base * numbers(3, 2)).sum().backward()
    g = numbers(3, 2)
    expected = g[1] + g[2] * 2 * w.detach()
    close(w.grad, expected)


def test_item_assignment():
    w = gleed.tensor([2.0, 3.0], dtype=gleed.float64, requires_grad=True)
    base = gleed.zeros(3, 2, dtype=gleed.float64)
    base[0] = w
    base[1, 1] = w[0] * w[1]
    base.backward(gleed.tensor([[1.0, 2.0], [9.0, 10.0], [9.0, 9.0]], dtype=gleed.float64))
    assert w.grad.tolist() == [1.0 + 30.0, 2.0 + 20.0]


def test_repeated_writes():
    x = gleed.tensor([1.0, 2.0], dtype=gleed.float64, requires_grad=True)
    y = x * 1
    for k in range(1, 5):
        y.mul_(k)
        y[0].add_(x[1])
    # y0 = ((((x0 + x1) 2 + x1) 3 + x1) 4 + x1
    y[0].backward()
    assert x.grad.tolist() == [24.0, 24.0 + 12.0 + 4.0 + 1.0]


def test_a_write_to_the_base_of_a_transposed_clone():
    x = numbers(3, 4).requires_grad_()
    base = (x * 1).t().clone()
    base[1].mul_(7)
    base.sum().backward()
    assert x.grad.tolist() == [[1.0, 7.0, 1.0, 1.0]] * 3


def test_writes_that_read_their_own_memory():
    x = gleed.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=gleed.float64, requires_grad=True)
    y = x * 1
    y.mul_(y)
    with pytest.raises(GradientError, match="MulBackward0 saved a tensor"):
        y.sum().backward()
    z = x * 1
    z.mul_(z.t())
    z.sum().backward()
    assert x.grad.tolist() == [[2.0, 6.0], [4.0, 8.0]]


def test_no_grad_writes_are_not_recorded():
    x = gleed.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1
    with gleed.no_grad():
        x.add_(10)
        y.mul_(0)
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (
            lambda x: x.add_(1),
            "add_: a leaf that requires grad cannot be changed in place, its gradient would have "
            "no place to go; update it under gleed.no_grad(), or use the out-of-place form",
        ),
        (
            lambda x: x[0].zero_(),
            "zero_: a view of a leaf that requires grad cannot be changed in place; update the "
            "leaf under gleed.no_grad(), or write to a .clone()",
        ),
    ],
)
def test_leaves_are_not_written_to(write, message):
    x = gleed.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(GradientError, match=f"^{re.escape(message)}$"):
        write(x)
    assert x.tolist() == [1.0, 2.0]


def test_views_made_under_no_grad_are_not_written_to_outside():
    x = gleed.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1
    with gleed.no_grad():
        v = y[0]
    assert not v.requires_grad
    with pytest.raises(GradientError, match=r"^mul_: the view was made under no_grad"):
        v.mul_(2)
    assert y.tolist() == [1.0, 2.0]


def test_inference_tensors_are_not_written_to_outside():
    with gleed.inference_mode():
        x = gleed.zeros(2) + 1
    with pytest.raises(GradientError, match=r"^add_: a tensor made under inference_mode"):
        x.add_(1)
    with pytest.raises(GradientError, match="a tensor made under inference_mode takes part in no"):
        x.requires_grad_()


@pytest.mark.parametrize(
    ("build", "name", "what"),
    [
        (lambda x: (x.exp(), lambda r: r.add_(1)), "ExpBackward0", "its output 0"),
        (
            lambda x: ((y := x * 1) * x, lambda r: y.mul_(2)),
            "MulBackward0",
            "a tensor, number ",
        ),
        (lambda x: ((y := x * 1) * x, lambda r: y[0].zero_()), "MulBackward0", "a tensor, number "),
    ],
)
def test_overwritten_values_are_named(build, name, what):
    x = gleed.tensor([1.0, 2.0], requires_grad=True)
    result, overwrite = build(x)
    overwrite(result)
    with pytest.raises(GradientError) as caught:
        result.sum().backward()
    text = str(caught.value)
    assert text.startswith(
        f"backward: a value that the gradient needs was overwritten; {name} saved {what}"
    )
    assert f"{gleed.Size((2,))} (version 0), and it was modified by '" in text
    assert re.search(r"modified by '\w+' at .*test_inplace_views\.py:\d+ \(now version 1\)", text)
    assert text.endswith(
        "use the out-of-place form, or write to a .clone(); "
        "gleed.autograd.set_detect_anomaly(True) shows where it was saved"
    )


def test_anomaly_mode_names_the_line_that_saved():
    x = gleed.tensor([1.0, 2.0], requires_grad=True)
    with autograd.set_detect_anomaly(True):
        y = x.exp()
        y.add_(1)
        with pytest.raises(GradientError) as caught:
            y.sum().backward()
    assert re.search(r"\(version 0\) at .*test_inplace_views\.py:\d+, and", str(caught.value))
    assert "y = x.exp()" in caught.value.__notes__[0]


def test_anomaly_mode_refuses_nan():
    x = gleed.tensor([0.0, 2.0], requires_grad=True)
    y = (x * 0) / x
    y.sum().backward()
    assert x.grad.isnan().any()
    with autograd.detect_anomaly():
        y = (x * 0) / x
        with pytest.raises(GradientError, match="no gradient may be NaN in anomaly mode; Div"):
            y.sum().backward()
    with autograd.detect_anomaly(check_nan=False):
        ((x * 0) / x).sum().backward()
    assert not autograd.is_anomaly_enabled()


def test_grad_reaches_inputs_behind_a_view_that_was_written() -> None:
    x = gleed.ones(4, 3, requires_grad=True)
    y = x * 2
    column = y[:, 0]
    column.mul_(3)
    result = column * 2  # older than the history that it gives the view
    (gradient,) = gleed.autograd.grad(result.sum(), x)
    assert gradient.tolist() == [[12, 0, 0]] * 4
