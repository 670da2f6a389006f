"""`vmap`: a function of one example becomes one of a batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import gleed
from gleed.captured.function import CompiledFunction
from gleed.captured.program import Failed
from gleed.captured.structure import Form, build, take_apart
from gleed.errors import ArgumentError
from gleed.func.batch_axes import Axes, batch_size, mapped_arguments, result_axes
from gleed.func.examples import record, run_batch

Function = Callable[..., Any]


def vmap(
    func: Function,
    in_dims: Axes = 0,
    out_dims: Axes = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Function:
    """A function that does for every example of a batch what `func` does for one.

    `func` is written for one example, without an axis for others, and run once for all of them:
    on a tensor that stands for one it is put down as a program, which runs over the batch as one
    operation. That is kept, so later calls run no Python. It may use gradients (`func.grad`) and
    other `vmap`s, and be used in them, and in `gleed.compile`.

    Args:
        func: takes tensors, or tuples, lists and dictionaries of them, and returns such.
        in_dims: along which axis of every tensor argument the examples lie; None for those that are
            the same for all. One int for all arguments, or a structure like that of the arguments;
            an int in it stands for all below. Keyword arguments are the same for all.
        out_dims: likewise for the result. None: a result that is the same for all, as it is.
        randomness: whether draws are "different" for every example, the "same", or an "error".
        chunk_size: how many examples to compute at once, at most; None for all.

    Raises:
        TraceError: `func` looks at a tensor's value in Python, or writes to what is not mapped.
        ShapeError: the mapped axes have different sizes.

    >>> import gleed
    >>> a, b = gleed.arange(6.0).view(2, 3), gleed.ones(2, 3)
    >>> gleed.vmap(gleed.dot)(a, b)
    tensor([ 3., 12.])
    >>> gleed.vmap(lambda x, y: x * y, in_dims=(1, None), out_dims=1)(a, gleed.tensor([1.0, 10.0]))
    tensor([[ 0.,  1.,  2.],
            [30., 40., 50.]])
    """
    if randomness not in ("error", "different", "same"):
        raise ArgumentError(
            'vmap: randomness is "error", "different" or "same"; '
            f"got {randomness!r}; use one of these"
        )
    if chunk_size is not None and (not isinstance(chunk_size, int) or chunk_size < 1):
        raise ArgumentError(
            f"vmap: chunk_size is a whole number above 0, or None; got {chunk_size!r}; use None to "
            "compute all examples at once"
        )

    def batched(*args: Any, **kwargs: Any) -> Any:
        return map_over(func, in_dims, out_dims, randomness, chunk_size, args, kwargs)

    return kept_as_programs(func, batched)


def kept_as_programs(func: Function, run: Function) -> Function:
    """`run`, looking like `func`, each kind of call of which is captured once."""
    compiled = CompiledFunction(functools.wraps(func, updated=())(run), quiet=True)

    @functools.wraps(func, updated=())
    def kept(*args: Any, **kwargs: Any) -> Any:
        return compiled(*args, **kwargs)

    return kept


def map_over(
    func: Function,
    in_dims: Axes,
    out_dims: Axes,
    randomness: str,
    chunk_size: int | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """One call of what `vmap` returns."""
    call = _Call(func, in_dims, out_dims, randomness, args, kwargs)
    if chunk_size is None or call.size <= chunk_size:
        return call.run(call.tensors, call.size)
    return call.run_in_chunks(chunk_size)


class _Call:
    """One call of a mapped function."""

    def __init__(
        self,
        func: Function,
        in_dims: Axes,
        out_dims: Axes,
        randomness: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        self._func, self._out_dims, self._randomness = func, out_dims, randomness
        self._name = getattr(func, "__name__", type(func).__name__)
        if not args:
            raise ArgumentError(
                "vmap: it maps over arguments; got none, or only keyword arguments, which are the "
                "same for all examples; pass what is mapped by position"
            )
        _, positional = take_apart(args)
        self.tensors, self._form = take_apart((args, kwargs))  # by position first
        self._mapped = mapped_arguments(in_dims, positional, self.tensors)
        self.size = batch_size(self._mapped)

    def run(self, tensors: list[Any], size: int) -> Any:
        """The result for these tensors in place of the arguments'."""
        results, form, _ = self._run(tensors, size)
        return build(form, results)

    def _run(self, tensors: list[Any], size: int) -> tuple[list[Any], Form, list[int | None]]:
        full = {k: type(m)(tensors[k], m.axis) for k, m in self._mapped.items()}
        examples = {k: m.example() for k, m in full.items()}
        given = [examples.get(k, t) for k, t in enumerate(tensors)]
        found = record(
            self._name, self._func, self._form, given, [*examples.values()], self._randomness
        )
        axes = result_axes(self._out_dims, found.form, self._name, found.tensors)
        of = {id(examples[k]): m for k, m in full.items()}
        try:
            results = run_batch(self._name, found, of, size, axes, self._randomness)
        except Failed:
            self._fail(tensors, size)
        return results, found.form, axes

    def _fail(self, tensors: list[Any], size: int) -> None:
        """Raise the error that one of the examples meets."""
        for i in range(size):
            one = [
                t.select(self._mapped[k].axis, i) if k in self._mapped else t
                for k, t in enumerate(tensors)
            ]
            args, kwargs = build(self._form, one)
            self._func(*args, **kwargs)

    def run_in_chunks(self, chunk_size: int) -> Any:
        """The result, of a few examples at a time."""
        state = gleed.get_rng_state() if self._randomness == "same" else None
        parts = []
        k, first = next(iter(self._mapped.items()))
        size = int(self.tensors[k].shape[first.axis])  # in every call of a capture around it
        for start in range(0, size, chunk_size):
            length = min(chunk_size, size - start)
            if state is not None:
                gleed.set_rng_state(state)
            chunk = [
                t.narrow(self._mapped[k].axis, start, length) if k in self._mapped else t
                for k, t in enumerate(self.tensors)
            ]
            parts.append(self._run(chunk, length))
        results, form, axes = parts[0]
        joined = [
            y if axis is None else gleed.cat([part[0][i] for part in parts], axis)
            for i, (y, axis) in enumerate(zip(results, axes, strict=True))
        ]
        return build(form, joined)
