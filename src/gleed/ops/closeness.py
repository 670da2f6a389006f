"""Whether tensors agree."""

from __future__ import annotations

from typing import Any

from gleed import _C
from gleed import primitives as p
from gleed.compiler.kernel import is_float
from gleed.errors import ShapeError
from gleed.ops.promotion import common
from gleed.ops.record import Number, Operand, Tensor, function, op


@op(method=True, reference="numpy.isclose")
def isclose(
    input: Tensor,
    other: Operand,
    rtol: Number = 1e-5,
    atol: Number = 1e-8,
    equal_nan: bool = False,
) -> Tensor:
    """Whether |input - other| <= atol + rtol * |other|; equal infinities are close, NaN to NaN only
    if `equal_nan`.

    >>> gleed.isclose(gleed.tensor([1.0, 2.0]), gleed.tensor([1.0, 2.1]))
    tensor([ True, False])
    """
    return _close(input, other, rtol, atol, equal_nan)


def _close(input: Tensor, other: Operand, rtol: Number, atol: Number, equal_nan: bool) -> Tensor:
    x, y = common("isclose", input, other)
    same = p.eq(x, y)
    if not is_float(x.dtype):
        x, y = p.cast(x, dtype="f64"), p.cast(y, dtype="f64")
    gap = p.abs(x - y)
    near = (gap <= p.abs(y * rtol) + atol) & (gap < float("inf"))
    if equal_nan:
        near = near | (p.ne(x, x) & p.ne(y, y))
    return same | near


@op(name="_all_close", namespace="")
def all_close(input: Tensor, other: Tensor, rtol: Number, atol: Number, equal_nan: bool) -> Tensor:
    """Whether every element is close."""
    close = _close(input, other, rtol, atol, equal_nan)
    return p.reduce_all(close, axes=tuple(range(close.ndim))) if close.ndim else close


@function(method=True)
def allclose(
    input: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> bool:
    """Whether every element is close, as `isclose` has it.

    >>> import gleed
    >>> gleed.allclose(gleed.tensor([1.0]), gleed.tensor([1.0 + 1e-7]))
    True
    """
    return bool(all_close.public(input, other, rtol, atol, equal_nan))


@op(name="_all_equal", namespace="")
def all_equal(input: Tensor, other: Tensor) -> Tensor:
    """Whether every element is equal."""
    x, y = common("equal", input, other)
    same = p.eq(x, y)
    return p.reduce_all(same, axes=tuple(range(same.ndim))) if same.ndim else same


@function(method=True)
def equal(input: Any, other: Any) -> bool:
    """Whether two tensors have one shape and equal elements.

    >>> import gleed
    >>> gleed.equal(gleed.tensor([1, 2]), gleed.tensor([1, 2]))
    True
    """
    return input.shape == other.shape and bool(all_equal.public(input, other))


@function(method=True)
def is_nonzero(input: Any) -> bool:
    """Whether the one element of a tensor is not zero.

    >>> import gleed
    >>> gleed.is_nonzero(gleed.tensor([3]))
    True
    """
    if not isinstance(input, _C.Tensor) or input.numel() != 1:
        shape = list(input.shape) if isinstance(input, _C.Tensor) else type(input).__name__
        raise ShapeError(
            f"is_nonzero: a tensor of one element is needed; got {shape}; use any() or all()"
        )
    return bool(input)


@isclose.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((3, 4)), make.tensor((3, 4)))
    yield make.call(make.tensor((3, 4)), make.tensor((4,)), 0.5, 0.5)
