"""ASGD: averaged stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import gleed
from gleed import Tensor
from gleed.ops import optimizer as steps
from gleed.optim.counted import CountedOptimizer
from gleed.optim.optimizer import check_option, refuse_differentiable

asgd_step = steps.asgd_step.public


class ASGD(CountedOptimizer):
    """Stochastic gradient descent that also keeps the mean of the parameters from step t0 on.

    η = lr / (1 + lambd · lr · t)^alpha,  p ← (1 − lambd · η) p − η g;
    `ax` in the state is the mean.

    Args:
        params: parameters or groups, see `Optimizer`.
        lr: the learning rate.
        lambd: how strongly parameters shrink.
        alpha: how quickly the rate falls.
        t0: the step from which on the mean is taken.
        weight_decay: the strength of the pull towards 0, through the gradient.
        maximize: climb instead of descending.
        foreach, capturable: accepted for PyTorch's signature; every step is one fused
            operation.

    Source: Polyak, Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992.

    >>> import gleed
    >>> weight = gleed.ones(2, requires_grad=True)
    >>> optimizer = gleed.optim.ASGD([weight], lr=0.5)
    >>> weight.sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.4999, 0.4999], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_option("ASGD", "lr, the learning rate,", lr, "to climb instead, pass maximize=True")
        check_option("ASGD", "weight_decay", weight_decay, "0 means none")
        refuse_differentiable("ASGD", differentiable)
        options = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, options)

    def _begin(self, group: dict[str, Any], parameter: Tensor) -> dict[str, Tensor]:
        eta = gleed.full((), group["lr"], dtype=gleed.get_default_dtype())
        mean = gleed.zeros_like(parameter).detach()
        return {"eta": eta, "mu": gleed.tensor(1.0), "ax": mean}

    def _names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("eta", "mu", "ax")

    def _advance(
        self,
        group: dict[str, Any],
        params: list[Tensor],
        grads: list[Tensor],
        kept: list[Tensor],
    ) -> None:
        asgd_step(
            params,
            grads,
            kept,
            group["lr"],
            group["lambd"],
            group["alpha"],
            group["t0"],
            group["weight_decay"] or None,
            maximize=group["maximize"],
        )
