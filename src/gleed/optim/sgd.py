"""SGD: stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
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

sgd_step = steps.sgd_step.public


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if wanted.

    g ← gradient + weight_decay · p,  b ← momentum · b + (1 − dampening) · g  (at first b = g),
    p ← p − lr · b, or with `nesterov` p ← p − lr · (g + momentum · b).

    Args:
        params: parameters or groups, see `Optimizer`.
        lr: the learning rate.
        momentum, dampening, nesterov: how past gradients count.
        weight_decay: the strength of the pull towards 0.
        maximize: climb instead of descending.
        foreach, fused: accepted for PyTorch's signature; every step is one fused operation.

    Source: Sutskever et al., "On the importance of initialization and momentum in deep learning",
        2013.

    >>> import gleed
    >>> weight = gleed.ones(2, requires_grad=True)
    >>> optimizer = gleed.optim.SGD([weight], lr=0.5)
    >>> weight.sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.5000, 0.5000], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_option("SGD", "lr, the learning rate,", lr, "to climb instead, pass maximize=True")
        check_option("SGD", "momentum", momentum, "0.9 is usual, 0 means none")
        check_option("SGD", "weight_decay", weight_decay, "0 means none")
        refuse_differentiable("SGD", differentiable)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise RangeError(
                "SGD: nesterov needs a momentum and no dampening; "
                f"got momentum={momentum} and dampening={dampening}; pass momentum=0.9, dampening=0"
            )
        options = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, options)

    def _update(self, group: dict[str, Any]) -> None:
        params, grads = with_gradients(group)
        if not params:
            return
        momentum, dampening = group["momentum"], group["dampening"]
        buffers: list[Tensor] = []
        if momentum:
            states = [self.state[parameter] for parameter in params]
            fresh = [state.get("momentum_buffer") is None for state in states]
            if any(fresh):
                for state, parameter in zip(states, params, strict=True):
                    if state.get("momentum_buffer") is None:
                        state["momentum_buffer"] = gleed.zeros_like(parameter).detach()
                if dampening:
                    self._update_parts(group, params, grads, states, fresh)
                    return
            buffers = [state["momentum_buffer"] for state in states]
        _step(group, params, grads, buffers, dampening)

    def _update_parts(
        self,
        group: dict[str, Any],
        params: list[Tensor],
        grads: list[Tensor],
        states: list[dict[str, Any]],
        fresh: list[bool],
    ) -> None:
        """The first gradient of a parameter enters its buffer undamped, later ones damped."""
        for first in (True, False):
            part = [i for i, is_fresh in enumerate(fresh) if is_fresh == first]
            if part:
                _step(
                    group,
                    [params[i] for i in part],
                    [grads[i] for i in part],
                    [states[i]["momentum_buffer"] for i in part],
                    0 if first else group["dampening"],
                )


def _step(
    group: dict[str, Any],
    params: list[Tensor],
    grads: list[Tensor],
    buffers: list[Tensor],
    dampening: float,
) -> None:
    sgd_step(
        params,
        grads,
        buffers,
        group["lr"],
        group["momentum"],
        dampening,
        group["weight_decay"] or None,
        nesterov=group["nesterov"],
        maximize=group["maximize"],
    )
