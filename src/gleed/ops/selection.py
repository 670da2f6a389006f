"""Choosing elements by their values: positions, masks, distinct values. Most results have a size that
depends on data."""

from __future__ import annotations

from typing import Any

from gleed import _C
from gleed import primitives as p
from gleed.ops import arithmetic
from gleed.ops.record import Tensor, op


# ---- positions
@op(method=True, out=True)
def nonzero(input: Tensor) -> Tensor:
    """The positions of the elements that are not zero, as rows in row-major order; with
    `as_tuple=True` one vector of indices per dim, as indexing takes them.

    >>> gleed.nonzero(gleed.tensor([[1, 0], [0, 2]]))
    tensor([[0, 0],
            [1, 1]])
    >>> gleed.nonzero(gleed.tensor([0, 3, 4]), as_tuple=True)
    (tensor([1, 2]),)
    """
    return p.nonzero(input, by_axis=False)


@nonzero.samples
def _(make: Any) -> Any:
    for shape in ((5,), (3, 4), (2, 3, 4), (), (0, 3), (3, 0)):
        yield make.call(make.integers(shape, 0, 2))


@op(name="_nonzero_by_axis", namespace="")
def nonzero_by_axis(input: Tensor) -> Tensor:
    """As `nonzero`, with one row per dim."""
    x = p.reshape(input, shape=(1,)) if input.ndim == 0 else input
    return p.nonzero(x, by_axis=True)


@nonzero.otherwise
def _(*args: Any, as_tuple: Any = None, **named: Any) -> Any:
    if not isinstance(as_tuple, bool):
        return NotImplemented
    if not as_tuple:
        return nonzero.public(*args, **named)
    return nonzero_by_axis.public(*args, **named).unbind()


@op(method=True)
def argwhere(input: Tensor) -> Tensor:
    """The positions of the elements that are not zero, as rows.

    >>> gleed.argwhere(gleed.tensor([0, 3, 4]))
    tensor([[1],
            [2]])
    """
    return nonzero(input)


@arithmetic.where.otherwise
def _(condition: Any, *rest: Any, **named: Any) -> Any:
    if rest or named or not isinstance(condition, _C.Tensor):
        return NotImplemented
    return nonzero_by_axis.public(condition).unbind()


@argwhere.samples
def _(make: Any) -> Any:
    yield make.call(make.integers((3, 4), 0, 2))
