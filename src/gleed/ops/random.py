"""Random tensors, with the numbers that PyTorch's CPU generator gives for the same seed.

Primitives draw uniform numbers, events, integers, permutations and single normal numbers in the
order of memory; everything else is computed from these.
"""

from __future__ import annotations

from typing import Any

from gleed import primitives as p
from gleed.compiler.dims import product
from gleed.compiler.kernel import is_float
from gleed.devices import check_device
from gleed.errors import DTypeError, RangeError
from gleed.memory_formats import preserve_format
from gleed.ops.box_muller import box_muller
from gleed.ops.creation import checked_sizes, zeros_like
from gleed.ops.memory_formats import made
from gleed.ops.promotion import convert, default_float, dtype_text, expand_to
from gleed.ops.record import Ints, Number, Source, Tensor, function, op
from gleed.ops.views import as_strided
from gleed.trace import Trace

BLOCK = 16  # normal numbers come in blocks of so many
CONVERT = "convert with .float()"


# ---- draws
def draw(
    primitive: p.Primitive,
    shape: Any,
    *operands: Tensor,
    like: Tensor | None = None,
    source: Source = None,
    valid: Tensor | None = None,
    **options: Any,
) -> Tensor:
    """Fill a shape from the generator `source`, in the stride order of `like`; `operands` are what
    the primitive needs besides. If `valid` is false nothing is drawn, and `explain` is called."""
    attrs = {"given": source is not None, "checked": valid is not None, **options}
    attrs |= {"shape": tuple(shape), "lent": like is not None}
    given = [x for x in (like, source, valid) if x is not None]
    return Trace.current().emit(primitive, (*given, *map(p.copy, operands)), attrs)


def _wide(dtype: str) -> str:
    """The dtype in which numbers of a floating-point dtype are drawn and transformed."""
    return "f64" if dtype == "f64" else "f32"


def unit(shape: Any, dtype: str, **options: Any) -> Tensor:
    """Uniform numbers in [0, 1), of dtype f32 or f64."""
    return draw(p.random_uniform, shape, kind=_wide(dtype), **options)


def float_dtype(name: str, dtype: str, fix: str = "use randint for whole numbers") -> str:
    """The dtype, which must be floating point."""
    if not is_float(dtype):
        raise DTypeError(
            f"{name}: the dtype must be floating point; got {dtype_text(dtype)}; {fix}"
        )
    return dtype


def number(x: Any, dtype: str = "f64") -> Tensor:
    """A number, of the call or of the body that calls this one, as a 0-d stand-in."""
    return convert(x if isinstance(x, Tensor) else Trace.current().size(x), dtype)


def spread(x: Tensor, like: Tensor) -> Tensor:
    """A 0-d stand-in repeated to the shape of another."""
    return expand_to(x, like.shape)


# ---- uniform
def _between(u: Tensor, low: Tensor, high: Tensor, dtype: str) -> Tensor:
    """low + u * (high - low); what rounds to `high` becomes `low`, so that high is never met."""
    first, last = convert(low, u.dtype), convert(high, u.dtype)
    y = convert(p.fma(u, spread(last - first, u), spread(first, u)), dtype)
    reached = p.eq(y, spread(convert(high, dtype), y))
    return p.where(reached, spread(convert(low, dtype), y), y)


def _rand(name: str, shape: Any, dtype: str, source: Source, like: Tensor | None = None) -> Tensor:
    u = unit(shape, float_dtype(name, dtype), source=source, like=like)
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
    return _rand("rand", checked_sizes("rand", size, device), dtype or default_float(), generator)


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
    check_device("rand_like", device)

    def make(shape: Any, like: Tensor | None) -> Tensor:
        return _rand("rand_like", shape, dtype or input.dtype, generator, like)

    return made("rand_like", make, input, memory_format)


@op(method=True, namespace="", writes=("input",))
def uniform_(
    input: Tensor, from_: Number = 0.0, to: Number = 1.0, *, generator: Source = None
) -> Tensor:
    """Fill with numbers drawn uniformly from [from, to).

    >>> _ = gleed.manual_seed(0)
    >>> gleed.empty(2).uniform_(-1, 1)
    tensor([-0.0075,  0.5364])
    """
    dtype = float_dtype("uniform_", input.dtype)
    low, high = number(from_), number(to)
    u = unit(input.shape, dtype, source=generator, like=input, valid=p.le(low, high))
    return _between(u, low, high, dtype)


@uniform_.explain
def _(input: Any, from_: Any, to: Any, generator: Any) -> None:
    raise RangeError(
        f"uniform_: `from` must not be above `to`; got from {from_} to {to}; exchange them"
    )


# ---- normal: in blocks of 16, whose first eight uniform numbers decide radii, the others angles
def _blocks(u: Tensor, count: Any) -> Tensor:
    """`count` normal numbers in whole blocks: eight cosines, then eight sines."""
    m, half = count // BLOCK, BLOCK // 2
    u = p.reshape(u, shape=(m, 2, half))
    parts = (p.slice(u, axis=1, start=i, step=1, length=1) for i in (0, 1))
    pair = box_muller(*(p.reshape(x, shape=(m, half)) for x in parts))
    rows = (p.reshape(x, shape=(m, 1, half)) for x in pair)
    return p.reshape(p.concat(*rows, axis=1), shape=(count,))


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


def one_by_one(shape: Any, **options: Any) -> Tensor:
    """Normal numbers in double precision, of which the generator keeps every second one."""
    return draw(p.random_normal, shape, blocks=False, **options)


def _scaled(z: Tensor, mean: Tensor, std: Tensor, dtype: str) -> Tensor:
    """z * std + mean in the precision of z, then in `dtype`."""
    scale, shift = convert(std, z.dtype), convert(mean, z.dtype)
    return convert(p.fma(z, spread(scale, z), spread(shift, z)), dtype)


def _deviation_is_valid(std: Tensor) -> Tensor:
    return p.ge(std, std.trace.const(0.0, "f64"))


def _standard(name: str, shape: Any, dtype: str, **options: Any) -> Tensor:
    """Normal numbers in row-major order, in the precision in which they are drawn."""
    float_dtype(name, dtype)
    n = product(shape)
    if n < BLOCK:
        return one_by_one(shape, **options)
    return p.reshape(_many_normal(n, dtype, **options), shape=shape)


def randn_of(name: str, shape: Any, dtype: str, **options: Any) -> Tensor:
    """Normal numbers of mean 0 and deviation 1 in row-major order."""
    return convert(_standard(name, shape, dtype, **options), dtype)


def normal_of(name: str, shape: Any, mean: Any, std: Any, dtype: str, **options: Any) -> Tensor:
    """Normal numbers in row-major order, of one mean and deviation."""
    shift, scale = number(mean), number(std)
    z = _standard(name, shape, dtype, valid=_deviation_is_valid(scale), **options)
    return _scaled(z, shift, scale, dtype)


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
    shape = checked_sizes("randn", size, device)
    return randn_of("randn", shape, dtype or default_float(), source=generator)


@op(name="_normal_", namespace="", writes=("input",), grad_name="normal_")
def normal_by_blocks(input: Tensor, mean: Number, std: Number, generator: Source) -> Tensor:
    """Fill row-major memory, as `randn` does."""
    return normal_of("normal_", input.shape, mean, std, input.dtype, source=generator)


@op(name="_normal_one_by_one_", namespace="", writes=("input",), grad_name="normal_")
def normal_one_by_one(input: Tensor, mean: Number, std: Number, generator: Source) -> Tensor:
    """Fill any memory."""
    dtype = float_dtype("normal_", input.dtype)
    shift, scale = number(mean), number(std)
    valid = _deviation_is_valid(scale)
    z = one_by_one(input.shape, source=generator, valid=valid, like=input)
    return _scaled(z, shift, scale, dtype)


@normal_by_blocks.explain
@normal_one_by_one.explain
def _(input: Any, mean: Any, std: Any, generator: Any) -> None:
    raise RangeError(f"normal_: std must be 0 or more; got {std}; use abs(), or square a root")


@function(namespace="", method=True)
def normal_(input: Any, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Any:
    """Fill with numbers from the normal distribution of the given mean and deviation.

    >>> import gleed
    >>> _ = gleed.manual_seed(0)
    >>> gleed.empty(2).normal_(10, 0.1)
    tensor([10.1541,  9.9707])
    """
    # PyTorch draws one by one where elements do not lie in their own order.
    fill = normal_by_blocks if input.is_contiguous() else normal_one_by_one
    return fill.public(input, mean, std, generator)


@function()
def randn_like(
    input: Any, *, generator: Any = None, dtype: Any = None, layout: Any = None,
    device: Any = None, pin_memory: bool = False, memory_format: Any = None,
    requires_grad: bool = False,
) -> Any:  # fmt: skip
    """Numbers from the normal distribution, in the shape and dtype of `input`.

    >>> import gleed
    >>> _ = gleed.manual_seed(0)
    >>> gleed.randn_like(gleed.zeros(2))
    tensor([ 1.5410, -0.2934])
    """
    check_device("randn_like", device)
    dtype = dtype or input.dtype
    like = input
    if memory_format not in (None, preserve_format) or not input.is_contiguous():
        like = zeros_like.public(input, memory_format=memory_format)
    if like.is_contiguous():
        result = randn.public(like.shape, generator=generator, dtype=dtype)
        if like is not input:
            result = as_strided(result, like.shape, like.stride())
    else:
        result = randn_like_one_by_one.public(like, dtype, generator)
    return result.requires_grad_() if requires_grad else result


@op(name="_randn_like_one_by_one", namespace="")
def randn_like_one_by_one(input: Tensor, dtype: Any, generator: Source) -> Tensor:
    """Normal numbers in the stride order of `input`."""
    z = one_by_one(input.shape, source=generator, like=input)
    return convert(z, float_dtype("randn_like", dtype))
