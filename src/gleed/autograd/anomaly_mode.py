"""Anomaly mode: errors in backward name the line of the forward call, and NaN is an error."""

from __future__ import annotations

from gleed import _C


def is_anomaly_enabled() -> bool:
    """Whether anomaly mode is on."""
    return bool(_C.get_anomaly()[0])


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly mode, when it is on, makes an error of a gradient that is NaN."""
    return bool(_C.get_anomaly()[1])


class set_detect_anomaly:
    """Switch anomaly mode on or off, at once or for a `with` block.

    Every recorded operation then remembers the Python stack it was called from, which is slow: for
    finding a bug, not for training.

    >>> import gleed
    >>> with gleed.autograd.set_detect_anomaly(True):
    ...     gleed.autograd.is_anomaly_enabled()
    True
    >>> gleed.autograd.is_anomaly_enabled()
    False
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._before = _C.get_anomaly()
        _C.set_anomaly(mode, check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        _C.set_anomaly(*self._before)


class detect_anomaly:
    """Anomaly mode for a `with` block.

    >>> import gleed
    >>> with gleed.autograd.detect_anomaly():
    ...     gleed.autograd.is_anomaly_enabled()
    True
    """

    def __init__(self, check_nan: bool = True) -> None:
        self._check_nan = check_nan

    def __enter__(self) -> None:
        self._before = _C.get_anomaly()
        _C.set_anomaly(True, self._check_nan)

    def __exit__(self, *exception: object) -> None:
        _C.set_anomaly(*self._before)
