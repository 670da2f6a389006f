"""A reader of event files that shares nothing with the writer."""

import struct
from collections import defaultdict


def crc32c(data):
    """Castagnoli's checksum, bit by bit."""
    rest = 0xFFFFFFFF
    for byte in data:
        rest ^= byte
        for _ in range(8):
            rest = (rest >> 1) ^ (0x82F63B78 * (rest & 1))
    return rest ^ 0xFFFFFFFF


def masked(data):
    check = crc32c(data)
    return (((check >> 15) | (check << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def records(path):
    """The records of a file, all checksums compared."""
    with open(path, "rb") as file:
        data = file.read()
    found, place = [], 0
    while place < len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        assert struct.unpack_from("<I", data, place + 8) == (masked(data[place : place + 8]),)
        content = data[place + 12 : place + 12 + length]
        assert struct.unpack_from("<I", data, place + 12 + length) == (masked(content),)
        found.append(content)
        place += 16 + length
    return found


def number(data, place):
    """A varint, and where it ends."""
    result, shift = 0, 0
    while True:
        byte = data[place]
        place += 1
        result |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return result, place


def fields(data):
    """The fields of a message by number: lists of numbers and bytes."""
    found, place = defaultdict(list), 0
    while place < len(data):
        key, place = number(data, place)
        if key & 7 == 0:
            value, place = number(data, place)
        elif key & 7 == 1:
            (value,), place = struct.unpack_from("<d", data, place), place + 8
        elif key & 7 == 5:
            (value,), place = struct.unpack_from("<f", data, place), place + 4
        else:
            assert key & 7 == 2
            length, place = number(data, place)
            value, place = data[place : place + length], place + length
        found[key >> 3].append(value)
    return found


def events(path):
    """The events of a file, as fields; the first says that it is one."""
    first, *rest = map(fields, records(path))
    assert first[3] == [b"brain.Event:2"]
    return rest


def values(event):
    """The values of the summary in an event, by tag."""
    found = {}
    for summary in event[5]:
        for value in fields(summary)[1]:
            parts = fields(value)
            found[parts[1][0].decode()] = parts
    return found


def doubles(data):
    return list(struct.unpack(f"<{len(data) // 8}d", data))
