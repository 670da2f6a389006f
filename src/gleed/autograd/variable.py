"""`Variable`, the name that tensors with gradients once had."""

from __future__ import annotations

from typing import Any

from gleed._C import Tensor
from gleed.errors import ArgumentError


class _Instances(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor)


class Variable(metaclass=_Instances):
    """`Variable(data, requires_grad=False)` is a tensor over the memory of `data`, a leaf of the
    graph; every tensor is an instance.

    >>> import gleed
    >>> x = Variable(gleed.ones(2), requires_grad=True)
    >>> x, isinstance(x, Variable)
    (tensor([1., 1.], requires_grad=True), True)
    """

    def __new__(cls, data: Any, requires_grad: bool = False) -> Any:
        """Raises ArgumentError unless `data` is a tensor."""
        if not isinstance(data, Tensor):
            raise ArgumentError(
                f"Variable: a tensor is needed; got {type(data).__name__}; use gleed.tensor(data)"
            )
        return data.detach().requires_grad_(requires_grad)
