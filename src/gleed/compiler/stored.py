"""Which results get memory in a program of many operations.

Eagerly every operation's result has memory. In a captured program a result that only one other
operation computes with need not: if that takes it point by point, or reduces it, it is computed
inside that operation's kernel. What is cheaper to compute again than to store is computed by a few
operations. The bits stay the same: in which order a kernel adds depends on sizes, and the kernel's
loops run as if the result were in memory (`Schedule`, guides).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gleed.compiler import kernel as k
from gleed.compiler.fuse import Mapping as Places
from gleed.compiler.fuse import inner_mapping, is_unit
from gleed.compiler.graph import Graph, Node, Value, bytes_of
from gleed.compiler.pipeline import enabled

_MOST_LEAVES = 12  # that one expression reads
_MOST_REDUCED = 24  # leaves that are read instead of what one operation reduces
_DEAR = 8  # arithmetic that is not done twice
_MOST_USERS = 3  # that compute a value anew
_SMALL = 8  # what is so many times smaller is in a cache
# Leaves, and what is a view of its operand.
_NOT_COMPUTED = ("input", "permute", "broadcast", "movement", "reshape", "const", "param", "dim")
_POINT_BY_POINT = ("pointwise", "broadcast", "const", "param", "dim", "iota")


@dataclass(frozen=True)
class Placement:
    """Which results of operations have memory, in order, and which are computed inside the kernels
    that use them, with the numbers of their calls."""

    stored: dict[Value, int] = field(default_factory=dict)
    inside: dict[Value, int] = field(default_factory=dict)

    @property
    def calls(self) -> dict[Value, int]:
        """All results."""
        return self.stored | self.inside


@dataclass
class _Use:
    """How a value is used: by which results of operations, and by which reductions before these;
    whether something else than a reduction takes it."""

    results: set[Value] = field(default_factory=set)
    reductions: dict[Node, None] = field(default_factory=dict)
    apart: bool = False


@dataclass
class _Expression:
    """The values in memory that a value is computed of, and all that are computed for it."""

    leaves: dict[Value, None] = field(default_factory=dict)
    inside: dict[Value, None] = field(default_factory=dict)


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
        self._virtual: dict[Value, _Expression] = {}
        self._reduced: dict[int, int] = {}  # by call, how much is read for what it reduces

    def reason(self, value: Value) -> str | None:
        """Why a result gets memory of its own, or None; to be asked in the order of the program."""
        kind, laid_out = value.node.kind, self._is_laid_out(value)
        if kind in _NOT_COMPUTED and not laid_out:
            return "it is made compact" if value.node.op == "compact" else None
        use = self._use(value)
        if value in self._written:
            # It goes where it is written at once, if its own call needs it for other writes alone.
            own = self._calls[value]
            read = use is None or any(
                v not in self._written or self._calls[v] != own for v in use.results
            )
            return "it is read besides being written" if read else None
        if kind != "pointwise" and not laid_out:
            return f"{value.node.op} makes it"
        if value in self._outputs:
            return "it is a result"
        if use is None:
            return f"{self._whole} takes it as a whole"
        if not use.results:
            return "no operation computes with it"
        found = self._expression(value)
        users = {self._calls[user] for user in use.results}
        again = found is not None and enabled("again") and _is_cheap(value, found, len(users))
        if len(users) > 1 and not again:
            return "several operations compute with it"
        if found is None or not found.leaves:
            return "it is not computed point by point"
        if len(found.leaves) > _MOST_LEAVES:
            return "it is computed of many values"
        if not enabled("fusion"):
            return "fusion is switched off"
        if use.reductions and (why := self._against_reducing(value, use, found)):
            return why
        self._virtual[value] = found
        return None

    _whole = ""  # what takes the value as a whole that was asked for last

    def _use(self, value: Value) -> _Use | None:
        """How a value is used; None if something takes it as a whole."""
        use = _Use()
        # Whether it is still as many points, none of them reduced.
        stack, seen = [(value, True)], {(value, True)}
        while stack:
            v, points = stack.pop()
            if v in self._outputs or (v in self._written and v not in self._calls):
                self._whole = "what leaves the program"
                return None
            for node in self._users.get(v, ()):
                if points and node.kind == "reduce" and value.node.op != "compact":
                    use.reductions[node] = None
                elif points and node.kind != "pointwise" and not self._lays_out(v, node):
                    self._whole = node.op
                    return None
                after = points and node.kind != "reduce"
                for result in node.outputs:
                    if result in self._calls:
                        use.results.add(result)
                        use.apart |= after
                    elif (result, after) not in seen:
                        seen.add((result, after))
                        stack.append((result, after))
        return use

    def _is_laid_out(self, value: Value) -> bool:
        """Whether a value is the result of the operation that computes it, in another order of
        axes: what memory it has, if any, is in that order."""
        if value.node.op != "compact" or value.node.inputs[0].node.kind != "permute":
            return False
        return value.node.inputs[0].node.inputs[0] in self._virtual

    def _lays_out(self, value: Value, user: Node) -> bool:
        """Whether what uses a value but gives it another order of axes in memory, or takes it from
        there with the axes as they were."""
        if user.op == "compact":
            return value.node.kind == "permute"
        users = self._users.get(user.outputs[0], ())
        ordered = bool(users) and all(node.op == "compact" for node in users)
        return user.kind == "permute" and (value.node.op == "compact" or ordered)

    def _against_reducing(self, value: Value, use: _Use, found: _Expression) -> str | None:
        """Why a value is not computed where it is reduced, if so."""
        calls = {self._calls[user] for user in use.results}
        reads = {call: self._reduced.get(call, 0) + len(found.leaves) for call in calls}
        if max(reads.values()) > _MOST_REDUCED:
            return "it is reduced, and computed of many values"
        again = use.apart or len(use.reductions) > 1
        if again and sum(map(_arithmetic, found.inside)) > _DEAR:
            return "it is needed more than once"
        # Vectors of mixed sizes would have other lanes than those of float64 alone.
        sizes = {k.item_size(v.dtype) for v in (*found.inside, *found.leaves)}
        double = any(node.outputs[0].dtype == "f64" for node in use.reductions)
        if double and not sizes <= {1, 8}:
            return "it is reduced in float64, and computed of other dtypes"
        if not all(_lies_along(value, node, found) for node in use.reductions):
            return "what is reduced is not computed along its axes"
        self._reduced |= reads
        return None

    def _expression(self, value: Value) -> _Expression | None:
        """What a value is computed of; None if not point by point alone."""
        found = _Expression(inside={value: None})
        stack = [*value.node.inputs]
        while stack:
            v = stack.pop()
            if v in self._virtual:
                found.leaves |= self._virtual[v].leaves
                found.inside |= self._virtual[v].inside
            elif v.node.kind == "permute" and v.node.inputs[0] in self._virtual:
                stack.append(v.node.inputs[0])
            elif v in self._calls or v.node.kind == "input" or _is_reordered(v):
                found.leaves[v] = None
            elif v.node.kind not in _POINT_BY_POINT:
                return None
            elif v not in found.inside:
                found.inside[v] = None
                stack += v.node.inputs
        return found


def _is_reordered(value: Value) -> bool:
    """Whether a value is one that is in memory in another order of axes."""
    return value.node.kind == "permute" and value.node.inputs[0].node.op == "compact"


def _is_cheap(value: Value, found: _Expression, users: int) -> bool:
    """Whether it is cheaper for a few users to compute a value than to write and read it: it is
    little arithmetic on one value that is no larger, and on much smaller ones."""
    size, few = bytes_of(value), users <= _MOST_USERS
    large = [n for n in map(bytes_of, found.leaves) if n > size // _SMALL]
    cheap = sum(map(_arithmetic, found.inside)) <= _DEAR
    return few and cheap and len(large) <= 1 and all(n <= size for n in large)


def _arithmetic(value: Value) -> int:
    """About how much a point takes; functions beyond arithmetic count as ten."""
    node = value.node
    if node.kind != "pointwise":
        return 0
    assert node.primitive is not None
    args = [k.param(i, v.dtype) for i, v in enumerate(node.inputs)]
    made = node.primitive.kernel(*args, **node.attrs)  # type: ignore[misc]
    return sum(10 if n.op in ("math", "rarely") else 1 for n in k.topological([made]) if n.args)


def _lies_along(value: Value, reduction: Node, found: _Expression) -> bool:
    """Whether everything in memory that a value is computed of, and every index, moves along all
    that is reduced, or along nothing of it, in memory's order: else loops over what is reduced
    would not be alike."""
    reduced = {a for a in reduction.attrs["axes"] if not is_unit(value.shape[a])}
    start: Places = tuple(range(len(value.shape)))
    stack, seen = [(value, start)], {(value, start)}
    while stack:
        v, places = stack.pop()
        index = v.node.kind == "iota"
        if v in found.leaves or index:
            axes = [v.node.attrs["axis"]] if index else range(len(v.shape))
            pairs = ((places[a], v.shape[a]) for a in axes)
            moving = {p for p, n in pairs if p is not None and not is_unit(n)}
            turned = v.node.kind in ("permute", "movement") and len(moving) > 1
            if turned or moving & reduced not in (set(), reduced):
                return False
            continue
        inner = inner_mapping(v, places)
        for source in v.node.inputs:
            pair = source, places if inner is None else inner
            if pair not in seen:
                seen.add(pair)
                stack.append(pair)
    return True


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


def placement(graph: Graph, calls: Mapping[Value, int], written: Mapping[int, int]) -> Placement:
    """Where the results of a program's operations are; both kinds in the order of `calls`."""
    found = reasons(graph, calls, written)
    used = {v for node in graph.nodes for v in node.inputs}
    made = (v for v in used if v.node.kind not in _NOT_COMPUTED or v.node.op == "compact")
    computed = {v for v in made if v in calls}
    return Placement(
        {v: call for v, call in calls.items() if v in found},
        {v: call for v, call in calls.items() if v in computed and v not in found},
    )


class Part(NamedTuple):
    """The graph of a part of a step, whose inputs are those of the node, without a predicate.

    results: by output of the node, what it is here. calls: as for `placement`.
    """

    graph: Graph
    results: dict[int, Value]
    calls: dict[Value, int]

    def placement(self, outputs: Sequence[Value]) -> Placement:
        """Where the results are, if all `outputs` are written to memory that is there."""
        kept = Graph(self.graph.inputs, list(outputs))
        return placement(kept, self.calls, {i: i for i in range(len(outputs))})


def program_order(graph: Graph, stored: dict[Value, int]) -> list[Value]:
    """What has to be computed in the order of the program: draws, and what is stored. What one call
    stores comes as eagerly, in the order of its results, for that decides which kernels there are.
    """
    begun: dict[int, int] = {}
    for value, call in stored.items():
        begun[call] = min(value.node.serial, begun.get(call, value.node.serial))
    places = {v: (begun[call], i) for i, (v, call) in enumerate(stored.items())}
    for node in (node for node in graph.nodes if node.draws):
        # All at once, whichever of its results is stored.
        places |= {v: (node.serial, -1) for v in node.outputs if v in places or not v.index}
    return sorted(places, key=lambda v: places[v])
