"""Reductions of the same values in one kernel, which reads them once.

Calls that reduce the same values over the same axes, such as a sum and a sum of squares, or a loss
and an accuracy, give kernels over one iteration space that read the same memory. Two of them become
one where nothing between them stands in the way: the later one is computed earlier, or the earlier
one later.

Bits stay what they are. In which order a kernel adds follows from how its loops run: from the
strides of what it reads, from the width of vectors, from whether a range is done in chunks. So a
reduction that rounds is joined only where all this is the same for it alone and for both, which is
known because captured programs decide on the layouts of what they are given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from operator import mul

from gleed.compiler import kernel as k
from gleed.compiler.cells import INNER, Step
from gleed.compiler.dims import Size, identity
from gleed.compiler.fuse import KernelBuilder, Space, is_unit
from gleed.compiler.graph import Node
from gleed.compiler.kernel import Kernel, is_float, item_size
from gleed.compiler.layouts import MADE, ONE, ZERO, Layouts, Strides, row_major
from gleed.compiler.lower import lower
from gleed.compiler.online import online
from gleed.compiler.split import split
from gleed.compiler.traffic import Traffic
from gleed.compiler.writes import OPERANDS_AT_ONCE

_ACCUMULATORS = 32  # vectors that a kernel adds to
# From so many points on the core may do a range in chunks, in columns from so many.
_CHUNKED, _CHUNKED_COLUMNS = 1 << 15, 64
_WIDEST = 8  # bytes of an element


@dataclass(frozen=True)
class _Loops:
    """How the loops of a kernel run, as far as the order of adding depends on it.

    strides: of what moves with all loops, along the axes with several places. chunked: whether a
    long range is done in chunks; None if it is short. first: the bytes of an element of the operand
    that decides how wide columns are. ordered: whether several reduced axes keep their order.
    widths: the bytes of the elements that fill vectors. online: whether maxima are followed.
    """

    strides: Strides
    chunked: bool | None
    first: int
    ordered: bool
    widths: tuple[int, ...]
    online: bool


class Reductions:
    """The `steps` of a plan in which reductions of the same values are joined, and the `launches`
    with what they are made by."""

    def __init__(
        self,
        steps: Sequence[Step],
        launches: list[tuple[Step, KernelBuilder | Node]],
        traffic: Traffic,
        layouts: Layouts,
    ) -> None:
        self._traffic, self._layouts = traffic, layouts
        self._sources = {id(step): (step, source) for step, source in launches}
        self._known: dict[int, _Loops | None] = {}
        self.steps = self._joined(steps)
        self.launches = [*self._sources.values()]

    def _joined(self, steps: Sequence[Step]) -> list[Step]:
        found: list[Step] = []
        readers: dict[object, dict[int, Step]] = {}  # by what they read, and over which space
        for step in steps:
            if step[0] in INNER:
                start = INNER[step[0]]
                step = (*step[:start], *(tuple(self._joined(part)) for part in step[start:]))
            found.append(step)
            keys = _keys(step)
            for earlier in [s for key in keys for s in readers.get(key, {}).values()]:
                one = self._join(found, earlier, step)
                if one is not None:
                    for key in _keys(earlier):
                        del readers[key][id(earlier)]
                    step, keys = one, _keys(one)
                    break
            for key in keys:
                readers.setdefault(key, {})[id(step)] = step
        return found

    def _join(self, steps: list[Step], first: Step, last: Step) -> Step | None:
        """Put one step in the place of two, of which one is the last of the steps, if it may be."""
        a, b = self._loops(first), self._loops(last)
        if a is None or b is None or a.strides != b.strides:
            return None
        place = next(i for i, step in enumerate(steps) if step is first)
        order = self._order(steps[place + 1 : -1], first, last)
        if order is None:
            return None
        # What guides one that rounds comes first.
        leading = sorted((first, last), key=lambda step: not _rounds(step[1]))
        builders = [self._sources[id(step)][1] for step in leading]
        assert isinstance(builders[0], KernelBuilder) and isinstance(builders[1], KernelBuilder)
        both = builders[0].joined(builders[1])
        step = both.step(first[2])
        whole = self._found(step, both.space)
        if not (_fits(step[1]) and _alike(a, first[1], whole) and _alike(b, last[1], whole)):
            return None
        before, after = order
        steps[place:] = [*before, step, *after]
        del self._sources[id(first)], self._sources[id(last)]
        self._sources[id(step)], self._known[id(step)] = (step, both), whole
        return step

    # ---- order
    def _order(
        self, between: list[Step], first: Step, last: Step
    ) -> tuple[list[Step], list[Step]] | None:
        """The steps between two others before and after one in place of both; None if there is no
        such order, or one in which what is large would have to live longer."""
        if self._conflict([first], last, _named(last)):
            return None
        needed = _named(last)
        before: list[Step] = []
        for step in reversed(between):
            if step[0] in MADE and step[1] in needed:
                needed |= {*step[2]} if step[0] == "alloc" else {step[2]}
                before.insert(0, step)
        after = [step for step in between if not any(step is s for s in before)]
        computing = any(step[0] not in MADE for step in after)
        large = any(o.kind == "out" and o.element for o in last[1].operands)
        if not (computing and large) and not self._conflict(after, last, needed):
            return before, after
        more = not set(_keys(first)) <= set(_keys(last))
        if (computing and more) or self._conflict(between, first, _named(first)):
            return None
        return between, []

    def _conflict(self, steps: list[Step], moved: Step, needed: set[int]) -> bool:
        """Whether a step that needs some values may not change places with others."""
        touched, written = set(map(self._traffic.root, needed)), self._traffic.written(moved)
        return any(
            not self._traffic.written(step).isdisjoint(touched)
            or not self._traffic.read(step).isdisjoint(written)
            for step in steps
        )

    # ---- loops
    def _loops(self, step: Step) -> _Loops | None:
        """How a kernel's loops run; None if they are none of those that are joined."""
        if id(step) not in self._known:
            source = self._sources[id(step)][1]
            assert isinstance(source, KernelBuilder)
            self._known[id(step)] = self._found(step, source.space)
        return self._known[id(step)]

    def _found(self, step: Step, space: Space) -> _Loops | None:
        kernel: Kernel = step[1]
        scans = any(node.op == "scan" for node in kernel.nodes)
        if scans or kernel.sequential or any(o.kind == "index" for o in kernel.operands):
            return None
        live = [a for a, n in enumerate(space.sizes) if not is_unit(n)]
        rows = sum(axis < space.parallel for axis in live)
        places = list(self._places(step))
        along = [tuple(s[w[a]] if w[a] >= 0 else ZERO for a in live) for _, s, w in places]
        strides = _common(along, rows, row_major([space.sizes[a] for a in live[:rows]]))
        if strides is None:
            return None
        reduced = [space.sizes[a] for a in live[rows:]]
        halves = None if _is_short(reduced, strides, rows) else split(kernel) or ()
        return _Loops(
            strides,
            None if halves is None else bool(halves),
            0 if halves is None else item_size(places[0][0]),
            kernel.ordered and len(reduced) > 1,
            tuple(map(_width, (kernel, *(halves or ())))),
            online(kernel) is not None,
        )

    def _places(self, step: Step) -> Iterator[tuple[str, Strides, tuple[int, ...]]]:
        """The dtypes, strides and mappings of what guides a kernel, reads and is written by it."""
        layouts = self._layouts
        for *kind, value, where in step[6:] and step[6]:
            strides = layouts.dense(value) if kind else layouts.strides(value)
            yield layouts.dtype(value), strides, where
        for what, *where in step[4]:
            if where and what != "index":
                yield layouts.dtype(what), layouts.strides(what), where[0]


def _keys(step: Step) -> list[object]:
    """What a reduction reads at all points, and its space: what joined ones have in common."""
    if step[0] != "kernel" or step[3] == len(step[2]):
        return []
    pairs = zip(step[1].operands, step[4], strict=True)
    read = (binding for operand, binding in pairs if operand.kind == "in" and operand.element)
    return [(binding, *step[2:4]) for binding in read if -1 not in binding[1]]


def _named(step: Step) -> set[int]:
    """The values that a kernel's step names."""
    guides = (value for *_, value, _ in step[6:] and step[6])
    return {v for v, *_ in step[4] if not isinstance(v, str)}.union(guides)


def _common(along: list[Strides], rows: int, dense: Strides) -> Strides | None:
    """The strides of what moves with all loops, where all else goes with it: what is reduced moves
    so along all reduced axes and along none or all others. The first axes are `rows`; what moves
    along these alone is laid out as that is, or `dense`, where there are several."""
    still, stays = (ZERO,) * rows, (ZERO,) * (len(along[0]) - rows)
    elements = {one for one in along if one[rows:] != stays}
    whole = {one for one in elements if one[:rows] != still or not rows}
    if len(whole) != 1:
        return None
    (strides,) = whole
    others = {one[:rows] for one in along if one not in elements} - {still, strides[:rows], dense}
    if any(one[rows:] != strides[rows:] for one in elements) or (others and rows > 1):
        return None
    return strides


def _is_short(reduced: list[Size], strides: Strides, rows: int) -> bool:
    """Whether the core reduces so few points at once, in chunks never: rows of them, or columns."""
    sizes = list(map(identity, reduced))
    if any(symbolic for symbolic, _ in sizes):
        return False
    points = prod(n for _, n in sizes)
    in_rows = ONE in strides[rows:] and ZERO not in strides[:rows]
    return points < _CHUNKED_COLUMNS or (points < _CHUNKED and in_rows)


def _width(kernel: Kernel) -> int:
    """The bytes of the elements that fill the vectors of a kernel's machine code."""
    return kernel.width if kernel.width < _WIDEST else lower(kernel).width


def _rounds(kernel: Kernel) -> bool:
    return any(node.op == "reduce" and _is_rounded(node) for node in kernel.nodes)


def _is_rounded(reduction: k.Node) -> bool:
    return reduction.attr in ("sum", "prod") and is_float(reduction.dtype)


def _alike(part: _Loops, kernel: Kernel, whole: _Loops | None) -> bool:
    """Whether a kernel's reductions are what they are alone where they are part of a whole."""
    if whole is None or part.chunked != whole.chunked:
        return False
    return part == whole or not _rounds(kernel)


def _fits(kernel: Kernel) -> bool:
    """Whether the accumulators of a kernel about fit registers, and its operands a call."""
    reductions = [node for node in kernel.nodes if node.op == "reduce"]
    sizes = (max(map(item_size, (n.dtype, n.args[0].dtype))) for n in reductions)
    counts = (4 if _is_rounded(n) else 1 for n in reductions)
    taken = sum(map(mul, sizes, counts)) / kernel.width
    return taken <= _ACCUMULATORS and len(kernel.operands) <= OPERANDS_AT_ONCE
