"""Sessions: where graphs run and variables have their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gleed import _C
from gleed._C import Tensor
from gleed.dtypes import can_cast
from gleed.errors import ArgumentError, DTypeError, GraphError, ShapeError
from gleed.graph.data import as_tensor
from gleed.graph.defaults import current_graph
from gleed.graph.graphs import Graph
from gleed.graph.node import Node, Operation, mapped
from gleed.graph.program import Program, build_program
from gleed.graph.sizes import SizeNode
from gleed.graph.stacks import STACKS
from gleed.lazy import lazy
from gleed.random import Generator

numpy = lazy("numpy")


class _Request(NamedTuple):
    """What a run is to do: a program, what is fed under which key, the number of fetches, and
    whether these are one list."""

    program: Program
    fed: list[tuple[Any, Node]]
    length: int
    plain: bool


class Session:
    """Runs the operations of a graph. Every session has its own values of variables.

    In a `with` block it is the default session, and its graph the default graph.

    >>> from gleed.graph import Graph, placeholder
    >>> with Graph().as_default():
    ...     x = placeholder("float32", [None])
    ...     total = x.sum()
    ...     with Session() as session:
    ...         print(session.run(total, {x: [1, 2, 3]}))
    6.0
    """

    def __init__(self, graph: Graph | None = None) -> None:
        self.graph = current_graph() if graph is None else graph
        self._values: dict[Node, Tensor] = {}
        self._generators: dict[Operation, Generator] = {}
        self.state: dict[Any, Any] = {}  # of sources, by whom it belongs to
        self._closed = False

    # ---- as a context
    def __enter__(self) -> Session:
        STACKS.graphs.append(self.graph)
        STACKS.sessions.append(self)
        return self

    def __exit__(self, *error: object) -> None:
        STACKS.sessions.remove(self)
        STACKS.leave(self.graph)
        self.close()

    def as_default(self) -> _Default:
        """Make it the default session in a block that does not close it."""
        return _Default(self)

    def close(self) -> None:
        """Forget the values of variables; nothing can be run any more."""
        self._closed = True
        self._values.clear()
        self._generators.clear()
        self.state.clear()

    # ---- running
    def run(self, fetches: Any, feed_dict: Mapping[Any, Any] | None = None) -> Any:
        """The values of `fetches`: a node, an operation (its value is None), a name, or lists,
        tuples and dicts of these, whose structure the result has.

        `feed_dict` maps nodes, or their names, to values: of placeholders, or of any other node,
        which then is not computed. Values are NumPy arrays, and NumPy's numbers for nodes without
        dims. In one run, writing to variables comes last, unless control dependencies say
        otherwise.

        Raises ArgumentError, DTypeError, ShapeError for feeds that do not fit, and GraphError for
        placeholders that are not fed and variables that are not initialised. An error of an
        operation names it and the line that made it.
        """
        if self._closed:
            raise GraphError("run: the session must be open; it was closed; make another one")
        feed_dict = feed_dict or {}
        program, fed, count, plain = self._request(fetches, tuple(feed_dict))
        feeds = {node: _checked(node, feed_dict[key]) for key, node in fed}
        for op in program.sources:
            for node, value in zip(op.outputs, op.function.draw(self), strict=True):
                feeds[node] = _checked(node, value)
        results = [None if y is None else _exported(y) for y in self._run(program, feeds)]
        if program.sinks:
            results = self._taken(program, results)[:count]
        return results if plain else _rebuilt(fetches, iter(results))

    def _request(self, fetches: Any, keys: tuple[Any, ...]) -> _Request:
        """What a run is to do, looked up where the same was asked for before."""
        listed = type(fetches) is list
        key = (listed, tuple(fetches) if listed else fetches, keys)
        try:
            found = self.graph.requests.get(key)
        except TypeError:  # a list in a list, or a dict
            return self._new_request(fetches, keys)
        if found is None:
            found = self.graph.requests[key] = self._new_request(fetches, keys)
        return found

    def _new_request(self, fetches: Any, keys: tuple[Any, ...]) -> _Request:
        flat: list[Any] = []
        _flatten(fetches, self.graph, flat)
        fed = [(key, self._fed(key)) for key in keys]
        program = self._program(flat, dict.fromkeys(node for _, node in fed))
        plain = type(fetches) is list and not any(
            isinstance(x, list | tuple | dict) for x in fetches
        )
        return _Request(program, fed, len(flat), plain)

    def _taken(self, program: Program, results: Sequence[Any]) -> list[Any]:
        """The values of all fetches, those of sinks included."""
        values = dict(zip(program.fetches, results, strict=True))
        for op in program.sinks:
            args = mapped(op.args, lambda x: values[x] if isinstance(x, Node) else x)
            values[op.outputs[0]] = op.function.take(self, *args)
        return [values[x] for x in program.fetches]

    def program(self, fetches: Any, feeds: Sequence[Any] = ()) -> Program:
        """The program that `run` runs for these fetches when these nodes are fed.

        >>> from gleed.graph import Graph, placeholder
        >>> with Graph().as_default(), Session() as session:
        ...     x = placeholder("float32", [None], name="x")
        ...     print(session.program((x * 2).sum(), [x]).source)
        def program(feeds, variables, generators):
            with no_grad():
                x, = feeds
                mul = ops.mul(x, 2)
                sum = ops.sum(mul)
                return (sum,)
        """
        flat: list[Any] = []
        _flatten(fetches, self.graph, flat)
        return self._program(flat, dict.fromkeys(map(self._fed, feeds)))

    def _program(self, fetches: Sequence[Any], feeds: Mapping[Node, Any]) -> Program:
        key = (tuple(fetches), frozenset(feeds))
        program = self.graph.programs.get(key)
        if program is None:
            order = sorted(feeds, key=lambda node: (node.op.number, node.index))
            program = self.graph.programs[key] = build_program(fetches, order)
        return program

    def _run(self, program: Program, feeds: Mapping[Node, Tensor]) -> tuple[Any, ...]:
        values = fresh = self._values
        try:
            memory = [values[v] for v in program.variables]
        except KeyError:
            fresh = self._fresh(program)
            memory = [(values if v in values else fresh)[v] for v in program.variables]
        results = program(
            [feeds[node] for node in program.feeds],
            memory,
            [self._generator(op) for op in program.random],
        )
        if fresh is not values:
            values.update(fresh)
        return results

    def _fresh(self, program: Program) -> dict[Node, Tensor]:
        """Memory for the variables that a program gives their first values."""
        for variable in program.needed:
            if variable not in self._values:
                raise _uninitialised(variable)
        missing = (v for v in program.variables if v not in self._values)
        return {v: _C.empty(v.shape.sizes(), v.dtype) for v in missing}

    def _generator(self, op: Operation) -> Generator:
        generator = self._generators.get(op)
        if generator is None:
            generator = self._generators[op] = Generator()
            generator.manual_seed(((self.graph.seed or 0) << 32 | (op.seed or 0)) % (1 << 63))
        return generator

    def _fed(self, key: Any) -> Node:
        found = self.graph.element(key)
        if isinstance(found, Operation):
            raise ArgumentError(
                f"feed: only nodes have values; operation {found.name!r} came; use "
                f"{found.name + ':0'!r}"
            )
        return found

    # ---- variables
    def value(self, variable: Node) -> Tensor:
        """The tensor of a variable. Raises GraphError if it has none yet."""
        if variable not in self._values:
            raise _uninitialised(variable)
        return self._values[variable]

    def has_value(self, variable: Node) -> bool:
        """Whether a variable has a value."""
        return variable in self._values

    def set_value(self, variable: Node, value: Any) -> None:
        """Give a variable a value."""
        tensor = _checked(variable, value)
        self._values[variable] = tensor.clone()


class InteractiveSession(Session):
    """A session that is the default one until it is closed."""

    def __init__(self, graph: Graph | None = None) -> None:
        super().__init__(graph)
        STACKS.graphs.append(self.graph)
        STACKS.sessions.append(self)

    def __enter__(self) -> InteractiveSession:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget the values of variables, and stop being the default session."""
        if self in STACKS.sessions:
            STACKS.sessions.remove(self)
            STACKS.leave(self.graph)
        super().close()


class _Default:
    def __init__(self, session: Session) -> None:
        self._session = session

    def __enter__(self) -> Session:
        STACKS.graphs.append(self._session.graph)
        STACKS.sessions.append(self._session)
        return self._session

    def __exit__(self, *error: object) -> None:
        STACKS.sessions.remove(self._session)
        STACKS.leave(self._session.graph)


def get_default_session() -> Session | None:
    """The session of the innermost `with` block, or None."""
    return STACKS.sessions[-1] if STACKS.sessions else None


def _uninitialised(variable: Node) -> GraphError:
    return GraphError(
        f"run: a variable must be initialised before it is used; {variable.describe()}, made at "
        f"{variable.op.place}, is not; run global_variables_initializer() in this session first"
    )


# ---- feeds
def _checked(node: Node, value: Any) -> Any:
    """What is fed for a node, as a tensor of its dtype."""
    if isinstance(node, SizeNode):
        return value
    tensor = _as_tensor(node, value)
    dtype = tensor.dtype
    if dtype is not node.dtype and not can_cast(dtype, node.dtype) and tensor.numel():
        raise DTypeError(
            f"{_rule(node)} takes {node.dtype.name}; {dtype.name} of shape {list(tensor.shape)} "
            f"came; convert it with numpy.asarray(…, {node.dtype.name!r})"
        )
    if not node.shape.accepts(tensor.shape):
        raise ShapeError(
            f"{_rule(node)} takes shape {node.shape}; {dtype.name} of shape {list(tensor.shape)} "
            f"came; reshape it, or give the placeholder None for sizes that vary"
        )
    return tensor if dtype is node.dtype else tensor.to(node.dtype)


def _as_tensor(node: Node, value: Any) -> Tensor:
    """Data as a tensor, which shares memory with an array; programs never write to it."""
    if isinstance(value, Node):
        raise ArgumentError(
            f"{_rule(node)} takes data; the node {value.describe()} came; run it, and feed the "
            "result"
        )
    try:
        if type(value) is numpy.ndarray and value.flags.c_contiguous:
            return _C.from_numpy(value)
        return as_tensor("feed", value)
    except Exception as error:
        raise ArgumentError(
            f"{_rule(node)} takes numbers, nested lists, arrays or tensors; a "
            f"{type(value).__name__} came that is none ({error}); convert it with numpy.asarray"
        ) from None


def _rule(node: Node) -> str:
    return f"feed: {node.describe()}, made at {node.op.place},"


# ---- fetches
def _flatten(fetches: Any, graph: Graph, flat: list[Any]) -> None:
    if isinstance(fetches, Node | Operation | str):
        flat.append(graph.element(fetches))
    elif isinstance(fetches, dict):
        for item in fetches.values():
            _flatten(item, graph, flat)
    elif isinstance(fetches, list | tuple):
        for item in fetches:
            _flatten(item, graph, flat)
    else:
        raise ArgumentError(
            "run: fetches are nodes, operations, names, or lists, tuples and dicts of these; a "
            f"{type(fetches).__name__} came; pass what functions of gleed.graph return"
        )


def _rebuilt(fetches: Any, values: Any) -> Any:
    if isinstance(fetches, dict):
        return {key: _rebuilt(item, values) for key, item in fetches.items()}
    if isinstance(fetches, tuple) and hasattr(fetches, "_fields"):
        return type(fetches)(*(_rebuilt(item, values) for item in fetches))
    if isinstance(fetches, list | tuple):
        return type(fetches)(_rebuilt(item, values) for item in fetches)
    return next(values)


def _exported(y: Any) -> Any:
    """A result as NumPy's; bfloat16, which NumPy has not, as float32."""
    if not isinstance(y, Tensor):
        return numpy.asarray(y, "int32")[()]
    if y.dtype is _C.bfloat16:
        y = y.to(_C.float32)
    array = _C.to_numpy(y.detach())
    return array if y.ndim else array[()]
