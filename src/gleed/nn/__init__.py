"""Modules: what models are built of."""

from gleed.nn import functional, init, modules, utils
from gleed.nn.module import Module
from gleed.nn.modules import *  # noqa: F403
from gleed.nn.parameter import (
    Buffer,
    Parameter,
    UninitializedBuffer,
    UninitializedParameter,
)

__all__ = [
    "Buffer",
    "Module",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "functional",
    "init",
    "utils",
    *modules.__all__,
]
