"""Derivatives of functions, as functions: `grad`, `grad_and_value`, `vjp`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import gleed
from gleed import _C, autograd
from gleed.captured.memory import place_of
from gleed.captured.structure import Form, build, take_apart
from gleed.errors import ArgumentError, DTypeError, GradientError, RangeError, ShapeError

Function = Callable[..., Any]
Argnums = int | tuple[int, ...]


class Primals:
    """Arguments that a function is differentiated with respect to.

    Each becomes a tensor that nothing but this derivative knows of. If one has a history, or the
    function uses something that requires grad, derivatives have a history, too.
    """

    def __init__(self, name: str, values: Any) -> None:
        self.given, self.form = take_apart(values)
        for tensor in self.given:
            if not tensor.is_floating_point():
                raise DTypeError(
                    f"{name}: what is differentiated by must be floating point; got "
                    f"{tensor.dtype}; convert it with .float()"
                )
        if not self.given:
            raise ArgumentError(
                f"{name}: there must be a tensor to differentiate by; got none; check argnums"
            )
        self._name = name
        self._outer = _C.is_grad_enabled()
        self._known = self._outer and any(t.requires_grad for t in self.given)
        self.tensors = [self._own(t) for t in self.given]
        self._versions = [t._version for t in self.tensors]

    def _own(self, tensor: Any) -> Any:
        if self._outer and tensor.requires_grad:
            with gleed.enable_grad():
                return tensor.view_as(tensor)
        return tensor.detach().requires_grad_()

    @property
    def values(self) -> Any:
        """The arguments to call the function with."""
        return build(self.form, self.tensors)

    def check_unwritten(self) -> None:
        """Raise if the function has written to its arguments."""
        for tensor, version in zip(self.tensors, self._versions, strict=True):
            if tensor._version != version:
                raise GradientError(
                    f"{self._name}: a function that is differentiated does not write to its "
                    f"arguments; it wrote to one of shape {place_of(tensor)[3]}; use a clone()"
                )

    def is_seen(self, outputs: Sequence[Any]) -> bool:
        """Whether someone outside may differentiate what depends on these outputs."""
        return self._known or (self._outer and _depends(outputs, self.tensors))

    def pull_back(
        self, outputs: Sequence[Any], cotangents: Sequence[Any], history: bool, retain: bool
    ) -> list[Any]:
        """One gradient for every argument, with a history or without."""
        some = [(y, g) for y, g in zip(outputs, cotangents, strict=True) if y.requires_grad]
        if not some:
            return [gleed.zeros_like(t) for t in self.given]
        found = autograd.grad(
            [y for y, _ in some],
            self.tensors,
            [g for _, g in some],
            retain_graph=retain or history,
            create_graph=history,
            materialize_grads=True,
        )
        return list(found)

    def seen(self, tensors: Sequence[Any], history: bool) -> list[Any]:
        """Tensors as the caller sees them."""
        return list(tensors) if history else [t.detach() for t in tensors]


def _depends(outputs: Sequence[Any], own: Sequence[Any]) -> bool:
    """Whether outputs have a history that leads to other leaves than one's own."""
    leaves = {id(t) for t in own}
    stack = [y.grad_fn for y in outputs if y.grad_fn is not None]
    seen = set()
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if variable is not None and id(variable) not in leaves:
            return True
        stack.extend(following for following, _ in node.next_functions if following is not None)
    return any(y.grad_fn is None and y.requires_grad and id(y) not in leaves for y in outputs)


def picked(name: str, args: tuple[Any, ...], argnums: Argnums) -> tuple[int, ...]:
    """The positions of the arguments to differentiate by."""
    numbers = argnums if isinstance(argnums, tuple) else (argnums,)
    for n in numbers:
        if isinstance(n, bool) or not isinstance(n, int):
            raise ArgumentError(
                f"{name}: argnums is an int or a tuple of ints; got {argnums!r}; count from 0"
            )
        if not -len(args) <= n < len(args):
            raise RangeError(
                f"{name}: argnums must be positions of arguments; got {n} for {len(args)} "
                "arguments; count from 0"
            )
    positions = tuple(n % len(args) for n in numbers)
    if not positions or len(set(positions)) < len(positions):
        raise ArgumentError(
            f"{name}: argnums names each argument once; got {argnums!r}; leave out what is double"
        )
    return positions


def replaced(args: tuple[Any, ...], positions: tuple[int, ...], values: Sequence[Any]) -> list[Any]:
    """Arguments with others at some positions."""
    changed = dict(zip(positions, values, strict=True))
    return [changed.get(i, x) for i, x in enumerate(args)]


def split_aux(name: str, result: Any, has_aux: bool) -> tuple[Any, Any]:
    """What a function returned, and what it returned beside it."""
    if not has_aux:
        return result, None
    if not isinstance(result, tuple) or len(result) != 2:
        raise ArgumentError(
            f"{name}: with has_aux the function returns a pair (output, aux); got "
            f"{type(result).__name__}; return both"
        )
    return result


def detached(values: Any, primals: Primals) -> Any:
    """Values as the caller sees them: with a history if that is the caller's, too."""
    tensors, form = take_apart(values)
    return build(
        form, [t if not t.requires_grad or primals.is_seen([t]) else t.detach() for t in tensors]
    )


def grad_and_value(func: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """A function that returns the gradient of `func` and its value.

    As `grad`; the results are `(gradient, value)`, or `(gradient, (value, aux))` with `has_aux`.

    >>> import gleed
    >>> gleed.func.grad_and_value(lambda x: x**2)(gleed.tensor(3.0))
    (tensor(6.), tensor(9.))
    """
    return _derivative("grad_and_value", func, argnums, has_aux)


def _derivative(name: str, func: Function, argnums: Argnums, has_aux: bool) -> Function:
    """What `grad_and_value` returns; errors are those of `name`."""

    @functools.wraps(func, updated=())
    def derivative(*args: Any, **kwargs: Any) -> Any:
        positions = picked(name, args, argnums)
        primals = Primals(name, [args[i] for i in positions])
        with gleed.enable_grad():
            given = replaced(args, positions, primals.values)
            value, aux = split_aux(name, func(*given, **kwargs), has_aux)
            _require_scalar(name, value)
            primals.check_unwritten()
            history = primals.is_seen([value])
            found = primals.pull_back([value], [gleed.ones_like(value)], history, retain=False)
        gradients = build(primals.form, primals.seen(found, history))
        (value,) = primals.seen([value], history)
        gradient = tuple(gradients) if isinstance(argnums, tuple) else gradients[0]
        return (gradient, (value, detached(aux, primals))) if has_aux else (gradient, value)

    return derivative


def _require_scalar(name: str, value: Any) -> None:
    if not isinstance(value, gleed.Tensor):
        raise ArgumentError(
            f"{name}: the function returns a tensor; got {type(value).__name__}; give has_aux=True "
            "if it returns more"
        )
    if place_of(value)[3] != ():
        raise ShapeError(
            f"{name}: the function returns one number, of 0 dims; got shape {place_of(value)[3]}; "
            "sum() it, or use jacrev"
        )


def grad(func: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """A function that returns the gradient of `func`.

    Args:
        func: returns one number as a 0-d tensor; with `has_aux` a pair of it and something more.
        argnums: which argument (from 0) to differentiate by, or a tuple of several. An argument may
            be a tensor, or a tuple, list or dictionary of tensors; the gradient is made alike.
        has_aux: whether `func` returns a pair; then so does the result, `(gradient, aux)`.

    What `func` uses besides its arguments may require grad: then gradients have a history.

    >>> import gleed
    >>> from gleed.func import grad
    >>> grad(gleed.sin)(gleed.tensor(0.0))
    tensor(1.)
    >>> grad(grad(lambda x: x**3))(gleed.tensor(2.0))
    tensor(12.)
    >>> grad(lambda p: p["a"] * p["b"])({"a": gleed.tensor(2.0), "b": gleed.tensor(5.0)})
    {'a': tensor(5.), 'b': tensor(2.)}
    """
    both = _derivative("grad", func, argnums, has_aux)

    @functools.wraps(func, updated=())
    def derivative(*args: Any, **kwargs: Any) -> Any:
        gradient, value = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return derivative


def vjp(func: Function, *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """`func(*primals)`, and a function from a cotangent of it to the gradients of `primals`.

    Args:
        func: takes tensors, or tuples, lists and dictionaries of them, and returns such.
        primals: what to call it with, and to differentiate by.
        has_aux: whether `func` returns a pair; then `aux` is returned last.

    The function takes what looks like the result, and returns a gradient, or a tuple of them for
    several primals. It may be called many times, and mapped with `vmap`.

    >>> import gleed
    >>> y, pull_back = gleed.func.vjp(gleed.sin, gleed.tensor([0.0, 1.0]))
    >>> pull_back(gleed.tensor([2.0, 0.0]))
    (tensor([2., 0.]),)
    """
    own = Primals("vjp", list(primals))
    with gleed.enable_grad():
        result, aux = split_aux("vjp", func(*own.values), has_aux)
    own.check_unwritten()
    outputs, form = take_apart(result)
    if not outputs:
        raise ArgumentError(
            f"vjp: the function returns tensors; got {type(result).__name__}; return what depends "
            "on its arguments"
        )
    history = own.is_seen(outputs)

    def pull_back(*cotangents: Any) -> Any:
        (given,) = cotangents if len(cotangents) == 1 else (cotangents,)
        vectors, given_form = take_apart(given)
        _require_alike(outputs, form, vectors, given_form)
        deep = _C.is_grad_enabled() and (history or any(g.requires_grad for g in vectors))
        found = own.pull_back(outputs, vectors, deep, retain=True)
        return tuple(build(own.form, own.seen(found, deep)))

    shown = detached(result, own)
    return (shown, pull_back, detached(aux, own)) if has_aux else (shown, pull_back)


def _require_alike(outputs: Sequence[Any], form: Form, vectors: Sequence[Any], given: Form) -> None:
    if form != given:
        raise ArgumentError(
            "vjp: the cotangent has the structure of the function's result; got "
            f"{len(vectors)} tensors for {len(outputs)}; nest it the same way"
        )
    for y, g in zip(outputs, vectors, strict=True):
        if place_of(y)[3] != place_of(g)[3]:
            raise ShapeError(
                "vjp: a cotangent has the shape of what it belongs to; got shape "
                f"{place_of(g)[3]} for a result of shape {place_of(y)[3]}; reshape it"
            )
