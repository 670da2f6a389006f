"""What optimizers have in common that keep tensors for every parameter and count its steps."""

from __future__ import annotations

from functools import cache
from operator import itemgetter
from typing import Any

import gleed
from gleed import Tensor
from gleed.errors import RangeError
from gleed.optim.optimizer import Optimizer


class CountedOptimizer(Optimizer):
    """An optimizer whose step is one operation over all parameters of a group.

    A subclass says what it keeps (`_names`), what that is at first (`_begin`), and how it steps
    (`_advance`).
    """

    def _names(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The tensors kept for each parameter, beside the number of steps."""
        raise NotImplementedError

    def _begin(self, group: dict[str, Any], parameter: Tensor) -> dict[str, Tensor]:
        """What is kept for a parameter before its first step: zeros."""
        return {name: gleed.zeros_like(parameter).detach() for name in self._names(group)}

    def _advance(
        self,
        group: dict[str, Any],
        params: list[Tensor],
        grads: list[Tensor],
        kept: list[Tensor],
    ) -> None:
        """One step; `kept` holds, for one parameter after another, what `_names` names and then the
        number of steps."""
        raise NotImplementedError

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        # Old checkpoints hold the number of steps as a plain number.
        for kept in self.state.values():
            if "step" in kept and not isinstance(kept["step"], Tensor):
                kept["step"] = gleed.tensor(float(kept["step"]))

    def _update(self, group: dict[str, Any]) -> None:
        kept_of = _getter(self._names(group))
        params: list[Tensor] = []
        grads: list[Tensor] = []
        kept: list[Tensor] = []
        for parameter in group["params"]:
            gradient = parameter.grad
            if gradient is not None:
                state = self.state[parameter]
                if not state:
                    self._start(group, parameter, state)
                params.append(parameter)
                grads.append(gradient)
                kept += kept_of(state)
        if params:
            self._advance(group, params, grads, kept)

    def _start(self, group: dict[str, Any], parameter: Tensor, state: dict[str, Any]) -> None:
        state["step"] = gleed.tensor(0.0)
        state.update(self._begin(group, parameter))


@cache
def _getter(names: tuple[str, ...]) -> itemgetter[Any]:
    return itemgetter(*names, "step")


def check_betas(who: str, betas: tuple[float, float]) -> None:
    """Raise RangeError unless both are from 0 to below 1."""
    for i, beta in enumerate(betas):
        if not 0 <= beta < 1:
            raise RangeError(
                f"{who}: betas are from 0 to below 1; got {beta} at index {i}; "
                "(0.9, 0.999) is usual"
            )


def check_share(who: str, name: str, value: float, usual: float) -> None:
    """Raise RangeError unless `value` is from 0 to 1."""
    if not 0 <= value <= 1:
        raise RangeError(f"{who}: {name} is from 0 to 1; got {value}; {usual} is usual")
