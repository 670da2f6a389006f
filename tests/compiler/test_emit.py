"""Compiled kernels against the interpreter: every operation, dtype, orientation, layout, size."""

from __future__ import annotations

import numpy as np
import pytest

from gleed.compiler import kernel as k
from gleed.compiler.interpret import NUMPY_DTYPES, convert
from gleed.compiler.kernel import DTYPES, Check, Kernel, Operand, Store
from gleed.compiler.online import online

from .machine import AXES, Affine, lay_out, make_array

SIZES = (0, 1, 7, 16, 17, 63, 64, 65, 130)
FLOATS = ("f32", "f64", "f16", "bf16")
INTEGERS = ("u8", "i8", "i16", "i32", "i64")


def operations(dtype: str, x: k.Node, y: k.Node, z: k.Node) -> dict[str, k.Node]:
    """Every arithmetic operation that `dtype` has."""
    compared = {name: getattr(k, name)(x, y) for name in ("lt", "le", "gt", "ge", "eq", "ne")}
    chosen = {"select": k.select(k.eq(x, y), y, z)}
    if dtype == "bool":
        equal = {name: compared[name] for name in ("eq", "ne")}
        return {"and": x & y, "or": x | y, "xor": x ^ y, "not": ~x, **equal, **chosen}
    common = {
        "add": x + y, "sub": x - y, "mul": x * y, "neg": -x, "abs": k.abs(x),
        "minimum": k.minimum(x, y), "maximum": k.maximum(x, y),
        "min_number": k.min_number(x, y), "max_number": k.max_number(x, y), **compared, **chosen,
    }  # fmt: skip
    if dtype in FLOATS:
        rounded = {name: getattr(k, name)(x) for name in ("floor", "ceil", "trunc", "roundeven")}
        return {**common, **rounded, "div": x / y, "fma": k.fma(x, y, z), "sqrt": k.sqrt(x)}
    return {
        **common, "and": x & y, "or": x | y, "xor": x ^ y, "not": ~x, "idiv": k.idiv(x, y),
        "irem": k.irem(x, y), "shl": x << y, "shr": x >> y, "lshr": k.lshr(x, y),
        "shl 3": x << 3, "shr 3": x >> 3,
    }  # fmt: skip


def as_numbers(array: np.ndarray, dtype: str) -> np.ndarray:
    return (array.astype(np.uint32) << 16).view(np.float32) if dtype == "bf16" else array


def assert_same(ours: np.ndarray, theirs: np.ndarray, dtype: str, what: str) -> None:
    np.testing.assert_array_equal(as_numbers(ours, dtype), as_numbers(theirs, dtype), what)


def check(machine, kernel, orientation, arguments, params=(), compare=assert_same, names=None):
    """Run both on copies of the outputs and compare all memory under them."""
    outs = [i for i, o in enumerate(kernel.operands) if o.kind in ("out", "status")]
    results = []
    for run in (machine.run, machine.interpret):
        mine = list(arguments)
        for i in outs:
            view = arguments[i]
            root = view if view.base is None else view.base
            offset = view.__array_interface__["data"][0] - root.__array_interface__["data"][0]
            copy = root.copy()
            mine[i] = np.ndarray(view.shape, view.dtype, copy, offset, view.strides)
        run(kernel, orientation, mine, params)
        results.append([mine[i].base for i in outs])
    for i, ours, theirs in zip(outs, *results, strict=True):
        what = f"{names[i] if names else i} {orientation} {[a.shape for a in arguments]}"
        compare(ours, theirs, kernel.operands[i].dtype, what)


@pytest.mark.parametrize("layouts", ["111", "0s1", "1ss"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_operations(machine, dtype, layouts):
    rng = np.random.default_rng(sum(map(ord, dtype + layouts)))
    ops = operations(dtype, k.load(0, dtype), k.load(1, dtype), k.load(2, dtype))
    kernel = Kernel(
        "operations",
        (
            *(Operand(dtype, "in") for _ in range(3)),
            *(Operand(n.dtype, "out") for n in ops.values()),
        ),
        (),
        tuple(Store(3 + i, node) for i, node in enumerate(ops.values())),
    )
    for size in SIZES:
        shape = (2, 3, max(size, 1))
        inputs = [lay_out(make_array(rng, dtype, shape), c)[..., :size] for c in layouts]
        outs = [
            lay_out(np.zeros(shape, NUMPY_DTYPES[n.dtype]), "s" if layouts == "1ss" else "1")
            for n in ops.values()
        ]
        outs = [out[..., :size] for out in outs]
        check(machine, kernel, "map", [*inputs, *outs], names=["x", "y", "z", *ops])


@pytest.mark.parametrize("layouts", ["11", "s1", "1s", "ss", "0s"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_maps_that_only_move_data(machine, dtype, layouts):
    """Light kernels are vectorised in another way than heavy ones."""
    rng = np.random.default_rng(13)
    number = k.cast(k.index(2), dtype) if dtype != "bool" else k.eq(k.index(2) & 4, 0)
    value = k.select(k.eq(k.load(0, dtype), number), number, k.load(0, dtype))
    kernel = Kernel(
        "move",
        (Operand(dtype, "in"), Operand(dtype, "out"), Operand("i64", "index")),
        (),
        (Store(1, value),),
    )
    for size in SIZES:
        shape = (2, 3, max(size, 1))
        inputs = lay_out(make_array(rng, dtype, shape), layouts[0])[..., :size]
        out = lay_out(np.zeros(shape, NUMPY_DTYPES[dtype]), layouts[1])[..., :size]
        for strides in ((3, 5, 1), (3, 5, 2), (3, 5, 0)):
            index = Affine(-7, strides, (2, 3, size))
            check(machine, kernel, "map", [inputs, out, index])


@pytest.mark.parametrize("source", DTYPES)
def test_casts(machine, source):
    rng = np.random.default_rng(7)
    kernel = Kernel(
        "casts",
        (Operand(source, "in"), *(Operand(dtype, "out") for dtype in DTYPES)),
        (),
        tuple(Store(1 + i, k.cast(k.load(0, source), dtype)) for i, dtype in enumerate(DTYPES)),
    )
    for size in SIZES:
        values = make_array(rng, source, (1, 2, size))
        outs = [np.zeros((1, 2, size), NUMPY_DTYPES[dtype]) for dtype in DTYPES]
        check(machine, kernel, "map", [values, *outs], names=["x", *DTYPES])


def reductions(dtype: str) -> dict[str, k.Node]:
    x = k.load(0, dtype)
    if dtype == "bool":
        return {op: k.reduce(op, x) for op in ("any", "all")}
    ops = ("sum", "prod", "max", "min", "argmax", "argmin")
    return {op: k.reduce(op, x) for op in ops}


def assert_close(ours: np.ndarray, theirs: np.ndarray, dtype: str, what: str) -> None:
    if dtype in FLOATS:
        tolerance = {"f32": 2e-5, "f64": 1e-13, "f16": 1e-3, "bf16": 1e-2}[dtype]
        ours, theirs = as_numbers(ours, dtype), as_numbers(theirs, dtype)
        np.testing.assert_allclose(ours, theirs, tolerance, tolerance, err_msg=what)
    else:
        np.testing.assert_array_equal(ours, theirs, what)


@pytest.mark.parametrize("layout", ["1", "s"])
@pytest.mark.parametrize("orientation", ["row", "column"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_reductions(machine, dtype, orientation, layout):
    rng = np.random.default_rng(3)
    ops = reductions(dtype)
    kernel = Kernel(
        "reductions",
        (Operand(dtype, "in", True), *(Operand(node.dtype, "out") for node in ops.values())),
        (),
        tuple(Store(1 + i, node) for i, node in enumerate(ops.values())),
    )
    shapes = [(3, 2, n) for n in SIZES] + [(2, 300, 5), (5, 3, 1000), (0, 3, 4), (3, 0, 4)]
    for shape in shapes:
        values = make_array(rng, dtype, shape)
        if dtype in FLOATS and shape != (5, 3, 1000):
            values = np.where(rng.random(shape) < 0.95, make_finite(rng, dtype, shape), values)
        reduced = tuple(1 if i in AXES[orientation] else n for i, n in enumerate(shape))
        outs = [np.zeros(reduced, NUMPY_DTYPES[node.dtype]) for node in ops.values()]
        arguments = [lay_out(values, layout), *outs]
        check(machine, kernel, orientation, arguments, (), assert_close, ["x", *ops])


def make_finite(rng, dtype, shape):
    """Values near 1 in size, some of them equal, whose products stay finite."""
    values = rng.choice(np.array([-1.25, -1.0, -0.75, 0.5, 1.0, 1.5], np.float32), shape)
    return values if dtype == "f32" else convert(values, "f32", dtype)


@pytest.mark.parametrize("orientation", ["row", "column"])
def test_passes_in_place(machine, orientation):
    """Three passes, one of which keeps its values in the output, which is also the input."""
    rng = np.random.default_rng(5)
    x = k.load(0, "f32")
    dear = x - k.reduce("max", x)
    for i in range(6):
        dear = k.fma(dear, dear * 0.125, 0.5 + i)
    y = dear / k.reduce("sum", dear)
    kernel = Kernel(
        "normalise", (Operand("f32", "in", True), Operand("f32", "out", True)), (), (Store(1, y),)
    )
    for shape in [(3, 2, 7), (2, 3, 64), (3, 1, 200), (1, 5, 33)]:
        values = rng.standard_normal(shape).astype(np.float32)
        expected = np.zeros_like(values)
        machine.interpret(kernel, orientation, [values, expected])
        machine.run(kernel, orientation, [values, values])
        np.testing.assert_allclose(values, expected, 2e-6)


@pytest.mark.parametrize("orientation", ["row", "column"])
def test_levels_mix(machine, orientation):
    """Rows beside elements, invariants along n2, parameters, indices, row and element outputs."""
    rng = np.random.default_rng(6)
    x, row, line = k.load(0, "f32"), k.load(1, "f32"), k.load(2, "f32")
    scale, shift = k.param(0, "f32"), k.param(1, "i32")
    position = k.cast(k.index(3), "f32")
    value = (x * row + line * line) * scale + k.cast(shift, "f32") + position
    total = k.reduce("sum", value)
    kernel = Kernel(
        "levels",
        (
            Operand("f32", "in", True), Operand("f32", "in"), Operand("f32", "in", True),
            Operand("i64", "index", True), Operand("f32", "out", True), Operand("f32", "out"),
        ),
        ("f32", "i32"),
        (Store(4, value - total), Store(5, total * 2 + row)),
    )  # fmt: skip
    for shape in [(3, 4, 5), (2, 2, 16), (2, 5, 77), (1, 1, 1)]:
        parallel = tuple(1 if i in AXES[orientation] else n for i, n in enumerate(shape))
        arguments = [
            rng.standard_normal(shape).astype(np.float32),
            rng.standard_normal(parallel).astype(np.float32),
            np.broadcast_to(rng.standard_normal((*shape[:2], 1)).astype(np.float32), shape),
            Affine(5, (3, 100, 1), shape),
            np.zeros(shape, np.float32),
            np.zeros(parallel, np.float32),
        ]
        check(machine, kernel, orientation, arguments, (1.5, -3), assert_near)


def assert_near(ours, theirs, dtype, what):
    np.testing.assert_allclose(ours, theirs, 1e-4, 1e-3 * max(1, abs(theirs).max()), err_msg=what)


@pytest.mark.parametrize("op", k.SCAN_OPS)
@pytest.mark.parametrize("orientation", ["row", "column"])
def test_scans(machine, op, orientation):
    rng = np.random.default_rng(8)
    scanned = k.scan(op, k.load(0, "i32"))
    kernel = Kernel(
        "scan", (Operand("i32", "in", True), Operand("i32", "out", True)), (), (Store(1, scanned),)
    )
    for shape in [(2, 3, 5), (2, 3, 100), (1, 40, 17)]:
        values = make_array(rng, "i32", shape)
        check(machine, kernel, orientation, [values, np.zeros(shape, np.int32)])


@pytest.mark.parametrize("op", k.SCAN_OPS)
@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_scans_of_floats(machine, dtype, op):
    """A NaN stays; prefixes after each vector go on from those before it."""
    rng = np.random.default_rng(15)
    scanned = k.cast(k.scan(op, k.cast(k.load(0, dtype), "f64")), dtype)
    kernel = Kernel(
        "scan", (Operand(dtype, "in", True), Operand(dtype, "out", True)), (), (Store(1, scanned),)
    )
    for size in (1, 15, 16, 17, 130, 1000):
        values = (rng.random((2, 3, size)) + 0.5).astype(np.dtype(NUMPY_DTYPES[dtype]))
        values[1, 2, size // 2] = np.nan
        arguments = [values, np.zeros(values.shape, values.dtype)]
        check(machine, kernel, "row", arguments, compare=assert_near)


@pytest.mark.parametrize("dtype", ["f32", "u8", "i64", "bf16"])
def test_gather_and_check(machine, dtype):
    """Indices out of range are reported and never followed, in masked lanes neither."""
    rng = np.random.default_rng(9)
    where = k.load(1, "i64")
    valid = (where >= 0) & (where < 50)
    value = k.gather(0, k.select(valid, where, 0), dtype)
    kernel = Kernel(
        "gather",
        (
            Operand(dtype, "in"),
            Operand("i64", "in"),
            Operand(dtype, "out"),
            Operand("i64", "status"),
        ),
        (),
        (Store(2, value), Check(3, valid)),
    )
    table = make_array(rng, dtype, (50,))
    for size in (1, 5, 16, 21, 100):
        source = np.ndarray((1, 1, 1), table.dtype, table)
        for bad in (False, True):
            indices = rng.integers(0, 50, (1, 2, size))
            if bad:
                indices[0, 1, -1] = 1 << 40
            status = np.zeros((1, 1, 1), np.int64)
            out = np.zeros(indices.shape, table.dtype)
            check(machine, kernel, "map", [source, indices, out, status])
            machine.run(kernel, "map", [source, indices, out, status])
            assert status.item() == bad


@pytest.mark.parametrize("mode", k.STORE_MODES)
def test_scatter(machine, mode):
    """Stores at offsets happen in index order, duplicates included."""
    rng = np.random.default_rng(10)
    kernel = Kernel(
        "scatter",
        (Operand("f32", "in"), Operand("i64", "in"), Operand("f32", "out")),
        (),
        (Store(2, k.load(0, "f32"), k.load(1, "i64"), mode),),
    )
    for size in (1, 3, 4, 40, 43):
        values = rng.standard_normal((2, 3, size)).astype(np.float32)
        memory = rng.standard_normal(30).astype(np.float32)
        out = np.ndarray((1, 1, 1), np.float32, memory)
        check(machine, kernel, "map", [values, rng.integers(0, 30, (2, 3, size)), out])


@pytest.mark.parametrize("layout", ["1", "s", "0"])
def test_checks_alone(machine, layout):
    """Every index is looked at, also where it is the same along n2."""
    kernel = Kernel(
        "check",
        (Operand("i64", "in"), Operand("i64", "status")),
        (),
        (Check(1, (k.load(0, "i64") >= 0) & (k.load(0, "i64") < 9)),),
    )
    for size in (1, 7, 32, 43, 70):
        for bad in [None, *{0, size // 2, size - 1}]:
            indices = np.random.default_rng(size).integers(0, 9, (2, 3, size))
            if bad is not None:
                indices[1, 2, 0 if layout == "0" else bad] = 9
            status = np.zeros((1, 1, 1), np.int64)
            machine.run(kernel, "map", [lay_out(indices, layout), status])
            assert status.item() == (bad is not None)


@pytest.mark.parametrize("layout", ["1", "s"])
@pytest.mark.parametrize("orientation", AXES)
@pytest.mark.parametrize("dtype", ["f32", "u8", "f64"])
def test_gather_rows(machine, orientation, dtype, layout):
    """Offsets that stay the same along n2: whole rows are read, and checked once."""
    rng = np.random.default_rng(13)
    element = orientation != "map"
    where = k.load(1, "i64")
    valid = (where >= 0) & (where < 20)
    value = k.gather(0, k.select(valid, where, 0) * k.param(0, "i64"), dtype)
    operands = (
        Operand(dtype, "in", orientation == "row"),
        Operand("i64", "in", element),
        Operand(dtype, "out"),
        Operand("i64", "status"),
    )
    value = k.reduce("min", value) if element else value
    kernel = Kernel("rows", operands, ("i64",), (Store(2, value), Check(3, valid)))
    for size in (1, 5, 16, 37, 150):
        table = lay_out(make_array(rng, dtype, (20, size)), layout)
        shape = tuple(1 if a in AXES[orientation] else n for a, n in enumerate((2, 3, size)))
        for bad in (False, True):
            indices = rng.integers(0, 20, (2, 3, 1))
            indices[1, 2, 0] = -1 if bad else 0
            rows, status = np.broadcast_to(indices, (2, 3, size)), np.zeros((1, 1, 1), np.int64)
            arguments = [table[None, :1], rows, np.zeros(shape, table.dtype), status]
            step = table.strides[0] // table.itemsize
            check(machine, kernel, orientation, arguments, [step])
            machine.run(kernel, orientation, arguments, [step])
            assert status.item() == bad


@pytest.mark.parametrize("layout", ["1", "s"])
@pytest.mark.parametrize("mode", k.STORE_MODES)
def test_scatter_rows(machine, mode, layout):
    """Whole rows written at offsets that stay the same along n2, the same row several times."""
    rng = np.random.default_rng(14)
    kernel = Kernel(
        "scatter",
        (Operand("f32", "in"), Operand("i64", "in"), Operand("f32", "out")),
        ("i64",),
        (Store(2, k.load(0, "f32"), k.load(1, "i64") * k.param(0, "i64"), mode),),
    )
    for size in (1, 5, 37, 150):
        values = rng.standard_normal((4, 5, size)).astype(np.float32)
        table = lay_out(rng.standard_normal((6, size)).astype(np.float32), layout)
        indices = np.broadcast_to(rng.integers(0, 6, (4, 5, 1)), values.shape)
        check(machine, kernel, "map", [values, indices, table[None, :1]], [table.strides[0] // 4])


@pytest.mark.parametrize("mode", k.STORE_MODES)
def test_combining_stores(machine, mode):
    kernel = Kernel(
        "combine", (Operand("bf16", "in"), Operand("bf16", "out")), (),
        (Store(1, k.load(0, "bf16"), mode=mode),),
    )  # fmt: skip
    rng = np.random.default_rng(11)
    values, old = (make_array(rng, "bf16", (2, 3, 37)) for _ in range(2))
    check(machine, kernel, "map", [values, old])


@pytest.mark.parametrize("orientation", ["row", "column"])
def test_long_sums_are_accurate(machine, orientation):
    """The error of a long sum is that of its last rounding; infinities survive the blocks."""
    rng = np.random.default_rng(12)
    kernel = Kernel(
        "total",
        (Operand("f32", "in", True), Operand("f32", "out")),
        (),
        (Store(1, k.reduce("sum", k.load(0, "f32"))),),
    )
    values = (rng.standard_normal((1, 1, 1 << 18)) + 0.5).astype(np.float32)
    out = np.zeros((1, 1, 1), np.float32)
    if orientation == "column":
        values = values.reshape(1, -1, 1)
    machine.run(kernel, orientation, [values, out])
    exact = values.astype(np.float64).sum()
    assert abs(out.item() - exact) <= 2 * np.spacing(np.float32(exact))
    values.flat[777] = np.inf
    machine.run(kernel, orientation, [values, out])
    assert out.item() == np.inf


def bodies(x: k.Node, y: k.Node) -> dict[str, k.Node]:
    """Values of two operands: from what is cheap to what is dear, has rare branches, or is wide."""
    dear = k.math("exp", k.math("tanh", x) * y) + k.math("exp", k.sqrt(k.abs(x)) - k.abs(y))
    return {
        "cheap": x * y,
        "moderate": k.math("exp", x - y),
        "dear": dear * k.math("tanh", dear) + k.math("log", k.abs(dear) + 1),
        "rare": k.math("sin", x) + y,
        "wide": k.cast(k.cast(x, "f64") * k.cast(y, "f64"), "f32"),
    }


def row_values(x: k.Node) -> dict[str, k.Node]:
    greatest = k.reduce("max", x)
    total = k.reduce("sum", k.math("exp", x - greatest))
    return {"sum": k.reduce("sum", x), "prod": k.reduce("prod", x), "online": total}


@pytest.mark.parametrize("layouts", ["11", "s1", "0s"])
@pytest.mark.parametrize("dtype", ["f32", "bf16"])
@pytest.mark.parametrize("orientation", ["row", "column"])
def test_the_order_of_adding_does_not_depend_on_the_body(machine, orientation, dtype, layouts):
    """What a kernel reduces may be computed in it or lie in memory: the bits are the same."""
    rng = np.random.default_rng(13)

    def run(stores, inputs, orientation, shape):
        operands = [Operand(d, "in", orientation != "map") for _, d in inputs]
        outs = [np.zeros(shape, NUMPY_DTYPES[node.dtype]) for node in stores]
        operands += [Operand(node.dtype, "out") for node in stores]
        stored = tuple(Store(len(inputs) + i, node) for i, node in enumerate(stores))
        kernel = Kernel("adding", tuple(operands), (), stored)
        long = orientation == "row" and online(kernel)
        machine.run(long or kernel, orientation, [*(x for x, _ in inputs), *outs])
        return outs

    x, y = (k.cast(k.load(i, dtype), "f32") for i in range(2))
    for shape in [(2, 1, n) for n in (1, 15, 16, 17, 63, 64, 65, 127, 4160, 9000)] + [(2, 3, 85)]:
        values = [make_finite(rng, "f32", shape) + rng.random(shape, np.float32) for _ in range(2)]
        inputs = [convert(v, "f32", dtype) if dtype != "f32" else v for v in values]
        inputs = [(lay_out(v, layout), dtype) for v, layout in zip(inputs, layouts, strict=True)]
        reduced = tuple(1 if i in AXES[orientation] else n for i, n in enumerate(shape))
        for name, body in bodies(x, y).items():
            (made,) = run([body], inputs, "map", shape)
            for what in row_values(x):
                (fused,) = run([row_values(body)[what]], inputs, orientation, reduced)
                one = row_values(k.load(0, "f32"))[what]
                (apart,) = run([one], [(made, "f32")], orientation, reduced)
                assert fused.tobytes() == apart.tobytes(), (name, what, shape)


def test_columns_of_every_width(machine):
    """Wide blocks, then one of half the width, then what is left under a mask."""
    rng = np.random.default_rng(13)
    kernel = Kernel(
        "total",
        (Operand("f32", "in", True), Operand("f32", "out")),
        (),
        (Store(1, k.reduce("sum", k.load(0, "f32"))),),
    )
    for width in (1, 16, 63, 64, 65, 127, 128, 191, 200, 257):
        values = rng.standard_normal((3, 5, width)).astype(np.float32)
        out = np.zeros((1, 1, width), np.float32)
        machine.run(kernel, "column", [values, out])
        np.testing.assert_allclose(out[0, 0], values.sum((0, 1)), 1e-5, 1e-5)


@pytest.mark.parametrize("layout", ["2", "r"])
@pytest.mark.parametrize("dtype", ["f32", "f64", "i32", "bf16", "u8"])
@pytest.mark.parametrize("orientation", ["map", "row", "column"])
def test_every_second_element_and_backwards(machine, orientation, dtype, layout):
    """Beside neighbours, in whole vectors and in what is left of a line."""
    rng = np.random.default_rng(14)
    x, y = k.load(0, dtype), k.load(1, dtype)
    value = x + y if orientation == "map" else k.reduce("max", k.maximum(x, y))
    element = orientation != "map"
    kernel = Kernel(
        "seconds",
        (Operand(dtype, "in", element), Operand(dtype, "in", element), Operand(dtype, "out")),
        (),
        (Store(2, value),),
    )
    for n in SIZES:
        values = [make_array(rng, dtype, (3, 2, n)) for _ in range(2)]
        reduced = tuple(1 if i in AXES[orientation] else m for i, m in enumerate((3, 2, n)))
        out = np.zeros(reduced, NUMPY_DTYPES[dtype])
        check(machine, kernel, orientation, [lay_out(values[0], layout), values[1], out])
