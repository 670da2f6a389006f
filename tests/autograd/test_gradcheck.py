"""gradcheck and gradgradcheck can fail, and say where."""

import re

import pytest

import gleed
from gleed import autograd
from gleed.autograd import Function, GradcheckError, gradcheck, gradgradcheck
from gleed.errors import ArgumentError


def scaled(factor, second=1.0):
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            right = 2 * x * g * factor
            return right + (second - 1.0) * (right - right.detach())

    return Wrong.apply


@pytest.fixture
def x():
    return gleed.tensor([[0.3, -1.2, 2.0]], dtype=gleed.float64, requires_grad=True)


@pytest.mark.parametrize("fast", [False, True])
def test_right_and_wrong(x, fast):
    assert gradcheck(scaled(1.0), x, fast_mode=fast)
    with pytest.raises(GradcheckError):
        gradcheck(scaled(3.0), x, fast_mode=fast)
    assert not gradcheck(scaled(1.01), x, fast_mode=fast, raise_exception=False)


@pytest.mark.parametrize("fast", [False, True])
def test_second_order(x, fast):
    assert gradgradcheck(scaled(1.0), x, fast_mode=fast)
    assert gradcheck(scaled(1.0, second=3.0), x, fast_mode=fast)
    with pytest.raises(GradcheckError):
        gradgradcheck(scaled(1.0, second=3.0), x, fast_mode=fast)
    assert gradgradcheck(lambda x: x.sin(), x, gen_non_contig_grad_outputs=True)


def test_the_message_names_index_and_values(x):
    class OneWrong(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * gleed.tensor([[2.0, 2.0, 5.0]], dtype=gleed.float64)

    with pytest.raises(GradcheckError) as caught:
        gradcheck(OneWrong.apply, x)
    found = re.fullmatch(
        r"gradcheck: the gradient of output 0 with respect to input 0 is wrong at index \(0, 2\): "
        r"analytic (\S+), numeric (\S+) \(differs by \S+; for a random cotangent\)",
        str(caught.value),
    )
    assert found
    analytic, numeric = map(float, found.groups())
    assert analytic / numeric == pytest.approx(2.5)


def test_cotangents_of_ones_would_not_do(x):
    class Softmax(Function):
        @staticmethod
        def forward(ctx, x):
            y = x.softmax(1)
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            (y,) = ctx.saved_tensors
            return 3 * y * (g - (g * y).sum(1, keepdim=True))

    (ones,) = autograd.grad(Softmax.apply(x).sum(), x)
    assert ones.abs().max().item() < 1e-12
    with pytest.raises(GradcheckError):
        gradcheck(Softmax.apply, x)


def test_layouts(x):
    big = gleed.rand(4, 6, dtype=gleed.float64)
    sliced = big[::2, 1::2].detach().requires_grad_()
    turned = gleed.rand(2, 3, dtype=gleed.float64).t().detach().requires_grad_()
    spread = gleed.rand(1, 3, dtype=gleed.float64).expand(2, 3).detach().requires_grad_()
    empty = gleed.zeros(0, 3, dtype=gleed.float64, requires_grad=True)
    single = gleed.tensor(0.4, dtype=gleed.float64, requires_grad=True)
    for t in (sliced, turned, spread, empty, single):
        before = t.tolist()
        assert gradcheck(lambda t: t.sin() * t, t)
        assert gradgradcheck(lambda t: t.sin() * t, t)
        assert t.tolist() == before


def test_several_inputs_some_of_them_no_tensors(x):
    y = gleed.tensor([1.0, 2.0, 3.0], dtype=gleed.float64, requires_grad=True)
    assert gradcheck(lambda x, k, y: (x * y * k, y.exp(), x > 0), (x, 3, y))


def test_outputs_without_gradient(x):
    assert gradcheck(lambda x: (x * 2, x.detach() * 0), x)
    with pytest.raises(GradcheckError):
        gradcheck(lambda x: x.detach() * 2, x)


def test_gradients_that_differ_from_run_to_run(x):
    calls = iter(range(1000))

    class Noisy(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2 + next(calls) * 1e-9

    with pytest.raises(GradcheckError, match="two runs of backward differ"):
        gradcheck(Noisy.apply, x)
    assert gradcheck(Noisy.apply, x, nondet_tol=1e-6)


def test_bad_calls(x):
    with pytest.raises(ArgumentError, match="at least one input requires grad; none does"):
        gradcheck(lambda x: x, x.detach())
    with pytest.raises(ArgumentError, match="inputs that require grad are float64; input 0 is"):
        gradcheck(lambda x: x, gleed.zeros(2, requires_grad=True))
    with pytest.raises(ArgumentError, match="check_forward_ad is not offered"):
        gradcheck(lambda x: x, x, check_forward_ad=True)
