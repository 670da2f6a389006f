"""Second derivatives of what networks are made of and is no op with samples of its own."""

import pytest

import gleed
from gleed import nn
from gleed.autograd import gradgradcheck
from gleed.nn import functional as F


def leaf(*shape):
    return gleed.randn(shape, dtype=gleed.float64).requires_grad_()


def attention(x, *weights):
    y, _ = F.multi_head_attention_forward(
        x, x, x, 4, 2, weights[0], weights[1], None, None, False, 0.0, weights[2], weights[3]
    )
    return y


CLASSES = [2, 0, 1]
FUNCTIONS = {
    "bilinear": (F.bilinear, [(3, 2), (3, 4), (2, 2, 4), (2,)]),
    "multi_head_attention_forward": (attention, [(3, 2, 4), (12, 4), (12,), (4, 4), (4,)]),
    "instance_norm": (
        lambda x, w, b: F.instance_norm(x, weight=w, bias=b), [(2, 2, 5), (2,), (2,)]
    ),
    "batch_norm": (
        lambda x, w, b: F.batch_norm(x, None, None, w, b, True), [(4, 2, 3), (2,), (2,)]
    ),
    "affine_grid": (lambda m: F.affine_grid(m, (2, 1, 2, 3)), [(2, 2, 3)]),
    "spatial transformer": (
        lambda x, m: F.grid_sample(x, F.affine_grid(m, x.shape, False), align_corners=False),
        [(1, 2, 3, 4), (1, 2, 3)],
    ),
    "fold": (lambda x: F.fold(x * x, (3, 4), 2), [(1, 4, 6)]),
    "linear_cross_entropy": (
        lambda x, w, b: F.linear_cross_entropy(x, w, gleed.tensor(CLASSES), linear_bias=b),
        [(3, 4), (5, 4), (5,)],
    ),
    "triplet_margin_with_distance_loss": (
        lambda a, b, c: F.triplet_margin_with_distance_loss(
            a, b, c, margin=9.0, distance_function=lambda u, v: ((u - v) ** 2).sum(-1)
        ),
        [(3, 4), (3, 4), (3, 4)],
    ),
    "fractional_max_pool2d": (
        lambda x: F.fractional_max_pool2d(
            x**2, 2, 3, _random_samples=gleed.full((1, 1, 2), 0.4, dtype=gleed.float64)
        ),
        [(1, 1, 6, 6)],
    ),
    "max_unpool1d": (
        lambda x: F.max_unpool1d(x**3, gleed.tensor([[[0, 3]]]), 2), [(1, 1, 2)]
    ),
    "embedding": (lambda w: F.embedding(gleed.tensor(CLASSES), w) ** 3, [(4, 2)]),
    "upsample_bilinear": (lambda x: F.upsample_bilinear(x, (3, 5)) ** 2, [(1, 1, 2, 3)]),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    gleed.manual_seed(5)
    function, shapes = FUNCTIONS[name]
    assert gradgradcheck(function, tuple(leaf(*shape) for shape in shapes), atol=1e-4)


MODULES = {
    "MultiheadAttention": (lambda: nn.MultiheadAttention(4, 2), None),
    "TransformerEncoderLayer": (
        lambda: nn.TransformerEncoderLayer(4, 2, 5, 0.0, "gelu", batch_first=True), (2, 3, 4)
    ),
    "LSTM": (lambda: nn.LSTM(2, 2, bidirectional=True), None),
    "GRU": (lambda: nn.GRU(2, 3), None),
    "LSTM with projections": (lambda: nn.LSTM(2, 3, proj_size=2), None),
    "Conv2d": (lambda: nn.Conv2d(2, 4, 3, 2, 1, groups=2, padding_mode="circular"), (1, 2, 4, 5)),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(2, 3, 2, 2), (1, 2, 2, 3)),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), (2, 4, 3)),
    "LocalResponseNorm": (lambda: nn.LocalResponseNorm(2, alpha=0.5), (2, 3, 2)),
    "RMSNorm": (lambda: nn.RMSNorm(4), (3, 4)),
}  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_modules(name):
    """Also of the parameters; recurrent networks and attention by their first result."""
    gleed.manual_seed(5)
    make, shape = MODULES[name]
    made, forward = make().double(), None
    if isinstance(made, nn.MultiheadAttention):
        shape, forward = (3, 2, 4), lambda x: made(x, x, x)[0]
    elif isinstance(made, nn.RNNBase):
        shape, forward = (3, 2, 2), lambda x: made(x)[0]

    def function(x, *parameters):  # which are changed where they are
        return (forward or made)(x)

    inputs = (leaf(*shape), *made.parameters())
    assert gradgradcheck(function, inputs, atol=1e-4, fast_mode=True)
