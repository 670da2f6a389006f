"""Micro-kernels of matrix multiplication, compiled when the core first needs them.

The core's routine "matmul" (native/contraction.h) divides a product into tiles, panels and rows;
what it does not find in its table it asks for here, by kind:

    family     writes lanes, rows, vectors, pairs and masks of a dtype's tiles (5 × int64)
    tile       register tile of `rows` × `columns` vectors (contraction_tile)
    ragged     the same with a partly valid last vector
    dot        rows × columns dot products (contraction_dot)
    copy, transpose     pack panels of `columns` lanes (contraction_pack)

Each is `void kernel(void* arguments)`; the argument structures are described in the generators and
in native/contraction_kernels.h.

Sources: K. Goto and R. van de Geijn, "Anatomy of High-Performance Matrix Multiplication", ACM TOMS
34 (2008), for packing and blocking; F. Van Zee and R. van de Geijn, "BLIS: A Framework for Rapidly
Instantiating BLAS Functionality", ACM TOMS 41 (2015), for tiles.
"""

from __future__ import annotations

from gleed.compiler import target as targets
from gleed.compiler.contraction_dot import emit_dot
from gleed.compiler.contraction_family import ATTRIBUTES, DTYPES, Family, advance, family
from gleed.compiler.contraction_pack import emit_copy, emit_transpose
from gleed.compiler.contraction_tile import emit_tile
from gleed.compiler.kernel import KernelError
from gleed.compiler.llvm_text import Code
from gleed.compiler.objects import cached_object, named_key
from gleed.compiler.target import Target
from gleed.lazy import lazy

emit = lazy("gleed.compiler.emit")  # and LLVM, only when something must be compiled
KINDS = ("family", "tile", "ragged", "dot", "copy", "transpose")


def compile_contraction(kind: str, dtype: str, rows: int, columns: int) -> tuple[bytes, str]:
    """One micro-kernel for this machine: an ELF object, and the name of its function."""
    symbol = _symbol(kind, dtype, rows, columns)

    def build() -> bytes:
        target = targets.host()
        return emit.assemble(emit_contraction(kind, dtype, rows, columns, target), target)

    return cached_object(named_key(symbol), build), symbol


def emit_contraction(kind: str, dtype: str, rows: int, columns: int, target: Target) -> str:
    """The LLVM IR of one micro-kernel for a processor."""
    if kind not in KINDS or dtype not in DTYPES:
        raise KernelError(f"contraction: no micro-kernel {kind!r} of {dtype!r}")
    shape, symbol = family(dtype, target), _symbol(kind, dtype, rows, columns)
    if kind == "family":
        return _emit_family(shape, symbol)
    if kind == "dot":
        return emit_dot(shape, symbol, rows, columns)
    if kind == "copy":
        return emit_copy(shape, symbol, columns)
    if kind == "transpose":
        return emit_transpose(shape, symbol, columns)
    return emit_tile(shape, symbol, rows, columns, ragged=kind == "ragged")


def _symbol(kind: str, dtype: str, rows: int, columns: int) -> str:
    return f"matmul_{kind}_{dtype}_{rows}x{columns}"


def _emit_family(shape: Family, symbol: str) -> str:
    code = Code()
    numbers = (shape.lanes, shape.rows, shape.vectors, int(shape.pairs), int(shape.masks))
    for k, number in enumerate(numbers):
        code.line(f"  store i64 {number}, ptr {advance(code, '%arguments', 8 * k)}, align 8")
    return code.text(f"void @{symbol}(ptr %arguments)", ATTRIBUTES)
