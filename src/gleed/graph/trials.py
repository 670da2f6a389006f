"""Sizes to try where a size, or even a rank, is not known.

A trial that fails tells which sizes differed that should not, perhaps: the next ones follow from
these decisions. So "the rows of one are four times the columns of another" is found too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, product
from typing import Any

from gleed.compiler.dims import Dim, Size, hint
from gleed.graph.node import Node, mapped
from gleed.graph.sizes import SizeNode

# Values of unknown sizes: they divide by most small numbers and are rare among real sizes.
HINTS = (2520, 1260)
# The same where elements are computed: for one unknown size, two, or more.
SMALL_HINTS = (HINTS, (60, 36), (12, 6))
LARGEST_RANK = 5
# How many trials there are at most: in all, for ranks that differ, and following one another from
# one failure; and how many choices of ranks.
TRIALS, FEW_TRIALS, REPAIRS, RANKINGS = 96, 6, 32, 216


class Unknown(int):
    """The value that a size which is not known has in one trial."""


class Trial:
    """Sizes to try, those that are not known being `Unknown`; afterwards, whether that failed and
    which decisions were taken on sizes."""

    def __init__(self, sizes: dict[Node, tuple[int, ...]]) -> None:
        self.sizes = sizes
        self.failed = True
        self.guards: Sequence[tuple[str, Size, Size]] = ()
        self.traced = False

    @property
    def certain(self) -> bool:
        """Whether other values would have given the same: nothing was decided by these."""
        return self.traced and not self.guards

    def key(self) -> tuple[tuple[int, ...], ...]:
        """Equal for equal sizes."""
        return tuple(self.sizes.values())

    def repaired(self) -> Iterator[Trial]:
        """Trials in which an unknown size is what it was found to differ from, the last first."""
        for relation, a, b in reversed(self.guards) if self.failed else ():
            for size, other in ((a, b), (b, a)):
                if relation == "ne" and isinstance(size, Dim) and size.op == "size":
                    yield self._with(size, hint(other))

    def _with(self, symbol: Dim, value: int) -> Trial:
        number, axis = symbol.args
        sizes = list(self.sizes.items())
        node, old = sizes[number]
        sizes[number] = node, (*old[:axis], Unknown(value), *old[axis + 1 :])
        return Trial(dict(sizes))


def trials(
    nodes: Sequence[Node], args: Any, kwargs: Any, symbolic: bool
) -> Iterator[Iterator[Trial]]:
    """For each choice of ranks the trials; equal ranks first."""
    unranked = [node for node in nodes if known_dims(node) is None]
    numbers = range(LARGEST_RANK + 1 if unranked else 1)
    alike = [(n,) * len(unranked) for n in numbers]
    mixed = islice(product(numbers, repeat=len(unranked)), 1, RANKINGS)
    for ranks in dict.fromkeys((*alike, *mixed)):
        chosen = dict(zip(unranked, ranks, strict=True))
        dims = {n: (None,) * chosen[n] if n in chosen else known_dims(n) or () for n in nodes}
        limit = TRIALS if len({*ranks}) < 2 else FEW_TRIALS
        yield islice(_repairing(_assigned(dims, args, kwargs, symbolic)), limit)


def _repairing(trials: Iterator[Trial]) -> Iterator[Trial]:
    """The trials, each followed by what its failure suggests."""
    seen = set()
    for first in trials:
        waiting = [first]
        for _ in range(REPAIRS):
            if not waiting:
                break
            trial = waiting.pop()
            if trial.key() not in seen:
                seen.add(trial.key())
                yield trial
                waiting += reversed([*trial.repaired()])


def known_dims(node: Node) -> tuple[int | None, ...] | None:
    """What is known of a node's sizes, or of the values of a node that is sizes."""
    return node.values if isinstance(node, SizeNode) else node.shape.dims


def _assigned(
    dims: dict[Node, tuple[int | None, ...]], args: Any, kwargs: Any, symbolic: bool
) -> Iterator[Trial]:
    """Trials of given ranks: one value for all sizes that are not known, then mixtures."""
    unknown = sum(d.count(None) for d in dims.values())
    if not unknown:
        yield Trial({node: tuple(n for n in d if n is not None) for node, d in dims.items()})
        return
    known = {n for d in dims.values() for n in d if n is not None}
    mapped((args, kwargs), lambda leaf: known.add(leaf) if _is_size(leaf) else None)
    lists = (x for x in (*args, *kwargs.values()) if isinstance(x, list | tuple))
    known |= {sum(x) for x in lists if all(map(_is_size, x))}  # parts add up to a size
    hints = HINTS if symbolic else SMALL_HINTS[min(unknown, len(SMALL_HINTS)) - 1]
    values = (hints[0], 1, hints[1], *sorted(known - {0, 1}))
    alike = ((n,) * unknown for n in values)
    mixed = (c for c in product((hints[0], 1, *values[3:]), repeat=unknown) if len({*c}) > 1)
    for choice in (*alike, *islice(mixed, TRIALS)):
        numbers = iter(choice)
        yield Trial(
            {
                node: tuple(Unknown(next(numbers)) if n is None else n for n in d)
                for node, d in dims.items()
            }
        )


def _is_size(leaf: Any) -> bool:
    return isinstance(leaf, int) and not isinstance(leaf, bool) and 0 < leaf <= 1 << 20
