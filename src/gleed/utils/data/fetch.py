"""Batches out of data sets: by index, in turn, or gathered whole out of tensors in memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import gleed
from gleed._C import Tensor
from gleed.errors import GleedError
from gleed.utils.data.collate import default_collate
from gleed.utils.data.dataset import IterableDataset, Subset, TensorDataset, samples_of
from gleed.utils.data.sampler import (
    BatchSampler,
    BlockSampler,
    IndexBlock,
    RandomSampler,
    SequentialSampler,
    batches_of_blocks,
)

Fetch: TypeAlias = Callable[[Any], Any]
"""Takes what the sampler gave and returns the batch; raises StopIteration when nothing is left."""

Gather: TypeAlias = Callable[[IndexBlock], list[Tensor]]
"""Takes indices and returns the batch of their samples."""

# Only these very types are taken in blocks: a subclass may draw its indices in its own way.
_BLOCK_SAMPLERS = (SequentialSampler, RandomSampler)


@dataclass(frozen=True, eq=False)
class Reading:
    """One pass through a data set: what to fetch, in order, and the way to fetch it.

    `open` is called once by each thread that fetches.
    """

    indices: Iterator[Any]
    open: Callable[[], Fetch]


def begin_reading(
    dataset: Any,
    sampler: Iterable,
    batched: bool,
    batch_size: int | None,
    collate_fn: Callable,
    drop_last: bool,
) -> Reading:
    """Begin a pass through `dataset` in the order of `sampler`, of batches if it is `batched`."""
    if isinstance(dataset, IterableDataset):
        options = (dataset, batch_size, collate_fn, drop_last)
        return Reading(itertools.repeat(None), lambda: _fetch_in_turn(*options))
    if not batched:
        single = _explaining_stop(lambda index: collate_fn(dataset[index]))
        return Reading(iter(sampler), lambda: single)
    fetch = _explaining_stop(lambda indices: collate_fn(samples_of(dataset, indices)))
    gather = make_gather(dataset) if collate_fn is default_collate else None
    if gather is not None and type(sampler) is BatchSampler:
        order = sampler.sampler
        if isinstance(order, BlockSampler) and type(order) in _BLOCK_SAMPLERS:
            batches = batches_of_blocks(order.blocks(), sampler.batch_size, sampler.drop_last)
            return Reading(batches, lambda: gather)
    return Reading(iter(sampler), lambda: fetch)


def make_gather(dataset: Any) -> Gather | None:
    """Return the function that takes a batch of `dataset` out of its tensors, None if it cannot."""
    if type(dataset) is TensorDataset:
        return lambda indices: [_rows(tensor, indices) for tensor in dataset.tensors]
    if type(dataset) is not Subset or not _are_plain(dataset.indices):
        return None
    inner = make_gather(dataset.dataset)
    if inner is None:
        return None
    positions = _positions(dataset.indices, len(dataset.dataset))
    return lambda indices: inner(_rows(positions, indices))


def _explaining_stop(fetch: Fetch) -> Fetch:
    """Turn a StopIteration in the user's code, which would end the epoch, into an error."""

    def explaining(index: Any) -> Any:
        try:
            return fetch(index)
        except StopIteration as stop:
            raise GleedError(
                "DataLoader: a data set with indices has a sample for each; it raised "
                f"StopIteration for {index!r}; look for a stray next(), or derive it from "
                "IterableDataset"
            ) from stop

    return explaining


def _rows(tensor: Tensor, indices: IndexBlock) -> Tensor:
    """Copy the rows of `tensor` at `indices` into a new tensor."""
    if isinstance(indices, range):
        return tensor[indices.start : indices.stop].clone()
    return tensor.index_select(0, indices)


def _are_plain(indices: Any) -> bool:
    if isinstance(indices, Tensor):
        return indices.ndim == 1 and indices.dtype == gleed.int64
    is_list = isinstance(indices, Sequence) and set(map(type, indices)) <= {int}
    return is_list or isinstance(indices, range)


def _positions(indices: Sequence[int] | Tensor, length: int) -> Tensor:
    """Return `indices` as a tensor, counted from the front where they are negative."""
    positions = gleed.as_tensor(indices, dtype=gleed.int64)
    return gleed.where(positions < 0, positions + length, positions)


def _fetch_in_turn(
    dataset: IterableDataset, batch_size: int | None, collate_fn: Callable, drop_last: bool
) -> Fetch:
    samples = iter(dataset)

    def fetch(_: Any) -> Any:
        if batch_size is None:
            return collate_fn(next(samples))
        batch = list(itertools.islice(samples, batch_size))
        if not batch or (drop_last and len(batch) < batch_size):
            raise StopIteration
        return collate_fn(batch)

    return fetch
