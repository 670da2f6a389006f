"""`tf.losses`: means of losses over a batch."""

from __future__ import annotations

from typing import Any

from gleed.compat.tensorflow import nn
from gleed.compat.tensorflow.absent import missing
from gleed.compat.tensorflow.convert import convert_to_tensor, operands
from gleed.compat.tensorflow.math import add_n
from gleed.compat.tensorflow.variables import GraphKeys, get_collection
from gleed.graph.node import Node
from gleed.ops.record import OPS


def _mean(losses: Node, weights: Any, name: str) -> Node:
    weighted = losses if isinstance(weights, float) and weights == 1.0 else losses * weights
    return losses.graph.call(OPS["mean"], weighted, name=name)


def mean_squared_error(labels: Any, predictions: Any, weights: Any = 1.0) -> Node:
    """The mean of (predictions − labels)²."""
    predictions, labels = operands(predictions, labels)
    return _mean((predictions - labels).square(), weights, "mean_squared_error")


def absolute_difference(labels: Any, predictions: Any, weights: Any = 1.0) -> Node:
    """The mean of |predictions − labels|."""
    predictions, labels = operands(predictions, labels)
    return _mean((predictions - labels).abs(), weights, "absolute_difference")


def huber_loss(labels: Any, predictions: Any, weights: Any = 1.0, delta: float = 1.0) -> Node:
    """The mean of e² / 2 up to |e| = delta, of delta · |e| − delta² / 2 beyond."""
    predictions, labels = operands(predictions, labels)
    error = (predictions - labels).abs()
    near = error.clamp_max(delta)
    return _mean(near * near * 0.5 + (error - near) * delta, weights, "huber_loss")


def hinge_loss(labels: Any, logits: Any, weights: Any = 1.0) -> Node:
    """The mean of max(0, 1 − t · logits), where t is 1 for the label 1 and −1 for 0."""
    logits, labels = operands(logits, labels)
    return _mean((1 - (labels * 2 - 1) * logits).clamp_min(0), weights, "hinge_loss")


def log_loss(labels: Any, predictions: Any, weights: Any = 1.0, epsilon: float = 1e-7) -> Node:
    """The mean of −z · log(p + epsilon) − (1 − z) · log(1 − p + epsilon)."""
    p, z = operands(predictions, labels)
    losses = -z * (p + epsilon).log() - (1 - z) * (1 - p + epsilon).log()
    return _mean(losses, weights, "log_loss")


def get_regularization_losses(scope: str | None = None) -> list[Node]:
    """The penalties of variables that were made with a regularizer."""
    return get_collection(GraphKeys.REGULARIZATION_LOSSES, scope)


def get_regularization_loss(scope: str | None = None, name: str = "total_regularization") -> Node:
    """Their sum; zero if there is none."""
    penalties = get_regularization_losses(scope)
    return add_n(penalties, name) if penalties else convert_to_tensor(0.0)


def softmax_cross_entropy(onehot_labels: Any, logits: Any, weights: Any = 1.0) -> Node:
    """The mean of `tf.nn.softmax_cross_entropy_with_logits`."""
    losses = nn.softmax_cross_entropy_with_logits(labels=onehot_labels, logits=logits)
    return _mean(losses, weights, "softmax_cross_entropy_loss")


def sparse_softmax_cross_entropy(labels: Any, logits: Any, weights: Any = 1.0) -> Node:
    """The mean of `tf.nn.sparse_softmax_cross_entropy_with_logits`."""
    losses = nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return _mean(losses, weights, "sparse_softmax_cross_entropy_loss")


def sigmoid_cross_entropy(multi_class_labels: Any, logits: Any, weights: Any = 1.0) -> Node:
    """The mean of `tf.nn.sigmoid_cross_entropy_with_logits`."""
    labels = convert_to_tensor(multi_class_labels)
    losses = nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
    return _mean(losses, weights, "sigmoid_cross_entropy_loss")


def __getattr__(name: str) -> Any:
    raise missing("tf.losses", name, globals())
