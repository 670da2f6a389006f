"""The steps of optimizers: one op call for all parameters of a group.

What is computed once per step, such as bias corrections, comes as a number: the bodies only do what
is done for every element.
"""

from __future__ import annotations

from typing import Any

from gleed import primitives as p
from gleed.ops.creation import full_like
from gleed.ops.logic import where
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
    return _flat(new)


@op(namespace="", writes=("params", "square_avgs", "acc_deltas", "steps"))
def adadelta_step(
    params: Tensors,
    grads: Tensors,
    square_avgs: Tensors,
    acc_deltas: Tensors,
    steps: Tensors,
    lr: Number,
    rho: Number,
    share: Number,
    eps: Number,
    weight_decay: Number | None,
    *,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.Adadelta`, in place on all lists but `grads`; `share` is 1 − ρ."""
    new: tuple[list[Tensor], ...] = ([], [], [], [])
    for i, (param, grad) in enumerate(zip(params, grads, strict=True)):
        direction = _direction(param, grad, weight_decay, maximize)
        square = square_avgs[i] * rho + direction * direction * share
        change = (acc_deltas[i] + eps).sqrt() / (square + eps).sqrt() * direction
        accumulated = acc_deltas[i] * rho + change * change * share
        _collect(new, param - change * lr, square, accumulated, steps[i] + 1)
    return _flat(new)


@op(namespace="", writes=("params", "sums", "steps"))
def adagrad_step(
    params: Tensors,
    grads: Tensors,
    sums: Tensors,
    steps: Tensors,
    step_size: Number,
    eps: Number,
    weight_decay: Number | None,
    *,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.Adagrad`, in place on all lists but `grads`."""
    new: tuple[list[Tensor], ...] = ([], [], [])
    for i, (param, grad) in enumerate(zip(params, grads, strict=True)):
        direction = _direction(param, grad, weight_decay, maximize)
        total = sums[i] + direction * direction
        _collect(new, param - direction / (total.sqrt() + eps) * step_size, total, steps[i] + 1)
    return _flat(new)


@op(namespace="", writes=("params", "square_avgs", "momentum_buffers", "grad_avgs", "steps"))
def rmsprop_step(
    params: Tensors,
    grads: Tensors,
    square_avgs: Tensors,
    momentum_buffers: Tensors,
    grad_avgs: Tensors,
    steps: Tensors,
    lr: Number,
    alpha: Number,
    share: Number,
    eps: Number,
    momentum: Number,
    weight_decay: Number | None,
    *,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.RMSprop`, in place on all lists but `grads`.

    `momentum_buffers` is empty without momentum, `grad_avgs` if squares are not centred; `share`
    is 1 − α.
    """
    new: tuple[list[Tensor], ...] = ([], [], [], [], [])
    for i, (param, grad) in enumerate(zip(params, grads, strict=True)):
        direction = _direction(param, grad, weight_decay, maximize)
        square = square_avgs[i] * alpha + direction * direction * share
        spread = square
        if grad_avgs:
            mean = grad_avgs[i] + (direction - grad_avgs[i]) * share
            new[3].append(mean)
            spread = square - mean * mean
        change = direction / (spread.sqrt() + eps)
        if momentum_buffers:
            change = momentum_buffers[i] * momentum + change
            new[2].append(change)
        new[0].append(param - change * lr)
        new[1].append(square)
        new[4].append(steps[i] + 1)
    return _flat(new)


@op(namespace="", writes=("params", "exp_avgs", "exp_infs", "steps"))
def adamax_step(
    params: Tensors,
    grads: Tensors,
    exp_avgs: Tensors,
    exp_infs: Tensors,
    steps: Tensors,
    step_size: Number,
    share1: Number,
    beta2: Number,
    eps: Number,
    weight_decay: Number | None,
    *,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.Adamax`, in place on all lists but `grads`."""
    new: tuple[list[Tensor], ...] = ([], [], [], [])
    for i, (param, grad) in enumerate(zip(params, grads, strict=True)):
        direction = _direction(param, grad, weight_decay, maximize)
        exp_avg = exp_avgs[i] + (direction - exp_avgs[i]) * share1
        exp_inf = (exp_infs[i] * beta2).maximum(direction.abs() + eps)
        _collect(new, param - exp_avg / exp_inf * step_size, exp_avg, exp_inf, steps[i] + 1)
    return _flat(new)


@op(namespace="", writes=("params", "mu_products", "exp_avgs", "exp_avg_sqs", "steps"))
def nadam_step(
    params: Tensors,
    grads: Tensors,
    mu_products: Tensors,
    exp_avgs: Tensors,
    exp_avg_sqs: Tensors,
    steps: Tensors,
    lr: Number,
    mu: Number,
    next_mu: Number,
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
    """A step of `gleed.optim.NAdam`, in place on all lists but `grads`; numbers as in `adam_step`.

    `mu` and `next_mu` are the momenta of this step and the next.
    """
    new: tuple[list[Tensor], ...] = ([], [], [], [], [])
    for i, (param, grad) in enumerate(zip(params, grads, strict=True)):
        direction = _direction(param, grad, weight_decay, maximize)
        if decay is not None:
            param = param * decay
        product = mu_products[i] * mu
        exp_avg = exp_avgs[i] + (direction - exp_avgs[i]) * share1
        exp_avg_sq = exp_avg_sqs[i] * beta2 + direction * direction * share2
        wide = p.cast(product, dtype="f64")
        now = p.cast((1 - mu) / (1 - wide), dtype=param.dtype)
        ahead = p.cast(next_mu / (1 - wide * next_mu), dtype=param.dtype)
        change = (direction * now + exp_avg * ahead) / (exp_avg_sq.sqrt() * scale2 + eps)
        _collect(new, param - change * lr, product, exp_avg, exp_avg_sq, steps[i] + 1)
    return _flat(new)


@op(namespace="", writes=("params", "exp_avgs", "exp_avg_sqs", "steps"))
def radam_step(
    params: Tensors,
    grads: Tensors,
    exp_avgs: Tensors,
    exp_avg_sqs: Tensors,
    steps: Tensors,
    step_size: Number,
    rectification: Number | None,
    share1: Number,
    beta2: Number,
    share2: Number,
    eps: Number,
    weight_decay: Number | None,
    decay: Number | None,
    *,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.RAdam`, in place on all lists but `grads`; numbers as in `adam_step`.

    Without a `rectification` the step does not look at the variance.
    """
    new: tuple[list[Tensor], ...] = ([], [], [], [])
    for i, (param, grad) in enumerate(zip(params, grads, strict=True)):
        direction = _direction(param, grad, weight_decay, maximize)
        if decay is not None:
            param = param * decay
        exp_avg = exp_avgs[i] + (direction - exp_avgs[i]) * share1
        exp_avg_sq = exp_avg_sqs[i] * beta2 + direction * direction * share2
        change = exp_avg * step_size
        if rectification is not None:
            change = change * (rectification / (exp_avg_sq.sqrt() + eps))
        _collect(new, param - change, exp_avg, exp_avg_sq, steps[i] + 1)
    return _flat(new)


@op(namespace="", writes=("params", "etas", "mus", "axs", "steps"))
def asgd_step(
    params: Tensors,
    grads: Tensors,
    etas: Tensors,
    mus: Tensors,
    axs: Tensors,
    steps: Tensors,
    lambd: Number,
    next_eta: Number,
    next_mu: Number,
    weight_decay: Number | None,
    *,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.ASGD`, in place on all lists but `grads`."""
    new: tuple[list[Tensor], ...] = ([], [], [], [], [])
    for i, (param, grad) in enumerate(zip(params, grads, strict=True)):
        direction = _direction(param, grad, weight_decay, maximize)
        eta, mu = (p.cast(number[i], dtype=param.dtype) for number in (etas, mus))
        moved = param * (1 - eta * lambd) - direction * eta
        mean = axs[i] + (moved - axs[i]) * mu
        later = full_like(etas[i], next_eta), full_like(mus[i], next_mu)
        _collect(new, moved, *later, mean, steps[i] + 1)
    return _flat(new)


@op(namespace="", writes=("params", "prevs", "step_sizes", "steps"))
def rprop_step(
    params: Tensors,
    grads: Tensors,
    prevs: Tensors,
    step_sizes: Tensors,
    steps: Tensors,
    shrink: Number,
    grow: Number,
    least: Number,
    most: Number,
    *,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.Rprop`, in place on all lists but `grads`."""
    new: tuple[list[Tensor], ...] = ([], [], [], [])
    for i, (param, grad) in enumerate(zip(params, grads, strict=True)):
        direction = _direction(param, grad, None, maximize)
        agreement = (direction * prevs[i]).sign()
        size = where(agreement < 0, step_sizes[i] * shrink, step_sizes[i])
        size = where(agreement > 0, step_sizes[i] * grow, size).clamp(least, most)
        direction = where(agreement < 0, 0.0, direction)
        _collect(new, param - direction.sign() * size, direction, size, steps[i] + 1)
    return _flat(new)


def _collect(lists: tuple[list[Tensor], ...], *results: Tensor) -> None:
    for each, result in zip(lists, results, strict=True):
        each.append(result)


def _flat(lists: tuple[list[Tensor], ...]) -> list[Tensor]:
    return [result for results in lists for result in results]


def _direction(param: Tensor, grad: Tensor, weight_decay: Number | None, maximize: bool) -> Tensor:
    """Where to go, up to the sign: the gradient, with the pull towards 0."""
    direction = -grad if maximize else grad
    # Multiplying by a decay of 0 would turn an infinite parameter into NaN.
    return direction if weight_decay is None else direction + param * weight_decay
