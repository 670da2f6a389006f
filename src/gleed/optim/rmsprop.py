"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gleed import Tensor
from gleed.ops import optimizer as steps
from gleed.optim.counted import CountedOptimizer
from gleed.optim.optimizer import check_option, refuse_differentiable

rmsprop_step = steps.rmsprop_step.public


class RMSprop(CountedOptimizer):
    """Descent by the gradient divided by the root of a running mean of its square.

    v ← α v + (1 − α) g²,  d = g / (√v + eps),  b ← momentum · b + d,  p ← p − lr · b.

    Args:
        params: parameters or groups, see `Optimizer`.
        lr: the learning rate.
        alpha: how long squares of gradients are remembered.
        eps: keeps the divisor from being 0.
        weight_decay: the strength of the pull towards 0.
        momentum: how past steps count.
        centered: divide by the root of the variance instead, v minus the square of the mean.
        maximize: climb instead of descending.
        foreach, capturable: accepted for PyTorch's signature; every step is one fused
            operation.

    Source: Hinton, "Neural Networks for Machine Learning", lecture 6, 2012.

    >>> import gleed
    >>> weight = gleed.ones(2, requires_grad=True)
    >>> optimizer = gleed.optim.RMSprop([weight], lr=0.05)
    >>> weight.sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.5000, 0.5000], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_option(
            "RMSprop", "lr, the learning rate,", lr, "to climb instead, pass maximize=True"
        )
        check_option("RMSprop", "eps", eps, "1e-8 is usual")
        check_option("RMSprop", "momentum", momentum, "0.9 is usual, 0 means none")
        check_option("RMSprop", "weight_decay", weight_decay, "0 means none")
        check_option("RMSprop", "alpha", alpha, "0.99 is usual")
        refuse_differentiable("RMSprop", differentiable)
        options = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, options)

    def _names(self, group: dict[str, Any]) -> tuple[str, ...]:
        names: tuple[str, ...] = ("square_avg",)
        if group["momentum"]:
            names += ("momentum_buffer",)
        return (*names, "grad_avg") if group["centered"] else names

    def _advance(
        self,
        group: dict[str, Any],
        params: list[Tensor],
        grads: list[Tensor],
        kept: list[Tensor],
    ) -> None:
        rmsprop_step(
            params,
            grads,
            kept,
            group["lr"],
            group["alpha"],
            group["eps"],
            group["momentum"],
            group["weight_decay"] or None,
            centered=bool(group["centered"]),
            maximize=group["maximize"],
        )
