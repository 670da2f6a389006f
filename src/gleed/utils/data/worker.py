"""The threads that fetch batches ahead for a `DataLoader`.

Each worker has a queue of tasks of its own, all share one queue of results. They are told by
`stop` to end after the batch at hand, and waited for.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from gleed.utils.data.fetch import Fetch, Reading

# How long to wait for workers that are in the user's code, before they are left to themselves.
_SECONDS_TO_STOP = 5.0


@dataclass(frozen=True)
class WorkerInfo:
    """What a worker knows of itself; the data set is shared by all of them."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_this_thread = threading.local()


def get_worker_info() -> WorkerInfo | None:
    """Return what the worker that calls this knows of itself, and None outside of workers.

    Its `id` is below `num_workers`, its `seed` is another for each worker and epoch and the same
    for each run with one seed, `dataset` is the loader's.

    >>> get_worker_info() is None
    True
    """
    return getattr(_this_thread, "info", None)


class Task(NamedTuple):
    """A batch to fetch: the reading it is for, its number there, what the sampler gave for it."""

    reading: Reading
    number: int
    index: Any


class Result(NamedTuple):
    """A batch that a worker fetched, or the error it got instead (StopIteration: no more data)."""

    reading: Reading
    number: int
    worker: int
    batch: Any
    error: BaseException | None


class WorkerPool:
    """The workers of one reading, or of one after the other."""

    def __init__(self, infos: list[WorkerInfo], init: Callable[[int], Any] | None) -> None:
        self.results: SimpleQueue[Result] = SimpleQueue()
        self.reading: Reading | None = None
        self._tasks: list[SimpleQueue[Task | None]] = [SimpleQueue() for _ in infos]
        stopping = threading.Event()
        threads = [
            threading.Thread(
                target=_work,
                args=(info, tasks, self.results, stopping, init),
                name=f"gleed-data-worker-{info.id}",
                daemon=True,
            )
            for info, tasks in zip(infos, self._tasks, strict=True)
        ]
        for thread in threads:
            thread.start()
        # Runs also when the pool is garbage, and when the interpreter ends.
        self.stop = weakref.finalize(self, _stop, self._tasks, stopping, threads)

    def begin(self, reading: Reading) -> None:
        """Make `reading` the one that is served; forget what an earlier one left."""
        self.reading = reading
        for queue in self._tasks:
            _drain(queue)
        _drain(self.results)

    def submit(self, worker: int, task: Task) -> None:
        """Give `task` to the worker of that number."""
        self._tasks[worker].put(task)


def _drain(queue: SimpleQueue[Any]) -> None:
    with suppress(Empty):
        while True:
            queue.get_nowait()


def _stop(
    tasks: list[SimpleQueue], stopping: threading.Event, threads: list[threading.Thread]
) -> None:
    stopping.set()
    for queue in tasks:
        queue.put(None)
    deadline = time.monotonic() + _SECONDS_TO_STOP
    for thread in threads:
        # The garbage collector may run this in a worker.
        if thread is not threading.current_thread():
            thread.join(max(0, deadline - time.monotonic()))


def _work(
    info: WorkerInfo,
    tasks: SimpleQueue,
    results: SimpleQueue,
    stopping: threading.Event,
    init: Callable[[int], Any] | None,
) -> None:
    """Fetch batch after batch."""
    _this_thread.info = info
    reading: Reading | None = None
    fetch: Fetch | None = None
    while (task := tasks.get()) is not None and not stopping.is_set():
        batch, error = None, None
        # An error of any kind belongs to the one who asked for the batch.
        try:
            if init is not None:
                init(info.id)
                init = None
            if fetch is None or task.reading is not reading:
                fetch, reading = task.reading.open(), task.reading
            batch = fetch(task.index)
        except BaseException as caught:
            caught.add_note(f"raised in DataLoader worker {info.id}, batch {task.number}")
            error = caught
        results.put(Result(task.reading, task.number, info.id, batch, error))
        # Nothing of a batch is kept while this waits for the next task.
        del task, batch, error
