"""The loops of the orientations "row" and "map": n2, the innermost, is what vectors run along.

    for i0:                       a row: row values of stage 0
        for each pass:
            for i1:               a line: values that do not vary along n2
                for i2:           vectors of points
            row values of the next stage
        row stores

A map is one pass without reductions, in which every operand moves with every loop.
"""

from __future__ import annotations

from gleed.compiler import emit_memory as memory
from gleed.compiler.emit_base import Place
from gleed.compiler.emit_online import OnlineEmitter
from gleed.compiler.kernel import Node, item_size
from gleed.compiler.llvm_text import State, iota, vector_type
from gleed.compiler.passes import Pass

# What rounds is accumulated in so many vectors in turns, however many of them a step of the loop
# takes: so the order of adding depends on sizes alone, not on what else a kernel computes.
_WAYS = 4
# Sums flush their accumulators into a second level after this many additions each.
_ADDITIONS = 64
# Points of a line in one tile of a strided map.
_TILE = 64


class RowEmitter(OnlineEmitter):
    """Emits "row" and "map" variants."""

    def emit(self) -> None:
        """Emit the whole function."""
        self.evaluate_function()
        self.code.loop("0", self.size(0), 1, {}, {}, self._row)
        if self.streamed >= 0:
            memory.end_streams(self.code, self.target.triple)

    # ---- where values live ----

    def _place(self, node: Node) -> None:
        place = max((self.places[arg] for arg in node.args), default=Place.FUNCTION)
        if node.op in ("load", "index", "gather"):
            place = max(place, self._operand_place(int(node.attr)))
        elif node.op == "reduce":
            place = Place.ROW
        elif node.op == "scan" or node in self.late:
            place = Place.POINT
        self.places[node] = place
        if place == Place.POINT:
            self.varying.add(node)

    def _operand_place(self, k: int) -> Place:
        if k in self.scattered:
            return Place.POINT
        if not self.kernel.operands[k].element and self.variant.orientation == "row":
            return Place.ROW
        return Place.LINE if self.stride_class(k) == "0" else Place.POINT

    def moves(self, k: int) -> bool:
        """See `Emitter.moves`."""
        return self._operand_place(k) == Place.POINT and self.stride_class(k) != "0"

    def step_into(self, k: int, place: Place, offset: Node | None) -> str:
        """See `Emitter.step_into`."""
        outer = self.address(k, Place(place - 1), offset)
        if place == Place.ROW:
            return self.advance(k, outer, 0)
        fixed = self.variant.orientation == "row" and not self.kernel.operands[k].element
        if fixed or (place == Place.POINT and self.stride_class(k) == "0"):
            return outer
        return self.advance(k, outer, int(place) - 1)

    # ---- the loops ----

    def _row(self, i0: str, state: State) -> State:
        self.loop["i0"] = i0
        self.stages = []
        self.open_stage(1, 1, {})
        for now in self.passes.passes:
            self._pass(now)
        done = {store for now in self.passes.passes for store in now.stores}
        for store in self.kernel.stores:
            if store not in done:
                self.store(store, Place.ROW, 1)
        return state

    def _pass(self, now: Pass) -> None:
        if self.variant.orientation == "map" and self.strided and not self.serial:
            self._tiles(now)
            return
        state = self._start(now)
        state = self.code.loop(
            "0", self.size(1), 1, state, self.types, lambda i1, s: self._line(now, i1, s)
        )
        if not now.reductions:
            return
        results = {node: self._finish(node, state) for node in now.reductions}
        self.open_stage(1, 1, results | self.last_running(now, state))

    def _tiles(self, now: Pass) -> None:
        """Lines in short pieces, all lines before the next piece: where strides make every point
        of a line lie in another line of cache, the neighbours are still there for the next i1."""

        def tile(start: str, state: State) -> State:
            end = self.code.op(f"add i64 {start}, {_TILE}")
            end = self.code.call("llvm.smin.i64", "i64", ("i64", end), ("i64", self.size(2)))

            def line(i1: str, state: State) -> State:
                self._open_line(now, i1)
                return self._stretch(now, start, end, state)

            return self.code.loop("0", self.size(1), 1, state, self.types, line)

        self.code.loop("0", self.size(2), _TILE, {}, self.types, tile)

    def _open_line(self, now: Pass, i1: str) -> None:
        self.loop["i1"] = i1
        self.scopes[Place.LINE] = self.code.scope()
        self.evaluate((n for n in now.nodes if self.places[n] == Place.LINE), 1, 1)
        with self.code.inside(self.scopes[Place.LINE]):
            for store in now.stores:
                if self.store_place(store) == Place.LINE:
                    self.store(store, Place.LINE, 1)

    def _start(self, now: Pass) -> State:
        state = self.start_running(now)
        for node in now.reductions:
            for u in range(self._ways(node)):
                state |= self.start_state((node, u), node, self.lanes)
            if self._scalar_tail:
                state |= self.start_state((node, "tail"), node, 1)
            if self.reducers[node].cascades:
                state |= self.start_total(node, "copies", self.lanes)
                if self._scalar_tail:
                    state |= self.start_total(node, "tail", 1)
        if any(self.reducers[node].cascades for node in now.reductions):
            state["count"], self.types["count"] = "0", "i64"
        return state

    @property
    def _scalar_tail(self) -> bool:
        return self.lanes > 1 and not self.vector_tail

    def _line(self, now: Pass, i1: str, state: State) -> State:
        self._open_line(now, i1)
        state = state | self.start_lanes(now)
        if not self._has_points(now):
            return state
        if "count" not in state:
            return self._stretch(now, "0", self.size(2), state)
        block = _ADDITIONS * self.lanes * _WAYS
        return self.code.loop(
            "0", self.size(2), block, state, self.types, lambda c, s: self._block(now, c, block, s)
        )

    def _has_points(self, now: Pass) -> bool:
        """Whether there is anything to do at every point of a line."""
        points = any(self.places[n] == Place.POINT for n in now.nodes)
        stores = any(self.store_place(store) == Place.POINT for store in now.stores)
        return points or stores or bool(now.reductions)

    def _block(self, now: Pass, start: str, block: int, state: State) -> State:
        """Part of a line, after which sums may flush."""
        end = self.code.op(f"add i64 {start}, {block}")
        end = self.code.call("llvm.smin.i64", "i64", ("i64", end), ("i64", self.size(2)))
        state = self._stretch(now, start, end, state)
        length = self.code.op(f"sub i64 {end}, {start}")
        state["count"] = self.code.op(f"add i64 {state['count']}, {length}")
        full = self.code.op(f"icmp sge i64 {state['count']}, {block}")
        return self.code.when(full, state, self.types, lambda: self._flush(now, state))

    def _flush(self, now: Pass, state: State) -> State:
        changed: State = {"count": "0"}
        for node in now.reductions:
            if not self.reducers[node].cascades:
                continue
            (block,) = self._copies(node, state)
            changed |= self.flush(node, "copies", block, self.lanes, state)
            for u in range(_WAYS):
                changed |= self.start_state((node, u), node, self.lanes)
            if self._scalar_tail:
                (block,) = self.read_state(state, node, "tail")
                changed |= self.flush(node, "tail", block, 1, state)
                changed |= self.start_state((node, "tail"), node, 1)
        return changed

    def _ways(self, node: Node) -> int:
        """The vectors in which a reduction accumulates."""
        return _WAYS if self.reducers[node].rounds else self.unroll

    def _stretch(self, now: Pass, start: str, end: str, state: State) -> State:
        """The points from `start` to `end` of a line: whole groups of vectors, then the rest."""
        masked = self.rare and not self.late and self.vector_tail and self.lanes > 1
        if self.streamed >= 0 and start == "0" and not masked:
            start = self._aligned(self.streamed, end)
            state = self._rest(now, "0", start, state)
        step = self.lanes * self.unroll
        group = self.lanes * max(map(self._ways, now.reductions), default=self.unroll)
        length = end if start == "0" else self.code.op(f"sub i64 {end}, {start}")
        whole = self.code.op(f"and i64 {length}, {-group}")
        middle = whole if start == "0" else self.code.op(f"add i64 {start}, {whole}")
        if masked:
            return self._masked(now, start, end, state, middle)
        state = self._vectors(now, start, middle, self.unroll, state, turns=True)
        if self._scalar_tail and step < group:
            rest = self.code.op(f"and i64 {length}, {-self.lanes}")
            last = rest if start == "0" else self.code.op(f"add i64 {start}, {rest}")
            state, middle = self._vectors(now, middle, last, 1, state), last
        return state if group == 1 else self._rest(now, middle, end, state)

    def _rest(self, now: Pass, start: str, end: str, state: State) -> State:
        """Points that do not fill groups of vectors."""
        if self._scalar_tail or self.lanes == 1:
            state = state | self.leave_lanes(now, state)
            return self.one_by_one(
                now, start, end, state, lambda i2, s: self._points(now, i2, 1, 1, s)
            )
        return self._masked(now, start, end, state)

    def _aligned(self, k: int, end: str) -> str:
        """The first point of a line from which vectors of operand k lie evenly; `end` where none
        is, as where memory from outside is not even aligned to elements."""
        size = item_size(self.kernel.operands[k].dtype)
        address = self.code.op(f"ptrtoint ptr {self.address(k, Place.LINE)} to i64")
        before = self.code.op(f"sub i64 0, {address}")
        before = self.code.op(f"and i64 {before}, {self.lanes * size - 1}")
        points = self.code.op(f"udiv i64 {before}, {size}")
        part = self.code.op(f"and i64 {before}, {size - 1}")
        whole = self.code.op(f"icmp eq i64 {part}, 0")
        points = self.code.op(f"select i1 {whole}, i64 {points}, i64 {end}")
        return self.code.call("llvm.smin.i64", "i64", ("i64", points), ("i64", end))

    def _vectors(
        self, now: Pass, start: str, end: str, copies: int, state: State, *, turns: bool = False
    ) -> State:
        """Whole vectors, so many at a time; whether accumulators take turns."""

        def points(i2: str, s: State) -> State:
            s = self._points(now, i2, self.lanes, copies, s)
            return s | self._turned(now, s) if turns else s

        return self.code.loop(start, end, self.lanes * copies, state, self.types, points)

    def _turned(self, now: Pass, state: State) -> State:
        """Accumulators moved on, so that the next vectors go to the next ones; what changes."""
        turned: State = {}
        for node in now.reductions:
            ways, parts = self._ways(node), self.reducers[node].parts
            for u in range(ways if ways > self.unroll else 0):
                for part in range(len(parts)):
                    turned[node, u, part] = state[node, (u + self.unroll) % ways, part]
        return turned

    def _masked(self, now: Pass, start: str, end: str, state: State, groups: str = "") -> State:
        """Vectors of which the last may be incomplete, and up to `groups` whole groups. A whole
        line is done so where there are rare branches: their code is what takes long to compile, and
        is then there only once."""

        def masked(i2: str, s: State) -> State:
            self.mask = self.tail_mask(i2, end, self.lanes)
            s = self._points(now, i2, self.lanes, 1, s)
            self.mask = None
            if not groups or not self._turned(now, s):
                return s
            inside = self.code.op(f"icmp slt i64 {i2}, {groups}")
            return self.code.when(inside, s, self.types, lambda: self._turned(now, s))

        return self.code.loop(start, end, self.lanes, state, self.types, masked)

    def _in_order(self, now: Pass, copies: int) -> None:
        """Points one after another. What reads no operand that is written is computed for all of
        them first, so that the next addresses are known while stores go on."""
        written = {store.k for store in now.stores}
        scope = self.scopes[Place.POINT] = self.code.scope()
        here = [n for n in now.nodes if self.places[n] == Place.POINT]
        last: list[Node] = []
        for node in here:
            reads = node.op in ("load", "gather") and node.attr in written
            if reads or any(arg in last for arg in node.args):
                last.append(node)
        with self.code.inside(scope):
            self.evaluate((n for n in here if n not in last), 1, copies)
            for u in range(copies):
                for node in (n for n in last if n not in self.deferred):
                    scope.values[node, u] = self.compute(node, 1, u)
                for store in now.stores:
                    if self.store_place(store) == Place.POINT:
                        self.store(store, Place.POINT, 1, (u,))

    def _points(self, now: Pass, i2: str, lanes: int, copies: int, state: State) -> State:
        self.loop["i2"] = i2
        if self.serial:
            self._in_order(now, copies)
            return state
        index = ""
        if any(self.reducers[node].indexed for node in now.reductions):
            line = self.code.op(f"mul i64 {self.loop['i1']}, {self.size(2)}")
            index = self.code.op(f"add i64 {line}, {i2}")
        return self.at_point(now, lanes, copies, state, index)

    def _scan(self, node: Node, lanes: int, copies: int, state: State) -> None:
        if lanes > 1:
            self.side_by_side(node, lanes, copies, state)
        else:
            self.scan_point(node, self.loop["i2"], lanes, copies, state)

    def linear_index(self, index: str, lanes: int, u: int) -> str:
        """See `Emitter.linear_index`."""
        if lanes == 1:
            return index
        vector = vector_type("i64", lanes)
        first = self.code.op(f"add i64 {index}, {u * lanes}")
        first = self.code.splat(first, "i64", lanes)
        return self.code.op(f"add {vector} {first}, {iota('i64', lanes)}")

    # ---- the ends of reductions ----

    def _finish(self, node: Node, state: State) -> str:
        """Combine a reduction's accumulators: copies, then lanes, then the tail."""
        reducer = self.reducers[node]
        result = self._copies(node, state)
        if reducer.cascades:
            result = [self.settle(node, "copies", result[0], self.lanes, state)]
        result = reducer.across(self.code, result, self.lanes)
        if self._scalar_tail:
            tail = self.read_state(state, node, "tail")
            if reducer.cascades:
                tail = [self.settle(node, "tail", tail[0], 1, state)]
            result = reducer.merge(self.code, result, tail, 1)
        return result[-1]

    def _copies(self, node: Node, state: State) -> list[str]:
        """The unrolled copies' accumulators, combined in pairs."""
        values = [self.read_state(state, node, u) for u in range(self._ways(node))]
        while len(values) > 1:
            pairs = zip(values[::2], values[1::2], strict=True)
            values = [self.reducers[node].merge(self.code, a, b, self.lanes) for a, b in pairs]
        return values[0]
