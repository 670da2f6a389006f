"""TensorFlow's names of arithmetic, comparisons and reductions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from gleed import _C
from gleed.compat.tensorflow.convert import apply, convert_to_tensor, function_of, operands
from gleed.errors import ArgumentError
from gleed.graph.data import as_dtype
from gleed.graph.node import Node
from gleed.graph.routines import identity
from gleed.ops.record import OPS

# TensorFlow's function: gleed's op, and what TensorFlow calls the operation.
UNARY = {
    "abs": ("abs", "Abs"),
    "acos": ("acos", "Acos"),
    "asin": ("asin", "Asin"),
    "atan": ("atan", "Atan"),
    "ceil": ("ceil", "Ceil"),
    "cos": ("cos", "Cos"),
    "cosh": ("cosh", "Cosh"),
    "digamma": ("digamma", "Digamma"),
    "erf": ("erf", "Erf"),
    "erfc": ("erfc", "Erfc"),
    "exp": ("exp", "Exp"),
    "expm1": ("expm1", "Expm1"),
    "floor": ("floor", "Floor"),
    "is_finite": ("isfinite", "IsFinite"),
    "is_inf": ("isinf", "IsInf"),
    "is_nan": ("isnan", "IsNan"),
    "lgamma": ("lgamma", "Lgamma"),
    "log": ("log", "Log"),
    "log1p": ("log1p", "Log1p"),
    "log_sigmoid": ("logsigmoid", "LogSigmoid"),
    "logical_not": ("logical_not", "LogicalNot"),
    "negative": ("neg", "Neg"),
    "reciprocal": ("reciprocal", "Reciprocal"),
    "rint": ("round", "Rint"),
    "round": ("round", "Round"),
    "rsqrt": ("rsqrt", "Rsqrt"),
    "sigmoid": ("sigmoid", "Sigmoid"),
    "sign": ("sign", "Sign"),
    "sin": ("sin", "Sin"),
    "sinh": ("sinh", "Sinh"),
    "sqrt": ("sqrt", "Sqrt"),
    "square": ("square", "Square"),
    "tan": ("tan", "Tan"),
    "tanh": ("tanh", "Tanh"),
}
BINARY = {
    "add": ("add", "Add"),
    "atan2": ("atan2", "Atan2"),
    "divide": ("div", "truediv"),
    "equal": ("eq", "Equal"),
    "floor_div": ("floor_divide", "FloorDiv"),
    "floordiv": ("floor_divide", "floordiv"),
    "floormod": ("remainder", "FloorMod"),
    "greater": ("gt", "Greater"),
    "greater_equal": ("ge", "GreaterEqual"),
    "less": ("lt", "Less"),
    "less_equal": ("le", "LessEqual"),
    "logical_and": ("logical_and", "LogicalAnd"),
    "logical_or": ("logical_or", "LogicalOr"),
    "logical_xor": ("logical_xor", "LogicalXor"),
    "maximum": ("maximum", "Maximum"),
    "minimum": ("minimum", "Minimum"),
    "mod": ("remainder", "FloorMod"),
    "multiply": ("mul", "Mul"),
    "not_equal": ("ne", "NotEqual"),
    "pow": ("pow", "Pow"),
    "realdiv": ("div", "RealDiv"),
    "subtract": ("sub", "Sub"),
    "truediv": ("div", "truediv"),
    "truncatemod": ("fmod", "TruncateMod"),
}
REDUCTIONS = {
    "reduce_all": ("all", "All"),
    "reduce_any": ("any", "Any"),
    "reduce_logsumexp": ("logsumexp", "ReduceLogSumExp"),
    "reduce_max": ("amax", "Max"),
    "reduce_mean": ("mean", "Mean"),
    "reduce_min": ("amin", "Min"),
    "reduce_prod": ("prod", "Prod"),
    "reduce_sum": ("sum", "Sum"),
}
# Ops of two tensors, to which a number is no operand.
_TENSORS_ONLY = {"atan2", "logical_and", "logical_or", "logical_xor", "maximum", "minimum"}


def _unary(op: str, title: str) -> Callable[..., Node]:
    def function(x: Any, name: str | None = None) -> Node:
        return apply(OPS[op], name, title, convert_to_tensor(x))

    return function


def _binary(op: str, title: str) -> Callable[..., Node]:
    def function(x: Any, y: Any, name: str | None = None) -> Node:
        x, y = operands(x, y)
        if op in _TENSORS_ONLY:
            x, y = (tensor_like(a, b) for a, b in ((x, y), (y, x)))
        return apply(OPS[op], name, title, x, y)

    return function


def tensor_like(x: Any, other: Any) -> Node:
    """A number as a node of the dtype of another."""
    return x if isinstance(x, Node) else convert_to_tensor(x, other.dtype)


def _reduction(op: str, title: str) -> Callable[..., Node]:
    def function(
        input_tensor: Any,
        axis: Any = None,
        keepdims: bool | None = None,
        name: str | None = None,
        reduction_indices: Any = None,
        keep_dims: bool | None = None,
    ) -> Node:
        x = convert_to_tensor(input_tensor)
        axes = _axes(reduction_indices if axis is None else axis)
        keep = bool(keepdims if keep_dims is None else keep_dims)
        if axes == ():
            return apply(identity, name, title, x)
        return _reduced(op, x, axes, keep, name or title)

    return function


def _axes(axis: Any) -> tuple[int, ...] | None:
    if axis is None:
        return None
    if isinstance(axis, Node):
        axis = axis.op.args[0].tolist()
    return tuple(int(a) for a in axis) if hasattr(axis, "__len__") else (int(axis),)


def _reduced(op: str, x: Node, axes: Any, keep: bool, name: str) -> Node:
    if axes is None and (keep or op == "logsumexp"):
        if x.ndim is None:
            raise ArgumentError(
                f"{name}: the rank must be known to reduce all dims this way; {x.describe()} came, "
                f"made at {x.op.place}; give the placeholder a shape"
            )
        axes = tuple(range(x.ndim))
    if op == "mean" and not x.dtype.is_floating_point:  # cut off, as TensorFlow does
        whole = _reduced(op, cast(x, _C.float64), axes, keep, "mean")
        return cast(whole, x.dtype, name)
    if op == "prod" and axes is not None:
        for axis in sorted((a % (x.ndim or 1) for a in axes), reverse=True):
            x = x.graph.call(OPS[op], x, axis, keep, name=name, **_own_dtype(x))
        return x
    options = {} if op in ("all", "any", "amax", "amin", "logsumexp") else _own_dtype(x)
    dims = () if axes is None else (axes, keep)
    return x.graph.call(OPS[op], x, *dims, name=name, **options)


def _own_dtype(x: Node) -> dict[str, Any]:
    """Sums of integers keep their dtype."""
    return {} if x.dtype.is_floating_point or x.dtype is _C.bool else {"dtype": x.dtype}


globals().update(
    {n: function_of(n, f"`gleed.{op}`.", _unary(op, t)) for n, (op, t) in UNARY.items()}
    | {n: function_of(n, f"`gleed.{op}`.", _binary(op, t)) for n, (op, t) in BINARY.items()}
    | {
        n: function_of(n, f"`gleed.{op}` along `axis`, or of all.", _reduction(op, t))
        for n, (op, t) in REDUCTIONS.items()
    }
)


def div(x: Any, y: Any, name: str | None = None) -> Node:
    """x / y, rounded down for integers."""
    x, y = operands(x, y)
    floating = any(isinstance(v, float) or _is_floating(v) for v in (x, y))
    return apply(OPS["div" if floating else "floor_divide"], name, "div", x, y)


def _is_floating(x: Any) -> bool:
    return isinstance(x, Node) and x.dtype.is_floating_point


def truncatediv(x: Any, y: Any, name: str | None = None) -> Node:
    """x / y, cut off for integers."""
    x, y = operands(x, y)
    return apply(OPS["div"], name, "TruncateDiv", x, y, rounding_mode="trunc")


def scalar_mul(scalar: Any, x: Any, name: str | None = None) -> Node:
    """A number times a node."""
    return apply(OPS["mul"], name, "Mul", convert_to_tensor(x), scalar)


def div_no_nan(x: Any, y: Any, name: str | None = None) -> Node:
    """x / y, and 0 where y is."""
    x, y = operands(x, y)
    y = tensor_like(y, x)
    zero = apply(OPS["eq"], None, "zero", y, 0)
    safe = apply(OPS["where"], None, "nonzero", zero, 1, y)
    return apply(OPS["where"], name, "div_no_nan", zero, 0, x / safe)


def add_n(inputs: Sequence[Any], name: str | None = None) -> Node:
    """The sum of nodes of one shape. Raises ArgumentError if there is none."""
    nodes = [convert_to_tensor(x) for x in inputs]
    if not nodes:
        raise ArgumentError("add_n: there must be a node to add; none came; check the list")
    with nodes[0].graph.name_scope(name or "AddN") as scope:
        return apply(identity, scope, "", reduce(lambda a, b: a + b, nodes))


def squared_difference(x: Any, y: Any, name: str | None = None) -> Node:
    """(x − y)²."""
    x, y = operands(x, y)
    return apply(OPS["square"], name, "SquaredDifference", x - y)


def clip_by_value(
    t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None
) -> Node:
    """`t` with everything below the least value, or above the greatest, replaced by it."""
    x = convert_to_tensor(t)
    if isinstance(clip_value_min, Node) or isinstance(clip_value_max, Node):
        low, high = (tensor_like(v, x) for v in (clip_value_min, clip_value_max))
        return apply(OPS["minimum"], name, "clip_by_value", x.maximum(low), high)
    return apply(OPS["clamp"], name, "clip_by_value", x, clip_value_min, clip_value_max)


def _chosen(op: str, title: str) -> Callable[..., Node]:
    def function(
        input: Any,
        axis: int | None = None,
        name: str | None = None,
        dimension: int | None = None,
        output_type: Any = "int64",
    ) -> Node:
        along = axis if axis is not None else dimension or 0
        found = apply(OPS[op], name, title, convert_to_tensor(input), int(along))
        return found if as_dtype(output_type) is _C.int64 else cast(found, output_type)

    return function


argmax = function_of("argmax", "Where the greatest element is along `axis`, dim 0 if left out.",
                     _chosen("argmax", "ArgMax"))  # fmt: skip
argmin = function_of("argmin", "Where the least element is along `axis`, dim 0 if left out.",
                     _chosen("argmin", "ArgMin"))  # fmt: skip
arg_max, arg_min = argmax, argmin


def cast(x: Any, dtype: Any, name: str | None = None) -> Node:
    """`x` in another dtype; towards integers it is cut off."""
    return apply(OPS["_to"], name, "Cast", convert_to_tensor(x), as_dtype(dtype))


def to_float(x: Any, name: str = "ToFloat") -> Node:
    """`x` as float32."""
    return cast(x, _C.float32, name)


def to_int32(x: Any, name: str = "ToInt32") -> Node:
    """`x` as int32."""
    return cast(x, _C.int32, name)


def to_double(x: Any, name: str = "ToDouble") -> Node:
    """`x` as float64."""
    return cast(x, _C.float64, name)


def to_int64(x: Any, name: str = "ToInt64") -> Node:
    """`x` as int64."""
    return cast(x, _C.int64, name)


def matmul(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    transpose_b: bool = False,
    name: str | None = None,
) -> Node:
    """The matrix product, of the last two dims where there are more."""
    a, b = operands(a, b)
    a = a.transpose(-2, -1) if transpose_a else a
    b = b.transpose(-2, -1) if transpose_b else b
    return apply(OPS["matmul"], name, "MatMul", a, b)


batch_matmul = matmul


def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Node:
    """The product summed over `axes`: how many, or lists of which."""
    a, b = operands(a, b)
    return apply(OPS["tensordot"], name, "Tensordot", a, b, axes)


def einsum(equation: str, *inputs: Any, name: str | None = None) -> Node:
    """The sum of products that the equation says, such as "ij,jk->ik"."""
    return apply(OPS["einsum"], name, "einsum", equation, operands(*inputs))


def norm(
    tensor: Any,
    ord: Any = "euclidean",
    axis: Any = None,
    keepdims: bool | None = None,
    name: str | None = None,
) -> Node:
    """The length of a vector, or of all elements."""
    x = convert_to_tensor(tensor)
    p = 2 if ord == "euclidean" else ord
    return apply(OPS["norm"], name, "norm", x, p, _axes(axis), bool(keepdims))


def cumprod(x: Any, axis: int = 0, name: str | None = None) -> Node:
    """Products of all elements up to each one along `axis`."""
    x = convert_to_tensor(x)
    return apply(OPS["cumprod"], name, "Cumprod", x, axis, **_own_dtype(x))


def count_nonzero(input_tensor: Any, axis: Any = None, name: str = "count_nonzero") -> Node:
    """How many elements are not zero."""
    dims = () if axis is None else (_axes(axis),)
    return apply(
        OPS["count_nonzero"], name, "count_nonzero", convert_to_tensor(input_tensor), *dims
    )


def cumsum(
    x: Any, axis: int = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None
) -> Node:
    """Sums of all elements up to each one along `axis`, without itself if `exclusive`."""
    x = convert_to_tensor(x)
    x = x.flip(axis) if reverse else x
    sums = apply(OPS["cumsum"], name, "Cumsum", x, axis, **_own_dtype(x))
    sums = sums - x if exclusive else sums
    return sums.flip(axis) if reverse else sums


accumulate_n = add_n


def trace(x: Any, name: str | None = None) -> Node:
    """The sum of the diagonal of matrices, the last two dims."""
    diagonal = convert_to_tensor(x).diagonal(0, -2, -1)
    return apply(OPS["sum"], name, "Trace", diagonal, (-1,), **_own_dtype(diagonal))


def diag(diagonal: Any, name: str | None = None) -> Node:
    """The matrix with a vector on its diagonal, zeros elsewhere."""
    return apply(OPS["diag"], name, "Diag", convert_to_tensor(diagonal))


def diag_part(input: Any, name: str | None = None) -> Node:
    """The diagonal of a matrix."""
    return apply(OPS["diag"], name, "DiagPart", convert_to_tensor(input))


def matrix_diag(diagonal: Any, name: str | None = None) -> Node:
    """Matrices with the last dim on their diagonals, zeros elsewhere."""
    return apply(OPS["diag_embed"], name, "MatrixDiag", convert_to_tensor(diagonal))


def matrix_diag_part(input: Any, name: str | None = None) -> Node:
    """The diagonals of matrices, the last two dims."""
    return apply(OPS["diagonal"], name, "MatrixDiagPart", convert_to_tensor(input), 0, -2, -1)


def matrix_band_part(input: Any, num_lower: int, num_upper: int, name: str | None = None) -> Node:
    """Matrices with zeros beyond so many diagonals below and above the main one; -1 for all."""
    x = convert_to_tensor(input)
    x = x if num_lower < 0 else x.triu(-num_lower)
    return apply(OPS["tril"], name, "MatrixBandPart", x, num_upper) if num_upper >= 0 else x
