"""Modules that are loaded when they are first used, so that `import gleed` stays quick.

>>> json = lazy("json")
>>> json.dumps([1])
'[1]'
"""

from __future__ import annotations

import importlib
from typing import Any


class Lazy:
    """Stands for a module and loads it at the first look at one of its names."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._module: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._module is None:
            self._module = importlib.import_module(self._name)
        return getattr(self._module, name)


def lazy(name: str) -> Any:
    """The module `name`, loaded when needed."""
    return Lazy(name)
