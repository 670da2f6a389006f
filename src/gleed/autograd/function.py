"""Custom differentiable functions: `Function`, for what the operations cannot express."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from gleed import _C
from gleed.errors import GradientError

Tensor = _C.Tensor


class FunctionCtx(_C.FunctionContext):
    """What `forward` and `backward` of one call share.

    `forward` leaves here what `backward` needs: tensors with `save_for_backward`, anything else as
    attributes. It is also what `grad_fn` of the results shows.
    """

    _function: ClassVar[type[Function]]
    _name: ClassVar[str]
    _dtypes: tuple[Any, ...]  # of the inputs; None for one that is no tensor

    def _backward(self, cotangents: tuple[Any, ...]) -> tuple[Any, ...]:
        """One gradient per tensor among the inputs; called by the engine."""
        function = self._function
        gradients = function.backward(self, *cotangents)
        if not isinstance(gradients, tuple):
            gradients = (gradients,)
        expected = len(self._dtypes)
        if len(gradients) > expected and all(g is None for g in gradients[expected:]):
            gradients = gradients[:expected]
        if len(gradients) != expected:
            raise GradientError(
                f"{function.__name__}.backward: one gradient per input of forward is expected; "
                f"{len(gradients)} came for {expected}; return None for inputs without one"
            )
        for i, (gradient, dtype) in enumerate(zip(gradients, self._dtypes, strict=True)):
            if gradient is not None and dtype is None:
                raise GradientError(
                    f"{function.__name__}.backward: only tensors have gradients; one came for "
                    f"input {i}, which is none; return None in its place"
                )
        return tuple(
            gradient.to(dtype) if isinstance(gradient, Tensor) else gradient
            for gradient, dtype in zip(gradients, self._dtypes, strict=True)
            if dtype is not None
        )


class Function:
    """A differentiable function with a backward of its own.

    A subclass defines the static methods `forward(ctx, *inputs)` and `backward(ctx, *cotangents)`,
    or `forward(*inputs)`, `setup_context(ctx, inputs, output)` and `backward`. It is called through
    `apply`. `forward` runs without recording; `backward` gets one cotangent per output and returns
    one gradient per input, with None for inputs that have none. Written in ordinary operations,
    `backward` is differentiable again.

    >>> import gleed
    >>> class Cube(gleed.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x * x
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return 3 * x * x * g
    >>> x = gleed.tensor([1.0, 2.0], requires_grad=True)
    >>> y = Cube.apply(x)
    >>> y.sum().backward()
    >>> x.grad
    tensor([ 3., 12.])
    """

    _context: ClassVar[type[FunctionCtx]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # backward may also be called vjp.
        if "vjp" in cls.__dict__ and "backward" not in cls.__dict__:
            cls.backward = cls.__dict__["vjp"]  # type: ignore[method-assign]
        name = cls.__name__ + "Backward"
        cls._context = type(name, (FunctionCtx,), {"_function": cls, "_name": name})

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the result; takes `ctx` first, unless there is a `setup_context`."""
        raise NotImplementedError("Function: forward is not defined; define it as a static method")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Leave in `ctx` what backward needs, where `forward` takes no `ctx`."""
        raise NotImplementedError("Function: setup_context is not defined")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """From one cotangent per output, one gradient per input of `forward`."""
        raise NotImplementedError(
            "Function: backward is not defined, and a gradient came; define it as a static method"
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        context = cls._context()
        separate = cls.setup_context is not Function.setup_context
        if separate and (kwargs or len(args) < len(_signature(cls.forward).parameters)):
            args, kwargs = _bind(cls.forward, args, kwargs), {}
        context._dtypes = tuple([a.dtype if isinstance(a, Tensor) else None for a in args])
        context.needs_input_grad = tuple(
            [t is not None and a.requires_grad for t, a in zip(context._dtypes, args, strict=True)]
        )
        with _C.no_grad():
            if separate:
                output = cls.forward(*args)
                cls.setup_context(context, args, output)
            else:
                output = cls.forward(context, *args, **kwargs)
        if isinstance(output, tuple):
            return _C.record_function(context, args, output)
        return _C.record_function(context, args, (output,))[0]


@functools.lru_cache(maxsize=256)
def _signature(forward: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(forward)


def _bind(forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """All arguments by position, defaults filled in."""
    bound = _signature(forward).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.args


class _RaiseInSecondBackward(Function):
    """The identity, with an error in the place of a backward."""

    @staticmethod
    def forward(ctx: Any, name: str, count: int, *tensors: Any) -> Any:
        ctx.name = name
        return tensors[count:]

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        raise GradientError(
            f"{ctx.name}: its backward is differentiable once only, and a second derivative was "
            "asked for; take once_differentiable away and write backward in gleed operations"
        )


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a `backward` whose result must not be differentiated again.

    It runs without recording; a second derivative through it is an error, and no wrong number.
    """

    @functools.wraps(backward)
    def decorated(ctx: Any, *cotangents: Any) -> Any:
        with _C.no_grad():
            gradients = backward(ctx, *cotangents)
        sources = [g for g in cotangents if isinstance(g, Tensor) and g.requires_grad]
        if not _C.is_grad_enabled() or not sources:
            return gradients
        single = not isinstance(gradients, tuple)
        gradients = (gradients,) if single else gradients
        name = getattr(ctx, "_name", "Function")
        marked = _RaiseInSecondBackward.apply(name, len(sources), *sources, *gradients)
        return marked[0] if single else marked

    return decorated
