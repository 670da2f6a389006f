"""Branches as operations of a graph.

What a branch computes is a *body*, as in `gleed.loop`: called with stand-ins it gives its outputs.
It is hashable, equal to another if it computes the same, closed over no stand-ins, and says in
`draws` whether it draws random numbers.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from gleed.compiler.graph import Graph, Inner, Node, Value
from gleed.compiler.stored import Part
from gleed.gradient import substitute
from gleed.loop import (
    BatchedBody,
    gradients_of,
    is_zero,
    kept,
    standin_for,
    trace_for,
    zeros_like,
)
from gleed.primitives import broadcast, permute, where
from gleed.primitives.core import Batch, Primitive, Types, require, same_shape
from gleed.primitives.movement import inverse
from gleed.redrawing import ELSEWHERE, Place, Source, States, distinct, drawing
from gleed.trace import Standin, Trace, copy_calls, replay


class Body(Hashable, Protocol):
    """What a part of an operation computes."""

    @property
    def draws(self) -> bool:
        """Whether it draws random numbers."""

    def __call__(self, *inputs: Standin) -> Sequence[Standin]:
        """The outputs for some inputs."""


@dataclass(frozen=True)
class Chosen:
    """A body that is given some of the inputs of an operation."""

    body: Body
    places: tuple[int, ...]

    @property
    def draws(self) -> bool:
        """Whether it draws random numbers."""
        return self.body.draws

    @property
    def sources(self) -> list[Place]:
        """The generators that it draws from."""
        return [None if k is None else self.places[k] for k in drawing(self.body).sources]

    def redrawing(self, sources: Sequence[Place], at: int, first: int) -> Chosen:
        """The body that draws from states; see `Drawing`."""
        where = {place: k for k, place in enumerate(self.places)}
        own = [None if k is None else where.get(k, ELSEWHERE) for k in sources]
        count = len(sources)
        places = [k + count if k >= first else k for k in self.places]
        return Chosen(
            drawing(self.body).redrawing(own, at, len(places)),
            (*places, *range(first, first + count)),
        )

    def __call__(self, *inputs: Standin) -> Sequence[Standin]:
        """The outputs for some inputs."""
        return self.body(*(inputs[i] for i in self.places))


def graph_of(values: Sequence[Value], body: Body) -> tuple[Graph, dict[Value, int]]:
    """What a body computes of values like these, and its results of operations."""
    trace = trace_for(n for v in values for n in v.shape)
    with trace.active():
        inputs = [standin_for(trace, v, v.shape) for v in values]
        outputs = body(*inputs)
    values = [x.value for x in inputs]
    return Graph(values, [y.value for y in outputs], trace.draws()), trace.calls


def branch(
    predicate: Standin, inputs: Sequence[Standin], bodies: tuple[Body, Body], results: int
) -> tuple[Standin, ...]:
    """The first `results` outputs of the first body where `predicate`, a 0-d bool, is true, else
    those of the second; they are of the same types.

    What else a body gives is for its gradient: each has outputs of its own for these, which nobody
    writes where the other body runs.
    """
    primitive = _DRAWING_BRANCH if any(body.draws for body in bodies) else _BRANCH
    found = primitive(predicate, *inputs, bodies=bodies, results=results)
    return (found if isinstance(found, tuple) else (found,))[:results]


def _ways(values: Sequence[Value], bodies: tuple[Body, Body], results: int) -> list[Part]:
    """The two parts of a branch over `values`, which has first results, then what each keeps."""
    parts: list[Part] = []
    first = results
    for body in bodies:
        graph, calls = graph_of(values[1:], body)
        kept = len(graph.outputs) - results
        places = [*range(results), *range(first, first + kept)]
        parts.append(Part(graph, dict(zip(places, graph.outputs, strict=True)), calls))
        first += kept
    return parts


@kept
def _branch_types(*values: Value, bodies: tuple[Body, Body], results: int) -> Types:
    one, other = _ways(values, bodies, results)
    for i in range(results):
        x, y = one.results[i], other.results[i]
        alike = x.dtype == y.dtype and same_shape(x.shape, y.shape)
        require(alike, "branch", "both give the same types", (x, y))
    found = one.results | other.results
    return [(found[i].dtype, found[i].shape) for i in range(len(found))]


@dataclass(frozen=True)
class Gradient:
    """The body that is the gradient of `body`.

    Of its inputs the first are those of `body`; `outputs` are the places of what that returned,
    `cotangents` those of the cotangents (None: zero). Its outputs are the gradients of the inputs
    `wanted`, their axes in the `orders` of these.
    """

    body: Body
    inputs: int
    outputs: tuple[int, ...]
    cotangents: tuple[int | None, ...]
    wanted: tuple[int, ...] = ()
    orders: tuple[tuple[int, ...], ...] = ()
    draws = False

    def __call__(self, *inputs: Standin) -> list[Standin]:
        """The gradients; zeros where there is none."""
        trace, derived = Trace.current(), self.derive([x.value for x in inputs])
        known = [i for i in self.wanted if derived.gradients[i] is not None]
        outputs = [v for i in known if (v := derived.gradients[i]) is not None]
        # Computed there once more, so that a gradient of it can follow these steps.
        found = replay(
            trace,
            Graph(derived.inputs, outputs),
            inputs,
            seen=partial(copy_calls, derived.calls, trace),
        )
        made = dict(zip(known, found, strict=True))
        gradients = (made[i] if i in made else zeros_like(inputs[i]) for i in self.wanted)
        return [_turned(g, axes) for g, axes in zip(gradients, self.orders, strict=True)]

    def derive(self, values: Sequence[Value]) -> _Derived:
        """The gradient of every input of `body`, where the inputs are like `values`."""
        trace = trace_for(n for v in values for n in v.shape)
        trace.tape = {}
        with trace.active():
            inputs = [standin_for(trace, v, v.shape) for v in values]
            outputs = list(self.body(*inputs[: self.inputs]))
            cotangents = [None if i is None else inputs[i] for i in self.cotangents]
            found = gradients_of(trace, outputs, cotangents, inputs[: self.inputs])
        known = {y.value: inputs[i].value for y, i in zip(outputs, self.outputs, strict=True)}
        made = iter(substitute([g.value for g in found if g is not None], known))
        for old, new in known.items():
            if old in trace.calls:
                trace.calls.setdefault(new, trace.calls[old])
        gradients = [None if g is None else next(made) for g in found]
        return _Derived([x.value for x in inputs], gradients, trace.calls)


@dataclass(frozen=True)
class _Derived:
    """The gradient of a body as values of a graph with these inputs; None: zero."""

    inputs: list[Value]
    gradients: list[Value | None]
    calls: dict[Value, int]


def _branch_rule(
    g: Any,
    y: Any,
    predicate: Standin,
    *inputs: Standin,
    bodies: tuple[Body, Body],
    results: int,
) -> tuple[Standin | None, ...]:
    """A branch over the gradients of both bodies."""
    g, y = (g, y) if isinstance(y, tuple) else ((g,), (y,))
    values = [predicate.value, *(x.value for x in inputs)]
    given = [i for i, x in enumerate(g) if x is not None and not is_zero(x)]
    where = {i: len(inputs) + len(y) + k for k, i in enumerate(given)}
    everything = [*inputs, *y, *(g[i] for i in given)]
    gradients: list[Gradient] = []
    for body, part in zip(bodies, _ways(values, bodies, results), strict=True):
        outputs = tuple(len(inputs) + i for i in part.results)
        gradients.append(Gradient(body, len(inputs), outputs, tuple(map(where.get, part.results))))
    orders, needed = _needs([x.value for x in everything], gradients)
    if not orders:
        return (None,) * (1 + len(inputs))
    wanted = tuple(orders)
    found = branch(
        predicate,
        # Only the type matters of what no gradient reads; the memory need not be kept.
        [x if i in needed else zeros_like(x) for i, x in enumerate(everything)],
        tuple(  # type: ignore[arg-type]
            replace(b, wanted=wanted, orders=tuple(orders.values())) for b in gradients
        ),
        len(wanted),
    )
    by_input = {i: permute(x, axes=inverse(orders[i])) for i, x in zip(wanted, found, strict=True)}
    return None, *(by_input.get(i) for i in range(len(inputs)))


def _needs(
    values: Sequence[Value], bodies: Sequence[Gradient]
) -> tuple[dict[int, tuple[int, ...]], set[int]]:
    """The inputs that have a gradient in some body, with the order of its axes in memory, and which
    inputs are read for these."""
    orders: dict[int, tuple[int, ...]] = {}
    needed = {i for i, v in enumerate(values) if v.node.op in ("param", "const", "dim")}
    for body in bodies:
        derived = body.derive(values)
        outputs = {i: v for i, v in enumerate(derived.gradients) if v is not None}
        for i, v in outputs.items():
            orders.setdefault(i, _order(v))
        nodes = Graph([], list(outputs.values())).nodes
        used = {v for node in nodes for v in node.inputs} | set(outputs.values())
        needed |= {i for i, v in enumerate(derived.inputs) if v in used}
    return dict(sorted(orders.items())), needed


def _order(value: Value) -> tuple[int, ...]:
    """The order of a value's axes in memory, as it was noted when the body ran."""
    node = value.node
    if node.op == "permute" and node.inputs[0].node.op == "compact":
        return inverse(node.attrs["axes"])
    return tuple(range(len(value.shape)))


def _turned(x: Standin, axes: tuple[int, ...]) -> Standin:
    return x if axes == tuple(range(x.ndim)) else permute(x, axes=axes)


def _branch_batch(
    primitive: Primitive,
    batch: Batch,
    predicate: Standin,
    *inputs: Standin,
    bodies: tuple[Body, Body],
    results: int,
) -> tuple[Standin, ...]:
    """One way for all if they share the predicate; else both, and every example takes its own."""
    mapped = batch.mapped[1:]
    draws = any(body.draws for body in bodies)
    require(
        any(mapped) or not draws, "branch", "draws for each need what is mapped", [predicate.value]
    )
    ways = [BatchedBody(body, mapped, batch.randomness) for body in bodies]
    if not batch.mapped[0]:
        found = primitive(predicate, *inputs, bodies=tuple(ways), results=results)
        return found if isinstance(found, tuple) else (found,)
    with batch.trace.active():
        if any(mapped):
            one, other = (way(*inputs) for way in ways)
        else:
            one, other = ([batch.repeated(y) for y in body(*inputs)] for body in bodies)
    pairs = zip(one[:results], other, strict=False)
    chosen = (where(for_elements(predicate, a), a, b) for a, b in pairs)
    return (*chosen, *one[results:], *other[results:])


# ---- drawing again
def _branch_sources(node: Node) -> list[Source]:
    bodies = (drawing(body) for body in node.attrs["bodies"] if body.draws)
    return distinct(
        node.inputs[1 + k] if k is not None else None for b in bodies for k in b.sources
    )


def _branch_redraw(node: Node, values: Sequence[Standin], states: States) -> tuple[Standin, ...]:
    sources, results, inputs = states.sources(node), node.attrs["results"], node.inputs[1:]
    bodies = tuple(
        drawing(body).redrawing(states.places(body, inputs, sources), results, len(inputs))
        for body in node.attrs["bodies"]
    )
    given = [*values, *(states[s] for s in sources)]
    found = _BRANCH(*given, bodies=bodies, results=results + len(sources))
    return states.without(found, results, sources)


def for_elements(x: Standin, like: Standin) -> Standin:
    """Something of every example, for each of its elements."""
    return broadcast(x, shape=like.shape, axes=(0,))


def _branch_primitive(name: str, pure: bool) -> Primitive:
    def parts(node: Node) -> list[Part]:
        return _ways(node.inputs, **node.attrs)

    def inner(node: Node) -> Inner:
        return {"bodies": [(part.graph, part.calls) for part in parts(node)]}

    return Primitive(
        *(name, "branch", _branch_types, None, _branch_rule, _branch_batch),
        pure=pure,
        attributes={
            "parts": parts,
            "inner": inner,
            "sources": _branch_sources,
            "redraw": _branch_redraw,
        },
    )


_BRANCH = _branch_primitive("branch", pure=True)
_DRAWING_BRANCH = _branch_primitive("drawing_branch", pure=False)
