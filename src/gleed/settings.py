"""Settings of precision and of determinism, as programs for PyTorch make them.

Results of gleed are the same bits in every run and for every number of threads, and float32
products are computed in float32. So these are remembered and change nothing.
"""

from __future__ import annotations

from gleed.errors import ArgumentError

_PRECISIONS = ("highest", "high", "medium")
_DEBUG_MODES = ("default", "warn", "error")
_precision = "highest"
_debug_mode = 0  # the place in `_DEBUG_MODES`


def set_float32_matmul_precision(precision: str) -> None:
    """Say how precise products of float32 matrices need to be: "highest", "high" or "medium".

    gleed's have the precision of float32 in any case. Raises ArgumentError for other names.

    >>> set_float32_matmul_precision("high")
    >>> get_float32_matmul_precision()
    'high'
    """
    global _precision
    if precision not in _PRECISIONS:
        raise ArgumentError(
            f"set_float32_matmul_precision: the precision is {_listed(_PRECISIONS)}; got "
            f"{precision!r}; choose one of these"
        )
    _precision = precision


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` has set; "highest" at first.

    >>> set_float32_matmul_precision("highest")
    >>> get_float32_matmul_precision()
    'highest'
    """
    return _precision


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for operations that give the same bits in every run. gleed has no others.

    >>> use_deterministic_algorithms(True)
    >>> are_deterministic_algorithms_enabled()
    True
    """
    set_deterministic_debug_mode((1 if warn_only else 2) if mode else 0)


def are_deterministic_algorithms_enabled() -> bool:
    """Whether `use_deterministic_algorithms` has asked for them.

    >>> use_deterministic_algorithms(False)
    >>> are_deterministic_algorithms_enabled()
    False
    """
    return _debug_mode > 0


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether they were asked for with `warn_only`.

    >>> use_deterministic_algorithms(True, warn_only=True)
    >>> is_deterministic_algorithms_warn_only_enabled()
    True
    """
    return _debug_mode == 1


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """Set both at once: 0 or "default", 1 or "warn", 2 or "error".

    Raises ArgumentError for anything else.

    >>> set_deterministic_debug_mode("default")
    >>> get_deterministic_debug_mode()
    0
    """
    global _debug_mode
    modes = {name: i for i, name in enumerate(_DEBUG_MODES)}
    number = modes.get(debug_mode) if isinstance(debug_mode, str) else debug_mode
    if number is None or number not in modes.values():
        raise ArgumentError(
            f"set_deterministic_debug_mode: the mode is 0, 1, 2, {_listed(_DEBUG_MODES)}; got "
            f"{debug_mode!r}; choose one of these"
        )
    _debug_mode = number


def get_deterministic_debug_mode() -> int:
    """What `set_deterministic_debug_mode` has set, as a number.

    >>> set_deterministic_debug_mode(0)
    >>> get_deterministic_debug_mode()
    0
    """
    return _debug_mode


def _listed(names: tuple[str, ...]) -> str:
    quoted = [f'"{name}"' for name in names]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}"
