"""Loops whose number of turns is found as they run, as operations of a graph.

The gradient goes backwards over the turns, and needs the states that each began with. Nobody knows
how many these are, so they are not kept: the loop counts its turns, and the gradient runs them
again. It takes them in stretches of `_STRETCH` turns, the last one first. In a stretch the states
at the beginning of every block of `_BLOCK` turns are kept, then those of each turn of one block
after the other. So memory does not grow with the number of turns; every turn is run three times
more, and of a long loop those before a stretch once for each stretch. Where turns draw random
numbers, the states of the generators are among those of the loop then (`gleed.redrawing`), which
keeps those that it began with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gleed import primitives as p
from gleed.compiler.graph import Graph, Inner, Node, Value
from gleed.compiler.kernel import is_float
from gleed.compiler.stored import Part
from gleed.flow import Body, Chosen, Gradient, branch, for_elements, graph_of
from gleed.loop import BatchedBody, is_zero, kept, loop, row_of, zeros_like
from gleed.primitives import reduce_any, where
from gleed.primitives.core import Batch, Primitive, Types, require, same_shape
from gleed.redrawing import Place, Source, States, drawing
from gleed.trace import Standin, Trace

_BLOCK = 32
_STRETCH = _BLOCK * _BLOCK


def repeat(
    starts: Sequence[Standin],
    constants: Sequence[Standin],
    condition: Body,
    body: Body,
    *,
    counted: bool = True,
) -> tuple[Standin, ...]:
    """The states that are left when `condition(*states, *constants)`, a 0-d bool, is no longer
    true; as long as it is, `body(*states, *constants)` gives the next ones, of the same types.

    counted: whether to count the turns; the gradient, if there is one, need not do so then. There
    is none where `condition` draws random numbers, or `body` does and they are not counted.
    """
    carried = len(starts)
    if counted:
        trace, inputs = starts[0].trace, (*starts, *constants)
        constants = [*constants, *(_state(trace, inputs, k) for k in _drawn(condition, body))]
        starts = [*starts, trace.const(0, "i64")]
        total = carried + len(constants)
        condition, body = _uncounted(condition, carried, total), _counting(body, carried, total)
    primitive = _DRAWING_REPEAT if condition.draws or body.draws else _REPEAT
    found = primitive(*starts, *constants, condition=condition, body=body, carried=len(starts))
    return (found if isinstance(found, tuple) else (found,))[:carried]


def _state(trace: Trace, inputs: Sequence[Standin], source: Place) -> Standin:
    """The state of a generator, before it is drawn from."""
    given = () if source is None else (inputs[source],)
    attrs = {"given": source is not None, "checked": False, "lent": False}
    state: Standin = trace.emit(p.random_state, given, attrs)
    return state


def _drawn(condition: Body, body: Body) -> Sequence[Place]:
    """The generators that a loop draws from."""
    require(not condition.draws, "repeat", "what is decided by is not drawn again", ())
    return drawing(body).sources if body.draws else ()


def _turn(values: Sequence[Value], condition: Body, body: Body, carried: int) -> tuple[Part, Part]:
    """What decides whether there is another turn, and the turn."""
    check, check_calls = graph_of(values, condition)
    turn, calls = graph_of(values, body)
    # What a body gives besides is for a gradient of its own, of which there is none here.
    turn = Graph(turn.inputs, turn.outputs[:carried], turn.kept)
    return Part(check, {}, check_calls), Part(turn, {}, calls)


@kept
def _repeat_types(*values: Value, condition: Body, body: Body, carried: int) -> Types:
    check, turn = _turn(values, condition, body, carried)
    (again,) = check.graph.outputs
    require(again.dtype == "bool" and not again.shape, "repeat", "a 0-d bool", (again,))
    for start, y in zip(values, turn.graph.outputs, strict=False):
        alike = start.dtype == y.dtype and same_shape(start.shape, y.shape)
        require(alike, "repeat", "a state keeps its type", (start, y))
    return [(v.dtype, v.shape) for v in values[:carried]]


# ---- counting turns
@dataclass(frozen=True)
class _Counting:
    """A turn with one state more, behind the `carried` others: the number of turns before."""

    body: Chosen
    carried: int

    @property
    def draws(self) -> bool:
        """Whether it draws random numbers."""
        return self.body.draws

    def __call__(self, *inputs: Standin) -> list[Standin]:
        """The next states and the number of turns."""
        count = inputs[self.carried]
        return [*self.body(*inputs)[: self.carried], p.add(count, count.trace.const(1, "i64"))]


@dataclass(frozen=True)
class _Before:
    """Whether the last of `carried` states, a number of turns, is below the first constant."""

    carried: int
    draws = False

    def __call__(self, *inputs: Standin) -> list[Standin]:
        """Whether there is another turn."""
        return [p.lt(inputs[self.carried - 1], inputs[self.carried])]


def _uncounted(body: Body, carried: int, inputs: int, others: int = 1) -> Chosen:
    """A body with `others` more inputs behind its states."""
    return Chosen(body, (*range(carried), *range(carried + others, inputs + others)))


def _counting(body: Body, carried: int, inputs: int) -> _Counting:
    return _Counting(_uncounted(body, carried, inputs), carried)


def _plain(condition: Body, body: _Counting) -> tuple[Body, Body]:
    """The bodies of a loop that counts its turns, as they were before."""
    assert isinstance(condition, Chosen)
    return condition.body, body.body.body


# ---- the gradient
@dataclass(frozen=True)
class _Turns:
    """The turns of a loop over `body`, which has `carried` states and `inputs` in all, and their
    gradients: `states` are the states that have one, `constants` the other inputs."""

    body: Body
    carried: int
    inputs: int
    states: tuple[int, ...]
    constants: tuple[int, ...]

    @property
    def totals(self) -> int:
        """How many gradients there are."""
        return len(self.states) + len(self.constants)

    def run(
        self, states: Sequence[Standin], first: Standin, last: Standin, constants: Any
    ) -> tuple[Standin, ...]:
        """The states after the turns from `first` to `last`; none where that is not above it."""
        body = _counting(
            _uncounted(self.body, self.carried, self.inputs), self.carried, self.inputs + 1
        )
        states = [*states, first]
        found = repeat(states, [last, *constants], _Before(len(states)), body, counted=False)
        return found[: self.carried]

    def gradient(
        self, totals: Sequence[Standin], states: Sequence[Standin], constants: Sequence[Standin]
    ) -> list[Standin]:
        """The gradients after one turn more, the one that begins with `states`."""
        results = self.body(*states, *constants)
        known = len(self.states)
        first = self.inputs + len(results)
        places = {k: first + i for i, k in enumerate(self.states)}
        wanted = (*self.states, *self.constants)
        inputs = [*states, *constants]
        derived = Gradient(
            self.body,
            self.inputs,
            tuple(range(self.inputs, first)),
            tuple(places.get(k) for k in range(len(results))),
            wanted,
            tuple(tuple(range(inputs[k].ndim)) for k in wanted),
        )
        found = derived(*inputs, *results, *totals[:known])
        sums = (p.add(a, b) for a, b in zip(totals[known:], found[known:], strict=True))
        return [*found[:known], *sums]


@dataclass(frozen=True)
class _Backward:
    """The body that goes back over at most `span` turns: from gradients, states, the first turn and
    that after the last, and constants, to gradients."""

    turns: _Turns
    span: int
    draws = False

    def __call__(self, *inputs: Standin) -> list[Standin]:
        """The gradients before these turns."""
        turns, n = self.turns, self.turns.totals
        totals, states = inputs[:n], inputs[n : n + turns.carried]
        first, last, *constants = inputs[n + turns.carried :]
        if self.span == 1:
            return turns.gradient(totals, states, constants)
        step = self.span // _BLOCK
        numbers = first.trace.iota((_BLOCK,), 0)
        around = [first, last, *constants]
        stacks, _ = loop(_Ahead(turns, step), states, [numbers], around)
        begun = [p.slice(x, axis=0, start=0, step=1, length=_BLOCK) for x in stacks]
        found, _ = loop(_Block(turns, step), totals, [*begun, numbers], around, reverse=True)
        return [row_of(x, 0) for x in found]


def _bounds(number: Standin, step: int, first: Standin, last: Standin) -> tuple[Standin, Standin]:
    """The first turn of a block, and that after its last."""
    size = number.trace.const(step, "i64")
    begin = p.add(first, p.mul(number, size))
    return begin, p.minimum(p.add(begin, size), last)


@dataclass(frozen=True)
class _Ahead:
    """From the states at the beginning of a block of `step` turns to those at its end."""

    turns: _Turns
    step: int

    def __call__(self, *inputs: Standin) -> list[Standin]:
        """The states that the next block begins with."""
        states = inputs[: self.turns.carried]
        number, first, last, *constants = inputs[self.turns.carried :]
        begin, end = _bounds(number, self.step, first, last)
        return [*self.turns.run(states, begin, end, constants)]


@dataclass(frozen=True)
class _Block:
    """Back over a block of `step` turns, if there is a turn in it."""

    turns: _Turns
    step: int

    def __call__(self, *inputs: Standin) -> list[Standin]:
        """The gradients before the block."""
        n = self.turns.totals
        totals, states = inputs[:n], inputs[n : n + self.turns.carried]
        number, first, last, *constants = inputs[n + self.turns.carried :]
        begin, end = _bounds(number, self.step, first, last)
        given = [*totals, *states, begin, end, *constants]
        bodies = _Backward(self.turns, self.step), _Kept(n)
        return [*branch(p.lt(begin, last), given, bodies, n)]


@dataclass(frozen=True)
class _Kept:
    """The body that gives its first inputs."""

    count: int
    draws = False

    def __call__(self, *inputs: Standin) -> list[Standin]:
        """The first inputs."""
        return [p.copy(x) for x in inputs[: self.count]]


@dataclass(frozen=True)
class _Stretch:
    """Back over the last stretch that is left. The states are gradients, and how many turns are
    left; the constants are what the loop began with, and its constants."""

    turns: _Turns
    draws = False

    def __call__(self, *inputs: Standin) -> list[Standin]:
        """The next gradients, and the turns that are left then."""
        turns, n = self.turns, self.turns.totals
        totals, left, rest = inputs[:n], inputs[n], inputs[n + 1 :]
        starts, constants = rest[: turns.carried], rest[turns.carried :]
        zero = left.trace.const(0, "i64")
        first = p.maximum(p.sub(left, left.trace.const(_STRETCH, "i64")), zero)
        states = turns.run(starts, zero, first, constants)
        return [*_Backward(turns, _STRETCH)(*totals, *states, first, left, *constants), first]


@dataclass(frozen=True)
class _SomeLeft:
    """Whether the last of `carried` states is above zero."""

    carried: int
    draws = False

    def __call__(self, *inputs: Standin) -> list[Standin]:
        """Whether there is another turn."""
        left = inputs[self.carried - 1]
        return [p.lt(left.trace.const(0, "i64"), left)]


def _repeat_rule(
    g: Any, y: Any, *inputs: Standin, condition: Body, body: Body, carried: int
) -> tuple[Standin | None, ...]:
    """A loop over the stretches, the last one first."""
    g, y = (g, y) if isinstance(y, tuple) else ((g,), (y,))
    places = [*range(len(inputs))]
    if isinstance(body, _Counting):
        carried -= 1
        count = p.sub(y[carried], inputs[carried])
        body = body.body.body
        del places[carried]
        drawn = _drawn(condition, body)
        if drawn:
            body = drawing(body).redrawing(drawn, carried, carried)
            places[carried:carried] = range(len(inputs) - len(drawn), len(inputs))
            carried += len(drawn)
    else:
        require(not body.draws, "repeat", "turns are counted that are to be drawn again", ())
        counting = _counting(body, carried, len(inputs))
        check = _uncounted(condition, carried, len(inputs))
        starts = [*inputs[:carried], inputs[0].trace.const(0, "i64")]
        count = repeat(starts, inputs[carried:], check, counting, counted=False)[-1]
    total, inputs = len(inputs), tuple(inputs[i] for i in places)
    states = tuple(i for i in range(carried) if is_float(inputs[i].dtype))
    reached = _reached(body, inputs, carried, states)
    turns = _Turns(body, carried, len(inputs), states, reached)
    totals = [zeros_like(inputs[i]) if g[i] is None or is_zero(g[i]) else g[i] for i in states]
    totals += [zeros_like(inputs[i]) for i in reached]
    found = repeat([*totals, count], inputs, _SomeLeft(len(totals) + 1), _Stretch(turns))
    gradients = {places[i]: x for i, x in zip((*states, *reached), found, strict=False)}
    return tuple(map(gradients.get, range(total)))


def _reached(
    body: Body, inputs: Sequence[Standin], carried: int, states: Sequence[int]
) -> tuple[int, ...]:
    """The constants that have a gradient."""
    values = [x.value for x in inputs]
    results = graph_of(values, body)[0].outputs
    first = len(inputs) + len(results)
    places = {k: first + i for i, k in enumerate(states)}
    derived = Gradient(
        body,
        len(inputs),
        tuple(range(len(inputs), first)),
        tuple(places.get(k) for k in range(len(results))),
    ).derive([*values, *results, *(values[k] for k in states)])
    known = derived.gradients
    return tuple(k for k in range(carried, len(inputs)) if known[k] is not None)


# ---- drawing again
def _sources(node: Node) -> list[Source]:
    condition, body, carried = (node.attrs[k] for k in ("condition", "body", "carried"))
    inputs = node.inputs
    if isinstance(body, _Counting):
        condition, body = _plain(condition, body)
        inputs = (*inputs[: carried - 1], *inputs[carried:])
    return [None if k is None else inputs[k] for k in _drawn(condition, body)]


def _redraw(node: Node, values: Sequence[Standin], states: States) -> tuple[Standin, ...]:
    """The states of generators are handed on from turn to turn."""
    condition, body, carried = (node.attrs[k] for k in ("condition", "body", "carried"))
    sources, total, inputs = states.sources(node), len(values), node.inputs
    counted = isinstance(body, _Counting)
    if counted:
        condition, body = _plain(condition, body)
        carried, total = carried - 1, total - 1
        inputs = (*inputs[:carried], *inputs[carried + 1 :])
    count = len(sources)
    body = drawing(body).redrawing(states.places(body, inputs, sources), carried, carried)
    condition = _uncounted(condition, carried, total, count)
    if counted:
        condition = _uncounted(condition, carried + count, total + count)
        body = _counting(body, carried + count, total + count)
    found = _REPEAT(
        *(*values[:carried], *(states[s] for s in sources), *values[carried:]),
        condition=condition,
        body=body,
        carried=carried + count + counted,
    )
    return states.without(found, carried, sources)


# ---- batches
@dataclass(frozen=True)
class _SomeGoOn:
    """The condition of a loop over a batch."""

    condition: BatchedBody

    @property
    def draws(self) -> bool:
        """Whether it draws random numbers."""
        return self.condition.draws

    def __call__(self, *inputs: Standin) -> list[Standin]:
        """Whether some example has a turn left."""
        return [reduce_any(self.condition(*inputs)[0], axes=(0,))]


@dataclass(frozen=True)
class _Going:
    """A turn of a loop over a batch."""

    condition: BatchedBody
    body: BatchedBody

    @property
    def draws(self) -> bool:
        """Whether it draws random numbers."""
        return self.condition.draws or self.body.draws

    def __call__(self, *inputs: Standin) -> list[Standin]:
        """The next states of the examples that go on; the others keep theirs."""
        (going,) = self.condition(*inputs)
        pairs = zip(self.body(*inputs), inputs, strict=False)
        return [where(for_elements(going, y), y, x) for y, x in pairs]


def _repeat_batch(
    primitive: Primitive,
    batch: Batch,
    *inputs: Standin,
    condition: Body,
    body: Body,
    carried: int,
) -> Any:
    """Turns for all, until no example has one left."""
    starts = batch.of(*range(carried)).whole(inputs[:carried])
    mapped = (*(True for _ in starts), *batch.mapped[carried:])
    check, turn = (BatchedBody(b, mapped, batch.randomness) for b in (condition, body))
    return primitive(
        *(*starts, *inputs[carried:]),
        condition=_SomeGoOn(check),
        body=_Going(check, turn),
        carried=carried,
    )


def _repeat_primitive(name: str, pure: bool) -> Primitive:
    def parts(node: Node) -> tuple[Part, Part]:
        return _turn(node.inputs, **node.attrs)

    def inner(node: Node) -> Inner:
        named = zip(("condition", "body"), parts(node), strict=True)
        return {name: [(part.graph, part.calls)] for name, part in named}

    return Primitive(
        *(name, "while", _repeat_types, None, _repeat_rule, _repeat_batch),
        pure=pure,
        attributes={"parts": parts, "inner": inner, "sources": _sources, "redraw": _redraw},
    )


_REPEAT = _repeat_primitive("repeat", pure=True)
_DRAWING_REPEAT = _repeat_primitive("drawing_repeat", pure=False)
