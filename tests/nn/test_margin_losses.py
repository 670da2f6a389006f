"""Losses that compare, and of predicted distributions: the modules against formulas in NumPy."""

import numpy as np
import pytest
from scipy import stats

import gleed
from gleed import nn
from gleed.autograd import gradcheck, gradgradcheck
from gleed.errors import BoundsError, RangeError, ShapeError
from gleed.nn import functional as F

RNG = np.random.default_rng(3)
A, B, C = (RNG.normal(size=(4, 3)) for _ in range(3))
SIGNS = np.array([1.0, -1.0, -1.0, 1.0])
POSITIVE = RNG.uniform(0.5, 2, (4, 3))
COUNTS = RNG.integers(0, 5, (4, 3)).astype(float)


def plus(x):
    return np.maximum(x, 0)


def norm(x, p=2):
    return (np.abs(x + 1e-6) ** p).sum(-1) ** (1 / p)


def cosine(x, y):
    return (x * y).sum(-1) / np.linalg.norm(x, axis=-1) / np.linalg.norm(y, axis=-1)


CASES = [
    (nn.MarginRankingLoss(0.5), (A[:, 0], B[:, 0], SIGNS),
     lambda a, b, y: plus(-y * (a - b) + 0.5)),
    (nn.HingeEmbeddingLoss(0.7), (A[:, 0], SIGNS), lambda x, y: np.where(y == 1, x, plus(0.7 - x))),
    (nn.CosineEmbeddingLoss(0.1), (A, B, SIGNS),
     lambda a, b, y: np.where(y == 1, 1 - cosine(a, b), plus(cosine(a, b) - 0.1))),
    (nn.SoftMarginLoss(), (A[:, 0], SIGNS), lambda x, y: np.log1p(np.exp(-x * y))),
    (nn.TripletMarginLoss(0.5, p=1, swap=True), (A, B, C),
     lambda a, b, c: plus(norm(a - b, 1) - np.minimum(norm(a - c, 1), norm(b - c, 1)) + 0.5)),
    (nn.TripletMarginWithDistanceLoss(), (A, B, C),
     lambda a, b, c: plus(norm(a - b) - norm(a - c) + 1)),
    (nn.TripletMarginWithDistanceLoss(
        distance_function=lambda a, b: (a - b).abs().amax(-1), swap=True, margin=0.2),
     (A, B, C),
     lambda a, b, c: plus(np.abs(a - b).max(-1) - np.minimum(
         np.abs(a - c).max(-1), np.abs(b - c).max(-1)) + 0.2)),
    (nn.PoissonNLLLoss(log_input=False, full=False), (POSITIVE, COUNTS),
     lambda x, y: x - y * np.log(x + 1e-8)),
    (nn.GaussianNLLLoss(full=True), (A, B, POSITIVE),
     lambda x, y, v: -stats.norm.logpdf(y, x, np.sqrt(v))),
    (nn.PairwiseDistance(3.0), (A, B), lambda a, b: norm(a - b, 3)),
    (nn.CosineSimilarity(), (A, B), cosine),
]  # fmt: skip


@pytest.mark.parametrize(("module", "arrays", "formula"), CASES, ids=range(len(CASES)))
def test_values_and_gradients(module, arrays, formula):
    tensors = tuple(gleed.from_numpy(array.copy()) for array in arrays)
    exact = formula(*arrays)
    reductions = ("mean", "sum", "none") if hasattr(module, "reduction") else ("none",)
    for reduction in reductions:
        module.reduction = reduction
        wanted = exact if reduction == "none" else getattr(np, reduction)(exact)
        np.testing.assert_allclose(module(*tensors).numpy(), wanted, rtol=1e-9, atol=1e-12)
    tensors[0].requires_grad_()
    assert gradcheck(module, tensors)
    assert gradgradcheck(module, tensors, atol=1e-4)


def test_losses_of_several_classes():
    x = gleed.tensor([[0.1, 0.2, 0.4, 0.8]])
    # The example of PyTorch's documentation: 0.25 ((1 - 0.1 + 0.2) + … + (1 - 0.8 + 0.4)).
    loss = nn.MultiLabelMarginLoss()(x, gleed.tensor([[3, 0, -1, 1]]))
    assert abs(loss - 0.85) < 1e-6
    margin = nn.MultiMarginLoss(weight=gleed.tensor([1.0, 2.0, 1.0, 1.0]))
    assert abs(margin(x, gleed.tensor([1])) - 2 * (0.9 + 1.2 + 1.6) / 4) < 1e-6
    soft = nn.MultiLabelSoftMarginLoss()(x, gleed.tensor([[1.0, 0.0, 0.0, 1.0]]))
    signs = np.array([1, -1, -1, 1])
    assert abs(soft - np.log1p(np.exp(-signs * x.numpy())).mean()) < 1e-6
    assert list(margin.state_dict()) == ["weight"]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: nn.TripletMarginLoss(margin=0),
            RangeError,
            "TripletMarginLoss: margin is positive; got 0; use 1.0",
        ),
        (
            lambda: nn.TripletMarginWithDistanceLoss(margin=-1),
            RangeError,
            "TripletMarginWithDistanceLoss: margin is positive; got -1; use 1.0",
        ),
        (
            lambda: nn.MultiMarginLoss(p=3),
            RangeError,
            "MultiMarginLoss: p is 1 or 2; got 3; use 1",
        ),
        (
            lambda: F.triplet_margin_with_distance_loss(
                gleed.zeros(2), gleed.zeros(2), gleed.zeros(2), reduction="avg"
            ),
            RangeError,
            'triplet_margin_with_distance_loss: reduction must be "mean", "sum" or "none"; got '
            "'avg'; correct the name",
        ),
        (
            lambda: F.multilabel_margin_loss(gleed.zeros(2, 3), gleed.tensor([0, 1, -1])),
            ShapeError,
            "multilabel_margin_loss: input and target must both be (batch, classes) or (classes); "
            "got [2, 3] and [3]; fill the target up with -1",
        ),
        (
            lambda: F.multilabel_margin_loss(gleed.zeros(3), gleed.tensor([0, 3, -1])),
            BoundsError,
            "multilabel_margin_loss: classes must lie in 0 … 2; got 3; check the labels",
        ),
    ],
)
def test_messages(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
