"""The text form of programs: `parse_program(print_program(program))` is planned to the same steps.

All that a plan needs is in the text: symbols with the sizes that they had, what was decided about
them, the graph with the graphs inside it, what is written, stored, and computed inside of kernels.

>>> from gleed import primitives
>>> from gleed.trace import Trace
>>> trace = Trace()
>>> x = trace.argument("f32", (8, 3))
>>> graph = trace.graph([primitives.exp(x)])
>>> program = Program("exp", graph, trace.scope, None, 0, (), {}, (), 0, None)
>>> print(print_program(program))
program exp
  let size(0, 0) = 8
  let size(0, 1) = 3
  graph(%0: f32[size(0, 0), size(0, 1)])
    %1: f32[size(0, 0), size(0, 1)] = exp(%0)
    return %1
>>> print_program(parse_program(print_program(program))) == print_program(program)
True
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from gleed.compiler.dims import RELATIONS, Dim, Scope, Size, translate
from gleed.compiler.graph import Graph, Node, Shape, Value, graph_lines, inner_graphs
from gleed.compiler.planning import Program
from gleed.compiler.stored import Placement
from gleed.primitives.core import PRIMITIVES, IRError
from gleed.trace import Standin, Trace, copy_calls, replay

_SYMBOLS = ("size", "stride", "int")
_LEAVES = ("const", "param", "dim")
_TOKEN = re.compile(r"\s*('[^']*'|%?[\w.+-]+|[()\[\],:=@])")


# ---- printing
def print_program(program: Program) -> str:
    """The program as text, without a trailing newline."""
    known = program.scope.guards[: program.decided]
    lines = [f"program {program.name}".rstrip()]
    sizes = [size for _, a, b in (*known, *program.guards) for size in (a, b)]
    symbols = program.symbols or {}
    for symbol in _symbols([*sizes, *symbols, *_sizes(program.graph)]):
        lines.append(f"let {symbol!r} = {symbol.hint}")
    lines += [f"find {dim!r} at {_call(step)}" for dim, step in symbols.items()]
    lines += [f"known {_call(decision)}" for decision in known]
    lines += [f"guard {_call(decision)}" for decision in program.guards]
    names: dict[Value, str] = {}
    lines += graph_lines(program.graph, names)
    lines += [f"write {k} to {target}" for k, target in program.written.items()]
    lines += [f"size {tensor} {axis}" for tensor, axis in program.sizes]
    if program.kinds:
        lines.append(f"takes {' '.join(program.kinds)}")
    if program.residuals:
        lines.append(f"residuals {program.residuals}")
    if program.placement:
        placed = (("store", program.placement.stored), ("inside", program.placement.inside))
        lines += [f"{word} {names[v]} of {n}" for word, calls in placed for v, n in calls.items()]
    return "\n  ".join(lines)


def _call(step: Iterable[Any]) -> str:
    name, *args = step
    return f"{name}({', '.join(map(repr, args))})"


def _sizes(graph: Graph) -> Iterator[Size]:
    """All sizes in a graph and in those inside it."""
    for value in graph.inputs:
        yield from value.shape
    for node in graph.nodes:
        for value in node.outputs:
            yield from value.shape
        yield from _in_attribute(tuple(node.attrs.values()))
        for inner, _ in (pair for pairs in inner_graphs(node).values() for pair in pairs):
            yield from _sizes(inner)


def _in_attribute(attr: Any) -> Iterator[Size]:
    if isinstance(attr, tuple):
        for item in attr:
            yield from _in_attribute(item)
    elif isinstance(attr, Dim):
        yield attr


def _symbols(sizes: Iterable[Size]) -> list[Dim]:
    """The symbols in sizes, each once."""
    found: dict[Dim, None] = {}
    stack = [size for size in sizes if isinstance(size, Dim)][::-1]
    while stack:
        size = stack.pop()
        if size.op in _SYMBOLS:
            found[size] = None
        else:
            stack += [arg for arg in reversed(size.args) if isinstance(arg, Dim)]
    return list(found)


# ---- reading
@dataclass(frozen=True, eq=False)
class Body:
    """A graph inside a graph, as the body that makes it."""

    graph: Graph
    scope: Scope
    calls: dict[Value, int]

    @property
    def draws(self) -> bool:
        """Whether it draws random numbers."""
        return any(node.draws for node in self.graph.nodes)

    def __call__(self, *inputs: Standin) -> tuple[Standin, ...]:
        """Compute it on stand-ins, whose sizes may be those of another trace."""
        trace = Trace.current()

        seen = partial(copy_calls, self.calls, trace)
        if trace.scope is self.scope:
            return replay(trace, self.graph, inputs, seen=seen)
        known: dict[Dim, Size] = {}
        for ours, theirs in zip(self.graph.inputs, inputs, strict=True):
            for size, other in zip(ours.shape, theirs.shape, strict=True):
                resolved = self.scope.resolve(size)
                if isinstance(resolved, Dim):
                    known.setdefault(resolved, other)

        def moved(size: Size) -> Size:
            return translate(self.scope.resolve(size), known.get)

        return replay(trace, self.graph, inputs, moved=moved, seen=seen)


def parse_program(text: str) -> Program:
    """Read what `print_program` wrote. Raises IRError with the line it cannot read."""
    return _Reader(text).program()


class _Reader:
    """Reads one text, line by line."""

    def __init__(self, text: str) -> None:
        self._lines = [line for line in text.splitlines() if line.strip()][::-1]
        self._scope = Scope()
        self._hints: dict[tuple[Any, ...], int] = {}
        self._tokens: list[str] = []

    def program(self) -> Program:
        """The program that the text is of."""
        name = self._open("program", "").strip()
        symbols: dict[Dim, tuple[Any, ...]] = {}
        while (line := self._opened("let")) is not None:
            symbol, hint = line.rsplit(" = ", 1)
            self._hints[self._plain_call(symbol)] = int(hint)
        while (line := self._opened("find")) is not None:
            dim, step = line.rsplit(" at ", 1)
            symbols[self._size(dim)] = self._plain_call(step)  # type: ignore[index]
        decided = self._decisions("known")
        self._decisions("guard")
        names: dict[str, Value] = {}
        graph = self._graph(names)
        written: dict[int, int] = {}
        while (line := self._opened("write")) is not None:
            k, target = line.split(" to ")
            written[int(k)] = int(target)
        sizes: list[tuple[int, int]] = []
        while (line := self._opened("size")) is not None:
            tensor, axis = line.split()
            sizes.append((int(tensor), int(axis)))
        kinds = tuple((self._opened("takes") or "").split())
        residuals = int(self._opened("residuals") or 0)
        placement = Placement()
        for word, calls in (("store", placement.stored), ("inside", placement.inside)):
            while (line := self._opened(word)) is not None:
                value, call = line.split(" of ")
                calls[names[value]] = int(call)
        guards = tuple(self._scope.guards[decided:])
        return Program(
            name, graph, self._scope, symbols or None, decided, guards, written, tuple(sizes),
            residuals, placement if placement.calls else None, kinds,
        )  # fmt: skip

    # ---- lines
    def _opened(self, word: str) -> str | None:
        """The rest of the next line, if it begins with a word; then it has been read."""
        line = self._lines[-1].strip() if self._lines else ""
        if line != word and not line.startswith(f"{word} "):
            return None
        self._lines.pop()
        return line[len(word) + 1 :]

    def _open(self, word: str, end: str) -> str:
        """The rest of the next line, which begins with a word."""
        line = self._lines.pop().strip() if self._lines else ""
        if not line.startswith(word) or not line.endswith(end):
            raise IRError(
                f"parse_program: a line that begins with `{word}` must come; got `{line}`"
            )
        return line[len(word) : len(line) - len(end)]

    def _decisions(self, word: str) -> int:
        """Take decisions about sizes once more; how many."""
        count = 0
        while (line := self._opened(word)) is not None:
            count += 1
            relation, a, b = self._plain_call(line)
            if not RELATIONS[relation](a, b):
                raise IRError(f"parse_program: what is decided must hold; `{line}` does not")
        return count

    # ---- graphs
    def _graph(self, names: dict[str, Value]) -> Graph:
        self._start(self._open("graph(", ")"))
        inputs: list[Value] = []
        while self._tokens:
            ((name, dtype, shape),) = self._types(1)
            inputs.append(Node.leaf("input", len(inputs), dtype, shape).outputs[0])
            names[name] = inputs[-1]
            self._skip(",")
        while self._lines and self._lines[-1].lstrip().startswith("%"):
            self._node(self._lines.pop().strip(), names)
        outputs = self._values("return", names)
        return Graph(inputs, outputs, self._values("keep", names) if self._next("keep") else ())

    def _next(self, word: str) -> bool:
        return bool(self._lines) and self._lines[-1].strip().startswith(f"{word} ")

    def _values(self, word: str, names: dict[str, Value]) -> list[Value]:
        listed = self._open(word, "").strip()
        return [names[name] for name in listed.split(", ")] if listed else []

    def _node(self, line: str, names: dict[str, Value]) -> None:
        try:
            self._start(line)
            results = list(self._types(None))
            op = self._take("=")._pop()
            inputs: list[Value] = []
            attrs: dict[str, Any] = {}
            self._take("(")
            while not self._skip(")"):
                word = self._pop()
                if word.startswith("%"):
                    inputs.append(names[word])
                else:
                    attrs[word] = self._take("=")._value()
                self._skip(",")
            looped = self._skip("looped")
            primitive = None if op in _LEAVES else PRIMITIVES[op]
        except (KeyError, IndexError, ValueError) as error:
            raise IRError(f"parse_program: cannot read `{line}` ({error!r})") from None
        attrs = {k: self._with_bodies(v) for k, v in attrs.items()}
        node = Node(
            op, primitive, tuple(inputs), attrs, [(dtype, shape) for _, dtype, shape in results]
        )
        node.looped = looped
        names.update(zip((name for name, *_ in results), node.outputs, strict=True))

    def _with_bodies(self, attr: Any) -> Any:
        if isinstance(attr, tuple):
            return tuple(map(self._with_bodies, attr))
        return self._body() if attr is _INNER else attr

    def _body(self) -> Body:
        names: dict[str, Value] = {}
        graph = self._graph(names)
        calls: dict[Value, int] = {}
        while (line := self._opened("call")) is not None:
            call, value = line.split(" made ")
            calls[names[value]] = int(call)
        return Body(graph, self._scope, calls)

    def _types(self, count: int | None) -> Iterator[tuple[str, str, Shape]]:
        """Names with dtypes and shapes, as `%0: f32[8, n]`, so many, or as long as there are."""
        while count is None or count > 0:
            name = self._pop()
            dtype = self._take(":")._pop()
            shape: list[Size] = []
            self._take("[")
            while not self._skip("]"):
                shape.append(self._value())
                self._skip(",")
            yield name, dtype, tuple(shape)
            count = count and count - 1
            if count is None and not self._skip(","):
                return

    # ---- tokens
    def _start(self, text: str) -> _Reader:
        self._tokens = _TOKEN.findall(text)[::-1]
        return self

    def _pop(self) -> str:
        return self._tokens.pop()

    def _skip(self, token: str) -> bool:
        """Whether a token comes; then it has been read."""
        found = bool(self._tokens) and self._tokens[-1] == token
        if found:
            self._tokens.pop()
        return found

    def _take(self, token: str) -> _Reader:
        if not self._skip(token):
            raise ValueError(f"`{token}` must come")
        return self

    def _value(self, decide: bool = False) -> Any:
        """A number, a word, a size, or a tuple of such."""
        word = self._pop()
        if word == "(":
            return self._items()
        if self._tokens and self._tokens[-1] == "(":
            self._pop()
            args = self._items()
            return (word, *args) if decide else self._dim(word, args)
        if word.startswith("'"):
            return word[1:-1]
        if word.startswith("@"):
            return _INNER
        if word in _WORDS:
            return _WORDS[word]
        return int(word) if re.fullmatch(r"-?\d+", word) else float(word)

    def _items(self) -> tuple[Any, ...]:
        items: list[Any] = []
        while not self._skip(")"):
            items.append(self._value())
            self._skip(",")
        return tuple(items)

    def _dim(self, op: str, args: tuple[Any, ...]) -> Dim:
        if op in _SYMBOLS:
            return self._scope.symbol((op, *args), self._hints[op, *args])
        return self._scope.expression(op, *args)

    def _size(self, text: str) -> Size:
        found: Size = self._start(text)._value()
        return found

    def _plain_call(self, text: str) -> tuple[Any, ...]:
        found: tuple[Any, ...] = self._start(text)._value(decide=True)
        return found


_INNER = object()  # stands for a graph whose lines follow
_WORDS = {"None": None, "True": True, "False": False}
