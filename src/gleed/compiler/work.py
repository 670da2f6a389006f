"""How much work a program is: arithmetic, bytes and memory of every step that computes.

Sizes that are symbols count as they were in the call that was traced.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gleed.compiler.cells import INNER, Step
from gleed.compiler.dims import OPERATIONS, hint
from gleed.compiler.fuse import KernelBuilder
from gleed.compiler.graph import Node, Value, bytes_of
from gleed.compiler.kernel import DTYPES, Check, Kernel, is_float
from gleed.compiler.kernel import Node as KernelNode
from gleed.compiler.planning import Program
from gleed.compiler.schedule import Schedule

_SINGLE = (
    *("add", "sub", "mul", "div", "neg", "abs", "sqrt", "math", "reduce", "scan"),
    *("minimum", "maximum", "min_number", "max_number", "floor", "ceil", "trunc", "roundeven"),
)
_ARITHMETIC = dict.fromkeys(_SINGLE, 1) | {"fma": 2}


@dataclass(frozen=True)
class Work:
    """A kernel or a routine: its name, the operations of the graph that it does, the values that it
    puts into memory, and how often it runs. Arithmetic is that of floating point; bytes are those
    of every operand once, times the runs. `place` is "before" or "after" of a kernel that a routine
    runs block by block, so that what one computes the other finds in cache."""

    name: str
    operations: tuple[str, ...]
    values: tuple[Value, ...]
    kernel: Kernel | None
    runs: int
    flops: int
    read: int
    written: int
    place: str = ""


def passing(program: Program) -> set[Value]:
    """What has no memory of its own: products that kernels overwrite which follow, operands that
    kernels compute block by block."""
    schedule = program.schedule()
    lent, made = schedule.epilogues.lent, schedule.prologues.made
    found: set[Value] = set()
    for step, source in schedule.launches:
        if isinstance(source, Node):
            found |= {source.outputs[-1]} if step[2][-1] in lent else set()
        elif id(step) in made:
            found |= {*source.outputs}
    return found


def work(program: Program) -> list[Work]:
    """The kernels and routines of a program, in order."""
    schedule = program.schedule()
    sizes = _cells(program, schedule)
    moved = schedule.epilogues.moved
    sources = {id(moved.get(id(step), step)): source for step, source in schedule.launches}
    return list(_works(schedule.steps, 1, schedule, sizes, sources))


def _works(
    steps: Iterable[Step],
    runs: int,
    schedule: Schedule,
    sizes: list[int],
    sources: dict[int, KernelBuilder | Node],
) -> Iterator[Work]:
    for step in steps:
        if step[0] in INNER:
            turns = sizes[step[1]] if step[0] == "loop" else 1  # of others nobody knows
            for part in step[INNER[step[0]] :]:
                yield from _works(part, runs * turns, schedule, sizes, sources)
            continue
        source = sources.get(id(step))
        if isinstance(source, KernelBuilder):
            yield _kernel(step, source, runs, [sizes[n] for n in step[2]], schedule)
        elif source is not None:
            after, before = (*step[5:], (), ())[:2]
            yield from _works([kernel for _, kernel in before], runs, schedule, sizes, sources)
            yield _routine(step, source, runs, schedule)
            yield from _works([kernel for _, kernel in after], runs, schedule, sizes, sources)


# ---- kernels
def _kernel(
    step: Step, builder: KernelBuilder, runs: int, axes: list[int], schedule: Schedule
) -> Work:
    kernel: Kernel = step[1]
    cached = schedule.epilogues.cached.get(id(step), set())
    passing_on = schedule.prologues.made.get(id(step))
    everywhere = math.prod(axes)
    rows = math.prod(axes[: builder.space.parallel]) if kernel.reduces else everywhere

    def times(node: KernelNode) -> int:
        inside = node.args[0] if node.op == "reduce" else node
        return everywhere if kernel.level(inside) == "element" else rows

    flops = sum(
        _ARITHMETIC[node.op] * times(node)
        for node in kernel.nodes
        if node.op in _ARITHMETIC and is_float(node.dtype)
    )
    gathered = [n for n in kernel.nodes if n.op == "gather"]
    scattered = {s.k: s for s in kernel.stores if not isinstance(s, Check) and s.offset is not None}
    read = written = 0
    for k, (operand, binding) in enumerate(zip(kernel.operands, builder.bindings, strict=True)):
        if operand.kind not in ("in", "out"):
            continue
        number, mapping = binding
        elements = math.prod(n for n, axis in zip(axes, mapping, strict=True) if axis >= 0)
        chosen = [times(node) for node in gathered if node.attr == k]
        size = DTYPES[operand.dtype][0]
        if operand.kind == "in" and number not in cached:
            read += (sum(chosen) if chosen else elements) * size
        elif operand.kind == "out":
            size = 0 if number == passing_on else size
            written += (everywhere if k in scattered else elements) * size
    values = tuple(builder.outputs)
    made = sorted({v.node for v in builder.computed()}, key=lambda node: node.serial)
    names = tuple(n.op for n in made if n.primitive and n.kind not in ("broadcast", "permute"))
    figures = flops * runs, read * runs, written * runs
    place = "before" if passing_on is not None else "after" if cached else ""
    return Work(kernel.name, names, values, kernel, runs, *figures, place)


# ---- routines
def _routine(step: Step, node: Node, runs: int, schedule: Schedule) -> Work:
    computed = [place for place, _ in (*step[5:], (), ())[1]]
    inputs = [v for place, v in enumerate(node.inputs) if place not in computed]
    read, written = sum(map(bytes_of, inputs)), sum(map(bytes_of, node.outputs))
    if step[2][-1] in schedule.epilogues.lent:
        written = 0  # what is overwritten while it is in cache never gets to memory
    flops = _products(node) * runs
    return Work(step[1], (node.op,), node.outputs, None, runs, flops, read * runs, written * runs)


def _products(node: Node) -> int:
    """The arithmetic of the products in a routine."""
    shapes = [tuple(map(hint, v.shape)) for v in (*node.inputs, *node.outputs)]
    result = math.prod(shapes[len(node.inputs)])
    if node.op in ("matmul", "affine"):
        return 2 * result * shapes[0][-1]
    if node.op in ("convolution", "convolution_input", "convolution_weight"):
        images = shapes[{"convolution": len(node.inputs), "convolution_input": 0}.get(node.op, 1)]
        weights = shapes[len(node.inputs) if node.op == "convolution_weight" else 1]
        return 2 * math.prod(images) * math.prod(weights[1:])
    if node.op in ("attention", "attention_gradient"):
        (*batch, rows, width), columns, depth = shapes[0], shapes[1][-2], shapes[2][-1]
        both = width + depth if node.op == "attention" else 3 * width + 2 * depth
        pairs = math.prod(batch) * rows * columns
        return 2 * pairs * both // (2 if node.attrs["causal"] else 1)
    return 0


# ---- sizes
def _cells(program: Program, schedule: Schedule) -> list[int]:
    """The plan's table of sizes as the traced call has it."""
    given = {step: dim.hint for dim, step in (program.symbols or {}).items()}
    found: list[int] = []
    for op, *args in schedule.cells.table:
        if op == "const":
            found.append(args[0])
        elif (op, *args) in given:
            found.append(given[op, *args])
        elif op in ("size", "stride", "int"):
            found.append(program.scope.symbol((op, *args), 0).hint)
        else:
            a, b = (found[i] for i in args)
            found.append(OPERATIONS[op](a, b))
    return found
