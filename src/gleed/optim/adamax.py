"""Adamax."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gleed import Tensor
from gleed.ops import optimizer as steps
from gleed.optim.counted import CountedOptimizer, check_betas
from gleed.optim.optimizer import check_option, refuse_differentiable

adamax_step = steps.adamax_step.public


class Adamax(CountedOptimizer):
    """Adam with the largest recent gradient in place of the root of the mean square.

    m ← β₁ m + (1 − β₁) g,  u ← max(β₂ u, |g| + eps),  p ← p − lr / (1 − β₁ᵗ) · m / u after t steps.

    Args:
        params: parameters or groups, see `Optimizer`.
        lr: the learning rate.
        betas: β₁ and β₂.
        eps: keeps the divisor from being 0.
        weight_decay: the strength of the pull towards 0.
        maximize: climb instead of descending.
        foreach, capturable: accepted for PyTorch's signature; every step is one fused
            operation.

    Source: Kingma, Ba, "Adam: A Method for Stochastic Optimization", 2014, section 7.

    >>> import gleed
    >>> weight = gleed.ones(2, requires_grad=True)
    >>> optimizer = gleed.optim.Adamax([weight], lr=0.5)
    >>> weight.sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.5000, 0.5000], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_option("Adamax", "lr, the learning rate,", lr, "to climb instead, pass maximize=True")
        check_option("Adamax", "eps", eps, "1e-8 is usual")
        check_betas("Adamax", betas)
        check_option("Adamax", "weight_decay", weight_decay, "0 means none")
        refuse_differentiable("Adamax", differentiable)
        options = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, options)

    def _names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_inf")

    def _advance(
        self,
        group: dict[str, Any],
        params: list[Tensor],
        grads: list[Tensor],
        kept: list[Tensor],
    ) -> None:
        beta1, beta2 = group["betas"]
        adamax_step(
            params,
            grads,
            kept,
            group["lr"],
            beta1,
            beta2,
            group["eps"],
            group["weight_decay"] or None,
            maximize=group["maximize"],
        )
