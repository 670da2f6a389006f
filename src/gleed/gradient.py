"""The gradient of a traced program, derived from its tape.

`differentiate` walks the tape backwards and adds the gradient's nodes to the same trace.
`Partition` then splits what the gradient needs of the forward values into what is saved and what is
cheap enough to be computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gleed.compiler.dims import identity
from gleed.compiler.graph import Node, Value
from gleed.compiler.kernel import HALVES, is_float
from gleed.primitives import add, cast, concat, insert
from gleed.trace import Entry, Standin, Trace

# Kinds of nodes that a backward computes again from their operands instead of having them saved.
CHEAP = ("pointwise", "broadcast", "permute", "reshape", "iota", "movement")


def differentiate(
    trace: Trace,
    outputs: Sequence[Standin],
    cotangents: Sequence[Standin | None],
    sources: Sequence[Standin],
) -> list[Standin | None]:
    """One gradient per source (`None`: the outputs do not depend on it)."""
    assert trace.tape is not None
    entries = list(trace.tape.values())
    active = {s.value for s in sources}
    for entry in entries:
        if any(isinstance(x, Standin) and x.value in active for x in _flat(entry.inputs)):
            active.update(y.value for y in entry.outputs if is_float(y.dtype))
    with trace.active(), trace.untaped():
        total: dict[Value, Standin] = {}
        for y, g in zip(outputs, cotangents, strict=True):
            if g is not None:
                _accumulate(total, y, g)
        for entry in reversed(entries):
            if any(y.value in active and y.value in total for y in entry.outputs):
                _step_back(entry, total, active)
        return [total.get(s.value) for s in sources]


def _step_back(entry: Entry, total: dict[Value, Standin], active: set[Value]) -> None:
    """Pass the cotangents of an entry's outputs on to its inputs."""
    if entry.rule is None:
        raise NotImplementedError(f"{entry.name}: no gradient is defined for it")
    given = [total.get(y.value) for y in entry.outputs]
    filled = tuple(
        y.trace.full(y.shape, 0, y.dtype) if g is None and is_float(y.dtype) else g
        for g, y in zip(given, entry.outputs, strict=True)
    )
    single = len(filled) == 1
    inputs = entry.inputs
    grads = entry.rule(
        filled[0] if single else filled,
        entry.outputs[0] if single else entry.outputs,
        *inputs,
        **entry.attrs,
    )
    grads = grads if isinstance(grads, tuple) else (grads,)
    for x, g in zip(_flat(inputs), _flat(grads), strict=False):
        if g is not None and isinstance(x, Standin) and x.value in active:
            _accumulate(total, x, cast(g, dtype=x.dtype))


def _flat(items: Sequence[Any]) -> list[Any]:
    """Arguments with lists of tensors opened up."""
    flat: list[Any] = []
    for item in items:
        flat.extend(item) if isinstance(item, list | tuple) else flat.append(item)
    return flat


def _accumulate(total: dict[Value, Standin], x: Standin, g: Standin) -> None:
    known = total.get(x.value)
    if known is not None:
        joined = _joined(known, g)
        # The primitive, for the op would decide about sizes that a backward does not know.
        g = add(known, g) if joined is None else joined
    total[x.value] = g


def _joined(a: Standin, b: Standin) -> Standin | None:
    """a + b, where each is zero but for a part of an axis, and the parts lie side by side, as do
    the gradients of what a tensor was split into; else None."""
    first, second = _part(a), _part(b)
    if first is None or second is None or first.axis != second.axis:
        return None
    if first.start > second.start:
        first, second = second, first
    if first.stop != second.start:
        return None
    both = concat(*first.pieces, *second.pieces, axis=first.axis)
    where = {"axis": first.axis, "start": first.start, "step": 1}
    attrs = (*where.items(), ("length", second.stop - first.start))
    zeros = a.trace.full(a.shape, 0, a.dtype)
    return insert(zeros, both, movement="slice", attrs=attrs)


@dataclass(frozen=True)
class _Part:
    """What of an axis is not zero, and what is there, one after another."""

    axis: int
    start: int
    stop: int
    pieces: list[Standin]


def _part(g: Standin) -> _Part | None:
    """The part in which a gradient is not zero, if it was made so and its sizes are known."""
    node = g.value.node
    if node.op != "insert" or node.attrs["movement"] != "slice":
        return None
    base, piece = node.inputs
    where = dict(node.attrs["attrs"])
    start, length, axis = where["start"], where["length"], where["axis"]
    known = isinstance(start, int) and isinstance(length, int) and where["step"] == 1
    if not known or base.node.op != "broadcast" or base.node.inputs[0].node.attrs.get("key") != 0:
        return None
    inner = piece.node
    joined = inner.op == "concat" and inner.attrs["axis"] == axis
    pieces = [Standin(g.trace, v) for v in (inner.inputs if joined else (piece,))]
    sizes = zip(piece.shape, g.shape, strict=True)
    if any(identity(n) != identity(m) for a, (n, m) in enumerate(sizes) if a != axis):
        return None
    return _Part(axis, start, start + length, pieces)


def substitute(values: Sequence[Value], made: dict[Value, Value]) -> list[Value]:
    """The same values computed from others; copies are added to `made`, and made in the order of
    what they are copies of."""

    def now(value: Value) -> Value:
        return made.get(value, value)

    pending = [v.node for v in values if v not in made]
    for node in sorted(_topological_until(pending, made), key=lambda node: node.serial):
        inputs = tuple(now(v) for v in node.inputs)
        if inputs != node.inputs:
            types = [(v.dtype, v.shape) for v in node.outputs]
            copy = Node(node.op, node.primitive, inputs, node.attrs, types)
            copy.looped = node.looped
            for v, w in zip(node.outputs, copy.outputs, strict=True):
                made.setdefault(v, w)
    return [now(v) for v in values]


def _topological_until(roots: Sequence[Node], stop: dict[Value, Value]) -> list[Node]:
    """As `topological`, not going beyond values in `stop`."""
    order: dict[Node, None] = {}
    stack = list(roots)[::-1]
    while stack:
        node = stack[-1]
        pending = [v.node for v in node.inputs if v not in stop and v.node not in order]
        if node in order or not pending:
            order[stack.pop()] = None
        else:
            stack.extend(reversed(pending))
    return list(order)


class Partition:
    """What a gradient program takes over from the forward one."""

    def __init__(self, inputs: Sequence[Value], outputs: Sequence[Value]) -> None:
        self.inputs, self.outputs = list(inputs), list(outputs)
        self.residuals: list[Value] = []
        self.saved: list[Value] = []
        self._forward: set[Node] = set()

    def close(self, forward: set[Node], gradients: Sequence[Value], starts: set[Value]) -> bool:
        """Find what `gradients` need of the nodes in `forward`; whether residuals were added.

        `starts` are the cotangents, which are given.
        """
        self._forward = forward
        found = len(self.residuals)
        seen: set[Value] = set()
        stack = list(gradients)
        while stack:
            value = stack.pop()
            if value in seen or value in starts:
                continue
            seen.add(value)
            if self._is_saved(value):
                continue
            stack.extend(value.node.inputs)
        return len(self.residuals) > found

    def save_leaves(self, gradients: Sequence[Value], starts: set[Value]) -> None:
        """Save what `gradients` need beside that and cannot be computed again: inputs and draws."""
        stack, seen = list(gradients), {*starts, *self.saved}
        while stack:
            value = stack.pop()
            if value in seen:
                continue
            seen.add(value)
            node = value.node
            if not ((node.draws or node.op == "input") and self._is_saved(value)):
                stack.extend(node.inputs)

    def _is_saved(self, value: Value) -> bool:
        """Whether the value is kept from the forward program (and note it)."""
        if value in self.saved:
            return True
        node = value.node
        if node.op in ("param", "const", "dim"):
            return True
        if node not in self._forward and node.op != "input":
            return False
        if value not in self.inputs and value not in self.outputs:
            if node.kind in CHEAP and not _loses_digits(value):
                return False
            if value not in self.residuals:
                self.residuals.append(value)
        self.saved.append(value)
        return True


def _loses_digits(value: Value) -> bool:
    """Whether a 16-bit result, computed again from what is kept of it, would be another: a kernel
    has more digits of a sum inside it than memory."""
    if value.node.op != "rounded":
        return False
    stack = [*value.node.inputs]
    while stack:
        node = stack.pop().node
        if node.kind in ("reduce", "scan") and node.outputs[0].dtype in HALVES:
            return True
        if node.kind in CHEAP and node.op != "rounded":
            stack.extend(node.inputs)
    return False
