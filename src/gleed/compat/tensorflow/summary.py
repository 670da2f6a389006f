"""`tf.summary`: records of a training for TensorBoard, and the writer of its files.

>>> import tempfile
>>> import gleed.compat.tensorflow as tf
>>> x = tf.placeholder(tf.float32)
>>> record = tf.summary.scalar("loss", x * 2)
>>> with tempfile.TemporaryDirectory() as folder, tf.Session() as session:
...     writer = tf.summary.FileWriter(folder, session.graph)
...     for step in range(3):
...         writer.add_summary(session.run(record, {x: 1.0}), step)
...     writer.close()
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from gleed.compat.tensorflow.absent import missing
from gleed.compat.tensorflow.convert import convert_to_tensor
from gleed.compat.tensorflow.graph_def import graph_def
from gleed.compat.tensorflow.variables import GraphKeys
from gleed.errors import ArgumentError, ShapeError
from gleed.graph.defaults import current_graph
from gleed.graph.graphs import Graph
from gleed.graph.node import Outcome
from gleed.graph.outside import sink
from gleed.lazy import lazy
from gleed.utils.tensorboard import EventFile, summaries
from gleed.utils.tensorboard.protobuf import data
from gleed.utils.tensorboard.writer import GRAPH, METADATA, SUMMARY

numpy = lazy("numpy")


def _summary(
    title: str, name: str, content: Any, encode: Callable[..., bytes],
    collections: Sequence[str] | None, family: str | None = None,
) -> Outcome:  # fmt: skip
    """The node of a record that `encode(tag, value)` will be. What TensorBoard does not take in a
    name becomes "_"."""
    graph = current_graph()
    clean = re.sub(r"[^-/\w.]", "_", name).lstrip("/")
    with graph.name_scope(f"{family}/{clean}" if family else clean) as scope:
        tag = f"{family}/{scope[:-1]}" if family else scope[:-1]

        def take(session: Any, value: Any) -> bytes:
            return encode(tag, value)

        made = sink(graph, title, take, content, name=scope)
    keys = [GraphKeys.SUMMARIES] if collections is None else collections
    for key in keys:
        graph.add_to_collection(key, made)
    return made


def scalar(
    name: str, tensor: Any, collections: Sequence[str] | None = None, family: str | None = None
) -> Outcome:
    """A number, as a point of a curve. Raises ShapeError for a node with dims."""
    x = convert_to_tensor(tensor)
    if x.ndim is not None and x.shape.num_elements() not in (None, 1):
        raise ShapeError(
            f"summary.scalar: a node with one element is needed; {x.describe()} came, made at "
            f"{x.op.place}; reduce it, or use summary.histogram"
        )
    return _summary("ScalarSummary", name, x, _scalar, collections, family)


def _scalar(tag: str, value: Any) -> bytes:
    return summaries.scalar(tag, numpy.asarray(value).item())


def histogram(
    name: str, values: Any, collections: Sequence[str] | None = None, family: str | None = None
) -> Outcome:
    """The distribution of all elements."""
    x = convert_to_tensor(values)
    return _summary("HistogramSummary", name, x, summaries.histogram, collections, family)


def image(
    name: str,
    tensor: Any,
    max_outputs: int = 3,
    collections: Sequence[str] | None = None,
    family: str | None = None,
) -> Outcome:
    """The first `max_outputs` images (batch, height, width, channels) of 1, 3 or 4 channels.

    uint8 is taken as it is. Other numbers are scaled, image by image: the greatest to 255; with
    negative ones among them, the greatest magnitude to 127, around 127. Raises ShapeError for
    other dims.
    """
    x = convert_to_tensor(tensor)
    channels = x.shape[3] if x.ndim == 4 else None
    if x.ndim not in (None, 4) or channels not in (None, 1, 3, 4):
        raise ShapeError(
            f"summary.image: images are (batch, height, width, channels) with 1, 3 or 4 channels; "
            f"{x.describe()} came, made at {x.op.place}; reshape it"
        )

    def encode(tag: str, images: Any) -> bytes:
        shown = images[:max_outputs]
        tags = [
            f"{tag}/image" if max_outputs == 1 else f"{tag}/image/{i}" for i in range(len(shown))
        ]
        return b"".join(map(summaries.image, tags, map(_bytes, shown)))

    return _summary("ImageSummary", name, x, encode, collections, family)


def _bytes(pixels: Any) -> Any:
    """Pixels as bytes. Those that are no numbers are black."""
    if pixels.dtype == numpy.uint8:
        return pixels
    finite = numpy.where(numpy.isfinite(pixels), pixels, 0)
    greatest = numpy.abs(finite).max(initial=0) or 1
    if (finite < 0).any():
        return finite * (127 / greatest) + 128
    return finite * (255 / greatest)


def text(name: str, tensor: Any, collections: Sequence[str] | None = None) -> Outcome:
    """A text, or a list of texts: Python's, or what `tf.constant` made of them."""
    if not isinstance(tensor, Outcome | str | bytes | list | tuple):
        raise ArgumentError(
            f"summary.text: a text or a list of texts is needed; a {type(tensor).__name__} came; "
            "make one with str()"
        )
    return _summary("TextSummary", name, tensor, summaries.text, collections)


def merge(
    inputs: Sequence[Outcome], collections: Sequence[str] | None = None, name: str | None = None
) -> Outcome:
    """All these records as one."""
    records = list(inputs)
    if not records or not all(isinstance(record, Outcome) for record in records):
        raise ArgumentError(
            f"summary.merge: a list of records is needed; {records!r} came; pass what "
            "tf.summary.scalar and its like return"
        )
    graph = current_graph()
    made = sink(graph, "MergeSummary", _joined, tuple(records), name=name or "Merge/MergeSummary")
    for key in collections or ():
        graph.add_to_collection(key, made)
    return made


def _joined(session: Any, records: Sequence[bytes]) -> bytes:
    return b"".join(records)  # joined messages are one message with the fields of both


def merge_all(
    key: str = GraphKeys.SUMMARIES, scope: str | None = None, name: str | None = None
) -> Outcome | None:
    """All records of the graph as one; None if there are none."""
    records = current_graph().get_collection(key, scope)
    return merge(records, name=name) if records else None


class FileWriter:
    """Writes an event file for TensorBoard into `logdir`, which is made if it is missing."""

    def __init__(
        self,
        logdir: str,
        graph: Graph | None = None,
        max_queue: int = 10,
        flush_secs: int = 120,
        graph_def: None = None,
        filename_suffix: str | None = None,
    ) -> None:
        self._place = logdir, filename_suffix or ""
        self._file = EventFile(*self._place)
        self._max_queue, self._queued = max_queue, 0
        if graph is not None:
            self.add_graph(graph)

    def get_logdir(self) -> str:
        """The folder."""
        return self._file.folder

    def add_summary(self, summary: bytes, global_step: Any = None) -> None:
        """Write what a session gave for a record, with the number of the step. Raises
        ArgumentError for a record that was not run."""
        if not isinstance(summary, bytes):
            raise ArgumentError(
                f"add_summary: what session.run gives for a record is needed; {summary!r} came; "
                "run it first"
            )
        self._add(SUMMARY, summary, global_step)

    def add_graph(self, graph: Graph, global_step: Any = None) -> None:
        """Write the graph, for the page on which TensorBoard draws it."""
        self._add(GRAPH, graph_def(graph), global_step)

    def add_run_metadata(self, run_metadata: Any, tag: str, global_step: Any = None) -> None:
        """Write that a step was traced; there is nothing to tell about it."""
        self._add(METADATA, data(1, tag) + data(2, b""), global_step)

    def _add(self, field: int, message: bytes, step: Any) -> None:
        self._file.write(field, message, step)
        self._queued += 1
        if self._queued > self._max_queue:
            self.flush()

    def flush(self) -> None:
        """Hand everything to the system."""
        self._file.flush()
        self._queued = 0

    def close(self) -> None:
        """Write what is left."""
        self._file.close()

    def reopen(self) -> None:
        """Go on in a new file after `close`."""
        self._file = EventFile(*self._place)

    def __enter__(self) -> FileWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def __getattr__(name: str) -> Any:
    raise missing("tf.summary", name, globals())
