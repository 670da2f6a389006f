"""Control flow that data decides: `tf.cond`, `tf.while_loop`, `tf.map_fn` and others."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from gleed import graph
from gleed.compat.tensorflow.convert import convert_to_tensor
from gleed.errors import ArgumentError
from gleed.graph.node import Node, Operation, mapped, nodes_in
from gleed.ops.record import OPS


def _nodes(tree: Any) -> Any:
    """A structure of nodes; Python's numbers become TensorFlow's int32 and float32."""
    return mapped(tree, _node)


def _node(leaf: Any) -> Any:
    known = leaf is None or isinstance(leaf, Node | Operation | str) or callable(leaf)
    return leaf if known else convert_to_tensor(leaf)


def _declaring(function: Any) -> Any:
    """A function that returns nodes; what is none is left to whoever checks that."""
    if not callable(function):
        return function

    @wraps(function)  # for the names of its parameters
    def declaring(*args: Any) -> Any:
        return _nodes(function(*args))

    return declaring


def cond(
    pred: Any,
    true_fn: Any = None,
    false_fn: Any = None,
    strict: bool = False,
    name: str = "cond",
    fn1: Any = None,
    fn2: Any = None,
) -> Any:
    """What `true_fn()` gives if `pred`, else what `false_fn()` gives; only one of them runs.

    >>> import gleed.compat.tensorflow as tf
    >>> x = tf.placeholder(tf.float32)
    >>> y = tf.cond(x > 0, lambda: tf.sqrt(x), lambda: 0.0)
    >>> with tf.Session() as session:
    ...     print(session.run(y, {x: 9.0}), session.run(y, {x: -9.0}))
    3.0 0.0
    """
    if isinstance(pred, bool | int):
        raise ArgumentError(
            f"cond: pred must be a node; {pred!r} came; write an if, or convert_to_tensor(pred)"
        )
    one = _declaring(true_fn if fn1 is None else fn1)
    other = _declaring(false_fn if fn2 is None else fn2)
    return graph.cond(convert_to_tensor(pred), one, other, name=name)


def case(
    pred_fn_pairs: Any,
    default: Callable[[], Any] | None = None,
    exclusive: bool = False,
    strict: bool = False,
    name: str = "case",
) -> Any:
    """What the function of the first true predicate gives, else what `default()` gives; without
    that, what the last function gives. `exclusive` is not checked.

    >>> import gleed.compat.tensorflow as tf
    >>> x = tf.placeholder(tf.float32)
    >>> y = tf.case([(x < 0, lambda: -1), (x > 0, lambda: 1)], default=lambda: 0)
    >>> with tf.Session() as session:
    ...     print(*(session.run(y, {x: value}) for value in (-5, 5, 0)))
    -1 1 0
    """
    pairs = [*(pred_fn_pairs.items() if isinstance(pred_fn_pairs, dict) else pred_fn_pairs)]
    if not pairs:
        raise ArgumentError("case: pred_fn_pairs must have a pair; none came; add one")
    if default is None:
        default = pairs.pop()[1]
    if not pairs:
        return _nodes(default())
    (pred, function), *rest = pairs
    other = (lambda: case(rest, default, name="case")) if rest else default
    return cond(pred, function, other, name=name)


def while_loop(
    cond: Any,
    body: Any,
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str = "while",
    maximum_iterations: Any = None,
    return_same_structure: bool = False,
) -> Any:
    """`loop_vars = body(*loop_vars)` as long as `cond(*loop_vars)`, and at most
    `maximum_iterations` times; shapes stay what they are. One variable is given back as a node,
    several in a list or tuple as they came. `back_prop=False`: no gradient goes through.

    >>> import gleed.compat.tensorflow as tf
    >>> i, total = tf.while_loop(lambda i, s: i < 5, lambda i, s: [i + 1, s + i], [0, 0])
    >>> with tf.Session() as session:
    ...     print(session.run(total))
    10
    """
    if shape_invariants is not None:
        raise ArgumentError(
            "while_loop: loop variables keep their shapes; shape_invariants came; let the loop "
            "write into a tensor of the greatest size, with tf.where and tf.range"
        )
    single = not isinstance(loop_vars, tuple | list)
    starts = [loop_vars] if single else loop_vars
    starts = _nodes(starts if back_prop else mapped(starts, _stopped))
    condition, turn = _declaring(cond), _declaring(body)
    if maximum_iterations is None:
        found = graph.while_loop(condition, turn, starts, name)
    else:
        found = _at_most(maximum_iterations, condition, turn, starts, name)
    if not back_prop:
        found = mapped(found, _stopped)
    if single or (len(found) == 1 and not return_same_structure):
        return found[0]
    return type(starts)(found) if type(starts) in (tuple, list) else type(starts)(*found)


def _at_most(limit: Any, condition: Any, turn: Any, starts: Any, name: str) -> tuple[Any, ...]:
    """A loop that counts its turns."""

    def further(count: Node, *states: Any) -> Any:
        found = turn(*states)
        return (count + 1, *(found if isinstance(found, tuple | list) else (found,)))

    def check(count: Node, *states: Any) -> Any:
        return (count < limit).logical_and(condition(*states))

    _, *found = graph.while_loop(check, further, (convert_to_tensor(0), *starts), name)
    return tuple(found)


def _stopped(leaf: Any) -> Any:
    return graph.stop_gradient(convert_to_tensor(leaf))


def map_fn(
    fn: Any,
    elems: Any,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    name: str = "map",
) -> Any:
    """`fn(row)` for every row of `elems`, stacked. `dtype` is not needed, for `fn` tells it.

    >>> import gleed.compat.tensorflow as tf
    >>> squares = tf.map_fn(lambda x: x * x, tf.constant([1.0, 2.0, 3.0]))
    >>> with tf.Session() as session:
    ...     print(session.run(squares))
    [1. 4. 9.]
    """
    return graph.map_fn(_declaring(fn), _rows(elems), name)


def scan(
    fn: Any,
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    reverse: bool = False,
    name: str = "scan",
) -> Any:
    """All of `state = fn(state, row)` for the rows of `elems`, stacked. The first state is
    `initializer`, or else the first row, which then is the first result too.

    >>> import gleed.compat.tensorflow as tf
    >>> sums = tf.scan(lambda total, x: total + x, tf.constant([1, 2, 3]))
    >>> with tf.Session() as session:
    ...     print(session.run(sums))
    [1 3 6]
    """
    rows = _rows(elems)
    if initializer is not None:
        return _scanned(fn, _nodes(initializer), rows, reverse, name)[1]
    first = mapped(rows, lambda x: x[-1] if reverse else x[0])
    rest = mapped(rows, lambda x: x[:-1] if reverse else x[1:])
    states = iter(nodes_in(_scanned(fn, first, rest, reverse, name)[1]))

    def joined(start: Node) -> Node:
        pair = [start.unsqueeze(0), next(states)]
        return graph.call(OPS["cat"], pair[::-1] if reverse else pair)

    return mapped(first, joined)


def _scanned(fn: Any, start: Any, rows: Any, reverse: bool, name: str) -> tuple[Any, Any]:
    """The last state, and all of them."""

    def combine(state: Any, row: Any) -> tuple[Any, Any]:
        following = _nodes(fn(state, row))
        return following, following

    return graph.scan(combine, start, rows, reverse=reverse, name=name)


def foldl(
    fn: Any,
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str = "foldl",
) -> Any:
    """The last of `state = fn(state, row)` for the rows of `elems`, from `initializer` on, or else
    from the first row on."""
    return _folded(fn, elems, initializer, False, name)


def foldr(
    fn: Any,
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str = "foldr",
) -> Any:
    """As `foldl`, from the last row to the first."""
    return _folded(fn, elems, initializer, True, name)


def _folded(fn: Any, elems: Any, initializer: Any, reverse: bool, name: str) -> Any:
    rows = _rows(elems)
    if initializer is None:
        initializer = mapped(rows, lambda x: x[-1] if reverse else x[0])
        rows = mapped(rows, lambda x: x[:-1] if reverse else x[1:])
    return _scanned(fn, _nodes(initializer), rows, reverse, name)[0]


def _rows(elems: Any) -> Any:
    """What to go over: a list is one tensor, unless it holds nodes."""
    holds_nodes = next(nodes_in(elems), None) is not None
    if isinstance(elems, dict) or (isinstance(elems, tuple | list) and holds_nodes):
        return _nodes(elems)
    return convert_to_tensor(elems)
