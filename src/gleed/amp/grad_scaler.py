"""`GradScaler`: gradients of float16 kept from vanishing, by computing them of a greater loss."""

from __future__ import annotations

import warnings
from typing import Any

from gleed._C import Tensor
from gleed.amp.rules import each_tensor
from gleed.errors import ArgumentError, RangeError
from gleed.ops import OPS

unscale = OPS["unscale"].public


class GradScaler:
    """Scales losses, and takes the scale out of the gradients again before an optimizer steps. A
    step whose gradients hold an infinity or NaN is skipped, and the scale multiplied by
    `backoff_factor`; after `growth_interval` good steps in a row it is multiplied by
    `growth_factor` (Micikevicius et al., "Mixed precision training", 2018).

    >>> import gleed
    >>> model = gleed.nn.Linear(2, 1)
    >>> optimizer, scaler = gleed.optim.SGD(model.parameters(), 0.1), GradScaler("cpu", 1024.0)
    >>> with gleed.autocast("cpu", gleed.float16):
    ...     loss = model(gleed.ones(1, 2)).sum()
    >>> scaler.scale(loss).backward()
    >>> _ = scaler.step(optimizer)
    >>> scaler.update()
    >>> scaler.get_scale()
    1024.0
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 65536.0,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        """Raises RangeError for factors that would not grow, or not shrink."""
        if not growth_factor > 1 or not 0 < backoff_factor < 1:
            raise RangeError(
                "GradScaler: growth_factor must be above 1 and backoff_factor in 0 … 1; got "
                f"{growth_factor} and {backoff_factor}; use 2.0 and 0.5"
            )
        if enabled and device == "cuda":
            warnings.warn(
                "GradScaler: there is no GPU that gleed can use; it stays off; use "
                "GradScaler('cpu')",
                UserWarning,
                stacklevel=2,
            )
            enabled = False
        self._device, self._enabled = device, enabled
        self._scale, self._growth_tracker = float(init_scale), 0
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval = growth_interval
        # Per optimizer that was unscaled: whether a gradient overflowed.
        self._found: dict[int, Tensor | bool] = {}
        self._stepped: set[int] = set()

    def scale(self, outputs: Any) -> Any:
        """A loss, or several in a list, tuple or dict, times the scale."""
        return each_tensor(lambda loss: loss * self._scale, outputs) if self._enabled else outputs

    def unscale_(self, optimizer: Any) -> None:
        """Divide the gradients of an optimizer's parameters by the scale, for clipping say; `step`
        does it otherwise."""
        if not self._enabled:
            return
        if id(optimizer) in self._found:
            raise ArgumentError(
                "unscale_: gradients are unscaled once for each step; it came again for the same "
                "optimizer; call update() first"
            )
        found = _gradients(optimizer)
        self._found[id(optimizer)] = unscale(found, self._scale)[-1] if found else False

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """`optimizer.step(…)`, unless a gradient is infinite or NaN."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise ArgumentError(
                "step: a closure cannot be scaled; it came as an argument; compute the loss before"
            )
        if id(optimizer) in self._stepped:
            raise ArgumentError(
                "step: an optimizer steps once for each update(); it came again; call update() "
                "first"
            )
        if id(optimizer) not in self._found:
            self.unscale_(optimizer)
        self._stepped.add(id(optimizer))
        return None if self._found[id(optimizer)] else optimizer.step(*args, **kwargs)

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Adapt the scale to how the steps since the last update went, or set it."""
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not self._found:
            raise ArgumentError(
                "update: it adapts the scale to steps; none came since the last one; call "
                "step(optimizer) before"
            )
        elif any(self._found.values()):
            self._scale *= self._backoff_factor
            self._growth_tracker = 0
        else:
            self._growth_tracker += 1
            if self._growth_tracker == self._growth_interval:
                self._scale *= self._growth_factor
                self._growth_tracker = 0
        self._found.clear()
        self._stepped.clear()

    # ---- inquiries and settings
    def get_scale(self) -> float:
        """The scale; 1 if not enabled."""
        return self._scale if self._enabled else 1.0

    def is_enabled(self) -> bool:
        """Whether losses are scaled."""
        return self._enabled

    def get_growth_factor(self) -> float:
        """What the scale grows by."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Change what the scale grows by."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """What the scale shrinks by."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Change what the scale shrinks by."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """How many good steps in a row it takes to grow."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Change how many good steps in a row it takes to grow."""
        self._growth_interval = new_interval

    def state_dict(self) -> dict[str, Any]:
        """The scale, its settings and its history; empty if not enabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from what `state_dict` gave."""
        if not self._enabled:
            return
        if not state_dict:
            raise ArgumentError(
                "load_state_dict: the state of an enabled scaler is needed; an empty one came; "
                "save it from a scaler that is enabled"
            )
        self._scale = float(state_dict["scale"])
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._growth_tracker = state_dict["_growth_tracker"]


def _gradients(optimizer: Any) -> list[Tensor]:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    return [p.grad for p in parameters if p.grad is not None]
