"""The loops of the orientation "column": n2 is parallel, and every lane reduces a row of its own.

for i2:                       a block of vectors: row values of stage 0
    for each pass:
        for i0, for i1:       points of the reduced axes
        row values of the next stage
    row stores
"""

from __future__ import annotations

from gleed.compiler.emit_base import Place
from gleed.compiler.emit_scan import ScanEmitter
from gleed.compiler.kernel import Node
from gleed.compiler.llvm_text import State
from gleed.compiler.passes import Pass

# Sums flush their accumulators into a second level after this many additions.
_ADDITIONS = 64


class ColumnEmitter(ScanEmitter):
    """Emits "column" variants."""

    def emit(self) -> None:
        """Emit the whole function."""
        self.evaluate_function()
        start = "0"
        # What is narrower than the widest block is still better walked as one than in vectors.
        for copies in dict.fromkeys((self.unroll, max(1, self.unroll // 2))):
            whole = self.whole_steps(self.size(2), self.lanes * copies)
            self._blocks(start, whole, self.lanes, copies, masked=False)
            start = whole
        if self.lanes > 1:
            lanes = self.lanes if self.vector_tail else 1
            self._blocks(start, self.size(2), lanes, 1, masked=lanes > 1)

    def _blocks(self, start: str, stop: str, lanes: int, copies: int, *, masked: bool) -> None:
        def block(i2: str, state: State) -> State:
            self.mask = self.tail_mask(i2, stop, lanes) if masked else None
            self._block(i2, lanes, copies)
            self.mask = None
            return state

        self.code.loop(start, stop, lanes * copies, {}, {}, block)

    # ---- where values live ----

    def _place(self, node: Node) -> None:
        place = max((self.places[arg] for arg in node.args), default=Place.FUNCTION)
        varying = any(arg in self.varying for arg in node.args)
        if node.op in ("load", "index", "gather"):
            place = max(place, self._operand_place(int(node.attr)))
            varying |= self.stride_class(int(node.attr)) != "0"
        elif node.op == "reduce":
            place, varying = Place.ROW, True
        elif node.op == "scan":
            place, varying = Place.POINT, True
        self.places[node] = place
        if varying:
            self.varying.add(node)

    def _operand_place(self, k: int) -> Place:
        if self.kernel.operands[k].element or k in self.scattered:
            return Place.POINT
        return Place.FUNCTION if self.stride_class(k) == "0" else Place.ROW

    def moves(self, k: int) -> bool:
        """See `Emitter.moves`."""
        return self.stride_class(k) != "0"

    def step_into(self, k: int, place: Place, offset: Node | None) -> str:
        """See `Emitter.step_into`."""
        if place == Place.ROW:
            outer = self.address(k, Place.FUNCTION, offset)
            return outer if self.stride_class(k) == "0" else self.advance(k, outer, 2)
        outer = self.address(k, Place.ROW, offset)
        if not self.kernel.operands[k].element:
            return outer
        return self.advance(k, self.advance(k, outer, 0), 1)

    # ---- the loops ----

    def _block(self, i2: str, lanes: int, copies: int) -> None:
        self.loop["i2"] = i2
        self.stages = []
        self.open_stage(lanes, copies, {})
        for now in self.passes.passes:
            self._pass(now, lanes, copies)
        done = {store for now in self.passes.passes for store in now.stores}
        for store in self.kernel.stores:
            if store not in done:
                self.store(store, Place.ROW, lanes, range(copies))

    def _pass(self, now: Pass, lanes: int, copies: int) -> None:
        state = self._start(now, lanes, copies)
        state = self.code.loop(
            "0", self.size(0), 1, state, self.types,
            lambda i0, s: self._outer(now, i0, lanes, copies, s),
        )  # fmt: skip
        if not now.reductions:
            return
        results: State = {
            (node, u): self._finish(node, lanes, u, state)
            for node in now.reductions
            for u in range(copies)
        }
        self.open_stage(lanes, copies, results)

    def _start(self, now: Pass, lanes: int, copies: int) -> State:
        state: State = {}
        for node in now.reductions:
            for u in range(copies):
                state |= self.start_state((node, self.slot(lanes, u)), node, lanes)
                if self.reducers[node].cascades:
                    state |= self.start_total(node, u, lanes)
        if any(self.reducers[node].cascades for node in now.reductions):
            state["count"], self.types["count"] = "0", "i64"
        return state

    def _outer(self, now: Pass, i0: str, lanes: int, copies: int, state: State) -> State:
        self.loop["i0"] = i0
        state = state | self.start_scans(now, lanes, copies)
        if "count" not in state:
            return self._inner(now, "0", self.size(1), lanes, copies, state)

        def part(start: str, state: State) -> State:
            end = self.code.op(f"add i64 {start}, {_ADDITIONS}")
            end = self.code.call("llvm.smin.i64", "i64", ("i64", end), ("i64", self.size(1)))
            state = self._inner(now, start, end, lanes, copies, state)
            length = self.code.op(f"sub i64 {end}, {start}")
            state["count"] = self.code.op(f"add i64 {state['count']}, {length}")
            full = self.code.op(f"icmp sge i64 {state['count']}, {_ADDITIONS}")
            return self.code.when(
                full, state, self.types, lambda: self._flush(now, lanes, copies, state)
            )

        return self.code.loop("0", self.size(1), _ADDITIONS, state, self.types, part)

    def _inner(
        self, now: Pass, start: str, end: str, lanes: int, copies: int, state: State
    ) -> State:
        def point(i1: str, state: State) -> State:
            self.loop["i1"] = i1
            index = ""
            if any(self.reducers[node].indexed for node in now.reductions):
                line = self.code.op(f"mul i64 {self.loop['i0']}, {self.size(1)}")
                index = self.code.op(f"add i64 {line}, {i1}")
            return self.at_point(now, lanes, copies, state, index)

        return self.one_by_one(now, start, end, state, point)

    def _flush(self, now: Pass, lanes: int, copies: int, state: State) -> State:
        changed: State = {"count": "0"}
        for node in now.reductions:
            for u in range(copies if self.reducers[node].cascades else 0):
                (block,) = self.read_state(state, node, self.slot(lanes, u))
                changed |= self.flush(node, u, block, lanes, state)
                changed |= self.start_state((node, self.slot(lanes, u)), node, lanes)
        return changed

    def _scan(self, node: Node, lanes: int, copies: int, state: State) -> None:
        self.scan_point(node, self.loop["i1"], lanes, copies, state)

    def linear_index(self, index: str, lanes: int, u: int) -> str:
        """See `Emitter.linear_index`."""
        return index if lanes == 1 else self.code.splat(index, "i64", lanes)

    def _finish(self, node: Node, lanes: int, u: int, state: State) -> str:
        result = self.read_state(state, node, self.slot(lanes, u))[-1]
        if self.reducers[node].cascades:
            result = self.settle(node, u, result, lanes, state)
        return result
