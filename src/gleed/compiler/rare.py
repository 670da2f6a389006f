"""What only the rare side of `rarely` needs: it is computed under a branch, not at every point."""

from __future__ import annotations

from collections.abc import Iterable

from gleed.compiler.kernel import Kernel, Node, topological
from gleed.compiler.pipeline import enabled

# Leaves and reductions are computed where their operands are known to be valid.
_STAY = ("param", "load", "index", "gather", "reduce", "scan", "running")


def rare_nodes(kernel: Kernel) -> dict[Node, tuple[Node, ...]]:
    """For each `rarely` node the nodes to compute in its branch, arguments first."""
    if not enabled("rare") or not any(node.op == "rarely" for node in kernel.nodes):
        return {}
    usual = _usually_needed(kernel.roots)
    usual |= _usually_needed(n for n in kernel.nodes if n.op in _STAY and n not in usual)
    return {
        node: tuple(n for n in topological([node.args[1]]) if n not in usual and n.op != "const")
        for node in kernel.nodes
        if node.op == "rarely"
    }


def _usually_needed(roots: Iterable[Node]) -> set[Node]:
    """The nodes under the roots, not looking at the rare side of `rarely`."""
    found: set[Node] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            stack += (node.args[0], node.args[2]) if node.op == "rarely" else node.args
    return found
