"""Protocol buffers' wire format, as far as event files need it: fields of messages as bytes.

Source: "Encoding" in the documentation of Protocol Buffers.

>>> integer(1, 150)
b'\\x08\\x96\\x01'
>>> data(2, "testing")
b'\\x12\\x07testing'
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5


def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; negative numbers as 64 bits of two's complement."""
    number &= (1 << 64) - 1
    result = bytearray()
    while number > 0x7F:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    result.append(number)
    return bytes(result)


def integer(field: int, number: int) -> bytes:
    """A whole number, a truth value or a member of an enumeration."""
    return varint(field << 3 | _VARINT) + varint(number)


def double(field: int, number: float) -> bytes:
    """A number of 64 bits."""
    return varint(field << 3 | _EIGHT_BYTES) + struct.pack("<d", number)


def single(field: int, number: float) -> bytes:
    """A number of 32 bits; what is too great for them is infinite."""
    try:
        packed = struct.pack("<f", number)
    except OverflowError:
        packed = struct.pack("<f", float("inf") if number > 0 else float("-inf"))
    return varint(field << 3 | _FOUR_BYTES) + packed


def data(field: int, content: bytes | str) -> bytes:
    """Text, bytes, or a message."""
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | _LENGTH) + varint(len(content)) + content


def doubles(field: int, numbers: Iterable[float]) -> bytes:
    """Numbers of 64 bits, packed."""
    numbers = list(numbers)
    return data(field, struct.pack(f"<{len(numbers)}d", *numbers))
