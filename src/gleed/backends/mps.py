"""What programs ask about GPUs of Apple's; see `gleed.backends`."""

from __future__ import annotations


def is_available() -> bool:
    """Whether tensors can be put on such a GPU.

    >>> is_available()
    False
    """
    return False


def is_built() -> bool:
    """Whether gleed can compute on such a GPU where there is one.

    >>> is_built()
    False
    """
    return False
