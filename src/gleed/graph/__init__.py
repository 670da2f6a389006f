"""Define and run: a graph is declared first, and fed and run later, as TensorFlow 1 had it.

>>> from gleed import graph
>>> with graph.Graph().as_default(), graph.Session() as session:
...     x = graph.placeholder("float32", [None], name="x")
...     w = graph.Variable(2.0, name="w")
...     y = (x * w).sum()
...     session.run(graph.global_variables_initializer())
...     print(*session.run([y, graph.gradients(y, w)[0]], {x: [1, 2, 3]}))
12.0 6.0

Every op of gleed is a method of nodes and a function of this module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gleed.graph import initializers, train
from gleed.graph.control import cond, map_fn, scan, while_loop
from gleed.graph.data import advice
from gleed.graph.defaults import (
    current_graph,
    graph_of,
    reset_default_graph,
    set_random_seed,
)
from gleed.graph.draw import draw
from gleed.graph.gradients import gradients, stop_gradient
from gleed.graph.gradients import identity_of as identity
from gleed.graph.graphs import GLOBAL_VARIABLES, TRAINABLE_VARIABLES, Graph
from gleed.graph.initializers import *  # noqa: F403
from gleed.graph.node import Composite, Node, Operation
from gleed.graph.placeholders import placeholder, placeholder_with_default
from gleed.graph.random import random_normal, random_shuffle, random_uniform, truncated_normal
from gleed.graph.session import InteractiveSession, Session, get_default_session
from gleed.graph.shape import Shape
from gleed.graph.show import show
from gleed.graph.sizes import shape_of
from gleed.graph.variables import (
    AUTO_REUSE,
    Variable,
    get_variable,
    get_variable_scope,
    global_variables,
    global_variables_initializer,
    local_variables,
    local_variables_initializer,
    trainable_variables,
    variable_scope,
    variables_initializer,
)
from gleed.ops import ALIASES
from gleed.ops.record import OPS

__all__ = [
    "AUTO_REUSE",
    "Composite",
    "GLOBAL_VARIABLES",
    "Graph",
    "InteractiveSession",
    "Node",
    "Operation",
    "Session",
    "Shape",
    "TRAINABLE_VARIABLES",
    "Variable",
    "call",
    "cond",
    "constant",
    "control_dependencies",
    "current_graph",
    "draw",
    "get_default_session",
    "get_variable",
    "get_variable_scope",
    "global_variables",
    "global_variables_initializer",
    "gradients",
    "group",
    "identity",
    "local_variables",
    "local_variables_initializer",
    "map_fn",
    "name_scope",
    "no_op",
    "placeholder",
    "placeholder_with_default",
    "random_normal",
    "random_shuffle",
    "random_uniform",
    "reset_default_graph",
    "scan",
    "set_random_seed",
    "shape_of",
    "show",
    "stop_gradient",
    "train",
    "trainable_variables",
    "truncated_normal",
    "variable_scope",
    "variables_initializer",
    "while_loop",
    *initializers.__all__,
]


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Node:
    """A node that is always `value`."""
    return current_graph().constant(value, dtype, shape, name)


def name_scope(name: str | None) -> Any:
    """Names made in this block begin with "name/"."""
    return current_graph().name_scope(name)


def control_dependencies(before: Any) -> Any:
    """Operations made in this block run after those given."""
    return current_graph().control_dependencies(before)


def group(*given: Any, name: str | None = None) -> Operation:
    """An operation that has run when all those given have."""
    return current_graph().group(*given, name=name)


def no_op(name: str | None = None) -> Operation:
    """An operation that does nothing."""
    return current_graph().group(name=name or "NoOp")


def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The node that `function(*args, **kwargs)` will be; `function` computes on tensors."""
    return graph_of(args, kwargs).call(function, *args, **kwargs)


def __getattr__(name: str) -> Any:
    record = OPS.get(ALIASES.get(name, name))
    if record is None or name.startswith("_"):
        raise AttributeError(
            f"module 'gleed.graph' has no attribute {name!r}; {advice(name, [*globals(), *OPS])}"
        )

    def function(*args: Any, **kwargs: Any) -> Any:
        return call(record, *args, **kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = record.__doc__
    return function
