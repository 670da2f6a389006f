"""The op record: how an operation of the public API is defined, once.

    @op(method=True, inplace=True)
    def relu(input: Tensor) -> Tensor:
        \"\"\"…\"\"\"
        return where(input > 0, input, 0)

The annotations say how the core binds a call's arguments:

=====================  ==============================================================
`Tensor`, `| None`     a tensor
`Operand`              a tensor or a Python number
`Tensors`              a sequence of tensors
`Number`, `| None`     a run-time number: changing it compiles nothing
`Int`, `Ints`          sizes, starts and lengths: symbols to the body
`Source`               a generator of random numbers; `None`: the default one
anything else          static: part of the signature (axes, flags, dtypes, strings)
=====================  ==============================================================

The body runs on stand-ins (`gleed.trace`). Its gradient follows from the ops it calls, or from a
rule given with `@name.vjp`: `rule(g, y, *arguments)` returns one cotangent per tensor argument.
Several functions of one name are overloads, tried in order.
"""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from gleed import _C
from gleed.compiler.dims import Dim
from gleed.errors import ArgumentError, TraceError
from gleed.lazy import lazy
from gleed.trace import Standin, Trace

capture = lazy("gleed.capture")  # with it the compiler, at the first miss

# The names that annotations of bodies use.
Tensor = Standin
Tensors = Sequence[Standin]
Operand = Any  # in a body a stand-in, or a number where another body calls it
Number = Any
Int = int | Dim
Ints = Sequence[int | Dim]
Source = Standin | None

KINDS = {
    "Tensor": "tensor",
    "Tensor | None": "tensor?",
    "Operand": "operand",
    "Tensors": "tensors",
    "Number": "scalar",
    "Number | None": "scalar?",
    "Int": "int",
    "Int | None": "int?",
    "Ints": "ints",
    "Ints | None": "ints?",
    "Source": "generator",
}
OPS: dict[str, Op] = {}


@dataclass(frozen=True)
class Parameter:
    """One parameter of an overload; `flags` as in docs/architecture.md."""

    name: str
    kind: str
    default: Any
    flags: str

    @property
    def required(self) -> bool:
        """Whether a call must give it."""
        return self.default is inspect.Parameter.empty

    def accepts(self, value: Any) -> bool:
        """Whether a value met inside a body may be bound to this parameter."""
        if value is None:
            return self.kind.endswith("?") or self.kind in ("static", "generator")
        kind = self.kind.removesuffix("?")
        if kind == "tensor":
            return isinstance(value, Standin)
        if kind == "generator":
            return isinstance(value, Standin)
        if kind in ("operand", "scalar"):
            return isinstance(value, Standin | Dim | int | float | bool)
        if kind == "int":
            return isinstance(value, int | Dim)
        if kind == "tensors":
            return isinstance(value, list | tuple) and all(isinstance(v, Standin) for v in value)
        if kind == "ints":
            return isinstance(value, int | Dim | list | tuple)
        return not isinstance(value, Standin)


@dataclass(eq=False)
class Overload:
    """One signature of an op with its body and gradient."""

    name: str
    body: Callable[..., Any]
    parameters: tuple[Parameter, ...]
    rule: Callable[..., Any] | None = None
    writes: tuple[int, ...] = ()
    explanation: Callable[..., None] | None = None
    result: Any = None  # the named tuple of several results
    grad_name: str | Callable[..., str] | None = None
    samples: list[Callable[..., Any]] = field(default_factory=list)
    reference: str | None = None  # the same function elsewhere: "numpy.exp", "scipy.special.erf"
    view: bool = False  # a result is never the argument itself

    def bind(self, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Any] | None:
        """Arguments in order, or None if they do not fit."""
        parameters = self.parameters
        args = self._gathered(args)
        if len(args) > len(parameters):
            return None
        bound = list(args)
        used = 0
        for i, parameter in enumerate(parameters):
            if i < len(args):
                if "k" in parameter.flags:
                    return None
            elif parameter.name in kwargs:
                bound.append(kwargs[parameter.name])
                used += 1
            elif parameter.required:
                return None
            else:
                bound.append(parameter.default)
            if not parameter.accepts(bound[i]):
                return None
        return bound if used == len(kwargs) else None

    def _gathered(self, args: Sequence[Any]) -> Sequence[Any]:
        """`view(x, 4, 16)` as `view(x, (4, 16))`."""
        first = next((i for i, p in enumerate(self.parameters) if "*" in p.flags), len(args))
        rest = args[first:]
        if rest and not isinstance(rest[0], list | tuple):
            return (*args[:first], tuple(rest))
        return args

    def gradient_title(self, bound: Sequence[Any]) -> str:
        """The name of the graph node behind a result: "AddBackward0"."""
        name = self.grad_name or self.name
        if callable(name):
            name = name(*bound)
        if "Backward" in name:
            return name
        return "".join(part.capitalize() for part in name.strip("_").split("_")) + "Backward0"

    def inline(self, bound: list[Any]) -> Any:
        """Run the body on stand-ins, inside the trace they belong to."""
        if self.rule is None:
            return self._run(*bound)
        pairs = zip(self.parameters, bound, strict=True)
        given = [value for parameter, value in pairs if "o" not in parameter.flags]
        return Trace.current().with_rule(self.name, self.rule, self._run, given)

    def _run(self, *bound: Any) -> Any:
        """The body, keyword-only arguments handed over by name, `out` left out."""
        pairs = [(p, v) for p, v in zip(self.parameters, bound, strict=False) if "o" not in p.flags]
        named = {p.name: v for p, v in pairs if "k" in p.flags}
        return self.body(*(v for p, v in pairs if "k" not in p.flags), **named)

    def compile(self, arguments: list[Any], sizes: Any, ints: Any, words: Any) -> Any:
        """The plan for a call; the core's callback on a miss."""
        return capture.plan_for(self, arguments, sizes, ints)

    def explain(self, arguments: list[Any]) -> None:
        """Raise the error behind a failed check inside a kernel."""
        if self.explanation is not None:
            self.explanation(*arguments)
        raise IndexError(f"{self.name}: an index is out of range; check the index values")

    def for_core(self) -> tuple[Any, ...]:
        """The overload as the core takes it."""
        parameters = tuple((p.name, p.kind, p.default, p.flags) for p in self.parameters)
        return parameters, self.compile, self.explain, self.result


class Op:
    """An operation of the public API: a name and its overloads."""

    def __init__(self, name: str, doc: str | None) -> None:
        self.name, self.__doc__ = name, doc
        self.__name__ = self.__qualname__ = name
        self.overloads: list[Overload] = []
        self.namespaces: tuple[str, ...] = ()
        self.method = False
        self.fallback: Callable[..., Any] | None = None

    @cached_property
    def public(self) -> Any:
        """What users call: the core's op object, or the function of `@function`."""
        if not self.overloads:
            return self.fallback
        core = _C.Op(self.name, [overload.for_core() for overload in self.overloads])
        core.__doc__ = self.__doc__
        return core

    def otherwise(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Set the Python function that serves calls which no overload takes; where it does not take
        them either, it returns `NotImplemented`."""
        self.fallback = self.public.fallback = function
        return function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Inside a body: run this op's body on the stand-ins given. Elsewhere: an ordinary call."""
        if not any(isinstance(x, Standin) for x in _opened((*args, *kwargs.values()))):
            return self.public(*args, **kwargs)
        for overload in self.overloads:
            bound = overload.bind(args, kwargs)
            if bound is not None:
                return overload.inline(bound)
        if not self.overloads:
            raise TraceError(
                f"{self.name}: runs in Python, for the size of its result depends on data; it came "
                "in code that is traced; call it outside"
            )
        raise ArgumentError(
            f"{self.name}: no overload takes these arguments; got {args!r} {kwargs!r}"
        )

    def vjp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Set the gradient rule of the overload defined last, and of its in-place form."""
        for overload in self._last():
            overload.rule = rule
        return rule

    def explain(self, explanation: Callable[..., None]) -> Callable[..., None]:
        """Set the function that raises the error of a failed check, for overloads without one."""
        twin = OPS.get(self.name + "_")
        for overload in [*self.overloads, *(twin.overloads if twin else ())]:
            overload.explanation = overload.explanation or explanation
        return explanation

    def _last(self) -> list[Overload]:
        """The overload defined last, and its in-place form, which has the same body."""
        last = self.overloads[-1]
        twin = OPS.get(self.name + "_")
        twins = twin.overloads[-1:] if twin else []
        return [last, *(overload for overload in twins if overload.body is last.body)]

    def samples(self, make: Callable[..., Any]) -> Callable[..., Any]:
        """Add sample inputs of the last overload, from which tests are generated."""
        self.overloads[-1].samples.append(make)
        return make


def _opened(values: Sequence[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from value
        else:
            yield value


def op(
    *,
    name: str | None = None,
    namespace: str | tuple[str, ...] = "gleed",
    method: bool = False,
    inplace: bool = False,
    out: bool = False,
    varargs: str | None = None,
    writes: Sequence[str] = (),
    result: Any = None,
    grad_name: str | Callable[..., str] | None = None,
    reference: str | None = None,
    view: bool = False,
) -> Callable[[Callable[..., Any]], Op]:
    """Define an op, or one more overload of it, by its body.

    namespace: where the function is found: "gleed", "nn.functional", "special", … or "" for none.
    method: also a method of Tensor. inplace: also `name_`, found where `name` is, which writes to
    the first argument.
    out: takes `out=`. varargs: the parameter that may be spelt out (`view(4, 16)`).
    writes: parameters that the op overwrites with its results, in order.
    grad_name: what the graph node of a result is called, or a function of the arguments that says
    it. result: a named tuple for several results. reference: the same function in another library.
    view: a result that would be an argument itself is a view of all of it instead.
    """

    def define(body: Callable[..., Any]) -> Op:
        _require_text(body)
        public_name = name or body.__name__.removesuffix("_op")
        parameters = _parameters(body, varargs, out)
        overload = Overload(
            public_name, body, parameters, result=result, grad_name=grad_name, reference=reference
        )
        overload.writes = tuple(i for i, p in enumerate(parameters) if p.name in writes)
        overload.view = view
        record = _add(public_name, overload, body.__doc__, namespace, method)
        if inplace:
            plain = tuple(p for p in parameters if "o" not in p.flags)
            changed = Overload(
                public_name + "_", body, plain, writes=(0,), grad_name=grad_name or public_name
            )
            doc = f"In-place version of `{public_name}`; returns the tensor itself."
            _add(public_name + "_", changed, doc, namespace, method)
        return record

    return define


def function(
    *, namespace: str | tuple[str, ...] = "gleed", method: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Define an op by a Python function over tensors and other ops, not by a body: for results
    whose size depends on data. `namespace` and `method` as for `op`.
    """

    def define(body: Callable[..., Any]) -> Callable[..., Any]:
        _named(body.__name__, body.__doc__, namespace, method).fallback = body
        return body

    return define


def _require_text(body: Callable[..., Any]) -> None:
    """Raise unless the annotations are text: evaluated ones would make every parameter static."""
    for parameter, annotation in body.__annotations__.items():
        if not isinstance(annotation, str):
            raise TypeError(
                f"op {body.__name__}: the annotations of a body must be text; {parameter!r} has "
                f"{annotation!r}; begin {body.__module__} with 'from __future__ import annotations'"
            )


def _add(
    name: str, overload: Overload, doc: str | None, namespace: str | tuple[str, ...], method: bool
) -> Op:
    record = _named(name, doc, namespace, method)
    record.overloads.append(overload)
    return record


def _named(name: str, doc: str | None, namespace: str | tuple[str, ...], method: bool) -> Op:
    record = OPS.get(name)
    if record is None:
        record = OPS[name] = Op(name, doc)
        Standin.methods[name] = record
    record.method = record.method or method
    spaces = (namespace,) if isinstance(namespace, str) else namespace
    record.namespaces = tuple(dict.fromkeys((*record.namespaces, *filter(None, spaces))))
    return record


def _parameters(body: Callable[..., Any], varargs: str | None, out: bool) -> tuple[Parameter, ...]:
    """The parameters that a body's signature declares."""
    code, options = body.__code__, body.__kwdefaults__ or {}
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    given = body.__defaults__ or ()
    defaults = dict(zip(names[code.co_argcount - len(given) :], given, strict=False)) | options
    found = []
    # Read by hand, for `inspect.signature` would take a good part of the time of `import gleed`.
    for i, name in enumerate(names):
        kind = KINDS.get(body.__annotations__.get(name, ""), "static")
        flags = "k" if i >= code.co_argcount else ""
        flags += "*" if name == varargs else ""
        plain = name.removesuffix("_")
        public = plain if keyword.iskeyword(plain) else name  # `from_` for PyTorch's `from`
        default = defaults.get(name, inspect.Parameter.empty)
        found.append(Parameter(public, kind, default, flags))
    if out:
        found.append(Parameter("out", "tensor?", None, "ko"))
    return tuple(found)
