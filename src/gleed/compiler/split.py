"""A reduction to few results in two kernels, so that several threads can share a long range.

The first reduces chunks of the range to raw accumulators, the second reduces these and does what
follows. The chunks depend on sizes only, so the result does not depend on the number of threads.
"""

from __future__ import annotations

from gleed.compiler.kernel import Check, Kernel, Node, Operand, Store, load, reduce


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
    if any(node.op == "reduce" for r in reductions for node in _under(r.args[0])):
        return None
    return _partial(kernel, reductions), _finish(kernel, reductions)


def accumulator_dtypes(kernel: Kernel) -> tuple[str, ...]:
    """The dtypes of what the first half hands to the second."""
    return tuple(node.dtype for node in kernel.nodes if node.op == "reduce")


def _under(root: Node) -> set[Node]:
    found: set[Node] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            stack.extend(node.args)
    return found


def _partial(kernel: Kernel, reductions: list[Node]) -> Kernel:
    inputs = tuple(o for o in kernel.operands if o.kind != "out")
    outputs = tuple(Operand(node.dtype, "out") for node in reductions)
    stores = tuple(Store(len(inputs) + i, node) for i, node in enumerate(reductions))
    return Kernel(f"{kernel.name}_chunks", inputs + outputs, kernel.params, stores)


def _finish(kernel: Kernel, reductions: list[Node]) -> Kernel:
    operands = [Operand(node.dtype, "in", True) for node in reductions]
    numbers: dict[int, int] = {}
    for k, operand in enumerate(kernel.operands):
        if operand.kind == "index" or not operand.element:
            numbers[k] = len(operands)
            operands.append(operand)
    made: dict[Node, Node] = {
        node: reduce(str(node.attr), load(i, node.dtype)) for i, node in enumerate(reductions)
    }

    def moved(node: Node) -> Node:
        if node not in made:
            attr = node.attr
            if node.op in ("load", "index", "gather"):
                attr = numbers[attr]
            made[node] = Node(node.op, tuple(map(moved, node.args)), node.dtype, attr)
        return made[node]

    stores = tuple(
        Store(numbers[s.k], moved(s.value), None, s.mode)
        for s in kernel.stores
        if isinstance(s, Store)
    )
    return Kernel(f"{kernel.name}_total", tuple(operands), kernel.params, stores)
