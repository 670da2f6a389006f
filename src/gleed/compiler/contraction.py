"""Micro-kernels of matrix multiplication, compiled when the core first needs them.

The core's routine "matmul" (native/contraction.h) divides a product into tiles, panels and rows;
what it does not find in its table it asks for here, by kind:

    family     writes lanes, rows, vectors, pairs and masks of a dtype's tiles (5 × int64)
    tile       register tile of `rows` × `columns` vectors (contraction_tile)
    ragged     the same with a partly valid last vector
    dot        rows × columns dot products (contraction_dot)
    copy, transpose     pack panels of `columns` lanes (contraction_pack); `rows` is 1 where tiles
                        read pairs
    plane, plane_weight     convolution of a plane, and its gradient for the taps
                        (convolution_plane); the numbers of `Taps` in place of the two
    pixel, pixel_weight     the same where channels are neighbours (convolution_pixel); of `Block`
    winograd_input, winograd_weight, winograd_output
                        transforms around the products of a convolution (convolution_winograd)

Each is `void kernel(void* arguments)`; the argument structures are described in the generators and
in native/contraction_kernels.h.

Sources: K. Goto and R. van de Geijn, "Anatomy of High-Performance Matrix Multiplication", ACM TOMS
34 (2008), for packing and blocking; F. Van Zee and R. van de Geijn, "BLIS: A Framework for Rapidly
Instantiating BLAS Functionality", ACM TOMS 41 (2015), for tiles.
"""

from __future__ import annotations

from gleed.compiler import target as targets
from gleed.compiler.objects import Code, cached_object, named_key
from gleed.lazy import lazy

# The generators are loaded only when something must be compiled.
generators = lazy("gleed.compiler.contraction_emit")


def compile_contraction(kind: str, dtype: str, *shape: int) -> tuple[Code, str]:
    """One micro-kernel for this machine: an ELF object, and the name of its function."""
    symbol = f"matmul_{kind}_{dtype}_{'x'.join(map(str, shape))}"

    def source() -> str:
        llvm_ir: str = generators.emit_contraction(kind, dtype, shape, targets.host(), symbol)
        return llvm_ir

    return cached_object(named_key(symbol), source), symbol
