"""Sums of exp(x - max(x)) in one pass over the row instead of two.

Sum and maximum are found together: the sum is taken relative to a number near the largest of what
came so far, and scaled whenever that number grows (Milakov & Gimelshein, "Online normalizer
calculation for softmax", 2018). `running(m)` is that number: inside the pass as it is just then,
afterwards the last one. It is finite whatever the row holds.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf

from gleed.compiler import kernel as k
from gleed.compiler.kernel import Check, Kernel, Node, Store, topological


def online(kernel: Kernel) -> Kernel | None:
    """The same kernel with such sums made relative to the running maximum; None without any. It
    is faster over long rows; in a short one the running maximum moves too often."""
    found = {node: _online_sum(kernel, node) for node in kernel.nodes}
    sums = {node: new for node, new in found.items() if new is not None}
    if not sums:
        return None
    made: dict[Node, Node] = {}

    def moved(root: Node) -> Node:
        for node in topological([root]):
            if node in sums:
                made[node] = moved(sums[node])
            elif node not in made:
                args = tuple(made[arg] for arg in node.args)
                made[node] = Node(node.op, args, node.dtype, node.attr)
        return made[root]

    def store(s: Store | Check) -> Store | Check:
        if isinstance(s, Check):
            return replace(s, condition=moved(s.condition))
        offset = None if s.offset is None else moved(s.offset)
        return replace(s, value=moved(s.value), offset=offset)

    return replace(kernel, stores=tuple(map(store, kernel.stores)))


def _online_sum(kernel: Kernel, node: Node) -> Node | None:
    """What a sum over exp(x - row) becomes, if the exponentials are not needed again."""
    found = shifted_exponential(kernel, node)
    if found is None or _users(kernel, node.args[0]) != 1:
        return None
    x, row = found
    greatest = k.reduce("max", x)
    reference = k.running(greatest)
    total = k.reduce("sum", k.math("exp_term", x - reference))
    # Beside an infinity or NaN, terms are what the greatest one is, or nothing.
    finite = k.lt(k.abs(greatest), inf)
    exponent = k.select(finite, reference, greatest) - row
    return k.select(finite, total, 1.0) * k.math("exp", exponent)


def shifted_exponential(kernel: Kernel, node: Node) -> tuple[Node, Node] | None:
    """x and `row` of a sum over exp(x - row) where `row` depends on the greatest x."""
    if node.op != "reduce" or node.attr != "sum" or node.dtype not in ("f32", "f64"):
        return None
    (term,) = node.args
    if (term.op, term.attr) != ("math", "exp") or term.args[0].op != "sub":
        return None
    x, row = term.args[0].args
    if kernel.level(row) == "element" or not any(_is_greatest(m, x) for m in topological([row])):
        return None
    return x, row


def _users(kernel: Kernel, node: Node) -> int:
    return sum(node in user.args for user in kernel.nodes) + sum(r is node for r in kernel.roots)


def _is_greatest(node: Node, x: Node) -> bool:
    """Whether a node is the greatest x, or the greatest of what x is a wider form of."""
    if node.op != "reduce" or node.attr != "max":
        return False
    return node.args[0] is x or (x.op == "cast" and node.args[0] is x.args[0])


def relative_nodes(kernel: Kernel) -> dict[Node, Node]:
    """The values that are relative to a running maximum, and the sums of them; to which."""
    found: dict[Node, Node] = {}
    for node in kernel.nodes:
        if node.op != "reduce" and node not in kernel.elements:
            continue
        for arg in node.args:
            if arg.op == "running":
                found[node] = arg
            elif arg in found and arg.op != "reduce":
                found[node] = found[arg]
    return found
