"""Plans that an earlier process has made.

What the backward of a program gets from it, which results get memory and the steps of its plans
follow from what it computes. So they are kept on disk, beside the objects of the kernels, under a
digest of all that they follow from: the graph with its gradient, what was decided about sizes, and
gleed's own sources. A later process finds them, and neither fuses nor schedules anything. What is
found is data (numbers, text and tuples of these), and the core checks it as it checks any plan.

Made anew are programs with bodies, those with gradient rules that are not functions of gleed's, and
those about whose sizes something is decided only after the graph is there.
"""

from __future__ import annotations

import marshal
import os
import sys
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from operator import attrgetter
from types import FunctionType
from typing import Any, NamedTuple

import gleed
from gleed.compiler.dims import Dim
from gleed.compiler.graph import Node, Value, topological
from gleed.compiler.kernel_text import PrintedKernel, printed
from gleed.compiler.objects import keep, kept, named_key, sources
from gleed.compiler.pipeline import PASSES, enabled, left_out
from gleed.compiler.planning import (
    Forms,
    Parts,
    forms_of,
    plan_from,
    printed_core_kernel,
    with_kernels,
)
from gleed.trace import Entry, Standin, Trace

_PLAIN = (str, int, float, bool, type(None))
# The folders whose code plans follow from, with the compiler's.
_FOLDERS = ("", "captured", "ops", "primitives")


class Answer(NamedTuple):
    """What is kept of a program: the values that its backward gets besides arguments and results,
    by number; `edges`, `saved` and `sizes` of its gradient record; and its plan."""

    residuals: tuple[int, ...]
    edges: tuple[int, ...]
    saved: tuple[tuple[str, int], ...]
    sizes: tuple[tuple[int, int], ...]
    parts: Parts


class Question:
    """What is kept of a program; its values have the same numbers in every process."""

    def __init__(self, key: bytes, numbers: dict[Value, int]) -> None:
        self.numbers, self.values, self._key = numbers, [*numbers], key

    @classmethod
    def about(
        cls,
        trace: Trace,
        outputs: Sequence[Standin],
        written: dict[int, int],
        calls: dict[Value, int],
        more: Any,
        cotangents: Sequence[Value] = (),
        gradients: Sequence[Standin] = (),
    ) -> Question | None:
        """The question for a program, if text can tell all that its plans follow from.

        `calls` as for `placement`, `more`: what they follow from besides; `cotangents` and
        `gradients` as far as they are in the graph.
        """
        if not enabled("plans"):
            return None
        results, slopes = [y.value for y in outputs], [g.value for g in gradients]
        ends = trace.inputs, results, trace.draws(), cotangents, slopes
        nodes = topological(v.node for group in ends for v in group)
        nodes.sort(key=attrgetter("serial"))
        number = {v: i for i, v in enumerate(v for node in nodes for v in node.outputs)}
        tape = trace.tape or {}
        facts = (
            [_fact(node, number, node in tape) for node in nodes],
            [_rule(entry, number) for key, entry in tape.items() if not isinstance(key, Node)],
            [[number[v] for v in group] for group in ends],
            [(number[v], call) for v, call in calls.items() if v in number],
            [(dim, dim.hint) for dim in trace.scope.symbols()],
            trace.scope.guards,
            written,
            more,
        )
        if None in facts[0] or None in facts[1]:
            return None
        return cls(named_key(f"{_environment()}\n{left_out(*PASSES)}\n{facts!r}"), number)

    def answer(self) -> Answer | None:
        """What is kept of the program."""
        found = _read(self._key)
        return found and Answer._make((*found[0], found[1]))

    def tell(self, answer: Answer) -> None:
        """Keep it."""
        _write(self._key, answer[:-1], answer.parts)

    def backward(self, defined: int, needed: int) -> Parts | None:
        """What is kept of the plan for these cotangents and gradients."""
        found = _read(self._backward_key(defined, needed))
        return found and found[1]

    def tell_backward(self, defined: int, needed: int, parts: Parts) -> None:
        """Keep it, if it is for all sizes that the program is for."""
        _, _, guards, *_ = parts
        if not guards:
            _write(self._backward_key(defined, needed), (), parts)

    def _backward_key(self, defined: int, needed: int) -> bytes:
        return named_key(f"{self._key.hex()} {defined} {needed}")


def known_plan(parts: Parts, program: Callable[[], Any], grad: Any = None) -> Any:
    """The plan that has been kept, of a program that is made when somebody looks at it."""
    return plan_from(parts, _Later(program), grad)


class _Later:
    """Stands for a program, and makes it at the first look at it."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    @cached_property
    def _made(self) -> Any:
        return self._make()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made, name)


def _fact(node: Node, number: dict[Value, int], taped: bool) -> tuple[Any, ...] | None:
    if not all(map(_is_plain, node.attrs.values())):
        return None
    inputs = [number[v] for v in node.inputs]
    types = [(v.dtype, v.shape) for v in node.outputs]
    return node.op, inputs, node.attrs, types, taped, node.looped


def _rule(entry: Entry, number: dict[Value, int]) -> tuple[Any, ...] | None:
    """A step with a gradient rule of its own, which has a name in gleed's sources."""
    rule = entry.rule
    if not isinstance(rule, FunctionType) or not rule.__module__.startswith("gleed.ops."):
        return None
    place = rule.__module__, rule.__code__.co_firstlineno

    def told(x: Any) -> Any:
        if isinstance(x, list | tuple):
            return [*map(told, x)]
        # What is not in the graph is an object that is not plain.
        return (number.get(x.value, x), x.weak) if isinstance(x, Standin) else x

    results = [number[y.value] for y in entry.outputs if y.value in number]
    inputs = told(entry.inputs) if results else ()  # else nothing depends on it
    plain = _is_plain(inputs) and not rule.__closure__
    return (entry.name, place, inputs, results, len(entry.outputs)) if plain else None


def _is_plain(attr: Any) -> bool:
    """Whether text tells all of an attribute; not that of a body."""
    if isinstance(attr, list | tuple):
        return all(map(_is_plain, attr))
    return type(attr) in _PLAIN or isinstance(attr, Dim)


@cache
def _environment() -> str:
    """All that decides how a program is planned, beside the program and the compiler."""
    here = os.path.dirname(gleed.__file__)
    folders = (sources(os.path.join(here, folder)) for folder in _FOLDERS)
    return named_key("\n".join([sys.version, *folders])).hex()


def _write(key: bytes, facts: tuple[Any, ...], parts: Parts) -> None:
    """Keep facts about a plan and the plan, kernels as text; nothing that is not data alone."""
    places: dict[Forms, int] = {}

    def place(ir: Any) -> list[int]:
        return [places.setdefault(forms_of(ir), len(places))]

    told = with_kernels(parts, place)
    try:
        keep(key, marshal.dumps((facts, [*map(_told, places)], told)))
    except ValueError:  # there is something else in it
        return


def _read(key: bytes) -> tuple[tuple[Any, ...], Parts] | None:
    """What was kept, with the core's kernels."""
    data = kept(key)
    try:
        facts, texts, parts = marshal.loads(data or b"")
    except (EOFError, TypeError, ValueError):
        return None
    kernels = [printed_core_kernel(_heard(forms)) for forms in texts]
    return facts, with_kernels(parts, lambda place: kernels[place[0]])


def _told(forms: Forms) -> tuple[Any, ...]:
    ir, halves, long = forms
    parts = halves and (*map(_told, halves[:2]), halves[2])
    return tuple(printed(ir)), parts, long and _told(long)


def _heard(forms: tuple[Any, ...]) -> Forms:
    ir, halves, long = forms
    parts = halves and (*map(_heard, halves[:2]), halves[2])
    return PrintedKernel(*ir), parts, long and _heard(long)
