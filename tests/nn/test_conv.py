"""Convolution modules: padding modes, output sizes, repr, checks."""

import math

import pytest

import gleed
from gleed import nn
from gleed.errors import RangeError, ShapeError
from gleed.nn import functional as F

TEXTS = {
    "Conv1d(4, 6, 3)": "Conv1d(4, 6, kernel_size=(3,), stride=(1,))",
    "Conv2d(4, 6, (3, 2), 2, 1, bias=False)": (
        "Conv2d(4, 6, kernel_size=(3, 2), stride=(2, 2), padding=(1, 1), bias=False)"
    ),
    "Conv2d(4, 4, 3, padding='same', groups=4, padding_mode='reflect')": (
        "Conv2d(4, 4, kernel_size=(3, 3), stride=(1, 1), padding=same, groups=4, "
        "padding_mode=reflect)"
    ),
    "ConvTranspose3d(2, 4, 2, 3, output_padding=1, dilation=2)": (
        "ConvTranspose3d(2, 4, kernel_size=(2, 2, 2), stride=(3, 3, 3), dilation=(2, 2, 2), "
        "output_padding=(1, 1, 1))"
    ),
}


@pytest.mark.parametrize("source", TEXTS)
def test_repr(source):
    assert repr(eval(f"nn.{source}", {"nn": nn})) == TEXTS[source]


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_padding_modes(mode):
    gleed.manual_seed(0)
    module = nn.Conv2d(3, 5, (3, 2), padding=(2, 1), padding_mode=mode)
    x = gleed.randn(2, 3, 6, 7)
    around = F.pad(x, (1, 1, 2, 2), mode=mode)
    assert gleed.equal(module(x), F.conv2d(around, module.weight, module.bias))


def test_same_padding_of_an_even_kernel_has_more_behind():
    module = nn.Conv1d(1, 1, 4, padding="same", padding_mode="replicate", bias=False)
    x = gleed.tensor([[1.0, 2.0, 3.0]])
    around = gleed.tensor([[1.0, 1.0, 2.0, 3.0, 3.0, 3.0]])
    assert gleed.equal(module(x), F.conv1d(around, module.weight))


@pytest.mark.parametrize("module", [nn.Conv2d(6, 4, 3, groups=2), nn.ConvTranspose2d(4, 6, 3)])
def test_initial_values(module):
    bound = 1 / math.sqrt(module.weight[0].numel())
    for parameter in (module.weight, module.bias):
        assert parameter.abs().max().item() <= bound
    assert module.weight.std().item() > bound / 3


def test_output_size():
    module = nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1)
    x = gleed.randn(1, 2, 4, 5)
    assert module(x).shape == (1, 3, 7, 9)
    assert module(x, output_size=(8, 9)).shape == (1, 3, 8, 9)
    assert module(x[0], (3, 7, 10)).shape == (3, 7, 10)
    with pytest.raises(ShapeError) as raised:
        module(x, (9, 9))
    assert str(raised.value) == (
        "ConvTranspose2d: output_size must lie between [7, 9] and [8, 10] for an input of "
        "[1, 2, 4, 5]; got [9, 9]; choose a size between them"
    )


BAD = {
    "Conv2d(3, 4, 3, groups=2)": (
        "Conv2d: groups divide in_channels; got groups=2 and in_channels=3; choose a divisor"
    ),
    "Conv2d(4, 3, 3, groups=2)": (
        "Conv2d: groups divide out_channels; got groups=2 and out_channels=3; choose a divisor"
    ),
    "Conv2d(4, 4, (3, 3, 3))": (
        "Conv2d: kernel_size is one number or 2, one for each spatial axis; got (3, 3, 3); give "
        "as many as there are axes"
    ),
    "Conv1d(4, 4, 3, padding_mode='wrap')": (
        "Conv1d: padding_mode is one of zeros, reflect, replicate, circular; got 'wrap'; correct "
        "the name"
    ),
    "ConvTranspose1d(4, 4, 3, padding_mode='reflect')": (
        "ConvTranspose1d: padding_mode is one of zeros; got 'reflect'; correct the name"
    ),
    "Conv1d(4, 4, 3, padding='full')": (
        'Conv1d: padding is a number, "same" or "valid"; got \'full\'; correct the name'
    ),
    "Conv1d(4, 4, 3, 2, padding='same')": (
        'Conv1d: padding="same" keeps the size, so the stride is 1; got stride (2,); give the '
        "padding in numbers"
    ),
}


@pytest.mark.parametrize("source", BAD)
def test_bad_arguments(source):
    with pytest.raises(RangeError) as raised:
        eval(f"nn.{source}", {"nn": nn})
    assert str(raised.value) == BAD[source]
