"""Ops that copy what the op of the same name without `_copy` gives a view of."""

from __future__ import annotations

import functools
from typing import Any

from gleed import primitives as p
from gleed.ops import views
from gleed.ops.record import Op, Tensor, op


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


@alias_copy.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((2, 3)))


for _name in (
    *("as_strided", "diagonal", "expand", "narrow", "permute", "select", "split", "squeeze", "t"),
    *("transpose", "unbind", "unfold", "unsqueeze", "view"),
):
    _copying(getattr(views, _name), _name)
