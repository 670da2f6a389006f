"""Compiled objects, kept on disk between runs.

An object is named by what it depends on: the kernel's text, the variant, the processor, LLVM and
the compiler's own sources. New objects are files of their own; when a process finds many of those
it gathers them into one pack, because opening files is what a warm start would spend its time on.

    <cache>/objects/<key>.o       "gleed-object-1", checksum, code
    <cache>/objects/pack          "gleed-pack-1", count, (key, offset, length, checksum)*, code*

Files are written under a temporary name and renamed, so that no reader sees half of one. Whatever
is damaged, or could have been written by another user, counts as absent.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import stat
import struct
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from gleed.compiler.kernel import Kernel, Variant
from gleed.compiler.kernel_text import print_kernel
from gleed.compiler.target import host_identity
from gleed.lazy import lazy

emit = lazy("gleed.compiler.emit")  # and LLVM, only when something must be compiled
_MAGIC = b"gleed-object-1\0\0"
_PACK_MAGIC = b"gleed-pack-1\0\0\0\0"
_ENTRY = struct.Struct("<32sQQ32s")
_GATHER = 16  # loose objects that make a process write a new pack
_LIMIT = 256 << 20  # bytes a pack may hold; the oldest objects make room


def object_for(kernel: Kernel, variant: Variant) -> bytes:
    """The ELF object of one variant for this machine, from the cache or compiled now."""

    def build() -> bytes:
        return emit.compile_variant(kernel, variant)[0]

    return cached_object(_key(kernel, variant), build)


def named_key(name: str) -> bytes:
    """The key of an object for this machine that its name and the compiler's sources determine."""
    return hashlib.sha256(f"{name}\n{_environment()}".encode()).digest()


def cached_object(key: bytes, build: Callable[[], bytes]) -> bytes:
    """The ELF object under `key`, from the cache, or made by `build` now."""
    store = _store()
    code = store.get(key) if store else None
    if code is None:
        code = build()
        if store:
            store.put(key, code)
    return code


def cache_directory() -> Path:
    """Where objects are kept: $GLEED_CACHE_DIR, else gleed's place in the user's cache."""
    chosen = os.environ.get("GLEED_CACHE_DIR")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "gleed"


def _key(kernel: Kernel, variant: Variant) -> bytes:
    return named_key(f"{print_kernel(kernel)}\n{variant}")


@cache
def _environment() -> str:
    """All that decides how a kernel is compiled, besides the kernel."""
    parts = [host_identity()]
    llvmlite = importlib.util.find_spec("llvmlite")
    files = [Path(llvmlite.origin)] if llvmlite and llvmlite.origin else []
    here = Path(__file__).parent
    for folder in (here, here / "mathlib"):
        files += sorted(path for path in folder.iterdir() if path.suffix == ".py")
    for path in files:
        status = path.stat()
        parts.append(f"{path.name} {status.st_size} {status.st_mtime_ns}")
    return "\n".join(parts)


@cache
def _store() -> ObjectStore | None:
    return ObjectStore.open(cache_directory() / "objects")


class ObjectStore:
    """Checked objects in one directory that belongs to this user alone."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._pack: int | None = None
        self._index: dict[bytes, tuple[int, int, bytes]] = {}
        self._loose: set[str] = set()

    @classmethod
    def open(cls, directory: Path) -> ObjectStore | None:
        """The store in `directory`, created if need be; None where it cannot be trusted or used."""
        try:
            directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory.mkdir(mode=0o700, exist_ok=True)
            if not (_private(directory.parent.lstat()) and _private(directory.lstat())):
                return None
            store = cls(directory)
            store._read_pack()
            store._loose = {n for n in os.listdir(directory) if n.endswith(".o")}
            if len(store._loose) >= _GATHER:
                store._gather()
        except OSError:
            return None
        return store

    def get(self, key: bytes) -> bytes | None:
        """The object under `key`, or None if there is no undamaged one."""
        code = self._packed(key)
        name = f"{key.hex()}.o"
        if code is not None or name not in self._loose:
            return code
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

    def _packed(self, key: bytes) -> bytes | None:
        place = self._index.get(key)
        if place is None or self._pack is None:
            return None
        offset, length, checksum = place
        code = os.pread(self._pack, length, offset)
        return code if hashlib.sha256(code).digest() == checksum else None

    def _read_pack(self) -> None:
        """Open the pack and read its index; the file stays open, even when it is replaced."""
        try:
            file = os.open(self.directory / "pack", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        status = os.fstat(file)
        head = os.read(file, 24)
        if not _private(status) or len(head) < 24 or head[:16] != _PACK_MAGIC:
            os.close(file)
            return
        count = int.from_bytes(head[16:], "little")
        table = os.read(file, min(count * _ENTRY.size, status.st_size))
        if len(table) == count * _ENTRY.size:
            self._pack = file
            self._index = {
                key: (offset, length, checksum)
                for key, offset, length, checksum in _ENTRY.iter_unpack(table)
                if offset + length <= status.st_size
            }
        else:
            os.close(file)

    def _gather(self) -> None:
        """Write a pack of everything that is kept, and remove the loose files."""
        loose = sorted(self._loose)
        objects = {key: self._packed(key) for key in self._index}
        objects |= {bytes.fromhex(name[:-2]): self.get(bytes.fromhex(name[:-2])) for name in loose}
        kept = [(key, code) for key, code in objects.items() if code is not None]
        total = sum(len(code) for _, code in kept)
        while total > _LIMIT:
            total -= len(kept.pop(0)[1])
        offset = 24 + _ENTRY.size * len(kept)
        table, body = [_PACK_MAGIC, len(kept).to_bytes(8, "little")], []
        for key, code in kept:
            table.append(_ENTRY.pack(key, offset, len(code), hashlib.sha256(code).digest()))
            body.append(code)
            offset += len(code)
        if not self._write("pack", b"".join(table + body)):
            return
        for name in loose:
            (self.directory / name).unlink(missing_ok=True)
        self._loose.clear()
        if self._pack is not None:
            os.close(self._pack)
        self._pack, self._index = None, {}
        self._read_pack()

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
