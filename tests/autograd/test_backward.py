"""`backward` and `grad`: values, accumulation, and what is refused."""

import re

import pytest

import gleed
from gleed import autograd
from gleed.errors import ArgumentError, GradientError, ShapeError


def leaf(*numbers, dtype=gleed.float64):
    return gleed.tensor(list(numbers), dtype=dtype, requires_grad=True)


def test_gradients_add_up_over_calls_and_paths():
    x = leaf(1.0, -2.0, 3.0)
    g = gleed.tensor([0.5, -1.5, 2.0], dtype=gleed.float64)
    (x * x + x * 3).backward(g)
    expected = [0.5 * 5.0, -1.5 * -1.0, 2.0 * 9.0]
    assert x.grad.tolist() == expected
    (x * x + x * 3).backward(g)
    assert x.grad.tolist() == [2 * e for e in expected]


def test_one_tensor_on_many_paths():
    x = leaf(2.0)
    y = x
    for _ in range(10):
        y = y + y
    (y + x + y * x).sum().backward()
    assert x.grad.tolist() == [1024 + 1 + 1024 * 4]


def test_the_same_argument_twice():
    x = leaf(3.0, 4.0)
    (x * x).sum().backward()
    assert x.grad.tolist() == [6.0, 8.0]


def test_broadcast_arguments_get_sums():
    x, y = leaf(1.0, 2.0, 3.0), gleed.tensor([[10.0], [20.0]], dtype=gleed.float64).requires_grad_()
    g = gleed.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=gleed.float64)
    (x * y).backward(g)
    assert x.grad.tolist() == [10 + 80, 20 + 100, 30 + 120]
    assert y.grad.tolist() == [[1 + 4 + 9], [4 + 10 + 18]]


def test_gradients_never_share_memory():
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    g = gleed.tensor([1.0, 1.0], dtype=gleed.float64)
    (x + y).backward(g)
    x.grad.mul_(10)
    assert y.grad.tolist() == [1.0, 1.0]
    assert g.tolist() == [1.0, 1.0]
    z = leaf(1.0, 1.0)
    z.view(2, 1).sum().backward()
    again = z.grad
    z.sum().backward()
    assert again is z.grad
    assert z.grad.tolist() == [2.0, 2.0]


def test_grad_has_the_layout_of_its_leaf():
    x = gleed.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).t().requires_grad_()
    x.t().contiguous().sum().backward()
    assert x.grad.stride() == x.stride()
    y = gleed.zeros(3, 2, requires_grad=True)
    (y.t() * gleed.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])).sum().backward()
    assert y.grad.is_contiguous()
    assert y.grad.tolist() == [[1, 4], [2, 5], [3, 6]]


def test_non_contiguous_and_empty_cotangents():
    x = gleed.zeros(2, 3, requires_grad=True)
    g = gleed.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]).t()
    (x * 2).backward(g)
    assert x.grad.tolist() == [[2, 6, 10], [4, 8, 12]]
    e = gleed.zeros(0, 3, requires_grad=True)
    (e * 2).backward(gleed.zeros(0, 3))
    assert e.grad.shape == (0, 3)


@pytest.mark.parametrize(
    "dtype", [gleed.float32, gleed.float64, gleed.float16, gleed.bfloat16], ids=str
)
def test_scalars_of_every_float_need_no_cotangent(dtype):
    x = gleed.tensor([2.0, 3.0], dtype=dtype, requires_grad=True)
    (x * x).sum().backward()
    assert x.grad.dtype is dtype
    assert x.grad.tolist() == [4.0, 6.0]
    y = gleed.tensor([[2.0]], dtype=dtype, requires_grad=True)
    (y * 3).backward()
    assert y.grad.tolist() == [[3.0]]


def test_a_root_may_be_a_leaf_and_come_twice():
    x = leaf(1.0)
    x.backward()
    autograd.backward([x, x * 2])
    assert x.grad.tolist() == [1 + 1 + 2]


def test_several_roots_where_one_lies_behind_another():
    x = leaf(2.0)
    y = x * x
    z = y * 3
    autograd.backward([z, y])
    assert x.grad.tolist() == [12.0 + 4.0]


def test_retain_graph():
    x = leaf(3.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [12.0]
    message = (
        "backward: the graph was freed by an earlier backward; MulBackward0 needs values that it "
        "saved and that are gone; give the earlier backward() or grad() retain_graph=True"
    )
    with pytest.raises(GradientError, match=f"^{re.escape(message)}$"):
        y.backward()


def test_a_graph_that_saved_nothing_can_be_used_again():
    x = leaf(1.0)
    y = (x + 1).sum()
    y.backward()
    y.backward()
    assert x.grad.tolist() == [2.0]


def test_inputs_are_the_only_ones_that_change():
    x, y = leaf(1.0), leaf(2.0)
    middle = x * 3
    (middle * y).sum().backward(inputs=[x])
    assert x.grad.tolist() == [6.0]
    assert y.grad is None
    z = x * 3
    (z * y).sum().backward(inputs=z)
    with pytest.warns(UserWarning, match="grad: only leaves keep"):
        (x * 1).grad  # noqa: B018
    assert z.grad.tolist() == [2.0]


def test_grad_returns_and_touches_nothing():
    x, y = leaf(2.0), leaf(5.0)
    middle = x * y
    out = (middle * middle).sum()
    gx, gm, gy = autograd.grad(out, [x, middle, y])
    assert (gx.tolist(), gm.tolist(), gy.tolist()) == ([100.0], [20.0], [40.0])
    assert x.grad is None
    assert y.grad is None


def test_grad_of_the_output_itself_and_of_repeated_inputs():
    x = leaf(2.0)
    y = (x * x).sum()
    gy, gx, again = autograd.grad(y, [y, x, x])
    assert (gy.item(), gx.tolist(), again.tolist()) == (1.0, [4.0], [4.0])


def test_grad_does_no_work_off_the_way():
    x, y = leaf(2.0), leaf(5.0)
    calls = []
    side = y * 2
    side.register_hook(lambda g: calls.append(g))
    autograd.grad((x * 3 + side).sum(), x)
    assert not calls


def test_unused_inputs():
    x, y = leaf(1.0), leaf(2.0, 3.0)
    with pytest.raises(GradientError, match=r"^grad: every input is part of the graph; input 1 "):
        autograd.grad((x * 2).sum(), [x, y])
    assert autograd.grad((x * 2).sum(), [x, y], allow_unused=True)[1] is None
    found = autograd.grad((x * 2).sum(), [x, y], materialize_grads=True)
    assert found[1].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda x: x.detach().backward(),
            GradientError,
            "backward: the tensor has no history; tensor 0 does not require grad; make it depend "
            "on one with requires_grad=True, outside of no_grad",
        ),
        (
            lambda x: (x * 2).backward(),
            GradientError,
            "backward: a gradient can be left out for a tensor of one element only; the tensor is "
            f"{gleed.Size((3,))}; call .sum() or .mean() first, or give `gradient` of that shape",
        ),
        (
            lambda x: (x * 2).backward(gleed.zeros(2, dtype=gleed.float64)),
            ShapeError,
            "backward: a gradient has the shape and dtype of its tensor; the tensor is "
            f"{gleed.Size((3,))} float64, the gradient {gleed.Size((2,))} float64; "
            "reshape or convert it",
        ),
        (
            lambda x: (x * 2).backward(gleed.zeros(3)),
            ShapeError,
            "backward: a gradient has the shape and dtype of its tensor; the tensor is "
            f"{gleed.Size((3,))} float64, the gradient {gleed.Size((3,))} float32; "
            "reshape or convert it",
        ),
        (
            lambda x: (x * 2).backward("ones"),
            ArgumentError,
            "backward: a gradient is a tensor or None; number 0 is a str",
        ),
        (
            lambda x: x.sum().backward(inputs=[]),
            ArgumentError,
            "backward: `inputs` names the tensors that are wanted; it is empty; "
            "leave it out to reach all leaves",
        ),
        (
            lambda x: autograd.grad(x.sum(), x.detach()),
            GradientError,
            "backward: an input requires grad; input 0 does not; call requires_grad_() on it "
            "before it is used",
        ),
        (
            lambda x: autograd.backward([x.sum()], [None, None]),
            ArgumentError,
            "backward: one gradient per output is expected; 2 came for 1; "
            "put None where an output of one element needs none",
        ),
        (
            lambda x: autograd.backward([x.sum(), 3]),
            ArgumentError,
            "backward: the outputs are tensors; number 1 is a int",
        ),
    ],
)
def test_bad_calls(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call(leaf(1.0, 2.0, 3.0))


def test_an_error_in_backward_leaves_everything_usable():
    x, y = leaf(1.0), leaf(2.0)
    out = (x * y).sum()

    def fail(gradient):
        raise KeyError("mine")

    handle = out.register_hook(fail)
    with pytest.raises(KeyError, match="mine"):
        out.backward(retain_graph=True)
    handle.remove()
    out.backward()
    assert x.grad.tolist() == [2.0]


def test_wide_nodes_need_more_than_one_mask_word():
    parts = [leaf(float(i)) for i in range(100)]
    whole = gleed.cat(parts)
    pieces = whole.unbind()
    (pieces[3] * 2 + pieces[70] * 5 + pieces[99]).backward()
    assert [p.grad.item() for p in parts if p.grad is not None and p.grad.item()] == [2, 5, 1]
    x = leaf(*range(100))
    pieces = x.unbind()
    pieces[99].backward()
    assert x.grad.tolist() == [0.0] * 99 + [1.0]


def test_requires_grad_can_be_set_on_leaves_only():
    x = gleed.zeros(2)
    assert not x.requires_grad
    x.requires_grad = True
    y = x * 2
    assert y.requires_grad
    assert not y.is_leaf
    with pytest.raises(GradientError, match="only that of a leaf can be switched off"):
        y.requires_grad = False
    y.requires_grad = True
    x.requires_grad_(False)
    assert not (x * 2).requires_grad
    with pytest.raises(GradientError, match="only tensors of floating-point or complex numbers"):
        gleed.zeros(2, dtype=gleed.int64).requires_grad_()


def test_grad_can_be_assigned_checked_and_deleted():
    x = leaf(1.0, 2.0)
    x.grad = gleed.zeros(2, dtype=gleed.float64)
    x.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]
    del x.grad
    assert x.grad is None
    with pytest.raises(ShapeError, match=r"^grad: a gradient has the shape and dtype"):
        x.grad = gleed.zeros(3, dtype=gleed.float64)
    with pytest.raises(ArgumentError, match=r"^grad: a tensor or None is expected; got a int"):
        x.grad = 3
    with pytest.raises(GradientError, match="cannot be its own gradient"):
        x.grad = x
    assert x.grad is None


def test_detach_and_data():
    x = leaf(1.0, 2.0)
    y = x * 2
    d = y.detach()
    assert not d.requires_grad
    assert d.is_leaf
    assert d.data_ptr() == y.data_ptr()
    x.data = gleed.tensor([5.0, 6.0, 7.0], dtype=gleed.float64)
    assert x.is_leaf
    assert x.requires_grad
    assert x.tolist() == [5.0, 6.0, 7.0]
    x.data.mul_(2)
    assert x.tolist() == [10.0, 12.0, 14.0]
    z = leaf(1.0) * 3
    z.detach_()
    assert z.is_leaf
    assert not z.requires_grad
    w = leaf(1.0, 2.0)
    (w * w).sum().backward()
    w.data = gleed.zeros(3, dtype=gleed.float64)
    with pytest.raises(ShapeError, match=r"was \.data replaced between forward and backward"):
        (w * w).sum().backward()


@pytest.mark.parametrize("used", [(0, 1, 2), (0, 1), (1, 2), (0, 2), (1,)])
def test_parts_of_a_split_give_one_gradient(used):
    x = gleed.randn(4, 7, requires_grad=True)
    weights = [gleed.randn(4, n) for n in (1, 4, 2)]
    parts = x.split([1, 4, 2], 1)
    sum((parts[i] * parts[i] * weights[i]).sum() for i in used).backward()
    expected = gleed.zeros(4, 7)
    for i in used:
        start = (0, 1, 5)[i]
        expected[:, start : start + weights[i].shape[1]] = (2 * parts[i] * weights[i]).detach()
    assert gleed.allclose(x.grad, expected)


def test_the_gradient_of_all_parts_fills_no_zeros_first():
    x = gleed.randn(4, 6, requires_grad=True)
    g = [gleed.randn(4, 2) for _ in range(3)]
    launches = []
    for _ in range(2):
        parts = x.split(2, 1)
        before = gleed._C.engine_stats()["launches"]
        (found,) = autograd.grad(parts, x, g)
        launches.append(gleed._C.engine_stats()["launches"] - before)
    assert gleed.equal(found, gleed.cat(g, 1))
    assert launches[-1] == 3
