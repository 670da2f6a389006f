"""Which results get memory in a program of many operations.

Eagerly every operation's result has memory. In a captured program a result that only one other
operation computes with, point by point, need not: it is computed inside that operation's kernel.
What reduces, and what a reduction reads, keeps its memory, since how a kernel adds depends on what
else it computes, and a captured program is to give the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gleed.compiler.graph import Graph, Node, Value
from gleed.compiler.pipeline import enabled

_MOST_LEAVES = 12  # that one expression reads
# Leaves, and what is a view of its operand.
_NOT_COMPUTED = ("input", "permute", "broadcast", "movement", "reshape", "const", "param", "dim")
_POINT_BY_POINT = ("pointwise", "broadcast", "const", "param", "dim", "iota")


class _Choice:
    def __init__(
        self, graph: Graph, calls: Mapping[Value, int], written: Mapping[int, int]
    ) -> None:
        self._calls = calls
        self._outputs = {v for i, v in enumerate(graph.outputs) if i not in written}
        self._written = {graph.outputs[i] for i in written} - self._outputs
        self._users: dict[Value, list[Node]] = {}
        for node in graph.nodes:
            for value in node.inputs:
                self._users.setdefault(value, []).append(node)
        self._virtual: dict[Value, set[Value]] = {}  # what they read

    def reason(self, value: Value) -> str | None:
        """Why a result gets memory of its own, or None; to be asked in the order of the program."""
        kind = value.node.kind
        if kind in _NOT_COMPUTED:
            return "it is made compact" if value.node.op == "compact" else None
        users = self._results(value)
        if value in self._written:
            # It goes where it is written at once, if its own call needs it for other writes alone.
            own = self._calls[value]
            read = users is None or any(
                v not in self._written or self._calls[v] != own for v in users
            )
            return "it is read besides being written" if read else None
        if kind != "pointwise":
            return f"{value.node.op} makes it"
        if value in self._outputs:
            return "it is a result"
        if users is None:
            return f"{self._whole} takes it as a whole"
        if not users:
            return "no operation computes with it"
        if len({self._calls[user] for user in users}) > 1:
            return "several operations compute with it"
        leaves = self._leaves(value)
        if not 0 < len(leaves) <= _MOST_LEAVES:
            return (
                "it is computed of many values" if leaves else "it is not computed point by point"
            )
        if not enabled("fusion"):
            return "fusion is switched off"
        self._virtual[value] = leaves
        return None

    _whole = ""  # what takes the value as a whole that was asked for last

    def _results(self, value: Value) -> set[Value] | None:
        """The results of operations that compute with a value; None if something takes the value as
        a whole."""
        results: set[Value] = set()
        stack, seen = [value], {value}
        while stack:
            v = stack.pop()
            if v in self._outputs or (v in self._written and v not in self._calls):
                self._whole = "what leaves the program"
                return None
            for node in self._users.get(v, ()):
                if node.kind != "pointwise":
                    self._whole = node.op
                    return None
                for result in node.outputs:
                    if result in self._calls:
                        results.add(result)
                    elif result not in seen:
                        seen.add(result)
                        stack.append(result)
        return results

    def _leaves(self, value: Value) -> set[Value]:
        """The values in memory that a value is computed of; none if not point by point alone."""
        leaves: set[Value] = set()
        stack, seen = [*value.node.inputs], {value}
        while stack:
            v = stack.pop()
            if v in seen:
                continue
            seen.add(v)
            if v in self._virtual:
                leaves |= self._virtual[v]
            elif v in self._calls or v.node.kind == "input":
                leaves.add(v)
            elif v.node.kind in _POINT_BY_POINT:
                stack.extend(v.node.inputs)
            else:
                return set()
        return leaves


def reasons(
    graph: Graph, calls: Mapping[Value, int], written: Mapping[int, int]
) -> dict[Value, str]:
    """The results that get memory, in the order of the program, and why.

    `calls` has all results of operations with the number of the call; `written` is as for
    `Schedule`.
    """
    choice = _Choice(graph, calls, written)
    used = {v for node in graph.nodes for v in node.inputs} | set(graph.outputs)
    live = {v for v in used if v in calls}
    ordered = sorted(live, key=lambda v: (v.node.serial, v.index))
    return {v: why for v in ordered if (why := choice.reason(v)) is not None}


def stored(
    graph: Graph, calls: Mapping[Value, int], written: Mapping[int, int]
) -> dict[Value, int]:
    """The results that get memory, with the numbers of their calls, in the order of `calls`."""
    found = reasons(graph, calls, written)
    return {v: call for v, call in calls.items() if v in found}


@dataclass(frozen=True)
class Part:
    """The graph of a part of a step, whose inputs are those of the node, without a predicate.

    results: by output of the node, what it is here. calls: as for `stored`.
    """

    graph: Graph
    results: dict[int, Value]
    calls: dict[Value, int]

    def stored(self, outputs: Sequence[Value]) -> dict[Value, int]:
        """The results that get memory, where all `outputs` are written to memory that is there."""
        kept = Graph(self.graph.inputs, list(outputs))
        return stored(kept, self.calls, {i: i for i in range(len(outputs))})


def program_order(graph: Graph, stored: dict[Value, int]) -> list[Value]:
    """What has to be computed in the order of the program: draws, and what is stored. What one call
    stores comes as eagerly, in the order of its results, for that decides which kernels there are.
    """
    begun: dict[int, int] = {}
    for value, call in stored.items():
        begun[call] = min(value.node.serial, begun.get(call, value.node.serial))
    places = {v: (begun[call], i) for i, (v, call) in enumerate(stored.items())}
    places |= {node.outputs[0]: (node.serial, -1) for node in graph.nodes if node.draws}
    return sorted(places, key=lambda v: places[v])
