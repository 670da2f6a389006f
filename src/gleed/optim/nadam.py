"""NAdam."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import gleed
from gleed import Tensor
from gleed.ops import optimizer as steps
from gleed.optim.counted import CountedOptimizer, check_betas
from gleed.optim.optimizer import check_option, refuse_differentiable

nadam_step = steps.nadam_step.public


class NAdam(CountedOptimizer):
    """Adam with Nesterov's momentum: the step looks ahead by the next momentum.

    With μₜ = β₁ (1 − 0.96^(t · momentum_decay) / 2):
    p ← p − lr · (μₜ₊₁ m / (1 − ∏μ up to t + 1) + (1 − μₜ) g / (1 − ∏μ up to t)) / (√v̂ + eps).

    Args:
        params: parameters or groups, see `Optimizer`.
        lr: the learning rate.
        betas: β₁ and β₂.
        eps: keeps the divisor from being 0.
        weight_decay: the strength of the pull towards 0.
        momentum_decay: how quickly the momentum rises.
        decoupled_weight_decay: multiply the parameters by 1 − lr · weight_decay, as AdamW does.
        maximize: climb instead of descending.
        foreach, capturable: accepted for PyTorch's signature; every step is one fused
            operation.

    Source: Dozat, "Incorporating Nesterov Momentum into Adam", 2016.

    >>> import gleed
    >>> weight = gleed.ones(2, requires_grad=True)
    >>> optimizer = gleed.optim.NAdam([weight], lr=0.5)
    >>> weight.sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.4718, 0.4718], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_option("NAdam", "lr, the learning rate,", lr, "to climb instead, pass maximize=True")
        check_option("NAdam", "eps", eps, "1e-8 is usual")
        check_betas("NAdam", betas)
        check_option("NAdam", "weight_decay", weight_decay, "0 means none")
        check_option("NAdam", "momentum_decay", momentum_decay, "4e-3 is usual")
        refuse_differentiable("NAdam", differentiable)
        options = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, options)

    def _begin(self, group: dict[str, Any], parameter: Tensor) -> dict[str, Tensor]:
        return {**super()._begin(group, parameter), "mu_product": gleed.tensor(1.0)}

    def _names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("mu_product", "exp_avg", "exp_avg_sq")

    def _advance(
        self,
        group: dict[str, Any],
        params: list[Tensor],
        grads: list[Tensor],
        kept: list[Tensor],
    ) -> None:
        beta1, beta2 = group["betas"]
        nadam_step(
            params,
            grads,
            kept,
            group["lr"],
            beta1,
            beta2,
            group["eps"],
            group["weight_decay"] or None,
            group["momentum_decay"],
            decoupled=group["decoupled_weight_decay"],
            maximize=group["maximize"],
        )
