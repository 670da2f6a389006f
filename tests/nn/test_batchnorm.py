"""Batch and instance normalisation, and the other norms with channels, against NumPy."""

import copy

import numpy as np
import pytest

import gleed
from gleed import nn
from gleed.autograd import gradcheck, gradgradcheck
from gleed.errors import ArgumentError, RangeError, ShapeError
from gleed.nn import functional as F

RNG = np.random.default_rng(5)
SHAPES = [(4, 3), (4, 3, 5), (2, 3, 4, 5), (2, 3, 2, 3, 4)]
NORMS = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
INSTANCE = {3: nn.InstanceNorm1d, 4: nn.InstanceNorm2d, 5: nn.InstanceNorm3d}
TOLERANCE = {"float64": 1e-12, "float32": 2e-5, "float16": 4e-3, "bfloat16": 3e-2}


def normalized(x, axes, eps=1e-5):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def per_channel(values, ndim):
    return np.reshape(values, (-1, *(1 for _ in range(ndim - 2))))


def channels_last(x):
    """The same values with the channels last in memory."""
    return x.movedim(1, -1).contiguous().movedim(-1, 1)


def layouts(x):
    yield x
    yield channels_last(x)
    yield x.transpose(0, -1).contiguous().transpose(0, -1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_batch_norm(shape, dtype):
    x = gleed.from_numpy(RNG.normal(2, 3, shape)).to(getattr(gleed, dtype))
    weight, bias = RNG.normal(size=3), RNG.normal(size=3)
    axes = tuple(a for a in range(len(shape)) if a != 1)
    exact = x.double().numpy()
    expected = normalized(exact, axes) * per_channel(weight, len(shape)) + per_channel(
        bias, len(shape)
    )
    count = exact.size // 3
    mean, var = exact.mean(axes), exact.var(axes) * count / (count - 1)
    for layout in layouts(x):
        norm = NORMS[len(shape)](3).double()
        norm.weight.data, norm.bias.data = gleed.from_numpy(weight), gleed.from_numpy(bias)
        y = norm(layout)
        assert y.dtype == x.dtype
        tolerance = TOLERANCE[dtype]
        np.testing.assert_allclose(
            y.detach().double().numpy(), expected, rtol=tolerance, atol=tolerance
        )
        rough = max(1e-12, 0.0 if dtype == "float64" else 1e-5)
        np.testing.assert_allclose(norm.running_mean.numpy(), mean * 0.1, rtol=rough, atol=rough)
        np.testing.assert_allclose(
            norm.running_var.numpy(), 0.9 + 0.1 * var, rtol=rough, atol=rough
        )
        assert norm.num_batches_tracked == 1
        given = norm.eval()(layout).detach().double().numpy()
        centred = exact - per_channel(mean * 0.1, len(shape))
        scaled = centred / np.sqrt(per_channel(0.9 + 0.1 * var, len(shape)) + 1e-5)
        expected_eval = scaled * per_channel(weight, len(shape)) + per_channel(bias, len(shape))
        np.testing.assert_allclose(given, expected_eval, rtol=tolerance, atol=10 * tolerance)


def test_channels_last_stays_so():
    x = channels_last(gleed.randn(2, 3, 4, 5))
    for norm in (nn.BatchNorm2d(3), nn.BatchNorm2d(3).eval()):
        assert norm(x).stride() == x.stride()


def test_cumulative_statistics():
    batches = [gleed.randn(6, 2) for _ in range(3)]
    norm = nn.BatchNorm1d(2, momentum=None)
    for batch in batches:
        norm(batch)
    means = gleed.stack([batch.mean(0) for batch in batches])
    np.testing.assert_allclose(norm.running_mean.numpy(), means.mean(0).numpy(), atol=1e-6)
    norm.reset_running_stats()
    assert norm.num_batches_tracked == 0 and (norm.running_var == 1).all()


def test_without_tracking_the_batch_counts_in_evaluation_too():
    norm = nn.BatchNorm1d(2, track_running_stats=False, affine=False)
    x = gleed.randn(7, 2)
    assert norm.running_mean is None and list(norm.state_dict()) == []
    assert (norm(x) == norm.eval()(x)).all()
    np.testing.assert_allclose(norm(x).mean(0).numpy(), 0, atol=1e-6)


def test_running_statistics_have_no_history():
    norm = nn.BatchNorm1d(2)
    for _ in range(2):
        norm(gleed.randn(4, 2, requires_grad=True)).sum().backward()
    assert not norm.running_mean.requires_grad and norm.running_mean.grad_fn is None


@pytest.mark.parametrize("shape", SHAPES[1:])
def test_instance_norm(shape):
    x = RNG.normal(1, 2, shape)
    axes = tuple(range(2, len(shape)))
    module = INSTANCE[len(shape)]
    for layout in layouts(gleed.from_numpy(x)):
        norm = module(3, affine=True, track_running_stats=True).double()
        y = norm(layout).detach().numpy()
        np.testing.assert_allclose(y, normalized(x, axes), rtol=1e-10, atol=1e-12)
        count = x[0, 0].size
        var = x.var(axes).mean(0) * count / (count - 1)
        np.testing.assert_allclose(norm.running_mean.numpy(), x.mean(axes).mean(0) * 0.1)
        np.testing.assert_allclose(norm.running_var.numpy(), 0.9 + 0.1 * var)
    plain = module(3)
    single = plain(gleed.from_numpy(x)[0])
    assert single.shape == shape[1:] and list(plain.state_dict()) == []
    assert (single == plain.eval()(gleed.from_numpy(x))[0]).all()


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("name", ["batch", "instance", "group", "evaluation"])
def test_gradients(name, last):
    x = gleed.from_numpy(RNG.normal(size=(3, 4, 2, 3)))
    x = (channels_last(x) if last else x).requires_grad_()
    vectors = [gleed.from_numpy(RNG.normal(size=4)).requires_grad_() for _ in range(2)]
    mean, var = gleed.zeros(4, dtype=gleed.float64), gleed.ones(4, dtype=gleed.float64)

    def function(x, weight, bias):
        if name == "group":
            return F.group_norm(x, 2, weight, bias)
        if name == "instance":
            return F.instance_norm(x, None, None, weight, bias)
        if name == "evaluation":
            return F.batch_norm(x, mean, var, weight, bias)
        return F.batch_norm(x, None, None, weight, bias, True)

    assert gradcheck(function, (x, *vectors))
    assert gradgradcheck(function, (x, *vectors), atol=1e-4)
    without = gleed.autograd.grad(function(x, None, None).square().sum(), x)[0]
    assert without.shape == x.shape


def test_empty_batches():
    assert F.group_norm(gleed.zeros(0, 4, 2), 2).shape == (0, 4, 2)
    norm = nn.BatchNorm1d(3).eval()
    assert norm(gleed.zeros(0, 3)).shape == (0, 3)


def test_states_and_texts():
    norm = nn.BatchNorm2d(3)
    names = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert list(norm.state_dict()) == names
    assert repr(norm) == (
        "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)"
    )
    assert repr(nn.InstanceNorm1d(2)) == (
        "InstanceNorm1d(2, eps=1e-05, momentum=0.1, affine=False, bias=False, "
        "track_running_stats=False)"
    )
    assert repr(nn.GroupNorm(2, 4)) == "GroupNorm(2, 4, eps=1e-05, affine=True, bias=True)"
    assert list(nn.BatchNorm1d(2, bias=False, track_running_stats=False).state_dict()) == ["weight"]
    assert list(nn.GroupNorm(2, 4, bias=False).state_dict()) == ["weight"]
    assert list(nn.GroupNorm(2, 4).state_dict()) == ["weight", "bias"]
    text = "LocalResponseNorm(2, alpha=0.0001, beta=0.75, k=1.0)"
    assert repr(nn.LocalResponseNorm(2)) == text
    assert repr(nn.CrossMapLRN2d(2)) == "CrossMapLRN2d(2, alpha=0.0001, beta=0.75, k=1)"
    other = nn.BatchNorm2d(3)
    norm(gleed.randn(2, 3, 2, 2))
    other.load_state_dict(norm.state_dict())
    assert (other.running_var == norm.running_var).all() and other.num_batches_tracked == 1
    assert copy.deepcopy(norm).running_mean.tolist() == norm.running_mean.tolist()


def test_states_from_before_batches_were_counted():
    state = nn.BatchNorm1d(2).state_dict()
    del state["num_batches_tracked"]
    state._metadata[""]["version"] = 1
    norm = nn.BatchNorm1d(2)
    norm(gleed.randn(3, 2))
    norm.load_state_dict(state)
    assert norm.num_batches_tracked == 0


def test_sync_batch_norm_takes_over():
    net = nn.Sequential(nn.BatchNorm1d(2), nn.Sequential(nn.BatchNorm2d(3), nn.ReLU())).eval()
    net[0].running_mean.fill_(7)
    weight = net[0].weight
    net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    assert [type(m).__name__ for m in net.modules()] == [
        "Sequential", "SyncBatchNorm", "Sequential", "SyncBatchNorm", "ReLU",
    ]  # fmt: skip
    assert net[0].weight is weight and (net[0].running_mean == 7).all() and not net[0].training


F3 = gleed.zeros(2, 3, 4)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: nn.BatchNorm2d(3)(F3),
            ShapeError,
            "BatchNorm2d: the input must have 4 dims; got shape (2, 3, 4); reshape it, or use the "
            "variant for other dims",
        ),
        (
            lambda: nn.BatchNorm1d(3)(gleed.zeros(1, 3)),
            ShapeError,
            "batch_norm: statistics need more than one value per channel; got shape [1, 3]; use a "
            "larger batch, or eval()",
        ),
        (
            lambda: nn.BatchNorm1d(5)(F3),
            ShapeError,
            "batch_norm: weight must hold one number per channel; got [5] for input [2, 3, 4]; "
            "make them agree",
        ),
        (
            lambda: F.batch_norm(F3, None, None),
            ArgumentError,
            "batch_norm: without statistics of the input running ones are needed; got None; pass "
            "running_mean and running_var",
        ),
        (
            lambda: F.batch_norm(gleed.zeros(3), None, None, training=True),
            ShapeError,
            "batch_norm: the input must be (batch, channels, …); got shape (3,); use unsqueeze(0) "
            "for a single sample",
        ),
        (
            lambda: F.group_norm(F3, 2),
            ShapeError,
            "group_norm: the channels, dim 1, must divide into num_groups; got shape [2, 3, 4] "
            "with num_groups=2; choose a divisor",
        ),
        (
            lambda: nn.GroupNorm(2, 3),
            RangeError,
            "GroupNorm: num_channels is a multiple of num_groups; got 3 and 2; choose a divisor "
            "of 3",
        ),
        (
            lambda: F.local_response_norm(gleed.zeros(2, 3), 2),
            ShapeError,
            "local_response_norm: the input must be (batch, channels, …) of 3 dims or more; got "
            "shape [2, 3]; use unsqueeze",
        ),
    ],
)
def test_messages(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).splitlines()[0] == message
