"""A linear layer with its cross entropy: the same as one after the other."""

import pytest

import gleed
from gleed import nn
from gleed.errors import ArgumentError, RangeError, ShapeError
from gleed.nn import functional as F


def both(loss, x, target):
    """The loss and the gradients, of the module and in two steps."""
    weight, bias = loss.linear.weight, loss.linear.bias
    logits = F.linear(x, weight, bias).reshape(*x.shape[:-1], loss.num_classes, *loss.out_features)
    options = {"reduction": loss.reduction, "label_smoothing": loss.label_smoothing}
    apart = F.cross_entropy(logits, target, loss.weight, **options)
    for result in (loss(x, target), apart):
        wanted = [x, *loss.linear.parameters()]
        yield result, *gleed.autograd.grad(result.sum(), wanted)


@pytest.mark.parametrize("options", [
    {},
    {"bias": True, "reduction": "none", "label_smoothing": 0.1},
    {"weight": gleed.tensor([0.5, 1.0, 2.0, 0.1]), "out_features": (2, 3), "bias": True},
    {"options": nn.LinearCrossEntropyOptions(batch_chunk_size=2), "reduction": "sum"},
])  # fmt: skip
def test_module(options):
    gleed.manual_seed(3)
    loss = nn.LinearCrossEntropyLoss(5, 4, **options)
    x = gleed.randn(7, 5, requires_grad=True)
    classes = gleed.randint(4, (7, *loss.out_features))
    shares = gleed.rand(7, 4, *loss.out_features)
    for target in (classes, shares):
        for a, b in zip(*both(loss, x, target), strict=True):
            assert gleed.allclose(a, b)


def test_one_sample_and_classes_that_do_not_count():
    x, weight = gleed.randn(3), gleed.randn(4, 3)
    single = F.linear_cross_entropy(x, weight, gleed.tensor(2))
    assert gleed.allclose(single, F.linear_cross_entropy(x[None], weight, gleed.tensor([2])))
    two = F.linear_cross_entropy(x.expand(2, 3), weight, gleed.tensor([2, 1]), ignore_index=1)
    assert gleed.allclose(single, two)


X, W = gleed.ones(2, 3), gleed.ones(4, 3)
MESSAGES = [
    (lambda: F.linear_cross_entropy(X, gleed.ones(4, 2), gleed.tensor([0, 1])), ShapeError,
     "linear_cross_entropy: the input must be (N, in) or (in) and linear_weight (C, …, in), (C, in)"
     " for a single input; got (2, 3) and (4, 2); reshape them"),
    (lambda: F.linear_cross_entropy(X, W, gleed.tensor([0, 1]), linear_bias=gleed.ones(3)),
     ShapeError, "linear_cross_entropy: linear_bias must be (4,), as linear_weight is (4, 3); got "
     "(3,); reshape it"),
    (lambda: F.linear_cross_entropy(X, W, gleed.ones(2, 4), ignore_index=1), ArgumentError,
     "linear_cross_entropy: ignore_index is for targets that are classes; got it with "
     "probabilities; leave it out"),
    (lambda: nn.LinearCrossEntropyLoss(3, 4, weight=gleed.ones(3)), ShapeError,
     "LinearCrossEntropyLoss: weight must hold one number for each of 4 classes; got (3,); make "
     "them agree"),
    (lambda: nn.LinearCrossEntropyLoss(3, 4, label_smoothing=2), RangeError,
     "LinearCrossEntropyLoss: label_smoothing must lie in 0 … 1; got 2; use 0.1, say"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), MESSAGES)
def test_messages(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
