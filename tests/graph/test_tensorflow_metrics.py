"""Metrics over several batches, against NumPy over all of them."""

import numpy as np
import pytest

import gleed.compat.tensorflow as tf
from gleed.errors import ArgumentError

RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 2, (5, 31))
SCORES = np.clip(LABELS * 0.3 + RANDOM.random((5, 31)) * 0.7, 0, 1).astype("float32")
GUESSES = (SCORES > 0.5).astype("int64")
WEIGHTS = RANDOM.integers(0, 3, (5, 31)).astype("float32")
RIGHT = LABELS == GUESSES
TRUE, TAKEN = LABELS == 1, GUESSES == 1


def over_batches(metric, labels=LABELS, guesses=GUESSES, weights=None, **options):
    """The figure after all batches, which the last update must give too."""
    z, p = (tf.placeholder(str(x.dtype), [None]) for x in (labels, guesses))
    w = None if weights is None else tf.placeholder(tf.float32, [None])
    value, update = metric(z, p, w, **options) if w is not None else metric(z, p, **options)
    assert not tf.global_variables() and not tf.trainable_variables()
    with tf.Session() as session:
        session.run(tf.local_variables_initializer())
        session.run(value)  # of nothing; it must not fail
        for i in range(len(labels)):
            feeds = {z: labels[i], p: guesses[i]} | ({} if w is None else {w: weights[i]})
            last = session.run(update, feeds)
        assert last == session.run(value)
        return last


def mean(x, weights):
    return x.mean() if weights is None else (x * weights).sum() / weights.sum()


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_shares(weights):
    w = np.ones_like(WEIGHTS) if weights is None else weights
    expected = {
        "accuracy": mean(RIGHT, weights),
        "precision": (w * (TRUE & TAKEN)).sum() / (w * TAKEN).sum(),
        "recall": (w * (TRUE & TAKEN)).sum() / (w * TRUE).sum(),
        "true_positives": (w * (TRUE & TAKEN)).sum(),
        "true_negatives": (w * (~TRUE & ~TAKEN)).sum(),
        "false_positives": (w * (~TRUE & TAKEN)).sum(),
        "false_negatives": (w * (TRUE & ~TAKEN)).sum(),
    }
    for name, value in expected.items():
        with tf.Graph().as_default():
            found = over_batches(getattr(tf.metrics, name), weights=weights)
        np.testing.assert_allclose(found, value, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_errors(weights):
    labels = RANDOM.standard_normal((5, 31)).astype("float32")
    expected = {
        "mean_squared_error": mean((labels - SCORES) ** 2, weights),
        "mean_absolute_error": mean(abs(labels - SCORES), weights),
        "root_mean_squared_error": mean((labels - SCORES) ** 2, weights) ** 0.5,
    }
    for name, value in expected.items():
        with tf.Graph().as_default():
            found = over_batches(getattr(tf.metrics, name), labels, SCORES, weights)
        np.testing.assert_allclose(found, value, rtol=1e-5, err_msg=name)


def test_the_area_under_the_curve():
    ones, zeros = SCORES[TRUE][:, None], SCORES[~TRUE]
    found = over_batches(tf.metrics.auc, guesses=SCORES, num_thresholds=2000)
    assert abs(found - (ones > zeros).mean()) < 2e-3


def test_the_area_under_precision_and_recall():
    order = np.argsort(-SCORES.ravel())
    hits = np.cumsum(TRUE.ravel()[order])
    precision, recall = hits / np.arange(1, hits.size + 1), hits / hits[-1]
    found = over_batches(tf.metrics.auc, guesses=SCORES, curve="PR", num_thresholds=2000)
    assert abs(found - np.trapezoid(precision, recall)) < 0.02


def test_the_area_needs_a_curve_that_is_known():
    with pytest.raises(ArgumentError, match=r"auc: curve must be 'ROC' or 'PR'.*'XY'"):
        tf.metrics.auc([1], [0.5], curve="XY")


def test_overlaps_of_classes():
    labels, guesses = RANDOM.integers(0, 4, (2, 3, 50))
    labels[labels == 2] = 1  # a class that does not occur
    guesses[guesses == 2] = 0
    found = over_batches(tf.metrics.mean_iou, labels, guesses, num_classes=4)
    shares = [
        ((labels == c) & (guesses == c)).sum() / ((labels == c) | (guesses == c)).sum()
        for c in (0, 1, 3)
    ]
    np.testing.assert_allclose(found, np.mean(shares), rtol=1e-6)


def test_counts_are_local_variables_under_the_name():
    value, update = tf.metrics.mean([1.0, 3.0], name="mine")
    counts = tf.get_collection(tf.GraphKeys.LOCAL_VARIABLES, scope="mine")
    assert [v.name for v in counts] == ["mine/total:0", "mine/count:0"]
    assert counts == tf.get_collection(tf.GraphKeys.METRIC_VARIABLES) == tf.local_variables()
    with tf.Session() as session:
        session.run(tf.local_variables_initializer())
        assert session.run(update) == 2.0
        session.run(tf.variables_initializer(counts))
        assert session.run(value) == 0.0


def test_figures_are_kept_in_collections():
    value, update = tf.metrics.mean([1.0], None, ["values"], ["updates"])
    assert tf.get_collection("values") == [value] and tf.get_collection("updates") == [update]
