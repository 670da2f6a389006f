"""Random numbers: the generator's words, what is made of them, states, gradients.

NumPy's RandomState is the same Mersenne Twister, so its words say what must come out.
"""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gleed
import gleed.nn.functional as F
from gleed import _C
from gleed.errors import GradientError

SEED = 7
FLOATS = [gleed.float32, gleed.float64, gleed.float16, gleed.bfloat16]


@pytest.fixture(autouse=True)
def seeded():
    gleed.manual_seed(SEED)


def words(count, seed=SEED):
    state = np.random.RandomState(seed)
    return state.randint(0, 2**32, size=count, dtype=np.uint64)


def halves(count, seed=SEED):
    """Uniform float32 numbers: one word each."""
    return ((words(count, seed) & 0xFFFFFF) / 2**24).astype(np.float32)


def wholes(count, seed=SEED):
    """Uniform float64 numbers: two words each."""
    high, low = words(2 * count, seed).reshape(-1, 2).T
    return ((high << np.uint64(32) | low) & np.uint64(2**53 - 1)) / 2.0**53


def drawn_words():
    """How many words the default generator has given since it was seeded."""
    following = np.float32(gleed.rand(1).item())
    (found,) = np.nonzero(halves(20_000) == following)
    return found.tolist()


# ---- the generator
def test_words_are_those_of_the_mersenne_twister():
    # The 10000th word from seed 5489 is in the C++ standard, [rand.predef].
    gleed.manual_seed(5489)
    drawn = gleed.empty(10_000, dtype=gleed.int32).random_()
    assert drawn[0].item() == 3499211612 % 2**31
    assert drawn[-1].item() == 4123659995 % 2**31


@given(st.lists(st.sampled_from(["f32", "f64", "int", "wide"]), max_size=8), st.data())
def test_any_sequence_of_draws_takes_the_words_in_turn(kinds, data):
    gleed.manual_seed(SEED)
    source = words(20_000)
    for kind in kinds:
        n = data.draw(st.integers(0, 1300))
        width = 1 if kind in ("f32", "int") else 2
        taken, source = source[: n * width], source[n * width :]
        if width == 2:
            taken = taken[::2] << np.uint64(32) | taken[1::2]
        if kind == "f32":
            result, expected = gleed.rand(n), (taken & np.uint64(0xFFFFFF)) / 2.0**24
        elif kind == "f64":
            result = gleed.rand(n, dtype=gleed.float64)
            expected = (taken & np.uint64(2**53 - 1)) / 2.0**53
        else:
            top = 1000 if kind == "int" else 2**40
            result, expected = gleed.randint(top, (n,)), taken % np.uint64(top)
        assert np.array_equal(result.numpy(), expected.astype(result.numpy().dtype))


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**32 + 5, -1, -(2**63), 2**64 - 1])
def test_the_low_32_bits_of_a_seed_decide(seed):
    gleed.manual_seed(seed)
    assert gleed.initial_seed() == seed % 2**64
    assert np.array_equal(gleed.rand(50).numpy(), halves(50, seed % 2**32))


def test_generators_are_independent():
    own = gleed.Generator().manual_seed(11)
    assert np.array_equal(gleed.rand(5, generator=own).numpy(), halves(5, 11))
    assert np.array_equal(gleed.rand(5).numpy(), halves(5))
    assert np.array_equal(gleed.rand(5, generator=own).numpy(), halves(10, 11)[5:])
    assert gleed.manual_seed(3) is gleed.default_generator
    assert own.device == gleed.device("cpu")


def test_seed_is_unpredictable():
    assert gleed.seed() != gleed.seed()
    assert gleed.initial_seed() < 2**53


@pytest.mark.parametrize("used", [0, 1, 5, 623, 624, 625, 1000])
def test_a_state_continues_where_it_was_taken(used):
    gleed.rand(used)
    gleed.randn(3)  # keeps a second number
    state = gleed.get_rng_state()
    assert (state.dtype, state.shape) == (gleed.uint8, (5056,))
    expected = [gleed.randn(3), gleed.rand(700)]
    gleed.set_rng_state(state)
    for number in expected:
        again = gleed.randn(3) if number.shape == (3,) else gleed.rand(700)
        assert bool((again == number).all())
    other = gleed.Generator().set_state(state)
    for twin in (other.clone_state(), pickle.loads(pickle.dumps(other)), copy.deepcopy(other)):
        assert bool((gleed.randn(3, generator=twin) == expected[0]).all())


def test_fork_rng_leaves_no_trace():
    with gleed.random.fork_rng():
        gleed.randn(3)
    with pytest.raises(KeyError), gleed.fork_rng():
        gleed.rand(3)
        raise KeyError
    assert np.array_equal(gleed.rand(5).numpy(), halves(5))
    with gleed.fork_rng(enabled=False):
        gleed.rand(3)
    assert drawn_words() == [8]


# ---- uniform numbers
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(), (1,), (3,), (33, 20), (0, 4)])
def test_rand_reads_the_low_bits(dtype, shape):
    n = math.prod(shape)
    source = wholes(n) if dtype is gleed.float64 else halves(n)
    expected = gleed.from_numpy(source.reshape(shape)).to(dtype)
    expected = gleed.where(expected == 1, gleed.zeros_like(expected), expected)
    for result in (gleed.rand(shape, dtype=dtype), None):
        if result is None:
            gleed.manual_seed(SEED)
            result = gleed.rand_like(expected)
        assert (result.dtype, result.shape) == (dtype, shape)
        assert bool((result == expected).all())


def test_the_upper_bound_is_never_reached():
    x = gleed.rand(100_000, dtype=gleed.bfloat16)
    assert x.max().item() < 1
    y = gleed.empty(100_000, dtype=gleed.float16).uniform_(1, 1.003)
    bound = gleed.tensor(1.003, dtype=gleed.float16).item()
    assert y.min().item() >= 1 and y.max().item() < bound
    assert bool((gleed.empty(5).uniform_(2, 2) == 2).all())


def test_numbers_come_in_the_order_of_memory():
    x = gleed.empty(30, 20).t()
    x.uniform_()
    assert np.array_equal(x.numpy().T, halves(600).reshape(30, 20))
    gleed.manual_seed(SEED)
    y = gleed.full((6, 10), 9.0)
    y[::2, 1:8].uniform_()
    assert np.array_equal(y[::2, 1:8].numpy(), halves(21).reshape(3, 7))
    assert bool((y[1::2] == 9).all()) and bool((y[:, 0] == 9).all())
    gleed.manual_seed(SEED)
    like = gleed.rand_like(gleed.zeros(5, 4).t())
    assert like.stride() == (1, 4)
    assert np.array_equal(like.numpy().T, halves(20).reshape(5, 4))


# ---- normal numbers
def one_by_one(count):
    u = wholes(count + 1)[: (count + 1) // 2 * 2].reshape(-1, 2)
    radius, angle = np.sqrt(-2 * np.log1p(-u[:, 1])), 2 * np.pi * u[:, 0]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()[:count]


def in_blocks(u):
    first, second = u.reshape(-1, 2, 8).transpose(1, 0, 2).astype(np.float64)
    radius = np.sqrt(-2 * np.log(1 - first))
    pair = radius * np.cos(2 * np.pi * second), radius * np.sin(2 * np.pi * second)
    return np.stack(pair, 1).ravel()


@pytest.mark.parametrize("dtype", [gleed.float32, gleed.float64])
@pytest.mark.parametrize("n", [0, 1, 2, 15, 16, 17, 31, 32, 1000, 4096])
def test_randn_by_box_and_muller(dtype, n):
    source = wholes if dtype is gleed.float64 else halves
    if n < 16:
        expected = one_by_one(n)
    else:
        u = source(n + 16)
        expected = np.zeros(n)
        expected[: n // 16 * 16] = in_blocks(u[: n // 16 * 16])
        if n % 16:
            expected[-16:] = in_blocks(u[n:])
    tolerance = 1e-14 if dtype is gleed.float64 else 3e-6
    result = gleed.randn(n, dtype=dtype)
    assert np.allclose(result.numpy(), expected, rtol=tolerance, atol=tolerance)
    gleed.manual_seed(SEED)
    shifted = gleed.empty(n, dtype=dtype).normal_(-2, 3)
    assert np.allclose(shifted.numpy(), expected * 3 - 2, rtol=10 * tolerance, atol=tolerance * 10)


def test_the_second_number_of_a_pair_is_kept():
    expected = one_by_one(6).astype(np.float32)
    parts = [gleed.randn(1), gleed.randn(3), gleed.randn(2)]
    assert np.array_equal(gleed.cat(parts).numpy(), expected)
    assert drawn_words() == [12]


def test_normal_fills_scattered_memory_one_by_one():
    x = gleed.empty(9, 5).t().normal_()
    assert np.array_equal(x.numpy().T.ravel(), one_by_one(45).astype(np.float32))
    gleed.manual_seed(SEED)
    y = gleed.randn_like(gleed.zeros(9, 5).t())
    assert bool((x == y).all()) and y.stride() == (1, 5)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_numbers_do_not_depend_on_threads(threads):
    before = gleed.get_num_threads()
    gleed.set_num_threads(threads)
    try:
        sums = [gleed.randn(100_003, dtype=d).numpy().tobytes() for d in FLOATS[:2]]
    finally:
        gleed.set_num_threads(before)
    gleed.manual_seed(SEED)
    assert sums == [gleed.randn(100_003, dtype=d).numpy().tobytes() for d in FLOATS[:2]]


def test_normal_of_means_and_deviations():
    mean, std = gleed.arange(5.0), gleed.tensor([0.0, 1.0, 2.0, 3.0, 0.5])
    z = one_by_one(5).astype(np.float32)
    assert np.allclose(gleed.normal(mean, std).numpy(), mean.numpy() + std.numpy() * z)
    for call, expected in [
        (lambda: gleed.normal(mean, 2.0), mean.numpy() + 2 * z),
        (lambda: gleed.normal(1.0, std), 1 + std.numpy() * z),
        (lambda: gleed.normal(1.0, 2.0, (5,)), 1 + 2 * z),
        (lambda: gleed.normal(mean), mean.numpy() + z),
    ]:
        gleed.manual_seed(SEED)
        assert np.allclose(call().numpy(), expected, rtol=1e-6)
    assert gleed.normal(mean.view(5, 1), std).shape == (5, 5)


# ---- whole numbers
@pytest.mark.parametrize(
    "low, high", [(0, 1), (-5, 3), (0, 2**28 - 1), (3, 2**28 + 2), (-(2**40), 2**50)]
)
def test_randint_is_a_word_modulo_the_range(low, high):
    span = high - low
    if span < 2**28:
        expected = words(300) % np.uint64(span)
    else:
        pairs = words(600)
        expected = (pairs[::2] << np.uint64(32) | pairs[1::2]) % np.uint64(span)
    result = gleed.randint(low, high, (300,))
    assert result.dtype is gleed.int64
    assert np.array_equal(result.numpy(), expected.astype(np.int64) + low)


def test_randint_reaches_the_ends_of_int64():
    pairs = words(100)
    bits = (pairs[::2] << np.uint64(32) | pairs[1::2]).astype(np.int64)
    result = gleed.empty(50, dtype=gleed.int64).random_(-(2**63), None)
    assert np.array_equal(result.numpy(), bits + np.int64(-(2**63)))


def test_randint_in_all_forms():
    expected = (words(6) % np.uint64(10)).astype(np.int64).reshape(2, 3)
    x = gleed.zeros(2, 3)
    for call in (
        lambda: gleed.randint(10, (2, 3)),
        lambda: gleed.randint(high=10, size=(2, 3)),
        lambda: gleed.randint(0, 10, (2, 3), dtype=gleed.int16),
        lambda: gleed.randint_like(x, 10),
        lambda: gleed.randint_like(x, 0, 10),
        lambda: x.random_(10),
        lambda: x.random_(0, 10),
        lambda: gleed.randint(10, (2, 3), dtype=gleed.float64),
    ):
        gleed.manual_seed(SEED)
        assert call().tolist() == expected.tolist()


@pytest.mark.parametrize(
    "dtype, count",
    [
        (gleed.uint8, 2**8),
        (gleed.int8, 2**7),
        (gleed.int16, 2**15),
        (gleed.int32, 2**31),
        (gleed.bool, 2),
        (gleed.float16, 2**11 + 1),
        (gleed.bfloat16, 2**8 + 1),
        (gleed.float32, 2**24 + 1),
    ],
)
def test_random_without_bounds(dtype, count):
    expected = words(40) % np.uint64(count)
    result = gleed.empty(40, dtype=dtype).random_()
    assert result.to(gleed.float64).tolist() == expected.astype(np.float64).tolist()


@pytest.mark.parametrize("n", [0, 1, 2, 30, 2000])
def test_randperm_shuffles_from_the_front(n):
    expected = list(range(n))
    for i, word in enumerate(words(max(n - 1, 0))):
        place = i + int(word) % (n - i)
        expected[i], expected[place] = expected[place], expected[i]
    assert gleed.randperm(n).tolist() == expected
    assert drawn_words() == [max(n - 1, 0)]
    assert gleed.randperm(3, dtype=gleed.float32).dtype is gleed.float32


# ---- events
@pytest.mark.parametrize("p", [0.0, 2.0**-60, 0.3, 0.5, 1.0 - 2.0**-53, 1.0])
@pytest.mark.parametrize("dtype", [gleed.float32, gleed.bfloat16, gleed.int64, gleed.bool])
def test_bernoulli_compares_with_doubles(p, dtype):
    result = gleed.empty(400, dtype=dtype).bernoulli_(p)
    assert np.array_equal(result.to(gleed.bool).numpy(), wholes(400) < p)
    assert drawn_words() == [800]


def test_bernoulli_of_tensors():
    p = gleed.linspace(0, 1, 60).view(3, 20)
    assert np.array_equal(gleed.bernoulli(p).numpy(), halves(60).reshape(3, 20) < p.numpy())
    gleed.manual_seed(SEED)
    x = gleed.empty(3, 20, dtype=gleed.int32).bernoulli_(p[0].double())
    assert np.array_equal(x.numpy(), wholes(60).reshape(3, 20) < p[0].double().numpy())


@pytest.mark.parametrize("dtype", FLOATS)
def test_dropout_keeps_and_scales(dtype):
    x = gleed.arange(-50, 50).to(dtype)
    kept = gleed.from_numpy(wholes(100) < 0.75)
    scale = gleed.tensor(1 / 0.75, dtype=gleed.float64).to(dtype)
    expected = gleed.where(kept, x * scale, gleed.zeros_like(x))
    assert bool((F.dropout(x, 0.25) == expected).all())
    assert drawn_words() == [200]


def test_dropout_that_is_certain_draws_nothing():
    x = gleed.tensor([1.0, -2.0, math.inf])
    assert F.dropout(x, 0.5, training=False) is x
    assert F.dropout(x, 0.0).tolist() == x.tolist()
    assert F.dropout(x[:2], 1.0).tolist() == [0.0, 0.0]
    assert math.isnan(F.dropout(x, 1.0)[2].item())
    assert F.alpha_dropout(x[:2], 1.0, training=True).tolist() == [0.0, 0.0]
    assert drawn_words() == [0]


def test_dropout_in_place():
    x = gleed.ones(50)
    expected = F.dropout(x, 0.5)
    gleed.manual_seed(SEED)
    assert F.dropout(x, 0.5, inplace=True) is x
    assert bool((x == expected).all())


@pytest.mark.parametrize(
    "name, shape, kept",
    [
        ("dropout1d", (4, 5, 3), (4, 5, 1)),
        ("dropout1d", (5, 3), (5, 1)),
        ("dropout2d", (4, 5, 2, 3), (4, 5, 1, 1)),
        ("dropout2d", (4, 5, 3), (4, 5, 1)),
        ("dropout3d", (2, 5, 1, 2, 3), (2, 5, 1, 1, 1)),
        ("dropout3d", (5, 1, 2, 3), (5, 1, 1, 1)),
    ],
)
def test_dropout_of_channels(name, shape, kept):
    mask = (wholes(math.prod(kept)) < 0.5).reshape(kept)
    result = getattr(F, name)(gleed.ones(shape), 0.5)
    assert np.array_equal(result.numpy(), np.broadcast_to(mask * 2.0, shape))


@pytest.mark.parametrize(
    "name, kept", [("alpha_dropout", (6, 5, 4)), ("feature_alpha_dropout", (6, 5, 1))]
)
def test_alpha_dropout_saturates_and_rescales(name, kept):
    x = np.random.default_rng(0).normal(size=(6, 5, 4))
    mask = (wholes(math.prod(kept)) < 0.7).reshape(kept)
    low = -1.7580993408473766
    gain = ((0.3 * low**2 + 1) * 0.7) ** -0.5
    expected = gain * np.where(mask, x, low) - gain * low * 0.3
    result = getattr(F, name)(gleed.from_numpy(x), 0.3, training=True)
    assert np.allclose(result.numpy(), expected, rtol=1e-12)


# ---- other distributions
@pytest.mark.parametrize("dtype", FLOATS)
def test_distributions_transform_doubles(dtype):
    u, z = wholes(500), one_by_one(500)
    for call, expected in [
        (lambda x: x.exponential_(2.5), -np.log1p(-u) / 2.5),
        (lambda x: x.log_normal_(0.3, 0.7), np.exp(0.7 * z + 0.3)),
        (lambda x: x.cauchy_(0.3, 0.7), 0.3 + 0.7 * np.tan(np.pi * (u - 0.5))),
        (lambda x: x.geometric_(0.3), np.ceil(np.log(u) / np.log1p(-0.3))),
    ]:
        gleed.manual_seed(SEED)
        result = call(gleed.empty(500, dtype=dtype)).to(gleed.float64).numpy()
        rounded = gleed.from_numpy(expected).to(dtype).to(gleed.float64).numpy()
        assert np.allclose(result, rounded, rtol=1e-12 if dtype is gleed.float64 else 1e-7)


def test_multinomial_with_replacement_searches_the_sums():
    weights = gleed.tensor([[1.0, 0.0, 2.0, 5.0], [0.0, 0.25, 0.0, 0.0]])
    result = gleed.multinomial(weights, 500, replacement=True)
    assert result.shape == (2, 500)
    sums = np.array([1, 1, 3, 8]) / 8
    assert np.array_equal(result[0].numpy(), np.searchsorted(sums, wholes(500)))
    assert bool((result[1] == 1).all())
    one_row = weights[0]
    gleed.manual_seed(SEED)
    assert bool((one_row.multinomial(500, True) == result[0]).all())


def test_multinomial_without_replacement_is_a_race():
    weights = np.random.default_rng(0).random((3, 40))
    race = weights / -np.log1p(-wholes(120).reshape(3, 40))
    expected = np.argsort(-race, axis=1)
    x = gleed.from_numpy(weights)
    assert np.array_equal(gleed.multinomial(x, 12).numpy(), expected[:, :12])
    gleed.manual_seed(SEED)
    assert np.array_equal(gleed.multinomial(x, 1).numpy(), expected[:, :1])


def test_gumbel_softmax():
    logits = gleed.from_numpy(np.random.default_rng(0).normal(size=(5, 6)))
    noise = -np.log(-np.log1p(-wholes(30).reshape(5, 6)))
    exponents = np.exp((logits.numpy() + noise) / 0.7)
    expected = exponents / exponents.sum(1, keepdims=True)
    soft = F.gumbel_softmax(logits, 0.7)
    assert np.allclose(soft.numpy(), expected, rtol=1e-12)
    gleed.manual_seed(SEED)
    hard = F.gumbel_softmax(logits, 0.7, hard=True)
    assert np.allclose(hard.numpy(), expected == expected.max(1, keepdims=True))


def test_rrelu_draws_for_negative_elements_only():
    x = gleed.tensor([[-1.0, 2.0, -3.0], [4.0, 0.0, -6.0]]).t()
    u = wholes(4) * 0.5 + 0.25
    expected = [[-u[0], 4.0], [2.0, 0.0], [-3 * u[2], -6 * u[3]]]
    assert np.allclose(F.rrelu(x, 0.25, 0.75, training=True).numpy(), expected)
    usual = F.rrelu(x, 0.25, 0.75).numpy()
    assert np.allclose(usual, np.where(x.numpy() > 0, x.numpy(), x.numpy() / 2))


# ---- gradients
def test_the_gradient_of_dropout_is_its_mask():
    x = gleed.randn(40, 30).requires_grad_()
    g = gleed.randn(40, 30)
    y = F.dropout(x, 0.4)
    y.backward(g)
    scale = np.float32(1) / np.float32(1 - 0.4)
    assert np.array_equal(x.grad.numpy(), np.where(y.detach().numpy() == 0, 0, g.numpy() * scale))


def test_dropout_saves_one_byte_per_element():
    x = gleed.randn(1 << 20).requires_grad_()
    F.dropout(x, 0.5).sum().backward()  # so that compiling is not counted
    _C.release_cached_memory()  # nor what a block of another size wastes
    before = gleed.memory_stats()["allocated"]
    y = F.dropout(x, 0.5)
    kept = gleed.memory_stats()["allocated"] - before - y.numel() * 4
    assert kept <= 1.01 * (1 << 20)


def test_dropout_twice_differentiable():
    x = gleed.randn(30, dtype=gleed.float64).requires_grad_()

    def f(x):
        gleed.manual_seed(SEED)
        return F.dropout(x * x, 0.3)

    assert gleed.autograd.gradcheck(f, (x,))
    assert gleed.autograd.gradgradcheck(f, (x,))


@pytest.mark.parametrize(
    "fill",
    [
        lambda x: x.uniform_(),
        lambda x: x.normal_(),
        lambda x: x.exponential_(),
        lambda x: x.bernoulli_(0.5),
        lambda x: x.random_(5),
    ],
)
def test_what_is_overwritten_has_no_gradient(fill):
    x = gleed.ones(20).requires_grad_()
    y = x * 2
    fill(y)
    (y * gleed.arange(20.0)).sum().backward()
    assert bool((x.grad == 0).all())
    with pytest.raises(GradientError, match="a leaf that requires grad"):
        fill(x)


def test_what_is_drawn_has_a_gradient_of_zero():
    p = gleed.rand(5).requires_grad_()
    for y in (gleed.bernoulli(p), gleed.normal(p, p)):
        y.sum().backward()
        assert p.grad.tolist() == [0.0] * 5


def test_hard_gumbel_softmax_has_the_gradient_of_the_soft_one():
    logits, g = gleed.randn(4, 5).requires_grad_(), gleed.randn(4, 5)
    gradients = []
    for hard in (False, True):
        gleed.manual_seed(SEED)
        F.gumbel_softmax(logits, hard=hard).backward(g)
        gradients.append(logits.grad)
        logits.grad = None
    assert bool((gradients[0] == gradients[1]).all())
    assert bool((gradients[0] != 0).any())
