"""The verifier of programs: order, dangling values, dtypes and ranks, what is written and stored.

A violation is a fault of whoever made the program, and the message holds its graph.
"""

from __future__ import annotations

from collections.abc import Iterator

from gleed.compiler.graph import Graph, Value, inner_graphs
from gleed.compiler.kernel import DTYPES
from gleed.compiler.planning import Program


class GraphError(Exception):
    """A program that breaks a rule of the graph IR."""


def verify_program(program: Program) -> Program:
    """Check every rule; returns the program, or raises `GraphError`."""
    problem = next(_problems(program), None)
    if problem is not None:
        raise GraphError(f"verify_program: {problem}; in\n{program.graph}")
    return program


def _problems(program: Program) -> Iterator[str]:
    graph = program.graph
    yield from _graph_problems(graph)
    for position, k in program.written.items():
        if not (0 <= position < len(graph.outputs) and 0 <= k < len(graph.inputs)):
            yield f"output {position} cannot overwrite input {k}: there is no such one"
        elif _kind(graph.outputs[position]) != _kind(graph.inputs[k]):
            yield f"output {position} must have the dtype and rank of input {k}"
    if not 0 <= program.residuals <= len(graph.outputs):
        yield f"{program.residuals} outputs cannot be kept for the backward"
    made = {value for node in graph.nodes for value in node.outputs}
    if program.placement and not made.issuperset(program.placement.calls):
        yield "what is stored or computed inside must be in the graph"


def _graph_problems(graph: Graph) -> Iterator[str]:
    given = {value.node for value in graph.inputs}
    leaves = [value for value in graph.inputs if value.node.op == "input"]
    if len(set(leaves)) < len(leaves):
        yield "an input is given once"
    for node in graph.nodes:
        if node.op == "input" and node not in given:
            yield "an input that is read must be among those of the graph"
        if any(value.node.serial >= node.serial for value in node.inputs):
            yield f"{node.op} must come after what it reads"
        if any(value.dtype not in DTYPES for value in node.outputs):
            yield f"{node.op} gives unknown dtypes"
        for inner, _ in (pair for pairs in inner_graphs(node).values() for pair in pairs):
            yield from _graph_problems(inner)


def _kind(value: Value) -> tuple[str, int]:
    return value.dtype, len(value.shape)
