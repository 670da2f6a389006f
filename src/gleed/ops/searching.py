"""Looking up values: in sorted rows, in sets, in bins."""

from __future__ import annotations

from typing import Any

from gleed import _C
from gleed import primitives as p
from gleed.compiler.dims import Size, product
from gleed.compiler.kernel import is_float
from gleed.errors import DTypeError, RangeError, ShapeError
from gleed.ops.logic import where
from gleed.ops.promotion import as_standins, convert, dtype_text, result_type, shape_text
from gleed.ops.record import Int, Number, Operand, Tensor, function, op


# ---- sorted rows
def _places(name: str, rows: Tensor, values: Tensor, right: bool) -> Tensor:
    """Where `values` belong in the one row, or each in the row of its leading dims."""
    if rows.ndim == 0:
        raise ShapeError(
            f"{name}: the sorted tensor needs at least 1 dim; got 0 dims; unsqueeze it"
        )
    dtype = result_type(rows, values)
    rows, values = convert(rows, dtype), convert(values, dtype)
    lead, batch = rows.shape[:-1], product(rows.shape[:-1])
    if rows.ndim == 1:
        flat: tuple[Size, Size] = (1, values.numel())
    elif values.ndim == rows.ndim and all(
        m == n for m, n in zip(lead, values.shape[:-1], strict=True)
    ):
        flat = (batch, values.shape[-1])
    else:
        raise ShapeError(
            f"{name}: the sorted tensor must be a vector, or have the leading dims of the values; "
            f"got {shape_text(rows.shape)} and {shape_text(values.shape)}; reshape one of them"
        )
    found = p.searchsorted(
        p.reshape(rows, shape=(batch, rows.shape[-1])), p.reshape(values, shape=flat), right=right
    )
    return p.reshape(found, shape=values.shape)


@op()
def searchsorted(
    sorted_sequence: Tensor,
    input: Operand,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Where to insert values so that the last dim stays sorted: before equal elements, after them
    if `right` (or side="right"). `sorter` holds the indices that sort, if the tensor is not sorted.

    >>> gleed.searchsorted(gleed.tensor([1, 3, 5]), gleed.tensor([3, 4]))
    tensor([1, 2])
    """
    if side not in (None, "left", "right") or (side == "left" and right):
        raise RangeError(
            f"searchsorted: side must be 'left' or 'right', and agree with right; got {side!r} and "
            f"right={right}; give one of them"
        )
    rows = sorted_sequence
    if sorter is not None:
        if len(sorter.shape) != rows.ndim or sorter.dtype != "i64":
            raise ShapeError(
                f"searchsorted: sorter must hold int64 indices in the shape of the sequence; got "
                f"{dtype_text(sorter.dtype)} {shape_text(sorter.shape)} for "
                f"{shape_text(rows.shape)}; use argsort"
            )
        last = rows.ndim - 1
        rows = p.gather(rows, sorter, axes=(last,), mapping=tuple(range(last)))
    values = as_standins(rows, input)[1]
    found = _places("searchsorted", rows, values, right or side == "right")
    return convert(found, "i32") if out_int32 else found


@op()
def bucketize(
    input: Operand, boundaries: Tensor, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    """The number of the bucket between sorted `boundaries` that every element falls into; an
    element equal to a boundary into the bucket below it, above it if `right`.

    >>> gleed.bucketize(gleed.tensor([0, 3, 9]), gleed.tensor([1, 3, 5]))
    tensor([0, 1, 3])
    """
    if boundaries.ndim != 1:
        raise ShapeError(
            f"bucketize: boundaries must be a vector; got shape {shape_text(boundaries.shape)}; "
            "use searchsorted for several rows"
        )
    found = _places("bucketize", boundaries, as_standins(boundaries, input)[1], right)
    return convert(found, "i32") if out_int32 else found


# ---- sets
@op()
def isin(
    elements: Operand,
    test_elements: Operand,
    *,
    assume_unique: bool = False,
    invert: bool = False,
) -> Tensor:
    """Whether every element is among `test_elements` (is not, if `invert`).

    >>> gleed.isin(gleed.tensor([1, 2, 3]), gleed.tensor([2, 5]))
    tensor([False,  True, False])
    """
    x, tests = as_standins(elements, test_elements)
    dtype = result_type(x, tests)
    x, tests = convert(x, dtype), convert(tests, dtype)
    count = tests.numel()
    if count == 0:
        return p.fill(p.eq(x, x), invert)
    ordered = p.sort(p.reshape(tests, shape=(count,)), axis=0, descending=False)[0]
    place = _places("isin", ordered, x, right=False)
    inside = place < count
    there = p.gather(ordered, where(inside, place, 0), axes=(0,), mapping=())
    found = p.bitwise_and(inside, p.eq(there, x))
    return p.bitwise_not(found) if invert else found


# ---- bins
@op(name="_bincount", namespace="")
def counts(input: Tensor, weights: Tensor | None, bins: Int) -> Tensor:
    """How often each of 0 … bins - 1 occurs, or the sum of its weights."""
    at = convert(input, "i64")
    if weights is None:
        return _added(input.trace.full(input.shape, 1, "i64"), at, bins)
    return _added(weights if is_float(weights.dtype) else convert(weights, "f64"), at, bins)


def _added(x: Tensor, at: Tensor, bins: Any) -> Tensor:
    base = x.trace.full((bins,), 0, x.dtype)
    return p.scatter(base, x, at, axes=(0,), mapping=(), mode="add")


@function(method=True)
def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Any:
    """How often each of 0, 1, … occurs in a vector, or the sum of its weights; at least `minlength`
    numbers.

    >>> import gleed
    >>> gleed.bincount(gleed.tensor([0, 2, 2]))
    tensor([1, 0, 2])
    """
    if input.ndim != 1 or input.dtype.is_floating_point or input.dtype is _C.bool:
        raise DTypeError(
            f"bincount: a vector of integers is needed; got {input.dtype} of shape "
            f"{list(input.shape)}; flatten it, or convert with .long()"
        )
    if weights is not None and weights.shape != input.shape:
        raise ShapeError(
            f"bincount: weights must have the shape of input; got {list(weights.shape)} for "
            f"{list(input.shape)}; give one weight per element"
        )
    if minlength < 0:
        raise RangeError(f"bincount: minlength must be 0 or more; got {minlength}; use 0")
    low, high = (input.min().item(), input.max().item()) if input.numel() else (0, -1)
    if low < 0:
        raise RangeError(
            f"bincount: elements must be 0 or more; got {low}; subtract the least element first"
        )
    return counts.public(input, weights, max(high + 1, minlength))


@op(method=True, out=True)
def histc(input: Tensor, bins: Int = 100, min: Number = 0, max: Number = 0) -> Tensor:
    """How many elements fall into each of `bins` equal parts of [min, max]; of the range of the
    data if both are 0. Elements outside are not counted.

    >>> gleed.histc(gleed.tensor([1.0, 2.0, 1.0]), bins=4, min=0, max=3)
    tensor([0., 2., 1., 0.])
    """
    if not is_float(input.dtype):
        raise DTypeError(
            f"histc: a floating-point tensor is needed; got {dtype_text(input.dtype)}; convert it "
            "with .float()"
        )
    if bins < 1:
        raise RangeError(f"histc: bins must be 1 or more; got {int(bins)}; use 100, say")
    x = p.reshape(input, shape=(input.numel(),))
    low, high = (convert(n, x.dtype) for n in as_standins(x, min, max)[1:])
    if input.numel() != 0:
        same = p.eq(low, high)
        least, most = p.reduce_min(x, axes=(0,)), p.reduce_max(x, axes=(0,))
        low, high = p.where(same, least, low), p.where(same, most, high)
    flat = p.eq(low, high)
    low, high = where(flat, low - 1, low), where(flat, high + 1, high)
    bin_ = p.floor((x - low) * bins / (high - low))
    inside = (x >= low) & (x <= high)
    at = p.cast(where(inside, bin_, 0), dtype="i64").clamp_max(bins - 1)
    return _added(p.cast(inside, dtype=x.dtype), at, bins)


@searchsorted.samples
def _(make: Any) -> Any:
    yield make.call(make.ascending((7,)), make.tensor((3, 2)))
    yield make.call(make.ascending((2, 7)), make.tensor((2, 3)), right=True)


@bucketize.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((3, 4)), make.ascending((5,)))


@isin.samples
def _(make: Any) -> Any:
    yield make.call(make.integers((3, 4), 0, 9), make.integers((4,), 0, 9))
    yield make.call(make.integers((3, 4), 0, 9), make.integers((2, 2), 0, 9), invert=True)


@histc.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((20,)), 5)
    yield make.call(make.tensor((4, 5)), 7, -1, 1)
