"""Primitives that draw random numbers, in the order of the program: routines of the core.

Inputs, each there or not: a tensor whose stride order the result takes (`lent`), a run-time number
that is a generator (`given`; the default one without), a 0-d bool that says whether the call's
arguments are valid (`checked`; if it is false the program's `explain` is called), and what the
primitive needs besides (numbers are 0-d).

Each has a partner that draws from a state, its last input, and gives the state afterwards, its
first result, then the numbers: from equal states equal numbers, and no generator changes. By these
the gradient of a loop, which runs turns again, meets the numbers of the first time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gleed.compiler.graph import Node, Shape, Value
from gleed.primitives.core import Batch, Primitive, Types, require
from gleed.primitives.library import sort
from gleed.primitives.movement import compact, reshape
from gleed.primitives.pointwise import lt
from gleed.primitives.reduction import broadcast, reduce_all

STATE: tuple[str, Shape] = "i64", (628,)  # the type of the state of a generator
_FROM_STATE = 2  # in place of `given`


def _draw(name: str, dtype: str | None = None) -> Primitive:
    """A primitive that fills a shape; the dtype is an attribute unless it is always the same."""

    def types(*inputs: Value, shape: Shape, kind: str = "", **_: Any) -> Types:
        return [(dtype or kind, shape)]

    def types_again(*inputs: Value, **attrs: Any) -> Types:
        return [STATE, *types(*inputs, **attrs)]

    again = Primitive(
        *(f"{name}_again", "library", types_again, None, _no_gradient, _drawn_again),
        attributes={"routine": name, "needed": 2},
    )

    def redraw(node: Node, inputs: Sequence[Any], states: Any) -> Any:
        (source,) = _sources(node)
        needed = [x for x, v in zip(inputs, node.inputs, strict=True) if v is not source]
        attrs = node.attrs | {"given": _FROM_STATE}
        states[source], found = again(*needed, states[source], **attrs)
        return found

    return _drawing(name, types, _drawn, redraw)


def _drawing(name: str, types: Any, batch: Any, redraw: Any) -> Primitive:
    attributes = {"sources": _sources, "redraw": redraw}
    return Primitive(
        *(name, "library", types, None, _no_gradient, batch), pure=False, attributes=attributes
    )


def _sources(node: Node) -> tuple[Value | None]:
    """The generator: a run-time number, or None, the default one."""
    return (node.inputs[node.attrs["lent"]] if node.attrs["given"] else None,)


def _no_gradient(g: Any, y: Any, *inputs: Any, **_: Any) -> tuple[None, ...]:
    return (None,) * len(inputs)


def _drawn_again(primitive: Primitive, batch: Batch, *inputs: Any, **_: Any) -> Any:
    rule = "a while_loop that draws has no gradient for a batch, which would draw again"
    require(False, primitive.name, rule, [x.value for x in inputs])


def _drawn(
    primitive: Primitive,
    batch: Batch,
    *inputs: Any,
    given: bool,
    checked: bool,
    shape: Shape,
    lent: bool,
    **options: Any,
) -> Any:
    """One draw for all examples, or one that fills what all of them need."""

    def draw(primitive: Primitive, shape: Shape, *inputs: Any, **options: Any) -> Any:
        first = {"given": given, "checked": checked}  # what the routine is told, in this order
        trace = batch.trace
        return trace.emit(primitive, inputs, first | options | {"shape": shape, "lent": False})

    inputs, mapped = inputs[lent:], batch.mapped[lent:]
    fixed, operands = [*inputs[: given + checked]], inputs[given + checked :]
    needed = replace(batch, mapped=mapped[given + checked :])
    if checked and mapped[given]:
        fixed[given] = reduce_all(fixed[given], axes=(0,))
    values = [x.value for x in operands]
    if batch.randomness == "same":
        rule = "what is drawn by must be the same for all examples, too"
        require(not any(needed.mapped), primitive.name, rule, values)
        return batch.repeated(draw(primitive, shape, *fixed, *operands, **options))
    if primitive is random_permutation:
        keys = draw(random_uniform, (batch.size, *shape), *fixed, kind="f64")
        return sort(keys, axis=1, descending=False)[1]
    if primitive is random_choices:
        rows, count = shape
        (weights,) = needed.whole(operands)
        weights = reshape(weights, shape=(batch.size * rows, weights.shape[2]))
        found = draw(primitive, (batch.size * rows, count), *fixed, weights, **options)
        return reshape(found, shape=(batch.size, *shape))
    whole = (batch.size, *shape)
    if primitive is random_events and any(needed.mapped):
        level = draw(random_uniform, whole, *fixed, kind="f64")
        return lt(level, broadcast(operands[0], shape=whole, axes=(0,)))
    if primitive is random_uniform_where:
        operands = tuple(compact(x) for x in needed.whole(operands))
    else:
        rule = "its bounds must be the same for all examples"
        require(not any(needed.mapped), primitive.name, rule, values)
    return draw(primitive, whole, *fixed, *operands, **options)


# In [0, 1): f32 from the low 24 bits of a word of the generator, f64 from the low 53 of two.
random_uniform: Primitive = _draw("random_uniform")
# True with a probability (f64). `eager`: certain events draw nothing.
random_events: Primitive = _draw("random_events", "bool")
# From a least to a greatest number, both included, from `words` words (0: as the range needs).
random_integers = _draw("random_integers", "i64")
# 0 … n - 1 in random order.
random_permutation: Primitive = _draw("random_permutation", "i64")
# Normal numbers: in `blocks`, or one by one, the second of each pair being kept by the generator.
random_normal = _draw("random_normal", "f64")
# Places in the rows of a matrix of weights (f32, f64), each as likely as its weight.
random_choices: Primitive = _draw("random_choices", "i64")
# Uniform numbers where a row-major bool holds, zeros elsewhere.
random_uniform_where: Primitive = _draw("random_uniform_where", "f64")


def _state(node: Node, inputs: Sequence[Any], states: Any) -> Any:
    return states[_sources(node)[0]]


def _state_types(*inputs: Value, **_: Any) -> Types:
    return [STATE]


# The state of a generator, before what is drawn later.
random_state = _drawing("random_state", _state_types, _drawn_again, _state)
