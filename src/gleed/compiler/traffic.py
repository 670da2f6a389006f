"""Which memory steps read and write: what may change places with what, and join it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gleed.compiler.cells import INNER, Step
from gleed.compiler.kernel import Kernel


class Traffic:
    """The memory of the steps of a plan, values named by number; those below `inputs` are there
    before. roots: whose memory a view is."""

    def __init__(self, steps: Sequence[Step], inputs: int) -> None:
        self._roots: dict[int, int] = {}
        self._dense: set[int] = set()
        self._made: dict[int, set[int]] = {}  # by the identity of a routine's values, its results
        seen: set[int] = set(range(inputs))
        for step in flat(steps):
            if step[0] == "alloc" and not step[2]:
                self._dense.add(step[1])
            elif step[0] in ("view", "reshape", "compact"):
                self._roots[step[1]] = self.root(step[2])
                whole = step[0] != "view" or step[3] == "reshape"
                if whole and step[2] in self._dense:
                    self._dense.add(step[1])
            elif step[0] == "kernel":
                seen.update(self.root(v) for v, *_ in step[4] if not isinstance(v, str))
            elif step[0] == "library":
                # What nobody has touched before is what it makes.
                values = set(map(self.root, step[2]))
                self._made[id(step[2])] = values - seen
                seen |= values

    def root(self, value: int) -> int:
        """The value whose memory this one has."""
        return self._roots.get(value, value)

    def is_dense(self, value: int) -> bool:
        """Whether the value is all of its memory, in its order."""
        return value in self._dense

    def read(self, step: Step) -> set[int]:
        """The memory that a step reads; of a routine all that it has to do with."""
        kind = step[0]
        if kind == "kernel":
            return {self.root(v) for v, _ in bound(step, "in")}
        if kind == "library":
            return {self.root(v) for v in step[2]}.union(*map(self.read, kernels(step)))
        if kind in ("reshape", "compact"):  # which may copy, unless it has the order already
            return set() if step[2] in self._dense else {self.root(step[2])}
        if kind in INNER:
            sources = (s for _, s, *_ in step[2]) if kind == "loop" else (step[1],)
            inner = (self.read(s) for part in step[INNER[kind] :] for s in part)
            return set(map(self.root, sources)).union(*inner)
        return set()

    def written(self, step: Step) -> set[int]:
        """The memory that a step writes; of one with steps inside all that it has to do with."""
        kind = step[0]
        if kind == "kernel":
            return {self.root(v) for v, _ in bound(step, "out")}
        if kind == "library":
            return self._made[id(step[2])].union(*map(self.written, kernels(step)))
        if kind in INNER:
            inner = (self.written(s) for part in step[INNER[kind] :] for s in part)
            return self.read(step).union(*inner)
        return set()


def flat(steps: Iterable[Step]) -> Iterator[Step]:
    """Steps, and those that they consist of."""
    for step in steps:
        yield step
        for part in step[INNER.get(step[0], len(step)) :]:
            yield from flat(part)


def kernels(step: Step) -> Iterator[Step]:
    """The kernels in the step of a routine: what follows it, then what computes its operands."""
    return (kernel for part in step[5:] for _, kernel in part)


def is_pointwise(step: Step) -> bool:
    """Whether a kernel's step computes every point on its own, in any order."""
    _, ir, axes, parallel, *_ = step
    return parallel == len(axes) and not (ir.reduces or ir.sequential or ir.gathers)


def bound(step: Step, kind: str) -> Iterator[tuple[int, tuple[int, ...]]]:
    """The values that a kernel's step reads ("in"), or writes ("out"), with their mappings."""
    ir: Kernel = step[1]
    for operand, binding in zip(ir.operands, step[4], strict=True):
        if operand.kind == kind:
            yield binding
