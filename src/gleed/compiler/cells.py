"""The table of sizes that a plan evaluates when it is bound."""

from __future__ import annotations

from typing import Any

from gleed.compiler.dims import Dim, Scope, Size

Step = tuple[Any, ...]


class Cells:
    """The table of sizes that a plan evaluates when it is bound."""

    def __init__(self, scope: Scope, symbols: dict[Dim, Step] | None = None) -> None:
        self.table: list[Step] = []
        self._scope, self._symbols = scope, symbols
        self._known: dict[object, int] = {}

    def __call__(self, size: Size) -> int:
        """The cell that holds `size`."""
        return self.raw(self._scope.resolve(size))

    def raw(self, size: Size) -> int:
        """The cell of `size` as it was before decisions simplified it; for guards."""
        known = self._known.get(_key(size))
        if known is None:
            entry = self._entry(size)
            known = self._known[_key(size)] = len(self.table)
            self.table.append(entry)
        return known

    def _entry(self, size: Size) -> Step:
        if not isinstance(size, Dim):
            return ("const", size)
        if self._symbols is not None and size in self._symbols:
            return self._symbols[size]
        if size.op in ("size", "stride", "int"):
            if self._symbols is not None:
                raise KeyError(size)
            return (size.op, *size.args)
        return (size.op, *(self.raw(arg) for arg in size.args))


def _key(size: Size) -> object:
    return id(size) if isinstance(size, Dim) else ("const", size)
