"""What a product reads, and nobody else, is computed in its step.

A kernel that computes an operand point by point (a conversion, an activation, a dropout, a sum) is
run by the core for the block of the operand that a thread is about to read, into a small memory of
that thread, which stays in its cache. The operand has no memory then, and is never written to the
machine's and read again. `epilogue` does the same behind a product, and comes first: what a product
has just made is in cache already.

Bits are the same, for every point is computed by the same code from the same numbers. Where at run
time a product reads its operand in another order, or several times, the core runs the kernel before
it, as if it were a step of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from gleed.compiler.cells import INNER, Step
from gleed.compiler.epilogue import ROUTINES
from gleed.compiler.kernel import DTYPES
from gleed.compiler.pipeline import enabled
from gleed.compiler.traffic import Traffic, bound, flat, is_pointwise, kernels


class Prologues:
    """The `steps` of a plan with prologues.

    values: dtype and dims of plan values from number `inputs` on. outputs: the values that are seen
    outside. moved: as `Epilogues` has it, and brought up to date.
    made: by the identity of a kernel's step, the value that it computes block by block.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        traffic: Traffic,
        values: Sequence[tuple[str, tuple[int, ...]]],
        inputs: int,
        outputs: Iterable[int],
        moved: dict[int, Step],
    ) -> None:
        self._traffic, self._moved = traffic, moved
        self._values, self._inputs = values, inputs
        self._before = {id(step): origin for origin, step in moved.items()}
        self.made: dict[int, int] = {}
        self.steps = list(steps)
        if enabled("prologues"):
            self._outputs = set(map(traffic.root, outputs))
            self._uses = Counter(v for step in flat(steps) for v in self._used(step))
            self.steps = self._joined(steps)

    def _used(self, step: Step) -> Iterable[int]:
        """The memory that a step reads or writes, as often as it does."""
        if step[0] == "kernel":
            return [*self._traffic.read(step), *self._traffic.written(step)]
        if step[0] == "library":
            inner = (v for kernel in kernels(step) for v in self._used(kernel))
            return [*map(self._traffic.root, step[2]), *inner]
        if step[0] in INNER:  # without the steps that it consists of
            sources = (s for _, s, *_ in step[2]) if step[0] == "loop" else step[1:2]
            return map(self._traffic.root, sources)
        return self._traffic.read(step)

    def _joined(self, steps: Sequence[Step]) -> list[Step]:
        found: list[Step] = []
        makers: dict[int, int] = {}  # by value, where the kernel is that computes it
        gone: set[int] = set()
        here = {step[1]: not step[2] for step in steps if step[0] == "alloc"}
        for at, step in enumerate(steps):
            if step[0] in INNER:
                start = INNER[step[0]]
                step = (*step[:start], *(tuple(self._joined(part)) for part in step[start:]))
            elif step[0] == "kernel":
                value = _computed(step)
                # It is used twice: here, and by the product.
                if here.get(value) and self._uses[value] == 2 and value not in self._outputs:
                    makers[value] = at
            elif step[:2] == ("library", "matmul"):
                members = {
                    place: makers[root]
                    for place, root in enumerate(map(self._traffic.root, step[2][:2]))
                    if root in makers and self._waits(steps, makers[root], at, here)
                }
                if members:
                    gone |= {*members.values()}
                    step = self._join(step, {place: steps[k] for place, k in members.items()})
            found.append(step)
        return [step for k, step in enumerate(found) if k not in gone]

    def _join(self, step: Step, members: dict[int, Step]) -> Step:
        joined = (*step[:5], step[5] if step[5:] else (), tuple(members.items()))
        self._moved[self._before.get(id(step), id(step))] = joined
        for kernel in members.values():
            ((value, _),) = bound(kernel, "out")
            self.made[id(kernel)] = value
        return joined

    def _waits(self, steps: Sequence[Step], start: int, at: int, here: dict[int, bool]) -> bool:
        """Whether a kernel can be run as late as at a product: nobody overwrites what it reads; and
        what is kept for it until then is hardly larger than what it spares."""
        kernel, traffic = steps[start], self._traffic
        read = traffic.read(kernel)
        for step in steps[start + 1 : at + 1]:
            if step[0] in INNER or not self._written(step).isdisjoint(read):
                return False
        after = set().union(*map(traffic.read, steps[start + 1 :])) | self._outputs
        kept = 0
        for value, where in bound(kernel, "in"):
            root = traffic.root(value)
            if root in here and root not in after and -1 not in where:
                if value != root and not traffic.is_dense(value):
                    return False
                kept += self._size(value)
        ((target, _),) = bound(kernel, "out")
        return kept <= self._size(target) + 1  # the mask of a dropout may stay besides

    def _written(self, step: Step) -> set[int]:
        """The memory that a step may write."""
        if step[0] == "library":
            known = step[1] in ROUTINES
            given = {self._traffic.root(step[2][-1])} if known else self._traffic.read(step)
            return self._traffic.written(step) | given
        return self._traffic.written(step)

    def _size(self, value: int) -> int:
        """The bytes of an element."""
        return DTYPES[self._values[value - self._inputs][0]][0]


def _computed(step: Step) -> int:
    """The value that a kernel computes point by point, all of it and nothing else; or -1."""
    outputs = [*bound(step, "out")]
    if not is_pointwise(step) or len(outputs) != 1:
        return -1
    ((value, where),) = outputs
    return value if -1 not in where and all(o.kind != "status" for o in step[1].operands) else -1
