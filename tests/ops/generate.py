"""Calls of every op, drawn from the samples of its record.

A sample is kept as a recipe: which tensors, from which domain. `Sample.call` makes the call of one
dtype and memory layout from it, with the same values every time.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

import gleed
from gleed import _C
from gleed.errors import DTypeError
from gleed.ops.record import OPS, Op, Overload
from gleed.trace import Standin, Trace

FLOATS = ("float32", "float64", "float16", "bfloat16")
INTEGERS = ("int64", "int32", "int16", "int8", "uint8")
DTYPES = (*FLOATS, *INTEGERS, "bool")
RANDOM_MODULES = {
    f"gleed.ops.{name}" for name in ("random", "random_integers", "distributions", "dropout")
}
LAYOUTS = ("contiguous", "transposed", "sliced", "reversed", "expanded")


# ---- what samples are made of
@dataclass(frozen=True)
class Uniform:
    """A tensor of the dtype under test."""

    shape: tuple[int, ...]
    low: float
    high: float
    seed: int

    def values(self, dtype: str) -> np.ndarray:
        share = np.random.default_rng(self.seed).random(self.shape)
        if dtype in FLOATS:
            return self.low + share * (self.high - self.low)
        low, high = _whole(self.low, self.high, dtype)
        return np.floor(low + share * (high - low + 1)).astype(np.int64)


@dataclass(frozen=True)
class Distinct:
    """A tensor of the dtype under test whose elements all differ; ascending without a seed."""

    shape: tuple[int, ...]
    seed: int | None

    def values(self, dtype: str) -> np.ndarray:
        count = int(np.prod(self.shape))
        order = np.arange(count) if self.seed is None else _permutation(count, self.seed)
        order = order.reshape(self.shape)
        if dtype == "bool":
            return order % 2
        return order * 0.375 - 2 if dtype in FLOATS else order


@dataclass(frozen=True)
class Fixed:
    """A tensor with given values; `dtype` None is the one under test."""

    data: np.ndarray
    dtype: str | None

    def values(self, dtype: str) -> np.ndarray:
        return self.data

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape


@dataclass(frozen=True)
class Number:
    """A Python number of the category of the dtype under test, which every dtype holds exactly."""

    low: float
    high: float
    seed: int

    def value(self, dtype: str) -> float:
        data = Uniform((), self.low, self.high, self.seed).values(dtype).item()
        if dtype in FLOATS:
            return round(data * 64) / 64
        return bool(data) if dtype == "bool" else data


Recipe = Uniform | Distinct | Fixed


def _whole(low: float, high: float, dtype: str) -> tuple[int, int]:
    """The integers of a domain; those around it if it holds none."""
    first, last = int(np.ceil(low)), int(np.floor(high))
    if dtype == "bool":
        return int(first > 0), 1
    first = max(first, 0) if dtype == "uint8" else first
    return (first, last) if first <= last else (int(np.floor(low)), int(np.ceil(high)))


def _permutation(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(n)


class Make:
    """What `@op.samples` functions draw from: the same numbers for the same op every time."""

    def __init__(self, name: str) -> None:
        self._seed = zlib.crc32(name.encode())

    def _next(self) -> int:
        self._seed += 1
        return self._seed

    def tensor(self, shape: tuple[int, ...], domain: tuple[float, float] = (-3.0, 3.0)) -> Uniform:
        return Uniform(tuple(shape), *domain, self._next())

    def number(self, domain: tuple[float, float] = (-3.0, 3.0)) -> Number:
        return Number(*domain, self._next())

    def integers(self, shape: tuple[int, ...], low: int, high: int) -> Fixed:
        return Fixed(np.random.default_rng(self._next()).integers(low, high, shape), "int64")

    def mask(self, shape: tuple[int, ...]) -> Fixed:
        return Fixed(np.random.default_rng(self._next()).integers(0, 2, shape), "bool")

    def distinct(self, shape: tuple[int, ...]) -> Distinct:
        return Distinct(tuple(shape), self._next())

    def ascending(self, shape: tuple[int, ...]) -> Distinct:
        return Distinct(tuple(shape), None)

    def permutation(self, n: int) -> Fixed:
        return Fixed(_permutation(n, self._next()), "int64")

    def values(self, numbers: Sequence[float]) -> Fixed:
        return Fixed(np.array(numbers), None)

    def call(self, *args: Any, **kwargs: Any) -> tuple[tuple, dict[str, Any]]:
        return args, kwargs


# ---- samples
@dataclass(frozen=True, eq=False)
class Call:
    """One call: gleed's arguments, and the same as exact NumPy arrays."""

    args: tuple
    kwargs: dict[str, Any]
    arrays: tuple
    named_arrays: dict[str, Any]

    def run(self, function: Callable[..., Any]) -> Any:
        return function(*self.args, **self.kwargs)

    @property
    def tensors(self) -> list[Any]:
        return [t for t in flat((self.args, self.kwargs)) if isinstance(t, _C.Tensor)]


@dataclass(frozen=True, eq=False)
class Sample:
    """One sample call of an op."""

    op: Op
    number: int
    args: tuple
    kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.op.name}-{self.number}"

    @property
    def recipes(self) -> list[Recipe]:
        return [x for x in flat((self.args, self.kwargs)) if isinstance(x, Recipe)]

    @property
    def free(self) -> bool:
        """Whether the dtype may be chosen."""
        return any(not isinstance(r, Fixed) or r.dtype is None for r in self.recipes)

    def call(
        self, dtype: str = "float32", layout: str = "contiguous", *, grad: bool = False
    ) -> Call:
        made: dict[int, tuple[Any, np.ndarray]] = {}

        def build(x: Any, which: int) -> Any:
            if isinstance(x, Recipe):
                if id(x) not in made:
                    own = getattr(x, "dtype", None) or dtype
                    tensor, array = placed(x.values(own), own, layout)
                    if grad and tensor.is_floating_point():
                        tensor.requires_grad_()
                    made[id(x)] = tensor, array
                return made[id(x)][which]
            if isinstance(x, Number):
                return x.value(dtype)
            if isinstance(x, list | tuple):
                return type(x)(build(item, which) for item in x)
            return x

        args, arrays = build(self.args, 0), build(self.args, 1)
        named = {k: build(v, 0) for k, v in self.kwargs.items()}
        named_arrays = {k: build(v, 1) for k, v in self.kwargs.items()}
        return Call(args, named, arrays, named_arrays)

    @property
    def overload(self) -> Overload:
        """The overload that takes this call."""
        return overload_of(self.op, self.call("float32" if self.free else "int64"))

    def arguments(self) -> dict[str, Any]:
        """The recipes and values by parameter name, without defaults."""
        return named_arguments(self.overload, self.args, self.kwargs)


def overload_of(op: Op, call: Call) -> Overload:
    """The overload that takes a call."""
    trace = Trace()

    def standin(x: Any) -> Any:
        if isinstance(x, _C.Tensor):
            return trace.argument(x.dtype.kernel_name, tuple(x.shape))
        if isinstance(x, list):
            return [standin(item) for item in x]
        return x

    args = [standin(x) for x in call.args]
    kwargs = {k: standin(v) for k, v in call.kwargs.items()}
    for overload in op.overloads:
        bound = overload.bind(args, kwargs)
        # Inside bodies numbers are stand-ins; in a call only operands may be tensors.
        numbers = (v for p, v in zip(overload.parameters, bound or (), strict=False)
                   if p.kind.startswith("scalar"))  # fmt: skip
        if bound is not None and not any(isinstance(v, Standin) for v in numbers):
            return overload
    raise LookupError(f"{op.name}: no overload takes its sample")


def named_arguments(overload: Overload, args: Sequence[Any], kwargs: dict[str, Any]) -> dict:
    """Arguments by parameter name, a spelt-out last one gathered."""
    parameters = [p for p in overload.parameters if "o" not in p.flags]
    spelt = next((i for i, p in enumerate(parameters) if "*" in p.flags), None)
    if spelt is not None and len(args) > spelt and not isinstance(args[spelt], list | tuple):
        args = (*args[:spelt], tuple(args[spelt:]))
    names = [p.name for p in parameters[: len(args)]]
    return dict(zip(names, args, strict=True)) | kwargs


@cache
def samples_of(name: str) -> tuple[Sample, ...]:
    """All samples of an op."""
    record, make = OPS[name], Make(name)
    found: list[Sample] = []
    for overload in record.overloads:
        for function in overload.samples:
            for args, kwargs in function(make):
                found.append(Sample(record, len(found), args, kwargs))
    return tuple(found)


def is_public(record: Op) -> bool:
    return bool(record.namespaces or record.method) and not record.name.startswith("_")


def is_random(record: Op) -> bool:
    """Whether results are drawn at random; such ops are tested beside their generator."""
    return any(o.body.__module__ in RANDOM_MODULES for o in record.overloads)


def sampled() -> Iterator[Sample]:
    """Every sample of every op whose results are not drawn at random."""
    for name, record in OPS.items():
        if not is_random(record):
            yield from samples_of(name)


# ---- tensors
def flat(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from flat(item)
    else:
        yield value


def rounded(values: np.ndarray, dtype: str) -> np.ndarray:
    """Values as `dtype` holds them, in a NumPy dtype that holds them exactly."""
    if dtype == "bfloat16":
        bits = np.asarray(values, np.float32).view(np.uint32)
        nearest = (bits + 0x7FFF + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)
        return np.where(np.isnan(values), np.float32(np.nan), nearest.view(np.float32))
    with np.errstate(invalid="ignore"):
        return np.asarray(values).astype(dtype)


def placed(values: np.ndarray, dtype: str, layout: str) -> tuple[Any, np.ndarray]:
    """A tensor with these values in memory of the given layout, and the values that it has."""
    exact = rounded(values, dtype)
    if layout == "expanded" and exact.ndim:
        exact = np.broadcast_to(exact[:1], exact.shape)
    base, view = _memory(exact, layout)
    tensor = gleed.from_numpy(base).to(getattr(gleed, dtype))
    strides = [s // base.itemsize for s in view.strides]
    start = view.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    tensor = tensor.as_strided(view.shape, strides, start // base.itemsize).detach()
    return tensor, np.ascontiguousarray(exact).reshape(exact.shape)


def _memory(exact: np.ndarray, layout: str) -> tuple[np.ndarray, np.ndarray]:
    """Flat memory, and the view of it that has the values."""
    if layout == "expanded" and exact.ndim and exact.shape[0]:
        base = exact[:1].ravel().copy()
        return base, np.broadcast_to(base.reshape(1, *exact.shape[1:]), exact.shape)
    if layout == "transposed":
        base = exact.T.ravel().copy()
        return base, base.reshape(exact.T.shape).T
    if layout == "sliced":
        wide = tuple(2 * n + 1 for n in exact.shape)
        base = np.zeros(int(np.prod(wide)), exact.dtype)
        view = base.reshape(wide)[(*(slice(1, 2 * n, 2) for n in exact.shape), ...)]
    elif layout == "reversed":
        base = np.zeros(exact.size, exact.dtype)
        view = base.reshape(exact.shape)[(*[slice(None, None, -1)] * exact.ndim, ...)]
    else:
        base = exact.ravel().copy()
        return base, base.reshape(exact.shape)
    view[...] = exact
    return base, view


def array(tensor: Any) -> np.ndarray:
    """The values of a tensor, exactly."""
    tensor = tensor.detach()
    return tensor.float().numpy() if tensor.dtype is gleed.bfloat16 else tensor.numpy()


def results(value: Any) -> list[Any]:
    return list(flat(value))


# ---- dtypes
# What ops refuse: "f" floating point, "i" integers, "b" bool. All others take every dtype.
@cache
def takes(sample: Sample, dtype: str) -> bool:
    """Whether the op takes a dtype in this call."""
    try:
        sample.call(dtype).run(sample.op.public)
    except DTypeError:
        return False
    return True
