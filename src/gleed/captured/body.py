"""Python functions as bodies of operations: what a branch or a turn of a loop computes.

`record` runs a function on tensors without computing anything, and puts down what it would compute:
a graph, and the graph of its gradient as the engine finds it. From these a `Recorded` body is made,
which branches and loops (`gleed.flow`, `gleed.loop`) are made of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from gleed import _C, amp
from gleed.capture import integers_and_numbers, number_of
from gleed.captured.calls import Call
from gleed.captured.errors import Unfollowed
from gleed.captured.memory import Place
from gleed.captured.program import history_of
from gleed.captured.recorder import Origin, Recorder, keep_looped
from gleed.captured.structure import Form, take_apart
from gleed.compiler.dims import RELATIONS, Dim, Scope, Size, translate
from gleed.compiler.graph import Graph, Node, Value, topological
from gleed.compiler.planning import Program
from gleed.followed import FollowedSize, fixed, is_followed
from gleed.gradient import Partition, substitute
from gleed.loop import gradients_of, is_zero
from gleed.primitives import copy
from gleed.primitives.core import IRError
from gleed.primitives.random import STATE
from gleed.redrawing import Place as SourcePlace
from gleed.redrawing import States, distinct, redraw, sources_of
from gleed.trace import Standin, Trace, copy_calls, replay


@dataclass(frozen=True, repr=False)
class Recorded:
    """What a function computes. Two are equal if they compute the same.

    Its inputs are tensors, then run-time numbers, then states of generators that it draws from
    `again`; its outputs are `results` ones of the function, then what its gradient needs besides.

    gradient: from the cotangents of `given` results, and what is `saved` ("input" or "output", with
    its number), to the gradients of the inputs `edges`; None: there are none. default: the run-time
    number that stands for the default generator.
    """

    text: str
    tensors: int = field(compare=False)
    results: int = field(compare=False)
    graph: Graph = field(compare=False)
    scope: Scope = field(compare=False)
    calls: dict[Value, int] = field(compare=False)
    gradient: Graph | None = field(compare=False, default=None)
    given: tuple[int, ...] = field(compare=False, default=())
    saved: tuple[tuple[str, int], ...] = field(compare=False, default=())
    edges: tuple[int, ...] = field(compare=False, default=())
    default: int | None = None
    again: int = field(compare=False, default=0)

    def __repr__(self) -> str:
        """Of equal bodies equal, for it is part of the text of those around it."""
        return f"body({sha256(self.text.encode()).hexdigest()[:16]})"

    @property
    def draws(self) -> bool:
        """Whether it draws random numbers."""
        return any(node.draws for node in self.graph.nodes)

    @property
    def sources(self) -> list[SourcePlace]:
        """The generators that it draws from."""
        keys = (None if s is None else s.node.attrs["key"] for s in sources_of(self.graph))
        others = (None if k in (None, self.default) else self.tensors + k for k in keys)
        return distinct(others)

    def redrawing(self, sources: Sequence[SourcePlace], at: int, first: int) -> Recorded:
        """The body that draws from states; see `gleed.redrawing`. They come last, as input `first`
        and those after it."""
        trace = Trace()
        trace.scope = self.scope
        leaves = {n.attrs["key"]: n.outputs[0] for n in self.graph.nodes if n.op == "param"}
        inputs = [trace.input(v.dtype, v.shape) for v in self.graph.inputs]
        numbers = {k: trace.param(k, v.dtype) for k, v in leaves.items()}
        known: list[Any] = [k if k is None else leaves.get(k - self.tensors, k) for k in sources]
        states = States(
            {s: trace.input(*STATE) for s in known},
            None if self.default is None else leaves.get(self.default),
        )
        with trace.active():
            outputs = redraw(trace, self.graph, inputs, numbers, states, self.calls)
            left = [copy(states[s]) for s in known]

        def place(output: int) -> int:
            return output + len(left) * (output >= at)

        return replace(
            self,
            text=f"{self.text}\nagain from {sources} at {at} of {first}",
            results=self.results + len(left),
            graph=trace.graph([*outputs[:at], *left, *outputs[at:]]),
            calls=self.calls | trace.calls,
            given=tuple(map(place, self.given)),
            saved=tuple((kind, i if kind == "input" else place(i)) for kind, i in self.saved),
            again=len(left),
        )

    def __call__(self, *inputs: Standin) -> list[Standin]:
        """The outputs for some inputs."""
        trace = Trace.current()
        self._decide(inputs)
        found = trace.with_rule("body", self._rule, self._run, inputs)
        return list(found) if isinstance(found, tuple) else [found]

    def _run(self, *inputs: Standin) -> Any:
        found = self._replayed(self.graph, self._values(inputs), inputs)
        return found if len(found) > 1 else found[0]

    def _values(self, inputs: Sequence[Standin]) -> Sequence[Standin]:
        """The inputs that are no run-time numbers."""
        return [*inputs[: self.tensors], *inputs[len(inputs) - self.again :]]

    def _rule(self, g: Any, y: Any, *inputs: Standin) -> tuple[Standin | None, ...]:
        g, y = (g, y) if isinstance(y, tuple) else ((g,), (y,))
        gradients: list[Standin | None] = [None] * len(inputs)
        if self.gradient is not None:
            places = {"input": inputs, "output": y}
            known = [g[i] for i in self.given] + [places[kind][i] for kind, i in self.saved]
            for i, x in zip(self.edges, self._replayed(self.gradient, known, inputs), strict=True):
                gradients[i] = x
        kept = g[self.results :]
        if all(x is None or is_zero(x) for x in kept):
            return tuple(gradients)
        # A gradient is differentiated again, and with it what was kept for it.
        trace = inputs[0].trace
        tape, trace.tape = trace.tape, {}
        outputs = self._replayed(self.graph, self._values(inputs), inputs)
        more = gradients_of(trace, outputs[self.results :], kept, inputs)
        trace.tape = tape
        return tuple(
            a if b is None else b if a is None else a + b
            for a, b in zip(gradients, more, strict=True)
        )

    def _replayed(
        self, graph: Graph, values: Sequence[Standin], inputs: Sequence[Standin]
    ) -> tuple[Standin, ...]:
        """A graph computed from `values` in a trace where `inputs` are those of the body."""
        trace = Trace.current()

        def moved(size: Size) -> Size:
            return translate(self.scope.resolve(size), lambda d: _size(d, inputs))

        def seen(node: Node, y: Standin) -> None:
            keep_looped(node, y)
            copy_calls(self.calls, trace, node, y)

        params = dict(enumerate(inputs[self.tensors :]))
        return replay(trace, graph, values, params, moved, seen)

    def _decide(self, inputs: Sequence[Standin]) -> None:
        """Take the decisions about sizes that were taken when the function ran."""
        for relation, a, b in self.scope.guards:
            x, y = (translate(size, lambda d: _size(d, inputs)) for size in (a, b))
            if not RELATIONS[relation](x, y):
                raise IRError("body: sizes must be as when it was recorded")


def _size(dim: Dim, inputs: Sequence[Standin]) -> Size | None:
    return inputs[dim.args[0]].shape[dim.args[1]] if dim.op == "size" else None


@dataclass(frozen=True, eq=False)
class Recording:
    """A recorded function. `tensors` are all that it reads, those that it was run on first;
    `numbers` the run-time numbers that it uses; `made` what it returned, of the structure `form`;
    `held` what numbers are the addresses of; `calls` the operations in it, by number."""

    body: Recorded
    tensors: list[Any]
    numbers: list[float | int | bool]
    made: list[Any]
    form: Form
    held: list[Any]
    calls: dict[int, Call]


def record(
    function: Callable[[], Any], first: Sequence[Any], outer: Recorder | None, differentiate: bool
) -> Recording:
    """Run a function that returns a structure of tensors, and record it.

    first: tensors of the caller that are to be its first inputs. outer: the recorder of the capture
    that this is part of. Raises `Unfollowed` where that cannot be done.
    """
    recorder = _BodyRecorder(outer)
    dry = _C.set_dry_runs(True)
    previous = _C.set_recorder(recorder)
    try:
        for tensor in first:
            recorder.place(tensor)
        with amp.separate_cache(known=True):  # what is converted here is never computed
            result = function()
        recorder.require_followed()
        _C.set_recorder(None)
        made, form = take_apart(result)
        outputs = [recorder.memory.read(recorder.place(t)) for t in made]
        mark = Node.leaf("const", 0, "i64").serial
        tracked = [t for t in made if t.requires_grad] if differentiate else []
        history = history_of(recorder, tracked)
    finally:
        recorder.live = False
        _C.set_recorder(previous)
        _C.set_dry_runs(dry)
    given = [i for i, t in enumerate(made) if id(t) in history.outputs]
    body = _recorded(recorder, outputs, mark, given, history.cotangents, history.gradients)
    known = recorder.given
    numbers = [
        known.get(origin, number_of(bits, dtype)) for bits, dtype, origin in recorder.numbers
    ]
    calls = recorder.story.numbered
    return Recording(body, recorder.inputs, numbers, made, form, recorder.held, calls)


def _recorded(
    recorder: Recorder,
    outputs: list[Standin],
    mark: int,
    given: list[int],
    cotangents: list[Value],
    gradients: dict[int, Standin],
) -> Recorded:
    """The body of what a recorder has heard; nodes before `mark` are not of the gradient."""
    trace = recorder.trace
    values, edges = [y.value for y in outputs], tuple(sorted(gradients))
    wanted = [gradients[k].value for k in edges]
    nodes = topological([v.node for v in (*values, *wanted)])
    partition = Partition(trace.inputs, values)
    forward = {n for n in nodes if n.serial < mark}
    partition.close(forward, wanted, set(cotangents))
    everything = [*values, *partition.residuals]
    leaves = [
        Node.leaf("input", ("saved", i), v.dtype, v.shape).outputs[0]
        for i, v in enumerate(partition.saved)
    ]
    made = dict(zip(partition.saved, leaves, strict=True))
    found = substitute(wanted, made)
    calls = dict(trace.calls)
    calls |= {new: calls[old] for old, new in made.items() if old in calls}
    saved = tuple(
        ("input", trace.inputs.index(v)) if v in trace.inputs else ("output", everything.index(v))
        for v in partition.saved
    )
    # Numbers that nobody uses are drawn all the same.
    draws = [v for v in trace.draws() if v.node.serial < mark]
    graph = Graph(list(trace.inputs), everything, draws)
    gradient = Graph([*cotangents, *leaves], found) if edges else None
    numbers = [(dtype, k) for (_, dtype, _), k in recorder.numbers.items()]
    groups = [
        calls.get(v, 0)
        for n in (*graph.nodes, *(gradient.nodes if gradient else ()))
        for v in n.outputs
    ]
    default = recorder.numbers.get((0, "i64", -1))
    text = f"{graph}\n{gradient}\n{trace.scope.guards}\n{saved}{edges}{given}{numbers}{groups}"
    text += f"{default}"
    return Recorded(
        text,
        len(trace.inputs),
        len(values),
        graph,
        trace.scope,
        calls,
        gradient,
        tuple(given),
        saved,
        edges,
        default,
    )


def _stop(reason: Unfollowed) -> None:
    raise reason


class _BodyRecorder(Recorder):
    """Hears of a function that computes nothing. All sizes of tensors in memory order are symbols,
    so that equal code is recorded as an equal body whatever they are."""

    def __init__(self, outer: Recorder | None) -> None:
        super().__init__({}, {}, outer.followed if outer else {}, _stop)
        self._outer = outer
        self.given: dict[Any, Any] = {}  # by origin numbers that the capture around may follow

    def _followed_in(
        self, program: Program, arguments: Any, ints: Sequence[int], scalars: Sequence[int]
    ) -> tuple[Sequence[Size], Sequence[Origin]]:
        """Sizes of its own it follows; other numbers it hands on as they came."""
        whole, numbers = integers_and_numbers(program.kinds, arguments)
        sizes = [self.scope.resolve(n.symbol) if self._owns(n) else fixed(n) for n in whole]
        origins: list[Origin] = [-1] * len(scalars)
        for i, number in enumerate(numbers):
            if is_followed(number) and number.follower is self:
                origins[i] = number
            elif is_followed(number) or id(number) in self.followed:
                origins[i] = id(number)
                self.given[id(number)] = number
        handed = set(map(id, numbers))
        others = (id(x) for x in arguments if id(x) not in handed)
        if self._outer is not None:
            self._outer.unfollowed.update(self.followed[x] for x in others if x in self.followed)
        return sizes or ints, origins

    def _owns(self, number: Any) -> bool:
        return type(number) is FollowedSize and number.follower is self

    def grad(self, tensor: Any, assigned: bool) -> bool:
        """A gradient is part of what the whole function does, not of a result."""
        raise Unfollowed(
            "a branch or body must not use the .grad of tensors, nor call backward()",
            "return what is to be differentiated",
        )

    def _symbolic(self, place: Place) -> frozenset[int]:
        return frozenset(range(len(place[3])))

    def _fix_strides(self, value: Standin, strides: tuple[int, ...], dense: bool) -> None:
        """None are decided: whoever records the operation as part of more does so."""

    def _after(self, outputs: Sequence[Any]) -> None:
        super()._after(outputs)
        if next(self.memory.changed(), None) is not None:
            raise Unfollowed(
                "a branch or body must not write to tensors that were there before",
                "return the new value, and write it outside",
            )
