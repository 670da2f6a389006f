"""Running compiled kernels without the native core: through LLVM's own loader, in this process."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gleed.compiler import interpret as oracle
from gleed.compiler.emit import compile_variant
from gleed.compiler.kernel import Kernel, Variant
from gleed.compiler.kernel_text import parse_kernel, print_kernel
from gleed.compiler.target import Target
from gleed.compiler.verify import verify

AXES = {"map": (), "row": (1, 2), "column": (0, 1)}


@dataclass(frozen=True)
class Affine:
    """An "index" operand: base + i0 * s0 + i1 * s1 + i2 * s2."""

    base: int
    strides: tuple[int, int, int]
    shape: tuple[int, int, int]

    def values(self) -> np.ndarray:
        grid = np.indices(self.shape)
        return self.base + sum(g * s for g, s in zip(grid, self.strides, strict=True))


Argument = np.ndarray | Affine


def stride_class(array: Argument, n2: int, kind: str) -> str:
    """The class the core would choose for the innermost stride of an operand."""
    stride = array.strides[2]
    unit = 1 if isinstance(array, Affine) else array.itemsize
    if stride == 0 or (n2 != 1 and array.shape[2] == 1):
        return "0"
    if kind == "in" and unit >= 4 and stride == 2 * unit:
        return "2"
    if kind == "in" and stride == -unit:
        return "r"
    return "1" if stride == unit else "s"


class Machine:
    """Compiles, loads and calls kernels."""

    def __init__(self, target: Target | None = None) -> None:
        self._target = target
        self._loaded: dict[tuple[Kernel, Variant], Callable] = {}
        self._engines: list[object] = []

    def function(self, kernel: Kernel, variant: Variant) -> Callable:
        """The loaded machine code of a variant."""
        key = kernel, variant
        if key not in self._loaded:
            verify(kernel)
            assert parse_kernel(print_kernel(kernel)) == kernel
            self._loaded[key] = self._load(*compile_variant(kernel, variant, self._target))
        return self._loaded[key]

    def _load(self, code: bytes, symbol: str) -> Callable:
        from llvmlite import binding as llvm

        machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        self._engines.append(engine)
        prototype = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
        return prototype(engine.get_function_address(symbol))

    def run(
        self,
        kernel: Kernel,
        orientation: str,
        arguments: Sequence[Argument],
        params: Sequence[float] = (),
        shape: tuple[int, int, int] | None = None,
        streamed: int | None = None,
    ) -> None:
        """Run machine code; outputs are written in place, operand `streamed` past the caches."""
        shape = shape or np.broadcast_shapes(*(a.shape for a in arguments))
        pairs = zip(arguments, kernel.operands, strict=True)
        classes = "".join(stride_class(a, shape[2], operand.kind) for a, operand in pairs)
        if streamed is not None:
            classes = f"{classes[:streamed]}n{classes[streamed + 1 :]}"
        geometry = list(shape)
        pointers = []
        for argument in arguments:
            affine = isinstance(argument, Affine)
            pointers.append(argument.base if affine else argument.ctypes.data)
            for n, stride in zip(argument.shape, argument.strides, strict=True):
                geometry.append(stride if n > 1 else 0)
        cells = [
            np.array(p, np.float64 if d in ("f16", "bf16", "f32", "f64") else np.int64).view("u8")
            for p, d in zip(params, kernel.params, strict=True)
        ]
        self.function(kernel, Variant(orientation, classes))(
            (ctypes.c_int64 * (len(pointers) + 1))(*pointers),
            (ctypes.c_int64 * len(geometry))(*geometry),
            (ctypes.c_uint64 * (len(cells) + 1))(*(int(c) for c in cells)),
        )

    def interpret(
        self,
        kernel: Kernel,
        orientation: str,
        arguments: Sequence[Argument],
        params: Sequence[float] = (),
    ) -> None:
        """Run the oracle on the same arguments."""
        arrays = [a.values() if isinstance(a, Affine) else a for a in arguments]
        oracle.interpret(kernel, arrays, params, AXES[orientation])


def make_array(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """Random values of a kernel dtype, with the awkward ones among them."""
    numpy = np.dtype(oracle.NUMPY_DTYPES[dtype])
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if numpy.kind in "iu" and dtype != "bf16":
        info = np.iinfo(numpy)
        values = rng.integers(info.min, info.max, shape, numpy, endpoint=True)
        small = rng.integers(max(info.min, -9), 10, shape).astype(numpy)
        return np.where(rng.random(shape) < 0.6, small, values)
    values = (rng.standard_normal(shape) * 10 ** rng.uniform(-3, 3, shape)).astype(np.float32)
    special = rng.choice(np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0], np.float32), shape)
    values = np.where(rng.random(shape) < 0.05, special, values)
    return oracle.convert(values, "f32", dtype) if dtype != "f32" else values


def lay_out(values: np.ndarray, layout: str) -> np.ndarray:
    """The same values with another innermost stride: "1", "2", "r" (backwards, guarded), "s" (step
    3, guarded), or "0"."""
    if layout == "0":
        return np.broadcast_to(values[..., :1], values.shape)
    if layout == "1":
        return values
    if layout == "2":
        return np.repeat(values, 2, -1)[..., ::2]
    if layout == "r":
        return np.pad(values[..., ::-1], [(0, 0)] * (values.ndim - 1) + [(1, 1)])[..., -2:0:-1]
    wide = np.zeros((*values.shape[:-1], 3 * values.shape[-1] + 2), values.dtype)
    view = wide[..., 1 : 1 + 3 * values.shape[-1] : 3]
    view[...] = values
    return view
