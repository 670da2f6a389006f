"""The verifier of programs: captured ones pass, and every rule can be broken."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import pytest

import gleed
from gleed.compiler.graph import Graph, Node
from gleed.compiler.verify_graph import GraphError, verify_program

from .programs import Program


def test_captured_programs_are_sound() -> None:
    for seed in range(60):
        program = Program(seed, grad=seed % 2 == 1)
        compiled = gleed.compile(program)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled(*program.arguments(requires_grad=seed % 2 == 1))
        for entry in compiled._entries:
            verify_program(entry.captured.program)


def sound() -> Any:
    compiled = gleed.compile(lambda x: (x * 2).sum(0))
    compiled(gleed.ones(20, 3))
    return compiled._entries[0].captured.program


def test_every_rule_can_be_broken() -> None:
    program = sound()
    graph = program.graph
    stray = Node.leaf("input", 1, "f32", (2,)).outputs[0]
    for broken, rule in (
        (replace(program, graph=Graph([], graph.outputs)), "must be among those of the graph"),
        (replace(program, graph=Graph([*graph.inputs] * 2, graph.outputs)), "is given once"),
        (replace(program, written={0: 0}), "must have the dtype and rank of input 0"),
        (replace(program, written={0: 7}), "cannot overwrite input 7"),
        (replace(program, residuals=5), "5 outputs cannot be kept"),
        (replace(program, stored={stray: 1}), "what is stored must be in the graph"),
    ):
        with pytest.raises(GraphError, match=rule):
            verify_program(broken)
    node = graph.outputs[0].node
    node.serial, kept = -1, node.serial
    with pytest.raises(GraphError, match="reduce_sum must come after what it reads"):
        verify_program(program)
    node.serial = kept
    verify_program(program)
