"""The same seeds give the same numbers and leave the same state as in PyTorch."""

import warnings

import numpy as np
import pytest
import torch

import gleed

FLOATS = ["float32", "float64", "float16", "bfloat16"]
DTYPES = [*FLOATS, "uint8", "int8", "int16", "int32", "int64", "bool"]
SIZES = [(), (1,), (3,), (15,), (16,), (17,), (4, 8), (33, 7), (0,), (2, 0), (1000,)]


def drawn(lib, call, seed):
    """What a call gives after seeding, and the state that it leaves."""
    lib.manual_seed(seed)
    result = call(lib)
    if "bfloat16" in str(result.dtype):
        result = result.float()
    return np.array(result.detach().numpy()), np.array(lib.get_rng_state().numpy())


def same(call, ulps=0, seed=0):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, about shapes that it takes all the same
        expected, state = drawn(torch, call, seed)
    result, own_state = drawn(gleed, call, seed)
    assert (result.dtype, result.shape) == (expected.dtype, expected.shape)
    if ulps:
        np.testing.assert_array_max_ulp(result, expected, ulps)
    else:
        np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(own_state, state)


def of(lib, name):
    return getattr(lib, name)


def shares(lib, dtype, *shape):
    """Numbers from 0 to 1, in order."""
    n = int(np.prod(shape))
    return (lib.arange(n) / n).to(of(lib, dtype)).reshape(*shape)


# ---- factories and fills
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    "make",
    [
        lambda lib, size, dtype: lib.rand(size, dtype=dtype),
        lambda lib, size, dtype: lib.randn(size, dtype=dtype),
        lambda lib, size, dtype: lib.empty(size, dtype=dtype).uniform_(-0.37, 1.713),
        lambda lib, size, dtype: lib.empty(size, dtype=dtype).normal_(0.37, 1.713),
        lambda lib, size, dtype: lib.normal(0.37, 1.713, size, dtype=dtype),
        lambda lib, size, dtype: lib.empty(size, dtype=dtype).bernoulli_(0.3),
    ],
    ids=["rand", "randn", "uniform_", "normal_", "normal", "bernoulli_"],
)
def test_dense(make, size, dtype):
    same(lambda lib: make(lib, size, of(lib, dtype)))


FILLS = {
    "uniform_": (-0.37, 1.713),
    "normal_": (0.37, 1.713),
    "exponential_": (2.5,),
    "log_normal_": (0.3, 0.7),
    "geometric_": (0.3,),
    "bernoulli_": (0.3,),
    "random_": (),
}
# Elementary functions of float64 differ in the last place.
INEXACT = {("exponential_", "float64"), ("log_normal_", "float64")}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(6, 5), (20, 30), (3, 4, 5)], ids=str)
@pytest.mark.parametrize(
    "view",
    [lambda x: x, lambda x: x.transpose(0, 1), lambda x: x[:, ::2], lambda x: x[::2, 1:]],
    ids=["whole", "transposed", "stepped", "part"],
)
@pytest.mark.parametrize("name", FILLS)
def test_fills_of_scattered_memory(name, view, shape, dtype):
    ulps = 2 if (name, dtype) in INEXACT else 0
    same(lambda lib: of(view(lib.zeros(shape, dtype=of(lib, dtype))), name)(*FILLS[name]), ulps)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["rand_like", "randn_like"])
def test_likes_of_transposed(name, dtype):
    same(lambda lib: of(lib, name)(lib.zeros(20, 30, dtype=of(lib, dtype)).transpose(0, 1)))


def test_cauchy():
    same(lambda lib: lib.empty(1000).cauchy_(0.3, 0.7))
    # The tangent near its poles: a rounding of the angle moves many places.
    same(lambda lib: lib.empty(1000, dtype=lib.float64).cauchy_(0.3, 0.7), ulps=10_000)


@pytest.mark.parametrize("seed", range(20))
def test_many_normal_numbers_are_equal_to_the_last_bit(seed):
    same(lambda lib: lib.randn(100_003), seed=seed)


@pytest.mark.parametrize("seed", [0, 1, -1, -5, 2**32, 2**40 + 3, 2**63, 2**64 - 1, -(2**63)])
def test_seeds(seed):
    same(lambda lib: lib.rand(5), seed=seed)


def test_sequences():
    same(lambda lib: [lib.randn(3), lib.randn(20), lib.rand(701), lib.randn(5)][-1])
    same(lambda lib: [lib.rand(1), lib.rand(1, dtype=lib.float64), lib.randint(9, (999,))][-1])


# ---- whole numbers
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bounds", [(), (2,), (0, 2), (1, 100), (0, None), (1, None)], ids=str)
def test_random(bounds, dtype):
    if dtype != "bool" or 100 not in bounds:
        same(lambda lib: lib.empty(50, dtype=of(lib, dtype)).random_(*bounds))


@pytest.mark.parametrize("dtype", DTYPES)
def test_randint_of_dtypes(dtype):
    same(lambda lib: lib.randint(2, (50,), dtype=of(lib, dtype)))
    same(lambda lib: lib.randint_like(lib.zeros(5, 4, dtype=of(lib, dtype)), 2))
    if dtype != "bool":
        same(lambda lib: lib.randperm(50, dtype=of(lib, dtype)))


@pytest.mark.parametrize("high", [1, 2, 10, 2**28 - 1, 2**28, 2**31, 2**32, 2**50, 2**63 - 1])
@pytest.mark.parametrize("low", [0, -5, -(2**40)])
def test_randint(low, high):
    same(lambda lib: lib.randint(low, high, (100,)))


@pytest.mark.parametrize("n", [0, 1, 2, 1000, 100_000])
def test_randperm(n):
    same(lambda lib: lib.randperm(n))


# ---- of tensors
@pytest.mark.parametrize("dtype", FLOATS)
def test_bernoulli(dtype):
    same(lambda lib: lib.bernoulli(shares(lib, dtype, 10, 20)))
    same(lambda lib: shares(lib, dtype, 10, 20).t().bernoulli())
    same(lambda lib: lib.bernoulli(shares(lib, dtype, 10, 20).t(), 0.3))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("other", ["float32", "float64", "float16"])
def test_bernoulli_of_tensors(other, dtype):
    same(lambda lib: lib.empty(9, 20, dtype=of(lib, dtype)).bernoulli_(shares(lib, other, 20)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal_of_tensors(dtype):
    same(lambda lib: lib.normal(shares(lib, dtype, 9, 20), shares(lib, dtype, 20) * 0.7))
    same(lambda lib: lib.normal(shares(lib, dtype, 9, 20), 0.7))
    same(lambda lib: lib.normal(shares(lib, dtype, 3), 0.7))
    same(lambda lib: lib.normal(1.7, shares(lib, dtype, 9, 20)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(200,), (10, 20)], ids=str)
@pytest.mark.parametrize(
    "count, again", [(1, False), (5, False), (20, False), (1, True), (9999, True)]
)
def test_multinomial(count, again, shape, dtype):
    same(lambda lib: lib.multinomial(shares(lib, dtype, *shape), count, replacement=again))


# ---- functions for networks
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("name", ["dropout", "alpha_dropout"])
def test_dropout(name, p, dtype):
    same(lambda lib: of(lib.nn.functional, name)(shares(lib, dtype, 20, 30) - 0.5, p, True))
    same(lambda lib: of(lib.nn.functional, name)(shares(lib, dtype, 20, 30).t(), p, True))


@pytest.mark.parametrize(
    "name, shape",
    [
        ("dropout1d", (4, 5, 3)),
        ("dropout1d", (5, 3)),
        ("dropout2d", (4, 5, 2, 3)),
        ("dropout2d", (4, 5, 3)),
        ("dropout3d", (2, 5, 2, 3, 2)),
        ("dropout3d", (5, 2, 3, 2)),
        ("feature_alpha_dropout", (4, 5, 3)),
        ("feature_alpha_dropout", (4, 5)),
    ],
)
@pytest.mark.parametrize("p", [0.0, 0.4, 1.0])
def test_dropout_of_channels(name, shape, p):
    same(lambda lib: of(lib.nn.functional, name)(shares(lib, "float32", *shape), p, True))


@pytest.mark.parametrize("dim", [0, -1])
def test_gumbel_softmax(dim):
    options = {"tau": 0.7, "dim": dim}
    same(lambda lib: lib.nn.functional.gumbel_softmax(shares(lib, "float32", 9, 20), **options), 32)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rrelu(dtype):
    same(lambda lib: lib.nn.functional.rrelu(shares(lib, dtype, 9, 20) - 0.5, training=True))
    same(lambda lib: lib.nn.functional.rrelu((shares(lib, dtype, 9, 20) - 0.5).t(), 0.1, 0.7, True))
    same(lambda lib: lib.nn.functional.rrelu(shares(lib, dtype, 9, 20) - 0.5))


def test_states_are_exchanged():
    torch.manual_seed(3)
    torch.randn(5), torch.rand(700)
    gleed.set_rng_state(gleed.from_numpy(torch.get_rng_state().numpy()))
    np.testing.assert_array_equal(gleed.randn(33).numpy(), torch.randn(33).numpy())
    gleed.randn(1)
    torch.set_rng_state(torch.from_numpy(np.array(gleed.get_rng_state().numpy())))
    np.testing.assert_array_equal(gleed.randn(3).numpy(), torch.randn(3).numpy())
