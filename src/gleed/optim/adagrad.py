"""Adagrad."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import gleed
from gleed import Tensor
from gleed.ops import optimizer as steps
from gleed.optim.counted import CountedOptimizer
from gleed.optim.optimizer import check_option, refuse_differentiable

adagrad_step = steps.adagrad_step.public


class Adagrad(CountedOptimizer):
    """Descent that slows down for each parameter as its gradients add up.

    v ← v + g²,  p ← p − lr / (1 + t · lr_decay) · g / (√v + eps) after t steps.

    Args:
        params: parameters or groups, see `Optimizer`.
        lr: the learning rate.
        lr_decay: how quickly the learning rate falls.
        weight_decay: the strength of the pull towards 0.
        initial_accumulator_value: v at first.
        eps: keeps the divisor from being 0.
        maximize: climb instead of descending.
        foreach, fused: accepted for PyTorch's signature; every step is one fused
            operation.

    Source: Duchi, Hazan, Singer, "Adaptive Subgradient Methods", 2011.

    >>> import gleed
    >>> weight = gleed.ones(2, requires_grad=True)
    >>> optimizer = gleed.optim.Adagrad([weight], lr=0.5)
    >>> weight.sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.5000, 0.5000], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_option(
            "Adagrad", "lr, the learning rate,", lr, "to climb instead, pass maximize=True"
        )
        check_option("Adagrad", "lr_decay", lr_decay, "0 means none")
        check_option("Adagrad", "weight_decay", weight_decay, "0 means none")
        check_option(
            "Adagrad", "initial_accumulator_value", initial_accumulator_value, "0 is usual"
        )
        check_option("Adagrad", "eps", eps, "1e-10 is usual")
        refuse_differentiable("Adagrad", differentiable)
        options = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, options)
        # As in PyTorch, what is kept is there before the first step.
        for group in self.param_groups:
            for parameter in group["params"]:
                self._start(group, parameter, self.state[parameter])

    def _begin(self, group: dict[str, Any], parameter: Tensor) -> dict[str, Tensor]:
        return {"sum": gleed.full_like(parameter.detach(), group["initial_accumulator_value"])}

    def _names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("sum",)

    def _advance(
        self,
        group: dict[str, Any],
        params: list[Tensor],
        grads: list[Tensor],
        kept: list[Tensor],
    ) -> None:
        adagrad_step(
            params,
            grads,
            kept,
            group["lr"],
            group["lr_decay"],
            group["eps"],
            group["weight_decay"] or None,
            maximize=group["maximize"],
        )
