"""Gradients of zeros for what was not used, as a captured program has them.

A program differentiates by all tensors that a branch or a loop may use, since what runs is decided
later; what did not run gives zeros. So that an eager call gives the same gradients, and optimizers
do the same, it looks which tensors the function that was not called would have read, by running it
without computing anything, and gives these zeros too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from gleed import _C, amp
from gleed.captured.calls import Calls
from gleed.captured.errors import Unfollowed
from gleed.loop import zeros_like
from gleed.ops.record import OPS, Op, Overload, Parameter
from gleed.primitives import copy
from gleed.trace import Standin, Trace


class _Reader:
    """Hears which tensors are read that require a gradient and were there before."""

    def __init__(self) -> None:
        self.read_tensors: dict[int, Any] = {}
        self._made: dict[int, Any] = {}  # kept, so that their identity is theirs alone
        # What operations made of bodies ask a recorder for.
        self.followed: dict[int, int] = {}
        self.unfollowed: set[Any] = set()
        self.held: list[Any] = []
        self.story = Calls()

    def before(self, program: Any, tensors: Any, *rest: Any) -> bool:
        """A plan is about to run on these tensors."""
        for tensor in tensors:
            if tensor.requires_grad and id(tensor) not in self._made:
                self.read_tensors[id(tensor)] = tensor
        return True

    def after(self, outputs: Any) -> bool:
        """It has run."""
        self._made.update((id(t), t) for t in outputs)
        return True

    def node(self, program: Any, number: int) -> None:
        """A node of the backward was made."""

    def integers(self, number: int) -> None:
        """They are as they are."""

    def sizes(self, tensor: Any) -> None:
        """They are as they are."""

    strides = sizes

    def index(self, tensor: Any, index: Any) -> None:
        """There is nothing to follow in it."""

    def shape(self, tensor: Any, what: str) -> bool:
        """Sizes are known, although nothing is computed."""
        return True

    def read(self, tensor: Any, what: str) -> bool:
        """Values are not."""
        raise Unfollowed("nothing is computed here")

    def grad(self, tensor: Any, assigned: bool) -> bool:
        """A function that does more than compute what it returns is not captured either."""
        raise Unfollowed("nothing is computed here")

    def give_up(self, reason: Unfollowed) -> None:
        """Something cannot be followed."""
        raise reason


def read_by(function: Callable[..., Any], arguments: Sequence[Any]) -> list[Any]:
    """The tensors with a gradient that a function would read; none if that cannot be told, as where
    it fails: a program with it could not be captured either."""
    reader = _Reader()
    dry = _C.set_dry_runs(True)
    previous = _C.set_recorder(reader)
    try:
        with amp.separate_cache(known=True):  # what is converted here is never computed
            function(*arguments)
    except Exception:
        return []
    finally:
        _C.set_recorder(previous)
        _C.set_dry_runs(dry)
    return [*reader.read_tensors.values()]


def moment() -> int:
    """A number that nodes made from here on have greater ones than."""
    made: int = OPS["neg"].public(_leaf()).grad_fn._sequence_nr()
    return made


@lru_cache(1)
def _leaf() -> Any:
    return _C.tensor_from_data(0.0, None).requires_grad_()


def with_zeros(results: Sequence[Any], tensors: Sequence[Any], since: int) -> list[Any]:
    """The results of what ran from the moment `since` on, as of one operation: if one of them is
    used, all that any was computed from has a gradient, and so have `tensors`, of zeros."""
    unused = unreached(results, tensors, since) if tensors else []
    real = [i for i, y in enumerate(results) if y.dtype.is_floating_point]
    several = len(real) > 1 and any(y.requires_grad for y in results)
    if not real or not (unused or several):
        return list(results)
    made = _attach(len(real))([*(results[i] for i in real), *unused])
    found = list(results)
    for i, y in zip(real, made if len(real) > 1 else (made,), strict=True):
        found[i] = y
    return found


def unreached(results: Sequence[Any], tensors: Sequence[Any], since: int) -> list[Any]:
    """Those of the tensors that no path from the results leads to, over nodes made since then."""
    reached: set[Any] = set()
    stack = [y.grad_fn for y in results if y.grad_fn is not None]
    seen = set(stack)
    while stack:
        node = stack.pop()
        for following, number in node.next_functions if node._sequence_nr() > since else ():
            if following is None:
                continue
            leaf = getattr(following, "variable", None)
            reached.add((following, number) if leaf is None else id(leaf))
            if leaf is None and following not in seen:
                seen.add(following)
                stack.append(following)
    reached |= {id(y) for y in results}
    return [
        t
        for t in tensors
        if (id(t) if t.grad_fn is None else (t.grad_fn, t.output_nr)) not in reached
    ]


@lru_cache(64)
def _attach(count: int) -> Any:
    """The operation that gives its first `count` tensors; gradients that none of these has, and
    those of the others, are zeros."""

    def rule(g: Any, y: Any, *inputs: Standin) -> tuple[Standin | None, ...]:
        given = (*(g if isinstance(g, tuple) else (g,)), *(None for _ in inputs[count:]))
        pairs = zip(given, inputs, strict=True)
        return tuple(zeros_like(x) if c is None else c for c, x in pairs)

    def run(*inputs: Standin) -> Any:
        found = tuple(copy(x) for x in inputs[:count])
        return found if count > 1 else found[0]

    def body(tensors: list[Standin]) -> Any:
        return Trace.current().with_rule("cond", rule, run, tensors)

    made = Op("cond", None)
    made.overloads.append(Overload("cond", body, (Parameter("tensors", "tensors", (), ""),)))
    return made.public
