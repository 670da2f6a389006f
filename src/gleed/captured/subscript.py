"""Basic indices in symbols: `x[:, :t]` where sizes are followed (see native/indexing.cpp)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gleed.followed import is_followed

Parts = tuple[tuple[int, ...], tuple[Any, ...]]
_SELECT, _SLICE, _NEW, _SKIP = range(4)


def basic_index(sizes: Sequence[Any], index: Any) -> Parts | None:
    """The code and the integers of an index into a tensor of these sizes.

    None where nothing is followed, and where there is more to it than ints, slices, None and
    Ellipsis: the core then does as ever.
    """
    items = index if isinstance(index, tuple) else (index,)
    numbers = [*sizes]
    for item in items:
        numbers += (item.start, item.stop, item.step) if isinstance(item, slice) else (item,)
    if not any(map(is_followed, numbers)):
        return None
    taken = sum(item is not None and item is not ... for item in items)
    if taken > len(sizes) or sum(item is ... for item in items) > 1:
        return None
    code: list[int] = []
    ints: list[Any] = []
    axis = 0
    for item in items:
        if item is None:
            code.append(_NEW)
        elif item is ...:
            code += (_SKIP, len(sizes) - taken)
            axis += len(sizes) - taken
        else:
            part = _part(sizes[axis], item)
            if part is None:
                return None
            code += part[0]
            ints += part[1]
            axis += 1
    return tuple(code), tuple(ints)


def _part(size: Any, item: Any) -> Parts | None:
    """What an int or a slice takes of an axis; None if it is no such thing or out of range."""
    if isinstance(item, slice):
        step = 1 if item.step is None else item.step
        return _slice(size, item.start, item.stop, int(step)) if _is_int(step) else None
    if not _is_int(item):
        return None
    start = item + size if item < 0 else item
    return ((_SELECT,), (start,)) if 0 <= start < size else None


def _slice(size: Any, start: Any, stop: Any, step: int) -> Parts | None:
    if step < 1 or not all(bound is None or _is_int(bound) for bound in (start, stop)):
        return None
    first = 0 if start is None else _within(size, start)
    end = size if stop is None else _within(size, stop)
    if end <= first:
        return (_SLICE, 1), (0, 0)
    length = end - first
    if step > 1:
        length = (length + (step - 1)) // step
        step = step if length > 1 else 1
    return (_SLICE, step), (first, length)


def _within(size: Any, bound: Any) -> Any:
    """The bound of a slice as a position from the start of the axis."""
    if bound < 0:
        bound = bound + size
        return 0 if bound < 0 else bound
    return size if bound > size else bound


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
