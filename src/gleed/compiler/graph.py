"""Graph IR: an SSA program of primitives over values with a dtype and a shape of sizes.

>>> from gleed.compiler.graph import Graph, Node
>>> x = Node.leaf("input", 0, "f32", (8, 8)).outputs[0]
>>> print(Graph([x], [x]))
graph(%0: f32[8, 8])
  return %0
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gleed.compiler.dims import Size

if TYPE_CHECKING:
    from gleed.primitives.core import Primitive

Shape = tuple[Size, ...]
_serials = itertools.count()


def latest_serial() -> int:
    """A number between those of the nodes that there are, and those of nodes made later."""
    return next(_serials)


class Value:
    """One result of a node."""

    __slots__ = ("dtype", "index", "node", "shape")

    def __init__(self, node: Node, index: int, dtype: str, shape: Shape) -> None:
        self.node, self.index, self.dtype, self.shape = node, index, dtype, shape

    def __repr__(self) -> str:
        return f"{self.dtype}[{', '.join(map(repr, self.shape))}]"


class Node:
    """The application of a primitive, or a leaf: "input" (a tensor argument), "param" (a run-time
    number), "const" (a number). Nodes made later have greater serial numbers. A reduction that is
    `looped` is a loop even over a few places, whose number is known."""

    __slots__ = ("attrs", "inputs", "looped", "op", "outputs", "primitive", "serial")

    def __init__(
        self,
        op: str,
        primitive: Primitive | None,
        inputs: tuple[Value, ...],
        attrs: dict[str, Any],
        types: Iterable[tuple[str, Shape]],
    ) -> None:
        self.op, self.primitive, self.inputs, self.attrs = op, primitive, inputs, attrs
        self.serial = next(_serials)
        self.looped = False
        self.outputs = tuple(Value(self, i, d, shape) for i, (d, shape) in enumerate(types))

    @classmethod
    def leaf(cls, op: str, key: object, dtype: str, shape: Shape = ()) -> Node:
        """An "input", "param" or "const"; `key` is its number or value."""
        return cls(op, None, (), {"key": key}, [(dtype, shape)])

    @property
    def kind(self) -> str:
        """How the scheduler treats the node."""
        return self.primitive.kind if self.primitive else self.op

    @property
    def draws(self) -> bool:
        """Whether running it changes more than its results, as random draws do."""
        kinds = ("library", "loop", "branch", "while")
        return self.kind in kinds and not self.primitive.pure  # type: ignore[union-attr]


class Graph:
    """A program: inputs in order, outputs in order. Nodes are what the outputs depend on, and the
    values that are `kept` besides, for what computing them changes."""

    def __init__(
        self, inputs: list[Value], outputs: list[Value], kept: Sequence[Value] = ()
    ) -> None:
        self.inputs, self.outputs, self.kept = inputs, outputs, tuple(kept)

    @property
    def nodes(self) -> list[Node]:
        """Every node under the outputs, inputs of a node before it."""
        return topological([value.node for value in (*self.outputs, *self.kept)])

    def __str__(self) -> str:
        names: dict[Value, str] = {}

        def name(value: Value) -> str:
            return names.setdefault(value, f"%{len(names)}")

        head = ", ".join(f"{name(v)}: {v!r}" for v in self.inputs)
        lines = [f"graph({head})"]
        for node in self.nodes:
            if node.op == "input" and node.outputs[0] in names:
                continue
            operands = [name(v) for v in node.inputs]
            operands += [f"{k}={v!r}" for k, v in node.attrs.items()]
            results = ", ".join(f"{name(v)}: {v!r}" for v in node.outputs)
            lines.append(f"  {results} = {node.op}({', '.join(operands)})")
        lines.append(f"  return {', '.join(map(name, self.outputs))}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Turns:
    """What happens in a loop: `graph` computes one turn, from states, rows of sequences and
    constants to the next states and to rows of results."""

    graph: Graph
    carried: int
    sequences: int
    count: Size
    reverse: bool

    def rows(self, shift: int) -> tuple[Size, int]:
        """Where the first turn finds its row, and how far on is the next; `shift` is 1 for the
        states that a turn ends with where it runs forwards, and begins with where backwards."""
        return (self.count - 1 + shift, -1) if self.reverse else (shift, 1)


def topological(roots: Iterable[Node]) -> list[Node]:
    """Every node under `roots`, inputs before users."""
    order: dict[Node, None] = {}
    stack = list(roots)[::-1]
    while stack:
        node = stack[-1]
        pending = [v.node for v in node.inputs if v.node not in order]
        if node in order or not pending:
            order[stack.pop()] = None
        else:
            stack.extend(reversed(pending))
    return list(order)


def shared_reductions(values: set[Value], uses: Counter[Value]) -> list[Value]:
    """The reductions among values that are used elsewhere too; `uses` counts all uses."""
    own = Counter(v for node in {v.node for v in values} for v in node.inputs)
    found = (v for v in values if v.node.kind == "reduce" and uses[v] > own[v])
    return sorted(found, key=lambda v: v.node.serial)
