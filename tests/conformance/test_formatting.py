"""Tensors of all kinds print as PyTorch's do, but for the name."""

import math
import random

import pytest
import torch

import gleed
from gleed.formatting import set_printoptions, tensor_repr

DTYPES = [
    *("float64", "float32", "float16", "bfloat16"),
    *("int64", "int32", "int16", "int8", "uint8", "bool"),
]
SIZES = [0, 1, 2, 3, 5, 6, 7, 8, 9, 13]
SPECIAL = [math.nan, math.inf, -math.inf, 0.0, -0.0]
EXAMPLES = 150


@pytest.fixture(autouse=True)
def default_options():
    yield
    set_printoptions(profile="default")
    torch.set_printoptions(profile="default")


def example(random, dtype):
    """A tensor of PyTorch's with a random shape, scale and layout."""
    shape = [random.choice(SIZES) for _ in range(random.choice([0, 1, 1, 2, 2, 3, 4]))]
    if shape and random.random() < 0.15:
        shape = [*shape[1:2], random.choice([40, 100, 1001])]
    generator = torch.Generator().manual_seed(random.randrange(2**31))
    values = torch.randn(shape, dtype=torch.float64, generator=generator)
    if not dtype.is_floating_point:
        return (values * random.choice([1, 10, 100])).to(torch.int64).to(dtype)
    values = values * 10 ** random.uniform(-6, 10)
    if random.random() < 0.3:
        values = values.round()
    if random.random() < 0.2:
        values = values * random.choice(SPECIAL)
    if values.numel() and random.random() < 0.3:
        values.view(-1)[random.randrange(values.numel())] = random.choice(SPECIAL)
    return values.to(dtype)


def options(random):
    if random.random() < 0.5:
        return {}
    return {
        "precision": random.choice([0, 1, 2, 4, 8]),
        "threshold": random.choice([0, 5, 20, 1000]),
        "edgeitems": random.choice([0, 1, 2, 3, 5]),
        "linewidth": random.choice([1, 20, 40, 80, 120]),
        "sci_mode": random.choice([None, True, False]),
    }


@pytest.mark.parametrize("dtype", DTYPES)
def test_random_tensors_print_the_same(dtype):
    choices = random.Random(dtype)
    for _ in range(EXAMPLES):
        theirs = example(choices, getattr(torch, dtype))
        ours = gleed.tensor(theirs.tolist(), dtype=getattr(gleed, dtype)).reshape(theirs.shape)
        if theirs.ndim > 1 and choices.random() < 0.3:
            theirs, ours = theirs.transpose(0, -1), ours.transpose(0, -1)
        if theirs.is_floating_point() and choices.random() < 0.3:
            theirs.requires_grad_()
            ours.requires_grad_()
        given = options(choices)
        torch.set_printoptions(profile="default", **given)
        set_printoptions(profile="default", **given)
        assert tensor_repr(ours) == repr(theirs).replace("torch.", "gleed."), given


@pytest.mark.parametrize(
    "expression",
    [
        *("x + 1", "x - 1", "x * x", "x / 2", "-x", "x @ x", "x[0]", "x[:, 1:]"),
        *("x.exp()", "x.sum()", "x.mean()", "x.view(4)", "x.t()", "x.relu()", "x.clone()"),
        "x.softmax(1)",
    ],
)
def test_functions_of_gradients_have_the_same_names(expression):
    ours, theirs = (
        repr(eval(expression, {"x": library.ones(2, 2, requires_grad=True)}))
        for library in (gleed, torch)
    )
    assert ours == theirs
