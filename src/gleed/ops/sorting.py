"""Order: sorting, the greatest elements, medians and quantiles, prefixes' extremes."""

from __future__ import annotations

from typing import Any

from gleed import primitives as p
from gleed import return_types
from gleed.compiler.dims import hint
from gleed.compiler.kernel import is_float
from gleed.errors import DTypeError, RangeError, ShapeError
from gleed.ops.arithmetic import lerp
from gleed.ops.axes import axis_of, require_elements, units
from gleed.ops.promotion import as_standins, convert, dtype_text, expand_to, shape_text
from gleed.ops.record import Int, Operand, Tensor, op


def _sorted(name: str, x: Tensor, dim: int, descending: bool = False) -> tuple[Tensor, Tensor]:
    """Values in order, and where they were."""
    axis = axis_of(name, dim, x.ndim)
    if x.ndim == 0:
        return p.copy(x), x.trace.const(0, "i64")
    return p.sort(x, axis=axis, descending=descending)


# ---- sorting
@op(method=True, result=return_types.sort)
def sort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool | None = None
) -> tuple[Tensor, Tensor]:
    """The elements in order along `dim`, and where they were. Equal ones keep their order, whether
    `stable` is asked for or not; NaN is greater than every number.

    >>> values, indices = gleed.sort(gleed.tensor([3, 1, 2]))
    >>> values, indices
    (tensor([1, 2, 3]), tensor([1, 2, 0]))
    """
    return _sorted("sort", input, dim, descending)


@op(method=True, reference="numpy.argsort")
def argsort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool | None = None
) -> Tensor:
    """The indices that sort along `dim`.

    >>> gleed.argsort(gleed.tensor([3, 1, 2]))
    tensor([1, 2, 0])
    """
    return _sorted("argsort", input, dim, descending)[1]


@op(method=True)
def msort(input: Tensor) -> Tensor:
    """The elements in order along the first dim.

    >>> gleed.msort(gleed.tensor([3, 1, 2]))
    tensor([1, 2, 3])
    """
    return _sorted("msort", input, 0)[0]


@msort.samples
def _(make: Any) -> Any:
    yield make.call(make.distinct((3, 4)))
    yield make.call(make.distinct(()))


@op(method=True, result=return_types.topk)
def topk(
    input: Tensor, k: Int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> tuple[Tensor, Tensor]:
    """The `k` greatest elements along `dim` (the least if not `largest`), in order, and where they
    are; among equals, those that come first.

    >>> values, indices = gleed.topk(gleed.tensor([3, 1, 2]), 2)
    >>> values, indices
    (tensor([3, 2]), tensor([0, 2]))
    """
    axis = axis_of("topk", dim, input.ndim)
    size = input.shape[axis] if input.ndim else 1
    if k < 0 or not k <= size:
        raise RangeError(
            f"topk: k must lie in 0 … {hint(size)}, the size of dim {dim}; got {hint(k)}; use a "
            "smaller k"
        )
    if input.ndim == 0:
        return p.copy(input), input.trace.const(0, "i64")
    return p.topk(input, axis=axis, k=k, largest=largest)


# ---- one element along a dim
def _at_place(input: Tensor, axis: int, where: Tensor, keepdim: bool) -> tuple[Tensor, Tensor]:
    """One element along an axis, and where it is."""
    others = tuple(a for a in range(input.ndim) if a != axis)
    value = p.gather(input, where, axes=(axis,), mapping=others)
    if keepdim:
        return value, where
    short = tuple(n for a, n in enumerate(input.shape) if a != axis)
    return p.reshape(value, shape=short), p.reshape(where, shape=short)


@op(method=True, result=return_types.kthvalue)
def kthvalue(input: Tensor, k: Int, dim: int = -1, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """The `k`-th least element along `dim`, counted from 1, and where it is.

    >>> gleed.kthvalue(gleed.tensor([30, 10, 20]), 2).values
    tensor(20)
    """
    axis = axis_of("kthvalue", dim, input.ndim)
    size = input.shape[axis] if input.ndim else 1
    if k < 1 or not k <= size:
        raise RangeError(
            f"kthvalue: k must lie in 1 … {hint(size)}, the size of dim {dim}; got {hint(k)}; "
            "k counts from 1"
        )
    if input.ndim == 0:
        return p.copy(input), input.trace.const(0, "i64")
    rank = convert(input.trace.size(k - 1), "i64")
    ranks = p.broadcast(rank, shape=units(input, (axis,)), axes=())
    return _at_place(input, axis, p.place_of_rank(input, ranks, axis=axis), keepdim)


def _numbers(x: Tensor, axis: int) -> Tensor:
    """How many elements along an axis are not NaN, with the axis kept."""
    real = p.cast(p.eq(x, x), dtype="i64")
    return p.reshape(p.reduce_sum(real, axes=(axis,)), shape=units(x, (axis,)))


def _median(name: str, x: Tensor, dim: int, keepdim: bool, skip_nan: bool) -> Any:
    """The lower median; NaN, wherever it is, comes out unless it is skipped."""
    axis = axis_of(name, dim, x.ndim)
    if x.ndim == 0:
        return p.copy(x), x.trace.const(0, "i64")
    require_elements(name, x, (axis,))
    size = x.shape[axis]
    count = _numbers(x, axis)
    if skip_nan:
        rank = (count - 1).clamp_min(0) // 2
    else:
        rank = p.where(count == size, (count - 1).clamp_min(0) // 2, count)
    return _at_place(x, axis, p.place_of_rank(x, rank, axis=axis), keepdim)


def _median_of_all(name: str, x: Tensor, skip_nan: bool) -> Tensor:
    flat = p.reshape(x, shape=(x.numel(),))
    if x.numel() == 0 and is_float(x.dtype):
        return x.trace.const(float("nan"), x.dtype)
    return _median(name, flat, 0, False, skip_nan)[0]


@op(method=True, result=return_types.median)
def median(input: Tensor, dim: int, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """The middle element in order: of all, or along `dim` with its index. Of two middle ones, the
    lower; NaN if there is one.

    >>> gleed.median(gleed.tensor([5.0, 1.0, 3.0]))
    tensor(3.)
    >>> gleed.median(gleed.tensor([[5, 1, 3], [2, 8, 4]]), 1).values
    tensor([3, 4])
    """
    return _median("median", input, dim, keepdim, skip_nan=False)


@op(name="median", method=True)
def median_all(input: Tensor) -> Tensor:
    return _median_of_all("median", input, skip_nan=False)


@op(method=True, result=return_types.nanmedian)
def nanmedian(input: Tensor, dim: int, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """The median of the elements that are not NaN.

    >>> gleed.nanmedian(gleed.tensor([5.0, float("nan"), 3.0, 4.0]))
    tensor(4.)
    """
    return _median("nanmedian", input, dim, keepdim, skip_nan=True)


@op(name="nanmedian", method=True)
def nanmedian_all(input: Tensor) -> Tensor:
    return _median_of_all("nanmedian", input, skip_nan=True)


@op(method=True, result=return_types.mode)
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """The most frequent element along `dim` (the least of several), and where it is last.

    >>> values, indices = gleed.mode(gleed.tensor([2, 1, 2, 1, 3]))
    >>> values, indices
    (tensor(1), tensor(3))
    """
    axis = axis_of("mode", dim, input.ndim)
    if input.ndim == 0:
        return p.copy(input), input.trace.const(0, "i64")
    require_elements("mode", input, (axis,))
    values, order = _sorted("mode", input, axis)
    place = input.trace.iota(input.shape, axis)
    others = tuple(a for a in range(input.ndim) if a != axis)
    before = p.gather(values, (place - 1).clamp_min(0), axes=(axis,), mapping=others)
    start = p.where(p.eq(values, before), p.fill(place, 0), place)
    length = place - p.scan_max(start, axis=axis)
    rank = p.reshape(p.reduce_argmax(length, axes=(axis,)), shape=units(input, (axis,)))
    where = p.gather(order, rank, axes=(axis,), mapping=others)
    return _at_place(input, axis, where, keepdim)


# ---- quantiles
INTERPOLATIONS = ("linear", "lower", "higher", "nearest", "midpoint")


def _quantile(
    name: str, x: Tensor, q: Operand, dim: int | None, keepdim: bool, how: str, skip_nan: bool
) -> Tensor:
    _check_quantile(name, x, how)
    (level,) = as_standins(x, q)[1:]
    if level.ndim > 1:
        raise ShapeError(
            f"{name}: q must be a number or a vector; got shape {shape_text(level.shape)}; "
            "flatten it"
        )
    level = convert(level, x.dtype)
    flat = p.reshape(x, shape=(x.numel(),)) if dim is None or x.ndim == 0 else x
    axis = 0 if dim is None else axis_of(name, dim, x.ndim)
    require_elements(name, flat, (axis,))
    last = flat.ndim - 1
    others = tuple(a for a in range(flat.ndim) if a != axis)
    values = p.sort(p.permute(flat, axes=(*others, axis)), axis=last, descending=False)[0]
    levels = p.reshape(level, shape=(1,)) if level.ndim == 0 else level
    result = _interpolated(values, levels, how, skip_nan)  # others, then levels
    result = p.permute(result, axes=(last, *range(last)))
    outer = result.shape[1:]
    if keepdim:
        outer = (1,) * x.ndim if dim is None else units(x, (axis,)) if x.ndim else ()
    return p.reshape(result, shape=outer if level.ndim == 0 else (levels.shape[0], *outer))


def _check_quantile(name: str, x: Tensor, how: str) -> None:
    if x.dtype not in ("f32", "f64"):
        raise DTypeError(
            f"{name}: a float32 or float64 tensor is needed; got {dtype_text(x.dtype)}; convert it "
            "with .float()"
        )
    if how not in INTERPOLATIONS:
        raise RangeError(
            f"{name}: interpolation must be one of {', '.join(INTERPOLATIONS)}; got {how!r}; use "
            "'linear'"
        )


def _interpolated(values: Tensor, levels: Tensor, how: str, skip_nan: bool) -> Tensor:
    """Between the elements around the fraction `levels` of the last axis, which is in order."""
    last = values.ndim - 1
    shape = (*values.shape[:-1], levels.shape[0])
    count = p.broadcast(_numbers(values, last), shape=shape, axes=tuple(range(values.ndim)))
    if not skip_nan:  # the last rank is NaN's, if there is any
        size = convert(values.trace.size(values.shape[last]), "i64")
        spread = p.broadcast(size, shape=shape, axes=())
        whole, count = p.eq(count, spread), spread
    top = p.cast(count - 1, dtype=values.dtype)
    rank = expand_to(levels, shape) * top
    rank = rank.clamp_min(0) if skip_nan else p.where(whole, rank, top)
    if how in ("lower", "higher", "nearest"):
        pick = {"lower": p.floor, "higher": p.ceil, "nearest": p.roundeven}[how]
        return _ranked(values, pick(rank))
    low = p.floor(rank)
    a, b = _ranked(values, low), _ranked(values, p.ceil(rank))
    weight = p.fill(rank, 0.5) if how == "midpoint" else rank - low
    return lerp(a, b, weight)


def _ranked(values: Tensor, rank: Tensor) -> Tensor:
    last = values.ndim - 1
    return p.gather(values, p.cast(rank, dtype="i64"), axes=(last,), mapping=tuple(range(last)))


@op(method=True, out=True)
def quantile(
    input: Tensor,
    q: Operand,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """The value below which the fraction `q` (a number or a vector, 0 … 1) of the elements lie: of
    all, or along `dim`. Several fractions make a new first dim. NaN if there is one.

    >>> gleed.quantile(gleed.tensor([0.0, 1.0, 2.0, 3.0]), 0.5)
    tensor(1.5000)
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation, skip_nan=False)


@op(method=True, out=True)
def nanquantile(
    input: Tensor,
    q: Operand,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """As `quantile`, of the elements that are not NaN.

    >>> gleed.nanquantile(gleed.tensor([0.0, float("nan"), 2.0]), 0.5)
    tensor(1.)
    """
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, skip_nan=True)


# ---- extremes of prefixes
def _running(name: str, x: Tensor, dim: int, scan: p.Primitive) -> tuple[Tensor, Tensor]:
    """The extreme so far along `dim`, and where it was seen last."""
    axis = axis_of(name, dim, x.ndim)
    if x.ndim == 0:
        return p.copy(x), x.trace.const(0, "i64")
    key = p.cast(x, dtype="u8") if x.dtype == "bool" else x
    extreme = scan(key, axis=axis)
    return p.cast(extreme, dtype=x.dtype), p.last_reached(extreme, key, axis)


@op(method=True, result=return_types.cummax)
def cummax(input: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """The greatest of the first 1, 2, … elements along `dim`, and where it was seen last.

    >>> values, indices = gleed.cummax(gleed.tensor([1, 3, 2]), 0)
    >>> values, indices
    (tensor([1, 3, 3]), tensor([0, 1, 1]))
    """
    return _running("cummax", input, dim, p.scan_max)


@op(method=True, result=return_types.cummin)
def cummin(input: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """The least of the first 1, 2, … elements along `dim`, and where it was seen last.

    >>> values, indices = gleed.cummin(gleed.tensor([2, 3, 1]), 0)
    >>> values, indices
    (tensor([2, 2, 1]), tensor([0, 0, 2]))
    """
    return _running("cummin", input, dim, p.scan_min)


@op(method=True, out=True)
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """log(exp(x0) + … + exp(xi)) for the first 1, 2, … elements along `dim`, without overflow.

    >>> gleed.logcumsumexp(gleed.tensor([1000.0, 1000.0]), 0) - 1000
    tensor([0.0000, 0.6932])
    """
    if not is_float(input.dtype):
        raise DTypeError(
            f"logcumsumexp: a floating-point tensor is needed; got {dtype_text(input.dtype)}; "
            "convert it with .float()"
        )
    axis = axis_of("logcumsumexp", dim, input.ndim)
    if input.ndim == 0:
        return p.copy(input)
    wide = "f64" if input.dtype == "f64" else "f32"
    return convert(p.logcumsumexp(convert(input, wide), axis=axis), input.dtype)


@logcumsumexp.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((5,)), 0)
    yield make.call(make.tensor((2, 3, 4)), -2)


for _record in (sort, argsort, cummax, cummin, median, nanmedian, mode, kthvalue, topk):

    @_record.samples
    def _(make: Any, name: str = _record.name) -> Any:
        rank = (2,) if name in ("kthvalue", "topk") else ()
        yield make.call(make.distinct((5,)), *rank, 0)
        yield make.call(make.distinct((3, 4)), *rank, 1)
        yield make.call(make.distinct((2, 3, 4)), *rank, -2)


for _record in (msort, median, nanmedian):

    @_record.samples
    def _(make: Any) -> Any:
        yield make.call(make.distinct((5,)))
        yield make.call(make.distinct((4, 3)))


for _record in (quantile, nanquantile):

    @_record.samples
    def _(make: Any) -> Any:
        yield make.call(make.distinct((5,)), 0.3)
        yield make.call(make.distinct((3, 4)), 0.8, 1, True)


for _record in (median, nanmedian):

    @_record.samples
    def _(make: Any) -> Any:
        yield make.call(make.distinct((3, 5)))
