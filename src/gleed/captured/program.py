"""From a recorder to a program that runs as one plan: results, writes, gradients."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from gleed import _C, primitives
from gleed.autograd import Function
from gleed.bundle import Bundle
from gleed.capture import Formula, Gradient, planned
from gleed.captured.calls import Call
from gleed.captured.errors import Unfollowed
from gleed.captured.memory import place_of
from gleed.captured.recorder import Recorder
from gleed.captured.structure import PLAIN, Branch, Fixed, Form, take_apart
from gleed.compiler.dims import RELATIONS, Dim, Size, translate
from gleed.compiler.graph import Graph, Value
from gleed.compiler.planning import Program
from gleed.compiler.stored import Placement, placement
from gleed.errors import GradientError
from gleed.gradient import substitute
from gleed.known import Question
from gleed.trace import Standin, Trace


class Outdated(Exception):
    """A call has other sizes, layouts or flags than the captured one."""


class Failed(Exception):
    """A check inside the program has failed, as of an index; nothing has been written."""


class Recording(Protocol):
    """What is to become one operation: a graph, the tensors that are its inputs, and the number of
    the call that a value is a result of."""

    trace: Trace
    inputs: list[Any]
    calls: dict[Value, int]


class Captured(Bundle):
    """A captured program.

    results: for each tensor among the results, ("output", k) or ("input", k). differentiable: how
    many of the outputs have a history. gradients: pairs of an input and what becomes its `.grad`:
    an output, or None. needs_none, needs_some: inputs that must not or must have a `.grad` before.
    calls: the operations in it, results_of: by result the number of the call.
    backward: pairs of an input and its gradient, if results have a history, in the same graph.
    recording, passes: how many seconds they took.
    """

    op: Any
    numbers: tuple[int, ...]
    followed: tuple[tuple[int, int], ...]  # a number, the cell (~: argument) that it is from
    form: Form
    results: list[tuple[str, int]]
    differentiable: int
    gradients: list[tuple[int, int | None]]
    needs_none: list[int]
    needs_some: list[int]
    held: list[Any]  # what the numbers are the addresses of
    generators: tuple[int, ...]  # numbers that stand for those that it draws from
    plan: Any
    calls: list[Call]
    results_of: dict[Value, int]
    backward: list[tuple[int, Value]]
    recording: float
    passes: float

    @property
    def program(self) -> Program:
        """What the plan was made of."""
        program: Program = self.plan.program
        return program

    @property
    def stored(self) -> dict[Value, int]:
        """The results of operations that have memory."""
        placement = self.program.placement
        return placement.stored if placement else {}


def capture(recorder: Recorder, result: Any) -> Captured:
    """The program of what a recorder has heard, whose function returned `result`."""
    tensors, form = take_apart(result)
    _require_plain(form)
    inputs = {id(tensor): k for k, tensor in enumerate(recorder.inputs)}
    distinct = {id(t): t for t in tensors if id(t) not in inputs}
    history = history_of(recorder, [t for t in distinct.values() if t.requires_grad])
    # Those with a history come first.
    ordered = sorted(distinct.values(), key=lambda t: id(t) not in history.outputs)
    numbers = {id(t): k for k, t in enumerate(ordered)}
    outputs = [_distinct(recorder, tensor, _value(recorder, tensor)) for tensor in ordered]
    results = [
        ("input", inputs[id(t)]) if id(t) in inputs else ("output", numbers[id(t)]) for t in tensors
    ]
    gradients, needs_none, needs_some = _gradients(recorder, inputs, outputs)
    written: dict[int, int] = {}
    for part in recorder.memory.changed():
        written[len(outputs)] = inputs[id(part.tensor)]
        outputs.append(part.value)
        if history.outputs and part.tensor.requires_grad:
            raise Unfollowed(
                "a captured function that writes to tensors that require grad must not return any",
                "detach() what it returns",
            )
    begun = time.perf_counter()
    op, plan = operation(recorder, outputs, written, history)
    passed = time.perf_counter()
    differentiable = len(history.outputs)
    history.outputs.clear()  # with them goes what the call itself has kept for a backward
    return Captured(
        op,
        tuple(bits for bits, _, _ in recorder.numbers),
        tuple(
            (k, origin)
            for (_, _, origin), k in recorder.numbers.items()
            if isinstance(origin, int) and origin != -1 and origin not in recorder.unfollowed
        ),
        form,
        results,
        differentiable,
        gradients,
        needs_none,
        needs_some,
        recorder.held,
        (0, *map(id, recorder.held)) if recorder.trace.draws() else (),
        plan,
        recorder.story.all,
        recorder.calls,
        [(k, g.value) for k, g in history.gradients.items()],
        begun - recorder.story.begun,
        passed - begun,
    )


def _require_plain(form: Form) -> None:
    """Raise if a result is an object that later calls would have to make anew."""
    if isinstance(form, Branch):
        for item in form.items:
            _require_plain(item)
    elif isinstance(form, Fixed) and not isinstance(form.value, PLAIN):
        raise Unfollowed(
            "a captured function returns tensors, numbers, text, and tuples, lists, dictionaries "
            f"and dataclasses of these; got {type(form.value).__name__}",
            "return what is in it",
        )


def _value(recorder: Recorder, tensor: Any) -> Standin:
    """What a tensor holds that leaves the function."""
    place = recorder.place(tensor)
    part = recorder.memory.part_of(place)
    if part.tensor is None or not part.written:
        return recorder.leaving(tensor)
    if tensor.requires_grad:
        raise Unfollowed(
            "a captured function must not return views of what it was given and writes to, if they "
            "require grad",
            "return a clone(), or detach() it",
        )
    return recorder.view_of_input(place, part)


def _distinct(recorder: Recorder, tensor: Any, value: Standin) -> Standin:
    """What a tensor holds, for a tensor of its own where it is one beside an input."""
    if value.value.node.op != "input" or any(tensor is x for x in recorder.inputs):
        return value
    with recorder.trace.untaped():
        view: Standin = primitives.view(value, shape=value.shape)
    return view


def _gradients(
    recorder: Recorder, inputs: dict[int, int], outputs: list[Standin]
) -> tuple[list[tuple[int, int | None]], list[int], list[int]]:
    """What the function leaves in `.grad` of its inputs, and what it must find there."""
    gradients: list[tuple[int, int | None]] = []
    needs_none: list[int] = []
    needs_some: list[int] = []
    outside = {id(tensor) for tensor in recorder.known.values()}
    for tensor, before, read in recorder.gradients.values():
        k = inputs.get(id(tensor))
        now = tensor.grad
        if k is None:
            if now is not before and id(tensor) in outside:
                raise Unfollowed(
                    "a captured function must read the tensors whose .grad it changes",
                    "compute with them",
                )
            continue
        if read:
            (needs_none if before is None else needs_some).append(k)
        if now is before:
            continue
        if now is None:
            gradients.append((k, None))
        else:
            gradients.append((k, len(outputs)))
            outputs.append(_value(recorder, now))
    return gradients, needs_none, needs_some


# ---- gradients of the results
_OF_CUSTOM = "OfCustom"  # in the names of nodes of what is captured with custom functions in it


class History(Bundle):
    """The backward as the engine runs it: by id the tensors with a history, the values that stand
    for their cotangents, and per input the gradient or None. `custom`: custom functions are part of
    it, whose backward the graph of the forward does not tell."""

    outputs: dict[int, Any]
    cotangents: list[Value]
    gradients: dict[int, Standin]
    custom: bool = False


def history_of(recorder: Recorder, tensors: list[Any]) -> History:
    """Record what the engine would do for cotangents of these tensors, without computing it."""
    sources = [
        k
        for k, tensor in enumerate(recorder.inputs)
        if tensor.requires_grad and k not in recorder.constants
    ]
    if not tensors or not sources:
        return History({}, [], {})
    reached = [recorder.inputs[k] for k in sources]
    if any(tensor.retains_grad for tensor in reached):
        raise Unfollowed(
            "a captured function must not be given results that retain their grad",
            "call retain_grad() after it",
        )
    cotangents = [recorder.cotangent(tensor) for tensor in tensors]
    dry = _C.set_dry_runs(True)
    previous = _C.set_recorder(recorder)
    try:
        with _without_hooks(reached):
            found = _C.run_backward(
                tuple(tensors),
                tuple(tensor for tensor, _ in cotangents),
                True,
                False,
                tuple(reached),
                False,
                True,
                True,  # inputs may depend on one another: how is not this program's
            )
    except GradientError as error:
        if "retain_graph" not in str(error):
            raise Unfollowed(f"the gradient of what it returns must exist; {error}") from None
        return History({}, [], {})  # the function itself has used the history up
    finally:
        _C.set_recorder(previous)
        _C.set_dry_runs(dry)
    if recorder.reason is not None:
        raise recorder.reason
    gradients = {
        k: recorder.memory.read(place_of(g))
        for k, g in zip(sources, found, strict=True)
        if g is not None
    }
    outputs = {id(t): t for t in tensors}
    custom = _is_custom(tensors, recorder.inputs)
    return History(outputs, [v.value for _, v in cotangents], gradients, custom)


@contextmanager
def _without_hooks(tensors: Sequence[Any]) -> Iterator[None]:
    """Take away the hooks of tensors, which are called when the backward comes to these."""
    hooks = [(table, dict(table)) for tensor in tensors for table in tensor._hook_tables()]
    for table, _ in hooks:
        table.clear()
    try:
        yield
    finally:
        for table, before in hooks:
            table.update(before)


def _is_custom(tensors: Sequence[Any], inputs: Sequence[Any]) -> bool:
    """Whether a custom function lies between tensors and what they were computed from."""
    kinds, names = [Function], set()
    while kinds:
        kind = kinds.pop()
        names.add(f"{kind.__name__}Backward")
        kinds += kind.__subclasses__()
    seen = {t.grad_fn for t in inputs}
    stack = [t.grad_fn for t in tensors]
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        if node.name() in names or _OF_CUSTOM in node.name():
            return True
        seen.add(node)
        stack += [following for following, _ in node.next_functions]
    return False


class _CapturedFormula(Formula):
    """The gradient of a captured program: of first order as the engine has computed it."""

    def __init__(
        self,
        trace: Trace,
        calls: dict[Value, int],
        outputs: list[Standin],
        written: dict[int, int],
        history: History,
        title: str,
    ) -> None:
        self._calls, self._history, self._closed = calls, history, False
        inputs = [Standin(trace, v) for v in trace.inputs]
        super().__init__(
            title,
            trace,
            inputs,
            sorted(history.gradients),
            0,
            outputs,
            written,
        )

    def _close(self, sources: list[Standin]) -> list[Standin | None]:
        """Where gradients are differentiated, cotangents reach residuals, too. What that needs is
        computed again, so that nothing more is kept for first gradients."""
        gradients = super()._close(sources)
        self._closed = True
        results = self._results()
        cotangents = [self._cotangent(y) for y in results]
        needed = self.differentiate(results, cotangents, sources)
        starts = {g.value for g in cotangents if g is not None}
        self.partition.save_leaves([g.value for g in needed if g is not None], starts)
        return gradients

    def differentiate(
        self,
        results: Sequence[Standin],
        cotangents: Sequence[Standin | None],
        sources: Sequence[Standin],
    ) -> list[Standin | None]:
        """The recorded gradients, and those of residuals, which follow from the graph."""
        count, outputs = len(self._history.cotangents), len(self.outputs)
        trace = self.trace
        made = {
            known: (trace.full(y.shape, 0, y.dtype) if g is None else g).value
            for known, g, y in zip(
                self._history.cotangents, cotangents[:count], results[:count], strict=True
            )
        }
        found = [self._history.gradients[trace.inputs.index(s.value)] for s in sources]
        values = substitute([g.value for g in found], made)
        for old, new in made.items():
            if old in self._calls:
                self._calls.setdefault(new, self._calls[old])
        gradients: list[Standin | None] = [Standin(trace, v) for v in values]
        if all(g is None for g in cotangents[outputs:]):
            return gradients
        more = super().differentiate(results[outputs:], cotangents[outputs:], sources)
        with trace.active(), trace.untaped():
            return [a if b is None else a + b for a, b in zip(gradients, more, strict=True)]

    def formula(
        self, cotangents: Any, saved: Any, ints: Any, scalars: Any, needed: int
    ) -> list[Any]:
        """As of any operation, where the graph tells the gradient of the gradient."""
        if self._history.custom:
            raise GradientError(
                f"{self.title}: what is captured with a custom Function in it has first gradients; "
                "one with create_graph was asked for; take it inside of what is captured"
            )
        return super().formula(cotangents, saved, ints, scalars, needed)

    def _cotangent(self, y: Standin) -> Standin | None:
        outputs = self.outputs[: len(self._history.cotangents)]
        is_residual = self._closed and not any(y is output for output in self.outputs)
        has_one = is_residual or any(y is output for output in outputs)
        return super()._cotangent(y) if has_one else None

    def _placement(self, graph: Graph, copies: dict[Value, Value]) -> Placement:
        calls = self._calls
        known = {new: calls[old] for old, new in copies.items() if old in calls}
        kept = {v: k for v, k in calls.items() if v not in copies} | known
        return placement(graph, kept, {})


def operation(
    recorder: Recording,
    outputs: list[Standin],
    written: dict[int, int],
    history: History,
    name: str = "CompiledFunction",
    numbers: Sequence[float] = (),
) -> tuple[Any, Any]:
    """The operation of the core that runs the program, and its plan.

    It takes the tensors, and runs on `numbers` unless it is given others.
    """
    plan = _plan(recorder, outputs, written, history, name)
    guards = tuple(recorder.trace.scope.guards)
    kinds = [_kind(tensor) for tensor in recorder.inputs]

    unused = [plan]

    def compile(arguments: Any, sizes: Any, ints: Any, words: Any) -> Any:
        tensors = arguments[0]
        fits = kinds == [_kind(tensor) for tensor in tensors]
        if not (unused and fits and _hold(guards, tensors)):
            raise Outdated
        return unused.pop()

    def explain(arguments: Any) -> None:
        raise Failed

    parameters: list[Any] = [("tensors", "tensors", inspect.Parameter.empty, "")]
    parameters += [(f"number{k}", "scalar", x, "") for k, x in enumerate(numbers)]
    op = _C.Op(name, [(tuple(parameters), compile, explain, None)])
    return op, plan


def _plan(
    recorder: Recording,
    outputs: list[Standin],
    written: dict[int, int],
    history: History,
    name: str,
) -> Any:
    trace, calls = recorder.trace, recorder.calls
    title = f"{name}{_OF_CUSTOM if history.custom else ''}Backward"
    sources = sorted(history.gradients)
    gradients = [history.gradients[k] for k in sources]
    question = Question.about(
        trace, outputs, written, calls, (title, sources), history.cotangents, gradients
    )

    def derive() -> Formula:
        return _CapturedFormula(trace, calls, outputs, written, history, title)

    count = len(history.outputs)
    gradient = Gradient(title, count, derive, question) if count else None
    # Numbers that nobody uses are drawn all the same: those drawn later are others then.
    return planned(
        trace,
        outputs,
        written,
        question,
        gradient,
        name="captured",
        kept=trace.draws(),
        place=lambda graph: placement(graph, calls, written),
    )


def _kind(tensor: Any) -> tuple[Any, ...]:
    """What a program is made for, beside sizes and strides."""
    return tensor.dtype, tensor.ndim, tensor.requires_grad


def _hold(guards: Sequence[tuple[str, Size, Size]], tensors: Sequence[Any]) -> bool:
    """Whether what was decided about sizes and strides is so for these tensors."""

    def known(size: Dim) -> Size | None:
        if size.op == "size":
            return int(tensors[size.args[0]].shape[size.args[1]])
        return int(tensors[size.args[0]].stride(size.args[1])) if size.op == "stride" else None

    return all(RELATIONS[op](translate(a, known), translate(b, known)) for op, a, b in guards)
