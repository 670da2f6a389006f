"""The strides of a plan's values, as far as they are known before it is bound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gleed.compiler.cells import Cells, Step
from gleed.compiler.dims import Size, identity, product
from gleed.compiler.graph import Shape
from gleed.compiler.traffic import flat

# In elements. What is not known is the same for one axis of one value alone.
Stride = tuple[object, ...]
Strides = tuple[Stride, ...]
MADE = ("alloc", "view", "reshape", "compact")  # the steps that make one value
ZERO, ONE = identity(0), identity(1)


def row_major(shape: Sequence[Size]) -> Strides:
    """The strides of what is dense."""
    return tuple(identity(product(tuple(shape[axis + 1 :]))) for axis in range(len(shape)))


class Layouts:
    """How values lie in memory that `steps` make; `types` are dtypes and shapes of all values of
    the plan, of which the first `inputs` are given."""

    def __init__(
        self, steps: Iterable[Step], types: Sequence[tuple[str, Shape]], inputs: int, cells: Cells
    ) -> None:
        self._made = {step[1]: step for step in flat(steps) if step[0] in MADE}
        self._types, self._inputs, self._cells = types, inputs, cells
        self._known: dict[int, Strides] = {}

    def dtype(self, value: int) -> str:
        """The dtype of a value."""
        return self._types[value][0]

    def dense(self, value: int) -> Strides:
        """The strides of a value if it is dense."""
        return row_major(self._types[value][1])

    def strides(self, value: int) -> Strides:
        """The strides of a value, as far as they are known."""
        if value not in self._known:
            self._known[value] = self._strides(value)
        return self._known[value]

    def _strides(self, value: int) -> Strides:
        unknown: Strides = tuple(("of", value, axis) for axis in range(len(self._types[value][1])))
        if value < self._inputs:
            found = (self._cells.stride(value, axis) for axis in range(len(unknown)))
            pairs = zip(found, unknown, strict=True)
            return tuple(own if n is None else identity(n) for n, own in pairs)
        step = self._made.get(value)
        if step is None or (step[0] == "alloc" and step[2]):
            return unknown
        if step[0] in ("alloc", "compact"):
            return self.dense(value)
        source = step[2]
        strides = self.strides(source)
        movement, arguments = step[3:] if step[0] == "view" else ("reshape", ())
        if movement == "permute":
            return tuple(strides[axis] for axis in arguments)
        if movement == "slice" and arguments[2] == 1:
            return strides
        dense = movement == "reshape" and strides == self.dense(source)
        return self.dense(value) if dense else unknown
