"""Ops that give another view of the same memory, and those that copy only where they must."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gleed import _C
from gleed import primitives as p
from gleed.compiler.dims import Dim, Size, product
from gleed.errors import ArgumentError, BoundsError, RangeError, ShapeError
from gleed.ops import reduction
from gleed.ops.axes import axis_of
from gleed.ops.promotion import expand_to, shape_text
from gleed.ops.record import Int, Ints, Tensor, function, op


def _value(size: Size) -> int:
    """A size as the traced call has it, for messages."""
    return size.hint if isinstance(size, Dim) else size


# ---- other shapes
def _completed(name: str, x: Tensor, shape: Sequence[Size]) -> tuple[Size, ...]:
    """`shape` with -1 worked out, checked against the number of elements."""
    total = x.numel()
    open_axes = [a for a, n in enumerate(shape) if n == -1]
    known = product(tuple(n for a, n in enumerate(shape) if a not in open_axes))
    fits = len(open_axes) <= 1 and all(a in open_axes or n >= 0 for a, n in enumerate(shape))
    if fits and open_axes:
        fits = known != 0 and total % known == 0
        missing = total // known if fits else 0
        shape = tuple(missing if a in open_axes else n for a, n in enumerate(shape))
    elif fits:
        fits = known == total
    if not fits:
        raise ShapeError(
            f"{name}: the new shape must hold the same number of elements, with at most one -1; "
            f"got {shape_text(shape)} for shape {shape_text(x.shape)} ({_value(total)} elements); "
            "change one of the sizes, or leave one as -1"
        )
    return tuple(shape)


@op(method=True, varargs="shape", reference="numpy.reshape", grad_name="view", view=True)
def reshape(input: Tensor, shape: Ints) -> Tensor:
    """The same elements in another shape; one size may be -1. A view where strides allow it, else a
    copy.

    >>> gleed.reshape(gleed.arange(6), (2, -1))
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    return p.reshape(input, shape=_completed("reshape", input, shape))


@op(method=True, varargs="size", namespace="")
def view(input: Tensor, size: Ints) -> Tensor:
    """The same memory in another shape; one size may be -1. An error where strides do not allow it:
    use `reshape`, or `contiguous()` first.

    `view(dtype)` reads the bytes as another dtype, and is a constant for gradients. Where elements
    are of another width, the last size changes with that; it must lie densely, and widths must
    divide the last size, the other strides and the offset. A captured function cannot do so.

    >>> gleed.arange(6).view(2, 3)
    tensor([[0, 1, 2],
            [3, 4, 5]])
    >>> gleed.tensor([1.0, -2.0]).view(gleed.int32)
    tensor([ 1065353216, -1073741824], dtype=gleed.int32)
    >>> gleed.zeros(2, 3).view(gleed.int16).shape
    gleed.Size([2, 6])
    """
    return p.view(input, shape=_completed("view", input, size))


@op(method=True, namespace="", grad_name="view")
def view_as(input: Tensor, other: Tensor) -> Tensor:
    """`view` with the shape of `other`.

    >>> gleed.arange(4).view_as(gleed.zeros(2, 2)).shape
    gleed.Size([2, 2])
    """
    return p.view(input, shape=_completed("view_as", input, other.shape))


@op(method=True, namespace="", grad_name="view", view=True)
def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """`reshape` to the shape of `other`.

    >>> gleed.arange(4).reshape_as(gleed.zeros(2, 2)).shape
    gleed.Size([2, 2])
    """
    return p.reshape(input, shape=_completed("reshape_as", input, other.shape))


@op(method=True, grad_name="view")
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dims from `start_dim` to `end_dim` as one.

    >>> gleed.flatten(gleed.zeros(2, 3, 4), 1).shape
    gleed.Size([2, 12])
    """
    if input.ndim == 0:
        return p.reshape(input, shape=(1,))
    first = axis_of("flatten", start_dim, input.ndim)
    last = axis_of("flatten", end_dim, input.ndim)
    if first > last:
        raise RangeError(
            f"flatten: start_dim must not come after end_dim; got {start_dim} and {end_dim}; "
            "exchange them"
        )
    shape = input.shape
    return p.reshape(
        input, shape=(*shape[:first], product(shape[first : last + 1]), *shape[last + 1 :])
    )


@op(method=True, grad_name="view")
def ravel(input: Tensor) -> Tensor:
    """All elements in one dim.

    >>> gleed.ravel(gleed.zeros(2, 3)).shape
    gleed.Size([6])
    """
    return p.reshape(input, shape=(input.numel(),))


@op(method=True, grad_name="view", view=True)
def unflatten(input: Tensor, dim: int, sizes: Ints) -> Tensor:
    """One dim as several; one size may be -1.

    >>> gleed.unflatten(gleed.zeros(2, 12), 1, (3, -1)).shape
    gleed.Size([2, 3, 4])
    """
    axis = axis_of("unflatten", dim, input.ndim)
    size = input.shape[axis]
    known = product(tuple(n for n in sizes if n != -1))
    full = tuple(size // known if n == -1 else n for n in sizes)
    if not product(full) == size:
        raise ShapeError(
            f"unflatten: sizes must multiply to the size of dim {dim}; got {shape_text(sizes)} for "
            f"{_value(size)}; leave one size as -1"
        )
    return p.reshape(input, shape=(*input.shape[:axis], *full, *input.shape[axis + 1 :]))


# ---- axes of size 1
@op(method=True)
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """A new dim of size 1 at `dim`.

    >>> gleed.unsqueeze(gleed.zeros(3), 0).shape
    gleed.Size([1, 3])
    """
    axis = axis_of("unsqueeze", dim, input.ndim + 1)
    return p.view(input, shape=(*input.shape[:axis], 1, *input.shape[axis:]))


@op(method=True)
def squeeze(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Without the dims of size 1, or without those among `dim`.

    >>> gleed.squeeze(gleed.zeros(1, 3, 1)).shape
    gleed.Size([3])
    """
    if dim is None:
        chosen = list(range(input.ndim))
    else:
        dims = (dim,) if isinstance(dim, int) else dim
        chosen = [axis_of("squeeze", d, input.ndim) for d in dims]
    shape = tuple(n for a, n in enumerate(input.shape) if not (a in chosen and n == 1))
    return (
        p.view(input, shape=shape)
        if len(shape) < input.ndim
        else _ordered(input, tuple(range(input.ndim)))
    )


# ---- order of axes
def _ordered(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """A view with the axes in this order; a tensor of its own even if that is the present one."""
    return p.permute(x, axes=axes)


@op(method=True, varargs="dims", reference="numpy.transpose")
def permute(input: Tensor, dims: Sequence[int]) -> Tensor:
    """The dims in another order.

    >>> gleed.permute(gleed.zeros(2, 3, 4), (2, 0, 1)).shape
    gleed.Size([4, 2, 3])
    """
    axes = tuple(axis_of("permute", d, input.ndim) for d in dims)
    if sorted(axes) != list(range(input.ndim)):
        raise RangeError(
            f"permute: every dim must appear once; got {tuple(dims)} for {input.ndim} dims; list "
            "all of them"
        )
    return _ordered(input, axes)


@op(method=True)
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dims exchanged.

    >>> gleed.transpose(gleed.zeros(2, 3), 0, 1).shape
    gleed.Size([3, 2])
    """
    a, b = axis_of("transpose", dim0, input.ndim), axis_of("transpose", dim1, input.ndim)
    axes = list(range(input.ndim))
    if axes:
        axes[a], axes[b] = axes[b], axes[a]
    return _ordered(input, tuple(axes))


@op(method=True)
def t(input: Tensor) -> Tensor:
    """A matrix transposed; vectors and scalars as they are.

    >>> gleed.t(gleed.zeros(2, 3)).shape
    gleed.Size([3, 2])
    """
    if input.ndim > 2:
        raise ShapeError(
            f"t: at most 2 dims; got {input.ndim}; use transpose(dim0, dim1), or .mT for the last "
            "two"
        )
    return _ordered(input, tuple(reversed(range(input.ndim))))


@op(method=True, grad_name="permute")
def movedim(input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """Dims moved to other positions; the rest keep their order.

    >>> gleed.movedim(gleed.zeros(2, 3, 4), 0, -1).shape
    gleed.Size([3, 4, 2])
    """
    given = (source,) if isinstance(source, int) else tuple(source)
    target = (destination,) if isinstance(destination, int) else tuple(destination)
    from_ = [axis_of("movedim", d, input.ndim) for d in given]
    to = [axis_of("movedim", d, input.ndim) for d in target]
    if len(from_) != len(to) or len(set(from_)) < len(from_) or len(set(to)) < len(to):
        raise RangeError(
            f"movedim: source and destination must list as many different dims; got {source!r} and "
            f"{destination!r}; check for repeats"
        )
    rest = iter(a for a in range(input.ndim) if a not in from_)
    place = dict(zip(to, from_, strict=True))
    return _ordered(input, tuple(place[a] if a in place else next(rest) for a in range(input.ndim)))


# ---- repetition without memory
@op(method=True, varargs="size", namespace="", view=True)
def expand(input: Tensor, size: Ints) -> Tensor:
    """A view with dims of size 1 repeated to `size`; -1 keeps a dim.

    >>> gleed.tensor([[1], [2]]).expand(2, 3)
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    return _expanded("expand", input, size)


@op(method=True, varargs="size", namespace="")
def sum_to_size(input: Tensor, size: Ints) -> Tensor:
    """What `expand` does, undone: the sum over what it would repeat to get from `size` to the shape
    of `input`.

    >>> gleed.ones(2, 3).sum_to_size(1, 3)
    tensor([[2., 2., 2.]])
    """
    lead = input.ndim - len(size)
    wanted = (*(1 for _ in range(lead)), *size)
    if lead < 0 or not all(n == 1 or n == m for n, m in zip(wanted, input.shape, strict=True)):
        raise ShapeError(
            "sum_to_size: the size must be one that broadcasts to the input's shape; got "
            f"{shape_text(size)} for {shape_text(input.shape)}; give 1 for dims to sum over"
        )
    if len(size) == 0:
        return reduction.sum(input)
    pairs = zip(wanted, input.shape, strict=True)
    axes = tuple(i for i, (n, m) in enumerate(pairs) if i < lead or n != m)
    return p.reshape(reduction.sum(input, axes), shape=tuple(size)) if axes else input


@op(method=True, grad_name="expand", view=True)
def broadcast_to(input: Tensor, size: Ints) -> Tensor:
    """A view repeated to `size`, as `expand`.

    >>> gleed.broadcast_to(gleed.tensor([1, 2]), (2, 2))
    tensor([[1, 2],
            [1, 2]])
    """
    return _expanded("broadcast_to", input, size)


@op(method=True, namespace="", grad_name="expand", view=True)
def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """`expand` to the shape of `other`.

    >>> gleed.tensor([1, 2]).expand_as(gleed.zeros(3, 2)).shape
    gleed.Size([3, 2])
    """
    return _expanded("expand_as", input, other.shape)


def _expanded(name: str, x: Tensor, size: Sequence[Size]) -> Tensor:
    lead = len(size) - x.ndim
    shape: list[Size] = []
    fits = lead >= 0
    for a, n in enumerate(size if fits else ()):
        if a < lead:
            fits = fits and n >= 0
            shape.append(n)
            continue
        own = x.shape[a - lead]
        keep = n == -1
        fits = fits and (keep or own == n or own == 1)
        shape.append(own if keep or own == n else n)
    if not fits:
        raise ShapeError(
            f"{name}: only dims of size 1 can be repeated, counted from the last; got "
            f"{shape_text(size)} for shape {shape_text(x.shape)}; unsqueeze first, or use repeat"
        )
    return expand_to(x, tuple(shape))


# ---- parts
@op(method=True, grad_name="slice")
def narrow(input: Tensor, dim: int, start: Int, length: Int) -> Tensor:
    """`length` elements along `dim`, from `start` on (from the end if negative).

    >>> gleed.narrow(gleed.arange(5), 0, 1, 3)
    tensor([1, 2, 3])
    """
    axis = axis_of("narrow", dim, input.ndim)
    size = input.shape[axis]
    begin = start + size if start < 0 else start
    if begin < 0 or length < 0 or not begin + length <= size:
        raise BoundsError(
            f"narrow: start and length must lie within the dim; got start {_value(start)} and "
            f"length {_value(length)} for size {_value(size)} of dim {dim}; shorten the part"
        )
    return p.slice(input, axis=axis, start=begin, step=1, length=length)


@op(method=True)
def select(input: Tensor, dim: int, index: Int) -> Tensor:
    """One place along `dim`, which disappears.

    >>> gleed.select(gleed.tensor([[1, 2], [3, 4]]), 1, -1)
    tensor([2, 4])
    """
    if input.ndim == 0:
        raise BoundsError("select: a 0-d tensor has no dim to select from; got 0 dims; use .item()")
    return select_along("select", input, axis_of("select", dim, input.ndim), index)


def select_along(name: str, x: Tensor, axis: int, index: Size) -> Tensor:
    """`x[index]` along `axis`, without that axis."""
    size = x.shape[axis]
    place = index + size if index < 0 else index
    if place < 0 or not place < size:
        raise BoundsError(
            f"{name}: index is out of range; got index {_value(index)} for dim {axis} of size "
            f"{_value(size)}; use {-_value(size)} … {_value(size) - 1}"
        )
    part = p.slice(x, axis=axis, start=place, step=1, length=1)
    return p.view(part, shape=(*x.shape[:axis], *x.shape[axis + 1 :]))


@op(method=True)
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of two dims, as a new last dim; `offset` > 0 lies above it.

    >>> gleed.diagonal(gleed.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    a, b = axis_of("diagonal", dim1, input.ndim), axis_of("diagonal", dim2, input.ndim)
    if a == b:
        raise RangeError(
            f"diagonal: dim1 and dim2 must differ; got {dim1} and {dim2}; name two dims"
        )
    rows, columns = input.shape[a], input.shape[b]
    if offset >= 0:
        columns = columns - offset
    else:
        rows = rows + offset
    length = rows if rows <= columns else columns
    length = length if length > 0 else 0
    return p.diagonal(input, axis1=a, axis2=b, offset=offset, length=length)


@op(method=True, namespace="")
def unfold(input: Tensor, dimension: int, size: Int, step: Int) -> Tensor:
    """All stretches of `size` along a dim, `step` apart, as a view with a new last dim.

    >>> gleed.arange(5).unfold(0, 3, 1)
    tensor([[0, 1, 2],
            [1, 2, 3],
            [2, 3, 4]])
    """
    axis = axis_of("unfold", dimension, input.ndim)
    total = input.shape[axis] if input.ndim else 1
    if not size <= total or size < 0 or step <= 0:
        raise RangeError(
            f"unfold: the stretch must fit the dim and the step be positive; got size "
            f"{_value(size)} and step {_value(step)} for size {_value(total)}; use a smaller size"
        )
    if input.ndim == 0:
        return p.slice(p.view(input, shape=(1,)), axis=0, start=0, step=1, length=size)
    count = (total - size) // step + 1
    return p.window(input, axis=axis, size=size, step=step, count=count)


@op(name="_as_strided", namespace="", grad_name="as_strided")
def strided_view(
    input: Tensor,
    size: Ints,
    stride: Ints,
    storage_offset: Int | None,
    own_stride: Ints,
    own_offset: Int,
) -> Tensor:
    """`as_strided` of a tensor whose own strides and offset are given, for its gradient."""
    if len(size) != len(stride):
        raise RangeError(
            f"as_strided: size and stride must be equally long; got {len(size)} and {len(stride)}; "
            "give one stride per dim"
        )
    own = (*own_stride, own_offset)
    shape, strides = tuple(size), tuple(stride)
    return p.as_strided(input, shape=shape, strides=strides, offset=storage_offset, own=own)


@function(method=True)
def as_strided(input: Any, size: Any, stride: Any, storage_offset: int | None = None) -> Any:
    """Any view of the memory: element (i, j, …) lies at storage_offset + i*stride[0] + …, counted
    from the start of the storage, or of the tensor if no offset is given; places may repeat.

    >>> import gleed
    >>> gleed.as_strided(gleed.arange(4), (2, 2), (1, 1))
    tensor([[0, 1],
            [1, 2]])
    """
    if not isinstance(input, _C.Tensor):
        raise ArgumentError(
            f"as_strided: input must be a Tensor; got {type(input).__name__}; use gleed.tensor()"
        )
    own = input.stride(), input.storage_offset()
    return strided_view.public(input, size, stride, storage_offset, *own)


# ---- several parts at once
@op(method=True, result=tuple)
def split(input: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Parts along `dim`: each of the given size (the last may be smaller), or of the listed sizes.

    >>> gleed.split(gleed.arange(5), 2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    axis = axis_of("split", dim, input.ndim)
    total = int(input.shape[axis])
    if isinstance(split_size_or_sections, int):
        size = split_size_or_sections
        if size < 0 or (size == 0 and total != 0):
            raise RangeError(
                f"split: split_size must be positive; got {size} for size {total} of dim {dim}; "
                "use 1 or more"
            )
        sizes = [min(size, total - start) for start in range(0, total, size or 1)] or [0]
    else:
        sizes = list(split_size_or_sections)
        if sum(sizes) != total or any(n < 0 for n in sizes):
            raise RangeError(
                f"split: the sizes must add up to the size of dim {dim}; got {sizes} for {total}; "
                "correct one of them"
            )
    return _parts(input, axis, sizes)


def _parts(x: Tensor, axis: int, sizes: Sequence[Size]) -> tuple[Tensor, ...]:
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return tuple(
        p.slice(x, axis=axis, start=start, step=1, length=size)
        for start, size in zip(starts, sizes, strict=True)
    )


@op(method=True, result=tuple)
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` parts of equal size along `dim`; the last may be smaller.

    >>> gleed.chunk(gleed.arange(5), 2)
    (tensor([0, 1, 2]), tensor([3, 4]))
    """
    if chunks < 1:
        raise RangeError(f"chunk: at least one chunk is needed; got {chunks}; use 1 or more")
    axis, total = axis_of("chunk", dim, input.ndim), input.shape[dim]
    size = (total + chunks - 1) // chunks
    sizes: list[Size] = []
    while len(sizes) < chunks - 1 and not 0 < total <= size:
        sizes.append(size)
        total -= size
    return _parts(input, axis, [*sizes, total])


@op(method=True, result=tuple)
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Every place along `dim`, as a tuple.

    >>> gleed.unbind(gleed.tensor([[1, 2], [3, 4]]))
    (tensor([1, 2]), tensor([3, 4]))
    """
    if input.ndim == 0:
        raise ShapeError("unbind: a 0-d tensor has no dim; got 0 dims; use .item()")
    axis = axis_of("unbind", dim, input.ndim)
    return tuple(select_along("unbind", input, axis, i) for i in range(int(input.shape[axis])))


def _view_samples() -> None:
    shapes = {
        reshape: [((2, 3), (3, 2)), ((2, 3, 4), (6, -1)), ((), (1, 1)), ((0, 3), (3, 0))],
        view: [((2, 3), (3, 2)), ((2, 3, 4), (-1,))],
        expand: [((3, 1), (2, 3, 4)), ((1,), (5,))],
        flatten: [((2, 3, 4), 1), ((),)],
        permute: [((2, 3, 4), (2, 0, 1)), ((2, 3), (-1, 0))],
        transpose: [((2, 3, 4), 0, -1), ((3, 4), 0, 1)],
        unsqueeze: [((2, 3), 1), ((), 0), ((3,), -1)],
        squeeze: [((1, 3, 1),), ((1, 3), 0), ((2, 3), 1)],
        narrow: [((5, 3), 0, 1, 3), ((4, 6), 1, -3, 2)],
        select: [((3, 4), 1, 2), ((3, 4, 2), 0, -1)],
        diagonal: [((3, 4),), ((3, 4), 1), ((2, 3, 3), -1, 1, 2)],
        unfold: [((7,), 0, 3, 2), ((2, 6), 1, 2, 1)],
        split: [((5, 2), 2), ((6,), (1, 2, 3))],
        chunk: [((5, 2), 2), ((6,), 4)],
        unbind: [((3, 2),), ((3, 2), 1)],
        ravel: [((2, 3),), ((),)],
        unflatten: [((2, 12), 1, (3, -1)), ((6,), 0, (2, 3))],
        t: [((2, 3),), ((3,),)],
        movedim: [((2, 3, 4), 0, -1), ((2, 3, 4), (0, 1), (2, 0))],
        broadcast_to: [((3, 1), (2, 3, 4)), ((), (2,))],
        sum_to_size: [((2, 3, 4), (3, 1)), ((2, 3), (2, 3)), ((0, 3), (1, 3)), ((), ())],
    }
    for record, calls in shapes.items():

        @record.samples
        def _(make: Any, calls: Any = calls) -> Any:
            for shape, *rest in calls:
                yield make.call(make.tensor(shape), *rest)

    for record in (view_as, reshape_as):

        @record.samples
        def _(make: Any) -> Any:
            yield make.call(make.tensor((2, 3)), make.tensor((3, 2)))

    @expand_as.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((3, 1)), make.tensor((2, 3, 4)))


_view_samples()
