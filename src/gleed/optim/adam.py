"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gleed import Tensor
from gleed.ops import optimizer as steps
from gleed.optim.counted import CountedOptimizer, check_betas
from gleed.optim.optimizer import check_option, refuse_differentiable

adam_step = steps.adam_step.public
NAMES = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")  # the last with amsgrad only


class Adam(CountedOptimizer):
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
        check_betas(who, betas)
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

    def _names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return NAMES if group["amsgrad"] else NAMES[:2]

    def _advance(
        self,
        group: dict[str, Any],
        params: list[Tensor],
        grads: list[Tensor],
        kept: list[Tensor],
    ) -> None:
        beta1, beta2 = group["betas"]
        adam_step(
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
