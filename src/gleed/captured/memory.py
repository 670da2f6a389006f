"""Memory as a capture sees it: what every tensor holds, as values of a graph.

Tensors that share memory are views of one another, and a write to one is seen by all. Here each
piece of memory is a `Part`, whose value a write replaces; a view is remembered as the movements
that lead to it, and computed again after a write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gleed import _C, primitives
from gleed.bundle import Bundle
from gleed.captured.errors import Unfollowed
from gleed.compiler.graph import Node, Value
from gleed.compiler.kernel import DTYPES
from gleed.primitives.movement import inverse
from gleed.trace import Standin, Trace

# (serial of the memory, dtype, offset, sizes, strides): tensors of one place hold the same.
Place = tuple[int, str, int, tuple[int, ...], tuple[int, ...]]
Movement = tuple[Any, dict[str, Any]]  # a primitive and its attributes


class Part(Bundle):
    """A piece of memory with one value: all of what an operation or the caller made."""

    place: Place
    value: Standin
    tensor: Any = None  # the caller's, whose memory this is; None: made while capturing
    written: int = 0  # how often


class View(Bundle):
    """A tensor whose memory is that of another."""

    parent: Place
    movements: list[Movement]
    value: Standin
    seen: int  # `written` of the part when the value was computed


class Memory:
    """What the tensors of a capture hold. `written` makes a value what memory at a place holds."""

    def __init__(self, trace: Trace, written: Callable[[Place, Standin], Standin]) -> None:
        self.trace, self.written = trace, written
        self.parts: dict[Place, Part] = {}
        self.views: dict[Place, View] = {}
        self._serials: dict[int, list[Part]] = {}

    def knows(self, place: Place) -> bool:
        """Whether the place is one of a part or a view."""
        return place in self.parts or place in self.views

    def add(self, place: Place, value: Standin, tensor: Any = None) -> Part:
        """A new piece of memory."""
        part = self.parts[place] = Part(place, value, tensor)
        self._serials.setdefault(place[0], []).append(part)
        if any(other.written for other in self._overlapping(part)):
            raise Unfollowed("memory that was written is seen in another way")
        return part

    def read(self, place: Place) -> Standin:
        """What a tensor holds now."""
        part = self.parts.get(place)
        if part is not None:
            return part.value
        view = self.views[place]
        written = self.part_of(place).written
        if view.seen != written:
            value = self.read(view.parent)
            for primitive, attrs in view.movements:
                value = self.trace.emit(primitive, (value,), attrs)
            view.value, view.seen = value, written
        return view.value

    def part_of(self, place: Place) -> Part:
        """The part that a place lies in."""
        while place in self.views:
            place = self.views[place].parent
        return self.parts[place]

    def way_to(self, place: Place) -> list[Movement]:
        """The movements that lead from a part to a place in it."""
        found: list[Movement] = []
        while place in self.views:
            view = self.views[place]
            place, found = view.parent, [*view.movements, *found]
        return found

    def alias(self, place: Place, value: Standin, source: Place) -> None:
        """Note that the tensor at `place`, which holds `value`, is a view of that at `source`."""
        if self.knows(place):
            self._require_equal(value, self.read(place))
            return
        movements = _movements(value.value, self.read(source).value)
        if movements is None:
            raise Unfollowed("a view is made in a way that a capture cannot follow")
        if any(primitive.name == "as_strided" for primitive, _ in movements):
            known = self._known_way(place, source)
            if known:
                self.views[place] = View(source, known, value, -1)
                return
        self.views[place] = View(source, movements, value, self.part_of(source).written)

    def _known_way(self, place: Place, source: Place) -> list[Movement]:
        """The movements that lead to the same region of other memory with the layout of `source`:
        by strides the engine names the region that a write through a view has changed."""
        found: list[Place] = []
        for other in self.views:
            part = self.part_of(other).place
            alike = part[1] == source[1] and part[3:] == source[3:] and other[3:] == place[3:]
            if alike and other[2] - part[2] == place[2] - source[2]:
                found.append(other)
        for other in found[1:]:
            self._require_equal(self.read(found[0]), self.read(other))
        return self.way_to(found[0]) if found else []

    def _require_equal(self, value: Standin, known: Standin) -> None:
        """Two ways to one place: what they are in symbols must agree, so it is decided that it
        does."""
        for a, b in zip(value.shape, known.shape, strict=True):
            if not a == b:
                raise Unfollowed("a view has two shapes")

    def write(self, place: Place, value: Standin) -> None:
        """Overwrite what a tensor holds."""
        view = self.views.get(place)
        if view is None:
            part = self.parts[place]
            if self._overlapping(part):
                raise Unfollowed("tensors that overlap are written")
            self.replace(part, self.written(part.place, value))
            return
        values = [self.read(view.parent)]
        for primitive, attrs in view.movements[:-1]:
            values.append(self.trace.emit(primitive, (values[-1],), attrs))
        for whole, (primitive, attrs) in reversed(list(zip(values, view.movements, strict=True))):
            value = _put_back(whole, value, primitive, attrs)
        self.write(view.parent, value)

    def replace(self, part: Part, value: Standin) -> None:
        """Let a piece of memory hold another value."""
        part.value = value
        part.written += 1

    def _overlapping(self, part: Part) -> list[Part]:
        """The other parts that share bytes with a part."""
        low, high = _extent(part.place)
        others = (other for other in self._serials[part.place[0]] if other is not part)
        return [p for p in others if low < _extent(p.place)[1] and _extent(p.place)[0] < high]

    def changed(self) -> Iterator[Part]:
        """The parts of the caller's memory that were written."""
        return (p for p in self.parts.values() if p.tensor is not None and p.written)


def _movements(value: Value, source: Value) -> list[Movement] | None:
    """The movements that make `value` of `source`."""
    found: list[Movement] = []
    while value is not source:
        node: Node = value.node
        if node.kind not in ("permute", "broadcast", "reshape", "movement"):
            return None
        found.append((node.primitive, node.attrs))
        value = node.inputs[0]
    return found[::-1]


def _put_back(whole: Standin, part: Standin, primitive: Any, attrs: dict[str, Any]) -> Standin:
    """`whole` with what a movement takes of it replaced by `part`."""
    if primitive.kind == "permute":
        return primitives.permute(part, axes=inverse(attrs["axes"]))
    if primitive.kind in ("reshape", "broadcast") or primitive.name == "view":
        return primitives.reshape(part, shape=whole.shape)
    if primitive.name in ("slice", "diagonal"):
        return primitives.insert(whole, part, movement=primitive.name, attrs=tuple(attrs.items()))
    raise Unfollowed(f"a write goes through {primitive.name}")


def _extent(place: Place) -> tuple[int, int]:
    """The bytes that a tensor reaches, first and last plus one."""
    _, dtype, offset, sizes, strides = place
    width = DTYPES[dtype][0]
    if 0 in sizes:
        return offset * width, offset * width
    steps = [(n - 1) * step for n, step in zip(sizes, strides, strict=True)]
    low = offset + sum(step for step in steps if step < 0)
    return low * width, (offset + sum(step for step in steps if step > 0) + 1) * width


def place_of(tensor: Any) -> Place:
    """Where a tensor's elements are."""
    place: Place = _C.place_of(tensor)
    return place
