"""Derivatives of functions: Jacobians, Hessians and their products with vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gleed
from gleed import _C
from gleed.autograd.grad_mode import enable_grad
from gleed.autograd.gradients import grad
from gleed.errors import ArgumentError, ShapeError

Tensor = _C.Tensor
Tensors = Any  # a tensor, or a tuple of tensors


def vjp(
    func: Callable[..., Tensors],
    inputs: Tensors,
    v: Tensors | None = None,
    *,
    create_graph: bool = False,
) -> tuple[Tensors, Tensors]:
    """`func(*inputs)`, and the product of the vector `v` with its Jacobian.

    `v` is shaped like the output; a scalar output needs none.

    >>> import gleed
    >>> x = gleed.tensor([1.0, 2.0])
    >>> gleed.autograd.functional.vjp(lambda x: x * x, x, gleed.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    call = _Call("vjp", func, inputs, create_graph)
    vectors = call.cotangents(v)
    products = call.pull_back(vectors, create_graph)
    return call.outputs_as_given(create_graph), call.like_inputs(products)


def jvp(
    func: Callable[..., Tensors],
    inputs: Tensors,
    v: Tensors | None = None,
    *,
    create_graph: bool = False,
) -> tuple[Tensors, Tensors]:
    """`func(*inputs)`, and the product of its Jacobian with the vector `v`, shaped like the inputs.

    Reverse mode twice: the product is linear in a cotangent, so its gradient with respect to that
    cotangent is the answer.

    >>> import gleed
    >>> x = gleed.tensor([1.0, 2.0])
    >>> gleed.autograd.functional.jvp(lambda x: x * x, x, gleed.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    call = _Call("jvp", func, inputs, create_graph=True)
    vectors = call.vectors(v)
    zero = [gleed.zeros_like(y).requires_grad_() for y in call.outputs]
    products = call.pull_back(zero, create_graph=True)
    used = [(p, u) for p, u in zip(products, vectors, strict=True) if p.requires_grad]
    if used:
        found = grad(
            [p for p, _ in used],
            zero,
            [u for _, u in used],
            create_graph=create_graph,
            materialize_grads=True,
        )
    else:
        found = tuple(gleed.zeros_like(y) for y in call.outputs)
    return call.outputs_as_given(create_graph), call.like_outputs(found)


def jacobian(
    func: Callable[..., Tensors], inputs: Tensors, *, create_graph: bool = False
) -> Tensors:
    """The Jacobian of `func`: shaped like the output, then like the input.

    One tensor for one input and one output; a tuple where `inputs` is one, and a tuple of those
    where `func` returns one.

    >>> import gleed
    >>> x = gleed.tensor([1.0, 2.0])
    >>> gleed.autograd.functional.jacobian(lambda x: x * x.sum(), x)
    tensor([[4., 1.],
            [2., 5.]])
    """
    call = _Call("jacobian", func, inputs, create_graph)
    rows = tuple(call.jacobian_of(k, create_graph) for k in range(len(call.outputs)))
    return call.like_outputs([call.like_inputs(row) for row in rows])


def hessian(func: Callable[..., Any], inputs: Tensors, *, create_graph: bool = False) -> Tensors:
    """The matrix of second derivatives of a function with one scalar output.

    >>> import gleed
    >>> x = gleed.tensor([1.0, 2.0])
    >>> gleed.autograd.functional.hessian(lambda x: (x * x * x).sum(), x)
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacobian(_gradient_of("hessian", func, inputs), inputs, create_graph=create_graph)


def vhp(
    func: Callable[..., Any],
    inputs: Tensors,
    v: Tensors | None = None,
    *,
    create_graph: bool = False,
) -> tuple[Any, Tensors]:
    """`func(*inputs)`, a scalar, and the product of the vector `v` with its Hessian.

    >>> import gleed
    >>> x = gleed.tensor([1.0, 2.0])
    >>> gleed.autograd.functional.vhp(lambda x: (x * x * x).sum(), x, gleed.ones(2))
    (tensor(9.), tensor([ 6., 12.]))
    """
    _, products = vjp(_gradient_of("vhp", func, inputs), inputs, v, create_graph=create_graph)
    return func(*_tuple(inputs)), products


def hvp(
    func: Callable[..., Any],
    inputs: Tensors,
    v: Tensors | None = None,
    *,
    create_graph: bool = False,
) -> tuple[Any, Tensors]:
    """`func(*inputs)`, a scalar, and the product of its Hessian with the vector `v`.

    >>> import gleed
    >>> x = gleed.tensor([1.0, 2.0])
    >>> gleed.autograd.functional.hvp(lambda x: (x * x * x).sum(), x, gleed.ones(2))
    (tensor(9.), tensor([ 6., 12.]))
    """
    _, products = jvp(_gradient_of("hvp", func, inputs), inputs, v, create_graph=create_graph)
    return func(*_tuple(inputs)), products


def _tuple(tensors: Tensors) -> tuple[Any, ...]:
    return (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)


def _gradient_of(op: str, func: Callable[..., Any], inputs: Tensors) -> Callable[..., Tensors]:
    """The gradient of a scalar function, as a function of the same inputs."""
    single = isinstance(inputs, Tensor)

    def gradient(*xs: Any) -> Tensors:
        y = func(*xs)
        if not isinstance(y, Tensor) or y.numel() != 1:
            came = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
            raise ShapeError(f"{op}: the function returns one number; it returned {came}")
        found = grad(y.sum(), xs, create_graph=True, materialize_grads=True)
        return found[0] if single else found

    return gradient


class _Call:
    """A function called on fresh inputs that require grad."""

    def __init__(
        self, op: str, func: Callable[..., Tensors], inputs: Tensors, create_graph: bool
    ) -> None:
        self.op = op
        self.single_input = isinstance(inputs, Tensor)
        with enable_grad():
            # With create_graph the caller may want derivatives with respect to his own tensors.
            self.inputs = tuple(
                x.view_as(x) if create_graph and x.requires_grad else x.detach().requires_grad_()
                for x in _tuple(inputs)
            )
            result = func(*self.inputs)
        self.single_output = isinstance(result, Tensor)
        self.outputs = _tuple(result)

    def outputs_as_given(self, create_graph: bool) -> Tensors:
        return self.like_outputs([y if create_graph else y.detach() for y in self.outputs])

    def like_inputs(self, values: Sequence[Any]) -> Any:
        return values[0] if self.single_input else tuple(values)

    def like_outputs(self, values: Sequence[Any]) -> Any:
        return values[0] if self.single_output else tuple(values)

    def cotangents(self, v: Tensors | None) -> tuple[Any, ...]:
        """`v`, checked to be shaped like the outputs."""
        if v is None:
            if len(self.outputs) != 1 or self.outputs[0].numel() != 1:
                raise ArgumentError(
                    f"{self.op}: `v` can be left out for a scalar output only; "
                    "give one vector per output"
                )
            return (gleed.ones_like(self.outputs[0]),)
        return self._checked(_tuple(v), self.outputs, "output")

    def vectors(self, v: Tensors | None) -> tuple[Any, ...]:
        """`v`, checked to be shaped like the inputs."""
        if v is None:
            if len(self.inputs) != 1 or self.inputs[0].numel() != 1:
                raise ArgumentError(
                    f"{self.op}: `v` can be left out for a scalar input only; "
                    "give one vector per input"
                )
            return (gleed.ones_like(self.inputs[0]),)
        return self._checked(_tuple(v), self.inputs, "input")

    def _checked(
        self, vectors: tuple[Any, ...], models: tuple[Any, ...], kind: str
    ) -> tuple[Any, ...]:
        shapes = [tuple(u.shape) for u in vectors]
        wanted = [tuple(x.shape) for x in models]
        if shapes != wanted:
            raise ShapeError(
                f"{self.op}: `v` has the shapes of the {kind}s; they are {wanted}, `v` is {shapes}"
            )
        return vectors

    def pull_back(self, cotangents: Sequence[Any], create_graph: bool) -> tuple[Any, ...]:
        used = [(y, g) for y, g in zip(self.outputs, cotangents, strict=True) if y.requires_grad]
        if not used:
            return tuple(gleed.zeros_like(x) for x in self.inputs)
        return grad(
            [y for y, _ in used],
            self.inputs,
            [g for _, g in used],
            retain_graph=True,
            create_graph=create_graph,
            materialize_grads=True,
        )

    def jacobian_of(self, number: int, create_graph: bool) -> list[Any]:
        """Per input, the Jacobian of one output: a row per element of it."""
        output = self.outputs[number]
        rows: list[tuple[Any, ...]] = []
        for element in output.reshape(-1).unbind():
            if element.requires_grad:
                found = grad(
                    element,
                    self.inputs,
                    retain_graph=True,
                    create_graph=create_graph,
                    materialize_grads=True,
                )
            else:
                found = tuple(gleed.zeros_like(x) for x in self.inputs)
            rows.append(found)
        if not rows:
            return [output.new_zeros((*output.shape, *x.shape)) for x in self.inputs]
        return [
            gleed.stack(list(column)).reshape((*output.shape, *x.shape))
            for column, x in zip(zip(*rows, strict=True), self.inputs, strict=True)
        ]
