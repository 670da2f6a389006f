"""Parameter and Buffer: tensors that register themselves when they are assigned to a module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from gleed import Tensor, empty
from gleed.errors import ArgumentError, ShapeError


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


class Uninitialized(Tensor):
    """What a parameter and a buffer without a shape share; a lazy module gives them theirs."""

    becomes: ClassVar[type[Tensor]]

    @property
    def shape(self) -> Any:
        """Raises ShapeError: there is none yet."""
        raise ShapeError(
            f"{type(self).__name__}: it has a shape only after the first call of its lazy module; "
            "it was asked for before; run a batch through the model first"
        )

    def materialize(self, shape: Sequence[int], device: Any = None, dtype: Any = None) -> None:
        """Become a parameter, or buffer, of this shape with undefined values."""
        self.data = empty(tuple(shape), device=device, dtype=dtype or self.dtype)
        self.__class__ = self.becomes  # type: ignore[assignment]


class UninitializedParameter(Uninitialized, Parameter):
    """A parameter whose shape is not known yet; it becomes a Parameter when it is.

    >>> import gleed
    >>> weight = gleed.nn.UninitializedParameter()
    >>> weight.materialize((2, 3))
    >>> type(weight).__name__, weight.shape
    ('Parameter', gleed.Size([2, 3]))
    """

    becomes = Parameter

    def __new__(
        cls, requires_grad: bool = True, device: Any = None, dtype: Any = None
    ) -> UninitializedParameter:
        """Without values."""
        values = empty(0, device=device, dtype=dtype)
        return Tensor._make_subclass(cls, values, requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> UninitializedParameter:
        """Another one without a shape."""
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.requires_grad, dtype=self.dtype)
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """Pickle as what makes another."""
        return type(self), (self.requires_grad, None, self.dtype)

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        """Its kind."""
        return "<UninitializedParameter>"


class UninitializedBuffer(Uninitialized, Buffer):
    """A buffer whose shape is not known yet; it becomes a Buffer when it is."""

    becomes = Buffer

    def __new__(
        cls,
        requires_grad: bool = False,
        device: Any = None,
        dtype: Any = None,
        persistent: bool = True,
    ) -> UninitializedBuffer:
        """Without values."""
        values = empty(0, device=device, dtype=dtype)
        buffer = Tensor._make_subclass(cls, values, requires_grad)
        buffer.persistent = persistent
        return buffer

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        """Its kind."""
        return "<UninitializedBuffer>"

    def __deepcopy__(self, memo: dict[int, Any]) -> UninitializedBuffer:
        """Another one without a shape."""
        if id(self) not in memo:
            memo[id(self)] = type(self)(dtype=self.dtype, persistent=self.persistent)
        return memo[id(self)]


def is_lazy(value: Any) -> bool:
    """Whether a parameter or buffer has no shape yet.

    >>> is_lazy(UninitializedParameter()), is_lazy(Parameter())
    (True, False)
    """
    return isinstance(value, Uninitialized)


def _values(cls: type, data: Any) -> Tensor:
    if data is None:
        return empty(0)
    if not isinstance(data, Tensor):
        raise ArgumentError(
            f"{cls.__name__}: data must be a tensor; got {type(data).__name__}; "
            "make one first, with gleed.tensor(data)"
        )
    return data
