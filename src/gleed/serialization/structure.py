"""What lies around tensors, as JSON.

None, bools, ints, finite floats, strings and lists are themselves. An object with one key is
anything else: {"tensor": name}, {"tuple": [...]}, {"dict": [[key, value], ...]},
{"bytes": base64}, {"float": "nan"}; a tensor that requires a gradient is {"parameter": name}.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from gleed._C import Tensor
from gleed.errors import ArgumentError
from gleed.serialization.safetensors import DTYPE_NAMES, FormatFault

# Deeper nesting is taken for an object that contains itself, or a file made to exhaust the stack.
_MAX_DEPTH = 100

# Python reads no longer ints out of JSON (4300 digits).
_MAX_INT_BITS = 14_000

_Path = tuple[Any, ...]


def encode(value: Any, name_tensor: Callable[[Tensor, _Path], str], path: _Path = ()) -> Any:
    """Return `value` as JSON; `name_tensor` takes each tensor and its path, and returns its name.

    Raises ArgumentError for what cannot be saved, naming its place.
    """
    if len(path) > _MAX_DEPTH:
        raise ArgumentError(
            f"save: objects are nested {_MAX_DEPTH} deep at most; {_place(path[:3])}… goes deeper; "
            "does it contain itself?"
        )
    kind = type(value)
    if _is_plain(value):
        return _encode_plain(value)
    if isinstance(value, Tensor) and value.dtype in DTYPE_NAMES:
        return {"parameter" if value.requires_grad else "tensor": name_tensor(value, path)}
    if kind in (dict, OrderedDict):
        return {
            "dict": [
                [_encode_key(key, path), encode(item, name_tensor, (*path, key))]
                for key, item in value.items()
            ]
        }
    if kind in (list, tuple):
        items = [encode(item, name_tensor, (*path, i)) for i, item in enumerate(value)]
        return items if kind is list else {"tuple": items}
    what, fix = _describe(value)
    raise ArgumentError(
        "save: tensors, numbers, strings, bytes, None, and dicts, lists and tuples of those can be "
        f"saved; {_place(path)} is {what}; {fix}"
    )


def decode(value: Any, tensors: Mapping[str, Tensor], depth: int = 0) -> Any:
    """Return what was encoded as `value`, with its tensors out of `tensors`.

    Raises FormatFault for anything that `encode` does not return.
    """
    if depth > _MAX_DEPTH:
        raise FormatFault(f"has a structure nested more than {_MAX_DEPTH} deep")
    if isinstance(value, list):
        return [decode(item, tensors, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    try:
        ((kind, content),) = value.items()
        if kind == "tensor":
            return tensors[content]
        if kind == "parameter":
            return tensors[content].detach().requires_grad_()
        if kind == "float":
            return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[content]
        if kind == "bytes":
            return base64.b64decode(content, validate=True)
        if kind == "tuple" and isinstance(content, list):
            return tuple(decode(item, tensors, depth + 1) for item in content)
        if kind == "dict" and isinstance(content, list):
            return {
                decode(key, tensors, depth + 1): decode(item, tensors, depth + 1)
                for key, item in content
            }
    except (KeyError, TypeError, ValueError, RuntimeError, binascii.Error):
        # The fault is named below; a fault further in has its own message already.
        pass
    raise FormatFault(f"has a structure with {str(value)[:80]!r}, which means nothing")


def _is_plain(value: Any) -> bool:
    if type(value) is int:
        return value.bit_length() <= _MAX_INT_BITS
    return value is None or type(value) in (bool, float, str, bytes)


def _encode_plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    return value


def _encode_key(key: Any, path: _Path) -> Any:
    if not _is_plain(key):
        raise ArgumentError(
            "save: the keys of a dict are strings, numbers, bytes or None; "
            f"{_place(path)} has the key {key!r}"
        )
    return _encode_plain(key)


def _place(path: _Path) -> str:
    return "obj" + "".join(f"[{key!r}]" for key in path)


def _describe(value: Any) -> tuple[str, str]:
    """Say what `value` is and what can be saved in its place."""
    kind = type(value)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    if isinstance(value, Tensor):
        return f"a tensor of {value.dtype}", "convert it"
    if callable(getattr(value, "state_dict", None)):
        return f"of type {name}", "save its state_dict()"
    if kind.__module__ == "numpy":
        fix = "gleed.from_numpy(...)" if kind.__name__ == "ndarray" else ".item()"
        return f"of type {name}", f"convert it by {fix}"
    if kind is int:
        return f"an int of {value.bit_length():,} bits", "save it as a string"
    if callable(value):
        return f"of type {name}", "a file holds no code: leave it out"
    for plain in (dict, tuple, list, str, int, float):
        if isinstance(value, plain):
            return f"of type {name}", f"convert it by {plain.__name__}(...)"
    return f"of type {name}", "convert it, or leave it out"
