"""Batches out of data sets: by index, in turn, or gathered whole out of tensors in memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import gleed
from gleed import Tensor
from gleed.utils.data.collate import default_collate
from gleed.utils.data.dataset import IterableDataset, Subset, TensorDataset, samples_of
from gleed.utils.data.sampler import (
    BatchSampler,
    IndexBlock,
    RandomSampler,
    SequentialSampler,
    WeightedRandomSampler,
    batches_of_blocks,
)

Fetch = Callable[[Any], Any]
"""Takes what the sampler gave and returns the batch; raises StopIteration when nothing is left."""

Gather = Callable[[IndexBlock], list[Tensor]]

# Only these very types are taken in blocks: a subclass may draw its indices in its own way.
_BLOCK_SAMPLERS = (SequentialSampler, RandomSampler, WeightedRandomSampler)


def make_fetch(
    dataset: Any, batched: bool, batch_size: int | None, collate_fn: Callable, drop_last: bool
) -> Fetch:
    """Return the function that reads batches (single samples unless `batched`) of `dataset`."""
    if isinstance(dataset, IterableDataset):
        return _fetch_in_turn(iter(dataset), batch_size, collate_fn, drop_last)
    if not batched:
        return lambda index: collate_fn(dataset[index])

    def fetch(indices: list) -> Any:
        return collate_fn(samples_of(dataset, indices))

    gather = make_gather(dataset) if collate_fn is default_collate else None
    if gather is None:
        return fetch

    def fetch_whole(indices: Any) -> Any:
        return gather(indices) if isinstance(indices, IndexBlock) else fetch(indices)

    return fetch_whole


def batched_indices(sampler: Iterable, dataset: Any, collate_fn: Callable) -> Iterator[Any]:
    """Iterate over the batches of `sampler`: as blocks if they can be gathered, else as lists."""
    if (
        type(sampler) is BatchSampler
        and type(sampler.sampler) in _BLOCK_SAMPLERS
        and collate_fn is default_collate
        and is_gathered(dataset)
    ):
        return batches_of_blocks(sampler.sampler.blocks(), sampler.batch_size, sampler.drop_last)
    return iter(sampler)


def is_gathered(dataset: Any) -> bool:
    """Say whether whole batches of `dataset` can be taken out of tensors in memory."""
    while type(dataset) is Subset:
        if not _are_plain_indices(dataset.indices):
            return False
        dataset = dataset.dataset
    return type(dataset) is TensorDataset


def make_gather(dataset: Any) -> Gather | None:
    """Return the function that takes a batch of `dataset` out of its tensors, or None."""
    if not is_gathered(dataset):
        return None
    if type(dataset) is TensorDataset:
        return lambda indices: [_rows(tensor, indices) for tensor in dataset.tensors]
    inner = make_gather(dataset.dataset)
    assert inner is not None
    positions = _positions(dataset.indices, len(dataset.dataset))
    return lambda indices: inner(_rows(positions, indices))


def _rows(tensor: Tensor, indices: IndexBlock) -> Tensor:
    """Copy the rows of `tensor` at `indices` into a new tensor."""
    if isinstance(indices, range):
        return tensor[indices.start : indices.stop].clone()
    return tensor.index_select(0, indices)


def _are_plain_indices(indices: Any) -> bool:
    if isinstance(indices, Tensor):
        return indices.ndim == 1 and indices.dtype == gleed.int64
    return isinstance(indices, range) or (
        isinstance(indices, Sequence) and all(type(index) is int for index in indices)
    )


def _positions(indices: Sequence[int] | Tensor, length: int) -> Tensor:
    """Return `indices` as a tensor, counted from the front where they are negative."""
    positions = gleed.as_tensor(indices, dtype=gleed.int64)
    return gleed.where(positions < 0, positions + length, positions)


def _fetch_in_turn(
    samples: Iterator, batch_size: int | None, collate_fn: Callable, drop_last: bool
) -> Fetch:
    def fetch(_: Any) -> Any:
        if batch_size is None:
            return collate_fn(next(samples))
        batch = list(itertools.islice(samples, batch_size))
        if not batch or (drop_last and len(batch) < batch_size):
            raise StopIteration
        return collate_fn(batch)

    return fetch
