"""Event files, read back by a reader of the tests' own."""

import struct
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tests import events

import gleed
from gleed.errors import ArgumentError, ShapeError
from gleed.utils.tensorboard import SummaryWriter
from gleed.utils.tensorboard.protobuf import integer, single
from gleed.utils.tensorboard.records import crc32c


def read(folder):
    (path,) = (p for p in Path(folder).iterdir() if p.is_file())
    return events.events(path)


@pytest.mark.parametrize(
    ("data", "check"),
    [  # RFC 3720, appendix B.4
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_checksums(data, check):
    assert crc32c(data) == check == events.crc32c(data)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 1 << 40, (1 << 63) - 1, -1, -(1 << 63)])
def test_whole_numbers(value):
    (found,) = events.fields(integer(5, value))[5]
    assert found == value % (1 << 64)


def test_numbers_too_great_for_32_bits_are_infinite():
    assert events.fields(single(1, 1e300) + single(1, -1e300))[1] == [np.inf, -np.inf]


def test_numbers_have_tags_steps_and_times(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("loss/train", gleed.tensor(0.5), 3, walltime=12.25)
        writer.add_scalar("loss/größe", 2, 1 << 33)
        writer.add_scalar("plain", np.float64("nan"))
    first, second, third = read(tmp_path)
    assert (first[1], first[2]) == ([12.25], [3])
    assert events.values(first)["loss/train"][2] == [0.5]
    assert second[2] == [1 << 33] and events.values(second)["loss/größe"][2] == [2.0]
    assert not third[2] and np.isnan(events.values(third)["plain"][2][0])


def test_several_numbers_have_folders_of_their_own(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        for step in range(2):
            writer.add_scalars("loss/all", {"train": step, "test": 2 * step}, step)
    assert {p.name for p in tmp_path.iterdir() if p.is_dir()} == {"loss_all_train", "loss_all_test"}
    found = [events.values(e)["loss/all"][2] for e in read(tmp_path / "loss_all_test")]
    assert found == [[0.0], [2.0]]


@pytest.mark.parametrize(
    "data",
    [
        np.random.default_rng(0).standard_normal(1000),
        np.zeros(7),
        np.array([-3.0, 0.0, 1e-13, 1e30, np.nan]),
        np.array([2.5]),
        np.arange(20, dtype="int32").reshape(4, 5),
    ],
)
def test_distributions(tmp_path, data):
    with SummaryWriter(tmp_path) as writer:
        writer.add_histogram("w", data, 1)
    histogram = events.fields(events.values(read(tmp_path)[0])["w"][5][0])
    kept = data[~np.isnan(data)].astype("float64")
    low, high, count, total, squares = (histogram[i][0] for i in range(1, 6))
    assert (low, high, count) == (kept.min(), kept.max(), kept.size)
    np.testing.assert_allclose([total, squares], [kept.sum(), (kept**2).sum()])
    limits, counts = events.doubles(histogram[6][0]), events.doubles(histogram[7][0])
    assert len(limits) == len(counts) and sum(counts) == kept.size
    assert all(a < b for a, b in pairwise(limits))
    lower = -np.inf
    for limit, n in zip(limits, counts, strict=True):
        assert ((kept >= lower) & (kept < limit)).sum() == n
        lower = limit


def test_an_empty_distribution(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        writer.add_histogram("w", gleed.empty(0))
    histogram = events.fields(events.values(read(tmp_path)[0])["w"][5][0])
    assert histogram[3] == [0.0] and sum(events.doubles(histogram[7][0])) == 0


def decoded(png):
    """The pixels of a PNG file without filters."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    place, chunks = 8, {}
    while place < len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        content = png[place + 8 : place + 8 + length]
        (check,) = struct.unpack_from(">I", png, place + 8 + length)
        assert check == zlib.crc32(kind + content)
        chunks[kind] = content
        place += 12 + length
    width, height, depth, color = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[color]
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), "uint8").reshape(height, -1)
    assert depth == 8 and not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, channels)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images(tmp_path, channels):
    pixels = np.random.default_rng(0).integers(0, 256, (channels, 5, 7)).astype("uint8")
    with SummaryWriter(tmp_path) as writer:
        writer.add_image("a", gleed.tensor(pixels), 1)
        writer.add_image("a", (pixels / 255).transpose(1, 2, 0), 2, dataformats="HWC")
        writer.add_image("a", pixels[0], 3, dataformats="HW")
    first, second, third = (events.fields(events.values(e)["a"][4][0]) for e in read(tmp_path))
    assert (first[1], first[2], first[3]) == ([5], [7], [channels])
    np.testing.assert_array_equal(decoded(first[4][0]), pixels.transpose(1, 2, 0))
    shown = decoded(second[4][0]).astype(int)
    assert np.abs(shown - pixels.transpose(1, 2, 0)).max() <= 1
    np.testing.assert_array_equal(decoded(third[4][0])[..., 0], pixels[0])


def test_texts(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        writer.add_text("notes", "# Größe", 4)
    value = events.values(read(tmp_path)[0])["notes"]
    tensor = events.fields(value[8][0])
    assert tensor[1] == [7] and tensor[8] == ["# Größe".encode()]
    assert events.fields(events.fields(value[9][0])[1][0])[1] == [b"text"]


def test_mistakes(tmp_path):
    writer = SummaryWriter(tmp_path)
    with pytest.raises(ArgumentError, match=r"add_image: dataformats names each dim.*'CHW' came"):
        writer.add_image("a", np.zeros((2, 2)))
    with pytest.raises(ShapeError, match=r"image: pixels are .*; shape \[2, 2, 5\] came"):
        writer.add_image("a", np.zeros((2, 2, 5)), dataformats="HWC")
    writer.close()
    with pytest.raises(ArgumentError, match=r"events: the file must be open; .* was closed"):
        writer.add_scalar("a", 1)


def test_the_default_folder_is_named_after_the_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    SummaryWriter(comment="-try").close()
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.endswith("-try")
