"""Random steps of training: networks made of modules, losses, optimizers, and what is around."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

import gleed
from networks.architectures import Builder


class Training:
    """A network with an optimizer, drawn from a seed; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        draw = random.Random(f"training {seed}")
        gleed.manual_seed(seed)
        made = Builder(gleed, seed).build()
        self.net, self.optimizer, self._made = made.net, made.optimizer, made
        for module in self.net.modules():
            if isinstance(module, gleed.nn.Dropout):
                module.train(draw.random() < 0.7)
        self.step = self._step(draw)
        scheduled = draw.random() < 0.3
        self.scheduler = scheduled and gleed.optim.lr_scheduler.StepLR(self.optimizer, 2, 0.5)

    def _step(self, draw: random.Random) -> Callable[[Any, Any], Any]:
        net, optimizer, loss = self.net, self.optimizer, self._made.loss
        half, clip, twice = (draw.random() < share for share in (0.25, 0.3, 0.2))
        none, look, frozen = (draw.random() < share for share in (0.7, 0.3, 0.2))
        if frozen:
            next(net.parameters()).requires_grad_(False)

        def step(x: Any, target: Any) -> Any:
            optimizer.zero_grad(set_to_none=none)
            for _ in range(1 + twice):
                with gleed.autocast("cpu", dtype=gleed.bfloat16, enabled=half):
                    y = net(x)
                y = y.to(target.dtype if target.is_floating_point() else gleed.float32)
                value = loss(y, target)
                value.backward()
            norm = gleed.nn.utils.clip_grad_norm_(net.parameters(), 0.5) if clip else value
            optimizer.step()
            with gleed.no_grad():
                seen = net(x) if look else y
            return value.detach(), seen.detach(), norm.detach()

        return step

    def arguments(self, call: int) -> list[Any]:
        """The batch of a call: of two sizes in turns, with other numbers each time."""
        made, rng = self._made, np.random.default_rng(call)
        count = len(made.input) if call % 3 else len(made.input) + 1
        rows = rng.integers(0, len(made.input), count)
        x, target = made.input[rows], made.target[rows]
        if x.dtype.kind == "f":
            x = (x + rng.normal(size=x.shape) * 0.1).astype(x.dtype)
        return [gleed.tensor(x), gleed.tensor(target)]

    def state(self) -> list[Any]:
        """What steps have changed."""
        grads = [p.grad for p in self.net.parameters() if p.grad is not None]
        return [*self.net.state_dict().values(), *grads]
