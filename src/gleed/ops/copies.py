"""Ops that copy what the op of the same name without `_copy` gives a view of."""

from __future__ import annotations

import functools
from typing import Any

from gleed import primitives as p
from gleed.ops import views
from gleed.ops.record import Op, Tensor, function, op


def _copying(record: Op, name: str) -> None:
    """Define `name`_copy from the record of a view."""
    overload = record.overloads[0]

    @functools.wraps(overload.body)
    def body(*args: Any, **kwargs: Any) -> Any:
        result = overload.body(*args, **kwargs)
        return tuple(map(p.copy, result)) if isinstance(result, tuple) else p.copy(result)

    body.__doc__ = f"As `{name}`, in memory of its own."
    copying = op(name=f"{name}_copy", result=overload.result)(body)
    copying.overloads[0].parameters = overload.parameters
    for make in overload.samples:
        copying.samples(make)


@op()
def alias_copy(input: Tensor) -> Tensor:
    """A copy with memory of its own.

    >>> gleed.alias_copy(gleed.tensor([1, 2]))
    tensor([1, 2])
    """
    return p.copy(input)


@function()
def as_strided_copy(input: Any, size: Any, stride: Any, storage_offset: int | None = None) -> Any:
    """As `as_strided`, in memory of its own.

    >>> import gleed
    >>> gleed.as_strided_copy(gleed.arange(4), (2, 2), (1, 1))
    tensor([[0, 1],
            [1, 2]])
    """
    return views.as_strided(input, size, stride, storage_offset).clone()


@alias_copy.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((2, 3)))


for _name in (
    *("diagonal", "expand", "narrow", "permute", "select", "split", "squeeze", "t"),
    *("transpose", "unbind", "unfold", "unsqueeze", "view"),
):
    _copying(getattr(views, _name), _name)
