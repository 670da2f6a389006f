"""`vmap` and `func` against PyTorch's: the same programs, in both libraries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import gleed

Numbers = np.random.default_rng(0)
LIBRARIES = (torch, gleed)


def both(program: Callable[..., Any], *arrays: Any) -> None:
    """A program gives the same with both libraries: dtypes, shapes, values."""
    found = []
    for lib in LIBRARIES:
        tensors = [lib.tensor(a) for a in arrays]
        for _ in range(2):  # the second time gleed runs what it has kept
            result = program(lib, *tensors)
        found.append(flat(result))
    for expected, got in zip(*found, strict=True):
        assert str(expected.dtype).split(".")[1] == str(got.dtype).split(".")[1]
        assert tuple(expected.shape) == tuple(got.shape)
        np.testing.assert_allclose(got.detach().numpy(), expected.detach().numpy(), 2e-4, 2e-5)


def flat(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value)]
    return [t for v in value for t in flat(v)] if isinstance(value, list | tuple) else [value]


def array(*shape: int) -> Any:
    return Numbers.standard_normal(shape).astype("float32")


def network(lib: Any, *layers: Any) -> Any:
    """A network with the same numbers in both libraries."""
    model = lib.nn.Sequential(*layers)
    numbers = np.random.default_rng(7)
    state = {
        name: lib.tensor(numbers.standard_normal(tuple(p.shape)).astype("float32") * 0.3)
        for name, p in model.named_parameters()
    }
    return model, state


def mlp(lib: Any) -> Any:
    return network(lib, lib.nn.Linear(6, 8), lib.nn.Tanh(), lib.nn.Linear(8, 4))


def cnn(lib: Any) -> Any:
    nn = lib.nn
    return network(lib, nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 2),
                   nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4, 4))  # fmt: skip


@pytest.mark.parametrize(("make", "shape"), [(mlp, (6,)), (cnn, (2, 8, 8))])
def test_per_sample_gradients(make: Any, shape: tuple[int, ...]) -> None:
    def program(lib: Any, x: Any, t: Any) -> Any:
        model, state = make(lib)

        def loss(state: Any, x: Any, t: Any) -> Any:
            y = lib.func.functional_call(model, state, (x.unsqueeze(0),))
            return lib.nn.functional.cross_entropy(y, t.unsqueeze(0))

        return lib.func.vmap(lib.func.grad_and_value(loss), (None, 0, 0))(state, x, t)

    both(program, array(5, *shape), Numbers.integers(0, 4, 5))


def test_ensemble() -> None:
    def program(lib: Any, x: Any) -> Any:
        model, state = mlp(lib)
        many = {name: lib.stack([p, p * 2, -p]) for name, p in state.items()}
        call = lambda state, x: lib.func.functional_call(model, state, (x,))  # noqa: E731
        return [lib.vmap(call, in_dims=(0, None))(many, x), lib.vmap(call)(many, x[:3])]

    both(program, array(7, 6))


PROGRAMS = {
    "in_dims": lambda lib, x, y: lib.vmap(lambda x, y: x @ y, in_dims=(1, -1))(x, y.T),
    "out_dims": lambda lib, x, y: lib.vmap(lambda x: (x, x.sum(), 2 * x), out_dims=(1, 0, -1))(x),
    "nested dims": lambda lib, x, y: lib.vmap(
        lambda p: p["a"] * p["b"][0], in_dims=({"a": 0, "b": (None, 1)},)
    )({"a": x, "b": (y[0], y)}),
    "shared": lambda lib, x, y: lib.vmap(lambda a: y.sum(0) * 2)(x),
    "chunks": lambda lib, x, y: lib.vmap(lambda a: a.softmax(0), in_dims=1, chunk_size=2)(x),
    "pairs": lambda lib, x, y: lib.vmap(
        lib.vmap(lambda a, b: (a - b).norm(), in_dims=(None, 0)), in_dims=(0, None)
    )(x, y),
    "grad": lambda lib, x, y: lib.vmap(lib.func.grad(lambda a, b: (a * b).sin().sum(), (0, 1)))(
        x, y
    ),
    "aux": lambda lib, x, y: lib.func.grad(lambda a: ((a * y).sum(), a.cos()), has_aux=True)(x),
    "jacrev": lambda lib, x, y: lib.func.jacrev(lambda a, b: (a @ b.T).tanh(), (0, 1))(x, y),
    "jacfwd": lambda lib, x, y: lib.func.jacfwd(lambda a: {"a": a @ y.T, "b": a.sum()})(x),
    "hessian": lambda lib, x, y: lib.func.hessian(lambda a: (a**3 * y).sum())(x),
    "hessians": lambda lib, x, y: lib.vmap(lib.func.hessian(lambda a: a.prod().sin()))(x),
    "vjp": lambda lib, x, y: lib.func.vjp(lambda a, b: (a * b, a.sum()), x, y)[1]((x, x.sum())),
    "index": lambda lib, x, y: lib.vmap(lambda a, i: a[i], in_dims=(0, None))(
        x, lib.tensor([2, 0, 2])
    ),
    "sort": lambda lib, x, y: lib.vmap(lambda a: a.sort(descending=True), in_dims=1)(x),
    "where": lambda lib, x, y: lib.vmap(lambda a, b: lib.where(a > 0, a, b * 2))(x, y),
    "einsum": lambda lib, x, y: lib.vmap(lambda a, b: lib.einsum("i,j->ij", a, b))(x, y),
    "no examples": lambda lib, x, y: lib.vmap(lambda a: ((a @ y).sum(), a, y.sum()))(x[:0]),
    "drawn": lambda lib, x, y: (
        lib.manual_seed(3),
        lib.vmap(lambda a: a + lib.rand(4), randomness="different")(x),
    )[1],
    "drawn once": lambda lib, x, y: (
        lib.manual_seed(3),
        lib.vmap(lambda a: a + lib.randn(4), randomness="same")(x),
    )[1],
}


# PyTorch's own use of torch.jit.
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name: str) -> None:
    both(PROGRAMS[name], array(4, 4), array(4, 4))


REFUSED = {
    "no arguments": lambda lib, x: lib.vmap(lambda: x)(),
    "no such axis": lambda lib, x: lib.vmap(lambda a: a, in_dims=2)(x),
    "not all of one size": lambda lib, x: lib.vmap(lambda a, b: a)(x, x[:2]),
    "nothing mapped": lambda lib, x: lib.vmap(lambda a: a, in_dims=(None,))(x),
    "no tensor": lambda lib, x: lib.vmap(lambda a, b: a)(x, 2.0),
    "another structure": lambda lib, x: lib.vmap(lambda a: a, in_dims=(0, 0))(x),
    "a number": lambda lib, x: lib.vmap(lambda a: 2.0)(x),
    "a value": lambda lib, x: lib.vmap(lambda a: a if a.sum() > 0 else -a)(x),
    "a draw": lambda lib, x: lib.vmap(lambda a: a + lib.rand(4))(x),
    "no scalar": lambda lib, x: lib.func.grad(lambda a: a * 2)(x),
    "integers": lambda lib, x: lib.func.grad(lambda a: a.sum())(x.long()),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    for lib in LIBRARIES:
        with pytest.raises((ValueError, RuntimeError, TypeError, IndexError)):
            REFUSED[name](lib, lib.ones(4, 4))
