"""Which tensors are mapped over, and along which axes: `in_dims` and `out_dims`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gleed.captured.memory import place_of
from gleed.captured.structure import Branch, Fixed, Form, Leaf
from gleed.errors import ArgumentError, RangeError, ShapeError
from gleed.func.examples import Mapped

Axes = Any  # an int, None, or a structure of these


def spread(axes: Axes, form: Form, rule: str) -> Iterator[tuple[Leaf | Fixed, int | None]]:
    """The leaves of a form, each with the axis that stands where it does, or above it."""
    if axes is None or (isinstance(axes, int) and not isinstance(axes, bool)):
        for leaf in _leaves(form):
            yield leaf, axes
        return
    if not isinstance(axes, tuple | list | dict):
        raise ArgumentError(f"vmap: {rule}; got {type(axes).__name__}; use an int, or None")
    parts = _parts(axes, form)
    if parts is None or not isinstance(form, Branch):
        raise ArgumentError(
            f"vmap: {rule}; got {axes!r} for {_shown(form)}; use one int (or None) for all of it"
        )
    for part, item in zip(parts, form.items, strict=True):
        yield from spread(part, item, rule)


def _parts(axes: Any, form: Form) -> list[Axes] | None:
    """What stands for each item of a form, or None where these are others."""
    if not isinstance(form, Branch) or len(axes) != len(form.items):
        return None
    if form.keys is None:
        return None if isinstance(axes, dict) else list(axes)
    if not isinstance(axes, dict) or set(axes) != set(form.keys):
        return None
    return [axes[key] for key in form.keys]


def _leaves(form: Form) -> Iterator[Leaf | Fixed]:
    if isinstance(form, Branch):
        for item in form.items:
            yield from _leaves(item)
    else:
        yield form


def _shown(form: Form) -> str:
    """A form in words."""
    if not isinstance(form, Branch):
        return type(form.value).__name__ if isinstance(form, Fixed) else "a tensor"
    return f"a {form.kind.__name__} of {len(form.items)}"


def mapped_arguments(in_dims: Axes, form: Form, tensors: list[Any]) -> dict[int, Mapped]:
    """By number the tensors among the arguments, whose form is `form`, that are mapped over."""
    if not isinstance(in_dims, int | tuple | list) or isinstance(in_dims, bool):
        raise ArgumentError(
            "vmap: in_dims is an int, or a tuple with something for every argument; got "
            f"{type(in_dims).__name__}; use 0, or a tuple"
        )
    found: dict[int, Mapped] = {}
    for leaf, axis in spread(in_dims, form, "in_dims has the structure of the arguments"):
        if axis is None:
            continue
        if isinstance(leaf, Fixed):
            raise ArgumentError(
                f"vmap: only tensors are mapped over; in_dims has {axis} for "
                f"{type(leaf.value).__name__} {leaf.value!r}; use None there"
            )
        tensor = tensors[leaf.k]
        sizes = place_of(tensor)[3]
        if not -len(sizes) <= axis < len(sizes):
            raise RangeError(
                f"vmap: in_dims must be axes of the tensors; got {axis} for a tensor of shape "
                f"{sizes}; {_axes_of(sizes)}"
            )
        found[leaf.k] = Mapped(tensor, axis % len(sizes))
    return found


def _axes_of(sizes: tuple[int, ...]) -> str:
    """What can be said instead of an axis that is not there."""
    return f"use {-len(sizes)} … {len(sizes) - 1}" if sizes else "use None for a 0-d tensor"


def batch_size(mapped: dict[int, Mapped]) -> int:
    """How many examples there are."""
    if not mapped:
        raise ArgumentError(
            "vmap: at least one tensor is mapped over; got none; give it an axis in in_dims"
        )
    first, *others = mapped.values()
    for other in others:
        if other.size != first.size:
            raise ShapeError(
                "vmap: all that is mapped over has one size there; got "
                f"{first.size} (axis {first.axis} of shape {place_of(first.tensor)[3]}) and "
                f"{other.size} (axis {other.axis} of shape {place_of(other.tensor)[3]}); "
                "check in_dims"
            )
    return first.size


def result_axes(out_dims: Axes, form: Form, name: str, tensors: list[Any]) -> list[int | None]:
    """For every tensor in a result, whose form is `form`, where the examples are to lie."""
    found: list[int | None] = []
    for leaf, axis in spread(out_dims, form, "out_dims has the structure of the result"):
        if isinstance(leaf, Fixed):
            if axis is None:
                continue
            raise ArgumentError(
                f"vmap: a function that is mapped returns tensors; {name} returned "
                f"{type(leaf.value).__name__}; make it a tensor, or give it the out_dim None"
            )
        ndim = len(place_of(tensors[leaf.k])[3]) + 1
        if axis is not None and not -ndim <= axis < ndim:
            raise RangeError(
                f"vmap: out_dims must be axes of the results; got {axis} for one of {ndim} dims; "
                f"use {-ndim} … {ndim - 1}"
            )
        found.append(None if axis is None else axis % ndim)
    return found
