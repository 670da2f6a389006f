"""Settings of oneDNN; see `gleed.backends`."""

from __future__ import annotations

from contextlib import AbstractContextManager

from gleed.backends.temporary import temporarily

enabled = True
deterministic = False


def is_available() -> bool:
    """Whether oneDNN is used: never.

    >>> is_available()
    False
    """
    return False


def flags(enabled: bool = False, deterministic: bool = False) -> AbstractContextManager[None]:
    """Settings within a `with`.

    >>> from gleed.backends import mkldnn
    >>> with mkldnn.flags(enabled=False):
    ...     mkldnn.enabled
    False
    """
    return temporarily(globals(), enabled=enabled, deterministic=deterministic)
