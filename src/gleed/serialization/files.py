"""Files written as a whole or not at all, and read or mapped into memory."""

from __future__ import annotations

import mmap as memory_map
import os
from collections.abc import Iterable
from contextlib import suppress

# Files from here on are mapped into memory, not read.
_MAPPED_BYTES = 1 << 24


def write_atomically(path: str | bytes, chunks: Iterable[bytes | memoryview]) -> None:
    """Put a file with `chunks` in the place of `path`; a failure leaves what was there.

    The new file has the permissions of the old one. A symbolic link stays one: what it points to
    is replaced.
    """
    target = os.path.realpath(os.fsdecode(path))
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f".gleed-{os.urandom(8).hex()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with open(descriptor, "wb") as file:
            file.writelines(chunks)
            file.flush()
            with suppress(FileNotFoundError):
                os.fchmod(descriptor, os.stat(target).st_mode & 0o777)
            os.fsync(descriptor)
        os.replace(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    # The new name is on the disk only once its folder is.
    folder_descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(folder_descriptor)
    finally:
        os.close(folder_descriptor)


def read_file(path: str | bytes, mmap: bool | None) -> memoryview:
    """Return the bytes of the file at `path`, writable without an effect on the file.

    `mmap` maps the file rather than reads it; None does so for large files.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size and (size >= _MAPPED_BYTES if mmap is None else mmap):
            return memoryview(memory_map.mmap(file.fileno(), size, access=memory_map.ACCESS_COPY))
        content = memoryview(bytearray(size))
        return content[: file.readinto(content)]
