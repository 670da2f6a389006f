"""Training in a graph: optimizers, schedules of learning rates, checkpoints."""

from __future__ import annotations

from gleed.graph.train.averages import ExponentialMovingAverage
from gleed.graph.train.clipping import clip_by_global_norm, clip_by_norm, global_norm
from gleed.graph.train.optimizers import (
    AdadeltaOptimizer,
    AdagradOptimizer,
    AdamOptimizer,
    GradientDescentOptimizer,
    MomentumOptimizer,
    Optimizer,
    RMSPropOptimizer,
)
from gleed.graph.train.saver import (
    Saver,
    checkpoint_exists,
    get_checkpoint_state,
    latest_checkpoint,
)
from gleed.graph.train.schedules import (
    cosine_decay,
    exponential_decay,
    inverse_time_decay,
    natural_exp_decay,
    piecewise_constant,
    polynomial_decay,
)
from gleed.graph.train.steps import (
    create_global_step,
    get_global_step,
    get_or_create_global_step,
    global_step,
)

__all__ = [
    "AdadeltaOptimizer",
    "AdagradOptimizer",
    "AdamOptimizer",
    "ExponentialMovingAverage",
    "GradientDescentOptimizer",
    "MomentumOptimizer",
    "Optimizer",
    "RMSPropOptimizer",
    "Saver",
    "checkpoint_exists",
    "clip_by_global_norm",
    "clip_by_norm",
    "create_global_step",
    "cosine_decay",
    "exponential_decay",
    "inverse_time_decay",
    "natural_exp_decay",
    "get_checkpoint_state",
    "get_global_step",
    "global_step",
    "get_or_create_global_step",
    "global_norm",
    "latest_checkpoint",
    "piecewise_constant",
    "polynomial_decay",
]
