"""`view(dtype)`: bytes read as another dtype."""

import re

import numpy as np
import pytest

import gleed
from gleed.errors import ArgumentError, ShapeError, TraceError

NAMES = ("uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")


@pytest.mark.parametrize("source", NAMES)
@pytest.mark.parametrize("target", NAMES)
def test_bytes_are_those_of_numpy(source, target):
    random = np.random.default_rng(0)
    data = random.integers(0, 256, (3, 2, 32), dtype=np.uint8).view(source)
    x, dtype = gleed.from_numpy(data.copy()), getattr(gleed, target)
    wide = max(np.dtype(target).itemsize // data.itemsize, 1)
    for tensor, array in [
        (x, data),
        (x[1:, :, wide : 3 * wide], data[1:, :, wide : 3 * wide].copy()),
        (x[::2], data[::2]),
        (x.transpose(0, 1), data.swapaxes(0, 1)),
        (x[:, :, :0], data[:, :, :0].copy()),
    ]:
        y = tensor.view(dtype)
        assert y.dtype is dtype
        expected = np.ascontiguousarray(array).view(target)
        assert y.numpy().tobytes() == expected.tobytes() and tuple(y.shape) == expected.shape


def test_all_other_dtypes_and_layouts_of_one_width():
    x = gleed.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=gleed.bfloat16)
    assert x.t().view(gleed.int16).tolist() == [[16256, 16128], [-16384, 16448]]
    assert x.view(dtype=gleed.int16).view(gleed.bfloat16).tolist() == x.tolist()
    assert gleed.tensor(1.0).view(gleed.int32).item() == 0x3F800000
    flags = gleed.tensor([0, 1, 1], dtype=gleed.uint8).view(gleed.bool)
    assert flags.tolist() == [False, True, True]
    assert gleed.tensor([True, False]).view(gleed.uint8).tolist() == [1, 0]
    assert gleed.ones(4, 2).expand(3, 4, 2).view(gleed.float64).stride() == (0, 1, 1)


def test_memory_is_shared():
    x = gleed.zeros(2, 4)
    y, version = x.view(gleed.int32), x._version
    assert y.data_ptr() == x.data_ptr()
    y[0, 1] = 0x3F800000
    assert x.tolist() == [[0.0, 1.0, 0.0, 0.0], [0.0] * 4] and x._version > version
    x.fill_(1)
    assert x.view(gleed.int64)[0, 0].item() == 0x3F8000003F800000


def test_it_is_a_constant_for_gradients():
    x = gleed.ones(2, requires_grad=True)
    for y in (x.view(gleed.float64), (x * 2).view(gleed.float16), x.view(gleed.float32)):
        assert not y.requires_grad and y.grad_fn is None and y._base is None
    z = x * 2
    saved = z.exp()
    z.view(gleed.int32).zero_()
    assert gleed.autograd.grad(saved.sum(), x)[0].tolist() == pytest.approx([14.778, 14.778], 1e-4)
    w = x.exp()
    w.view(gleed.int32).zero_()
    with pytest.raises(RuntimeError, match=r"modified|in.place|version"):
        w.sum().backward()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: gleed.zeros(2, 5).view(gleed.float64),
         "view: the last size must be divisible by 2 to read gleed.float32 as gleed.float64, which "
         "has another width; got 5; cut it off, or pad it, and use contiguous()"),
        (lambda: gleed.tensor(1.0).view(gleed.int16),
         "view: a dim is needed to read gleed.float32 as gleed.int16, which has another width; got "
         "a tensor without; unsqueeze(0) it"),
        (lambda: gleed.zeros(2, 6).t().view(gleed.int16),
         "view: the last stride must be 1 to read gleed.float32 as gleed.int16, which has another "
         "width; got 6; use contiguous() first"),
        (lambda: gleed.zeros(2, 6)[:, 1:5].view(gleed.int64), "view: the storage offset must be "
         "divisible by 2 to read gleed.float32 as gleed.int64, which has another width; got 1;"),
        (lambda: gleed.zeros(3, 5)[:, :4].view(gleed.int64), "view: stride 0 must be divisible by "
         "2 to read gleed.float32 as gleed.int64, which has another width; got 5; cut it off"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(make, text):
    with pytest.raises(ShapeError, match=re.escape(text)):
        make()


def test_other_arguments_are_those_of_view():
    for call in (
        lambda: gleed.ones(2).view("float64"),
        lambda: gleed.ones(2).view(gleed.int32, 2),
        lambda: gleed.ones(2).view(kind=gleed.int32),
    ):
        with pytest.raises(ArgumentError, match=r"it takes view\(input: Tensor, \*size: ints"):
            call()


def test_a_captured_function_cannot_do_so():
    x = gleed.ones(2)
    bits = lambda x: (x * 2).view(gleed.int32) + 1  # noqa: E731
    with pytest.raises(TraceError, match="view needs it"):
        gleed.compile(bits, fullgraph=True)(x)
    compiled = gleed.compile(bits)
    with pytest.warns(UserWarning, match="view needs it"):
        assert compiled(x).tolist() == [0x40000001] * 2
    assert compiled(x * 0).tolist() == [1, 1]
