"""Running code on stand-ins: what an op's body computes becomes a graph.

A `Standin` has a dtype and a shape, no data. Primitives called on it add nodes to its `Trace`; ops
called on it run their bodies on it. If the trace keeps a tape, every differentiable step is noted
there with its gradient rule, for `gleed.autograd.derive`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from gleed import primitives
from gleed.compiler.dims import Dim, Scope, Size, product
from gleed.compiler.graph import Graph, Node, Shape, Value
from gleed.compiler.pipeline import enabled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gleed.primitives import Primitive


Operator = Callable[[Any, Any], Any]
_COMPUTING = ("pointwise", "reduce", "scan", "gather")


def _operator(name: str) -> Operator:
    return lambda self, other: Standin.methods[name](self, other)


def _reflected(name: str) -> Operator:
    return lambda self, other: Standin.methods[name](other, self)


def _unary(name: str) -> Callable[[Any], Any]:
    return lambda self: Standin.methods[name](self)


class Standin:
    """A tensor without data. Its methods and operators are the ops of `gleed.ops`.

    `weak`: it stands for a Python number, which takes the dtype of what it meets.
    `dtype` is the kernel IR's spelling, such as "f32".
    """

    __slots__ = ("trace", "value", "weak")
    methods: ClassVar[dict[str, Callable[..., Any]]] = {}

    def __init__(self, trace: Trace, value: Value, weak: bool = False) -> None:
        self.trace, self.value, self.weak = trace, value, weak

    @property
    def dtype(self) -> str:
        """The kernel IR's spelling of the dtype."""
        return self.value.dtype

    @property
    def shape(self) -> Shape:
        """Sizes, symbolic where the call's are."""
        return self.value.shape

    @property
    def ndim(self) -> int:
        """The number of dims."""
        return len(self.value.shape)

    def numel(self) -> Size:
        """The number of elements."""
        return product(self.value.shape)

    def stride(self) -> tuple[Size, ...]:
        """Strides, symbolic too: an argument's own, those of row-major memory for all else."""
        return self.trace.strides(self.value)

    def __repr__(self) -> str:
        return f"Standin({self.value!r})"

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = self.methods.get(name)
        if method is None:
            raise AttributeError(f"stand-in: no op has a method named {name!r}")
        return partial(method, self)

    def __bool__(self) -> bool:
        raise TypeError(
            "trace: an op's body branched on the value of a tensor; its shape and dtype are known "
            "here, its data is not; use where()"
        )

    __hash__ = object.__hash__
    __add__, __radd__ = _operator("add"), _reflected("add")
    __sub__, __rsub__ = _operator("sub"), _reflected("sub")
    __mul__, __rmul__ = _operator("mul"), _reflected("mul")
    __truediv__, __rtruediv__ = _operator("div"), _reflected("div")
    __floordiv__, __rfloordiv__ = _operator("floor_divide"), _reflected("floor_divide")
    __mod__, __rmod__ = _operator("remainder"), _reflected("remainder")
    __pow__, __rpow__ = _operator("pow"), _reflected("pow")
    __and__, __rand__ = _operator("bitwise_and"), _reflected("bitwise_and")
    __or__, __ror__ = _operator("bitwise_or"), _reflected("bitwise_or")
    __xor__, __rxor__ = _operator("bitwise_xor"), _reflected("bitwise_xor")
    __matmul__ = _operator("matmul")
    __lt__, __le__, __gt__, __ge__ = map(_operator, ("lt", "le", "gt", "ge"))
    __eq__, __ne__ = _operator("eq"), _operator("ne")
    __neg__, __invert__ = _unary("neg"), _unary("bitwise_not")


@dataclass(slots=True, eq=False)
class Entry:
    """One differentiable step on a tape."""

    name: str
    rule: Callable[..., Any] | None
    outputs: tuple[Standin, ...]
    inputs: tuple[Any, ...]
    attrs: dict[str, Any]


class Trace:
    """The graph that grows while code runs on stand-ins."""

    _active = threading.local()

    @classmethod
    def current(cls) -> Trace:
        """The trace that is being made in this thread; bodies without tensor arguments use it."""
        return cls._active.stack[-1]

    @contextmanager
    def active(self) -> Iterator[Trace]:
        """Make this trace the current one."""
        stack = self._active.__dict__.setdefault("stack", [])
        stack.append(self)
        try:
            yield self
        finally:
            stack.pop()

    def __init__(self) -> None:
        self.scope = Scope()
        self.inputs: list[Value] = []
        self.tape: dict[object, Entry] | None = None
        # In a program of many operations their results, with the number of the call of each.
        self.calls: dict[Value, int] = {}
        self._known: dict[object, Node] = {}
        self._strides: dict[Value, tuple[int, Sequence[int]]] = {}  # with the argument's number
        # How a kernel adds depends on what else it computes, and on what it reads instead: what
        # different calls compute, in kernels of their own eagerly, is not the same node.
        self.call = 0

    # ---- leaves
    def input(self, dtype: str, shape: Shape) -> Standin:
        """The next tensor argument."""
        value = Node.leaf("input", len(self.inputs), dtype, shape).outputs[0]
        self.inputs.append(value)
        return Standin(self, value)

    def argument(
        self, dtype: str, sizes: Sequence[int], strides: Sequence[int] | None = None
    ) -> Standin:
        """The next tensor argument, every size a symbol with its present value as hint."""
        k = len(self.inputs)
        symbols = (self.scope.symbol(("size", k, a), n) for a, n in enumerate(sizes))
        argument = self.input(dtype, tuple(symbols))
        if strides is not None:
            self._strides[argument.value] = k, strides
        return argument

    def strides(self, value: Value) -> tuple[Size, ...]:
        """The strides of an argument as symbols; of other values those of row-major memory."""
        if value in self._strides:
            k, own = self._strides[value]
            return tuple(self.scope.symbol(("stride", k, a), n) for a, n in enumerate(own))
        return tuple(product(value.shape[a + 1 :]) for a in range(len(value.shape)))

    def param(self, k: int, dtype: str) -> Standin:
        """Run-time number `k` of the call: "f64", "i64" or "bool"."""
        return Standin(self, self._leaf("param", k, dtype), weak=True)

    def const(self, value: float | int | bool, dtype: str) -> Standin:
        """A number fixed in the program."""
        return Standin(self, self._leaf("const", value, dtype))

    def number(self, value: float | int | bool) -> Standin:
        """A Python number of an op's body."""
        kind = "bool" if isinstance(value, bool) else "i64" if isinstance(value, int) else "f64"
        return Standin(self, self._leaf("const", value, kind), weak=True)

    def size(self, size: Size) -> Standin:
        """A size as a number to compute with."""
        if not isinstance(size, Dim):
            return self.number(size)
        return Standin(self, self._leaf("dim", size, "i64"), weak=True)

    def full(self, shape: Shape, value: float | int | bool, dtype: str) -> Standin:
        """A constant repeated."""
        return self.spread(self.const(value, dtype), shape)

    def spread(self, scalar: Standin, shape: Shape) -> Standin:
        """A 0-d stand-in repeated to a shape."""
        return primitives.broadcast(scalar, shape=shape, axes=()) if shape else scalar

    def _leaf(self, op: str, key: object, dtype: str) -> Value:
        name = (op, type(key), id(key) if isinstance(key, Dim) else repr(key), dtype)
        node = self._known.get(name)
        if node is None:
            node = self._known[name] = Node.leaf(op, key, dtype)
        return node.outputs[0]

    # ---- steps
    def emit(self, primitive: Primitive, inputs: tuple[Standin, ...], attrs: dict[str, Any]) -> Any:
        """Apply a primitive: a new node, or the one that computes the same already."""
        values = tuple([x.value for x in inputs])
        if len(values) == 1 and _does_nothing(primitive.name, values[0], attrs):
            return inputs[0]
        call = self.call if primitive.kind in ("reduce", "pointwise") else 0
        key = (primitive, call, *map(id, values), *(_key(v) for v in attrs.values()))
        once = primitive.pure and (primitive.kind not in _COMPUTING or enabled("equal"))
        node = self._known.get(key) if once else None
        if node is None:
            types = primitive.type(*values, **attrs)
            node = Node(primitive.name, primitive, values, attrs, types)
            self._known[key if once else node] = node
        weak = primitive.kind == "pointwise" and all(x.weak for x in inputs)
        outputs = tuple([Standin(self, v, weak) for v in node.outputs])
        if self.tape is not None and node not in self.tape:
            self.tape[node] = Entry(primitive.name, primitive.vjp, outputs, inputs, attrs)
        return outputs if len(outputs) > 1 else outputs[0]

    def iota(self, shape: Shape, axis: int) -> Standin:
        """The position along an axis of a shape, as i64."""
        return self.emit(primitives.iota, (), {"shape": shape, "axis": axis})

    def with_rule(
        self, name: str, rule: Callable[..., Any], body: Callable[..., Any], args: Sequence[Any]
    ) -> Any:
        """Run `body(*args)` as one differentiable step with a gradient rule of its own.

        The steps inside are noted too: a value among them that the rule's backward takes over has
        a gradient, if gradients are differentiated again.
        """
        if self.tape is None:
            return body(*args)
        result = body(*args)
        many = isinstance(result, tuple)
        with self.untaped():
            outputs = tuple(primitives.alias(y) for y in (result if many else (result,)))
        self.tape[object()] = Entry(name, rule, outputs, tuple(args), {})
        return outputs if many else outputs[0]

    @contextmanager
    def untaped(self) -> Iterator[None]:
        """Steps in this block are not noted."""
        tape, self.tape = self.tape, None
        try:
            yield
        finally:
            self.tape = tape

    def graph(self, outputs: Sequence[Standin], kept: Sequence[Value] = ()) -> Graph:
        """The program that computes `outputs`, and what is `kept` besides."""
        return Graph(list(self.inputs), [y.value for y in outputs], kept)

    def draws(self) -> list[Value]:
        """The results of routines that change a state."""
        return [node.outputs[0] for node in self._known.values() if node.draws]


def replay(
    trace: Trace,
    graph: Graph,
    inputs: Sequence[Standin],
    params: Mapping[int, Standin] | None = None,
    moved: Callable[[Any], Any] = lambda size: size,
    seen: Callable[[Node, Standin], None] = lambda node, y: None,
    made: dict[Value, Standin] | None = None,
    emit: Callable[[Node, tuple[Standin, ...], dict[str, Any]], Any] | None = None,
) -> tuple[Standin, ...]:
    """Add the nodes of a graph to a trace, in the order in which they were made, computed from
    `inputs`; its outputs there.

    params: the run-time numbers by their number. moved: a size, for a trace of other sizes.
    seen: called with every node and what becomes of its first result. made: filled with what
    becomes of every value. emit: adds what a node becomes, if not another of its kind.
    """
    made = {} if made is None else made
    made |= zip(graph.inputs, inputs, strict=True)
    for node in sorted(graph.nodes, key=lambda node: node.serial):
        result = node.outputs[0]
        if result in made:
            continue
        if node.op == "param":
            assert params is not None  # whoever has such nodes gives them
            made[result] = params[node.attrs["key"]]
        elif node.op == "const":
            made[result] = trace.const(node.attrs["key"], result.dtype)
        elif node.op == "dim":
            made[result] = trace.size(moved(node.attrs["key"]))
        else:
            assert node.primitive is not None  # so have leaves only
            attrs = {name: _moved(attr, moved) for name, attr in node.attrs.items()}
            values = tuple(made[v] for v in node.inputs)
            if emit is None:
                results = trace.emit(node.primitive, values, attrs)
            else:
                results = emit(node, values, attrs)
            results = results if isinstance(results, tuple) else (results,)
            made |= dict(zip(node.outputs, results, strict=True))
            if node.looped:
                results[0].value.node.looped = True
            seen(node, results[0])
    return tuple(made[v] for v in graph.outputs)


def _moved(attr: Any, moved: Callable[[Any], Any]) -> Any:
    """An attribute with every size in it moved."""
    return tuple(_moved(x, moved) for x in attr) if isinstance(attr, tuple) else moved(attr)


def copy_calls(calls: Mapping[Value, int], trace: Trace, node: Node, y: Standin) -> None:
    """Note in a trace of which calls the results of a node are, of which `y` is the first there."""
    there = y.value.node
    for old, new in zip(node.outputs, there.outputs, strict=False) if there.op == node.op else ():
        if old in calls:
            trace.calls.setdefault(new, calls[old])


def _key(attr: Any) -> Any:
    if isinstance(attr, tuple):
        return tuple(map(_key, attr))
    return ("dim", id(attr)) if isinstance(attr, Dim) else (type(attr), attr)


def _does_nothing(name: str, x: Value, attrs: dict[str, Any]) -> bool:
    """Whether a primitive would give back its operand as it is."""
    if name == "cast":
        return attrs["dtype"] == x.dtype
    if name in ("broadcast", "reshape"):
        shape = attrs["shape"]
        alike = len(shape) == len(x.shape)
        return alike and all(a is b or a == b for a, b in zip(shape, x.shape, strict=True))
    return False
