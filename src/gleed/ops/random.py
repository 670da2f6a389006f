"""Random tensors, with the numbers that PyTorch's CPU generator gives for the same seed.

Primitives draw uniform numbers, events, integers, permutations and single normal numbers in the
order of memory; everything else is computed from these.
"""

from __future__ import annotations

from typing import Any

from gleed import primitives as p
from gleed.compiler.dims import product
from gleed.compiler.kernel import DTYPES, integer_range, is_float
from gleed.errors import ArgumentError, DTypeError, RangeError
from gleed.ops.box_muller import box_muller
from gleed.ops.promotion import (
    convert,
    default_float,
    dtype_text,
    expand_to,
    shape_text,
)
from gleed.ops.record import Int, Ints, Number, Source, Tensor, function, op
from gleed.trace import Trace

BLOCK = 16  # normal numbers come in blocks of so many


# ---- draws
def draw(
    primitive: p.Primitive,
    shape: Any,
    *numbers: Tensor,
    like: Tensor | None = None,
    source: Source = None,
    valid: Tensor | None = None,
    **options: Any,
) -> Tensor:
    """Fill a shape from the generator `source`, in the stride order of `like`; `numbers` are 0-d.

    Where `valid` is false, nothing is drawn and the op's `explain` raises the error."""
    attrs = {"given": source is not None, "checked": valid is not None, **options}
    attrs |= {"shape": tuple(shape), "lent": like is not None}
    given = [x for x in (like, source, valid) if x is not None]
    return Trace.current().emit(primitive, (*given, *map(p.copy, numbers)), attrs)


def _wide(dtype: str) -> str:
    """The dtype in which numbers of a floating-point dtype are drawn and transformed."""
    return "f64" if dtype == "f64" else "f32"


def unit(shape: Any, dtype: str, **options: Any) -> Tensor:
    """Uniform numbers in [0, 1), of dtype f32 or f64."""
    return draw(p.random_uniform, shape, kind=_wide(dtype), **options)


def _float_dtype(name: str, dtype: str) -> str:
    if not is_float(dtype):
        raise DTypeError(
            f"{name}: the dtype must be floating point; got {dtype_text(dtype)}; use randint for "
            "whole numbers"
        )
    return dtype


def _sizes(name: str, size: Any) -> tuple[Any, ...]:
    if any(n < 0 for n in size):
        raise RangeError(
            f"{name}: sizes must be 0 or more; got {shape_text(size)}; check the arithmetic"
        )
    return tuple(size)


def spread(x: Tensor, like: Tensor) -> Tensor:
    """A 0-d stand-in repeated to the shape of another."""
    return expand_to(x, like.shape)


# ---- uniform
def _between(u: Tensor, low: Tensor, high: Tensor, dtype: str) -> Tensor:
    """low + u * (high - low), with what rounds to `high` set to `low`, so that high is never met."""
    first, last = convert(low, u.dtype), convert(high, u.dtype)
    y = convert(p.fma(u, spread(last - first, u), spread(first, u)), dtype)
    reached = p.eq(y, spread(convert(high, dtype), y))
    return p.where(reached, spread(convert(low, dtype), y), y)


def _rand(name: str, shape: Any, dtype: str, source: Source, like: Tensor | None = None) -> Tensor:
    u = unit(shape, _float_dtype(name, dtype), source=source, like=like)
    if u.dtype == dtype:
        return u
    trace = u.trace
    return _between(u, trace.const(0.0, "f32"), trace.const(1.0, "f32"), dtype)


@op(varargs="size", out=True)
def rand(
    size: Ints,
    *,
    generator: Source = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """Numbers drawn uniformly from [0, 1).

    >>> _ = gleed.manual_seed(0)
    >>> gleed.rand(3)
    tensor([0.4963, 0.7682, 0.0885])
    """
    return _rand("rand", _sizes("rand", size), dtype or default_float(), generator)


@op()
def rand_like(
    input: Tensor,
    *,
    generator: Source = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Numbers drawn uniformly from [0, 1), in the shape and dtype of `input`.

    >>> _ = gleed.manual_seed(0)
    >>> gleed.rand_like(gleed.zeros(2))
    tensor([0.4963, 0.7682])
    """
    return _rand("rand_like", input.shape, dtype or input.dtype, generator, input)


@op(method=True, namespace="", writes=("input",))
def uniform_(
    input: Tensor, from_: Number = 0.0, to: Number = 1.0, *, generator: Source = None
) -> Tensor:
    """Fill with numbers drawn uniformly from [from, to).

    >>> _ = gleed.manual_seed(0)
    >>> gleed.empty(2).uniform_(-1, 1)
    tensor([-0.0075,  0.5364])
    """
    dtype = _float_dtype("uniform_", input.dtype)
    low, high = convert(from_, "f64"), convert(to, "f64")
    u = unit(input.shape, dtype, source=generator, like=input, valid=p.le(low, high))
    return _between(u, low, high, dtype)


@uniform_.explain
def _(input: Any, from_: Any, to: Any, generator: Any) -> None:
    raise RangeError(
        f"uniform_: `from` must not be above `to`; got from {from_} to {to}; exchange them"
    )


# ---- normal: in blocks of 16, of which the first eight uniform numbers decide radii, the others angles
def _blocks(u: Tensor, count: Any) -> Tensor:
    """`count` normal numbers in whole blocks: eight cosines, then eight sines."""
    m, half = count // BLOCK, BLOCK // 2
    u = p.reshape(u, shape=(m, 2, half))
    parts = (p.slice(u, axis=1, start=i, step=1, length=1) for i in (0, 1))
    parts = box_muller(*(p.reshape(x, shape=(m, half)) for x in parts))
    pair = (p.reshape(x, shape=(m, 1, half)) for x in parts)
    return p.reshape(p.concat(*pair, axis=1), shape=(count,))


def _many_normal(n: Any, dtype: str, **options: Any) -> Tensor:
    """`n` ≥ 16 normal numbers. If n is no multiple of 16 the last 16 are drawn anew."""
    if dtype == "f64":
        return draw(p.random_normal, (n,), blocks=True, **options)
    rest = n % BLOCK
    whole = n - rest
    if rest == 0:
        return _blocks(unit((n,), dtype, **options), n)
    # For the halves PyTorch does not draw the numbers that the last block replaces.
    count = (n if dtype == "f32" else whole) + BLOCK
    u = unit((count,), dtype, **options)
    body = _blocks(p.slice(u, axis=0, start=0, step=1, length=whole), whole)
    tail = _blocks(p.slice(u, axis=0, start=count - BLOCK, step=1, length=BLOCK), BLOCK)
    kept = p.slice(body, axis=0, start=0, step=1, length=n - BLOCK)
    return p.concat(kept, tail, axis=0)


def _one_by_one(shape: Any, **options: Any) -> Tensor:
    return draw(p.random_normal, shape, blocks=False, **options)


def _scaled(z: Tensor, mean: Tensor, std: Tensor, dtype: str) -> Tensor:
    """z * std + mean in the precision of z, then in `dtype`."""
    scale, shift = convert(std, z.dtype), convert(mean, z.dtype)
    return convert(p.fma(z, spread(scale, z), spread(shift, z)), dtype)


def _randn(name: str, shape: Any, dtype: str, source: Source) -> Tensor:
    """Normal numbers of mean 0 and deviation 1 in row-major order."""
    n = product(shape)
    if n < BLOCK:
        return convert(_one_by_one(shape, source=source), _float_dtype(name, dtype))
    z = _many_normal(n, _float_dtype(name, dtype), source=source)
    return convert(p.reshape(z, shape=shape), dtype)


@op(varargs="size", out=True)
def randn(
    size: Ints,
    *,
    generator: Source = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """Numbers from the normal distribution of mean 0 and deviation 1.

    >>> _ = gleed.manual_seed(0)
    >>> gleed.randn(3)
    tensor([ 1.5410, -0.2934, -2.1788])
    """
    return _randn("randn", _sizes("randn", size), dtype or default_float(), generator)


def _deviation_is_valid(std: Tensor) -> Tensor:
    return p.ge(std, std.trace.const(0.0, "f64"))


@op(name="_normal_", namespace="", writes=("input",), grad_name="normal_")
def normal_by_blocks(input: Tensor, mean: Number, std: Number, generator: Source) -> Tensor:
    """Fill memory without gaps, as `randn` does."""
    return _normal(input, mean, std, generator, input.numel() >= BLOCK)


@op(name="_normal_one_by_one_", namespace="", writes=("input",), grad_name="normal_")
def normal_one_by_one(input: Tensor, mean: Number, std: Number, generator: Source) -> Tensor:
    """Fill any memory."""
    return _normal(input, mean, std, generator, False)


def _normal(input: Tensor, mean: Any, std: Any, source: Source, blocks: bool) -> Tensor:
    mean, std = convert(mean, "f64"), convert(std, "f64")
    dtype, valid = _float_dtype("normal_", input.dtype), _deviation_is_valid(std)
    if blocks:
        z = _many_normal(input.numel(), dtype, source=source, valid=valid)
        z = p.reshape(z, shape=input.shape)
    else:
        z = _one_by_one(input.shape, source=source, valid=valid, like=input)
    return _scaled(z, mean, std, dtype)


@normal_by_blocks.explain
@normal_one_by_one.explain
def _(input: Any, mean: Any, std: Any, generator: Any) -> None:
    raise RangeError(f"normal_: std must be 0 or more; got {std}; use abs(), or square a root")


@function(namespace="", method=True)
def normal_(input: Any, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Any:
    """Fill with numbers from the normal distribution of the given mean and deviation.

    >>> _ = gleed.manual_seed(0)
    >>> gleed.empty(2).normal_(10, 0.1)
    tensor([10.1541,  9.9707])
    """
    # PyTorch draws one by one where elements do not lie in their own order.
    fill = normal_by_blocks if input.is_contiguous() else normal_one_by_one
    return fill.public(input, mean, std, generator)


@function()
def randn_like(input: Any, *, generator: Any = None, dtype: Any = None, **options: Any) -> Any:
    """Numbers from the normal distribution, in the shape and dtype of `input`.

    >>> _ = gleed.manual_seed(0)
    >>> gleed.randn_like(gleed.zeros(2))
    tensor([ 1.5410, -0.2934])
    """
    dtype = dtype or input.dtype
    if input.is_contiguous():
        return randn.public(input.shape, generator=generator, dtype=dtype, **options)
    return randn_like_one_by_one.public(input, dtype, generator)


@op(name="_randn_like_one_by_one", namespace="")
def randn_like_one_by_one(input: Tensor, dtype: Any, generator: Source) -> Tensor:
    """Normal numbers in the stride order of `input`."""
    z = _one_by_one(input.shape, source=generator, like=input)
    return convert(z, _float_dtype("randn_like", dtype))


# ---- whole numbers
def _whole(name: str, *bounds: Tensor) -> list[Tensor]:
    for x in bounds:
        if is_float(x.dtype):
            raise ArgumentError(f"{name}: bounds must be whole numbers; got a float; use int(...)")
    return [convert(x, "i64") for x in bounds]


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
    name: str, shape: Any, low: Tensor, high: Tensor | None, dtype: str, source: Source,
    like: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Whole numbers from `low` to `high` - 1, or to the last that the dtype holds exactly."""
    if high is None:
        (low,) = _whole(name, low)
        last = low.trace.const(_most(dtype), "i64")
    else:
        low, high = _whole(name, low, high)
        last = high - 1
    valid = _in_range(dtype, low, last)
    drawn = draw(
        p.random_integers, shape, low, last, source=source, valid=valid, words=0, like=like
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
    zero = high.trace.const(0, "i64")
    return _integers("randint", _sizes("randint", size), zero, high, dtype or "i64", generator)


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
    return _integers("randint", _sizes("randint", size), low, high, dtype or "i64", generator)


@randint_between.explain
def _(low: Any, high: Any, size: Any, generator: Any, dtype: Any, *rest: Any) -> None:
    _refuse_range("randint", low, high, dtype)


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
    zero = high.trace.const(0, "i64")
    return _integers(
        "randint_like", input.shape, zero, high, dtype or input.dtype, generator, input
    )


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
    return _integers("randint_like", input.shape, low, high, dtype or input.dtype, generator, input)


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
    dtype, trace = input.dtype, input.trace
    bounds = (trace.const(0, "i64"), trace.const(_most(dtype), "i64"))
    words = 2 if DTYPES[dtype][0] == 8 else 1
    drawn = draw(p.random_integers, input.shape, *bounds, source=generator, words=words, like=input)
    return convert(drawn, dtype)


@op(name="random_", method=True, namespace="", writes=("input",))
def random_below(input: Tensor, to: Number, *, generator: Source = None) -> Tensor:
    zero = input.trace.const(0, "i64")
    return _integers("random_", input.shape, zero, to, input.dtype, generator, input)


@random_below.explain
def _(input: Any, to: Any, generator: Any) -> None:
    _refuse_range("random_", 0, to, input.dtype)


@op(name="random_", method=True, namespace="", writes=("input",))
def random_between(
    input: Tensor, from_: Number, to: Number | None, *, generator: Source = None
) -> Tensor:
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
    tensor([2, 0, 1, 3])
    """
    if n < 0:
        raise RangeError(f"randperm: n must be 0 or more; got {shape_text((n,))[1:-1]}; use len()")
    return convert(draw(p.random_permutation, (n,), source=generator), dtype or "i64")


# ---- events
def _probability(x: Tensor) -> Tensor:
    """Whether 0 ≤ x ≤ 1 everywhere, as a 0-d bool."""
    trace = x.trace
    zero, one = (spread(trace.const(v, x.dtype), x) for v in (0.0, 1.0))
    inside = p.bitwise_and(p.ge(x, zero), p.le(x, one))
    return p.reduce_all(inside, axes=tuple(range(x.ndim))) if x.ndim else inside


def _events(
    shape: Any, probability: Tensor, source: Source, like: Tensor | None, eager: bool = False
) -> Tensor:
    chance = convert(probability, "f64")
    return draw(
        p.random_events,
        shape,
        chance,
        source=source,
        valid=_probability(chance),
        eager=eager,
        like=like,
    )


@op(method=True, namespace="", writes=("input",))
def bernoulli_(input: Tensor, p: Number = 0.5, *, generator: Source = None) -> Tensor:
    """Fill with 1 with probability p, a number or a tensor that broadcasts, and 0 otherwise.

    >>> _ = gleed.manual_seed(0)
    >>> gleed.empty(4).bernoulli_(0.5)
    tensor([1., 0., 1., 1.])
    """
    return convert(_events(input.shape, p, generator, input), input.dtype)


@bernoulli_.explain
def _(input: Any, p: Any, generator: Any) -> None:
    raise RangeError(f"bernoulli_: p must lie in 0 … 1; got {p}; use a sigmoid, or clamp it")


@op(namespace=("gleed", "nn.functional"))
def dropout(
    input: Tensor, p: Number = 0.5, training: bool = True, *, generator: Source = None
) -> Tensor:
    """Zeros in random places, each with probability p, and everything else divided by 1 - p
    (Srivastava et al., 2014); `input` itself if not training.

    >>> _ = gleed.manual_seed(0)
    >>> gleed.nn.functional.dropout(gleed.ones(4), 0.5)
    tensor([2., 0., 2., 2.])
    """
    return _dropped(input, input.shape, p, training, generator)


def _dropped(input: Tensor, shape: Any, chance: Any, training: bool, source: Source) -> Tensor:
    if not training:
        return input
    keep = 1 - convert(chance, "f64")
    kept = _events(shape, keep, source, input if shape is input.shape else None, eager=True)
    wide = "f64" if input.dtype == "f64" else "f32"
    scale = convert(1 / convert(keep, wide), input.dtype)
    noise = p.where(kept, spread(scale, kept), p.fill(spread(scale, kept), 0))
    return p.mul(input, expand_to(noise, input.shape))


@dropout.explain
def _(input: Any, p: Any, *rest: Any) -> None:
    raise RangeError(f"dropout: p must lie in 0 … 1; got {p}; it is the share that is dropped")
