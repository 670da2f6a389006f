"""What values depend on, as far as what has memory; the scheduler decides by it what one kernel can
compute, and in which order memory is read and overwritten."""

from __future__ import annotations

from gleed.compiler.fuse import Point, inner_mapping
from gleed.compiler.graph import Node, Shape, Value
from gleed.compiler.stored import Placement

# Kinds whose result a kernel computes; the others have steps of their own.
COMPUTED = ("pointwise", "reduce", "scan", "gather", "iota", "const", "param", "dim")
# Kinds whose result shares the memory of their argument, or may do so.
MOVEMENTS = ("broadcast", "permute", "reshape", "movement")


class Dependencies:
    """The values of a plan. numbers: of those in memory. shapes: of those without memory, whose
    layout guides loops. order: of nodes in the graph."""

    numbers: dict[Value, int]
    shapes: dict[Value, int]
    order: dict[Node, int]
    placement: Placement | None

    def new(self, dtype: str, shape: Shape) -> int:
        """The number of a new value of the plan."""
        raise NotImplementedError

    def is_real(self, value: Value) -> bool:
        """Whether the value has memory already."""
        return value in self.numbers

    def shape(self, value: Value) -> int | None:
        """The plan value that stands for one that is computed inside a kernel, but not eagerly."""
        if not self._is_inside(value):
            return None
        if value not in self.shapes:
            self.shapes[value] = self.new(value.dtype, value.shape)
        return self.shapes[value]

    def _is_inside(self, value: Value) -> bool:
        """Whether a result of an operation is computed where it is used, and has no memory."""
        return self.placement is not None and value in self.placement.inside

    def under(self, value: Value, *, inside: bool = True) -> set[Value]:
        """All that a value depends on, itself included, as far as what has memory, or eagerly would
        have it, if what is `inside` is left out."""
        found: set[Value] = set()
        stack = [value]
        while stack:
            v = stack.pop()
            if v in found:
                continue
            found.add(v)
            apart = not inside and v is not value and self.shape(v) is not None
            if not apart and not self.is_real(v):
                stack.extend(v.node.inputs)
        return found

    def computed(self, value: Value) -> set[Value]:
        """The pointwise values under `value` that have no memory."""
        under = self.under(value)
        return {v for v in under if v.node.kind == "pointwise" and not self.is_real(v)}

    def ready(self, value: Value) -> bool:
        """Whether nothing under the value needs a step of its own first."""
        stack, seen = [value], set()
        while stack:
            v = stack.pop()
            if v in seen or self.is_real(v):
                continue
            seen.add(v)
            folds = inner_mapping(v, tuple(range(len(v.shape)))) is not None
            if v.node.kind not in COMPUTED and not folds and not self._is_inside(v):
                return False
            if v.node.kind == "gather" and not self.is_real(v.node.inputs[0]):
                return False
            stack.extend(v.node.inputs)
        return True

    def read(self, value: Value) -> set[int]:
        """The plan values that are read for a value, and what these are views of."""
        under = self.under(value)
        views = [v for v in under if self.is_real(v) and v.node.kind in MOVEMENTS]
        while views:
            source = views.pop().node.inputs[0]
            if source not in under:
                under.add(source)
                views += [source] if source.node.kind in MOVEMENTS else []
        return {self.numbers[v] for v in under if self.is_real(v)}

    def touched(self, value: Value) -> set[Value | int]:
        """What is computed from memory for a value, at every point, also inside of its kernel
        alone, and the plan values that are read, or guide its loops."""
        under = self.under(value)
        read = {v for v in under if self.is_real(v)}
        dependent = set(read)
        for v in sorted(under - read, key=lambda v: self.order[v.node]):
            if not dependent.isdisjoint(v.node.inputs):
                dependent.add(v)
        computed = {v for v in dependent - read if v.node.kind == "pointwise"}
        operands = self.under(value, inside=False)
        return {v for v in computed if len(v.shape) == len(value.shape)} | {
            self.numbers[v] if self.is_real(v) else self.shapes[v]
            for v in operands
            if self.is_real(v) or v in self.shapes
        }

    def alike(self, first: set[Point], second: set[Point]) -> bool:
        """Whether what has these points may be reduced in one kernel, which goes one way over
        memory: where they have something from memory in common, along the same axes. Equal sizes
        of axes do not do: they may be known to be equal only where they are numbers."""
        return any(self.is_real(v) for shared, _ in first & second for v in self.under(shared))
