"""Ops that join, repeat and rearrange into fresh memory; conversions and copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gleed import primitives as p
from gleed.errors import RangeError, ShapeError
from gleed.memory_formats import (
    check_format,
    contiguous_format,
    inner_axes,
    lies_in,
    preserve_format,
    suggested_format,
)
from gleed.ops.axes import axes_of, axis_of
from gleed.ops.memory_formats import copied, from_last
from gleed.ops.promotion import convert, expand_to, result_type, shape_text
from gleed.ops.record import Operand, Tensor, Tensors, op


# ---- joining
@op(out=True, reference="numpy.concatenate")
def cat(tensors: Tensors, dim: int = 0) -> Tensor:
    """Tensors one after another along `dim`; sizes agree in all other dims. Empty 1-d tensors are
    passed over.

    >>> gleed.cat([gleed.tensor([1, 2]), gleed.tensor([3])])
    tensor([1, 2, 3])
    """
    if len(tensors) == 0:
        raise RangeError("cat: at least one tensor is needed; got an empty list; check the list")
    if any(x.ndim == 0 for x in tensors):
        raise ShapeError("cat: 0-d tensors have no dim to join along; got a 0-d tensor; use stack")
    dtype = result_type(*tensors)
    parts = [x for x in tensors if not (x.ndim == 1 and x.shape[0] == 0)] or [tensors[0]]
    axis = axis_of("cat", dim, parts[0].ndim)
    for x in parts:
        agree = x.ndim == parts[0].ndim and all(
            a == axis or m == n
            for a, (m, n) in enumerate(zip(x.shape, parts[0].shape, strict=True))
        )
        if not agree:
            raise ShapeError(
                f"cat: sizes must agree in every dim but dim {axis}; got {shape_text(x.shape)} "
                f"beside {shape_text(parts[0].shape)}; reshape or pad first"
            )
    formats = [suggested_format(x.shape, x.stride()) for x in parts]
    parts = [convert(x, dtype) for x in parts]
    if contiguous_format in formats:
        return p.concat(*parts, axis=axis)
    axes = inner_axes(parts[0].ndim)
    return from_last(p.concat(*(p.permute(x, axes=axes) for x in parts), axis=axes.index(axis)))


@op(out=True)
def concat(tensors: Tensors, dim: int = 0) -> Tensor:
    """Another name of `cat`.

    >>> gleed.concat([gleed.tensor([1]), gleed.tensor([2])])
    tensor([1, 2])
    """
    return cat(tensors, dim)


@op(out=True, reference="numpy.stack")
def stack(tensors: Tensors, dim: int = 0) -> Tensor:
    """Tensors of one shape along a new dim.

    >>> gleed.stack([gleed.tensor([1, 2]), gleed.tensor([3, 4])], 1)
    tensor([[1, 3],
            [2, 4]])
    """
    if len(tensors) == 0:
        raise RangeError("stack: at least one tensor is needed; got an empty list; check the list")
    first = tensors[0]
    axis = axis_of("stack", dim, first.ndim + 1)
    for x in tensors:
        if x.ndim != first.ndim or not all(
            m == n for m, n in zip(x.shape, first.shape, strict=True)
        ):
            raise ShapeError(
                f"stack: all shapes must be equal; got {shape_text(x.shape)} beside "
                f"{shape_text(first.shape)}; use cat, or reshape first"
            )
    dtype = result_type(*tensors)
    shape = (*first.shape[:axis], 1, *first.shape[axis:])
    return p.concat(*(p.reshape(convert(x, dtype), shape=shape) for x in tensors), axis=axis)


@op()
def hstack(tensors: Tensors) -> Tensor:
    """Joined along the second dim (the first, for vectors).

    >>> gleed.hstack([gleed.tensor([1]), gleed.tensor([2])])
    tensor([1, 2])
    """
    parts = [p.reshape(x, shape=(1,)) if x.ndim == 0 else x for x in tensors]
    return cat(parts, 0 if parts and parts[0].ndim == 1 else 1)


@op()
def vstack(tensors: Tensors) -> Tensor:
    """Joined along the first dim, vectors as rows.

    >>> gleed.vstack([gleed.tensor([1, 2]), gleed.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    return cat([p.reshape(x, shape=(1, x.numel())) if x.ndim < 2 else x for x in tensors], 0)


# ---- repeating
@op(method=True, varargs="repeats", namespace="")
def repeat(input: Tensor, repeats: Sequence[int]) -> Tensor:
    """The tensor laid side by side, `repeats` times per dim.

    >>> gleed.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    return _tiled("repeat", input, repeats)


@op(method=True, varargs="dims", reference="numpy.tile")
def tile(input: Tensor, dims: Sequence[int]) -> Tensor:
    """As `repeat`; dims left out count once.

    >>> gleed.tile(gleed.tensor([[1], [2]]), (2,))
    tensor([[1, 1],
            [2, 2]])
    """
    counts = (dims,) if isinstance(dims, int) else tuple(dims)
    return _tiled("tile", input, (1,) * (input.ndim - len(counts)) + counts)


def _tiled(name: str, x: Tensor, repeats: Any) -> Tensor:
    counts = (repeats,) if isinstance(repeats, int) else tuple(repeats)
    if len(counts) < x.ndim or any(n < 0 for n in counts):
        raise RangeError(
            f"{name}: one count of 0 or more per dim is needed; got {counts} for {x.ndim} dims; "
            "prepend 1 for dims that stay"
        )
    shape = (1,) * (len(counts) - x.ndim) + tuple(x.shape)
    split = tuple(m for n in shape for m in (1, n))
    wide = tuple(m for c, n in zip(counts, shape, strict=True) for m in (c, n))
    spread = expand_to(p.reshape(x, shape=split), wide)
    total = tuple(c * n for c, n in zip(counts, shape, strict=True))
    return p.reshape(p.copy(spread), shape=total)


@op(method=True, reference="numpy.repeat")
def repeat_interleave(input: Tensor, repeats: int, dim: int | None = None) -> Tensor:
    """Every element `repeats` times in a row, along `dim` or of the flattened tensor.

    >>> gleed.repeat_interleave(gleed.tensor([1, 2]), 2)
    tensor([1, 1, 2, 2])
    """
    if repeats < 0:
        raise RangeError(f"repeat_interleave: repeats must be 0 or more; got {repeats}; use 0 …")
    x = p.reshape(input, shape=(input.numel(),)) if dim is None else input
    axis = 0 if dim is None else axis_of("repeat_interleave", dim, x.ndim)
    before, n, after = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
    spread = expand_to(p.reshape(x, shape=(*before, n, 1, *after)), (*before, n, repeats, *after))
    return p.reshape(p.copy(spread), shape=(*before, n * repeats, *after))


# ---- turning and shifting
@op(method=True, varargs="dims", reference="numpy.flip")
def flip(input: Tensor, dims: Sequence[int] | int) -> Tensor:
    """Backwards along `dims`.

    >>> gleed.flip(gleed.tensor([1, 2, 3]), (0,))
    tensor([3, 2, 1])
    """
    x = input
    for axis in axes_of("flip", dims, input.ndim) if dims != () else ():
        x = p.flip(x, axis)
    return p.copy(x)


@op(method=True)
def fliplr(input: Tensor) -> Tensor:
    """Backwards along the second dim.

    >>> gleed.fliplr(gleed.tensor([[1, 2]]))
    tensor([[2, 1]])
    """
    return p.copy(p.flip(input, axis_of("fliplr", 1, input.ndim)))


@op(method=True)
def flipud(input: Tensor) -> Tensor:
    """Backwards along the first dim.

    >>> gleed.flipud(gleed.tensor([1, 2]))
    tensor([2, 1])
    """
    return p.copy(p.flip(input, axis_of("flipud", 0, input.ndim)))


@op(method=True, reference="numpy.roll")
def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """Elements moved along `dims` by `shifts`; what leaves at the end comes in at the start.

    >>> gleed.roll(gleed.tensor([1, 2, 3]), 1)
    tensor([3, 1, 2])
    """
    amounts = (shifts,) if isinstance(shifts, int) else tuple(shifts)
    if dims is None or dims == ():
        flat = p.reshape(input, shape=(input.numel(),))
        return p.reshape(_rolled(flat, 0, amounts[0]), shape=input.shape)
    axes = (dims,) if isinstance(dims, int) else tuple(dims)
    if len(axes) != len(amounts):
        raise RangeError(
            f"roll: as many shifts as dims; got {len(amounts)} and {len(axes)}; list one shift per "
            "dim"
        )
    x = input
    for axis, amount in zip(axes, amounts, strict=True):
        x = _rolled(x, axis_of("roll", axis, x.ndim), amount)
    return x


def _rolled(x: Tensor, axis: int, amount: int) -> Tensor:
    size = x.shape[axis]
    if size == 0:
        return p.copy(x)
    head = x.trace.scope.combine("mod", -amount, size)
    parts = [
        p.slice(x, axis=axis, start=head, step=1, length=size - head),
        p.slice(x, axis=axis, start=0, step=1, length=head),
    ]
    return p.concat(*parts, axis=axis)


# ---- copies and conversions
@op(method=True)
def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy with memory of its own, in the order of strides of `input` or a memory format.

    >>> gleed.clone(gleed.tensor([1, 2]))
    tensor([1, 2])
    """
    return copied("clone", input, memory_format)


@op(method=True, namespace="")
def contiguous(input: Tensor, memory_format: Any = contiguous_format) -> Tensor:
    """The tensor itself if it is row-major, or lies in the memory format; else a copy that does.

    >>> gleed.zeros(2, 3).t().contiguous().is_contiguous()
    True
    """
    check_format("contiguous", memory_format, input.ndim, preserves=False)
    if memory_format is contiguous_format:
        return p.compact(input)
    inside = lies_in(input.shape, input.stride(), memory_format) and input.numel() != 0
    return input if inside else copied("contiguous", input, memory_format)


@op(name="_to", method=True, namespace="", grad_name="to_copy")
def to_dtype(
    input: Tensor, dtype: Any, copy: bool = False, memory_format: Any = preserve_format
) -> Tensor:
    """The tensor in another dtype; itself if it has it and `copy` is false."""
    if memory_format is not preserve_format or (copy and input.dtype == dtype):
        return copied("to", convert(input, dtype), memory_format)
    return convert(input, dtype)


@op(method=True, namespace="", writes=("input",), grad_name="copy_")
def copy_(input: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
    """Overwrite with the values of `src`, which broadcasts, converted to this dtype.

    >>> gleed.zeros(2).copy_(gleed.tensor([1, 2]))
    tensor([1., 2.])
    """
    fits = src.ndim <= input.ndim and all(
        m == n or m == 1
        for m, n in zip(src.shape, input.shape[input.ndim - src.ndim :], strict=True)
    )
    if not fits:
        raise ShapeError(
            f"copy_: the source must broadcast to the destination; got {shape_text(src.shape)} for "
            f"{shape_text(input.shape)}; reshape the source"
        )
    return expand_to(convert(src, input.dtype), input.shape)


@op(method=True, writes=("input",), grad_name="fill_")
def fill_(input: Tensor, value: Operand) -> Tensor:
    """Overwrite every element with `value`, a number or a 0-d tensor.

    >>> gleed.zeros(2).fill_(3)
    tensor([3., 3.])
    """
    if value.ndim != 0:
        raise ShapeError(
            f"fill_: a number or a 0-d tensor is needed; got shape {shape_text(value.shape)}; use "
            "copy_"
        )
    return expand_to(convert(value, input.dtype), input.shape)


@op(method=True, writes=("input",), grad_name="zero_")
def zero_(input: Tensor) -> Tensor:
    """Overwrite with zeros.

    >>> gleed.ones(2).zero_()
    tensor([0., 0.])
    """
    return p.fill(input, 0)


# ---- triangles
@op(method=True, inplace=True, out=True, reference="numpy.tril")
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangle of the last two dims, up to `diagonal`; zeros elsewhere.

    >>> gleed.tril(gleed.ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]])
    """
    return _triangle("tril", input, diagonal, lower=True)


@op(method=True, inplace=True, out=True, reference="numpy.triu")
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle of the last two dims, from `diagonal`; zeros elsewhere.

    >>> gleed.triu(gleed.ones(2, 2))
    tensor([[1., 1.],
            [0., 1.]])
    """
    return _triangle("triu", input, diagonal, lower=False)


def _triangle(name: str, x: Tensor, diagonal: int, lower: bool) -> Tensor:
    if x.ndim < 2:
        raise ShapeError(f"{name}: at least 2 dims are needed; got {x.ndim}; unsqueeze first")
    row, column = x.trace.iota(x.shape, x.ndim - 2), x.trace.iota(x.shape, x.ndim - 1)
    inside = column - row <= diagonal if lower else column - row >= diagonal
    return p.where(inside, x, p.fill(x, 0))


@op(method=True)
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """The diagonal of a matrix, or the matrix with a vector on its diagonal.

    >>> gleed.diag(gleed.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    if input.ndim == 2:
        return p.copy(input.diagonal(diagonal))
    if input.ndim != 1:
        raise ShapeError(
            f"diag: a vector or a matrix is needed; got {input.ndim} dims; use diagonal"
        )
    return _embedded(input, diagonal)


@op(method=True)
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices, in dims `dim1` and `dim2` of the result, with the last dim on their diagonal.

    >>> gleed.diag_embed(gleed.tensor([[1, 2]]))
    tensor([[[1, 0],
             [0, 2]]])
    """
    rows, columns = (axis_of("diag_embed", d, input.ndim + 1) for d in (dim1, dim2))
    if rows == columns:
        raise RangeError(
            f"diag_embed: dim1 and dim2 must differ; got {dim1} and {dim2}; name two dims"
        )
    others = iter(range(input.ndim - 1))
    place = {rows: input.ndim - 1, columns: input.ndim}
    axes = tuple(place[a] if a in place else next(others) for a in range(input.ndim + 1))
    matrices = _embedded(input, offset)
    return matrices if axes == tuple(sorted(axes)) else p.copy(p.permute(matrices, axes=axes))


def _embedded(x: Tensor, offset: int) -> Tensor:
    size = x.shape[-1] + abs(offset)
    zeros = x.trace.full((*x.shape[:-1], size, size), 0, x.dtype)
    attrs = {
        "axis1": x.ndim - 1,
        "axis2": x.ndim,
        "offset": offset,
        "length": x.shape[-1],
    }
    return p.insert(zeros, x, movement="diagonal", attrs=tuple(attrs.items()))


@op(method=True)
def trace(input: Tensor) -> Tensor:
    """The sum of the diagonal of a matrix.

    >>> gleed.trace(gleed.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(5.)
    """
    if input.ndim != 2:
        raise ShapeError(f"trace: a matrix is needed; got {input.ndim} dims; select two dims first")
    return input.diagonal().sum()


def _samples() -> None:
    calls = {
        repeat: [((2, 3), (2, 1)), ((3,), (2, 2))],
        tile: [((2, 1), (2,))],
        repeat_interleave: [((3,), 2), ((2, 3), 2, 1)],
        flip: [((2, 3), (0,)), ((2, 3), (0, 1))],
        roll: [((5,), 2), ((2, 3), (1, -1), (0, 1))],
        clone: [((2, 3),), ((),), ((0, 2),)],
        contiguous: [((2, 3),)],
        tril: [((3, 4),), ((2, 3, 3), -1)],
        triu: [((3, 4),), ((2, 3, 3), 1)],
        diag: [((3,),), ((3, 4), 1), ((2,), -1)],
        trace: [((3, 3),), ((2, 4),)],
        fliplr: [((2, 3),)],
        flipud: [((3,),), ((3, 2),)],
        diag_embed: [((3,),), ((2, 3), 1), ((2, 3), -1, 0, 2)],
    }
    for record, made in calls.items():

        @record.samples
        def _(make: Any, made: Any = made) -> Any:
            for shape, *rest in made:
                yield make.call(make.tensor(shape), *rest)

    for record in (cat, stack):

        @record.samples
        def _(make: Any) -> Any:
            yield make.call([make.tensor((2, 3)), make.tensor((2, 3))], 1)
            yield make.call([make.tensor((2, 3)) for _ in range(3)])

    @cat.samples
    def _(make: Any) -> Any:
        yield make.call([make.tensor((2,)), make.tensor((0,)), make.tensor((3,))])

    @concat.samples
    def _(make: Any) -> Any:
        yield make.call([make.tensor((2, 1)), make.tensor((2, 3))], -1)

    for record in (hstack, vstack):

        @record.samples
        def _(make: Any) -> Any:
            yield make.call([make.tensor((3,)), make.tensor((3,))])
            yield make.call([make.tensor((2, 3)), make.tensor((2, 3))])

    @copy_.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((3, 4)), make.tensor((4,)))
        yield make.call(make.tensor((5,)), make.tensor((5,)))

    @fill_.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((3, 4)), 2)
        yield make.call(make.tensor((5,)), make.tensor(()))

    @zero_.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((3, 4)))


_samples()
