"""The members of a module: its parameters, its buffers and its submodules.

They live in the instance's own `__dict__`, so that reading `module.weight` is one lookup. Beside
them the module keeps `_members`, which says of what kind each name is and in which order they were
registered. `module._parameters`, `module._buffers` and `module._modules` are views of these two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gleed.nn.module import Module

PARAMETER = "parameter"
BUFFER = "buffer"
MODULE = "module"


def store(module: Module, name: str, value: Any, kind: str) -> None:
    """Make `value` the member `name`; a name that changes its kind moves to the end."""
    attributes = module.__dict__
    kinds = attributes["_members"]
    if kinds.get(name, kind) != kind:
        remove(module, name)
    kinds[name] = kind
    attributes[name] = value


def remove(module: Module, name: str) -> None:
    """Forget the member `name`."""
    attributes = module.__dict__
    del attributes["_members"][name]
    del attributes[name]
    attributes["_non_persistent_buffers_set"].discard(name)


def named(module: Module, kind: str) -> list[tuple[str, Any]]:
    """The members of one kind with their names, as registered; some may be None."""
    attributes = module.__dict__
    return [(name, attributes[name]) for name, k in attributes["_members"].items() if k == kind]


def replace(module: Module, values: Mapping[str, Any], kind: str) -> None:
    """Make `values` the members of one kind, in place of those that were there."""
    fresh = dict(values)
    attributes = module.__dict__
    # A replica made by copying the `__dict__` still shares these with its original.
    attributes["_members"] = attributes["_members"].copy()
    attributes["_non_persistent_buffers_set"] = attributes["_non_persistent_buffers_set"].copy()
    for name, _ in named(module, kind):
        if name not in fresh:
            remove(module, name)
    for name, value in fresh.items():
        attributes["_members"].pop(name, None)
        store(module, name, value, kind)


class Members(MutableMapping[str, Any]):
    """The members of one kind as a mapping; writing to it sets attributes of the module.

    >>> import gleed
    >>> linear = gleed.nn.Linear(2, 1)
    >>> list(linear._parameters)
    ['weight', 'bias']
    >>> linear._parameters["bias"] = None
    >>> linear
    Linear(in_features=2, out_features=1, bias=False)
    """

    __slots__ = ("_kind", "_module")

    def __init__(self, module: Module, kind: str) -> None:
        self._module = module
        self._kind = kind

    def __getitem__(self, name: str) -> Any:
        attributes = self._module.__dict__
        if attributes["_members"].get(name) != self._kind:
            raise KeyError(name)
        return attributes[name]

    def __setitem__(self, name: str, value: Any) -> None:
        store(self._module, name, value, self._kind)

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        remove(self._module, name)

    def __contains__(self, name: object) -> bool:
        return self._module.__dict__["_members"].get(name) == self._kind

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in named(self._module, self._kind)])

    def __len__(self) -> int:
        return len(named(self._module, self._kind))

    def copy(self) -> dict[str, Any]:
        """A plain dictionary, independent of the module."""
        return dict(named(self._module, self._kind))

    def __repr__(self) -> str:
        return repr(self.copy())

    def __reduce__(self) -> tuple[Any, ...]:
        # Copied or pickled on its own, the view no longer belongs to a module.
        return dict, (self.copy(),)


class MembersOfKind:
    """The attribute `_parameters`, `_buffers` or `_modules` of a module."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __get__(self, module: Module, owner: type) -> Members:
        return Members(module, self._kind)

    def __set__(self, module: Module, values: Mapping[str, Any]) -> None:
        replace(module, values, self._kind)
