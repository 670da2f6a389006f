"""Writing parts of a tensor: reductions at indices, slices, places of the flattened tensor."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from gleed import _C
from gleed import primitives as p
from gleed.compiler.kernel import integer_range, is_float
from gleed.errors import ArgumentError, DTypeError, RangeError, ShapeError
from gleed.ops.arithmetic import floor_divide
from gleed.ops.axes import axis_of
from gleed.ops.indexing import (
    _explain_gather,
    _explain_line,
    _index_written,
    _scattered,
    index_put_at,
    require_bounds,
)
from gleed.ops.promotion import convert, dtype_text, shape_text
from gleed.ops.record import Int, Tensor, function, op
from gleed.ops.selection import nonzero_by_axis
from gleed.ops.views import diagonal, narrow, select

# ---- reductions at indices
MODES = {"sum": "add", "mean": "add", "prod": "mul", "amax": "max", "amin": "min"}
Write = Callable[[Any, Any, str], Any]  # a tensor with values written into the places, by a mode


def _neutral(dtype: str, reduce: str) -> float | int:
    """The number that changes nothing in a reduction."""
    if reduce in ("sum", "mean", "prod"):
        return 1 if reduce == "prod" else 0
    if is_float(dtype):
        return float("-inf") if reduce == "amax" else float("inf")
    least, most = (0, 1) if dtype == "bool" else integer_range(dtype)
    return least if reduce == "amax" else most


def _reduced(
    name: str, write: Write, x: Tensor, source: Tensor, reduce: str, include_self: bool
) -> Tensor:
    """`x` reduced with the elements of `source` at the places that `write` writes."""
    if reduce not in MODES:
        raise RangeError(
            f"{name}: reduce must be one of {', '.join(MODES)}; got {reduce!r}; use 'amax', say"
        )
    if reduce == "mean" and x.dtype == "bool":
        raise DTypeError(f"{name}: a mean is of numbers; got bool; convert with .to(gleed.uint8)")
    if x.dtype in ("f16", "bf16"):
        wide = convert(x, "f32"), convert(source, "f32")
        return convert(_reduced(name, write, *wide, reduce, include_self), x.dtype)
    base, count = x, p.fill(x, 1)
    if not include_self:
        base = write(x, x.trace.const(_neutral(x.dtype, reduce), x.dtype), "set")
        count = write(count, x.trace.const(0, x.dtype), "set")
    total = write(base, source, MODES[reduce])
    if reduce != "mean":
        return total
    count = write(count, x.trace.const(1, x.dtype), "add").clamp_min(1)
    return total / count if is_float(x.dtype) else floor_divide(total, count)


@op(method=True, inplace=True)
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """`input` with src[i][j] taken into [index[i][j]][j] for dim 0, and so on, by `reduce`: "sum",
    "prod", "mean", "amax" or "amin". Without `include_self` what was there does not count.

    >>> index, values = gleed.tensor([0, 0, 1]), gleed.tensor([1.0, 5.0, 2.0])
    >>> gleed.zeros(2).scatter_reduce(0, index, values, "amax")
    tensor([5., 2.])
    """

    def write(x: Tensor, values: Any, mode: str) -> Tensor:
        return _scattered("scatter_reduce", x, dim, index, values, mode)

    return _reduced("scatter_reduce", write, input, src, reduce, include_self)


@op(method=True, inplace=True)
def index_reduce(
    input: Tensor,
    dim: int,
    index: Tensor,
    source: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
) -> Tensor:
    """`input` with the slices of `source` taken into the places `index` along `dim` by `reduce`:
    "prod", "mean", "amax" or "amin". Without `include_self` what was there does not count.

    >>> index, values = gleed.tensor([0, 0, 1]), gleed.tensor([1.0, 5.0, 2.0])
    >>> gleed.zeros(2).index_reduce(0, index, values, "mean", include_self=False)
    tensor([3., 2.])
    """

    def write(x: Tensor, values: Any, mode: str) -> Tensor:
        return _index_written("index_reduce", x, dim, index, values, mode)

    return _reduced("index_reduce", write, input, source, reduce, include_self)


scatter_reduce.explain(_explain_gather("scatter_reduce"))
index_reduce.explain(_explain_line("index_reduce"))


# ---- slices replaced
def _replaced(name: str, input: Tensor, src: Tensor, part: Tensor, movement: str) -> Tensor:
    """`input` with the region of it that is seen through the view `part` replaced."""
    fits = src.ndim == part.ndim and all(m == n for m, n in zip(src.shape, part.shape, strict=True))
    if not fits:
        raise ShapeError(
            f"{name}: src must have the shape of the part that it replaces; got "
            f"{shape_text(src.shape)} for {shape_text(part.shape)}; reshape src"
        )
    attrs = part.value.node.attrs
    return p.insert(input, convert(src, input.dtype), movement=movement, attrs=tuple(attrs.items()))


@op(method=True)
def select_scatter(input: Tensor, src: Tensor, dim: int, index: Int) -> Tensor:
    """`input` with `src` at `index` along `dim`.

    >>> gleed.zeros(2, 2).select_scatter(gleed.ones(2), 0, 1)
    tensor([[0., 0.],
            [1., 1.]])
    """
    axis = axis_of("select_scatter", dim, input.ndim)
    part = select(input, axis, index)
    if src.ndim != part.ndim:
        return _replaced("select_scatter", input, src, part, "slice")
    row = p.reshape(src, shape=(*src.shape[:axis], 1, *src.shape[axis:]))
    place = index + input.shape[axis] if index < 0 else index
    return _replaced("select_scatter", input, row, narrow(input, axis, place, 1), "slice")


@op(method=True)
def slice_scatter(
    input: Tensor,
    src: Tensor,
    dim: int = 0,
    start: Int | None = None,
    end: Int | None = None,
    step: int = 1,
) -> Tensor:
    """`input` with `src` at start, start + step, … below `end` along `dim`.

    >>> gleed.zeros(4).slice_scatter(gleed.ones(2), 0, 1, 3)
    tensor([0., 1., 1., 0.])
    """
    axis = axis_of("slice_scatter", dim, input.ndim)
    if step < 1:
        raise RangeError(f"slice_scatter: step must be positive; got {step}; use 1 or more")
    size = input.shape[axis]
    first, last = (
        _bound(0 if start is None else start, size),
        _bound(size if end is None else end, size),
    )
    length = (last - first + step - 1) // step if last > first else 0
    part = p.slice(input, axis=axis, start=first, step=step, length=length)
    return _replaced("slice_scatter", input, src, part, "slice")


def _bound(place: Any, size: Any) -> Any:
    """A bound of a slice as Python has it: negative ones from the end, all within the dim."""
    place = place + size if place < 0 else place
    return 0 if place < 0 else size if place > size else place


@op(method=True)
def diagonal_scatter(
    input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    """`input` with `src` on the diagonal of two dims.

    >>> gleed.zeros(2, 2).diagonal_scatter(gleed.ones(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    part = diagonal(input, offset, dim1, dim2)
    return _replaced("diagonal_scatter", input, src, part, "diagonal")


# ---- places of the flattened tensor
def _flat_index(name: str, index: Tensor) -> Tensor:
    if is_float(index.dtype) or index.dtype == "bool":
        raise DTypeError(
            f"{name}: the index must be an integer tensor; got {dtype_text(index.dtype)}; convert "
            "with .long()"
        )
    return convert(index, "i64")


@op(method=True, out=True)
def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements at `index` in the flattened tensor; negative indices count from the end.

    >>> gleed.take(gleed.tensor([[1, 2], [3, 4]]), gleed.tensor([0, -1]))
    tensor([1, 4])
    """
    at = _flat_index("take", index)
    flat = p.reshape(input, shape=(input.numel(),))
    return p.gather(flat, at, axes=(0,), mapping=(), wrap=True)


@op(method=True, inplace=True, namespace="")
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """`input` with `source` at `index` in the flattened tensor; added if `accumulate`.

    >>> gleed.zeros(3).put(gleed.tensor([2]), gleed.tensor([5.0]))
    tensor([0., 0., 5.])
    """
    at = _flat_index("put", index)
    if source.dtype != input.dtype or not source.numel() == index.numel():
        raise ShapeError(
            f"put: source must have the dtype of input and one element per index; got "
            f"{dtype_text(source.dtype)} {shape_text(source.shape)} for "
            f"{dtype_text(input.dtype)} and index {shape_text(index.shape)}; convert or reshape it"
        )
    flat = p.reshape(input, shape=(input.numel(),))
    update = p.reshape(source, shape=index.shape)
    mode = "add" if accumulate else "set"
    written = p.scatter(flat, update, at, axes=(0,), mapping=(), mode=mode, wrap=True)
    return p.reshape(written, shape=input.shape)


def _explain_flat(name: str, input: Any, index: Any, *rest: Any) -> None:
    require_bounds(name, index, input.numel(), 0, -input.numel())


take.explain(partial(_explain_flat, "take"))
put.explain(partial(_explain_flat, "put"))


# ---- tensors as indices, one per dim
@function(method=True, namespace="")
def index_put_(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """Write `values`, which broadcast, at the places that `input[indices]` reads; add them if
    `accumulate`. `indices` is a tuple of integer or bool tensors.

    >>> import gleed
    >>> gleed.zeros(3).index_put_((gleed.tensor([0, 2]),), gleed.tensor(5.0))
    tensor([5., 0., 5.])
    """
    places: list[Any] = []
    for index in indices:
        if not isinstance(index, _C.Tensor):
            raise ArgumentError(
                f"index_put_: indices must be a tuple of tensors; got {type(index).__name__} in "
                "it; assign to x[...] for slices and numbers"
            )
        if index.dtype is _C.bool:
            places.extend(nonzero_by_axis.public(index).unbind())
        else:
            places.append(index)
    index_put_at.public(input, tuple(range(len(places))), places, values, accumulate)
    return input


@function(method=True)
def index_put(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """`input` with `values` at the places that `input[indices]` reads, as `index_put_`.

    >>> import gleed
    >>> gleed.index_put(gleed.zeros(2), (gleed.tensor([1]),), gleed.tensor([3.0]))
    tensor([0., 3.])
    """
    return index_put_(input.clone(), indices, values, accumulate)


def _samples() -> None:
    calls: dict[Any, list[tuple[Any, ...]]] = {
        select_scatter: [((3, 4), (3,), 1, 2), ((3, 4), (4,), 0, -1)],
        slice_scatter: [((5, 3), (2, 3), 0, 1, 5, 2), ((3, 4), (3, 2), 1, -2)],
        diagonal_scatter: [((3, 4), (3,)), ((3, 4), (2,), -1)],
    }
    for record, made in calls.items():

        @record.samples
        def _(make: Any, made: Any = made) -> Any:
            for shape, part, *rest in made:
                yield make.call(make.tensor(shape), make.tensor(part), *rest)

    @scatter_reduce.samples
    def _(make: Any) -> Any:
        for reduce in MODES:
            for include_self in (True, False):
                yield make.call(
                    make.tensor((3, 4)),
                    1,
                    make.integers((3, 6), 0, 4),
                    make.tensor((3, 6)),
                    reduce,
                    include_self=include_self,
                )

    @index_reduce.samples
    def _(make: Any) -> Any:
        for reduce in ("prod", "mean", "amax", "amin"):
            yield make.call(
                make.tensor((3, 4)), 1, make.integers((5,), 0, 4), make.tensor((3, 5)), reduce
            )
            one = make.integers((1,), 0, 1)
            yield make.call(make.tensor((1,)), 0, one, make.tensor((1,)), reduce)

    @take.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((3, 4)), make.integers((2, 5), -12, 12))

    @put.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((3, 4)), make.permutation(12), make.tensor((12,)))
        yield make.call(make.tensor((3, 4)), make.integers((5,), -12, 12), make.tensor((5,)), True)


_samples()
