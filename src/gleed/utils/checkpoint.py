"""Checkpointing: memory traded for time, by computing parts of a model again in the backward.

A checkpointed part keeps its inputs alone; what its backward needs is computed again when a
gradient arrives (Chen et al., "Training deep nets with sublinear memory cost", 2016).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gleed
from gleed.errors import ArgumentError, GradientError, RangeError

Tensor = gleed.Tensor
CHECKS = ("default", "none")


def noop_context_fn() -> tuple[Any, Any]:
    """Two context managers that do nothing: what `context_fn` is if not given."""
    return contextlib.nullcontext(), contextlib.nullcontext()


class _Part:
    """A call that can be repeated as it was: with the random numbers and the autocast of then."""

    def __init__(
        self,
        function: Callable[..., Any],
        args: Any,
        kwargs: dict[str, Any],
        *,
        preserve_rng_state: bool,
        contexts: tuple[Any, Any],
    ) -> None:
        self._function = function
        self.tensors: list[Tensor] = []
        self._args, self._kwargs = _emptied(args, self.tensors), _emptied(kwargs, self.tensors)
        self._random = gleed.get_rng_state() if preserve_rng_state else None
        self._region = gleed.get_autocast_dtype("cpu"), gleed.is_autocast_enabled("cpu")
        self._first, self._second = contexts

    def __call__(self, tensors: Sequence[Tensor]) -> Any:
        """The call, the first time."""
        with self._first:
            return self._run(tensors)

    def again(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The tensors among the results of the call repeated."""
        dtype, enabled = self._region
        with gleed.fork_rng(enabled=self._random is not None), self._second, gleed.enable_grad():
            if self._random is not None:
                gleed.set_rng_state(self._random)
            with gleed.autocast("cpu", dtype=dtype, enabled=enabled):
                found: list[Tensor] = []
                _emptied(self._run(tensors), found)
                return found

    def _run(self, tensors: Sequence[Tensor]) -> Any:
        left = iter(tensors)
        args, kwargs = _filled(self._args, left), _filled(self._kwargs, left)
        return self._function(*args, **kwargs)


class _Hole:
    """Where a tensor was in a structure of arguments or results."""


def _emptied(value: Any, tensors: list[Tensor]) -> Any:
    """A structure with holes in the place of its tensors, which are added to `tensors`."""
    if isinstance(value, Tensor):
        tensors.append(value)
        return _Hole
    if type(value) in (list, tuple):
        return type(value)(_emptied(item, tensors) for item in value)
    if isinstance(value, tuple) and hasattr(value, "_make"):
        return value._make(_emptied(item, tensors) for item in value)
    if type(value) is dict:
        return {key: _emptied(item, tensors) for key, item in value.items()}
    return value


def _filled(value: Any, tensors: Iterator[Tensor]) -> Any:
    """The reverse of `_emptied`."""
    if value is _Hole:
        return next(tensors)
    if type(value) in (list, tuple):
        return type(value)(_filled(item, tensors) for item in value)
    if isinstance(value, tuple) and hasattr(value, "_make"):
        return value._make(_filled(item, tensors) for item in value)
    if type(value) is dict:
        return {key: _filled(item, tensors) for key, item in value.items()}
    return value


def _leaves(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The leaves that the graphs of tensors lead to."""
    nodes = {x.grad_fn: None for x in tensors if x.grad_fn is not None}
    pending, found = list(nodes), {}
    while pending:
        node = pending.pop()
        leaf = getattr(node, "variable", None)
        if leaf is not None:
            found[id(leaf)] = leaf
        for source, _ in node.next_functions:
            if source is not None and source not in nodes:
                nodes[source] = None
                pending.append(source)
    return list(found.values())


class _Checkpoint(gleed.autograd.Function):
    """Results that came without a graph, whose gradient repeats the call that they came from."""

    @staticmethod
    def forward(
        ctx: Any, part: _Part, results: tuple[Tensor, ...], checked: bool, *sources: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.part, ctx.checked = part, checked
        ctx.kinds = [(x.dtype, tuple(x.shape)) for x in results]
        ctx.save_for_backward(*sources)
        return results

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> tuple[Any, ...]:
        sources = ctx.saved_tensors
        results = [x for x in ctx.part.again(sources[: len(ctx.part.tensors)]) if x.requires_grad]
        kinds = [(x.dtype, tuple(x.shape)) for x in results]
        if ctx.checked and kinds != ctx.kinds:
            raise GradientError(
                "checkpoint: a function must give the same kinds of tensors every time; it gave "
                f"{_text(ctx.kinds)} at first and {_text(kinds)} when repeated; make it depend on "
                "its arguments alone"
            )
        wanted = [x for x in sources if x.requires_grad]
        pairs = [(y, g) for y, g in zip(results, cotangents, strict=False) if g is not None]
        gradients = iter(
            gleed.autograd.grad(
                [y for y, _ in pairs],
                wanted,
                [g for _, g in pairs],
                retain_graph=True,  # of what leads to tensors that the function has got elsewhere
                create_graph=gleed.is_grad_enabled(),
                allow_unused=True,
            )
        )
        return None, None, None, *(next(gradients) if x.requires_grad else None for x in sources)


def _text(kinds: Sequence[tuple[Any, Any]]) -> str:
    return ", ".join(f"{dtype.name} {list(shape)}" for dtype, shape in kinds) or "none"


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[Any, Any]] = noop_context_fn,
    determinism_check: str = "default",
    preserve_rng_state: bool = True,
    debug: bool = False,
    **kwargs: Any,
) -> Any:
    """`function(*args, **kwargs)`, whose intermediate values are not kept for the backward but
    computed again there. Gradients flow to tensors among the arguments, in lists, tuples and dicts
    too, and to whatever else the function uses, such as parameters; to any order.

    Unless `preserve_rng_state` is False, random numbers such as dropout's are the same both times.
    `context_fn` gives two context managers, for the first and for the second time. GradientError
    is raised in the backward where the second time does not give tensors of the shapes and dtypes
    of the first, unless `determinism_check` is "none". `use_reentrant` and `debug` are there for
    programs that pass them: there is one way of doing it, which has the limits of neither.

    >>> layer = gleed.nn.Linear(3, 3)
    >>> x = gleed.rand(2, 3)
    >>> checkpoint(layer, x, use_reentrant=False).sum().backward()
    >>> layer.weight.grad.shape
    gleed.Size([3, 3])
    """
    if determinism_check not in CHECKS:
        raise ArgumentError(
            f"checkpoint: determinism_check must be one of {', '.join(CHECKS)}; got "
            f"{determinism_check!r}; use 'default'"
        )
    contexts = context_fn()
    if not gleed.is_grad_enabled():
        with contexts[0]:
            return function(*args, **kwargs)
    part = _Part(function, args, kwargs, preserve_rng_state=preserve_rng_state, contexts=contexts)
    # Leaves in the place of the arguments keep what lies before them out of the graph.
    inputs = [x.detach().requires_grad_(x.requires_grad) for x in part.tensors]
    tensors: list[Tensor] = []
    structure = _emptied(part(inputs), tensors)
    known = {id(x) for x in inputs}
    others = [x for x in _leaves(tensors) if id(x) not in known]
    results = tuple(x.detach() for x in tensors if x.requires_grad)
    if results:
        checked = determinism_check == "default"
        results = _Checkpoint.apply(part, results, checked, *part.tensors, *others)
    attached = iter(results)
    return _filled(structure, iter([next(attached) if x.requires_grad else x for x in tensors]))


def checkpoint_sequential(
    functions: Any,
    segments: int,
    input: Any,
    use_reentrant: bool | None = None,
    **kwargs: Any,
) -> Any:
    """The functions, or the modules of an `nn.Sequential`, one after another, in that many
    `segments`, all but the last of which are checkpointed. `kwargs` as for `checkpoint`.

    >>> model = gleed.nn.Sequential(*(gleed.nn.Linear(2, 2) for _ in range(4)))
    >>> checkpoint_sequential(model, 2, gleed.rand(1, 2)).shape
    gleed.Size([1, 2])
    """
    steps = list(functions)
    if not 1 <= segments <= len(steps):
        raise RangeError(
            f"checkpoint_sequential: segments must lie in 1 … {len(steps)}, the number of "
            f"functions; got {segments}; use fewer"
        )
    size = len(steps) // segments
    last = size * (segments - 1)

    def run(part: Sequence[Callable[..., Any]], x: Any) -> Any:
        for step in part:
            x = step(x)
        return x

    for start in range(0, last, size):
        part = steps[start : start + size]
        input = checkpoint(run, part, input, use_reentrant=use_reentrant, **kwargs)
    return run(steps[last:], input)
