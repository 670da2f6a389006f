"""The dtype and the shape of a result, found while the graph is built.

An op's body runs on stand-ins, as when it is compiled, with a symbol for every size that is not
known. A symbol needs a value to decide by, so a few are tried: sizes of the result that stay
symbols, or that differ between trials, are unknown. A node of unknown rank is tried with several
ranks. Functions that are no bodies run on tensors of zeros and of ones instead.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

from gleed import _C, dtypes, primitives
from gleed.compiler.dims import Dim
from gleed.compiler.graph import Value
from gleed.dtypes import dtype_text
from gleed.errors import ArgumentError, DTypeError
from gleed.graph.node import Composite, Node, Type, mapped
from gleed.graph.shape import Shape
from gleed.graph.sizes import SizeNode
from gleed.graph.trials import HINTS, Trial, Unknown, known_dims, trials
from gleed.ops.promotion import convert, default_float
from gleed.ops.record import Op, Overload, Parameter
from gleed.places import Place
from gleed.random import fork_rng
from gleed.trace import Standin, Trace

# The sizes of their results depend on data, although they have bodies.
SIZED_BY_DATA = {"argwhere", "nonzero"}
# More elements than this are not made to see what a function does with them.
FEW_ELEMENTS = 1 << 16

DTYPES = {
    dtype.kernel_name: dtype
    for dtype in (getattr(dtypes, name) for name in dtypes.__all__)
    if isinstance(dtype, dtypes.dtype) and not dtype.is_complex
}
_FIX = "compute it from what session.run gives"
_VIEWS = {"movement", "broadcast", "permute", "reshape"}


class _NoBodyError(Exception):
    """The arguments fit no overload that has a body."""


Form = Callable[[Sequence[Any]], Any]
Types = tuple[list[Type], Form]


def infer(function: Any, args: Any, kwargs: Any, nodes: Sequence[Node]) -> Types:
    """The types of the results of `function(*args, **kwargs)`, and what makes one value of them: a
    tuple or a named tuple where there are several.

    Raises what the function raises, if it does so for every size that is not known.
    """
    name = getattr(function, "name", "")
    if isinstance(function, Composite | Op) and name not in SIZED_BY_DATA:
        try:
            return _explored(_traced, function, args, kwargs, nodes)
        except _NoBodyError:
            pass
    return _explored(_ran, function, args, kwargs, nodes)


def _explored(
    evaluate: Callable[..., Types], function: Any, args: Any, kwargs: Any, nodes: Sequence[Node]
) -> Types:
    """What the trials have in common."""
    failure: Exception | None = None
    found: list[Type] | None = None
    form: Form = single
    for choice in trials(nodes, args, kwargs, evaluate is _traced):
        successes = 0
        for trial in choice:
            try:
                types, form = evaluate(function, args, kwargs, trial)
            except _NoBodyError:
                raise
            except Exception as error:
                failure = failure or _readable(error, nodes)
                continue
            trial.failed = False
            found = types if found is None else _common(found, types)
            successes += 1
            if successes == 2 or trial.certain:
                break
        if found is not None and all(t.shape.dims is None for t in found):
            break  # nothing more can be learnt
    if found is None:
        assert failure is not None  # there is a trial
        raise failure
    return found, form


def single(results: Sequence[Any]) -> Any:
    """The only result."""
    return results[0]


def _form(result: Any, named: Any = None) -> tuple[Sequence[Any], Form]:
    """The results in a value, and what makes such a value of results."""
    if not isinstance(result, tuple | list):
        return (result,), single
    kind = named or (type(result) if hasattr(result, "_fields") else None)
    return result, tuple if kind in (None, tuple, list) else lambda results: kind(*results)


def _common(a: list[Type], b: list[Type]) -> list[Type]:
    if len(a) != len(b):
        raise ArgumentError(
            f"graph: the number of results must not depend on sizes that are unknown; {len(a)} and "
            f"{len(b)} came; give the placeholder its size"
        )
    return [Type(y.dtype, x.shape.either(y.shape), x.shares) for x, y in zip(a, b, strict=True)]


def _readable(error: Exception, nodes: Sequence[Node]) -> Exception:
    """The error with None where a trial had a value for an unknown size."""
    sizes = {n for node in nodes for n in known_dims(node) or ()}
    if HINTS[0] in sizes:
        return error
    return same_kind(error, re.sub(rf"\b{HINTS[0]}\b", "None", str(error)))


def same_kind(error: Exception, text: str) -> Exception:
    """An error of the same class with another text."""
    try:
        return type(error)(text)
    except TypeError:  # a class that takes more than a text
        return RuntimeError(text)


def located(
    error: Exception, name: str, place: Place, nodes: Sequence[Node], when: str
) -> Exception:
    """The error with the lines that made the node and its inputs."""
    lines = [str(error), f"  node {name!r} {when} at {place.quoted}"]
    lines += [f"  input {node.describe()} made at {node.op.place.quoted}" for node in nodes]
    return same_kind(error, "\n".join(lines))


# ---- bodies
def _traced(function: Any, args: Any, kwargs: Any, trial: Trial) -> Types:
    trace = Trace()
    trial.guards, trial.traced = trace.scope.guards, True
    standins: dict[Node, Any] = {}
    for k, (node, shape) in enumerate(trial.sizes.items()):
        dims = tuple(
            trace.scope.symbol(("size", k, a), int(n)) if isinstance(n, Unknown) else int(n)
            for a, n in enumerate(shape)
        )
        if isinstance(node, SizeNode):
            standins[node] = node.form(dims)
        else:
            standins[node] = trace.input(node.dtype.kernel_name, dims)
    args, kwargs = mapped((args, kwargs), partial(_looked_up, standins))
    with trace.active():
        if isinstance(function, Op):
            results, form = _of_op(function, trace, args, kwargs)
        else:
            results, form = _form(_of_body(function.name, function.body, args, kwargs))
    sources = {x.value: node for node, x in standins.items() if isinstance(x, Standin)}
    return [_type(y, sources) for y in results], form


def _looked_up(values: dict[Node, Any], leaf: Any) -> Any:
    return values[leaf] if isinstance(leaf, Node) else leaf


def _of_op(op: Op, trace: Trace, args: Any, kwargs: Any) -> tuple[Sequence[Any], Form]:
    for overload in op.overloads:
        bound = overload.bind(args, _renamed(overload, kwargs))
        if bound is not None:
            _refuse_writes(overload)
            pairs = zip(overload.parameters, bound, strict=True)
            values = [_argument(trace, overload, *pair) for pair in pairs]
            result = _of_body(op.name, overload.inline, (values,), {})
            return _form(result, overload.result)
    raise _NoBodyError


def _of_body(name: str, body: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    try:
        return body(*args, **kwargs)
    except primitives.FloatNeededError as needed:
        raise DTypeError(
            f"{name}: a floating-point tensor is needed; got {dtype_text(needed.dtype)}; convert "
            "it with .float()"
        ) from None


def _renamed(overload: Overload, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments under the record's names, NumPy's spellings being allowed."""
    names = [p.name for p in overload.parameters]
    other = {"axis": "dim", "keepdims": "keepdim", "x1": names[0] if names else "x1"}
    if len(names) > 1:
        other["x2"] = names[1]
    return {k if k in names else other.get(k, k): value for k, value in kwargs.items()}


def _refuse_writes(overload: Overload) -> None:
    if overload.writes:
        raise ArgumentError(
            f"{overload.name}: it overwrites an argument, which is a node, not memory; use "
            f"{overload.name.rstrip('_')}, or a Variable and assign"
        )


def _argument(trace: Trace, overload: Overload, parameter: Parameter, value: Any) -> Any:
    """An argument as a body takes it from the core."""
    kind = parameter.kind.removesuffix("?")
    if "o" in parameter.flags and value is not None:
        raise ArgumentError(
            f"{overload.name}: out= overwrites a tensor, and a node is none; got one; leave it out"
        )
    if kind in ("operand", "scalar") and isinstance(value, bool | int | float):
        number = "bool" if isinstance(value, bool) else "i64" if isinstance(value, int) else "f64"
        return trace.param(len(trace.inputs), number)
    if kind in ("operand", "scalar") and isinstance(value, Dim):
        return trace.size(value)
    if kind == "ints":
        return (value,) if isinstance(value, int | Dim) else value and tuple(value)
    if isinstance(value, _C.dtype) or (parameter.name == "dtype" and value is not None):
        return dtypes.dtype_of(overload.name, value).kernel_name
    return value


def _type(y: Any, sources: dict[Value, Node]) -> Type:
    if not isinstance(y, Standin):
        raise ArgumentError(f"graph: an operation gives tensors; a {type(y).__name__} came; {_FIX}")
    if y.weak and y.dtype == "f64":
        y = convert(y, default_float())
    resolved = (y.trace.scope.resolve(n) for n in y.shape)
    shape = Shape([None if isinstance(n, Dim) else n for n in resolved])
    value = y.value
    while value not in sources and _is_view(value):
        value = value.node.inputs[0]
    return Type(DTYPES[y.dtype], shape, sources.get(value))


def _is_view(value: Value) -> bool:
    primitive = value.node.primitive
    return primitive is not None and (primitive.kind in _VIEWS or primitive.name == "alias")


# ---- other functions
def _ran(function: Any, args: Any, kwargs: Any, trial: Trial) -> Types:
    """Types from runs on zeros, on ones, and on both in turn: sizes may depend on data."""
    call = function.public if isinstance(function, Op) else function
    found = []
    failure: Exception | None = None
    form: Form = single
    small = max((math.prod(shape) for shape in trial.sizes.values()), default=0) <= FEW_ELEMENTS
    for fill in (_zeros, _ones, *([_alternating] if small else [])):
        values = {
            node: node.form(shape) if isinstance(node, SizeNode) else fill(node.dtype, shape)
            for node, given in trial.sizes.items()
            for shape in (tuple(map(int, given)),)
        }
        given = mapped((args, kwargs), partial(_looked_up, values))
        try:
            with fork_rng(), _C.no_grad():
                result = call(*given[0], **given[1])
        except Exception as error:
            failure = failure or error
            continue
        results, form = _form(result)
        found.append([_type_of_tensor(y, values) for y in results])
    if not found:
        assert failure is not None  # it failed with all of them
        raise failure
    return reduce(_common, found), form


def _zeros(dtype: Any, shape: tuple[int, ...]) -> _C.Tensor:
    """Zeros that take no memory."""
    return _C.tensor_from_data(0, dtype).expand(shape)


def _ones(dtype: Any, shape: tuple[int, ...]) -> _C.Tensor:
    """Ones that take no memory."""
    return _C.tensor_from_data(1, dtype).expand(shape)


def _alternating(dtype: Any, shape: tuple[int, ...]) -> _C.Tensor:
    """0, 1, 0, 1, … in row-major order."""
    count = math.prod(shape)
    return _C.tensor_from_data([i % 2 for i in range(count)], dtype).reshape(shape)


def _type_of_tensor(y: Any, values: dict[Node, Any]) -> Type:
    if not isinstance(y, _C.Tensor):
        raise ArgumentError(f"graph: an operation gives tensors; a {type(y).__name__} came; {_FIX}")
    tensors = ((node, x) for node, x in values.items() if isinstance(x, _C.Tensor))
    shared = next((node for node, x in tensors if x.data_ptr() == y.data_ptr()), None)
    return Type(y.dtype, Shape(tuple(y.shape)), shared)
