"""`tf.Variable` and what goes with it, with TensorFlow's arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gleed import graph
from gleed.compat.tensorflow.convert import constant
from gleed.errors import ArgumentError
from gleed.graph.data import as_dtype
from gleed.graph.graphs import GLOBAL_VARIABLES, TRAINABLE_VARIABLES
from gleed.graph.node import Node, Operation
from gleed.graph.train.steps import GLOBAL_STEP
from gleed.graph.variables import get_variable as find_or_make


class GraphKeys:
    """The names of the lists that a graph keeps."""

    GLOBAL_STEP = GLOBAL_STEP
    GLOBAL_VARIABLES = GLOBAL_VARIABLES
    REGULARIZATION_LOSSES = "regularization_losses"
    TRAINABLE_VARIABLES = TRAINABLE_VARIABLES
    UPDATE_OPS = "update_ops"


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
    if isinstance(initializer, type):
        initializer = initializer()
    if not callable(initializer) and not isinstance(initializer, Node) and initializer is not None:
        initializer = constant(initializer, dtype)
    kind = "float32" if dtype is None else as_dtype(dtype)
    found = find_or_make(name, shape, kind, initializer, trainable, collections)
    if regularizer is not None and found not in known:
        penalty = regularizer(found)
        if penalty is not None:
            found.graph.add_to_collection(GraphKeys.REGULARIZATION_LOSSES, penalty)
    return found


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


def local_variables_initializer() -> Operation:
    """Does nothing: all variables are global here."""
    return graph.no_op("init")


initialize_all_variables = graph.global_variables_initializer
initialize_variables = graph.variables_initializer
all_variables = graph.global_variables
