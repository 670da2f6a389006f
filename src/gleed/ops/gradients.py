"""What is done to gradients before a step: one op call for all of them."""

from __future__ import annotations

from gleed.ops.elementary import isfinite
from gleed.ops.joining import stack
from gleed.ops.promotion import convert
from gleed.ops.record import Number, Tensor, Tensors, op
from gleed.ops.reduction import vector_norm


@op(namespace="")
def norm_of_all(tensors: Tensors, norm_type: float) -> Tensor:
    """The norm of all elements of all tensors together, which is that of the tensors' norms."""
    return vector_norm(
        stack([vector_norm(x, norm_type, None, False) for x in tensors]), norm_type, 0, False
    )


@op(namespace="", writes=("grads",))
def scale_to_norm(grads: Tensors, total: Tensor, max_norm: Number) -> list[Tensor]:
    """Scale gradients, whose norm is `total`, to a norm of at most `max_norm`, in place."""
    # The small number keeps a norm of zero from dividing by zero.
    scale = (max_norm / (total + 1e-6)).clamp(max=1.0)
    return [grad * convert(scale, grad.dtype) for grad in grads]


@op(namespace="", writes=("grads",))
def clip_to_norm(grads: Tensors, max_norm: Number, norm_type: float) -> list[Tensor]:
    """Scale gradients to a norm of at most `max_norm`, in place; the last result is their norm."""
    total = norm_of_all(grads, norm_type)
    return [*scale_to_norm(grads, total, max_norm), total]


@op(namespace="", writes=("grads",))
def clip_to_value(grads: Tensors, limit: Number) -> list[Tensor]:
    """Limit every element of gradients to −`limit` … `limit`, in place."""
    return [grad.clamp(-limit, limit) for grad in grads]


@op(namespace="", writes=("grads",))
def unscale(grads: Tensors, scale: Number) -> list[Tensor]:
    """Divide gradients by `scale`, in place; the last result: whether one was infinite or NaN."""
    finite = stack([isfinite(grad).all() for grad in grads]).all()
    return [*(grad * (1 / scale) for grad in grads), ~finite]
