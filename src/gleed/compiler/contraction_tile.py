"""The register tile: c[rows, columns] = Σ a[rows, step] · b[step, columns], added to earlier sums.

Arguments, 8 bytes each; strides in bytes:
    a, a_row, a_step    any strides; packed elements
    b, b_step           packed elements, neighbours along columns
    c, c_row            the result, neighbours along columns
    steps               depth in packed elements
    columns             valid columns of the last vector (ragged tiles)
    before, before_row  sums of earlier depth, of the accumulators' dtype, or null
    bias                one value per column, of the result's dtype, or null
    relu                nonzero: negative results become zero
    raw                 nonzero: c has the accumulators' dtype (16-bit results only)
"""

from __future__ import annotations

from collections.abc import Callable

from gleed.compiler.contraction_family import (
    ATTRIBUTES,
    Arguments,
    Family,
    advance,
    lane_mask,
    recast,
)
from gleed.compiler.emit_memory import load_unit, store_unit
from gleed.compiler.emit_nodes import choose, compare
from gleed.compiler.kernel import item_size
from gleed.compiler.llvm_text import Code, State, literal, suffix, value_type

_UNROLL = 4


def emit_tile(family: Family, symbol: str, rows: int, vectors: int, ragged: bool) -> str:
    """The LLVM IR of a tile. `ragged`: the last vector has only `columns` valid lanes."""
    return _Tile(family, rows, vectors, ragged).emit(symbol)


class _Tile:
    def __init__(self, family: Family, rows: int, vectors: int, ragged: bool) -> None:
        self.family, self.rows, self.vectors = family, rows, vectors
        self.code = code = Code()
        fields = Arguments(code, "%arguments")
        self.a, self.a_row, self.a_step = fields.take("ptr"), fields.take(), fields.take()
        self.b, self.b_step = fields.take("ptr"), fields.take()
        self.c, self.c_row = fields.take("ptr"), fields.take()
        self.steps, columns = fields.take(), fields.take()
        self.before, self.before_row = fields.take("ptr"), fields.take()
        self.bias, self.relu, self.raw = fields.take("ptr"), fields.take(), fields.take()
        self.kind = value_type(family.sum_dtype, family.lanes)
        self.cells = [(i, j) for i in range(rows) for j in range(vectors)]
        self.types: State = dict.fromkeys(self.cells, self.kind)
        mask = lane_mask(code, family.lanes, columns) if ragged else None
        self.masks: list[str | None] = [*[None] * (vectors - 1), mask]

    def emit(self, symbol: str) -> str:
        code = self.code
        self.row_offsets = [code.op(f"mul i64 {self.a_row}, {i}") for i in range(self.rows)]
        sums = self.walk()
        sums = self.add_rows(sums, self.before, self.load_before)
        sums = self.add_rows(sums, self.bias, self.load_bias)
        rectified = code.op(f"icmp ne i64 {self.relu}, 0")
        sums = code.when(rectified, sums, self.types, lambda: self.rectify(sums))
        self.store(sums)
        return code.text(f"void @{symbol}(ptr %arguments)", ATTRIBUTES)

    # ---- the sum ----

    def walk(self) -> State:
        """All steps: four at a time, then the rest one by one."""
        code = self.code
        many = code.op(f"and i64 {self.steps}, {-_UNROLL}")
        state: State = dict.fromkeys(self.cells, literal(0.0, self.family.sum_dtype, self.lanes))
        state |= {"a": self.a, "b": self.b}
        types: State = self.types | {"a": "ptr", "b": "ptr"}
        state = code.loop("0", many, _UNROLL, state, types, lambda _, s: self.advance(s, _UNROLL))
        state = code.loop(many, self.steps, 1, state, types, lambda _, s: self.advance(s, 1))
        return {cell: state[cell] for cell in self.cells}

    def advance(self, state: State, steps: int) -> State:
        for _ in range(steps):
            columns = [self.load_columns(state["b"], j) for j in range(self.vectors)]
            for i in range(self.rows):
                element = self.broadcast(advance(self.code, state["a"], self.row_offsets[i]))
                for j in range(self.vectors):
                    state[i, j] = self.multiply(element, columns[j], state[i, j])
            state["a"] = advance(self.code, state["a"], self.a_step)
            state["b"] = advance(self.code, state["b"], self.b_step)
        return state

    @property
    def lanes(self) -> int:
        return self.family.lanes

    def load_columns(self, b: str, j: int) -> str:
        """One vector of b. Without masked registers ragged columns come from a packed panel, whose
        vectors are whole."""
        dtype = self.family.packed_dtype
        place = advance(self.code, b, j * self.lanes * item_size(dtype))
        mask = self.masks[j] if self.family.masks else None
        return load_unit(self.code, dtype, place, self.lanes, mask)

    def broadcast(self, place: str) -> str:
        dtype = self.family.packed_dtype
        element = load_unit(self.code, dtype, place, 1, None)
        return self.code.splat(element, value_type(dtype, 1), self.lanes)

    def multiply(self, x: str, y: str, total: str) -> str:
        if not self.family.pairs:
            name = f"llvm.fma.{suffix(value_type(self.family.sum_dtype, 1), self.lanes)}"
            return self.code.call(name, self.kind, *((self.kind, v) for v in (x, y, total)))
        pairs, bits = f"<{2 * self.lanes} x bfloat>", value_type("i32", self.lanes)
        x, y = (self.code.op(f"bitcast {bits} {v} to {pairs}") for v in (x, y))
        name = f"llvm.x86.avx512bf16.dpbf16ps.{32 * self.lanes}"
        return self.code.call(name, self.kind, (self.kind, total), (pairs, x), (pairs, y))

    # ---- what follows it ----

    def add_rows(self, sums: State, pointer: str, load: Callable[[int, int], str]) -> State:
        """Add what `load` gives for each cell, if there is anything at `pointer`."""
        code = self.code
        present = code.op(f"icmp ne ptr {pointer}, null")
        return code.when(
            present,
            sums,
            self.types,
            lambda: {
                (i, j): code.op(f"fadd {self.kind} {sums[i, j]}, {load(i, j)}")
                for i, j in self.cells
            },
        )

    def load_before(self, i: int, j: int) -> str:
        place = self.place(self.before, self.before_row, i, j, self.family.sum_dtype)
        return load_unit(self.code, self.family.sum_dtype, place, self.lanes, self.masks[j])

    def load_bias(self, i: int, j: int) -> str:
        dtype = self.family.dtype
        place = self.place(self.bias, "0", 0, j, dtype)
        bias = load_unit(self.code, dtype, place, self.lanes, self.masks[j])
        return recast(self.code, bias, dtype, self.family.sum_dtype, self.lanes)

    def rectify(self, sums: State) -> State:
        """Negative values become zero; NaN stays."""
        dtype, zero = self.family.sum_dtype, literal(0.0, self.family.sum_dtype, self.lanes)
        changed: State = {}
        for cell, value in sums.items():
            below = compare(self.code, "lt", dtype, value, zero, self.lanes)
            changed[cell] = choose(self.code, below, zero, value, self.kind, self.lanes)
        return changed

    def store(self, sums: State) -> None:
        if self.family.dtype == self.family.sum_dtype:
            self.store_as(sums, self.family.dtype)
            return
        raw = self.code.op(f"icmp ne i64 {self.raw}, 0")
        self.code.when(raw, {}, {}, lambda: self.store_as(sums, self.family.sum_dtype))
        final = self.code.op(f"icmp eq i64 {self.raw}, 0")
        self.code.when(final, {}, {}, lambda: self.store_as(sums, self.family.dtype))

    def store_as(self, sums: State, dtype: str) -> State:
        for i, j in self.cells:
            value = recast(self.code, sums[i, j], self.family.sum_dtype, dtype, self.lanes)
            place = self.place(self.c, self.c_row, i, j, dtype)
            store_unit(self.code, dtype, value, place, self.lanes, self.masks[j])
        return {}

    def place(self, base: str, row: str, i: int, j: int, dtype: str) -> str:
        offset = self.code.op(f"mul i64 {row}, {i}")
        line = advance(self.code, base, offset)
        return advance(self.code, line, j * self.lanes * item_size(dtype))
