"""The register tiles of matrix multiplication: which shape a processor and a dtype call for.

A tile of `rows` × (`vectors` · `lanes`) accumulators is kept in registers while it walks along the
depth of the product, one *step* at a time: it broadcasts `rows` elements of a and multiplies each
by `vectors` vectors of b. Six rows of four vectors (of two, where there are but sixteen registers)
fill the registers with few loads a multiplication, and vectors along n match a row-major result.

Elements as a tile reads them are *packed*: 16-bit floats have been widened to f32, or, where the
processor multiplies pairs of bfloat16 (AVX512-BF16), joined with their successor in depth into 32
bits.
"""

from __future__ import annotations

from dataclasses import dataclass

from gleed.compiler.emit_nodes import convert
from gleed.compiler.llvm_text import Code
from gleed.compiler.target import Target

DTYPES = ("f32", "f64", "f16", "bf16")
ATTRIBUTES = 'nounwind "no-builtins" "frame-pointer"="none"'
_ROWS = 6


@dataclass(frozen=True)
class Family:
    """What the kernels of one dtype have in common on one processor."""

    dtype: str
    lanes: int
    rows: int
    vectors: int
    pairs: bool
    masks: bool

    @property
    def sum_dtype(self) -> str:
        """The dtype of accumulators."""
        return "f64" if self.dtype == "f64" else "f32"

    @property
    def packed_dtype(self) -> str:
        """The dtype of what a tile reads; pairs count as the 32 bits they are."""
        return "i32" if self.pairs else self.sum_dtype


def family(dtype: str, target: Target) -> Family:
    """The family of `dtype` ("f32", "f64", "f16" or "bf16") on a processor."""
    wide = 8 if dtype == "f64" else 4
    pairs = dtype == "bf16" and target.masks and "+avx512bf16" in target.features.split(",")
    vectors = 4 if target.registers >= 32 else 2
    return Family(dtype, target.vector_bytes // wide, _ROWS, vectors, pairs, target.masks)


class Arguments:
    """The fields of a structure of 8-byte values, which is how the core passes arguments."""

    def __init__(self, code: Code, pointer: str) -> None:
        self._code, self._pointer, self._offset = code, pointer, 0

    def take(self, kind: str = "i64") -> str:
        """Load the next field."""
        place = self._code.op(f"getelementptr i8, ptr {self._pointer}, i64 {self._offset}")
        self._offset += 8
        return self._code.op(f"load {kind}, ptr {place}, align 8")


def recast(code: Code, value: str, source: str, target: str, lanes: int) -> str:
    """`value` in another dtype, or itself."""
    return value if source == target else convert(code, value, source, target, lanes)


def lane_mask(code: Code, lanes: int, count: str, first: int = 0) -> str:
    """The mask of lanes `first` + i < `count`."""
    numbers = ", ".join(f"i32 {first + i}" for i in range(lanes))
    small = code.op(f"trunc i64 {count} to i32")
    limit = code.splat(small, "i32", lanes)
    return code.op(f"icmp slt <{lanes} x i32> <{numbers}>, {limit}")


def advance(code: Code, pointer: str, offset: str | int) -> str:
    """`pointer` + `offset` bytes."""
    return code.op(f"getelementptr i8, ptr {pointer}, i64 {offset}")
