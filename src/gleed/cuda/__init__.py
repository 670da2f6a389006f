"""What programs ask about GPUs.

>>> is_available(), device_count()
(False, 0)
"""

from __future__ import annotations

import importlib
from typing import Any

from gleed.errors import DeviceError


def __getattr__(name: str) -> Any:
    if name != "amp":
        raise AttributeError(f"module 'gleed.cuda' has no attribute {name!r}")
    return importlib.import_module("gleed.cuda.amp")


def is_available() -> bool:
    """Whether tensors can be put on a GPU here."""
    return False


def device_count() -> int:
    """How many GPUs can be used."""
    return 0


def is_initialized() -> bool:
    """Whether a GPU is in use."""
    return False


def manual_seed(seed: int) -> None:
    """Seed the generator of the current GPU; without one, nothing."""


def manual_seed_all(seed: int) -> None:
    """Seed the generators of all GPUs; without any, nothing."""


def empty_cache() -> None:
    """Give unused GPU memory back; without a GPU, nothing."""


def synchronize(device: object = None) -> None:
    """Wait for the GPU. Raises DeviceError: there is none that gleed can use."""
    raise DeviceError(
        "synchronize: this build of gleed computes on the CPU; there is no GPU to wait "
        "for; drop the call, or ask gleed.cuda.is_available() first"
    )
