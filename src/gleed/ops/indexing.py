"""Reading and writing at indices: `x[...]`, gather and scatter, embedding, one_hot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gleed import primitives as p
from gleed.compiler.kernel import is_float
from gleed.errors import BoundsError, DTypeError, RangeError, ShapeError
from gleed.ops.axes import axis_of
from gleed.ops.promotion import (
    as_standins,
    broadcast_shapes,
    convert,
    dtype_text,
    expand_to,
    shape_text,
)
from gleed.ops.record import OPS, Int, Ints, Operand, Tensor, Tensors, op


# ---- x[ints, slices, None, ...]
def _last_step(input: Tensor, code: Sequence[int], ints: Any) -> str:
    """The view that a basic index ends with."""
    parts, name = iter(code), "alias"
    for kind in parts:
        name = {0: "select", 1: "slice", 2: "unsqueeze"}.get(kind, name)
        if kind in (1, 3):
            next(parts)
    return name


@op(name="basic_index", namespace="", grad_name=_last_step)
def basic_index(input: Tensor, code: Any, ints: Ints) -> Tensor:
    """A basic index in the core's normal form (see native/indexing.cpp)."""
    return _basic(input, code, ints)


def _basic(x: Tensor, code: Sequence[int], ints: Sequence[Any]) -> Tensor:
    numbers = iter(ints)
    parts = iter(code)
    shape: list[Any] = []
    axis, sliced, reshaped = 0, False, False
    for kind in parts:
        sliced, reshaped = sliced or kind == 1, reshaped or kind in (0, 2)
        if kind == 0:
            x = p.slice(x, axis=axis, start=next(numbers), step=1, length=1)
            axis += 1
        elif kind == 1:
            step, start, length = next(parts), next(numbers), next(numbers)
            x = p.slice(x, axis=axis, start=start, step=step, length=length)
            shape.append(length)
            axis += 1
        elif kind == 2:
            shape.append(1)
        else:
            count = next(parts)
            shape.extend(x.shape[axis : axis + count])
            axis += count
    if sliced and not reshaped:
        return x  # as it is: a view has other strides where an axis has one element
    return p.view(x, shape=(*shape, *x.shape[axis:]))


# ---- x[index tensors]
@op(name="index", method=False, namespace="", grad_name="index")
def index(input: Tensor, axes: Any, indices: Tensors) -> Tensor:
    """The elements of `input` at integer tensors that broadcast, along `axes`. As in NumPy, the
    dims of the indices take the place of `axes` if these are neighbours, else come first."""
    shape = broadcast_shapes("index", *(i.shape for i in indices))
    order, mapping, full = _placed(input, axes, shape)
    spread = [_laid(i, shape, order, full) for i in indices]
    return p.gather(input, *spread, axes=tuple(axes), mapping=mapping, wrap=True)


def _placed(x: Tensor, axes: Sequence[int], shape: Any) -> tuple[int, tuple[int, ...], Any]:
    """Where the index dims start in the result; where every other axis lies; the result's shape."""
    rest = [a for a in range(x.ndim) if a not in axes]
    neighbours = list(axes) == list(range(axes[0], axes[0] + len(axes)))
    start = axes[0] if neighbours else 0
    before = [a for a in rest if a < start]
    after = [a for a in rest if a >= start]
    full = (*(x.shape[a] for a in before), *shape, *(x.shape[a] for a in after))
    place = {a: i for i, a in enumerate(before)}
    place |= {a: len(before) + len(shape) + i for i, a in enumerate(after)}
    return start, tuple(place[a] for a in rest), full


def _laid(index: Tensor, shape: Any, start: int, full: Any) -> Tensor:
    """An index tensor repeated over the whole result."""
    spread = expand_to(convert(index, "i64"), shape)
    axes = tuple(range(start, start + len(shape)))
    return p.broadcast(spread, shape=full, axes=axes)


@op(name="_index_put_", namespace="", writes=("input",), grad_name="index_put_")
def index_put_at(
    input: Tensor, axes: Any, indices: Tensors, values: Tensor, accumulate: bool = False
) -> Tensor:
    """Write `values`, which broadcast, where `index` would read; add them if `accumulate`."""
    shape = broadcast_shapes("index_put_", *(i.shape for i in indices))
    order, mapping, full = _placed(input, axes, shape)
    spread = [_laid(i, shape, order, full) for i in indices]
    update = convert(values, input.dtype)
    lead = update.ndim - len(full)
    if lead > 0 and all(n == 1 for n in update.shape[:lead]):
        update = p.reshape(update, shape=update.shape[lead:])
    fits = update.ndim <= len(full) and all(
        m == n or m == 1 for m, n in zip(update.shape[::-1], full[::-1], strict=False)
    )
    if not fits:
        raise ShapeError(
            f"index_put_: the values must broadcast to the places written; got "
            f"{shape_text(values.shape)} for {shape_text(full)}; reshape the values"
        )
    update = expand_to(update, full)
    mode = "add" if accumulate else "set"
    places: dict[str, Any] = {"axes": tuple(axes), "mapping": mapping, "wrap": True}
    return p.scatter(input, update, *spread, mode=mode, **places)


def _explain_index(name: str, input: Any, axes: Any, indices: Any) -> None:
    for axis, positions in zip(axes, indices, strict=True):
        require_bounds(name, positions, input.shape[axis], axis, -input.shape[axis])


def require_bounds(name: str, index: Any, size: int, axis: int, low: int = 0) -> None:
    """Raise the error that names the first index outside low … size - 1."""
    for value in index.reshape(-1).tolist():
        if not low <= value < size:
            raise BoundsError(
                f"{name}: index is out of range; got index {value} for dim {axis} of size {size}; "
                f"use {low} … {size - 1}"
            )


index.explain(lambda input, axes, indices: _explain_index("index", input, axes, indices))
index_put_at.explain(
    lambda input, axes, indices, *rest: _explain_index("index_put_", input, axes, indices)
)


# ---- gather and scatter along one axis
def _check_gather(name: str, x: Tensor, dim: int, index: Tensor) -> int:
    axis = axis_of(name, dim, x.ndim)
    if is_float(index.dtype) or index.dtype == "bool":
        raise DTypeError(
            f"{name}: the index must be an integer tensor; got {dtype_text(index.dtype)}; convert "
            "with .long()"
        )
    if index.ndim and any(n == 0 for n in index.shape):
        return axis
    if max(index.ndim, 1) != max(x.ndim, 1):
        raise ShapeError(
            f"{name}: index and input must have as many dims; got {shape_text(index.shape)} and "
            f"{shape_text(x.shape)}; unsqueeze the index"
        )
    for a in range(x.ndim if index.ndim else 0):
        if a != axis and not index.shape[a] <= x.shape[a]:
            raise ShapeError(
                f"{name}: the index must not be larger than the input but along dim {axis}; got "
                f"{shape_text(index.shape)} and {shape_text(x.shape)}; narrow the index"
            )
    return axis


def _ranked(x: Tensor, ndim: int) -> Tensor:
    return p.reshape(x, shape=(1,) * ndim) if x.ndim == 0 and ndim else x


@op(method=True, out=True)
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """result[i][j] = input[index[i][j]][j] for dim 0, and so on for other dims.

    >>> gleed.gather(gleed.tensor([[1, 2], [3, 4]]), 1, gleed.tensor([[0, 0], [1, 0]]))
    tensor([[1, 1],
            [4, 3]])
    """
    axis = _check_gather("gather", input, dim, index)
    return _gathered(input, axis, index, wrap=False)


def _gathered(x: Tensor, axis: int, index: Tensor, wrap: bool) -> Tensor:
    if index.ndim and any(n == 0 for n in index.shape):
        nothing = p.reduce_sum(p.fill(x, 0) * x, axes=tuple(range(x.ndim)))
        return expand_to(nothing, index.shape)
    if x.ndim == 0:
        return expand_to(x, index.shape)
    at = convert(_ranked(index, x.ndim), "i64")
    rest = tuple(a for a in range(x.ndim) if a != axis)
    found = p.gather(x, at, axes=(axis,), mapping=rest, wrap=wrap)
    return p.reshape(found, shape=index.shape) if index.ndim == 0 else found


@op(method=True)
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """`gather` with the other dims broadcast; of the flattened tensor if `dim` is None.

    >>> gleed.take_along_dim(gleed.tensor([[10, 20]]), gleed.tensor([[1]]), 1)
    tensor([[20]])
    """
    if dim is None:
        flat = p.reshape(input, shape=(input.numel(),))
        return _gathered(flat, 0, p.reshape(indices, shape=(indices.numel(),)), wrap=True)
    axis = axis_of("take_along_dim", dim, input.ndim)
    shape = broadcast_shapes(
        "take_along_dim",
        (*input.shape[:axis], 1, *input.shape[axis + 1 :]),
        (*indices.shape[:axis], 1, *indices.shape[axis + 1 :]),
    )
    wide = (*shape[:axis], input.shape[axis], *shape[axis + 1 :])
    at = (*shape[:axis], indices.shape[axis], *shape[axis + 1 :])
    return _gathered(expand_to(input, wide), axis, expand_to(indices, at), wrap=True)


def _scattered(name: str, x: Tensor, dim: int, index: Tensor, source: Operand, mode: str) -> Tensor:
    axis = _check_gather(name, x, dim, index)
    if index.ndim and any(n == 0 for n in index.shape):
        return p.copy(x)
    at = convert(_ranked(index, x.ndim), "i64")
    (source,) = as_standins(x, source)[1:]
    if source.weak or (source.ndim == 0 and x.ndim):
        update = expand_to(convert(source, x.dtype), at.shape)
    else:
        if source.dtype != x.dtype:
            raise DTypeError(
                f"{name}: source and input must have one dtype; got {dtype_text(source.dtype)} and "
                f"{dtype_text(x.dtype)}; convert the source"
            )
        update = source
        for a, n in enumerate(at.shape):
            if not n <= update.shape[a]:
                raise ShapeError(
                    f"{name}: the index must not be larger than the source; got "
                    f"{shape_text(at.shape)} and {shape_text(source.shape)}; narrow the index"
                )
            if update.shape[a] != n:
                update = p.slice(update, axis=a, start=0, step=1, length=n)
    if x.ndim == 0:
        base, at, update = (p.reshape(t, shape=(1,)) for t in (x, at, update))
        return p.reshape(p.scatter(base, update, at, axes=(0,), mapping=(), mode=mode), shape=())
    rest = tuple(a for a in range(x.ndim) if a != axis)
    return p.scatter(x, update, at, axes=(axis,), mapping=rest, mode=mode)


@op(method=True, inplace=True)
def scatter(input: Tensor, dim: int, index: Tensor, src: Operand) -> Tensor:
    """`input` with result[index[i][j]][j] = src[i][j] for dim 0, and so on; `src` may be a number.

    >>> gleed.zeros(3).scatter(0, gleed.tensor([2]), 5.0)
    tensor([0., 0., 5.])
    """
    return _scattered("scatter", input, dim, index, src, "set")


@op(name="scatter", method=True, inplace=True)
def scatter_value(input: Tensor, dim: int, index: Tensor, *, value: Operand) -> Tensor:
    return _scattered("scatter", input, dim, index, value, "set")


@op(name="scatter", method=True, inplace=True)
def scatter_combined(
    input: Tensor, dim: int, index: Tensor, src: Operand, *, reduce: str
) -> Tensor:
    if reduce == "add":
        return _scattered("scatter", input, dim, index, src, "add")
    if reduce != "multiply":
        raise RangeError(
            f'scatter: reduce must be "add" or "multiply"; got {reduce!r}; use scatter_reduce for '
            "more"
        )
    return _scattered("scatter", input, dim, index, src, "mul")


@op(method=True, inplace=True)
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """`input` with src[i][j] added at [index[i][j]][j] for dim 0, and so on, in order.

    >>> gleed.zeros(2).scatter_add(0, gleed.tensor([1, 1]), gleed.tensor([2.0, 3.0]))
    tensor([0., 5.])
    """
    return _scattered("scatter_add", input, dim, index, src, "add")


def _explain_gather(name: str) -> Any:
    def explain(input: Any, dim: int, index: Any, *rest: Any) -> None:
        require_bounds(name, index, input.shape[dim], dim % max(input.ndim, 1))

    return explain


gather.explain(_explain_gather("gather"))
scatter.explain(_explain_gather("scatter"))
scatter_add.explain(_explain_gather("scatter_add"))


# ---- whole slices along one axis
def _line(name: str, index: Tensor) -> Tensor:
    if index.ndim > 1 or is_float(index.dtype) or index.dtype == "bool":
        raise ShapeError(
            f"{name}: the index must be a vector of integers; got {dtype_text(index.dtype)} of "
            f"shape {shape_text(index.shape)}; flatten it, or convert with .long()"
        )
    return convert(_ranked(index, 1), "i64")


@op(method=True, out=True)
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The places `index` along `dim`.

    >>> gleed.index_select(gleed.tensor([[1, 2], [3, 4]]), 0, gleed.tensor([1]))
    tensor([[3, 4]])
    """
    axis = axis_of("index_select", dim, input.ndim)
    at = _line("index_select", index)
    if input.ndim == 0:
        return p.alias(input)
    shape = (*input.shape[:axis], at.shape[0], *input.shape[axis + 1 :])
    spread = p.broadcast(at, shape=shape, axes=(axis,))
    rest = tuple(a for a in range(input.ndim) if a != axis)
    return p.gather(input, spread, axes=(axis,), mapping=rest)


def _index_written(
    name: str, input: Tensor, dim: int, index: Tensor, source: Tensor, mode: str
) -> Tensor:
    axis = axis_of(name, dim, input.ndim)
    at = _line(name, index)
    if input.ndim == 0:
        single = p.reshape(input, shape=(1,))
        flat = p.reshape(source, shape=(source.numel(),))
        return p.reshape(_index_written(name, single, 0, index, flat, mode), shape=())
    shape = (*input.shape[:axis], at.shape[0], *input.shape[axis + 1 :])
    fits = source.ndim in (0, len(shape)) and all(
        m == n for m, n in zip(source.shape, shape, strict=False)
    )
    if not fits:
        raise ShapeError(
            f"{name}: the source must have the shape of the places written; got "
            f"{shape_text(source.shape)} for {shape_text(shape)}; reshape the source"
        )
    update = expand_to(convert(source, input.dtype), shape)
    spread = p.broadcast(at, shape=shape, axes=(axis,))
    rest = tuple(a for a in range(input.ndim) if a != axis)
    return p.scatter(input, update, spread, axes=(axis,), mapping=rest, mode=mode)


@op(method=True, inplace=True)
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1) -> Tensor:
    """`input` with alpha * source added at the places `index` along `dim`, in order.

    >>> gleed.zeros(2).index_add(0, gleed.tensor([1, 1]), gleed.tensor([2.0, 3.0]))
    tensor([0., 5.])
    """
    scaled = source if alpha == 1 else source * alpha
    return _index_written("index_add", input, dim, index, scaled, "add")


@op(method=True, inplace=True)
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """`input` with the places `index` along `dim` replaced by `source`.

    >>> gleed.zeros(2).index_copy(0, gleed.tensor([1]), gleed.tensor([2.0]))
    tensor([0., 2.])
    """
    return _index_written("index_copy", input, dim, index, source, "set")


@op(method=True, inplace=True)
def index_fill(input: Tensor, dim: int, index: Tensor, value: Operand) -> Tensor:
    """`input` with the places `index` along `dim` set to `value`.

    >>> gleed.zeros(2).index_fill(0, gleed.tensor([1]), 5)
    tensor([0., 5.])
    """
    axis = axis_of("index_fill", dim, input.ndim)
    at = _line("index_fill", index)
    (filling,) = as_standins(input, value)[1:]
    size = input.shape[axis] if input.ndim else 1
    nowhere, everywhere = (
        input.trace.full((n,), v, "bool") for n, v in ((size, 0), (at.shape[0], 1))
    )
    chosen = p.scatter(nowhere, everywhere, at, axes=(0,), mapping=(), mode="set", wrap=True)
    if input.ndim == 0:
        chosen = p.reshape(chosen, shape=())
    else:
        chosen = p.broadcast(chosen, shape=input.shape, axes=(axis,))
    return p.where(chosen, expand_to(convert(filling, input.dtype), input.shape), input)


def _explain_line(name: str) -> Any:
    def explain(input: Any, dim: int, index: Any, *rest: Any) -> None:
        require_bounds(name, index, input.shape[dim], dim % input.ndim)

    return explain


for _record in (index_select, index_add, index_copy, index_fill):
    _record.explain(_explain_line(_record.name))


# ---- tables and classes
@op(namespace=("nn.functional",))
def embedding(input: Tensor, weight: Tensor, padding_idx: Int | None = None) -> Tensor:
    """The rows of `weight` at the integers `input`. The row `padding_idx` gets no gradient. With
    `max_norm`, rows that are longer are first shortened in place (by the norm `norm_type`). With
    `scale_grad_by_freq`, the gradient of a row is divided by how often it occurs. Gradients are
    dense tensors also where `sparse` asks for others.

    >>> table = gleed.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> gleed.nn.functional.embedding(gleed.tensor([1, 0]), table)
    tensor([[3., 4.],
            [1., 2.]])
    """
    if weight.ndim != 2 or is_float(input.dtype) or input.dtype == "bool":
        raise ShapeError(
            f"embedding: integers and a matrix of rows are needed; got {dtype_text(input.dtype)} "
            f"and weight {shape_text(weight.shape)}; convert the input with .long()"
        )
    at = convert(input, "i64")
    if padding_idx is not None:
        row = padding_idx + weight.shape[0] if padding_idx < 0 else padding_idx
        weight = _without_gradient_at(weight, row)
    shape = (*input.shape, weight.shape[1])
    spread = p.broadcast(at, shape=shape, axes=tuple(range(input.ndim)))
    return p.gather(weight, spread, axes=(0,), mapping=(input.ndim,))


def _without_gradient_at(weight: Tensor, row: Any) -> Tensor:
    """`weight` itself, whose gradient is zero in one row."""

    def rule(g: Any, y: Any, weight: Tensor) -> Tensor:
        here = g.trace.iota(g.shape, 0) == row
        return p.where(here, p.fill(g, 0), g)

    return weight.trace.with_rule("embedding", rule, lambda w: w, [weight])


embedding.explain(
    lambda input, weight, *rest: require_bounds("embedding", input, weight.shape[0], 0)
)


@embedding.otherwise
def _(
    input: Any,
    weight: Any,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    if max_norm is not None:
        renormalize(input, weight, max_norm, norm_type)
    if scale_grad_by_freq:
        return scaled_embedding.public(input, weight, padding_idx)
    return embedding.public(input, weight, padding_idx)


def renormalize(input: Any, weight: Any, max_norm: float, norm_type: float) -> None:
    """Scale the rows of `weight` at `input` in place to at most `max_norm`."""
    rows = input.reshape(-1)
    table = weight.detach()
    norms = table.norm(norm_type, 1, True)
    short = table * (max_norm / (norms + 1e-7))
    used = norms.new_zeros(norms.shape[0]).index_fill(0, rows, 1).view(-1, 1) > 0
    table.copy_(OPS["where"].public(used.logical_and(norms > max_norm), short, table))


def by_frequency(index: Tensor, weight: Tensor) -> Tensor:
    """`weight` itself; the gradient of every row is divided by how often `index` has it."""
    at = p.reshape(index, shape=(index.numel(),))
    ones = weight.trace.full(at.shape, 1, weight.dtype)
    counts = weight.trace.full(weight.shape[:1], 0, weight.dtype)
    counts = p.scatter(counts, ones, at, axes=(0,), mapping=(), mode="add", wrap=False)

    def rule(g: Any, y: Any, weight: Tensor) -> Tensor:
        rows = p.reshape(counts.clamp_min(1), shape=(g.shape[0], 1))
        return g / rows

    return weight.trace.with_rule("embedding", rule, lambda w: w, [weight])


@op(name="_scaled_embedding", namespace="", grad_name="embedding")
def scaled_embedding(input: Tensor, weight: Tensor, padding_idx: Int | None = None) -> Tensor:
    """`embedding` with the gradient of every row divided by how often it occurs."""
    return embedding(input, by_frequency(convert(input, "i64"), weight), padding_idx)


scaled_embedding.explain(
    lambda input, weight, *rest: require_bounds("embedding", input, weight.shape[0], 0)
)


@op(name="_one_hot", namespace="")
def one_hot_of(tensor: Tensor, num_classes: Int) -> Tensor:
    """1 at the class of every element along a new last dim of `num_classes`, 0 elsewhere."""
    zeros = tensor.trace.full((*tensor.shape, num_classes), 0, "i64")
    ones = tensor.trace.full(tensor.shape, 1, "i64")
    places = tuple(range(tensor.ndim))
    at = convert(tensor, "i64")
    return p.scatter(zeros, ones, at, axes=(tensor.ndim,), mapping=places, mode="set", wrap=False)


@one_hot_of.explain
def _(tensor: Any, num_classes: int) -> None:
    least, most = tensor.min().item(), tensor.max().item()
    raise BoundsError(
        "one_hot: classes must lie in 0 … num_classes - 1; got class "
        f"{least if least < 0 else most} with num_classes={num_classes}; raise num_classes"
    )


@gather.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((3, 4)), 1, make.integers((3, 2), 0, 4))
    yield make.call(make.tensor((3, 4)), 0, make.integers((5, 4), 0, 3))


@take_along_dim.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((3, 4)), make.integers((3, 2), 0, 4), 1)


@scatter_add.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((3, 4)), 1, make.integers((3, 5), 0, 4), make.tensor((3, 5)))


@scatter.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((4,)), 0, make.permutation(4), make.tensor((4,)))


@index_select.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((3, 4)), 1, make.integers((5,), 0, 4))
    yield make.call(make.tensor((3, 4, 2)), 0, make.integers((2,), 0, 3))


@index_add.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((3, 4)), 1, make.integers((5,), 0, 4), make.tensor((3, 5)))


@embedding.samples
def _(make: Any) -> Any:
    yield make.call(make.integers((2, 3), 0, 5), make.tensor((5, 4)))
    yield make.call(make.integers((3,), 0, 5), make.tensor((5, 4)), 2)


def _samples() -> None:
    @scatter.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((3, 4)), 0, make.integers((1, 4), 0, 3), make.number())
        yield make.call(make.tensor((4,)), 0, make.permutation(4), value=2)
        index, source = make.integers((3, 5), 0, 4), make.tensor((3, 5))
        yield make.call(make.tensor((3, 4)), 1, index, source, reduce="add")

    @index_copy.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((3, 4)), 1, make.permutation(4), make.tensor((3, 4)))
        yield make.call(make.tensor((3, 2)), 0, make.integers((1,), 0, 3), make.tensor((1, 2)))

    @index_fill.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((3, 4)), 1, make.integers((2,), 0, 4), 2)
        yield make.call(make.tensor((3,)), 0, make.integers((1,), 0, 3), make.tensor(()))

    @take_along_dim.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((3, 4)), make.integers((5,), 0, 12))

    @embedding.samples
    def _(make: Any) -> Any:
        yield make.call(make.integers((4,), 0, 3), make.tensor((3, 2)), -1)


_samples()
