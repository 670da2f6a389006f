"""What ops say about input that they do not take: exact texts; and that the process lives on."""

from __future__ import annotations

from typing import Any

import pytest

import gleed
from gleed.errors import (
    ArgumentError,
    BoundsError,
    DTypeError,
    GleedError,
    OutOfMemoryError,
    RangeError,
    ShapeError,
)

F = gleed.nn.functional


def f(*shape: int) -> Any:
    return gleed.zeros(*shape)


def i(*values: int) -> Any:
    return gleed.tensor(values)


# The call, the error, its text.
BAD: list[tuple[str, type[Exception], str]] = [
    (
        "f(2, 3) + f(4, 3)",
        ShapeError,
        "add: shapes must agree, or be 1, in every axis counted from the last; got [2, 3] "
        "and [4, 3]; reshape, or insert axes of size 1 with unsqueeze",
    ),
    (
        "f(2, 3) @ f(2, 3)",
        ShapeError,
        "matmul: the inner sizes must agree; got [2, 3] and [2, 3]; transpose one of them, "
        "or check the order",
    ),
    (
        "f(2, 3) @ f(3)[0]",
        ShapeError,
        "matmul: both operands need at least 1 dim; got [2, 3] and []; use * for numbers",
    ),
    (
        "f(2) @ f(2).double()",
        DTypeError,
        "matmul: all operands must have one dtype; got float32 and float64; convert one with "
        ".to(dtype)",
    ),
    (
        "f(2).bool() @ f(2).bool()",
        DTypeError,
        "matmul: bool has no matrix product; got bool; convert it",
    ),
    (
        "gleed.mm(f(2), f(2, 2))",
        ShapeError,
        "mm: input must be a matrix (2 dims); got shape [2]; use matmul for broadcasting products",
    ),
    (
        "gleed.bmm(f(2, 1, 3), f(3, 3, 1))",
        ShapeError,
        "bmm: batch sizes must agree; got [2, 1, 3] and [3, 3, 1]; use matmul to broadcast",
    ),
    (
        "gleed.dot(f(2, 2), f(2))",
        ShapeError,
        "dot: input must be a vector (1 dim); got shape [2, 2]; use matmul for broadcasting "
        "products",
    ),
    (
        "gleed.outer(f(2, 2), f(2))",
        ShapeError,
        "outer: input must be a vector (1 dim); got shape [2, 2]; use matmul for "
        "broadcasting products",
    ),
    (
        "F.linear(f(2, 3), f(4, 5))",
        ShapeError,
        "linear: the last size of the input must be in_features of the weight; got input [2, "
        "3] and weight [4, 5] (out_features, in_features); check the layer's sizes",
    ),
    (
        "f(2, 3).sum(2)",
        BoundsError,
        "sum: dim is out of range; got dim 2 for a tensor of 2 dims; use -2 … 1",
    ),
    (
        "f(2, 3).sum((0, 0))",
        RangeError,
        "sum: every dim may appear once; got dim=(0, 0); drop the repeats",
    ),
    (
        "f(2, 3).softmax(-3)",
        BoundsError,
        "softmax: dim is out of range; got dim -3 for a tensor of 2 dims; use -2 … 1",
    ),
    (
        "f(0, 3).max(0)",
        BoundsError,
        "max: the reduced dims must not be empty, for there is no extreme of nothing; got "
        "shape [0, 3] over dims [0]; check the size first",
    ),
    (
        "f(0).argmax()",
        BoundsError,
        "argmax: the reduced dims must not be empty, for there is no extreme of nothing; got "
        "shape [0] over dims [0]; check the size first",
    ),
    (
        "f(2, 3).reshape(4, 2)",
        ShapeError,
        "reshape: the new shape must hold the same number of elements, with at most one -1; "
        "got [4, 2] for shape [2, 3] (6 elements); change one of the sizes, or leave one as "
        "-1",
    ),
    (
        "f(2, 3).reshape(-1, -1)",
        ShapeError,
        "reshape: the new shape must hold the same number of elements, with at most one -1; "
        "got [-1, -1] for shape [2, 3] (6 elements); change one of the sizes, or leave one "
        "as -1",
    ),
    (
        "f(2, 3).t().view(6)",
        ShapeError,
        "view: the new shape must be reachable without copying; the strides do not allow it; "
        "use reshape()",
    ),
    (
        "f(2, 3).expand(3, 3)",
        ShapeError,
        "expand: only dims of size 1 can be repeated, counted from the last; got [3, 3] for "
        "shape [2, 3]; unsqueeze first, or use repeat",
    ),
    (
        "f(2, 3).permute(0, 0)",
        RangeError,
        "permute: every dim must appear once; got (0, 0) for 2 dims; list all of them",
    ),
    (
        "f(2, 3).transpose(0, 2)",
        BoundsError,
        "transpose: dim is out of range; got dim 2 for a tensor of 2 dims; use -2 … 1",
    ),
    (
        "f(2, 3, 4).t()",
        ShapeError,
        "t: at most 2 dims; got 3; use transpose(dim0, dim1), or .mT for the last two",
    ),
    (
        "f(2, 3).squeeze(5)",
        BoundsError,
        "squeeze: dim is out of range; got dim 5 for a tensor of 2 dims; use -2 … 1",
    ),
    (
        "f(5).narrow(0, 3, 4)",
        BoundsError,
        "narrow: start and length must lie within the dim; got start 3 and length 4 for size "
        "5 of dim 0; shorten the part",
    ),
    (
        "f(2, 3).select(1, 3)",
        BoundsError,
        "select: index is out of range; got index 3 for dim 1 of size 3; use -3 … 2",
    ),
    (
        "f(2, 3)[2]",
        BoundsError,
        "index: out of range; index 2 for axis 0 of size 2; use -2 … 1",
    ),
    (
        "f(2, 3)[0, -4]",
        BoundsError,
        "index: out of range; index -4 for axis 1 of size 3; use -3 … 2",
    ),
    (
        "f(2, 3)[i(0, 2)]",
        BoundsError,
        "index: index is out of range; got index 2 for dim 0 of size 2; use -2 … 1",
    ),
    (
        "f(2, 3)[:, i(-4)]",
        BoundsError,
        "index: index is out of range; got index -4 for dim 1 of size 3; use -3 … 2",
    ),
    (
        "f(2, 3).gather(1, gleed.tensor([[3], [0]]))",
        BoundsError,
        "gather: index is out of range; got index 3 for dim 1 of size 3; use 0 … 2",
    ),
    (
        "f(2, 3).gather(1, f(2, 1))",
        DTypeError,
        "gather: the index must be an integer tensor; got float32; convert with .long()",
    ),
    (
        "f(2, 3).gather(1, i(0))",
        ShapeError,
        "gather: index and input must have as many dims; got [1] and [2, 3]; unsqueeze the index",
    ),
    (
        "f(3).index_select(0, i(0, 3))",
        BoundsError,
        "index_select: index is out of range; got index 3 for dim 0 of size 3; use 0 … 2",
    ),
    (
        "f(3).index_add(0, i(5), f(1))",
        BoundsError,
        "index_add: index is out of range; got index 5 for dim 0 of size 3; use 0 … 2",
    ),
    (
        "f(3).scatter(0, i(-1), 1.0)",
        BoundsError,
        "scatter: index is out of range; got index -1 for dim 0 of size 3; use 0 … 2",
    ),
    (
        "F.embedding(i(0, 7), f(5, 2))",
        BoundsError,
        "embedding: index is out of range; got index 7 for dim 0 of size 5; use 0 … 4",
    ),
    (
        "F.cross_entropy(f(2, 3), i(0, 3))",
        BoundsError,
        "cross_entropy: class indices must lie in 0 … 2; got 3; check the labels or the "
        "number of classes",
    ),
    (
        "F.cross_entropy(f(2, 3), i(0, 1, 2))",
        ShapeError,
        "cross_entropy: the target must have the input's shape without the class dim (dim 1, "
        "or dim 0 of a single sample); got input [2, 3] and target [3]; check which dim "
        "holds the classes",
    ),
    (
        "F.nll_loss(f(2, 3), f(2))",
        DTypeError,
        "nll_loss: class indices must be integers; got float32; convert with .long()",
    ),
    (
        'F.mse_loss(f(2), f(2), reduction="average")',
        RangeError,
        'mse_loss: reduction must be "mean", "sum" or "none"; got \'average\'; correct the name',
    ),
    (
        "F.binary_cross_entropy(f(2), f(3))",
        ShapeError,
        "binary_cross_entropy: input and target must have one shape; got [2] and [3]; "
        "reshape the target",
    ),
    (
        "F.layer_norm(f(2, 3), (4,))",
        ShapeError,
        "layer_norm: the last dims must be normalized_shape; got [2, 3] with "
        "normalized_shape=[4]; make them agree",
    ),
    (
        "F.layer_norm(f(2, 3), (3,), f(2))",
        ShapeError,
        "layer_norm: weight must have the shape normalized_shape; got [2] for [3]; make them agree",
    ),
    (
        "gleed.cat([f(2, 3), f(2, 4)])",
        ShapeError,
        "cat: sizes must agree in every dim but dim 0; got [2, 4] beside [2, 3]; reshape or "
        "pad first",
    ),
    (
        "gleed.cat([])",
        RangeError,
        "cat: at least one tensor is needed; got an empty list; check the list",
    ),
    (
        "gleed.cat([f(2), f(2)[0]])",
        ShapeError,
        "cat: 0-d tensors have no dim to join along; got a 0-d tensor; use stack",
    ),
    (
        "gleed.stack([f(2), f(3)])",
        ShapeError,
        "stack: all shapes must be equal; got [3] beside [2]; use cat, or reshape first",
    ),
    (
        "f(2).repeat(-1)",
        RangeError,
        "repeat: one count of 0 or more per dim is needed; got (-1,) for 1 dims; prepend 1 "
        "for dims that stay",
    ),
    (
        "f(6).split((2, 3))",
        RangeError,
        "split: the sizes must add up to the size of dim 0; got [2, 3] for 6; correct one of them",
    ),
    (
        "f(6).chunk(0)",
        RangeError,
        "chunk: at least one chunk is needed; got 0; use 1 or more",
    ),
    (
        "f(6).unfold(0, 7, 1)",
        RangeError,
        "unfold: the stretch must fit the dim and the step be positive; got size 7 and step "
        "1 for size 6; use a smaller size",
    ),
    (
        "f(3).diag_embed().diagonal(0, 1, 1)",
        RangeError,
        "diagonal: dim1 and dim2 must differ; got 1 and 1; name two dims",
    ),
    (
        "f(3).tril()",
        ShapeError,
        "tril: at least 2 dims are needed; got 1; unsqueeze first",
    ),
    (
        "gleed.sub(f(2).bool(), f(2).bool())",
        DTypeError,
        "sub: subtraction is not defined for bool tensors; got bool and bool; use ^ "
        "(logical_xor), or convert to an integer first",
    ),
    (
        "gleed.add(f(2).int(), f(2).bool(), alpha=0.5)",
        DTypeError,
        "add: alpha must not be of a higher category than the result; got a floating-point alpha "
        "for int32; convert a tensor first",
    ),
    (
        "-f(2).bool()",
        DTypeError,
        "neg: bool has no sign; got bool; use ~ (logical_not)",
    ),
    (
        "f(2) & f(2)",
        DTypeError,
        "bitwise_and: bits are defined for bool and integers; got float32; convert with "
        ".to(gleed.int64), or compare with logical_and",
    ),
    (
        "i(1, 2).mean()",
        DTypeError,
        "mean: a floating-point tensor is needed; got int64; convert it with .float(), or "
        "pass dtype=gleed.float32",
    ),
    (
        "i(1, 2).var()",
        DTypeError,
        "var: a floating-point tensor is needed; got int64; convert it with .float()",
    ),
    (
        "F.silu(i(1, 2))",
        DTypeError,
        "silu: a floating-point tensor is needed; got int64; convert it with .float()",
    ),
    (
        "i(1, 2).add_(0.5)",
        DTypeError,
        "add_: the result must fit the dtype of the tensor written to; got a result of "
        "float32 for a tensor of int64; convert the tensor first",
    ),
    (
        "f(3).add_(f(2, 3))",
        ShapeError,
        "add_: the result must have the shape of the tensor written to; got a result of "
        "shape [2, 3] for a tensor of shape [3]; use the out-of-place form",
    ),
    (
        "f(3).clamp()",
        RangeError,
        "clamp: at least one bound is needed; got neither; pass min or max",
    ),
    (
        "gleed.where(f(2), f(2), f(2))",
        DTypeError,
        "where: the condition must be a bool tensor; got float32; compare it with something, "
        "e.g. x > 0",
    ),
    (
        "f(2).masked_fill(f(2), 1.0)",
        DTypeError,
        "masked_fill: mask must be a bool tensor; got float32; compare it with something, "
        "e.g. mask != 0",
    ),
    (
        'gleed.add(f(2), "two")',
        ArgumentError,
        "add: argument 'other' must be a Tensor or a number; got str; it takes add(input: "
        "Tensor or number, other: Tensor or number, *, out: Tensor or None = None) or "
        "add(input: Tensor or number, other: Tensor or number, *, alpha: number, out: Tensor "
        "or None = None)",
    ),
    (
        "gleed.add(f(2))",
        ArgumentError,
        "add: argument 'other' is missing; it takes add(input: Tensor or number, other: "
        "Tensor or number, *, out: Tensor or None = None) or add(input: Tensor or number, "
        "other: Tensor or number, *, alpha: number, out: Tensor or None = None)",
    ),
    (
        "gleed.add(f(2), f(2), scale=2)",
        ArgumentError,
        "add: there is no argument 'scale'; it takes add(input: Tensor or number, other: "
        "Tensor or number, *, out: Tensor or None = None) or add(input: Tensor or number, "
        "other: Tensor or number, *, alpha: number, out: Tensor or None = None)",
    ),
    (
        'f(2).sum(dim="x")',
        ArgumentError,
        "sum: dim must be an integer; got str; use 0 for the first dim, -1 for the last",
    ),
    (
        "gleed.exp(3.0)",
        ArgumentError,
        "exp: argument 'input' must be a Tensor; got float; it takes exp(input: Tensor, *, "
        "out: Tensor or None = None)",
    ),
    (
        'F.gelu(f(2), "erf")',
        RangeError,
        'gelu: approximate must be "none" or "tanh"; got \'erf\'; omit it for the exact function',
    ),
    (
        'gleed.div(f(2), f(2), rounding_mode="up")',
        RangeError,
        'div: rounding_mode must be None, "trunc" or "floor"; got \'up\'; omit it for the '
        "exact quotient",
    ),
    (
        "gleed.zeros(-1)",
        RangeError,
        "zeros: sizes must be 0 or more; got [-1]; check the arithmetic",
    ),
    (
        "f(3).as_strided((2,), (5,))",
        BoundsError,
        "as_strided: the view must lie inside the storage; it needs bytes 0 to 24 of 12",
    ),
    (
        "f(3).as_strided((2,), (1, 1))",
        RangeError,
        "as_strided: size and stride must be equally long; got 1 and 2; give one stride per dim",
    ),
    (
        "f(2, 3).item()",
        ShapeError,
        "item: takes a tensor with one element; this one has 6; use tolist(), or index it",
    ),
    (
        "bool(f(2))",
        ShapeError,
        "bool: the truth of a tensor with 2 elements is ambiguous; use any(), all() or numel()",
    ),
    (
        "gleed.arange(0, 1, 0)",
        RangeError,
        "arange: the step must not be 0; got step 0; use 1, say",
    ),
    (
        "gleed.arange(5, 0)",
        RangeError,
        "arange: the step must lead from start to end; got start 5, end 0, step 1; change its sign",
    ),
    (
        "f(2, 3).flatten(1, 0)",
        RangeError,
        "flatten: start_dim must not come after end_dim; got 1 and 0; exchange them",
    ),
    (
        "f(2, 3).unflatten(1, (2, 2))",
        ShapeError,
        "unflatten: sizes must multiply to the size of dim 1; got [2, 2] for 3; leave one "
        "size as -1",
    ),
    (
        "f(2, 3).movedim((0, 1), (0, 0))",
        RangeError,
        "movedim: source and destination must list as many different dims; got (0, 1) and "
        "(0, 0); check for repeats",
    ),
    (
        "f(3).roll((1, 2), 0)",
        RangeError,
        "roll: as many shifts as dims; got 2 and 1; list one shift per dim",
    ),
    (
        "i(1, 2).lerp(i(1, 2), 0.5)",
        DTypeError,
        "lerp: a floating-point tensor is needed; got int64; convert it with .float()",
    ),
]
# Far more memory than there is.
HUGE = [
    "gleed.zeros(1 << 60)",
    "gleed.zeros(1 << 40, 1 << 40)",
    "f(2).expand(1 << 40, 2).contiguous()",
    "f(2).repeat(1 << 50)",
]


@pytest.mark.parametrize(("source", "error", "text"), BAD, ids=[source for source, _, _ in BAD])
def test_bad_input(source: str, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as raised:
        eval(source, NAMES)
    assert str(raised.value) == text
    assert isinstance(raised.value, GleedError)
    assert gleed.ones(2).sum().item() == 2


@pytest.mark.parametrize("source", HUGE)
def test_huge(source: str) -> None:
    with pytest.raises(OutOfMemoryError, match=r"not enough for a tensor of .*; use smaller sizes"):
        eval(source, NAMES)
    assert gleed.ones(2).sum().item() == 2


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("v(NAN, 1.0).max()", [NAN]),
        ("v(NAN, 1.0).maximum(v(0.0, NAN))", [NAN, NAN]),
        ("gleed.fmax(v(NAN, 1.0), v(0.0, NAN))", [0.0, 1.0]),
        ("v(1.0, NAN, 3.0).argmax()", [1]),
        ("v(NAN, 5.0).clamp(0, 1)", [NAN, 1.0]),
        ("v(NAN, -1.0).relu()", [NAN, 0.0]),
        ("v(INF, 0.0).softmax(0)", [NAN, NAN]),
        ("v(-INF, 0.0).softmax(0)", [0.0, 1.0]),
        ("v(-INF, -INF).logsumexp(0)", [-INF]),
        ("v(INF, -INF).sum()", [NAN]),
        ("v(0.0, -1.0, INF).log()", [-INF, NAN, INF]),
        ("v(1.0, 0.0, -1.0) / 0", [INF, NAN, -INF]),
        ("v(NAN, 2.0) == v(NAN, 2.0)", [False, True]),
        ("v(0.0, 1.0).pow(0)", [1.0, 1.0]),
        ("v(NAN).pow(0)", [1.0]),
        ("v(INF, 1.0).sigmoid()", [1.0, 0.7310585786300049]),
        ("v(-0.0, 0.0).copysign(v(-1.0, -1.0)).reciprocal()", [-INF, -INF]),
        ("v(NAN, INF, 1.0).isfinite()", [False, False, True]),
        ("v(3e38, 3e38).sum()", [INF]),
        ("v(3e38, -3e38).norm()", [INF]),
    ],
)
def test_not_a_number(source: str, wanted: list[float]) -> None:
    """What NaN and infinity give is part of the meaning, as in PyTorch."""
    got = eval(source, NAMES).reshape(-1).tolist()
    assert got == pytest.approx(wanted, nan_ok=True)


def v(*values: float) -> Any:
    return gleed.tensor(values)


NAMES = {"gleed": gleed, "F": F, "f": f, "i": i, "v": v, "NAN": NAN, "INF": INF}
