"""Schedules that follow a cosine. Source: Loshchilov, Hutter, "SGDR", 2016."""

from __future__ import annotations

import math
from typing import Any

from gleed.errors import RangeError
from gleed.optim.lr_scheduler.base import LRScheduler
from gleed.optim.optimizer import Optimizer


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from the initial learning rate down to `eta_min` in `T_max` steps.

    lr = eta_min + (initial lr − eta_min) · (1 + cos(π · epoch / T_max)) / 2. Each value is computed
    from the one before, so other schedulers may change the learning rate too.

    >>> import gleed
    >>> optimizer = gleed.optim.SGD([gleed.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = CosineAnnealingLR(optimizer, T_max=2)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The learning rates for `last_epoch`."""
        epoch, low = self.last_epoch, self.eta_min
        if epoch == 0:
            return self._lrs()
        if self._step_count == 1:  # resumed here: there is no value before
            return [
                low + (base - low) * (1 + math.cos(epoch * math.pi / self.T_max)) / 2
                for base in self.base_lrs
            ]
        if (epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # the value before is eta_min
            return [
                lr + (base - low) * (1 - math.cos(math.pi / self.T_max)) / 2
                for base, lr in zip(self.base_lrs, self._lrs(), strict=True)
            ]
        height = 1 + math.cos(math.pi * epoch / self.T_max)
        height_before = 1 + math.cos(math.pi * (epoch - 1) / self.T_max)
        return [height / height_before * (lr - low) + low for lr in self._lrs()]

    def _get_closed_form_lr(self) -> list[Any]:
        height = 1 + math.cos(math.pi * self.last_epoch / self.T_max)
        return [self.eta_min + (base - self.eta_min) * height / 2 for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half cosines from the initial learning rate down to `eta_min`, over and over.

    The first takes `T_0` steps, each later one `T_mult` times as many as the one before.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        for name, value in (("T_0", T_0), ("T_mult", T_mult)):
            if value < 1 or not isinstance(value, int):
                raise RangeError(
                    f"CosineAnnealingWarmRestarts: {name} is an integer from 1; got {value}; "
                    "T_0 counts steps, T_mult=1 keeps all periods alike"
                )
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The learning rates for the place `T_cur` in a period of `T_i` steps."""
        height = 1 + math.cos(math.pi * self.T_cur / self.T_i)
        return [self.eta_min + (base - self.eta_min) * height / 2 for base in self.base_lrs]

    def _update_lr(self, epoch: float | None = None) -> None:
        if epoch is None:
            whole = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult
        else:
            whole = math.floor(epoch)
            self._jump(epoch)
        super()._update_lr(whole)

    def step(self, epoch: float | None = None) -> None:
        """Move on by one, or to `epoch`, of which a fraction may be done."""
        super().step(epoch)

    def _jump(self, epoch: float) -> None:
        if epoch < 0:
            raise RangeError(
                f"CosineAnnealingWarmRestarts: an epoch is a number from 0; got {epoch}; "
                "step() without an argument moves on by one"
            )
        if self.T_mult == 1:
            self.T_cur = epoch % self.T_0
            return
        periods = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
        done = self.T_0 * (self.T_mult**periods - 1) // (self.T_mult - 1)
        self.T_cur = epoch - done
        self.T_i = self.T_0 * self.T_mult**periods
