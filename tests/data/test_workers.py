"""The threads that fetch batches ahead."""

import gc
import threading
import time
import traceback

import pytest

import gleed
from gleed.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info


class Slow(Dataset):
    """Samples that take the longer the earlier they are, so that workers overtake each other."""

    def __getitem__(self, index):
        time.sleep(0.001 * (20 - index))
        return index

    def __len__(self):
        return 20


class Broken(Dataset):
    def __getitem__(self, index):
        if index == 3:
            raise KeyError("the file of sample 3 is missing")
        return index

    def __len__(self):
        return 6


class Who(Dataset):
    def __getitem__(self, index):
        info = get_worker_info()
        return (info.id, info.num_workers, info.seed, info.dataset is self)

    def __len__(self):
        return 6


class Shares(IterableDataset):
    """Worker i has 2 + i samples, 100 i and on."""

    def __iter__(self):
        worker = get_worker_info().id
        return iter(range(100 * worker, 100 * worker + 2 + worker))


class Endless(IterableDataset):
    def __init__(self):
        self.read = 0

    def __iter__(self):
        while True:
            self.read += 1
            yield self.read


def workers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("gleed-data")]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    gc.collect()
    assert workers() == []


def plain(loader):
    return [batch.tolist() for batch in loader]


@pytest.mark.parametrize("num_workers", [1, 2, 5])
def test_batches_come_in_order(num_workers):
    loader = DataLoader(Slow(), batch_size=3, num_workers=num_workers)
    assert plain(loader) == plain(DataLoader(Slow(), batch_size=3))


def test_batches_may_come_as_they_are_ready():
    loader = DataLoader(Slow(), batch_size=5, num_workers=4, in_order=False)
    assert sorted(plain(loader)) == plain(DataLoader(Slow(), batch_size=5))


def test_the_order_does_not_depend_on_workers():
    orders = []
    for num_workers in (0, 3):
        gleed.manual_seed(1)
        loader = DataLoader(range(50), batch_size=7, shuffle=True, num_workers=num_workers)
        orders.append((plain(loader), plain(loader)))
    assert orders[0] == orders[1]


def test_workers_take_turns_and_know_themselves():
    gleed.manual_seed(0)
    loader = DataLoader(Who(), batch_size=None, num_workers=2)
    infos = list(loader)
    assert [info[0] for info in infos] == [0, 1] * 3
    assert {info[1] for info in infos} == {2}
    assert all(info[3] for info in infos)
    assert infos[1][2] == infos[0][2] + 1
    assert next(iter(loader))[2] != infos[0][2]
    assert get_worker_info() is None


def test_workers_may_share_out_an_iterable_data_set():
    loader = DataLoader(Shares(), batch_size=None, num_workers=3)
    expected = [0, 100, 200, 1, 101, 201, 102, 202, 203]
    assert list(loader) == expected
    assert list(loader) == expected
    assert plain(DataLoader(Shares(), batch_size=2, num_workers=3)) == [
        *([0, 1], [100, 101], [200, 201], [102], [202, 203])
    ]


def test_workers_begin_with_the_users_function():
    begun = []
    loader = DataLoader(range(4), num_workers=2, worker_init_fn=begun.append)
    list(loader)
    assert sorted(begun) == [0, 1]


def test_no_more_is_fetched_ahead_than_asked_for():
    data = Endless()
    iterator = iter(DataLoader(data, batch_size=None, num_workers=1, prefetch_factor=3))
    assert next(iterator) == 1
    time.sleep(0.05)
    assert data.read == 4


def test_an_error_comes_with_the_traceback_of_the_worker():
    iterator = iter(DataLoader(Broken(), num_workers=2))
    assert [next(iterator).item() for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError, match="the file of sample 3 is missing") as caught:
        next(iterator)
    text = "".join(traceback.format_exception(caught.value))
    assert "in __getitem__" in text
    assert "raised in DataLoader worker 1, batch 3" in text
    # The samples after it are still to be had.
    assert [batch.item() for batch in iterator] == [4, 5]


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_stray_stop_does_not_end_the_epoch_unseen(num_workers):
    def empty(batch):
        return next(iter([]))

    text = r"has a sample for each; it raised StopIteration for \[0\]; look for a stray next"
    with pytest.raises(RuntimeError, match=text):
        list(DataLoader(range(4), num_workers=num_workers, collate_fn=empty))


def test_an_error_leaves_no_thread_and_needs_no_garbage_collection():
    gc.disable()
    try:
        iterator = iter(DataLoader(Broken(), num_workers=2, sampler=[3, 3]))
        with pytest.raises(KeyError):
            next(iterator)
        del iterator
        assert workers() == []
    finally:
        gc.enable()


def test_an_error_of_the_users_function_comes_too():
    def fail(worker):
        raise OSError(f"no device for worker {worker}")

    with pytest.raises(OSError, match="no device for worker 0"):
        list(DataLoader(range(4), num_workers=2, worker_init_fn=fail))


def test_a_worker_that_wants_to_exit_is_an_error():
    def leave(batch):
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        list(DataLoader(range(4), num_workers=1, collate_fn=leave))


def test_the_wait_for_a_batch_has_an_end():
    released = threading.Event()

    def wait(batch):
        released.wait()
        return batch

    iterator = iter(DataLoader(range(4), num_workers=1, timeout=0.02, collate_fn=wait))
    text = r"a batch comes within timeout=0.02 seconds; batch 0 did not; allow more time"
    with pytest.raises(RuntimeError, match=text):
        next(iterator)
    released.set()
    assert next(iterator) == [0]


@pytest.mark.parametrize("persistent_workers", [False, True])
def test_threads_end_with_an_iteration_that_stops_early(persistent_workers):
    loader = DataLoader(Slow(), num_workers=3, persistent_workers=persistent_workers)
    for _ in loader:
        assert len(workers()) == 3
        break
    assert len(workers()) == (3 if persistent_workers else 0)


def test_threads_end_with_an_iteration_that_is_interrupted():
    with pytest.raises(KeyboardInterrupt):
        for _ in DataLoader(Slow(), num_workers=3):
            raise KeyboardInterrupt
    # What the traceback held is gone.
    gc.collect()
    assert workers() == []


def test_persistent_workers_serve_every_epoch():
    loader = DataLoader(range(6), num_workers=2, batch_size=2, persistent_workers=True)
    assert plain(loader) == [[0, 1], [2, 3], [4, 5]]
    before = workers()
    assert next(iter(loader)).tolist() == [0, 1]
    assert plain(loader) == [[0, 1], [2, 3], [4, 5]]
    assert workers() == before


def test_persistent_workers_begin_iterable_data_sets_anew():
    loader = DataLoader(Shares(), batch_size=None, num_workers=2, persistent_workers=True)
    for _ in range(3):
        assert list(loader) == [0, 100, 1, 101, 102]
        assert next(iter(loader)) == 0


def test_an_iterator_stays_at_its_end():
    iterator = iter(DataLoader(range(3), num_workers=2))
    assert len(list(iterator)) == 3
    assert list(iterator) == []


def test_batches_are_not_kept_once_they_were_handed_out():
    class Token:
        alive = 0

        def __init__(self):
            Token.alive += 1

        def __del__(self):
            Token.alive -= 1

    loader = DataLoader(
        range(50), num_workers=2, prefetch_factor=2, collate_fn=lambda batch: Token()
    )
    most = 0
    for _ in loader:
        most = max(most, Token.alive)
    # Those fetched ahead, the one at hand, and one in each worker.
    assert most <= 2 * 2 + 1 + 2


def test_persistent_workers_serve_one_iteration_at_a_time():
    loader = DataLoader(range(9), num_workers=2, persistent_workers=True)
    first, second = iter(loader), iter(loader)
    text = "DataLoader: persistent workers serve one iteration at a time; another one has begun"
    with pytest.raises(RuntimeError, match=text):
        next(first)
    assert len(list(second)) == 9
