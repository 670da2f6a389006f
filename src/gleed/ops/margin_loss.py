"""Losses that compare: distances, margins, rankings; and losses of predicted distributions."""

from __future__ import annotations

import math
from typing import Any

from gleed import primitives
from gleed import primitives as p
from gleed.errors import BoundsError, RangeError, ShapeError
from gleed.ops.logic import where
from gleed.ops.loss import FUNCTIONAL, legacy_reduction, reduced_loss
from gleed.ops.promotion import as_standins, common, convert, shape_text
from gleed.ops.record import Operand, Tensor, op

POSITIVE = (0.2, 3.0)


def _positive_part(x: Tensor) -> Tensor:
    return x.clamp_min(0)


# ---- distances
@op(namespace=("gleed", FUNCTIONAL))
def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The norm of order `p` of x1 - x2 + eps along the last dim.

    >>> gleed.pairwise_distance(gleed.tensor([[3.0, 4.0]]), gleed.zeros(1, 2))
    tensor([5.0000])
    """
    a, b = common("pairwise_distance", x1, x2)
    return (a - b + eps).norm(p, -1, keepdim)


@op(namespace=FUNCTIONAL)
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(d(anchor, positive) - d(anchor, negative) + margin, 0), with d the `pairwise_distance`;
    with `swap`, d(positive, negative) counts if it is smaller (Balntas et al., 2016).

    >>> a, b = gleed.zeros(1, 2), gleed.ones(1, 2)
    >>> gleed.nn.functional.triplet_margin_loss(a, a, b)
    tensor(0.)
    """
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = far.minimum(pairwise_distance(positive, negative, p, eps))
    loss = _positive_part(near - far + margin)
    return reduced_loss(
        "triplet_margin_loss", loss, legacy_reduction(reduction, size_average, reduce)
    )


# ---- margins; targets are 1 or -1
@op(namespace=FUNCTIONAL)
def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(-target * (input1 - input2) + margin, 0): target 1 wants input1 ranked higher, -1 input2.

    >>> one = gleed.tensor([1.0])
    >>> gleed.nn.functional.margin_ranking_loss(one, one * 3, one)
    tensor(2.)
    """
    loss = _positive_part(-target * (input1 - input2) + margin)
    return reduced_loss(
        "margin_ranking_loss", loss, legacy_reduction(reduction, size_average, reduce)
    )


@op(namespace=FUNCTIONAL)
def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """input where the target is 1, max(margin - input, 0) where it is -1.

    >>> x, y = gleed.tensor([0.5, 0.25]), gleed.tensor([1, -1])
    >>> gleed.nn.functional.hinge_embedding_loss(x, y)
    tensor(0.6250)
    """
    p.require_float(input.value)
    near = where(target != 1, _positive_part(margin - input), 0)
    loss = near + where(target != -1, input, 0)
    return reduced_loss(
        "hinge_embedding_loss", loss, legacy_reduction(reduction, size_average, reduce)
    )


@op(namespace=FUNCTIONAL)
def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - c where the target is 1, max(c - margin, 0) where it is -1, with c the cosine between
    the vectors along the last dim.

    >>> x, y = gleed.tensor([[1.0, 0.0]]), gleed.tensor([[0.0, 1.0]])
    >>> gleed.nn.functional.cosine_embedding_loss(x, y, gleed.tensor([1]))
    tensor(1.)
    """
    a, b = common("cosine_embedding_loss", input1, input2, to_float=True)
    if target.ndim != a.ndim - 1:
        raise ShapeError(
            "cosine_embedding_loss: inputs must be (batch, size) and the target (batch), or (size) "
            f"and 0-d; got {shape_text(input1.shape)} and target {shape_text(target.shape)}; "
            "reshape the target"
        )
    tiny = 1e-12
    lengths = ((a * a).sum(-1) + tiny) * ((b * b).sum(-1) + tiny)
    cosine = (a * b).sum(-1) / p.sqrt(lengths)
    apart = where(target == -1, _positive_part(cosine - margin), 0)
    loss = where(target == 1, 1 - cosine, apart)
    return reduced_loss(
        "cosine_embedding_loss", loss, legacy_reduction(reduction, size_average, reduce)
    )


@op(namespace=FUNCTIONAL)
def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """log(1 + exp(-target * input)).

    >>> gleed.nn.functional.soft_margin_loss(gleed.tensor([0.0]), gleed.tensor([1.0]))
    tensor(0.6931)
    """
    x, y = common("soft_margin_loss", input, target)
    loss = _softplus(-y * x)
    return reduced_loss("soft_margin_loss", loss, legacy_reduction(reduction, size_average, reduce))


def _softplus(x: Tensor) -> Tensor:
    """log(1 + exp(x)) without overflow."""
    return p.log1p(p.exp(-p.abs(x))) + _positive_part(x)


# ---- several classes
@op(namespace=FUNCTIONAL)
def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(margin - input[target] + input[i], 0)**p, times the weight of the target, summed over all
    other classes i and divided by the number of classes; `p` is 1 or 2.

    >>> gleed.nn.functional.multi_margin_loss(gleed.tensor([[0.5, 1.0]]), gleed.tensor([0]))
    tensor(0.7500)
    """
    primitives.require_float(input.value)
    if p not in (1, 2):
        raise RangeError(f"multi_margin_loss: p must be 1 or 2; got {p}; use 1")
    if input.ndim > 2 or target.ndim > 1:
        raise ShapeError(
            "multi_margin_loss: the input must be (batch, classes) or (classes), the "
            f"target (batch) or 0-d; got {shape_text(input.shape)} and {shape_text(target.shape)}; "
            "reshape them"
        )
    x = input if input.ndim == 2 else input.reshape((1, input.numel()))
    at = target.reshape((x.shape[0], 1))
    loss = _positive_part(x - x.gather(1, at) + margin)
    loss = loss if p == 1 else loss * loss
    if weight is not None:
        loss = loss * weight.index_select(0, at.reshape((x.shape[0],))).unsqueeze(1)
    others = x.trace.iota(x.shape, 1) != at
    total = where(others, loss, 0).sum(1) / x.shape[1]
    total = total.reshape(target.shape)
    return reduced_loss(
        "multi_margin_loss", total, legacy_reduction(reduction, size_average, reduce)
    )


@op(namespace=FUNCTIONAL)
def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over the last dim, the classes, of the binary cross-entropy of sigmoid(input).

    >>> x, y = gleed.zeros(1, 2), gleed.tensor([[1.0, 0.0]])
    >>> gleed.nn.functional.multilabel_soft_margin_loss(x, y)
    tensor(0.6931)
    """
    x, y = common("multilabel_soft_margin_loss", input, target)
    loss = y * _softplus(-x) + (1 - y) * _softplus(x)
    if weight is not None:
        loss = loss * weight
    return reduced_loss(
        "multilabel_soft_margin_loss",
        loss.mean(-1),
        legacy_reduction(reduction, size_average, reduce),
    )


@op(namespace=FUNCTIONAL)
def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(1 - input[j] + input[i], 0), summed over all pairs of a class j of the sample and a class
    i that is none of its own, and divided by the number of classes. `target` has the input's shape
    (batch, classes) or (classes) and lists the classes of a sample, up to the first -1.

    >>> x = gleed.tensor([0.5, 1.0, 0.0])
    >>> gleed.nn.functional.multilabel_margin_loss(x, gleed.tensor([0, -1, 2]))
    tensor(0.6667)
    """
    p.require_float(input.value)
    same = input.ndim == target.ndim and all(
        m == n for m, n in zip(input.shape, target.shape, strict=True)
    )
    if input.ndim > 2 or not same:
        raise ShapeError(
            "multilabel_margin_loss: input and target must both be (batch, classes) or (classes); "
            f"got {shape_text(input.shape)} and {shape_text(target.shape)}; fill the target up "
            "with -1"
        )
    if input.ndim == 0:
        input, target = input.unsqueeze(0), target.unsqueeze(0)
    axis = input.ndim - 1
    x, index = input.unsqueeze(axis), convert(target, "i64")
    listed = p.scan_max(convert(index < 0, "i64"), axis=axis) == 0
    found = input.gather(axis, where(listed, index, 0)).unsqueeze(-1)
    pairs = (*input.shape, input.shape[axis])
    places = input.trace.iota(pairs, axis + 1)
    here = (places == index.unsqueeze(-1)) & listed.unsqueeze(-1)
    own = p.reduce_any(here, axes=(axis,)).unsqueeze(axis)
    margins = _positive_part(1 - found + x)
    counted = where(listed.unsqueeze(-1) & ~own, margins, 0)
    loss = p.reduce_sum(counted, axes=(axis, axis + 1)) / input.shape[axis]
    return reduced_loss(
        "multilabel_margin_loss", loss, legacy_reduction(reduction, size_average, reduce)
    )


@multilabel_margin_loss.explain
def _(input: Any, target: Any, *rest: Any) -> None:
    classes = input.shape[-1] if input.ndim else 1
    for index in target.reshape(-1).tolist():
        if index >= classes:
            raise BoundsError(
                f"multilabel_margin_loss: classes must lie in 0 … {classes - 1}; got {index}; "
                "check the labels"
            )


# ---- predicted distributions
@op(namespace=FUNCTIONAL)
def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The negative log-likelihood of counts under a Poisson distribution with log-rate `input` (its
    rate, if not `log_input`). `full` adds Stirling's term for log(target!), which is constant.

    >>> gleed.nn.functional.poisson_nll_loss(gleed.tensor([0.0]), gleed.tensor([2.0]))
    tensor(1.)
    """
    x, y = common("poisson_nll_loss", input, target, to_float=True)
    loss = p.exp(x) - y * x if log_input else x - y * p.log(x + eps)
    if full:
        stirling = y * p.log(y) - y + 0.5 * p.log(2 * math.pi * y)
        loss = loss + where(y > 1, stirling, 0)
    return reduced_loss("poisson_nll_loss", loss, legacy_reduction(reduction, size_average, reduce))


@op(namespace=FUNCTIONAL)
def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Operand,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """The negative log-likelihood of the target under normal distributions with mean `input` and
    variance `var`, held above `eps`. `full` adds log(2 pi) / 2.

    >>> zero = gleed.tensor([0.0])
    >>> gleed.nn.functional.gaussian_nll_loss(zero, zero + 1, zero + 1)
    tensor(0.5000)
    """
    _, variance = as_standins(input, var)
    if variance.ndim and variance.ndim == input.ndim - 1:  # one variance for the last dim
        variance = variance.unsqueeze(-1)

    def passed(g: Any, y: Any, variance: Tensor) -> Tensor:  # also where the bound holds
        return g

    held = input.trace.with_rule(
        "gaussian_nll_loss", passed, lambda v: v.clamp_min(eps), [variance]
    )
    difference = input - target
    loss = 0.5 * (p.log(held) + difference * difference / held)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return reduced_loss("gaussian_nll_loss", loss, reduction)


def _samples() -> None:
    def sign(make: Any, n: int) -> Any:
        return make.values([1.0, -1.0, -1.0, 1.0, 1.0][:n])

    @pairwise_distance.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((3, 4)), make.tensor((3, 4)))
        yield make.call(make.tensor((5,)), make.tensor((2, 5)), 1.0, 1e-3, True)

    @triplet_margin_loss.samples
    def _(make: Any) -> Any:
        yield make.call(*(make.tensor((3, 4)) for _ in range(3)))
        yield make.call(*(make.tensor((3, 4)) for _ in range(3)), 2.0, 1, swap=True)

    @margin_ranking_loss.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((5,)), make.tensor((5,)), sign(make, 5), 0.5)

    for record in (hinge_embedding_loss, soft_margin_loss):

        @record.samples
        def _(make: Any) -> Any:
            yield make.call(make.tensor((5,)), sign(make, 5))
            yield make.call(make.tensor((3, 5)), sign(make, 5), reduction="none")

    @cosine_embedding_loss.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((3, 4)), make.tensor((3, 4)), sign(make, 3), 0.1)

    @multi_margin_loss.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((3, 4)), make.integers((3,), 0, 4))
        target, weight = make.integers((3,), 0, 4), make.tensor((4,), POSITIVE)
        yield make.call(make.tensor((3, 4)), target, 2, 0.5, weight, reduction="sum")

    @multilabel_margin_loss.samples
    def _(make: Any) -> Any:
        target = make.integers((3, 4), -1, 4)
        yield make.call(make.tensor((3, 4)), target, reduction="none")
        yield make.call(make.tensor((5,)), make.integers((5,), -1, 5))

    @multilabel_soft_margin_loss.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((3, 4)), make.tensor((3, 4), (0.0, 1.0)))

    @poisson_nll_loss.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((5,)), make.tensor((5,), POSITIVE), full=True)
        yield make.call(make.tensor((5,), POSITIVE), make.tensor((5,), POSITIVE), False)

    @gaussian_nll_loss.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((3, 4)), make.tensor((3, 4)), make.tensor((3, 4), POSITIVE))
        yield make.call(make.tensor((3, 4)), make.tensor((3, 4)), make.tensor((3, 1), POSITIVE))


_samples()
