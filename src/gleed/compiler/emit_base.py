"""What both loop structures share: where each value lives, addresses, evaluation, stores.

Every node has a *place*, the shallowest loop in which it is constant, and is computed there once;
nodes that vary along n2 are vectors, all others scalars, splatted where vectors meet them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from enum import IntEnum
from functools import partial

from gleed.compiler import emit_memory as memory
from gleed.compiler.emit_nodes import choose, convert, emit_node
from gleed.compiler.emit_reduce import Reducer
from gleed.compiler.kernel import Check, Kernel, KernelError, Node, Store, Variant, item_size
from gleed.compiler.llvm_text import (
    SCALAR_TYPES,
    Code,
    Scope,
    State,
    iota,
    literal,
    value_type,
    vector_type,
)
from gleed.compiler.online import relative_nodes
from gleed.compiler.passes import Keep, Pass, divide
from gleed.compiler.rare import rare_nodes
from gleed.compiler.target import Target

_CHEAP, _MODERATE = 10, 32  # nodes of the largest pass


class Place(IntEnum):
    """Where a value is computed, outermost first. LINE is one i1 of the row orientation."""

    FUNCTION = 0
    ROW = 1
    LINE = 2
    POINT = 3


class Emitter:
    """Emits one variant of a lowered kernel. Subclasses give the loops."""

    def __init__(self, kernel: Kernel, variant: Variant, target: Target) -> None:
        self.kernel, self.variant, self.target = kernel, variant, target
        if len(variant.strides) != len(kernel.operands):
            raise KernelError(f"emit: variant {variant} of {len(kernel.operands)} operands")
        self.code = Code()
        self.scattered = {
            s.k for s in kernel.stores if isinstance(s, Store) and s.offset is not None
        }
        self.reducers = {n: Reducer(n) for n in kernel.nodes if n.op in ("reduce", "scan")}
        self.late = relative_nodes(kernel)
        self.places: dict[Node, Place] = {}
        self.varying: set[Node] = set()
        for node in kernel.nodes:
            self._place(node)
        self.passes = divide(kernel, lambda n: n in self.varying and self.places[n] == Place.POINT)
        self.serial = not all(map(self._scatters_lines, kernel.stores))
        self.rare = {
            node: tuple(n for n in inner if self._beside(n, node))
            for node, inner in rare_nodes(kernel).items()
        }
        self.deferred = {n for inner in self.rare.values() for n in inner}
        inner = {n for n in kernel.nodes if self.places[n] == Place.POINT} - self.deferred
        self.weight = max((len(inner & set(p.nodes)) for p in self.passes.passes), default=0)
        self.moving = variant.orientation == "map" and self.weight <= _CHEAP
        self.strided = any(map(self._irregular, range(len(variant.strides))))
        self.lanes = 1 if self.serial else self._lanes()
        whole = (self.lanes > 1 and not self._branches) or (self.moving and self.strided)
        self.unroll = self._unroll() if (whole or self.serial) and not self.rare else 1
        self.unroll = 2 if self.late else self.unroll  # by which running maxima move
        self.streamed = variant.strides.find("n")  # the operand written past the caches, or -1
        self.types: dict = {}
        self.scopes: dict[Place, Scope] = {Place.FUNCTION: self.code.scope()}
        self.stages: list[Scope] = []
        self.mask: str | None = None
        self.loop: dict[str, str] = {}  # loop variables by name: i0, i1, i2

    # ---- where values live ----

    def _place(self, node: Node) -> None:
        raise NotImplementedError

    def _beside(self, a: Node, b: Node) -> bool:
        """Whether two nodes are computed in the same place, and both as vectors or both not."""
        return self.places[a] == self.places[b] and (a in self.varying) == (b in self.varying)

    def _scatters_lines(self, store: Store | Check) -> bool:
        """Whether the points along n2 can be stored together: at a computed offset only if it is
        the same for all of them, so that they are neighbours."""
        if isinstance(store, Check) or store.offset is None:
            return True
        return store.offset not in self.varying and self.stride_class(store.k) == "1"

    def stride_class(self, k: int) -> str:
        """The class of operand k's stride along n2. An output that does not move along n2 has one
        point there, whatever its stride, unless it is the base of computed offsets."""
        given = self.variant.strides[k].replace("n", "1")
        fixed = self.kernel.operands[k].kind == "out" and k not in self.scattered
        return "1" if given == "0" and fixed else "s" if given == "2" else given

    def _irregular(self, k: int) -> bool:
        """Whether the lanes of operand k are neither neighbours nor every second one of these."""
        return self.stride_class(k) == "s" and not self._skips(k)

    def _skips(self, k: int) -> bool:
        """Whether lanes are every second element, which masked registers read as neighbours."""
        return self.variant.strides[k] == "2" and self.target.masks

    def _unroll(self) -> int:
        """Copies of the body in the main loop: reductions need several chains in flight, and a
        column of a few lines of cache is read far faster than one of a single line."""
        if self.weight > _CHEAP:
            return 2 if self.weight <= _MODERATE else 1
        column, reducers = self.variant.orientation == "column", self.reducers.values()
        if not column and any(r.rounds for r in reducers):
            return 4  # with four accumulators in any case
        each = sum(r.bytes for r in reducers) / self.kernel.width
        room = 0.75 * self.target.registers
        return next((n for n in (8 if column else 4, 4, 2) if n * each <= room), 1)

    def _lanes(self) -> int:
        """As many lanes as elements of the kernel's width fill a vector with."""
        lanes = self.target.vector_bytes // self.kernel.width
        # A map that only moves data is bound by memory: gathering lanes would be the dearest part
        # of it, and 32-byte stores are better than 64-byte ones.
        if self.moving and self.strided:
            return 1
        data = any(isinstance(s, Store) for s in self.kernel.stores)
        return lanes // 2 if data and self.moving and self.target.vector_bytes == 64 else lanes

    @property
    def vector_tail(self) -> bool:
        """Whether the last, incomplete vector is masked: lane by lane adds in another order."""
        rounds = self.variant.orientation == "row" and any(r.rounds for r in self.reducers.values())
        return self.target.masks and (rounds or not self._branches)

    @property
    def _branches(self) -> bool:
        """Whether a masked access would be a branch for every lane."""
        irregular = [k for k in range(len(self.variant.strides)) if self._irregular(k)]
        gathers = (n for n in self.kernel.nodes if n.op == "gather")
        irregular += [n.attr for n in gathers if n.args[0] in self.varying]
        operands = [self.kernel.operands[k] for k in irregular]
        narrow = any(item_size(o.dtype) < 4 and o.kind != "index" for o in operands)
        return narrow or not self.target.masks

    def scope_of(self, node: Node) -> Scope:
        """The open scope that a node's value belongs to."""
        place = self.places[node]
        if place == Place.ROW:
            stage = self.passes.stages[node] + (node.op == "running")
            return self.stages[stage] if stage < len(self.stages) else self.scopes[Place.POINT]
        return self.scopes[place]

    # ---- values ----

    def get(self, node: Node, lanes: int, u: int = 0) -> str:
        """The value of a node that has been computed, as `lanes` values; `u` is the copy."""
        if node.op == "const":
            return literal(node.attr, node.dtype, lanes)
        scope = self.scope_of(node)
        if node in self.varying:
            return scope.values[node, u]
        if lanes == 1:
            return scope.values[node]
        key = (node, "splat", lanes)
        if key not in scope.values:
            with self.code.inside(scope):
                scope.values[key] = self.code.splat(
                    scope.values[node], SCALAR_TYPES[node.dtype], lanes
                )
        return scope.values[key]

    def splat_of(self, name: str, value: str, place: Place, scalar: str, lanes: int) -> str:
        """A scalar that is not a node (a stride, a loop variable), in all lanes."""
        if lanes == 1:
            return value
        scope = self.scope_at(place)
        key = (name, "splat", lanes)
        if key not in scope.values:
            with self.code.inside(scope):
                scope.values[key] = self.code.splat(value, scalar, lanes)
        return scope.values[key]

    def scope_at(self, place: Place) -> Scope:
        """The open scope of a place; of ROW, that of stage 0, which holds the addresses."""
        return self.stages[0] if place == Place.ROW else self.scopes[place]

    def evaluate(self, nodes: Iterable[Node], lanes: int, copies: int) -> None:
        """Compute nodes in their own scopes, which must be open at the end."""
        for node in nodes:
            if node.op in ("const", "reduce", "running") or node in self.deferred:
                continue
            scope = self.scope_of(node)
            with self.code.inside(scope):
                if node not in self.varying:
                    scope.values[node] = self.compute(node, 1, 0)
                    continue
                for u in range(copies):
                    scope.values[node, u] = self.compute(node, lanes, u)

    def evaluate_function(self) -> None:
        """Compute what is constant throughout."""
        self.evaluate((n for n in self.kernel.nodes if self.places[n] == Place.FUNCTION), 1, 1)

    def open_stage(self, lanes: int, copies: int, results: State) -> None:
        """Compute the row values that become known with the results of reductions."""
        stage = len(self.stages)
        self.stages.append(self.code.scope())
        self.stages[-1].values.update(results)
        self.evaluate(
            (
                n
                for n in self.kernel.nodes
                if self.places[n] == Place.ROW and self.passes.stages[n] == stage
            ),
            lanes,
            copies,
        )

    def compute(self, node: Node, lanes: int, u: int) -> str:
        """Emit one node; returns its LLVM value."""
        if node.op == "param":
            return self._param(node)
        if node.op == "load":
            return self._load(node, lanes, u)
        if node.op == "gather":
            return self._gather(node, lanes, u)
        if node.op == "index":
            return self._index(node, lanes, u)
        if node.op == "rarely":
            return self._rarely(node, lanes, u)
        return emit_node(self.code, node, [self.get(arg, lanes, u) for arg in node.args], lanes)

    def _rarely(self, node: Node, lanes: int, u: int) -> str:
        """The usual value, or under a branch the choice between it and the rare one."""
        condition, rare, usual = node.args
        kind, flags = value_type(node.dtype, lanes), self.get(condition, lanes, u)

        def branch() -> State:
            for inner in self.rare.get(node, ()):
                key = (inner, u) if inner in self.varying else inner
                self.scope_of(inner).values[key] = self.compute(inner, lanes, u)
            x, y = self.get(rare, lanes, u), self.get(usual, lanes, u)
            return {node: choose(self.code, flags, x, y, kind, lanes)}

        carried: State = {node: self.get(usual, lanes, u)}
        some = self.code.any(flags, lanes)
        return self.code.when(some, carried, {node: kind}, branch)[node]

    def _param(self, node: Node) -> str:
        cell = "double" if node.dtype in ("f64", "f32", "f16", "bf16") else "i64"
        pointer = self.code.op(f"getelementptr i64, ptr %params, i64 {node.attr}")
        value = self.code.op(f"load {cell}, ptr {pointer}, align 8")
        if node.dtype in ("f16", "bf16"):
            value = convert(self.code, value, "f64", "f32", 1)
            return convert(self.code, value, "f32", node.dtype, 1)
        source = "f64" if cell == "double" else "i64"
        return value if source == node.dtype else convert(self.code, value, source, node.dtype, 1)

    def _load(self, node: Node, lanes: int, u: int) -> str:
        k, place = int(node.attr), self.places[node]
        if node not in self.varying:
            return memory.load_unit(self.code, node.dtype, self.address(k, place), 1, None)
        return self.load_at(k, place, lanes, u)

    def load_at(self, k: int, place: Place, lanes: int, u: int, offset: Node | None = None) -> str:
        """Read copy `u` of the current point of operand k, or of that `offset` elements from it."""
        dtype, pointer = self.kernel.operands[k].dtype, self.address(k, place, offset)
        if self.stride_class(k) in ("1", "r") or lanes == 1:
            pointer = self.copy_address(k, pointer, lanes, u)
            load = memory.load_reversed if self.stride_class(k) == "r" else memory.load_unit
            return load(self.code, dtype, pointer, lanes, self.mask)
        if self._skips(k) and self.mask is None:
            pointer = self.copy_address(k, pointer, lanes, u)
            return memory.load_every_second(self.code, dtype, pointer, lanes)
        pointers = self.lane_addresses(k, pointer, lanes, u)
        return memory.load_lanes(self.code, dtype, pointers, lanes, self.mask)

    def _gather(self, node: Node, lanes: int, u: int) -> str:
        k, (offset,), place = int(node.attr), node.args, self.places[node]
        if node not in self.varying:
            pointer = self.address(k, place, offset)
            return memory.load_unit(self.code, node.dtype, pointer, 1, None)
        if offset not in self.varying:
            return self.load_at(k, place, lanes, u, offset)
        pointers = self._offset_addresses(k, offset, place, lanes, u)
        if lanes == 1:
            return memory.load_unit(self.code, node.dtype, pointers, 1, None)
        return memory.load_lanes(self.code, node.dtype, pointers, lanes, self.mask)

    def _offset_addresses(self, k: int, offset: Node, place: Place, lanes: int, u: int) -> str:
        """Addresses as far from the current points of operand k as each lane's offset says."""
        base = self.address(k, place)
        if lanes == 1:
            base = f"ptr {self.copy_address(k, base, 1, u)}"
        elif self.moves(k):
            base = self.lane_addresses(k, base, lanes, u)
            base = f"{vector_type('ptr', lanes)} {base}"
        else:
            base = f"ptr {base}"
        element = memory.memory_type(self.kernel.operands[k].dtype)
        offsets = f"{value_type('i64', lanes)} {self.get(offset, lanes, u)}"
        return self.code.op(f"getelementptr {element}, {base}, {offsets}")

    def _index(self, node: Node, lanes: int, u: int) -> str:
        k = int(node.attr)
        value = self.address(k, self.places[node])
        if node not in self.varying:
            return value
        if lanes == 1:
            return self.copy_address(k, value, 1, u)
        vector = vector_type("i64", lanes)
        value = self.code.splat(value, "i64", lanes)
        return self.code.op(f"add {vector} {value}, {self.lane_steps(k, lanes, u)}")

    # ---- addresses (of "index" operands: the integers themselves) ----

    def moves(self, k: int) -> bool:
        """Whether operand k's address varies along the vectorised axis at its current place."""
        raise NotImplementedError

    def address(self, k: int, place: Place, offset: Node | None = None) -> str:
        """The address of operand k in the innermost open scope of `place`, or of the element
        `offset` further on."""
        known = offset if offset is not None and self.places[offset] == place else None
        scope = self.scope_of(known) if known is not None else self.scope_at(place)
        key = ("address", k, offset)
        if key not in scope.values:
            with self.code.inside(scope):
                if known is not None:
                    element = memory.memory_type(self.kernel.operands[k].dtype)
                    base, distance = self.address(k, place), self.get(known, 1)
                    new = f"getelementptr {element}, ptr {base}, i64 {distance}"
                    scope.values[key] = self.code.op(new)
                else:
                    scope.values[key] = self._new_address(k, place, offset)
        return scope.values[key]

    def _new_address(self, k: int, place: Place, offset: Node | None) -> str:
        if place == Place.FUNCTION:
            cell = self.code.op(f"getelementptr ptr, ptr %pointers, i64 {k}")
            kind = "i64" if self.kernel.operands[k].kind == "index" else "ptr"
            return self.code.op(f"load {kind}, ptr {cell}, align 8")
        return self.step_into(k, place, offset)

    def step_into(self, k: int, place: Place, offset: Node | None) -> str:
        """The address of operand k at `place`, from that of the place outside it."""
        raise NotImplementedError

    def advance(self, k: int, address: str, axis: int) -> str:
        """Move along a loop by its variable."""
        i = self.loop[f"i{axis}"]
        if self.kernel.operands[k].kind == "index":
            unit = axis == 2 and self.stride_class(k) == "1"
            step = i if unit else self.code.op(f"mul i64 {i}, {self.stride(k, axis)}")
            return self.code.op(f"add i64 {address}, {step}")
        if axis == 2 and self.stride_class(k) == "1":
            element = memory.memory_type(self.kernel.operands[k].dtype)
            return self.code.op(f"getelementptr {element}, ptr {address}, i64 {i}")
        step = self.code.op(f"mul i64 {i}, {self.stride(k, axis)}")
        return self.code.op(f"getelementptr i8, ptr {address}, i64 {step}")

    def copy_address(self, k: int, address: str, lanes: int, u: int) -> str:
        """The address of unrolled copy `u`."""
        if u == 0 or not self.moves(k):
            return address
        operand = self.kernel.operands[k]
        unit = 1 if operand.kind == "index" else item_size(operand.dtype)
        offset = str(u * lanes * unit)
        if self.stride_class(k) in ("s", "r"):
            offset = self._multiple_of_stride(k, u * lanes)
        if operand.kind == "index":
            return self.code.op(f"add i64 {address}, {offset}")
        return self.code.op(f"getelementptr i8, ptr {address}, i64 {offset}")

    def _multiple_of_stride(self, k: int, times: int) -> str:
        scope, key = self.scopes[Place.FUNCTION], ("strides", k, times)
        if key not in scope.values:
            stride = self.stride(k, 2)
            with self.code.inside(scope):
                scope.values[key] = self.code.op(f"mul i64 {stride}, {times}")
        return scope.values[key]

    def lane_addresses(self, k: int, pointer: str, lanes: int, u: int) -> str:
        """A vector of the lanes' addresses."""
        steps = self.lane_steps(k, lanes, u)
        vector = vector_type("i64", lanes)
        return self.code.op(f"getelementptr i8, ptr {pointer}, {vector} {steps}")

    def lane_steps(self, k: int, lanes: int, u: int) -> str:
        """Offsets of the lanes of copy `u`, in bytes (in units for an "index" operand)."""
        scope, key = self.scopes[Place.FUNCTION], ("steps", k, lanes, u)
        if key in scope.values:
            return scope.values[key]
        vector = vector_type("i64", lanes)
        numbers = f"<{', '.join(f'i64 {u * lanes + i}' for i in range(lanes))}>"
        operand = self.kernel.operands[k]
        if self.stride_class(k) == "1":
            size = 1 if operand.kind == "index" else item_size(operand.dtype)
            steps = f"<{', '.join(f'i64 {(u * lanes + i) * size}' for i in range(lanes))}>"
        else:
            stride = self.splat_of(f"stride{k}", self.stride(k, 2), Place.FUNCTION, "i64", lanes)
            with self.code.inside(scope):
                steps = self.code.op(f"mul {vector} {numbers}, {stride}")
        scope.values[key] = steps
        return steps

    def size(self, axis: int) -> str:
        """The loop size n0, n1 or n2."""
        return self._geometry(axis)

    def stride(self, k: int, axis: int) -> str:
        """The stride of operand k along an axis."""
        return self._geometry(3 + 3 * k + axis)

    def _geometry(self, cell: int) -> str:
        scope = self.scopes[Place.FUNCTION]
        if ("geometry", cell) not in scope.values:
            with self.code.inside(scope):
                pointer = self.code.op(f"getelementptr i64, ptr %geometry, i64 {cell}")
                scope.values["geometry", cell] = self.code.op(f"load i64, ptr {pointer}, align 8")
        return scope.values["geometry", cell]

    def whole_steps(self, size: str, step: int) -> str:
        """The largest multiple of `step`, a power of two, that is at most `size`."""
        scope, key = self.scopes[Place.FUNCTION], ("whole", size, step)
        if key not in scope.values:
            with self.code.inside(scope):
                scope.values[key] = self.code.op(f"and i64 {size}, {-step}")
        return scope.values[key]

    def tail_mask(self, i: str, stop: str, lanes: int) -> str:
        """Which lanes of the vector at `i` are before `stop`."""
        rest = self.code.op(f"sub i64 {stop}, {i}")
        rest = self.code.op(f"trunc i64 {rest} to i32")
        rest = self.code.splat(rest, "i32", lanes)
        return self.code.op(f"icmp ult {vector_type('i32', lanes)} {iota('i32', lanes)}, {rest}")

    # ---- writing ----

    def store_place(self, store: Store | Check) -> Place:
        """Where a store of a pass is performed: a check, once where its condition is known."""
        if isinstance(store, Check) and self.places[store.condition] == Place.LINE:
            return Place.LINE
        return Place.POINT

    def store(
        self, store: Store | Check, place: Place, lanes: int, copies: Sequence[int] = (0,)
    ) -> None:
        """Perform a store or a check of some copies."""
        if isinstance(store, Check):
            self._check(store, lanes, copies)
            return
        for u in copies:
            value = self.get(store.value, lanes, u)
            if store.offset in self.varying:
                pointer = self._offset_addresses(store.k, store.offset, place, 1, u)
                dtype = self.kernel.operands[store.k].dtype
                memory.store_unit(self.code, dtype, value, pointer, 1, None)
            else:
                self.store_at(store.k, value, place, lanes, u, store.offset)

    def store_at(
        self, k: int, value: str, place: Place, lanes: int, u: int, offset: Node | None = None
    ) -> None:
        """Write a value to the current point of operand k, or `offset` elements from it."""
        dtype, pointer = self.kernel.operands[k].dtype, self.address(k, place, offset)
        if self.stride_class(k) == "1" or lanes == 1:
            pointer = self.copy_address(k, pointer, lanes, u)
            streamed = k == self.streamed and offset is None
            memory.store_unit(self.code, dtype, value, pointer, lanes, self.mask, streamed)
        else:
            pointers = self.lane_addresses(k, pointer, lanes, u)
            memory.store_lanes(self.code, dtype, value, pointers, lanes, self.mask)

    def _check(self, check: Check, lanes: int, copies: Sequence[int]) -> None:
        if check.condition not in self.varying:
            lanes, copies = 1, (0,)
        bits = vector_type("i1", lanes)
        holds = self.get(check.condition, lanes, copies[0])
        for u in copies[1:]:
            holds = self.code.op(f"and {bits} {holds}, {self.get(check.condition, lanes, u)}")
        failed = self.code.op(f"xor {bits} {holds}, {literal(True, 'bool', lanes)}")
        if self.mask is not None and lanes > 1:
            failed = self.code.op(f"and {bits} {failed}, {self.mask}")
        failed = self.code.any(failed, lanes)
        cell = self.address(check.k, Place.FUNCTION)

        def report() -> State:
            self.code.line(f"  store i64 1, ptr {cell}, align 8")
            return {}

        self.code.when(failed, {}, {}, report)

    # ---- one point (or vector of points) of a pass ----

    def at_point(self, now: Pass, lanes: int, copies: int, state: State, index: str) -> State:
        """Compute a pass at the current point: values, reductions, stores. `index` is the linear
        index of the first lane over the reduced axes."""
        scope = self.scopes[Place.POINT] = self.code.scope()
        state = dict(state)
        keep = self.passes.keep
        with self.code.inside(scope):
            here = [n for n in now.nodes if self.places[n] == Place.POINT]
            if keep and keep.node in here and self.passes.passes.index(now) > keep.first:
                self._load_kept(keep, lanes, copies)
                here.remove(keep.node)
            first = [n for n in here if n.op == "load"]
            self.evaluate(first, lanes, copies)
            # What is relative to a running maximum comes after that has moved.
            for late in (False, True) if now.running else (False,):
                if late:
                    self.follow(now, lanes, copies, state)
                for node in (n for n in here if (n in self.late) == late):
                    if node.op == "scan":
                        self._scan(node, lanes, copies, state)
                    elif node.op != "load":
                        self.evaluate([node], lanes, copies)
                for node in (n for n in now.reductions if (n in self.late) == late):
                    self._accumulate(node, lanes, copies, state, index)
            if keep and now is self.passes.passes[keep.first]:
                for u in range(copies):
                    self.store_at(keep.k, self.get(keep.node, lanes, u), Place.POINT, lanes, u)
            for store in now.stores:
                if self.store_place(store) == Place.POINT:
                    self.store(store, Place.POINT, lanes, range(copies))
        return state

    def follow(self, now: Pass, lanes: int, copies: int, state: State) -> None:
        """Have the running maxima of a pass follow what was just found."""
        raise NotImplementedError

    def _load_kept(self, keep: Keep, lanes: int, copies: int) -> None:
        scope = self.scopes[Place.POINT]
        for u in range(copies):
            scope.values[keep.node, u] = self.load_at(keep.k, Place.POINT, lanes, u)

    def _scan(self, node: Node, lanes: int, copies: int, state: State) -> None:
        raise NotImplementedError

    def _accumulate(self, node: Node, lanes: int, copies: int, state: State, index: str) -> None:
        reducer = self.reducers[node]
        for u in range(copies):
            slot = self.slot(lanes, u)
            keys = [(node, slot, part) for part in range(len(reducer.parts))]
            new = reducer.update(
                self.code,
                [state[key] for key in keys],
                self.get(node.args[0], lanes, u),
                partial(self.linear_index, index, lanes, u),
                lanes,
                self.mask,
            )
            state.update(zip(keys, new, strict=True))

    def slot(self, lanes: int, u: int) -> int | str:
        """Which accumulator copy `u` adds to; scalar tails have their own."""
        return u if lanes == self.lanes else "tail"

    def linear_index(self, index: str, lanes: int, u: int) -> str:
        """The linear index over the reduced axes of each lane of copy `u`."""
        raise NotImplementedError

    def start_state(self, key: tuple, node: Node, lanes: int) -> State:
        """The start of an accumulator, with the types of its parts noted."""
        reducer = self.reducers[node]
        state: State = {}
        for part, value in enumerate(reducer.start(lanes)):
            state[*key, part] = value
            self.types[*key, part] = value_type(reducer.parts[part], lanes)
        return state

    def start_total(self, node: Node, slot: Hashable, lanes: int) -> State:
        """The start of the total of a sum, and of its error."""
        keys = [(node, "total", slot, part) for part in range(2)]
        kind = value_type(self.reducers[node].dtype, lanes)
        self.types |= dict.fromkeys(keys, kind)
        return dict(zip(keys, self.reducers[node].start_total(lanes), strict=True))

    def flush(self, node: Node, slot: Hashable, block: str, lanes: int, state: State) -> State:
        """Add a block to the total of `slot`; returns what changes."""
        keys = [(node, "total", slot, part) for part in range(2)]
        total = self.reducers[node].add_block(self.code, [state[key] for key in keys], block, lanes)
        return dict(zip(keys, total, strict=True))

    def settle(self, node: Node, slot: Hashable, block: str, lanes: int, state: State) -> str:
        """The sum of everything that `slot` has seen."""
        total = [state[node, "total", slot, part] for part in range(2)]
        return self.reducers[node].settle(self.code, total, block, lanes)

    def read_state(self, state: State, node: Node, *slot: object) -> list[str]:
        """The parts of one accumulator."""
        parts = self.reducers[node].parts
        return [state[node, *slot, part] for part in range(len(parts))]
