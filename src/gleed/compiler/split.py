"""A reduction to few results in two kernels, so that several threads can share a long range.

The first reduces chunks of the range to raw accumulators, the second reduces these and does what
follows. The chunks depend on sizes only, so the result does not depend on the number of threads.

A sum of exp(x - row), where `row` follows from the greatest x, is relative to the greatest of each
chunk first, and in the second kernel to that of all (the merge of Milakov & Gimelshein, "Online
normalizer calculation for softmax", 2018).
"""

from __future__ import annotations

from math import inf

from gleed.compiler import kernel as k
from gleed.compiler.kernel import Check, Kernel, Node, Operand, Store, load, reduce, topological
from gleed.compiler.online import shifted_exponential
from gleed.compiler.renumber import renumbered

Nodes = dict[Node, Node]


def split(kernel: Kernel) -> tuple[Kernel, Kernel] | None:
    """The two halves of a kernel, or None if its results need more than one pass over the range, or
    depend on its order."""
    reductions = [node for node in kernel.nodes if node.op == "reduce"]
    if not reductions or kernel.ordered or kernel.sequential:
        return None
    for store in kernel.stores:
        if isinstance(store, Check) or kernel.level(store.value) == "element":
            return None
        if kernel.operands[store.k].element:  # one value, repeated along the range
            return None
    nested = {node: _inner(node) for node in reductions if _inner(node)}
    if any(len(m) > 1 or shifted_exponential(kernel, node) is None for node, m in nested.items()):
        return None
    return _partial(kernel, reductions), _finish(kernel, reductions)


def accumulator_dtypes(kernel: Kernel) -> tuple[str, ...]:
    """The dtypes of what the first half hands to the second."""
    return tuple(node.dtype for node in kernel.nodes if node.op == "reduce")


def _inner(reduction: Node) -> list[Node]:
    """The reductions that an element of this one depends on."""
    return [node for node in topological(reduction.args) if node.op == "reduce"]


def _partial(kernel: Kernel, reductions: list[Node]) -> Kernel:
    inputs = tuple(o for o in kernel.operands if o.kind != "out")
    outputs = tuple(Operand(node.dtype, "out") for node in reductions)
    stores = tuple(Store(len(inputs) + i, node) for i, node in enumerate(reductions))
    return Kernel(f"{kernel.name}_chunks", inputs + outputs, kernel.params, stores)


def _finish(kernel: Kernel, reductions: list[Node]) -> Kernel:
    operands = [Operand(node.dtype, "in", True) for node in reductions]
    numbers: dict[int, int] = {}
    for number, operand in enumerate(kernel.operands):
        if operand.kind == "index" or not operand.element:
            numbers[number] = len(operands)
            operands.append(operand)
    parts: Nodes = {node: load(i, node.dtype) for i, node in enumerate(reductions)}
    totals: Nodes = {}
    for node in reductions:
        part = _relative(kernel, node, parts, totals, numbers) if _inner(node) else parts[node]
        totals[node] = reduce(str(node.attr), part)
    stores = tuple(
        Store(numbers[s.k], renumbered(s.value, totals, numbers), None, s.mode)
        for s in kernel.stores
        if isinstance(s, Store)
    )
    return Kernel(f"{kernel.name}_total", tuple(operands), kernel.params, stores)


def _relative(
    kernel: Kernel, node: Node, parts: Nodes, totals: Nodes, numbers: dict[int, int]
) -> Node:
    """What a chunk's sum of exp(x - row) is with the row of all chunks in place of its own."""
    found = shifted_exponential(kernel, node)
    assert found is not None
    (greatest,) = _inner(node)
    own, whole = (renumbered(found[1], dict(made), numbers) for made in (parts, totals))
    # A chunk of -inf alone adds nothing; it has no sum if nothing is subtracted from it.
    empty = k.eq(parts[greatest], -inf) & k.ne(totals[greatest], -inf)
    return k.select(empty, 0.0, parts[node] * k.math("exp", own - whole))
