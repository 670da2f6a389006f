"""Graph IR: an SSA program of primitives over values with a dtype and a shape of sizes.

>>> from gleed.compiler.graph import Graph, Node
>>> x = Node.leaf("input", 0, "f32", (8, 8)).outputs[0]
>>> print(Graph([x], [x]))
graph(%0: f32[8, 8])
  return %0
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gleed.compiler.dims import Size, hint
from gleed.compiler.kernel import DTYPES

if TYPE_CHECKING:
    from gleed.primitives.core import Primitive

Shape = tuple[Size, ...]
# By attribute the graphs that the bodies there make, with their results of operations by call.
Inner = dict[str, list[tuple["Graph", dict["Value", int]]]]
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


def bytes_of(value: Value) -> int:
    """The bytes that a value takes, where sizes are symbols those in the call that was traced."""
    return math.prod(map(hint, value.shape)) * DTYPES[value.dtype][0]


class Node:
    """The application of a primitive, or a leaf: "input" (a tensor argument), "param" (a run-time
    number), "const" (a number). Nodes made later have greater serial numbers. A reduction that is
    `looped` is a loop even over a few places, whose number is known."""

    __slots__ = ("attrs", "inputs", "kind", "looped", "op", "outputs", "primitive", "serial")

    def __init__(
        self,
        op: str,
        primitive: Primitive | None,
        inputs: tuple[Value, ...],
        attrs: dict[str, Any],
        types: Iterable[tuple[str, Shape]],
    ) -> None:
        self.op, self.primitive, self.inputs, self.attrs = op, primitive, inputs, attrs
        self.kind = primitive.kind if primitive else op  # how the scheduler treats the node
        self.serial = next(_serials)
        self.looped = False
        self.outputs = tuple([Value(self, i, d, shape) for i, (d, shape) in enumerate(types)])

    @classmethod
    def leaf(cls, op: str, key: object, dtype: str, shape: Shape = ()) -> Node:
        """An "input", "param" or "const"; `key` is its number or value."""
        return cls(op, None, (), {"key": key}, [(dtype, shape)])

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

    @cached_property
    def nodes(self) -> list[Node]:
        """Every node under the outputs, inputs of a node before it."""
        return topological([value.node for value in (*self.outputs, *self.kept)])

    def __str__(self) -> str:
        return "\n".join(graph_lines(self, {}))


def inner_graphs(node: Node) -> Inner:
    """The graphs inside a node."""
    inner = node.primitive and node.primitive.attributes.get("inner")
    return inner(node) if inner else {}


def graph_lines(graph: Graph, names: dict[Value, str]) -> list[str]:
    """The text of a graph, its nodes in the order in which they were made. `names` gets the names
    of values."""

    def name(value: Value) -> str:
        return names.setdefault(value, f"%{len(names)}")

    def typed(values: Iterable[Value]) -> str:
        return ", ".join(f"{name(v)}: {v!r}" for v in values)

    lines = [f"graph({typed(graph.inputs)})"]
    leaves = {value.node for value in graph.inputs}
    for node in sorted(set(graph.nodes) - leaves, key=lambda node: node.serial):
        inner = inner_graphs(node)
        operands = [name(v) for v in node.inputs]
        operands += [f"{k}={_bodies(v) if k in inner else repr(v)}" for k, v in node.attrs.items()]
        looped = " looped" if node.looped else ""
        lines.append(f"  {typed(node.outputs)} = {node.op}({', '.join(operands)}){looped}")
        for one, calls in (pair for pairs in inner.values() for pair in pairs):
            own: dict[Value, str] = {}
            lines += [f"    {line}" for line in graph_lines(one, own)]
            made = sorted((v for v in calls if v in own), key=lambda v: (v.node.serial, v.index))
            lines += [f"      call {calls[v]} made {own[v]}" for v in made]
    lines.append(f"  return {', '.join(map(name, graph.outputs))}".rstrip())
    if graph.kept:
        lines.append(f"  keep {', '.join(map(name, graph.kept))}")
    return lines


def _bodies(attr: Any) -> str:
    """The text of bodies: the graphs that they make have lines of their own."""
    return f"({', '.join('@' for _ in attr)})" if isinstance(attr, tuple) else "@"


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
