"""What stops a capture."""

from __future__ import annotations

import linecache
import os
import sys

import gleed

_HERE = os.path.dirname(gleed.__file__) + os.sep


class Unfollowed(Exception):
    """Something that a capture cannot follow. `rule` says what, `fix` what to do instead."""

    def __init__(self, rule: str, fix: str = "leave it out of the captured function") -> None:
        super().__init__(rule)
        self.rule, self.fix = rule, fix
        self.place = _place()

    def message(self, name: str) -> str:
        """The text of the error or warning for the function called `name`."""
        return f"compile: {self.rule}; it came in {name}{self.place}; {self.fix}"


def _place() -> str:
    """Where the user's code is that has led here."""
    frame = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back  # type: ignore[assignment]
    if frame is None:
        return ""
    file, line = frame.f_code.co_filename, frame.f_lineno
    code = linecache.getline(file, line).strip()
    return f" at {file}:{line}" + (f": {code}" if code else "")
