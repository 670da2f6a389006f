"""Convolutions of sizes that are divided into slabs, blocks and tasks, and their error texts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gleed
from gleed.errors import DTypeError, GleedError, RangeError, ShapeError

from . import convolutions

F = gleed.nn.functional

# Input, weight, and options: what is particular about them.
CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "slabs of rows": ((1, 3, 70, 61), (7, 3, 3, 3), {"padding": 1}),
    "slabs of images": ((23, 5, 7, 9), (13, 5, 3, 3), {"padding": 1}),
    "one output a row": ((2, 3, 40, 3), (5, 3, 5, 3), {}),
    "long rows": ((2, 3, 5000), (17, 3, 5), {"stride": 3, "padding": 2}),
    "blocks of channels": ((2, 150, 9, 10), (20, 150, 3, 3), {"padding": 1}),
    "blocks of taps": ((1, 2, 30, 31), (3, 2, 25, 24), {"dilation": 1}),
    "many outputs": ((1, 9, 6, 5), (150, 9, 3, 3), {}),
    "one output": ((2, 9, 20, 21), (1, 9, 3, 3), {"padding": 1}),
    "strides": ((3, 8, 33, 40), (70, 8, 5, 4), {"stride": (2, 3), "padding": (2, 1)}),
    "taps apart": ((2, 4, 30, 30), (9, 4, 3, 3), {"dilation": (5, 3), "padding": 4}),
    "stride beyond the kernel": ((2, 4, 20, 20), (9, 4, 2, 1), {"stride": 4}),
    "padding beyond the kernel": ((2, 2, 6, 5), (3, 2, 2, 2), {"padding": (5, 4)}),
    "same, unevenly": ((2, 3, 11, 12), (4, 3, 4, 2), {"padding": "same", "dilation": (1, 3)}),
    "groups": ((2, 24, 15, 14), (36, 6, 3, 3), {"groups": 4, "padding": 1}),
    "channelwise": ((3, 19, 37, 41), (19, 1, 3, 3), {"groups": 19, "padding": 1}),
    "channelwise, strides": ((3, 5, 37, 41), (10, 1, 5, 3), {"groups": 5, "stride": 2}),
    "channelwise, narrow": ((4, 6, 5, 7), (12, 1, 3, 3), {"groups": 6, "padding": 1}),
    "channelwise, many taps": ((2, 3, 21, 40), (3, 1, 9, 11), {"groups": 3, "padding": (4, 9)}),
    "channelwise, taps apart": (
        (2, 3, 30, 29),
        (3, 1, 4, 3),
        {"groups": 3, "stride": (4, 2), "dilation": (6, 3)},
    ),
    "channelwise, far apart": ((2, 3, 30, 90), (3, 1, 4, 3), {"groups": 3, "stride": (2, 7)}),
    "channelwise lines": ((2, 5, 400), (5, 1, 7), {"groups": 5, "padding": 3}),
    "channelwise, one plane": ((1, 1, 301, 203), (2, 1, 3, 3), {"padding": 1}),
    "channelwise volumes": ((2, 3, 6, 20, 19), (3, 1, 2, 3, 3), {"groups": 3, "dilation": 2}),
    "squares": ((3, 17, 13, 22), (19, 17, 3, 3), {"padding": 1}),
    "squares of many channels": ((2, 150, 16, 14), (40, 150, 3, 3), {"padding": 2}),
    "squares of many outputs": ((2, 130, 17, 17), (270, 130, 3, 3), {}),
    "stretches": ((3, 70, 15, 18), (83, 70, 3, 3), {"stride": 2, "padding": 1}),
    "short stretches": ((2, 3, 33, 40), (40, 3, 7, 7), {"stride": 2, "padding": 3}),
    "long stretches": ((1, 300, 9, 9), (20, 300, 3, 3), {"stride": 2}),
    "stretches apart": (
        (2, 24, 21, 20),
        (33, 24, 3, 2),
        {"dilation": (2, 3), "stride": (1, 2), "padding": 2},
    ),
    "stretches of groups": ((2, 34, 12, 13), (36, 17, 3, 3), {"groups": 2, "stride": 2}),
    "stretches in volumes": ((2, 17, 5, 8, 7), (18, 17, 3, 3, 3), {"stride": 2, "padding": 1}),
    "volumes": ((2, 6, 9, 8, 11), (12, 3, 3, 2, 3), {"groups": 2, "stride": (1, 2, 2)}),
    "no channels": ((2, 0, 5, 5), (3, 0, 3, 3), {}),
}


def numbers(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def layouts(array: np.ndarray, dtype: Any) -> list[Any]:
    """The same tensor, row-major, with axes stored the other way round, and with channels last."""
    if array.ndim == 1:
        return [gleed.from_numpy(array).to(dtype)] * 3
    around = np.ascontiguousarray(array.T).T
    last = np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)
    return [gleed.from_numpy(a).to(dtype) for a in (array, around, last)]


def close(got: Any, wanted: np.ndarray, dtype: Any) -> None:
    unit = 1e-5 if dtype == gleed.float32 else 1e-13
    assert tuple(got.shape) == wanted.shape
    scale = np.abs(wanted).max(initial=1)
    np.testing.assert_allclose(got.detach().numpy(), wanted, rtol=0, atol=unit * scale)


def function(weight: Any) -> Any:
    return getattr(F, f"conv{weight.ndim - 2}d")


@pytest.mark.parametrize("dtype", [gleed.float32, gleed.float64], ids=str)
@pytest.mark.parametrize("name", CASES)
def test_values(name: str, dtype: Any) -> None:
    size, kernel, options = CASES[name]
    x, w, b = numbers(0, size), numbers(1, kernel), numbers(2, kernel[:1])
    wanted = convolutions.convolution(x, w, b, **options)
    bias = gleed.tensor(b).to(dtype)
    for input, weight in zip(layouts(x, dtype), layouts(w, dtype), strict=True):
        close(function(weight)(input, weight, bias, **options), wanted, dtype)


@pytest.mark.parametrize("dtype", [gleed.float32, gleed.float64], ids=str)
@pytest.mark.parametrize("name", CASES)
def test_gradients(name: str, dtype: Any) -> None:
    """The gradients are what makes the sum of y * conv(x, w) the same to x, w and y."""
    size, kernel, options = CASES[name]
    shapes = enumerate((size, kernel, kernel[:1]))
    x, w, b = (gleed.tensor(numbers(i, s)).to(dtype) for i, s in shapes)
    leaves = [t.requires_grad_() for t in (x, w, b)]
    result = function(w)(*leaves, **options)
    y = gleed.tensor(numbers(3, tuple(result.shape))).to(dtype)
    unit = 1e-5 if dtype == gleed.float32 else 1e-13
    gradients = gleed.autograd.grad(result, leaves, y)
    close(gradients[2], y.numpy().sum((0, *range(2, y.ndim))), dtype)
    for k in range(3):
        step_x, step_w = numbers(10 + k, size), numbers(20 + k, kernel)
        along_x = convolutions.convolution(step_x, w.detach().numpy(), **options)
        along_w = convolutions.convolution(x.detach().numpy(), step_w, **options)
        for gradient, step, along in zip(
            gradients, (step_x, step_w), (along_x, along_w), strict=False
        ):
            wanted = (along * y.numpy()).sum()
            got = (gradient.numpy() * step).sum()
            scale = np.linalg.norm(along) * np.linalg.norm(y.numpy())
            assert got == pytest.approx(wanted, rel=0, abs=unit * scale)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("seed", range(14))
def test_channels_last(seed: int, single: bool, transposed: bool) -> None:
    """Of random sizes, in groups of one channel or many: as row-major, which is compared with the
    definition, and the same bits from any number of threads."""
    draw = np.random.default_rng(seed)
    axes, channels = int(draw.integers(2, 4)), int(draw.choice([1, 3, 8, 16, 17, 40, 64, 130]))
    groups = channels if single else int(draw.choice([1, 1, 2]))
    own, other = (1, 1) if single else (int(n) for n in draw.choice([2, 3, 8, 16, 37], 2))
    channels = channels if single else groups * own

    def each(*of: int) -> list[int]:
        return [int(n) for n in draw.choice(of, axes)]

    kernel = each(*((1, 2, 3, 3, 4, 5, 9) if axes == 2 else (1, 2, 3)))
    options: dict[str, Any] = {"stride": each(1, 1, 2, 3), "padding": each(0, 1, 3)}
    options |= {"dilation": each(1, 1, 2), "groups": groups}
    size = each(*((17, 19, 22, 33) if axes == 2 else (5, 6, 7)))
    if transposed:
        options["padding"] = 0
    convolve = getattr(F, f"conv{'_transpose' * transposed}{axes}d")
    rows = (channels, other) if transposed else (groups * other, own)
    shapes = (int(draw.integers(1, 4)), channels, *size), (*rows, *kernel), (groups * other,)
    arrays = [numbers(seed + i, shape) for i, shape in enumerate(shapes)]

    def results(layout: int, threads: int, dtype: Any) -> list[Any]:
        gleed.set_num_threads(threads)
        leaves = [layouts(a, dtype)[layout].detach().requires_grad_() for a in arrays]
        y = convolve(*leaves, **options)
        g = layouts(numbers(seed + 3, tuple(y.shape)), dtype)[layout]
        return [y.detach(), *gleed.autograd.grad(y, leaves, g)]

    before = gleed.get_num_threads()
    try:
        wanted = results(0, 1, gleed.float64)
        for dtype in (gleed.float32, gleed.float64):
            one, two = (results(2, threads, dtype) for threads in (1, 2))
            for got, again, exact in zip(one, two, wanted, strict=True):
                assert gleed.equal(got, again)
                close(got, exact.numpy(), dtype)
    finally:
        gleed.set_num_threads(before)


def test_second_gradients_of_large_ones() -> None:
    """A gradient's gradient is linear: compare with a difference, which is exact then."""
    x, w = gleed.tensor(numbers(0, (2, 20, 9, 9))), gleed.tensor(numbers(1, (30, 20, 3, 3)))
    x, w = x.requires_grad_(), w.requires_grad_()
    y = gleed.tensor(numbers(2, (2, 30, 5, 5))).requires_grad_()

    def slope(x: Any, y: Any) -> Any:
        return gleed.autograd.grad(F.conv2d(x, w, stride=2, padding=1), w, y, create_graph=True)[0]

    towards = gleed.tensor(numbers(3, tuple(w.shape)))
    for place, start in ((0, x), (1, y)):
        second = gleed.autograd.grad(slope(x, y), start, towards)[0]
        step = gleed.tensor(numbers(4 + place, tuple(start.shape)))
        moved = slope(start + step, y) if place == 0 else slope(x, start + step)
        wanted = ((moved - slope(x, y)) * towards).sum().item()
        assert (second * step).sum().item() == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("dtype", [gleed.float16, gleed.bfloat16], ids=str)
def test_halves_are_summed_in_float32(dtype: Any) -> None:
    x, w = gleed.ones(1, 64, 9, 9, dtype=dtype), gleed.ones(1, 64, 8, 8, dtype=dtype)
    assert F.conv2d(x, w).flatten().tolist() == [4096.0] * 4


@pytest.mark.parametrize("sizes", ["random", "large", "alternating"])
def test_the_error_of_fewer_products_is_bounded(sizes: str) -> None:
    """By what is documented, and by less than that of sums of products one after another."""
    channels = 64
    shapes = (4, channels, 16, 16), (48, channels, 3, 3)
    x, w = (numbers(i, shape).astype(np.float32) for i, shape in enumerate(shapes))
    if sizes == "large":  # nothing cancels
        x, w = np.abs(x) + 100, np.abs(w) + 1
    if sizes == "alternating":  # everything does
        x, w = np.sign(x), np.sign(w)
    wanted = convolutions.convolution(x.astype(np.float64), w.astype(np.float64), padding=1)
    got = F.conv2d(gleed.from_numpy(x), gleed.from_numpy(w), padding=1).numpy()
    error = np.abs(got - wanted).max()
    product, unit = np.abs(x).max() * np.abs(w).max(), 2.0**-24
    assert error <= 64 * channels * (channels + 10) * unit * product
    assert error <= 9 * channels * product * 4 * unit


@pytest.mark.parametrize("dtype", [gleed.float16, gleed.bfloat16], ids=str)
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_halves_are_exact(name: str, transposed: bool, dtype: Any) -> None:
    """Of small whole numbers every product and sum is exact; results are rounded once."""
    size, kernel, options = CASES[name]
    channels = kernel[0]
    if transposed:
        options = {key: value for key, value in options.items() if key != "padding"}
        size, channels = (size[0], kernel[0], *size[2:]), kernel[1] * options.get("groups", 1)
    convolve = getattr(F, f"conv{'_transpose' * transposed}{len(size) - 2}d")

    def draw(*shape: int) -> np.ndarray:
        return np.random.default_rng(len(shape)).integers(-2, 3, shape).astype(np.float64)

    def results(layout: int, dtype: Any) -> tuple[Any, ...]:
        x, w = (layouts(draw(*s), dtype)[layout].requires_grad_() for s in (size, kernel))
        b = gleed.tensor(draw(channels)).to(dtype).requires_grad_()
        y = convolve(x, w, b, **options)
        g = gleed.tensor(draw(*y.shape)).to(dtype)
        return (y.detach(), *gleed.autograd.grad(y, (x, w, b), g))

    wanted = results(0, gleed.float64)
    for layout in range(3):
        for found, exact in zip(results(layout, dtype), wanted, strict=True):
            assert found.dtype is dtype and gleed.equal(found, exact.to(dtype))


@pytest.mark.parametrize("dtype", [gleed.float16, gleed.bfloat16], ids=str)
@pytest.mark.parametrize("name", CASES)
def test_halves_are_the_same_bits_from_any_number_of_threads(name: str, dtype: Any) -> None:
    size, kernel, options = CASES[name]

    def results(layout: int, threads: int) -> list[Any]:
        gleed.set_num_threads(threads)
        arrays = (numbers(i, shape) for i, shape in enumerate((size, kernel)))
        x, w = (layouts(a, dtype)[layout].requires_grad_() for a in arrays)
        y = function(w)(x, w, **options)
        g = layouts(numbers(2, tuple(y.shape)), dtype)[layout]
        return [y.detach(), *gleed.autograd.grad(y, (x, w), g)]

    before = gleed.get_num_threads()
    try:
        for layout in (0, 2):
            pairs = zip(results(layout, 1), results(layout, 2), strict=True)
            assert all(gleed.equal(one, two) for one, two in pairs)
    finally:
        gleed.set_num_threads(before)


@pytest.mark.parametrize("dtype", [gleed.float16, gleed.bfloat16], ids=str)
def test_halves_that_are_small_or_not_finite(dtype: Any) -> None:
    """Whatever 16 bits can say is read as it is."""
    bits = gleed.arange(2**16, dtype=gleed.int32).to(gleed.int16)
    x = bits.view(dtype)
    one = gleed.ones(2, 1, 1, dtype=dtype)
    y = F.conv1d(x.reshape(1, 1, -1), one)
    assert all(gleed.equal(row.nan_to_num(7.0), x.nan_to_num(7.0)) for row in y[0])


@pytest.mark.parametrize("dtype", [gleed.float16, gleed.bfloat16], ids=str)
def test_memory_for_halves_does_not_grow_with_the_batch(dtype: Any) -> None:
    """Neither operands nor results are copied as a whole."""
    w = gleed.ones(8, 8, 3, 3, dtype=dtype)

    def beyond(images: int) -> list[int]:
        x = gleed.ones(images, 8, 64, 64, dtype=dtype).requires_grad_()
        y = F.conv2d(x, w.requires_grad_(), padding=1)
        g = gleed.ones_like(y.detach())
        calls = (
            lambda: F.conv2d(x, w, padding=1),
            lambda: gleed.autograd.grad(y, x, g, retain_graph=True),
            lambda: gleed.autograd.grad(y, w, g, retain_graph=True),
        )
        peaks = []
        for call in calls:
            call()
            gleed.reset_peak_memory_stats()
            before = gleed.memory_stats()["peak"]
            call()
            peaks.append(gleed.memory_stats()["peak"] - before)
        return peaks

    image = 8 * 64 * 64 * 2
    few, many = beyond(32), beyond(128)
    results = [96 * image, 96 * image, 0]
    for one, two, result in zip(few, many, results, strict=True):
        assert two - one - result < 48 * image


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_what_is_not_finite_stays_near(value: float) -> None:
    x = numbers(0, (2, 16, 20, 21)).astype(np.float32)
    x[1, 3, 8, 9] = value
    finite = np.isfinite(F.conv2d(gleed.from_numpy(x), gleed.ones(16, 16, 3, 3)).numpy())
    assert not finite[1, :, 6:9, 7:10].any()
    finite[1, :, 6:10, 6:10] = True
    assert finite.all()


def test_integers_wrap_around() -> None:
    x, w = gleed.full((1, 1, 4), 100, dtype=gleed.int8), gleed.ones(1, 1, 2, dtype=gleed.int8)
    assert F.conv1d(x, w).flatten().tolist() == [-56] * 3
    assert F.conv_transpose1d(x, w).flatten().tolist() == [100, -56, -56, -56, 100]


def test_new_sizes_compile_nothing() -> None:
    weight = gleed.ones(3, 2, 3, 3)
    F.conv2d(gleed.ones(2, 2, 8, 9), weight, padding=1)
    before = gleed._C.engine_stats()["misses"]
    F.conv2d(gleed.ones(4, 2, 10, 13), weight, padding=1)
    assert gleed._C.engine_stats()["misses"] == before


def f(*shape: int) -> Any:
    return gleed.zeros(*shape)


# The call, the error, its text.
BAD: list[tuple[str, type[Exception], str]] = [
    (
        "F.conv2d(f(1, 3, 8, 8), f(4, 2, 3, 3))",
        ShapeError,
        "conv2d: the weight takes 2 channels; got an input [1, 3, 8, 8] of 3, weight "
        "[4, 2, 3, 3] (out, in / groups, …) and groups=1; check the channels",
    ),
    (
        "F.conv_transpose1d(f(3, 8), f(4, 2, 3))",
        ShapeError,
        "conv_transpose1d: the weight takes 4 channels; got an input [3, 8] of 3, weight "
        "[4, 2, 3] (in, out / groups, …) and groups=1; check the channels",
    ),
    (
        "F.conv1d(f(1, 2, 4), f(3, 2, 6), padding=1, dilation=2)",
        ShapeError,
        "conv1d: the kernel must not be larger than the input with its padding; got a kernel "
        "that reaches over [11] of [6]; pad more, or use a smaller kernel or dilation",
    ),
    (
        "F.conv2d(f(8, 8), f(4, 2, 3, 3))",
        ShapeError,
        "conv2d: the input must be (batch, channels, height, width), or the same without batch; "
        "got [8, 8]; reshape it",
    ),
    (
        "F.conv2d(f(1, 2, 8, 8), f(4, 2, 3))",
        ShapeError,
        "conv2d: the weight must have 4 dims, the last 2 of them the kernel's; got [4, 2, 3]; "
        "reshape it",
    ),
    (
        "F.conv1d(f(1, 2, 8), f(4, 2, 0))",
        ShapeError,
        "conv1d: a kernel has at least one element; got weight [4, 2, 0]; choose another kernel "
        "size",
    ),
    (
        "F.conv1d(f(1, 4, 8), f(3, 2, 1), groups=2)",
        ShapeError,
        "conv1d: groups must divide the first size of the weight; got 2 and weight [3, 2, 1]; "
        "choose other groups",
    ),
    (
        "F.conv1d(f(1, 4, 8), f(3, 4, 1), groups=0)",
        RangeError,
        "conv1d: groups must be a positive number; got 0; use 1",
    ),
    (
        "F.conv1d(f(1, 4, 8), f(3, 4, 1), f(2))",
        ShapeError,
        "conv1d: the bias must have one element per output channel; got [2] for 3 channels; check "
        "the bias",
    ),
    (
        "F.conv2d(f(1, 4, 8, 8), f(3, 4, 1, 1), stride=(1, 2, 3))",
        RangeError,
        "conv2d: stride must be a whole number of 1 or more, or 2 of them; got (1, 2, 3); give "
        "one for each spatial dim",
    ),
    (
        "F.conv1d(f(1, 4, 8), f(3, 4, 1), padding=-1)",
        RangeError,
        "conv1d: padding must be a whole number of 0 or more, or 1 of them; got -1; give one for "
        "each spatial dim",
    ),
    (
        "F.conv1d(f(1, 4, 8), f(3, 4, 1), padding='full')",
        RangeError,
        'conv1d: padding must be numbers, "same" or "valid"; got \'full\'; correct the name',
    ),
    (
        "F.conv1d(f(1, 4, 8), f(3, 4, 1), stride=2, padding='same')",
        RangeError,
        'conv1d: padding="same" keeps the size, so the stride must be 1; got stride (2,); give the '
        "padding in numbers",
    ),
    (
        "F.conv1d(f(1, 4, 8), f(3, 4, 1).double())",
        DTypeError,
        "conv1d: input, weight and bias must have one dtype; got float32 and, for weight, float64; "
        "convert one with .to(dtype)",
    ),
    (
        "F.conv1d(f(1, 4, 8).bool(), f(3, 4, 1).bool())",
        DTypeError,
        "conv1d: bool has no convolution; got bool; convert it",
    ),
    (
        "F.conv_transpose1d(f(1, 4, 8), f(4, 2, 1), stride=2, output_padding=2)",
        RangeError,
        "conv_transpose1d: output_padding must be less than the stride or the dilation; got (2,) "
        "for stride (2,) and dilation (1,); choose a smaller one",
    ),
    (
        "F.conv_transpose1d(f(1, 4, 2), f(4, 2, 1), padding=1)",
        ShapeError,
        "conv_transpose1d: the result must not be empty; got sizes [0] for input [1, 4, 2]; use "
        "less padding",
    ),
]


@pytest.mark.parametrize(("source", "error", "text"), BAD, ids=[source for source, _, _ in BAD])
def test_bad_input(source: str, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as raised:
        eval(source, {"F": F, "f": f})
    assert str(raised.value) == text
    assert isinstance(raised.value, GleedError)
