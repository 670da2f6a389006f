"""Convolution for groups of one channel, of images with channels last: lanes are channels.

Some neighbouring outputs of a row are computed at once, vector by vector of their channels, so that
what several of them read is loaded once, and memory is walked in order. Where all that they read
lies inside of the input, a tap is a fixed distance away; else there is an address for every pixel,
that of zeros where it lies outside.

Arguments are those of convolution_plane; every tap has a vector per `lanes` of the channels, and so
have the bias and the `zeros`. Sums and results are of float32 where the input is of 16 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gleed.compiler.contraction_family import (
    ATTRIBUTES,
    Family,
    advance,
    lane_mask,
)
from gleed.compiler.convolution_plane import ByChannel, Taps
from gleed.compiler.emit_memory import load_unit, store_unit
from gleed.compiler.kernel import item_size
from gleed.compiler.llvm_text import State

# From a row of taps and a column of the input to the place of a pixel.
Places = Callable[[int, int], str]


def emit_pixel(family: Family, symbol: str, taps: Taps, outputs: int, ragged: int) -> str:
    """The LLVM IR of the convolution. outputs: how many are computed at once. ragged: whether the
    last vector of channels is partly valid."""
    return _Sums(family, taps, outputs, ragged).emit(symbol)


def emit_pixel_weight(family: Family, symbol: str, taps: Taps, outputs: int, ragged: int) -> str:
    """The LLVM IR of its gradient for the taps, added to sums."""
    return _Weight(family, taps, outputs, ragged).emit(symbol)


class _Pixel(ByChannel):
    def __init__(self, family: Family, taps: Taps, outputs: int, ragged: int) -> None:
        super().__init__(family, taps)
        self.many, self.ragged = outputs, ragged

    def emit(self, symbol: str) -> str:
        self.begin()
        self.code.loop("0", self.y_rows, 1, {}, {}, lambda row, _: self.row(row))
        return self.code.text(f"void @{symbol}(ptr %arguments)", ATTRIBUTES)

    def row(self, row: str) -> State:
        """A row of outputs, several at a time and then one by one."""
        code, many = self.code, self.many
        first = code.op(f"mul i64 {row}, {self.taps.row_step}")
        first = code.op(f"add i64 {first}, {self.top}")
        self.lines, self.met = [], []
        for t in range(self.taps.rows):
            number = code.op(f"add i64 {first}, {t * self.taps.row_distance}")
            self.lines.append(advance(code, self.x, code.op(f"mul i64 {number}, {self.x_row}")))
            self.met.append(code.op(f"icmp ult i64 {number}, {self.x_rows}"))
        self.all_met = "true"
        for met in self.met:
            self.all_met = code.op(f"and i1 {self.all_met}, {met}")
        self.to = advance(code, self.y, code.op(f"mul i64 {row}, {self.y_row}"))
        last = code.op(f"sub i64 {self.y_columns}, {many - 1}")
        state = code.loop("0", last, many, {"next": "0"}, {"next": "i64"}, self.outputs)
        single = partial(self.at_sides, 1)
        code.loop(state["next"], self.y_columns, 1, {}, {}, lambda column, _: single(column))
        return {}

    def outputs(self, column: str, _: State) -> State:
        """Some outputs, which may read what is outside of the input only near its sides."""
        code, many, taps = self.code, self.many, self.taps
        left = self.first_column(column)
        reach = (many - 1) * taps.column_step + (taps.columns - 1) * taps.column_distance
        right = code.op(f"add i64 {left}, {max(0, reach)}")
        begins = code.op(f"icmp sge i64 {left}, 0")
        ends = code.op(f"icmp slt i64 {right}, {self.x_columns}")
        inside = code.op(f"and i1 {begins}, {ends}")
        inside = code.op(f"and i1 {inside}, {self.all_met}")
        outside = code.op(f"xor i1 {inside}, true")
        code.when(inside, {}, {}, lambda: self.within(column, left))
        code.when(outside, {}, {}, lambda: self.at_sides(many, column))
        return {"next": code.op(f"add i64 {column}, {many}")}

    def first_column(self, column: str) -> str:
        """The column of the input that the first tap of an output meets."""
        place = self.code.op(f"mul i64 {column}, {self.taps.column_step}")
        return self.code.op(f"add i64 {place}, {self.left}")

    def columns_read(self, outputs: int) -> list[int]:
        """Columns of the input, from the first that is read."""
        step, distance = self.taps.column_step, self.taps.column_distance
        taps = range(self.taps.columns)
        return sorted({k * step + j * distance for k in range(outputs) for j in taps})

    def within(self, column: str, left: str) -> State:
        code, many = self.code, self.many
        here = code.op(f"mul i64 {left}, {self.x_column}")
        lines = [advance(code, line, here) for line in self.lines]
        columns = self.columns_read(many)
        apart = {j: code.op(f"mul i64 {self.x_column}, {j}") for j in columns}
        next = many * self.taps.column_step
        ahead = [code.op(f"mul i64 {self.x_column}, {j + next}") for j in columns[-next:]]

        def vector(channel: str, _: State) -> State:
            offset = code.op(f"mul i64 {channel}, {self.item}")
            heads = [advance(code, line, offset) for line in lines]
            for last in heads[-1:]:  # the others were read for rows before
                for distance in ahead:
                    self.prefetch(advance(code, last, distance))
            self.sum(many, column, channel, lambda t, j: advance(code, heads[t], apart[j]))
            return {}

        code.loop("0", self.channels, self.lanes, {}, {}, vector)
        return {}

    def prefetch(self, place: str) -> None:
        """Have what will be read soon come near."""
        read_keep_data = (("i32", "0"), ("i32", "3"), ("i32", "1"))
        self.code.call("llvm.prefetch.p0", "void", ("ptr", place), *read_keep_data)

    def at_sides(self, outputs: int, column: str) -> State:
        code = self.code
        left = self.first_column(column)
        places: dict[tuple[int, int], str] = {}
        for j in self.columns_read(outputs):
            number = code.op(f"add i64 {left}, {j}")
            inside = code.op(f"icmp ult i64 {number}, {self.x_columns}")
            offset = code.op(f"mul i64 {number}, {self.x_column}")
            for t, (line, met) in enumerate(zip(self.lines, self.met, strict=True)):
                both = code.op(f"and i1 {inside}, {met}")
                pixel = advance(code, line, offset)
                places[t, j] = code.op(f"select i1 {both}, ptr {pixel}, ptr {self.zeros}")

        def vector(channel: str, _: State) -> State:
            offset = code.op(f"mul i64 {channel}, {self.item}")
            self.sum(outputs, column, channel, lambda t, j: advance(code, places[t, j], offset))
            return {}

        code.loop("0", self.channels, self.lanes, {}, {}, vector)
        return {}

    def sum(self, outputs: int, column: str, channel: str, places: Places) -> None:
        """All products of some outputs with a vector of channels."""
        self.mask = None
        if self.ragged:
            left = self.code.op(f"sub i64 {self.channels}, {channel}")
            self.mask = lane_mask(self.code, self.lanes, left)
        self.multiply(outputs, column, channel, places)

    def load(self, place: str) -> str:
        """A vector of the input, or of the cotangent of the result."""
        return self.read(place, self.lanes, self.mask)

    def inputs(self, t: int, outputs: int, places: Places) -> dict[int, str]:
        """What some outputs read at a row of taps."""
        return {j: self.load(places(t, j)) for j in self.columns_read(outputs)}

    def pixels(self, outputs: int, column: str, channel: str) -> list[str]:
        """The places of some outputs."""
        code = self.code
        first = advance(code, self.to, code.op(f"mul i64 {column}, {self.y_column}"))
        first = advance(code, first, code.op(f"mul i64 {channel}, {self.item}"))
        apart = [code.op(f"mul i64 {self.y_column}, {k}") for k in range(outputs)]
        return [advance(code, first, offset) for offset in apart]

    def tap(self, t: int, j: int, channel: str) -> str:
        """The place of a vector of taps, or of sums."""
        code = self.code
        line = advance(code, self.w, code.op(f"mul i64 {self.w_row}, {t}"))
        place = advance(code, line, code.op(f"mul i64 {self.w_column}, {j}"))
        return advance(code, place, code.op(f"mul i64 {channel}, {item_size(self.sum_dtype)}"))

    def begin(self) -> None:
        """Before all rows."""

    def multiply(self, outputs: int, column: str, channel: str, places: Places) -> None:
        raise NotImplementedError


class _Sums(_Pixel):
    def begin(self) -> None:
        self.adds = self.code.op(f"icmp ne i64 {self.add}, 0")

    def multiply(self, outputs: int, column: str, channel: str, places: Places) -> None:
        code, step, distance = self.code, self.taps.column_step, self.taps.column_distance
        item = item_size(self.sum_dtype)
        offset = code.op(f"mul i64 {channel}, {item}")
        bias = load_unit(code, self.sum_dtype, advance(code, self.bias, offset), self.lanes, None)
        sums: State = dict.fromkeys(range(outputs), bias)
        for t in range(self.taps.rows):
            inputs = self.inputs(t, outputs, places)
            for j in range(self.taps.columns):
                weight = load_unit(code, self.sum_dtype, self.tap(t, j, channel), self.lanes, None)
                for k in range(outputs):
                    sums[k] = self.fma(inputs[k * step + j * distance], weight, sums[k])
        results = self.pixels(outputs, column, channel)

        def add_to() -> State:
            return {
                k: code.op(f"fadd {self.kind} {sums[k]}, {before}")
                for k, place in enumerate(results)
                for before in [self.load(place)]
            }

        sums = code.when(self.adds, sums, dict.fromkeys(sums, self.kind), add_to)
        for k, place in enumerate(results):
            self.write(sums[k], place, self.mask)


class _Weight(_Pixel):
    def multiply(self, outputs: int, column: str, channel: str, places: Places) -> None:
        step, distance = self.taps.column_step, self.taps.column_distance
        given = [self.load(y) for y in self.pixels(outputs, column, channel)]
        for t in range(self.taps.rows):
            inputs = self.inputs(t, outputs, places)
            for j in range(self.taps.columns):
                there = self.tap(t, j, channel)
                total = load_unit(self.code, self.sum_dtype, there, self.lanes, None)
                for k, y in enumerate(given):
                    total = self.fma(inputs[k * step + j * distance], y, total)
                store_unit(self.code, self.sum_dtype, total, there, self.lanes, None)
