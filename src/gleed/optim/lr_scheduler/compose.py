"""Schedules made of schedules: one behind the other, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

from gleed.errors import ArgumentError, RangeError
from gleed.optim.lr_scheduler.base import LRScheduler, set_option
from gleed.optim.lr_scheduler.plateau import ReduceLROnPlateau
from gleed.optim.optimizer import Optimizer


class _Composed(LRScheduler):
    """What has a list of schedulers: their states are saved with its own."""

    _schedulers: list[Any]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer, the schedulers as their own state."""
        state = super().state_dict()
        state["_schedulers"] = [scheduler.state_dict() for scheduler in self._schedulers]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` returned."""
        rest = dict(state_dict)
        states = rest.pop("_schedulers")
        for scheduler, state in zip(self._schedulers, states, strict=True):
            scheduler.load_state_dict(state)
        super().load_state_dict(rest)


class SequentialLR(_Composed):
    """One scheduler after the other: the next takes over at each of the `milestones`.

    Args:
        optimizer: whose learning rates change.
        schedulers: schedulers of the same optimizer.
        milestones: the steps at which the second, the third, … begins.
        last_epoch: how many steps were done, −1 at the start.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: list[Any],
        milestones: list[int],
        last_epoch: int = -1,
    ) -> None:
        _check_schedulers("SequentialLR", schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise RangeError(
                "SequentialLR: between two schedulers there is one milestone; "
                f"got {len(milestones)} milestones for {len(schedulers)} schedulers; "
                f"pass {len(schedulers) - 1}"
            )
        self.optimizer = optimizer
        self._schedulers = schedulers
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        # Each scheduler has set its first value already. That is undone, for only one of them
        # begins now.
        for group in optimizer.param_groups:
            set_option(group, "lr", group["initial_lr"])
        for scheduler in _leaves(schedulers):
            scheduler.last_epoch -= 1
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def _initial_step(self) -> None:
        self._schedulers[0]._initial_step()

    def step(self, epoch: int | None = None) -> None:
        """Move on by one."""
        self.last_epoch += 1
        place = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[place]
        if place > 0 and self._milestones[place - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(_Composed):
    """Several schedulers of one optimizer at once: every step is a step of each, in their order."""

    def __init__(self, schedulers: Sequence[Any], optimizer: Optimizer | None = None) -> None:
        owner = optimizer or getattr(schedulers[0] if schedulers else None, "optimizer", None)
        _check_schedulers("ChainedScheduler", schedulers, owner)
        self._schedulers = list(schedulers)
        self.optimizer = owner  # type: ignore[assignment]
        self._remember()

    def step(self, epoch: int | None = None) -> None:
        """Move each scheduler on by one."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._remember()


def _leaves(schedulers: Iterable[Any]) -> Iterable[Any]:
    for scheduler in schedulers:
        if isinstance(scheduler, _Composed):
            yield from _leaves(scheduler._schedulers)
        else:
            yield scheduler


def _check_schedulers(who: str, schedulers: Sequence[Any], optimizer: Any) -> None:
    if not schedulers:
        raise RangeError(
            f"{who}: needs at least one scheduler; got none; pass a list of schedulers"
        )
    for i, scheduler in enumerate(schedulers):
        if not isinstance(scheduler, LRScheduler):
            raise ArgumentError(
                f"{who}: takes schedulers; number {i} is {type(scheduler).__name__}; "
                "make each with the optimizer first"
            )
        if isinstance(scheduler, ReduceLROnPlateau):
            raise RangeError(
                f"{who}: ReduceLROnPlateau needs a measure at every step and cannot be composed; "
                f"number {i} is one; call its step(loss) yourself"
            )
        if scheduler.optimizer is not optimizer:
            raise RangeError(
                f"{who}: all schedulers must be of the same optimizer; number {i}, "
                f"{type(scheduler).__name__}, has another; make it with this optimizer"
            )
