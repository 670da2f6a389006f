"""Samplers: the order in which the samples of a data set are drawn.

The numbers are PyTorch's: the same state of a generator gives the same order.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeAlias, TypeVar

import gleed
from gleed import Generator
from gleed._C import Tensor
from gleed.errors import ArgumentError, RangeError, ShapeError

Index = TypeVar("Index", covariant=True)

IndexBlock: TypeAlias = range | Tensor
"""Indices of several samples: a `range` or a 1-d int64 tensor. Its slices are blocks too."""


def draw_seed(generator: Generator | None) -> int:
    """Draw a seed of 63 bits from `generator`, or from the default one."""
    return int(gleed.empty((), dtype=gleed.int64).random_(generator=generator).item())


def require_integer(where: str, name: str, value: Any, minimum: int) -> None:
    """Raise RangeError if `value`, the argument `name` of `where`, is not an int ≥ `minimum`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise RangeError(f"{where}: {name} is an integer of {minimum} or more; got {value!r}")


def require_bool(where: str, name: str, value: Any) -> None:
    """Raise ArgumentError if `value`, the argument `name` of `where`, is not a bool."""
    if not isinstance(value, bool):
        raise ArgumentError(f"{where}: {name} is True or False; got {value!r}")


class Sampler(Generic[Index]):
    """An order of indices: a subclass defines `__iter__` and, if it can, `__len__`."""

    def __iter__(self) -> Iterator[Index]:
        raise NotImplementedError(
            f"{type(self).__name__}: a Sampler defines __iter__(self); this one does not"
        )


class BlockSampler(Sampler[int]):
    """A sampler that knows its indices as whole blocks, which a loader gathers without a loop."""

    def blocks(self) -> Iterator[IndexBlock]:
        """Yield the indices in order, some at a time; random numbers are drawn as blocks are."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[int]:
        for block in self.blocks():
            yield from block if isinstance(block, range) else block.tolist()


class SequentialSampler(BlockSampler):
    """All indices of `data_source` in order.

    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def blocks(self) -> Iterator[IndexBlock]:
        """Yield one range."""
        yield range(len(self.data_source))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(BlockSampler):
    """Indices of `data_source` in random order; with `replacement` each drawn by itself.

    `num_samples` are drawn, by default as many as there are. More than that, without replacement,
    begin a new random order each time all were drawn. Without a `generator`, each iteration draws
    the seed of its own from the default one.

    Raises RangeError for a `num_samples` below 1, and so for an empty `data_source`.

    >>> _ = gleed.manual_seed(0)
    >>> sorted(RandomSampler("abcd"))
    [0, 1, 2, 3]
    """

    # PyTorch draws indices with replacement in blocks of this size.
    _REPLACEMENT_BLOCK = 32

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.data_source = data_source
        self.replacement = replacement
        self.generator = generator
        self._num_samples = num_samples
        require_bool("RandomSampler", "replacement", replacement)
        if num_samples is None and not len(data_source):
            raise RangeError("RandomSampler: an empty data set has no sample to draw; got length 0")
        require_integer("RandomSampler", "num_samples", self.num_samples, minimum=1)

    @property
    def num_samples(self) -> int:
        """How many indices an iteration draws."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def blocks(self) -> Iterator[IndexBlock]:
        """Yield one permutation after the other, or blocks of independent indices."""
        generator = self.generator
        if generator is None:
            generator = Generator()
            generator.manual_seed(draw_seed(None))
        total, wanted = len(self.data_source), self.num_samples
        if self.replacement:
            block = self._REPLACEMENT_BLOCK
            for size in [block] * (wanted // block) + [wanted % block]:
                yield gleed.randint(total, (size,), generator=generator)
        else:
            for size in [total] * (wanted // total) + [wanted % total]:
                yield gleed.randperm(total, generator=generator)[:size]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given `indices` in random order, each once.

    >>> sorted(SubsetRandomSampler([9, 4, 7]))
    [4, 7, 9]
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for i in gleed.randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """`num_samples` indices into `weights`, each drawn as often as its weight is large.

    Weights need not sum up to 1. Without `replacement` no index is drawn twice.

    Raises RangeError for a `num_samples` below 1, or too large without replacement, and for weights
    that make no sense; ShapeError for weights that are no sequence.

    >>> list(WeightedRandomSampler([0.0, 3.0, 0.0], num_samples=4))
    [1, 1, 1, 1]
    """

    weights: Tensor

    def __init__(
        self,
        weights: Sequence[float] | Tensor,
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        require_integer("WeightedRandomSampler", "num_samples", num_samples, minimum=1)
        require_bool("WeightedRandomSampler", "replacement", replacement)
        self.weights = gleed.as_tensor(weights, dtype=gleed.float64)
        if self.weights.ndim != 1:
            raise ShapeError(
                "WeightedRandomSampler: weights are a sequence of numbers, one per sample; got "
                f"shape {tuple(self.weights.shape)}"
            )
        values = self.weights.tolist()
        if not all(0 <= value < math.inf for value in values) or not sum(values) > 0:
            raise RangeError(
                "WeightedRandomSampler: weights are finite, not negative, and not all zero; got "
                f"{self.weights}"
            )
        if not replacement and num_samples > len(values):
            raise RangeError(
                "WeightedRandomSampler: without replacement each index is drawn once at most; got "
                f"num_samples={num_samples} for {len(values)} weights"
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        # PyTorch draws single indices as it draws without replacement.
        if self.replacement and self.num_samples > 1:
            return self._independent()
        return self._distinct()

    def _independent(self) -> Iterator[int]:
        """Find each of the random numbers in the cumulative distribution."""
        ends = list(itertools.accumulate(self.weights.tolist()))
        ends = [end / ends[-1] for end in ends]
        for number in self._random(self.num_samples).tolist():
            yield bisect.bisect_left(ends, number)

    def _distinct(self) -> Iterator[int]:
        """Let exponential random numbers compete: the sources that fire first are drawn.

        Source: Efraimidis and Spirakis, "Weighted random sampling with a reservoir" (2006).
        """
        rates = (self.weights / -gleed.log1p(-self._random(len(self.weights)))).tolist()
        yield from sorted(range(len(rates)), key=rates.__getitem__, reverse=True)[
            : self.num_samples
        ]

    def _random(self, count: int) -> Tensor:
        return gleed.rand(count, dtype=gleed.float64, generator=self.generator)

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """The indices of `sampler` in lists of `batch_size`; the last may be shorter, or is dropped.

    Raises RangeError for a `batch_size` below 1.

    >>> list(BatchSampler(range(7), batch_size=3, drop_last=False))
    [[0, 1, 2], [3, 4, 5], [6]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        require_integer("BatchSampler", "batch_size", batch_size, minimum=1)
        require_bool("BatchSampler", "drop_last", drop_last)
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if self.drop_last and len(batch) < self.batch_size:
                return
            yield batch

    def __len__(self) -> int:
        length = len(self.sampler)  # type: ignore[arg-type]
        return length // self.batch_size if self.drop_last else -(-length // self.batch_size)


def batches_of_blocks(
    blocks: Iterable[IndexBlock], batch_size: int, drop_last: bool
) -> Iterator[IndexBlock]:
    """Cut the indices of `blocks` into batches, as `BatchSampler` does with single indices.

    Only blocks that are tensors may be followed by others, for ranges do not join.
    """
    rest: list[Any] = []
    for block in blocks:
        length = len(block)
        if length == 0:
            continue
        missing = batch_size - sum(map(len, rest))
        rest.append(block[:missing])
        if length < missing:
            continue
        yield rest[0] if len(rest) == 1 else gleed.cat(rest)
        whole = missing + (length - missing) // batch_size * batch_size
        for start in range(missing, whole, batch_size):
            yield block[start : start + batch_size]
        rest = [block[whole:]] if whole < length else []
    if rest and not drop_last:
        yield rest[0] if len(rest) == 1 else gleed.cat(rest)
