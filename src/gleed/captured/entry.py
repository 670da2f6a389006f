"""Captured programs as the core runs them: checked and run without Python."""

from __future__ import annotations

from typing import Any, NamedTuple

from gleed import _C, amp
from gleed.captured.memory import place_of
from gleed.captured.obstacles import names_of_tensors, other_argument, other_mode, other_tensor
from gleed.captured.program import Captured
from gleed.captured.reach import MISSING, Reached
from gleed.captured.recorder import argument_origin
from gleed.captured.structure import (
    Branch,
    Fixed,
    Form,
    Leaf,
    attributes_of,
    build,
    has_attributes,
    other_numbers,
    take_apart,
)

# What the core calls the kinds of forms, cells and sources.
_TENSOR, _FIXED, _SEQUENCE, _DICT, _FIELDS, _NUMBER = range(6)
_KINDS_OF_CELLS = "item", "attribute", "index", "length", "keys", "content", "type", "code"
_CELLS = {kind: i for i, kind in enumerate(_KINDS_OF_CELLS)}
_SOURCES = {"argument": 0, "cell": 1, "grad": 2, "constant": 3}


class Modes(NamedTuple):
    """The modes of the caller that decide what a function computes."""

    grad: bool
    inference: bool
    default_dtype: Any
    autocast: Any  # its dtype, or False


def current_modes() -> Modes:
    """The modes of the caller."""
    return Modes(
        _C.is_grad_enabled(),
        _C.is_inference_mode_enabled(),
        _C.get_default_dtype(),
        amp.is_autocast_enabled("cpu") and amp.get_autocast_dtype("cpu"),
    )


class Source(NamedTuple):
    """Where a call finds an input of the program.

    kind: "argument" (number `what`), "cell" (number `what`), "grad" (of input number `what`), or
    "constant" (the tensor). requires_grad: of the tensor there. hooks: how many it has.
    written: whether the program writes to it.
    """

    kind: str
    what: Any
    requires_grad: bool
    hooks: int
    written: bool


class Entry:
    """A captured program, and what must hold for it to be run. `numbers` are the arguments, as
    positions in `given`, that may be other numbers. `together`: pairs of an argument, by its
    number, and another, or a tensor that is no argument, of the same place. `kinds`: of every input
    what `kind_of` says."""

    def __init__(
        self,
        arguments: Form,
        modes: Modes,
        captured: Captured,
        sources: list[Source],
        reached: Reached,
        shapes: list[tuple[int, ...]],
        numbers: set[int],
        together: list[tuple[int, Any]],
        kinds: list[Any],
    ) -> None:
        self.arguments, self.modes = arguments, modes
        self.numbers, self._together = numbers, together
        self.captured, self.reached, self.shapes = captured, reached, shapes
        self.sources, self._kinds = sources, kinds
        # Containers that the core does not make are made here, of a tuple of the tensors.
        self._plain = _is_plain(captured.form)
        tensors = tuple((_TENSOR, k) for k in range(len(captured.results)))
        form = _coded(captured.form) if self._plain else (_SEQUENCE, tuple, tensors)
        slots = {position: len(shapes) + i for i, position in enumerate(sorted(numbers))}
        origins = {argument_origin(position): ~slot for position, slot in slots.items()}
        needs = [(k, 0) for k in captured.needs_none] + [(k, 1) for k in captured.needs_some]
        self._core = _C.Entry(
            _coded_arguments(arguments, slots),
            len(shapes) + len(slots),
            (modes.grad, modes.inference, modes.default_dtype, modes.autocast is not False),
            tuple(
                (_CELLS[cell.kind], cell.holder, cell.key, held, i in reached.shared)
                for i, (cell, held) in enumerate(zip(reached.cells, reached.held, strict=True))
            ),
            MISSING,
            tuple((_SOURCES[s.kind], *s[1:]) for s in sources),
            (
                captured.op,
                captured.numbers,
                tuple((k, origins.get(origin, origin)) for k, origin in captured.followed),
                captured.generators,
                captured.differentiable > 0,
            ),
            tuple((k, -1 if output is None else output) for k, output in captured.gradients),
            tuple(needs),
            (form, tuple((int(kind == "output"), k) for kind, k in captured.results)),
        )
        # run(args, kwargs) is the result of a call, or NotImplemented if the program is not for it;
        # raises `Outdated` if its tensors have other sizes.
        self._looks = bool(together) or has_attributes(arguments)
        native = self._plain and not modes.autocast and not self._looks
        self.run = self._core if native else self._run

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the core leaves to Python."""
        if self.modes.autocast and self.modes != current_modes():
            return NotImplemented
        if self._looks and not self._fits(*take_apart((args, kwargs))):
            return NotImplemented
        result = self._core(args, kwargs)
        if self._plain or result is NotImplemented:
            return result
        return build(self.captured.form, result)

    def _fits(self, tensors: list[Any], arguments: Form) -> bool:
        """Whether arguments have the attributes of the captured ones, and are at one place where
        those were."""
        others = other_numbers(self.arguments, arguments)
        if others is None or not others <= self.numbers:
            return False
        pairs = ((i, tensors[x] if isinstance(x, int) else x) for i, x in self._together)
        return all(place_of(tensors[i]) == place_of(other) for i, other in pairs)

    def obstacle(self, tensors: list[Any], arguments: Form, modes: Modes) -> str:
        """Why the program is not for a call."""
        other = other_mode(self.modes, modes)
        other = other or other_argument(self.arguments, arguments, self.numbers)
        if other is None and (changed := self.reached.changed()) is not None:
            other = f"{changed.path} has changed"
        return other or self._other_input(tensors)

    def _other_input(self, tensors: list[Any]) -> str:
        """How the tensors that the program would be run on are not those that it is for."""
        names = names_of_tensors(self.arguments)
        found: list[tuple[str, Any]] = []
        for k, source in enumerate(self.sources):
            if source.kind == "argument":
                found.append((names[source.what], tensors[source.what]))
            elif source.kind == "cell":
                cell = self.reached.cells[source.what]
                found.append((cell.path, cell.get()))
            elif source.kind == "grad":
                owner, tensor = found[source.what]
                found.append((f"{owner}.grad", tensor.grad))
            else:
                found.append(("a constant", source.what))
            name, tensor = found[k]
            if tensor is None:
                return f"{name} was a tensor, and is None"
            value = self.captured.program.graph.inputs[k]
            if other := other_tensor(name, value, self._kinds[k], tensor):
                return other
        for needed, (before, now) in (
            (self.captured.needs_none, ("None", "a tensor")),
            (self.captured.needs_some, ("a tensor", "None")),
        ):
            for k in needed:
                if (found[k][1].grad is None) != (before == "None"):
                    return f"{found[k][0]}.grad was {before}, and is {now}"
        return "sizes compare in another way, or tensors share memory"


def _is_plain(form: Form) -> bool:
    """Whether a value is made of tuples, lists and dictionaries."""
    if not isinstance(form, Branch):
        return True
    return form.kind in (tuple, list, dict) and all(map(_is_plain, form.items))


def _coded_arguments(form: Form, slots: dict[int, int]) -> tuple[Any, ...]:
    """The form of (args, kwargs) as the core takes it, with any number in these positions."""
    assert isinstance(form, Branch)
    halves = [_coded(half) for half in form.items]
    count = len(halves[0][-1])
    coded = [item for half in halves for item in half[-1]]
    for at, slot in slots.items():
        coded[at] = (_NUMBER, type(coded[at][1]), slot)
    items = tuple(coded[:count]), tuple(coded[count:])
    both = tuple((*half[:-1], own) for half, own in zip(halves, items, strict=True))
    return _SEQUENCE, form.kind, both


def _coded(form: Form) -> tuple[Any, ...]:
    """A form as the core takes it."""
    if isinstance(form, Leaf):
        return _TENSOR, form.k
    if isinstance(form, Fixed):
        return _FIXED, form.value
    items = tuple(map(_coded, form.items[:-1] if attributes_of(form) else form.items))
    if form.keys is None:
        return _SEQUENCE, form.kind, items
    return _DICT if issubclass(form.kind, dict) else _FIELDS, form.kind, form.keys, items
