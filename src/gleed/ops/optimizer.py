"""The steps of optimizers: one op call for all parameters of a group.

What depends on how often a parameter has been trained follows from its own count in `steps`, in
float64. So nothing is read in Python, and kernels compute it once, not for every element.
"""

from __future__ import annotations

import math
from typing import Any

from gleed import primitives as p
from gleed.ops.logic import where
from gleed.ops.record import Number, Tensor, Tensors, op


@op(namespace="", writes=("params", "momentum_buffers"))
def sgd_step(
    params: Tensors,
    grads: Tensors,
    momentum_buffers: Tensors,
    lr: Number,
    momentum: Number,
    dampening: Number,
    weight_decay: Number | None,
    *,
    nesterov: bool,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.SGD`, in place on `params` and `momentum_buffers`.

    Lists of equal lengths; `momentum_buffers` is empty for a step without momentum.
    """
    share = 1 - dampening
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
    lr: Number,
    beta1: Number,
    beta2: Number,
    eps: Number,
    weight_decay: Number | None,
    *,
    decoupled: bool,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.Adam`, in place on all lists but `grads`.

    Lists of equal lengths; `max_exp_avg_sqs` is empty for a step without amsgrad. `decoupled`: a
    decay does not go through the gradient.
    """
    new: tuple[list[Tensor], ...] = ([], [], [], [], [])
    for i, (param, grad) in enumerate(zip(params, grads, strict=True)):
        param, direction = _decayed(param, grad, lr, weight_decay, decoupled, maximize)
        exp_avg, exp_avg_sq = _moments(exp_avgs[i], exp_avg_sqs[i], direction, beta1, beta2)
        highest = exp_avg_sq
        if max_exp_avg_sqs:
            highest = exp_avg_sq.maximum(max_exp_avg_sqs[i])
            new[3].append(highest)
        count = steps[i] + 1
        step_size = _as(param, lr / _share(beta1, count))
        scale = _as(param, p.rsqrt(_share(beta2, count)))
        new[0].append(param - exp_avg / (highest.sqrt() * scale + eps) * step_size)
        new[1].append(exp_avg)
        new[2].append(exp_avg_sq)
        new[4].append(count)
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
    eps: Number,
    weight_decay: Number | None,
    *,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.Adadelta`, in place on all lists but `grads`."""
    share = 1 - rho
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
    lr: Number,
    lr_decay: Number,
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
        step_size = _as(param, lr / (1 + _wide(steps[i]) * lr_decay))
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
    eps: Number,
    momentum: Number,
    weight_decay: Number | None,
    *,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.RMSprop`, in place on all lists but `grads`.

    `momentum_buffers` is empty without momentum, `grad_avgs` if squares are not centred.
    """
    share = 1 - alpha
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
    lr: Number,
    beta1: Number,
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
        exp_avg = exp_avgs[i] + (direction - exp_avgs[i]) * (1 - beta1)
        exp_inf = (exp_infs[i] * beta2).maximum(direction.abs() + eps)
        count = steps[i] + 1
        step_size = _as(param, lr / _share(beta1, count))
        _collect(new, param - exp_avg / exp_inf * step_size, exp_avg, exp_inf, count)
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
    beta1: Number,
    beta2: Number,
    eps: Number,
    weight_decay: Number | None,
    momentum_decay: Number,
    *,
    decoupled: bool,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.NAdam`, in place on all but `grads`; options as in `adam_step`."""
    new: tuple[list[Tensor], ...] = ([], [], [], [], [])
    for i, (param, grad) in enumerate(zip(params, grads, strict=True)):
        param, direction = _decayed(param, grad, lr, weight_decay, decoupled, maximize)
        exp_avg, exp_avg_sq = _moments(exp_avgs[i], exp_avg_sqs[i], direction, beta1, beta2)
        count = steps[i] + 1
        mu, next_mu = (
            beta1 * (1 - 0.5 * p.exp(_wide(n) * (momentum_decay * math.log(0.96))))
            for n in (count, count + 1)
        )
        product = mu_products[i] * _as(mu_products[i], mu)
        now = _as(param, (1 - mu) / (1 - _wide(product)))
        ahead = _as(param, next_mu / (1 - _wide(product) * next_mu))
        scale = _as(param, p.rsqrt(_share(beta2, count)))
        change = (direction * now + exp_avg * ahead) / (exp_avg_sq.sqrt() * scale + eps)
        _collect(new, param - change * lr, product, exp_avg, exp_avg_sq, count)
    return _flat(new)


@op(namespace="", writes=("params", "exp_avgs", "exp_avg_sqs", "steps"))
def radam_step(
    params: Tensors,
    grads: Tensors,
    exp_avgs: Tensors,
    exp_avg_sqs: Tensors,
    steps: Tensors,
    lr: Number,
    beta1: Number,
    beta2: Number,
    eps: Number,
    weight_decay: Number | None,
    *,
    decoupled: bool,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.RAdam`, in place on all but `grads`; options as in `adam_step`."""
    new: tuple[list[Tensor], ...] = ([], [], [], [])
    for i, (param, grad) in enumerate(zip(params, grads, strict=True)):
        param, direction = _decayed(param, grad, lr, weight_decay, decoupled, maximize)
        exp_avg, exp_avg_sq = _moments(exp_avgs[i], exp_avg_sqs[i], direction, beta1, beta2)
        count = steps[i] + 1
        change = exp_avg * _as(param, lr / _share(beta1, count))
        known, rectification = _rectification(beta2, count)
        rectified = change * (_as(param, rectification) / (exp_avg_sq.sqrt() + eps))
        new_param = param - where(known, rectified, change)
        _collect(new, new_param, exp_avg, exp_avg_sq, count)
    return _flat(new)


def _rectification(beta2: Number, count: Tensor) -> tuple[Tensor, Tensor]:
    """Whether the variance of the variance can be told after `count` steps; and how far the
    variance is to be trusted then, times the correction of its bias."""
    longest = 2 / (1 - _wide(beta2)) - 1
    share = _share(beta2, count)
    length = longest - 2 * _wide(count) * (1 - share) / share
    trust = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    return length > 5, (trust * share).sqrt()


@op(namespace="", writes=("params", "etas", "mus", "axs", "steps"))
def asgd_step(
    params: Tensors,
    grads: Tensors,
    etas: Tensors,
    mus: Tensors,
    axs: Tensors,
    steps: Tensors,
    lr: Number,
    lambd: Number,
    alpha: Number,
    t0: Number,
    weight_decay: Number | None,
    *,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.ASGD`, in place on all lists but `grads`."""
    new: tuple[list[Tensor], ...] = ([], [], [], [], [])
    for i, (param, grad) in enumerate(zip(params, grads, strict=True)):
        direction = _direction(param, grad, weight_decay, maximize)
        eta = _as(param, etas[i])
        moved = param * (1 - eta * lambd) - direction * eta
        mean = axs[i] + (moved - axs[i]) * _as(param, mus[i])
        count = steps[i] + 1
        next_eta = lr * p.exp(p.log1p(lambd * lr * _wide(count)) * -alpha)
        next_mu = 1 / (_wide(count) - t0).clamp(min=1)
        _collect(new, moved, next_eta, next_mu, mean, count)
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


def _decayed(
    param: Tensor,
    grad: Tensor,
    lr: Number,
    weight_decay: Number | None,
    decoupled: bool,
    maximize: bool,
) -> tuple[Tensor, Tensor]:
    """A parameter, and where to go; a decay is in one or the other."""
    if weight_decay is None or not decoupled:
        return param, _direction(param, grad, weight_decay, maximize)
    return param * (1 - lr * weight_decay), _direction(param, grad, None, maximize)


def _direction(param: Tensor, grad: Tensor, weight_decay: Number | None, maximize: bool) -> Tensor:
    """Where to go, up to the sign: the gradient, with the pull towards 0."""
    direction = -grad if maximize else grad
    # Multiplying by a decay of 0 would turn an infinite parameter into NaN.
    return direction if weight_decay is None else direction + param * weight_decay


def _moments(
    exp_avg: Tensor, exp_avg_sq: Tensor, direction: Tensor, beta1: Number, beta2: Number
) -> tuple[Tensor, Tensor]:
    """The running means of the direction and of its square."""
    exp_avg = exp_avg + (direction - exp_avg) * (1 - beta1)
    return exp_avg, exp_avg_sq * beta2 + direction * direction * (1 - beta2)


def _share(beta: Number, count: Tensor) -> Tensor:
    """1 − βᵗ: the share of what has been seen in a running mean after t steps."""
    return -p.expm1(_wide(count) * p.log(_wide(beta)))


def _wide(number: Number) -> Tensor:
    return p.cast(number, dtype="f64")


def _as(param: Tensor, number: Tensor) -> Tensor:
    return p.cast(number, dtype=param.dtype)


def _collect(lists: tuple[list[Tensor], ...], *results: Tensor) -> None:
    for each, result in zip(lists, results, strict=True):
        each.append(result)


def _flat(lists: tuple[list[Tensor], ...]) -> list[Tensor]:
    return [result for results in lists for result in results]
