"""OneCycleLR: one rise and one long fall of the learning rate."""

from __future__ import annotations

import math
from typing import Any

from gleed.errors import RangeError
from gleed.optim.lr_scheduler.base import LRScheduler, per_group, set_option
from gleed.optim.optimizer import Optimizer


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)


def _linear(start: float, end: float, share: float) -> float:
    return (end - start) * share + start


ANNEALING = {"cos": _cosine, "linear": _linear}


class OneCycleLR(LRScheduler):
    """From max_lr/div_factor up to max_lr, then down to that divided by final_div_factor.

    The rise takes the share `pct_start` of all steps; with `three_phase` the fall returns to the
    initial value in as many steps first. Momentum goes the other way if `cycle_momentum`. One
    `step()` a batch.

    Args:
        optimizer: whose learning rates change.
        max_lr: the peak, one for all groups or a list.
        total_steps: the length of the cycle; or `epochs` and `steps_per_epoch`.
        anneal_strategy: "cos" or "linear".
        base_momentum, max_momentum: the lowest and the highest momentum.

    Source: Smith, Topin, "Super-Convergence", 2017.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        self.total_steps = _length(total_steps, epochs, steps_per_epoch)
        if not 0 <= pct_start <= 1:
            raise RangeError(
                f"OneCycleLR: pct_start is a share of the steps, from 0 to 1; got {pct_start}; "
                "0.3 is usual"
            )
        if anneal_strategy not in ANNEALING:
            raise RangeError(
                f'OneCycleLR: anneal_strategy is "cos" or "linear"; got {anneal_strategy!r}; '
                '"cos" is usual'
            )
        self._anneal_func_type = anneal_strategy
        self._schedule_phases = self._phases(pct_start, three_phase)
        peaks = per_group("OneCycleLR", "max_lr", max_lr, optimizer)
        if last_epoch == -1:
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["initial_lr"] = peak / div_factor
                group["max_lr"] = peak
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._prepare_momentum(optimizer, base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def _phases(self, pct_start: float, three_phase: bool) -> list[dict[str, Any]]:
        """The phases: where each ends, and the names of the values it goes between."""
        peak = float(pct_start * self.total_steps) - 1
        up = {
            "end_step": peak,
            "start_lr": "initial_lr",
            "end_lr": "max_lr",
            "start_momentum": "max_momentum",
            "end_momentum": "base_momentum",
        }
        down = {
            "end_step": self.total_steps - 1,
            "start_lr": "max_lr",
            "end_lr": "min_lr",
            "start_momentum": "base_momentum",
            "end_momentum": "max_momentum",
        }
        if not three_phase:
            return [up, down]
        back = {
            **down,
            "end_step": float(2 * pct_start * self.total_steps) - 2,
            "end_lr": "initial_lr",
        }
        rest = {**down, "start_lr": "initial_lr", "start_momentum": "max_momentum"}
        return [up, back, rest]

    def _prepare_momentum(
        self,
        optimizer: Optimizer,
        base: float | list[float],
        highest: float | list[float],
        last: int,
    ) -> None:
        self.use_beta1 = "betas" in optimizer.defaults
        if not self.use_beta1 and "momentum" not in optimizer.defaults:
            raise RangeError(
                "OneCycleLR: cycle_momentum needs an optimizer with momentum or betas; "
                f"{type(optimizer).__name__} has neither; pass cycle_momentum=False"
            )
        if last != -1:
            return
        bases = per_group("OneCycleLR", "base_momentum", base, optimizer)
        peaks = per_group("OneCycleLR", "max_momentum", highest, optimizer)
        for group, low, high in zip(optimizer.param_groups, bases, peaks, strict=True):
            self._set_momentum(group, high)
            group["max_momentum"] = high
            group["base_momentum"] = low

    def _set_momentum(self, group: dict[str, Any], momentum: float) -> None:
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            set_option(group, "momentum", momentum)

    def get_lr(self) -> list[Any]:
        """The learning rates for `last_epoch`; sets the momentum of the groups as well."""
        step = self.last_epoch
        if step > self.total_steps:
            raise RangeError(
                f"OneCycleLR: the cycle has {self.total_steps} steps; got step {step + 1}; "
                "pass the number of batches of the whole training as total_steps"
            )
        start = 0.0
        for phase in self._schedule_phases:
            end = phase["end_step"]
            if step <= end or phase is self._schedule_phases[-1]:
                break
            start = end
        share = (step - start) / (end - start)
        anneal = ANNEALING[self._anneal_func_type]
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(anneal(group[phase["start_lr"]], group[phase["end_lr"]], share))
            if self.cycle_momentum:
                low, high = group[phase["start_momentum"]], group[phase["end_momentum"]]
                self._set_momentum(group, anneal(low, high, share))
        return rates


def _length(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    if total_steps is None and (epochs is None or steps_per_epoch is None):
        raise RangeError(
            "OneCycleLR: the length of the cycle must be known; "
            f"got epochs={epochs} and steps_per_epoch={steps_per_epoch}; "
            "pass total_steps, or both of these"
        )
    length = total_steps
    if length is None:
        length = (epochs or 0) * (steps_per_epoch or 0)
    if not isinstance(length, int) or length < 1:
        raise RangeError(
            f"OneCycleLR: the cycle takes a positive integer number of steps; got {length}; "
            "pass epochs * len(loader) as total_steps"
        )
    return length
