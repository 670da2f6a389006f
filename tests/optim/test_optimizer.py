"""Optimizer: groups, state, hooks, copies, text, errors."""

import copy
import pickle

import pytest

import gleed
from gleed import nn, optim
from gleed.optim.optimizer import required


def weight(*values):
    return nn.Parameter(gleed.tensor(values or [1.0, 2.0]))


def step(optimizer, gradient=1.0):
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = gleed.full_like(parameter.detach(), gradient)
    optimizer.step()


def test_groups_take_defaults():
    a, b, c = weight(), weight(), weight()
    optimizer = optim.SGD([{"params": a, "lr": 0.5}, {"params": [b]}], lr=0.1, momentum=0.9)
    optimizer.add_param_group({"params": iter([c]), "momentum": 0})
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.1, 0.1]
    assert [group["momentum"] for group in optimizer.param_groups] == [0.9, 0.9, 0]
    step(optimizer)
    assert [float(p[0].detach()) for p in (a, b, c)] == pytest.approx([0.5, 0.9, 0.9])


def test_named_parameters():
    net = nn.Linear(2, 1)
    optimizer = optim.SGD(net.named_parameters(), lr=0.1)
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert optimizer.param_groups[0]["params"][1] is net.bias
    with pytest.raises(ValueError, match="got 1 with and 1 without"):
        optim.SGD([("a", weight()), weight()])


def test_learning_rates_may_change_between_steps():
    a = weight(1.0)
    optimizer = optim.SGD([a], lr=0.5)
    step(optimizer)
    optimizer.param_groups[0]["lr"] = 0.25
    step(optimizer)
    optimizer.param_groups[0]["lr"] = gleed.tensor(0.125)
    step(optimizer)
    assert a.tolist() == [0.125]


def test_parameters_without_a_gradient_are_left_alone():
    a, b = weight(1.0), weight(1.0)
    optimizer = optim.Adam([a, b], lr=0.1)
    optimizer.step()
    assert not optimizer.state
    a.grad = gleed.ones(1)
    optimizer.step()
    assert b.tolist() == [1.0] and list(optimizer.state) == [a]


def test_replaced_parameter_and_state_are_used():
    a = weight(1.0)
    optimizer = optim.SGD([a], lr=1.0, momentum=0.5)
    step(optimizer)
    b = weight(10.0)
    optimizer.param_groups[0]["params"][0] = b
    optimizer.state[b] = optimizer.state.pop(a)
    optimizer.state[b]["momentum_buffer"] = gleed.full((1,), 4.0)
    step(optimizer)
    assert b.tolist() == [7.0] and a.tolist() == [0.0]
    optimizer.state.clear()
    step(optimizer)
    assert b.tolist() == [6.0]


def test_zero_grad():
    a = weight()
    optimizer = optim.SGD([a])
    a.grad = gleed.ones(2)
    gradient = a.grad
    optimizer.zero_grad(set_to_none=False)
    assert a.grad is gradient and gradient.tolist() == [0.0, 0.0]
    optimizer.zero_grad()
    assert a.grad is None


def test_zero_grad_forgets_where_gradients_came_from():
    a = weight(2.0)
    (a * a).sum().backward(create_graph=True)
    gradient = a.grad
    optim.SGD([a]).zero_grad(set_to_none=False)
    assert a.grad is gradient and gradient.tolist() == [0.0]
    assert not gradient.requires_grad


def test_closure():
    a = weight(1.0)
    optimizer = optim.SGD([a], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (a * 3).sum()
        loss.backward()
        return loss

    with gleed.no_grad():
        assert float(optimizer.step(closure).detach()) == 3
    assert a.tolist() == pytest.approx([0.7])


def test_updates_are_not_recorded():
    a = weight()
    optimizer = optim.Adam([a])
    step(optimizer)
    assert a.is_leaf and a.requires_grad
    assert not optimizer.state[a]["exp_avg"].requires_grad
    assert gleed.is_grad_enabled()


def test_stale_graphs_are_noticed():
    a = weight()
    loss = (a * a).sum()
    step(optim.SGD([a]))
    with pytest.raises(RuntimeError):
        loss.backward()


@pytest.mark.parametrize(
    "make",
    [
        lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
        lambda p: optim.Adam(p, lr=0.1, amsgrad=True),
        lambda p: optim.AdamW(p, lr=0.1),
    ],
)
def test_training_goes_on_from_a_saved_state(make):
    first, second = weight(), weight()
    optimizer = make([first])
    step(optimizer, 0.5)
    step(optimizer, -1.5)
    with gleed.no_grad():
        second.copy_(first)
    other = make([second])
    other.load_state_dict(optimizer.state_dict())
    kept = other.state[second]
    assert all(v.data_ptr() != optimizer.state[first][k].data_ptr() for k, v in kept.items())
    for gradient in (2.0, -0.25):
        step(optimizer, gradient)
        step(other, gradient)
    assert first.tolist() == second.tolist()


def test_state_dict_layout():
    a, b = weight(), weight()
    optimizer = optim.Adam([{"params": [a]}, {"params": [b], "lr": 0.5}])
    a.grad = gleed.ones(2)
    optimizer.step()
    state = optimizer.state_dict()
    assert list(state) == ["state", "param_groups"]
    assert list(state["state"]) == [0]
    assert list(state["state"][0]) == ["step", "exp_avg", "exp_avg_sq"]
    assert state["state"][0]["step"].dtype == gleed.float32
    assert [group["params"] for group in state["param_groups"]] == [[0], [1]]
    assert list(state["param_groups"][1])[-1] == "params"


def test_loading_converts_and_fills_in():
    a = nn.Parameter(gleed.ones(2, dtype=gleed.float64))
    optimizer = optim.Adam([a])
    state = {
        "state": {0: {"step": 3, "exp_avg": gleed.ones(2), "exp_avg_sq": gleed.ones(2)}},
        "param_groups": [{"lr": 0.25, "betas": (0.5, 0.5), "eps": 0.0, "params": [0]}],
    }
    optimizer.load_state_dict(state)
    assert optimizer.state[a]["exp_avg"].dtype == gleed.float64
    assert float(optimizer.state[a]["step"]) == 3
    assert optimizer.param_groups[0]["lr"] == 0.25
    assert optimizer.param_groups[0]["amsgrad"] is False
    assert state["param_groups"][0].keys() == {"lr", "betas", "eps", "params"}
    step(optimizer)
    assert float(optimizer.state[a]["step"]) == 4


def test_state_hooks():
    a, calls = weight(), []
    optimizer = optim.SGD([a])
    optimizer.register_state_dict_pre_hook(lambda o: calls.append("before save"))
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "extra": 1})
    optimizer.register_load_state_dict_pre_hook(lambda o, state: calls.append(state["extra"]))
    optimizer.register_load_state_dict_post_hook(lambda o: calls.append("after load"))
    optimizer.load_state_dict(optimizer.state_dict())
    assert calls == ["before save", 1, "after load"]


def test_step_hooks():
    optimizer, calls = optim.SGD([weight()]), []
    optimizer.register_step_pre_hook(lambda o, args, kwargs: calls.append((args, kwargs)))
    optimizer.register_step_pre_hook(lambda o, args, kwargs: ((lambda: 5,), {}))
    handle = optimizer.register_step_post_hook(lambda o, args, kwargs: calls.append("after"))
    assert optimizer.step() == 5
    assert calls == [((), {}), "after"]
    handle.remove()
    optimizer.register_step_pre_hook(lambda o, args, kwargs: 3)
    with pytest.raises(RuntimeError, match=r"returns None or the pair \(args, kwargs\)"):
        optimizer.step()


def test_optimizer_of_ones_own():
    class Sign(optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {"lr": 0.5})

        @gleed.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for parameter in group["params"]:
                    parameter.sub_(parameter.grad.sign(), alpha=group["lr"])

    a, calls = weight(), []
    optimizer = Sign([a])
    optimizer.register_step_post_hook(lambda *args: calls.append(1))
    step(optimizer, -3.0)
    assert a.tolist() == [1.5, 2.5] and calls == [1]


@pytest.mark.parametrize("make", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_copies(make):
    optimizer = optim.SGD([weight()], lr=0.5, momentum=0.5)
    optimizer.register_step_post_hook(lambda *args: 1 / 0)
    optimizer_copy = make(optimizer)
    step(optimizer_copy)
    (parameter,) = optimizer_copy.param_groups[0]["params"]
    assert parameter.tolist() == [0.5, 1.5]
    assert parameter in optimizer_copy.state and not optimizer.state


def test_repr():
    optimizer = optim.SGD([{"params": weight()}, {"params": weight(), "lr": 0.5}], lr=0.1)
    rest = "    maximize: False\n    momentum: 0\n    nesterov: False\n    weight_decay: 0\n"
    first = "    dampening: 0\n    differentiable: False\n    foreach: None\n    fused: None\n"
    assert repr(optimizer) == (
        f"SGD (\nParameter Group 0\n{first}    lr: 0.1\n{rest}"
        f"\nParameter Group 1\n{first}    lr: 0.5\n{rest})"
    )


def test_duplicates_warn():
    a = weight()
    with pytest.warns(
        UserWarning, match="a parameter should appear once in a group; 1 appear again"
    ):
        optim.SGD([a, a])


def shared():
    a = weight()
    return optim.SGD([{"params": [a]}, {"params": [a]}])


@pytest.mark.parametrize(
    ("act", "error", "text"),
    [
        (
            lambda: optim.SGD(weight()),
            TypeError,
            "SGD: params is an iterable of tensors or of groups; got a tensor of shape (2,); "
            "pass model.parameters(), or [tensor] for a single one",
        ),
        (
            lambda: optim.SGD([]),
            ValueError,
            "SGD: there must be something to optimize; got an empty parameter list; "
            "an iterator such as model.parameters() is empty once it has been used",
        ),
        (
            lambda: optim.SGD([3]),
            TypeError,
            "SGD: only tensors can be optimized; parameter 0 is 3 of type int; "
            "pass model.parameters()",
        ),
        (
            lambda: optim.SGD([weight(), weight() * 2]),
            ValueError,
            "SGD: can't optimize a tensor that is computed from others (a non-leaf); "
            "parameter 1 of shape (2,) is; "
            "optimize what it is computed from, or parameter.detach().requires_grad_()",
        ),
        (
            shared,
            ValueError,
            "SGD: some parameters appear in more than one parameter group; 1 of this group do; "
            "leave them out of one of the groups",
        ),
        (
            lambda: optim.SGD([weight()]).add_param_group([weight()]),
            TypeError,
            None,
        ),
        (
            lambda: optim.SGD([{"params": {weight()}}]),
            TypeError,
            "SGD: parameters need an order, by which their state is saved; got a set; pass a list",
        ),
        (
            lambda: optim.Optimizer([weight()], {"lr": required}),
            ValueError,
            "Optimizer: every group needs a value of lr; got a group without; "
            "pass lr= to the optimizer, or set it in the group",
        ),
        (
            lambda: optim.Optimizer([weight()], {}).step(),
            NotImplementedError,
            "Optimizer: an optimizer must say how it trains; it defines neither step nor _update; "
            "define step(self, closure=None)",
        ),
        (
            lambda: optim.SGD([weight()]).load_state_dict(
                optim.SGD([weight()] * 1 + [weight()]).state_dict()
            ),
            ValueError,
            "load_state_dict: the saved parameter groups must be those of this optimizer; "
            "they have [2] parameters and this one has [1]; "
            "make the optimizer with the same model and groups as the saved one",
        ),
        (
            lambda: optim.SGD([weight()], lr=-0.1),
            ValueError,
            "SGD: lr, the learning rate, is a number from 0 on; got -0.1; "
            "to climb instead, pass maximize=True",
        ),
        (
            lambda: optim.SGD([weight()], lr=float("nan")),
            ValueError,
            "SGD: lr, the learning rate, is a number from 0 on; got nan; "
            "to climb instead, pass maximize=True",
        ),
        (
            lambda: optim.SGD([weight()], nesterov=True),
            ValueError,
            "SGD: nesterov needs a momentum and no dampening; got momentum=0 and dampening=0; "
            "pass momentum=0.9, dampening=0",
        ),
        (
            lambda: optim.Adam([weight()], betas=(0.9, 1.0)),
            ValueError,
            "Adam: betas are from 0 to below 1; got 1.0 at index 1; (0.9, 0.999) is usual",
        ),
        (
            lambda: optim.AdamW([weight()], eps=-1),
            ValueError,
            "AdamW: eps is a number from 0 on; got -1; 1e-8 is usual",
        ),
        (
            lambda: optim.Adam([weight()], differentiable=True),
            RuntimeError,
            "Adam: a step overwrites the parameters and is not differentiable; got "
            "differentiable=True; write the step in ordinary operations to differentiate through "
            "it",
        ),
    ],
)
def test_errors(act, error, text):
    with pytest.raises(error) as caught:
        act()
    if text is not None:
        assert str(caught.value) == text
