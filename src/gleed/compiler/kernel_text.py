"""The text form of kernels: `parse_kernel(print_kernel(kernel)) == kernel`.

The text is canonical (it names the kernel in the object cache) and is what error messages show:

>>> print(print_kernel(parse_kernel('''
... kernel scaled_sum(in f32 element, out f32; f32)
...   %0 = load f32 0
...   %1 = param f32 0
...   %2 = mul f32 %0 %1
...   %3 = reduce.sum f32 %2
...   store 1 %3
... ''')))
kernel scaled_sum(in f32 element, out f32; f32)
  %0 = load f32 0
  %1 = param f32 0
  %2 = mul f32 %0 %1
  %3 = reduce.sum f32 %2
  store 1 %3
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gleed.compiler.kernel import DTYPES, Check, Kernel, KernelError, Node, Operand, Store

_HEADER = re.compile(r"kernel (\w+)\(([^;)]*)(?:; ([^)]*))?\)")
_NAMED = ("reduce", "scan", "math")  # ops whose attribute is part of the name: reduce.sum
_NUMBERED = ("load", "index", "gather", "param")  # ops whose attribute is a number


class PrintedKernel(NamedTuple):
    """A kernel by its text, and what is asked of a kernel to which code has been compiled before;
    so that a kernel from disk is read as IR only if more code must be emitted."""

    text: str
    name: str
    inputs: int
    reduces: bool
    ordered: bool
    sequential: bool
    gathers: bool
    whole_cost: float

    def cost(self, still: int) -> float:
        """As `Kernel.cost`."""
        return parse_kernel(self.text).cost(still) if still else self.whole_cost


def printed(kernel: Kernel) -> PrintedKernel:
    """A kernel by its text."""
    return PrintedKernel(
        print_kernel(kernel),
        kernel.name,
        inputs_of(kernel),
        kernel.reduces,
        kernel.ordered,
        kernel.sequential,
        kernel.gathers,
        kernel.cost(0),
    )


def inputs_of(kernel: Kernel | PrintedKernel) -> int:
    """How many operands of a kernel are only read."""
    if isinstance(kernel, PrintedKernel):
        return kernel.inputs
    return sum(operand.kind != "out" for operand in kernel.operands)


def text_of(kernel: Kernel | PrintedKernel) -> str:
    """The text of a kernel."""
    return print_kernel(kernel) if isinstance(kernel, Kernel) else kernel.text


def nodes_of(kernel: Kernel | PrintedKernel) -> Kernel:
    """A kernel as IR."""
    return kernel if isinstance(kernel, Kernel) else parse_kernel(kernel.text)


def print_kernel(kernel: Kernel) -> str:
    """The kernel as text, one line a node, without a trailing newline."""
    operands = ", ".join(
        f"{o.kind} {o.dtype}{' element' if o.element else ''}" for o in kernel.operands
    )
    params = f"; {', '.join(kernel.params)}" if kernel.params else ""
    lines = [f"kernel {kernel.name}({operands}{params})"]
    names: dict[Node, str] = {}
    for node in kernel.nodes:
        names[node] = f"%{len(names)}"
        lines.append(f"  {names[node]} = {print_node(node, names)}")
    for store in kernel.stores:
        if isinstance(store, Check):
            lines.append(f"  check {store.k} {names[store.condition]}")
            continue
        place = "" if store.offset is None else f" at {names[store.offset]}"
        mode = "" if store.mode == "set" else f" {store.mode}"
        lines.append(f"  store {store.k} {names[store.value]}{place}{mode}")
    return "\n".join(lines)


def print_node(node: Node, names: dict[Node, str]) -> str:
    """The right-hand side of a node's line; `names` gives its arguments' names."""
    parts = [f"{node.op}.{node.attr}" if node.op in _NAMED else node.op, node.dtype]
    if node.op == "const":
        parts.append(node.attr.hex() if isinstance(node.attr, float) else str(node.attr))
    elif node.op in _NUMBERED:
        parts.append(str(node.attr))
    return " ".join(parts + [names[arg] for arg in node.args])


def parse_kernel(text: str) -> Kernel:
    """Read what `print_kernel` wrote. Raises `KernelError` with the line it cannot read."""
    lines = [line.strip() for line in text.strip().splitlines()]
    header = _HEADER.fullmatch(lines[0]) if lines else None
    if header is None:
        raise KernelError(f"parse_kernel: no kernel header; came `{lines[0] if lines else ''}`")
    name, operands, params = header.groups()
    values: dict[str, Node] = {}
    stores: list[Store | Check] = []
    for line in lines[1:]:
        try:
            if line.startswith("%"):
                target, _, right = line.partition(" = ")
                values[target] = _parse_node(right.split(), values)
            else:
                stores.append(_parse_store(line.split(), values))
        except (KeyError, ValueError, IndexError) as error:
            raise KernelError(f"parse_kernel: cannot read `{line}` ({error!r})") from None
    return Kernel(
        name,
        tuple(_parse_operand(part.split()) for part in operands.split(", ") if part),
        tuple(params.split(", ")) if params else (),
        tuple(stores),
    )


def _parse_operand(words: list[str]) -> Operand:
    kind, dtype, *rest = words
    return Operand(dtype, kind, rest == ["element"])


def _parse_node(words: list[str], values: dict[str, Node]) -> Node:
    op, dtype, *rest = words
    DTYPES[dtype]
    if op == "const":
        return Node(op, (), dtype, _parse_const(rest[0], DTYPES[dtype][1]))
    op, _, attr = op.partition(".")
    if op in _NUMBERED:
        return Node(op, tuple(values[word] for word in rest[1:]), dtype, int(rest[0]))
    return Node(op, tuple(values[word] for word in rest), dtype, attr or None)


def _parse_const(word: str, kind: str) -> float | int | bool:
    if kind == "float":
        return float.fromhex(word)
    return {"True": True, "False": False}[word] if kind == "bool" else int(word)


def _parse_store(words: list[str], values: dict[str, Node]) -> Store | Check:
    action, k, value, *rest = words
    if action == "check":
        return Check(int(k), values[value])
    if action != "store":
        raise ValueError(action)
    offset = values[rest[1]] if rest[:1] == ["at"] else None
    rest = rest if offset is None else rest[2:]
    return Store(int(k), values[value], offset, rest[0] if rest else "set")
