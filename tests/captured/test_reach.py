"""Python state behind callables, containers and objects: programs know when it changes."""

from __future__ import annotations

import argparse
import array
import collections
import contextvars
import dataclasses
import functools
import itertools
import operator
import threading
import types
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.captured.changes import Case, Make, check_captured_again, collector

import gleed
from gleed.errors import TraceError

CASES: list[Make] = []
case = collector(CASES)


class Scale:
    def __init__(self, scale: float = 2.0) -> None:
        self.scale = scale

    def by(self, x: Any) -> Any:
        return x * self.scale

    def amount(self) -> float:
        return self.scale


@case
def a_partial_of_a_function() -> Case:
    table = {"s": 2.0}
    return functools.partial(lambda t, x: x * t["s"], table), lambda: table.update(s=3.0)


@case
def a_function_in_a_partial() -> Case:
    s = [2.0]
    p = functools.partial(lambda k, x: x * s[0] * k, 1.0)
    return lambda x: p(x), lambda: s.__setitem__(0, 3.0)


@case
def an_object_in_a_partial() -> Case:
    c = Scale()
    p = functools.partial(lambda x, c: x * c.scale, c=c)
    return lambda x: p(x), lambda: setattr(c, "scale", 3.0)


@case
def the_keywords_of_a_partial() -> Case:
    p = functools.partial(lambda x, k: x * k, k=2.0)
    return lambda x: p(x), lambda: p.keywords.update(k=3.0)


@case
def a_method_in_a_partial() -> Case:
    c = Scale()
    p = functools.partial(functools.partial(c.by))
    return lambda x: p(x), lambda: setattr(c, "scale", 3.0)


@case
def a_partial_method() -> Case:
    class C(Scale):
        def times(self, k: float, x: Any) -> Any:
            return x * self.scale * k

        once = functools.partialmethod(times, 1.0)

    c = C()
    return lambda x: c.once(x), lambda: setattr(c, "scale", 3.0)


@case
def an_object_that_is_called() -> Case:
    class C(Scale):
        def __call__(self, x: Any) -> Any:
            return self.by(x)

    c = C()
    return c, lambda: setattr(c, "scale", 3.0)


@case
def a_field_that_is_called() -> Case:
    class C(Scale):
        def __call__(self, x: Any) -> Any:
            return self.by(x)

    @dataclasses.dataclass
    class Data:
        fn: Any

    data = Data(C())
    return lambda x: data.fn(x), lambda: setattr(data.fn, "scale", 3.0)


@case
def a_dataclass_with_slots() -> Case:
    @dataclasses.dataclass(slots=True)
    class Data:
        scale: float = 2.0

        def by(self, x: Any) -> Any:
            return x * self.scale

    data = Data()
    return lambda x: data.by(x), lambda: setattr(data, "scale", 3.0)


@case
def an_index() -> Case:
    class C(Scale):
        def __getitem__(self, i: int) -> float:
            return i * self.scale

    c = C()
    return lambda x: x * c[1], lambda: setattr(c, "scale", 3.0)


@case
def an_operator() -> Case:
    class C(Scale):
        def __mul__(self, x: Any) -> Any:
            return self.by(x)

    c = C()
    return lambda x: c * x, lambda: setattr(c, "scale", 3.0)


@case
def a_context() -> Case:
    class C(Scale):
        def __enter__(self) -> float:
            return self.scale

        def __exit__(self, *error: object) -> None:
            pass

    c = C()

    def f(x: Any) -> Any:
        with c as s:
            return x * s

    return f, lambda: setattr(c, "scale", 3.0)


@case
def an_object_that_is_made() -> Case:
    settings = {"s": 2.0}

    class C:
        def __init__(self) -> None:
            self.k = settings["s"]

    return lambda x: x * C().k, lambda: settings.update(s=3.0)


@case
def a_cached_property() -> Case:
    class C(Scale):
        @functools.cached_property
        def twice(self) -> float:
            return self.scale * 2

    c = C()
    return lambda x: x * c.twice, lambda: (setattr(c, "scale", 3.0), c.__dict__.pop("twice"))


@case
def a_cached_function() -> Case:
    d = {"s": 2.0}
    s = functools.lru_cache(lambda: d["s"])
    return lambda x: x * s(), lambda: (d.update(s=3.0), s.cache_clear())


@case
def a_namespace() -> Case:
    n = types.SimpleNamespace(s=2.0)
    return lambda x: x * n.s, lambda: setattr(n, "s", 3.0)


@case
def arguments_of_a_command() -> Case:
    n = argparse.Namespace(rate=2.0)
    return lambda x: x * n.rate, lambda: setattr(n, "rate", 3.0)


@case
def a_method_of_a_dict() -> Case:
    table = {"s": 2.0}
    get = table.get
    return lambda x: x * get("s"), lambda: table.update(s=3.0)


@case
def getters() -> Case:
    c = Scale()
    c.inner = Scale(1.0)
    one, two = operator.attrgetter("inner.scale"), operator.methodcaller("amount")
    return lambda x: x * one(c) * two(c), lambda: setattr(c.inner, "scale", 3.0)


@case
def a_deque() -> Case:
    q = collections.deque([2.0])
    return lambda x: x * q[0], lambda: q.append(q.pop() + 1)


@case
def views_of_a_dict() -> Case:
    d = {"s": 2.0}
    m, v = types.MappingProxyType(d), d.values()
    return lambda x: x * m["s"] * sum(v), lambda: d.update(s=3.0)


@case
def dicts_in_a_chain() -> Case:
    a = {"s": 2.0}
    c = collections.ChainMap({}, a)
    return lambda x: x * c["s"], lambda: a.update(s=3.0)


@case
def a_dict_of_a_user() -> Case:
    c = collections.UserDict(s=2.0)
    return lambda x: x * c["s"], lambda: c.update(s=3.0)


@case
def a_weak_reference() -> Case:
    c = Scale()
    r = weakref.ref(c)
    return lambda x: r().by(x), lambda: setattr(c, "scale", 3.0)


@case
def variables_of_a_thread() -> Case:
    local = threading.local()
    local.s = 2.0
    return lambda x: x * local.s, lambda: setattr(local, "s", 3.0)


@case
def a_context_variable() -> Case:
    v = contextvars.ContextVar("v", default=2.0)
    return lambda x: x * v.get(), lambda: v.set(3.0)


@case
def an_array() -> Case:
    numbers = array.array("d", [2.0])
    return lambda x: x * numbers[0], lambda: numbers.__setitem__(0, 3.0)


@case
def an_array_of_numpy() -> Case:
    a = np.array([2.0, 1.0], dtype="float32")
    return lambda x: x * float(a[0]) + gleed.from_numpy(a), lambda: a.__setitem__(0, 3.0)


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_what_has_changed_is_captured_again(make: Make) -> None:
    check_captured_again(make)


@pytest.mark.parametrize(
    "make",
    [
        lambda: iter([2.0, 3.0, 4.0]),
        lambda: itertools.count(2),
        lambda: (k for k in range(2, 9)),
        lambda: map(float, range(2, 9)),
    ],
)
def test_iterators_are_not_followed(make: Callable[[], Any]) -> None:
    numbers = make()
    with pytest.raises(
        TraceError, match="must not go on with an iterator that was there before; it reaches a "
    ):
        gleed.compile(lambda x: x * next(numbers), fullgraph=True)(gleed.ones(2))
    numbers = make()
    compiled = gleed.compile(lambda x: x * next(numbers))
    with pytest.warns(UserWarning, match="pass what it gives as an argument"):
        found = [compiled(gleed.tensor(1.0)).item() for _ in range(3)]
    assert found == [2.0, 3.0, 4.0]


def test_large_arrays_are_not_followed() -> None:
    a = np.ones((200, 100))
    with pytest.raises(
        TraceError,
        match=r"must not reach NumPy arrays of more than 65,536 bytes; it reaches one of shape "
        r"\(200, 100\); .*; make a tensor of it, or pass it as one",
    ):
        gleed.compile(lambda x: x * a[0, 0], fullgraph=True)(gleed.ones(2))


def test_what_makes_an_object_is_not_reached_by_using_it() -> None:
    class Trainer:
        def __init__(self) -> None:
            self.history: list[float] = []
            self.rate = 2.0

        def step(self, x: Any) -> Any:
            return x * self.rate

    trainer = Trainer()
    compiled = gleed.compile(trainer.step)
    for i in range(4):
        compiled(gleed.ones(2))
        trainer.history.append(float(i))
    assert compiled.report().startswith(compiled.report().split(":")[0] + ": 1 program\n")
