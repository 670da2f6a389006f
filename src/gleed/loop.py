"""A body that runs once for every step of sequences, as one operation of a graph.

`loop(body, starts, sequences, constants)` hands states on from step to step, and gives each turn
its row of every sequence:

    *next_states, *results = body(*states, *rows, *constants)

All states and results are kept, stacked along a new first axis; results that nobody uses take no
memory. The gradient is a loop in the opposite direction, whose body is derived from `body`: it
finds again what `body` returned, and computes what else it needs of it anew, so a body returns what
is dear. Where the gradient of a constant is a matrix product or a sum in every turn, it becomes one
of all turns together, behind the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

from gleed import primitives as p
from gleed.batching import Batching
from gleed.compiler.dims import Dim, Scope, Size, identity
from gleed.compiler.graph import Graph, Inner, Node, Shape, Turns, Value
from gleed.compiler.kernel import is_float
from gleed.gradient import differentiate, substitute
from gleed.primitives.core import Batch, Primitive, Types, require, same_shape
from gleed.primitives.library import product_like, transposed
from gleed.redrawing import Source, States, drawing
from gleed.trace import Standin, Trace, copy_calls, replay

Body = Callable[..., Sequence[Standin]]
Stacks = tuple[Standin, ...]


def loop(
    body: Body,
    starts: Sequence[Standin],
    sequences: Sequence[Standin],
    constants: Sequence[Standin] = (),
    *,
    reverse: bool = False,
) -> tuple[Stacks, Stacks]:
    """Run `body(*states, *rows, *constants)`, which returns the next states and then any results.

    starts: the first states. sequences: one or more, of one length T along their first axis.
    reverse: from the last step to the first. body: hashable, equal to another if it computes the
    same, and closed over no stand-ins. If it draws random numbers, it has an attribute `draws` that
    says so, and its results are all that the gradient needs of them.

    Returns the states, T + 1 of each, in the order of the steps (with `reverse` the start is the
    last), and the results, T of each.
    """
    primitive = DRAWING_LOOP if getattr(body, "draws", False) else LOOP
    found = primitive(
        *starts,
        *sequences,
        *constants,
        body=body,
        carried=len(starts),
        sequences=len(sequences),
        reverse=reverse,
    )
    stacks = found if isinstance(found, tuple) else (found,)
    return stacks[: len(starts)], stacks[len(starts) :]


def trace_for(sizes: Iterable[Size]) -> Trace:
    """A trace that knows these sizes."""
    trace = Trace()
    trace.scope = next((n.scope for n in sizes if isinstance(n, Dim)), None) or Scope()
    return trace


def standin_for(trace: Trace, value: Value, shape: Shape) -> Standin:
    """An input of a part of a step, in the place of `value`; a run-time number stays one."""
    if value.node.op == "param":
        return trace.param(value.node.attrs["key"], value.dtype)
    return trace.input(value.dtype, shape)


def _turns(
    values: Sequence[Value], body: Body, carried: int, sequences: int, reverse: bool
) -> tuple[Turns, dict[Value, int]]:
    """The turns of a loop over `values`: its states, sequences and constants; and the results of
    operations in them."""
    trace = trace_for(n for v in values for n in v.shape)
    rows = range(carried, carried + sequences)
    inputs = [
        standin_for(trace, v, v.shape[1:] if i in rows else v.shape) for i, v in enumerate(values)
    ]
    with trace.active():
        outputs = body(*inputs)
    graph = Graph([x.value for x in inputs], [y.value for y in outputs], trace.draws())
    return Turns(graph, carried, sequences, values[carried].shape[0], reverse), trace.calls


def kept(rule: Callable[..., Types]) -> Callable[..., Types]:
    """A type rule that remembers what it has found, so that bodies in bodies are not traced again
    and again. Whatever a body decides about sizes has been decided the first time."""

    def types(*values: Value, **attrs: Any) -> Types:
        scope = next((n.scope for v in values for n in v.shape if isinstance(n, Dim)), None)
        if scope is None:
            return rule(*values, **attrs)
        inputs = ((v.dtype, v.node.op == "param", *map(identity, v.shape)) for v in values)
        key = (rule, *inputs, *attrs.values())
        if key not in scope.kept:
            scope.kept[key] = rule(*values, **attrs)
        found: Types = scope.kept[key]
        return found

    return types


@kept
def _types(*values: Value, **attrs: Any) -> Types:
    turns, _ = _turns(values, **attrs)
    outputs, carried = turns.graph.outputs, turns.carried
    for start, y in zip(values, outputs[:carried], strict=False):
        alike = start.dtype == y.dtype and same_shape(start.shape, y.shape)
        require(alike, "loop", "a state keeps its type", (start, y))
    return [
        (y.dtype, (turns.count + 1 if i < carried else turns.count, *y.shape))
        for i, y in enumerate(outputs)
    ]


# ---- the gradient
@dataclass(frozen=True)
class Way:
    """How the gradient of a constant comes about: a "product" or a "sum", of all turns behind the
    loop, or a "turn", which adds in the loop.

    parts: what it is computed of: n is result n of the loop, ~n its sequence n. transposed: the
    first factor of a product. axes: of a sum.
    """

    kind: str
    parts: tuple[int, ...]
    transposed: bool = False
    axes: tuple[int, ...] = ()

    def finish(self, x: Standin, results: Stacks, sequences: Sequence[Standin]) -> Standin:
        """The gradient of x, from what all turns have left."""
        first, *rest = (results[i] if i >= 0 else sequences[~i] for i in self.parts)
        if self.kind == "sum":
            return p.reduce_sum(first, axes=(0, *(a + 1 for a in self.axes)))
        (second,) = rest
        count, depth, columns = second.shape
        second = p.reshape(second, shape=(count * depth, columns))
        if self.transposed:
            flat = p.reshape(first, shape=(count * depth, first.shape[2]))
            return product_like(x, transposed(flat), second)
        rows = first.shape[1]
        first = p.reshape(p.permute(first, axes=(1, 0, 2)), shape=(rows, count * depth))
        return product_like(x, first, second)


@dataclass(frozen=True)
class Derived:
    """The gradient of one turn as a graph: first the cotangents of its states, then results; by row
    and by constant how their gradients come of these (None: zero)."""

    graph: Graph
    rows: tuple[int | None, ...]
    constants: tuple[Way | None, ...]
    calls: dict[Value, int]

    @property
    def adding(self) -> list[Way]:
        """The gradients that add in the loop."""
        return [way for way in self.constants if way is not None and way.kind == "turn"]


@dataclass(frozen=True)
class Backward:
    """The body of the loop that is the gradient of a loop over `body`.

    Its states are the cotangents of the states, then `sums`, gradients of constants. Its sequences
    are what the turns began with (states, rows), what they ended with (states, results), and those
    cotangents of the latter that are `given`.
    """

    body: Body
    carried: int
    sequences: int
    results: int
    given: tuple[bool, ...]
    sums: int = 0

    def __call__(self, *inputs: Standin) -> list[Standin]:
        """One turn: the cotangents of its first states, the sums, the results."""
        n = self.carried
        sums, inputs = inputs[n : n + self.sums], (*inputs[:n], *inputs[n + self.sums :])
        derived = self.derive([(x.dtype, x.shape) for x in inputs])
        seen = partial(copy_calls, derived.calls, inputs[0].trace)
        made = replay(inputs[0].trace, derived.graph, inputs, seen=seen)
        parts = (made[n + way.parts[0]] for way in derived.adding)
        return [*made[:n], *(a + b for a, b in zip(sums, parts, strict=False)), *made[n:]]

    def derive(self, types: Types) -> Derived:
        """The gradient of one turn whose inputs, without the sums, have these types."""
        trace = trace_for(n for _, shape in types for n in shape)
        inputs = iter([trace.input(*t) for t in types])
        totals, before = list(islice(inputs, self.carried)), list(islice(inputs, self.carried))
        rows = list(islice(inputs, self.sequences))
        after = list(islice(inputs, self.carried + self.results))
        given = [next(inputs) if known else None for known in self.given]
        constants = list(inputs)
        trace.tape = {}
        with trace.active():
            outputs = list(self.body(*before, *rows, *constants))
            cotangents: list[Standin | None] = [
                total if g is None else total + g for total, g in zip(totals, given, strict=False)
            ]
            cotangents += given[self.carried :]
            sources = [*before, *rows, *constants]
            gradients = gradients_of(trace, outputs, cotangents, sources)
            for i, x in enumerate(before):
                gradients[i] = zeros_like(x) if gradients[i] is None else gradients[i]
        known = {y.value: x.value for y, x in zip(outputs, after, strict=True)}
        made = iter(substitute([g.value for g in gradients if g is not None], known))
        values = [None if g is None else next(made) for g in gradients]
        for old, new in known.items():
            if old in trace.calls:
                trace.calls.setdefault(new, trace.calls[old])
        derived = _collect(trace.inputs, values, self.carried, self.sequences, len(constants))
        return replace(derived, calls=trace.calls)


def gradients_of(
    trace: Trace,
    outputs: Sequence[Standin],
    cotangents: Sequence[Standin | None],
    sources: Sequence[Standin],
) -> list[Standin | None]:
    """As `differentiate`, where some sources are no real numbers."""
    real = [x for x in sources if is_float(x.dtype)]
    found = iter(differentiate(trace, outputs, cotangents, real))
    return [next(found) if is_float(x.dtype) else None for x in sources]


def _collect(
    inputs: list[Value],
    gradients: Sequence[Value | None],
    carried: int,
    sequences: int,
    constants: int,
) -> Derived:
    """Sort the gradients of one turn; `inputs` are those of the derived loop."""
    states = [v for v in gradients[:carried] if v is not None]
    results: dict[Value, int] = {}
    place = {v: ~i for i, v in enumerate(inputs[carried : -constants or None])}

    def kept(value: Value) -> int:
        return place[value] if value in place else results.setdefault(value, len(results))

    rows = tuple(
        None if v is None else results.setdefault(v, len(results))
        for v in gradients[carried : carried + sequences]
    )
    ways: list[Way | None] = []
    for value in gradients[carried + sequences :]:
        node = None if value is None else value.node
        if value is None or node is None:
            ways.append(None)
        elif node.op == "matmul" and len(value.shape) == 2:
            a, b = node.inputs
            turned = a.node.op == "permute"
            parts = kept(a.node.inputs[0] if turned else a), kept(b)
            ways.append(Way("product", parts, transposed=turned))
        elif node.op == "reduce_sum":
            ways.append(Way("sum", (kept(node.inputs[0]),), axes=node.attrs["axes"]))
        else:
            ways.append(Way("turn", (results.setdefault(value, len(results)),)))
    return Derived(Graph(inputs, [*states, *results]), rows, tuple(ways), {})


def _rule(
    g: Any, y: Any, *inputs: Standin, body: Body, carried: int, sequences: int, reverse: bool
) -> tuple[Standin | None, ...]:
    """The loop backwards."""
    g, y = (g, y) if isinstance(y, tuple) else ((g,), (y,))
    starts, rows = inputs[:carried], inputs[carried : carried + sequences]
    constants = inputs[carried + sequences :]
    count = rows[0].shape[0]

    def begun(states: Standin) -> Standin:
        return p.slice(states, axis=0, start=1 if reverse else 0, step=1, length=count)

    def ended(states: Standin) -> Standin:
        return p.slice(states, axis=0, start=0 if reverse else 1, step=1, length=count)

    cotangents = [None if x is None or is_zero(x) else x for x in g]
    given = [x if x is None or i >= carried else ended(x) for i, x in enumerate(cotangents)]
    states, results = y[:carried], y[carried:]
    backward = Backward(body, carried, sequences, len(results), tuple(x is not None for x in given))
    stacks = [*map(begun, states), *rows, *map(ended, states), *results]
    stacks += [x for x in given if x is not None]
    zeros = [zeros_like(x) for x in starts]
    derived = backward.derive(
        [(x.dtype, x.shape) for x in zeros]
        + [(x.dtype, x.shape[1:]) for x in stacks]
        + [(x.dtype, x.shape) for x in constants]
    )
    used = {v for node in derived.graph.nodes for v in node.inputs} | set(derived.graph.outputs)
    needed = [v in used for v in derived.graph.inputs[carried:]]
    sums = [
        zeros_like(x)
        for x, way in zip(constants, derived.constants, strict=True)
        if way is not None and way.kind == "turn"
    ]
    backward_states, found = loop(
        replace(backward, sums=len(sums)),
        [*zeros, *sums],
        # Only the type matters of what the gradient does not read; the memory need not be kept.
        [x if use else zeros_like(x) for x, use in zip(stacks, needed, strict=False)],
        constants,
        reverse=not reverse,
    )
    last = [row_of(x, count if reverse else 0) for x in backward_states]
    totals = iter(last[carried:])
    first = [
        x if c is None else x + row_of(c, count if reverse else 0)
        for x, c in zip(last, cotangents[:carried], strict=False)
    ]
    of_rows = [None if i is None else found[i] for i in derived.rows]
    of_constants = [
        None
        if way is None
        else next(totals)
        if way.kind == "turn"
        else way.finish(x, found, stacks)
        for x, way in zip(constants, derived.constants, strict=True)
    ]
    return (*first, *of_rows, *of_constants)


def row_of(x: Standin, index: Size) -> Standin:
    """x[index]."""
    row = p.slice(x, axis=0, start=index, step=1, length=1)
    return p.reshape(row, shape=x.shape[1:])


def zeros_like(x: Standin) -> Standin:
    """Zeros of the dtype and shape of x."""
    return x.trace.full(x.shape, False if x.dtype == "bool" else 0, x.dtype)


def is_zero(x: Standin) -> bool:
    """Whether a cotangent is one that `differentiate` has filled in."""
    node = x.value.node
    node = node.inputs[0].node if node.op == "broadcast" else node
    return node.op == "const" and node.attrs["key"] == 0


# ---- batches
@dataclass(frozen=True)
class BatchedBody:
    """A body over a batch of what `body` is for; `mapped` are the inputs that have an axis for the
    examples, one of them at least, and so have all outputs."""

    body: Body
    mapped: tuple[bool, ...]
    randomness: str

    @property
    def draws(self) -> bool:
        """Whether it draws random numbers."""
        return getattr(self.body, "draws", False)

    def __call__(self, *inputs: Standin) -> list[Standin]:
        """The outputs for some inputs, for all examples."""
        pairs = list(zip(inputs, self.mapped, strict=True))
        example = trace_for(n for x in inputs for n in x.shape)
        given = [standin_for(example, x.value, x.shape[1:] if m else x.shape) for x, m in pairs]
        with example.active():
            outputs = [y.value for y in self.body(*given)]
        size = inputs[self.mapped.index(True)].shape[0]
        batching = Batching(Trace.current(), size, self.randomness)
        for one, (x, mapped) in zip(given, pairs, strict=True):
            batching.give(one.value, x, mapped=mapped)
        return batching.whole(outputs)


def _batch(
    primitive: Primitive, batch: Batch, *inputs: Standin, body: Body, carried: int, **attrs: Any
) -> tuple[Standin, ...]:
    """All states are mapped; sequences and constants may be."""
    rows = range(carried, carried + attrs["sequences"])
    starts = batch.of(*range(carried)).whole(inputs[:carried])
    others = [
        _exchanged(x) if i in rows and batch.mapped[i] else x
        for i, x in enumerate(inputs[carried:], carried)
    ]
    mapped = (*(True for _ in starts), *batch.mapped[carried:])
    turn = BatchedBody(body, mapped, batch.randomness)
    found = primitive(*starts, *others, body=turn, carried=carried, **attrs)
    return tuple(map(_exchanged, found if isinstance(found, tuple) else (found,)))


def _exchanged(x: Standin) -> Standin:
    """The first two axes, turns and examples, exchanged."""
    return p.permute(x, axes=(1, 0, *range(2, x.ndim)))


# ---- drawing again
def _sources(node: Node) -> list[Source]:
    places = drawing(node.attrs["body"]).sources
    return [None if k is None else node.inputs[k] for k in places]


def _redraw(node: Node, values: Sequence[Standin], states: States) -> tuple[Standin, ...]:
    """The states of generators are handed on from turn to turn."""
    sources, carried, body = states.sources(node), node.attrs["carried"], node.attrs["body"]
    places = states.places(body, node.inputs, sources)
    attrs = node.attrs | {
        "body": drawing(body).redrawing(places, carried, carried),
        "carried": carried + len(sources),
    }
    starts = (states[s] for s in sources)
    found = LOOP(*values[:carried], *starts, *values[carried:], **attrs)
    made = states.without(found, carried, sources)
    for source in sources:
        last = 0 if attrs["reverse"] else values[carried].shape[0]
        states[source] = row_of(states[source], last)
    return made


def _loop_primitive(name: str, pure: bool) -> Primitive:
    def turns(node: Node) -> Turns:
        return _turns(node.inputs, **node.attrs)[0]

    def inner(node: Node) -> Inner:
        made, calls = _turns(node.inputs, **node.attrs)
        return {"body": [(made.graph, calls)]}

    attributes = {"turns": turns, "inner": inner, "sources": _sources, "redraw": _redraw}
    return Primitive(name, "loop", _types, None, _rule, _batch, pure=pure, attributes=attributes)


LOOP = _loop_primitive("loop", pure=True)
DRAWING_LOOP = _loop_primitive("drawing_loop", pure=False)
