"""L-BFGS: a quasi-Newton method for full batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import gleed
from gleed import Tensor
from gleed.autograd import enable_grad, no_grad
from gleed.errors import RangeError
from gleed.optim.optimizer import Optimizer, check_option

# Nocedal, Wright, "Numerical Optimization", 2006: section 3.1 (conditions), 3.5 (search).
DECREASE, CURVATURE = 1e-4, 0.9
MOST_TRIALS = 25
LEAST_PRODUCT = 1e-10  # of a step and a change of gradient that say something about curvature


class LBFGS(Optimizer):
    """Newton's method, with the curvature guessed from how the last gradients changed.

    Args:
        params: parameters, or one group of them.
        lr: how much of the computed step to go; where a line search begins.
        max_iter: iterations of one call of `step`.
        max_eval: evaluations of one call of `step`; 1.25 · max_iter by default.
        tolerance_grad: stop where no part of the gradient is larger.
        tolerance_change: stop where neither loss nor parameters change more.
        history_size: how many steps are remembered.
        line_search_fn: None, or "strong_wolfe" for a line search.

    Source: Liu, Nocedal, "On the Limited Memory BFGS Method for Large Scale Optimization", 1989.

    >>> import gleed
    >>> x = gleed.tensor([-1.0, 2.0], requires_grad=True)
    >>> optimizer = gleed.optim.LBFGS([x], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (x[0] - 1) ** 2 + 10 * (x[1] - x[0] ** 2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> for _ in range(2):
    ...     loss = optimizer.step(closure)
    >>> x.detach().round(decimals=3)
    tensor([1., 1.])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_option("LBFGS", "lr, the learning rate,", lr, "1 is usual")
        if line_search_fn not in (None, "strong_wolfe"):
            raise RangeError(
                'LBFGS: line_search_fn is None or "strong_wolfe"; '
                f'got {line_search_fn!r}; "strong_wolfe" needs no tuning of lr'
            )
        options = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, options)
        if len(self.param_groups) != 1:
            raise RangeError(
                "LBFGS: all parameters share one group, for they take one step together; "
                f"got {len(self.param_groups)} groups; pass them as one list"
            )

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Improve the parameters by up to `max_iter` iterations.

        `closure` clears the gradients, computes the loss and its gradients and returns the loss;
        what it returned first is returned.
        """
        if closure is None:
            raise RangeError(
                "LBFGS: step needs a closure that computes loss and gradients, for it is evaluated "
                "more than once; got None; pass one"
            )
        with no_grad():
            return _Minimization(self, closure).run()


@dataclass(frozen=True)
class Point:
    """What is known at `step` times the direction from where a line search began."""

    step: float
    loss: float
    gradient: Tensor
    slope: float


class _Minimization:
    """One call of `LBFGS.step`."""

    def __init__(self, optimizer: LBFGS, closure: Callable[[], Any]) -> None:
        (self.group,) = optimizer.param_groups
        self.params: list[Tensor] = self.group["params"]
        self.state: dict[str, Any] = optimizer.state[self.params[0]]
        self.state.setdefault("func_evals", 0)
        self.state.setdefault("n_iter", 0)
        self.closure = closure
        self.evaluations = 0

    def run(self) -> Any:
        group, state = self.group, self.state
        first = self._evaluate()
        loss, gradient = float(first), self._gradient()
        for iteration in range(1, group["max_iter"] + 1):
            if _largest(gradient) <= group["tolerance_grad"]:
                break
            state["n_iter"] += 1
            direction = self._direction(gradient)
            state["prev_flat_grad"], state["prev_loss"] = gradient, loss
            step = float(group["lr"])
            if state["n_iter"] == 1:
                step *= min(1.0, 1.0 / gradient.abs().sum().item())
            slope = _dot(gradient, direction)
            if slope > -group["tolerance_change"]:
                break
            start = Point(0.0, loss, gradient, slope)
            last = iteration == group["max_iter"]
            reached = self._go(start, direction, step, last)
            state["d"], state["t"] = direction, reached.step
            change = abs(reached.loss - loss)
            loss, gradient = reached.loss, reached.gradient
            least = group["tolerance_change"]
            if self.evaluations >= group["max_eval"] or change < least:
                break
            if _largest(direction) * abs(reached.step) <= least:
                break
        return first

    def _direction(self, gradient: Tensor) -> Tensor:
        """Minus the gradient times the inverse Hessian that the remembered steps suggest."""
        state = self.state
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return -gradient
        self._remember(gradient - state["prev_flat_grad"], state["d"] * state["t"])
        history = list(zip(state["old_stps"], state["old_dirs"], state["ro"], strict=True))
        direction, weights = -gradient, []
        for step, change, inverse in reversed(history):
            weights.append(_dot(step, direction) * inverse)
            direction = direction - change * weights[-1]
        direction = direction * state["H_diag"]
        for (step, change, inverse), weight in zip(history, reversed(weights), strict=True):
            direction = direction + step * (weight - _dot(change, direction) * inverse)
        return direction

    def _remember(self, change: Tensor, step: Tensor) -> None:
        state, product = self.state, _dot(change, step)
        if product <= LEAST_PRODUCT:
            return
        if len(state["old_dirs"]) == self.group["history_size"]:
            for name in ("old_dirs", "old_stps", "ro"):
                state[name].pop(0)
        state["old_dirs"].append(change)
        state["old_stps"].append(step)
        state["ro"].append(1.0 / product)
        state["H_diag"] = product / _dot(change, change)

    def _go(self, start: Point, direction: Tensor, step: float, last: bool) -> Point:
        """Move the parameters along a direction."""
        places = [parameter.clone() for parameter in self.params]

        def at(step: float) -> Point:
            self._move(places, direction, step)
            loss = float(self._evaluate())
            gradient = self._gradient()
            return Point(step, loss, gradient, _dot(gradient, direction))

        if self.group["line_search_fn"] == "strong_wolfe":
            reached = search(at, start, step, self.group["tolerance_change"] / _largest(direction))
            self._move(places, direction, reached.step)
            return reached
        if not last:
            return at(step)
        # The loss where the last step ends is not needed.
        self._move(places, direction, step)
        return Point(step, math.inf, start.gradient, start.slope)

    def _move(self, places: list[Tensor], direction: Tensor, step: float) -> None:
        offset = 0
        for parameter, place in zip(self.params, places, strict=True):
            part = direction[offset : offset + parameter.numel()]
            parameter.copy_(place + part.view_as(parameter) * step)
            offset += parameter.numel()

    def _evaluate(self) -> Any:
        self.evaluations += 1
        self.state["func_evals"] += 1
        with enable_grad():
            return self.closure()

    def _gradient(self) -> Tensor:
        parts = [gleed.zeros_like(p) if p.grad is None else p.grad for p in self.params]
        return gleed.cat([part.reshape(-1) for part in parts])


def search(at: Callable[[float], Point], start: Point, step: float, least: float) -> Point:
    """A point that fulfils the strong Wolfe conditions, or the best after MOST_TRIALS trials.

    `at` evaluates a step; brackets shorter than `least` are not divided further.
    """

    def too_high(point: Point) -> bool:
        return point.loss > start.loss + DECREASE * point.step * start.slope

    def flat(point: Point) -> bool:
        return abs(point.slope) <= -CURVATURE * start.slope

    before, point, trials = start, at(step), 1
    while not too_high(point) and not (trials > 1 and point.loss >= before.loss):
        if flat(point) or trials == MOST_TRIALS:
            return point
        if point.slope >= 0:
            break
        near, far = point.step + 0.01 * (point.step - before.step), point.step * 10
        before, point, trials = point, at(lowest_between(before, point, near, far)), trials + 1

    low, high = sorted((before, point), key=lambda p: p.loss)
    stuck = False
    while trials < MOST_TRIALS and abs(high.step - low.step) >= least:
        first, last = sorted((low.step, high.step))
        step, stuck = _inside(lowest_between(low, high, first, last), first, last, stuck)
        point, trials = at(step), trials + 1
        if too_high(point) or point.loss >= low.loss:
            high = point
            continue
        if flat(point):
            return point
        low, high = point, low if point.slope * (high.step - low.step) >= 0 else high
    return low


def lowest_between(a: Point, b: Point, near: float, far: float) -> float:
    """Where the cubic through two points with these slopes is lowest, kept between near and far.

    >>> lowest_between(Point(0, 1, None, -2), Point(2, 1, None, 2), 0, 2)
    1.0
    """
    a, b = sorted((a, b), key=lambda p: p.step)
    bend = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.step - b.step)
    square = bend * bend - a.slope * b.slope
    if square < 0:
        return (near + far) / 2
    root = math.sqrt(square)
    share = (b.slope + root - bend) / (b.slope - a.slope + 2 * root)
    return min(max(b.step - (b.step - a.step) * share, near), far)


def _inside(step: float, first: float, last: float, stuck: bool) -> tuple[float, bool]:
    """A step that is not for the second time close to an end of the bracket, and whether it is."""
    margin = 0.1 * (last - first)
    if min(last - step, step - first) >= margin:
        return step, False
    if stuck or not first < step < last:
        return (last - margin if last - step < step - first else first + margin), False
    return step, True


def _largest(x: Tensor) -> float:
    return x.abs().max().item()


def _dot(a: Tensor, b: Tensor) -> float:
    return a.dot(b).item()
