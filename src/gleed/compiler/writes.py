"""Groups of writes to memory: in which order, and how many of them in one kernel."""

from __future__ import annotations

from collections.abc import Callable
from graphlib import TopologicalSorter

from gleed.compiler.graph import Value

Group = dict[Value, int]  # values, and the plan values that they are written to

MOST_OPERANDS = 64  # of one kernel; also in the core
OPERANDS_AT_ONCE = 32  # of one kernel to which more are added


def in_order(groups: dict[object, Group], read: Callable[[Value], set[int]]) -> list[Group]:
    """Groups, named by keys: whoever reads memory before whoever overwrites it. `read` says which
    plan values are read for a value. Raises CycleError where there is no such order."""
    writers = {target: key for key, group in groups.items() for target in group.values()}
    readers: dict[object, list[object]] = {key: [] for key in groups}
    for key, group in groups.items():
        for number in sorted({n for value in group for n in read(value)}):
            if writers.get(number, key) != key:
                readers[writers[number]].append(key)
    return [groups[key] for key in TopologicalSorter(readers).static_order()]


def divided(group: Group, touched: Callable[[Value], set[Value | int]]) -> list[Group]:
    """A group in parts for kernels of not too many operands. What shares a computation stays
    together, and what reads memory with what overwrites it. `touched` says what is computed for a
    value, and which plan values are read."""
    families: list[tuple[set[Value | int], Group]] = []
    written = set(group.values())
    for value, target in group.items():
        shared, members = touched(value) | {target}, {value: target}
        keys = {key for key in shared if key in written or isinstance(key, Value)}
        for family in [f for f in families if not keys.isdisjoint(f[0])]:
            families.remove(family)
            shared, members = family[0] | shared, family[1] | members
        families.append((shared, members))
    parts: list[Group] = []
    room = 0
    for shared, members in families:
        size = len(members) + sum(isinstance(x, int) for x in shared)
        if size > room:
            parts.append({})
            room = OPERANDS_AT_ONCE
        parts[-1] |= members
        room -= size
    return parts
