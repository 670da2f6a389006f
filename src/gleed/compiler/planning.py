"""From a graph to a plan of the core: the last stage, and the list of all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from gleed import _C
from gleed.compiler import kernel as k
from gleed.compiler.attention import attention_kernel
from gleed.compiler.cells import INNER, Cells, Step
from gleed.compiler.contraction import compile_contraction
from gleed.compiler.dims import Dim, Scope, Size
from gleed.compiler.graph import Graph
from gleed.compiler.kernel import Variant
from gleed.compiler.objects import Code, compile_together, object_for
from gleed.compiler.online import online
from gleed.compiler.pipeline import enabled
from gleed.compiler.schedule import Schedule
from gleed.compiler.split import accumulator_dtypes, split
from gleed.compiler.stored import Placement


@dataclass(frozen=True, eq=False)
class Program:
    """All that a plan is made of; for reports, and for those who make a larger program of several.

    The last `residuals` outputs of the graph are kept for the backward only. `symbols` says where a
    call finds the symbols of the graph's sizes, if not under their own names; `guards` are what was
    decided about them, beside the first `decided` guards of the scope, which are known to hold;
    `written` maps an output to the input that it overwrites; `sizes` those of the inputs, as
    (input, axis), that its backward gets as integers; `placement` as for `Schedule`; `kinds` those
    of the parameters of the operation that it is for.
    """

    name: str
    graph: Graph
    scope: Scope
    symbols: dict[Dim, Step] | None
    decided: int
    guards: tuple[tuple[str, Size, Size], ...]
    written: dict[int, int]
    sizes: tuple[tuple[int, int], ...]
    residuals: int
    placement: Placement | None
    kinds: tuple[str, ...] = ()

    def schedule(self) -> Schedule:
        """The steps of the plan, made anew."""
        cells = Cells(self.scope, self.symbols)
        return Schedule(self.graph, cells, self.written, self.placement)


def build_plan(
    graph: Graph,
    scope: Scope,
    *,
    name: str = "",
    residuals: int = 0,
    written: dict[int, int] | None = None,
    symbols: dict[Dim, Step] | None = None,
    grad: Any = None,
    decided: int = 0,
    placement: Placement | None = None,
    sizes: tuple[tuple[int, int], ...] = (),
    kinds: tuple[str, ...] = (),
) -> Any:
    """The plan of a graph; `grad` is a `_C.GradRecord`, the rest as for `Program`."""
    program = Program(
        name, graph, scope, symbols, decided, (), written or {}, sizes, residuals, placement, kinds
    )
    schedule = program.schedule()
    program = replace(program, guards=tuple(scope.guards[decided:]))
    return plan_of(program, schedule, grad)


def plan_of(program: Program, schedule: Schedule, grad: Any = None) -> Any:
    """The plan of a program that has been scheduled."""
    cells, visible = schedule.cells, len(schedule.outputs) - program.residuals
    guards = tuple((op, cells.raw(a), cells.raw(b)) for op, a, b in program.guards)
    return _C.Plan(
        tuple((v.dtype, len(v.shape)) for v in program.graph.inputs),
        tuple(cells.table),
        guards,
        tuple((d, dims) for d, dims in schedule.values),
        tuple(_with_machine_code(step) for step in schedule.steps),
        schedule.outputs[:visible],
        schedule.outputs[visible:],
        tuple(sorted(set(program.written.values()))),
        grad,
        program,
    )


def _with_machine_code(step: Step) -> Step:
    """A step with each kernel's IR replaced by the core's kernel object."""
    inner = INNER.get(step[0])
    if inner is not None:
        parts = (tuple(map(_with_machine_code, steps)) for steps in step[inner:])
        return (*step[:inner], *parts)
    if step[0] == "library":
        around = (tuple((k, _with_machine_code(kernel)) for k, kernel in p) for p in step[5:])
        return (*step[:5], *around)
    return tuple(core_kernel(part) if isinstance(part, k.Kernel) else part for part in step)


@cache
def core_kernel(ir: k.Kernel) -> Any:
    """The core's kernel for an IR; one per IR, so that variants are compiled once."""
    halves = split(ir) if enabled("split") else None
    parts = halves and (*map(_with_online, halves), accumulator_dtypes(ir))
    return _with_online(ir, parts)


def _with_online(ir: k.Kernel, parts: tuple[Any, ...] | None = None) -> Any:
    long = online(ir) if enabled("online") else None
    return _kernel(ir, parts, long and _kernel(long))


def _kernel(ir: k.Kernel, parts: tuple[Any, ...] | None = None, long: Any = None) -> Any:
    inputs = sum(operand.kind != "out" for operand in ir.operands)
    return _C.Kernel(ir, inputs, _compile, parts, long)


def _compile(ir: k.Kernel, orientation: str, strides: str) -> tuple[Code, str]:
    variant = Variant(orientation, strides)
    return object_for(ir, variant), variant.symbol(ir)


@cache
def _attention_kernel(name: str, sums: str, other: str) -> Any:
    return _kernel(attention_kernel(name, sums, other))


_C.set_batch_compiler(compile_together)
_C.set_contraction_compiler(compile_contraction)
_C.set_attention_kernels(_attention_kernel)
_C.set_identity_kernels({name: core_kernel(k.identity_kernel(name)) for name in k.DTYPES})
