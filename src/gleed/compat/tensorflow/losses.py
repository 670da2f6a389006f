"""`tf.losses`: losses over a batch, which the graph collects.

`weights` are one number, or numbers that broadcast to the losses of the elements; the result is
their weighted sum over the number of weights that are not zero. `reduction` may ask for another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gleed.compat.tensorflow import nn
from gleed.compat.tensorflow.absent import missing
from gleed.compat.tensorflow.convert import apply, convert_to_tensor, function_of, operands
from gleed.compat.tensorflow.math import add_n, cast
from gleed.compat.tensorflow.variables import GraphKeys, get_collection
from gleed.errors import ArgumentError
from gleed.graph.defaults import current_graph
from gleed.graph.node import Node
from gleed.ops.record import OPS


class Reduction:
    """What becomes of the losses of the elements."""

    NONE = "none"
    SUM = "weighted_sum"
    MEAN = "weighted_mean"
    SUM_OVER_BATCH_SIZE = "weighted_sum_over_batch_size"
    SUM_BY_NONZERO_WEIGHTS = "weighted_sum_by_nonzero_weights"
    SUM_OVER_NONZERO_WEIGHTS = SUM_BY_NONZERO_WEIGHTS


def compute_weighted_loss(
    losses: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
    name: str = "weighted_loss",
) -> Node:
    """The losses of elements as one number, which is added to a collection of the graph."""
    losses = convert_to_tensor(losses)
    found = _reduced(losses, weights, reduction, scope or name)
    if loss_collection is not None:
        losses.graph.add_to_collection(loss_collection, found)
    return found


def _reduced(losses: Node, weights: Any, reduction: str, name: str) -> Node:
    call = losses.graph.call
    if isinstance(weights, float | int) and weights == 1:
        if reduction == Reduction.NONE:
            return losses
        op = "sum" if reduction == Reduction.SUM else "mean"
        return call(OPS[op], losses, name=name)
    weight = cast(weights, losses.dtype)
    weighted = losses * weight
    if reduction == Reduction.NONE:
        return weighted
    if reduction == Reduction.SUM:
        return call(OPS["sum"], weighted, name=name)
    if reduction == Reduction.SUM_OVER_BATCH_SIZE:
        return call(OPS["mean"], weighted, name=name)
    every = call(OPS["ones_like"], losses) * weight
    if reduction == Reduction.SUM_BY_NONZERO_WEIGHTS:
        every = cast(call(OPS["ne"], every, 0), losses.dtype)
    elif reduction != Reduction.MEAN:
        raise ArgumentError(
            f"losses: reduction is a member of tf.losses.Reduction; {reduction!r} came; correct it"
        )
    count = every.sum()
    some = call(OPS["where"], count > 0, count, 1.0)
    return call(OPS["div"], weighted.sum(), some, name=name)


def _of_errors(name: str, document: str, formula: Callable[..., Node]) -> Callable[..., Node]:
    """A loss of labels and predictions, which may have further settings."""

    def function(
        labels: Any,
        predictions: Any,
        weights: Any = 1.0,
        *settings: Any,
        scope: str | None = None,
        loss_collection: str | None = GraphKeys.LOSSES,
        reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
        **named: Any,
    ) -> Node:
        guess, truth = operands(predictions, labels)
        truth = cast(truth, guess.dtype)
        losses = formula(truth, guess, *settings, **named)
        return compute_weighted_loss(losses, weights, scope, loss_collection, reduction, name)

    return function_of(name, document, function)


def _huber(labels: Node, predictions: Node, delta: float = 1.0) -> Node:
    error = (predictions - labels).abs()
    near = error.clamp_max(delta)
    return near * near * 0.5 + (error - near) * delta


def _log(labels: Node, predictions: Node, epsilon: float = 1e-7) -> Node:
    ones = labels * (predictions + epsilon).log()
    return -ones - (1 - labels) * (1 - predictions + epsilon).log()


mean_squared_error = _of_errors(
    "mean_squared_error", "(predictions − labels)².", lambda z, p: (p - z).square()
)
absolute_difference = _of_errors(
    "absolute_difference", "|predictions − labels|.", lambda z, p: (p - z).abs()
)
huber_loss = _of_errors(
    "huber_loss", "e² / 2 up to |e| = delta (1), of delta · |e| − delta² / 2 beyond.", _huber
)
log_loss = _of_errors(
    "log_loss", "−z · log(p + epsilon) − (1 − z) · log(1 − p + epsilon); epsilon is 1e-7.", _log
)


def hinge_loss(
    labels: Any,
    logits: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Node:
    """max(0, 1 − t · logits), where t is 1 for the label 1 and −1 for 0."""
    logits, labels = operands(logits, labels)
    losses = (1 - (cast(labels, logits.dtype) * 2 - 1) * logits).clamp_min(0)
    return compute_weighted_loss(losses, weights, scope, loss_collection, reduction, "hinge_loss")


def cosine_distance(
    labels: Any,
    predictions: Any,
    axis: int | None = None,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
    dim: int | None = None,
) -> Node:
    """1 − Σ labels · predictions along `axis`, of vectors of length 1."""
    along = dim if axis is None else axis
    if along is None:
        raise ArgumentError("cosine_distance: the dim of the vectors must be said; give axis")
    p, z = operands(predictions, labels)
    losses = 1 - (p * z).sum(along, keepdim=True)
    name = "cosine_distance_loss"
    return compute_weighted_loss(losses, weights, scope, loss_collection, reduction, name)


def softmax_cross_entropy(
    onehot_labels: Any,
    logits: Any,
    weights: Any = 1.0,
    label_smoothing: float = 0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Node:
    """`tf.nn.softmax_cross_entropy_with_logits`; with smoothing s, labels are z · (1 − s) plus
    s / (number of classes)."""
    x = convert_to_tensor(logits)
    labels = cast(onehot_labels, x.dtype)
    if label_smoothing > 0:
        classes = x.shape[-1]
        labels = labels * (1 - label_smoothing) + label_smoothing / classes
    losses = nn.softmax_cross_entropy_with_logits(labels=labels, logits=x)
    name = "softmax_cross_entropy_loss"
    return compute_weighted_loss(losses, weights, scope, loss_collection, reduction, name)


def sparse_softmax_cross_entropy(
    labels: Any,
    logits: Any,
    weights: Any = 1.0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Node:
    """`tf.nn.sparse_softmax_cross_entropy_with_logits`."""
    places, x = convert_to_tensor(labels), convert_to_tensor(logits)
    if places.ndim is not None and places.ndim == x.ndim:  # a dim of size 1 behind
        places = apply(OPS["squeeze"], None, "labels", places, (-1,))
    losses = nn.sparse_softmax_cross_entropy_with_logits(labels=places, logits=x)
    name = "sparse_softmax_cross_entropy_loss"
    return compute_weighted_loss(losses, weights, scope, loss_collection, reduction, name)


def sigmoid_cross_entropy(
    multi_class_labels: Any,
    logits: Any,
    weights: Any = 1.0,
    label_smoothing: float = 0,
    scope: str | None = None,
    loss_collection: str | None = GraphKeys.LOSSES,
    reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS,
) -> Node:
    """`tf.nn.sigmoid_cross_entropy_with_logits`; with smoothing s, labels are z · (1 − s) plus
    s / 2."""
    x = convert_to_tensor(logits)
    labels = cast(multi_class_labels, x.dtype)
    if label_smoothing > 0:
        labels = labels * (1 - label_smoothing) + 0.5 * label_smoothing
    losses = nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=x)
    name = "sigmoid_cross_entropy_loss"
    return compute_weighted_loss(losses, weights, scope, loss_collection, reduction, name)


# ---- all together
def add_loss(loss: Node, loss_collection: str = GraphKeys.LOSSES) -> None:
    """Add a loss of one's own to the collection."""
    current_graph().add_to_collection(loss_collection, loss)


def get_losses(scope: str | None = None, loss_collection: str = GraphKeys.LOSSES) -> list[Node]:
    """The losses of the graph, without the penalties of variables."""
    return get_collection(loss_collection, scope)


def get_regularization_losses(scope: str | None = None) -> list[Node]:
    """The penalties of variables that were made with a regularizer."""
    return get_collection(GraphKeys.REGULARIZATION_LOSSES, scope)


def get_regularization_loss(scope: str | None = None, name: str = "total_regularization") -> Node:
    """Their sum; zero if there is none."""
    penalties = get_regularization_losses(scope)
    return add_n(penalties, name) if penalties else convert_to_tensor(0.0)


def get_total_loss(
    add_regularization_losses: bool = True, name: str = "total_loss", scope: str | None = None
) -> Node:
    """The sum of all losses and penalties. Raises ArgumentError if there are none."""
    losses = get_losses(scope)
    if add_regularization_losses:
        losses = losses + get_regularization_losses(scope)
    return add_n(losses, name)


def __getattr__(name: str) -> Any:
    raise missing("tf.losses", name, globals())
