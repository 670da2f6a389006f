"""Convolution and pooling. Images are (batch, height, width, channels), or with channels second if
`data_format` says "NCHW"; filters are (height, width, in, out).
"""

from __future__ import annotations

from typing import Any

from gleed.compat.tensorflow.convert import apply, convert_to_tensor, sizes
from gleed.errors import ArgumentError, ShapeError
from gleed.graph.node import Composite, Node
from gleed.ops.record import OPS


def _padding(size: Any, window: int, stride: int, padding: str) -> tuple[Any, Any]:
    """How much is added before and behind so that there are size / stride windows, rounded up."""
    if padding == "VALID":
        return 0, 0
    last = (size + stride - 1) // stride - 1 if stride > 1 else size - 1
    total = last * stride + window - size
    total = total if not total < 0 else 0
    return total // 2, total - total // 2


def _padded(x: Any, windows: Any, strides: Any, padding: str, value: float) -> Any:
    """An image (N, C, H, W) with what "SAME" adds around it."""
    rows = _padding(x.shape[2], windows[0], strides[0], padding)
    columns = _padding(x.shape[3], windows[1], strides[1], padding)
    counts = [*columns, *rows]
    return OPS["pad"](x, counts, "constant", value) if any(n != 0 for n in counts) else x


def _convolved(
    x: Any, filters: Any, strides: Any, padding: str, dilations: Any, last: bool, groups: int = 1
) -> Any:
    image = x.permute((0, 3, 1, 2)) if last else x
    windows = [(n - 1) * d + 1 for n, d in zip(filters.shape[:2], dilations, strict=True)]
    image = _padded(image, windows, strides, padding, 0.0)
    weight = filters.permute((3, 2, 0, 1))
    y = OPS["conv2d"](image, weight, None, tuple(strides), 0, tuple(dilations), groups)
    return y.permute((0, 2, 3, 1)) if last else y


def _checked_padding(op: str, padding: str) -> str:
    if str(padding).upper() not in ("SAME", "VALID"):
        raise ArgumentError(f'{op}: padding must be "SAME" or "VALID"; got {padding!r}; correct it')
    return padding.upper()


def _pair(op: str, given: Any, last: bool) -> tuple[int, int]:
    """The height and the width among numbers for all four dims."""
    numbers = [given] * 4 if isinstance(given, int) else list(given)
    if len(numbers) == 2:
        return int(numbers[0]), int(numbers[1])
    first = 1 if last else 2
    others = [n for i, n in enumerate(numbers) if i not in (first, first + 1)]
    if len(numbers) != 4 or (not isinstance(given, int) and any(n != 1 for n in others)):
        raise ArgumentError(
            f"{op}: windows and strides move over height and width only; got {given!r}; use "
            "[1, height, width, 1]"
        )
    return int(numbers[first]), int(numbers[first + 1])


def conv2d(
    input: Any,
    filter: Any = None,
    strides: Any = 1,
    padding: str = "VALID",
    use_cudnn_on_gpu: bool = True,
    data_format: str = "NHWC",
    dilations: Any = 1,
    name: str | None = None,
    filters: Any = None,
) -> Node:
    """The convolution of images with filters (height, width, in, out).

    >>> import gleed.compat.tensorflow as tf
    >>> images = tf.placeholder(tf.float32, [None, 28, 28, 1])
    >>> tf.nn.conv2d(images, tf.zeros([5, 5, 1, 8]), [1, 2, 2, 1], "SAME").shape
    Shape([None, 14, 14, 8])
    """
    last = data_format == "NHWC"
    steps, gaps = _pair("conv2d", strides, last), _pair("conv2d", dilations, last)
    kernel = convert_to_tensor(filters if filter is None else filter)
    return apply(
        Composite("Conv2D", _convolved), name, "Conv2D",
        convert_to_tensor(input), kernel, steps, _checked_padding("conv2d", padding), gaps, last,
    )  # fmt: skip


def atrous_conv2d(
    value: Any, filters: Any, rate: int, padding: str, name: str | None = None
) -> Node:
    """The convolution with filters whose elements are `rate` apart."""
    return conv2d(value, filters, 1, padding, dilations=rate, name=name or "atrous_conv2d")


def conv1d(
    value: Any = None,
    filters: Any = None,
    stride: Any = 1,
    padding: str = "VALID",
    use_cudnn_on_gpu: bool | None = None,
    data_format: str | None = None,
    name: str | None = None,
    input: Any = None,
    dilations: Any = 1,
) -> Node:
    """The convolution of sequences (batch, steps, in) with filters (steps, in, out), or (batch, in,
    steps) if `data_format` says "NCW"."""
    last = data_format != "NCW"
    axis = 1 if last else 2
    images = convert_to_tensor(input if value is None else value).unsqueeze(axis)
    kernel = convert_to_tensor(filters).unsqueeze(0)
    step, gap = (n if isinstance(n, int) else n[axis - 2 if len(n) == 3 else 0]
                 for n in (stride, dilations))  # fmt: skip
    order = "NHWC" if last else "NCHW"
    y = conv2d(images, kernel, (1, step), padding, data_format=order, dilations=(1, gap))
    return apply(OPS["squeeze"], name, "conv1d", y, (axis,))


def depthwise_conv2d(
    input: Any,
    filter: Any,
    strides: Any,
    padding: str,
    rate: Any = 1,
    name: str | None = None,
    data_format: str = "NHWC",
) -> Node:
    """The convolution of each channel with filters of its own (height, width, in, multiplier); its
    results stand side by side."""
    last = data_format == "NHWC"
    kernel = convert_to_tensor(filter)
    steps, gaps = _pair("depthwise_conv2d", strides, last), _pair("depthwise_conv2d", rate, last)
    return apply(
        Composite("DepthwiseConv2d", _depthwise), name, "depthwise",
        convert_to_tensor(input), kernel, steps, _checked_padding("depthwise_conv2d", padding),
        gaps, last,
    )  # fmt: skip


def _depthwise(x: Any, filters: Any, strides: Any, padding: str, gaps: Any, last: bool) -> Any:
    height, width, channels, count = filters.shape
    own = filters.reshape((height, width, 1, channels * count))
    return _convolved(x, own, strides, padding, gaps, last, channels)


def separable_conv2d(
    input: Any,
    depthwise_filter: Any,
    pointwise_filter: Any,
    strides: Any,
    padding: str,
    rate: Any = 1,
    name: str | None = None,
    data_format: str = "NHWC",
) -> Node:
    """`depthwise_conv2d`, then the convolution with filters (1, 1, in · multiplier, out)."""
    y = depthwise_conv2d(input, depthwise_filter, strides, padding, rate, None, data_format)
    title = name or "separable_conv2d"
    return conv2d(y, pointwise_filter, 1, "VALID", data_format=data_format, name=title)


def conv2d_transpose(
    value: Any = None,
    filter: Any = None,
    output_shape: Any = None,
    strides: Any = 1,
    padding: str = "SAME",
    data_format: str = "NHWC",
    name: str | None = None,
    input: Any = None,
    filters: Any = None,
) -> Node:
    """The gradient of `conv2d` with respect to its images, which have `output_shape`; filters are
    (height, width, out, in). Raises ShapeError unless `conv2d` makes such an input of it.

    >>> import gleed.compat.tensorflow as tf
    >>> small = tf.placeholder(tf.float32, [2, 7, 7, 8])
    >>> tf.nn.conv2d_transpose(small, tf.zeros([5, 5, 4, 8]), [2, 14, 14, 4], [1, 2, 2, 1]).shape
    Shape([2, 14, 14, 4])
    """
    last = data_format == "NHWC"
    x = convert_to_tensor(input if value is None else value)
    kernel = convert_to_tensor(filters if filter is None else filter)
    steps, border = _pair("conv2d_transpose", strides, last), _checked_padding("conv2d", padding)
    body = Composite("Conv2DTranspose", _transposed)
    title = "conv2d_transpose"
    return apply(body, name, title, x, kernel, sizes(output_shape), steps, border, last)


def conv2d_grown(
    value: Node, filters: Any, strides: Any, padding: str, data_format: str, name: str
) -> Node:
    """`conv2d_transpose` to the greatest images of which `conv2d` makes such an input ("VALID": the
    least): those of layers."""
    last, steps = data_format == "NHWC", _pair("conv2d_transpose", strides, True)
    border = _checked_padding("conv2d_transpose", padding)
    body = Composite("Conv2DTranspose", _grown)
    return apply(body, name, name, value, filters, steps, border, last)


def _grown(x: Any, filters: Any, strides: Any, padding: str, last: bool) -> Any:
    sides = x.shape[1:3] if last else x.shape[2:]
    cuts = []
    for size, window, stride in zip(sides, filters.shape[:2], strides, strict=True):
        over = max(window - stride, 0)
        cut = over if padding == "SAME" else 0
        cuts.append((cut // 2, max(stride - window, 0), size * stride + over - cut))
    return _spread(x, filters, strides, cuts, last)


def _transposed(x: Any, filters: Any, shape: Any, strides: Any, padding: str, last: bool) -> Any:
    wanted, sides = (tuple(s)[1:3] if last else tuple(s)[2:] for s in (shape, x.shape))
    cuts = []
    for size, given, window, stride in zip(wanted, sides, filters.shape[:2], strides, strict=True):
        before, behind = _padding(size, window, stride, padding)
        made = (size + before + behind - window) // stride + 1
        if isinstance(made, int) and isinstance(given, int) and made != given:
            raise ShapeError(
                f"conv2d_transpose: conv2d must make the input's size of output_shape's; it makes "
                f"{made} of {size}, and {given} came; correct output_shape"
            )
        cuts.append((before, size + before + behind - (given - 1) * stride - window, size))
    return _spread(x, filters, strides, cuts, last)


def _spread(x: Any, filters: Any, strides: Any, cuts: Any, last: bool) -> Any:
    """The transposed convolution with rows and columns of zeros behind, of which a part is cut out:
    for both (where it begins, how many there are behind, its size)."""
    image = x.permute((0, 3, 1, 2)) if last else x
    y = OPS["conv_transpose2d"](image, filters.permute((3, 2, 0, 1)), None, tuple(strides))
    counts = [n for _, more, _ in reversed(cuts) for n in (0, more)]
    y = OPS["pad"](y, counts) if any(n != 0 for n in counts) else y
    for axis, (before, _, size) in enumerate(cuts, 2):
        y = y.narrow(axis, before, size)
    return y.permute((0, 2, 3, 1)) if last else y


def _max_pooled(x: Any, window: Any, strides: Any, padding: str, last: bool) -> Any:
    image = x.permute((0, 3, 1, 2)) if last else x
    image = _padded(image, window, strides, padding, float("-inf"))
    y = OPS["max_pool2d"](image, window, strides)
    return y.permute((0, 2, 3, 1)) if last else y


def _mean_pooled(x: Any, window: Any, strides: Any, padding: str, last: bool) -> Any:
    image = x.permute((0, 3, 1, 2)) if last else x
    inside = _padded(OPS["ones_like"](image), window, strides, padding, 0.0)
    sums = OPS["avg_pool2d"](_padded(image, window, strides, padding, 0.0), window, strides)
    y = sums / OPS["avg_pool2d"](inside, window, strides)  # what was added does not count
    return y.permute((0, 2, 3, 1)) if last else y


def _pool(
    title: str, body: Any, value: Any, ksize: Any, strides: Any, padding: str,
    data_format: str, name: str | None,
) -> Node:  # fmt: skip
    last = data_format == "NHWC"
    window, steps = _pair(title, ksize, last), _pair(title, strides, last)
    x, border = convert_to_tensor(value), _checked_padding(title, padding)
    return apply(Composite(title, body), name, title, x, window, steps, border, last)


def max_pool(
    value: Any, ksize: Any, strides: Any, padding: str, data_format: str = "NHWC",
    name: str | None = None,
) -> Node:  # fmt: skip
    """The greatest element of every window."""
    return _pool("MaxPool", _max_pooled, value, ksize, strides, padding, data_format, name)


def avg_pool(
    value: Any, ksize: Any, strides: Any, padding: str, data_format: str = "NHWC",
    name: str | None = None,
) -> Node:  # fmt: skip
    """The mean of every window, without what "SAME" adds."""
    return _pool("AvgPool", _mean_pooled, value, ksize, strides, padding, data_format, name)
