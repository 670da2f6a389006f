"""Compiled objects, and plans, kept on disk between runs.

An object is named by what it depends on: the kernel's text and variant, and in the name of its
folder the processor, LLVM and the compiler's own sources. New objects are files of their own; when
a process finds many of those it gathers them into a pack, because opening files is what a warm
start would spend its time on. A pack takes in smaller ones, so there are few, and no object is
copied often.

    <cache>/objects/<environment>/<key>.o        "gleed-object-1", checksum, code
    <cache>/objects/<environment>/<name>.pack    "gleed-pack-1", count,
                                                 (key, offset, length, checksum)*, code*

Files are written under a temporary name and renamed, so that no reader sees half of one. Whatever
is damaged, or could have been written by another user, counts as absent. If all is too large, the
folders of other environments go, the longest unused first. Plans (`keep`) are kept in the same way,
under a key that tells what they follow from besides, until there are too many.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import stat
import struct
import threading
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from gleed import _C
from gleed.compiler.kernel import Kernel, Variant
from gleed.compiler.kernel_text import PrintedKernel, nodes_of, text_of
from gleed.compiler.pipeline import left_out
from gleed.compiler.target import host, host_identity
from gleed.lazy import lazy

# Loaded only when something must be compiled or written.
emit, futures = lazy("gleed.compiler.emit"), lazy("concurrent.futures")
shutil, tempfile = lazy("shutil"), lazy("tempfile")
_MAGIC = b"gleed-object-1\0\0"
_PACK_MAGIC = b"gleed-pack-1\0\0\0\0"
_ENTRY = struct.Struct("<32sQQ32s")
_GATHER = 16  # loose objects that make a process write a new pack
_LIMIT = 256 << 20  # bytes of all packs, beyond which other environments make room
_thread = threading.local()  # `batch`, while several objects are compiled together

Code = Any  # of an ELF object: bytes, in a batch perhaps a future of them


class _Batch:
    """Objects that threads compile while this one goes on."""

    def __init__(self) -> None:
        self._pool: Any = None

    def submit(self, key: bytes, llvm_ir: str) -> Code:
        if self._pool is None:
            self._pool = futures.ThreadPoolExecutor(_C.get_num_threads())
        return self._pool.submit(_make, key, llvm_ir)

    def end(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()


_variants: dict[str, list[bytes]] = {}  # by kernel's text, the keys of those that were asked for
_compiled: dict[bytes, float] = {}  # by key, the seconds that LLVM took


def seconds(kernel: Kernel) -> list[float | None]:
    """For every variant of a kernel that this process has asked for how long LLVM took; None: it
    came from the cache."""
    return [_compiled.get(key) for key in _variants.get(text_of(kernel), ())]


def object_for(kernel: Kernel | PrintedKernel, variant: Variant) -> Code:
    """The ELF object of one variant for this machine, from the cache or compiled now."""
    text = text_of(kernel)
    key = _key(text, variant)
    _variants.setdefault(text, []).append(key)

    def source() -> str:
        return emit.emit_llvm(nodes_of(kernel), variant, host())

    return cached_object(key, source)


def named_key(name: str) -> bytes:
    """The key of an object that, with the environment, its name determines."""
    return hashlib.sha256(name.encode()).digest()


def cached_object(key: bytes, source: Callable[[], str]) -> Code:
    """The ELF object under `key`, from the cache, or made of the LLVM IR in `source` now."""
    store = _store()
    code = store.get(key) if store else None
    if code is not None:
        return code
    batch: _Batch | None = getattr(_thread, "batch", None)
    return batch.submit(key, source()) if batch else _make(key, source())


def _make(key: bytes, llvm_ir: str) -> bytes:
    begun = time.perf_counter()
    code = emit.assemble(llvm_ir, host())
    _compiled[key] = time.perf_counter() - begun
    store = _store()
    if store:
        store.put(key, code)
    return code


def compile_together(requests: list[tuple[Callable[..., Any], tuple[Any, ...]]]) -> list[Any]:
    """What `compile(*arguments)` gives for each of the requests, (code, symbol): LLVM, which takes
    most of the time, works on several at once."""
    batch = _thread.batch = _Batch()
    try:
        made = [compile(*arguments) for compile, arguments in requests]
        return [(c if isinstance(c, bytes) else c.result(), symbol) for c, symbol in made]
    finally:
        _thread.batch = None
        batch.end()


def cache_directory() -> Path:
    """Where objects are kept: $GLEED_CACHE_DIR, else gleed's place in the user's cache."""
    chosen = os.environ.get("GLEED_CACHE_DIR")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "gleed"


def _key(text: str, variant: Variant) -> bytes:
    return named_key(f"{text}\n{variant}{left_out('rare', 'keep')}")


@cache
def _environment() -> str:
    """All that decides how a kernel is compiled, besides the kernel."""
    parts = [host_identity()]
    llvmlite = importlib.util.find_spec("llvmlite")
    if llvmlite and llvmlite.origin:
        parts.append(_version(llvmlite.origin))
    here = os.path.dirname(__file__)
    return "\n".join([*parts, sources(here), sources(os.path.join(here, "mathlib"))])


def sources(folder: str) -> str:
    """Text that differs whenever the Python files in a folder do."""
    with os.scandir(folder) as found:
        paths = sorted(entry.path for entry in found if entry.name.endswith(".py"))
    return "\n".join(map(_version, paths))


def _version(path: str) -> str:
    status = os.stat(path)
    return f"{os.path.basename(path)} {status.st_size} {status.st_mtime_ns}"


def keep(key: bytes, data: bytes) -> None:
    """Keep what is no object, as long as objects do not need all the room."""
    store = _store()
    if store and store.size < _LIMIT // 2:
        store.put(key, data)


def kept(key: bytes) -> bytes | None:
    """What is kept under `key`, if there is something undamaged."""
    store = _store()
    return store.get(key) if store else None


def object_directory() -> Path:
    """Where the objects of this environment are kept."""
    environment = hashlib.sha256(_environment().encode()).hexdigest()[:16]
    return cache_directory() / "objects" / environment


@cache
def _store() -> ObjectStore | None:
    return ObjectStore.open(object_directory())


class ObjectStore:
    """Checked objects in one directory that belongs to this user alone."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._packs: list[Pack] = []  # the largest first
        self._loose: set[str] = set()
        self.size = 0  # in bytes, of packs and of what this process has put there

    @classmethod
    def open(cls, directory: Path) -> ObjectStore | None:
        """The store in `directory`, created if need be; None where it cannot be trusted or used.

        The folder that holds it, and the one above, belong to the cache too.
        """
        folders = (directory.parent.parent, directory.parent, directory)
        try:
            for folder in folders:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not all(_private(folder.lstat()) for folder in folders):
                return None
            store = cls(directory)
            store._look()
            if len(store._loose) >= _GATHER:
                store._gather()
        except OSError:
            return None
        return store

    def get(self, key: bytes) -> bytes | None:
        """The object under `key`, or None if there is no undamaged one."""
        for pack in self._packs:
            code = pack.get(key)
            if code is not None:
                return code
        name = f"{key.hex()}.o"
        if name not in self._loose:
            return None
        data = _read_private(self.directory / name)
        if data is None or data[:16] != _MAGIC:
            return None
        code = data[48:]
        return code if hashlib.sha256(code).digest() == data[16:48] else None

    def put(self, key: bytes, code: bytes) -> None:
        """Keep an object; a directory that cannot be written keeps none."""
        name = f"{key.hex()}.o"
        if self._write(name, _MAGIC + hashlib.sha256(code).digest() + code):
            self._loose.add(name)
            self.size += len(code)

    def _look(self) -> None:
        names = os.listdir(self.directory)
        self._loose = {name for name in names if name.endswith(".o")}
        packs = [Pack.open(self.directory / name) for name in names if name.endswith(".pack")]
        self._packs = sorted((p for p in packs if p), key=lambda pack: -pack.size)
        self.size = sum(pack.size for pack in self._packs)

    def _gather(self) -> None:
        """Put the loose files, and packs that are no larger than what they join, into one pack."""
        loose = sorted(self._loose)
        keys = [bytes.fromhex(name[:-2]) for name in loose]
        kept = {key: code for key in keys if (code := self.get(key)) is not None}
        total = sum(map(len, kept.values()))
        joined = []
        while self._packs and self._packs[-1].size <= 2 * total:
            pack = self._packs.pop()
            joined.append(pack)
            kept |= pack.objects()
            total += pack.size
        table = sorted(kept.items())
        name = hashlib.sha256(b"".join(key for key, _ in table)).hexdigest()[:16] + ".pack"
        if self._write(name, pack_of(table)):
            for old in {*loose, *(pack.path.name for pack in joined)} - {name}:
                (self.directory / old).unlink(missing_ok=True)
        for pack in joined:
            pack.close()
        self._look()
        self._make_room()

    def _make_room(self) -> None:
        """Remove other environments, the longest unused first, until all fits the limit."""
        folders = [f for f in self.directory.parent.iterdir() if f.is_dir() and not f.is_symlink()]
        sizes = {f: sum(x.stat().st_size for x in f.iterdir()) for f in folders}
        total = sum(sizes.values())
        for folder in sorted(folders, key=lambda f: f.stat().st_mtime_ns):
            if total > _LIMIT and folder != self.directory:
                shutil.rmtree(folder, ignore_errors=True)
                total -= sizes[folder]

    def _write(self, name: str, data: bytes) -> bool:
        """Put a file in place at once and whole. Whether it worked."""
        temporary = None
        try:
            file, temporary = tempfile.mkstemp(prefix=".new-", dir=self.directory)
            with os.fdopen(file, "wb") as stream:
                stream.write(data)
            os.replace(temporary, self.directory / name)
        except OSError:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)
            return False
        return True


class Pack:
    """Many objects in one file, which stays open even when it is removed."""

    def __init__(self, path: Path, file: int, size: int) -> None:
        self.path, self.size = path, size
        self._file = file
        self._index: dict[bytes, tuple[int, int, bytes]] = {}

    @classmethod
    def open(cls, path: Path) -> Pack | None:
        """The pack at a path, or None if there is none that can be trusted and read."""
        try:
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        status = os.fstat(file)
        pack = cls(path, file, status.st_size)
        if _private(status) and pack._read_index():
            return pack
        pack.close()
        return None

    def get(self, key: bytes) -> bytes | None:
        """The object under `key`, or None if there is no undamaged one."""
        place = self._index.get(key)
        if place is None:
            return None
        offset, length, checksum = place
        code = os.pread(self._file, length, offset)
        return code if hashlib.sha256(code).digest() == checksum else None

    def objects(self) -> dict[bytes, bytes]:
        """All undamaged objects."""
        return {key: code for key in self._index if (code := self.get(key)) is not None}

    def close(self) -> None:
        """Let the file go."""
        os.close(self._file)

    def _read_index(self) -> bool:
        head = os.read(self._file, 24)
        if len(head) < 24 or head[:16] != _PACK_MAGIC:
            return False
        count = int.from_bytes(head[16:], "little")
        table = os.read(self._file, min(count * _ENTRY.size, self.size))
        if len(table) != count * _ENTRY.size:
            return False
        self._index = {
            key: (offset, length, checksum)
            for key, offset, length, checksum in _ENTRY.iter_unpack(table)
            if offset + length <= self.size
        }
        return True


def pack_of(objects: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The file that holds these keys and objects."""
    offset = 24 + _ENTRY.size * len(objects)
    table = [_PACK_MAGIC, len(objects).to_bytes(8, "little")]
    for key, code in objects:
        table.append(_ENTRY.pack(key, offset, len(code), hashlib.sha256(code).digest()))
        offset += len(code)
    return b"".join([*table, *(code for _, code in objects)])


def _private(status: os.stat_result) -> bool:
    """Whether only this user can have written it. (Systems without user ids keep files apart.)"""
    if not hasattr(os, "getuid"):
        return True
    mine = status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return mine and not stat.S_ISLNK(status.st_mode)


def _read_private(path: Path) -> bytes | None:
    try:
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return None
    with os.fdopen(file, "rb") as stream:
        return stream.read() if _private(os.fstat(file)) else None
