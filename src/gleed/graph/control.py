"""Control flow that data decides: `cond`, `while_loop`, `scan` and `map_fn`.

Their functions are run once, while the graph is built, and declare the nodes of a body. Dtypes and
shapes are checked there and then. In a session they are the operations of the same names of gleed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from itertools import zip_longest
from typing import Any

from gleed import _C
from gleed.captured.control_flow import cond as run_cond
from gleed.captured.control_flow import while_loop as run_while_loop
from gleed.captured.operands import require_functions
from gleed.errors import ArgumentError, DTypeError, ShapeError
from gleed.graph.bodies import declare
from gleed.graph.defaults import graph_of
from gleed.graph.graphs import Graph
from gleed.graph.infer import located
from gleed.graph.node import Body, Node, Type, mapped
from gleed.graph.routines import run_map, run_scan
from gleed.graph.shape import Shape
from gleed.graph.sizes import SizeNode
from gleed.graph.sizes import as_tensor as sizes_as_tensor
from gleed.places import users_place


def cond(
    pred: Any,
    true_fn: Callable[..., Any],
    false_fn: Callable[..., Any],
    operands: tuple[Any, ...] | list[Any] = (),
    name: str = "cond",
) -> Any:
    """`true_fn(*operands)` if `pred`, else `false_fn(*operands)`: a session runs one of them.

    `pred` is a bool node with one element; with a number of Python's only one function is declared.
    The functions return a node, or tuples, lists and dictionaries of nodes, of the same structure,
    dtypes and shapes. They may use any nodes, draw random numbers and hold further control flow;
    they cannot write to variables. Gradients are those of the function that ran.

    Raises ArgumentError, DTypeError or ShapeError where the two do not fit together.

    >>> from gleed import graph
    >>> with graph.Graph().as_default(), graph.Session() as session:
    ...     x = graph.placeholder("float32", [None])
    ...     y = graph.cond(x.sum() > 0, lambda: x.sqrt(), lambda: -x)
    ...     print(*(session.run(y, {x: data}) for data in ([4, 9], [-4, 1])))
    [2. 3.] [ 4. -1.]
    """
    require_functions("cond", true_fn=true_fn, false_fn=false_fn)
    graph = graph_of(pred, operands)
    if not isinstance(pred, Node):
        chosen = (true_fn if pred else false_fn)(*operands)
        return mapped(chosen, lambda leaf: _as_node(graph, leaf))
    _require_decision("cond: pred must be", pred)
    with graph.name_scope(name) as scope:
        full = scope[:-1]
    one, form = declare(graph, f"{full}/true_fn", lambda: true_fn(*operands))
    other, second = declare(
        graph, f"{full}/false_fn", lambda: false_fn(*operands), likes=one.results
    )
    _require_like(full, "cond: false_fn", second, other.results, "true_fn", form, one.results)
    types = [
        Type(x.dtype, x.shape.either(y.shape))
        for x, y in zip(one.results, other.results, strict=True)
    ]
    return _made(graph, "cond", run_cond, (pred, one, other), full, types, form)


def while_loop(
    cond_fn: Callable[..., Any],
    body_fn: Callable[..., Any],
    carried_inputs: Any,
    name: str = "while",
) -> tuple[Any, ...]:
    """`carried = body_fn(*carried)` as long as `cond_fn(*carried)` is true; gives `carried`.

    `carried_inputs` is a tuple or list of nodes, numbers and data, or of structures of these.
    `cond_fn` returns a bool node with one element, `body_fn` what is like `carried_inputs`: of the
    same structure, dtypes and shapes. What else is said of the functions of `cond` holds here too.

    >>> from gleed import graph
    >>> with graph.Graph().as_default(), graph.Session() as session:
    ...     x = graph.placeholder("float32", [])
    ...     def halve(n, y):
    ...         return n + 1, y / 2
    ...     n, y = graph.while_loop(lambda n, y: y > 1, halve, (0, x))
    ...     print(*session.run([n, y, *graph.gradients(y, x)], {x: 5.0}))
    3 0.625 0.125
    """
    require_functions("while_loop", cond_fn=cond_fn, body_fn=body_fn)
    graph = graph_of(carried_inputs)
    if not isinstance(carried_inputs, tuple | list) or not carried_inputs:
        raise ArgumentError(
            "while_loop: carried_inputs must be a tuple or list of at least one; got "
            f"{type(carried_inputs).__name__}; write (x,) for one"
        )
    starts, form = _taken_apart(graph, tuple(carried_inputs))
    types = [Type(x.dtype, x.shape) for x in starts]
    with graph.name_scope(name) as scope:
        full = scope[:-1]
    check, found = declare(graph, f"{full}/cond_fn", cond_fn, types, form, single=True)
    if found != 0:
        raise _error(
            ArgumentError, full, starts, "while_loop: cond_fn must return one node; got "
            f"{_text(found)}; reduce it with all() or any()",
        )  # fmt: skip
    _require_decision("while_loop: cond_fn must return", check.results[0])

    @wraps(body_fn)
    def turn(*states: Any) -> tuple[Any, ...]:
        following = body_fn(*states)
        return tuple(following) if isinstance(following, tuple | list) else (following,)

    body, second = declare(graph, f"{full}/body_fn", turn, types, form, likes=starts)
    _require_like(full, "while_loop: body_fn", second, body.results, "carried_inputs", form, starts)
    args = (check, body, tuple(starts))
    made: tuple[Any, ...] = _made(graph, "while_loop", run_while_loop, args, full, types, form)
    return made


def scan(
    combine_fn: Callable[[Any, Any], Any],
    init: Any,
    xs: Any,
    *,
    reverse: bool = False,
    name: str = "scan",
) -> tuple[Any, Any]:
    """Go over the rows of `xs`: `carry, y = combine_fn(carry, x)`, from `init` on.

    `init` and `xs` are nodes or data, or structures of these; those of `xs` have one length along
    their first axis. The next carry is like `init`: of the same structure, dtypes and shapes.
    `reverse`: begin with the last row. Returns the last carry, and what all rows gave, stacked
    along a new first axis in the order of `xs`.

    >>> from gleed import graph
    >>> with graph.Graph().as_default(), graph.Session() as session:
    ...     x = graph.placeholder("float32", [None])
    ...     total, sums = graph.scan(lambda c, x: (c + x, c + x), 0.0, x)
    ...     print(*session.run([total, sums], {x: [1, 2, 3]}))
    6.0 [1. 3. 6.]
    """
    require_functions("scan", combine_fn=combine_fn)
    graph = graph_of(init, xs)
    starts, carry = _taken_apart(graph, init)
    if not starts:
        raise ArgumentError("scan: init must have a node; none came; use map_fn for rows alone")
    rows, row = _rows(graph, "scan", name, xs)
    types = [*(Type(x.dtype, x.shape) for x in starts), *_row_types(rows)]
    form = (carry, mapped(row, lambda k: k + len(starts)))
    with graph.name_scope(name) as scope:
        full = scope[:-1]
    body, found = declare(graph, f"{full}/combine_fn", combine_fn, types, form, likes=starts)
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise _error(
            ArgumentError, full, [*starts, *rows], "scan: combine_fn must return a carry and a "
            f"result; got {_text(found)}; return two values",
        )  # fmt: skip
    carried = body.results[: len(starts)]
    _require_like(full, "scan: combine_fn", found[0], carried, "init", carry, starts)
    types = [*types[: len(starts)], *_stacked(rows, body.results[len(starts) :])]
    args = (body, tuple(starts), tuple(rows), reverse)
    last, ys = _made(graph, "scan", run_scan, args, full, types, tuple(found))
    return last, ys


def map_fn(f: Callable[..., Any], xs: Any, name: str = "map") -> Any:
    """`f(x)` for every row x of `xs`, stacked along a new first axis.

    `xs` is a node or data, or a structure of these of one length along their first axis; `f`
    returns a node, or a structure of nodes.

    >>> from gleed import graph
    >>> with graph.Graph().as_default(), graph.Session() as session:
    ...     x = graph.placeholder("float32", [None, 2])
    ...     print(session.run(graph.map_fn(lambda row: row / row.sum(), x), {x: [[1, 3], [2, 2]]}))
    [[0.25 0.75]
     [0.5  0.5 ]]
    """
    require_functions("map_fn", f=f)
    graph = graph_of(xs)
    rows, row = _rows(graph, "map_fn", name, xs)
    with graph.name_scope(name) as scope:
        full = scope[:-1]
    body, form = declare(graph, f"{full}/f", f, _row_types(rows), (row,))
    if not body.results:
        raise _error(ArgumentError, full, rows, "map_fn: f must return a node; got none; add one")
    args = (body, tuple(rows))
    return _made(graph, "map_fn", run_map, args, full, _stacked(rows, body.results), form)


# ---- what users give
def _require_decision(rule: str, node: Node) -> None:
    if node.dtype is not _C.bool or any(n not in (None, 1) for n in node.shape.dims or ()):
        raise ArgumentError(
            f"{rule} a bool node with one element; got {node.describe()}, made at "
            f"{node.op.place}; compare it, or reduce it with all() or any()"
        )


def _taken_apart(graph: Graph, tree: Any) -> tuple[list[Node], Any]:
    """The leaves of a structure as nodes, and the structure with their numbers."""
    nodes: list[Node] = []

    def number(leaf: Any) -> int:
        nodes.append(_as_node(graph, leaf))
        return len(nodes) - 1

    return nodes, mapped(tree, number)


def _as_node(graph: Graph, leaf: Any) -> Node:
    if isinstance(leaf, SizeNode):
        sizes: Node = graph.call(sizes_as_tensor, leaf)
        return sizes
    return leaf if isinstance(leaf, Node) else graph.constant(leaf)


def _rows(graph: Graph, op: str, name: str, xs: Any) -> tuple[list[Node], Any]:
    """The nodes to go over, and their structure."""
    nodes, form = _taken_apart(graph, xs)
    if not nodes:
        raise ArgumentError(f"{op}: xs must have a node; none came; pass what to go over")
    if any(x.shape.ndims == 0 for x in nodes):
        raise _error(
            ShapeError, name, nodes,
            f"{op}: xs must have an axis of rows; got shapes {_shapes(nodes)}; unsqueeze() it",
        )  # fmt: skip
    if len({x.shape[0] for x in nodes if x.shape.dims} - {None}) > 1:
        raise _error(
            ShapeError, name, nodes, f"{op}: all of xs must have as many rows; got shapes "
            f"{_shapes(nodes)}; cut them to one length",
        )  # fmt: skip
    return nodes, form


def _row_types(rows: Sequence[Node]) -> list[Type]:
    return [Type(x.dtype, Shape(None if x.shape.dims is None else x.shape[1:])) for x in rows]


def _stacked(rows: Sequence[Node], results: Sequence[Node]) -> list[Type]:
    """The types of results of rows with a new first axis."""
    count = next((x.shape[0] for x in rows if x.shape.dims and x.shape[0] is not None), None)
    return [
        Type(y.dtype, Shape(None if y.shape.dims is None else [count, *y.shape])) for y in results
    ]


# ---- whether bodies fit
def _require_like(
    name: str,
    rule: str,
    found: Any,
    results: Sequence[Node],
    what: str,
    form: Any,
    expected: Sequence[Node],
) -> None:
    """Raise unless what a function returned is of the structure and types of something else."""
    if found != form:
        raise _error(
            ArgumentError, name, expected, f"{rule} must return the structure of {what}; got "
            f"{_text(found)} for {_text(form)}; return the same tuples, lists and keys",
        )  # fmt: skip
    for y, x in zip(results, expected, strict=True):
        if y.dtype is not x.dtype:
            raise _error(
                DTypeError, name, (y, x), f"{rule} must return the dtypes of {what}; got "
                f"{y.dtype.name} for {x.dtype.name}; convert it with .to()",
            )  # fmt: skip
        if _differ(y.shape, x.shape):
            raise _error(
                ShapeError, name, (y, x), f"{rule} must return the shapes of {what}; got "
                f"{y.shape} for {x.shape}; reshape or pad it",
            )  # fmt: skip


def _differ(a: Shape, b: Shape) -> bool:
    """Whether two shapes can never be equal."""
    if a.dims is None or b.dims is None:
        return False
    return any(n != m and None not in (n, m) for n, m in zip_longest(a, b, fillvalue=-1))


def _error(kind: type[Exception], name: str, nodes: Sequence[Node], text: str) -> Exception:
    """An error that names the line of the operation, and those of the nodes concerned."""
    return located(kind(text), name, users_place(), tuple(dict.fromkeys(nodes)), "would be made")


def _shapes(nodes: Sequence[Node]) -> str:
    return ", ".join(str(x.shape) for x in nodes)


def _text(form: Any) -> str:
    """A structure as a user would write it, nodes as `*`."""
    if isinstance(form, dict):
        return "{" + ", ".join(f"{key!r}: {_text(item)}" for key, item in form.items()) + "}"
    if isinstance(form, list):
        return f"[{', '.join(map(_text, form))}]"
    return f"({', '.join(map(_text, form))})" if isinstance(form, tuple) else "*"


def _made(
    graph: Graph,
    type: str,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    name: str,
    types: Sequence[Type],
    form: Any,
) -> Any:
    """The operation, and its results in the structure of what its function returns."""
    awaited = [op for x in args if isinstance(x, Body) for op in x.awaited]
    made = graph.add(type, function, args, name=name + "/", types=types, before=awaited)
    made.many = True
    return mapped(form, made.outputs.__getitem__)
