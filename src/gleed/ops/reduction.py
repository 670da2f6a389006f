"""Reductions over axes: sums, means, extremes, truth, norms, prefixes."""

from __future__ import annotations

from typing import Any

from gleed import primitives as p
from gleed import return_types
from gleed.compiler.dims import Size, hint
from gleed.compiler.kernel import is_float
from gleed.errors import DTypeError
from gleed.ops.axes import Dims, axes_of, axis_of, require_elements, units
from gleed.ops.promotion import convert, dtype_text, floating
from gleed.ops.record import Number, Tensor, op

SHAPES = ((5,), (3, 4), (2, 3, 4), (1, 7))


def _samples(record: Any, *, empty: bool = False, **options: Any) -> None:
    """Sample calls over all dims, one, several and kept ones."""

    @record.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor(()))
        for shape in SHAPES:
            yield make.call(make.tensor(shape, **options))
        yield make.call(make.tensor((3, 4), **options), 1)
        yield make.call(make.tensor((2, 3, 4), **options), -2, True)
        if empty:
            yield make.call(make.tensor((0, 3), **options), 0)


def reduced(name: str, x: Tensor, primitive: p.Primitive, dim: Dims, keepdim: bool) -> Tensor:
    """A reduction over `dim`; with `keepdim` the axes stay, of size 1."""
    axes = axes_of(name, dim, x.ndim)
    result = primitive(x, axes=axes) if x.ndim else p.alias(x)
    return p.reshape(result, shape=units(x, axes)) if keepdim and axes else result


def _wide(x: Tensor, dtype: str | None) -> tuple[Tensor, str]:
    """`x` in the dtype that sums accumulate in, and the dtype of the result."""
    result = dtype or (x.dtype if is_float(x.dtype) else "i64")
    x = convert(x, result)
    return (convert(x, "f32") if result in ("f16", "bf16") else x), result


def count(x: Tensor, dim: Dims) -> Size:
    """How many elements a reduction over `dim` takes together."""
    total: Size = 1
    for axis in axes_of("count", dim, x.ndim):
        total = total * x.shape[axis]
    return total


# ---- sums
def _over_dims(name: str) -> Any:
    """PyTorch numbers the form with dims 1."""
    return lambda input, dim=None, *rest: f"{name}Backward{0 if dim is None else 1}"


@op(method=True, out=True, reference="numpy.sum", grad_name=_over_dims("Sum"))
def sum(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum over `dim` (all dims if None). Integers and bool are summed as int64; float16 and
    bfloat16 accumulate in float32.

    >>> gleed.sum(gleed.tensor([[1.0, 2.0], [3.0, 4.0]]), 0)
    tensor([4., 6.])
    """
    x, result = _wide(input, dtype)
    return convert(reduced("sum", x, p.reduce_sum, dim, keepdim), result)


_samples(sum, empty=True)


@op(method=True, out=True, reference="numpy.nansum")
def nansum(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum with NaN counted as zero.

    >>> gleed.nansum(gleed.tensor([1.0, float("nan")]))
    tensor(1.)
    """
    x = p.where(p.ne(input, input), p.fill(input, 0), input) if is_float(input.dtype) else input
    return sum(x, dim, keepdim, dtype=dtype)


_samples(nansum)


@op(method=True, out=True, reference="numpy.mean", grad_name=_over_dims("Mean"))
def mean(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean over `dim` (all dims if None), of floating-point tensors.

    >>> gleed.mean(gleed.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(2.5000)
    """
    if not is_float(dtype or input.dtype):
        raise DTypeError(
            f"mean: a floating-point tensor is needed; got {dtype_text(input.dtype)}; convert it "
            "with .float(), or pass dtype=gleed.float32"
        )
    x, result = _wide(input, dtype)
    total = reduced("mean", x, p.reduce_sum, dim, keepdim)
    return convert(total / count(input, dim), result)


_samples(mean)


@op(method=True, out=True, reference="numpy.prod", grad_name=_over_dims("Prod"))
def prod(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """The product over `dim` (all dims if None).

    >>> gleed.prod(gleed.tensor([2.0, 3.0, 4.0]))
    tensor(24.)
    """
    x, result = _wide(input, dtype)
    return convert(reduced("prod", x, p.reduce_prod, dim, keepdim), result)


_samples(prod)


# ---- spread
def _deviation(
    input: Tensor, dim: Dims, correction: Number | None, keepdim: bool
) -> tuple[Any, Any]:
    """Variance and mean, in two passes. `var(x, False)` means unbiased=False, as in PyTorch."""
    if isinstance(dim, bool):
        correction = int(dim)
        dim = None
    if correction is None:
        correction = 1
    if not is_float(input.dtype):
        raise DTypeError(
            f"var: a floating-point tensor is needed; got {dtype_text(input.dtype)}; convert it "
            "with .float()"
        )
    x, result = _wide(input, None)
    n = count(x, dim)
    centre = reduced("var", x, p.reduce_sum, dim, True) / n
    offset = x - centre
    total = reduced("var", offset * offset, p.reduce_sum, dim, keepdim)
    freedom = (x.trace.size(n) - correction).clamp_min(0)
    middle = reduced("var", x, p.reduce_sum, dim, keepdim) / n
    return convert(total / freedom, result), convert(middle, result)


@op(method=True, out=True, reference="numpy.var")
def var(
    input: Tensor, dim: Dims = None, *, correction: Number | None = 1, keepdim: bool = False
) -> Tensor:
    """The variance over `dim`, the sum of squares divided by N - correction.

    >>> gleed.var(gleed.tensor([1.0, 2.0, 3.0, 4.0]))
    tensor(1.6667)
    """
    return _deviation(input, dim, correction, keepdim)[0]


@op(name="var", method=True)
def var_unbiased(
    input: Tensor, dim: Dims = None, unbiased: bool = True, keepdim: bool = False
) -> Tensor:
    return _deviation(input, dim, 1 if unbiased else 0, keepdim)[0]


@op(method=True, out=True, reference="numpy.std")
def std(
    input: Tensor, dim: Dims = None, *, correction: Number | None = 1, keepdim: bool = False
) -> Tensor:
    """The standard deviation over `dim`: the square root of `var`.

    >>> gleed.std(gleed.tensor([1.0, 2.0, 3.0, 4.0]))
    tensor(1.2910)
    """
    return p.sqrt(_deviation(input, dim, correction, keepdim)[0])


@op(name="std", method=True)
def std_unbiased(
    input: Tensor, dim: Dims = None, unbiased: bool = True, keepdim: bool = False
) -> Tensor:
    return p.sqrt(_deviation(input, dim, 1 if unbiased else 0, keepdim)[0])


@op()
def var_mean(
    input: Tensor, dim: Dims = None, *, correction: Number | None = 1, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    """Variance and mean.

    >>> gleed.var_mean(gleed.tensor([1.0, 2.0, 3.0, 4.0]))
    (tensor(1.6667), tensor(2.5000))
    """
    return _deviation(input, dim, correction, keepdim)


@op(name="var_mean")
def var_mean_unbiased(
    input: Tensor, dim: Dims = None, unbiased: bool = True, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    return _deviation(input, dim, 1 if unbiased else 0, keepdim)


@op()
def std_mean(
    input: Tensor, dim: Dims = None, *, correction: Number | None = 1, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    """Standard deviation and mean.

    >>> gleed.std_mean(gleed.tensor([1.0, 2.0, 3.0, 4.0]))
    (tensor(1.2910), tensor(2.5000))
    """
    variance, middle = _deviation(input, dim, correction, keepdim)
    return p.sqrt(variance), middle


@op(name="std_mean")
def std_mean_unbiased(
    input: Tensor, dim: Dims = None, unbiased: bool = True, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    return std_mean(input, dim, correction=1 if unbiased else 0, keepdim=keepdim)


for _record in (var, std, var_mean, std_mean):

    @_record.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((5,)))
        yield make.call(make.tensor((3, 4)), 1, correction=0)
        yield make.call(make.tensor((2, 3, 4)), (0, 2), keepdim=True)


for _record in (var, std, var_mean, std_mean):

    @_record.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((3, 4)), 1, False)
        yield make.call(make.tensor((5,)), False)


# ---- extremes
def _extreme(name: str, x: Tensor, dim: int, keepdim: bool) -> tuple[Tensor, Tensor]:
    """The extreme along one axis and its index; the gradient goes to that element."""
    axis = axis_of(name, dim, x.ndim)
    if x.ndim == 0:
        return p.alias(x), x.trace.const(0, "i64")
    require_elements(name, x, (axis,))
    where = getattr(p, f"reduce_arg{name}")(x, axes=(axis,))
    value = getattr(p, f"reduce_{name}")(x, axes=(axis,))
    if keepdim:
        shape = units(x, (axis,))
        return p.reshape(value, shape=shape), p.reshape(where, shape=shape)
    return value, where


def _pick_rule(g: Any, y: Any, input: Tensor, dim: int, keepdim: bool = False) -> Tensor:
    """The cotangent of the values, at their indices along the axis."""
    if input.ndim == 0:
        return g[0]
    axis = axis_of("max", dim, input.ndim)
    shape = units(input, (axis,))
    place, value = (p.reshape(t, shape=shape) for t in (y[1], g[0]))
    chosen = input.trace.iota(input.shape, axis) == place
    return p.where(chosen, value.expand(input.shape), p.fill(input, 0))


@op(name="max", method=True, result=return_types.max)
def max_along(input: Tensor, dim: int, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """The greatest element: of all, or along `dim` with its index, or of two tensors (`maximum`).
    NaN is greater than every number; the first of equals counts.

    >>> gleed.max(gleed.tensor([[1, 5], [7, 2]]), 1)
    gleed.return_types.max(
    values=tensor([5, 7]),
    indices=tensor([1, 0]))
    """
    return _extreme("max", input, dim, keepdim)


max_along.vjp(_pick_rule)


@op(name="max", method=True, grad_name="MaxBackward1")
def max_all(input: Tensor) -> Tensor:
    require_elements("max", input, range(input.ndim))
    return reduced("max", input, p.reduce_max, None, False)


@op(name="max", method=True, grad_name="maximum")
def max_pair(input: Tensor, other: Tensor) -> Tensor:
    return input.maximum(other)


@op(name="min", method=True, result=return_types.min)
def min_along(input: Tensor, dim: int, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """The least element: of all, or along `dim` with its index, or of two tensors (`minimum`).
    NaN is less than every number; the first of equals counts.

    >>> gleed.min(gleed.tensor([[1, 5], [7, 2]]), 1)
    gleed.return_types.min(
    values=tensor([1, 2]),
    indices=tensor([0, 1]))
    """
    return _extreme("min", input, dim, keepdim)


min_along.vjp(_pick_rule)


@op(name="min", method=True, grad_name="MinBackward1")
def min_all(input: Tensor) -> Tensor:
    require_elements("min", input, range(input.ndim))
    return reduced("min", input, p.reduce_min, None, False)


@op(name="min", method=True, grad_name="minimum")
def min_pair(input: Tensor, other: Tensor) -> Tensor:
    return input.minimum(other)


@op(method=True, out=True, reference="numpy.max")
def amax(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The greatest element over `dim`; equal ones share the gradient.

    >>> gleed.amax(gleed.tensor([[1, 5], [7, 2]]), (0, 1))
    tensor(7)
    """
    require_elements("amax", input, axes_of("amax", dim, input.ndim))
    return reduced("amax", input, p.reduce_max, dim, keepdim)


@op(method=True, out=True, reference="numpy.min")
def amin(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The least element over `dim`; equal ones share the gradient.

    >>> gleed.amin(gleed.tensor([[1, 5], [7, 2]]), 0)
    tensor([1, 2])
    """
    require_elements("amin", input, axes_of("amin", dim, input.ndim))
    return reduced("amin", input, p.reduce_min, dim, keepdim)


@op(method=True, result=return_types.aminmax)
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """Least and greatest element.

    >>> gleed.aminmax(gleed.tensor([3, 1, 2])).max
    tensor(3)
    """
    return amin(input, dim, keepdim), amax(input, dim, keepdim)


@op(method=True, reference="numpy.argmax")
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the greatest element along `dim`, or in the flattened tensor.

    >>> gleed.argmax(gleed.tensor([[1, 5], [7, 2]]), 1)
    tensor([1, 0])
    """
    return _index_of("argmax", input, p.reduce_argmax, dim, keepdim)


@op(method=True, reference="numpy.argmin")
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index of the least element along `dim`, or in the flattened tensor.

    >>> gleed.argmin(gleed.tensor([[1, 5], [7, 2]]), 1)
    tensor([0, 1])
    """
    return _index_of("argmin", input, p.reduce_argmin, dim, keepdim)


def _index_of(
    name: str, x: Tensor, primitive: p.Primitive, dim: int | None, keepdim: bool
) -> Tensor:
    if x.ndim == 0:
        axes_of(name, dim, 0)
        return x.trace.const(0, "i64")
    require_elements(name, x, axes_of(name, dim, x.ndim))
    return reduced(name, x, primitive, dim, keepdim)


for _record in (amax, amin, argmax, argmin, max_along, min_along):

    @_record.samples
    def _(make: Any) -> Any:
        yield make.call(make.distinct((5,)), 0)
        yield make.call(make.distinct((3, 4)), 1)
        yield make.call(make.distinct((2, 3, 4)), -2, True)


for _record in (max_all, min_all):

    @_record.samples
    def _(make: Any) -> Any:
        yield make.call(make.distinct((3, 4)))
        yield make.call(make.distinct(()))
        yield make.call(make.tensor((3, 4)), make.tensor((3, 4)))


@aminmax.samples
def _(make: Any) -> Any:
    yield make.call(make.distinct((3, 4)))
    yield make.call(make.distinct((3, 4)), dim=1, keepdim=True)


# ---- truth
@op(method=True, reference="numpy.any")
def any(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether any element is nonzero.

    >>> gleed.any(gleed.tensor([False, True]))
    tensor(True)
    """
    return _truth("any", input, p.reduce_any, dim, keepdim)


@op(method=True, reference="numpy.all")
def all(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether every element is nonzero.

    >>> gleed.all(gleed.tensor([False, True]))
    tensor(False)
    """
    return _truth("all", input, p.reduce_all, dim, keepdim)


def _truth(name: str, x: Tensor, primitive: p.Primitive, dim: Dims, keepdim: bool) -> Tensor:
    result = reduced(name, convert(x, "bool"), primitive, dim, keepdim)
    return convert(result, "u8") if x.dtype == "u8" else result


@op(method=True, reference="numpy.count_nonzero")
def count_nonzero(input: Tensor, dim: Dims = None) -> Tensor:
    """How many elements are nonzero.

    >>> gleed.count_nonzero(gleed.tensor([0, 3, 4]))
    tensor(2)
    """
    return sum(convert(input, "bool"), dim)


for _record in (any, all):
    _samples(_record, empty=True)


@count_nonzero.samples
def _(make: Any) -> Any:
    yield make.call(make.integers((3, 4), 0, 2))
    yield make.call(make.tensor((2, 3, 4)), (0, -1))
    yield make.call(make.tensor(()))


# ---- logarithms and norms
@op(method=True, out=True, namespace=("gleed", "special"), reference="scipy.special.logsumexp")
def logsumexp(input: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """log(sum(exp(x))) over `dim`, without overflow.

    >>> gleed.logsumexp(gleed.tensor([1000.0, 1000.0]), 0)
    tensor(1000.6932)
    """
    x, result = _wide(floating(input), None)
    if x.ndim == 0:
        return convert(p.alias(x), result)
    axes = axes_of("logsumexp", dim, x.ndim)
    if hint(count(x, dim)) == 0 and count(x, dim) == 0:
        return convert(p.log(reduced("logsumexp", x, p.reduce_sum, dim, keepdim)), result)
    top = p.reduce_max(x, axes=axes)
    top = p.where(p.eq(p.abs(top), p.fill(top, float("inf"))), p.fill(top, 0), top)
    total = p.reduce_sum(p.exp(x - p.reshape(top, shape=units(x, axes))), axes=axes)
    y = p.log(total) + top
    return convert(p.reshape(y, shape=units(x, axes)) if keepdim else y, result)


@logsumexp.vjp
def _(g: Any, y: Any, input: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    x = floating(input)
    axes = axes_of("logsumexp", dim, x.ndim)
    shape = units(x, axes)
    slope = p.exp(x - p.reshape(y, shape=shape)) if x.ndim else p.fill(x, 1)
    return p.reshape(g, shape=shape) * slope


@logsumexp.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((5,)), 0)
    yield make.call(make.tensor((2, 3, 4)), (0, 2), True)


@op(method=True, out=True, grad_name="linalg_vector_norm")
def norm(
    input: Tensor, p: Any = "fro", dim: Dims = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """The vector norm of order `p` over `dim`: "fro" or 2 (Euclidean), 1, inf, -inf, 0 (how many
    are nonzero) or any number.

    >>> gleed.norm(gleed.tensor([3.0, 4.0]))
    tensor(5.)
    """
    return vector_norm(input, 2.0 if p in ("fro", None) else p, dim, keepdim, dtype)


def vector_norm(
    input: Tensor, order: float, dim: Dims, keepdim: bool, dtype: str | None = None
) -> Tensor:
    """The norm of order `order` over `dim`."""
    if not is_float(dtype or input.dtype):
        raise DTypeError(
            f"norm: a floating-point tensor is needed; got {dtype_text(input.dtype)}; convert it "
            "with .float()"
        )
    x, result = _wide(input, dtype)
    size = p.abs(x)
    if order == 2:
        y = _root(reduced("norm", x * x, p.reduce_sum, dim, keepdim), 2)
    elif order == 1:
        y = reduced("norm", size, p.reduce_sum, dim, keepdim)
    elif order in (float("inf"), float("-inf")):
        extreme = p.reduce_max if order > 0 else p.reduce_min
        y = reduced("norm", size, extreme, dim, keepdim)
    elif order == 0:
        y = reduced("norm", p.sign(size), p.reduce_sum, dim, keepdim)
    else:
        y = _root(reduced("norm", size**order, p.reduce_sum, dim, keepdim), order)
    return convert(y, result)


def _root(total: Tensor, order: float) -> Tensor:
    """total**(1 / order), whose gradient at zero counts as zero."""
    zero = p.eq(total, p.fill(total, 0))
    safe = p.where(zero, p.fill(total, 1), total)
    root = p.sqrt(safe) if order == 2 else safe ** (1.0 / order)
    return p.where(zero, p.fill(total, 0 if order > 0 else float("inf")), root)


@norm.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((5,)))
    yield make.call(make.tensor((3, 4)), 1, 1)
    yield make.call(make.tensor((3, 4)), 3, 0, True)


# ---- prefixes
def _prefix(name: str, input: Tensor, primitive: p.Primitive, dim: int, dtype: Any) -> Tensor:
    """Prefixes along `dim`; floating-point ones are accumulated in float64."""
    axis = axis_of(name, dim, input.ndim)
    result = dtype or (input.dtype if is_float(input.dtype) else "i64")
    x = convert(input, result)
    if x.ndim == 0:
        return p.alias(x)
    wide = convert(x, "f64") if is_float(result) else x
    return convert(primitive(wide, axis=axis), result)


@op(method=True, inplace=True, out=True, reference="numpy.cumsum")
def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Sums of the first 1, 2, … elements along `dim`.

    >>> gleed.cumsum(gleed.tensor([1, 2, 3]), 0)
    tensor([1, 3, 6])
    """
    return _prefix("cumsum", input, p.scan_sum, dim, dtype)


@op(method=True, inplace=True, out=True, reference="numpy.cumprod")
def cumprod(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Products of the first 1, 2, … elements along `dim`.

    >>> gleed.cumprod(gleed.tensor([1, 2, 3]), 0)
    tensor([1, 2, 6])
    """
    return _prefix("cumprod", input, p.scan_prod, dim, dtype)


for _record in (cumsum, cumprod):

    @_record.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((5,), (0.5, 2.0)), 0)
        yield make.call(make.tensor((3, 4), (0.5, 2.0)), 0)
        yield make.call(make.tensor((2, 3, 4), (0.5, 2.0)), -1)
