"""Dropout: of elements, of whole channels, and the kinds that keep mean and variance."""

from __future__ import annotations

from typing import Any

from gleed import primitives as p
from gleed.errors import RangeError, ShapeError
from gleed.ops.distributions import events
from gleed.ops.promotion import convert, expand_to, shape_text
from gleed.ops.random import CONVERT, float_dtype, number, spread
from gleed.ops.record import Number, Source, Tensor, op

NAMESPACES = ("gleed", "nn.functional")
# Where SELU saturates: scale * alpha of Klambauer et al., "Self-normalizing neural networks", 2017.
_SATURATION = 1.7580993408473766


def _kept(name: str, input: Tensor, shape: Any, keep: Tensor, source: Source) -> Tensor:
    """True where an element, or what a shape of 1s stands for, is kept."""
    float_dtype(name, input.dtype, CONVERT)
    like = input if shape is input.shape else None
    return events(shape, keep, eager=True, source=source, like=like)


def _dropped(
    name: str, input: Tensor, shape: Any, chance: Any, training: bool, source: Source
) -> Tensor:
    if not training:
        return input
    keep = 1 - number(chance)
    kept = _kept(name, input, shape, keep, source)
    wide = "f64" if input.dtype == "f64" else "f32"
    scale = spread(convert(1 / convert(keep, wide), input.dtype), kept)
    scale = p.rounded(scale, dtype=scale.dtype)  # PyTorch's noise is a tensor
    noise = p.where(kept, scale, p.fill(scale, 0))
    return p.mul(input, expand_to(noise, input.shape))


def _refuse(name: str) -> Any:
    def explain(input: Any, p: Any, *rest: Any) -> None:
        raise RangeError(f"{name}: p must lie in 0 … 1; got {p}; it is the share that is dropped")

    return explain


@op(namespace=NAMESPACES)
def dropout(
    input: Tensor, p: Number = 0.5, training: bool = True, *, generator: Source = None
) -> Tensor:
    """Zeros in random places, each with probability p, and everything else divided by 1 - p
    (Srivastava et al., 2014); `input` itself if not training.

    >>> _ = gleed.manual_seed(0)
    >>> gleed.nn.functional.dropout(gleed.ones(4), 0.5)
    tensor([0., 0., 2., 0.])
    """
    return _dropped("dropout", input, input.shape, p, training, generator)


dropout.explain(_refuse("dropout"))


def _channels(name: str, input: Tensor, batched: tuple[int, ...], spatial: int) -> Any:
    """A shape with one element per channel: (N, C, …), or (C, …) if `spatial` dims follow."""
    if input.ndim not in batched:
        raise ShapeError(
            f"{name}: the input must have {' or '.join(map(str, batched))} dims; got shape "
            f"{shape_text(input.shape)}; use dropout for other shapes"
        )
    lead = 1 if input.ndim == spatial + 1 else 2
    return (*input.shape[:lead], *(1 for _ in range(input.ndim - lead)))


@op(namespace=NAMESPACES)
def dropout1d(
    input: Tensor, p: Number = 0.5, training: bool = True, *, generator: Source = None
) -> Tensor:
    """Dropout of whole channels of (N, C, L) or (C, L) (Tompson et al., 2015).

    >>> _ = gleed.manual_seed(0)
    >>> gleed.nn.functional.dropout1d(gleed.ones(1, 3, 2))
    tensor([[[0., 0.],
             [0., 0.],
             [2., 2.]]])
    """
    shape = _channels("dropout1d", input, (2, 3), 1)
    return _dropped("dropout1d", input, shape, p, training, generator)


dropout1d.explain(_refuse("dropout1d"))


@op(namespace=NAMESPACES)
def dropout2d(
    input: Tensor, p: Number = 0.5, training: bool = True, *, generator: Source = None
) -> Tensor:
    """Dropout of whole channels of (N, C, H, W); three dims are taken as (N, C, L), as in PyTorch.

    >>> _ = gleed.manual_seed(0)
    >>> gleed.nn.functional.dropout2d(gleed.ones(1, 3, 1, 2))
    tensor([[[[0., 0.]],
    <BLANKLINE>
             [[0., 0.]],
    <BLANKLINE>
             [[2., 2.]]]])
    """
    shape = _channels("dropout2d", input, (3, 4), 0)
    return _dropped("dropout2d", input, shape, p, training, generator)


dropout2d.explain(_refuse("dropout2d"))


@op(namespace=NAMESPACES)
def dropout3d(
    input: Tensor, p: Number = 0.5, training: bool = True, *, generator: Source = None
) -> Tensor:
    """Dropout of whole channels of (N, C, D, H, W) or (C, D, H, W).

    >>> gleed.nn.functional.dropout3d(gleed.ones(1, 1, 1, 1, 2), training=False)
    tensor([[[[[1., 1.]]]]])
    """
    shape = _channels("dropout3d", input, (4, 5), 3)
    return _dropped("dropout3d", input, shape, p, training, generator)


dropout3d.explain(_refuse("dropout3d"))


def _alpha_dropped(
    name: str, input: Tensor, shape: Any, chance: Any, training: bool, source: Source
) -> Tensor:
    """What is dropped becomes SELU's lowest value; then mean and variance are restored."""
    if not training:
        return input
    drop = number(chance)
    keep = 1 - drop
    kept = convert(_kept(name, input, shape, keep, source), input.dtype)
    # If everything is dropped PyTorch gives zeros.
    none = p.le(keep, keep.trace.const(0.0, "f64"))
    gain = p.rsqrt((drop * _SATURATION**2 + 1) * keep)
    gain = p.where(none, p.fill(gain, 0), gain)

    def held(x: Tensor) -> Tensor:
        return p.rounded(x, dtype=x.dtype)  # PyTorch's steps are tensors

    def everywhere(x: Tensor) -> Tensor:
        return held(spread(convert(x, input.dtype), kept))

    low = held((kept - 1) * everywhere(gain * _SATURATION))
    offset = held(low + everywhere(gain * _SATURATION * drop))
    factor, offset = (expand_to(x, input.shape) for x in (kept * everywhere(gain), offset))
    return held(input * factor) + offset


@op(namespace=NAMESPACES)
def alpha_dropout(
    input: Tensor, p: Number = 0.5, training: bool = False, *, generator: Source = None
) -> Tensor:
    """Dropout for networks of SELU: keeps mean 0 and variance 1 (Klambauer et al., 2017).

    >>> _ = gleed.manual_seed(0)
    >>> gleed.nn.functional.alpha_dropout(gleed.ones(3), 0.5, training=True)
    tensor([-0.7792, -0.7792,  1.6656])
    """
    return _alpha_dropped("alpha_dropout", input, input.shape, p, training, generator)


alpha_dropout.explain(_refuse("alpha_dropout"))


@op(namespace=NAMESPACES)
def feature_alpha_dropout(
    input: Tensor, p: Number = 0.5, training: bool = False, *, generator: Source = None
) -> Tensor:
    """`alpha_dropout` of whole channels of (N, C, …); `input` itself, of any shape, if not
    training.

    >>> gleed.nn.functional.feature_alpha_dropout(gleed.ones(1, 2))
    tensor([[1., 1.]])
    """
    if training and input.ndim < 2:
        raise ShapeError(
            "feature_alpha_dropout: the input must have 2 dims or more; got shape "
            f"{shape_text(input.shape)}; use alpha_dropout"
        )
    shape = (*input.shape[:2], *(1 for _ in range(input.ndim - 2)))
    return _alpha_dropped("feature_alpha_dropout", input, shape, p, training, generator)


feature_alpha_dropout.explain(_refuse("feature_alpha_dropout"))
