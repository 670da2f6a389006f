"""Event files, and a writer with PyTorch's methods."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from itertools import count
from typing import Any

from gleed.errors import ArgumentError
from gleed.lazy import lazy
from gleed.utils.tensorboard import summaries
from gleed.utils.tensorboard.protobuf import data, double, integer
from gleed.utils.tensorboard.records import record

numpy = lazy("numpy")

# Fields of the message Event.
_WALL_TIME, _STEP, _VERSION, GRAPH, SUMMARY, METADATA = 1, 2, 3, 4, 5, 8
_NUMBERS = count()


class EventFile:
    """A new file of events in a folder, which is made if it is missing."""

    def __init__(self, folder: str | os.PathLike, suffix: str = "") -> None:
        self.folder = os.fspath(folder)
        os.makedirs(self.folder, exist_ok=True)
        # TensorBoard reads the files of a folder in the order of their names.
        unique = f"{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_NUMBERS)}"
        self.path = os.path.join(self.folder, f"events.out.tfevents.{unique}{suffix}")
        self._file = open(self.path, "wb")  # noqa: SIM115 -- it stays open
        self._event(data(_VERSION, "brain.Event:2"))
        self.flush()

    def write(
        self, field: int, message: bytes, step: int | None = None, wall_time: float | None = None
    ) -> None:
        """Append an event with one field. Raises ArgumentError if the file is closed."""
        if self._file.closed:
            raise ArgumentError(
                f"events: the file must be open; {self.path!r} was closed; make another writer"
            )
        number = b"" if step is None else integer(_STEP, int(step))
        self._event(number + data(field, message), wall_time)

    def _event(self, fields: bytes, wall_time: float | None = None) -> None:
        now = time.time() if wall_time is None else wall_time
        self._file.write(record(double(_WALL_TIME, now) + fields))

    def flush(self) -> None:
        """Hand everything to the system."""
        if not self._file.closed:
            self._file.flush()

    def close(self) -> None:
        """Write what is left."""
        self._file.close()


class SummaryWriter:
    """Writes numbers, distributions, images and texts for TensorBoard to a folder.

    `log_dir` is "runs/" and the time and the host if left out. Tags with "/" are grouped.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with SummaryWriter(folder) as writer:
    ...         for step in range(3):
    ...             writer.add_scalar("loss/train", 1 / (step + 1), step)
    ...     len(os.listdir(folder))
    1
    """

    def __init__(
        self,
        log_dir: str | os.PathLike | None = None,
        comment: str = "",
        *,
        filename_suffix: str = "",
    ) -> None:
        if not log_dir:
            now = time.strftime("%b%d_%H-%M-%S")
            log_dir = os.path.join("runs", f"{now}_{socket.gethostname()}{comment}")
        self.log_dir = os.fspath(log_dir)
        self._suffix = filename_suffix
        self._file = EventFile(self.log_dir, filename_suffix)
        self._others: dict[str, EventFile] = {}

    def add_scalar(
        self, tag: str, scalar_value: Any, global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:  # fmt: skip
        """A number: Python's, NumPy's, or a tensor with one element."""
        self._file.write(SUMMARY, summaries.scalar(tag, scalar_value), global_step, walltime)

    def add_scalars(
        self, main_tag: str, tag_scalar_dict: Mapping[str, Any], global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:  # fmt: skip
        """Several numbers in one diagram; each has a folder of its own."""
        for tag, number in tag_scalar_dict.items():
            name = f"{main_tag.replace('/', '_')}_{tag}"
            if name not in self._others:
                folder = os.path.join(self.log_dir, name)
                self._others[name] = EventFile(folder, self._suffix)
            message = summaries.scalar(main_tag, number)
            self._others[name].write(SUMMARY, message, global_step, walltime)

    def add_histogram(
        self, tag: str, values: Any, global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:  # fmt: skip
        """The distribution of the elements of a tensor or an array."""
        message = summaries.histogram(tag, _array(values))
        self._file.write(SUMMARY, message, global_step, walltime)

    def add_image(
        self, tag: str, img_tensor: Any, global_step: int | None = None,
        walltime: float | None = None, dataformats: str = "CHW",
    ) -> None:  # fmt: skip
        """An image, of bytes or of numbers from 0 to 1; `dataformats` names its dims: "CHW", "HWC"
        or "HW". Raises ArgumentError for other dims."""
        x = _array(img_tensor)
        if sorted(dataformats) not in (sorted("HWC"), sorted("HW")) or x.ndim != len(dataformats):
            raise ArgumentError(
                f"add_image: dataformats names each dim, as in 'CHW'; {dataformats!r} came for "
                f"shape {list(x.shape)}; correct it"
            )
        x = x if "C" in dataformats else x[..., None]
        order = dataformats if "C" in dataformats else dataformats + "C"
        x = x.transpose([order.index(letter) for letter in "HWC"])
        if x.dtype.kind == "f":
            x = (x * 255).clip(0, 255)
        self._file.write(SUMMARY, summaries.image(tag, x), global_step, walltime)

    def add_text(
        self, tag: str, text_string: str, global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:  # fmt: skip
        """A text, in Markdown."""
        self._file.write(SUMMARY, summaries.text(tag, text_string), global_step, walltime)

    def flush(self) -> None:
        """Hand everything to the system."""
        for file in (self._file, *self._others.values()):
            file.flush()

    def close(self) -> None:
        """Write what is left; nothing can be added any more."""
        for file in (self._file, *self._others.values()):
            file.close()

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _array(x: Any) -> Any:
    """A tensor or data as NumPy's."""
    x = x.detach() if hasattr(x, "detach") else x
    return numpy.asarray(x)
