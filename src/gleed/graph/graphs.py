"""Graphs: the operations that a program has declared, with names, scopes and collections."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gleed import _C
from gleed.errors import ArgumentError, GraphError
from gleed.graph.data import advice, as_tensor
from gleed.graph.infer import infer, located, single
from gleed.graph.node import (
    CONSTANT,
    NO_OP,
    Composite,
    Node,
    Operation,
    Outcome,
    Type,
    mapped,
    nodes_in,
)
from gleed.graph.shape import Shape
from gleed.graph.sizes import SizeNode
from gleed.graph.sizes import as_tensor as sizes_as_tensor
from gleed.graph.stacks import STACKS
from gleed.lazy import lazy
from gleed.ops.record import Op
from gleed.places import users_place

numpy = lazy("numpy")

GLOBAL_VARIABLES, TRAINABLE_VARIABLES = "variables", "trainable_variables"
LOCAL_VARIABLES = "local_variables"  # for which a checkpoint has no use


class Graph:
    """A program of operations, to which functions of `gleed.graph` add.

    >>> from gleed.graph import Graph, placeholder
    >>> graph = Graph()
    >>> with graph.as_default():
    ...     x = placeholder("float32", [None, 3], name="x")
    ...     y = x.sum(1)
    >>> [op.name for op in graph.get_operations()], y.shape
    (['x', 'sum'], Shape([None]))
    """

    outer: Graph | None = None  # that which it is a body in
    name = ""  # of a body

    def __init__(self) -> None:
        self.finalized = False
        self.seed: int | None = None
        self.collections: dict[str, list[Any]] = {}
        self.shared: dict[str, Any] = {}  # variables of get_variable, by name
        self.scopes: set[str] = set()  # variable scopes that were entered in the present one
        self.programs: dict[Any, Any] = {}
        self.requests: dict[Any, Any] = {}  # of sessions, and the programs that run for them
        self.count = 0  # of the operations made, also in bodies; seeds follow from it
        self._operations: dict[str, Operation] = {}
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._scope = ""
        self._control: list[tuple[Operation, ...] | None] = []

    @contextmanager
    def as_default(self) -> Iterator[Graph]:
        """What is made in this block is added to this graph."""
        STACKS.graphs.append(self)
        try:
            yield self
        finally:
            STACKS.leave(self)

    @property
    def root(self) -> Graph:
        """The whole graph, of which this may be a body."""
        return self if self.outer is None else self.outer.root

    @property
    def open(self) -> Graph:
        """What is added to: this graph, or the body in it that is being declared."""
        inner = STACKS.graphs[-1] if STACKS.graphs else self
        found = inner
        while found is not self:
            if found.outer is None:
                return self
            found = found.outer
        return inner

    # ---- what is in it
    def get_operations(self) -> list[Operation]:
        """All operations, in the order in which they were made."""
        return list(self._operations.values())

    def get_operation_by_name(self, name: str) -> Operation:
        """The operation called `name`. Raises ArgumentError if there is none."""
        if name not in self._operations:
            raise ArgumentError(
                f"graph: there must be an operation of the name; {name!r} came; "
                f"{advice(name, self._operations)}"
            )
        return self._operations[name]

    def get_tensor_by_name(self, name: str) -> Node:
        """The node called `name`, such as "add:0". Raises ArgumentError if there is none."""
        operation, colon, number = name.rpartition(":")
        if not colon or not number.isdigit():
            raise ArgumentError(
                f"graph: a node's name ends with the number of the result; {name!r} came; use "
                f"{name + ':0'!r}, or get_operation_by_name"
            )
        outputs = self.get_operation_by_name(operation).outputs
        if int(number) >= len(outputs):
            raise ArgumentError(
                f"graph: operation {operation!r} has {len(outputs)} results, counted from 0; "
                f"{name!r} came; use a lower number"
            )
        return outputs[int(number)]

    def element(self, given: Any) -> Node | Operation:
        """The node or operation that `given` is or names. Raises ArgumentError or GraphError."""
        if isinstance(given, str):
            by_node = ":" in given
            return self.get_tensor_by_name(given) if by_node else self.get_operation_by_name(given)
        if not isinstance(given, Node | Operation):
            raise ArgumentError(
                f"graph: a node, an operation or a name is expected; a {type(given).__name__} "
                "came; pass what functions of gleed.graph return"
            )
        owner = _operation(given).graph
        if owner is not self and owner.root is self.root:
            raise GraphError(
                f"graph: a node of a body is used inside of that body; {given.name!r}, made at "
                f"{_place(given)}, came; let the function return it"
            )
        if owner is not self:
            raise GraphError(
                f"graph: all must be of one graph; {given.name!r}, made at {_place(given)}, is of "
                "another one; use it in its own graph and session"
            )
        return given

    def is_feedable(self, tensor: Any) -> bool:
        """Whether a node can be fed: all but what Python makes after a run."""
        return isinstance(self.element(tensor), Node) and not isinstance(tensor, Outcome)

    def finalize(self) -> None:
        """From here on nothing can be added."""
        self.finalized = True

    # ---- names
    def unique_name(self, name: str) -> str:
        """`name` in the present scope, with a number if it is taken; "a/" is "a" as it stands."""
        if name.endswith("/"):
            return name[:-1]
        full = self._scope + name
        self._counts[full] += 1
        if self._counts[full] == 1:
            return full
        numbered = f"{full}_{self._counts[full] - 1}"
        while self._counts[numbered]:
            self._counts[full] += 1
            numbered = f"{full}_{self._counts[full] - 1}"
        self._counts[numbered] = 1
        return numbered

    @contextmanager
    def name_scope(self, name: str | None) -> Iterator[str]:
        """Names made in this block begin with "name/". A name that ends with "/" is taken as it
        stands, None begins at the top again. Gives the prefix."""
        outer = self._scope
        if not name:
            self._scope = ""
        elif name.endswith("/"):
            self._scope = name
        else:
            self._scope = self.unique_name(name) + "/"
        try:
            yield self._scope
        finally:
            self._scope = outer

    # ---- order
    @contextmanager
    def control_dependencies(self, before: Sequence[Any] | None) -> Iterator[None]:
        """Operations made in this block run after those given; None forgets outer blocks."""
        found = None if before is None else tuple(map(_operation, map(self.element, before)))
        self._control.append(found)
        try:
            yield
        finally:
            self._control.pop()

    def _before(self) -> tuple[Operation, ...]:
        result: dict[Operation, None] = {}
        for level in self._control:
            result = {} if level is None else result | dict.fromkeys(level)
        return tuple(result)

    # ---- collections
    def add_to_collection(self, name: str, value: Any) -> None:
        """Append to a list that the graph keeps under a name."""
        self.collections.setdefault(name, []).append(value)

    def get_collection(self, name: str, scope: str | None = None) -> list[Any]:
        """What is kept under a name; with `scope`, only what is called so at its beginning."""
        kept = self.collections.get(name, [])
        return [x for x in kept if scope is None or getattr(x, "name", "").startswith(scope)]

    # ---- making operations
    def add(
        self,
        type: str,
        function: Any = None,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
        *,
        name: str | None = None,
        types: Sequence[Type] = (),
        before: Sequence[Operation] = (),
        writes: Sequence[Node] = (),
        seed: int | None = None,
    ) -> Operation:
        """A new operation with results of the given types. Raises GraphError if it cannot be."""
        if self.finalized:
            raise GraphError(
                f"{name or type}: nothing can be added to a finalised graph; an operation came; "
                "make it before finalize(), or in a graph of its own"
            )
        root = self.root
        if seed is None and root.seed is not None:
            seed = root.count
        root.count += 1
        control = (*self._before(), *before)
        made = Operation(
            self, type, self.unique_name(name or type), users_place(), function, args, kwargs,
            control, writes, seed,
        )  # fmt: skip
        for node in made.inputs:
            self.element(node)
        made.number = len(self._operations)
        made.outputs = tuple(Node(made, i, t) for i, t in enumerate(types))
        self._operations[made.name] = made
        return made

    def call(
        self,
        function: Callable[..., Any],
        *args: Any,
        name: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> Any:
        """The node that will be `function(*args, **kwargs)`, or a tuple of nodes, named where the
        op's is.

        `function` is the record of an op, a `Composite`, or any function of tensors. Arrays and
        tensors among the arguments become constants. An error that the function would raise for
        such dtypes and shapes is raised here, and names the lines that made the nodes.
        """
        args, kwargs = mapped((args, kwargs), self.argument)
        if isinstance(function, Op) and any(isinstance(x, SizeNode) for x in nodes_in(args)):
            args = self._sizes_fitted(function, args, kwargs)
        title = _title(function)
        nodes = tuple(dict.fromkeys(nodes_in((args, kwargs))))
        try:
            types, form = infer(function, args, kwargs, nodes)
        except Exception as error:
            place = users_place()
            full = self._scope + (name or title)
            raise located(error, full, place, nodes, "would be made") from None
        made = self.add(title, function, args, kwargs, name=name, types=types, seed=seed)
        made.many = form is not single
        return form(made.outputs)

    def argument(self, leaf: Any) -> Any:
        """An argument as operations keep it: arrays and tensors as constants."""
        if isinstance(leaf, Shape):
            return tuple(-1 if n is None else int(n) for n in leaf)
        if isinstance(leaf, Node):
            self.element(leaf)
            _ = leaf.dtype  # which an outcome has not
        elif isinstance(leaf, numpy.generic):
            return leaf.item()
        elif isinstance(leaf, _C.Tensor | numpy.ndarray):
            return self.constant(leaf)
        return leaf

    def _sizes_fitted(self, record: Op, args: Any, kwargs: Any) -> Any:
        """Sizes as tensors, but where the op takes numbers."""
        parameters = record.overloads[0].parameters if record.overloads else ()
        kinds = [p.kind.removesuffix("?") for p in parameters]
        kinds += kinds[-1:] * len(args)
        return tuple(
            x if kind in ("ints", "int", "static") else mapped(x, self._tensor_of_sizes)
            for x, kind in zip(args, kinds, strict=False)
        )

    def _tensor_of_sizes(self, leaf: Any) -> Any:
        return self.call(sizes_as_tensor, leaf) if isinstance(leaf, SizeNode) else leaf

    def constant(
        self, value: Any, dtype: Any = None, shape: Any = None, name: str | None = None
    ) -> Node:
        """A node that is always `value`: a number, a nested list, an array or a tensor."""
        tensor = as_tensor("constant", value, dtype).clone()
        if shape is not None:
            sizes = Shape(shape).sizes()
            tensor = tensor.expand(sizes) if tensor.numel() == 1 else tensor.reshape(sizes)
        kind = Type(tensor.dtype, Shape(tuple(tensor.shape)))
        return self.add(CONSTANT, None, (tensor,), name=name, types=[kind]).outputs[0]

    def group(self, *given: Any, name: str | None = None) -> Operation:
        """An operation that has run when all those given have."""
        before = [_operation(self.element(x)) for x in given]
        return self.add(NO_OP, name=name or "group_deps", before=before)


def _operation(given: Node | Operation) -> Operation:
    return given.op if isinstance(given, Node) else given


def _place(given: Node | Operation) -> Any:
    return _operation(given).place


def _title(function: Any) -> str:
    name = function.name if isinstance(function, Op | Composite) else None
    name = name or getattr(function, "__name__", None) or type(function).__name__
    return str(name).strip("_<>")
