"""New tensors: constants, ranges, identity."""

from __future__ import annotations

import math
from typing import Any

from gleed import primitives as p
from gleed.compiler.dims import minimum
from gleed.compiler.kernel import is_float
from gleed.devices import check_device
from gleed.errors import RangeError
from gleed.ops.logic import where
from gleed.ops.memory_formats import made
from gleed.ops.promotion import as_standins, convert, default_float, shape_text
from gleed.ops.record import Int, Ints, Number, Tensor, op
from gleed.trace import Trace


def checked_sizes(name: str, size: Any, device: Any) -> tuple[Any, ...]:
    """The sizes of a new tensor, which must not be negative."""
    check_device(name, device)
    if any(n < 0 for n in size):
        raise RangeError(
            f"{name}: sizes must be 0 or more; got {shape_text(size)}; check the arithmetic"
        )
    return tuple(size)


def _filled(name: str, size: Any, value: Any, dtype: str | None, device: Any) -> Tensor:
    shape = checked_sizes(name, size, device)
    return p.copy(Trace.current().full(shape, value, dtype or default_float()))


@op(varargs="size", out=True)
def zeros(
    size: Ints,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor of zeros.

    >>> gleed.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    return _filled("zeros", size, 0, dtype, device)


@op(varargs="size", out=True)
def ones(
    size: Ints,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor of ones.

    >>> gleed.ones(2)
    tensor([1., 1.])
    """
    return _filled("ones", size, 1, dtype, device)


@op(out=True)
def full(
    size: Ints,
    fill_value: Number,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor with one number everywhere; its dtype follows from the number if not given.

    >>> gleed.full((2,), 7)
    tensor([7, 7])
    """
    shape = checked_sizes("full", size, device)
    (value,) = as_standins(fill_value) if isinstance(fill_value, Tensor) else (fill_value,)
    own = default_float() if is_float(value.dtype) else value.dtype
    return p.copy(Trace.current().spread(convert(value, dtype or own), shape))


def _like(name: str, input: Tensor, value: Tensor, device: Any, format: Any) -> Tensor:
    check_device(name, device)

    def make(shape: Any, like: Tensor | None) -> Tensor:
        repeated = input.trace.spread(value, shape)
        return p.copy(repeated) if like is None else p.copy_like(repeated, like)

    return made(name, make, input, format)


@op()
def zeros_like(
    input: Tensor,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    memory_format: Any = None,
) -> Tensor:
    """Zeros with the shape and dtype of `input`.

    >>> gleed.zeros_like(gleed.tensor([1, 2]))
    tensor([0, 0])
    """
    value = input.trace.const(0, dtype or input.dtype)
    return _like("zeros_like", input, value, device, memory_format)


@op()
def ones_like(
    input: Tensor,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    memory_format: Any = None,
) -> Tensor:
    """Ones with the shape and dtype of `input`.

    >>> gleed.ones_like(gleed.tensor([1.5, 2.0]))
    tensor([1., 1.])
    """
    value = input.trace.const(1, dtype or input.dtype)
    return _like("ones_like", input, value, device, memory_format)


@op()
def full_like(
    input: Tensor,
    fill_value: Number,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    memory_format: Any = None,
) -> Tensor:
    """One number everywhere, with the shape and dtype of `input`.

    >>> gleed.full_like(gleed.tensor([1.5, 2.0]), 3)
    tensor([3., 3.])
    """
    value = convert(as_standins(input, fill_value)[1], dtype or input.dtype)
    return _like("full_like", input, value, device, memory_format)


@op(method=True, namespace="", varargs="size")
def new_zeros(input: Tensor, size: Ints, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Zeros of another shape with the dtype of the tensor.

    >>> gleed.tensor([1]).new_zeros(2)
    tensor([0, 0])
    """
    return _filled("new_zeros", size, 0, dtype or input.dtype, device)


@op(method=True, namespace="", varargs="size")
def new_ones(input: Tensor, size: Ints, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Ones of another shape with the dtype of the tensor.

    >>> gleed.tensor([1]).new_ones(2)
    tensor([1, 1])
    """
    return _filled("new_ones", size, 1, dtype or input.dtype, device)


@op(method=True, namespace="")
def new_full(
    input: Tensor, size: Ints, fill_value: Number, *, dtype: Any = None, device: Any = None
) -> Tensor:
    """One number in another shape with the dtype of the tensor.

    >>> gleed.tensor([1]).new_full((2,), 5)
    tensor([5, 5])
    """
    shape = checked_sizes("new_full", size, device)
    return p.copy(input.trace.spread(convert(fill_value, dtype or input.dtype), shape))


# ---- ranges
@op(name="_arange", namespace="")
def arange_of(start: Number, step: Number, count: Int, dtype: str) -> Tensor:
    """start, start + step, … (`count` of them)."""
    trace = Trace.current()
    wide = "f64" if is_float(dtype) else "i64"
    place = convert(trace.iota((count,), 0), wide)
    first, stride = convert(start, wide), convert(step, wide)
    return p.copy(convert(place * stride + first, dtype))


@op(name="_linspace", namespace="")
def linspace_of(start: Number, end: Number, steps: Int, dtype: str) -> Tensor:
    """`steps` numbers evenly spaced from start to end, symmetric about the middle."""
    trace = Trace.current()
    wide = "f64" if dtype == "f64" or not is_float(dtype) else "f32"
    place = trace.iota((steps,), 0)
    first, last = convert(start, wide), convert(end, wide)
    gap = (last - first) / (steps - 1 if steps != 1 else 1)
    ahead = first + gap * convert(place, wide)
    behind = last - gap * convert(steps - 1 - place, wide)
    return p.copy(convert(where(place < steps // 2 + steps % 2, ahead, behind), dtype))


@op(name="_eye", namespace="")
def eye_of(rows: Int, columns: Int, dtype: str) -> Tensor:
    """Ones on the diagonal."""
    trace = Trace.current()
    zeros = trace.full((rows, columns), 0, dtype)
    length = minimum(rows, columns)
    ones = trace.full((length,), 1, dtype)
    where = {"axis1": 0, "axis2": 1, "offset": 0, "length": length}
    return p.insert(zeros, ones, movement="diagonal", attrs=tuple(where.items()))


def count_between(name: str, start: float, end: float, step: float) -> int:
    """How many numbers `arange` gives."""
    whole = all(isinstance(n, int) for n in (start, end, step))
    if step == 0 or (not whole and math.isnan(step)):
        raise RangeError(f"{name}: the step must not be 0; got step {step}; use 1, say")
    if not whole and not all(map(math.isfinite, (start, end))):
        raise RangeError(f"{name}: bounds must be finite; got {start} and {end}; use linspace")
    if (end - start) * step < 0:
        raise RangeError(
            f"{name}: the step must lead from start to end; got start {start}, end {end}, step "
            f"{step}; change its sign"
        )
    if whole:
        return -(-(end - start) // step)  # type: ignore[return-value]
    return math.ceil((end - start) / step)


def _samples() -> None:
    for record in (zeros, ones):

        @record.samples
        def _(make: Any) -> Any:
            yield make.call((2, 3))
            yield make.call(())
            yield make.call(3, 0)

    for record in (zeros_like, ones_like):

        @record.samples
        def _(make: Any) -> Any:
            yield make.call(make.tensor((2, 3)))
            yield make.call(make.tensor(()))

    for record in (new_zeros, new_ones):

        @record.samples
        def _(make: Any) -> Any:
            yield make.call(make.tensor((2,)), (3, 2))
            yield make.call(make.tensor(()), 4)

    @full.samples
    def _(make: Any) -> Any:
        yield make.call((2, 3), 1.5)
        yield make.call((), 7)
        yield make.call((2,), True)

    @full_like.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((2, 3)), 2)

    @new_full.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((2,)), (3, 2), 2)


_samples()
