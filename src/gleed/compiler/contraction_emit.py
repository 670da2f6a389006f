"""Which generator makes which micro-kernel of matrix multiplication (see contraction)."""

from __future__ import annotations

from dataclasses import replace

from gleed.compiler.contraction_dot import emit_dot
from gleed.compiler.contraction_family import ATTRIBUTES, DTYPES, Family, advance, family
from gleed.compiler.contraction_pack import emit_copy, emit_transpose
from gleed.compiler.contraction_tile import emit_tile
from gleed.compiler.convolution_pixel import emit_pixel, emit_pixel_weight
from gleed.compiler.convolution_plane import Taps, emit_plane, emit_plane_weight
from gleed.compiler.convolution_winograd import emit_winograd
from gleed.compiler.kernel import KernelError
from gleed.compiler.llvm_text import Code
from gleed.compiler.target import Target

KINDS = (
    "family", "tile", "ragged", "dot", "copy", "transpose", "plane", "plane_weight",
    "pixel", "pixel_weight", "winograd_input", "winograd_weight", "winograd_output",
)  # fmt: skip


def emit_contraction(
    kind: str, dtype: str, shape: tuple[int, ...], target: Target, symbol: str
) -> str:
    """The LLVM IR of one micro-kernel for a processor; its function is named `symbol`."""
    if kind not in KINDS or dtype not in DTYPES:
        raise KernelError(f"contraction: no micro-kernel {kind!r} of {dtype!r}")
    tiles = family(dtype, target)
    if kind == "family":
        return _emit_family(tiles, symbol)
    if kind == "plane":
        return emit_plane(tiles, symbol, Taps(*shape[:6]), *shape[6:])
    if kind == "plane_weight":
        return emit_plane_weight(tiles, symbol, Taps(*shape[:6]), *shape[6:])
    if kind == "pixel":
        return emit_pixel(tiles, symbol, Taps(*shape[:6]), *shape[6:])
    if kind == "pixel_weight":
        return emit_pixel_weight(tiles, symbol, Taps(*shape[:6]), *shape[6:])
    if kind.startswith("winograd_"):
        return emit_winograd(tiles, symbol, kind.removeprefix("winograd_"))
    rows, columns = shape
    if kind == "dot":
        return emit_dot(tiles, symbol, rows, columns)
    if kind in ("copy", "transpose"):
        packing = emit_copy if kind == "copy" else emit_transpose
        return packing(replace(tiles, pairs=bool(rows)), symbol, columns)
    return emit_tile(tiles, symbol, rows, columns, ragged=kind == "ragged")


def _emit_family(tiles: Family, symbol: str) -> str:
    code = Code()
    numbers = (tiles.lanes, tiles.rows, tiles.vectors, int(tiles.pairs), int(tiles.masks))
    for k, number in enumerate(numbers):
        code.line(f"  store i64 {number}, ptr {advance(code, '%arguments', 8 * k)}, align 8")
    return code.text(f"void @{symbol}(ptr %arguments)", ATTRIBUTES)
