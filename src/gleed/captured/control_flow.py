"""Control flow as operations: `cond`, `while_loop`, `scan` and `map`.

Eagerly `cond` and `while_loop` look at the value that decides and run the Python function. While a
function is captured they record all functions instead, and become one operation of the program.
`zeros` gives what did not run the same gradients in both modes. `scan` and `map` are operations in
both: their function is run once, on tensors that stand for a step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

from gleed import _C, amp
from gleed._C import Tensor
from gleed.captured.body import Recording, record
from gleed.captured.errors import Unfollowed
from gleed.captured.memory import place_of
from gleed.captured.operands import (
    Parts,
    as_text,
    require_decision,
    require_functions,
    require_like,
    require_structure,
    require_tensors,
    with_tensors,
)
from gleed.captured.recorder import Recorder, row_major
from gleed.captured.structure import Form, build, take_apart
from gleed.captured.zeros import moment, read_by, with_zeros
from gleed.errors import ArgumentError, ShapeError
from gleed.flow import Body, Chosen, branch
from gleed.loop import loop, row_of
from gleed.memory_formats import contiguous_format, format_strides
from gleed.ops.record import OPS, Op, Overload, Parameter
from gleed.primitives import copy, reshape
from gleed.primitives.core import require, same_shape
from gleed.repeat import repeat
from gleed.trace import Standin

_REMEMBERED = 256  # operations made of bodies


def cond(
    pred: Any,
    true_fn: Callable[..., Any],
    false_fn: Callable[..., Any],
    operands: tuple[Any, ...] | list[Any] = (),
) -> Any:
    """`true_fn(*operands)` if `pred`, else `false_fn(*operands)`.

    In a function under `gleed.compile` both functions become part of the program, which runs the
    one that `pred` says; both must return the same structure of tensors then, of the same dtypes
    and shapes. The functions may use other tensors than their operands, and draw random numbers;
    captured they must not write to tensors that were there before. Gradients are those of the
    function that ran, and zeros for what only the other one uses: to find out what that is, it is
    run without computing anything, unless under `no_grad()`.

    Args:
        pred: a Python number or a bool tensor with one element.
        true_fn, false_fn: functions that return a tensor, or tuples, lists and dictionaries of
            tensors. Results are new tensors in memory order, also where an operand is returned.
        operands: a tuple or list of tensors, or of tuples, lists and dictionaries of tensors.

    >>> import gleed
    >>> @gleed.compile(fullgraph=True)
    ... def step(x):
    ...     return gleed.cond(x.sum() > 0, lambda x: x.sqrt(), lambda x: -x, (x,))
    >>> step(gleed.tensor([4.0, 9.0])), step(gleed.tensor([-4.0, 1.0]))
    (tensor([2., 3.]), tensor([ 4., -1.]))
    """
    require_functions("cond", true_fn=true_fn, false_fn=false_fn)
    if not isinstance(operands, tuple | list):
        raise ArgumentError(
            f"cond: operands must be a tuple or list; got {type(operands).__name__}; "
            "write (x,) for one"
        )
    require_tensors("cond", "operands", operands)
    if not isinstance(pred, Tensor):
        return _results("cond", true_fn if pred else false_fn, operands)
    require_decision("cond: pred must be a number or", pred)
    if _C.is_recording():
        captured = _captured(lambda outer: _branch(outer, pred, true_fn, false_fn, operands))
        if captured is not None:
            return captured[0]
    chosen, other = (true_fn, false_fn) if pred.item() else (false_fn, true_fn)
    if not _C.is_grad_enabled():
        return _results("cond", chosen, operands)
    unused, since = read_by(other, operands), moment()
    made, form = _made("cond", chosen, _viewed(operands))
    return build(form, with_zeros(made, unused, since))


def while_loop(
    cond_fn: Callable[..., Any], body_fn: Callable[..., Any], carried_inputs: Any
) -> tuple[Any, ...]:
    """Run `carried = body_fn(*carried)` as long as `cond_fn(*carried)` is true; returns `carried`.

    In a function under `gleed.compile` this is one loop of the program. Its gradient keeps no
    states: it runs the turns again, three times where there are up to 1024, and more often before
    the last of more. `scan`, which keeps what it needs, is faster where the number of turns is
    known. Turns that are run again meet the random numbers of the first time, and generators are
    left alone; captured, there is no gradient where `cond_fn` draws. All that is carried, and what
    a turn reads besides, has a gradient if a result has: zeros where nothing is left of it.

    Args:
        cond_fn: returns a bool, or a bool tensor with one element.
        body_fn: returns a tuple or list like `carried_inputs`: the same structure, dtypes, shapes.
        carried_inputs: a tuple or list of tensors, or of structures of tensors. Numbers, here and
            where `body_fn` returns some, become 0-d tensors.

    >>> import gleed
    >>> def halve(n, x):
    ...     return n + 1, x / 2
    >>> start = gleed.tensor(0), gleed.tensor([5.0, 3.0])
    >>> gleed.while_loop(lambda n, x: x.max() > 1, halve, start)
    (tensor(3), tensor([0.6250, 0.3750]))
    >>> @gleed.compile(fullgraph=True)
    ... def power(x, n):
    ...     turn = lambda i, y: (i + 1, y * x)
    ...     return gleed.while_loop(lambda i, y: i < n, turn, (gleed.tensor(1), x))[1]
    >>> x = gleed.tensor(3.0, requires_grad=True)
    >>> gleed.autograd.grad(power(x, gleed.tensor(4)), x)
    (tensor(108.),)
    """
    require_functions("while_loop", cond_fn=cond_fn, body_fn=body_fn)
    if not isinstance(carried_inputs, tuple | list) or not carried_inputs:
        raise ArgumentError(
            "while_loop: carried_inputs must be a tuple or list of at least one; got "
            f"{type(carried_inputs).__name__}; write (x,) for one"
        )
    carried = with_tensors(tuple(carried_inputs))
    require_tensors("while_loop", "carried_inputs", carried)
    if _C.is_recording():
        captured = _captured(lambda outer: _repeated(outer, cond_fn, body_fn, carried))
        if captured is not None:
            return tuple(captured[0])
    tensors, form = first = _made("while_loop", lambda *now: now, carried)
    states: tuple[Any, ...] = build(form, tensors)
    since = moment() if _C.is_grad_enabled() else None
    while _decided(cond_fn(*states)):
        following = _made("while_loop", partial(_turned, body_fn), states)
        require_like("while_loop", "body_fn", following, "carried_inputs", first)
        tensors = following[0]
        states = build(form, tensors)
    if since is not None:
        began = [t for t in first[0] if t.requires_grad]
        used = read_by(body_fn, states) if tensors is first[0] else began
        states = build(form, with_zeros(tensors, used, since))
    return states


def scan(
    combine_fn: Callable[[Any, Any], Any],
    init: Any,
    xs: Any,
    *,
    dim: int = 0,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """Go over the steps of `xs` along `dim`: `carry, y = combine_fn(carry, x)`, from `init` on.

    `combine_fn` is run once, on tensors that stand for a step, and becomes a loop of the program,
    eagerly too; its Python effects happen once, and tensors that it leaves in Python's variables
    hold no numbers. Where it needs values in Python, it runs at every step. Gradients go to `init`,
    `xs` and all tensors that it uses, to any order.

    Args:
        combine_fn: returns the next carry, of the structure, dtypes and shapes of `init`, and a
            tensor or structure of tensors.
        init: a tensor or structure of tensors. Numbers, here and where `combine_fn` returns some,
            become 0-d tensors.
        xs: a tensor or structure of tensors of one length T along `dim`.
        dim: which axis is that of the steps.
        reverse: whether to begin with the last step.

    Returns the last carry, and what all steps gave, stacked along `dim` (along axis 0 where that
    has fewer axes), in the order of `xs`.

    >>> import gleed
    >>> def step(total, x):
    ...     return total + x, total * x
    >>> gleed.scan(step, gleed.tensor(0.0), gleed.tensor([1.0, 2.0, 3.0]))
    (tensor(6.), tensor([0., 2., 9.]))
    """
    require_functions("scan", combine_fn=combine_fn)
    init = with_tensors(init)
    require_tensors("scan", "init", init)
    if not take_apart(init)[0]:
        raise ArgumentError("scan: init must have a tensor; got none; use map for steps alone")
    rows, form, axis = _steps("scan", xs, dim)
    if not rows:
        return init, []
    carry, ys = _scanned("scan", combine_fn, init, rows, form, reverse)
    tensors, structure = take_apart(ys)
    tensors = [y.movedim(0, axis) if axis < y.ndim else y for y in tensors]
    return carry, build(structure, tensors)


def map(f: Callable[..., Any], xs: Any, *args: Any) -> Any:
    """`f(x, *args)` for every row x of `xs`, stacked: as `scan` without a carry.

    Args:
        f: returns a tensor or a structure of tensors.
        xs: a tensor or structure of tensors of one length along the first axis.
        args: whatever else `f` takes.

    >>> import gleed
    >>> gleed.map(lambda row, y: row.sum() * y, gleed.ones(3, 2), gleed.tensor([1.0, 10.0]))
    tensor([[ 2., 20.],
            [ 2., 20.],
            [ 2., 20.]])
    """
    require_functions("map", f=f)
    rows, form, _ = _steps("map", xs, 0)
    if not rows:
        raise ArgumentError("map: xs must have a tensor; got none; pass what to go over")
    return _scanned("map", lambda _, x: ((), f(x, *args)), (), rows, form, False)[1]


def _viewed(operands: Any) -> Any:
    """Views of operands that require gradients: what these get in a branch is added up on its own,
    and then to what they get elsewhere, which is the order of captured programs."""
    tensors, form = take_apart(operands)
    return build(form, [t.view(t.shape) if t.requires_grad else t for t in tensors])


# ---- what users give
def _decided(value: Any) -> bool:
    """What `cond_fn` says."""
    if not isinstance(value, Tensor):
        return bool(value)
    require_decision("while_loop: cond_fn must return a bool or", value)
    return bool(value.item())


def _steps(name: str, xs: Any, dim: int) -> tuple[list[Any], Form, int]:
    """The tensors to go over, steps first, their structure, and the axis of the steps."""
    require_tensors(name, "xs", xs)
    tensors, form = take_apart(xs)
    sizes = [place_of(x)[3] for x in tensors]
    axis = dim + len(sizes[0]) if tensors and dim < 0 else dim
    if any(not 0 <= axis < len(shape) for shape in sizes):
        raise ShapeError(
            f"{name}: xs must have the axis of the steps; got axis {dim} of shapes "
            f"{', '.join(str(shape) for shape in sizes)}; unsqueeze() what has too few"
        )
    if len({shape[axis] for shape in sizes}) > 1:
        raise ShapeError(
            f"{name}: all of xs must have as many steps; got shapes "
            f"{', '.join(str(shape) for shape in sizes)} along axis {axis}; cut them to one length"
        )
    return [x.movedim(axis, 0) if axis else x for x in tensors], form, axis


# ---- what functions return
def _made(name: str, function: Callable[..., Any], arguments: Sequence[Any]) -> Parts:
    """What a function returns, as tensors of their own, in memory order: so it is what it is when
    an operation computes it."""
    begun = place_of(_C.tensor_from_data(0.0, None))[0]
    with amp.separate_cache(known=True):  # what one branch converts is not there for others
        tensors, form = take_apart(function(*arguments))
    require_structure(name, "what a function returns", form)
    seen: set[int] = set()
    for i, tensor in enumerate(tensors):
        serial, _, _, sizes, strides = place_of(tensor)
        if not row_major(sizes, strides):
            tensors[i] = tensor.contiguous()
        elif serial <= begun or serial in seen:
            tensors[i] = tensor.clone()
        seen.add(serial)
    return tensors, form


def _results(name: str, function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    tensors, form = _made(name, function, arguments)
    return build(form, tensors)


def _turned(body_fn: Callable[..., Any], *states: Any) -> tuple[Any, ...]:
    """The next states as a tuple."""
    found = body_fn(*states)
    if isinstance(found, Tensor):
        return (found,)
    if not isinstance(found, tuple | list):
        raise ArgumentError(
            "while_loop: body_fn must return a tuple or list like carried_inputs; got "
            f"{type(found).__name__}; write (x,) for one"
        )
    return with_tensors(tuple(found))


def _pair(name: str, function: Callable[..., Any], carry: Any, x: Any) -> Any:
    """What a turn of a scan returns."""
    found = _results(name, lambda: with_tensors(function(carry, x)), ())
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise ArgumentError(
            f"{name}: combine_fn must return a carry and a result; got "
            f"{as_text(take_apart(found)[1])}; return two values"
        )
    require_like(name, "combine_fn", take_apart(found[0]), "init", take_apart(carry))
    return tuple(found)


def _stand_in(
    tensor: Any, sizes: tuple[int, ...], strides: tuple[int, ...], requires_grad: bool
) -> Any:
    """A leaf that stands for a tensor of these sizes."""
    made = _C.empty_strided(sizes, strides, tensor.dtype)
    return made.requires_grad_(requires_grad and tensor.dtype.is_floating_point)


def _dense(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a tensor in memory order."""
    return format_strides(sizes, contiguous_format)


# ---- operations of bodies
def _captured(attempt: Callable[[Any], Callable[[], Any]]) -> tuple[Any] | None:
    """What the operation that `attempt` makes for the capture that is going on computes; None if
    something in it cannot be followed, so that the functions must run in Python."""
    outer = _C.set_recorder(None)
    try:
        operation = attempt(outer)
    except Unfollowed as reason:
        if outer is not None:
            outer.give_up(reason)
        return None
    except BaseException:
        _C.set_recorder(outer)
        raise
    _C.set_recorder(outer)
    return (operation(),)


def _operation(name: str, body: Callable[..., Any], numbers: int) -> Any:
    """An operation on tensors and run-time numbers."""
    parameters = [Parameter("tensors", "tensors", (), "")]
    parameters += [Parameter(f"number{k}", "scalar", 0, "") for k in range(numbers)]
    made = Op(name, None)
    made.overloads.append(Overload(name, body, tuple(parameters)))
    return made.public


def _tuple(found: Any) -> list[Any]:
    return list(found) if isinstance(found, tuple) else [found]


def _together(
    outer: Recorder | None, recordings: Sequence[Recording], shared: int
) -> tuple[list[Any], list[Any], list[Body]]:
    """The inputs of several bodies, of which the first `shared` are the same, without doubles; the
    run-time numbers; the bodies as they take all these. The next call of `outer` is theirs."""
    tensors = recordings[0].tensors[:shared]
    places = {place_of(t): i for i, t in enumerate(tensors)}
    chosen: list[list[int]] = []
    for recording in recordings:
        chosen.append(list(range(shared)))
        for tensor in recording.tensors[shared:]:
            place = place_of(tensor)
            if place not in places:
                places[place] = len(tensors)
                tensors.append(tensor)
            chosen[-1].append(places[place])
    numbers: list[Any] = []
    for recording, own in zip(recordings, chosen, strict=True):
        first = len(tensors) + len(numbers)
        own.extend(range(first, first + len(recording.numbers)))
        numbers += recording.numbers
        if outer is not None:
            outer.held += recording.held
    if outer is not None:
        outer.story.bodies = tuple(recording.calls for recording in recordings)
    pairs = zip(recordings, chosen, strict=True)
    return tensors, numbers, [Chosen(r.body, tuple(own)) for r, own in pairs]


def _branch(
    outer: Recorder,
    pred: Any,
    true_fn: Callable[..., Any],
    false_fn: Callable[..., Any],
    operands: Sequence[Any],
) -> Callable[[], Any]:
    given, form = take_apart(operands)
    # Each has a gradient of its own, also where two share memory.
    stands = [_stand_in(t, *place_of(t)[3:], t.requires_grad) for t in given]
    arguments = build(form, stands)
    one, other = (
        record(partial(_results, "cond", f, arguments), stands, outer, differentiate=True)
        for f in (true_fn, false_fn)
    )
    require_like("cond", "false_fn", (other.made, other.form), "true_fn", (one.made, one.form))
    tensors, numbers, bodies = _together(outer, (one, other), len(stands))
    operation = _branch_operation(tuple(bodies), len(one.made), len(numbers))
    inputs = [pred, *given, *tensors[len(stands) :]]
    return lambda: build(one.form, _tuple(operation(inputs, *numbers)))


@lru_cache(_REMEMBERED)
def _branch_operation(bodies: tuple[Body, Body], results: int, numbers: int) -> Any:
    def body(tensors: list[Standin], *numbers: Standin) -> Any:
        found = branch(reshape(tensors[0], shape=()), [*tensors[1:], *numbers], bodies, results)
        return found if results > 1 else found[0]

    return _operation("cond", body, numbers)


def _repeated(
    outer: Recorder,
    cond_fn: Callable[..., Any],
    body_fn: Callable[..., Any],
    carried: tuple[Any, ...],
) -> Callable[[], Any]:
    starts, form = take_apart(carried)
    sizes = [place_of(t)[3] for t in starts]
    grad = _C.is_grad_enabled()
    states = [_stand_in(t, n, _dense(n), grad) for t, n in zip(starts, sizes, strict=True)]
    given = build(form, states)

    def decision() -> Any:
        value = cond_fn(*given)
        if not isinstance(value, Tensor):
            raise Unfollowed(
                "the cond_fn of a while_loop must return a tensor; it returns "
                f"{type(value).__name__}",
                "compute it from the tensors that are carried",
            )
        require_decision("while_loop: cond_fn must return a bool or", value)
        return value.reshape(())

    check = record(decision, states, outer, differentiate=False)
    run = partial(_results, "while_loop", partial(_turned, body_fn), given)
    turn = record(run, states, outer, differentiate=grad)
    require_like("while_loop", "body_fn", (turn.made, turn.form), "carried_inputs", (states, form))
    tensors, numbers, (condition, body) = _together(outer, (check, turn), len(states))
    inputs = [*starts, *tensors[len(states) :]]
    differentiable = grad and any(t.requires_grad for t in inputs)
    if differentiable and condition.draws:
        raise Unfollowed(
            "a captured while_loop whose cond_fn draws random numbers has no gradient, which would "
            "run its turns again",
            "let body_fn draw, and hand on what it has drawn",
        )
    operation = _repeat_operation(condition, body, len(states), len(numbers), differentiable)
    return lambda: build(form, _tuple(operation(inputs, *numbers)))


@lru_cache(_REMEMBERED)
def _repeat_operation(
    condition: Body, turn: Body, carried: int, numbers: int, differentiable: bool
) -> Any:
    def body(tensors: list[Standin], *numbers: Standin) -> Any:
        constants = [*tensors[carried:], *numbers]
        found = repeat(tensors[:carried], constants, condition, turn, counted=differentiable)
        return found if carried > 1 else found[0]

    return _operation("while_loop", body, numbers)


def _scanned(
    name: str,
    function: Callable[..., Any],
    init: Any,
    rows: list[Any],
    form: Form,
    reverse: bool,
) -> tuple[Any, Any]:
    """The last carry, and all results stacked along axis 0."""
    captured = _captured(lambda outer: _looped(outer, name, function, init, rows, form, reverse))
    if captured is not None:
        return captured[0]
    carry, found = init, []
    for i in range(len(rows[0])):
        x = build(form, [row[~i if reverse else i] for row in rows])
        carry, y = _pair(name, function, carry, x)
        found.append(y)
    if not found:
        raise ArgumentError(
            f"{name}: a function that must run in Python needs a step; got none; leave out an "
            "empty xs"
        )
    steps = [take_apart(y)[0] for y in (found[::-1] if reverse else found)]
    stack = OPS["stack"].public
    return carry, build(take_apart(found[0])[1], [stack(ys) for ys in zip(*steps, strict=True)])


def _looped(
    outer: Recorder | None,
    name: str,
    function: Callable[..., Any],
    init: Any,
    rows: list[Any],
    form: Form,
    reverse: bool,
) -> Callable[[], Any]:
    starts, structure = take_apart(init)
    grad = _C.is_grad_enabled()
    sizes = [place_of(t)[3] for t in starts] + [place_of(t)[3][1:] for t in rows]
    pairs = zip([*starts, *rows], sizes, strict=True)
    stands = [_stand_in(t, n, _dense(n), grad) for t, n in pairs]
    carry, x = build(structure, stands[: len(starts)]), build(form, stands[len(starts) :])
    turn = record(lambda: _pair(name, function, carry, x), stands, outer, differentiate=grad)
    tensors, numbers, (body,) = _together(outer, (turn,), len(stands))
    counts = len(starts), len(rows), len(turn.made)
    operation = _loop_operation(name, body, counts, reverse, len(numbers))
    inputs = [*starts, *rows, *tensors[len(stands) :]]
    return lambda: build(turn.form, _tuple(operation(inputs, *numbers)))


@lru_cache(_REMEMBERED)
def _loop_operation(
    name: str, turn: Body, counts: tuple[int, int, int], reverse: bool, numbers: int
) -> Any:
    carried, sequences, results = counts

    def body(tensors: list[Standin], *numbers: Standin) -> Any:
        starts, rows = tensors[:carried], tensors[carried : carried + sequences]
        count = rows[0].shape[0]
        for row in rows:
            alike = same_shape(row.shape[:1], (count,))
            require(alike, name, "as many steps of all", [row.value for row in rows])
        constants = [*tensors[carried + sequences :], *numbers]
        states, found = loop(turn, starts, rows, constants, reverse=reverse)
        # Memory of its own, for all states are kept for the gradient.
        last = [copy(row_of(x, 0 if reverse else count)) for x in states]
        made = (*last, *found[: results - carried])
        return made if len(made) > 1 else made[0]

    return _operation(name, body, numbers)
