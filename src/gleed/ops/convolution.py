"""Convolution over one to three axes, and transposed convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gleed import primitives as p
from gleed.compiler.dims import Dim, Size, product
from gleed.compiler.kernel import HALVES, is_float
from gleed.errors import DTypeError, RangeError, ShapeError
from gleed.memory_formats import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    inner_axes,
    suggested_format,
)
from gleed.ops.linear import linear
from gleed.ops.memory_formats import copied, from_last
from gleed.ops.padding import constant_pad_nd
from gleed.ops.promotion import convert, dtype_text, expand_to, require_dtype, shape_text
from gleed.ops.record import Tensor, op
from gleed.primitives.core import same_shape

SPACES = ("gleed", "nn.functional")
Sizes = tuple[Size, ...]


# ---- arguments
def _each(name: str, what: str, value: Any, axes: int, least: int) -> tuple[int, ...]:
    """One whole number for every spatial axis."""
    values = tuple(value) if isinstance(value, list | tuple) else (value,)
    values = values * axes if len(values) == 1 else values
    whole = all(isinstance(n, int) and not isinstance(n, bool) and n >= least for n in values)
    if len(values) != axes or not whole:
        raise RangeError(
            f"{name}: {what} must be a whole number of {least} or more, or {axes} of them; got "
            f"{value!r}; give one for each spatial dim"
        )
    return values


def _check_tensors(name: str, x: Tensor, weight: Tensor, bias: Tensor | None, axes: int) -> None:
    for tensor, what in ((weight, "weight"), (bias, "bias")):
        if tensor is not None and tensor.dtype != x.dtype:
            raise DTypeError(
                f"{name}: input, weight and bias must have one dtype; got "
                f"{dtype_text(x.dtype)} and, for {what}, {dtype_text(tensor.dtype)}; convert one "
                "with .to(dtype)"
            )
    require_dtype(name, x, x.dtype != "bool", "bool has no convolution", "convert it")
    spatial = ("length", "height, width", "depth, height, width")[axes - 1]
    if x.ndim not in (axes + 1, axes + 2):
        raise ShapeError(
            f"{name}: the input must be (batch, channels, {spatial}), or the same without batch; "
            f"got {shape_text(x.shape)}; reshape it"
        )
    if weight.ndim != axes + 2:
        raise ShapeError(
            f"{name}: the weight must have {axes + 2} dims, the last {axes} of them the kernel's; "
            f"got {shape_text(weight.shape)}; reshape it"
        )
    if not all(size > 0 for size in weight.shape[2:]):
        raise ShapeError(
            f"{name}: a kernel has at least one element; got weight {shape_text(weight.shape)}; "
            "choose another kernel size"
        )


def _check_groups(name: str, x: Tensor, weight: Tensor, groups: Any, transposed: bool) -> None:
    if not isinstance(groups, int) or groups < 1:
        raise RangeError(f"{name}: groups must be a positive number; got {groups!r}; use 1")
    channels = x.shape[-weight.ndim + 1]
    takes = weight.shape[0] if transposed else weight.shape[1] * groups
    if channels != takes:
        layout = "(in, out / groups, …)" if transposed else "(out, in / groups, …)"
        raise ShapeError(
            f"{name}: the weight takes {_hint(takes)} channels; got an input "
            f"{shape_text(x.shape)} of {_hint(channels)}, weight {shape_text(weight.shape)} "
            f"{layout} and groups={groups}; check the channels"
        )
    if weight.shape[0] % groups > 0:
        raise ShapeError(
            f"{name}: groups must divide the first size of the weight; got {groups} and weight "
            f"{shape_text(weight.shape)}; choose other groups"
        )


def _check_bias(name: str, bias: Tensor | None, channels: Size) -> None:
    if bias is not None and not (bias.ndim == 1 and bias.shape[0] == channels):
        raise ShapeError(
            f"{name}: the bias must have one element per output channel; got "
            f"{shape_text(bias.shape)} for {_hint(channels)} channels; check the bias"
        )


def _hint(size: Size) -> int:
    return size.hint if isinstance(size, Dim) else size


# ---- convolution
def _padding(
    name: str, padding: Any, kernel: Sizes, stride: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[Sizes, Sizes]:
    """Zeros before and after."""
    if not isinstance(padding, str):
        both = _each(name, "padding", padding, len(kernel), 0)
        return both, both
    if padding == "valid":
        return (0,) * len(kernel), (0,) * len(kernel)
    if padding != "same":
        raise RangeError(
            f'{name}: padding must be numbers, "same" or "valid"; got {padding!r}; correct the name'
        )
    if any(n != 1 for n in stride):
        raise RangeError(
            f'{name}: padding="same" keeps the size, so the stride must be 1; got stride '
            f"{stride}; give the padding in numbers"
        )
    total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    before = tuple(n // 2 for n in total)
    return before, tuple(n - b for n, b in zip(total, before, strict=True))


def _sizes(name: str, x: Sizes, kernel: Sizes, window: dict[str, Any], after: Sizes) -> Sizes:
    """The spatial sizes of the result."""
    stride, before, dilation = window["stride"], window["padding"], window["dilation"]
    room = tuple(n + b + a for n, b, a in zip(x, before, after, strict=True))
    reach = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True))
    if not all(n >= r for n, r in zip(room, reach, strict=True)):
        raise ShapeError(
            f"{name}: the kernel must not be larger than the input with its padding; got a kernel "
            f"that reaches over {shape_text(reach)} of {shape_text(room)}; pad more, or use a "
            "smaller kernel or dilation"
        )
    return tuple((n - r) // s + 1 for n, r, s in zip(room, reach, stride, strict=True))


def _convolve(
    name: str,
    axes: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
) -> Tensor:
    _check_tensors(name, input, weight, bias, axes)
    _check_groups(name, input, weight, groups, transposed=False)
    _check_bias(name, bias, weight.shape[0])
    kernel = weight.shape[2:]
    stride = _each(name, "stride", stride, axes, 1)
    dilation = _each(name, "dilation", dilation, axes, 1)
    before, after = _padding(name, padding, kernel, stride, dilation)
    window = {"groups": groups, "stride": stride, "padding": before, "dilation": dilation}
    x, alone = _batched(input, axes)
    sizes = _sizes(name, x.shape[2:], kernel, window, after)
    function = p.convolution if is_float(x.dtype) else _by_columns
    return _finish(_apply(function, x, weight, bias, **window, sizes=sizes), alone)


def _batched(x: Tensor, axes: int) -> tuple[Tensor, bool]:
    """The input with a batch dim, and whether it had none."""
    alone = x.ndim == axes + 1
    return (p.reshape(x, shape=(1, *x.shape)) if alone else x), alone


def _finish(y: Tensor, alone: bool) -> Tensor:
    return p.reshape(y, shape=y.shape[1:]) if alone else y


def _apply(function: Any, x: Tensor, weight: Tensor, bias: Tensor | None, **window: Any) -> Tensor:
    """The sum; that of 16-bit numbers in float32, rounded once. Where the images or the weight
    have channels last, so has the result."""
    biases = () if bias is None else (bias,)
    if not is_float(x.dtype):
        return function(x, weight, *biases, **window)
    last = _channels_last(x) or _channels_last(weight)
    if function is p.convolution and _channels_last(x) and _is_pointwise(x, weight, **window):
        return _by_pixels(x, weight, bias)
    sums = "f32" if x.dtype in HALVES else x.dtype
    single = window["groups"] > 1 and weight.shape[1] == 1
    # Pixels of single channels are neighbours; planes, of which one gives several, are row-major.
    pixels = single and last and weight.shape[0] == window["groups"]
    planes = single and not pixels
    x = _compact_last(x) if pixels else p.compact(x) if planes else x
    y = function(
        x,
        weight,
        *(convert(b, sums) for b in biases),
        **window,
        last=last and not planes,
    )
    if planes and last:
        return copied("", y, channels_last if y.ndim == 4 else channels_last_3d)
    return p.channels_second(y, last)


def _compact_last(x: Tensor) -> Tensor:
    """With channels side by side."""
    return p.channels_second(p.compact(p.permute(x, axes=inner_axes(x.ndim))), True)


def _channels_last(x: Tensor) -> bool:
    return suggested_format(x.shape, x.stride()) is not contiguous_format


def _is_pointwise(
    x: Tensor, weight: Tensor, groups: int, stride: Any, padding: Any, sizes: Sizes, **_: Any
) -> bool:
    """Whether every result is computed from one pixel, and every pixel gives one."""
    plain = groups == 1 and all(n == 1 for n in stride) and not any(padding)
    return plain and all(n == 1 for n in weight.shape[2:]) and same_shape(sizes, x.shape[2:])


def _by_pixels(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A product of matrices: channels side by side are rows already."""
    pixels = p.permute(x, axes=inner_axes(x.ndim))
    return from_last(linear(pixels, p.reshape(weight, shape=weight.shape[:2]), bias))


def _by_columns(x: Tensor, weight: Tensor, *bias: Tensor, sizes: Sizes, **window: Any) -> Tensor:
    """A matrix product with all windows laid out, for integers."""
    axes, groups, dilation = len(sizes), window["groups"], window["dilation"]
    kernel, room = weight.shape[2:], []
    for a in reversed(range(axes)):
        reach = (sizes[a] - 1) * window["stride"][a] + dilation[a] * (kernel[a] - 1) + 1
        before = window["padding"][a]
        room += [before, reach - before - x.shape[a + 2]]
    x = constant_pad_nd(x, tuple(room))
    for a in range(axes):
        reach = dilation[a] * (kernel[a] - 1) + 1
        step = window["stride"][a]
        x = p.window(x, axis=a + 2, size=reach, step=step, count=sizes[a])
        last = x.ndim - 1
        x = p.slice(x, axis=last, start=0, step=dilation[a], length=kernel[a])
    n, channels, outputs = x.shape[0], weight.shape[1], weight.shape[0] // groups
    order = (0, 1, *range(2 + axes, 2 + 2 * axes), *range(2, 2 + axes))
    depth, positions = channels * product(kernel), product(sizes)
    columns = p.reshape(p.permute(x, axes=order), shape=(n, groups, depth, positions))
    rows = p.reshape(weight, shape=(1, groups, outputs, depth))
    y = p.matmul(expand_to(rows, (n, groups, outputs, depth)), columns)
    y = p.reshape(y, shape=(n, weight.shape[0], *sizes))
    return y + p.reshape(bias[0], shape=(weight.shape[0], *(1,) * axes)) if bias else y


# ---- transposed convolution
def _transpose(
    name: str,
    axes: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: Any,
    dilation: Any,
) -> Tensor:
    _check_tensors(name, input, weight, bias, axes)
    _check_groups(name, input, weight, groups, transposed=True)
    _check_bias(name, bias, weight.shape[1] * groups)
    stride = _each(name, "stride", stride, axes, 1)
    dilation = _each(name, "dilation", dilation, axes, 1)
    padding = _each(name, "padding", padding, axes, 0)
    extra = _each(name, "output_padding", output_padding, axes, 0)
    if not all(e < max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise RangeError(
            f"{name}: output_padding must be less than the stride or the dilation; got "
            f"{extra} for stride {stride} and dilation {dilation}; choose a smaller one"
        )
    x, alone = _batched(input, axes)
    window = {"groups": groups, "stride": stride, "padding": padding, "dilation": dilation}
    kernel = weight.shape[2:]
    sizes = tuple(
        (x.shape[a + 2] - 1) * stride[a] - 2 * padding[a] + dilation[a] * (kernel[a] - 1) + 1
        + extra[a]
        for a in range(axes)
    )  # fmt: skip
    if not all(size > 0 for size in sizes):
        raise ShapeError(
            f"{name}: the result must not be empty; got sizes {shape_text(sizes)} for input "
            f"{shape_text(input.shape)}; use less padding"
        )
    function = p.convolution_input if is_float(x.dtype) else _transposed_by_columns
    return _finish(_apply(function, x, weight, bias, **window, sizes=sizes), alone)


def _transposed_by_columns(
    x: Tensor, weight: Tensor, *bias: Tensor, sizes: Sizes, **window: Any
) -> Tensor:
    """A convolution of the input with zeros put between its elements, for integers."""
    axes, groups = len(sizes), window["groups"]
    before = []
    for a in range(axes):
        step, size = window["stride"][a], x.shape[a + 2]
        shape = (*x.shape[: a + 2], (size - 1) * step + 1, *x.shape[a + 3 :])
        where = {"axis": a + 2, "start": 0, "step": step, "length": size}
        zeros = x.trace.full(shape, 0, x.dtype)
        x = p.insert(zeros, x, movement="slice", attrs=tuple(where.items()))
        weight = p.flip(weight, a + 2)
        before.append(window["dilation"][a] * (weight.shape[a + 2] - 1) - window["padding"][a])
    inputs, outputs, kernel = weight.shape[0] // groups, weight.shape[1], weight.shape[2:]
    rows = p.reshape(weight, shape=(groups, inputs, outputs, *kernel))
    rows = p.permute(rows, axes=(0, 2, 1, *range(3, 3 + axes)))
    rows = p.reshape(rows, shape=(groups * outputs, inputs, *kernel))
    window = window | {"stride": (1,) * axes, "padding": tuple(before)}
    return _by_columns(x, rows, *bias, **window, sizes=sizes)


# ---- records
@op(namespace=SPACES, grad_name="convolution")
def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: str | int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """The convolution of `input` (batch, in, length), or (in, length), with `weight`
    (out, in / groups, kernel): at every position the sum of the products of a window and the
    weight, plus `bias` (out,). See `conv2d`.

    >>> gleed.conv1d(gleed.tensor([[1.0, 2.0, 4.0, 8.0]]), gleed.tensor([[[-1.0, 1.0]]]))
    tensor([[1., 2., 4.]])
    """
    return _convolve("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


@op(namespace=SPACES, grad_name="convolution")
def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: str | int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """The convolution of `input` (batch, in, height, width), or without batch, with `weight`
    (out, in / groups, kernel height, kernel width), plus `bias` (out,).

    Windows are `stride` apart; `padding` zeros surround the input ("same": as many as keep the
    size, "valid": none); `dilation` is the distance of a window's elements. Each of `groups` equal
    parts of the channels has outputs of its own. A result has the size
    (size + 2 padding - dilation (kernel - 1) - 1) // stride + 1. 16-bit numbers are summed in
    float32, integers wrap around. The window is not mirrored, as mathematics would have it.

    Large ones of float32 with 3 × 3 taps next to one another are computed with 16 in place of 36
    products for each four results (Lavin and Gray, CVPR 2016). With C channels and nothing beyond X
    in the input and W in the weight, the error is at most 64 C (C + 10) 2⁻²⁴ X W, to first order.
    What is infinite or NaN in the input then makes NaN of up to four results beside those it meets.

    >>> x = gleed.arange(16.0).reshape(1, 1, 4, 4)
    >>> gleed.conv2d(x, gleed.ones(1, 1, 2, 2), stride=2)
    tensor([[[[10., 18.],
              [42., 50.]]]])
    """
    return _convolve("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


@op(namespace=SPACES, grad_name="convolution")
def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: str | int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """The convolution of `input` (batch, in, depth, height, width), or without batch, with `weight`
    (out, in / groups, kernel depth, height, width), plus `bias` (out,). See `conv2d`.

    >>> gleed.conv3d(gleed.ones(1, 2, 3, 3, 3), gleed.ones(4, 2, 3, 3, 3)).flatten()
    tensor([54., 54., 54., 54.])
    """
    return _convolve("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


@op(namespace=SPACES, grad_name="convolution")
def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Tensor:
    """The transpose of the linear map `conv1d`: `input` (batch, in, length), `weight`
    (in, out / groups, kernel). See `conv_transpose2d`.

    >>> gleed.conv_transpose1d(gleed.tensor([[1.0, 2.0]]), gleed.tensor([[[1.0, 10.0]]]), stride=2)
    tensor([[ 1., 10.,  2., 20.]])
    """
    return _transpose(
        "conv_transpose1d",
        1,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )


@op(namespace=SPACES, grad_name="convolution")
def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Tensor:
    """The transpose of the linear map `conv2d`, which is the gradient of that for its input: every
    element of `input` (batch, in, height, width) adds a multiple of `weight`
    (in, out / groups, kernel height, kernel width) to a window of the result, plus `bias` (out,).

    Windows are `stride` apart; `padding` is cut off on all sides, and `output_padding` less of it
    behind. A result has the size
    (size - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1.

    >>> gleed.conv_transpose2d(gleed.ones(1, 1, 2, 2), gleed.ones(1, 1, 2, 2))
    tensor([[[[1., 2., 1.],
              [2., 4., 2.],
              [1., 2., 1.]]]])
    """
    return _transpose(
        "conv_transpose2d",
        2,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )


@op(namespace=SPACES, grad_name="convolution")
def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Tensor:
    """The transpose of the linear map `conv3d`: `input` (batch, in, depth, height, width), `weight`
    (in, out / groups, kernel depth, height, width). See `conv_transpose2d`.

    >>> gleed.conv_transpose3d(gleed.ones(1, 1, 1, 1, 2), gleed.ones(1, 1, 1, 1, 2)).flatten()
    tensor([1., 2., 1.])
    """
    return _transpose(
        "conv_transpose3d",
        3,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )


def _samples() -> None:
    # Shapes of input, weight and bias, then options.
    calls: dict[Any, list[tuple[Any, ...]]] = {
        conv1d: [
            ((2, 3, 9), (4, 3, 3), (4,), {}),
            ((2, 4, 11), (6, 2, 3), None, {"stride": 2, "padding": 2, "dilation": 2, "groups": 2}),
            ((4, 8), (4, 1, 4), (4,), {"padding": "same", "groups": 4}),
        ],
        conv2d: [
            ((2, 3, 6, 7), (4, 3, 3, 3), (4,), {"padding": 1}),
            ((1, 4, 9, 8), (6, 2, 3, 2), (6,), {"stride": (2, 3), "padding": (2, 0), "groups": 2}),
            ((2, 3, 7, 9), (6, 1, 3, 3), None, {"stride": 2, "dilation": (1, 2), "groups": 3}),
            ((3, 5, 6), (2, 3, 4, 1), None, {"padding": "same"}),
            ((2, 5, 3, 4), (7, 5, 1, 1), (7,), {}),
            ((0, 2, 4, 4), (3, 2, 3, 3), (3,), {}),
        ],
        conv3d: [
            ((2, 2, 4, 3, 5), (3, 2, 2, 2, 3), (3,), {"padding": (1, 0, 1)}),
            ((1, 4, 5, 4, 4), (4, 2, 3, 2, 2), None, {"stride": 2, "padding": 1, "groups": 2}),
        ],
        conv_transpose1d: [
            ((2, 3, 5), (3, 4, 3), (4,), {"stride": 2, "padding": 1, "output_padding": 1}),
            ((4, 6), (4, 3, 2), None, {"stride": 3, "groups": 2}),
        ],
        conv_transpose2d: [
            ((2, 3, 4, 5), (3, 4, 3, 3), (4,), {"stride": (2, 1), "padding": 1}),
            ((1, 4, 3, 4), (4, 1, 3, 2), (4,), {"stride": 3, "groups": 4, "dilation": 2}),
            ((2, 3, 3), (2, 3, 1, 1), None, {"stride": 2, "output_padding": (1, 0)}),
            ((0, 2, 3, 3), (2, 3, 2, 2), (3,), {}),
        ],
        conv_transpose3d: [
            ((1, 2, 2, 3, 2), (2, 3, 2, 2, 3), (3,), {"stride": 2, "padding": (0, 1, 1)}),
        ],
    }
    for record, cases in calls.items():

        @record.samples
        def _(make: Any, cases: Any = cases) -> Any:
            for *shapes, options in cases:
                tensors = [make.tensor(shape) for shape in shapes if shape is not None]
                yield make.call(*tensors, **options)


_samples()
