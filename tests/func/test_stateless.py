"""`functional_call` and `stack_module_state`: per-sample gradients and ensembles."""

from __future__ import annotations

import re
from typing import Any

import pytest

import gleed
from gleed import nn
from gleed.errors import ArgumentError
from gleed.func import functional_call, grad, stack_module_state, vmap


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3, padding=1, groups=2),
        nn.GELU(), nn.Flatten(), nn.Linear(6 * 9, 5),
    )  # fmt: skip


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 16), nn.LayerNorm(16), nn.Tanh(), nn.Linear(16, 5))


def attention() -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    return nn.Sequential(layer, nn.Flatten(), nn.Linear(24, 5))


@pytest.mark.parametrize(("make", "shape"), [(mlp, (8,)), (cnn, (2, 8, 8)), (attention, (3, 8))])
def test_gradients_of_each_sample(make: Any, shape: tuple[int, ...]) -> None:
    gleed.manual_seed(0)
    model = make()
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def loss(parameters: Any, x: Any, t: Any) -> Any:
        y = functional_call(model, parameters, (x.unsqueeze(0),))
        return nn.functional.cross_entropy(y, t.unsqueeze(0))

    # Dropout draws even where it drops nothing.
    per_sample = vmap(grad(loss), in_dims=(None, 0, 0), randomness="different")
    for n in (4, 4, 6):
        x, t = gleed.randn(n, *shape), gleed.randint(0, 5, (n,))
        found = per_sample(parameters, x, t)
        model.zero_grad()
        nn.functional.cross_entropy(model(x), t, reduction="sum").backward()
        for name, p in model.named_parameters():
            one = grad(loss)(parameters, x[1], t[1])[name]
            assert gleed.allclose(found[name][1], one, atol=1e-5)
            assert gleed.allclose(found[name].sum(0), p.grad, atol=1e-4)


@pytest.mark.parametrize(("make", "shape"), [(mlp, (8,)), (cnn, (2, 8, 8))])
@pytest.mark.parametrize("shared", [True, False])
def test_ensembles(make: Any, shape: tuple[int, ...], shared: bool) -> None:
    models = [make() for _ in range(3)]
    parameters, buffers = stack_module_state(models)
    base = models[0]
    x = gleed.randn(4, *shape) if shared else gleed.randn(3, 4, *shape)
    f = vmap(
        lambda p, b, x: functional_call(base, (p, b), (x,)),
        in_dims=(0, 0, None if shared else 0),
    )
    inputs = [x] * 3 if shared else x
    for _ in range(2):
        expected = gleed.stack([m(one) for m, one in zip(models, inputs, strict=True)])
        found = f(parameters, buffers, x)
        assert gleed.allclose(found, expected, atol=1e-5)
        by_stack = gleed.autograd.grad(found.sin().sum(), list(parameters.values()))
        for name, g in zip(parameters, by_stack, strict=True):
            own = [dict(m.named_parameters())[name] for m in models]
            one = gleed.autograd.grad(expected.sin().sum(), own, retain_graph=True)
            assert gleed.allclose(g, gleed.stack(one), atol=1e-4)


def test_stacked_state() -> None:
    models = [nn.BatchNorm1d(3) for _ in range(2)]
    models[0].weight.requires_grad_(False)
    parameters, buffers = stack_module_state(models)
    assert parameters["bias"].is_leaf
    assert [p.requires_grad for p in parameters.values()] == [False, True]
    assert buffers["running_mean"].shape == (2, 3)
    assert buffers["num_batches_tracked"].shape == (2,)


# ---- functional_call
def test_a_module_is_left_as_it_is() -> None:
    layer = nn.Linear(2, 2)
    weight, x = layer.weight, gleed.randn(3, 2)
    state = {"weight": gleed.eye(2)}
    assert gleed.allclose(functional_call(layer, state, x), x + layer.bias)
    assert layer.weight is weight
    with pytest.raises(ValueError):
        functional_call(layer, state, gleed.randn(3, 5))
    assert layer.weight is weight


class Counts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", gleed.zeros(()))

    def forward(self, x: Any, *, scale: float = 1.0) -> Any:
        self.count = self.count + 1
        return x * self.count * scale


def test_what_is_assigned_goes_to_the_dictionary() -> None:
    module, state = Counts(), {"count": gleed.tensor(4.0)}
    assert functional_call(module, state, gleed.tensor(2.0), {"scale": 3.0}).item() == 30
    assert state["count"].item() == 5
    assert module.count.item() == 0


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(2, 2, bias=False)
        self.b = nn.Linear(2, 2, bias=False)
        self.b.weight = self.a.weight

    def forward(self, x: Any) -> Any:
        return self.a(x) + self.b(x)


def test_tied_weights() -> None:
    module, x = Tied(), gleed.randn(2)
    eye = gleed.eye(2)
    assert gleed.allclose(functional_call(module, {"a.weight": eye}, x), 2 * x)
    own = functional_call(module, {"a.weight": eye}, x, tie_weights=False)
    assert gleed.allclose(own, x + module.a(x))
    both = {"a.weight": eye, "b.weight": 2 * eye}
    assert gleed.allclose(functional_call(module, both, x, tie_weights=False), 3 * x)


@pytest.mark.parametrize(
    ("text", "call"),
    [
        (
            'functional_call: every name comes once; got "weight" in two dictionaries; leave one '
            "out",
            lambda m: functional_call(m, ({"weight": m.weight}, {"weight": m.weight}), m.weight),
        ),
        (
            'functional_call: names are those of parameters and buffers; "scale" is none of '
            "Linear; see named_parameters() and named_buffers()",
            lambda m: functional_call(m, {"scale": m.weight}, m.weight),
        ),
        (
            'functional_call: with strict, all parameters and buffers are given; "bias" is '
            "missing; give it, or strict=False",
            lambda m: functional_call(m, {"weight": m.weight}, m.weight, strict=True),
        ),
        (
            'functional_call: "a.weight" and "b.weight" are one tensor; got two for them; give '
            "one, or tie_weights=False",
            lambda m: functional_call(
                Tied(), {"a.weight": m.weight, "b.weight": m.weight * 2}, m.weight
            ),
        ),
        (
            "stack_module_state: there is at least one model; got none; pass a list of modules",
            lambda m: stack_module_state([]),
        ),
        (
            "stack_module_state: all models are of one class; got Linear and Tied; stack each kind "
            "on its own",
            lambda m: stack_module_state([m, Tied()]),
        ),
        (
            "stack_module_state: all models train, or all evaluate; got both; call train() or "
            "eval() on each",
            lambda m: stack_module_state([m, nn.Linear(2, 2).eval()]),
        ),
    ],
)
def test_errors(text: str, call: Any) -> None:
    with pytest.raises(ArgumentError, match=f"^{re.escape(text)}$"):
        call(nn.Linear(2, 2))
