"""Dot products: c[i, j] = Σ a[i, :] · b[j, :] for operands that are contiguous along the depth.

For products with a single row or column, or very few, where the larger operand is read once and
packing it would cost as much as the product.

Arguments, 8 bytes each; strides in bytes:
    a, a_row            `rows` rows of neighbours along the depth
    b, b_row            `columns` of them
    c, c_row, c_column  the results
    depth               elements of a row
    bias, bias_row, bias_column     added to the results, or null
    relu                nonzero: negative results become zero
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
from gleed.compiler.emit_nodes import choose, compare
from gleed.compiler.emit_reduce import half_of
from gleed.compiler.kernel import item_size
from gleed.compiler.llvm_text import Code, State, literal, suffix, value_type

_SUMS = 8  # independent accumulators that keep the multipliers busy


def emit_dot(family: Family, symbol: str, rows: int, columns: int) -> str:
    """The LLVM IR of `rows` × `columns` dot products."""
    return _Dot(family, rows, columns).emit(symbol)


class _Dot:
    def __init__(self, family: Family, rows: int, columns: int) -> None:
        self.family, self.rows, self.columns = family, rows, columns
        self.lanes, self.dtype, self.sum_dtype = family.lanes, family.dtype, family.sum_dtype
        self.kind = value_type(self.sum_dtype, self.lanes)
        self.copies = max(1, _SUMS // (rows * columns))
        self.code = code = Code()
        fields = Arguments(code, "%arguments")
        self.a, self.a_row = fields.take("ptr"), fields.take()
        self.b, self.b_row = fields.take("ptr"), fields.take()
        self.c, self.c_row, self.c_column = fields.take("ptr"), fields.take(), fields.take()
        self.depth, self.bias = fields.take(), fields.take("ptr")
        self.bias_row, self.bias_column = fields.take(), fields.take()
        self.relu = fields.take()
        self.cells = [(i, j) for i in range(rows) for j in range(columns)]

    def emit(self, symbol: str) -> str:
        code = self.code
        self.a_rows = [self.row(self.a, self.a_row, i) for i in range(self.rows)]
        self.b_rows = [self.row(self.b, self.b_row, j) for j in range(self.columns)]
        sums = self.walk()
        for i, j in self.cells:
            self.finish(i, j, self.fold(sums[i, j, 0]))
        return code.text(f"void @{symbol}(ptr %arguments)", ATTRIBUTES)

    def row(self, base: str, stride: str, i: int) -> str:
        return advance(self.code, base, self.code.op(f"mul i64 {stride}, {i}"))

    def walk(self) -> State:
        """Whole groups of vectors, whole vectors, and what is left under a mask."""
        code, group = self.code, self.copies * self.lanes
        zero = literal(0.0, self.sum_dtype, self.lanes)
        state: State = {(i, j, u): zero for i, j in self.cells for u in range(self.copies)}
        types = dict.fromkeys(state, self.kind)
        many = code.op(f"and i64 {self.depth}, {-group}")
        whole = code.op(f"and i64 {self.depth}, {-self.lanes}")
        state = code.loop("0", many, group, state, types, lambda k, s: self.add(k, s, self.copies))
        state = code.loop(many, whole, self.lanes, state, types, lambda k, s: self.add(k, s, 1))
        left = code.op(f"sub i64 {self.depth}, {whole}")
        some = code.op(f"icmp ne i64 {left}, 0")
        state = code.when(some, state, types, lambda: self.add(whole, dict(state), 1, left))
        for i, j in self.cells:
            for u in range(1, self.copies):
                state[i, j, 0] = code.op(f"fadd {self.kind} {state[i, j, 0]}, {state[i, j, u]}")
        return state

    def add(self, k: str, state: State, copies: int, left: str | None = None) -> State:
        mask = lane_mask(self.code, self.lanes, left) if left else None
        name = f"llvm.fma.{suffix(value_type(self.sum_dtype, 1), self.lanes)}"
        for u in range(copies):
            offset = self.code.op(f"mul i64 {k}, {item_size(self.dtype)}")
            first = u * self.lanes * item_size(self.dtype)
            a = [self.load(row, offset, first, mask) for row in self.a_rows]
            b = [self.load(row, offset, first, mask) for row in self.b_rows]
            for i, j in self.cells:
                state[i, j, u] = self.code.call(
                    name, self.kind, (self.kind, a[i]), (self.kind, b[j]),
                    (self.kind, state[i, j, u]),
                )  # fmt: skip
        return state

    def fold(self, value: str) -> str:
        """The sum of all lanes: halves onto halves."""
        lanes = self.lanes
        while lanes > 1:
            half = lanes // 2
            low, high = (half_of(self.code, value, self.sum_dtype, lanes, k) for k in (0, half))
            value = self.code.op(f"fadd {value_type(self.sum_dtype, half)} {low}, {high}")
            lanes = half
        return value

    def load(self, row: str, offset: str, first: int, mask: str | None) -> str:
        place = advance(self.code, advance(self.code, row, offset), first)
        value = load_unit(self.code, self.dtype, place, self.lanes, mask)
        return recast(self.code, value, self.dtype, self.sum_dtype, self.lanes)

    def finish(self, i: int, j: int, total: str) -> None:
        """Bias, rectifier, store of one result."""
        code, cell = self.code, "cell"
        types: State = {cell: value_type(self.sum_dtype, 1)}

        def add_bias() -> State:
            place = self.row(self.row(self.bias, self.bias_row, i), self.bias_column, j)
            bias = load_unit(code, self.dtype, place, 1, None)
            bias = recast(self.code, bias, self.dtype, self.sum_dtype, 1)
            return {cell: code.op(f"fadd {types[cell]} {total}, {bias}")}

        present = code.op(f"icmp ne ptr {self.bias}, null")
        total = code.when(present, {cell: total}, types, add_bias)[cell]
        zero = literal(0.0, self.sum_dtype, 1)
        below = compare(code, "lt", self.sum_dtype, total, zero, 1)
        wanted = code.op(f"icmp ne i64 {self.relu}, 0")
        cut = code.op(f"and i1 {below}, {wanted}")
        total = choose(code, cut, zero, total, types[cell], 1)
        result = recast(self.code, total, self.sum_dtype, self.dtype, 1)
        place = self.row(self.row(self.c, self.c_row, i), self.c_column, j)
        store_unit(code, self.dtype, result, place, 1, None)
