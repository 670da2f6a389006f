"""Hooks on tensors and nodes, and grads that are kept."""

import pytest

import gleed
from gleed import autograd
from gleed.errors import ArgumentError, GradientError


@pytest.fixture
def x():
    return gleed.tensor([1.0, 2.0], requires_grad=True)


def test_a_hook_sees_the_complete_gradient_once(x):
    seen = []
    y = x * 2
    y.register_hook(lambda g: seen.append(g.tolist()))
    (y * 3 + y * 4).sum().backward()
    assert seen == [[7.0, 7.0]]


def test_a_hook_on_a_leaf_runs_before_accumulation(x):
    seen = []
    x.register_hook(lambda g: seen.append((g.tolist(), x.grad)))
    (x * 2 + x).sum().backward()
    assert seen == [([3.0, 3.0], None)]


def test_hooks_replace_gradients_in_order(x):
    y = x * 2
    y.register_hook(lambda g: g + 1)
    y.register_hook(lambda g: g * 10)
    y.sum().backward()
    assert x.grad.tolist() == [40.0, 40.0]


def test_removed_hooks_do_not_run(x):
    y = x * 2
    handle = y.register_hook(lambda g: g * 100)
    with y.register_hook(lambda g: g * 1000):
        pass
    handle.remove()
    handle.remove()
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_hooks_stay_with_the_graph_when_the_tensor_is_gone(x):
    seen = []

    def build():
        y = x * 2
        y.register_hook(lambda g: seen.append(g.tolist()))
        return y * 5

    build().sum().backward()
    assert seen == [[5.0, 5.0]]


def test_hooks_that_add_hooks(x):
    y = x * 2
    seen = []

    def first(g):
        y.register_hook(lambda g: seen.append("late"))
        seen.append("first")

    y.register_hook(first)
    y.sum().backward(retain_graph=True)
    assert seen == ["first"]
    y.sum().backward()
    assert seen == ["first", "first", "late"]


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (3, "register_hook: a hook returns a tensor or None; it returned a int"),
        (
            gleed.zeros(3),
            "register_hook: a hook keeps the shape and dtype of the gradient; it returned another",
        ),
        (
            gleed.zeros(2, dtype=gleed.float64),
            "register_hook: a hook keeps the shape and dtype of the gradient; it returned another",
        ),
    ],
)
def test_bad_results_of_hooks(x, result, message):
    y = x * 2
    y.register_hook(lambda g: result)
    with pytest.raises(GradientError, match=f"^{message}$"):
        y.sum().backward()


def test_what_cannot_have_hooks(x):
    with pytest.raises(GradientError, match=r"^register_hook: the tensor does not require grad"):
        gleed.zeros(2).register_hook(print)
    with pytest.raises(ArgumentError, match=r"^hook: a callable is expected; got a int"):
        x.register_hook(3)
    with pytest.raises(GradientError, match="only leaves that require grad accumulate"):
        (x * 2).register_post_accumulate_grad_hook(print)


def test_post_accumulate_hooks_get_the_leaf(x):
    seen = []

    def step(leaf):
        assert leaf is x
        seen.append(leaf.grad.tolist())
        leaf.grad = None

    handle = x.register_post_accumulate_grad_hook(step)
    (x * 3).sum().backward()
    assert seen == [[3.0, 3.0]]
    assert x.grad is None
    handle.remove()
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_retain_grad(x):
    y = x * 2
    y.retain_grad()
    y.retain_grad()
    assert y.retains_grad
    assert not x.retains_grad
    y.register_hook(lambda g: g * 10)
    (y * 3).sum().backward(retain_graph=True)
    assert y.grad.tolist() == [30.0, 30.0]
    (y * 3).sum().backward()
    assert y.grad.tolist() == [60.0, 60.0]
    z = x * 2
    z.retain_grad()
    total = (z * 3).sum()
    del z
    total.backward()
    with pytest.raises(GradientError, match=r"^retain_grad: the tensor does not require grad"):
        gleed.zeros(2).retain_grad()


def test_hooks_on_nodes(x):
    y = x * 2
    seen = []

    def post(grad_inputs, grad_outputs):
        seen.append([None if g is None else g.tolist() for g in grad_inputs + grad_outputs])
        return tuple(None if g is None else g * 10 for g in grad_inputs)

    y.grad_fn.register_hook(post)
    handle = y.grad_fn.register_prehook(lambda grads: (grads[0] + 1,))
    y.sum().backward(retain_graph=True)
    assert seen == [[[4.0, 4.0], [2.0, 2.0]]]
    assert x.grad.tolist() == [40.0, 40.0]
    handle.remove()
    y.grad_fn.register_hook(lambda grad_inputs, grad_outputs: "wrong")
    with pytest.raises(GradientError, match="a hook returns None or a tuple of 1 gradients"):
        y.sum().backward()


def test_nodes_as_objects(x):
    y = (x * 2).exp()
    node = y.grad_fn
    assert node is y.grad_fn
    assert node.name() == type(node).__name__ == "ExpBackward0"
    assert repr(node).startswith("<ExpBackward0 object at 0x")
    ((inner, slot),) = node.next_functions
    assert (inner.name(), slot) == ("MulBackward0", 0)
    accumulator = inner.next_functions[0][0]
    assert accumulator.name() == "AccumulateGrad"
    assert accumulator.variable is x
    node.metadata["note"] = 3
    del node
    assert y.grad_fn.metadata == {"note": 3}
    assert x.grad_fn is None
    with pytest.raises(TypeError):
        type(accumulator)()


def test_hooks_run_in_grad_too(x):
    y = x * 2
    y.register_hook(lambda g: g * 5)
    gy, gx = autograd.grad(y.sum(), [y, x])
    assert gy.tolist() == [5.0, 5.0]
    assert gx.tolist() == [10.0, 10.0]


def test_backward_inside_a_hook(x):
    w = gleed.tensor(3.0, requires_grad=True)

    def nested(g):
        assert not gleed.is_grad_enabled()
        with gleed.enable_grad():
            (w * w).backward()
        return g * w.grad

    y = x * 2
    y.register_hook(nested)
    y.sum().backward()
    assert w.grad.item() == 6.0
    assert x.grad.tolist() == [12.0, 12.0]


def test_hooks_may_write_to_what_they_get(x):
    def double(g):
        g.mul_(2)

    for _ in range(2):
        y = (x * 3).sum()
        y.register_hook(double)
        x.grad = None
        y.backward()
        assert x.grad.tolist() == [6.0, 6.0]
