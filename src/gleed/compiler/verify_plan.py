"""The verifier of plans: every value is there before it is read, and is what its steps take it for.

A violation is a fault of the scheduler, and the message holds the step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gleed.compiler.cells import INNER, Step
from gleed.compiler.kernel import Kernel
from gleed.compiler.planning import Program
from gleed.compiler.schedule import Schedule
from gleed.compiler.traffic import bound

_VIEWS = ("view", "reshape", "compact")
_EARLIER = ("const", "size", "stride", "int")  # cells that refer to no others


class PlanError(Exception):
    """A plan that breaks a rule."""


def verify_plan(program: Program, schedule: Schedule) -> Schedule:
    """Check every rule; returns the schedule, or raises `PlanError`."""
    _Verifier(program, schedule).run()
    return schedule


class _Verifier:
    def __init__(self, program: Program, schedule: Schedule) -> None:
        self.schedule, self.written = schedule, set(program.written.values())
        inputs = [(v.dtype, len(v.shape)) for v in program.graph.inputs]
        self.inputs = len(inputs)
        # By value its dtype and rank.
        self.kinds = [*inputs, *((dtype, len(dims)) for dtype, dims in schedule.values)]
        self.roots: dict[int, int] = {}  # whose memory a view is
        self.filled = set(range(self.inputs))  # the memory that something was written to
        self.dynamic = any(
            n.primitive and n.primitive.attributes.get("dynamic") for n in program.graph.nodes
        )

    def run(self) -> None:
        table = self.schedule.cells.table
        for place, (name, *cells) in enumerate(table):
            if name not in _EARLIER and not all(0 <= cell < place for cell in cells):
                raise PlanError(
                    f"verify_plan: cell {place}: {name}{(*cells,)} refers to later ones"
                )
        there = set(range(self.inputs))
        self._steps(self.schedule.steps, there)
        missing = set(self.schedule.outputs) - there
        if missing and not self.dynamic:
            raise PlanError(f"verify_plan: outputs {sorted(missing)} are never made")

    def _steps(self, steps: Sequence[Step], there: set[int]) -> None:
        for step in steps:
            problem = next(self._problems(step, there), None)
            if problem is not None:
                raise PlanError(f"verify_plan: {problem}; in {step}")

    def _problems(self, step: Step, there: set[int]) -> Iterator[str]:
        name = step[0]
        if name == "alloc":
            yield from self._missing(step[2], there)
            there.add(step[1])
        elif name in _VIEWS:
            yield from self._missing([step[2]], there)
            if self.kinds[step[1]][0] != self.kinds[step[2]][0]:
                yield f"a view has the dtype of its source, value {step[2]}"
            there.add(step[1])
            self.roots[step[1]] = self._root(step[2])
        elif name == "kernel":
            yield from self._kernel_problems(step, there)
        elif name == "library":
            there.update(v for v in step[2] if v >= self.inputs and self.dynamic)
            yield from self._missing(step[2], there)
            self.filled.update(map(self._root, step[2]))
            for place, kernel in step[6:] and step[6]:
                yield from self._prologue_problems(step, place, kernel, there)
            for lead, kernel in step[5:] and step[5]:
                if kernel[1].reduces or kernel[1].operands[lead].kind != "in":
                    yield "what follows a routine reads its result point by point"
                yield from self._kernel_problems(kernel, there)
        elif name in INNER:
            yield from self._inner_problems(step, there)
        else:
            yield "there is no such step"

    def _root(self, value: int) -> int:
        return self.roots.get(value, value)

    def _missing(self, values: Sequence[int], there: set[int]) -> Iterator[str]:
        for value in values:
            if value not in there:
                yield f"value {value} is used before it is made"

    def _prologue_problems(
        self, step: Step, place: int, kernel: Step, there: set[int]
    ) -> Iterator[str]:
        targets = [value for value, _ in bound(kernel, "out")]
        if kernel[1].reduces or targets != [self._root(step[2][place])]:
            yield f"what comes before a routine computes its operand {place} point by point"
        yield from self._kernel_problems(kernel, there)
        there -= {*targets, step[2][place]}  # which only the routine finds

    def _kernel_problems(self, step: Step, there: set[int]) -> Iterator[str]:
        kernel: Kernel = step[1]
        _, _, axes, parallel, operands, params, *guides = step
        if len(operands) != len(kernel.operands) or len(params) != len(kernel.params):
            yield "a kernel gets its operands and params"
        if kernel.reduces and parallel == len(axes):
            yield "a kernel that reduces needs axes to reduce"
        if not (kernel.reduces or kernel.sequential) and parallel < len(axes):
            yield "a kernel that reduces nothing has axes to reduce"
        for (what, *rest), operand in zip(operands, kernel.operands, strict=True):
            if isinstance(what, str):
                if what != operand.kind:
                    yield f"an operand of kind {operand.kind} is bound to {what}"
                continue
            (where,) = rest
            yield from self._missing([what], there)
            dtype, _ = self.kinds[what]
            if operand.dtype != dtype:
                yield f"value {what} is {dtype}; the kernel takes it for {operand.dtype}"
            yield from self._misplaced(what, where, axes)
            if operand.kind == "out":
                self.filled.add(self._root(what))
            elif self._root(what) not in self.filled:
                yield f"value {what} is read before anything is written to it"
            if operand.kind == "in" and any(a >= 0 for a in where[parallel:]) != operand.element:
                yield f"value {what} moves along reduced axes if its operand is an element"
            if operand.kind == "out" and what < self.inputs and what not in self.written:
                yield f"input {what} is written, which the program does not say"

        for guide in guides[0] if guides else ():
            *kind, value, where = guide
            if kind == ["shape"] and value in there:
                yield f"value {value} has memory; it guides as what it is"
            yield from self._misplaced(value, where, axes)
            yield from self._missing([] if kind else [value], there)

    def _misplaced(self, value: int, where: Sequence[int], axes: Sequence[int]) -> Iterator[str]:
        along, rank = [axis for axis in where if axis >= 0], self.kinds[value][1]
        if len(where) != len(axes) or len({*along}) != len(along) or max([-1, *along]) >= rank:
            yield f"value {value} of {rank} dims cannot lie along {where}"

    def _inner_problems(self, step: Step, there: set[int]) -> Iterator[str]:
        """What is made in a step is not seen outside of it."""
        name, first = step[0], step[1]
        inside = set(there)
        if name == "loop":
            for value, source, _, _ in step[2]:
                yield from self._missing([source], there)
                if self.kinds[value][0] != self.kinds[source][0]:
                    yield f"rows have the dtype of value {source}"
                inside.add(value)
                self.filled |= {value, self._root(source)}
        else:
            yield from self._missing([first], there)
            if self.kinds[first][0] != "bool":
                yield "a predicate is bool"
        for part in step[INNER[name] :]:
            # A turn of "while" goes on from its check.
            inside = inside if name == "while" else set(inside)
            self._steps(part, inside)
