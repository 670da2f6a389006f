"""Programs run in NumPy: the steps that the core would take, kernels by the interpreter.

>>> from gleed.compiler.graph import Graph, Node
>>> from gleed.compiler.dims import Scope
>>> x = Node.leaf("input", 0, "f32", (2, 3)).outputs[0]
>>> program = Program("same", Graph([x], [x]), Scope(), None, 0, (), {}, (), 0, None)
>>> interpret_program(program, [np.ones((2, 3), np.float32)])[0].tolist()
[[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gleed.compiler import kernel as k
from gleed.compiler.dims import OPERATIONS
from gleed.compiler.interpret import NUMPY_DTYPES, interpret
from gleed.compiler.planning import Program


class Unplayable(Exception):
    """A plan with a routine of the core, or with memory seen in ways that NumPy does not offer."""


def interpret_program(
    program: Program,
    arrays: Sequence[np.ndarray],
    ints: Sequence[int] = (),
    scalars: Sequence[float] = (),
) -> list[np.ndarray]:
    """The outputs of a program for these inputs, integers and run-time numbers.

    Arrays whose tensors the program writes to are written to; where an array is not contiguous, it
    must be a view of one-dimensional memory. Raises Unplayable for what NumPy
    cannot do; a routine of the core is one, matrix products left out.
    """
    return _Run(program, arrays, ints, scalars).run()


class _Run:
    """One run of a program over arrays."""

    def __init__(
        self,
        program: Program,
        arrays: Sequence[np.ndarray],
        ints: Sequence[int],
        scalars: Sequence[float],
    ) -> None:
        self.program, self.ints, self.scalars = program, ints, scalars
        self.schedule = program.schedule()
        self.values: dict[int, np.ndarray] = dict(enumerate(arrays))
        self.cells: list[int] = []
        for dim in self.schedule.cells.table:
            self.cells.append(self._cell(*dim))

    def run(self) -> list[np.ndarray]:
        """Take every step; the outputs, without what is kept for the backward."""
        for step in self.schedule.steps:
            self._take(step)
        count = len(self.schedule.outputs) - self.program.residuals
        return [self.values[number] for number in self.schedule.outputs[:count]]

    def _take(self, step: Any) -> None:
        getattr(self, f"_{step[0]}", self._library)(*step[1:])

    def _cell(self, kind: str, *args: Any) -> int:
        if kind == "const":
            return args[0]
        if kind == "size":
            return self.values[args[0]].shape[args[1]]
        if kind == "stride":
            x = self.values[args[0]]
            return x.strides[args[1]] // x.itemsize
        if kind == "int":
            return self.ints[args[0]]
        return OPERATIONS[kind](self.cells[args[0]], self.cells[args[1]])

    def _shape(self, number: int) -> tuple[int, ...]:
        dims = self.schedule.values[number - len(self.program.graph.inputs)][1]
        return tuple(self.cells[d] for d in dims)

    # ---- steps
    def _alloc(self, number: int, like: Any) -> None:
        dtype = self.schedule.values[number - len(self.program.graph.inputs)][0]
        self.values[number] = np.zeros(self._shape(number), NUMPY_DTYPES[dtype])

    def _view(self, number: int, source: int, movement: str, arguments: Any) -> None:
        x, shape = self.values[source], self._shape(number)
        if movement == "permute":
            y = x.transpose(arguments)
        elif movement == "reshape":
            y = x.reshape(shape)
        elif movement == "expand":
            y = np.broadcast_to(x, shape)
        elif movement == "slice":
            axis, start, step, length = arguments
            y = self._sliced(x, axis, self.cells[start], step, self.cells[length])
        elif movement == "diagonal":
            axis1, axis2, offset = arguments
            y = x.diagonal(self.cells[offset], axis1, axis2)
            y.flags.writeable = True
        else:
            raise Unplayable(movement)
        self.values[number] = y

    @staticmethod
    def _sliced(x: np.ndarray, axis: int, start: int, step: int, length: int) -> np.ndarray:
        stop = start + step * length
        part = slice(start, None if stop < 0 else stop, step)
        return (
            x[(slice(None),) * axis + (part,)] if length else x[(slice(None),) * axis + (slice(0),)]
        )

    def _reshape(self, number: int, source: int, kernel: Any) -> None:
        self.values[number] = self.values[source].reshape(self._shape(number))

    _compact = _reshape

    def _loop(self, count: int, cursors: Any, steps: Any) -> None:
        for turn in range(self.cells[count]):
            for number, source, start, step in cursors:
                self.values[number] = self.values[source][self.cells[start] + turn * step]
            for step in steps:
                self._take(step)

    def _branch(self, predicate: int, *ways: Any) -> None:
        for step in ways[not self.values[predicate]]:
            self._take(step)

    def _while(self, predicate: int, check: Any, turn: Any) -> None:
        while True:
            for step in check:
                self._take(step)
            if not self.values[predicate]:
                return
            for step in turn:
                self._take(step)

    def _library(self, *step: Any) -> None:
        if step[0] != "matmul" or self.values[step[1][0]].dtype.kind != "f":
            raise Unplayable(str(step[0]))
        for _, kernel in step[5:] and step[5]:
            self._take(kernel)
        a, b, *bias, result = (self.values[number] for number in step[1])
        result[...] = sum(bias, a @ b)
        if bias and self.cells[step[2][0]]:
            np.maximum(result, 0, out=result)
        for _, kernel in step[4:] and step[4]:
            self._take(kernel)

    def _kernel(
        self, ir: k.Kernel, axes: Any, parallel: int, operands: Any, params: Any, guides: Any = ()
    ) -> None:
        sizes = tuple(self.cells[d] for d in axes)
        arrays = [self._operand(o, sizes) for o in operands]
        # No operand; it tells the sizes of axes along which none moves.
        arrays.append(np.broadcast_to(0, sizes))
        interpret(ir, arrays, [self._param(p) for p in params], tuple(range(parallel, len(axes))))
        assert not any(o[0] == "status" and a.any() for o, a in zip(operands, arrays, strict=False))

    def _operand(self, operand: Any, sizes: tuple[int, ...]) -> np.ndarray:
        if operand[0] == "status":
            return np.zeros((1,) * len(sizes), np.int64)
        if operand[0] == "index":
            coefficients, base = operand[1], operand[2]
            total = np.full((1,) * len(sizes), self.cells[base] if base >= 0 else 0, np.int64)
            for axis, dim in enumerate(coefficients):
                if dim >= 0:
                    steps = np.arange(sizes[axis]) * self.cells[dim]
                    total = total + steps.reshape(
                        [-1 if a == axis else 1 for a in range(len(sizes))]
                    )
            return total
        value, mapping = operand
        x = self.values[value]
        shape = tuple(x.shape[d] if d >= 0 else 1 for d in mapping)
        strides = tuple(x.strides[d] if d >= 0 else 0 for d in mapping)
        root = x
        while isinstance(root.base, np.ndarray):
            root = root.base
        start = x.__array_interface__["data"][0] - root.__array_interface__["data"][0]
        return np.ndarray(shape, x.dtype, root.reshape(-1), start, strides)

    def _param(self, param: Any) -> Any:
        kind, *where = param
        if kind == "scalar":
            return self.scalars[where[0]]
        if kind == "dim":
            return self.cells[where[0]]
        x = self.values[where[0]]
        return x.strides[where[1]] // x.itemsize
