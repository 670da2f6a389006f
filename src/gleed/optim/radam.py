"""RAdam."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gleed import Tensor
from gleed.ops import optimizer as steps
from gleed.optim.counted import CountedOptimizer, check_betas
from gleed.optim.optimizer import check_option, refuse_differentiable

radam_step = steps.radam_step.public


class RAdam(CountedOptimizer):
    """Adam that trusts the variance no more than the number of steps allows.

    The step is Adam's times a rectification that grows from 0 to 1; as long as the variance of the
    variance cannot be told, the step is lr · m̂.

    Args:
        params: parameters or groups, see `Optimizer`.
        lr: the learning rate.
        betas: β₁ and β₂.
        eps: keeps the divisor from being 0.
        weight_decay: the strength of the pull towards 0.
        decoupled_weight_decay: multiply the parameters by 1 − lr · weight_decay, as AdamW does.
        maximize: climb instead of descending.
        foreach, capturable: accepted for PyTorch's signature; every step is one fused
            operation.

    Source: Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", 2019.

    >>> import gleed
    >>> weight = gleed.ones(2, requires_grad=True)
    >>> optimizer = gleed.optim.RAdam([weight], lr=0.5)
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
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_option("RAdam", "lr, the learning rate,", lr, "to climb instead, pass maximize=True")
        check_option("RAdam", "eps", eps, "1e-8 is usual")
        check_betas("RAdam", betas)
        check_option("RAdam", "weight_decay", weight_decay, "0 means none")
        refuse_differentiable("RAdam", differentiable)
        options = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, options)

    def _names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    def _advance(
        self,
        group: dict[str, Any],
        params: list[Tensor],
        grads: list[Tensor],
        kept: list[Tensor],
    ) -> None:
        beta1, beta2 = group["betas"]
        radam_step(
            params,
            grads,
            kept,
            group["lr"],
            beta1,
            beta2,
            group["eps"],
            group["weight_decay"] or None,
            decoupled=group["decoupled_weight_decay"],
            maximize=group["maximize"],
        )
