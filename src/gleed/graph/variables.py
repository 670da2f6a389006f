"""Variables: nodes that keep their value from run to run, each session having its own values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from gleed._C import Tensor
from gleed.dtypes import can_cast
from gleed.errors import ArgumentError, DTypeError, GraphError, ShapeError
from gleed.graph.data import as_dtype, as_tensor
from gleed.graph.defaults import current_graph
from gleed.graph.graphs import (
    GLOBAL_VARIABLES,
    LOCAL_VARIABLES,
    TRAINABLE_VARIABLES,
    Graph,
)
from gleed.graph.initializers import glorot_uniform_initializer
from gleed.graph.node import ASSIGN, VARIABLE, Node, Operation, Type
from gleed.graph.routines import identity
from gleed.graph.shape import Shape
from gleed.graph.stacks import current_session


def _assign(variable: Tensor, value: Any) -> Tensor:
    return variable.copy_(value)


def _assign_add(variable: Tensor, value: Any) -> Tensor:
    return variable.add_(value)


def _assign_sub(variable: Tensor, value: Any) -> Tensor:
    return variable.sub_(value)


class Variable(Node):
    """A node with a value of its own, which `initializer` sets and `assign` changes.

    `initial_value` is a number, data, a node, or a function without arguments that returns one; all
    sizes must be known. `trainable`: optimizers change it. `dtype` is that of the value if left
    out; Python's numbers give float32 and int64. Raises ShapeError for unknown sizes.

    >>> from gleed.graph import Graph, Session, Variable
    >>> with Graph().as_default(), Session() as session:
    ...     count = Variable(0, name="count")
    ...     more = count.assign_add(2)
    ...     session.run(count.initializer)
    ...     print(session.run(more), session.run(count))
    2 2
    """

    __slots__ = ("initial_value", "initializer", "trainable")

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool = True,
        collections: Sequence[str] | None = None,
        name: str | None = None,
        dtype: Any = None,
        *,
        shape: Any = None,
    ) -> None:
        around = initial_value.graph if isinstance(initial_value, Node) else current_graph()
        graph = around.root  # a body has none of its own
        with (
            graph.as_default(),
            graph.name_scope(name or "Variable") as prefix,
            graph.control_dependencies(None),
        ):
            value = _initial(graph, initial_value, dtype)
            sizes = value.shape.refined(Shape(shape))
            if not sizes.known:
                raise ShapeError(
                    f"Variable: all sizes of the initial value must be known; {value.describe()} "
                    f"came for {prefix[:-1]!r}, made at {value.op.place}; give it a shape"
                )
            op = graph.add(VARIABLE, name=prefix)
            super().__init__(op, 0, Type(value.dtype, sizes))
            op.outputs = (self,)
            self.initial_value, self.trainable = value, trainable
            self.initializer = self._write(ASSIGN, _assign, value).op
        names = [GLOBAL_VARIABLES] if collections is None else list(collections)
        for collection in [*names, *([TRAINABLE_VARIABLES] if trainable else [])]:
            graph.add_to_collection(collection, self)

    def assign(self, value: Any, name: str | None = None) -> Node:
        """The node that is the variable after it was set to `value`. Raises DTypeError or
        ShapeError for what does not fit."""
        return self._write(ASSIGN, _assign, value, name)

    def assign_add(self, delta: Any, name: str | None = None) -> Node:
        """The node that is the variable after `delta` was added."""
        return self._write("AssignAdd", _assign_add, delta, name)

    def assign_sub(self, delta: Any, name: str | None = None) -> Node:
        """The node that is the variable after `delta` was subtracted."""
        return self._write("AssignSub", _assign_sub, delta, name)

    def _write(
        self, type: str, function: Callable[..., Any], value: Any, name: str | None = None
    ) -> Node:
        value = value if isinstance(value, Node) else self.graph.constant(value)
        if not can_cast(value.dtype, self.dtype):
            raise DTypeError(
                f"assign: the value must fit the dtype of the variable; {value.describe()} came "
                f"for {self.describe()}, made at {self.op.place}; convert it"
            )
        if value.shape.either(self.shape) != self.shape and value.shape.known:
            raise ShapeError(
                f"assign: the value must have the shape of the variable; {value.describe()} came "
                f"for {self.describe()}, made at {self.op.place}; reshape it"
            )
        kind = Type(self.dtype, self.shape, self)
        made = self.graph.add(type, function, (self, value), name=name, types=[kind], writes=[self])
        return made.outputs[0]

    def value(self) -> Node:
        """The variable."""
        return self

    def read_value(self) -> Node:
        """A node that is the variable's value, read after the control dependencies of here."""
        return self.graph.call(identity, self, name=f"{self.op.name}/read")

    def initialized_value(self) -> Node:
        """The first value, which other variables can begin with in the same run."""
        return self.initial_value

    def load(self, value: Any, session: Any = None) -> None:
        """Set the value in a session, without running the graph."""
        current_session("load", session).set_value(self, value)

    def __repr__(self) -> str:
        return f"<Variable {self.name!r} shape={self.shape} dtype={self.dtype.name}>"


def _initial(graph: Graph, value: Any, dtype: Any) -> Node:
    """The node of an initial value."""
    if callable(value) and not isinstance(value, Node):
        value = value()
    if value is None:
        raise ArgumentError("Variable: an initial value is needed; none came; pass zeros, say")
    if not isinstance(value, Node):
        return graph.constant(as_tensor("Variable", value, dtype), name="initial_value")
    if dtype is not None and value.dtype is not as_dtype(dtype):
        raise DTypeError(
            f"Variable: the initial value must have the dtype asked for; {value.describe()} came "
            f"for {as_dtype(dtype).name}, made at {value.op.place}; convert it"
        )
    return value


def global_variables(scope: str | None = None) -> list[Any]:
    """All variables of the graph, or those whose names begin with `scope`."""
    return current_graph().get_collection(GLOBAL_VARIABLES, scope)


def trainable_variables(scope: str | None = None) -> list[Any]:
    """The variables that optimizers change."""
    return current_graph().get_collection(TRAINABLE_VARIABLES, scope)


def local_variables(scope: str | None = None) -> list[Any]:
    """The variables that no checkpoint holds, such as the counts of metrics."""
    return current_graph().get_collection(LOCAL_VARIABLES, scope)


def variables_initializer(variables: Sequence[Variable], name: str = "init") -> Operation:
    """The operation that gives the variables their initial values."""
    return current_graph().group(*(v.initializer for v in variables), name=name)


def global_variables_initializer() -> Operation:
    """The operation that gives all variables made so far their initial values."""
    return variables_initializer(global_variables())


def local_variables_initializer() -> Operation:
    """The operation that gives all local variables made so far their initial values."""
    return variables_initializer(local_variables())


# ---- variables by name
AUTO_REUSE = "auto"


@dataclass
class VariableScope:
    """A prefix of names, and whether variables under it are made or found."""

    name: str = ""
    reuse: bool | str = False
    initializer: Any = None

    def reuse_variables(self) -> None:
        """From here on, as long as the scope lasts, variables must exist."""
        self.reuse = True

    @property
    def prefix(self) -> str | None:
        """What names in this scope begin with, as `name_scope` takes it."""
        return self.name + "/" if self.name else None

    @property
    def original_name_scope(self) -> str:
        """The name scope, in TensorFlow's words."""
        return self.prefix or ""


_SCOPES = "variable scopes"


def get_variable_scope() -> VariableScope:
    """The innermost variable scope."""
    return _scopes(current_graph())[-1]


def _scopes(graph: Graph) -> list[VariableScope]:
    """The scopes that are open, after the one that is around all others."""
    return graph.collections.setdefault(_SCOPES, [VariableScope()])


@contextmanager
def variable_scope(
    name_or_scope: str | VariableScope | None,
    default_name: str | None = None,
    *,
    reuse: bool | str | None = None,
    initializer: Any = None,
) -> Iterator[VariableScope]:
    """`get_variable` finds and makes names that begin with "name/" in this block.

    With `reuse` variables must exist; with AUTO_REUSE they are made if they do not. An inner scope
    inherits it. If the name is None, an unused one is made of `default_name`; names inside of a
    scope are unused again when it is entered anew, so that they lead to the same variables.
    """
    graph, outer = current_graph(), get_variable_scope()
    if isinstance(name_or_scope, VariableScope):
        scope, names = name_or_scope, name_or_scope.name + "/"
    else:
        name = name_or_scope or _unused(graph.root, outer, default_name)
        scope = replace(outer, name=f"{outer.name}/{name}" if outer.name else name)
        names = name
    scope = replace(
        scope,
        reuse=outer.reuse or scope.reuse if reuse is None else reuse,
        initializer=scope.initializer if initializer is None else initializer,
    )
    kept = _scopes(graph)
    kept.append(scope)
    before, graph.root.scopes = graph.root.scopes, {*graph.root.scopes, scope.name}
    try:
        with graph.name_scope(names):
            yield scope
    finally:
        kept.pop()
        jumped = isinstance(name_or_scope, VariableScope)
        graph.root.scopes = before if jumped else before | {scope.name}


def _unused(graph: Graph, outer: VariableScope, default_name: str | None) -> str:
    if not default_name:
        raise ArgumentError(
            "variable_scope: a name is needed; neither a name nor a default_name came; give one"
        )
    prefix, name, count = outer.name + "/" if outer.name else "", default_name, 0
    while prefix + name in graph.scopes:
        count += 1
        name = f"{default_name}_{count}"
    return name


def get_variable(
    name: str,
    shape: Any = None,
    dtype: Any = "float32",
    initializer: Any = None,
    trainable: bool = True,
    collections: Sequence[str] | None = None,
) -> Variable:
    """The variable of this name in the present variable scope: a new one, or where the scope says
    `reuse`, the one made before.

    `initializer` is a function of shape and dtype, or a value; Glorot's uniform distribution if
    left out. Raises GraphError for a name that must be new and is not, or the other way round.
    """
    scope, graph = get_variable_scope(), current_graph().root
    full = f"{scope.name}/{name}" if scope.name else name
    known = graph.shared.get(full)
    if known is not None:
        return _reused(known, scope, shape)
    if scope.reuse is True:
        raise GraphError(
            f"get_variable: a scope with reuse=True finds variables that exist; {full!r} does not; "
            "make it first, or use reuse=AUTO_REUSE"
        )
    chosen = (i for i in (initializer, scope.initializer) if i is not None)
    make = next(chosen, glorot_uniform_initializer())
    with graph.control_dependencies(None), graph.name_scope(None):
        if callable(make) and not isinstance(make, Node):
            if shape is None:
                raise ArgumentError(
                    f"get_variable: a new variable needs a shape; none came for {full!r}; give one"
                )
            made = Variable(
                lambda: make(Shape(shape).sizes(), as_dtype(dtype)), trainable, collections, full
            )
        else:
            made = Variable(make, trainable, collections, full, dtype, shape=shape)
    graph.shared[full] = made
    return made


def _reused(known: Variable, scope: VariableScope, shape: Any) -> Variable:
    name = known.op.name
    if not scope.reuse:
        raise GraphError(
            f"get_variable: names must be new unless the scope says reuse=True; {name!r} was made "
            f"at {known.op.place}; use another name, or variable_scope(…, reuse=AUTO_REUSE)"
        )
    if shape is not None and known.shape.either(Shape(shape)) != Shape(shape):
        raise ShapeError(
            f"get_variable: a shared variable keeps its shape; {Shape(shape)} was asked for "
            f"{known.describe()}, made at {known.op.place}; use another name"
        )
    return known
