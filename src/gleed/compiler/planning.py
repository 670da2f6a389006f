"""From a graph to a plan of the core: the last stage, and the list of all of them."""

from __future__ import annotations

from collections.abc import Callable
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
from gleed.compiler.kernel_text import PrintedKernel, inputs_of
from gleed.compiler.objects import Code, compile_together, object_for
from gleed.compiler.online import online
from gleed.compiler.pipeline import enabled
from gleed.compiler.schedule import Schedule
from gleed.compiler.split import accumulator_dtypes, split
from gleed.compiler.stored import Placement

# What the core is told of a plan beside its gradient: inputs, dims, guards, values, steps, outputs,
# residuals and writes. The kernels in its steps are IR, the core's, or stand for these: they alone
# are neither text nor numbers nor tuples of such.
Parts = tuple[Any, ...]
# A kernel; for long ranges the forms of its halves with what the first hands to the second, and for
# long rows another form; or None.
Forms = tuple[Any, Any, Any]
_PLAIN = (str, int, tuple, type(None))


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
    program: Program, grad: Any = None, told: Callable[[Parts], None] | None = None
) -> Any:
    """The plan of a program, whose guards are found on the way; `grad` is a `_C.GradRecord`, `told`
    is called with what the core is told."""
    schedule = program.schedule()
    program = replace(program, guards=tuple(program.scope.guards[program.decided :]))
    if told is not None:
        told(parts_of(program, schedule))
    return plan_of(program, schedule, grad)


def plan_of(program: Program, schedule: Schedule, grad: Any = None) -> Any:
    """The plan of a program that has been scheduled."""
    return plan_from(with_kernels(parts_of(program, schedule), core_kernel), program, grad)


def parts_of(program: Program, schedule: Schedule) -> Parts:
    """What the core is told of a program that has been scheduled."""
    cells, visible = schedule.cells, len(schedule.outputs) - program.residuals
    guards = tuple((op, cells.raw(a), cells.raw(b)) for op, a, b in program.guards)
    return (
        tuple((v.dtype, len(v.shape)) for v in program.graph.inputs),
        tuple(cells.table),
        guards,
        tuple(schedule.values),
        tuple(schedule.steps),
        schedule.outputs[:visible],
        schedule.outputs[visible:],
        tuple(sorted(set(program.written.values()))),
    )


def plan_from(parts: Parts, program: Any, grad: Any = None) -> Any:
    """The plan with these parts, whose kernels are the core's."""
    return _C.Plan(*parts, grad, program)


def with_kernels(parts: Parts, made: Callable[[Any], Any]) -> Parts:
    """The same with each kernel replaced by what is made of it."""
    *head, steps, outputs, residuals, writes = parts
    return (
        *head,
        tuple(_with_kernels(s, made) for s in steps),
        outputs,
        residuals,
        writes,
    )


def _with_kernels(step: Step, made: Callable[[Any], Any]) -> Step:
    inner = INNER.get(step[0])
    if inner is not None:
        parts = (tuple(_with_kernels(one, made) for one in steps) for steps in step[inner:])
        return (*step[:inner], *parts)
    if step[0] == "library":
        around = (tuple((k, _with_kernels(kernel, made)) for k, kernel in p) for p in step[5:])
        return (*step[:5], *around)
    return tuple(part if isinstance(part, _PLAIN) else made(part) for part in step)


@cache
def core_kernel(ir: k.Kernel) -> Any:
    """The core's kernel for an IR; one per IR, so that variants are compiled once."""
    return built_kernel(forms_of(ir))


@cache
def printed_core_kernel(forms: Forms) -> Any:
    """The same for a kernel from disk."""
    return built_kernel(forms)


@cache
def forms_of(ir: k.Kernel) -> Forms:
    """A kernel in all its forms."""
    halves = split(ir) if enabled("split") else None
    parts = halves and (*map(_with_online, halves), accumulator_dtypes(ir))
    return (ir, parts, _with_online(ir)[2])


def _with_online(ir: k.Kernel) -> Forms:
    long = online(ir) if enabled("online") else None
    return (ir, None, long and (long, None, None))


def built_kernel(forms: Forms) -> Any:
    """The core's kernel that has these forms."""
    ir, halves, long = forms
    parts = halves and (*map(built_kernel, halves[:2]), halves[2])
    return _kernel(ir, parts, long and built_kernel(long))


def _kernel(
    ir: k.Kernel | PrintedKernel, parts: tuple[Any, ...] | None = None, long: Any = None
) -> Any:
    return _C.Kernel(ir, inputs_of(ir), _compile, parts, long)


def _compile(ir: k.Kernel | PrintedKernel, orientation: str, strides: str) -> tuple[Code, str]:
    variant = Variant(orientation, strides)
    return object_for(ir, variant), variant.symbol(ir.name)


@cache
def _attention_kernel(name: str, sums: str, other: str) -> Any:
    return _kernel(attention_kernel(name, sums, other))


_C.set_batch_compiler(compile_together)
_C.set_contraction_compiler(compile_contraction)
_C.set_attention_kernels(_attention_kernel)
_C.set_identity_kernels({name: core_kernel(k.identity_kernel(name)) for name in k.DTYPES})
