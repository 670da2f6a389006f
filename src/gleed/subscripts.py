"""`x[index]` and `x[index] = value` beyond whole numbers and slices.

Masks become positions, lists become tensors; what remains is a basic index (a view), then an index
of integer tensors along some axes.
"""

from __future__ import annotations

from typing import Any

from gleed import _C
from gleed._C import Tensor
from gleed.errors import BoundsError, DTypeError, ShapeError
from gleed.ops.record import OPS

_index, _index_put = OPS["index"].public, OPS["_index_put_"].public
_copy = OPS["copy_"].public


def get_item(tensor: Tensor, index: Any) -> Tensor:
    """The elements at an index with tensors, lists or masks."""
    view, axes, places = _resolved(tensor, index)
    return _index(view, axes, places) if axes else view


def set_item(tensor: Tensor, index: Any, value: Any) -> None:
    """Overwrite the elements at any index."""
    mask = index[0] if isinstance(index, tuple) and len(index) == 1 else index
    whole = isinstance(mask, Tensor) and mask.dtype is _C.bool and mask.shape == tensor.shape
    if whole and (not isinstance(value, Tensor) or value.numel() == 1):
        tensor.masked_fill_(mask, value if not isinstance(value, Tensor) else value.reshape(()))
        return
    view, axes, places = _resolved(tensor, index)
    source = value if isinstance(value, Tensor) else _C.tensor_from_data(value, tensor.dtype)
    if axes:
        _index_put(view, axes, places, source)
        return
    while source.ndim > view.ndim and source.shape[0] == 1:
        source = source[0]
    _copy(view, source)


def _resolved(tensor: Tensor, index: Any) -> tuple[Tensor, tuple[int, ...], list[Tensor]]:
    """A view by the basic part of an index, and the axes of it that integer tensors select from."""
    items = _expanded(tensor, list(index) if isinstance(index, tuple) else [index])
    basic = tuple(slice(None) if isinstance(item, Tensor) else item for item in items)
    simple = all(isinstance(item, slice) and item == slice(None) for item in basic)
    view = tensor if simple and any(isinstance(i, Tensor) for i in items) else tensor[basic]
    axes, places, axis = [], [], 0
    for item in items:
        if isinstance(item, Tensor):
            axes.append(axis)
            places.append(item)
        axis += 0 if isinstance(item, int) and not isinstance(item, bool) else 1
    return view, tuple(axes), places


def _expanded(tensor: Tensor, items: list[Any]) -> list[Any]:
    """One entry per axis: an ellipsis spelt out, masks as positions, lists as tensors."""
    items = [_as_index(item) for item in items]
    used = sum(_axes_taken(item) for item in items if item is not ...)
    if used > tensor.ndim:
        raise BoundsError(
            f"index: too many indices; {used} came for {tensor.ndim} dims; drop some, or unsqueeze"
        )
    result: list[Any] = []
    axis = 0
    for item in items:
        if item is ...:
            result.extend([slice(None)] * (tensor.ndim - used))
            axis += tensor.ndim - used
        elif isinstance(item, Tensor) and item.dtype is _C.bool:
            result.extend(_positions(tensor, item, axis))
            axis += item.ndim
        else:
            result.append(item)
            axis += _axes_taken(item)
    return result


def _axes_taken(item: Any) -> int:
    if item is None:
        return 0
    return item.ndim if isinstance(item, Tensor) and item.dtype is _C.bool else 1


def _as_index(item: Any) -> Any:
    """An entry of an index as int, slice, None, Ellipsis or a tensor of int64 or bool."""
    if isinstance(item, bool):
        return _C.tensor_from_data(item, _C.bool)
    if item is None or item is ... or isinstance(item, int | slice):
        return item
    if not isinstance(item, Tensor):
        item = _C.tensor_from_data(item, None)
        if item.numel() == 0:
            item = item.to(_C.int64)
    if item.dtype is _C.uint8:
        item = item.to(_C.bool)
    if item.dtype is not _C.bool and (item.dtype.is_floating_point or item.dtype.is_complex):
        raise DTypeError(
            f"index: tensors used as indices must be integers or bool; got {item.dtype}; convert "
            "with .long()"
        )
    return item


def _positions(tensor: Tensor, mask: Tensor, axis: int) -> list[Tensor]:
    """The integer tensors that stand for a mask."""
    for k in range(mask.ndim):
        if mask.shape[k] != tensor.shape[axis + k]:
            raise ShapeError(
                f"index: a mask must have the size of what it masks; got {list(mask.shape)} for "
                f"dims {list(tensor.shape)} from dim {axis} on; check its shape"
            )
    return list(mask.nonzero(as_tuple=True))
