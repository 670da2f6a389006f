"""`tf.train`: optimizers, schedules of learning rates, checkpoints."""

from __future__ import annotations

from typing import Any

from gleed.compat.tensorflow.absent import missing
from gleed.graph.train import *  # noqa: F403


def __getattr__(name: str) -> Any:
    raise missing("tf.train", name, globals())
