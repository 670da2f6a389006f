"""What follows a product point by point becomes part of its step.

A product is computed in blocks, and a block that was just finished lies in cache. So kernels that
read the result at the points that they compute themselves (an activation, a residual, a rounding)
are run by the core for block after block, in place of another walk through memory. If nobody else
reads the product, it needs no memory of its own: it is computed where the kernel's result will be,
and overwritten block by block.

Bits are the same, for every point is computed by the same code from the same numbers. Where at run
time a kernel turns out not to go with the blocks, the core runs it after the routine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gleed.compiler.cells import INNER, Step
from gleed.compiler.pipeline import enabled
from gleed.compiler.traffic import Traffic, bound, is_pointwise

ROUTINES = ("matmul", "convolution", "convolution_input")  # that tell of finished blocks
# A product may wait for so many kernels and routines that its epilogue needs; what it reads, which
# then lives longer, is kept from piling up.
_REACH = 4


@dataclass
class _Blocks:
    """Memory around the blocks of a product: what is computed block by block, in the order of the
    product; what is read in other ways; what is made in another order."""

    aligned: set[int]
    read: set[int]
    other: set[int] = field(default_factory=set)


class Epilogues:
    """The `steps` of a plan with epilogues; `traffic` tells which memory they read and write.

    values: dtype and dims of plan values from number `inputs` on; outputs: the values that are seen
    outside. moved: by the identity of a routine's step, what has become of it. cached: by that of a
    kernel's step, the values that it finds in cache. lent: products that have the memory of another
    value, by number.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        traffic: Traffic,
        values: Sequence[tuple[str, tuple[int, ...]]],
        inputs: int,
        outputs: Iterable[int],
    ) -> None:
        self._values, self._inputs = values, inputs
        self.moved: dict[int, Step] = {}
        self.cached: dict[int, set[int]] = {}
        self.lent: dict[int, int] = {}
        self._root, self._read, self._written = traffic.root, traffic.read, traffic.written
        self._is_dense = traffic.is_dense
        self._outputs = {self._root(v) for v in outputs}
        self.steps = self._joined(steps) if enabled("epilogues") else list(steps)

    def _type(self, value: int) -> tuple[str, tuple[int, ...]] | None:
        return self._values[value - self._inputs] if value >= self._inputs else None

    # ---- joining
    def _joined(self, steps: Sequence[Step]) -> list[Step]:
        found = [self._inner(step) for step in steps]
        # The last of several products that a kernel reads is the one that it follows.
        for step in found[::-1]:
            if step[0] == "library" and step[1] in ROUTINES:
                self._join(found, found.index(step))
        return found

    def _inner(self, step: Step) -> Step:
        """A step that consists of steps, with these joined."""
        if step[0] not in INNER:
            return step
        start = INNER[step[0]]
        return (*step[:start], *(tuple(self._joined(part)) for part in step[start:]))

    def _join(self, steps: list[Step], at: int) -> None:
        """Move a routine to the kernels that follow its result, and make one step of them."""
        routine = steps[at]
        members = self._following(steps, at)
        if not members:
            return
        kernels = tuple((lead, steps[k]) for k, lead in members.items())
        joined = self.moved[id(routine)] = (*routine, kernels)
        for k in reversed(members):
            del steps[k]
        steps.insert(max(members) - len(members) + 1, joined)
        del steps[at]
        self._lend(steps, joined)

    def _following(self, steps: Sequence[Step], at: int) -> dict[int, int]:
        """The kernels that may be the epilogue of the routine at a place, each with the operand
        that it follows."""
        *sources, result = steps[at][2]
        needed = set(map(self._root, sources))
        blocks = _Blocks({self._root(result)}, set(needed))
        members: dict[int, int] = {}
        passed = 0
        for k, step in enumerate(steps[at + 1 :], at + 1):
            if step[0] in ("alloc", "view"):
                continue
            if not self._read(step).isdisjoint(blocks.aligned | blocks.other):
                lead = self._followed(step, blocks) if step[0] == "kernel" else None
                if lead is None:
                    break
                members[k] = lead
            elif step[0] in ("kernel", "library"):
                passed += 1
                spoils = not self._written(step).isdisjoint(needed | blocks.aligned)
                if members or spoils or passed > _REACH:
                    break
            elif step[0] in INNER:
                break
        return members

    def _followed(self, step: Step, blocks: _Blocks) -> int | None:
        """The operand that a kernel follows, if it reads all that was made at the points that it
        computes, and overwrites nothing that other blocks still need. Takes note of what it does.
        """
        if not is_pointwise(step):
            return None
        read, written = list(bound(step, "in")), list(bound(step, "out"))
        found = [(v, where) for v, where in read if self._root(v) in blocks.aligned]
        rest = {self._root(v) for v, _ in read} - blocks.aligned
        if not found or not rest.isdisjoint(blocks.other):
            return None
        (_, lead), apart = found[0], self._is_dense
        if any(not apart(v) or where != lead or -1 in where for v, where in found):
            return None
        for v, where in written:
            same = [pair for pair in read if self._root(pair[0]) == self._root(v)]
            if self._root(v) in blocks.read or any(pair != (v, where) for pair in same):
                return None
        self.cached[id(step)] = {v for v, _ in found}
        blocks.read |= rest
        for v, where in written:
            (blocks.aligned if apart(v) and where == lead else blocks.other).add(self._root(v))
        return step[4].index(found[0])

    def _lend(self, steps: list[Step], joined: Step) -> None:
        """Compute a product that nobody else reads where the result of the last kernel to read it
        will be."""
        product = joined[2][-1]
        readers = [step for _, step in joined[5] if product in self._read(step)]
        others = (step for step in steps if step is not joined)
        if product in self._outputs or any(product in self._read(step) for step in others):
            return
        plain = ("alloc", product, ())
        for target, place in bound(readers[-1], "out") if readers and plain in steps else ():
            own = ("alloc", target, ())
            alike = (
                self._root(v) == product
                and mapping == place
                and self._type(v) == self._type(target)
                for v, mapping in bound(readers[-1], "in")
            )
            if own in steps and any(alike):
                steps.remove(own)
                start = steps.index(plain)
                steps[start : start + 1] = [own, ("view", product, target, "reshape", ())]
                self.lent[product] = target
                return
