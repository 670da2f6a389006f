# Made by tools/generate_stubs.py; `make format` makes it anew.
from typing import overload

from gleed import Tensor
from gleed._typing import Bool, Dims, DType, Float, Int, Operand

def digamma(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The derivative of `lgamma`: -inf at 0, NaN at negative integers."""

def digamma_(input: Tensor) -> Tensor:
    """In-place version of `digamma`; returns the tensor itself."""

def entr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """-x * log(x): 0 at 0, -inf below."""

def erf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x."""

def erf_(input: Tensor) -> Tensor:
    """In-place version of `erf`; returns the tensor itself."""

def erfc(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The complementary error function 1 - erf(x), exact also where erf is near 1."""

def erfc_(input: Tensor) -> Tensor:
    """In-place version of `erfc`; returns the tensor itself."""

def erfinv(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverse of erf; NaN outside [-1, 1]."""

def erfinv_(input: Tensor) -> Tensor:
    """In-place version of `erfinv`; returns the tensor itself."""

def exp(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """e to the power of every element. Integers become floating point."""

def exp2(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """2 to the power of every element."""

def exp2_(input: Tensor) -> Tensor:
    """In-place version of `exp2`; returns the tensor itself."""

def exp_(input: Tensor) -> Tensor:
    """In-place version of `exp`; returns the tensor itself."""

def expm1(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """exp(x) - 1, exact also near zero."""

def expm1_(input: Tensor) -> Tensor:
    """In-place version of `expm1`; returns the tensor itself."""

def gammaln(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The logarithm of the absolute value of the gamma function."""

def log1p(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """log(1 + x), exact also near zero."""

def log1p_(input: Tensor) -> Tensor:
    """In-place version of `log1p`; returns the tensor itself."""

def log_softmax(
    input: Tensor, dim: Int, _stacklevel: Int = 3, dtype: DType | None = None
) -> Tensor:
    """log(softmax(x)) along `dim`, without overflow or cancellation."""

def logit(input: Tensor, eps: Float | None = None, *, out: Tensor | None = None) -> Tensor:
    """log(x / (1 - x)), with x first clamped to [eps, 1 - eps] if eps is given."""

def logit_(input: Tensor, eps: Float | None = None) -> Tensor:
    """In-place version of `logit`; returns the tensor itself."""

def logsumexp(
    input: Tensor, dim: Dims, keepdim: Bool = False, *, out: Tensor | None = None
) -> Tensor:
    """log(sum(exp(x))) over `dim`, without overflow."""

def multigammaln(input: Tensor, p: Int) -> Tensor:
    """As `mvlgamma`."""

def ndtr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The share of the standard normal distribution that lies below x."""

@overload
def polygamma(input: Tensor, n: Int) -> Tensor:
    """The n-th derivative of `digamma`, for n = 0, 1, …; `polygamma(n, input)` as a function. At
    0 and at negative integers: inf for odd n, -inf for even n > 0. Sources: DLMF 5.15.1 and
    5.15.6.
    """

@overload
def polygamma(n: Int, input: Tensor) -> Tensor: ...
def polygamma_(input: Tensor, n: Int) -> Tensor:
    """In-place version of `polygamma`; returns the tensor itself."""

def round(input: Tensor, *, decimals: Int = 0, out: Tensor | None = None) -> Tensor:
    """The nearest integer, halves to the even one; or the nearest multiple of 10**-decimals."""

def round_(input: Tensor, *, decimals: Int = 0) -> Tensor:
    """In-place version of `round`; returns the tensor itself."""

def sigmoid(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """1 / (1 + exp(-x))."""

def sigmoid_(input: Tensor) -> Tensor:
    """In-place version of `sigmoid`; returns the tensor itself."""

def sinc(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """sin(pi x) / (pi x), and 1 at 0."""

def sinc_(input: Tensor) -> Tensor:
    """In-place version of `sinc`; returns the tensor itself."""

def softmax(input: Tensor, dim: Int, _stacklevel: Int = 3, dtype: DType | None = None) -> Tensor:
    """exp(x) / sum(exp(x)) along `dim`, without overflow."""

def xlog1py(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """input * log1p(other), and 0 where input is 0."""

def xlogy(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input * log(other), and 0 where input is 0."""

def xlogy_(input: Operand, other: Operand) -> Tensor:
    """In-place version of `xlogy`; returns the tensor itself."""

expit = sigmoid
psi = digamma
