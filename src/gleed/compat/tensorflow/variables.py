"""`tf.Variable` and what goes with it, with TensorFlow's arguments."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from gleed import graph
from gleed.compat.tensorflow.convert import apply, constant, convert_to_tensor, function_of, operand
from gleed.errors import ArgumentError
from gleed.graph import initializers
from gleed.graph.data import as_dtype
from gleed.graph.graphs import GLOBAL_VARIABLES, LOCAL_VARIABLES, TRAINABLE_VARIABLES
from gleed.graph.node import Composite, Node
from gleed.graph.outside import sink
from gleed.graph.train.averages import MOVING_AVERAGE_VARIABLES
from gleed.graph.train.steps import GLOBAL_STEP
from gleed.graph.variables import get_variable as find_or_make
from gleed.lazy import lazy

numpy = lazy("numpy")


_MAKERS = [getattr(initializers, name) for name in initializers.__all__]


class GraphKeys:
    """The names of the lists that a graph keeps."""

    GLOBAL_STEP = GLOBAL_STEP
    GLOBAL_VARIABLES = GLOBAL_VARIABLES
    LOCAL_VARIABLES = LOCAL_VARIABLES
    LOSSES = "losses"
    METRIC_VARIABLES = "metric_variables"
    MOVING_AVERAGE_VARIABLES = MOVING_AVERAGE_VARIABLES
    REGULARIZATION_LOSSES = "regularization_losses"
    SUMMARIES = "summaries"
    TRAINABLE_VARIABLES = TRAINABLE_VARIABLES
    UPDATE_OPS = "update_ops"
    WEIGHTS = "weights"


class Variable(graph.Variable):
    """`gleed.graph.Variable`, for which Python's whole numbers are int32."""

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool = True,
        collections: Sequence[str] | None = None,
        validate_shape: bool = True,
        caching_device: None = None,
        name: str | None = None,
        variable_def: None = None,
        dtype: Any = None,
        expected_shape: Any = None,
        **options: Any,
    ) -> None:
        def value() -> Any:
            given = initial_value
            if callable(given) and not isinstance(given, Node):
                given = given()
            if given is None or isinstance(given, Node):
                return given
            return constant(given, dtype, name="initial_value")

        kind = None if dtype is None else as_dtype(dtype)
        super().__init__(value, trainable, collections, name, kind, shape=expected_shape)


def get_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    trainable: bool = True,
    collections: Sequence[str] | None = None,
    **options: Any,
) -> graph.Variable:
    """The variable of this name in the present variable scope: a new one, or where the scope says
    `reuse`, the one made before. What `regularizer` gives for a new one is kept in a collection."""
    known = set(graph.current_graph().shared.values())
    if initializer in _MAKERS:  # TensorFlow's are classes, which may come without a call
        initializer = initializer()
    if not callable(initializer) and not isinstance(initializer, Node) and initializer is not None:
        initializer = constant(initializer, dtype)
    kind = as_dtype(dtype or "float32")
    if dtype is None and isinstance(initializer, Node):
        kind = initializer.dtype
    found = find_or_make(name, shape, kind, initializer, trainable, collections)
    if regularizer is not None and found not in known:
        penalty = regularizer(found)
        if penalty is not None:
            found.graph.add_to_collection(GraphKeys.REGULARIZATION_LOSSES, penalty)
    return found


def variable_scope(
    name_or_scope: Any,
    default_name: str | None = None,
    values: Any = None,
    initializer: Any = None,
    *,
    reuse: bool | str | None = None,
) -> AbstractContextManager[Any]:
    """`gleed.graph.variable_scope`; `values` change nothing."""
    return graph.variable_scope(name_or_scope, default_name, reuse=reuse, initializer=initializer)


def _checked(op: str, ref: Any) -> graph.Variable:
    if not isinstance(ref, graph.Variable):
        raise ArgumentError(f"{op}: a variable is needed; got {ref!r}; make it with tf.Variable")
    return ref


def assign(ref: Any, value: Any, validate_shape: bool = True, name: str | None = None) -> Node:
    """The node that is the variable after it was set."""
    return _checked("assign", ref).assign(value, name)


def assign_add(ref: Any, value: Any, name: str | None = None) -> Node:
    """The node that is the variable after `value` was added."""
    return _checked("assign_add", ref).assign_add(value, name)


def assign_sub(ref: Any, value: Any, name: str | None = None) -> Node:
    """The node that is the variable after `value` was subtracted."""
    return _checked("assign_sub", ref).assign_sub(value, name)


def get_collection(key: str, scope: str | None = None) -> list[Any]:
    """What the graph keeps under a name."""
    return graph.current_graph().get_collection(key, scope)


def add_to_collection(name: str, value: Any) -> None:
    """Append to what the graph keeps under a name."""
    graph.current_graph().add_to_collection(name, value)


def report_uninitialized_variables(
    var_list: Sequence[Any] | None = None, name: str = "report_uninitialized_variables"
) -> Node:
    """The names of variables that have no value, of all unless a list is given."""

    def take(session: Any) -> Any:
        asked = graph.global_variables() + graph.local_variables() if var_list is None else var_list
        return numpy.array([v.op.name.encode() for v in asked if not session.has_value(v)], object)

    return sink(graph.current_graph(), "ReportUninitializedVariables", take, name=name)


def is_variable_initialized(ref: Any, name: str = "IsVariableInitialized") -> Node:
    """Whether a variable has a value."""
    variable = _checked("is_variable_initialized", ref)
    return sink(
        variable.graph, name, lambda session: numpy.bool_(session.has_value(variable)), name=name
    )


def _scattered(op: str, put: Any) -> Any:
    def function(
        ref: Any, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None
    ) -> Node:
        variable = _checked(op, ref)
        body = Composite(op, put)
        new = apply(body, None, op, variable, convert_to_tensor(indices), operand(updates, ref))
        return variable.assign(new, name)

    return function


def _rows(x: Any, values: Any) -> Any:
    return values.reshape((-1, *x.shape[1:]))


def _put(x: Any, rows: Any, values: Any) -> Any:
    return x.index_copy(0, rows.reshape((-1,)), _rows(x, values))


def _put_sum(x: Any, rows: Any, values: Any) -> Any:
    return x.index_add(0, rows.reshape((-1,)), _rows(x, values))


def _put_difference(x: Any, rows: Any, values: Any) -> Any:
    return _put_sum(x, rows, -values)


scatter_update = function_of(
    "scatter_update", "The variable after its rows at `indices` were set.",
    _scattered("scatter_update", _put),
)  # fmt: skip
scatter_add = function_of(
    "scatter_add", "The variable after `updates` were added to its rows at `indices`.",
    _scattered("scatter_add", _put_sum),
)  # fmt: skip
scatter_sub = function_of(
    "scatter_sub", "The variable after `updates` were subtracted from its rows at `indices`.",
    _scattered("scatter_sub", _put_difference),
)  # fmt: skip
initialize_all_variables = graph.global_variables_initializer
initialize_variables = graph.variables_initializer
all_variables = graph.global_variables
