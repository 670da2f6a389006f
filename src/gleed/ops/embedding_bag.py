"""Sums, means and maxima of bags of embeddings, without their embeddings in memory."""

from __future__ import annotations

from typing import Any

from gleed import primitives as p
from gleed.errors import DTypeError, RangeError, ShapeError
from gleed.ops.indexing import by_frequency, renormalize, require_bounds
from gleed.ops.logic import where
from gleed.ops.promotion import convert
from gleed.ops.record import OPS, Int, Tensor, function, op

NOTHING = float("-inf")


def _rows(
    input: Tensor, weight: Tensor, scales: Tensor | None, padding: Any, by_freq: bool
) -> tuple[Tensor, Tensor]:
    """The embeddings along a new last dim, and which of them count."""
    index = convert(input, "i64")
    table = by_frequency(index, weight) if by_freq else weight
    shape = (*input.shape, weight.shape[1])
    spread = p.broadcast(index, shape=shape, axes=tuple(range(input.ndim)))
    rows = p.gather(table, spread, axes=(0,), mapping=(input.ndim,))
    if scales is not None:
        rows = rows * convert(scales, weight.dtype).unsqueeze(-1)
    if padding is None:
        return rows, p.fill(index, 1)
    row = padding + weight.shape[0] if padding < 0 else padding
    return rows, convert(index != row, "i64")


@op(name="_embedding_bag", namespace="", grad_name="embedding_bag")
def embedding_bag_of_rows(
    input: Tensor,
    weight: Tensor,
    per_sample_weights: Tensor | None,
    padding_idx: Int | None,
    mode: str,
    scale_grad_by_freq: bool,
) -> Tensor:
    """One bag a row: [bags, size] → [bags, dim]."""
    rows, counts = _rows(input, weight, per_sample_weights, padding_idx, scale_grad_by_freq)
    live = counts.unsqueeze(-1) > 0
    if mode == "max":
        found = p.reduce_max(where(live, rows, NOTHING), axes=(1,))
        return where(p.reduce_any(live, axes=(1,)), found, 0)
    total = p.reduce_sum(where(live, rows, 0), axes=(1,))
    if mode == "sum":
        return total
    number = p.reduce_sum(counts, axes=(1,)).clamp_min(1)
    return total / convert(number, weight.dtype).unsqueeze(-1)


@op(name="_embedding_bag", namespace="", grad_name="embedding_bag")
def embedding_bag_by_offsets(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor,
    per_sample_weights: Tensor | None,
    padding_idx: Int | None,
    mode: str,
    scale_grad_by_freq: bool,
) -> Tensor:
    """Bags one after another, each from its offset on: [elements] → [bags, dim]."""
    rows, counts = _rows(input, weight, per_sample_weights, padding_idx, scale_grad_by_freq)
    bags, size = offsets.shape[0], input.shape[0]
    starts = convert(offsets, "i64")
    marks = input.trace.full((size + 1,), 0, "i64")
    marks = p.scatter(marks, p.fill(starts, 1), starts, axes=(0,), mapping=(), mode="add")
    bag = p.slice(p.scan_sum(marks, axis=0), axis=0, start=0, step=1, length=size) - 1
    spread = p.broadcast(bag, shape=rows.shape, axes=(0,))
    live = counts.unsqueeze(-1) > 0

    def collected(values: Tensor, start: float, how: str) -> Tensor:
        base = input.trace.full((bags, rows.shape[1]), start, rows.dtype)
        return p.scatter(base, values, spread, axes=(0,), mapping=(1,), mode=how)

    if mode == "sum":
        return collected(where(live, rows, 0), 0, "add")
    number = input.trace.full((bags,), 0, "i64")
    number = p.scatter(number, counts, bag, axes=(0,), mapping=(), mode="add").unsqueeze(-1)
    if mode == "max":
        return where(number > 0, collected(where(live, rows, NOTHING), NOTHING, "max"), 0)
    return collected(where(live, rows, 0), 0, "add") / convert(number.clamp_min(1), weight.dtype)


@embedding_bag_by_offsets.explain
def _(input: Any, weight: Any, *rest: Any) -> None:
    require_bounds("embedding_bag", input, weight.shape[0], 0)
    offsets = rest[0]
    require_bounds("embedding_bag", offsets, len(input) + 1, 0)
    _refuse_offsets(offsets)


@function(namespace="nn.functional")
def embedding_bag(
    input: Any,
    weight: Any,
    offsets: Any = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    """The sum, mean or maximum (`mode`) of the rows of `weight` at each bag of integers.

    input: (bags, size), or the bags one after another with `offsets`, where each begins; with
    `include_last_offset` a last offset says where the last bag ends. The result is (bags, dim);
    that of an empty bag is zero. `per_sample_weights`, of the input's shape, scale the rows of a
    sum. The row `padding_idx` does not count and gets no gradient. `max_norm`, `norm_type` and
    `scale_grad_by_freq` are as for `embedding`; gradients are dense also where `sparse` asks for
    others.

    >>> import gleed
    >>> table = gleed.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> index, offsets = gleed.tensor([0, 1, 1]), gleed.tensor([0, 2])
    >>> gleed.nn.functional.embedding_bag(index, table, offsets)
    tensor([[2., 3.],
            [3., 4.]])
    """
    _check(input, weight, offsets, mode, per_sample_weights)
    if max_norm is not None:
        renormalize(input, weight, max_norm, norm_type)
    options = per_sample_weights, padding_idx, mode, scale_grad_by_freq
    bag = OPS["_embedding_bag"].public
    if input.ndim == 2:
        return bag(input, weight, *options)
    return bag(input, weight, offsets[:-1] if include_last_offset else offsets, *options)


def _refuse_offsets(offsets: Any) -> None:
    raise RangeError(
        f"embedding_bag: offsets must be a vector that begins with 0; got {offsets.tolist()}; "
        "prepend 0"
    )


def _check(input: Any, weight: Any, offsets: Any, mode: str, scales: Any) -> None:
    if mode not in ("sum", "mean", "max"):
        raise RangeError(
            f'embedding_bag: mode must be "sum", "mean" or "max"; got {mode!r}; correct the name'
        )
    if input.is_floating_point() or weight.ndim != 2:
        raise DTypeError(
            "embedding_bag: integers and a matrix of rows are needed; got "
            f"{input.dtype} and weight {tuple(weight.shape)}; convert the input with .long()"
        )
    if input.ndim != (2 if offsets is None else 1):
        raise ShapeError(
            "embedding_bag: the input must be (bags, size) without offsets, or 1-dimensional with "
            f"them; got shape {tuple(input.shape)} with offsets={offsets}; drop or add offsets"
        )
    if offsets is not None and (offsets.ndim != 1 or len(offsets) == 0):
        _refuse_offsets(offsets)
    if scales is not None and (mode != "sum" or scales.shape != input.shape):
        raise ShapeError(
            'embedding_bag: per_sample_weights go with mode="sum" and have the shape of the input; '
            f"got mode={mode!r}, shapes {tuple(scales.shape)} and {tuple(input.shape)}; "
            "make them agree"
        )
