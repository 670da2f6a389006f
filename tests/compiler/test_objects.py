"""The object cache: hits, damage, distrust, packing, and no LLVM in a warm start."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import textwrap

import pytest

from gleed.compiler import objects
from gleed.compiler.kernel import Kernel, KernelError, Operand, Store, Variant, load
from gleed.compiler.kernel_text import print_kernel
from gleed.compiler.objects import ObjectStore, object_for

MAP = Variant("map", "11")


def scaled(factor: float) -> Kernel:
    value = load(0, "f32") * factor
    return Kernel("scaled", (Operand("f32", "in"), Operand("f32", "out")), (), (Store(1, value),))


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """A fresh cache directory, which this process uses from now on."""
    monkeypatch.setenv("GLEED_CACHE_DIR", str(tmp_path / "cache"))
    objects._store.cache_clear()
    yield objects.object_directory()
    objects._store.cache_clear()


@pytest.fixture
def compilations(monkeypatch):
    """How many kernels were compiled."""
    from gleed.compiler import emit

    done = []
    assemble = emit.assemble

    def counted(llvm_ir, target):
        done.append(llvm_ir)
        return assemble(llvm_ir, target)

    monkeypatch.setattr(emit, "assemble", counted)
    return done


def test_second_request_is_read(directory, compilations):
    first = object_for(scaled(2), MAP)
    objects._store.cache_clear()
    assert object_for(scaled(2), MAP) == first
    assert len(compilations) == 1
    object_for(scaled(3), MAP)
    object_for(scaled(2), Variant("map", "1s"))
    assert len(compilations) == 3


def test_files_are_private(directory):
    object_for(scaled(2), MAP)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    (path,) = directory.iterdir()
    assert not path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "shared"])
def test_damaged_or_shared_files_are_compiled_again(directory, compilations, damage):
    good = object_for(scaled(2), MAP)
    (path,) = directory.iterdir()
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    changes = {"truncate": path.read_bytes()[:-9], "flip": bytes(data), "empty": b""}
    if damage == "shared":
        path.chmod(0o666)
    else:
        path.write_bytes(changes[damage])
    objects._store.cache_clear()
    assert object_for(scaled(2), MAP) == good
    assert len(compilations) == 2


def test_directory_that_others_may_write_is_not_used(directory, compilations):
    object_for(scaled(2), MAP)
    directory.chmod(0o777)
    objects._store.cache_clear()
    object_for(scaled(2), MAP)
    assert len(compilations) == 2


def test_unusable_directory_is_done_without(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("GLEED_CACHE_DIR", str(blocked))
    objects._store.cache_clear()
    assert object_for(scaled(2), MAP)
    objects._store.cache_clear()


def filled(directory, count=40):
    store = ObjectStore.open(directory)
    entries = {bytes([i]) * 32: os.urandom(3000 + i) for i in range(count)}
    for key, code in entries.items():
        store.put(key, code)
    return entries


def test_loose_objects_are_gathered(directory):
    entries = filled(directory)
    store = ObjectStore.open(directory)
    assert [path.suffix for path in directory.iterdir()] == [".pack"]
    assert all(store.get(key) == code for key, code in entries.items())
    more = {bytes([100 + i]) * 32: os.urandom(4000 + i) for i in range(40)}
    for key, code in more.items():
        store.put(key, code)
    again = ObjectStore.open(directory)
    assert [path.suffix for path in directory.iterdir()] == [".pack"]  # the smaller pack joined it
    assert all(again.get(key) == code for key, code in (entries | more).items())
    assert all(store.get(key) == code for key, code in entries.items())


def test_a_large_pack_is_left_alone(directory):
    entries = filled(directory)
    ObjectStore.open(directory)
    (large,) = directory.iterdir()
    few = {bytes([200 + i]) * 32: b"x" * i for i in range(20)}
    for key, code in few.items():
        ObjectStore.open(directory).put(key, code)
    store = ObjectStore.open(directory)
    assert large in directory.iterdir()
    assert len(list(directory.iterdir())) < 8
    assert all(store.get(key) == code for key, code in (entries | few).items())


def test_packs_stay_few_and_nothing_is_lost(directory):
    entries = {}
    for _ in range(1200):
        key, code = os.urandom(32), os.urandom(100)
        ObjectStore.open(directory).put(key, code)
        entries[key] = code
        assert len(list(directory.glob("*.o"))) <= objects._GATHER
        assert len(list(directory.glob("*.pack"))) <= 12
    store = ObjectStore.open(directory)
    assert all(store.get(key) == code for key, code in entries.items())


def test_another_process_may_gather_at_the_same_time(directory):
    entries = filled(directory)
    late = ObjectStore(directory)
    late._look()
    ObjectStore.open(directory)  # gathers, and removes what `late` has seen
    late._gather()
    for store in (late, ObjectStore.open(directory)):
        assert all(store.get(key) == code for key, code in entries.items())


def test_unused_environments_make_room(directory, monkeypatch):
    old, older = (directory.parent / name for name in ("old", "older"))
    for place, age in ((old, 10), (older, 20)):
        filled(place)
        os.utime(place, (1e9 - age, 1e9 - age))
    monkeypatch.setattr(objects, "_LIMIT", 300_000)
    entries = filled(directory)
    store = ObjectStore.open(directory)
    assert old.exists() and not older.exists()
    monkeypatch.setattr(objects, "_LIMIT", 0)
    store._make_room()
    assert not old.exists()
    assert all(store.get(key) == code for key, code in entries.items())


@pytest.mark.parametrize("size", [0, 10, 24, 60, 5000])
def test_truncated_pack(directory, size):
    entries = filled(directory)
    ObjectStore.open(directory)
    (pack,) = directory.iterdir()
    os.truncate(pack, size)
    store = ObjectStore.open(directory)
    assert all(store.get(key) in (None, code) for key, code in entries.items())


def test_warm_start_needs_no_llvm_and_is_quick(directory):
    for i in range(70):
        objects._store().put(objects._key(print_kernel(scaled(i)), MAP), os.urandom(3000))
    program = textwrap.dedent("""
        import sys, time
        from gleed.compiler.kernel import Kernel, KernelError, Operand, Store, Variant, load
        from gleed.compiler.objects import object_for
        start = time.perf_counter()
        for i in range(70):
            value = load(0, "f32") * i
            operands = Operand("f32", "in"), Operand("f32", "out")
            object_for(Kernel("scaled", operands, (), (Store(1, value),)), Variant("map", "11"))
        print(time.perf_counter() - start)
        heavy = {"numpy", "llvmlite"} & set(sys.modules)
        assert not heavy, heavy
    """)
    command = [sys.executable, "-c", program]
    seconds = [float(subprocess.check_output(command, text=True)) for _ in range(3)]
    assert min(seconds) < 0.02, seconds


def test_several_are_compiled_together(directory, compilations):
    names = [(scaled(i), MAP) for i in range(2, 8)]
    requests = [(lambda *name: (object_for(*name), "kernel"), name) for name in names]
    together = objects.compile_together(requests)
    assert len(compilations) == len(names)
    assert together == [(object_for(*name), "kernel") for name in names]
    assert len(compilations) == len(names)
    assert objects.compile_together(requests) == together


def test_what_fails_among_several_is_raised(directory):
    def broken():
        raise KernelError("broken: on purpose")

    requests = [(lambda: (object_for(scaled(2), MAP), "kernel"), ()), (broken, ())]
    with pytest.raises(KernelError, match="on purpose"):
        objects.compile_together(requests)
    assert isinstance(object_for(scaled(2), MAP), bytes)
