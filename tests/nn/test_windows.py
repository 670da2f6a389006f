"""Windows, resizing and grids: what the generated tests of ops do not reach."""

from __future__ import annotations

import numpy as np
import pytest

import gleed
from gleed import nn
from gleed.autograd import gradcheck, gradgradcheck
from gleed.nn import functional as F

RNG = np.random.default_rng(7)


def random(*shape: int) -> gleed.Tensor:
    return gleed.tensor(RNG.standard_normal(shape))


def leaf(*shape: int) -> gleed.Tensor:
    return random(*shape).requires_grad_()


# ---- columns
def columns(x: np.ndarray, k: tuple, d: tuple, p: tuple, s: tuple) -> np.ndarray:
    """`unfold`, one window after another."""
    x = np.pad(x, ((0, 0), (0, 0), (p[0], p[0]), (p[1], p[1])))
    rows, cols = (range(0, x.shape[2 + i] - (k[i] - 1) * d[i], s[i]) for i in range(2))
    found = [
        x[:, :, r : r + k[0] * d[0] : d[0], c : c + k[1] * d[1] : d[1]].reshape(len(x), -1)
        for r in rows
        for c in cols
    ]
    return np.stack(found, -1)


@pytest.mark.parametrize(
    "options",
    [((2, 2), (1, 1), (0, 0), (1, 1)), ((3, 2), (1, 2), (1, 0), (2, 1)),
     ((2, 3), (3, 1), (2, 2), (1, 3)), ((1, 1), (1, 1), (0, 0), (2, 2))],
)  # fmt: skip
def test_unfold_and_fold_are_adjoint(options):
    x = leaf(2, 3, 7, 6)
    got = F.unfold(x, *options)
    exact = columns(x.detach().numpy(), *options)
    assert np.array_equal(got.detach().numpy(), exact)
    y = random(*got.shape)
    image = F.fold(y, (7, 6), *options)
    assert np.isclose((got * y).sum().item(), (x * image).sum().item())
    (gradient,) = gleed.autograd.grad(got, x, y)
    assert np.allclose(gradient.numpy(), image.numpy())
    assert gradgradcheck(lambda v: F.unfold(v, *options), x)
    assert gradcheck(lambda v: F.fold(v, (7, 6), *options), leaf(*got.shape))


def test_without_a_batch_and_with_an_empty_one():
    x = random(2, 5, 4)
    assert np.array_equal(F.unfold(x, 2).numpy(), F.unfold(x[None], 2)[0].numpy())
    y = F.unfold(x, 2)
    assert np.array_equal(F.fold(y, (5, 4), 2).numpy(), F.fold(y[None], (5, 4), 2)[0].numpy())
    assert F.unfold(gleed.zeros(0, 2, 5, 4), 2).shape == (0, 8, 12)
    assert F.interpolate(gleed.zeros(0, 2, 5, 4), 3).shape == (0, 2, 3, 3)


# ---- the way back from max_pool
@pytest.mark.parametrize("n", [1, 2, 3])
def test_max_unpool_puts_maxima_back(n):
    pool, unpool = getattr(F, f"max_pool{n}d"), getattr(F, f"max_unpool{n}d")
    x = random(2, 3, *(4, 6, 8)[:n])
    values, places = pool(x, 2, return_indices=True)
    flat = np.zeros((2, 3, int(np.prod(x.shape[2:]))))
    np.put_along_axis(flat, places.numpy().reshape(2, 3, -1), values.numpy().reshape(2, 3, -1), 2)
    assert np.array_equal(unpool(values, places, 2).numpy().reshape(flat.shape), flat)
    assert gradgradcheck(lambda v: unpool(v, places, 2), leaf(*values.shape))


def test_max_unpool_to_another_size():
    values, places = F.max_pool2d(random(1, 1, 5, 5), 2, return_indices=True)
    assert F.max_unpool2d(values, places, 2, output_size=(5, 5)).shape == (1, 1, 5, 5)
    assert F.max_unpool2d(values, places, 2, output_size=(1, 1, 5, 5)).shape == (1, 1, 5, 5)


def test_equal_maxima_have_the_first_place():
    _, places = F.max_pool2d(gleed.zeros(1, 1, 5, 5), 3, 1, 1, return_indices=True)
    exact = np.array([[max(r - 1, 0) * 5 + max(c - 1, 0) for c in range(5)] for r in range(5)])
    assert np.array_equal(places[0, 0].numpy(), exact)


def test_maxima_of_nothing_but_infinities_lie_inside():
    x = gleed.full((1, 4, 4), float("-inf"))
    values, places = F.max_pool2d(x, 3, 1, 1, return_indices=True)
    assert (values == float("-inf")).all() and places.min() == 0 and places.max() == 10


def test_fractional_pools_cover_the_image():
    x = gleed.arange(49.0).reshape(1, 1, 7, 7)
    gleed.manual_seed(0)
    values, places = F.fractional_max_pool2d(x, 2, (3, 4), return_indices=True)
    assert np.array_equal(values.numpy(), places.numpy())  # for every element is its place
    rows = places.numpy()[0, 0] // 7
    assert (np.diff(rows[:, 0]) >= 1).all() and rows[-1, 0] == 6
    gleed.manual_seed(0)
    assert (F.fractional_max_pool2d(x, 2, (3, 4)) == values).all()
    assert nn.FractionalMaxPool3d(2, output_ratio=0.5)(random(2, 3, 6, 6, 6)).shape[2:] == (3, 3, 3)


def test_pools_with_indices_are_those_that_return_them():
    x = random(2, 3, 4, 5, 6)
    for n, image in ((1, x[0, 0]), (2, x[0]), (3, x)):
        for kind in ("max_pool", "adaptive_max_pool"):
            plain, given = (getattr(F, f"{kind}{n}d{end}") for end in ("", "_with_indices"))
            values, places = given(image, 2)
            wanted = plain(image, 2, return_indices=True)
            assert (values == wanted[0]).all() and (places == wanted[1]).all()


# ---- resizing
def along_rows(image: np.ndarray, mode: str) -> np.ndarray:
    return F.interpolate(gleed.tensor(image).double(), (7, 9), mode=mode).numpy().clip(0, 255)


@pytest.mark.parametrize("mode", ("bilinear", "bicubic"))
def test_bytes_are_rounded_along_rows_and_then_along_columns(mode):
    halves = 0.5  # which may be rounded up or down
    while np.isclose(halves, 0.5).any():
        image = RNG.integers(0, 256, (2, 3, 7, 5)).astype(np.uint8)
        halves = along_rows(image, mode) % 1
    rows = gleed.tensor(along_rows(image, mode).round())
    wanted = F.interpolate(rows, (4, 9), mode=mode).numpy().clip(0, 255)
    found = F.interpolate(gleed.tensor(image), (4, 9), mode=mode)
    assert found.dtype is gleed.uint8
    assert np.abs(found.numpy() - wanted).max() <= 0.5 + 1e-4


def linear(x: np.ndarray, count: int, ratio: float, corners: bool) -> np.ndarray:
    """Along the last axis: between the two neighbours."""
    at = np.arange(count) * ratio if corners else (np.arange(count) + 0.5) * ratio - 0.5
    at = np.clip(at, 0, x.shape[-1] - 1)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, x.shape[-1] - 1)
    return x[..., low] * (1 - (at - low)) + x[..., high] * (at - low)


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("count", [1, 2, 7, 11])
def test_linear(count, corners):
    x = leaf(2, 3, 5)
    ratio = (4 / (count - 1) if count > 1 else 0) if corners else 5 / count
    got = F.interpolate(x, count, mode="linear", align_corners=corners)
    exact = linear(x.detach().numpy(), count, ratio, corners)
    assert np.allclose(got.detach().numpy(), exact)
    assert gradcheck(lambda v: F.interpolate(v, count, mode="linear", align_corners=corners), x)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((2, 2, 4, 5), {"scale_factor": 2, "mode": "bilinear"}),
        ((1, 2, 4, 5), {"scale_factor": (1.7, 0.6), "mode": "bicubic"}),
        ((1, 2, 5, 6), {"size": (3, 9), "mode": "bicubic", "align_corners": True}),
        ((1, 1, 3, 2, 4), {"size": (4, 3, 3), "mode": "trilinear"}),
        ((1, 2, 6, 5), {"size": (4, 9), "mode": "bilinear", "antialias": True}),
        ((1, 2, 7, 5), {"scale_factor": 0.5, "mode": "bicubic", "antialias": True}),
        ((1, 2, 5, 4), {"scale_factor": 1.7}),
        ((1, 2, 5, 4), {"size": (3, 7), "mode": "nearest-exact"}),
        ((1, 2, 5, 4), {"size": (3, 2), "mode": "area"}),
    ],
)
def test_gradients_of_resizing(shape, options):
    x = leaf(*shape)
    assert gradcheck(lambda v: F.interpolate(v, **options), x)
    assert gradgradcheck(lambda v: F.interpolate(v, **options), x)


def test_resizing_keeps_constants():
    flat = gleed.full((1, 1, 6, 7), 2.5)
    for mode in ("nearest", "nearest-exact", "bilinear", "bicubic", "area"):
        assert np.allclose(F.interpolate(flat, (9, 3), mode=mode).numpy(), 2.5)
    for mode in ("bilinear", "bicubic"):
        assert np.allclose(F.interpolate(flat, (4, 3), mode=mode, antialias=True).numpy(), 2.5)


def test_bicubic_is_cubic_convolution():
    def weight(d: float, a: float = -0.75) -> float:
        d = abs(d)
        if d <= 1:
            return (a + 2) * d**3 - (a + 3) * d**2 + 1
        return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0

    x = random(1, 1, 1, 5)
    got = F.interpolate(x, (1, 8), mode="bicubic")[0, 0, 0].numpy()
    for o in range(8):
        at = (o + 0.5) * 5 / 8 - 0.5
        base = int(np.floor(at))
        taps = range(base - 1, base + 3)
        exact = sum(weight(at - i) * x[0, 0, 0, min(max(i, 0), 4)].item() for i in taps)
        assert np.isclose(got[o], exact)


def test_nearest_takes_any_dtype():
    x = gleed.arange(6).reshape(1, 1, 2, 3)
    assert F.interpolate(x, (4, 2))[0, 0].tolist() == [[0, 1], [0, 1], [3, 4], [3, 4]]
    assert F.interpolate(x.byte(), scale_factor=2).dtype is gleed.uint8


# ---- grids
def test_the_identity_grid_reads_the_image_itself():
    x = random(2, 3, 4, 5)
    theta = gleed.tensor([[[1.0, 0, 0], [0, 1.0, 0]]] * 2, dtype=gleed.float64)
    for corners in (False, True):
        grid = F.affine_grid(theta, x.shape, corners)
        for mode in ("bilinear", "nearest", "bicubic"):
            read = F.grid_sample(x, grid, mode, align_corners=corners)
            assert np.allclose(read.numpy(), x.numpy())


def test_what_lies_outside():
    x = gleed.tensor([[[[1.0, 2.0, 3.0]]]])
    grid = gleed.tensor([[[[2.0, 0.0], [float("nan"), 0.0], [1e30, 0.0]]]])
    read = {m: F.grid_sample(x, grid, "nearest", m, False) for m in ("zeros", "border")}
    assert read["zeros"].flatten().tolist() == [0, 0, 0]
    assert read["border"].flatten().tolist()[::2] == [3, 3]
    mirrored = F.grid_sample(x, grid[:, :, :1], "nearest", "reflection", False)
    assert mirrored.item() == 2


# ---- modules
MODULES = [
    (nn.MaxPool1d(2, return_indices=False), (2, 3, 6), (2, 3, 3)),
    (nn.MaxPool2d(3, 2, 1), (3, 7, 6), (3, 4, 3)),
    (nn.AvgPool2d(3, 2, ceil_mode=True), (2, 3, 6, 6), (2, 3, 3, 3)),
    (nn.LPPool2d(2, 2), (2, 3, 6, 6), (2, 3, 3, 3)),
    (nn.AdaptiveAvgPool2d((None, 2)), (2, 3, 5, 6), (2, 3, 5, 2)),
    (nn.AdaptiveMaxPool3d(2), (3, 4, 5, 6), (3, 2, 2, 2)),
    (nn.ReflectionPad2d((1, 0, 2, 1)), (2, 3, 4, 4), (2, 3, 7, 5)),
    (nn.ConstantPad1d(2, 1.5), (2, 3, 4), (2, 3, 8)),
    (nn.ZeroPad3d(1), (2, 3, 4, 2, 2), (2, 3, 6, 4, 4)),
    (nn.Upsample((3, 4), mode="bicubic"), (2, 3, 5, 5), (2, 3, 3, 4)),
    (nn.PixelUnshuffle(2), (2, 3, 4, 6), (2, 12, 2, 3)),
]


@pytest.mark.parametrize(("module", "before", "after"), MODULES, ids=lambda v: type(v).__name__)
def test_modules(module, before, after):
    assert module(random(*before)).shape == after


def test_modules_print_as_in_pytorch():
    assert repr(nn.MaxPool2d(3, 2, 1)) == (
        "MaxPool2d(kernel_size=3, stride=2, padding=1, dilation=1, ceil_mode=False)"
    )
    assert repr(nn.AvgPool1d(2)) == "AvgPool1d(kernel_size=(2,), stride=(2,), padding=(0,))"
    assert repr(nn.Upsample(scale_factor=2)) == "Upsample(scale_factor=2.0, mode='nearest')"
    assert repr(nn.ConstantPad1d(1, 2.0)) == "ConstantPad1d(padding=(1, 1), value=2.0)"
    assert repr(nn.ReflectionPad1d(1)) == "ReflectionPad1d((1, 1))"


# ---- results and threads
def test_results_do_not_depend_on_the_number_of_threads():
    x = gleed.randn(8, 16, 56, 55)
    found = []
    for threads in (1, 2):
        gleed.set_num_threads(threads)
        w = x.clone().requires_grad_()
        y = F.max_pool2d(w, 3, 2, 1).sum() + F.avg_pool2d(w, 3, 2, 1).exp().sum()
        y = y + F.interpolate(w, scale_factor=1.5, mode="bilinear").exp().sum()
        y.backward()
        found.append((y.item(), w.grad.numpy()))
    assert found[0][0] == found[1][0]
    assert np.array_equal(found[0][1], found[1][1])


def test_channels_last_inputs():
    x = leaf(2, 3, 8, 7)
    last = x.detach().permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2).requires_grad_()
    for function in (
        lambda v: F.max_pool2d(v, 3, 2, 1),
        lambda v: F.avg_pool2d(v, 2),
        lambda v: F.interpolate(v, scale_factor=2, mode="bilinear"),
    ):
        a, b = function(x), function(last)
        assert np.array_equal(a.detach().numpy(), b.detach().numpy())
        w = random(*a.shape)
        (g,), (h,) = gleed.autograd.grad(a, x, w), gleed.autograd.grad(b, last, w)
        assert np.array_equal(g.numpy(), h.numpy())


# ---- errors
X = gleed.zeros(2, 3, 5, 4)
ERRORS = [
    (lambda: F.max_pool2d(X, 6), "max_pool2d: a window must fit into the padded input; got a window"
     " over 6 along dim 2 of [2, 3, 5, 4] with padding 0; take smaller windows"),
    (lambda: F.max_pool2d(X, 2, padding=2), "max_pool2d: padding must be at most half of what a "
     "window spans; got padding 2 for windows over 2; pad less"),
    (lambda: F.avg_pool2d(X, 2, 0), "avg_pool2d: stride must be 1 or more; got [0]; raise it"),
    (lambda: F.avg_pool2d(X, (1, 2, 3)), "avg_pool2d: kernel_size takes one number, or one for each"
     " of the 2 dims; got [1, 2, 3]; give 2"),
    (lambda: F.avg_pool2d(X[0, 0], 2), "avg_pool2d: the input must be (batch, channels, height, "
     "width) or (channels, height, width); got [5, 4]; reshape or unsqueeze it"),
    (lambda: F.avg_pool2d(X, 2, divisor_override=0), "avg_pool2d: divisor_override must not be "
     "zero; got 0; leave it out for the mean"),
    (lambda: F.lp_pool1d(X[0].int(), 2, 2), "lp_pool1d: a floating-point tensor is needed; got "
     "int32; convert it with .float()"),
    (lambda: F.max_pool2d(X.bool(), 2), "max_pool2d: numbers are needed; got bool; convert "
     "with .float()"),
    (lambda: F.adaptive_avg_pool2d(X[:, :, :0], 2), "adaptive_avg_pool2d: only the batch may be "
     "empty; got [2, 3, 0, 4]; check the size first"),
    (lambda: F.unfold(X, 6), "unfold: a window must fit into the padded image; got an image of "
     "[5, 4], kernel_size [6, 6], dilation [1, 1], padding [0, 0]; take smaller windows"),
    (lambda: F.unfold(X[0, 0], 2), "unfold: the input must be (batch, channels, height, width) or "
     "(channels, height, width); got [5, 4]; reshape or unsqueeze it"),
    (lambda: F.fold(X[0, 0], (2, 2), 2), "fold: the last dim but one must be a multiple of the "
     "window's [4] elements; got [5, 4]; check kernel_size"),
    (lambda: F.fold(gleed.zeros(4, 3), (2, 3), 2), "fold: the last dim must be as long as there are"
     " windows, [1, 2]; got [4, 3]; check output_size, padding and stride"),
    (lambda: F.fold(X, (2, 2), 2), "fold: the input must be (batch, channels * window, windows) or "
     "(channels * window, windows); got [2, 3, 5, 4]; reshape or unsqueeze it"),
    (lambda: F.max_unpool1d(X[0], X[0].long() + 9, 2), "max_unpool1d: index is out of range; got "
     "index 9 for dim 2 of size 8; use 0 … 7"),
    (lambda: F.max_unpool2d(X, X.int(), 2), "max_unpool2d: the indices must be int64; got "
     "int32; take those that max_pool returns"),
    (lambda: F.max_unpool2d(X, X[:1].long(), 2), "max_unpool2d: input and indices must have one "
     "shape; got [2, 3, 5, 4] and [1, 3, 5, 4]; take the indices that max_pool returned with the "
     "input"),
    (lambda: F.max_unpool2d(X, X.long(), 2, output_size=(3, 3)), "max_unpool2d: output_size must be"
     " less than a stride from [10, 8]; got [3, 3]; give the size that the pool had"),
    (lambda: F.fractional_max_pool2d(X, 2), "fractional_max_pool2d: output_size or output_ratio "
     "must be given; got none of them; give one"),
    (lambda: F.fractional_max_pool2d(X, 2, output_ratio=2), "fractional_max_pool2d: output_ratio "
     "must lie between 0 and 1; got 2; correct it"),
    (lambda: F.fractional_max_pool2d(X, 2, 5), "fractional_max_pool2d: [5] windows of [2] must fit "
     "into dim 2, each one place further on; got [2, 3, 5, 4]; take fewer or smaller ones"),
    (lambda: F.fractional_max_pool2d(X, 2, 2, _random_samples=gleed.rand(2, 1, 2)),
     "fractional_max_pool2d: _random_samples must be (batch, channels, 2), here (2, 3, 2); got "
     "(2, 1, 2); leave them out to have them drawn"),
    (lambda: F.fractional_max_pool3d(X[0, 0], 2, 2), "fractional_max_pool3d: the input must have 3 "
     "dims behind the channels, and a batch or none; got [5, 4]; reshape or unsqueeze it"),
    (lambda: F.interpolate(X, 3, mode="linear"), "interpolate: the mode must fit the input, a "
     "batch, channels and up to three dims; got mode 'linear' for 4 dims; use one of nearest, "
     "nearest-exact, area, bilinear, bicubic"),
    (lambda: F.interpolate(X), "interpolate: size or scale_factor must be given; got none of them; "
     "give one"),
    (lambda: F.interpolate(X, (1, 2, 3)), "interpolate: size takes one number, or one for each of "
     "the 2 dims; got (1, 2, 3); give 2"),
    (lambda: F.interpolate(X, 0), "interpolate: sizes of input and result must be positive; got "
     "[5, 4] to [0, 0]; only the batch may be empty"),
    (lambda: F.interpolate(X, 2, align_corners=True), "interpolate: align_corners is for linear and"
     " cubic modes; got it with mode 'nearest'; leave it out"),
    (lambda: F.interpolate(X, 2, antialias=True), 'interpolate: antialias is for "bilinear" and '
     "\"bicubic\"; got it with mode 'nearest'; leave it out"),
    (lambda: F.interpolate(X.int(), 2, mode="bilinear"), "interpolate: in mode 'bilinear' a "
     "floating-point tensor is needed; got int32; convert it with .float()"),
    (lambda: F.grid_sample(X, X), "grid_sample: the input must be (N, C, H, W) and the grid (N, H',"
     " W', 2), or with one more dim (N, C, D, H, W) and (N, D', H', W', 3); got [2, 3, 5, 4] and "
     "[2, 3, 5, 4]; reshape them"),
    (lambda: F.grid_sample(X, X[..., :2], "cubic"), 'grid_sample: mode must be "bilinear", '
     '"nearest", or for two dims "bicubic"; got \'cubic\' for 2 dims; choose another'),
    (lambda: F.grid_sample(X, X[..., :2], padding_mode="edge"), 'grid_sample: padding_mode must be '
     '"zeros", "border" or "reflection"; got \'edge\'; correct the name'),
    (lambda: F.grid_sample(X, X[..., :2].double()), "grid_sample: input and grid must have one "
     "floating-point dtype; got float32 and float64; convert them with .float()"),
    (lambda: F.grid_sample(X[:, :, :0], X[..., :2]), "grid_sample: the image must not be empty; got"
     " [2, 3, 0, 4]; check the size first"),
    (lambda: F.affine_grid(X[0], (3, 1, 2, 2)), "affine_grid: theta must be a floating-point (N, 2,"
     " 3) for a size (N, C, H, W), or (N, 3, 4) for (N, C, D, H, W); got gleed.float32 [3, 5, 4] "
     "and [3, 1, 2, 2]; reshape theta"),
    (lambda: nn.FractionalMaxPool2d(2), "FractionalMaxPool2d: output_size or output_ratio must be "
     "given; got none of them; give one"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), ERRORS, ids=[m[:40] for _, m in ERRORS])
def test_errors(call, message):
    with pytest.raises((ValueError, TypeError, RuntimeError, IndexError)) as caught:
        call()
    assert str(caught.value) == message
