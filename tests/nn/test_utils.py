"""Gradient clipping and parameters as one vector."""

import math

import numpy as np
import pytest

import gleed
from gleed import _C, nn
from gleed.nn.utils import (
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
    parameters_to_vector,
    vector_to_parameters,
)


def with_gradients(*gradients):
    parameters = []
    for gradient in gradients:
        parameter = nn.Parameter(gleed.zeros(len(gradient)))
        parameter.grad = gleed.tensor(gradient)
        parameters.append(parameter)
    return parameters


@pytest.mark.parametrize(
    ("order", "norm"),
    [(2.0, 13.0), (1.0, 19.0), (math.inf, 12.0), (3.0, (27 + 64 + 1728) ** (1 / 3))],
)
def test_total_norm(order, norm):
    tensors = [gleed.tensor([3.0, -4.0]), gleed.tensor([[12.0]])]
    assert float(get_total_norm(tensors, order)) == pytest.approx(norm, rel=1e-6)


def test_total_norm_of_nothing():
    assert float(get_total_norm([])) == 0
    assert float(clip_grad_norm_([nn.Parameter(gleed.ones(1))], 1.0)) == 0


def test_clipping_scales_all_gradients_together():
    first, second = with_gradients([3.0, -4.0], [12.0])
    unused = nn.Parameter(gleed.ones(1))
    total = clip_grad_norm_(iter([first, unused, second]), 6.5)
    assert float(total) == 13
    assert first.grad.tolist() == pytest.approx([1.5, -2.0], rel=1e-5)
    assert second.grad.tolist() == pytest.approx([6.0], rel=1e-5)
    assert unused.grad is None


@pytest.mark.parametrize("order", [2.0, math.inf, 0.5])
def test_clipping_many_gradients_is_one_operation(order):
    rng = np.random.default_rng(0)
    shapes = [(), (3,), (0, 2), (4, 5), *((7,) for _ in range(70))]
    shapes = [shape for shape in shapes if order != math.inf or 0 not in shape]
    arrays = [rng.normal(size=shape) for shape in shapes]
    parameters = [nn.Parameter(gleed.zeros(shape)) for shape in shapes]
    for parameter, array in zip(parameters, arrays, strict=True):
        parameter.grad = gleed.tensor(array.T, dtype=gleed.float32).T  # by columns, if it has any
    before = _C.engine_stats()
    total = clip_grad_norm_(parameters, 0.5, order)
    after = _C.engine_stats()
    assert sum(after[name] - before[name] for name in ("hits", "plan_hits", "misses")) == 1
    norm = np.linalg.norm(np.concatenate([x.ravel() for x in arrays]), order)
    assert float(total) == pytest.approx(norm, rel=1e-5)
    for parameter, array in zip(parameters, arrays, strict=True):
        wanted = array * (0.5 / norm)
        np.testing.assert_allclose(parameter.grad.numpy(), wanted, rtol=1e-5, atol=1e-8)


def test_clipping_gradients_of_several_dtypes():
    (first,) = with_gradients([3.0])
    second = nn.Parameter(gleed.zeros(1, dtype=gleed.float64))
    second.grad = gleed.tensor([4.0], dtype=gleed.float64)
    assert clip_grad_norm_([first, second], 2.5).dtype == gleed.float64
    assert first.grad.dtype == gleed.float32
    assert first.grad.tolist() + second.grad.tolist() == pytest.approx([1.5, 2.0], rel=1e-5)


def test_clipping_leaves_small_gradients_alone():
    (parameter,) = with_gradients([3.0, -4.0])
    clip_grad_norm_(parameter, 100)
    assert parameter.grad.tolist() == [3.0, -4.0]
    clip_grads_with_norm_(parameter, 2.5, gleed.tensor(5.0))
    assert parameter.grad.tolist() == pytest.approx([1.5, -2.0], rel=1e-5)


def test_clipping_what_is_not_finite():
    parameters = with_gradients([math.inf, 1.0])
    with pytest.raises(RuntimeError) as caught:
        clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
    assert str(caught.value) == (
        "get_total_norm: the norm must be finite; the norm of order 2.0 is inf; look for what "
        "makes the loss NaN or infinite, or pass error_if_nonfinite=False to clip regardless"
    )
    assert parameters[0].grad.tolist() == [math.inf, 1.0]
    clip_grad_norm_(parameters, 1.0)
    assert math.isnan(parameters[0].grad[0].item())


def test_clipping_by_value():
    first, second = with_gradients([3.0, -0.5], [-7.0])
    clip_grad_value_([first, second], 2)
    assert first.grad.tolist() == [2.0, -0.5] and second.grad.tolist() == [-2.0]


def test_parameters_as_a_vector():
    net = nn.Linear(2, 3)
    vector = parameters_to_vector(net.parameters())
    assert vector.shape == (9,) and vector.requires_grad
    vector_to_parameters(gleed.arange(9.0), net.parameters())
    assert net.weight.tolist() == [[0, 1], [2, 3], [4, 5]] and net.bias.tolist() == [6, 7, 8]
    assert net.weight.requires_grad and net.weight.is_leaf


def test_vector_errors():
    with pytest.raises(TypeError) as caught:
        vector_to_parameters([1.0], [])
    assert str(caught.value) == (
        "vector_to_parameters: vec must be a tensor; got list; make it one with gleed.tensor(vec)"
    )
    with pytest.raises(ValueError) as caught:
        vector_to_parameters(gleed.ones(8), nn.Linear(2, 3).parameters())
    assert str(caught.value) == (
        "vector_to_parameters: vec must have one dimension and an element for each of the "
        "parameters'; it has shape (8,) and they have 9 elements; "
        "make it with parameters_to_vector of the same parameters"
    )
