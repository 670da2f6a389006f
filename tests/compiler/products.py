"""Running the core's routine "matmul" on NumPy arrays, through hand-made plans."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

import gleed.compiler.planning  # noqa: F401, when loaded it tells the core who compiles
from gleed import _C
from gleed.compiler import kernel as k
from gleed.compiler.contraction import compile_contraction
from gleed.compiler.emit import compile_variant

FLOATS = ("float32", "float64", "float16", "bfloat16")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8")
COMPLEX = ("complex64", "complex128")
DTYPES = (*FLOATS, *INTEGERS, "bool", *COMPLEX)
MANTISSA = {"float32": 23, "float64": 52, "float16": 10, "bfloat16": 7}

_REQUIRED = inspect.Parameter.empty
_NAMES = ("input", "other", "bias")


def use_compiler(compile: Callable[..., tuple[bytes, str]] = compile_contraction) -> None:
    """Tell the core who compiles micro-kernels."""
    _C.set_contraction_compiler(compile)


def op(*plans_of: Callable[..., _C.Plan], inputs: int) -> _C.Op:
    parameters = tuple((name, "tensor", _REQUIRED, "") for name in _NAMES[:inputs])
    return _C.Op("product", [(parameters, plans_of[0], None)])


def product_plan(relu: bool) -> Callable[..., _C.Plan]:
    """Compiles plans of one library step."""

    def compile(arguments: list, sizes: tuple, ints: tuple, words: tuple) -> _C.Plan:
        rank, count = len(sizes[0]), len(arguments)
        dims = [("size", 0, axis) for axis in range(rank - 1)] + [("size", 1, rank - 1)]
        steps = [("alloc", count, ())]
        operands, flags = (*range(count), count), ()
        if count == 3:
            dims.append(("const", int(relu)))
            flags = (rank,)
        steps.append(("library", "matmul", operands, flags, ()))
        return _C.Plan(
            tuple((a.dtype, len(s)) for a, s in zip(arguments, sizes, strict=True)),
            tuple(dims), (), ((arguments[0].dtype, tuple(range(rank))),), tuple(steps),
            (count,), (), (),
        )  # fmt: skip

    return compile


@cache
def product_op(inputs: int, relu: bool) -> _C.Op:
    return op(product_plan(relu), inputs=inputs)


def tensor_matmul(*tensors: _C.Tensor, relu: bool = False) -> _C.Tensor:
    """a @ b, or relu(a @ b + bias)."""
    return product_op(len(tensors), relu)(*tensors)


def matmul(*arrays: np.ndarray, dtype: str | None = None, relu: bool = False) -> np.ndarray:
    """The product of arrays. bfloat16 ones are given, and given back, as float32."""
    if dtype != "bfloat16":
        return np.array(_C.to_numpy(tensor_matmul(*map(_C.from_numpy, arrays), relu=relu)))
    tensors = [cast("f32", "bf16")(_C.from_numpy(a)) for a in arrays]
    return np.array(_C.to_numpy(cast("bf16", "f32")(tensor_matmul(*tensors, relu=relu))))


@cache
def cast(source: str, target: str) -> _C.Op:
    """An op that converts, keeping the order of strides."""
    store = k.Store(1, k.cast(k.load(0, source), target))
    operands = (k.Operand(source, "in"), k.Operand(target, "out"))
    kernel = _C.Kernel(k.Kernel("cast", operands, (), (store,)), 1, _compile_kernel, None)
    dtypes = {"f32": _C.float32, "bf16": _C.bfloat16}

    def compile(arguments: list, sizes: tuple, ints: tuple, words: tuple) -> _C.Plan:
        axes = tuple(range(len(sizes[0])))
        dims = tuple(("size", 0, axis) for axis in axes)
        launch = ("kernel", kernel, axes, len(axes), ((0, axes), (1, axes)), ())
        steps = (("alloc", 1, (0,)), launch)
        return _C.Plan(
            ((dtypes[source], len(axes)),), dims, (), ((dtypes[target], axes),), steps, (1,), (), ()
        )

    return op(compile, inputs=1)


def _compile_kernel(ir: k.Kernel, orientation: str, strides: str) -> tuple[bytes, str]:
    return compile_variant(ir, k.Variant(orientation, strides))


def make(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """Random values; of integers the whole range, so that sums wrap around."""
    if dtype == "bool":
        return rng.random(shape) < 0.3
    if dtype in INTEGERS:
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    values = rng.standard_normal(shape)
    if dtype in COMPLEX:
        return (values + 1j * rng.standard_normal(shape)).astype(dtype)
    return round_to_bfloat16(values) if dtype == "bfloat16" else values.astype(dtype)


def round_to_bfloat16(values: np.ndarray) -> np.ndarray:
    """float32 values with the upper half's bits only, truncated."""
    bits = np.array(values, np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
    return bits.view(np.float32)


def layouts(rng: np.random.Generator, dtype: str, shape: tuple[int, int]) -> Iterator[np.ndarray]:
    """One matrix in each layout: rows, columns, steps along both, reversed, part of a wider one."""
    m, n = shape
    yield make(rng, dtype, (m, n))
    yield make(rng, dtype, (n, m)).T
    yield make(rng, dtype, (2 * m + 1, 3 * n + 2))[1 : 2 * m + 1 : 2, 1 : 3 * n + 1 : 3]
    yield make(rng, dtype, (m, n))[::-1, ::-1]
    yield make(rng, dtype, (m, n + 7))[:, 3 : 3 + n]


def assert_product(
    got: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    dtype: str,
    bias: np.ndarray | None = None,
    relu: bool = False,
) -> None:
    """Integers and bool exactly; floats within the bound of a sum of rounded products."""
    assert got.shape == (*a.shape[:-1], b.shape[-1])
    if dtype in INTEGERS or dtype == "bool":
        exact = a @ b
        np.testing.assert_array_equal(got, exact if bias is None else exact + bias)
        return
    double = dtype in ("float64", "complex128")
    wide = np.longdouble if double else np.float64
    if dtype in COMPLEX:
        wide = np.clongdouble if double else np.complex128
    x, y = a.astype(wide), b.astype(wide)
    exact, magnitude = x @ y, np.abs(x) @ np.abs(y)
    if bias is not None:
        exact, magnitude = exact + bias, magnitude + np.abs(bias)
    if relu:
        exact = np.maximum(exact, 0)
    bound = 2 * (a.shape[-1] + 4) * magnitude * 2.0 ** (-52 if double else -23)
    if dtype in ("float16", "bfloat16"):
        bound = bound + np.abs(exact) * 2.0 ** -MANTISSA[dtype] + 1e-6
    worse = np.abs(got - exact) > bound
    assert not worse.any(), f"{np.argwhere(worse)[:3].tolist()} of {got.shape} are wrong"
