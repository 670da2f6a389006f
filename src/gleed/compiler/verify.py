"""The verifier of kernel IR: every rule of dtypes, levels, operands and indices, checked.

It runs after every pass in tests; a violation is a fault of the compiler, and the message holds the
text of the node and of its kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from gleed.compiler.kernel import (
    DTYPES,
    OPERAND_KINDS,
    REDUCE_OPS,
    SCAN_OPS,
    STORE_MODES,
    Check,
    Kernel,
    KernelError,
    Node,
    Store,
    integer_range,
    is_float,
    is_integer,
    item_size,
    round_float,
)
from gleed.compiler.kernel_text import print_kernel, print_node

ANY = "any"
NUMBER = "number"  # integers and floats
FLOAT = "float"
INTEGER = "integer"
BITS = "bits"  # integers and bool
BOOL = "bool"

# Operations whose arguments all have the node's dtype: how many arguments, and which dtypes.
_UNIFORM = {
    "add": (2, NUMBER), "sub": (2, NUMBER), "mul": (2, NUMBER), "div": (2, FLOAT),
    "idiv": (2, INTEGER), "irem": (2, INTEGER), "neg": (1, NUMBER), "abs": (1, NUMBER),
    "and": (2, BITS), "or": (2, BITS), "xor": (2, BITS), "not": (1, BITS),
    "shl": (2, INTEGER), "shr": (2, INTEGER), "lshr": (2, INTEGER),
    "fma": (3, FLOAT), "sqrt": (1, FLOAT), "minimum": (2, NUMBER), "maximum": (2, NUMBER),
    "min_number": (2, NUMBER), "max_number": (2, NUMBER), "floor": (1, FLOAT),
    "ceil": (1, FLOAT), "trunc": (1, FLOAT), "roundeven": (1, FLOAT), "scan": (1, NUMBER),
}  # fmt: skip
_COMPARISONS = {"lt": NUMBER, "le": NUMBER, "gt": NUMBER, "ge": NUMBER, "eq": ANY, "ne": ANY}


def verify(kernel: Kernel) -> Kernel:
    """Check every rule; returns the kernel, or raises `KernelError` with the offending node."""
    for number, operand in enumerate(kernel.operands):
        if operand.kind not in OPERAND_KINDS or operand.dtype not in DTYPES:
            _fail(kernel, f"operand {number}", f"unknown kind or dtype `{operand}`")
        if operand.kind in ("index", "status") and operand.dtype != "i64":
            _fail(kernel, f"operand {number}", f"a {operand.kind} operand is i64")
    for number, dtype in enumerate(kernel.params):
        if dtype not in DTYPES:
            _fail(kernel, f"param {number}", f"unknown dtype `{dtype}`")
    names = {node: f"%{i}" for i, node in enumerate(kernel.nodes)}
    for node in kernel.nodes:
        problem = _node_problem(kernel, node)
        if problem:
            _fail(kernel, f"{names[node]} = {print_node(node, names)}", problem)
    written = [store.k for store in kernel.stores if isinstance(store, Store)]
    for store in kernel.stores:
        problem = _store_problem(kernel, store)
        if isinstance(store, Store) and written.count(store.k) > 1:
            problem = "an operand is written once"
        if problem:
            _fail(kernel, f"{type(store).__name__.lower()} {store.k}", problem)
    return kernel


def _fail(kernel: Kernel, where: str, problem: str) -> NoReturn:
    raise KernelError(f"verify: `{where}`: {problem}; in\n{print_kernel(kernel)}")


def _is(dtype: str, group: str) -> bool:
    kind = DTYPES[dtype][1]
    return {
        ANY: True,
        NUMBER: kind != "bool",
        FLOAT: kind == "float",
        INTEGER: kind in ("signed", "unsigned"),
        BITS: kind != "float",
        BOOL: kind == "bool",
    }[group]


def _node_problem(kernel: Kernel, node: Node) -> str | None:
    if node.dtype not in DTYPES:
        return f"unknown dtype {node.dtype}"
    if node.op in _UNIFORM:
        count, group = _UNIFORM[node.op]
        if node.op == "scan" and node.attr not in SCAN_OPS:
            return f"unknown scan {node.attr}"
        if len(node.args) != count:
            return f"takes {count} arguments, got {len(node.args)}"
        if any(arg.dtype != node.dtype for arg in node.args):
            return f"arguments must be {node.dtype}; got {[arg.dtype for arg in node.args]}"
        return None if _is(node.dtype, group) else f"defined for {group} only"
    if node.op in _COMPARISONS:
        x, y = node.args
        if x.dtype != y.dtype or node.dtype != "bool":
            return f"compares equal dtypes into bool; got {x.dtype}, {y.dtype} into {node.dtype}"
        return None if _is(x.dtype, _COMPARISONS[node.op]) else f"not defined for {x.dtype}"
    rule = _RULES.get(node.op)
    return rule(kernel, node) if rule else "unknown operation"


def _operand_rule(*kinds: str) -> Callable[[Kernel, Node], str | None]:
    def rule(kernel: Kernel, node: Node) -> str | None:
        if not isinstance(node.attr, int) or not 0 <= node.attr < len(kernel.operands):
            return f"there are {len(kernel.operands)} operands"
        operand = kernel.operands[node.attr]
        if operand.kind not in kinds:
            return f"operand {node.attr} is of kind {operand.kind!r}, not one of {kinds}"
        if operand.dtype != node.dtype:
            return f"operand {node.attr} is {operand.dtype}"
        if any(arg.dtype != "i64" for arg in node.args):
            return "an offset is i64"
        return None

    return rule


def _const(kernel: Kernel, node: Node) -> str | None:
    value, dtype = node.attr, node.dtype
    if is_float(dtype):
        fits = isinstance(value, float) and (value != value or round_float(value, dtype) == value)
    elif is_integer(dtype):
        low, high = integer_range(dtype)
        fits = type(value) is int and low <= value <= high
    else:
        fits = isinstance(value, bool)
    return None if fits else f"{value!r} is not a value of {dtype}"


def _param(kernel: Kernel, node: Node) -> str | None:
    if not isinstance(node.attr, int) or not 0 <= node.attr < len(kernel.params):
        return f"there are {len(kernel.params)} params"
    declared = kernel.params[node.attr]
    return None if declared == node.dtype else f"param {node.attr} is {declared}"


def _select(kernel: Kernel, node: Node) -> str | None:
    condition, x, y = node.args
    if condition.dtype != "bool":
        return f"the condition is bool; got {condition.dtype}"
    return None if x.dtype == y.dtype == node.dtype else "both sides have the node's dtype"


def _bitcast(kernel: Kernel, node: Node) -> str | None:
    source = node.args[0].dtype
    if "bool" in (source, node.dtype) or item_size(source) != item_size(node.dtype):
        return f"needs dtypes of one size, without bool; got {source}"
    return None


def _reduce(kernel: Kernel, node: Node) -> str | None:
    if node.attr not in REDUCE_OPS:
        return f"unknown reduction {node.attr}"
    source = node.args[0].dtype
    if node.attr in ("any", "all"):
        return None if source == node.dtype == "bool" else "takes bool to bool"
    if source == "bool":
        return "not defined for bool; cast first"
    if node.attr in ("argmax", "argmin"):
        return None if node.dtype == "i64" else "gives i64"
    return None if source == node.dtype else f"keeps the dtype; argument is {source}"


def _running(kernel: Kernel, node: Node) -> str | None:
    (greatest,) = node.args
    if (greatest.op, greatest.attr) != ("reduce", "max") or not is_float(greatest.dtype):
        return "follows a reduce.max of floats"
    return None if greatest.dtype == node.dtype else f"keeps the dtype; got {greatest.dtype}"


def _math(kernel: Kernel, node: Node) -> str | None:
    if not isinstance(node.attr, str):
        return "needs the name of a function"
    if not is_float(node.dtype) or any(arg.dtype != node.dtype for arg in node.args):
        return f"arguments and result are of one float dtype; got {[a.dtype for a in node.args]}"
    return None


_RULES = {
    "const": _const,
    "param": _param,
    "load": _operand_rule("in", "out"),
    "gather": _operand_rule("in", "out"),
    "index": _operand_rule("index"),
    "select": _select,
    "rarely": _select,
    "cast": lambda kernel, node: None,
    "bitcast": _bitcast,
    "reduce": _reduce,
    "running": _running,
    "math": _math,
}


def _store_problem(kernel: Kernel, store: Store | Check) -> str | None:
    if not 0 <= store.k < len(kernel.operands):
        return f"there are {len(kernel.operands)} operands"
    operand = kernel.operands[store.k]
    if isinstance(store, Check):
        if operand.kind != "status":
            return f"operand {store.k} is of kind {operand.kind!r}, not 'status'"
        return None if store.condition.dtype == "bool" else "a condition is bool"
    if operand.kind != "out":
        return f"operand {store.k} is of kind {operand.kind!r}, not 'out'"
    if store.mode not in STORE_MODES:
        return f"unknown mode {store.mode!r}"
    if store.value.dtype != operand.dtype:
        return f"value is {store.value.dtype}, operand is {operand.dtype}"
    if store.offset is not None:
        if kernel.reduces:
            return "a kernel that stores at offsets has no reduced axes"
        return None if store.offset.dtype == "i64" else "an offset is i64"
    if kernel.level(store.value) == "element" and not operand.element:
        return "an element value needs an element operand; reduce it first"
    return None
