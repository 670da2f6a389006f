"""Adam and AdamW."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

import gleed
from gleed import Tensor
from gleed.errors import RangeError
from gleed.ops import optimizer as steps
from gleed.optim.optimizer import (
    Optimizer,
    check_option,
    refuse_differentiable,
    with_gradients,
)

adam_step = steps.adam_step.public
# What is kept for a parameter, without and with amsgrad.
NAMES = ("step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")
KEPT = {False: itemgetter(*NAMES[:3]), True: itemgetter(*NAMES)}


class Adam(Optimizer):
    """Descent by a running mean of the gradient, divided by the root of one of its square.

    m ← β₁ m + (1 − β₁) g,  v ← β₂ v + (1 − β₂) g²,  p ← p − lr · m̂ / (√v̂ + eps), where m̂ and v̂
    are m and v divided by 1 − β₁ᵗ and 1 − β₂ᵗ after t steps.

    Args:
        params: parameters or groups, see `Optimizer`.
        lr: the learning rate.
        betas: β₁ and β₂.
        eps: keeps the divisor from being 0.
        weight_decay: the strength of the pull towards 0, added to the gradient.
        amsgrad: divide by the largest v̂ so far.
        maximize: climb instead of descending.
        decoupled_weight_decay: multiply the parameters by 1 − lr · weight_decay, as AdamW does.
        foreach, capturable, fused: accepted for PyTorch's signature; every step is one fused
            operation.

    Sources: Kingma, Ba, "Adam: A Method for Stochastic Optimization", 2014; Reddi, Kale, Kumar, "On
    the Convergence of Adam and Beyond", 2018 (amsgrad).

    >>> import gleed
    >>> weight = gleed.ones(2, requires_grad=True)
    >>> optimizer = gleed.optim.Adam([weight], lr=0.5)
    >>> weight.sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.5000, 0.5000], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        who = type(self).__name__
        check_option(who, "lr, the learning rate,", lr, "to climb instead, pass maximize=True")
        check_option(who, "eps", eps, "1e-8 is usual")
        check_option(who, "weight_decay", weight_decay, "0 means none")
        refuse_differentiable(who, differentiable)
        for i, beta in enumerate(betas):
            if not 0 <= beta < 1:
                raise RangeError(
                    f"{who}: betas are from 0 to below 1; got {beta} at index {i}; "
                    "(0.9, 0.999) is usual"
                )
        options = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, options)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        # Old checkpoints hold the number of steps as a plain number.
        for kept in self.state.values():
            if "step" in kept and not isinstance(kept["step"], Tensor):
                kept["step"] = gleed.tensor(float(kept["step"]))

    def _update(self, group: dict[str, Any]) -> None:
        params, grads = with_gradients(group)
        if not params:
            return
        states = [self.state[parameter] for parameter in params]
        if not all(states):
            for state, parameter in zip(states, params, strict=True):
                if not state:
                    _begin(state, parameter, group["amsgrad"])
        kept = list(zip(*map(KEPT[group["amsgrad"]], states), strict=True))
        counts = list(map(Tensor.item, kept[0]))
        if len(set(counts)) == 1:
            _step(group, params, grads, kept, counts[0])
            return
        # Parameters that missed some steps are at another count, with other bias corrections.
        for count in sorted(set(counts)):
            part = [i for i, c in enumerate(counts) if c == count]
            own_params, own_grads, *own_kept = (
                [values[i] for i in part] for values in (params, grads, *kept)
            )
            _step(group, own_params, own_grads, own_kept, count)


class AdamW(Adam):
    """Adam whose weight decay multiplies the parameters by 1 − lr · weight_decay.

    Arguments as for Adam.

    Source: Loshchilov, Hutter, "Decoupled Weight Decay Regularization", 2017.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )


def _begin(state: dict[str, Any], parameter: Tensor, amsgrad: bool) -> None:
    state["step"] = gleed.tensor(0.0)
    for name in NAMES[1:] if amsgrad else NAMES[1:3]:
        state[name] = gleed.zeros_like(parameter).detach()


def _step(
    group: dict[str, Any],
    params: list[Tensor],
    grads: list[Tensor],
    kept: Sequence[Sequence[Tensor]],
    count: float,
) -> None:
    """The step after `count` steps; `kept` are the lists of what `KEPT` names."""
    steps, exp_avgs, exp_avg_sqs, *rest = kept
    beta1, beta2 = group["betas"]
    lr, weight_decay = float(group["lr"]), group["weight_decay"]
    decoupled = group["decoupled_weight_decay"]
    adam_step(
        params,
        grads,
        exp_avgs,
        exp_avg_sqs,
        rest[0] if rest else (),
        steps,
        lr / (1 - beta1 ** (count + 1)),
        1 - beta1,
        beta2,
        1 - beta2,
        1 / math.sqrt(1 - beta2 ** (count + 1)),
        group["eps"],
        weight_decay if weight_decay and not decoupled else None,
        1 - lr * weight_decay if weight_decay and decoupled else None,
        maximize=group["maximize"],
    )
