"""Captured programs for people: what is called how, and which line of the program it came from."""

from __future__ import annotations

import inspect
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count, takewhile
from typing import Any

from gleed import _C
from gleed.capture import number_of
from gleed.captured.calls import Call
from gleed.captured.entry import Entry, Source
from gleed.captured.recorder import argument_origin
from gleed.captured.structure import Branch, Form, Leaf, given
from gleed.compiler.dims import Dim, Scope, Size
from gleed.compiler.graph import Graph, Node, Value, inner_graphs, topological
from gleed.dtypes import dtype_text

_LEAVES = ("const", "param", "dim")
_REPEATING = ("cast", "broadcast")
_SIGNS = {"add": "+", "sub": "-", "mul": "*", "floordiv": "//", "mod": "%"}
_INDENT = "  "


@dataclass(frozen=True)
class Inside:
    """A body of a branch or a loop: when it runs, its graph, its steps."""

    title: str
    graph: Graph
    steps: list[Node]


class Listing:
    """One captured program of `function`: its inputs by name, and its steps with their calls.

    inputs: the names and what holds them ("argument", "state", or "cotangent"). steps: the nodes,
    numbers left out, in the order of the program; those of the gradient of the results last.
    """

    def __init__(self, entry: Entry, function: Callable[..., Any]) -> None:
        self._entry, self._captured = entry, entry.captured
        self.program = entry.captured.program
        self.scope: Scope = self.program.scope
        graph = self.program.graph
        self._arguments = _names(entry.arguments, function)
        forms = zip(given(entry.arguments), self._arguments, strict=True)
        arguments = dict(path for form, name in forms for path in _leaves(form, name))
        self.inputs: dict[Value, tuple[str, str]] = {}
        self._names: list[str] = []
        for value, source in zip(graph.inputs, entry.sources, strict=True):
            kind = "argument" if source.kind == "argument" else "state"
            self._names.append(self._input_name(source, arguments))
            self.inputs[value] = self._names[-1], kind
        self.steps = _steps(v.node for v in (*graph.outputs, *graph.kept))
        forward = set(self.steps)
        gradients = _steps(g.node for _, g in self._captured.backward)
        self.gradient = [node for node in gradients if node not in forward]
        self._numbers: dict[Value, str] = {}
        for node in (*self.steps, *self.gradient):
            for value in node.outputs:
                self._numbers[value] = f"%{len(self._numbers)}"
        self._inner: dict[Node, list[Inside]] = {}
        self._calls_inside: dict[Node, Call | None] = {}
        # Of nodes in a body: the calls there, and whether they are results of one.
        self._around: dict[Node, dict[int, Call]] = {}
        self._is_result: dict[Node, bool] = {}

    def _input_name(self, source: Source, arguments: dict[int, str]) -> str:
        if source.kind == "argument":
            return arguments[source.what]
        if source.kind == "cell":
            return self._tensors[id(self._entry.reached.held[source.what])]
        return f"{self._names[source.what]}.grad" if source.kind == "grad" else "constant"

    @cached_property
    def _tensors(self) -> dict[int, str]:
        """The tensors that the function reaches, by identity: the best of their names. State that
        an optimizer has for a tensor bears the name of that."""
        reached = self._entry.reached
        cells = list(zip(reached.cells, reached.held, strict=True))
        found: dict[int, str] = {}
        for cell, held in cells:
            if isinstance(held, _C.Tensor):
                paths = (found.get(id(held), cell.path), cell.path)
                found[id(held)] = min(paths, key=lambda path: ("[" in path, len(path)))
        of = {id(h): c.key for c, h in cells if isinstance(c.key, _C.Tensor)}
        for cell, held in cells:
            key = of.get(id(cell.holder))
            if isinstance(held, _C.Tensor) and key is not None:
                found[id(held)] = cell.path.replace("'…'", found.get(id(key), "…"))
        return found

    # ---- calls
    @cached_property
    def _starts(self) -> list[int]:
        return [call.first for call in self._captured.calls]

    def call(self, node: Node) -> Call | None:
        """The operation that has made a node; None for what the capture itself has added."""
        if node in self._calls_inside:
            return self._calls_inside[node]
        k = bisect_left(self._starts, node.serial) - 1
        return self._captured.calls[k] if k >= 0 else None

    # ---- what is in branches and loops
    def inside(self, node: Node) -> list[Inside]:
        """The bodies of a branch or a loop; empty for any other step."""
        if node not in self._inner:
            graphs = [pair for pairs in inner_graphs(node).values() for pair in pairs]
            made = [
                Inside(title, graph, _steps(v.node for v in (*graph.outputs, *graph.kept)))
                for title, (graph, _) in zip(self._titles(node), graphs, strict=True)
            ]
            for body, (_, numbers), calls in zip(made, graphs, self._calls(node), strict=False):
                self._find_calls(body.steps, numbers, calls)
            number = count(1)
            for body in made:
                self._numbers.update(zip(body.graph.inputs, self._seen_inside(node), strict=True))
                for value in (v for step in body.steps for v in step.outputs):
                    self._numbers[value] = f"{self.name(node.outputs[0])}.{next(number)}"
            self._inner[node] = made
        return self._inner[node]

    def _calls(self, node: Node) -> tuple[dict[int, Call], ...]:
        """The calls in the bodies of a node, by number. The bodies of a gradient are those of what
        it is the gradient of, and some of its own, which are around a turn."""
        around = self._around.get(node)
        call = self.call(node) if around is None or self._is_result[node] else None
        while call is not None and not call.bodies:
            call = call.origin
        if call is None:
            return (around or {},) * 2
        backwards = call is not self.call(node)
        return (call.bodies[-1],) * 2 if backwards and node.kind != "branch" else call.bodies

    def _find_calls(
        self, steps: list[Node], numbers: dict[Value, int], calls: dict[int, Call]
    ) -> None:
        """Note which of the calls in a body has made a step: that of the next result behind it."""
        call = None
        for node in reversed(steps):
            found = [numbers[v] for v in node.outputs if v in numbers]
            call = calls.get(found[0]) if found else call
            self._calls_inside[node] = call
            self._around[node], self._is_result[node] = calls, bool(found)

    def _titles(self, node: Node) -> list[str]:
        """When the bodies of a node run."""
        if node.kind == "branch":
            return [f"if {self.name(node.inputs[0])}", "else"]
        if node.kind == "while":
            return ["while", "do"]
        backwards = ", the last one first" if node.attrs.get("reverse") else ""
        return [f"for every t{backwards}"] if node.kind == "loop" else []

    def _seen_inside(self, node: Node) -> list[str]:
        """The names that the inputs of a node have in its bodies: states that of what they become,
        sequences that of their present row."""
        if node.kind == "branch":
            return [self.name(v) for v in node.inputs[1:]]
        carried = node.attrs["carried"]
        rows = range(carried, carried + node.attrs.get("sequences", 0))
        states = [self.name(v) for v in node.outputs[:carried]]
        others = enumerate(map(self.name, node.inputs[carried:]), carried)
        return states + [f"{name}[t]" if i in rows else name for i, name in others]

    # ---- texts
    def name(self, value: Value) -> str:
        """A value in the text of a step: a name, or a number."""
        if value in self.inputs:
            return self.inputs[value][0]
        if value in self._numbers:
            return self._numbers[value]
        node = value.node
        if node.op == "input":
            return "cotangent"
        if node.op in _REPEATING and is_number(node):
            return self.name(node.inputs[0])
        if node.op == "const":
            return repr(node.attrs["key"])
        if node.op == "dim":
            return self.size(node.attrs["key"])
        return self._param(node)

    def _param(self, node: Node) -> str:
        k = node.attrs["key"]
        for number, origin in self._captured.followed:
            if number == k and origin >= 0:
                return self._entry.reached.cells[origin].path
            if number == k:
                return self._arguments[argument_origin(origin)]
        return repr(number_of(self._captured.numbers[k], node.outputs[0].dtype))

    def type(self, value: Value) -> str:
        """A dtype and a shape: "float32[n, 8]"."""
        sizes = ", ".join(map(self.size, value.shape))
        return f"{dtype_text(value.dtype)}[{sizes}]"

    def size(self, size: Size) -> str:
        """A size as Python would say it."""
        size = self.scope.resolve(size)
        if not isinstance(size, Dim):
            return str(size)
        if size.op in ("size", "stride"):
            name = "shape" if size.op == "size" else "stride()"
            return f"{self._names[size.args[0]]}.{name}[{size.args[1]}]"
        a, b = map(self.size, size.args)
        sign = _SIGNS.get(size.op)
        return f"({a} {sign} {b})" if sign else f"{size.op}({a}, {b})"

    def expression(self, node: Node) -> str:
        """What a node computes."""
        operands = [self.name(v) for v in node.inputs]
        shape = node.outputs[0].shape
        if inner_graphs(node):  # its bodies tell the rest
            carried = node.attrs.get("carried")
            operands = [x for x in operands[:carried] if carried or x.isidentifier() or "%" in x]
            return f"{node.op}({', '.join(operands)})"
        operands += [f"{k}={self._attribute(v)}" for k, v in node.attrs.items() if v is not shape]
        return f"{node.op}({', '.join(operands)})"

    def _attribute(self, attr: Any) -> str:
        if isinstance(attr, tuple):
            return f"({', '.join(map(self._attribute, attr))}{',' * (len(attr) == 1)})"
        if isinstance(attr, Dim):
            return self.size(attr)
        return getattr(attr, "__name__", type(attr).__name__) if callable(attr) else repr(attr)

    # ---- the whole
    def lines(self) -> Iterator[str]:
        """The program as text."""
        width = max((len(name) for name, _ in self.inputs.values()), default=0)
        for value, (name, _) in self.inputs.items():
            yield f"{_INDENT}{name:{width}}  {self.type(value)}"
        yield from self._sections(self.steps)
        yield from self._results()
        if self.gradient:
            yield "gradient of the results"
            yield from self._sections(self.gradient)
            for k, value in self._captured.backward:
                yield f"{_INDENT}gradient of {self._names[k]}: {self.name(value)}"

    def _sections(
        self, steps: list[Node], indent: str = "", heading: str | None = None
    ) -> Iterator[str]:
        """Steps under the lines of the program that they come from; they begin under `heading`."""
        rows = [(self.call(node), self._left(node), self._right(node)) for node in steps]
        width = min(max((len(left) for _, left, _ in rows), default=0), 64)
        previous: Call | None = None
        for node, (call, left, right) in zip(steps, rows, strict=True):
            title = _heading(call, inside=bool(indent))
            if title != heading and not (indent and call is None):
                heading = title
                yield f"{indent}{title}"
            noted = call is None or call is previous
            note = "" if noted or call is None else f"  # {_note(call, inside=bool(indent))}"
            yield f"{indent}{_INDENT}{left:{width}}  {right}{note}"
            yield from self._bodies(node, indent + 2 * _INDENT, heading)
            previous = call

    def _bodies(self, node: Node, indent: str, heading: str | None) -> Iterator[str]:
        """The bodies of a step, under it."""
        for body in self.inside(node):
            yield f"{indent}{body.title}"
            yield from self._sections(body.steps, indent, heading)
            yield f"{indent}{_INDENT}give {', '.join(map(self.name, body.graph.outputs))}"

    def _left(self, node: Node) -> str:
        return f"{', '.join(map(self.name, node.outputs))} = {self.expression(node)}"

    def _right(self, node: Node) -> str:
        return ", ".join(map(self.type, node.outputs))

    def results(self) -> Iterator[tuple[str, Value | None]]:
        """What leaves the program: results, memory of the caller that is written, gradients; None
        for a gradient that is taken away."""
        captured, outputs = self._captured, self.program.graph.outputs
        for kind, k in captured.results:
            yield "result", self.program.graph.inputs[k] if kind == "input" else outputs[k]
        for position, k in self.program.written.items():
            yield self._names[k], outputs[position]
        for k, output in captured.gradients:
            yield f"{self._names[k]}.grad", None if output is None else outputs[output]

    def _results(self) -> Iterator[str]:
        found = [(name, "None" if v is None else self.name(v)) for name, v in self.results()]
        count = len(self._captured.results)
        yield f"return {', '.join(text for _, text in found[:count])}".rstrip()
        for name, text in found[count:]:
            yield f"{_INDENT}{name} becomes {text}"


def _heading(call: Call | None, inside: bool) -> str:
    """The line of a call; inside of a gradient that of what a call is the gradient of."""
    if call is None:
        return "prepared"
    phase = "" if call.phase == "forward" else f"  [{call.phase}]"
    place = call.origin.place if inside and call.origin else call.place
    return f"{place.short}{phase}" + (f"  {place.text}" if place.text else "")


def _note(call: Call, inside: bool) -> str:
    """The name of an operation, for a gradient the line of what it is the gradient of."""
    origin = None if inside else call.origin
    return f"{call.name} of {origin.place.short}" if origin else call.name


def _steps(roots: Iterator[Node]) -> list[Node]:
    """The nodes that compute something, in the order of the program."""
    nodes = topological(roots)
    found = [n for n in nodes if n.op != "input" and not is_number(n)]
    return sorted(found, key=lambda node: node.serial)


def is_number(node: Node) -> bool:
    """Whether a node is a number of the program, perhaps in another dtype, or repeated."""
    return node.op in _LEAVES or (node.op in _REPEATING and is_number(node.inputs[0].node))


def _names(form: Form, function: Callable[..., Any]) -> list[str]:
    """The names of the arguments, by position: those of the parameters, then of the keywords."""
    assert isinstance(form, Branch)
    positional, keywords = form.items
    called = function.forward if isinstance(function, _C.ModuleBase) else function
    try:
        parameters = [*inspect.signature(called).parameters.values()]
    except (TypeError, ValueError):
        parameters = []
    plain = [p.name for p in takewhile(lambda p: p.kind is not p.VAR_POSITIONAL, parameters)]
    count = len(positional.items)
    plain = plain[:count] + [f"argument {i}" for i in range(len(plain), count)]
    return [*plain, *map(str, keywords.keys)]


def _leaves(form: Form, path: str) -> Iterator[tuple[int, str]]:
    if isinstance(form, Leaf):
        yield form.k, path
    elif isinstance(form, Branch):
        keys = range(len(form.items)) if form.keys is None else form.keys
        named = form.keys is not None and not issubclass(form.kind, dict)
        for key, item in zip(keys, form.items, strict=True):
            yield from _leaves(item, f"{path}.{key}" if named else f"{path}[{key!r}]")
