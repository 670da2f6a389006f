"""The named tuples that ops with several results return, such as `gleed.return_types.sort`."""

from __future__ import annotations

from collections import namedtuple
from typing import Any


def _text(self: Any) -> str:
    fields = ",\n".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
    return f"gleed.return_types.{type(self).__name__}(\n{fields})"


def named(name: str, *fields: str) -> Any:
    """A type of named tuples that prints as PyTorch's do.

    >>> named("sort", "values", "indices")(1, 2)
    gleed.return_types.sort(
    values=1,
    indices=2)
    """
    kind = namedtuple(name, fields, module=__name__)
    kind.__repr__ = _text  # type: ignore[method-assign, assignment]
    return kind


sort, topk, kthvalue, median, nanmedian, mode, max, min, cummax, cummin = (
    named(name, "values", "indices")
    for name in (
        *("sort", "topk", "kthvalue", "median", "nanmedian"),
        *("mode", "max", "min", "cummax", "cummin"),
    )
)
aminmax = named("aminmax", "min", "max")
