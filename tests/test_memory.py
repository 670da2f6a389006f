"""Pooled memory: reuse, statistics, the limit, what is said when there is too little."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

from gleed import _C, dtypes
from gleed.errors import ArgumentError, OutOfMemoryError, RangeError


def block(nbytes):
    return _C.empty((nbytes,), dtypes.uint8)


@pytest.fixture
def limit():
    yield _C.set_memory_limit
    _C.set_memory_limit(None)


@pytest.mark.parametrize("nbytes", [0, 1, 64, 65, 1000, 4096, 70_000, 2**20 + 1, 2**21, 5_000_001])
def test_blocks_are_aligned_and_come_back(nbytes):
    x = block(nbytes)
    address = x.data_ptr()
    assert address % 64 == 0
    del x
    assert block(nbytes).data_ptr() == address


def test_blocks_of_all_sizes_do_not_overlap():
    sizes = [int(1.3**i) for i in range(1, 60)]
    blocks = [block(n) for n in sizes]
    for i, x in enumerate(blocks):
        _C.to_numpy(x)[:] = i
    for i, x in enumerate(blocks):
        assert (np.asarray(x) == i).all()
    ranges = sorted((x.data_ptr(), x.data_ptr() + x.nbytes) for x in blocks)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(ranges))


def test_size_classes_waste_at_most_a_quarter():
    for nbytes in (300, 1000, 5000, 33_000, 100_000, 1_500_000, 2**21 - 1):
        before = _C.memory_stats()["allocated"]
        x = block(nbytes)
        used = _C.memory_stats()["allocated"] - before
        assert nbytes <= used <= 1.25 * nbytes + 64
        del x


def test_a_steady_loop_asks_the_system_for_nothing():
    def step():
        a, b = block(10_000), block(3_000_000)
        return a[::2], b[5:]

    step()
    before = _C.memory_stats()
    for _ in range(50):
        step()
    after = _C.memory_stats()
    assert after["system_allocations"] == before["system_allocations"]
    assert after["allocations"] == before["allocations"] + 100
    assert after["allocated"] == before["allocated"]


def test_statistics():
    _C.release_cached_memory()
    before = _C.memory_stats()
    _C.reset_peak_memory()
    assert _C.memory_stats()["peak"] == before["allocated"]
    x = block(2**22)
    during = _C.memory_stats()
    del x
    after = _C.memory_stats()
    assert during["allocated"] == before["allocated"] + 2**22 == after["peak"]
    assert after["allocated"] == before["allocated"] and after["reserved"] >= 2**22
    assert after["limit"] > 2**27


def test_a_big_block_serves_smaller_requests_only_if_little_is_wasted():
    _C.release_cached_memory()
    x = block(2**26)
    address = x.data_ptr()
    del x
    assert block(2**26 - 2**22).data_ptr() == address
    small = block(2**22)
    assert block(2**26).data_ptr() == address and small.data_ptr() != address


def test_cached_memory_is_released():
    _C.release_cached_memory()
    before = _C.memory_stats()["reserved"]
    kept = block(2**23)
    for nbytes in (2**24, 2**20, 100_000):
        block(nbytes)
    assert _C.memory_stats()["reserved"] >= before + 2**24 + 2**23 + 2**20
    _C.release_cached_memory()
    assert _C.memory_stats()["reserved"] == before + 2**23
    del kept
    _C.release_cached_memory()


def test_the_limit_counts_what_is_reserved(limit):
    _C.release_cached_memory()
    limit(_C.memory_stats()["reserved"] + 2**25)
    x = block(2**24)
    with pytest.raises(OutOfMemoryError):
        block(2**25)
    del x
    assert block(2**25).nbytes == 2**25  # what was cached has made room
    with pytest.raises(RangeError, match=r"^set_memory_limit: bytes must not be negative; -5 came"):
        limit(-5)
    with pytest.raises(
        ArgumentError, match=r"^set_memory_limit: must be whole numbers; a str came"
    ):
        limit("1 GB")


def test_the_message_says_who_holds_what(limit):
    _C.release_cached_memory()
    held = [block(2**24), block(2**24), block(2**23)]
    limit(_C.memory_stats()["reserved"])
    with pytest.raises(
        OutOfMemoryError,
        match=r"^memory: not enough for a tensor of 4\.0 MiB; tensors hold .* MiB, another .* is "
        r"cached, the limit is .*; the largest: 2 × 16\.0 MiB, 1 × 8\.0 MiB; use smaller sizes, or "
        "drop tensors that are no longer needed$",
    ):
        block(2**22)
    assert len(held) == 3


@pytest.mark.parametrize("sizes", [(2**50,), (2**62,), (2**62, 2**62), (2**63 - 1,)])
def test_huge_sizes_are_refused(sizes):
    with pytest.raises(MemoryError, match=r"^memory: not enough for a tensor of"):
        _C.empty(sizes, dtypes.complex128)
    assert _C.empty((3,), dtypes.int8).numel() == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_allocates():
    program = """
import os
from gleed import _C, dtypes
kept = _C.tensor_from_data([1.0, 2.0])
child = os.fork()
more = [_C.tensor_from_data([float(i)] * 1000) for i in range(100)]
big = _C.empty((3_000_000,), dtypes.float32)
assert kept.tolist() == [1.0, 2.0] and more[7].tolist() == [7.0] * 1000
if child:
    assert os.waitpid(child, 0)[1] == 0
    print("fine")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "fine\n", done.stderr
