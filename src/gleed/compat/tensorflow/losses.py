"""`tf.losses`: means of losses over a batch."""

from __future__ import annotations

from typing import Any

from gleed.compat.tensorflow import nn
from gleed.compat.tensorflow.absent import missing
from gleed.compat.tensorflow.convert import convert_to_tensor, operands
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
