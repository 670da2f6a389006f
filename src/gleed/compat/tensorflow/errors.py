"""`tf.errors`: what programs for TensorFlow catch."""

from __future__ import annotations

from typing import Any

from gleed.compat.tensorflow.absent import missing
from gleed.errors import GleedError, GraphError

# Whatever gleed finds wrong with values, and with how a graph is used.
OpError = GleedError
FailedPreconditionError = GraphError


class InvalidArgumentError(GleedError, ValueError):
    """Values that are not as the program says they must be."""


class OutOfRangeError(GleedError, IndexError):
    """There are no more elements of a data set."""


def __getattr__(name: str) -> Any:
    raise missing("tf.errors", name, globals())
