"""Convolution of single planes, for groups of one channel: lanes are neighbouring outputs.

A block of four rows of outputs is summed in registers, so that a row of the input that several of
them read is loaded once for each column of taps. 16-bit numbers are widened as they are loaded, and
rounded as they are stored. Lanes beyond the sides of the input are masked; rows above and below it
are read from a row of zeros.

Arguments, 8 bytes each; strides in bytes:
    x, x_row, x_rows, x_columns     the input
    zeros                           `x_columns` zeros
    w, w_row, w_column              the taps; of the gradient: a vector of sums for each
    y, y_row, y_rows, y_columns     the result, or its cotangent
    top, left                       the place in the input of the first tap of the first output
    bias                            where sums begin
    add                             nonzero: they are added to what y holds
    x_column, y_column, channels    where lanes are channels (convolution_pixel)
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

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
from gleed.compiler.llvm_text import Code, State, iota, suffix, value_type

_ROWS = (4, 2, 1)  # of outputs at once


class Taps(NamedTuple):
    """Rows and columns of taps, the distances of windows, and of a window's elements."""

    rows: int
    columns: int
    row_step: int
    column_step: int
    row_distance: int
    column_distance: int


def emit_plane(family: Family, symbol: str, taps: Taps, every: int) -> str:
    """The LLVM IR of the convolution; `every` is the distance of the columns of the result."""
    return _Sums(family, taps, every).emit(symbol)


def emit_plane_weight(family: Family, symbol: str, taps: Taps, every: int) -> str:
    """The LLVM IR of its gradient for the taps: adds to vectors, whose lanes share the sum."""
    return _Weight(family, taps, every).emit(symbol)


class ByChannel:
    """A kernel of convolutions where every group has one channel: what it is called with."""

    def __init__(self, family: Family, taps: Taps) -> None:
        self.taps, self.lanes, self.dtype = taps, family.lanes, family.dtype
        self.sum_dtype = family.sum_dtype
        self.item = item_size(family.dtype)
        self.kind = value_type(family.sum_dtype, family.lanes)
        self.code = code = Code()
        fields = Arguments(code, "%arguments")
        self.x, self.x_row = fields.take("ptr"), fields.take()
        self.x_rows, self.x_columns, self.zeros = fields.take(), fields.take(), fields.take("ptr")
        self.w, self.w_row, self.w_column = fields.take("ptr"), fields.take(), fields.take()
        self.y, self.y_row = fields.take("ptr"), fields.take()
        self.y_rows, self.y_columns = fields.take(), fields.take()
        self.top, self.left = fields.take(), fields.take()
        self.bias, self.add = fields.take("ptr"), fields.take()
        self.x_column, self.y_column, self.channels = fields.take(), fields.take(), fields.take()
        self.places = [(t, j) for t in range(taps.rows) for j in range(taps.columns)]

    def fma(self, x: str, y: str, total: str) -> str:
        """x · y + total."""
        name = f"llvm.fma.{suffix(value_type(self.sum_dtype, 1), self.lanes)}"
        return self.code.call(name, self.kind, *((self.kind, v) for v in (x, y, total)))

    def read(self, place: str, lanes: int, mask: str | None) -> str:
        """Numbers of an operand, as they are summed."""
        value = load_unit(self.code, self.dtype, place, lanes, mask)
        return recast(self.code, value, self.dtype, self.sum_dtype, lanes)

    def write(self, value: str, place: str, mask: str | None) -> None:
        """A vector of results."""
        value = recast(self.code, value, self.sum_dtype, self.dtype, self.lanes)
        store_unit(self.code, self.dtype, value, place, self.lanes, mask)


class _Plane(ByChannel):
    vectors = 2  # of outputs at once in a row

    def __init__(self, family: Family, taps: Taps, every: int) -> None:
        super().__init__(family, taps)
        self.every = every
        self.state: State = {}
        self.types: State = {}

    def emit(self, symbol: str) -> str:
        """Blocks of columns, several vectors at a time and then one."""
        code, span = self.code, self.vectors * self.lanes
        self.begin()
        state, wide = self.state, "0"
        if self.vectors > 1:
            blocks = code.op(f"add i64 {self.y_columns}, {span - self.lanes - 1}")
            wide = code.op(f"and i64 {blocks}, {-span}")
            state = self.columns("0", wide, self.vectors, state)
        state = self.columns(wide, self.y_columns, 1, state)
        self.finish(state)
        return code.text(f"void @{symbol}(ptr %arguments)", ATTRIBUTES)

    def columns(self, start: str, stop: str, vectors: int, state: State) -> State:
        """For each block of columns the rows, four at a time while there are as many."""
        code = self.code

        def block(column: str, state: State) -> State:
            self.prepare(column, vectors)
            begin = "0"
            for rows in _ROWS:
                end = code.op(f"and i64 {self.y_rows}, {-rows}")
                body = partial(self.rows, rows, vectors)
                state = code.loop(begin, end, rows, state, self.types, body)
                begin = end
            return state

        return code.loop(start, stop, vectors * self.lanes, state, self.types, block)

    def prepare(self, column: str, vectors: int) -> None:
        """Places and masks that all rows of a block of columns share."""
        code, step = self.code, self.taps.column_step
        left = code.op(f"sub i64 {self.y_columns}, {column}")
        self.inside = [lane_mask(code, self.lanes, left, v * self.lanes) for v in range(vectors)]
        here = code.op(f"mul i64 {column}, {self.item * self.every}")
        self.to = advance(code, self.y, here)
        first = code.op(f"mul i64 {column}, {step}")
        first = code.op(f"add i64 {first}, {self.left}")
        self.offset = code.op(f"mul i64 {first}, {self.item}")
        self.masks: dict[int, str] = {}
        for j in range(self.taps.columns):
            for part in range(vectors * step):
                place = j * self.taps.column_distance + part * self.lanes
                if place not in self.masks:
                    self.masks[place] = self.columns_inside(first, place)

    def columns_inside(self, first: str, place: int) -> str:
        """The mask of the neighbours at a place that are columns of the input."""
        code = self.code
        place_here = code.op(f"add i64 {first}, {place}")
        small, limit = (code.op(f"trunc i64 {n} to i32") for n in (place_here, self.x_columns))
        kind = value_type("i32", self.lanes)
        lanes = code.splat(small, "i32", self.lanes)
        lanes = code.op(f"add {kind} {lanes}, {iota('i32', self.lanes)}")
        return code.op(f"icmp ult {kind} {lanes}, {code.splat(limit, 'i32', self.lanes)}")

    def sources(self, row: str, rows: int) -> dict[int, list[tuple[int, int]]]:
        """What meets a row of the input, by its distance from the first: (output row, tap row)."""
        step, distance = self.taps.row_step, self.taps.row_distance
        meets: dict[int, list[tuple[int, int]]] = {}
        for i in range(rows):
            for t in range(self.taps.rows):
                meets.setdefault(i * step + t * distance, []).append((i, t))
        first = self.code.op(f"mul i64 {row}, {step}")
        self.first = self.code.op(f"add i64 {first}, {self.top}")
        return dict(sorted(meets.items()))

    def source(self, place: int) -> str:
        """A row of the input, at the first column that the block of columns reads."""
        code = self.code
        number = code.op(f"add i64 {self.first}, {place}")
        inside = code.op(f"icmp ult i64 {number}, {self.x_rows}")
        line = advance(code, self.x, code.op(f"mul i64 {number}, {self.x_row}"))
        line = code.op(f"select i1 {inside}, ptr {line}, ptr {self.zeros}")
        return advance(code, line, self.offset)

    def load(self, line: str, tap: int, vector: int) -> str:
        """What a vector of outputs reads at a column of taps: every `step`-th element."""
        code, step = self.code, self.taps.column_step
        parts = []
        for part in range(step):
            place = tap * self.taps.column_distance + (vector * step + part) * self.lanes
            there = advance(code, line, place * self.item)
            parts.append(self.read(there, self.lanes, self.masks[place]))
        value = parts[0]
        for part in range(step) if step > 1 else ():
            picks = [
                f"i32 {lane * step % self.lanes + self.lanes}"
                if lane * step // self.lanes == part
                else f"i32 {lane}"
                for lane in range(self.lanes)
            ]
            mask = f"<{self.lanes} x i32> <{', '.join(picks)}>"
            value = code.op(f"shufflevector {self.kind} {value}, {self.kind} {parts[part]}, {mask}")
        return value

    def output(self, row: str, i: int, vector: int, part: int = 0) -> str:
        """The place of a vector of outputs, or of a part of those that are apart."""
        number = self.code.op(f"add i64 {row}, {i}")
        line = advance(self.code, self.to, self.code.op(f"mul i64 {number}, {self.y_row}"))
        vectors = vector * self.every + part
        return advance(self.code, line, vectors * self.lanes * self.item)

    def begin(self) -> None:
        raise NotImplementedError

    def rows(self, rows: int, vectors: int, row: str, state: State) -> State:
        raise NotImplementedError

    def finish(self, state: State) -> None:
        """After all blocks."""


class _Sums(_Plane):
    def begin(self) -> None:
        self.weights = {}
        for t, j in self.places:
            line = advance(self.code, self.w, self.code.op(f"mul i64 {self.w_row}, {t}"))
            place = advance(self.code, line, self.code.op(f"mul i64 {self.w_column}, {j}"))
            self.weights[t, j] = self.all_lanes(self.read(place, 1, None))
        bias = load_unit(self.code, self.sum_dtype, self.bias, 1, None)
        self.start = self.all_lanes(bias)
        self.adds = self.code.op(f"icmp ne i64 {self.add}, 0")

    def all_lanes(self, number: str) -> str:
        return self.code.splat(number, value_type(self.sum_dtype, 1), self.lanes)

    def rows(self, rows: int, vectors: int, row: str, state: State) -> State:
        code = self.code
        sums: State = {(i, v): self.start for i in range(rows) for v in range(vectors)}
        for place, meets in self.sources(row, rows).items():
            line = self.source(place)
            for j in range(self.taps.columns):
                for v in range(vectors):
                    value = self.load(line, j, v)
                    for i, t in meets:
                        sums[i, v] = self.fma(value, self.weights[t, j], sums[i, v])
        scalar = value_type(self.sum_dtype, 1)
        every = range(self.every)
        cells = [(i, v, u) for i in range(rows) for v in range(vectors) for u in every]
        places = {(i, v, u): self.output(row, i, v, u) for i, v, u in cells}
        parts: State = {(i, v, u): self.spread(sums[i, v], scalar, u) for i, v, u in cells}

        def add_to() -> State:
            return {
                cell: code.op(f"fadd {self.kind} {parts[cell]}, {before}")
                for cell, place in places.items()
                for before in [self.before(place, cell)]
            }

        parts = code.when(self.adds, parts, dict.fromkeys(parts, self.kind), add_to)
        for cell, there in places.items():
            mask = self.kept[cell[1], cell[2]]
            self.write(parts[cell], there, mask)
        return state

    def before(self, place: str, cell: tuple[int, int, int]) -> str:
        return self.read(place, self.lanes, self.kept[cell[1], cell[2]])

    def prepare(self, column: str, vectors: int) -> None:
        super().prepare(column, vectors)
        self.kept = {
            (v, u): self.spread(mask, "i1", u)
            for v, mask in enumerate(self.inside)
            for u in range(self.every)
        }

    def spread(self, value: str, scalar: str, part: int) -> str:
        """A part of the lanes of a vector, so far apart as results are, with zeros between."""
        every, lanes = self.every, self.lanes
        if every == 1:
            return value
        numbers = [divmod(part * lanes + lane, every) for lane in range(lanes)]
        picks = ", ".join(f"i32 {lanes if between else number}" for number, between in numbers)
        kind = f"<{lanes} x {scalar}>"
        return self.code.op(
            f"shufflevector {kind} {value}, {kind} zeroinitializer, <{lanes} x i32> <{picks}>"
        )


class _Weight(_Plane):
    vectors = 1

    def begin(self) -> None:
        self.types = dict.fromkeys(self.places, self.kind)
        for place in self.places:
            total = load_unit(self.code, self.sum_dtype, self.total(place), self.lanes, None)
            self.state[place] = total

    def total(self, place: tuple[int, int]) -> str:
        number = place[0] * self.taps.columns + place[1]
        return advance(self.code, self.w, number * self.lanes * item_size(self.sum_dtype))

    def rows(self, rows: int, vectors: int, row: str, state: State) -> State:
        outputs = [
            self.read(self.output(row, i, 0), self.lanes, self.inside[0]) for i in range(rows)
        ]
        for place, meets in self.sources(row, rows).items():
            line = self.source(place)
            for j in range(self.taps.columns):
                value = self.load(line, j, 0)
                for i, t in meets:
                    state[t, j] = self.fma(value, outputs[i], state[t, j])
        return state

    def finish(self, state: State) -> None:
        for place in self.places:
            total = self.total(place)
            store_unit(self.code, self.sum_dtype, state[place], total, self.lanes, None)
