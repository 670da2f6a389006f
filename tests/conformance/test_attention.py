"""Attention and transformers against PyTorch's, with the same initial values by the same seed."""

import itertools
import warnings

import numpy as np
import pytest
import torch

import gleed

OPTIONS = {
    "plain": {},
    "without bias": {"bias": False},
    "bias_kv": {"add_bias_kv": True},
    "zero_attn": {"add_zero_attn": True},
    "kdim": {"kdim": 5, "vdim": 3},
    "everything": {"add_bias_kv": True, "add_zero_attn": True, "kdim": 3},
    "dropout": {"dropout": 0.3},
    "batch_first": {"batch_first": True, "dropout": 0.2},
}
HEADS, FEATURES, BATCH, QUERIES, KEYS = 2, 8, 3, 4, 6


@pytest.fixture(autouse=True)
def no_warnings():
    """PyTorch advises on faster options of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def ours(x):
    return None if x is None else gleed.from_numpy(x.detach().numpy().copy())


def same(a, b):
    assert (a is None) == (b is None)
    if a is not None:
        a, b = a.detach().numpy(), b.detach().numpy()
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


def seeded(make, seed=1):
    torch.manual_seed(seed)
    gleed.manual_seed(seed)
    theirs, mine = make(torch), make(gleed)
    assert repr(theirs) == repr(mine)
    assert list(theirs.state_dict()) == list(mine.state_dict())
    for name, value in theirs.state_dict().items():
        same(value, mine.state_dict()[name])
    return theirs, mine


def inputs(kind, options):
    """Query, key and value; for self-attention one tensor."""
    first = options.get("batch_first", False)

    def make(length, features):
        shape = (BATCH, length, features) if first else (length, BATCH, features)
        return torch.randn(shape if kind != "unbatched" else (length, features))

    query = make(QUERIES, FEATURES)
    if kind == "self":
        return query, query, query
    if kind == "memory":
        memory = make(KEYS, FEATURES)
        return query, memory, memory
    sizes = options.get("kdim", FEATURES), options.get("vdim", FEATURES)
    return query, make(KEYS, sizes[0]), make(KEYS, sizes[1])


def masks(kind, form, padded):
    keys = QUERIES if kind == "self" else KEYS
    batch = 1 if kind == "unbatched" else BATCH
    mask = {
        None: None,
        "bool": torch.rand(QUERIES, keys) > 0.6,
        "float": torch.randn(QUERIES, keys),
        "heads": torch.randn(batch * HEADS, QUERIES, keys),
    }[form]
    padding = torch.rand(BATCH, keys) > 0.7 if padded else None
    if form == "bool":
        mask[:, 0] = False
    if padding is not None:
        padding[:, 0] = False
        padding = padding[0] if kind == "unbatched" else padding
    return mask, padding


def kinds(options):
    apart = "kdim" in options
    return ("cross", "unbatched") if apart else ("self", "memory", "cross", "unbatched")


CASES = [
    (name, kind, form, padded)
    for name, options in OPTIONS.items()
    for kind, form, padded in itertools.product(
        kinds(options), (None, "bool", "float", "heads"), (False, True)
    )
]


@pytest.mark.parametrize(("name", "kind", "form", "padded"), CASES)
@pytest.mark.parametrize("need", ["nothing", "average", "weights"])
def test_multihead_attention(name, kind, form, padded, need):
    options = OPTIONS[name]
    theirs, mine = seeded(lambda lib: lib.nn.MultiheadAttention(FEATURES, HEADS, **options))
    xs = inputs(kind, options)
    mask, padding = masks(kind, form, padded)
    copies = {id(x): ours(x.requires_grad_()).requires_grad_() for x in xs}
    ys = [copies[id(x)] for x in xs]
    chosen = {"need_weights": need != "nothing", "average_attn_weights": need == "average"}
    torch.manual_seed(3)
    gleed.manual_seed(3)
    wanted = theirs(*xs, attn_mask=mask, key_padding_mask=padding, **chosen)
    got = mine(*ys, attn_mask=ours(mask), key_padding_mask=ours(padding), **chosen)
    same(wanted[0], got[0])
    same(wanted[1], got[1])
    cotangent = torch.randn(wanted[0].shape)
    wanted[0].backward(cotangent)
    got[0].backward(ours(cotangent))
    for x, y in zip((*xs, *theirs.parameters()), (*ys, *mine.parameters()), strict=True):
        same(x.grad, y.grad)


@pytest.mark.parametrize("need_weights", [False, True])
def test_causal_hint(need_weights):
    theirs, mine = seeded(lambda lib: lib.nn.MultiheadAttention(FEATURES, HEADS))
    x = torch.randn(5, 2, FEATURES)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(5)
    chosen = {"need_weights": need_weights, "is_causal": True}
    y = ours(x)
    same(
        theirs(x, x, x, attn_mask=mask, **chosen)[0],
        mine(y, y, y, attn_mask=ours(mask), **chosen)[0],
    )


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"norm_first": True},
        {"activation": "gelu"},
        {"batch_first": True, "norm_first": True},
        {"bias": False, "dropout": 0.0},
    ],
    ids=str,
)
def test_transformer(options, training):
    theirs, mine = seeded(lambda lib: lib.nn.Transformer(8, 2, 2, 2, 16, **options))
    theirs.train(training), mine.train(training)
    shapes = ((3, 5, 8), (3, 4, 8)) if options.get("batch_first") else ((5, 3, 8), (4, 3, 8))
    source, target = map(torch.randn, shapes)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(4)
    torch.manual_seed(3)
    gleed.manual_seed(3)
    wanted = theirs(source, target, tgt_mask=mask)
    got = mine(ours(source), ours(target), tgt_mask=ours(mask))
    same(wanted, got)
    wanted.sum().backward()
    got.sum().backward()
    for x, y in zip(theirs.parameters(), mine.parameters(), strict=True):
        np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("masked", [False, True])
def test_attention_with_rows_that_see_nothing(masked):
    q, k, v = torch.randn(2, 5, 4), torch.randn(2, 7, 4), torch.randn(2, 7, 3)
    mask = torch.rand(5, 7) > 0.5
    mask[1] = False
    mask = mask if masked else torch.where(mask, 0.0, -torch.inf)
    ys = [ours(x).requires_grad_() for x in (q, k, v)]
    wanted = torch.nn.functional.scaled_dot_product_attention(
        *(x.requires_grad_() for x in (q, k, v)), mask
    )
    got = gleed.nn.functional.scaled_dot_product_attention(*ys, ours(mask))
    same(wanted, got)
    assert (got[:, 1] == 0).all()
    wanted.sum().backward()
    got.sum().backward()
    for x, y in zip((q, k, v), ys, strict=True):
        same(x.grad, y.grad)


@pytest.mark.parametrize("is_causal", [False, True])
def test_dropout_by_seed(is_causal):
    xs = [torch.randn(2, 3, 6, 4) for _ in range(3)]
    torch.manual_seed(0)
    wanted = torch.nn.functional.scaled_dot_product_attention(
        *xs, dropout_p=0.4, is_causal=is_causal
    )
    gleed.manual_seed(0)
    got = gleed.nn.functional.scaled_dot_product_attention(
        *map(ours, xs), dropout_p=0.4, is_causal=is_causal
    )
    same(wanted, got)
