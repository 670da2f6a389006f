"""Moving averages of variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gleed._C import float32
from gleed.errors import ArgumentError
from gleed.graph.defaults import current_graph
from gleed.graph.graphs import GLOBAL_VARIABLES
from gleed.graph.node import Node, Operation
from gleed.graph.variables import Variable, global_variables, trainable_variables
from gleed.ops.record import OPS

MOVING_AVERAGE_VARIABLES = "moving_average_variables"


class ExponentialMovingAverage:
    """Averages in which a value counts `decay` times as much with every step that has passed.

    An average of a variable begins with its first value, that of another node with zero. With
    `num_updates`, the number of steps made, the decay is at most (1 + n) / (10 + n), so that
    averages follow quickly at first.

    >>> from gleed.graph import Graph, Session, Variable, global_variables_initializer
    >>> with Graph().as_default(), Session() as session:
    ...     x = Variable(1.0)
    ...     ema = ExponentialMovingAverage(0.75)
    ...     step = x.assign(5.0)
    ...     with x.graph.control_dependencies([step]):
    ...         average = ema.apply([x])
    ...     session.run(global_variables_initializer())
    ...     session.run(average)
    ...     print(session.run(ema.average(x)))
    2.0
    """

    def __init__(
        self,
        decay: Any,
        num_updates: Any = None,
        zero_debias: bool = False,
        name: str = "ExponentialMovingAverage",
    ) -> None:
        if zero_debias:
            raise ArgumentError(
                "ExponentialMovingAverage: averages of variables begin with their values; "
                "zero_debias=True came; leave it out"
            )
        self._decay, self._num_updates, self.name = decay, num_updates, name
        self._averages: dict[Node, Variable] = {}

    def apply(self, var_list: Sequence[Node] | None = None) -> Operation:
        """The operation that moves the averages of nodes, by default of all trainable variables,
        by one step; the averages are made if they are missing."""
        nodes = trainable_variables() if var_list is None else list(var_list)
        for node in nodes:
            if node not in self._averages:
                self._averages[node] = self._made(node)
        graph = current_graph()
        with graph.name_scope(self.name) as scope:
            share = 1 - self._bounded_decay()
            # A variable is read here, after what is waited for; a node is what it is.
            moves = [
                self._averages[x].assign_sub((self._averages[x] - _read(x)) * share) for x in nodes
            ]
            return graph.group(*moves, name=scope)

    def _made(self, node: Node) -> Variable:
        graph = node.graph
        with graph.name_scope(None):
            average = Variable(
                node.initialized_value()
                if isinstance(node, Variable)
                else lambda: graph.constant(0, node.dtype, node.shape),
                trainable=False,
                collections=[GLOBAL_VARIABLES],
                name=f"{node.op.name}/{self.name}",
            )
        graph.add_to_collection(MOVING_AVERAGE_VARIABLES, node)
        return average

    def _bounded_decay(self) -> Any:
        if self._num_updates is None:
            return self._decay
        graph, n = current_graph(), self._num_updates
        count = graph.call(OPS["_to"], n if isinstance(n, Node) else graph.constant(n), float32)
        return ((count + 1) / (count + 10)).clamp_max(self._decay)

    def average(self, var: Node) -> Variable | None:
        """The average of a node; None if it was not asked for."""
        return self._averages.get(var)

    def average_name(self, var: Node) -> str:
        """The name of the average of a node."""
        return f"{var.op.name}/{self.name}"

    def variables_to_restore(
        self, moving_avg_variables: Sequence[Variable] | None = None
    ) -> dict[str, Variable]:
        """A `var_list` for a `Saver` that gives variables the values of their averages, and to
        those that have none their own."""
        averaged = trainable_variables() if moving_avg_variables is None else moving_avg_variables
        averaged = [*averaged, *current_graph().get_collection(MOVING_AVERAGE_VARIABLES)]
        names = {self.average_name(v): v for v in averaged}
        kept = {a.op.name for a in self._averages.values()}
        others = (v for v in global_variables() if v not in names.values())
        return names | {v.op.name: v for v in others if v.op.name not in kept}


def _read(node: Node) -> Node:
    return node.read_value() if isinstance(node, Variable) else node
