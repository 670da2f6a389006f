"""The steps of optimizers: one op call for all parameters of a group.

What is computed once per step, such as bias corrections, comes as a number: the bodies only do what
is done for every element.
"""

from __future__ import annotations

from typing import Any

from gleed.ops.record import Number, Tensor, Tensors, op


@op(namespace="", writes=("params", "momentum_buffers"))
def sgd_step(
    params: Tensors,
    grads: Tensors,
    momentum_buffers: Tensors,
    lr: Number,
    momentum: Number,
    share: Number,
    weight_decay: Number | None,
    *,
    nesterov: bool,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.SGD`, in place on `params` and `momentum_buffers`.

    Lists of equal lengths; `momentum_buffers` is empty for a step without momentum. `share` is
    1 − dampening: how much of a new gradient enters the buffers.
    """
    new_params, new_buffers = [], []
    for i, (param, grad) in enumerate(zip(params, grads, strict=True)):
        direction = _direction(param, grad, weight_decay, maximize)
        if momentum_buffers:
            buffer = momentum_buffers[i] * momentum + direction * share
            new_buffers.append(buffer)
            direction = direction + buffer * momentum if nesterov else buffer
        new_params.append(param - direction * lr)
    return [*new_params, *new_buffers]


@op(namespace="", writes=("params", "exp_avgs", "exp_avg_sqs", "max_exp_avg_sqs", "steps"))
def adam_step(
    params: Tensors,
    grads: Tensors,
    exp_avgs: Tensors,
    exp_avg_sqs: Tensors,
    max_exp_avg_sqs: Tensors,
    steps: Tensors,
    step_size: Number,
    share1: Number,
    beta2: Number,
    share2: Number,
    scale2: Number,
    eps: Number,
    weight_decay: Number | None,
    decay: Number | None,
    *,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.Adam`, in place on all lists but `grads`.

    Lists of equal lengths; `max_exp_avg_sqs` is empty for a step without amsgrad. `share1` and
    `share2` are 1 − β₁ and 1 − β₂, `step_size` is lr / (1 − β₁ᵗ), `scale2` is 1 / √(1 − β₂ᵗ)
    and `decay` is 1 − lr · weight_decay, for a decay that does not go through the gradient.
    """
    new: tuple[list[Tensor], ...] = ([], [], [], [], [])
    for i, (param, grad) in enumerate(zip(params, grads, strict=True)):
        direction = _direction(param, grad, weight_decay, maximize)
        exp_avg = exp_avgs[i] + (direction - exp_avgs[i]) * share1
        exp_avg_sq = exp_avg_sqs[i] * beta2 + direction * direction * share2
        highest = exp_avg_sq
        if max_exp_avg_sqs:
            highest = exp_avg_sq.maximum(max_exp_avg_sqs[i])
            new[3].append(highest)
        if decay is not None:
            param = param * decay
        change = exp_avg / (highest.sqrt() * scale2 + eps)
        new[0].append(param - change * step_size)
        new[1].append(exp_avg)
        new[2].append(exp_avg_sq)
        new[4].append(steps[i] + 1)
    return [result for results in new for result in results]


def _direction(param: Tensor, grad: Tensor, weight_decay: Number | None, maximize: bool) -> Tensor:
    """Where to go, up to the sign: the gradient, with the pull towards 0."""
    direction = -grad if maximize else grad
    # Multiplying by a decay of 0 would turn an infinite parameter into NaN.
    return direction if weight_decay is None else direction + param * weight_decay
