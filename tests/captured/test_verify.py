"""The verifiers of programs and plans: captured ones pass, and every rule can be broken."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import pytest

import gleed
from gleed.compiler.graph import Graph, Node
from gleed.compiler.kernel import identity_kernel
from gleed.compiler.stored import Placement
from gleed.compiler.verify_graph import GraphError, verify_program
from gleed.compiler.verify_plan import PlanError, verify_plan

from .programs import Program


def test_captured_programs_are_sound() -> None:
    for seed in range(60):
        program = Program(seed, grad=seed % 2 == 1)
        compiled = gleed.compile(program)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled(*program.arguments(requires_grad=seed % 2 == 1))
        for entry in compiled._entries:
            program = verify_program(entry.captured.program)
            verify_plan(program, program.schedule())


def sound(function: Any = lambda x: x.sum(2).sum(0)) -> Any:
    compiled = gleed.compile(function)
    compiled(gleed.ones(20, 3, 2))
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
        (
            replace(program, placement=Placement({stray: 1})),
            "what is stored or computed inside must be in the graph",
        ),
    ):
        with pytest.raises(GraphError, match=rule):
            verify_program(broken)
    node = graph.outputs[0].node
    node.serial, kept = -1, node.serial
    with pytest.raises(GraphError, match="reduce_sum must come after what it reads"):
        verify_program(program)
    node.serial = kept
    verify_program(program)


def test_every_rule_of_plans_can_be_broken() -> None:
    sums, guided = sound(), sound(lambda x: (x * 2).sum((0, 2)))

    def broken(rule: str, change: Any, program: Any = sums) -> None:
        schedule = program.schedule()
        change(schedule)
        with pytest.raises(PlanError, match=rule):
            verify_plan(program, schedule)

    def of_kernel(part: int, made: Any) -> Any:
        def change(schedule: Any) -> None:
            (*_, i) = (i for i, s in enumerate(schedule.steps) if s[0] == "kernel")
            whole = schedule.steps[i]
            schedule.steps[i] = (*whole[:part], made(whole[part]), *whole[part + 1 :])

        return change

    def first(made: Any) -> Any:
        return of_kernel(4, lambda operands: (made(operands[0]), *operands[1:]))

    broken("value 1 is used before it is made", lambda s: s.steps.reverse())
    broken("outputs .* are never made", lambda s: s.steps.clear())
    broken("cell 0: add.* refers to later", lambda s: s.cells.table.insert(0, ("add", 0, 1)))
    broken("there is no such step", lambda s: s.steps.append(("jump", 0)))
    broken("a kernel gets its operands", of_kernel(4, lambda operands: operands[1:]))
    broken("a kernel gets its operands", of_kernel(5, lambda params: (*params, ("dim", 0))))
    broken("needs axes to reduce", of_kernel(3, lambda parallel: 2))
    broken("reduces nothing has axes", of_kernel(1, lambda kernel: identity_kernel("f32")))
    broken("cannot lie along", first(lambda o: (o[0], (5, 1))))
    broken("moves along reduced axes if", first(lambda o: (o[0], (0, -1))))
    broken("kind in is bound to index", first(lambda o: ("index", (0, 0), 0)))

    broken("value 2 is read before anything is written", first(lambda o: (2, (0, -1))))

    missing, there = ((("shape", 1, (5, 0, 1)),), (("shape", 0, (0, 1, 2)),))
    broken("cannot lie along", of_kernel(6, lambda guides: missing), guided)
    broken("value 0 has memory; it guides", of_kernel(6, lambda guides: there), guided)

    def late(schedule: Any) -> None:
        (before,) = (s for s in schedule.steps if s[0] == "library")
        schedule.steps.append(before[6][0][1])

    def elsewhere(schedule: Any) -> None:
        (*_, i) = (i for i, s in enumerate(schedule.steps) if s[0] == "library")
        whole = schedule.steps[i]
        schedule.steps[i] = (*whole[:6], ((1, whole[6][0][1]),))

    product = sound(lambda x: x[0].exp() @ x[1].t())
    broken("value .* is used before it is made", late, product)
    broken("what comes before a routine computes its operand 1", elsewhere, product)

    def other_dtype(schedule: Any) -> None:
        schedule.values[0] = ("f64", schedule.values[0][1])

    broken("is f64; the kernel takes it for f32", other_dtype)
    broken("a predicate is bool", lambda s: s.steps.append(("branch", 0, (), ())))
    unknown = ("loop", 0, ((9, 8, 0, 1),), ())
    broken("value 8 is used before it is made", lambda s: s.steps.append(unknown))
