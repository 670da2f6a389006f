"""What a primitive is: its type rule, how the scheduler treats it, its scalar code, its gradient,
and what it is over a batch.

A primitive is called on stand-ins (`gleed.trace.Standin`) and adds a node to their trace. Gradient
rules are functions `rule(g, y, *inputs, **attrs)` from the cotangent, the result and the inputs to
one cotangent per input (or `None`); they are ordinary code on stand-ins.

Batching rules are functions `rule(primitive, batch, *inputs, **attrs)`. Of the inputs, those that
are mapped have one axis more, the first; the results, which are what the primitive gives for each
place of that axis, all have it. A rule is called where something is mapped, and for random draws
in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gleed.compiler.dims import Size
from gleed.compiler.graph import Shape, Value
from gleed.compiler.kernel import Node as KernelNode
from gleed.compiler.kernel import is_float

Types = list[tuple[str, Shape]]
PRIMITIVES: dict[str, Primitive] = {}


@dataclass(frozen=True)
class Batch:
    """What a batching rule is told: the trace, how many examples there are, which inputs have an
    axis for them, and whether random draws are "different" for each or the "same"."""

    trace: Any
    size: Size
    mapped: tuple[bool, ...]
    randomness: str = "different"

    def whole(self, inputs: Sequence[Any]) -> tuple[Any, ...]:
        """All inputs with an axis for the examples; what is the same for all is repeated."""
        return tuple(
            x if mapped else self.repeated(x) for x, mapped in zip(inputs, self.mapped, strict=True)
        )

    def of(self, *numbers: int) -> Batch:
        """What it is for some of the inputs."""
        return replace(self, mapped=tuple(self.mapped[i] for i in numbers))

    def repeated(self, x: Any) -> Any:
        """What is the same for all examples, for each of them."""
        axes = tuple(range(1, x.ndim + 1))
        return PRIMITIVES["broadcast"](x, shape=(self.size, *x.shape), axes=axes)


def of_wholes(primitive: Primitive, batch: Batch, *inputs: Any, **attrs: Any) -> Any:
    """The batching rule of primitives that treat elements alike."""
    return primitive(*batch.whole(inputs), **attrs)


def along(*names: str) -> Callable[..., Any]:
    """The batching rule of primitives that work along the axes that attributes name."""

    def rule(primitive: Primitive, batch: Batch, *inputs: Any, **attrs: Any) -> Any:
        moved = {name: attrs[name] + 1 for name in names}
        return primitive(*batch.whole(inputs), **(attrs | moved))

    return rule


def shifted(axes: Sequence[int]) -> tuple[int, ...]:
    """Axes of an example as axes of a batch."""
    return tuple(axis + 1 for axis in axes)


@dataclass(frozen=True, eq=False)
class Primitive:
    """One operation of the graph IR.

    kind: "pointwise" (scalar code in `kernel`), "reduce", "scan", "broadcast", "permute",
    "reshape", "movement" (a view, by `movement`), "compact", "insert", "concat", "gather",
    "scatter", "iota" or "library" (a routine of the core).
    attributes: what the kind needs besides; "inner": the graphs inside a node; "needed": how many
    results a routine makes in any case.
    """

    name: str
    kind: str
    type: Callable[..., Types]
    kernel: Callable[..., KernelNode] | None = None
    vjp: Callable[..., Any] | None = None
    batch: Callable[..., Any] | None = None
    pure: bool = True
    attributes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name in PRIMITIVES:
            raise ValueError(f"primitive {self.name}: defined twice")
        PRIMITIVES[self.name] = self

    def __call__(self, *inputs: Any, **attrs: Any) -> Any:
        """Add the primitive to the trace of its inputs."""
        return inputs[0].trace.emit(self, inputs, attrs)

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"


class IRError(Exception):
    """A graph that breaks a rule of the IR: a fault of an op's body, never of user input."""


class FloatNeededError(Exception):
    """A function of real numbers met integers or bool: what an op's body makes of such input."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype


def require_float(value: Value) -> None:
    """Raise `FloatNeededError` unless the value is floating point."""
    if not is_float(value.dtype):
        raise FloatNeededError(value.dtype)


def require(condition: bool, primitive: str, rule: str, values: Sequence[Value]) -> None:
    """Raise `IRError` naming the primitive, the rule and the operand types unless it holds."""
    if not condition:
        raise IRError(f"{primitive}: {rule}; got {', '.join(map(repr, values))}")


def same_shape(a: Shape, b: Shape) -> bool:
    """Whether two shapes are equal (decided, and remembered, where sizes are symbols)."""
    return len(a) == len(b) and all(x is y or x == y for x, y in zip(a, b, strict=True))
