"""Attention by blocks against its plain definition: sizes around blocks, masks, gradients, memory,
threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import gleed
from gleed import _C

from .formulas import FORMULAS

attention = gleed.nn.functional.scaled_dot_product_attention
formula = FORMULAS["scaled_dot_product_attention"]
# L, S, E, Ev: blocks are 48 queries and 384 keys, tiles 6 rows and 16 · 4 columns.
SIZES = [
    (1, 1, 1, 1),
    (5, 7, 3, 2),
    (48, 384, 16, 64),
    (49, 385, 17, 65),
    (97, 1000, 8, 5),
    (500, 50, 64, 130),
    (7, 0, 3, 2),
    (0, 5, 3, 2),
]
OPTIONS = ("plain", "causal", "bool", "float", "row", "scale", "negative", "zero")
HALVES = ("float16", "bfloat16")


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape)


def tensors(lead: tuple[int, ...], sizes: tuple[int, ...], dtype: Any) -> list[Any]:
    queries, keys, depth, columns = sizes
    shapes = ((queries, depth), (keys, depth), (keys, columns))
    return [
        gleed.tensor(numbers(*lead, *shape, seed=i), dtype=dtype) for i, shape in enumerate(shapes)
    ]


def options(name: str, queries: int, keys: int, dtype: Any) -> dict[str, Any]:
    """Options of a call; of masks some rows hide every key."""
    if name in ("plain", "causal"):
        return {"is_causal": name == "causal"}
    if name in ("scale", "negative", "zero"):
        return {"scale": {"scale": 0.3, "negative": -0.5, "zero": 0.0}[name], "is_causal": True}
    visible = numbers(queries, keys, seed=5) > -0.5
    visible[:1] = False
    if name == "bool":
        return {"attn_mask": gleed.tensor(visible)}
    if name == "row":
        return {"attn_mask": gleed.tensor(numbers(1, keys, seed=6), dtype=dtype)}
    mask = np.where(visible, numbers(queries, keys, seed=7), -np.inf)
    return {"attn_mask": gleed.tensor(mask, dtype=dtype)}


def exact(x: Any) -> Any:
    """What the formula takes in place of a tensor."""
    if not isinstance(x, _C.Tensor):
        return x
    return x.detach().numpy().astype(int if x.dtype is gleed.bool else float)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("sizes", SIZES)
def test_values(sizes: tuple[int, ...], option: str, dtype: str) -> None:
    kind = getattr(gleed, dtype)
    for lead in ((), (2, 3)) if sizes[1] < 500 else ((2,),):
        xs = tensors(lead, sizes, kind)
        chosen = options(option, *sizes[:2], kind)
        got = attention(*xs, **chosen)
        wanted = formula(*map(exact, xs), **{n: exact(x) for n, x in chosen.items()})
        tolerance = 1e-5 if dtype == "float32" else 1e-13
        np.testing.assert_allclose(got.numpy(), wanted, rtol=tolerance, atol=tolerance)


def definition(q: Any, k: Any, v: Any, mask: Any = None, causal: bool = False) -> Any:
    """The same by whole matrices; every row sees something."""
    scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
    if causal:
        hidden = gleed.ones(*scores.shape[-2:], dtype=gleed.bool).triu(1)
        scores = scores.masked_fill(hidden, float("-inf"))
    return (scores if mask is None else scores + mask).softmax(-1) @ v


@pytest.mark.parametrize("option", ["plain", "causal", "mask"])
@pytest.mark.parametrize("sizes", [(5, 7, 3, 2), (49, 385, 17, 65), (500, 50, 64, 13)])
def test_gradients(sizes: tuple[int, ...], option: str) -> None:
    mine = [x.requires_grad_() for x in tensors((1, 2), sizes, gleed.float64)]
    if option == "mask":
        mine.append(gleed.tensor(numbers(2, 1, sizes[1]), requires_grad=True))
    theirs = [x.detach().clone().requires_grad_() for x in mine]
    causal = option == "causal"
    got = attention(*mine, is_causal=causal)
    wanted = definition(*theirs, causal=causal)
    cotangent = gleed.tensor(numbers(*wanted.shape, seed=9))
    got.backward(cotangent)
    wanted.backward(cotangent)
    for x, y in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_gradients_of_any_order() -> None:
    """The third derivative, too, is that of the definition."""
    found = []
    for function in (attention, definition):
        xs = [x.requires_grad_() for x in tensors((2,), (3, 4, 3, 2), gleed.float64)]
        total = (function(*xs) ** 2).sum()
        for _ in range(3):
            gradients = gleed.autograd.grad(total, xs, create_graph=True)
            total = sum((g * g * w).sum() for w, g in enumerate(gradients, 1))
        found.append([g.detach().numpy() for g in gradients])
    for x, y in zip(*found, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-9)


def test_rows_that_see_nothing_have_no_gradient() -> None:
    xs = [x.requires_grad_() for x in tensors((), (3, 4, 3, 2), gleed.float32)]
    mask = gleed.ones(3, 4, dtype=gleed.bool)
    mask[1] = False
    y = attention(*xs, mask)
    y.sum().backward()
    assert (y[1] == 0).all() and (xs[0].grad[1] == 0).all()
    assert all(x.grad.isfinite().all() for x in xs)


def assert_rounded(got: Any, wanted: Any, roundings: int = 1) -> None:
    """Whether 16-bit results are what float32 gives but for so many roundings."""
    assert got.dtype in (gleed.float16, gleed.bfloat16)
    step = roundings * 2.0 ** (-11 if got.dtype is gleed.float16 else -8)
    found, wanted = (x.detach().float().numpy() for x in (got, wanted))
    near = 1e-5 * np.abs(wanted).max(initial=0) + 1e-7  # of float32; of small float16
    np.testing.assert_allclose(found, wanted, rtol=1.01 * step, atol=near)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("sizes", SIZES)
def test_halves(sizes: tuple[int, ...], option: str, dtype: str) -> None:
    kind = getattr(gleed, dtype)
    xs = [x.requires_grad_() for x in tensors((2,), sizes, kind)]
    wide = [x.detach().float().requires_grad_() for x in xs]
    chosen = options(option, *sizes[:2], kind)
    same = {n: x.float() if option in ("float", "row") else x for n, x in chosen.items()}
    got, wanted = attention(*xs, **chosen), attention(*wide, **same)
    assert_rounded(got, wanted)
    g = gleed.tensor(numbers(*wanted.shape, seed=9), dtype=kind)
    found = gleed.autograd.grad(got, xs, g)
    for x, y in zip(found, gleed.autograd.grad(wanted, wide, g.float()), strict=True):
        assert_rounded(x, y)


@pytest.mark.parametrize("dtype", HALVES)
def test_halves_lie_anywhere(dtype: str) -> None:
    """Operands whose rows are no neighbours, and of odd depth, are widened, not read in pairs."""
    kind = getattr(gleed, dtype)
    for depth in (6, 7):
        xs = [gleed.tensor(numbers(2, depth, n), dtype=kind).mT for n in (50, 60, 60)]
        plain = [x.contiguous().requires_grad_() for x in xs]
        turned = [x.detach().requires_grad_() for x in xs]
        g = gleed.tensor(numbers(2, depth, 50, seed=3), dtype=kind).mT
        got, wanted = attention(*turned), attention(*plain)
        assert_rounded(got, wanted, 2)
        found = gleed.autograd.grad(got, turned, g)
        for x, y in zip(found, gleed.autograd.grad(wanted, plain, g), strict=True):
            assert_rounded(x, y, 2)


@pytest.mark.parametrize("dtype", HALVES)
def test_second_gradients_of_halves(dtype: str) -> None:
    found = []
    kind = getattr(gleed, dtype)
    for wide in (False, True):
        xs = tensors((2, 4), (5, 6, 4, 3), kind)
        xs[1:] = (x[:, :2] for x in xs[1:])
        xs = [(x.float() if wide else x.detach()).requires_grad_() for x in xs]
        y = attention(*xs, gleed.tensor(numbers(5, 6), dtype=xs[0].dtype), enable_gqa=True)
        first = gleed.autograd.grad((y * y).sum(), xs, create_graph=True)
        total = sum((g * g).sum() for g in first)
        found.append(gleed.autograd.grad(total, xs))
    for x, y in zip(*found, strict=True):
        error = (x.float() - y).abs().max() / y.abs().max()
        assert error < (4e-3 if dtype == "float16" else 3e-2)


def test_views_are_read_where_they_lie() -> None:
    packed = gleed.tensor(numbers(20, 2, 3, 4, 6), dtype=gleed.float32)  # L, N, qkv, heads, E
    q, k, v = packed.permute(2, 1, 3, 0, 4).unbind(0)
    wanted = attention(*(x.contiguous() for x in (q, k, v)))
    np.testing.assert_array_equal(attention(q, k, v).numpy(), wanted.numpy())


@pytest.mark.parametrize("sizes", [(5, 7, 3, 2), (500, 500, 4, 5), (3, 0, 2, 2), (4, 4, 1, 3)])
def test_results_lie_as_the_operands_do(sizes: tuple[int, ...]) -> None:
    rows, keys, depth, columns = sizes
    shapes = ((rows, depth), (keys, depth), (keys, columns))
    plain = [gleed.tensor(numbers(2, 3, *s), requires_grad=True) for s in shapes]
    turned = [x.detach().transpose(1, 2).contiguous() for x in plain]
    turned = [x.transpose(1, 2).requires_grad_() for x in turned]
    g = gleed.tensor(numbers(2, 3, rows, columns))
    found, expected = attention(*turned), attention(*plain)
    assert gleed.equal(found, expected)
    gradients = gleed.autograd.grad(found, turned, g)
    for ours, known in zip(gradients, gleed.autograd.grad(expected, plain, g), strict=True):
        assert gleed.equal(ours, known)
    if depth:
        assert all(y.transpose(1, 2).is_contiguous() for y in (found, *gradients))


def test_shared_heads() -> None:
    q, k, v = tensors((2, 6), (5, 7, 4, 3), gleed.float64)
    k, v = k[:, :2], v[:, :2]
    wanted = attention(q, k.repeat_interleave(3, 1), v.repeat_interleave(3, 1))
    got = attention(q, k, v, enable_gqa=True)
    np.testing.assert_allclose(got.numpy(), wanted.numpy(), rtol=1e-14)


@pytest.mark.parametrize("option", ["plain", "causal", "bool"])
@pytest.mark.parametrize("lead", [(), (1, 2), (9,)])  # some divided between tasks
def test_gradients_of_shared_heads(lead: tuple[int, ...], option: str) -> None:
    q, k, v = tensors((*lead, 6), (90, 800, 3, 2), gleed.float64)
    mine = [x.requires_grad_() for x in (q, k[..., :2, :, :], v[..., :2, :, :])]
    theirs = [x.detach().clone().requires_grad_() for x in mine]
    chosen = options(option, 90, 800, gleed.float64)
    got = attention(*mine, **chosen, enable_gqa=True)
    whole = [x.repeat_interleave(3, -3) for x in theirs[1:]]
    wanted = attention(theirs[0], *whole, **chosen)
    g = gleed.tensor(numbers(*wanted.shape, seed=9))
    np.testing.assert_allclose(got.detach().numpy(), wanted.detach().numpy(), rtol=1e-12)
    found = gleed.autograd.grad(got, mine, g)
    for x, y in zip(found, gleed.autograd.grad(wanted, theirs, g), strict=True):
        np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=1e-9, atol=1e-12)


def test_shared_heads_have_second_gradients() -> None:
    q, k, v = tensors((2, 4), (3, 4, 3, 2), gleed.float64)
    xs = [x.requires_grad_() for x in (q, k[:, :2].clone(), v[:, :2].clone())]
    mask = gleed.tensor(numbers(3, 4)) > -1
    mask[:, :1] = True
    for chosen in ({"is_causal": True}, {"attn_mask": mask}):
        call = lambda *xs, chosen=chosen: attention(*xs, enable_gqa=True, **chosen)  # noqa: E731
        assert gleed.autograd.gradgradcheck(call, xs)


@pytest.fixture
def restored_threads() -> Iterator[None]:
    before = _C.get_num_threads()
    yield
    _C.set_num_threads(before)


@pytest.mark.parametrize("dtype", ["float32", *HALVES])
@pytest.mark.parametrize("lead", [(1,), (3, 8)])
def test_threads_do_not_change_a_bit(
    lead: tuple[int, ...], dtype: str, restored_threads: None
) -> None:
    found = []
    for count in (1, 2):
        _C.set_num_threads(count)
        xs = [x.requires_grad_() for x in tensors(lead, (400, 800, 16, 16), getattr(gleed, dtype))]
        y = attention(*xs, is_causal=True)
        y.sum().backward()
        results = (y, *(x.grad for x in xs))
        found.append([z.detach().float().numpy().tobytes() for z in results])
    assert found[0] == found[1]


@pytest.mark.parametrize("dtype", ["float32", *HALVES])
def test_memory_grows_with_the_length_alone(dtype: str) -> None:
    length = 3000
    xs = [x.requires_grad_() for x in tensors((1,), (length, length, 8, 8), getattr(gleed, dtype))]
    _C.reset_peak_memory()
    before = _C.memory_stats()["peak"]
    attention(*xs, is_causal=True).sum().backward()
    assert _C.memory_stats()["peak"] - before < 4 * length * length / 2


WORKSPACE = 10 << 20  # of tasks


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("heads", [8, 2])
def test_operands_are_never_widened_whole(heads: int, dtype: str) -> None:
    shape = (16, 8, 512, 64)
    xs = [gleed.randn(16, n, 512, 64).to(getattr(gleed, dtype)) for n in (8, heads, heads)]
    each = 2 * np.prod(shape)
    _C.reset_peak_memory()
    before = _C.memory_stats()["peak"]
    attention(*xs, enable_gqa=True)
    assert _C.memory_stats()["peak"] - before < each + WORKSPACE
    xs = [x.requires_grad_() for x in xs]
    y = attention(*xs, enable_gqa=True)
    g = gleed.ones_like(y)
    _C.reset_peak_memory()
    before = _C.memory_stats()["peak"]
    gleed.autograd.grad(y, xs, g)
    assert _C.memory_stats()["peak"] - before < 3 * each + 1.5 * WORKSPACE


@pytest.mark.parametrize("dtype", [gleed.bool, gleed.bfloat16])
def test_masks_are_read_as_they_are(dtype: Any) -> None:
    xs = [gleed.randn(16, 2000, 4).bfloat16() for _ in range(3)]
    mask = gleed.ones(16, 2000, 2000, dtype=dtype)
    _C.reset_peak_memory()
    before = _C.memory_stats()["peak"]
    attention(*xs, mask)
    assert _C.memory_stats()["peak"] - before < WORKSPACE
