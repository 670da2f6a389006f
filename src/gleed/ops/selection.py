"""Choosing elements by their values: positions, masks, distinct values. The sizes of most results
depend on data."""

from __future__ import annotations

from typing import Any

from gleed import _C
from gleed import primitives as p
from gleed.compiler.dims import maximum, minimum
from gleed.errors import DTypeError, ShapeError
from gleed.ops import logic
from gleed.ops.axes import axis_of
from gleed.ops.creation import arange_of
from gleed.ops.promotion import dtype_text, spread
from gleed.ops.record import OPS, Int, Tensor, function, op


# ---- positions
@op(method=True, out=True)
def nonzero(input: Tensor) -> Tensor:
    """The positions of the elements that are not zero, as rows in row-major order; with
    `as_tuple=True` one vector of indices per dim, as indexing takes them.

    >>> gleed.nonzero(gleed.tensor([[1, 0], [0, 2]]))
    tensor([[0, 0],
            [1, 1]])
    >>> gleed.nonzero(gleed.tensor([0, 3, 4]), as_tuple=True)
    (tensor([1, 2]),)
    """
    return p.nonzero(input, by_axis=False)


@op(name="_nonzero_by_axis", namespace="")
def nonzero_by_axis(input: Tensor) -> Tensor:
    """As `nonzero`, with one row per dim."""
    x = p.reshape(input, shape=(1,)) if input.ndim == 0 else input
    return p.nonzero(x, by_axis=True)


@nonzero.otherwise
def _(*args: Any, as_tuple: Any = None, **named: Any) -> Any:
    if not isinstance(as_tuple, bool):
        return NotImplemented
    if not as_tuple:
        return nonzero.public(*args, **named)
    return nonzero_by_axis.public(*args, **named).unbind()


@op(method=True)
def argwhere(input: Tensor) -> Tensor:
    """The positions of the elements that are not zero, as rows.

    >>> gleed.argwhere(gleed.tensor([0, 3, 4]))
    tensor([[1],
            [2]])
    """
    return nonzero(input)


@logic.where.otherwise
def _(condition: Any, *rest: Any, **named: Any) -> Any:
    """`where` with a condition only: the positions where it holds."""
    if rest or named or not isinstance(condition, _C.Tensor):
        return NotImplemented
    return nonzero_by_axis.public(condition).unbind()


for _record in (nonzero, argwhere):

    @_record.samples
    def _(make: Any) -> Any:
        for shape in ((5,), (3, 4), (2, 3, 4), (), (0, 3), (3, 0)):
            yield make.call(make.integers(shape, 0, 2))


# ---- masks
@op(name="_masked", namespace="")
def masked(input: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Both broadcast and flattened."""
    if mask.dtype != "bool":
        raise DTypeError(
            f"masked_select: mask must be a bool tensor; got {dtype_text(mask.dtype)}; compare it "
            "with something, e.g. mask != 0"
        )
    x, chosen = spread("masked_select", input, mask)
    return p.reshape(x, shape=(x.numel(),)), p.reshape(chosen, shape=(x.numel(),))


@function(method=True)
def masked_select(input: Any, mask: Any) -> Any:
    """The elements where `mask` holds, one after another; both broadcast.

    >>> import gleed
    >>> gleed.masked_select(gleed.tensor([1, 2, 3]), gleed.tensor([True, False, True]))
    tensor([1, 3])
    """
    x, chosen = masked.public(input, mask)
    return OPS["index"].public(x, (0,), [nonzero_by_axis.public(chosen)[0]])


@op(method=True, inplace=True)
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """`input` with the elements of `source`, in order, where `mask` holds; `mask` broadcasts.

    >>> x = gleed.zeros(3)
    >>> gleed.masked_scatter(x, gleed.tensor([True, False, True]), gleed.tensor([1.0, 2.0]))
    tensor([1., 0., 2.])
    """
    if mask.dtype != "bool":
        raise DTypeError(
            f"masked_scatter: mask must be a bool tensor; got {dtype_text(mask.dtype)}; compare it "
            "with something, e.g. mask != 0"
        )
    if source.dtype != input.dtype:
        raise DTypeError(
            f"masked_scatter: source must have the dtype of input; got {dtype_text(source.dtype)} "
            f"and {dtype_text(input.dtype)}; convert the source"
        )
    x, chosen = spread("masked_scatter", input, mask)
    flat = p.reshape(chosen, shape=(x.numel(),))
    number = p.scan_sum(p.cast(flat, dtype="i64"), axis=0) - 1
    number = p.where(flat, number, p.fill(number, 0))
    known = p.reshape(source, shape=(source.numel(),))
    picked = p.gather(known, number, axes=(0,), mapping=())
    return p.where(chosen, p.reshape(picked, shape=x.shape), x)


@masked_scatter.explain
def _(input: Any, mask: Any, source: Any) -> None:
    wanted = int(mask.expand(input.shape).sum()) if mask.ndim <= input.ndim else int(mask.sum())
    raise ShapeError(
        f"masked_scatter: source must have an element for every True of the mask; got "
        f"{source.numel()} for {wanted}; use a longer source"
    )


@masked_scatter.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((3, 4)), make.mask((3, 4)), make.tensor((12,)))
    yield make.call(make.tensor((3, 4)), make.mask((4,)), make.tensor((3, 5)))


# ---- distinct values
@op(name="_starts", namespace="")
def starts_of_runs(input: Tensor) -> Tensor:
    """Where a new value begins along the first dim."""
    size = input.shape[0]
    rest = {"axis": 0, "step": 1, "length": maximum(size - 1, 0)}
    later, earlier = (p.slice(input, start=s, **rest) for s in (minimum(size, 1), 0))
    fresh = p.ne(later, earlier)
    if input.ndim > 1:
        fresh = p.reduce_any(fresh, axes=tuple(range(1, input.ndim)))
    first = input.trace.full((minimum(size, 1),), True, "bool")
    return p.concat(first, fresh, axis=0)


@op(name="_numbers", namespace="")
def numbers_of_runs(fresh: Tensor, order: Tensor | None = None) -> Tensor:
    """The number of every element's run, put where `order` says that the elements come from."""
    number = p.scan_sum(p.cast(fresh, dtype="i64"), axis=0) - 1
    if order is None:
        return number
    base = fresh.trace.full(fresh.shape, 0, "i64")
    return p.scatter(base, number, order, axes=(0,), mapping=(), mode="set")


def _collected(values: Any, fresh: Any, inverse: Any, return_counts: bool) -> Any:
    """The first of every run, with what else is asked for."""
    starts = nonzero_by_axis.public(fresh)[0]
    results = [OPS["index_select"].public(values, 0, starts)]
    if inverse is not None:
        results.append(inverse)
    if return_counts:
        results.append(lengths.public(starts, values.shape[0]))
    return tuple(results) if len(results) > 1 else results[0]


@op(name="_lengths", namespace="")
def lengths(starts: Tensor, total: Int) -> Tensor:
    """How far it is from each start to the next, and from the last to `total`."""
    place = starts.trace.iota(starts.shape, 0)
    inner = place < starts.shape[0] - 1
    following = p.gather(starts, logic.where(inner, place + 1, 0), axes=(0,), mapping=())
    return logic.where(inner, following, total) - starts


@function(method=True)
def unique(
    input: Any,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The distinct elements in order, or the distinct slices along `dim`; on request with the
    number of every element's value, and how often each occurs.

    >>> import gleed
    >>> gleed.unique(gleed.tensor([3, 1, 3]), return_inverse=True, return_counts=True)
    (tensor([1, 3]), tensor([1, 0, 1]), tensor([1, 2]))
    """
    x = input.detach()
    if dim is not None:
        return _unique_along(x, dim, return_inverse, return_counts)
    values, order = OPS["sort"].public(x.reshape(-1))
    fresh = starts_of_runs.public(values)
    inverse = numbers_of_runs.public(fresh, order).reshape(x.shape) if return_inverse else None
    return _collected(values, fresh, inverse, return_counts)


def _unique_along(x: Any, dim: int, return_inverse: bool, return_counts: bool) -> Any:
    """Distinct slices, ordered by their first element, then by their second, and so on."""
    axis = axis_of("unique", dim, x.ndim)
    front = x.movedim(axis, 0) if x.ndim else x.reshape(1)
    rows = front.reshape(front.shape[0], -1)
    order = arange_of.public(0, 1, rows.shape[0], _C.int64)
    for column in reversed(range(rows.shape[1])):
        order = order[rows[order, column].argsort(stable=True)]
    fresh = starts_of_runs.public(rows[order])
    inverse = numbers_of_runs.public(fresh, order) if return_inverse else None
    found = _collected(front[order], fresh, inverse, return_counts)
    values, *rest = found if isinstance(found, tuple) else (found,)
    values = values.movedim(0, axis) if x.ndim else values
    return (values, *rest) if rest else values


@function(method=True)
def unique_consecutive(
    input: Any, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """Runs of equal elements, or of equal slices along `dim`, reduced to one; on request with the
    number of every element's run, and their lengths.

    >>> import gleed
    >>> gleed.unique_consecutive(gleed.tensor([1, 1, 2, 1]), return_counts=True)
    (tensor([1, 2, 1]), tensor([2, 1, 1]))
    """
    x = input.detach()
    if dim is None:
        flat = x.reshape(-1)
        fresh = starts_of_runs.public(flat)
        inverse = numbers_of_runs.public(fresh).reshape(x.shape) if return_inverse else None
        return _collected(flat, fresh, inverse, return_counts)
    axis = axis_of("unique_consecutive", dim, x.ndim)
    front = x.movedim(axis, 0) if x.ndim else x.reshape(1)
    fresh = starts_of_runs.public(front)
    inverse = numbers_of_runs.public(fresh) if return_inverse else None
    found = _collected(front, fresh, inverse, return_counts)
    values, *rest = found if isinstance(found, tuple) else (found,)
    values = values.movedim(0, axis) if x.ndim else values
    return (values, *rest) if rest else values
