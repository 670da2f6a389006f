"""`Tensor(...)` and the constructors named after dtypes, `FloatTensor(...)` and its kin.

>>> FloatTensor([[1, 2]]) + FloatTensor([[3], [5]])
tensor([[4., 5.],
        [6., 7.]])
>>> isinstance(LongTensor([1]), LongTensor), isinstance(LongTensor([1]), FloatTensor)
(True, False)
"""

from __future__ import annotations

from typing import Any

from gleed import _C
from gleed._C import Tensor
from gleed.errors import ArgumentError

__all__ = [
    "BFloat16Tensor",
    "BoolTensor",
    "ByteTensor",
    "CharTensor",
    "DoubleTensor",
    "FloatTensor",
    "HalfTensor",
    "IntTensor",
    "LongTensor",
    "ShortTensor",
]


def construct(cls: type, *args: Any, dtype: Any = None) -> Tensor:
    """What `Tensor(...)` makes: from data, a tensor of the default dtype with a copy of it; from
    whole numbers, one of that shape whose memory is not initialised.

    >>> Tensor([1, 2])
    tensor([1., 2.])
    >>> Tensor(2, 3).shape
    gleed.Size([2, 3])
    """
    kind = dtype or _C.get_default_dtype()
    sizes = args[0] if len(args) == 1 and isinstance(args[0], _C.Size) else args
    if all(isinstance(n, int) for n in sizes):
        made = _C.empty(sizes or (0,), kind)
    elif len(args) == 1:
        made = _C.tensor_from_data(args[0], kind)
    else:
        raise ArgumentError(
            f"Tensor: takes sizes as whole numbers, or one object with the data; got {len(args)} "
            "arguments; put the data into one list"
        )
    return made if cls is Tensor else Tensor._make_subclass(cls, made, False)


class _TypedConstructor(type):
    """A constructor that tensors of its dtype count as instances of."""

    dtype: Any

    def __call__(cls, *args: Any) -> Tensor:
        return construct(Tensor, *args, dtype=cls.dtype)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype


class FloatTensor(metaclass=_TypedConstructor):
    """float32 tensors."""

    dtype = _C.float32


class DoubleTensor(metaclass=_TypedConstructor):
    """float64 tensors."""

    dtype = _C.float64


class HalfTensor(metaclass=_TypedConstructor):
    """float16 tensors."""

    dtype = _C.float16


class BFloat16Tensor(metaclass=_TypedConstructor):
    """bfloat16 tensors."""

    dtype = _C.bfloat16


class CharTensor(metaclass=_TypedConstructor):
    """int8 tensors."""

    dtype = _C.int8


class ShortTensor(metaclass=_TypedConstructor):
    """int16 tensors."""

    dtype = _C.int16


class IntTensor(metaclass=_TypedConstructor):
    """int32 tensors."""

    dtype = _C.int32


class LongTensor(metaclass=_TypedConstructor):
    """int64 tensors."""

    dtype = _C.int64


class ByteTensor(metaclass=_TypedConstructor):
    """uint8 tensors."""

    dtype = _C.uint8


class BoolTensor(metaclass=_TypedConstructor):
    """bool tensors."""

    dtype = _C.bool


_C.register_slot("construct", construct)
