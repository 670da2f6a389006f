"""Random whole numbers and permutations, with the numbers of PyTorch's CPU generator."""

from __future__ import annotations

from typing import Any

from gleed import primitives as p
from gleed.compiler.kernel import DTYPES, integer_range, is_float
from gleed.devices import check_device
from gleed.errors import ArgumentError, RangeError
from gleed.ops.creation import checked_sizes
from gleed.ops.memory_formats import made
from gleed.ops.promotion import convert, shape_text
from gleed.ops.random import draw, number
from gleed.ops.record import Int, Ints, Number, Source, Tensor, op


def _whole(name: str, bound: Any) -> Tensor:
    """A bound as a 0-d i64."""
    if isinstance(bound, float) or (isinstance(bound, Tensor) and is_float(bound.dtype)):
        raise ArgumentError(f"{name}: bounds must be whole numbers; got a float; use int(...)")
    return number(bound, "i64")


def _in_range(dtype: str, low: Tensor, last: Tensor) -> Tensor:
    """Whether there are numbers from `low` to `last`, and all exist in the dtype."""
    valid = p.le(low, last)
    if is_float(dtype):
        return valid
    least, most = (0, 1) if dtype == "bool" else integer_range(dtype)
    trace = low.trace
    valid = p.bitwise_and(valid, p.ge(low, trace.const(least, "i64")))
    return p.bitwise_and(valid, p.le(last, trace.const(most, "i64")))


def _integers(
    name: str, shape: Any, low: Any, high: Any, dtype: str, source: Source,
    like: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Whole numbers from `low` to `high` - 1, or to the last that the dtype holds exactly."""
    first = _whole(name, low)
    last = number(_most(dtype), "i64") if high is None else _whole(name, high) - 1
    valid = _in_range(dtype, first, last)
    drawn = draw(
        p.random_integers, shape, first, last, source=source, valid=valid, words=0, like=like
    )
    return convert(drawn, dtype)


def _refuse_range(name: str, low: Any, high: Any, dtype: Any) -> None:
    kind = "int64" if dtype is None else dtype.name
    high = 2**63 if high is None else high
    if low >= high:
        raise RangeError(
            f"{name}: low must be below high; got {low} and {high}; `high` itself is never drawn"
        )
    raise RangeError(
        f"{name}: all numbers from low to high - 1 must exist in the dtype; got {low} to "
        f"{high - 1} for {kind}; use a wider dtype"
    )


@op(out=True)
def randint(
    high: Number,
    size: Ints,
    *,
    generator: Source = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """Whole numbers from low (0 if not given) to high - 1, all equally likely.

    >>> _ = gleed.manual_seed(0)
    >>> gleed.randint(10, (4,))
    tensor([4, 9, 3, 0])
    """
    shape = checked_sizes("randint", size, device)
    return _integers("randint", shape, 0, high, dtype or "i64", generator)


@randint.explain
def _(high: Any, size: Any, generator: Any, dtype: Any, *rest: Any) -> None:
    _refuse_range("randint", 0, high, dtype)


@op(name="randint", out=True)
def randint_between(
    low: Number,
    high: Number,
    size: Ints,
    *,
    generator: Source = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """Whole numbers from low to high - 1."""
    shape = checked_sizes("randint", size, device)
    return _integers("randint", shape, low, high, dtype or "i64", generator)


@randint_between.explain
def _(low: Any, high: Any, size: Any, generator: Any, dtype: Any, *rest: Any) -> None:
    _refuse_range("randint", low, high, dtype)


def _integers_like(
    input: Tensor, low: Any, high: Any, dtype: Any, source: Source, format: Any
) -> Tensor:
    def make(shape: Any, like: Tensor | None) -> Tensor:
        kind = dtype or input.dtype
        return _integers("randint_like", shape, low, high, kind, source, like)

    return made("randint_like", make, input, format)


@op()
def randint_like(
    input: Tensor,
    high: Number,
    *,
    generator: Source = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    memory_format: Any = None,
) -> Tensor:
    """Whole numbers from low (0 if not given) to high - 1, in the shape and dtype of `input`.

    >>> _ = gleed.manual_seed(0)
    >>> gleed.randint_like(gleed.zeros(3), 10)
    tensor([4., 9., 3.])
    """
    check_device("randint_like", device)
    return _integers_like(input, 0, high, dtype, generator, memory_format)


@randint_like.explain
def _(input: Any, high: Any, generator: Any, dtype: Any, *rest: Any) -> None:
    _refuse_range("randint_like", 0, high, dtype or input.dtype)


@op(name="randint_like")
def randint_like_between(
    input: Tensor,
    low: Number,
    high: Number,
    *,
    generator: Source = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    memory_format: Any = None,
) -> Tensor:
    """Whole numbers from low to high - 1."""
    check_device("randint_like", device)
    return _integers_like(input, low, high, dtype, generator, memory_format)


@randint_like_between.explain
def _(input: Any, low: Any, high: Any, generator: Any, dtype: Any, *rest: Any) -> None:
    _refuse_range("randint_like", low, high, dtype or input.dtype)


# Floating-point dtypes hold all whole numbers up to these.
_EXACT = {"f16": 2**11, "bf16": 2**8, "f32": 2**24, "f64": 2**53}


def _most(dtype: str) -> int:
    """The greatest number that `random_` draws without a bound."""
    return _EXACT[dtype] if dtype in _EXACT else 1 if dtype == "bool" else integer_range(dtype)[1]


@op(method=True, namespace="", writes=("input",))
def random_(input: Tensor, *, generator: Source = None) -> Tensor:
    """Fill with whole numbers from `from` (0 if not given) to `to` - 1; without bounds, with all
    numbers of 0 or more that the dtype holds exactly.

    >>> _ = gleed.manual_seed(0)
    >>> gleed.empty(4).random_(10)
    tensor([4., 9., 3., 0.])
    """
    dtype = input.dtype
    bounds = (number(0, "i64"), number(_most(dtype), "i64"))
    words = 2 if DTYPES[dtype][0] == 8 else 1
    drawn = draw(p.random_integers, input.shape, *bounds, source=generator, words=words, like=input)
    return convert(drawn, dtype)


@op(name="random_", method=True, namespace="", writes=("input",))
def random_below(input: Tensor, to: Number, *, generator: Source = None) -> Tensor:
    """Whole numbers from 0 to `to` - 1."""
    return _integers("random_", input.shape, 0, to, input.dtype, generator, input)


@random_below.explain
def _(input: Any, to: Any, generator: Any) -> None:
    _refuse_range("random_", 0, to, input.dtype)


@op(name="random_", method=True, namespace="", writes=("input",))
def random_between(
    input: Tensor, from_: Number, to: Number | None, *, generator: Source = None
) -> Tensor:
    """Whole numbers from `from` to `to` - 1, or to the last that the dtype holds exactly."""
    return _integers("random_", input.shape, from_, to, input.dtype, generator, input)


@random_between.explain
def _(input: Any, from_: Any, to: Any, generator: Any) -> None:
    _refuse_range("random_", from_, to, input.dtype)


@op(out=True)
def randperm(
    n: Int,
    *,
    generator: Source = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """The numbers 0 … n - 1 in random order.

    >>> _ = gleed.manual_seed(0)
    >>> gleed.randperm(4)
    tensor([0, 1, 3, 2])
    """
    check_device("randperm", device)
    if n < 0:
        raise RangeError(f"randperm: n must be 0 or more; got {shape_text((n,))[1:-1]}; use len()")
    return convert(draw(p.random_permutation, (n,), source=generator), dtype or "i64")
