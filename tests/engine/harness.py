"""Hand-made plans and ops, for testing the core without the op records."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gleed import _C
from gleed.compiler import kernel as k
from gleed.compiler.emit import compile_variant

REQUIRED = inspect.Parameter.empty


def compile_kernel(ir: k.Kernel, orientation: str, strides: str) -> tuple[bytes, str]:
    """The core's callback for a new variant."""
    return compile_variant(ir, k.Variant(orientation, strides))


def core(ir: k.Kernel, split: Any = None) -> Any:
    """The core's object for a kernel."""
    inputs = sum(operand.kind != "out" for operand in ir.operands)
    return _C.Kernel(ir, inputs, compile_kernel, split)


def pointwise(
    body: Callable[..., k.Node], dtypes: Sequence[str], params: Sequence[str] = ()
) -> Any:
    """A map kernel: `body` of loads and params gives the one output."""
    loads = [k.load(i, d) for i, d in enumerate(dtypes)]
    value = body(*loads, *(k.param(i, d) for i, d in enumerate(params)))
    operands = [k.Operand(d, "in") for d in dtypes] + [k.Operand(value.dtype, "out")]
    store = k.Store(len(dtypes), value)
    return core(k.Kernel("pointwise", tuple(operands), tuple(params), (store,)))


def reduction(op: str, dtype: str = "f32", split: Any = None) -> Any:
    """A kernel that reduces its one input."""
    value = k.reduce(op, k.load(0, dtype))
    operands = (k.Operand(dtype, "in", True), k.Operand(value.dtype, "out"))
    return core(k.Kernel(op, operands, (), (k.Store(1, value),)), split)


def split_sum(dtype: str = "f32") -> Any:
    """A sum that the core may divide into chunks."""
    return reduction("sum", dtype, (reduction("sum", dtype), reduction("sum", dtype), (dtype,)))


class Broadcast:
    """Compiles plans of a pointwise kernel over the broadcast shapes of its tensors."""

    def __init__(self, kernel: Any, result: Any = None, inplace: bool = False) -> None:
        self.kernel, self.result, self.inplace = kernel, result, inplace
        self.calls: list[tuple[Any, ...]] = []

    def __call__(self, arguments: Any, sizes: Any, ints: Any, words: Any) -> Any:
        self.calls.append((arguments, sizes, ints, words))
        tensors = [a for a in arguments if isinstance(a, _C.Tensor)]
        shape = np.broadcast_shapes(*sizes)
        dims: list[tuple[Any, ...]] = []
        guards = []
        cells = []
        for axis in range(len(shape)):
            chosen = None
            for t, size in enumerate(sizes):
                own = axis - (len(shape) - len(size))
                if own < 0:
                    continue
                dims.append(("size", t, own))
                if size[own] == shape[axis] and chosen is None:
                    chosen = len(dims) - 1
                elif size[own] == shape[axis]:
                    guards.append(("eq", chosen, len(dims) - 1))
                else:
                    dims.append(("const", 1))
                    guards.append(("eq", len(dims) - 2, len(dims) - 1))
            cells.append(chosen)
        operands = [(t, _aligned(sizes[t], shape)) for t in range(len(tensors))]
        dtype = self.result or tensors[0].dtype
        whole = tuple(range(len(shape)))
        params = tuple(("scalar", i) for i in range(len(self.kernel.ir.params)))
        inputs = tuple((t.dtype, len(size)) for t, size in zip(tensors, sizes, strict=True))
        if self.inplace:
            step = (
                "kernel",
                self.kernel,
                tuple(cells),
                len(shape),
                (*operands, (0, whole)),
                params,
            )
            return _C.Plan(inputs, tuple(dims), tuple(guards), (), (step,), (0,), (), (0,))
        out = len(tensors)
        steps = (
            ("alloc", out, tuple(range(len(tensors)))),
            ("kernel", self.kernel, tuple(cells), len(shape), (*operands, (out, whole)), params),
        )
        values = ((dtype, tuple(cells)),)
        return _C.Plan(inputs, tuple(dims), tuple(guards), values, steps, (out,), (), ())


def _aligned(size: Sequence[int], shape: Sequence[int]) -> tuple[int, ...]:
    """The dimension of a value that each axis of a broadcast shape runs along, or -1."""
    own = [axis - (len(shape) - len(size)) for axis in range(len(shape))]
    return tuple(d if d >= 0 and size[d] == shape[axis] else -1 for axis, d in enumerate(own))


class Reduce:
    """Compiles plans that reduce the axes given as a static argument."""

    def __init__(self, kernel: Any, result: Any = None) -> None:
        self.kernel, self.result = kernel, result

    def __call__(self, arguments: Any, sizes: Any, ints: Any, words: Any) -> Any:
        tensor, axes = arguments
        ndim = len(sizes[0])
        kept = [a for a in range(ndim) if a not in axes]
        dims = tuple(("size", 0, a) for a in range(ndim))
        order = (*kept, *axes)
        source = tuple(order)
        target = (*range(len(kept)), *(-1 for _ in axes))
        steps = (
            ("alloc", 1, ()),
            ("kernel", self.kernel, order, len(kept), ((0, source), (1, target)), ()),
        )
        values = ((self.result or tensor.dtype, tuple(kept)),)
        return _C.Plan(((tensor.dtype, ndim),), dims, (), values, steps, (1,), (), ())


def no_explanation(arguments: Any) -> None:
    """For ops whose kernels check nothing."""


def op(name: str, parameters: Sequence[tuple[Any, ...]], compile: Callable[..., Any]) -> Any:
    """An op with one overload."""
    return _C.Op(name, [(tuple(parameters), compile, no_explanation)])


def tensor(array: Any) -> Any:
    """A tensor sharing the memory (and strides) of a NumPy array."""
    return _C.from_numpy(array)


def array(t: Any) -> np.ndarray:
    """A tensor's values."""
    return np.array(_C.to_numpy(t))


ADD = pointwise(lambda x, y: x + y, ("f32", "f32"))
ADD_COMPILE = Broadcast(ADD)
ONE_TENSOR = (("input", "tensor", REQUIRED, ""),)
TWO = (("input", "tensor", REQUIRED, ""), ("other", "tensor", REQUIRED, ""))
add = op("add", TWO, ADD_COMPILE)
add_ = op("add_", TWO, Broadcast(ADD, inplace=True))
