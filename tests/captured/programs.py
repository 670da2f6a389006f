"""Random programs: pointwise operations, reductions, products, views, and writes through them."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import pytest

import gleed

Step = Callable[[list[Any]], Any]

SIZES = (2, 3, 4)
UNARY = ("sin", "tanh", "abs", "neg", "relu", "sigmoid", "square", "exp")
BINARY = ("add", "sub", "mul", "maximum")
REDUCTIONS = ("sum", "mean", "amax", "prod")


def batches(usual: int, size: int) -> list[Any]:
    """Ranges of seeds, each for one test: the first `usual`, or those that GLEED_PROGRAMS names as
    their number or as first:end."""
    first, _, end = os.environ.get("GLEED_PROGRAMS", str(usual)).rpartition(":")
    starts = range(int(first or 0), int(end), size)
    found = [range(start, min(start + size, int(end))) for start in starts]
    return [pytest.param(seeds, id=f"{seeds.start}:{seeds.stop}") for seeds in found]


class Program:
    """A function over tensors of one shape, drawn from a seed.

    Every step takes tensors that were there before, and adds one or writes to one. `grad` leaves
    writes out, so that all inputs may require gradients.
    """

    def __init__(self, seed: int, grad: bool = False) -> None:
        self.draw = random.Random(seed)
        self.shape = (self.draw.choice(SIZES), self.draw.choice(SIZES))
        self.inputs = self.draw.randint(1, 3)
        kinds = [self._unary, self._binary, self._reduction, self._product, self._view, self._merge]
        kinds += [self._cond, self._scan]
        if not grad:
            kinds += [self._write, self._write_part, self._number, self._while]
        self.steps = [self.draw.choice(kinds)() for _ in range(self.draw.randint(2, 12))]
        self.returned = self.draw.randint(1, 3)

    def arguments(
        self, seed: int = 0, *, requires_grad: bool = False, grown: tuple[int, int] = (0, 0)
    ) -> list[Any]:
        """Inputs, larger than those it was drawn for by `grown`; some of them laid out in another
        way."""
        draw = random.Random(seed)
        gleed.manual_seed(seed)
        made = []
        for _ in range(self.inputs):
            layout = draw.choice(("plain", "transposed", "sliced"))
            rows, columns = (n + more for n, more in zip(self.shape, grown, strict=True))
            if layout == "transposed":
                tensor = gleed.randn(columns, rows).t()
            elif layout == "sliced":
                tensor = gleed.randn(rows, 2 * columns)[:, ::2]
            else:
                tensor = gleed.randn(rows, columns)
            made.append(tensor.detach().requires_grad_(requires_grad))
        return made

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        pool = list(inputs)
        for step in self.steps:
            made = step(pool)
            if made is not None:
                pool.append(made)
        return tuple(pool[-self.returned :])

    # ---- kinds of steps; `pick` chooses among what is there when the step runs
    def _pick(self) -> Callable[[list[Any]], Any]:
        share = self.draw.random()
        return lambda pool: pool[int(share * len(pool))]

    def _like(self) -> Callable[[list[Any], Any], Any]:
        """A tensor of the shape of another: one that is there, else that one."""
        share = self.draw.random()

        def choose(pool: list[Any], other: Any) -> Any:
            fitting = [t for t in pool if t.shape == other.shape]
            return fitting[int(share * len(fitting))]

        return choose

    def _unary(self) -> Step:
        name, pick = self.draw.choice(UNARY), self._pick()
        return lambda pool: getattr(gleed, name)(pick(pool)) * 0.5

    def _binary(self) -> Step:
        name, pick, like = self.draw.choice(BINARY), self._pick(), self._like()

        def step(pool: list[Any]) -> Any:
            x = pick(pool)
            return getattr(gleed, name)(x, like(pool, x))

        return step

    def _reduction(self) -> Step:
        name, pick = self.draw.choice(REDUCTIONS), self._pick()
        axis, keep = self.draw.randint(-2, 1), self.draw.random() < 0.7

        def step(pool: list[Any]) -> Any:
            x = pick(pool)
            if x.ndim < 2 or 0 in x.shape:
                return x.sum() if name == "sum" else x * 2
            y = getattr(x, name)(axis, keepdim=True)
            return x - y if keep else y

        return step

    def _product(self) -> Step:
        pick, like = self._pick(), self._like()

        def step(pool: list[Any]) -> Any:
            x = pick(pool)
            return x @ like(pool, x).t() if x.ndim == 2 else x + 1

        return step

    def _view(self) -> Step:
        pick, kind = self._pick(), self.draw.choice(("t", "slice", "row", "flat", "expand", "flip"))
        start = self.draw.randint(0, 1)

        def step(pool: list[Any]) -> Any:
            x = pick(pool)
            if x.ndim < 2:
                return x.unsqueeze(0)
            if not len(x):
                return x + 1
            if kind == "flat":
                return x.reshape(-1)
            if kind == "expand":
                return x[:1].expand(3, x.shape[1])
            views = {
                "t": x.t(),
                "slice": x[start:],
                "row": x[min(start, len(x) - 1)],
                "flip": x.flip(0),
            }
            return views[kind]

        return step

    def _merge(self) -> Step:
        pick, like, stack = self._pick(), self._like(), self.draw.random() < 0.3

        def step(pool: list[Any]) -> Any:
            x = pick(pool)
            both = [x, like(pool, x)]
            return gleed.where(both[0] > 0, *both) if stack or x.ndim < 1 else gleed.cat(both)

        return step

    def _cond(self) -> Step:
        """Both branches use both tensors once, so that gradients add up in the same order."""
        pick, like, bound = self._pick(), self._like(), self.draw.uniform(-2, 2)
        first, second = self.draw.choice(UNARY), self.draw.choice(REDUCTIONS)

        def one(x: Any, *more: Any) -> Any:
            return getattr(gleed, first)(x) * 0.5 + sum(more)

        def other(x: Any, *more: Any) -> Any:
            spread = getattr(x, second)(-1, keepdim=True) if x.ndim > 1 and 0 not in x.shape else x
            return spread.expand(x.shape) + sum(more)

        def step(pool: list[Any]) -> Any:
            x = pick(pool)
            y = like(pool, x)
            operands = (x,) if y is x else (x, y)
            return gleed.cond(x.sum() > bound, one, other, operands)

        return step

    def _scan(self) -> Step:
        pick, reverse, kind = self._pick(), self.draw.random() < 0.5, self.draw.choice(UNARY)

        def turn(state: Any, row: Any) -> Any:
            state = getattr(gleed, kind)(state * 0.5 + row)
            return state, (state - state.mean()).sum(-1)

        def step(pool: list[Any]) -> Any:
            x = pick(pool)
            if x.ndim != 2 or 0 in x.shape:
                return x * 0.5
            state, sums = gleed.scan(turn, x.mean(0), x, reverse=reverse)
            return x + state + sums.unsqueeze(1)

        return step

    def _while(self) -> Step:
        pick, bound = self._pick(), self.draw.uniform(0.1, 2)

        def turn(n: Any, x: Any) -> Any:
            return n + 1, x * 0.5 - x.sum(-1, keepdim=True) * 0.01 if x.ndim else x * 0.5

        def step(pool: list[Any]) -> Any:
            def more(n: Any, x: Any) -> Any:
                return (x.abs().sum() > bound) & (n < 9)

            return gleed.while_loop(more, turn, (gleed.tensor(0), pick(pool)))[1]

        return step

    def _write(self) -> Step:
        pick, like, kind = self._pick(), self._like(), self.draw.choice(("add_", "mul_", "copy_"))

        def step(pool: list[Any]) -> None:
            x = pick(pool)
            if 0 not in x.stride():
                getattr(x, kind)(like(pool, x) * 0.5)

        return step

    def _write_part(self) -> Step:
        pick, value, start = self._pick(), self.draw.random(), self.draw.randint(0, 1)

        def step(pool: list[Any]) -> None:
            x = pick(pool)
            if x.ndim == 2 and 0 not in x.stride():
                x[start:, :1] = value

        return step

    def _number(self) -> Step:
        pick, number = self._pick(), self.draw.random()
        return lambda pool: (pick(pool) + number) / 3
