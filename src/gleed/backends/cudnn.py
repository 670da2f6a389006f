"""Settings of cuDNN; see `gleed.backends`."""

from __future__ import annotations

from contextlib import AbstractContextManager

from gleed.backends.temporary import temporarily

enabled = True
benchmark = False
benchmark_limit = 10
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """Whether cuDNN is used: never.

    >>> is_available()
    False
    """
    return False


def version() -> int | None:
    """The version of cuDNN; None without it.

    >>> version() is None
    True
    """
    return None


def flags(
    enabled: bool = False,
    benchmark: bool = False,
    benchmark_limit: int = 10,
    deterministic: bool = False,
    allow_tf32: bool = True,
) -> AbstractContextManager[None]:
    """Settings within a `with`.

    >>> from gleed.backends import cudnn
    >>> with cudnn.flags(enabled=True, deterministic=True):
    ...     cudnn.deterministic
    True
    """
    return temporarily(
        globals(),
        enabled=enabled,
        benchmark=benchmark,
        benchmark_limit=benchmark_limit,
        deterministic=deterministic,
        allow_tf32=allow_tf32,
    )
