"""Which generator makes which micro-kernel of matrix multiplication (see contraction)."""

from __future__ import annotations

from gleed.compiler.contraction_dot import emit_dot
from gleed.compiler.contraction_family import ATTRIBUTES, DTYPES, Family, advance, family
from gleed.compiler.contraction_pack import emit_copy, emit_transpose
from gleed.compiler.contraction_tile import emit_tile
from gleed.compiler.kernel import KernelError
from gleed.compiler.llvm_text import Code
from gleed.compiler.target import Target

KINDS = ("family", "tile", "ragged", "dot", "copy", "transpose")


def emit_contraction(
    kind: str, dtype: str, rows: int, columns: int, target: Target, symbol: str
) -> str:
    """The LLVM IR of one micro-kernel for a processor; its function is named `symbol`."""
    if kind not in KINDS or dtype not in DTYPES:
        raise KernelError(f"contraction: no micro-kernel {kind!r} of {dtype!r}")
    shape = family(dtype, target)
    if kind == "family":
        return _emit_family(shape, symbol)
    if kind == "dot":
        return emit_dot(shape, symbol, rows, columns)
    if kind == "copy":
        return emit_copy(shape, symbol, columns)
    if kind == "transpose":
        return emit_transpose(shape, symbol, columns)
    return emit_tile(shape, symbol, rows, columns, ragged=kind == "ragged")


def _emit_family(shape: Family, symbol: str) -> str:
    code = Code()
    numbers = (shape.lanes, shape.rows, shape.vectors, int(shape.pairs), int(shape.masks))
    for k, number in enumerate(numbers):
        code.line(f"  store i64 {number}, ptr {advance(code, '%arguments', 8 * k)}, align 8")
    return code.text(f"void @{symbol}(ptr %arguments)", ATTRIBUTES)
