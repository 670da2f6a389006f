"""ReduceLROnPlateau: a schedule that follows how training goes."""

from __future__ import annotations

import math
from typing import Any

from gleed.errors import RangeError
from gleed.optim.lr_scheduler.base import LRScheduler, check_optimizer, per_group, set_option
from gleed.optim.optimizer import Optimizer


class ReduceLROnPlateau(LRScheduler):
    """Multiply the learning rate by `factor` when a measure has stopped improving.

    Args:
        optimizer: whose learning rates change.
        mode: "min" if less is better, as for a loss, "max" if more is.
        factor: below 1.
        patience: how many steps without improvement are accepted.
        threshold, threshold_mode: by how much a measure must beat the best, as a share of it
            ("rel") or as a difference ("abs").
        cooldown: how many steps after a reduction do not count.
        min_lr: the learning rate goes no lower; one for all groups or a list.
        eps: smaller reductions are not made.

    >>> import gleed
    >>> optimizer = gleed.optim.SGD([gleed.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    >>> scheduler.step(3.0)
    >>> scheduler.step(3.0)
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        check_optimizer("ReduceLROnPlateau", optimizer)
        if factor >= 1.0:
            raise RangeError(f"ReduceLROnPlateau: factor is below 1; got {factor}; 0.1 is usual")
        for name, value, allowed in (
            ("mode", mode, ("min", "max")),
            ("threshold_mode", threshold_mode, ("rel", "abs")),
        ):
            if value not in allowed:
                raise RangeError(
                    f"ReduceLROnPlateau: {name} is {' or '.join(map(repr, allowed))}; "
                    f"got {value!r}; {allowed[0]!r} suits a loss"
                )
        self.optimizer = optimizer
        self.mode = mode
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.cooldown = cooldown
        self.default_min_lr = None if isinstance(min_lr, list | tuple) else min_lr
        self.min_lrs = per_group("ReduceLROnPlateau", "min_lr", min_lr, optimizer)
        self.eps = eps
        self.last_epoch = 0
        self._reset()
        self._remember()

    def _reset(self) -> None:
        self.best = math.inf if self.mode == "min" else -math.inf
        self.cooldown_counter = 0
        self.num_bad_epochs = 0

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Take notice of `metrics`, a number or a tensor with one element."""
        current = float(metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(current, self.best):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._remember()

    def _reduce(self) -> None:
        self._extend_min_lrs()
        for group, lowest in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            before = float(group["lr"])
            after = max(before * self.factor, lowest)
            if before - after > self.eps:
                set_option(group, "lr", after)

    def _extend_min_lrs(self) -> None:
        """Groups that were added later have the common lowest value."""
        missing = len(self.optimizer.param_groups) - len(self.min_lrs)
        if missing and self.default_min_lr is None:
            raise RangeError(
                "ReduceLROnPlateau: min_lr needs a value for each group; "
                f"{missing} groups were added since; append to scheduler.min_lrs"
            )
        self.min_lrs += [self.default_min_lr] * missing

    @property
    def in_cooldown(self) -> bool:
        """Whether steps do not count, after a reduction."""
        return self.cooldown_counter > 0

    def _is_better(self, value: float, best: float) -> bool:
        sign = 1 if self.mode == "max" else -1
        if self.threshold_mode == "rel":
            bound = best * (1.0 + sign * self.threshold)
        else:
            bound = best + sign * self.threshold
        return value > bound if self.mode == "max" else value < bound
