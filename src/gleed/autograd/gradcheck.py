"""Checking gradients against finite differences.

The cotangents are random: with a cotangent of ones many a wrong gradient passes (that of softmax is
zero then, whatever the rule says).
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gleed
from gleed import _C
from gleed.autograd.gradients import grad
from gleed.errors import ArgumentError

Tensor = _C.Tensor


class GradcheckError(RuntimeError):
    """A gradient that differs from the finite difference; where, and by how much."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Whether the gradients of `func` agree with central differences.

    For every output a random cotangent is sent back, and the gradient of every input is compared,
    element by element, with `(f(x + eps) - f(x - eps)) / (2 * eps)`; in `fast_mode` along one
    random direction. Outputs are sent back one at a time, so that the others are undefined; with
    `check_undefined_grad` also all together. `nondet_tol` is how much two runs may differ.

    The inputs that require grad should be float64: at lower precision differences are mostly noise.
    Returns True, or raises `GradcheckError` (returns False without `raise_exception`).

    >>> import gleed
    >>> x = gleed.tensor([0.3, -1.2], dtype=gleed.float64, requires_grad=True)
    >>> gleed.autograd.gradcheck(lambda x: x.exp() * x, x)
    True
    """
    _refuse(
        check_batched_grad=check_batched_grad,
        check_batched_forward_grad=check_batched_forward_grad,
        check_forward_ad=check_forward_ad,
        check_backward_ad=not check_backward_ad,
        masked=bool(masked),
    )
    check = _Check(func, inputs, eps, atol, rtol)
    try:
        check.gradients(fast_mode, nondet_tol)
        if check_undefined_grad:
            check.all_outputs_together()
        if check_grad_dtypes:
            check.dtypes()
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Whether the gradients of the gradients of `func` agree with central differences.

    As `gradcheck`, of the function that maps inputs and cotangents to the gradients of the inputs.
    `grad_outputs` are random unless given.

    >>> import gleed
    >>> x = gleed.tensor([0.3, -1.2], dtype=gleed.float64, requires_grad=True)
    >>> gleed.autograd.gradgradcheck(lambda x: x.exp() * x, x)
    True
    """
    _refuse(check_fwd_over_rev=check_fwd_over_rev, check_rev_over_rev=not check_rev_over_rev)
    inputs = _tuple(inputs)
    if grad_outputs is None:
        source = random.Random(len(inputs))
        outputs = _differentiable(func(*inputs))
        grad_outputs = tuple(
            _random_like(y, source, gen_non_contig_grad_outputs).requires_grad_() for y in outputs
        )
    grad_outputs = _tuple(grad_outputs)

    def gradients(*arguments: Any) -> tuple[Any, ...]:
        xs, cotangents = arguments[: len(inputs)], arguments[len(inputs) :]
        wanted = [x for x in xs if isinstance(x, Tensor) and x.requires_grad]
        found = grad(
            _differentiable(func(*xs)), wanted, cotangents, create_graph=True, allow_unused=True
        )
        return tuple(g for g in found if g is not None)

    return gradcheck(
        gradients,
        inputs + grad_outputs,
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        fast_mode=fast_mode,
        masked=masked,
    )


def _refuse(**flags: bool) -> None:
    for name, asked in flags.items():
        if asked:
            raise ArgumentError(
                f"gradcheck: {name} is not offered; only reverse mode is; leave it out"
            )


def _tuple(values: Any) -> tuple[Any, ...]:
    return (values,) if isinstance(values, Tensor) else tuple(values)


def _differentiable(outputs: Any) -> tuple[Any, ...]:
    return tuple(y for y in _tuple(outputs) if isinstance(y, Tensor) and y.is_floating_point())


def _indices(shape: Sequence[int]) -> Iterator[tuple[int, ...]]:
    return itertools.product(*(range(size) for size in shape))


def _random_like(t: Any, source: random.Random, non_contiguous: bool = False) -> Any:
    """Numbers of size 0.5 to 1.5 and either sign: nothing is multiplied by almost nothing."""
    numbers = [source.choice((-1, 1)) * source.uniform(0.5, 1.5) for _ in range(t.numel())]
    made = gleed.tensor(numbers, dtype=t.dtype).reshape(t.shape)
    if not non_contiguous:
        return made
    spread = gleed.zeros((*t.shape, 2), dtype=t.dtype)
    spread[..., 0] = made
    return spread[..., 0].detach()


class _Check:
    """One function with its inputs, and the comparison of its gradients."""

    def __init__(
        self, func: Callable[..., Any], inputs: Any, eps: float, atol: float, rtol: float
    ) -> None:
        self.func, self.inputs = func, list(_tuple(inputs))
        self.eps, self.atol, self.rtol = eps, atol, rtol
        self.places = [
            i for i, x in enumerate(self.inputs) if isinstance(x, Tensor) and x.requires_grad
        ]
        if not self.places:
            raise ArgumentError(
                "gradcheck: at least one input requires grad; none does; "
                "pass float64 tensors with requires_grad=True"
            )
        for i in self.places:
            if self.inputs[i].dtype != gleed.float64:
                raise ArgumentError(
                    f"gradcheck: inputs that require grad are float64; input {i} is "
                    f"{self.inputs[i].dtype}; use .double()"
                )
            if _overlaps(self.inputs[i]):
                # Changing one element would change others with it.
                self.inputs[i] = self.inputs[i].detach().clone().requires_grad_()
        self.source = random.Random(len(self.inputs))
        outputs = self.outputs()
        if not outputs:
            raise ArgumentError("gradcheck: the function returned no floating-point tensor")
        self.cotangents = [_random_like(y, self.source) for y in outputs]

    def outputs(self) -> tuple[Any, ...]:
        return _differentiable(self.func(*self.inputs))

    def analytic(self, number: int | None) -> list[Any]:
        """Gradients of output `number`, or of all together; zeros where nothing depends."""
        wanted = [self.inputs[i] for i in self.places]
        outputs = self.outputs()
        numbers = range(len(outputs)) if number is None else (number,)
        reached = [k for k in numbers if outputs[k].requires_grad]
        if not reached:
            return [gleed.zeros(x.shape, dtype=x.dtype) for x in wanted]
        found = grad(
            [outputs[k] for k in reached],
            wanted,
            [self.cotangents[k] for k in reached],
            materialize_grads=True,
        )
        for i, x, g in zip(self.places, wanted, found, strict=True):
            if g.shape != x.shape:
                raise GradcheckError(
                    f"gradcheck: a gradient has the shape of its input; input {i} is "
                    f"{tuple(x.shape)}, its gradient {tuple(g.shape)}"
                )
        return [g.detach() for g in found]

    def difference(self, place: int, index: tuple[int, ...] | None, step: Any) -> list[float]:
        """Central differences of the outputs times cotangents, along one element or direction."""
        x = self.inputs[place].detach()
        target = x if index is None else x[index]
        before = target.clone()
        ends = []
        for sign in (1, -1):
            target.copy_(before + sign * self.eps * step)
            ends.append([y.detach().clone() for y in self.outputs()])
            target.copy_(before)
        return [
            ((high - low) * v).sum().item() / (2 * self.eps)
            for high, low, v in zip(*ends, self.cotangents, strict=True)
        ]

    def compare(self, analytic: float, numeric: float, output: int, place: int, where: str) -> None:
        if abs(analytic - numeric) <= self.atol + self.rtol * abs(numeric):
            return
        raise GradcheckError(
            f"gradcheck: the gradient of output {output} with respect to input {place} is wrong "
            f"{where}: analytic {analytic:.10g}, numeric {numeric:.10g} "
            f"(differs by {abs(analytic - numeric):.3g}; for a random cotangent)"
        )

    def gradients(self, fast: bool, nondet_tol: float) -> None:
        found = [self.analytic(k) for k in range(len(self.cotangents))]
        for k, gradients in enumerate(found):
            for place, first, again in zip(self.places, gradients, self.analytic(k), strict=True):
                if first.numel() and not (first - again).abs().max().item() <= nondet_tol:
                    raise GradcheckError(
                        f"gradcheck: two runs of backward differ; output {k}, input {place}; "
                        f"by {(first - again).abs().max().item():.3g}, allowed is {nondet_tol}"
                    )
        for n, place in enumerate(self.places):
            gradients = [gradients[n] for gradients in found]
            if fast:
                self.compare_direction(place, gradients)
            else:
                self.compare_elements(place, gradients)

    def compare_direction(self, place: int, gradients: list[Any]) -> None:
        direction = _random_like(self.inputs[place], self.source)
        for k, numeric in enumerate(self.difference(place, None, direction)):
            analytic = (gradients[k] * direction).sum().item()
            self.compare(analytic, numeric, k, place, "along a random direction")

    def compare_elements(self, place: int, gradients: list[Any]) -> None:
        for index in _indices(self.inputs[place].shape):
            for k, numeric in enumerate(self.difference(place, index, 1.0)):
                self.compare(gradients[k][index].item(), numeric, k, place, f"at index {index}")

    def all_outputs_together(self) -> None:
        """Cotangents for all outputs at once give the sum of what each gives alone."""
        if len(self.cotangents) == 1:
            return
        alone = [self.analytic(k) for k in range(len(self.cotangents))]
        for n, together in enumerate(self.analytic(None)):
            total = sum(gradients[n] for gradients in alone)
            error = (together - total).abs() - self.rtol * total.abs()
            if together.numel() and not error.max().item() <= self.atol:
                raise GradcheckError(
                    "gradcheck: outputs sent back together and alone give the same gradient; for "
                    f"input {self.places[n]} they differ by {error.max().item():.3g}; a backward "
                    "handles an undefined cotangent wrongly"
                )

    def dtypes(self) -> None:
        for i, g in zip(self.places, self.analytic(None), strict=True):
            if g.dtype != self.inputs[i].dtype:
                raise GradcheckError(
                    f"gradcheck: a gradient has the dtype of its input; input {i} is "
                    f"{self.inputs[i].dtype}, its gradient {g.dtype}"
                )


def _overlaps(t: Any) -> bool:
    """Whether elements share memory, as after `expand`."""
    return any(stride == 0 and size > 1 for size, stride in zip(t.shape, t.stride(), strict=True))
