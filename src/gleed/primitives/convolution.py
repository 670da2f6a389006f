"""Convolution: a sum over three tensors, of which each primitive leaves one out.

    Σ x[n, g c, o * stride + t * dilation - padding] * w[g k, c, t] * y[n, g k, o]

over images n, groups g, channels c, outputs k, taps t and positions o, with zeros around x. Leaving
out y gives the convolution of x and w, leaving out x or w the gradient for it. So the gradient of
each primitive is made of the other two, to any order. 16-bit numbers are summed in float32, and so
are the results for w; the others are rounded once.
"""

from __future__ import annotations

from typing import Any

from gleed.compiler.graph import Shape, Value
from gleed.compiler.kernel import HALVES, is_float
from gleed.primitives.core import Batch, Primitive, Types, require
from gleed.primitives.movement import compact, permute, reshape
from gleed.primitives.pointwise import cast
from gleed.primitives.reduction import reduce_sum


def _types(name: str, shape: Any) -> Any:
    """A type rule: x or y and w, or x and y, with one dtype and rank; `sizes` are spatial ones."""

    def rule(
        a: Value, b: Value, *bias: Value, groups: int, sizes: Shape, last: bool, **window: Any
    ) -> Types:
        sums = "f32" if a.dtype in HALVES else a.dtype
        result = sums if name == "convolution_weight" else a.dtype
        fits = a.dtype == b.dtype and is_float(a.dtype)
        fits = fits and len(a.shape) == len(b.shape) == len(sizes) + 2
        fits = fits and all(c.dtype == sums and len(c.shape) == 1 for c in bias)
        require(fits, name, "two real tensors of equal rank, and a bias", (a, b, *bias))
        first, second = shape(a, b, groups)
        return [(result, (first, *sizes, second) if last else (first, second, *sizes))]

    return rule


def _spatial(x: Any) -> Shape:
    return tuple(x.shape[2:])


def _sum_channels(g: Any, bias: tuple[Any, ...], last: bool) -> tuple[Any, ...]:
    """The gradient for a bias, if there is one."""
    axes = tuple(range(g.ndim - 1)) if last else (0, *range(2, g.ndim))
    return tuple(reduce_sum(_as(g, b), axes=axes) for b in bias)


def _cotangent(g: Any, last: bool, groups: int) -> Any:
    """As a factor of sums; single channels are read as planes, or as neighbours."""
    return channels_second(compact(g) if groups > 1 else g, last)


def channels_second(x: Any, last: bool) -> Any:
    """What has channels last as (batch, channels, …)."""
    return permute(x, axes=(0, x.ndim - 1, *range(1, x.ndim - 1))) if last else x


def _as(x: Any, like: Any) -> Any:
    """A sum in the dtype of an operand, from where it came or where it goes."""
    node = x.value.node
    if node.op == "cast" and node.inputs[0].dtype == like.dtype:
        return type(x)(x.trace, node.inputs[0])  # it was widened just before
    return x if x.dtype == like.dtype else cast(x, dtype=like.dtype)


def _convolution_rule(
    g: Any, y: Any, x: Any, w: Any, *bias: Any, sizes: Shape, last: bool, **window: Any
) -> Any:
    h = _cotangent(g, last, window["groups"])
    own = convolution_input(h, w, **window, sizes=_spatial(x), last=last)
    return (
        channels_second(own, last),
        _as(convolution_weight(x, h, **window, sizes=_spatial(w), last=False), w),
        *_sum_channels(g, bias, last),
    )


def _input_rule(
    g: Any, x: Any, y: Any, w: Any, *bias: Any, sizes: Shape, last: bool, **window: Any
) -> Any:
    h = _cotangent(g, last, window["groups"])
    own = convolution(h, w, **window, sizes=_spatial(y), last=last)
    return (
        channels_second(own, last),
        _as(convolution_weight(h, y, **window, sizes=_spatial(w), last=False), w),
        *_sum_channels(g, bias, last),
    )


def _weight_rule(g: Any, w: Any, x: Any, y: Any, sizes: Shape, last: bool, **window: Any) -> Any:
    h = channels_second(_as(g, x), last)
    return (
        convolution_input(y, h, **window, sizes=_spatial(x), last=False),
        convolution(x, h, **window, sizes=_spatial(y), last=False),
    )


# ---- batches: examples are images where a filter is for all of them, and groups where it is not
def _joined(x: Any, axis: int) -> Any:
    """[batch, …] with the examples in front of one of the axes, in one with it."""
    rest = range(1, x.ndim)
    x = permute(x, axes=(*rest[:axis], 0, *rest[axis:]))
    sizes = x.shape
    return reshape(x, shape=(*sizes[:axis], sizes[axis] * sizes[axis + 1], *sizes[axis + 2 :]))


def _parted(x: Any, axis: int, size: Any) -> Any:
    """The examples taken out of an axis again."""
    sizes = x.shape
    x = reshape(x, shape=(*sizes[:axis], size, sizes[axis] // size, *sizes[axis + 1 :]))
    return permute(x, axes=(axis, *(a for a in range(x.ndim) if a != axis)))


def _batch(
    primitive: Primitive, batch: Batch, x: Any, w: Any, *bias: Any, groups: Any, **window: Any
) -> Any:
    size = batch.size
    if not any(batch.mapped[1:]):
        return _parted(primitive(_joined(x, 0), w, *bias, groups=groups, **window), 0, size)
    filters = [_joined(f, 0) for f in batch.whole((x, w, *bias))[1:]]
    if primitive is convolution and groups == 1 and not batch.mapped[0]:
        y = primitive(x, *filters, groups=groups, **window)  # all filters see one image
    else:
        (x,) = batch.of(0).whole((x,))
        y = primitive(_joined(x, 1), *filters, groups=groups * size, **window)
    return _parted(y, y.ndim - 1 if window["last"] else 1, size)


def _weight_batch(
    primitive: Primitive, batch: Batch, x: Any, y: Any, groups: Any, **window: Any
) -> Any:
    if groups == 1 and not batch.mapped[0]:
        w = primitive(x, _joined(y, 1), groups=groups, **window)
    else:
        x, y = (_joined(a, 1) for a in batch.whole((x, y)))
        w = primitive(x, y, groups=groups * batch.size, **window)
    return _parted(w, 0, batch.size)


# All take `groups`, and `stride`, `padding` (before) and `dilation` of every spatial axis; `sizes`
# are those of the result; with `last` its second axis, the channels, comes last. The first two take
# a bias per channel of the result.
convolution: Primitive = Primitive(
    "convolution",
    "library",
    _types("convolution", lambda x, w, groups: (x.shape[0], w.shape[0])),
    None,
    _convolution_rule,
    _batch,
)
convolution_input: Primitive = Primitive(
    "convolution_input",
    "library",
    _types("convolution_input", lambda y, w, groups: (y.shape[0], w.shape[1] * groups)),
    None,
    _input_rule,
    _batch,
)
convolution_weight: Primitive = Primitive(
    "convolution_weight",
    "library",
    _types("convolution_weight", lambda x, y, groups: (y.shape[1], x.shape[1] // groups)),
    None,
    _weight_rule,
    _weight_batch,
)
