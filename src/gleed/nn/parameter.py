"""Parameter and Buffer: tensors that register themselves when they are assigned to a module."""

from __future__ import annotations

from typing import Any

from gleed import Tensor, empty
from gleed.errors import ArgumentError


class Parameter(Tensor):
    """A tensor that a module trains.

    Assigned to an attribute of a `Module` it appears among its `parameters()` and in its
    `state_dict()`. It shares the storage of `data` and is a leaf of the graph.

    Args:
        data: the initial values, any shape and dtype; an empty tensor if None.
        requires_grad: whether it gets a gradient; only floating-point tensors can.

    >>> import gleed
    >>> gleed.nn.Parameter(gleed.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        """Share the storage of `data`."""
        return Tensor._make_subclass(cls, _values(cls, data), requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        """A parameter of its own, with a copy of the values."""
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.detach().clone(), self.requires_grad)
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Pickle as the values and whether they are trained; never the gradient."""
        return type(self), (self.data, self.requires_grad)

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        """As PyTorch prints it, with the values on lines of their own."""
        return "Parameter containing:\n" + super().__repr__()


class Buffer(Tensor):
    """A tensor that belongs to a module's state but is not trained, such as a running mean.

    Assigned to an attribute of a `Module` it appears among its `buffers()`, and in its
    `state_dict()` if it is `persistent`.

    >>> import gleed
    >>> module = gleed.nn.Module()
    >>> module.mean = gleed.nn.Buffer(gleed.zeros(2))
    >>> list(module.state_dict())
    ['mean']
    """

    persistent: bool

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Buffer:
        """Share the storage of `data`."""
        values = _values(cls, data)
        buffer = Tensor._make_subclass(cls, values, values.requires_grad)
        buffer.persistent = persistent
        return buffer


def _values(cls: type, data: Any) -> Tensor:
    if data is None:
        return empty(0)
    if not isinstance(data, Tensor):
        raise ArgumentError(
            f"{cls.__name__}: data must be a tensor; got {type(data).__name__}; "
            "make one first, with gleed.tensor(data)"
        )
    return data
