"""What a wrong dtype, size or flag is told, by every function that takes one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import gleed
from gleed.errors import ArgumentError, DTypeError, RangeError

X = gleed.ones(2)
# Functions of a dtype, under the names that their messages begin with.
TAKING: dict[str, Callable[[Any], Any]] = {
    "zeros": lambda d: gleed.zeros(2, dtype=d),
    "ones": lambda d: gleed.ones(2, dtype=d),
    "full": lambda d: gleed.full((2,), 1, dtype=d),
    "empty": lambda d: gleed.empty(2, dtype=d),
    "empty_like": lambda d: gleed.empty_like(X, dtype=d),
    "empty_strided": lambda d: gleed.empty_strided((2,), (1,), dtype=d),
    "zeros_like": lambda d: gleed.zeros_like(X, dtype=d),
    "ones_like": lambda d: gleed.ones_like(X, dtype=d),
    "full_like": lambda d: gleed.full_like(X, 2, dtype=d),
    "rand": lambda d: gleed.rand(2, dtype=d),
    "randn": lambda d: gleed.randn(2, dtype=d),
    "randint": lambda d: gleed.randint(3, (2,), dtype=d),
    "randperm": lambda d: gleed.randperm(3, dtype=d),
    "arange": lambda d: gleed.arange(3, dtype=d),
    "range": lambda d: gleed.range(0, 3, dtype=d),
    "linspace": lambda d: gleed.linspace(0, 1, 3, dtype=d),
    "logspace": lambda d: gleed.logspace(0, 1, 3, dtype=d),
    "eye": lambda d: gleed.eye(2, dtype=d),
    "tensor": lambda d: gleed.tensor([1], dtype=d),
    "as_tensor": lambda d: gleed.as_tensor([1], dtype=d),
    "scalar_tensor": lambda d: gleed.scalar_tensor(1, dtype=d),
    "new_zeros": lambda d: X.new_zeros(2, dtype=d),
    "new_full": lambda d: X.new_full((2,), 1, dtype=d),
    "new_tensor": lambda d: X.new_tensor([1], dtype=d),
    "new_empty": lambda d: X.new_empty(2, dtype=d),
    "new_empty_strided": lambda d: X.new_empty_strided((2,), (1,), dtype=d),
    "to": lambda d: X.to(dtype=d),
    "sum": lambda d: X.sum(dtype=d),
    "softmax": lambda d: X.softmax(0, dtype=d),
    "set_default_dtype": lambda d: gleed.set_default_dtype(d),
    "finfo": lambda d: gleed.finfo(d),
    "iinfo": lambda d: gleed.iinfo(d),
}
# Those that make memory, which may hold complex numbers; they compute nothing with them. And
# two that are made of others, which say so.
HOLDING = {
    *("logspace", "range"),
    *("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "tensor"),
    *("as_tensor", "scalar_tensor", "new_tensor", "finfo", "iinfo", "set_default_dtype"),
}


def text_of(error: type[Exception], call: Callable[[], Any]) -> str:
    with pytest.raises(error) as raised:
        call()
    return str(raised.value)


@pytest.mark.parametrize("name", TAKING)
def test_no_dtype(name: str) -> None:
    for wrong in ("a", str):
        wanted = (
            f"{name}: dtype must be a gleed.dtype; a {type(wrong).__name__} came; use "
            "gleed.float32, for example"
        )
        assert text_of(ArgumentError, lambda wrong=wrong: TAKING[name](wrong)) == wanted


@pytest.mark.parametrize("name", sorted(TAKING.keys() - HOLDING))
def test_complex(name: str) -> None:
    text = text_of(DTypeError, lambda: TAKING[name](gleed.complex64))
    assert text == (
        f"{name}: operations are on real numbers; got complex64; keep the real and the imaginary "
        "parts in two tensors"
    )


def test_arithmetic_of_complex_tensors() -> None:
    assert text_of(DTypeError, lambda: gleed.tensor(1j) * 2) == (
        "mul: operations are on real numbers; got complex64; keep the real and the imaginary "
        "parts in two tensors"
    )


def test_number_types_of_python_are_dtypes() -> None:
    assert gleed.zeros(2, dtype=float).dtype is gleed.float64
    assert gleed.arange(2, dtype=bool).dtype is gleed.bool
    assert X.to(int).dtype is gleed.int64
    assert X.sum(dtype=int).dtype is gleed.int64


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: X.to(foo=1),
            ArgumentError,
            "to: takes the keywords dtype, device, non_blocking, copy, memory_format, other; got "
            "'foo'; check its spelling",
        ),
        (
            lambda: X.to(3),
            ArgumentError,
            "to: takes a dtype, a device or a tensor; got int; use x.to(gleed.float32), say",
        ),
        (
            lambda: X.type("foo"),
            ArgumentError,
            "type: there is no such type of tensors; got 'foo'; use 'gleed.FloatTensor', or a "
            "dtype",
        ),
        (
            lambda: X.type(3),
            ArgumentError,
            "type: dtype must be a gleed.dtype; a int came; use gleed.float32, for example",
        ),
        (
            lambda: gleed.eye(-1),
            RangeError,
            "eye: sizes must be 0 or more; got [-1, -1]; check the arithmetic",
        ),
        (
            lambda: gleed.eye(2, 2.5),
            ArgumentError,
            "eye: sizes must be integers; got float; pass whole numbers",
        ),
        (
            lambda: gleed.full((2, -1), 1),
            RangeError,
            "full: sizes must be 0 or more; got [2, -1]; check the arithmetic",
        ),
        (
            lambda: X.new_full((-3,), 1),
            RangeError,
            "new_full: sizes must be 0 or more; got [-3]; check the arithmetic",
        ),
        (
            lambda: gleed.range(0, 3, 0),
            RangeError,
            "range: the step must not be 0; got step 0; use 1, say",
        ),
        (
            lambda: gleed.logspace(0, 3, -1),
            RangeError,
            "logspace: steps must be 0 or more; got -1; use 100, say",
        ),
        (
            lambda: X.renorm(0, 0, 1.0),
            RangeError,
            "renorm: p must be positive; got 0; use 2 for Euclid's norm",
        ),
        (
            lambda: gleed.polygamma(-1, X),
            RangeError,
            "polygamma: n must be 0 or more; got -1; it counts derivatives",
        ),
        (
            lambda: gleed.autograd.Variable([1.0]),
            ArgumentError,
            "Variable: a tensor is needed; got list; use gleed.tensor(data)",
        ),
        (
            lambda: gleed.as_strided([1.0], (1,), (1,)),
            ArgumentError,
            "as_strided: input must be a Tensor; got list; use gleed.tensor()",
        ),
    ],
)
def test_message(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    assert text_of(error, call) == text


@pytest.mark.parametrize("wrong", ["a", 1, None])
def test_flags_are_bools(wrong: Any) -> None:
    x = gleed.ones(2)
    kind = type(wrong).__name__
    text = f": must be True or False; a {kind} came; use bool() on it"
    assert text_of(ArgumentError, lambda: x.requires_grad_(wrong)) == "requires_grad_" + text
    with pytest.raises(ArgumentError) as raised:
        x.requires_grad = wrong
    assert str(raised.value) == "requires_grad" + text
    for make in (gleed.empty, gleed.rand, gleed.eye):
        with pytest.raises(ArgumentError):
            make(2, requires_grad=wrong)
    assert not x.requires_grad


def test_logspace_of_integers_has_integer_ends() -> None:
    assert gleed.logspace(0.5, 3.2, 7, dtype=gleed.int64).tolist() == [1, 3, 10, 31, 100, 316, 1000]
