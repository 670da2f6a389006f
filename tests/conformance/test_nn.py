"""Modules against PyTorch's: text, state, initial values by seed, results and gradients."""

import copy
import inspect
import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn as reference

import gleed
from gleed import nn

SHARED = sorted(
    name
    for name in nn.__all__
    if isinstance(getattr(nn, name), type)
    and name not in ("Module", "Parameter", "Buffer", "LinearCrossEntropyOptions")
)

# Arguments to make each module with; those that need none are made without as well.
ARGUMENTS = {
    "Linear": [(3, 2), (3, 2, False)],
    "Bilinear": [(2, 3, 4), (2, 3, 4, False)],
    "Conv1d": [(4, 6, 3), (4, 6, 3, 2, "valid", 2, 2, False)],
    "Conv2d": [(3, 8, 3), (4, 8, (3, 2), 1, "same", 1, 4), (3, 8, 3, 2, 1, 1, 1, True, "circular")],
    "Conv3d": [(3, 8, 2), (4, 2, (1, 2, 3), 1, (0, 1, 0), 1, 2, False, "replicate")],
    "ConvTranspose1d": [(4, 6, 3), (4, 6, 3, 2, 1, 1, 2, False, 2)],
    "ConvTranspose2d": [(3, 8, 3), (4, 8, (3, 2), 2, 1, (1, 0), 4)],
    "ConvTranspose3d": [(3, 8, 2)],
    "Embedding": [(5, 3), (5, 3, 1), (5, 3, -1, 2.0, 1.0)],
    "LayerNorm": [(3,), ((2, 3),), (3, 1e-3, False), (3, 1e-3, True, False)],
    "RMSNorm": [(3,), ((2, 3), 1e-3), (3, None, False)],
    "RNNBase": [("LSTM", 3, 4)],
    "RNN": [(3, 4), (3, 4, 2, "relu", False, True)],
    "LSTM": [(3, 4), (3, 4, 2, True, False, 0.5, True, 2)],
    "GRU": [(3, 4), (3, 4, 2, False)],
    "RNNCellBase": [(3, 4, True, 2)],
    "RNNCell": [(3, 4), (3, 4, False, "relu")],
    "LSTMCell": [(3, 4), (3, 4, False)],
    "GRUCell": [(3, 4)],
    "Threshold": [(0.1, 2.0), (0.1, 2.0, True)],
    "Unflatten": [(1, (2, 3)), (0, [2, 3])],
    "LeakyReLU": [(), (0.2,), (0.2, True)],
    "PReLU": [(), (3, 0.5)],
    "GELU": [(), ("tanh",)],
    "Softmax": [(), (1,)],
    "Softplus": [(), (2.0, 5.0)],
    "Hardtanh": [(), (-2, 3), (-2, 3, True)],
    "ELU": [(), (2.0, True)],
    "Dropout": [(), (0.25, True)],
    "Flatten": [(), (0, 1)],
    "CrossEntropyLoss": [(), (None, None, 3, None, "sum", 0.1)],
    "KLDivLoss": [(), (None, None, "batchmean", True)],
    "MultiheadAttention": [(8, 2), (8, 2, 0.1, False, True, True, 3, 5), (6, 3, 0.0, True, True)],
    "TransformerEncoderLayer": [(8, 2, 16)],
    "TransformerDecoderLayer": [(8, 2, 16, 0.1, "relu", 1e-3, True, True, False)],
}
FEATURES = [(3,), (3, 1e-3, None), (3, 1e-3, 0.3, True, False), (3, 1e-3, 0.3, False)]
WINDOWS = [(2,), (3, 2), (3, 2, 1)]
for axes in (1, 2, 3):
    ARGUMENTS |= {
        f"BatchNorm{axes}d": FEATURES,
        f"InstanceNorm{axes}d": [*FEATURES, (3, 1e-5, 0.1, True, True)],
        f"MaxPool{axes}d": [*WINDOWS, (3, 2, 1, 2, True, True)],
        f"AvgPool{axes}d": [*WINDOWS, (3, 2, 1, True, False)],
        f"MaxUnpool{axes}d": WINDOWS,
        f"LPPool{axes}d": [(2, 3), (1.5, 3, 2, True)],
        f"FractionalMaxPool{axes}d": [(2, 3), (3, None, 0.5)],
        f"AdaptiveAvgPool{axes}d": [(3,), ((3,) * axes,)],
        f"AdaptiveMaxPool{axes}d": [(3,), ((3,) * axes, True)],
        f"ConstantPad{axes}d": [(2, 0.5), ((1,) * 2 * axes, -1)],
        f"LazyConv{axes}d": [(4, 3), (4, 3, 2, 1, 2, 2, False)],
        f"LazyConvTranspose{axes}d": [(4, 3), (4, 3, 2, 1, 1, 2, False)],
    }
    ARGUMENTS |= {
        f"{kind}Pad{axes}d": [(2,), (tuple(range(2 * axes)),)]
        for kind in ("Zero", "Reflection", "Replication", "Circular")
    }
ARGUMENTS |= {
    "SyncBatchNorm": FEATURES,
    "GroupNorm": [(2, 4), (2, 4, 1e-3, False)],
    "LocalResponseNorm": [(2,), (2, 1e-3, 0.5, 2.0)],
    "CrossMapLRN2d": [(2,), (2, 1e-3, 0.5, 2.0)],
    "EmbeddingBag": [(5, 3), (5, 3, 1.0, 2.0, True, "sum")],
    "AdaptiveLogSoftmaxWithLoss": [(16, 20, [4, 10]), (16, 20, [4, 10], 2.0, True)],
    "ChannelShuffle": [(2,)],
    "PixelShuffle": [(2,)],
    "PixelUnshuffle": [(2,)],
    "Fold": [(4, 2), ((4, 5), (2, 3), 1, 1, 2)],
    "Unfold": [(2,), ((2, 3), 1, 1, 2)],
    "LazyLinear": [(4,), (4, False)],
    "LinearCrossEntropyLoss": [(3, 4)],
}
# Stacks of layers, about which PyTorch warns; test_attention.py compares them.
STACKS = ("Transformer", "TransformerEncoder", "TransformerDecoder")


def cases():
    for name in (name for name in SHARED if name not in STACKS):
        for arguments in ARGUMENTS.get(name, [()]):
            yield pytest.param(name, arguments, id=f"{name}{arguments}")


def both(name, arguments, seed=7):
    gleed.manual_seed(seed)
    torch.manual_seed(seed)
    return getattr(nn, name)(*arguments), getattr(reference, name)(*arguments)


def test_there_are_many_cases():
    assert len(SHARED) >= 45


@pytest.mark.parametrize(("name", "arguments"), list(cases()))
def test_text_and_state(name, arguments):
    ours, theirs = both(name, arguments)
    assert repr(ours) == repr(theirs)
    if name.startswith("Uninitialized"):
        return
    state, expected = ours.state_dict(), theirs.state_dict()
    assert list(state) == list(expected)
    assert state._metadata == expected._metadata
    for key, value in expected.items() if not name.startswith("Lazy") else ():
        np.testing.assert_array_equal(state[key].numpy(), value.numpy())


@pytest.mark.parametrize("name", SHARED)
def test_signatures(name):
    if name in ("Sequential", "ParameterDict", "ModuleDict"):
        return
    ours = inspect.signature(getattr(nn, name)).parameters
    theirs = inspect.signature(getattr(reference, name)).parameters
    # PyTorch still takes two old names of the limits of Hardtanh.
    expected = {n: p.default for n, p in theirs.items() if n not in ("min_value", "max_value")}
    expected |= {n: getattr(gleed.nn.functional, d.__name__) for n, d in expected.items()
                 if inspect.isfunction(d)}  # fmt: skip
    if "args" not in expected:
        assert {n: p.default for n, p in ours.items()} == expected


FILLS = {
    "uniform": lambda init, t: init.uniform_(t, -2, 3),
    "normal": lambda init, t: init.normal_(t, 1.0, 3.0),
    "trunc_normal": lambda init, t: init.trunc_normal_(t, 0.1, 1.0, -1.0, 1.5),
    "trunc_normal wide": lambda init, t: init.trunc_normal_(t, std=0.02),
    "trunc_normal tail": lambda init, t: init.trunc_normal_(t, a=1.5, b=3.0),
    "constant": lambda init, t: init.constant_(t, 0.3),
    "ones": lambda init, t: init.ones_(t),
    "zeros": lambda init, t: init.zeros_(t),
    "eye": lambda init, t: init.eye_(t) if t.ndim == 2 else init.zeros_(t),
    "dirac": lambda init, t: init.dirac_(t) if t.ndim > 2 else init.zeros_(t),
    "xavier_uniform": lambda init, t: init.xavier_uniform_(t, 1.5),
    "xavier_normal": lambda init, t: init.xavier_normal_(t),
    "kaiming_uniform": lambda init, t: init.kaiming_uniform_(t, a=math.sqrt(5)),
    "kaiming_normal": lambda init, t: init.kaiming_normal_(t, 0, "fan_out", "relu"),
    "sparse": lambda init, t: init.sparse_(t, 0.3) if t.ndim == 2 else init.zeros_(t),
}


@pytest.mark.parametrize("shape", [(3, 4), (16, 33), (5, 3, 3), (4, 4, 3, 5)])
@pytest.mark.parametrize("fill", FILLS)
def test_initial_values_by_seed(fill, shape):
    gleed.manual_seed(11)
    torch.manual_seed(11)
    ours, theirs = gleed.empty(shape), torch.empty(shape)
    FILLS[fill](nn.init, ours)
    FILLS[fill](reference.init, theirs)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=2e-6, atol=1e-7)
    # What comes next shows that as many numbers were drawn.
    assert gleed.rand(3).tolist() == torch.rand(3).tolist()


@pytest.mark.parametrize("shape", [(3, 5), (6, 4), (4, 2, 3)])
def test_orthogonal_values_by_seed(shape):
    gleed.manual_seed(11)
    torch.manual_seed(11)
    ours, theirs = gleed.empty(shape), torch.empty(shape)
    nn.init.orthogonal_(ours, 1.5)
    reference.init.orthogonal_(theirs, 1.5)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["linear", "tanh", "relu", "leaky_relu", "selu", "conv2d"])
def test_gains(name):
    assert nn.init.calculate_gain(name) == reference.init.calculate_gain(name)


INPUTS = np.random.default_rng(3).normal(size=(4, 6)).astype(np.float32)
POINTWISE = [
    *("ReLU", "ReLU6", "LeakyReLU", "PReLU", "ELU", "CELU", "SELU", "GELU", "SiLU", "Mish"),
    *("Softplus", "Sigmoid", "LogSigmoid", "Tanh", "Tanhshrink", "Softsign", "Hardtanh"),
    *("Hardsigmoid", "Hardswish", "Hardshrink", "Softshrink", "GLU", "Identity", "Flatten"),
]
SIZED = {"Linear": (6, 3), "LayerNorm": (6,), "RMSNorm": (6,), "Softmax": (1,), "LogSoftmax": (0,)}


@pytest.mark.parametrize("name", [*POINTWISE, *SIZED])
def test_results_and_gradients(name):
    ours, theirs = both(name, SIZED.get(name, ()))
    x = gleed.tensor(INPUTS * 2).requires_grad_()
    t = torch.tensor(INPUTS * 2, requires_grad=True)
    y, expected = ours(x), theirs(t)
    np.testing.assert_allclose(y.detach().numpy(), expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    cotangent = np.random.default_rng(4).normal(size=tuple(expected.shape)).astype(np.float32)
    y.backward(gleed.tensor(cotangent))
    expected.backward(torch.tensor(cotangent))
    np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=1e-4, atol=1e-5)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-4, atol=1e-5)


IMAGES = np.random.default_rng(5).normal(size=(2, 4, 9, 7)).astype(np.float32)
CONVOLUTIONS = [
    ("Conv2d", (4, 6, 3), {"padding": 2}),
    ("Conv2d", (4, 6, 3), {"padding": "same", "groups": 2, "dilation": 2}),
    ("Conv2d", (4, 6, (3, 4)), {"padding": "same", "padding_mode": "reflect"}),
    ("Conv2d", (4, 6, 3), {"padding": (2, 1), "padding_mode": "replicate", "stride": 2}),
    ("Conv2d", (4, 6, 3), {"padding": 1, "padding_mode": "circular", "bias": False}),
    ("ConvTranspose2d", (4, 6, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    ("ConvTranspose2d", (4, 6, (2, 5)), {"stride": (3, 1), "groups": 2, "dilation": 2}),
]


@pytest.mark.parametrize(("name", "arguments", "options"), CONVOLUTIONS)
def test_convolutions(name, arguments, options):
    gleed.manual_seed(7)
    torch.manual_seed(7)
    ours, theirs = (getattr(m, name)(*arguments, **options) for m in (nn, reference))
    x, t = gleed.tensor(IMAGES).requires_grad_(), torch.tensor(IMAGES, requires_grad=True)
    y, expected = ours(x), theirs(t)
    np.testing.assert_allclose(y.detach().numpy(), expected.detach().numpy(), rtol=1e-4, atol=1e-5)
    cotangent = np.random.default_rng(4).normal(size=tuple(expected.shape)).astype(np.float32)
    y.backward(gleed.tensor(cotangent))
    expected.backward(torch.tensor(cotangent))
    np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=1e-4, atol=1e-5)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-4, atol=1e-4)


def test_dropout_by_seed():
    ours, theirs = both("Dropout", (0.3,))
    x = np.ones((7, 11), np.float32)
    np.testing.assert_array_equal(ours(gleed.tensor(x)).numpy(), theirs(torch.tensor(x)).numpy())


def models(make):
    gleed.manual_seed(5)
    torch.manual_seed(5)
    return make(nn), make(reference)


def example(library):
    return library.Sequential(
        library.Linear(6, 8),
        library.ModuleDict({"a": library.ReLU()})["a"],
        library.Sequential(library.LayerNorm(8), library.Dropout(0.5)),
        library.Linear(8, 3),
    )


def test_state_goes_both_ways():
    ours, theirs = models(example)
    assert repr(ours) == repr(theirs)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.mul_(1.5)
    state = {key: gleed.from_numpy(value.numpy()) for key, value in theirs.state_dict().items()}
    ours.load_state_dict(state)
    other = copy.deepcopy(theirs)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    other.load_state_dict({k: torch.from_numpy(v.numpy()) for k, v in ours.state_dict().items()})
    x = torch.tensor(INPUTS)
    assert (other.eval()(x) == theirs.eval()(x)).all()
    result = ours.eval()(gleed.tensor(INPUTS)).detach().numpy()
    np.testing.assert_allclose(result, theirs(x).detach().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("change", ["missing", "unexpected", "shape"])
def test_what_load_state_dict_reports(change):
    reports = []
    for model, library in zip(models(example), (gleed, torch), strict=True):
        state = model.state_dict()
        if change == "missing":
            del state["2.0.bias"]
        elif change == "unexpected":
            state["2.extra"] = state["x.y"] = library.ones(1)
        else:
            state["0.weight"] = library.ones(2, 3)
        with pytest.raises(RuntimeError) as caught:
            model.load_state_dict(state)
        text = str(caught.value).replace("gleed.", "torch.")
        reports.append({line.strip() for line in text.split("\n") if line.startswith("\t")})
    assert reports[0] == reports[1]


def test_iteration_and_names():
    ours, theirs = models(example)
    assert [n for n, _ in ours.named_modules()] == [n for n, _ in theirs.named_modules()]
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    assert [type(m).__name__ for m in ours.modules()] == [
        type(m).__name__ for m in theirs.modules()
    ]


def hook_log(library, nn_):
    """What hooks of every kind see while a small network runs forwards and backwards."""
    log = []
    net = nn_.Sequential(nn_.Linear(2, 2), nn_.Tanh(), nn_.Linear(2, 1))
    with library.no_grad():
        for i, parameter in enumerate(net.parameters()):
            parameter.fill_(0.1 * (i + 1))

    def note(kind):
        def hook(module, *values):
            shapes = [
                [None if v is None else tuple(v.shape) for v in value]
                if isinstance(value, tuple)
                else tuple(value.shape)
                for value in values
            ]
            log.append((kind, type(module).__name__, shapes))

        return hook

    for module in net.modules():
        module.register_forward_pre_hook(note("pre"))
        module.register_forward_hook(note("forward"))
        module.register_full_backward_pre_hook(note("backward pre"))
        module.register_full_backward_hook(note("backward"))
    net[1].register_forward_hook(lambda module, args, output: output * 2)
    x = library.ones(3, 2).requires_grad_()
    net(x).sum().backward()
    return log, x.grad.tolist()


def test_hooks_see_the_same():
    ours, theirs = hook_log(gleed, nn), hook_log(torch, reference)
    assert ours[0] == theirs[0]
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-5)


def parameters_of(library, nn_):
    made = [nn_.Parameter(library.ones(2, 3)), nn_.Parameter(library.ones(4))]
    for i, parameter in enumerate(made):
        parameter.grad = library.full(tuple(parameter.shape), 1.5 + i)
    return made


@pytest.mark.parametrize("order", [2.0, 1.0, 3.0, math.inf])
@pytest.mark.parametrize("limit", [0.5, 100.0])
def test_clipping(order, limit):
    ours, theirs = parameters_of(gleed, nn), parameters_of(torch, reference)
    a = nn.utils.clip_grad_norm_(ours, limit, order)
    b = reference.utils.clip_grad_norm_(theirs, limit, order)
    assert float(a) == pytest.approx(float(b), rel=1e-6)
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-6)


def test_softmax_without_a_dim():
    for shape in [(3,), (2, 3), (2, 3, 4), (2, 3, 4, 5)]:
        x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ours = nn.Softmax()(gleed.tensor(x))
            theirs = reference.Softmax()(torch.tensor(x))
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)
