"""Which operations run for some fetches, and in which order.

An operation runs after its inputs and its control inputs. As far as these allow, writing to
variables comes last, so that everything else sees the values from before the run. What may run at
the same time runs in the order in which it was made.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from gleed.errors import GraphError
from gleed.graph.node import GRADIENTS, PLACEHOLDER, Node, Operation
from gleed.graph.outside import Sink, Source

Element = Node | Operation


class Schedule:
    """Which operations run, in which order, and which of them are differentiated.

    Results of `sources` are fed too, what `sinks` need is fetched too.
    """

    def __init__(self, fetches: Sequence[Element], feeds: Sequence[Node]) -> None:
        self._fed = set(feeds)
        needed = self._needed(fetches)
        self.sources = [op for op in needed if isinstance(op.function, Source)]
        self.feeds = (*feeds, *(x for op in self.sources for x in op.outputs))
        self._fed.update(self.feeds)
        ordered = self._ordered(needed.difference(self.sources))
        self.sinks = [op for op in ordered if isinstance(op.function, Sink)]
        self.operations = [op for op in ordered if not isinstance(op.function, Sink)]
        taken = (x for op in self.sinks for x in op.inputs)
        self.fetches = (*fetches, *taken)
        self.written = {v for op in self.operations for v in op.writes}
        asked = [op for op in self.operations if op.type == GRADIENTS]
        self.watched = {x for op in asked for x in op.args[1]}
        self.differentiated = self._differentiated(asked)

    def _before(self, op: Operation) -> Iterable[Operation]:
        """The operations that must have run."""
        yield from (node.op for node in op.inputs if node not in self._fed)
        yield from op.control_inputs

    def _needed(self, fetches: Sequence[Element]) -> set[Operation]:
        waiting = [x if isinstance(x, Operation) else x.op for x in fetches if x not in self._fed]
        found = set(waiting)
        while waiting:
            op = waiting.pop()
            if op.type == PLACEHOLDER and op.outputs[0] not in self._fed:
                raise GraphError(
                    f"run: every placeholder that is needed must be fed; "
                    f"{op.outputs[0].describe()}, made at {op.place}, has no value; add it to the "
                    "feed_dict"
                )
            for other in self._before(op):
                if other not in found:
                    found.add(other)
                    waiting.append(other)
        return found

    def _ordered(self, needed: set[Operation]) -> list[Operation]:
        followers: dict[Operation, list[Operation]] = {op: [] for op in needed}
        missing = {}
        for op in needed:
            before = set(self._before(op))
            missing[op] = len(before)
            for other in before:
                followers[other].append(op)
        ready = [(bool(op.writes), op.number, op) for op in needed if not missing[op]]
        heapq.heapify(ready)
        result = []
        while ready:
            op = heapq.heappop(ready)[2]
            result.append(op)
            for other in followers[op]:
                missing[other] -= 1
                if not missing[other]:
                    heapq.heappush(ready, (bool(other.writes), other.number, other))
        return result

    def _differentiated(self, asked: Sequence[Operation]) -> set[Operation]:
        """Operations between a node that is differentiated by and one that is differentiated."""
        derived = set(self.watched)
        for op in self.operations:
            if any(node in derived for node in op.inputs):
                derived.update(op.outputs)
        leading = {y for op in asked for y in op.args[0]}
        for op in reversed(self.operations):
            if any(node in leading for node in op.outputs):
                leading.update(op.inputs)
        return {
            op
            for op in self.operations
            if any(n in derived for n in op.inputs) and any(n in leading for n in op.outputs)
        }
