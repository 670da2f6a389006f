"""Methods and attributes of Tensor that are written in Python."""

from __future__ import annotations

import copy
from typing import Any

from gleed import _C
from gleed._C import Tensor
from gleed.devices import check_device
from gleed.devices import device as device_type
from gleed.dtypes import can_cast, dtype_of
from gleed.errors import ArgumentError, DTypeError, ShapeError
from gleed.factories import empty, empty_strided, tensor
from gleed.memory_formats import (
    check_format,
    contiguous_format,
    format_strides,
    lies_in,
    preserve_format,
    suggested_format,
)
from gleed.ops.record import OPS

_to_dtype = OPS["_to"].public
_contiguous = OPS["contiguous"].public
_is_row_major = Tensor.is_contiguous


def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """The tensor in another dtype, on another device, or both; itself if nothing changes.

    >>> import gleed
    >>> gleed.tensor([1.5]).to(gleed.int64)
    tensor([1])
    """
    unknown = kwargs.keys() - TO_KEYWORDS
    if unknown:
        raise ArgumentError(
            f"to: takes the keywords {', '.join(TO_KEYWORDS)}; got {unknown.pop()!r}; check its "
            "spelling"
        )
    dtype, device, force = kwargs.get("dtype"), kwargs.get("device"), kwargs.get("copy", False)
    for arg in (*args, kwargs.get("other")):
        if isinstance(arg, str | device_type):
            device = arg
        elif isinstance(arg, Tensor):
            dtype = arg.dtype
        elif isinstance(arg, _C.dtype | type):
            dtype = arg
        elif arg is not None and not isinstance(arg, bool):
            raise ArgumentError(
                f"to: takes a dtype, a device or a tensor; got {type(arg).__name__}; use "
                "x.to(gleed.float32), say"
            )
    check_device("to", device)
    dtype = self.dtype if dtype is None else dtype_of("to", dtype)
    return _converted("to", self, dtype, kwargs.get("memory_format"), bool(force))


TO_KEYWORDS = ("dtype", "device", "non_blocking", "copy", "memory_format", "other")


def _converted(
    name: str, self: Tensor, dtype: Any, format: Any = None, force: bool = False
) -> Tensor:
    """The tensor in a dtype and memory format; itself if it is in both and not `force`d."""
    if format is None or format is preserve_format:
        return self if dtype is self.dtype and not force else _to_dtype(self, dtype, force)
    check_format(name, format, self.ndim)
    as_is = suggested_format(self.shape, self.stride()) is format
    same = as_is and dtype is self.dtype and not force
    return self if same else _to_dtype(self, dtype, force, format)


def is_contiguous(self: Tensor, memory_format: Any = contiguous_format) -> bool:
    """Whether the elements lie in memory without gaps, row-major or in another format.

    >>> import gleed
    >>> gleed.empty(2, 3, 4, 5).is_contiguous(memory_format=gleed.channels_last)
    False
    """
    if memory_format in (contiguous_format, preserve_format):
        return _is_row_major(self)
    check_format("is_contiguous", memory_format, None)
    return lies_in(self.shape, self.stride(), memory_format)


def contiguous(self: Tensor, memory_format: Any = contiguous_format) -> Tensor:
    """The tensor itself if it is row-major, or lies in the memory format; else a copy that does.

    >>> import gleed
    >>> x = gleed.zeros(2, 3)
    >>> x.contiguous() is x, x.t().contiguous().is_contiguous()
    (True, True)
    """
    row_major = memory_format is contiguous_format and _is_row_major(self)
    return self if row_major else _contiguous(self, memory_format)


def cpu(self: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor on the CPU."""
    return _converted("cpu", self, self.dtype, memory_format)


def cuda(self: Tensor, device: Any = None, non_blocking: bool = False) -> Tensor:
    """The tensor on a GPU."""
    return to(self, device_type("cuda" if device is None else device))


def numpy(self: Tensor, *, force: bool = False) -> Any:
    """A NumPy array that shares memory; with `force`, of the detached tensor."""
    return _C.to_numpy(self.detach() if force else self)


def type_(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The tensor in another dtype, or the name of its type."""
    if dtype is None:
        return f"gleed.{TYPE_NAMES[self.dtype.name]}Tensor"
    if isinstance(dtype, str):
        name = dtype.rpartition(".")[2].removesuffix("Tensor")
        found = [getattr(_C, k) for k, v in TYPE_NAMES.items() if v == name]
        if not found:
            raise ArgumentError(
                f"type: there is no such type of tensors; got {dtype!r}; use 'gleed.FloatTensor', "
                "or a dtype"
            )
        dtype = found[0]
    return to(self, dtype_of("type", getattr(dtype, "dtype", dtype)))


TYPE_NAMES = {
    "float32": "Float",
    "float64": "Double",
    "float16": "Half",
    "bfloat16": "BFloat16",
    "int8": "Char",
    "int16": "Short",
    "int32": "Int",
    "int64": "Long",
    "uint8": "Byte",
    "bool": "Bool",
    "complex64": "ComplexFloat",
    "complex128": "ComplexDouble",
}


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """The tensor in the dtype of `other`."""
    return to(self, other.dtype)


def where(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    """The tensor where `condition` holds, else `other`; all three broadcast."""
    return OPS["where"].public(condition, self, other)


def _conversion(name: str, dtype: Any) -> Any:
    def convert(self: Tensor, memory_format: Any = None) -> Tensor:
        return _converted(name, self, dtype, memory_format)

    convert.__name__ = convert.__qualname__ = name
    convert.__doc__ = f"The tensor as {dtype.name}; itself if it is that already."
    return convert


def resize_(self: Tensor, *sizes: Any, memory_format: Any = None) -> Tensor:
    """Change the shape in place; where the tensor grows, new elements are not initialised."""
    shape = tuple(sizes[0]) if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes
    if memory_format is not None:
        check_format("resize_", memory_format, len(shape), preserves=False)
    format = contiguous_format if memory_format is None else memory_format
    strides = format_strides(shape, format)
    if tuple(self.shape) == shape and (memory_format is None or self.stride() == strides):
        return self
    grown = _C.empty_strided(shape, strides, self.dtype)
    count = min(grown.numel(), self.numel())
    line = grown.as_strided((grown.numel(),), (1,))
    line[:count].copy_(self.detach().reshape(-1)[:count])
    self.data = grown
    return self


def resize_as_(self: Tensor, other: Tensor, *, memory_format: Any = None) -> Tensor:
    """Change the shape in place to that of another tensor."""
    if memory_format is preserve_format:
        memory_format = suggested_format(other.shape, other.stride())
    return resize_(self, other.shape, memory_format=memory_format)


def write_out(out: Tensor, result: Tensor) -> None:
    """Store a result in an `out=` tensor of another shape, dtype or layout."""
    if not can_cast(result.dtype, out.dtype):
        raise DTypeError(
            f"out=: the result must fit the dtype of the tensor written to; got a result of "
            f"{result.dtype.name} for a tensor of {out.dtype.name}; pass a tensor of another dtype"
        )
    with _C.no_grad():
        resize_(out, tuple(result.shape)).copy_(result)


def transposed(self: Tensor) -> Tensor:
    """All dims in reverse order."""
    return self.permute(tuple(reversed(range(self.ndim))))


def matrix_transposed(self: Tensor) -> Tensor:
    """The last two dims exchanged."""
    if self.ndim < 2:
        raise ShapeError(f"mT: at least 2 dims are needed; got {self.ndim}; unsqueeze first")
    return self.transpose(-2, -1)


def deep_copy(self: Tensor, memo: dict[int, Any]) -> Tensor:
    """A copy with memory of its own, for `copy.deepcopy`; leaves only."""
    if not self.is_leaf:
        raise ArgumentError(
            "deepcopy: only leaves can be copied; a result with a grad_fn came; use clone() or "
            "detach()"
        )
    if id(self) in memo:
        return memo[id(self)]
    with _C.no_grad():
        result = self.detach().clone()
    if type(self) is not Tensor:
        result = Tensor._make_subclass(type(self), result, self.requires_grad)
    result.requires_grad = self.requires_grad
    memo[id(self)] = result
    result.__dict__.update(copy.deepcopy(self.__dict__, memo))
    if self.grad is not None:
        result.grad = self.grad.detach().clone()
    return result


def _rebuilt(array: Any, dtype: Any, requires_grad: bool) -> Tensor:
    return _C.from_numpy(array).to(dtype).requires_grad_(requires_grad)


def reduce_ex(self: Tensor, protocol: int) -> Any:
    """How pickle stores a tensor: as a NumPy array and its dtype."""
    exact = self.detach()
    if self.dtype is _C.bfloat16:
        exact = exact.to(_C.float32)
    return _rebuilt, (_C.to_numpy(exact.contiguous()).copy(), self.dtype, self.requires_grad)


def contains(self: Tensor, element: Any) -> bool:
    """Whether any element equals `element`."""
    return bool((self == element).any())


def new_tensor(
    self: Tensor, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of `data` with the dtype of this one."""
    kind = _or_own("new_tensor", self, dtype)
    return tensor(data, dtype=kind, device=device, requires_grad=requires_grad)


def _or_own(name: str, self: Tensor, dtype: Any) -> Any:
    """The dtype that is asked for, or else that of the tensor."""
    return self.dtype if dtype is None else dtype_of(name, dtype)


def new_empty(
    self: Tensor, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Uninitialised memory of another shape with the dtype of this tensor."""
    kind = _or_own("new_empty", self, dtype)
    return empty(*size, dtype=kind, device=device, requires_grad=requires_grad)


def new_empty_strided(
    self: Tensor, size: Any, stride: Any, *, dtype: Any = None, device: Any = None
) -> Tensor:
    """Uninitialised memory with given strides and the dtype of this tensor."""
    kind = _or_own("new_empty_strided", self, dtype)
    return empty_strided(size, stride, dtype=kind, device=device)


def install() -> None:
    """Put everything here onto Tensor, and tell the core how out= is written."""
    _C.set_out_helper(write_out)
    methods = {
        "to": to,
        "cpu": cpu,
        "cuda": cuda,
        "numpy": numpy,
        "type": type_,
        "type_as": type_as,
        "where": where,
        "resize_": resize_,
        "__deepcopy__": deep_copy,
        "__reduce_ex__": reduce_ex,
        "__contains__": contains,
        "T": property(transposed),
        "mT": property(matrix_transposed),
        "H": property(transposed),
        "mH": property(matrix_transposed),
        "real": property(lambda self: self),
        "resize_as_": resize_as_,
        "is_contiguous": is_contiguous,
        "contiguous": contiguous,
        "new_tensor": new_tensor,
        "new_empty": new_empty,
        "new_empty_strided": new_empty_strided,
        "is_shared": lambda self: False,
        "pin_memory": lambda self: self,
        "is_pinned": lambda self: False,
        "get_device": lambda self: -1,
    }
    for name, value in methods.items():
        setattr(Tensor, name, value)
    conversions = {
        "float": _C.float32,
        "double": _C.float64,
        "half": _C.float16,
        "bfloat16": _C.bfloat16,
        "char": _C.int8,
        "short": _C.int16,
        "int": _C.int32,
        "long": _C.int64,
        "byte": _C.uint8,
        "bool": _C.bool,
    }
    for name, dtype in conversions.items():
        setattr(Tensor, name, _conversion(name, dtype))
