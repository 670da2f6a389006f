"""What TensorBoard shows, as values of `Summary` messages: numbers, distributions, images, texts.

Source of the messages: TensorFlow's summary.proto, tensor.proto and their like.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

from gleed.errors import ShapeError
from gleed.lazy import lazy
from gleed.utils.tensorboard.protobuf import data, double, doubles, integer, single

numpy = lazy("numpy")

_STRING = 7  # DataType.DT_STRING
# Limits of the buckets of a histogram grow by a tenth.
_SMALLEST, _GREATEST, _GROWTH = 1e-12, 1e20, 1.1
_PNG_COLORS = {1: 0, 2: 4, 3: 2, 4: 6}  # by the number of channels


def scalar(tag: str, value: Any) -> bytes:
    """A number, as a point of a curve."""
    return _value(tag, single(2, float(value)))


def histogram(tag: str, values: Any) -> bytes:
    """How many elements fall between limits that grow by a tenth; NaN counts nowhere."""
    x = numpy.asarray(values, "float64").ravel()
    x = x[~numpy.isnan(x)]
    limits = _limits()
    counts = numpy.bincount(numpy.searchsorted(limits, x, "right"), minlength=len(limits) + 1)
    counts[-2] += counts[-1]  # what is beyond the last limit
    counts = counts[:-1]
    (held,) = numpy.nonzero(counts)
    # A limit before the first bucket tells where that begins.
    first, last = (max(held[0] - 1, 0), held[-1] + 1) if len(held) else (0, 1)
    low, high = (x.min(), x.max()) if len(x) else (0.0, 0.0)
    sums = (len(x), x.sum(), (x * x).sum())
    message = b"".join(double(i, n) for i, n in enumerate((low, high, *sums), 1))
    message += doubles(6, limits[first:last]) + doubles(7, counts[first:last])
    return _value(tag, data(5, message))


def _limits() -> Any:
    count = int(numpy.ceil(numpy.log(_GREATEST / _SMALLEST) / numpy.log(_GROWTH)))
    above = _SMALLEST * _GROWTH ** numpy.arange(count)
    return numpy.concatenate([-above[::-1], [0.0], above, [numpy.finfo("float64").max]])


def image(tag: str, pixels: Any) -> bytes:
    """An image (height, width, channels) of bytes, with one to four channels. Raises ShapeError."""
    pixels = numpy.ascontiguousarray(pixels, "uint8")
    if pixels.ndim != 3 or pixels.shape[2] not in _PNG_COLORS:
        raise ShapeError(
            f"image: pixels are (height, width, channels) with 1 to 4 channels; shape "
            f"{list(pixels.shape)} came; reshape them"
        )
    height, width, channels = pixels.shape
    message = integer(1, height) + integer(2, width) + integer(3, channels)
    return _value(tag, data(4, message + data(4, png(pixels))))


def png(pixels: Any) -> bytes:
    """Pixels (height, width, channels) as a PNG file. Source: RFC 2083."""
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, _PNG_COLORS[channels], 0, 0, 0)
    rows = numpy.zeros((height, 1 + width * channels), "uint8")  # each begins with its filter: none
    rows[:, 1:] = pixels.reshape(height, -1)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )  # fmt: skip


def text(tag: str, content: Any) -> bytes:
    """A text, in Markdown, or a sequence of texts."""
    several = not isinstance(content, str | bytes)
    parts = list(content) if several else [content]
    size = data(2, data(2, integer(1, len(parts)))) if several else b""
    tensor = integer(1, _STRING) + size + b"".join(data(8, part) for part in parts)
    return _value(tag, data(8, tensor) + data(9, data(1, data(1, "text"))))


def _value(tag: str, fields: bytes) -> bytes:
    return data(1, data(1, tag) + fields)
