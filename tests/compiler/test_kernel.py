"""Kernel IR: interning, text that round-trips, the verifier's rules, passes; random kernels."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gleed.compiler import kernel as k
from gleed.compiler.emit import emit_llvm
from gleed.compiler.interpret import NUMPY_DTYPES
from gleed.compiler.kernel import Check, Kernel, KernelError, Node, Operand, Store, Variant
from gleed.compiler.kernel_text import parse_kernel, print_kernel
from gleed.compiler.lower import lower
from gleed.compiler.passes import divide
from gleed.compiler.target import host
from gleed.compiler.verify import verify

from .machine import AXES, make_array
from .test_emit import assert_close, check

X, ELEMENT, OUT = k.load(0, "f32"), Operand("f32", "in", True), Operand("f32", "out", True)

SOFTMAX = """
kernel softmax(in f32 element, out f32 element)
  %0 = load f32 0
  %1 = reduce.max f32 %0
  %2 = sub f32 %0 %1
  %3 = math.exp f32 %2
  %4 = reduce.sum f32 %3
  %5 = div f32 %3 %4
  store 1 %5
""".strip()


def test_nodes_are_interned_and_frozen():
    assert k.load(0, "f32") + 1 is k.load(0, "f32") + 1.0
    assert k.const(0.0, "f32") is not k.const(-0.0, "f32")
    assert k.const(float("nan"), "f32") is k.const(float("nan"), "f32")
    assert pickle.loads(pickle.dumps(X * X)) is X * X
    assert copy.deepcopy(X) is X
    with pytest.raises(AttributeError, match="frozen"):
        X.op = "store"
    with pytest.raises(TypeError, match="used as a condition"):
        bool(X < 1)


def test_what_is_the_same_at_all_points_costs_nothing():
    rate = k.math("log", k.load(1, "f32") * 2 + k.param(0, "f32"))
    operands = (Operand("f32", "in"), Operand("f32", "in"), Operand("f32", "out"))
    kernel = Kernel("step", operands, ("f32",), (Store(2, k.load(0, "f32") * rate),))
    plain = Kernel("mul", operands, (), (Store(2, k.load(0, "f32") * k.load(1, "f32")),))
    assert kernel.cost(0b010) == plain.cost(0b010) < plain.cost(0) < kernel.cost(0)
    # All points have a share in a sum, even of one number.
    total = Kernel("sum", operands[1:], (), (Store(1, k.reduce("sum", k.load(0, "f32"))),))
    assert total.cost(0b01) > 0


@pytest.mark.parametrize(
    ("value", "dtype", "rounded"),
    [
        (1e39, "f32", float("inf")), (-1e39, "f32", float("-inf")), (65520.0, "f16", float("inf")),
        (1.00390625, "bf16", 1.0), (1.01171875, "bf16", 1.015625), (2049.0, "f16", 2048.0),
    ],
)  # fmt: skip
def test_constants_are_rounded(value, dtype, rounded):
    assert k.const(value, dtype).attr == rounded


@pytest.mark.parametrize(("value", "dtype"), [(256, "u8"), (-1, "u8"), (1.5, "i32"), (128, "i8")])
def test_constants_out_of_range(value, dtype):
    with pytest.raises(KernelError, match=f"const: {value}"):
        k.const(value, dtype)


def test_text_round_trips():
    kernel = parse_kernel(SOFTMAX)
    assert print_kernel(kernel) == SOFTMAX
    assert [kernel.level(node) for node in kernel.nodes] == [
        "element", "row", "element", "element", "row", "element",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "kernel", "kernel a(in f32)\n  %0 = load", "kernel a(in f32)\n  save 0 %1"]
)
def test_unreadable_text(text):
    with pytest.raises(KernelError, match="parse_kernel: "):
        parse_kernel(text)


def map_of(value, *more):
    return Kernel(
        "bad", (Operand("f32", "in"), Operand(value.dtype, "out")), (), (Store(1, value), *more)
    )


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (map_of(k.load(5, "f32")), "there are 2 operands"),
        (map_of(k.load(0, "f64")), "operand 0 is f32"),
        (map_of(k.index(0)), "of kind 'in'"),
        (map_of(k.param(0, "f32")), "there are 0 params"),
        (map_of(Node("add", (X, k.const(1, "i32")), "f32")), "arguments must be f32"),
        (map_of(X & X), "defined for bits only"),
        (map_of(k.const(True, "bool") + True), "defined for number only"),
        (map_of(Node("frobnicate", (X,), "f32")), "unknown operation"),
        (map_of(Node("const", (), "f32", 0.1)), "0.1 is not a value of f32"),
        (map_of(k.select(X, X, X)), "the condition is bool"),
        (map_of(k.bitcast(X, "f64")), "needs dtypes of one size"),
        (map_of(k.reduce("any", X)), "takes bool to bool"),
        (map_of(k.reduce("median", X)), "unknown reduction"),
        (map_of(X, Store(1, X * 2)), "an operand is written once"),
        (map_of(X, Check(1, X < 1)), "not 'status'"),
        (map_of(X, Store(0, X)), "not 'out'"),
        (Kernel("bad", (ELEMENT, Operand("f32", "out")), (), (Store(1, X),)), "reduce it first"),
    ],
)
def test_verifier(kernel, message):
    with pytest.raises(KernelError, match="verify: `") as caught:
        verify(kernel)
    assert message in str(caught.value)
    assert "kernel bad(" in str(caught.value)


def test_passes_keep_a_dear_value_in_the_output():
    kernel = lower(parse_kernel(SOFTMAX))
    passes = divide(kernel, lambda node: True)
    assert len(passes.passes) == 3
    assert passes.keep is not None
    assert passes.keep.first == 1
    assert not any(node.op == "load" for node in passes.passes[2].nodes)


def test_map_variant_of_a_reduction_is_refused():
    with pytest.raises(KernelError, match="has reduced axes"):
        emit_llvm(parse_kernel(SOFTMAX), Variant("map", "11"), host())


# ---- random kernels ----

_UNARY = (lambda x: -x, k.abs, k.floor, k.trunc, lambda x: k.minimum(x, 2.0))
_BINARY = (
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x * y * 0.25,
    k.maximum,
    lambda x, y: k.select(x < y, x, y),
    lambda x, y: k.cast(k.cast(x, "bf16"), "f32") + y,
    lambda x, y: k.fma(x, 0.5, y),
)


@st.composite
def kernels(draw, orientation):
    """A kernel of random arithmetic over element, row and parameter values, and reductions."""
    reduces = orientation != "map"
    operands = [Operand("f32", "in", reduces), Operand("f32", "in"), Operand("f32", "in", reduces)]
    values = [k.load(0, "f32"), k.load(1, "f32"), k.load(2, "f32"), k.param(0, "f32")]
    for _ in range(draw(st.integers(1, 8))):
        x, y = draw(st.sampled_from(values)), draw(st.sampled_from(values))
        kind = draw(st.integers(0, 3 if reduces else 2))
        if kind == 0:
            values.append(draw(st.sampled_from(_UNARY))(x))
        elif kind < 3:
            values.append(draw(st.sampled_from(_BINARY))(x, y))
        else:
            values.append(k.reduce(draw(st.sampled_from(["max", "min", "sum"])), x) * 0.125)
    stores = []
    for value in values[-2:]:
        probe = Kernel("probe", tuple(operands), ("f32",), (Store(0, value),))
        operands.append(Operand("f32", "out", probe.level(value) == "element"))
        stores.append(Store(len(operands) - 1, value))
    return Kernel("random", tuple(operands), ("f32",), tuple(stores))


@pytest.mark.parametrize("orientation", AXES)
@settings(max_examples=25)
@given(data=st.data())
def test_random_kernels(machine, orientation, data):
    kernel = data.draw(kernels(orientation))
    shape = data.draw(st.tuples(*[st.integers(1, 4)] * 2, st.integers(1, 70)))
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 30)))
    reduced = tuple(1 if i in AXES[orientation] else n for i, n in enumerate(shape))
    arrays = [
        np.zeros(shape if o.element else reduced, NUMPY_DTYPES[o.dtype])
        if o.kind == "out"
        else rng.integers(-8, 8, shape if o.element else reduced).astype(np.float32)
        for o in kernel.operands
    ]
    check(machine, kernel, orientation, arrays, (0.75,), assert_close)


@pytest.mark.parametrize("dtype", k.DTYPES)
def test_random_values_have_the_awkward_ones(dtype):
    values = make_array(np.random.default_rng(0), dtype, (1000,))
    assert values.dtype == NUMPY_DTYPES[dtype]
    if dtype in ("f32", "f64"):
        assert np.isnan(values).any() and np.isinf(values).any()
