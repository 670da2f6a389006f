"""Adadelta."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gleed import Tensor
from gleed.ops import optimizer as steps
from gleed.optim.counted import CountedOptimizer, check_share
from gleed.optim.optimizer import check_option, refuse_differentiable

adadelta_step = steps.adadelta_step.public


class Adadelta(CountedOptimizer):
    """Descent whose steps are as large as recent ones, in proportion to the gradient.

    v ← ρ v + (1 − ρ) g²,  d = √(u + eps) / √(v + eps) · g,  u ← ρ u + (1 − ρ) d²,  p ← p − lr · d.

    Args:
        params: parameters or groups, see `Optimizer`.
        lr: the learning rate.
        rho: how long squares of gradients and of steps are remembered, from 0 to 1.
        eps: keeps the divisor from being 0, and starts the first step.
        weight_decay: the strength of the pull towards 0.
        maximize: climb instead of descending.
        foreach, capturable: accepted for PyTorch's signature; every step is one fused
            operation.

    Source: Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012.

    >>> import gleed
    >>> weight = gleed.ones(2, requires_grad=True)
    >>> optimizer = gleed.optim.Adadelta([weight], lr=1.0)
    >>> weight.sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.9968, 0.9968], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_option(
            "Adadelta", "lr, the learning rate,", lr, "to climb instead, pass maximize=True"
        )
        check_share("Adadelta", "rho", rho, 0.9)
        check_option("Adadelta", "eps", eps, "1e-6 is usual")
        check_option("Adadelta", "weight_decay", weight_decay, "0 means none")
        refuse_differentiable("Adadelta", differentiable)
        options = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, options)

    def _names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("square_avg", "acc_delta")

    def _advance(
        self,
        group: dict[str, Any],
        params: list[Tensor],
        grads: list[Tensor],
        kept: list[Tensor],
    ) -> None:
        adadelta_step(
            params,
            grads,
            kept,
            group["lr"],
            group["rho"],
            group["eps"],
            group["weight_decay"] or None,
            maximize=group["maximize"],
        )
