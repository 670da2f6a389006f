"""Optimizers, and schedules for their learning rates."""

from gleed.optim import lr_scheduler
from gleed.optim.adam import Adam, AdamW
from gleed.optim.optimizer import Optimizer
from gleed.optim.sgd import SGD

__all__ = ["Adam", "AdamW", "Optimizer", "SGD", "lr_scheduler"]
