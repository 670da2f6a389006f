"""Initial values: ranges, moments, exact structure, reproducibility, errors."""

import math

import numpy as np
import pytest

import gleed
from gleed.nn import init


def fresh(*shape):
    return gleed.full(shape, 77.0)


def values_of(tensor):
    return tensor.numpy().astype(np.float64)


@pytest.mark.parametrize(
    ("fill", "bound"),
    [
        (lambda t: init.uniform_(t, -0.25, 0.25), 0.25),
        (lambda t: init.xavier_uniform_(t, gain=2.0), 2 * math.sqrt(6 / 300)),
        (lambda t: init.kaiming_uniform_(t), math.sqrt(2 / 200) * math.sqrt(3)),
        (
            lambda t: init.kaiming_uniform_(t, 0.5, "fan_out", "leaky_relu"),
            math.sqrt(3 * 2 / 1.25 / 100),
        ),
    ],
)
def test_uniform_ranges(fill, bound):
    gleed.manual_seed(1)
    tensor = fresh(100, 200)
    assert fill(tensor) is tensor
    values = values_of(tensor)
    assert np.abs(values).max() <= bound * (1 + 1e-6)
    assert values.std() == pytest.approx(bound / math.sqrt(3), rel=0.02)
    assert abs(values.mean()) < 0.02 * bound


@pytest.mark.parametrize(
    ("fill", "std"),
    [
        (lambda t: init.normal_(t, 0.0, 3.0), 3.0),
        (lambda t: init.xavier_normal_(t), math.sqrt(2 / 300)),
        (
            lambda t: init.kaiming_normal_(t, mode="fan_out", nonlinearity="relu"),
            math.sqrt(2 / 100),
        ),
        (lambda t: init.kaiming_normal_(t, nonlinearity="tanh"), 5 / 3 / math.sqrt(200)),
    ],
)
def test_normal_deviations(fill, std):
    gleed.manual_seed(2)
    values = values_of(fill(fresh(100, 200)))
    assert values.std() == pytest.approx(std, rel=0.03)
    assert abs(values.mean()) < 0.05 * std


@pytest.mark.parametrize(
    ("mean", "std", "a", "b"),
    [(0.0, 1.0, -2.0, 2.0), (0.0, 0.02, -2.0, 2.0), (0.0, 1.0, 1.5, 3.0), (0.0, 1.0, -3.0, -2.0)],
)
def test_truncated_normal(mean, std, a, b):
    gleed.manual_seed(3)
    tensor = fresh(50, 400)
    assert init.trunc_normal_(tensor, mean, std, a, b) is tensor
    values = values_of(tensor)
    assert values.min() >= a and values.max() <= b
    grid = np.linspace(max(a, mean - 9 * std), min(b, mean + 9 * std), 200_001)
    density = np.exp(-0.5 * ((grid - mean) / std) ** 2)
    expected = (grid * density).sum() / density.sum()
    spread = math.sqrt(((grid - expected) ** 2 * density).sum() / density.sum())
    assert values.mean() == pytest.approx(expected, abs=0.03 * spread)
    assert values.std() == pytest.approx(spread, rel=0.03)


def test_truncation_far_from_the_mean_warns():
    with pytest.warns(UserWarning, match="the mean should be within two deviations"):
        init.trunc_normal_(fresh(3, 3), mean=0.0, std=1.0, a=4.0, b=5.0)


def test_fixed_values():
    assert init.constant_(fresh(2), 0.5).tolist() == [0.5, 0.5]
    assert init.ones_(fresh(2)).tolist() == [1.0, 1.0]
    assert init.zeros_(fresh(2)).tolist() == [0.0, 0.0]
    assert init.eye_(fresh(3, 2)).tolist() == [[1, 0], [0, 1], [0, 0]]


def test_dirac():
    weight = init.dirac_(fresh(4, 2, 3), groups=2).tolist()
    unit = [[[0.0] * 3, [0.0] * 3] for _ in range(4)]
    for group in range(2):
        for channel in range(2):
            unit[2 * group + channel][channel][1] = 1.0
    assert weight == unit
    assert float(init.dirac_(fresh(2, 3, 4, 5)).sum()) == 2


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 2, 3)])
def test_orthogonal(shape):
    gleed.manual_seed(4)
    values = values_of(init.orthogonal_(fresh(*shape), gain=2.0)).reshape(shape[0], -1)
    product = values @ values.T if shape[0] <= values.shape[1] else values.T @ values
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-5)


def test_sparse():
    gleed.manual_seed(5)
    values = values_of(init.sparse_(fresh(10, 7), sparsity=0.35))
    assert ((values == 0).sum(0) == 4).all()


@pytest.mark.parametrize(
    "fill",
    [
        init.uniform_,
        init.normal_,
        init.xavier_uniform_,
        init.kaiming_normal_,
        init.orthogonal_,
        init.trunc_normal_,
    ],
)
def test_generator(fill):
    made = [fill(fresh(3, 4), generator=gleed.Generator().manual_seed(9)) for _ in range(2)]
    assert (made[0] == made[1]).all()
    gleed.manual_seed(9)
    assert (fill(fresh(3, 4)) == made[0]).all()


def test_gradients_are_not_recorded():
    weight = gleed.nn.Parameter(fresh(3, 3))
    for fill in (init.normal_, init.eye_, init.orthogonal_, init.trunc_normal_, init.zeros_):
        fill(weight)
    assert weight.is_leaf and weight.requires_grad


@pytest.mark.parametrize(
    ("name", "param", "gain"),
    [
        ("linear", None, 1.0),
        ("conv_transpose2d", None, 1.0),
        ("tanh", None, 5 / 3),
        ("relu", None, math.sqrt(2)),
        ("leaky_relu", None, math.sqrt(2 / (1 + 0.01**2))),
        ("leaky_relu", 2, math.sqrt(2 / 5)),
        ("selu", None, 0.75),
    ],
)
def test_gain(name, param, gain):
    assert init.calculate_gain(name, param) == gain


def test_tensor_without_elements_warns():
    for fill in (init.kaiming_uniform_, init.kaiming_normal_):
        with pytest.warns(UserWarning, match=r"nothing to initialise; got shape \(0, 3\)"):
            fill(gleed.empty(0, 3))
    assert init.orthogonal_(gleed.empty(0, 3)).shape == (0, 3)


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (
            lambda: init.calculate_gain("swish"),
            "calculate_gain: nonlinearity is one of conv1d, conv2d, conv3d, conv_transpose1d, "
            "conv_transpose2d, conv_transpose3d, leaky_relu, linear, relu, selu, sigmoid, tanh; "
            "got 'swish'; 'relu' is a fair choice for its smooth relatives",
        ),
        (
            lambda: init.calculate_gain("leaky_relu", True),
            "calculate_gain: param is the slope of leaky_relu, a number; got True; "
            "leave it out for 0.01",
        ),
        (
            lambda: init.xavier_normal_(fresh(3)),
            "init: fan in and fan out need a weight of at least 2 dimensions, (out, in, …); "
            "got shape (3,); use uniform_ or zeros_ for a bias",
        ),
        (
            lambda: init.kaiming_normal_(fresh(3, 3), mode="fan"),
            "init: mode is fan_in or fan_out; got 'fan'; "
            "fan_in keeps the variance of the forward pass",
        ),
        (
            lambda: init.eye_(fresh(3)),
            "eye_: the tensor must have 2 dimensions; got shape (3,); reshape it to (rows, "
            "columns)",
        ),
        (
            lambda: init.dirac_(fresh(3, 3)),
            "dirac_: the weight of a convolution has 3, 4 or 5 dimensions; got shape (3, 3); "
            "use eye_ for a matrix",
        ),
        (
            lambda: init.dirac_(fresh(3, 3, 3), groups=2),
            "dirac_: the number of outputs must be a multiple of groups; got 3 and 2; "
            "use a divisor of 3",
        ),
        (
            lambda: init.orthogonal_(fresh(3)),
            "orthogonal_: the tensor must have at least 2 dimensions; got shape (3,); "
            "a vector has nothing to be orthogonal to, use normal_",
        ),
        (
            lambda: init.sparse_(fresh(3), 0.1),
            "sparse_: the tensor must have 2 dimensions; got shape (3,); "
            "reshape it to (rows, columns)",
        ),
    ],
)
def test_errors(act, text):
    with pytest.raises(ValueError) as caught:
        act()
    assert str(caught.value) == text
