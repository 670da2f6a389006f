"""Grids, blocks, triangles and splits: tensors laid out in patterns; differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gleed import _C
from gleed import primitives as p
from gleed.compiler.dims import Size, hint
from gleed.errors import DTypeError, RangeError, ShapeError
from gleed.ops import joining, promotion
from gleed.ops.axes import axis_of
from gleed.ops.promotion import convert, dtype_text, expand_to, result_type, shape_text
from gleed.ops.record import OPS, Int, Tensor, Tensors, function, op
from gleed.ops.selection import nonzero_by_axis
from gleed.trace import Trace


# ---- grids
@op(varargs="tensors", result=tuple)
def meshgrid(tensors: Tensors, *, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Vectors as the axes of a grid: each repeated along the axes of the others. "ij" (if None):
    one axis per vector, in order; "xy": the first two exchanged.

    >>> x, y = gleed.meshgrid(gleed.tensor([1, 2]), gleed.tensor([3, 4]), indexing="ij")
    >>> y
    tensor([[3, 4],
            [3, 4]])
    """
    if indexing not in (None, "ij", "xy"):
        raise RangeError(f"meshgrid: indexing must be 'ij' or 'xy'; got {indexing!r}; use 'ij'")
    if any(x.ndim > 1 or x.dtype != tensors[0].dtype for x in tensors):
        raise ShapeError(
            "meshgrid: vectors or numbers of one dtype are needed; got "
            f"{', '.join(dtype_text(x.dtype) + ' ' + shape_text(x.shape) for x in tensors)}; "
            "flatten or convert them"
        )
    swapped = indexing == "xy" and len(tensors) > 1
    order = (1, 0, *range(2, len(tensors))) if swapped else tuple(range(len(tensors)))
    sizes = [x.numel() for x in tensors]
    shape = tuple(sizes[i] for i in order)
    return tuple(
        p.broadcast(p.reshape(x, shape=(x.numel(),)), shape=shape, axes=(order.index(i),))
        for i, x in enumerate(tensors)
    )


@op(varargs="tensors")
def cartesian_prod(tensors: Tensors) -> Tensor:
    """All combinations of one element from each vector, as rows.

    >>> gleed.cartesian_prod(gleed.tensor([1, 2]), gleed.tensor([3, 4]))
    tensor([[1, 3],
            [1, 4],
            [2, 3],
            [2, 4]])
    """
    if len(tensors) == 1:
        return p.alias(tensors[0])
    grids = meshgrid(tensors, indexing="ij")
    return p.reshape(joining.stack(list(grids), -1), shape=(grids[0].numel(), len(tensors)))


@op(varargs="tensors", result=tuple)
def broadcast_tensors(tensors: Tensors) -> tuple[Tensor, ...]:
    """Views of all tensors, expanded to their common shape.

    >>> a, b = gleed.broadcast_tensors(gleed.ones(2, 1), gleed.ones(3))
    >>> a.shape, b.shape
    (gleed.Size([2, 3]), gleed.Size([2, 3]))
    """
    shape = promotion.broadcast_shapes("broadcast_tensors", *(x.shape for x in tensors))
    return tuple(expand_to(x, shape) for x in tensors)


@function()
def broadcast_shapes(*shapes: Any) -> Any:
    """The shape that tensors of these shapes have together.

    >>> import gleed
    >>> gleed.broadcast_shapes((2, 1), (3,))
    gleed.Size([2, 3])
    """
    full = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
    return _C.Size(promotion.broadcast_shapes("broadcast_shapes", *full))


# ---- blocks
@op(varargs="tensors")
def block_diag(tensors: Tensors) -> Tensor:
    """Matrices one below and beside another, zeros elsewhere; vectors are rows.

    >>> gleed.block_diag(gleed.tensor([[1, 2]]), gleed.tensor([[3]]))
    tensor([[1, 2, 0],
            [0, 0, 3]])
    """
    for x in tensors:
        if x.ndim > 2:
            raise ShapeError(
                f"block_diag: at most 2 dims are allowed; got {shape_text(x.shape)}; select first"
            )
    dtype = result_type(*tensors)
    blocks = [p.reshape(convert(x, dtype), shape=(*(1,) * (2 - x.ndim), *x.shape)) for x in tensors]
    widths = [x.shape[1] for x in blocks]
    rows = []
    for i, x in enumerate(blocks):
        gaps = (sum(widths[:i]), sum(widths[i + 1 :]))
        left, right = (x.trace.full((x.shape[0], n), 0, dtype) for n in gaps)
        rows.append(p.concat(left, x, right, axis=1))
    return p.concat(*rows, axis=0)


@op(out=True)
def dstack(tensors: Tensors) -> Tensor:
    """Joined along the third dim.

    >>> gleed.dstack([gleed.tensor([1, 2]), gleed.tensor([3, 4])])
    tensor([[[1, 3],
             [2, 4]]])
    """
    return joining.cat([_at_least(x, 3) for x in tensors], 2)


@op(out=True)
def column_stack(tensors: Tensors) -> Tensor:
    """Joined along the second dim, vectors as columns.

    >>> gleed.column_stack([gleed.tensor([1, 2]), gleed.tensor([3, 4])])
    tensor([[1, 3],
            [2, 4]])
    """
    return joining.cat(
        [p.reshape(x, shape=(x.numel(), 1)) if x.ndim < 2 else x for x in tensors], 1
    )


def _at_least(x: Tensor, ndim: int) -> Tensor:
    """With leading dims of size 1; a matrix gets its third dim at the end, a vector one at each."""
    if x.ndim >= ndim:
        return x
    shape: tuple[Size, ...] = x.shape if x.ndim else (1,)
    if len(shape) < ndim and ndim > 1:
        shape = (1, *shape) if len(shape) == 1 else shape
    return p.view(x, shape=(*shape, *(1,) * (ndim - len(shape))))


@op()
def atleast_1d(input: Tensor) -> Tensor:
    """A view with 1 dim or more; of several tensors, a tuple.

    >>> gleed.atleast_1d(gleed.tensor(1))
    tensor([1])
    """
    return _at_least(input, 1)


@op(name="atleast_1d", varargs="tensors", result=tuple)
def all_at_least_1d(tensors: Tensors) -> tuple[Tensor, ...]:
    return tuple(_at_least(x, 1) for x in tensors)


@op()
def atleast_2d(input: Tensor) -> Tensor:
    """A view with 2 dims or more; of several tensors, a tuple.

    >>> gleed.atleast_2d(gleed.tensor([1, 2]))
    tensor([[1, 2]])
    """
    return _at_least(input, 2)


@op(name="atleast_2d", varargs="tensors", result=tuple)
def all_at_least_2d(tensors: Tensors) -> tuple[Tensor, ...]:
    return tuple(_at_least(x, 2) for x in tensors)


@op()
def atleast_3d(input: Tensor) -> Tensor:
    """A view with 3 dims or more; of several tensors, a tuple.

    >>> gleed.atleast_3d(gleed.tensor([1, 2])).shape
    gleed.Size([1, 2, 1])
    """
    return _at_least(input, 3)


@op(name="atleast_3d", varargs="tensors", result=tuple)
def all_at_least_3d(tensors: Tensors) -> tuple[Tensor, ...]:
    return tuple(_at_least(x, 3) for x in tensors)


# ---- splits
def _split(name: str, x: Tensor, where_: Any, axis: int) -> tuple[Tensor, ...]:
    """Parts of nearly equal size, the first ones larger by 1; or parts that end at the indices."""
    total = int(x.shape[axis])
    if isinstance(where_, int):
        if where_ < 1:
            raise RangeError(f"{name}: at least one part is needed; got {where_}; use 1 or more")
        each, more = divmod(total, where_)
        ends = [each * (i + 1) + min(i + 1, more) for i in range(where_)]
    else:
        ends = [*(min(i + total if i < 0 else i, total) for i in where_), total]
    starts = [0, *(max(end, 0) for end in ends[:-1])]
    return tuple(
        p.slice(x, axis=axis, start=start, step=1, length=max(end - start, 0))
        for start, end in zip(starts, ends, strict=True)
    )


@op(method=True, result=tuple, reference="numpy.array_split")
def tensor_split(
    input: Tensor, indices_or_sections: int | Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    """Parts along `dim`: a number of parts of nearly equal size, or parts that end at the indices.

    >>> gleed.tensor_split(gleed.arange(5), 2)
    (tensor([0, 1, 2]), tensor([3, 4]))
    """
    axis = axis_of("tensor_split", dim, input.ndim)
    return _split("tensor_split", input, indices_or_sections, axis)


@tensor_split.otherwise
def _(
    input: Any,
    indices_or_sections: Any = None,
    dim: int = 0,
    *,
    sections: Any = None,
    indices: Any = None,
) -> Any:
    given = next((x for x in (indices_or_sections, sections, indices) if x is not None), None)
    if not isinstance(input, _C.Tensor) or isinstance(given, type(None)):
        return NotImplemented
    if isinstance(given, _C.Tensor):
        given = tuple(given.tolist()) if given.ndim else int(given)
    elif sections is None and indices is None:
        return NotImplemented
    return tensor_split.public(input, given, dim)


def _split_along(name: str, x: Tensor, where_: Any, dim: int, ndim: int) -> tuple[Tensor, ...]:
    if x.ndim < ndim:
        raise ShapeError(
            f"{name}: at least {ndim} dims are needed; got shape {shape_text(x.shape)}; use "
            "tensor_split"
        )
    if isinstance(where_, int) and (where_ < 1 or int(x.shape[dim]) % where_):
        raise RangeError(
            f"{name}: the parts must be of equal size; got {where_} parts for size "
            f"{hint(x.shape[dim])} of dim {dim}; use tensor_split"
        )
    return _split(name, x, where_, dim)


@op(method=True, result=tuple, reference="numpy.hsplit")
def hsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Parts along the second dim (the first, of a vector), as `tensor_split`.

    >>> gleed.hsplit(gleed.arange(4), 2)
    (tensor([0, 1]), tensor([2, 3]))
    """
    return _split_along("hsplit", input, indices_or_sections, 0 if input.ndim == 1 else 1, 1)


@op(method=True, result=tuple, reference="numpy.vsplit")
def vsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Parts along the first dim, as `tensor_split`.

    >>> gleed.vsplit(gleed.ones(4, 1), 2)[1].shape
    gleed.Size([2, 1])
    """
    return _split_along("vsplit", input, indices_or_sections, 0, 2)


@op(method=True, result=tuple, reference="numpy.dsplit")
def dsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Parts along the third dim, as `tensor_split`.

    >>> gleed.dsplit(gleed.ones(1, 1, 4), [1])[1].shape
    gleed.Size([1, 1, 3])
    """
    return _split_along("dsplit", input, indices_or_sections, 2, 3)


# ---- triangles
@op(name="_triangle_mask", namespace="")
def triangle_mask(rows: Int, columns: Int, offset: Int, lower: bool) -> Tensor:
    """Where a triangle of a matrix lies."""
    trace = Trace.current()
    row, column = trace.iota((rows, columns), 0), trace.iota((rows, columns), 1)
    inside = column - row <= offset if lower else column - row >= offset
    return p.copy(inside)


def _triangle_indices(row: int, col: int, offset: int, dtype: Any, lower: bool) -> Any:
    found = nonzero_by_axis.public(triangle_mask.public(row, col, offset, lower))
    return found if dtype is None else found.to(dtype)


@function()
def tril_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: Any = None,
    device: Any = None,
    layout: Any = None,
) -> Any:
    """The rows and columns of the lower triangle of a matrix, up to diagonal `offset`.

    >>> import gleed
    >>> gleed.tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    return _triangle_indices(row, col, offset, dtype, lower=True)


@function()
def triu_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: Any = None,
    device: Any = None,
    layout: Any = None,
) -> Any:
    """The rows and columns of the upper triangle of a matrix, from diagonal `offset`.

    >>> import gleed
    >>> gleed.triu_indices(2, 2)
    tensor([[0, 0, 1],
            [0, 1, 1]])
    """
    return _triangle_indices(row, col, offset, dtype, lower=False)


# ---- turning, repeating
@op(method=True)
def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Turned by 90 degrees `k` times, from the first of `dims` towards the second.

    >>> gleed.rot90(gleed.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])
    """
    axes = tuple(axis_of("rot90", d, input.ndim) for d in dims)
    if len(axes) != 2 or axes[0] == axes[1]:
        raise RangeError(f"rot90: dims must be two different dims; got {tuple(dims)}; use (0, 1)")
    if k % 4 == 0:
        return p.compact(p.copy(input))
    for axis in {1: axes[1:], 2: axes, 3: axes[:1]}[k % 4]:
        input = p.flip(input, axis)
    x = p.copy(input)
    if k % 2:  # rows stay rows in memory
        order = list(range(x.ndim))
        order[axes[0]], order[axes[1]] = axes[1], axes[0]
        x = p.permute(x, axes=tuple(order))
    return x


@op(name="_repeat_places", namespace="")
def repeat_places(repeats: Tensor, total: Int) -> Tensor:
    """0 repeats[0] times, 1 repeats[1] times, …: `total` numbers."""
    ends = p.scan_sum(convert(repeats, "i64"), axis=0)
    base = repeats.trace.full((total + 1,), 0, "i64")
    one = p.fill(ends, 1)
    marks = p.scatter(base, one, ends, axes=(0,), mapping=(), mode="add")
    return p.slice(p.scan_sum(marks, axis=0), axis=0, start=0, step=1, length=total)


@joining.repeat_interleave.otherwise
def _(input: Any, repeats: Any = None, dim: int | None = None, *, output_size: Any = None) -> Any:
    """`repeat_interleave` with a count per element, or of the numbers 0, 1, … themselves."""
    if not isinstance(input, _C.Tensor):
        return NotImplemented
    if repeats is None:
        return _repeated_numbers(input, output_size)
    if isinstance(repeats, int):
        return joining.repeat_interleave.public(input, repeats, dim)
    if not isinstance(repeats, _C.Tensor):
        return NotImplemented
    x = input.reshape(-1) if dim is None else input
    axis = axis_of("repeat_interleave", 0 if dim is None else dim, x.ndim)
    counts = repeats.reshape(-1)
    if counts.numel() == 1:
        counts = counts.expand(x.shape[axis])
    if counts.shape[0] != x.shape[axis]:
        raise ShapeError(
            f"repeat_interleave: one count per place along the dim is needed; got "
            f"{counts.shape[0]} for size {x.shape[axis]}; check repeats"
        )
    return OPS["index_select"].public(x, axis, _repeated_numbers(counts, output_size))


def _repeated_numbers(repeats: Any, total: int | None) -> Any:
    if repeats.dtype not in (_C.int64, _C.int32) or repeats.ndim != 1:
        raise DTypeError(
            f"repeat_interleave: repeats must be a vector of int64 or int32; got {repeats.dtype} "
            f"of shape {list(repeats.shape)}; convert with .long()"
        )
    if repeats.numel() and repeats.min().item() < 0:
        raise RangeError(
            f"repeat_interleave: repeats must be 0 or more; got {repeats.min().item()}; clamp them"
        )
    wanted = int(repeats.sum()) if total is None else total
    return repeat_places.public(repeats, wanted)


# ---- differences
@op(method=True)
def diff(
    input: Tensor,
    n: int = 1,
    dim: int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """Each element less the one before it along `dim`, `n` times over; `prepend` and `append` come
    before and after the first time.

    >>> gleed.diff(gleed.tensor([1, 4, 9]))
    tensor([3, 5])
    """
    if input.ndim == 0 or n < 0:
        raise ShapeError(
            f"diff: at least 1 dim and n >= 0 are needed; got {input.ndim} dims and n={n}; "
            "unsqueeze it"
        )
    axis = axis_of("diff", dim, input.ndim)
    if n == 0:
        return p.copy(input)
    ends = [x for x in (prepend, input, append) if x is not None]
    x = joining.cat(ends, axis) if len(ends) > 1 else input
    for _ in range(n):
        size = x.shape[axis]
        length = size - 1 if size > 1 else 0
        start = 1 if size > 1 else 0
        later = p.slice(x, axis=axis, start=start, step=1, length=length)
        earlier = p.slice(x, axis=axis, start=0, step=1, length=length)
        x = p.ne(later, earlier) if x.dtype == "bool" else later - earlier
    return x


def _samples() -> None:
    one: dict[Any, list[tuple[Any, ...]]] = {
        tensor_split: [((7, 2), 3), ((7,), (2, 5)), ((2, 5), 2, 1)],
        hsplit: [((4,), 2), ((2, 4), [1, 3])],
        vsplit: [((4, 2), 2)],
        dsplit: [((2, 1, 4), 2)],
        rot90: [((3, 4),), ((2, 3, 4), 2, (1, 2)), ((3, 4), 3)],
        diff: [((5,),), ((3, 4), 2, 0)],
        atleast_1d: [((),), ((2, 3),)],
        atleast_2d: [((),), ((3,),)],
        atleast_3d: [((),), ((3,),), ((2, 3),)],
    }
    for record, made in one.items():

        @record.samples
        def _(make: Any, made: Any = made) -> Any:
            for shape, *rest in made:
                yield make.call(make.tensor(shape), *rest)

    many: dict[Any, tuple[tuple[int, ...], ...]] = {
        meshgrid: ((2,), (3,), (4,)),
        cartesian_prod: ((2,), (3,)),
        broadcast_tensors: ((2, 1), (3,)),
        block_diag: ((2, 3), (1, 2)),
    }
    for record, shapes in many.items():

        @record.samples
        def _(make: Any, shapes: Any = shapes) -> Any:
            yield make.call(*(make.tensor(shape) for shape in shapes))

    for record in (atleast_1d, atleast_2d, atleast_3d):

        @record.samples
        def _(make: Any) -> Any:
            yield make.call(make.tensor(()), make.tensor((2, 3)))

    for record in (dstack, column_stack):

        @record.samples
        def _(make: Any) -> Any:
            yield make.call([make.tensor((3,)), make.tensor((3,))])
            yield make.call([make.tensor((2, 3, 2)), make.tensor((2, 3, 2))])


_samples()
