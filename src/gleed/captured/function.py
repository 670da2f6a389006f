"""`gleed.compile`: a function that is captured when it is first called, and then runs as a plan."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gleed import _C, amp
from gleed.captured.clocks import refused_clocks
from gleed.captured.entry import Entry, Modes, Source, current_modes
from gleed.captured.errors import Unfollowed
from gleed.captured.lengths import followed_lengths
from gleed.captured.memory import Place, place_of
from gleed.captured.obstacles import kind_of
from gleed.captured.program import Failed, Outdated, capture
from gleed.captured.reach import Reached, reach
from gleed.captured.recorder import Recorder, argument_origin
from gleed.captured.structure import Form, other_numbers, plain, take_apart, without_numbers
from gleed.compiler import resettable
from gleed.errors import ArgumentError, TraceError
from gleed.lazy import lazy
from gleed.primitives.core import IRError

if TYPE_CHECKING:
    from gleed.captured.listing import Listing

# Loaded only when somebody looks inside.
listing, reports = lazy("gleed.captured.listing"), lazy("gleed.captured.report")

_PATIENCE = 3  # captures that the function itself makes out of date, before it runs uncaptured
_MODES = None, "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"
_LEAVE_MODES = (
    "a captured function must leave whether gradients are taken, the default dtype and autocast as "
    "they were"
)
_MOST_PROGRAMS = 64  # of one function, before calls that fit none run uncaptured


class CompiledFunction:
    """What `gleed.compile` makes of a function. `quiet`: no warning where it is not captured."""

    def __init__(
        self,
        function: Callable[..., Any],
        fullgraph: bool = False,
        quiet: bool = False,
        dynamic: bool | None = None,
    ) -> None:
        # A module's attributes are its own: here they would keep alive what is replaced there.
        own = () if isinstance(function, _C.ModuleBase) else functools.WRAPPER_UPDATES
        functools.update_wrapper(self, function, updated=own)
        self._function, self._fullgraph, self._quiet = function, fullgraph, quiet
        self._dynamic = dynamic
        self._name = getattr(function, "__qualname__", type(function).__name__)
        self.reset()
        resettable.add(self)

    def reset(self) -> None:
        """Forget all programs."""
        self._entries: list[Entry] = []
        self._uncaptured: dict[Any, str] = {}  # kinds of calls that are not captured, and why
        self._reasons: list[str] = []  # why the function was captured again
        self._run_first: Callable[..., Any] = _run_none  # of the entry that ran last
        self._in_vain = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the captured program; capture the function first where there is none that fits."""
        try:
            result = self._run_first(args, kwargs)
        except Outdated:
            result = NotImplemented
        except Failed:
            return self._function(*args, **kwargs)  # which raises the error, and says where
        return result if result is not NotImplemented else self._run_other(args, kwargs)

    def _run_other(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run a program that is not the one that ran last, or capture."""
        for entry in self._entries[1:]:
            try:
                result = entry.run(args, kwargs)
            except Outdated:
                continue
            except Failed:
                return self._function(*args, **kwargs)
            if result is not NotImplemented:
                self._put_first(entry)
                return result
        if _C.is_recording():
            return self._function(*args, **kwargs)
        tensors, form = take_apart((args, kwargs))
        modes = current_modes()
        kinds = len(self._entries) + len(self._uncaptured)
        if (without_numbers(form), modes) in self._uncaptured or kinds >= _MOST_PROGRAMS:
            return self._function(*args, **kwargs)
        if self._entries:
            self._reasons.append(self._entries[0].obstacle(tensors, form, modes))
        return self._capture(form, modes, tensors, args, kwargs)

    def _put_first(self, entry: Entry) -> None:
        self._entries = [entry, *(other for other in self._entries if other is not entry)]
        self._run_first = entry.run

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """As a method: with the instance as the first argument."""
        return self if instance is None else functools.partial(self, instance)

    def __reduce__(self) -> Any:
        """Copies and pickles begin without programs."""
        return CompiledFunction, (self._function, self._fullgraph, self._quiet, self._dynamic)

    def report(self, detail: bool = False) -> str:
        """What was captured: every program, why there are several, and what is not captured.

        With `detail` also, for every program: how much it computes, reads, writes and holds in
        memory, where the time to compile it went, what every kernel does, and which results get
        memory, and why. Values have the names that `gleed.graph.show` gives them.

        >>> import gleed
        >>> double = gleed.compile(lambda x: (x + x).relu())
        >>> double(gleed.ones(2))
        tensor([2., 2.])
        >>> print(double.report())
        <lambda>: 1 program
        program 1: 1 input, 2 operations in 1 kernel; memory for 1 result
        """
        count = len(self._entries)
        lines = [f"{self._name}: {count} program{'s' * (count != 1)}"]
        lines += [
            f"program {i}: {reports.summary(e.captured)}" for i, e in enumerate(self._entries, 1)
        ]
        lines += [f"captured again: {reason}" for reason in self._reasons]
        lines += [f"not captured: {reason}" for reason in self._uncaptured.values()]
        if len(self._entries) + len(self._uncaptured) >= _MOST_PROGRAMS:
            lines.append(f"after {_MOST_PROGRAMS} kinds of calls, others run uncaptured")
        for i, entry in enumerate(self._entries if detail else (), 1):
            told = reports.details(listing.Listing(entry, self._function), entry.captured)
            lines += ["", f"program {i}", *(f"  {line}" for line in told)]
        return "\n".join(lines)

    def listings(self) -> list[Listing]:
        """Its programs for people, the one that has run last first."""
        return [listing.Listing(entry, self._function) for entry in self._entries]

    @property
    def name(self) -> str:
        """The function's name."""
        return self._name

    # ---- capturing
    def _capture(self, form: Form, modes: Modes, tensors: list[Any], args: Any, kwargs: Any) -> Any:
        """Run the function and capture it, if that can be done."""
        failures: list[Unfollowed] = []

        def give_up(reason: Unfollowed) -> None:
            if self._fullgraph:
                raise TraceError(reason.message(self._name)) from None
            failures.append(reason)

        try:
            reached = reach(self._function, (*args, *kwargs.values()))
        except Unfollowed as reason:
            give_up(reason)
            self._warn(form, modes, reason)
            return self._function(*args, **kwargs)
        known = {place_of(t): t for t, _ in reached.tensors.values()}
        known |= {place_of(t): t for t in tensors}
        shapes = [tuple(tensor.shape) for tensor in tensors]
        varying, numbers = self._varying(form, modes, tensors)
        axes = dict(zip(map(place_of, tensors), varying, strict=True))
        recorder = Recorder(known, axes, reached.numbers, give_up)
        follow = (recorder.number(x, i) if i in numbers else x for i, x in enumerate(args))
        args = tuple(follow)
        named = enumerate(kwargs.items(), len(args))
        kwargs = {k: recorder.number(x, i) if i in numbers else x for i, (k, x) in named}
        previous = _C.set_recorder(recorder)
        try:
            lengths = reached.measuring if any(varying) else ()
            clocks = refused_clocks(reached.clocks)
            with amp.separate_cache(), followed_lengths(lengths), clocks:
                result = plain(self._function(*args, **kwargs))
            if not failures and current_modes() != modes:
                give_up(Unfollowed(_LEAVE_MODES, "set modes by `with`, or outside"))
            if not failures:
                recorder.require_followed()
                _C.set_recorder(None)
                try:
                    program = capture(recorder, result)
                    sources = _sources(recorder, tensors, reached)
                    kept = {i for i in numbers if argument_origin(i) not in recorder.unfollowed}
                    together = _together(tensors, reached)
                    kinds = [kind_of(tensor) for tensor in recorder.inputs]
                    entry = Entry(
                        form, modes, program, sources, reached, shapes, kept, together, kinds
                    )
                    self._keep(entry)
                except Unfollowed as reason:
                    give_up(reason)
                except (IRError, NotImplementedError, ValueError) as error:
                    give_up(Unfollowed(f"one program must be made of all; {error}", "divide it"))
        finally:
            recorder.live = False
            _C.set_recorder(previous)
        if failures:
            self._warn(form, modes, failures[0])
        return result

    def _warn(self, form: Form, modes: Modes, reason: Unfollowed) -> None:
        """Note that calls of a kind run uncaptured, and say so the first time."""
        if not (self._quiet or self._uncaptured):
            warnings.warn(f"{reason.message(self._name)}; it runs uncaptured", stacklevel=4)
        self._uncaptured[without_numbers(form), modes] = reason.rule

    def _varying(
        self, form: Form, modes: Modes, tensors: list[Any]
    ) -> tuple[list[frozenset[int]], set[int]]:
        """What is not as in earlier calls: for every tensor axes with another size, and the
        positions of arguments that are other numbers."""
        varying = [frozenset(range(t.ndim if self._dynamic else 0)) for t in tensors]
        numbers: set[int] = set()
        for entry in self._entries if self._dynamic is not False else ():
            others = other_numbers(entry.arguments, form)
            if others is None or entry.modes != modes:
                continue
            numbers |= others
            for i, (before, now) in enumerate(zip(entry.shapes, tensors, strict=True)):
                if len(before) == now.ndim:
                    varying[i] |= {a for a, n in enumerate(now.shape) if n != before[a]}
        return varying, numbers

    def _keep(self, entry: Entry) -> None:
        """Keep a program, unless the function itself has changed what it was captured with."""
        changed = entry.reached.assigned()
        if changed is None:
            self._put_first(entry)
            self._in_vain = 0
            return
        self._in_vain += 1
        self._reasons.append(f"{changed} was made or changed by the call itself")
        if self._in_vain >= _PATIENCE:
            raise Unfollowed(
                "a captured function must leave Python's variables as they are; "
                f"{changed} changes at every call",
                "keep what changes in a tensor, and write to that in place",
            )


def _run_none(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Where there is no program yet."""
    return NotImplemented


def _together(arguments: list[Any], reached: Reached) -> list[tuple[int, Any]]:
    """Pairs of an argument and an earlier one, or a tensor in a cell, of the same place. To the
    program they are one input, so they must stay together."""
    cells: dict[Place, list[int]] = {}
    for i, held in enumerate(reached.held):
        if isinstance(held, _C.Tensor):
            cells.setdefault(place_of(held), []).append(i)
    seen: dict[Place, int] = {}
    pairs: list[tuple[int, Any]] = []
    for i, place in enumerate(map(place_of, arguments)):
        if place in seen:
            pairs.append((i, seen[place]))
        elif place in cells:
            pairs.append((i, reached.held[cells[place][0]]))
            reached.shared.update(cells[place])
        seen.setdefault(place, i)
    return pairs


def _sources(recorder: Recorder, arguments: list[Any], reached: Reached) -> list[Source]:
    """Where later calls find the program's inputs."""
    changed = {id(part.tensor) for part in recorder.memory.changed()}
    written = {i for i, tensor in enumerate(recorder.inputs) if id(tensor) in changed}
    known: dict[Place, tuple[str, Any]] = {}
    for tensor, k in reached.tensors.values():
        known.setdefault(place_of(tensor), ("cell", k))
    for i, tensor in enumerate(arguments):
        known[place_of(tensor)] = "argument", i
    owners = {id(grad): owner for owner, grad in recorder.gradients_before()}
    numbers = {place_of(tensor): i for i, tensor in enumerate(recorder.inputs)}
    found: list[Source] = []
    for i, tensor in enumerate(recorder.inputs):
        source = known.get(place_of(tensor))
        if i in recorder.constants:
            source = "constant", tensor
        elif source is None and id(tensor) in owners:
            owner = numbers.get(place_of(owners[id(tensor)]), i)
            source = ("grad", owner) if owner < i else None
        if source is None:
            raise Unfollowed(
                "every tensor that a captured function reads must be an argument, or found by a "
                f"name in its code; one of shape {tuple(tensor.shape)} is not",
                "pass it in",
            )
        hooks = sum(map(len, tensor._hook_tables()))
        found.append(Source(*source, tensor.requires_grad, hooks, i in written))
    return found


def compile(
    model: Callable[..., Any] | None = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: Any = "inductor",
    mode: str | None = None,
    options: Any = None,
    disable: bool = False,
) -> Any:
    """Capture a function or module when it is called, and run the captured program from then on.

    The first call runs the function as ever; meanwhile all that it computes is put down as one
    program: forward, `backward()`, the optimizer's step, writes to parameters and buffers, random
    draws. Later calls run that program: the same bits, fewer results in memory, and no Python in
    between. When sizes, dtypes, flags or Python variables that the function reads are
    others, it is captured again; `report()` of the result says why.

    What needs a tensor's value in Python (`if loss > 1`, `item()`) cannot be captured: it is an
    error that names the line with `fullgraph`, and else the function runs uncaptured, with one
    warning.

    Args:
        model: a function or module; without it, `compile` is a decorator with options.
        fullgraph: whether what cannot be captured is an error.
        dynamic: whether sizes are symbols from the first call on (True) or never (False); else
            those are that have changed.
        backend, mode, options: as PyTorch has them; they change nothing.
        disable: give the function back as it is.

    >>> import gleed
    >>> @gleed.compile
    ... def norm(x):
    ...     return (x * x).sum().sqrt()
    >>> norm(gleed.tensor([3.0, 4.0])), norm(gleed.tensor([5.0, 12.0]))
    (tensor(5.), tensor(13.))
    """
    if mode not in _MODES:
        names = ", ".join(f'"{name}"' for name in _MODES[1:])
        raise ArgumentError(f"compile: mode is one of {names}; got {mode!r}; leave it out")
    if model is None:
        return functools.partial(compile, fullgraph=fullgraph, dynamic=dynamic, disable=disable)
    if not callable(model):
        raise ArgumentError(
            f"compile: it takes a function or a module; got {type(model).__name__}; "
            "pass what is to be called"
        )
    if disable:
        return model
    compiled = CompiledFunction(model, fullgraph, dynamic=dynamic)
    if isinstance(model, _C.ModuleBase):
        return model._with_forward(compiled)  # type: ignore[attr-defined]
    return compiled
