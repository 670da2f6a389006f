"""Memory formats: which strides they give, that values stay, and what bad ones are told."""

import numpy as np
import pytest

import gleed

LAST = {4: gleed.channels_last, 5: gleed.channels_last_3d}
SHAPES = [(2, 3, 4, 5), (2, 1, 4, 5), (1, 3, 1, 1), (0, 3, 2, 2), (2, 0, 4, 1), (2, 3, 2, 1, 4)]


def last_strides(shape):
    """Strides where the axis of channels is the innermost, as NumPy lays out memory."""
    there = (shape[0], *shape[2:], shape[1])
    steps = [int(np.prod(there[i + 1 :])) for i in range(len(there))]
    return (steps[0], steps[-1], *steps[1:-1])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "call",
    [
        lambda x, f: x.to(gleed.float64, memory_format=f),
        lambda x, f: x.clone(memory_format=f),
        lambda x, f: x.double(memory_format=f),
        lambda x, f: gleed.empty(x.shape, memory_format=f).copy_(x),
        lambda x, f: gleed.empty_like(x, memory_format=f).copy_(x),
        lambda x, f: gleed.zeros_like(x, memory_format=f) + x,
        lambda x, f: gleed.ones_like(x, memory_format=f) * x,
        lambda x, f: gleed.full_like(x, 1, memory_format=f) * x,
        lambda x, f: gleed.zeros(3).resize_(x.shape, memory_format=f).copy_(x),
        lambda x, f: gleed.zeros(3).resize_as_(x, memory_format=f).copy_(x),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_channels_last_strides_and_values(shape, call, turned):
    axes = (*range(1, len(shape)), 0)
    x = gleed.randn(shape).permute(axes) if turned else gleed.randn(shape)
    y = call(x, LAST[len(shape)])
    if y.is_contiguous() and y.numel():  # where both are possible, sums are row-major
        assert y.is_contiguous(memory_format=LAST[len(shape)])
    elif y.numel():
        assert y.stride() == last_strides(tuple(x.shape))
    np.testing.assert_array_equal(y.float().numpy(), x.numpy())


@pytest.mark.parametrize("shape", SHAPES)
def test_contiguous(shape):
    form = LAST[len(shape)]
    x = gleed.randn(shape)
    y = x.contiguous(memory_format=form)
    assert y.stride() == last_strides(shape) or y is x
    assert y.is_contiguous(memory_format=form)
    assert y.numel() == 0 or y.contiguous(memory_format=form) is y
    back = y.contiguous()
    assert back.is_contiguous()
    np.testing.assert_array_equal(back.numpy(), x.numpy())


@pytest.mark.parametrize("captured", [False, True])
def test_contiguous_returns_the_tensor_itself_where_it_lies_so(captured):
    run = gleed.compile(gleed.Tensor.contiguous, fullgraph=True) if captured else None
    for x in (
        gleed.randn(2, 3, requires_grad=True),
        gleed.randn(3)[1:],
        gleed.randn(0, 3).t(),
        gleed.tensor(1),
        gleed.randn(4, 1).t(),
    ):
        assert (run or gleed.Tensor.contiguous)(x) is x
    for x in (gleed.randn(2, 3).t(), gleed.randn(6)[::2], gleed.randn(1).expand(3)):
        y = (run or gleed.Tensor.contiguous)(x)
        assert y is not x and y.is_contiguous() and gleed.equal(x, y)
    x = gleed.randn(2, 3, requires_grad=True)
    y = x * 2
    assert y.contiguous().grad_fn is y.grad_fn


def test_to_returns_the_tensor_itself_where_it_lies_so():
    x = gleed.randn(2, 3, 4, 5)
    y = x.to(memory_format=gleed.channels_last)
    assert x.to(memory_format=gleed.contiguous_format) is x
    assert y.to(memory_format=gleed.channels_last) is y
    assert y.to(memory_format=gleed.preserve_format) is y
    assert y.to(memory_format=gleed.channels_last, copy=True) is not y
    assert y.cpu(memory_format=gleed.contiguous_format).is_contiguous()


@pytest.mark.parametrize(
    "make", [gleed.zeros_like, gleed.empty_like, gleed.rand_like, gleed.randn_like]
)
def test_the_order_of_strides_is_preserved(make):
    x = gleed.randn(4, 3, 5).permute(2, 0, 1)
    assert make(x).stride() == x.stride()
    assert make(x, memory_format=gleed.preserve_format).stride() == x.stride()
    assert make(x, memory_format=gleed.contiguous_format).is_contiguous()


@pytest.mark.parametrize("name", ["rand_like", "randn_like", "randint_like"])
def test_random_numbers_come_in_the_order_of_memory(name):
    more = (9,) if name == "randint_like" else ()
    gleed.manual_seed(3)
    images = gleed.empty(2, 3, 2, 2)
    y = getattr(gleed, name)(images, *more, memory_format=gleed.channels_last)
    gleed.manual_seed(3)
    if name == "randn_like":  # one by one, in pairs of double precision
        expected = gleed.empty(2, 2, 2, 3).transpose(0, 1).normal_().transpose(0, 1)
        assert sorted(y.flatten().tolist()) == sorted(expected.flatten().tolist())
    else:
        expected = getattr(gleed, name)(gleed.empty(2, 2, 2, 3), *more)
        assert y.permute(0, 2, 3, 1).tolist() == expected.tolist()


def test_gradients_flow_through_copies():
    x = gleed.randn(2, 3, 2, 2, dtype=gleed.float64, requires_grad=True)
    form = gleed.channels_last
    for call in (
        lambda x: x.clone(memory_format=form),
        lambda x: x.contiguous(memory_format=form),
        lambda x: x.to(memory_format=form),
        lambda x: x.float(memory_format=form).double(),
    ):
        g = gleed.randn_like(x)
        x.grad = None
        call(x).backward(g)
        np.testing.assert_allclose(x.grad.numpy(), g.numpy(), rtol=1e-6)


def test_modules_take_a_format():
    net = gleed.nn.Sequential(gleed.nn.Conv2d(3, 4, 3), gleed.nn.BatchNorm2d(4), gleed.nn.Flatten())
    weight = net[0].weight
    net.to(memory_format=gleed.channels_last)
    assert net[0].weight is weight
    assert weight.stride() == last_strides((4, 3, 3, 3))
    net.to(gleed.float64, memory_format=gleed.contiguous_format)
    assert weight.is_contiguous()
    assert weight.dtype is gleed.float64


def test_captured_functions_give_the_same_strides():
    def f(x):
        y = x.to(memory_format=gleed.channels_last)
        return y, gleed.zeros_like(y) + 1, y.contiguous(), y.sum((2, 3))

    for x in (gleed.randn(2, 3, 4, 5), gleed.randn(3, 3, 4, 5).permute(0, 1, 3, 2)):
        compiled = gleed.compile(f)
        for result, expected in zip(compiled(x) and compiled(x), f(x), strict=True):
            assert result.stride() == expected.stride()
            assert result.tolist() == expected.tolist()


RANK = "gleed.channels_last is for tensors of 4 dims; got 3 dims; use another memory format, or"
KIND = "memory_format must be a memory format; got int; use gleed.channels_last, say"


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("to", lambda x, f: x.to(memory_format=f)),
        ("double", lambda x, f: x.double(memory_format=f)),
        ("cpu", lambda x, f: x.cpu(memory_format=f)),
        ("clone", lambda x, f: x.clone(memory_format=f)),
        ("contiguous", lambda x, f: x.contiguous(memory_format=f)),
        ("empty", lambda x, f: gleed.empty(x.shape, memory_format=f)),
        ("empty_like", lambda x, f: gleed.empty_like(x, memory_format=f)),
        ("zeros_like", lambda x, f: gleed.zeros_like(x, memory_format=f)),
        ("ones_like", lambda x, f: gleed.ones_like(x, memory_format=f)),
        ("full_like", lambda x, f: gleed.full_like(x, 2, memory_format=f)),
        ("rand_like", lambda x, f: gleed.rand_like(x, memory_format=f)),
        ("randint_like", lambda x, f: gleed.randint_like(x, 2, memory_format=f)),
        ("resize_", lambda x, f: x.resize_(1, 2, 3, memory_format=f)),
    ],
)
def test_bad_formats(name, call):
    x = gleed.zeros(2, 3, 4)
    with pytest.raises(gleed.errors.ShapeError) as error:
        call(x, gleed.channels_last)
    assert str(error.value).startswith(f"{name}: {RANK} unsqueeze")
    with pytest.raises(gleed.errors.ArgumentError) as error:
        call(x, 3)
    assert str(error.value).startswith(f"{name}: {KIND}")


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("contiguous", lambda x, f: x.contiguous(memory_format=f)),
        ("empty", lambda x, f: gleed.empty(2, memory_format=f)),
        ("resize_", lambda x, f: x.resize_(1, 2, memory_format=f)),
    ],
)
def test_nothing_to_preserve(name, call):
    with pytest.raises(gleed.errors.ArgumentError) as error:
        call(gleed.zeros(2), gleed.preserve_format)
    assert str(error.value) == (
        f"{name}: there must be a format to preserve; got gleed.preserve_format; use "
        "gleed.contiguous_format"
    )


# ---- layers of images with channels last: what is not compared with PyTorch in tests/conformance
F = gleed.nn.functional
LAYERS = {
    "conv": lambda x, w: F.conv2d(x, w, padding=1),
    "large conv": lambda x, w: F.conv2d(
        x.repeat(2, 8, 4, 4).contiguous(memory_format=gleed.channels_last),
        w.repeat(5, 8, 1, 1),
        padding=1,
    ),
    "conv with strides": lambda x, w: F.conv2d(x, w, stride=2, dilation=(1, 2), padding=2),
    "grouped conv": lambda x, w: F.conv2d(x, w[:, :2], groups=2, padding=1),
    "depthwise conv": lambda x, w: F.conv2d(x, w[:, :1], groups=4, padding=1),
    "conv of pixels": lambda x, w: F.conv2d(x, w[:, :, :1, :1], w[:, 0, 0, 0]),
    "transposed conv": lambda x, w: F.conv_transpose2d(x, w[:4], stride=2, padding=1),
    "max_pool": lambda x, w: F.max_pool2d(x, 2),
    "avg_pool": lambda x, w: F.avg_pool2d(x, 3, 2, 1),
    "interpolate": lambda x, w: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "pad": lambda x, w: F.pad(x, (1, 2, 0, 1)),
    "cat": lambda x, w: gleed.cat([x, x], 1),
    "group_norm": lambda x, w: F.group_norm(x, 2),
    "batch_norm": lambda x, w: F.batch_norm(x, None, None, training=True),
}


def images(shape, dtype, last):
    gleed.manual_seed(5)
    x = gleed.randn(shape, dtype=gleed.float64).to(dtype)
    return (x.to(memory_format=gleed.channels_last) if last else x).requires_grad_()


def run(name, dtype, last):
    """The result of a layer, and the gradients of x and w."""
    x, w = images((2, 4, 6, 7), dtype, last), images((8, 4, 3, 3), dtype, last)
    y = LAYERS[name](x, w)
    g = images(tuple(y.shape), dtype, last).detach()
    gradients = gleed.autograd.grad(y, (x, w), g, allow_unused=True)
    return [y, *(g for g in gradients if g is not None)]


@pytest.mark.parametrize("dtype", [gleed.float32, gleed.float64, gleed.bfloat16, gleed.float16])
@pytest.mark.parametrize("name", LAYERS)
def test_layers_keep_channels_last(name, dtype):
    tolerance = {gleed.float64: 1e-12, gleed.float32: 1e-4}.get(dtype, 5e-2)
    results = run(name, dtype, True)
    assert results[0].stride() == last_strides(tuple(results[0].shape))
    for y, plain in zip(results, run(name, dtype, last=False), strict=True):
        y, plain = y.detach().double().numpy(), plain.detach().double().numpy()
        np.testing.assert_allclose(y, plain, atol=tolerance * max(1, abs(plain).max()))


@pytest.mark.parametrize("name", ["conv", "depthwise conv", "conv of pixels", "transposed conv"])
def test_second_derivatives(name):
    def f(x, w):
        last = gleed.channels_last
        y = LAYERS[name](x.contiguous(memory_format=last), w.contiguous(memory_format=last))
        return (y * y).contiguous()

    gleed.manual_seed(2)
    x = gleed.randn(1, 4, 3, 3, dtype=gleed.float64, requires_grad=True)
    w = gleed.randn(8, 4, 3, 3, dtype=gleed.float64, requires_grad=True)
    assert gleed.autograd.gradcheck(f, (x, w))
    assert gleed.autograd.gradgradcheck(f, (x, w))


@pytest.mark.parametrize("name", LAYERS)
def test_threads_and_captures_give_the_same_bits(name):
    threads = gleed.get_num_threads()
    found = []
    for count in (1, 2):
        gleed.set_num_threads(count)
        found.append(run(name, gleed.float32, True))
    gleed.set_num_threads(threads)

    def step(x, w):
        y = LAYERS[name](x, w)
        return y, (y * y).sum((2, 3)).exp()

    x = images((2, 4, 6, 7), gleed.float32, True).detach()
    w = images((8, 4, 3, 3), gleed.float32, True).detach()
    compiled = gleed.compile(step)
    compiled(x, w)
    found.append(compiled(x, w))
    for others, expected in ((found[1], found[0]), (found[2], step(x, w))):
        for y, same in zip(others, expected, strict=True):
            assert y.stride() == same.stride()
            np.testing.assert_array_equal(y.detach().numpy(), same.detach().numpy())


def test_images_of_one_channel_go_by_their_strides():
    w = gleed.randn(3, 1, 3, 3)
    for last in (False, True, False):
        x = gleed.randn(2, 1, 5, 5)
        x = x.to(memory_format=gleed.channels_last) if last else x
        assert F.conv2d(x, w).is_contiguous(memory_format=gleed.channels_last) == last
