"""Accumulators of reductions: their start, update, merging and horizontal combination.

An accumulator is a list of LLVM values, one for each of `parts`: the running value and, for argmax
and argmin, its index. Every combination happens in a fixed order, so results depend on sizes alone.
"""

from __future__ import annotations

from collections.abc import Callable

from gleed.compiler.emit_nodes import choose, compare, extreme
from gleed.compiler.kernel import Node, integer_range, is_float, item_size
from gleed.compiler.llvm_text import Code, literal, value_type, vector_type


class Reducer:
    """How one reduce or scan node accumulates."""

    def __init__(self, node: Node) -> None:
        self.op = str(node.attr)
        self.dtype = node.args[0].dtype
        self.scans = node.op == "scan"
        self.indexed = self.op in ("argmax", "argmin")
        self.parts = (self.dtype, "i64") if self.indexed else (self.dtype,)
        # Long float sums are accumulated in blocks, and the blocks in a total that carries its
        # rounding error along: the error does not grow with the number of blocks.
        self.cascades = self.op == "sum" and is_float(self.dtype)
        # The order in which it adds shows in the result.
        self.rounds = self.op in ("sum", "prod") and is_float(self.dtype)
        # Of one lane; scans that round keep the last group apart.
        self.bytes = sum(map(item_size, self.parts)) * (1 + (self.scans and self.rounds))

    def start(self, lanes: int) -> list[str]:
        """The accumulator of nothing."""
        return [
            literal(value, dtype, lanes)
            for value, dtype in zip((self._identity(), 0), self.parts, strict=False)
        ]

    def _identity(self) -> float | int | bool:
        if self.op in ("sum", "prod"):
            one = self.op == "prod"
            return float(one) if is_float(self.dtype) else int(one)
        if self.op in ("any", "all"):
            return self.op == "all"
        lowest = self.op in ("max", "argmax")
        if is_float(self.dtype):
            return float("-inf") if lowest else float("inf")
        return integer_range(self.dtype)[0 if lowest else 1]

    def update(
        self,
        code: Code,
        state: list[str],
        x: str,
        index: Callable[[], str],
        lanes: int,
        mask: str | None,
    ) -> list[str]:
        """Take in `x`; masked-out lanes keep their state."""
        if self.indexed:
            take = self._beats(code, x, state[0], lanes)
            new = [
                choose(code, take, value, old, value_type(dtype, lanes), lanes)
                for value, old, dtype in zip((x, index()), state, self.parts, strict=True)
            ]
        else:
            new = [self.combine(code, x, state[0], lanes)]
        if mask is None:
            return new
        return [
            choose(code, mask, value, old, value_type(dtype, lanes), lanes)
            for value, old, dtype in zip(new, state, self.parts, strict=True)
        ]

    def merge(self, code: Code, a: list[str], b: list[str], lanes: int) -> list[str]:
        """Combine two accumulators."""
        if not self.indexed:
            return [self.combine(code, b[0], a[0], lanes)]
        bits = vector_type("i1", lanes)
        beats = self._beats(code, b[0], a[0], lanes)
        beaten = self._beats(code, a[0], b[0], lanes)
        first = compare(code, "lt", "i64", b[1], a[1], lanes)
        decided = code.op(f"or {bits} {beats}, {beaten}")
        take = choose(code, decided, beats, first, bits, lanes)
        return [
            choose(code, take, y, x, value_type(dtype, lanes), lanes)
            for x, y, dtype in zip(a, b, self.parts, strict=True)
        ]

    def start_total(self, lanes: int) -> list[str]:
        """A total of no blocks, and its rounding error."""
        return [literal(0.0, self.dtype, lanes)] * 2

    def add_block(self, code: Code, total: list[str], block: str, lanes: int) -> list[str]:
        """Add a block to a total (Knuth's TwoSum; beside an infinity there is no error)."""
        kind = value_type(self.dtype, lanes)
        result = code.op(f"fadd {kind} {total[0]}, {block}")
        taken = code.op(f"fsub {kind} {result}, {total[0]}")
        kept = code.op(f"fsub {kind} {result}, {taken}")
        lost = code.op(f"fsub {kind} {total[0]}, {kept}")
        rest = code.op(f"fsub {kind} {block}, {taken}")
        error = code.op(f"fadd {kind} {lost}, {rest}")
        known = code.op(f"fcmp ord {kind} {error}, {error}")
        error = choose(code, known, error, literal(0.0, self.dtype, lanes), kind, lanes)
        return [result, code.op(f"fadd {kind} {total[1]}, {error}")]

    def settle(self, code: Code, total: list[str], block: str, lanes: int) -> str:
        """The sum of a total, its error and a last block."""
        kind = value_type(self.dtype, lanes)
        small = code.op(f"fadd {kind} {total[1]}, {block}")
        return code.op(f"fadd {kind} {total[0]}, {small}")

    def across(self, code: Code, state: list[str], lanes: int) -> list[str]:
        """Combine all lanes: halves with halves."""
        while lanes > 1:
            half = lanes // 2
            low, high = (
                [half_of(code, v, d, lanes, first) for v, d in zip(state, self.parts, strict=True)]
                for first in (0, half)
            )
            state, lanes = self.merge(code, low, high, half), half
        return state

    def combine(self, code: Code, x: str, running: str, lanes: int) -> str:
        """Take `x` in to a running value; of scans it is the later one."""
        kind = value_type(self.dtype, lanes)
        if self.op in ("max", "min"):
            # Of equal elements a scan gives the later one, which shows in the signs of zeros.
            pair = (running, x) if self.scans else (x, running)
            return extreme(code, f"{self.op}imum", self.dtype, *pair, lanes)
        names = {"sum": "add", "prod": "mul", "any": "or", "all": "and"}
        prefix = "f" if is_float(self.dtype) else ""
        return code.op(f"{prefix}{names[self.op]} {kind} {running}, {x}")

    def _beats(self, code: Code, x: str, best: str, lanes: int) -> str:
        """Whether `x` must replace `best`: it is more extreme, or the first NaN."""
        kind = value_type(self.dtype, lanes)
        more = "gt" if self.op == "argmax" else "lt"
        if not is_float(self.dtype):
            return compare(code, more, self.dtype, x, best, lanes)
        unordered = code.op(f"fcmp u{more} {kind} {x}, {best}")
        number = code.op(f"fcmp ord {kind} {best}, {best}")
        return code.op(f"and {vector_type('i1', lanes)} {unordered}, {number}")


def half_of(code: Code, value: str, dtype: str, lanes: int, first: int) -> str:
    """Half of a vector, beginning at lane `first`."""
    kind, half = value_type(dtype, lanes), lanes // 2
    if half == 1:
        return code.op(f"extractelement {kind} {value}, i32 {first}")
    picks = ", ".join(f"i32 {first + i}" for i in range(half))
    return code.op(f"shufflevector {kind} {value}, {kind} poison, <{half} x i32> <{picks}>")
