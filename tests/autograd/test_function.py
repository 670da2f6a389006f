"""Custom functions."""

import gc
import weakref

import pytest

import gleed
from gleed import autograd
from gleed.autograd import Function
from gleed.autograd.function import once_differentiable
from gleed.errors import ArgumentError, GradientError, ShapeError


class Exp(Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * y


class MulAdd(Function):
    @staticmethod
    def forward(ctx, a, k, b):
        ctx.save_for_backward(a, b)
        ctx.k = k
        return a * b, a + k

    @staticmethod
    def backward(ctx, g, h):
        a, b = ctx.saved_tensors
        return g * b + h, None, g * a


@pytest.fixture
def x():
    return gleed.tensor([0.3, -1.2], dtype=gleed.float64, requires_grad=True)


def test_gradients_of_any_order(x):
    assert autograd.gradcheck(Exp.apply, x)
    assert autograd.gradgradcheck(Exp.apply, x)


def test_several_inputs_and_outputs(x):
    b = gleed.tensor([2.0, 5.0], dtype=gleed.float64, requires_grad=True)
    assert autograd.gradcheck(lambda a, b: MulAdd.apply(a, 7, b), (x, b))
    assert autograd.gradgradcheck(lambda a, b: MulAdd.apply(a, 7, b), (x, b))
    product, total = MulAdd.apply(x, 7, b)
    assert total.output_nr == 1
    assert product.grad_fn is total.grad_fn
    assert product.grad_fn.name() == type(product.grad_fn).__name__ == "MulAddBackward"
    assert product.grad_fn.k == 7
    assert product.grad_fn.saved_tensors[0] is x
    total.sum().backward()
    assert b.grad.tolist() == [0.0, 0.0]


def test_no_history_without_need(x):
    with gleed.no_grad():
        assert Exp.apply(x).grad_fn is None
    assert Exp.apply(x.detach()).grad_fn is None


def test_forward_is_not_recorded_and_needs_are_told(x):
    class Check(Function):
        @staticmethod
        def forward(ctx, a, b, c):
            assert not gleed.is_grad_enabled()
            assert ctx.needs_input_grad == (True, False, False)
            return a * b

        @staticmethod
        def backward(ctx, g):
            assert ctx.needs_input_grad == (True, False, False)
            return g * 2, None, None

    Check.apply(x, x.detach(), 3).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_setup_context_style(x):
    class Scale(Function):
        @staticmethod
        def forward(x, factor=2.0):
            return x * factor

        @staticmethod
        def setup_context(ctx, inputs, output):
            _, ctx.factor = inputs

        @staticmethod
        def backward(ctx, g):
            return g * ctx.factor, None

    Scale.apply(x).sum().backward()
    Scale.apply(x, factor=5.0).sum().backward()
    assert x.grad.tolist() == [7.0, 7.0]


def test_undefined_cotangents(x):
    seen = []

    class Two(Function):
        @staticmethod
        def forward(ctx, x, materialize):
            ctx.set_materialize_grads(materialize)
            return x * 1, x * 2, "text"

        @staticmethod
        def backward(ctx, g, h, text):
            seen.append((g, h, text))
            return h * 2, None

    Two.apply(x, True)[1].sum().backward()
    Two.apply(x, False)[1].sum().backward()
    assert seen[0][0].tolist() == [0.0, 0.0]
    assert seen[0][2] is None
    assert seen[1][0] is None


def test_mark_dirty(x):
    class Double(Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 2

    y = x * 1
    z = Double.apply(y)
    assert z is y
    assert y.grad_fn.name() == "DoubleBackward"
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]
    base = x * 1
    Double.apply(base[0])
    x.grad = None
    base.sum().backward()
    assert x.grad.tolist() == [2.0, 1.0]
    with pytest.raises(GradientError, match=r"^mark_dirty: a leaf that requires grad"):
        Double.apply(x)


def test_dirty_tensors_must_be_returned(x):
    class Forgets(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x * 1

    with pytest.raises(GradientError, match="what was changed in place must be returned"):
        Forgets.apply(x * 1)


def test_non_differentiable_outputs_and_inputs_returned(x):
    class Sorted(Function):
        @staticmethod
        def forward(ctx, x):
            sign = x.sign()
            ctx.mark_non_differentiable(sign)
            return x, sign, (x > 0)

        @staticmethod
        def backward(ctx, g, g_sign, g_positive):
            return g * 3

    same, sign, positive = Sorted.apply(x)
    assert same is not x
    assert same.data_ptr() == x.data_ptr()
    assert not sign.requires_grad
    assert not positive.requires_grad
    same.sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_once_differentiable(x):
    class Once(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            assert not gleed.is_grad_enabled()
            return ctx.saved_tensors[0] * 2 * g

    Once.apply(x).sum().backward()
    assert x.grad.tolist() == [0.6, -2.4]
    v = gleed.ones(2, dtype=gleed.float64, requires_grad=True)
    (g,) = autograd.grad(Once.apply(x), x, v, create_graph=True)
    with pytest.raises(GradientError, match=r"^OnceBackward: its backward is differentiable once"):
        g.sum().backward()


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (lambda g: (g, g), GradientError, "one gradient per input of forward is expected; 2 came"),
        (lambda g: "text", GradientError, "a gradient is a tensor or None; number 0 is a str"),
        (lambda g: g.sum(), ShapeError, "a gradient has the shape of its input; input 0 is"),
    ],
)
def test_bad_backwards(x, returned, error, message):
    class Bad(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return returned(g)

    with pytest.raises(error, match=message):
        Bad.apply(x).sum().backward()


def test_missing_methods(x):
    class Empty(Function):
        pass

    class Forward(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

    with pytest.raises(NotImplementedError, match="forward is not defined"):
        Empty.apply(x)
    with pytest.raises(NotImplementedError, match="backward is not defined"):
        Forward.apply(x).sum().backward()


def test_saving_what_is_no_tensor(x):
    class Saves(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x, 3)
            return x

    with pytest.raises(
        ArgumentError, match=r"^save_for_backward: saves tensors and None; argument"
    ):
        Saves.apply(x)


def test_saved_values_that_were_overwritten_or_freed(x):
    y = Exp.apply(x)
    total = y.sum()
    total.backward(retain_graph=True)
    total.backward()
    with pytest.raises(GradientError, match="the graph was freed by an earlier backward; Exp"):
        total.backward()
    y = Exp.apply(x)
    y.add_(1)
    with pytest.raises(GradientError, match="ExpBackward saved its output 0 of shape"):
        y.sum().backward()


def test_exceptions_pass_through(x):
    class Fails(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        Fails.apply(x).sum().backward()


def test_contexts_that_refer_to_their_results_are_collected(x):
    class Cycle(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.result = x * 2
            return ctx.result

        @staticmethod
        def backward(ctx, g):
            return g * 2

    class Note:
        pass

    y = Cycle.apply(x)
    y.note = Note()
    alive = weakref.ref(y.note)
    del y
    gc.collect()
    assert alive() is None


def test_views_returned_by_forward(x):
    class First(Function):
        @staticmethod
        def forward(ctx, x):
            return x[:1]

        @staticmethod
        def backward(ctx, g):
            return gleed.cat([g, g * 0])

    base = x * 1
    v = First.apply(base)
    v.sum().backward()
    assert x.grad.tolist() == [1.0, 0.0]
    v = First.apply(base)
    base.mul_(2)
    with pytest.raises(GradientError, match=r"^view: its history does not follow its memory"):
        v.sum().backward()


def test_gradients_take_the_dtypes_of_their_inputs():
    class Scale(Function):
        @staticmethod
        def forward(ctx, x, factor, y):
            return x.double() * factor + y

        @staticmethod
        def backward(ctx, g):
            return g * 3, None, g

    x = gleed.ones(2, dtype=gleed.bfloat16, requires_grad=True)
    y = gleed.ones(2, requires_grad=True)
    Scale.apply(x, 3, y).sum().backward()
    assert x.grad.dtype is gleed.bfloat16
    assert y.grad.dtype is gleed.float32
    assert x.grad.tolist() == [3, 3]
