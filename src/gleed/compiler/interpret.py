"""Kernels run in plain NumPy: the oracle that compiled code is tested against.

Values have the exact dtype semantics of machine code (wrapping integers, casts out of range,
fused multiply-add, bfloat16 as bits in uint16); sums are taken in higher precision and rounded
once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gleed.compiler.kernel import Check, Kernel, Node, Store, is_float, item_size
from gleed.compiler.lower import lower

NUMPY_DTYPES = {
    "bool": np.bool_, "u8": np.uint8, "i8": np.int8, "i16": np.int16, "i32": np.int32,
    "i64": np.int64, "f16": np.float16, "bf16": np.uint16, "f32": np.float32, "f64": np.float64,
}  # fmt: skip


def interpret(
    kernel: Kernel,
    arrays: Sequence[np.ndarray],
    params: Sequence[float] = (),
    axes: tuple[int, ...] = (),
) -> None:
    """Run a kernel over the broadcast shape of its operands, reducing over `axes`.

    `arrays` holds one array per operand, all of the iteration space's rank, of size 1 along axes
    where they do not vary; outputs are written in place. A bf16 array is uint16, an "index" operand
    is its int64 values, a "status" operand an int64 array of one element.

    >>> from gleed.compiler.kernel import Operand, load
    >>> double = Kernel("double", (Operand("i32", "in"), Operand("i32", "out")), (),
    ...                 (Store(1, load(0, "i32") * 2),))
    >>> out = np.zeros(3, np.int32)
    >>> interpret(double, [np.arange(3, dtype=np.int32), out])
    >>> out.tolist()
    [0, 2, 4]
    """
    kernel = lower(kernel)
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    if kernel.sequential:
        for point in np.ndindex(shape):
            here = [_at_point(array, point) for array in arrays]
            _Run(kernel, here, params, axes, (1,) * len(shape)).run()
        return
    _Run(kernel, arrays, params, axes, shape).run()


def _at_point(array: np.ndarray, point: tuple[int, ...]) -> np.ndarray:
    """The one element of `array` that belongs to a point of the iteration space."""
    places = zip(point, array.shape, strict=True)
    return array[tuple(slice(i, i + 1) if n > 1 else slice(0, 1) for i, n in places)]


class _Run:
    """One execution over a whole iteration space."""

    def __init__(
        self,
        kernel: Kernel,
        arrays: Sequence[np.ndarray],
        params: Sequence[float],
        axes: tuple[int, ...],
        shape: tuple[int, ...],
    ) -> None:
        self.kernel, self.arrays, self.params = kernel, arrays, params
        self.axes, self.shape = axes, shape
        self.values: dict[Node, np.ndarray] = {}

    def run(self) -> None:
        with np.errstate(all="ignore"):
            for node in self.kernel.nodes:
                self.values[node] = self._value(node)
        for store in self.kernel.stores:
            self._store(store)

    def _store(self, store: Store | Check) -> None:
        if isinstance(store, Check):
            condition = np.broadcast_to(self.values[store.condition], self.shape)
            if not condition.all():
                self.arrays[store.k][...] = 1
            return
        target, value = self.arrays[store.k], self.values[store.value]
        if store.offset is None:
            target[...] = value
            return
        memory, positions = _memory(target)
        memory[positions + self.values[store.offset]] = value

    def _value(self, node: Node) -> np.ndarray:
        args = [self.values[arg] for arg in node.args]
        dtype = NUMPY_DTYPES[node.dtype]
        if node.op in ("load", "index"):
            return np.array(self.arrays[node.attr])
        if node.op == "gather":
            memory, positions = _memory(self.arrays[node.attr])
            return memory[positions + args[0]]
        if node.op in ("const", "param"):
            value = node.attr if node.op == "const" else self.params[node.attr]
            return _constant(value, node.dtype, (1,) * len(self.shape))
        if node.op in ("reduce", "scan"):
            return self._accumulate(node, np.broadcast_to(args[0], self._full(args[0])))
        if node.op == "running":
            return np.where(np.isfinite(args[0]), args[0], np.finfo(dtype).min)
        if node.op == "cast":
            return convert(args[0], node.args[0].dtype, node.dtype)
        if node.op == "bitcast":
            return args[0].view(dtype)
        return np.asarray(_OPERATIONS[node.op](*args)).astype(dtype, copy=False)

    def _full(self, value: np.ndarray) -> tuple[int, ...]:
        """The shape of `value` with the reduced axes at their full size."""
        return tuple(self.shape[i] if i in self.axes else n for i, n in enumerate(value.shape))

    def _accumulate(self, node: Node, x: np.ndarray) -> np.ndarray:
        op = node.attr
        if node.op == "scan":
            axis = max(self.axes)
            scan = {
                "sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum
            }[op]  # fmt: skip
            return scan.accumulate(x, axis=axis, dtype=x.dtype)
        kept = [i for i in range(x.ndim) if i not in self.axes]
        length = int(np.prod([x.shape[i] for i in self.axes]))
        rows = x.transpose(*kept, *self.axes).reshape(*(x.shape[i] for i in kept), length)
        shape = tuple(1 if i in self.axes else n for i, n in enumerate(x.shape))
        if rows.shape[-1] == 0:
            return np.full(shape, _empty(op, x.dtype))
        if op in ("sum", "prod"):
            wide = np.float64 if is_float(node.dtype) else x.dtype
            result = getattr(np, op)(rows, axis=-1, dtype=wide)
        else:
            result = getattr(np, op)(rows, axis=-1)
        return result.astype(NUMPY_DTYPES[node.dtype]).reshape(shape)


def _constant(value: float, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    if dtype in ("f16", "bf16"):
        return convert(np.full(shape, value, np.float32), "f32", dtype)
    return np.full(shape, value).astype(NUMPY_DTYPES[dtype])


def _empty(op: str, dtype: np.dtype) -> Any:
    """What a reduction of nothing gives."""
    if op in ("max", "min"):
        low = op == "max"
        if dtype.kind == "f":
            return dtype.type("-inf" if low else "inf")
        return np.iinfo(dtype).min if low else np.iinfo(dtype).max
    return dtype.type(op in ("prod", "all")) if op not in ("argmax", "argmin") else np.int64(0)


def _memory(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The memory that `array` lies in, as one dimension, and the positions of its points there."""
    root = array
    while isinstance(root.base, np.ndarray):
        root = root.base
    flat = root.reshape(-1)
    start = array.__array_interface__["data"][0] - flat.__array_interface__["data"][0]
    positions = np.full(array.shape, start // array.itemsize, np.int64)
    for axis, (n, stride) in enumerate(zip(array.shape, array.strides, strict=True)):
        steps = np.arange(n) * (stride // array.itemsize)
        positions += steps.reshape([-1 if i == axis else 1 for i in range(array.ndim)])
    return flat, positions


def convert(x: np.ndarray, source: str, target: str) -> np.ndarray:
    """`cast`, as machine code does it."""
    dtype = NUMPY_DTYPES[target]
    if source == "bf16":
        return (x.astype(np.uint32) << 16).view(np.float32)
    if target == "bf16":
        bits = x.view(np.uint32)
        rounded = bits + 0x7FFF + (bits >> 16 & 1) >> 16
        return np.where(np.isnan(x), bits >> 16 | 0x40, rounded).astype(np.uint16)
    if target == "bool":
        return x != 0
    if is_float(source) and not is_float(target):
        wide = dtype if item_size(target) >= 4 else np.int32
        limit = 2.0 ** (8 * np.dtype(wide).itemsize - 1)
        inside = (x >= -limit) & (x < limit)
        whole: np.ndarray = np.where(inside, x, 0).astype(wide)
        return np.where(inside, whole, np.iinfo(wide).min).astype(dtype)
    return x.astype(dtype)


def _fma(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """x * y + z with one rounding: the error terms of the product and the sum are carried."""
    if x.dtype == np.float32:
        # The product is exact in float64; rounding the sum to odd makes the second rounding right.
        product, addend = x.astype(np.float64) * y, z.astype(np.float64)
        total = product + addend
        error = _sum_error(product, addend, total)
        odd = total.view(np.int64) & 1
        away = np.where((error > 0) == (total > 0), 1, -1)
        inexact = np.isfinite(total) & (error != 0) & (odd == 0)
        bits = total.view(np.int64) + np.where(inexact & (away < 0), -1, 0)
        return np.where(inexact, bits | 1, total.view(np.int64)).view(np.float64).astype(np.float32)
    product = x * y
    total = product + z
    with_errors = total + (_product_error(x, y, product) + _sum_error(product, z, total))
    return np.where(np.isfinite(with_errors), with_errors, total)


def _sum_error(a: np.ndarray, b: np.ndarray, total: np.ndarray) -> np.ndarray:
    """a + b - total, exactly (Knuth's TwoSum)."""
    part = total - a
    return (a - (total - part)) + (b - part)


def _product_error(x: np.ndarray, y: np.ndarray, product: np.ndarray) -> np.ndarray:
    """x * y - product, exactly (Dekker, with Veltkamp's splitting)."""
    xh, yh = (v * 134217729.0 - (v * 134217729.0 - v) for v in (x, y))
    xl, yl = x - xh, y - yh
    return ((xh * yh - product) + xh * yl + xl * yh) + xl * yl


def _divide(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Integer division towards zero."""
    floor = np.floor_divide(x, np.where(y == 0, 1, y).astype(y.dtype))
    exact = floor * y == x
    quotient = np.where(~exact & ((x < 0) != (y < 0)), floor + 1, floor)
    return np.where(y == 0, 0, quotient).astype(x.dtype)


def _remainder(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.where(y == 0, 0, x - _divide(x, y) * y)


def _shift(x: np.ndarray, y: np.ndarray, shift: Callable, arithmetic: bool) -> np.ndarray:
    bits = 8 * x.itemsize
    outside = (y < 0) | (y >= bits)
    shifted = shift(x, np.where(outside, bits - 1, y).astype(x.dtype))
    return shifted if arithmetic else np.where(outside, 0, shifted)


def _logical(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    unsigned = np.dtype(f"u{x.itemsize}")
    outside = (y < 0) | (y >= 8 * x.itemsize)
    amount = np.where(outside, 0, y).astype(unsigned)
    return np.where(outside, 0, np.right_shift(x.view(unsigned), amount).view(x.dtype))


def _right(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _shift(x, y, np.right_shift, True) if x.dtype.kind == "i" else _logical(x, y)


_OPERATIONS: dict[str, Callable] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "neg": np.negative,
    "idiv": _divide, "irem": _remainder, "abs": np.abs, "fma": _fma, "sqrt": np.sqrt,
    "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor, "not": np.invert,
    "shl": lambda x, y: _shift(x, y, np.left_shift, False), "shr": _right, "lshr": _logical,
    "minimum": np.minimum, "maximum": np.maximum,
    "min_number": lambda x, y: np.where(x < y, x, y),
    "max_number": lambda x, y: np.where(x > y, x, y),
    "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "roundeven": np.rint,
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
    "eq": np.equal, "ne": np.not_equal, "select": np.where,
    "rarely": np.where,
}  # fmt: skip
