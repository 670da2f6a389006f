"""Optimizers, and schedules for their learning rates."""

from gleed.optim import lr_scheduler
from gleed.optim.adadelta import Adadelta
from gleed.optim.adagrad import Adagrad
from gleed.optim.adam import Adam, AdamW
from gleed.optim.adamax import Adamax
from gleed.optim.asgd import ASGD
from gleed.optim.lbfgs import LBFGS
from gleed.optim.nadam import NAdam
from gleed.optim.optimizer import Optimizer
from gleed.optim.radam import RAdam
from gleed.optim.rmsprop import RMSprop
from gleed.optim.rprop import Rprop
from gleed.optim.sgd import SGD

__all__ = [
    "ASGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "LBFGS",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SGD",
    "lr_scheduler",
]
