"""Asking for gradients: `backward` adds them to `Tensor.grad`, `grad` returns them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gleed import _C
from gleed.errors import ArgumentError

Tensors = Any  # a tensor, or a sequence of tensors


# What the engine needs to add cotangents and to write into views.
ENGINE_OPS = ("add", "add_", "as_strided", "clone", "copy_", "isnan", "zero_")


def connect(operations: Mapping[str, Callable[..., Any]]) -> None:
    """Hand the engine the `ENGINE_OPS`, by name."""
    isnan = operations["isnan"]
    whole = {**operations, "isnan": lambda gradient: isnan(gradient).any()}
    for name in ENGINE_OPS:
        _C.register_engine_op(name, whole[name])


def backward(
    tensors: Tensors,
    grad_tensors: Tensors | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Tensors | None = None,
    inputs: Tensors | None = None,
) -> None:
    """Add the gradients of `tensors` to the `grad` of the leaves they depend on.

    `grad_tensors` holds one cotangent per tensor, of its shape and dtype, or None for tensors of
    one element. `retain_graph` keeps what the graph has saved, for another backward (as does
    `create_graph`, which makes the gradients themselves differentiable). With `inputs` only their
    `grad` changes.

    Raises `GradientError` where there is no gradient to be had: no history, a graph that was freed,
    a value that was overwritten; `ShapeError` for a cotangent of another shape or dtype.

    >>> import gleed
    >>> x = gleed.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> gleed.autograd.backward([x * 2, x * x], [gleed.ones(3), gleed.ones(3)])
    >>> x.grad
    tensor([4., 6., 8.])
    """
    if grad_variables is not None:
        if grad_tensors is not None:
            raise ArgumentError(
                "backward: grad_variables is the old name of grad_tensors; both came; "
                "give grad_tensors alone"
            )
        grad_tensors = grad_variables
    outputs = _tuple(tensors)
    gradients = _cotangents("backward", outputs, grad_tensors)
    _C.run_backward(outputs, gradients, retain_graph, create_graph, inputs, True, True)


def grad(
    outputs: Tensors,
    inputs: Tensors,
    grad_outputs: Tensors | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The gradients of the sum of `outputs` with respect to each of `inputs`; no `grad` changes.

    `grad_outputs` holds one cotangent per output, or None for outputs of one element. An input that
    the outputs do not depend on is an error, unless `allow_unused` (then None stands for it) or
    `materialize_grads` (then zeros do).

    >>> import gleed
    >>> x = gleed.tensor(3.0, requires_grad=True)
    >>> (first,) = gleed.autograd.grad(x**3, x, create_graph=True)
    >>> (second,) = gleed.autograd.grad(first, x)
    >>> first.item(), second.item()
    (27.0, 18.0)
    """
    if not only_inputs:
        raise ArgumentError(
            "grad: only_inputs=False is not offered; call backward() for all leaves"
        )
    if is_grads_batched:
        raise ArgumentError(
            "grad: is_grads_batched is not offered; call grad() per cotangent, with retain_graph"
        )
    if materialize_grads and allow_unused is False:
        raise ArgumentError(
            "grad: materialize_grads=True gives zeros for unused inputs; allow_unused=False "
            "forbids them; leave allow_unused out"
        )
    outputs, inputs = _tuple(outputs), _tuple(inputs)
    gradients = _cotangents("grad", outputs, grad_outputs)
    unused = bool(allow_unused) or materialize_grads
    found = _C.run_backward(outputs, gradients, retain_graph, create_graph, inputs, False, unused)
    if materialize_grads:
        found = tuple(
            (x.detach() * 0 if g is None else g) for x, g in zip(inputs, found, strict=True)
        )
    return found


def _tuple(tensors: Tensors) -> tuple[Any, ...]:
    return (tensors,) if isinstance(tensors, _C.Tensor) else tuple(tensors)


def _cotangents(op: str, outputs: Sequence[Any], given: Tensors | None) -> tuple[Any, ...]:
    if given is None:
        return (None,) * len(outputs)
    gradients = _tuple(given)
    if len(gradients) != len(outputs):
        raise ArgumentError(
            f"{op}: one gradient per output is expected; {len(gradients)} came for {len(outputs)}; "
            "put None where an output of one element needs none"
        )
    return gradients
