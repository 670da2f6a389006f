"""What a captured program is made of, as its author sees it: calls, and their lines."""

from __future__ import annotations

import os
import time

import gleed
from gleed.bundle import Bundle
from gleed.compiler.graph import latest_serial
from gleed.places import Place, frames

_OPTIMIZERS = os.path.join(os.path.dirname(gleed.__file__), "optim") + os.sep


class Call(Bundle):
    """An operation that ran while a function was captured.

    phase: "forward", "backward" or "optimizer". origin: of a backward, the call whose it is.
    first: the nodes that it has made, and the next call has not, have greater serial numbers.
    bodies: of a branch or a loop, for each of its functions the calls in it, by number.
    """

    name: str
    place: Place
    phase: str
    origin: Call | None
    first: int
    bodies: tuple[dict[int, Call], ...] = ()


class Calls:
    """The calls of one capture, in order."""

    def __init__(self) -> None:
        self.begun = time.perf_counter()
        self.all: list[Call] = []
        self.numbered: dict[int, Call] = {}  # by the numbers that a recorder gives to results
        self.bodies: tuple[dict[int, Call], ...] = ()  # of the call that begins next
        self._nodes: dict[int, Call] = {}  # by the node that a call has made for its backward

    def begin(self, name: str, node: int) -> None:
        """A call begins, for the backward of a node, or of none (0)."""
        path = list(frames())
        place = Place(path[-1].f_code.co_filename, path[-1].f_lineno)
        phase = "forward"
        if any(frame.f_code.co_filename.startswith(_OPTIMIZERS) for frame in path):
            phase = "optimizer"
        elif node or self._goes_on_backwards(place):
            phase = "backward"
        origin = self._nodes.get(node)
        self.all.append(Call(name, place, phase, origin, latest_serial(), self.bodies))
        self.bodies = ()

    def _goes_on_backwards(self, place: Place) -> bool:
        """Whether gradients are being added up: no node's backward, but within the engine's run."""
        last = self.all[-1] if self.all else None
        return last is not None and last.phase == "backward" and last.place == place

    def node(self, number: int, call: Call) -> None:
        """A call has made a node."""
        self._nodes[number] = call
