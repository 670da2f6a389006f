"""`tf.contrib.seq2seq.sequence_loss`."""

from __future__ import annotations

from typing import Any

from gleed.compat.tensorflow import nn
from gleed.compat.tensorflow.absent import missing
from gleed.compat.tensorflow.convert import convert_to_tensor
from gleed.graph.defaults import current_graph
from gleed.graph.node import Node


def sequence_loss(
    logits: Any, targets: Any, weights: Any, average_across_timesteps: bool = True,
    average_across_batch: bool = True, name: str | None = None,
) -> Node:  # fmt: skip
    """The cross-entropy of `logits` (batch, steps, classes) at the classes `targets`, times
    `weights` (both (batch, steps)), averaged over the weights of steps and of examples."""
    with current_graph().name_scope(name or "sequence_loss"):
        losses = nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits)
        weight = convert_to_tensor(weights)
        losses = losses * weight
        axes = [a for a, on in enumerate((average_across_batch, average_across_timesteps)) if on]
        if not axes:
            return losses
        return losses.sum(axes) / (weight.sum(axes) + 1e-12)


def __getattr__(name: str) -> Any:
    raise missing("tf.contrib.seq2seq", name, globals())
