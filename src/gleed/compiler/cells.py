"""Sizes as a plan has them: a table of cells, and what steps are told of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from gleed.compiler.dims import Dim, Scope, Size, identity

Step = tuple[Any, ...]
# Steps that consist of steps, and where these begin.
INNER = {"loop": 3, "branch": 2, "while": 2}


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

    def stride(self, number: int, axis: int) -> Size | None:
        """The stride of an input of the trace, if it is one that something was decided about."""
        return None if self._symbols is not None else self._scope.known(("stride", number, axis))

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


def numbers(attrs: Iterable[object]) -> Iterator[Size]:
    """The attributes that a routine is told: numbers, and those in tuples."""
    for attr in attrs:
        if isinstance(attr, tuple):
            yield from numbers(attr)
        elif isinstance(attr, int | Dim):
            yield attr if isinstance(attr, Dim) else int(attr)


def movement_arguments(movement: str, attrs: dict[str, Any], cell: Callable[[Size], int]) -> Any:
    """The arguments of a "view" step."""
    if movement == "permute":
        return attrs["axes"]
    if movement == "slice":
        return (attrs["axis"], cell(attrs["start"]), attrs["step"], cell(attrs["length"]))
    if movement == "diagonal":
        return (attrs["axis1"], attrs["axis2"], cell(attrs["offset"]))
    if movement == "window":
        return (attrs["axis"], cell(attrs["size"]), cell(attrs["step"]))
    if movement == "as_strided":
        offset = attrs["offset"]
        return (tuple(cell(n) for n in attrs["strides"]), -1 if offset is None else cell(offset))
    return ()


def is_whole(shape: tuple[Size, ...], axis: int, start: Size, step: int, length: Size) -> bool:
    """Whether a slice is known to be all of what it is taken of."""
    return (
        step == 1 and identity(start) == identity(0) and identity(length) == identity(shape[axis])
    )
