"""A graph for one example as a program over a batch of them, by the batching rules of primitives.

Every value of the graph becomes one with a first axis for the examples, unless it is the same for
all of them: what depends on nothing mapped is computed once.

>>> from gleed.batching import Batching
>>> from gleed.trace import Trace
>>> example, trace = Trace(), Trace()
>>> x, w = example.input("f32", (4,)), example.input("f32", (4,))
>>> graph = example.graph([(x + w * w).sum()])
>>> batching = Batching(trace, 8)
>>> batching.give(x.value, trace.input("f32", (8, 4)), mapped=True)
>>> batching.give(w.value, trace.input("f32", (4,)), mapped=False)
>>> y = batching.whole(graph.outputs)[0]
>>> print(trace.graph([y]))
graph(%0: f32[8, 4], %1: f32[4])
  %2: f32[4] = mul(%1, %1)
  %3: f32[8, 4] = broadcast(%2, shape=(8, 4), axes=(1,))
  %4: f32[8, 4] = add(%0, %3)
  %5: f32[8] = reduce_sum(%4, axes=(1,))
  return %5
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gleed.compiler.dims import Dim, Size, hint
from gleed.compiler.graph import Node, Value, topological
from gleed.primitives.core import Batch, IRError
from gleed.trace import Standin, Trace


class Batching:
    """What becomes of the values of a graph in a trace over `size` examples.

    The sizes of the graph are what they were when it was traced. `randomness`: whether random draws
    are "different" for every example, or the "same".
    """

    def __init__(self, trace: Trace, size: Size, randomness: str = "different") -> None:
        self.trace, self.size, self._randomness = trace, size, randomness
        self.made: dict[Value, Standin] = {}
        self.mapped: set[Value] = set()

    def give(self, value: Value, x: Standin, *, mapped: bool) -> None:
        """Say what a value is: with an axis for the examples in front, or the same for all."""
        self.made[value] = x
        if mapped:
            self.mapped.add(value)

    def compute(self, values: Sequence[Value]) -> None:
        """Find what becomes of these values, in the order in which they were traced."""
        pending = topological([v.node for v in values])
        for node in sorted(pending, key=lambda node: node.serial):
            if node.outputs[0] not in self.made:
                self._step(node)

    def whole(self, values: Sequence[Value]) -> list[Standin]:
        """The values for every example, be they the same for all."""
        self.compute(values)
        mapped = tuple(v in self.mapped for v in values)
        return list(Batch(self.trace, self.size, mapped).whole([self.made[v] for v in values]))

    def _step(self, node: Node) -> None:
        value, trace = node.outputs[0], self.trace
        if node.op == "param":
            self.made[value] = trace.param(node.attrs["key"], value.dtype)
        elif node.op == "const":
            self.made[value] = trace.const(node.attrs["key"], value.dtype)
        elif node.op == "dim":
            self.made[value] = trace.size(hint(node.attrs["key"]))
        else:
            self._apply(node)

    def _apply(self, node: Node) -> None:
        primitive = node.primitive
        assert primitive is not None  # so have leaves only
        inputs = tuple(self.made[v] for v in node.inputs)
        attrs = {name: _fixed(attr) for name, attr in node.attrs.items()}
        mapped = tuple(v in self.mapped for v in node.inputs)
        if not (node.draws or any(mapped)):
            results = self.trace.emit(primitive, inputs, attrs)
        elif primitive.batch is None:
            raise IRError(f"{primitive.name}: there is no rule for what it is over a batch")
        else:
            batch = Batch(self.trace, self.size, mapped, self._randomness)
            results = primitive.batch(primitive, batch, *inputs, **attrs)
            self.mapped.update(node.outputs)
        results = results if isinstance(results, tuple) else (results,)
        for value, y in zip(node.outputs, results, strict=True):
            self._check(primitive.name, value, y)
            self.made[value] = y

    def _check(self, name: str, value: Value, y: Standin) -> None:
        """A rule gives what the primitive gives. Comparing sizes also decides that they are."""
        shape: list[Size] = [self.size] if value in self.mapped else []
        shape += map(hint, value.shape)
        alike = len(shape) == y.ndim and all(a == b for a, b in zip(y.shape, shape, strict=True))
        if not alike or y.dtype != value.dtype:
            raise IRError(f"{name}: over a batch, {value!r} has become {y.value!r}")


def _fixed(attr: Any) -> Any:
    """An attribute with plain sizes."""
    if isinstance(attr, tuple):
        return tuple(map(_fixed, attr))
    return hint(attr) if isinstance(attr, Dim) else attr
