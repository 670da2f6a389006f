"""Normal numbers from uniform ones (Box and Muller, "A note on the generation of random normal
deviates", 1958), rounded step by step as PyTorch's vector code rounds them.

Logarithm, sine and cosine are those of Moshier's Cephes library (netlib.org/cephes) in float32:
`logf.c` and `sinf.c`, with multiplications and additions fused where PyTorch's compiler fuses them.
"""

from __future__ import annotations

import math

from gleed import primitives as p
from gleed.ops.promotion import convert
from gleed.ops.record import Tensor

_ROOT_HALF = 0.707106781186547524
_LOG = (
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
_LOG2_LOW, _LOG2_HIGH = -2.12194440e-4, 0.693359375
_SIN = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COS = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
# π/4 in parts short enough for exact products with small integers.
_QUARTER_PI = (0.78515625, 2.4187564849853515625e-4, 3.77489497744594108e-8)


def box_muller(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Two independent normal numbers for two uniform ones of [0, 1), float32."""
    radius = p.sqrt(_log(1 - first) * -2)
    sine, cosine = _sine_and_cosine(second * (2 * math.pi))
    return radius * cosine, radius * sine


def _polynomial(x: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    y = p.fill(x, coefficients[0])
    for c in coefficients[1:]:
        y = p.fma(y, x, p.fill(x, c))
    return y


def _log(x: Tensor) -> Tensor:
    """The logarithm of normal float32 numbers above 0."""
    bits = p.bitcast(x, dtype="i32")
    exponent = convert(p.shift_right(bits, p.fill(bits, 23)) - 126, "f32")
    x = p.bitcast((bits & 0x7FFFFF) | 0x3F000000, dtype="f32")  # in [0.5, 1)
    low = p.lt(x, p.fill(x, _ROOT_HALF))
    exponent = exponent - p.where(low, p.fill(x, 1), p.fill(x, 0))
    x = (x - 1) + p.where(low, x, p.fill(x, 0))
    square = x * x
    y = p.fma(_polynomial(x, _LOG) * x, square, exponent * _LOG2_LOW)
    y = p.fma(square, p.fill(x, -0.5), y)
    return p.fma(exponent, p.fill(x, _LOG2_HIGH), x + y)


def _sine_and_cosine(x: Tensor) -> tuple[Tensor, Tensor]:
    """The sine and the cosine of angles of 0 … 2π, float32."""
    octant = (convert(x * (4 / math.pi), "i32") + 1) & ~1
    turns = convert(octant, "f32")
    for part in _QUARTER_PI:
        x = p.fma(turns, p.fill(x, -part), x)
    square = x * x
    tail = _polynomial(square, _COS) * square
    even = p.fma(tail, square, -(square * 0.5)) + 1
    odd = p.fma(_polynomial(square, _SIN) * square, x, x)
    straight = p.eq(octant & 2, p.fill(octant, 0))
    return (
        _with_sign(p.where(straight, odd, even), octant & 4),
        _with_sign(p.where(straight, even, odd), (octant + 2) & 4),
    )


def _with_sign(x: Tensor, flag: Tensor) -> Tensor:
    """`x` with its sign changed where the flag is 4 rather than 0."""
    sign = p.shift_left(flag, p.fill(flag, 29))
    return p.bitcast(p.bitcast(x, dtype="i32") ^ sign, dtype="f32")
