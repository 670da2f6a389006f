"""Packing: a panel of `width` lanes and some depth, copied to target[step][width].

Lanes are rows of a or columns of b. The panel is contiguous along its lanes (`emit_copy`) or along
its depth (`emit_transpose`); 16-bit floats become packed elements (see contraction_family).

Arguments, 8 bytes each; strides in bytes:
    source, lane_stride, depth_stride   the panel
    target                              room for `depth` rounded up to whole vectors
    depth                               elements
    valid                               lanes that exist; the others get any values
"""

from __future__ import annotations

from gleed.compiler.contraction_family import (
    ATTRIBUTES,
    Arguments,
    Family,
    advance,
    lane_mask,
    recast,
)
from gleed.compiler.emit_memory import load_unit, store_unit
from gleed.compiler.kernel import item_size
from gleed.compiler.llvm_text import Code, State, literal, value_type


def emit_copy(family: Family, symbol: str, width: int) -> str:
    """The LLVM IR that packs panels whose lanes are neighbours."""
    return _Copy(family, width).emit(symbol)


def emit_transpose(family: Family, symbol: str, width: int) -> str:
    """The LLVM IR that packs panels whose depth is contiguous."""
    return _Transpose(family, width).emit(symbol)


class _Packing:
    def __init__(self, family: Family, width: int) -> None:
        self.family, self.width, self.lanes = family, width, family.lanes
        self.code = code = Code()
        fields = Arguments(code, "%arguments")
        self.source, self.lane_stride = fields.take("ptr"), fields.take()
        self.depth_stride, self.target = fields.take(), fields.take("ptr")
        self.depth, self.valid = fields.take(), fields.take()
        self.row_bytes = width * item_size(family.packed_dtype)
        self.groups = range(0, width, self.lanes)

    def finish(self, symbol: str) -> str:
        return self.code.text(f"void @{symbol}(ptr %arguments)", ATTRIBUTES)

    def put(self, value: str, place: str, mask: str | None) -> None:
        store_unit(self.code, self.family.packed_dtype, value, place, self.lanes, mask)

    def widen(self, value: str) -> str:
        """Elements as a tile reads them, pairs excepted."""
        source, packed = self.family.dtype, self.family.packed_dtype
        return recast(self.code, value, source, packed, self.lanes)


class _Copy(_Packing):
    def emit(self, symbol: str) -> str:
        code = self.code
        self.bounds = [lane_mask(code, self.lanes, self.valid, first) for first in self.groups]
        self.limits = [
            lane_mask(code, self.lanes, str(self.width), first)
            if first + self.lanes > self.width
            else None
            for first in self.groups
        ]
        state: State = {"source": self.source, "target": self.target}
        types: State = dict.fromkeys(state, "ptr")
        count = 2 if self.family.pairs else 1
        whole = code.op(f"and i64 {self.depth}, {-count}")
        left = code.op(f"sub i64 {self.depth}, {whole}")
        complete = code.op(f"icmp sge i64 {self.valid}, {self.width}")
        stop_fast = code.op(f"select i1 {complete}, i64 {whole}, i64 0")
        state = code.loop("0", stop_fast, count, state, types, lambda _, s: self.step(s, False))
        state = code.loop(stop_fast, whole, count, state, types, lambda _, s: self.step(s, True))
        if self.family.pairs:
            odd = code.op(f"icmp ne i64 {left}, 0")
            code.when(odd, {}, {}, lambda: self.last(state))
        return self.finish(symbol)

    def step(self, state: State, masked: bool, last: bool = False) -> State:
        upper = advance(self.code, state["source"], self.depth_stride)
        for group, first in enumerate(self.groups):
            mask = self.bounds[group] if masked or first + self.lanes > self.width else None
            value = self.load(state["source"], first, mask)
            if self.family.pairs:
                low = self.extend(value)
                value = low if last else self.join(low, self.load(upper, first, mask))
            else:
                value = self.widen(value)
            place = advance(self.code, state["target"], first * item_size(self.family.packed_dtype))
            self.put(value, place, self.limits[group])
        after = advance(self.code, upper, self.depth_stride) if self.family.pairs else upper
        return {"source": after, "target": advance(self.code, state["target"], self.row_bytes)}

    def last(self, state: State) -> State:
        """An element without a successor is paired with zero."""
        self.step(state, masked=True, last=True)
        return {}

    def load(self, row: str, first: int, mask: str | None) -> str:
        place = advance(self.code, row, first * item_size(self.family.dtype))
        return load_unit(self.code, self.family.dtype, place, self.lanes, mask)

    def join(self, low: str, upper: str) -> str:
        kind = value_type("i32", self.lanes)
        high = self.extend(upper)
        high = self.code.op(f"shl {kind} {high}, {literal(16, 'i32', self.lanes)}")
        return self.code.op(f"or {kind} {low}, {high}")

    def extend(self, bits: str) -> str:
        source, kind = value_type("i16", self.lanes), value_type("i32", self.lanes)
        return self.code.op(f"zext {source} {bits} to {kind}")


class _Transpose(_Packing):
    """Square blocks of `lanes` rows, transposed in registers; the depth left over is masked."""

    def emit(self, symbol: str) -> str:
        self.span = self.lanes * (2 if self.family.pairs else 1)  # elements of depth in a block
        self.whole = self.code.op(f"and i64 {self.depth}, {-self.span}")
        left = self.code.op(f"sub i64 {self.depth}, {self.whole}")
        self.some = self.code.op(f"icmp ne i64 {left}, 0")
        self.tail = lane_mask(self.code, self.span, left)
        self.code.loop("0", self.valid, self.lanes, {}, {}, lambda first, _: self.group(first))
        return self.finish(symbol)

    def group(self, first: str) -> State:
        """As many lanes as a vector has, over the whole depth."""
        code = self.code
        self.offsets = [self.lane_offset(first, i) for i in range(self.lanes)]
        room = code.op(f"sub i64 {self.width}, {first}")
        self.limit = lane_mask(code, self.lanes, room) if self.width % self.lanes else None
        shift = code.op(f"mul i64 {first}, {item_size(self.family.packed_dtype)}")
        state: State = {"target": advance(code, self.target, shift)}
        types: State = {"target": "ptr"}
        state = code.loop("0", self.whole, self.span, state, types, self.block)
        code.when(self.some, state, types, lambda: self.block(self.whole, state, self.tail))
        return {}

    def lane_offset(self, first: str, i: int) -> str:
        """Bytes from the source to a lane; lanes that do not exist read the last one again."""
        final = self.code.op(f"sub i64 {self.valid}, 1")
        lane = self.code.op(f"add i64 {first}, {i}")
        lane = self.code.call("llvm.smin.i64", "i64", ("i64", lane), ("i64", final))
        return self.code.op(f"mul i64 {lane}, {self.lane_stride}")

    def block(self, k: str, state: State, mask: str | None = None) -> State:
        offset = self.code.op(f"mul i64 {k}, {item_size(self.family.dtype)}")
        here = advance(self.code, self.source, offset)
        rows = [self.load(advance(self.code, here, lane), mask) for lane in self.offsets]
        row = state["target"]
        for value in self.transpose(rows):
            self.put(value, row, self.limit)
            row = advance(self.code, row, self.row_bytes)
        return {"target": row}

    def load(self, place: str, mask: str | None) -> str:
        dtype = self.family.dtype
        if not self.family.pairs:
            return self.widen(load_unit(self.code, dtype, place, self.lanes, mask))
        value = load_unit(self.code, dtype, place, 2 * self.lanes, mask)
        source, kind = value_type(dtype, 2 * self.lanes), value_type("i32", self.lanes)
        return self.code.op(f"bitcast {source} {value} to {kind}")

    def transpose(self, rows: list[str]) -> list[str]:
        """Swap blocks of half the square's size across the diagonal, then of a quarter…"""
        half = self.lanes // 2
        while half:
            for i in (i for i in range(self.lanes) if not i & half):
                low, high = rows[i], rows[i + half]
                rows[i] = self.exchange(low, high, half, upper=False)
                rows[i + half] = self.exchange(low, high, half, upper=True)
            half //= 2
        return rows

    def exchange(self, low: str, high: str, half: int, upper: bool) -> str:
        kind = value_type(self.family.packed_dtype, self.lanes)
        shift = half if upper else 0
        picks = ", ".join(
            f"i32 {(self.lanes + j - half if j & half else j) + shift}" for j in range(self.lanes)
        )
        mask = f"<{self.lanes} x i32> <{picks}>"
        return self.code.op(f"shufflevector {kind} {low}, {kind} {high}, {mask}")
