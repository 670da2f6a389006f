"""One example of a batch: a function is run on it without computing, and what it would compute is
made into one operation for the whole batch.

The run is that of `gleed.compile` (docs/architecture.md): a recorder hears of every plan, and puts
its graph down. Then the engine runs backwards the same way, so the gradient is that of the function
as it would run on one example, custom functions included. Both graphs become programs over a batch
by the rules of `gleed.batching`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import gleed
from gleed import _C, primitives
from gleed.batching import Batching
from gleed.capture import number_of
from gleed.captured.errors import Unfollowed
from gleed.captured.memory import Place, place_of
from gleed.captured.program import History, history_of, operation
from gleed.captured.reach import reach
from gleed.captured.recorder import Recorder
from gleed.captured.structure import Form, build, take_apart
from gleed.compiler.dims import Size, hint
from gleed.compiler.graph import Node, Value
from gleed.errors import TraceError
from gleed.followed import fixed
from gleed.primitives.core import IRError
from gleed.primitives.library import sum_of_examples
from gleed.trace import Standin, Trace


@dataclass(frozen=True)
class Mapped:
    """A tensor that is mapped over along one of its axes."""

    tensor: Any
    axis: int

    @property
    def size(self) -> int:
        """The number of examples."""
        return place_of(self.tensor)[3][self.axis]

    def example(self) -> Any:
        """A tensor that stands for one example; its memory is never looked at."""
        _, _, _, sizes, _ = place_of(self.tensor)
        shape = (*sizes[: self.axis], *sizes[self.axis + 1 :])
        tensor = gleed.empty(shape, dtype=self.tensor.dtype)
        return tensor.requires_grad_() if self.tensor.requires_grad else tensor


class Unmapped(TraceError):
    """A function that cannot be run over a batch."""


class _ExampleRecorder(Recorder):
    """Hears what a function called `name` does with one example. `known` are tensors that it may
    meet: those that it is given, examples among them, and those that it closes over."""

    def __init__(
        self, name: str, known: Sequence[Any], examples: Sequence[Any], randomness: str
    ) -> None:
        super().__init__({place_of(t): t for t in known}, {}, {}, self._refuse)
        self._name, self._randomness = name, randomness
        self.outer: Recorder | None = None  # whoever hears of what is computed for the batch
        self._examples = {place_of(x)[0] for x in examples}

    def _refuse(self, reason: Unfollowed) -> None:
        raise refusal(self._name, reason) from None

    def _before(
        self, program: Any, tensors: Any, ints: Any, scalars: Any, arguments: Any, origin: int
    ) -> None:
        for k in program.written.values() if program is not None else ():
            serial = place_of(tensors[k])[0]
            if serial <= self.begun and serial not in self._examples:
                raise Unfollowed(
                    "a function that is mapped writes to nothing that all examples share; it "
                    f"writes to a tensor of shape {tuple(place_of(tensors[k])[3])} from outside",
                    "return what is new, or use eval() where a module keeps running statistics",
                )
        nodes = program.graph.nodes if program is not None else ()
        if self._randomness == "error" and any(node.draws for node in nodes):
            raise Unfollowed(
                "whether random numbers differ between examples must be said",
                'give vmap randomness="different" or randomness="same"',
            )
        if origin not in self._nodes:
            self._fix_integers(origin)
        super()._before(program, tensors, ints, scalars, arguments, origin)

    def _fix_integers(self, origin: int) -> None:
        """Fix what the backward of a node gets that was made outside."""
        outer = self.outer
        while outer is not None:
            fixed(outer.integers(origin))
            outer = getattr(outer, "outer", None)

    def _followed_in(
        self, program: Any, arguments: Any, ints: Sequence[int], scalars: Sequence[int]
    ) -> tuple[Sequence[Size], Sequence[Any]]:
        """Numbers that are followed outside are what they are here."""
        fixed(tuple(arguments))
        return ints, [-1] * len(scalars)

    def place(self, tensor: Any) -> Place:
        """Where a tensor is. Of tensors that share memory the one with a history is the input."""
        place = super().place(tensor)
        if tensor.requires_grad and place not in self.known and place in self.memory.parts:
            part = self.memory.parts[place]
            if part.tensor is not None and not part.tensor.requires_grad:
                k = next(k for k, x in enumerate(self.inputs) if x is part.tensor)
                part.tensor = self.inputs[k] = tensor
        return place

    def _read(self, tensor: Any, what: str) -> None:
        raise Unfollowed(
            f"a function that is mapped runs once for all examples, and sees none; {what} asks "
            "for a tensor's value",
            "decide by gleed.where() in place of Python, or compute the value before",
        )


def refusal(name: str, reason: Unfollowed) -> Unmapped:
    """The error that says why the function called `name` cannot be mapped."""
    place = reason.place.quoted
    return Unmapped(f"vmap: {reason.rule}; it came in {name} at {place}; {reason.fix}")


@dataclass(eq=False)
class Recorded:
    """What a function did with one example: the tensors that it returned, in what form, and their
    history."""

    recorder: Recorder
    tensors: list[Any]
    form: Form
    history: History


def record(
    name: str,
    function: Callable[..., Any],
    form: Form,
    tensors: list[Any],
    examples: Sequence[Any],
    randomness: str,
) -> Recorded:
    """Call a function with the arguments that have this form and these tensors, `examples` among
    them, without computing anything."""
    args, kwargs = build(form, tensors)
    try:
        closed_over = [t for t, _ in reach(function).tensors.values()]
    except Unfollowed:
        closed_over = []  # there is more than can be looked through
    recorder = _ExampleRecorder(name, [*closed_over, *tensors], examples, randomness)
    previous, dry = _C.set_recorder(recorder), _C.set_dry_runs(True)
    recorder.outer = previous
    try:
        results, result_form = take_apart(function(*args, **kwargs))
        recorder.require_followed()
        # Each is one of its own, and none a leaf, which would have no history.
        for i, t in enumerate(results):
            again = any(t is other for other in results[:i]) or (t.requires_grad and t.is_leaf)
            results[i] = t.view_as(t) if again else t
        history = history_of(recorder, [t for t in results if t.requires_grad])
    finally:
        recorder.live = False
        _C.set_dry_runs(dry)
        _C.set_recorder(previous)
    for tensor, before, _ in recorder.gradients.values():
        if tensor.grad is not before:
            tensor.grad = before
            reason = Unfollowed("a function that is mapped leaves .grad alone", "use func.grad()")
            raise refusal(name, reason)
    if previous is not None:
        previous.held += recorder.held
    return Recorded(recorder, results, result_form, history)


# ---- from one example to all
@dataclass(eq=False)
class _Batch:
    """A recording of one example as one of a batch: what `operation` takes.

    full: by the number of an input what it is an example of. size: how many examples there are.
    """

    example: Recorder
    full: dict[int, Mapped]
    size: Size
    randomness: str
    trace: Trace = field(default_factory=Trace)
    inputs: list[Any] = field(default_factory=list)
    calls: dict[Value, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.trace.tape = {}
        given = [self._argument(k, v.dtype) for k, v in enumerate(self.example.trace.inputs)]
        sizes = [given[k].shape[mapped.axis] for k, mapped in self.full.items()]
        self.size = next(iter(sizes), self.size)
        for size in sizes:
            self.trace.scope.equal(self.size, size)
        self.batching = Batching(self.trace, self.size, self.randomness)
        for k, value in enumerate(self.example.trace.inputs):
            x = to_front(given[k], self.full[k].axis) if k in self.full else given[k]
            self.batching.give(value, x, mapped=k in self.full)

    def _argument(self, k: int, dtype: str) -> Standin:
        """The stand-in for an input; an example's sizes are what they are."""
        mapped = self.full.get(k)
        tensor = self.example.inputs[k] if mapped is None else mapped.tensor
        self.inputs.append(tensor)
        shape: list[Size] = list(place_of(tensor)[3])
        for axis, n in enumerate(shape):
            symbol = self.trace.scope.symbol(("size", k, axis), hint(n))
            if mapped is not None and axis == mapped.axis:
                shape[axis] = symbol
            else:
                self.trace.scope.equal(symbol, n)
        return self.trace.input(dtype, tuple(shape))

    def result(self, value: Value, axis: int | None) -> Standin:
        """What a result is for all examples, which lie along an axis of it."""
        if axis is not None:
            return _from_front(self.batching.whole([value])[0], axis)
        self.batching.compute([value])
        if value in self.batching.mapped:
            raise Unfollowed(
                "an out_dim of None is for results that are the same for all examples; one of "
                f"shape {tuple(map(hint, value.shape))} is not",
                "give it an out_dim",
            )
        return self.batching.made[value]

    def history(self, example: History, outputs: list[Standin], axes: list[int | None]) -> History:
        """The history of the first outputs, by the axes where the examples lie."""
        cotangents = []
        for known, y, axis in zip(example.cotangents, outputs, axes, strict=False):
            leaf = Node.leaf("input", ("cotangent",), y.dtype, y.shape).outputs[0]
            g = Standin(self.trace, leaf)
            g = g if axis is None else to_front(g, axis)
            self.batching.give(known, g, mapped=axis is not None)
            cotangents.append(leaf)
        gradients = {k: self._gradient(k, g.value) for k, g in example.gradients.items()}
        return History(example.outputs, cotangents, gradients, example.custom)

    def _gradient(self, k: int, value: Value) -> Standin:
        """The gradient of an input, from that of an example."""
        if k in self.full:
            return _from_front(self.batching.whole([value])[0], self.full[k].axis)
        self.batching.compute([value])
        g = self.batching.made[value]
        return sum_of_examples(g) if value in self.batching.mapped else g

    def written(self, outputs: list[Standin]) -> dict[int, int]:
        """Add to the outputs what overwrites mapped tensors; by output the input that it does."""
        written = {}
        for part in self.example.memory.changed():
            if part.tensor.requires_grad:
                raise Unfollowed(
                    "a function that is mapped writes in place only where no gradient is needed",
                    "use the out-of-place form",
                )
            k = next(k for k, x in enumerate(self.example.inputs) if x is part.tensor)
            written[len(outputs)] = k
            value = self.batching.whole([part.value.value])[0]
            outputs.append(_from_front(value, self.full[k].axis))
        return written

    def number_calls(self) -> None:
        """Note which values were results of calls with an example."""
        made = self.batching.made
        known = self.example.calls.items()
        self.calls |= {made[v].value: 0 for v in self.example.trace.inputs}
        self.calls |= {made[v].value: call for v, call in known if v in made}


def to_front(x: Any, axis: int) -> Any:
    """A stand-in with one of its axes in front of the others."""
    if axis == 0:
        return x
    return primitives.permute(x, axes=(axis, *(a for a in range(x.ndim) if a != axis)))


def _from_front(x: Any, axis: int) -> Any:
    """The inverse of `to_front`."""
    if axis == 0:
        return x
    rest = range(1, x.ndim)
    return primitives.permute(x, axes=(*rest[:axis], 0, *rest[axis:]))


def run_batch(
    name: str,
    found: Recorded,
    full: dict[int, Mapped],
    size: int,
    axes: Sequence[int | None],
    randomness: str,
) -> list[Any]:
    """The results for a batch of what was found for one example.

    full: by the id of an example what it is an example of. axes: for every result where the
    examples lie in it, or None.
    """
    example, history = found.recorder, found.history
    values = [example.memory.read(example.place(t)).value for t in found.tensors]
    numbers = {k: full[id(x)] for k, x in enumerate(example.inputs) if id(x) in full}
    # Those with a history come first.
    order = sorted(range(len(values)), key=lambda i: id(found.tensors[i]) not in history.outputs)
    ordered = [axes[i] for i in order]
    try:
        batch = _Batch(example, numbers, size, randomness)
        outputs = [batch.result(values[i], axes[i]) for i in order]
        history = batch.history(history, outputs, ordered)
        written = batch.written(outputs)
        batch.batching.compute(example.trace.draws())
        batch.number_calls()
        given = [number_of(bits, dtype) for bits, dtype, _ in example.numbers]
        op, _ = operation(batch, outputs, written, history, "Vmap", given)
    except Unfollowed as reason:
        raise refusal(name, reason) from None
    except IRError as error:
        rule = f"what is mapped must be an operation for a batch; {error}"
        raise refusal(name, Unfollowed(rule)) from None
    found_all = op(batch.inputs)
    found_all = found_all if isinstance(found_all, tuple) else (found_all,)
    made = dict(zip(order, found_all, strict=False))
    return [made[i] for i in range(len(values))]
