"""Kernel IR: a DAG of scalar nodes over one iteration space, and the functions that build it.

Nodes are frozen and interned: two equal expressions are one object, so `is` is equality and common
subexpressions share themselves. Python's operators build nodes; a Python number beside a node
becomes a constant of the node's dtype:

>>> x = load(0, "f32")
>>> (x + 1) * 2 is (x + 1.0) * 2.0
True

A `Kernel` lists the operands it reads and writes, its run-time parameters and its stores. A value
is at level "row" (it depends on parallel axes only) or "element" (on reduced axes too); `reduce`
takes an element to a row. docs/architecture.md defines the levels, the orientations and the
machine-code interface.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakValueDictionary

# name -> (bytes in memory, kind)
DTYPES: dict[str, tuple[int, str]] = {
    "bool": (1, "bool"),
    "u8": (1, "unsigned"),
    "i8": (1, "signed"),
    "i16": (2, "signed"),
    "i32": (4, "signed"),
    "i64": (8, "signed"),
    "f16": (2, "float"),
    "bf16": (2, "float"),
    "f32": (4, "float"),
    "f64": (8, "float"),
}

HALVES = ("f16", "bf16")
REDUCE_OPS = ("sum", "prod", "max", "min", "any", "all", "argmax", "argmin")
SCAN_OPS = ("sum", "prod", "max", "min")
STORE_MODES = ("set", "add", "mul", "max", "min")
OPERAND_KINDS = ("in", "out", "index", "status")
ADDRESSED = ("load", "index", "gather")  # the nodes whose attribute is an operand


def item_size(dtype: str) -> int:
    """Bytes that one value of `dtype` takes in memory."""
    return DTYPES[dtype][0]


def is_float(dtype: str) -> bool:
    """Whether `dtype` is a floating dtype."""
    return DTYPES[dtype][1] == "float"


def is_signed(dtype: str) -> bool:
    """Whether `dtype` has negative values."""
    return DTYPES[dtype][1] in ("signed", "float")


def is_integer(dtype: str) -> bool:
    """Whether `dtype` is an integer (bool is not)."""
    return DTYPES[dtype][1] in ("signed", "unsigned")


def integer_range(dtype: str) -> tuple[int, int]:
    """The least and the greatest value of an integer dtype."""
    bits = 8 * item_size(dtype)
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if is_signed(dtype) else (0, (1 << bits) - 1)


class KernelError(Exception):
    """A kernel that breaks a rule of the IR: a fault of whoever built it, never of user input."""


class Node:
    """One scalar operation. Build nodes with the functions below, not with the class."""

    __slots__ = ("__weakref__", "args", "attr", "dtype", "op")
    op: str
    args: tuple[Node, ...]
    dtype: str
    attr: Any

    def __new__(cls, op: str, args: tuple[Node, ...], dtype: str, attr: Any = None) -> Node:
        """The one node with these fields."""
        key = (op, args, dtype, attr.hex() if type(attr) is float else attr)
        node = _interned.get(key)
        if node is None:
            node = _interned[key] = super().__new__(cls)
            put = object.__setattr__
            put(node, "op", op), put(node, "args", args)
            put(node, "dtype", dtype), put(node, "attr", attr)
        return node

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Node is frozen")

    def __reduce__(self) -> tuple[object, ...]:
        return Node, (self.op, self.args, self.dtype, self.attr)

    def __repr__(self) -> str:
        parts = [self.op, self.dtype]
        if self.attr is not None:
            parts.append(str(self.attr))
        parts += [f"({arg.op} {arg.dtype})" for arg in self.args]
        return " ".join(parts)

    def __bool__(self) -> bool:
        raise TypeError(f"kernel value used as a condition: `{self!r}`; use select(c, x, y)")

    def __add__(self, other: Value) -> Node:
        return _binary("add", self, other)

    def __radd__(self, other: Value) -> Node:
        return _binary("add", other, self)

    def __sub__(self, other: Value) -> Node:
        return _binary("sub", self, other)

    def __rsub__(self, other: Value) -> Node:
        return _binary("sub", other, self)

    def __mul__(self, other: Value) -> Node:
        return _binary("mul", self, other)

    def __rmul__(self, other: Value) -> Node:
        return _binary("mul", other, self)

    def __truediv__(self, other: Value) -> Node:
        return _binary("div", self, other)

    def __rtruediv__(self, other: Value) -> Node:
        return _binary("div", other, self)

    def __and__(self, other: Value) -> Node:
        return _binary("and", self, other)

    def __rand__(self, other: Value) -> Node:
        return _binary("and", other, self)

    def __or__(self, other: Value) -> Node:
        return _binary("or", self, other)

    def __ror__(self, other: Value) -> Node:
        return _binary("or", other, self)

    def __xor__(self, other: Value) -> Node:
        return _binary("xor", self, other)

    def __rxor__(self, other: Value) -> Node:
        return _binary("xor", other, self)

    def __lshift__(self, other: Value) -> Node:
        return _binary("shl", self, other)

    def __rlshift__(self, other: Value) -> Node:
        return _binary("shl", other, self)

    def __rshift__(self, other: Value) -> Node:
        return _binary("shr", self, other)

    def __rrshift__(self, other: Value) -> Node:
        return _binary("shr", other, self)

    def __neg__(self) -> Node:
        return Node("neg", (self,), self.dtype)

    def __invert__(self) -> Node:
        return Node("not", (self,), self.dtype)

    def __lt__(self, other: Value) -> Node:
        return lt(self, other)

    def __le__(self, other: Value) -> Node:
        return le(self, other)

    def __gt__(self, other: Value) -> Node:
        return gt(self, other)

    def __ge__(self, other: Value) -> Node:
        return ge(self, other)


Value = Node | float | int | bool
_interned: WeakValueDictionary[tuple[object, ...], Node] = WeakValueDictionary()


# ---- leaves ------------------------------------------------------------------------------------


def const(value: float | int | bool, dtype: str) -> Node:
    """A constant, rounded to `dtype`. An integer out of range, or a fraction, is an error.

    >>> const(0.1, "f32").attr
    0.10000000149011612
    """
    kind = DTYPES[dtype][1]
    if kind == "bool":
        return Node("const", (), dtype, bool(value))
    if kind == "float":
        return Node("const", (), dtype, round_float(float(value), dtype))
    if int(value) != value:
        raise KernelError(f"const: {value!r} is not an integer; dtype is {dtype}")
    low, high = integer_range(dtype)
    if not low <= value <= high:
        raise KernelError(f"const: {value!r} does not fit in {dtype}")
    return Node("const", (), dtype, int(value))


def param(i: int, dtype: str) -> Node:
    """Run-time parameter `i`, converted to `dtype` from its 8-byte cell."""
    return Node("param", (), dtype, i)


def load(k: int, dtype: str) -> Node:
    """The value of operand `k` at the current point."""
    return Node("load", (), dtype, k)


def index(k: int) -> Node:
    """The address of "index" operand `k`, whose base and strides are plain integers, as an i64."""
    return Node("index", (), "i64", k)


def gather(k: int, offset: Node, dtype: str) -> Node:
    """The value `offset` elements from the current point of operand `k`."""
    return Node("gather", (offset,), dtype, k)


# ---- arithmetic --------------------------------------------------------------------------------


def fma(x: Value, y: Value, z: Value) -> Node:
    """x * y + z, rounded once."""
    return _same("fma", x, y, z)


def minimum(x: Value, y: Value) -> Node:
    """The smaller value; NaN if either is NaN. Zeros of either sign are equal."""
    return _binary("minimum", x, y)


def maximum(x: Value, y: Value) -> Node:
    """The greater value; NaN if either is NaN. Zeros of either sign are equal."""
    return _binary("maximum", x, y)


def min_number(x: Value, y: Value) -> Node:
    """x < y ? x : y, the hardware's minimum."""
    return _binary("min_number", x, y)


def max_number(x: Value, y: Value) -> Node:
    """x > y ? x : y, the hardware's maximum."""
    return _binary("max_number", x, y)


def idiv(x: Value, y: Value) -> Node:
    """Integer division towards zero; x / 0 is 0 and the least value / -1 wraps."""
    return _binary("idiv", x, y)


def irem(x: Value, y: Value) -> Node:
    """The remainder of `idiv`, with the sign of `x`; x % 0 is 0."""
    return _binary("irem", x, y)


def lshr(x: Value, y: Value) -> Node:
    """Shift right and fill with zeros. All shifts: an amount outside the word shifts all out."""
    return _binary("lshr", x, y)


def abs(x: Node) -> Node:
    """Absolute value; the least integer wraps."""
    return Node("abs", (x,), x.dtype)


def floor(x: Node) -> Node:
    """The greatest integer that is at most `x`."""
    return Node("floor", (x,), x.dtype)


def ceil(x: Node) -> Node:
    """The least integer that is at least `x`."""
    return Node("ceil", (x,), x.dtype)


def trunc(x: Node) -> Node:
    """Round towards zero."""
    return Node("trunc", (x,), x.dtype)


def roundeven(x: Node) -> Node:
    """Round to the nearest integer, halves to the even one."""
    return Node("roundeven", (x,), x.dtype)


def sqrt(x: Node) -> Node:
    """Square root, correctly rounded; NaN below zero."""
    return Node("sqrt", (x,), x.dtype)


def lt(x: Value, y: Value) -> Node:
    """x < y; false beside NaN, as all comparisons but `ne` are."""
    return _compare("lt", x, y)


def le(x: Value, y: Value) -> Node:
    """x <= y."""
    return _compare("le", x, y)


def gt(x: Value, y: Value) -> Node:
    """x > y."""
    return _compare("gt", x, y)


def ge(x: Value, y: Value) -> Node:
    """x >= y."""
    return _compare("ge", x, y)


def eq(x: Value, y: Value) -> Node:
    """x == y."""
    return _compare("eq", x, y)


def ne(x: Value, y: Value) -> Node:
    """Whether the values differ; true for NaN beside anything, so `ne(x, x)` finds NaN."""
    return _compare("ne", x, y)


def select(condition: Node, x: Value, y: Value) -> Node:
    """`x` where the condition holds, else `y`. Both sides are evaluated."""
    x, y = _promote(x, y)
    return Node("select", (condition, x, y), x.dtype)


def rarely(condition: Node, x: Value, y: Value) -> Node:
    """`select` for a condition that seldom holds: what only `x` needs is computed under a branch,
    for vectors in which some lane takes it."""
    x, y = _promote(x, y)
    return Node("rarely", (condition, x, y), x.dtype)


def cast(x: Node, dtype: str) -> Node:
    """Convert the value. To bool: x != 0. Float to integer: towards zero; out of range is some
    value of the dtype. Integer to integer wraps."""
    return x if x.dtype == dtype else Node("cast", (x,), dtype)


def bitcast(x: Node, dtype: str) -> Node:
    """The same bits, read as another dtype of the same size."""
    return x if x.dtype == dtype else Node("bitcast", (x,), dtype)


def reduce(op: str, x: Node) -> Node:
    """Reduce over all reduced axes; an element becomes a row. `max`, `min` propagate NaN; `argmax`,
    `argmin` give the linear index (i64) of the first occurrence, NaN being the extreme."""
    dtype = {"any": "bool", "all": "bool", "argmax": "i64", "argmin": "i64"}.get(op, x.dtype)
    return Node("reduce", (x,), dtype, op)


def running(greatest: Node) -> Node:
    """While a `reduce.max` is being found, a finite number that no value so far exceeds by more
    than 1; afterwards the last one. Sums over what depends on it must be of exp(x - running): they
    are scaled when it changes."""
    return Node("running", (greatest,), greatest.dtype)


def scan(op: str, x: Node) -> Node:
    """Inclusive prefixes along the innermost reduced axis (cumsum, cumprod, cummax, cummin)."""
    return Node("scan", (x,), x.dtype, op)


def math(name: str, *args: Value) -> Node:
    """A function of `gleed.compiler.mathlib`, expanded into plain nodes before code is emitted."""
    return _same("math", *args, attr=name)


def _promote(x: Value, y: Value) -> tuple[Node, Node]:
    """Turn a Python number beside a node into a constant of the node's dtype."""
    if not isinstance(x, Node):
        if not isinstance(y, Node):
            raise TypeError("kernel operation: at least one operand must be a Node")
        x = const(x, y.dtype)
    return x, y if isinstance(y, Node) else const(y, x.dtype)


def _binary(op: str, x: Value, y: Value) -> Node:
    x, y = _promote(x, y)
    return Node(op, (x, y), x.dtype)


def _compare(op: str, x: Value, y: Value) -> Node:
    return Node(op, _promote(x, y), "bool")


def _same(op: str, *args: Value, attr: object = None) -> Node:
    dtype = next(arg.dtype for arg in args if isinstance(arg, Node))
    nodes = tuple(arg if isinstance(arg, Node) else const(arg, dtype) for arg in args)
    return Node(op, nodes, dtype, attr)


def round_float(value: float, dtype: str) -> float:
    """Round a Python float to the nearest value of a floating dtype (ties to even)."""
    if dtype == "f64" or value != value:
        return value
    if dtype == "bf16":
        bits = _pack_f32(value)
        return struct.unpack("<f", struct.pack("<I", bits + 0x7FFF + (bits >> 16 & 1) & ~0xFFFF))[0]
    try:
        code = {"f32": "<f", "f16": "<e"}[dtype]
        return struct.unpack(code, struct.pack(code, value))[0]
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _pack_f32(value: float) -> int:
    return struct.unpack("<I", struct.pack("<f", round_float(value, "f32")))[0]


# ---- kernels -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Operand:
    """What a kernel reads or writes. `element`: its address varies along reduced axes."""

    dtype: str
    kind: str
    element: bool = False


@dataclass(frozen=True)
class Store:
    """Write `value` to operand `k` (at `offset` elements from the current point, which makes the
    kernel sequential). Modes other than "set" combine with what is there."""

    k: int
    value: Node
    offset: Node | None = None
    mode: str = "set"


@dataclass(frozen=True)
class Check:
    """Put 1 into the int64 cell of "status" operand `k` if `condition` fails anywhere."""

    k: int
    condition: Node


@dataclass(frozen=True)
class Kernel:
    """A fused loop nest. `params` are the dtypes of the run-time parameters."""

    name: str
    operands: tuple[Operand, ...]
    params: tuple[str, ...]
    stores: tuple[Store | Check, ...]

    @property
    def roots(self) -> Iterator[Node]:
        """The nodes that stores and checks use."""
        for store in self.stores:
            if isinstance(store, Check):
                yield store.condition
            else:
                yield store.value
                if store.offset is not None:
                    yield store.offset

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """Every node, arguments before users."""
        return tuple(topological(self.roots))

    @cached_property
    def elements(self) -> frozenset[Node]:
        """The nodes at level "element"."""
        found: set[Node] = set()
        for node in self.nodes:
            if node.op == "reduce":
                continue
            addressed = node.op in ADDRESSED and self.operands[node.attr].element
            if addressed or node.op == "scan" or any(arg in found for arg in node.args):
                found.add(node)
        return frozenset(found)

    def level(self, node: Node) -> str:
        """ "row" or "element"."""
        return "element" if node in self.elements else "row"

    @property
    def sequential(self) -> bool:
        """Whether the kernel writes at computed offsets, and so runs in order: point by point, or
        line by line where an offset is the same along n2."""
        return any(isinstance(store, Store) and store.offset is not None for store in self.stores)

    @property
    def reduces(self) -> bool:
        """Whether the kernel has reduced axes at all; if not, it is a map."""
        return any(o.element for o in self.operands) or any(
            node.op in ("reduce", "scan") for node in self.nodes
        )

    @property
    def ordered(self) -> bool:
        """Whether the order of the reduced axes matters."""
        return any(
            node.op == "scan" or (node.op == "reduce" and node.attr in ("argmax", "argmin"))
            for node in self.nodes
        )

    @property
    def gathers(self) -> bool:
        """Whether the kernel reads at computed offsets."""
        return any(node.op == "gather" for node in self.nodes)

    @property
    def width(self) -> int:
        """The bytes of an element of which a vector is full: of the narrowest of 4 bytes or more;
        where all are narrower, of the widest."""
        operands = (o for o in self.operands if o.kind not in ("status", "index"))
        sizes = {item_size(o.dtype) for o in operands}
        sizes |= {item_size(n.dtype) for n in self.nodes if n.dtype != "bool"}
        return min((size for size in sizes if size >= 4), default=max(sizes, default=1))

    def cost(self, still: int) -> float:
        """The arithmetic of one point in nanoseconds on one thread: a rough estimate from which
        the core divides work. What follows from nothing but operands that are the same at all
        points, which a bit mask tells, is computed once, and is no part of it."""
        once: set[Node] = set()
        for node in self.nodes if still else ():
            if node.op in ADDRESSED:
                fixed = node.op == "load" and bool(still >> node.attr & 1)
            else:
                fixed = node.op not in ("reduce", "scan") and once.issuperset(node.args)
            if fixed:
                once.add(node)
        return sum((_COSTS.get(node.op, 0.03) for node in self.nodes if node not in once), 0.0)


# Nanoseconds per value of what is dearer than an addition.
_COSTS = {
    "math": 0.25,
    "div": 0.15,
    "sqrt": 0.15,
    "idiv": 1.0,
    "irem": 1.0,
    "gather": 0.5,
    "scan": 0.5,
}


def topological(roots: Iterable[Node]) -> list[Node]:
    """Every node under `roots`, arguments before users, in an order fixed by the DAG alone."""
    order: dict[Node, None] = {}
    stack = list(roots)[::-1]
    while stack:
        node = stack[-1]
        pending = [arg for arg in node.args if arg not in order]
        if node in order or not pending:
            order[stack.pop()] = None
        else:
            stack.extend(reversed(pending))
    return list(order)


ORIENTATIONS = ("map", "row", "column")


@dataclass(frozen=True)
class Variant:
    """One version of a kernel's machine code: its orientation, and for each operand the class of
    its innermost stride ("0" invariant, "1" unit, "2" twice that and "r" minus that, of what is
    read, "s" any, "n" unit of a result that is written past the caches)."""

    orientation: str
    strides: str

    def __str__(self) -> str:
        return f"{self.orientation}_{self.strides}"

    def symbol(self, name: str) -> str:
        """The name of the function that this version of a kernel compiles to."""
        return f"{name}_{self}"


def identity_kernel(dtype: str) -> Kernel:
    """The kernel that copies."""
    operands = (Operand(dtype, "in"), Operand(dtype, "out"))
    return Kernel("copy", operands, (), (Store(1, load(0, dtype)),))
