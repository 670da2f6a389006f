"""From a graph to the steps of a plan.

The scheduler gives memory to the values that need it, the outputs first among them, and groups what
is computed over one iteration space into one kernel. docs/architecture.md lists the steps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from graphlib import CycleError
from itertools import count, filterfalse
from typing import Any

from gleed.compiler import kernel as k
from gleed.compiler.cells import Cells, Step, is_whole, movement_arguments, numbers
from gleed.compiler.dependencies import COMPUTED, MOVEMENTS, Dependencies
from gleed.compiler.dims import Size, minimum
from gleed.compiler.epilogue import Epilogues
from gleed.compiler.fuse import KernelBuilder, Mapping, Point, Space, space_of, written_out
from gleed.compiler.graph import Graph, Node, Shape, Turns, Value, shared_reductions
from gleed.compiler.layouts import Layouts
from gleed.compiler.pipeline import enabled
from gleed.compiler.prologue import Prologues
from gleed.compiler.reductions import Reductions
from gleed.compiler.stored import Part, Placement, program_order
from gleed.compiler.traffic import Traffic
from gleed.compiler.writes import MOST_OPERANDS, OPERANDS_AT_ONCE, divided, in_order

_PARTS_AT_ONCE = 8  # of a concatenation in one kernel, whose operands are limited


class Schedule(Dependencies):
    """The steps that compute a graph's outputs.

    `written` maps an output's position to the number of the input whose memory it overwrites. In a
    program of many operations, `placement` tells which results get memory; all memory is row-major
    then.
    """

    def __init__(
        self,
        graph: Graph,
        cells: Cells,
        written: dict[int, int],
        placement: Placement | None = None,
    ) -> None:
        self.graph, self.cells = graph, cells
        self.values: list[tuple[str, tuple[int, ...]]] = []
        self._types: list[tuple[str, Shape]] = []
        self.steps: list[Step] = []
        # The steps that compute, each with what it was made by or of; for reports.
        self.launches: list[tuple[Step, KernelBuilder | Node]] = []
        self._parts: dict[tuple[int, int, int], int] = {}
        self.numbers: dict[Value, int] = {v: i for i, v in enumerate(graph.inputs)}
        self.order = {node: i for i, node in enumerate(graph.nodes)}
        self._begun: set[Value] = set()  # being built, which may wait for others
        self._used = Counter([*(v for node in graph.nodes for v in node.inputs), *graph.outputs])
        plain = [v for i, v in enumerate(graph.outputs) if i not in written]
        # What is made compact gets memory in any case, if not for that alone.
        uses = Counter(v for node in graph.nodes for v in node.inputs)
        made = (node.inputs[0] for node in graph.nodes if node.op == "compact")
        plain += [v for v in made if uses[v] > 1]
        computed = (v for v in dict.fromkeys(plain) if v.node.kind in COMPUTED)
        self._wanted = sorted(computed, key=lambda v: self.order[v.node])
        self.placement = placement
        self.shapes: dict[Value, int] = {}  # plan values without memory
        self._compute_in_order(graph)
        numbers = {i: self.real(v) for i, v in enumerate(graph.outputs) if i not in written}
        numbers |= self._write([(graph.outputs[i], target, i) for i, target in written.items()])
        self.outputs = tuple(numbers[i] for i in range(len(graph.outputs)))
        inputs, traffic = len(graph.inputs), Traffic(self.steps, len(graph.inputs))
        if placement is not None and enabled("reductions"):
            types = [*((v.dtype, v.shape) for v in graph.inputs), *self._types]
            layouts = Layouts(self.steps, types, inputs, cells)
            joined = Reductions(self.steps, self.launches, traffic, layouts)
            self.steps, self.launches = joined.steps, joined.launches
        self.epilogues = Epilogues(self.steps, traffic, self.values, inputs, self.outputs)
        moved = self.epilogues.moved
        self.prologues = Prologues(
            self.epilogues.steps, traffic, self.values, inputs, self.outputs, moved
        )
        self.steps = self.prologues.steps

    def _compute_in_order(self, graph: Graph) -> None:
        """Give memory to what gets some of its own, in the order of the program."""
        stored = self.placement.stored if self.placement else {}
        for value in program_order(graph, stored):
            if stored:
                call = stored.get(value)
                self._wanted = [v for v in stored if stored[v] == call and v.node.kind in COMPUTED]
            self.real(value)

    # ---- memory
    def real(self, value: Value) -> int:
        """The number of the plan value that holds `value`, computing it if need be."""
        number = self.numbers.get(value)
        if number is None:
            self._realise(value)
            number = self.numbers[value]
        return number

    def new(self, dtype: str, shape: Shape) -> int:
        """See `Dependencies.new`."""
        self.values.append((dtype, tuple(self.cells(n) for n in shape)))
        self._types.append((dtype, shape))
        return len(self.graph.inputs) + len(self.values) - 1

    def _alloc(self, value: Value, like: Sequence[int] = ()) -> int:
        number = self.new(value.dtype, value.shape)
        self.steps.append(("alloc", number, tuple(like)))
        return number

    def _view(self, source: int, dtype: str, shape: Shape, movement: str, arguments: Any) -> int:
        number = self.new(dtype, shape)
        self.steps.append(("view", number, source, movement, arguments))
        return number

    def _realise(self, value: Value) -> None:
        """Give a value memory."""
        kind = value.node.kind
        if (
            kind in COMPUTED
            or (kind == "broadcast" and self._is_fill(value))
            or (value.node.op == "compact" and self._is_computed(value))
        ):
            self._compute([value])
        elif kind in ("library", "loop", "branch", "while"):
            getattr(self, f"_{kind}")(value.node)
        elif kind in ("insert", "scatter", "concat"):
            number = self._alloc(value)
            self._fill(value, number)
            self.numbers[value] = number
        else:
            self.numbers[value] = self._move(value)

    def _is_computed(self, value: Value) -> bool:
        """Whether a value that is made compact is computed, and so can be where it shall be."""
        while value.node.op == "compact" or value.node.kind == "permute":
            value = value.node.inputs[0]
        return value.node.kind == "pointwise" and not self.is_real(value)

    @staticmethod
    def _is_fill(value: Value) -> bool:
        """Whether the value is one number repeated."""
        return value.node.inputs[0].node.kind in ("const", "param", "dim")

    # ---- views
    def _move(self, value: Value) -> int:
        node = value.node
        source = self.real(node.inputs[0])
        shape, cell, attrs = value.shape, self.cells, node.attrs
        if node.op in ("reshape", "compact"):
            number = self.new(value.dtype, shape)
            self.steps.append((node.op, number, source, k.identity_kernel(value.dtype)))
            return number
        if node.op == "broadcast":
            units: Shape = tuple(
                node.inputs[0].shape[node.attrs["axes"].index(a)] if a in attrs["axes"] else 1
                for a in range(len(shape))
            )
            if len(units) > len(attrs["axes"]):
                source = self._view(source, value.dtype, units, "reshape", ())
            return self._view(source, value.dtype, shape, "expand", ())
        movement = "reshape" if node.op == "view" else node.op
        arguments = movement_arguments(movement, attrs, cell)
        return self._view(source, value.dtype, shape, movement, arguments)

    # ---- steps that fill memory already allocated
    def _fill(self, value: Value, number: int) -> None:
        """Write a value to plan value `number`."""
        node = value.node
        if node.kind == "insert":
            movement, attrs = node.attrs["movement"], dict(node.attrs["attrs"])
            if not (movement == "slice" and is_whole(value.shape, **attrs)):
                self._fill_unless_there(node.inputs[0], number)
            arguments = movement_arguments(movement, attrs, self.cells)
            part = self._view(number, value.dtype, node.inputs[1].shape, movement, arguments)
            self._fill(node.inputs[1], part)
        elif node.kind == "scatter":
            self._fill_unless_there(node.inputs[0], number)
            self._scatter(node, number)
        elif node.kind == "concat":
            self._concat(node, number)
        else:
            self._compute([value], {value: number})

    def _fill_unless_there(self, base: Value, number: int) -> None:
        if self.numbers.get(base) != number:
            self._fill(base, number)

    def _concat(self, node: Node, number: int) -> None:
        """Fill the parts; neighbours that are computed from a common value in one kernel."""
        axis = node.attrs["axis"]
        start: Size = 0
        group: dict[Value, int] = {}
        for source in node.inputs:
            size = source.shape[axis]
            where = (axis, self.cells(start), 1, self.cells(size))
            part = self._view(number, source.dtype, source.shape, "slice", where)
            start = start + size
            if group and not self._related(source, group):
                self._compute(list(group), group)
                group = {}
            if source.node.kind in ("insert", "scatter", "concat"):
                self._fill(source, part)
            else:
                group[source] = part
        if group:
            self._compute(list(group), group)

    def _related(self, value: Value, group: dict[Value, int]) -> bool:
        """Whether a kernel for `group` computes something that `value` needs too."""
        first = next(iter(group))
        if value in group or len(group) == _PARTS_AT_ONCE or not self.computed(value):
            return False
        shared = self.computed(first) & self.computed(value)
        return bool(shared) and self._space(first)[0].key == self._space(value)[0].key

    def _scatter(self, node: Node, number: int) -> None:
        base, updates, *indices = node.inputs
        attrs, shape = node.attrs, updates.shape
        space, mapping = Space(shape, len(shape)), tuple(range(len(shape)))
        # All indices are checked before anything is written.
        checker = self._builder(space)
        checker.check(base, indices, attrs, mapping)
        if checker.stores:
            self._launch(checker, "check_indices")
        builder = self._builder(space)
        offset = builder.offset(number, base, indices, attrs, mapping)
        target: list[int | None] = [None] * len(base.shape)
        others = [a for a in range(len(base.shape)) if a not in attrs["axes"]]
        for axis, place in zip(others, attrs["mapping"], strict=True):
            target[axis] = place
        update = builder.build(updates, mapping)
        builder.store_at(update, base.dtype, number, tuple(target), offset, attrs["mode"])
        self._launch(builder, "scatter_" + attrs["mode"])

    def _library(self, node: Node, targets: dict[Value, int] | None = None) -> None:
        """A routine's step. Run-time numbers go to it as they are. `lent`: the first input only
        lends the last result its stride order (in a program of many, by movements). `targets`:
        memory that some results have. After those that are `needed` it makes what is used."""
        assert node.primitive is not None  # so have leaves only
        lenders = node.inputs[: node.attrs.get("lent", 0)]
        operands = [v for v in node.inputs[len(lenders) :] if v.node.op != "param"]
        scalars = tuple(v.node.attrs["key"] for v in node.inputs if v.node.op == "param")
        sources = tuple(map(self.real, operands))
        attributes, outputs = node.primitive.attributes, enumerate(node.outputs)
        made = [v for i, v in outputs if i < attributes.get("needed", i + 1) or v in self._used]
        known = len(made) - attributes.get("dynamic", 0)
        # In a program of many operations the movements of a result are the order of its strides.
        moved = MOVEMENTS if self.placement is not None else ()
        like = [[self.real(v)] for v in lenders if self.is_real(v) or v.node.kind in moved]
        like += [self._rows(operands[i]) for i in attributes.get("rows_like", ())]
        like[:0] = [[]] * (len(made) - 1 if lenders else 0)
        like += [[]] * (len(made) - len(like))
        there = targets or {}
        results = tuple(
            there[v]
            if v in there
            else self._alloc(v, like[i])
            if i < known
            else self.new(v.dtype, v.shape)
            for i, v in enumerate(made)
        )
        cells = tuple(map(self.cells, numbers(node.attrs.values())))
        routine = attributes.get("routine", node.op)
        self.steps.append(("library", routine, (*sources, *results), cells, scalars))
        self.launches.append((self.steps[-1], node))
        self.numbers |= dict(zip(made, results, strict=True))

    def _rows(self, value: Value) -> list[int]:
        """What memory must be like whose rows lie in the order of a value's, each in one piece."""
        axis = len(value.shape) - 1
        first = minimum(1, value.shape[axis])
        where = (axis, self.cells(0), 1, self.cells(first))
        shape = (*value.shape[:-1], first)
        return [self._view(self.real(value), value.dtype, shape, "slice", where)]

    # ---- loops
    def _loop(self, node: Node) -> None:
        """A step whose turns read rows of some values and write rows of others."""
        turns: Turns = _details(node, "turns")
        graph, carried, rows = turns.graph, turns.carried, turns.carried + turns.sequences
        stacks = {
            i: self._alloc(v)
            for i, v in enumerate(node.outputs)
            if i < max(carried, 1) or v in self._used
        }
        self._enter(graph, [graph.outputs[i] for i in stacks])
        for i, start in enumerate(node.inputs[:carried]):
            self._fill_row(start, stacks[i], turns.count if turns.reverse else 0)
        self._lend(node.inputs[carried:], graph.inputs[carried:])
        cursors: list[tuple[int, int, int, int]] = []

        def row(value: Value, stack: int, shift: int) -> int:
            start, step = turns.rows(shift)
            number = self.new(value.dtype, value.shape)
            cursors.append((number, stack, self.cells(start), step))
            return number

        for i, value in enumerate(graph.inputs[:rows]):
            source = stacks[i] if i < carried else self.numbers.get(value)
            if source is not None:
                self.numbers[value] = row(value, source, int(turns.reverse and i < carried))
        targets = [
            (v, row(v, stacks[i], int(i < carried and not turns.reverse)))
            for i, v in enumerate(graph.outputs)
            if i in stacks
        ]
        with self._apart(Placement()) as steps:
            self._compute_in_order(Graph([], [value for value, _ in targets], graph.kept))
            self._turn(targets)
        self.steps.append(("loop", self.cells(turns.count), tuple(cursors), tuple(steps)))
        self.numbers |= {node.outputs[i]: number for i, number in stacks.items()}

    def _enter(self, graph: Graph, outputs: list[Value]) -> None:
        """Take note of a graph whose steps are part of a step, and of what is used in it."""
        nodes = Graph([], outputs, graph.kept).nodes
        self.order |= {n: len(self.order) + i for i, n in enumerate(nodes)}
        self._used.update([*(v for n in nodes for v in n.inputs), *outputs])

    def _lend(self, values: Sequence[Value], inner: Sequence[Value]) -> None:
        """Have the values in memory that a graph in a step reads as its `inner` ones."""
        for value, own in zip(values, inner, strict=True):
            if own in self._used and own.node.op == "input":
                self.numbers[own] = self.real(value)

    @contextmanager
    def _apart(self, placement: Placement) -> Iterator[list[Step]]:
        """Put the steps made in this block in a list of their own; `placement` as for the whole."""
        before = self.steps, self._wanted, self.placement, self._parts
        self.steps, self._wanted, self.placement, self._parts = [], [], placement, {}
        yield self.steps
        self.steps, self._wanted, self.placement, self._parts = before

    def _branch(self, node: Node) -> None:
        """A step that computes the results in one of two ways."""
        parts: list[Part] = _details(node, "parts")
        wanted = {v for v in node.outputs if v in self._used} or {node.outputs[0]}
        numbers = {i: self._alloc(v) for i, v in enumerate(node.outputs) if v in wanted}
        ways: list[Step] = []
        targets = [[(v, numbers[i]) for i, v in p.results.items() if i in numbers] for p in parts]
        outputs = [[v for v, _ in pairs] for pairs in targets]
        for part, written in zip(parts, outputs, strict=True):
            self._enter(part.graph, written)
            self._lend(node.inputs[1:], part.graph.inputs)
        predicate = self.real(node.inputs[0])
        for part, written, pairs in zip(parts, outputs, targets, strict=True):
            with self._apart(part.placement(written)) as steps:
                self._compute_in_order(Graph([], written, part.graph.kept))
                self._turn(pairs)
            ways.append(tuple(steps))
        self.steps.append(("branch", predicate, *ways))
        self.numbers |= {node.outputs[i]: number for i, number in numbers.items()}

    def _while(self, node: Node) -> None:
        """A step that overwrites states in turns, as long as they meet a condition."""
        condition, body = _details(node, "parts")
        states = [self._alloc(v) for v in node.outputs]
        for start, state in zip(node.inputs, states, strict=False):
            self._store([(start, state)])
        for part in (condition, body):
            self._enter(part.graph, part.graph.outputs)
            self.numbers |= dict(zip(part.graph.inputs, states, strict=False))
            self._lend(node.inputs[len(states) :], part.graph.inputs[len(states) :])
        (again,) = condition.graph.outputs
        predicate = self._alloc(again)
        with self._apart(condition.placement([again])) as check:
            self._compute_in_order(condition.graph)
            self._turn([(again, predicate)])
        with self._apart(body.placement(body.graph.outputs)) as turn:
            self._compute_in_order(body.graph)
            self._write([(v, states[i], i) for i, v in enumerate(body.graph.outputs)])
        self.steps.append(("while", predicate, tuple(check), tuple(turn)))
        self.numbers |= dict(zip(node.outputs, states, strict=True))

    def _fill_row(self, value: Value, stack: int, index: Size) -> None:
        where = (0, self.cells(index), 1, self.cells(1))
        row = self._view(stack, value.dtype, (1, *value.shape), "slice", where)
        self._store([(value, self._view(row, value.dtype, value.shape, "reshape", ()))])

    def _turn(self, targets: list[tuple[Value, int]]) -> None:
        """One turn of a loop: its outputs written to rows, what others need of them first."""
        late: list[tuple[Value, int]] = []
        often = Counter(value for value, _ in targets)
        for value, target in sorted(targets, key=lambda pair: self.order[pair[0].node]):
            kind = value.node.kind
            if self.is_real(value) or (kind in COMPUTED and often[value] == 1):
                late.append((value, target))
            elif kind == "library":
                self._library(value.node, {value: target})
            else:
                self._fill(value, target)
                self.numbers[value] = target
        self._store(late)

    # ---- kernels
    def _builder(self, space: Space) -> KernelBuilder:
        return KernelBuilder(space, self.is_real, self.real, self.cells, self._at, self.shape)

    def _at(self, number: int, dtype: str, shape: Shape, axis: int, place: int) -> int:
        """The part, of `shape`, of a value in memory at one place of an axis."""
        key = (number, axis, place)
        if key not in self._parts:
            where = (axis, self.cells(place), 1, self.cells(1))
            self._parts[key] = self._view(number, dtype, shape, "slice", where)
        return self._parts[key]

    def _space(self, value: Value) -> tuple[Space, Mapping]:
        while True:
            space, mapping, blocker = space_of(value, self.is_real)
            if blocker is None:
                return space, mapping
            self.real(blocker)

    def _compute(
        self, values: list[Value], targets: dict[Value, int] | None = None, alone: bool = False
    ) -> None:
        """One kernel for `values`, and, but for those `alone`, for whatever wanted outputs share
        its space."""
        targets = targets or {}
        space, _ = self._space(values[0])
        builder = self._builder(space)
        builder.roots.update(values)
        group = {v: self._space(v)[1] for v in values}
        self._begun |= group.keys()
        for value, place in group.items():
            builder.build(value, place)  # first what must become real by steps of its own
        self._begun -= group.keys()
        if len(builder.operands) + len(group) > MOST_OPERANDS:
            self._relieve(values)
            return self._compute(values, targets)
        if not (targets or alone) and enabled("companions"):
            group |= self._companions(values[0], builder)
        for value, place in group.items():
            builder.build(value, place)  # what is read comes before what is written
        if len(builder.operands) + len(group) > MOST_OPERANDS:
            return self._compute(values, targets, alone=True)
        written: dict[Value, int] = {}
        for value, place in group.items():
            if value not in targets and self.is_real(value):
                continue
            number = targets.get(value)
            if number is None:
                number = self._alloc(value, self._like(builder, value))
            builder.store(value, place, number)
            written[value] = number
        self._launch(builder, "_".join(dict.fromkeys(v.node.op for v in group)))
        if not targets:
            self.numbers |= written

    def _relieve(self, values: list[Value]) -> None:
        """Give memory to what a kernel of too many operands would compute on the way: to the first
        of the sums that are written out, which read a value at many places, or to one halfway."""
        under = set[Value]().union(*map(self.under, values)).difference(values)
        made = [v for v in under if v.node.kind in ("pointwise", "reduce") and v.shape]
        inside = sorted(filterfalse(self.is_real, made), key=lambda v: self.order[v.node])
        self.real(next(filter(written_out, inside), inside[len(inside) // 2]))

    def _whole(self, value: Value) -> set[Point]:
        """What is computed or read for a value at every point of its space."""
        space, mapping = self._space(value)
        builder = self._builder(space)
        begun, self._begun = self._begun, self._begun | {value}
        builder.build(value, mapping)
        self._begun = begun
        return builder.whole()

    def _companions(self, root: Value, builder: KernelBuilder) -> dict[Value, Mapping]:
        """Other wanted outputs, and reductions inside, as far as loops and operands are there."""
        found: dict[Value, Mapping] = {}
        touched, space, whole = self.touched(root), builder.space, builder.whole()
        for value in [*self._wanted, *shared_reductions(self.under(root), self._used)]:
            if value is root or value in self._begun:
                continue
            if self.is_real(value) or not self.ready(value):
                continue
            own, place, blocker = space_of(value, self.is_real)
            if blocker is None and own.key == space.key:
                if space.reduced:
                    points = self._whole(value)
                    if not self.alike(whole, points):
                        continue
                    whole |= points
                touched |= self.touched(value)
                if sum(isinstance(x, int) for x in touched) + len(found) > OPERANDS_AT_ONCE:
                    break
                found[value] = place
        return found

    def _rank(self, number: int) -> int:
        inputs = self.graph.inputs
        own = number - len(inputs)
        return len(inputs[number].shape) if own < 0 else len(self.values[own][1])

    def _like(self, builder: KernelBuilder, value: Value) -> tuple[int, ...]:
        """The operands whose stride order a pointwise result follows: those of its own shape."""
        if builder.space.reduced or value.node.kind != "pointwise" or self.placement is not None:
            return ()
        whole = tuple(range(len(value.shape)))
        tensors = (
            binding
            for operand, binding in zip(builder.operands, builder.bindings, strict=True)
            if operand.kind == "in"
        )
        return tuple(n for n, axes in tensors if axes == whole and self._rank(n) == len(whole))

    def _launch(self, builder: KernelBuilder, name: str) -> None:
        axes = tuple(self.cells(n) for n in builder.space.sizes)
        self.steps.append(builder.step(axes, name))
        self.launches.append((self.steps[-1], builder))

    # ---- outputs that overwrite inputs
    def _write(self, writes: list[tuple[Value, int, int]]) -> dict[int, int]:
        """Overwrite inputs, last of all; where writes would spoil what others read, results are put
        aside first."""
        pairs = [(v, target) for v, target, _ in writes if self.numbers.get(v) != target]
        if len(pairs) > 1:
            self._prepare(value for value, _ in pairs)
        try:
            self._store(pairs)
        except CycleError:
            for value in dict.fromkeys(value for value, _ in pairs):
                self.numbers[value] = self._put_aside(value)
            for value, target in pairs:
                self._copy(value, target)
        return {position: target for _, target, position in writes}

    def _prepare(self, values: Iterable[Value]) -> None:
        """Have all that the kernels for some values need from steps of its own, and the values that
        are written more than once."""
        for value, times in Counter(values).items():
            if times > 1:
                self.real(value)
            elif value.node.kind in COMPUTED and not self.ready(value):
                space, mapping = self._space(value)
                self._builder(space).build(value, mapping)

    def _put_aside(self, value: Value) -> int:
        """Memory of its own for a value."""
        number = self._alloc(value)
        (self._copy if self.is_real(value) else self._fill)(value, number)
        return number

    def _store(self, writes: Sequence[tuple[Value, int]]) -> None:
        """Write values to plan values, those of one space in one kernel, and whoever reads memory
        before whoever overwrites it. Raises CycleError, with nothing written, where there is no
        such order."""
        groups: dict[object, dict[Value, int]] = {}
        for value, _ in writes:
            if not self.is_real(value) and value.node.kind in COMPUTED:
                self._space(value)  # which may give memory to another of them
        for value, target in writes:
            fused = not self.is_real(value) and value.node.kind in COMPUTED
            key = self._kernel_key(value, groups) if fused else target
            groups.setdefault(key, {})[value] = target
        for group in in_order(groups, self.read):
            first, target = next(iter(group.items()))
            if not self.is_real(first) and first.node.kind not in COMPUTED:
                self._fill(first, target)
                continue
            for part in divided(group, self.touched):
                # An earlier group may have needed, and so given memory to, some of these.
                there = [v for v in part if self.is_real(v)]
                rest = {v: target for v, target in part.items() if v not in there}
                if rest:
                    self._compute(list(rest), rest)
                for value in there:
                    self._copy(value, part[value])

    def _kernel_key(self, value: Value, groups: dict[object, dict[Value, int]]) -> object:
        """What stands for the kernel that a value is computed in: one of a group's, or a new one.
        What is reduced by several calls goes over memory as each of them does."""
        space = self._space(value)[0]
        if not space.reduced:
            return space.key
        call = self.placement.calls.get(value, value) if self.placement else None

        def fits(key: object) -> bool:
            return all(self.alike(self._whole(v), self._whole(value)) for v in groups.get(key, ()))

        return next(filter(fits, ((space.key, call, number) for number in count())))

    def _copy(self, value: Value, target: int) -> None:
        space = Space(value.shape, len(value.shape))
        builder = self._builder(space)
        mapping: Mapping = tuple(range(len(value.shape)))
        node = builder.build(value, mapping)
        builder.store_at(node, value.dtype, target, mapping)
        self._launch(builder, "copy")


def _details(node: Node, what: str) -> Any:
    """What happens in a step that consists of steps."""
    assert node.primitive is not None  # so have leaves only
    return node.primitive.attributes[what](node)
