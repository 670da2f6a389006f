"""From the part of a graph that is needed to one plain Python function.

The function takes values that are fed, the tensors of variables, and generators of random numbers;
it changes nothing but those tensors, in place, and decides nothing by data. Its text can be read:
`Session.program(...).source`.
"""

from __future__ import annotations

import keyword
import linecache
import math
import re
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from gleed import _C
from gleed.captured import CompiledFunction
from gleed.graph import routines
from gleed.graph.infer import located
from gleed.graph.node import (
    ASSIGN,
    CONSTANT,
    GRADIENTS,
    NO_OP,
    PLACEHOLDER,
    VARIABLE,
    Body,
    Composite,
    Node,
    Operation,
    nodes_in,
)
from gleed.graph.schedule import Element, Schedule
from gleed.graph.shape import Dimension
from gleed.graph.sizes import SizeNode
from gleed.ops.record import Op

_NUMBERS = count(1)
_NAMESPACE = {
    "watched": routines.watched,
    "differentiate": routines.gradients,
    "no_grad": _C.no_grad,
    "enable_grad": _C.enable_grad,
}
_RESERVED = {*_NAMESPACE, "feeds", "variables", "generators", "ops"}


@dataclass
class Program:
    """One function for some fetches and some fed nodes.

    `function(feeds, variables, generators)` takes tensors in the order of `feeds`, `variables` and
    `random`, and returns one value per fetch, None for operations. `needed` are the variables whose
    values it reads, the others among `variables` get their first ones from it. `sources` give some
    of the feeds, `sinks` take some of the fetches.
    """

    source: str
    function: Callable[..., tuple[Any, ...]]
    feeds: tuple[Node, ...]
    variables: tuple[Any, ...]
    needed: tuple[Any, ...]
    random: tuple[Operation, ...]
    lines: dict[int, Operation]
    fetches: tuple[Element, ...]
    sources: list[Operation]
    sinks: list[Operation]

    def __post_init__(self) -> None:
        self._run = CompiledFunction(self.function, quiet=True)

    def __call__(self, *arguments: Any) -> tuple[Any, ...]:
        """Run the function, captured; an error names the node and where it was made."""
        try:
            found: tuple[Any, ...] = self._run(*arguments)
            return found
        except Exception as error:
            op = self._failed(error)
            if op is None:
                raise
            raise located(error, op.name, op.place, op.inputs, "made") from error

    def _failed(self, error: Exception) -> Operation | None:
        """The operation whose line raised an error."""
        found = None
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self.function.__code__.co_filename:
                found = self.lines.get(trace.tb_lineno, found)
            trace = trace.tb_next
        return found


def build_program(fetches: Sequence[Element], feeds: Sequence[Node]) -> Program:
    """The function for these fetches. Raises GraphError if a placeholder has no value."""
    schedule = Schedule(fetches, feeds)
    return _Writer(schedule).program()


@dataclass
class _Writer:
    """Writes the text of the function, line by line; of a body in it another one does.

    tracked: whether all that it computes is differentiated, as the body of such an operation is.
    """

    schedule: Schedule
    names: dict[Node | Body, str] = field(default_factory=dict)  # how a node is read
    memory: dict[Node, str] = field(default_factory=dict)  # how a variable is written to
    lines: list[str] = field(default_factory=list)
    places: dict[int, Operation] = field(default_factory=dict)
    needed: dict[Node, None] = field(default_factory=dict)
    assigned: set[Node] = field(default_factory=set)
    random: list[Operation] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    fetched: dict[Node, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=lambda: set(_RESERVED))
    enabled: bool = False
    tracked: bool = False

    def program(self) -> Program:
        """The whole of it."""
        plan = self.schedule
        read = [op.outputs[0] for op in plan.operations if op.type == VARIABLE]
        written = [v for op in plan.operations for v in op.writes]
        variables = tuple(dict.fromkeys((*read, *written)))
        for node in (*plan.feeds, *variables):
            self.names[node] = self.memory[node] = self._identifier(node.op.name)
        self._unpack("feeds", plan.feeds)
        self._unpack("variables", variables)
        for node in (*plan.feeds, *variables):
            self._finish(node)
        self._operations()
        found = [self.fetched.get(x, "None") for x in plan.fetches]  # type: ignore[arg-type]
        self._write(f"return ({', '.join(found)}{',' if len(found) == 1 else ''})", False)
        return self._compiled(variables)

    def _compiled(self, variables: tuple[Node, ...]) -> Program:
        body = "\n".join(f"        {line}" for line in self.lines)
        source = f"def program(feeds, variables, generators):\n    with no_grad():\n{body}\n"
        file = f"<gleed.graph program {next(_NUMBERS)}>"
        namespace: dict[str, Any] = _NAMESPACE | {"ops": types.SimpleNamespace(**self.values)}
        exec(compile(source, file, "exec"), namespace)
        linecache.cache[file] = (len(source), None, source.splitlines(True), file)
        needed, random = tuple(self.needed), tuple(self.random)
        function = namespace["program"]
        lines = {line + 2: op for line, op in self.places.items()}  # two stand before the first
        plan = self.schedule
        return Program(
            source, function, plan.feeds, variables, needed, random, lines, plan.fetches,
            plan.sources, plan.sinks,
        )  # fmt: skip

    def _body(self, body: Body, differentiated: bool) -> None:
        """A body, as a function in the function."""
        # Whatever is around it has been computed, and is read as any other variable.
        plan = Schedule(body.results, (*body.parameters, *body.captured))
        tracked = self.tracked or differentiated
        inner = replace(
            self, schedule=plan, names=dict(self.names), lines=[], places={}, tracked=tracked,
            enabled=tracked,
        )  # fmt: skip
        plan.fetches = ()  # whoever calls it makes copies of what it returns
        for node in body.parameters:
            inner.names[node] = self._identifier(node.op.name)
        parameters = ", ".join(inner.names[node] for node in body.parameters)
        for node in plan.feeds:
            inner._watch(node)
        inner._operations()
        found = inner._spelled(body.results[0] if body.single else body.results)
        inner._write(f"return {found}", tracked)
        self.names[body] = self._identifier(body.graph.name)
        self._write(f"def {self.names[body]}({parameters}):", False)
        self.places |= {len(self.lines) + line: op for line, op in inner.places.items()}
        self.lines += [f"    {line}" for line in inner.lines]

    # ---- spelling
    def _identifier(self, name: str) -> str:
        """A new name of Python's that looks like the name of an operation."""
        stem = re.sub(r"\W", "_", name)
        stem = f"_{stem}" if stem[0].isdigit() or keyword.iskeyword(stem) else stem
        result, number = stem, 1
        while result in self.taken:
            number += 1
            result = f"{stem}_{number}"
        self.taken.add(result)
        return result

    def _value(self, name: str, value: Any) -> str:
        """How the text refers to a value that has no spelling: as an attribute of `ops`."""
        stem = re.sub(r"\W", "_", name)
        key, number = stem, 1
        while self.values.setdefault(key, value) is not value:
            number += 1
            key = f"{stem}_{number}"
        return f"ops.{key}"

    def _spelled(self, leaf: Any) -> str:
        if isinstance(leaf, Node | Body):
            return self.names[leaf]
        if type(leaf) is tuple:
            items = ", ".join(map(self._spelled, leaf))
            return f"({items}{',' if len(leaf) == 1 else ''})"
        if type(leaf) is list:
            return f"[{', '.join(map(self._spelled, leaf))}]"
        if isinstance(leaf, Dimension):
            return str(int(leaf))
        simple = leaf is None or type(leaf) in (bool, int, str)
        if simple or (type(leaf) is float and math.isfinite(leaf)):
            return repr(leaf)
        return self._value(leaf.name if isinstance(leaf, _C.dtype) else type(leaf).__name__, leaf)

    def _call(self, op: Operation) -> str:
        if op.type == CONSTANT:
            return self._value("constant", op.args[0])
        if op.type == GRADIENTS:
            asked = [x for x in self.schedule.operations if x.type == GRADIENTS]
            create = self.tracked or op in self.schedule.differentiated
            retain = create or op is not asked[-1]
            parts = [*map(self._spelled, op.args), str(retain), str(create)]
            return f"differentiate({', '.join(parts)})"
        public = op.function.public if isinstance(op.function, Op) else op.function
        parts = [self.memory[x] if _is_in(x, op.writes) else self._spelled(x) for x in op.args]
        parts += [f"{key}={self._spelled(value)}" for key, value in op.kwargs.items()]
        if op.seed is not None and _draws(op.function):
            parts.append(f"generator=generators[{len(self.random)}]")
            self.random.append(op)
        return f"{self._value(op.type, public)}({', '.join(parts)})"

    # ---- statements
    def _unpack(self, source: str, nodes: Sequence[Node]) -> None:
        if nodes:
            names = ", ".join(self.names[n] for n in nodes)
            self._write(f"{names}{',' if len(nodes) == 1 else ''} = {source}", False)

    def _write(self, statement: str, differentiated: bool, op: Operation | None = None) -> None:
        """A line; what is differentiated is in a block that keeps what gradients need."""
        differentiated = differentiated or self.tracked
        if differentiated and not self.enabled:
            self.lines.append("with enable_grad():")
        self.enabled = differentiated
        indent = "    " if differentiated and not self.tracked else ""
        self.lines.append(f"{indent}{statement}")
        if op is not None:
            self.places[len(self.lines)] = op

    def _operations(self) -> None:
        for op in self.schedule.operations:
            if op.type not in (NO_OP, PLACEHOLDER, VARIABLE):
                self._operation(op)

    def _operation(self, op: Operation) -> None:
        sets = op.type == ASSIGN
        for node in nodes_in(op.args[1:]) if sets else op.inputs:
            self._read(node)
        differentiated = op in self.schedule.differentiated
        for x in op.args:
            if isinstance(x, Body):
                self._body(x, differentiated)
        call = self._call(op)
        names = []
        for node in op.outputs:
            if node not in self.names:
                self.names[node] = self._identifier(f"{op.name}_{node.index or ''}".rstrip("_"))
                names.append(self.names[node])
            else:
                names.append("_")  # it was fed
        target = ", ".join(names) + ("," if op.many and len(names) == 1 else "")
        statement = f"{target} = {call}" if names else call
        self._write(statement, differentiated, op)
        self.assigned.update(op.writes if sets else ())
        for node, name in zip(op.outputs, names, strict=True):
            if name != "_":
                self._finish(node)

    def _read(self, node: Node) -> None:
        """Note a variable that must have a value before the run."""
        known = node in self.assigned or node in self.schedule.feeds
        if node.op.type == VARIABLE and not known:
            self.needed[node] = None

    def _finish(self, node: Node) -> None:
        """What follows the definition of a node: copies of what will change, watching."""
        name, root = self.names[node], self._root(node)
        if root in self.schedule.written and node is not root and not node.op.writes:
            self._write(f"{name} = {name}.clone()", self.enabled)
            root = node
        if node in self.schedule.fetches:
            self.fetched[node] = name
            kept = root.op.type in (VARIABLE, CONSTANT) or root in self.schedule.feeds
            if kept and not isinstance(node, SizeNode):
                self.fetched[node] = self._identifier(f"{name}_value")
                self._write(f"{self.fetched[node]} = {name}.clone()", self.enabled)
                if node is root:
                    self._read(node)
        self._watch(node)

    def _watch(self, node: Node) -> None:
        """Note that gradients with respect to a node are asked for."""
        if node in self.schedule.watched:
            name = self.names[node]
            self.names[node] = self._identifier(f"{name}_watched")
            self._write(f"{self.names[node]} = watched({name})", self.enabled)

    def _root(self, node: Node) -> Node:
        """The node whose memory a view looks at."""
        while node.shares is not None and node not in self.schedule.feeds:
            node = node.shares
        return node


def _is_in(x: Any, nodes: Sequence[Node]) -> bool:
    return isinstance(x, Node) and x in nodes


def _draws(function: Any) -> bool:
    """Whether a function draws random numbers."""
    if isinstance(function, Op):
        return any(p.kind == "generator" for o in function.overloads for p in o.parameters)
    return isinstance(function, Composite) and function.draws
