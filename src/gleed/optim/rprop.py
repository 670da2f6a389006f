"""Rprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import gleed
from gleed import Tensor
from gleed.errors import RangeError
from gleed.ops import optimizer as steps
from gleed.optim.counted import CountedOptimizer
from gleed.optim.optimizer import check_option, refuse_differentiable

rprop_step = steps.rprop_step.public


class Rprop(CountedOptimizer):
    """Descent by the sign of the gradient, in steps that grow while the sign stays the same.

    Where the sign has changed the step shrinks, and the parameter waits a turn. For full batches.

    Args:
        params: parameters or groups, see `Optimizer`.
        lr: the learning rate.
        etas: the factors by which steps shrink and grow.
        step_sizes: the smallest and the largest step.
        maximize: climb instead of descending.
        foreach, capturable: accepted for PyTorch's signature; every step is one fused
            operation.

    Source: Riedmiller, Braun, "A Direct Adaptive Method for Faster Backpropagation Learning", 1993.

    >>> import gleed
    >>> weight = gleed.ones(2, requires_grad=True)
    >>> optimizer = gleed.optim.Rprop([weight], lr=0.5)
    >>> weight.sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.5000, 0.5000], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_option("Rprop", "lr, the learning rate,", lr, "to climb instead, pass maximize=True")
        if not 0 < etas[0] < 1 < etas[1]:
            raise RangeError(
                "Rprop: etas are a factor between 0 and 1 and one above 1; "
                f"got {etas}; (0.5, 1.2) is usual"
            )
        refuse_differentiable("Rprop", differentiable)
        options = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, options)

    def _begin(self, group: dict[str, Any], parameter: Tensor) -> dict[str, Tensor]:
        size = gleed.full_like(parameter.detach(), group["lr"])
        return {**super()._begin(group, parameter), "step_size": size}

    def _names(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("prev", "step_size")

    def _advance(
        self,
        group: dict[str, Any],
        params: list[Tensor],
        grads: list[Tensor],
        kept: list[Tensor],
    ) -> None:
        (shrink, grow), (least, most) = group["etas"], group["step_sizes"]
        rprop_step(
            params,
            grads,
            kept,
            shrink,
            grow,
            least,
            most,
            maximize=group["maximize"],
        )
