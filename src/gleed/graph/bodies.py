"""Functions that are part of an operation, declared as graphs of their own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gleed.errors import ArgumentError, GraphError
from gleed.graph.graphs import Graph
from gleed.graph.node import PLACEHOLDER, VARIABLE, Body, Node, Operation, Type, mapped
from gleed.graph.sizes import SizeNode
from gleed.graph.sizes import as_tensor as sizes_as_tensor


class BodyGraph(Graph):
    """The operations of a body of the operation called `name`, as long as it is declared.

    Nodes of the graphs around it may be used in it; they are noted as `captured`.
    """

    def __init__(self, outer: Graph, name: str) -> None:
        super().__init__()
        self.outer, self.name = outer, name
        self.collections, self.shared = outer.collections, outer.shared
        self.captured: dict[Node, None] = {}
        self.awaited: dict[Operation, None] = {}  # operations around it, to run before it
        self._scope = name + "/"

    def element(self, given: Any) -> Node | Operation:
        """As of any graph; what is of a graph around it is noted."""
        if isinstance(given, Node | Operation) and self._is_around(given):
            if isinstance(given, Node):
                self.captured[given] = None
            else:
                self.awaited[given] = None
            return given
        return super().element(given)

    def _is_around(self, given: Node | Operation) -> bool:
        owner = given.op.graph if isinstance(given, Node) else given.graph
        around = self.outer
        while around is not None and around is not owner:
            around = around.outer
        return around is not None

    @contextmanager
    def control_dependencies(self, before: Sequence[Any] | None) -> Iterator[None]:
        """Operations made in this block run after those given; what is of a graph around the body
        runs before the whole of it."""
        own = before
        if before is not None:
            found = [self.element(x.op if isinstance(x, Node) else x) for x in before]
            own = [op for op in found if op not in self.awaited]
        with super().control_dependencies(own):
            yield

    def add(self, type: str, *args: Any, parameter: bool = False, **kwargs: Any) -> Operation:
        """As of any graph. Raises GraphError for what a body cannot have."""
        title = kwargs.get("name") or type
        if self.finalized:
            raise GraphError(
                f"{title}: a node of a body is used inside of that body; one of {self.name!r} came "
                "after it had ended; let the function return it"
            )
        if kwargs.get("writes"):
            raise GraphError(
                f"{title}: a body must not write to variables; {self.name!r} does; return the new "
                "value, and assign it outside"
            )
        if type == PLACEHOLDER and not parameter:
            raise GraphError(
                f"{title}: placeholders are declared outside of bodies; one came in {self.name!r}; "
                "make it before, and use it in the body"
            )
        assert type != VARIABLE  # they are of the whole graph
        return super().add(type, *args, **kwargs)


def declare(
    outer: Graph,
    name: str,
    function: Callable[..., Any],
    types: Sequence[Type] = (),
    form: Any = (),
    *,
    likes: Sequence[Node] | None = None,
    single: bool = False,
) -> tuple[Body, Any]:
    """Run `function` once, on parameters of these types in the structure `form`, whose leaves are
    their numbers, and put down what it declares. Returns the body, and the structure of its
    results, with numbers for nodes.

    Numbers and data that it returns become constants, of the dtypes of `likes` where given.
    Raises ArgumentError for anything else.
    """
    graph = BodyGraph(outer, name)
    with graph.as_default():
        parameters = [
            graph.add(PLACEHOLDER, name=called, types=[t], parameter=True).outputs[0]
            for t, called in zip(types, _names(function, form), strict=True)
        ]
        returned = function(*mapped(form, parameters.__getitem__))
        results: list[Node] = []

        def number(leaf: Any) -> int:
            like = likes[len(results)] if likes and len(results) < len(likes) else None
            results.append(_result(graph, name, leaf, like))
            return len(results) - 1

        structure = mapped(returned, number)
    graph.finalize()
    captured, awaited = tuple(graph.captured), tuple(graph.awaited)
    return Body(graph, tuple(parameters), tuple(results), captured, awaited, single), structure


def _names(function: Callable[..., Any], form: Sequence[Any]) -> list[str]:
    """The names of the parameters that leaves of the arguments belong to."""
    try:
        names = [*inspect.signature(function).parameters]
    except (TypeError, ValueError):  # what is not written in Python may have none
        names = []
    names = names if len(names) == len(form) else ["input"] * len(form)
    found: list[str] = []
    for name, item in zip(names, form, strict=True):
        found += [name] * sum(1 for _ in _leaves(item))
    return found


def _leaves(form: Any) -> Iterator[Any]:
    if isinstance(form, tuple | list | dict):
        for item in form.values() if isinstance(form, dict) else form:
            yield from _leaves(item)
    else:
        yield form


def _result(graph: BodyGraph, name: str, leaf: Any, like: Node | None) -> Node:
    """What a body returns as a node."""
    if isinstance(leaf, SizeNode):
        found: Node = graph.call(sizes_as_tensor, leaf)
        return found
    if isinstance(leaf, Node):
        graph.element(leaf)
        return leaf
    if leaf is None or isinstance(leaf, Operation | str) or callable(leaf):
        raise ArgumentError(
            f"{name}: a function must return nodes, numbers or data, or tuples, lists and "
            f"dictionaries of these; got {_shown(leaf)}; return what is to be computed"
        )
    is_number = isinstance(leaf, bool | int | float) and like is not None
    return graph.constant(leaf, like.dtype if is_number and like is not None else None)


def _shown(leaf: Any) -> str:
    if isinstance(leaf, Operation):
        return f"operation {leaf.name!r}"
    return "None" if leaf is None else type(leaf).__name__
