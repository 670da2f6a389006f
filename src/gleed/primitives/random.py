"""Primitives that draw random numbers, in the order of the program: routines of the core.

Inputs, each there or not: a tensor whose stride order the result takes (`lent`), a run-time number
that is a generator (`given`; the default one without), a 0-d bool that says whether the call's
arguments are valid (`checked`; if it is false the program's `explain` is called), and what the
primitive needs besides (numbers are 0-d).
"""

from __future__ import annotations

from typing import Any

from gleed.compiler.graph import Shape, Value
from gleed.primitives.core import Primitive, Types


def _draw(name: str, dtype: str | None = None) -> Primitive:
    """A primitive that fills a shape; the dtype is an attribute unless it is always the same."""

    def types(*inputs: Value, shape: Shape, kind: str = "", **_: Any) -> Types:
        return [(dtype or kind, shape)]

    def no_gradient(g: Any, y: Any, *inputs: Any, **_: Any) -> tuple[None, ...]:
        return (None,) * len(inputs)

    return Primitive(name, "library", types, None, no_gradient, pure=False)


# In [0, 1): f32 from the low 24 bits of a word of the generator, f64 from the low 53 of two.
random_uniform = _draw("random_uniform")
# True with a probability (f64). `eager`: certain events draw nothing.
random_events = _draw("random_events", "bool")
# From a least to a greatest number, both included, from `words` words (0: as the range needs).
random_integers = _draw("random_integers", "i64")
# 0 … n - 1 in random order.
random_permutation = _draw("random_permutation", "i64")
# Normal numbers: in `blocks`, or one by one, the second of each pair being kept by the generator.
random_normal = _draw("random_normal", "f64")
# Places in the rows of a matrix of weights (f32, f64), each as likely as its weight.
random_choices = _draw("random_choices", "i64")
# Uniform numbers where a row-major bool holds, zeros elsewhere.
random_uniform_where = _draw("random_uniform_where", "f64")
