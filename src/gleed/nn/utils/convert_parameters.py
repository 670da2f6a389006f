"""All parameters of a model as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

import gleed
from gleed import Tensor
from gleed.errors import ArgumentError, RangeError


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """One vector of all elements of `parameters`, each flattened, in their order. Differentiable.

    >>> import gleed
    >>> gleed.nn.utils.parameters_to_vector([gleed.zeros(1, 2), gleed.ones(1)])
    tensor([0., 0., 1.])
    """
    return gleed.cat([parameter.reshape(-1) for parameter in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Let `parameters` take their values from slices of `vec`, in their order.

    Raises TypeError if `vec` is no tensor and ValueError if it has too few elements.

    >>> import gleed
    >>> weight, bias = gleed.zeros(1, 2), gleed.zeros(1)
    >>> gleed.nn.utils.vector_to_parameters(gleed.tensor([1.0, 2.0, 3.0]), [weight, bias])
    >>> weight
    tensor([[1., 2.]])
    """
    if not isinstance(vec, Tensor):
        raise ArgumentError(
            "vector_to_parameters: vec must be a tensor; "
            f"got {type(vec).__name__}; make it one with gleed.tensor(vec)"
        )
    targets = list(parameters)
    count = sum(target.numel() for target in targets)
    if vec.ndim != 1 or vec.numel() < count:
        raise RangeError(
            "vector_to_parameters: vec must have one dimension and an element for each of the "
            f"parameters'; it has shape {tuple(vec.shape)} and they have {count} elements; "
            "make it with parameters_to_vector of the same parameters"
        )
    start = 0
    for target in targets:
        stop = start + target.numel()
        target.data = vec[start:stop].view(target.shape).data
        start = stop
