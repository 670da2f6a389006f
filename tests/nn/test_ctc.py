"""Connectionist temporal classification, against the sum over all alignments."""

import itertools
import math

import numpy as np
import pytest

import gleed
from gleed import nn
from gleed.autograd import gradcheck, gradgradcheck
from gleed.errors import RangeError, ShapeError
from gleed.nn import functional as F

RNG = np.random.default_rng(11)


def read(path, blank):
    """The labels that an alignment stands for."""
    runs = [label for label, _ in itertools.groupby(path)]
    return [label for label in runs if label != blank]


def likelihood(scores, target, blank):
    """The summed probability of all alignments of one sample."""
    time, classes = scores.shape
    paths = itertools.product(range(classes), repeat=time)
    fitting = (path for path in paths if read(path, blank) == list(target))
    return sum(math.exp(sum(scores[t, c] for t, c in enumerate(path))) for path in fitting)


def scores_of(time, batch, classes):
    raw = RNG.normal(size=(time, batch, classes))
    return raw - np.log(np.exp(raw).sum(-1, keepdims=True))


CASES = [
    ([1, 2], [5, 4], 0),
    ([1, 1], [5, 3], 0),  # a blank must lie between equal labels
    ([], [2, 3], 0),
    ([0, 2, 0], [5, 5], 1),
    ([1, 1, 1], [5, 4], 0),  # the second sample is too short
]


@pytest.mark.parametrize(("target", "times", "blank"), CASES)
@pytest.mark.parametrize("joined", [False, True])
def test_loss_is_the_sum_over_alignments(target, times, blank, joined):
    scores = scores_of(5, 2, 3)
    second = target[:-1]
    lengths = [len(target), len(second)]
    rows = np.full((2, len(target) + 1), 9)
    rows[0, : lengths[0]], rows[1, : lengths[1]] = target, second
    targets = np.array([*target, *second]) if joined else rows
    loss = F.ctc_loss(
        gleed.from_numpy(scores),
        gleed.tensor(targets.tolist(), dtype=gleed.int64),
        gleed.tensor(times),
        lengths,
        blank,
        "none",
    )
    with np.errstate(divide="ignore"):
        expected = [
            -np.log(likelihood(scores[:n, i], labels, blank))
            for i, (n, labels) in enumerate(zip(times, (target, second), strict=True))
        ]
    np.testing.assert_allclose(loss.numpy(), expected, rtol=1e-12)


def test_single_sample_and_reductions():
    scores = gleed.from_numpy(scores_of(6, 2, 4))
    targets, times, lengths = gleed.tensor([[1, 2, 3], [2, 0, 0]]), [6, 5], [3, 1]
    each = F.ctc_loss(scores, targets, times, lengths, reduction="none")
    single = F.ctc_loss(scores[:, 0], targets[0], [6], [3], reduction="none")
    assert single.shape == () and single == each[0]
    total = F.ctc_loss(scores, targets, times, lengths, reduction="sum")
    assert math.isclose(total, each.sum())
    mean = nn.CTCLoss()(scores, targets, times, lengths)
    assert math.isclose(mean, (each / gleed.tensor([3.0, 1.0])).mean(), rel_tol=1e-12)


def test_gradients():
    raw = gleed.from_numpy(RNG.normal(size=(9, 3, 4))).requires_grad_()
    targets, lengths = gleed.tensor([[1, 1, 2], [3, 2, 0], [0, 0, 0]]), [3, 2, 0]
    loss = nn.CTCLoss(reduction="none")

    def function(raw):
        return loss(raw.log_softmax(2), targets, [9, 7, 4], lengths)

    assert gradcheck(function, raw)
    assert gradgradcheck(function, raw)


def test_gradient_of_scores_that_are_not_normalised_first():
    """The derivative, and exp(scores) for as many moments as count."""
    scores = gleed.from_numpy(scores_of(5, 1, 3)).requires_grad_()
    F.ctc_loss(scores, gleed.tensor([[1, 2]]), [4], [2], reduction="sum").backward()
    exact, step = np.zeros((5, 1, 3)), 1e-6
    exact[:4] = np.exp(scores.detach().numpy()[:4])
    for place in np.ndindex(exact.shape):
        ends = []
        for sign in (1, -1):
            moved = scores.detach().numpy().copy()
            moved[place] += sign * step
            ends.append(-math.log(likelihood(moved[:4, 0], [1, 2], 0)))
        exact[place] += (ends[0] - ends[1]) / (2 * step)
    np.testing.assert_allclose(scores.grad.numpy(), exact, atol=1e-7)


def test_targets_that_do_not_fit():
    raw = gleed.randn(2, 2, 3, requires_grad=True)
    arguments = gleed.tensor([[1, 1], [1, 2]]), [2, 2], [2, 2]
    assert math.isinf(F.ctc_loss(raw.log_softmax(2), *arguments))
    loss = nn.CTCLoss(zero_infinity=True)(raw.log_softmax(2), *arguments)
    loss.backward()
    assert math.isfinite(loss) and (raw.grad[:, 0] == 0).all() and (raw.grad[:, 1] != 0).any()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"reduction": "avg"},
            RangeError,
            'ctc_loss: reduction must be "mean", "sum" or "none"; got \'avg\'; correct the name',
        ),
        (
            {"blank": 3},
            RangeError,
            "ctc_loss: blank must be a class, 0 … 2; got 3; add a class for it",
        ),
        (
            {"input_lengths": [4]},
            ShapeError,
            "ctc_loss: log_probs must be (time, batch, classes) with one input and target length "
            "per sample; got (4, 2, 3) with 1 and 2 lengths; check the order of the dims",
        ),
        (
            {"input_lengths": [4, 5]},
            RangeError,
            "ctc_loss: input lengths lie in 0 … 4, the size of dim 0, and target lengths are not "
            "negative; got [4, 5] and [1, 2]; check the lengths",
        ),
        (
            {"targets": gleed.tensor([[1], [2]])},
            ShapeError,
            "ctc_loss: targets must be (batch, longest), or all sequences one after another; got "
            "(2, 1) for target lengths [1, 2]; check the lengths",
        ),
    ],
)
def test_messages(change, error, message):
    arguments = {
        "log_probs": gleed.zeros(4, 2, 3),
        "targets": gleed.tensor([[1, 0], [1, 2]]),
        "input_lengths": [4, 4],
        "target_lengths": [1, 2],
    }
    with pytest.raises(error) as caught:
        F.ctc_loss(**(arguments | change))
    assert str(caught.value) == message
