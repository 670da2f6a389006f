"""TensorFlow's names of what reads and writes at places that are data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gleed import _C
from gleed.compat.tensorflow.convert import apply, convert_to_tensor, function_of, sizes
from gleed.compat.tensorflow.math import cast
from gleed.errors import ShapeError
from gleed.graph.data import as_dtype
from gleed.graph.node import Composite, Node
from gleed.ops.record import OPS


def gather_nd(params: Any, indices: Any, name: str | None = None) -> Node:
    """The slices of `params` at the rows of `indices`, each row one place in the first dims.

    >>> import gleed.compat.tensorflow as tf
    >>> x = tf.gather_nd([[1, 2], [3, 4]], [[0, 0], [1, 0]])
    >>> with tf.Session() as session:
    ...     print(session.run(x))
    [1 3]
    """
    table, places = convert_to_tensor(params), convert_to_tensor(indices)
    _require_depth("gather_nd", places)
    return apply(Composite("gather_nd", _taken), name, "GatherNd", table, places)


def _taken(table: Any, places: Any) -> Any:
    axes = tuple(range(places.shape[-1]))
    return OPS["index"](table, axes, [places.select(-1, axis) for axis in axes]) if axes else table


def scatter_nd(indices: Any, updates: Any, shape: Any, name: str | None = None) -> Node:
    """Zeros of a shape with `updates` added at the rows of `indices`, each row one place in the
    first dims.

    >>> import gleed.compat.tensorflow as tf
    >>> x = tf.scatter_nd([[1], [3], [1]], [5, 6, 7], [5])
    >>> with tf.Session() as session:
    ...     print(session.run(x))
    [ 0 12  0  6  0]
    """
    places, values = convert_to_tensor(indices), convert_to_tensor(updates)
    _require_depth("scatter_nd", places)
    body = Composite("scatter_nd", _added)
    return apply(body, name, "ScatterNd", cast(places, "int64"), values, sizes(shape))


def _added(places: Any, values: Any, shape: Any) -> Any:
    depth = places.shape[-1]
    count, block = 1, 1
    for n in shape[:depth]:
        count = count * n
    for n in shape[depth:]:
        block = block * n
    row: Any = 0  # the place in a table of `count` blocks
    for axis in range(depth):
        row = row * shape[axis] + places.select(-1, axis)
    total = values.new_zeros((count, block))
    total = total.index_add(0, row.reshape((-1,)), values.reshape((-1, block)))
    return total.reshape(tuple(shape))


def _require_depth(op: str, places: Node) -> None:
    if places.shape.dims is None or not places.shape.dims or places.shape[-1] is None:
        raise ShapeError(
            f"{op}: the last dim of the indices must be known; {places.describe()} came, made at "
            f"{places.op.place}; give the placeholder its size"
        )


# How the elements of a segment become one.
SEGMENTS = {
    "unsorted_segment_max": "amax",
    "unsorted_segment_mean": "mean",
    "unsorted_segment_min": "amin",
    "unsorted_segment_prod": "prod",
    "unsorted_segment_sum": "sum",
}


def _segmented(data: Any, segments: Any, count: Any, how: str) -> Any:
    tail = tuple(data.shape[segments.ndim :])
    rows = data.reshape((-1, *tail))
    index = segments.reshape((-1, *(1 for _ in tail))).expand(rows.shape)
    empty = data.new_zeros((count, *tail))
    empty = empty + 1 if how == "prod" else empty
    return empty.scatter_reduce(0, index, rows, how, include_self=False)


def _segment(name: str, how: str) -> Callable[..., Node]:
    def function(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Node:
        x, segments = convert_to_tensor(data), cast(segment_ids, "int64")
        return apply(Composite(title, _segmented), name, title, x, segments, num_segments, how)

    title = "".join(part.title() for part in name.split("_"))
    return function


globals().update(
    {
        name: function_of(
            name, f"`{how}` of all rows of `data` with the same number in `segment_ids`; 0 (of "
            "prod: 1) where there are none.", _segment(name, how),
        )
        for name, how in SEGMENTS.items()
    }
)  # fmt: skip


def unique(x: Any, out_idx: Any = "int32", name: str | None = None) -> tuple[Node, Node]:
    """The different elements of a vector, in ascending order (TensorFlow's: as they come), and
    which of them each element is."""
    found = apply(OPS["unique"], name, "Unique", convert_to_tensor(x), return_inverse=True)
    return found[0], cast(found[1], as_dtype(out_idx))


def multinomial(
    logits: Any,
    num_samples: int,
    seed: int | None = None,
    name: str | None = None,
    output_dtype: Any = _C.int64,
) -> Node:
    """Classes drawn from softmax(logits) of each row, `num_samples` per row."""
    x = convert_to_tensor(logits)
    body = Composite("multinomial", _drawn, draws=True)
    found = apply(body, name, "Multinomial", x, num_samples, seed=seed)
    return found if as_dtype(output_dtype) is _C.int64 else cast(found, output_dtype)


def _drawn(logits: Any, count: int, generator: Any = None) -> Any:
    # The greatest of logits with Gumbel noise is so distributed (Gumbel, 1954).
    rows = logits.unsqueeze(1).expand((logits.shape[0], count, logits.shape[1]))
    noise = OPS["rand_like"](rows, generator=generator)
    noisy = rows - (-noise.log()).log()
    return noisy.argmax(-1)
