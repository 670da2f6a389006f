"""Numbers that a capture follows: sizes and arguments that may be others at a later call.

While a function is captured its Python code gets these in place of such numbers. They say that they
are `int` or `float`, and operations take them for what they are. Sizes compute with sizes, and how
they compare becomes a condition of the program. Floats are computed of numbers with `+ - * /`, also
of sizes. Whatever else looks at the value *fixes* it: the program is for this value only.

They do not derive from `int`: code written in C would read an int without asking it.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, Protocol

from gleed import _C
from gleed._C import Tensor
from gleed.lazy import lazy

numpy: Any = lazy("numpy")
Operation = Callable[..., Any]
_LARGEST = 1 << 40  # larger products of sizes are not followed, lest they overflow
_EXACT = 1 << 53  # whole numbers up to here are floats, too


class Follower(Protocol):
    """Who follows numbers. `live`: whether it does; afterwards they are numbers as any other."""

    live: bool
    scope: Any  # of the sizes

    def fix(self, number: FollowedNumber) -> None:
        """The value of a number is about to be seen."""

    def size(self, size: Any) -> Any:
        """A size of the scope as Python gets it: an int, or a `FollowedSize`."""


def stop_capture(rule: str, fix: str) -> None:
    """Give up what is captured at present, if anything is: Python does what cannot be followed."""
    follower = _C.set_recorder(None)
    if follower is not None:
        follower.stop(rule, fix)


class FollowedNumber:
    """A number: `hint` in the call that is captured; `symbol` says to the follower what it is."""

    __slots__ = ("follower", "hint", "symbol")

    def __init__(self, hint: Any, symbol: Any, follower: Follower) -> None:
        self.hint, self.symbol, self.follower = hint, symbol, follower

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self.hint)

    def fixed(self) -> Any:
        """The plain number, which it is to be in every call."""
        if self.follower.live:
            self.follower.fix(self)
        return self.hint

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or not hasattr(self.hint, name):
            raise AttributeError(f"{type(self.hint).__name__!r} object has no attribute {name!r}")
        return getattr(self.fixed(), name)

    def __reduce__(self) -> Any:
        return type(self.hint), (self.fixed(),)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return numpy.asarray(self.fixed(), dtype)


class Computed:
    """What a float is computed as: an operation on numbers, of which some are followed; it has the
    name of a primitive."""

    __slots__ = ("args", "op")

    def __init__(self, op: str, *args: Any) -> None:
        self.op, self.args = op, args


class FollowedFloat(FollowedNumber):
    """A float: an argument, or one that is `Computed`."""

    __slots__ = ()

    def __neg__(self) -> Any:
        if not self.follower.live:
            return -self.hint
        return FollowedFloat(-self.hint, Computed("neg", self), self.follower)


class FollowedInt(FollowedNumber):
    """A whole number."""

    __slots__ = ()

    def __index__(self) -> int:
        return int(self.fixed())


class FollowedSize(FollowedInt):
    """A size; `symbol` is its expression in the follower's scope."""

    __slots__ = ()

    __rsub__: Operation
    __ne__: Operation

    def __neg__(self) -> Any:
        return self.__rsub__(0)

    def __bool__(self) -> bool:
        return bool(self.__ne__(0))


def fixed(value: Any) -> Any:
    """A value with plain numbers in it, itself or in lists and tuples."""
    if isinstance(value, list | tuple) and any(map(_holds_followed, value)):
        items = map(fixed, value)
        return [*items] if isinstance(value, list) else tuple(items)
    return value.fixed() if is_followed(value) else value


def is_followed(value: Any) -> bool:
    """Whether a value is a number that a capture follows."""
    return issubclass(type(value), FollowedNumber)


def _holds_followed(value: Any) -> bool:
    many = isinstance(value, list | tuple)
    return any(map(_holds_followed, value)) if many else is_followed(value)


# ---- what fixes numbers
def _fixing(operation: Operation) -> Operation:
    """An operation on numbers that sees their values."""

    def method(self: FollowedNumber, *others: Any) -> Any:
        if any(isinstance(other, Tensor) for other in others):
            return NotImplemented  # an operation of tensors, which follows numbers
        return operation(self.fixed(), *map(fixed, others))

    return method


def _comparing(operation: Operation) -> Operation:
    """Equality, which says no to what is no number without a look at the value."""
    fixing = _fixing(operation)

    def method(self: FollowedNumber, other: Any) -> Any:
        return fixing(self, other) if isinstance(other, int | float | complex) else NotImplemented

    return method


def _reflected(operation: Operation) -> Operation:
    return lambda self, other: operation(other, self)


_UNARY: dict[str, Operation] = {
    "__abs__": abs,
    "__bool__": bool,
    "__ceil__": math.ceil,
    "__complex__": complex,
    "__float__": float,
    "__floor__": math.floor,
    "__hash__": hash,
    "__int__": int,
    "__neg__": operator.neg,
    "__pos__": operator.pos,
    "__repr__": repr,
    "__str__": str,
    "__trunc__": math.trunc,
    "__format__": format,
    "__round__": round,
}
_BINARY: dict[str, Operation] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "truediv": operator.truediv,
    "pow": pow,
    "divmod": divmod,
}
_BITS: dict[str, Operation] = {
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "lshift": operator.lshift,
    "rshift": operator.rshift,
}
_ORDER = {f"__{name}__": getattr(operator, name) for name in ("lt", "le", "gt", "ge")}


def _two_sided(operations: dict[str, Operation]) -> dict[str, Operation]:
    reflected = {f"__r{name}__": _reflected(made) for name, made in operations.items()}
    return {f"__{name}__": made for name, made in operations.items()} | reflected


for _name, _made in (_UNARY | _two_sided(_BINARY) | _ORDER).items():
    setattr(FollowedNumber, _name, _fixing(_made))
for _name, _made in {"__eq__": operator.eq, "__ne__": operator.ne}.items():
    setattr(FollowedNumber, _name, _comparing(_made))
for _name, _made in ({"__invert__": operator.invert} | _two_sided(_BITS)).items():
    setattr(FollowedInt, _name, _fixing(_made))


# ---- floats that are computed
_PRIMITIVES = {"add": "add", "sub": "sub", "mul": "mul", "truediv": "div"}


def _computing(name: str, operation: Operation, swapped: bool) -> Operation:
    """An operation that is followed where its result is a float."""
    fixing = _fixing(_reflected(operation) if swapped else operation)

    def method(self: FollowedNumber, other: Any) -> Any:
        a, b = (other, self) if swapped else (self, other)
        if not (_is_number(other, self.follower) and _is_float(name, a, b)):
            return fixing(self, other)
        result = operation(*(x.hint if is_followed(x) else x for x in (a, b)))
        return FollowedFloat(result, Computed(_PRIMITIVES[name], a, b), self.follower)

    return method


def _is_number(other: Any, follower: Follower) -> bool:
    """Whether a number that is followed can be computed with another value, and followed on."""
    known = other.follower is follower if is_followed(other) else type(other) in (int, float)
    return known and follower.live


def _is_float(name: str, a: Any, b: Any) -> bool:
    """Whether an operation gives the float that the same of floats is, and never an error."""
    if name != "truediv":
        return isinstance(a, float) or isinstance(b, float)
    if isinstance(a, int) and isinstance(b, int) and not (_is_exact(a) and _is_exact(b)):
        return False
    if type(b) is FollowedSize:
        return not b.follower.scope.equal(b.symbol, 0)
    return not is_followed(b) and b != 0


def _is_exact(number: Any) -> bool:
    return type(number) is FollowedSize or (type(number) is int and abs(number) <= _EXACT)


for _name in _PRIMITIVES:
    setattr(FollowedNumber, f"__{_name}__", _computing(_name, _BINARY[_name], False))
    setattr(FollowedNumber, f"__r{_name}__", _computing(_name, _BINARY[_name], True))


# ---- what sizes do
def _following(fixing: Operation, follow: Callable[[Any, Any, Any], Any]) -> Operation:
    """A method of sizes: `follow(follower, a, b)` where both are sizes; None there: fix them."""

    def method(self: FollowedSize, other: Any) -> Any:
        symbol = _symbol(self.follower, other)
        found = None if symbol is None else follow(self.follower, self.symbol, symbol)
        return fixing(self, other) if found is None else found

    return method


def _symbol(follower: Follower, other: Any) -> Any:
    """A number as a size of the follower's scope; None if it is none."""
    if not follower.live:
        return None
    if type(other) is FollowedSize:
        return other.symbol if other.follower is follower else None
    return int(other) if type(other) in (int, bool) else None


def _arithmetic(name: str) -> Callable[[Any, Any, Any], Any]:
    def follow(follower: Follower, a: Any, b: Any) -> Any:
        if name in ("floordiv", "mod") and follower.scope.equal(b, 0):
            return None  # which is Python's to raise
        made = follower.size(follower.scope.combine(name, a, b))
        return made if abs(getattr(made, "hint", made)) <= _LARGEST else None

    return follow


def _swapped(follow: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    return lambda follower, a, b: follow(follower, b, a)


_SIZES = {f"__{name}__": _arithmetic(name) for name in ("add", "sub", "mul", "floordiv", "mod")}
_SIZES |= {f"__r{name[2:]}": _swapped(follow) for name, follow in _SIZES.items()}
_SIZES |= {
    "__eq__": lambda follower, a, b: follower.scope.equal(a, b),
    "__ne__": lambda follower, a, b: not follower.scope.equal(a, b),
    "__lt__": lambda follower, a, b: follower.scope.less(a, b),
    "__ge__": lambda follower, a, b: not follower.scope.less(a, b),
    "__gt__": lambda follower, a, b: follower.scope.less(b, a),
    "__le__": lambda follower, a, b: not follower.scope.less(b, a),
}
for _name, _follow in _SIZES.items():
    setattr(FollowedSize, _name, _following(getattr(FollowedNumber, _name), _follow))
FollowedSize.__hash__ = FollowedNumber.__hash__  # type: ignore[method-assign]

_C.set_number_type(FollowedNumber)
