"""`autocast`: which operations it converts, its cache, how it nests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

import gleed
from gleed import amp, autocast, nn
from gleed.errors import ArgumentError, DeviceError
from gleed.nn import functional as F

BFLOAT16, FLOAT32 = gleed.bfloat16, gleed.float32
CLASSES = gleed.arange(4)
# What a call gives for float32, and for bfloat16 arguments: PyTorch's dtypes.
CALLS: dict[str, tuple[Callable[[Any], Any], Any, Any]] = {
    "matmul": (lambda x: x @ x, BFLOAT16, BFLOAT16),
    "mm": (lambda x: x.mm(x), BFLOAT16, BFLOAT16),
    "bmm": (lambda x: x[None].bmm(x[None]), BFLOAT16, BFLOAT16),
    "addmm": (lambda x: gleed.addmm(x, x, x), BFLOAT16, BFLOAT16),
    "linear": (lambda x: F.linear(x, x, x[0]), BFLOAT16, BFLOAT16),
    "module": (lambda x: nn.Linear(4, 4)(x), BFLOAT16, BFLOAT16),
    "keywords": (lambda x: gleed.mm(input=x, mat2=x), BFLOAT16, BFLOAT16),
    "inner": (lambda x: gleed.inner(x, x), BFLOAT16, BFLOAT16),
    "inner of vectors": (lambda x: gleed.inner(x[0], x[0]), FLOAT32, BFLOAT16),
    "einsum": (lambda x: gleed.einsum("ij,jk->ik", x, x), BFLOAT16, BFLOAT16),
    "einsum without sum": (lambda x: gleed.einsum("ij,ij->ij", x, x), FLOAT32, BFLOAT16),
    "tensordot": (lambda x: gleed.tensordot(x, x, 1), BFLOAT16, BFLOAT16),
    "multi_dot": (lambda x: gleed.linalg.multi_dot([x, x, x]), BFLOAT16, BFLOAT16),
    "mv": (lambda x: x.mv(x[0]), FLOAT32, BFLOAT16),
    "dot": (lambda x: x[0].dot(x[0]), FLOAT32, BFLOAT16),
    "out": (lambda x: gleed.mm(x, x, out=gleed.empty(4, 4, dtype=x.dtype)), FLOAT32, BFLOAT16),
    "add": (lambda x: x + x, FLOAT32, BFLOAT16),
    "softmax": (lambda x: x.softmax(0), FLOAT32, BFLOAT16),
    "layer_norm": (lambda x: F.layer_norm(x, (4,)), FLOAT32, BFLOAT16),
    "sum": (lambda x: x.sum(), FLOAT32, BFLOAT16),
    "prod": (lambda x: x.prod(), FLOAT32, FLOAT32),
    "trace": (lambda x: x.trace(), FLOAT32, FLOAT32),
    "mse_loss": (lambda x: F.mse_loss(x, x), FLOAT32, FLOAT32),
    "cross_entropy": (lambda x: F.cross_entropy(x, CLASSES), FLOAT32, FLOAT32),
    "nll_loss": (lambda x: F.nll_loss(x, CLASSES), FLOAT32, FLOAT32),
    "bce": (lambda x: F.binary_cross_entropy_with_logits(x, x), FLOAT32, FLOAT32),
    "reflect": (lambda x: F.pad(x, (1, 1), mode="reflect"), FLOAT32, FLOAT32),
    "pad": (lambda x: F.pad(x, (1, 1)), FLOAT32, BFLOAT16),
    "cat": (lambda x: gleed.cat([x, gleed.ones(4, 4)]), FLOAT32, FLOAT32),
    "float64": (lambda x: x.double() @ x.double(), gleed.float64, gleed.float64),
    "int64": (lambda x: x.long() @ x.long(), gleed.int64, gleed.int64),
}


@pytest.mark.parametrize("name", CALLS)
def test_dtypes(name: str) -> None:
    call, of_float32, of_bfloat16 = CALLS[name]
    x = gleed.rand(4, 4)
    with autocast("cpu", dtype=BFLOAT16):
        assert call(x).dtype is of_float32
        if name != "module":
            assert call(x.bfloat16()).dtype is of_bfloat16
    if name not in ("float64", "int64"):
        assert call(x).dtype is FLOAT32


def test_values_are_those_of_converted_arguments() -> None:
    x, y = gleed.rand(5, 7), gleed.rand(7, 3)
    for dtype in (BFLOAT16, gleed.float16):
        with autocast("cpu", dtype=dtype):
            found = x @ y
        assert found.dtype is dtype
        assert found.tolist() == (x.to(dtype) @ y.to(dtype)).tolist()


def test_gradients_have_the_dtype_of_their_weights() -> None:
    weight = gleed.rand(3, 3, requires_grad=True)
    x = gleed.rand(2, 3)
    with autocast("cpu"):
        loss = F.mse_loss(F.linear(x, weight), gleed.zeros(2, 3))
    loss.backward()
    low = weight.detach().bfloat16().requires_grad_()
    F.mse_loss(F.linear(x.bfloat16(), low).float(), gleed.zeros(2, 3)).backward()
    assert weight.grad.dtype is FLOAT32
    assert weight.grad.tolist() == low.grad.float().tolist()


def test_weights_are_converted_once() -> None:
    weight = gleed.rand(3, 3, requires_grad=True)
    x = gleed.rand(2, 3, dtype=BFLOAT16)

    def casts(y: Any) -> Any:
        return [node for node, _ in y.grad_fn.next_functions if node is not None]

    with autocast("cpu"):
        first, second = casts(x @ weight), casts(x @ weight)
        assert first == second
        with autocast("cpu", cache_enabled=False):
            assert casts(x @ weight) != first
        with gleed.no_grad():
            weight.mul_(2)  # what was converted before is of no use any more
        assert casts(x @ weight) != first
    with autocast("cpu"):
        assert casts(x @ weight) != first


def test_regions_nest() -> None:
    x = gleed.rand(2, 2)
    assert not gleed.is_autocast_enabled("cpu")
    with autocast("cpu", dtype=gleed.float16):
        assert gleed.is_autocast_enabled("cpu") and gleed.is_autocast_cpu_enabled()
        assert gleed.get_autocast_dtype("cpu") is gleed.float16
        with autocast("cpu", enabled=False):
            assert not gleed.is_autocast_enabled("cpu")
            assert (x @ x).dtype is FLOAT32
            with autocast("cpu", dtype=BFLOAT16):
                assert (x @ x).dtype is BFLOAT16
        assert (x @ x).dtype is gleed.float16
    assert gleed.get_autocast_dtype("cpu") is BFLOAT16
    with pytest.raises(ZeroDivisionError), autocast("cpu"):
        1 / 0  # noqa: B018
    assert (x @ x).dtype is FLOAT32


def test_a_decorator() -> None:
    @autocast("cpu", dtype=BFLOAT16)
    def product(x: Any) -> Any:
        """Doc."""
        return x @ x

    assert product(gleed.rand(2, 2)).dtype is BFLOAT16
    assert (product.__name__, product.__doc__) == ("product", "Doc.")
    assert not gleed.is_autocast_enabled("cpu")


def test_other_threads_are_left_alone() -> None:
    x, found = gleed.rand(2, 2), []
    with autocast("cpu"):
        thread = threading.Thread(target=lambda: found.append((x @ x).dtype))
        thread.start()
        thread.join()
    assert found == [FLOAT32]


def test_errors_pass_through() -> None:
    with autocast("cpu"), pytest.raises(RuntimeError, match=r"^matmul: the inner sizes"):
        gleed.ones(2, 3) @ gleed.ones(2, 3)
    with autocast("cpu"), pytest.raises(TypeError, match=r"^mm: argument 'mat2' must be a Tensor"):
        gleed.mm(gleed.ones(2, 3), 3)


def test_custom_functions() -> None:
    seen = []

    class Product(gleed.autograd.Function):
        @staticmethod
        @amp.custom_fwd(device_type="cpu", cast_inputs=FLOAT32)
        def forward(ctx: Any, x: Any, y: Any) -> Any:
            ctx.save_for_backward(x, y)
            seen.append((x @ y).dtype)
            return x @ y

        @staticmethod
        @amp.custom_bwd(device_type="cpu")
        def backward(ctx: Any, g: Any) -> Any:
            x, y = ctx.saved_tensors
            seen.append((g @ y.t()).dtype)
            return g @ y.t(), x.t() @ g

    x = gleed.rand(2, 2, dtype=BFLOAT16, requires_grad=True)
    with autocast("cpu"):
        Product.apply(x, gleed.rand(2, 2, requires_grad=True)).sum().backward()
    assert seen == [FLOAT32, FLOAT32]
    assert x.grad.dtype is BFLOAT16


def test_backward_runs_as_forward_did() -> None:
    seen = []

    class Product(gleed.autograd.Function):
        @staticmethod
        @amp.custom_fwd(device_type="cpu")
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x @ x

        @staticmethod
        @amp.custom_bwd(device_type="cpu")
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            seen.append((x @ x).dtype)
            return g.to(x.dtype)

    x = gleed.rand(2, 2, requires_grad=True)
    with autocast("cpu", dtype=gleed.float16):
        y = Product.apply(x)
    y.sum().backward()
    assert seen == [gleed.float16]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: autocast(3),
            ArgumentError,
            "autocast: device_type must be a string; got int; use 'cpu'",
        ),
        (
            lambda: autocast("abacus"),
            DeviceError,
            "autocast: device_type must be cpu or cuda; got 'abacus'; use 'cpu'",
        ),
        (
            lambda: autocast("cpu", dtype="half"),
            ArgumentError,
            "autocast: dtype must be a gleed.dtype; a str came; use gleed.float32, for example",
        ),
    ],
)
def test_message(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == text


def test_what_stays_off_says_so() -> None:
    with pytest.warns(UserWarning, match=r"^autocast: there is no GPU that gleed can use"):
        region = gleed.cuda.amp.autocast()
    with region:
        assert (gleed.ones(2, 2) @ gleed.ones(2, 2)).dtype is FLOAT32
    text = r"^autocast: dtype must be bfloat16 or float16; got float32; it stays off$"
    with pytest.warns(UserWarning, match=text):
        autocast("cpu", dtype=FLOAT32)
