"""`len(x)` of tensors while a function is captured: a size that can be followed.

Python's own `len` gives plain ints. So the modules whose functions call it get one of their own for
the time of the capture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gleed._C import Tensor

_NAME = "len"


def _length(value: Any) -> Any:
    return value.shape[0] if isinstance(value, Tensor) and value.ndim else len(value)


@contextmanager
def followed_lengths(namespaces: Sequence[dict[str, Any]]) -> Iterator[None]:
    """Let `len` in these variables of modules follow the sizes of tensors, if it is Python's."""
    without = [variables for variables in namespaces if _NAME not in variables]
    for variables in without:
        variables[_NAME] = _length
    try:
        yield
    finally:
        for variables in without:
            variables.pop(_NAME, None)
