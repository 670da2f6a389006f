"""The loader: samples of a data set in batches, fetched ahead by threads if that is wanted."""

from __future__ import annotations

import itertools
import queue
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any, Generic, TypeVar, cast

from gleed import Generator
from gleed.errors import GleedError, RangeError
from gleed.utils.data.collate import default_collate, default_convert
from gleed.utils.data.dataset import Dataset, IterableDataset
from gleed.utils.data.fetch import Reading, begin_reading
from gleed.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    SequentialSampler,
    draw_seed,
    require_bool,
    require_integer,
)
from gleed.utils.data.worker import Result, Task, WorkerInfo, WorkerPool

Sample = TypeVar("Sample", covariant=True)

# What the rest of a loader is made from, so that a change of it would have no effect.
_FIXED = ("dataset", "batch_size", "sampler", "batch_sampler", "drop_last", "persistent_workers")


class DataLoader(Generic[Sample]):
    """Iterates over a data set in batches.

    - `dataset`: a `Dataset`, any sequence, or an `IterableDataset`.
    - `batch_size`: samples per batch. None gives single samples, and the sampler's indices go to
      the data set as they are.
    - `shuffle`: a new random order for each epoch. `sampler` gives another order, any iterable of
      indices; `batch_sampler` an iterable of lists of indices, in place of `batch_size`,
      `shuffle`, `sampler` and `drop_last`.
    - `collate_fn`: makes a list of samples a batch; see `default_collate`.
    - `drop_last`: whether to leave out a last batch that is not full.
    - `num_workers`: threads that fetch batches ahead, `prefetch_factor` (2) each. `worker_init_fn`
      is called in each with its number. `timeout` is how many seconds to wait for a batch; 0 is
      without end. `persistent_workers` keeps the threads from one epoch to the next. Without
      `in_order`, batches come as they are ready.
    - `generator`: the random numbers of the order; the default generator without.
    - `pin_memory`, `pin_memory_device` and `multiprocessing_context` are taken for PyTorch's
      programs and change nothing: workers are threads, and share their memory with all others.

    The order for a seed is PyTorch's. Batches of a `TensorDataset`, or of a `Subset` of one, are
    gathered whole, with no Python per sample. An error in a worker is raised where its batch is
    due, with the traceback of the worker; the iteration may go on with the next batch.

    Raises RangeError for options that contradict each other or are out of range.

    >>> import gleed
    >>> from gleed.utils.data import TensorDataset
    >>> data = TensorDataset(gleed.arange(5), gleed.arange(5) * 10)
    >>> for x, y in DataLoader(data, batch_size=2):
    ...     print(x, y)
    tensor([0, 1]) tensor([ 0, 10])
    tensor([2, 3]) tensor([20, 30])
    tensor([4]) tensor([40])
    """

    def __init__(
        self,
        dataset: Dataset[Sample],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable | None = None,
        batch_sampler: Iterable | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        require_bool("DataLoader", "drop_last", drop_last)
        if isinstance(dataset, IterableDataset):
            _check_iterable(shuffle, sampler, batch_sampler)
        _check_batching(batch_size, shuffle, sampler, batch_sampler, drop_last)
        if batch_sampler is not None:
            batch_size = None
        if sampler is None:
            sampler = _default_sampler(dataset, shuffle, generator)
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        if collate_fn is None:
            collate_fn = default_convert if batch_sampler is None else default_collate
        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.num_workers = num_workers
        self.collate_fn = collate_fn
        self.pin_memory = pin_memory
        self.drop_last = drop_last
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.generator = generator
        self.prefetch_factor = prefetch_factor or (2 if num_workers else None)
        self.persistent_workers = persistent_workers
        self.pin_memory_device = pin_memory_device
        self.in_order = in_order
        self._kept_workers: WorkerPool | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED and "_kept_workers" in self.__dict__:
            raise RangeError(
                f"DataLoader: {name} is fixed once the loader is made; make another loader"
            )
        super().__setattr__(name, value)

    def __iter__(self) -> Iterator[Any]:
        return _ThreadedIterator(self) if self.num_workers else _DirectIterator(self)

    def __len__(self) -> int:
        if not isinstance(self.dataset, IterableDataset):
            order = self.sampler if self.batch_sampler is None else self.batch_sampler
            return len(cast(Sized, order))
        length = len(cast(Sized, self.dataset))
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else -(-length // self.batch_size)

    def _begin_reading(self) -> Reading:
        batched = self.batch_sampler is not None
        sampler = self.sampler if self.batch_sampler is None else self.batch_sampler
        return begin_reading(
            self.dataset, sampler, batched, self.batch_size, self.collate_fn, self.drop_last
        )

    def _workers(self) -> WorkerPool:
        """Return the workers of one epoch, or of all if they are persistent."""
        if self._kept_workers is not None:
            return self._kept_workers
        seed = draw_seed(self.generator)
        infos = [
            WorkerInfo(worker, self.num_workers, seed + worker, self.dataset)
            for worker in range(self.num_workers)
        ]
        pool = WorkerPool(infos, self.worker_init_fn)
        if self.persistent_workers:
            self._kept_workers = pool
        return pool


class _DirectIterator:
    """Fetches each batch when it is asked for."""

    def __init__(self, loader: DataLoader) -> None:
        self._loader = loader
        reading = loader._begin_reading()
        # PyTorch draws this seed even where there are no workers to use it.
        draw_seed(loader.generator)
        self._indices, self._fetch = reading.indices, reading.open()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self._fetch(next(self._indices))

    def __len__(self) -> int:
        return len(self._loader)


class _ThreadedIterator:
    """Has workers fetch batches ahead, and hands them out in order.

    The workers get batches in turn, so that a batch is fetched by the same worker in every run.
    """

    def __init__(self, loader: DataLoader) -> None:
        self._loader = loader
        self._reading = loader._begin_reading()
        self._pool = loader._workers()
        self._pool.begin(self._reading)
        self._turns = deque(range(loader.num_workers))
        self._submitted = 0
        self._due = 0
        self._arrived: dict[int, Result] = {}
        for _ in range(loader.num_workers * cast(int, loader.prefetch_factor)):
            self._submit()

    def _submit(self) -> None:
        """Give the next batch to the worker whose turn it is."""
        if not self._turns:
            return
        for index in itertools.islice(self._reading.indices, 1):
            worker = self._turns[0]
            self._turns.rotate(-1)
            self._pool.submit(worker, Task(self._reading, self._submitted, index))
            self._submitted += 1

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        while self._due < self._submitted:
            if self._pool.reading is not self._reading:
                raise GleedError(
                    "DataLoader: persistent workers serve one iteration at a time; another one has "
                    "begun since; set persistent_workers=False to have both"
                )
            result = self._receive()
            self._due += 1
            if isinstance(result.error, StopIteration):
                if result.worker in self._turns:
                    self._turns.remove(result.worker)
                self._submit()
                continue
            self._submit()
            if result.error is None:
                return result.batch
            try:
                raise result.error
            finally:
                # The error must not keep itself alive, and with it this iterator's threads.
                del result
        if not self._loader.persistent_workers:
            self._pool.stop()
        raise StopIteration

    def _receive(self) -> Result:
        """Wait for the batch that is due, or for any if order does not matter."""
        timeout = self._loader.timeout or None
        while True:
            if self._due in self._arrived:
                return self._arrived.pop(self._due)
            try:
                result = self._pool.results.get(timeout=timeout)
            except queue.Empty:
                raise GleedError(
                    f"DataLoader: a batch comes within timeout={timeout} seconds; batch "
                    f"{self._due} did not; allow more time, or look at what the data set waits for"
                ) from None
            if result.reading is not self._reading:
                continue
            if not self._loader.in_order:
                return result
            self._arrived[result.number] = result

    def __len__(self) -> int:
        return len(self._loader)


def _default_sampler(
    dataset: Any, shuffle: bool | None, generator: Generator | None
) -> Iterable[Any]:
    if isinstance(dataset, IterableDataset):
        return itertools.repeat(None)
    return RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)


def _check_workers(
    num_workers: int, timeout: float, prefetch_factor: int | None, persistent_workers: bool
) -> None:
    require_integer("DataLoader", "num_workers", num_workers, minimum=0)
    if prefetch_factor is not None:
        require_integer("DataLoader", "prefetch_factor", prefetch_factor, minimum=1)
    if not timeout >= 0:
        raise RangeError(f"DataLoader: timeout is 0 or more seconds; got {timeout!r}")
    if num_workers == 0:
        given = {
            "timeout": timeout or None,
            "prefetch_factor": prefetch_factor,
            "persistent_workers": persistent_workers or None,
        }
        for name, value in given.items():
            if value is not None:
                raise RangeError(
                    f"DataLoader: {name} is for workers; got {name}={value!r} with num_workers=0; "
                    "set num_workers, or leave it out"
                )


def _check_iterable(
    shuffle: bool | None, sampler: Iterable | None, batch_sampler: Iterable | None
) -> None:
    given = {"shuffle": shuffle or None, "sampler": sampler, "batch_sampler": batch_sampler}
    for name, value in given.items():
        if value is not None:
            raise RangeError(
                f"DataLoader: an IterableDataset has the order of its own; got {name}; leave it "
                "out, and order the samples in the data set"
            )


def _check_batching(
    batch_size: int | None,
    shuffle: bool | None,
    sampler: Iterable | None,
    batch_sampler: Iterable | None,
    drop_last: bool,
) -> None:
    if sampler is not None and shuffle:
        raise RangeError(
            "DataLoader: a sampler decides the order; got shuffle too; use a RandomSampler, or "
            "leave one of them out"
        )
    others = batch_size != 1 or shuffle or sampler is not None or drop_last
    if batch_sampler is not None and others:
        raise RangeError(
            "DataLoader: a batch_sampler decides order and size of batches; got batch_size, "
            "shuffle, sampler or drop_last too; leave them out"
        )
    if batch_size is None and drop_last:
        raise RangeError(
            "DataLoader: drop_last is for batches; got it with batch_size=None; leave it out"
        )
