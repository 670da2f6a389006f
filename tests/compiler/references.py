"""Special functions in extended precision, by other methods than the compiler's.

np.longdouble must have 64 significant bits, as on x86; `EXTENDED` says whether it has.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from scipy import special

Wide = np.ndarray  # of np.longdouble
EXTENDED = np.finfo(np.longdouble).nmant >= 63
PI = np.longdouble(4) * np.arctan(np.longdouble(1))
_BERNOULLI = [  # B2, B4, …
    Fraction(*pair)
    for pair in (
        (1, 6), (-1, 30), (1, 42), (-1, 30), (5, 66), (-691, 2730), (7, 6), (-3617, 510),
        (43867, 798), (-174611, 330), (854513, 138), (-236364091, 2730), (8553103, 6),
    )
]  # fmt: skip
_ASYMPTOTIC = 20  # from here on the asymptotic series have the precision of longdouble


def _wide(value: Fraction) -> np.longdouble:
    return np.longdouble(value.numerator) / np.longdouble(value.denominator)


def _exp_of_minus_square(x: Wide) -> Wide:
    """exp(-x²), the square split so that its rounding does no harm."""
    high = np.rint(x * 2**20) / 2**20
    return np.exp(-high * high) * np.exp((high - x) * (high + x))


def erf(x: Wide) -> Wide:
    """A series of positive terms up to 3, else from erfc."""
    near = np.where(np.abs(x) < 3, x, 0)
    term = total = near
    for k in range(1, 90):
        term = term * 2 * near * near / (2 * k + 1)
        total = total + term
    series = total * 2 / np.sqrt(PI) * _exp_of_minus_square(near)
    return np.where(np.abs(x) < 3, series, np.sign(x) * (1 - _erfc_tail(np.maximum(abs(x), 3))))


def _erfc_tail(x: Wide) -> Wide:
    """A continued fraction, for x >= 2."""
    fraction = x
    for k in range(160, 0, -1):
        fraction = x + k / fraction / 2
    return _exp_of_minus_square(x) / np.sqrt(PI) / fraction


def erfc(x: Wide) -> Wide:
    """1 - erf(x), or the tail from 2 on."""
    return np.where(x >= 2, _erfc_tail(np.maximum(x, 2)), 1 - erf(np.minimum(x, 2)))


def erfinv(x: Wide) -> Wide:
    """Newton's method from SciPy's value."""
    magnitude = np.abs(x)
    y = special.erfinv(magnitude.astype(np.float64)).astype(np.longdouble)
    for _ in range(2):
        error = np.where(magnitude < 0.5, erf(y) - magnitude, (1 - magnitude) - erfc(y))
        y = y - error * np.sqrt(PI) / 2 / _exp_of_minus_square(y)
    return np.copysign(y, x)


def _shift_up(x: Wide) -> Wide:
    """How many steps take x to the range of the asymptotic series."""
    return np.maximum(np.ceil(_ASYMPTOTIC - x), 0)


def _lgamma_of_positive(x: Wide) -> Wide:
    steps = _shift_up(x)
    product = np.ones_like(x)
    for k in range(_ASYMPTOTIC):
        product = np.where(k < steps, product * (x + k), product)
    y = x + steps
    total = (y - np.longdouble(0.5)) * np.log(y) - y + np.log(2 * PI) / 2
    for k, b in enumerate(_BERNOULLI, 1):
        total = total + _wide(b / (2 * k * (2 * k - 1))) / y ** (2 * k - 1)
    return total - np.log(product)


def lgamma(x: Wide) -> Wide:
    """Stirling's series, the recurrence and the reflection formula."""
    positive = _lgamma_of_positive(np.where(x < 0, 1 - x, x))
    sine = np.abs(np.sin(PI * (x - np.rint(x))))
    return np.where(x < 0, np.log(PI / sine) - positive, positive)


def _digamma_of_positive(x: Wide) -> Wide:
    steps = _shift_up(x)
    total = np.zeros_like(x)
    for k in range(_ASYMPTOTIC):
        total = np.where(k < steps, total - 1 / (x + k), total)
    y = x + steps
    total = total + np.log(y) - 1 / (2 * y)
    for k, b in enumerate(_BERNOULLI, 1):
        total = total - _wide(b / (2 * k)) / y ** (2 * k)
    return total


def digamma(x: Wide) -> Wide:
    """The asymptotic series, the recurrence and the reflection formula."""
    positive = _digamma_of_positive(np.where(x < 0, 1 - x, x))
    return np.where(x < 0, positive - PI / np.tan(PI * (x - np.rint(x))), positive)


def sigmoid(x: Wide) -> Wide:
    """1 / (1 + exp(-x))."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def softplus(x: Wide) -> Wide:
    """log(1 + exp(x))."""
    return np.logaddexp(np.longdouble(0), x)


def remainder(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Python's %, whose zeros have the sign of fmod's, as PyTorch's have."""
    rest = np.fmod(x, y)
    return np.where((rest != 0) & ((rest < 0) != (y < 0)), rest + y, rest)
