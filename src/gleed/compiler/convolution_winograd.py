"""Convolution with 3 × 3 taps by fewer products: the transforms around its matrix products.

Two outputs y of an axis, from four neighbours x of the input and three taps w, take four products
in place of six:

    y = A [(G w) · (B x)],     in two dimensions     Y = A [(G W Gᵀ) · (B X Bᵀ)] Aᵀ

with products element by element, 16 of them for four outputs in place of 36. These are summed over
channels before A is applied, so they are 16 products of matrices.

Transforms only add, but for the halves in G, and at most four numbers an axis. With |x| ≤ X,
|w| ≤ W and C channels the error of a result is at most 64 C (C + 10) 2⁻²⁴ X W, to first order; the
bound of summing 9 C products one after another is 81 C² 2⁻²⁴ X W. An infinite or NaN element of
the input makes NaN of all four outputs of a tile that reads it.

Source: A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.

Arguments of each kernel, 8 bytes each; strides in bytes:
    from, row, column       the elements of a square: from + i * row + j * column
    lane                    the distance of weights of neighbouring channels
    to, to_step             of the result, element after element; of outputs, row after row
    count                   vectors, each of one square a lane; of weights, channels
    bias                    added to outputs
"""

from __future__ import annotations

from collections.abc import Callable

from gleed.compiler.contraction_family import ATTRIBUTES, Arguments, Family, advance, lane_mask
from gleed.compiler.emit_memory import load_lanes, load_unit, store_unit
from gleed.compiler.kernel import item_size
from gleed.compiler.llvm_text import Code, State, iota, literal, suffix, value_type

Matrix = tuple[tuple[float, ...], ...]
Square = list[list[str]]

_A: Matrix = ((1, 1, 1, 0), (0, 1, -1, -1))
_B: Matrix = ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1))
_G: Matrix = ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1))


def emit_winograd(family: Family, symbol: str, what: str) -> str:
    """The LLVM IR of the transform of an "input", a "weight" or an "output"."""
    transform = _Transform(family)
    emit: Callable[[], None] = getattr(transform, what)
    emit()
    return transform.code.text(f"void @{symbol}(ptr %arguments)", ATTRIBUTES)


class _Transform:
    def __init__(self, family: Family) -> None:
        self.dtype, self.lanes = family.dtype, family.lanes
        self.kind = value_type(family.dtype, family.lanes)
        self.vector = family.lanes * item_size(family.dtype)
        self.code = code = Code()
        fields = Arguments(code, "%arguments")
        self.source, self.row, self.column = fields.take("ptr"), fields.take(), fields.take()
        self.lane, self.to, self.to_step = fields.take(), fields.take("ptr"), fields.take()
        self.count, self.bias = fields.take(), fields.take("ptr")

    def input(self) -> None:
        """B X Bᵀ."""

        def vector(number: str, _: State) -> State:
            offset = self.code.op(f"mul i64 {number}, {self.vector}")
            result = self.apply(_B, self.square(4, lambda place: self.load(place, offset)))
            self.store_all(result, offset, None)
            return {}

        self.code.loop("0", self.count, 1, {}, {}, vector)

    def weight(self) -> None:
        """G W Gᵀ, gathered from channels."""
        code = self.code

        def vector(channel: str, _: State) -> State:
            mask = lane_mask(code, self.lanes, code.op(f"sub i64 {self.count}, {channel}"))
            numbers = code.splat(channel, "i64", self.lanes)
            kind = value_type("i64", self.lanes)
            numbers = code.op(f"add {kind} {numbers}, {iota('i64', self.lanes)}")
            offsets = code.op(f"mul {kind} {numbers}, {code.splat(self.lane, 'i64', self.lanes)}")

            def load(place: str) -> str:
                places = code.op(f"getelementptr i8, ptr {place}, {kind} {offsets}")
                return load_lanes(code, self.dtype, places, self.lanes, mask)

            offset = code.op(f"mul i64 {channel}, {item_size(self.dtype)}")
            self.store_all(self.apply(_G, self.square(3, load)), offset, mask)
            return {}

        code.loop("0", self.count, self.lanes, {}, {}, vector)

    def output(self) -> None:
        """A M Aᵀ and the bias; the outputs of a row become neighbours."""
        code = self.code
        bias = load_unit(code, self.dtype, self.bias, 1, None)
        bias = code.splat(bias, value_type(self.dtype, 1), self.lanes)

        def vector(number: str, _: State) -> State:
            offset = code.op(f"mul i64 {number}, {self.vector}")
            result = self.apply(_A, self.square(4, lambda place: self.load(place, offset)))
            there = advance(code, self.to, code.op(f"mul i64 {number}, {2 * self.vector}"))
            for i, pair in enumerate(result):
                left, right = (code.op(f"fadd {self.kind} {y}, {bias}") for y in pair)
                line = advance(code, there, code.op(f"mul i64 {self.to_step}, {i}"))
                for half in range(2):
                    first = half * self.lanes // 2
                    value = self.zip(left, right, first)
                    place = advance(code, line, half * self.vector)
                    store_unit(code, self.dtype, value, place, self.lanes, None)
            return {}

        code.loop("0", self.count, 1, {}, {}, vector)

    def zip(self, left: str, right: str, first: int) -> str:
        """Lanes of two vectors in turn, from `first`."""
        picks = ", ".join(f"i32 {first + j // 2 + (j % 2) * self.lanes}" for j in range(self.lanes))
        mask = f"<{self.lanes} x i32> <{picks}>"
        return self.code.op(f"shufflevector {self.kind} {left}, {self.kind} {right}, {mask}")

    def square(self, size: int, load: Callable[[str], str]) -> Square:
        """What `load` gives for each element."""
        lines = [
            advance(self.code, self.source, self.code.op(f"mul i64 {self.row}, {i}"))
            for i in range(size)
        ]
        steps = [self.code.op(f"mul i64 {self.column}, {j}") for j in range(size)]
        return [[load(advance(self.code, line, step)) for step in steps] for line in lines]

    def load(self, place: str, offset: str) -> str:
        return load_unit(self.code, self.dtype, advance(self.code, place, offset), self.lanes, None)

    def store_all(self, square: Square, offset: str, mask: str | None) -> None:
        place = advance(self.code, self.to, offset)
        for value in (value for line in square for value in line):
            store_unit(self.code, self.dtype, value, place, self.lanes, mask)
            place = advance(self.code, place, self.to_step)

    def apply(self, matrix: Matrix, square: Square) -> Square:
        """matrix · square · matrixᵀ."""
        columns = [self.combine(matrix, list(column)) for column in zip(*square, strict=True)]
        return [self.combine(matrix, list(row)) for row in zip(*columns, strict=True)]

    def combine(self, matrix: Matrix, values: list[str]) -> list[str]:
        """matrix · values; each row begins with a positive number."""
        results = []
        for row in matrix:
            terms = sorted(((c, v) for c, v in zip(row, values, strict=True) if c), reverse=True)
            total = ""
            for factor, value in terms:
                total = self.add(total, factor, value)
            results.append(total)
        return results

    def add(self, total: str, factor: float, value: str) -> str:
        if abs(factor) == 1:
            sign = "fadd" if factor > 0 else "fsub"
            return self.code.op(f"{sign} {self.kind} {total}, {value}") if total else value
        number = literal(factor, self.dtype, self.lanes)
        if not total:
            return self.code.op(f"fmul {self.kind} {number}, {value}")
        name = f"llvm.fma.{suffix(value_type(self.dtype, 1), self.lanes)}"
        return self.code.call(name, self.kind, *((self.kind, v) for v in (number, value, total)))
