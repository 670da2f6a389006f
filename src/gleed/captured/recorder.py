"""The recorder: what the core runs while a function is captured becomes one graph.

The core tells of every plan that it runs. The graph of that plan is added to the capture's, from
what the recorder knows to be in the tensors that the plan reads; what it writes is noted in
`Memory`. So forward, backward and the optimizer's step all end up in one graph, whoever asked for
them, and every operation in it is what it is when it runs alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gleed import _C, primitives
from gleed.capture import integers_and_numbers, word_of
from gleed.captured.advice import advice
from gleed.captured.calls import Call, Calls
from gleed.captured.errors import Unfollowed
from gleed.captured.memory import Memory, Part, Place, place_of
from gleed.captured.subscript import Parts, basic_index
from gleed.compiler.dependencies import MOVEMENTS
from gleed.compiler.dims import RELATIONS, Dim, Size, hint, identity, product, translate
from gleed.compiler.fuse import written_out
from gleed.compiler.graph import Node, Value
from gleed.compiler.kernel import HALVES
from gleed.compiler.pipeline import enabled
from gleed.compiler.planning import Program
from gleed.followed import (
    Computed,
    FollowedFloat,
    FollowedInt,
    FollowedNumber,
    FollowedSize,
    fixed,
    is_followed,
)
from gleed.places import frames, users_place
from gleed.primitives.core import IRError
from gleed.primitives.movement import inverse
from gleed.trace import Standin, Trace, replay

# Where a run-time number is followed from: cell k, argument -2 - k; -1: from nowhere. A size and
# what is computed are followed themselves.
Origin = int | FollowedNumber
_UNIFORM = 64  # a constant of at most so many elements is looked through for being one number


def argument_origin(position: int) -> int:
    """The origin of a number that is the argument at a position."""
    return -2 - position


class Recorder:
    """Hears of what the core does in this thread, and makes a graph of it.

    `known` are tensors of the caller by their places, `varying` axes of them whose sizes are to be
    symbols, so that the program is for all sizes, `followed` Python numbers by identity that may
    be others at the next call, with where they are. `give_up` is called with an `Unfollowed` when
    something cannot be followed; if it returns, the function goes on uncaptured. It is the
    `Follower` of the numbers that Python sees.
    """

    def __init__(
        self,
        known: dict[Place, Any],
        varying: dict[Place, frozenset[int]],
        followed: dict[int, int],
        give_up: Callable[[Unfollowed], None],
    ) -> None:
        self.trace = Trace()
        self.trace.tape = {}
        self.memory = Memory(self.trace, self._written)
        self.story = Calls()
        # Tensors that the program reads, in the order of the graph's inputs.
        self.inputs: list[Any] = []
        self.constants: set[int] = set()  # the numbers of inputs that the function made itself
        # Run-time numbers: bits, dtype, and where it is followed from.
        self.numbers: dict[tuple[int, str, Origin], int] = {}
        self.unfollowed: set[Origin] = set()  # of them those that must be what they are
        self.live = True
        self.reason: Unfollowed | None = None  # for having given up
        self.scope = self.trace.scope
        self.held: list[Any] = []  # objects that numbers are the addresses of
        # By id: a tensor, its .grad before, whether the function needs that.
        self.gradients: dict[int, tuple[Any, Any, bool]] = {}
        self.calls = self.trace.calls  # results, with the number of the call
        self._done: dict[Any, int] = {}  # by program and operands, the number of the call
        self._owners: dict[Value, Part] = {}  # of what leaves the function
        self.known, self.varying, self.followed = known, varying, followed
        # By node what its backward gets: integers as sizes of the graph, the origins of numbers.
        self._nodes: dict[int, tuple[list[Size], Sequence[Origin]]] = {}
        # By program that has run with what it did so last, for the node that it makes.
        self._ran: dict[Program, tuple[list[Standin], Sequence[Size], Sequence[Origin], Call]] = {}
        self._give_up = give_up
        self.count = 0
        self.begun = place_of(_C.tensor_from_data(0.0, None))[0]
        self._pending: tuple[Any, ...] | None = None

    # ---- what the core calls
    def before(
        self, program: Any, tensors: Any, ints: Any, scalars: Any, arguments: Any, origin: int
    ) -> bool:
        """A plan is about to run on these tensors and numbers, for the backward of `origin`."""
        return self._try(self._before, program, tensors, ints, scalars, arguments, origin)

    def after(self, outputs: Any) -> bool:
        """It has run."""
        return self._try(self._after, outputs)

    def node(self, program: Any, number: int) -> None:
        """A plan that has run has made a node for its backward; another may have run since, which
        gave a history to what this one read."""
        if program in self._ran:
            values, ints, origins, call = self._ran.pop(program)
            self.story.node(number, call)
            sizes = (values[k].shape[axis] for k, axis in program.sizes)
            self._nodes[number] = [*ints, *sizes], origins

    def integers(self, number: int) -> tuple[Any, ...] | None:
        """The integers that the formula of a node gets; the numbers it computes with are fixed."""
        if number not in self._nodes:
            return None
        sizes, origins = self._nodes[number]
        self.unfollowed.update(o for o in origins if not is_followed(o))
        for origin in origins:
            fixed(origin)
        return tuple(map(self.size, sizes))

    def sizes(self, tensor: Any) -> Any:
        """The sizes of a tensor as Python gets to see them; None: as they are now."""
        found: list[Any] = []
        done = self._try(lambda: found.extend(self._sizes(tensor)))
        return done and (_C.Size() + tuple(found) if any(map(is_followed, found)) else None)

    def strides(self, tensor: Any) -> Any:
        """As `sizes`, of its strides, which follow from sizes where it is contiguous."""
        if not tensor.is_contiguous():
            return self.shape(tensor, "stride") and None
        sizes: list[Any] = []
        done = self.shape(tensor, "is_contiguous")
        done = done and self._try(lambda: sizes.extend(self._sizes(tensor)))
        found: tuple[Any, ...] = tuple(
            product(tuple(sizes[axis + 1 :])) for axis in range(tensor.ndim)
        )
        hints = [n.hint if is_followed(n) else n for n in found]
        if hints != [*tensor.stride()]:  # where an axis has no second element
            return self.shape(tensor, "stride") and None
        return done and found

    def index(self, tensor: Any, index: Any) -> Parts | bool | None:
        """A basic index of a tensor, if there is something to follow in it."""
        found: list[Parts | None] = []
        done = self._try(lambda: found.append(basic_index(self._sizes(tensor), index)))
        return done and found[0]

    def shape(self, tensor: Any, what: str) -> bool:
        """The core looks at the sizes of a tensor for `what`, and decides by them."""
        return self._try(self._shape, tensor, what)

    def read(self, tensor: Any, what: str) -> bool:
        """A tensor's value is about to be seen by Python."""
        return self._try(self._read, tensor, what)

    def grad(self, tensor: Any, assigned: bool) -> bool:
        """The `.grad` of a tensor is about to be read, added to, or assigned."""
        if id(tensor) not in self.gradients:
            self.gradients[id(tensor)] = tensor, tensor.grad, not assigned
        if assigned or tensor.grad is None:
            return True
        return self._try(self.place, tensor)  # an input, by which the gradient is found

    def gradients_before(self) -> list[tuple[Any, Any]]:
        """Tensors with the gradients that they had, where the function uses these."""
        return [(t, before) for t, before, read in self.gradients.values() if read]

    def _try(self, step: Callable[..., object], *args: Any) -> bool:
        try:
            step(*args)
        except Unfollowed as reason:
            self.give_up(reason)
            return False
        except IRError as error:
            self.stop(f"operations must fit together; {error}", "report this")
            return False
        return True

    def stop(self, rule: str, fix: str) -> None:
        """Give up."""
        self.give_up(Unfollowed(rule, fix))

    def give_up(self, reason: Unfollowed) -> None:
        """Give up for a reason that was raised."""
        self.live, self.reason = False, reason
        self._give_up(reason)

    def require_followed(self) -> None:
        """Raise why it has given up, if the function has caught that."""
        if self.reason is not None:
            self._give_up(self.reason)

    # ---- numbers that Python sees
    def size(self, size: Size) -> Any:
        """A size of the graph as Python sees it."""
        size = self.scope.resolve(size)
        return FollowedSize(size.hint, size, self) if isinstance(size, Dim) else size

    def number(self, value: int | float, position: int) -> FollowedNumber:
        """The argument at a position as Python sees it."""
        kind = FollowedInt if isinstance(value, int) else FollowedFloat
        return kind(value, argument_origin(position), self)

    def fix(self, number: FollowedNumber) -> None:
        """A number must be what it is in this call."""
        if isinstance(number.symbol, Dim):
            self.scope.equal(number.symbol, number.hint)
        elif isinstance(number.symbol, Computed):
            fixed(number.symbol.args)
        else:
            self.unfollowed.add(number.symbol)

    def _sizes(self, tensor: Any) -> list[Any]:
        place = place_of(tensor)
        if place[0] > self.begun and not self.memory.knows(place):
            return [*place[3]]
        return [self.size(n) for n in self.memory.read(self.place(tensor)).shape]

    # ---- one call
    def _before(
        self, program: Any, tensors: Any, ints: Any, scalars: Any, arguments: Any, origin: int
    ) -> None:
        if program is None:
            raise Unfollowed("a plan runs that tells nothing of its program")
        self.story.begin(program.name, origin)
        if any(n.primitive and n.primitive.attributes.get("dynamic") for n in program.graph.nodes):
            raise Unfollowed(
                "the sizes of results must follow from sizes; they depend on a tensor's values",
                "use gleed.where() in place of masks, or compute it outside",
            )
        self.held += [x for x in arguments if isinstance(x, _C.Generator)]
        places = [self._operand(program, k, tensor) for k, tensor in enumerate(tensors)]
        values = [self.memory.read(place) for place in places]
        origins: Sequence[Origin]
        if origin in self._nodes:
            ints, origins = self._nodes[origin]
        else:
            ints, origins = self._followed_in(program, arguments, ints, scalars)
        self._pending = program, places, values, ints, scalars, origins

    def _after(self, outputs: Sequence[Any]) -> None:
        assert self._pending is not None
        program, places, values, ints, scalars, origins = self._pending
        self._pending = None
        self._ran[program] = values, ints, origins, self.story.all[-1]
        # The same computed again is computed once.
        symbols = (o.symbol if is_followed(o) else o for o in origins)
        numbers = *scalars, *map(identity, (*ints, *symbols))
        same = program, tuple(v.value for v in values), numbers
        done = self._done if enabled("calls") else {}
        self.trace.call = done.setdefault(same, self.count)
        before = self.count + 1
        results = self._replayed(program, places, values, ints, scalars, origins)
        self.count += 1
        self.story.numbered.update((k, self.story.all[-1]) for k in range(before, self.count + 1))
        for value in results:
            self.calls.setdefault(value.value, self.count)
            self.calls.setdefault(_under(value.value), self.count)
        for i, k in program.written.items():
            self.memory.write(places[k], results[i])
        sources = {place[0]: place for place in places}
        for i, (tensor, value) in enumerate(zip(outputs, results, strict=True)):
            if i in program.written:
                continue
            place = place_of(tensor)
            if place in places and self.memory.read(place).value is value.value:
                continue
            if place[0] in sources:
                self.memory.alias(place, value, self._source(place, places, value))
            elif not self.memory.knows(place):
                self.memory.add(place, self._result(place, value))

    def _written(self, place: Place, value: Standin) -> Standin:
        """A value as the memory that it is written to holds it: no view of other memory, and in the
        order of axes there."""
        if value.value.node.kind in (*MOVEMENTS, "input"):
            value = self._copy(value)
        return self._laid_out(place, value)

    def _result(self, place: Place, value: Standin) -> Standin:
        """A result in the order of axes that it has in its memory."""
        return self._laid_out(place, value) if value.value.node.kind == "pointwise" else value

    def leaving(self, tensor: Any) -> Standin:
        """What a tensor holds that leaves the function: in memory that it shares only with those
        that it shares memory with eagerly. A copy, or the same computed twice, is one value here.
        """
        place = self.place(tensor)
        part = self.memory.part_of(place)
        under = _under(part.value.value)
        if under.node.op == "input" and part.tensor is not None:
            return self.memory.read(place)
        if under.node.op == "input" or self._owners.setdefault(under, part) is not part:
            self.memory.replace(part, self._laid_out(part.place, self._copy(part.value)))
        return self.memory.read(place)

    def view_of_input(self, place: Place, part: Part) -> Standin:
        """A view of an input whatever that holds, which will be what is written to it."""
        number = next(k for k, tensor in enumerate(self.inputs) if tensor is part.tensor)
        value = Standin(self.trace, self.trace.inputs[number])
        with self.trace.untaped():
            for primitive, attrs in self.memory.way_to(place):
                value = self.trace.emit(primitive, (value,), attrs)
        return value

    def _copy(self, value: Standin) -> Standin:
        with self.trace.untaped():
            copy: Standin = primitives.copy(value)
        self.calls[copy.value] = self.count
        return copy

    def _laid_out(self, place: Place, value: Standin) -> Standin:
        _, _, _, sizes, strides = place
        order = _dense_order(sizes, strides)
        if order is None or order == tuple(range(len(order))):
            return value
        with self.trace.untaped():
            there = primitives.compact(primitives.permute(value, axes=order))
            self.calls[there.value] = self.count
            return primitives.permute(there, axes=inverse(order))

    def _source(self, place: Place, places: list[Place], value: Standin) -> Place:
        """The argument that a result is a view of."""
        under = value.value
        found = {self.memory.read(p).value: p for p in places if p[0] == place[0]}
        while under not in found:
            if not under.node.inputs:
                raise Unfollowed("a view is made in a way that a capture cannot follow")
            under = under.node.inputs[0]
        return found[under]

    def _replayed(
        self,
        program: Program,
        places: list[Place],
        values: list[Standin],
        ints: Any,
        scalars: Any,
        origins: Sequence[Origin],
    ) -> list[Standin]:
        """The results of a program, computed in the capture's graph."""

        def known(size: Dim) -> Size | None:
            found = program.symbols.get(size) if program.symbols is not None else None
            if found is None and size.op in ("size", "int"):
                found = (size.op, *size.args)
            if found is None:
                return stride(*size.args) if size.op == "stride" else None
            return ints[found[1]] if found[0] == "int" else values[found[1]].shape[found[2]]

        def stride(k: int, axis: int) -> Size:
            # Of what has gaps only the order of its strides counts, which sizes do not change.
            _, _, _, sizes, strides = places[k]
            order = _dense_order(sizes, strides)
            if order is None:
                return strides[axis]
            return product(tuple(values[k].shape[a] for a in order[order.index(axis) + 1 :]))

        there: dict[Dim, Size] = {}

        def moved(size: Size) -> Size:
            if not isinstance(size, Dim):
                return size
            if size not in there:
                there[size] = translate(program.scope.resolve(size), known)
            return there[size]

        for relation, a, b in program.guards:
            self._decide(relation, translate(a, known), translate(b, known))
        params = {
            k: self._number(scalars[k], node.outputs[0].dtype, origins[k])
            for node in program.graph.nodes
            if node.op == "param" and (k := node.attrs["key"]) >= 0
        }
        made: dict[Value, Standin] = {}
        results = replay(self.trace, program.graph, values, params, moved, keep_looped, made)
        calls = program.placement.calls if program.placement else {}
        for value, call in calls.items():  # one plan that was several calls
            self.calls.setdefault(made[value].value, self.count + call)
        self.count += max(calls.values(), default=0)
        return [self._rounded(y) for y in results]

    @staticmethod
    def _decide(relation: str, a: Size, b: Size) -> None:
        """Take a decision of a program's as one of the capture's."""
        symbolic = isinstance(a, Dim) or isinstance(b, Dim)
        if symbolic and not RELATIONS[relation](a, b):
            raise Unfollowed("a program runs whose conditions do not hold")

    def _rounded(self, y: Standin) -> Standin:
        """A result as memory holds it; what is computed of it must not see more digits."""
        if y.dtype in HALVES and y.value.node.kind in ("pointwise", "reduce"):
            with self.trace.untaped():
                y = primitives.rounded(y, dtype=y.dtype)
        return y

    def _followed_in(
        self, program: Program, arguments: Any, ints: Sequence[int], scalars: Sequence[int]
    ) -> tuple[Sequence[Size], Sequence[Origin]]:
        """The integers of a call as sizes, and for every run-time number where it is from."""
        whole, numbers = integers_and_numbers(program.kinds, arguments)
        sizes: Sequence[Size] = ints
        if any(map(is_followed, whole)):
            symbols = (n.symbol if isinstance(n, FollowedSize) else fixed(n) for n in whole)
            sizes = [self.scope.resolve(size) for size in symbols]
        origins: list[Origin] = [-1] * len(scalars)
        for i, number in enumerate(numbers):
            if is_followed(number):
                origins[i] = number.symbol if type(number.symbol) is int else number
            else:
                origins[i] = self.followed.get(id(number), -1)
        handed = set(map(id, numbers))
        others = (id(x) for x in arguments if id(x) not in handed)
        self.unfollowed.update(self.followed[x] for x in others if x in self.followed)
        return sizes, origins

    def _number(self, bits: int, dtype: str, origin: Origin) -> Standin:
        if is_followed(origin):
            return self._followed(origin)
        k = self.numbers.setdefault((bits, dtype, origin), len(self.numbers))
        return self.trace.param(k, dtype)

    def _followed(self, number: Any) -> Standin:
        """A followed number in the graph."""
        symbol = number.symbol
        if isinstance(symbol, Dim):
            return self.trace.size(self.scope.resolve(symbol))
        if isinstance(symbol, Computed):
            with self.trace.untaped():
                value = getattr(primitives, symbol.op)(*map(self._float, symbol.args))
            return Standin(self.trace, value.value, weak=True)
        bits, dtype = word_of(number.hint)
        return self._number(bits, dtype, symbol)

    def _float(self, number: Any) -> Standin:
        """A number, followed or not, as a float to compute with."""
        if not is_followed(number):
            return self.trace.const(float(number), "f64")
        value = self._followed(number)
        return value if value.dtype == "f64" else primitives.cast(value, dtype="f64")

    # ---- tensors
    def place(self, tensor: Any) -> Place:
        """Where a tensor is, which is known from here on."""
        place = place_of(tensor)
        if self.memory.knows(place):
            return place
        if place[0] <= self.begun:
            self._external(self.known.get(place, tensor), place)
        else:
            self._constant(tensor, place)
        return place

    def _operand(self, program: Program, k: int, tensor: Any) -> Place:
        """Where operand `k` of a program is. New memory that is overwritten unread holds zeros."""
        place = place_of(tensor)
        new = place[0] > self.begun and not self.memory.knows(place)
        if new and k in program.written.values():
            graph = program.graph
            read = {v for node in graph.nodes for v in node.inputs}
            if graph.inputs[k] not in read:
                zeros = self.trace.full(tuple(tensor.shape), 0, place[1])
                self.memory.add(place, zeros)
        return self.place(tensor)

    def _external(self, tensor: Any, place: Place) -> None:
        """A tensor that was there before becomes an input."""
        self.memory.add(place, self._input(tensor, place), tensor)

    def _input(self, tensor: Any, place: Place) -> Standin:
        _, dtype, _, sizes, strides = place
        scope = self.trace.scope
        value = self.trace.argument(dtype, sizes)
        varying = self._symbolic(place) if row_major(sizes, strides) else ()
        for axis, size in enumerate(sizes):
            if axis not in varying or size < 2:
                scope.equal(value.shape[axis], size)
            else:
                scope.less(1, value.shape[axis])  # layouts of one element are others
        self._fix_strides(value, strides, bool(varying))
        # What follows tells axes of one element from others by their sizes being numbers.
        value.value.shape = tuple(map(scope.resolve, value.shape))
        self.inputs.append(tensor)
        return value

    def _fix_strides(self, value: Standin, strides: tuple[int, ...], dense: bool) -> None:
        """Decide that the next input is laid out as it is: results are laid out as the arguments
        are, and reductions go by that."""
        scope, k = self.trace.scope, len(self.inputs)
        for axis, (stride, size) in enumerate(zip(strides, value.shape, strict=True)):
            step = product(value.shape[axis + 1 :]) if dense else stride
            if hint(size) > 1:
                scope.equal(scope.symbol(("stride", k, axis), stride), step)

    def _symbolic(self, place: Place) -> frozenset[int]:
        """The axes whose sizes are to be symbols."""
        return self.varying.get(place, frozenset())

    def _constant(self, tensor: Any, place: Place) -> None:
        """A tensor that the function has made of numbers: its values are part of the program."""
        shape = tensor.shape
        if tensor.numel() <= _UNIFORM and tensor.numel() and len(set(_flat(tensor.tolist()))) == 1:
            value = self.trace.full(tuple(shape), next(_flat(tensor.tolist())), place[1])
        else:
            self.constants.add(len(self.inputs))
            dry = _C.set_dry_runs(False)
            try:
                copy = tensor.detach().clone()
            finally:
                _C.set_dry_runs(dry)
            value = self._input(copy, place)
        self.memory.add(place, value)

    def cotangent(self, like: Any) -> Any:
        """A tensor that stands for the cotangent of `like`, and its value, a leaf of its own."""
        tensor = _C.empty_strided(tuple(like.shape), tuple(like.stride()), like.dtype)
        place = place_of(tensor)
        shape = self.memory.read(self.place(like)).shape
        leaf = Node.leaf("input", ("cotangent",), place[1], shape)
        value = Standin(self.trace, leaf.outputs[0])
        self.memory.add(place, value)
        return tensor, value

    def _shape(self, tensor: Any, what: str) -> None:
        sizes = self._sizes(tensor)
        for size in sizes[:1] if what in ("len", "iter") else sizes:
            # Whether memory is contiguous depends on which axes have one element.
            if what != "is_contiguous" or not size > 1:
                fixed(size)

    def _read(self, tensor: Any, what: str) -> None:
        *_, frame = frames()
        raise Unfollowed(
            f"the value of a tensor is known only when the captured program runs; {what} needs it",
            advice(what, users_place().text, frame),
        )


def _under(value: Value) -> Value:
    """What a value is a view of."""
    while value.node.kind in MOVEMENTS:
        value = value.node.inputs[0]
    return value


def keep_looped(node: Node, y: Standin) -> None:
    """Sizes are known here that were not; a reduction adds in the same order all the same."""
    if node.kind == "reduce" and not written_out(node.outputs[0]):
        y.value.node.looped = True


def _dense_order(sizes: Sequence[int], strides: Sequence[int]) -> tuple[int, ...] | None:
    """The axes from the outermost to the innermost; None if there are gaps between elements."""
    # Of equal strides, that of an axis of one element is the inner one.
    order = tuple(sorted(range(len(sizes)), key=lambda a: (-strides[a], sizes[a] == 1)))
    dense = row_major([sizes[a] for a in order], [strides[a] for a in order])
    return order if dense else None


def row_major(sizes: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether elements lie densely in the order of their indices."""
    step = 1
    for size, stride in zip(reversed(sizes), reversed(strides), strict=True):
        if size != 1 and stride != step:
            return False
        step *= max(size, 1)
    return True


def _flat(items: Any) -> Any:
    if isinstance(items, list):
        for item in items:
            yield from _flat(item)
    else:
        yield items
