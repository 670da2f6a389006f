"""Symbolic sizes: integers that are known only when a plan is bound.

A `Dim` is an expression over symbols (sizes of arguments, integer arguments). It behaves as the
integer that the traced call has (its *hint*), and every decision taken from it is remembered in its
`Scope` as a guard, so that a plan made from the trace is used only where the same decisions hold.

>>> scope = Scope()
>>> n = scope.symbol(("size", 0, 0), hint=8)
>>> 2 * n + 0 is 2 * n
True
>>> n > 4, scope.guards
(True, [('lt', 4, size(0, 0))])
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

Expression = tuple[Any, ...]
Operator = Callable[[Any, Any], Any]


def _arithmetic(op: str) -> tuple[Operator, Operator]:
    """The operator and its reflection."""

    def combine(self: Dim, other: Size) -> Size:
        if not isinstance(other, Dim | int):
            return NotImplemented
        return self.scope.combine(op, self, other)

    def reflected(self: Dim, other: Size) -> Size:
        if not isinstance(other, Dim | int):
            return NotImplemented
        return self.scope.combine(op, other, self)

    return combine, reflected


class Dim:
    """One interned expression of a scope. Arithmetic gives a `Dim`, or an `int` when it folds."""

    __slots__ = ("args", "hint", "op", "scope")

    def __init__(self, scope: Scope, op: str, args: Expression, hint: int) -> None:
        self.scope, self.op, self.args, self.hint = scope, op, args, hint

    def __repr__(self) -> str:
        return f"{self.op}({', '.join(map(repr, self.args))})"

    __hash__ = object.__hash__

    def __neg__(self) -> Size:
        return 0 - self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Dim | int):
            return NotImplemented
        return self.scope.equal(self, other)

    def __lt__(self, other: Size) -> bool:
        if not isinstance(other, Dim | int):
            return NotImplemented
        return self.scope.less(self, other)

    def __gt__(self, other: Size) -> bool:
        return self.scope.less(other, self)

    def __le__(self, other: Size) -> bool:
        return not self.scope.less(other, self)

    def __ge__(self, other: Size) -> bool:
        return not self.scope.less(self, other)

    def __bool__(self) -> bool:
        return not self.scope.equal(self, 0)

    def __index__(self) -> int:
        """Using a size as a plain integer fixes it: the plan is for this value only."""
        self.scope.equal(self, self.hint)
        return self.hint

    __int__ = __index__
    __add__, __radd__ = _arithmetic("add")
    __sub__, __rsub__ = _arithmetic("sub")
    __mul__, __rmul__ = _arithmetic("mul")
    __floordiv__, __rfloordiv__ = _arithmetic("floordiv")
    __mod__, __rmod__ = _arithmetic("mod")


Size = int | Dim
OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "floordiv": lambda a, b: a // b if b else 0,
    "mod": lambda a, b: a % b if b else 0,
    "min": min,
    "max": max,
}


_STRIDE = 1 << 20  # the weight of a stride, beside which that of any expression of sizes is small

# How two sizes can be said to compare; of symbols this decides it, as the traced call has it.
RELATIONS: dict[str, Callable[[Size, Size], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
}


def hint(size: Size) -> int:
    """The value that a size has in the call that is being traced."""
    return size.hint if isinstance(size, Dim) else size


def minimum(a: Size, b: Size) -> Size:
    """The smaller size, without deciding which it is."""
    return _scope(a, b).combine("min", a, b) if _symbolic(a, b) else min(hint(a), hint(b))


def maximum(a: Size, b: Size) -> Size:
    """The greater size, without deciding which it is."""
    return _scope(a, b).combine("max", a, b) if _symbolic(a, b) else max(hint(a), hint(b))


def translate(size: Size, known: Callable[[Dim], Size | None]) -> Size:
    """A size of one scope in another, where some are `known`, all symbols among them."""
    if not isinstance(size, Dim):
        return size
    found = known(size)
    if found is not None:
        return found
    a, b = (translate(arg, known) for arg in size.args)
    if _symbolic(a, b):
        return _scope(a, b).combine(size.op, a, b)
    return OPERATIONS[size.op](hint(a), hint(b))


def product(sizes: tuple[Size, ...]) -> Size:
    """The number of elements of a shape."""
    result: Size = 1
    for size in sizes:
        result = result * size
    return result


def _symbolic(a: Size, b: Size) -> bool:
    return isinstance(a, Dim) or isinstance(b, Dim)


def _scope(a: Size, b: Size) -> Scope:
    return (a if isinstance(a, Dim) else b).scope  # type: ignore[union-attr]


class Scope:
    """The symbols of one trace, the decisions taken on them, and the equalities these imply."""

    def __init__(self) -> None:
        self.guards: list[tuple[str, Size, Size]] = []
        self.kept: dict[object, Any] = {}  # what others have found out for sizes of it
        self._interned: dict[Expression, Dim] = {}
        self._replaced: dict[Dim, Size] = {}
        self._decided: dict[tuple[str, int, int], bool] = {}

    def symbol(self, key: Expression, hint: int) -> Dim:
        """The symbol that the plan finds under `key`: ("size", tensor, axis) or ("int", k)."""
        op, *args = key
        return self._intern(str(op), tuple(args), hint)

    def symbols(self) -> list[Dim]:
        """All symbols, in the order in which they came up."""
        return [dim for dim in self._interned.values() if dim.op not in OPERATIONS]

    def known(self, key: Expression) -> Size | None:
        """What the symbol under `key` is by the decisions taken so far; None if there is none."""
        op, *args = key
        dim = self._interned.get((op, *(("const", arg) for arg in args)))
        return None if dim is None else self.resolve(dim)

    def _intern(self, op: str, args: Expression, hint: int) -> Dim:
        key = (op, *(id(a) if isinstance(a, Dim) else ("const", a) for a in args))
        dim = self._interned.get(key)
        if dim is None:
            dim = self._interned[key] = Dim(self, op, args, hint)
        return dim

    def expression(self, op: str, a: Size, b: Size) -> Dim:
        """The size `op(a, b)` as it is, not simplified."""
        return self._intern(op, (a, b), OPERATIONS[op](hint(a), hint(b)))

    def resolve(self, size: Size) -> Size:
        """The simplest size that is equal to `size` by the decisions taken so far."""
        if not isinstance(size, Dim):
            return size
        if size in self._replaced:
            # Later decisions may have made the other size this very one.
            target = self.resolve(self._replaced.pop(size))
            if target is not size:
                self._replaced[size] = target
            return target
        if size.op in OPERATIONS:
            a, b = (self.resolve(arg) for arg in size.args)
            if a is not size.args[0] or b is not size.args[1]:
                return self.combine(size.op, a, b)
        return size

    def combine(self, op: str, a: Size, b: Size) -> Size:
        """The size `op(a, b)`, simplified."""
        a, b = self.resolve(a), self.resolve(b)
        value = OPERATIONS[op](hint(a), hint(b))
        if not _symbolic(a, b):
            return value
        simple = _simplify(op, a, b)
        if simple is not None:
            return simple
        if op in ("add", "mul", "min", "max") and not isinstance(b, Dim):
            a, b = b, a  # constants first, so that equal sums are one object
        return self._intern(op, (a, b), value)

    def equal(self, a: Size, b: Size) -> bool:
        """Decide `a == b` as the traced call has it, and remember the decision."""
        a, b = self.resolve(a), self.resolve(b)
        if a is b or not _symbolic(a, b):
            return a is b or hint(a) == hint(b)
        if not isinstance(b, Dim):
            a, b = b, a  # constants first, so that equal decisions are one
        same = hint(a) == hint(b)
        if self._remember("eq" if same else "ne", a, b) and same:
            keep, drop = (a, b) if _weight(a) <= _weight(b) else (b, a)
            self._replaced[drop] = keep  # type: ignore[index]
        return same

    def less(self, a: Size, b: Size) -> bool:
        """Decide `a < b` as the traced call has it, and remember the decision."""
        a, b = self.resolve(a), self.resolve(b)
        if a is b or not _symbolic(a, b):
            return hint(a) < hint(b)
        if hint(a) < hint(b):
            self._remember("lt", a, b)
            return True
        self._remember("le", b, a)
        return False

    def _remember(self, relation: str, a: Size, b: Size) -> bool:
        """Add a guard; whether it is new."""
        key = (relation, _key(a), _key(b))
        if key in self._decided:
            return False
        self._decided[key] = True
        self.guards.append((relation, a, b))
        return True


def _key(size: Size) -> int:
    return id(size) if isinstance(size, Dim) else ~size


def _weight(size: Size) -> int:
    """How complicated a size is; an expression is heavier than any part of it, and a stride heavier
    than what equals it: a backward knows the sizes of what it was called with, but no strides."""
    if not isinstance(size, Dim):
        return 0
    if size.op in OPERATIONS:
        return 1 + sum(_weight(arg) for arg in size.args)
    return _STRIDE if size.op == "stride" else 1


def _simplify(op: str, a: Size, b: Size) -> Size | None:
    """The size that `op(a, b)` trivially is, or None."""
    if op == "add":
        for x, y in ((a, b), (b, a)):
            if _is(x, 0):
                return y
            if isinstance(x, Dim) and x.op == "sub" and x.args[1] is y:
                return x.args[0]
        return None
    if op == "sub":
        return 0 if a is b else a if _is(b, 0) else None
    if op == "mul":
        for x, y in ((a, b), (b, a)):
            if _is(x, 0) or _is(x, 1):
                return y if x else 0
        return None
    if op == "floordiv":
        return a if _is(b, 1) else _quotient(a, b)
    if op == "mod":
        return 0 if _is(b, 1) or _quotient(a, b) is not None else None
    return a if a is b else None


def _quotient(a: Size, b: Size) -> Size | None:
    """a / b, if b is a factor of the product a."""
    if a is b:
        return 1
    if isinstance(a, Dim) and a.op == "mul":
        for part, rest in (a.args, a.args[::-1]):
            found = _quotient(part, b)
            if found is not None:
                return found * rest
    return None


def _is(size: Size, value: int) -> bool:
    return not isinstance(size, Dim) and size == value


def identity(size: Size) -> tuple[bool, int]:
    """What is the same for sizes that are known to be equal, by what is decided already."""
    if not isinstance(size, Dim):
        return False, size
    size = size.scope.resolve(size)
    return (True, id(size)) if isinstance(size, Dim) else (False, size)
