"""Switching the recording of gradients on and off.

The contexts are native: entering and leaving one costs about as much as a function call.

>>> import gleed
>>> with gleed.no_grad():
...     gleed.is_grad_enabled()
False
>>> @gleed.no_grad()
... def recorded():
...     return gleed.is_grad_enabled()
>>> recorded(), gleed.is_grad_enabled()
(False, True)
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from typing import Any

from gleed import _C

no_grad = _C.no_grad
enable_grad = _C.enable_grad
set_grad_enabled = _C.set_grad_enabled
inference_mode = _C.inference_mode
is_grad_enabled = _C.is_grad_enabled
is_inference_mode_enabled = _C.is_inference_mode_enabled

_GENERATOR = 0x20  # inspect.CO_GENERATOR


def _decorate(context: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with every call inside a context like `context`."""
    code = getattr(function, "__code__", None)
    if code is not None and code.co_flags & _GENERATOR:
        return _decorate_generator(context, function)

    @functools.wraps(function)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        with context.clone():
            return function(*args, **kwargs)

    return decorated


def _decorate_generator(context: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """The mode holds while the generator runs, not while its caller does."""

    @functools.wraps(function)
    def decorated(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with context.clone():
            generator = function(*args, **kwargs)
        step: Callable[[], Any] = functools.partial(next, generator)
        while True:
            try:
                with context.clone():
                    item = step()
            except StopIteration as end:
                return end.value
            try:
                sent = yield item
            except GeneratorExit:
                with context.clone():
                    generator.close()
                raise
            except BaseException as error:
                step = functools.partial(generator.throw, error)
            else:
                step = functools.partial(generator.send, sent)

    return decorated


_C.set_mode_decorator(_decorate)
