"""Drawing the same random numbers again.

A gradient that runs a body once more must meet the numbers of the first time, and leave generators
alone. So the body is rewritten: it draws from states of generators, which are among its inputs, and
gives the states afterwards with its results. Nothing that it computes then depends on when it runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, cast

from gleed.compiler.graph import Graph, Node, Value
from gleed.primitives.core import require
from gleed.trace import Standin, Trace, replay

Source = Value | None  # a generator: a run-time number, or None, the default one
Place = int | None  # the same, by its place among the inputs of a body

ELSEWHERE = -1  # the place of a generator that is not among the inputs of a body


class Drawing(Protocol):
    """A body whose random numbers can be drawn again."""

    @property
    def sources(self) -> Sequence[Place]:
        """The generators that it draws from."""

    def redrawing(self, sources: Sequence[Place], at: int, first: int) -> Any:
        """The body that draws from states of `sources`. They are its inputs from number `first` on;
        the states afterwards are its outputs from number `at` on."""


def drawing(body: Any) -> Drawing:
    """A body as one whose numbers can be drawn again."""
    require(hasattr(body, "redrawing"), "body", "its numbers cannot be drawn again", ())
    return cast(Drawing, body)


class States:
    """The states of generators while a graph is drawn again. `default`: a number in it that stands
    for the default generator."""

    def __init__(self, now: Mapping[Source, Standin], default: Value | None = None) -> None:
        self._now, self._default = dict(now), default

    def source(self, source: Source) -> Source:
        """The one name that a generator has here."""
        return None if source is self._default else source

    def __getitem__(self, source: Source) -> Standin:
        return self._now[self.source(source)]

    def __setitem__(self, source: Source, state: Standin) -> None:
        self._now[self.source(source)] = state

    def sources(self, node: Node) -> list[Source]:
        """The generators that a node draws from, each once."""
        return distinct(map(self.source, node_sources(node)))

    def places(self, body: Any, inputs: Sequence[Value], sources: Sequence[Source]) -> list[Place]:
        """Where generators are among the inputs of a body."""
        own = {self.source(None if k is None else inputs[k]): k for k in drawing(body).sources}
        return [own.get(s, ELSEWHERE) for s in sources]

    def without(
        self, found: Sequence[Standin], at: int, sources: Sequence[Source]
    ) -> tuple[Standin, ...]:
        """What an operation gives that has drawn again, without the states from number `at` on,
        which are those of the sources now."""
        end = at + len(sources)
        for source, state in zip(sources, found[at:end], strict=True):
            self[source] = state
        return (*found[:at], *found[end:])


def sources_of(graph: Graph) -> list[Source]:
    """The generators that a graph draws from, by all their names."""
    drawing = sorted((n for n in graph.nodes if n.draws), key=lambda node: node.serial)
    return distinct(s for node in drawing for s in node_sources(node))


def node_sources(node: Node) -> Sequence[Source]:
    """The generators that a node draws from, by all their names."""
    assert node.primitive is not None  # so have leaves only
    found: Sequence[Source] = node.primitive.attributes["sources"](node)
    return found


def distinct(items: Iterable[Any]) -> list[Any]:
    """What there is, each once."""
    return list(dict.fromkeys(items))


def redraw(
    trace: Trace,
    graph: Graph,
    inputs: Sequence[Standin],
    params: Mapping[int, Standin],
    states: States,
    calls: Mapping[Value, int],
) -> tuple[Standin, ...]:
    """As `replay`, drawing from `states`, which are those afterwards then. `calls`: the calls that
    the values of the graph are results of."""

    def emit(node: Node, values: tuple[Standin, ...], attrs: dict[str, Any]) -> Any:
        assert node.primitive is not None
        if node.draws:
            found = node.primitive.attributes["redraw"](node, values, states)
        else:
            found = trace.emit(node.primitive, values, attrs)
        made = found if isinstance(found, tuple) else (found,)
        for old, new in zip(node.outputs, made, strict=True):
            if old in calls:
                trace.calls.setdefault(new.value, calls[old])
        return found

    return replay(trace, graph, inputs, params, emit=emit)
