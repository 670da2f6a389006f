"""Mixed precision: matrix products in 16 bits, sums and losses in 32.

>>> import gleed
>>> x = gleed.ones(2, 2)
>>> with gleed.autocast("cpu", dtype=gleed.bfloat16):
...     y = x @ x
>>> y.dtype
gleed.bfloat16
"""

from gleed.amp.autocast_mode import (
    autocast,
    clear_autocast_cache,
    custom_bwd,
    custom_fwd,
    get_autocast_cpu_dtype,
    get_autocast_dtype,
    get_autocast_gpu_dtype,
    is_autocast_available,
    is_autocast_cache_enabled,
    is_autocast_cpu_enabled,
    is_autocast_enabled,
    separate_cache,
)
from gleed.amp.grad_scaler import GradScaler

__all__ = [
    "GradScaler",
    "autocast",
    "clear_autocast_cache",
    "custom_bwd",
    "custom_fwd",
    "get_autocast_cpu_dtype",
    "get_autocast_dtype",
    "get_autocast_gpu_dtype",
    "is_autocast_available",
    "is_autocast_cache_enabled",
    "is_autocast_cpu_enabled",
    "is_autocast_enabled",
    "separate_cache",
]
