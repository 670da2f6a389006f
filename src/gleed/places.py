"""Where in the user's program something was made or asked for."""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Iterator
from types import FrameType
from typing import NamedTuple

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


class Place(NamedTuple):
    """A line of a file."""

    file: str
    line: int

    @property
    def text(self) -> str:
        """What the line says, if the file can be read."""
        return linecache.getline(self.file, self.line).strip()

    @property
    def quoted(self) -> str:
        """Where the line is, and what it says."""
        text = self.text
        return f"{self}: {text}" if text else str(self)

    @property
    def short(self) -> str:
        """Where the line is, without the folders of its file."""
        return f"{os.path.basename(self.file)}:{self.line}"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def frames() -> Iterator[FrameType]:
    """The frames that run, from the innermost to the first that is not gleed's."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back if frame.f_code.co_filename.startswith(_PACKAGE) else None


def users_place() -> Place:
    """The innermost line of the running program that is not gleed's."""
    *_, frame = frames()
    return Place(frame.f_code.co_filename, frame.f_lineno)
