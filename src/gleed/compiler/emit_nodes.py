"""LLVM instructions of one node, given the LLVM values of its arguments."""

from __future__ import annotations

from collections.abc import Callable

from gleed.compiler.kernel import Node, is_float, is_integer, is_signed, item_size, topological
from gleed.compiler.llvm_text import SCALAR_TYPES, Code, literal, suffix, value_type, vector_type

_FLOAT_BINARY = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
_INTEGER_BINARY = {"add": "add", "sub": "sub", "mul": "mul", "and": "and", "or": "or", "xor": "xor"}
_FLOAT_INTRINSICS = {
    "fma": "fma", "abs": "fabs", "floor": "floor", "ceil": "ceil", "trunc": "trunc",
    "roundeven": "roundeven", "sqrt": "sqrt",
}  # fmt: skip
_FLOAT_PREDICATES = {"lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge", "eq": "oeq", "ne": "une"}
_INTEGER_PREDICATES = {"lt": "lt", "le": "le", "gt": "gt", "ge": "ge"}


def emit_node(code: Code, node: Node, args: list[str], lanes: int) -> str:
    """Append the node's instructions; returns its value. Leaves and reductions are not nodes of
    arithmetic: loads, parameters and so on are emitted where their place in the loops is known."""
    if node.op in _EMITTERS:
        return _EMITTERS[node.op](code, node, args, lanes)
    kind = value_type(node.dtype, lanes)
    if is_float(node.dtype) and node.op in _FLOAT_BINARY:
        return code.op(f"{_FLOAT_BINARY[node.op]} {kind} {args[0]}, {args[1]}")
    if is_float(node.dtype) and node.op in _FLOAT_INTRINSICS:
        name = f"llvm.{_FLOAT_INTRINSICS[node.op]}.{suffix(SCALAR_TYPES[node.dtype], lanes)}"
        return code.call(name, kind, *((kind, arg) for arg in args))
    if node.op in _FLOAT_PREDICATES:
        return compare(code, node.op, node.args[0].dtype, args[0], args[1], lanes)
    return code.op(f"{_INTEGER_BINARY[node.op]} {kind} {args[0]}, {args[1]}")


def emit_tree(code: Code, root: Node, leaves: dict[Node, str], lanes: int) -> str:
    """Append all instructions of an expression of which the leaves are known; its value."""
    values = dict(leaves)
    for node in topological([root]):
        if node.op == "const":
            values[node] = literal(node.attr, node.dtype, lanes)
        elif node not in values:
            values[node] = emit_node(code, node, [values[arg] for arg in node.args], lanes)
    return values[root]


def compare(code: Code, op: str, dtype: str, x: str, y: str, lanes: int) -> str:
    """A comparison of two values of `dtype`."""
    kind = value_type(dtype, lanes)
    if is_float(dtype):
        return code.op(f"fcmp {_FLOAT_PREDICATES[op]} {kind} {x}, {y}")
    sign = "" if op in ("eq", "ne") else "s" if is_signed(dtype) else "u"
    return code.op(f"icmp {sign}{op} {kind} {x}, {y}")


def choose(code: Code, condition: str, x: str, y: str, kind: str, lanes: int) -> str:
    """A select."""
    return code.op(f"select {vector_type('i1', lanes)} {condition}, {kind} {x}, {kind} {y}")


def extreme(code: Code, op: str, dtype: str, x: str, y: str, lanes: int) -> str:
    """`minimum` or `maximum`. In a chain of them `y` is the running value: the NaN test is then
    off the critical path, because the hardware's instruction passes a NaN in `y` through."""
    kind = value_type(dtype, lanes)
    if not is_float(dtype):
        name = f"{'s' if is_signed(dtype) else 'u'}{op[:3]}"
        return code.call(
            f"llvm.{name}.{suffix(SCALAR_TYPES[dtype], lanes)}", kind, (kind, x), (kind, y)
        )
    number = _hardware_extreme(code, op, dtype, x, y, lanes)
    nan = code.op(f"fcmp uno {kind} {x}, {x}")
    return choose(code, nan, x, number, kind, lanes)


def _hardware_extreme(code: Code, op: str, dtype: str, x: str, y: str, lanes: int) -> str:
    better = compare(code, "lt" if op.startswith("min") else "gt", dtype, x, y, lanes)
    return choose(code, better, x, y, value_type(dtype, lanes), lanes)


def _minimum_maximum(code: Code, node: Node, args: list[str], lanes: int) -> str:
    return extreme(code, node.op, node.dtype, args[0], args[1], lanes)


def _number(code: Code, node: Node, args: list[str], lanes: int) -> str:
    return _hardware_extreme(code, node.op, node.dtype, args[0], args[1], lanes)


def _neg(code: Code, node: Node, args: list[str], lanes: int) -> str:
    kind = value_type(node.dtype, lanes)
    if is_float(node.dtype):
        return code.op(f"fneg {kind} {args[0]}")
    return code.op(f"sub {kind} {literal(0, node.dtype, lanes)}, {args[0]}")


def _not(code: Code, node: Node, args: list[str], lanes: int) -> str:
    ones = literal(-1 if node.dtype != "bool" else True, node.dtype, lanes)
    return code.op(f"xor {value_type(node.dtype, lanes)} {args[0]}, {ones}")


def _abs(code: Code, node: Node, args: list[str], lanes: int) -> str:
    kind, scalar = value_type(node.dtype, lanes), SCALAR_TYPES[node.dtype]
    if is_float(node.dtype):
        return code.call(f"llvm.fabs.{suffix(scalar, lanes)}", kind, (kind, args[0]))
    if not is_signed(node.dtype):
        return args[0]
    return code.call(f"llvm.abs.{suffix(scalar, lanes)}", kind, (kind, args[0]), ("i1", "false"))


def _shift(code: Code, node: Node, args: list[str], lanes: int) -> str:
    """LLVM leaves an amount outside the word undefined; here it shifts everything out."""
    kind, bits = value_type(node.dtype, lanes), 8 * item_size(node.dtype)
    arithmetic = node.op == "shr" and is_signed(node.dtype)
    instruction = "shl" if node.op == "shl" else "ashr" if arithmetic else "lshr"
    amount = node.args[1]
    if amount.op == "const" and 0 <= amount.attr < bits:
        return code.op(f"{instruction} {kind} {args[0]}, {args[1]}")
    limit = literal(bits - 1, node.dtype, lanes)
    inside = code.op(f"icmp ule {kind} {args[1]}, {limit}")
    shift = choose(code, inside, args[1], limit, kind, lanes)
    shifted = code.op(f"{instruction} {kind} {args[0]}, {shift}")
    if arithmetic:
        return shifted
    return choose(code, inside, shifted, literal(0, node.dtype, lanes), kind, lanes)


def _integer_division(code: Code, node: Node, args: list[str], lanes: int) -> str:
    """Through floats where they hold every quotient exactly enough: processors have no vector
    integer division, and float division of x by y truncates to the right integer when the
    significand has more bits than x and y together need to tell quotients apart."""
    x, y = args
    kind = value_type(node.dtype, lanes)
    zero, one = literal(0, node.dtype, lanes), literal(1, node.dtype, lanes)
    by_zero = code.op(f"icmp eq {kind} {y}, {zero}")
    divisor = choose(code, by_zero, one, y, kind, lanes)
    if item_size(node.dtype) == 8:
        by_minus_one = code.op(f"icmp eq {kind} {divisor}, {literal(-1, node.dtype, lanes)}")
        divisor = choose(code, by_minus_one, one, divisor, kind, lanes)
        quotient = code.op(f"sdiv {kind} {x}, {divisor}")
        negated = code.op(f"sub {kind} {zero}, {x}")
        quotient = choose(code, by_minus_one, negated, quotient, kind, lanes)
    else:
        through = "f64" if item_size(node.dtype) == 4 else "f32"
        a, b = (convert(code, value, node.dtype, through, lanes) for value in (x, divisor))
        ratio = code.op(f"fdiv {value_type(through, lanes)} {a}, {b}")
        wide = convert(code, ratio, through, "i64" if through == "f64" else "i32", lanes)
        quotient = convert(code, wide, "i64" if through == "f64" else "i32", node.dtype, lanes)
    quotient = choose(code, by_zero, zero, quotient, kind, lanes)
    if node.op == "idiv":
        return quotient
    product = code.op(f"mul {kind} {quotient}, {y}")
    rest = code.op(f"sub {kind} {x}, {product}")
    return choose(code, by_zero, zero, rest, kind, lanes)


def _select(code: Code, node: Node, args: list[str], lanes: int) -> str:
    condition, x, y = args
    return choose(code, condition, x, y, value_type(node.dtype, lanes), lanes)


def _bitcast(code: Code, node: Node, args: list[str], lanes: int) -> str:
    source, target = (value_type(dtype, lanes) for dtype in (node.args[0].dtype, node.dtype))
    return args[0] if source == target else code.op(f"bitcast {source} {args[0]} to {target}")


def _cast(code: Code, node: Node, args: list[str], lanes: int) -> str:
    return convert(code, args[0], node.args[0].dtype, node.dtype, lanes)


def convert(code: Code, x: str, source: str, target: str, lanes: int) -> str:
    """`cast` from one dtype to another; f16 and bf16 meet f32 only (see lower.py)."""
    from_kind, to_kind = value_type(source, lanes), value_type(target, lanes)
    if target in ("f16", "bf16"):
        return _to_half(code, x, target, lanes)
    if source in ("f16", "bf16"):
        return _from_half(code, x, source, lanes)
    if target == "bool":
        return compare(code, "ne", source, x, literal(0.0, source, lanes)
                       if is_float(source) else literal(0, source, lanes), lanes)  # fmt: skip
    if is_float(source) and is_integer(target):
        # The conversion itself goes to 32 or 64 bits; a value out of range is poison to LLVM, and
        # freezing it makes it whatever the instruction gives.
        wide = target if item_size(target) >= 4 else "i32"
        whole = code.op(f"fptosi {from_kind} {x} to {value_type(wide, lanes)}")
        whole = code.op(f"freeze {value_type(wide, lanes)} {whole}")
        return convert(code, whole, wide, target, lanes)
    instruction = _conversion(source, target)
    return code.op(f"{instruction} {from_kind} {x} to {to_kind}") if instruction else x


def _conversion(source: str, target: str) -> str | None:
    if is_float(target):
        if is_float(source):
            return "fpext" if item_size(target) > item_size(source) else "fptrunc"
        return "sitofp" if is_signed(source) else "uitofp"
    if source == "bool" or item_size(target) > item_size(source):
        return "sext" if is_signed(source) else "zext"
    return "trunc" if item_size(target) < item_size(source) else None


def _to_half(code: Code, x: str, target: str, lanes: int) -> str:
    floats, bits16 = value_type("f32", lanes), value_type("i16", lanes)
    if target == "f16":
        half = code.op(f"fptrunc {floats} {x} to {vector_type('half', lanes)}")
        return code.op(f"bitcast {vector_type('half', lanes)} {half} to {bits16}")
    bits32 = value_type("i32", lanes)
    bits = code.op(f"bitcast {floats} {x} to {bits32}")
    high = code.op(f"lshr {bits32} {bits}, {literal(16, 'i32', lanes)}")
    odd = code.op(f"and {bits32} {high}, {literal(1, 'i32', lanes)}")
    half_up = code.op(f"add {bits32} {bits}, {literal(0x7FFF, 'i32', lanes)}")
    rounded = code.op(f"add {bits32} {half_up}, {odd}")
    rounded = code.op(f"lshr {bits32} {rounded}, {literal(16, 'i32', lanes)}")
    quiet = code.op(f"or {bits32} {high}, {literal(0x40, 'i32', lanes)}")
    nan = code.op(f"fcmp uno {floats} {x}, {x}")
    result = choose(code, nan, quiet, rounded, bits32, lanes)
    return code.op(f"trunc {bits32} {result} to {bits16}")


def _from_half(code: Code, x: str, source: str, lanes: int) -> str:
    floats, bits16 = value_type("f32", lanes), value_type("i16", lanes)
    if source == "f16":
        halves = vector_type("half", lanes)
        half = code.op(f"bitcast {bits16} {x} to {halves}")
        return code.op(f"fpext {halves} {half} to {floats}")
    bits32 = value_type("i32", lanes)
    wide = code.op(f"zext {bits16} {x} to {bits32}")
    high = code.op(f"shl {bits32} {wide}, {literal(16, 'i32', lanes)}")
    return code.op(f"bitcast {bits32} {high} to {floats}")


_EMITTERS: dict[str, Callable[[Code, Node, list[str], int], str]] = {
    "minimum": _minimum_maximum,
    "maximum": _minimum_maximum,
    "min_number": _number,
    "max_number": _number,
    "neg": _neg,
    "not": _not,
    "abs": _abs,
    "shl": _shift,
    "shr": _shift,
    "lshr": _shift,
    "idiv": _integer_division,
    "irem": _integer_division,
    "select": _select,
    "bitcast": _bitcast,
    "cast": _cast,
}
