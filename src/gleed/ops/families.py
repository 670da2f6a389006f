"""Shorthands for kinds of ops, and the sample inputs that come with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gleed.ops.record import Op, op

# Shapes with which the generated tests call pointwise ops.
SHAPES = ((), (5,), (3, 4), (0, 3), (2, 1, 7))


def unary(
    *, domain: tuple[float, float] = (-3.0, 3.0), reference: str | None = None, **options: Any
) -> Callable[[Callable[..., Any]], Op]:
    """A pointwise op of one tensor: function, method, in-place and `out=` forms, and samples drawn
    from `domain`, where it is smooth."""

    def define(body: Callable[..., Any]) -> Op:
        settings = {"method": True, "inplace": True, "out": True, **options}
        record = op(reference=reference, **settings)(body)

        @record.samples
        def _(make: Any) -> Any:
            for shape in SHAPES:
                yield make.call(make.tensor(shape, domain))

        return record

    return define


def binary(
    *,
    domain: tuple[float, float] = (-3.0, 3.0),
    other: tuple[float, float] | None = None,
    reference: str | None = None,
    **options: Any,
) -> Callable[[Callable[..., Any]], Op]:
    """A pointwise op of two operands that broadcast; samples from `domain` and `other`."""

    def define(body: Callable[..., Any]) -> Op:
        settings = {"method": True, "inplace": True, "out": True, **options}
        record = op(reference=reference, **settings)(body)
        pairs = [((5,), (5,)), ((3, 4), (4,)), ((2, 1), (1, 3)), ((), (3,)), ((0, 2), (1,))]

        @record.samples
        def _(make: Any) -> Any:
            for a, b in pairs:
                yield make.call(make.tensor(a, domain), make.tensor(b, other or domain))
            if record.overloads[0].parameters[1].kind == "operand":
                yield make.call(make.tensor((3,), domain), make.number(other or domain))

        return record

    return define
