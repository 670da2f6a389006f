"""Errors of random functions: their text, and that nothing is drawn or overwritten."""

import math
import re

import pytest

import gleed
import gleed.nn.functional as F
from gleed.errors import ArgumentError, DeviceError, DTypeError, RangeError, ShapeError

gleed.manual_seed(7)
FIRST = gleed.rand(1).item()
UNIT = gleed.ones(3)
NEGATIVE = gleed.tensor([0.5, -0.25])
INTEGERS = gleed.zeros(3, dtype=gleed.int64)
ERRORS = [
    (lambda: gleed.rand(2, -1), RangeError,
     "rand: sizes must be 0 or more; got [2, -1]; check the arithmetic"),
    (lambda: gleed.randn(2, dtype=gleed.int64), DTypeError,
     "randn: the dtype must be floating point; got int64; use randint for whole numbers"),
    (lambda: gleed.randn(2, device="cuda"), DeviceError,
     "randn: this build of gleed computes on the CPU; device 'cuda' came; use 'cpu'"),
    (lambda: UNIT.uniform_(2, 1), RangeError,
     "uniform_: `from` must not be above `to`; got from 2 to 1; exchange them"),
    (lambda: UNIT.uniform_(math.nan), RangeError,
     "uniform_: `from` must not be above `to`; got from nan to 1.0; exchange them"),
    (lambda: UNIT.normal_(0, -2), RangeError,
     "normal_: std must be 0 or more; got -2; use abs(), or square a root"),
    (lambda: gleed.empty(4, 4).t().normal_(0, -2), RangeError,
     "normal_: std must be 0 or more; got -2; use abs(), or square a root"),
    (lambda: gleed.normal(0.0, -1.0, (2,)), RangeError,
     "normal: std must be 0 or more; got -1.0; use abs(), or square a root"),
    (lambda: gleed.normal(UNIT[:2], NEGATIVE), RangeError,
     "normal: std must be 0 or more; got -0.25; use abs(), or square a root"),
    (lambda: gleed.randint(5, 3, (2,)), RangeError,
     "randint: low must be below high; got 5 and 3; `high` itself is never drawn"),
    (lambda: gleed.randint(0, (2,)), RangeError,
     "randint: low must be below high; got 0 and 0; `high` itself is never drawn"),
    (lambda: gleed.randint(0.5, 3, (2,)), ArgumentError,
     "randint: bounds must be whole numbers; got a float; use int(...)"),
    (lambda: gleed.randint(0, 300, (2,), dtype=gleed.uint8), RangeError,
     "randint: all numbers from low to high - 1 must exist in the dtype; got 0 to 299 for uint8; "
     "use a wider dtype"),
    (lambda: gleed.randint_like(UNIT, 3, 1), RangeError,
     "randint_like: low must be below high; got 3 and 1; `high` itself is never drawn"),
    (lambda: UNIT.random_(3, 2), RangeError,
     "random_: low must be below high; got 3 and 2; `high` itself is never drawn"),
    (lambda: gleed.randperm(-1), RangeError,
     "randperm: n must be 0 or more; got -1; use len()"),
    (lambda: UNIT.bernoulli_(1.5), RangeError,
     "bernoulli_: probabilities must lie in 0 … 1; got 1.5; use sigmoid, or clamp"),
    (lambda: gleed.bernoulli(NEGATIVE), RangeError,
     "bernoulli: probabilities must lie in 0 … 1; got -0.25 … 0.5; use sigmoid, or clamp"),
    (lambda: gleed.bernoulli(INTEGERS), DTypeError,
     "bernoulli: the dtype must be floating point; got int64; convert with .float()"),
    (lambda: UNIT.exponential_(0), RangeError,
     "exponential_: lambd must be above 0; got 0; it is 1 / mean"),
    (lambda: UNIT.log_normal_(0, 0), RangeError,
     "log_normal_: std must be above 0; got 0; use exp of a mean for a constant"),
    (lambda: UNIT.cauchy_(0, -1), RangeError,
     "cauchy_: sigma must be above 0; got -1; use fill_ for a constant"),
    (lambda: UNIT.geometric_(1.0), RangeError,
     "geometric_: p must lie between 0 and 1; got 1.0; neither bound is possible"),
    (lambda: INTEGERS.exponential_(), DTypeError,
     "exponential_: the dtype must be floating point; got int64; convert with .float()"),
    (lambda: gleed.multinomial(UNIT, 4), RangeError,
     "multinomial: num_samples must be 1 or more, and without replacement at most the number of "
     "places; got 4 for 3 places; use replacement=True"),
    (lambda: gleed.multinomial(NEGATIVE, 1), RangeError,
     "multinomial: weights must be finite and 0 or more, and not all 0 in a row; got numbers of "
     "-0.25 … 0.5; use softmax, or clamp(min=0)"),
    (lambda: gleed.multinomial(UNIT * 0, 5, True), RangeError,
     "multinomial: weights must be finite and 0 or more, and not all 0 in a row; got numbers of "
     "0.0 … 0.0; use softmax, or clamp(min=0)"),
    (lambda: gleed.multinomial(gleed.ones(2, 2, 2), 1), ShapeError,
     "multinomial: weights must have 1 or 2 dims; got shape [2, 2, 2]; reshape them to (rows, "
     "places)"),
    (lambda: F.dropout(UNIT, 1.2), RangeError,
     "dropout: p must lie in 0 … 1; got 1.2; it is the share that is dropped"),
    (lambda: F.alpha_dropout(UNIT, -0.5, training=True), RangeError,
     "alpha_dropout: p must lie in 0 … 1; got -0.5; it is the share that is dropped"),
    (lambda: F.dropout(INTEGERS), DTypeError,
     "dropout: the dtype must be floating point; got int64; convert with .float()"),
    (lambda: F.dropout2d(UNIT), ShapeError,
     "dropout2d: the input must have 3 or 4 dims; got shape [3]; use dropout for other shapes"),
    (lambda: F.feature_alpha_dropout(UNIT, training=True), ShapeError,
     "feature_alpha_dropout: the input must have 2 dims or more; got shape [3]; use alpha_dropout"),
    (lambda: F.rrelu(UNIT, 2, 1, training=True), RangeError,
     "rrelu: lower must not be above upper; got 2 and 1; exchange them"),
    (lambda: gleed.manual_seed(2**64), RangeError,
     "manual_seed: the seed must lie in -2**63 to 2**64 - 1; got 18446744073709551616; use seed % "
     "2**64"),
    (lambda: gleed.manual_seed("1"), ArgumentError,
     "manual_seed: the seed is an int; got str; use int(...)"),
    (lambda: gleed.set_rng_state(gleed.zeros(3, dtype=gleed.uint8)), ShapeError,
     "set_state: a state is a uint8 tensor of 5056 elements, from get_state(); got 3"),
    (lambda: gleed.set_rng_state(gleed.zeros(5056, dtype=gleed.uint8)), RangeError,
     "set_state: the state must come from get_state(); this one is damaged; 0 words left and 0 "
     "used do not make a block"),
    (lambda: gleed.set_rng_state(UNIT), DTypeError,
     "set_state: a state is a uint8 tensor; got gleed.float32; pass what get_state gave"),
    (lambda: gleed.Generator("cuda"), DeviceError,
     "Generator: this build of gleed computes on the CPU; device 'cuda' came; use 'cpu'"),
]  # fmt: skip


@pytest.mark.parametrize("call, kind, text", ERRORS, ids=[text for *_, text in ERRORS])
def test_errors_change_nothing(call, kind, text):
    gleed.manual_seed(7)
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        call()
    assert UNIT.tolist() == [1.0] * 3
    assert gleed.rand(1).item() == FIRST


def test_a_generator_must_be_one():
    with pytest.raises(TypeError, match="argument 'generator' must be a Generator or None"):
        gleed.rand(2, generator=3)
