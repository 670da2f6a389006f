"""TensorFlow's functions that look at values while a session runs, or compute with Python.

A program that has one of them is not captured: it runs operation by operation.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from gleed import _C
from gleed.compat.tensorflow.convert import convert_to_tensor, function_of, operands
from gleed.compat.tensorflow.errors import InvalidArgumentError
from gleed.errors import ArgumentError, DTypeError
from gleed.graph.data import as_dtype, as_tensor
from gleed.graph.defaults import graph_of
from gleed.graph.node import Node, Operation, Type
from gleed.graph.shape import Shape
from gleed.lazy import lazy
from gleed.ops.record import OPS

numpy = lazy("numpy")


def py_func(
    func: Callable[..., Any], inp: Sequence[Any], Tout: Any, stateful: bool = True,
    name: str | None = None,
) -> Any:  # fmt: skip
    """What `func` makes of NumPy arrays, with the dtypes `Tout`: one, or a list, which gives a list
    of nodes. Shapes are unknown; no gradient goes through.

    >>> import gleed.compat.tensorflow as tf
    >>> x = tf.placeholder(tf.float32, [None])
    >>> y = tf.py_func(lambda x: x[::-1].copy(), [x], tf.float32)
    >>> with tf.Session() as session:
    ...     print(session.run(y * 2, {x: [1, 2, 3]}))
    [6. 4. 2.]
    """
    several = isinstance(Tout, list | tuple)
    dtypes = [as_dtype(t) for t in (Tout if several else [Tout])]
    nodes = [convert_to_tensor(x) for x in inp]
    graph = graph_of(nodes)

    def call(*tensors: Any) -> Any:
        found = func(*(_C.to_numpy(t.detach()).copy() for t in tensors))
        values = list(found) if several else [found]
        if len(values) != len(dtypes):
            raise ArgumentError(
                f"py_func: the function must give one value for each of Tout; {len(values)} came "
                f"for {len(dtypes)}; correct Tout"
            )
        results = tuple(map(_result, values, dtypes))
        return results if several else results[0]

    types = [Type(dtype, Shape(None)) for dtype in dtypes]
    made = graph.add("PyFunc", call, nodes, name=name, types=types)
    made.many = several
    return list(made.outputs) if several else made.outputs[0]


def _result(value: Any, dtype: Any) -> Any:
    tensor = as_tensor("py_func", numpy.asarray(value))
    if tensor.dtype is not dtype:
        raise DTypeError(
            f"py_func: the function must give the dtype in Tout; {tensor.dtype.name} came for "
            f"{dtype.name}; convert it with numpy.asarray"
        )
    return tensor


def Print(
    input_: Any, data: Sequence[Any], message: str | None = None, first_n: int | None = None,
    summarize: int | None = None, name: str | None = None,
) -> Node:  # fmt: skip
    """`input_`, for which a session writes `message` and `data` to the standard error stream: the
    first `summarize` (3) elements of each, for the first `first_n` times."""
    x = convert_to_tensor(input_)
    shown = [convert_to_tensor(value) for value in data]
    left = [-1 if first_n is None else first_n]
    most = 3 if summarize is None else summarize

    def show(x: Any, *tensors: Any) -> Any:
        if left[0]:
            left[0] -= 1
            print((message or "") + "".join(_summary(t, most) for t in tensors), file=sys.stderr)
        return x.view(x.shape)

    kind = Type(x.dtype, x.shape, x)
    return x.graph.add("Print", show, (x, *shown), name=name, types=[kind]).outputs[0]


def _summary(tensor: Any, most: int) -> str:
    elements = numpy.ravel(
        _C.to_numpy(tensor.detach()) if isinstance(tensor, _C.Tensor) else tensor
    )
    shown = elements if most < 0 else elements[:most]
    more = "..." if len(shown) < len(elements) else ""
    return f"[{' '.join(f'{x:g}' for x in shown)}{more}]"


def Assert(
    condition: Any, data: Sequence[Any], summarize: int | None = None, name: str | None = None
) -> Operation:
    """An operation that raises InvalidArgumentError with `data` unless all of `condition` holds."""
    holds, shown = convert_to_tensor(condition), [convert_to_tensor(x) for x in data]
    return _asserted(holds, shown, "the condition must hold", summarize, name or "Assert")


def _asserted(
    holds: Node, shown: Sequence[Node], rule: str, summarize: int | None, name: str
) -> Operation:
    most = 3 if summarize is None else summarize

    def check(holds: Any, *tensors: Any) -> None:
        if not bool(holds.all()):
            values = " ".join(_summary(t, most) for t in tensors)
            raise InvalidArgumentError(f"assert: {rule}; {values} came; check what is fed")

    return holds.graph.add("Assert", check, (holds, *shown), name=name)


def _comparison(op: str, sign: str) -> Callable[..., Operation]:
    def function(
        x: Any, y: Any, data: Any = None, summarize: int | None = None, message: str | None = None,
        name: str | None = None,
    ) -> Operation:  # fmt: skip
        x, y = (convert_to_tensor(v) for v in operands(x, y))
        rule = f"x {sign} y must hold" + (f" ({message})" if message else "")
        holds = x.graph.call(OPS[op], x, y)
        return _asserted(holds, [x, y], rule, summarize, name or f"assert_{op}")

    return function


_COMPARISONS = {
    "equal": ("eq", "=="), "greater": ("gt", ">"), "greater_equal": ("ge", ">="),
    "less": ("lt", "<"), "less_equal": ("le", "<="), "none_equal": ("ne", "!="),
}  # fmt: skip
globals().update(
    {
        f"assert_{name}": function_of(
            f"assert_{name}", f"An operation that raises InvalidArgumentError unless x {sign} y.",
            _comparison(op, sign),
        )
        for name, (op, sign) in _COMPARISONS.items()
    }
)  # fmt: skip


def check_numerics(tensor: Any, message: str, name: str | None = None) -> Node:
    """`tensor`, for which a session raises InvalidArgumentError with `message` if an element is
    infinite or no number."""
    x = convert_to_tensor(tensor)

    def check(x: Any) -> Any:
        if not bool(x.isfinite().all()):
            raise InvalidArgumentError(
                f"check_numerics: elements must be finite; {message}: inf or nan came; print what "
                "leads to it"
            )
        return x.view(x.shape)

    kind = Type(x.dtype, x.shape, x)
    return x.graph.add("CheckNumerics", check, (x,), name=name, types=[kind]).outputs[0]
