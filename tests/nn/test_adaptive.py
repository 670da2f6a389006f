"""The adaptive softmax."""

import numpy as np
import pytest

import gleed
from gleed import nn
from gleed.errors import BoundsError, RangeError, ShapeError


def test_probabilities_of_all_classes():
    softmax = nn.AdaptiveLogSoftmaxWithLoss(8, 11, [3, 6], div_value=2.0, head_bias=True).double()
    x = gleed.randn(40, 8, dtype=gleed.float64)
    scores = softmax.log_prob(x)
    np.testing.assert_allclose(scores.exp().sum(1).detach().numpy(), 1, rtol=1e-12)
    target = gleed.randint(0, 11, (40,))
    output, loss = softmax(x, target)
    expected = scores.gather(1, target.unsqueeze(1)).squeeze(1).detach().numpy()
    np.testing.assert_allclose(output.detach().numpy(), expected, rtol=1e-12)
    assert abs(loss + expected.mean()) < 1e-12
    assert (softmax.predict(x) == scores.argmax(1)).all()
    single = softmax(x[0], target[0])
    assert single.output.shape == () and abs(single.output - expected[0]) < 1e-12
    loss.backward()
    assert all(p.grad is not None for p in softmax.parameters())
    names = ["head.weight", "head.bias", "tail.0.0.weight", "tail.0.1.weight"]
    assert list(softmax.state_dict()) == [*names, "tail.1.0.weight", "tail.1.1.weight"]
    assert [tuple(layer[0].weight.shape) for layer in softmax.tail] == [(4, 8), (2, 8)]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 5, [2, 5]),
            RangeError,
            "AdaptiveLogSoftmaxWithLoss: cutoffs ascend between 1 and n_classes-1; got [2, 5] for "
            "5 classes; leave n_classes itself out",
        ),
        (
            lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 5, [2])(gleed.zeros(2, 4), gleed.tensor([1])),
            ShapeError,
            "AdaptiveLogSoftmaxWithLoss: the input must be (N, in_features) with a target (N), or "
            "(in_features) with a 0-d one; got (2, 4) and (1,); reshape them",
        ),
        (
            lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 5, [2])(gleed.zeros(1, 4), gleed.tensor([5])),
            BoundsError,
            "AdaptiveLogSoftmaxWithLoss: classes must lie in 0 … 4; got targets from 5 to 5; check "
            "the labels",
        ),
    ],
)
def test_messages(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).splitlines()[0] == message
