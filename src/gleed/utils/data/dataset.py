"""Data sets: samples by index (`Dataset`) or one after the other (`IterableDataset`)."""

from __future__ import annotations

import bisect
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar, cast

import gleed
from gleed import Generator
from gleed._C import Tensor
from gleed.errors import ArgumentError, BoundsError, RangeError, ShapeError

Sample = TypeVar("Sample", covariant=True)


class Dataset(Generic[Sample]):
    """Samples by index: a subclass defines `__getitem__` and, for most uses, `__len__`.

    A subclass may define `__getitems__`, which takes a list of indices and returns the list of
    their samples; `DataLoader` then reads a whole batch with one call. Data sets add up to a
    `ConcatDataset`.
    """

    def __getitem__(self, index: int) -> Sample:
        raise NotImplementedError(
            f"{type(self).__name__}: a Dataset defines __getitem__(self, index); this one does not"
        )

    def __add__(self, other: Dataset) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[Sample]):
    """Samples one after the other: a subclass defines `__iter__`, and may define `__len__`.

    Under a `DataLoader` with workers, every worker calls `__iter__` once per epoch; divide the
    samples between them by `get_worker_info()`, or each comes once per worker.
    """

    def __iter__(self) -> Iterator[Sample]:
        raise NotImplementedError(
            f"{type(self).__name__}: an IterableDataset defines __iter__(self); this one does not"
        )

    def __add__(self, other: Dataset) -> ChainDataset:  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Samples along the first dim of tensors of one length; a sample is a tuple of their rows.

    Raises ShapeError for tensors of different lengths, for none, and for one without dims.

    >>> data = TensorDataset(gleed.arange(6).view(3, 2), gleed.tensor([7, 8, 9]))
    >>> data[1]
    (tensor([2, 3]), tensor(8))
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor) -> None:
        shapes = [tuple(tensor.shape) for tensor in tensors]
        if not tensors or () in shapes or len({shape[0] for shape in shapes}) > 1:
            raise ShapeError(
                "TensorDataset: one or more tensors with first dims of one size are needed; got "
                f"shapes {shapes}; each holds one row per sample"
            )
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class StackDataset(Dataset[Any]):
    """Data sets of one length side by side: given by position a sample is a tuple, by name a dict.

    Raises RangeError for data sets of different lengths, for none, and for both ways at once.

    >>> StackDataset(image=["a", "b"], label=[0, 1])[1]
    {'image': 'b', 'label': 1}
    """

    datasets: tuple | dict

    def __init__(self, *datasets: Any, **named: Any) -> None:
        if bool(datasets) == bool(named):
            raise RangeError(
                "StackDataset: data sets are given all by position or all by name, one at least; "
                f"got {len(datasets)} by position and {len(named)} by name"
            )
        self.datasets = datasets or named
        lengths = [len(dataset) for dataset in self._parts()]
        if len(set(lengths)) > 1:
            raise RangeError(
                f"StackDataset: data sets of one length are needed; got lengths {lengths}"
            )
        self._length = lengths[0]

    def _parts(self) -> Sequence[Any]:
        return list(self.datasets.values()) if isinstance(self.datasets, dict) else self.datasets

    def _sample(self, parts: Sequence[Any]) -> Any:
        if isinstance(self.datasets, dict):
            return dict(zip(self.datasets, parts, strict=True))
        return tuple(parts)

    def __getitem__(self, index: int) -> Any:
        return self._sample([dataset[index] for dataset in self._parts()])

    def __getitems__(self, indices: list[int]) -> list[Any]:
        columns = []
        for dataset in self._parts():
            columns.append(samples_of(dataset, indices))
            if len(columns[-1]) != len(indices):
                raise RangeError(
                    f"StackDataset: {type(dataset).__name__}.__getitems__ returns one sample per "
                    f"index; got {len(columns[-1])} for {len(indices)} indices"
                )
        return [self._sample(parts) for parts in zip(*columns, strict=True)]

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset[Any]):
    """Data sets one behind the other.

    Raises RangeError for no data set, ArgumentError for an `IterableDataset` (see `ChainDataset`).

    >>> ConcatDataset(["ab", "cde"])[3]
    'd'
    """

    datasets: list[Any]
    cumulative_sizes: list[int]

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise RangeError("ConcatDataset: one data set at least is needed; got none")
        for dataset in self.datasets:
            if isinstance(dataset, IterableDataset):
                raise ArgumentError(
                    "ConcatDataset: data sets are read by index; got the IterableDataset "
                    f"{type(dataset).__name__}; chain those with ChainDataset"
                )
        self.cumulative_sizes = list(itertools.accumulate(map(len, self.datasets)))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        length = len(self)
        if not -length <= index < length:
            raise BoundsError(f"ConcatDataset: an index lies in [{-length}, {length}); got {index}")
        index %= length
        part = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[part][index - (self.cumulative_sizes[part - 1] if part else 0)]


class ChainDataset(IterableDataset[Any]):
    """Iterable data sets one behind the other.

    Raises ArgumentError, when it is read, for a part that is not an `IterableDataset`.
    """

    def __init__(self, datasets: Iterable[Dataset]) -> None:
        self.datasets = datasets

    def _parts(self) -> Iterator[IterableDataset]:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise ArgumentError(
                    "ChainDataset: every part is an IterableDataset; got "
                    f"{type(dataset).__name__}; join data sets with indices by ConcatDataset"
                )
            yield dataset

    def __iter__(self) -> Iterator[Any]:
        return itertools.chain.from_iterable(self._parts())

    def __len__(self) -> int:
        return sum(len(cast(Sized, dataset)) for dataset in self._parts())


class Subset(Dataset[Sample]):
    """The samples of `dataset` at `indices`, in their order.

    >>> list(Subset("abcdef", [4, 0, 4]))
    ['e', 'a', 'e']
    """

    dataset: Any
    indices: Sequence[int]

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices
        kind = type(self)
        if kind.__getitem__ is not Subset.__getitem__ and kind.__getitems__ is Subset.__getitems__:
            raise NotImplementedError(
                f"{kind.__name__}: a Subset that overrides __getitem__ overrides __getitems__ "
                "too, for DataLoader reads batches by it; `return [self[i] for i in indices]` does"
            )

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: list[int]) -> list[Any]:
        return samples_of(self.dataset, [self.indices[i] for i in indices])

    def __len__(self) -> int:
        return len(self.indices)


def samples_of(dataset: Any, indices: list[int]) -> Any:
    """Return the samples of `dataset` at `indices`: by its `__getitems__`, or one by one."""
    read = getattr(dataset, "__getitems__", None)
    return read(indices) if callable(read) else [dataset[index] for index in indices]


def random_split(
    dataset: Any, lengths: Sequence[float], generator: Generator | None = None
) -> list[Subset]:
    """Split `dataset` at random into subsets of `lengths`, which sum up to its length or to 1.

    Fractions are rounded down; the samples left over go to the subsets in turn, one each. The
    split is that of PyTorch for the same state of `generator` (the default one without).

    Raises RangeError for lengths of another sum, and for a negative one.

    >>> [len(part) for part in random_split(range(10), [0.75, 0.25])]
    [8, 2]
    """
    total = len(dataset)
    if any(length < 0 for length in lengths):
        raise RangeError(f"random_split: lengths are not negative; got {list(lengths)}")
    if sum(lengths) <= 1 and math.isclose(sum(lengths), 1):
        sizes = [math.floor(total * fraction) for fraction in lengths]
        for i in range(total - sum(sizes)):
            sizes[i % len(sizes)] += 1
        for i, size in enumerate(sizes):
            if size == 0:
                warnings.warn(f"random_split: part {i} is empty", stacklevel=2)
    else:
        if sum(lengths) != total or not all(float(length).is_integer() for length in lengths):
            raise RangeError(
                f"random_split: lengths are whole numbers that sum up to that of the data set, "
                f"{total}, or fractions that sum up to 1; got {list(lengths)}, "
                f"which sum up to {sum(lengths)}"
            )
        sizes = [int(length) for length in lengths]
    order = iter(gleed.randperm(total, generator=generator).tolist())
    return [Subset(dataset, list(itertools.islice(order, size))) for size in sizes]
