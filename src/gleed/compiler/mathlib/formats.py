"""The two floating-point formats that functions are computed in, and arithmetic on their bits."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from gleed.compiler.kernel import Node, Value, bitcast, fma

INF = math.inf
NAN = math.nan


@dataclass(frozen=True)
class Format:
    """An IEEE 754 binary format; `precision` counts the stored bits of a significand."""

    dtype: str
    integer: str
    precision: int
    bias: int

    @property
    def shifter(self) -> float:
        """Added to a small number, it leaves the nearest integer in the lowest bits of the sum."""
        return 1.5 * 2.0**self.precision

    @property
    def epsilon(self) -> float:
        """The distance from 1 to the next greater number."""
        return 2.0**-self.precision

    @property
    def least_normal(self) -> float:
        """The least number that has the full precision."""
        return 2.0 ** (1 - self.bias)

    @property
    def exponent_mask(self) -> int:
        """The bits of a word above the significand: sign and exponent."""
        return -(1 << self.precision)

    @property
    def width(self) -> int:
        """The bits of a word."""
        return 32 if self.dtype == "f32" else 64

    @property
    def sign_mask(self) -> int:
        """The sign bit of a word."""
        return -(1 << (self.width - 1))

    def bits(self, value: float) -> int:
        """The word that holds `value`, as a signed integer.

        >>> hex(F32.bits(1.0))
        '0x3f800000'
        """
        float_code, integer_code = ("<f", "<i") if self.dtype == "f32" else ("<d", "<q")
        return struct.unpack(integer_code, struct.pack(float_code, value))[0]

    def round(self, value: float) -> float:
        """`value` rounded to the format."""
        return struct.unpack("<f", struct.pack("<f", value))[0] if self.dtype == "f32" else value


F32 = Format("f32", "i32", 23, 127)
F64 = Format("f64", "i64", 52, 1023)


def format_of(x: Node) -> Format:
    """The format of a node of dtype f32 or f64."""
    return {"f32": F32, "f64": F64}[x.dtype]


def word(x: Node) -> Node:
    """The bits of a floating-point node, as an integer."""
    return bitcast(x, format_of(x).integer)


def sign_of(x: Node) -> Node:
    """The sign bit of `x`, alone in a word."""
    return word(x) & format_of(x).sign_mask


def with_sign(magnitude: Node, sign: Node) -> Node:
    """`magnitude`, whose own sign is clear, with the sign bit of the word `sign`."""
    return bitcast(word(magnitude) | sign, magnitude.dtype)


def flip_sign(x: Node, sign: Node) -> Node:
    """`x`, negated where the word `sign` has its sign bit set (its other bits must be clear)."""
    return bitcast(word(x) ^ sign, x.dtype)


def polynomial(coefficients: Sequence[Value], x: Node) -> Node:
    """Horner's scheme, the coefficients in ascending order; at least two of them."""
    *lower, before, last = coefficients
    result = fma(x, last, before)
    for coefficient in reversed(lower):
        result = fma(result, x, coefficient)
    return result


def two_sum(x: Node, y: Value) -> tuple[Node, Node]:
    """x + y and the rounding error of that sum, exactly (Knuth)."""
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


def fast_two_sum(x: Node, y: Node) -> tuple[Node, Node]:
    """`two_sum` for |x| >= |y| (Dekker)."""
    total = x + y
    return total, y - (total - x)


def two_product(x: Node, y: Node) -> tuple[Node, Node]:
    """x * y and the rounding error of that product, exactly."""
    product = x * y
    return product, fma(x, y, -product)
