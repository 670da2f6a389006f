"""Writing LLVM IR as text: types, literals, instructions, structured loops and branches.

Code is kept as nested lists of lines. A `Scope` is a list that stays open: a value found later to
be loop-invariant (the splat of a scalar, say) is appended to the scope where its operands live.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

# The types values have in registers. The 16-bit floats are carried as their bits; arithmetic on
# them is done in f32 (see lower.py).
SCALAR_TYPES = {
    "bool": "i1", "u8": "i8", "i8": "i8", "i16": "i16", "i32": "i32", "i64": "i64",
    "f16": "i16", "bf16": "i16", "f32": "float", "f64": "double",
}  # fmt: skip
_SUFFIXES = {"float": "f32", "double": "f64", "half": "f16"}

State = dict[Hashable, str]


def vector_type(scalar: str, lanes: int) -> str:
    """The LLVM type of `lanes` values; one lane is a scalar."""
    return scalar if lanes == 1 else f"<{lanes} x {scalar}>"


def value_type(dtype: str, lanes: int) -> str:
    """The LLVM type of `lanes` values of a dtype."""
    return vector_type(SCALAR_TYPES[dtype], lanes)


def suffix(scalar: str, lanes: int) -> str:
    """The type's part of an intrinsic's name: v16f32."""
    name = _SUFFIXES.get(scalar, scalar)
    return name if lanes == 1 else f"v{lanes}{name}"


def scalar_literal(value: float | int | bool, dtype: str) -> str:
    """A constant as LLVM writes it."""
    if dtype == "bool":
        return "true" if value else "false"
    if dtype in ("f32", "f64"):
        return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
    if dtype == "f16":
        return str(struct.unpack("<H", struct.pack("<e", value))[0])
    if dtype == "bf16":
        return str(struct.unpack("<I", struct.pack("<f", value))[0] >> 16)
    return str(value)


def literal(value: float | int | bool, dtype: str, lanes: int) -> str:
    """A constant in all lanes."""
    text = scalar_literal(value, dtype)
    return text if lanes == 1 else f"splat ({SCALAR_TYPES[dtype]} {text})"


def iota(scalar: str, lanes: int) -> str:
    """The constant vector 0, 1, 2, …"""
    return f"<{', '.join(f'{scalar} {i}' for i in range(lanes))}>"


class Scope:
    """A place in the code that stays open, and the values computed there."""

    def __init__(self) -> None:
        self.lines: list = []
        self.values: State = {}


class Code:
    """One function under construction."""

    def __init__(self) -> None:
        self.root: list = []
        self.here = self.root
        self.block = "entry"
        self.declarations: dict[str, None] = {}
        self._names = 0

    def name(self, prefix: str = "v") -> str:
        """A fresh name."""
        self._names += 1
        return f"{prefix}{self._names}"

    def line(self, text: str) -> None:
        """Append a line."""
        self.here.append(text)

    def op(self, text: str) -> str:
        """Append an instruction; returns the name of its value."""
        name = f"%{self.name()}"
        self.here.append(f"  {name} = {text}")
        return name

    def call(self, function: str, result: str, *args: tuple[str, str]) -> str:
        """Call an intrinsic with (type, value) arguments."""
        self.declarations[f"declare {result} @{function}({', '.join(t for t, _ in args)})"] = None
        text = f"call {result} @{function}({', '.join(f'{t} {v}' for t, v in args)})"
        if result != "void":
            return self.op(text)
        self.line(f"  {text}")
        return ""

    def scope(self) -> Scope:
        """Open a scope at the current place; code that follows comes after all of it."""
        scope = Scope()
        self.here.append(scope.lines)
        return scope

    @contextmanager
    def inside(self, scope: Scope) -> Iterator[None]:
        """Append to an open scope for a while."""
        outer, self.here = self.here, scope.lines
        yield
        self.here = outer

    def splat(self, value: str, scalar: str, lanes: int) -> str:
        """A scalar in all lanes."""
        vector = vector_type(scalar, lanes)
        one = self.op(f"insertelement {vector} poison, {scalar} {value}, i32 0")
        return self.op(
            f"shufflevector {vector} {one}, {vector} poison, <{lanes} x i32> zeroinitializer"
        )

    def any(self, flags: str, lanes: int) -> str:
        """Whether a flag holds in any lane."""
        if lanes == 1:
            return flags
        word = self.op(f"bitcast {vector_type('i1', lanes)} {flags} to i{lanes}")
        return self.op(f"icmp ne i{lanes} {word}, 0")

    def start_block(self, label: str) -> None:
        """Begin a basic block."""
        self.block = label
        self.line(f"{label}:")

    def loop(
        self,
        start: str,
        stop: str,
        step: str | int,
        carried: State,
        types: dict[Hashable, str],
        body: Callable[[str, State], State],
    ) -> State:
        """`for (i = start; i < stop; i += step)` over i64; the carried values enter the body, which
        returns their successors. Returns their values after the loop."""
        before, head, done = self.block, self.name("head"), self.name("done")
        enter = self.op(f"icmp slt i64 {start}, {stop}")
        self.line(f"  br i1 {enter}, label %{head}, label %{done}")
        self.start_block(head)
        phis: list = []
        self.here.append(phis)
        i, after = f"%{self.name('i')}", f"%{self.name('next')}"
        inner = {key: f"%{self.name('c')}" for key in carried}
        result = body(i, dict(inner))
        self.line(f"  {after} = add nsw i64 {i}, {step}")
        again = self.op(f"icmp slt i64 {after}, {stop}")
        self.line(f"  br i1 {again}, label %{head}, label %{done}")
        phis.append(f"  {i} = phi i64 [ {start}, %{before} ], [ {after}, %{self.block} ]")
        for key, name in inner.items():
            phis.append(
                f"  {name} = phi {types[key]} [ {carried[key]}, %{before} ],"
                f" [ {result[key]}, %{self.block} ]"
            )
        latch = self.block
        self.start_block(done)
        return {
            key: self.op(
                f"phi {types[key]} [ {carried[key]}, %{before} ], [ {result[key]}, %{latch} ]"
            )
            for key in carried
        }

    def when(
        self,
        condition: str,
        carried: State,
        types: dict[Hashable, str],
        body: Callable[[], State],
    ) -> State:
        """Run `body` if the condition holds; it returns the carried values it changes."""
        before, then, done = self.block, self.name("then"), self.name("done")
        self.line(f"  br i1 {condition}, label %{then}, label %{done}")
        self.start_block(then)
        changed = body()
        self.line(f"  br label %{done}")
        last = self.block
        self.start_block(done)
        merged = dict(carried)
        for key, value in changed.items():
            merged[key] = self.op(
                f"phi {types[key]} [ {carried[key]}, %{before} ], [ {value}, %{last} ]"
            )
        return merged

    def text(self, signature: str, attributes: str) -> str:
        """The module: declarations, one function, and what `!nontemporal` refers to."""
        lines = [*self.declarations, f"define {signature} #0 {{", "entry:"]
        _flatten(self.root, lines)
        lines += ["  ret void", "}", f"attributes #0 = {{ {attributes} }}", "!0 = !{i32 1}"]
        return "\n".join(lines)


def _flatten(nested: list, into: list[str]) -> None:
    for item in nested:
        if isinstance(item, list):
            _flatten(item, into)
        else:
            into.append(item)
