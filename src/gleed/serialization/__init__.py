"""Tensors and plain values to files and back: safetensors files, which hold data and no code.

What lies around the tensors (dicts, lists, numbers…) is JSON in the file's metadata, beside a
CRC-32 of all the rest. Any reader of safetensors finds the tensors, and gleed the whole object.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any, BinaryIO

from gleed._C import Tensor
from gleed.errors import GleedError
from gleed.serialization import safetensors
from gleed.serialization.files import read_file, write_atomically
from gleed.serialization.safetensors import FormatFault
from gleed.serialization.structure import decode, encode

_VERSION = 1


class FileFormatError(GleedError, ValueError):
    """A file is not what `load` reads: of another kind, damaged, or made to deceive."""


def save(obj: Any, f: str | os.PathLike | BinaryIO) -> None:
    """Write `obj` to the file `f`, a path or a binary file, for `load`.

    `obj` is a tensor or a plain value (None, bool, int, float, str, bytes), or dicts, lists and
    tuples of those: a module's or an optimizer's `state_dict()`, say. Tensors are saved without
    strides. Those that are the very same memory, such as tied weights, are saved once and share
    memory again when loaded; views that overlap only in part become tensors by themselves.

    A path is written as a whole or not at all: to a file beside it, which takes its place once it
    is on the disk. The safetensors package can read the file too.

    Raises ArgumentError for anything else in `obj`, naming its place in it, and OSError if writing
    fails.

    >>> import io, gleed
    >>> file = io.BytesIO()
    >>> save({"weight": gleed.ones(2), "epoch": 3}, file)
    >>> _ = file.seek(0)
    >>> load(file)
    {'weight': tensor([1., 1.]), 'epoch': 3}
    """
    tensors = _TensorTable()
    description = {"version": _VERSION, "structure": encode(obj, tensors.add)}
    metadata = {"gleed": json.dumps(description, separators=(",", ":"), allow_nan=False)}
    chunks = safetensors.pack(tensors.aligned(), metadata)
    if isinstance(f, str | os.PathLike):
        write_atomically(os.fspath(f), chunks)
    else:
        f.writelines(chunks)


def load(
    f: str | os.PathLike | BinaryIO,
    map_location: Any = None,
    *,
    weights_only: bool = True,
    mmap: bool | None = None,
) -> Any:
    """Read what `save` wrote to the file `f`, a path or a binary file; executes nothing of it.

    A safetensors file from elsewhere gives a dict of its tensors. `map_location` is the device that
    the tensors go to, the CPU by default. `mmap` says whether the file at a path is mapped into
    memory rather than read; by default files of 16 MiB and more are. Writing to a tensor never
    changes the file; a mapped file must not be cut short while its tensors live. `weights_only` is
    taken for PyTorch's programs and changes nothing.

    Raises FileFormatError (a ValueError) for a file that is of another kind or damaged.
    """
    if isinstance(f, str | os.PathLike):
        name, content = repr(os.fspath(f)), read_file(os.fspath(f), mmap)
    else:
        name, content = "the file", memoryview(f.read())
    try:
        tensors, metadata = safetensors.unpack(content)
        if map_location is not None:
            tensors = {key: tensor.to(map_location) for key, tensor in tensors.items()}
        if "gleed" not in metadata:
            return tensors
        return decode(_structure(metadata["gleed"]), tensors)
    except FormatFault as fault:
        raise FileFormatError(f"load: {name} {fault}") from None


def _structure(text: str) -> Any:
    description = safetensors.parse_json(text)
    if not isinstance(description, dict) or description.keys() < {"version", "structure"}:
        raise FormatFault("has no structure that gleed understands; it is damaged")
    if description["version"] != _VERSION:
        raise FormatFault(
            f"is of version {description['version']}; this gleed reads version {_VERSION}; load it "
            "with the gleed that wrote it, or a newer one"
        )
    return description["structure"]


class _TensorTable:
    """The tensors of an object under unique names; one name for those that are the same memory."""

    def __init__(self) -> None:
        self._tensors: dict[str, Tensor] = {}
        self._names: dict[tuple, str] = {}

    def add(self, tensor: Tensor, path: Iterable[Any]) -> str:
        """Take in `tensor`, found at the keys `path`; return its name in the file."""
        place = tensor.data_ptr() if tensor.numel() else id(tensor)
        layout = tuple(tensor.shape), tensor.stride()
        same = (str(tensor.device), place, tensor.dtype, *layout)
        if same not in self._names:
            # Not every string is UTF-8: one may hold half of a surrogate pair.
            stem = ".".join(map(str, path)).encode("utf-8", "replace").decode() or "tensor"
            name, count = stem, 1
            while name in self._tensors or name == "__metadata__":
                count += 1
                name = f"{stem}#{count}"
            self._tensors[name] = tensor
            self._names[same] = name
        return self._names[same]

    def aligned(self) -> dict[str, Tensor]:
        """Return the tensors by name, larger elements first, so that each element is aligned."""
        items = self._tensors.items()
        return dict(sorted(items, key=lambda item: -item[1].element_size()))
