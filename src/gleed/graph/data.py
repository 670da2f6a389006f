"""What comes from outside: dtypes by any of their names, and data as tensors."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from gleed import _C, dtypes
from gleed._C import Tensor
from gleed.dtypes import can_cast
from gleed.errors import ArgumentError, DTypeError

# Python's float is TensorFlow's float32.
_BY_TYPE = {float: _C.float32, int: _C.int64, bool: _C.bool}
_BY_NAME = {
    name: value
    for name in dtypes.__all__
    if isinstance(value := getattr(dtypes, name), dtypes.dtype) and not value.is_complex
}


def as_dtype(given: Any) -> dtypes.dtype:
    """The dtype that is meant: gleed's, a name, NumPy's, or a type of Python's numbers.

    >>> as_dtype("float"), as_dtype(int)
    (gleed.float32, gleed.int64)
    """
    if isinstance(given, dtypes.dtype):
        return given
    if isinstance(given, type) and given in _BY_TYPE:
        return _BY_TYPE[given]
    name = given if isinstance(given, str) else getattr(given, "name", None)
    name = name if isinstance(name, str) else getattr(given, "__name__", repr(given))
    if name not in _BY_NAME:
        raise ArgumentError(
            f"dtype: a dtype or its name is expected; {given!r} came; {advice(name, _BY_NAME)}"
        )
    return _BY_NAME[name]


def as_tensor(name: str, value: Any, dtype: Any = None) -> Tensor:
    """`value` as a tensor, which has memory of its own unless it is one already.

    Raises DTypeError if `value` is of a greater kind than `dtype`, such as floats for integers.
    """
    tensor = value if isinstance(value, Tensor) else _C.tensor_from_data(value, None)
    if dtype is None or tensor.dtype is (wanted := as_dtype(dtype)):
        return tensor.detach()
    if not can_cast(tensor.dtype, wanted):
        raise DTypeError(
            f"{name}: the data must fit the dtype {wanted.name}; {tensor.dtype.name} came; convert "
            "it, or use another dtype"
        )
    return tensor.detach().to(wanted)


def advice(name: str, names: Iterable[str]) -> str:
    """What may have been meant by a name that is not known."""
    close = get_close_matches(name, list(names), 1, 0.6)
    return f"did you mean {close[0]!r}?" if close else "check its spelling"
