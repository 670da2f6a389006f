"""Shapes of nodes: sizes that may be unknown, or a rank that is.

>>> Shape([None, 3]), Shape(None)
(Shape([None, 3]), Shape(None))
>>> Shape([None, 3]).accepts((5, 3)), Shape([None, 3]).accepts((5, 4))
(True, False)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gleed.errors import ArgumentError, ShapeError


class Dimension(int):
    """A known size. `value` is TensorFlow's name for the number."""

    @property
    def value(self) -> int:
        """The size as a plain number."""
        return int(self)


class Shape:
    """Sizes, each a number or None for an unknown one; `Shape(None)` has an unknown rank.

    `dims` is a tuple of them, or None. Raises ArgumentError for anything that is no size.
    """

    __slots__ = ("dims",)

    def __init__(self, dims: Shape | Iterable[int | None] | int | None = None) -> None:
        if isinstance(dims, Shape):
            self.dims: tuple[int | None, ...] | None = dims.dims
        elif dims is None:
            self.dims = None
        else:
            sizes = (dims,) if hasattr(dims, "__index__") else tuple(dims)
            self.dims = tuple(map(_size, sizes))

    @property
    def ndims(self) -> int | None:
        """The number of dims; None if unknown."""
        return None if self.dims is None else len(self.dims)

    @property
    def known(self) -> bool:
        """Whether every size is."""
        return self.dims is not None and None not in self.dims

    def is_fully_defined(self) -> bool:
        """Whether every size is known, in TensorFlow's words."""
        return self.known

    def sizes(self) -> tuple[int, ...]:
        """All sizes, which must be known."""
        if self.dims is None or None in self.dims:
            raise ShapeError(f"shape: all sizes must be known; got {self}; give them when building")
        return tuple(n for n in self.dims if n is not None)

    def as_list(self) -> list[int | None]:
        """The sizes as a list. Raises ShapeError if the rank is unknown."""
        return list(self._ranked())

    def num_elements(self) -> int | None:
        """The product of the sizes; None if it is unknown."""
        if not self.known:
            return None
        count = 1
        for size in self.sizes():
            count *= size
        return count

    def accepts(self, sizes: Sequence[int]) -> bool:
        """Whether data of these sizes has this shape."""
        if self.dims is None:
            return True
        if len(self.dims) != len(sizes):
            return False
        for known, size in zip(self.dims, sizes, strict=True):
            if known is not None and known != size:
                return False
        return True

    def either(self, other: Shape) -> Shape:
        """What this shape and the other have in common."""
        if self.dims is None or other.dims is None or len(self.dims) != len(other.dims):
            return Shape(None)
        pairs = zip(self.dims, other.dims, strict=True)
        return Shape([n if n == m else None for n, m in pairs])

    def refined(self, other: Shape) -> Shape:
        """What both shapes say together. Raises ShapeError if they contradict each other."""
        if self.dims is None or other.dims is None:
            return other if self.dims is None else self
        pairs = list(zip(self.dims, other.dims, strict=False))
        if len(self) != len(other) or any(None not in (n, m) and n != m for n, m in pairs):
            raise ShapeError(
                f"set_shape: a shape can be made more precise, not changed; got {other} for "
                f"{self}; use reshape"
            )
        return Shape([m if n is None else n for n, m in pairs])

    def _ranked(self) -> tuple[int | None, ...]:
        if self.dims is None:
            raise ShapeError(
                "shape: the rank is unknown; the sizes were asked for; give the placeholder a shape"
            )
        return self.dims

    def __len__(self) -> int:
        return len(self._ranked())

    def __iter__(self) -> Iterator[int | None]:
        return iter(self._ranked())

    def __getitem__(self, index: Any) -> Any:
        found = self._ranked()[index]
        return Shape(found) if isinstance(index, slice) else found

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Shape):
            return self.dims == other.dims
        return isinstance(other, tuple | list) and self.dims == tuple(other)

    def __hash__(self) -> int:
        return hash(self.dims)

    def __str__(self) -> str:
        return "of unknown rank" if self.dims is None else f"[{', '.join(map(str, self.dims))}]"

    def __repr__(self) -> str:
        return f"Shape({None if self.dims is None else self})"


def _size(size: Any) -> int | None:
    size = getattr(size, "value", size)
    if size is None:
        return None
    if not hasattr(size, "__index__") or size.__index__() < 0:
        raise ArgumentError(
            f"shape: sizes are numbers, or None for an unknown one; got {size!r}; use [None, 784], "
            "say"
        )
    return Dimension(size)
