"""Settings that hold for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def temporarily(variables: dict[str, Any], **settings: Any) -> Iterator[None]:
    """Set variables within a `with`, and set them back after it.

    >>> variables = {"a": 1}
    >>> with temporarily(variables, a=2):
    ...     variables["a"]
    2
    >>> variables["a"]
    1
    """
    before = {name: variables[name] for name in settings}
    variables.update(settings)
    try:
        yield
    finally:
        variables.update(before)
