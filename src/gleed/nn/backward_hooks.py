"""Backward hooks of a module: how they see the gradients that enter and leave it.

Two identity functions stand in the graph, one on the module's inputs and one on its outputs.
Backward passes through the one on the outputs first, where the gradients that arrive are kept, and
through the one on the inputs last, where the hooks are called with both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gleed import Tensor, is_grad_enabled
from gleed.autograd import Function
from gleed.errors import GleedError

Gradients = tuple[Tensor | None, ...]


class _Watch(Function):
    """The identity on `tensors`, whose backward passes the gradients through `seen`."""

    @staticmethod
    def forward(ctx: Any, seen: Callable[[Gradients], Gradients], *tensors: Tensor) -> Any:
        ctx.set_materialize_grads(False)
        ctx.seen = seen
        return tuple(tensor.view_as(tensor) for tensor in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        return None, *ctx.seen(gradients)


class BackwardHooks:
    """The backward hooks of one call of a module."""

    def __init__(self, module: Any, pre_hooks: tuple[Any, ...], hooks: tuple[Any, ...]) -> None:
        self._module = module
        self._pre_hooks = pre_hooks
        self._hooks = hooks
        self._grad_output: Gradients = ()
        self._inputs_watched = False
        self._input_count = 0
        self._input_places: list[int] = []
        self._output_count = 0
        self._output_places: list[int] = []

    @classmethod
    def of(cls, module: Any) -> BackwardHooks | None:
        """Those of a call that begins now; None if there are none or no graph is recorded."""
        tables = module.__dict__
        pre_hooks = tuple(tables.get("_backward_pre_hooks", {}).values())
        hooks = tuple(tables.get("_backward_hooks", {}).values())
        return cls(module, pre_hooks, hooks) if (pre_hooks or hooks) and is_grad_enabled() else None

    def watch_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments to call `forward` with."""
        self._input_count = len(args)
        watched, self._input_places = _watch(args, self._leave)
        self._inputs_watched = bool(self._input_places)
        return watched

    def watch_outputs(self, result: Any) -> Any:
        """The result to hand to the caller."""
        outputs = result if isinstance(result, tuple) else (result,)
        self._output_count = len(outputs)
        watched, self._output_places = _watch(outputs, self._enter)
        return watched if isinstance(result, tuple) else watched[0]

    def _enter(self, gradients: Gradients) -> Gradients:
        grad_output = _spread(gradients, self._output_places, self._output_count)
        for hook in self._pre_hooks:
            replaced = hook(self._module, grad_output)
            if replaced is not None:
                grad_output = _as_tuple(
                    replaced, self._output_count, "register_full_backward_pre_hook"
                )
        self._grad_output = grad_output
        if not self._inputs_watched:
            self._leave(())
        return tuple(grad_output[place] for place in self._output_places)

    def _leave(self, gradients: Gradients) -> Gradients:
        grad_input = _spread(gradients, self._input_places, self._input_count)
        for hook in self._hooks:
            replaced = hook(self._module, grad_input, self._grad_output)
            if replaced is not None:
                grad_input = _as_tuple(replaced, self._input_count, "register_full_backward_hook")
        return tuple(grad_input[place] for place in self._input_places)


def _watch(
    values: tuple[Any, ...], seen: Callable[[Gradients], Gradients]
) -> tuple[tuple[Any, ...], list[int]]:
    """`values` with `_Watch` on those that a gradient flows through, and the places of these."""
    places = [i for i, v in enumerate(values) if isinstance(v, Tensor) and v.requires_grad]
    if not places:
        return values, places
    watched = list(values)
    results = _Watch.apply(seen, *(values[place] for place in places))
    for place, result in zip(places, results, strict=True):
        watched[place] = result
    return tuple(watched), places


def _spread(gradients: Gradients, places: list[int], count: int) -> Gradients:
    spread: list[Tensor | None] = [None] * count
    for place, gradient in zip(places, gradients, strict=False):
        spread[place] = gradient
    return tuple(spread)


def _as_tuple(replaced: Any, count: int, who: str) -> Gradients:
    gradients = replaced if isinstance(replaced, tuple) else (replaced,)
    if len(gradients) != count:
        raise GleedError(
            f"{who}: a hook returns None or as many gradients as it was given; "
            f"it was given {count} and returned {len(gradients)}; return None in the place of each "
            "that has no gradient"
        )
    return gradients
