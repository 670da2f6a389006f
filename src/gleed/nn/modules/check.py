"""Checks of the arguments that modules are made with."""

from __future__ import annotations

from gleed.errors import ArgumentError, RangeError


def check_size(module: str, name: str, value: int, least: int = 0) -> int:
    """Return `value`, a size of `module`; raise TypeError or ValueError if it cannot be one."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ArgumentError(
            f"{module}: {name} is an integer; got {value!r} of type {type(value).__name__}; "
            "convert it with int()"
        )
    if value < least:
        raise RangeError(
            f"{module}: {name} is at least {least}; got {value}; "
            "check the arithmetic that led to this size"
        )
    return value


def check_probability(module: str, name: str, value: float) -> float:
    """Return `value`, a probability; raise ValueError if it is outside 0 … 1."""
    if not 0 <= value <= 1:
        raise RangeError(
            f"{module}: {name} is a probability, from 0 to 1; got {value}; "
            f"for a percentage write {name}={value}/100"
        )
    return value
