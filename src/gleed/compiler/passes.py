"""Passes over the row: which values of a lowered kernel each pass computes.

The stage of a value is the number of passes that must have ended before it can be computed: a
reduction is one stage after its argument. Pass p ends the reductions whose argument is of stage p;
all element stores happen in the last pass, so that an output may be one of the inputs. Earlier
values that a later pass needs are computed again, unless they are dear and an output can hold them
meanwhile (`keep`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gleed.compiler.kernel import Check, Kernel, Node, Store
from gleed.compiler.pipeline import enabled

# Keeping a value costs a store and a load, so it must replace at least this much arithmetic.
_DEAR = 8
_FREE = ("const", "param", "load", "index", "cast", "bitcast")


@dataclass(frozen=True)
class Keep:
    """Pass `first` writes `node` to operand `k`; later passes load it from there."""

    node: Node
    k: int
    first: int


@dataclass(frozen=True)
class Pass:
    """One traversal of the reduced axes: the reductions it ends, the running maxima it keeps, the
    element values it computes (arguments first), and the stores it performs."""

    reductions: tuple[Node, ...]
    running: tuple[Node, ...]
    nodes: tuple[Node, ...]
    stores: tuple[Store | Check, ...]


@dataclass(frozen=True)
class Passes:
    """All traversals, the stage of each node, and the value kept between them, if any."""

    passes: tuple[Pass, ...]
    stages: dict[Node, int]
    keep: Keep | None


def divide(kernel: Kernel, may_keep: Callable[[Node], bool]) -> Passes:
    """Divide a lowered kernel into passes; `may_keep` says of a node whether it varies at every
    point, so that an output has room for it."""
    stages = _stages(kernel)
    reductions = [node for node in kernel.nodes if node.op == "reduce"]
    stores = [store for store in kernel.stores if _per_element(kernel, store)]
    last_reduction = max((stages[node.args[0]] for node in reductions), default=-1)
    last = max([last_reduction, *(_stage(store, stages) for store in stores)])
    groups = [[r for r in reductions if stages[r.args[0]] == p] for p in range(last + 1)]
    sinks = [[r.args[0] for r in group] for group in groups]
    if sinks:
        sinks[-1] += [root for store in stores for root in _roots(store)]
    keep = _choose_keep(kernel, sinks, stores, may_keep)
    passes = []
    for p, group in enumerate(groups):
        kept = keep.node if keep and p > keep.first else None
        nodes = _needed(kernel, sinks[p], kept)
        running = tuple(n for n in kernel.nodes if n.op == "running" and stages[n] == p)
        passes.append(Pass(tuple(group), running, nodes, tuple(stores) if p == last else ()))
    return Passes(tuple(passes), stages, keep)


def _per_element(kernel: Kernel, store: Store | Check) -> bool:
    if not kernel.reduces or (isinstance(store, Store) and kernel.operands[store.k].element):
        return True
    return any(root in kernel.elements for root in _roots(store))


def _roots(store: Store | Check) -> list[Node]:
    if isinstance(store, Check):
        return [store.condition]
    return [store.value] if store.offset is None else [store.value, store.offset]


def _stage(store: Store | Check, stages: dict[Node, int]) -> int:
    return max(stages[root] for root in _roots(store))


def _stages(kernel: Kernel) -> dict[Node, int]:
    stages: dict[Node, int] = {}
    for node in kernel.nodes:
        # A running maximum is known in the pass that finds the maximum.
        args = node.args[0].args if node.op == "running" else node.args
        stages[node] = max((stages[arg] for arg in args), default=0) + (node.op == "reduce")
    return stages


def _needed(kernel: Kernel, sinks: Iterable[Node], kept: Node | None) -> tuple[Node, ...]:
    """The element nodes under the sinks, arguments first, not looking below a kept one."""
    found: set[Node] = set()
    stack = list(sinks)
    while stack:
        node = stack.pop()
        if node not in found and (node in kernel.elements or not kernel.reduces):
            found.add(node)
            if node is not kept:
                stack.extend(node.args)
    return tuple(node for node in kernel.nodes if node in found)


def _choose_keep(
    kernel: Kernel,
    sinks: list[list[Node]],
    stores: list[Store | Check],
    may_keep: Callable[[Node], bool],
) -> Keep | None:
    """The dearest value of the last pass that an earlier one computes too, provided an output of
    its dtype can hold it and nothing is read afterwards that this output might overwrite."""
    if len(sinks) < 2 or kernel.sequential or not enabled("keep"):
        return None
    computed = [set(_needed(kernel, pass_sinks, None)) for pass_sinks in sinks]
    places = {
        kernel.operands[s.k].dtype: s.k
        for s in stores
        if isinstance(s, Store) and kernel.operands[s.k].element
    }
    best, best_cost = None, _DEAR - 1
    for node in (n for n in kernel.nodes if n in computed[-1]):
        first = next((p for p, nodes in enumerate(computed[:-1]) if node in nodes), None)
        if first is None or node.dtype not in places or not may_keep(node):
            continue
        cost = _cost(kernel, node)
        later = (_needed(kernel, pass_sinks, node) for pass_sinks in sinks[first + 1 :])
        reads = any(n.op in ("load", "gather") for nodes in later for n in nodes)
        if cost > best_cost and not reads:
            best, best_cost = Keep(node, places[node.dtype], first), cost
    return best


def _cost(kernel: Kernel, node: Node) -> int:
    return sum(n.op not in _FREE for n in _needed(kernel, [node], None))
