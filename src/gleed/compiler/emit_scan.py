"""Scans: running values along an axis, in one order for all loops, so that they are the same bits
along rows and along columns, whatever else a kernel computes.

What rounds is accumulated in groups of two pairs of neighbours. A running value is what all groups
before came to, and added to that the group so far: the first pair so far, or the first pair and,
added to that, the second one so far. Rows compute the groups of a vector side by side; columns, and
the last elements of rows, one pair after another. Of what does not round, such as the greatest so
far, any order gives the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gleed.compiler.emit_base import Emitter, Place
from gleed.compiler.emit_reduce import Reducer
from gleed.compiler.kernel import Node, item_size
from gleed.compiler.llvm_text import SCALAR_TYPES, Code, State, value_type
from gleed.compiler.passes import Pass

_GROUP = 4  # neighbours that form a group, where a vector of their dtype holds so many


class ScanEmitter(Emitter):
    """Emits running values."""

    def start_scans(self, now: Pass, lanes: int, copies: int) -> State:
        """The running values of nothing, for `one_by_one`."""
        state: State = {}
        for node in _scans(now):
            for u in range(copies):
                state |= self.start_state((node, u), node, lanes)
                if self.reducers[node].rounds:
                    state |= self.start_state((node, u, "before"), node, lanes)
        return state

    def one_by_one(
        self, now: Pass, start: str, end: str, state: State, point: Callable[[str, State], State]
    ) -> State:
        """`point` from `start`, which begins a group, to `end`; in pairs if there are scans that
        round."""
        if not any(self.reducers[node].rounds for node in _scans(now)):
            return self.code.loop(start, end, 1, state, self.types, point)

        def pair(i: str, state: State) -> State:
            self.second = False
            state = point(i, state)
            self.second = True
            return point(self.code.op(f"add i64 {i}, 1"), state)

        def last() -> State:
            self.second = False
            return {key: value for key, value in point(middle, state).items() if key in state}

        length = self.code.op(f"sub i64 {end}, {start}")
        whole = self.code.op(f"and i64 {length}, -2")
        middle = self.code.op(f"add i64 {start}, {whole}")
        state = self.code.loop(start, middle, 2, state, self.types, pair)
        more = self.code.op(f"icmp slt i64 {middle}, {end}")
        return self.code.when(more, state, self.types, last)

    second = False  # whether the point is the second one of a pair

    def scan_point(self, node: Node, i: str, lanes: int, copies: int, state: State) -> None:
        """The running values after element `i`, in `one_by_one`."""
        reducer, values = self.reducers[node], self.scopes[Place.POINT].values
        if reducer.rounds and not self.second:
            self._close_group(node, i, lanes, copies, state)
        for u in range(copies):
            x, key = self.get(node.args[0], lanes, u), (node, u, 0)
            if not reducer.rounds:
                values[node, u] = state[key] = reducer.combine(self.code, x, state[key], lanes)
                continue
            if self.second:
                x = reducer.combine(self.code, x, state[node, u, "first"], lanes)
            group = reducer.combine(self.code, x, state[key], lanes)
            state[key if self.second else (node, u, "first")] = group if self.second else x
            before = state[node, u, "before", 0]
            values[node, u] = reducer.combine(self.code, group, before, lanes)

    def _close_group(self, node: Node, i: str, lanes: int, copies: int, state: State) -> None:
        """Where element `i` begins a group, add the one before it to what came before that."""

        def close() -> State:
            changed: State = {}
            for u in range(copies):
                before, group = state[node, u, "before", 0], state[node, u, 0]
                total = self.reducers[node].combine(self.code, group, before, lanes)
                changed |= self.start_state((node, u), node, lanes)
                changed[node, u, "before", 0] = total
            return changed

        place = self.code.op(f"and i64 {i}, {self._group(node) - 1}")
        begins = self.code.op(f"icmp eq i64 {place}, 0")
        state.update(self.code.when(begins, state, self.types, close))

    def start_lanes(self, now: Pass) -> State:
        """The running values of nothing, for `side_by_side`."""
        state: State = {}
        for node in _scans(now):
            state |= self.start_state((node, "lanes"), node, self._group(node))
        return state

    def side_by_side(self, node: Node, lanes: int, copies: int, state: State) -> None:
        """The running values after each element of the next vectors."""
        group, key = self._group(node), (node, "lanes", 0)
        for u in range(copies):
            x = self.get(node.args[0], lanes, u)
            if group > 1:
                made = _grouped(self.code, self.reducers[node], state[key], x, lanes, group)
            else:
                made = _doubling(self.code, self.reducers[node], state[key], x, lanes)
            self.scopes[Place.POINT].values[node, u], state[key] = made

    def leave_lanes(self, now: Pass, state: State) -> State:
        """The running values for `one_by_one`, which goes on after `side_by_side`."""
        left = self.start_scans(now, 1, 1)
        for node in _scans(now):
            value, group = state[node, "lanes", 0], self._group(node)
            if group > 1:
                kind = value_type(node.dtype, group)
                value = self.code.op(f"extractelement {kind} {value}, i32 0")
            left[(node, 0, "before", 0) if self.reducers[node].rounds else (node, 0, 0)] = value
        return left

    def _group(self, node: Node) -> int:
        """How many neighbours form a group; 1 where there are none."""
        reducer = self.reducers[node]
        lanes = self.target.vector_bytes // item_size(reducer.dtype)
        return min(_GROUP, lanes) if reducer.op in ("sum", "prod") else 1


def _scans(now: Pass) -> list[Node]:
    return [node for node in now.nodes if node.op == "scan"]


def _grouped(
    code: Code, reducer: Reducer, before: str, x: str, lanes: int, group: int
) -> tuple[str, str]:
    """The running values after each lane of `x`, which are whole groups, and the last of them;
    `before` is that of all earlier groups. The latter two are the same in all lanes of a group."""
    x = _take_in(code, reducer, x, [i - 1 if i % 2 else None for i in range(lanes)])
    if group > 2:
        sources = [i - i % 2 - 1 if i % group > 1 else None for i in range(lanes)]
        x = _take_in(code, reducer, x, sources)
    kind = value_type(reducer.dtype, lanes)
    totals = _shuffle(code, kind, x, [i - i % group + group - 1 for i in range(lanes)])
    starts = []
    for first in range(0, lanes, group):
        starts.append(before)
        total = _shuffle(code, kind, totals, range(first, first + group))
        before = reducer.combine(code, total, before, group)
    while len(starts) > 1:
        width = lanes // len(starts)
        part, pairs = value_type(reducer.dtype, width), zip(starts[::2], starts[1::2], strict=True)
        starts = [_shuffle(code, part, a, range(2 * width), b) for a, b in pairs]
    return reducer.combine(code, x, starts[0], lanes), before


def _doubling(code: Code, reducer: Reducer, before: str, x: str, lanes: int) -> tuple[str, str]:
    """The running values after each lane of `x`, and the last of them; `before` is the one before
    all lanes. Each takes in 1, 2, 4, … neighbours: of the long chain from vector to vector only one
    operation is left."""
    kind, scalar = value_type(reducer.dtype, lanes), SCALAR_TYPES[reducer.dtype]
    distance = 1
    while distance < lanes:
        sources = [i - distance if i >= distance else None for i in range(lanes)]
        x = _take_in(code, reducer, x, sources)
        distance *= 2
    last = code.op(f"extractelement {kind} {x}, i32 {lanes - 1}")
    result = reducer.combine(code, x, code.splat(before, scalar, lanes), lanes)
    return result, reducer.combine(code, last, before, 1)


def _take_in(code: Code, reducer: Reducer, x: str, sources: Sequence[int | None]) -> str:
    """A vector after each of its lanes took in an earlier one, or nothing."""
    lanes = len(sources)
    kind, nothing = value_type(reducer.dtype, lanes), reducer.start(lanes)[0]
    picks = [lanes if source is None else source for source in sources]
    return reducer.combine(code, x, _shuffle(code, kind, x, picks, nothing), lanes)


def _shuffle(code: Code, kind: str, x: str, picks: Sequence[int], y: str = "poison") -> str:
    """Lanes of two vectors, one after another."""
    mask = ", ".join(f"i32 {pick}" for pick in picks)
    return code.op(f"shufflevector {kind} {x}, {kind} {y}, <{len(picks)} x i32> <{mask}>")
