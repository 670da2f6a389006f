"""From definitions to machine code: graph IR, passes, schedule, kernel IR, LLVM IR, objects.

Here are PyTorch's `torch.compiler` functions too, for code that is to know of `gleed.compile`.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

from gleed import _C
from gleed.followed import stop_capture

__all__ = [
    "allow_in_graph",
    "cudagraph_mark_step_begin",
    "disable",
    "is_compiling",
    "is_dynamo_compiling",
    "reset",
]

# What `reset` makes forget their programs.
resettable: weakref.WeakSet[Any] = weakref.WeakSet()


def is_compiling() -> bool:
    """Whether the function that runs is being captured by `gleed.compile`.

    >>> import gleed
    >>> gleed.compiler.is_compiling()
    False
    """
    return _C.is_recording()


is_dynamo_compiling = is_compiling


def reset() -> None:
    """Let every compiled function forget its programs: it captures anew when it is called.

    >>> import gleed
    >>> double = gleed.compile(lambda x: x * 2)
    >>> y = double(gleed.ones(2))
    >>> gleed.compiler.reset()
    >>> double.report()
    '<lambda>: 0 programs'
    """
    for compiled in list(resettable):
        compiled.reset()


def allow_in_graph(fn: Any) -> Any:
    """Accepted for programs for PyTorch: whatever a function computes is captured. Returns `fn`."""
    return fn


def cudagraph_mark_step_begin() -> None:
    """Accepted for programs for PyTorch: results of earlier calls are never overwritten."""


def disable(
    fn: Callable[..., Any] | None = None, recursive: bool = True, *, reason: str | None = None
) -> Any:
    """Mark a function that is not to be captured: calls of compiled functions that come to it run
    uncaptured. With `fullgraph=True` that is an error, which gives the `reason`.

    Args:
        fn: a function; without it, `disable` is a decorator with options.
        recursive: accepted for PyTorch's signature; what the function calls is not captured either.
        reason: why.

    >>> import gleed
    >>> @gleed.compiler.disable
    ... def log(x):
    ...     print(x.item())
    """
    if fn is None:
        return functools.partial(disable, recursive=recursive, reason=reason)

    @functools.wraps(fn)
    def disabled(*args: Any, **kwargs: Any) -> Any:
        name = getattr(fn, "__qualname__", type(fn).__name__)
        why = f" ({reason})" if reason else ""
        stop_capture(
            f"functions marked by compiler.disable run uncaptured; {name} is called{why}",
            "call it outside, or leave out fullgraph=True",
        )
        return fn(*args, **kwargs)

    return disabled
