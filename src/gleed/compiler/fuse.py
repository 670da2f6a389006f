"""From a graph value to the kernel that computes it.

A value is *virtual* as long as it can be computed inside the kernel that uses it; the scheduler
makes it *real* (gives it memory) where that is not so. `KernelBuilder` builds one kernel over one
iteration space; what it cannot express there it asks the scheduler to make real.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gleed.compiler import kernel as k
from gleed.compiler.cells import Step
from gleed.compiler.dims import Dim, Size, identity
from gleed.compiler.graph import Shape, Value
from gleed.compiler.pipeline import enabled
from gleed.compiler.renumber import renumbered


class Fixed(NamedTuple):
    """One place on an axis."""

    place: int


# For every axis of a value, the axis of the iteration space it runs along, or the one place where
# it stays; None: it does not move.
Mapping = tuple[int | Fixed | None, ...]
Point = tuple[Value, Mapping]

# A reduction over at most so many places, a number known to the program, is written out.
_WRITTEN_OUT = 9


@dataclass(frozen=True, eq=False)
class Space:
    """An iteration space: sizes of its axes, the first `parallel` of them parallel."""

    sizes: tuple[Size, ...]
    parallel: int

    @property
    def key(self) -> tuple[object, ...]:
        """What identifies the space, by what is decided already about which sizes are equal."""
        return self.parallel, *map(identity, self.sizes)

    @property
    def reduced(self) -> tuple[int, ...]:
        """The numbers of the reduced axes."""
        return tuple(range(self.parallel, len(self.sizes)))


def space_of(root: Value, is_real: Callable[[Value], bool]) -> tuple[Space, Mapping, Value | None]:
    """The space in which `root` is computed, where its axes lie in it, and, if a reduction stands
    in the way of fusion, that reduction: make it real, then ask again."""
    shape, node = root.shape, root.node
    identity: Mapping = tuple(range(len(shape)))
    if node.kind == "reduce" and not written_out(root) and not is_real(root):
        axes = node.attrs["axes"]
        reduced = tuple(node.inputs[0].shape[a] for a in axes)
        return Space((*shape, *reduced), len(shape)), identity, None
    source = node.inputs[0] if node.op == "compact" else root
    found = _first_reduction(source, identity, is_real)
    if found is None:
        return Space(shape, len(shape)), identity, None
    value, mapping = found
    if value.node.kind == "scan":
        along = mapping[value.node.attrs["axis"]]
        return _with_last(shape, [a for a in range(len(shape)) if a != along], [along])
    source, axes = value.node.inputs[0], value.node.attrs["axes"]
    reduced = tuple(source.shape[a] for a in axes)
    used = set(mapping)
    free = [a for a in range(len(shape)) if a not in used and not is_unit(shape[a])]
    if not free:
        return Space((*shape, *reduced), len(shape)), identity, None
    rows = [a for a in range(len(shape)) if a not in free]
    if not [a for a in rows if shape[a] != 1] or not _identical([shape[a] for a in free], reduced):
        return Space(shape, len(shape)), identity, value
    return _with_last(shape, rows, free)


def written_out(value: Value) -> list[tuple[Fixed, ...]]:
    """The places on the axes of a reduction that is short enough to be written out, in order."""
    if value.node.kind != "reduce" or value.node.looped or not enabled("short"):
        return []
    shape, axes = value.node.inputs[0].shape, value.node.attrs["axes"]
    sizes = [n.scope.resolve(n) if isinstance(n, Dim) else n for n in (shape[a] for a in axes)]
    if any(isinstance(n, Dim) for n in sizes) or math.prod(map(int, sizes)) > _WRITTEN_OUT:
        return []
    return list(itertools.product(*([Fixed(i) for i in range(int(n))] for n in sizes)))


def _opened(value: Value, mapping: Mapping, along: Sequence[int | Fixed]) -> Mapping:
    """The mapping of what a reduction reduces, its reduced axes lying `along`."""
    axes, rest = value.node.attrs["axes"], iter(mapping)
    inner = dict(zip(axes, along, strict=True))
    ndim = len(value.node.inputs[0].shape)
    return tuple(inner[a] if a in inner else next(rest) for a in range(ndim))


def _with_last(
    shape: Sequence[Size], rows: Sequence[int], reduced: Sequence[int | None]
) -> tuple[Space, Mapping, None]:
    """The space over `shape` with parallel axes `rows`, and where the shape's axes lie in it."""
    order = [*rows, *(a for a in reduced if a is not None)]
    place = {a: i for i, a in enumerate(order)}
    space = Space(tuple(shape[a] for a in order), len(rows))
    return space, tuple(place[a] for a in range(len(shape))), None


def _identical(a: Sequence[Size], b: Sequence[Size]) -> bool:
    """Whether sizes are equal, by what is decided already."""
    return [*map(identity, a)] == [*map(identity, b)]


def _first_reduction(
    root: Value, mapping: Mapping, is_real: Callable[[Value], bool]
) -> tuple[Value, Mapping] | None:
    """The first reduction or scan among the virtual values under `root`, and where its axes lie."""
    stack: list[tuple[Value, Mapping]] = [(root, mapping)]
    seen: set[Point] = set()
    while stack:
        value, where = stack.pop()
        if (value, where) in seen or is_real(value):
            continue
        seen.add((value, where))
        places = written_out(value)
        if places:
            stack.append((value.node.inputs[0], _opened(value, where, places[0])))
            continue
        if value.node.kind == "reduce":
            return value, where
        if value.node.kind == "scan" and isinstance(where[value.node.attrs["axis"]], int):
            return value, where
        if value.node.kind in ("pointwise", "gather"):
            sources = value.node.inputs if value.node.kind == "pointwise" else value.node.inputs[1:]
            stack.extend((source, where) for source in reversed(sources))
        else:
            inner = inner_mapping(value, where)
            if inner is not None:
                stack.append((value.node.inputs[0], inner))
    return None


def inner_mapping(value: Value, mapping: Mapping) -> Mapping | None:
    """The mapping of the operand of a broadcast, permute or unit-size reshape; None for others."""
    node = value.node
    if node.kind == "broadcast":
        source = node.inputs[0]
        axes, shape = node.attrs["axes"], value.shape
        pairs = zip(source.shape, axes, strict=True)
        return tuple(
            None if isinstance(n, int) and n == 1 and shape[a] is not n else mapping[a]
            for n, a in pairs
        )
    if node.kind == "permute":
        inner: list[int | Fixed | None] = [None] * len(mapping)
        for axis, source_axis in enumerate(node.attrs["axes"]):
            inner[source_axis] = mapping[axis]
        return tuple(inner)
    if node.op == "reshape":
        return _unit_reshape(node.inputs[0].shape, value.shape, mapping)
    return None


def _unit_reshape(
    source: tuple[Size, ...], target: tuple[Size, ...], mapping: Mapping
) -> Mapping | None:
    """A reshape that only adds or drops axes of size 1, as a mapping."""
    kept = [(n, m) for n, m in zip(target, mapping, strict=True) if not is_unit(n)]
    if not _identical([n for n in source if not is_unit(n)], [n for n, _ in kept]):
        return None
    places = iter([m for _, m in kept])
    return tuple(None if is_unit(n) else next(places) for n in source)


def is_unit(n: Size) -> bool:
    """Whether a size is 1, by what is decided already."""
    return identity(n) == (False, 1)


@dataclass(eq=False)
class _Made:
    """The scalar nodes of values, as they are and, of 16 bits, in float32."""

    plain: dict[tuple[Value, Mapping], k.Node] = field(default_factory=dict)
    wide: dict[tuple[Value, Mapping], k.Node] = field(default_factory=dict)


class KernelBuilder:
    """Builds the scalar code of one kernel.

    `real(value)` gives a value memory and returns its number in the plan; `cell(size)` is the
    number of a size's cell; `at(number, value, axis, place)` that of the part of a value in memory
    at one place of an axis; `shape(value)` the number of a plan value without memory, if the value
    is one that the operation which is computed would find in memory.
    """

    def __init__(
        self,
        space: Space,
        is_real: Callable[[Value], bool],
        real: Callable[[Value], int],
        cell: Callable[[Size], int],
        at: Callable[[int, str, Shape, int, int], int],
        shape: Callable[[Value], int | None],
    ) -> None:
        self.space, self.is_real, self.real, self.cell = space, is_real, real, cell
        self.at, self.shape = at, shape
        self.operands: list[k.Operand] = []
        self.bindings: list[tuple[Any, ...]] = []
        self.params: list[str] = []
        self.param_sources: list[tuple[object, ...]] = []
        self.stores: list[k.Store | k.Check] = []
        self.guides: list[tuple[Any, ...]] = []  # what would be read if all had memory
        self.outputs: dict[Value, Mapping] = {}
        self.roots: set[Value] = set()  # what the kernel is made for
        self._points: set[Point] = set()  # what has been asked for, and where
        # What is made inside of what has no memory is made apart: it guides nothing.
        self._made = _Made(), _Made()

    # ---- operands and parameters
    def operand(self, dtype: str, kind: str, binding: tuple[object, ...], element: bool) -> int:
        """The number of an operand; equal read operands are one."""
        operand = k.Operand(dtype, kind, element)
        if kind == "in":
            self._guide(binding)
        for i, known in enumerate(self.bindings):
            if known == binding and self.operands[i] == operand and kind != "out":
                return i
        self.operands.append(operand)
        self.bindings.append(binding)
        return len(self.operands) - 1

    def _guide(self, binding: tuple[object, ...]) -> None:
        if not self._inside and binding not in self.guides:
            self.guides.append(binding)

    _inside = 0  # how many values that have no memory what is being built lies inside

    def _enter(self, value: Value, mapping: Mapping) -> bool:
        """Begin to compute a value. Whether it has no memory here alone: then note how it would be
        read."""
        number = None if self.outputs.get(value) == mapping else self.shape(value)
        if number is None:
            return False
        self._guide(("shape", number, self.place(mapping)[0]))
        self._inside += 1
        return True

    def param(self, dtype: str, source: tuple[object, ...]) -> k.Node:
        """A run-time number."""
        if source not in self.param_sources:
            self.param_sources.append(source)
            self.params.append(dtype)
        return k.param(self.param_sources.index(source), dtype)

    def held(self, number: int, value: Value, mapping: Mapping) -> int:
        """The number of the part of a value in memory at the places where the mapping fixes it."""
        shape = value.shape
        for axis, target in enumerate(mapping):
            if isinstance(target, Fixed):
                shape = (*shape[:axis], 1, *shape[axis + 1 :])
                number = self.at(number, value.dtype, shape, axis, target.place)
        return number

    def place(self, mapping: Mapping) -> tuple[tuple[int, ...], bool]:
        """A mapping turned round: for every axis of the space the value's axis or -1; and whether
        it moves along a reduced axis."""
        axes = [-1] * len(self.space.sizes)
        for axis, target in enumerate(mapping):
            if isinstance(target, int):
                axes[target] = axis
        return tuple(axes), any(axes[a] >= 0 for a in self.space.reduced)

    def _note(self, value: Value, mapping: Mapping) -> None:
        if not self._inside:
            self._points.add((value, mapping))

    def whole(self) -> set[Point]:
        """What the kernel computes with or of that has a value at every point of the space."""
        wide = {a for a, n in enumerate(self.space.sizes) if not is_unit(n)}
        return {point for point in self._points if wide <= set(point[1])}

    # ---- values
    def build(self, value: Value, mapping: Mapping) -> k.Node:
        """The scalar node that is `value` at the current point."""
        key, made = (value, mapping), self._made[bool(self._inside)].plain
        node = made.get(key)
        self._note(value, mapping)
        if node is None:
            inside = self.outputs.get(value) == mapping
            if self.is_real(value) and not inside:
                node = self._load(value, mapping)
            else:
                entered = self._enter(value, mapping)
                node = self._compute(value, mapping)
                self._inside -= entered
            made[key] = node
        return node

    def _load(self, value: Value, mapping: Mapping) -> k.Node:
        axes, element = self.place(mapping)
        number = self.held(self.real(value), value, mapping)
        k_number = self.operand(value.dtype, "in", (number, axes), element)
        return k.load(k_number, value.dtype)

    def _compute(self, value: Value, mapping: Mapping) -> k.Node:
        node = value.node
        kind = node.kind
        if value.dtype in k.HALVES and self._in_float32(value):
            return _rounded(self._wide(value, mapping), value.dtype)
        if kind == "pointwise":
            args = [self.build(v, mapping) for v in node.inputs]
            return node.primitive.kernel(*args, **node.attrs)  # type: ignore[union-attr, misc]
        if kind == "const":
            return k.const(node.attrs["key"], value.dtype)
        if kind == "param":
            return self.param(value.dtype, ("scalar", node.attrs["key"]))
        if kind == "dim":
            return self.param("i64", ("dim", self.cell(node.attrs["key"])))
        if kind == "iota":
            return self._iota(mapping[node.attrs["axis"]])
        if kind == "reduce":
            return self._reduce(value, mapping)
        if kind == "scan" and self.space.reduced == (mapping[node.attrs["axis"]],):
            op = node.primitive.attributes["op"]  # type: ignore[union-attr]
            return k.scan(op, self.build(node.inputs[0], mapping))
        if kind == "gather":
            return self._gather(value, mapping)
        if node.op == "compact" and (value in self.roots or self.shape(value) is not None):
            return self.build(node.inputs[0], mapping)  # any memory will be what it must be
        inner = inner_mapping(value, mapping)
        if inner is not None:
            return self.build(node.inputs[0], inner)
        return self._load(value, mapping)

    @staticmethod
    def _in_float32(value: Value) -> bool:
        """Whether a 16-bit value is computed: then in float32, and rounded where it is stored, or
        where something decides by it, which must see what a backward will find in memory."""
        node = value.node
        if node.kind == "reduce":
            assert node.primitive is not None
            return node.primitive.attributes["op"] in ("sum", "prod")
        return node.kind == "pointwise" and node.op not in ("copy", "alias")

    def _wide(self, value: Value, mapping: Mapping) -> k.Node:
        """A value as `build` makes it, but of 16 bits in float32."""
        if value.dtype not in k.HALVES:
            return self.build(value, mapping)
        self._note(value, mapping)
        node, inside = value.node, self.outputs.get(value) == mapping
        if node.kind == "const":
            return k.const(node.attrs["key"], "f32")
        if not self.is_real(value) or inside:
            if node.kind == "pointwise" and node.op in ("copy", "alias"):
                return self._wide(node.inputs[0], mapping)
            if node.kind == "pointwise":
                return self._wide_pointwise(value, mapping)
            if node.kind == "reduce" and self._in_float32(value):
                return k.cast(self._reduce(value, mapping), "f32")
            inner = inner_mapping(value, mapping)
            if inner is not None:
                return self._wide(node.inputs[0], inner)
        return k.cast(self.build(value, mapping), "f32")

    def _wide_pointwise(self, value: Value, mapping: Mapping) -> k.Node:
        key, made = (value, mapping), self._made[bool(self._inside)].wide
        if key not in made:
            node = value.node
            entered = self._enter(value, mapping)
            args = [self._wide(v, mapping) for v in node.inputs]
            self._inside -= entered
            if node.op == "cast":
                made[key] = k.cast(args[0], "f32")
            else:
                made[key] = node.primitive.kernel(*args, **node.attrs)  # type: ignore[union-attr, misc]
        return made[key]

    def _iota(self, axis: int | Fixed | None) -> k.Node:
        if not isinstance(axis, int):
            return k.const(axis.place if axis else 0, "i64")
        one = self.cell(1)
        coefficients = tuple(one if a == axis else -1 for a in range(len(self.space.sizes)))
        element = axis >= self.space.parallel
        return k.index(self.operand("i64", "index", ("index", coefficients, -1), element))

    def _reduce(self, value: Value, mapping: Mapping) -> k.Node:
        node, source = value.node, value.node.inputs[0]
        axes, op = node.attrs["axes"], node.primitive.attributes["op"]  # type: ignore[union-attr]
        build = self._wide if self._in_float32(value) else self.build
        places = written_out(value)
        if places:
            return _combined(
                op, [build(source, _opened(value, mapping, along)) for along in places]
            )
        reduced = self.space.reduced
        sizes = [self.space.sizes[a] for a in reduced]
        fits = _identical([source.shape[a] for a in axes], sizes)
        fits = fits and not any(m in reduced for m in mapping)
        if not fits or (self._nested and self.space.parallel == 0):
            return self._load(value, mapping)
        self._nested += 1
        element = build(source, _opened(value, mapping, reduced))
        self._nested -= 1
        return _reduced(op, element)

    _nested = 0  # how many reductions the value being built lies inside

    def offset(
        self,
        number: int,
        value: Value,
        indices: Sequence[Value],
        attrs: dict[str, Any],
        mapping: Mapping,
    ) -> k.Node:
        """How far, in elements, the indices lead along the axes of plan value `number`. They must
        have been checked."""
        total: k.Node | None = None
        for axis, index in zip(attrs["axes"], indices, strict=True):
            at, _ = self._position(value, axis, index, attrs, mapping)
            part = at * self.param("i64", ("stride", number, axis))
            total = part if total is None else total + part
        assert total is not None
        return total

    def _position(
        self, value: Value, axis: int, index: Value, attrs: dict[str, Any], mapping: Mapping
    ) -> tuple[k.Node, k.Node]:
        """An index counted from the front, and whether it lies within the axis."""
        at = self.build(index, mapping)
        size = self.param("i64", ("dim", self.cell(value.shape[axis])))
        if attrs.get("wrap"):
            at = k.select(k.lt(at, 0), at + size, at)
        return at, k.ge(at, 0) & k.lt(at, size)

    def check(
        self, value: Value, indices: Sequence[Value], attrs: dict[str, Any], mapping: Mapping
    ) -> list[k.Node]:
        """Have the kernel report indices outside of `value`; whether each is inside. Nothing to do
        where the body vouches for them."""
        if not attrs.get("checked", True):
            return []
        status = self.operand("i64", "status", ("status",), False)
        found = []
        for axis, index in zip(attrs["axes"], indices, strict=True):
            _, inside = self._position(value, axis, index, attrs, mapping)
            self.stores.append(k.Check(status, inside))
            found.append(inside)
        return found

    def _gather(self, value: Value, mapping: Mapping) -> k.Node:
        source, *indices = value.node.inputs
        attrs = value.node.attrs
        number = self.real(source)
        offset = self.offset(number, source, indices, attrs, mapping)
        for inside in self.check(source, indices, attrs, mapping):
            offset = k.select(inside, offset, 0)
        places: list[int | Fixed | None] = [None] * len(source.shape)
        others = [a for a in range(len(source.shape)) if a not in attrs["axes"]]
        for axis, target in zip(others, attrs["mapping"], strict=True):
            places[axis] = mapping[target]
        axes, element = self.place(tuple(places))
        number = self.held(number, source, tuple(places))
        return k.gather(
            self.operand(source.dtype, "in", (number, axes), element), offset, source.dtype
        )

    # ---- results
    def store(self, value: Value, mapping: Mapping, number: int) -> None:
        """Write a value of the space to plan value `number`."""
        self.outputs[value] = mapping
        self.store_at(self.build(value, mapping), value.dtype, number, mapping)

    def store_at(
        self,
        node: k.Node,
        dtype: str,
        number: int,
        mapping: Mapping,
        offset: k.Node | None = None,
        mode: str = "set",
    ) -> None:
        """Write a scalar node to plan value `number`, at an offset if given."""
        axes, element = self.place(mapping)
        out = self.operand(dtype, "out", (number, axes), element)
        self.stores.append(k.Store(out, node, offset, mode))

    def computed(self) -> Iterator[Value]:
        """The values that the kernel computes, those that it reads from memory left out."""
        for made in self._made:
            for (value, _), node in (*made.plain.items(), *made.wide.items()):
                if node.op != "load" or value in self.outputs:
                    yield value

    def step(self, axes: tuple[int, ...], name: str = "") -> Step:
        """The step of the finished kernel over a space whose sizes are in the cells `axes`."""
        title = name or "_".join(dict.fromkeys(v.node.op for v in self.outputs))
        made = k.Kernel(title, tuple(self.operands), tuple(self.params), tuple(self.stores))
        operands, params = tuple(self.bindings), tuple(self.param_sources)
        guided = self.space.reduced and any(guide[0] == "shape" for guide in self.guides)
        guides = (tuple(self.guides),) if guided else ()
        return ("kernel", made, axes, self.space.parallel, operands, params, *guides)

    def joined(self, other: KernelBuilder) -> KernelBuilder:
        """What this kernel and another one over the same space compute, in one kernel."""
        one = KernelBuilder(self.space, self.is_real, self.real, self.cell, self.at, self.shape)
        numbers: dict[KernelBuilder, dict[int, int]] = {self: {}, other: {}}
        for written in (False, True):  # what is read comes before what is written
            for builder, found in numbers.items():
                bound = zip(builder.operands, builder.bindings, strict=True)
                for i, (operand, binding) in enumerate(bound):
                    if (operand.kind == "out") == written:
                        found[i] = one.operand(
                            operand.dtype, operand.kind, binding, operand.element
                        )
        one.guides = list(dict.fromkeys((*self.guides, *other.guides)))
        for builder, found in numbers.items():
            one._take(builder, found)
        return one

    def _take(self, other: KernelBuilder, numbers: dict[int, int]) -> None:
        """Compute what another kernel does, whose operands have these numbers here."""
        sources = zip(other.params, other.param_sources, strict=True)
        params = [int(self.param(dtype, source).attr) for dtype, source in sources]
        moved = functools.partial(renumbered, made={}, operands=numbers, params=params)
        for store in other.stores:
            if isinstance(store, k.Check):
                self.stores.append(k.Check(numbers[store.k], moved(store.condition)))
            else:
                self.stores.append(k.Store(numbers[store.k], moved(store.value)))
        self.outputs |= other.outputs
        self.roots |= other.roots
        for made, others in zip(self._made, other._made, strict=True):
            made.plain |= others.plain
            made.wide |= others.wide


def _rounded(x: k.Node, dtype: str) -> k.Node:
    """A value in float32 as one of 16 bits; what only passes on such values stays as it is."""
    if x.op == "cast" and x.args[0].dtype == dtype:
        return x.args[0]
    if x.op == "select" and all(a.op in ("cast", "const") for a in x.args[1:]):
        return k.select(x.args[0], *(_rounded(a, dtype) for a in x.args[1:]))
    return k.cast(x, dtype)


# What reductions of bool are in the kernel IR.
_OF_BOOLS = {"sum": "any", "max": "any", "prod": "all", "min": "all"}


def _combined(op: str, values: list[k.Node]) -> k.Node:
    """A reduction of a few values, the same as the loop over them gives."""
    if values[0].dtype == "bool":
        op = _OF_BOOLS.get(op, op)
        if op in ("argmax", "argmin"):
            values = [k.cast(x, "u8") for x in values]
    if op not in ("argmax", "argmin"):
        return functools.reduce(_COMBINED[op], values)
    better = k.gt if op == "argmax" else k.lt
    best, found = values[0], k.const(0, "i64")
    for i, x in enumerate(values[1:], 1):
        beats = better(x, best)
        if k.is_float(x.dtype):
            beats = beats | (k.ne(x, x) & k.eq(best, best))
        best, found = k.select(beats, x, best), k.select(beats, i, found)
    return found


_COMBINED: dict[str, Callable[[k.Node, k.Node], k.Node]] = {
    "sum": lambda x, y: x + y,
    "prod": lambda x, y: x * y,
    "max": k.maximum,
    "min": k.minimum,
    "any": lambda x, y: x | y,
    "all": lambda x, y: x & y,
}


def _reduced(op: str, x: k.Node) -> k.Node:
    """A reduction; of bool by what the kernel IR has for it."""
    if x.dtype != "bool":
        return k.reduce(op, x)
    if op in ("argmax", "argmin"):
        return k.reduce(op, k.cast(x, "u8"))
    return k.reduce(_OF_BOOLS.get(op, op), x)
