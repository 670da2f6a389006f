"""EmbeddingBag against loops over its bags."""

import itertools

import numpy as np
import pytest

import gleed
from gleed import nn
from gleed.autograd import gradcheck, gradgradcheck
from gleed.errors import DTypeError, RangeError, ShapeError
from gleed.nn import functional as F

RNG = np.random.default_rng(8)
TABLE = RNG.normal(size=(6, 3))
INDEX = np.array([5, 2, 0, 2, 2, 4, 1, 5, 5])
STARTS = [0, 2, 2, 7]  # the second bag is empty, and the last ends where the input does
BAGS = [INDEX[:2], INDEX[2:2], INDEX[2:7], INDEX[7:]]


def bag_of(rows, mode):
    if len(rows) == 0:
        return np.zeros(TABLE.shape[1])
    return {"sum": np.sum, "mean": np.mean, "max": np.max}[mode](rows, axis=0)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding", [None, 2, -1])
def test_bags(mode, padding):
    skipped = None if padding is None else padding % len(TABLE)
    expected = [bag_of(TABLE[[i for i in bag if i != skipped]], mode) for bag in BAGS]
    weight = gleed.from_numpy(TABLE.copy()).requires_grad_()
    index, offsets = gleed.from_numpy(INDEX), gleed.tensor(STARTS)
    options = {"mode": mode, "padding_idx": padding}

    def by_offsets(weight):
        return F.embedding_bag(index, weight, offsets, **options)

    np.testing.assert_allclose(by_offsets(weight).detach().numpy(), expected, rtol=1e-12)
    ended = gleed.tensor([*STARTS, len(INDEX)])
    bag = F.embedding_bag(index, weight, ended, include_last_offset=True, **options)
    np.testing.assert_allclose(bag.detach().numpy(), expected, rtol=1e-12)
    assert gradcheck(by_offsets, weight) and gradgradcheck(by_offsets, weight)

    square = index.reshape(3, 3).t()
    rows = square.numpy()
    expected = [bag_of(TABLE[[i for i in bag if i != skipped]], mode) for bag in rows]

    def by_rows(weight):
        return F.embedding_bag(square, weight, **options)

    np.testing.assert_allclose(by_rows(weight).detach().numpy(), expected, rtol=1e-12)
    assert gradcheck(by_rows, weight) and gradgradcheck(by_rows, weight)


@pytest.mark.parametrize("rows", [False, True])
def test_weights_of_samples(rows):
    scales = RNG.normal(size=9)
    index, offsets = gleed.from_numpy(INDEX), None if rows else gleed.tensor(STARTS)
    table = gleed.from_numpy(TABLE.copy()).requires_grad_()
    given = gleed.from_numpy(scales.copy()).requires_grad_()
    shape = (3, 3) if rows else (9,)

    def function(table, given):
        return F.embedding_bag(
            index.reshape(shape),
            table,
            offsets,
            mode="sum",
            per_sample_weights=given.reshape(shape),
        )

    scaled = TABLE[INDEX] * scales[:, None]
    bounds = [0, 3, 6, 9] if rows else [*STARTS, 9]
    expected = [scaled[a:b].sum(0) for a, b in itertools.pairwise(bounds)]
    np.testing.assert_allclose(function(table, given).detach().numpy(), expected, rtol=1e-12)
    assert gradcheck(function, (table, given)) and gradgradcheck(function, (table, given))


def test_gradient_by_frequency_and_norms():
    bag = nn.EmbeddingBag(6, 3, mode="sum", scale_grad_by_freq=True)
    bag(gleed.tensor([[1, 1, 2]])).sum().backward()
    assert bag.weight.grad[:3].tolist() == [[0.0] * 3, [1.0] * 3, [1.0] * 3]
    short = nn.EmbeddingBag.from_pretrained(gleed.full((2, 4), 3.0), max_norm=1.0)
    short(gleed.tensor([[0, 0]]))
    np.testing.assert_allclose(short.weight.norm(2, 1).numpy(), [1, 6], rtol=1e-5)
    assert not short.weight.requires_grad


def test_module():
    bag = nn.EmbeddingBag(10, 3, max_norm=1, padding_idx=-8, mode="sum")
    assert repr(bag) == "EmbeddingBag(10, 3, max_norm=1, mode='sum', padding_idx=2)"
    assert list(bag.state_dict()) == ["weight"] and (bag.weight[2] == 0).all()
    assert bag(gleed.zeros(0, 4, dtype=gleed.int64)).shape == (0, 3)
    assert bag(gleed.zeros(2, 0, dtype=gleed.int64)).tolist() == [[0.0] * 3] * 2
    half = nn.EmbeddingBag(4, 3, dtype=gleed.bfloat16)(gleed.tensor([1, 2]), gleed.tensor([0]))
    assert half.dtype is gleed.bfloat16


W = gleed.zeros(4, 2)
PAIR = gleed.tensor([[0, 1]])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: F.embedding_bag(PAIR, W, mode="min"),
            RangeError,
            'embedding_bag: mode must be "sum", "mean" or "max"; got \'min\'; correct the name',
        ),
        (
            lambda: F.embedding_bag(PAIR.float(), W),
            DTypeError,
            "embedding_bag: integers and a matrix of rows are needed; got gleed.float32 and weight "
            "(4, 2); convert the input with .long()",
        ),
        (
            lambda: F.embedding_bag(PAIR[0], W),
            ShapeError,
            "embedding_bag: the input must be (bags, size) without offsets, or 1-dimensional with "
            "them; got shape (2,) with offsets=None; drop or add offsets",
        ),
        (
            lambda: F.embedding_bag(PAIR[0], W, gleed.tensor([1])),
            RangeError,
            "embedding_bag: offsets must be a vector that begins with 0; got [1]; prepend 0",
        ),
        (
            lambda: F.embedding_bag(PAIR, W, per_sample_weights=gleed.ones(1, 2)),
            ShapeError,
            'embedding_bag: per_sample_weights go with mode="sum" and have the shape of the input; '
            "got mode='mean', shapes (1, 2) and (1, 2); make them agree",
        ),
        (
            lambda: F.embedding_bag(PAIR + 3, W),
            IndexError,
            "embedding_bag: index is out of range; got index 4 for dim 0 of size 4; use 0 … 3",
        ),
        (
            lambda: F.embedding_bag(PAIR[0], W, gleed.tensor([0, 5])),
            IndexError,
            "embedding_bag: index is out of range; got index 5 for dim 0 of size 3; use 0 … 2",
        ),
        (
            lambda: nn.EmbeddingBag(4, 2, padding_idx=4),
            RangeError,
            "EmbeddingBag: padding_idx is one of the 4 rows, -4 to 3; got 4; add a row for it: "
            "num_embeddings=5",
        ),
    ],
)
def test_messages(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).splitlines()[0] == message
