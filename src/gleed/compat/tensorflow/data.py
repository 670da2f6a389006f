"""`tf.data`: data sets of which every run takes the next element.

A data set is made in Python, element by element; `map` and `filter` run their functions as graphs.
What a run takes is fed to the program, which stays the same.

>>> import gleed.compat.tensorflow as tf
>>> data = tf.data.Dataset.from_tensor_slices([1, 2, 3, 4, 5]).map(lambda x: x * 10).batch(2)
>>> batch = data.make_one_shot_iterator().get_next()
>>> batch.shape
Shape([None])
>>> with tf.Session() as session:
...     print(*(session.run(batch) for _ in range(3)))
[10 20] [30 40] [50]
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Iterator as Elements
from itertools import chain, islice
from itertools import count as counting
from typing import Any

from gleed.compat.tensorflow.absent import missing
from gleed.compat.tensorflow.convert import convert_to_tensor
from gleed.compat.tensorflow.errors import OutOfRangeError
from gleed.errors import ArgumentError, GraphError, ShapeError
from gleed.graph.data import as_dtype
from gleed.graph.defaults import current_graph
from gleed.graph.graphs import Graph
from gleed.graph.node import Node, Operation, Type, nodes_in
from gleed.graph.outside import sink, source
from gleed.graph.placeholders import placeholder
from gleed.graph.session import Session
from gleed.graph.shape import Shape
from gleed.lazy import lazy
from gleed.places import users_place

numpy = lazy("numpy")

Start = Callable[[Mapping[Node, Any]], Elements[Any]]


def _over(function: Callable[..., Any], *trees: Any) -> Any:
    """A function over the leaves of elements: tuples and dicts are structure, all else is data."""
    first = trees[0]
    if isinstance(first, tuple):
        return tuple(_over(function, *parts) for parts in zip(*trees, strict=True))
    if isinstance(first, dict):
        return {key: _over(function, *(tree[key] for tree in trees)) for key in first}
    return function(*trees)


def _leaves(tree: Any) -> list[Any]:
    found: list[Any] = []
    _over(found.append, tree)
    return found


class _Kind:
    """The dtype and the shape of a leaf."""

    def __init__(self, dtype: Any, shape: Any) -> None:
        self.dtype, self.shape = as_dtype(dtype), Shape(shape)


class Dataset:
    """Elements of one structure, of tuples, dicts and arrays; one after another."""

    def __init__(self, kinds: Any, start: Start, inputs: Sequence[Node] = ()) -> None:
        self._kinds, self._start, self._inputs = kinds, start, tuple(inputs)

    # ---- where elements come from
    @staticmethod
    def from_tensor_slices(tensors: Any) -> Dataset:
        """The rows of arrays or nodes, in a structure. Raises ShapeError if their numbers differ.

        Nodes have their values when an initializable iterator is initialised.
        """
        whole = _over(_data, tensors)
        shapes = [Shape(leaf.shape) for leaf in _leaves(whole)]
        if any(shape.dims == () for shape in shapes):
            raise ShapeError(
                "from_tensor_slices: data is sliced along its first dim; a number without dims "
                "came; use from_tensors"
            )
        sizes = {shape[0] for shape in shapes if shape.dims is not None} - {None}
        if len(sizes) > 1:
            raise ShapeError(
                f"from_tensor_slices: all data must have as many rows; {sorted(sizes)} came; cut "
                "them to one length"
            )

        def start(values: Mapping[Node, Any]) -> Elements[Any]:
            arrays = _over(lambda leaf: _value(leaf, values), whole)
            for i in builtins.range(len(_leaves(arrays)[0])):
                yield _over(lambda array, i=i: array[i], arrays)

        kinds = _over(lambda x: _Kind(x.dtype, _tail(Shape(x.shape))), whole)
        return Dataset(kinds, start, tuple(nodes_in(whole)))

    @staticmethod
    def from_tensors(tensors: Any) -> Dataset:
        """One element."""
        whole = _over(_data, tensors)

        def start(values: Mapping[Node, Any]) -> Elements[Any]:
            yield _over(lambda leaf: _value(leaf, values), whole)

        return Dataset(_over(_kind_of, whole), start, tuple(nodes_in(whole)))

    @staticmethod
    def range(*args: int) -> Dataset:
        """Numbers as Python's `range` has them, as int64."""

        def start(values: Mapping[Node, Any]) -> Elements[Any]:
            return map(numpy.int64, builtins.range(*args))

        return Dataset(_Kind("int64", []), start)

    @staticmethod
    def from_generator(
        generator: Callable[..., Any],
        output_types: Any,
        output_shapes: Any = None,
        args: Sequence[Any] = (),
    ) -> Dataset:
        """What a new generator yields each time."""
        shapes = output_shapes
        if shapes is None:
            shapes = _over(lambda dtype: Shape(None), output_types)
        kinds = _kinds(output_types, shapes)

        def start(values: Mapping[Node, Any]) -> Elements[Any]:
            for element in generator(*args):
                yield _over(_fitted, kinds, element)

        return Dataset(kinds, start)

    @staticmethod
    def zip(datasets: Any) -> Dataset:
        """Elements of several data sets as one, as long as all have some."""
        parts = _leaves(datasets)

        def start(values: Mapping[Node, Any]) -> Elements[Any]:
            for elements in builtins.zip(*(part._start(values) for part in parts), strict=False):
                following = iter(elements)
                yield _over(lambda part, following=following: next(following), datasets)

        kinds = _over(lambda part: part._kinds, datasets)
        return Dataset(kinds, start, [node for part in parts for node in part._inputs])

    # ---- how many, in which order
    def _with(self, change: Callable[[Elements[Any]], Elements[Any]], kinds: Any = None) -> Dataset:
        def start(values: Mapping[Node, Any]) -> Elements[Any]:
            return change(self._start(values))

        return Dataset(self._kinds if kinds is None else kinds, start, self._inputs)

    def repeat(self, count: int | None = None) -> Dataset:
        """All elements `count` times, or without end."""

        def start(values: Mapping[Node, Any]) -> Elements[Any]:
            endless = count is None or count < 0
            for _ in counting() if endless else builtins.range(count or 0):
                empty = True
                for element in self._start(values):
                    empty = False
                    yield element
                if empty:
                    return

        return Dataset(self._kinds, start, self._inputs)

    def take(self, count: int) -> Dataset:
        """The first elements; all if `count` is -1."""
        return self._with(lambda elements: islice(elements, None if count < 0 else count))

    def skip(self, count: int) -> Dataset:
        """The elements behind the first ones; none if `count` is -1."""
        if count < 0:
            return self.take(0)
        return self._with(lambda elements: islice(elements, count, None))

    def concatenate(self, dataset: Dataset) -> Dataset:
        """These elements, then those of another data set."""

        def start(values: Mapping[Node, Any]) -> Elements[Any]:
            return chain(self._start(values), dataset._start(values))

        kinds = _over(
            lambda a, b: _Kind(a.dtype, a.shape.either(b.shape)), self._kinds, dataset._kinds
        )
        return Dataset(kinds, start, (*self._inputs, *dataset._inputs))

    def shuffle(
        self,
        buffer_size: int,
        seed: int | None = None,
        reshuffle_each_iteration: bool | None = None,
    ) -> Dataset:
        """In random order: each is drawn from the next `buffer_size` elements. With a seed, of its
        own or of the graph, the orders are the same in each program, but differ from turn to turn
        unless `reshuffle_each_iteration` is False."""
        if buffer_size < 1:
            raise ArgumentError(
                f"shuffle: buffer_size must be at least 1; {buffer_size} came; use the number of "
                "elements"
            )
        chosen = current_graph().root.seed if seed is None else seed
        shared = numpy.random.default_rng(chosen)
        again = reshuffle_each_iteration is False

        def change(elements: Elements[Any]) -> Elements[Any]:
            draw = numpy.random.default_rng(chosen) if again else shared
            kept = list(islice(elements, buffer_size))
            for element in elements:
                place = int(draw.integers(buffer_size))
                yield kept[place]
                kept[place] = element
            draw.shuffle(kept)
            yield from kept

        return self._with(change)

    def prefetch(self, buffer_size: int) -> Dataset:
        """The same elements: they are made when they are needed."""
        return self

    def cache(self, filename: str = "") -> Dataset:
        """The same elements."""
        return self

    def apply(self, transformation_func: Callable[[Dataset], Dataset]) -> Dataset:
        """What a function makes of the data set."""
        return transformation_func(self)

    # ---- batches
    def batch(self, batch_size: int, drop_remainder: bool = False) -> Dataset:
        """So many elements as one, with a new first dim; the last has what is left, unless
        `drop_remainder`."""

        def change(elements: Elements[Any]) -> Elements[Any]:
            while rows := list(islice(elements, batch_size)):
                if len(rows) == batch_size or not drop_remainder:
                    yield _over(_stacked, *rows)

        size = batch_size if drop_remainder else None
        kinds = _over(lambda kind: _Kind(kind.dtype, _batched(size, kind.shape)), self._kinds)
        return self._with(change, kinds)

    def padded_batch(
        self,
        batch_size: int,
        padded_shapes: Any = None,
        padding_values: Any = 0,
        drop_remainder: bool = False,
    ) -> Dataset:
        """As `batch`, of elements that `padding_values` behind make equally great: as great as
        `padded_shapes` say, and the greatest where those are None."""
        shapes = padded_shapes
        if shapes is None:
            shapes = _over(lambda kind: kind.shape, self._kinds)
        wanted = _over(lambda kind, shape: Shape(shape), self._kinds, shapes)
        fills = padding_values
        if not isinstance(fills, tuple | dict):
            fills = _over(lambda kind: padding_values, self._kinds)

        def change(elements: Elements[Any]) -> Elements[Any]:
            while rows := list(islice(elements, batch_size)):
                if len(rows) == batch_size or not drop_remainder:
                    yield _over(_padded, wanted, fills, *rows)

        size = batch_size if drop_remainder else None
        kinds = _over(lambda k, shape: _Kind(k.dtype, _batched(size, shape)), self._kinds, wanted)
        return self._with(change, kinds)

    # ---- functions
    def map(self, map_func: Callable[..., Any], num_parallel_calls: int | None = None) -> Dataset:
        """What a function of nodes makes of each element: tuples are its arguments. It declares a
        graph of its own, once, and so uses no nodes of another one."""
        function = _Function(map_func, self._kinds)
        return self._with(lambda elements: map(function, elements), function.kinds)

    def filter(self, predicate: Callable[..., Any]) -> Dataset:
        """The elements for which a function of nodes is true."""
        function = _Function(predicate, self._kinds)
        return self._with(lambda elements: filter(function, elements))

    # ---- what graphs take
    @property
    def output_types(self) -> Any:
        """The dtypes, in the structure of the elements."""
        return _over(lambda kind: kind.dtype, self._kinds)

    @property
    def output_shapes(self) -> Any:
        """The shapes, in the structure of the elements."""
        return _over(lambda kind: kind.shape, self._kinds)

    def make_one_shot_iterator(self) -> Iterator:
        """An iterator that every session begins at the first element."""
        if self._inputs:
            raise GraphError(
                f"make_one_shot_iterator: the data must be known; {self._inputs[0].describe()} "
                "has no value yet; use make_initializable_iterator"
            )
        return Iterator(self._kinds, self)

    def make_initializable_iterator(self, shared_name: str | None = None) -> Iterator:
        """An iterator whose `initializer` begins at the first element."""
        made = Iterator(self._kinds)
        made.initializer = made.make_initializer(self)
        return made


class _Function:
    """A function of nodes as one of arrays."""

    def __init__(self, function: Callable[..., Any], kinds: Any) -> None:
        outer, graph = current_graph().root.seed, Graph()
        graph.seed = outer
        with graph.as_default():
            given = _over(lambda kind: placeholder(kind.dtype, kind.shape), kinds)
            found = function(*given) if isinstance(given, tuple) else function(given)
            found = tuple(found) if isinstance(found, list) else found
            self._results = _over(convert_to_tensor, found)
        self._given = _leaves(given)
        self._session = Session(graph)
        self.kinds = _over(_kind_of, self._results)

    def __call__(self, element: Any) -> Any:
        feeds = dict(zip(self._given, _leaves(element), strict=True))
        return self._session.run(self._results, feeds)


class Iterator:
    """A place in a data set, in each session another one."""

    def __init__(self, kinds: Any, dataset: Dataset | None = None) -> None:
        self._kinds, self._dataset, self._place = kinds, dataset, users_place()
        self.initializer: Operation | None = None

    @staticmethod
    def from_structure(output_types: Any, output_shapes: Any = None) -> Iterator:
        """An iterator for data sets of these dtypes and shapes, which `make_initializer` names."""
        if output_shapes is None:
            output_shapes = _over(lambda dtype: Shape(None), output_types)
        return Iterator(_kinds(output_types, output_shapes))

    def make_initializer(self, dataset: Dataset, name: str | None = None) -> Operation:
        """The operation that begins at the first element of a data set."""
        _over(self._require_fit, self._kinds, dataset._kinds)

        def take(session: Any, *values: Any) -> None:
            known = dict(zip(dataset._inputs, values, strict=True))
            session.state[self] = iter(dataset._start(known))

        title = "MakeIterator"
        return sink(current_graph().root, title, take, *dataset._inputs, name=name or title).op

    def _require_fit(self, mine: _Kind, other: _Kind) -> None:
        if mine.dtype is not other.dtype or mine.shape.either(other.shape) != mine.shape:
            raise ShapeError(
                f"make_initializer: data must be as the iterator says, {mine.dtype.name} "
                f"{mine.shape}; {other.dtype.name} {other.shape} came; convert it"
            )

    def get_next(self, name: str | None = None) -> Any:
        """Nodes of the next element. Every run that needs one takes one; there being none raises
        `tf.errors.OutOfRangeError`."""
        types = [Type(kind.dtype, kind.shape) for kind in _leaves(self._kinds)]
        graph = current_graph().root
        op = source(graph, name or "IteratorGetNext", self._drawn, types)
        nodes = iter(op.outputs)
        return _over(lambda kind: next(nodes), self._kinds)

    def _drawn(self, session: Any) -> list[Any]:
        elements = session.state.get(self)
        if elements is None:
            if self._dataset is None:
                raise GraphError(
                    f"get_next: an iterator must be initialised before it is used; that made at "
                    f"{self._place} is not; run its initializer in this session first"
                )
            elements = session.state[self] = iter(self._dataset._start({}))
        try:
            return _leaves(next(elements))
        except StopIteration:
            raise OutOfRangeError(
                f"get_next: there must be an element left; the data of the iterator made at "
                f"{self._place} is at its end; use repeat(), or initialise the iterator again"
            ) from None

    @property
    def output_types(self) -> Any:
        """The dtypes, in the structure of the elements."""
        return _over(lambda kind: kind.dtype, self._kinds)

    @property
    def output_shapes(self) -> Any:
        """The shapes, in the structure of the elements."""
        return _over(lambda kind: kind.shape, self._kinds)


def make_one_shot_iterator(dataset: Dataset) -> Iterator:
    """`dataset.make_one_shot_iterator()`."""
    return dataset.make_one_shot_iterator()


def make_initializable_iterator(dataset: Dataset, shared_name: str | None = None) -> Iterator:
    """`dataset.make_initializable_iterator()`."""
    return dataset.make_initializable_iterator()


# ---- leaves
def _data(value: Any) -> Any:
    """A node, whose value comes later, or an array; Python's numbers are float32 and int32."""
    if isinstance(value, Node):
        return value
    array = numpy.asarray(value)
    if not isinstance(value, numpy.ndarray | numpy.generic):
        array = array.astype({"float64": "float32", "int64": "int32"}.get(array.dtype.name))
    return array


def _kind_of(leaf: Any) -> _Kind:
    return _Kind(leaf.dtype, leaf.shape)


def _kinds(types: Any, shapes: Any) -> Any:
    """Dtypes and shapes in one structure."""
    if isinstance(types, tuple):
        return tuple(_kinds(t, s) for t, s in zip(types, shapes, strict=True))
    if isinstance(types, dict):
        return {key: _kinds(t, shapes[key]) for key, t in types.items()}
    return _Kind(types, shapes)


def _value(leaf: Any, values: Mapping[Node, Any]) -> Any:
    return values[leaf] if isinstance(leaf, Node) else leaf


def _tail(shape: Shape) -> Shape:
    return Shape(None) if shape.dims is None else shape[1:]


def _batched(size: int | None, shape: Shape) -> Shape:
    return Shape(None) if shape.dims is None else Shape([size, *shape])


def _fitted(kind: _Kind, value: Any) -> Any:
    """What a generator gives, as it said it would."""
    array = numpy.asarray(value, kind.dtype.name)
    if not kind.shape.accepts(array.shape):
        raise ShapeError(
            f"from_generator: elements must have the shape {kind.shape}; {list(array.shape)} came; "
            "correct output_shapes"
        )
    return array


def _stacked(*rows: Any) -> Any:
    if any(numpy.shape(row) != numpy.shape(rows[0]) for row in rows):
        shapes = sorted({numpy.shape(row) for row in rows})
        raise ShapeError(
            f"batch: elements must have one shape; {', '.join(map(str, shapes))} came; use "
            "padded_batch"
        )
    return numpy.stack(rows)


def _padded(shape: Shape, fill: Any, *rows: Any) -> Any:
    """Rows with values behind that make them equally great."""
    sizes = [
        max(row.shape[axis] for row in rows) if size is None else size
        for axis, size in enumerate(shape)
    ]
    if any(n > size for row in rows for n, size in zip(row.shape, sizes, strict=True)):
        raise ShapeError(
            f"padded_batch: no element may be greater than the shape asked for, {shape}; one is; "
            "use None for sizes that vary"
        )
    result = numpy.full((len(rows), *sizes), fill, numpy.asarray(rows[0]).dtype)
    for place, row in zip(result, rows, strict=True):
        place[tuple(slice(n) for n in row.shape)] = row
    return result


def __getattr__(name: str) -> Any:
    raise missing("tf.data", name, globals())
