"""Kernel to object code: lower, emit LLVM IR, let LLVM generate an ELF object.

The IR is already vectorised, unrolled and free of redundancy, so LLVM's optimisation passes, most
of the time of a usual compilation, are left out; its instruction selection, scheduling and register
allocation are what is wanted.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from gleed.compiler import target as targets
from gleed.compiler.emit_column import ColumnEmitter
from gleed.compiler.emit_row import RowEmitter
from gleed.compiler.kernel import ORIENTATIONS, Kernel, KernelError, Variant
from gleed.compiler.lower import lower
from gleed.compiler.target import Target

_ATTRIBUTES = 'nounwind "no-builtins" "frame-pointer"="none"'
_RELOCATION, _CODE_MODEL = "pic", "small"
_idle: dict[Target, list[Any]] = {}  # machines that nobody uses


def emit_llvm(kernel: Kernel, variant: Variant, target: Target) -> str:
    """The LLVM IR of one variant. The kernel must have been verified."""
    if variant.orientation not in ORIENTATIONS:
        raise KernelError(f"emit: unknown orientation {variant.orientation!r}")
    if variant.orientation == "map" and kernel.reduces:
        raise KernelError(f"emit: {kernel.name} has reduced axes; use a row or column variant")
    emitter = ColumnEmitter if variant.orientation == "column" else RowEmitter
    function = emitter(lower(kernel), variant, target)
    function.emit()
    signature = f"void @{variant.symbol(kernel.name)}(ptr %pointers, ptr %geometry, ptr %params)"
    return function.code.text(signature, _ATTRIBUTES)


def compile_variant(
    kernel: Kernel, variant: Variant, target: Target | None = None
) -> tuple[bytes, str]:
    """Compile one variant for `target`, or for this machine: an ELF object, and its symbol."""
    target = target or targets.host()
    return assemble(emit_llvm(kernel, variant, target), target), variant.symbol(kernel.name)


def assemble(llvm_ir: str, target: Target) -> bytes:
    """The ELF object of a module of LLVM IR that refers to nothing outside itself."""
    from llvmlite import binding as llvm

    machine = _take_machine(target)
    module = llvm.parse_assembly(llvm_ir, llvm.create_context())
    module.verify()
    module.triple = target.triple
    module.data_layout = str(machine.target_data)
    code = _object(machine, module)
    _idle[target].append(machine)
    return code


def _object(machine: Any, module: Any) -> bytes:
    """As `machine.emit_object(module)`, but without the lock that llvmlite has around all of LLVM:
    modules with contexts of their own may be compiled at the same time."""
    from llvmlite.binding import ffi

    with ffi.OutputString() as error:
        buffer = _unlocked("LLVMPY_TargetMachineEmitToMemory")(machine, module, 1, error)
        if not buffer:
            raise RuntimeError(str(error))
    start, size = ffi.lib.LLVMPY_GetBufferStart(buffer), ffi.lib.LLVMPY_GetBufferSize(buffer)
    code = ctypes.string_at(start, size)
    ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)
    return code


@cache
def _unlocked(name: str) -> Any:
    """A function of LLVM's C interface."""
    from llvmlite.binding import ffi

    locked, function = getattr(ffi.lib, name), getattr(ctypes.CDLL(ffi.lib._name), name)
    function.argtypes, function.restype = locked.argtypes, locked.restype
    return function


def assembly(kernel: Kernel, variant: Variant, target: Target | None = None) -> str:
    """The assembly text of one variant, for people."""
    from llvmlite import binding as llvm

    target = target or targets.host()
    module = llvm.parse_assembly(emit_llvm(kernel, variant, target))
    return _new_machine(target).emit_assembly(module)


def _take_machine(target: Target) -> Any:
    """What generates code for a target, for one thread at a time."""
    try:
        return _idle.setdefault(target, []).pop()
    except IndexError:
        return _new_machine(target)


def _new_machine(target: Target) -> Any:
    from llvmlite import binding as llvm

    _begin()
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu,
        features=target.features,
        opt=2,
        reloc=_RELOCATION,
        codemodel=_CODE_MODEL,
    )


@cache
def _begin() -> None:
    """Make LLVM ready, with loop strength reduction off: addresses are already stepped as they
    should be, and it would be a third of the time of a compilation. The switch is LLVM's, for the
    whole process."""
    from llvmlite import binding as llvm

    llvm.set_option("gleed", "-disable-lsr")
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
