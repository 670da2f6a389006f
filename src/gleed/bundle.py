"""Classes of named values, as dataclasses are, but quick to define: a capture's first milliseconds
would else go into making classes.

>>> class Point(Bundle):
...     x: float
...     y: float = 0.0
>>> point = Point(1.0, y=2.0)
>>> point.x, point.y, Point(3.0).y
(1.0, 2.0, 0.0)
"""

from __future__ import annotations

from typing import Any, ClassVar, dataclass_transform


@dataclass_transform(eq_default=False)
class Bundle:
    """The values are given in order or by name. That all are is checked before anything runs: to
    type checkers this is a dataclass."""

    _names: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls) -> None:
        cls._names = tuple(cls.__annotations__)

    def __init__(self, *values: Any, **named: Any) -> None:
        own = self.__dict__
        own.update(zip(self._names, values, strict=False))
        own.update(named)
