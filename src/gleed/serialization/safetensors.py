"""The safetensors format: tensors by name in one file.

A file is 8 bytes with the length of the header (little endian), the header (JSON: dtype, shape and
place of each tensor, and texts by name under `__metadata__`), and the data without gaps.
Source: https://github.com/huggingface/safetensors (README, "Format").
"""

from __future__ import annotations

import ctypes
import json
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import gleed
from gleed._C import Tensor
from gleed.errors import RangeError

# The limit of the format.
_MAX_HEADER_BYTES = 100_000_000

# Data begins at a multiple of this, for vector loads from mapped files.
_ALIGNMENT = 64

_LARGEST_SIZE = (1 << 63) - 1

_DTYPES = {
    "F64": gleed.float64,
    "F32": gleed.float32,
    "F16": gleed.float16,
    "BF16": gleed.bfloat16,
    "I64": gleed.int64,
    "I32": gleed.int32,
    "I16": gleed.int16,
    "I8": gleed.int8,
    "U8": gleed.uint8,
    "BOOL": gleed.bool,
}
DTYPE_NAMES = {dtype: name for name, dtype in _DTYPES.items()}

_PICKLE_ADVICE = (
    "gleed executes nothing it loads, so it reads no pickles: load the file with what wrote it, "
    "and save its tensors with safetensors"
)

# First bytes of files that are given to `load` by mistake.
_OTHER_FORMATS = {
    b"PK\x03\x04": f"is a zip file, such as torch.save and numpy.savez write; {_PICKLE_ADVICE}",
    b"\x80": f"is a pickle file, such as old versions of torch.save write; {_PICKLE_ADVICE}",
    b"\x93NUMPY": "is a NumPy file; use gleed.from_numpy(numpy.load(...))",
    b"\x89HDF": "is an HDF5 file; read it with h5py, and use gleed.from_numpy",
}


class FormatFault(Exception):
    """Says what is wrong with a file, as the end of a sentence that begins with the file's name."""


def pack(tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> list[bytes | memoryview]:
    """Return the parts of a file with `tensors`, in their order, and `metadata` with a checksum.

    Raises RangeError if the names and the metadata exceed the 100 MB of the format.
    """
    chunks = [_bytes_of(tensor) for tensor in tensors.values()]
    header: dict[str, Any] = {"__metadata__": metadata}
    begin = 0
    for (name, tensor), chunk in zip(tensors.items(), chunks, strict=True):
        header[name] = {
            "dtype": DTYPE_NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [begin, begin + len(chunk)],
        }
        begin += len(chunk)
    header["__metadata__"] = {**metadata, "crc32": _checksum(header, chunks)}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-(8 + len(text)) % _ALIGNMENT)
    if len(text) > _MAX_HEADER_BYTES:
        raise RangeError(
            f"save: all that is not in tensors takes {_MAX_HEADER_BYTES:,} bytes at most; got "
            f"{len(text):,}; save it in several files, or numbers as tensors"
        )
    return [len(text).to_bytes(8, "little") + text, *chunks]


def unpack(content: memoryview) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors of a file by name, in the order of the header, and its metadata.

    Tensors share the memory of `content` where it is writable and they are aligned in it.
    Raises FormatFault for anything that is not as the format demands.
    """
    header, data = _header_and_data(content)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise FormatFault("has metadata that are no texts; it is damaged")
    entries = {name: _entry(name, record) for name, record in header.items()}
    _check_cover(entries, len(data))
    stated = metadata.get("crc32")
    found = stated and _checksum({"__metadata__": metadata, **header}, [data])
    if found != stated:
        raise FormatFault(
            f"has the checksum {found} where {stated} is stated; it was damaged or changed after "
            "it was saved; take another copy"
        )
    return {name: _tensor(name, entry, data) for name, entry in entries.items()}, metadata


def parse_json(text: str) -> Any:
    """Return what `text` says. Raises FormatFault for all that is not plain JSON."""
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except RecursionError:
        raise FormatFault("has a header that is nested too deeply") from None
    except ValueError as error:
        raise FormatFault(f"has a header that is no JSON text ({error})") from None


class _Entry(NamedTuple):
    """One tensor of a file: where its bytes are, and what they are."""

    begin: int
    end: int
    dtype: Any
    shape: list[int]


def _bytes_of(tensor: Tensor) -> memoryview:
    if tensor.numel() == 0:
        return memoryview(b"")
    dense = tensor.detach().cpu().contiguous()
    # By address, for there is no buffer format for bfloat16.
    array = ctypes.c_ubyte * (dense.numel() * dense.element_size())
    content = array.from_address(dense.data_ptr())
    content.owner = dense  # type: ignore[attr-defined] # as long as the memory is read
    return memoryview(content)


def _checksum(header: dict[str, Any], data: Iterable[memoryview]) -> str:
    """Return the CRC-32 of the data and of the header, apart from the checksum in it."""
    metadata = {key: text for key, text in header["__metadata__"].items() if key != "crc32"}
    covered = json.dumps({**header, "__metadata__": metadata}, sort_keys=True)
    value = zlib.crc32(covered.encode())
    for chunk in data:
        value = zlib.crc32(chunk, value)
    return f"{value:08x}"


def _header_and_data(content: memoryview) -> tuple[dict[str, Any], memoryview]:
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(len(content) - 8, _MAX_HEADER_BYTES):
        for magic, meaning in _OTHER_FORMATS.items():
            if bytes(content[:8]).startswith(magic):
                raise FormatFault(meaning)
        raise FormatFault(
            f"is cut short or is no safetensors file: it has {len(content):,} bytes, and its first "
            f"8 announce a header of {length:,}"
        )
    try:
        text = str(content[8 : 8 + length], "utf-8")
    except UnicodeDecodeError as error:
        raise FormatFault(f"has a header that is no UTF-8 text ({error.reason})") from None
    header = parse_json(text)
    if not isinstance(header, dict):
        raise FormatFault("has a header that is no JSON object")
    return header, content[8 + length :]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise FormatFault(f"has a header that names {twice!r} twice")
    return result


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _entry(name: str, record: Any) -> _Entry:
    """Return `record` of the header as an entry, once its parts agree with each other."""
    if not isinstance(record, dict) or record.keys() != {"dtype", "shape", "data_offsets"}:
        raise FormatFault(f"has no dtype, shape and data_offsets for tensor {name!r}")
    dtype_name, shape, offsets = record["dtype"], record["shape"], record["data_offsets"]
    if not isinstance(dtype_name, str) or dtype_name not in _DTYPES:
        raise FormatFault(
            f"has tensor {name!r} of dtype {dtype_name!r}; gleed reads {', '.join(_DTYPES)}"
        )
    if not _are_sizes(shape):
        raise FormatFault(f"has tensor {name!r} of shape {shape!r}, which is no list of sizes")
    if not _are_sizes(offsets) or len(offsets) != 2:
        raise FormatFault(f"has tensor {name!r} at data_offsets {offsets!r}, which are no range")
    begin, end = offsets
    dtype = _DTYPES[dtype_name]
    needed = math.prod(shape) * dtype.itemsize
    if end - begin != needed:
        raise FormatFault(
            f"has tensor {name!r} of {dtype_name} and shape {shape}, which takes {needed} bytes, "
            f"at data_offsets {offsets}, which are {end - begin}"
        )
    return _Entry(begin, end, dtype, shape)


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(
        type(size) is int and 0 <= size <= _LARGEST_SIZE for size in value
    )


def _check_cover(entries: dict[str, _Entry], length: int) -> None:
    """Refuse tensors that overlap, leave bytes out, or reach beyond the end of the data."""
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1][:2]):
        if entry.begin != end:
            fault = "overlaps another" if entry.begin < end else "leaves bytes out before it"
            raise FormatFault(f"has tensor {name!r} at byte {entry.begin}, where it {fault}")
        end = entry.end
    if end > length:
        raise FormatFault(f"is cut short: its tensors take {end:,} bytes, {length:,} are there")
    if end < length:
        raise FormatFault(f"goes on for {length - end:,} bytes after its last tensor")


def _tensor(name: str, entry: _Entry, data: memoryview) -> Tensor:
    try:
        if entry.begin == entry.end:
            return gleed.empty(entry.shape, dtype=entry.dtype)
        chunk = data[entry.begin : entry.end]
        if entry.dtype == gleed.bool and _shared(chunk, gleed.uint8).max().item() > 1:
            raise FormatFault(f"has tensor {name!r} of BOOL with bytes other than 0 and 1")
        return _shared(chunk, entry.dtype).reshape(entry.shape)
    except (RuntimeError, ValueError) as error:
        raise FormatFault(f"has tensor {name!r}, which cannot be made: {error}") from None


def _shared(chunk: memoryview, dtype: Any) -> Tensor:
    """Return a tensor in the memory of `chunk`, or in a copy if that is read-only or misaligned."""
    if chunk.readonly or _address(chunk) % dtype.itemsize:
        chunk = memoryview(bytearray(chunk))
    return gleed.frombuffer(chunk, dtype=dtype)


def _address(chunk: memoryview) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(chunk))
