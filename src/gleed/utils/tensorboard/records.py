"""TensorFlow's record files: each record with its length, and checksums of both.

Source: "TFRecord and tf.train.Example" in TensorFlow's documentation; RFC 3720, appendix B.4, for
the checksum.

>>> hex(crc32c(b"123456789"))
'0xe3069283'
"""

from __future__ import annotations

import struct

_POLYNOMIAL = 0x82F63B78  # Castagnoli's, its bits reversed


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = [_entry(byte) for byte in range(256)]


def crc32c(content: bytes) -> int:
    """The cyclic redundancy check with Castagnoli's polynomial."""
    table, rest = _TABLE, 0xFFFFFFFF
    for byte in content:
        rest = table[(rest ^ byte) & 0xFF] ^ rest >> 8
    return rest ^ 0xFFFFFFFF


def _masked(content: bytes) -> bytes:
    """The checksum, changed so that checksums of data that hold checksums stay good ones."""
    check = crc32c(content)
    rotated = (check >> 15 | check << 17) & 0xFFFFFFFF
    return struct.pack("<I", (rotated + 0xA282EAD8) & 0xFFFFFFFF)


def record(content: bytes) -> bytes:
    """`content` as a record of a file."""
    length = struct.pack("<Q", len(content))
    return length + _masked(length) + content + _masked(content)
