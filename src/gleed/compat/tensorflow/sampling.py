"""Losses over a few classes of many: those of the examples, and some that are drawn.

Sources: Gutmann and Hyvärinen, "Noise-contrastive estimation", 2010; Jean et al., "On using very
large target vocabulary for neural machine translation", 2015; TensorFlow 1.15's documentation of
`tf.nn.nce_loss`, `tf.nn.sampled_softmax_loss` and of the samplers.

Classes are drawn without replacement: those with the greatest log p plus Gumbel noise. How often a
class is expected among them follows from how many draws with replacement would give as many
different ones on average, where TensorFlow counts the draws that it made.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from gleed.compat.tensorflow.arrays import concat, gather
from gleed.compat.tensorflow.convert import apply, convert_to_tensor
from gleed.compat.tensorflow.math import cast
from gleed.errors import ArgumentError
from gleed.graph.defaults import current_graph
from gleed.graph.node import Composite, Node
from gleed.lazy import lazy
from gleed.ops.record import OPS

numpy = lazy("numpy")

_NEVER = -1e30  # a logit that no softmax and no sigmoid notices


class Sampled(NamedTuple):
    """Drawn classes, and how often the true ones and these are expected among them."""

    sampled_candidates: Node
    true_expected_count: Node
    sampled_expected_count: Node


def log_uniform_candidate_sampler(
    true_classes: Any, num_true: int, num_sampled: int, unique: bool, range_max: int,
    seed: int | None = None, name: str | None = None,
) -> Sampled:  # fmt: skip
    """Classes that are the rarer, the greater their number (Zipf's law): class c has the share
    log((c + 2) / (c + 1)) / log(range_max + 1)."""
    c = numpy.arange(range_max)
    shares = numpy.log1p(1 / (c + 1)) / numpy.log(range_max + 1)
    return _sampled(shares, true_classes, num_sampled, unique, seed, name)


def uniform_candidate_sampler(
    true_classes: Any, num_true: int, num_sampled: int, unique: bool, range_max: int,
    seed: int | None = None, name: str | None = None,
) -> Sampled:  # fmt: skip
    """Classes that are all equally frequent."""
    shares = numpy.full(range_max, 1 / range_max)
    return _sampled(shares, true_classes, num_sampled, unique, seed, name)


def _sampled(
    shares: Any, true_classes: Any, count: int, unique: bool, seed: int | None, name: str | None
) -> Sampled:
    if unique and count > len(shares):
        raise ArgumentError(
            f"candidate_sampler: there must be as many classes as are drawn; {count} of "
            f"{len(shares)} were asked for; draw fewer"
        )
    draws = _draws(shares, count) if unique else count
    expected = -numpy.expm1(draws * numpy.log1p(-shares)) if unique else draws * shares
    graph = current_graph()
    with graph.name_scope(name or "CandidateSampler"):
        logits = graph.constant(numpy.log(shares), "float32")
        body = Composite("candidates", _candidates, draws=True)
        drawn = apply(body, None, "candidates", logits, count, unique, seed=seed)
        table = graph.constant(expected, "float32")
        return Sampled(drawn, gather(table, true_classes), gather(table, drawn))


def _draws(shares: Any, count: int) -> float:
    """After how many draws with replacement `count` different classes are expected."""
    low, high = 0.0, 1.0

    def found(draws: float) -> Any:
        return -numpy.expm1(draws * numpy.log1p(-shares)).sum()

    if count == len(shares):
        return float("inf")
    while found(high) < count:
        high *= 2
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if found(middle) < count else (low, middle)
    return high


def _candidates(logits: Any, count: int, unique: bool, generator: Any = None) -> Any:
    classes = logits.shape[0]
    like = logits if unique else logits.unsqueeze(0).expand((count, classes))
    noise = OPS["rand_like"](like, generator=generator)
    noisy = logits - (-noise.log()).log()  # with Gumbel noise
    return OPS["topk"](noisy, count, -1, True, True)[1] if unique else noisy.argmax(-1)


def _logits(
    weights: Any, biases: Any, labels: Any, inputs: Any, sampled: Sampled, remove_hits: bool
) -> tuple[Node, Node]:
    """Logits (batch, true + sampled), less the logarithm of how often a class is expected."""
    classes, x = cast(labels, "int64"), convert_to_tensor(inputs)
    drawn = sampled.sampled_candidates
    own = (x.unsqueeze(1) * gather(weights, classes)).sum(-1) + gather(biases, classes)
    others = x @ gather(weights, drawn).transpose(0, 1) + gather(biases, drawn)
    own = own - sampled.true_expected_count.log()
    others = others - sampled.sampled_expected_count.log()
    if remove_hits:
        hit = apply(OPS["eq"], None, "hits", classes.unsqueeze(-1), drawn).any(1)
        others = apply(OPS["where"], None, "without_hits", hit, _NEVER, others)
    return own, others


def nce_loss(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: int, num_classes: int,
    num_true: int = 1, sampled_values: Any = None, remove_accidental_hits: bool = False,
    partition_strategy: str = "mod", name: str = "nce_loss",
) -> Node:  # fmt: skip
    """How badly true classes are told from drawn ones, for each example: the sum of logistic
    losses. `weights` (classes, features), `labels` (batch, num_true), `inputs` (batch, features).
    """
    with current_graph().name_scope(name):
        sampled = _drawn(labels, num_true, num_sampled, num_classes, sampled_values)
        own, others = _logits(weights, biases, labels, inputs, sampled, remove_accidental_hits)
        # Each true class counts its share; log(1 + exp(x)) is the loss of a one, mirrored.
        share = 1 / num_true
        true = (_softplus(own) - own * share).sum(1)
        return apply(OPS["add"], None, "nce_loss", true, _softplus(others).sum(1))


def _softplus(x: Node) -> Node:
    return apply(OPS["softplus"], None, "softplus", x)


def sampled_softmax_loss(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: int, num_classes: int,
    num_true: int = 1, sampled_values: Any = None, remove_accidental_hits: bool = True,
    partition_strategy: str = "mod", name: str = "sampled_softmax_loss", seed: int | None = None,
) -> Node:  # fmt: skip
    """Softmax cross-entropy over true and drawn classes, for each example; arguments as those of
    `nce_loss`."""
    with current_graph().name_scope(name):
        sampled = _drawn(labels, num_true, num_sampled, num_classes, sampled_values, seed)
        own, others = _logits(weights, biases, labels, inputs, sampled, remove_accidental_hits)
        rows = concat([own, others], 1)
        total = apply(OPS["logsumexp"], None, "total", rows, (1,))
        return apply(OPS["sub"], None, "sampled_softmax_loss", total, own.mean(1))


def _drawn(
    labels: Any, num_true: int, num_sampled: int, num_classes: int, given: Any,
    seed: int | None = None,
) -> Sampled:  # fmt: skip
    if given is not None:
        return Sampled(*map(convert_to_tensor, given))
    classes = cast(labels, "int64")
    return log_uniform_candidate_sampler(classes, num_true, num_sampled, True, num_classes, seed)
