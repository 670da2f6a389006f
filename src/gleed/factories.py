"""Functions that make tensors from data, ranges and shapes."""

from __future__ import annotations

from typing import Any

from gleed import _C
from gleed._C import Tensor
from gleed.devices import check_device
from gleed.dtypes import dtype_of
from gleed.errors import ArgumentError, RangeError
from gleed.memory_formats import (
    check_format,
    contiguous_format,
    format_strides,
    preserve_format,
)
from gleed.ops.creation import count_between
from gleed.ops.record import OPS

__all__ = [
    "arange",
    "as_tensor",
    "asarray",
    "empty",
    "empty_like",
    "empty_strided",
    "eye",
    "from_dlpack",
    "from_numpy",
    "frombuffer",
    "linspace",
    "logspace",
    "range",
    "scalar_tensor",
    "tensor",
]

_arange, _linspace, _eye = (OPS[name].public for name in ("_arange", "_linspace", "_eye"))
_to_dtype, _zeros, _zeros_like = (OPS[name].public for name in ("_to", "zeros", "zeros_like"))


def finish(result: Tensor, requires_grad: bool) -> Tensor:
    """`result`, marked as a leaf that collects gradients if asked."""
    return result if requires_grad is False else result.requires_grad_(requires_grad)


def _or_default(name: str, dtype: Any) -> Any:
    """The dtype that is asked for, or else the default one."""
    return _C.get_default_dtype() if dtype is None else dtype_of(name, dtype)


def tensor(
    data: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A new tensor with a copy of `data`: a number, nested sequences, an array or a tensor.

    >>> tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    if device is not None:
        check_device("tensor", device)
    result = _C.tensor_from_data(data, dtype)
    return result if requires_grad is False else result.requires_grad_(requires_grad)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor of `data`, sharing memory with it if it is a tensor or a NumPy array of that dtype.

    >>> x = tensor([1, 2])
    >>> as_tensor(x) is x
    True
    """
    check_device("as_tensor", device)
    dtype = None if dtype is None else dtype_of("as_tensor", dtype)
    if not isinstance(data, Tensor):
        if not hasattr(data, "__array_interface__"):
            return tensor(data, dtype=dtype)
        data = _C.from_numpy(data)
    return data if dtype is None or data.dtype is dtype else _to_dtype(data, dtype)


asarray = as_tensor


def from_numpy(array: Any) -> Tensor:
    """A tensor that shares memory with a NumPy array.

    >>> import numpy
    >>> a = numpy.ones(2)
    >>> x = from_numpy(a)
    >>> a[0] = 7
    >>> x
    tensor([7., 1.], dtype=gleed.float64)
    """
    return _C.from_numpy(array)


def from_dlpack(producer: Any) -> Tensor:
    """A tensor that shares memory with any object that speaks DLPack."""
    return _C.from_dlpack(producer)


def frombuffer(
    buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Tensor:
    """A 1-d tensor that shares memory with a buffer.

    >>> import gleed
    >>> frombuffer(bytearray(b"ab"), dtype=gleed.uint8)
    tensor([97, 98], dtype=gleed.uint8)
    """
    return finish(_C.frombuffer(buffer, dtype, count, offset), requires_grad)


def _shape(name: str, size: tuple[Any, ...]) -> tuple[int, ...]:
    if len(size) == 1 and not isinstance(size[0], int):
        try:
            return tuple(size[0])
        except TypeError:
            raise ArgumentError(
                f"{name}: sizes must be integers; got {type(size[0]).__name__}; pass whole numbers"
            ) from None
    return size


def empty(
    *size: Any,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
    out: Tensor | None = None,
) -> Tensor:
    """A tensor whose memory is not initialised.

    >>> empty(2, 3).shape
    gleed.Size([2, 3])
    """
    check_device("empty", device)
    shape, kind = _shape("empty", size), _or_default("empty", dtype)
    if memory_format is not None:
        check_format("empty", memory_format, len(shape), preserves=False)
    if out is not None:
        return out.resize_(shape, memory_format=memory_format)
    if memory_format in (None, contiguous_format):
        # A capture knows what operations give, for every size.
        result = _zeros(shape, dtype=kind) if _C.is_recording() else _C.empty(shape, kind)
        return finish(result, requires_grad)
    strides = format_strides(shape, memory_format)
    return finish(_C.empty_strided(shape, strides, kind), requires_grad)


def empty_like(
    input: Tensor,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Uninitialised memory with the shape, dtype and order of strides of `input`.

    >>> empty_like(tensor([1, 2])).dtype
    gleed.int64
    """
    check_device("empty_like", device)
    kind = input.dtype if dtype is None else dtype_of("empty_like", dtype)
    if memory_format in (None, preserve_format) and _C.is_recording():
        return finish(_zeros_like(input, dtype=kind), requires_grad)
    if memory_format in (None, preserve_format):
        return finish(_C.empty_like(input, kind), requires_grad)
    check_format("empty_like", memory_format, input.ndim)
    strides = format_strides(input.shape, memory_format)
    return finish(_C.empty_strided(input.shape, strides, kind), requires_grad)


def empty_strided(
    size: Any, stride: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Uninitialised memory with the given strides, in elements."""
    check_device("empty_strided", device)
    result = _C.empty_strided(size, stride, _or_default("empty_strided", dtype))
    return finish(result, requires_grad)


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, Tensor) else value


def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    out: Tensor | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """start, start + step, … below `end`; `arange(end)` starts at 0. int64 if all are integers.

    >>> arange(1, 7, 2)
    tensor([1, 3, 5])
    """
    check_device("arange", device)
    start, end, step = _number(start), _number(end), _number(step)
    if end is None:
        start, end = 0, start
    whole = all(isinstance(n, int) for n in (start, end, step))
    kind = _C.int64 if dtype is None and whole else _or_default("arange", dtype)
    if not kind.is_floating_point:
        start, end, step = (n if isinstance(n, int) else int(n) for n in (start, end, step))
    result = _arange(start, step, count_between("arange", start, end, step), kind)
    return finish(_into(out, result), requires_grad)


def _into(out: Tensor | None, result: Tensor) -> Tensor:
    return result if out is None else out.resize_(result.shape).copy_(result)


def range(start: Any, end: Any, step: Any = 1, *, dtype: Any = None) -> Tensor:
    """As `arange`, with `end` included.

    >>> range(1, 3)
    tensor([1., 2., 3.])
    """
    kind = _or_default("range", dtype)
    count_between("range", start, end, step)
    return _arange(start, step, int((end - start) / step) + 1, kind)


def _steps(name: str, steps: int) -> int:
    if steps < 0:
        raise RangeError(f"{name}: steps must be 0 or more; got {steps}; use 100, say")
    return steps


def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    dtype: Any = None,
    out: Tensor | None = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
) -> Tensor:
    """`steps` numbers evenly spaced from `start` to `end`, both included.

    >>> linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    check_device("linspace", device)
    kind = _or_default("linspace", dtype)
    start, end = _number(start), _number(end)
    if not kind.is_floating_point:
        start, end = int(start), int(end)
    result = _linspace(start, end, _steps("linspace", steps), kind)
    return finish(_into(out, result), requires_grad)


def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """base**start … base**end, evenly spaced in the exponent.

    >>> logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    kind = _or_default("logspace", dtype)
    start, end = _number(start), _number(end)
    if not kind.is_floating_point:
        start, end = int(start), int(end)
    _steps("logspace", steps)
    exponents = linspace(start, end, steps, dtype=_C.float64, device=device)
    return finish(_to_dtype(base**exponents, kind), requires_grad)


def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: Any = None,
    out: Tensor | None = None,
    device: Any = None,
    requires_grad: bool = False,
    layout: Any = None,
) -> Tensor:
    """A matrix with ones on the diagonal.

    >>> eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    check_device("eye", device)
    sizes = (n, n if m is None else m)
    for size in sizes:
        if not hasattr(size, "__index__"):
            raise ArgumentError(
                f"eye: sizes must be integers; got {type(size).__name__}; pass whole numbers"
            )
    if min(sizes) < 0:
        raise RangeError(f"eye: sizes must be 0 or more; got {[*sizes]}; check the arithmetic")
    result = _eye(*sizes, _or_default("eye", dtype))
    return finish(_into(out, result), requires_grad)


def scalar_tensor(
    value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A 0-d tensor, of the default dtype.

    >>> scalar_tensor(3)
    tensor(3.)
    """
    check_device("scalar_tensor", device)
    result = _C.tensor_from_data(value, _or_default("scalar_tensor", dtype))
    return finish(result, requires_grad)


def _collecting_gradients(name: str) -> Any:
    """A factory with `requires_grad`, which concerns the result alone and not its op."""
    make = OPS[name].public

    def factory(*args: Any, requires_grad: bool | None = None, **options: Any) -> Any:
        if requires_grad is None:
            return NotImplemented
        return finish(make(*args, **options), requires_grad)

    return factory


for _name in (
    *("zeros", "ones", "full", "rand", "randn", "randint", "randperm"),
    *("zeros_like", "ones_like", "full_like", "rand_like", "randn_like", "randint_like"),
    *("new_zeros", "new_ones", "new_full"),
):
    if OPS[_name].fallback is None:
        OPS[_name].otherwise(_collecting_gradients(_name))
