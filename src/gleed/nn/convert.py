"""The arguments of `Module.to`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gleed
from gleed import Tensor
from gleed.errors import ArgumentError


def conversion(*args: Any, **kwargs: Any) -> Callable[[Tensor], Tensor]:
    """The function that converts one tensor as `Module.to(*args, **kwargs)` asks.

    Accepts what `Tensor.to` accepts. A dtype applies to floating-point tensors alone: indices and
    masks keep theirs. A memory format applies to tensors of 4 and 5 dims.
    """
    device = kwargs.pop("device", None)
    dtype = kwargs.pop("dtype", None)
    tensor = kwargs.pop("tensor", None)
    for arg in args:
        if isinstance(arg, Tensor):
            tensor = arg
        elif isinstance(arg, gleed.dtype):
            dtype = arg
        elif not isinstance(arg, bool) and arg is not None:
            device = arg
    if tensor is not None:
        device, dtype = tensor.device, tensor.dtype
    format = kwargs.pop("memory_format", None)
    unknown = kwargs.keys() - {"non_blocking", "copy"}
    if unknown:
        raise ArgumentError(
            "to: takes a device, a dtype or a tensor; "
            f"got the argument {', '.join(sorted(unknown))}; leave it out"
        )
    if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
        raise ArgumentError(
            "to: a module is converted to floating-point or complex dtypes only; "
            f"got {dtype}; to convert integer buffers too, use module.type({dtype})"
        )

    def convert(tensor: Tensor) -> Tensor:
        converts = tensor.dtype.is_floating_point or tensor.dtype.is_complex
        return tensor.to(
            device=device,
            dtype=dtype if converts else None,
            memory_format=format if tensor.ndim in (4, 5) else None,
        )

    return convert
