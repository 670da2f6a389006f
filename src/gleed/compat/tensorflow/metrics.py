"""`tf.metrics`: figures over all batches so far.

Each function gives two nodes: the figure, and an operation that adds a batch and then is the
figure. What is counted is in local variables, which `tf.local_variables_initializer()` sets back.

>>> import gleed.compat.tensorflow as tf
>>> labels, guesses = (tf.placeholder(tf.int64, [None]) for _ in range(2))
>>> accuracy, update = tf.metrics.accuracy(labels, guesses)
>>> with tf.Session() as session:
...     session.run(tf.local_variables_initializer())
...     _ = session.run(update, {labels: [1, 2], guesses: [1, 2]})
...     _ = session.run(update, {labels: [1, 2], guesses: [3, 4]})
...     print(session.run(accuracy))
0.5
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gleed.compat.tensorflow.absent import missing
from gleed.compat.tensorflow.arrays import confusion_matrix
from gleed.compat.tensorflow.convert import apply, convert_to_tensor, function_of, operands
from gleed.compat.tensorflow.math import cast
from gleed.compat.tensorflow.variables import GraphKeys
from gleed.errors import ArgumentError
from gleed.graph.defaults import current_graph
from gleed.graph.node import Node
from gleed.graph.variables import Variable
from gleed.lazy import lazy
from gleed.ops.record import OPS

numpy = lazy("numpy")

_SMALL = 1e-7
Collections = Sequence[str] | None
Metric = tuple[Node, Node]


def _count(name: str, shape: Sequence[int] = ()) -> Variable:
    """A local variable that begins at zero."""
    graph = current_graph()
    names = [GraphKeys.LOCAL_VARIABLES, GraphKeys.METRIC_VARIABLES]
    return Variable(
        lambda: graph.constant(0.0, "float32", shape), trainable=False, collections=names, name=name
    )


def _metric(
    counts: dict[str, Node], formula: Callable[..., Node], collections: tuple[Collections, ...] = ()
) -> Metric:
    """`formula` of variables to which `counts` are added."""
    kept = [_count(name, batch.shape.sizes()) for name, batch in counts.items()]
    value = formula(*kept)
    pairs = zip(kept, counts.values(), strict=True)
    update = formula(*[variable.assign_add(batch) for variable, batch in pairs])
    for node, keys in zip((value, update), collections, strict=False):
        for key in keys or ():
            current_graph().add_to_collection(key, node)
    return value, update


@contextmanager
def _scope(name: str | None, default: str) -> Iterator[None]:
    with current_graph().name_scope(name or default):
        yield


def _share(part: Node, whole: Node) -> Node:
    """part / whole; 0 of nothing."""
    return apply(OPS["where"], None, "value", whole > 0, part / whole.clamp_min(_SMALL), 0.0)


def _weighted(values: Node, weights: Any) -> tuple[Node, Node]:
    """The sum of the values, and that of their weights."""
    x = cast(values, "float32")
    w = apply(OPS["ones_like"], None, "weights", x)
    if weights is not None:
        w = w * cast(weights, "float32")
    return (x * w).sum(), w.sum()


def mean(
    values: Any, weights: Any = None, metrics_collections: Collections = None,
    updates_collections: Collections = None, name: str | None = None,
) -> Metric:  # fmt: skip
    """The mean of all elements."""
    with _scope(name, "mean"):
        total, count = _weighted(convert_to_tensor(values), weights)
        collections = (metrics_collections, updates_collections)
        return _metric({"total": total, "count": count}, _share, collections)


def accuracy(
    labels: Any, predictions: Any, weights: Any = None, metrics_collections: Collections = None,
    updates_collections: Collections = None, name: str | None = None,
) -> Metric:  # fmt: skip
    """The share of predictions that are the labels."""
    right = apply(OPS["eq"], None, "right", *operands(predictions, labels))
    keys = metrics_collections, updates_collections
    return mean(right, weights, *keys, name or "accuracy")


def mean_squared_error(
    labels: Any, predictions: Any, weights: Any = None, metrics_collections: Collections = None,
    updates_collections: Collections = None, name: str | None = None,
) -> Metric:  # fmt: skip
    """The mean of (predictions − labels)²."""
    a, b = operands(predictions, labels)
    keys = metrics_collections, updates_collections
    return mean((a - b).square(), weights, *keys, name or "mean_squared_error")


def mean_absolute_error(
    labels: Any, predictions: Any, weights: Any = None, metrics_collections: Collections = None,
    updates_collections: Collections = None, name: str | None = None,
) -> Metric:  # fmt: skip
    """The mean of |predictions − labels|."""
    a, b = operands(predictions, labels)
    keys = metrics_collections, updates_collections
    return mean((a - b).abs(), weights, *keys, name or "mean_absolute_error")


def root_mean_squared_error(
    labels: Any, predictions: Any, weights: Any = None, metrics_collections: Collections = None,
    updates_collections: Collections = None, name: str | None = None,
) -> Metric:  # fmt: skip
    """The square root of `mean_squared_error`."""
    with _scope(name, "root_mean_squared_error"):
        a, b = operands(predictions, labels)
        total, count = _weighted((a - b).square(), weights)
        collections = (metrics_collections, updates_collections)
        return _metric(
            {"total": total, "count": count}, lambda t, n: _share(t, n).sqrt(), collections
        )


def _cases(labels: Any, predictions: Any, weights: Any) -> dict[str, Node]:
    """How often truth values agree and disagree."""
    guess, truth = cast(predictions, "bool"), cast(labels, "bool")
    cases = {
        "true_positives": truth & guess,
        "false_positives": ~truth & guess,
        "false_negatives": truth & ~guess,
        "true_negatives": ~truth & ~guess,
    }
    return {name: _weighted(case, weights)[0] for name, case in cases.items()}


def _counting(case: str) -> Callable[..., Metric]:
    def function(
        labels: Any, predictions: Any, weights: Any = None, metrics_collections: Collections = None,
        updates_collections: Collections = None, name: str | None = None,
    ) -> Metric:  # fmt: skip
        with _scope(name, case):
            batch = _cases(labels, predictions, weights)[case]
            collections = (metrics_collections, updates_collections)
            return _metric({"count": batch}, lambda count: count * 1, collections)

    return function_of(case, f"The number of {case.replace('_', ' ')}.", function)


def _rate(title: str, other: str, document: str) -> Callable[..., Metric]:
    def function(
        labels: Any, predictions: Any, weights: Any = None, metrics_collections: Collections = None,
        updates_collections: Collections = None, name: str | None = None,
    ) -> Metric:  # fmt: skip
        with _scope(name, title):
            cases = _cases(labels, predictions, weights)
            counts = {key: cases[key] for key in ("true_positives", other)}
            collections = (metrics_collections, updates_collections)
            return _metric(counts, lambda right, wrong: _share(right, right + wrong), collections)

    return function_of(title, document, function)


true_positives, true_negatives = _counting("true_positives"), _counting("true_negatives")
false_positives, false_negatives = _counting("false_positives"), _counting("false_negatives")
precision = _rate(
    "precision", "false_positives", "The share of what was taken for true that is true."
)
recall = _rate("recall", "false_negatives", "The share of what is true that was taken for true.")


def auc(
    labels: Any, predictions: Any, weights: Any = None, num_thresholds: int = 200,
    metrics_collections: Collections = None, updates_collections: Collections = None,
    curve: str = "ROC", name: str | None = None, summation_method: str = "trapezoidal",
) -> Metric:  # fmt: skip
    """The area under the curve of true positives over false positives ("ROC"), or of precision over
    recall ("PR"), by the trapezoidal rule over `num_thresholds` for predictions from 0 to 1."""
    if curve not in ("ROC", "PR") or summation_method != "trapezoidal":
        raise ArgumentError(
            f"auc: curve must be 'ROC' or 'PR', summed by the 'trapezoidal' rule; {curve!r} and "
            f"{summation_method!r} came; correct it"
        )
    inner = numpy.arange(1, num_thresholds - 1) / (num_thresholds - 1)
    with _scope(name, "auc"):
        thresholds = current_graph().constant([-_SMALL, *inner, 1 + _SMALL], "float32")
        guess = convert_to_tensor(predictions).reshape(-1, 1) > thresholds
        truth = cast(labels, "bool").reshape(-1, 1)
        weight = 1.0 if weights is None else cast(weights, "float32").reshape(-1, 1)
        counts = {
            name: (cast(case, "float32") * weight).sum(0)
            for name, case in (
                ("true_positives", truth & guess), ("false_negatives", truth & ~guess),
                ("true_negatives", ~truth & ~guess), ("false_positives", ~truth & guess),
            )
        }  # fmt: skip
        area = _area_under_roc if curve == "ROC" else _area_under_pr
        return _metric(counts, area, (metrics_collections, updates_collections))


def _area_under_roc(tp: Node, fn: Node, tn: Node, fp: Node) -> Node:
    return _area(fp / (fp + tn + 1e-6), (tp + 1e-6) / (tp + fn + 1e-6))


def _area_under_pr(tp: Node, fn: Node, tn: Node, fp: Node) -> Node:
    return _area((tp + 1e-6) / (tp + fn + 1e-6), (tp + 1e-6) / (tp + fp + 1e-6))


def _area(x: Node, y: Node) -> Node:
    return ((x[:-1] - x[1:]) * (y[:-1] + y[1:])).sum() * 0.5


def mean_iou(
    labels: Any, predictions: Any, num_classes: int, weights: Any = None,
    metrics_collections: Collections = None, updates_collections: Collections = None,
    name: str | None = None,
) -> Metric:  # fmt: skip
    """The mean over classes, of those that occur, of how much of what is or was taken for the class
    is both. `weights` are not taken into account; give none."""
    if weights is not None:
        raise ArgumentError("mean_iou: all elements count alike; weights came; leave them out")
    with _scope(name, "mean_iou"):
        truth, guess = (convert_to_tensor(x).reshape(-1) for x in (labels, predictions))
        table = confusion_matrix(truth, guess, num_classes, dtype="float32")
        collections = (metrics_collections, updates_collections)
        return _metric({"total_confusion_matrix": table}, _mean_overlap, collections)


def _mean_overlap(table: Node) -> Node:
    both = table.diagonal()
    either = table.sum(0) + table.sum(1) - both
    return _share(_share(both, either).sum(), cast(either > 0, "float32").sum())


def __getattr__(name: str) -> Any:
    raise missing("tf.metrics", name, globals())
