"""The modules: their values against formulas in NumPy, their repr, their checks."""

import math

import numpy as np
import pytest

import gleed
from gleed import nn
from gleed.errors import ShapeError

X = np.array([-4.0, -1.5, -0.5, 0.0, 0.25, 1.0, 7.0, 30.0], dtype=np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def erf(x):
    return np.array([math.erf(v) for v in x])


def elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


ACTIVATIONS = [
    (nn.ReLU(), lambda x: np.maximum(x, 0), "ReLU()"),
    (nn.ReLU6(), lambda x: np.clip(x, 0, 6), "ReLU6()"),
    (nn.LeakyReLU(0.1), lambda x: np.where(x > 0, x, 0.1 * x), "LeakyReLU(negative_slope=0.1)"),
    (nn.PReLU(), lambda x: np.where(x > 0, x, 0.25 * x), "PReLU(num_parameters=1)"),
    (nn.ELU(2.0), lambda x: elu(x, 2.0), "ELU(alpha=2.0)"),
    (nn.CELU(2.0), lambda x: elu(x / 2, 1) * 2, "CELU(alpha=2.0)"),
    (
        nn.SELU(),
        lambda x: 1.0507009873554805 * elu(x, 1.6732632423543772),
        "SELU()",
    ),
    (nn.GELU(), lambda x: x * (1 + erf(x / math.sqrt(2))) / 2, "GELU(approximate='none')"),
    (
        nn.GELU("tanh"),
        lambda x: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
        "GELU(approximate='tanh')",
    ),
    (nn.SiLU(), lambda x: x * sigmoid(x), "SiLU()"),
    (nn.Mish(), lambda x: x * np.tanh(np.log1p(np.exp(x))), "Mish()"),
    (
        nn.Softplus(2.0, 5.0),
        lambda x: np.where(2 * x > 5, x, np.log1p(np.exp(2 * x)) / 2),
        "Softplus(beta=2.0, threshold=5.0)",
    ),
    (nn.Sigmoid(), sigmoid, "Sigmoid()"),
    (nn.LogSigmoid(), lambda x: -np.log1p(np.exp(-x)), "LogSigmoid()"),
    (nn.Tanh(), np.tanh, "Tanh()"),
    (nn.Tanhshrink(), lambda x: x - np.tanh(x), "Tanhshrink()"),
    (nn.Softsign(), lambda x: x / (1 + np.abs(x)), "Softsign()"),
    (nn.Hardtanh(-2, 3), lambda x: np.clip(x, -2, 3), "Hardtanh(min_val=-2, max_val=3)"),
    (nn.Hardsigmoid(), lambda x: np.clip(x + 3, 0, 6) / 6, "Hardsigmoid()"),
    (nn.Hardswish(), lambda x: x * np.clip(x + 3, 0, 6) / 6, "Hardswish()"),
    (nn.Hardshrink(), lambda x: np.where(np.abs(x) > 0.5, x, 0), "Hardshrink(0.5)"),
    (
        nn.Softshrink(1.0),
        lambda x: np.sign(x) * np.maximum(np.abs(x) - 1, 0),
        "Softshrink(1.0)",
    ),
    (nn.Threshold(0.3, 9), lambda x: np.where(x > 0.3, x, 9), "Threshold(threshold=0.3, value=9)"),
    (nn.GLU(), lambda x: x[:4] * sigmoid(x[4:]), "GLU(dim=-1)"),
    (nn.Softmax(0), lambda x: np.exp(x) / np.exp(x).sum(), "Softmax(dim=0)"),
    (nn.LogSoftmax(0), lambda x: x - np.log(np.exp(x).sum()), "LogSoftmax(dim=0)"),
    (
        nn.RReLU(0.1, 0.3).eval(),
        lambda x: np.where(x > 0, x, 0.2 * x),
        "RReLU(lower=0.1, upper=0.3)",
    ),
    (nn.Softmin(-1), lambda x: np.exp(-x) / np.exp(-x).sum(), "Softmin(dim=-1)"),
]


@pytest.mark.parametrize(
    ("module", "formula", "text"), ACTIVATIONS, ids=[case[2] for case in ACTIVATIONS]
)
def test_activation(module, formula, text):
    result = module(gleed.tensor(X))
    expected = formula(X.astype(np.float64))
    np.testing.assert_allclose(result.detach().numpy(), expected, rtol=1e-5, atol=1e-6)
    assert repr(module) == text


@pytest.mark.parametrize(
    "make",
    [
        *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.CELU, nn.SELU, nn.SiLU, nn.Mish),
        *(nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish),
        lambda inplace: nn.Threshold(0.1, 2.0, inplace),
    ],
)
def test_inplace_activation_overwrites_its_input(make):
    x = gleed.tensor(X)
    expected = make(inplace=False)(x)
    assert (x == gleed.tensor(X)).all()
    y = make(inplace=True)(x)
    assert y.data_ptr() == x.data_ptr()
    assert (x == expected).all()
    gradients = []
    for inplace in (False, True):
        leaf = gleed.tensor(X).requires_grad_()
        (make(inplace=inplace)(leaf * 1) * gleed.arange(8.0)).sum().backward()
        gradients.append(leaf.grad.tolist())
    assert gradients[0] == gradients[1]


def test_inplace_repr():
    assert repr(nn.ReLU(inplace=True)) == "ReLU(inplace=True)"
    assert repr(nn.ELU(inplace=True)) == "ELU(alpha=1.0, inplace=True)"
    assert repr(nn.Hardsigmoid(inplace=True)) == "Hardsigmoid()"


@pytest.mark.parametrize(("shape", "dim"), [((3,), 0), ((2, 3), 1), ((2, 3, 4), 0)])
def test_softmax_without_a_dim_warns_and_chooses(shape, dim):
    x = gleed.rand(*shape)
    with pytest.warns(UserWarning, match=rf"write Softmax\(dim={dim}\)"):
        y = nn.Softmax()(x)
    assert (y == nn.Softmax(dim)(x)).all()


def test_linear():
    linear = nn.Linear(3, 2)
    x = gleed.rand(4, 5, 3)
    expected = x.numpy() @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()
    np.testing.assert_allclose(linear(x).detach().numpy(), expected, rtol=1e-5)
    assert linear.weight.shape == (2, 3)
    assert repr(nn.Linear(3, 2, bias=False)) == "Linear(in_features=3, out_features=2, bias=False)"
    assert nn.Linear(3, 2, bias=False).bias is None
    assert nn.Linear(3, 2, dtype=gleed.float64).bias.dtype == gleed.float64
    with pytest.warns(UserWarning, match="a tensor without elements has nothing to initialise"):
        empty = nn.Linear(0, 2)
    assert empty(gleed.ones(1, 0)).shape == (1, 2)


def test_bilinear():
    bilinear = nn.Bilinear(2, 3, 4)
    a, b = gleed.rand(5, 2), gleed.rand(5, 3)
    weight, bias = bilinear.weight.detach().numpy(), bilinear.bias.detach().numpy()
    expected = np.einsum("ni,kij,nj->nk", a.numpy(), weight, b.numpy()) + bias
    np.testing.assert_allclose(bilinear(a, b).detach().numpy(), expected, rtol=1e-5)
    assert repr(bilinear) == ("Bilinear(in1_features=2, in2_features=3, out_features=4, bias=True)")


def test_dropout():
    gleed.manual_seed(0)
    dropout = nn.Dropout(0.25)
    y = dropout(gleed.ones(1000))
    kept = float((y > 0).sum()) / 1000
    assert 0.7 < kept < 0.8
    assert np.unique(y.numpy()).tolist() == [0, np.float32(1) / np.float32(0.75)]
    x = gleed.ones(3)
    assert dropout.eval()(x) is x or (dropout(x) == x).all()
    assert repr(dropout) == "Dropout(p=0.25, inplace=False)"
    assert float(nn.Dropout(1.0)(x).sum()) == 0


def test_inplace_dropout_overwrites_its_input():
    x = gleed.ones(100)
    y = nn.Dropout(0.5, inplace=True)(x)
    assert y.data_ptr() == x.data_ptr() and float(x.sum()) != 100


def test_layer_norm():
    x = gleed.rand(4, 3, 5)
    norm = nn.LayerNorm((3, 5))
    values = x.numpy().astype(np.float64)
    mean = values.mean((1, 2), keepdims=True)
    variance = values.var((1, 2), keepdims=True)
    expected = (values - mean) / np.sqrt(variance + 1e-5)
    np.testing.assert_allclose(norm(x).detach().numpy(), expected, rtol=1e-4, atol=1e-5)
    assert repr(norm) == "LayerNorm((3, 5), eps=1e-05, elementwise_affine=True, bias=True)"
    assert nn.LayerNorm(5, bias=False).bias is None
    assert list(nn.LayerNorm(5, elementwise_affine=False).parameters()) == []


def test_rms_norm():
    x = gleed.rand(4, 5)
    norm = nn.RMSNorm(5, eps=1e-3)
    values = x.numpy().astype(np.float64)
    expected = values / np.sqrt((values**2).mean(1, keepdims=True) + 1e-3)
    np.testing.assert_allclose(norm(x).detach().numpy(), expected, rtol=1e-5)
    assert repr(nn.RMSNorm(5)) == "RMSNorm((5,), eps=None, elementwise_affine=True)"
    assert nn.RMSNorm(5, elementwise_affine=False).weight is None
    small = nn.RMSNorm(5)(x * 1e-3)
    assert float(small.detach().abs().max()) > 0.5


def test_embedding():
    table = nn.Embedding(5, 3)
    index = gleed.tensor([[0, 4], [2, 2]])
    assert (table(index).detach().numpy() == table.weight.detach().numpy()[index.numpy()]).all()
    table(index).sum().backward()
    assert table.weight.grad.tolist() == [[1.0] * 3, [0.0] * 3, [2.0] * 3, [0.0] * 3, [1.0] * 3]
    assert repr(table) == "Embedding(5, 3)"


def test_embedding_with_padding_is_not_trained_there():
    table = nn.Embedding(4, 2, padding_idx=-1)
    assert table.padding_idx == 3 and table.weight[3].tolist() == [0.0, 0.0]
    table(gleed.tensor([3, 1])).sum().backward()
    assert table.weight.grad[3].tolist() == [0.0, 0.0]
    assert table.weight.grad[1].tolist() == [1.0, 1.0]
    assert repr(nn.Embedding(4, 2, 3, 1.0)) == "Embedding(4, 2, padding_idx=3, max_norm=1.0)"


def test_embedding_renormalises_what_it_looks_up():
    table = nn.Embedding.from_pretrained(gleed.tensor([[3.0, 4.0], [30.0, 40.0]]), max_norm=1.0)
    assert abs(float(table(gleed.tensor([0])).norm()) - 1) < 1e-5
    assert table.weight[1].tolist() == [30.0, 40.0]


def test_embedding_divides_gradients_by_frequency():
    table = nn.Embedding(4, 2, scale_grad_by_freq=True)
    index = gleed.tensor([[1, 3], [1, 1]])
    result = table(index)
    assert (result == table.weight[index]).all()
    (result * gleed.tensor([[[1.0], [5.0]], [[3.0], [8.0]]])).sum().backward()
    assert table.weight.grad[:, 0].tolist() == pytest.approx([0.0, 4.0, 0.0, 5.0])


def test_pretrained_embedding():
    rows = gleed.rand(4, 2)
    table = nn.Embedding.from_pretrained(rows)
    assert not table.weight.requires_grad and table.weight.data_ptr() == rows.data_ptr()
    assert nn.Embedding.from_pretrained(rows, freeze=False).weight.requires_grad


def test_flatten_and_unflatten():
    x = gleed.rand(2, 3, 4)
    assert nn.Flatten()(x).shape == (2, 12)
    assert nn.Flatten(0, 1)(x).shape == (6, 4)
    assert nn.Unflatten(1, (3, -1))(nn.Flatten()(x)).shape == (2, 3, 4)
    assert repr(nn.Flatten()) == "Flatten(start_dim=1, end_dim=-1)"
    assert repr(nn.Unflatten(1, (3, 4))) == "Unflatten(dim=1, unflattened_size=(3, 4))"


def log_softmax(x):
    return x - np.log(np.exp(x).sum(1, keepdims=True))


def test_class_losses():
    x, target = gleed.rand(4, 3), gleed.tensor([0, 2, 1, 2])
    weight = gleed.tensor([1.0, 2.0, 0.5])
    logs = log_softmax(x.numpy().astype(np.float64))
    each = -logs[np.arange(4), target.numpy()]
    assert float(nn.CrossEntropyLoss()(x, target)) == pytest.approx(each.mean(), rel=1e-5)
    assert float(nn.CrossEntropyLoss(reduction="sum")(x, target)) == pytest.approx(each.sum())
    weights = weight.numpy()[target.numpy()]
    weighted = (each * weights).sum() / weights.sum()
    assert float(nn.CrossEntropyLoss(weight)(x, target)) == pytest.approx(weighted, rel=1e-5)
    kept = float(nn.CrossEntropyLoss(ignore_index=2)(x, target))
    assert kept == pytest.approx(each[[0, 2]].mean(), rel=1e-5)
    smooth = float(nn.CrossEntropyLoss(label_smoothing=0.1)(x, target))
    assert smooth == pytest.approx((0.9 * each - 0.1 * logs.mean(1)).mean(), rel=1e-5)
    inputs = gleed.tensor(logs)
    assert float(nn.NLLLoss(weight.double())(inputs, target)) == pytest.approx(weighted)
    assert list(nn.CrossEntropyLoss(weight).state_dict()) == ["weight"]


def test_value_losses():
    x, t = np.array([0.5, -1.0, 3.0]), np.array([0.0, 1.0, 2.5])
    a, b = gleed.tensor(x), gleed.tensor(t)
    d = np.abs(x - t)
    cases = {
        nn.MSELoss(): (d**2).mean(),
        nn.MSELoss(reduction="sum"): (d**2).sum(),
        nn.L1Loss(): d.mean(),
        nn.SmoothL1Loss(beta=0.7): np.where(d < 0.7, d**2 / 1.4, d - 0.35).mean(),
        nn.HuberLoss(delta=0.7): np.where(d <= 0.7, d**2 / 2, 0.7 * (d - 0.35)).mean(),
        nn.MSELoss(size_average=False): (d**2).sum(),
    }
    for loss, expected in cases.items():
        assert float(loss(a, b)) == pytest.approx(expected)
    assert nn.L1Loss(reduction="none")(a, b).tolist() == pytest.approx(list(d))
    assert nn.L1Loss(reduce=False).reduction == "none"


def test_probability_losses():
    x, t = np.array([0.2, 0.9, 0.5]), np.array([0.0, 1.0, 0.25])
    each = -(t * np.log(x) + (1 - t) * np.log(1 - x))
    weight = np.array([1.0, 2.0, 3.0])
    a, b, w = gleed.tensor(x), gleed.tensor(t), gleed.tensor(weight)
    assert float(nn.BCELoss()(a, b)) == pytest.approx(each.mean())
    assert float(nn.BCELoss(w)(a, b)) == pytest.approx((each * weight).mean())
    logits = gleed.tensor(np.log(x / (1 - x)))
    assert float(nn.BCEWithLogitsLoss()(logits, b)) == pytest.approx(each.mean())
    positive = -(2 * t * np.log(x) + (1 - t) * np.log(1 - x))
    loss = nn.BCEWithLogitsLoss(pos_weight=gleed.tensor([2.0], dtype=gleed.float64))
    assert float(loss(logits, b)) == pytest.approx(positive.mean())
    assert list(loss.state_dict()) == ["pos_weight"]
    assert float(nn.BCELoss()(gleed.tensor([0.0]), gleed.tensor([1.0]))) == pytest.approx(100)


def test_divergence_loss():
    p, t = np.array([[0.2, 0.8], [0.5, 0.5]]), np.array([[0.4, 0.6], [1.0, 0.0]])
    each = np.where(t > 0, t * (np.log(np.where(t > 0, t, 1)) - np.log(p)), 0)
    a, b = gleed.tensor(np.log(p)), gleed.tensor(t)
    assert float(nn.KLDivLoss(reduction="sum")(a, b)) == pytest.approx(each.sum())
    assert float(nn.KLDivLoss(reduction="batchmean")(a, b)) == pytest.approx(each.sum() / 2)
    logs = gleed.tensor(np.log(np.array([[0.4, 0.6]])))
    expected = float(nn.KLDivLoss(reduction="sum")(a[:1], b[:1]))
    assert float(nn.KLDivLoss(reduction="sum", log_target=True)(a[:1], logs)) == pytest.approx(
        expected
    )


@pytest.mark.parametrize(
    ("act", "error", "text"),
    [
        (
            lambda: nn.Linear(-1, 2),
            ValueError,
            "Linear: in_features is at least 0; got -1; check the arithmetic that led to this size",
        ),
        (
            lambda: nn.Linear(2, 1.5),
            TypeError,
            "Linear: out_features is an integer; got 1.5 of type float; convert it with int()",
        ),
        (
            lambda: nn.Bilinear(0, 2, 3),
            ValueError,
            "Bilinear: in1_features is at least 1; got 0; "
            "check the arithmetic that led to this size",
        ),
        (
            lambda: nn.Dropout(30),
            ValueError,
            "Dropout: p is a probability, from 0 to 1; got 30; for a percentage write p=30/100",
        ),
        (
            lambda: nn.LayerNorm((3, "a")),
            TypeError,
            "LayerNorm: normalized_shape is an integer; got 'a' of type str; convert it with int()",
        ),
        (
            lambda: nn.Embedding(3, 2, padding_idx=3),
            ValueError,
            "Embedding: padding_idx is one of the 3 rows, -3 to 2; got 3; "
            "add a row for it: num_embeddings=4",
        ),
        (
            lambda: nn.Embedding(3, 2, _weight=gleed.ones(2, 3)),
            ValueError,
            "Embedding: the weight must have the shape (num_embeddings, embedding_dim); "
            "got (2, 3) for (3, 2); use Embedding.from_pretrained(weight), which takes the sizes "
            "from it",
        ),
        (
            lambda: nn.Embedding.from_pretrained(gleed.ones(3)),
            ValueError,
            "Embedding.from_pretrained: embeddings must have two dimensions, one row a vector; "
            "got shape (3,); reshape it to (number, size)",
        ),
        (
            lambda: nn.Unflatten("a", (2,)),
            TypeError,
            "Unflatten: dim is an integer; got 'a' of type str; "
            "named dimensions are not supported, pass the number of the dimension",
        ),
        (
            lambda: nn.Unflatten(1, 3),
            TypeError,
            "Unflatten: unflattened_size is a tuple of integers; got 3 of type int; "
            "write (2, 3) for two dimensions of sizes 2 and 3",
        ),
        (
            lambda: nn.Hardtanh(2, 1),
            ValueError,
            "Hardtanh: min_val must be below max_val; got 2 and 1; swap them",
        ),
        (
            lambda: nn.MSELoss(reduction="avg"),
            ValueError,
            "MSELoss: reduction is one of mean, sum, none; got 'avg'; use 'mean' if in doubt",
        ),
    ],
)
def test_errors(act, error, text):
    with pytest.raises(error) as caught:
        act()
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("module", "shape", "kept"),
    [
        (nn.Dropout1d(0.4), (50, 40, 3), 2),
        (nn.Dropout2d(0.4), (50, 40, 3, 2), 2),
        (nn.Dropout3d(0.4), (50, 40, 3, 2, 2), 2),
        (nn.AlphaDropout(0.4), (50, 40), None),
        (nn.FeatureAlphaDropout(0.4), (50, 40, 3), 2),
    ],
    ids=lambda x: type(x).__name__,
)
def test_kinds_of_dropout(module, shape, kept):
    x = gleed.ones(shape)
    assert (module.eval()(x) == x).all()
    y = module.train()(x)
    if kept is not None:  # whole channels
        flat = y.flatten(kept)
        assert (flat == flat[..., :1]).all()
    lowest = y.min()
    share = float((y == lowest).float().mean())
    assert abs(share - 0.4) < 0.05
    assert repr(module) == f"{type(module).__name__}(p=0.4, inplace=False)"
    overwritten = type(module)(1.0, inplace=True)(x)
    assert overwritten.data_ptr() == x.data_ptr() and (x == 0).all()


def test_softmax_of_channels():
    x = gleed.randn(2, 3, 4, 5)
    assert (nn.Softmax2d()(x) == x.softmax(1)).all()
    assert (nn.Softmax2d()(x[0]) == x[0].softmax(0)).all()
    with pytest.raises(ShapeError) as caught:
        nn.Softmax2d()(x[0, 0])
    assert str(caught.value).splitlines()[0] == (
        "Softmax2d: the input must be (N, C, H, W) or (C, H, W); got shape (4, 5); use "
        "Softmax(dim) for others"
    )
