"""Parts of kernels in other kernels, where operands and params have other numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gleed.compiler.kernel import ADDRESSED, Node


def renumbered(
    root: Node, made: dict[Node, Node], operands: Mapping[int, int], params: Sequence[int] = ()
) -> Node:
    """The same node over operands, and params if given, of other numbers, and over what has been
    `made` of others."""
    stack = [root]
    while stack:
        node = stack.pop()
        pending = [arg for arg in node.args if arg not in made] if node not in made else []
        if pending:
            stack += [node, *pending]
        elif node not in made:
            attr = operands[node.attr] if node.op in ADDRESSED else node.attr
            attr = params[attr] if params and node.op == "param" else attr
            made[node] = Node(node.op, tuple(made[arg] for arg in node.args), node.dtype, attr)
    return made[root]
