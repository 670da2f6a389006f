"""LLVM instructions that read and write operands: unit-stride, strided and gathered, masked."""

from __future__ import annotations

from gleed.compiler.kernel import item_size
from gleed.compiler.llvm_text import SCALAR_TYPES, Code, suffix, value_type, vector_type


def memory_type(dtype: str) -> str:
    """The type in memory: a bool takes a byte."""
    return "i8" if dtype == "bool" else SCALAR_TYPES[dtype]


def load_unit(code: Code, dtype: str, pointer: str, lanes: int, mask: str | None) -> str:
    """Load `lanes` neighbours; masked-out lanes are not touched and hold zero."""
    scalar, align = memory_type(dtype), item_size(dtype)
    kind = vector_type(scalar, lanes)
    if mask is None:
        return _from_memory(
            code, code.op(f"load {kind}, ptr {pointer}, align {align}"), dtype, lanes
        )
    value = code.call(
        f"llvm.masked.load.{suffix(scalar, lanes)}.p0", kind,
        (f"ptr align {align}", pointer), (vector_type("i1", lanes), mask),
        (kind, "zeroinitializer"),
    )  # fmt: skip
    return _from_memory(code, value, dtype, lanes)


def store_unit(
    code: Code,
    dtype: str,
    value: str,
    pointer: str,
    lanes: int,
    mask: str | None,
    streamed: bool = False,
) -> None:
    """Store `lanes` neighbours; memory under masked-out lanes is not touched. `streamed`: vectors
    without a mask go past the caches, to addresses that are multiples of their size."""
    scalar, align = memory_type(dtype), item_size(dtype)
    kind, value = vector_type(scalar, lanes), _to_memory(code, value, dtype, lanes)
    if mask is None:
        past = f"align {align * lanes}, !nontemporal !0" if streamed and lanes > 1 else ""
        code.line(f"  store {kind} {value}, ptr {pointer}, {past or f'align {align}'}")
        return
    code.call(
        f"llvm.masked.store.{suffix(scalar, lanes)}.p0", "void",
        (kind, value), (f"ptr align {align}", pointer), (vector_type("i1", lanes), mask),
    )  # fmt: skip


def end_streams(code: Code, triple: str) -> None:
    """Have what went past the caches be seen before anything that is written later."""
    if triple.startswith("x86_64"):
        code.call("llvm.x86.sse.sfence", "void")


def load_every_second(code: Code, dtype: str, pointer: str, lanes: int) -> str:
    """Load every second of neighbours, of which the last to be touched is the last loaded."""
    kind = vector_type(memory_type(dtype), 2 * lanes)
    bits = ", ".join(["i1 true"] * (2 * lanes - 1) + ["i1 false"])
    both = load_unit(code, dtype, pointer, 2 * lanes, f"<{bits}>")
    picks = ", ".join(f"i32 {2 * i}" for i in range(lanes))
    return code.op(f"shufflevector {kind} {both}, {kind} poison, <{lanes} x i32> <{picks}>")


def load_reversed(code: Code, dtype: str, pointer: str, lanes: int, mask: str | None) -> str:
    """Load neighbours of which the first lane's is the last in memory."""
    order = f"<{lanes} x i32> <{', '.join(f'i32 {lanes - 1 - i}' for i in range(lanes))}>"

    def turned(value: str, scalar: str) -> str:
        kind = vector_type(scalar, lanes)
        return code.op(f"shufflevector {kind} {value}, {kind} poison, {order}")

    if lanes == 1:
        return load_unit(code, dtype, pointer, 1, mask)
    start = code.op(f"getelementptr i8, ptr {pointer}, i64 {(1 - lanes) * item_size(dtype)}")
    value = load_unit(code, dtype, start, lanes, mask and turned(mask, "i1"))
    return turned(value, SCALAR_TYPES[dtype])


def load_lanes(code: Code, dtype: str, pointers: str, lanes: int, mask: str | None) -> str:
    """Load from a vector of pointers."""
    scalar, align = memory_type(dtype), item_size(dtype)
    kind = vector_type(scalar, lanes)
    value = code.call(
        f"llvm.masked.gather.{suffix(scalar, lanes)}.v{lanes}p0", kind,
        (f"{vector_type('ptr', lanes)} align {align}", pointers),
        (vector_type("i1", lanes), mask or "splat (i1 true)"), (kind, "zeroinitializer"),
    )  # fmt: skip
    return _from_memory(code, value, dtype, lanes)


def store_lanes(
    code: Code, dtype: str, value: str, pointers: str, lanes: int, mask: str | None
) -> None:
    """Store to a vector of pointers, in the order of the lanes."""
    scalar, align = memory_type(dtype), item_size(dtype)
    kind, value = vector_type(scalar, lanes), _to_memory(code, value, dtype, lanes)
    code.call(
        f"llvm.masked.scatter.{suffix(scalar, lanes)}.v{lanes}p0", "void", (kind, value),
        (f"{vector_type('ptr', lanes)} align {align}", pointers),
        (vector_type("i1", lanes), mask or "splat (i1 true)"),
    )  # fmt: skip


def _from_memory(code: Code, value: str, dtype: str, lanes: int) -> str:
    if dtype != "bool":
        return value
    zero = "0" if lanes == 1 else "zeroinitializer"
    return code.op(f"icmp ne {vector_type('i8', lanes)} {value}, {zero}")


def _to_memory(code: Code, value: str, dtype: str, lanes: int) -> str:
    if dtype != "bool":
        return value
    return code.op(f"zext {value_type('bool', lanes)} {value} to {vector_type('i8', lanes)}")
