"""How tensors are printed. The texts expected are PyTorch 2.13's, with gleed's name in them."""

import math
import time

import pytest

import gleed
from gleed.formatting import (
    get_printoptions,
    printoptions,
    set_printoptions,
    tensor_repr,
    tensor_str,
)

NAN, INF = math.nan, math.inf


@pytest.fixture(autouse=True)
def default_options():
    yield
    set_printoptions(profile="default")


@pytest.mark.parametrize(
    ("values", "dtype", "text"),
    [
        (1.5, "float32", "tensor(1.5000)"),
        (2.0, "float32", "tensor(2.)"),
        (0.0, "float32", "tensor(0.)"),
        (-0.0, "float32", "tensor(-0.)"),
        (NAN, "float32", "tensor(nan)"),
        (7, "int64", "tensor(7)"),
        (True, "bool", "tensor(True)"),
        ([1.0, 2.0], "float32", "tensor([1., 2.])"),
        ([1.0, -2.5], "float32", "tensor([ 1.0000, -2.5000])"),
        ([1.0, NAN, -INF], "float32", "tensor([1., nan, -inf])"),
        ([0.5, NAN, -INF], "float32", "tensor([0.5000,    nan,   -inf])"),
        ([1e-5, 1.0], "float32", "tensor([1.0000e-05, 1.0000e+00])"),
        ([1.0, 1001.0], "float32", "tensor([1.0000e+00, 1.0010e+03])"),
        ([1.0, 1000.0], "float32", "tensor([   1., 1000.])"),
        ([1e9, INF], "float32", "tensor([1.0000e+09,        inf])"),
        ([0.1, 0.2], "float64", "tensor([0.1000, 0.2000], dtype=gleed.float64)"),
        ([0.1, 2.0], "float16", "tensor([0.1000, 2.0000], dtype=gleed.float16)"),
        ([0.1, 2.0], "bfloat16", "tensor([0.1001, 2.0000], dtype=gleed.bfloat16)"),
        ([1, -10, 100], "int64", "tensor([  1, -10, 100])"),
        ([1, 2], "int32", "tensor([1, 2], dtype=gleed.int32)"),
        ([255], "uint8", "tensor([255], dtype=gleed.uint8)"),
        ([True, False], "bool", "tensor([ True, False])"),
        ([[1.0], [2.0]], "float32", "tensor([[1.],\n        [2.]])"),
        ([[[1], [2]], [[3], [4]]], "int64",
         "tensor([[[1],\n         [2]],\n\n        [[3],\n         [4]]])"),
        ([], "float32", "tensor([])"),
        ([], "int64", "tensor([], dtype=gleed.int64)"),
        ([[], []], "float32", "tensor([], size=(2, 0))"),
        ([[], []], "bool", "tensor([], size=(2, 0), dtype=gleed.bool)"),
    ],
)  # fmt: skip
def test_tensors_print_as_in_pytorch(values, dtype, text):
    assert tensor_repr(gleed.tensor(values, dtype=getattr(gleed, dtype))) == text


def test_numbers_in_f_strings_as_in_pytorch():
    half, three = gleed.tensor(0.5, requires_grad=True), gleed.tensor(3)
    assert (f"{half:.2f}", f"{half}", f"{three:>4d}") == ("0.50", "0.5", "   3")
    assert f"{gleed.ones(2)}" == "tensor([1., 1.])"
    with pytest.raises(TypeError, match="unsupported format string"):
        format(gleed.ones(1), ".2f")


def test_long_rows_are_wrapped():
    assert tensor_repr(gleed.arange(22)) == (
        "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,\n"
        "        18, 19, 20, 21])"
    )


def test_large_tensors_are_summarised():
    assert tensor_repr(gleed.arange(1001)) == "tensor([   0,    1,    2,  ...,  998,  999, 1000])"
    assert tensor_repr(gleed.arange(2000.0).view(500, 4).t()) == (
        "tensor([[0.0000e+00, 4.0000e+00, 8.0000e+00,  ..., 1.9880e+03, 1.9920e+03,\n"
        "         1.9960e+03],\n"
        "        [1.0000e+00, 5.0000e+00, 9.0000e+00,  ..., 1.9890e+03, 1.9930e+03,\n"
        "         1.9970e+03],\n"
        "        [2.0000e+00, 6.0000e+00, 1.0000e+01,  ..., 1.9900e+03, 1.9940e+03,\n"
        "         1.9980e+03],\n"
        "        [3.0000e+00, 7.0000e+00, 1.1000e+01,  ..., 1.9910e+03, 1.9950e+03,\n"
        "         1.9990e+03]])"
    )
    assert tensor_repr(gleed.zeros(600, 1, 4)[:, :, ::3]) == (
        "tensor([[[0., 0.]],\n\n        [[0., 0.]],\n\n        [[0., 0.]],\n\n        "
        "...,\n\n        [[0., 0.]],\n\n        [[0., 0.]],\n\n        [[0., 0.]]])"
    )


def test_an_enormous_tensor_prints_at_once():
    tensor = gleed.zeros(1).expand(10_000, 10_000)
    begin = time.perf_counter()
    assert tensor_repr(tensor).count("0.") == 36
    assert time.perf_counter() - begin < 1


def test_the_part_in_a_graph_is_shown():
    weight = gleed.ones(2, requires_grad=True)
    assert tensor_repr(weight) == "tensor([1., 1.], requires_grad=True)"
    assert tensor_repr(weight + 1) == "tensor([2., 2.], grad_fn=<AddBackward0>)"
    assert tensor_repr(gleed.nn.Parameter(weight.detach())) == tensor_repr(weight)
    empty = gleed.ones(0, 2, requires_grad=True)
    assert tensor_repr(empty) == "tensor([], size=(0, 2), requires_grad=True)"


def test_suffixes_go_to_the_next_line_where_there_is_no_room():
    tensor = gleed.arange(18, dtype=gleed.int32)
    assert tensor_repr(tensor).endswith("16, 17],\n       dtype=gleed.int32)")


def test_print_and_repr_show_this_text():
    tensor = gleed.tensor([[1.0, 2.5]])
    assert repr(tensor) == str(tensor) == f"{tensor}" == tensor_repr(tensor)


def test_the_elements_alone_are_indented_as_asked():
    assert tensor_str(gleed.tensor([[1], [2]]), indent=3) == "[[1],\n    [2]]"


def test_options_stay_until_they_are_set_again():
    tensor = gleed.tensor([1.23456789, 100.0])
    set_printoptions(precision=2)
    assert tensor_repr(tensor) == "tensor([  1.23, 100.00])"
    set_printoptions(sci_mode=True)
    assert tensor_repr(tensor) == "tensor([1.23e+00, 1.00e+02])"
    # As in PyTorch, the mode goes back to automatic whenever it is not given.
    set_printoptions(linewidth=12)
    assert tensor_repr(tensor) == "tensor([  1.23,\n        100.00])"
    set_printoptions(profile="default")
    assert tensor_repr(tensor) == "tensor([  1.2346, 100.0000])"


def test_summaries_are_as_long_as_asked():
    tensor = gleed.arange(12).view(3, 4)
    set_printoptions(threshold=5, edgeitems=1)
    assert tensor_repr(tensor) == (
        "tensor([[ 0,  ...,  3],\n        ...,\n        [ 8,  ..., 11]])"
    )
    set_printoptions(edgeitems=0)
    assert tensor_repr(tensor) == "tensor([...], size=(3, 4))"
    set_printoptions(profile="full")
    assert "..." not in tensor_repr(gleed.zeros(2000))
    set_printoptions(profile="short")
    assert tensor_repr(gleed.arange(2000) * 0.5) == (
        "tensor([0.00e+00, 5.00e-01,  ..., 9.99e+02, 1.00e+03])"
    )


def test_options_end_with_their_block():
    with pytest.raises(KeyError), printoptions(precision=1, sci_mode=False):
        assert tensor_repr(gleed.tensor(1e-7)) == "tensor(0.0)"
        raise KeyError
    assert get_printoptions() == {
        **{"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
        "sci_mode": None,
    }


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"profile": "tiny"}, "profile is one of 'default', 'short', 'full'; got 'tiny'"),
        ({"precision": -1}, "precision is a number of 0 or more; got -1"),
        ({"precision": 2.5}, "precision is a number of 0 or more; got 2.5"),
        ({"edgeitems": True}, "edgeitems is a number of 0 or more; got True"),
        ({"threshold": NAN}, "threshold is a number of 0 or more; got nan"),
        ({"linewidth": "80"}, "linewidth is a number of 0 or more; got '80'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, text):
    with pytest.raises(ValueError, match=f"set_printoptions: {text}"):
        set_printoptions(**options)
    assert get_printoptions()["precision"] == 4
