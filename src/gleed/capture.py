"""From an op call that is new to a plan: trace the body, derive the gradient, compile.

`plan_for` serves the core's misses. If a gradient may be asked for, the plan comes with a
`_C.GradRecord`, whose backward plans are made here too when they are first needed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Sequence
from functools import cached_property, partial
from typing import Any

from gleed import _C, primitives
from gleed.compiler.cells import Step
from gleed.compiler.dims import Dim, Size, translate
from gleed.compiler.graph import Graph, Node, Value, topological
from gleed.compiler.kernel import is_float
from gleed.compiler.planning import Parts, Program, build_plan
from gleed.compiler.stored import Placement
from gleed.dtypes import dtype_of
from gleed.errors import DTypeError, ShapeError
from gleed.followed import fixed
from gleed.gradient import Partition, differentiate, substitute
from gleed.known import Answer, Question, known_plan
from gleed.ops.promotion import category, convert, default_float, dtype_text, shape_text
from gleed.ops.record import Op, Overload, Parameter
from gleed.trace import Standin, Trace, replay


class Arguments:
    """The stand-ins for one call's arguments."""

    def __init__(self, trace: Trace, overload: Overload, sizes: Any, ints: Any):
        self._trace, self._sizes, self._ints = trace, sizes, ints
        self._name, self._parameters = overload.name.lstrip("_"), overload.parameters
        self.tensors: list[Standin] = []
        self.needs_grad: list[bool] = []
        self.numbers = self.integers = 0

    def standins(self, arguments: Sequence[Any]) -> list[Any]:
        """What the body is called with."""
        pairs = zip(self._parameters, arguments, strict=True)
        return [self._standin(p, value) for p, value in pairs]

    def _standin(self, parameter: Parameter, value: Any) -> Any:
        kind = parameter.kind.removesuffix("?")
        if kind == "generator":
            return self._number(0)  # its address; 0 for None, so that one plan serves both
        if value is None:
            return None
        if kind == "tensors":
            return [self._tensor(v) for v in value]
        if kind == "tensor" or (isinstance(value, _C.Tensor) and kind == "operand"):
            return self._tensor(value)
        if kind in ("operand", "scalar"):
            return self._number(value)
        if kind == "int":
            return self._integer()
        if kind == "ints":
            many = isinstance(value, list | tuple)
            return tuple(self._integer() for _ in value) if many else (self._integer(),)
        if parameter.name == "dtype" or isinstance(value, _C.dtype):
            return self._kernel_dtype(dtype_of(self._name, value))
        return fixed(value)

    def _kernel_dtype(self, dtype: Any) -> str:
        if dtype.is_complex:
            raise DTypeError(
                f"{self._name}: operations are on real numbers; got {dtype.name}; keep the real "
                "and the imaginary parts in two tensors"
            )
        return dtype.kernel_name

    def _tensor(self, tensor: Any) -> Standin:
        k = len(self.tensors)
        dtype = self._kernel_dtype(tensor.dtype)
        self.tensors.append(self._trace.argument(dtype, self._sizes[k], tensor.stride()))
        self.needs_grad.append(tensor.requires_grad and _C.is_grad_enabled())
        return self.tensors[-1]

    def _number(self, value: Any) -> Standin:
        kind = "bool" if isinstance(value, bool) else "f64" if isinstance(value, float) else "i64"
        if kind == "i64" and not hasattr(value, "__index__"):
            kind = "f64"
        self.numbers += 1
        return self._trace.param(self.numbers - 1, kind)

    def _integer(self) -> Size:
        self.integers += 1
        k = self.integers - 1
        return self._trace.scope.symbol(("int", k), self._ints[k])


def integers_and_numbers(
    kinds: Sequence[str], arguments: Sequence[Any]
) -> tuple[list[Any], list[Any]]:
    """The integers and the run-time numbers among arguments, in the core's order."""
    integers: list[Any] = []
    numbers: list[Any] = []
    for kind, value in zip(kinds, arguments, strict=False):  # a backward's have no kinds
        kind = kind.removesuffix("?")
        if kind == "generator":
            numbers.append(value)
        elif value is None or (kind == "operand" and isinstance(value, _C.Tensor)):
            continue
        elif kind in ("operand", "scalar"):
            numbers.append(value)
        elif kind == "int":
            integers.append(value)
        elif kind == "ints":
            integers += value if isinstance(value, list | tuple) else (value,)
    return integers, numbers


def plan_for(overload: Overload, arguments: list[Any], sizes: Any, ints: Any) -> Any:
    """The plan for a call of `overload` with these arguments."""
    trace = Trace()
    call = Arguments(trace, overload, sizes, ints)
    bound = call.standins(arguments)
    if any(call.needs_grad):
        trace.tape = {}
    with trace.active():
        outputs = [_result(y) for y in _flat(_traced(overload, bound))]
        if overload.view:
            outputs = [_viewed(y, call.tensors) for y in outputs]
    written = _written(overload, bound, call.tensors, outputs)
    kinds = tuple(parameter.kind for parameter in overload.parameters)
    needed = [k for k, needs in enumerate(call.needs_grad) if needs]
    title = overload.gradient_title(bound) if needed else ""
    question = Question.about(trace, outputs, written, {}, (title, needed, call.integers))

    def derive() -> Formula:
        return Formula(title, trace, call.tensors, needed, call.integers, outputs, written)

    gradient = Gradient(title, len(outputs), derive, question) if needed else None
    return planned(trace, outputs, written, question, gradient, name=overload.name, kinds=kinds)


def planned(
    trace: Trace,
    outputs: list[Standin],
    written: dict[int, int],
    question: Question | None,
    gradient: Gradient | None,
    *,
    name: str,
    kinds: tuple[str, ...] = (),
    kept: Sequence[Value] = (),
    place: Callable[[Graph], Placement] | None = None,
) -> Any:
    """The plan of a program: what is known as the answer to a question, else made now, and known
    from now on. `kept` as for `Graph`; `place` gives what `Program` has as its `placement`."""
    answer = question.answer() if question else None
    decided = len(trace.scope.guards)
    if question and answer:
        overwritten = {trace.inputs[k] for k in written.values()}
        values = [question.values[i] for i in answer.residuals]
        residuals = kept_apart(trace, values, overwritten)
        facts = answer[1:4]
    elif gradient:
        residuals = gradient.derived.kept()
        facts = gradient.derived.facts()
    else:
        residuals, facts = [], ((), (), ())
    graph = trace.graph([*outputs, *residuals], kept)

    def program() -> Program:
        guards = tuple(trace.scope.guards[:decided])
        placed = place and place(graph)
        return Program(
            name, graph, trace.scope, None, 0, guards, written, facts[2], len(residuals), placed,
            kinds,
        )  # fmt: skip

    record = gradient.record(facts) if gradient else None
    if answer:
        return known_plan(answer.parts, program, record)

    def tell(parts: Parts) -> None:
        if question and len(trace.scope.guards) == decided:
            values = gradient.derived.residuals if gradient else ()
            numbers = tuple(question.numbers[v] for v in values)
            question.tell(Answer._make((numbers, *facts, parts)))

    plan = build_plan(program(), record, tell)
    if gradient:
        gradient.derived.seal()
    return plan


def _traced(overload: Overload, bound: list[Any]) -> Any:
    """What the body gives on stand-ins."""
    try:
        return overload.inline(bound)
    except primitives.FloatNeededError as needed:
        raise DTypeError(
            f"{overload.name}: a floating-point tensor is needed; got {dtype_text(needed.dtype)}; "
            "convert it with .float()"
        ) from None


def _flat(result: Any) -> Any:
    if isinstance(result, list | tuple):
        for item in result:
            yield from _flat(item)
    else:
        yield result


def _result(y: Standin) -> Standin:
    """A result as users see it: what was computed from numbers alone has the default dtype."""
    return convert(y, default_float()) if y.weak and y.dtype == "f64" else y


def _viewed(y: Standin, tensors: list[Standin]) -> Standin:
    """A result that is none of the arguments itself."""
    itself = any(y.value is x.value for x in tensors)
    return primitives.view(y, shape=y.shape) if itself else y


def _written(
    overload: Overload, bound: list[Any], tensors: list[Standin], outputs: list[Standin]
) -> dict[int, int]:
    """Which output overwrites which tensor; the outputs are brought to its dtype and shape."""
    targets = list(_flat([bound[i] for i in overload.writes]))
    written = {}
    for i, target in enumerate(targets):
        outputs[i] = _fit(overload.name, outputs[i], target)
        written[i] = next(k for k, t in enumerate(tensors) if t is target)
    return written


def _fit(name: str, result: Standin, target: Standin) -> Standin:
    """A result as it is written over `target`."""
    if category(result.dtype) > category(target.dtype):
        raise DTypeError(
            f"{name}: the result must fit the dtype of the tensor written to; got a result of "
            f"{dtype_text(result.dtype)} for a tensor of {dtype_text(target.dtype)}; convert the "
            "tensor first"
        )
    if len(result.shape) != len(target.shape) or any(
        not a == b for a, b in zip(result.shape, target.shape, strict=True)
    ):
        raise ShapeError(
            f"{name}: the result must have the shape of the tensor written to; got a result of "
            f"shape {shape_text(result.shape)} for a tensor of shape {shape_text(target.shape)}; "
            "use the out-of-place form"
        )
    return primitives.cast(result, dtype=target.dtype)


def kept_apart(
    trace: Trace, residuals: Sequence[Value], overwritten: Collection[Value]
) -> list[Standin]:
    """Residuals as outputs of the forward program: what is about to be overwritten is copied."""
    kept = (Standin(trace, v) for v in residuals)
    return [primitives.copy(r) if r.value in overwritten else r for r in kept]


class Formula:
    """The gradient of one traced call: what is saved, and backward plans for every need."""

    def __init__(
        self,
        title: str,
        trace: Trace,
        inputs: Sequence[Standin],
        needed: Sequence[int],
        integers: int,
        outputs: list[Standin],
        written: dict[int, int],
    ) -> None:
        self.title, self.trace, self.outputs = title, trace, outputs
        self._inputs = [x.value for x in inputs]
        self._integers = integers
        self._forward = set(topological([y.value.node for y in outputs]))
        self._double: dict[tuple[int, int], Any] = {}
        # By which results have a cotangent: these, and the gradients by source.
        self._derived: dict[int, tuple[list[Standin | None], dict[Value, Standin | None]]] = {}
        self._overwritten = {self._inputs[k] for k in written.values()}
        self.partition = Partition(
            [v for v in self._inputs if v not in self._overwritten], [y.value for y in outputs]
        )
        edges = [k for k in needed if is_float(inputs[k].dtype)]
        gradients = self._close([inputs[k] for k in edges])
        self.edges = [k for k, g in zip(edges, gradients, strict=True) if g is not None]
        self.sources = [inputs[k] for k in self.edges]
        self.sizes = self._missing_sizes([g.value for g in gradients if g is not None])

    @property
    def residuals(self) -> list[Value]:
        """Values kept for the backward that are neither arguments nor results."""
        return self.partition.residuals

    def kept(self) -> list[Standin]:
        """The residuals as outputs of the forward program: an argument about to be overwritten is
        copied."""
        return kept_apart(self.trace, self.residuals, self._overwritten)

    def seal(self) -> None:
        """From here on, decisions about sizes are guards of the backward plans."""
        self._decided = len(self.trace.scope.guards)

    def _results(self) -> list[Standin]:
        return [*self.outputs, *(Standin(self.trace, v) for v in self.residuals)]

    def _close(self, sources: list[Standin]) -> list[Standin | None]:
        """The gradients for cotangents of every output and residual; finds what they need."""
        while True:
            cotangents, gradients = self._derive(~0, sources)
            starts = {g.value for g in cotangents if g is not None}
            needed = [g.value for g in gradients if g is not None]
            if not self.partition.close(self._forward, needed, starts):
                return gradients

    def _derive(
        self, defined: int, sources: Sequence[Standin]
    ) -> tuple[list[Standin | None], list[Standin | None]]:
        """The cotangents of results, of those in a mask, and one gradient per source. What backward
        plans begin with is mostly derived already when it is found out what they need."""
        results = self._results()
        cotangents = [
            self._cotangent(y) if defined >> i & 1 else None for i, y in enumerate(results)
        ]
        key = sum(1 << i for i, g in enumerate(cotangents) if g is not None)
        if key not in self._derived:
            gradients = self.differentiate(results, cotangents, sources)
            found = dict(zip((s.value for s in sources), gradients, strict=True))
            self._derived[key] = cotangents, found
        cotangents, found = self._derived[key]
        return cotangents, [found[s.value] for s in sources]

    def differentiate(
        self,
        results: Sequence[Standin],
        cotangents: Sequence[Standin | None],
        sources: Sequence[Standin],
    ) -> list[Standin | None]:
        """One gradient per source; `results` are the outputs, then the residuals."""
        return differentiate(self.trace, results, cotangents, sources)

    def _cotangent(self, y: Standin) -> Standin | None:
        if not is_float(y.dtype):
            return None
        return Standin(self.trace, Node.leaf("input", ("cotangent",), y.dtype, y.shape).outputs[0])

    # ---- sizes that the backward cannot read off its own tensors
    def _missing_sizes(self, gradients: Sequence[Value]) -> list[tuple[int, int]]:
        nodes = topological([v.node for v in (*gradients, *(x.value for x in self.sources))])
        sizes = {id(size): size for node in nodes for size in _sizes_of(node)}
        used: set[Dim] = set()
        for size in sizes.values():
            _symbols(self.trace.scope.resolve(size), used)
        known = self._symbols_of(self.partition.saved, 0)
        missing = {d for d in used if d.op == "size" and d not in known}
        return sorted((d.args[0], d.args[1]) for d in missing)

    def _symbols_of(self, values: Sequence[Value], first: int) -> dict[Dim, Step]:
        """The symbols that are sizes of the given tensors, numbered from `first`."""
        found: dict[Dim, Step] = {}
        for i, value in enumerate(values):
            for axis, size in enumerate(value.shape):
                for known in (size, self.trace.scope.resolve(size)):
                    if isinstance(known, Dim):
                        found.setdefault(known, ("size", first + i, axis))
        return found

    # ---- backward plans
    def facts(self) -> tuple[Any, Any, Any]:
        """What the core's record of the gradient tells: for which inputs it is, where to find what
        it takes over, and of which sizes."""
        return tuple(self.edges), self.saved(), tuple(self.sizes)

    def saved(self) -> tuple[tuple[str, int], ...]:
        """Where the core finds what the backward takes over."""
        saved = []
        results = [y.value for y in self.outputs]
        for value in self.partition.saved:
            if value in self.partition.inputs:
                saved.append(("input", self._inputs.index(value)))
            elif value in results:
                saved.append(("output", results.index(value)))
            else:
                saved.append(("residual", self.residuals.index(value)))
        return tuple(saved)

    def program(self, defined: int, needed: int) -> Program:
        """The backward for given masks of defined cotangents and needed gradients."""
        graph, symbols, copies = self._backward(defined, needed)
        placed = self._placement(graph, copies)
        scope, decided = self.trace.scope, self._decided
        return Program(self.title, graph, scope, symbols, decided, (), {}, (), 0, placed)

    def _placement(self, graph: Graph, copies: dict[Value, Value]) -> Placement | None:
        """Where results are in a backward, of whose values some are copies of the trace's."""
        return None

    def _backward(
        self, defined: int, needed: int
    ) -> tuple[Graph, dict[Dim, Step], dict[Value, Value]]:
        """The program from defined cotangents and saved values to needed gradients, where it finds
        sizes, and which of its values are copies of which of the trace."""
        cotangents, gradients = self._derive(defined, self.sources)
        wanted = [
            g if g is not None else self.trace.full(x.shape, 0, x.dtype)
            for i, (g, x) in enumerate(zip(gradients, self.sources, strict=True))
            if needed >> i & 1
        ]
        starts = [g.value for g in cotangents if g is not None]
        leaves = [
            Node.leaf("input", ("saved", i), v.dtype, v.shape).outputs[0]
            for i, v in enumerate(self.partition.saved)
        ]
        replaced = dict(zip(self.partition.saved, leaves, strict=True))
        outputs = substitute([g.value for g in wanted], replaced)
        symbols = self._symbols_of([*starts, *leaves], 0)
        for i, (tensor, axis) in enumerate(self.sizes):
            size = self.trace.scope.resolve(self._inputs[tensor].shape[axis])
            if isinstance(size, Dim):
                symbols.setdefault(size, ("int", self._integers + i))
        for i in range(self._integers):
            symbols.setdefault(self.trace.scope.symbol(("int", i), 0), ("int", i))
        return Graph([*starts, *leaves], outputs), symbols, replaced

    def formula(
        self, cotangents: Any, saved: Any, ints: Any, scalars: Any, needed: int
    ) -> list[Any]:
        """The same gradients through an ordinary op, so that they can be differentiated again."""
        defined = sum(1 << i for i, g in enumerate(cotangents) if g is not None)
        operation = self._double.get((defined, needed))
        if operation is None:
            graph, symbols, _ = self._backward(defined, needed)
            params = (n for n in graph.nodes if n.op == "param")
            numbers = dict(sorted({n.attrs["key"]: n.outputs[0].dtype for n in params}.items()))
            body = _Replay(graph, symbols, self.trace.scope, [*numbers])
            parameters = (
                Parameter("tensors", "tensors", (), ""),
                Parameter("ints", "ints", (), ""),
                *(Parameter(f"number{k}", "scalar", 0, "") for k in numbers),
            )
            name = f"{self.title}_backward"
            record = Op(name, None)
            record.overloads.append(Overload(name, body, parameters))
            operation = self._double[(defined, needed)] = record.public, numbers
        call, numbers = operation
        tensors = [*(g for g in cotangents if g is not None), *saved]
        values = (number_of(scalars[k], dtype) for k, dtype in numbers.items())
        found = call(tensors, tuple(ints), *values)
        results = iter(found if isinstance(found, tuple) else (found,))
        return [next(results) if needed >> i & 1 else None for i in range(len(self.edges))]


class Gradient:
    """The gradient of a program, whose formula is derived when it is needed: where all plans are
    known it never is."""

    def __init__(
        self, title: str, count: int, derive: Callable[[], Formula], question: Question | None
    ) -> None:
        self._title, self._count = title, count  # of the outputs that are differentiable
        self._derive, self._question = derive, question

    @cached_property
    def derived(self) -> Formula:
        """The formula."""
        formula = self._derive()
        formula.seal()
        return formula

    def record(self, facts: tuple[Any, Any, Any]) -> Any:
        """The core's record of the gradient with these `Formula.facts`; None if no argument has
        one."""
        own = self._title, self.compile, self.formula
        return _C.GradRecord(*own, *facts, self._count) if facts[0] else None

    def compile(self, arguments: Any, sizes: Any, ints: Any, words: Any) -> Any:
        """The backward plan for given masks of defined cotangents and needed gradients."""
        defined, needed = arguments[:2]
        question = self._question
        parts = question.backward(defined, needed) if question else None
        if parts is not None:
            return known_plan(parts, lambda: self.derived.program(defined, needed))
        told = partial(question.tell_backward, defined, needed) if question else None
        return build_plan(self.derived.program(defined, needed), None, told)

    def formula(self, *arguments: Any) -> list[Any]:
        """As `Formula.formula`."""
        return self.derived.formula(*arguments)


def number_of(bits: int, dtype: str) -> float | int | bool:
    """A run-time number as the core keeps it."""
    packed = bits.to_bytes(8, "little")
    value = struct.unpack("<d" if dtype == "f64" else "<q", packed)[0]
    return bool(value) if dtype == "bool" else value


def word_of(number: float | int) -> tuple[int, str]:
    """A number as the core keeps it, and its dtype; see `number_of`."""
    kind, dtype = ("<d", "f64") if isinstance(number, float) else ("<q", "i64")
    return int.from_bytes(struct.pack(kind, number), "little"), dtype


class _Replay:
    """A graph as the body of an op."""

    def __init__(
        self, graph: Graph, symbols: dict[Dim, Step], scope: Any, numbers: list[int]
    ) -> None:
        self._graph, self._symbols, self._scope, self._numbers = graph, symbols, scope, numbers

    def __call__(self, tensors: list[Standin], ints: tuple[Size, ...], *numbers: Standin) -> Any:
        trace = tensors[0].trace
        sizes: dict[Dim, Size] = {}
        for symbol, (kind, k, *axis) in self._symbols.items():
            sizes[symbol] = tensors[k].shape[axis[0]] if kind == "size" else ints[k]
        params = dict(zip(self._numbers, numbers, strict=True))

        def moved(size: Size) -> Size:
            return translate(self._scope.resolve(size), sizes.get)

        return replay(trace, self._graph, tensors, params, moved)


def _sizes_of(node: Node) -> Any:
    """Every size that a node mentions."""
    for value in node.outputs:
        yield from value.shape
    stack = list(node.attrs.values())
    while stack:
        attr = stack.pop()
        if isinstance(attr, tuple):
            stack.extend(attr)
        elif isinstance(attr, Dim):
            yield attr


def _symbols(size: Size, found: set[Dim]) -> None:
    """Add the symbols of an expression."""
    if isinstance(size, Dim):
        if size.op in ("size", "int"):
            found.add(size)
        else:
            for arg in size.args:
                _symbols(arg, found)
