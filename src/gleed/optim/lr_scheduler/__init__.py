"""Schedules of the learning rate, and of the momentum where they go together."""

from gleed.optim.lr_scheduler.base import LRScheduler
from gleed.optim.lr_scheduler.compose import ChainedScheduler, SequentialLR
from gleed.optim.lr_scheduler.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from gleed.optim.lr_scheduler.one_cycle import OneCycleLR
from gleed.optim.lr_scheduler.plateau import ReduceLROnPlateau
from gleed.optim.lr_scheduler.steps import (
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
