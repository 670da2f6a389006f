"""Where in the user's program something was made."""

from __future__ import annotations

import linecache
import os
import sys
from typing import NamedTuple

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


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

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def users_place() -> Place:
    """The innermost line of the running program that is not gleed's."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith(_PACKAGE) and frame.f_back is not None:
        frame = frame.f_back
    return Place(frame.f_code.co_filename, frame.f_lineno)
