"""Strides in every memory format, compared with PyTorch's over sizes that include 1 and 0."""

import itertools

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
