"""Tables of hooks: callables that a user attaches to a tensor, a module or an optimizer."""

from __future__ import annotations

import itertools
import weakref
from typing import Any

_ids = itertools.count()


class HookTable(dict[int, Any]):
    """Hooks in the order in which they run, by the id of their handle."""

    def add(self, hook: Any, *, prepend: bool = False) -> RemovableHandle:
        """Append `hook`, or put it first, and return the handle that removes it."""
        handle = RemovableHandle(self)
        later = dict(self) if prepend else {}
        if prepend:
            self.clear()
        self[handle.id] = hook
        self.update(later)
        return handle


class RemovableHandle:
    """What registering a hook returns; `remove()` takes the hook away again.

    As a context manager it removes the hook at the end of the block. It does not keep alive what
    the hook is attached to.

    >>> table = HookTable()
    >>> handle = table.add(print)
    >>> len(table)
    1
    >>> handle.remove()
    >>> len(table)
    0
    """

    def __init__(self, table: HookTable) -> None:
        self.id = next(_ids)
        self._table = weakref.ref(table)

    def remove(self) -> None:
        """Remove the hook; once it is gone this does nothing."""
        table = self._table()
        if table is not None:
            table.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()
