"""Random numbers of other distributions, computed from uniform and normal ones as PyTorch does."""

from __future__ import annotations

import math
from typing import Any

from gleed import primitives as p
from gleed.compiler.dims import hint
from gleed.errors import RangeError, ShapeError
from gleed.ops.activation import softmax
from gleed.ops.axes import axis_of
from gleed.ops.creation import checked_sizes
from gleed.ops.logic import where
from gleed.ops.promotion import (
    as_standins,
    broadcast_shapes,
    convert,
    default_float,
    expand_to,
    shape_text,
)
from gleed.ops.random import (
    CONVERT,
    draw,
    float_dtype,
    normal_of,
    number,
    one_by_one,
    randn_of,
    spread,
    unit,
)
from gleed.ops.record import Int, Ints, Number, Operand, Source, Tensor, op
from gleed.ops.reduction import argmax


def everywhere(condition: Tensor) -> Tensor:
    """Whether a condition holds for all elements, as a 0-d bool."""
    axes = tuple(range(condition.ndim))
    return p.reduce_all(condition, axes=axes) if axes else condition


def _zeros(g: Any, y: Any, *arguments: Any) -> tuple[Any, ...]:
    """The gradient of what is drawn anew: PyTorch's zeros, not none."""
    return tuple(p.fill(x, 0) if isinstance(x, Tensor) else None for x in arguments)


# ---- events
def probable(x: Tensor) -> Tensor:
    """Whether 0 ≤ x ≤ 1 everywhere, as a 0-d bool."""
    return everywhere(p.bitwise_and(p.ge(x, p.fill(x, 0.0)), p.le(x, p.fill(x, 1.0))))


def events(shape: Any, probability: Any, eager: bool = False, **options: Any) -> Tensor:
    """True with a probability; with `eager`, certain events draw nothing."""
    chance = number(probability)
    valid = probable(chance)
    return draw(p.random_events, shape, chance, valid=valid, eager=eager, **options)


def _events_by_element(shape: Any, chances: Tensor, **options: Any) -> Tensor:
    """True with the probability given for every element."""
    dtype = float_dtype("bernoulli", chances.dtype, CONVERT)
    u = unit(shape, dtype, valid=probable(chances), **options)
    return p.lt(u, expand_to(convert(chances, u.dtype), shape))


def _refuse_probability(name: str, given: Any) -> None:
    text = f"{given.min().item()} … {given.max().item()}" if hasattr(given, "ndim") else given
    raise RangeError(f"{name}: probabilities must lie in 0 … 1; got {text}; use sigmoid, or clamp")


@op(method=True, out=True)
def bernoulli(input: Tensor, *, generator: Source = None) -> Tensor:
    """1 with the probability that `input` gives, and 0 otherwise; or with probability p.

    >>> _ = gleed.manual_seed(0)
    >>> gleed.bernoulli(gleed.tensor([0.1, 0.9, 0.5]))
    tensor([0., 1., 1.])
    """
    return convert(_events_by_element(input.shape, input, source=generator), input.dtype)


bernoulli.vjp(_zeros)


@bernoulli.explain
def _(input: Any, *rest: Any) -> None:
    _refuse_probability("bernoulli", input)


@op(name="bernoulli", method=True)
def bernoulli_everywhere(input: Tensor, p: Number, *, generator: Source = None) -> Tensor:
    """1 with one probability everywhere."""
    return convert(events(input.shape, p, source=generator), input.dtype)


bernoulli_everywhere.vjp(_zeros)


@bernoulli_everywhere.explain
def _(input: Any, p: Any, generator: Any) -> None:
    _refuse_probability("bernoulli", p)


@op(method=True, namespace="", writes=("input",))
def bernoulli_(input: Tensor, p: Operand = 0.5, *, generator: Source = None) -> Tensor:
    """Fill with 1 with probability p, a number or a tensor that broadcasts, and 0 otherwise.

    >>> _ = gleed.manual_seed(0)
    >>> gleed.empty(4).bernoulli_(0.5)
    tensor([0., 0., 1., 0.])
    """
    if isinstance(p, Tensor) and not p.weak:
        drawn = _events_by_element(input.shape, p, source=generator, like=input)
    else:
        drawn = events(input.shape, p, source=generator, like=input)
    return convert(drawn, input.dtype)


@bernoulli_.explain
def _(input: Any, p: Any, generator: Any) -> None:
    _refuse_probability("bernoulli_", p)


# ---- normal
@op(out=True)
def normal(mean: Operand, std: Operand = 1.0, *, generator: Source = None) -> Tensor:
    """Numbers from normal distributions, each of the mean and deviation at its place; with a size,
    all from one.

    >>> _ = gleed.manual_seed(0)
    >>> gleed.normal(gleed.tensor([0.0, 100.0]), gleed.tensor([1.0, 0.1]))
    tensor([ 1.5410, 99.9707])
    >>> gleed.normal(2.0, 0.5, (3,))
    tensor([0.9106, 2.2842, 1.4577])
    """
    means, deviations = as_standins(mean, std)
    dtype = deviations.dtype if means.weak else means.dtype
    shape = broadcast_shapes("normal", means.shape, deviations.shape)
    shift = expand_to(convert(means, dtype), shape)
    if deviations.weak:
        return normal_of("normal", shape, 0.0, std, dtype, source=generator) + shift
    valid = everywhere(p.ge(deviations, p.fill(deviations, 0)))
    z = randn_of("normal", shape, dtype, source=generator, valid=valid)
    return z * expand_to(convert(deviations, dtype), shape) + shift


normal.vjp(_zeros)


@normal.explain
def _(mean: Any, std: Any, *rest: Any) -> None:
    _refuse_deviation("normal", std)


def _refuse_deviation(name: str, std: Any) -> None:
    text = std.min().item() if hasattr(std, "ndim") else std
    raise RangeError(f"{name}: std must be 0 or more; got {text}; use abs(), or square a root")


@op(name="normal", out=True)
def normal_of_size(
    mean: Number,
    std: Number,
    size: Ints,
    *,
    generator: Source = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """Numbers from one normal distribution."""
    shape = checked_sizes("normal", size, device)
    return normal_of("normal", shape, mean, std, dtype or default_float(), source=generator)


@normal_of_size.explain
def _(mean: Any, std: Any, *rest: Any) -> None:
    _refuse_deviation("normal", std)


# ---- fills
def _double(input: Tensor, name: str, source: Source, valid: Tensor) -> Tensor:
    """Uniform float64 numbers for every element of a floating-point tensor."""
    float_dtype(name, input.dtype, CONVERT)
    return unit(input.shape, "f64", source=source, like=input, valid=valid)


def _above_zero(x: Tensor) -> Tensor:
    return p.gt(x, x.trace.const(0.0, "f64"))


@op(method=True, namespace="", writes=("input",))
def exponential_(input: Tensor, lambd: Number = 1.0, *, generator: Source = None) -> Tensor:
    """Fill from the exponential distribution of density lambd * exp(-lambd * x).

    >>> _ = gleed.manual_seed(0)
    >>> gleed.empty(3).exponential_()
    tensor([3.5083, 1.2304, 0.6150])
    """
    rate = number(lambd)
    u = _double(input, "exponential_", generator, _above_zero(rate))
    return convert(spread(-1 / rate, u) * p.log1p(-u), input.dtype)


@exponential_.explain
def _(input: Any, lambd: Any, generator: Any) -> None:
    raise RangeError(f"exponential_: lambd must be above 0; got {lambd}; it is 1 / mean")


@op(method=True, namespace="", writes=("input",))
def log_normal_(
    input: Tensor, mean: Number = 1.0, std: Number = 2.0, *, generator: Source = None
) -> Tensor:
    """Fill with exponentials of normal numbers of the given mean and deviation.

    >>> _ = gleed.manual_seed(0)
    >>> gleed.empty(2).log_normal_(0, 0.1)
    tensor([1.1666, 0.9711])
    """
    float_dtype("log_normal_", input.dtype, CONVERT)
    scale, shift = number(std), number(mean)
    z = one_by_one(input.shape, source=generator, like=input, valid=_above_zero(scale))
    return convert(p.exp(p.fma(z, spread(scale, z), spread(shift, z))), input.dtype)


@log_normal_.explain
def _(input: Any, mean: Any, std: Any, generator: Any) -> None:
    raise RangeError(
        f"log_normal_: std must be above 0; got {std}; use exp of a mean for a constant"
    )


@op(method=True, namespace="", writes=("input",))
def cauchy_(
    input: Tensor, median: Number = 0.0, sigma: Number = 1.0, *, generator: Source = None
) -> Tensor:
    """Fill from the Cauchy distribution about `median`, half of it within `sigma`.

    >>> _ = gleed.manual_seed(0)
    >>> gleed.empty(2).cauchy_()
    tensor([10.5977,  0.7648])
    """
    scale, middle = number(sigma), number(median)
    u = _double(input, "cauchy_", generator, _above_zero(scale))
    return convert(spread(middle, u) + spread(scale, u) * p.tan((u - 0.5) * math.pi), input.dtype)


@cauchy_.explain
def _(input: Any, median: Any, sigma: Any, generator: Any) -> None:
    raise RangeError(f"cauchy_: sigma must be above 0; got {sigma}; use fill_ for a constant")


@op(method=True, namespace="", writes=("input",))
def geometric_(input: Tensor, p: Number, *, generator: Source = None) -> Tensor:
    """Fill with how many trials the first success takes, if each succeeds with probability p.

    >>> _ = gleed.manual_seed(0)
    >>> gleed.empty(3).geometric_(0.5)
    tensor([1., 1., 2.])
    """
    return _geometric(input, number(p), generator)


def _geometric(input: Tensor, chance: Tensor, source: Source) -> Tensor:
    valid = p.bitwise_and(_above_zero(chance), p.lt(chance, chance.trace.const(1.0, "f64")))
    u = unit(input.shape, "f64", source=source, like=input, valid=valid)
    return convert(p.ceil(p.log(u) / spread(p.log1p(-chance), u)), input.dtype)


@geometric_.explain
def _(input: Any, p: Any, generator: Any) -> None:
    raise RangeError(f"geometric_: p must lie between 0 and 1; got {p}; neither bound is possible")


# ---- choices
@op(method=True, out=True)
def multinomial(
    input: Tensor, num_samples: Int, replacement: bool = False, *, generator: Source = None
) -> Tensor:
    """Places drawn from the last dim of `input`, each as likely as its weight there.

    >>> _ = gleed.manual_seed(0)
    >>> gleed.multinomial(gleed.tensor([0.0, 10.0, 3.0]), 4, replacement=True)
    tensor([2, 1, 1, 2])
    """
    if input.ndim not in (1, 2):
        raise ShapeError(
            f"multinomial: weights must have 1 or 2 dims; got shape {shape_text(input.shape)}; "
            "reshape them to (rows, places)"
        )
    dtype = float_dtype("multinomial", input.dtype, CONVERT)
    places = input.shape[-1]
    if num_samples < 1 or (not replacement and num_samples > places):
        raise RangeError(
            "multinomial: num_samples must be 1 or more, and without replacement at most the "
            f"number of places; got {hint(num_samples)} for {hint(places)} places; use "
            "replacement=True"
        )
    valid = _weights_are_valid(input)
    if replacement and num_samples != 1:
        return _choices(input, num_samples, generator, valid)
    # The greatest of weight / exponential number falls on each place as its weight demands.
    u = unit(input.shape, "f64", source=generator, like=input, valid=valid)
    race = input / convert(-p.log1p(-u), dtype)
    if num_samples == 1:
        return argmax(race, -1, True)
    return p.topk(race, axis=input.ndim - 1, k=num_samples, largest=True)[1]


def _choices(weights: Tensor, count: Any, source: Source, valid: Tensor) -> Tensor:
    rows = weights.shape[0] if weights.ndim == 2 else 1
    matrix = p.reshape(weights, shape=(rows, weights.shape[-1]))
    matrix = convert(matrix, "f64" if weights.dtype == "f64" else "f32")
    places = draw(p.random_choices, (rows, count), matrix, source=source, valid=valid)
    return p.reshape(places, shape=(*weights.shape[:-1], count))


def _weights_are_valid(weights: Tensor) -> Tensor:
    """Whether weights are finite, none is negative and no row is all zeros."""
    inside = p.bitwise_and(
        p.ge(weights, p.fill(weights, 0)), p.lt(weights, p.fill(weights, float("inf")))
    )
    some = p.reduce_any(p.gt(weights, p.fill(weights, 0)), axes=(weights.ndim - 1,))
    return p.bitwise_and(everywhere(inside), everywhere(some))


@multinomial.explain
def _(input: Any, *rest: Any) -> None:
    raise RangeError(
        "multinomial: weights must be finite and 0 or more, and not all 0 in a row; got numbers of "
        f"{input.min().item()} … {input.max().item()}; use softmax, or clamp(min=0)"
    )


@op(namespace="nn.functional")
def gumbel_softmax(
    logits: Tensor, tau: Number = 1.0, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """A random choice as nearly one-hot softmax, sharper for small `tau`; with `hard` one-hot, with
    the gradient of the soft one (Jang, Gu and Poole, "Categorical reparameterization", 2017).

    >>> _ = gleed.manual_seed(0)
    >>> gleed.nn.functional.gumbel_softmax(gleed.zeros(3), hard=True)
    tensor([0., 0., 1.])
    """
    u = unit(logits.shape, "f64", like=logits)
    noise = -p.log(convert(-p.log1p(-u), float_dtype("gumbel_softmax", logits.dtype, CONVERT)))
    soft = softmax((logits + noise) / tau, dim)
    if not hard:
        return soft
    axis = axis_of("gumbel_softmax", dim, logits.ndim)

    def snapped(soft: Tensor) -> Tensor:
        best = argmax(soft, axis, True)
        place = soft.trace.iota(soft.shape, axis)
        chosen = convert(p.eq(place, expand_to(best, soft.shape)), soft.dtype)
        return chosen - soft + soft

    return soft.trace.with_rule("gumbel_softmax", lambda g, y, soft: g, snapped, [soft])


@op(inplace=True, namespace=("gleed", "nn.functional"))
def rrelu(
    input: Tensor, lower: Number = 1 / 8, upper: Number = 1 / 3, training: bool = False,
    *, generator: Source = None,
) -> Tensor:  # fmt: skip
    """x above zero, x times a random slope of [lower, upper) below; if not training the middle one
    (Xu et al., 2015).

    >>> gleed.nn.functional.rrelu(gleed.tensor([-24.0, 2.0]))
    tensor([-5.5000,  2.0000])
    """
    float_dtype("rrelu", input.dtype, CONVERT)
    # PyTorch rounds the bounds to the dtype, and draws in double precision.
    low, high = (convert(number(x, input.dtype), "f64") for x in (lower, upper))
    if not training:
        return where(input > 0, input, input * ((low + high) / 2))
    negative = p.le(input, p.fill(input, 0))
    valid = p.le(low, high)
    u = draw(
        p.random_uniform_where, input.shape, p.compact(negative), source=generator, valid=valid
    )
    slope = u * spread(high - low, u) + spread(low, u)
    return where(negative, input * convert(slope, input.dtype), input)


@rrelu.explain
def _(input: Any, lower: Any, upper: Any, *rest: Any) -> None:
    raise RangeError(
        f"rrelu: lower must not be above upper; got {lower} and {upper}; exchange them"
    )
