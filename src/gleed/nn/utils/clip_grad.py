"""Gradient clipping, by the norm of all gradients together or by the size of each element."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import gleed
from gleed import Tensor, no_grad
from gleed.errors import GleedError

Tensors: TypeAlias = "Tensor | Iterable[Tensor]"


@no_grad()
def get_total_norm(
    tensors: Tensors,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The `norm_type`-norm of all elements of all `tensors` together.

    Args:
        tensors: one tensor or several, floating-point, of any shapes.
        norm_type: the order p of the norm; `inf` for the largest magnitude.
        error_if_nonfinite: raise RuntimeError where the norm is NaN or infinite.
        foreach: accepted for PyTorch's signature; it changes nothing.

    Returns:
        a tensor of no dimensions.

    >>> import gleed
    >>> gleed.nn.utils.get_total_norm([gleed.tensor([3.0]), gleed.tensor([[4.0]])])
    tensor(5.)
    """
    norms = [tensor.norm(norm_type) for tensor in _as_list(tensors)]
    if not norms:
        return gleed.tensor(0.0)
    device = norms[0].device
    total = gleed.stack([_on(device, norm) for norm in norms]).norm(norm_type)
    if error_if_nonfinite and not total.isfinite().item():
        raise GleedError(
            f"get_total_norm: the norm must be finite; the norm of order {float(norm_type)} is "
            f"{total.item()}; look for what makes the loss NaN or infinite, or pass "
            "error_if_nonfinite=False to clip regardless"
        )
    return total


@no_grad()
def clip_grads_with_norm_(
    parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale the gradients of `parameters`, whose norm is `total_norm`, to at most `max_norm`."""
    # The small number keeps a norm of zero from dividing by zero. Without a branch on the value the
    # scaling needs no wait for the device.
    scale = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
    for gradient in _gradients(parameters):
        gradient.mul_(_on(gradient.device, scale))


def clip_grad_norm_(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients together so that their norm is at most `max_norm`, in place.

    Args:
        parameters: a tensor or tensors whose `grad` is scaled; those without one are passed over.
        max_norm: the largest norm allowed.
        norm_type: the order of the norm; `inf` for the largest magnitude.
        error_if_nonfinite: raise RuntimeError where the norm is NaN or infinite.
        foreach: accepted for PyTorch's signature; it changes nothing.

    Returns:
        the norm before the scaling, a tensor of no dimensions.

    Source: Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks",
        2013.

    >>> import gleed
    >>> weight = gleed.zeros(2, requires_grad=True)
    >>> weight.grad = gleed.tensor([3.0, 4.0])
    >>> gleed.nn.utils.clip_grad_norm_(weight, 1.0)
    tensor(5.)
    >>> weight.grad
    tensor([0.6000, 0.8000])
    """
    parameters = _as_list(parameters)
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


@no_grad()
def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Limit every element of every gradient to −`clip_value` … `clip_value`, in place.

    >>> import gleed
    >>> weight = gleed.zeros(2, requires_grad=True)
    >>> weight.grad = gleed.tensor([3.0, -0.5])
    >>> gleed.nn.utils.clip_grad_value_(weight, 1.0)
    >>> weight.grad
    tensor([ 1.0000, -0.5000])
    """
    limit = float(clip_value)
    for gradient in _gradients(parameters):
        gradient.clamp_(-limit, limit)


def _on(device: Any, tensor: Tensor) -> Tensor:
    return tensor if tensor.device == device else tensor.to(device)


def _as_list(tensors: Tensors) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _gradients(parameters: Tensors) -> list[Tensor]:
    return [p.grad for p in _as_list(parameters) if p.grad is not None]
