"""`view(dtype)`: the bytes of a tensor read as another dtype."""

from __future__ import annotations

from functools import wraps
from typing import Any

from gleed import _C
from gleed._C import dtype as DType
from gleed.errors import ShapeError
from gleed.ops.views import view


def _reinterpreted(input: Any, dtype: DType) -> Any:
    """`view` of a dtype. Sizes, strides and the offset are counted in its elements."""
    sizes, strides, offset = [*input.shape], [*input.stride()], input.storage_offset()
    old, new = input.itemsize, dtype.itemsize
    if old != new:
        numbers = [offset, *strides[:-1]]
        _require_regular(input, dtype, max(new // old, 1))
        offset, *strides[:-1] = (n * old // new for n in numbers)
        sizes[-1] = sizes[-1] * old // new
    return _C.view_of(input, sizes, strides, offset, dtype)


@view.otherwise
@wraps(_reinterpreted)
def _(input: Any, *args: Any, **kwargs: Any) -> Any:
    dtype = args[0] if args else kwargs.get("dtype")
    alone = len(args) + len(kwargs) == 1
    if not alone or not isinstance(dtype, _C.dtype) or not isinstance(input, _C.Tensor):
        return NotImplemented
    return _reinterpreted(input, dtype)


def _require_regular(x: Any, dtype: Any, times: int) -> None:
    """Raise unless `times` elements of x that lie side by side are one of `dtype`, or parts of
    one element are."""
    rule = f"to read {x.dtype} as {dtype}, which has another width"
    if not x.ndim:
        raise ShapeError(f"view: a dim is needed {rule}; got a tensor without; unsqueeze(0) it")
    if x.stride(-1) != 1:
        raise ShapeError(
            f"view: the last stride must be 1 {rule}; got {x.stride(-1)}; use contiguous() first"
        )
    others = {f"stride {a}": n for a, n in enumerate(x.stride()[:-1])}
    parts = {"the last size": x.shape[-1], "the storage offset": x.storage_offset(), **others}
    for what, number in parts.items():
        if number % times:
            raise ShapeError(
                f"view: {what} must be divisible by {times} {rule}; got {number}; cut it off, or "
                "pad it, and use contiguous()"
            )
