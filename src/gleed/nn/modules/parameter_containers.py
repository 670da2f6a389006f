"""Containers of parameters: ParameterList and ParameterDict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NoReturn, Self

from gleed import Tensor
from gleed.errors import ArgumentError
from gleed.nn.module import Module
from gleed.nn.modules.containers import pairs, position
from gleed.nn.parameter import Parameter


def _registered(value: Any) -> Any:
    """Tensors become parameters, so that they are trained; anything else is kept as it is."""
    is_plain = isinstance(value, Tensor) and not isinstance(value, Parameter)
    return Parameter(value) if is_plain else value


def _line(name: str, value: Any, kind: str) -> str:
    if not isinstance(value, Tensor):
        return f"({name}): Object of type: {type(value).__name__}"
    label = "Parameter" if isinstance(value, Parameter) else "Tensor"
    return f"({name}): {label} containing: [{kind} of size {'x'.join(map(str, value.shape))}]"


class ParameterList(Module):
    """A list of parameters that are registered. Tensors put in it become parameters.

    >>> import gleed
    >>> weights = gleed.nn.ParameterList([gleed.zeros(2), gleed.zeros(3)])
    >>> [tuple(weight.shape) for weight in weights]
    [(2,), (3,)]
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def forward(self, *input: Any) -> NoReturn:
        """A list of parameters computes nothing."""
        raise NotImplementedError(
            "ParameterList: a list of parameters cannot be called; it has no forward; "
            "index it: parameters[0]"
        )

    def __getitem__(self, index: int | slice) -> Any:
        """The value at `index`, or a ParameterList of those of a slice."""
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return getattr(self, str(position("ParameterList", index, self._size)))

    def __setitem__(self, index: int, value: Any) -> None:
        """Replace the value at `index`."""
        setattr(self, str(position("ParameterList", index, self._size)), _registered(value))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return iter([self[i] for i in range(self._size)])

    def append(self, value: Any) -> Self:
        """Add a value behind the others."""
        self._size += 1
        self[self._size - 1] = value
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add several values behind the others."""
        if isinstance(values, Tensor) or not isinstance(values, Iterable):
            raise ArgumentError(
                "ParameterList: takes an iterable of parameters; "
                f"got {type(values).__name__}; for a single one use append"
            )
        for value in list(values):
            self.append(value)
        return self

    __iadd__ = extend

    def pop(self) -> Any:
        """Remove the last value and return it."""
        value = self[-1]
        self._size -= 1
        delattr(self, str(self._size))
        return value

    def extra_repr(self) -> str:
        """The dtype and size of each value."""
        lines = [
            _line(str(i), value, str(getattr(value, "dtype", ""))) for i, value in enumerate(self)
        ]
        return "\n".join("  " + line for line in lines)


class ParameterDict(Module):
    """Parameters by name, registered, in the order of their insertion. Tensors become parameters.

    >>> import gleed
    >>> gains = gleed.nn.ParameterDict({"left": gleed.ones(1)})
    >>> gains["left"].requires_grad
    True
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def forward(self, *input: Any) -> NoReturn:
        """A dictionary of parameters computes nothing."""
        raise NotImplementedError(
            "ParameterDict: a dictionary of parameters cannot be called; it has no forward; "
            'read it: parameters["name"]'
        )

    def __getitem__(self, key: str) -> Any:
        """The value of this name. Raises KeyError."""
        if key not in self._keys:
            raise KeyError(key)
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        """Add or replace a value."""
        if key not in self._keys:
            self._check_name(key, "parameter")
        self._keys[key] = None
        setattr(self, key, _registered(value))

    def __delitem__(self, key: str) -> None:
        """Remove a value. Raises KeyError."""
        del self._keys[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._keys.keys()

    def values(self) -> list[Any]:
        """The values."""
        return [self[key] for key in self]

    def items(self) -> list[tuple[str, Any]]:
        """Names and values."""
        return [(key, self[key]) for key in self]

    def get(self, key: str, default: Any = None) -> Any:
        """The value of this name, or `default`."""
        return self[key] if self.__contains__(key) else default

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of this name; `default` is added if there is none."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str) -> Any:
        """Remove a value and return it. Raises KeyError."""
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Remove the value added last and return it with its name. Raises KeyError."""
        if not self._keys:
            raise KeyError("ParameterDict: popitem needs an entry; the dictionary is empty")
        key = next(reversed(self._keys))
        return key, self.pop(key)

    def clear(self) -> None:
        """Remove all values."""
        for key in list(self):
            del self[key]

    def copy(self) -> ParameterDict:
        """A dictionary of its own with the same values."""
        return ParameterDict(self.items())

    def update(self, parameters: Any) -> None:
        """Add values by name, from a mapping or from pairs; a name that is there is replaced."""
        for key, value in pairs("ParameterDict", parameters):
            self[key] = value

    def __or__(self, other: ParameterDict) -> ParameterDict:
        """The values of both; `other` wins."""
        merged = self.copy()
        merged.update(other)
        return merged

    def __ior__(self, other: ParameterDict) -> Self:
        """Add the values of `other`."""
        self.update(other)
        return self

    def extra_repr(self) -> str:
        """The type and size of each value."""
        lines = [
            _line(key, value, value.type() if isinstance(value, Tensor) else "")
            for key, value in self.items()
        ]
        return "\n".join("  " + line for line in lines)
