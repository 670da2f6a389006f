"""Mixed precision on a GPU, under the names that programs for one have.

>>> GradScaler(enabled=False).is_enabled()
False
"""

from __future__ import annotations

from functools import partial
from typing import Any

from gleed import amp

custom_fwd = partial(amp.custom_fwd, device_type="cuda")
custom_bwd = partial(amp.custom_bwd, device_type="cuda")


class autocast(amp.autocast):
    """`gleed.autocast("cuda", …)`."""

    def __init__(
        self, enabled: bool = True, dtype: Any = None, cache_enabled: bool | None = True
    ) -> None:
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """`gleed.amp.GradScaler("cuda", …)`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("cuda", *args, **kwargs)
