"""What a graph consists of: operations, and the nodes that are their results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from gleed import dtypes
from gleed._C import dtype as DType
from gleed.errors import GraphError
from gleed.graph.data import as_dtype
from gleed.graph.shape import Shape
from gleed.graph.stacks import current_session
from gleed.ops import ALIASES
from gleed.ops.record import OPS
from gleed.places import Place

if TYPE_CHECKING:
    from gleed.graph.graphs import Graph

# Types of operations that no function computes.
PLACEHOLDER, CONSTANT, VARIABLE, NO_OP = "Placeholder", "Const", "Variable", "NoOp"
GRADIENTS = "Gradients"
# Sets a variable without reading it.
ASSIGN = "Assign"


# Methods that convert, and to what.
CONVERSIONS = {
    "bool": dtypes.bool,
    "double": dtypes.float64,
    "float": dtypes.float32,
    "half": dtypes.float16,
    "int": dtypes.int32,
    "long": dtypes.int64,
}


class Type(NamedTuple):
    """What is known of a result: its dtype, its shape, and the node whose memory it may share."""

    dtype: DType
    shape: Shape
    shares: Node | None = None


class Composite(NamedTuple):
    """Several ops as one operation: `body` computes on tensors and on stand-ins alike, with
    `OPS[name](…)`, methods and operators. `draws`: it draws random numbers and takes `generator`.
    """

    name: str
    body: Callable[..., Any]
    draws: bool = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute it."""
        return self.body(*args, **kwargs)


class Operation:
    """One step of a graph.

    `type` says what it does ("add", "Placeholder"), `name` which one it is ("layer/add_1").
    `inputs` are nodes, `outputs` too; `control_inputs` are operations that must have run before.
    `writes` are the variables it changes. `place` is the line of the program that made it.
    """

    __slots__ = (
        *("args", "control_inputs", "function", "graph", "inputs", "kwargs", "many", "name"),
        *("number", "outputs", "place", "seed", "type", "writes"),
    )

    def __init__(
        self,
        graph: Graph,
        type: str,
        name: str,
        place: Place,
        function: Any = None,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
        control_inputs: Sequence[Operation] = (),
        writes: Sequence[Node] = (),
        seed: int | None = None,
    ) -> None:
        self.graph, self.type, self.name, self.place = graph, type, name, place
        self.function, self.args, self.kwargs = function, tuple(args), kwargs or {}
        self.control_inputs, self.writes, self.seed = tuple(control_inputs), tuple(writes), seed
        self.inputs = tuple(dict.fromkeys(nodes_in((self.args, self.kwargs))))
        self.outputs: tuple[Node, ...] = ()
        self.many = False
        self.number = -1

    def run(self, feed_dict: Any = None, session: Any = None) -> None:
        """Run the operation in `session`, or in the default one."""
        current_session("run", session).run(self, feed_dict)

    def __repr__(self) -> str:
        return f"<Operation {self.name!r} type={self.type}>"


def _operator(name: str) -> tuple[Callable[..., Node], Callable[..., Node]]:
    """The operator and its reflection."""

    def apply(self: Node, other: Any) -> Node:
        return self.graph.call(OPS[name], self, _like(other, self))

    def reflected(self: Node, other: Any) -> Node:
        return self.graph.call(OPS[name], _like(other, self), self)

    return apply, reflected


def _unary(name: str) -> Callable[[Node], Node]:
    return lambda self: self.graph.call(OPS[name], self)


def _like(other: Any, node: Node) -> Any:
    """Lists and arrays beside a floating-point node take its dtype, as numbers do."""
    if not hasattr(other, "__len__") or isinstance(other, str | Node):
        return other
    return node.graph.constant(other, node.dtype if node.dtype.is_floating_point else None)


class Node:
    """A result of an operation: a tensor that is computed when a session runs.

    Every op of gleed is a method of it. `==` says whether two names mean one node, so that nodes
    can be keys of a `feed_dict`; `eq` compares elements.
    """

    __slots__ = ("dtype", "index", "op", "shape", "shares")
    __array_ufunc__ = None  # so that NumPy's arrays leave operators to nodes
    __array_priority__ = 100

    def __init__(self, op: Operation, index: int, type: Type) -> None:
        self.op, self.index = op, index
        self.dtype, self.shape, self.shares = type

    @property
    def name(self) -> str:
        """The operation's name and the number of the result: "add:0"."""
        return f"{self.op.name}:{self.index}"

    @property
    def graph(self) -> Graph:
        """The graph that it belongs to, or the body in that which is being declared."""
        return self.op.graph.open

    @property
    def ndim(self) -> int | None:
        """The number of dims; None if it is unknown."""
        return self.shape.ndims

    def get_shape(self) -> Shape:
        """The shape, in TensorFlow's words."""
        return self.shape

    def set_shape(self, shape: Any) -> None:
        """Add what is known about the shape; raises ShapeError for what contradicts it."""
        self.shape = self.shape.refined(Shape(shape))

    def eval(self, feed_dict: Any = None, session: Any = None) -> Any:
        """The value, computed in `session` or in the default one."""
        return current_session("eval", session).run(self, feed_dict)

    def describe(self) -> str:
        """Name, dtype and shape, for messages."""
        return f"{self.name!r} ({self.dtype.name} {self.shape})"

    def to(self, dtype: Any) -> Node:
        """The node in another dtype."""
        return self.graph.call(OPS["_to"], self, as_dtype(dtype))

    @property
    def T(self) -> Node:
        """All dims in reverse order; their number must be known."""
        return self.graph.call(OPS["permute"], self, tuple(reversed(range(len(self.shape)))))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in CONVERSIONS:
            return partial(self.to, CONVERSIONS[name])
        record = OPS.get(ALIASES.get(name, name))
        if record is None or not record.method:
            raise AttributeError(
                f"node {self.describe()}: no op has a method named {name!r}; a node has no data, "
                "run it in a Session to get some"
            )
        return partial(self.graph.call, record, self)

    def __bool__(self) -> bool:
        raise GraphError(
            f"bool: a node has no value before a session runs; {self.describe()} came, made at "
            f"{self.op.place}; compute with where(), or run it first"
        )

    def __iter__(self) -> Iterator[Any]:
        raise GraphError(
            f"iter: a node has no elements before a session runs; {self.describe()} came, made at "
            f"{self.op.place}; use unbind()"
        )

    def __getitem__(self, index: Any) -> Node:
        nodes = tuple(nodes_in(index))
        return self.graph.call(_Subscript(index, nodes), self, *nodes, name="getitem")

    def __repr__(self) -> str:
        return f"<Node {self.name!r} shape={self.shape} dtype={self.dtype.name}>"

    __hash__ = object.__hash__
    __add__, __radd__ = _operator("add")
    __sub__, __rsub__ = _operator("sub")
    __mul__, __rmul__ = _operator("mul")
    __truediv__, __rtruediv__ = _operator("div")
    __floordiv__, __rfloordiv__ = _operator("floor_divide")
    __mod__, __rmod__ = _operator("remainder")
    __pow__, __rpow__ = _operator("pow")
    __matmul__, __rmatmul__ = _operator("matmul")
    __and__, __rand__ = _operator("bitwise_and")
    __or__, __ror__ = _operator("bitwise_or")
    __xor__, __rxor__ = _operator("bitwise_xor")
    __lt__, __le__, __gt__, __ge__ = (_operator(n)[0] for n in ("lt", "le", "gt", "ge"))
    __neg__, __invert__, __abs__ = _unary("neg"), _unary("bitwise_not"), _unary("abs")


class Outcome(Node):
    """What Python makes of values when a run is over; it is no tensor and has no dtype."""

    __slots__ = ()

    def __init__(self, op: Operation) -> None:
        self.op, self.index, self.shape, self.shares = op, 0, Shape(()), None

    @property
    def dtype(self) -> Any:  # type: ignore[override]
        """Whoever asks for it wants to compute with it. Raises GraphError."""
        raise GraphError(
            "graph: operations compute with tensors, which what Python makes after a run is not; "
            f"{self.describe()} came, made at {self.op.place}; fetch it, and use its value"
        )

    def describe(self) -> str:
        """The name, and what made it."""
        return f"{self.name!r} (of {self.op.type})"

    def __repr__(self) -> str:
        return f"<Outcome {self.name!r} of {self.op.type}>"


@dataclass(frozen=True, eq=False)
class Body:
    """A function that is an argument of an operation, as nodes of a graph of its own.

    It computes `results` from `parameters` and from `captured` nodes of the graphs around it.
    `awaited` are operations of those that run before. `single`: it returns its only result, else a
    tuple.
    """

    graph: Graph
    parameters: tuple[Node, ...]
    results: tuple[Node, ...]
    captured: tuple[Node, ...]
    awaited: tuple[Operation, ...] = ()
    single: bool = False


class _Subscript:
    """`x[index]`, with the nodes in the index given apart."""

    def __init__(self, index: Any, nodes: Sequence[Node]) -> None:
        self.index, self.nodes = index, nodes

    def __call__(self, x: Any, *tensors: Any) -> Any:
        values = dict(zip(self.nodes, tensors, strict=True))
        return x[mapped(self.index, lambda leaf: values[leaf] if isinstance(leaf, Node) else leaf)]


def nodes_in(tree: Any) -> Iterator[Node]:
    """The nodes in lists, tuples, dicts and slices, in order; of bodies those from around them."""
    if isinstance(tree, Node):
        yield tree
    elif isinstance(tree, Body):
        yield from tree.captured
    elif isinstance(tree, list | tuple):
        for item in tree:
            yield from nodes_in(item)
    elif isinstance(tree, dict):
        yield from nodes_in(tuple(tree.values()))
    elif isinstance(tree, slice):
        yield from nodes_in((tree.start, tree.stop, tree.step))


def mapped(tree: Any, change: Callable[[Any], Any]) -> Any:
    """The tree with every leaf changed; named tuples stay what they are."""
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(mapped(item, change) for item in tree))
    if isinstance(tree, list | tuple):
        return type(tree)(mapped(item, change) for item in tree)
    if isinstance(tree, dict):
        return {key: mapped(item, change) for key, item in tree.items()}
    if isinstance(tree, slice):
        return slice(*(mapped(part, change) for part in (tree.start, tree.stop, tree.step)))
    return change(tree)
