"""Hooks: their order, what they may replace, and how they go away."""

import gc

import pytest

import gleed
from gleed import nn
from gleed.hooks import HookTable


def double(module, args, output):
    return output * 2


def test_forward_hooks_run_in_order_and_may_replace():
    identity = nn.Identity()
    seen = []
    identity.register_forward_hook(lambda m, args, out: seen.append(("first", float(out))))
    identity.register_forward_hook(double)
    identity.register_forward_hook(lambda m, args, out: seen.append(("last", float(out))))
    identity.register_forward_hook(lambda m, a, o: seen.append(("prepended", 0)), prepend=True)
    assert float(identity(gleed.tensor(3.0))) == 6
    assert seen == [("prepended", 0), ("first", 3), ("last", 6)]


def test_removing_a_hook_restores_the_direct_call():
    identity = nn.Identity()
    handle = identity.register_forward_hook(double)
    assert identity._hooked
    handle.remove()
    handle.remove()
    assert float(identity(gleed.tensor(3.0))) == 3
    assert not identity._hooked
    with identity.register_forward_hook(double):
        assert float(identity(gleed.tensor(3.0))) == 6
    assert float(identity(gleed.tensor(3.0))) == 3


def test_pre_hooks_replace_arguments():
    identity = nn.Identity()
    identity.register_forward_pre_hook(lambda m, args: args[0] + 1)
    identity.register_forward_pre_hook(lambda m, args: (args[0] * 10,))
    assert float(identity(gleed.tensor(3.0))) == 40


def test_hooks_with_keyword_arguments():
    class Sum(nn.Module):
        def forward(self, a, b=0.0):
            return a + b

    module, seen = Sum(), []
    module.register_forward_pre_hook(lambda m, args, kwargs: (args, {"b": 5.0}), with_kwargs=True)
    module.register_forward_pre_hook(lambda m, args, kwargs: None, with_kwargs=True)
    module.register_forward_hook(
        lambda m, args, kwargs, out: seen.append((args, kwargs)), with_kwargs=True
    )
    assert float(module(gleed.tensor(1.0), b=2.0)) == 6
    assert seen == [((1.0,), {"b": 5.0})]


def test_pre_hook_with_a_wrong_result():
    identity = nn.Identity()
    identity.register_forward_pre_hook(lambda m, args, kwargs: 3, with_kwargs=True)
    with pytest.raises(
        RuntimeError, match=r"returns None or the pair \(args, kwargs\); .* returned 3"
    ):
        identity(gleed.ones(1))


def test_always_call_runs_after_an_error():
    class Failing(nn.Module):
        def forward(self, x):
            raise ArithmeticError

    module, seen = Failing(), []
    module.register_forward_hook(lambda m, a, out: seen.append("never"))
    module.register_forward_hook(lambda m, a, out: seen.append(out), always_call=True)
    with pytest.raises(ArithmeticError):
        module(gleed.ones(1))
    assert seen == [None]
    module.register_forward_hook(lambda m, a, out: 1 / 0, always_call=True)
    with (
        pytest.raises(ArithmeticError),
        pytest.warns(UserWarning, match="a hook with always_call failed: ZeroDivisionError"),
    ):
        module(gleed.ones(1))


def test_full_backward_hook_sees_both_gradients():
    linear, seen = nn.Linear(2, 1), []
    linear.register_full_backward_hook(lambda m, gin, gout: seen.append((gin, gout)))
    x = gleed.tensor([[1.0, 2.0]], requires_grad=True)
    (linear(x) * 3).sum().backward()
    ((grad_input,), (grad_output,)) = seen[0]
    assert grad_output.tolist() == [[3.0]]
    assert (grad_input == linear.weight * 3).all()
    assert (x.grad == grad_input).all()
    assert linear.weight.grad.tolist() == [[3.0, 6.0]]


def test_backward_hooks_replace_gradients():
    linear = nn.Linear(2, 1)
    linear.register_full_backward_pre_hook(lambda m, gout: (gout[0] * 2,))
    linear.register_full_backward_hook(lambda m, gin, gout: (gin[0] * 0 + 5,))
    x = gleed.ones(1, 2, requires_grad=True)
    linear(x).sum().backward()
    assert x.grad.tolist() == [[5.0, 5.0]]
    assert linear.bias.grad.tolist() == [2.0]


def test_backward_hook_without_gradients_of_inputs():
    linear, seen = nn.Linear(2, 1), []
    linear.register_full_backward_hook(lambda m, gin, gout: seen.append(gin))
    linear(gleed.ones(1, 2)).sum().backward()
    assert seen == [(None,)]
    with gleed.no_grad():
        linear(gleed.ones(1, 2))
    assert len(seen) == 1


def test_backward_hook_with_several_inputs_and_outputs():
    class Pair(nn.Module):
        def forward(self, a, scale, b):
            return a * scale, b, "text"

    module, seen = Pair(), []
    module.register_full_backward_hook(lambda m, gin, gout: seen.append((gin, gout)))
    a, b = gleed.ones(2, requires_grad=True), gleed.ones(2)
    first, second, text = module(a, 3.0, b)
    first.sum().backward()
    grad_input, grad_output = seen[0]
    assert text == "text" and second is b
    assert grad_input[0].tolist() == [3.0, 3.0] and grad_input[1:] == (None, None)
    assert grad_output[0].tolist() == [1.0, 1.0] and grad_output[1:] == (None, None)


def test_backward_hook_with_a_wrong_number_of_gradients():
    linear = nn.Linear(2, 1)
    linear.register_full_backward_hook(lambda m, gin, gout: (gin[0], gin[0]))
    loss = linear(gleed.ones(1, 2, requires_grad=True)).sum()
    with pytest.raises(RuntimeError, match="it was given 1 and returned 2"):
        loss.backward()


def test_handle_does_not_keep_the_module_alive():
    handle = nn.Identity().register_forward_hook(double)
    gc.collect()
    assert handle._table() is None
    handle.remove()


def test_table_orders_by_registration():
    table = HookTable()
    table.add("a")
    table.add("b")
    table.add("c", prepend=True)
    assert list(table.values()) == ["c", "a", "b"]
