"""Jacobians and Hessians as functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gleed
from gleed.captured.structure import build, take_apart
from gleed.errors import ArgumentError
from gleed.func.gradients import Argnums, picked, replaced, vjp
from gleed.func.mapping import kept_as_programs, map_over

Function = Callable[..., Any]


def jacrev(
    func: Function, argnums: Argnums = 0, *, has_aux: bool = False, chunk_size: int | None = None
) -> Function:
    """A function that returns the Jacobian of `func`: shaped like its result, then its argument.

    Gradients of all elements of the result are computed at once, as a batch (`vmap`), and the
    whole is kept as one program.

    Args:
        func: takes tensors, or tuples, lists and dictionaries of them, and returns such.
        argnums: which argument (from 0) to differentiate by, or a tuple of several.
        has_aux: whether `func` returns a pair; then so does the result, `(Jacobian, aux)`.
        chunk_size: how many rows to compute at once, at most; None for all.

    For nested results the Jacobian is nested like the result, and inside like the argument.

    >>> import gleed
    >>> gleed.func.jacrev(gleed.sin)(gleed.zeros(2))
    tensor([[1., 0.],
            [0., 1.]])
    """

    def jacobian(*args: Any, **kwargs: Any) -> Any:
        positions = picked("jacrev", args, argnums)

        def of_picked(*values: Any) -> Any:
            return func(*replaced(args, positions, values), **kwargs)

        result, pull_back, *aux = vjp(of_picked, *(args[i] for i in positions), has_aux=has_aux)
        outputs, form = take_apart(result)
        basis = build(form, _basis(outputs))
        rows = map_over(pull_back, 0, 0, "error", chunk_size, (basis,), {})
        rows = rows if isinstance(argnums, tuple) else rows[0]
        whole = build(form, _parts(rows, outputs))
        return (whole, *aux) if has_aux else whole

    return kept_as_programs(func, jacobian)


def _basis(outputs: Sequence[Any]) -> list[Any]:
    """For every element of the outputs, a cotangent that is one there and zero elsewhere."""
    sizes = [y.numel() for y in outputs]
    total, start, parts = sum(sizes), 0, []
    if total == 0:
        raise ArgumentError("jacrev: the function's result has an element; got none; check it")
    for y, size in zip(outputs, sizes, strict=True):
        ones = gleed.eye(total, dtype=y.dtype)[:, start : start + size]
        parts.append(ones.reshape(total, *y.shape))
        start += size
    return parts


def _parts(rows: Any, outputs: Sequence[Any]) -> list[Any]:
    """The rows of a Jacobian by what they are gradients of."""
    tensors, form = take_apart(rows)
    start, parts = 0, []
    for y in outputs:
        end = start + y.numel()
        parts.append(build(form, [t[start:end].reshape(*y.shape, *t.shape[1:]) for t in tensors]))
        start = end
    return parts


def jacfwd(
    func: Function,
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    chunk_size: int | None = None,
    randomness: str = "error",
) -> Function:
    """As `jacrev`, which computes it: gradients go backwards here. `randomness` changes nothing,
    since `func` itself is not mapped.

    >>> import gleed
    >>> gleed.func.jacfwd(lambda x: x * x)(gleed.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    return jacrev(func, argnums, has_aux=has_aux, chunk_size=chunk_size)


def hessian(func: Function, argnums: Argnums = 0) -> Function:
    """A function that returns the second derivatives of `func`: the Jacobian of its Jacobian.

    >>> import gleed
    >>> gleed.func.hessian(lambda x: (x**3).sum())(gleed.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacrev(jacrev(func, argnums), argnums)
