"""Normalisation over trailing dims."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gleed import primitives as p
from gleed.errors import ShapeError
from gleed.ops.axes import units
from gleed.ops.promotion import convert, shape_text
from gleed.ops.record import Ints, Number, Tensor, op


def _trailing(name: str, x: Tensor, shape: Sequence[Any]) -> tuple[int, ...]:
    """The axes that `shape` describes."""
    first = x.ndim - len(shape)
    if (
        first < 0
        or len(shape) == 0
        or not all(m == n for m, n in zip(x.shape[first:], shape, strict=True))
    ):
        raise ShapeError(
            f"{name}: the last dims must be normalized_shape; got {shape_text(x.shape)} with "
            f"normalized_shape={shape_text(shape)}; make them agree"
        )
    return tuple(range(first, x.ndim))


def _check_weight(name: str, what: str, weight: Tensor | None, shape: Sequence[Any]) -> None:
    if weight is not None and not (
        weight.ndim == len(shape) and all(m == n for m, n in zip(weight.shape, shape, strict=True))
    ):
        raise ShapeError(
            f"{name}: {what} must have the shape normalized_shape; got {shape_text(weight.shape)} "
            f"for {shape_text(shape)}; make them agree"
        )


def _accumulating(x: Tensor) -> Tensor:
    return convert(x, "f32") if x.dtype in ("f16", "bf16") else x


def mean_over(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """The mean over `axes`, kept with size 1."""
    n: Any = 1
    for axis in axes:
        n = n * x.shape[axis]
    return p.reshape(p.reduce_sum(x, axes=axes), shape=units(x, axes)) / n


@op(namespace=("gleed", "nn.functional"), grad_name="native_layer_norm")
def layer_norm(
    input: Tensor,
    normalized_shape: Ints,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: Number = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) * weight + bias over the last dims, which are
    `normalized_shape`; var is the biased variance (Ba, Kiros and Hinton, 2016). float16 and
    bfloat16 are computed in float32.

    >>> gleed.nn.functional.layer_norm(gleed.tensor([[1.0, 3.0]]), (2,))
    tensor([[-1.0000,  1.0000]])
    """
    p.require_float(input.value)
    axes = _trailing("layer_norm", input, normalized_shape)
    _check_weight("layer_norm", "weight", weight, normalized_shape)
    _check_weight("layer_norm", "bias", bias, normalized_shape)
    x = _accumulating(input)
    centred = x - mean_over(x, axes)
    y = centred * p.rsqrt(mean_over(centred * centred, axes) + eps)
    if weight is not None:
        y = y * convert(weight, y.dtype)
    if bias is not None:
        y = y + convert(bias, y.dtype)
    return convert(y, input.dtype)


@op(namespace=("gleed", "nn.functional"))
def rms_norm(
    input: Tensor,
    normalized_shape: Ints,
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """x / sqrt(mean(x**2) + eps) * weight over the last dims (Zhang and Sennrich, 2019); eps None
    is the dtype's machine epsilon.

    >>> gleed.nn.functional.rms_norm(gleed.tensor([[3.0, 3.0]]), (2,))
    tensor([[1., 1.]])
    """
    p.require_float(input.value)
    axes = _trailing("rms_norm", input, normalized_shape)
    _check_weight("rms_norm", "weight", weight, normalized_shape)
    x = _accumulating(input)
    epsilon = {"f64": 2.220446049250313e-16}.get(x.dtype, 1.1920928955078125e-07)
    y = x * p.rsqrt(mean_over(x * x, axes) + (epsilon if eps is None else eps))
    if weight is not None:
        y = y * convert(weight, y.dtype)
    return convert(y, input.dtype)


@layer_norm.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((4, 8)), (8,))
    yield make.call(make.tensor((4, 8)), (8,), make.tensor((8,)), make.tensor((8,)))
    yield make.call(make.tensor((2, 3, 5)), (3, 5), make.tensor((3, 5)))


@rms_norm.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((4, 8)), (8,))
    yield make.call(make.tensor((2, 3, 5)), (5,), make.tensor((5,)), 1e-3)
