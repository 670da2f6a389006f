"""Losses."""

from __future__ import annotations

from typing import Any

from gleed import primitives as p
from gleed.compiler.kernel import is_float
from gleed.errors import BoundsError, DTypeError, RangeError, ShapeError
from gleed.ops.activation import log_softmax
from gleed.ops.logic import where
from gleed.ops.promotion import common, convert, dtype_text, shape_text
from gleed.ops.record import Number, Tensor, op
from gleed.primitives.reduction import spread

FUNCTIONAL = "nn.functional"


def reduced_loss(name: str, loss: Tensor, reduction: str) -> Tensor:
    """The loss of every element, their mean or their sum."""
    if reduction == "none":
        return loss
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    raise RangeError(
        f'{name}: reduction must be "mean", "sum" or "none"; got {reduction!r}; correct the name'
    )


def legacy_reduction(reduction: str, size_average: bool | None, reduce: bool | None) -> str:
    """PyTorch's older flags, which name the reduction in two parts."""
    if size_average is None and reduce is None:
        return reduction
    if reduce is False:
        return "none"
    return "sum" if size_average is False else "mean"


def _floats(name: str, input: Tensor, target: Tensor) -> list[Tensor]:
    """Input and target in one floating-point dtype and shape."""
    x, y = common(name, input, target)
    p.require_float(x.value)
    return [x, y]


def _same_shape(name: str, input: Tensor, target: Tensor) -> None:
    if input.ndim != target.ndim or not all(
        m == n for m, n in zip(input.shape, target.shape, strict=True)
    ):
        raise ShapeError(
            f"{name}: input and target must have one shape; got {shape_text(input.shape)} and "
            f"{shape_text(target.shape)}; reshape the target"
        )


@op(namespace=FUNCTIONAL)
def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The squared difference.

    >>> gleed.nn.functional.mse_loss(gleed.tensor([1.0, 2.0]), gleed.tensor([1.0, 4.0]))
    tensor(2.)
    """
    x, y = _floats("mse_loss", input, target)
    difference = x - y
    return reduced_loss(
        "mse_loss", difference * difference, legacy_reduction(reduction, size_average, reduce)
    )


@op(namespace=FUNCTIONAL)
def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The absolute difference.

    >>> gleed.nn.functional.l1_loss(gleed.tensor([1.0, 2.0]), gleed.tensor([1.0, 4.0]))
    tensor(1.)
    """
    x, y = _floats("l1_loss", input, target)
    return reduced_loss("l1_loss", p.abs(x - y), legacy_reduction(reduction, size_average, reduce))


@op(namespace=FUNCTIONAL)
def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """d**2 / (2 beta) where the difference d is below beta, abs(d) - beta / 2 elsewhere.

    >>> gleed.nn.functional.smooth_l1_loss(gleed.tensor([1.0, 2.0]), gleed.tensor([1.5, 4.0]))
    tensor(0.8125)
    """
    x, y = _floats("smooth_l1_loss", input, target)
    size = p.abs(x - y)
    loss = size if beta == 0 else where(size < beta, size * size * (0.5 / beta), size - 0.5 * beta)
    return reduced_loss("smooth_l1_loss", loss, legacy_reduction(reduction, size_average, reduce))


@op(namespace=FUNCTIONAL)
def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """d**2 / 2 where the difference d is below delta, delta * (abs(d) - delta / 2) elsewhere
    (Huber, 1964).

    >>> gleed.nn.functional.huber_loss(gleed.tensor([1.0, 2.0]), gleed.tensor([1.5, 4.0]))
    tensor(0.8125)
    """
    x, y = _floats("huber_loss", input, target)
    size = p.abs(x - y)
    loss = where(size < delta, size * size * 0.5, (size - 0.5 * delta) * delta)
    return reduced_loss("huber_loss", loss if weight is None else loss * weight, reduction)


@op(namespace=FUNCTIONAL)
def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """target * (log(target) - input), with `input` in log space; "batchmean" divides the sum by the
    first size.

    >>> gleed.nn.functional.kl_div(gleed.tensor([-1.0]), gleed.tensor([0.5]), reduction="sum")
    tensor(0.1534)
    """
    x, y = _floats("kl_div", input, target)
    loss = p.exp(y) * (y - x) if log_target else y.xlogy(y) - y * x
    if reduction == "batchmean":
        return loss.sum() / input.shape[0] if input.ndim else loss
    return reduced_loss("kl_div", loss, legacy_reduction(reduction, size_average, reduce))


@op(namespace=FUNCTIONAL)
def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-(target * log(input) + (1 - target) * log(1 - input)), logarithms held above -100.

    >>> gleed.nn.functional.binary_cross_entropy(gleed.tensor([0.5]), gleed.tensor([1.0]))
    tensor(0.6931)
    """
    _same_shape("binary_cross_entropy", input, target)
    x, y = common("binary_cross_entropy", input, target)
    loss = -(y * p.log(x).clamp_min(-100) + (1 - y) * p.log1p(-x).clamp_min(-100))
    if weight is not None:
        loss = loss * weight
    return reduced_loss(
        "binary_cross_entropy", loss, legacy_reduction(reduction, size_average, reduce)
    )


@op(namespace=FUNCTIONAL)
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """`binary_cross_entropy` of sigmoid(input), without overflow.

    >>> F = gleed.nn.functional
    >>> F.binary_cross_entropy_with_logits(gleed.tensor([0.0]), gleed.tensor([1.0]))
    tensor(0.6931)
    """
    _same_shape("binary_cross_entropy_with_logits", input, target)
    x, y = common("binary_cross_entropy_with_logits", input, target)
    tail = p.log1p(p.exp(-p.abs(x))) + p.maximum(-x, p.fill(x, 0))
    scale = 1 if pos_weight is None else (pos_weight - 1) * y + 1
    loss = (1 - y) * x + tail * scale
    if weight is not None:
        loss = loss * weight
    return reduced_loss(
        "binary_cross_entropy_with_logits", loss, legacy_reduction(reduction, size_average, reduce)
    )


# ---- classes
def _check_classes(name: str, x: Tensor, target: Tensor, weight: Tensor | None) -> None:
    """Raise unless [classes] or [batch, classes, …] meets [] or [batch, …]."""
    rest = (x.shape[0], *x.shape[2:]) if x.ndim > 1 else ()
    if (
        x.ndim == 0
        or target.ndim != len(rest)
        or not all(m == n for m, n in zip(rest, target.shape, strict=True))
    ):
        raise ShapeError(
            f"{name}: the target must have the input's shape without the class dim (dim 1, or dim "
            f"0 of a single sample); got input {shape_text(x.shape)} and target "
            f"{shape_text(target.shape)}; check which dim holds the classes"
        )
    if is_float(target.dtype) or target.dtype == "bool":
        raise DTypeError(
            f"{name}: class indices must be integers; got {dtype_text(target.dtype)}; convert with "
            ".long()"
        )
    classes = x.shape[1 if x.ndim > 1 else 0]
    if weight is not None and not (weight.ndim == 1 and weight.shape[0] == classes):
        raise ShapeError(
            f"{name}: weight must hold one number per class; got {shape_text(weight.shape)} for "
            f"input {shape_text(x.shape)}; make them agree"
        )


def _counted(
    target: Tensor, weight: Tensor | None, ignore_index: int, dtype: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Class indices, 0 where a sample is to be ignored; which samples count; their weights."""
    index = convert(target, "i64")
    counts = index != ignore_index
    safe = where(counts, index, 0)
    if weight is None:
        return safe, counts, convert(counts, dtype)
    own = convert(p.gather(weight, safe, axes=(0,), mapping=()), dtype)
    return safe, counts, where(counts, own, p.fill(own, 0))


def _at(scores: Tensor, index: Tensor, axis: int) -> Tensor:
    """The scores of one class per sample."""
    return p.gather(scores, index, axes=(axis,), mapping=tuple(range(index.ndim)))


def _surprise(x: Tensor, index: Tensor, axis: int) -> Tensor:
    """-log(softmax(x)) at one class per sample. Forward and gradient read the logits in order."""

    def sums(x: Tensor) -> tuple[Tensor, Tensor]:
        top = p.reduce_max(x, axes=(axis,))
        return top, p.reduce_sum(p.exp(x - spread(top, x, (axis,))), axes=(axis,))

    def body(x: Tensor) -> Tensor:
        top, total = sums(x)
        return p.log(total) - (_at(x, index, axis) - top)

    def rule(g: Tensor, _: Tensor, x: Tensor) -> Tensor:
        top, total = sums(x)
        share = p.exp(x - spread(top, x, (axis,))) * spread(1 / total, x, (axis,))
        here = x.trace.iota(x.shape, axis) == spread(index, x, (axis,))
        return (share - convert(here, x.dtype)) * spread(g, x, (axis,))

    return x.trace.with_rule("cross_entropy", rule, body, [x])


def _weighted(name: str, loss: Tensor, share: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        return loss.sum() / share.sum()
    return reduced_loss(name, loss, reduction)


def explain_classes(name: str, input: Any, target: Any, ignore_index: int) -> None:
    """Raise the error that names the class out of range."""
    classes = input.shape[1 if input.ndim > 1 else 0]
    for index in target.reshape(-1).tolist():
        if index != ignore_index and not 0 <= index < classes:
            raise BoundsError(
                f"{name}: class indices must lie in 0 … {classes - 1}; got {index}; check the "
                "labels or the number of classes"
            )


@op(namespace=FUNCTIONAL)
def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-input[target class], for log-probabilities [classes] or [batch, classes, …]. "mean" divides
    by the summed class weights.

    >>> gleed.nn.functional.nll_loss(gleed.tensor([[-1.0, -2.0]]), gleed.tensor([1]))
    tensor(2.)
    """
    p.require_float(input.value)
    _check_classes("nll_loss", input, target, weight)
    index, counts, share = _counted(target, weight, ignore_index, input.dtype)
    found = _at(input, index, 1 if input.ndim > 1 else 0)
    loss = where(counts, -found, p.fill(found, 0)) * share
    return _weighted("nll_loss", loss, share, legacy_reduction(reduction, size_average, reduce))


@nll_loss.explain
def _(input: Any, target: Any, weight: Any, average: Any, ignore_index: int, *rest: Any) -> None:
    explain_classes("nll_loss", input, target, ignore_index)


@op(namespace=FUNCTIONAL, grad_name="nll_loss")
def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """`nll_loss` of `log_softmax`: the cross entropy of logits [classes] or [batch, classes, …]
    with class indices, or with class probabilities of the logits' shape.

    >>> gleed.nn.functional.cross_entropy(gleed.tensor([[0.0, 0.0]]), gleed.tensor([1]))
    tensor(0.6931)
    """
    reduction = legacy_reduction(reduction, size_average, reduce)
    if not 0 <= label_smoothing <= 1:
        raise RangeError(
            f"cross_entropy: label_smoothing must lie in [0, 1]; got {label_smoothing}; use 0.1, "
            "say"
        )
    axis = 1 if input.ndim > 1 else 0
    p.require_float(input.value)
    if is_float(target.dtype):
        scores = log_softmax(input, axis)
        return _soft_targets(scores, target, weight, axis, reduction, label_smoothing)
    _check_classes("cross_entropy", input, target, weight)
    x = convert(input, "f32") if input.dtype in ("f16", "bf16") else input
    index, counts, share = _counted(target, weight, ignore_index, x.dtype)
    found = _surprise(x, index, axis)
    loss = where(counts, found, p.fill(found, 0)) * share
    total = _weighted("cross_entropy", loss, share, reduction)
    if label_smoothing != 0:
        scores = log_softmax(x, axis)
        weights = 1 if weight is None else _along(weight, scores, axis)
        smooth = where(counts, -(scores * weights).sum(axis), p.fill(loss, 0))
        even = _weighted("cross_entropy", smooth, share, reduction)
        total = total * (1 - label_smoothing) + even * label_smoothing / x.shape[axis]
    return convert(total, input.dtype)


def _along(weight: Tensor, scores: Tensor, axis: int) -> Tensor:
    """A weight per class, in the shape that broadcasts against the scores."""
    return p.reshape(weight, shape=(weight.shape[0], *(1,) * (scores.ndim - axis - 1)))


def _soft_targets(
    scores: Tensor,
    target: Tensor,
    weight: Tensor | None,
    axis: int,
    reduction: str,
    smoothing: float,
) -> Tensor:
    """Cross entropy with probabilities as targets."""
    _same_shape("cross_entropy", scores, target)
    if smoothing:
        target = target * (1 - smoothing) + smoothing / scores.trace.size(scores.shape[axis])
    if weight is not None:
        scores = scores * _along(weight, scores, axis)
    loss = -(scores * target).sum(axis)
    if reduction == "mean":
        return loss.sum() / (loss.numel() if loss.ndim else 1)
    return reduced_loss("cross_entropy", loss, reduction)


@cross_entropy.explain
def _(input: Any, target: Any, weight: Any, average: Any, ignore_index: int, *rest: Any) -> None:
    explain_classes("cross_entropy", input, target, ignore_index)


@op(namespace=("gleed", FUNCTIONAL))
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: Number = 1e-8) -> Tensor:
    """x1 . x2 / (max(norm(x1), eps) * max(norm(x2), eps)) along `dim`.

    >>> gleed.cosine_similarity(gleed.tensor([[1.0, 0.0]]), gleed.tensor([[1.0, 1.0]]))
    tensor([0.7071])
    """
    a, b = common("cosine_similarity", x1, x2, to_float=True)
    length = a.norm(2, dim).clamp_min(eps) * b.norm(2, dim).clamp_min(eps)
    return (a * b).sum(dim) / length


for _record in (mse_loss, l1_loss, smooth_l1_loss, huber_loss, kl_div):

    @_record.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((5,), (0.2, 2.0)), make.tensor((5,), (0.2, 2.0)))
        yield make.call(
            make.tensor((3, 4), (0.2, 2.0)), make.tensor((3, 4), (0.2, 2.0)), reduction="none"
        )


for _record in (binary_cross_entropy, binary_cross_entropy_with_logits):

    @_record.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((5,), (0.1, 0.9)), make.tensor((5,), (0.1, 0.9)))
        yield make.call(
            make.tensor((3, 4), (0.1, 0.9)),
            make.tensor((3, 4), (0.1, 0.9)),
            make.tensor((4,), (0.5, 1.0)),
            reduction="sum",
        )


for _record in (nll_loss, cross_entropy):

    @_record.samples
    def _(make: Any) -> Any:
        yield make.call(make.tensor((5, 3)), make.integers((5,), 0, 3))
        yield make.call(make.tensor((2, 3, 4)), make.integers((2, 4), 0, 3), reduction="none")
        yield make.call(
            make.tensor((5, 3)),
            make.integers((5,), 0, 3),
            make.tensor((3,), (0.5, 2.0)),
            ignore_index=1,
        )


@cosine_similarity.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((3, 4)), make.tensor((3, 4)))
    yield make.call(make.tensor((5,)), make.tensor((5,)), 0)


@cross_entropy.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((5, 3)), make.tensor((5, 3), (0.1, 0.9)))
    yield make.call(make.tensor((2, 3, 4)), make.tensor((2, 3, 4), (0.1, 0.9)), label_smoothing=0.2)
    weight = make.tensor((3,), (0.5, 2.0))
    yield make.call(make.tensor((5, 3)), make.integers((5,), 0, 3), weight, label_smoothing=0.1)


@binary_cross_entropy_with_logits.samples
def _(make: Any) -> Any:
    target, weight = make.tensor((3, 4), (0.1, 0.9)), make.tensor((4,), (0.5, 2.0))
    yield make.call(make.tensor((3, 4)), target, pos_weight=weight)


@smooth_l1_loss.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((3, 4)), make.tensor((3, 4)), reduction="sum", beta=0.5)


@huber_loss.samples
def _(make: Any) -> Any:
    yield make.call(make.tensor((3, 4)), make.tensor((3, 4)), delta=0.7)


@kl_div.samples
def _(make: Any) -> Any:
    yield make.call(
        make.tensor((3, 4)), make.tensor((3, 4)), reduction="batchmean", log_target=True
    )
