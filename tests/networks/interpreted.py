"""Networks whose kernels run in NumPy: the core calls the interpreter where machine code would be.

    python -m networks.interpreted FILE SEED …    # in tests/: a step of training of each network

A process of its own, for kernels are compiled once in a process.
"""

from __future__ import annotations

import ctypes
import functools
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np

import gleed
from gleed.compiler import interpret as oracle
from gleed.compiler import planning, target
from gleed.compiler.emit import assemble
from gleed.compiler.kernel import Kernel, Operand, Variant, is_float
from gleed.compiler.kernel_text import PrintedKernel, nodes_of

from . import architectures

REDUCED = {"map": (), "row": (1, 2), "column": (0, 1)}
SIGNATURE = ctypes.CFUNCTYPE(None, *(ctypes.POINTER(ctypes.c_int64),) * 3)
AROUND = 1 << 30  # bytes to either side of a pointer that a kernel might look at
FAILURES: list[str] = []
callbacks: list[Any] = []


def jump(given: Kernel | PrintedKernel, variant: Variant) -> bytes:
    """Machine code that calls the interpreter."""
    kernel = nodes_of(given)

    @SIGNATURE
    def run(pointers: Any, geometry: Any, params: Any) -> None:
        try:
            interpret(kernel, REDUCED[variant.orientation], pointers, geometry, params)
        except Exception:
            FAILURES.append(traceback.format_exc())

    callbacks.append(run)  # it must live as long as the code
    address = ctypes.cast(run, ctypes.c_void_p).value
    name = variant.symbol(kernel.name)
    return assemble(
        f"define void @{name}(ptr %p, ptr %g, ptr %q) {{\n"
        f"  call void inttoptr (i64 {address} to ptr)(ptr %p, ptr %g, ptr %q)\n  ret void\n}}\n",
        target.host(),
    )


def interpret(
    kernel: Kernel, axes: tuple[int, ...], pointers: Any, geometry: Any, params: Any
) -> None:
    sizes = tuple(geometry[:3])
    strides = [tuple(geometry[3 * i + 3 : 3 * i + 6]) for i in range(len(kernel.operands))]
    arrays = [
        operand_array(*given)
        for given in zip(kernel.operands, pointers, strides, [sizes] * len(strides), strict=False)
    ]
    # No operand; it tells the sizes of axes along which none moves.
    arrays.append(np.broadcast_to(0, sizes))
    cells = [
        np.int64(params[i]).view(np.float64 if is_float(dtype) else np.int64)
        for i, dtype in enumerate(kernel.params)
    ]
    oracle.interpret(kernel, arrays, cells, axes)


def operand_array(
    operand: Operand, pointer: int, strides: tuple[int, ...], sizes: tuple[int, ...]
) -> np.ndarray:
    """What an operand names, of size 1 along axes where it does not move."""
    shape = tuple(n if s else 1 for n, s in zip(sizes, strides, strict=True))
    if operand.kind == "index":
        return pointer + sum(g * s for g, s in zip(np.indices(shape), strides, strict=True))
    dtype = np.dtype(oracle.NUMPY_DTYPES[operand.dtype])
    near = (ctypes.c_char * (2 * AROUND)).from_address(pointer - AROUND)
    memory = np.frombuffer(near, dtype)  # never read as a whole
    return np.ndarray(shape, dtype, memory, AROUND, strides)


def install() -> None:
    """Have the interpreter run all kernels of this process from here on."""
    planning.object_for = jump
    oracle.lower = functools.cache(oracle.lower)
    gleed.set_num_threads(1)


def finish(file: str, found: dict[str, Any]) -> None:
    """Write what was found, unless the interpreter failed."""
    if FAILURES:
        sys.exit(FAILURES[0])
    assert callbacks, "nothing was interpreted"
    np.savez(Path(file), **found)


def main() -> None:
    install()
    found = {}
    for seed in map(int, sys.argv[2:]):
        gleed.manual_seed(seed)
        made = architectures.Builder(gleed, seed).build()
        for name, array in architectures.run(made, gleed).items():
            found[f"{seed}/{name}"] = array
    finish(sys.argv[1], found)


if __name__ == "__main__":
    main()
