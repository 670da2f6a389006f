"""Connectionist temporal classification: one step of `nn.functional.ctc_loss`."""

from __future__ import annotations

from typing import Any

from gleed import primitives as p
from gleed.ops.logic import where
from gleed.ops.record import Number, Tensor, op

NOTHING = float("-inf")


def _shifted(x: Tensor, by: int, outside: float) -> Tensor:
    """x[:, place - by], or `outside` where there is no such place."""
    at = x.trace.iota(x.shape, 1) - by
    inside = (at >= 0) & (at < x.shape[1])
    found = p.gather(x, where(inside, at, 0), axes=(1,), mapping=(0,))
    return where(inside, found, outside)


@op(name="_ctc_step", namespace="", grad_name="ctc_loss")
def ctc_step(
    state: Tensor, emission: Tensor, skip: Tensor, lengths: Tensor, moment: Number
) -> Tensor:
    """The log-likelihood of being at each place after this moment: one stays, comes from the place
    before, or where `skip` allows it, from the one before that. Samples that have ended stay."""
    ways = [
        state,
        _shifted(state, 1, NOTHING),
        where(skip, _shifted(state, 2, NOTHING), NOTHING),
    ]
    top = ways[0].maximum(ways[1]).maximum(ways[2])
    top = where(top == NOTHING, 0, top)
    total = sum(p.exp(way - top) for way in ways)
    some = total > 0
    new = where(some, p.log(where(some, total, 1)) + top + emission, NOTHING)
    return where((lengths > moment).unsqueeze(1), new, state)


@ctc_step.vjp
def _(g: Any, y: Any, state: Any, emission: Any, skip: Any, lengths: Any, moment: Any) -> Any:
    going = (lengths > moment).unsqueeze(1)
    reached = going & (y > NOTHING)
    passed = where(reached, g, 0)
    before = where(reached, y - where(reached, emission, 0), -NOTHING)
    total = where(going, 0, g)
    for step in range(3):
        share = p.exp(state - _shifted(before, -step, -NOTHING)) * _shifted(passed, -step, 0)
        allowed = where(_shifted(skip, -2, False), share, 0) if step == 2 else share
        total = total + allowed
    return total, passed
