"""Special functions of mathematics beyond the elementary ones."""

from __future__ import annotations

import math
from typing import Any

from gleed import primitives as p
from gleed.errors import RangeError
from gleed.ops.elementary import erf, erfc, lgamma
from gleed.ops.families import binary, unary
from gleed.ops.promotion import common, floating
from gleed.ops.record import Tensor, op

POSITIVE = (0.2, 3.0)


# ---- the gamma function and its derivatives
@unary(domain=POSITIVE, reference="scipy.special.digamma", namespace=("gleed", "special"))
def digamma(input: Tensor) -> Tensor:
    """The derivative of `lgamma`: -inf at 0, NaN at negative integers.

    >>> gleed.digamma(gleed.tensor([1.0]))
    tensor([-0.5772])
    """
    return p.digamma(floating(input))


# B(2k) / (2k)! of the Bernoulli numbers, which the sum formula of Euler and Maclaurin has.
_SUM_FORMULA = (1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000)


def _hurwitz_zeta(s: int, q: Tensor) -> Tensor:
    """The sum of (q + k)**-s over k = 0, 1, … for q > 0: the first terms one by one, the rest by
    the formula of Euler and Maclaurin (DLMF 25.11.5)."""
    total = p.fill(q, 0)
    for _ in range(10 + s // 2):
        total = total + q**-s
        q = q + 1
    total = total + q ** (1 - s) * (1 / (s - 1)) + 0.5 * q**-s
    factor = float(s)
    for j, share in enumerate(_SUM_FORMULA):
        total = total + q ** (-s - 1 - 2 * j) * (share * factor)
        factor *= (s + 2 * j + 1) * (s + 2 * j + 2)
    return total


def _cotangent_derivative(n: int, x: Tensor) -> Tensor:
    """The n-th derivative of cot(pi x): a polynomial in the cotangent c, for c' is -pi (1 + c²)."""
    powers = [0.0, 1.0]
    for _ in range(n):
        slopes = [k * c for k, c in enumerate(powers)][1:]
        squares = [0.0, 0.0, *slopes]
        powers = [-math.pi * (a + b) for a, b in zip([*slopes, 0.0, 0.0], squares, strict=True)]
    whole = p.roundeven(x)
    angle = (x - whole) * math.pi
    cotangent = p.cos(angle) / p.sin(angle)
    total = p.fill(x, powers[-1])
    for c in reversed(powers[:-1]):
        total = total * cotangent + c
    return total


@op(method=True, inplace=True, namespace=("gleed", "special"))
def polygamma(input: Tensor, n: int) -> Tensor:
    """The n-th derivative of `digamma`, for n = 0, 1, …; `polygamma(n, input)` as a function. At 0
    and at negative integers: inf for odd n, -inf for even n > 0. Sources: DLMF 5.15.1 and 5.15.6.

    >>> gleed.polygamma(1, gleed.tensor([1.0]))
    tensor([1.6449])
    """
    if n < 0:
        raise RangeError(f"polygamma: n must be 0 or more; got {n}; it counts derivatives")
    x = floating(input)
    if n == 0:
        return digamma(x)
    below = x < 0.5
    sign = 1 if n % 2 else -1
    zeta = _hurwitz_zeta(n + 1, p.where(below, 1 - x, x)) * (sign * math.factorial(n))
    other = -sign * zeta - math.pi * _cotangent_derivative(n, x)
    return p.where(below, other, zeta)


@polygamma.vjp
def _(g: Any, y: Any, input: Tensor, n: int) -> Any:
    return g * polygamma(input, n + 1)


@op(name="polygamma")
def polygamma_of(n: int, input: Tensor) -> Tensor:
    return polygamma(input, n)


@op(method=True, inplace=True)
def mvlgamma(input: Tensor, p: int) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension `p`, for x > (p - 1) / 2.

    >>> gleed.mvlgamma(gleed.tensor([2.0]), 2)
    tensor([0.4516])
    """
    if p < 1:
        raise RangeError(f"mvlgamma: p must be 1 or more; got {p}; it is the size of a matrix")
    x = floating(input)
    total = lgamma(x)
    for j in range(1, p):
        total = total + lgamma(x - j / 2)
    return total + (p * (p - 1) / 4 * math.log(math.pi))


@op(namespace="special")
def multigammaln(input: Tensor, p: int) -> Tensor:
    """As `mvlgamma`.

    >>> gleed.special.multigammaln(gleed.tensor([2.0]), 2)
    tensor([0.4516])
    """
    return mvlgamma(input, p)


# ---- entropies and the normal distribution
@unary(domain=POSITIVE, reference="scipy.special.entr", inplace=False, namespace="special")
def entr(input: Tensor) -> Tensor:
    """-x * log(x): 0 at 0, -inf below.

    >>> gleed.special.entr(gleed.tensor([0.0, 0.5]))
    tensor([0.0000, 0.3466])
    """
    x = floating(input)
    positive = x > 0
    body = -x * p.log(p.where(positive, x, p.fill(x, 1)))
    other = p.where(x == 0, p.fill(x, 0), p.where(x < 0, p.fill(x, -math.inf), x))
    return p.where(positive, body, other)


@binary(domain=POSITIVE, reference="scipy.special.xlog1py", inplace=False, namespace="special")
def xlog1py(input: Tensor, other: Tensor) -> Tensor:
    """input * log1p(other), and 0 where input is 0.

    >>> gleed.special.xlog1py(gleed.tensor([0.0, 2.0]), gleed.tensor([-1.0, 0.0]))
    tensor([0., 0.])
    """
    a, b = common("xlog1py", input, other, to_float=True)
    product = p.where(p.eq(a, p.fill(a, 0)), p.fill(a, 0), a * p.log1p(b))
    return p.where(p.ne(b, b), b, product)


@unary(reference="scipy.special.ndtr", inplace=False, namespace="special")
def ndtr(input: Tensor) -> Tensor:
    """The share of the standard normal distribution that lies below x.

    >>> gleed.special.ndtr(gleed.tensor([0.0, 1.0]))
    tensor([0.5000, 0.8413])
    """
    x = floating(input) * math.sqrt(0.5)
    return p.where(x < 1, 0.5 * erfc(-x), 0.5 + 0.5 * erf(x))


# ---- waves
@unary(reference="numpy.sinc", namespace=("gleed", "special"))
def sinc(input: Tensor) -> Tensor:
    """sin(pi x) / (pi x), and 1 at 0.

    >>> gleed.sinc(gleed.tensor([0.0, 0.5]))
    tensor([1.0000, 0.6366])
    """
    x = floating(input)
    zero = x == 0
    return p.where(zero, p.fill(x, 1), _sine_of_half_turns(x) / p.where(zero, x + 1, x * math.pi))


def _sine_of_half_turns(x: Tensor) -> Tensor:
    """sin(pi x), exactly 0 at integers."""
    whole = p.roundeven(x)
    odd = whole - 2 * p.floor(whole * 0.5)
    return p.sin((x - whole) * math.pi) * (1 - 2 * odd)


@binary(reference="numpy.logaddexp2", inplace=False)
def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """log2(2**input + 2**other) without overflow.

    >>> gleed.logaddexp2(gleed.tensor([3.0]), gleed.tensor([3.0]))
    tensor([4.])
    """
    a, b = common("logaddexp2", input, other, to_float=True)
    gap = p.where(p.eq(a, b), p.fill(a, 0), -p.abs(a - b))
    return p.maximum(a, b) + p.log1p(p.exp2(gap)) * (1 / math.log(2))


@polygamma.samples
def _(make: Any) -> Any:
    for n in (0, 1, 2, 5):
        yield make.call(make.tensor((5,), POSITIVE), n)
    yield make.call(make.tensor((2, 3), (-2.8, -2.2)), 1)


@polygamma_of.samples
def _(make: Any) -> Any:
    yield make.call(2, make.tensor((5,), POSITIVE))


@mvlgamma.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((5,), (2.5, 4.0)), 3)
    yield make.call(make.tensor((2, 3), (0.5, 4.0)), 1)


@multigammaln.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((5,), (2.5, 4.0)), 2)
