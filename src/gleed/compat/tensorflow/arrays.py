"""TensorFlow's names of what makes, joins, selects and rearranges."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

from gleed.compat.tensorflow.convert import (
    apply,
    constant,
    convert_to_tensor,
    operands,
    sizes,
)
from gleed.compat.tensorflow.convert import stack as stack
from gleed.errors import ArgumentError, ShapeError
from gleed.graph.data import as_dtype
from gleed.graph.node import Node, nodes_in
from gleed.graph.shape import Shape
from gleed.graph.sizes import SizeNode, shape_of
from gleed.lazy import lazy
from gleed.ops.record import OPS

numpy = lazy("numpy")


# ---- new ones
def zeros(shape: Any, dtype: Any = "float32", name: str | None = None) -> Node:
    """Zeros."""
    return apply(OPS["zeros"], name, "zeros", sizes(shape), dtype=as_dtype(dtype))


def ones(shape: Any, dtype: Any = "float32", name: str | None = None) -> Node:
    """Ones."""
    return apply(OPS["ones"], name, "ones", sizes(shape), dtype=as_dtype(dtype))


def fill(dims: Any, value: Any, name: str | None = None) -> Node:
    """The same number everywhere."""
    if isinstance(value, Node):
        return apply(OPS["mul"], name, "Fill", ones(dims, value.dtype), value)
    dtype = constant(value).dtype
    return apply(OPS["full"], name, "Fill", sizes(dims), value, dtype=dtype)


def zeros_like(tensor: Any, dtype: Any = None, name: str | None = None) -> Node:
    """Zeros of the shape and dtype of another node."""
    kind = None if dtype is None else as_dtype(dtype)
    return apply(OPS["zeros_like"], name, "zeros_like", convert_to_tensor(tensor), dtype=kind)


def ones_like(tensor: Any, dtype: Any = None, name: str | None = None) -> Node:
    """Ones of the shape and dtype of another node."""
    kind = None if dtype is None else as_dtype(dtype)
    return apply(OPS["ones_like"], name, "ones_like", convert_to_tensor(tensor), dtype=kind)


def eye(
    num_rows: int, num_columns: int | None = None, dtype: Any = "float32", name: str = "eye"
) -> Node:
    """Ones on the diagonal, zeros elsewhere."""
    return constant(numpy.eye(num_rows, num_columns), dtype, name=name)


def linspace(start: float, stop: float, num: int, name: str = "LinSpace") -> Node:
    """Numbers at equal distances, both ends among them."""
    return constant(numpy.linspace(start, stop, num), "float32", name=name)


lin_space = linspace


def range(
    start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str = "range"
) -> Node:
    """start, start + delta, … below `limit`; from 0 if only one number is given. Ends may be sizes
    that are not known yet."""
    start, limit = (0, start) if limit is None else (start, limit)
    if next(nodes_in((start, limit)), None) is None:
        numbers = numpy.arange(start, limit, delta)
        kind = "float32" if numbers.dtype.kind == "f" else "int32"
        return constant(numbers, kind if dtype is None else dtype, name=name)
    count = (limit - start + delta - 1) // delta
    whole = as_dtype("int32" if dtype is None else dtype)
    return apply(OPS["_arange"], name, "range", start, delta, count, whole)


# ---- shapes
def shape(input: Any, name: str | None = None, out_type: Any = None) -> SizeNode:
    """The sizes when a session runs, as int32."""
    return shape_of(convert_to_tensor(input))


def rank(input: Any, name: str | None = None) -> Node:
    """The number of dims."""
    return constant(len(convert_to_tensor(input).shape), name="Rank")


def size(input: Any, name: str | None = None) -> Node:
    """The number of elements."""
    found = shape(input)
    total: Any = 1
    for i, _ in enumerate(found.values):
        total = found[i] * total
    return total if isinstance(total, Node) else constant(total, name="Size")


def reshape(tensor: Any, shape: Any, name: str | None = None) -> Node:
    """The same elements in another shape; one size may be -1.

    >>> import gleed.compat.tensorflow as tf
    >>> tf.reshape(tf.placeholder(tf.float32, [None, 784]), [-1, 28, 28, 1]).shape
    Shape([None, 28, 28, 1])
    """
    return apply(OPS["reshape"], name, "Reshape", convert_to_tensor(tensor), sizes(shape))


def transpose(a: Any, perm: Any = None, name: str = "transpose") -> Node:
    """The dims in another order, reversed if none is given."""
    x = convert_to_tensor(a)
    order = tuple(reversed([i for i, _ in enumerate(x.shape)])) if perm is None else sizes(perm)
    return apply(OPS["permute"], name, "transpose", x, order)


matrix_transpose = transpose


def expand_dims(
    input: Any, axis: int | None = None, name: str | None = None, dim: int | None = None
) -> Node:
    """A dim of size 1 more, at `axis`."""
    place = axis if axis is not None else dim or 0
    return apply(OPS["unsqueeze"], name, "ExpandDims", convert_to_tensor(input), place)


def squeeze(
    input: Any, axis: Any = None, name: str | None = None, squeeze_dims: Any = None
) -> Node:
    """Without dims of size 1: all of them, or those at `axis`, which must be of size 1."""
    x = convert_to_tensor(input)
    axis = squeeze_dims if axis is None else axis
    if axis is None:
        return apply(OPS["squeeze"], name, "Squeeze", x)
    axes = sizes(axis)
    for place in axes:
        if x.shape[place] not in (None, 1):
            raise ShapeError(
                f"squeeze: dims that are dropped must be of size 1; dim {place} of {x.describe()}, "
                f"made at {x.op.place}, is not; use reshape"
            )
    return apply(OPS["squeeze"], name, "Squeeze", x, axes)


def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Node:
    """Repeated along dims of size 1 to a shape."""
    return apply(OPS["expand"], name, "BroadcastTo", convert_to_tensor(input), sizes(shape))


# ---- joining and parting
def concat(values: Sequence[Any], axis: int, name: str = "concat") -> Node:
    """Nodes behind one another along a dim that exists."""
    return apply(OPS["cat"], name, "concat", operands(*values), int(axis))


def unstack(value: Any, num: int | None = None, axis: int = 0, name: str = "unstack") -> list[Node]:
    """The parts along a dim, whose size must be known, without it."""
    return list(apply(OPS["unbind"], name, "unstack", convert_to_tensor(value), axis))


def split(
    value: Any, num_or_size_splits: Any, axis: int = 0, num: int | None = None, name: str = "split"
) -> list[Node]:
    """Equal parts along a dim, as many as the number says, or parts of the sizes in a list.

    Raises ShapeError if the number does not divide the size.
    """
    x = convert_to_tensor(value)
    if not isinstance(num_or_size_splits, int):
        parts: Any = [int(n) for n in num_or_size_splits]
    else:
        total = x.shape[axis]
        if total is None or total % num_or_size_splits:
            raise ShapeError(
                f"split: the number of parts must divide the size; {num_or_size_splits} came for "
                f"dim {axis} of {x.describe()}, made at {x.op.place}; give a list of sizes"
            )
        parts = total // num_or_size_splits
    return list(apply(OPS["split"], name, "split", x, parts, axis))


def tile(input: Any, multiples: Any, name: str | None = None) -> Node:
    """Repeated so many times along each dim."""
    return apply(OPS["tile"], name, "Tile", convert_to_tensor(input), sizes(multiples))


def pad(
    tensor: Any,
    paddings: Any,
    mode: str = "CONSTANT",
    name: str | None = None,
    constant_values: float = 0,
) -> Node:
    """More elements around, a pair of counts per dim; `mode` is "CONSTANT" or "REFLECT"."""
    pairs = paddings.op.args[0].tolist() if isinstance(paddings, Node) else list(paddings)
    counts = [int(n) for pair in reversed(pairs) for n in pair]  # the last dim first
    while mode == "REFLECT" and counts[-2:] == [0, 0]:
        counts = counts[:-2]
    x = convert_to_tensor(tensor)
    value = (constant_values,) if mode == "CONSTANT" else ()
    return apply(OPS["pad"], name, "Pad", x, counts, mode.lower(), *value)


def reverse(tensor: Any, axis: Any, name: str | None = None) -> Node:
    """In reverse order along dims."""
    return apply(OPS["flip"], name, "ReverseV2", convert_to_tensor(tensor), sizes(axis))


def meshgrid(*args: Any, indexing: str = "xy", name: str = "meshgrid") -> list[Node]:
    """Vectors repeated to the grid that they span; "xy" exchanges the first two dims."""
    nodes = [convert_to_tensor(x) for x in args]
    return list(apply(OPS["meshgrid"], name, "meshgrid", *nodes, indexing=indexing))


def roll(input: Any, shift: Any, axis: Any, name: str | None = None) -> Node:
    """Moved along dims; what leaves one end comes in at the other."""
    return apply(OPS["roll"], name, "Roll", convert_to_tensor(input), shift, axis)


def sort(values: Any, axis: int = -1, direction: str = "ASCENDING", name: str = "sort") -> Node:
    """In order along a dim."""
    down = direction == "DESCENDING"
    return apply(OPS["sort"], None, name, convert_to_tensor(values), axis, down)[0]


def argsort(
    values: Any, axis: int = -1, direction: str = "ASCENDING", stable: bool = False,
    name: str = "argsort",
) -> Node:  # fmt: skip
    """Where the elements in order are along a dim."""
    down = direction == "DESCENDING"
    places = apply(OPS["sort"], None, name, convert_to_tensor(values), axis, down)[1]
    return apply(OPS["_to"], name, "argsort", places, as_dtype("int32"))


# ---- selecting
def slice(input_: Any, begin: Any, size: Any, name: str | None = None) -> Node:
    """`size` elements from `begin` on along each dim; -1 for all that follow."""
    x = convert_to_tensor(input_)
    starts, counts = sizes(begin), sizes(size)
    ends = (None if n == -1 else b + n for b, n in zip(starts, counts, strict=True))
    index = tuple(builtins.slice(b, end) for b, end in zip(starts, ends, strict=True))
    return x[index]


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Node:
    """`x` where the condition holds, `y` elsewhere; without them, the places where it holds.

    A condition with one dim chooses whole rows.
    """
    chosen = convert_to_tensor(condition)
    if x is None or y is None:
        return apply(OPS["nonzero"], name, "Where", chosen)
    x, y = operands(x, y)
    rows = isinstance(x, Node) and chosen.ndim == 1 and (x.ndim or 0) > 1
    if rows:
        chosen = chosen.reshape(-1, *(1 for _ in x.shape[1:]))
    return apply(OPS["where"], name, "Select", chosen, x, y)


def gather(params: Any, indices: Any, axis: int = 0, name: str | None = None) -> Node:
    """The slices of `params` along `axis` at the integers `indices`."""
    table, places = convert_to_tensor(params), convert_to_tensor(indices)
    return apply(OPS["index"], name, "GatherV2", table, (axis,), [places])


def boolean_mask(tensor: Any, mask: Any, name: str = "boolean_mask") -> Node:
    """The rows where the mask holds."""
    return convert_to_tensor(tensor)[convert_to_tensor(mask)]


def one_hot(
    indices: Any,
    depth: int,
    on_value: Any = None,
    off_value: Any = None,
    axis: int | None = None,
    dtype: Any = None,
    name: str | None = None,
) -> Node:
    """`on_value` (1) at the class of every element along a new dim of `depth`, `off_value` (0)
    elsewhere; zeros for classes that are not there."""
    on, off = 1 if on_value is None else on_value, 0 if off_value is None else off_value
    kind = as_dtype(dtype or ("float32" if on_value is None else constant(on).dtype))
    places = convert_to_tensor(indices)
    here = apply(OPS["eq"], None, "one_hot", places.unsqueeze(-1), numpy.arange(depth))
    if axis not in (None, -1):
        here = here.movedim(-1, axis)
    chosen = here if (on, off) == (1, 0) else apply(OPS["where"], None, "one_hot", here, on, off)
    return apply(OPS["_to"], name, "one_hot", chosen, kind)


def sequence_mask(
    lengths: Any, maxlen: int | None = None, dtype: Any = "bool", name: str = "SequenceMask"
) -> Node:
    """Ones before every length along a new dim of `maxlen`, zeros behind."""
    if maxlen is None:
        raise ArgumentError("sequence_mask: the size must be known; give maxlen")
    counts = convert_to_tensor(lengths).unsqueeze(-1)
    return apply(OPS["_to"], name, "SequenceMask", counts > numpy.arange(maxlen), as_dtype(dtype))


def confusion_matrix(
    labels: Any, predictions: Any, num_classes: int, dtype: Any = "int32", name: str | None = None
) -> Node:
    """How often each class (row) was taken for each (column)."""
    rows, columns = (one_hot(x, num_classes) for x in (labels, predictions))
    counts = rows.transpose(0, 1) @ columns
    return apply(OPS["_to"], name, "confusion_matrix", counts, as_dtype(dtype))


def TensorShape(dims: Any) -> Shape:
    """A shape with None for sizes that are not known."""
    return Shape(dims)
