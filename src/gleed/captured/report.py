"""What there is to say of a captured program: what runs, and why."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from gleed.captured.listing import Listing
from gleed.captured.program import Captured
from gleed.compiler.cells import INNER
from gleed.compiler.graph import bytes_of
from gleed.compiler.objects import seconds
from gleed.compiler.split import split
from gleed.compiler.stored import reasons
from gleed.compiler.work import Work, passing, work

_AROUND = {"before": "   first", "after": "   then"}  # which blocks of the routine come
_SHARING = ("input", "permute", "broadcast", "movement", "reshape")  # the memory of others


def summary(captured: Captured) -> str:
    """One line."""
    program = captured.program
    launched = [s for s in program.schedule().steps if s[0] in ("kernel", "library", *INNER)]
    stored = {*captured.stored} - passing(program)
    return (
        f"{_many(len(program.graph.inputs), 'input')}, "
        f"{_many(len(captured.calls), 'operation')} in {_many(len(launched), 'kernel')}; "
        f"memory for {_many(len(stored), 'result')}"
    )


def details(listing: Listing, captured: Captured) -> Iterator[str]:
    """Work, memory and time; what is computed together; which results have memory, and why."""
    steps = work(captured.program)
    flops, read = sum(w.flops for w in steps), sum(w.read for w in steps)
    written = sum(w.written for w in steps)
    yield f"work: {_flops(flops)}; {_bytes(read)} read, {_bytes(written)} written"
    yield f"memory: {_memory(captured)}"
    yield f"time: {_time(captured, steps)}"
    yield "kernels and routines:"
    yield from (f"  {line}" for line in _table(listing, steps))
    found = reasons(captured.program.graph, captured.results_of, captured.program.written)
    for value in passing(captured.program):
        found.pop(value, None)
    if found:
        yield "memory for results; the others are computed where they are needed:"
    width = max((len(listing.name(v)) for v in found), default=0)
    for value, why in found.items():
        yield f"  {listing.name(value):{width}}  {listing.type(value)}: {why}"


def _memory(captured: Captured) -> str:
    """The peak of a run, and what it would be if fewer results did without memory of their own."""
    plan, program = captured.plan, captured.program
    if not plan.memory:
        return "known when the program has run"
    kept = {*captured.stored, *program.graph.outputs} - passing(program)
    values = {v for node in program.graph.nodes for v in node.outputs} & captured.results_of.keys()
    virtual = sum(bytes_of(v) for v in values - kept if v.node.kind not in _SHARING)
    return (
        f"{_bytes(plan.memory)} at most; {_bytes(plan.separate)} if no memory were used again, "
        f"{_bytes(plan.separate + virtual)} with the results that are not stored"
    )


def _table(listing: Listing, steps: list[Work]) -> Iterator[str]:
    numbers = itertools.count(1)
    for step in steps:
        targets = ", ".join(map(listing.name, step.values))
        turns = f", {step.runs} times" if step.runs > 1 else ""
        joined = " ".join(_counted(step.operations))
        kind = "kernel" if step.kernel else "routine"
        number = _AROUND.get(step.place) or f"{next(numbers)}."
        figures = f"{_flops(step.flops)}, {_bytes(step.read)} → {_bytes(step.written)}"
        yield f"{number} {kind} {step.name} → {targets}: {joined} ({figures}{turns})"


def _counted(names: tuple[str, ...]) -> Iterator[str]:
    """Names in order, each once, with how often it comes."""
    for name in dict.fromkeys(names):
        count = names.count(name)
        yield name if count == 1 else f"{name}×{count}"


def _time(captured: Captured, steps: list[Work]) -> str:
    """Where the time to compile went."""
    kernels = dict.fromkeys(w.kernel for w in steps if w.kernel)
    parts = [part for kernel in kernels for part in (kernel, *(split(kernel) or ()))]
    objects = [one for part in parts for one in seconds(part)]
    compiled = [one for one in objects if one is not None]
    return (
        f"{captured.recording * 1e3:.1f} ms to run and record it, "
        f"{captured.passes * 1e3:.1f} ms of passes, {sum(compiled) * 1e3:.1f} ms of machine code "
        f"({len(compiled)} compiled, {len(objects) - len(compiled)} from the cache)"
    )


def _flops(number: int) -> str:
    return f"{_scaled(number, 1000, ('flop', 'kflop', 'Mflop', 'Gflop', 'Tflop'))}"


def _bytes(number: int) -> str:
    return _scaled(number, 1024, ("B", "KiB", "MiB", "GiB", "TiB"))


def _scaled(number: float, step: int, units: tuple[str, ...]) -> str:
    if number < step or len(units) == 1:
        return f"{number:.4g} {units[0]}"
    return _scaled(number / step, step, units[1:])


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
