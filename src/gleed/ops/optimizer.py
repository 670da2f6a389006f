"""The steps of optimizers: one op call for all parameters of a group.

`params` and `grads` are lists of equal lengths; `kept` holds what is kept for the first parameter,
then for the second, and so on. All but the gradients are overwritten.

What depends on how often a parameter has been trained follows from its own count, in float64. So
nothing is read in Python, and kernels compute it once, not for every element.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
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


@op(namespace="", writes=("params", "kept"))
def adam_step(
    params: Tensors,
    grads: Tensors,
    kept: Tensors,
    lr: Number,
    beta1: Number,
    beta2: Number,
    eps: Number,
    weight_decay: Number | None,
    *,
    decoupled: bool,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.Adam`, in place on `params` and `kept`.

    `kept` holds for one parameter after another the running mean, the one of squares, with amsgrad
    the highest of those, and the number of steps. `decoupled`: a decay does not go through the
    gradient.
    """
    new_params, new_kept = [], []
    for param, grad, (mean, square, *highest, count) in _each(params, grads, kept):
        param, direction = _decayed(param, grad, lr, weight_decay, decoupled, maximize)
        mean, square = _moments(mean, square, direction, beta1, beta2)
        highest, count = [square.maximum(past) for past in highest], count + 1
        step_size = _as(param, lr / _share(beta1, count))
        scale = _as(param, p.rsqrt(_share(beta2, count)))
        spread = (highest[0] if highest else square).sqrt() * scale + eps
        new_params.append(param - mean / spread * step_size)
        new_kept += [mean, square, *highest, count]
    return new_params + new_kept


@op(namespace="", writes=("params", "kept"))
def adadelta_step(
    params: Tensors,
    grads: Tensors,
    kept: Tensors,
    lr: Number,
    rho: Number,
    eps: Number,
    weight_decay: Number | None,
    *,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.Adadelta`; kept are the running means of squares, of gradients and of
    changes, and the number of steps."""
    share = 1 - rho
    new_params, new_kept = [], []
    for param, grad, (square, past, count) in _each(params, grads, kept):
        direction = _direction(param, grad, weight_decay, maximize)
        square = square * rho + direction * direction * share
        change = (past + eps).sqrt() / (square + eps).sqrt() * direction
        new_params.append(param - change * lr)
        new_kept += [square, past * rho + change * change * share, count + 1]
    return new_params + new_kept


@op(namespace="", writes=("params", "kept"))
def adagrad_step(
    params: Tensors,
    grads: Tensors,
    kept: Tensors,
    lr: Number,
    lr_decay: Number,
    eps: Number,
    weight_decay: Number | None,
    *,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.Adagrad`; kept are the sum of squares and the number of steps."""
    new_params, new_kept = [], []
    for param, grad, (total, count) in _each(params, grads, kept):
        direction = _direction(param, grad, weight_decay, maximize)
        total = total + direction * direction
        step_size = _as(param, lr / (1 + _wide(count) * lr_decay))
        new_params.append(param - direction / (total.sqrt() + eps) * step_size)
        new_kept += [total, count + 1]
    return new_params + new_kept


@op(namespace="", writes=("params", "kept"))
def rmsprop_step(
    params: Tensors,
    grads: Tensors,
    kept: Tensors,
    lr: Number,
    alpha: Number,
    eps: Number,
    momentum: Number,
    weight_decay: Number | None,
    *,
    centered: bool,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.RMSprop`; kept are the running mean of squares, the buffer with
    momentum, the running mean if `centered`, and the number of steps."""
    share = 1 - alpha
    new_params, new_kept = [], []
    for param, grad, (square, *others, count) in _each(params, grads, kept):
        direction = _direction(param, grad, weight_decay, maximize)
        square = square * alpha + direction * direction * share
        spread = square
        if centered:
            mean = others[-1] + (direction - others[-1]) * share
            others[-1] = mean
            spread = square - mean * mean
        change = direction / (spread.sqrt() + eps)
        if len(others) > centered:
            change = others[0] = others[0] * momentum + change
        new_params.append(param - change * lr)
        new_kept += [square, *others, count + 1]
    return new_params + new_kept


@op(namespace="", writes=("params", "kept"))
def adamax_step(
    params: Tensors,
    grads: Tensors,
    kept: Tensors,
    lr: Number,
    beta1: Number,
    beta2: Number,
    eps: Number,
    weight_decay: Number | None,
    *,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.Adamax`; kept are the running mean, the running maximum and the number
    of steps."""
    new_params, new_kept = [], []
    for param, grad, (mean, most, count) in _each(params, grads, kept):
        direction = _direction(param, grad, weight_decay, maximize)
        mean = mean + (direction - mean) * (1 - beta1)
        most = (most * beta2).maximum(direction.abs() + eps)
        count = count + 1
        step_size = _as(param, lr / _share(beta1, count))
        new_params.append(param - mean / most * step_size)
        new_kept += [mean, most, count]
    return new_params + new_kept


@op(namespace="", writes=("params", "kept"))
def nadam_step(
    params: Tensors,
    grads: Tensors,
    kept: Tensors,
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
    """A step of `gleed.optim.NAdam`; kept are the product of momenta so far, the running mean, the
    one of squares, and the number of steps. Options as in `adam_step`."""
    new_params, new_kept = [], []
    for param, grad, (product, mean, square, count) in _each(params, grads, kept):
        param, direction = _decayed(param, grad, lr, weight_decay, decoupled, maximize)
        mean, square = _moments(mean, square, direction, beta1, beta2)
        count = count + 1
        mu, next_mu = (
            beta1 * (1 - 0.5 * p.exp(_wide(n) * (momentum_decay * math.log(0.96))))
            for n in (count, count + 1)
        )
        product = product * _as(product, mu)
        now = _as(param, (1 - mu) / (1 - _wide(product)))
        ahead = _as(param, next_mu / (1 - _wide(product) * next_mu))
        scale = _as(param, p.rsqrt(_share(beta2, count)))
        change = (direction * now + mean * ahead) / (square.sqrt() * scale + eps)
        new_params.append(param - change * lr)
        new_kept += [product, mean, square, count]
    return new_params + new_kept


@op(namespace="", writes=("params", "kept"))
def radam_step(
    params: Tensors,
    grads: Tensors,
    kept: Tensors,
    lr: Number,
    beta1: Number,
    beta2: Number,
    eps: Number,
    weight_decay: Number | None,
    *,
    decoupled: bool,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.RAdam`; kept are the running mean, the one of squares, and the number
    of steps. Options as in `adam_step`."""
    new_params, new_kept = [], []
    for param, grad, (mean, square, count) in _each(params, grads, kept):
        param, direction = _decayed(param, grad, lr, weight_decay, decoupled, maximize)
        mean, square = _moments(mean, square, direction, beta1, beta2)
        count = count + 1
        change = mean * _as(param, lr / _share(beta1, count))
        known, rectification = _rectification(beta2, count)
        rectified = change * (_as(param, rectification) / (square.sqrt() + eps))
        new_params.append(param - where(known, rectified, change))
        new_kept += [mean, square, count]
    return new_params + new_kept


def _rectification(beta2: Number, count: Tensor) -> tuple[Tensor, Tensor]:
    """Whether the variance of the variance can be told after `count` steps; and how far the
    variance is to be trusted then, times the correction of its bias."""
    longest = 2 / (1 - _wide(beta2)) - 1
    share = _share(beta2, count)
    length = longest - 2 * _wide(count) * (1 - share) / share
    trust = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    return length > 5, (trust * share).sqrt()


@op(namespace="", writes=("params", "kept"))
def asgd_step(
    params: Tensors,
    grads: Tensors,
    kept: Tensors,
    lr: Number,
    lambd: Number,
    alpha: Number,
    t0: Number,
    weight_decay: Number | None,
    *,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.ASGD`; kept are the rate η, the share μ that a step has in the mean,
    the mean, and the number of steps."""
    new_params, new_kept = [], []
    for param, grad, (eta, mu, mean, count) in _each(params, grads, kept):
        direction = _direction(param, grad, weight_decay, maximize)
        rate = _as(param, eta)
        moved = param * (1 - rate * lambd) - direction * rate
        mean = mean + (moved - mean) * _as(param, mu)
        count = count + 1
        eta = lr * p.exp(p.log1p(lambd * lr * _wide(count)) * -alpha)
        mu = 1 / (_wide(count) - t0).clamp(min=1)
        new_params.append(moved)
        new_kept += [eta, mu, mean, count]
    return new_params + new_kept


@op(namespace="", writes=("params", "kept"))
def rprop_step(
    params: Tensors,
    grads: Tensors,
    kept: Tensors,
    shrink: Number,
    grow: Number,
    least: Number,
    most: Number,
    *,
    maximize: bool,
) -> Any:
    """A step of `gleed.optim.Rprop`; kept are the direction before, the sizes of steps, and the
    number of steps."""
    new_params, new_kept = [], []
    for param, grad, (before, size, count) in _each(params, grads, kept):
        direction = _direction(param, grad, None, maximize)
        agreement = (direction * before).sign()
        shrunk = where(agreement < 0, size * shrink, size)
        size = where(agreement > 0, size * grow, shrunk).clamp(least, most)
        direction = where(agreement < 0, 0.0, direction)
        new_params.append(param - direction.sign() * size)
        new_kept += [direction, size, count + 1]
    return new_params + new_kept


def _each(
    params: Tensors, grads: Tensors, kept: Tensors
) -> Iterator[tuple[Tensor, Tensor, Sequence[Tensor]]]:
    """Every parameter with its gradient and what is kept for it."""
    n = len(kept) // len(params)
    for i, (param, grad) in enumerate(zip(params, grads, strict=True)):
        yield param, grad, kept[i * n : (i + 1) * n]


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
    mean: Tensor, square: Tensor, direction: Tensor, beta1: Number, beta2: Number
) -> tuple[Tensor, Tensor]:
    """The running means of the direction and of its square."""
    mean = mean + (direction - mean) * (1 - beta1)
    return mean, square * beta2 + direction * direction * (1 - beta2)


def _share(beta: Number, count: Tensor) -> Tensor:
    """1 − βᵗ: the share of what has been seen in a running mean after t steps."""
    return -p.expm1(_wide(count) * p.log(_wide(beta)))


def _wide(number: Number) -> Tensor:
    return p.cast(number, dtype="f64")


def _as(param: Tensor, number: Tensor) -> Tensor:
    return p.cast(number, dtype=param.dtype)
