"""Learning rates that depend on the number of steps made."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gleed.errors import ArgumentError
from gleed.graph.node import Node
from gleed.ops.record import OPS


def _turns(global_step: Node, decay_steps: Any, staircase: bool) -> Node:
    turns = global_step.float() / decay_steps
    return turns.floor() if staircase else turns


def exponential_decay(
    learning_rate: Any,
    global_step: Node,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str = "ExponentialDecay",
) -> Node:
    """learning_rate · decay_rate ^ (global_step / decay_steps), the exponent rounded down if
    `staircase`."""
    graph = global_step.graph
    with graph.name_scope(name) as scope:
        turns = _turns(global_step, decay_steps, staircase)
        return graph.call(OPS["mul"], decay_rate**turns, learning_rate, name=scope)


def natural_exp_decay(
    learning_rate: Any,
    global_step: Node,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str = "NaturalExpDecay",
) -> Node:
    """learning_rate · exp(−decay_rate · global_step / decay_steps), the fraction rounded down if
    `staircase`."""
    graph = global_step.graph
    with graph.name_scope(name) as scope:
        turns = _turns(global_step, decay_steps, staircase)
        return graph.call(OPS["mul"], (turns * -decay_rate).exp(), learning_rate, name=scope)


def inverse_time_decay(
    learning_rate: Any,
    global_step: Node,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str = "InverseTimeDecay",
) -> Node:
    """learning_rate / (1 + decay_rate · global_step / decay_steps), the fraction rounded down if
    `staircase`."""
    graph = global_step.graph
    with graph.name_scope(name) as scope:
        turns = _turns(global_step, decay_steps, staircase)
        return graph.call(OPS["div"], learning_rate, turns * decay_rate + 1, name=scope)


def cosine_decay(
    learning_rate: Any,
    global_step: Node,
    decay_steps: Any,
    alpha: float = 0.0,
    name: str = "CosineDecay",
) -> Node:
    """Down to alpha · learning_rate in `decay_steps`, along half a period of the cosine."""
    graph = global_step.graph
    with graph.name_scope(name) as scope:
        way = (global_step.float() / decay_steps).clamp(0, 1)
        share = ((way * math.pi).cos() + 1) * (0.5 * (1 - alpha)) + alpha
        return graph.call(OPS["mul"], share, learning_rate, name=scope)


def polynomial_decay(
    learning_rate: Any,
    global_step: Node,
    decay_steps: Any,
    end_learning_rate: Any = 0.0001,
    power: Any = 1.0,
    name: str = "PolynomialDecay",
) -> Node:
    """From `learning_rate` to `end_learning_rate` in `decay_steps`, along a power of the way."""
    graph = global_step.graph
    with graph.name_scope(name) as scope:
        left = 1 - (global_step.float() / decay_steps).clamp(0, 1)
        way = left**power * (learning_rate - end_learning_rate)
        return graph.call(OPS["add"], way, end_learning_rate, name=scope)


def piecewise_constant(
    x: Node, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant"
) -> Node:
    """values[0] up to boundaries[0], then values[1] up to boundaries[1], and so on. Raises
    ArgumentError unless there is one value more than boundaries."""
    if len(values) != len(boundaries) + 1:
        raise ArgumentError(
            f"piecewise_constant: there is one value more than boundaries; {len(values)} and "
            f"{len(boundaries)} came; add or drop some"
        )
    graph = x.graph
    with graph.name_scope(name) as scope:
        places = (x.float() > graph.constant([float(b) for b in boundaries])).sum()
        table = graph.constant([float(v) for v in values])
        return graph.call(OPS["take"], table, places, name=scope)
