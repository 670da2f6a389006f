"""Lowering: what machine code has no instruction for becomes plain nodes.

- functions of `mathlib` are expanded;
- arithmetic in f16 and bf16 is done in f32, every result rounded back;
- stores that combine ("add", "max", "min") load, combine and set.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import replace

from gleed.compiler import kernel as k
from gleed.compiler.kernel import HALVES, Check, Kernel, Node, Store
from gleed.compiler.mathlib import LOWERINGS

_CARRIED_AS_BITS = ("const", "param", "load", "gather", "select", "bitcast")


def lower(kernel: Kernel) -> Kernel:
    """The same kernel without math nodes, 16-bit arithmetic or combining stores."""
    stores = [_plain_store(kernel, store) for store in kernel.stores]
    done: dict[Node, Node] = {}
    _lower_all((root for store in stores for root in _roots(store)), done)
    lowered = tuple(
        replace(s, condition=done[s.condition])
        if isinstance(s, Check)
        else replace(s, value=done[s.value], offset=None if s.offset is None else done[s.offset])
        for s in stores
    )
    return replace(kernel, stores=lowered)


def _roots(store: Store | Check) -> list[Node]:
    if isinstance(store, Check):
        return [store.condition]
    return [store.value] if store.offset is None else [store.value, store.offset]


def _plain_store(kernel: Kernel, store: Store | Check) -> Store | Check:
    if isinstance(store, Check) or store.mode == "set":
        return store
    dtype = kernel.operands[store.k].dtype
    old = k.load(store.k, dtype)
    if store.offset is not None:
        old = k.gather(store.k, store.offset, dtype)
    return replace(store, value=_COMBINED[store.mode](old, store.value), mode="set")


def _or(number: Callable[[Node, Node], Node]) -> Callable[[Node, Node], Node]:
    return lambda x, y: x | y if x.dtype == "bool" else number(x, y)


def _and(number: Callable[[Node, Node], Node]) -> Callable[[Node, Node], Node]:
    return lambda x, y: x & y if x.dtype == "bool" else number(x, y)


_COMBINED = {
    "add": _or(operator.add), "max": _or(k.maximum), "mul": _and(operator.mul),
    "min": _and(k.minimum),
}  # fmt: skip


def _lower_all(roots: Iterable[Node], done: dict[Node, Node]) -> None:
    for node in k.topological(roots):
        if node not in done:
            done[node] = _lower_node(node, done)
            done.setdefault(done[node], done[node])


def _lower_node(node: Node, done: dict[Node, Node]) -> Node:
    args = tuple(done[arg] for arg in node.args)
    if node.op == "cast":
        return _cast(args[0], node.dtype)
    halves = node.dtype in HALVES or any(arg.dtype in HALVES for arg in args)
    if halves and node.op not in _CARRIED_AS_BITS:
        args = tuple(_cast(arg, "f32") if arg.dtype in HALVES else arg for arg in args)
        dtype = "f32" if node.dtype in HALVES else node.dtype
        return _cast(_build(node, args, dtype, done), node.dtype)
    return _build(node, args, node.dtype, done)


def _build(node: Node, args: tuple[Node, ...], dtype: str, done: dict[Node, Node]) -> Node:
    if node.op != "math":
        return Node(node.op, args, dtype, node.attr)
    expansion = LOWERINGS[node.attr](*args)
    _lower_all([expansion], done)
    return done[expansion]


def _cast(x: Node, dtype: str) -> Node:
    """A cast of which the halves' side, if any, is f32."""
    if x.dtype == dtype:
        return x
    if x.op == "const" and dtype in ("f32", "f64") and k.is_float(x.dtype):
        return k.const(x.attr, dtype)
    if x.dtype in HALVES and dtype != "f32":
        return _cast(k.cast(x, "f32"), dtype)
    if dtype in HALVES and x.dtype != "f32":
        return k.cast(k.cast(x, "f32"), dtype)
    return k.cast(x, dtype)
