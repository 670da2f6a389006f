"""LRScheduler: the base class of schedules."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from gleed import Tensor
from gleed.errors import ArgumentError, RangeError
from gleed.optim.optimizer import Optimizer


def set_option(group: dict[str, Any], name: str, value: Any) -> None:
    """Set an option of a parameter group; a tensor keeps its identity and takes the value."""
    if isinstance(group[name], Tensor):
        group[name].fill_(value)
    else:
        group[name] = value


def check_optimizer(who: str, optimizer: Any) -> None:
    """Raise ArgumentError unless `optimizer` is one."""
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(
            f"{who}: the first argument is the optimizer; got {type(optimizer).__name__}; "
            "make it first, as in optim.SGD(model.parameters(), lr=0.1)"
        )


class LRScheduler:
    """The base class of schedules, which change the learning rates of an optimizer's groups.

    A subclass defines `get_lr()`, the learning rates for `last_epoch`, one a group. `base_lrs` are
    those that the optimizer had at first.

    Args:
        optimizer: whose learning rates change.
        last_epoch: how many steps were done, −1 at the start. To resume, groups need "initial_lr",
            which the optimizer's state has once it was scheduled.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        who = type(self).__name__
        check_optimizer(who, optimizer)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                lr = group["lr"]
                group.setdefault("initial_lr", lr.clone() if isinstance(lr, Tensor) else lr)
            elif "initial_lr" not in group:
                raise KeyError(
                    f'{who}: to resume at last_epoch={last_epoch} every group needs "initial_lr"; '
                    f"group {i} has none; load the optimizer's state first, or pass last_epoch=-1"
                )
        self.base_lrs: list[Any] = [_plain(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 1
        self._update_lr()

    def get_lr(self) -> list[Any]:
        """The learning rates for `last_epoch`, one a group; often computed from the ones before."""
        raise NotImplementedError(
            f"{type(self).__name__}: a scheduler must define get_lr; it has none; "
            "define get_lr(self), which returns a list with a learning rate for each group"
        )

    def get_last_lr(self) -> list[Any]:
        """The learning rates set last, one a group."""
        return self._last_lr

    def step(self, epoch: Any = None) -> None:
        """Move on by one and set the learning rates; called after the optimizer's step or epoch.

        `epoch` jumps to a place in the schedule.
        """
        # The first value is set on construction; without a step before the second it has no use.
        if self._step_count == 1 and not self.optimizer._opt_called:
            warnings.warn(
                "lr_scheduler: optimizer.step() must be called before lr_scheduler.step(); it was "
                "not, so the first learning rate is skipped; swap the two calls",
                stacklevel=2,
            )
        self._step_count += 1
        self._update_lr(epoch)

    def _update_lr(self, epoch: Any = None) -> None:
        if epoch is None:
            self.last_epoch += 1
            values = self.get_lr()
        else:
            self.last_epoch = epoch
            values = getattr(self, "_get_closed_form_lr", self.get_lr)()
        for group, value in zip(self.optimizer.param_groups, values, strict=True):
            set_option(group, "lr", value)
        self._remember()

    def _remember(self) -> None:
        self._last_lr = self._lrs()

    def _lrs(self) -> list[Any]:
        """The learning rates as they are now."""
        return [_plain(group["lr"]) for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer."""
        return {name: value for name, value in self.__dict__.items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` returned."""
        self.__dict__.update(state_dict)


def per_group(who: str, name: str, value: Any, optimizer: Optimizer) -> list[Any]:
    """`value` for each group of the optimizer: itself if it is a list, else repeated."""
    count = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [value] * count
    if len(value) != count:
        raise RangeError(
            f"{who}: {name} is one value, or one for each group; got {len(value)} for {count} "
            "groups; pass a single value for all"
        )
    return list(value)


def functions_state(functions: Sequence[Callable[..., Any]]) -> list[dict[str, Any] | None]:
    """The state of functions that are objects; plain functions have none that could be saved."""
    return [vars(f).copy() if _is_object(f) else None for f in functions]


def load_functions_state(
    functions: Sequence[Callable[..., Any]], states: Sequence[dict[str, Any] | None]
) -> None:
    """Take over what `functions_state` returned."""
    for function, state in zip(functions, states, strict=True):
        if state is not None:
            vars(function).update(state)


def _is_object(function: Callable[..., Any]) -> bool:
    return type(function).__name__ != "function" and hasattr(function, "__dict__")


def _plain(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value
