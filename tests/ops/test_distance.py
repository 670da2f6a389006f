"""Distances of all rows from all rows, in the two ways of computing them."""

from __future__ import annotations

import re

import numpy as np
import pytest

import gleed
from gleed.errors import RangeError

PRODUCT, DIRECT = "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist"


def points(*shape: int, dtype: str = "float64", seed: int = 0) -> gleed.Tensor:
    values = np.random.default_rng((seed, *shape)).standard_normal(shape)
    return gleed.tensor(values).to(getattr(gleed, dtype))


@pytest.mark.parametrize("mode", [None, PRODUCT, DIRECT])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("a", "b"),
    [
        *(((26, 3), (4, 3)), ((4, 70), (40, 70)), ((25, 9), (25, 9)), ((2, 30, 5), (1, 3, 5))),
        *(((3, 1, 7, 2), (2, 28, 2)), ((30, 0), (5, 0)), ((0, 4), (30, 4)), ((30, 4), (0, 4))),
    ],
)
def test_euclidean_distances(a, b, dtype, mode):
    x, y = points(*a, dtype=dtype), points(*b, dtype=dtype, seed=1)
    gap = x.numpy().astype(float)[..., :, None, :] - y.numpy().astype(float)[..., None, :, :]
    got = gleed.cdist(x, y, compute_mode=mode).numpy()
    tolerance = 2e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(got, np.sqrt((gap**2).sum(-1)), tolerance, tolerance)
    back = gleed.cdist(x.mT.contiguous().mT, y.flip(-2), compute_mode=mode).numpy()
    np.testing.assert_allclose(back, np.flip(got, -1), tolerance, tolerance)


def test_a_product_is_for_many_rows_and_order_two():
    """The ways differ in rounding, which shows where points are far from the origin."""
    x = points(26, 3, dtype="float32") + 1000
    direct, product = (gleed.cdist(x, x[:4], compute_mode=m).numpy() for m in (DIRECT, PRODUCT))
    assert not np.array_equal(direct, product)
    assert np.array_equal(gleed.cdist(x[:25], x[:4]).numpy(), direct[:25])
    assert np.array_equal(gleed.cdist(x, x[:4]).numpy(), product)
    one = [gleed.cdist(x, x[:4], 1.0, mode).numpy() for mode in (None, PRODUCT, DIRECT)]
    assert np.array_equal(one[0], one[1]) and np.array_equal(one[0], one[2])


@pytest.mark.parametrize("mode", [PRODUCT, DIRECT])
def test_gradients(mode):
    x, y = (points(n, 3, seed=n).requires_grad_() for n in (5, 4))
    batch = points(2, 3, 3).requires_grad_()

    def call(a, b):
        return gleed.cdist(a, b, 2.0, mode)

    for a, b in ((x, y), (batch, y)):
        assert gleed.autograd.gradcheck(call, (a, b))
        assert gleed.autograd.gradgradcheck(call, (a, b))


@pytest.mark.parametrize("mode", [PRODUCT, DIRECT])
def test_points_that_coincide_have_no_gradient(mode):
    x = gleed.tensor([[1.0, 2.0], [4.0, 6.0]], requires_grad=True)
    y = x.detach().clone().requires_grad_()
    distances = gleed.cdist(x, y, compute_mode=mode)
    assert distances.tolist() == [[0, 5], [5, 0]]
    distances.backward(gleed.tensor([[7.0, 1.0], [0.0, 3.0]]))
    np.testing.assert_allclose(x.grad.numpy(), [[-0.6, -0.8], [0, 0]], 1e-6)
    np.testing.assert_allclose(y.grad.numpy(), [[0, 0], [0.6, 0.8]], 1e-6)


def test_nan_stays():
    x = gleed.ones(30, 2)
    x[3, 0] = float("nan")
    rows = np.isnan(gleed.cdist(x, gleed.zeros(2, 2)).numpy()).all(1)
    assert rows.tolist() == [i == 3 for i in range(30)]


def test_the_mode_must_be_known():
    message = (
        "cdist: compute_mode must be one of use_mm_for_euclid_dist_if_necessary, "
        "use_mm_for_euclid_dist, donot_use_mm_for_euclid_dist; got 'fast'; correct the name"
    )
    with pytest.raises(RangeError, match=f"^{re.escape(message)}$"):
        gleed.cdist(gleed.ones(2, 3), gleed.ones(2, 3), compute_mode="fast")
