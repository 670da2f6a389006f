"""Attention and transformers: values by formula, masks, layouts, errors."""

import numpy as np
import pytest

import gleed
from gleed import nn
from gleed.errors import ArgumentError, DTypeError, RangeError, ShapeError

F = nn.functional


def attention(**options):
    gleed.manual_seed(1)
    return nn.MultiheadAttention(8, 2, **options)


def by_formula(module, x, mask=None):
    """Self-attention of (L, N, E) in NumPy, with its weights."""
    length, batch, features = x.shape
    weight, bias = (p.detach().numpy().astype(float) for p in
                    (module.in_proj_weight, module.in_proj_bias))  # fmt: skip
    packed = (x @ weight.T + bias).reshape(length, batch, 3, module.num_heads, module.head_dim)
    q, k, v = packed.transpose(2, 1, 3, 0, 4)
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(module.head_dim)
    scores = scores if mask is None else np.where(mask, -np.inf, scores)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    y = (weights @ v).transpose(2, 0, 1, 3).reshape(length, batch, features)
    out = module.out_proj
    return y @ out.weight.detach().numpy().T + out.bias.detach().numpy(), weights.mean(1)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
def test_self_attention(masked, need_weights, batch_first):
    module = attention(batch_first=batch_first)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 3, 8))
    mask = np.triu(np.ones((5, 5), bool), 1) if masked else None
    given = gleed.tensor(x, dtype=gleed.float32)
    given = given.transpose(0, 1).contiguous() if batch_first else given
    y, weights = module(
        given, given, given, need_weights=need_weights,
        attn_mask=gleed.tensor(mask) if masked else None,
    )  # fmt: skip
    y = y.transpose(0, 1) if batch_first else y
    wanted, shares = by_formula(module, x, mask)
    np.testing.assert_allclose(y.detach().numpy(), wanted, rtol=1e-4, atol=1e-5)
    assert (weights is not None) == need_weights
    if need_weights:
        np.testing.assert_allclose(weights.detach().numpy(), shares, rtol=1e-4, atol=1e-6)


def test_the_hint_stands_for_the_causal_mask():
    module, x = attention(), gleed.randn(6, 2, 8)
    mask = nn.Transformer.generate_square_subsequent_mask(6)
    plain = module(x, x, x, attn_mask=mask, need_weights=False)[0]
    hinted = module(x, x, x, attn_mask=mask, need_weights=False, is_causal=True)[0]
    np.testing.assert_allclose(plain.detach().numpy(), hinted.detach().numpy(), atol=1e-6)


def test_padding_hides_keys():
    module, x = attention(), gleed.randn(6, 2, 8)
    padding = gleed.zeros(2, 6, dtype=gleed.bool)
    padding[1, 4:] = True
    whole = module(x, x, x, key_padding_mask=padding)[0]
    short = x[:4, 1:]
    alone = module(x[:, 1:], short, short)[0]
    np.testing.assert_allclose(
        whole[:, 1].detach().numpy(), alone[:, 0].detach().numpy(), atol=1e-6
    )


def test_gradients_of_modules():
    module = attention(add_bias_kv=True, add_zero_attn=True, kdim=3, vdim=5).double()
    q, k, v = (gleed.randn(n, 2, d, dtype=gleed.float64, requires_grad=True)
               for n, d in ((3, 8), (4, 3), (4, 5)))  # fmt: skip
    for need_weights in (True, False):

        def run(q, k, v, need=need_weights):
            return module(q, k, v, need_weights=need)[0]

        assert gleed.autograd.gradcheck(run, (q, k, v))
    assert gleed.autograd.gradgradcheck(run, (q, k, v))


def test_layers_begin_alike_and_are_apart():
    stack = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 2)
    first, second = (layer.linear1.weight for layer in stack.layers)
    assert (first == second).all() and first is not second


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu", gleed.tanh])
def test_encoder_layer_is_its_formula(norm_first, activation):
    layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0, activation, norm_first=norm_first)
    function = {"relu": F.relu, "gelu": F.gelu}.get(activation, activation)
    x = gleed.randn(5, 3, 8)

    def attend(x):
        return layer.self_attn(x, x, x)[0]

    def feed(x):
        return layer.linear2(function(layer.linear1(x)))

    if norm_first:
        y = x + attend(layer.norm1(x))
        y = y + feed(layer.norm2(y))
    else:
        y = layer.norm1(x + attend(x))
        y = layer.norm2(y + feed(y))
    np.testing.assert_allclose(layer(x).detach().numpy(), y.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_a_causal_decoder_does_not_look_ahead():
    gleed.manual_seed(0)
    model = nn.Transformer(8, 2, 1, 2, 16).eval()
    source, target = gleed.randn(5, 2, 8), gleed.randn(4, 2, 8)
    mask = model.generate_square_subsequent_mask(4)
    y = model(source, target, tgt_mask=mask)
    target[3] = 0
    changed = model(source, target, tgt_mask=mask)
    np.testing.assert_allclose(y[:3].detach().numpy(), changed[:3].detach().numpy(), atol=1e-6)
    assert not np.allclose(y[3].detach().numpy(), changed[3].detach().numpy())


def zeros(*shape):
    return gleed.zeros(*shape)


NAME, MHA = "scaled_dot_product_attention", "multi_head_attention_forward"
ERRORS = [
    (
        lambda: F.scaled_dot_product_attention(zeros(2, 3), zeros(4, 2), zeros(4, 2)),
        ShapeError,
        f"{NAME}: shapes must be query (…, L, E), key (…, S, E), value (…, S, Ev); got [2, 3], "
        "[4, 2] and [4, 2]; transpose, or check the order",
    ),
    (
        lambda: F.scaled_dot_product_attention(zeros(3), zeros(4, 3), zeros(4, 2)),
        ShapeError,
        f"{NAME}: shapes must be query (…, L, E), key (…, S, E), value (…, S, Ev); got [3], "
        "[4, 3] and [4, 2]; transpose, or check the order",
    ),
    (
        lambda: F.scaled_dot_product_attention(zeros(2, 3), zeros(4, 3), zeros(4, 2).double()),
        DTypeError,
        f"{NAME}: query, key and value must have one floating-point dtype; got float32, float32 "
        "and float64; convert with .to(dtype)",
    ),
    (
        lambda: F.scaled_dot_product_attention(
            zeros(2, 3), zeros(4, 3), zeros(4, 2), zeros(2, 4).long()
        ),
        DTypeError,
        f"{NAME}: attn_mask must be bool, float32 or of the dtype of query; got int64 beside "
        "float32; convert with .to(dtype)",
    ),
    (
        lambda: F.scaled_dot_product_attention(zeros(2, 3), zeros(4, 3), zeros(4, 2), zeros(3, 4)),
        ShapeError,
        f"{NAME}: attn_mask must broadcast to (…, L, S), here [2, 4]; got [3, 4]; reshape it, or "
        "insert axes of size 1 with unsqueeze",
    ),
    (
        lambda: F.scaled_dot_product_attention(
            zeros(2, 3), zeros(4, 3), zeros(4, 2), zeros(2, 4), is_causal=True
        ),
        ArgumentError,
        f"{NAME}: a call has either attn_mask or is_causal; got both; put the causal mask into "
        "attn_mask",
    ),
    (
        lambda: F.scaled_dot_product_attention(
            zeros(2, 3), zeros(4, 3), zeros(4, 2), dropout_p=1.5
        ),
        RangeError,
        f"{NAME}: dropout_p must lie in 0 … 1; got 1.5; it is the share that is dropped",
    ),
    (
        lambda: F.scaled_dot_product_attention(
            zeros(3, 2, 3), zeros(2, 4, 3), zeros(2, 4, 3), enable_gqa=True
        ),
        ShapeError,
        f"{NAME}: with enable_gqa dim -3 of key and value must divide that of query; got query "
        "[3, 2, 3] beside [2, 4, 3]; make the numbers of heads fit",
    ),
    (
        lambda: attention()(zeros(3, 8), zeros(3, 1, 8), zeros(3, 1, 8)),
        ShapeError,
        f"{MHA}: query, key and value must all have 3 dims, or 2 without a batch; got (2, 3, 3); "
        "add a dim with unsqueeze",
    ),
    (
        lambda: attention()(zeros(3, 1, 6), zeros(3, 1, 8), zeros(3, 1, 8)),
        ShapeError,
        f"{MHA}: the last size of query must be embed_dim, here 8; got (3, 1, 6); check the "
        "layer's sizes",
    ),
    (
        lambda: attention()(zeros(3, 1, 8), zeros(4, 1, 8), zeros(3, 1, 8)),
        ShapeError,
        f"{MHA}: key and value must have the same shape, but for the last size if they are "
        "projected apart; got (4, 1, 8) and (3, 1, 8); check the order",
    ),
    (
        lambda: attention()(zeros(3, 2, 8), zeros(3, 1, 8), zeros(3, 1, 8)),
        ShapeError,
        f"{MHA}: query and key must have the same batch size, dim 1; got (3, 2, 8) and (3, 1, 8); "
        "batch_first puts it into dim 0",
    ),
    (
        lambda: attention()(*[zeros(3, 1, 8)] * 3, attn_mask=zeros(2, 3)),
        ShapeError,
        f"{MHA}: attn_mask must have the shape (3, 3); got (2, 3); check the lengths of query and "
        "key",
    ),
    (
        lambda: attention()(*[zeros(3, 1, 8)] * 3, attn_mask=zeros(3)),
        ShapeError,
        f"{MHA}: attn_mask must have 2 or 3 dims; got 1; it is (L, S) or (N * num_heads, L, S)",
    ),
    (
        lambda: attention()(*[zeros(3, 1, 8)] * 3, attn_mask=zeros(3, 3).long()),
        DTypeError,
        f"{MHA}: attn_mask must be bool or floating point; got int64; convert with .bool()",
    ),
    (
        lambda: attention()(*[zeros(3, 1, 8)] * 3, key_padding_mask=zeros(3)),
        ShapeError,
        f"{MHA}: key_padding_mask must have 2 dims, for query has 3; got 1; it is (N, S), or (S) "
        "without a batch",
    ),
    (
        lambda: attention()(*[zeros(3, 1, 8)] * 3, is_causal=True),
        ArgumentError,
        f"{MHA}: is_causal says what attn_mask is; got no attn_mask; pass the mask too, see "
        "nn.Transformer.generate_square_subsequent_mask",
    ),
    (
        lambda: nn.MultiheadAttention(8, 3),
        ArgumentError,
        "MultiheadAttention: embed_dim must be divisible by num_heads; got 8 and 3; change one of "
        "them",
    ),
    (
        lambda: nn.TransformerEncoderLayer(8, 2, activation="tanh"),
        ArgumentError,
        'Transformer: activation must be "relu", "gelu" or a function; got \'tanh\'; pass the '
        "function itself",
    ),
    (
        lambda: nn.Transformer(8, 2, 1, 1, 8)(zeros(3, 1, 8), zeros(3, 2, 8)),
        ShapeError,
        "Transformer: src and tgt must have the same batch size, dim 1; got (3, 1, 8) and "
        "(3, 2, 8); see batch_first",
    ),
    (
        lambda: nn.Transformer(8, 2, 1, 1, 8)(zeros(3, 1, 8), zeros(3, 1, 6)),
        ShapeError,
        "Transformer: the last size of src and tgt must be d_model, here 8; got (3, 1, 8) and "
        "(3, 1, 6); check the embedding",
    ),
]


@pytest.mark.parametrize(("call", "kind", "text"), ERRORS)
def test_errors(call, kind, text):
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value).startswith(text)
