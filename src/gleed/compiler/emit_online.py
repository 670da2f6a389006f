"""Running maxima in the loops of rows: their start, how they follow, their end.

Only where a value exceeds the running maximum by more than 1 does it move, to the greatest value so
far, and sums that are relative to it are scaled: a handful of times in a row of random numbers.
"""

from __future__ import annotations

import sys
from functools import partial

from gleed.compiler import kernel as k
from gleed.compiler.emit_base import Place
from gleed.compiler.emit_nodes import choose, compare, emit_tree
from gleed.compiler.emit_scan import ScanEmitter
from gleed.compiler.kernel import Node
from gleed.compiler.llvm_text import SCALAR_TYPES, State, literal, value_type
from gleed.compiler.mathlib.exponential import exp_term
from gleed.compiler.passes import Pass

# The sums stay in range, and their greatest terms keep their precision.
_MARGIN = 1.0
_LOWEST = {"f32": -float.fromhex("0x1.fffffep127"), "f64": -sys.float_info.max}


class OnlineEmitter(ScanEmitter):
    """Emits what passes with running maxima need. These are vectors of equal lanes."""

    def start_running(self, now: Pass) -> State:
        """Running maxima of nothing: the lowest numbers."""
        state: State = {}
        for node in now.running:
            self.types[node] = value_type(node.dtype, self.lanes)
            state[node] = literal(_LOWEST[node.dtype], node.dtype, self.lanes)
        return state

    def last_running(self, now: Pass, state: State) -> State:
        """The running maxima after a pass, as scalars."""
        return {node: self._in_lanes(node, state, 1) for node in now.running}

    def follow(self, now: Pass, lanes: int, copies: int, state: State) -> None:
        """See `Emitter.follow`."""
        for node in now.running:
            kind, greatest = value_type(node.dtype, lanes), node.args[0]
            top = state[greatest, self.slot(lanes, 0), 0]
            for u in range(1, copies):
                other = state[greatest, self.slot(lanes, u), 0]
                more = compare(self.code, "gt", node.dtype, other, top, lanes)
                top = choose(self.code, more, other, top, kind, lanes)
            margin = literal(_MARGIN, node.dtype, lanes)
            limit = f"fadd {kind} {self._in_lanes(node, state, lanes)}, {margin}"
            over = compare(self.code, "gt", node.dtype, top, self.code.op(limit), lanes)
            move = partial(self._move, node, top, lanes, dict(state))
            state.update(self.code.when(self.code.any(over, lanes), state, self.types, move))
            values = self.scopes[Place.POINT].values
            values[(node, "splat", lanes) if lanes > 1 else node] = self._in_lanes(
                node, state, lanes
            )

    def _move(self, node: Node, top: str, lanes: int, state: State) -> State:
        """Move a running maximum to the greatest lane of `top`; what changes."""
        (top,) = self.reducers[node.args[0]].across(self.code, [top], lanes)
        new = self.code.splat(top, SCALAR_TYPES[node.dtype], self.lanes) if self.lanes > 1 else top
        kind = self.types[node]
        fall = self.code.op(f"fsub {kind} {state[node]}, {new}")
        leaf = k.param(0, node.dtype)
        factor = emit_tree(self.code, exp_term(leaf), {leaf: fall}, self.lanes)
        changed: State = {node: new}
        for key, value in state.items():
            if isinstance(key, tuple) and self.late.get(key[0]) is node:
                by = factor if self.types[key] == kind else self._first_lane(factor, node)
                changed[key] = self.code.op(f"fmul {self.types[key]} {value}, {by}")
        return changed

    def _in_lanes(self, node: Node, state: State, lanes: int) -> str:
        return state[node] if lanes == self.lanes else self._first_lane(state[node], node)

    def _first_lane(self, vector: str, node: Node) -> str:
        if self.lanes == 1:
            return vector
        return self.code.op(f"extractelement {value_type(node.dtype, self.lanes)} {vector}, i32 0")
