"""Containers of modules: Sequential, ModuleList, ModuleDict."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, NoReturn, Self

from gleed.errors import ArgumentError, BoundsError
from gleed.nn.members import MODULE, named
from gleed.nn.module import Module, indent


def position(who: str, index: int, count: int) -> int:
    """`index` counted from the front; BoundsError if there is no such place."""
    if not hasattr(index, "__index__"):
        raise ArgumentError(
            f"{who}: the index is an integer or a slice; got {index!r} of type "
            f"{type(index).__name__}; reach an entry with a name as an attribute"
        )
    place = index.__index__()
    if not -count <= place < count:
        raise BoundsError(
            f"{who}: the index must be from {-count} to {count - 1}; "
            f"index {place} is out of range; it has {count} entries"
        )
    return place % count


class IndexedModules(Module):
    """What Sequential and ModuleList share: modules in an order, by default named "0", "1", …"""

    def _items(self) -> list[tuple[str, Any]]:
        return named(self, MODULE)

    def _renumber(self, modules: Iterable[Module | None]) -> None:
        self._modules = {str(i): module for i, module in enumerate(modules)}

    def _name_at(self, index: int) -> str:
        items = self._items()
        return items[position(self._get_name(), index, len(items))][0]

    def __setitem__(self, index: int, module: Module) -> None:
        """Replace the module at `index`."""
        setattr(self, self._name_at(index), module)

    def __delitem__(self, index: int | slice) -> None:
        """Remove modules; those behind them move up, under new numbers."""
        modules = list(self)
        if not isinstance(index, slice):
            index = position(self._get_name(), index, len(modules))
        del modules[index]
        self._renumber(modules)

    def __len__(self) -> int:
        return len(self._items())

    def __iter__(self) -> Iterator[Module]:
        return iter([module for _, module in self._items()])

    def append(self, module: Module) -> Self:
        """Add a module behind the others."""
        self.add_module(str(len(self)), module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Put a module before the one at `index`; those behind it move on, under new numbers."""
        self._check_module(module)
        modules = list(self)
        modules.insert(index, module)
        self._renumber(modules)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add several modules behind the others."""
        if not isinstance(modules, Iterable):
            self._check_module(modules)
        for module in list(modules):
            self.append(module)
        return self

    def pop(self, key: int | slice = -1) -> Module:
        """Remove a module and return it."""
        module = self[key]
        del self[key]
        return module

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def _check_module(self, module: Any) -> None:
        if not isinstance(module, Module):
            self._refuse(str(len(self)), module, MODULE)


class Sequential(IndexedModules):
    """Modules one behind the other: the output of each is the input of the next.

    Made of modules, or of one OrderedDict of modules by name.

    >>> import gleed
    >>> from gleed import nn
    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> net(gleed.zeros(3, 4)).shape
    gleed.Size([3, 2])
    >>> net[1]
    ReLU()
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            self.extend(args)

    def forward(self, input: Any) -> Any:
        """Pass `input` through the modules."""
        attributes = self.__dict__
        for name, kind in attributes["_members"].items():
            if kind == MODULE:
                input = attributes[name](input)
        return input

    def __getitem__(self, index: int | slice) -> Any:
        """The module at `index`, or a Sequential of those of a slice, under the same names."""
        if isinstance(index, slice):
            return type(self)(OrderedDict(self._items()[index]))
        return getattr(self, self._name_at(index))

    def __add__(self, other: Sequential) -> Sequential:
        """The modules of both, under new numbers."""
        if not isinstance(other, Sequential):
            raise ArgumentError(
                "Sequential: + joins two Sequentials; "
                f"got {type(other).__name__}; append(module) adds a single module"
            )
        return Sequential(*self, *other)

    def __mul__(self, times: int) -> Sequential:
        """The modules repeated; they are the same objects each time."""
        return Sequential(*list(self) * self._check_times(times))

    __rmul__ = __mul__

    def __imul__(self, times: int) -> Self:
        """Repeat the modules in place."""
        modules = list(self)
        for _ in range(self._check_times(times) - 1):
            self.extend(modules)
        return self

    def _check_times(self, times: int) -> int:
        if not isinstance(times, int) or times < 1:
            raise ArgumentError(
                f"Sequential: * takes how often to repeat, an integer from 1; got {times!r}; "
                "an empty Sequential is nn.Sequential()"
            )
        return times


class ModuleList(IndexedModules):
    """A list of modules that are registered, so that their parameters are trained and saved.

    >>> from gleed import nn
    >>> nn.ModuleList([nn.Linear(10, 10) for _ in range(3)])
    ModuleList(
      (0-2): 3 x Linear(in_features=10, out_features=10, bias=True)
    )
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def forward(self, *input: Any) -> NoReturn:
        """A list does not say how its modules are called."""
        raise NotImplementedError(
            "ModuleList: a list of modules cannot be called; it has no forward; "
            "call its modules in a loop, or use Sequential"
        )

    def __getitem__(self, index: int | slice) -> Any:
        """The module at `index`, or a ModuleList of those of a slice."""
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return getattr(self, self._name_at(index))

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        """The modules of both."""
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        """One line for each run of modules that print alike."""
        lines = []
        numbered = enumerate(repr(module) for module in self)
        for text, run in groupby(numbered, key=lambda item: item[1]):
            numbers = [number for number, _ in run]
            first, count = numbers[0], len(numbers)
            label = f"({first}): " if count == 1 else f"({first}-{numbers[-1]}): {count} x "
            lines.append(label + indent(text))
        if not lines:
            return f"{self._get_name()}()"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"


class ModuleDict(Module):
    """Modules by name, registered, in the order of their insertion.

    >>> from gleed import nn
    >>> choices = nn.ModuleDict({"relu": nn.ReLU(), "tanh": nn.Tanh()})
    >>> choices["tanh"]
    Tanh()
    """

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def forward(self, *input: Any) -> NoReturn:
        """A dictionary does not say how its modules are called."""
        raise NotImplementedError(
            "ModuleDict: a dictionary of modules cannot be called; it has no forward; "
            'call one of its modules: modules["name"](input)'
        )

    def __getitem__(self, key: str) -> Any:
        """The module of this name. Raises KeyError."""
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        """Add or replace a module."""
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        """Remove a module. Raises KeyError."""
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Remove all modules."""
        self._modules = {}

    def pop(self, key: str) -> Module:
        """Remove a module and return it. Raises KeyError."""
        return self._modules.pop(key)

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> Iterable[Any]:
        """The modules."""
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Names and modules."""
        return self._modules.items()

    def update(self, modules: Any) -> None:
        """Add modules by name, from a mapping or from pairs; a name that is there is replaced."""
        for key, module in pairs("ModuleDict", modules):
            self[key] = module


def pairs(who: str, entries: Any) -> list[tuple[str, Any]]:
    """The names and values of a mapping, or of an iterable of pairs."""
    if isinstance(entries, Mapping | ModuleDict) or hasattr(entries, "items"):
        return list(entries.items())
    found = []
    for i, pair in enumerate(entries if isinstance(entries, Iterable) else [entries]):
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise ArgumentError(
                f"{who}: takes a mapping, or pairs of a name and a value; "
                f"entry {i} is {type(pair).__name__}; write {{name: value}}"
            )
        found.append((pair[0], pair[1]))
    return found
