"""What programs call beside the ops of gleed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gleed import autograd
from gleed._C import Tensor
from gleed.captured import control_flow
from gleed.ops.record import OPS

Tensors = tuple[Tensor, ...]
_ones_like = OPS["ones_like"].public


def identity(x: Tensor) -> Tensor:
    """The same elements, as a tensor of its own."""
    return x.view(x.shape)


def stop_gradient(x: Tensor) -> Tensor:
    """The same elements, through which no gradient flows."""
    return x.detach()


def watched(x: Tensor) -> Tensor:
    """A tensor with respect to which gradients can be asked for."""
    return x if x.requires_grad else x.detach().requires_grad_()


def gradients(
    ys: Sequence[Tensor],
    xs: Sequence[Tensor],
    grad_ys: Sequence[Tensor | None],
    retain: bool,
    create: bool,
) -> tuple[Tensor, ...]:
    """The gradients of the sum of `ys`, each weighted by its `grad_ys` (None: by ones).

    retain: the history is needed again. create: the gradients are differentiated in turn.
    """
    pairs = zip(ys, grad_ys, strict=True)
    # The engine begins with 1 itself where there are no dims.
    starts = [_ones_like(y) if weight is None and y.ndim else weight for y, weight in pairs]
    return autograd.grad(
        ys, xs, starts, retain_graph=retain, create_graph=create, materialize_grads=True
    )


def run_scan(
    step: Callable[..., Tensors], starts: Tensors, rows: Tensors, reverse: bool
) -> Tensors:
    """The last states of a scan, and what all its steps gave: `step` takes and returns both."""

    def combine(states: Tensors, row: Tensors) -> tuple[Tensors, Tensors]:
        found = step(*states, *row)
        return found[: len(starts)], found[len(starts) :]

    last, ys = control_flow.scan(combine, starts, rows, reverse=reverse)
    return (*last, *ys)


def run_map(f: Callable[..., Tensors], rows: Tensors) -> Tensors:
    """What `f` gives for all rows."""
    return control_flow.map(lambda row: f(*row), rows)
