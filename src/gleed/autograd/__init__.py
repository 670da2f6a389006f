"""Automatic differentiation: gradients of whatever was computed.

>>> import gleed
>>> x = gleed.tensor([1.0, 2.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
tensor([2., 4.])
"""

from gleed.autograd import functional
from gleed.autograd.anomaly_mode import (
    detect_anomaly,
    is_anomaly_check_nan_enabled,
    is_anomaly_enabled,
    set_detect_anomaly,
)
from gleed.autograd.function import Function, FunctionCtx, once_differentiable
from gleed.autograd.grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from gleed.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from gleed.autograd.gradients import ENGINE_OPS, backward, connect, grad
from gleed.autograd.variable import Variable

__all__ = [
    "ENGINE_OPS",
    "Function",
    "FunctionCtx",
    "GradcheckError",
    "Variable",
    "backward",
    "connect",
    "detect_anomaly",
    "enable_grad",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "is_anomaly_check_nan_enabled",
    "is_anomaly_enabled",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "once_differentiable",
    "set_detect_anomaly",
    "set_grad_enabled",
]
