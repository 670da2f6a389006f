"""`autocast`: a region in which operations choose the precision they compute in."""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from gleed import _C
from gleed._C import Tensor
from gleed.amp import rules
from gleed.dtypes import dtype_of, promote_types
from gleed.errors import ArgumentError, DeviceError

HALVES = (_C.bfloat16, _C.float16)


class _State(threading.local):
    """What the innermost region of this thread has set."""

    enabled = False
    dtype = _C.bfloat16
    caches = True
    depth = 0

    def __init__(self) -> None:
        # Weights that were converted: by identity, with what they were then.
        self.cache: dict[int, tuple[Tensor, int, Tensor]] = {}


_state = _State()


@functools.cache
def _rules() -> tuple[dict[Any, Any], frozenset[Any]]:
    found = rules.by_operation()
    return found, frozenset(found)


# ---- conversion
def _eligible(x: Tensor) -> bool:
    return x.dtype in (_C.float32, *HALVES)


def _lower(x: Tensor) -> Tensor:
    """In the dtype of the region. Weights are converted once, until the outermost region ends."""
    if not _eligible(x) or x.dtype is _state.dtype:
        return x
    weight = x.requires_grad and x.is_leaf and _state.caches and x.dtype is _C.float32
    if not (weight and _C.is_grad_enabled()):
        return x.to(_state.dtype)
    known = _state.cache.get(id(x))
    if known is None or known[1] != x._version:
        known = _state.cache[id(x)] = x, x._version, x.to(_state.dtype)
    return known[2]


def _at_least_lower(x: Tensor) -> Tensor:
    """In the dtype of the region, or its own if that holds all of it."""
    return x.to(promote_types(x.dtype, _state.dtype)) if _eligible(x) else x


def _to_float32(x: Tensor) -> Tensor:
    return x.to(_C.float32) if x.dtype in HALVES else x


def _called(op: Any, *args: Any, **kwargs: Any) -> Any:
    """Call an operation with what its rule makes of the arguments."""
    rule, condition = _rules()[0][op]
    if kwargs.get("out") is not None or (condition and not condition(*args, **kwargs)):
        return op(*args, **kwargs)
    if rule == "states" and rules.keeps_states(op, *args, **kwargs):
        given, named = rules.with_states(_lower, _at_least_lower, args, kwargs)
        return op(*given, **named)
    convert: Callable[[Tensor], Tensor] = _to_float32 if rule == "float32" else _lower
    if rule == "widest":
        dtypes = [x.dtype for x in (*args, *kwargs.values()) if isinstance(x, Tensor)]
        widest = functools.reduce(promote_types, [d for d in dtypes if d.is_floating_point])
        convert = lambda x: x.to(widest) if _eligible(x) else x  # noqa: E731
    args = rules.each_tensor(convert, args)
    return op(*args, **rules.each_tensor(convert, kwargs))


# ---- the region
class autocast:
    """A region in which matrix products, convolutions and attention compute in `dtype` (bfloat16 or
    float16), and losses and other long sums in float32, whichever of float32, bfloat16 and float16
    their arguments have; everything else follows its arguments. float64 and integers are left
    alone. Also a decorator of functions. Gradients have the dtypes of what they belong to; run
    `backward` outside. The lists are PyTorch's for the CPU, `gleed.amp.rules`.

    `cache_enabled`: weights are converted once for the whole of the outermost region.

    >>> import gleed
    >>> weight = gleed.ones(2, 2, requires_grad=True)
    >>> with autocast("cpu"):
    ...     y = weight @ weight
    ...     loss = gleed.nn.functional.mse_loss(y, gleed.zeros(2, 2))
    >>> y.dtype, loss.dtype
    (gleed.bfloat16, gleed.float32)
    """

    def __init__(
        self,
        device_type: str,
        dtype: Any = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        """Raises ArgumentError for what is no device type, and warns where nothing will happen."""
        self.device_type = _device_type("autocast", device_type)
        fast = get_autocast_dtype(device_type) if dtype is None else dtype_of("autocast", dtype)
        if enabled and device_type == "cuda":
            warnings.warn(
                "autocast: there is no GPU that gleed can use; it stays off; use 'cpu'",
                UserWarning,
                stacklevel=2,
            )
        if enabled and device_type == "cpu" and fast not in HALVES:
            warnings.warn(
                f"autocast: dtype must be bfloat16 or float16; got {fast.name}; it stays off",
                UserWarning,
                stacklevel=2,
            )
        self.fast_dtype = fast
        self.enabled = enabled and device_type == "cpu" and fast in HALVES
        self.caches = cache_enabled

    def __enter__(self) -> Self:
        self._outer = (_state.enabled, _state.dtype, _state.caches)
        if self.device_type == "cpu":
            _set(self.enabled, self.fast_dtype if self.enabled else _state.dtype, self.caches)
        _state.depth += 1
        return self

    def __exit__(self, *exception: object) -> None:
        _state.depth -= 1
        if _state.depth == 0:
            _state.cache.clear()
        _set(*self._outer)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, run in such a region."""

        @functools.wraps(function)
        def within(*args: Any, **kwargs: Any) -> Any:
            region = autocast(self.device_type, self.fast_dtype, self.enabled, self.caches)
            with region:
                return function(*args, **kwargs)

        return within


@contextmanager
def separate_cache(known: bool = False) -> Iterator[None]:
    """Weights that are converted in this block are others than those converted outside. `known`:
    what was converted before it is known in it."""
    outer, _state.cache = _state.cache, dict(_state.cache) if known else {}
    try:
        yield
    finally:
        _state.cache = outer


def _set(enabled: bool, dtype: Any, caches: bool | None) -> None:
    _state.enabled, _state.dtype = enabled, dtype
    _state.caches = _state.caches if caches is None else caches
    if enabled:
        _C.set_converter(_called, _rules()[1])
    else:
        _C.set_converter(None, None)


def _device_type(name: str, device_type: Any) -> str:
    if not isinstance(device_type, str):
        raise ArgumentError(
            f"{name}: device_type must be a string; got {type(device_type).__name__}; use 'cpu'"
        )
    if device_type not in ("cpu", "cuda"):
        raise DeviceError(
            f"{name}: device_type must be cpu or cuda; got {device_type!r}; use 'cpu'"
        )
    return device_type


# ---- inquiries
def is_autocast_available(device_type: str) -> bool:
    """Whether `autocast` does something for tensors of such a device."""
    return _device_type("is_autocast_available", device_type) == "cpu"


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether this thread is in a region for such a device; without one, a GPU as in PyTorch.

    >>> with autocast("cpu"):
    ...     is_autocast_enabled("cpu")
    True
    """
    return _device_type("is_autocast_enabled", device_type) == "cpu" and _state.enabled


def is_autocast_cpu_enabled() -> bool:
    """Whether this thread is in a region for the CPU."""
    return _state.enabled


def get_autocast_dtype(device_type: str) -> Any:
    """The dtype that a region has if it does not name one, or that the present one has."""
    on_cpu = _device_type("get_autocast_dtype", device_type) == "cpu"
    return _state.dtype if on_cpu else _C.float16


def get_autocast_cpu_dtype() -> Any:
    """`get_autocast_dtype("cpu")`."""
    return get_autocast_dtype("cpu")


def get_autocast_gpu_dtype() -> Any:
    """`get_autocast_dtype("cuda")`."""
    return get_autocast_dtype("cuda")


def is_autocast_cache_enabled() -> bool:
    """Whether converted weights are kept until the outermost region ends."""
    return _state.caches


def clear_autocast_cache() -> None:
    """Forget the weights that were converted."""
    _state.cache.clear()


# ---- custom functions
def custom_fwd(
    fwd: Callable[..., Any] | None = None, *, device_type: str, cast_inputs: Any = None
) -> Callable[..., Any]:
    """A decorator for `forward` of a custom `autograd.Function`: with `cast_inputs`, tensors that
    come under autocast are converted to that dtype and `forward` runs outside of autocast; without,
    it runs as the code around it. `custom_bwd` makes `backward` run the same way.
    """
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)
    forward = fwd
    _device_type("custom_fwd", device_type)
    wanted = None if cast_inputs is None else dtype_of("custom_fwd", cast_inputs)

    def convert(x: Tensor) -> Tensor:
        return x.to(wanted) if _eligible(x) else x

    @functools.wraps(forward)
    def decorated(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        ctx._dtype = get_autocast_dtype(device_type)
        within = is_autocast_enabled(device_type)
        ctx._fwd_used_autocast = within and wanted is None
        if not within or wanted is None:
            return forward(ctx, *args, **kwargs)
        with autocast(device_type, enabled=False):
            args = rules.each_tensor(convert, args)
            return forward(ctx, *args, **rules.each_tensor(convert, kwargs))

    return decorated


def custom_bwd(bwd: Callable[..., Any] | None = None, *, device_type: str) -> Callable[..., Any]:
    """A decorator for `backward` of a custom `autograd.Function` whose `forward` has `custom_fwd`:
    it runs under autocast if `forward` did."""
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)
    backward = bwd
    _device_type("custom_bwd", device_type)

    @functools.wraps(backward)
    def decorated(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        with autocast(device_type, ctx._dtype, enabled=ctx._fwd_used_autocast):
            return backward(ctx, *args, **kwargs)

    return decorated
