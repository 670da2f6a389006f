"""Strides in every memory format, compared with PyTorch's over sizes that include 1 and 0."""

import itertools

import numpy as np
import pytest
import torch

import gleed

FORMATS = ["contiguous_format", "channels_last", "channels_last_3d", "preserve_format"]
SIZES = [
    *itertools.product([0, 1, 2], [0, 1, 3], [1, 4], [0, 1, 5]),
    *[(2, 3, 4, 5, 6), (1, 3, 1, 2, 2), (2, 1, 3, 1, 4), (0, 2, 1, 1, 3), (2, 0, 2, 3, 1)],
    *[(), (0,), (3,), (2, 3), (2, 1, 3)],
]
# How the operand lies: what makes it of a fresh tensor.
LAYOUTS = {
    "row-major": lambda x: x,
    "last": lambda x: x.to(memory_format=of(x, "channels_last")) if x.ndim == 4 else x,
    "reversed": lambda x: x.permute(tuple(reversed(range(x.ndim)))),
    "moved": lambda x: x.permute((*range(1, x.ndim), 0)) if x.ndim else x,
    "every second": lambda x: x[..., ::2] if x.ndim and x.shape[-1] > 2 else x,
    "broadcast": lambda x: x[:, :1].expand(x.shape) if x.ndim > 1 and x.shape[1] else x,
}
CALLS = {
    "to": lambda lib, x, f: x.to(memory_format=f),
    "to dtype": lambda lib, x, f: x.to(lib.float64, memory_format=f),
    "to copy": lambda lib, x, f: x.to(copy=True, memory_format=f),
    "double": lambda lib, x, f: x.double(memory_format=f),
    "clone": lambda lib, x, f: x.clone(memory_format=f),
    "contiguous": lambda lib, x, f: x.contiguous(memory_format=f),
    "empty": lambda lib, x, f: lib.empty(tuple(x.shape), memory_format=f),
    "empty_like": lambda lib, x, f: lib.empty_like(x, memory_format=f),
    "zeros_like": lambda lib, x, f: lib.zeros_like(x, memory_format=f),
    "ones_like": lambda lib, x, f: lib.ones_like(x, memory_format=f, dtype=lib.int64),
    "full_like": lambda lib, x, f: lib.full_like(x, 2.5, memory_format=f),
    "rand_like": lambda lib, x, f: lib.rand_like(x, memory_format=f),
    "randn_like": lambda lib, x, f: lib.randn_like(x, memory_format=f),
    "randint_like": lambda lib, x, f: lib.randint_like(x, 9, memory_format=f),
    "resize_": lambda lib, x, f: lib.empty(7).resize_(tuple(x.shape), memory_format=f),
    "resize_as_": lambda lib, x, f: lib.empty(7).resize_as_(x, memory_format=f),
}


def of(x, name):
    return getattr(torch if isinstance(x, torch.Tensor) else gleed, name)


def result(lib, shape, layout, call, format="preserve_format"):
    """Shape, strides and values of what a call gives, or that it is an error."""
    lib.manual_seed(0)
    x = LAYOUTS[layout](lib.rand(shape))
    try:
        y = call(lib, x)
    except (RuntimeError, ValueError):
        return "error"
    if not isinstance(y, gleed.Tensor | torch.Tensor):
        return y
    strides = list(y.stride())
    if format == "preserve_format":  # only where strides say where elements lie
        strides = [s for s, n in zip(strides, y.shape, strict=True) if n > 1 and y.numel()]
    return tuple(y.shape), strides, y is x and y.numel() > 0, y.double().tolist()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", CALLS)
def test_strides_and_values(name, format):
    def call(lib, x):
        return CALLS[name](lib, x, getattr(lib, format))

    for shape, layout in itertools.product(SIZES, LAYOUTS):
        got, expected = (result(lib, shape, layout, call, format) for lib in (gleed, torch))
        where = f"{shape}, {layout}"
        if name == "contiguous" and format == "preserve_format":
            assert got == "error", where  # an error in PyTorch only where a copy is needed
            continue
        if name.startswith("empty") or name.startswith("resize"):
            got, expected = got[:2], expected[:2]
        if name == "contiguous" and (format == "contiguous_format" or 0 in shape):
            # What is row-major already, or empty, is seen through a tensor with strides of its own.
            got, expected = (got[0], got[3]), (expected[0], expected[3])
        assert got == expected, where


@pytest.mark.parametrize("format", FORMATS)
def test_is_contiguous(format):
    def call(lib, x):
        return x.is_contiguous(memory_format=getattr(lib, format))

    for shape, layout in itertools.product(SIZES, LAYOUTS):
        got, expected = (result(lib, shape, layout, call) for lib in (gleed, torch))
        assert got == expected, (shape, layout)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_order_of_strides_is_kept(layout):
    calls = [
        lambda lib, x: x.exp(),
        lambda lib, x: x + x,
        lambda lib, x: x * 2 + lib.ones(x.shape),
    ]
    for shape, (i, call) in itertools.product(SIZES, enumerate(calls)):
        got, expected = (result(lib, shape, layout, call) for lib in (gleed, torch))
        assert got[:2] == expected[:2], (shape, i)


# ---- images with channels last through layers: shapes of input and weight, options
CONVOLUTIONS = [
    ((2, 3, 9, 8), (5, 3, 3, 3), {"padding": 1}),
    ((2, 32, 16, 16), (32, 32, 3, 3), {"padding": 1}),
    ((1, 17, 33, 30), (19, 17, 3, 3), {}),
    ((2, 8, 7, 9), (6, 4, 3, 2), {"groups": 2, "stride": 2, "padding": 1}),
    ((2, 6, 7, 9), (6, 1, 3, 3), {"groups": 6, "padding": 1}),
    ((2, 16, 5, 6), (20, 16, 1, 1), {}),
    ((2, 16, 5, 6), (20, 16, 1, 1), {"stride": 2}),
    ((2, 4, 9, 9), (8, 4, 3, 3), {"dilation": 2, "stride": (1, 2)}),
    ((2, 1, 9, 9), (8, 1, 3, 3), {}),
    ((2, 3, 9, 8), (2, 3, 3, 3), {"stride": 2}),
    ((2, 3, 4, 5, 6), (4, 3, 2, 3, 3), {"padding": 1}),
    ((2, 32, 6, 6, 6), (4, 32, 3, 3, 3), {"padding": 1, "stride": 2}),
]
DTYPES = {"float32": 1e-4, "float64": 1e-10, "bfloat16": 2e-2, "float16": 4e-3}


def both(shape, dtype, last):
    """A tensor of each library with the same random numbers."""
    numbers = np.random.default_rng(sum(shape)).standard_normal(shape)
    pair = []
    for lib in (gleed, torch):
        x = lib.from_numpy(numbers).to(getattr(lib, dtype))
        if last:
            form = lib.channels_last if len(shape) == 4 else lib.channels_last_3d
            x = x.to(memory_format=form)
        pair.append(x.requires_grad_())
    return pair


def alike(got, expected, tolerance, strides=True):
    """Equal shapes and values, and strides, where they matter."""
    sizes = tuple(expected.shape)
    assert tuple(got.shape) == sizes
    pairs = zip(sizes, got.stride(), expected.stride(), strict=True)
    if strides:
        assert all(a == b for n, a, b in pairs if n > 1), (got.stride(), expected.stride())
    got, expected = got.detach().double().numpy(), expected.detach().double().numpy()
    np.testing.assert_allclose(got, expected, atol=tolerance * max(1, abs(expected).max()))


@pytest.mark.parametrize("last", [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(("shape", "kernel", "options"), CONVOLUTIONS)
def test_convolution(shape, kernel, options, transposed, dtype, last):
    axes = len(shape) - 2
    # PyTorch computes such volumes row-major, whatever their format.
    formats = axes < 3 or dtype in ("float32", "bfloat16")
    name = f"conv_transpose{axes}d" if transposed else f"conv{axes}d"
    if transposed:
        shape = (shape[0], kernel[0], *shape[2:])
    pairs = both(shape, dtype, last[0]), both(kernel, dtype, last[1])
    own, theirs = zip(*pairs, strict=True)
    own = getattr(gleed.nn.functional, name)(*own, **options), *own
    theirs = getattr(torch.nn.functional, name)(*theirs, **options), *theirs
    alike(own[0], theirs[0], DTYPES[dtype], formats)
    for (y, x, w), lib in ((own, gleed), (theirs, torch)):
        (y * lib.ones_like(y)).sum().backward()
        assert x.grad is not None
        assert w.grad is not None
    for i in (1, 2):
        alike(own[i].grad, theirs[i].grad, 4 * DTYPES[dtype], formats)


LAYERS = {
    "max_pool": lambda F, x: F.max_pool2d(x, 2),
    "overlapping max_pool": lambda F, x: F.max_pool2d(x, 3, 2, 1),
    "indices": lambda F, x: F.max_pool2d(x, 2, return_indices=True)[1],
    "avg_pool": lambda F, x: F.avg_pool2d(x, 3, 2, 1),
    "adaptive_avg_pool": lambda F, x: F.adaptive_avg_pool2d(x, (2, 3)),
    "global pool": lambda F, x: F.adaptive_avg_pool2d(x, 1),
    "adaptive_max_pool": lambda F, x: F.adaptive_max_pool2d(x, 2),
    "lp_pool": lambda F, x: F.lp_pool2d(x, 2, 2),
    "batch_norm": lambda F, x: F.batch_norm(x, None, None, training=True),
    "group_norm": lambda F, x: F.group_norm(x, 2),
    "instance_norm": lambda F, x: F.instance_norm(x),
    "relu": lambda F, x: F.relu(x),
    "gelu": lambda F, x: F.gelu(x),
    "nearest": lambda F, x: F.interpolate(x, scale_factor=2),
    "exact": lambda F, x: F.interpolate(x, size=(5, 7), mode="nearest-exact"),
    "bilinear": lambda F, x: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "bicubic": lambda F, x: F.interpolate(x, scale_factor=2, mode="bicubic"),
    "pad": lambda F, x: F.pad(x, (1, 2, 0, 1)),
    "reflect": lambda F, x: F.pad(x, (1, 1, 1, 1), mode="reflect"),
    "softmax": lambda F, x: F.softmax(x, 1),
    "sum": lambda F, x: x + x * 2,
    "mean": lambda F, x: x.mean((2, 3), keepdim=True),
    "excitation": lambda F, x: x * x.mean((2, 3), keepdim=True).sigmoid(),
    "cat": lambda F, x: of(x, "cat")([x, x * 2], 1),
    "half": lambda F, x: x.bfloat16(),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    own, theirs = both((2, 4, 6, 8), "float32", True)
    got = LAYERS[name](gleed.nn.functional, own)
    expected = LAYERS[name](torch.nn.functional, theirs)
    alike(got, expected, 1e-5)
    if expected.requires_grad:
        numbers = np.random.default_rng(1).standard_normal(tuple(expected.shape))
        for y, lib in ((got, gleed), (expected, torch)):
            y.backward(lib.from_numpy(numbers).to(y.dtype))
        alike(own.grad, theirs.grad, 1e-4)
