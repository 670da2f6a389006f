"""Gradient clipping, by the norm of all gradients together or by the size of each element."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import gleed
from gleed import Tensor, no_grad
from gleed.errors import GleedError
from gleed.ops import gradients

Tensors: TypeAlias = "Tensor | Iterable[Tensor]"

norm_of_all = gradients.norm_of_all.public
scale_to_norm = gradients.scale_to_norm.public
clip_to_norm = gradients.clip_to_norm.public
clip_to_value = gradients.clip_to_value.public


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
    tensors = _as_list(tensors)
    total: Tensor = norm_of_all(tensors, float(norm_type)) if tensors else gleed.tensor(0.0)
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
    scale_to_norm(_gradients(parameters), total_norm, max_norm)


@no_grad()
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
    found = _gradients(parameters)
    if error_if_nonfinite or not found:
        total = get_total_norm(found, norm_type, error_if_nonfinite)
        scale_to_norm(found, total, max_norm)
    else:
        *_, total = clip_to_norm(found, max_norm, float(norm_type))
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
    clip_to_value(_gradients(parameters), clip_value)


def _as_list(tensors: Tensors) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _gradients(parameters: Tensors) -> list[Tensor]:
    return [p.grad for p in _as_list(parameters) if p.grad is not None]
